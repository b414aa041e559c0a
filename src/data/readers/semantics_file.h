/*
 * semantics_file.h - one more description of the classes, from a MATLAB file: sentence
 * embeddings, embeddings of a knowledge graph, other attributes.
 */
#ifndef UN_DATA_READERS_SEMANTICS_FILE_H
#define UN_DATA_READERS_SEMANTICS_FILE_H

#include "data/dataset.h"
#include "data/readers/mat.h"

typedef struct {
    const char *name; /* of the new semantics, e.g. "sent" */
    const char *path; /* a MAT file with `att` (A x C) or else `embeddings` (C x E) */
} un_named_path;

/* Adds the semantics to `dataset`, in its arena. Rows are matched to the classes by name where
 * the file has allclasses_names, else by position, which a note of the data set says. */
un_status un_import_semantics_file(un_dataset *dataset, const un_named_path *file);

/* Names from allclasses_names; *count 0 if the file has none. */
un_status un_mat_class_names(un_mat *mat, un_arena *arena, char ***names, size_t *count);
/* Adds the values of a class table as an open file has them: columns are classes, or rows if
 * `by_rows`; class_map[c] is the file's number of class c. */
un_status un_mat_add_semantics(un_dataset *dataset, un_mat *mat, const char *variable,
                               const char *name, int by_rows, const size_t *class_map);

#endif
