/* test_duet_augment.c - random changes of training pictures: ranges, repeatability, geometry. */
#include <math.h>

#include "method/duet/network.h"
#include "util.h"

enum { S = 12, SIZE = S * S * 3 };

static void ramp(float *picture) {
    for (size_t y = 0; y < S; y++)
        for (size_t x = 0; x < S; x++) {
            float *pixel = picture + (y * S + x) * 3;
            pixel[0] = (float)(10 * y);
            pixel[1] = (float)(10 * x);
            pixel[2] = 100;
        }
}

static void nothing_changes_nothing(void **state) {
    (void)state;
    const duet_change none = {.zoom = 1, .brightness = 1};
    float in[SIZE], out[SIZE];
    ramp(in);
    un_duet_change_apply(&none, in, S, out);
    for (size_t i = 0; i < SIZE; i++) assert_true(in[i] == out[i]);
}

static void mirror_moves_columns(void **state) {
    (void)state;
    const duet_change mirror = {.mirrored = 1, .zoom = 1, .brightness = 1};
    float in[SIZE], out[SIZE];
    ramp(in);
    un_duet_change_apply(&mirror, in, S, out);
    for (size_t y = 0; y < S; y++)
        for (size_t x = 0; x < S; x++)
            for (size_t c = 0; c < 3; c++)
                assert_true(out[(y * S + x) * 3 + c] == in[(y * S + S - 1 - x) * 3 + c]);
}

/* On ramps bilinear interpolation is exact: values tell where a pixel came from. */
static void zoom_and_move(void **state) {
    (void)state;
    const duet_change change = {.zoom = 1.25, .down = 0.125, .right = -0.0625, .brightness = 0.9};
    float in[SIZE], out[SIZE];
    ramp(in);
    un_duet_change_apply(&change, in, S, out);
    for (size_t y = 0; y < S; y++)
        for (size_t x = 0; x < S; x++) {
            double v = ((double)y + 0.5 - S / 2.0) / 1.25 + S / 2.0 + 0.125 * S - 0.5;
            double h = ((double)x + 0.5 - S / 2.0) / 1.25 + S / 2.0 - 0.0625 * S - 0.5;
            double last = S - 1;
            const float *pixel = out + (y * S + x) * 3;
            /* a few roundings of values up to 110 */
            assert_true(fabs((double)pixel[0] - (9 * fmin(fmax(v, 0), last))) < 1e-4);
            assert_true(fabs((double)pixel[1] - (9 * fmin(fmax(h, 0), last))) < 1e-4);
            assert_true(fabs((double)pixel[2] - (90)) < 1e-4);
        }
}

static void draws_stay_in_range(void **state) {
    (void)state;
    size_t mirrored = 0;
    double least = 2, most = 0;
    for (size_t i = 0; i < 2000; i++) {
        duet_change c = un_duet_change_draw(3, 1, 2, i), again = un_duet_change_draw(3, 1, 2, i);
        assert_true(c.zoom == again.zoom && c.down == again.down && c.mirrored == again.mirrored);
        assert_true(c.zoom >= exp2(-1.0 / 3) && c.zoom <= exp2(1.0 / 3));
        assert_true(fabs(c.down) <= 0.125 && fabs(c.right) <= 0.125);
        assert_true(c.brightness >= 0.8 - 1e-12 && c.brightness <= 1.25 + 1e-12);
        mirrored += (size_t)c.mirrored;
        least = fmin(least, c.zoom);
        most = fmax(most, c.zoom);
    }
    /* half of 2000, six standard deviations of 22 */
    assert_in_range(mirrored, 866, 1134);
    assert_true(least < 0.8 && most > 1.25);
    assert_true(un_duet_change_draw(3, 1, 2, 0).down != un_duet_change_draw(3, 1, 3, 0).down);
    assert_true(un_duet_change_draw(3, 1, 2, 0).down != un_duet_change_draw(3, 2, 2, 0).down);
}

static void a_batch_is_its_pictures(void **state) {
    (void)state;
    enum { N = 3 };
    float in[N * SIZE], out[N * SIZE], one[SIZE];
    for (size_t i = 0; i < N; i++) ramp(in + i * SIZE);
    un_duet_augment(9, 4, 5, (un_mask_rows){0}, in, N, S, out);
    for (size_t i = 0; i < N; i++) {
        duet_change change = un_duet_change_draw(9, 4, 5, i);
        un_duet_change_apply(&change, in + i * SIZE, S, one);
        assert_memory_equal(one, out + i * SIZE, sizeof one);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_changes_nothing), cmocka_unit_test(mirror_moves_columns),
        cmocka_unit_test(zoom_and_move),           cmocka_unit_test(draws_stay_in_range),
        cmocka_unit_test(a_batch_is_its_pictures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
