/* test_pictures_api.c - the whole way with pictures through the public interface: features, a
 * training on them, questions about files, bytes and pixels, explanations, a report; and the same
 * asked by a pool of threads that made none of the handles. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/json.h"
#include "pictures_sample.h"

enum { TOP = 3 };

static int stop_at_the_end(const unseen_progress *progress, void *user) {
    size_t *reports = user;
    reports[0]++;
    return reports[1] != 0 && progress->total > 0;
}

static int stop_at_once(const unseen_progress *progress, void *user) {
    (void)user;
    return progress->total > 0;
}

static void pictures_become_a_model(void **state) {
    (void)state;
    unseen_dataset *data = NULL;
    unseen_extract_options e;
    unseen_extract_result made = {.size = sizeof made};
    save_set();
    util_ok(unseen_dataset_open(in_folder("set"), &data));
    unseen_extract_options_init(&e, sizeof e);
    e.batch = 5;
    util_ok(unseen_dataset_use_images(data, in_folder("pictures")));
    e.image_size = SIZE_MAX;
    util_fails(unseen_extract(data, &e, &made), UNSEEN_E_ARGUMENT, "image size is 1 to 4096");
    unseen_dataset_close(data);
    util_ok(unseen_dataset_open(in_folder("set"), &data));
    e.image_size = SIDE;
    util_fails(unseen_extract(data, &e, &made), UNSEEN_E_ARGUMENT, "where its pictures lie");
    util_ok(unseen_dataset_use_images(data, in_folder("pictures")));
    e.pooled_dtype = (unseen_dtype)5;
    util_fails(unseen_extract(data, &e, &made), UNSEEN_E_ARGUMENT, "5 is no unseen_dtype");
    e.pooled_dtype = UNSEEN_F32;
    e.orientation = (unseen_orientation)5;
    util_fails(unseen_extract(data, &e, &made), UNSEEN_E_ARGUMENT, "5 is no orientation");
    e.orientation = UNSEEN_ORIENTATION_MODEL;
    util_ok(unseen_extract(data, &e, &made));
    assert_int_equal(made.images, N);
    assert_int_equal(made.bad, 0);
    util_ok(unseen_extract(data, &e, &made));
    assert_int_equal(made.already_there, 1);
    train_on_pictures(data, made.regions_name);
    unseen_dataset_close(data);
}

/* Files, bytes and pixels, mixed, one call or many: the same answers. */
static void three_forms_agree(void **state) {
    (void)state;
    unseen_model *model = open_model();
    unseen_picture pictures[N];
    unseen_prediction together[N * TOP], single[TOP];
    unseen_answer answers[N];
    unseen_classify_options o;
    size_t D = unseen_model_feature_length(model), n = 0;
    float *features = malloc(N * D * sizeof *features), *one = malloc(D * sizeof *one);
    float scores[C];
    unseen_classify_options_init(&o, sizeof o);
    o.top = TOP;
    for (size_t i = 0; i < N; i++) {
        pictures[i] = (unseen_picture){0};
        if (i % 3 == 0) pictures[i].path = g_paths[i];
        if (i % 3 == 1) pictures[i].bytes = g_bytes[i], pictures[i].byte_count = BYTES;
        if (i % 3 == 2) {
            pictures[i].rgb = g_rgb[i];
            pictures[i].width = pictures[i].height = SIDE;
            pictures[i].stride = SIDE * 3;
        }
    }
    util_fails(unseen_model_classify(model, pictures, N, &o, together, answers), UNSEEN_E_ARGUMENT,
               "no backbone");
    util_ok(unseen_model_attach_backbone(model, NULL));
    util_ok(unseen_model_classify(model, pictures, N, &o, together, answers));
    util_ok(unseen_model_features(model, pictures, N, features, NULL));
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(answers[i].status, UNSEEN_OK);
        assert_null(answers[i].error);
        assert_int_equal(answers[i].count, TOP);
        util_ok(unseen_features_of_pixels(model, g_rgb[i], SIDE, SIDE, SIDE * 3, one));
        assert_memory_equal(one, features + i * D, D * sizeof *one);
        util_ok(unseen_classify_file(model, g_paths[i], UNSEEN_AMONG_ALL, TOP, single, &n));
        assert_int_equal(n, TOP);
        util_ok(unseen_model_score(model, one, 1, UNSEEN_CALIBRATED, scores));
        for (size_t k = 0; k < TOP; k++) {
            const unseen_prediction *p = &together[i * TOP + k];
            assert_int_equal(p->class_index, single[k].class_index);
            assert_true(p->score == single[k].score);
            util_near((double)p->score, (double)scores[p->class_index], 1e-5);
        }
    }
    o.among = UNSEEN_AMONG_NEW; /* there are none */
    util_ok(unseen_model_classify(model, pictures, 1, &o, together, NULL));
    assert_null(together[0].label);
    util_ok(unseen_model_classify(model, NULL, 0, &o, NULL, NULL));
    free(one);
    free(features);
    unseen_model_close(model);
}

static void more_is_asked_than_there_is(void **state) {
    (void)state;
    enum { MORE = C + 3 };
    unseen_model *model = open_model();
    const unseen_picture pictures[] = {{.path = g_paths[0]}, {.path = g_paths[1]}};
    unseen_prediction many[2 * MORE], best[2];
    unseen_answer answers[2];
    unseen_classify_options o;
    size_t n = 0;
    util_ok(unseen_model_attach_backbone(model, NULL));
    unseen_classify_options_init(&o, sizeof o);
    o.top = 1;
    util_ok(unseen_model_classify(model, pictures, 2, &o, best, answers));
    memset(many, 0x55, sizeof many);
    o.top = MORE; /* all of `out` is written */
    util_ok(unseen_model_classify(model, pictures, 2, &o, many, answers));
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(answers[i].count, C);
        assert_int_equal(many[i * MORE].class_index, best[i].class_index);
        for (size_t k = 0; k < MORE; k++) assert_int_equal(many[i * MORE + k].label != NULL, k < C);
    }
    o.top = SIZE_MAX / 8;
    util_fails(unseen_model_classify(model, pictures, 2, &o, many, answers), UNSEEN_E_ARGUMENT,
               "top = ");
    util_ok(unseen_classify_file(model, g_paths[0], UNSEEN_AMONG_ALL, SIZE_MAX / 2, many, &n));
    assert_int_equal(n, C);
    unseen_model_close(model);
}

static void features_tell_how_far_they_are(void **state) {
    (void)state;
    unseen_model *model = open_model();
    unseen_picture pictures[N];
    unseen_features_options o;
    size_t D = unseen_model_feature_length(model), reports[2] = {0};
    float *without = malloc(N * D * sizeof *without), *with = malloc(N * D * sizeof *with);
    for (size_t i = 0; i < N; i++) pictures[i] = (unseen_picture){.path = g_paths[i]};
    util_ok(unseen_model_attach_backbone(model, NULL));
    util_ok(unseen_model_features(model, pictures, N, without, NULL));
    unseen_features_options_init(&o, sizeof o);
    o.progress = stop_at_the_end;
    o.user = reports;
    util_ok(unseen_model_features_with(model, pictures, N, &o, with, NULL));
    assert_memory_equal(with, without, N * D * sizeof *with);
    assert_true(reports[0] > 0);
    reports[1] = 1;
    util_fails(unseen_model_features_with(model, pictures, N, &o, with, NULL), UNSEEN_E_INTERRUPTED,
               "stopped");
    free(with);
    free(without);
    unseen_model_close(model);
}

static void bad_pictures_are_told_one_by_one(void **state) {
    (void)state;
    unseen_model *model = open_model();
    const unseen_picture pictures[] = {{.path = g_paths[0]},
                                       {.path = "/nowhere/a.jpg"},
                                       {.bytes = "GIF89a", .byte_count = 6},
                                       {.path = g_paths[1]}};
    unseen_prediction best[4 * 5];
    unseen_answer answers[4];
    unseen_classify_options o;
    util_ok(unseen_model_attach_backbone(model, NULL));
    util_ok(unseen_model_classify(model, pictures, 4, NULL, best, answers));
    assert_int_equal(answers[0].count, 5);
    assert_int_equal(answers[1].status, UNSEEN_E_IO);
    assert_non_null(strstr(answers[1].error, "/nowhere/a.jpg"));
    assert_int_equal(answers[1].count, 0);
    assert_null(best[5].label);
    assert_int_equal(answers[2].status, UNSEEN_E_FORMAT);
    assert_non_null(strstr(answers[2].error, "picture 2"));
    assert_int_equal(answers[3].count, 5);
    util_fails(unseen_model_classify(model, pictures, 4, NULL, best, NULL), UNSEEN_E_IO, "nowhere");
    assert_int_equal(unseen_last_errno(), ENOENT);
    unseen_classify_options_init(&o, sizeof o);
    o.among = (unseen_among)99;
    util_fails(unseen_model_classify(model, pictures, 1, &o, best, NULL), UNSEEN_E_ARGUMENT, "99");
    unseen_classify_options_init(&o, sizeof o);
    o.calibration = (unseen_calibration)3;
    util_fails(unseen_model_classify(model, pictures, 1, &o, best, NULL), UNSEEN_E_ARGUMENT, "3");
    unseen_classify_options_init(&o, sizeof o);
    o.top = 0;
    util_fails(unseen_model_classify(model, pictures, 1, &o, best, NULL), UNSEEN_E_ARGUMENT, "1");
    const unseen_picture both = {.path = g_paths[0], .rgb = g_rgb[0]};
    util_fails(unseen_model_classify(model, &both, 1, NULL, best, NULL), UNSEEN_E_ARGUMENT,
               "2 forms");
    unseen_model_close(model);
}

/* Decoded in a thread of the library's, told in the caller's. */
static void the_errno_of_a_picture_arrives(void **state) {
    (void)state;
    unseen_model *model = open_model();
    const unseen_picture bad = {.path = "/nowhere/a.jpg"},
                         damaged = {.bytes = "GIF89a", .byte_count = 6};
    unseen_prediction best[5];
    unseen_answer answer;
    size_t n = 0;
    float *features = malloc(unseen_model_feature_length(model) * sizeof *features);
    util_ok(unseen_model_attach_backbone(model, NULL));
    util_fails(unseen_model_features(model, &bad, 1, features, NULL), UNSEEN_E_IO, "nowhere");
    assert_int_equal(unseen_last_errno(), ENOENT);
    util_fails(unseen_model_features(model, &damaged, 1, features, NULL), UNSEEN_E_FORMAT, "GIF");
    assert_int_equal(unseen_last_errno(), 0);
    util_fails(unseen_features_of_file(model, bad.path, features), UNSEEN_E_IO, "nowhere");
    assert_int_equal(unseen_last_errno(), ENOENT);
    util_fails(unseen_model_set_gamma(NULL, 0.0F), UNSEEN_E_ARGUMENT, "NULL");
    assert_int_equal(unseen_last_errno(), 0);
    util_fails(unseen_classify_file(model, bad.path, UNSEEN_AMONG_ALL, 1, best, &n), UNSEEN_E_IO,
               "nowhere");
    assert_int_equal(unseen_last_errno(), ENOENT);
    util_fails(unseen_model_set_gamma(NULL, 0.0F), UNSEEN_E_ARGUMENT, "NULL");
    util_ok(unseen_model_classify(model, &bad, 1, NULL, best, &answer)); /* one that is answered */
    assert_int_equal(answer.status, UNSEEN_E_IO);
    assert_int_equal(unseen_last_errno(), ENOENT);
    assert_string_equal(unseen_last_error(), answer.error);
    free(features);
    unseen_model_close(model);
}

/* ---- why ---- */

static void explanations_are_json_and_pictures(void **state) {
    (void)state;
    unseen_model *model = open_model();
    const unseen_picture picture = {.bytes = g_bytes[3], .byte_count = BYTES};
    unseen_explain_options o;
    unseen_explanation *x = NULL;
    const void *png = NULL;
    size_t size = 0;
    json_t *json = NULL;
    util_fails(unseen_explain(model, &picture, NULL, &x), UNSEEN_E_ARGUMENT, "no backbone");
    util_ok(unseen_model_attach_backbone(model, NULL));
    unseen_explain_options_init(&o, sizeof o);
    o.among = (unseen_among)99;
    util_fails(unseen_explain(model, &picture, &o, &x), UNSEEN_E_ARGUMENT, "99 is no unseen_among");
    o.among = UNSEEN_AMONG_ALL;
    o.top = 0;
    util_fails(unseen_explain(model, &picture, &o, &x), UNSEEN_E_ARGUMENT, "1 to 50");
    o.top = 2;
    size_t reports[2] = {0, 1};
    o.progress = stop_at_the_end;
    o.user = reports;
    util_fails(unseen_explain(model, &picture, &o, &x), UNSEEN_E_INTERRUPTED, "explain");
    assert_null(x);
    reports[1] = 0;
    util_ok(unseen_explain(model, &picture, &o, &x));
    assert_true(reports[0] >= 2);
    const char *text = unseen_explanation_json(x);
    util_ok(un_json_parse(text, strlen(text), "explanation", &json));
    assert_string_equal(json_string_value(json_object_get(json, "method")), "msdn");
    assert_int_equal(json_array_size(json_object_get(json, "attributes")), A);
    json_decref(json);
    for (int d = 0; d < 2; d++) {
        util_ok(unseen_explanation_png(x, (unseen_drawing)d, &png, &size));
        assert_true(size > 1000);
        assert_memory_equal(png, "\x89PNG\r\n\x1a\n", 8);
    }
    util_fails(unseen_explanation_png(x, (unseen_drawing)2, &png, &size), UNSEEN_E_ARGUMENT, "2");
    const char *const elsewhere[] = {"", ".", "..", "../why", "/tmp/why", "a/b", "why/"};
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
        util_fails(unseen_explanation_write(x, g_folder, elsewhere[i]), UNSEEN_E_ARGUMENT,
                   "inside the directory");
    util_ok(unseen_explanation_write(x, g_folder, "why"));
    assert_true(un_path_exists(in_folder("why/sheet.png")));
    unseen_model_close(model);
    unseen_explanation_close(x);
}

/* A copy of a drawing, which is released with free(). */
static unsigned char *drawn(unseen_explanation *x, unseen_drawing drawing, size_t *size) {
    const void *png = NULL;
    util_ok(unseen_explanation_png(x, drawing, &png, size));
    unsigned char *copy = malloc(*size);
    assert_non_null(copy);
    memcpy(copy, png, *size);
    return copy;
}

static void assert_drawn(unseen_explanation *x, unsigned char *const *want, const size_t *sizes) {
    for (int d = 0; d < 2; d++) {
        size_t size = 0;
        unsigned char *got = drawn(x, (unseen_drawing)d, &size);
        assert_int_equal(size, sizes[d]);
        assert_memory_equal(got, want[d], size);
        free(got);
    }
}

/* An explanation tells what was, whatever becomes of the model. */
static void explanations_outlive_their_model(void **state) {
    (void)state;
    unseen_model *model = open_model();
    const unseen_picture picture = {.bytes = g_bytes[3], .byte_count = BYTES};
    unseen_explanation *x = NULL;
    unsigned char *before[2];
    size_t sizes[2], answer = 0;
    json_t *json = NULL;
    util_ok(unseen_model_attach_backbone(model, NULL));
    util_ok(unseen_explain(model, &picture, NULL, &x));
    for (int d = 0; d < 2; d++) before[d] = drawn(x, (unseen_drawing)d, &sizes[d]);
    const char *text = unseen_explanation_json(x);
    util_ok(un_json_parse(text, strlen(text), "explanation", &json));
    const char *label =
        json_string_value(json_object_get(json_object_get(json, "answer"), "label"));
    assert_non_null(label);
    while (strcmp(label, unseen_model_class_name(model, answer)) != 0) answer++;
    json_decref(json);

    util_ok(unseen_model_set_gamma(model, 3));
    assert_drawn(x, before, sizes);
    const char *attribute = unseen_model_attribute_name(model, 0);
    const float one = 1;
    util_ok(unseen_model_add_class(model, "another", &attribute, &one, 1));
    util_ok(unseen_model_replace_class(model, answer, "no longer that", &attribute, &one, 1));
    assert_drawn(x, before, sizes);
    util_ok(unseen_model_remove_class(model, answer));
    assert_drawn(x, before, sizes);
    unseen_model_close(model);
    assert_drawn(x, before, sizes);
    util_ok(unseen_explanation_write(x, g_folder, "outlived"));
    assert_true(un_path_exists(in_folder("outlived/explanation.json")));
    unseen_explanation_close(x);
    for (int d = 0; d < 2; d++) free(before[d]);
}

static void models_fill_a_page(void **state) {
    (void)state;
    unseen_dataset *data = NULL;
    unseen_model *model = open_model(), *clone = NULL;
    size_t bytes = 0;
    util_ok(unseen_dataset_open(in_folder("set"), &data));
    util_ok(unseen_dataset_use_images(data, in_folder("pictures")));
    util_ok(unseen_model_clone(model, &clone));
    const unseen_model *models[] = {model, clone};
    util_ok(unseen_report(data, models, 2, NULL, in_folder("page.html"), &bytes));
    assert_true(bytes > 10000 && un_path_exists(in_folder("page.html")));
    util_fails(unseen_report(data, models, 0, NULL, in_folder("page.html"), &bytes),
               UNSEEN_E_ARGUMENT, "one model");
    models[1] = NULL;
    util_fails(unseen_report(data, models, 2, NULL, in_folder("page.html"), &bytes),
               UNSEEN_E_ARGUMENT, "model 1 is NULL");
    unseen_model_close(model);
    unseen_model_close(clone);
    unseen_dataset_close(data);
}

/* ---- a pool of threads ---- */

enum { HANDLES = 3, THREADS = 4, JOBS = 60 };

typedef struct {
    unseen_model *models[HANDLES];
    pthread_mutex_t locks[HANDLES]; /* one thread at a time asks a handle */
    atomic_size_t next;             /* job */
    atomic_size_t wrong;
    unseen_prediction best[N * TOP]; /* what the thread that made the handles was told */
    float *features;                 /* [N, D] */
    float scores[N * C];
    char *reasons[N];
} pool;

static int same_answers(const pool *p, size_t first, const unseen_prediction *best, size_t n) {
    for (size_t k = 0; k < n * TOP; k++)
        if (best[k].class_index != p->best[first * TOP + k].class_index ||
            best[k].score != p->best[first * TOP + k].score)
            return 0;
    return 1;
}

/* Asks a handle one of three questions; 1: the answer is right. */
static int do_job(pool *p, unseen_model *model, size_t job) {
    size_t i = job * 7 % (N - 4), D = unseen_model_feature_length(model);
    unseen_picture pictures[4];
    unseen_prediction best[4 * TOP];
    unseen_classify_options o;
    float scores[4 * C];
    unseen_explanation *x = NULL;
    for (size_t k = 0; k < 4; k++) pictures[k] = (unseen_picture){.path = g_paths[i + k]};
    unseen_classify_options_init(&o, sizeof o);
    o.top = TOP;
    if (job % 3 == 0)
        return unseen_model_classify(model, pictures, 4, &o, best, NULL) == UNSEEN_OK &&
               same_answers(p, i, best, 4);
    if (job % 3 == 1)
        return unseen_model_score(model, p->features + i * D, 4, UNSEEN_CALIBRATED, scores) ==
                   UNSEEN_OK &&
               memcmp(scores, p->scores + i * C, sizeof scores) == 0;
    int right = unseen_explain(model, pictures, NULL, &x) == UNSEEN_OK &&
                !strcmp(unseen_explanation_json(x), p->reasons[i]);
    unseen_explanation_close(x);
    return right;
}

static void *work(void *context) {
    pool *p = context;
    for (size_t job = p->next++; job < JOBS; job = p->next++) {
        size_t handle = job % HANDLES;
        pthread_mutex_lock(&p->locks[handle]);
        p->wrong += !do_job(p, p->models[handle], job);
        pthread_mutex_unlock(&p->locks[handle]);
    }
    return NULL;
}

/* The right answers, by the thread that made the handles. */
static void ask_beforehand(pool *p) {
    unseen_model *model = p->models[0];
    unseen_picture pictures[N];
    unseen_classify_options o;
    size_t D = unseen_model_feature_length(model);
    for (size_t k = 0; k < N; k++) pictures[k] = (unseen_picture){.path = g_paths[k]};
    unseen_classify_options_init(&o, sizeof o);
    o.top = TOP;
    util_ok(unseen_model_classify(model, pictures, N, &o, p->best, NULL));
    assert_non_null(p->features = malloc(N * D * sizeof *p->features));
    util_ok(unseen_model_features(model, pictures, N, p->features, NULL));
    util_ok(unseen_model_score(model, p->features, N, UNSEEN_CALIBRATED, p->scores));
    for (size_t k = 0; k < N; k++) {
        unseen_explanation *x = NULL;
        util_ok(unseen_explain(model, &pictures[k], NULL, &x));
        assert_non_null(p->reasons[k] = strdup(unseen_explanation_json(x)));
        unseen_explanation_close(x);
    }
}

static void a_pool_asks_handles_of_another_thread(void **state) {
    (void)state;
    static pool p;
    pthread_t threads[THREADS];
    p.models[0] = open_model();
    for (size_t h = 1; h < HANDLES; h++) util_ok(unseen_model_clone(p.models[0], &p.models[h]));
    for (size_t h = 0; h < HANDLES; h++) {
        util_ok(unseen_model_attach_backbone(p.models[h], NULL));
        assert_int_equal(pthread_mutex_init(&p.locks[h], NULL), 0);
    }
    ask_beforehand(&p);
    for (size_t t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, work, &p), 0);
    for (size_t t = 0; t < THREADS; t++) assert_int_equal(pthread_join(threads[t], NULL), 0);
    assert_int_equal(p.next, JOBS + THREADS);
    assert_int_equal(p.wrong, 0);
    for (size_t h = 0; h < HANDLES; h++) {
        unseen_model_close(p.models[h]);
        pthread_mutex_destroy(&p.locks[h]);
    }
    for (size_t k = 0; k < N; k++) free(p.reasons[k]);
    free(p.features);
}

/* ---- what is the process's stays ---- */

extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int threads);

static void the_hosts_settings_stay(void **state) {
    (void)state;
    unseen_model *model = open_model();
    const unseen_picture picture = {.path = g_paths[0]};
    unseen_prediction best[5];
    unseen_explanation *x = NULL;
    mode_t mask = umask(027);
    int threads = omp_get_max_threads();
    omp_set_num_threads(3);
    util_ok(unseen_model_attach_backbone(model, NULL));
    util_ok(unseen_model_classify(model, &picture, 1, NULL, best, NULL));
    util_ok(unseen_explain(model, &picture, NULL, &x));
    util_ok(unseen_explanation_write(x, g_folder, "masked"));
    util_ok(unseen_model_save(model, in_folder("masked.model")));
    assert_int_equal(omp_get_max_threads(), 3);
    struct stat st;
    assert_int_equal(stat(in_folder("masked.model"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(umask(mask), 027);
    omp_set_num_threads(threads);
    unseen_explanation_close(x);
    unseen_model_close(model);
}

/* ---- nothing grows ---- */

/* AddressSanitizer cannot tell by the size, and tells of leaks by itself. */
static void ten_thousand_openings_leave_nothing(void **state) {
    (void)state;
    enum { WARM = 500, TIMES = UTIL_ASAN ? 200 : 10000, ALLOWED_KIB = 2048 };
    const char *path = in_folder(g_model);
    size_t before = 0;
    for (size_t i = 0; i < TIMES; i++) {
        unseen_model *model = NULL, *clone = NULL;
        util_ok(unseen_model_open(path, &model));
        if (i % 10 == 0) util_ok(unseen_model_clone(model, &clone));
        unseen_model_close(model);
        unseen_model_close(clone);
        if (i == WARM) before = un_memory_anonymous_kib();
    }
    size_t after = un_memory_anonymous_kib();
    if (!UTIL_ASAN && after > before + ALLOWED_KIB)
        fail_msg("%d openings: %zu KiB became %zu", (int)TIMES, before, after);
}

static void a_stopped_extraction_goes_on(void **state) {
    (void)state;
    unseen_dataset *data = NULL;
    unseen_extract_options e;
    unseen_extract_result made = {.size = sizeof made};
    size_t stops = 0;
    util_ok(unseen_dataset_open(in_folder("set"), &data));
    util_ok(unseen_dataset_use_images(data, in_folder("pictures")));
    unseen_extract_options_init(&e, sizeof e);
    e.image_size = 224;
    e.batch = 1;
    e.pooled_name = "whole";
    e.regions = 0;
    util_ok(unseen_extract(data, &e, &made));
    e.pooled_name = "stopped";
    e.progress = stop_at_once;
    for (;;) {
        un_status status = unseen_extract(data, &e, &made);
        if (status == UNSEEN_OK) break;
        util_fails(status, UNSEEN_E_INTERRUPTED, "stopped");
        stops++;
        if (stops == 2) e.progress = NULL;
    }
    int64_t images[N];
    size_t R = 0, F = 0;
    for (size_t i = 0; i < N; i++) images[i] = (int64_t)i;
    util_ok(unseen_dataset_feature_shape(data, "whole", &R, &F));
    float *one = malloc(N * R * F * sizeof *one), *two = malloc(N * R * F * sizeof *two);
    util_ok(unseen_dataset_features(data, "whole", images, N, one));
    util_ok(unseen_dataset_features(data, "stopped", images, N, two));
    assert_memory_equal(one, two, N * R * F * sizeof *one);
    free(one);
    free(two);
    unseen_dataset_close(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_become_a_model),
        cmocka_unit_test(three_forms_agree),
        cmocka_unit_test(more_is_asked_than_there_is),
        cmocka_unit_test(features_tell_how_far_they_are),
        cmocka_unit_test(bad_pictures_are_told_one_by_one),
        cmocka_unit_test(the_errno_of_a_picture_arrives),
        cmocka_unit_test(explanations_are_json_and_pictures),
        cmocka_unit_test(explanations_outlive_their_model),
        cmocka_unit_test(models_fill_a_page),
        cmocka_unit_test(a_pool_asks_handles_of_another_thread),
        cmocka_unit_test(the_hosts_settings_stay),
        cmocka_unit_test(ten_thousand_openings_leave_nothing),
        cmocka_unit_test(a_stopped_extraction_goes_on),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
