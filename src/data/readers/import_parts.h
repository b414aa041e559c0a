/*
 * import_parts.h - what the importers share; private to readers/.
 */
#ifndef UN_DATA_READERS_IMPORT_PARTS_H
#define UN_DATA_READERS_IMPORT_PARTS_H

#include "base/names.h"
#include "data/dataset.h"
#include "data/features.h"
#include "data/readers/mat.h"

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
} un_list_origin;

/* That no list is empty, no image has two roles and no class of trainval (with
 * labels) one in test_unseen. */
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

/* Authors' paths, kept for matching against a local copy: "//" and Windows' "\" become "/". */
void un_import_tidy_path(char *path);

#endif
