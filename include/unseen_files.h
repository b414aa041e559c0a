/*
 * unseen_files.h - the part of unseen.h about files: other people's data sets made into data set
 * directories, and what is in a file. Included by unseen.h, which has the conventions.
 */
#ifndef UNSEEN_FILES_H
#define UNSEEN_FILES_H

#ifndef UNSEEN_H
#error "include unseen.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- import: a foreign data set into a data set directory, as `unseen import` does ---- */

/* Which formats have a field stands in brackets, as their names are given to unseen_import:
 * "xlsa17" and "region-maps", features that others made of the published benchmarks; "cub", "awa2"
 * and "folder", folders of pictures; "arrays", files of arrays; "tinybirds", the built-in data set,
 * drawn. "ARRAY" is a file X.npy, X.npz:NAME or X.safetensors:NAME. */
typedef struct unseen_import_options {
    size_t size;
    const char *source;     /* [region-maps] the HDF5 file; [cub awa2 folder] the folder; needed */
    const char *name;       /* of the data set; NULL: the directory's (default); [tinybirds]
                               "Tinybirds" */
    const char *features;   /* [xlsa17] MAT file, NULL: without (default); [arrays] ARRAY (N, F),
                               (N, R, F) or (N, h, w, F), needed */
    const char *layout;     /* [region-maps arrays] "auto" (default), "nchw", "nhwc": where the
                               channels stand */
    const char *labels;     /* [arrays] ARRAY of N whole numbers from 0; needed */
    const char *classes;    /* [arrays] file with the classes' names, one a line; NULL: those of the
                               split or the table, else class_001 and on (default) */
    const char *table;      /* [folder] CSV or TSV of classes and attributes; needed */
    const char *attributes; /* [xlsa17 region-maps arrays] file with the attributes' names; NULL:
                               those that are known (default) */
    const char *const *semantics; /* [all but tinybirds] "NAME=FILE": further descriptions of the
                                     classes, MAT files; [arrays] all of them, ARRAYs (C, A) or
                                     (N, A), or tables; needed there */
    size_t semantics_count;
    const char *scale;          /* [folder arrays] "auto" (default), "none", "range"; [arrays]
                                   "as-given", too: what is done to values before rows get length 1 */
    const char *const *unknown; /* [folder arrays] what stands for unknown values besides "?" */
    size_t unknown_count;
    /* The split: */
    const char *splits;      /* MAT file in xlsa17's layout, needed for it; [cub awa2 folder arrays]
                                  or JSON; NULL: proposed, or the data's own (default) */
    const char *image_files; /* [cub awa2 folder arrays] MAT file whose image_files are in the order
                                  that a MAT split counts in; NULL: the data's own (default) */
    const char *unseen;      /* the same: unseen classes of a proposed split, names with commas
                                  between or "@FILE"; NULL: chosen (default) */
    ptrdiff_t unseen_count;  /* the same: how many to choose; -1: a fifth (default); 0: none, only
                                  classes without pictures are unseen */
    uint64_t seed;           /* of what is proposed or drawn (default 1) */
    const char *write_splits; /* the same: JSON file to write the split to; NULL: none (default) */
    const char *const *validation; /* [all but tinybirds] files of validation folds, MAT files or
                                      texts of class names; none: those beside the split, else
                                      proposed ones (default) */
    size_t validation_count;
    /* What is kept: */
    const char *features_name; /* [xlsa17 region-maps arrays] NULL: the file's stem (default) */
    const char *dtype;  /* the same: "f32", "bf16"; NULL: f32, of region-maps bf16 (default) */
    const char *images; /* [xlsa17 region-maps] folder with the pictures; NULL: none (default) */
    int allow_missing;  /* the same: 1: images without a picture there are no error */
    unseen_orientation
        orientation; /* [all but arrays and tinybirds] of the pictures; MODEL: exif of
                                       folders, stored of published benchmarks (default) */
    int update;      /* [cub awa2 folder] 1: the new data set takes the place of one that is
                                  there, and keeps the features of unchanged pictures */
    const char
        *word_vectors;       /* [all but tinybirds] as unseen_dataset_add_words takes them; NULL: of
                                  folder "builtin:words", else none (default) */
    const char *tensor;      /* of that file; NULL: as unseen_words_options (default) */
    size_t images_per_class; /* [tinybirds] at least 5; 0: 40 (default) */
    size_t image_size;       /* [tinybirds] side in pixels, 64 to 1024; 0: 224 (default) */
} unseen_import_options;
UNSEEN_API void unseen_import_options_init(unseen_import_options *options, size_t size);

/* Makes the data set directory `directory`, which must not exist or be empty but for an update; it
 * appears whole or not at all. Features pass through memory piece by piece. What was found and
 * decided is told in unseen_dataset_notes of what unseen_dataset_open then opens. Fails with
 * UNSEEN_E_ARGUMENT on an unknown format, and on a field that is needed, or set where the format
 * does not have it; with UNSEEN_E_FORMAT, naming the place, on what cannot be right. */
UNSEEN_API unseen_status unseen_import(const char *format, const char *directory,
                                       const unseen_import_options *options);

/* ---- inspect ---- */

/* What is in a data set directory, a model, any other safetensors file or a MATLAB file, as
 * `unseen inspect --json` writes it: {"kind", …}. *json is the caller's, released with unseen_free.
 * Fails with UNSEEN_E_IO or UNSEEN_E_FORMAT. */
UNSEEN_API unseen_status unseen_inspect(const char *path, char **json);

/* Releases what a call gave away as the caller's; NULL is allowed. */
UNSEEN_API void unseen_free(void *memory);

#ifdef __cplusplus
}
#endif

#endif
