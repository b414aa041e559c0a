/* fuzz_cub.c - CUB's text files, an archive of the data set's folder, imported. */
#include "fuzz.h"

#include "data/readers/import.h"
#include "data/readers/pictures.h"

int fuzz_run_cub(const uint8_t *data, size_t size) {
    fuzz_unpack(data, size);
    const un_picture_set_options options = {.root = fuzz_path("root"), .output = fuzz_path("out")};
    if (!fuzz_taken(un_import_cub(&options))) return 0;
    fuzz_check_import(options.output);
    return 1;
}

#define LISTS                                                                                      \
    "@@ root/classes.txt\n1 001.Ant\n2 002.Bee\n3 003.Cat\n4 004.Dog\n"                            \
    "@@ root/images.txt\n1 001.Ant/a.png\n2 001.Ant/b.png\n3 002.Bee/a.png\n4 002.Bee/b.png\n"     \
    "5 003.Cat/a.png\n6 004.Dog/a.png\n7 004.Dog/absent.png\n8 003.Cat/b.png\n9 004.Dog/b.png\n"   \
    "@@ root/image_class_labels.txt\n1 1\n2 1\n3 2\n4 2\n5 3\n6 4\n7 4\n8 3\n9 4\n"                \
    "@@ root/attributes/attributes.txt\n1 has_wing_color::red\n2 has_size::small\n"                \
    "@@ root/attributes/class_attribute_labels_continuous.txt\n10.5 90\n80 0.5\n50 50\n20 3e1\n"
/* The heads of PNG files of 16 x 8 pixels are enough: sizes are asked for, pixels are not. */
#define PICTURE(name) "@@ root/images/" name "\n\x89PNG\n"
#define PICTURES                                                                                   \
    PICTURE("001.Ant/a.png")                                                                       \
    PICTURE("001.Ant/b.png")                                                                       \
    PICTURE("002.Bee/a.png")                                                                       \
    PICTURE("002.Bee/b.png")                                                                       \
    PICTURE("003.Cat/a.png")                                                                       \
    PICTURE("003.Cat/b.png")                                                                       \
    PICTURE("004.Dog/a.png")                                                                       \
    PICTURE("004.Dog/b.png")
#define PARTS                                                                                      \
    "@@ root/parts/parts.txt\n1 beak\n2 left wing\n"                                               \
    "@@ root/parts/part_locs.txt\n1 1 3 4 1\n1 2 0 0 0\n2 1 5 5 1\n2 2 6 6 1\n3 1 1 1 1\n"         \
    "3 2 0 0 0\n4 1 1 1 1\n4 2 0 0 0\n5 1 1 1 1\n5 2 0 0 0\n6 1 1 1 1\n6 2 0 0 0\n7 1 1 1 1\n"     \
    "7 2 0 0 0\n8 1 1 1 1\n8 2 0 0 0\n9 1 1 1 1\n9 2 0 0 0\n"                                      \
    "@@ root/bounding_boxes.txt\n1 1 1 10 5\n2 1 1 10 5\n3 1 1 10 5\n4 1 1 10 5\n5 1 1 10 5\n"     \
    "6 1 1 10 5\n7 1 1 10 5\n8 1 1 10 5\n9 1 1 10 5\n"                                             \
    "@@ root/original_sizes.txt\n1 16 8\n2 16 8\n3 16 8\n4 16 8\n5 16 8\n6 16 8\n7 16 8\n8 16 "    \
    "8\n9 16 8\n"

void fuzz_seed_cub(void) {
    fuzz_seed_text("lists", LISTS PICTURES);
    fuzz_seed_text("found_parts", LISTS PARTS PICTURES);
    fuzz_seed_text("bad_no_pictures", LISTS);
    fuzz_seed_text("bad_values", PICTURES "@@ root/classes.txt\n1 a\n2 b\n");
}
