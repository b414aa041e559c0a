/* locale.c - the library's own locale, and decimal numbers; see locale.h. */
#include "base/locale.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static locale_t g_c; /* 0, if the C library cannot make it: then the host's stays */
/* What this thread had when it entered the library, 0 outside. */
static _Thread_local locale_t t_host;

static void make_c(void) { g_c = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

un_locale_guard un_locale_enter(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    un_locale_guard guard = {t_host};
    pthread_once(&once, make_c);
    t_host = uselocale(g_c);
    return guard;
}

void un_locale_leave(un_locale_guard *guard) {
    uselocale(t_host);
    t_host = guard->outer_host;
}

void un_locale_lend_host(void) {
    if (t_host) uselocale(t_host);
}

void un_locale_take_back(void) {
    if (t_host) t_host = uselocale(g_c); /* the host may have chosen another meanwhile */
}

int un_decimal_parse(const char *text, double *out) {
    char *end = NULL;
    if (text[strspn(text, "+-0123456789.eE")]) return 0;
    errno = 0;
    *out = strtod(text, &end);
    return end != text && *end == 0 && errno == 0;
}

double un_decimal_of(float value) {
    char text[40];
    for (int digits = 6; digits < 9 && isfinite(value); digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        double x = strtod(text, NULL);
        if ((float)x == value) return x;
    }
    return (double)value;
}
