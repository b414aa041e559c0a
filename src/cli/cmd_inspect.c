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
#include "data/dataset.h"
#include "data/features.h"
#include "data/parts.h"
#include "data/readers/mat.h"
#include "model/model.h"
#include "protocol/report.h"
#include "tensor/safetensors.h"

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

/* ---- describing ---- */

static json_t *shape_of(const size_t *dims, int rank) {
    json_t *shape = json_array();
    for (int i = 0; shape && i < rank; i++) un_json_push(&shape, json_integer((json_int_t)dims[i]));
    return shape;
}

/* Metadata that are JSON themselves are shown as such. */
static json_t *parsed(const char *text) {
    json_t *value = NULL;
    if ((text[0] == '{' || text[0] == '[') &&
        un_json_parse(text, strlen(text), "metadata", &value) == UNSEEN_OK)
        return value;
    return json_string(text);
}

static un_status describe_metadata(const un_safetensors *file, json_t *out) {
    json_t *metadata = json_object();
    const char *key = NULL;
    json_t *value = NULL;
    UN_TRY(un_json_set(out, "metadata", metadata));
    json_object_foreach(file->metadata, key, value) {
        UN_TRY(un_json_set(metadata, key, parsed(json_string_value(value))));
    }
    return UNSEEN_OK;
}

static un_status describe_safetensors(const char *path, json_t *out) {
    un_safetensors file;
    UN_TRY(un_safetensors_open(&file, path));
    const char *format = un_safetensors_metadata(&file, "format");
    const char *kind = "safetensors";
    if (format && !strcmp(format, "unseen-model")) kind = "model";
    if (format && !strcmp(format, "unseen-features")) kind = "features";
    if (format && !strcmp(format, "unseen-dataset")) kind = "data set file";
    if (format && !strcmp(format, "unseen-parts")) kind = "parts";
    json_t *tensors = json_array();
    un_status status = UNSEEN_OK;
    UN_GO(un_json_set(out, "kind", json_string(kind)));
    UN_GO(describe_metadata(&file, out));
    UN_GO(un_json_set(out, "tensors", tensors));
    for (size_t i = 0; i < file.count; i++) {
        const un_st_entry *e = &file.entries[i];
        json_t *tensor =
            json_pack("{s:s, s:s, s:o}", "name", e->name, "dtype", un_dtype_name(e->tensor.dtype),
                      "shape", shape_of(e->tensor.shape, e->tensor.rank));
        UN_GO(un_json_append(tensors, tensor));
    }
done:
    un_safetensors_close(&file);
    return status;
}

static un_status describe_mat(const char *path, json_t *out) {
    un_mat *mat = NULL;
    size_t count = 0;
    UN_TRY(un_mat_open(&mat, path));
    const un_mat_variable *variables = un_mat_variables(mat, &count);
    json_t *list = json_array();
    un_status status = UNSEEN_OK;
    UN_GO(un_json_set(out, "kind", json_string("MATLAB file")));
    UN_GO(un_json_set(out, "version", json_string(un_mat_version(mat))));
    UN_GO(un_json_set(out, "variables", list));
    for (size_t i = 0; i < count; i++) {
        const un_mat_variable *v = &variables[i];
        json_t *item = json_pack("{s:s, s:s, s:o}", "name", v->name, "class", v->class_name,
                                 "shape", shape_of(v->dims, v->rank));
        UN_GO(un_json_append(list, item));
    }
done:
    un_mat_close(mat);
    return status;
}

/* Into a list of JSON. */
static un_status describe_features(const un_features *f, void *user) {
    const size_t shape[] = {f->image_count, f->regions, f->width};
    return un_json_append(user, json_pack("{s:s, s:s, s:o, s:s, s:o}", "name", f->name, "dtype",
                                          un_dtype_name(f->dtype), "shape", shape_of(shape, 3),
                                          "sha256", f->sha256, "recipe", parsed(f->recipe)));
}

static un_status describe_folds(const un_dataset *d, json_t *list) {
    for (size_t k = 0; k < d->fold_count; k++) {
        const un_fold *f = &d->folds[k];
        UN_TRY(un_json_append(list, json_pack("{s:s, s:I, s:I, s:I}", "source", f->source, "train",
                                              (json_int_t)f->train.count, "seen",
                                              (json_int_t)f->seen.count, "unseen",
                                              (json_int_t)f->unseen.count)));
    }
    return UNSEEN_OK;
}

static un_status describe_lists(const un_dataset *d, json_t *out) {
    const char *known = un_split_known_name(d->split_hash);
    json_t *semantics = json_array();
    UN_TRY(un_json_set(out, "kind", json_string("data set")));
    UN_TRY(un_json_set(out, "name", json_string(d->name)));
    UN_TRY(un_json_set(out, "images", json_integer((json_int_t)d->image_count)));
    UN_TRY(un_json_set(out, "classes", json_integer((json_int_t)d->class_count)));
    UN_TRY(un_json_set(out, "labels", json_boolean(d->labels != NULL)));
    UN_TRY(un_json_set(out, "image_names", json_boolean(d->images != NULL)));
    UN_TRY(un_json_set(out, "trainval", json_integer((json_int_t)d->trainval.count)));
    UN_TRY(un_json_set(out, "test_seen", json_integer((json_int_t)d->test_seen.count)));
    UN_TRY(un_json_set(out, "test_unseen", json_integer((json_int_t)d->test_unseen.count)));
    UN_TRY(un_json_set(out, "split_hash", json_string(d->split_hash)));
    UN_TRY(un_json_set(out, "split_name", known ? json_string(known) : json_null()));
    UN_TRY(un_json_set(out, "semantics", semantics));
    for (size_t i = 0; i < d->semantics_count; i++)
        UN_TRY(
            un_json_append(semantics, json_pack("{s:s, s:I, s:b}", "name", d->semantics[i].name,
                                                "width", (json_int_t)d->semantics[i].width,
                                                "attributes", d->semantics[i].attributes != NULL)));
    return UNSEEN_OK;
}

/* Where the pictures are and what is marked in them; null where there is nothing. */
static un_status describe_pictures(const un_dataset *d, json_t *out) {
    UN_TRY(
        un_json_set(out, "image_root", d->image_root ? json_string(d->image_root) : json_null()));
    if (!un_parts_exist(d->directory)) return un_json_set(out, "parts", json_null());
    un_parts parts;
    UN_TRY(un_parts_open(&parts, d->directory, d));
    un_status status = un_json_set(
        out, "parts",
        json_pack("{s:s, s:o, s:b, s:i}", "kind", parts.points ? "points" : "boxes", "names",
                  un_json_strings(parts.names, parts.part_count), "objects", parts.objects != NULL,
                  "attribute_tables", (int)parts.attribute_parts_count));
    un_parts_close(&parts);
    return status;
}

static un_status describe_dataset(const char *path, json_t *out) {
    un_dataset d;
    json_t *features = json_array();
    json_t *folds = json_array();
    UN_TRY(un_json_set(out, "features", features));
    UN_TRY(un_json_set(out, "folds", folds));
    UN_TRY(un_dataset_open(&d, path));
    un_status status = describe_lists(&d, out);
    if (!status) status = describe_pictures(&d, out);
    if (!status) status = un_features_each(path, describe_features, features);
    if (!status) status = describe_folds(&d, folds);
    un_dataset_close(&d);
    return status;
}

static un_status describe(const char *path, json_t *out) {
    if (un_path_is_directory(path)) return describe_dataset(path, out);
    un_map map;
    UN_TRY(un_map_open(&map, path));
    int mat = un_mat_version_of(&map) != 0 || (map.size >= 6 && !memcmp(map.data, "MATLAB", 6));
    un_map_close(&map);
    return mat ? describe_mat(path, out) : describe_safetensors(path, out);
}

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
    json_t *description = json_object();
    if (!description || describe(a.path, description)) {
        json_decref(description);
        return un_cli_fail();
    }
    if (!un_cli_is_standard(a.json)) print_description(a.path, description);
    if (a.json) code = un_cli_write_json(a.json, description);
    json_decref(description);
    return code;
}
