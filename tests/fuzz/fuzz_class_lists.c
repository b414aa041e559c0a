/*
 * fuzz_class_lists.c - a list of the classes of a validation fold, as the published packages have
 * them ("valclasses1.txt") and as people name them. The first byte chooses the name.
 */
#include "fuzz.h"

#include "data/readers/import_parts.h"

int fuzz_run_class_lists(const uint8_t *data, size_t size) {
    un_dataset d;
    if (size == 0) return 0;
    const char *path = fuzz_file(data[0] % 2 ? "valclasses1.txt" : "mine.txt", data + 1, size - 1);
    FUZZ_REQUIRE(un_dataset_open(&d, fuzz_test_data("v0.1/maps")) == UNSEEN_OK);
    d.fold_count = 0;
    int taken = fuzz_taken(un_import_validation(&d, NULL, NULL, NULL, &path, 1));
    for (size_t k = 0; taken && k < d.fold_count; k++) {
        fuzz_touch_text(d.folds[k].source);
        for (size_t i = 0; i < d.folds[k].class_count; i++) fuzz_touch_text(d.folds[k].classes[i]);
        for (size_t i = 0; i < d.folds[k].train.count; i++)
            FUZZ_REQUIRE((size_t)d.folds[k].train.items[i] < d.image_count);
    }
    un_dataset_close(&d);
    return taken;
}

void fuzz_seed_class_lists(void) {
    fuzz_seed_text("mine", "0kind_001\nkind_003\n");
    fuzz_seed_text("published", "1kind_001\r\nkind_003\r\nkind_999\r\n");
    fuzz_seed_text("blanks", "0  kind_001 \n\n\tkind_005\n\n");
    fuzz_seed_text("bad_unknown", "0kind_001\nkind_01\n");
    fuzz_seed_text("bad_empty", "0");
}
