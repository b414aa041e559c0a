/*
 * several.c - the trainings of several seeds, by one process or by ranks; see train.h.
 *
 * Ranks are dealt out over runs (deal.h): a selection run of a seed is a unit of work, and so is its
 * final run. Nothing travels but results: evaluations and curves of selection runs by way of rank 0
 * to the rank of the final run, and what that gives to rank 0.
 *
 * Several ranks may share the steps of each run: then such teams of ranks take the place of ranks.
 *
 * The selection runs of a method in closed form depend on each other: its trainings are one unit.
 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/status.h"
#include "cluster/cluster.h"
#include "train/deal.h"
#include "train/run.h"
#include "train/train.h"

/* ---- the units of work ---- */

/* How a training stands at the beginning. */
enum { OPEN = 0, IN_FINAL_RUN, FINISHED };

typedef struct {
    const un_train_options *options;
    const un_training *trainings;
    size_t count;          /* trainings */
    size_t selection_runs; /* of each */
    size_t per_run;        /* ranks that share a run's steps: a team */
    un_cluster *ranks;     /* this rank's team; NULL: it alone */
    int first;             /* of all ranks */
    unsigned char *state;  /* [count] */
    un_train_frozen frozen;
    un_deal deal;
    json_t **results; /* [count] of final runs, at rank 0, in the end */
    un_lock *locks;   /* [count] of rank 0 */
} work;

static double images_of(const work *w, size_t run) {
    const un_dataset *d = w->options->dataset;
    if (w->options->select == UN_SELECT_VALIDATION && run < w->selection_runs)
        return (double)d->folds[run].train.count;
    return (double)d->image_count;
}

static un_status make_units(const work *w, un_unit **out, size_t *count) {
    const int closed = w->options->class->closed_form != NULL;
    un_unit *units = NULL;
    size_t n = 0;
    UN_TRY(un_alloc(w->count * (w->selection_runs + 1), sizeof *units, &units));
    for (size_t s = 0; s < w->count; s++) {
        if (w->state[s] == FINISHED) continue;
        for (size_t r = 0; r < w->selection_runs && !closed && w->state[s] == OPEN; r++)
            units[n++] = (un_unit){UN_UNIT_SELECTION, s, r, images_of(w, r)};
        units[n++] = (un_unit){closed ? UN_UNIT_WHOLE : UN_UNIT_FINAL, s, w->selection_runs,
                               images_of(w, w->selection_runs)};
    }
    *out = units;
    *count = n;
    return UNSEEN_OK;
}

/* ---- units ---- */

static un_status serve(void *user) { return un_deal_serve(user); }

static un_train_options options_of(work *w, size_t training) {
    un_train_options o = *w->options;
    o.seed = w->trainings[training].seed;
    o.output = w->trainings[training].output;
    o.log_path = w->trainings[training].log_path;
    o.locked = 1;
    o.frozen = w->frozen;
    o.ranks = w->ranks;
    o.between = serve;
    o.between_user = &w->deal;
    return o;
}

/* "LOG.run2"; *out stays NULL without a log. */
static un_status part_log(const work *w, size_t training, size_t run, char **out) {
    const char *log = w->trainings[training].log_path;
    *out = NULL;
    return log ? un_format(out, "%s.run%zu", log, run + 1) : UNSEEN_OK;
}

/* One selection run, whose state stays in its checkpoint until the training is over. */
static un_status run_part(trainer *t) {
    int found = 0;
    UN_TRY(un_checkpoint_load(t, &found));
    if (!found) {
        UN_TRY(un_train_log_open(t, 0));
        UN_TRY(un_run_open(t));
    }
    if (t->part_done) return UNSEEN_OK;
    UN_TRY(un_train_run(t));
    t->part_done = 1;
    return un_checkpoint_save(t);
}

static un_status do_selection(work *w, const un_unit *u, un_unit_result *result) {
    un_train_options o = options_of(w, u->training);
    trainer t;
    char *log = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(part_log(w, u->training, u->run, &log));
    o.part = u->run + 1;
    o.log_path = log;
    UN_GO(un_trainer_open(&t, &o));
    UN_GO(run_part(&t));
    UN_GO(un_history_pack(&t, u->run, &result->data, &result->bytes));
done:
    un_trainer_close(&t);
    free(log);
    return status;
}

static int leads(const work *w) { return un_cluster_rank(w->ranks) == 0; }

/* What the selection runs gave came with the final run. */
static un_status read_selections(const work *w, trainer *t, size_t training) {
    for (size_t i = 0; i < w->deal.count; i++) {
        const un_unit *u = &w->deal.units[i];
        const un_unit_result *r = &w->deal.results[i];
        if (u->kind == UN_UNIT_SELECTION && u->training == training)
            UN_TRY(un_history_unpack(t, u->run, r->data, r->bytes));
    }
    return UNSEEN_OK;
}

static un_status gather_logs(work *w, trainer *t, size_t training) {
    UN_TRY(un_train_log_open(t, 0));
    for (size_t r = 0; r < w->selection_runs; r++) {
        char *log = NULL;
        UN_TRY(part_log(w, training, r, &log));
        un_status status = log && leads(w) ? un_train_log_append(t, log) : UNSEEN_OK;
        free(log);
        UN_TRY(status);
    }
    return UNSEEN_OK;
}

static un_status run_final(work *w, trainer *t, size_t training, json_t **result) {
    int found = 0;
    UN_TRY(un_checkpoint_load(t, &found));
    if (!found && w->state[training] == IN_FINAL_RUN)
        return un_fail(UNSEEN_E_IO,
                       "%s.checkpoint was there for rank 0 when the ranks began, and is not now",
                       t->options->output);
    if (!found) {
        UN_TRY(read_selections(w, t, training));
        un_deal_forget(&w->deal, training);
        UN_TRY(gather_logs(w, t, training));
        UN_TRY(un_train_begin_final(t));
    }
    UN_TRY(un_train_run(t));
    return un_train_finish(t, NULL, result);
}

static un_status do_final(work *w, const un_unit *u, un_unit_result *result) {
    const un_train_options o = options_of(w, u->training);
    json_t *json = NULL;
    char *text = NULL;
    trainer t;
    un_status status = UNSEEN_OK;
    if (u->kind == UN_UNIT_WHOLE) {
        UN_GO(un_train(&o, NULL, &json));
    } else {
        status = un_trainer_open(&t, &o);
        if (!status) status = run_final(w, &t, u->training, &json);
        un_trainer_close(&t);
        if (status) goto done;
    }
    UN_GO(un_json_text(json, &text));
    *result = (un_unit_result){text, strlen(text)};
done:
    json_decref(json);
    return status;
}

static un_status do_units(work *w) {
    un_unit_result result = {0};
    long next = UN_NO_UNIT;
    for (;;) {
        UN_TRY(un_deal_next(&w->deal, next, leads(w) ? &result : NULL, &next));
        if (next == UN_NO_UNIT) return UNSEEN_OK;
        const un_unit *u = &w->deal.units[next];
        un_status status = (u->kind == UN_UNIT_SELECTION ? do_selection : do_final)(w, u, &result);
        if (status == UNSEEN_E_INTERRUPTED) UN_TRY(un_deal_serve(&w->deal)); /* others hear of it */
        if (status || !leads(w)) {
            free(result.data);
            result = (un_unit_result){0};
        }
        UN_TRY(status);
    }
}

/* ---- before ---- */

/* What selection runs left; without --resume nothing may be left. */
static un_status look_at_parts(const trainer *t) {
    for (size_t r = 0; r < t->selection_runs; r++) {
        char *path = NULL;
        int found = 0;
        size_t run = 0;
        UN_TRY(un_format(&path, "%s.run%zu.checkpoint", t->options->output, r + 1));
        un_status status = un_checkpoint_examine(t, path, &found, &run);
        free(path);
        UN_TRY(status);
    }
    return UNSEEN_OK;
}

/* Whether the final run has begun. */
static un_status look_at_final(const trainer *t, unsigned char *state) {
    char *path = NULL;
    int found = 0;
    size_t run = 0;
    UN_TRY(un_checkpoint_path(t, &path));
    un_status status = un_checkpoint_examine(t, path, &found, &run);
    if (!status && found && run < t->selection_runs && !t->options->class->closed_form)
        status = un_fail(UNSEEN_E_ARGUMENT,
                         "%s is of one process, which was stopped before its last run: go on with "
                         "one, or remove it",
                         path);
    *state = found ? IN_FINAL_RUN : OPEN;
    free(path);
    return status;
}

/* Rank 0: checks a training, locks its output, and looks how it stands: what would stop it later is
 * said now, before other trainings have taken hours. */
static un_status look(work *w, size_t training) {
    const un_train_options o = options_of(w, training);
    trainer t;
    UN_TRY(un_train_check(&o));
    un_status status = un_trainer_open(&t, &o);
    if (!status && (!t.to_file || (o.log_path && !un_output_is_file(o.log_path))))
        status = un_fail(UNSEEN_E_ARGUMENT, "several ranks want files for model and log, not %s",
                         t.to_file ? o.log_path : o.output);
    if (!status) status = un_train_lock(o.output, &w->locks[training]);
    if (!status) status = look_at_final(&t, &w->state[training]);
    if (!status) status = look_at_parts(&t);
    if (!status) status = un_train_find_finished(&t, NULL, &w->results[training]);
    if (!status && w->results[training]) w->state[training] = FINISHED;
    un_trainer_close(&t);
    return status;
}

/* Rank 0: what all runs share and one of them computes first (freeze). */
static un_status make_frozen(work *w) {
    const un_method_learner *learner = w->options->class->learner;
    size_t s = 0;
    while (s < w->count && w->state[s] == FINISHED) s++;
    if (s == w->count || !learner || !learner->freeze) return UNSEEN_OK;
    const un_train_options o = options_of(w, s);
    trainer t;
    un_status status = un_trainer_open(&t, &o);
    if (!status) status = un_run_open(&t);
    if (!status) w->frozen = t.data.features != o.features ? UN_FROZEN_MADE : UN_FROZEN_NONE;
    un_trainer_close(&t);
    return status;
}

static un_status look_at_all(work *w) {
    for (size_t s = 0; s < w->count; s++) UN_TRY(look(w, s));
    return UNSEEN_OK;
}

/* Models, logs and checkpoints go where all ranks see them. */
static un_status compare_folders(const work *w) {
    UN_TRY(un_cluster_same_folder(w->trainings[0].output));
    return w->trainings[0].log_path ? un_cluster_same_folder(w->trainings[0].log_path) : UNSEEN_OK;
}

/* In what this rank's first training differs from rank 0's, as a failure. */
static un_status compare_identity(const char *text, const char *first) {
    json_t *mine = NULL, *other = NULL;
    char *difference = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_json_parse(text, strlen(text), "the training of this rank", &mine));
    UN_GO(un_json_parse(first, strlen(first), "the training of rank 0", &other));
    UN_GO(un_identity_difference(other, mine, &difference));
    if (difference)
        status = un_fail(UNSEEN_E_ARGUMENT,
                         "this rank sees another training than rank 0: it differs in %s; all ranks "
                         "need the same files",
                         difference);
done:
    free(difference);
    json_decref(mine);
    json_decref(other);
    return status;
}

static un_status make_identity(work *w, char **text) {
    const un_train_options o = options_of(w, 0);
    trainer t;
    un_status status = un_trainer_open(&t, &o);
    if (!status) status = un_json_text(t.identity, text);
    un_trainer_close(&t);
    return status;
}

static un_status compare_ranks(work *w) {
    char *text = NULL, *first = NULL;
    un_gathered all = {0};
    un_status status = UNSEEN_OK;
    UN_GO(un_cluster_agree(make_identity(w, &text)));
    UN_GO(un_cluster_gather(un_cluster_all(), text, strlen(text), &all));
    UN_GO(un_format(&first, "%.*s", (int)all.begin[1], (const char *)all.data));
    status = compare_identity(text, first);
    status = un_cluster_agree(status);
done:
    un_gathered_free(&all);
    free(text);
    free(first);
    return status;
}

/* ---- after ---- */

/* Rank 0: the results of final runs. */
static un_status read_results(work *w) {
    for (size_t i = 0; i < w->deal.count; i++) {
        const un_unit *u = &w->deal.units[i];
        const un_unit_result *r = &w->deal.results[i];
        if (u->kind != UN_UNIT_SELECTION)
            UN_TRY(
                un_json_parse(r->data, r->bytes, "the result of a rank", &w->results[u->training]));
    }
    return UNSEEN_OK;
}

/* Rank 0: what selection runs left. */
static un_status remove_parts(const work *w) {
    for (size_t s = 0; s < w->count; s++)
        for (size_t r = 0; r < w->selection_runs; r++) {
            char *path = NULL, *log = NULL;
            un_status status =
                un_format(&path, "%s.run%zu.checkpoint", w->trainings[s].output, r + 1);
            if (!status) status = part_log(w, s, r, &log);
            if (!status) status = un_file_remove(path);
            if (!status && log) status = un_file_remove(log);
            free(path);
            free(log);
            UN_TRY(status);
        }
    return UNSEEN_OK;
}

static void close_work(work *w) {
    for (size_t s = 0; s < w->count; s++) {
        if (w->results) json_decref(w->results[s]);
        if (w->locks) un_lock_release(&w->locks[s]);
    }
    un_deal_close(&w->deal);
    free(w->state);
    free(w->results);
    free(w->locks);
    un_cluster_free(w->ranks);
}

static un_status open_work(work *w) {
    UN_TRY(un_alloc(w->count, 1, &w->state));
    UN_TRY(un_alloc(w->count, sizeof *w->results, &w->results));
    UN_TRY(un_alloc(w->count, sizeof *w->locks, &w->locks));
    for (size_t s = 0; s < w->count; s++) w->locks[s] = UN_LOCK_NONE;
    w->selection_runs = un_train_selection_runs(w->options);
    return UNSEEN_OK;
}

/* Ranks one behind the other are a team. */
static un_status make_teams(work *w) {
    const un_train_options *o = w->options;
    size_t ranks = un_cluster_size(un_cluster_all()), rank = un_cluster_rank(un_cluster_all());
    if (w->per_run > 1 && (!o->class->learner || !o->class->learner->splits))
        return un_fail(UNSEEN_E_ARGUMENT,
                       "a step of method %s cannot be split over ranks: without "
                       "{--ranks-per-run} they are dealt out over its runs",
                       o->class->name);
    if (ranks % w->per_run != 0)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%zu rank%s cannot be divided into teams of %zu: {start a multiple of "
                       "that many: mpirun -n N unseen-mpi|only the ranks of unseen-mpi share "
                       "the steps of a run}",
                       ranks, ranks == 1 ? "" : "s", w->per_run);
    if (w->per_run == 1) return UNSEEN_OK;
    return un_cluster_split(un_cluster_all(), rank / w->per_run, &w->ranks);
}

static un_status open_deal(work *w) {
    un_unit *units = NULL;
    size_t count = 0;
    UN_TRY(make_units(w, &units, &count));
    return un_deal_open(&w->deal, units, count, w->per_run, w->ranks, w->options->stop);
}

/* By all ranks. */
static un_status train_together(work *w) {
    UN_TRY(un_cluster_agree(open_work(w)));
    UN_TRY(compare_ranks(w));
    UN_TRY(un_cluster_agree(w->first ? look_at_all(w) : UNSEEN_OK));
    UN_TRY(compare_folders(w));
    UN_TRY(un_cluster_agree(w->first ? make_frozen(w) : UNSEEN_OK));
    UN_TRY(un_cluster_broadcast(un_cluster_all(), 0, &w->frozen, sizeof w->frozen));
    UN_TRY(un_cluster_broadcast(un_cluster_all(), 0, w->state, w->count));
    UN_TRY(un_cluster_agree(open_deal(w)));
    un_cluster_set_apart(leads(w));
    un_status status = do_units(w);
    un_cluster_set_apart(0);
    if (!status && w->first) status = read_results(w);
    if (!status && w->first) status = remove_parts(w);
    return status;
}

/* By this process: each is told as soon as it is done. */
static un_status train_in_turn(work *w, int want_models, un_train_done done, void *user) {
    un_status status = UNSEEN_OK;
    for (size_t s = 0; s < w->count && !status; s++) {
        json_t *result = NULL;
        un_model model = {0};
        un_train_options o = options_of(w, s);
        o.locked = 0;
        status = un_train(&o, want_models ? &model : NULL, &result);
        if (!status) status = done(s, want_models ? &model : NULL, result, user);
        json_decref(result);
    }
    return status;
}

un_status un_train_several(const un_train_options *options, const un_training *trainings,
                           size_t count, int want_models, un_train_done done, void *user) {
    work w = {.options = options,
              .trainings = trainings,
              .count = count,
              .per_run = options->ranks_per_run > 0 ? options->ranks_per_run : 1,
              .first = un_cluster_rank(un_cluster_all()) == 0};
    UN_TRY(make_teams(&w));
    if (un_cluster_size(un_cluster_all()) == 1) return train_in_turn(&w, want_models, done, user);
    un_status status =
        want_models ? un_fail(UNSEEN_E_UNSUPPORTED, "ranks leave their models in files: open these")
                    : train_together(&w);
    for (size_t s = 0; s < count && !status && w.first; s++)
        status = done(s, NULL, w.results[s], user);
    close_work(&w);
    return status;
}

un_status un_train_seed_path(const char *path, uint64_t seed, char **out) {
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    if (!dot || (slash && dot < slash) || dot == path) dot = path + strlen(path);
    return un_format(out, "%.*s-seed%llu%s", (int)(dot - path), path, (unsigned long long)seed,
                     dot);
}
