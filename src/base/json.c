/* json.c - the few things the project does with jansson; see json.h. */
#include "base/json.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { JSON_LIMIT = 256 * 1024 * 1024 };

un_status un_json_parse(const char *text, size_t n, const char *where, json_t **out) {
    json_error_t error;
    static const char BOM[] = "\xEF\xBB\xBF"; /* what Windows puts before UTF-8 */
    if (n >= 3 && !memcmp(text, BOM, 3)) {
        text += 3;
        n -= 3;
    }
    if (n >= 2 && (!memcmp(text, "\xFF\xFE", 2) || !memcmp(text, "\xFE\xFF", 2)))
        return un_fail(UNSEEN_E_FORMAT, "%s: JSON in UTF-16; save it as UTF-8", where);
    json_t *value = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!value && json_error_code(&error) == json_error_out_of_memory) return un_fail_memory(n);
    if (!value)
        return un_fail(UNSEEN_E_FORMAT, "%s: not valid JSON (line %d: %s)", where, error.line,
                       error.text);
    *out = value;
    return UNSEEN_OK;
}

un_status un_json_read(const char *path, json_t **out) {
    char *text = NULL;
    size_t n = 0;
    UN_TRY(un_file_read(path, JSON_LIMIT, &text, &n));
    un_status status = un_json_parse(text, n, path, out);
    free(text);
    return status;
}

typedef struct {
    char *text;
    size_t length, capacity;
    int failed;
} dump_buffer;

/* Remembers a failure: jansson goes on after some. */
static int append(const char *piece, size_t n, void *data) {
    dump_buffer *b = data;
    if (b->failed) return -1;
    if (b->capacity - b->length <= n) {
        size_t capacity = 2 * b->capacity + n + 256;
        char *text = realloc(b->text, capacity);
        if (!text) {
            b->failed = 1;
            return -1;
        }
        b->text = text;
        b->capacity = capacity;
    }
    memcpy(b->text + b->length, piece, n);
    b->length += n;
    b->text[b->length] = '\0';
    return 0;
}

char *un_json_dump(const json_t *value, size_t flags) {
    dump_buffer b = {0};
    if (json_dump_callback(value, append, &b, flags) == 0 && !b.failed) return b.text;
    free(b.text);
    return NULL;
}

un_status un_json_text(const json_t *value, char **out) {
    *out = un_json_dump(value, JSON_COMPACT | JSON_PRESERVE_ORDER);
    return *out ? UNSEEN_OK : un_fail_memory(0);
}

un_status un_json_write(const char *path, const json_t *value) {
    char *text = un_json_dump(value, UN_JSON_FOR_PEOPLE);
    if (!text) return un_fail_memory(0);
    char *line = NULL;
    un_status status = un_format(&line, "%s\n", text);
    if (!status) status = un_file_write(path, line, strlen(line));
    free(line);
    free(text);
    return status;
}

json_t *un_json_number(double x) { return isfinite(x) ? json_real(x) : json_null(); }

un_status un_json_set(json_t *object, const char *key, json_t *value) {
    if (json_object_set_new(object, key, value) != 0)
        return un_fail(UNSEEN_E_MEMORY, "out of memory while building JSON (key %s)", key);
    return UNSEEN_OK;
}

un_status un_json_append(json_t *array, json_t *value) {
    if (json_array_append_new(array, value) != 0)
        return un_fail(UNSEEN_E_MEMORY, "out of memory while building JSON");
    return UNSEEN_OK;
}

void un_json_put(json_t **object, const char *key, json_t *value) {
    if (json_object_set_new(*object, key, value) == 0) return;
    json_decref(*object);
    *object = NULL;
}

void un_json_push(json_t **array, json_t *value) {
    if (json_array_append_new(*array, value) == 0) return;
    json_decref(*array);
    *array = NULL;
}

json_t *un_json_copy(const json_t *value) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    json_t *copy = json_deep_copy(value);
#pragma GCC diagnostic pop
    if (json_equal(copy, value)) return copy;
    json_decref(copy);
    return NULL;
}

static un_status missing(const char *where, const char *key, const char *type) {
    return un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" is missing or not %s", where, key, type);
}

un_status un_json_get_string(const json_t *object, const char *key, const char *where,
                             const char **out) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value)) return missing(where, key, "a string");
    *out = json_string_value(value);
    return UNSEEN_OK;
}

un_status un_json_get_size(const json_t *object, const char *key, const char *where, size_t *out) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return missing(where, key, "a whole number of at least 0");
    *out = (size_t)json_integer_value(value);
    return UNSEEN_OK;
}

un_status un_json_get_number(const json_t *object, const char *key, const char *where,
                             double *out) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value)) return missing(where, key, "a number");
    *out = json_number_value(value);
    return UNSEEN_OK;
}

json_t *un_json_strings(char *const *items, size_t n) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < n; i++) un_json_push(&array, json_string(items[i]));
    return array;
}
