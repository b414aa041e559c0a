/*
 * test_image_budget.c - memory for decoding: pictures that promise more than they hold, what is held
 * at most, and threads that wait for each other.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "base/parallel.h"
#include "unit/image_sample.h"

/* 144 bytes that promise 11000 x 11000 pixels: refused before memory is taken for them. */
static void test_promises(void **state) {
    (void)state;
    unsigned char grey[64 * 64] = {0};
    VipsImage *plain =
        vips_image_new_from_memory_copy(grey, sizeof grey, 64, 64, 1, VIPS_FORMAT_UCHAR);
    un_image image;
    blob b = encode(plain, ".jpg[Q=90]");
    for (size_t i = 0; i + 8 < b.size; i++)
        if (b.bytes[i] == 0xff && b.bytes[i + 1] == 0xc0) {
            b.bytes[i + 5] = b.bytes[i + 7] = 11000 >> 8;
            b.bytes[i + 6] = b.bytes[i + 8] = 11000 & 255;
        }
    util_fails(un_image_decode(b.bytes, b.size, "promise", NULL, &image), UNSEEN_E_FORMAT,
               "cannot hold the 121000000 pixels");
    free(b.bytes);
}

/* How much the budget held at most, in bytes a pixel, while the picture was decoded. */
static size_t most_held(const char *ending, int bands, size_t *kept) {
    enum { SIDE = 2048, PIXELS = SIDE * SIDE };
    unsigned char *pixels = calloc(PIXELS, (size_t)bands);
    assert_non_null(pixels);
    for (size_t i = 0; i < (size_t)PIXELS * (size_t)bands; i++)
        pixels[i] = (unsigned char)(i * i >> 7);
    VipsImage *plain = vips_image_new_from_memory(pixels, (size_t)PIXELS * (size_t)bands, SIDE,
                                                  SIDE, bands, VIPS_FORMAT_UCHAR);
    assert_non_null(plain);
    plain->Type = bands == 1 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB;
    un_image image;
    blob b = encode(plain, ending);
    assert_int_equal(un_budget_now().held, 0);
    util_ok(decode(&b, ending, &image));
    *kept = un_budget_now().held / PIXELS;
    un_image_free(&image);
    assert_int_equal(un_budget_now().held, 0);
    free(b.bytes);
    free(pixels);
    return un_budget_now().most / PIXELS;
}

/* A decoded picture counts until it is released, and what a loader keeps of it while it decodes. The
 * most is of the whole run, so each one asks for more than those before. */
static void test_budget_counts(void **state) {
    (void)state;
    static const struct {
        const char *ending;
        int bands;
        size_t most;
    } cases[] = {{".jpg", 3, 3},
                 {".png", 3, 3},
                 {".png[interlace]", 1, 4},
                 {".png[interlace]", 3, 6},
                 {".jpg[interlace,no-subsample]", 3, 9},
                 {".webp[lossless,reduction-effort=0]", 3, 11}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t kept = 0;
        size_t most = most_held(cases[i].ending, cases[i].bands, &kept);
        assert_int_equal(kept, 3);
        if (most != cases[i].most)
            fail_msg("%s: %zu bytes a pixel, not %zu", cases[i].ending, most, cases[i].most);
    }
    blob b = sample(FORMATS - 1);
    un_image image;
    util_ok(decode(&b, "bmp", &image));
    assert_int_equal(un_budget_now().held, WIDTH * HEIGHT * 3);
    un_image_free(&image);
    assert_int_equal(un_budget_now().held, 0);
    b.size /= 2;
    util_fails(decode(&b, "bmp", &image), UNSEEN_E_FORMAT, "damaged");
    assert_int_equal(un_budget_now().held, 0);
    free(b.bytes);
}

static atomic_size_t g_inside, g_crowd;

/* Shares of a little more than half of the budget: never two at once. */
static void *take_half(void *context) {
    (void)context;
    size_t bytes = un_decoding_budget / 2 + 1;
    for (int i = 0; i < 50; i++) {
        if (un_budget_take(bytes) != UNSEEN_OK) return "refused";
        size_t inside = atomic_fetch_add(&g_inside, 1) + 1;
        if (inside > atomic_load(&g_crowd)) atomic_store(&g_crowd, inside);
        sched_yield();
        atomic_fetch_sub(&g_inside, 1);
        un_budget_return(bytes);
    }
    return NULL;
}

static void *take_small(void *context) {
    size_t bytes = un_decoding_budget / 8;
    if (un_budget_take(bytes) != UNSEEN_OK) return "refused";
    pthread_barrier_wait(context); /* all of them at once, or the test hangs */
    un_budget_return(bytes);
    return NULL;
}

static void test_budget_of_threads(void **state) {
    (void)state;
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int round = 0; round < 2; round++) {
        for (size_t t = 0; t < THREADS; t++)
            assert_int_equal(
                pthread_create(&threads[t], NULL, round ? take_small : take_half, &barrier), 0);
        for (size_t t = 0; t < THREADS; t++) {
            void *why = NULL;
            pthread_join(threads[t], &why);
            if (why) fail_msg("%s", (const char *)why);
        }
    }
    pthread_barrier_destroy(&barrier);
    assert_int_equal(atomic_load(&g_crowd), 1);
    /* One picture may always go ahead, and a thread does not wait for itself. */
    util_ok(un_budget_take(un_decoding_budget + 1));
    util_ok(un_budget_take(un_decoding_budget));
    un_budget_return(2 * un_decoding_budget + 1);
    assert_int_equal(un_budget_now().held, 0);
    util_fails(un_budget_take((size_t)1 << 50), UNSEEN_E_MEMORY, "out of memory: decoding needs");
    assert_int_equal(un_budget_now().held, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget_counts),
        cmocka_unit_test(test_budget_of_threads),
        cmocka_unit_test(test_promises),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
