/* task.c - see task.h. */
#include "data/task.h"

#include <stdio.h>
#include <string.h>

#include "data/split.h"

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
    if (count == 0 || count > UN_MAX_MODALITIES)
        return un_fail(UNSEEN_E_ARGUMENT, "between 1 and %d semantics are needed, not %zu",
                       UN_MAX_MODALITIES, count);
    for (size_t m = 0; m < count; m++) {
        const un_semantics *source = NULL;
        UN_TRY(un_dataset_require_semantics(dataset, semantics[m], &source));
        un_modality *modality = &table->modality[table->modality_count++];
        *modality = (un_modality){.name = source->name,
                                  .width = source->width,
                                  .attributes = source->attributes,
                                  .vector_width = source->vector_width,
                                  .vectors = source->vectors};
        UN_TRY(un_arena_alloc(&task->arena, table->count * source->width, sizeof(float),
                              &modality->values));
        for (size_t c = 0; c < dataset->class_count; c++)
            if (map[c] >= 0)
                memcpy(modality->values + (size_t)map[c] * source->width,
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
    if (task->train.count == 0)
        return un_fail(UNSEEN_E_ARGUMENT, "data set %s, %s: no training images", dataset->name,
                       task->name);
    return UNSEEN_OK;
}

static un_status require_labels(const un_dataset *dataset) {
    if (dataset->labels) return UNSEEN_OK;
    return un_fail(UNSEEN_E_ARGUMENT,
                   "data set %s has no labels: it was imported without features; import it again "
                   "with --features",
                   dataset->name);
}

un_status un_task_final(un_task *task, const un_dataset *dataset, const char *const *semantics,
                        size_t count) {
    *task = (un_task){.name = "final"};
    un_status status = UNSEEN_OK;
    unsigned char *keep = NULL, *seen = NULL;
    UN_GO(require_labels(dataset));
    UN_GO(un_arena_alloc(&task->arena, dataset->class_count, 1, &keep));
    UN_GO(un_arena_alloc(&task->arena, dataset->class_count, 1, &seen));
    memset(keep, 1, dataset->class_count);
    un_dataset_classes_of(dataset, &dataset->trainval, seen);
    task->train = dataset->trainval;
    task->seen = dataset->test_seen;
    task->unseen = dataset->test_unseen;
    UN_GO(build(task, dataset, keep, seen, semantics, count));
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

un_status un_task_fold(un_task *task, const un_dataset *dataset, size_t fold,
                       const char *const *semantics, size_t count) {
    *task = (un_task){0};
    snprintf(task->name, sizeof task->name, "fold %zu", fold + 1);
    un_status status = UNSEEN_OK;
    unsigned char *keep = NULL, *seen = NULL, *unseen = NULL;
    UN_GO(require_labels(dataset));
    UN_GO(un_arena_alloc(&task->arena, dataset->class_count, 1, &keep));
    UN_GO(un_arena_alloc(&task->arena, dataset->class_count, 1, &seen));
    UN_GO(un_arena_alloc(&task->arena, dataset->class_count, 1, &unseen));
    const un_fold *source = &dataset->folds[fold];
    task->train = source->train;
    task->seen = source->seen;
    task->unseen = source->unseen;
    UN_GO(check_fold(dataset, source, task->name));
    un_dataset_classes_of(dataset, &task->train, seen);
    un_dataset_classes_of(dataset, &task->unseen, unseen);
    for (size_t c = 0; c < dataset->class_count; c++) {
        keep[c] = seen[c] || unseen[c];
        if (seen[c] && unseen[c])
            UN_GO(un_fail(UNSEEN_E_FORMAT,
                          "data set %s, %s: class %s is trained on and plays an unseen class",
                          dataset->name, task->name, dataset->classes[c]));
    }
    for (size_t i = 0; i < task->seen.count; i++)
        if (!seen[dataset->labels[task->seen.items[i]]])
            UN_GO(
                un_fail(UNSEEN_E_FORMAT,
                        "data set %s, %s: image %lld plays a seen-class one, but its class is not "
                        "trained on",
                        dataset->name, task->name, (long long)task->seen.items[i]));
    UN_GO(build(task, dataset, keep, seen, semantics, count));
done:
    if (status) un_task_free(task);
    return status;
}

void un_task_free(un_task *task) {
    un_arena_free(&task->arena);
    *task = (un_task){0};
}
