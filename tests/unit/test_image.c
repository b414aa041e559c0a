/* test_image.c - decoding, whole, turned, damaged and on several threads. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/parallel.h"
#include "unit/image_sample.h"

static void test_formats(void **state) {
    (void)state;
    unsigned char rgb[WIDTH * HEIGHT * 3];
    paint(rgb, 3);
    for (size_t f = 0; f < FORMATS; f++) {
        blob b = sample(f);
        un_image image;
        util_ok(decode(&b, g_endings[f], &image));
        if (f == 0 || f == 4) { /* lossy: JPEG, and GIF with its 256 colours */
            double sum = 0;
            assert_int_equal(image.width, WIDTH);
            assert_int_equal(image.height, HEIGHT);
            for (size_t i = 0; i < sizeof rgb; i++) sum += abs(image.pixels[i] - rgb[i]);
            assert_true(sum / sizeof rgb < 12);
        } else {
            assert_pixels(&image, rgb);
        }
        un_image_free(&image);
        free(b.bytes);
    }
}

/* How often the memory of this process is mapped from files with that in their names. */
static size_t mapped(const char *name) {
    char line[4096];
    size_t count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) count += strstr(line, name) != NULL;
    fclose(maps);
    return count;
}

/* 16 x 12 pixels of one colour as AVIF: the module that reads it comes with it, and only that. */
static void test_heif(void **state) {
    (void)state;
    static const unsigned char avif[] = {
        0,    0,    0,    0x1c, 0x66, 0x74, 0x79, 0x70, 0x61, 0x76, 0x69, 0x66, 0,    0,    0,
        0,    0x61, 0x76, 0x69, 0x66, 0x6d, 0x69, 0x66, 0x31, 0x6d, 0x69, 0x61, 0x66, 0,    0,
        0,    0xea, 0x6d, 0x65, 0x74, 0x61, 0,    0,    0,    0,    0,    0,    0,    0x21, 0x68,
        0x64, 0x6c, 0x72, 0,    0,    0,    0,    0,    0,    0,    0,    0x70, 0x69, 0x63, 0x74,
        0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
        0,    0x0e, 0x70, 0x69, 0x74, 0x6d, 0,    0,    0,    0,    0,    0x01, 0,    0,    0,
        0x22, 0x69, 0x6c, 0x6f, 0x63, 0,    0,    0,    0,    0x44, 0x40, 0,    0x01, 0,    0x01,
        0,    0,    0,    0,    0x01, 0x0e, 0,    0x01, 0,    0,    0,    0,    0,    0,    0,
        0x1e, 0,    0,    0,    0x23, 0x69, 0x69, 0x6e, 0x66, 0,    0,    0,    0,    0,    0x01,
        0,    0,    0,    0x15, 0x69, 0x6e, 0x66, 0x65, 0x02, 0,    0,    0,    0,    0x01, 0,
        0,    0x61, 0x76, 0x30, 0x31, 0,    0,    0,    0,    0x6a, 0x69, 0x70, 0x72, 0x70, 0,
        0,    0,    0x4b, 0x69, 0x70, 0x63, 0x6f, 0,    0,    0,    0x13, 0x63, 0x6f, 0x6c, 0x72,
        0x6e, 0x63, 0x6c, 0x78, 0,    0x02, 0,    0x02, 0,    0x06, 0x80, 0,    0,    0,    0x0c,
        0x61, 0x76, 0x31, 0x43, 0x81, 0x20, 0x02, 0,    0,    0,    0,    0x14, 0x69, 0x73, 0x70,
        0x65, 0,    0,    0,    0,    0,    0,    0,    0x10, 0,    0,    0,    0x0c, 0,    0,
        0,    0x10, 0x70, 0x69, 0x78, 0x69, 0,    0,    0,    0,    0x03, 0x08, 0x08, 0x08, 0,
        0,    0,    0x17, 0x69, 0x70, 0x6d, 0x61, 0,    0,    0,    0,    0,    0,    0,    0x01,
        0,    0x01, 0x04, 0x81, 0x82, 0x03, 0x84, 0,    0,    0,    0x26, 0x6d, 0x64, 0x61, 0x74,
        0x12, 0,    0x0a, 0x08, 0x38, 0x0c, 0xfe, 0xd8, 0x40, 0x80, 0x81, 0xa4, 0x32, 0x10, 0x11,
        0x80, 0,    0,    0x40, 0,    0x57, 0xb8, 0x3f, 0x7d, 0x42, 0xf0, 0x9e, 0x19, 0x84, 0x74};
    static const int colour[] = {200, 100, 50};
    un_image image;
    un_image_head head;
    assert_true(mapped("/libvips.so") > 0);
    if (!getenv("VIPSHOME")) {
        assert_int_equal(mapped("/vips-magick."), 0);
        assert_int_equal(mapped("/vips-heif."), 0);
    }
    if (!un_image_reads(UN_KIND_HEIF)) {
        print_message("this libvips does not read HEIF\n");
        skip();
    }
    if (!getenv("VIPSHOME")) assert_int_equal(mapped("/vips-magick."), 0);
    util_ok(un_image_decode_head(avif, sizeof avif, "flat.avif", &head));
    assert_int_equal(head.width, 16);
    assert_int_equal(head.height, 12);
    if (un_image_decode(avif, sizeof avif, "flat.avif", NULL, &image)) {
        print_message("%s; is there no decoder of AV1?\n", unseen_last_error());
        skip();
    }
    assert_int_equal(image.width, 16);
    assert_int_equal(image.height, 12);
    for (size_t i = 0; i < (size_t)16 * 12 * 3; i++)
        assert_in_range(image.pixels[i], colour[i % 3] - 4, colour[i % 3] + 4);
    un_image_free(&image);
}

/* Grey, alpha and 16 bits to RGB. */
static void test_layouts(void **state) {
    (void)state;
    unsigned char in[WIDTH * HEIGHT * 4], rgb[WIDTH * HEIGHT * 3];
    uint16_t wide[WIDTH * HEIGHT * 4];
    static const char *const endings[] = {".png", ".tif"};
    for (size_t e = 0; e < 2; e++)
        for (size_t bands = 1; bands <= 4; bands++)
            for (int deep = 0; deep < 2; deep++) {
                un_image image;
                paint(in, bands);
                for (size_t i = 0; i < WIDTH * HEIGHT * bands; i++)
                    wide[i] = (uint16_t)(in[i] << 8 | (255 - in[i]));
                for (size_t i = 0; i < WIDTH * HEIGHT; i++)
                    for (size_t c = 0; c < 3; c++)
                        rgb[3 * i + c] = in[i * bands + (bands >= 3 ? c : 0)];
                VipsInterpretation kind =
                    bands < 3 ? (deep ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_B_W)
                              : (deep ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB);
                blob b = encode(deep ? vips_of(wide, bands, VIPS_FORMAT_USHORT, kind)
                                     : vips_of(in, bands, VIPS_FORMAT_UCHAR, kind),
                                endings[e]);
                util_ok(decode(&b, endings[e], &image));
                assert_pixels(&image, rgb);
                un_image_free(&image);
                free(b.bytes);
            }
}

/* round((255 - k)(255 - c) / 255) but rounded as the formula says. */
static void test_cmyk(void **state) {
    (void)state;
    unsigned char in[WIDTH * HEIGHT * 4], rgb[WIDTH * HEIGHT * 3];
    un_image image;
    paint(in, 4);
    for (size_t i = 0; i < WIDTH * HEIGHT; i++)
        for (size_t c = 0; c < 3; c++) {
            int light = 255 - in[4 * i + 3];
            rgb[3 * i + c] = (unsigned char)(light - (int)(in[4 * i + c] * light / 255.0 + 0.5));
        }
    blob b = encode(vips_of(in, 4, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_CMYK),
                    ".tif[compression=lzw]");
    util_ok(decode(&b, "cmyk", &image));
    assert_pixels(&image, rgb);
    un_image_free(&image);
    free(b.bytes);
}

/* Eight flat colours in columns as wide as a JPEG's blocks, over a height of whole blocks. */
enum { FLAT_WIDTH = 128, FLAT_HEIGHT = 32 };
static void paint_flat(unsigned char *out, size_t bands, size_t first) {
    for (size_t i = 0; i < (size_t)FLAT_WIDTH * FLAT_HEIGHT; i++)
        for (size_t b = 0; b < bands; b++)
            out[i * bands + b] =
                b == 3 ? 77
                       : (unsigned char)((i % FLAT_WIDTH / 16 + first) % 8 >> b & 1 ? 220 : 30);
}

static VipsImage *flat_of(const unsigned char *pixels, int bands, int pages,
                          VipsInterpretation kind) {
    size_t n = (size_t)FLAT_WIDTH * FLAT_HEIGHT * (size_t)pages * (size_t)bands;
    VipsImage *image = vips_image_new_from_memory_copy(pixels, n, FLAT_WIDTH, FLAT_HEIGHT * pages,
                                                       bands, VIPS_FORMAT_UCHAR);
    assert_non_null(image);
    image->Type = kind;
    if (pages > 1) vips_image_set_int(image, VIPS_META_PAGE_HEIGHT, FLAT_HEIGHT);
    return image;
}

/* A palette, an alpha channel, several frames and CMYK give the pixels of the plain picture:
 * exactly, but of a JPEG, whose flat blocks are off by the rounding of one coefficient and of the
 * inks. */
static void test_plain_forms(void **state) {
    (void)state;
    static const struct {
        const char *ending;
        int bands, pages, off;
        VipsInterpretation kind;
    } cases[] = {{".png[palette,dither=0]", 3, 1, 0, VIPS_INTERPRETATION_sRGB},
                 {".png[palette,bitdepth=4,dither=0]", 3, 1, 0, VIPS_INTERPRETATION_sRGB},
                 {".gif[dither=0]", 3, 1, 0, VIPS_INTERPRETATION_sRGB},
                 {".gif[dither=0]", 3, 3, 0, VIPS_INTERPRETATION_sRGB},
                 {".webp[lossless]", 3, 3, 0, VIPS_INTERPRETATION_sRGB},
                 {".tif", 3, 3, 0, VIPS_INTERPRETATION_sRGB},
                 {".webp[lossless]", 4, 1, 0, VIPS_INTERPRETATION_sRGB},
                 {".png", 4, 1, 0, VIPS_INTERPRETATION_sRGB},
                 {".jpg[Q=100]", 3, 1, 4, VIPS_INTERPRETATION_sRGB},
                 {".jpg[Q=100]", 4, 1, 4, VIPS_INTERPRETATION_CMYK},
                 {".tif[compression=jpeg,Q=100]", 3, 1, 4, VIPS_INTERPRETATION_sRGB}};
    unsigned char in[FLAT_WIDTH * FLAT_HEIGHT * 4 * 3];
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        size_t bands = (size_t)cases[c].bands, page = FLAT_WIDTH * FLAT_HEIGHT * bands;
        un_image image;
        for (size_t p = 0; p < (size_t)cases[c].pages; p++) paint_flat(in + p * page, bands, p);
        blob b =
            encode(flat_of(in, cases[c].bands, cases[c].pages, cases[c].kind), cases[c].ending);
        util_ok(decode(&b, cases[c].ending, &image));
        assert_int_equal(image.width, FLAT_WIDTH);
        assert_int_equal(image.height, FLAT_HEIGHT);
        for (size_t i = 0; i < (size_t)FLAT_WIDTH * FLAT_HEIGHT; i++)
            for (size_t k = 0; k < 3; k++) {
                const unsigned char *ink = in + i * bands;
                int want = ink[k];
                if (cases[c].kind == VIPS_INTERPRETATION_CMYK)
                    want = (255 - ink[3]) - (int)(ink[k] * (255 - ink[3]) / 255.0 + 0.5);
                if (abs(image.pixels[3 * i + k] - want) > cases[c].off)
                    fail_msg("case %zu, %s, pixel %zu: %d, not %d", c, cases[c].ending, i,
                             image.pixels[3 * i + k], want);
            }
        un_image_free(&image);
        free(b.bytes);
    }
}

/* Four coloured quarters, turned as a viewer would. */
static void test_orientation(void **state) {
    (void)state;
    /* Numbers of the quarters upper left, upper right, lower left, lower right when shown. */
    static const unsigned char shown[9][4] = {{0},          {0, 1, 2, 3}, {1, 0, 3, 2},
                                              {3, 2, 1, 0}, {2, 3, 0, 1}, {0, 2, 1, 3},
                                              {2, 0, 3, 1}, {3, 1, 2, 0}, {1, 3, 0, 2}};
    unsigned char grey[WIDTH * HEIGHT];
    for (size_t y = 0; y < HEIGHT; y++)
        for (size_t x = 0; x < WIDTH; x++)
            grey[y * WIDTH + x] =
                (unsigned char)(40 + 50 * (2 * (y > HEIGHT / 2) + (x > WIDTH / 2)));
    for (int orientation = 1; orientation <= 8; orientation++)
        for (int orient = 0; orient < 2; orient++) {
            const un_image_options options = {.orient = orient};
            const unsigned char *want = shown[orient ? orientation : 1];
            VipsImage *plain = vips_of(grey, 1, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_B_W);
            un_image image;
            vips_image_set_int(plain, VIPS_META_ORIENTATION, orientation);
            blob b = encode(plain, ".jpg[Q=100]");
            util_ok(un_image_decode(b.bytes, b.size, "turned", &options, &image));
            assert_int_equal(image.width, orient && orientation >= 5 ? HEIGHT : WIDTH);
            for (size_t q = 0; q < 4; q++) {
                size_t x = image.width / 4 + q % 2 * (image.width / 2);
                size_t y = image.height / 4 + q / 2 * (image.height / 2);
                int value = image.pixels[(y * image.width + x) * 3];
                assert_true(abs(value - (40 + 50 * want[q])) < 10);
            }
            un_image_free(&image);
            free(b.bytes);
        }
}

/* Points marked in the stored picture lie on the same pixels once it is turned, and the head tells
 * what decoding gives. */
static void test_turned_points(void **state) {
    (void)state;
    enum { W = 3, H = 2 };
    for (int orientation = 1; orientation <= 8; orientation++) {
        un_image image;
        util_ok(un_image_create(W, H, &image));
        for (size_t i = 0; i < (size_t)W * H; i++) image.pixels[3 * i] = (unsigned char)(i + 1);
        util_ok(un_image_orient(&image, orientation));
        for (size_t i = 0; i < (size_t)W * H; i++) {
            double x = ((double)(i % W) + 0.5) / W, y = ((double)(i / W) + 0.5) / H;
            un_image_turn_point(orientation, &x, &y);
            size_t column = (size_t)(x * (double)image.width);
            size_t row = (size_t)(y * (double)image.height);
            assert_int_equal(image.pixels[3 * (row * image.width + column)], i + 1);
        }
        un_image_free(&image);
        static const char *const endings[] = {".jpg[Q=90]", ".tif"};
        for (int f = 0; f < 2; f++) {
            unsigned char grey[WIDTH * HEIGHT] = {0};
            VipsImage *plain = vips_of(grey, 1, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_B_W);
            un_image_head head;
            vips_image_set_int(plain, VIPS_META_ORIENTATION, orientation);
            blob b = encode(plain, endings[f]);
            util_ok(un_image_decode_head(b.bytes, b.size, "turned", &head));
            util_ok(un_image_decode(b.bytes, b.size, "turned", NULL, &image));
            assert_int_equal(head.width, image.width);
            assert_int_equal(head.height, image.height);
            assert_int_equal(head.orientation, f ? 1 : orientation);
            assert_int_equal(image.ignored, f || orientation == 1 ? 0 : orientation);
            un_image_free(&image);
            free(b.bytes);
        }
    }
}

static void test_wrong_files(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *sentence;
        un_status status;
    } wrong[] = {
        {"", "x.jpg: the file is empty", UNSEEN_E_FORMAT},
        {"a text, no picture", "x.jpg: not a picture", UNSEEN_E_FORMAT},
        {"%PDF-1.4", "x.jpg: a PDF document is not read; save", UNSEEN_E_UNSUPPORTED},
        {"<svg width='9'/>", "x.jpg: an SVG drawing is not read; convert", UNSEEN_E_UNSUPPORTED},
        {"\xff\xd8\xff", "x.jpg: the picture is damaged", UNSEEN_E_FORMAT},
        {"GIF89a", "x.jpg: the picture is damaged", UNSEEN_E_FORMAT},
        {"BM", "x.jpg: the picture is damaged", UNSEEN_E_FORMAT},
        {"\xff\x0a", "x.jpg: a JPEG XL picture is not read; convert", UNSEEN_E_UNSUPPORTED},
        {"<!DOCTYPE html>", "it is a web page", UNSEEN_E_FORMAT},
        {"version https://git-lfs.github.com/spec/v1\n", "git lfs pull", UNSEEN_E_FORMAT},
        {"P6 1 1 255 abc", "x.jpg: not a picture", UNSEEN_E_FORMAT},
    };
    un_image image;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        util_fails(un_image_decode(wrong[i].bytes, strlen(wrong[i].bytes), "x.jpg", NULL, &image),
                   wrong[i].status, wrong[i].sentence);
    assert_null(image.pixels);
    util_fails(un_image_read("/", NULL, &image), UNSEEN_E_IO, "not a regular file");
    util_fails(un_image_read("missing.jpg", NULL, &image), UNSEEN_E_IO, "missing.jpg");
}

static void test_limits(void **state) {
    (void)state;
    const un_image_options options = {.max_pixels = WIDTH * HEIGHT - 1};
    un_image image;
    for (size_t f = 0; f < FORMATS; f++) {
        blob b = sample(f);
        util_fails(un_image_decode(b.bytes, b.size, g_endings[f], &options, &image),
                   UNSEEN_E_UNSUPPORTED, "61 x 47 pixels are more than");
        free(b.bytes);
    }
    /* Headers that promise what the file has not. */
    blob b = sample(5);
    put(b.bytes + 18, 60000, 4);
    put(b.bytes + 22, 60000, 4);
    util_fails(decode(&b, "x.bmp", &image), UNSEEN_E_UNSUPPORTED, "x.bmp: 60000 x 60000 pixels");
    put(b.bytes + 18, 10000, 4);
    put(b.bytes + 22, 10000, 4);
    util_fails(decode(&b, "x.bmp", &image), UNSEEN_E_FORMAT, "its pixels are cut off");
    free(b.bytes);
    b = sample(0);
    size_t at = 0; /* of the frame header: FF C0, length, precision, height, width */
    while (at + 9 < b.size && (b.bytes[at] != 0xff || b.bytes[at + 1] != 0xc0)) at++;
    memset(b.bytes + at + 5, 0xf0, 4);
    util_fails(decode(&b, "x.jpg", &image), UNSEEN_E_UNSUPPORTED, "x.jpg: 61680 x 61680 pixels");
    free(b.bytes);
}

/* One way to damage: number k of 200. */
static blob damage(const blob *whole, size_t k, un_rng *rng) {
    blob b = {.size = whole->size};
    b.bytes = malloc(whole->size + 64);
    assert_non_null(b.bytes);
    memcpy(b.bytes, whole->bytes, whole->size);
    if (k < 70) { /* cut off, many times in the header */
        b.size = k < 40 ? k * 2 : whole->size * (k - 40) / 30;
    } else if (k < 150) { /* bits flipped */
        size_t flips = k < 110 ? 1 : 20, range = k % 2 ? b.size : b.size < 64 ? b.size : 64;
        for (size_t i = 0; i < flips; i++)
            b.bytes[un_rng_below(rng, range)] ^= (unsigned char)(1U << un_rng_below(rng, 8));
    } else if (k < 170) { /* a run of zeros */
        size_t at = un_rng_below(rng, b.size), n = un_rng_below(rng, b.size - at) + 1;
        memset(b.bytes + at, 0, n);
    } else if (k < 190) { /* large numbers where sizes are */
        size_t at = un_rng_below(rng, b.size < 60 ? b.size - 4 : 56);
        memset(b.bytes + at, 0xff, 1 + k % 4);
    } else { /* the right start, then anything */
        for (size_t i = 12; i < b.size; i++) b.bytes[i] = (unsigned char)un_rng_u32(rng);
    }
    return b;
}

/* Every damaged file is a picture or a sentence that names it, soon. */
static void test_damaged(void **state) {
    (void)state;
    const un_image_options options = {.orient = 1, .max_pixels = 1 << 22};
    for (size_t f = 0; f < FORMATS; f++) {
        blob whole = sample(f);
        size_t refused = 0;
        double started = un_now();
        for (size_t k = 0; k < 200; k++) {
            un_rng rng = un_rng_stream(f, "damage", k);
            char name[64];
            blob b = damage(&whole, k, &rng);
            /* A copy of the exact size, so that reading beyond it is noticed. */
            unsigned char *exact = malloc(b.size ? b.size : 1);
            un_image image;
            assert_non_null(exact);
            memcpy(exact, b.bytes, b.size);
            snprintf(name, sizeof name, "damaged-%zu.%s", k, g_endings[f]);
            if (un_image_decode(exact, b.size, name, &options, &image) != UNSEEN_OK) {
                refused++;
                assert_null(image.pixels);
                assert_memory_equal(un_error(), name, strlen(name));
                assert_null(strchr(un_error(), '\n'));
            } else {
                assert_true(image.width > 0 && image.height > 0 && image.pixels);
                if (k < 66) fail_msg("%s is cut off and was read", name);
            }
            un_image_free(&image);
            free(exact);
            free(b.bytes);
        }
        assert_true(refused > 70);
        assert_true(un_now() - started < 60);
        free(whole.bytes);
    }
}

static void test_threads(void **state) {
    (void)state;
    blob good[FORMATS], bad[2];
    shared_work w = {.good = good, .bad = bad};
    int threads = un_thread_count();
    for (size_t f = 0; f < FORMATS; f++) good[f] = sample(f);
    bad[0] = (blob){good[0].bytes, good[0].size / 2};
    bad[1] = (blob){good[1].bytes, good[1].size / 2};
    util_ok(un_set_threads(8));
    un_parallel_for(256, 1, decode_some, &w);
    util_ok(un_set_threads(threads));
    for (size_t i = 0; i < 256; i++)
        if (w.wrong[i]) fail_msg("picture %zu was decoded wrongly", i);
    for (size_t f = 0; f < FORMATS; f++) free(good[f].bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heif),          cmocka_unit_test(test_formats),
        cmocka_unit_test(test_layouts),       cmocka_unit_test(test_cmyk),
        cmocka_unit_test(test_plain_forms),   cmocka_unit_test(test_orientation),
        cmocka_unit_test(test_turned_points), cmocka_unit_test(test_wrong_files),
        cmocka_unit_test(test_limits),        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
