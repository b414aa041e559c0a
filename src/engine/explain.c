/* explain.c - see explain.h; its folder of files is made in explain_files.c. */
#include "engine/explain.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/names.h"
#include "engine/loader.h"

static un_status find_class(const un_classifier *c, const char *name, size_t *out) {
    un_name_index index;
    un_name_report report;
    char *names[] = {(char *)(uintptr_t)name};
    UN_TRY(un_name_index_make(&index, c->classes.names, c->classes.count));
    un_status status = un_names_match(&index, names, 1, out, &report);
    un_name_index_free(&index);
    UN_TRY(status);
    if (report.missing.count == 0) return UNSEEN_OK;
    return un_fail(UNSEEN_E_ARGUMENT, "%s knows no class %s", un_classifier_name(c),
                   report.missing.text);
}

/* The answer and what it is compared with. */
static un_status select_classes(const un_classifier *c, const un_explain_options *options,
                                un_explanation *e) {
    size_t best[2] = {0};
    size_t count = un_classifier_top(c, e->scores, options->among, 2, best);
    if (count == 0)
        return un_fail(UNSEEN_E_ARGUMENT, "%s has no such classes", un_classifier_name(c));
    e->answer = best[0];
    if (options->instead_of) {
        UN_TRY(find_class(c, options->instead_of, &e->other));
    } else if (count < 2) {
        return un_fail(UNSEEN_E_ARGUMENT, "there is only one class to choose from");
    } else {
        e->other = best[1];
    }
    return UNSEEN_OK;
}

un_explain_model un_explain_model_of(const un_method_class *class, double gamma,
                                     const un_class_table *classes, size_t answer, size_t other) {
    return (un_explain_model){.class = class,
                              .gamma = gamma,
                              .names = {classes->names[answer], classes->names[other]},
                              .seen = {classes->seen[answer], classes->seen[other]}};
}

static un_status keep_model(const un_classifier *c, un_explanation *e) {
    e->model = un_explain_model_of(c->model.method->class, c->model.gamma, &c->classes, e->answer,
                                   e->other);
    for (int k = 0; k < 2; k++) {
        char *name = NULL;
        UN_TRY(un_arena_string(&e->arena, e->model.names[k], &name));
        e->model.names[k] = name;
    }
    return UNSEEN_OK;
}

/* The logarithm of a probability as the method gave it. */
static double log_probability(const un_explanation *e, int side) {
    double p = (double)e->scores[side == UN_ANSWER ? e->answer : e->other];
    return log(fmax(p + (e->model.seen[side] ? e->model.gamma : 0), 1e-37));
}

static double gap_of(const un_explanation *e) {
    if (un_method_scores_are_probabilities(e->model.class) && e->found)
        return log_probability(e, UN_ANSWER) - log_probability(e, UN_OTHER);
    return (double)e->scores[e->answer] - (double)e->scores[e->other];
}

void un_explain_add_up(const un_method *method, un_explanation *e) {
    size_t A = e->attribute_count;
    double sum = 0;
    e->gap = gap_of(e);
    const float *rows = e->model.class->attribute_scores->class_rows(method);
    for (size_t i = 0; i < A; i++) {
        e->contribution[i] =
            un_explain_found(e, i) * (rows[e->answer * A + i] - rows[e->other * A + i]);
        sum += (double)e->contribution[i];
    }
    e->constant = (float)(e->gap - sum);
}

/* ---- descriptions side by side ---- */

static int is_used(const un_classifier *c, size_t m) {
    const un_method *method = c->model.method;
    const un_method_attribute_scores *made = method->class->attribute_scores;
    return !made || !made->made_of || made->made_of(method, m);
}

static un_status copy_names(const un_class_semantics *m, un_arena *arena, char **out) {
    for (size_t i = 0; i < m->width; i++) {
        char text[128];
        snprintf(text, sizeof text, "%.90s %zu", m->name, i);
        UN_TRY(un_arena_string(arena, m->attributes ? m->attributes[i] : text, &out[i]));
    }
    return UNSEEN_OK;
}

static void copy_values(const un_class_semantics *m, size_t classes, size_t at, un_explanation *e) {
    size_t bytes = m->width * sizeof(float);
    memcpy(e->described[UN_ANSWER] + at, m->values + e->answer * m->width, bytes);
    memcpy(e->described[UN_OTHER] + at, m->values + e->other * m->width, bytes);
    for (size_t k = 0; k < classes; k++)
        for (size_t i = 0; i < m->width; i++)
            e->mean[at + i] += (double)m->values[k * m->width + i] / (double)classes;
}

/* Names and values of the attributes, of the semantics that scores are made of. */
static un_status describe(const un_classifier *c, un_explanation *e) {
    const un_class_table *t = &c->classes;
    size_t A = 0, at = 0, used = 0;
    for (size_t m = 0; m < t->semantics_count; m++) {
        if (!is_used(c, m)) continue;
        A += t->semantics[m].width;
        used++;
    }
    e->attribute_count = A;
    UN_TRY(un_arena_alloc(&e->arena, A, sizeof *e->attributes, &e->attributes));
    UN_TRY(un_arena_alloc(&e->arena, A, sizeof *e->mean, &e->mean));
    for (int k = 0; k < 2; k++)
        UN_TRY(un_arena_alloc(&e->arena, A, sizeof(float), &e->described[k]));
    for (size_t m = 0; m < t->semantics_count; m++) {
        const un_class_semantics *from = &t->semantics[m];
        if (!is_used(c, m)) continue;
        e->has_names |= from->attributes || used > 1;
        UN_TRY(copy_names(from, &e->arena, e->attributes + at));
        copy_values(from, t->count, at, e);
        at += from->width;
    }
    return UNSEEN_OK;
}

/* ---- contributions ---- */

/* A + 1 descriptions of the answer; in row i its value i is the other class's. */
static un_status make_swaps(const un_classifier *c, const un_explanation *e, un_arena *arena,
                            un_class_table *table) {
    size_t A = e->attribute_count, at = 0;
    for (size_t k = 0; k < table->semantics_count; k++) {
        const un_class_semantics *m = &c->classes.semantics[k];
        const float *answer = m->values + e->answer * m->width;
        const float *other = m->values + e->other * m->width;
        float *rows = NULL;
        UN_TRY(un_arena_alloc(arena, (A + 1) * m->width, sizeof *rows, &rows));
        for (size_t i = 0; i <= A; i++)
            memcpy(rows + i * m->width, answer, m->width * sizeof *rows);
        table->semantics[k].values = rows;
        if (!is_used(c, k)) continue;
        for (size_t j = 0; j < m->width; j++) rows[(at + j) * m->width + j] = other[j];
        at += m->width;
    }
    return UNSEEN_OK;
}

/* Contributions of any method: A descriptions of the answer, each with one attribute of the other
 * class, and the answer itself last. */
static un_status swap_attributes(un_classifier *c, const float *features, un_explanation *e) {
    size_t A = e->attribute_count;
    un_class_table table = c->classes;
    un_arena arena = {0};
    float *scores = NULL;
    double sum = 0;
    un_method *method = c->model.method;
    un_status status = UNSEEN_OK;
    table.count = A + 1;
    UN_GO(un_arena_alloc(&arena, A + 1, sizeof *table.names, &table.names));
    UN_GO(un_arena_alloc(&arena, A + 1, 1, &table.seen));
    UN_GO(un_arena_alloc(&arena, A + 1, sizeof *scores, &scores));
    memset(table.seen, c->classes.seen[e->answer], A + 1);
    for (size_t i = 0; i <= A; i++) table.names[i] = c->classes.names[e->answer];
    UN_GO(make_swaps(c, e, &arena, &table));
    UN_GO(method->class->set_classes(method, &table));
    UN_GO(method->class->score(method, features, 1, scores));
    for (size_t i = 0; i < A; i++) {
        e->contribution[i] = scores[A] - scores[i];
        sum += (double)e->contribution[i];
    }
    e->constant = (float)(e->gap - sum);
done:
    un_arena_free(&arena);
    if (method->class->set_classes(method, &c->classes) && !status)
        status = un_fail_prefix(UNSEEN_E_MEMORY, "the model's classes");
    return status;
}

static un_status read_attributes(un_classifier *c, const float *features, un_explanation *e) {
    const un_method_class *class = c->model.method->class;
    size_t maps = e->branches * e->attribute_count * e->grid_height * e->grid_width;
    if (class->attribute_scores) {
        UN_TRY(un_arena_alloc(&e->arena, e->attribute_branches * e->attribute_count, sizeof(float),
                              &e->found));
        UN_TRY(class->attribute_scores->score(c->model.method, features, e->found));
    }
    if (class->maps) {
        UN_TRY(un_arena_alloc(&e->arena, maps, sizeof(float), &e->maps));
        un_status status = class->maps->attend(c->model.method, features, e->maps);
        if (status == UNSEEN_E_UNSUPPORTED) { /* this model was trained without */
            e->maps = NULL;
            e->branches = 0;
        } else if (status) {
            return status;
        }
    }
    UN_TRY(un_arena_alloc(&e->arena, e->attribute_count, sizeof(float), &e->contribution));
    if (!class->attribute_scores) {
        e->gap = gap_of(e);
        return swap_attributes(c, features, e);
    }
    un_explain_add_up(c->model.method, e);
    return UNSEEN_OK;
}

/* A copy of the attention over groups, where the method and this model have it. */
static un_status read_groups(un_classifier *c, const float *features, un_explanation *e) {
    un_method *method = c->model.method;
    un_group_attention g;
    float *share = NULL, *even = NULL;
    const char **names = NULL;
    if (!method->class->group_attention) return UNSEEN_OK;
    un_status status = method->class->group_attention->attend(method, features, &g);
    if (status == UNSEEN_E_UNSUPPORTED) return UNSEEN_OK;
    UN_TRY(status);
    UN_TRY(un_arena_alloc(&e->arena, g.count, sizeof *share, &share));
    UN_TRY(un_arena_alloc(&e->arena, g.count, sizeof *even, &even));
    memcpy(share, g.share, g.count * sizeof *share);
    memcpy(even, g.even, g.count * sizeof *even);
    UN_TRY(un_arena_alloc(&e->arena, g.count, sizeof *names, &names));
    for (size_t i = 0; i < g.count; i++) {
        char *name = NULL;
        UN_TRY(un_arena_string(&e->arena, g.names[i], &name));
        names[i] = name;
    }
    e->groups = (un_group_attention){g.count, names, share, even};
    return UNSEEN_OK;
}

/* The crop, and the features of it unless they are given. */
static un_status see(un_classifier *c, const unseen_picture *from, un_explanation *e,
                     float *features) {
    float *picture = NULL;
    if (from->features)
        memcpy(features, from->features, c->model.regions * c->model.width * sizeof *features);
    if (from->features && !from->cropped) return UNSEEN_OK;
    UN_TRY(un_crop_given(from, 0, &c->recipe, 0, &e->crop, &e->where));
    if (from->features) return UNSEEN_OK;
    UN_TRY(un_alloc(c->recipe.crop * c->recipe.crop * 3, sizeof *picture, &picture));
    un_recipe_normalize(&c->recipe, &e->crop, picture);
    un_status status = un_classifier_features(c, picture, 1, features);
    free(picture);
    return status;
}

un_status un_explain(un_classifier *c, const unseen_picture *picture,
                     const un_explain_options *options, un_explanation *e) {
    float *features = NULL;
    un_status status = UNSEEN_OK;
    const un_method_class *class = c->model.method->class;
    *e = (un_explanation){.branches = un_method_map_branches(class),
                          .attribute_branches =
                              class->attribute_scores ? class->attribute_scores->branches : 0,
                          .grid_height = c->grid_height,
                          .grid_width = c->grid_width};
    UN_GO(un_alloc(c->model.regions * c->model.width, sizeof *features, &features));
    UN_GO(un_arena_alloc(&e->arena, c->classes.count, sizeof(float), &e->scores));
    UN_GO(see(c, picture, e, features));
    UN_GO(un_classifier_score(c, features, 1, 1, e->scores));
    UN_GO(select_classes(c, options, e));
    UN_GO(keep_model(c, e));
    UN_GO(describe(c, e));
    UN_GO(read_groups(c, features, e));
    UN_GO(read_attributes(c, features, e));
done:
    free(features);
    if (status) un_explanation_free(e);
    return status;
}

void un_explanation_free(un_explanation *e) {
    un_image_free(&e->crop);
    un_arena_free(&e->arena);
    *e = (un_explanation){0};
}

/* ---- what is shown ---- */

/* Attribute numbers of out[A], the largest |value| first, ties by number. */
static void order_by_amount(const float *values, size_t count, size_t *out) {
    for (size_t i = 0; i < count; i++) { /* insertion: a few hundred attributes */
        size_t at = i;
        while (at > 0 && fabsf(values[i]) > fabsf(values[out[at - 1]])) {
            out[at] = out[at - 1];
            at--;
        }
        out[at] = i;
    }
}

float un_explain_found(const un_explanation *e, size_t i) {
    float sum = 0;
    for (size_t b = 0; b < e->attribute_branches; b++) sum += e->found[b * e->attribute_count + i];
    return sum;
}

static int is_listed(const size_t *list, size_t count, size_t number) {
    for (size_t k = 0; k < count; k++)
        if (list[k] == number) return 1;
    return 0;
}

un_status un_explain_select(const un_explanation *e, size_t top, un_explain_selection *out) {
    size_t A = e->attribute_count;
    un_status status = UNSEEN_OK;
    *out = (un_explain_selection){.count = top < A ? top : A};
    UN_GO(un_arena_alloc(&out->arena, A, sizeof(size_t), &out->by_contribution));
    order_by_amount(e->contribution, A, out->by_contribution);
    UN_GO(un_arena_alloc(&out->arena, out->count, sizeof(size_t), &out->for_answer));
    UN_GO(un_arena_alloc(&out->arena, out->count, sizeof(size_t), &out->against));
    for (size_t k = 0; k < A; k++) {
        size_t i = out->by_contribution[k];
        if (e->contribution[i] > 0 && out->for_count < out->count)
            out->for_answer[out->for_count++] = i;
        if (e->contribution[i] < 0 && out->against_count < out->count)
            out->against[out->against_count++] = i;
    }
    if (e->found) {
        UN_GO(un_arena_alloc(&out->arena, out->count, sizeof(size_t), &out->by_score));
        size_t used = 0;
        for (size_t i = 0; i < A; i++) { /* insertion: the list is short */
            float score = un_explain_found(e, i);
            size_t at = used;
            while (at > 0 && score > un_explain_found(e, out->by_score[at - 1])) at--;
            if (at >= out->count) continue;
            if (used < out->count) used++;
            memmove(out->by_score + at + 1, out->by_score + at,
                    (used - 1 - at) * sizeof *out->by_score);
            out->by_score[at] = i;
        }
        UN_GO(un_arena_alloc(&out->arena, out->count, sizeof(size_t), &out->only_found));
        for (size_t k = 0; k < out->count; k++)
            if (!is_listed(out->for_answer, out->for_count, out->by_score[k]) &&
                !is_listed(out->against, out->against_count, out->by_score[k]))
                out->only_found[out->only_found_count++] = out->by_score[k];
    }
done:
    if (status) un_explain_selection_free(out);
    return status;
}

void un_explain_selection_free(un_explain_selection *selection) {
    un_arena_free(&selection->arena);
    *selection = (un_explain_selection){0};
}

int un_explain_shown(const un_explain_selection *s, size_t number) {
    return is_listed(s->only_found, s->only_found_count, number) ||
           is_listed(s->for_answer, s->for_count, number) ||
           is_listed(s->against, s->against_count, number);
}

/* ---- on which side the attributes are, and what decides where they speak against the answer ----
 */

double un_explain_constant(const un_explanation *e) {
    double largest = fmax(fabs((double)e->scores[e->answer]), fabs((double)e->scores[e->other]));
    largest = fmax(largest, fabs(e->gap));
    double constant = (double)e->constant;
    return fabs(constant) > 1e-4 * largest ? constant : 0;
}

/* What else than attributes is on the answer's side, each in the unit of scores. */
typedef struct {
    double calibration; /* gamma, if it is taken from one of the two only */
    double rest;        /* of the constant: a bias, or what attributes do together */
} remainder_of;

static remainder_of remainder_parts(const un_explanation *e) {
    const un_explain_model *m = &e->model;
    remainder_of r = {.calibration = m->gamma * (m->seen[UN_OTHER] - m->seen[UN_ANSWER])};
    /* Logarithms are of probabilities before any gamma. */
    int log_scale = e->found && un_method_scores_are_probabilities(m->class);
    double rest = un_explain_constant(e) - (log_scale ? 0 : r.calibration);
    r.rest = fabs(rest) > 1e-4 * fmax(fabs(e->gap), fabs(r.calibration)) ? rest : 0;
    return r;
}

/* What decides, and the sentence about it. */
static void describe_decision(const un_explanation *e, un_explain_verdict *v) {
    const un_explain_model *m = &e->model;
    const char *answer = m->names[UN_ANSWER], *other = m->names[UN_OTHER];
    size_t size = sizeof v->decides;
    remainder_of r = remainder_parts(e);
    if (e->scores[e->answer] < e->scores[e->other]) {
        v->decided_by = UN_DECIDED_BY_CANDIDATES;
        snprintf(v->decides, size, "%.80s scores higher, but is not among the classes asked for",
                 other);
    } else if (r.calibration <= 0 && r.rest <= 0) {
        v->decided_by = UN_DECIDED_BY_NOTHING;
        snprintf(v->decides, size, "the two score alike, and %.80s comes first", answer);
    } else if (r.calibration >= r.rest) {
        v->decided_by = UN_DECIDED_BY_CALIBRATION;
        snprintf(v->decides, size,
                 "a bonus for %s classes won it: gamma %.4g is taken from the scores of seen "
                 "classes",
                 m->gamma < 0 ? "seen" : "unseen", m->gamma);
    } else if (e->found) {
        v->decided_by = UN_DECIDED_BY_BIAS;
        snprintf(v->decides, size,
                 "a bonus for unseen classes won it: the method adds %.4g to their scores%s",
                 r.rest, r.calibration > 0 ? ", with calibration" : "");
    } else {
        v->decided_by = UN_DECIDED_BY_INTERACTION;
        snprintf(v->decides, size, "what they do together decides, %+.4g%s", r.rest,
                 r.calibration > 0 ? ", with calibration" : "");
    }
}

void un_explain_judge(const un_explanation *e, un_explain_verdict *out) {
    *out = (un_explain_verdict){.decided_by = UN_DECIDED_BY_ATTRIBUTES};
    for (size_t i = 0; i < e->attribute_count; i++) {
        double x = (double)e->contribution[i];
        *(x > 0 ? &out->in_favour : &out->against) += x;
    }
    double sum = out->in_favour + out->against;
    if (sum > 0) return;
    if (sum < 0)
        snprintf(out->attributes, sizeof out->attributes, "%s attributes speak for %.80s (%+.3g)",
                 e->found ? "The" : "One by one the", e->model.names[UN_OTHER], sum);
    else
        snprintf(out->attributes, sizeof out->attributes,
                 "The attributes speak for neither of the two");
    describe_decision(e, out);
}
