/*
 * fuzz_folder.c - somebody's own folder of pictures: the table "t.csv" and the folders below
 * "root" of an archive, imported; what was imported opens and checks.
 */
#include "fuzz.h"

#include "data/readers/import.h"
#include "data/readers/pictures.h"

int fuzz_run_folder(const uint8_t *data, size_t size) {
    fuzz_unpack(data, size);
    const un_picture_set_options options = {
        .root = fuzz_path("root"), .attributes = fuzz_path("t.csv"), .output = fuzz_path("out")};
    if (!fuzz_taken(un_import_folder(&options))) return 0;
    fuzz_check_import(options.output);
    return 1;
}

#define TABLE "@@ t.csv\nclass,red,large\nant,0.1,1\nbee,0.9,0\ncat,0.5,1\ndog,0.2,0\n"
#define PICTURES                                                                                   \
    "@@ root/ant/0.png\nx\n@@ root/ant/1.png\nx\n@@ root/bee/0.jpg\nx\n@@ root/bee/1.JPG\nx\n"     \
    "@@ root/cat/0.png\nx\n@@ root/cat/deep/1.webp\nx\n@@ root/dog/0.bmp\nx\n"

void fuzz_seed_folder(void) {
    fuzz_seed_text("plain", TABLE PICTURES);
    fuzz_seed_text("system_files", TABLE PICTURES "@@ root/Thumbs.db\nx\n@@ root/ant/.DS_Store\nx\n"
                                                  "@@ root/ant/desktop.ini\nx\n");
    fuzz_seed_text("no_pictures", TABLE "elk,1,1\n" PICTURES);
    fuzz_seed_text("bad_no_table", PICTURES);
    fuzz_seed_text("bad_no_root", TABLE);
}
