/* kernels_transformer.c - splitting a transformer's loops over threads; see
 * kernels_transformer.h. */
#include "tensor/kernels.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/parallel.h"
#include "tensor/kernels_isa.h"

enum { GRAIN = 4096 }; /* elements below which a thread costs more than it brings */

static const un_transformer_table *table(void) { return un_isa()->transformer; }

static size_t row_grain(size_t n) { return n >= GRAIN ? 1 : GRAIN / (n ? n : 1); }

static void norm_range(size_t begin, size_t end, void *context) {
    table()->norm_rows(context, begin, end);
}

static void norm_backward_range(size_t begin, size_t end, void *context) {
    table()->norm_rows_backward(context, begin, end);
}

static void norm_columns_range(size_t begin, size_t end, void *context) {
    table()->norm_columns_backward(context, begin, end);
}

void un_layer_norm_forward(const un_layer_norm_args *a) {
    un_layer_norm_args copy = *a;
    un_parallel_for(a->rows, row_grain(a->n), norm_range, &copy);
}

void un_layer_norm_backward(const un_layer_norm_args *a) {
    un_layer_norm_args copy = *a; /* the columns first: dx may overwrite dy */
    un_parallel_for(a->n, 64, norm_columns_range, &copy);
    if (a->dx) un_parallel_for(a->rows, row_grain(a->n), norm_backward_range, &copy);
}

typedef struct {
    const unsigned char *x;
    unsigned char *y;
    un_dtype type;
    const float *in;
    float *out;
    un_bf16 *out16;
    const float *residual;
    const un_dropout *dropout;
    size_t rows, n, ld;
} job;

static void gelu_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    size_t at = begin * un_dtype_size(j->type);
    table()->gelu(j->x + at, j->type, j->y + at, end - begin);
}

void un_gelu(const void *x, un_dtype type, void *y, size_t n) {
    job j = {.x = x, .y = y, .type = type};
    un_parallel_for(n, GRAIN, gelu_range, &j);
}

static void gelu_backward_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    table()->gelu_backward(j->x + begin * un_dtype_size(j->type), j->type, j->out + begin,
                           j->out16 ? j->out16 + begin : NULL, end - begin);
}

void un_gelu_backward(const void *x, un_dtype type, float *dy, un_bf16 *dy16, size_t n) {
    job j = {.x = x, .type = type, .out = dy, .out16 = dy16};
    un_parallel_for(n, GRAIN, gelu_backward_range, &j);
}

static void add_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    un_isa()->axpy(1.0f, j->in + begin, j->out + begin, end - begin);
}

void un_add(const float *x, float *y, size_t n) {
    job j = {.in = x, .out = y};
    un_parallel_for(n, 4 * GRAIN, add_range, &j);
}

static void copy_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    memcpy(j->out + begin, j->in + begin, (end - begin) * sizeof *j->out);
}

void un_copy(const float *x, float *y, size_t n) {
    job j = {.in = x, .out = y};
    un_parallel_for(n, 4 * GRAIN, copy_range, &j);
}

static void column_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    for (size_t i = 0; i < j->rows; i++)
        un_isa()->axpy(1.0f, j->in + i * j->ld + begin, j->out + begin, end - begin);
}

void un_column_sums_add(const float *x, size_t rows, size_t n, size_t ld, float *out) {
    job j = {.in = x, .out = out, .rows = rows, .n = n, .ld = ld};
    un_parallel_for(n, row_grain(rows) < 64 ? 64 : row_grain(rows), column_range, &j);
}

static void dropout_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    for (size_t r = begin; r < end; r++)
        table()->dropout(j->dropout, r, j->out + r * j->n,
                         j->residual ? j->residual + r * j->n : NULL, j->n);
}

void un_dropout_rows(const un_dropout *dropout, float *x, const float *residual, size_t rows,
                     size_t n) {
    if (dropout->probability <= 0) {
        if (residual) un_add(residual, x, rows * n);
        return;
    }
    job j = {.dropout = dropout, .out = x, .residual = residual, .n = n};
    un_parallel_for(rows, row_grain(4 * n), dropout_range, &j);
}

/* The gradient of a bias is summed over the sequences of each part, then over parts: the same
 * order whatever the number of threads. */
enum { BIAS_PARTS = 16 };

typedef struct {
    const un_attend_args *args;
    float *scratch;
    size_t slots, scratch_size; /* floats of one slot */
    void (*head)(const un_attend_args *a, size_t sequence, size_t head, float *scratch);
    size_t parts, bias_size;
    float *dbias; /* (parts, bias_size) */
} attend_job;

static void attend_slot(size_t begin, size_t end, un_slot slot, void *context) {
    const attend_job *j = context;
    size_t heads = j->args->heads;
    for (size_t i = begin; i < end; i++)
        j->head(j->args, i / heads, i % heads, j->scratch + slot.index * j->scratch_size);
}

static void attend_part_slot(size_t begin, size_t end, un_slot slot, void *context) {
    const attend_job *j = context;
    for (size_t i = begin; i < end; i++) {
        size_t part = i / j->args->heads, n = j->args->sequences;
        un_attend_args a = *j->args;
        a.dbias = j->dbias + part * j->bias_size;
        for (size_t s = part * n / j->parts; s < (part + 1) * n / j->parts; s++)
            j->head(&a, s, i % a.heads, j->scratch + slot.index * j->scratch_size);
    }
}

static un_status attend_in_parts(attend_job *j, size_t keys) {
    const un_attend_args *a = j->args;
    if (a->sequences == 0) return UNSEEN_OK;
    j->parts = a->sequences < BIAS_PARTS ? a->sequences : BIAS_PARTS;
    j->bias_size = a->heads * keys * (a->q_start[1] - a->q_start[0]);
    UN_TRY(un_alloc(j->parts, j->bias_size * sizeof(float), &j->dbias));
    un_parallel_slots(j->parts * a->heads, j->slots, attend_part_slot, j);
    for (size_t p = 0; p < j->parts; p++)
        un_add(j->dbias + p * j->bias_size, a->dbias, j->bias_size);
    free(j->dbias);
    return UNSEEN_OK;
}

/* A bias belongs to sequences that are all as long as the first. */
static un_status check_lengths(const un_attend_args *a) {
    for (size_t s = 1; s < a->sequences; s++)
        if (a->q_start[s + 1] - a->q_start[s] != a->q_start[1] - a->q_start[0] ||
            a->k_start[s + 1] - a->k_start[s] != a->k_start[1] - a->k_start[0])
            return un_fail(UNSEEN_E_ARGUMENT, "attention: a bias, but sequences differ in length");
    return UNSEEN_OK;
}

static un_status attend(const un_attend_args *a, int backward) {
    attend_job j = {.args = a,
                    .head = backward ? table()->attend_head_backward : table()->attend_head};
    size_t longest = 0;
    if (a->bias || a->dbias) UN_TRY(check_lengths(a));
    for (size_t s = 0; s < a->sequences; s++) {
        size_t keys = a->k_start[s + 1] - a->k_start[s];
        if (keys == 0 && a->q_start[s + 1] > a->q_start[s])
            return un_fail(UNSEEN_E_ARGUMENT, "attention: sequence %zu has no keys", s);
        if (keys > longest) longest = keys;
    }
    j.scratch_size = attend_scratch_size(longest, a->size, backward);
    j.slots = un_slot_count(a->sequences * a->heads, 1);
    UN_TRY(un_alloc(j.slots, j.scratch_size * sizeof(float), &j.scratch));
    un_status status = UNSEEN_OK;
    if (backward && a->dbias)
        status = attend_in_parts(&j, longest);
    else
        un_parallel_slots(a->sequences * a->heads, j.slots, attend_slot, &j);
    free(j.scratch);
    return status;
}

un_status un_attend_forward(const un_attend_args *a) { return attend(a, 0); }
un_status un_attend_backward_heads(const un_attend_args *a) { return attend(a, 1); }
