/*
 * hdf5_parts.h - what the two sides of the HDF5 reader share; private to hdf5*.c.
 */
#ifndef UN_DATA_READERS_HDF5_PARTS_H
#define UN_DATA_READERS_HDF5_PARTS_H

#include "data/readers/hdf5.h"
#include "data/readers/reader_child.h"

/* What the parent asks of the child. */
typedef enum { HDF5_LIST = 1, HDF5_DOUBLE, HDF5_STRINGS, HDF5_PART, HDF5_PIECE } hdf5_question;

typedef struct {
    hdf5_question question;
    char name[UN_HDF5_NAME];
    int rank;                     /* HDF5_PART: 1 or 2 */
    uint64_t start[2], extent[2]; /* HDF5_PART */
    un_hdf5_blocks blocks;        /* HDF5_PIECE */
    un_hdf5_piece piece;
} hdf5_request;

/* The child's life; see un_child_main. */
void un_hdf5_child(const char *path, int socket, unsigned char *memory);

#endif
