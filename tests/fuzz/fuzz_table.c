/*
 * fuzz_table.c - a table of classes and attributes: read whole, or refused.
 */
#include "fuzz.h"

#include <math.h>

#include "data/readers/table.h"

int fuzz_run_table(const uint8_t *data, size_t size) {
    un_arena arena = {0};
    un_table t;
    int taken = fuzz_taken(un_table_read(fuzz_file("t.csv", data, size), &arena, &t));
    size_t unknown = 0;
    for (size_t c = 0; taken && c < t.rows; c++) {
        FUZZ_REQUIRE(t.names[c][0] != 0);
        fuzz_touch_text(t.names[c]);
        fuzz_touch(t.values + c * t.columns, t.columns * sizeof *t.values);
        for (size_t a = 0; a < t.columns; a++) {
            FUZZ_REQUIRE(!isinf(t.values[c * t.columns + a]));
            unknown += isnan(t.values[c * t.columns + a]) ? 1 : 0;
        }
    }
    FUZZ_REQUIRE(!taken || unknown == t.unknown);
    for (size_t a = 0; taken && a < t.columns; a++) fuzz_touch_text(t.attributes[a]);
    un_arena_free(&arena);
    return taken;
}

void fuzz_seed_table(void) {
    fuzz_seed_text("commas", "class,has fur,legs\ncat,1,4\n\"owl, barn\",0,2\n");
    fuzz_seed_text("tabs", "class\tred\tlarge\nant\t0.25\t0\nelk\t0.5\t1\n");
    fuzz_seed_text("semicolons", "class;red;large\r\nant;0.25;0\r\nelk;0.5;1\r\n");
    fuzz_seed_text("mark", "\xEF\xBB\xBF"
                           "class,gr\xC3\xB6\xC3\x9F"
                           "e\nant,1e-3\nelk,-2.5e2\n");
    fuzz_seed_text("quotes", "class,\"say \"\"hi\"\"\",\"two\nlines\"\n\"a\nb\",1,2\nc,3,4\n");
    fuzz_seed_text("no_end", "class,a,b\nx,1,2\ny,3,4");
    fuzz_seed_text("bad_text", "class,a\nx,tall\n");
    fuzz_seed_text("bad_infinite", "class,a\nx,inf\n");
    fuzz_seed_text("bad_utf16", "\xFF\xFE"
                                "c,a");
    fuzz_seed_text("bad_quote", "class,a\n\"x,1\n");
    fuzz_seed_text("spreadsheet", "class;a;b;;\nx;0,5;78%;;\ny;?;0;;\n;;;;\n");
    fuzz_seed_text("words", "class,a\nx,yes\ny,FALSE\n");
    fuzz_seed_text("bad_header", "x,0.1\ny,0.2\n");
    fuzz_seed_text("bad_empty", "");
}
