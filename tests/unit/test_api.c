/* test_api.c - the public interface on its way from a picture to an answer: files and pixels give
 * the same, described classes get the rows they should, and what is refused. */
#include <math.h>
#include <pthread.h>
#include <unistd.h>

#include "base/file.h"
#include "engine/classifier.h"
#include "locale_sample.h"
#include "method/msdn/msdn.h"
#include "unseen.h"
#include "util.h"

enum { C = 9, A = 4, WIDTH = 480, SIDE = 64, GRID = SIDE / 16 };

static char g_model[256], g_picture[264];
static char *g_attributes[A] = {(char[]){"colour::red"}, (char[]){"colour::blue"},
                                (char[]){"size::small"}, (char[]){"legs"}};

/* A model of untrained parameters over the built-in descriptor; its classes have `values` [C, A]
 * brought to rows by `scaling`, both NULL: unit rows that nothing tells the origin of. */
static void make_model(util_scene *s, const char *architecture, const un_scaling *scaling,
                       const double *values) {
    un_backbone *backbone = NULL;
    const size_t attributes = A;
    char recipe[1024];
    util_ok(un_backbone_open("builtin:descriptor", UN_PRECISION_F32, &backbone));
    snprintf(recipe, sizeof recipe,
             "{\"backbone\": {\"architecture\": \"%s\", \"sha256\": \"%s\"}, \"preprocess\": "
             "{\"resize\": %d, \"crop\": %d, \"mean\": [0, 0, 0], \"std\": [%.9g, %.9g, %.9g]}}",
             architecture, backbone->sha256, SIDE, SIDE, 1 / 255., 1 / 255., 1 / 255.);
    un_backbone_close(backbone);
    util_scene_make(s, C, 10, (size_t)GRID * GRID * WIDTH, 1, &attributes, 4);
    s->features.regions = (size_t)GRID * GRID;
    s->features.width = WIDTH;
    s->features.grid_height = s->features.grid_width = GRID;
    un_class_semantics *m = &s->classes.semantics[0];
    m->attributes = g_attributes;
    m->vectors = s->rows;
    m->vector_width = 5;
    for (size_t c = 0; c < C; c++) { /* unit rows, as imports make them */
        double square = 0;
        for (size_t i = 0; i < A; i++) square += pow((double)m->values[c * A + i], 2);
        for (size_t i = 0; i < A; i++) m->values[c * A + i] /= (float)sqrt(square);
        if (scaling) un_scaling_apply(scaling, values + c * A, m->values + c * A);
    }
    m->scaling = scaling;
    json_t *config = util_config(&un_method_msdn, NULL);
    const un_method_setup setup = {.classes = &s->classes,
                                   .regions = s->features.regions,
                                   .width = WIDTH,
                                   .seed = 3,
                                   .precision = UN_PRECISION_F32,
                                   .config = config,
                                   .data = &s->data};
    un_method *method = NULL;
    util_ok(un_method_msdn.create(&setup, &method));
    json_t *manifest = json_pack("{s:s, s:O, s:s, s:{s:I, s:I, s:[i, i], s:s}, s:{s:f}}", "method",
                                 "msdn", "config", config, "precision", "f32", "input", "regions",
                                 (json_int_t)s->features.regions, "width", (json_int_t)WIDTH,
                                 "grid", GRID, GRID, "recipe", recipe, "selection", "gamma", 0.5);
    assert_non_null(manifest);
    util_ok(un_model_save(g_model, method, &s->classes, manifest));
    json_decref(manifest);
    json_decref(config);
    method->class->destroy(method);
}

static void save_model(util_scene *s, const char *architecture) {
    make_model(s, architecture, NULL, NULL);
}

/* A picture of coloured noise, and the same as a BMP file. */
static void save_picture(unsigned char *rgb) {
    unsigned char file[54 + SIDE * SIDE * 3] = {
        'B', 'M', [10] = 54, [14] = 40, [18] = SIDE, [22] = SIDE, [26] = 1, [28] = 24};
    un_rng rng = un_rng_stream(9, "picture", 0);
    for (size_t i = 0; i < (size_t)SIDE * SIDE * 3; i++)
        rgb[i] = (unsigned char)(un_rng_u32(&rng) >> 24);
    for (size_t y = 0; y < SIDE; y++)
        for (size_t x = 0; x < SIDE; x++)
            for (size_t c = 0; c < 3; c++)
                file[54 + ((SIDE - 1 - y) * SIDE + x) * 3 + (2 - c)] = rgb[(y * SIDE + x) * 3 + c];
    util_ok(un_file_write(g_picture, file, sizeof file));
}

static int make_paths(void **state) {
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(g_model, sizeof g_model, "%s/unseen-api-%ld", base && base[0] ? base : "/tmp",
             (long)getpid());
    snprintf(g_picture, sizeof g_picture, "%s.bmp", g_model);
    return 0;
}

static int remove_files(void **state) {
    unlink(g_model);
    unlink(g_picture);
    return locale_finish(state);
}

static void files_and_pixels_agree(void **state) {
    (void)state;
    static unsigned char rgb[SIDE * SIDE * 3];
    static float one[GRID * GRID * WIDTH], two[GRID * GRID * WIDTH], maps[2 * A * GRID * GRID];
    util_scene s;
    unseen_model *model = NULL;
    unseen_prediction a[C + 1], b[C + 1];
    size_t n = 0, k = 0, h = 0, w = 0;
    float found[A];
    save_model(&s, "descriptor-1");
    save_picture(rgb);
    util_ok(unseen_model_open(g_model, &model));
    util_fails(unseen_classify_file(model, g_picture, UNSEEN_AMONG_ALL, 1, a, &n),
               UNSEEN_E_ARGUMENT, "no backbone");
    util_ok(unseen_model_attach_backbone(model, NULL));
    assert_int_equal(unseen_model_feature_length(model), GRID * GRID * WIDTH);
    unseen_model_grid(model, &h, &w);
    assert_int_equal(h, GRID);
    assert_int_equal(w, GRID);

    util_ok(unseen_features_of_file(model, g_picture, one));
    util_ok(unseen_features_of_pixels(model, rgb, SIDE, SIDE, SIDE * 3, two));
    assert_memory_equal(one, two, sizeof one);
    util_ok(unseen_classify_file(model, g_picture, UNSEEN_AMONG_ALL, C + 1, a, &n));
    assert_int_equal(n, C);
    util_ok(unseen_classify_pixels(model, rgb, SIDE, SIDE, SIDE * 3, UNSEEN_AMONG_ALL, 2, b, &k));
    assert_int_equal(k, 2);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(a[i].label, unseen_model_class_name(model, a[i].class_index));
        if (i > 0) assert_true(a[i].score <= a[i - 1].score);
        if (i < k) assert_int_equal(a[i].class_index, b[i].class_index);
    }
    util_ok(unseen_classify_file(model, g_picture, UNSEEN_AMONG_UNSEEN, C, a, &n));
    assert_int_equal(n, C / 3);
    util_ok(unseen_classify_file(model, g_picture, UNSEEN_AMONG_NEW, C, a, &n));
    assert_int_equal(n, 0);

    util_ok(unseen_attributes(model, one, found));
    assert_int_equal(unseen_model_branch_count(model), 2);
    util_ok(unseen_attention(model, one, maps));
    for (size_t i = 0; i < A; i++) { /* the first branch is a softmax over regions */
        double sum = 0;
        for (size_t r = 0; r < (size_t)GRID * GRID; r++) sum += (double)maps[i * GRID * GRID + r];
        util_near(sum, 1, 1e-5);
    }
    util_fails(unseen_classify_pixels(model, rgb, 0, SIDE, 0, UNSEEN_AMONG_ALL, 1, a, &n),
               UNSEEN_E_ARGUMENT, "0 x 64");
    util_fails(unseen_classify_file(model, g_model, UNSEEN_AMONG_ALL, 1, a, &n), UNSEEN_E_FORMAT,
               g_model);
    unseen_model_close(model);
    util_scene_free(&s);
}

/* The recipe's numbers are fractions: a decimal comma would make 0 of each. */
static void pictures_do_not_ask_the_locale(void **state) {
    (void)state;
    static unsigned char rgb[SIDE * SIDE * 3];
    static float features[2][2][GRID * GRID * WIDTH];
    float scores[2][C] = {{0}}, attributes[2][A] = {{0}};
    util_scene s;
    save_model(&s, "descriptor-1");
    save_picture(rgb);
    for (int comma = 0; comma < 2; comma++) {
        unseen_model *model = NULL;
        unseen_prediction best[C];
        size_t n = 0;
        if (comma) locale_choose("de_DE");
        util_ok(unseen_model_open(g_model, &model));
        util_ok(unseen_model_attach_backbone(model, NULL));
        util_ok(unseen_model_set_orientation(model, UNSEEN_ORIENTATION_EXIF));
        util_ok(unseen_features_of_file(model, g_picture, features[comma][0]));
        util_ok(unseen_features_of_pixels(model, rgb, SIDE, SIDE, SIDE * 3, features[comma][1]));
        util_ok(unseen_classify_file(model, g_picture, UNSEEN_AMONG_ALL, C, best, &n));
        assert_int_equal(n, C);
        for (size_t i = 0; i < n; i++) scores[comma][best[i].class_index] = best[i].score;
        util_ok(unseen_attributes(model, features[comma][0], attributes[comma]));
        unseen_model_close(model);
        assert_string_equal(localeconv()->decimal_point, comma ? "," : ".");
    }
    setlocale(LC_ALL, "C");
    util_scene_free(&s);
    assert_memory_equal(features[0], features[1], sizeof features[0]);
    assert_memory_equal(scores[0], scores[1], sizeof scores[0]);
    assert_memory_equal(attributes[0], attributes[1], sizeof attributes[0]);
}

static void described_classes_get_their_rows(void **state) {
    (void)state;
    util_scene s;
    un_classifier c;
    save_model(&s, "descriptor-1");
    util_ok(un_classifier_open(&c, g_model, UN_PRECISION_F32));
    const float *values = c.model.classes.semantics[0].values;
    double mean[A] = {0}, top = 0, norm = 0;
    for (size_t k = 0; k < C; k++)
        for (size_t i = 0; i < A; i++) {
            mean[i] += (double)values[k * A + i] / C;
            if ((double)values[k * A + i] > top) top = (double)values[k * A + i];
        }
    /* Red at 50 %: blue, of its group, is absent, the rest as usual. */
    const size_t red = 0;
    const double half = 50;
    const un_description part = {"part", 1, &red, &half};
    util_ok(un_classifier_describe(&c, &part, 1));
    const double want[A] = {0.5 * top, 0, mean[2], mean[3]};
    for (size_t i = 0; i < A; i++) norm += want[i] * want[i];
    for (size_t i = 0; i < A; i++)
        util_near((double)c.classes.semantics[0].values[C * A + i], want[i] / sqrt(norm), 1e-6);
    assert_int_equal(c.classes.count, C + 1);
    assert_int_equal(c.classes.seen[C], 0);

    /* The whole row, in any unit; the first class stays. */
    const size_t all[A] = {3, 2, 1, 0};
    const double row[A] = {40, 30, 20, 10};
    const un_description whole = {"whole", A, all, row};
    util_ok(un_classifier_describe(&c, &whole, 1));
    assert_int_equal(c.classes.count, C + 2);
    assert_string_equal(c.classes.names[C], "part");
    for (size_t i = 0; i < A; i++)
        util_near((double)c.classes.semantics[0].values[(C + 1) * A + i],
                  10.0 * (double)(i + 1) / sqrt(3000), 1e-6);

    /* An unseen class is described anew, and so is a seen one, which stays seen. */
    const un_description unseen = {"class 2", A, all, row};
    const un_description seen = {"class 0", A, all, row};
    util_ok(un_classifier_describe(&c, &unseen, 1));
    assert_int_equal(c.classes.count, C + 2);
    util_near((double)c.classes.semantics[0].values[2 * A], 10 / sqrt(3000), 1e-6);
    util_ok(un_classifier_describe(&c, &seen, 1));
    assert_int_equal(c.classes.count, C + 2);
    assert_int_equal(c.classes.seen[0], 1);
    util_near((double)c.classes.semantics[0].values[3], 40 / sqrt(3000), 1e-6);
    const size_t twice[2] = {1, 1};
    const un_description repeated = {"x", 2, twice, row};
    util_fails(un_classifier_describe(&c, &repeated, 1), UNSEEN_E_ARGUMENT, "twice");
    const double bad = -1;
    const un_description negative = {"x", 1, &red, &bad};
    util_fails(un_classifier_describe(&c, &negative, 1), UNSEEN_E_ARGUMENT, "from 0 to 1");
    assert_int_equal(c.classes.count, C + 2);
    un_classifier_close(&c);
    util_scene_free(&s);
}

/* A model that keeps the ranges of its attributes, of a table in units of their own. */
static void rows_of_old_classes_score_as_they_do(void **state) {
    (void)state;
    /* C classes, in the order of the scene; the second attribute in kilograms. */
    static const float table[C][A] = {{0.9F, 235, 1, 3},    {0.1F, 180, 2, 3}, {0.2F, 35, 7, 3},
                                      {0.8F, 90, 4, 3},     {0.1F, 60, 6, 3},  {0.7F, 120, 3, 3},
                                      {0.3F, 110.7F, 5, 3}, {0.6F, 77, 2, 3},  {0.5F, 99, 1, 3}};
    static const un_scaling_kind kinds[] = {UN_SCALING_RANGE, UN_SCALING_UNIT, UN_SCALING_AS_GIVEN};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        util_scene s;
        un_arena arena = {0};
        un_scaling scaling;
        unseen_model *model = NULL;
        const char *names[A];
        double values[C * A];
        float features[GRID * GRID * WIDTH], scores[C + 3];
        for (size_t i = 0; i < (size_t)C * A; i++) /* as a table says it: 0.9, not 0.9F */
            values[i] = round((double)table[i / A][i % A] * 100) / 100;
        util_ok(un_scaling_measure(&scaling, kinds[k], values, C, A, &arena));
        make_model(&s, "descriptor-1", &scaling, values);
        util_ok(unseen_model_open(g_model, &model));
        for (size_t i = 0; i < A; i++) names[i] = unseen_model_attribute_name(model, i);
        for (size_t i = 0; i < sizeof features / sizeof *features; i++)
            features[i] = (float)(i % 7) / 7;
        util_ok(unseen_model_add_class(model, "twin of class 2", names, table[2], A));
        util_ok(unseen_model_add_class(model, "CLASS", names, table[5], A));
        util_ok(unseen_model_score(model, features, 1, UNSEEN_NATIVE, scores));
        assert_true(scores[C] == scores[2]);
        const float heavy = 2350, other = 4, weight = 100;
        if (kinds[k] == UN_SCALING_RANGE) {
            util_fails(unseen_model_add_class(model, "x", &names[1], &heavy, 1), UNSEEN_E_ARGUMENT,
                       "far outside what the model was trained with (35 to 235)");
            util_fails(unseen_model_add_class(model, "x", &names[3], &other, 1), UNSEEN_E_ARGUMENT,
                       "it was 3 for every class");
        }
        util_ok(unseen_model_add_class(model, "x", &names[1], &weight, 1));
        assert_int_equal(unseen_model_class_count(model), C + 3);
        unseen_model_close(model);
        un_arena_free(&arena);
        util_scene_free(&s);
    }
}

/* In a table of shares: what one description of a call says changes nothing about another one. */
static void classes_of_a_call_are_described_each_by_itself(void **state) {
    (void)state;
    static const un_scaling_kind kinds[] = {UN_SCALING_UNIT, UN_SCALING_AS_GIVEN};
    const size_t all[A] = {0, 1, 2, 3};
    const double above[A] = {1.02, 0.5, 0.25, 0.125}, percent[A] = {70, 50, 30, 10};
    double values[C * A], copy[A];
    for (size_t i = 0; i < (size_t)C * A; i++) values[i] = (double)(1 + i * 7 % 16) / 16;
    memcpy(copy, values + (size_t)4 * A, sizeof copy);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        util_scene s;
        un_arena arena = {0};
        un_scaling scaling;
        un_classifier c;
        float want[A], part[A];
        util_ok(un_scaling_measure(&scaling, kinds[k], values, C, A, &arena));
        make_model(&s, "descriptor-1", &scaling, values);
        util_ok(un_classifier_open(&c, g_model, UN_PRECISION_F32));
        const un_description alone = {"alone", 2, &all[2], copy};
        const un_description call[] = {{"copy", A, all, copy},
                                       {"above", A, all, above},
                                       {"share", 2, &all[2], copy},
                                       {"percent", 1, &all[2], percent}};
        util_ok(un_classifier_describe(&c, &alone, 1));
        memcpy(part, c.classes.semantics[0].values + (size_t)C * A, sizeof part);
        util_ok(un_classifier_describe(&c, call, 4));
        const float *row = c.classes.semantics[0].values;
        assert_memory_equal(row + (size_t)(C + 1) * A, row + (size_t)4 * A, sizeof copy / 2);
        un_scaling_apply(&scaling, above, want);
        assert_memory_equal(row + (size_t)(C + 2) * A, want, sizeof want);
        assert_memory_equal(row + (size_t)(C + 3) * A, part, sizeof part);
        util_near((double)(row[(C + 4) * A + 2] / row[(C + 4) * A + 3]), 0.7 / scaling.mean[3],
                  1e-6); /* 70 percent of a table of shares */
        const un_description whole = {"x", A, all, percent};
        if (kinds[k] == UN_SCALING_AS_GIVEN)
            util_fails(un_classifier_describe(&c, &whole, 1), UNSEEN_E_ARGUMENT,
                       "trained with values from 0 to 1");
        else
            util_ok(un_classifier_describe(&c, &whole, 1)); /* rows of length 1 have no unit */
        un_classifier_close(&c);
        un_arena_free(&arena);
        util_scene_free(&s);
    }
}

/* Files of version 0.1 have no ranges. */
static void old_models_take_shares_and_percent(void **state) {
    (void)state;
    unseen_model *model = NULL;
    const float share = 0.5F, percent = 70, heavy = 235;
    util_ok(unseen_model_open(UNSEEN_TEST_DATA "/v0.1/eszsl.model", &model));
    size_t n = unseen_model_attribute_count(model), count = unseen_model_class_count(model);
    const char *name = unseen_model_attribute_name(model, 0);
    const char **names = calloc(n, sizeof *names);
    float *row = calloc(n, sizeof *row);
    assert_true(names && row && n > 1);
    for (size_t i = 0; i < n; i++) names[i] = unseen_model_attribute_name(model, i);
    util_ok(unseen_model_add_class(model, "a", &name, &share, 1));
    util_ok(unseen_model_add_class(model, "b", &name, &percent, 1));
    util_fails(unseen_model_add_class(model, "c", &name, &heavy, 1), UNSEEN_E_ARGUMENT,
               "from 0 to 1");
    row[0] = 235;
    util_fails(unseen_model_add_class(model, "c", names, row, n), UNSEEN_E_ARGUMENT,
               "does not keep the units");
    row[0] = 35;
    util_ok(unseen_model_add_class(model, "c", names, row, n));
    assert_int_equal(unseen_model_class_count(model), count + 3);
    free(names);
    free(row);
    unseen_model_close(model);
}

static void several_classes_at_once_are_those_one_by_one(void **state) {
    (void)state;
    unseen_model *one = NULL, *many = NULL;
    const float values[] = {0.5F, 0.25F, 1};
    util_ok(unseen_model_open(UNSEEN_TEST_DATA "/v0.1/eszsl.model", &one));
    util_ok(unseen_model_clone(one, &many));
    const size_t count = unseen_model_class_count(one), length = unseen_model_feature_length(one);
    const char *names[3];
    for (size_t i = 0; i < 3; i++) names[i] = unseen_model_attribute_name(one, i);
    const unseen_description classes[] = {
        {"a", names, values, 3}, {"b", names + 1, values, 1}, {"a", names, values, 2}};
    util_fails(unseen_model_add_classes(many, classes, 3), UNSEEN_E_ARGUMENT,
               "two descriptions are of a class \"a\"");
    const unseen_description wrong[] = {classes[0], {"c", (const char *[]){"nothing"}, values, 1}};
    util_fails(unseen_model_add_classes(many, wrong, 2), UNSEEN_E_ARGUMENT, "nothing");
    assert_int_equal(unseen_model_class_count(many), count);
    util_ok(unseen_model_add_classes(many, NULL, 0));
    util_ok(unseen_model_add_classes(many, classes, 2));
    for (size_t i = 0; i < 2; i++)
        util_ok(unseen_model_add_class(one, classes[i].name, classes[i].attributes,
                                       classes[i].values, classes[i].n));
    assert_int_equal(unseen_model_class_count(many), count + 2);
    assert_string_equal(unseen_model_class_name(many, count + 1), "b");
    float *row = calloc(length, sizeof *row), *a = calloc(count + 2, sizeof *a),
          *b = calloc(count + 2, sizeof *b);
    assert_true(row && a && b);
    for (size_t i = 0; i < length; i++) row[i] = (float)(i % 7) - 3;
    util_ok(unseen_model_score(one, row, 1, UNSEEN_NATIVE, a));
    util_ok(unseen_model_score(many, row, 1, UNSEEN_NATIVE, b));
    assert_memory_equal(a, b, (count + 2) * sizeof *a);
    free(row);
    free(a);
    free(b);
    unseen_model_close(one);
    unseen_model_close(many);
}

static void other_backbones_are_refused(void **state) {
    (void)state;
    util_scene s;
    unseen_model *model = NULL;
    const char *name = "color::red";
    const float one = 1;
    save_model(&s, "resnet101");
    util_ok(unseen_model_open(g_model, &model));
    util_fails(unseen_model_attach_backbone(model, NULL), UNSEEN_E_ARGUMENT, "resnet101");
    util_fails(unseen_model_attach_backbone(model, "builtin:pixels"), UNSEEN_E_ARGUMENT,
               "another backbone");
    util_fails(unseen_model_add_class(model, "x", &name, &one, 1), UNSEEN_E_ARGUMENT,
               "did you mean \"colour::red\"");
    unseen_model_close(model);
    util_scene_free(&s);
}

/* Values that are none of their enumeration are refused, and nothing is touched. */
static void enumerations_are_checked(void **state) {
    (void)state;
    static unsigned char rgb[SIDE * SIDE * 3];
    static float features[GRID * GRID * WIDTH];
    static const int wrong[] = {-1, 4, 99, INT32_MAX, INT32_MIN};
    util_scene s;
    unseen_model *model = NULL;
    unseen_prediction best = {.class_index = 77};
    float scores[C] = {77};
    size_t n = 77;
    save_model(&s, "descriptor-1");
    save_picture(rgb);
    util_ok(unseen_model_open(g_model, &model));
    util_ok(unseen_model_attach_backbone(model, NULL));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char said[64];
        snprintf(said, sizeof said, "%d is no ", wrong[i]);
        util_fails(unseen_model_score(model, features, 1, (unseen_calibration)wrong[i], scores),
                   UNSEEN_E_ARGUMENT, said);
        util_fails(unseen_classify_file(model, g_picture, (unseen_among)wrong[i], 1, &best, &n),
                   UNSEEN_E_ARGUMENT, said);
        util_fails(unseen_classify_pixels(model, rgb, SIDE, SIDE, SIDE * 3, (unseen_among)wrong[i],
                                          1, &best, &n),
                   UNSEEN_E_ARGUMENT, said);
        util_fails(unseen_model_set_orientation(model, (unseen_orientation)wrong[i]),
                   UNSEEN_E_ARGUMENT, said);
    }
    util_fails(unseen_model_score(model, features, 1, (unseen_calibration)2, scores),
               UNSEEN_E_ARGUMENT, "2 is no unseen_calibration");
    util_fails(unseen_model_set_orientation(model, (unseen_orientation)3), UNSEEN_E_ARGUMENT,
               "3 is no ");
    assert_int_equal(n + best.class_index, 154);
    assert_true(scores[0] == 77);
    unseen_model_close(model);
    util_scene_free(&s);
}

/* What one thread of a host gets from a model: its own, made here, or another thread's. */
typedef struct {
    unseen_model *model; /* NULL: opens one */
    int rounds, right;
    float features[GRID * GRID * WIDTH];
    unseen_prediction best[C];
} visit;

static int same_answer(const visit *one, const visit *two) {
    for (size_t i = 0; i < C; i++)
        if (one->best[i].class_index != two->best[i].class_index ||
            memcmp(&one->best[i].score, &two->best[i].score, sizeof(float)) != 0)
            return 0;
    return memcmp(one->features, two->features, sizeof one->features) == 0;
}

static int ask(visit *v) {
    size_t n = 0;
    static _Thread_local float scores[C], found[A], maps[2 * A * GRID * GRID];
    return !unseen_features_of_file(v->model, g_picture, v->features) &&
           !unseen_classify_file(v->model, g_picture, UNSEEN_AMONG_ALL, C, v->best, &n) && n == C &&
           !unseen_model_score(v->model, v->features, 1, UNSEEN_CALIBRATED, scores) &&
           !unseen_attributes(v->model, v->features, found) &&
           !unseen_attention(v->model, v->features, maps);
}

static void *pay_visit(void *context) {
    visit *v = context;
    unseen_model *own = NULL;
    v->right = 1;
    for (int i = 0; i < v->rounds; i++) {
        if (!v->model || own) {
            unseen_model_close(own);
            own = NULL;
            v->right &=
                !unseen_model_open(g_model, &own) && !unseen_model_attach_backbone(own, NULL);
            v->model = own;
        }
        v->right = v->right && ask(v);
    }
    unseen_model_close(own);
    return NULL;
}

static void several_threads_have_a_model_each(void **state) {
    (void)state;
    enum { HOSTS = 4 };
    static unsigned char rgb[SIDE * SIDE * 3];
    static visit here, there[HOSTS];
    pthread_t threads[HOSTS];
    util_scene s;
    save_model(&s, "descriptor-1");
    save_picture(rgb);
    util_ok(unseen_set_threads(2));
    here = (visit){.rounds = 1};
    pay_visit(&here);
    assert_true(here.right);
    for (size_t i = 0; i < HOSTS; i++) {
        there[i] = (visit){.rounds = 5};
        assert_int_equal(pthread_create(&threads[i], NULL, pay_visit, &there[i]), 0);
    }
    for (size_t i = 0; i < HOSTS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < HOSTS; i++) {
        assert_true(there[i].right);
        assert_true(same_answer(&here, &there[i]));
    }
    util_scene_free(&s);
}

static void a_model_goes_from_thread_to_thread(void **state) {
    (void)state;
    static unsigned char rgb[SIDE * SIDE * 3];
    static visit first, there, again;
    pthread_t thread;
    util_scene s;
    unseen_model *model = NULL;
    save_model(&s, "descriptor-1");
    save_picture(rgb);
    util_ok(unseen_model_open(g_model, &model));
    util_ok(unseen_model_attach_backbone(model, NULL));
    first.model = there.model = again.model = model;
    there.rounds = 2;
    assert_true(ask(&first));
    assert_int_equal(pthread_create(&thread, NULL, pay_visit, &there), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(there.right);
    assert_true(same_answer(&first, &there));
    assert_true(ask(&again));
    assert_true(same_answer(&first, &again));
    unseen_model_close(model);
    util_scene_free(&s);
}

static void null_is_an_argument_error(void **state) {
    (void)state;
    util_scene s;
    unseen_model *model = NULL;
    unseen_prediction best;
    const char *no_name = NULL;
    const float one = 1;
    float out[1] = {0};
    size_t n = 7, h = 7, w = 7;
    save_model(&s, "descriptor-1");
    util_fails(unseen_model_open(NULL, &model), UNSEEN_E_ARGUMENT, "NULL");
    util_fails(unseen_model_open(g_model, NULL), UNSEEN_E_ARGUMENT, "NULL");
    util_fails(unseen_model_attach_backbone(NULL, NULL), UNSEEN_E_ARGUMENT, "NULL");
    util_fails(unseen_classify_file(NULL, "x", UNSEEN_AMONG_ALL, 1, &best, &n), UNSEEN_E_ARGUMENT,
               "NULL");
    util_fails(unseen_features_of_file(NULL, "x", out), UNSEEN_E_ARGUMENT, "NULL");
    util_fails(unseen_attributes(NULL, out, out), UNSEEN_E_ARGUMENT, "NULL");
    util_fails(unseen_attention(NULL, out, out), UNSEEN_E_ARGUMENT, "NULL");
    assert_int_equal(n, 7);
    unseen_model_close(NULL);
    assert_null(unseen_model_method(NULL));
    assert_null(unseen_model_manifest(NULL));
    assert_null(unseen_model_class_name(NULL, 0));
    assert_null(unseen_model_attribute_name(NULL, 0));
    assert_int_equal(unseen_model_class_seen(NULL, 0), -1);
    assert_int_equal(unseen_model_class_count(NULL), 0);
    assert_int_equal(unseen_model_attribute_count(NULL), 0);
    assert_int_equal(unseen_model_feature_length(NULL), 0);
    assert_int_equal(unseen_model_branch_count(NULL), 0);
    unseen_model_grid(NULL, &h, &w);
    assert_int_equal(h + w, 0);

    util_ok(unseen_model_open(g_model, &model));
    unseen_model_grid(model, NULL, NULL);
    util_fails(unseen_model_add_class(model, "x", &no_name, &one, 1), UNSEEN_E_ARGUMENT, "NULL");
    util_fails(unseen_model_score(model, NULL, 1, UNSEEN_NATIVE, out), UNSEEN_E_ARGUMENT, "NULL");
    unseen_model_close(model);
    util_scene_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_and_pixels_agree),
        cmocka_unit_test(described_classes_get_their_rows),
        cmocka_unit_test(rows_of_old_classes_score_as_they_do),
        cmocka_unit_test(classes_of_a_call_are_described_each_by_itself),
        cmocka_unit_test(old_models_take_shares_and_percent),
        cmocka_unit_test(several_classes_at_once_are_those_one_by_one),
        cmocka_unit_test(other_backbones_are_refused),
        cmocka_unit_test(null_is_an_argument_error),
        cmocka_unit_test(pictures_do_not_ask_the_locale),
        cmocka_unit_test(enumerations_are_checked),
        cmocka_unit_test(several_threads_have_a_model_each),
        cmocka_unit_test(a_model_goes_from_thread_to_thread)};
    return cmocka_run_group_tests(tests, make_paths, remove_files);
}
