/* report_facts.c - what the sections of the page of report.h say the same of: names, counts, orders. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "picture/report.h"

const char *un_report_text(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "?";
}

const char *un_report_kind(int seen) { return seen ? "seen" : "unseen"; }

double un_report_fold(const json_t *manifest) {
    const json_t *selection = json_object_get(manifest, "selection");
    const json_t *mean = json_object_get(selection, "mean_metric");
    int measured = !strcmp(un_report_text(selection, "mode"), "validation") &&
                   !strcmp(un_report_text(selection, "metric"), "AUSUC") && json_is_number(mean);
    return measured ? json_number_value(mean) : (double)NAN;
}

/* ---- classes ---- */

static const json_t *class_at(const json_t *result, size_t k) {
    return json_array_get(json_object_get(result, "classes"), k);
}

size_t un_report_pictures(const json_t *result, size_t k) {
    return (size_t)json_integer_value(json_object_get(class_at(result, k), "images"));
}

un_report_counts un_report_count(const json_t *result) {
    un_report_counts n = {0};
    for (size_t k = 0; k < json_array_size(json_object_get(result, "classes")); k++) {
        int seen = json_is_true(json_object_get(class_at(result, k), "seen"));
        size_t pictures = un_report_pictures(result, k);
        *(seen ? &n.seen : &n.unseen) += 1;
        *(seen ? &n.seen_pictures : &n.unseen_pictures) += pictures;
    }
    return n;
}

/* A class where it is to be sorted. */
typedef struct {
    size_t number;
    int seen;
    double accuracy; /* 2: none was measured */
} place;

static int by_place(const void *a, const void *b) {
    const place *x = a, *y = b;
    if (x->seen != y->seen) return x->seen - y->seen;
    if (x->accuracy < y->accuracy || x->accuracy > y->accuracy)
        return x->accuracy < y->accuracy ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

un_status un_report_class_order(const json_t *result, size_t **out, size_t *count) {
    size_t n = json_array_size(json_object_get(result, "classes"));
    place *places = NULL;
    *out = NULL;
    *count = n;
    UN_TRY(un_alloc(n, sizeof *places, &places));
    un_status status = un_alloc(n, sizeof **out, out);
    for (size_t k = 0; k < n && !status; k++) {
        const json_t *c = class_at(result, k), *accuracy = json_object_get(c, "accuracy");
        places[k] = (place){k, json_is_true(json_object_get(c, "seen")),
                            json_is_number(accuracy) ? json_number_value(accuracy) : 2};
    }
    if (!status && n > 0) qsort(places, n, sizeof *places, by_place);
    for (size_t k = 0; k < n && !status; k++) (*out)[k] = places[k].number;
    free(places);
    return status;
}

/* ---- models ---- */

size_t un_report_group_of(const un_report *report, size_t i) {
    for (size_t g = 0; g < report->group_count; g++)
        for (size_t k = 0; k < report->groups[g].count; k++)
            if (report->groups[g].models[k] == i) return g;
    return 0;
}

void un_report_name(FILE *out, const un_report_model *m) {
    static const char ending[] = ".model";
    size_t n = strlen(m->name), cut = sizeof ending - 1;
    char *name = strdup(m->name);
    if (name && n > cut && !strcmp(name + n - cut, ending)) name[n - cut] = '\0';
    un_html_text(out, name ? name : m->name);
    free(name);
}

void un_report_group_name(FILE *out, const un_report *report, size_t g) {
    const un_report_group *group = &report->groups[g];
    if (group->count == 1) {
        un_report_name(out, &report->models[group->models[0]]);
        return;
    }
    un_html_text(out, group->method);
    if (group->summary)
        fprintf(out, " (%lld seeds)",
                (long long)json_integer_value(json_object_get(group->summary, "n")));
}

/* ---- pictures ---- */

int un_report_at_top(const un_report_model *m, size_t i) {
    for (size_t k = 0; k < i; k++)
        if (m->pictures[k].right == m->pictures[i].right &&
            m->pictures[k].truth_seen == m->pictures[i].truth_seen)
            return 0;
    return 1;
}
