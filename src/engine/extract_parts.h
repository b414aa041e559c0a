/* extract_parts.h - what the files of engine/extract.h share. */
#ifndef UN_ENGINE_EXTRACT_PARTS_H
#define UN_ENGINE_EXTRACT_PARTS_H

#include "base/json.h"
#include "data/features.h"
#include "engine/extract.h"
#include "engine/loader.h"

enum { POOLED, REGIONS, OUTPUTS };

/* What became of a picture that was looked at. */
enum { USABLE = 0, DAMAGED, UNREADABLE };

/* One feature set to be made, or to be completed. */
typedef struct {
    int open;             /* 0: not wanted, or nothing is missing */
    char *path, *journal; /* of the feature set, of the journal of the work on it */
    char *recipe;         /* JSON text */
    json_t *identity;     /* what must be equal for rows to be taken up again */
    un_features old;      /* the rows that are there already; file.path NULL: none */
    un_features_writer *writer;
    float *rows; /* of one batch */
    size_t regions, grid_height, grid_width;
} extract_output;

typedef struct {
    const un_extract_options *options;
    un_extract_result *result;
    un_dataset dataset;
    un_backbone *backbone;
    un_recipe recipe;
    extract_output output[OUTPUTS];
    unsigned char *state; /* [N] USABLE, DAMAGED, UNREADABLE; kept from pass to pass */
    size_t *wanted;       /* images whose pictures are to be looked at, in order */
    char **names;         /* [wanted_count] of these pictures */
    size_t wanted_count;
    size_t done;      /* rows of all outputs that are written */
    size_t inherited; /* pictures that an earlier, interrupted run could not use */
    size_t told;      /* warnings about single pictures */
    size_t failed;    /* pictures in a row that could not be read, up to the last one */
    size_t good;      /* rows that were there when that row of failures began */
    double saved;     /* when the journal was written last */
} extraction;

/* extract_outputs.c: names the outputs, opens what is there of them, decides which are open. */
un_status un_extract_open_outputs(extraction *x);
/* Makes or takes up the partial files, `done` rows of which are there. */
un_status un_extract_open_writers(extraction *x);
void un_extract_close_outputs(extraction *x);
/* Whether an open output is without a row of the image. */
int un_extract_lacks(const extraction *x, size_t image);

/* extract_journal.c: takes up what an earlier run left of all outputs; sets done and state. */
un_status un_extract_read_journals(extraction *x);
/* Syncs the first `done` rows and says so. */
un_status un_extract_write_journals(extraction *x, size_t done);
/* Removes the journals; the next run begins anew. */
void un_extract_forget(const extraction *x);

#endif
