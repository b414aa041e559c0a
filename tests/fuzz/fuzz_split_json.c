/* fuzz_split_json.c - a split as JSON, applied to a data set that has pictures' names. */
#include "fuzz.h"

#include "data/readers/split_file.h"

enum { IMAGES = 12, CLASSES = 4 };

/* IMAGES of CLASSES in turns, without a split. */
static void fill(un_dataset *d, int32_t labels[IMAGES], char *classes[CLASSES],
                 char *images[IMAGES]) {
    static float att[CLASSES * 2] = {0, 1, 1, 0, 1, 1, 0, 0.5f};
    static char names[IMAGES][16];
    *d = (un_dataset){.name = "split",
                      .image_count = IMAGES,
                      .class_count = CLASSES,
                      .classes = classes,
                      .images = images,
                      .labels = labels,
                      .semantics_count = 1,
                      .semantics = {{.name = "att", .width = 2, .values = att}}};
    for (size_t i = 0; i < IMAGES; i++) {
        labels[i] = (int32_t)(i % CLASSES);
        snprintf(names[i], sizeof names[i], "%s/%zu.png", classes[i % CLASSES], i);
        images[i] = names[i];
    }
}

static void check_list(const un_index_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        FUZZ_REQUIRE(list->items[i] >= 0 && list->items[i] < IMAGES);
        FUZZ_REQUIRE(i == 0 || list->items[i] > list->items[i - 1]);
    }
}

int fuzz_run_split_json(const uint8_t *data, size_t size) {
    un_split_file file;
    un_dataset d;
    un_arena arena = {0};
    int32_t labels[IMAGES];
    char *classes[CLASSES] = {"ant", "bee", "cat", "dog"}, *images[IMAGES], **listed = NULL;
    size_t count = 0;
    int proposed = 0;
    un_split_outcome outcome = {0};
    if (!fuzz_taken(un_split_file_open(&file, fuzz_file("split.json", data, size)))) return 0;
    if (fuzz_taken(un_split_file_classes(&file, &arena, &listed, &count)))
        for (size_t i = 0; i < count; i++) fuzz_touch_text(listed[i]);
    fill(&d, labels, classes, images);
    int taken = fuzz_taken(un_split_file_apply(&file, 1, &d, &proposed, &outcome));
    if (taken) {
        check_list(&d.trainval);
        check_list(&d.test_seen);
        check_list(&d.test_unseen);
        for (size_t k = 0; k < d.fold_count; k++) {
            check_list(&d.folds[k].train);
            check_list(&d.folds[k].unseen);
        }
        FUZZ_REQUIRE(un_split_file_write(&d, fuzz_path("again.json")) == UNSEEN_OK);
    }
    json_decref(d.notes);
    un_arena_free(&d.arena);
    un_arena_free(&arena);
    un_split_file_close(&file);
    return taken;
}

void fuzz_seed_split_json(void) {
    fuzz_seed_text("numbers", "{\"trainval\": [0, 1, 2, 4, 5], \"test_seen\": [6, 8, 9, 10], "
                              "\"test_unseen\": [3, 7, 11]}");
    fuzz_seed_text("names", "{\"classes\": [\"ant\", \"bee\", \"cat\", \"dog\"], "
                            "\"trainval\": [\"ant/0.png\", \"bee/1.png\", \"2.png\", 4], "
                            "\"test_seen\": [8, 9, 10], \"test_unseen\": [\"3.png\", 7]}");
    fuzz_seed_text("folds",
                   "{\"trainval\": [0, 1, 2, 4, 5, 6], \"test_seen\": [8, 9, 10], "
                   "\"test_unseen\": [3, 7, 11], \"folds\": [{\"source\": \"mine\", "
                   "\"classes\": [\"bee\"]}, {\"source\": \"other\", \"train\": [0, 2, 4, 6], "
                   "\"unseen\": [1, 5]}]}");
    fuzz_seed_text("unseen", "{\"unseen\": [\"dog\"]}");
    fuzz_seed_text("unseen_count", "{\"unseen_count\": 1}");
    fuzz_seed_text("bad_key", "{\"unsen\": [\"dog\"]}");
    fuzz_seed_text("bad_range",
                   "{\"trainval\": [0, 99], \"test_seen\": [1], \"test_unseen\": [3]}");
    fuzz_seed_text("bad_json", "{\"trainval\": [0,");
}
