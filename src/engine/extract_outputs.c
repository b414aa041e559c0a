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
#include "cluster/cluster.h"
#include "engine/extract.h"
#include "tensor/gemm.h"
#include "tensor/sha256.h"

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
    const char *directory = x->dataset->directory;
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

/* What a recipe of another precision adds to a sentence: nobody need have asked for it, since it
 * depends on the processor, too. */
static const char *other_precision(const char *recipe, un_precision here) {
    json_t *json = json_loads(recipe, 0, NULL);
    const char *there = json_string_value(json_object_get(json, "precision"));
    const char *more = "";
    if (there && strcmp(there, un_precision_name(here)) != 0)
        more =
            here == UN_PRECISION_F32 ? " (in bf16, here it is f32)" : " (in f32, here it is bf16)";
    json_decref(json);
    return more;
}

/* Opens what is there of an output, which must have been made the same way. It stays open if
 * rows are missing: it is then completed, in the type that it has. */
static un_status open_old(extraction *x, int k) {
    extract_output *out = &x->output[k];
    out->open = 1;
    if (!un_path_exists(out->path)) return UNSEEN_OK;
    UN_TRY(un_features_open_file(&out->old, out->path));
    if (strcmp(out->old.recipe, out->recipe) != 0 ||
        out->old.image_count != x->dataset->image_count || out->old.regions != out->regions ||
        out->old.width != x->backbone->width)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s was made in another way%s; remove it or choose another name", out->path,
                       other_precision(out->old.recipe, x->backbone->precision));
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

/* What rows that an interrupted run left depend on: names of the pictures in order, recipe, type, how
 * bf16 is multiplied where it is, and the file that is completed. */
static un_status open_stores(extraction *x) {
    un_sha256 *hash = NULL;
    char hex[65] = "";
    UN_TRY(un_sha256_open(&hash));
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < x->dataset->image_count && !status; i++)
        status = un_sha256_add(hash, x->dataset->images[i], strlen(x->dataset->images[i]) + 1);
    if (!status) status = un_sha256_hex(hash, hex);
    un_sha256_close(hash);
    if (status) return status;
    for (int k = 0; k < OUTPUTS; k++) {
        extract_output *out = &x->output[k];
        if (!out->open) continue;
        int multiplies = x->backbone->precision == UN_PRECISION_BF16;
        json_t *identity = json_pack(
            "{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s*}", "format", "unseen-extract", "version", 4,
            "root", x->dataset->image_root, "images", hex, "recipe", out->recipe, "dtype",
            un_dtype_name(type_of(x, k)), "completes", out->old.file.path ? out->old.sha256 : "",
            "bf16_way", multiplies ? un_gemm_bf16_way(NULL) : NULL);
        UN_TRY(un_row_store_open(&out->store, out->path, identity, x->dataset->image_count));
    }
    return UNSEEN_OK;
}

un_status un_extract_open_outputs(extraction *x) {
    const int requested[OUTPUTS] = {x->options->pooled, x->options->regions};
    size_t h = 0, w = 0;
    UN_TRY(x->backbone->class->grid(x->backbone, x->recipe.crop, &h, &w));
    UN_TRY(make_folder(x->dataset->directory));
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

/* Whether a journal's list of pictures is one: numbers below `images`, each once. */
static int is_list(const json_t *list, json_int_t images) {
    json_int_t last = -1;
    size_t i = 0;
    const json_t *item = NULL;
    if (!json_is_array(list)) return 0;
    json_array_foreach(list, i, item) {
        if (!json_is_integer(item) || json_integer_value(item) <= last) return 0;
        last = json_integer_value(item);
    }
    return last < images;
}

static void mark(extraction *x, const json_t *list, unsigned char state) {
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(list, i, item) {
        size_t image = (size_t)json_integer_value(item);
        if (!x->there[image] || x->state[image] != USABLE) continue;
        x->state[image] = state;
        x->inherited++;
    }
}

/* What earlier runs left of an output: nothing if the lists of a journal make no sense. */
static un_status find_rows(const extraction *x, const extract_output *out, unsigned char *there,
                           json_t **journals) {
    size_t i = 0;
    const json_t *journal = NULL;
    const json_int_t N = (json_int_t)x->dataset->image_count;
    UN_TRY(un_row_store_find(&out->store, there, journals));
    json_array_foreach(*journals, i, journal) {
        if (is_list(json_object_get(journal, "damaged"), N) &&
            is_list(json_object_get(journal, "unreadable"), N))
            continue;
        memset(there, 0, x->dataset->image_count);
        (void)json_array_clear(*journals);
        break;
    }
    return UNSEEN_OK;
}

/* Where bad pictures are errors, the first of them is where to go on. */
static void go_back_to_first_bad(extraction *x) {
    size_t i = 0, N = x->dataset->image_count;
    while (i < N && (!x->there[i] || x->state[i] == USABLE)) i++;
    for (size_t k = i; k < N; k++) {
        x->state[k] = USABLE;
        x->there[k] = 0;
    }
    x->inherited = 0;
}

un_status un_extract_read_journals(extraction *x) {
    size_t N = x->dataset->image_count;
    json_t *journals[OUTPUTS] = {NULL};
    unsigned char *there = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(N, 1, &there));
    memset(x->there, 1, N);
    for (int k = 0; k < OUTPUTS; k++) {
        if (!x->output[k].open) continue;
        memset(there, 0, N);
        UN_GO(find_rows(x, &x->output[k], there, &journals[k]));
        for (size_t i = 0; i < N; i++) x->there[i] &= there[i];
    }
    for (int k = 0; k < OUTPUTS; k++) {
        size_t i = 0;
        const json_t *journal = NULL;
        json_array_foreach(journals[k], i, journal) {
            mark(x, json_object_get(journal, "damaged"), DAMAGED);
            mark(x, json_object_get(journal, "unreadable"), UNREADABLE);
        }
    }
    if (x->options->strict) go_back_to_first_bad(x);
done:
    for (int k = 0; k < OUTPUTS; k++) json_decref(journals[k]);
    free(there);
    return status;
}

/* ---- writing ---- */

/* The images in this state whose rows are there; NULL: out of memory. */
static json_t *images_in(const extraction *x, unsigned char state) {
    json_t *list = json_array();
    for (size_t i = 0; list && i < x->dataset->image_count; i++)
        if (x->there[i] && x->state[i] == state) un_json_push(&list, json_integer((json_int_t)i));
    return list;
}

/* What a journal says beside rows; NULL: out of memory. */
static json_t *make_notes(const extraction *x) {
    return json_pack("{s:o, s:o}", "damaged", images_in(x, DAMAGED), "unreadable",
                     images_in(x, UNREADABLE));
}

static un_status open_writer(extraction *x, int k) {
    extract_output *out = &x->output[k];
    size_t rank = un_cluster_rank(un_cluster_all());
    size_t row = 0, count = 0;
    const un_features_description description = {.image_count = x->dataset->image_count,
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
    if (rank > 0) return un_row_store_join(&out->store, &description, rank);
    json_t *notes = make_notes(x);
    if (!notes) return un_fail_memory(0);
    un_status status = un_row_store_begin_rows(&out->store, &description, x->there, notes,
                                               un_cluster_size(un_cluster_all()) > 1);
    json_decref(notes);
    return status;
}

static un_status open_all_writers(extraction *x) {
    for (int k = 0; k < OUTPUTS; k++) {
        if (x->output[k].open) UN_TRY(open_writer(x, k));
    }
    return UNSEEN_OK;
}

un_status un_extract_open_writers(extraction *x) {
    size_t first = un_cluster_rank(un_cluster_all()) == 0;
    /* Else a rank would join what an earlier run left in a folder of its own machine. */
    UN_TRY(un_cluster_same_folder(x->output[x->output[POOLED].open ? POOLED : REGIONS].path));
    UN_TRY(un_cluster_agree(first ? open_all_writers(x) : UNSEEN_OK));
    return un_cluster_agree(first ? UNSEEN_OK : open_all_writers(x));
}

un_status un_extract_write_journals(extraction *x) {
    un_status status = UNSEEN_OK;
    json_t *notes = make_notes(x);
    if (!notes) return un_fail_memory(0);
    for (int k = 0; k < OUTPUTS && !status; k++)
        if (x->output[k].store.writer)
            status = un_row_store_save_rows(&x->output[k].store, x->there, notes);
    json_decref(notes);
    return status;
}

un_status un_extract_leave_outputs(extraction *x) {
    for (int k = 0; k < OUTPUTS; k++)
        if (x->output[k].store.writer) UN_TRY(un_row_store_leave(&x->output[k].store));
    return UNSEEN_OK;
}

int un_extract_journals_due(const extraction *x) {
    for (int k = 0; k < OUTPUTS; k++)
        if (x->output[k].store.writer && un_row_store_due(&x->output[k].store)) return 1;
    return 0;
}

un_status un_extract_commit_outputs(extraction *x) {
    for (int k = 0; k < OUTPUTS; k++) {
        extract_output *out = &x->output[k];
        if (!out->store.writer) continue;
        UN_TRY(un_features_writer_take_over(out->store.writer));
        for (size_t i = 0; i < x->dataset->image_count; i++)
            if (x->state[i] != USABLE && !(out->old.file.path && un_features_has(&out->old, i)))
                un_features_writer_set_absent(out->store.writer, i);
        UN_TRY(un_row_store_commit(&out->store));
    }
    return UNSEEN_OK;
}

un_status un_extract_identity(const extraction *x, char **out) {
    json_t *all = json_array();
    un_status status = all ? UNSEEN_OK : un_fail_memory(0);
    for (int k = 0; k < OUTPUTS && !status; k++)
        if (x->output[k].open)
            status = un_json_append(all, json_incref(x->output[k].store.identity));
    if (!status) status = un_json_text(all, out);
    json_decref(all);
    return status;
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
