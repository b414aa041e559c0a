/* report_pictures.c - the confused pairs and the pictures of a report; see report.h. */
#include "engine/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/status.h"
#include "engine/explain.h"
#include "engine/loader.h"
#include "picture/canvas.h"
#include "vision/image/image.h"
#include "vision/image/recipe.h"

enum { SIDE = 224, QUALITY = 80, MOST_CLASSES = 1000 /* of a matrix that is shown */ };

/* What is needed to show one picture. */
typedef struct {
    report_pictures *r;
    un_recipe recipe;
    int has_maps;                   /* the method has attention, and the crop is the network's */
    float *row, *scores;            /* [R, F], [C] */
    float *maps, *found;            /* [branches, A, h, w], [attribute branches, A] */
    float *contribution;            /* [A] */
    size_t grid_height, grid_width; /* h, w */
} painter;

/* Data set number of test picture i, in the order of the predictions. */
static int64_t image_of(const un_evaluation *e, size_t i) {
    size_t seen = e->predictions.seen_count;
    return i < seen ? e->task.seen.items[i] : e->task.unseen.items[i - seen];
}

static int32_t decision(const un_evaluation *e, size_t i) {
    return un_prediction_decide(&e->predictions.items[i], e->context.gamma);
}

/* The recipe of the features; 1 if they have one, else the usual one to show something. */
static int read_recipe(const un_features *features, un_recipe *out) {
    json_t *recipe = NULL;
    char *text = NULL;
    un_recipe_default(out);
    int known = un_json_parse(features->recipe, strlen(features->recipe), features->name,
                              &recipe) == UNSEEN_OK;
    const json_t *preprocess = json_object_get(recipe, "preprocess");
    known = known && json_is_object(preprocess) && un_json_text(preprocess, &text) == UNSEEN_OK &&
            un_recipe_parse(text, features->name, out) == UNSEEN_OK;
    if (!known) un_recipe_default(out);
    free(text);
    json_decref(recipe);
    return known;
}

static un_status painter_open(painter *p, report_pictures *r) {
    const un_evaluation *e = r->evaluation;
    const un_method_class *class = e->model.method->class;
    size_t A = e->task.classes.semantics[0].width, R = e->features.regions;
    *p = (painter){
        .r = r, .grid_height = e->features.grid_height, .grid_width = e->features.grid_width};
    un_method_grid(e->model.method, &p->grid_height, &p->grid_width);
    size_t cells = p->grid_height * p->grid_width;
    int known = read_recipe(&e->features, &p->recipe);
    if (!known) p->recipe.orientation = r->dataset->orientation;
    /* Fused semantics would make longer rows than these. */
    p->has_maps = known && class->maps && class->attribute_scores && R > 1 &&
                  e->task.classes.semantics_count == 1;
    if (!p->has_maps) return UNSEEN_OK;
    UN_TRY(un_arena_alloc(r->arena, R * e->features.width, sizeof(float), &p->row));
    UN_TRY(un_arena_alloc(r->arena, e->task.classes.count, sizeof(float), &p->scores));
    UN_TRY(un_arena_alloc(r->arena, class->maps->branches * A * cells, sizeof(float), &p->maps));
    UN_TRY(un_arena_alloc(r->arena, A, sizeof(float), &p->contribution));
    return un_arena_alloc(r->arena, class->attribute_scores->branches * A, sizeof(float),
                          &p->found);
}

static un_status to_jpeg(report_pictures *r, const un_image *image, un_report_image *out) {
    UN_TRY(un_image_jpeg(image, QUALITY, &out->bytes, &out->size));
    if (out->size > r->budget) { /* the page must stay small: do without */
        free(out->bytes);
        *out = (un_report_image){0};
        r->budget = 0;
    } else {
        r->budget -= out->size;
    }
    return UNSEEN_OK;
}

/* What the network saw of a picture, small; empty where it cannot be read. */
static un_status read_crop(painter *p, int64_t image, un_image *out) {
    report_pictures *r = p->r;
    un_image picture = {0}, crop = {0};
    *out = (un_image){0};
    un_status status =
        un_load_image(r->dataset->image_root, r->dataset->images[image], &p->recipe, &picture);
    if (status == UNSEEN_E_IO || status == UNSEEN_E_FORMAT || status == UNSEEN_E_UNSUPPORTED) {
        if (r->unreadable++ == 0) un_log(UNSEEN_LOG_WARNING, "%s", un_error());
        return UNSEEN_OK;
    }
    if (!status) status = un_recipe_crop(&p->recipe, &picture, &crop, NULL);
    if (!status) status = un_image_resize(&crop, SIDE, SIDE, UN_BICUBIC, out);
    un_image_free(&picture);
    un_image_free(&crop);
    return status;
}

static un_status add_sample(painter *p, int64_t image, un_report_image *out) {
    un_image crop;
    UN_TRY(read_crop(p, image, &crop));
    un_status status = crop.pixels ? to_jpeg(p->r, &crop, out) : UNSEEN_OK;
    un_image_free(&crop);
    return status;
}

/* The best class but `predicted`, of calibrated scores. */
static size_t runner_up(const painter *p, size_t predicted) {
    const un_class_table *t = &p->r->evaluation->task.classes;
    size_t best = predicted;
    double most = -INFINITY;
    for (size_t k = 0; k < t->count; k++) {
        if (k == predicted || !((double)p->scores[k] > most)) continue;
        best = k;
        most = (double)p->scores[k];
    }
    return best;
}

/* What attributes do for `predicted` against `truth`, or against the next best class where that is
 * the same: the one whose maps are shown, and in words what won where they did not. */
static un_status judge(painter *p, size_t predicted, size_t truth, size_t *attribute,
                       un_report_picture *out) {
    const un_evaluation *e = p->r->evaluation;
    const un_method *method = e->model.method;
    size_t A = e->task.classes.semantics[0].width;
    un_explain_verdict verdict;
    char text[sizeof verdict.attributes + sizeof verdict.decides + 2];
    for (size_t k = 0; k < e->task.classes.count; k++)
        if (e->task.classes.seen[k]) p->scores[k] -= (float)e->context.gamma;
    size_t other = predicted == truth ? runner_up(p, predicted) : truth;
    un_explanation x = {.model = un_explain_model_of(method->class, e->context.gamma,
                                                     &e->task.classes, predicted, other),
                        .attribute_count = A,
                        .attribute_branches = method->class->attribute_scores->branches,
                        .scores = p->scores,
                        .found = p->found,
                        .answer = predicted,
                        .other = other,
                        .contribution = p->contribution};
    un_explain_add_up(method, &x);
    *attribute = 0;
    for (size_t i = 1; i < A; i++)
        if (x.contribution[i] > x.contribution[*attribute]) *attribute = i;
    out->attributes_against = x.contribution[*attribute] < 0;
    un_explain_judge(&x, &verdict);
    if (verdict.decided_by == UN_DECIDED_BY_ATTRIBUTES) return UNSEEN_OK;
    snprintf(text, sizeof text, "%s: %s", verdict.attributes, verdict.decides);
    return un_arena_string(p->r->arena, text, (char **)&out->verdict);
}

static un_status add_maps(painter *p, int64_t image, const un_image *crop, size_t predicted,
                          size_t truth, un_report_picture *out) {
    const un_evaluation *e = p->r->evaluation;
    un_method *method = e->model.method;
    const un_class_semantics *m = &e->task.classes.semantics[0];
    size_t A = m->width, cells = p->grid_height * p->grid_width, attribute = 0;
    un_features_gather_f32(&e->features, &image, 1, p->row);
    UN_TRY(method->class->score(method, p->row, 1, p->scores));
    un_status attended = method->class->maps->attend(method, p->row, p->maps);
    if (attended == UNSEEN_E_UNSUPPORTED) { /* this model was trained without */
        p->has_maps = 0;
        return UNSEEN_OK;
    }
    UN_TRY(attended);
    UN_TRY(method->class->attribute_scores->score(method, p->row, p->found));
    UN_TRY(judge(p, predicted, truth, &attribute, out));
    for (size_t b = 0; b < method->class->maps->branches && b + 1 < UN_REPORT_IMAGES; b++) {
        un_image heat;
        UN_TRY(un_heat_picture(crop, p->maps + (b * A + attribute) * cells, p->grid_height,
                               p->grid_width, &heat));
        un_status status = to_jpeg(p->r, &heat, &out->image[b + 1]);
        un_image_free(&heat);
        if (status) return status;
    }
    if (m->attributes)
        return un_arena_string(p->r->arena, m->attributes[attribute], (char **)&out->attribute);
    char text[96];
    snprintf(text, sizeof text, "%.50s %zu", m->name, attribute);
    return un_arena_string(p->r->arena, text, (char **)&out->attribute);
}

/* Adds test picture i; nothing if it cannot be read. */
static un_status add_picture(painter *p, size_t i, un_report_picture *list, size_t *count) {
    const un_evaluation *e = p->r->evaluation;
    const un_class_table *t = &e->task.classes;
    size_t truth = (size_t)e->predictions.items[i].label, predicted = (size_t)decision(e, i);
    size_t native = (size_t)un_prediction_decide(&e->predictions.items[i], 0);
    un_report_picture *out = &list[*count];
    un_image crop;
    if (p->r->budget == 0) return UNSEEN_OK;
    UN_TRY(read_crop(p, image_of(e, i), &crop));
    if (!crop.pixels) return UNSEEN_OK;
    *out = (un_report_picture){.truth = t->names[truth],
                               .predicted = t->names[predicted],
                               .right = truth == predicted,
                               .truth_seen = t->seen[truth],
                               .predicted_seen = t->seen[predicted],
                               .without_gamma = native == predicted ? NULL : t->names[native]};
    un_status status = to_jpeg(p->r, &crop, &out->image[0]);
    if (!status && p->has_maps && out->image[0].size > 0)
        status = add_maps(p, image_of(e, i), &crop, predicted, truth, out);
    un_image_free(&crop);
    (*count)++; /* also after a failure: its images are released with the list */
    return status;
}

/* `each` right or wrong pictures at even distances among those of begin .. end-1. */
static un_status add_some(painter *p, size_t begin, size_t end, int right, size_t each,
                          un_report_picture *list, size_t *count) {
    const un_evaluation *e = p->r->evaluation;
    size_t n = 0, seen = 0, taken = 0;
    for (size_t i = begin; i < end; i++)
        n += (decision(e, i) == e->predictions.items[i].label) == right;
    if (each > n) each = n;
    for (size_t i = begin; i < end && taken < each; i++) {
        if ((decision(e, i) == e->predictions.items[i].label) != right) continue;
        if (seen++ < taken * n / each + n / each / 2) continue; /* the middle of its share */
        taken++;
        UN_TRY(add_picture(p, i, list, count));
        UN_TRY(un_progress_step(&p->r->progress, p->r->progress.state.done + 1));
    }
    return UNSEEN_OK;
}

static un_status add_gallery(painter *p) {
    report_pictures *r = p->r;
    const un_predictions *predictions = &r->evaluation->predictions;
    un_report_picture *list = NULL;
    size_t half = (r->each + 1) / 2;
    UN_TRY(un_arena_alloc(r->arena, 4 * half, sizeof *list, &list));
    r->model->pictures = list;
    for (int right = 1; right >= 0; right--) {
        UN_TRY(add_some(p, predictions->seen_count, predictions->count, right, half, list,
                        &r->model->picture_count));
        UN_TRY(
            add_some(p, 0, predictions->seen_count, right, half, list, &r->model->picture_count));
    }
    return UNSEEN_OK;
}

/* The first picture of a class: a test picture, else one of training; -1: none. */
static int64_t example_of(const report_pictures *r, int32_t class) {
    const un_task *t = &r->evaluation->task;
    const un_index_list *lists[] = {&t->unseen, &t->seen, &t->train};
    for (size_t l = 0; l < 3; l++)
        for (size_t i = 0; i < lists[l]->count; i++)
            if (t->labels[lists[l]->items[i]] == class) return lists[l]->items[i];
    return -1;
}

static un_status fill_pair(painter *p, size_t truth, size_t predicted, un_report_pair *out) {
    const un_evaluation *e = p->r->evaluation;
    int64_t example = example_of(p->r, (int32_t)predicted);
    for (size_t i = 0; i < e->predictions.count && out->sample.size == 0; i++)
        if (e->predictions.items[i].label == (int32_t)truth &&
            decision(e, i) == (int32_t)predicted) {
            UN_TRY(add_sample(p, image_of(e, i), &out->sample));
            break;
        }
    return example >= 0 ? add_sample(p, example, &out->example) : UNSEEN_OK;
}

/* The confusion matrix, where it can be looked through, and its largest cells off the diagonal; ties
 * to the first. */
static un_status add_pairs(painter *p, int with_pictures) {
    report_pictures *r = p->r;
    const un_class_table *t = &r->evaluation->task.classes;
    size_t C = t->count;
    uint32_t *counts = NULL, *kept = NULL;
    un_report_pair *list = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(un_arena_alloc(r->arena, r->each, sizeof *list, &list));
    UN_TRY(un_alloc(C * C, sizeof *counts, &counts));
    un_confusion(&r->evaluation->predictions, r->evaluation->context.gamma, counts);
    if (C <= MOST_CLASSES) {
        UN_GO(un_arena_alloc(r->arena, C * C, sizeof *kept, &kept));
        memcpy(kept, counts, C * C * sizeof *kept);
        r->model->confusion = kept;
    }
    r->model->pairs = list;
    while (r->model->pair_count < r->each) {
        size_t best = 0, of = 0;
        uint32_t most = 0;
        for (size_t i = 0; i < C * C; i++)
            if (i / C != i % C && counts[i] > most) {
                most = counts[i];
                best = i;
            }
        if (most < 2) break; /* once is no habit */
        size_t truth = best / C, predicted = best % C;
        counts[best] = 0;
        for (size_t i = 0; i < r->evaluation->predictions.count; i++)
            of += r->evaluation->predictions.items[i].label == (int32_t)truth;
        un_report_pair *pair = &list[r->model->pair_count++];
        *pair = (un_report_pair){.truth = t->names[truth],
                                 .predicted = t->names[predicted],
                                 .truth_seen = t->seen[truth],
                                 .predicted_seen = t->seen[predicted],
                                 .count = most,
                                 .of = of};
        if (!with_pictures) continue;
        UN_GO(fill_pair(p, truth, predicted, pair));
        UN_GO(un_progress_step(&r->progress, r->progress.state.done + 1));
    }
done:
    free(counts);
    return status;
}

/* What gamma does to the answers. */
static void count_turned(const un_evaluation *e, un_report_model *model) {
    for (size_t i = 0; i < e->predictions.count; i++) {
        const un_prediction *p = &e->predictions.items[i];
        int32_t native = un_prediction_decide(p, 0), answer = decision(e, i);
        if (native == answer) continue;
        model->turned++;
        model->turned_right += answer == p->label;
        model->turned_wrong += native == p->label;
    }
}

un_status un_report_add_pictures(report_pictures *r) {
    painter p;
    un_status status = UNSEEN_OK;
    int there = r->dataset->image_root && r->dataset->images, drawn = there && r->budget > 0;
    UN_TRY(painter_open(&p, r));
    count_turned(r->evaluation, r->model);
    /* Pairs, and right and wrong pictures: fewer where there are not as many. */
    size_t total = drawn ? r->each + 4 * ((r->each + 1) / 2) : 0;
    un_progress_begin(&r->progress, "draw pictures", "pictures", total);
    UN_GO(add_pairs(&p, drawn));
    if (drawn) UN_GO(add_gallery(&p));
    if (!there)
        r->model->note = "The data set has no pictures, only features, so none are shown.";
    else if (r->model->picture_count == 0)
        r->model->note = "The pictures of the data set could not be read, so none are shown.";
done:
    return drawn ? un_progress_finish(&r->progress, status) : status;
}

void un_report_images_free(un_report_model *model) {
    for (size_t i = 0; i < model->pair_count; i++) {
        free(model->pairs[i].sample.bytes);
        free(model->pairs[i].example.bytes);
    }
    for (size_t i = 0; i < model->picture_count; i++)
        for (size_t k = 0; k < UN_REPORT_IMAGES; k++) free(model->pictures[i].image[k].bytes);
}
