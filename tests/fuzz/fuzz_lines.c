/*
 * fuzz_lines.c - the text files of the field, line by line: every field that is taken is what it
 * should be. The input is read as lines of numbers and as lines of names.
 */
#include "fuzz.h"

#include <math.h>

#include "data/readers/text.h"

enum { LARGEST = 1000 };

/* A whole number, a number and the rest of each line. */
static int read_records(const char *path) {
    un_lines lines;
    char *line = NULL, *text = NULL;
    int taken = 1;
    if (!fuzz_taken(un_lines_open(&lines, path))) return 0;
    while (taken && un_lines_next(&lines, &line)) {
        size_t whole = 0;
        double number = 0;
        taken = fuzz_taken(un_lines_whole(&lines, &line, 1, LARGEST, &whole)) &&
                fuzz_taken(un_lines_number(&lines, &line, &number)) &&
                fuzz_taken(un_lines_text(&lines, line, &text));
        FUZZ_REQUIRE(!taken || (whole >= 1 && whole <= LARGEST && isfinite(number) && text[0]));
        if (taken) fuzz_touch_text(text);
    }
    un_lines_close(&lines);
    return taken;
}

int fuzz_run_lines(const uint8_t *data, size_t size) {
    un_arena arena = {0};
    char **names = NULL;
    size_t count = 0;
    const char *path = fuzz_file("lines.txt", data, size);
    int taken = fuzz_taken(un_lines_read_names(path, &arena, &names, &count));
    for (size_t i = 0; taken && i < count; i++) {
        FUZZ_REQUIRE(names[i][0] != 0);
        fuzz_touch_text(names[i]);
    }
    un_arena_free(&arena);
    (void)read_records(path);
    return taken;
}

void fuzz_seed_lines(void) {
    fuzz_seed_text("records", "1 0.5 001.Black_footed_Albatross\n2\t1e-3\tx y z\n");
    fuzz_seed_text("names", "ant\n  bee \n\ncat\r\n");
    fuzz_seed_text("mark", "\xEF\xBB\xBF"
                           "1 2 gr\xC3\xB6\xC3\x9F"
                           "e");
    fuzz_seed_text("numbers", "1000 -1.5e300 a\n999 0x1p3 b\n");
    fuzz_seed_text("bad_utf8", "1 1 \xFF\n");
    fuzz_seed("bad_nul", "1 1 a\0b\n", 8);
}
