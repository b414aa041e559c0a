/* extract_outputs.c - the feature sets that an extraction makes or completes; see
 * extract_parts.h. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "engine/extract_parts.h"

/* JSON text that travels with the features and the models made from them. */
static un_status make_recipe(extraction *x, int k) {
    json_t *json =
        json_pack("{s:{s:s, s:s}, s:o, s:s, s:s}", "backbone", "architecture",
                  x->backbone->architecture, "sha256", x->backbone->sha256, "preprocess",
                  un_recipe_json(&x->recipe), "output", k == REGIONS ? "regions" : "pooled",
                  "precision", un_precision_name(x->backbone->precision));
    if (!json) return un_fail_memory(0);
    un_status status = un_json_text(json, &x->output[k].recipe);
    json_decref(json);
    return status;
}

static un_status name_output(extraction *x, int k) {
    const char *given = k == REGIONS ? x->options->regions_name : x->options->pooled_name;
    const char *directory = x->options->directory;
    char *name = x->result->names[k];
    size_t room = sizeof x->result->names[k];
    if (given && (strchr(given, '/') || !*given || *given == '.' || strlen(given) > 100))
        return un_fail(UNSEEN_E_ARGUMENT, "\"%.60s\" is no name of a feature set", given);
    if (given) {
        snprintf(name, room, "%s", given);
    } else {
        char size[32] = "";
        if (x->recipe.crop != x->backbone->recipe.crop)
            snprintf(size, sizeof size, "-%zu", x->recipe.crop);
        snprintf(name, room, "%s%s%s", x->backbone->architecture, size,
                 k == REGIONS ? "-regions" : "");
    }
    UN_TRY(un_format(&x->output[k].journal, "%s/features/%s.journal", directory, name));
    return un_format(&x->output[k].path, "%s/features/%s.safetensors", directory, name);
}

static un_dtype type_of(const extraction *x, int k) {
    return k == REGIONS ? x->options->regions_dtype : x->options->pooled_dtype;
}

/* Opens what is there of an output, which must have been made the same way. It stays open if
 * rows are missing: it is then completed, in the type that it has. */
static un_status open_old(extraction *x, int k) {
    extract_output *out = &x->output[k];
    out->open = 1;
    if (!un_path_exists(out->path)) return UNSEEN_OK;
    UN_TRY(un_features_open_file(&out->old, out->path));
    if (strcmp(out->old.recipe, out->recipe) != 0 ||
        out->old.image_count != x->dataset.image_count || out->old.regions != out->regions ||
        out->old.width != x->backbone->width)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s was made in another way; remove it or choose another name", out->path);
    out->open = out->old.absent > 0;
    return UNSEEN_OK;
}

static un_status make_folder(const char *directory) {
    char *folder = NULL;
    UN_TRY(un_path_join(directory, "features", &folder));
    un_status status = un_directory_make(folder);
    free(folder);
    return status;
}

/* Everything that the rows depend on: names of the pictures in order, recipe, type, and the file
 * that is completed. */
static un_status make_identities(extraction *x) {
    un_sha256 *hash = NULL;
    char hex[65] = "";
    UN_TRY(un_sha256_open(&hash));
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < x->dataset.image_count && !status; i++)
        status = un_sha256_add(hash, x->dataset.images[i], strlen(x->dataset.images[i]) + 1);
    if (!status) status = un_sha256_hex(hash, hex);
    un_sha256_close(hash);
    if (status) return status;
    for (int k = 0; k < OUTPUTS; k++) {
        extract_output *out = &x->output[k];
        if (!out->open) continue;
        out->identity = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s}", "format", "unseen-extract",
                                  "version", 4, "root", x->dataset.image_root, "images", hex,
                                  "recipe", out->recipe, "dtype", un_dtype_name(type_of(x, k)),
                                  "completes", out->old.file.path ? out->old.sha256 : "");
        if (!out->identity) return un_fail_memory(0);
    }
    return UNSEEN_OK;
}

un_status un_extract_open_outputs(extraction *x) {
    const int wanted[OUTPUTS] = {x->options->pooled, x->options->regions};
    size_t h = 0, w = 0;
    UN_TRY(x->backbone->class->grid(x->backbone, x->recipe.crop, &h, &w));
    UN_TRY(make_folder(x->options->directory));
    for (int k = 0; k < OUTPUTS; k++) {
        extract_output *out = &x->output[k];
        if (!wanted[k]) continue;
        out->grid_height = k == REGIONS ? h : 1;
        out->grid_width = k == REGIONS ? w : 1;
        out->regions = out->grid_height * out->grid_width;
        UN_TRY(name_output(x, k));
        UN_TRY(make_recipe(x, k));
        UN_TRY(open_old(x, k));
    }
    return make_identities(x);
}

int un_extract_lacks(const extraction *x, size_t image) {
    for (int k = 0; k < OUTPUTS; k++) {
        const extract_output *out = &x->output[k];
        if (out->open && !(out->old.file.path && un_features_has(&out->old, image))) return 1;
    }
    return 0;
}

static un_status open_writer(extraction *x, int k) {
    extract_output *out = &x->output[k];
    size_t row = 0, count = 0;
    const un_features_description description = {.image_count = x->dataset.image_count,
                                                 .regions = out->regions,
                                                 .width = x->backbone->width,
                                                 .grid_height = out->grid_height,
                                                 .grid_width = out->grid_width,
                                                 .dtype = out->old.file.path ? out->old.dtype
                                                                             : type_of(x, k),
                                                 .source = x->backbone->architecture,
                                                 .recipe = out->recipe,
                                                 .pictured = 1};
    if (__builtin_mul_overflow(out->regions, x->backbone->width, &row) ||
        __builtin_mul_overflow(row, x->options->batch, &count))
        return un_fail(UNSEEN_E_ARGUMENT, "the features of %zu pictures are too large",
                       x->options->batch);
    UN_TRY(un_alloc(count, sizeof(float), &out->rows));
    UN_TRY(un_features_writer_resume(&out->writer, out->path, out->journal, &description, x->done));
    for (size_t i = 0; i < x->done; i++)
        if (x->state[i] != USABLE && !(out->old.file.path && un_features_has(&out->old, i)))
            un_features_writer_set_absent(out->writer, i);
    return UNSEEN_OK;
}

un_status un_extract_open_writers(extraction *x) {
    for (int k = 0; k < OUTPUTS; k++) {
        if (!x->output[k].open) continue;
        un_status status = open_writer(x, k);
        if (status == UNSEEN_E_FORMAT) un_extract_forget(x);
        UN_TRY(status);
    }
    return UNSEEN_OK;
}

void un_extract_close_outputs(extraction *x) {
    for (int k = 0; k < OUTPUTS; k++) {
        extract_output *out = &x->output[k];
        un_features_writer_abort(out->writer);
        if (out->old.file.path) un_features_close(&out->old);
        json_decref(out->identity);
        free(out->rows);
        free(out->path);
        free(out->journal);
        free(out->recipe);
        *out = (extract_output){0};
    }
}
