/*
 * fuzz_dataset.c - DIR/dataset.safetensors beside a sound feature store: refused, or checked,
 * written again and turned into the tasks of a training.
 */
#include "fuzz.h"

#include "base/file.h"
#include "data/check/check.h"
#include "data/task.h"

static void make_tasks(const un_dataset *d) {
    un_task task;
    if (d->semantics_count == 0 || !d->labels) return;
    const char *const semantics[] = {d->semantics[0].name};
    if (fuzz_taken(un_task_final(&task, d, NULL, semantics, 1))) {
        for (size_t c = 0; c < task.classes.count; c++) fuzz_touch_text(task.classes.names[c]);
        fuzz_touch(task.labels, task.image_count * sizeof *task.labels);
        un_task_free(&task);
    }
    for (size_t k = 0; k < d->fold_count; k++)
        if (fuzz_taken(un_task_fold(&task, d, k, NULL, semantics, 1))) un_task_free(&task);
}

static void use(un_dataset *d) {
    unsigned char *classes = calloc(d->class_count + 1, 1);
    char hash[65];
    FUZZ_REQUIRE(classes);
    if (d->labels) un_dataset_classes_of(d, &d->trainval, classes);
    free(classes);
    for (size_t c = 0; c < d->class_count; c++) fuzz_touch_text(d->classes[c]);
    for (size_t i = 0; d->images && i < d->image_count; i++) fuzz_touch_text(d->images[i]);
    for (size_t i = 0; i < d->semantics_count; i++)
        FUZZ_REQUIRE(un_dataset_semantics(d, d->semantics[i].name));
    FUZZ_REQUIRE(un_split_hash(d, hash) == UNSEEN_OK);
    make_tasks(d);
}

/* What was written opens again and is the same split. */
static void write_again(un_dataset *d, const char *folder) {
    un_dataset again;
    if (!fuzz_taken(un_dataset_write(d, folder))) return;
    FUZZ_REQUIRE(un_dataset_open(&again, folder) == UNSEEN_OK);
    FUZZ_REQUIRE(strcmp(again.split_hash, d->split_hash) == 0);
    un_dataset_close(&again);
}

int fuzz_run_dataset(const uint8_t *data, size_t size) {
    un_dataset d;
    json_t *report = NULL;
    const char *folder = fuzz_dataset_copy("set");
    (void)fuzz_file("set/dataset.safetensors", data, size);
    if (!fuzz_taken(un_dataset_open(&d, folder))) return 0;
    if (fuzz_taken(un_check(folder, &report))) json_decref(report);
    use(&d);
    write_again(&d, folder);
    un_dataset_close(&d);
    return 1;
}

static void seed_small(const char *name, int with_images) {
    char *classes[] = {"ant", "bee",
                       ("gr\xC3\xB6\xC3\x9F"
                        "er")};
    char *images[] = {"a/0.png", "a/1.png", "b/0.png", "b/1.png", "c/0.png"};
    char *attributes[] = {"wings", "legs"};
    int32_t labels[] = {0, 0, 1, 1, 2};
    int64_t trainval[] = {0, 2}, test_seen[] = {1, 3}, test_unseen[] = {4};
    float att[] = {0, 1, 1, 0, 1, 1};
    un_dataset d = {.name = "small",
                    .image_count = 5,
                    .class_count = 3,
                    .classes = classes,
                    .images = with_images ? images : NULL,
                    .image_root = with_images ? "/nowhere" : NULL,
                    .labels = labels,
                    .trainval = {2, trainval},
                    .test_seen = {2, test_seen},
                    .test_unseen = {1, test_unseen},
                    .semantics_count = 1,
                    .semantics = {{.name = "att", .width = 2, .values = att}}};
    d.semantics[0].attributes = attributes;
    FUZZ_REQUIRE(un_dataset_write(&d, fuzz_folder()) == UNSEEN_OK);
    fuzz_seed_file(name, fuzz_path("dataset.safetensors"));
    un_arena_free(&d.arena);
}

void fuzz_seed_dataset(void) {
    seed_small("small", 0);
    seed_small("pictures", 1);
    fuzz_seed_file("version_0.1", fuzz_test_data("v0.1/maps/dataset.safetensors"));
    fuzz_seed_file("bad_features", fuzz_test_data("v0.1/maps/features/maps.safetensors"));
}
