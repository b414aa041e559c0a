/*
 * locale_sample.h - locales with a decimal comma, made for the test from the C library's sources
 * of locales, since few machines have them ready.
 */
#ifndef UN_TESTS_LOCALE_SAMPLE_H
#define UN_TESTS_LOCALE_SAMPLE_H

#include <locale.h>
#include <unistd.h>

#include "util.h"

static char g_locales[256]; /* the directory they lie in */

static inline int locale_finish(void **state) {
    char command[300];
    (void)state;
    if (!g_locales[0]) return 0;
    snprintf(command, sizeof command, "rm -rf '%s'", g_locales);
    return system(command) == 0 ? 0 : -1; /* NOLINT(cert-env33-c) */
}

/* Sets the process's locale to NAME.UTF-8 ("de_DE"), or skips the test if it cannot be made here.
 */
static inline void locale_choose(const char *name) {
    char command[640], full[32], directory[300];
    if (!g_locales[0]) {
        const char *base = getenv("TMPDIR");
        snprintf(g_locales, sizeof g_locales, "%s/unseen-locale-XXXXXX",
                 base && base[0] ? base : "/tmp");
        assert_non_null(mkdtemp(g_locales));
        setenv("LOCPATH", g_locales, 1);
    }
    snprintf(full, sizeof full, "%s.UTF-8", name);
    snprintf(directory, sizeof directory, "%s/%s", g_locales, full);
    int made = 0;
    if (access(directory, F_OK) != 0) {
        snprintf(command, sizeof command, "localedef -i %s -f UTF-8 '%s' >/dev/null 2>&1", name,
                 directory);
        made = system(command); /* NOLINT(cert-env33-c) */
    }
    if (!setlocale(LC_ALL, full)) {
        print_message("skipped: localedef, or its source of %s, is missing (status %d)\n", full,
                      made);
        skip();
    }
    assert_string_equal(localeconv()->decimal_point, ",");
}

#endif
