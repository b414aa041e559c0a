/*
 * test_xlayer.c - DUET's cross-modal layer and its head for masked words beyond the
 * reference data: ragged pairs, dropout, bf16, and rows that nobody wants.
 */
#include "util.h"

#include <math.h>

#include "method/duet/network.h"
#include "tensor/kernels.h"

/* With initial values; gradients in f32, values in bf16, too. */
static void make_layer(duet_xlayer *layer, un_params *params, size_t width) {
    const un_block_config config = {width, 4, 40, 0, 1e-12f};
    util_ok(un_duet_xlayer_declare(layer, params, "x.", &config));
    util_ok(un_params_allocate(params, 1, 1));
    un_duet_xlayer_initialize(layer, params, 1, 0);
    un_params_refresh(params);
}

/* Ragged pairs with dropout in f32 and bf16: the loss follows the gradient of the inputs. */
static void cross_modal_gradients(void **state) {
    (void)state;
    enum { H = 32 };
    static const size_t words[] = {4, 9, 1}, regions[] = {3, 1, 5};
    static const size_t rows[] = {14, 9};
    duet_xlayer layer;
    un_params params = {0};
    un_arena arena = {0};
    make_layer(&layer, &params, H);
    duet_xlayer_context context = {.params = &params, .dropout = {0.1f, 0.1f, 0, 5, 6}};
    util_ok(un_sequences_ragged(&arena, 3, words, &context.sequences[0]));
    util_ok(un_sequences_ragged(&arena, 3, regions, &context.sequences[1]));
    for (int bf16 = 0; bf16 < 2; bf16++) {
        float x[2][14 * H], R[2][14 * H], d[2][14 * H], direction[2][14 * H];
        const float *const in[2] = {x[0], x[1]};
        float *const gradient[2] = {d[0], d[1]};
        double slope = 0, size = 0, loss[2] = {0};
        duet_xlayer_pass pass;
        un_rng rng = un_rng_stream(7, "test", 0);
        for (size_t s = 0; s < 2; s++) {
            un_rng_fill_normal(&rng, x[s], 14 * H, 0, 1);
            un_rng_fill_normal(&rng, R[s], 14 * H, 0, 1);
            un_rng_fill_normal(&rng, direction[s], 14 * H, 0, 1);
            memcpy(d[s], R[s], sizeof R[s]);
        }
        context.type = bf16 ? UN_BF16 : UN_F32;
        memset(params.grad, 0, params.total * sizeof(float));
        util_ok(un_duet_xlayer_pass_create(&pass, &layer, context.type, 1));
        util_ok(un_duet_xlayer_forward(&pass, &context, in));
        util_ok(un_duet_xlayer_backward(&pass, gradient));
        float step = bf16 ? 0.1f : 3e-3f;
        for (int k = 0; k < 2; k++) {
            for (size_t s = 0; s < 2; s++)
                un_axpy(k ? 2 * step : -step, direction[s], x[s], rows[s] * H);
            util_ok(un_duet_xlayer_forward(&pass, &context, in));
            for (size_t s = 0; s < 2; s++)
                for (size_t i = 0; i < rows[s] * H; i++)
                    loss[k] += (double)pass.side[s].out[i] * (double)R[s][i];
        }
        for (size_t s = 0; s < 2; s++)
            for (size_t i = 0; i < rows[s] * H; i++) {
                slope += (double)d[s][i] * (double)direction[s][i];
                size += pow((double)d[s][i], 2);
            }
        util_near((loss[1] - loss[0]) / (2 * (double)step), slope,
                  (bf16 ? 0.1 : 5e-3) * sqrt(size));
        un_duet_xlayer_pass_free(&pass);
    }
    un_params_free(&params);
    un_arena_free(&arena);
}

/* What is not subset is not computed, and changes nothing: outputs of the subset rows, gradients
 * of inputs and parameters. Picture 2 and text 1 only serve as what the other side sees. */
static void cross_modal_wanted_rows(void **state) {
    (void)state;
    enum { H = 32, SPACE = 14 * H };
    static const size_t words[] = {4, 9, 1}, regions[] = {3, 1, 5}, rows[] = {14, 9};
    static const size_t start[2][4] = {{0, 2, 2, 3}, {0, 1, 2, 2}};
    static const size_t row[2][3] = {{1, 3, 13}, {0, 3}}, count[2] = {3, 2};
    duet_xlayer layer;
    un_params params = {0};
    un_arena arena = {0};
    make_layer(&layer, &params, H);
    float *kept = NULL;
    util_ok(un_arena_alloc(&arena, params.total, sizeof *kept, &kept));
    duet_xlayer_context context = {.params = &params};
    util_ok(un_sequences_ragged(&arena, 3, words, &context.sequences[0]));
    util_ok(un_sequences_ragged(&arena, 3, regions, &context.sequences[1]));
    un_query_subset subset[2];
    for (size_t s = 0; s < 2; s++)
        subset[s] = (un_query_subset){.sequences = {3, start[s]}, .row = row[s]};
    for (int sides = 0; sides < 4; sides++) { /* none, language, vision, both are cut down */
        float x[2][SPACE], R[2][SPACE], d[2][2][SPACE] = {0}, out[2][2][SPACE] = {0};
        const float *const in[2] = {x[0], x[1]};
        un_rng rng = un_rng_stream(9, "test", 0);
        double largest = 0;
        context.type = sides == 3 ? UN_BF16 : UN_F32;
        for (size_t s = 0; s < 2; s++) {
            un_rng_fill_normal(&rng, x[s], SPACE, 0, 1);
            un_rng_fill_normal(&rng, R[s], SPACE, 0, 1);
        }
        for (int cut = 0; cut < 2; cut++) {
            duet_xlayer_pass pass;
            float *const gradient[2] = {d[cut][0], d[cut][1]};
            memset(params.grad, 0, params.total * sizeof(float));
            for (size_t s = 0; s < 2; s++) {
                context.subset[s] = cut && sides >> s & 1 ? &subset[s] : NULL;
                for (size_t i = 0; i < count[s]; i++)
                    memcpy(d[cut][s] + (context.subset[s] ? i : row[s][i]) * H, R[s] + i * H,
                           H * sizeof(float));
            }
            util_ok(un_duet_xlayer_pass_create(&pass, &layer, context.type, 1));
            util_ok(un_duet_xlayer_forward(&pass, &context, in));
            for (size_t s = 0; s < 2; s++)
                for (size_t i = 0; i < count[s]; i++)
                    memcpy(out[cut][s] + i * H,
                           pass.side[s].out + (context.subset[s] ? i : row[s][i]) * H,
                           H * sizeof(float));
            util_ok(un_duet_xlayer_backward(&pass, gradient));
            un_duet_xlayer_pass_free(&pass);
            if (!cut) memcpy(kept, params.grad, params.total * sizeof *kept);
        }
        /* bf16 rounds what it multiplies, which sums in another order may have moved. */
        double tolerance = context.type == UN_BF16 ? 2e-2 : 1e-5;
        for (size_t s = 0; s < 2; s++) {
            for (size_t i = 0; i < count[s] * H; i++)
                util_near((double)out[0][s][i], (double)out[1][s][i], tolerance);
            for (size_t i = 0; i < rows[s] * H; i++)
                util_near((double)d[0][s][i], (double)d[1][s][i], tolerance);
        }
        for (size_t i = 0; i < params.total; i++) largest = fmax(largest, fabs((double)kept[i]));
        for (size_t i = 0; i < params.total; i++)
            util_near((double)kept[i], (double)params.grad[i], tolerance * largest);
    }
    un_params_free(&params);
    un_arena_free(&arena);
}

static void masked_words_in_bf16(void **state) {
    (void)state;
    enum { R = 6, H = 32, V = 50 };
    float hidden[R * H], dlogits[R * V], dhidden[2][R * H], logits[2][R * V];
    duet_mlm_head head;
    un_params params = {0};
    un_rng rng = un_rng_stream(8, "test", 0);
    util_ok(un_duet_mlm_declare(&head, &params, "cls.", H, V, 1e-12f));
    util_ok(un_params_allocate(&params, 1, 1));
    un_duet_mlm_initialize(&head, &params, 1);
    un_params_refresh(&params);
    un_rng_fill_normal(&rng, hidden, R * H, 0, 1);
    un_rng_fill_normal(&rng, dlogits, R * V, 0, 1);
    for (int bf16 = 0; bf16 < 2; bf16++) {
        duet_mlm_pass pass;
        float *out = NULL;
        util_ok(un_duet_mlm_pass_create(&pass, &head, bf16 ? UN_BF16 : UN_F32, 1));
        util_ok(un_duet_mlm_forward(&pass, &params, hidden, R, &out));
        memcpy(logits[bf16], out, sizeof logits[0]);
        util_ok(un_duet_mlm_backward(&pass, &params, dlogits, dhidden[bf16], 0));
        un_duet_mlm_pass_free(&pass);
    }
    double gap = 0, size = 0;
    for (size_t i = 0; i < R * V; i++) gap += pow((double)(logits[0][i] - logits[1][i]), 2);
    for (size_t i = 0; i < R * V; i++) size += pow((double)logits[0][i], 2);
    util_near(sqrt(gap / size), 0, 0.02);
    gap = size = 0;
    for (size_t i = 0; i < R * H; i++) gap += pow((double)(dhidden[0][i] - dhidden[1][i]), 2);
    for (size_t i = 0; i < R * H; i++) size += pow((double)dhidden[0][i], 2);
    util_near(sqrt(gap / size), 0, 0.03);
    un_params_free(&params);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cross_modal_gradients),
        cmocka_unit_test(cross_modal_wanted_rows),
        cmocka_unit_test(masked_words_in_bf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
