/* test_localisation.c - the pointing game by hand: places, hits, baselines and sums. */
#include <math.h>

#include "protocol/localisation.h"
#include "util.h"
#include "vision/image/recipe.h"

static const un_rectangle CROP = {100, 50, 300, 250}; /* 200 x 200 pixels */

static void test_places(void **state) {
    (void)state;
    un_target t;
    const un_rectangle inside = {150, 100, 200, 250}, outside = {0, 0, 190, 90},
                       object = {100, 100, 160, 180}; /* diagonal 100 */
    assert_true(un_target_of_box(&inside, &CROP, &t));
    assert_false(t.round);
    util_near(t.x0, 0.25, 1e-12);
    util_near(t.x1, 0.5, 1e-12);
    util_near(t.y0, 0.25, 1e-12);
    util_near(t.y1, 1, 1e-12);
    /* its corner is in the crop, its centre (95, 45) is not */
    assert_false(un_target_of_box(&outside, &CROP, &t));
    assert_true(un_target_of_point(200, 150, &object, &CROP, &t));
    assert_true(t.round);
    util_near(t.x0, 0.45, 1e-12); /* radius 10 pixels of 200 */
    util_near(t.y1, 0.55, 1e-12);
    assert_true(un_target_of_point(300, 250, &object, &CROP, &t));
    assert_false(un_target_of_point(301, 250, &object, &CROP, &t));
    assert_true(un_target_of_point(200, 150, NULL, &CROP, &t));
    util_near(t.x1 - t.x0, 2 * 0.05 * sqrt(2.0), 1e-12);
}

static void test_cover(void **state) {
    (void)state;
    const un_target boxes[] = {{0, 0, 0, 0.5, 0.5}, {0, 0.25, 0.25, 0.75, 0.5}, {0, -1, -1, 0, 0}};
    const un_target disc = {1, 0.25, 0.25, 0.75, 0.75}, edge = {1, -0.25, -0.25, 0.25, 0.25};
    util_near(un_targets_cover(boxes, 1), 0.25, 1e-12);
    util_near(un_targets_cover(boxes, 2), 0.3125, 1e-12); /* what they share counts once */
    util_near(un_targets_cover(boxes, 3), 0.3125, 1e-12);
    /* a grid of 128: the error of a disc is a fraction of a cell along its border */
    util_near(un_targets_cover(&disc, 1), acos(-1.0) / 16, 2e-3);
    util_near(un_targets_cover(&edge, 1), acos(-1.0) / 64, 2e-3);
    util_near(un_targets_cover(NULL, 0), 0, 0);
    assert_true(un_targets_hold(&disc, 1, 0.25, 0.5));
    assert_false(un_targets_hold(&disc, 1, 0.3, 0.3));
    assert_true(un_targets_hold(boxes, 1, 0.5, 0.5));
}

/* Of 2 x 4 cells the centres are x 1/8, 3/8, 5/8, 7/8 and y 1/4, 3/4. */
static void test_hits(void **state) {
    (void)state;
    const un_target right = {0, 0.8, 0.7, 1, 0.8}, between = {0, 0.4, 0, 0.6, 1};
    float map[8] = {0, 0, 0, 0, 0, 0, 0, 1};
    util_near(un_pointing_hit(map, 2, 4, &right, 1), 1, 0);
    util_near(un_pointing_hit(map, 4, 2, &right, 1), 0, 0); /* (3/4, 7/8) */
    map[0] = 1;
    util_near(un_pointing_hit(map, 2, 4, &right, 1), 0.5, 1e-12);
    for (size_t i = 0; i < 8; i++) map[i] = 0.125f;
    util_near(un_pointing_hit(map, 2, 4, &right, 1), 0.125, 1e-12);
    util_near(un_pointing_hit(map, 2, 4, &between, 1), 0, 0);
    assert_true(un_pointing_attainable(2, 4, &right, 1));
    assert_false(un_pointing_attainable(2, 4, &between, 1));
}

static double number(const json_t *o, const char *key) {
    return json_number_value(json_object_get(o, key));
}

static void test_sums(void **state) {
    (void)state;
    un_localisation l;
    char *names[] = {"beak", "tail", "wing"};
    const un_target left = {0, 0, 0, 0.5, 1}, middle = {0, 0.4, 0.4, 0.6, 0.6};
    const un_target both[] = {left, middle};
    const size_t numbers[] = {0, 2};
    /* two branches of maps of 1 x 2 cells, three values apart */
    const float maps[] = {1, 0, 9, 0, 1, 9};
    util_ok(un_localisation_create(&l, 3, 2));
    un_localisation_add(&l, both, numbers, 2, 0.5, maps, 3, 1, 2);
    un_localisation_add(&l, &left, numbers, 1, 0.25, maps, 3, 1, 2);
    json_t *json = un_localisation_json(&l, names);
    assert_non_null(json);
    assert_int_equal(number(json, "pairs"), 2);
    util_near(json_number_value(json_array_get(json_object_get(json, "branches"), 0)), 1, 0);
    util_near(json_number_value(json_array_get(json_object_get(json, "branches"), 1)), 0, 0);
    util_near(number(json, "centre"), 1, 0); /* (0.5, 0.5) is on the edge of `left` */
    util_near(number(json, "uniform"), 0.375, 1e-12);
    const json_t *parts = json_object_get(json, "parts");
    assert_int_equal(number(json_array_get(parts, 0), "pairs"), 2);
    assert_int_equal(number(json_array_get(parts, 1), "pairs"), 0);
    assert_true(json_is_null(json_object_get(json_array_get(parts, 1), "centre")));
    assert_int_equal(number(json_array_get(parts, 2), "pairs"), 1);
    util_near(number(json_array_get(parts, 2), "uniform"), 0.5, 1e-12);
    assert_string_equal(json_string_value(json_object_get(json_array_get(parts, 2), "name")),
                        "wing");
    json_decref(json);
    un_localisation_free(&l);
    util_fails(un_localisation_create(&l, 3, UN_MAX_BRANCHES + 1), UNSEEN_E_UNSUPPORTED,
               "branches");
}

/* The crop's place must be that of the crop that pictures really get. */
/* One model's measurement: `hit` of its two branches everywhere, `null` where there is no pair. */
static json_t *measured(double first, double second, int branches) {
    json_t *parts =
        json_pack("[{s:s, s:i, s:[f, f], s:f, s:f, s:f}, {s:s, s:i, s:[n, n], s:n}]", "name",
                  "bill", "pairs", 4, "branches", first, second, "centre", 0.5, "uniform", 0.25,
                  "attainable", 1.0, "name", "tail", "pairs", 0, "branches", "centre");
    json_t *list =
        json_pack("{s:i, s:[f, f], s:f, s:f, s:f, s:o}", "pairs", 4, "branches", first, second,
                  "centre", 0.5, "uniform", 0.25, "attainable", 1.0, "parts", parts);
    return json_pack("{s:{s:i, s:O, s:o}}", "localisation", "branches", branches, "test_unseen",
                     list, "test_seen", list);
}

static double at(const json_t *list, const char *key, size_t branch) {
    return json_number_value(json_array_get(json_object_get(list, key), branch));
}

static void test_summary(void **state) {
    (void)state;
    json_t *results = json_array(), *summary = NULL;
    un_json_push(&results, measured(0.2, 0.5, 2));
    un_json_push(&results, measured(0.4, 0.5, 2));
    un_json_push(&results, measured(0.9, 0.5, 2));
    util_ok(un_localisation_summary(results, &summary));
    assert_int_equal(json_integer_value(json_object_get(summary, "models")), 3);
    const json_t *list = json_object_get(summary, "test_seen");
    const json_t *bill = json_array_get(json_object_get(list, "parts"), 0);
    const json_t *tail = json_array_get(json_object_get(list, "parts"), 1);
    const json_t *places[] = {list, bill};
    for (size_t i = 0; i < 2; i++) {
        util_near(at(places[i], "branches", 0), 0.5, 1e-12);
        util_near(at(places[i], "branches_sd", 0), sqrt(0.13), 1e-12);
        util_near(at(places[i], "branches", 1), 0.5, 1e-12);
        util_near(at(places[i], "branches_sd", 1), 0, 1e-12);
        util_near(json_number_value(json_object_get(places[i], "centre")), 0.5, 1e-12);
    }
    assert_true(json_is_null(json_array_get(json_object_get(tail, "branches"), 0)));
    json_decref(summary);
    /* The models themselves are as they were. */
    const json_t *first = json_object_get(json_array_get(results, 0), "localisation");
    util_near(at(json_object_get(first, "test_seen"), "branches", 0), 0.2, 1e-12);
    un_json_push(&results, measured(0.9, 0.5, 3));
    util_ok(un_localisation_summary(results, &summary));
    assert_null(summary); /* other branches */
    json_array_remove(results, 3);
    un_json_push(&results, json_object());
    util_ok(un_localisation_summary(results, &summary));
    assert_null(summary); /* one was not measured */
    json_decref(results);
}

static void test_crop_box(void **state) {
    (void)state;
    un_recipe recipe;
    un_image image, crop;
    un_crop_box real, told;
    un_recipe_default(&recipe);
    for (size_t width = 200; width <= 500; width += 75) {
        util_ok(un_image_create(width, 333, &image));
        util_ok(un_recipe_crop(&recipe, &image, &crop, &real));
        un_recipe_box(&recipe, width, 333, &told);
        assert_memory_equal(&real, &told, sizeof real);
        assert_true(told.x >= 0 && told.x + told.width <= (double)width + 1e-9);
        assert_true(told.y >= 0 && told.y + told.height <= 333 + 1e-9);
        un_image_free(&image);
        un_image_free(&crop);
    }
    un_recipe_box(&recipe, 512, 256, &told); /* resized by 1: 224 of 256, 16 off each side */
    util_near(told.x, 144, 1e-12);
    util_near(told.y, 16, 1e-12);
    util_near(told.width, 224, 1e-12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),  cmocka_unit_test(test_cover),
        cmocka_unit_test(test_hits),    cmocka_unit_test(test_sums),
        cmocka_unit_test(test_summary), cmocka_unit_test(test_crop_box),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
