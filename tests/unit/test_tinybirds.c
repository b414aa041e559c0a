/*
 * test_tinybirds.c - the built-in data set: kinds that can be told apart and described,
 * boxes that are true, pictures that follow from the seed alone.
 */
#include <math.h>
#include <unistd.h>

#include "base/file.h"
#include "base/parallel.h"
#include "data/dataset.h"
#include "tensor/safetensors.h"
#include "tinybirds/bird.h"
#include "tinybirds/tinybirds.h"
#include "unit/folder.h"
#include "unit/util.h"

/* ---- kinds ---- */

static unsigned colors_of(const un_kind *kind) {
    static const unsigned char dressed[] = {UN_GROUP_CROWN_COLOR, UN_GROUP_BREAST_COLOR,
                                            UN_GROUP_BELLY_COLOR, UN_GROUP_BACK_COLOR,
                                            UN_GROUP_WING_COLOR,  UN_GROUP_TAIL_COLOR};
    unsigned colors = 0;
    for (size_t i = 0; i < sizeof dressed; i++)
        colors |= 1u << un_attribute_groups[dressed[i]].color[kind->value[dressed[i]]];
    return colors;
}

static size_t seen_with(const un_kind *kinds, size_t g, unsigned value) {
    size_t n = 0;
    for (size_t k = 0; k < UN_TINYBIRDS_KINDS; k++)
        n += !kinds[k].unseen && kinds[k].value[g] == value;
    return n;
}

static void check_kinds(const un_kind *kinds) {
    size_t unseen = 0;
    size_t rivals[UN_PALETTES] = {0};
    for (size_t k = 0; k < UN_TINYBIRDS_KINDS; k++) {
        unseen += kinds[k].unseen != 0;
        rivals[kinds[k].palette] += kinds[k].unseen != 0;
        assert_true(kinds[k].name[0] != 0);
        if (k > 0) assert_true(strcmp(kinds[k - 1].name, kinds[k].name) < 0);
        for (size_t j = 0; j < k; j++) {
            assert_true(un_kind_distance(&kinds[k], &kinds[j]) >= UN_KIND_DISTANCE);
            /* relatives wear the same colours, on other parts */
            if (kinds[j].palette == kinds[k].palette)
                assert_int_equal(colors_of(&kinds[j]), colors_of(&kinds[k]));
            else
                assert_int_not_equal(colors_of(&kinds[j]), colors_of(&kinds[k]));
        }
        for (size_t g = 0; g < UN_GROUP_COUNT; g++) {
            assert_true(kinds[k].value[g] < un_attribute_groups[g].count);
            assert_true(kinds[k].other[g] < un_attribute_groups[g].count);
            assert_int_not_equal(kinds[k].other[g], kinds[k].value[g]);
        }
    }
    assert_int_equal(unseen, UN_TINYBIRDS_UNSEEN_KINDS);
    for (size_t p = 0; p < UN_PALETTES; p++) assert_true(rivals[p] == 0 || rivals[p] == 3);
    for (size_t g = 0; g < UN_GROUP_COUNT; g++)
        for (unsigned v = 0; v < un_attribute_groups[g].count; v++)
            assert_true(seen_with(kinds, g, v) >= UN_KINDS_PER_VALUE);
}

static void test_kinds(void **state) {
    (void)state;
    static un_kind kinds[UN_TINYBIRDS_KINDS], again[UN_TINYBIRDS_KINDS];
    for (uint64_t seed = 0; seed < 12; seed++) {
        util_ok(un_tinybirds_kinds(seed, kinds));
        check_kinds(kinds);
    }
    util_ok(un_tinybirds_kinds(11, again));
    for (size_t k = 0; k < UN_TINYBIRDS_KINDS; k++) {
        assert_string_equal(kinds[k].name, again[k].name);
        assert_memory_equal(kinds[k].value, again[k].value, UN_GROUP_COUNT);
    }
    util_ok(un_tinybirds_kinds(24, again));
    size_t same = 0;
    for (size_t k = 0; k < UN_TINYBIRDS_KINDS; k++)
        same += memcmp(kinds[k].value, again[k].value, UN_GROUP_COUNT) == 0;
    assert_true(same < UN_TINYBIRDS_KINDS / 4);
}

/* Individuals vary as their kind says: the share of the typical value is within four
 * standard deviations of its probability. */
static void test_individuals(void **state) {
    (void)state;
    enum { N = 2000 };
    static un_kind kinds[UN_TINYBIRDS_KINDS];
    util_ok(un_tinybirds_kinds(5, kinds));
    for (size_t k = 0; k < UN_TINYBIRDS_KINDS; k += 11) {
        size_t typical[UN_GROUP_COUNT] = {0};
        for (size_t i = 0; i < N; i++) {
            unsigned char value[UN_GROUP_COUNT];
            un_rng rng = un_rng_stream(1, "test", k * N + i);
            un_kind_individual(&kinds[k], &rng, value);
            for (size_t g = 0; g < UN_GROUP_COUNT; g++) {
                assert_true(value[g] == kinds[k].value[g] || value[g] == kinds[k].other[g]);
                typical[g] += value[g] == kinds[k].value[g];
            }
        }
        for (size_t g = 0; g < UN_GROUP_COUNT; g++) {
            double p = kinds[k].female[g] ? 0.5 : kinds[k].typical[g];
            util_near((double)typical[g] / N, p, 4 * sqrt(p * (1 - p) / N) + 1.0 / N);
        }
    }
}

/* ---- boxes ---- */

/* Between which columns and rows pixels differ by more than `least`: x0, y0, x1, y1
 * (exclusive). */
static void differences(const unsigned char *a, const unsigned char *b, size_t size, int least,
                        double bounds[4]) {
    bounds[0] = bounds[1] = (double)size;
    bounds[2] = bounds[3] = 0;
    for (size_t i = 0; i < size * size; i++) {
        int most = 0;
        for (size_t c = 3 * i; c < 3 * i + 3; c++)
            if (abs(a[c] - b[c]) > most) most = abs(a[c] - b[c]);
        if (most <= least) continue;
        double x = (double)(i % size);
        size_t row = i / size;
        double y = (double)row;
        bounds[0] = fmin(bounds[0], x);
        bounds[1] = fmin(bounds[1], y);
        bounds[2] = fmax(bounds[2], x + 1);
        bounds[3] = fmax(bounds[3], y + 1);
    }
}

/* Paints one part in a garish colour. What clearly changes lies in its box, and the box ends
 * where changes end, up to the pixels that anti-aliasing touches on either side of an edge: the
 * garish colour is about 160 levels from the others, so that a quarter of a pixel is 40. */
static void check_part(const un_tinybirds_view *view, const unsigned char *rgb,
                       const un_tinybirds_boxes *boxes, unsigned part, unsigned char *other) {
    const double edge = 2.01; /* pixels; boxes are fractions in float */
    size_t size = (size_t)view->scene.size;
    double clear[4];
    double any[4];
    un_tinybirds_view changed = *view;
    changed.bird.color[part] = (un_color){0.9, 0.0, 0.9};
    if (part == UN_PART_EYE) changed.bird.ring = changed.bird.color[part];
    util_ok(un_tinybirds_draw(&changed, other, NULL));
    differences(rgb, other, size, 40, clear);
    differences(rgb, other, size, 0, any);
    /* a mask belongs to the eye's box but keeps its colour */
    int keeps = part == UN_PART_EYE && view->bird.value[UN_GROUP_HEAD_PATTERN] == UN_MASKED;
    for (int i = 0; i < 4; i++) {
        double side = (double)boxes->box[part - 1][i] * (double)size;
        double out = i < 2 ? side - clear[i] : clear[i] - side;
        double in = i < 2 ? any[i] - side : side - any[i];
        if (!boxes->visible[part - 1])
            assert_true(side == 0);
        else if (out > edge || (in > edge && !keeps))
            fail_msg("part %s, side %d: changes to %g (clearly to %g), box to %.2f",
                     un_part_names[part - 1], i, any[i], clear[i], side);
    }
}

static void test_boxes(void **state) {
    (void)state;
    enum { SIZE = 224, BYTES = 3 * SIZE * SIZE };
    static un_kind kinds[UN_TINYBIRDS_KINDS];
    static unsigned char rgb[BYTES], other[BYTES];
    size_t visible = 0;
    size_t views = 0;
    util_ok(un_tinybirds_kinds(1, kinds));
    for (size_t k = 0; k < UN_TINYBIRDS_KINDS; k += 11, views++) {
        un_tinybirds_view view;
        un_tinybirds_boxes boxes;
        un_tinybirds_view_create(&view, 1, kinds, k, k, SIZE);
        util_ok(un_tinybirds_draw(&view, rgb, &boxes));
        for (unsigned p = 1; p <= UN_PART_COUNT; p++) {
            const float *box = boxes.box[p - 1];
            check_part(&view, rgb, &boxes, p, other);
            if (!boxes.visible[p - 1]) continue;
            visible++;
            assert_true(box[0] >= 0 && box[1] >= 0 && box[2] <= 1 && box[3] <= 1);
            assert_true(box[0] < box[2] && box[1] < box[3]);
            assert_true(box[0] >= boxes.object[0] && box[1] >= boxes.object[1]);
            assert_true(box[2] <= boxes.object[2] && box[3] <= boxes.object[3]);
        }
    }
    assert_true(visible > views * UN_PART_COUNT * 3 / 4);
}

/* A bird is whole in its picture, in every pose; twigs hide parts of some, never all of all. */
static void test_places(void **state) {
    (void)state;
    enum { SIZE = 96, POINTS = UN_MAP_SCALE * SIZE };
    static un_kind kinds[UN_TINYBIRDS_KINDS];
    static unsigned char map[POINTS * POINTS];
    util_ok(un_tinybirds_kinds(2, kinds));
    size_t facing_left = 0;
    for (size_t k = 0; k < UN_TINYBIRDS_KINDS; k++) {
        un_tinybirds_view view;
        un_tinybirds_view_create(&view, 2, kinds, k, 3, SIZE);
        view.scene.twigs = 0;
        facing_left += view.bird.facing < 0;
        util_ok(un_tinybirds_map(&view, map));
        unsigned found = 0;
        for (size_t i = 0; i < POINTS * POINTS; i++) {
            size_t x = i % POINTS, y = i / POINTS;
            assert_true(map[i] <= UN_PART_OTHER);
            found |= 1u << map[i];
            if (x == 0 || y == 0 || x == POINTS - 1 || y == POINTS - 1) assert_int_equal(map[i], 0);
        }
        /* all parts but perhaps a belly behind a wing, in so small a picture */
        assert_int_equal(found | 1u << UN_PART_BELLY, (1u << (UN_PART_OTHER + 1)) - 1);
    }
    assert_in_range(facing_left, UN_TINYBIRDS_KINDS / 4, UN_TINYBIRDS_KINDS * 3 / 4);
}

/* ---- PNG ---- */

typedef struct {
    const unsigned char *bytes;
    size_t left;
} source;

static cairo_status_t read_some(void *closure, unsigned char *data, unsigned length) {
    source *s = closure;
    if (s->left < length) return CAIRO_STATUS_READ_ERROR;
    memcpy(data, s->bytes, length);
    s->bytes += length;
    s->left -= length;
    return CAIRO_STATUS_SUCCESS;
}

/* libpng must find exactly these pixels, and nothing behind them. */
static void check_png(const unsigned char *png, size_t length, const unsigned char *rgb,
                      size_t width, size_t height) {
    source s = {png, length};
    cairo_surface_t *surface = cairo_image_surface_create_from_png_stream(read_some, &s);
    assert_int_equal(cairo_surface_status(surface), CAIRO_STATUS_SUCCESS);
    assert_int_equal(cairo_image_surface_get_width(surface), width);
    assert_int_equal(cairo_image_surface_get_height(surface), height);
    assert_int_equal(s.left, 0);
    const unsigned char *data = cairo_image_surface_get_data(surface);
    size_t stride = (size_t)cairo_image_surface_get_stride(surface);
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++)
            for (size_t c = 0; c < 3; c++)
                assert_int_equal(data[y * stride + 4 * x + 2 - c], rgb[3 * (y * width + x) + c]);
    cairo_surface_destroy(surface);
}

static void test_png(void **state) {
    (void)state;
    static const size_t sizes[][2] = {{1, 1}, {1, 40}, {37, 1}, {61, 43}};
    static unsigned char rgb[61 * 43 * 3];
    un_rng rng = un_rng_stream(1, "png", 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int smooth = 0; smooth < 2; smooth++) {
            unsigned char *png = NULL;
            size_t length = 0;
            for (size_t k = 0; k < 3 * sizes[i][0] * sizes[i][1]; k++)
                rgb[k] = (unsigned char)(smooth ? k / 40 : un_rng_below(&rng, 256));
            util_ok(un_png_encode(rgb, sizes[i][0], sizes[i][1], &png, &length));
            check_png(png, length, rgb, sizes[i][0], sizes[i][1]);
            free(png);
        }
    unsigned char *none = NULL;
    size_t length = 0;
    util_fails(un_png_encode(rgb, 0, 4, &none, &length), UNSEEN_E_ARGUMENT, "out of range");
    util_fails(un_png_encode(rgb, 4, 20000, &none, &length), UNSEEN_E_ARGUMENT, "out of range");
}

/* ---- the directory ---- */

enum { EACH = 5, SIDE = 64 };

static char *path_in(const char *directory, const char *name) {
    char *path = NULL;
    util_ok(un_format(&path, "%s/%s/%s", g_folder, directory, name));
    return path;
}

static void make(const char *name, int threads) {
    char *path = path_in(name, "");
    const un_tinybirds_options options = {.seed = 7, .images_per_class = EACH, .size = SIDE};
    util_ok(un_set_threads(threads));
    util_ok(un_tinybirds_make(&options, path));
    util_ok(un_set_threads(0));
    free(path);
}

static void assert_same_file(const char *a, const char *b, const char *name) {
    char *paths[2] = {path_in(a, name), path_in(b, name)};
    char *bytes[2] = {NULL, NULL};
    size_t length[2] = {0, 0};
    for (int i = 0; i < 2; i++) util_ok(un_file_read(paths[i], 1 << 24, &bytes[i], &length[i]));
    assert_int_equal(length[0], length[1]);
    assert_memory_equal(bytes[0], bytes[1], length[0]);
    for (int i = 0; i < 2; i++) {
        free(paths[i]);
        free(bytes[i]);
    }
}

static void check_semantics(const un_dataset *d) {
    const un_semantics *percent = un_dataset_semantics(d, "original_att");
    const un_semantics *unit = un_dataset_semantics(d, "att");
    assert_non_null(percent);
    assert_non_null(unit);
    size_t A = un_tinybirds_attribute_count();
    assert_int_equal(percent->width, A);
    assert_int_equal(unit->width, A);
    assert_string_equal(unit->attributes[un_tinybirds_first_attribute(UN_GROUP_BILL_COLOR) + 1],
                        "has_bill_color::yellow");
    for (size_t k = 0; k < UN_TINYBIRDS_KINDS; k++) {
        const float *row = percent->values + k * A;
        double square = 0;
        for (size_t g = 0; g < UN_GROUP_COUNT; g++) { /* every individual has one value */
            double sum = 0;
            for (size_t v = 0; v < un_attribute_groups[g].count; v++)
                sum += (double)row[un_tinybirds_first_attribute(g) + v];
            util_near(sum, 100, 1e-3);
        }
        for (size_t a = 0; a < A; a++) square += (double)row[a] * (double)row[a];
        for (size_t a = 0; a < A; a++) /* one rounding to float of values up to 1 */
            util_near((double)unit->values[k * A + a], (double)row[a] / sqrt(square), 1e-7);
    }
}

/* Pictures on disk are those that drawing to memory gives, and the boxes too. */
static void check_images(const un_dataset *d, const char *directory) {
    static un_kind kinds[UN_TINYBIRDS_KINDS];
    static unsigned char rgb[3 * SIDE * SIDE];
    char *path = path_in(directory, "parts.safetensors");
    un_safetensors parts = {0};
    util_ok(un_tinybirds_kinds(7, kinds));
    util_ok(un_safetensors_open(&parts, path));
    free(path);
    const un_st_entry *boxes = un_safetensors_find(&parts, "boxes");
    const un_st_entry *visible = un_safetensors_find(&parts, "visible");
    assert_true(boxes && visible && boxes->bytes == d->image_count * UN_PART_COUNT * 4 * 4);
    assert_string_equal(un_safetensors_metadata(&parts, "format"), "unseen-parts");
    for (size_t i = 0; i < d->image_count; i += 23) {
        un_tinybirds_view view;
        un_tinybirds_boxes b;
        char *bytes = NULL;
        size_t length = 0;
        assert_int_equal(d->labels[i], i / EACH);
        assert_string_equal(d->classes[i / EACH], kinds[i / EACH].name);
        un_tinybirds_view_create(&view, 7, kinds, i / EACH, i % EACH, SIDE);
        util_ok(un_tinybirds_draw(&view, rgb, &b));
        util_ok(un_path_join(d->image_root, d->images[i], &path));
        util_ok(un_file_read(path, 1 << 20, &bytes, &length));
        check_png((const unsigned char *)bytes, length, rgb, SIDE, SIDE);
        const unsigned char *at = boxes->tensor.data;
        assert_memory_equal(at + i * sizeof b.box, b.box, sizeof b.box);
        at = visible->tensor.data;
        assert_memory_equal(at + i * sizeof b.visible, b.visible, sizeof b.visible);
        free(bytes);
        free(path);
    }
    un_safetensors_close(&parts);
}

static void test_directory(void **state) {
    (void)state;
    make("one", 1);
    make("two", 3);
    un_dataset d;
    char *path = path_in("two", "");
    util_ok(un_dataset_open(&d, path));
    size_t seen = UN_TINYBIRDS_KINDS - UN_TINYBIRDS_UNSEEN_KINDS;
    assert_int_equal(d.image_count, (size_t)UN_TINYBIRDS_KINDS * EACH);
    assert_int_equal(d.trainval.count, seen * EACH * 4 / 5);
    assert_int_equal(d.test_seen.count, seen * EACH / 5);
    assert_int_equal(d.test_unseen.count, (size_t)UN_TINYBIRDS_UNSEEN_KINDS * EACH);
    assert_int_equal(d.fold_count, 3);
    assert_true(d.image_root[0] == '/');
    check_semantics(&d);
    check_images(&d, "two");
    assert_same_file("one", "two", "parts.safetensors");
    for (size_t i = 0; i < d.image_count; i++) {
        char *name = NULL;
        util_ok(un_format(&name, "images/%s", d.images[i]));
        assert_same_file("one", "two", name);
        free(name);
    }
    const un_tinybirds_options options = {.seed = 7, .images_per_class = EACH, .size = SIDE};
    util_fails(un_tinybirds_make(&options, path), UNSEEN_E_ARGUMENT, "not empty");
    un_dataset_close(&d);
    free(path);
}

static void test_refusals(void **state) {
    (void)state;
    char *path = path_in("refused", "");
    un_tinybirds_options options = {.seed = 1, .images_per_class = 2};
    util_fails(un_tinybirds_make(&options, path), UNSEEN_E_ARGUMENT, "images of a class");
    options = (un_tinybirds_options){.seed = 1, .size = 16};
    util_fails(un_tinybirds_make(&options, path), UNSEEN_E_ARGUMENT, "pixels a side");
    assert_false(un_path_exists(path));
    free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),    cmocka_unit_test(test_individuals),
        cmocka_unit_test(test_boxes),    cmocka_unit_test(test_places),
        cmocka_unit_test(test_png),      cmocka_unit_test(test_directory),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
