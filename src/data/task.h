/*
 * task.h - what one training or evaluation run sees of a data set.
 *
 * The final task is the benchmark: train on trainval, test on test_seen and
 * test_unseen, all classes. A fold task is an honest rehearsal inside trainval:
 * the real unseen classes are not even in the class table, the fold's classes
 * play the unseen ones. The whole task has nothing to test: it learns from every
 * picture. The task of a model has nothing to learn: it is the benchmark's tests, with
 * the classes for seen that the model was trained on, whatever images there are today.
 *
 * This is the one place that knows of images without a row of features (features.h):
 * they are in none of a task's lists. A class that is left without a training image is
 * not a seen one, whatever the split says: it stays in the table as one that was not
 * trained on, its images in the list `seen` are left out, and it is listed as untrained.
 */
#ifndef UN_DATA_TASK_H
#define UN_DATA_TASK_H

#include "data/dataset.h"

enum { UN_MAX_CLASS_SEMANTICS = 8 };

/* One description of a class table: rows of one named semantics. */
typedef struct {
    const char *name;
    size_t width;              /* A */
    float *values;             /* [C, A] */
    char **attributes;         /* A names, NULL if unknown */
    size_t vector_width;       /* E; 0: there are no word vectors */
    const float *vectors;      /* [A, E] a word vector of each attribute, NULL if there are none */
    const un_scaling *scaling; /* how values as given became rows; NULL: not known */
} un_class_semantics;

/* The classes that a method scores, in the order of its scores. */
typedef struct {
    size_t count; /* C */
    char **names;
    unsigned char *seen; /* 1: trained on */
    size_t semantics_count;
    un_class_semantics semantics[UN_MAX_CLASS_SEMANTICS];
} un_class_table;

/* A copy of everything with room for `more` classes, in `arena`. */
un_status un_class_table_copy(const un_class_table *table, size_t more, un_arena *arena,
                              un_class_table *out);

typedef struct {
    char name[32]; /* "final", "fold 1", "whole" */
    un_class_table classes;
    int32_t *labels; /* [N]: row of the class table, -1 if the image's class is not in it */
    size_t image_count;
    un_index_list train, seen, unseen; /* borrowed from the data set, or from the arena */
    size_t absent;                     /* images of the split's lists without a row of features */
    int is_of_model;                   /* made by un_task_of_model */
    size_t untrained_count; /* classes that the split has for seen ones, but that were not */
    char **untrained;       /* trained on: their names; not listed for a fold */
    size_t trained_count;   /* of a model's task: classes that the split has for unseen ones, but */
    char **trained;         /* that were trained on: their names */
    size_t untested;        /* test images of both, which are in none of the lists */
    un_arena arena;
} un_task;

/* The lists of test images may be empty: what they would measure is then not measured.
 * `semantics` names `count` named semantics of the data set, in the order that
 * the method wants its semantics. The data set must have labels and outlive
 * the task. present[i] is 0 for images without a row of features; NULL: all have one.
 * An empty list of training images is an error, empty test lists are none. */
un_status un_task_final(un_task *task, const un_dataset *dataset, const unsigned char *present,
                        const char *const *semantics, size_t count);
/* The test lists for a model, of which `model` is the class table; its semantics are looked up in
 * the data set. `seen` has images of classes that were trained on, `unseen` of others. There need
 * be no training images. */
un_status un_task_of_model(un_task *task, const un_dataset *dataset, const unsigned char *present,
                           const un_class_table *model);
/* Every image of the three lists is one to learn from; the test lists are empty. */
un_status un_task_whole(un_task *task, const un_dataset *dataset, const unsigned char *present,
                        const char *const *semantics, size_t count);
/* fold < dataset->fold_count. A fold is an error without training images and without images
 * that play unseen classes; those of seen classes may be missing. */
un_status un_task_fold(un_task *task, const un_dataset *dataset, size_t fold,
                       const unsigned char *present, const char *const *semantics, size_t count);
/* Says in the log which images and classes a task had to do without; nothing if none. */
void un_task_log(const un_task *task);
void un_task_free(un_task *task);

#endif
