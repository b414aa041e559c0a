/*
 * attributes.h - tables of classes and attributes as semantics: unknown values filled,
 * scaled, then each row to length 1. Private to readers/.
 */
#ifndef UN_DATA_READERS_ATTRIBUTES_H
#define UN_DATA_READERS_ATTRIBUTES_H

#include "data/dataset.h"
#include "data/readers/mat.h"

/* What is done to an attribute before its class's row gets length 1. */
typedef enum {
    UN_SCALE_AUTO = 0, /* NONE if all values lie in 0 to 1, or all in 0 to 100 and every
                          attribute that is not 0 everywhere exceeds 1 somewhere (percent);
                          else RANGE */
    UN_SCALE_NONE,     /* nothing: attributes share a unit */
    UN_SCALE_RANGE,    /* (x - least) / (largest - least) over the classes, 0 if they are equal */
    UN_SCALE_AS_GIVEN  /* nothing, and rows keep their lengths */
} un_scale;

/* "auto", "none", "range", "as-given". */
un_status un_scale_parse(const char *text, un_scale *out);

typedef struct {
    un_scale scale;
    char *const *unknown; /* texts that stand for unknown values besides "?" (table.h) */
    size_t unknown_count;
    int nan_is_unknown; /* 1: no text does, they are numbers; for sentences */
} un_attribute_options;

/* Adds semantics `name` with rows of length 1 (a row of zeros stays so) and
 * "original_<name>" with the values as given; with AS_GIVEN only `name`. Both keep how the values
 * became rows (un_scaling). values is [C, A] with the classes in the data set's order;
 * `attributes` are A names in the data set's arena, NULL if unknown. A value that is NaN is
 * unknown and becomes the mean of the other classes, which a note says. Notes also why values were
 * scaled by their range, and attributes that are equal for all classes. With AUTO, one negative
 * number among values that otherwise share a unit is an error that asks what it means. */
un_status un_import_attributes(un_dataset *dataset, const char *name, const double *values,
                               size_t width, char **attributes,
                               const un_attribute_options *options);

/* ---- one more description of the classes, from a MATLAB file: sentence
 * embeddings, embeddings of a knowledge graph, other attributes. ---- */

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
