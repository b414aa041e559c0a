/*
 * test_settings.c - no setting is left undocumented: every one of every method stands in the manual
 * page of `train` and in `train METHOD --settings` with its default, its choices and its meaning.
 */
#include "method/methods.h"
#include "util.h"

enum { ROOM = 1 << 18 };

/* What `unseen …` prints, without the backslashes of a manual page's source. */
static char *said(const char *arguments) {
    char command[1024];
    const char *program = getenv("UNSEEN");
    char *text = calloc(ROOM, 1);
    assert_non_null(program);
    assert_non_null(text);
    snprintf(command, sizeof command, "'%s' %s", program, arguments);
    FILE *pipe = popen(command, "re");
    assert_non_null(pipe);
    size_t n = fread(text, 1, ROOM - 1, pipe), kept = 0;
    assert_int_equal(pclose(pipe), 0);
    assert_true(n > 0 && n < ROOM - 1);
    for (size_t i = 0; i < n; i++)
        if (text[i] != '\\' || text[i + 1] == 'f') text[kept++] = text[i];
    text[kept] = 0;
    return text;
}

/* The part of the page about a method, cut off behind it. */
static char *section(char *page, const char *method) {
    char head[64];
    snprintf(head, sizeof head, ".SS \"%s\"\n", method);
    char *begin = strstr(page, head);
    if (!begin) fail_msg("the page has no section about %s", method);
    begin += strlen(head);
    char *end = strstr(begin, "\n.S");
    if (end) *end = 0;
    return begin;
}

/* The line of the setting, and the next: "\fBkey\fR=default (choices)", meaning. */
static void check_page(const char *text, const char *method, const un_option *o) {
    char want[2048];
    snprintf(want, sizeof want, ".TP\n\\fB%s\\fR=%s%s%s%s\n%s", o->key, o->fallback,
             o->choices ? " (" : "", o->choices ? o->choices : "", o->choices ? ")" : "", o->help);
    if (!strstr(text, want)) fail_msg("%s: the manual does not say:\n%s", method, want);
}

static void check_list(const char *text, const char *method, const un_option *o) {
    char key[128];
    snprintf(key, sizeof key, "\n  %s ", o->key);
    const char *at = strstr(text, key);
    if (!at) fail_msg("%s --settings does not name %s", method, o->key);
    size_t line = strcspn(at + 1, "\n");
    char *copy = strndup(at + 1, line);
    assert_non_null(copy);
    if (!strstr(copy, o->fallback) || !strstr(copy, o->help) ||
        (o->choices && !strstr(copy, o->choices)))
        fail_msg("%s --settings says of %s only \"%s\"", method, o->key, copy);
    free(copy);
}

static void every_setting_is_documented(void **state) {
    (void)state;
    size_t count = 0;
    for (size_t m = 0; un_methods[m]; m++) {
        char command[128];
        const char *name = un_methods[m]->name;
        char *page = said("train --help=man"), *about = section(page, name);
        snprintf(command, sizeof command, "train %s --settings", name);
        char *list = said(command);
        const un_option *tables[UN_OPTION_TABLES];
        un_option_tables(un_methods[m], tables);
        for (size_t t = 0; tables[t]; t++)
            for (const un_option *o = tables[t]; o->key; o++, count++) {
                assert_non_null(o->help);
                assert_true(strlen(o->help) >= 4);
                check_page(about, name, o);
                check_list(list, name, o);
            }
        free(page);
        free(list);
    }
    assert_true(count > 100);
}

static void every_preset_is_documented(void **state) {
    (void)state;
    for (size_t m = 0; un_methods[m]; m++) {
        char want[1024];
        char *page = said("train --help=man"), *about = section(page, un_methods[m]->name);
        for (const un_preset *p = un_methods[m]->presets; p->name; p++) {
            snprintf(want, sizeof want, "\\fB--preset\\fR \\fB%s\\fR\n%s", p->name, p->summary);
            if (!strstr(about, want)) fail_msg("the manual does not say:\n%s", want);
        }
        free(page);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_setting_is_documented),
        cmocka_unit_test(every_preset_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
