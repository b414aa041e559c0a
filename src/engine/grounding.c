/* grounding.c - see grounding.h. */
#include "engine/grounding.h"

#include <stdlib.h>

#include "base/json.h"

enum { MOST_IMAGES = 1000 };

static json_t *recovered_json(const un_recovered *r) {
    return json_pack("{s:I, s:f, s:f, s:f, s:f}", "images", (json_int_t)r->count, "in_group",
                     r->in_group, "in_group_prior", r->in_group_prior, "among_all", r->among_all,
                     "among_all_prior", r->among_all_prior);
}

un_status un_grounding_recovery(const un_evaluation *e, json_t **out) {
    static const char *const names[] = {"seen", "unseen"};
    const un_index_list *lists[] = {&e->task.seen, &e->task.unseen};
    un_method *method = e->model.method;
    if (!method->class->text_probe)
        return un_fail(UNSEEN_E_UNSUPPORTED, "%s hides no attributes that it could recover",
                       method->class->name);
    json_t *recovery = json_object();
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < 2 && !status; i++) {
        un_recovered r;
        if (lists[i]->count == 0) continue; /* splits without pictures of seen classes */
        status = method->class->text_probe->recovery(method, &e->task.classes, &e->features,
                                                     e->task.labels, lists[i], &r);
        if (!status) status = un_json_set(recovery, names[i], recovered_json(&r));
    }
    if (status)
        json_decref(recovery);
    else
        *out = recovery;
    return status;
}

json_t *un_attention_titles_json(const un_method_class *class, int attention) {
    json_t *titles = json_array();
    for (size_t b = 0; attention && b < un_method_map_branches(class); b++)
        un_json_push(&titles, json_string(class->maps->titles[b]));
    return titles;
}

void un_group_attention_order(const un_group_attention *a, size_t *out) {
    for (size_t g = 0; g < a->count; g++) { /* insertion: some dozens of groups */
        size_t at = g;
        while (at > 0 && a->share[g] * a->even[out[at - 1]] > a->share[out[at - 1]] * a->even[g]) {
            out[at] = out[at - 1];
            at--;
        }
        out[at] = g;
    }
}

json_t *un_group_attention_json(const un_group_attention *a) {
    size_t *order = NULL;
    if (un_alloc(a->count, sizeof *order, &order)) return NULL;
    un_group_attention_order(a, order);
    json_t *list = json_array();
    for (size_t i = 0; i < a->count && list; i++) {
        size_t g = order[i];
        if (json_array_append_new(list, json_pack("{s:s, s:f, s:f}", "name", a->names[g], "share",
                                                  (double)a->share[g], "even",
                                                  (double)a->even[g])) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    free(order);
    return list;
}

/* The i-th test image, the seen ones first. */
static int64_t test_image(const un_task *t, size_t i) {
    return i < t->seen.count ? t->seen.items[i] : t->unseen.items[i - t->seen.count];
}

/* Sums over images, then divides; the arrays of `mean` are in the arena. */
static un_status average_groups(const un_evaluation *e, un_arena *arena, size_t n,
                                un_group_attention *mean) {
    un_method *method = e->model.method;
    size_t tests = e->task.seen.count + e->task.unseen.count;
    un_group_attention one;
    float *row = NULL, *share = NULL;
    double *sums = NULL;
    UN_TRY(un_arena_alloc(arena, e->features.regions * e->features.width, sizeof *row, &row));
    for (size_t i = 0; i < n; i++) {
        int64_t image = test_image(&e->task, i * tests / n);
        un_features_gather_f32(&e->features, &image, 1, row);
        UN_TRY(method->class->text_probe->group_attention(method, row, &one));
        if (!sums) UN_TRY(un_arena_alloc(arena, one.count, sizeof *sums, &sums));
        for (size_t g = 0; g < one.count; g++) sums[g] += (double)one.share[g] / (double)n;
    }
    UN_TRY(un_arena_alloc(arena, one.count, sizeof *share, &share));
    for (size_t g = 0; g < one.count; g++) share[g] = (float)sums[g];
    *mean = one;
    mean->share = share;
    return UNSEEN_OK;
}

un_status un_grounding_groups(const un_evaluation *e, json_t **out) {
    const un_method_class *class = e->model.method->class;
    size_t tests = e->task.seen.count + e->task.unseen.count;
    size_t n = tests < MOST_IMAGES ? tests : MOST_IMAGES;
    un_group_attention mean;
    un_arena arena = {0};
    un_status status = UNSEEN_OK;
    if (!class->text_probe || n == 0)
        return un_fail(UNSEEN_E_UNSUPPORTED, "%s pays no attention to groups of attributes",
                       class->name);
    UN_GO(average_groups(e, &arena, n, &mean));
    *out =
        json_pack("{s:I, s:o}", "images", (json_int_t)n, "groups", un_group_attention_json(&mean));
    if (!*out) status = un_fail_memory(0);
done:
    un_arena_free(&arena);
    return status;
}
