/* question.c - a body to what is asked; see question.h. */
#include "serve/question.h"

#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/names.h"
#include "serve/multipart.h"

int un_refuse(int status, const char *format, ...) {
    char text[UN_ERROR_LENGTH];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    un_fail(UNSEEN_E_ARGUMENT, "%s", text);
    return status;
}

int un_http_status(un_status status) {
    switch (status) {
    case UNSEEN_OK: return 200;
    case UNSEEN_E_ARGUMENT: return 422;
    case UNSEEN_E_FORMAT: return 400;
    case UNSEEN_E_UNSUPPORTED: return 415;
    case UNSEEN_E_INTERRUPTED: return 503; /* the server ends */
    default: return 500;
    }
}

void un_question_init(un_question *q, int explain) {
    *q = (un_question){
        .explain = explain, .top = 5, .calibration = UNSEEN_CALIBRATED, .maps = 8, .attributes = 6};
}

void un_question_free(un_question *q) {
    for (size_t i = 0; i < q->class_count; i++) {
        un_own_class *c = &q->classes[i];
        for (size_t k = 0; k < c->count; k++) free(c->attributes[k]);
        free(c->attributes);
        free(c->values);
        free(c->name);
    }
    free(q->classes);
    free(q->rows);
    free(q->instead_of);
    *q = (un_question){.explain = q->explain};
}

/* ---- parameters: those of the address are text, those of JSON its own types ---- */

static int take_word(const char *key, const char *const *words, const char *value, int *out) {
    un_name_list list = {0};
    for (int i = 0; words[i]; i++) {
        if (!strcmp(words[i], value)) {
            *out = i;
            return 0;
        }
        un_name_list_add(&list, words[i], SIZE_MAX);
    }
    return un_refuse(400, "\"%s\" must be one of %s, not \"%.*s\"", key, list.text,
                     un_name_fit(value, 60), value);
}

static int take_number(const char *key, long long value, size_t least, size_t most, size_t *out) {
    if (value < (long long)least || value > (long long)most)
        return un_refuse(400, "\"%s\" must be a whole number from %zu to %zu", key, least, most);
    *out = (size_t)value;
    return 0;
}

static int take_text(un_question *q, const char *key, const char *value) {
    static const char *const amongs[] = {"all", "seen", "unseen", "new", NULL};
    static const char *const calibrations[] = {"native", "calibrated", NULL};
    int word = 0, status = 0;
    if (!strcmp(key, "among")) {
        status = take_word(key, amongs, value, &word);
        q->among = (unseen_among)word;
    } else if (!strcmp(key, "calibration")) {
        status = take_word(key, calibrations, value, &word);
        q->calibration = word ? UNSEEN_CALIBRATED : UNSEEN_NATIVE;
    } else { /* instead_of */
        if (strlen(value) > UN_LONGEST_NAME)
            return un_refuse(400, "\"%s\" must be a name of at most %d bytes", key,
                             UN_LONGEST_NAME);
        free(q->instead_of);
        q->instead_of = *value ? strdup(value) : NULL;
    }
    return status;
}

typedef struct {
    const char *key;
    size_t offset, least, most; /* of a number; most 0: a text */
    int explain;                /* 1: of explanations only */
} parameter;

static const parameter g_parameters[] = {
    {"top", offsetof(un_question, top), 0, UN_MOST_TOP, 0}, /* 0, "all": every class */
    {"among", 0, 0, 0, 0},
    {"calibration", 0, 0, 0, 0},
    {"maps", offsetof(un_question, maps), 0, 3 * UN_MOST_SHOWN, 1},
    {"attributes", offsetof(un_question, attributes), 1, UN_MOST_SHOWN, 1},
    {"instead_of", 0, 0, 0, 1}};
enum { PARAMETERS = sizeof g_parameters / sizeof *g_parameters };

/* NULL, with a sentence: there is none. */
static const parameter *find_parameter(const un_question *q, const char *key) {
    const char *names[PARAMETERS + 2] = {"classes", "features"};
    size_t n = 2;
    for (size_t i = 0; i < PARAMETERS; i++) {
        if (g_parameters[i].explain && !q->explain) continue;
        if (!strcmp(g_parameters[i].key, key)) return &g_parameters[i];
        names[n++] = g_parameters[i].key;
    }
    if (!strcmp(key, "classes") || !strcmp(key, "features"))
        un_refuse(400, "\"%s\" is said in JSON%s, not here", key,
                  *key == 'c' ? ", the body or the part \"request\" of a form" : " as the body");
    else
        un_refuse(400, "there is no parameter \"%.*s\"%s", un_name_fit(key, 60), key,
                  un_did_you_mean(key, names, n).text);
    return NULL;
}

int un_question_parameter(un_question *q, const char *key, const char *value) {
    const parameter *p = find_parameter(q, key);
    if (!p) return 400;
    if (!p->most) return take_text(q, key, value);
    if (!strcmp(key, "top") && !strcmp(value, "all")) value = "0";
    const size_t digits = strspn(value, "0123456789");
    const long long number = digits > 0 && digits < 10 && !value[digits] ? atoll(value) : -1;
    return take_number(key, number, p->least, p->most, (size_t *)((char *)q + p->offset));
}

/* JSON's strings may hold U+0000, which would end them here. */
static int is_whole(const json_t *string) {
    return strlen(json_string_value(string)) == json_string_length(string);
}

static int take_json(un_question *q, const char *key, const json_t *value) {
    const parameter *p = find_parameter(q, key);
    if (!p) return 400;
    if (json_is_string(value) && !is_whole(value))
        return un_refuse(400, "\"%s\" holds the character U+0000", key);
    if (p->most && json_is_integer(value))
        return take_number(key, json_integer_value(value), p->least, p->most,
                           (size_t *)((char *)q + p->offset));
    if (json_is_string(value) && !strcmp(key, "top"))
        return un_question_parameter(q, key, json_string_value(value)); /* "all" */
    if (!p->most && json_is_string(value)) return take_text(q, key, json_string_value(value));
    return un_refuse(400, "\"%s\" must be a %s", key, p->most ? "whole number" : "string");
}

/* ---- classes of one's own ---- */

static int take_attributes(un_own_class *c, const json_t *attributes) {
    const char *name = NULL;
    json_t *value = NULL;
    const size_t n = json_object_size(attributes);
    if (n == 0)
        return un_refuse(400,
                         "class \"%s\": \"attributes\" must be an object of attributes and "
                         "their values, at least one",
                         c->name);
    if (un_alloc(n, sizeof *c->attributes, &c->attributes) ||
        un_alloc(n, sizeof *c->values, &c->values))
        return 500;
    /* jansson's macro wants an object that is not const, and leaves it as it is. */
    json_object_foreach((json_t *)(uintptr_t)attributes, name, value) {
        if (!json_is_number(value) || !isfinite((float)json_number_value(value)))
            return un_refuse(
                400, "class \"%s\": the value of \"%.*s\" must be a number in the range of a float",
                c->name, un_name_fit(name, UN_LONGEST_NAME), name);
        c->values[c->count] = (float)json_number_value(value);
        c->attributes[c->count] = strdup(name);
        if (!c->attributes[c->count++]) return un_refuse(500, "out of memory");
    }
    return 0;
}

static int take_class(un_question *q, const json_t *given) {
    un_own_class *c = &q->classes[q->class_count];
    const json_t *text = json_object_get(given, "name");
    const char *key = NULL, *name = json_string_value(text);
    json_t *value = NULL;
    if (!name || !is_whole(text) || !name[strspn(name, " \t\r\n\v\f")] ||
        strlen(name) > UN_LONGEST_NAME)
        return un_refuse(
            400,
            "every one of \"classes\" must be an object with a \"name\", some letters of "
            "at most %d bytes, and \"attributes\"",
            UN_LONGEST_NAME);
    for (size_t i = 0; i < q->class_count; i++)
        if (!strcmp(q->classes[i].name, name))
            return un_refuse(422, "two of \"classes\" are called \"%s\"", name);
    json_object_foreach(
        (json_t *)(uintptr_t)given, key,
        value) if (strcmp(key, "name") != 0 &&
                   strcmp(key, "attributes") !=
                       0) return un_refuse(400, "class \"%s\": there is no \"%.*s\" of a class",
                                           name, un_name_fit(key, 60), key);
    c->name = strdup(name);
    if (!c->name) return un_refuse(500, "out of memory");
    q->class_count++;
    return take_attributes(c, json_object_get(given, "attributes"));
}

static int take_classes(un_question *q, const json_t *list) {
    const size_t n = json_array_size(list);
    if (!json_is_array(list) || n > UN_MOST_CLASSES)
        return un_refuse(400, "\"classes\" must be a list of at most %d classes", UN_MOST_CLASSES);
    if (n > 0 && un_alloc(n, sizeof *q->classes, &q->classes)) return 500;
    int status = 0;
    for (size_t i = 0; i < n && !status; i++) status = take_class(q, json_array_get(list, i));
    return status;
}

/* ---- features ---- */

static int take_row(float *out, const json_t *row, size_t number, size_t D) {
    if (!json_is_array(row))
        return un_refuse(400, "\"features\" must be a list of rows of numbers");
    if (json_array_size(row) != D)
        return un_refuse(422, "row %zu of \"features\" has %zu numbers; the model's have %zu",
                         number, json_array_size(row), D);
    for (size_t d = 0; d < D; d++) {
        const json_t *value = json_array_get(row, d);
        out[d] = (float)json_number_value(value);
        if (!json_is_number(value) || !isfinite(out[d]))
            return un_refuse(422, "row %zu of \"features\", place %zu: not a finite number", number,
                             d);
    }
    return 0;
}

/* An empty list is a question about classes alone. */
static int take_features(un_question *q, const json_t *rows, size_t D) {
    const size_t n = json_array_size(rows);
    if (!json_is_array(rows) || n > UN_MOST_ROWS)
        return un_refuse(400, "\"features\" must be a list of at most %d rows of numbers",
                         UN_MOST_ROWS);
    if (un_alloc(n * D + 1, sizeof *q->rows, &q->rows)) return 500;
    int status = 0;
    for (size_t i = 0; i < n && !status; i++)
        status = take_row(q->rows + i * D, json_array_get(rows, i), i, D);
    q->picture_count = n;
    return status;
}

/* ---- JSON ---- */

static int take_object(un_question *q, const json_t *object, size_t D, int with_features) {
    const char *key = NULL;
    json_t *value = NULL;
    int status = 0;
    if (!json_is_object(object)) return un_refuse(400, "the request must be a JSON object");
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        if (!strcmp(key, "classes"))
            status = take_classes(q, value);
        else if (!strcmp(key, "features") && with_features)
            status = take_features(q, value, D);
        else
            status = take_json(q, key, value);
        if (status) break;
    }
    return status;
}

/* More lists and objects than any question has: parsed they take 50 times the room of their text.
 * What is in strings is not counted. */
static int has_too_many_parts(const char *text, size_t size) {
    enum { OUTER = 3, MOST = OUTER + UN_MOST_ROWS + 2 * UN_MOST_CLASSES };
    size_t n = 0;
    int quoted = 0;
    for (size_t i = 0; i < size && n <= MOST; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else
            n += !quoted && (text[i] == '{' || text[i] == '[');
    }
    return n > MOST;
}

/* Large ones one after the other: parsed numbers take twenty times the room of their text. */
static int read_json(un_question *q, const void *text, size_t size, size_t D, int with_features) {
    enum { LARGE = 64 * 1024 };
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    json_t *object = NULL;
    int status = 0;
    if (size > UN_MOST_JSON)
        return un_refuse(413, "a request in JSON has %d bytes at most", UN_MOST_JSON);
    if (has_too_many_parts(text, size))
        return un_refuse(400, "the request has more lists and objects than %d rows and %d classes",
                         UN_MOST_ROWS, UN_MOST_CLASSES);
    if (size > LARGE) pthread_mutex_lock(&lock);
    if (un_json_parse(text, size, "the request", &object))
        status = 400;
    else
        status = take_object(q, object, D, with_features);
    json_decref(object);
    if (size > LARGE) pthread_mutex_unlock(&lock);
    return status;
}

/* ---- bodies ---- */

un_body_kind un_body_kind_of(const char *type) {
    static const struct {
        const char *type;
        un_body_kind kind;
    } kinds[] = {{"application/json", UN_BODY_JSON},
                 {"multipart/form-data", UN_BODY_FORM},
                 {"application/octet-stream", UN_BODY_PICTURE}};
    const size_t n = type ? strcspn(type, "; \t") : 0;
    if (n > 6 && !strncasecmp(type, "image/", 6)) return UN_BODY_PICTURE;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strlen(kinds[i].type) == n && !strncasecmp(type, kinds[i].type, n))
            return kinds[i].kind;
    return UN_BODY_UNKNOWN;
}

static int add_picture(un_question *q, const void *bytes, size_t size) {
    if (size == 0) return un_refuse(400, "a picture is empty");
    if (q->picture_count == UN_MOST_PICTURES)
        return un_refuse(400, "a request has at most %d pictures", UN_MOST_PICTURES);
    q->pictures[q->picture_count].bytes = bytes;
    q->pictures[q->picture_count++].size = size;
    return 0;
}

static int read_form(un_question *q, const char *type, const void *body, size_t size) {
    un_part parts[UN_MOST_PICTURES + 1];
    size_t n = 0, requests = 0;
    if (un_multipart_split(type, body, size, parts, UN_MOST_PICTURES + 1, &n)) return 400;
    int status = 0;
    for (size_t i = 0; i < n && !status; i++) {
        if (!strcmp(parts[i].name, "image"))
            status = add_picture(q, parts[i].bytes, parts[i].size);
        else if (strcmp(parts[i].name, "request") != 0)
            status = un_refuse(400,
                               "a part of the form must be called \"image\" or \"request\", "
                               "not \"%.*s\"",
                               un_name_fit(parts[i].name, 60), parts[i].name);
        else if (requests++ > 0)
            status = un_refuse(400, "the form has two parts \"request\"");
        else
            status = read_json(q, parts[i].bytes, parts[i].size, 0, 0);
    }
    return status;
}

int un_question_read(un_question *q, const char *type, const void *body, size_t size, size_t D,
                     int sees) {
    const un_body_kind kind = un_body_kind_of(type);
    int status = 0;
    switch (kind) {
    case UN_BODY_PICTURE: status = add_picture(q, body, size); break;
    case UN_BODY_JSON: status = read_json(q, body, size, D, 1); break;
    case UN_BODY_FORM: status = read_form(q, type, body, size); break;
    case UN_BODY_UNKNOWN:
        status = un_refuse(415, "the content type must be image/..., application/octet-stream, "
                                "application/json or multipart/form-data");
    }
    if (status) return status;
    if (q->picture_count == 0 && (q->explain || !q->rows || q->class_count == 0))
        return un_refuse(400, kind == UN_BODY_JSON ? "the request has no rows of \"features\""
                                                   : "the form has no part \"image\"");
    if (q->explain && q->picture_count > 1)
        return un_refuse(400, "one picture is explained at a time, not %zu", q->picture_count);
    if (!q->rows && !sees)
        return un_refuse(422, "this model has no backbone here and cannot see pictures; it takes "
                              "\"features\" in JSON");
    return 0;
}
