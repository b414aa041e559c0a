/*
 * fuzz_states.c - the journal of the states of a frozen image side, which an interrupted training
 * of DUET leaves: as fuzz_journal.c. Whatever it says, the next training ends with a model or with
 * a sentence; if the journal is as it was, with the model of a run that was never interrupted.
 */
#include "fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

#include "base/file.h"
#include "data/features.h"
#include "method/methods.h"
#include "tensor/sha256.h"
#include "train/train.h"

enum { SIDE = 4, COLOURS = 3 };

static const char *const g_settings[] = {"image_side=pixels",
                                         "text=no",
                                         "hidden=8",
                                         "heads=1",
                                         "inner=8",
                                         "patch=2",
                                         "image_layers=1",
                                         "image_hidden=8",
                                         "image_heads=1",
                                         "image_inner=8",
                                         "freeze_backbone=yes",
                                         "epochs=1",
                                         "batch=8"};

/* The pixels of 4 x 4 pictures as a feature set of the data set at `folder`. */
static void write_pixels(const char *folder) {
    char path[700];
    float row[SIDE * SIDE * COLOURS];
    un_features_writer *writer = NULL;
    const un_features_description description = {.image_count = fuzz_dataset()->image_count,
                                                 .regions = SIDE * SIDE,
                                                 .width = COLOURS,
                                                 .grid_height = SIDE,
                                                 .grid_width = SIDE,
                                                 .dtype = UN_F32,
                                                 .source = "generated"};
    snprintf(path, sizeof path, "%s/features/pixels.safetensors", folder);
    FUZZ_REQUIRE(un_features_writer_open(&writer, path, &description) == UNSEEN_OK);
    for (size_t i = 0; i < description.image_count; i++) {
        for (size_t k = 0; k < sizeof row / sizeof *row; k++)
            row[k] = (float)((i * 37 + k * 11) % 256);
        FUZZ_REQUIRE(un_features_writer_append(writer, row, 1) == UNSEEN_OK);
    }
    FUZZ_REQUIRE(un_features_writer_commit(writer) == UNSEEN_OK);
}

static un_status train(const char *folder, volatile sig_atomic_t stop) {
    un_features features;
    un_dataset dataset;
    json_t *config = NULL, *result = NULL;
    un_train_options options = {.seed = 1,
                                .precision = UN_PRECISION_F32,
                                .select = UN_SELECT_NONE,
                                .max_steps = 1,
                                .output = fuzz_path("a.model"),
                                .resume = 1,
                                .stop = &stop};
    FUZZ_REQUIRE(un_method_find("duet", &options.class) == UNSEEN_OK);
    FUZZ_REQUIRE(un_config_create(options.class, NULL, &config) == UNSEEN_OK);
    for (size_t i = 0; i < sizeof g_settings / sizeof *g_settings; i++)
        FUZZ_REQUIRE(un_config_set(options.class, config, g_settings[i]) == UNSEEN_OK);
    FUZZ_REQUIRE(un_dataset_open(&dataset, folder) == UNSEEN_OK);
    FUZZ_REQUIRE(un_features_open(&features, folder, "pixels") == UNSEEN_OK);
    options.config = config;
    options.dataset = &dataset;
    options.features = &features;
    un_status status = un_train(&options, NULL, &result);
    json_decref(result);
    json_decref(config);
    un_features_close(&features);
    un_dataset_close(&dataset);
    return status;
}

/* The file below set/states with this ending, of which there is one. */
static const char *find_state(const char *ending) {
    static char path[2][700];
    static unsigned next;
    char *found = path[next++ % 2];
    DIR *folder = opendir(fuzz_path("set/states"));
    FUZZ_REQUIRE(folder);
    found[0] = 0;
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        size_t n = strlen(entry->d_name), m = strlen(ending);
        if (n > m && strcmp(entry->d_name + n - m, ending) == 0)
            snprintf(found, sizeof path[0], "%s/%s", fuzz_path("set/states"), entry->d_name);
    }
    closedir(folder);
    FUZZ_REQUIRE(found[0]);
    return found;
}

static void hash_file(const char *path, char out[65]) {
    un_map map;
    un_sha256 *hash = NULL;
    FUZZ_REQUIRE(un_map_open(&map, path) == UNSEEN_OK);
    FUZZ_REQUIRE(un_sha256_open(&hash) == UNSEEN_OK);
    FUZZ_REQUIRE(un_sha256_add(hash, map.data, map.size) == UNSEEN_OK);
    FUZZ_REQUIRE(un_sha256_hex(hash, out) == UNSEEN_OK);
    un_sha256_close(hash);
    un_map_close(&map);
}

int fuzz_run_states(const uint8_t *data, size_t size) {
    static char whole[65];
    char hash[65], before[65], after[65];
    const char *folder = fuzz_dataset_copy("set");
    write_pixels(folder);
    if (!whole[0]) {
        FUZZ_REQUIRE(train(folder, 0) == UNSEEN_OK);
        hash_file(fuzz_path("a.model"), whole);
        FUZZ_REQUIRE(un_directory_remove(fuzz_path("set/states")) == UNSEEN_OK);
        FUZZ_REQUIRE(remove(fuzz_path("a.model")) == 0);
    }
    FUZZ_REQUIRE(train(folder, 1) == UNSEEN_E_INTERRUPTED);
    const char *journal = find_state(".journal"), *rows = find_state(".partial");
    fuzz_unpack(data, size);
    hash_file(journal, before);
    int merged = fuzz_merge_json(journal, fuzz_path("journal"));
    hash_file(journal, after);
    int other_rows = un_path_exists(fuzz_path("rows"));
    if (other_rows) FUZZ_REQUIRE(rename(fuzz_path("rows"), rows) == 0);
    if (!fuzz_taken(train(folder, 0))) return 0;
    hash_file(fuzz_path("a.model"), hash);
    if (strcmp(before, after) == 0 && !other_rows) FUZZ_REQUIRE(strcmp(hash, whole) == 0);
    return merged;
}

void fuzz_seed_states(void) {
    fuzz_seed_text("as_it_is", "@@ journal\n{}");
    fuzz_seed_text("beyond", "@@ journal\n{\"done\": 999}");
    fuzz_seed_text("negative", "@@ journal\n{\"done\": -1}");
    fuzz_seed_text("types", "@@ journal\n{\"done\": \"1\", \"identity\": []}");
    fuzz_seed_text("bad_no_rows", "@@ rows\n\n@@ journal\n{\"done\": 8}");
    fuzz_seed_text("bad_json", "@@ journal\n{\"done\": ");
}
