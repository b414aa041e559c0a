/*
 * stage.h - a directory that appears whole or not at all.
 *
 * An import writes into "<output>.partial" and renames it at the end. A lock on
 * a file in it tells a running import from what a killed one left behind: the
 * kernel drops the lock with the process.
 */
#ifndef UN_DATA_STAGE_H
#define UN_DATA_STAGE_H

#include "base/lock.h"
#include "base/status.h"

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
 * the old one is "<output>.old" for a moment, and the next opening puts it back. */
un_status un_stage_open_over(un_stage *stage, const char *output);
/* Moves the finished directory to its place. Always releases the stage. */
un_status un_stage_commit(un_stage *stage);
/* Nothing is open. */
#define UN_STAGE_NONE                                                                              \
    (un_stage) { .lock = UN_LOCK_NONE }
/* Removes what was made; harmless after commit and on UN_STAGE_NONE. */
void un_stage_abort(un_stage *stage);

#endif
