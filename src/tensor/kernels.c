/* kernels.c - choosing an instruction set and splitting loops over threads; see kernels.h. */
#include "tensor/kernels.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "tensor/kernels_isa.h"

/* Below this many elements a thread costs more than it brings. */
enum { GRAIN = 16 * 1024 };

const un_isa_table *un_isa(void) {
#if defined(UN_HAVE_X86_ISA)
    static _Atomic(const un_isa_table *) known; /* every thread finds the same answer */
    const un_isa_table *chosen = known;
    if (chosen) return chosen;
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        chosen = &un_isa_avx512;
    else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        chosen = &un_isa_avx2;
    else
        chosen = &un_isa_baseline;
    known = chosen;
    return chosen;
#else
    return &un_isa_baseline;
#endif
}

const char *un_kernels_isa(void) { return un_isa()->name; }

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

static void tanh_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    un_isa()->tanh(j->x + begin, j->out + begin, end - begin);
}

void un_tanh(const float *x, float *out, size_t n) {
    job j = {.x = x, .out = out};
    un_parallel_for(n, GRAIN / 8, tanh_range, &j);
}

/* Rows a thread takes at least, so that it has GRAIN elements. */
static size_t row_grain(size_t n) { return n >= GRAIN ? 1 : GRAIN / (n ? n : 1); }

static void softmax_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    for (size_t i = begin; i < end; i++) un_isa()->softmax(j->out + i * j->ld, j->n);
}

void un_softmax_rows(float *x, size_t rows, size_t n, size_t ld) {
    job j = {.out = x, .n = n, .ld = ld};
    un_parallel_for(rows, row_grain(8 * n), softmax_range, &j);
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
    un_parallel_for(rows, row_grain(n), normalize_range, &j);
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
    un_parallel_for(rows, row_grain(n), norm_range, &j);
}

static void column_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    memset(j->out + begin, 0, (end - begin) * sizeof *j->out);
    for (size_t i = 0; i < j->rows; i++)
        un_isa()->axpy(1.0f, j->x + i * j->n + begin, j->out + begin, end - begin);
}

void un_column_sums(const float *x, size_t rows, size_t n, float *out) {
    job j = {.x = x, .out = out, .rows = rows, .n = n};
    un_parallel_for(n, row_grain(rows) < 64 ? 64 : row_grain(rows), column_range, &j);
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

void un_attend(const un_attention *a, const float *inverse_norm, float *y) {
    un_isa()->attend(a, inverse_norm, y);
}

void un_attend_backward(const un_attention *a, const float *inverse_norm, const float *y, float *dy,
                        un_bf16 *dy16) {
    un_isa()->attend_backward(a, inverse_norm, y, dy, dy16);
}

/* Sum of squares of one row; bf16 is widened piece by piece. */
static double row_squares(const void *x, un_dtype type, size_t n) {
    if (type == UN_F32) return un_isa()->dot(x, x, n);
    const un_bf16 *row = x;
    float piece[1024];
    double total = 0;
    for (size_t at = 0; at < n; at += 1024) {
        size_t width = n - at < 1024 ? n - at : 1024;
        un_isa()->to_f32(row + at, piece, width);
        total += un_isa()->dot(piece, piece, width);
    }
    return total;
}

typedef struct {
    const unsigned char *x;
    un_dtype type;
    size_t n;
    float eps, *out;
} inverse_job;

static void inverse_range(size_t begin, size_t end, void *context) {
    const inverse_job *j = context;
    for (size_t i = begin; i < end; i++) {
        const unsigned char *row = j->x + i * j->n * un_dtype_size(j->type);
        float norm = (float)sqrt(row_squares(row, j->type, j->n));
        j->out[i] = 1.0f / (norm > j->eps ? norm : j->eps);
    }
}

void un_inverse_row_norms(const void *x, un_dtype type, size_t rows, size_t n, float eps,
                          float *out) {
    inverse_job j = {x, type, n, eps, out};
    un_parallel_for(rows, row_grain(n), inverse_range, &j);
}
