/*
 * fuzz_mat.c - arbitrary bytes as a MAT file: every call ends with UNSEEN_OK or a
 * sentence, whatever happens to libmatio in its own process.
 */
#include "fuzz.h"

#include "data/readers/mat.h"

/* Arrays beyond this are left alone: time is better spent on other inputs. */
static const size_t READ_LIMIT = (size_t)1 << 24;

static volatile double g_sink; /* keeps the reads */

static void read_numbers(un_mat *mat, const un_mat_variable *v) {
    double *values = NULL;
    const float *columns = NULL;
    size_t count = 0;
    if (v->rank != 2 || __builtin_mul_overflow(v->dims[0], v->dims[1], &count)) return;
    if (count > READ_LIMIT) return;

    if (un_mat_read_double(mat, v->name, &values) == UNSEEN_OK) {
        for (size_t i = 0; i < count; i++) g_sink += values[i];
        free(values);
    }
    if (v->dims[1] > 0 &&
        un_mat_read_columns(mat, v->name, v->dims[1] - 1, 1, &columns) == UNSEEN_OK)
        for (size_t i = 0; i < v->dims[0]; i++) g_sink += (double)columns[i];
}

static void read_text(un_mat *mat, const un_mat_variable *v) {
    un_arena arena = {0};
    char **strings = NULL;
    size_t count = 0;

    if (un_mat_read_strings(mat, v->name, &arena, &strings, &count) == UNSEEN_OK)
        for (size_t i = 0; i < count; i++) g_sink += (double)strlen(strings[i]);
    un_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    un_mat *mat = NULL;
    if (un_mat_open(&mat, write_input(data, size)) != UNSEEN_OK) {
        if (un_error()[0] == 0) abort(); /* a failure must say why */
        return 0;
    }
    size_t count = 0;
    const un_mat_variable *variables = un_mat_variables(mat, &count);
    for (size_t i = 0; i < count; i++) {
        if (variables[i].kind == UN_MAT_NUMERIC)
            read_numbers(mat, &variables[i]);
        else
            read_text(mat, &variables[i]);
    }
    un_mat_close(mat);
    return 0;
}
