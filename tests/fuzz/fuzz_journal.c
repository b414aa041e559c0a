/*
 * fuzz_journal.c - the journal that an interrupted extraction leaves: the keys of the input take
 * the place of the true ones; "rows" of an archive, if it is there, that of the rows. Whatever it
 * says, the next extraction ends with the features of every picture, or with a sentence.
 */
#include "fuzz.h"

#include <sys/stat.h>

#include "base/file.h"
#include "data/features.h"
#include "engine/extract.h"

enum { PICTURES = 3 };

/* A data set of PICTURES pictures in the folder; its directory. */
static const char *make_set(void) {
    static char *classes[] = {"ant", "bee"}, *images[PICTURES] = {"0.bmp", "1.bmp", "2.bmp"};
    static int32_t labels[PICTURES] = {0, 0, 1};
    static int64_t trainval[] = {0}, test_seen[] = {1}, test_unseen[] = {2};
    static float att[] = {0, 1, 1, 0};
    unsigned char bytes[FUZZ_BMP_ROOM];
    const char *folder = fuzz_path("set");
    un_dataset d = {.name = "pictures",
                    .image_count = PICTURES,
                    .class_count = 2,
                    .classes = classes,
                    .images = images,
                    .image_root = fuzz_folder(),
                    .labels = labels,
                    .trainval = {1, trainval},
                    .test_seen = {1, test_seen},
                    .test_unseen = {1, test_unseen},
                    .semantics_count = 1,
                    .semantics = {{.name = "att", .width = 2, .values = att}}};
    size_t size = fuzz_make_bmp(bytes, 24, 0, 3);
    for (size_t i = 0; i < PICTURES; i++) (void)fuzz_file(images[i], bytes, size);
    FUZZ_REQUIRE(mkdir(folder, 0700) == 0);
    FUZZ_REQUIRE(un_dataset_write(&d, folder) == UNSEEN_OK);
    un_arena_free(&d.arena);
    return folder;
}

static un_status extract(const char *folder, volatile sig_atomic_t stop) {
    un_dataset dataset;
    FUZZ_REQUIRE(un_dataset_open(&dataset, folder) == UNSEEN_OK);
    const un_extract_options options = {.dataset = &dataset,
                                        .backbone = "builtin:descriptor",
                                        .pooled = 1,
                                        .pooled_name = "f",
                                        .image_size = 32,
                                        .batch = 1,
                                        .pooled_dtype = UN_F32,
                                        .regions_dtype = UN_F32,
                                        .precision = UN_PRECISION_F32,
                                        .stop = &stop};
    un_extract_result result;
    un_status status = un_extract(&options, &result);
    un_dataset_close(&dataset);
    return status;
}

/* Whether the input could be merged. */
static int merge(const uint8_t *data, size_t size) {
    fuzz_unpack(data, size);
    const char *rows = fuzz_path("rows");
    if (un_path_exists(rows))
        FUZZ_REQUIRE(rename(rows, fuzz_path("set/features/f.safetensors.partial")) == 0);
    return fuzz_merge_json(fuzz_path("set/features/f.journal"), fuzz_path("journal"));
}

int fuzz_run_journal(const uint8_t *data, size_t size) {
    un_features features;
    const char *folder = make_set();
    FUZZ_REQUIRE(extract(folder, 1) == UNSEEN_E_INTERRUPTED);
    int merged = merge(data, size);
    if (!fuzz_taken(extract(folder, 0))) return 0;
    FUZZ_REQUIRE(un_features_open(&features, folder, "f") == UNSEEN_OK);
    FUZZ_REQUIRE(features.image_count > 0 && features.image_count <= PICTURES);
    un_features_close(&features);
    return merged;
}

void fuzz_seed_journal(void) {
    fuzz_seed_text("as_it_is", "@@ journal\n{}");
    fuzz_seed_text("further", "@@ journal\n{\"done\": 2}");
    fuzz_seed_text("beyond", "@@ journal\n{\"done\": 99, \"damaged\": [98]}");
    fuzz_seed_text("negative", "@@ journal\n{\"done\": -1}");
    fuzz_seed_text("damaged_pictures",
                   "@@ journal\n{\"done\": 1, \"damaged\": [0], \"unreadable\": []}");
    fuzz_seed_text("types",
                   "@@ journal\n{\"done\": \"1\", \"damaged\": {\"0\": 1}, \"identity\": []}");
    fuzz_seed_text("other", "@@ journal\n{\"identity\": {\"format\": \"unseen-extract\"}}");
    fuzz_seed_text("bad_no_rows", "@@ rows\n\n@@ journal\n{\"done\": 1}");
    fuzz_seed_text("bad_json", "@@ journal\n{\"done\": ");
}
