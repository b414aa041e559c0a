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

/* Parses `n` bytes of UTF-8, with or without a BOM; `where` names the source in the error sentence. *out is a new reference. */
un_status un_json_parse(const char *text, size_t n, const char *where, json_t **out);
un_status un_json_read(const char *path, json_t **out);
/* Pretty-printed with a final newline, keys in insertion order; "-" is stdout's job of the caller. */
un_status un_json_write(const char *path, const json_t *value);
/* Compact text, released with free(). */
un_status un_json_text(const json_t *value, char **out);

/* A number, or null for what is none: NaN and infinity, which stand for what could not be
 * measured. A new reference. */
json_t *un_json_number(double x);

/* obj[key] = value, stealing the reference of `value`, NULL (out of memory) included. */
un_status un_json_set(json_t *object, const char *key, json_t *value);
un_status un_json_append(json_t *array, json_t *value);

/* Typed look-ups that fail with a sentence naming `where` and the key. Strings are borrowed. */
un_status un_json_get_string(const json_t *object, const char *key, const char *where,
                             const char **out);
un_status un_json_get_size(const json_t *object, const char *key, const char *where, size_t *out);
un_status un_json_get_number(const json_t *object, const char *key, const char *where, double *out);

/* A NULL-terminated or counted list of names to an array of strings. */
json_t *un_json_strings(char *const *items, size_t n);

/* The member of `names` nearest to `word` by edit distance, NULL if none is near. */
const char *un_nearest_name(const char *word, const char *const *names, size_t n);

#endif
