/*
 * unseen_dataset.h - the part of unseen.h about data sets: opened, made of arrays in memory, looked
 * into, given features of their pictures. Included by unseen.h, which has the conventions.
 */
#ifndef UNSEEN_DATASET_H
#define UNSEEN_DATASET_H

#ifndef UNSEEN_H
#error "include unseen.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- data sets ---- */

/* Opens a data set directory, which `unseen import` or unseen_dataset_save made. *out is released
 * with unseen_dataset_close. Fails with UNSEEN_E_IO or UNSEEN_E_FORMAT. */
UNSEEN_API unseen_status unseen_dataset_open(const char *directory, unseen_dataset **out);

/* A data set in memory: what unseen_dataset_from_arrays makes one of. */
typedef struct unseen_arrays {
    size_t size;                    /* set by unseen_arrays_init, as all that has a default */
    const char *name;               /* of the data set (default "arrays") */
    size_t image_count;             /* N, at least 1 */
    size_t regions, width;          /* R (default 1), F */
    size_t grid_height, grid_width; /* R = h w; both 0: unknown (default) */
    unseen_dtype dtype;             /* of features (default UNSEEN_F32) */
    const void *features;           /* (N, R, F), finite */
    int copy_features; /* 1: copied (default); 0: borrowed, and must stay as they are until the data
                          set and its evaluations are closed. All else is copied */
    const int32_t *labels;          /* (N), class of each image, 0 to C - 1 */
    size_t class_count;             /* C, at least 2 */
    size_t attribute_count;         /* A, at least 1 */
    const float *class_attributes;  /* (C, A); NaN: unknown, the mean of the other classes */
    const char *scale;              /* "auto" (default), "none", "range", "as-given": what is done
                                          to values before rows get length 1, as `unseen import` does */
    const char *const *class_names; /* [C], different ones; NULL: class_001 and on */
    const char *const *attribute_names; /* [A]; NULL: none */
    const char *const *image_names;     /* [N]; NULL: none */
    /* The split: three lists of images, each of which has one role at most, and no class in both
     * trainval and test_unseen; or, with all three NULL, one is proposed: */
    const int64_t *trainval, *test_seen, *test_unseen;
    size_t trainval_count, test_seen_count, test_unseen_count;
    const char *const *unseen; /* names of the classes that are to be unseen; NULL: chosen */
    size_t unseen_count;       /* of those; without names how many to choose, 0: a fifth */
    uint64_t split_seed;       /* of what is chosen (default 1) */
} unseen_arrays;
UNSEEN_API void unseen_arrays_init(unseen_arrays *arrays, size_t size);

/* Makes a data set of arrays, with one feature set, "features", and the descriptions "att" and
 * "original_att" of the classes; validation folds are proposed. What was decided is told in
 * unseen_dataset_notes. Fails with UNSEEN_E_ARGUMENT or UNSEEN_E_FORMAT, naming the place. */
UNSEEN_API unseen_status unseen_dataset_from_arrays(const unseen_arrays *arrays,
                                                    unseen_dataset **out);

/* Writes a data set in memory as a directory, which must not exist or be empty; it appears whole or
 * not at all. */
UNSEEN_API unseen_status unseen_dataset_save(const unseen_dataset *data, const char *directory);

/* Releases a data set; NULL is allowed. Results that still use it keep it alive. */
UNSEEN_API void unseen_dataset_close(unseen_dataset *data);

/* Takes the pictures from `folder` from now on, in which they have the names that they had. */
UNSEEN_API unseen_status unseen_dataset_use_images(unseen_dataset *data, const char *folder);

UNSEEN_API const char *unseen_dataset_name(const unseen_dataset *data);
UNSEEN_API size_t unseen_dataset_image_count(const unseen_dataset *data); /* N */
UNSEEN_API size_t unseen_dataset_class_count(const unseen_dataset *data); /* C */
/* NULL where i or k is out of range, or nothing has names. */
UNSEEN_API const char *unseen_dataset_image_name(const unseen_dataset *data, size_t i);
/* The folder in which the images have these names; NULL if unknown. */
UNSEEN_API const char *unseen_dataset_image_folder(const unseen_dataset *data);
UNSEEN_API const char *unseen_dataset_class_name(const unseen_dataset *data, size_t k);
/* 1 if images of class k are in trainval, 0 if none is, -1 if k is out of range. */
UNSEEN_API int unseen_dataset_class_seen(const unseen_dataset *data, size_t k);
/* [N] the class of each image; NULL if unknown. */
UNSEEN_API const int32_t *unseen_dataset_labels(const unseen_dataset *data);
/* SHA-256 of the split in hexadecimal; and its published name, "CUB, Proposed Split of 2020", or
 * NULL. */
UNSEEN_API const char *unseen_dataset_split_hash(const unseen_dataset *data);
UNSEEN_API const char *unseen_dataset_split_name(const unseen_dataset *data);
/* Sentences about what the import found or decided, as a JSON list. */
UNSEEN_API const char *unseen_dataset_notes(const unseen_dataset *data);

/* A list of the split, sorted image numbers: *images is [*count]. */
UNSEEN_API unseen_status unseen_dataset_split(const unseen_dataset *data, unseen_split_list list,
                                              const int64_t **images, size_t *count);
UNSEEN_API size_t unseen_dataset_fold_count(const unseen_dataset *data);
/* The same of validation fold k. */
UNSEEN_API unseen_status unseen_dataset_fold(const unseen_dataset *data, size_t k,
                                             unseen_split_list list, const int64_t **images,
                                             size_t *count);

/* Descriptions of the classes, "semantics": their number, the name of each (NULL behind the last),
 * and values (C, A) as methods take them. */
UNSEEN_API size_t unseen_dataset_semantics_count(const unseen_dataset *data);
UNSEEN_API const char *unseen_dataset_semantics_name(const unseen_dataset *data, size_t i);
UNSEEN_API unseen_status unseen_dataset_semantics(const unseen_dataset *data, const char *name,
                                                  const float **values, size_t *attribute_count);
/* Name of attribute i of these; NULL if it has none or i is out of range. */
UNSEEN_API const char *unseen_dataset_attribute_name(const unseen_dataset *data,
                                                     const char *semantics, size_t i);

/* Word vectors of the attributes of a description, (A, E), which MSDN, DEDN and DUET start from;
 * *vectors NULL and *width 0 where there are none. */
UNSEEN_API unseen_status unseen_dataset_words(const unseen_dataset *data, const char *semantics,
                                              const float **vectors, size_t *width);

typedef struct unseen_words_options {
    size_t size;
    const char *tensor; /* of a safetensors file, or array of an .npz; NULL: the only one, or the
                               one called like the data set (default) */
    const char *attributes; /* file with the attributes' names: CUB's attributes.txt, a table of
                               phrases (CSV with a column new_des), or one a line; NULL: those of
                               the data set (default) */
    const char *const *semantics; /* [semantics_count] descriptions that get the vectors; none: all
                                     of that many attributes (default) */
    size_t semantics_count;
} unseen_words_options;
UNSEEN_API void unseen_words_options_init(unseen_words_options *options, size_t size);

/* Gives the attributes their word vectors, in the place of those that are there: the sum of the
 * vectors of the words in an attribute's name. `vectors` is a file of GloVe or word2vec, one
 * with a row for each attribute (safetensors, .npy, .npz), or "builtin:words", which needs no file and
 * only tells words apart. The directory of one that was opened is written, too, with the folder of
 * unseen_dataset_use_images. Fails with UNSEEN_E_FORMAT where none of the words has a vector, and
 * leaves the data set as it was. */
UNSEEN_API unseen_status unseen_dataset_add_words(unseen_dataset *data, const char *vectors,
                                                  const unseen_words_options *options);

/* Name of feature set i as the directory has it now, sorted; NULL behind the last. Valid as
 * long as the data set, as what unseen_dataset_check answers. */
UNSEEN_API const char *unseen_dataset_feature_set(unseen_dataset *data, size_t i);
/* R and F of a feature set (NULL: the only one). */
UNSEEN_API unseen_status unseen_dataset_feature_shape(const unseen_dataset *data,
                                                      const char *features, size_t *regions,
                                                      size_t *width);
/* Rows of n images, out[n, R, F]; of an image without features, zeros. */
UNSEEN_API unseen_status unseen_dataset_features(const unseen_dataset *data, const char *features,
                                                 const int64_t *images, size_t n, float *out);

/* Verifies all of a data set, as `unseen check --json` prints it: what is wrong is in "errors" and
 * "warnings", and the call still succeeds. */
UNSEEN_API unseen_status unseen_dataset_check(unseen_dataset *data, const char **json);

typedef struct unseen_check_options {
    size_t size;
    unseen_progress_function progress; /* NULL: none (default) */
    void *user;
} unseen_check_options;
UNSEEN_API void unseen_check_options_init(unseen_check_options *options, size_t size);

/* The same, and how far it is. */
UNSEEN_API unseen_status unseen_dataset_check_with(unseen_dataset *data,
                                                   const unseen_check_options *options,
                                                   const char **json);

/* ---- extract: features of a data set's pictures ---- */

typedef struct unseen_extract_options {
    size_t size;
    const char *backbone;    /* weights file, or "builtin:descriptor" (default) */
    int pooled, regions;     /* which features to make (default: both) */
    const char *pooled_name; /* of the feature sets; NULL: after the network (default) */
    const char *regions_name;
    unseen_dtype pooled_dtype, regions_dtype; /* default UNSEEN_F32, UNSEEN_BF16 */
    size_t image_size;              /* side of the network's input in pixels, 1 to 4096; 0: its
                                       usual one (default) */
    size_t batch;                   /* pictures in one pass, 1 to 4096 (default 16) */
    unseen_orientation orientation; /* of the pictures; MODEL: as the data set says (default) */
    const char *precision;          /* "auto" (default), "f32", "bf16"; networks of convolutions
                                     * are in f32 where the processor has no bf16 for them */
    int strict;     /* 1: the first bad picture is an error; 0: it has no features (default) */
    int keep_going; /* 1: however many pictures in a row cannot be read; 0: 32 are an error */
    unseen_progress_function progress; /* NULL: none (default) */
    void *user;
} unseen_extract_options;
UNSEEN_API void unseen_extract_options_init(unseen_extract_options *options, size_t size);

typedef struct unseen_extract_result {
    size_t size;       /* set by the caller: sizeof(unseen_extract_result) */
    size_t images;     /* of the data set */
    size_t taken_up;   /* of those, done by an earlier run that was stopped */
    size_t kept;       /* rows that were there already */
    size_t bad;        /* pictures that have no row in the end */
    size_t unreadable; /* of those, what the system did not let us read */
    size_t ignored;    /* pictures whose EXIF orientation was not honoured */
    int already_there; /* nothing was left to do, or nothing could be done */
    double seconds;    /* of this call; and of those, in the network: */
    double network_seconds;
    char pooled_name[160], regions_name[160]; /* of the feature sets; "" for none */
} unseen_extract_result;

/* Adds feature sets to a data set directory. Stopped, it goes on with the same call later, and
 * pictures that could not be used are tried again then. `result` may be NULL. */
UNSEEN_API unseen_status unseen_extract(unseen_dataset *data, const unseen_extract_options *options,
                                        unseen_extract_result *result);

#ifdef __cplusplus
}
#endif

#endif
