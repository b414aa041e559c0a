/* extract.c - see extract.h. Missing rows are computed picture by picture; rows that are there are
 * copied in between, so that every output is written from its first row to its last. */
#include "engine/extract.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/status.h"
#include "cluster/cluster.h"

enum {
    MAX_WARNINGS = 5, /* bad pictures that are named as warnings */
    PROBED = 64       /* so few missing pictures are tried before a large file is copied for them */
};

static un_status check_options(const un_extract_options *o) {
    if (!o->pooled && !o->regions)
        return un_fail(UNSEEN_E_ARGUMENT, "choose pooled features, regions or both");
    if (!o->dataset->directory)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "data set %s is in memory and has no place for features: save it first",
                       o->dataset->name);
    if (o->batch == 0 || o->batch > 4096)
        return un_fail(UNSEEN_E_ARGUMENT, "a batch is 1 to 4096 pictures, not %zu", o->batch);
    return UNSEEN_OK;
}

static un_status open_inputs(extraction *x) {
    const un_extract_options *o = x->options;
    x->dataset = o->dataset;
    if (!x->dataset->image_root || !x->dataset->images)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s does not say where its pictures lie; import it again with {--images} "
                       "ROOT",
                       x->dataset->directory);
    if (!un_path_is_directory(x->dataset->image_root))
        return un_fail(UNSEEN_E_IO,
                       "the folder of the pictures, %s, is not there; mount its drive, or say "
                       "where they are now with {--images ROOT|unseen_dataset_use_images}",
                       x->dataset->image_root);
    UN_TRY(un_backbone_open(o->backbone, o->precision, &x->backbone));
    x->recipe = x->backbone->recipe;
    if (o->image_size > 0) UN_TRY(un_recipe_rescale(&x->recipe, o->image_size));
    x->recipe.orientation = o->orientation ? o->orientation : x->dataset->orientation;
    x->result->images = x->dataset->image_count;
    if (!x->state) UN_TRY(un_alloc(x->dataset->image_count, 1, &x->state));
    if (!x->there) UN_TRY(un_alloc(x->dataset->image_count, 1, &x->there));
    return UNSEEN_OK;
}

static int is_alone(void) { return un_cluster_size(un_cluster_all()) == 1; }

/* ---- pictures that cannot be used ---- */

static void warn_of(extraction *x, unsigned char state, const char *sentence) {
    un_log(x->warned++ < MAX_WARNINGS ? UNSEEN_LOG_WARNING : UNSEEN_LOG_DEBUG, "%sleft out: %s",
           state == UNREADABLE ? "cannot be read, " : "", sentence);
}

/* Names a picture that cannot be used, as rank 0 at once, which has the first of them; what others
 * have to say it says at the end. A lack of memory says nothing about a picture. */
static un_status note_bad(extraction *x, size_t image, un_status code, const un_failure *why) {
    if (x->options->strict || code == UNSEEN_E_MEMORY) return un_failure_put_back(why, code);
    unsigned char state = code == UNSEEN_E_IO ? UNREADABLE : DAMAGED;
    if (x->state[image] == USABLE && x->notes)
        UN_TRY(un_json_append(
            x->notes, json_pack("[I, i, s]", (json_int_t)image, (int)state, why->sentence)));
    else if (x->state[image] == USABLE)
        warn_of(x, state, why->sentence);
    x->state[image] = state;
    return UNSEEN_OK;
}

static void log_rest(const extraction *x) {
    if (x->warned > MAX_WARNINGS)
        un_log(UNSEEN_LOG_WARNING,
               "%zu more pictures were left out; {--verbose names|debug messages name} each",
               x->warned - MAX_WARNINGS);
}

/* Counts what is still without a row. */
static void count_bad(extraction *x) {
    x->result->bad = x->result->unreadable = 0;
    for (size_t i = 0; i < x->dataset->image_count; i++) {
        x->result->bad += x->state[i] != USABLE;
        x->result->unreadable += x->state[i] == UNREADABLE;
    }
}

/* Too many in a row: that is no matter of single pictures. What was done before is kept. */
static un_status give_up(extraction *x, const char *sentence) {
    char last[UN_ERROR_LENGTH];
    size_t before = x->taken_up + x->good;
    snprintf(last, sizeof last, "%s", sentence);
    for (size_t i = x->good; i < x->next; i++) x->there[x->rows[i]] = 0;
    if (before > 0) {
        UN_TRY(un_extract_write_journals(x));
    } else if (is_alone()) {
        for (int k = 0; k < OUTPUTS; k++) un_row_store_discard(&x->output[k].store);
    }
    char done[64] = "what all ranks have done"; /* which none of them knows */
    if (is_alone()) snprintf(done, sizeof done, "the %zu images before them", before);
    return un_fail(UNSEEN_E_IO,
                   "%d pictures in a row could not be read, the last: %s. Is the drive with %s "
                   "there? The same {command|call} goes on after %s; {--keep-going} leaves such "
                   "pictures out",
                   UN_PICTURE_FAILURES, last, x->dataset->image_root, done);
}

static un_status say_stopped(const extraction *x) {
    if (!is_alone())
        return un_fail(UNSEEN_E_INTERRUPTED,
                       "stopped; the same {command|call} goes on after what all ranks have done");
    return un_fail(UNSEEN_E_INTERRUPTED,
                   "stopped after %zu of %zu images; the same {command|call} goes on from there",
                   x->taken_up + x->next, x->dataset->image_count);
}

/* ---- rows ---- */

/* Writes those of this rank's rows up to `image`, which are all there. */
static un_status copy_rows(extraction *x, size_t image) {
    for (; x->next < x->row_count && x->rows[x->next] < image; x->next++) {
        size_t row = x->rows[x->next];
        for (int k = 0; k < OUTPUTS; k++) {
            if (!x->output[k].store.writer) continue;
            un_features_writer_go_to(x->output[k].store.writer, row);
            UN_TRY(un_features_writer_copy(x->output[k].store.writer, &x->output[k].old, row));
        }
        x->there[row] = 1;
    }
    return UNSEEN_OK;
}

/* Writes the row of a picture that was processed, number i of the batch. */
static un_status write_row(extraction *x, const un_loaded *batch, size_t i, size_t image) {
    unsigned char present = batch->errors[i] == NULL;
    for (int k = 0; k < OUTPUTS; k++) {
        extract_output *out = &x->output[k];
        if (!out->store.writer) continue;
        un_features_writer_go_to(out->store.writer, image);
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
    x->there[image] = 1;
    x->next++;
    return UNSEEN_OK;
}

static un_status compute_batch(extraction *x, const un_loaded *batch) {
    double start = un_now();
    size_t before = x->next;
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
            return give_up(x, batch->errors[i]->sentence);
    }
    return UNSEEN_OK;
}

/* Where the user stops, all ranks keep what they have, also one that has finished its rows. */
static int is_stopped(const extraction *x) {
    int more = x->next < x->row_count || !is_alone();
    return x->options->stop && *x->options->stop && more;
}

static un_status compute(extraction *x, un_loader *loader) {
    un_progress progress;
    un_status status = UNSEEN_OK;
    size_t N = x->dataset->image_count, computed = 0;
    un_progress_begin(&progress, "extract", "images", x->pending_count);
    while (computed < x->pending_count) {
        un_loaded batch;
        UN_GO(un_loader_next(loader, &batch));
        UN_GO(compute_batch(x, &batch));
        x->result->ignored += batch.ignored;
        computed += batch.count;
        un_progress_update(&progress, computed);
        int stop = is_stopped(x);
        if (stop || un_extract_journals_due(x)) UN_GO(un_extract_write_journals(x));
        if (stop) UN_GO(say_stopped(x));
    }
    UN_GO(copy_rows(x, N));
done:
    un_progress_end(&progress);
    return status;
}

/* Tells rank 0, and all others, what this rank could not use. */
static un_status exchange_notes(extraction *x) {
    size_t rank = un_cluster_rank(un_cluster_all());
    json_t *own = NULL;
    char *text = NULL;
    un_gathered all = {0};
    un_status status = UNSEEN_OK;
    own = json_pack("{s:O?, s:I, s:f}", "bad", x->notes, "ignored", (json_int_t)x->result->ignored,
                    "network", x->result->network_seconds);
    status = own ? un_json_text(own, &text) : un_fail_memory(0);
    UN_GO(un_cluster_agree(status));
    UN_GO(un_cluster_gather(un_cluster_all(), text, strlen(text), &all));
    for (size_t r = 0; r < all.count; r++) {
        json_t *other = NULL, *note = NULL;
        size_t i = 0;
        if (r == rank) continue;
        UN_GO(un_json_parse((const char *)all.data + all.begin[r], all.begin[r + 1] - all.begin[r],
                            "the notes of a rank", &other));
        json_array_foreach(json_object_get(other, "bad"), i, note) {
            unsigned char state = (unsigned char)json_integer_value(json_array_get(note, 1));
            x->state[json_integer_value(json_array_get(note, 0))] = state;
            if (rank == 0) warn_of(x, state, json_string_value(json_array_get(note, 2)));
        }
        double seconds = json_number_value(json_object_get(other, "network"));
        if (seconds > x->result->network_seconds) x->result->network_seconds = seconds;
        x->result->ignored += (size_t)json_integer_value(json_object_get(other, "ignored"));
        json_decref(other);
    }
done:
    un_gathered_free(&all);
    json_decref(own);
    free(text);
    return status;
}

/* All ranks have their rows: rank 0 completes the files. */
static un_status commit(extraction *x) {
    size_t N = x->dataset->image_count;
    int first = un_cluster_rank(un_cluster_all()) == 0;
    if (!is_alone()) UN_TRY(un_extract_write_journals(x));
    if (!first) UN_TRY(un_extract_leave_outputs(x));
    un_status met = un_cluster_meet(x->options->stop);
    if (met) return met == UNSEEN_E_INTERRUPTED ? say_stopped(x) : met;
    UN_TRY(exchange_notes(x));
    count_bad(x);
    if (x->result->bad == N) {
        /* The folder may be elsewhere for the moment: the next run looks again. */
        for (int k = 0; k < OUTPUTS && first; k++) un_row_store_discard(&x->output[k].store);
        return un_fail(x->result->unreadable == N ? UNSEEN_E_IO : UNSEEN_E_FORMAT,
                       "none of the %zu pictures under %s could be used: %zu damaged, %zu cannot "
                       "be read",
                       N, x->dataset->image_root, N - x->result->unreadable, x->result->unreadable);
    }
    return un_cluster_agree(first ? un_extract_commit_outputs(x) : UNSEEN_OK);
}

/* ---- what is to be done ---- */

/* What all ranks begin with, as rank 0 finds it. */
static un_status take_up(extraction *x) {
    un_cluster *all = un_cluster_all();
    size_t N = x->dataset->image_count;
    UN_TRY(un_cluster_agree(un_cluster_rank(all) == 0 ? un_extract_read_journals(x) : UNSEEN_OK));
    UN_TRY(un_cluster_broadcast(all, 0, x->there, N));
    UN_TRY(un_cluster_broadcast(all, 0, x->state, N));
    UN_TRY(un_cluster_broadcast(all, 0, &x->inherited, sizeof x->inherited));
    for (size_t i = 0; i < N; i++) x->taken_up += x->there[i];
    return UNSEEN_OK;
}

/* Lists the images whose pictures are to be processed, by all ranks together. */
static un_status list_pending(extraction *x) {
    size_t N = x->dataset->image_count;
    UN_TRY(un_alloc(N, sizeof *x->rows, &x->rows));
    UN_TRY(un_alloc(N, sizeof *x->pending, &x->pending));
    UN_TRY(un_alloc(N, sizeof *x->names, &x->names));
    for (size_t i = 0; i < N; i++)
        if (!x->there[i] && un_extract_lacks(x, i)) x->pending[x->lacking++] = i;
    x->pending_count = x->lacking;
    return UNSEEN_OK;
}

/* Keeps this rank's share of the list, and lists the rows that lie between its pictures as well. */
static void take_share(extraction *x) {
    const un_cluster *all = un_cluster_all();
    size_t N = x->dataset->image_count, batch = x->options->batch;
    size_t ranks = un_cluster_size(all), rank = un_cluster_rank(all);
    size_t batches = (x->lacking + batch - 1) / batch, begin[2], image[2];
    for (size_t e = 0; e < 2; e++) {
        size_t at = batches * (rank + e) / ranks * batch;
        begin[e] = at < x->lacking ? at : x->lacking;
        image[e] = rank + e == 0 ? 0 : at < x->lacking ? x->pending[at] : N;
    }
    x->pending_count = begin[1] - begin[0];
    memmove(x->pending, x->pending + begin[0], x->pending_count * sizeof *x->pending);
    for (size_t i = 0; i < x->pending_count; i++) x->names[i] = x->dataset->images[x->pending[i]];
    for (size_t i = image[0]; i < image[1]; i++)
        if (!x->there[i]) x->rows[x->row_count++] = i;
    if (rank > 0) memset(x->there, 0, N); /* what was there is rank 0's to vouch for */
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
    un_failure why;
    un_status status = UNSEEN_OK;
    *worth = 1;
    if (!completes(x) || x->taken_up > 0 || x->lacking > PROBED) return UNSEEN_OK;
    UN_TRY(un_alloc(x->recipe.crop * x->recipe.crop * 3, sizeof *picture, &picture));
    *worth = 0;
    for (size_t i = 0; i < x->lacking && !*worth && !status; i++) {
        un_status code = un_load_picture(x->dataset->image_root, x->dataset->images[x->pending[i]],
                                         &x->recipe, picture, NULL);
        un_failure_keep(&why);
        if (code)
            status = note_bad(x, x->pending[i], code, &why);
        else
            *worth = 1;
    }
    free(picture);
    return status;
}

/* Rank 0 tries, and tells what it found. */
static un_status probe_first(extraction *x, int *worth) {
    un_cluster *all = un_cluster_all();
    UN_TRY(un_cluster_agree(un_cluster_rank(all) == 0 ? probe(x, worth) : UNSEEN_OK));
    UN_TRY(un_cluster_broadcast(all, 0, worth, sizeof *worth));
    return un_cluster_broadcast(all, 0, x->state, x->dataset->image_count);
}

/* One pass over what is missing. */
static un_status run(extraction *x) {
    un_loader *loader = NULL;
    int worth = 0;
    UN_TRY(take_up(x));
    x->result->taken_up += x->taken_up;
    UN_TRY(un_cluster_agree(list_pending(x)));
    UN_TRY(probe_first(x, &worth));
    if (!worth) {
        x->result->already_there = 1;
        count_bad(x);
        return UNSEEN_OK;
    }
    if (completes(x)) x->result->kept = x->dataset->image_count - x->lacking - x->taken_up;
    UN_TRY(un_extract_open_writers(x));
    take_share(x);
    const un_loader_options options = {.root = x->dataset->image_root,
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
    free(x->rows);
    free(x->pending);
    free(x->names);
    un_backbone_close(x->backbone);
    x->rows = NULL;
    x->pending = NULL;
    x->names = NULL;
    x->backbone = NULL;
}

/* All ranks see the same data set, backbone and files. */
static un_status compare_ranks(const extraction *x) {
    char *identity = NULL;
    UN_TRY(un_cluster_agree(un_extract_identity(x, &identity)));
    un_status status = un_cluster_same("data set, backbone or feature file", identity, 0);
    free(identity);
    return status;
}

static un_status open_all(extraction *x) {
    UN_TRY(open_inputs(x));
    return un_extract_open_outputs(x);
}

static un_status make_pass(extraction *x) {
    x->row_count = x->next = x->lacking = x->taken_up = x->pending_count = 0;
    x->inherited = x->failed = x->good = 0;
    UN_TRY(un_cluster_agree(open_all(x)));
    UN_TRY(compare_ranks(x));
    if (is_open(x)) return run(x);
    x->result->already_there = 1;
    return UNSEEN_OK;
}

un_status un_extract(const un_extract_options *options, un_extract_result *result) {
    extraction x = {.options = options, .result = result};
    double start = un_now();
    *result = (un_extract_result){0};
    UN_TRY(check_options(options));
    un_status status = UNSEEN_OK;
    if (un_cluster_rank(un_cluster_all()) > 0 && !(x.notes = json_array()))
        status = un_fail_memory(0);
    UN_TRY(un_cluster_agree(status));
    status = make_pass(&x);
    /* What an interrupted run could not use may be there again. */
    if (!status && x.inherited > 0) {
        size_t kept = result->kept;
        close_pass(&x);
        memset(x.state, USABLE, result->images);
        if (x.notes) (void)json_array_clear(x.notes);
        status = make_pass(&x);
        result->kept = kept;
        result->already_there = 0;
    }
    if (!status) log_rest(&x);
    result->seconds = un_now() - start;
    close_pass(&x);
    free(x.state);
    free(x.there);
    json_decref(x.notes);
    return status;
}
