/*
 * pictures.h - what the commands share that ask a model about pictures: which model, which
 * pictures, which classes are candidates.
 */
#ifndef UN_CLI_PICTURES_H
#define UN_CLI_PICTURES_H

#include "cli/cli.h"
#include "cli/files.h"
#include "engine/classifier.h"
#include "engine/path_list.h"

enum { UN_CLI_CLASS_FILES = 16 };

typedef struct {
    un_cli_common common;
    int from_stdin; /* set before parsing: the argument - stands for paths on standard input */
    const char *model, *backbone;
    un_path_list pictures;
    const char *class_files[UN_CLI_CLASS_FILES];
    size_t class_file_count;
    un_among among;
    un_orientation orientation; /* UNSAID: as the model was trained */
    un_status list_status;      /* of gathering the pictures while parsing */
} un_cli_pictures;

/* Parser of MODEL PICTURES..., --backbone, --among, --classes and --orientation as the only child
 * of a command's; its input is the un_cli_pictures. */
extern const struct argp_child un_cli_pictures_children[];

/* The model with its backbone and the new classes; un_classifier_close releases it in any case. */
un_status un_cli_pictures_open(const un_cli_pictures *pictures, un_classifier *classifier);
/* All files that the model and the question about pictures are read from. */
void un_cli_reads_pictures(un_cli_files *files, const un_cli_pictures *pictures);
void un_cli_pictures_free(un_cli_pictures *pictures);

/* Names the folders without pictures that were passed over, as a failure; returns how many. */
size_t un_cli_tell_empty(const un_cli_pictures *pictures);

/* Warns of pictures whose EXIF orientation the model's recipe does not honour. */
void un_cli_tell_ignored(size_t count, const un_classifier *classifier);

/* A whole number from 1 to `most` for --top; anything else ends through argp_error. */
size_t un_cli_parse_top(struct argp_state *state, const char *text, size_t most);

#endif
