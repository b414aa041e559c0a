/*
 * kernels.c - choosing an instruction set and splitting loops over threads; see kernels.h
 * and attribute_attention.h. The loops themselves are in the *_isa.c files.
 */
#include "tensor/kernels.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "tensor/attribute_attention.h"
#include "tensor/kernels_isa.h"

/* Below this many elements a thread costs more than it brings: of a loop with an operation or two
 * an element, and of one with a dozen. */
enum { GRAIN = 16 * 1024, HEAVY_GRAIN = 4096 };

/* Rows of n elements that a thread takes at least. */
static size_t row_grain(size_t n, size_t grain) { return n >= grain ? 1 : grain / (n ? n : 1); }

/* ---- the instruction set ---- */

const un_isa_table *un_isa(void) {
#if defined(UN_HAVE_X86_ISA)
    static _Atomic(const un_isa_table *) known; /* every thread finds the same answer */
    const un_isa_table *fastest = known;
    if (fastest) return fastest;
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        fastest = &un_isa_avx512;
    else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        fastest = &un_isa_avx2;
    else
        fastest = &un_isa_baseline;
    known = fastest;
    return fastest;
#else
    return &un_isa_baseline;
#endif
}

const char *un_kernels_isa(void) { return un_isa()->name; }

/* ---- conversions, sums, rows ---- */

/* One description serves every element-wise loop; a loop uses what it needs. */
typedef struct {
    const float *x;
    const float *y;
    float *out;
    const un_bf16 *in16;
    un_bf16 *out16;
    size_t rows, n, ld;
    float eps;
    float *norms;
    double *norms64;
} job;

static void convert_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    if (j->out16)
        un_isa()->to_bf16(j->x + begin, j->out16 + begin, end - begin);
    else
        un_isa()->to_f32(j->in16 + begin, j->out + begin, end - begin);
}

void un_convert_to_bf16(const float *in, un_bf16 *out, size_t n) {
    job j = {.x = in, .out16 = out};
    un_parallel_for(n, GRAIN, convert_range, &j);
}

void un_convert_to_f32(const un_bf16 *in, float *out, size_t n) {
    job j = {.in16 = in, .out = out};
    un_parallel_for(n, GRAIN, convert_range, &j);
}

void un_narrow(const float *in, un_bf16 *out, size_t n) { un_isa()->to_bf16(in, out, n); }
void un_widen(const un_bf16 *in, float *out, size_t n) { un_isa()->to_f32(in, out, n); }

static double sum_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    return un_isa()->sum(j->x + begin, end - begin);
}

double un_sum(const float *x, size_t n) {
    job j = {.x = x};
    return un_parallel_sum(n, GRAIN, sum_range, &j);
}

static double dot_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    return un_isa()->dot(j->x + begin, j->y + begin, end - begin);
}

double un_dot(const float *x, const float *y, size_t n) {
    job j = {.x = x, .y = y};
    return un_parallel_sum(n, GRAIN, dot_range, &j);
}

double un_sum_squares(const float *x, size_t n) { return un_dot(x, x, n); }

void un_mean_row(const float *x, size_t rows, size_t width, float *out) {
    memcpy(out, x, width * sizeof *out);
    for (size_t r = 1; r < rows; r++)
        for (size_t j = 0; j < width; j++) out[j] += x[r * width + j];
    float share = 1 / (float)rows;
    for (size_t j = 0; j < width && rows > 1; j++) out[j] *= share;
}

void un_axpy(float a, const float *x, float *y, size_t n) { un_isa()->axpy(a, x, y, n); }
void un_scale(float a, float *x, size_t n) { un_isa()->scale(a, x, n); }

static void add_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    un_isa()->axpy(1.0f, j->x + begin, j->out + begin, end - begin);
}

void un_add(const float *x, float *y, size_t n) {
    job j = {.x = x, .out = y};
    un_parallel_for(n, GRAIN, add_range, &j);
}

static void copy_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    memcpy(j->out + begin, j->x + begin, (end - begin) * sizeof *j->out);
}

void un_copy(const float *x, float *y, size_t n) {
    job j = {.x = x, .out = y};
    un_parallel_for(n, GRAIN, copy_range, &j);
}

static void tanh_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    un_isa()->tanh(j->x + begin, j->out + begin, end - begin);
}

void un_tanh(const float *x, float *out, size_t n) {
    job j = {.x = x, .out = out};
    un_parallel_for(n, GRAIN / 8, tanh_range, &j);
}

static void softmax_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    for (size_t i = begin; i < end; i++) un_isa()->softmax(j->out + i * j->ld, j->n);
}

void un_softmax_rows(float *x, size_t rows, size_t n, size_t ld) {
    job j = {.out = x, .n = n, .ld = ld};
    un_parallel_for(rows, row_grain(8 * n, GRAIN), softmax_range, &j);
}

static void normalize_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    for (size_t i = begin; i < end; i++) {
        float *row = j->out + i * j->n;
        float norm = (float)sqrt(un_isa()->dot(row, row, j->n));
        if (j->norms) j->norms[i] = norm;
        un_isa()->scale(1.0f / (norm > j->eps ? norm : j->eps), row, j->n);
    }
}

void un_normalize_rows(float *x, size_t rows, size_t n, float eps, float *norms) {
    job j = {.out = x, .n = n, .eps = eps, .norms = norms};
    un_parallel_for(rows, row_grain(n, GRAIN), normalize_range, &j);
}

static void normalize_backward_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    for (size_t i = begin; i < end; i++) {
        const float *unit = j->x + i * j->n;
        float *row = j->out + i * j->n, norm = j->y[i];
        un_isa()->axpy((float)-un_isa()->dot(row, unit, j->n), unit, row, j->n);
        un_isa()->scale(1.0f / (norm > j->eps ? norm : j->eps), row, j->n);
    }
}

void un_normalize_rows_backward(const float *unit, const float *norms, size_t rows, size_t n,
                                float eps, float *d) {
    job j = {.x = unit, .out = d, .n = n, .eps = eps, .y = norms};
    un_parallel_for(rows, row_grain(n, GRAIN), normalize_backward_range, &j);
}

static void norm_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    for (size_t i = begin; i < end; i++) {
        const float *row = j->x + i * j->n;
        j->norms64[i] = sqrt(un_isa()->dot(row, row, j->n));
    }
}

void un_row_norms(const float *x, size_t rows, size_t n, double *norms) {
    job j = {.x = x, .n = n, .norms64 = norms};
    un_parallel_for(rows, row_grain(n, GRAIN), norm_range, &j);
}

typedef struct {
    const float *x;
    size_t n;
    float eps, *out;
} inverse_job;

static void inverse_range(size_t begin, size_t end, void *context) {
    const inverse_job *j = context;
    for (size_t i = begin; i < end; i++) {
        const float *row = j->x + i * j->n;
        float norm = (float)sqrt(un_isa()->dot(row, row, j->n));
        j->out[i] = 1.0f / (norm > j->eps ? norm : j->eps);
    }
}

void un_inverse_row_norms(const float *x, size_t rows, size_t n, float eps, float *out) {
    inverse_job j = {x, n, eps, out};
    un_parallel_for(rows, row_grain(n, GRAIN), inverse_range, &j);
}

static void column_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    for (size_t i = 0; i < j->rows; i++)
        un_isa()->axpy(1.0f, j->x + i * j->ld + begin, j->out + begin, end - begin);
}

void un_column_sums_add(const float *x, size_t rows, size_t n, size_t ld, float *out) {
    job j = {.x = x, .out = out, .rows = rows, .n = n, .ld = ld};
    size_t grain = row_grain(rows, HEAVY_GRAIN);
    un_parallel_for(n, grain < 64 ? 64 : grain, column_range, &j);
}

int un_best_of_kinds(const float *x, const int32_t *kind, size_t n, size_t best[2]) {
    return un_isa()->best_of_kinds(x, kind, n, best);
}

static void relu_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    if (j->in16)
        un_isa()->relu_backward_bf16(j->in16 + begin, j->out + begin, end - begin);
    else
        un_isa()->relu_backward_f32(j->x + begin, j->out + begin, end - begin);
}

void un_relu_backward(const void *y, un_dtype type, float *dx, size_t n) {
    job j = {.out = dx};
    if (type == UN_BF16)
        j.in16 = y;
    else
        j.x = y;
    un_parallel_for(n, GRAIN, relu_range, &j);
}

/* ---- optimisers ---- */

typedef struct {
    const un_update *u;
    float *p, *m, *v;
    const float *g;
    un_bf16 *shadow;
} update_job;

static double adam_range(size_t begin, size_t end, void *context) {
    const update_job *j = context;
    un_bf16 *shadow = j->shadow ? j->shadow + begin : NULL;
    return un_isa()->adam(j->u, j->p + begin, j->g + begin, j->m + begin, j->v + begin, shadow,
                          end - begin);
}

static double rmsprop_range(size_t begin, size_t end, void *context) {
    const update_job *j = context;
    un_bf16 *shadow = j->shadow ? j->shadow + begin : NULL;
    float *buffer = j->m ? j->m + begin : NULL;
    return un_isa()->rmsprop(j->u, j->p + begin, j->g + begin, j->v + begin, buffer, shadow,
                             end - begin);
}

double un_adam_update(const un_update *u, float *p, const float *g, float *m, float *v,
                      un_bf16 *shadow, size_t n) {
    update_job j = {.u = u, .p = p, .g = g, .m = m, .v = v, .shadow = shadow};
    return un_parallel_sum(n, GRAIN, adam_range, &j);
}

double un_rmsprop_update(const un_update *u, float *p, const float *g, float *v, float *buffer,
                         un_bf16 *shadow, size_t n) {
    update_job j = {.u = u, .p = p, .g = g, .m = buffer, .v = v, .shadow = shadow};
    return un_parallel_sum(n, GRAIN, rmsprop_range, &j);
}

/* ---- transformers ---- */

static const un_transformer_table *table(void) { return un_isa()->transformer; }

static void layer_norm_range(size_t begin, size_t end, void *context) {
    table()->norm_rows(context, begin, end);
}

static void layer_norm_backward_range(size_t begin, size_t end, void *context) {
    table()->norm_rows_backward(context, begin, end);
}

static void layer_norm_columns_range(size_t begin, size_t end, void *context) {
    table()->norm_columns_backward(context, begin, end);
}

void un_layer_norm_forward(const un_layer_norm_args *a) {
    un_layer_norm_args copy = *a;
    un_parallel_for(a->rows, row_grain(a->n, HEAVY_GRAIN), layer_norm_range, &copy);
}

void un_layer_norm_backward(const un_layer_norm_args *a) {
    un_layer_norm_args copy = *a; /* the columns first: dx may overwrite dy */
    un_parallel_for(a->n, 64, layer_norm_columns_range, &copy);
    if (a->dx)
        un_parallel_for(a->rows, row_grain(a->n, HEAVY_GRAIN), layer_norm_backward_range, &copy);
}

typedef struct {
    const unsigned char *x;
    unsigned char *y;
    un_dtype type;
    float *dy;
    un_bf16 *dy16;
} gelu_job;

static void gelu_range(size_t begin, size_t end, void *context) {
    const gelu_job *j = context;
    size_t at = begin * un_dtype_size(j->type);
    table()->gelu(j->x + at, j->type, j->y + at, end - begin);
}

void un_gelu(const void *x, un_dtype type, void *y, size_t n) {
    gelu_job j = {.x = x, .y = y, .type = type};
    un_parallel_for(n, HEAVY_GRAIN, gelu_range, &j);
}

static void gelu_backward_range(size_t begin, size_t end, void *context) {
    const gelu_job *j = context;
    table()->gelu_backward(j->x + begin * un_dtype_size(j->type), j->type, j->dy + begin,
                           j->dy16 ? j->dy16 + begin : NULL, end - begin);
}

void un_gelu_backward(const void *x, un_dtype type, float *dy, un_bf16 *dy16, size_t n) {
    gelu_job j = {.x = x, .type = type, .dy = dy, .dy16 = dy16};
    un_parallel_for(n, HEAVY_GRAIN, gelu_backward_range, &j);
}

typedef struct {
    const un_dropout *dropout;
    float *x;
    const float *residual;
    size_t n;
} dropout_job;

static void dropout_range(size_t begin, size_t end, void *context) {
    const dropout_job *j = context;
    for (size_t r = begin; r < end; r++)
        table()->dropout(j->dropout, un_mask_row(&j->dropout->rows, r), j->x + r * j->n,
                         j->residual ? j->residual + r * j->n : NULL, j->n);
}

void un_dropout_rows(const un_dropout *dropout, float *x, const float *residual, size_t rows,
                     size_t n) {
    if (dropout->probability <= 0) {
        if (residual) un_add(residual, x, rows * n);
        return;
    }
    dropout_job j = {.dropout = dropout, .x = x, .residual = residual, .n = n};
    un_parallel_for(rows, row_grain(4 * n, HEAVY_GRAIN), dropout_range, &j);
}

/* ---- attribute_attention.h ---- */

void un_attribute_attend(const un_attribute_attention *a) { un_isa()->attribute->attend(a); }

void un_attribute_weights(const un_attribute_attention *a, size_t r, float *p, float *p2) {
    un_isa()->attribute->weights(a, r, p, p2);
}

void un_attribute_attend_backward(const un_attribute_attention *a, size_t r, float *dy) {
    un_isa()->attribute->attend_backward(a, r, dy);
}

float un_channel_attend(float *logit, float *value, size_t n) {
    return un_isa()->attribute->attend_channels(logit, value, n);
}
