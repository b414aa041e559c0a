/*
 * row_store.h - a feature file whose rows take long to compute: what an interrupted run has done
 * is taken up by the next one.
 *
 * The rows lie in NAME.safetensors.partial until all are there; then the file appears under its
 * name. Beside them lies NAME.journal, which vouches for them, as JSON:
 *     identity   everything that the rows depend on; rows of another identity are not taken up
 *     done       how many rows, from the first on, are safely on the disk
 *     rows       further rows that are, as pairs [first, behind the last]
 * and what else its writer must know of these rows. A journal without its rows means nothing, and
 * goes when the file appears. Where several ranks write rows (cluster/cluster.h), rank 0 begins and
 * completes the file, and each other one has a journal of its own, NAME.journal.RANK; what ranks
 * left is taken up by any number of them.
 */
#ifndef UN_DATA_ROW_STORE_H
#define UN_DATA_ROW_STORE_H

#include "base/json.h"
#include "data/features.h"

typedef struct {
    char *path, *journal; /* of the whole file, of its journal; NULL: not opened */
    json_t *identity;
    size_t row_count;           /* of the whole file */
    un_features_writer *writer; /* what rows are appended to, from begin to commit, else NULL */
    double saved;               /* when the journal was last written, as un_now() */
} un_row_store;

/* A store of `row_count` rows to become the file `path`, which ends in ".safetensors". Takes
 * `identity`, even when it fails; NULL stands for one that memory was too short for. Writes
 * nothing. */
un_status un_row_store_open(un_row_store *store, const char *path, json_t *identity,
                            size_t row_count);
/* How many rows an earlier run of the same identity left, 0 to row_count; anything odd about the
 * journal means none. Where there are some and `journal` is given, *journal is what it says, to be
 * released with json_decref, else NULL. */
size_t un_row_store_left(const un_row_store *store, json_t **journal);
/* What runs of the same identity left, by whatever number of ranks: sets there[i] of rows that are on
 * the disk ([row_count], zeroed by the caller); *journals, a new list, is what their journals say. */
un_status un_row_store_find(const un_row_store *store, unsigned char *there, json_t **journals);
/* As un_row_store_begin, of rows in any order; makes one journal of those that were found, with
 * `notes`. `shared`: other ranks may join when this returns; before the commit they have left. */
un_status un_row_store_begin_rows(un_row_store *store, const un_features_description *description,
                                  const unsigned char *there, json_t *notes, int shared);
/* Adds rows, as this rank, to what rank 0 has begun. */
un_status un_row_store_join(un_row_store *store, const un_features_description *description,
                            size_t rank);
/* This rank's rows are on the disk, where who opens the file from now on finds them. */
un_status un_row_store_leave(un_row_store *store);
/* As un_row_store_save, of rows in any order. */
un_status un_row_store_save_rows(un_row_store *store, const unsigned char *there, json_t *notes);
/* Makes the partial file, or goes on after the first `done` of the rows that are left; 0 starts
 * anew. UNSEEN_E_FORMAT: the partial file is not what the journal says; the next run starts
 * anew. */
un_status un_row_store_begin(un_row_store *store, const un_features_description *description,
                             size_t done);
/* Whether the journal is so old that it should be written again. */
int un_row_store_due(const un_row_store *store);
/* Brings the rows that were appended to the disk and says in the journal that the first `done`
 * are there, with the members of the object `notes` (NULL: none). */
un_status un_row_store_save(un_row_store *store, size_t done, json_t *notes);
/* All rows are there: the file gets its name, and the journal goes. */
un_status un_row_store_commit(un_row_store *store);
/* Removes what lies on the disk of rows that were begun. */
void un_row_store_discard(const un_row_store *store);
/* Releases the store; partial file and journal stay, for the next run. */
void un_row_store_close(un_row_store *store);

#endif
