/*
 * cmd_inspect.c - `unseen inspect FILE|DIR`: what is in a data set directory, a
 * safetensors file (features and models included) or a MATLAB file.
 *
 * Every kind is described as JSON first; the text for people is printed from it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"
#include "model/model.h"
#include "protocol/report.h"

enum { LONG_TEXT = 300, LONG_LIST = 100 };

static const struct argp g_argp = {
    NULL,
    NULL,
    "FILE|DIR",
    "Says what is in a data set directory, a feature file, a model, any safetensors file or a "
    "MATLAB file.",
    un_cli_subject_children,
    NULL,
    NULL};

/* ---- printing ---- */

static void print_shape(const json_t *shape) {
    size_t i = 0;
    const json_t *d = NULL;
    if (json_array_size(shape) == 0) printf("scalar");
    json_array_foreach(shape, i, d) {
        printf("%s%lld", i > 0 ? " x " : "", (long long)json_integer_value(d));
    }
}

/* Whether a member is a long list, such as the parts of all attributes. */
static int has_long_list(const json_t *object) {
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)object, key, value) {
        if (json_array_size(value) > LONG_LIST) return 1;
    }
    return 0;
}

/* Texts that nobody reads to the end, such as a model's vocabulary, by their beginnings; a new
 * reference. */
static json_t *shortened(const json_t *value) {
    enum { LONGEST = 200, BEGINNING = 40 };
    const char *key = NULL;
    json_t *item = NULL;
    if (json_is_string(value) && json_string_length(value) > LONGEST) {
        size_t n = BEGINNING; /* whole characters of UTF-8 */
        const char *text = json_string_value(value);
        while (n > 0 && ((unsigned char)text[n] & 0xC0u) == 0x80u) n--;
        return json_sprintf("%.*s… (%zu bytes)", (int)n, text, json_string_length(value));
    }
    if (json_is_object(value)) {
        json_t *out = json_object();
        json_object_foreach((json_t *)(uintptr_t)value, key, item)
            un_json_put(&out, key, shortened(item));
        return out;
    }
    return json_incref((json_t *)(uintptr_t)value);
}

/* One line if it is short; pretty-printed if it is an object; its length if it
 * is a long list, such as the names of all images, or an object with one. */
static void print_value(const char *key, const json_t *value) {
    char *text = un_json_dump(value, JSON_ENCODE_ANY | UN_JSON_IN_SENTENCE);
    if (!text) return;
    if (json_is_string(value)) {
        printf("  %s: %s\n", un_cli_name(key), un_cli_name(json_string_value(value)));
    } else if (json_is_array(value) && strlen(text) > LONG_TEXT) {
        printf("  %s: a list of %zu\n", un_cli_name(key), json_array_size(value));
    } else if (has_long_list(value)) {
        printf("  %s: an object of %zu\n", un_cli_name(key), json_object_size(value));
    } else if (json_is_object(value) && json_object_size(value) > 0) {
        json_t *brief = shortened(value);
        char *pretty =
            un_json_dump(brief, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6));
        printf("  %s:\n%s\n", un_cli_name(key), pretty ? pretty : text);
        json_decref(brief);
        free(pretty);
    } else {
        printf("  %s: %s\n", un_cli_name(key), text);
    }
    free(text);
}

static void print_items(const json_t *list, const char *title, const char *type) {
    size_t i = 0;
    const json_t *item = NULL;
    if (!list) return;
    printf("%s: %zu\n", title, json_array_size(list));
    json_array_foreach(list, i, item) {
        printf("  %-32s %-8s ", un_cli_name(json_string_value(json_object_get(item, "name"))),
               json_string_value(json_object_get(item, type)));
        print_shape(json_object_get(item, "shape"));
        printf("\n");
    }
}

static void print_dataset(const json_t *d) {
    static const char *const keys[] = {"images",     "classes",   "labels",    "image_names",
                                       "image_root", "trainval",  "test_seen", "test_unseen",
                                       "split_hash", "split_name"};
    size_t i = 0;
    const json_t *item = NULL;
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        print_value(keys[k], json_object_get(d, keys[k]));
    const json_t *parts = json_object_get(d, "parts");
    if (json_is_object(parts))
        printf("  parts: %zu, by %s\n", json_array_size(json_object_get(parts, "names")),
               json_string_value(json_object_get(parts, "kind")));
    json_array_foreach(json_object_get(d, "semantics"), i, item) {
        printf("  semantics %s: width %lld%s\n",
               un_cli_name(json_string_value(json_object_get(item, "name"))),
               (long long)json_integer_value(json_object_get(item, "width")),
               json_is_true(json_object_get(item, "attributes")) ? ", attributes named" : "");
    }
    json_array_foreach(json_object_get(d, "folds"), i, item) {
        printf("  fold %zu: train %lld, seen %lld, unseen %lld images (%s)\n", i + 1,
               (long long)json_integer_value(json_object_get(item, "train")),
               (long long)json_integer_value(json_object_get(item, "seen")),
               (long long)json_integer_value(json_object_get(item, "unseen")),
               json_string_value(json_object_get(item, "source")));
    }
    print_items(json_object_get(d, "features"), "features", "dtype");
}

/* What a reader of a model's figures must not miss, in sentences. */
static void print_provenance(const json_t *metadata) {
    const json_t *manifest = json_object_get(metadata, "manifest");
    const char *mode =
        json_string_value(json_object_get(json_object_get(manifest, "selection"), "mode"));
    if (un_manifest_learned_all(manifest))
        printf("  This model learned from every image, those of the test lists included: it has no "
               "test\n  figures.\n");
    if (mode && !strcmp(mode, UN_SELECTED_ON_TEST))
        printf("  This model was selected on the test sets: its figures are too good to report.\n");
}

static void print_description(const char *path, const json_t *d) {
    const char *kind = json_string_value(json_object_get(d, "kind"));
    printf("%s: %s", un_cli_name(path), kind);
    if (json_object_get(d, "version"))
        printf(", version %s", json_string_value(json_object_get(d, "version")));
    if (json_object_get(d, "name"))
        printf(" \"%s\"", un_cli_name(json_string_value(json_object_get(d, "name"))));
    printf("\n");
    if (!strcmp(kind, "data set")) {
        print_dataset(d);
        return;
    }
    const char *key = NULL;
    const json_t *value = NULL;
    if (!strcmp(kind, "model")) print_provenance(json_object_get(d, "metadata"));
    json_object_foreach(json_object_get(d, "metadata"), key, value) { print_value(key, value); }
    print_items(json_object_get(d, "tensors"), "tensors", "dtype");
    print_items(json_object_get(d, "variables"), "variables", "class");
}

int un_cmd_inspect(int argc, char **argv) {
    un_cli_subject a = {.missing = "the file or directory is missing"};
    int code = UN_EXIT_OK;
    if (!un_cli_begin(&g_argp, argc, argv, &a, &a.common, &code)) return code;
    un_cli_files files = {0};
    un_cli_reads(&files, a.path);
    un_cli_reads_dataset(&files, a.path, NULL);
    un_cli_writes(&files, a.json);
    code = un_cli_check_files(&files);
    if (code) return code;
    char *text = NULL;
    json_t *description = NULL;
    un_status status = unseen_inspect(a.path, &text);
    if (!status) status = un_json_parse(text, strlen(text), a.path, &description);
    unseen_free(text);
    if (status) return un_cli_fail();
    if (!un_cli_is_standard(a.json)) print_description(a.path, description);
    if (a.json) code = un_cli_write_json(a.json, description);
    json_decref(description);
    return code;
}
