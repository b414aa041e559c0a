/* test_model_card.c - what a model says of itself, and which of its classes are alike. */
#include <math.h>

#include "base/json.h"
#include "pictures_sample.h"

static json_t *describe(unseen_model *model) {
    const char *text = NULL;
    json_t *out = NULL;
    util_ok(unseen_model_describe(model, &text));
    util_ok(un_json_parse(text, strlen(text), "card", &out));
    return out;
}

static const char *text_of(const json_t *card, const char *key) {
    const char *text = json_string_value(json_object_get(card, key));
    if (!text) fail_msg("%s is no text", key);
    return text;
}

static long long number_of(const json_t *card, const char *key) {
    const json_t *value = json_object_get(card, key);
    if (!json_is_integer(value)) fail_msg("%s is no whole number", key);
    return json_integer_value(value);
}

static void a_model_describes_itself(void **state) {
    (void)state;
    static const char *const names[] = {"red"};
    static const float values[] = {1};
    unseen_model *model = open_model();
    json_t *card = describe(model);
    assert_string_equal(text_of(card, "method"), "msdn");
    assert_string_equal(text_of(card, "data_set"), "arrays");
    assert_int_equal(number_of(card, "class_count"), C);
    assert_int_equal(number_of(card, "attribute_count"), A);
    assert_int_equal(number_of(card, "feature_length"), unseen_model_feature_length(model));
    assert_true(json_is_false(json_object_get(card, "pictures")));
    assert_true(json_is_true(json_object_get(card, "can_describe")));
    assert_true(json_is_null(json_object_get(card, "why_not")));
    assert_int_equal(json_array_size(json_object_get(card, "branches")), 2);
    const json_t *unit = json_object_get(card, "value_unit");
    assert_string_equal(text_of(unit, "kind"), "share");
    assert_int_equal(number_of(unit, "maximum"), 1);
    size_t h = 0, w = 0;
    unseen_model_grid(model, &h, &w);
    assert_int_equal(number_of(json_object_get(card, "grid"), "height"), h);
    assert_int_equal(number_of(json_object_get(card, "grid"), "width"), w);
    const json_t *calibration = json_object_get(card, "calibration");
    assert_string_equal(text_of(calibration, "source"), "selected");
    util_near(json_number_value(json_object_get(calibration, "gamma")), unseen_model_gamma(model),
              0);
    assert_string_equal(text_of(card, "selection"), "validation");
    assert_non_null(strstr(text_of(card, "selection_text"), "validation folds"));
    assert_non_null(strstr(text_of(card, "intended"), "6 classes of the data set arrays"));
    const json_t *figures = json_object_get(card, "accuracies");
    long long seen = number_of(card, "seen_count");
    assert_true(seen > 0 && seen < C);
    util_near(json_number_value(json_object_get(figures, "chance_T1")), 1.0 / (double)(C - seen),
              1e-12);
    util_near(json_number_value(json_object_get(figures, "chance_U")), 1.0 / C, 1e-12);
    double h_mean = json_number_value(json_object_get(figures, "H"));
    double u = json_number_value(json_object_get(figures, "U"));
    double s = json_number_value(json_object_get(figures, "S"));
    util_near(h_mean, u + s > 0 ? 2 * u * s / (u + s) : 0, 1e-9);
    const json_t *group = json_array_get(json_object_get(card, "attribute_groups"), 0);
    assert_string_equal(text_of(group, "name"), "");
    assert_int_equal(json_array_size(json_object_get(group, "attributes")), A);
    json_decref(card);
    /* What changes. */
    util_ok(unseen_model_attach_backbone(model, NULL));
    util_ok(unseen_model_set_gamma(model, 2));
    util_ok(unseen_model_add_class(model, "a new one", names, values, 1));
    card = describe(model);
    assert_true(json_is_true(json_object_get(card, "pictures")));
    assert_int_equal(number_of(card, "class_count"), C + 1);
    assert_int_equal(number_of(card, "seen_count"), seen);
    const json_t *added = json_array_get(json_object_get(card, "classes"), C);
    assert_string_equal(text_of(added, "name"), "a new one");
    assert_true(json_is_true(json_object_get(added, "new")));
    assert_true(json_is_false(json_object_get(added, "seen")));
    calibration = json_object_get(card, "calibration");
    assert_string_equal(text_of(calibration, "source"), "given");
    assert_non_null(strstr(text_of(calibration, "text"), "less gamma 2"));
    /* What a guess has is of the classes that were tested. */
    util_near(json_number_value(json_object_get(json_object_get(card, "accuracies"), "chance_U")),
              1.0 / C, 1e-12);
    json_decref(card);
    util_fails(unseen_model_describe(NULL, NULL), UNSEEN_E_ARGUMENT, "NULL");
    unseen_model_close(model);
}

/* Attributes in their groups, of names of CUB's form; how a model was selected on its test lists. */
static void old_models_describe_themselves(void **state) {
    (void)state;
    unseen_model *model = NULL;
    util_ok(unseen_model_open(UNSEEN_TEST_DATA "/v0.1/eszsl_on_test.model", &model));
    json_t *card = describe(model);
    const json_t *groups = json_object_get(card, "attribute_groups"), *group = NULL;
    size_t g = 0, attributes = 0;
    assert_true(json_array_size(groups) > 1);
    json_array_foreach((json_t *)(uintptr_t)groups, g, group) {
        const json_t *list = json_object_get(group, "attributes");
        attributes += json_array_size(list);
        if (g > 0) continue;
        assert_string_equal(text_of(group, "name"), "part0 color");
        assert_string_equal(text_of(json_array_get(list, 1), "name"), "has_part0_color::shade_1");
        assert_string_equal(text_of(json_array_get(list, 1), "value"), "shade 1");
        assert_int_equal(number_of(json_array_get(list, 1), "number"), 1);
    }
    assert_int_equal(attributes, unseen_model_attribute_count(model));
    assert_string_equal(text_of(card, "selection"), "selected on test");
    assert_non_null(strstr(text_of(card, "selection_text"), "too good to report"));
    assert_int_equal(json_array_size(json_object_get(card, "branches")), 0);
    json_decref(card);
    unseen_model_close(model);
    util_ok(unseen_model_open(UNSEEN_TEST_DATA "/v0.1/duet.model", &model));
    card = describe(model);
    assert_true(json_is_true(json_object_get(card, "probabilities")));
    json_decref(card);
    unseen_model_close(model);
}

/* What a model says of itself whose attributes go from 0 to `most`. */
static json_t *card_of_values(float most) {
    static const char *const settings[] = {"gamma=1", "lambda=1"};
    static float features[N * 5], attributes[C * A];
    unseen_arrays a;
    unseen_train_options t;
    unseen_dataset *data = NULL;
    unseen_model *model = NULL;
    un_rng rng = un_rng_stream(3, "values", 0);
    un_rng_fill_uniform(&rng, features, (size_t)N * 5, 0, 1);
    for (size_t i = 0; i < C * A; i++) attributes[i] = most * g_attributes[i];
    attributes[0] = most;
    unseen_arrays_init(&a, sizeof a);
    a.image_count = N, a.width = 5, a.features = features, a.labels = g_labels;
    a.class_count = C, a.attribute_count = A, a.class_attributes = attributes;
    a.attribute_names = g_attribute_names;
    util_ok(unseen_dataset_from_arrays(&a, &data));
    unseen_train_options_init(&t, sizeof t);
    t.select = "none";
    t.settings = settings;
    t.setting_count = 2;
    util_ok(unseen_train("eszsl", data, &t, &model, NULL));
    json_t *card = describe(model);
    unseen_model_close(model);
    unseen_dataset_close(data);
    return card;
}

static void units_of_descriptions_are_told(void **state) {
    (void)state;
    static const struct {
        float most;
        const char *kind;
        long long maximum;
    } units[] = {{1, "share", 1}, {100, "percent", 100}, {3000, "other", 0}};
    for (size_t u = 0; u < 3; u++) {
        json_t *card = card_of_values(units[u].most);
        const json_t *unit = json_object_get(card, "value_unit");
        const json_t *group = json_array_get(json_object_get(card, "attribute_groups"), 0);
        const json_t *first = json_array_get(json_object_get(group, "attributes"), 0);
        assert_string_equal(text_of(unit, "kind"), units[u].kind);
        assert_string_equal(text_of(card, "selection"), "none");
        assert_true(json_is_null(json_object_get(json_object_get(card, "calibration"), "source")));
        if (u < 2) {
            assert_int_equal(number_of(unit, "maximum"), units[u].maximum);
            assert_null(json_object_get(first, "largest"));
        } else {
            assert_true(json_is_null(json_object_get(unit, "maximum")));
            util_near(json_number_value(json_object_get(first, "largest")), 3000, 1e-3);
            assert_true(json_number_value(json_object_get(first, "least")) < 3000);
        }
        json_decref(card);
    }
}

static double cosine(const float *a, const float *b) {
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < A; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

static void alike_descriptions_are_found(void **state) {
    (void)state;
    unseen_model *model = open_model();
    float rows[(C + 1) * A], similarity = 0;
    size_t nearest = 0;
    for (size_t k = 0; k < C; k++) {
        util_ok(unseen_model_class_description(model, k, rows + k * A));
        util_near(cosine(rows + k * A, g_attributes + k * A), 1, 1e-6);
    }
    for (size_t k = 0; k < C; k++) {
        double most = -2;
        size_t best = 0;
        for (size_t j = 0; j < C; j++) {
            double here = j == k ? -2 : cosine(rows + k * A, rows + j * A);
            if (here > most) most = here, best = j;
        }
        util_ok(unseen_model_nearest_class(model, k, &nearest, &similarity));
        assert_int_equal(nearest, best);
        util_near((double)similarity, most, 1e-6);
    }
    /* The description of class 4 under another name. */
    util_ok(unseen_model_add_class(model, "twin", g_attribute_names, g_attributes + 4 * A, A));
    util_ok(unseen_model_class_description(model, C, rows + C * A));
    assert_memory_equal(rows + C * A, rows + 4 * A, A * sizeof *rows);
    util_ok(unseen_model_nearest_class(model, C, &nearest, &similarity));
    assert_int_equal(nearest, 4);
    util_near((double)similarity, 1, 1e-6);
    util_fails(unseen_model_nearest_class(model, C + 1, &nearest, &similarity), UNSEEN_E_ARGUMENT,
               "no class 7");
    util_fails(unseen_model_class_description(model, C + 1, rows), UNSEEN_E_ARGUMENT, "no class 7");
    util_fails(unseen_model_class_description(model, 0, NULL), UNSEEN_E_ARGUMENT, "NULL");
    for (size_t k = C; k > 0; k--) util_ok(unseen_model_remove_class(model, k));
    util_fails(unseen_model_nearest_class(model, 0, &nearest, &similarity), UNSEEN_E_ARGUMENT,
               "the only class");
    unseen_model_close(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_describes_itself),
        cmocka_unit_test(old_models_describe_themselves),
        cmocka_unit_test(units_of_descriptions_are_told),
        cmocka_unit_test(alike_descriptions_are_found),
    };
    return cmocka_run_group_tests(tests, make_model, remove_folder);
}
