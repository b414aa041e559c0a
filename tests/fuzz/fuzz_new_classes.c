/* fuzz_new_classes.c - a file of --classes for a trained model: refused, or its classes score. */
#include "fuzz.h"

#include "engine/classifier.h"

int fuzz_run_new_classes(const uint8_t *data, size_t size) {
    un_classifier classifier;
    FUZZ_REQUIRE(un_classifier_open(&classifier, fuzz_test_data("v0.1/eszsl.model"),
                                    UN_PRECISION_F32) == UNSEEN_OK);
    size_t length = classifier.model.regions * classifier.model.width;
    int taken = fuzz_taken(un_new_classes_read(&classifier, fuzz_file("new.csv", data, size)));
    size_t C = classifier.classes.count;
    float *features = calloc(length, sizeof *features), *scores = calloc(C, sizeof *scores);
    FUZZ_REQUIRE(features && scores);
    for (size_t c = 0; c < C; c++) fuzz_touch_text(classifier.classes.names[c]);
    if (taken && fuzz_taken(un_classifier_score(&classifier, features, 1, 1, scores)))
        fuzz_touch(scores, C * sizeof *scores);
    free(features);
    free(scores);
    un_classifier_close(&classifier);
    return taken;
}

void fuzz_seed_new_classes(void) {
    fuzz_seed_text(
        "table", "class,has_part0_color::shade_0,has_part0_color::shade_1,has_part0_color::shade_2,"
                 "has_part0_color::shade_3,has_part1_color::shade_0,has_part1_color::shade_1\n"
                 "new,0.1,0.2,0.3,0.1,0.5,0.4\n\"other, new\",0.9,0,0,0.1,0,1\n");
    fuzz_seed_text("part", "class;has_part0_color::shade_1\nnew;1\n");
    fuzz_seed_text("stated", "new,has_part0_color::shade_0=0.9,has_part1_color::shade_1=1\n");
    fuzz_seed_text("empty_cell",
                   "class,has_part0_color::shade_0,has_part1_color::shade_1\nnew,,1\n");
    fuzz_seed_text("mark", "\xEF\xBB\xBF"
                           "class,has_part0_color::shade_1\r\nn\xC3\xA9w,0.5\r\n");
    fuzz_seed_text("bad_attribute", "class,has_part9\nnew,1\n");
    fuzz_seed_text("bad_value", "new,has_part0_color::shade_0=much\n");
    fuzz_seed_text("bad_empty", "");
}
