/* report.c - see report.h. */
#include "protocol/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv_writer.h"
#include "base/file.h"
#include "base/json.h"
#include "method/methods.h"

static json_t *accuracy_json(const un_accuracy *a) {
    return json_pack("{s:o, s:o, s:o, s:o}", "gamma", un_json_number(a->gamma), "U",
                     un_json_number(a->U), "S", un_json_number(a->S), "H", un_json_number(a->H));
}

static un_status add_classes(json_t *result, const un_predictions *p, double gamma) {
    const un_class_table *classes = p->classes;
    un_class_accuracy *table = NULL;
    UN_TRY(un_alloc(classes->count, sizeof *table, &table));
    un_status status = un_class_accuracies(p, gamma, table);
    json_t *list = json_array();
    for (size_t c = 0; c < classes->count && !status; c++)
        status = un_json_append(list, json_pack("{s:s, s:b, s:I, s:o, s:o}", "name",
                                                classes->names[c], "seen", (int)classes->seen[c],
                                                "images", (json_int_t)table[c].images, "accuracy",
                                                un_json_number(table[c].accuracy), "zero_shot",
                                                un_json_number(table[c].zero_shot)));
    free(table);
    if (!status) return un_json_set(result, "classes", list);
    json_decref(list);
    return status;
}

static un_status add_curve(json_t *result, const un_predictions *p) {
    un_curve curve;
    UN_TRY(un_curve_make(&curve, p));
    un_best_gamma best;
    un_status status = un_curve_best_gamma(&curve, 1, &best);
    if (!status) status = un_json_set(result, "AUSUC", un_json_number(un_curve_area(&curve)));
    if (!status) status = un_json_set(result, "H_best_curve", un_json_number(best.mean_h));
    if (!status) {
        size_t j = un_curve_locate(&curve, best.gamma);
        json_t *point =
            isnan(best.mean_h)
                ? json_null()
                : json_pack("{s:f, s:f, s:f, s:f, s:s}", "H", best.mean_h, "U", curve.U[j], "S",
                            curve.S[j], "gamma", best.gamma, "chosen_on", "test");
        status = un_json_set(result, "best_curve", point);
    }
    un_curve_free(&curve);
    return status;
}

static un_status add_top5(json_t *result, const un_predictions *p, const un_result_context *c) {
    double t1 = 0, u = 0, s = 0;
    int rank = c->gamma == p->rank_gamma ? UN_RANK_CALIBRATED : UN_RANK_NATIVE;
    UN_TRY(un_top_k(p, UN_RANK_UNSEEN_ONLY, 1, 5, &t1));
    UN_TRY(un_top_k(p, rank, 1, 5, &u));
    UN_TRY(un_top_k(p, rank, 0, 5, &s));
    return un_json_set(result, "top5",
                       json_pack("{s:o, s:o, s:o}", "T1", un_json_number(t1), "U",
                                 un_json_number(u), "S", un_json_number(s)));
}

static un_status add_selected(json_t *result, const un_predictions *p, const un_result_context *c) {
    static const char *const keys[] = {"validation", "selected_on_test"};
    size_t selected = !c->has_selected_gamma ? 2 : !strcmp(c->selection, UN_SELECTED_ON_TEST);
    un_accuracy at;
    UN_TRY(un_accuracy_at(p, c->selected_gamma, &at));
    for (size_t k = 0; k < 2; k++)
        UN_TRY(un_json_set(result, keys[k], k == selected ? accuracy_json(&at) : json_null()));
    return UNSEEN_OK;
}

static un_status fill(json_t *result, const un_predictions *p, const un_result_context *c) {
    un_accuracy at, native;
    UN_TRY(un_accuracy_at(p, c->gamma, &at));
    UN_TRY(un_accuracy_at(p, 0, &native));
    UN_TRY(un_json_set(result, "method", json_string(c->method)));
    UN_TRY(un_json_set(result, "T1", un_json_number(at.T1)));
    UN_TRY(un_json_set(result, "U", un_json_number(at.U)));
    UN_TRY(un_json_set(result, "S", un_json_number(at.S)));
    UN_TRY(un_json_set(result, "H", un_json_number(at.H)));
    UN_TRY(un_json_set(result, "gamma", un_json_number(c->gamma)));
    UN_TRY(un_json_set(result, "gamma_source", json_string(c->gamma_source)));
    UN_TRY(un_json_set(result, "score_unit", json_string(c->score_unit)));
    UN_TRY(un_json_set(result, "calibration",
                       *c->calibration ? json_string(c->calibration) : json_null()));
    UN_TRY(un_json_set(result, "native", accuracy_json(&native)));
    UN_TRY(add_selected(result, p, c));
    UN_TRY(add_curve(result, p));
    UN_TRY(un_json_set(result, "per_image",
                       json_pack("{s:o, s:o, s:o, s:o}", "T1", un_json_number(at.image_T1), "U",
                                 un_json_number(at.image_U), "S", un_json_number(at.image_S), "H",
                                 un_json_number(at.image_H))));
    UN_TRY(add_top5(result, p, c));
    UN_TRY(un_json_set(result, "selection", json_string(c->selection)));
    UN_TRY(un_json_set(result, "split_hash", json_string(c->split_hash)));
    UN_TRY(un_json_set(result, "seed", json_integer((json_int_t)c->seed)));
    return add_classes(result, p, c->gamma);
}

un_status un_result_json(const un_predictions *predictions, const un_result_context *context,
                         json_t **out) {
    json_t *result = json_object();
    if (!result) return un_fail_memory(0);
    un_status status = fill(result, predictions, context);
    if (status)
        json_decref(result);
    else
        *out = result;
    return status;
}

const json_t *un_result_selected(const json_t *result) {
    const json_t *on_test = json_object_get(result, "selected_on_test");
    if (json_is_object(on_test)) return on_test;
    const json_t *validation = json_object_get(result, "validation");
    return json_is_object(validation) ? validation : NULL;
}

un_status un_result_name_selected(json_t *result) {
    const char *selection = json_string_value(json_object_get(result, "selection"));
    if (json_object_get(result, "selected_on_test")) return UNSEEN_OK; /* of today */
    const int on_test = selection && !strcmp(selection, UN_SELECTED_ON_TEST);
    json_t *accuracy = on_test ? json_object_get(result, "validation") : NULL;
    UN_TRY(un_json_set(result, "selected_on_test", accuracy ? json_incref(accuracy) : json_null()));
    return on_test ? un_json_set(result, "validation", json_null()) : UNSEEN_OK;
}

un_status un_result_write_classes(const char *path, const un_predictions *p,
                                  const un_result_context *context) {
    const un_class_table *classes = p->classes;
    un_class_accuracy *table = NULL;
    un_csv_writer c = {0};
    UN_TRY(un_alloc(classes->count, sizeof *table, &table));
    un_status status = un_class_accuracies(p, context->gamma, table);
    if (!status) status = un_csv_writer_open(&c);
    if (!status) {
        un_csv_writer_print(&c, "class,seen,images,accuracy,zero_shot,selection");
        un_csv_writer_row(&c);
        for (size_t k = 0; k < classes->count; k++) {
            un_csv_writer_text(&c, classes->names[k]);
            un_csv_writer_print(&c, "%d,%zu", classes->seen[k], table[k].images);
            un_csv_writer_number(&c, table[k].accuracy);
            un_csv_writer_number(&c, table[k].zero_shot);
            un_csv_writer_text(&c, context->selection);
            un_csv_writer_row(&c);
        }
        status = un_csv_writer_write(&c, path);
    }
    free(table);
    return status;
}

un_status un_result_write_curve(const char *path, const un_predictions *p,
                                const un_result_context *context) {
    un_curve curve;
    un_csv_writer c = {0};
    UN_TRY(un_curve_make(&curve, p));
    un_status status = un_csv_writer_open(&c);
    if (!status) {
        un_csv_writer_print(&c, "gamma_from,gamma_to,U,S,H,selection");
        un_csv_writer_row(&c);
        for (size_t j = 0; j < curve.count; j++) {
            un_csv_writer_number(&c, j > 0 ? curve.threshold[j - 1] : (double)-INFINITY);
            un_csv_writer_number(&c, j + 1 < curve.count ? curve.threshold[j] : (double)INFINITY);
            un_csv_writer_number(&c, curve.U[j]);
            un_csv_writer_number(&c, curve.S[j]);
            un_csv_writer_number(&c, un_harmonic(curve.U[j], curve.S[j]));
            un_csv_writer_text(&c, context->selection);
            un_csv_writer_row(&c);
        }
        status = un_csv_writer_write(&c, path);
    }
    un_curve_free(&curve);
    return status;
}

un_status un_result_write_confusion(const char *path, const un_predictions *p,
                                    const un_result_context *context) {
    size_t C = p->classes->count;
    uint32_t *counts = NULL;
    un_csv_writer c = {0};
    UN_TRY(un_alloc(C * C, sizeof *counts, &counts));
    un_confusion(p, context->gamma, counts);
    un_status status = un_csv_writer_open(&c);
    if (!status) {
        un_csv_writer_print(&c, "true_class,chosen_class,images,selection");
        un_csv_writer_row(&c);
        for (size_t i = 0; i < C * C; i++) {
            if (counts[i] == 0) continue;
            un_csv_writer_text(&c, p->classes->names[i / C]);
            un_csv_writer_text(&c, p->classes->names[i % C]);
            un_csv_writer_print(&c, "%u", counts[i]);
            un_csv_writer_text(&c, context->selection);
            un_csv_writer_row(&c);
        }
        status = un_csv_writer_write(&c, path);
    }
    free(counts);
    return status;
}

static const json_t *find_value(const json_t *result, const char *group, const char *key) {
    return json_object_get(group ? json_object_get(result, group) : result, key);
}

/* One word for how several models were selected. */
static const char *common_selection(const json_t *results) {
    const char *first = NULL;
    int mixed = 0, on_test = 0;
    for (size_t i = 0; i < json_array_size(results); i++) {
        const char *text =
            json_string_value(json_object_get(json_array_get(results, i), "selection"));
        if (!text) text = "none";
        if (!first) first = text;
        mixed |= strcmp(first, text) != 0;
        on_test |= !strcmp(text, UN_SELECTED_ON_TEST);
    }
    if (!mixed) return first ? first : "none";
    return on_test ? "mixed, partly selected on test" : "mixed";
}

/* Whether an earlier result is of the same run as result i. */
static int is_repeated(const json_t *results, size_t i) {
    const json_t *r = json_array_get(results, i);
    const char *method = json_string_value(json_object_get(r, "method"));
    const un_method_class *class = NULL;
    int closed = method && un_method_find(method, &class) == UNSEEN_OK && class->closed_form;
    for (size_t k = 0; k < i; k++)
        if (closed || json_equal(json_object_get(json_array_get(results, k), "seed"),
                                 json_object_get(r, "seed")))
            return 1;
    return 0;
}

un_status un_result_runs(const json_t *results, json_t **out) {
    json_t *runs = json_array();
    un_status status = runs ? UNSEEN_OK : un_fail_memory(0);
    for (size_t i = 0; i < json_array_size(results) && !status; i++)
        if (!is_repeated(results, i))
            status = un_json_append(runs, json_incref(json_array_get(results, i)));
    if (status)
        json_decref(runs);
    else
        *out = runs;
    return status;
}

/* One number of every result. */
typedef struct {
    const json_t *results;
    const char *group, *key;
} figure;

static double number_of(const void *from, size_t i) {
    const figure *f = from;
    const json_t *value = find_value(json_array_get(f->results, i), f->group, f->key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

un_status un_result_summary(const json_t *results, json_t **out) {
    static const struct {
        const char *group, *key, *name;
    } figures[] = {{NULL, "T1", "T1"},
                   {NULL, "U", "U"},
                   {NULL, "S", "S"},
                   {NULL, "H", "H"},
                   {NULL, "AUSUC", "AUSUC"},
                   {NULL, "H_best_curve", "H_best_curve"},
                   {"native", "U", "native_U"},
                   {"native", "S", "native_S"},
                   {"native", "H", "native_H"},
                   {"validation", "gamma", "validation_gamma"},
                   {"validation", "U", "validation_U"},
                   {"validation", "S", "validation_S"},
                   {"validation", "H", "validation_H"},
                   {"selected_on_test", "gamma", "selected_on_test_gamma"},
                   {"selected_on_test", "U", "selected_on_test_U"},
                   {"selected_on_test", "S", "selected_on_test_S"},
                   {"selected_on_test", "H", "selected_on_test_H"}};
    json_t *mean = json_object(), *sd = json_object(), *runs = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_result_runs(results, &runs));
    size_t n = json_array_size(runs);
    for (size_t w = 0; w < sizeof figures / sizeof *figures && n > 0; w++) {
        double m = 0, s = 0;
        const figure f = {runs, figures[w].group, figures[w].key};
        un_mean_deviation(number_of, &f, n, &m, &s);
        UN_GO(un_json_set(mean, figures[w].name, un_json_number(m)));
        UN_GO(un_json_set(sd, figures[w].name, un_json_number(s)));
    }
    *out = json_pack("{s:I, s:s, s:O, s:O}", "n", (json_int_t)n, "selection",
                     common_selection(results), "mean", mean, "sd", sd);
    if (!*out) status = un_fail_memory(0);
done:
    json_decref(runs);
    json_decref(mean);
    json_decref(sd);
    return status;
}
