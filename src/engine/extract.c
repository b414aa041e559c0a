/* extract.c - see extract.h. */
#include "engine/extract.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "data/features.h"
#include "data/readers/validation.h"
#include "engine/loader.h"

enum { POOLED, REGIONS, OUTPUTS };

static const double JOURNAL_SECONDS = 15;

typedef struct {
    const un_extract_options *options;
    un_extract_result *result;
    un_dataset dataset;
    un_backbone *backbone;
    un_recipe recipe;
    size_t grid_height, grid_width;
    char *path[OUTPUTS]; /* NULL: not wanted */
    char *recipe_text[OUTPUTS];
    char *journal[OUTPUTS];    /* paths */
    json_t *identity[OUTPUTS]; /* what must be equal for rows to be taken up again */
    json_t *bad;               /* list of image numbers */
    json_t *unreadable;        /* those of them that the system did not let us read */
    un_features_writer *writer[OUTPUTS];
    float *rows[OUTPUTS]; /* of one batch */
    size_t done;
    double saved; /* when the journal was written last */
} extraction;

static un_status check_options(const un_extract_options *o) {
    if (!o->pooled && !o->regions)
        return un_fail(UNSEEN_E_ARGUMENT, "choose pooled features, regions or both");
    if (o->batch == 0 || o->batch > 4096)
        return un_fail(UNSEEN_E_ARGUMENT, "a batch is 1 to 4096 pictures, not %zu", o->batch);
    return UNSEEN_OK;
}

static un_status open_inputs(extraction *x) {
    const un_extract_options *o = x->options;
    UN_TRY(un_dataset_open(&x->dataset, o->directory));
    if (!x->dataset.image_root || !x->dataset.images)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s does not say where its pictures lie; import it again with --images ROOT",
                       o->directory);
    UN_TRY(un_backbone_open(o->backbone, o->precision, &x->backbone));
    x->recipe = x->backbone->recipe;
    if (o->image_size > 0 && o->image_size != x->recipe.crop)
        un_recipe_rescale(&x->recipe, o->image_size);
    x->result->images = x->dataset.image_count;
    return x->backbone->class->grid(x->backbone, x->recipe.crop, &x->grid_height, &x->grid_width);
}

/* JSON text that travels with the features and the models made from them. */
static un_status make_recipe(extraction *x, int output) {
    json_t *json =
        json_pack("{s:{s:s, s:s}, s:o, s:s, s:s}", "backbone", "architecture",
                  x->backbone->architecture, "sha256", x->backbone->sha256, "preprocess",
                  un_recipe_json(&x->recipe), "output", output == REGIONS ? "regions" : "pooled",
                  "precision", un_precision_name(x->backbone->precision));
    if (!json) return un_fail_memory(0);
    un_status status = un_json_text(json, &x->recipe_text[output]);
    json_decref(json);
    return status;
}

static un_status name_output(extraction *x, int output) {
    const char *given = output == REGIONS ? x->options->regions_name : x->options->pooled_name;
    char *name = x->result->names[output];
    size_t room = sizeof x->result->names[output];
    if (given && (strchr(given, '/') || !*given || *given == '.' || strlen(given) > 100))
        return un_fail(UNSEEN_E_ARGUMENT, "\"%.60s\" is no name of a feature set", given);
    if (given) {
        snprintf(name, room, "%s", given);
    } else {
        char size[32] = "";
        if (x->recipe.crop != x->backbone->recipe.crop)
            snprintf(size, sizeof size, "-%zu", x->recipe.crop);
        snprintf(name, room, "%s%s%s", x->backbone->architecture, size,
                 output == REGIONS ? "-regions" : "");
    }
    return un_format(&x->path[output], "%s/features/%s.safetensors", x->options->directory, name);
}

/* Whether the file is there already, made the same way. Another one of the name is an error. */
static un_status already_there(const extraction *x, int output, int *there) {
    *there = un_path_exists(x->path[output]);
    if (!*there) return UNSEEN_OK;
    un_features features;
    UN_TRY(un_features_open_file(&features, x->path[output]));
    int same = strcmp(features.recipe, x->recipe_text[output]) == 0 &&
               features.image_count == x->dataset.image_count;
    un_features_close(&features);
    if (!same)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s was made in another way; remove it or choose another name",
                       x->path[output]);
    return UNSEEN_OK;
}

static un_status name_outputs(extraction *x) {
    const int wanted[OUTPUTS] = {x->options->pooled, x->options->regions};
    int missing = 0;
    char *folder = NULL;
    UN_TRY(un_path_join(x->options->directory, "features", &folder));
    if (mkdir(folder, 0777) != 0 && !un_path_is_directory(folder)) {
        un_status status = un_fail(UNSEEN_E_IO, "cannot make the directory %s", folder);
        free(folder);
        return status;
    }
    free(folder);
    for (int k = 0; k < OUTPUTS; k++) {
        int there = 0;
        if (!wanted[k]) continue;
        UN_TRY(name_output(x, k));
        UN_TRY(make_recipe(x, k));
        UN_TRY(already_there(x, k, &there));
        if (there) {
            free(x->path[k]);
            x->path[k] = NULL;
        } else {
            missing++;
            UN_TRY(un_format(&x->journal[k], "%s/features/%s.journal", x->options->directory,
                             x->result->names[k]));
        }
    }
    x->result->already_there = missing == 0;
    return UNSEEN_OK;
}

/* Everything that the rows depend on: names of the pictures in order, recipe, type. */
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
    const un_dtype types[OUTPUTS] = {x->options->pooled_dtype, x->options->regions_dtype};
    for (int k = 0; k < OUTPUTS; k++) {
        if (!x->path[k]) continue;
        x->identity[k] = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s}", "format", "unseen-extract",
                                   "version", 3, "root", x->dataset.image_root, "images", hex,
                                   "recipe", x->recipe_text[k], "dtype", un_dtype_name(types[k]));
        if (!x->identity[k]) return un_fail_memory(0);
    }
    return UNSEEN_OK;
}

/* Whether a journal's list of bad pictures is one: numbers below `done`, each once. */
static int is_bad_list(const json_t *bad, json_int_t done) {
    json_int_t last = -1;
    size_t i = 0;
    const json_t *item = NULL;
    if (!json_is_array(bad)) return 0;
    json_array_foreach(bad, i, item) {
        if (!json_is_integer(item) || json_integer_value(item) <= last) return 0;
        last = json_integer_value(item);
    }
    return last < done;
}

/* How many rows of one output an earlier run left, and which of its pictures were bad (new
 * reference); anything odd about its journal means none. */
static size_t read_journal(const extraction *x, int k, json_t **bad, json_t **unreadable) {
    json_t *journal = NULL;
    char *partial = NULL;
    size_t rows = 0;
    *bad = *unreadable = NULL;
    if (un_format(&partial, "%s.partial", x->path[k]) == UNSEEN_OK && un_path_exists(partial) &&
        un_path_exists(x->journal[k]) && un_json_read(x->journal[k], &journal) == UNSEEN_OK) {
        json_int_t done = json_integer_value(json_object_get(journal, "done"));
        json_t *list = json_object_get(journal, "bad");
        json_t *io = json_object_get(journal, "unreadable");
        if (json_equal(json_object_get(journal, "identity"), x->identity[k]) && done > 0 &&
            (size_t)done <= x->dataset.image_count && is_bad_list(list, done) &&
            is_bad_list(io, done)) {
            rows = (size_t)done;
            *bad = json_incref(list);
            *unreadable = json_incref(io);
        }
    }
    json_decref(journal);
    free(partial);
    return rows;
}

static void forget(const extraction *x) {
    for (int k = 0; k < OUTPUTS; k++)
        if (x->path[k]) (void)unlink(x->journal[k]);
}

static void forget_bad(extraction *x) {
    json_array_clear(x->bad);
    json_array_clear(x->unreadable);
}

/* Takes up what all outputs have. A journal whose rows are about to be overwritten goes first:
 * if this run were killed, it would vouch for rows that are no longer there. */
static void read_journals(extraction *x) {
    x->done = x->dataset.image_count;
    for (int k = 0; k < OUTPUTS; k++) {
        json_t *bad = NULL, *unreadable = NULL;
        if (!x->path[k]) continue;
        size_t rows = read_journal(x, k, &bad, &unreadable);
        if (bad && rows <= x->done) {
            json_decref(x->bad);
            json_decref(x->unreadable);
            x->bad = json_incref(bad);
            x->unreadable = json_incref(unreadable);
        }
        json_decref(bad);
        json_decref(unreadable);
        if (rows < x->done) x->done = rows;
    }
    /* Where bad pictures are errors, the first of them is where to go on. */
    if (x->done > 0 && x->options->strict && json_array_size(x->bad) > 0) {
        x->done = (size_t)json_integer_value(json_array_get(x->bad, 0));
        forget_bad(x);
    }
    if (x->done == 0) forget_bad(x);
    if (x->done == 0) forget(x);
    x->result->taken_up = x->done;
}

static un_status write_journals(extraction *x) {
    for (int k = 0; k < OUTPUTS; k++) {
        if (!x->writer[k]) continue;
        UN_TRY(un_features_writer_sync(x->writer[k]));
        json_t *journal =
            json_pack("{s:O, s:I, s:O, s:O}", "identity", x->identity[k], "done",
                      (json_int_t)x->done, "bad", x->bad, "unreadable", x->unreadable);
        if (!journal) return un_fail_memory(0);
        un_status status = un_json_write(x->journal[k], journal);
        json_decref(journal);
        if (status) return status;
    }
    x->saved = un_now();
    return UNSEEN_OK;
}

static un_status open_writers(extraction *x) {
    for (int k = 0; k < OUTPUTS; k++) {
        if (!x->path[k]) continue;
        size_t h = k == REGIONS ? x->grid_height : 1;
        size_t w = k == REGIONS ? x->grid_width : 1;
        size_t batch = x->options->batch;
        size_t row = 0;
        size_t count = 0;
        const un_features_description description = {
            .image_count = x->dataset.image_count,
            .regions = h * w,
            .width = x->backbone->width,
            .grid_height = h,
            .grid_width = w,
            .dtype = k == REGIONS ? x->options->regions_dtype : x->options->pooled_dtype,
            .source = x->backbone->architecture,
            .recipe = x->recipe_text[k]};
        if (__builtin_mul_overflow(h * w, x->backbone->width, &row) ||
            __builtin_mul_overflow(row, batch, &count))
            return un_fail(UNSEEN_E_ARGUMENT, "the features of %zu pictures are too large", batch);
        UN_TRY(un_alloc(count, sizeof(float), &x->rows[k]));
        un_status status =
            un_features_writer_resume(&x->writer[k], x->path[k], &description, x->done);
        if (status == UNSEEN_E_FORMAT) forget(x); /* the next run begins anew */
        UN_TRY(status);
    }
    return UNSEEN_OK;
}

/* Names the bad pictures of a batch and empties their rows. A lack of memory says nothing about a
 * picture. */
static un_status note_bad(extraction *x, const un_loaded *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        if (!batch->errors[i]) continue;
        if (x->options->strict || batch->codes[i] == UNSEEN_E_MEMORY)
            return un_fail(batch->codes[i], "%s", batch->errors[i]);
        int unreadable = batch->codes[i] == UNSEEN_E_IO;
        json_int_t image = (json_int_t)batch->first + (json_int_t)i;
        un_log(UNSEEN_LOG_WARNING, "%sleft out: %s", unreadable ? "cannot be read, " : "",
               batch->errors[i]);
        UN_TRY(un_json_append(x->bad, json_integer(image)));
        if (unreadable) UN_TRY(un_json_append(x->unreadable, json_integer(image)));
        for (int k = 0; k < OUTPUTS; k++) {
            size_t row = x->backbone->width * (k == REGIONS ? x->grid_height * x->grid_width : 1);
            if (x->rows[k]) memset(x->rows[k] + i * row, 0, row * sizeof(float));
        }
    }
    return UNSEEN_OK;
}

static un_status compute_batch(extraction *x, const un_loaded *batch) {
    double start = un_now();
    UN_TRY(x->backbone->class->forward(x->backbone, batch->pictures, batch->count, x->recipe.crop,
                                       x->rows[REGIONS], x->rows[POOLED]));
    x->result->network_seconds += un_now() - start;
    UN_TRY(note_bad(x, batch));
    for (int k = 0; k < OUTPUTS; k++)
        if (x->writer[k]) UN_TRY(un_features_writer_append(x->writer[k], x->rows[k], batch->count));
    x->done += batch->count;
    return UNSEEN_OK;
}

static un_status compute(extraction *x, un_loader *loader) {
    un_progress progress;
    un_status status = UNSEEN_OK;
    size_t first = x->done;
    un_progress_begin(&progress, "extract", "images", x->dataset.image_count - first);
    x->saved = un_now();
    while (x->done < x->dataset.image_count) {
        un_loaded batch;
        UN_GO(un_loader_next(loader, &batch));
        UN_GO(compute_batch(x, &batch));
        un_progress_update(&progress, x->done - first);
        int stop = x->options->stop && *x->options->stop && x->done < x->dataset.image_count;
        if (stop || un_now() - x->saved > JOURNAL_SECONDS) UN_GO(write_journals(x));
        if (stop)
            UN_GO(un_fail(UNSEEN_E_INTERRUPTED,
                          "stopped after %zu of %zu images; the same command goes on from there",
                          x->done, x->dataset.image_count));
    }
done:
    un_progress_end(&progress);
    return status;
}

/* Removes the images marked in `gone` from a list. */
static void thin(un_index_list *list, const unsigned char *gone) {
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (!gone[list->items[i]]) list->items[kept++] = list->items[i];
    list->count = kept;
}

/* Bad pictures leave the split, so that nothing is ever learned from or tested on them. */
static un_status drop_bad(extraction *x) {
    size_t count = json_array_size(x->bad);
    un_dataset *d = &x->dataset;
    unsigned char *gone = NULL;
    size_t unreadable = json_array_size(x->unreadable);
    x->result->bad = count;
    x->result->unreadable = unreadable;
    if (count == 0) return UNSEEN_OK;
    if (count == d->image_count) {
        forget(x); /* the folder may be elsewhere for the moment: the next run looks again */
        return un_fail(unreadable == count ? UNSEEN_E_IO : UNSEEN_E_FORMAT,
                       "none of the %zu pictures under %s could be used: %zu damaged, %zu cannot "
                       "be read",
                       count, d->image_root, count - unreadable, unreadable);
    }
    UN_TRY(un_alloc(d->image_count, 1, &gone));
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach(x->bad, i, item) {
        json_int_t image = json_integer_value(item);
        if (image >= 0 && (size_t)image < d->image_count) gone[image] = 1;
    }
    size_t before = d->trainval.count + d->test_seen.count + d->test_unseen.count;
    thin(&d->trainval, gone);
    thin(&d->test_seen, gone);
    thin(&d->test_unseen, gone);
    for (size_t f = 0; f < d->fold_count; f++) {
        thin(&d->folds[f].train, gone);
        thin(&d->folds[f].seen, gone);
        thin(&d->folds[f].unseen, gone);
    }
    free(gone);
    size_t after = d->trainval.count + d->test_seen.count + d->test_unseen.count;
    if (after == before) return UNSEEN_OK; /* an earlier extraction did it */
    UN_TRY(un_dataset_note(d,
                           "%zu of the images in the split could not be used and were left out of "
                           "it (of all images %zu are damaged, %zu could not be read)",
                           before - after, count - unreadable, unreadable));
    return un_dataset_write(d, x->options->directory);
}

static un_status commit(extraction *x) {
    UN_TRY(drop_bad(x));
    for (int k = 0; k < OUTPUTS; k++) {
        un_features_writer *writer = x->writer[k];
        x->writer[k] = NULL;
        if (writer) UN_TRY(un_features_writer_commit(writer));
    }
    forget(x); /* without their rows they mean nothing */
    return UNSEEN_OK;
}

static un_status run(extraction *x) {
    un_loader *loader = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(make_identities(x));
    read_journals(x);
    UN_TRY(open_writers(x));
    const un_loader_options options = {.root = x->dataset.image_root,
                                       .names = x->dataset.images,
                                       .count = x->dataset.image_count,
                                       .first = x->done,
                                       .batch = x->options->batch,
                                       .recipe = x->recipe};
    UN_TRY(un_loader_open(&loader, &options));
    status = compute(x, loader);
    un_loader_close(loader);
    if (status) return status;
    return commit(x);
}

un_status un_extract(const un_extract_options *options, un_extract_result *result) {
    extraction x = {
        .options = options, .result = result, .bad = json_array(), .unreadable = json_array()};
    double start = un_now();
    un_status status = UNSEEN_OK;
    *result = (un_extract_result){0};
    if (!x.bad || !x.unreadable) UN_GO(un_fail_memory(0));
    UN_GO(check_options(options));
    UN_GO(open_inputs(&x));
    UN_GO(name_outputs(&x));
    if (!result->already_there) UN_GO(run(&x));
    result->seconds = un_now() - start;
done:
    for (int k = 0; k < OUTPUTS; k++) {
        un_features_writer_abort(x.writer[k]);
        free(x.rows[k]);
        free(x.path[k]);
        free(x.recipe_text[k]);
        free(x.journal[k]);
        json_decref(x.identity[k]);
    }
    json_decref(x.bad);
    json_decref(x.unreadable);
    un_backbone_close(x.backbone);
    un_dataset_close(&x.dataset);
    return status;
}
