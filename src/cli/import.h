/*
 * import.h - what the formats of `unseen import` share; private to cmd_import.c and
 * import_*.c.
 */
#ifndef UN_CLI_IMPORT_H
#define UN_CLI_IMPORT_H

#include "cli/cli.h"
#include "data/readers/import.h"
#include "data/readers/split_file.h"
#include "text/word_vectors.h"

enum { UN_IMPORT_FILES = 64, UN_IMPORT_UNKNOWN = 16 };

/* One for all formats; a parser offers the options that its format has. */
typedef struct {
    un_cli_common common;
    const char *name, *output;
    un_words_options words; /* vectors NULL: without */
    const char *validation[UN_IMPORT_FILES];
    size_t validation_count;
    un_named_path semantics[UN_MAX_SEMANTICS];
    size_t semantics_count;
    char *unknown[UN_IMPORT_UNKNOWN]; /* what stands for unknown values */
    size_t unknown_count;
    const char *features_name;
    un_dtype dtype;
    const char *images;
    int allow_missing;
    un_orientation orientation;
    int update;
    un_split_options split; /* of formats whose images are files or rows */
} un_import_arguments;

/* Parsers to be children of a format's; their input is the un_import_arguments. */
extern const struct argp un_import_output_argp;    /* --name, -o, --word-vectors, --tensor */
extern const struct argp un_import_update_argp;    /* --update */
extern const struct argp un_import_names_argp;     /* --attributes: names for the attributes */
extern const struct argp un_import_semantics_argp; /* --semantics NAME=G.mat */
extern const struct argp un_import_split_argp;     /* --splits, --unseen, …, --validation */
extern const struct argp un_import_values_argp;    /* --unknown */
extern const struct argp un_import_store_argp;     /* --features-name, --dtype */
extern const struct argp un_import_pictures_argp;  /* --images, --allow-missing */
extern const struct argp un_import_turn_argp;      /* --orientation */

/* For parsers of the options themselves; what cannot be ends through argp_error. */
void un_import_add_semantics(struct argp_state *state, un_import_arguments *a, char *text);
void un_import_add_validation(struct argp_state *state, un_import_arguments *a, const char *path);

/* Called by an import before it writes: names and word vectors of the attributes; `user` is
 * the un_words_options. */
un_status un_import_add_words(un_dataset *dataset, void *user);
/* Whether --write-splits is none of the inputs; `root` is the folder of other people's data, NULL
 * where there is none. An exit code; releases `files`, which the format's own inputs are in. */
int un_import_check_files(const un_import_arguments *a, const char *root, un_cli_files *files);
/* What an import ends with: prints what is there now; the exit code. */
int un_import_show(un_status imported, const char *output);
/* Sets what the split options share with others; to be called once all are parsed. */
void un_import_finish_split(un_import_arguments *a);

int un_import_run_xlsa17(int argc, char **argv);
int un_import_run_region_maps(int argc, char **argv);
int un_import_run_cub(int argc, char **argv);
int un_import_run_awa2(int argc, char **argv);
int un_import_run_folder(int argc, char **argv);
int un_import_run_arrays(int argc, char **argv);

/* ---- a format of `unseen import` in a file of its own. ---- */

/* Runs `unseen import tinybirds`; argv[0] is what the parser calls the program. */
int un_import_tinybirds(int argc, char **argv);

#endif
