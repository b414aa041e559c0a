/* extract.c - see extract.h. Missing rows are computed picture by picture; rows that are there are
 * copied in between, so that every output is written from its first row to its last. */
#include "engine/extract.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/status.h"

enum {
    MAX_WARNINGS = 5, /* bad pictures that are named as warnings */
    PROBED = 64       /* so few missing pictures are tried before a large file is copied for them */
};

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
    UN_TRY(un_dataset_use_images(&x->dataset, o->images));
    if (!x->dataset.image_root || !x->dataset.images)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s does not say where its pictures lie; import it again with --images ROOT",
                       o->directory);
    if (!un_path_is_directory(x->dataset.image_root))
        return un_fail(UNSEEN_E_IO,
                       "the folder of the pictures, %s, is not there; mount its drive, or say "
                       "where they are now with --images ROOT",
                       x->dataset.image_root);
    UN_TRY(un_backbone_open(o->backbone, o->precision, &x->backbone));
    x->recipe = x->backbone->recipe;
    if (o->image_size > 0 && o->image_size != x->recipe.crop)
        un_recipe_rescale(&x->recipe, o->image_size);
    x->recipe.orientation = o->orientation ? o->orientation : x->dataset.orientation;
    x->result->images = x->dataset.image_count;
    if (!x->state) UN_TRY(un_alloc(x->dataset.image_count, 1, &x->state));
    return UNSEEN_OK;
}

/* ---- pictures that cannot be used ---- */

/* Names a picture that cannot be used. A lack of memory says nothing about a picture. */
static un_status note_bad(extraction *x, size_t image, un_status code, const char *sentence) {
    if (x->options->strict || code == UNSEEN_E_MEMORY) return un_fail(code, "%s", sentence);
    unsigned char state = code == UNSEEN_E_IO ? UNREADABLE : DAMAGED;
    if (x->state[image] == USABLE)
        un_log(x->warned++ < MAX_WARNINGS ? UNSEEN_LOG_WARNING : UNSEEN_LOG_DEBUG, "%sleft out: %s",
               state == UNREADABLE ? "cannot be read, " : "", sentence);
    x->state[image] = state;
    return UNSEEN_OK;
}

static void log_rest(const extraction *x) {
    if (x->warned > MAX_WARNINGS)
        un_log(UNSEEN_LOG_WARNING, "%zu more pictures were left out; --verbose names each",
               x->warned - MAX_WARNINGS);
}

/* Counts what is still without a row. */
static void count_bad(extraction *x) {
    x->result->bad = x->result->unreadable = 0;
    for (size_t i = 0; i < x->dataset.image_count; i++) {
        x->result->bad += x->state[i] != USABLE;
        x->result->unreadable += x->state[i] == UNREADABLE;
    }
}

/* Too many in a row: that is no matter of single pictures. What was done before is kept. */
static un_status give_up(extraction *x, const char *sentence) {
    char last[UN_ERROR_LENGTH];
    snprintf(last, sizeof last, "%s", sentence);
    if (x->good > 0) {
        UN_TRY(un_extract_write_journals(x, x->good));
    } else {
        for (int k = 0; k < OUTPUTS; k++) un_row_store_discard(&x->output[k].store);
    }
    return un_fail(UNSEEN_E_IO,
                   "%d pictures in a row could not be read, the last: %s. Is the drive with %s "
                   "there? The same command goes on after the %zu images before them; "
                   "--keep-going leaves such pictures out",
                   UN_PICTURE_FAILURES, last, x->dataset.image_root, x->good);
}

/* ---- rows ---- */

/* Writes the rows up to `image`, which are all there. */
static un_status copy_rows(extraction *x, size_t image) {
    for (; x->done < image; x->done++)
        for (int k = 0; k < OUTPUTS; k++)
            if (x->output[k].store.writer)
                UN_TRY(
                    un_features_writer_copy(x->output[k].store.writer, &x->output[k].old, x->done));
    return UNSEEN_OK;
}

/* Writes the row of a picture that was processed, number i of the batch. */
static un_status write_row(extraction *x, const un_loaded *batch, size_t i, size_t image) {
    unsigned char present = batch->errors[i] == NULL;
    for (int k = 0; k < OUTPUTS; k++) {
        extract_output *out = &x->output[k];
        if (!out->store.writer) continue;
        float *row = out->rows + i * out->regions * x->backbone->width;
        if (out->old.file.path && un_features_has(&out->old, image)) {
            UN_TRY(un_features_writer_copy(out->store.writer, &out->old, image));
            continue;
        }
        if (!present) memset(row, 0, out->regions * x->backbone->width * sizeof *row);
        UN_TRY(un_features_writer_append_pictures(
            out->store.writer, row, batch->hashes + i * UN_PICTURE_HASH, &present, 1));
    }
    if (present) x->state[image] = USABLE;
    x->done = image + 1;
    return UNSEEN_OK;
}

static un_status compute_batch(extraction *x, const un_loaded *batch) {
    double start = un_now();
    size_t before = x->done;
    UN_TRY(x->backbone->class->forward(x->backbone, batch->pictures, batch->count, x->recipe.crop,
                                       x->output[REGIONS].rows, x->output[POOLED].rows));
    x->result->network_seconds += un_now() - start;
    for (size_t i = 0; i < batch->count; i++) {
        size_t image = x->pending[batch->first + i];
        UN_TRY(copy_rows(x, image));
        UN_TRY(write_row(x, batch, i, image));
        if (batch->errors[i]) UN_TRY(note_bad(x, image, batch->codes[i], batch->errors[i]));
        if (x->state[image] != UNREADABLE) { /* a damaged one could be read */
            x->failed = 0;
            continue;
        }
        if (x->failed++ == 0) x->good = before;
        if (x->failed >= UN_PICTURE_FAILURES && !x->options->keep_going)
            return give_up(x, batch->errors[i]);
    }
    return UNSEEN_OK;
}

static un_status compute(extraction *x, un_loader *loader) {
    un_progress progress;
    un_status status = UNSEEN_OK;
    size_t N = x->dataset.image_count, computed = 0;
    un_progress_begin(&progress, "extract", "images", x->pending_count);
    while (computed < x->pending_count) {
        un_loaded batch;
        UN_GO(un_loader_next(loader, &batch));
        UN_GO(compute_batch(x, &batch));
        x->result->ignored += batch.ignored;
        computed += batch.count;
        un_progress_update(&progress, computed);
        int stop = x->options->stop && *x->options->stop && x->done < N;
        if (stop || un_extract_journals_due(x)) UN_GO(un_extract_write_journals(x, x->done));
        if (stop)
            UN_GO(un_fail(UNSEEN_E_INTERRUPTED,
                          "stopped after %zu of %zu images; the same command goes on from there",
                          x->done, N));
    }
    UN_GO(copy_rows(x, N));
done:
    un_progress_end(&progress);
    return status;
}

static un_status commit(extraction *x) {
    size_t N = x->dataset.image_count;
    count_bad(x);
    if (x->result->bad == N) {
        /* The folder may be elsewhere for the moment: the next run looks again. */
        for (int k = 0; k < OUTPUTS; k++) un_row_store_discard(&x->output[k].store);
        return un_fail(x->result->unreadable == N ? UNSEEN_E_IO : UNSEEN_E_FORMAT,
                       "none of the %zu pictures under %s could be used: %zu damaged, %zu cannot "
                       "be read",
                       N, x->dataset.image_root, N - x->result->unreadable, x->result->unreadable);
    }
    for (int k = 0; k < OUTPUTS; k++)
        if (x->output[k].store.writer) UN_TRY(un_row_store_commit(&x->output[k].store));
    return UNSEEN_OK;
}

/* ---- what is to be done ---- */

/* Lists the pictures to process, from image `done` on. */
static un_status list_pending(extraction *x) {
    size_t N = x->dataset.image_count;
    UN_TRY(un_alloc(N, sizeof *x->pending, &x->pending));
    UN_TRY(un_alloc(N, sizeof *x->names, &x->names));
    for (size_t i = x->done; i < N; i++) {
        if (!un_extract_lacks(x, i)) continue;
        x->names[x->pending_count] = x->dataset.images[i];
        x->pending[x->pending_count++] = i;
    }
    return UNSEEN_OK;
}

/* Whether every open output is one that is completed. */
static int completes(const extraction *x) {
    for (int k = 0; k < OUTPUTS; k++)
        if (x->output[k].open && !x->output[k].old.file.path) return 0;
    return 1;
}

/* Tries the few pictures that are missing: *worth is 0 if none of them can be used. */
static un_status probe(extraction *x, int *worth) {
    float *picture = NULL;
    char sentence[UN_ERROR_LENGTH];
    un_status status = UNSEEN_OK;
    *worth = 1;
    if (!completes(x) || x->done > 0 || x->pending_count > PROBED) return UNSEEN_OK;
    UN_TRY(un_alloc(x->recipe.crop * x->recipe.crop * 3, sizeof *picture, &picture));
    *worth = 0;
    for (size_t i = 0; i < x->pending_count && !*worth && !status; i++) {
        un_status code =
            un_load_picture(x->dataset.image_root, x->names[i], &x->recipe, picture, NULL);
        snprintf(sentence, sizeof sentence, "%s", un_error());
        if (code)
            status = note_bad(x, x->pending[i], code, sentence);
        else
            *worth = 1;
    }
    free(picture);
    return status;
}

/* One pass over what is missing. */
static un_status run(extraction *x) {
    un_loader *loader = NULL;
    int worth = 0;
    UN_TRY(un_extract_read_journals(x));
    x->result->taken_up += x->done;
    UN_TRY(list_pending(x));
    UN_TRY(probe(x, &worth));
    if (!worth) {
        x->result->already_there = 1;
        count_bad(x);
        return UNSEEN_OK;
    }
    if (completes(x)) x->result->kept = x->dataset.image_count - x->pending_count - x->done;
    UN_TRY(un_extract_open_writers(x));
    const un_loader_options options = {.root = x->dataset.image_root,
                                       .names = x->names,
                                       .count = x->pending_count,
                                       .batch = x->options->batch,
                                       .recipe = x->recipe,
                                       .hash = 1};
    UN_TRY(un_loader_open(&loader, &options));
    un_status status = compute(x, loader);
    un_loader_close(loader);
    return status ? status : commit(x);
}

static int is_open(const extraction *x) {
    return x->output[POOLED].open || x->output[REGIONS].open;
}

static void close_pass(extraction *x) {
    un_extract_close_outputs(x);
    free(x->pending);
    free(x->names);
    un_backbone_close(x->backbone);
    un_dataset_close(&x->dataset);
    x->pending = NULL;
    x->names = NULL;
    x->backbone = NULL;
}

static un_status make_pass(extraction *x) {
    x->pending_count = x->done = x->inherited = x->failed = x->good = 0;
    UN_TRY(open_inputs(x));
    UN_TRY(un_extract_open_outputs(x));
    if (is_open(x)) return run(x);
    x->result->already_there = 1;
    return UNSEEN_OK;
}

un_status un_extract(const un_extract_options *options, un_extract_result *result) {
    extraction x = {.options = options, .result = result};
    double start = un_now();
    *result = (un_extract_result){0};
    UN_TRY(check_options(options));
    un_status status = make_pass(&x);
    /* What an interrupted run could not use may be there again. */
    if (!status && x.inherited > 0) {
        size_t kept = result->kept;
        close_pass(&x);
        memset(x.state, USABLE, result->images);
        status = make_pass(&x);
        result->kept = kept;
        result->already_there = 0;
    }
    if (!status) log_rest(&x);
    result->seconds = un_now() - start;
    close_pass(&x);
    free(x.state);
    return status;
}
