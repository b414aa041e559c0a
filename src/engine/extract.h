/*
 * extract.h - features of all pictures of a data set, through a backbone, into its
 * feature store.
 *
 * Work that is interrupted is taken up again by the same call (data/row_store.h): the rows lie in
 * features/NAME.safetensors.partial, and features/NAME.journal says how far they go and how they
 * were made; rows made in another way are made anew.
 *
 * Ranks (cluster/cluster.h) take ranges of the missing rows, cut between batches, so that each
 * batch is the one that a single process would make; they write into one file, which therefore has
 * the same bytes. What any number of them left is taken up by any number.
 *
 * A picture that cannot be used has no row (features.h). The split stays as it is: a later
 * extraction tries those pictures again, and no others, and completes the file. Rows
 * that are there are copied as they are.
 */
#ifndef UN_ENGINE_EXTRACT_H
#define UN_ENGINE_EXTRACT_H

#include <signal.h>

#include "base/json.h"
#include "data/dataset.h"
#include "data/row_store.h"
#include "engine/loader.h"
#include "vision/backbone.h"

typedef struct {
    const un_dataset *dataset;              /* in a directory; it must say where its pictures lie */
    const char *backbone;                   /* weights file, or "builtin:descriptor" */
    int pooled, regions;                    /* which features to write; at least one */
    const char *pooled_name, *regions_name; /* of the feature sets; NULL: architecture, with
                                               "-S" for an unusual size and "-regions" */
    size_t image_size;                      /* S; 0: the recipe's */
    size_t batch;                           /* pictures in one pass of the network */
    un_dtype regions_dtype, pooled_dtype;   /* of the files: UN_F32 or UN_BF16 */
    un_orientation orientation; /* of the pictures; UNSAID: as the data set says, else as stored */
    un_precision precision;
    int strict;     /* the first bad picture is an error; 0: it has no row */
    int keep_going; /* however many pictures in a row cannot be read; 0: UN_PICTURE_FAILURES
                       of them are an error, and what was done before them is kept */
    const volatile sig_atomic_t *stop; /* non-zero: save and return; may be NULL */
} un_extract_options;

typedef struct {
    size_t images;          /* of the data set */
    size_t taken_up;        /* of those, done by an earlier run */
    size_t kept;            /* rows that were there already, in a file that was completed */
    size_t bad;             /* pictures that have no row in the end */
    size_t unreadable;      /* of those, what the system did not let us read */
    size_t ignored;         /* pictures of this run whose EXIF orientation was not honoured */
    int already_there;      /* nothing was left to do, or nothing could be done */
    double seconds;         /* of this run */
    double network_seconds; /* of those, in the network */
    char names[2][160];     /* of the feature sets written, "" for none: pooled, regions */
} un_extract_result;

/* Fails with UNSEEN_E_INTERRUPTED when stopped. The first bad pictures are logged as warnings,
 * which tell damaged ones from those that the system does not let us read; further ones as
 * UNSEEN_LOG_DEBUG, and their number as a warning. */
un_status un_extract(const un_extract_options *options, un_extract_result *result);

/* ---- what extract.c (the passes over the pictures) and extract_outputs.c share ---- */

enum { POOLED, REGIONS, OUTPUTS };

/* What became of a picture that was processed. */
enum { USABLE = 0, DAMAGED, UNREADABLE };

/* One feature set to be made, or to be completed. */
typedef struct {
    int open;           /* 0: not among those to be made, or nothing is missing */
    char *path;         /* of the feature set */
    char *recipe;       /* JSON text */
    un_features old;    /* the rows that are there already; file.path NULL: none */
    un_row_store store; /* the rows of this run */
    float *rows;        /* of one batch */
    size_t regions, grid_height, grid_width;
} extract_output;

typedef struct {
    const un_extract_options *options;
    un_extract_result *result;
    const un_dataset *dataset;
    un_backbone *backbone;
    un_recipe recipe;
    extract_output output[OUTPUTS];
    unsigned char *state;   /* [N] USABLE, DAMAGED, UNREADABLE; kept from pass to pass */
    unsigned char *there;   /* [N] rows that this rank's journal vouches for or will; of rank 0 also
                             those of an earlier run */
    size_t *rows;           /* images whose rows this rank writes, in order */
    size_t row_count, next; /* of `rows`; how many are written */
    size_t *pending;        /* of them, those whose pictures are to be processed, in order */
    char **names;           /* [pending_count] of these pictures */
    size_t pending_count;
    size_t lacking;   /* pending images of all ranks */
    size_t taken_up;  /* rows that were there */
    size_t inherited; /* pictures that an earlier, interrupted run could not use */
    size_t warned;    /* warnings about single pictures */
    size_t failed;    /* pictures in a row that could not be read, up to the last one */
    size_t good;      /* rows that were written when that row of failures began */
    json_t *notes;    /* of ranks but the first: [image, state, sentence] of each bad picture */
} extraction;

/* Names the outputs, opens what is there of them, decides which are open. */
un_status un_extract_open_outputs(extraction *x);
/* Makes, takes up or joins the partial files. Collective. */
un_status un_extract_open_writers(extraction *x);
void un_extract_close_outputs(extraction *x);
/* Whether an open output is without a row of the image. */
int un_extract_lacks(const extraction *x, size_t image);

/* Takes up what earlier runs left of all outputs; sets there, state, inherited. */
un_status un_extract_read_journals(extraction *x);
/* Whether it is time to write them. */
int un_extract_journals_due(const extraction *x);
/* Syncs the rows that are there and says so. */
un_status un_extract_write_journals(extraction *x);
/* This rank's rows are there, and it has closed the files. Of ranks but the first. */
un_status un_extract_leave_outputs(extraction *x);
/* All rows are there: the files get their names. Of rank 0. */
un_status un_extract_commit_outputs(extraction *x);
/* What the outputs depend on, as text: the same at all ranks. Released with free(). */
un_status un_extract_identity(const extraction *x, char **out);

#endif
