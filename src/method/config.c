/* config.c - the options of all methods, and settings parsed and checked by them. See config.h. */
#include "method/config.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/locale.h"
#include "base/names.h"
#include "method/method.h"
#include "tensor/sha256.h"

enum { MAX_KEYS = 96, MAX_ITEMS = 16 };

static const un_option g_step_options[] = {
    {"epochs", UN_OPTION_INTEGER, "100", 1, 1e9, NULL,
     "longest training considered; validation picks the length within it"},
    {"evaluate_every", UN_OPTION_INTEGER, "1", 1, 1e9, NULL,
     "epochs between evaluations during selection"},
    {"patience", UN_OPTION_INTEGER, "0", 0, 1e9, NULL,
     "evaluations without improvement before a selection run stops; 0: never"},
    {NULL, UN_OPTION_INTEGER, NULL, 0, 0, NULL, NULL},
};

/* Where no length is selected. */
static const un_option g_fixed_options[] = {
    {"epochs", UN_OPTION_INTEGER, "100", 1, 1e9, NULL,
     "length of the training; validation chooses gamma alone"},
    {"evaluate_every", UN_OPTION_INTEGER, "1", 1, 1e9, NULL,
     "epochs between evaluations on validation data, which are told and choose nothing but the "
     "last"},
    {NULL, UN_OPTION_INTEGER, NULL, 0, 0, NULL, NULL},
};

static const un_option g_selection_options[] = {
    {"metric", UN_OPTION_CHOICE, "AUSUC", 0, 0, "AUSUC|H|T1",
     "what selection maximises on validation data"},
    {NULL, UN_OPTION_INTEGER, NULL, 0, 0, NULL, NULL},
};

void un_option_tables(const un_method_class *class, const un_option **out) {
    size_t n = 0;
    int fixed = un_method_has_fixed_length(class);
    if (!class->closed_form) out[n++] = fixed ? g_fixed_options : g_step_options;
    if (!fixed) out[n++] = g_selection_options;
    out[n++] = class->options;
    out[n] = NULL;
}

static const un_option *find_option(const un_method_class *class, const char *key) {
    const un_option *tables[UN_OPTION_TABLES];
    un_option_tables(class, tables);
    for (size_t t = 0; tables[t]; t++)
        for (const un_option *o = tables[t]; o->key; o++)
            if (!strcmp(o->key, key)) return o;
    return NULL;
}

static un_status unknown_key(const un_method_class *class, const char *key, const char *where) {
    const char *names[MAX_KEYS];
    size_t n = 0;
    const un_option *tables[UN_OPTION_TABLES];
    un_option_tables(class, tables);
    for (size_t t = 0; tables[t]; t++)
        for (const un_option *o = tables[t]; o->key && n < MAX_KEYS; o++) names[n++] = o->key;
    return un_fail(UNSEEN_E_ARGUMENT, "%s: method %s has no setting \"%.100s\"%s", where,
                   class->name, key, un_did_you_mean(key, names, n).text);
}

static int is_choice(const char *choices, const char *word) {
    size_t length = strlen(word);
    for (const char *c = choices; c && *c;) {
        size_t n = strcspn(c, "|");
        if (n == length && !strncmp(c, word, n)) return 1;
        c += n + (c[n] == '|');
    }
    return 0;
}

static un_status wrong(const un_option *o, const char *where) {
    if (o->kind == UN_OPTION_CHOICE)
        return un_fail(UNSEEN_E_ARGUMENT, "%s: %s must be one of %s", where, o->key, o->choices);
    if (o->kind == UN_OPTION_FILE && o->choices)
        return un_fail(UNSEEN_E_ARGUMENT, "%s: %s must be one of %s or the path of a file", where,
                       o->key, o->choices);
    if (o->kind == UN_OPTION_TEXT || o->kind == UN_OPTION_FILE)
        return un_fail(UNSEEN_E_ARGUMENT, "%s: %s must be a text in UTF-8", where, o->key);
    if (o->kind == UN_OPTION_NAMES)
        return un_fail(UNSEEN_E_ARGUMENT, "%s: %s must be 1 to %d names separated by commas", where,
                       o->key, MAX_ITEMS);
    return un_fail(UNSEEN_E_ARGUMENT, "%s: %s must be %s between %g and %g%s%s", where, o->key,
                   o->kind == UN_OPTION_INTEGER  ? "a whole number"
                   : o->kind == UN_OPTION_NUMBER ? "a number"
                                                 : "numbers separated by commas, each",
                   o->low, o->high, o->choices ? " or " : "", o->choices ? o->choices : "");
}

static int in_range(const un_option *o, double x) {
    return isfinite(x) && x >= o->low && x <= o->high;
}

/* One JSON value for one item of an option, NULL if it does not fit. */
static json_t *item_from_text(const un_option *o, const char *text) {
    double x = 0;
    switch (o->kind) {
    case UN_OPTION_CHOICE: return is_choice(o->choices, text) ? json_string(text) : NULL;
    case UN_OPTION_NAMES: return *text ? json_string(text) : NULL;
    case UN_OPTION_TEXT: return json_string(text);
    case UN_OPTION_FILE: return *text || !o->choices ? json_string(text) : NULL;
    case UN_OPTION_NUMBER:
    case UN_OPTION_NUMBERS:
        if (is_choice(o->choices, text)) return json_string(text);
        break;
    case UN_OPTION_INTEGER: break;
    }
    if (!un_decimal_parse(text + strspn(text, " "), &x) || !in_range(o, x)) return NULL;
    if (o->kind != UN_OPTION_INTEGER) return json_real(x);
    return x == floor(x) ? json_integer((json_int_t)x) : NULL;
}

static json_t *value_from_text(const un_option *o, const char *text) {
    if (o->kind != UN_OPTION_NAMES && o->kind != UN_OPTION_NUMBERS) return item_from_text(o, text);
    json_t *list = json_array();
    char *copy = strdup(text), *rest = copy;
    for (char *word = strsep(&rest, ","); list && copy && word; word = strsep(&rest, ",")) {
        json_t *item = json_array_size(list) < MAX_ITEMS ? item_from_text(o, word) : NULL;
        if (!item || json_array_append_new(list, item) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    free(copy);
    return list;
}

/* A value from a file or model, as strictly checked as text is. */
static json_t *value_from_json(const un_option *o, const json_t *value) {
    int is_list = o->kind == UN_OPTION_NAMES || o->kind == UN_OPTION_NUMBERS;
    if (is_list && json_is_array(value)) {
        json_t *list = json_array();
        size_t n = json_array_size(value);
        for (size_t i = 0; list && i < n; i++) {
            json_t *one = n <= MAX_ITEMS ? value_from_json(o, json_array_get(value, i)) : NULL;
            json_t *item = json_is_array(one) && json_array_size(one) == 1
                               ? json_incref(json_array_get(one, 0))
                               : NULL;
            json_decref(one);
            if (!item || json_array_append_new(list, item) != 0) {
                json_decref(list);
                list = NULL;
            }
        }
        if (list && n == 0) {
            json_decref(list);
            list = NULL;
        }
        return list;
    }
    if (json_is_string(value)) return value_from_text(o, json_string_value(value));
    if (!json_is_number(value) || o->kind == UN_OPTION_CHOICE || o->kind == UN_OPTION_NAMES ||
        o->kind == UN_OPTION_TEXT || o->kind == UN_OPTION_FILE)
        return NULL;
    double x = json_number_value(value);
    if (!in_range(o, x)) return NULL;
    if (o->kind == UN_OPTION_INTEGER) return x == floor(x) ? json_integer((json_int_t)x) : NULL;
    return is_list ? json_pack("[f]", x) : json_real(x);
}

un_status un_config_merge(const un_method_class *class, json_t *config, const json_t *values,
                          const char *where) {
    if (!json_is_object(values))
        return un_fail(UNSEEN_E_FORMAT, "%s: the settings are not a JSON object", where);
    json_t *checked = json_object(); /* all or none */
    if (!checked) return un_fail_memory(0);
    const char *key = NULL;
    json_t *value = NULL;
    un_status status = UNSEEN_OK;
    json_object_foreach((json_t *)(uintptr_t)values, key, value) {
        const un_option *o = find_option(class, key);
        if (!o) UN_GO(unknown_key(class, key, where));
        json_t *item = value_from_json(o, value);
        if (!item) UN_GO(wrong(o, where));
        UN_GO(un_json_set(checked, key, item));
    }
    if (json_object_update(config, checked) != 0) status = un_fail_memory(0);
done:
    json_decref(checked);
    return status;
}

un_status un_config_set(const un_method_class *class, json_t *config, const char *assignment) {
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment)
        return un_fail(UNSEEN_E_ARGUMENT, "{--set wants|a setting is} key=value, not \"%.100s\"",
                       assignment);
    char *key = NULL;
    UN_TRY(un_format(&key, "%.*s", (int)(equals - assignment), assignment));
    const un_phrase where = un_worded("{--set|settings}");
    const un_option *o = find_option(class, key);
    un_status status = UNSEEN_OK;
    if (!o) {
        status = unknown_key(class, key, where.text);
    } else {
        json_t *value = value_from_text(o, equals + 1);
        status = value ? un_json_set(config, key, value) : wrong(o, where.text);
    }
    free(key);
    return status;
}

static un_status apply_preset(const un_method_class *class, json_t *config, const char *name) {
    const un_preset *preset = class->presets;
    const char *names[MAX_KEYS];
    size_t n = 0;
    for (const un_preset *p = class->presets; p->name && n < MAX_KEYS; p++) names[n++] = p->name;
    while (name && preset->name && strcmp(preset->name, name) != 0) preset++;
    if (!preset->name) {
        return un_fail(UNSEEN_E_ARGUMENT, "method %s has no preset \"%.100s\"%s", class->name, name,
                       un_did_you_mean(name, names, n).text);
    }
    json_t *values = NULL;
    UN_TRY(un_json_parse(preset->config, strlen(preset->config), preset->name, &values));
    un_status status = un_config_merge(class, config, values, preset->name);
    json_decref(values);
    return status;
}

un_status un_config_defaults(const un_method_class *class, json_t **out) {
    json_t *config = json_object();
    if (!config) return un_fail_memory(0);
    un_status status = UNSEEN_OK;
    const un_option *tables[UN_OPTION_TABLES];
    un_option_tables(class, tables);
    for (size_t t = 0; tables[t]; t++)
        for (const un_option *o = tables[t]; o->key; o++)
            UN_GO(un_json_set(config, o->key, value_from_text(o, o->fallback)));
    *out = config;
done:
    if (status) json_decref(config);
    return status;
}

un_status un_config_create(const un_method_class *class, const char *preset, json_t **out) {
    json_t *config = NULL;
    UN_TRY(un_config_defaults(class, &config));
    un_status status = apply_preset(class, config, preset);
    if (status)
        json_decref(config);
    else
        *out = config;
    return status;
}

static un_status hash_file(const char *path, char out[65]) {
    un_map map;
    out[0] = 0;
    if (!un_path_exists(path)) return UNSEEN_OK;
    UN_TRY(un_map_open(&map, path));
    un_status status = un_sha256_of(map.data, map.size, out);
    un_map_close(&map);
    return status;
}

static un_status make_portable(const un_option *o, json_t *config, json_t *files) {
    const char *path = un_config_text(config, o->key);
    char *base = NULL, hash[65];
    if (!path || !*path || is_choice(o->choices, path)) return UNSEEN_OK;
    UN_TRY(hash_file(path, hash));
    UN_TRY(un_path_base(path, &base));
    un_status status =
        un_json_set(files, o->key, json_pack("{s:s, s:s}", "name", base, "sha256", hash));
    if (!status) status = un_json_set(config, o->key, json_string(base));
    free(base);
    return status;
}

un_status un_config_portable(const un_method_class *class, const json_t *config, json_t **portable,
                             json_t **files) {
    const un_option *tables[UN_OPTION_TABLES];
    un_option_tables(class, tables);
    *portable = un_json_copy(config);
    *files = json_object();
    un_status status = *portable && *files ? UNSEEN_OK : un_fail_memory(0);
    for (size_t t = 0; tables[t] && !status; t++)
        for (const un_option *o = tables[t]; o->key && !status; o++)
            if (o->kind == UN_OPTION_FILE) status = make_portable(o, *portable, *files);
    if (!status) return UNSEEN_OK;
    json_decref(*portable);
    json_decref(*files);
    *portable = *files = NULL;
    return status;
}

double un_config_number(const json_t *config, const char *key) {
    const json_t *value = json_object_get(config, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

size_t un_config_integer(const json_t *config, const char *key) {
    return (size_t)json_integer_value(json_object_get(config, key));
}

const char *un_config_text(const json_t *config, const char *key) {
    return json_string_value(json_object_get(config, key));
}

int un_config_is(const json_t *config, const char *key, const char *choice) {
    const char *text = un_config_text(config, key);
    return text && !strcmp(text, choice);
}

static const json_t *list_item(const json_t *config, const char *key, size_t i) {
    const json_t *list = json_object_get(config, key);
    return json_array_get(list, json_array_size(list) == 1 ? 0 : i);
}

double un_config_list_number(const json_t *config, const char *key, size_t i) {
    const json_t *item = list_item(config, key, i);
    return json_is_number(item) ? json_number_value(item) : (double)NAN;
}

un_status un_config_for_semantics(const json_t *config, const char *key, size_t count,
                                  double *out) {
    size_t n = un_config_list_count(config, key);
    if (n != 1 && n != count)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s needs one value, or one for each of the %zu semantics", key, count);
    for (size_t m = 0; m < count; m++) out[m] = un_config_list_number(config, key, m);
    return UNSEEN_OK;
}

size_t un_config_list_count(const json_t *config, const char *key) {
    return json_array_size(json_object_get(config, key));
}

const char *un_config_list_name(const json_t *config, const char *key, size_t i) {
    return json_string_value(json_array_get(json_object_get(config, key), i));
}
