/*
 * evaluation.c - see evaluation.h: a model on the test sets, where its attention points, and what
 * it makes of texts.
 */
#include "engine/evaluation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/locale.h"
#include "base/status.h"
#include "data/parts.h"
#include "protocol/localisation.h"
#include "vision/image/recipe.h"

/* ---- a model on the test sets ---- */

/* The gamma that the model was selected with. */
static un_status read_selected(const char *setting, const un_model *model, const char *path,
                               un_result_context *context) {
    int on_test = !strcmp(context->selection, UN_SELECTED_ON_TEST);
    if (!model->has_gamma)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s was trained without selection and has no gamma of its own", path);
    if (on_test && !strcmp(setting, "validation"))
        return un_fail(
            UNSEEN_E_ARGUMENT,
            "the gamma of %s was selected on test, not on validation: gamma \"selected\" "
            "takes it all the same",
            path);
    context->gamma = model->selected_gamma;
    context->gamma_source = on_test ? UN_SELECTED_ON_TEST : "validation";
    return UNSEEN_OK;
}

/* Which gamma to report at, and what to call it. */
static un_status resolve_gamma(const char *setting, const un_model *model, const char *path,
                               un_result_context *context) {
    const int given = !setting && model->gamma_is_given;
    const char *text = setting ? setting : model->has_gamma ? "selected" : "native";
    const json_t *selection = json_object_get(model->manifest, "selection");
    const char *mode = json_string_value(json_object_get(selection, "mode"));
    context->selection = mode ? mode : "none";
    context->has_selected_gamma = model->has_gamma;
    context->selected_gamma = model->selected_gamma;
    if (given) {
        context->gamma_source = "given";
        context->gamma = model->gamma;
    } else if (!strcmp(text, "native")) {
        context->gamma_source = "native";
    } else if (!strcmp(text, "validation") || !strcmp(text, "selected")) {
        UN_TRY(read_selected(text, model, path, context));
    } else {
        context->gamma_source = "given";
        if (!un_decimal_parse(text, &context->gamma))
            return un_fail(UNSEEN_E_ARGUMENT,
                           "gamma must be native, selected, validation or a finite number, not "
                           "\"%.60s\"",
                           text);
    }
    return UNSEEN_OK;
}

/* Whether the data set describes its classes as the model has them. */
static int same_descriptions(const un_class_table *a, const un_class_table *b) {
    if (a->count != b->count) return 0;
    for (size_t m = 0; m < a->semantics_count; m++)
        if (a->semantics[m].width != b->semantics[m].width ||
            memcmp(a->semantics[m].values, b->semantics[m].values,
                   a->count * a->semantics[m].width * sizeof(float)) != 0)
            return 0;
    return 1;
}

/* The data set's test sets, with its descriptions of the semantics that the model uses. */
static un_status open_task(const un_model *model, const un_dataset *dataset,
                           const un_features *features, un_task *task) {
    UN_TRY(un_task_of_model(task, dataset, features->present, &model->classes));
    un_task_log(task);
    const char *trained =
        json_string_value(json_object_get(json_object_get(model->manifest, "data"), "split_hash"));
    if (trained && strcmp(trained, dataset->split_hash) != 0)
        un_log(UNSEEN_LOG_WARNING,
               "the model was trained on another split (%.12s…, this is %.12s…): test images may "
               "have been trained on",
               trained, dataset->split_hash);
    if (!same_descriptions(&model->classes, &task->classes))
        un_log(UNSEEN_LOG_WARNING, "the data set describes its classes otherwise than the model "
                                   "does; the data set's descriptions are used");
    return UNSEEN_OK;
}

static un_status open_features(const char *setting, const un_model *model,
                               const un_dataset *dataset, un_features *features) {
    const json_t *input = json_object_get(model->manifest, "input");
    const char *name = setting ? setting : json_string_value(json_object_get(input, "features"));
    UN_TRY(un_dataset_features(dataset, name, features));
    if (features->image_count != dataset->image_count)
        return un_fail(UNSEEN_E_ARGUMENT, "feature set %s has %zu images, data set %s has %zu",
                       features->name, features->image_count, dataset->name, dataset->image_count);
    const char *hash = json_string_value(json_object_get(input, "sha256"));
    if (hash && *hash && *features->sha256 && strcmp(hash, features->sha256) != 0)
        un_log(UNSEEN_LOG_WARNING, "feature set %s is not the one that the model was trained on",
               features->name);
    if (features->regions != model->regions || features->width != model->width)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "feature set %s has %zu x %zu values an image, the model needs %zu x %zu",
                       features->name, features->regions, features->width, model->regions,
                       model->width);
    return UNSEEN_OK;
}

/* The test lists of a data set say nothing about a model that learned from them. */
static un_status refuse_learned(const un_model *model, const un_dataset *dataset,
                                const char *path) {
    const json_t *data = json_object_get(model->manifest, "data");
    const char *split = json_string_value(json_object_get(data, "split_hash"));
    if (!un_manifest_learned_all(model->manifest) || !split ||
        strcmp(split, dataset->split_hash) != 0)
        return UNSEEN_OK;
    return un_fail(UNSEEN_E_ARGUMENT,
                   "%s learned from every image of this data set, those of the test lists included "
                   "(option all of the training), so there is nothing left to test it on; train "
                   "without it to measure",
                   path);
}

static un_status make(un_evaluation *e, const un_dataset *dataset, const un_model *model,
                      const char *path, const un_evaluation_options *o) {
    UN_TRY(un_model_make(&e->model, &model->method->params, &model->classes, model->manifest,
                         model->precision, path));
    if (model->gamma_is_given) UN_TRY(un_model_set_gamma(&e->model, model->gamma));
    UN_TRY(refuse_learned(&e->model, dataset, path));
    UN_TRY(open_features(o->features, &e->model, dataset, &e->features));
    UN_TRY(open_task(&e->model, dataset, &e->features, &e->task));
    UN_TRY(resolve_gamma(o->gamma, &e->model, path, &e->context));
    un_method *method = e->model.method;
    e->context.method = method->class->name;
    e->context.score_unit = method->class->score_unit;
    un_method_calibration_text(method->class, e->context.gamma, e->context.calibration,
                               sizeof e->context.calibration);
    e->context.split_hash = dataset->split_hash;
    e->context.seed = (uint64_t)json_integer_value(json_object_get(e->model.manifest, "seed"));
    double started = un_now();
    UN_TRY(method->class->set_classes(method, &e->task.classes));
    UN_TRY(un_predictions_make(&e->predictions, method, &e->features, &e->task, e->context.gamma,
                               NULL, "evaluate"));
    e->seconds = un_now() - started;
    return UNSEEN_OK;
}

un_status un_evaluation_make(un_evaluation *e, const un_dataset *dataset, const un_classifier *c,
                             const un_evaluation_options *options) {
    *e = (un_evaluation){.path = c->path};
    un_status status = make(e, dataset, &c->model, c->path, options);
    if (status) un_evaluation_close(e);
    return status;
}

un_status un_evaluation_json(const un_evaluation *e, json_t **out) {
    UN_TRY(un_result_json(&e->predictions, &e->context, out));
    if (e->task.absent > 0)
        UN_TRY(
            un_json_set(*out, "images_without_features", json_integer((json_int_t)e->task.absent)));
    if (e->task.untrained_count > 0)
        UN_TRY(un_json_set(*out, "untrained_classes",
                           un_json_strings(e->task.untrained, e->task.untrained_count)));
    if (e->task.trained_count > 0)
        UN_TRY(un_json_set(*out, "trained_unseen_classes",
                           un_json_strings(e->task.trained, e->task.trained_count)));
    UN_TRY(un_json_set(*out, "seconds", json_real(e->seconds)));
    return un_json_set(*out, "model", json_string(e->path));
}

void un_evaluation_close(un_evaluation *e) {
    un_predictions_free(&e->predictions);
    un_features_close(&e->features);
    un_task_free(&e->task);
    un_model_close(&e->model);
    *e = (un_evaluation){0};
}

/* ---- where attention points ---- */

/* What holds for all images. */
typedef struct {
    const un_model *model;
    const un_dataset *dataset;
    const un_features *features;
    const un_task *task;
    un_parts parts;
    un_recipe recipe;
    size_t A, branches;
    size_t grid_height, grid_width, cells; /* h, w, h w of the maps */
    double *mean;                          /* [A] over the classes of the task */
    float *row, *maps;                     /* [R, F], [branches, A, h, w] */
    un_target *target;                     /* [P] of the image at hand */
    int *inside;                           /* [P] its part is visible and in the crop */
    un_target *some;                       /* [P] those of one attribute, and their numbers */
    size_t *numbers;
    un_arena arena;
} localiser;

static un_status read_recipe(localiser *l) {
    json_t *recipe = NULL;
    char *text = NULL;
    un_status status = UNSEEN_OK;
    const char *stored = l->features->recipe;
    UN_TRY(un_json_parse(stored, strlen(stored), l->features->name, &recipe));
    const json_t *preprocess = json_object_get(recipe, "preprocess");
    if (!json_is_object(preprocess))
        UN_GO(un_fail(UNSEEN_E_ARGUMENT,
                      "feature set %s does not say how its pictures were cropped, so its maps "
                      "cannot be laid over them; extract the features with {`unseen "
                      "extract`|unseen_extract}",
                      l->features->name));
    UN_GO(un_json_text(preprocess, &text));
    UN_GO(un_recipe_parse(text, l->features->name, &l->recipe));
done:
    free(text);
    json_decref(recipe);
    return status;
}

un_status un_localisable(const un_method_class *class, const un_dataset *dataset) {
    if (!class->maps)
        return un_fail(UNSEEN_E_UNSUPPORTED, "%s has no attention maps to measure", class->name);
    if (!un_parts_exist(dataset->directory))
        return un_fail(UNSEEN_E_ARGUMENT, "%s has no marked parts (parts.safetensors)",
                       un_dataset_place(dataset));
    if (!dataset->image_root || !dataset->images)
        return un_fail(UNSEEN_E_ARGUMENT, "%s has no pictures, whose sizes are needed",
                       un_dataset_place(dataset));
    return UNSEEN_OK;
}

static un_status check_parts(const localiser *l) {
    const un_class_semantics *m = &l->task->classes.semantics[0];
    const un_parts *p = &l->parts;
    for (size_t i = 0; i < p->attribute_parts_count; i++)
        if (!strcmp(p->attribute_parts[i].semantics, m->name) &&
            p->attribute_parts[i].width == m->width)
            return UNSEEN_OK;
    return un_fail(UNSEEN_E_ARGUMENT,
                   "the parts of %s do not say which of them the attributes of semantics \"%s\" "
                   "speak of",
                   l->dataset->directory, m->name);
}

static un_status localiser_open(localiser *l) {
    UN_TRY(un_localisable(l->model->method->class, l->dataset));
    UN_TRY(read_recipe(l));
    UN_TRY(un_parts_open(&l->parts, l->dataset->directory, l->dataset));
    UN_TRY(check_parts(l));
    const un_class_semantics *m = &l->task->classes.semantics[0];
    size_t P = l->parts.part_count, C = l->task->classes.count;
    l->A = m->width;
    l->branches = l->model->method->class->maps->branches;
    l->grid_height = l->features->grid_height;
    l->grid_width = l->features->grid_width;
    un_method_grid(l->model->method, &l->grid_height, &l->grid_width);
    l->cells = l->grid_height * l->grid_width;
    UN_TRY(un_arena_alloc(&l->arena, l->A, sizeof *l->mean, &l->mean));
    UN_TRY(un_arena_alloc(&l->arena, l->features->regions * l->features->width, sizeof *l->row,
                          &l->row));
    UN_TRY(un_arena_alloc(&l->arena, l->branches * l->A * l->cells, sizeof *l->maps, &l->maps));
    UN_TRY(un_arena_alloc(&l->arena, P, sizeof *l->target, &l->target));
    UN_TRY(un_arena_alloc(&l->arena, P, sizeof *l->inside, &l->inside));
    UN_TRY(un_arena_alloc(&l->arena, P, sizeof *l->some, &l->some));
    UN_TRY(un_arena_alloc(&l->arena, P, sizeof *l->numbers, &l->numbers));
    for (size_t c = 0; c < C; c++)
        for (size_t a = 0; a < l->A; a++) l->mean[a] += (double)m->values[c * l->A + a] / (double)C;
    return UNSEEN_OK;
}

static void localiser_close(localiser *l) {
    un_parts_close(&l->parts);
    un_arena_free(&l->arena);
}

/* Size of the picture that the features came from, and how it was turned: parts are marked in the
 * picture as it is stored. */
static un_status read_head(const localiser *l, size_t image, un_image_head *head) {
    char *path = NULL;
    UN_TRY(un_path_below(l->dataset->image_root, l->dataset->images[image], &path));
    un_status status = un_image_read_head(path, head);
    free(path);
    if (l->recipe.orientation != UN_ORIENTATION_EXIF) head->orientation = 1;
    if (head->orientation >= 5)
        *head = (un_image_head){head->height, head->width, head->orientation};
    return status;
}

/* A box of fractions of the stored picture, in pixels of the turned one. */
static un_rectangle placed(const float box[4], const un_image_head *head) {
    double x0 = (double)box[0], y0 = (double)box[1], x1 = (double)box[2], y1 = (double)box[3];
    double w = (double)head->width, h = (double)head->height;
    un_image_turn_point(head->orientation, &x0, &y0);
    un_image_turn_point(head->orientation, &x1, &y1);
    return (un_rectangle){fmin(x0, x1) * w, fmin(y0, y1) * h, fmax(x0, x1) * w, fmax(y0, y1) * h};
}

/* Where the parts of one image are in its crop. */
static void place_parts(localiser *l, size_t image, const un_image_head *head) {
    un_crop_box box;
    const un_parts *p = &l->parts;
    un_rectangle object = {0};
    un_recipe_box(&l->recipe, head->width, head->height, &box);
    const un_rectangle crop = {box.x, box.y, box.x + box.width, box.y + box.height};
    if (p->objects) object = placed(p->objects + 4 * image, head);
    int known = object.x1 > object.x0 && object.y1 > object.y0;
    for (size_t i = 0; i < p->part_count; i++) {
        size_t at = image * p->part_count + i;
        un_rectangle part = placed(p->boxes + 4 * at, head);
        l->inside[i] = p->visible[at] &&
                       (p->points ? un_target_of_point(part.x0, part.y0, known ? &object : NULL,
                                                       &crop, &l->target[i])
                                  : un_target_of_box(&part, &crop, &l->target[i]));
    }
}

/* All attributes of one image. Attributes of one group name the same parts and follow each other,
 * so the cover is computed once for them. */
static void add_image(localiser *l, size_t image, un_localisation *sum) {
    const un_class_semantics *m = &l->task->classes.semantics[0];
    const float *values = m->values + (size_t)l->task->labels[image] * l->A;
    const un_part_list *last = NULL;
    size_t n = 0, before = sum->all.pairs;
    double cover = 0;
    for (size_t a = 0; a < l->A; a++) {
        if (!((double)values[a] > l->mean[a])) continue;
        const un_part_list *list = un_parts_of_attribute(&l->parts, m->name, a);
        if (!list || list->count == 0) continue;
        if (!last || last->count != list->count ||
            memcmp(last->items, list->items, list->count * sizeof *list->items) != 0) {
            n = 0;
            for (size_t i = 0; i < list->count; i++) {
                if (!l->inside[list->items[i]]) continue;
                l->some[n] = l->target[list->items[i]];
                l->numbers[n++] = list->items[i];
            }
            cover = un_targets_cover(l->some, n);
            last = list;
        }
        if (n > 0)
            un_localisation_add(sum, l->some, l->numbers, n, cover, l->maps + a * l->cells,
                                l->A * l->cells, l->grid_height, l->grid_width);
    }
    sum->images += sum->all.pairs > before;
}

static un_status localise_list(localiser *l, const un_index_list *list, const char *name,
                               json_t *out) {
    un_localisation sum;
    un_progress progress;
    size_t missing = 0;
    un_status status = UNSEEN_OK;
    UN_TRY(un_localisation_create(&sum, l->parts.part_count, l->branches));
    un_progress_begin(&progress, "localisation", "images", list->count);
    for (size_t i = 0; i < list->count; i++) {
        size_t image = (size_t)list->items[i];
        un_image_head head;
        if (read_head(l, image, &head)) {
            if (missing++ == 0) un_log(UNSEEN_LOG_WARNING, "%s", un_error());
        } else {
            place_parts(l, image, &head);
            un_features_gather_f32(l->features, &list->items[i], 1, l->row);
            UN_GO(l->model->method->class->maps->attend(l->model->method, l->row, l->maps));
            add_image(l, image, &sum);
        }
        UN_GO(un_progress_step(&progress, i + 1));
    }
    json_t *result = un_localisation_json(&sum, l->parts.names);
    UN_GO(un_json_set(out, name, result));
    if (missing > 0)
        UN_GO(un_json_set(result, "without_picture", json_integer((json_int_t)missing)));
done:
    status = un_progress_finish(&progress, status);
    un_localisation_free(&sum);
    return status;
}

json_t *un_attention_titles_json(const un_method_class *class, int attention) {
    json_t *titles = json_array();
    for (size_t b = 0; attention && b < un_method_map_branches(class); b++)
        un_json_push(&titles, json_string(class->maps->titles[b]));
    return titles;
}

un_status un_localise(const un_model *model, const un_dataset *dataset, const un_features *features,
                      const un_task *task, json_t **out) {
    localiser l = {.model = model, .dataset = dataset, .features = features, .task = task};
    json_t *result = json_object();
    un_status status = UNSEEN_OK;
    UN_GO(localiser_open(&l));
    UN_GO(un_json_set(result, "measure", json_string("pointing game")));
    UN_GO(un_json_set(result, "kind", json_string(l.parts.points ? "points" : "boxes")));
    UN_GO(un_json_set(
        result, "tolerance",
        l.parts.points ? json_real(l.parts.objects ? UN_POINT_TOLERANCE : UN_POINT_TOLERANCE_CROP)
                       : json_null()));
    UN_GO(un_json_set(result, "grid",
                      json_pack("[I, I]", (json_int_t)l.grid_height, (json_int_t)l.grid_width)));
    UN_GO(un_json_set(result, "branches", json_integer((json_int_t)l.branches)));
    UN_GO(un_json_set(result, "branch_titles", un_attention_titles_json(model->method->class, 1)));
    UN_GO(localise_list(&l, &task->unseen, "test_unseen", result));
    UN_GO(localise_list(&l, &task->seen, "test_seen", result));
    *out = result;
done:
    localiser_close(&l);
    if (status) json_decref(result);
    return status;
}

/* ---- what a method makes of texts ---- */

static json_t *masked_prediction_json(const un_masked_prediction *r) {
    return json_pack("{s:I, s:f, s:f, s:f, s:f}", "images", (json_int_t)r->count, "in_group",
                     r->in_group, "in_group_prior", r->in_group_prior, "among_all", r->among_all,
                     "among_all_prior", r->among_all_prior);
}

un_status un_masked_prediction_measure(const un_evaluation *e, json_t **out) {
    static const char *const names[] = {"seen", "unseen"};
    const un_index_list *lists[] = {&e->task.seen, &e->task.unseen};
    un_method *method = e->model.method;
    if (!method->class->text_probe)
        return un_fail(UNSEEN_E_UNSUPPORTED, "%s hides no attributes that it could recover",
                       method->class->name);
    json_t *recovery = json_object();
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < 2 && !status; i++) {
        un_masked_prediction r;
        if (lists[i]->count == 0) continue; /* splits without pictures of seen classes */
        status = method->class->text_probe->masked_prediction(
            method, &e->task.classes, &e->features, e->task.labels, lists[i], &r);
        if (!status) status = un_json_set(recovery, names[i], masked_prediction_json(&r));
    }
    if (status)
        json_decref(recovery);
    else
        *out = recovery;
    return status;
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

enum { MOST_IMAGES = 1000 }; /* that attention over groups is averaged over */

/* The i-th test image, the seen ones first. */
static int64_t test_image(const un_task *t, size_t i) {
    return i < t->seen.count ? t->seen.items[i] : t->unseen.items[i - t->seen.count];
}

/* Sums over images, then divides; the arrays of `mean` are in the arena. */
static un_status average_groups(const un_evaluation *e, un_arena *arena, size_t n,
                                un_group_attention *mean) {
    un_method *method = e->model.method;
    size_t tests = e->task.seen.count + e->task.unseen.count;
    un_progress progress;
    un_status status = UNSEEN_OK;
    un_group_attention one;
    float *row = NULL, *share = NULL;
    double *sums = NULL;
    UN_TRY(un_arena_alloc(arena, e->features.regions * e->features.width, sizeof *row, &row));
    un_progress_begin(&progress, "attention to groups", "images", n);
    for (size_t i = 0; i < n; i++) {
        int64_t image = test_image(&e->task, i * tests / n);
        un_features_gather_f32(&e->features, &image, 1, row);
        UN_GO(method->class->group_attention->attend(method, row, &one));
        if (!sums) UN_GO(un_arena_alloc(arena, one.count, sizeof *sums, &sums));
        for (size_t g = 0; g < one.count; g++) sums[g] += (double)one.share[g] / (double)n;
        UN_GO(un_progress_step(&progress, i + 1));
    }
    UN_GO(un_arena_alloc(arena, one.count, sizeof *share, &share));
    for (size_t g = 0; g < one.count; g++) share[g] = (float)sums[g];
    *mean = one;
    mean->share = share;
done:
    return un_progress_finish(&progress, status);
}

un_status un_grounding_groups(const un_evaluation *e, json_t **out) {
    const un_method_class *class = e->model.method->class;
    size_t tests = e->task.seen.count + e->task.unseen.count;
    size_t n = tests < MOST_IMAGES ? tests : MOST_IMAGES;
    un_group_attention mean;
    un_arena arena = {0};
    un_status status = UNSEEN_OK;
    if (!class->group_attention || n == 0)
        return un_fail(UNSEEN_E_UNSUPPORTED, "%s pays no attention to groups of attributes",
                       class->name);
    UN_GO(average_groups(e, &arena, n, &mean));
    *out = json_pack("{s:I, s:s, s:o}", "images", (json_int_t)n, "of",
                     class->group_attention->whole, "groups", un_group_attention_json(&mean));
    if (!*out) status = un_fail_memory(0);
done:
    un_arena_free(&arena);
    return status;
}
