/*
 * test_tables.c - tables as people's programs write them: every way to write one gives the same
 * classes and values, what cannot be meant is refused with its place, and rows of new classes are
 * made as those of the old.
 */
#include "unit/data_sample.h"

#include <math.h>
#include <sys/stat.h>

#include "data/readers/attributes.h"
#include "data/readers/table.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

static const char *put(const char *text, size_t length) {
    assert_int_equal(un_file_write(in_folder("t.csv"), text, length), UNSEEN_OK);
    return in_folder("t.csv");
}

static void same_table_in_many_forms(void **state) {
    (void)state;
    static const char *const forms[] = {
        "class,a,b\nx,1,0.5\ny,0,0.25\n",
        "\357\273\277class,a,b\r\nx,1,0.5\r\ny,0,0.25\r\n",
        "class,a,b\rx,1,0.5\ry,0,0.25\r",
        "class\ta\tb\nx\t1\t0.5\ny\t0\t0.25\n",
        "class;a;b\nx;1;0.5\ny;0;0.25",
        "class;a;b\nx;1;0,5\ny;0;0,25\n",                   /* decimal commas */
        "class\ta\tb\nx\t1\t0,5\ny\t0\t0,25\n",             /* the same, tabs */
        "class,a,b,,\nx,1,0.5,,\ny,0,0.25,,\n,,,,\n,,,,\n", /* columns and rows that were deleted */
        "class,,a,b\nx,,1,0.5\n\n,,,\ny,,0,0.25\n",         /* in the middle, too */
        "class,a,b\nx,yes,50%\ny,no,25 %\n",                /* words and percent signs */
        "class;a;b\nx;TRUE;50,0%\ny;FALSE;25%\n",
        "class,a,b\nx,1,50%\ny,0,25%\n",
        "sep=;\r\nclass;a;b\r\nx;1;0,5\r\ny;0;0,25\r\n", /* for spreadsheets */
        "\357\273\277SEP=|\nclass|a|b\nx|1|0.5\ny|0|0.25\n",
        "sep=,\rclass,a,b\rx,1,0.5\ry,0,0.25\r",
        "\n \n\"class\", a ,b\n\"x\",\"1\", 0.5\ny,0,.25\n",
        "name,a\xC2\xA0,b\nx\xC2\xA0,1,0.5\ny,0,2.5e-1\n", /* no-break spaces at the ends */
    };
    for (size_t i = 0; i < COUNT(forms); i++) {
        un_arena arena = {0};
        un_table t;
        if (un_table_read(put(forms[i], strlen(forms[i])), &arena, &t))
            fail_msg("form %zu: %s", i, un_error());
        assert_int_equal(t.rows, 2);
        assert_int_equal(t.columns, 2);
        assert_string_equal(t.names[0], "x");
        assert_string_equal(t.names[1], "y");
        assert_string_equal(t.attributes[0], "a");
        assert_string_equal(t.attributes[1], "b");
        static const double want[4] = {1, 0.5, 0, 0.25};
        for (size_t k = 0; k < 4; k++)
            if (t.values[k] != want[k]) fail_msg("form %zu: value %zu is %g", i, k, t.values[k]);
        un_arena_free(&arena);
    }
}

/* U+2212, which typesetters write for minus. */
static void minus_sign(void **state) {
    (void)state;
    static const char text[] = "class,a,b\nx,\xE2\x88\x92"
                               "1.5,2\ny,0,\xE2\x88\x92"
                               ".25\n";
    static const char wrong[] = "class,a\nx,\xE2\x88\x92-1\n";
    un_arena arena = {0};
    un_table t;
    assert_int_equal(un_table_read(put(text, sizeof text - 1), &arena, &t), UNSEEN_OK);
    assert_true(t.values[0] == -1.5 && t.values[3] == -0.25);
    un_arena_free(&arena);
    util_fails(un_table_read(put(wrong, sizeof wrong - 1), &arena, &t), UNSEEN_E_FORMAT,
               "this is not a number");
    un_arena_free(&arena);
}

/* The header holds more commas than tabs, numbers more than semicolons. */
static void delimiters_by_all_records(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t columns;
        const char *last;
    } cases[] = {{"class\ta, b, c\td\nx\t1\t2\ny\t3\t4\n", 2, "d"},
                 {"class;a, b, c;d\nx;1;2\ny;3;4\n", 2, "d"},
                 {"class,6\" bill,d\nx,1,2\ny,3,4\n", 2, "d"},
                 {"class,\"a;b;c;d\",\"e\tf\"\nx,1,2\ny,3,4\n", 2, "e\tf"},
                 {"class;a\nx;1,25\ny;0,75\nz;0,5\n", 1, "a"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        un_arena arena = {0};
        un_table t;
        if (un_table_read(put(cases[i].text, strlen(cases[i].text)), &arena, &t))
            fail_msg("case %zu: %s", i, un_error());
        assert_int_equal(t.columns, cases[i].columns);
        assert_string_equal(t.attributes[t.columns - 1], cases[i].last);
        un_arena_free(&arena);
    }
}

static void unknown_values(void **state) {
    (void)state;
    static const char text[] = "class,a,b,c\nx,?,-1.0,3\ny,2,n/a,\nz,4,5,6\n";
    char *const unknown[] = {"-1", "N/A", ""};
    const un_table_options options = {unknown, 3, 0};
    un_arena arena = {0};
    un_table t;
    assert_int_equal(un_table_read_as(put(text, strlen(text)), &options, &arena, &t), UNSEEN_OK);
    assert_int_equal(t.unknown, 4);
    assert_true(isnan(t.values[0]) && isnan(t.values[1]) && t.values[2] == 3);
    assert_true(t.values[3] == 2 && isnan(t.values[4]) && isnan(t.values[5]));
    un_arena_free(&arena);
}

static void refusals(void **state) {
    (void)state;
#define CASE(text, why)                                                                            \
    { text, sizeof(text) - 1, why }
    static const struct {
        const char *text;
        size_t length;
        const char *why;
    } cases[] = {
        CASE("red,0.10,0.90,0.50\ngreen,0.2,0.8,0.1\n", "line 1 has values (\"red\", \"0.10\")"),
        CASE("red,yes,?\ngreen,no,yes\n", "put a header above the classes"),
        CASE("c,a\nx,\n", "line 2, column 2 (class \"x\", attribute \"a\"): the value is missing"),
        CASE("c,a\nx,\n", "option unknown ''"),
        CASE("c,a,b\nx,1,2\ny,1,na\n", "line 3, column 3 (class \"y\", attribute \"b\")"),
        CASE("c,a\nx,nan\n", "must be finite"),
        CASE("c,a\nx,inf\n", "must be finite"),
        CASE("c,a\nx,nan\n", "option unknown"),
        CASE("c,a\nx,N/A\n", "not known, write ? or name it (option unknown)"),
        CASE("c,a\nx,\xE2\x80\x93\n", "option unknown"),
        CASE("c,a\nx,0x10\n", "this is not a number"),
        CASE("sep=;\nc;a\nx;one\n", "line 3, column 2"),
        CASE("c,a\nx,78%\ny,50\n", "line 3, column 2 (class \"y\", attribute \"a\"): other values"),
        CASE("c;a;b\nx;1,5;2.5\n", "decimal comma (line 2) and with a decimal point (line 2)"),
        CASE("c,a,\nx,1,2\n", "column 3 has no name"),
        CASE("c,,a\nx,1,2\n", "column 2 has no name, but line 2 has \"1\""),
        CASE("c,a\nx,1,2\n", "line 2 has 3 fields where at most 2"),
        CASE("c,a,b\nx,1\n", "line 2 has 2 fields, the header has 3"),
        CASE("c,a,,a\nx,1,,2\n", "column 2 and column 4 have the same name"),
        CASE("c,a\nx,1\ny,1\nx,1\n", "\"x\" (lines 2 and 4)"),
        CASE("PK\3\4\x14\0\6\0\10\0\0\0!\0bbbb....bbbb\x13\0\0\0[Content_Types].xml", "Excel"),
        CASE("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1rest", "Excel"),
        CASE("\xFF\xFE"
             "c\0,\0a\0\n\0",
             "UTF-16"),
        CASE("c,a\nx,1\ngr\xFCn,2\n", "line 3 has letters in another encoding, Latin-1"),
        CASE("c,a\nx\0,1\n", "UTF-8"),
        CASE("<!DOCTYPE html><html>", "web page"),
        CASE("%PDF-1.7\n\xE2\xE3", "PDF"),
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        un_arena arena = {0};
        un_table t;
        util_fails(un_table_read(put(cases[i].text, cases[i].length), &arena, &t), UNSEEN_E_FORMAT,
                   cases[i].why);
        un_arena_free(&arena);
    }
}

/* A row that ends early costs what it holds, not what the header promises. */
static void short_rows_stay_small(void **state) {
    (void)state;
    enum { COLUMNS = 20000, ROWS = 20000 };
    const un_table_options options = {NULL, 0, 1};
    un_arena arena = {0};
    un_table t;
    char *text = malloc((size_t)COLUMNS * 8 + (size_t)ROWS * 8 + 8);
    assert_non_null(text);
    char *at = text + sprintf(text, "class");
    for (int i = 0; i < COLUMNS; i++) at += sprintf(at, ",a%d", i);
    for (int i = 0; i < ROWS; i++) at += sprintf(at, "\nc%d", i);
    util_fails(un_table_read_as(put(text, (size_t)(at - text)), &options, &arena, &t),
               UNSEEN_E_FORMAT, "far fewer fields");
    free(text);
    un_arena_free(&arena);
}

static char *g_classes[] = {"x", "y", "z", "w"};
static char *g_attributes[] = {"a", "b", "c"};

static un_status add(un_dataset *d, const double *values, const un_attribute_options *o) {
    *d = (un_dataset){.class_count = 4, .classes = g_classes};
    return un_import_attributes(d, "att", values, 3, g_attributes, o);
}

static int noted(const un_dataset *d, const char *text) {
    for (size_t i = 0; i < json_array_size(d->notes); i++)
        if (strstr(json_string_value(json_array_get(d->notes, i)), text)) return 1;
    return 0;
}

static void drop_all(un_dataset *d) {
    json_decref(d->notes);
    un_arena_free(&d->arena);
}

static void units_are_found(void **state) {
    (void)state;
    const un_attribute_options plain = {0};
    un_dataset d;
    /* Percent, with an attribute that nobody has. */
    const double percent[] = {90, 0, 10, 20, 0, 80, 50, 0, 30, 5, 0, 95};
    assert_int_equal(add(&d, percent, &plain), UNSEEN_OK);
    assert_int_equal(d.semantics[0].scaling->kind, UN_SCALING_UNIT);
    assert_true(noted(&d, "the same for all classes"));
    assert_true(noted(&d, "attribute \"b\""));
    drop_all(&d);
    /* -1 among them asks what it means. */
    const double marked[] = {90, -1, 10, 20, 40, 80, 50, 60, -1, 5, 7, 95};
    util_fails(add(&d, marked, &plain), UNSEEN_E_FORMAT,
               "2 values are -1 (attribute \"b\" of class \"x\"");
    assert_non_null(strstr(un_error(), "option unknown -1"));
    drop_all(&d);
    const double shares[] = {.9, -9, .1, .2, .4, .8, .5, .6, .7, .5, .7, .95};
    util_fails(add(&d, shares, &plain), UNSEEN_E_FORMAT, "1 value is -9");
    drop_all(&d);
    const un_attribute_options range = {.scale = UN_SCALE_RANGE};
    assert_int_equal(add(&d, marked, &range), UNSEEN_OK);
    drop_all(&d);
    /* Present, undecided, absent is a scale of its own. */
    const double signs[] = {1, -1, 0, -1, 1, 0, 1, 1, -1, 0, -1, 1};
    assert_int_equal(add(&d, signs, &plain), UNSEEN_OK);
    assert_int_equal(d.semantics[0].scaling->kind, UN_SCALING_RANGE);
    assert_true(noted(&d, "attribute \"a\" is -1 for class \"y\""));
    drop_all(&d);
    const double mixed[] = {90, 1, 10, 20, 0, 80, 50, 1, 30, 5, 0, 95};
    assert_int_equal(add(&d, mixed, &plain), UNSEEN_OK);
    assert_true(noted(&d, "attribute \"b\" has at most 1, others up to 95"));
    drop_all(&d);
}

/* Numbers that stand for what is not known, in columns with units. */
static void codes_are_told(void **state) {
    (void)state;
    static const struct {
        double values[12];
        const char *why; /* NULL: nothing is said */
    } cases[] = {
        {{109, 4, 1, 9999, 2, 0, 57, 4, 1, 9999, 0, 1},
         "2 values are 9999 (attribute \"a\" of class \"y\" is the first), the others there lie in "
         "57 to 109; if it means unknown, say option unknown 9999"},
        {{109, 4, 1, 146, -999, 0, -999, 4, 1, 60, 0, 1},
         "say option unknown -999"}, /* two columns */
        {{109, 4, 1, -1, 2, 0, 57, 4, 1, -1, 0, 1}, "option unknown -1 "},
        {{109, 4, 1, -9999, 2, 0, 57, 4, 1, -9999, 0, 1}, "option unknown -9999"},
        {{109, 4, 1, 999, 2, 0, 57, 4, 1, 999, 0, 1}, "option unknown 999 "},
        {{109, 4, 1, 12345, 2, 0, 57, 4, 1, 12345, 0, 1}, "option unknown 12345"},
        {{109, 4, 1, 9999, 2, 0, 57, 4, 1, 80, 0, 1}, NULL},  /* once: a large one */
        {{109, 4, 1, 205, 2, 0, 57, 4, 1, 205, 0, 1}, NULL},  /* the heaviest two */
        {{900, 4, 1, 999, 2, 0, 57, 4, 1, 999, 0, 1}, NULL},  /* not far from 900 */
        {{109, 1, 1, 146, -1, 0, 57, 0, 1, 60, -1, 1}, NULL}, /* absent, undecided, present */
        {{-20, 4, 1, -1, 2, 0, 57, 4, 1, -1, 0, 1}, NULL}};   /* degrees */
    const un_attribute_options plain = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        un_dataset d;
        assert_int_equal(add(&d, cases[i].values, &plain), UNSEEN_OK);
        assert_int_equal(d.semantics[0].scaling->kind, UN_SCALING_RANGE);
        if (noted(&d, cases[i].why ? cases[i].why : "option unknown") != (cases[i].why != NULL))
            fail_msg("case %zu", i);
        drop_all(&d);
    }
}

/* Attributes that look grouped and are not are told how to be; others are left alone. */
static void groups_are_proposed(void **state) {
    (void)state;
    static char *names[][4] = {{"color_red", "color_blue", "size_big", "size_small"},
                               {"color:red", "color:blue", "size:big", "size:small"},
                               {"color::red", "color::blue", "size::big", "size::small"},
                               {"big_teeth", "long neck", "fur", "eats_fish"}};
    const double values[] = {1, 0, 1, 0, 0, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1};
    for (size_t i = 0; i < 4; i++) {
        const un_attribute_options plain = {0};
        un_dataset d = {.class_count = 4, .classes = g_classes};
        assert_int_equal(un_import_attributes(&d, "att", values, 4, names[i], &plain), UNSEEN_OK);
        assert_int_equal(noted(&d, "write \"color::red\" for \"color"), i < 2);
        assert_int_equal(noted(&d, "look grouped"), i < 2);
        drop_all(&d);
    }
}

static void unknown_is_the_mean_of_the_others(void **state) {
    (void)state;
    const un_attribute_options plain = {.scale = UN_SCALE_AS_GIVEN};
    un_dataset d;
    const double values[] = {90, NAN, 10, 20, 40, 80, 50, 60, NAN, 5, 20, 30};
    assert_int_equal(add(&d, values, &plain), UNSEEN_OK);
    assert_true(d.semantics[0].values[1] == 40 && d.semantics[0].values[8] == 40);
    assert_true(noted(&d, "2 unknown values got the mean of the other classes"));
    assert_true(noted(&d, "attribute \"c\" of \"z\""));
    drop_all(&d);
    const double nothing[] = {90, 1, 10, NAN, NAN, NAN, 50, 60, 1, 5, 20, 30};
    util_fails(add(&d, nothing, &plain), UNSEEN_E_FORMAT, "nothing is known of class \"y\"");
    drop_all(&d);
    const double nowhere[] = {90, NAN, 10, 1, NAN, 2, 50, NAN, 1, 5, NAN, 30};
    util_fails(add(&d, nowhere, &plain), UNSEEN_E_FORMAT,
               "attribute \"b\" is unknown for every class");
    drop_all(&d);
}

/* What a data set keeps of the way from values to rows leads equal values to equal rows. */
static void scaling_survives(void **state) {
    (void)state;
    static const double values[] = {0.9, 235, 1, 0.1, 180, 2, 0.2, 35, 7, 0.8, 90, 4};
    char *const unknown[] = {"-1"};
    static const un_scale scales[] = {UN_SCALE_AUTO, UN_SCALE_NONE, UN_SCALE_RANGE,
                                      UN_SCALE_AS_GIVEN};
    for (size_t i = 0; i < COUNT(scales); i++) {
        const un_attribute_options options = {scales[i], unknown, 1, 0};
        un_dataset d, back;
        float row[3];
        assert_int_equal(add(&d, values, &options), UNSEEN_OK);
        d.name = "kept";
        mkdir(in_folder("kept"), 0777);
        assert_int_equal(un_dataset_write(&d, in_folder("kept")), UNSEEN_OK);
        assert_int_equal(un_dataset_open(&back, in_folder("kept")), UNSEEN_OK);
        const un_semantics *s = un_dataset_semantics(&back, "att");
        assert_non_null(s->scaling);
        assert_int_equal(s->scaling->kind, i == 3   ? UN_SCALING_AS_GIVEN
                                           : i == 1 ? UN_SCALING_UNIT
                                                    : UN_SCALING_RANGE);
        assert_int_equal(s->scaling->unknown_count, 1);
        assert_string_equal(s->scaling->unknown[0], "-1");
        assert_true(s->scaling->largest[1] == 235 && s->scaling->least[2] == 1);
        for (size_t c = 0; c < 4; c++) {
            un_scaling_apply(s->scaling, values + 3 * c, row);
            assert_memory_equal(row, s->values + 3 * c, sizeof row);
        }
        un_dataset_close(&back);
        drop_all(&d);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_table_in_many_forms),
                                       cmocka_unit_test(minus_sign),
                                       cmocka_unit_test(delimiters_by_all_records),
                                       cmocka_unit_test(unknown_values),
                                       cmocka_unit_test(refusals),
                                       cmocka_unit_test(short_rows_stay_small),
                                       cmocka_unit_test(units_are_found),
                                       cmocka_unit_test(codes_are_told),
                                       cmocka_unit_test(groups_are_proposed),
                                       cmocka_unit_test(unknown_is_the_mean_of_the_others),
                                       cmocka_unit_test(scaling_survives)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
