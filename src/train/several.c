/*
 * several.c - the trainings of several seeds, by one process or by ranks; see train.h.
 *
 * Ranks are dealt out over runs: a selection run of a seed is a unit of work, and so is its final
 * run, which begins when the seed's selection runs are done. Who does what is laid down before the
 * first step (deal), as a simulation of ranks that take the next unit whenever they are free, the
 * longest selection run of a seed first; so every rank knows the plan, and there is no traffic but
 * the results: evaluations and curves of a selection run to the rank of the final run, and what the
 * final run gives to rank 0.
 *
 * Several ranks may share the steps of each run: then such teams of ranks take the place of ranks.
 *
 * The selection runs of a method in closed form depend on each other: its trainings are one unit.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/status.h"
#include "cluster/cluster.h"
#include "train/run.h"
#include "train/train.h"

/* ---- the plan ---- */

typedef enum { SELECTION, FINAL, WHOLE } unit_kind;

typedef struct {
    unit_kind kind;
    size_t training, run;
    double cost; /* in images that are learned from */
    int dealt;
    size_t team; /* that does it */
    double end;  /* as the simulation has it */
} unit;

/* How a training stands at the beginning. */
enum { OPEN = 0, IN_FINAL_RUN, FINISHED };

typedef struct {
    const un_train_options *options;
    const un_training *trainings;
    size_t count;          /* trainings */
    size_t selection_runs; /* of each */
    /* Ranks that share a run's steps are a team; its number stands for a rank's in the plan. */
    size_t per_run, teams, team;
    un_cluster *ranks;    /* this rank's team; NULL: it alone */
    int first;            /* of all ranks */
    unsigned char *state; /* [count] */
    unit *units;          /* in the order in which the simulation began them */
    size_t unit_count;
    void **kept; /* [unit_count] results of this rank's own selection runs */
    size_t *kept_bytes;
    json_t **results; /* [count] of this rank's final runs; of all, at rank 0, in the end */
    un_lock *locks;   /* [count] of rank 0 */
} work;

static double images_of(const work *w, size_t run) {
    const un_dataset *d = w->options->dataset;
    if (w->options->select == UN_SELECT_VALIDATION && run < w->selection_runs)
        return (double)d->folds[run].train.count;
    return (double)d->image_count;
}

/* When a final run can begin: once all selection runs of its training are done. INFINITY before
 * they are dealt out. */
static double ready(const unit *units, size_t count, const unit *u) {
    double end = 0;
    for (size_t i = 0; i < count && u->kind == FINAL; i++) {
        if (units[i].kind != SELECTION || units[i].training != u->training) continue;
        if (!units[i].dealt) return (double)INFINITY;
        if (units[i].end > end) end = units[i].end;
    }
    return end;
}

/* The unit for a rank that is free at `now`: a final run that can begin by then, else the longest
 * selection run of the first training that has one, else the final run that can begin first. */
static unit *next_unit(unit *units, size_t count, double now) {
    unit *first = NULL, *longest = NULL;
    for (size_t i = 0; i < count; i++) {
        unit *u = &units[i];
        if (u->dealt) continue;
        if (u->kind != SELECTION) {
            if (!first || ready(units, count, u) < ready(units, count, first)) first = u;
        } else if (!longest || (u->training == longest->training && u->cost > longest->cost)) {
            longest = u;
        }
    }
    return first && (!longest || ready(units, count, first) <= now) ? first : longest;
}

/* Deals out all units, and writes them down in the order of their beginnings. */
static un_status deal(work *w, unit *units) {
    double *busy = NULL;
    UN_TRY(un_alloc(w->teams, sizeof *busy, &busy));
    for (size_t n = 0; n < w->unit_count; n++) {
        size_t rank = 0;
        for (size_t r = 1; r < w->teams; r++)
            if (busy[r] < busy[rank]) rank = r;
        unit *u = next_unit(units, w->unit_count, busy[rank]);
        double begin = ready(units, w->unit_count, u);
        if (begin < busy[rank]) begin = busy[rank];
        u->end = busy[rank] = begin + u->cost;
        u->team = rank;
        u->dealt = 1;
        w->units[n] = *u;
    }
    free(busy);
    return UNSEEN_OK;
}

static un_status plan(work *w) {
    const int closed = w->options->class->closed_form != NULL;
    size_t most = w->count * (w->selection_runs + 1);
    unit *units = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(most, sizeof *units, &units));
    UN_GO(un_alloc(most, sizeof *w->units, &w->units));
    UN_GO(un_alloc(most, sizeof *w->kept, &w->kept));
    UN_GO(un_alloc(most, sizeof *w->kept_bytes, &w->kept_bytes));
    for (size_t s = 0; s < w->count; s++) {
        if (w->state[s] == FINISHED) continue;
        double all = images_of(w, w->selection_runs);
        for (size_t r = 0; r < w->selection_runs && !closed && w->state[s] == OPEN; r++)
            units[w->unit_count++] =
                (unit){.kind = SELECTION, .training = s, .run = r, .cost = images_of(w, r)};
        units[w->unit_count++] = (unit){.kind = closed ? WHOLE : FINAL, .training = s, .cost = all};
    }
    UN_GO(deal(w, units));
done:
    free(units);
    return status;
}

/* ---- units ---- */

static un_train_options options_of(const work *w, size_t training) {
    un_train_options o = *w->options;
    o.seed = w->trainings[training].seed;
    o.output = w->trainings[training].output;
    o.log_path = w->trainings[training].log_path;
    o.locked = 1;
    o.ranks = w->ranks;
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

static un_status do_selection(work *w, size_t index) {
    const unit *u = &w->units[index];
    un_train_options o = options_of(w, u->training);
    trainer t;
    char *log = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(part_log(w, u->training, u->run, &log));
    o.part = u->run + 1;
    o.log_path = log;
    UN_GO(un_trainer_open(&t, &o));
    UN_GO(run_part(&t));
    UN_GO(un_history_pack(&t, u->run, &w->kept[index], &w->kept_bytes[index]));
done:
    un_trainer_close(&t);
    free(log);
    return status;
}

static int leads(const work *w) { return un_cluster_rank(w->ranks) == 0; }

/* Where a unit's result goes: to the team of the final run. */
static un_status send_selection(work *w, size_t index) {
    const unit *u = &w->units[index];
    size_t to = u->team;
    for (size_t i = 0; i < w->unit_count; i++)
        if (w->units[i].kind == FINAL && w->units[i].training == u->training) to = w->units[i].team;
    if (to == w->team) return UNSEEN_OK;
    if (leads(w))
        UN_TRY(un_cluster_post(un_cluster_all(), to * w->per_run, (int)index, w->kept[index],
                               w->kept_bytes[index]));
    free(w->kept[index]);
    w->kept[index] = NULL;
    return UNSEEN_OK;
}

/* From another team to the first of this one, and to all of it. */
static un_status receive_selection(work *w, size_t index) {
    size_t from = w->units[index].team * w->per_run, bytes = 0;
    if (leads(w))
        UN_TRY(un_cluster_fetch(un_cluster_all(), from, (int)index, w->options->stop,
                                &w->kept[index], &w->kept_bytes[index]));
    bytes = w->kept_bytes[index];
    UN_TRY(un_cluster_broadcast(w->ranks, 0, &bytes, sizeof bytes));
    w->kept_bytes[index] = bytes;
    if (!leads(w)) UN_TRY(un_alloc(bytes, 1, &w->kept[index]));
    return un_cluster_broadcast(w->ranks, 0, w->kept[index], bytes);
}

static un_status receive_selections(work *w, trainer *t, size_t training) {
    for (size_t i = 0; i < w->unit_count; i++) {
        const unit *u = &w->units[i];
        if (u->kind != SELECTION || u->training != training) continue;
        if (u->team != w->team) UN_TRY(receive_selection(w, i));
        UN_TRY(un_history_unpack(t, u->run, w->kept[i], w->kept_bytes[i]));
        free(w->kept[i]);
        w->kept[i] = NULL;
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

static un_status run_final(work *w, trainer *t, size_t training) {
    int found = 0;
    UN_TRY(un_checkpoint_load(t, &found));
    if (found && !un_run_is_final(t))
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s.checkpoint is of one process, which was stopped before its last run: go "
                       "on with one, or remove it",
                       t->options->output);
    if (!found) {
        UN_TRY(receive_selections(w, t, training));
        UN_TRY(gather_logs(w, t, training));
        UN_TRY(un_train_begin_final(t));
    }
    UN_TRY(un_train_run(t));
    return un_train_finish(t, NULL, &w->results[training]);
}

static un_status do_final(work *w, size_t training) {
    const un_train_options o = options_of(w, training);
    trainer t;
    un_status status = un_trainer_open(&t, &o);
    if (!status) status = run_final(w, &t, training);
    un_trainer_close(&t);
    return status;
}

static un_status do_units(work *w) {
    for (size_t i = 0; i < w->unit_count; i++) {
        const unit *u = &w->units[i];
        if (u->team != w->team) continue;
        if (u->kind == SELECTION) {
            UN_TRY(do_selection(w, i));
            UN_TRY(send_selection(w, i));
        } else if (u->kind == FINAL) {
            UN_TRY(do_final(w, u->training));
        } else {
            const un_train_options o = options_of(w, u->training);
            UN_TRY(un_train(&o, NULL, &w->results[u->training]));
        }
    }
    return UNSEEN_OK;
}

/* ---- before ---- */

/* Rank 0: checks a training, locks its output, and looks how it stands. */
static un_status look(work *w, size_t training) {
    un_train_options o = options_of(w, training);
    trainer t;
    char *path = NULL;
    un_status status = un_train_check(&o);
    UN_TRY(status);
    UN_GO(un_trainer_open(&t, &o));
    if (!t.to_file || (o.log_path && !un_output_is_file(o.log_path)))
        UN_GO(un_fail(UNSEEN_E_ARGUMENT, "several ranks want files for model and log, not %s",
                      t.to_file ? o.log_path : o.output));
    UN_GO(un_train_lock(o.output, &w->locks[training]));
    UN_GO(un_checkpoint_path(&t, &path));
    w->state[training] = un_path_exists(path) ? IN_FINAL_RUN : OPEN;
    for (size_t r = 0; r < w->selection_runs && !o.resume; r++) {
        free(path);
        path = NULL;
        UN_GO(un_format(&path, "%s.run%zu.checkpoint", o.output, r + 1));
        if (un_path_exists(path))
            UN_GO(un_fail(UNSEEN_E_ARGUMENT,
                          "%s is left from a training that was stopped: go on with --resume, or "
                          "remove it",
                          path));
    }
    UN_GO(un_train_find_finished(&t, NULL, &w->results[training]));
    if (w->results[training]) w->state[training] = FINISHED;
done:
    un_trainer_close(&t);
    free(path);
    return status;
}

/* What all runs share and one of them computes first (freeze) is computed by rank 0. */
static un_status make_frozen(work *w) {
    const un_method_learner *learner = w->options->class->learner;
    size_t s = 0;
    while (s < w->count && w->state[s] == FINISHED) s++;
    if (s == w->count || !learner || !learner->freeze) return UNSEEN_OK;
    const un_train_options o = options_of(w, s);
    trainer t;
    un_status status = un_trainer_open(&t, &o);
    if (!status) status = un_run_open(&t);
    un_trainer_close(&t);
    return status;
}

static un_status look_at_all(work *w) {
    for (size_t s = 0; s < w->count; s++) UN_TRY(look(w, s));
    return make_frozen(w);
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

static un_status make_identity(const work *w, char **text) {
    const un_train_options o = options_of(w, 0);
    trainer t;
    un_status status = un_trainer_open(&t, &o);
    if (!status) status = un_json_text(t.identity, text);
    un_trainer_close(&t);
    return status;
}

static un_status compare_ranks(const work *w) {
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

/* The results of final runs, all to rank 0. */
static un_status collect(work *w) {
    un_cluster *all = un_cluster_all();
    for (size_t i = 0; i < w->unit_count; i++) {
        const unit *u = &w->units[i];
        int tag = (int)(w->unit_count + u->training);
        char *text = NULL;
        size_t length = 0;
        if (u->kind == SELECTION || u->team == 0) continue;
        if (w->team == u->team && leads(w)) {
            UN_TRY(un_json_text(w->results[u->training], &text));
            un_status status = un_cluster_post(all, 0, tag, text, strlen(text));
            free(text);
            UN_TRY(status);
        } else if (w->first) {
            UN_TRY(un_cluster_fetch(all, u->team * w->per_run, tag, w->options->stop,
                                    (void **)&text, &length));
            un_status status =
                un_json_parse(text, length, "the result of a rank", &w->results[u->training]);
            free(text);
            UN_TRY(status);
        }
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
    for (size_t i = 0; w->kept && i < w->unit_count; i++) free(w->kept[i]);
    for (size_t s = 0; s < w->count; s++) {
        if (w->results) json_decref(w->results[s]);
        if (w->locks) un_lock_release(&w->locks[s]);
    }
    free(w->kept);
    free(w->kept_bytes);
    free(w->units);
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
                       "a step of method %s cannot be split over ranks: without --ranks-per-run "
                       "they are dealt out over its runs",
                       o->class->name);
    if (ranks % w->per_run != 0)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%zu rank%s cannot be divided into teams of %zu: start a multiple of that "
                       "many (mpirun -n)",
                       ranks, ranks == 1 ? "" : "s", w->per_run);
    w->teams = ranks / w->per_run;
    w->team = rank / w->per_run;
    if (w->per_run == 1) return UNSEEN_OK;
    return un_cluster_split(un_cluster_all(), w->team, &w->ranks);
}

/* By all ranks. */
static un_status train_together(work *w) {
    UN_TRY(un_cluster_agree(open_work(w)));
    UN_TRY(compare_ranks(w));
    UN_TRY(un_cluster_agree(w->first ? look_at_all(w) : UNSEEN_OK));
    UN_TRY(un_cluster_broadcast(un_cluster_all(), 0, w->state, w->count));
    UN_TRY(un_cluster_agree(plan(w)));
    un_cluster_set_apart(leads(w));
    un_status status = do_units(w);
    if (!status) status = collect(w);
    un_cluster_set_apart(0);
    if (!status && w->first) status = remove_parts(w);
    return status;
}

/* By this process: each is told as soon as it is done. */
static un_status train_in_turn(const work *w, int want_models, un_train_done done, void *user) {
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
