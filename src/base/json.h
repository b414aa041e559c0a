/*
 * json.h - the few things the project does with jansson, done one way.
 *
 * Values are jansson's json_t; ownership follows its rules. Files are read with
 * duplicate keys rejected and written atomically.
 */
#ifndef UN_BASE_JSON_H
#define UN_BASE_JSON_H

#include <jansson.h>

#include "base/status.h"

/* How results are printed: indented, numbers in 12 digits. What is read back (manifests,
 * checkpoints) goes through un_json_text, which keeps every bit. */
#define UN_JSON_FOR_PEOPLE (JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(12))

/* How a value stands in a sentence: in one line, numbers in 6 digits. */
#define UN_JSON_IN_SENTENCE (JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6))

/* Parses `n` bytes of UTF-8, with or without a BOM; `where` names the source in the error sentence.
 * *out is a new reference. */
un_status un_json_parse(const char *text, size_t n, const char *where, json_t **out);
un_status un_json_read(const char *path, json_t **out);
/* Pretty-printed with a final newline, keys in insertion order; "-" is stdout's job of the caller. */
un_status un_json_write(const char *path, const json_t *value);
/* json_dumps, but whole or NULL: jansson's leaves out keys that it finds no memory for. */
char *un_json_dump(const json_t *value, size_t flags);
/* NOLINTNEXTLINE(readability-redundant-declaration) */
char *json_dumps(const json_t *value, size_t flags) __attribute__((deprecated("un_json_dump")));
/* Compact text, released with free(). */
un_status un_json_text(const json_t *value, char **out);

/* A number, or null for what is none: NaN and infinity, which stand for what could not be
 * measured. A new reference. */
json_t *un_json_number(double x);

/* obj[key] = value, stealing the reference of `value`, NULL (out of memory) included. */
un_status un_json_set(json_t *object, const char *key, json_t *value);
un_status un_json_append(json_t *array, json_t *value);

/* For functions that build a value and return it: as un_json_set and un_json_append, but out of
 * memory releases the whole and makes it NULL; on NULL they release `value` only. So a builder
 * returns either all of its value or NULL, which un_json_set reports. */
void un_json_put(json_t **object, const char *key, json_t *value);
void un_json_push(json_t **array, json_t *value);

/* A whole copy or NULL: jansson's own copies leave out members that they find no memory for. */
json_t *un_json_copy(const json_t *value);
/* NOLINTBEGIN(readability-redundant-declaration) */
json_t *json_deep_copy(const json_t *value) __attribute__((deprecated("un_json_copy is whole")));
json_t *json_copy(json_t *value) __attribute__((deprecated("un_json_copy is whole")));

/* A member that was lost unseen would make a file that looks whole. */
int json_object_set_new(json_t *object, const char *key, json_t *value)
    __attribute__((warn_unused_result));
int json_array_append_new(json_t *array, json_t *value) __attribute__((warn_unused_result));
int json_array_extend(json_t *array, json_t *other) __attribute__((warn_unused_result));
int json_object_update(json_t *object, json_t *other) __attribute__((warn_unused_result));
/* NOLINTEND(readability-redundant-declaration) */

/* Typed look-ups that fail with a sentence naming `where` and the key. Strings are borrowed. */
un_status un_json_get_string(const json_t *object, const char *key, const char *where,
                             const char **out);
un_status un_json_get_size(const json_t *object, const char *key, const char *where, size_t *out);
un_status un_json_get_number(const json_t *object, const char *key, const char *where, double *out);

/* A NULL-terminated or counted list of names to an array of strings. */
json_t *un_json_strings(char *const *items, size_t n);

#endif
