/* steps.c - one run, step by step: see run.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/status.h"
#include "train/run.h"

/* Sums the loss terms of a step for the log. */
static un_status add_losses(trainer *t, const double *losses, double l2) {
    size_t terms = un_method_loss_count(t->options->class);
    double total = l2;
    for (size_t i = 0; i < terms; i++) {
        t->loss_sum[i] += losses[i];
        total += losses[i];
    }
    t->loss_sum[terms] += l2;
    t->loss_steps++;
    t->steps_done++;
    if (!isfinite(total))
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: the loss became infinite or not a number at step %llu; try %s",
                       t->task.name, (unsigned long long)t->steps_done,
                       t->options->class->closed_form ? "stronger regularisers" : "a lower lr");
    return UNSEEN_OK;
}

/* One gradient and one update. */
static un_status train_step(trainer *t) {
    const un_method_learner *learner = t->options->class->learner;
    double losses[UN_MAX_LOSSES] = {0};
    if (t->optimizer.settings.fresh && t->step == 0) un_optimizer_restart(&t->optimizer);
    if (learner->learning_rate)
        t->optimizer.settings.lr = learner->learning_rate(t->method, t->epoch);
    double l2 = 0;
    UN_TRY(un_shared_begin(&t->shared, &t->optimizer));
    UN_TRY(learner->step(t->method, t->epoch, t->step, losses));
    UN_TRY(un_shared_end(&t->shared, &l2));
    return add_losses(t, losses, l2);
}

/* Validation of a selection run, a plain log row of the final one. *stop: patience is over. */
static un_status evaluate(trainer *t, int *stop) {
    const un_train_options *o = t->options;
    if (un_run_is_final(t)) return un_train_log_row(t, NULL);
    un_predictions predictions;
    UN_TRY(o->class->set_classes(t->method, &t->task.classes));
    /* selection does not ask where classes rank */
    UN_TRY(un_predictions_make(&predictions, t->method, t->data.features, &t->task, (double)NAN,
                               o->ranks, NULL));
    history *h = &t->history[t->run];
    evaluation *e = NULL;
    /* A run that is capped within an epoch has begun it: no length is 0. */
    un_status status = un_history_add(t, t->epoch + (t->step > 0 ? 1 : 0), &predictions, &e);
    un_predictions_free(&predictions);
    if (status) return status;
    size_t patience = t->settings.patience;
    *stop = patience > 0 && h->count - 1 - h->best >= patience;
    return un_train_log_row(t, e);
}

/* The end of a run that is to stop; `status` is that of its checkpoint. */
static un_status stop_here(trainer *t, un_status status) {
    char *path = NULL;
    if (status)
        return un_fail_prefix(status, "stopped in %s after %llu steps; its state could not be kept",
                              t->task.name, (unsigned long long)t->steps_done);
    UN_TRY(un_checkpoint_path(t, &path));
    status = un_fail(UNSEEN_E_INTERRUPTED,
                     "stopped in %s after %llu steps; the state is in %s: go on with {--resume}",
                     t->task.name, (unsigned long long)t->steps_done, path);
    free(path);
    return status;
}

/* Ranks agree: to stop if one of them is to, and on a checkpoint when the first says so. */
static un_status agree(const trainer *t, int *stopped, int *due) {
    un_gathered all;
    const unsigned char own[] = {*stopped != 0, *due != 0};
    if (un_cluster_size(t->options->ranks) == 1) return UNSEEN_OK;
    UN_TRY(un_cluster_gather(t->options->ranks, own, sizeof own, &all));
    *due = all.data[1];
    for (size_t r = 0; r < all.count; r++) *stopped |= all.data[all.begin[r]];
    un_gathered_free(&all);
    /* Of a team that stops all know it, for the first has to tell other teams, and none gives up soon
     * what these still do. */
    if (*stopped && t->options->stop) *t->options->stop = 1;
    return UNSEEN_OK;
}

/* Writes a checkpoint when it is time; says so if the run is to stop now. */
static un_status maybe_checkpoint(trainer *t) {
    const un_train_options *o = t->options;
    if (o->between) UN_TRY(o->between(o->between_user));
    int stopped = o->stop && *o->stop;
    double now = un_now();
    int due = t->to_file && o->checkpoint_seconds > 0 &&
              now - t->last_checkpoint >= o->checkpoint_seconds;
    UN_TRY(agree(t, &stopped, &due));
    if (!stopped && !due) return UNSEEN_OK;
    if (!o->output)
        return un_fail(UNSEEN_E_INTERRUPTED,
                       "stopped in %s after %llu steps; without an output nothing is kept",
                       t->task.name, (unsigned long long)t->steps_done);
    if (!t->to_file)
        return un_fail(UNSEEN_E_INTERRUPTED,
                       "stopped in %s after %llu steps; the state is not kept, because %s is no "
                       "file that it could lie beside",
                       t->task.name, (unsigned long long)t->steps_done, o->output);
    un_status status = un_checkpoint_save(t);
    t->last_checkpoint = un_now();
    if (!stopped) {
        /* The training itself is well; the disk may have room again next time. */
        if (status) un_log(UNSEEN_LOG_WARNING, "no checkpoint this time: %s", un_error());
        return UNSEEN_OK;
    }
    return stop_here(t, status);
}

/* Goes one step on in epoch and step; evaluates where an epoch ends that asks for it. */
static un_status advance(trainer *t, size_t epochs, int *stop) {
    size_t every = t->settings.evaluate_every;
    int capped = t->options->max_steps > 0 && t->steps_done >= t->options->max_steps;
    if (++t->step == un_run_epoch_steps(t)) {
        t->step = 0;
        t->epoch++;
        if (t->epoch % every == 0 || t->epoch == epochs || capped) UN_TRY(evaluate(t, stop));
    } else if (capped) {
        UN_TRY(evaluate(t, stop));
    }
    if (capped) *stop = 1;
    return UNSEEN_OK;
}

/* Has the system read the next step's images while this one computes. The method draws them anew
 * when their turn comes: microseconds (for DEM, of an epoch) beside a step's milliseconds. */
static un_status read_ahead(trainer *t) {
    const int64_t *images = NULL;
    size_t n = 0;
    const un_method_learner *learner = t->options->class->learner;
    if (!learner->plan) return UNSEEN_OK;
    size_t step = t->step + 1 < un_run_epoch_steps(t) ? t->step + 1 : 0;
    size_t epoch = step == 0 ? t->epoch + 1 : t->epoch;
    UN_TRY(learner->plan(t->method, epoch, step, &images, &n));
    un_features_prefetch(t->data.features, images, n);
    return UNSEEN_OK;
}

static un_status run_step(trainer *t, un_progress *progress, int *stop) {
    UN_TRY(read_ahead(t));
    UN_TRY(train_step(t));
    UN_TRY(advance(t, un_run_epochs(t), stop));
    un_progress_update(progress,
                       t->options->class->learner->steps_before(t->method, t->epoch) + t->step);
    return UNSEEN_OK;
}

/* A closed form: a point of its grid, from 1, stands where an epoch does elsewhere. */
static un_status run_point(trainer *t, un_progress *progress, int *stop) {
    double losses[UN_MAX_LOSSES] = {0};
    size_t point = 0;
    int more = 0;
    UN_TRY(un_history_next_point(t, &point, &more));
    if (!more) {
        *stop = 1;
        return UNSEEN_OK;
    }
    UN_TRY(t->options->class->closed_form->fit(t->method, point, losses));
    UN_TRY(add_losses(t, losses, 0));
    t->epoch = point + 1;
    UN_TRY(evaluate(t, stop));
    un_progress_update(progress, un_run_is_final(t) ? t->epoch : t->history[t->run].count);
    return UNSEEN_OK;
}

un_status un_train_run(trainer *t) {
    const un_method_class *class = t->options->class;
    size_t epochs = un_run_epochs(t);
    un_progress progress;
    char label[64];
    int stop = 0;
    un_status status = UNSEEN_OK;
    snprintf(label, sizeof label, "train %s, %s", class->name, t->task.name);
    un_progress_begin(&progress, label, class->closed_form ? "points" : "steps",
                      class->closed_form ? epochs
                                         : class->learner->steps_before(t->method, epochs));
    while (!stop && (class->closed_form || t->epoch < epochs) && !status) {
        status =
            class->closed_form ? run_point(t, &progress, &stop) : run_step(t, &progress, &stop);
        if (!status && !stop) status = maybe_checkpoint(t);
    }
    un_progress_end(&progress);
    status = un_run_blame(t, status);
    if (t->shared.waited > 0)
        un_log(UNSEEN_LOG_DEBUG,
               "%s: %.2f s of %.2f waiting for gradients and values of other ranks", t->task.name,
               t->shared.waited, un_now() - t->run_started);
    return status;
}
