/* task.c - see task.h. */
#include "data/task.h"

#include <stdio.h>
#include <string.h>

#include "base/names.h"
#include "base/status.h"
#include "data/split.h"

/* ---- copies ---- */

static un_status copy_semantics(const un_class_semantics *from, size_t classes, size_t more,
                                un_arena *arena, un_class_semantics *to) {
    char *name = NULL;
    float *vectors = NULL;
    *to = (un_class_semantics){.width = from->width, .vector_width = from->vector_width};
    UN_TRY(un_arena_string(arena, from->name, &name));
    to->name = name;
    UN_TRY(un_arena_alloc(arena, (classes + more) * from->width, sizeof(float), &to->values));
    memcpy(to->values, from->values, classes * from->width * sizeof(float));
    if (from->attributes) {
        UN_TRY(un_arena_alloc(arena, from->width, sizeof *to->attributes, &to->attributes));
        for (size_t i = 0; i < from->width; i++)
            UN_TRY(un_arena_string(arena, from->attributes[i], &to->attributes[i]));
    }
    if (from->vectors) {
        UN_TRY(un_arena_alloc(arena, from->width * from->vector_width, sizeof *vectors, &vectors));
        memcpy(vectors, from->vectors, from->width * from->vector_width * sizeof *vectors);
        to->vectors = vectors;
    }
    return from->scaling ? un_scaling_copy(from->scaling, arena, &to->scaling) : UNSEEN_OK;
}

un_status un_class_table_copy(const un_class_table *from, size_t more, un_arena *arena,
                              un_class_table *to) {
    *to = (un_class_table){.count = from->count};
    UN_TRY(un_arena_alloc(arena, from->count + more, sizeof *to->names, &to->names));
    UN_TRY(un_arena_alloc(arena, from->count + more, 1, &to->seen));
    memcpy(to->seen, from->seen, from->count);
    for (size_t c = 0; c < from->count; c++)
        UN_TRY(un_arena_string(arena, from->names[c], &to->names[c]));
    for (; to->semantics_count < from->semantics_count; to->semantics_count++)
        UN_TRY(copy_semantics(&from->semantics[to->semantics_count], from->count, more, arena,
                              &to->semantics[to->semantics_count]));
    return UNSEEN_OK;
}

/* ---- what a task is made of ---- */

/* Fills the class table with the classes that have keep[c]; map[c] receives their row or -1. */
static un_status make_table(un_task *task, const un_dataset *dataset, const unsigned char *keep,
                            const unsigned char *seen, const char *const *semantics, size_t count,
                            int32_t *map) {
    un_class_table *table = &task->classes;
    for (size_t c = 0; c < dataset->class_count; c++)
        map[c] = keep[c] ? (int32_t)table->count++ : -1;
    UN_TRY(un_arena_alloc(&task->arena, table->count, sizeof *table->names, &table->names));
    UN_TRY(un_arena_alloc(&task->arena, table->count, 1, &table->seen));
    for (size_t c = 0; c < dataset->class_count; c++) {
        if (map[c] < 0) continue;
        table->names[map[c]] = dataset->classes[c];
        table->seen[map[c]] = seen[c];
    }
    if (count == 0 || count > UN_MAX_CLASS_SEMANTICS)
        return un_fail(UNSEEN_E_ARGUMENT, "between 1 and %d semantics are needed, not %zu",
                       UN_MAX_CLASS_SEMANTICS, count);
    for (size_t m = 0; m < count; m++) {
        const un_semantics *source = NULL;
        UN_TRY(un_dataset_require_semantics(dataset, semantics[m], &source));
        un_class_semantics *rows = &table->semantics[table->semantics_count++];
        *rows = (un_class_semantics){.name = source->name,
                                     .width = source->width,
                                     .attributes = source->attributes,
                                     .vector_width = source->vector_width,
                                     .vectors = source->vectors,
                                     .scaling = source->scaling};
        UN_TRY(un_arena_alloc(&task->arena, table->count * source->width, sizeof(float),
                              &rows->values));
        for (size_t c = 0; c < dataset->class_count; c++)
            if (map[c] >= 0)
                memcpy(rows->values + (size_t)map[c] * source->width,
                       source->values + c * source->width, source->width * sizeof(float));
    }
    return UNSEEN_OK;
}

static un_status build(un_task *task, const un_dataset *dataset, const unsigned char *keep,
                       const unsigned char *seen, const char *const *semantics, size_t count) {
    int32_t *map = NULL;
    UN_TRY(un_arena_alloc(&task->arena, dataset->class_count, sizeof *map, &map));
    UN_TRY(make_table(task, dataset, keep, seen, semantics, count, map));
    task->image_count = dataset->image_count;
    UN_TRY(un_arena_alloc(&task->arena, dataset->image_count, sizeof *task->labels, &task->labels));
    for (size_t i = 0; i < dataset->image_count; i++) task->labels[i] = map[dataset->labels[i]];
    return UNSEEN_OK;
}

static un_status require_training(const un_task *task, const un_dataset *dataset) {
    if (task->train.count > 0) return UNSEEN_OK;
    return un_fail(UNSEEN_E_ARGUMENT, "data set %s, %s: no training images%s", dataset->name,
                   task->name, task->absent > 0 ? " that have features" : "");
}

static un_status require_labels(const un_dataset *dataset) {
    if (dataset->labels) return UNSEEN_OK;
    return un_fail(UNSEEN_E_ARGUMENT,
                   "data set %s has no labels: it was imported without features; import it "
                   "again with {--features}",
                   dataset->name);
}

/* ---- images without features ---- */

/* *out = the images of `list` that have features, or `list` itself if those are all. */
static un_status take_images(un_task *task, const un_index_list *list, const unsigned char *present,
                             un_index_list *out) {
    size_t n = 0;
    *out = *list;
    if (!present) return UNSEEN_OK;
    for (size_t i = 0; i < list->count; i++) n += present[list->items[i]] != 0;
    if (n == list->count) return UNSEEN_OK;
    *out = (un_index_list){0};
    UN_TRY(un_arena_alloc(&task->arena, n, sizeof *out->items, &out->items));
    for (size_t i = 0; i < list->count; i++)
        if (present[list->items[i]]) out->items[out->count++] = list->items[i];
    task->absent += list->count - n;
    return UNSEEN_OK;
}

/* Leaves the images in `list` only where their classes' flags are `expected`; counts the others. */
static un_status keep_images(un_task *task, const un_dataset *dataset, const unsigned char *flags,
                             int expected, un_index_list *list) {
    un_index_list kept = {0};
    size_t n = 0;
    for (size_t i = 0; i < list->count; i++)
        n += !flags[dataset->labels[list->items[i]]] == !expected;
    if (n == list->count) return UNSEEN_OK;
    UN_TRY(un_arena_alloc(&task->arena, n, sizeof *kept.items, &kept.items));
    for (size_t i = 0; i < list->count; i++)
        if (!flags[dataset->labels[list->items[i]]] == !expected)
            kept.items[kept.count++] = list->items[i];
    task->untested += list->count - n;
    *list = kept;
    return UNSEEN_OK;
}

/* Lists the classes that have images in `lists` and whose flag in `trained` is not `expected`. */
static un_status list_classes(un_task *task, const un_dataset *dataset,
                              const un_index_list *const *lists, size_t list_count,
                              const unsigned char *trained, int expected, char ***names,
                              size_t *count) {
    unsigned char *flags = NULL;
    size_t C = dataset->class_count;
    UN_TRY(un_arena_alloc(&task->arena, list_count * C, 1, &flags));
    for (size_t l = 0; l < list_count; l++) un_dataset_classes_of(dataset, lists[l], flags + l * C);
    UN_TRY(un_arena_alloc(&task->arena, C, sizeof **names, names));
    for (size_t c = 0; c < C; c++) {
        int there = 0;
        for (size_t l = 0; l < list_count; l++) there |= flags[l * C + c];
        if (there && !trained[c] != !expected) (*names)[(*count)++] = dataset->classes[c];
    }
    return UNSEEN_OK;
}

static void name_classes(un_name_list *list, char *const *names, size_t count) {
    enum { NAMED = 5 };
    *list = (un_name_list){0};
    for (size_t i = 0; i < count; i++) un_name_list_add(list, names[i], NAMED);
}

void un_task_log(const un_task *task) {
    un_name_list names;
    size_t n = task->untrained_count;
    if (task->absent > 0)
        un_log(UNSEEN_LOG_WARNING,
               "%zu image%s of the split %s no features and %s left out; {`unseen "
               "extract`|unseen_extract} fills them in once their pictures can be read",
               task->absent, task->absent == 1 ? "" : "s", task->absent == 1 ? "has" : "have",
               task->absent == 1 ? "is" : "are");
    name_classes(&names, task->untrained, n);
    if (n > 0)
        un_log(UNSEEN_LOG_WARNING,
               "%zu seen class%s (%s%s) %s %s: scored like %sunseen class%s, and %s test images "
               "count nowhere",
               n, n == 1 ? "" : "es", names.text, un_name_list_more(&names),
               task->is_of_model ? n == 1 ? "was" : "were"
               : n == 1          ? "has"
                                 : "have",
               task->is_of_model ? "not trained on by the model"
                                 : "no training image with features",
               n == 1 ? "an " : "", n == 1 ? "" : "es", n == 1 ? "its" : "their");
    n = task->trained_count;
    name_classes(&names, task->trained, n);
    if (n > 0)
        un_log(UNSEEN_LOG_WARNING,
               "the model was trained on %zu class%s (%s%s) that the split has for unseen: scored "
               "like %sseen class%s, and %s test images count nowhere",
               n, n == 1 ? "" : "es", names.text, un_name_list_more(&names), n == 1 ? "a " : "",
               n == 1 ? "" : "es", n == 1 ? "its" : "their");
}

/* ---- the tasks ---- */

/* Every class of the data set, seen where `seen` says so. */
static un_status build_all(un_task *task, const un_dataset *dataset, const un_index_list *promised,
                           const unsigned char *seen, const char *const *semantics, size_t count) {
    unsigned char *keep = NULL;
    const un_index_list tested = task->seen;
    const un_index_list *const lists[] = {promised, &tested};
    UN_TRY(un_arena_alloc(&task->arena, dataset->class_count, 1, &keep));
    memset(keep, 1, dataset->class_count);
    UN_TRY(keep_images(task, dataset, seen, 1, &task->seen));
    UN_TRY(
        list_classes(task, dataset, lists, 2, seen, 1, &task->untrained, &task->untrained_count));
    return build(task, dataset, keep, seen, semantics, count);
}

/* The same, seen where there is a training image. */
static un_status build_training(un_task *task, const un_dataset *dataset,
                                const un_index_list *promised, const char *const *semantics,
                                size_t count) {
    unsigned char *seen = NULL;
    UN_TRY(un_arena_alloc(&task->arena, dataset->class_count, 1, &seen));
    un_dataset_classes_of(dataset, &task->train, seen);
    UN_TRY(build_all(task, dataset, promised, seen, semantics, count));
    return require_training(task, dataset);
}

static un_status take_benchmark(un_task *task, const un_dataset *dataset,
                                const unsigned char *present) {
    UN_TRY(require_labels(dataset));
    UN_TRY(take_images(task, &dataset->trainval, present, &task->train));
    UN_TRY(take_images(task, &dataset->test_seen, present, &task->seen));
    return take_images(task, &dataset->test_unseen, present, &task->unseen);
}

un_status un_task_final(un_task *task, const un_dataset *dataset, const unsigned char *present,
                        const char *const *semantics, size_t count) {
    *task = (un_task){.name = "final"};
    un_status status = UNSEEN_OK;
    UN_GO(take_benchmark(task, dataset, present));
    UN_GO(build_training(task, dataset, &dataset->trainval, semantics, count));
done:
    if (status) un_task_free(task);
    return status;
}

/* seen[c] = 1 where the model's table has the class of this name as one that was trained on. */
static un_status find_trained(const un_dataset *dataset, const un_class_table *model,
                              unsigned char *seen) {
    un_name_index index = {0};
    UN_TRY(un_name_index_make(&index, model->names, model->count));
    for (size_t c = 0; c < dataset->class_count; c++) {
        size_t k = un_name_find(&index, dataset->classes[c]);
        seen[c] = k != UN_NO_NAME && model->seen[k];
    }
    un_name_index_free(&index);
    return UNSEEN_OK;
}

un_status un_task_of_model(un_task *task, const un_dataset *dataset, const unsigned char *present,
                           const un_class_table *model) {
    *task = (un_task){.name = "test", .is_of_model = 1};
    const char *semantics[UN_MAX_CLASS_SEMANTICS];
    const un_index_list *const unseen[] = {&dataset->test_unseen};
    unsigned char *seen = NULL;
    un_status status = UNSEEN_OK;
    for (size_t m = 0; m < model->semantics_count; m++) semantics[m] = model->semantics[m].name;
    UN_GO(take_benchmark(task, dataset, present));
    UN_GO(un_arena_alloc(&task->arena, dataset->class_count, 1, &seen));
    UN_GO(find_trained(dataset, model, seen));
    UN_GO(keep_images(task, dataset, seen, 0, &task->unseen));
    UN_GO(list_classes(task, dataset, unseen, 1, seen, 0, &task->trained, &task->trained_count));
    UN_GO(build_all(task, dataset, &dataset->trainval, seen, semantics, model->semantics_count));
done:
    if (status) un_task_free(task);
    return status;
}

/* All images of the three lists, in order; an image that two lists share comes once. */
static un_status join_lists(un_task *task, const un_dataset *dataset, un_index_list *out) {
    const un_index_list *lists[] = {&dataset->trainval, &dataset->test_seen, &dataset->test_unseen};
    unsigned char *used = NULL;
    size_t n = 0;
    UN_TRY(un_arena_alloc(&task->arena, dataset->image_count, 1, &used));
    for (size_t l = 0; l < 3; l++)
        for (size_t i = 0; i < lists[l]->count; i++) used[lists[l]->items[i]] = 1;
    for (size_t i = 0; i < dataset->image_count; i++) n += used[i];
    *out = (un_index_list){0};
    UN_TRY(un_arena_alloc(&task->arena, n, sizeof *out->items, &out->items));
    for (size_t i = 0; i < dataset->image_count; i++)
        if (used[i]) out->items[out->count++] = (int64_t)i;
    return UNSEEN_OK;
}

un_status un_task_whole(un_task *task, const un_dataset *dataset, const unsigned char *present,
                        const char *const *semantics, size_t count) {
    *task = (un_task){.name = "whole"};
    un_status status = UNSEEN_OK;
    un_index_list all;
    UN_GO(require_labels(dataset));
    UN_GO(join_lists(task, dataset, &all));
    UN_GO(take_images(task, &all, present, &task->train));
    UN_GO(build_training(task, dataset, &all, semantics, count));
done:
    if (status) un_task_free(task);
    return status;
}

/* Nothing outside trainval may take part in validation, whoever wrote the file. */
static un_status check_fold(const un_dataset *dataset, const un_fold *fold, const char *name) {
    const un_index_list *lists[] = {&fold->train, &fold->seen, &fold->unseen};
    for (size_t l = 0; l < 3; l++)
        for (size_t i = 0; i < lists[l]->count; i++)
            if (!un_index_list_contains(&dataset->trainval, lists[l]->items[i]))
                return un_fail(UNSEEN_E_FORMAT,
                               "data set %s, %s: image %lld is not in trainval, so it must not be "
                               "used for validation; import the data set again",
                               dataset->name, name, (long long)lists[l]->items[i]);
    return UNSEEN_OK;
}

/* The lists of a fold as this task has them, and which classes they are of. */
static un_status take_fold(un_task *task, const un_dataset *dataset, const un_fold *source,
                           const unsigned char *present, unsigned char *seen,
                           unsigned char *unseen) {
    UN_TRY(check_fold(dataset, source, task->name));
    un_dataset_classes_of(dataset, &source->train, seen);
    un_dataset_classes_of(dataset, &source->unseen, unseen);
    for (size_t c = 0; c < dataset->class_count; c++)
        if (seen[c] && unseen[c])
            return un_fail(UNSEEN_E_FORMAT,
                           "data set %s, %s: class %s is trained on and plays an unseen class",
                           dataset->name, task->name, dataset->classes[c]);
    for (size_t i = 0; i < source->seen.count; i++)
        if (!seen[dataset->labels[source->seen.items[i]]])
            return un_fail(UNSEEN_E_FORMAT,
                           "data set %s, %s: image %lld plays a seen-class one, but its class is "
                           "not trained on",
                           dataset->name, task->name, (long long)source->seen.items[i]);
    UN_TRY(take_images(task, &source->train, present, &task->train));
    UN_TRY(take_images(task, &source->seen, present, &task->seen));
    UN_TRY(take_images(task, &source->unseen, present, &task->unseen));
    un_dataset_classes_of(dataset, &task->train, seen);
    un_dataset_classes_of(dataset, &task->unseen, unseen);
    UN_TRY(keep_images(task, dataset, seen, 1, &task->seen));
    if (task->unseen.count == 0)
        return un_fail(UNSEEN_E_ARGUMENT, "data set %s, %s: no images%s play unseen classes",
                       dataset->name, task->name, task->absent > 0 ? " that have features" : "");
    return UNSEEN_OK;
}

un_status un_task_fold(un_task *task, const un_dataset *dataset, size_t fold,
                       const unsigned char *present, const char *const *semantics, size_t count) {
    *task = (un_task){0};
    snprintf(task->name, sizeof task->name, "fold %zu", fold + 1);
    un_status status = UNSEEN_OK;
    unsigned char *keep = NULL, *seen = NULL, *unseen = NULL;
    UN_GO(require_labels(dataset));
    UN_GO(un_arena_alloc(&task->arena, dataset->class_count, 1, &keep));
    UN_GO(un_arena_alloc(&task->arena, dataset->class_count, 1, &seen));
    UN_GO(un_arena_alloc(&task->arena, dataset->class_count, 1, &unseen));
    UN_GO(take_fold(task, dataset, &dataset->folds[fold], present, seen, unseen));
    for (size_t c = 0; c < dataset->class_count; c++) keep[c] = seen[c] || unseen[c];
    UN_GO(build(task, dataset, keep, seen, semantics, count));
    UN_GO(require_training(task, dataset));
done:
    if (status) un_task_free(task);
    return status;
}

void un_task_free(un_task *task) {
    un_arena_free(&task->arena);
    *task = (un_task){0};
}
