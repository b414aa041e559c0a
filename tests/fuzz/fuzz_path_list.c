/* fuzz_path_list.c - a list of pictures and folders, one a line, as `predict -` reads it. */
#include "fuzz.h"

#include <unistd.h>

#include "engine/loader.h"

int fuzz_run_path_list(const uint8_t *data, size_t size) {
    un_path_list list = {0};
    char before[1024];
    char *text = fuzz_text(data, size);
    /* Only names in the folder of the input, where a picture and a folder of one lie. */
    for (size_t i = 0; i < size; i++)
        if (text[i] == '/' || text[i] == '.') text[i] = '_';
    fuzz_unpack((const uint8_t *)"@@ a_png\nx\n@@ folder/b.png\nx", 29);
    const char *path = fuzz_file("list", (const uint8_t *)text, size);
    FUZZ_REQUIRE(getcwd(before, sizeof before) && chdir(fuzz_folder()) == 0);
    FILE *stream = fopen(path, "re");
    FUZZ_REQUIRE(stream);
    int taken = fuzz_taken(un_path_list_read(&list, stream));
    for (size_t i = 0; taken && i < list.count; i++) fuzz_touch_text(list.paths[i]);
    un_path_list_free(&list);
    fclose(stream);
    free(text);
    FUZZ_REQUIRE(chdir(before) == 0);
    return taken;
}

void fuzz_seed_path_list(void) {
    fuzz_seed_text("file", "a_png\n");
    fuzz_seed_text("folder", "folder\r\n\na_png");
    fuzz_seed_text("names", "a_png\ngr\xC3\xB6\xC3\x9F"
                            "e\n a_png \n");
    fuzz_seed_text("mark", "\xEF\xBB\xBF"
                           "a_png\n");
}
