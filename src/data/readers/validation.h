/*
 * validation.h - the validation folds of an import: where lists of images or
 * classes come from, and which are taken.
 */
#ifndef UN_DATA_READERS_VALIDATION_H
#define UN_DATA_READERS_VALIDATION_H

#include "data/dataset.h"
#include "data/readers/mat.h"

/* A vector of 1-based image numbers as a sorted 0-based list from the data set's
 * arena. Every entry must be a whole number from 1 to `limit`; a repeated one is
 * an error. */
un_status un_mat_read_indices(un_mat *mat, const char *name, size_t limit, un_arena *arena,
                              un_index_list *out);

/* Adds the folds of the files that the user named (MAT files with train_loc and
 * val_loc, or texts with one class name a line), then those of the split file
 * itself, then those of valclasses1.txt to valclasses3.txt beside it; merges
 * equal ones; proposes some if there are none and the images have labels. What
 * the user named must work; anything else that does not becomes a note. */
un_status un_import_validation(un_dataset *dataset, un_mat *splits, const char *const *files,
                               size_t count);

/* Adds a sentence to dataset->notes and logs it. */
un_status un_dataset_note(un_dataset *dataset, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
