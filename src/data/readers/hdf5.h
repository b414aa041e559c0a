/*
 * hdf5.h - reading the data sets of an HDF5 file.
 *
 * A thin layer over libhdf5 that stays safe on damaged files: the library works
 * in a process of its own (reader_child.h), and chunks are unpacked and measured by
 * ourselves: gzip, shuffle and fletcher32, no other filter. Only what lies in the root
 * group and in the file itself is read: no links to other files, no external or virtual
 * storage. Parts that were never written are an error, not zeros.
 *
 * A handle is for one thread, the one that opened it. Numbers are row-major.
 */
#ifndef UN_DATA_READERS_HDF5_H
#define UN_DATA_READERS_HDF5_H

#include "base/arena.h"
#include "data/readers/reader_child.h"
#include "tensor/tensor.h"

typedef enum {
    UN_HDF5_OTHER = 0, /* compound, group, …: listed, not readable */
    UN_HDF5_NUMERIC,   /* integer, floating-point, h5py's booleans; MATLAB's characters, too */
    UN_HDF5_TEXT,      /* strings of fixed or variable length */
    UN_HDF5_CELLS      /* references to other data sets: a cell array of MATLAB's */
} un_hdf5_kind;

enum { UN_HDF5_NAME = 64 };

typedef struct {
    char name[UN_HDF5_NAME];
    char type_name[16]; /* "float32", "int64", "text", … */
    un_hdf5_kind kind;
    int rank;
    size_t dims[UN_MAX_RANK];
    size_t chunk[UN_MAX_RANK]; /* one chunk; all 0 if the data lie in one piece */
    char matlab_class[16];     /* MATLAB's mark: "double", "char", "cell", …; "" if it has none */
    int is_complex;            /* real and imaginary parts */
    int is_object;             /* of MATLAB's: "string", "table", … */
    int is_empty;              /* by MATLAB's mark; then `dims` are those it stored */
    int is_damaged;            /* libhdf5 cannot open it: no more is known */
} un_hdf5_variable;

typedef struct un_hdf5 un_hdf5;

/* Opens and lists. UNSEEN_E_FORMAT for anything that is not an intact HDF5 file. */
un_status un_hdf5_open(un_hdf5 **out, const char *path);
/* NULL is allowed. */
void un_hdf5_close(un_hdf5 *file);

/* The data sets and groups of the root group, borrowed. */
const un_hdf5_variable *un_hdf5_variables(const un_hdf5 *file, size_t *count);
/* NULL if there is no such variable. */
const un_hdf5_variable *un_hdf5_find(const un_hdf5 *file, const char *name);
/* The variable, of `kind` and with `rank` dimensions (negative: any), or a
 * sentence that says what is there instead. */
un_status un_hdf5_require(const un_hdf5 *file, const char *name, un_hdf5_kind kind, int rank,
                          const un_hdf5_variable **out);

/* The sentence about a variable that is_damaged. */
un_status un_hdf5_cannot_open(const char *path, const char *name);

/* A whole numeric variable as doubles, released with free(); at most 1 GiB. */
un_status un_hdf5_read_double(un_hdf5 *file, const char *name, double **out);
/* Rows and columns start … start + extent - 1 of a numeric matrix (of a vector: rows) as f32
 * [extent 0, extent 1]. *out is borrowed until the next call on `file`; at most 1 GiB. */
un_status un_hdf5_read_part(un_hdf5 *file, const char *name, const size_t start[2],
                            const size_t extent[2], const float **out);
/* All strings of a text variable, as UTF-8 from `arena`, blanks of fixed-length ones cut off.
 * A cell array of MATLAB's has one a cell, its matrix of characters one a row. */
un_status un_hdf5_read_strings(un_hdf5 *file, const char *name, un_arena *arena, char ***out,
                               size_t *count);

/* ---- reading a large variable of four dimensions piece by piece ---- */

/* How a [N, F, h, w] variable is cut: dimensions 1 to 3 into blocks, which are
 * chunks where the file has them. Blocks count row-major, those at the upper
 * borders are smaller. */
typedef struct {
    size_t dims[4];
    size_t block[4]; /* block[0] is not used */
    size_t count;    /* of blocks */
} un_hdf5_blocks;

/* Where block `index` begins and how far it reaches in dimensions 1 to 3 (entry
 * 0 is left alone); returns its elements for one image. */
size_t un_hdf5_block(const un_hdf5_blocks *blocks, size_t index, size_t start[4], size_t extent[4]);

/* Images first_image … + images - 1 of blocks first_block … + count - 1. */
typedef struct {
    size_t first_image, images, first_block, count;
    size_t place; /* byte of the shared memory where the data go, a multiple of 64 */
} un_hdf5_piece;

/* Asks for a piece as f32; it is read while the caller does other things. */
un_status un_hdf5_piece_ask(un_hdf5 *file, const char *name, const un_hdf5_blocks *blocks,
                            const un_hdf5_piece *piece);
/* Waits for the piece asked for. *out holds the blocks one after the other, each
 * [images, extent 1, extent 2, extent 3]; it stays valid until another piece is
 * read into the same place. */
un_status un_hdf5_piece_wait(un_hdf5 *file, const char *name, const un_hdf5_blocks *blocks,
                             const un_hdf5_piece *piece, const float **out);

/* ---- what the two sides of the HDF5 reader share; private to hdf5*.c. ---- */

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
