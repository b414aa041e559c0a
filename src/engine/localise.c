/* localise.c - see localise.h. */
#include "engine/localise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "data/parts.h"
#include "engine/grounding.h"
#include "protocol/localisation.h"
#include "vision/image/recipe.h"

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
                      "cannot be laid over them; extract the features with `unseen extract`",
                      l->features->name));
    UN_GO(un_json_text(preprocess, &text));
    UN_GO(un_recipe_parse(text, l->features->name, &l->recipe));
done:
    free(text);
    json_decref(recipe);
    return status;
}

static un_status check(const localiser *l) {
    const un_method_class *class = l->model->method->class;
    if (!class->maps)
        return un_fail(UNSEEN_E_UNSUPPORTED, "%s has no attention maps to measure", class->name);
    if (!un_parts_exist(l->dataset->directory))
        return un_fail(UNSEEN_E_ARGUMENT, "%s has no marked parts (parts.safetensors)",
                       l->dataset->directory);
    if (!l->dataset->image_root || !l->dataset->images)
        return un_fail(UNSEEN_E_ARGUMENT, "%s has no pictures, whose sizes are needed",
                       l->dataset->directory);
    return UNSEEN_OK;
}

static un_status check_parts(const localiser *l) {
    const un_modality *m = &l->task->classes.modality[0];
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

static un_status begin(localiser *l) {
    UN_TRY(check(l));
    UN_TRY(read_recipe(l));
    UN_TRY(un_parts_open(&l->parts, l->dataset->directory, l->dataset));
    UN_TRY(check_parts(l));
    const un_modality *m = &l->task->classes.modality[0];
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

static void end(localiser *l) {
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
    const un_modality *m = &l->task->classes.modality[0];
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
            continue;
        }
        place_parts(l, image, &head);
        un_features_gather_f32(l->features, &list->items[i], 1, l->row);
        UN_GO(l->model->method->class->maps->attend(l->model->method, l->row, l->maps));
        add_image(l, image, &sum);
        un_progress_update(&progress, i + 1);
    }
    json_t *result = un_localisation_json(&sum, l->parts.names);
    UN_GO(un_json_set(out, name, result));
    if (missing > 0)
        UN_GO(un_json_set(result, "without_picture", json_integer((json_int_t)missing)));
done:
    un_progress_end(&progress);
    un_localisation_free(&sum);
    return status;
}

un_status un_localise(const un_model *model, const un_dataset *dataset, const un_features *features,
                      const un_task *task, json_t **out) {
    localiser l = {.model = model, .dataset = dataset, .features = features, .task = task};
    json_t *result = json_object();
    un_status status = UNSEEN_OK;
    UN_GO(begin(&l));
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
    end(&l);
    if (status) json_decref(result);
    return status;
}
