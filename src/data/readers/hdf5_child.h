/*
 * hdf5_child.h - what the parts of the process in which libhdf5 runs share; private to
 * hdf5_*.c. See reader_child.h for why it is a process.
 */
#ifndef UN_DATA_READERS_HDF5_CHILD_H
#define UN_DATA_READERS_HDF5_CHILD_H

#include "base/foreign/hdf5.h"
#include "data/readers/hdf5.h"
#include "data/readers/text.h"

/* ---- hdf5_child.c: the file itself, without opening another ---- */

/* Opens the HDF5 file behind a descriptor; negative if it is none. */
hid_t un_hdf5_open_descriptor(int fd, const char *path);

/* ---- hdf5_chunks.c: chunks unpacked by ourselves ---- */

enum { UN_HDF5_FILTERS = 8 };

/* A data set in chunks. libhdf5 believes that what it unpacked is a whole chunk and reads on
 * in its heap if it is less; here every chunk is measured. */
typedef struct {
    const char *path, *name; /* for sentences */
    hid_t set;
    hid_t stored;    /* type of the elements in the file */
    size_t element;  /* bytes of one there */
    size_t elements; /* of a chunk */
    int rank;
    hsize_t dims[UN_MAX_RANK];
    hsize_t chunk[UN_MAX_RANK];
    int filter_count;
    H5Z_filter_t filters[UN_HDF5_FILTERS];
    size_t shuffle;          /* bytes that the shuffle filter shuffles */
    int whole_only;          /* chunks over the border are not filtered */
    hsize_t at[UN_MAX_RANK]; /* the chunk that is held */
    hid_t held_as;           /* the type it was turned into; negative: none is held */
    unsigned char *data;     /* it, in that type */
    unsigned char *packed;   /* the two take turns while filters are undone */
    size_t room;             /* bytes of both */
} un_hdf5_chunks;

/* Fails for filters that cannot be undone here. `stored_element`: bytes of one element. */
un_status un_hdf5_chunks_open(un_hdf5_chunks *chunks, const char *path, const char *name, hid_t set,
                              hid_t creation, size_t stored_element);
void un_hdf5_chunks_close(un_hdf5_chunks *chunks);
/* The elements start … start + extent - 1 (all dimensions) as `type`, row-major. */
un_status un_hdf5_chunks_read(un_hdf5_chunks *chunks, const hsize_t *start, const hsize_t *extent,
                              hid_t type, void *out);
/* That every chunk is there and whole: before libhdf5 reads what is not a number. */
un_status un_hdf5_chunks_verify(un_hdf5_chunks *chunks);

/* ---- hdf5_set.c: one data set, checked ---- */

typedef struct {
    const char *path;
    char name[UN_HDF5_NAME];
    hid_t set; /* negative: none */
    hid_t type;
    uint64_t elements;
    int chunked;
    un_hdf5_chunks chunks;
} un_hdf5_set;

#define UN_HDF5_NO_SET ((un_hdf5_set){.set = -1, .type = -1})

/* What libhdf5 complains of. */
un_status un_hdf5_damaged(const char *path, const char *name);
/* Takes over `set`, open, and checks that all of it is stored, in this file and whole. */
un_status un_hdf5_set_open(un_hdf5_set *out, const char *path, const char *name, hid_t set);
void un_hdf5_set_close(un_hdf5_set *set);
/* All elements as `type`, which is a number. */
un_status un_hdf5_set_read(un_hdf5_set *set, hid_t type, void *out);
/* A part of them. */
un_status un_hdf5_set_read_part(un_hdf5_set *set, const hsize_t *start, const hsize_t *extent,
                                hid_t type, void *out);
/* All elements as libhdf5 reads them: text, references. */
un_status un_hdf5_set_read_raw(un_hdf5_set *set, void *out);

/* A string or a number among the attributes of an object: "" or 0 if there is none. */
void un_hdf5_attribute_text(hid_t object, const char *name, char *out, size_t size);
int un_hdf5_attribute_number(hid_t object, const char *name);

/* ---- hdf5_set.c: its strings ---- */

/* All strings of a set: text, MATLAB's characters, or references to either. */
un_status un_hdf5_set_strings(un_hdf5_set *set, un_text *text, size_t *count);

#endif
