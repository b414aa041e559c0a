/*
 * stage.h - a directory that appears whole or not at all.
 *
 * An import, or an explanation, is written into "<output>.partial" and renamed at the end. A lock
 * on a file in it tells a running one from what a killed one left behind: the kernel drops the lock
 * with the process.
 */
#ifndef UN_DATA_STAGE_H
#define UN_DATA_STAGE_H

#include "base/file.h"
#include "base/status.h"
#include "data/dataset.h"

typedef struct {
    char *output;  /* where the directory will be */
    char *partial; /* where it is being made */
    un_lock lock;  /* on a file in it */
    int replaces;  /* 1: there is one, which the finished one takes the place of */
} un_stage;

/* Fails if `output` exists and is not an empty directory, or if another process
 * is making it. Clears what a killed run left. */
un_status un_stage_open(un_stage *stage, const char *output);
/* The same, but an `output` that is there is replaced in one step by the commit, all that is in it:
 * a kill leaves the old one or the new one. Where the file system cannot exchange two directories
 * the old one is "<output>.old" for a moment, and the next opening puts it back. `command` is what
 * makes such directories, for the sentence about another one at work: "import". */
un_status un_stage_open_over(un_stage *stage, const char *output, const char *command);
/* Moves the finished directory to its place. Always releases the stage. */
un_status un_stage_commit(un_stage *stage);
/* Nothing is open. */
#define UN_STAGE_NONE                                                                              \
    (un_stage) { .lock = UN_LOCK_NONE }
/* Removes what was made; harmless after commit and on UN_STAGE_NONE. */
void un_stage_abort(un_stage *stage);

/* ---- importing pictures again over a data set that is there: what was made of pictures
 * that are still the same is kept.
 *
 * A picture is known by the bytes of its file, wherever it lies and whatever it is called now, so
 * that classes and pictures may come, go and be renamed. ---- */

/* Whether DIR is a data set that may be replaced without a loss: an error names what is none of
 * it, or features that do not say which pictures they were made of (those of version 0.1). */
un_status un_update_check(const char *directory);
/* Makes TO/features with the feature sets of the data set `from`, row by row for the images of
 * `dataset`: copied where the picture has one, absent otherwise. A set without any row in common is
 * left out, and a warning. A picture that cannot be read has no row, and is told of by a warning;
 * UN_PICTURE_FAILURES of them in a row are an error. */
un_status un_update_features(const un_dataset *dataset, const char *from, const char *to);

#endif
