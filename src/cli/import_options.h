/*
 * import_options.h - what the formats of `unseen import` share; private to cmd_import.c and
 * import_options.c.
 */
#ifndef UN_CLI_IMPORT_OPTIONS_H
#define UN_CLI_IMPORT_OPTIONS_H

#include "cli/cli.h"

enum { UN_IMPORT_FILES = 64, UN_IMPORT_UNKNOWN = 16 };

/* One for all formats; a format offers the options that it has. */
typedef struct {
    un_cli_common common;
    const char *output;
    unseen_import_options options; /* its lists are these: */
    const char *validation[UN_IMPORT_FILES];
    const char *semantics[UN_MAX_SEMANTICS]; /* "NAME=FILE" */
    const char *unknown[UN_IMPORT_UNKNOWN];
} un_import_arguments;

/* Keys of the options. Their meaning is the same in all formats, whatever the table of a format
 * says about them in its own words. */
enum {
    UN_KEY_NAME = 3000,
    UN_KEY_WORD_VECTORS,
    UN_KEY_SEMANTICS,
    UN_KEY_TENSOR,
    UN_KEY_ATTRIBUTES,
    UN_KEY_SPLITS,
    UN_KEY_IMAGE_FILES,
    UN_KEY_UNSEEN,
    UN_KEY_UNSEEN_COUNT,
    UN_KEY_VALIDATION,
    UN_KEY_WRITE_SPLITS,
    UN_KEY_FEATURES_NAME,
    UN_KEY_DTYPE,
    UN_KEY_IMAGES,
    UN_KEY_ALLOW_MISSING,
    UN_KEY_UNKNOWN,
    UN_KEY_ORIENTATION,
    UN_KEY_UPDATE,
    UN_KEY_FEATURES,
    UN_KEY_LABELS,
    UN_KEY_CLASS_NAMES,
    UN_KEY_TABLE,
    UN_KEY_SCALE,
    UN_KEY_LAYOUT,
    UN_KEY_IMAGES_PER_CLASS,
    UN_KEY_SIZE
};

/* clang-format off */
/* --validation; FIRST: which folds there are without it, besides the lists beside the split. */
#define UN_IMPORT_VALIDATION(FIRST)                                                                \
    {"validation", UN_KEY_VALIDATION, "FILE", 0,                                                   \
     "Validation fold from a MAT file with train_loc and val_loc, or from a text of class names; " \
     "may be repeated (default: " FIRST "valclasses1.txt to valclasses3.txt beside it; if there "  \
     "are none, 3 are proposed)",                                                                  \
     0}
/* clang-format on */

/* Takes any option of the keys into the un_import_arguments, the parser's input; what cannot be
 * ends through argp_error. */
error_t un_import_parse(int key, char *text, struct argp_state *state);

/* Groups of options, to be children of a format's parser; their input is the same. */
extern const struct argp un_import_output_argp;    /* --name, -o, --word-vectors, --tensor */
extern const struct argp un_import_update_argp;    /* --update */
extern const struct argp un_import_names_argp;     /* --attributes: names for the attributes */
extern const struct argp un_import_semantics_argp; /* --semantics NAME=G.mat */
extern const struct argp un_import_split_argp;     /* --splits, --unseen, …, --validation */
extern const struct argp un_import_values_argp;    /* --unknown */
extern const struct argp un_import_store_argp;     /* --features-name, --dtype */
extern const struct argp un_import_pictures_argp;  /* --images, --allow-missing */
extern const struct argp un_import_turn_argp;      /* --orientation */

/* What is nothing until it is said. */
void un_import_begin(un_import_arguments *a);
/* Whether --write-splits is none of the inputs; `folder` is the one of other people's data, NULL where
 * there is none. An exit code; releases `files`, which the format's own inputs are in. */
int un_import_check_files(const un_import_arguments *a, const char *folder, un_cli_files *files);
/* Imports, and prints what is there now; the exit code. */
int un_import_run(un_import_arguments *a, const char *format);

#endif
