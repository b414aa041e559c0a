/* manifest.c - what a trained model says of its training: see run.h. */
#include "base/json.h"
#include "base/status.h"
#include "data/dataset.h"
#include "tensor/gemm.h"
#include "train/run.h"

static json_t *history_json(const trainer *t) {
    json_t *runs = json_array();
    for (size_t r = 0; runs && r < t->selection_runs; r++) {
        json_t *list = json_array();
        for (size_t i = 0; list && i < t->history[r].count; i++) {
            const evaluation *e = &t->history[r].items[i];
            un_json_push(&list, json_pack("[I, o, o, o, o, o, o]", (json_int_t)e->epoch,
                                          un_json_number(e->T1), un_json_number(e->U),
                                          un_json_number(e->S), un_json_number(e->H),
                                          un_json_number(e->AUSUC), un_json_number(e->best_H)));
        }
        un_json_push(&runs, list);
    }
    return runs;
}

/* How the length and gamma were found. */
static json_t *selection_json(const trainer *t) {
    const un_train_options *o = t->options;
    json_t *sources = json_array();
    for (size_t r = 0; sources && r < t->selection_runs; r++)
        un_json_push(
            &sources,
            json_string(o->select == UN_SELECT_TEST ? "test sets" : o->dataset->folds[r].source));
    int fixed = un_method_has_fixed_length(o->class);
    const char *unit = o->class->closed_form ? "point" : "epochs";
    json_t *s = json_pack("{s:s, s:s, s:I, s:o}", "mode", un_select_text(o->select), "metric",
                          un_metric_names[t->selected.by], unit, (json_int_t)t->selected.epochs,
                          "runs", sources);
    if (s && fixed) un_json_put(&s, "fixed_length", json_true());
    if (s && o->class->closed_form)
        un_json_put(&s, "settings",
                    o->class->closed_form->settings(t->method, t->selected.epochs - 1));
    if (!s || !t->selected.has_gamma) return s;
    un_json_put(&s, "gamma", json_real(t->selected.gamma));
    un_json_put(&s, "gamma_decided", json_boolean(t->selected.gamma_decided));
    un_json_put(&s, "mean_metric", un_json_number(t->selected.metric));
    un_json_put(&s, "mean_T1", un_json_number(t->selected.T1));
    un_json_put(&s, "mean_H_at_gamma", un_json_number(t->selected.H));
    un_json_put(&s, "columns",
                json_string(o->class->closed_form ? "point, T1, U, S, H, AUSUC, best_H"
                                                  : "epoch, T1, U, S, H, AUSUC, best_H"));
    un_json_put(&s, "evaluations", history_json(t));
    return s;
}

static json_t *input_json(const un_features *f) {
    return json_pack("{s:s, s:I, s:I, s:[I, I], s:s, s:s, s:s}", "kind",
                     f->regions > 1 ? "regions" : "pooled", "regions", (json_int_t)f->regions,
                     "width", (json_int_t)f->width, "grid", (json_int_t)f->grid_height,
                     (json_int_t)f->grid_width, "features", f->name, "sha256",
                     f->sha256 ? f->sha256 : "", "recipe", f->recipe ? f->recipe : "{}");
}

/* What the model learned from, where it is not the whole of trainval and nothing else. */
static un_status add_learned(const trainer *t, json_t *data) {
    const un_task *task = &t->task;
    if (t->options->all) UN_TRY(un_json_set(data, UN_TRAINED_ON, json_string(UN_TRAINED_ON_ALL)));
    if (task->absent > 0)
        UN_TRY(
            un_json_set(data, "images_without_features", json_integer((json_int_t)task->absent)));
    if (task->untrained_count == 0) return UNSEEN_OK;
    return un_json_set(data, "untrained_classes",
                       un_json_strings(task->untrained, task->untrained_count));
}

un_status un_train_manifest(const trainer *t, json_t **out) {
    const un_train_options *o = t->options;
    const char *known = un_split_known_name(o->dataset->split_hash);
    json_t *manifest = json_pack(
        "{s:s, s:s, s:s, s:s, s:O, s:O, s:I, s:s, s:I, s:o, s:{s:s, s:s, s:o}, s:o, s:s, s:b}",
        "program", "unseen", "version", unseen_version(), "method", o->class->name, "preset",
        o->preset ? o->preset : o->class->presets[0].name, "config", t->config, "files", t->files,
        "seed", (json_int_t)o->seed, "precision",
        un_precision_name(un_precision_resolve(o->precision)), "steps", (json_int_t)t->steps_done,
        "input", input_json(o->features), "data", "name", o->dataset->name, "split_hash",
        o->dataset->split_hash, "split_name", known ? json_string(known) : json_null(), "selection",
        selection_json(t), "score_unit", o->class->score_unit, "trained_with_unseen_attribute_rows",
        o->class->trains_with_unseen_rows);
    if (!manifest) return un_fail_memory(0);
    un_status status = add_learned(t, json_object_get(manifest, "data"));
    if (!status) status = un_json_set(manifest, "identity", json_incref(t->identity));
    const char *way = un_train_bf16_way(o);
    if (!status && way) status = un_json_set(manifest, "bf16_way", json_string(way));
    if (status)
        json_decref(manifest);
    else
        *out = manifest;
    return status;
}
