/* report.c - see report.h; the pictures are in report_pictures.c. */
#include "engine/report.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/status.h"
#include "data/parts.h"
#include "data/readers/text.h"
#include "data/split.h"
#include "engine/evaluation.h"
#include "protocol/localisation.h"
#include "train/identity.h"

enum {
    LARGEST = 5 * 1024 * 1024,     /* the page */
    IMAGE_BYTES = 3 * 1024 * 1024, /* JPEG, which base64 makes a third larger */
    PICTURES = 12,                 /* right, wrong, and pairs, of a single model */
    LEAD_PICTURES = 4              /* of the model that comes first, at least */
};

/* A report in the making. */
typedef struct {
    const un_report_options *options;
    const un_dataset *dataset;
    un_report_model *models;
    un_curve *curves;
    const json_t **manifests; /* the models' own */
    json_t *results;
    un_report_group *groups;
    size_t group_count;
    size_t *members; /* [models] of all groups */
    size_t done;     /* models that hold something */
    size_t lead;     /* the model that comes first */
    int by_fold;     /* as it was best on validation folds */
    un_arena arena;
} maker;

/* ---- models that differ in their seed only ---- */

static int same_but_seed(const json_t *a, const json_t *b) {
    json_t *one = NULL, *other = NULL;
    int same = un_identity_of_manifest(a, &one) == UNSEEN_OK &&
               un_identity_of_manifest(b, &other) == UNSEEN_OK &&
               un_identity_same_but_seed(one, other);
    json_decref(one);
    json_decref(other);
    return same;
}

/* Sorts the models into groups by their manifests, in the order given. */
static un_status make_groups(maker *m, const json_t *const *manifests) {
    size_t n = m->options->model_count, used = 0;
    unsigned char *taken = NULL;
    UN_TRY(un_arena_alloc(&m->arena, n, sizeof *m->groups, &m->groups));
    UN_TRY(un_arena_alloc(&m->arena, n, sizeof *m->members, &m->members));
    UN_TRY(un_arena_alloc(&m->arena, n, 1, &taken));
    for (size_t i = 0; i < n; i++) {
        if (taken[i]) continue;
        const json_t *input = json_object_get(manifests[i], "input");
        const char *features = json_string_value(json_object_get(input, "features"));
        const char *method = json_string_value(json_object_get(manifests[i], "method"));
        un_report_group *g = &m->groups[m->group_count++];
        *g = (un_report_group){.method = method ? method : "?",
                               .features = features ? features : "",
                               .models = m->members + used};
        for (size_t k = i; k < n; k++) {
            if (taken[k] || !same_but_seed(manifests[i], manifests[k])) continue;
            taken[k] = 1;
            m->members[used++] = k;
            g->count++;
        }
    }
    return UNSEEN_OK;
}

/* Whether model i is the first of its group: the pictures of the others are not shown. */
static int is_first(const maker *m, size_t i) {
    for (size_t g = 0; g < m->group_count; g++)
        if (m->groups[g].models[0] == i) return 1;
    return 0;
}

/* The page begins with the model that was best on validation folds, before any test, if all can be
 * compared by that; else with the first. */
static void choose_lead(maker *m) {
    double most = -INFINITY;
    m->by_fold = m->options->model_count > 1;
    for (size_t i = 0; i < m->options->model_count; i++)
        if (isnan(un_report_fold(m->manifests[i]))) m->by_fold = 0;
    for (size_t g = 0; g < m->group_count && m->by_fold; g++) {
        const un_report_group *group = &m->groups[g];
        double mean = 0;
        for (size_t k = 0; k < group->count; k++)
            mean += un_report_fold(m->manifests[group->models[k]]) / (double)group->count;
        if (!(mean > most)) continue;
        most = mean;
        m->lead = group->models[0];
    }
}

/* Means over the runs of each group. */
static un_status summarise(maker *m) {
    for (size_t g = 0; g < m->group_count; g++) {
        un_report_group *group = &m->groups[g];
        json_t *results = json_array(), *runs = NULL, *summary = NULL, *localisation = NULL;
        un_status status = UNSEEN_OK;
        for (size_t k = 0; k < group->count && !status; k++)
            status =
                un_json_append(results, json_incref(json_array_get(m->results, group->models[k])));
        if (!status) status = un_result_runs(results, &runs);
        int several = json_array_size(runs) > 1;
        if (!status && several) status = un_result_summary(runs, &summary);
        if (!status && several) status = un_localisation_summary(runs, &localisation);
        if (!status && !several)
            localisation = json_incref(
                json_object_get(json_array_get(m->results, group->models[0]), "localisation"));
        json_decref(runs);
        json_decref(results);
        group->summary = summary;
        group->localisation = localisation;
        UN_TRY(status);
    }
    return UNSEEN_OK;
}

/* ---- learning curves, from a manifest and a CSV log ---- */

enum { MAX_PLOTS = 6, MAX_RUNS = 16, MAX_COLUMNS = 64 };

static un_status new_series(un_arena *arena, const char *name, size_t capacity,
                            un_report_series *out) {
    char *copy = NULL;
    UN_TRY(un_arena_string(arena, name, &copy));
    out->name = copy;
    out->count = 0;
    UN_TRY(un_arena_alloc(arena, capacity, sizeof(double), &out->x));
    return un_arena_alloc(arena, capacity, sizeof(double), &out->y);
}

/* The name of run r; folds of one source are told apart by their number. */
static const char *run_name(const json_t *names, size_t r, char *text, size_t size) {
    const char *name = json_string_value(json_array_get(names, r));
    size_t same = 0, before = 0;
    for (size_t i = 0; i < json_array_size(names) && name; i++) {
        const char *other = json_string_value(json_array_get(names, i));
        if (!other || strcmp(other, name) != 0) continue;
        same++;
        before += i < r;
    }
    if (!name) name = "run";
    if (same < 2) return name;
    snprintf(text, size, "%.200s %zu", name, before + 1);
    return text;
}

/* The evaluations of the selection runs: [[epoch, T1, U, S, H, AUSUC, best_H], …] a run. */
static un_status add_evaluations(const json_t *manifest, un_arena *arena, un_report_plot *plots,
                                 size_t *count) {
    static const struct {
        size_t column;
        const char *title;
    } columns[] = {{5, "AUSUC, percent"}, {1, "T1, percent"}, {6, "best H, percent"}};
    const json_t *selection = json_object_get(manifest, "selection");
    const json_t *runs = json_object_get(selection, "evaluations");
    const json_t *names = json_object_get(selection, "runs");
    size_t n = json_array_size(runs);
    if (n > MAX_RUNS) n = MAX_RUNS;
    for (size_t w = 0; w < sizeof columns / sizeof *columns && n > 0; w++) {
        un_report_series *series = NULL;
        UN_TRY(un_arena_alloc(arena, n, sizeof *series, &series));
        for (size_t r = 0; r < n; r++) {
            const json_t *run = json_array_get(runs, r);
            size_t points = json_array_size(run);
            char text[256];
            UN_TRY(
                new_series(arena, run_name(names, r, text, sizeof text), points + 1, &series[r]));
            for (size_t i = 0; i < points; i++) {
                const json_t *row = json_array_get(run, i);
                series[r].x[i] = json_number_value(json_array_get(row, 0));
                const json_t *y = json_array_get(row, columns[w].column);
                series[r].y[i] = json_is_number(y) ? json_number_value(y) : (double)NAN;
            }
            series[r].count = points;
        }
        plots[(*count)++] = (un_report_plot){columns[w].title, 1, series, n};
    }
    return UNSEEN_OK;
}

static size_t find_column(char **header, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++)
        if (!strcmp(header[i], name)) return i;
    return n;
}

/* The losses of every run in a log. */
static un_status read_log(un_csv *csv, un_arena *arena, un_report_series *series, size_t *runs) {
    char *fields[MAX_COLUMNS];
    size_t n = 0, lines = 0, delimiters = 0;
    un_csv_bounds(csv, &lines, &delimiters);
    UN_TRY(un_csv_next(csv, fields, MAX_COLUMNS, &n));
    size_t run = find_column(fields, n, "run"), epoch = find_column(fields, n, "epoch");
    size_t loss = find_column(fields, n, "loss"), columns = n;
    if (run == n || epoch == n || loss == n)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s is no log of {`unseen train`|unseen_train}: run, epoch or loss is "
                       "missing",
                       csv->path);
    while (*csv->at) {
        double x = 0, y = 0;
        UN_TRY(un_csv_next(csv, fields, MAX_COLUMNS, &n));
        if (n == 1 && !*fields[0]) continue;
        if (n != columns || un_csv_number(fields[epoch], &x))
            return un_fail(UNSEEN_E_FORMAT, "%s, line %zu: not a line of a training log", csv->path,
                           csv->line - 1);
        if (un_csv_number(fields[loss], &y)) y = (double)NAN; /* a run that diverged */
        size_t s = 0;
        while (s < *runs && strcmp(series[s].name, fields[run]) != 0) s++;
        if (s == MAX_RUNS) continue;
        if (s == *runs) {
            UN_TRY(new_series(arena, fields[run], lines + 1, &series[s]));
            (*runs)++;
        }
        series[s].x[series[s].count] = x;
        series[s].y[series[s].count++] = y;
    }
    return UNSEEN_OK;
}

static un_status add_losses(const char *path, un_arena *arena, un_report_plot *plots,
                            size_t *count) {
    un_csv csv;
    un_report_series *series = NULL;
    size_t runs = 0;
    UN_TRY(un_arena_alloc(arena, MAX_RUNS, sizeof *series, &series));
    UN_TRY(un_csv_open(&csv, path));
    un_status status = read_log(&csv, arena, series, &runs);
    un_csv_close(&csv);
    if (!status && runs > 0) plots[(*count)++] = (un_report_plot){"loss", 0, series, runs};
    return status;
}

un_status un_report_add_plots(const json_t *manifest, const char *log, un_arena *arena,
                              un_report_model *model) {
    un_report_plot *plots = NULL;
    UN_TRY(un_arena_alloc(arena, MAX_PLOTS, sizeof *plots, &plots));
    model->plots = plots;
    UN_TRY(add_evaluations(manifest, arena, plots, &model->plot_count));
    return log ? add_losses(log, arena, plots, &model->plot_count) : UNSEEN_OK;
}

/* ---- one model ---- */

/* What is measured for some methods only goes into the result; without it the page says nothing.
 * Nor does it where the data do not allow it: features of unknown crops, other semantics. */
static un_status add_extra(json_t *result, const char *key, un_status status, json_t *value) {
    if (status == UNSEEN_E_ARGUMENT) {
        un_log(UNSEEN_LOG_WARNING, "no %s in the report: %s", key, un_error());
        return UNSEEN_OK;
    }
    if (status == UNSEEN_E_UNSUPPORTED) return UNSEEN_OK;
    UN_TRY(status);
    return un_json_set(result, key, value);
}

static un_status add_measurements(const maker *m, const un_evaluation *e, json_t *result) {
    const un_method_class *class = e->model.method->class;
    json_t *value = NULL;
    un_status status = UNSEEN_OK;
    if (class->maps && m->dataset->image_root && m->dataset->images &&
        un_parts_exist(m->dataset->directory)) {
        status = un_localise(&e->model, m->dataset, &e->features, &e->task, &value);
        UN_TRY(add_extra(result, "localisation", status, value));
    }
    status = un_masked_prediction_measure(e, &value);
    UN_TRY(add_extra(result, "recovery", status, value));
    status = un_grounding_groups(e, &value);
    return add_extra(result, "group_attention", status, value);
}

/* Everything about one model; the evaluation ends with it. */
static un_status add_model(maker *m, size_t i) {
    const un_report_options *o = m->options;
    const un_evaluation_options options = {o->features, o->gamma};
    un_report_model *model = &m->models[i];
    un_evaluation e;
    json_t *result = NULL;
    char *base = NULL, *name = NULL;
    size_t each = PICTURES / m->group_count, least = i == m->lead ? LEAD_PICTURES : 2;
    un_status status = UNSEEN_OK;
    m->done = i + 1;
    UN_TRY(un_evaluation_make(&e, m->dataset, o->models[i], &options));
    report_pictures pictures = {.dataset = m->dataset,
                                .evaluation = &e,
                                .arena = &m->arena,
                                .budget = is_first(m, i) ? IMAGE_BYTES / m->group_count : 0,
                                .each = each < least ? least : each,
                                .model = model};
    UN_GO(un_path_base(o->models[i]->path, &base));
    UN_GO(un_arena_string(&m->arena, base, &name));
    model->name = name;
    UN_GO(un_evaluation_json(&e, &result));
    UN_GO(add_measurements(m, &e, result));
    UN_GO(un_json_append(m->results, json_incref(result)));
    model->result = result;
    model->manifest = m->manifests[i];
    model->branches = un_method_map_titles(e.model.method->class);
    model->branch_count = un_method_map_branches(e.model.method->class);
    UN_GO(un_curve_make(&m->curves[i], &e.predictions));
    model->curve = &m->curves[i];
    UN_GO(un_report_add_plots(e.model.manifest, i < o->log_count ? o->logs[i] : NULL, &m->arena,
                              model));
    UN_GO(un_report_add_pictures(&pictures));
    if (!is_first(m, i)) model->note = "Those of the first model with these settings are shown.";
    if (pictures.unreadable > 0)
        un_log(UNSEEN_LOG_WARNING, "%zu pictures could not be read and are not shown",
               pictures.unreadable);
done:
    /* Class names in pairs and pictures are the data set's, which stays open. */
    json_decref(result);
    free(base);
    un_evaluation_close(&e);
    return status;
}

static un_status write_page(maker *m, const char *path, size_t *bytes) {
    const char *known = un_split_known_name(m->dataset->split_hash);
    un_report report = {.dataset = m->dataset->name,
                        .split = known ? known : m->dataset->split_hash,
                        .models = m->models,
                        .count = m->options->model_count,
                        .groups = m->groups,
                        .group_count = m->group_count,
                        .lead = m->lead,
                        .by_fold = m->by_fold};
    char *text = NULL;
    UN_TRY(un_report_html(&report, &text, bytes));
    if (*bytes > LARGEST) {
        free(text);
        report.brief = 1;
        UN_TRY(un_report_html(&report, &text, bytes));
    }
    un_status status =
        *bytes > LARGEST
            ? un_fail(UNSEEN_E_UNSUPPORTED,
                      "the report would have %zu bytes, more than the %d it may have; give fewer "
                      "models",
                      *bytes, (int)LARGEST)
            : un_file_write(path, text, *bytes);
    free(text);
    return status;
}

static void release(maker *m) {
    for (size_t i = 0; i < m->done; i++) {
        un_report_images_free(&m->models[i]);
        if (m->models[i].curve) un_curve_free(&m->curves[i]);
    }
    for (size_t g = 0; g < m->group_count; g++) {
        json_decref((json_t *)(uintptr_t)m->groups[g].summary);
        json_decref((json_t *)(uintptr_t)m->groups[g].localisation);
    }
    json_decref(m->results);
    un_arena_free(&m->arena);
}

un_status un_report_make(const un_report_options *o, const char *path, size_t *bytes) {
    maker m = {.options = o, .dataset = o->dataset, .results = json_array()};
    un_status status = UNSEEN_OK;
    size_t n = o->model_count;
    UN_GO(un_arena_alloc(&m.arena, n, sizeof *m.models, &m.models));
    UN_GO(un_arena_alloc(&m.arena, n, sizeof *m.curves, &m.curves));
    UN_GO(un_arena_alloc(&m.arena, n, sizeof(json_t *), &m.manifests));
    for (size_t i = 0; i < n; i++) m.manifests[i] = o->models[i]->model.manifest;
    UN_GO(make_groups(&m, m.manifests));
    choose_lead(&m);
    for (size_t i = 0; i < n; i++) UN_GO(add_model(&m, i));
    UN_GO(summarise(&m));
    UN_GO(write_page(&m, path, bytes));
done:
    release(&m);
    return status;
}
