/* inspect_api.c - the public interface (unseen_files.h): what is in a file or a directory, as JSON. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "data/dataset.h"
#include "data/features.h"
#include "data/parts.h"
#include "data/readers/mat.h"
#include "engine/handles.h"
#include "tensor/safetensors.h"

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

unseen_status unseen_inspect(const char *path, char **json) {
    UN_LOCALE_C;
    if (!path || !json) return un_fail(UNSEEN_E_ARGUMENT, "unseen_inspect: a pointer is NULL");
    json_t *out = json_object();
    un_status status = out ? describe(path, out) : un_fail_memory(0);
    if (!status) status = un_json_text(out, json);
    json_decref(out);
    return status;
}

void unseen_free(void *memory) { free(memory); }
