/*
 * test_attention.c - what a transformer is made of, against definitions in double
 * precision: GELU, layer normalisation, dropout, cross-entropy, attention.
 */
#include "util.h"

#include <float.h>
#include <math.h>

#include "nn/loss.h"
#include "tensor/bf16.h"
#include "tensor/gemm.h"
#include "tensor/kernels.h"
#include "tensor/kernels_isa.h"

/* ---- element-wise ---- */

static double gelu_value(double x) { return 0.5 * x * erfc(-x * M_SQRT1_2); }
static double gelu_slope(double x) {
    return 0.5 * erfc(-x * M_SQRT1_2) + x * exp(-0.5 * x * x) / sqrt(2 * M_PI);
}

static void gelu_is_exact(void **state) {
    (void)state;
    enum { N = 20001 };
    static float x[N], y[N], dy[N];
    static un_bf16 x16[N], y16[N], dy16[N];
    for (size_t i = 0; i < N; i++) {
        x[i] = ((float)i - N / 2) * 1e-3f;
        dy[i] = 1;
    }
    un_convert_to_bf16(x, x16, N);
    un_gelu(x, UN_F32, y, N);
    un_gelu(x16, UN_BF16, y16, N);
    un_gelu_backward(x, UN_F32, dy, dy16, N);
    for (size_t i = 0; i < N; i++) {
        double at = (double)x[i], rough = (double)un_float_from_bf16(x16[i]);
        util_near((double)y[i], gelu_value(at), 4e-7 * fabs(at) + 1e-9);
        util_near((double)dy[i], gelu_slope(at), 6e-7);
        util_near((double)un_float_from_bf16(dy16[i]), (double)dy[i], fabs((double)dy[i]) / 250);
        util_near((double)un_float_from_bf16(y16[i]), gelu_value(rough),
                  fabs(gelu_value(rough)) / 250 + 1e-7);
    }
    float far[] = {-1e30f, -40, 40, 1e30f, 0};
    const float want[] = {0, 0, 40, 1e30f, 0};
    un_gelu(far, UN_F32, far, 5);
    for (size_t i = 0; i < 5; i++) util_near((double)far[i], (double)want[i], 1e-6);
}

static void gelu_in_a_product(void **state) {
    (void)state;
    enum { M = 7, N = 21, K = 13 };
    float a[M * K], b[N * K], bias[N], c[M * N];
    un_rng rng = un_rng_stream(1, "test", 0);
    un_rng_fill_normal(&rng, a, M * K, 0, 1);
    un_rng_fill_normal(&rng, b, N * K, 0, 1);
    un_rng_fill_normal(&rng, bias, N, 0, 1);
    un_gemm_args g = {
        .m = M, .n = N, .k = K, .trans_b = 1, .a = a, .b = b, .c = c, .bias = bias, .gelu = 1};
    util_ok(un_gemm(&g));
    for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < N; j++) {
            double sum = (double)bias[j];
            for (size_t k = 0; k < K; k++) sum += (double)a[i * K + k] * (double)b[j * K + k];
            util_near((double)c[i * N + j], gelu_value(sum), 1e-5);
        }
    g.accumulate = 1;
    util_fails(un_gemm(&g), UNSEEN_E_ARGUMENT, "epilogue");
    g.accumulate = 0;
    g.k = 0;
    util_ok(un_gemm(&g));
    util_near((double)c[3], gelu_value((double)bias[3]), 1e-6);
}

static void layer_norm(void **state) {
    (void)state;
    static const size_t sizes[][2] = {{1, 1}, {3, 5}, {7, 32}, {40, 519}, {2, 1025}};
    for (size_t s = 0; s < 5; s++) {
        size_t R = sizes[s][0], N = sizes[s][1];
        un_arena arena = {0};
        float *x, *y, *dy, *dx, *gamma, *beta, *dgamma, *dbeta, *mean, *inverse;
        un_bf16 *y16;
        float **rows[] = {&x, &y, &dy, &dx}, **columns[] = {&gamma, &beta, &dgamma, &dbeta};
        un_rng rng = un_rng_stream(2, "test", s);
        for (size_t i = 0; i < 4; i++) {
            util_ok(un_arena_alloc(&arena, R * N, sizeof(float), rows[i]));
            util_ok(un_arena_alloc(&arena, N, sizeof(float), columns[i]));
            un_rng_fill_normal(&rng, *rows[i], R * N, 3, 2);
            un_rng_fill_normal(&rng, *columns[i], N, 0.5, 1);
        }
        util_ok(un_arena_alloc(&arena, R, sizeof(float), &mean));
        util_ok(un_arena_alloc(&arena, R, sizeof(float), &inverse));
        util_ok(un_arena_alloc(&arena, R * N, sizeof *y16, &y16));
        float dgamma0 = dgamma[0], dx0 = dx[0];
        un_layer_norm_args a = {.rows = R,
                                .n = N,
                                .eps = 1e-5f,
                                .x = x,
                                .gamma = gamma,
                                .beta = beta,
                                .y = y,
                                .y16 = y16,
                                .mean = mean,
                                .inverse = inverse,
                                .dy = dy,
                                .dx = dx,
                                .add = 1,
                                .dgamma = dgamma,
                                .dbeta = dbeta};
        un_layer_norm_forward(&a);
        un_layer_norm_backward(&a);
        double slope = 0;
        for (size_t r = 0; r < R; r++) {
            double m = 0, v = 0, g_sum = 0, gx_sum = 0;
            for (size_t i = 0; i < N; i++) m += (double)x[r * N + i] / (double)N;
            for (size_t i = 0; i < N; i++) v += pow((double)x[r * N + i] - m, 2) / (double)N;
            double s1 = 1 / sqrt(v + 1e-5);
            for (size_t i = 0; i < N; i++) {
                double hat = ((double)x[r * N + i] - m) * s1;
                double want = hat * (double)gamma[i] + (double)beta[i];
                util_near((double)y[r * N + i], want, 1e-5 * (1 + fabs(want)));
                util_near((double)un_float_from_bf16(y16[r * N + i]), want,
                          fabs(want) / 250 + 1e-5);
                g_sum += (double)gamma[i] * (double)dy[r * N + i];
                gx_sum += (double)gamma[i] * (double)dy[r * N + i] * hat;
            }
            double hat = ((double)x[r * N] - m) * s1;
            slope += (double)dy[r * N] * hat;
            if (r > 0) continue;
            double want = s1 * ((double)gamma[0] * (double)dy[0] - g_sum / (double)N -
                                hat * gx_sum / (double)N);
            util_near((double)dx[0], (double)dx0 + want, 2e-5 * (1 + fabs(want)));
        }
        util_near((double)dgamma[0], (double)dgamma0 + slope, 1e-4 * (1 + fabs(slope)));
        un_arena_free(&arena);
    }
}

static void dropout(void **state) {
    (void)state;
    enum { R = 200, N = 333 };
    static float x[R * N], again[R * N], residual[R * N];
    un_rng rng = un_rng_stream(3, "dropout", 5);
    const un_dropout d = {.probability = 0.1f, .seed = rng.seed, .stream = rng.stream};
    for (size_t i = 0; i < R * N; i++) {
        x[i] = again[i] = 1;
        residual[i] = (float)(i % 7);
    }
    un_dropout_rows(&d, x, NULL, R, N);
    un_dropout_rows(&d, again, residual, R, N);
    size_t zeros = 0, pairs = 0, columns = 0;
    for (size_t i = 0; i < R * N; i++) {
        zeros += x[i] == 0;
        pairs += i > 0 && x[i] == 0 && x[i - 1] == 0;
        columns += i >= N && x[i] == 0 && x[i - N] == 0;
        if (x[i] != 0) util_near((double)x[i], 1 / 0.9, 1e-4);
        util_near((double)again[i], (double)(residual[i] + x[i]), 1e-6);
    }
    double n = (double)(R * N);
    util_near((double)zeros / n, 0.1, 5 * sqrt(0.09 / n));
    util_near((double)pairs / n, 0.01, 5 * sqrt(0.01 / n)); /* neighbours are independent */
    util_near((double)columns / n, 0.01, 5 * sqrt(0.01 / n));
    un_dropout other = d;
    other.stream++;
    for (size_t i = 0; i < R * N; i++) again[i] = 1;
    un_dropout_rows(&other, again, NULL, R, N);
    size_t differ = 0;
    for (size_t i = 0; i < R * N; i++) differ += x[i] != again[i];
    util_near((double)differ / n, 0.18, 0.02);
}

static void cross_entropy(void **state) {
    (void)state;
    enum { R = 9, N = 37 };
    float x[R * N], d[R * N];
    int64_t label[R];
    double weight[R], loss[R], total = 0;
    un_rng rng = un_rng_stream(4, "test", 0);
    un_rng_fill_normal(&rng, x, R * N, 0, 5);
    for (size_t r = 0; r < R; r++) {
        label[r] = (int64_t)(r * 5 % N);
        weight[r] = 0.3 * (double)r;
    }
    x[3] = 200; /* a loss far from 0: label 0 of row 0 */
    double sum = un_cross_entropy(x, label, weight, R, N, loss, d);
    for (size_t r = 0; r < R; r++) {
        double z = 0, largest = -1e300;
        for (size_t i = 0; i < N; i++) largest = fmax(largest, (double)x[r * N + i]);
        for (size_t i = 0; i < N; i++) z += exp((double)x[r * N + i] - largest);
        double want = largest + log(z) - (double)x[r * N + (size_t)label[r]];
        util_near(loss[r], want, 1e-6 * (1 + want));
        total += weight[r] * want;
        for (size_t i = 0; i < N; i++) {
            double p = exp((double)x[r * N + i] - largest) / z - (i == (size_t)label[r] ? 1 : 0);
            util_near((double)d[r * N + i], weight[r] * p, 1e-6);
        }
    }
    util_near(sum, total, 1e-5 * total);
    util_near(un_cross_entropy(x, label, NULL, 1, N, NULL, NULL), loss[0], 1e-12);
}

/* ---- attention ---- */

enum { SEQUENCES = 3, HEADS = 2 };

typedef struct {
    un_arena arena;
    size_t q_start[SEQUENCES + 1], k_start[SEQUENCES + 1], H, d;
    float *q, *k, *v, *out, *dout, *dq, *dk, *dv, *mask, *log_sum, *p, *bias, *dbias;
    unsigned char *group;
    un_attend_args args;
} meeting;

/* A bias that all sequences share, and groups in three bands. */
static void give_bias(meeting *m, uint64_t number) {
    size_t queries = m->q_start[1], rows = m->q_start[SEQUENCES];
    size_t count = HEADS * queries * m->k_start[1];
    un_rng rng = un_rng_stream(6, "attention", number);
    util_ok(un_arena_alloc(&m->arena, count, sizeof(float), &m->bias));
    util_ok(un_arena_alloc(&m->arena, count, sizeof(float), &m->dbias));
    util_ok(un_arena_alloc(&m->arena, rows, 1, &m->group));
    un_rng_fill_normal(&rng, m->bias, count, 0, 1);
    for (size_t i = 0; i < rows; i++) m->group[i] = (unsigned char)(i % queries % 3);
    m->args.bias = m->bias;
    m->args.dbias = m->dbias;
    m->args.group = m->group;
}

static void meeting_make(meeting *m, const size_t *queries, const size_t *keys, size_t d,
                         int masked, uint64_t number) {
    *m = (meeting){.H = HEADS * d, .d = d};
    size_t maps = 0;
    for (size_t s = 0; s < SEQUENCES; s++) {
        m->q_start[s + 1] = m->q_start[s] + queries[s];
        m->k_start[s + 1] = m->k_start[s] + keys[s];
        maps += HEADS * queries[s] * keys[s];
    }
    size_t Q = m->q_start[SEQUENCES], K = m->k_start[SEQUENCES];
    float **of_q[] = {&m->q, &m->out, &m->dout, &m->dq}, **of_k[] = {&m->k, &m->v, &m->dk, &m->dv};
    un_rng rng = un_rng_stream(5, "attention", number);
    for (size_t i = 0; i < 4; i++) {
        util_ok(un_arena_alloc(&m->arena, Q * m->H, sizeof(float), of_q[i]));
        util_ok(un_arena_alloc(&m->arena, K * m->H, sizeof(float), of_k[i]));
        un_rng_fill_normal(&rng, *of_q[i], Q * m->H, 0, 1.5);
        un_rng_fill_normal(&rng, *of_k[i], K * m->H, 0, 1.5);
    }
    util_ok(un_arena_alloc(&m->arena, K, sizeof(float), &m->mask));
    for (size_t i = 0; i < K; i++) m->mask[i] = i % 3 == 1 ? -10000.0f : 0.1f * (float)(i % 5);
    for (size_t s = 0; s < SEQUENCES; s++) m->mask[m->k_start[s]] = 0;
    util_ok(un_arena_alloc(&m->arena, Q * HEADS, sizeof(float), &m->log_sum));
    util_ok(un_arena_alloc(&m->arena, maps, sizeof(float), &m->p));
    m->args = (un_attend_args){.sequences = SEQUENCES,
                               .heads = HEADS,
                               .size = d,
                               .q_start = m->q_start,
                               .k_start = m->k_start,
                               .type = UN_F32,
                               .q = m->q,
                               .k = m->k,
                               .v = m->v,
                               .ldq = m->H,
                               .ldk = m->H,
                               .key_mask = masked ? m->mask : NULL,
                               .scale = (float)(1 / sqrt((double)d)),
                               .out = m->out,
                               .log_sum = m->log_sum,
                               .probabilities = m->p,
                               .dout = m->dout,
                               .dq = m->dq,
                               .dk = m->dk,
                               .dv = m->dv,
                               .lddq = m->H,
                               .lddk = m->H};
}

/* Row `i` of head h of sequence s: probabilities in double. */
static void probabilities(const meeting *m, size_t s, size_t h, size_t i, double *p) {
    size_t keys = m->k_start[s + 1] - m->k_start[s];
    const float *q = m->q + (m->q_start[s] + i) * m->H + h * m->d;
    double largest = -1e300, sum = 0;
    for (size_t j = 0; j < keys; j++) {
        const float *k = m->k + (m->k_start[s] + j) * m->H + h * m->d;
        p[j] = 0;
        for (size_t c = 0; c < m->d; c++) p[j] += (double)q[c] * (double)k[c];
        p[j] /= sqrt((double)m->d);
        if (m->args.key_mask) p[j] += (double)m->args.key_mask[m->k_start[s] + j];
        if (m->bias) p[j] += (double)m->bias[(h * m->q_start[1] + i) * keys + j];
        if (m->group && m->group[m->q_start[s] + i] != m->group[m->k_start[s] + j]) p[j] -= 100;
        largest = fmax(largest, p[j]);
    }
    for (size_t j = 0; j < keys; j++) sum += p[j] = exp(p[j] - largest);
    for (size_t j = 0; j < keys; j++) p[j] /= sum;
}

/* Forward and backward of everything, in double. */
static void check_meeting(meeting *m) {
    size_t Q = m->q_start[SEQUENCES], K = m->k_start[SEQUENCES], map = 0, H = m->H;
    double *p = NULL, *dq = NULL, *dk = NULL, *dv = NULL, *dbias = NULL;
    size_t biases = m->bias ? HEADS * m->q_start[1] * m->k_start[1] : 0;
    util_ok(un_arena_alloc(&m->arena, biases, sizeof *p, &dbias));
    util_ok(un_arena_alloc(&m->arena, K, sizeof *p, &p));
    util_ok(un_arena_alloc(&m->arena, Q * H, sizeof *p, &dq));
    util_ok(un_arena_alloc(&m->arena, K * H, sizeof *p, &dk));
    util_ok(un_arena_alloc(&m->arena, K * H, sizeof *p, &dv));
    for (size_t s = 0; s < SEQUENCES; s++)
        for (size_t h = 0; h < HEADS; h++)
            for (size_t i = 0; i < m->q_start[s + 1] - m->q_start[s]; i++) {
                size_t keys = m->k_start[s + 1] - m->k_start[s], at = m->q_start[s] + i;
                double mean = 0;
                probabilities(m, s, h, i, p);
                for (size_t j = 0; j < keys; j++) util_near((double)m->p[map++], p[j], 3e-6);
                const float *dout = m->dout + at * H + h * m->d;
                for (size_t c = 0; c < m->d; c++) {
                    double sum = 0;
                    for (size_t j = 0; j < keys; j++)
                        sum += p[j] * (double)m->v[(m->k_start[s] + j) * H + h * m->d + c];
                    util_near((double)m->out[at * H + h * m->d + c], sum, 2e-5);
                    mean += (double)dout[c] * sum;
                }
                for (size_t j = 0; j < keys; j++) {
                    size_t key = (m->k_start[s] + j) * H + h * m->d, query = at * H + h * m->d;
                    double dp = 0;
                    for (size_t c = 0; c < m->d; c++) dp += (double)dout[c] * (double)m->v[key + c];
                    double ds = p[j] * (dp - mean) / sqrt((double)m->d);
                    if (m->bias) dbias[(h * m->q_start[1] + i) * keys + j] += p[j] * (dp - mean);
                    for (size_t c = 0; c < m->d; c++) {
                        dv[key + c] += p[j] * (double)dout[c];
                        dq[query + c] += ds * (double)m->k[key + c];
                        dk[key + c] += ds * (double)m->q[query + c];
                    }
                }
            }
    for (size_t i = 0; i < biases; i++) util_near((double)m->dbias[i], dbias[i], 2e-4);
    for (size_t i = 0; i < Q * H; i++) util_near((double)m->dq[i], dq[i], 2e-4);
    for (size_t i = 0; i < K * H; i++) util_near((double)m->dk[i], dk[i], 3e-4);
    for (size_t i = 0; i < K * H; i++) util_near((double)m->dv[i], dv[i], 2e-4);
}

static const struct {
    size_t queries[SEQUENCES], keys[SEQUENCES], d;
    int masked, biased;
} g_meetings[] = {{{1, 2, 3}, {1, 5, 2}, 1, 0, 0},       {{5, 1, 9}, {16, 17, 31}, 5, 1, 0},
                  {{49, 48, 13}, {33, 64, 1}, 16, 1, 0}, {{97, 0, 50}, {20, 7, 80}, 24, 0, 0},
                  {{49, 49, 49}, {49, 49, 49}, 8, 0, 1}, {{150, 6, 65}, {80, 33, 64}, 40, 1, 0},
                  {{64, 65, 7}, {31, 64, 8}, 64, 0, 0},  {{40, 5, 66}, {33, 2, 70}, 33, 1, 0}};

static void attention(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof g_meetings / sizeof *g_meetings; i++) {
        meeting m;
        meeting_make(&m, g_meetings[i].queries, g_meetings[i].keys, g_meetings[i].d,
                     g_meetings[i].masked, i);
        if (g_meetings[i].biased) give_bias(&m, i);
        util_ok(un_attend_forward(&m.args));
        util_ok(un_attend_backward_heads(&m.args));
        check_meeting(&m);
        un_arena_free(&m.arena);
    }
    meeting m;
    const size_t queries[] = {1, 1, 1}, keys[] = {1, 0, 1};
    meeting_make(&m, queries, keys, 4, 0, 9);
    util_fails(un_attend_forward(&m.args), UNSEEN_E_ARGUMENT, "no keys");
    give_bias(&m, 9);
    util_fails(un_attend_forward(&m.args), UNSEEN_E_ARGUMENT, "length");
    un_arena_free(&m.arena);
}

/* With V = 1 the output of a row is the sum of its masked probabilities; out is linear in V, so
 * that <dout, out(V)> = <dv, V>, which ties the masks of both directions together. */
static void attention_dropout(void **state) {
    (void)state;
    meeting m;
    meeting_make(&m, g_meetings[3].queries, g_meetings[3].keys, g_meetings[3].d, 0, 3);
    size_t Q = m.q_start[SEQUENCES], K = m.k_start[SEQUENCES];
    m.args.dropout = (un_dropout){.probability = 0.5f, .seed = 7, .stream = 8};
    util_ok(un_attend_forward(&m.args));
    util_ok(un_attend_backward_heads(&m.args));
    double left = 0, right = 0, size = 0, mean = 0, square = 0;
    for (size_t i = 0; i < Q * m.H; i++) left += (double)m.out[i] * (double)m.dout[i];
    for (size_t i = 0; i < Q * m.H; i++) size += fabs((double)m.out[i] * (double)m.dout[i]);
    for (size_t i = 0; i < K * m.H; i++) right += (double)m.dv[i] * (double)m.v[i];
    util_near(left, right, 1e-5 * size);
    /* dq along q and dk along k: both are sum dS S, because S is bilinear */
    left = right = 0;
    for (size_t i = 0; i < Q * m.H; i++) left += (double)m.dq[i] * (double)m.q[i];
    for (size_t i = 0; i < K * m.H; i++) right += (double)m.dk[i] * (double)m.k[i];
    util_near(left, right, 1e-4 * (1 + fabs(left)));
    for (size_t i = 0; i < K * m.H; i++) m.v[i] = 1;
    util_ok(un_attend_forward(&m.args));
    for (size_t i = 0; i < Q * m.H; i++) mean += (double)m.out[i] / (double)(Q * m.H);
    for (size_t i = 0; i < Q * m.H; i++) square += pow((double)m.out[i] - mean, 2);
    util_near(mean, 1, 0.1);
    assert_true(square > 1);
    un_arena_free(&m.arena);
}

/* |x - y| / |y|, of n numbers. */
static double distance(const float *x, const float *y, size_t n) {
    double apart = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        apart += pow((double)x[i] - (double)y[i], 2);
        size += pow((double)y[i], 2);
    }
    return sqrt(apart / size);
}

/* What attention of the meeting's values, rounded to bf16, gave. */
typedef struct {
    un_bf16 *in[3], *out;
    un_bf16 *gradient[3]; /* dq, dk, dv */
    float *widened[3];    /* the same */
    float *log_sum;
} of_bf16;

static void attend_in_bf16(meeting *m, of_bf16 *r) {
    size_t Q = m->q_start[SEQUENCES] * m->H, K = m->k_start[SEQUENCES] * m->H;
    float *values[] = {m->q, m->k, m->v};
    for (size_t i = 0; i < 3; i++) { /* the same rounded values in both */
        size_t n = i == 0 ? Q : K;
        util_ok(un_arena_alloc(&m->arena, n, sizeof(un_bf16), &r->in[i]));
        util_ok(un_arena_alloc(&m->arena, n, sizeof(un_bf16), &r->gradient[i]));
        util_ok(un_arena_alloc(&m->arena, n, sizeof(float), &r->widened[i]));
        un_convert_to_bf16(values[i], r->in[i], n);
        un_convert_to_f32(r->in[i], values[i], n);
    }
    util_ok(un_arena_alloc(&m->arena, Q, sizeof *r->out, &r->out));
    util_ok(un_arena_alloc(&m->arena, Q / m->d, sizeof(float), &r->log_sum));
    un_attend_args b = m->args;
    b.type = UN_BF16;
    b.q = r->in[0];
    b.k = r->in[1];
    b.v = r->in[2];
    b.out = r->out;
    b.log_sum = r->log_sum;
    b.dq = r->gradient[0];
    b.dk = r->gradient[1];
    b.dv = r->gradient[2];
    util_ok(un_attend_forward(&b));
    util_ok(un_attend_backward_heads(&b));
    for (size_t i = 0; i < 3; i++) un_convert_to_f32(r->gradient[i], r->widened[i], i ? K : Q);
}

/* Products of bf16 queries and keys are exact to f32. Unless this way has instructions for bf16,
 * all else is f32 as well, but for products that a compiler fuses into their sums in one of the two,
 * which saves a rounding each. Those instructions want weights, and gradients of scores, rounded to
 * 2^-8 of each. Gradients are rounded in the end, by at most 2^-9 of each. */
static void attention_in_bf16(void **state) {
    (void)state;
    const un_bf16_way *way = un_bf16_way_here();
    int rounds = way->native || way->block == un_bf16_emulated_tiles;
    for (size_t i = 0; i < sizeof g_meetings / sizeof *g_meetings; i++) {
        meeting m;
        of_bf16 r;
        meeting_make(&m, g_meetings[i].queries, g_meetings[i].keys, g_meetings[i].d,
                     g_meetings[i].masked, 2 + i);
        size_t Q = m.q_start[SEQUENCES] * m.H, K = m.k_start[SEQUENCES] * m.H;
        float *gradient[] = {m.dq, m.dk, m.dv}, *most = NULL;
        if (g_meetings[i].biased) give_bias(&m, i);
        if (i % 2) m.args.dropout = (un_dropout){.probability = 0.2f, .seed = 1, .stream = i};
        util_ok(un_arena_alloc(&m.arena, Q, sizeof *most, &most));
        attend_in_bf16(&m, &r);
        util_ok(un_attend_forward(&m.args));
        util_ok(un_attend_backward_heads(&m.args));
        for (size_t k = 0; k < 3; k++) {
            size_t n = k == 0 ? Q : K;
            if (rounds) /* of products with entries of one sign and the other */
                assert_true(distance(r.widened[k], gradient[k], n) < 0.01);
            else
                assert_true(distance(r.widened[k], gradient[k], n) <
                            0x1p-9 + 16 * (double)FLT_EPSILON);
        }
        for (size_t k = 0; k < Q / m.d; k++)
            util_near((double)r.log_sum[k], (double)m.log_sum[k], 1e-5);
        for (size_t k = 0; k < K; k++) m.v[k] = fabsf(m.v[k]);
        un_attend_args sizes = m.args; /* weights times the sizes of what they weigh */
        sizes.out = most;
        util_ok(un_attend_forward(&sizes));
        for (size_t k = 0; k < Q; k++)
            util_near((double)un_float_from_bf16(r.out[k]), (double)m.out[k],
                      fabs((double)m.out[k]) / 250 + 1e-6 + (rounds ? (double)most[k] / 250 : 0));
        un_arena_free(&m.arena);
    }
}

static void instruction_sets_agree(void **state) {
    (void)state;
    const un_transformer_table *tables[3] = {&un_transformer_baseline};
    size_t count = 1;
#if defined(UN_HAVE_X86_ISA)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        tables[count++] = &un_transformer_avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        tables[count++] = &un_transformer_avx512;
#endif
    for (size_t t = 0; t < count; t++) {
        for (size_t i = 0; i < sizeof g_meetings / sizeof *g_meetings; i++) {
            meeting m;
            float *scratch = NULL;
            meeting_make(&m, g_meetings[i].queries, g_meetings[i].keys, g_meetings[i].d,
                         g_meetings[i].masked, i);
            if (g_meetings[i].biased) give_bias(&m, i);
            util_ok(un_arena_alloc(&m.arena, attend_scratch_size(80, g_meetings[i].d, 1),
                                   sizeof *scratch, &scratch));
            for (size_t k = 0; k < SEQUENCES * HEADS; k++) {
                tables[t]->attend_head(&m.args, k / HEADS, k % HEADS, scratch);
                tables[t]->attend_head_backward(&m.args, k / HEADS, k % HEADS, scratch);
            }
            check_meeting(&m);
            un_arena_free(&m.arena);
        }
        float mask[200], usual[200];
        const un_dropout d = {.probability = 0.3f, .seed = 11, .stream = 12};
        for (size_t i = 0; i < 200; i++) mask[i] = usual[i] = 1;
        tables[t]->dropout(&d, 4, mask, NULL, 200);
        un_transformer_baseline.dropout(&d, 4, usual, NULL, 200);
        assert_memory_equal(mask, usual, sizeof mask);
    }
}

int main(void) {
    util_skip_other_way();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gelu_is_exact),
        cmocka_unit_test(gelu_in_a_product),
        cmocka_unit_test(layer_norm),
        cmocka_unit_test(dropout),
        cmocka_unit_test(cross_entropy),
        cmocka_unit_test(attention),
        cmocka_unit_test(attention_dropout),
        cmocka_unit_test(attention_in_bf16),
        cmocka_unit_test(instruction_sets_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
