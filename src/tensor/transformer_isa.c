/*
 * transformer_isa.c - the inner loops of the transformer part of kernels.h.
 *
 * Compiled once for each instruction set, as kernels_isa.c is. Attention takes one
 * head of one sequence at a time, block by block of query rows, so that scores
 * live in the cache only: forward keeps the logarithm of each row's sum, backward
 * computes the probabilities again from it. Its small matrix products are done
 * here and not by the GEMM library because they are part of that block.
 */
#include <math.h>

#include "base/rng.h"
#include "tensor/isa_math.h"
#include "tensor/isa_matrix.h"
#include "tensor/kernels_isa.h"

#ifndef UN_TRANSFORMER_TABLE
#define UN_TRANSFORMER_TABLE un_transformer_baseline
#endif

enum { PIECE = 512 };

/* ---- layer normalisation ---- */

static double sum_lanes(const float *x, size_t n) {
    lanes partial = {0}, piece;
    float lane[LANES];
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        memcpy(&piece, x + i, sizeof piece);
        partial += piece;
    }
    memcpy(lane, &partial, sizeof lane);
    for (; i < n; i++) lane[i % LANES] += x[i];
    return add_lanes(lane);
}

static double sum_squares_about(const float *x, float mean, size_t n) {
    lanes partial = {0}, piece;
    float lane[LANES];
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        memcpy(&piece, x + i, sizeof piece);
        piece -= mean;
        partial += piece * piece;
    }
    memcpy(lane, &partial, sizeof lane);
    for (; i < n; i++) lane[i % LANES] += (x[i] - mean) * (x[i] - mean);
    return add_lanes(lane);
}

static void norm_rows(const un_layer_norm_args *a, size_t begin, size_t end) {
    size_t n = a->n;
    for (size_t r = begin; r < end; r++) {
        const float *x = a->x + r * n;
        float mean = (float)(sum_lanes(x, n) / (double)n);
        double variance = sum_squares_about(x, mean, n) / (double)n;
        float inverse = (float)(1.0 / sqrt(variance + (double)a->eps));
        if (a->mean) a->mean[r] = mean;
        if (a->inverse) a->inverse[r] = inverse;
        float piece[PIECE];
        for (size_t at = 0; at < n; at += PIECE) {
            size_t width = n - at < PIECE ? n - at : PIECE;
            const float *in = x + at, *gamma = a->gamma + at, *beta = a->beta + at;
            /* cppcheck-suppress legacyUninitvar; it is written first */
            float *out = a->y ? a->y + r * n + at : piece;
            for (size_t i = 0; i < width; i++)
                out[i] = (in[i] - mean) * inverse * gamma[i] + beta[i];
            for (size_t i = 0; a->y16 && i < width; i++)
                a->y16[r * n + at + i] = round_bf16(out[i]);
        }
    }
}

/* dx = inverse (g - mean(g) - xhat mean(g xhat)) with g = gamma dy. */
static void norm_rows_backward(const un_layer_norm_args *a, size_t begin, size_t end) {
    size_t n = a->n;
    const float *gamma = a->gamma;
    for (size_t r = begin; r < end; r++) {
        const float *x = a->x + r * n, *dy = a->dy + r * n;
        float *dx = a->dx + r * n, mean = a->mean[r], inverse = a->inverse[r];
        lanes partial = {0}, partial_x = {0}, scaled, about, piece;
        float lane[LANES], lane_x[LANES];
        size_t i = 0;
        for (; i + LANES <= n; i += LANES) {
            memcpy(&scaled, gamma + i, sizeof scaled);
            memcpy(&piece, dy + i, sizeof piece);
            memcpy(&about, x + i, sizeof about);
            scaled *= piece;
            about -= mean;
            partial += scaled;
            partial_x += scaled * about;
        }
        memcpy(lane, &partial, sizeof lane);
        memcpy(lane_x, &partial_x, sizeof lane_x);
        for (; i < n; i++) {
            lane[i % LANES] += gamma[i] * dy[i];
            lane_x[i % LANES] += gamma[i] * dy[i] * (x[i] - mean);
        }
        float shift = (float)(add_lanes(lane) / (double)n);
        float slope = (float)(add_lanes(lane_x) / (double)n) * inverse * inverse;
        if (a->add)
            for (i = 0; i < n; i++)
                dx[i] += inverse * (gamma[i] * dy[i] - shift - slope * (x[i] - mean));
        else
            for (i = 0; i < n; i++)
                dx[i] = inverse * (gamma[i] * dy[i] - shift - slope * (x[i] - mean));
    }
}

static void norm_columns_backward(const un_layer_norm_args *a, size_t begin, size_t end) {
    float *restrict dgamma = a->dgamma, *restrict dbeta = a->dbeta;
    for (size_t r = 0; r < a->rows; r++) {
        const float *restrict x = a->x + r * a->n, *restrict dy = a->dy + r * a->n;
        float mean = a->mean[r], inverse = a->inverse[r];
        for (size_t i = begin; i < end; i++) {
            dgamma[i] += dy[i] * ((x[i] - mean) * inverse);
            dbeta[i] += dy[i];
        }
    }
}

/* ---- GELU ---- */

static void gelu(const void *x, un_dtype type, void *y, size_t n) {
    if (type == UN_BF16) {
        const un_bf16 *in = x;
        un_bf16 *out = y;
        for (size_t i = 0; i < n; i++) out[i] = round_bf16(gelu_one(widen(in[i])));
    } else {
        const float *in = x;
        float *out = y;
        for (size_t i = 0; i < n; i++) out[i] = gelu_one(in[i]);
    }
}

static void gelu_backward(const void *x, un_dtype type, float *dy, un_bf16 *dy16, size_t n) {
    const un_bf16 *in16 = x;
    const float *in = x;
    for (size_t at = 0; at < n; at += PIECE) {
        size_t end = at + PIECE < n ? at + PIECE : n;
        if (type == UN_BF16)
            for (size_t i = at; i < end; i++) dy[i] *= gelu_slope(widen(in16[i]));
        else
            for (size_t i = at; i < end; i++) dy[i] *= gelu_slope(in[i]);
        for (size_t i = at; dy16 && i < end; i++) dy16[i] = round_bf16(dy[i]);
    }
}

/* ---- dropout ---- */

/* Eight blocks of Philox give the 64 masks of a piece of a row, 16 bits each: element
 * 8 h + j has half h (0: the lower half of word 0) of block j. */
enum { BLOCKS = 8, HALVES = 8, MASK_PIECE = BLOCKS * HALVES };
/* Each row owns 2^20 blocks of its stream. */
enum { ROW_SHIFT = 20 };

typedef uint64_t words __attribute__((vector_size(BLOCKS * sizeof(uint64_t))));

/* Philox4x32-10 as in base/rng.c for counters block .. block+7; a 32-bit word a lane. */
static inline void philox(const un_dropout *d, uint64_t block, words out[4]) {
    const words low = (words){0} + 0xFFFFFFFFu;
    words counter = {0, 1, 2, 3, 4, 5, 6, 7};
    counter += block;
    words c0 = counter & low, c1 = counter >> 32;
    words c2 = (words){0} + (d->stream & 0xFFFFFFFFu), c3 = (words){0} + (d->stream >> 32);
    uint32_t k0 = (uint32_t)d->seed, k1 = (uint32_t)(d->seed >> 32);
    for (int round = 0; round < 10; round++) {
        words p0 = c0 * 0xD2511F53u, p1 = c2 * 0xCD9E8D57u;
        c0 = (p1 >> 32) ^ c1 ^ k0;
        c1 = p1 & low;
        c2 = (p0 >> 32) ^ c3 ^ k1;
        c3 = p0 & low;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* Factors 0 or 1/(1-p) of elements first .. first+63 of a row; `first` divides by 64. */
static void mask_piece(const un_dropout *d, uint64_t row, size_t first, float *out) {
    words word[4];
    uint32_t threshold = (uint32_t)(d->probability * 65536.0f + 0.5f);
    float keep = 65536.0f / (65536.0f - (float)threshold);
    philox(d, (row << ROW_SHIFT) + first / HALVES, word);
    for (int h = 0; h < HALVES; h++) {
        uint64_t lane[BLOCKS];
        memcpy(lane, &word[h / 2], sizeof lane);
        for (int j = 0; j < BLOCKS; j++) {
            uint32_t half = (uint32_t)(lane[j] >> (16 * (h % 2))) & 0xFFFFu;
            out[h * BLOCKS + j] = half >= threshold ? keep : 0.0f;
        }
    }
}

static void dropout(const un_dropout *d, uint64_t row, float *x, const float *residual, size_t n) {
    float mask[MASK_PIECE];
    for (size_t at = 0; at < n; at += MASK_PIECE) {
        size_t end = at + MASK_PIECE < n ? at + MASK_PIECE : n;
        mask_piece(d, row, at, mask);
        if (residual)
            for (size_t i = at; i < end; i++) x[i] = residual[i] + x[i] * mask[i - at];
        else
            for (size_t i = at; i < end; i++) x[i] *= mask[i - at];
    }
}

/* ---- attention ---- */

/* Asks for the columns behind a head's, those of the next one: rows are far apart, and nobody else
 * foresees them. */
static inline void expect_next(const void *row, size_t bytes) {
    enum { LINE = 64 };
    for (size_t at = 0; at < bytes; at += LINE)
        __builtin_prefetch((const void *)((uintptr_t)row + bytes + at)); /* may lie beyond x */
}

/* `rows` rows of a head's columns as f32, padded with zeros to p->wide. */
static void gather(const attend_place *p, const void *x, un_dtype type, size_t first, size_t ld,
                   size_t rows, float *out) {
    size_t bytes = p->size * un_dtype_size(type);
    for (size_t r = 0; r < rows; r++) {
        size_t at = (first + r) * ld + p->head * p->size;
        float *to = out + r * p->wide;
        if (type == UN_BF16) {
            const un_bf16 *from = (const un_bf16 *)x + at;
            expect_next(from, bytes);
            for (size_t i = 0; i < p->size; i++) to[i] = widen(from[i]);
        } else {
            const float *from = (const float *)x + at;
            expect_next(from, bytes);
            copy_row(from, to, p->size);
        }
        for (size_t i = p->size; i < p->wide; i++) to[i] = 0;
    }
}

/* in (long_k, wide), whose last rows are 0, to out (wide, long_k). */
static void transpose(const attend_place *p, const float *in, float *out) {
    for (size_t r = 0; r < p->long_k; r += ATTEND_ALIGN)
        for (size_t i = 0; i < p->wide; i += ATTEND_ALIGN)
            transpose_square(in + r * p->wide + i, p->wide, out + i * p->long_k + r, p->long_k);
}

/* All keys (or values) as gather gives them, (long_k, wide), the rows behind the last one 0. */
static void gather_keys(const un_attend_args *a, const attend_place *p, const void *x, float *out) {
    gather(p, x, a->type, p->first_k, a->ldk, p->keys, out);
    memset(out + p->keys * p->wide, 0, (p->long_k - p->keys) * p->wide * sizeof *out);
}

/* Rows of f32 into a head's columns of `type`. */
static void scatter(const attend_place *p, const float *in, size_t rows, void *out, un_dtype type,
                    size_t first, size_t ld) {
    for (size_t r = 0; r < rows; r++, in += p->wide) {
        size_t at = (first + r) * ld + p->head * p->size;
        if (type == UN_F32)
            copy_row(in, (float *)out + at, p->size);
        else
            narrow_row(in, (un_bf16 *)out + at, p->size);
    }
}

/* Where a row's part of bias and dbias begins. */
static size_t bias_row(const attend_place *p, size_t query) {
    return (p->head * p->queries + query) * p->keys;
}

/* scores = scale scores + masks + bias; the padding becomes what softmax ignores. */
static void scale_and_mask(const un_attend_args *a, const attend_place *p, size_t query,
                           float *scores) {
    if (a->key_mask) {
        const float *mask = a->key_mask + p->first_k;
        for (size_t i = 0; i < p->keys; i++) scores[i] = a->scale * scores[i] + mask[i];
    } else {
        for (size_t i = 0; i < p->keys; i++) scores[i] *= a->scale;
    }
    if (a->bias) {
        const float *bias = a->bias + bias_row(p, query);
        for (size_t i = 0; i < p->keys; i++) scores[i] += bias[i];
    }
    if (a->group) {
        const unsigned char *of = a->group + p->first_k, own = a->group[p->first_q + query];
        for (size_t i = 0; i < p->keys; i++) scores[i] += of[i] == own ? 0 : UN_OTHER_GROUP;
    }
    for (size_t i = p->keys; i < p->long_k; i++) scores[i] = -INFINITY;
}

/* Rows whose sums are added side by side: each for itself would wait for its own additions. */
enum { SOFTMAX_ROWS = LANES };

/* Softmax of `rows` <= SOFTMAX_ROWS rows of a multiple of LANES floats; log sum exp of each. */
static void softmax(float *x, size_t rows, size_t n, float *log_sum) {
    float partial[SOFTMAX_ROWS * LANES] = {0}, largest[SOFTMAX_ROWS];
    double total[SOFTMAX_ROWS] = {0};
    for (size_t r = 0; r < rows; r++) {
        float *row = x + r * n, *lane = partial + r * LANES;
        largest[r] = largest_of(row, n);
        for (size_t i = 0; i < n; i += LANES) {
            for (size_t j = 0; j < LANES; j++) {
                float e = softmax_weight(row[i + j] - largest[r]);
                row[i + j] = e;
                lane[j] += e;
            }
        }
    }
    transpose_square(partial, LANES, partial, SOFTMAX_ROWS);
    for (size_t j = 0; j < LANES; j++)
        for (size_t r = 0; r < SOFTMAX_ROWS; r++) total[r] += (double)partial[j * LANES + r];
    for (size_t r = 0; r < rows; r++) {
        float factor = (float)(1.0 / total[r]), *row = x + r * n;
        for (size_t i = 0; i < n; i++) row[i] *= factor;
        if (log_sum) log_sum[r] = largest[r] + (float)log(total[r]);
    }
}

/* The dropout factors of one row of probabilities, `keys` of them. */
static void row_mask(const un_attend_args *a, const attend_place *p, size_t query, float *out) {
    uint64_t row = un_mask_row(&a->dropout.rows, p->first_q + query) * a->heads + p->head;
    float piece[MASK_PIECE];
    for (size_t at = 0; at < p->keys; at += MASK_PIECE) {
        size_t width = p->keys - at < MASK_PIECE ? p->keys - at : MASK_PIECE;
        mask_piece(&a->dropout, row, at, piece);
        memcpy(out + at, piece, width * sizeof *out);
    }
}

/* From raw scores to probabilities with dropout; at most SOFTMAX_ROWS rows. */
static void finish_some(const un_attend_args *a, const attend_place *p, size_t first, size_t rows,
                        float *scores, float *mask) {
    float log_sum[SOFTMAX_ROWS];
    for (size_t r = 0; r < rows; r++) scale_and_mask(a, p, first + r, scores + r * p->long_k);
    softmax(scores, rows, p->long_k, a->log_sum ? log_sum : NULL);
    for (size_t r = 0; r < rows; r++) {
        float *row = scores + r * p->long_k;
        if (a->log_sum) a->log_sum[(p->first_q + first + r) * a->heads + p->head] = log_sum[r];
        if (a->probabilities)
            memcpy(a->probabilities + p->first_p + (first + r) * p->keys, row,
                   p->keys * sizeof *row);
        if (a->dropout.probability <= 0) continue;
        row_mask(a, p, first + r, mask);
        for (size_t i = 0; i < p->keys; i++) row[i] *= mask[i];
    }
}

static void finish_rows(const un_attend_args *a, const attend_place *p, size_t first, size_t rows,
                        float *scores, float *mask) {
    for (size_t r = 0; r < rows; r += SOFTMAX_ROWS)
        finish_some(a, p, first + r, rows - r < SOFTMAX_ROWS ? rows - r : SOFTMAX_ROWS,
                    scores + r * p->long_k, mask);
}

static void write_rows(const un_attend_args *a, const attend_place *p, const float *in,
                       size_t first, size_t rows) {
    scatter(p, in, rows, a->out, a->type, p->first_q + first, a->heads * p->size);
}

/* ---- few queries ---- */

/* Partial products of a row with f32 `q`; the columns behind the last whole lane go to the first.
 */
static inline float dot_row(const float *q, const void *x, un_dtype type, size_t n) {
    float lane[LANES] = {0};
    const un_bf16 *x16 = x;
    const float *x32 = x;
    size_t i = 0;
    if (type == UN_BF16) {
        for (; i + LANES <= n; i += LANES)
            for (size_t j = 0; j < LANES; j++) lane[j] += q[i + j] * widen(x16[i + j]);
        for (; i < n; i++) lane[0] += q[i] * widen(x16[i]);
    } else {
        for (; i + LANES <= n; i += LANES)
            for (size_t j = 0; j < LANES; j++) lane[j] += q[i + j] * x32[i + j];
        for (; i < n; i++) lane[0] += q[i] * x32[i];
    }
    for (size_t width = LANES / 2; width > 0; width /= 2)
        for (size_t j = 0; j < width; j++) lane[j] += lane[j + width];
    return lane[0];
}

static inline void add_row(float factor, const void *x, un_dtype type, size_t n,
                           float *restrict y) {
    const un_bf16 *x16 = x;
    const float *x32 = x;
    if (type == UN_BF16)
        for (size_t i = 0; i < n; i++) y[i] += factor * widen(x16[i]);
    else
        for (size_t i = 0; i < n; i++) y[i] += factor * x32[i];
}

/* Row `r` of keys or values, the columns of this head. */
static inline const void *row_at(const un_attend_args *a, const attend_place *p, const void *x,
                                 size_t r) {
    return (const unsigned char *)x +
           ((p->first_k + r) * a->ldk + p->head * p->size) * un_dtype_size(a->type);
}

static void few_forward(const un_attend_args *a, const attend_place *p, float *scratch) {
    float *query = scratch, *out = query + ATTEND_FEW * p->wide, *scores = out + p->wide;
    float *mask = scores + p->long_k;
    gather(p, a->q, a->type, p->first_q, a->ldq, p->queries, query);
    for (size_t r = 0; r < p->queries; r++) {
        for (size_t j = 0; j < p->keys; j++)
            scores[j] = dot_row(query + r * p->wide, row_at(a, p, a->k, j), a->type, p->size);
        finish_rows(a, p, r, 1, scores, mask);
        memset(out, 0, p->wide * sizeof *out);
        for (size_t j = 0; j < p->keys; j++)
            add_row(scores[j], row_at(a, p, a->v, j), a->type, p->size, out);
        write_rows(a, p, out, r, 1);
    }
}

static void attend_head(const un_attend_args *a, size_t sequence, size_t head, float *scratch) {
    attend_place p = attend_find_place(a, sequence, head);
    if (p.queries <= ATTEND_FEW) {
        few_forward(a, &p, scratch);
        return;
    }
    float *keys = scratch, *values = keys + p.wide * p.long_k;
    float *query = values + p.wide * p.long_k, *out = query + ATTEND_BLOCK * p.wide;
    float *scores = out + ATTEND_BLOCK * p.wide, *mask = scores + ATTEND_BLOCK * p.long_k;
    gather_keys(a, &p, a->k, values);
    transpose(&p, values, keys);
    gather_keys(a, &p, a->v, values);
    for (size_t first = 0; first < p.queries; first += ATTEND_BLOCK) {
        size_t rows = p.queries - first < ATTEND_BLOCK ? p.queries - first : ATTEND_BLOCK;
        gather(&p, a->q, a->type, p.first_q + first, a->ldq, rows, query);
        multiply(&(product){rows, p.long_k, p.size, query, p.wide, 1, keys, p.long_k, scores,
                            p.long_k, 0});
        finish_rows(a, &p, first, rows, scores, mask);
        multiply(
            &(product){rows, p.wide, p.keys, scores, p.long_k, 1, values, p.wide, out, p.wide, 0});
        write_rows(a, &p, out, first, rows);
    }
}

/* One row: from raw scores s and dP to P (with dropout) and dS. */
static void score_gradient(const un_attend_args *a, const attend_place *p, size_t query, float *s,
                           float *ds, float *mask) {
    float log_sum = a->log_sum[(p->first_q + query) * a->heads + p->head];
    float lane[LANES] = {0};
    scale_and_mask(a, p, query, s);
    for (size_t i = 0; i < p->long_k; i++) s[i] = softmax_weight(s[i] - log_sum);
    if (a->dropout.probability > 0) {
        row_mask(a, p, query, mask);
        for (size_t i = 0; i < p->keys; i++) ds[i] *= mask[i];
    }
    /* dP is 0 in the padding, where V^T is */
    for (size_t i = 0; i < p->long_k; i += LANES)
        for (size_t j = 0; j < LANES; j++) lane[j] += s[i + j] * ds[i + j];
    float mean = (float)add_lanes(lane);
    if (a->dbias) {
        float *dbias = a->dbias + bias_row(p, query);
        for (size_t i = 0; i < p->keys; i++) dbias[i] += s[i] * (ds[i] - mean);
    }
    for (size_t i = 0; i < p->long_k; i++) ds[i] = a->scale * s[i] * (ds[i] - mean);
    if (a->dropout.probability > 0)
        for (size_t i = 0; i < p->keys; i++) s[i] *= mask[i];
}

static void few_backward(const un_attend_args *a, const attend_place *p, float *scratch) {
    float *query = scratch, *dout = query + ATTEND_FEW * p->wide;
    float *row = dout + ATTEND_FEW * p->wide, *mask = row + p->wide;
    float *scores = mask + p->long_k, *dscores = scores + ATTEND_FEW * p->long_k;
    gather(p, a->q, a->type, p->first_q, a->ldq, p->queries, query);
    gather(p, a->dout, UN_F32, p->first_q, a->heads * p->size, p->queries, dout);
    for (size_t r = 0; r < p->queries; r++) {
        const float *q = query + r * p->wide, *d = dout + r * p->wide;
        float *s = scores + r * p->long_k, *ds = dscores + r * p->long_k;
        for (size_t j = 0; j < p->keys; j++) {
            s[j] = dot_row(q, row_at(a, p, a->k, j), a->type, p->size);
            ds[j] = dot_row(d, row_at(a, p, a->v, j), a->type, p->size);
        }
        for (size_t j = p->keys; j < p->long_k; j++) s[j] = ds[j] = 0;
        score_gradient(a, p, r, s, ds, mask);
        memset(row, 0, p->wide * sizeof *row);
        for (size_t j = 0; j < p->keys; j++)
            add_row(ds[j], row_at(a, p, a->k, j), a->type, p->size, row);
        scatter(p, row, 1, a->dq, a->type, p->first_q + r, a->lddq);
    }
    for (size_t j = 0; j < p->keys; j++) {
        memset(row, 0, p->wide * sizeof *row);
        for (size_t r = 0; r < p->queries; r++)
            add_row(dscores[r * p->long_k + j], query + r * p->wide, UN_F32, p->size, row);
        scatter(p, row, 1, a->dk, a->type, p->first_k + j, a->lddk);
        memset(row, 0, p->wide * sizeof *row);
        for (size_t r = 0; r < p->queries; r++)
            add_row(scores[r * p->long_k + j], dout + r * p->wide, UN_F32, p->size, row);
        scatter(p, row, 1, a->dv, a->type, p->first_k + j, a->lddk);
    }
}

static void attend_head_backward(const un_attend_args *a, size_t sequence, size_t head,
                                 float *scratch) {
    attend_place p = attend_find_place(a, sequence, head);
    if (p.queries <= ATTEND_FEW) {
        few_backward(a, &p, scratch);
        return;
    }
    size_t panel = p.wide * p.long_k, block = ATTEND_BLOCK * p.wide;
    float *keys_t = scratch, *values_t = keys_t + panel, *keys = values_t + panel;
    float *dk = keys + panel, *dv = dk + panel;
    float *query = dv + panel, *dout = query + block, *dq = dout + block;
    float *s = dq + block, *ds = s + ATTEND_BLOCK * p.long_k, *mask = ds + ATTEND_BLOCK * p.long_k;
    gather_keys(a, &p, a->v, keys);
    transpose(&p, keys, values_t);
    gather_keys(a, &p, a->k, keys);
    transpose(&p, keys, keys_t);
    memset(dk, 0, 2 * panel * sizeof *dk);
    for (size_t first = 0; first < p.queries; first += ATTEND_BLOCK) {
        size_t rows = p.queries - first < ATTEND_BLOCK ? p.queries - first : ATTEND_BLOCK;
        gather(&p, a->q, a->type, p.first_q + first, a->ldq, rows, query);
        gather(&p, a->dout, UN_F32, p.first_q + first, a->heads * p.size, rows, dout);
        multiply(
            &(product){rows, p.long_k, p.size, query, p.wide, 1, keys_t, p.long_k, s, p.long_k, 0});
        multiply(&(product){rows, p.long_k, p.size, dout, p.wide, 1, values_t, p.long_k, ds,
                            p.long_k, 0});
        for (size_t r = 0; r < rows; r++)
            score_gradient(a, &p, first + r, s + r * p.long_k, ds + r * p.long_k, mask);
        multiply(&(product){rows, p.wide, p.keys, ds, p.long_k, 1, keys, p.wide, dq, p.wide, 0});
        multiply(&(product){p.keys, p.wide, rows, ds, 1, p.long_k, query, p.wide, dk, p.wide, 1});
        multiply(&(product){p.keys, p.wide, rows, s, 1, p.long_k, dout, p.wide, dv, p.wide, 1});
        scatter(&p, dq, rows, a->dq, a->type, p.first_q + first, a->lddq);
    }
    scatter(&p, dk, p.keys, a->dk, a->type, p.first_k, a->lddk);
    scatter(&p, dv, p.keys, a->dv, a->type, p.first_k, a->lddk);
}

const un_transformer_table UN_TRANSFORMER_TABLE = {
    .norm_rows = norm_rows,
    .norm_rows_backward = norm_rows_backward,
    .norm_columns_backward = norm_columns_backward,
    .gelu = gelu,
    .gelu_backward = gelu_backward,
    .dropout = dropout,
    .attend_head = attend_head,
    .attend_head_backward = attend_head_backward,
    .attend_weights = finish_rows,
    .attend_gradient = score_gradient,
};
