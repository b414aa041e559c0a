/* test_train_api.c - training and evaluation through the public interface: on arrays in memory and
 * on a directory, models in memory and in files, classes that come and go, gamma, clones, a stop by
 * the callback, and a resume to the same bytes. */
#include <math.h>

#include "base/json.h"
#include "folder.h"
#include "util.h"

enum { C = 12, A = 6, N = 360, F = 16, GRID = 2, R = GRID * GRID };

static float g_features[N * R * F], g_attributes[C * A];
static int32_t g_labels[N];
static const char *const g_attribute_names[A] = {"big", "small", "furry", "winged", "wet", "loud"};

/* Images show the attributes of their class, mixed, and noise. */
static unseen_dataset *make_data(size_t regions) {
    un_rng rng = un_rng_stream(5, "train api", 0);
    float mix[A * F], noise[F];
    unseen_arrays a;
    unseen_dataset *data = NULL;
    un_rng_fill_uniform(&rng, mix, (size_t)A * F, -1, 1);
    un_rng_fill_uniform(&rng, g_attributes, (size_t)C * A, 0, 1);
    for (size_t i = 0; i < N; i++) {
        g_labels[i] = (int32_t)(i % C);
        for (size_t r = 0; r < regions; r++) {
            float *row = g_features + (i * regions + r) * F;
            un_rng_fill_uniform(&rng, noise, F, -0.3F, 0.3F);
            for (size_t j = 0; j < F; j++) {
                row[j] = noise[j];
                for (size_t k = 0; k < A; k++)
                    row[j] += g_attributes[(i % C) * A + k] * mix[k * F + j];
            }
        }
    }
    unseen_arrays_init(&a, sizeof a);
    a.image_count = N, a.regions = regions, a.width = F;
    if (regions == R) a.grid_height = a.grid_width = GRID;
    a.features = g_features, a.labels = g_labels;
    a.class_count = C, a.attribute_count = A, a.class_attributes = g_attributes;
    a.attribute_names = g_attribute_names;
    util_ok(unseen_dataset_from_arrays(&a, &data));
    return data;
}

static void score_all(unseen_model *model, float *scores) {
    util_ok(unseen_model_score(model, g_features, N, UNSEEN_CALIBRATED, scores));
}

static void same_files(const char *a, const char *b) {
    char *one = NULL, *two = NULL;
    size_t n = 0, m = 0;
    util_ok(un_file_read(a, SIZE_MAX, &one, &n));
    util_ok(un_file_read(b, SIZE_MAX, &two, &m));
    assert_int_equal(n, m);
    assert_memory_equal(one, two, n);
    free(one);
    free(two);
}

static const struct {
    const char *method;
    size_t regions;
    const char *settings[4];
} g_trainings[] = {{"dem", 1, {"epochs=6"}},
                   {"eszsl", 1, {NULL}},
                   {"cnzsl", 1, {"epochs=4"}},
                   {"msdn", R, {"epochs=3", "vectors=one-hot"}}};

/* A model that was trained in memory is the one that is written, whichever way. */
static void memory_and_files_agree(void **state) {
    (void)state;
    static float one[N * C], two[N * C];
    for (size_t t = 0; t < sizeof g_trainings / sizeof *g_trainings; t++) {
        unseen_dataset *data = make_data(g_trainings[t].regions);
        unseen_model *model = NULL, *opened = NULL;
        unseen_result *result = NULL, *evaluated = NULL;
        unseen_train_options o;
        size_t n = 0;
        const double *gamma = NULL, *U = NULL, *S = NULL;
        unseen_train_options_init(&o, sizeof o);
        o.settings = g_trainings[t].settings;
        while (o.setting_count < 4 && o.settings[o.setting_count]) o.setting_count++;
        util_ok(unseen_train(g_trainings[t].method, data, &o, &model, &result));
        util_ok(unseen_model_save(model, in_folder("saved.model")));
        o.output = in_folder("trained.model");
        util_ok(unseen_train(g_trainings[t].method, data, &o, NULL, NULL));
        same_files(in_folder("saved.model"), in_folder("trained.model"));
        util_ok(unseen_model_open(o.output, &opened));
        score_all(model, one);
        score_all(opened, two);
        assert_memory_equal(one, two, sizeof one);

        util_ok(unseen_evaluate(model, data, NULL, &evaluated));
        static const char *const keys[] = {"T1", "U", "S", "H", "AUSUC", "native.U", "per_image.H"};
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
            const double got = unseen_result_number(evaluated, keys[i]);
            assert_true(got >= 0);
            assert_true(got == unseen_result_number(result, keys[i]));
        }
        assert_true(isnan(unseen_result_number(result, "method")) != 0);
        assert_true(isnan(unseen_result_number(result, "native.nothing")) != 0);
        assert_string_equal(unseen_model_method(model), g_trainings[t].method);
        util_fails(unseen_result_curve(result, &n, &gamma, &U, &S), UNSEEN_E_UNSUPPORTED, "curve");
        unseen_model_close(model); /* a result outlives what it was made of */
        unseen_dataset_close(data);
        util_ok(unseen_result_curve(evaluated, &n, &gamma, &U, &S));
        assert_true(n > 1 && isinf(gamma[n - 1]) != 0 && S[0] >= S[n - 1] && U[0] <= U[n - 1]);
        util_ok(unseen_result_write(evaluated, UNSEEN_TABLE_CURVE, in_folder("curve.csv")));
        util_ok(unseen_result_write(evaluated, UNSEEN_TABLE_CLASSES, in_folder("classes.csv")));
        util_ok(unseen_result_write(evaluated, UNSEEN_TABLE_CONFUSION, in_folder("cells.csv")));
        util_fails(unseen_result_write(evaluated, (unseen_table)7, in_folder("x")),
                   UNSEEN_E_ARGUMENT, "7 is no unseen_table");
        unseen_result_close(evaluated);
        unseen_result_close(result);
        unseen_model_close(opened);
    }
}

static unseen_model *train_dem(const unseen_dataset *data) {
    static const char *const settings[] = {"epochs=6"};
    unseen_train_options o;
    unseen_model *model = NULL;
    unseen_train_options_init(&o, sizeof o);
    o.settings = settings;
    o.setting_count = 1;
    util_ok(unseen_train("dem", data, &o, &model, NULL));
    return model;
}

/* Directory and memory are the same data set to a training. */
static void directories_train_alike(void **state) {
    (void)state;
    unseen_dataset *data = make_data(1), *opened = NULL;
    util_ok(unseen_dataset_save(data, in_folder("data")));
    util_ok(unseen_dataset_open(in_folder("data"), &opened));
    unseen_model *a = train_dem(data), *b = train_dem(opened);
    util_ok(unseen_model_save(a, in_folder("a.model")));
    util_ok(unseen_model_save(b, in_folder("b.model")));
    same_files(in_folder("a.model"), in_folder("b.model"));
    unseen_model_close(a);
    unseen_model_close(b);
    unseen_dataset_close(data);
    unseen_dataset_close(opened);
}

/* ---- classes and gamma ---- */

static void classes_come_and_go(void **state) {
    (void)state;
    static float before[N * C], after[N * (C + 1)];
    unseen_dataset *data = make_data(1);
    unseen_model *model = train_dem(data), *opened = NULL;
    score_all(model, before);
    util_fails(unseen_model_add_class(model, "beast", g_attribute_names, g_attributes, 0),
               UNSEEN_E_ARGUMENT, "nothing is said");
    assert_int_equal(unseen_model_class_seen(model, 0), 1);
    util_ok(unseen_model_add_class(model, "beast", g_attribute_names, g_attributes, A));
    assert_int_equal(unseen_model_class_count(model), C + 1);
    score_all(model, after);
    for (size_t i = 0; i < N; i++) {
        assert_memory_equal(after + i * (C + 1), before + i * C, C * sizeof *before);
        /* class 0's description: its score, but that it is not lowered */
        util_near((double)after[i * (C + 1) + C], (double)before[i * C] + unseen_model_gamma(model),
                  1e-5);
    }
    util_ok(unseen_model_save(model, in_folder("more.model")));
    util_ok(unseen_model_open(in_folder("more.model"), &opened));
    assert_int_equal(unseen_model_class_count(opened), C + 1);
    assert_string_equal(unseen_model_class_name(opened, C), "beast");
    static float again[N * (C + 1)];
    score_all(opened, again);
    assert_memory_equal(again, after, sizeof after);
    unseen_model_close(opened);

    util_ok(unseen_model_remove_class(model, 1));
    assert_int_equal(unseen_model_class_count(model), C);
    assert_string_equal(unseen_model_class_name(model, 1), "class_003");
    score_all(model, again); /* C a row */
    for (size_t i = 0; i < N; i++) {
        assert_true(again[i * C] == before[i * C]);
        assert_true(again[i * C + 1] == before[i * C + 2]);
    }
    util_fails(unseen_model_remove_class(model, C), UNSEEN_E_ARGUMENT, "no class 12");
    /* The model's own class 1 is described anew under another name. */
    util_fails(
        unseen_model_replace_class(model, 1, "class_004", g_attribute_names, g_attributes + A, A),
        UNSEEN_E_ARGUMENT, "already");
    util_ok(unseen_model_replace_class(model, 1, "newt", g_attribute_names, g_attributes + A, A));
    assert_string_equal(unseen_model_class_name(model, 1), "newt");
    assert_int_equal(unseen_model_class_seen(model, 1), 0);
    util_ok(unseen_model_replace_class(model, 0, NULL, g_attribute_names, g_attributes + A, A));
    assert_string_equal(unseen_model_class_name(model, 0), "class_001");
    assert_int_equal(unseen_model_class_seen(model, 0), 1);
    while (unseen_model_class_count(model) > 1) util_ok(unseen_model_remove_class(model, 0));
    util_fails(unseen_model_remove_class(model, 0), UNSEEN_E_ARGUMENT, "only class");
    score_all(model, after);
    unseen_model_close(model);
    unseen_dataset_close(data);
}

static void gamma_can_be_given(void **state) {
    (void)state;
    static float native[N * C], lowered[N * C];
    unseen_dataset *data = make_data(1);
    unseen_model *model = train_dem(data), *opened = NULL;
    unseen_result *result = NULL;
    unseen_evaluate_options o;
    util_ok(unseen_model_score(model, g_features, N, UNSEEN_NATIVE, native));
    const double selected = unseen_model_gamma(model);
    util_fails(unseen_model_set_gamma(model, (double)NAN), UNSEEN_E_ARGUMENT, "finite");
    util_ok(unseen_model_set_gamma(model, 0.25));
    assert_true(unseen_model_gamma(model) == 0.25);
    score_all(model, lowered);
    for (size_t i = 0; i < (size_t)N * C; i++)
        assert_true(lowered[i] ==
                    (unseen_model_class_seen(model, i % C) == 1 ? native[i] - 0.25F : native[i]));
    util_ok(unseen_model_save(model, in_folder("gamma.model")));
    util_ok(unseen_model_open(in_folder("gamma.model"), &opened));
    assert_true(unseen_model_gamma(opened) == 0.25);
    util_ok(unseen_evaluate(opened, data, NULL, &result));
    assert_true(unseen_result_number(result, "gamma") == 0.25);
    assert_non_null(strstr(unseen_result_json(result), "\"gamma_source\":\"given\""));
    assert_true(unseen_result_number(result, "validation.gamma") == selected);
    unseen_result_close(result);
    unseen_evaluate_options_init(&o, sizeof o);
    o.gamma = "selected";
    util_ok(unseen_evaluate(opened, data, &o, &result));
    assert_true(unseen_result_number(result, "gamma") == selected);
    unseen_result_close(result);
    o.gamma = "enough";
    util_fails(unseen_evaluate(opened, data, &o, &result), UNSEEN_E_ARGUMENT, "enough");
    unseen_model_close(opened);
    unseen_model_close(model);
    unseen_dataset_close(data);
}

static void clones_share_weights_only(void **state) {
    (void)state;
    static float one[N * C], two[N * C];
    unseen_dataset *data = make_data(1);
    unseen_model *model = train_dem(data), *clone = NULL, *second = NULL;
    score_all(model, one);
    util_ok(unseen_model_set_gamma(model, 0.5));
    util_ok(unseen_model_add_class(model, "beast", g_attribute_names, g_attributes, A));
    util_ok(unseen_model_clone(model, &clone));
    assert_int_equal(unseen_model_class_count(clone), C + 1);
    assert_true(unseen_model_gamma(clone) == 0.5);
    util_ok(unseen_model_remove_class(clone, C));
    assert_int_equal(unseen_model_class_count(model), C + 1);
    util_ok(unseen_model_set_gamma(clone, 0));
    assert_true(unseen_model_gamma(model) == 0.5);
    unseen_model_close(model); /* in any order */
    util_ok(unseen_model_clone(clone, &second));
    unseen_model_close(clone);
    util_ok(unseen_model_score(second, g_features, N, UNSEEN_NATIVE, two));
    util_ok(unseen_model_save(second, in_folder("second.model")));
    unseen_model_close(second);
    model = train_dem(data);
    util_ok(unseen_model_score(model, g_features, N, UNSEEN_NATIVE, one));
    assert_memory_equal(one, two, sizeof one);
    unseen_model_close(model);
    unseen_dataset_close(data);
}

/* ---- stopping ---- */

typedef struct {
    size_t calls, stop_at; /* stop_at 0: never */
} watcher;

static int watch(const unseen_progress *p, void *user) {
    watcher *w = user;
    w->calls++;
    assert_true(p->done <= p->total && p->seconds >= 0);
    return w->stop_at > 0 && w->calls >= w->stop_at;
}

static void a_stopped_training_goes_on(void **state) {
    (void)state;
    static const char *const settings[] = {"epochs=120", "evaluate_every=5"};
    unseen_dataset *data = make_data(1);
    unseen_train_options o;
    watcher w = {0};
    size_t stops = 0;
    unseen_train_options_init(&o, sizeof o);
    o.settings = settings;
    o.setting_count = 2;
    o.progress = watch;
    o.user = &w;
    o.output = in_folder("whole.model");
    util_ok(unseen_train("dem", data, &o, NULL, NULL));
    assert_true(w.calls > 0);
    /* Stopped at the first report, which comes with the end of the first phase at the latest. */
    o.output = in_folder("stopped.model");
    w = (watcher){.stop_at = 1};
    for (;;) {
        un_status status = unseen_train("dem", data, &o, NULL, NULL);
        if (status == UNSEEN_OK) break;
        util_fails(status, UNSEEN_E_INTERRUPTED, "stopped");
        assert_true(un_path_exists(in_folder("stopped.model.checkpoint")));
        assert_false(un_path_exists(o.output));
        stops++;
        o.resume = 1;
        w = (watcher){.stop_at = stops < 3 ? 1 : 0};
    }
    assert_true(stops >= 1);
    same_files(in_folder("whole.model"), in_folder("stopped.model"));
    assert_false(un_path_exists(in_folder("stopped.model.checkpoint")));
    /* Without an output nothing is kept, and nothing is left. */
    o.output = NULL;
    o.resume = 0;
    w = (watcher){.stop_at = 1};
    size_t files = files_in_folder();
    util_fails(unseen_train("dem", data, &o, NULL, NULL), UNSEEN_E_INTERRUPTED, "nothing is kept");
    assert_int_equal(files_in_folder(), files);
    unseen_dataset_close(data);
}

/* Evaluations tell how far they are, and stop when they are asked to. */
static void an_evaluation_is_stopped(void **state) {
    (void)state;
    static const char *const settings[] = {"epochs=2"};
    unseen_dataset *data = make_data(1);
    unseen_model *model = NULL;
    unseen_result *result = NULL;
    unseen_train_options t;
    unseen_evaluate_options e;
    unseen_report_options r;
    watcher w = {0};
    const char *page = in_folder("stopped.html");
    size_t bytes = 7;
    unseen_train_options_init(&t, sizeof t);
    t.settings = settings;
    t.setting_count = 1;
    util_ok(unseen_train("dem", data, &t, &model, NULL));
    const unseen_model *models[] = {model};
    unseen_evaluate_options_init(&e, sizeof e);
    e.progress = watch;
    e.user = &w;
    util_ok(unseen_evaluate(model, data, &e, &result));
    unseen_result_close(result);
    result = NULL;
    assert_true(w.calls > 0);
    w = (watcher){.stop_at = 1};
    util_fails(unseen_evaluate(model, data, &e, &result), UNSEEN_E_INTERRUPTED, "evaluate");
    assert_null(result);
    assert_true(w.calls <= 2); /* and at the end of the phase */
    unseen_report_options_init(&r, sizeof r);
    r.progress = watch;
    r.user = &w;
    w = (watcher){.stop_at = 1};
    util_fails(unseen_report(data, models, 1, &r, page, &bytes), UNSEEN_E_INTERRUPTED, "evaluate");
    assert_false(un_path_exists(page));
    assert_int_equal(bytes, 7);
    assert_true(w.calls <= 2);
    w = (watcher){0};
    util_ok(unseen_report(data, models, 1, &r, page, &bytes));
    assert_true(w.calls > 0);
    assert_true(un_path_exists(page));
    unseen_model_close(model);
    unseen_dataset_close(data);
}

/* The images that are scored in one go are the most that are still done. */
static void a_long_evaluation_ends_at_once(void **state) {
    (void)state;
    enum { IMAGES = 4096, CLASSES = 4 };
    static float features[IMAGES * 3];
    static int32_t labels[IMAGES];
    static const float rows[CLASSES * 2] = {1, 0, 0, 1, 1, 1, 2, 1};
    static const char *const unseen[] = {"class_004"};
    volatile sig_atomic_t stop = 0;
    unseen_arrays a;
    unseen_dataset *data = NULL;
    unseen_model *model = NULL;
    unseen_result *result = NULL;
    for (size_t i = 0; i < IMAGES; i++) {
        labels[i] = (int32_t)(i % CLASSES);
        for (size_t k = 0; k < 3; k++)
            features[3 * i + k] = (float)((i * 7 + k * (i % CLASSES)) % 11);
    }
    unseen_arrays_init(&a, sizeof a);
    a.image_count = IMAGES;
    a.width = 3;
    a.features = features;
    a.labels = labels;
    a.class_count = CLASSES;
    a.attribute_count = 2;
    a.class_attributes = rows;
    a.unseen = unseen;
    a.unseen_count = 1;
    util_ok(unseen_dataset_from_arrays(&a, &data));
    util_ok(unseen_train("eszsl", data, NULL, &model, NULL));
    un_set_progress(NULL, NULL, &stop); /* as a signal of the program's does */
    stop = 1;
    util_fails(unseen_evaluate(model, data, NULL, &result), UNSEEN_E_INTERRUPTED, "after 512 of");
    stop = 0;
    util_ok(unseen_evaluate(model, data, NULL, &result));
    un_set_progress(NULL, NULL, NULL);
    unseen_result_close(result);
    unseen_model_close(model);
    unseen_dataset_close(data);
}

/* ---- several seeds ---- */

static void note_seed(size_t i, const unseen_result *result, void *user) {
    size_t *told = user;
    assert_int_equal(i, *told);
    assert_true(unseen_result_number(result, "seed") == (double)(i == 0 ? 7 : 3));
    (*told)++;
}

/* Each seed gives the model, the file and the result that it gives alone. */
static void several_seeds_are_trained(void **state) {
    (void)state;
    static const uint64_t seeds[] = {7, 3}, twice[] = {7, 3, 7};
    static const char *const settings[] = {"epochs=6"};
    unseen_dataset *data = make_data(1);
    unseen_model *models[2] = {NULL};
    unseen_result *results[2] = {NULL}, *alone = NULL;
    unseen_train_options o;
    size_t told = 0;
    unseen_train_options_init(&o, sizeof o);
    o.settings = settings;
    o.setting_count = 1;
    o.output = in_folder("many.model");
    util_ok(unseen_train_seeds("dem", data, &o, seeds, 2, note_seed, &told, models, results));
    assert_int_equal(told, 2);
    assert_false(un_path_exists(in_folder("many.model")));
    o.seed = 3;
    o.output = in_folder("alone.model");
    util_ok(unseen_train("dem", data, &o, NULL, &alone));
    same_files(in_folder("many-seed3.model"), in_folder("alone.model"));
    assert_true(un_path_exists(in_folder("many-seed7.model")));
    assert_string_equal(unseen_result_json(results[1]), unseen_result_json(alone));
    util_ok(unseen_model_save(models[1], in_folder("kept.model")));
    same_files(in_folder("kept.model"), in_folder("alone.model"));
    util_fails(unseen_train_seeds("dem", data, &o, seeds, 0, NULL, NULL, models, NULL),
               UNSEEN_E_ARGUMENT, "no seed");
    util_fails(unseen_train_seeds("dem", data, &o, twice, 3, NULL, NULL, models, NULL),
               UNSEEN_E_ARGUMENT, "seed 7 is given twice");
    util_fails(unseen_train_seeds("dom", data, &o, seeds, 2, NULL, NULL, models, NULL),
               UNSEEN_E_ARGUMENT, "dem");
    for (int i = 0; i < 2; i++) {
        unseen_model_close(models[i]);
        unseen_result_close(results[i]);
    }
    unseen_result_close(alone);
    unseen_dataset_close(data);
}

/* ---- refusals ---- */

static void bad_trainings_are_refused(void **state) {
    (void)state;
    unseen_dataset *data = make_data(1);
    unseen_model *model = NULL;
    unseen_result *result = NULL;
    unseen_train_options o;
    const char *setting = "epoch=3";
    unseen_train_options_init(&o, sizeof o);
    util_fails(unseen_train("dom", data, &o, &model, &result), UNSEEN_E_ARGUMENT, "dem");
    o.settings = &setting;
    o.setting_count = 1;
    util_fails(unseen_train("dem", data, &o, &model, &result), UNSEEN_E_ARGUMENT, "epochs");
    setting = NULL;
    util_fails(unseen_train("dem", data, &o, &model, &result), UNSEEN_E_ARGUMENT, "NULL");
    o.setting_count = 0;
    o.select = "luck";
    util_fails(unseen_train("dem", data, &o, &model, &result), UNSEEN_E_ARGUMENT, "luck");
    o.select = "none";
    o.precision = "f17";
    util_fails(unseen_train("dem", data, &o, &model, &result), UNSEEN_E_ARGUMENT, "f17");
    o.precision = NULL;
    o.select = NULL;
    o.folds = SIZE_MAX;
    util_fails(unseen_train("dem", data, &o, &model, &result), UNSEEN_E_ARGUMENT,
               "validation folds");
    o.folds = 0;
    o.select = "none";
    o.features = "maps";
    util_fails(unseen_train("dem", data, &o, &model, &result), UNSEEN_E_ARGUMENT, "maps");
    o.features = NULL;
    o.resume = 1;
    util_fails(unseen_train("dem", data, &o, &model, &result), UNSEEN_E_ARGUMENT, "no output");
    o.resume = 0;
    o.checkpoint_seconds = -1;
    util_fails(unseen_train("dem", data, &o, &model, &result), UNSEEN_E_ARGUMENT, "-1");
    o.checkpoint_seconds = NAN;
    util_fails(unseen_train("dem", data, &o, &model, &result), UNSEEN_E_ARGUMENT, "nan");
    o.checkpoint_seconds = 0;
    util_fails(unseen_train("msdn", data, &o, &model, &result), UNSEEN_E_ARGUMENT, "region");
    util_fails(unseen_train("dem", NULL, &o, &model, &result), UNSEEN_E_ARGUMENT, "NULL");
    util_fails(unseen_evaluate(NULL, data, NULL, &result), UNSEEN_E_ARGUMENT, "NULL");
    assert_true(!model && !result);
    unseen_dataset_close(data);
}

static void methods_tell_their_settings(void **state) {
    (void)state;
    const char *text = NULL;
    size_t methods = 0;
    for (const char *name = NULL; (name = unseen_method_name(methods)); methods++) {
        json_t *json = NULL;
        util_ok(unseen_method_describe(name, &text));
        util_ok(un_json_parse(text, strlen(text), name, &json));
        assert_string_equal(json_string_value(json_object_get(json, "name")), name);
        assert_true(json_array_size(json_object_get(json, "presets")) > 0);
        assert_true(json_array_size(json_object_get(json, "settings")) > 1);
        json_decref(json);
    }
    assert_true(methods >= 4);
    util_fails(unseen_method_describe("dom", &text), UNSEEN_E_ARGUMENT, "dem");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_and_files_agree),
        cmocka_unit_test(directories_train_alike),
        cmocka_unit_test(classes_come_and_go),
        cmocka_unit_test(gamma_can_be_given),
        cmocka_unit_test(clones_share_weights_only),
        cmocka_unit_test(a_stopped_training_goes_on),
        cmocka_unit_test(an_evaluation_is_stopped),
        cmocka_unit_test(a_long_evaluation_ends_at_once),
        cmocka_unit_test(several_seeds_are_trained),
        cmocka_unit_test(bad_trainings_are_refused),
        cmocka_unit_test(methods_tell_their_settings),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
