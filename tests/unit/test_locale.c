/*
 * test_locale.c - a host that speaks with a decimal comma gets the bytes that any other gets, and
 * keeps its locale: the process's, a thread's own, and the one in its log function.
 */
#include "base/arena.h"
#include "locale_sample.h"
#include "unseen.h"

enum { IMAGES = 4, MAX_LENGTH = 64, MAX_CLASSES = 16, MAX_ATTRIBUTES = 64 };

static const char *const g_models[] = {"dem", "dem_raw", "duet", "eszsl", "msdn"};
enum { MODELS = sizeof g_models / sizeof *g_models };

/* All that a model says. */
typedef struct {
    char manifest[32768];
    double gamma;
    float scores[2][IMAGES * MAX_CLASSES]; /* native, calibrated; of the added classes, too */
    float attributes[MAX_ATTRIBUTES];
    size_t classes;
    char refusal[256];
} answer;

static int g_heard, g_heard_comma;

static void listen(unseen_log_level level, const char *message, void *user) {
    const char **decimal_point = user;
    (void)level;
    (void)message;
    g_heard++;
    g_heard_comma += strcmp(localeconv()->decimal_point, *decimal_point) == 0;
}

/* In which locale the calling thread is: the number as C writes it. */
static void assert_comma(int comma) {
    char text[16];
    snprintf(text, sizeof text, "%.1f", 0.5);
    assert_string_equal(text, comma ? "0,5" : "0.5");
}

static void ask(const char *name, int comma, answer *out) {
    char path[512];
    unseen_model *model = NULL;
    float features[IMAGES * MAX_LENGTH], values[MAX_ATTRIBUTES];
    const char *names[MAX_ATTRIBUTES];
    memset(out, 0, sizeof *out);
    snprintf(path, sizeof path, "%s/v0.1/%s.model", UNSEEN_TEST_DATA, name);
    util_ok(unseen_model_open(path, &model));
    assert_comma(comma);
    size_t A = unseen_model_attribute_count(model), D = unseen_model_feature_length(model);
    assert_true(A > 0 && A <= MAX_ATTRIBUTES && D <= MAX_LENGTH);
    assert_true(strlen(unseen_model_manifest(model)) < sizeof out->manifest);
    strcpy(out->manifest, unseen_model_manifest(model));
    out->gamma = unseen_model_gamma(model);
    for (size_t i = 0; i < IMAGES * D; i++) features[i] = (float)(i * 37 % 101) / 101;
    for (size_t i = 0; i < A; i++) {
        names[i] = unseen_model_attribute_name(model, i);
        values[i] = (float)(i * 7 % 11) / 11;
    }
    util_ok(unseen_model_add_class(model, "new", names, values, A));
    values[0] = 0.3F;
    util_ok(unseen_model_add_class(model, "new", names, values, A)); /* which the log tells */
    util_ok(unseen_model_add_class(model, "partly", names, values, 1));
    assert_comma(comma);
    out->classes = unseen_model_class_count(model);
    assert_true(out->classes <= MAX_CLASSES);
    for (int calibrated = 0; calibrated < 2; calibrated++)
        util_ok(unseen_model_score(model, features, IMAGES,
                                   calibrated ? UNSEEN_CALIBRATED : UNSEEN_NATIVE,
                                   out->scores[calibrated]));
    if (unseen_attributes(model, features, out->attributes) != UNSEEN_OK)
        snprintf(out->refusal, sizeof out->refusal, "%s", unseen_last_error());
    /* On a way out that fails, too. */
    values[0] = 123.5F;
    assert_int_equal(unseen_model_add_class(model, "x", names, values, 1), UNSEEN_E_ARGUMENT);
    snprintf(out->refusal + strlen(out->refusal), sizeof out->refusal - strlen(out->refusal), "%s",
             unseen_last_error());
    assert_comma(comma);
    unseen_model_close(model);
    assert_comma(comma);
}

static answer g_want[MODELS];

static void ask_all(const char *decimal_point) {
    const int comma = decimal_point[0] == ',';
    answer *got = malloc(sizeof *got);
    assert_non_null(got);
    g_heard = g_heard_comma = 0;
    unseen_set_log(listen, &decimal_point);
    for (size_t i = 0; i < MODELS; i++) {
        ask(g_models[i], comma, got);
        assert_memory_equal(got, &g_want[i], sizeof *got);
    }
    unseen_set_log(NULL, NULL);
    assert_true(g_heard >= (int)MODELS);
    assert_int_equal(g_heard_comma, g_heard);
    free(got);
}

/* The whole process has the locale. */
static void process_locale(const char *name) {
    char before[512];
    setlocale(LC_ALL, "C");
    for (size_t i = 0; i < MODELS; i++) ask(g_models[i], 0, &g_want[i]);
    locale_choose(name);
    snprintf(before, sizeof before, "%s", setlocale(LC_ALL, NULL));
    ask_all(",");
    assert_string_equal(setlocale(LC_ALL, NULL), before);
    assert_true(uselocale((locale_t)0) == LC_GLOBAL_LOCALE);
    setlocale(LC_ALL, "C");
}

static void german_process(void **state) {
    (void)state;
    process_locale("de_DE");
}

static void turkish_process(void **state) { /* whose small I is not i */
    (void)state;
    process_locale("tr_TR");
}

/* A thread has one of its own, the process another: each way round. */
static void locale_of_a_thread(void **state) {
    (void)state;
    setlocale(LC_ALL, "C");
    for (size_t i = 0; i < MODELS; i++) ask(g_models[i], 0, &g_want[i]);
    locale_choose("de_DE");
    locale_t german = newlocale(LC_ALL_MASK, "de_DE.UTF-8", (locale_t)0);
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    assert_true(german && plain);
    uselocale(plain);
    ask_all(".");
    assert_true(uselocale((locale_t)0) == plain);
    setlocale(LC_ALL, "C");
    uselocale(german);
    ask_all(",");
    assert_true(uselocale((locale_t)0) == german);
    uselocale(LC_GLOBAL_LOCALE);
    freelocale(german);
    freelocale(plain);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(german_process),
                                       cmocka_unit_test(turkish_process),
                                       cmocka_unit_test(locale_of_a_thread)};
    return cmocka_run_group_tests(tests, NULL, locale_finish);
}
