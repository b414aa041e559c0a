/*
 * import_parts.h - what the importers share; private to readers/.
 */
#ifndef UN_DATA_READERS_IMPORT_PARTS_H
#define UN_DATA_READERS_IMPORT_PARTS_H

#include "data/dataset.h"
#include "data/features.h"

/* dataset->name = name, or the last part of the path `output` if name is NULL. */
un_status un_import_name(un_dataset *dataset, const char *name, const char *output);

/* Calls the classes class_001 and on, and notes it; `where` is what has no names. */
un_status un_import_number_classes(un_dataset *dataset, const char *where);

/* That no list is empty, no image has two roles and no class of trainval (with
 * labels) one in test_unseen. `where` is the file of the lists, `hint` ends the
 * sentence about such a class, `base` is the number of the first image in it. */
un_status un_import_check_lists(const un_dataset *dataset, const char *where, const char *hint,
                                int base);

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

/* Names for a sentence, `"a", "b" and more`: whole ones, so that it stays UTF-8. */
typedef struct {
    size_t count; /* of all that were added */
    size_t told;
    size_t used;
    char text[600];
} un_name_list;
void un_name_list_add(un_name_list *list, const char *name, size_t most);
/* "" or " and more". */
const char *un_name_list_more(const un_name_list *list);

/* Authors' paths, kept for matching against a local copy: "//" becomes "/". */
void un_import_tidy_path(char *path);

#endif
