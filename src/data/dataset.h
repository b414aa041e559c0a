/*
 * dataset.h - a data set directory, the one form every foreign data set is
 * imported into.
 *
 *     DIR/dataset.safetensors        labels, splits, semantics; names in the metadata
 *     DIR/features/<name>.safetensors one file per feature set (features.h)
 *
 * Tensors of dataset.safetensors (N images, C classes, indices 0-based, sorted):
 *     labels              I32 [N]      class of each image; absent if unknown
 *     split.trainval, split.test_seen, split.test_unseen   I64 [n]
 *     semantics.<name>    F32 [C, A]   one row per class
 *     vectors.<name>      F32 [A, E]   word vectors of the attributes of semantics.<name>, optional
 *     scaling.<name>      F64 [A, 3]   least, largest and mean value of each attribute as people
 *                         gave them, where they did (un_scaling)
 *     fold.<k>.train, fold.<k>.seen, fold.<k>.unseen       I64 [n]   validation folds
 * Metadata (strings; JSON where it says so):
 *     format              "unseen-dataset"
 *     format_version      "1"
 *     name                e.g. "CUB"
 *     classes             JSON list of C names
 *     images              JSON list of N names, absent if unknown
 *     attributes.<name>   JSON list of A names of semantics.<name>, absent if unknown
 *     scaling.<name>      JSON object, beside the tensor of that name: what was done to the values
 *     folds               JSON list of {"source", "proposed", "classes", "listed_train",
 *                         "listed_val", "leaked_train", "leaked_val"}
 *     notes               JSON list of sentences from the import, for `check`
 *     image_count         N in decimal
 *     image_root          absolute path of the folder that the images' names are relative
 *                         to, absent if there are no pictures
 *     image_root_relative the same seen from DIR where it lies in DIR or beside it, so that
 *                         both may move together; it wins where it leads to a folder
 *     orientation         "exif": the pictures are turned as EXIF says before anything is made
 *                         of them; "stored": they are not; absent in files of version 0.1, whose
 *                         pictures were taken as stored
 *
 * Roles follow Xian et al.: seen classes = labels in trainval, unseen classes =
 * labels in test_unseen. A validation fold is honest: all three of its lists are
 * subsets of trainval; `unseen` holds the images of the classes that play the
 * unseen ones, `seen` 20 % per class of the others, `train` the rest. Without
 * labels only `train` and `unseen` exist.
 */
#ifndef UN_DATA_DATASET_H
#define UN_DATA_DATASET_H

#include <stddef.h>

#include "base/arena.h"
#include "base/file_kind.h"
#include "base/json.h"
#include "base/status.h"
#include "data/features.h"
#include "tensor/safetensors.h"

/* ---- from the values that people give of a class to the row that methods take, and the
 * memory of how the classes of a data set went that way, so that a class that is described later
 * goes it, too. ---- */

typedef enum {
    UN_SCALING_UNIT = 0, /* attributes share a unit; rows were brought to length 1 */
    UN_SCALING_RANGE,    /* each attribute to 0 to 1 over the classes, then rows to length 1 */
    UN_SCALING_AS_GIVEN, /* rows are the values */
    UN_SCALING_COUNT
} un_scaling_kind;

typedef struct {
    un_scaling_kind kind;
    size_t width;                   /* A */
    double *least, *largest, *mean; /* [A] of each attribute's values as given, over the classes */
    char **unknown;                 /* texts that stood for unknown values besides "?" */
    size_t unknown_count;
} un_scaling;

/* Looks at values [C, A] of the data set's classes, all finite. Memory from `arena`. */
un_status un_scaling_measure(un_scaling *scaling, un_scaling_kind kind, const double *values,
                             size_t classes, size_t width, un_arena *arena);
/* Values [A] as given to a row [A], by the same operations for old and new classes: equal values
 * give equal bits. A row of zeros stays one. */
void un_scaling_apply(const un_scaling *scaling, const double *values, float *row);
/* Where x lies between the least and the largest value of attribute i, which are 0 and 1; 0 for
 * all x if these are equal. */
double un_scaling_place(const un_scaling *scaling, size_t i, double x);

un_status un_scaling_copy(const un_scaling *scaling, un_arena *arena, const un_scaling **out);

/* What files keep besides the numbers: {"kind": "range", "unknown": ["-1"]}. A new reference,
 * NULL without memory. */
json_t *un_scaling_describe(const un_scaling *scaling);
/* The reverse, from the description and the tensor of the numbers, F64 [width, 3]: least, largest
 * and mean. *out is in `arena`; `where` is for sentences. */
un_status un_scaling_read(const un_st_entry *entry, const json_t *description, size_t width,
                          const char *where, un_arena *arena, const un_scaling **out);
/* numbers[A, 3] from `arena`. */
un_status un_scaling_numbers(const un_scaling *scaling, un_arena *arena, double **numbers);

enum { UN_MAX_SEMANTICS = 16, UN_MAX_FOLDS = 8 };

/* So many pictures in a row that cannot be read are no matter of single pictures: their drive or
 * folder is out of reach. */
enum { UN_PICTURE_FAILURES = 32 };

/* A sorted list of image indices. */
typedef struct {
    size_t count;
    int64_t *items;
} un_index_list;

typedef struct {
    const char *name;          /* "att", "original_att", "sent" */
    size_t width;              /* A */
    float *values;             /* [C, A] */
    char **attributes;         /* A names, NULL if unknown */
    size_t vector_width;       /* E; 0: there are no word vectors */
    float *vectors;            /* [A, E] a word vector of each attribute; NULL: none */
    const un_scaling *scaling; /* how values as given became rows; NULL: not known */
} un_semantics;

typedef struct {
    const char *source; /* "sent_splits.mat train_loc/val_loc", "valclasses2.txt", "proposed" */
    int proposed;       /* made by us, not published */
    char **classes;     /* names of the classes that play the unseen ones; NULL if unknown */
    size_t class_count;
    size_t listed_train, listed_val; /* images that the published lists had, 0 for class lists */
    size_t leaked_train, leaked_val; /* of those, images of the test sets, which were left out */
    un_index_list train, seen, unseen;
} un_fold;

typedef struct {
    char *directory;             /* NULL: it is in memory only */
    const un_features *features; /* of one in memory: its only feature set; borrowed */
    const char *name;
    size_t image_count; /* N */
    size_t class_count; /* C */
    char **classes;
    char **images;              /* NULL if unknown */
    const char *image_root;     /* where their pictures lie; NULL: no pictures */
    un_orientation orientation; /* how features are to be made of them */
    int32_t *labels;            /* NULL if unknown */
    un_index_list trainval, test_seen, test_unseen;
    size_t semantics_count;
    un_semantics semantics[UN_MAX_SEMANTICS];
    size_t fold_count;
    un_fold folds[UN_MAX_FOLDS];
    json_t *notes;       /* list of strings, may be NULL */
    char split_hash[65]; /* un_split_hash of this data set */
    un_arena arena;      /* owns everything above but `notes` */
} un_dataset;

/* Opens DIR, checks the file's structure (not its contents: that is un_check). */
un_status un_dataset_open(un_dataset *dataset, const char *directory);
/* Writes DIR/dataset.safetensors atomically; computes split_hash first. DIR must exist. */
un_status un_dataset_write(un_dataset *dataset, const char *directory);
void un_dataset_close(un_dataset *dataset);
/* Where the pictures lie: image_root becomes the absolute path of `root`, however it was named. An
 * error if that is no folder or its path is not UTF-8. */
un_status un_dataset_find_image_root(un_dataset *dataset, const char *root);
/* Takes the pictures from `root` from now on, a folder in which they have the names that they
 * had; NULL: stays as it is. Fails where that is no folder or the images have no names. */
un_status un_dataset_use_images(un_dataset *dataset, const char *root);

/* A feature set by name, NULL: the only one; of a data set in memory a view, which lives no longer
 * than its data set. To be closed. */
un_status un_dataset_features(const un_dataset *dataset, const char *name, un_features *out);
/* Names of all of them, as un_features_list gives them. */
un_status un_dataset_features_list(const un_dataset *dataset, char ***out, size_t *count);
/* How sentences call it: its directory, or its name. */
const char *un_dataset_place(const un_dataset *dataset);

/* NULL if there is none of that name. */
const un_semantics *un_dataset_semantics(const un_dataset *dataset, const char *name);
/* Like un_dataset_semantics, but fails with a sentence that lists the names or the nearest. */
un_status un_dataset_require_semantics(const un_dataset *dataset, const char *name,
                                       const un_semantics **out);

/* Per class 1 if `list` holds an image of it; out[C]. Needs labels. */
void un_dataset_classes_of(const un_dataset *dataset, const un_index_list *list,
                           unsigned char *out);

/* SHA-256 that identifies a split: over the class names in order and, role by
 * role (trainval, test_seen, test_unseen), the sorted indices, as the text
 *     "classes\n" name "\n"… "trainval\n" index "\n"… "test_seen\n" … "test_unseen\n" …
 * with indices 0-based in decimal. */
un_status un_split_hash(const un_dataset *dataset, char out[65]);
/* What the world calls the split with this hash, e.g. "CUB, Proposed Split of 2020"; NULL if unknown. */
const char *un_split_known_name(const char *hash);

#endif
