/*
 * fuzz_table.c - arbitrary bytes as a table of attributes: read whole, or refused with
 * a sentence.
 */
#include "fuzz.h"

#include <math.h>

#include "data/readers/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    un_arena arena = {0};
    un_table t;
    if (un_table_read(write_input(data, size), &arena, &t) != UNSEEN_OK) {
        if (un_error()[0] == 0) abort(); /* a failure must say why */
    } else {
        for (size_t c = 0; c < t.rows; c++) {
            if (t.names[c][0] == 0) abort();
            for (size_t a = 0; a < t.columns; a++)
                if (!isfinite(t.values[c * t.columns + a])) abort();
        }
    }
    un_arena_free(&arena);
    return 0;
}
