/*
 * test_tensor.c - element types and kernels against double precision, with tolerances
 * that come from the arithmetic; matrix products are in test_gemm.c.
 */
#include <float.h>
#include <math.h>

#include "tensor/bf16.h"
#include "tensor/kernels_isa.h"
#include "util.h"

static float from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* ---- element types ---- */

/* The nearest bf16 by definition: the two neighbours of x, the nearer one, the even one. */
static un_bf16 nearest_bf16(float x) {
    uint32_t bits = bits_of(x), low = bits & 0xFFFF0000u;
    if (isinf(x)) return (un_bf16)(bits >> 16);
    double a = (double)from_bits(low), v = (double)x;
    /* one above the largest finite bf16 lies 2^128, which stands for infinity */
    uint32_t next = low + 0x10000u;
    double b = (next & 0x7F800000u) == 0x7F800000u ? copysign(0x1p128, v) : (double)from_bits(next);
    double to_a = fabs(v - a), to_b = fabs(b - v);
    int up = to_b < to_a || (to_b == to_a && (low >> 16 & 1u));
    return (un_bf16)((up ? next : low) >> 16);
}

static void bf16_rounds_to_nearest_even(void **state) {
    (void)state;
    enum { LOWS = 64 };
    /* every upper half with ties, their neighbours and random lower halves */
    uint32_t low[LOWS] = {0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF};
    float in[LOWS];
    un_bf16 out[LOWS];
    un_rng rng = un_rng_stream(1, "bf16", 0);
    for (uint32_t high = 0; high < 65536; high++) {
        for (size_t i = 6; i < LOWS; i++) low[i] = un_rng_u32(&rng) >> 16;
        for (size_t i = 0; i < LOWS; i++) in[i] = from_bits(high << 16 | low[i]);
        un_convert_to_bf16(in, out, LOWS);
        for (size_t i = 0; i < LOWS; i++) {
            if (out[i] != un_bf16_from_float(in[i])) fail_msg("two answers for %a", (double)in[i]);
            if (isnan(in[i]) ? !isnan(un_float_from_bf16(out[i])) : out[i] != nearest_bf16(in[i]))
                fail_msg("%a becomes %04x", (double)in[i], out[i]);
        }
    }
}

static void every_bf16_survives(void **state) {
    (void)state;
    static un_bf16 all[65536], back[65536];
    static float wide[65536];
    for (uint32_t i = 0; i < 65536; i++) all[i] = (un_bf16)i;
    un_convert_to_f32(all, wide, 65536);
    un_convert_to_bf16(wide, back, 65536);
    for (uint32_t i = 0; i < 65536; i++) {
        assert_int_equal(bits_of(wide[i]), i << 16);
        assert_int_equal(bits_of(un_float_from_bf16((un_bf16)i)), i << 16);
        if (isnan(wide[i]))
            assert_true(isnan(un_float_from_bf16(back[i])));
        else
            assert_int_equal(back[i], i);
    }
}

static void elements_of_every_type(void **state) {
    (void)state;
    static const int8_t i8[] = {-128, 127};
    static const uint8_t u8[] = {255, 1};
    static const int16_t i16[] = {-32768, 5};
    static const uint16_t u16[] = {65535, 5}, bf16[] = {0xC040, 0x3F80}, f16[] = {0xC200, 0x0001};
    static const int32_t i32[] = {INT32_MIN, 5};
    static const uint32_t u32[] = {UINT32_MAX, 5};
    static const int64_t i64[] = {-(1ll << 52), 5};
    static const uint64_t u64[] = {1ull << 53, 5};
    static const float f32[] = {-0.375f, 1e30f};
    static const double f64[] = {-0.1, 1e300};
    static const struct {
        un_dtype dtype;
        const char *name;
        size_t size;
        const void *data;
        double first, second;
    } types[UN_DTYPE_COUNT] = {
        {UN_F32, "F32", 4, f32, -0.375, (double)1e30f},
        {UN_BF16, "BF16", 2, bf16, -3, 1},
        {UN_F64, "F64", 8, f64, -0.1, 1e300},
        {UN_F16, "F16", 2, f16, -3, 0x1p-24},
        {UN_I64, "I64", 8, i64, -0x1p52, 5},
        {UN_I32, "I32", 4, i32, -0x1p31, 5},
        {UN_I16, "I16", 2, i16, -32768, 5},
        {UN_I8, "I8", 1, i8, -128, 127},
        {UN_U64, "U64", 8, u64, 0x1p53, 5},
        {UN_U32, "U32", 4, u32, 0x1p32 - 1, 5},
        {UN_U16, "U16", 2, u16, 65535, 5},
        {UN_U8, "U8", 1, u8, 255, 1},
        {UN_BOOL, "BOOL", 1, u8, 255, 1},
    };
    for (size_t k = 0; k < UN_DTYPE_COUNT; k++) {
        unsigned char shifted[17]; /* unaligned on purpose */
        un_dtype parsed = UN_DTYPE_COUNT;
        memcpy(shifted + 1, types[k].data, 2 * types[k].size);
        util_near(un_element(types[k].dtype, shifted + 1, 0), types[k].first, 0);
        util_near(un_element(types[k].dtype, shifted + 1, 1), types[k].second, 0);
        assert_int_equal(un_dtype_size(types[k].dtype), types[k].size);
        assert_string_equal(un_dtype_name(types[k].dtype), types[k].name);
        util_ok(un_dtype_parse(types[k].name, &parsed));
        assert_int_equal(parsed, types[k].dtype);
    }
    un_dtype parsed = UN_F32;
    util_fails(un_dtype_parse("F8", &parsed), UNSEEN_E_FORMAT, "F8");
    static const uint16_t special[] = {0x7C00, 0xFC00, 0x7E00, 0x7BFF};
    assert_true(un_element(UN_F16, special, 0) == (double)INFINITY);
    assert_true(un_element(UN_F16, special, 1) == -(double)INFINITY);
    assert_true(isnan(un_element(UN_F16, special, 2)));
    util_near(un_element(UN_F16, special, 3), 65504, 0);
}

static void dense_tensors(void **state) {
    (void)state;
    const size_t shape[] = {4, 1, 3};
    un_tensor t = un_tensor_dense(UN_F32, 3, shape, NULL);
    assert_int_equal(un_tensor_count(&t), 12);
    assert_true(t.stride[0] == 3 && t.stride[1] == 3 && t.stride[2] == 1);
    assert_true(un_tensor_is_dense(&t));
    t.stride[1] = 99; /* of a single row: no matter */
    assert_true(un_tensor_is_dense(&t));
    t.stride[0] = 4;
    assert_false(un_tensor_is_dense(&t));
    un_tensor scalar = un_tensor_dense(UN_F32, 0, NULL, NULL);
    assert_int_equal(un_tensor_count(&scalar), 1);
    un_precision p = UN_PRECISION_AUTO;
    util_ok(un_precision_parse("bf16", &p));
    assert_int_equal(p, UN_PRECISION_BF16);
    util_fails(un_precision_parse("fp32", &p), UNSEEN_E_ARGUMENT, "auto, f32 or bf16");
}

/* `auto` asks for the way in use, not for what the processor could do. */
static void auto_is_bf16_where_the_way_is_native(void **state) {
    (void)state;
    const un_bf16_way *way = un_bf16_way_here();
    int native = !strcmp(way->name, "amx") || !strcmp(way->name, "avx512bf16");
    assert_int_equal(un_precision_resolve(UN_PRECISION_AUTO),
                     native ? UN_PRECISION_BF16 : UN_PRECISION_F32);
    assert_int_equal(un_precision_dtype(UN_PRECISION_AUTO), native ? UN_BF16 : UN_F32);
    assert_int_equal(un_precision_resolve(UN_PRECISION_BF16), UN_PRECISION_BF16);
    assert_int_equal(un_precision_dtype(UN_PRECISION_F32), UN_F32);
}

/* ---- kernels ---- */

enum { LENGTH = 70001 }; /* several threads' worth, and odd */
static float g_x[LENGTH], g_y[LENGTH], g_out[LENGTH];

static void fill(uint64_t number) {
    un_rng rng = un_rng_stream(2, "kernels", number);
    un_rng_fill_normal(&rng, g_x, LENGTH, 0.3, 2);
    un_rng_fill_normal(&rng, g_y, LENGTH, 0, 1);
}

static void sums(void **state) {
    (void)state;
    static const size_t lengths[] = {0, 1, 15, 16, 17, 4095, 4096, 4097, 32768, LENGTH};
    fill(0);
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        size_t n = lengths[k];
        double sum = 0, squares = 0, dot = 0, size = 0, dot_size = 0;
        for (size_t i = 0; i < n; i++) {
            double x = (double)g_x[i], y = (double)g_y[i];
            sum += x;
            squares += x * x;
            dot += x * y;
            size += fabs(x);
            dot_size += fabs(x * y);
        }
        double eps = (double)FLT_EPSILON * 16; /* a lane of a block adds 256 terms */
        util_near(un_sum(g_x, n), sum, eps * size);
        util_near(un_sum_squares(g_x, n), squares, eps * squares);
        util_near(un_dot(g_x, g_y, n), dot, eps * dot_size);
    }
}

static void elementwise(void **state) {
    (void)state;
    fill(1);
    memcpy(g_out, g_y, sizeof g_out);
    un_axpy(-1.5f, g_x, g_out, LENGTH);
    for (size_t i = 0; i < LENGTH; i++) {
        double move = 1.5 * (double)g_x[i], y = (double)g_y[i];
        util_near((double)g_out[i], y - move, 2e-7 * (fabs(y) + fabs(move)));
    }
    memcpy(g_out, g_x, sizeof g_out);
    un_scale(0.7f, g_out, LENGTH);
    for (size_t i = 0; i < LENGTH; i++) assert_true(g_out[i] == 0.7f * g_x[i]);
}

static void hyperbolic_tangent(void **state) {
    (void)state;
    double worst = 0;
    for (size_t i = 0; i < LENGTH; i++) {
        double t = (double)i / LENGTH * 2 - 1; /* dense near 0, out to +-20 */
        g_x[i] = (float)(20 * t * t * t * t * t);
    }
    un_tanh(g_x, g_out, LENGTH);
    for (size_t i = 0; i < LENGTH; i++) {
        double want = tanh((double)g_x[i]), gap = fabs((double)g_out[i] - want);
        assert_true(fabs((double)g_out[i]) <= 1);
        if (want != 0) worst = fmax(worst, gap / fabs(want));
    }
    util_near(worst, 0, 1e-5); /* relative, also near 0 */
    static float extreme[] = {-1000, 1000, 0, -0.0f, INFINITY, -INFINITY, 1e-30f};
    un_tanh(extreme, extreme, 7);
    static const float want[] = {-1, 1, 0, 0, 1, -1, 1e-30f};
    for (size_t i = 0; i < 7; i++) util_near((double)extreme[i], (double)want[i], 1e-36);
}

static void softmax(void **state) {
    (void)state;
    enum { ROWS = 37, WIDTH = 53, LD = 60 };
    fill(2);
    memcpy(g_out, g_x, sizeof g_out);
    un_softmax_rows(g_out, ROWS, WIDTH, LD);
    for (size_t r = 0; r < ROWS; r++) {
        double largest = -1e300, sum = 0;
        for (size_t j = 0; j < WIDTH; j++) largest = fmax(largest, (double)g_x[r * LD + j]);
        for (size_t j = 0; j < WIDTH; j++) sum += exp((double)g_x[r * LD + j] - largest);
        for (size_t j = 0; j < LD; j++) {
            double x = (double)g_x[r * LD + j];
            double want = j < WIDTH ? exp(x - largest) / sum : x;
            util_near((double)g_out[r * LD + j], want, j < WIDTH ? 2e-6 * want : 0);
        }
    }
    const double third = 1.0 / 3;
    const double want[][3] = {{1, 0, 0}, {third, third, third}, {0.5, 0.5, 0}, {0, 1, 0},
                              {0, 1, 0}, {third, third, third}};
    float extreme[][3] = {
        {1e30f, -1e30f, 0},        {-1e30f, -1e30f, -1e30f}, {FLT_MAX, FLT_MAX, -FLT_MAX},
        {-INFINITY, 2, -INFINITY}, {-200, 0, -90},           {1e-30f, 0, -1e-30f}};
    un_softmax_rows(extreme[0], 6, 3, 3);
    for (size_t r = 0; r < 6; r++)
        for (size_t j = 0; j < 3; j++) util_near((double)extreme[r][j], want[r][j], 1e-6);
}

static void rows_and_columns(void **state) {
    (void)state;
    enum { ROWS = 57, WIDTH = 301 };
    float norms[ROWS], columns[WIDTH] = {0};
    double norms64[ROWS];
    fill(3);
    memset(g_x + 3 * WIDTH, 0, WIDTH * sizeof *g_x); /* a zero row */
    memcpy(g_out, g_x, sizeof g_out);
    un_row_norms(g_x, ROWS, WIDTH, norms64);
    un_column_sums_add(g_x, ROWS, WIDTH, WIDTH, columns);
    un_normalize_rows(g_out, ROWS, WIDTH, 1e-12f, norms);
    for (size_t r = 0; r < ROWS; r++) {
        double norm = 0;
        for (size_t j = 0; j < WIDTH; j++) norm += pow((double)g_x[r * WIDTH + j], 2);
        norm = sqrt(norm);
        util_near(norms64[r], norm, 1e-6 * norm);
        util_near((double)norms[r], norm, 1e-6 * norm);
        for (size_t j = 0; j < WIDTH; j++) {
            double want = norm > 0 ? (double)g_x[r * WIDTH + j] / norm : 0;
            util_near((double)g_out[r * WIDTH + j], want, 1e-6);
        }
    }
    for (size_t j = 0; j < WIDTH; j++) {
        double sum = 0, size = 0;
        for (size_t r = 0; r < ROWS; r++) sum += (double)g_x[r * WIDTH + j];
        for (size_t r = 0; r < ROWS; r++) size += fabs((double)g_x[r * WIDTH + j]);
        util_near((double)columns[j], sum, 1e-6 * size);
    }
}

static void relu_gradient(void **state) {
    (void)state;
    static un_bf16 y16[LENGTH];
    for (int bf16 = 0; bf16 < 2; bf16++) {
        fill(4);
        g_y[5] = 0;
        g_y[6] = -0.0f;
        for (size_t i = 0; i < LENGTH; i++) y16[i] = un_bf16_from_float(g_y[i]);
        memcpy(g_out, g_x, sizeof g_out);
        un_relu_backward(bf16 ? (const void *)y16 : (const void *)g_y, bf16 ? UN_BF16 : UN_F32,
                         g_out, LENGTH);
        for (size_t i = 0; i < LENGTH; i++) assert_true(g_out[i] == (g_y[i] > 0 ? g_x[i] : 0.0f));
    }
}

/* ---- one source, several instruction sets ---- */

static size_t available_tables(const un_isa_table **out) {
    size_t n = 0;
    out[n++] = &un_isa_baseline;
#if defined(UN_HAVE_X86_ISA)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) out[n++] = &un_isa_avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        out[n++] = &un_isa_avx512;
#endif
    return n;
}

/* What all loops of one build make of the same numbers. */
typedef struct {
    float axpy[1003], scale[1003], tanh[1003], softmax[1003], relu[1003], relu16[1003];
    float p[1003], m[1003], v[1003], q[1003], buffer[1003], mean[1003];
    float wide[1003];
    un_bf16 narrow[1003], shadow[1003];
    double sum, dot, adam, rmsprop;
} outcome;

static void run_table(const un_isa_table *isa, outcome *o) {
    enum { n = 1003 };
    const un_update u = {.lr = 0.01f,
                         .beta1 = 0.9f,
                         .beta2 = 0.99f,
                         .rest1 = 0.1f,
                         .rest2 = 0.01f,
                         .epsilon = 1e-8f,
                         .decay = 0.01f,
                         .v_scale = 2,
                         .momentum = 0.9f};
    float *copies[] = {o->axpy, o->scale, o->softmax, o->relu, o->relu16, o->p, o->q};
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++)
        memcpy(copies[i], g_y, n * sizeof(float));
    isa->to_bf16(g_x, o->narrow, n);
    isa->to_f32(o->narrow, o->wide, n);
    o->sum = isa->sum(g_x, n);
    o->dot = isa->dot(g_x, g_y, n);
    isa->axpy(0.3f, g_x, o->axpy, n);
    isa->scale(0.3f, o->scale, n);
    isa->tanh(g_x, o->tanh, n);
    isa->softmax(o->softmax, n);
    isa->relu_backward_f32(g_x, o->relu, n);
    isa->relu_backward_bf16(o->narrow, o->relu16, n);
    o->adam = isa->adam(&u, o->p, g_x, o->m, o->v, o->shadow, n);
    o->rmsprop = isa->rmsprop(&u, o->q, g_x, o->mean, o->buffer, o->shadow, n);
}

/* Equal but for fused multiply-adds, which some builds have; `size` is that of the terms. */
static void close_arrays(const float *a, const float *b, double size, const char *what,
                         const char *isa) {
    for (size_t i = 0; i < 1003; i++)
        if (!(fabs((double)a[i] - (double)b[i]) <= 1e-6 * (fabs((double)a[i]) + size)))
            fail_msg("%s, %s: %g, baseline %g", what, isa, (double)b[i], (double)a[i]);
}

static void instruction_sets_agree(void **state) {
    (void)state;
    static outcome base, other;
    const un_isa_table *tables[3];
    size_t n = available_tables(tables);
    fill(5);
    g_x[0] = NAN;
    memset(&base, 0, sizeof base);
    base.narrow[0] = 0;
    tables[0]->to_bf16(g_x, base.narrow, 1);
    assert_true(isnan(un_float_from_bf16(base.narrow[0])));
    g_x[0] = 1;
    run_table(tables[0], &base);
    int found = 0; /* the build in use is one of those tested */
    for (size_t t = 0; t < n; t++) {
        memset(&other, 0, sizeof other);
        run_table(tables[t], &other);
        const char *isa = tables[t]->name;
        found += !strcmp(isa, un_kernels_isa());
        assert_memory_equal(base.narrow, other.narrow, sizeof base.narrow);
        assert_memory_equal(base.wide, other.wide, sizeof base.wide);
        assert_memory_equal(base.scale, other.scale, sizeof base.scale);
        assert_memory_equal(base.relu, other.relu, sizeof base.relu);
        assert_memory_equal(base.relu16, other.relu16, sizeof base.relu16);
        close_arrays(base.axpy, other.axpy, 1, "axpy", isa);
        close_arrays(base.tanh, other.tanh, 1, "tanh", isa);
        close_arrays(base.softmax, other.softmax, 1e-3, "softmax", isa);
        close_arrays(base.p, other.p, 1, "adam p", isa);
        close_arrays(base.m, other.m, 1, "adam m", isa);
        close_arrays(base.v, other.v, 1e-3, "adam v", isa);
        close_arrays(base.q, other.q, 1, "rmsprop p", isa);
        close_arrays(base.buffer, other.buffer, 1, "rmsprop momentum", isa);
        close_arrays(base.mean, other.mean, 1e-3, "rmsprop v", isa);
        util_near(other.sum, base.sum, 1e-6 * fabs(base.sum));
        util_near(other.dot, base.dot, 1e-5 * fabs(base.dot));
        util_near(other.adam, base.adam, 1e-6 * base.adam);
        util_near(other.rmsprop, base.rmsprop, 1e-6 * base.rmsprop);
    }
    assert_int_equal(found, 1);
}

/* The best of both kinds by the definition. */
static void best_by_definition(const float *x, const int32_t *kind, size_t n, size_t best[2]) {
    best[0] = best[1] = n;
    for (size_t i = 0; i < n; i++) {
        size_t *b = &best[kind[i] != 0];
        if (*b == n || x[i] > x[*b]) *b = i;
    }
}

/* Every build, of every number of classes up to some hundreds and around the pieces' size, with ties,
 * zeros of both signs, one kind missing; and whatever place one score that is not finite has. */
static void best_of_kinds(void **state) {
    (void)state;
    enum { MOST = 1600 };
    const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    static float x[MOST];
    static int32_t kind[MOST];
    const un_isa_table *tables[3];
    size_t count = available_tables(tables), best[2], right[2];
    for (size_t n = 0; n < MOST; n += n < 300 ? 1 : 43) {
        un_rng rng = un_rng_stream(1, "best", n);
        size_t levels = n % 3 ? 2 + (size_t)un_rng_below(&rng, 40) : 0;
        for (size_t i = 0; i < n; i++) {
            double level = levels ? (double)un_rng_below(&rng, levels) - (double)(levels / 2) : 0;
            x[i] = levels ? (float)level * 0.25f : (float)un_rng_normal(&rng) * 1e30f;
            if (x[i] == 0 && un_rng_below(&rng, 2)) x[i] = -x[i];
            kind[i] = n % 7 == 1 ? 0 : n % 7 == 2 ? -1 : -(int32_t)un_rng_below(&rng, 2);
        }
        if (n > 20) x[n / 2] = -FLT_MAX;
        best_by_definition(x, kind, n, right);
        for (size_t t = 0; t < count; t++) {
            assert_int_equal(tables[t]->best_of_kinds(x, kind, n, best), 1);
            if (best[0] != right[0] || best[1] != right[1])
                fail_msg("%s, %zu scores: places %zu and %zu, not %zu and %zu", tables[t]->name, n,
                         best[0], best[1], right[0], right[1]);
            for (size_t i = 0; i < n; i += 1 + n / 40) {
                float was = x[i];
                x[i] = bad[(i + n) % 4];
                assert_int_equal(tables[t]->best_of_kinds(x, kind, n, best), 0);
                x[i] = was;
            }
        }
    }
    for (size_t t = 0; t < count; t++) {
        const float few[] = {-FLT_MAX, -0.0f, FLT_MAX};
        const int32_t both[] = {0, 0, -1};
        assert_int_equal(tables[t]->best_of_kinds(few, both, 3, best), 1);
        assert_true(best[0] == 1 && best[1] == 2);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bf16_rounds_to_nearest_even),
        cmocka_unit_test(every_bf16_survives),
        cmocka_unit_test(elements_of_every_type),
        cmocka_unit_test(dense_tensors),
        cmocka_unit_test(auto_is_bf16_where_the_way_is_native),
        cmocka_unit_test(sums),
        cmocka_unit_test(elementwise),
        cmocka_unit_test(hyperbolic_tangent),
        cmocka_unit_test(softmax),
        cmocka_unit_test(rows_and_columns),
        cmocka_unit_test(relu_gradient),
        cmocka_unit_test(instruction_sets_agree),
        cmocka_unit_test(best_of_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
