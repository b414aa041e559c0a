/*
 * locale.h - the library's own locale, whatever its host's is, and the numbers that people write.
 *
 * C's strtod, printf and letter classes, and with them libraries such as jansson, follow the
 * locale of the thread that calls: under a decimal comma "0.5" is read as 0 and written "0,5".
 * So every function of unseen.h that may read or write text runs in the locale "C", set for the
 * calling thread alone. Threads that work for a call (loops, loaders) neither read nor write
 * numbers.
 */
#ifndef UN_BASE_LOCALE_H
#define UN_BASE_LOCALE_H

#include <locale.h>

typedef struct {
    locale_t outer_host; /* of the call around this one, 0: none */
} un_locale_guard;

/* The calling thread is in the locale "C" until the guard is left. Calls nest: a function that the
 * host gave may call the library. */
un_locale_guard un_locale_enter(void);
void un_locale_leave(un_locale_guard *guard);

/* First line of a public function: until its end, on every way out. */
#define UN_LOCALE_C                                                                                \
    __attribute__((cleanup(un_locale_leave), unused)) un_locale_guard un_locale_guard_ =           \
        un_locale_enter()

/* A decimal number and nothing else: a sign, digits with at most one point, an exponent. 0 where
 * the text is anything else that strtod takes, hexadecimal digits, blanks, inf, nan, or where no
 * double can hold it. */
int un_decimal_parse(const char *text, double *out);

/* The decimal number with the fewest digits that is this float: what someone wrote, 0.2 for 0.2F, so
 * that it means what a table of doubles says. Itself where it is none, as NaN. */
double un_decimal_of(float value);

/* Around a call of a function that the host gave: it finds its own locale. Outside of public
 * functions both do nothing. */
void un_locale_lend_host(void);
void un_locale_take_back(void);

#endif
