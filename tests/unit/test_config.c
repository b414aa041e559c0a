/*
 * test_config.c - settings: presets of every method, values from --set and from
 * files, and what a hostile file can put there.
 */
#include <math.h>

#include "base/file.h"
#include "base/json.h"
#include "method/methods.h"
#include "util.h"

/* Every kind of option in one made-up method. */
static const un_option g_options[] = {
    {"count", UN_OPTION_INTEGER, "4", 1, 100, NULL, "a whole number"},
    {"rate", UN_OPTION_NUMBER, "1e-4", 1e-6, 10, NULL, "a number"},
    {"shape", UN_OPTION_CHOICE, "round", 0, 0, "round|square|round-ish", "a choice"},
    {"parts", UN_OPTION_NAMES, "att", 0, 0, NULL, "names"},
    {"weights", UN_OPTION_NUMBERS, "1", 0, 5, "auto", "numbers"},
    {"plain", UN_OPTION_NUMBERS, "2,3", 0, 5, NULL, "numbers without auto"},
    {"table", UN_OPTION_FILE, "", 0, 0, NULL, "a file"},
    {"book", UN_OPTION_FILE, "", 0, 0, NULL, "another"},
    {NULL, UN_OPTION_INTEGER, NULL, 0, 0, NULL, NULL},
};
static const un_preset g_presets[] = {
    {"first", "{\"count\": 7, \"parts\": \"a,b\"}", "the default"},
    {"second", "{\"weights\": \"auto\", \"plain\": [1, 2, 3]}", "another"},
    {NULL, NULL, NULL},
};
static const un_method_class g_class = {
    .name = "made-up", .options = g_options, .presets = g_presets};

static void refuses(const char *assignment, const char *sentence) {
    json_t *config = NULL;
    char *before = NULL, *after = NULL;
    util_ok(un_config_create(&g_class, NULL, &config));
    util_ok(un_json_text(config, &before));
    util_fails(un_config_set(&g_class, config, assignment), UNSEEN_E_ARGUMENT, sentence);
    util_ok(un_json_text(config, &after));
    assert_string_equal(before, after); /* and leaves everything as it was */
    free(before);
    free(after);
    json_decref(config);
}

static void every_preset_is_complete(void **state) {
    (void)state;
    size_t methods = 0;
    for (const un_method_class *const *m = un_methods; *m; m++, methods++) {
        const un_method_class *found = NULL;
        util_ok(un_method_find((*m)->name, &found));
        assert_ptr_equal(found, *m);
        assert_non_null((*m)->presets[0].name);
        for (const un_preset *p = (*m)->presets; p->name; p++) {
            json_t *config = NULL, *copy = NULL;
            util_ok(un_config_create(*m, p->name, &config));
            const un_option *tables[UN_OPTION_TABLES];
            un_option_tables(*m, tables);
            for (size_t t = 0; tables[t]; t++)
                for (const un_option *o = tables[t]; o->key; o++)
                    assert_non_null(json_object_get(config, o->key));
            assert_int_equal(json_object_get(config, "epochs") == NULL, (*m)->closed_form != NULL);
            /* a manifest can be read back, and says the same */
            util_ok(un_config_create(*m, NULL, &copy));
            util_ok(un_config_merge(*m, copy, config, "manifest"));
            assert_true(json_equal(config, copy));
            assert_non_null(p->summary);
            json_decref(config);
            json_decref(copy);
        }
    }
    assert_true(methods > 0);
}

/* Help texts, defaults and ranges of every method fit together. */
static void every_option_is_well_formed(void **state) {
    (void)state;
    for (const un_method_class *const *m = un_methods; *m; m++) {
        const un_option *tables[UN_OPTION_TABLES];
        un_option_tables(*m, tables);
        for (size_t t = 0; tables[t]; t++) {
            for (const un_option *o = tables[t]; o->key; o++) {
                char assignment[128];
                json_t *config = NULL;
                assert_true(o->help && o->fallback);
                assert_true(o->kind == UN_OPTION_CHOICE ? o->choices != NULL : o->low <= o->high);
                util_ok(un_config_create(*m, NULL, &config));
                snprintf(assignment, sizeof assignment, "%s=%s", o->key, o->fallback);
                util_ok(un_config_set(*m, config, assignment));
                json_decref(config);
            }
        }
    }
}

static void values_from_text(void **state) {
    (void)state;
    json_t *config = NULL;
    util_ok(un_config_create(&g_class, NULL, &config));
    assert_int_equal(un_config_integer(config, "count"), 7); /* the first preset is the default */
    assert_int_equal(un_config_list_count(config, "parts"), 2);
    assert_string_equal(un_config_list_name(config, "parts", 1), "b");
    assert_null(un_config_list_name(config, "parts", 2));
    util_ok(un_config_set(&g_class, config, "count=100"));
    util_ok(un_config_set(&g_class, config, "rate=2.5e-3"));
    util_ok(un_config_set(&g_class, config, "shape=round-ish"));
    util_ok(un_config_set(&g_class, config, "parts=x=y,z")); /* only the first = counts */
    util_ok(un_config_set(&g_class, config, "weights=0.5,auto,3"));
    assert_int_equal(un_config_integer(config, "count"), 100);
    util_near(un_config_number(config, "rate"), 2.5e-3, 0);
    util_ok(un_config_set(&g_class, config, "count=1e2"));
    assert_int_equal(un_config_integer(config, "count"), 100);
    assert_true(un_config_is(config, "shape", "round-ish"));
    assert_false(un_config_is(config, "shape", "round"));
    assert_string_equal(un_config_list_name(config, "parts", 0), "x=y");
    assert_int_equal(un_config_list_count(config, "weights"), 3);
    util_near(un_config_list_number(config, "weights", 0), 0.5, 0);
    assert_true(isnan(un_config_list_number(config, "weights", 1)));
    util_near(un_config_list_number(config, "weights", 2), 3, 0);
    assert_true(isnan(un_config_list_number(config, "weights", 3)));
    util_ok(un_config_set(&g_class, config, "weights=4")); /* one serves all */
    util_near(un_config_list_number(config, "weights", 9), 4, 0);
    json_decref(config);
}

static void ranges_and_types(void **state) {
    (void)state;
    refuses("count=0", "count must be a whole number between 1 and 100");
    refuses("count=101", "between 1 and 100");
    refuses("count=2.5", "a whole number");
    refuses("count=", "a whole number");
    refuses("count=7x", "a whole number");
    refuses("count=nan", "a whole number");
    refuses("rate=inf", "rate must be a number between 1e-06 and 10");
    refuses("rate=nan", "a number");
    refuses("rate=1e999", "a number");
    refuses("rate=10.0001", "a number");
    refuses("shape=roun", "shape must be one of round|square|round-ish");
    refuses("shape=round|square", "one of");
    refuses("shape=", "one of");
    refuses("parts=", "names separated by commas");
    refuses("parts=a,,b", "names separated by commas");
    refuses("parts=a,", "names separated by commas");
    refuses("weights=1,6", "each between 0 and 5 or auto");
    refuses("weights=1,,2", "or auto");
    refuses("plain=auto", "each between 0 and 5");
    refuses("parts=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "1 to 16 names");
    refuses("weights=1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", "weights");
    refuses("count", "a setting is key=value");
    refuses("=7", "a setting is key=value");
    refuses("", "a setting is key=value");
}

static void unknown_names(void **state) {
    (void)state;
    json_t *config = NULL;
    const un_method_class *found = NULL;
    char endless[5000];
    memset(endless, 'k', sizeof endless - 1);
    endless[sizeof endless - 1] = 0;
    endless[4000] = '=';
    refuses("cuont=3", "no setting \"cuont\"; did you mean \"count\"?");
    refuses("epoch=3", "did you mean \"epochs\"?"); /* of the common ones */
    refuses("zzzzzzzzzzzzzzzz=3", "has no setting");
    assert_null(strstr(un_error(), "did you mean"));
    refuses(endless, "has no setting \"kkk");
    util_fails(un_config_create(&g_class, "secnd", &config), UNSEEN_E_ARGUMENT,
               "no preset \"secnd\"; did you mean \"second\"?");
    util_fails(un_config_create(&g_class, "", &config), UNSEEN_E_ARGUMENT, "no preset");
    assert_null(config);
    util_fails(un_method_find("den", &found), UNSEEN_E_ARGUMENT, "did you mean \"dem\"?");
}

static void merges(const char *text, int ok, const char *sentence) {
    json_t *config = NULL, *values = NULL;
    util_ok(un_config_create(&g_class, NULL, &config));
    util_ok(un_json_parse(text, strlen(text), "test", &values));
    un_status status = un_config_merge(&g_class, config, values, "some.json");
    if (ok)
        util_ok(status);
    else
        assert_int_not_equal(status, UNSEEN_OK);
    if (!ok && (!strstr(un_error(), sentence) || strncmp(un_error(), "some.json: ", 11) != 0))
        fail_msg("%s: \"%s\" does not say \"%s\"", text, un_error(), sentence);
    /* whatever happened, the configuration is complete and in range */
    size_t count = un_config_integer(config, "count");
    assert_true(count >= 1 && count <= 100);
    assert_true(un_config_number(config, "rate") >= 1e-6);
    assert_non_null(un_config_text(config, "shape"));
    assert_true(un_config_list_count(config, "parts") >= 1);
    assert_non_null(un_config_list_name(config, "parts", 0));
    assert_true(un_config_list_count(config, "weights") >= 1);
    json_decref(values);
    json_decref(config);
}

static void values_from_files(void **state) {
    (void)state;
    merges("{}", 1, "");
    merges("{\"count\": 5, \"rate\": 1, \"shape\": \"square\"}", 1, "");
    merges("{\"count\": 5.0, \"rate\": \"1e-3\", \"count\\u0041\": 1}", 0, "countA");
    merges("{\"count\": \"5\"}", 1, "");
    merges("{\"parts\": [\"x\", \"y\"], \"weights\": [1, \"auto\", \"2\"], \"plain\": 3}", 1, "");
}

static void hostile_values(void **state) {
    (void)state;
    static const char *const everything[] = {
        "null",         "true",      "{}",     "[]",       "[[]]",
        "[[[[1]]]]",    "[null]",    "[{}]",   "[[1, 2]]", "[\"1,2\"]",
        "\"\"",         "-1",        "1e300",  "-1e300",   "9223372036854775807",
        "{\"a\": [1]}", "[1, true]", "[\"\"]", "[-0.1]",   "\"nan\"",
        "\"inf\"",      "[\"nan\"]", "\"0x\""};
    static const char *const keys[] = {"count", "rate", "shape", "plain", "weights", "parts"};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        for (size_t v = 0; v < sizeof everything / sizeof *everything; v++) {
            char text[128];
            int nested = !strcmp(everything[v], "[[[[1]]]]"); /* one number, however wrapped */
            int named = !strcmp(keys[k], "parts") && strchr("\"[", everything[v][0]) &&
                        (strstr(everything[v], "nan") || strstr(everything[v], "inf") ||
                         strstr(everything[v], "0x"));
            if (named || nested) continue; /* names may be anything but empty */
            snprintf(text, sizeof text, "{\"%s\": %s}", keys[k], everything[v]);
            merges(text, 0, keys[k]);
        }
    }
    merges("[1]", 0, "not a JSON object");
    merges("[]", 0, "not a JSON object");
    merges("{\"\": 1}", 0, "has no setting \"\"");
    merges("{\"count\": 2, \"shape\": 3}", 0, "shape");
}

/* Lists that are too long are refused whole; deep ones do not exhaust the stack. */
static void large_values(void **state) {
    (void)state;
    enum { DEEP = 1500 };
    char text[2 * DEEP + 100];
    size_t n = (size_t)snprintf(text, sizeof text, "{\"weights\": ");
    memset(text + n, '[', DEEP);
    memset(text + n + DEEP, ']', DEEP);
    snprintf(text + n + 2 * DEEP, 2, "}");
    merges(text, 0, "weights");
    json_t *config = NULL, *values = json_object(), *list = json_array();
    for (int i = 0; i < 100000; i++) assert_int_equal(json_array_append_new(list, json_real(1)), 0);
    util_ok(un_config_create(&g_class, NULL, &config));
    util_ok(un_json_set(values, "weights", list));
    util_fails(un_config_merge(&g_class, config, values, "long.json"), UNSEEN_E_ARGUMENT,
               "long.json: weights must be");
    json_decref(values);
    json_decref(config);
}

/* Files by their names and hashes, wherever they lie; the rest as it is. */
static void portable_configurations(void **state) {
    (void)state;
    char folder[] = "/tmp/unseen-config-XXXXXX", path[64], assignment[80];
    json_t *config = NULL, *portable = NULL, *files = NULL, *original = NULL;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/abc.txt", folder);
    snprintf(assignment, sizeof assignment, "table=%s", path);
    util_ok(un_file_write(path, "abc", 3));
    util_ok(un_config_create(&g_class, NULL, &config));
    util_ok(un_config_portable(&g_class, config, &portable, &files));
    assert_true(json_equal(portable, config));
    assert_int_equal(json_object_size(files), 0);
    json_decref(portable);
    json_decref(files);
    util_ok(un_config_set(&g_class, config, assignment));
    util_ok(un_config_set(&g_class, config, "book=elsewhere/none.json"));
    original = un_json_copy(config);
    util_ok(un_config_portable(&g_class, config, &portable, &files));
    assert_true(json_equal(original, config));
    assert_string_equal(un_config_text(portable, "table"), "abc.txt");
    assert_string_equal(un_config_text(portable, "book"), "none.json");
    assert_int_equal(un_config_integer(portable, "count"), 7);
    json_t *expected =
        json_pack("{s:{s:s, s:s}, s:{s:s, s:s}}", "table", "name", "abc.txt", "sha256",
                  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "book",
                  "name", "none.json", "sha256", "");
    assert_true(json_equal(files, expected));
    json_decref(expected);
    json_decref(original);
    json_decref(portable);
    json_decref(files);
    json_decref(config);
    util_ok(un_directory_remove(folder));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_preset_is_complete),
        cmocka_unit_test(every_option_is_well_formed),
        cmocka_unit_test(values_from_text),
        cmocka_unit_test(ranges_and_types),
        cmocka_unit_test(unknown_names),
        cmocka_unit_test(values_from_files),
        cmocka_unit_test(hostile_values),
        cmocka_unit_test(large_values),
        cmocka_unit_test(portable_configurations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
