/* test_names.c - which of many names is meant, and several names in a sentence. */
#include "unit/util.h"

#include <string.h>

#include "base/foreign/utf8proc.h"
#include "base/names.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

static void match_one(char *const *names, size_t count, const char *wanted, size_t expected) {
    un_name_index index;
    un_name_report report;
    char copy[200];
    char *one[] = {copy};
    size_t map = 0;
    snprintf(copy, sizeof copy, "%s", wanted);
    util_ok(un_name_index_make(&index, names, count));
    util_ok(un_names_match(&index, one, 1, &map, &report));
    if (map != expected) fail_msg("\"%s\" means %zu, expected %zu", wanted, map, expected);
    assert_int_equal(report.missing.count, map == UN_NO_NAME);
    assert_int_equal(report.alike.count,
                     map != UN_NO_NAME && strcmp(wanted, names[map]) != 0 ? 1 : 0);
    un_name_index_free(&index);
}

static void spellings_of_one_name(void **state) {
    (void)state;
    static char *names[] = {"red fox", "Caf\xC3\xA9", "Stra\303\237e", "T-shirt", "-1",
                            "1",       "a  b_c",      "O'Neill's owl", "twin",    "Twin"};
    static const struct {
        const char *wanted;
        size_t number;
    } cases[] = {{"red fox", 0},
                 {"Red Fox", 0},
                 {"red_fox", 0},
                 {"red-fox", 0},
                 {" red  fox ", 0},
                 {"red\xC2\xA0"
                  "fox",
                  0},                 /* a no-break space */
                 {"Cafe\xCC\x81", 1}, /* decomposed */
                 {"CAFE\xCC\x81", 1},
                 {"Cafe", UN_NO_NAME},
                 {"STRASSE", 2},
                 {"t shirt", 3},
                 {"\xEF\xBC\xB4"
                  "-shirt",
                  3}, /* a full-width letter */
                 {"-1", 4},
                 {"1", 5},
                 {"A B C", 6},
                 {"O\xE2\x80\x99Neill\xE2\x80\x99s owl", 7},
                 {"twin", 8},
                 {"Twin", 9},
                 {"TWIN", UN_NO_NAME},       /* may mean either */
                 {"red\xE2\x80\x8B fox", 0}, /* an invisible character */
                 {"red wolf", UN_NO_NAME},
                 {"\xFF", UN_NO_NAME}};
    for (size_t i = 0; i < COUNT(cases); i++)
        match_one(names, COUNT(names), cases[i].wanted, cases[i].number);
}

static void two_names_never_mean_one(void **state) {
    (void)state;
    static char *names[] = {"red", "blue"};
    static char *wanted[] = {"Red", "RED", "Blue", "Blue", "focks"};
    size_t map[5];
    un_name_index index;
    un_name_report report;
    util_ok(un_name_index_make(&index, names, 2));
    util_ok(un_names_match(&index, wanted, 5, map, &report));
    assert_int_equal(map[0], UN_NO_NAME);
    assert_int_equal(map[1], UN_NO_NAME);
    assert_int_equal(map[2], 1);
    assert_int_equal(map[3], 1); /* the same name twice is no other one */
    assert_int_equal(report.missing.count, 3);
    assert_non_null(strstr(report.missing.text, "\"Red\" (did you mean \"red\"?)"));
    assert_non_null(strstr(report.missing.text, "\"focks\""));
    assert_non_null(strstr(report.alike.text, "\"Blue\" for \"blue\""));
    /* One that is taken exactly is not there for another spelling. */
    static char *both[] = {"red", "Red"};
    util_ok(un_names_match(&index, both, 2, map, &report));
    assert_int_equal(map[0], 0);
    assert_int_equal(map[1], UN_NO_NAME);
    un_name_index_free(&index);
}

static void repeats_are_found(void **state) {
    (void)state;
    static char *names[] = {"d", "b", "a", "b", "a"};
    size_t first = 9, second = 9;
    un_name_index index;
    util_ok(un_name_index_make(&index, names, 5));
    assert_true(un_name_index_repeats(&index, &first, &second));
    assert_int_equal(first, 1);
    assert_int_equal(second, 3);
    assert_int_equal(un_name_find(&index, "a"), 2);
    un_name_index_free(&index);
    util_ok(un_name_index_make(&index, names, 3));
    assert_false(un_name_index_repeats(&index, &first, &second));
    un_name_index_free(&index);
    util_ok(un_name_index_make(&index, NULL, 0));
    assert_int_equal(un_name_find(&index, "a"), UN_NO_NAME);
    un_name_index_free(&index);
}

static void lists_stay_whole(void **state) {
    (void)state;
    un_name_list list = {0};
    char name[120];
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "%0100d", i);
        un_name_list_add(&list, name, 40);
    }
    assert_int_equal(list.count, 50);
    assert_true(list.told > 2 && list.told < 40);
    assert_int_equal(list.text[list.used - 1], '"');
    snprintf(name, sizeof name, " and %zu more", 50 - list.told);
    assert_string_equal(un_name_list_more(&list), name);
    assert_int_equal(un_name_fit("gr\xC3\xBCn", 3), 2);
    assert_int_equal(un_name_fit("gr\xC3\xBCn", 4), 4);
    assert_int_equal(un_name_fit("red", 9), 3);
}

static void groups_of_attributes(void **state) {
    (void)state;
    static const struct {
        const char *name, *value;
        size_t group;
    } cases[] = {{"has_color::red", "red", 9},  {"color: red", "red", 5}, {"color:: red", "red", 5},
                 {"color:red", "color:red", 0}, {"red", "red", 0},        {"::red", "red", 0},
                 {"a: b::c", "b::c", 1},        {"a::b: c", "b: c", 1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t group = 99;
        assert_string_equal(un_attribute_value(cases[i].name, &group), cases[i].value);
        assert_int_equal(group, cases[i].group);
    }
}

/* 60,000 names: a second of work, not of minutes. */
static void many_names(void **state) {
    (void)state;
    enum { MANY = 60000 };
    un_arena arena = {0};
    un_name_index index;
    un_name_report report;
    char **names = NULL, **wanted = NULL;
    size_t *map = NULL;
    util_ok(un_arena_alloc(&arena, MANY, sizeof *names, &names));
    util_ok(un_arena_alloc(&arena, MANY, sizeof *wanted, &wanted));
    util_ok(un_arena_alloc(&arena, MANY, sizeof *map, &map));
    for (size_t i = 0; i < MANY; i++) {
        char text[40];
        snprintf(text, sizeof text, "class %zu", i);
        util_ok(un_arena_string(&arena, text, &names[i]));
        snprintf(text, sizeof text, "Class_%zu", MANY - 1 - i);
        util_ok(un_arena_string(&arena, text, &wanted[i]));
    }
    util_ok(un_name_index_make(&index, names, MANY));
    util_ok(un_names_match(&index, wanted, MANY, map, &report));
    for (size_t i = 0; i < MANY; i++) assert_int_equal(map[i], MANY - 1 - i);
    assert_int_equal(report.alike.count, MANY);
    un_name_index_free(&index);
    un_arena_free(&arena);
}

/* Printable ASCII is told without Unicode's tables; with a letter beyond it, by them. */
static void ascii_as_unicode_has_it(void **state) {
    (void)state;
    for (char c = ' '; c <= '~'; c++)
        for (char d = ' '; d <= '~'; d++) {
            char plain[16], beyond[16];
            char *names[] = {plain, beyond};
            un_name_index index;
            snprintf(plain, sizeof plain, "a%c%cB", c, d);
            snprintf(beyond, sizeof beyond, "a%c%cB\xC3\xA9", c, d);
            util_ok(un_name_index_make(&index, names, 2));
            const char *a = index.alike[0].text, *b = index.alike[1].text; /* the shorter first */
            size_t n = strlen(a);
            if (strncmp(a, b, n) != 0 || strcmp(b + n, "\xC3\xA9") != 0)
                fail_msg("\"%s\" is \"%s\", but \"%s\" is \"%s\"", plain, a, beyond, b);
            un_name_index_free(&index);
        }
}

/* Every code point there and back; what RFC 3629 excludes. */
static void characters_of_utf8(void **state) {
    (void)state;
    static const char *const not_utf8[] = {"\x80",
                                           "\x80\x80\x80\x80\x80\x80",
                                           "\xC1\x81",
                                           "\xE0\x9F\xBF",
                                           "\xED\xA0\x80",
                                           "\xF0\x8F\xBF\xBF",
                                           "\xF4\x90\x80\x80",
                                           "\xF5\x80\x80\x80",
                                           "\xC3",
                                           "\xE2\x82",
                                           "\xC3(",
                                           "\xFF"};
    int32_t code = -1;
    for (int32_t want = 0; want <= 0x10FFFF; want++) {
        utf8proc_uint8_t bytes[4];
        if (want >= 0xD800 && want < 0xE000) continue;
        size_t n = (size_t)utf8proc_encode_char(want, bytes);
        if (un_utf8_next((const char *)bytes, n, &code) != n || code != want)
            fail_msg("U+%04X is read as U+%04X", (unsigned)want, (unsigned)code);
        if (n > 1 && un_utf8_next((const char *)bytes, n - 1, &code) != 0)
            fail_msg("a part of U+%04X is read", (unsigned)want);
    }
    for (size_t i = 0; i < COUNT(not_utf8); i++) {
        size_t n = strlen(not_utf8[i]);
        if (un_utf8_next(not_utf8[i], n, &code) != 0) fail_msg("case %zu is read", i);
        assert_false(un_text_is_utf8((const unsigned char *)not_utf8[i], n));
    }
    assert_true(un_text_is_utf8((const unsigned char *)"a\xC3\xA9", 3));
    assert_false(un_text_is_utf8((const unsigned char *)"a\0b", 3));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_of_one_name),   cmocka_unit_test(two_names_never_mean_one),
        cmocka_unit_test(repeats_are_found),       cmocka_unit_test(lists_stay_whole),
        cmocka_unit_test(groups_of_attributes),    cmocka_unit_test(many_names),
        cmocka_unit_test(ascii_as_unicode_has_it), cmocka_unit_test(characters_of_utf8)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
