/*
 * fuzz_array.c - arbitrary bytes as a .npy, .npz or safetensors file: opened, or
 * refused with a sentence; every element can be read.
 */
#include "fuzz.h"

#include "data/readers/array_file.h"

/* Elements read at most: time is better spent on other inputs. */
enum { READ_LIMIT = 1 << 16 };

static volatile double g_sink; /* keeps the reads */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    un_array a;
    if (un_array_open(&a, write_input(data, size), "/tmp") != UNSEEN_OK) {
        if (un_error()[0] == 0) abort(); /* a failure must say why */
        return 0;
    }
    if (a.width > 0 && a.width <= READ_LIMIT && a.rows > 0) {
        double *row = malloc(a.width * sizeof *row);
        float *last = malloc(a.width * sizeof *last);
        if (!row || !last) abort();
        un_array_read_f64(&a, 0, 1, row);
        un_array_read_f32(&a, a.rows - 1, 1, last);
        for (size_t i = 0; i < a.width; i++) g_sink += row[i] + (double)last[i];
        free(row);
        free(last);
    }
    un_array_close(&a);
    return 0;
}
