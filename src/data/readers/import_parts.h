/*
 * import_parts.h - what the imports share: lists of image numbers, validation folds, notes, names,
 * features on their way into a data set. Private to readers/.
 */
#ifndef UN_DATA_READERS_IMPORT_PARTS_H
#define UN_DATA_READERS_IMPORT_PARTS_H

#include "base/names.h"
#include "data/dataset.h"
#include "data/features.h"
#include "data/readers/mat.h"

/* A vector of 1-based image numbers as a sorted 0-based list from the data set's
 * arena. Every entry must be a whole number from 1 to `limit`; a repeated one is
 * an error. */
un_status un_mat_read_indices(un_mat *mat, const char *name, size_t limit, un_arena *arena,
                              un_index_list *out);

/* Whole numbers from `base` to limit + base - 1 as a sorted 0-based list from
 * `arena`; `where` and `name` are for the sentence. A repeated one is an error. */
un_status un_import_indices(const char *where, const char *name, const double *values, size_t count,
                            size_t limit, int base, un_arena *arena, un_index_list *out);

/* Whether whole numbers from `low` to `high`, one of which is outside `base` to limit - 1 + base,
 * are likely to count from 1 - base (0 or 1) instead: they lie in its range and, where every
 * number should occur (`all`), fill it from end to end. */
void un_number_range(const double *values, size_t count, double *low, double *high);
int un_other_base(double low, double high, size_t limit, int base, int all);

/* What the numbers of published lists mean where a data set has only some of the
 * images: number i (from 0) is image place[i], or none of ours if that is -1. */
typedef struct {
    size_t count;
    const int64_t *place;
} un_numbering;

/* un_mat_read_indices of lists in `numbering` (NULL: the data set's own): the data
 * set's images, those that it does not have left out. */
un_status un_import_numbered(un_mat *mat, const char *name, un_dataset *dataset,
                             const un_numbering *numbering, un_index_list *out);

/* The train_loc and val_loc that came with the features, sorted, 0-based. */
typedef struct {
    const char *source; /* "maps.hdf5 train_loc/val_loc" */
    un_index_list train, val;
} un_published_lists;

/* Adds the folds of the files that the user named (MAT files with train_loc and
 * val_loc, or texts with one class name a line), then `own`, then those of the
 * split file itself, then those of valclasses1.txt to valclasses3.txt beside it
 * (`own` and `splits` may be NULL); merges equal ones; proposes some if there are
 * none (of what the data set had before included) and the images have labels. What
 * the user named must work; anything else that does not becomes a note. Lists in MAT
 * files are in `numbering` (NULL: the data set's own).
 *
 * A data set may have only some of the benchmark's classes: of the published
 * lists (files called valclasses<k>.txt) those names count that it has, if it has
 * any; how many were left out becomes a note. */
un_status un_import_validation(un_dataset *dataset, const un_published_lists *own, un_mat *splits,
                               const un_numbering *numbering, const char *const *files,
                               size_t count);

/* Those alone; none, and a note, where there can be none. */
un_status un_import_propose_folds(un_dataset *dataset);

/* Adds a sentence to dataset->notes and logs it, unless it is there: a list that is both named and
 * found beside the split says the same twice. */
un_status un_dataset_note(un_dataset *dataset, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same of what whoever asked could expect: no warning. */
un_status un_dataset_note_expected(un_dataset *dataset, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- names, lists, features ---- */

/* dataset->name = name, or the last part of the path `output` if name is NULL. */
un_status un_import_name(un_dataset *dataset, const char *name, const char *output);

/* Calls the classes class_001 and on, and notes it; `where` is what has no names. */
un_status un_import_number_classes(un_dataset *dataset, const char *where);

/* What the three lists (training, seen test, unseen test) are called where they come from. */
extern const char *const un_mat_list_names[3];  /* trainval_loc, … */
extern const char *const un_json_list_names[3]; /* trainval, … */

/* Where the three lists come from, for sentences. */
typedef struct {
    const char *file;
    const char *const *names; /* one of the two above */
    int base;                 /* the number of the first image in them */
    const char *hint;         /* ends the sentence about a class that is seen and unseen */
    int handed_in;            /* by the caller, and not read: an empty test list is meant */
} un_list_origin;

/* That there is something to learn from, no image has two roles and no class of trainval (with
 * labels) one in test_unseen. Warns of an empty test list that was read. */
un_status un_import_check_lists(const un_dataset *dataset, const un_list_origin *origin);
/* Notes how many images are in none of the three lists. */
un_status un_import_note_unlisted(un_dataset *dataset, const char *file);

/* That no class name is empty and no two are the same. `base` is the number of the first. */
un_status un_import_check_names(char *const *names, size_t count, const char *where, int base);
/* Turns a matrix that has no mark of its orientation so that dimension `which` is `size`
 * (mat.h: un_mat_orient), and notes it. */
un_status un_import_orient(un_dataset *dataset, un_mat *mat, const char *name, int which,
                           size_t size);

/* Features on their way from a foreign file into a data set. */
typedef struct {
    const char *name;   /* of the feature set; NULL: that of `file` without `suffix` */
    const char *file;   /* where they come from: their source, and named in sentences */
    const char *suffix; /* "" for none */
    un_features_description description; /* its source is set here */
} un_import_store;
/* PARTIAL/features/NAME.safetensors with what `copy` writes; makes the folder. */
un_status un_import_features(const char *partial, const un_import_store *store,
                             un_status (*copy)(void *user, un_features_writer *writer), void *user);

/* Puts in place of each name the class of the data set that it means: where the spelling differs
 * a note says so, and names that mean no class are told together in one error. `where` is the
 * list's place. */
un_status un_import_resolve_classes(un_dataset *dataset, const char *where, char **names,
                                    size_t count);

/* Authors' paths, kept for matching against a local copy: "//" and Windows' "\" become "/",
 * "./" is left out. */
void un_import_tidy_path(char *path);

#endif
