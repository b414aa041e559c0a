/*
 * test_nn.c - layers, losses and optimisers: gradients by finite differences,
 * updates against double precision, and what must hold whatever the numbers.
 *
 * A layer without activation is linear in each of its arguments, and a squared
 * error is quadratic: central differences of these have no truncation error, so
 * the step can be large and f32's rounding, eps |L| / h, is all that remains.
 */
#include <math.h>

#include "base/parallel.h"
#include "nn/layers.h"
#include "nn/loss.h"
#include "tensor/kernels.h"
#include "util.h"

/* ---- parameters ---- */

static void parameter_layout(void **state) {
    (void)state;
    un_params p = {0};
    size_t a = 9, b = 9, c = 9;
    util_ok(un_params_add(&p, "a", 2, (const size_t[]){3, 7}, 0.5f, &a));
    util_ok(un_params_add(&p, "b", 0, NULL, 0, &b));
    util_ok(un_params_add(&p, "c", 1, (const size_t[]){16}, 0, &c));
    assert_true(a == 0 && b == 1 && c == 2);
    assert_true(p.item[0].offset == 0 && p.item[1].offset == 32 && p.item[2].offset == 48);
    assert_true(p.item[0].count == 21 && p.item[1].count == 1 && p.total == 64);
    util_ok(un_params_allocate(&p, 1, 1));
    for (size_t i = 0; i < p.total; i++) assert_true(p.value[i] == 0 && p.grad[i] == 0);
    p.value[33] = 1.00390625f; /* a tie of bf16: to even, down */
    un_param_value(&p, c)[15] = -3;
    un_params_refresh(&p);
    assert_true(un_float_from_bf16(p.value16[33]) == 1);
    assert_true(((const un_bf16 *)un_param_operand(&p, c, UN_BF16))[15] == 0xC040);
    assert_ptr_equal(un_param_operand(&p, c, UN_F32), un_param_value(&p, c));
    util_fails(un_params_add(&p, "late", 0, NULL, 0, &a), UNSEEN_E_ARGUMENT, "\"late\"");
    un_params_free(&p);
    util_fails(un_params_add(&p, "huge", 2, (const size_t[]){SIZE_MAX / 2, 3}, 0, &a),
               UNSEEN_E_ARGUMENT, "overflows");
    un_params_free(&p);
    for (size_t i = 0; i < UN_MAX_PARAMS; i++) util_ok(un_params_add(&p, "x", 0, NULL, 0, &a));
    assert_int_equal(un_params_add(&p, "x", 0, NULL, 0, &a), UNSEEN_E_ARGUMENT);
    un_params_free(&p);
}

/* ---- the dense layer with W (in, out), as DEM has it ---- */

enum { ROWS = 6, IN = 5, OUT = 7 };

typedef struct {
    un_params params;
    un_dense layer;
    float x[ROWS * IN], y[ROWS * OUT], r[ROWS * OUT], dx[ROWS * IN];
    un_bf16 x16[ROWS * IN], r16[ROWS * OUT];
} dense_case;

static void dense_open(dense_case *l, int bf16) {
    un_rng rng = un_rng_stream(1, "linear", 0);
    *l = (dense_case){.layer = {.in = IN, .out = OUT, .in_first = 1}};
    util_ok(un_params_add(&l->params, "w", 2, (const size_t[]){IN, OUT}, 0, &l->layer.weight));
    util_ok(un_params_add(&l->params, "b", 1, (const size_t[]){OUT}, 0, &l->layer.bias));
    util_ok(un_params_allocate(&l->params, 1, bf16));
    un_rng_fill_normal(&rng, un_param_value(&l->params, l->layer.weight), IN * OUT, 0, 1);
    un_rng_fill_normal(&rng, un_param_value(&l->params, l->layer.bias), OUT, 0, 1);
    un_rng_fill_normal(&rng, l->x, ROWS * IN, 0, 1);
    un_rng_fill_normal(&rng, l->r, ROWS * OUT, 0, 1);
    un_convert_to_bf16(l->x, l->x16, ROWS * IN);
    un_convert_to_bf16(l->r, l->r16, ROWS * OUT);
    un_params_refresh(&l->params);
}

static un_status forward(dense_case *l, un_dtype type, const void *x, int relu) {
    return un_dense_forward(&l->layer, &l->params, type, x, ROWS,
                            relu ? UN_DENSE_RELU : UN_DENSE_PLAIN, l->y, 0, UN_F32);
}

static un_status backward(dense_case *l, un_dtype type, const void *x, const un_bf16 *dy16,
                          float *dx) {
    const un_dense_gradient g = {
        .x = x, .dy = l->r, .dy16 = dy16, .rows = ROWS, .replace = 1, .dx = dx};
    return un_dense_backward(&l->layer, &l->params, type, &g);
}

/* L = sum r y, so dL/dy = r. */
static double projected(dense_case *l) {
    double sum = 0;
    util_ok(forward(l, UN_F32, l->x, 0));
    for (size_t i = 0; i < ROWS * OUT; i++) sum += (double)l->r[i] * (double)l->y[i];
    return sum;
}

static double slope(dense_case *l, float *at) {
    const float h = 0.5f, kept = *at;
    *at = kept + h;
    double above = projected(l);
    *at = kept - h;
    double below = projected(l);
    *at = kept;
    return (above - below) / (2 * (double)h);
}

static void dense_gradients(void **state) {
    (void)state;
    dense_case l;
    dense_open(&l, 0);
    util_ok(backward(&l, UN_F32, l.x, NULL, l.dx));
    for (size_t k = 0; k < l.params.count; k++)
        for (size_t i = 0; i < l.params.item[k].count; i++)
            util_near((double)un_param_grad(&l.params, k)[i],
                      slope(&l, un_param_value(&l.params, k) + i), 2e-5);
    for (size_t i = 0; i < ROWS * IN; i++) util_near((double)l.dx[i], slope(&l, &l.x[i]), 2e-5);
    /* gradients are replaced, not added up; dx may be left out */
    float kept[IN * OUT];
    memcpy(kept, un_param_grad(&l.params, l.layer.weight), sizeof kept);
    util_ok(backward(&l, UN_F32, l.x, NULL, NULL));
    assert_memory_equal(kept, un_param_grad(&l.params, l.layer.weight), sizeof kept);
    un_params_free(&l.params);
}

static void dense_forward_by_hand(void **state) {
    (void)state;
    dense_case l;
    dense_open(&l, 0);
    const float *w = un_param_value(&l.params, l.layer.weight);
    for (int relu = 0; relu < 2; relu++) {
        size_t zeros = 0;
        util_ok(forward(&l, UN_F32, l.x, relu));
        for (size_t i = 0; i < ROWS; i++) {
            for (size_t o = 0; o < OUT; o++) {
                double want = (double)un_param_value(&l.params, l.layer.bias)[o];
                for (size_t k = 0; k < IN; k++)
                    want += (double)l.x[i * IN + k] * (double)w[k * OUT + o];
                if (relu && want < 0) want = 0;
                zeros += l.y[i * OUT + o] == 0;
                util_near((double)l.y[i * OUT + o], want, 2e-6);
            }
        }
        assert_true(relu ? zeros > 3 && zeros < ROWS * OUT : zeros == 0);
    }
    un_params_free(&l.params);
}

/* In bf16 the operands are rounded, the sums are not: the f32 layer on rounded operands. */
static void dense_in_bf16(void **state) {
    (void)state;
    dense_case a, b;
    dense_open(&a, 1);
    dense_open(&b, 0);
    un_convert_to_f32(a.x16, b.x, ROWS * IN);
    un_convert_to_f32(a.r16, b.r, ROWS * OUT);
    un_convert_to_f32(a.params.value16, b.params.value, a.params.total);
    memcpy(un_param_value(&b.params, 1), un_param_value(&a.params, 1), OUT * sizeof(float));
    util_ok(forward(&a, UN_BF16, a.x16, 1));
    util_ok(forward(&b, UN_F32, b.x, 1));
    for (size_t i = 0; i < ROWS * OUT; i++) util_near((double)a.y[i], (double)b.y[i], 2e-6);
    util_ok(backward(&a, UN_BF16, a.x16, a.r16, a.dx));
    util_ok(backward(&b, UN_F32, b.x, NULL, b.dx));
    for (size_t i = 0; i < IN * OUT; i++)
        util_near((double)un_param_grad(&a.params, 0)[i], (double)un_param_grad(&b.params, 0)[i],
                  5e-6);
    for (size_t i = 0; i < ROWS * IN; i++) util_near((double)a.dx[i], (double)b.dx[i], 5e-6);
    for (size_t o = 0; o < OUT; o++) { /* bias gradients come from the f32 side */
        double want = 0;
        for (size_t i = 0; i < ROWS; i++) want += (double)a.r[i * OUT + o];
        util_near((double)un_param_grad(&a.params, 1)[o], want, 2e-6);
    }
    un_params_free(&a.params);
    un_params_free(&b.params);
}

/* ---- the loss ---- */

static void squared_error_behind_relu(void **state) {
    (void)state;
    enum { R = 9, WIDTH = 131 };
    static float f[R * WIDTH], target[R * WIDTH], df[R * WIDTH], z[R * WIDTH], unused[R * WIDTH];
    double weight[R], sum = 0;
    un_rng rng = un_rng_stream(2, "loss", 0);
    un_rng_fill_normal(&rng, z, R * WIDTH, 0.2, 1);
    un_rng_fill_uniform(&rng, target, R * WIDTH, 0, 1);
    for (size_t r = 0; r < R; r++) weight[r] = r == 4 ? 0 : 0.1 * (double)(r + 1);
    for (size_t i = 0; i < R * WIDTH; i++) f[i] = z[i] > 0 ? z[i] : 0;
    double loss = un_squared_error_relu(f, target, weight, R, WIDTH, df);
    for (size_t i = 0; i < R * WIDTH; i++) {
        double error = (double)f[i] - (double)target[i];
        sum += weight[i / WIDTH] * error * error;
        util_near((double)df[i], z[i] > 0 ? 2 * weight[i / WIDTH] * error : 0, 5e-7);
    }
    util_near(loss, sum, 1e-6 * sum);
    for (size_t i = 0; i < R * WIDTH; i += 17) { /* and its own differences, away from the kink */
        const float h = 0.05f, kept = f[i];
        if (fabsf(z[i]) < 2 * h) continue;
        double side[2];
        for (int s = 0; s < 2; s++) {
            float moved = z[i] + (s ? h : -h);
            f[i] = moved > 0 ? moved : 0;
            side[s] = un_squared_error_relu(f, target, weight, R, WIDTH, unused);
        }
        f[i] = kept;
        util_near((side[1] - side[0]) / (2 * (double)h), (double)df[i], 2e-7 * sum / (double)h);
    }
    util_near(un_squared_error_relu(f, target, weight, 0, WIDTH, df), 0, 0);
}

static void squared_error_of_any_sign(void **state) {
    (void)state;
    enum { R = 5, WIDTH = 67 };
    static float f[R * WIDTH], target[R * WIDTH], df[R * WIDTH];
    double weight[R], sum = 0;
    un_rng rng = un_rng_stream(2, "loss", 1);
    un_rng_fill_normal(&rng, f, R * WIDTH, 0, 1);
    un_rng_fill_normal(&rng, target, R * WIDTH, 0, 1);
    for (size_t r = 0; r < R; r++) weight[r] = 0.1 * (double)(r + 1);
    double loss = un_squared_error(f, target, weight, R, WIDTH, df);
    for (size_t i = 0; i < R * WIDTH; i++) {
        double error = (double)f[i] - (double)target[i];
        sum += weight[i / WIDTH] * error * error;
        util_near((double)df[i], 2 * weight[i / WIDTH] * error, 1e-6);
    }
    util_near(loss, sum, 1e-6 * sum);
}

/* ---- optimisers ---- */

static const un_optimizer_settings g_settings[] = {
    {.kind = UN_ADAM, .lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8},
    {.kind = UN_ADAM_TF, .lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8},
    {.kind = UN_RMSPROP, .lr = 0.01, .beta2 = 0.99, .epsilon = 1e-8},
    {.kind = UN_RMSPROP, .lr = 0.01, .beta2 = 0.99, .epsilon = 1e-8, .momentum = 0.9},
};
enum { KINDS = sizeof g_settings / sizeof *g_settings, BIG = 70001, SMALL = 21, STEPS = 7 };

static void make_params(un_params *p, int bf16) {
    size_t index = 0;
    un_rng rng = un_rng_stream(3, "optimizer", 0);
    *p = (un_params){0};
    util_ok(un_params_add(p, "big", 1, (const size_t[]){BIG}, 0.01f, &index));
    util_ok(un_params_add(p, "small", 2, (const size_t[]){3, 7}, 0, &index));
    util_ok(un_params_allocate(p, 1, bf16));
    for (size_t k = 0; k < p->count; k++)
        un_rng_fill_normal(&rng, un_param_value(p, k), p->item[k].count, 0, 1);
}

/* Gradients of very different sizes; those of the first half of "small" are 0. */
static void make_gradients(un_params *p, uint64_t step) {
    un_rng rng = un_rng_stream(3, "gradient", step);
    for (size_t k = 0; k < p->count; k++) {
        float *g = un_param_grad(p, k);
        for (size_t i = 0; i < p->item[k].count; i++) {
            g[i] = (float)(un_rng_normal(&rng) * pow(10, (double)(i % 7) - 4));
            if (k == 1 && i < SMALL / 2) g[i] = 0;
        }
    }
}

/* The formulas of params.h, one parameter, in double. */
typedef struct {
    double p, m, v;
} scalar;

static void scalar_step(const un_optimizer_settings *s, double t, double g, scalar *x) {
    x->v = s->beta2 * x->v + (1 - s->beta2) * g * g;
    if (s->kind == UN_RMSPROP) {
        x->m = s->momentum * x->m + g / (sqrt(x->v) + s->epsilon);
        x->p -= s->lr * x->m;
        return;
    }
    double c1 = 1 - pow(s->beta1, t), c2 = 1 - pow(s->beta2, t);
    x->m = s->beta1 * x->m + (1 - s->beta1) * g;
    if (s->kind == UN_ADAM)
        x->p -= s->lr / c1 * x->m / (sqrt(x->v / c2) + s->epsilon);
    else
        x->p -= s->lr * sqrt(c2) / c1 * x->m / (sqrt(x->v) + s->epsilon);
}

static void updates_follow_the_formulas(void **state) {
    (void)state;
    static scalar x[BIG + SMALL];
    for (size_t kind = 0; kind < KINDS; kind++) {
        un_params p;
        un_optimizer o;
        make_params(&p, 0);
        util_ok(un_optimizer_create(&o, &g_settings[kind], &p));
        for (size_t i = 0; i < BIG + SMALL; i++)
            x[i] = (scalar){
                .p = (double)(i < BIG ? un_param_value(&p, 0)[i] : un_param_value(&p, 1)[i - BIG])};
        for (int t = 1; t <= STEPS; t++) {
            make_gradients(&p, (uint64_t)t);
            double squares = 0;
            for (size_t i = 0; i < BIG + SMALL; i++) {
                double g =
                    (double)(i < BIG ? un_param_grad(&p, 0)[i] : un_param_grad(&p, 1)[i - BIG]);
                if (i < BIG) squares += x[i].p * x[i].p;
                g += (double)(i < BIG ? 0.01f : 0) * x[i].p;
                scalar_step(&g_settings[kind], t, g, &x[i]);
            }
            /* the L2 term is that of the parameters before the update */
            util_near(un_optimizer_step(&o, &p), 0.005 * squares, 1e-6 * squares);
            assert_int_equal(o.steps, t);
        }
        for (size_t i = 0; i < BIG + SMALL; i++) {
            size_t at = i < BIG ? i : p.item[1].offset + i - BIG;
            util_near((double)p.value[at], x[i].p, 2e-6 * (fabs(x[i].p) + 1));
            util_near((double)o.second[at], x[i].v, 5e-6 * x[i].v);
        }
        un_optimizer_free(&o);
        un_params_free(&p);
    }
}

static void still_parameters_stay(void **state) {
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        un_params p;
        un_optimizer o;
        float kept[SMALL];
        make_params(&p, 1);
        un_params_refresh(&p);
        util_ok(un_optimizer_create(&o, &g_settings[kind], &p));
        memcpy(kept, un_param_value(&p, 1), sizeof kept);
        for (uint64_t t = 0; t < STEPS; t++) {
            make_gradients(&p, t);
            un_optimizer_step(&o, &p);
        }
        const float *now = un_param_value(&p, 1);
        for (size_t i = 0; i < SMALL; i++) assert_int_equal(now[i] == kept[i], i < SMALL / 2);
        for (size_t i = BIG; i < p.item[1].offset; i++) assert_true(p.value[i] == 0); /* the gap */
        for (size_t i = 0; i < p.total; i++) /* the copy that products read */
            assert_int_equal(p.value16[i], un_bf16_from_float(p.value[i]));
        un_optimizer_free(&o);
        un_params_free(&p);
    }
}

/* After a restart an optimiser moves parameters as a new one does. */
static void restart_forgets(void **state) {
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        un_params p[2];
        un_optimizer o[2];
        for (size_t i = 0; i < 2; i++) {
            make_params(&p[i], 0);
            util_ok(un_optimizer_create(&o[i], &g_settings[kind], &p[i]));
        }
        for (uint64_t t = 0; t < STEPS; t++) {
            make_gradients(&p[0], t);
            un_optimizer_step(&o[0], &p[0]);
        }
        memcpy(p[1].value, p[0].value, p[0].total * sizeof(float));
        un_optimizer_restart(&o[0]);
        for (uint64_t t = 0; t < STEPS; t++)
            for (size_t i = 0; i < 2; i++) {
                make_gradients(&p[i], t);
                un_optimizer_step(&o[i], &p[i]);
            }
        assert_memory_equal(p[0].value, p[1].value, p[0].total * sizeof(float));
        for (size_t i = 0; i < 2; i++) {
            un_optimizer_free(&o[i]);
            un_params_free(&p[i]);
        }
    }
}

/* A resumed run may have other threads: parameters may not depend on the chunking. */
static void threads_do_not_change_the_bytes(void **state) {
    (void)state;
    static const int threads[] = {1, 2, 3, 7};
    static float first[BIG + 64];
    for (size_t kind = 0; kind < KINDS; kind++) {
        for (size_t k = 0; k < sizeof threads / sizeof *threads; k++) {
            un_params p;
            un_optimizer o;
            util_ok(un_set_threads(threads[k]));
            make_params(&p, 0);
            assert_true(p.total <= BIG + 64);
            util_ok(un_optimizer_create(&o, &g_settings[kind], &p));
            for (uint64_t t = 0; t < STEPS; t++) {
                make_gradients(&p, t);
                un_optimizer_step(&o, &p);
            }
            if (k == 0) memcpy(first, p.value, p.total * sizeof *first);
            assert_memory_equal(first, p.value, p.total * sizeof *first);
            un_optimizer_free(&o);
            un_params_free(&p);
        }
    }
    util_ok(un_set_threads(0));
}

/* Three square layers that lie one behind the other, from a set that trains or only predicts. */
enum { WIDE = 48, LINES = 5 };

static void declare_three(un_params *params, un_dense layer[3]) {
    const char *const name[] = {"query", "key", "value"};
    for (size_t i = 0; i < 3; i++) {
        layer[i] = (un_dense){.in = WIDE, .out = WIDE, .bias = UN_NO_BIAS};
        util_ok(
            un_params_add(params, name[i], 2, (const size_t[]){WIDE, WIDE}, 0, &layer[i].weight));
    }
}

static void open_three(un_params *params, un_dense layer[3], int training) {
    un_rng rng = un_rng_stream(3, "three", 0);
    declare_three(params, layer);
    util_ok(un_params_allocate(params, training, 1));
    un_rng_fill_normal(&rng, params->value, params->total, 0, 1);
    un_params_refresh(params);
}

/* Packed weights multiply to the same bytes as those that lie plainly; alone, several together, and
 * after values were set anew. */
static void packed_weights(void **state) {
    (void)state;
    un_params params[2] = {{0}};
    un_dense three[2][3];
    float x[LINES * WIDE], y[2][LINES * 3 * WIDE];
    un_bf16 x16[LINES * WIDE];
    un_rng rng = un_rng_stream(4, "lines", 0);
    un_rng_fill_normal(&rng, x, LINES * WIDE, 0, 1);
    un_convert_to_bf16(x, x16, LINES * WIDE);
    for (int k = 0; k < 2; k++) open_three(&params[k], three[k], k);
    assert_null(params[0].value16);
    assert_null(un_param_operand(&params[0], 0, UN_BF16));
    for (size_t round = 0; round < 3; round++) {
        for (size_t first = 0; first < 3; first++) {
            for (size_t count = 1; first + count <= 3; count++) {
                for (size_t k = 0; k < 2; k++) {
                    un_dense layer = three[k][first];
                    layer.out = count * WIDE;
                    util_ok(un_dense_forward(&layer, &params[k], UN_BF16, x16, LINES,
                                             UN_DENSE_PLAIN, y[k], 0, UN_F32));
                }
                assert_memory_equal(y[0], y[1], LINES * count * WIDE * sizeof(float));
            }
        }
        for (int k = 0; round == 1 && k < 2; k++) {
            un_param_value(&params[k], 1)[7] = 100;
            un_params_refresh(&params[k]);
        }
    }
    for (size_t k = 0; k < 2; k++) un_params_free(&params[k]);
}

/* A set that keeps nothing of its matrices but their panels: products are the same bytes, the other
 * pieces have their values and lie as before, and what was not packed is not made up. */
static void nothing_but_packed_weights(void **state) {
    (void)state;
    un_params plain = {0}, packed = {0}, other = {0};
    un_dense three[3], same[3], last;
    const un_packed *panels = NULL;
    float x[LINES * WIDE], y[2][LINES * 2 * WIDE];
    un_bf16 x16[LINES * WIDE];
    un_rng rng = un_rng_stream(4, "lines", 0);
    un_rng_fill_normal(&rng, x, LINES * WIDE, 0, 1);
    un_convert_to_bf16(x, x16, LINES * WIDE);
    open_three(&plain, three, 0);
    declare_three(&packed, same);
    un_param_begins_matrix(&packed, 0, 2 * WIDE, WIDE); /* the first two together */
    un_param_begins_matrix(&packed, 2, WIDE, WIDE);
    util_ok(un_dense_declare(&last, &packed, "last", WIDE, 5));
    util_ok(un_params_allocate_packed(&packed));
    assert_int_equal(packed.total, 16); /* of the bias alone */
    for (size_t i = 0; i < 4; i++) assert_null(un_param_value(&packed, i));
    assert_ptr_equal(un_param_value(&packed, last.bias), packed.value);
    for (size_t i = 0; i < 3; i++) {
        if (i == 1)
            util_fails(un_param_packed(&packed, 0, 1, 2 * WIDE, WIDE, &panels), UNSEEN_E_ARGUMENT,
                       "\"query\" was not packed");
        util_ok(un_param_pack(&packed, i, un_param_value(&plain, i)));
    }
    un_params_refresh(&packed);
    for (size_t first = 0; first < 3; first += 2) {
        three[first].out = same[first].out = first == 0 ? 2 * WIDE : WIDE;
        util_ok(un_dense_forward(&three[first], &plain, UN_BF16, x16, LINES, UN_DENSE_PLAIN, y[0],
                                 0, UN_F32));
        util_ok(un_dense_forward(&same[first], &packed, UN_BF16, x16, LINES, UN_DENSE_PLAIN, y[1],
                                 0, UN_F32));
        assert_memory_equal(y[0], y[1], LINES * three[first].out * sizeof(float));
    }
    util_fails(un_param_packed(&packed, 0, 1, WIDE, WIDE, &panels), UNSEEN_E_ARGUMENT,
               "was not packed as 48 x 48");
    util_fails(un_param_pack(&packed, 1, un_param_value(&plain, 1)), UNSEEN_E_ARGUMENT,
               "\"key\" is packed already");
    util_fails(un_params_share(&other, &packed), UNSEEN_E_ARGUMENT, "cannot be shared");
    un_params_free(&plain);
    un_params_free(&packed);
}

/* A fixed piece has a value and nothing else: no gradient, no bf16 copy, no optimiser's state. */
static void fixed_pieces_stay(void **state) {
    (void)state;
    const size_t shape[] = {5, 7};
    un_params p = {0};
    size_t moving = 0;
    size_t fixed = 0;
    size_t late = 0;
    util_ok(un_params_add(&p, "moving", 1, shape, 0.1F, &moving));
    util_ok(un_params_add_fixed(&p, "fixed", 2, shape, &fixed));
    util_fails(un_params_add(&p, "late", 1, shape, 0, &late), UNSEEN_E_ARGUMENT, "after a fixed");
    util_ok(un_params_allocate(&p, 1, 1));
    assert_int_equal(p.trained, p.item[fixed].offset);
    assert_int_equal(p.total, p.trained + 48); /* 35 in pieces of 16 */
    for (size_t k = 0; k < sizeof g_settings / sizeof *g_settings; k++) {
        un_optimizer optimizer;
        util_ok(un_optimizer_create(&optimizer, &g_settings[k], &p));
        assert_int_equal(optimizer.total, p.trained);
        for (size_t i = 0; i < 5; i++) un_param_grad(&p, moving)[i] = 1;
        for (size_t i = 0; i < 35; i++) un_param_value(&p, fixed)[i] = (float)i;
        float before = *un_param_value(&p, moving);
        un_optimizer_step(&optimizer, &p);
        assert_true(*un_param_value(&p, moving) < before);
        for (size_t i = 0; i < 35; i++) assert_true(un_param_value(&p, fixed)[i] == (float)i);
        un_optimizer_free(&optimizer);
    }
    un_params_refresh(&p);
    un_params_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameter_layout),
        cmocka_unit_test(dense_gradients),
        cmocka_unit_test(dense_forward_by_hand),
        cmocka_unit_test(dense_in_bf16),
        cmocka_unit_test(packed_weights),
        cmocka_unit_test(nothing_but_packed_weights),
        cmocka_unit_test(squared_error_behind_relu),
        cmocka_unit_test(squared_error_of_any_sign),
        cmocka_unit_test(fixed_pieces_stay),
        cmocka_unit_test(updates_follow_the_formulas),
        cmocka_unit_test(still_parameters_stay),
        cmocka_unit_test(restart_forgets),
        cmocka_unit_test(threads_do_not_change_the_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
