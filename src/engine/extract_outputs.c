/* extract_outputs.c - the feature sets that an extraction makes or completes, and how far it came
 * with them; see extract.h.
 *
 * The pooled and the regional rows of a picture come from one pass of the network, so that both
 * files grow in step. Their journals (data/row_store.h) also tell which rows stand for pictures
 * that could not be used. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/status.h"
#include "engine/extract.h"

/* ---- opening what is there ---- */

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

/* What the rows depend on: names of the pictures in order, recipe, type, and the file that is
 * completed. */
static un_status open_stores(extraction *x) {
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
        json_t *identity = json_pack(
            "{s:s, s:i, s:s, s:s, s:s, s:s, s:s}", "format", "unseen-extract", "version", 4, "root",
            x->dataset.image_root, "images", hex, "recipe", out->recipe, "dtype",
            un_dtype_name(type_of(x, k)), "completes", out->old.file.path ? out->old.sha256 : "");
        UN_TRY(un_row_store_open(&out->store, out->path, identity, x->dataset.image_count));
    }
    return UNSEEN_OK;
}

un_status un_extract_open_outputs(extraction *x) {
    const int requested[OUTPUTS] = {x->options->pooled, x->options->regions};
    size_t h = 0, w = 0;
    UN_TRY(x->backbone->class->grid(x->backbone, x->recipe.crop, &h, &w));
    UN_TRY(make_folder(x->options->directory));
    for (int k = 0; k < OUTPUTS; k++) {
        extract_output *out = &x->output[k];
        if (!requested[k]) continue;
        out->grid_height = k == REGIONS ? h : 1;
        out->grid_width = k == REGIONS ? w : 1;
        out->regions = out->grid_height * out->grid_width;
        UN_TRY(name_output(x, k));
        UN_TRY(make_recipe(x, k));
        UN_TRY(open_old(x, k));
    }
    return open_stores(x);
}

int un_extract_lacks(const extraction *x, size_t image) {
    for (int k = 0; k < OUTPUTS; k++) {
        const extract_output *out = &x->output[k];
        if (out->open && !(out->old.file.path && un_features_has(&out->old, image))) return 1;
    }
    return 0;
}

/* ---- taking up what an interrupted run left ---- */

/* Whether a journal's list of pictures is one: numbers below `done`, each once. */
static int is_list(const json_t *list, json_int_t done) {
    json_int_t last = -1;
    size_t i = 0;
    const json_t *item = NULL;
    if (!json_is_array(list)) return 0;
    json_array_foreach(list, i, item) {
        if (!json_is_integer(item) || json_integer_value(item) <= last) return 0;
        last = json_integer_value(item);
    }
    return last < done;
}

/* What an earlier run left of an output, 0 if its journal's lists make no sense. */
static size_t rows_left(const extract_output *out, json_t **journal) {
    size_t rows = un_row_store_left(&out->store, journal);
    if (rows == 0 || (is_list(json_object_get(*journal, "damaged"), (json_int_t)rows) &&
                      is_list(json_object_get(*journal, "unreadable"), (json_int_t)rows)))
        return rows;
    return 0;
}

static void mark(extraction *x, const json_t *list, unsigned char state) {
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(list, i, item) {
        size_t image = (size_t)json_integer_value(item);
        if (image >= x->done) break;
        x->state[image] = state;
        x->inherited++;
    }
}

/* Where bad pictures are errors, the first of them is where to go on. */
static void go_back_to_first_bad(extraction *x) {
    size_t i = 0;
    while (i < x->done && x->state[i] == USABLE) i++;
    for (size_t k = i; k < x->done; k++) x->state[k] = USABLE;
    x->done = i;
    x->inherited = 0;
}

un_status un_extract_read_journals(extraction *x) {
    json_t *shortest = NULL;
    x->done = x->dataset.image_count;
    for (int k = 0; k < OUTPUTS; k++) {
        json_t *journal = NULL;
        if (!x->output[k].open) continue;
        size_t rows = rows_left(&x->output[k], &journal);
        if (!shortest || rows < x->done) {
            json_decref(shortest);
            shortest = json_incref(journal);
        }
        json_decref(journal);
        if (rows < x->done) x->done = rows;
    }
    if (x->done > 0) {
        mark(x, json_object_get(shortest, "damaged"), DAMAGED);
        mark(x, json_object_get(shortest, "unreadable"), UNREADABLE);
    }
    json_decref(shortest);
    if (x->options->strict) go_back_to_first_bad(x);
    return UNSEEN_OK;
}

/* ---- writing ---- */

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
    UN_TRY(un_row_store_begin(&out->store, &description, x->done));
    for (size_t i = 0; i < x->done; i++)
        if (x->state[i] != USABLE && !(out->old.file.path && un_features_has(&out->old, i)))
            un_features_writer_set_absent(out->store.writer, i);
    return UNSEEN_OK;
}

un_status un_extract_open_writers(extraction *x) {
    for (int k = 0; k < OUTPUTS; k++) {
        if (x->output[k].open) UN_TRY(open_writer(x, k));
    }
    return UNSEEN_OK;
}

/* The images below `done` in this state; NULL: out of memory. */
static json_t *images_in(const extraction *x, unsigned char state, size_t done) {
    json_t *list = json_array();
    for (size_t i = 0; list && i < done; i++)
        if (x->state[i] == state) un_json_push(&list, json_integer((json_int_t)i));
    return list;
}

un_status un_extract_write_journals(extraction *x, size_t done) {
    un_status status = UNSEEN_OK;
    json_t *notes = json_pack("{s:o, s:o}", "damaged", images_in(x, DAMAGED, done), "unreadable",
                              images_in(x, UNREADABLE, done));
    if (!notes) return un_fail_memory(0);
    for (int k = 0; k < OUTPUTS && !status; k++)
        if (x->output[k].store.writer) status = un_row_store_save(&x->output[k].store, done, notes);
    json_decref(notes);
    return status;
}

int un_extract_journals_due(const extraction *x) {
    for (int k = 0; k < OUTPUTS; k++)
        if (x->output[k].store.writer && un_row_store_due(&x->output[k].store)) return 1;
    return 0;
}

void un_extract_close_outputs(extraction *x) {
    for (int k = 0; k < OUTPUTS; k++) {
        extract_output *out = &x->output[k];
        un_row_store_close(&out->store);
        if (out->old.file.path) un_features_close(&out->old);
        free(out->rows);
        free(out->path);
        free(out->recipe);
        *out = (extract_output){0};
    }
}
