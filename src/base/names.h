/*
 * names.h - names as people write them: which of many is meant, and several of them in a
 * sentence.
 *
 * A name means the one that equals it byte for byte, or else the only one that is alike:
 * upper or lower case, composed or decomposed letters, kinds of blanks, dashes and
 * apostrophes, "_" or "-" for a blank and invisible characters make no difference then.
 * Alike names are taken only where one name on each side is meant, and callers say so.
 */
#ifndef UN_BASE_NAMES_H
#define UN_BASE_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/* ---- names in a sentence ---- */

/* `"a", "b"` and, in `more`, " and 3 more": whole names, so that it stays UTF-8. */
typedef struct {
    size_t count; /* of all that were added */
    size_t told;
    size_t used;
    char text[600];
    char more[40];
} un_name_list;

/* The first `most` that there is room for are told, in quotes. */
void un_name_list_add(un_name_list *list, const char *name, size_t most);
/* The same for words of one's own, without quotes. */
void un_name_list_say(un_name_list *list, size_t most, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "" or " and 3 more". */
const char *un_name_list_more(const un_name_list *list);

/* The most of the first `most` bytes of a UTF-8 text that cuts no character: for %.*s. */
int un_name_fit(const char *text, size_t most);

/* Bytes of the character that text[n] begins with, 1 to 4, and its code point; 0 if it is not UTF-8
 * (RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF). */
size_t un_utf8_next(const char *text, size_t n, int32_t *code);
/* Whether n bytes are UTF-8 without NUL. */
int un_text_is_utf8(const unsigned char *bytes, size_t n);

/* A NULL-terminated list of names, each of its own memory and the list, too; NULL is allowed. */
void un_names_free(char **names);

/* ---- the nearest ---- */

/* The member of `names` nearest to `word` by edit distance, NULL if none is near. */
const char *un_nearest_name(const char *word, const char *const *names, size_t n);
/* `; did you mean "NAME"?`, to end the sentence about an unknown word, or nothing. */
typedef struct {
    char text[160];
} un_suggestion;
un_suggestion un_did_you_mean(const char *word, const char *const *names, size_t n);

/* ---- finding ---- */

enum { UN_NAMES_TOLD = 8 };

#define UN_NO_NAME ((size_t)-1)

typedef struct {
    const char *text;
    size_t number;
} un_name_key;

/* Of names that outlive it. */
typedef struct {
    size_t count;
    char *const *names;
    un_name_key *exact; /* [count] sorted bytewise, equal ones by number */
    un_name_key *alike; /* [count] sorted by what alike names share */
    un_arena arena;
} un_name_index;

un_status un_name_index_make(un_name_index *index, char *const *names, size_t count);
/* Harmless on a zeroed one. */
void un_name_index_free(un_name_index *index);

/* 1 if a name occurs twice: *first and *second are the lowest such pair. */
int un_name_index_repeats(const un_name_index *index, size_t *first, size_t *second);
/* Adds `"red" and "Red"` for every two different names that are alike. */
void un_name_index_alike(const un_name_index *index, un_name_list *list);
/* The number of the name that equals `name`, the lowest if there are several; UN_NO_NAME. */
size_t un_name_find(const un_name_index *index, const char *name);

/* What un_names_match found. */
typedef struct {
    un_name_list alike;   /* `"Red" for "red"` */
    un_name_list missing; /* `"focks" (did you mean "fox"?)`; count 0: all were found */
} un_name_report;

/* map[i] = the number in `index` that given[i] means, UN_NO_NAME if it means none or may
 * mean several. Equal given names mean the same one; two that differ never do. */
un_status un_names_match(const un_name_index *index, char *const *given, size_t count, size_t *map,
                         un_name_report *report);

/* ---- attributes ---- */

/* An attribute may say which group it is of: "wing color::blue" or "wing color: blue". Where its
 * value begins ("blue"), and the length of the group's name ("wing color"); the whole and 0 where
 * it names no group. */
const char *un_attribute_value(const char *attribute, size_t *group);

#endif
