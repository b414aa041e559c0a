/* report_learning.c - learning curves for the report, from a manifest and a CSV log. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "data/readers/csv.h"
#include "engine/report_parts.h"

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
    } wanted[] = {{5, "AUSUC, percent"}, {1, "T1, percent"}, {6, "best H, percent"}};
    const json_t *selection = json_object_get(manifest, "selection");
    const json_t *runs = json_object_get(selection, "evaluations");
    const json_t *names = json_object_get(selection, "runs");
    size_t n = json_array_size(runs);
    if (n > MAX_RUNS) n = MAX_RUNS;
    for (size_t w = 0; w < sizeof wanted / sizeof *wanted && n > 0; w++) {
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
                const json_t *y = json_array_get(row, wanted[w].column);
                series[r].y[i] = json_is_number(y) ? json_number_value(y) : (double)NAN;
            }
            series[r].count = points;
        }
        plots[(*count)++] = (un_report_plot){wanted[w].title, 1, series, n};
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
                       "%s is no log of `unseen train`: run, epoch or loss is missing", csv->path);
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
