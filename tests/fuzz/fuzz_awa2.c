/* fuzz_awa2.c - AWA2's text files, an archive of the data set's folder, imported. */
#include "fuzz.h"

#include "data/readers/import.h"
#include "data/readers/pictures.h"

int fuzz_run_awa2(const uint8_t *data, size_t size) {
    fuzz_unpack(data, size);
    const un_picture_set_options options = {.root = fuzz_path("root"), .output = fuzz_path("out")};
    if (!fuzz_taken(un_import_awa2(&options))) return 0;
    fuzz_check_import(options.output);
    return 1;
}

#define LISTS                                                                                      \
    "@@ root/classes.txt\n     1\tant\n     2\tbee\n     3\tcat+dog\n     4\tdog\n"                \
    "@@ root/predicates.txt\n     1\tblack\n     2\tsmall\n"                                       \
    "@@ root/predicate-matrix-continuous.txt\n  -1.00  12.34\n  50.5   0.00\n  10 20\n  30 40\n"
#define PICTURES                                                                                   \
    "@@ root/JPEGImages/ant/ant_1.jpg\nx\n@@ root/JPEGImages/ant/ant_2.jpg\nx\n"                   \
    "@@ root/JPEGImages/bee/bee_1.jpg\nx\n@@ root/JPEGImages/bee/bee_2.jpg\nx\n"                   \
    "@@ root/JPEGImages/cat+dog/cat_1.jpg\nx\n@@ root/JPEGImages/dog/dog_1.jpg\nx\n"

void fuzz_seed_awa2(void) {
    fuzz_seed_text("found_lists", LISTS PICTURES);
    fuzz_seed_text("test_classes", LISTS PICTURES "@@ root/testclasses.txt\ndog\n");
    fuzz_seed_text("bad_no_pictures", LISTS);
    fuzz_seed_text("bad_short", PICTURES "@@ root/classes.txt\n1\tant\n2\tbee\n");
}
