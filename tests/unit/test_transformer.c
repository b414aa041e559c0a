/*
 * test_transformer.c - transformer blocks and stacks of them: gradients against
 * finite differences, recomputation, bf16, prediction in place.
 */
#include "util.h"

#include <math.h>

#include "nn/transformer.h"

enum { BLOCKS = 3 };

typedef struct {
    un_arena arena;
    un_params params;
    un_block block[BLOCKS];
    un_encoder encoder;
    un_encoder_pass pass;
    un_pass_context context;
    float *x, *R; /* input; the loss is <output, R> */
    size_t rows, H;
} stack;

static const un_block_names g_names = {{"q", "k", "v", "o"}, "n1", "i", "f", "n2"};

static void stack_make(stack *s, size_t layers, size_t H, size_t heads, int pre_norm, un_dtype type,
                       int recompute, float probability) {
    static const size_t lengths[] = {5, 1, 12, 7};
    const un_block_config config = {H, heads, 2 * H + 3, pre_norm, 1e-12f};
    const char *const prefix[BLOCKS] = {"0.", "1.", "2."};
    *s = (stack){.H = H};
    for (size_t l = 0; l < layers; l++)
        util_ok(un_block_declare(&s->block[l], &s->params, prefix[l], &g_names, &config));
    util_ok(un_params_allocate(&s->params, 1, type == UN_BF16));
    un_rng rng = un_rng_stream(6, "test", H);
    un_rng_fill_normal(&rng, s->params.value, s->params.total, 0.1, 0.3);
    un_params_refresh(&s->params);
    s->encoder = (un_encoder){layers, s->block, "test"};
    util_ok(un_encoder_pass_create(&s->pass, &s->encoder, type, 1, recompute));
    s->context = (un_pass_context){
        .params = &s->params,
        .type = type,
        .dropout = {.hidden = probability, .attention = probability, .seed = 3, .draw = 4}};
    util_ok(un_sequences_ragged(&s->arena, 4, lengths, &s->context.sequences));
    s->rows = un_sequence_rows(&s->context.sequences);
    util_ok(un_arena_alloc(&s->arena, s->rows * H, sizeof(float), &s->x));
    util_ok(un_arena_alloc(&s->arena, s->rows * H, sizeof(float), &s->R));
    un_rng_fill_normal(&rng, s->x, s->rows * H, 0, 1);
    un_rng_fill_normal(&rng, s->R, s->rows * H, 0, 1);
}

static void stack_free(stack *s) {
    un_encoder_pass_free(&s->pass);
    un_params_free(&s->params);
    un_arena_free(&s->arena);
}

static double stack_loss(stack *s) {
    double loss = 0;
    util_ok(un_encoder_pass_reserve(&s->pass, s->rows));
    memcpy(s->pass.x[0], s->x, s->rows * s->H * sizeof(float));
    util_ok(un_encoder_forward(&s->pass, &s->context));
    for (size_t i = 0; i < s->rows * s->H; i++)
        loss += (double)s->pass.x[s->encoder.layers][i] * (double)s->R[i];
    return loss;
}

static void stack_backward(stack *s, float *d) {
    memcpy(d, s->R, s->rows * s->H * sizeof *d);
    memset(s->params.grad, 0, s->params.total * sizeof(float));
    util_ok(un_encoder_backward(&s->pass, &s->context, d));
}

/* Along a random direction of `values`, the loss changes as the gradient says. */
static void check_direction(stack *s, float *values, const float *gradient, size_t n,
                            uint64_t number) {
    const double step = 1e-3;
    double slope = 0, size = 0, loss[2];
    float *direction = NULL, *kept = NULL;
    un_rng rng = un_rng_stream(7, "direction", number);
    util_ok(un_arena_alloc(&s->arena, n, sizeof *kept, &kept));
    util_ok(un_arena_alloc(&s->arena, n, sizeof *kept, &direction));
    un_rng_fill_normal(&rng, direction, n, 0, 1);
    memcpy(kept, values, n * sizeof *kept);
    for (size_t i = 0; i < n; i++) {
        slope += (double)direction[i] * (double)gradient[i];
        size += pow((double)gradient[i], 2);
    }
    for (int sign = 0; sign < 2; sign++) {
        for (size_t i = 0; i < n; i++)
            values[i] = (float)((double)kept[i] + (sign ? step : -step) * (double)direction[i]);
        loss[sign] = stack_loss(s);
    }
    memcpy(values, kept, n * sizeof *kept);
    util_near((loss[1] - loss[0]) / (2 * step), slope, 5e-3 * sqrt(size));
}

static void blocks_have_right_gradients(void **state) {
    (void)state;
    /* 15 wide: no fused projection, no whole vector; 32: both */
    static const size_t widths[][2] = {{15, 3}, {32, 4}};
    for (size_t w = 0; w < 2; w++)
        for (int pre_norm = 0; pre_norm < 2; pre_norm++)
            for (int drop = 0; drop < 2; drop++) {
                stack s;
                float *d = NULL;
                stack_make(&s, 2, widths[w][0], widths[w][1], pre_norm, UN_F32, 0, drop ? 0.2f : 0);
                assert_int_equal(s.block[0].attention.fused, w == 1);
                util_ok(un_arena_alloc(&s.arena, s.rows * s.H, sizeof *d, &d));
                stack_loss(&s);
                stack_backward(&s, d);
                for (uint64_t i = 0; i < 3; i++) {
                    check_direction(&s, s.x, d, s.rows * s.H, i);
                    check_direction(&s, s.params.value, s.params.grad, s.params.total, 10 + i);
                }
                stack_free(&s);
            }
}

static void recomputation_changes_nothing(void **state) {
    (void)state;
    for (int pre_norm = 0; pre_norm < 2; pre_norm++) {
        /* nothing, everything, and what goes beyond a budget of 2 and of 3 blocks */
        enum { WAYS = 4 };
        static const size_t kept[WAYS] = {BLOCKS, 0, 1, BLOCKS};
        stack s[WAYS];
        float *d[WAYS];
        for (size_t i = 0; i < WAYS; i++) {
            stack_make(&s[i], BLOCKS, 32, 4, pre_norm, UN_F32, i > 0, 0.2f);
            s[i].pass.budget =
                i * un_block_state_bytes(&s[i].block[0].config, UN_F32, s[i].rows, 0);
            if (i < 2) s[i].pass.budget = 0;
            util_ok(un_arena_alloc(&s[i].arena, s[i].rows * 32, sizeof(float), &d[i]));
            stack_loss(&s[i]);
            stack_backward(&s[i], d[i]);
            assert_int_equal(s[i].pass.kept, kept[i]);
            assert_memory_equal(d[0], d[i], s[0].rows * 32 * sizeof(float));
            assert_memory_equal(s[0].params.grad, s[i].params.grad,
                                s[0].params.total * sizeof(float));
        }
        for (size_t i = 0; i < WAYS; i++) stack_free(&s[i]);
    }
}

static void bf16_blocks_are_close(void **state) {
    (void)state;
    for (int pre_norm = 0; pre_norm < 2; pre_norm++) {
        stack s[2];
        float *d[2];
        double gap = 0, size = 0;
        for (int i = 0; i < 2; i++) {
            stack_make(&s[i], 2, 32, 4, pre_norm, i ? UN_BF16 : UN_F32, i, 0.1f);
            util_ok(un_arena_alloc(&s[i].arena, s[i].rows * 32, sizeof(float), &d[i]));
            stack_loss(&s[i]);
            stack_backward(&s[i], d[i]);
        }
        for (size_t i = 0; i < s[0].params.total; i++) {
            gap += pow((double)(s[0].params.grad[i] - s[1].params.grad[i]), 2);
            size += pow((double)s[0].params.grad[i], 2);
        }
        util_near(sqrt(gap / size), 0, 0.05);
        stack_free(&s[0]);
        stack_free(&s[1]);
    }
}

/* A pass for prediction gives the same numbers in place, and refuses what it cannot do. */
static void prediction_in_place(void **state) {
    (void)state;
    for (int pre_norm = 0; pre_norm < 2; pre_norm++) {
        stack s;
        un_encoder_pass plain;
        stack_make(&s, 2, 32, 4, pre_norm, UN_F32, 0, 0);
        stack_loss(&s);
        util_ok(un_encoder_pass_create(&plain, &s.encoder, UN_F32, 0, 0));
        util_ok(un_encoder_pass_reserve(&plain, s.rows));
        memcpy(plain.x[0], s.x, s.rows * 32 * sizeof(float));
        util_ok(un_encoder_forward(&plain, &s.context));
        for (size_t i = 0; i < s.rows * 32; i++)
            util_near((double)plain.x[2][i], (double)s.pass.x[2][i], 2e-5);
        util_fails(un_encoder_backward(&plain, &s.context, s.x), UNSEEN_E_ARGUMENT, "training");
        s.context.dropout.hidden = 0.1f;
        util_fails(un_encoder_forward(&plain, &s.context), UNSEEN_E_ARGUMENT, "dropout");
        s.context.sequences.count = 4;
        s.pass.rows = 3;
        util_fails(un_encoder_forward(&s.pass, &s.context), UNSEEN_E_ARGUMENT, "this batch");
        un_encoder_pass_free(&plain);
        stack_free(&s);
    }
}

int main(void) {
    util_skip_other_way();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_have_right_gradients),
        cmocka_unit_test(recomputation_changes_nothing),
        cmocka_unit_test(bf16_blocks_are_close),
        cmocka_unit_test(prediction_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
