/*
 * mat5.h - MAT v5, the half of the MAT reader that is all our own; private to mat*.c, see mat.h.
 */
#ifndef UN_DATA_READERS_MAT5_H
#define UN_DATA_READERS_MAT5_H

#include <stdint.h>

#include "base/foreign/zlib.h"
#include "base/status.h"
#include "data/readers/mat.h"

/* Largest matrix, or text, that is read at once. */
#define UN_MAT_WHOLE_BYTES ((size_t)1 << 30)

/* ---- a file and its variables: mat5.c ---- */

typedef struct un_mat5 un_mat5;

/* Walks through the whole file: every size against the file, every dimension against its
 * data, every compressed variable to its checksum. */
un_status un_mat5_open(un_mat5 **out, const char *path);
void un_mat5_close(un_mat5 *mat); /* NULL is allowed */
/* Borrowed; `slab` is for the caller to fill. */
un_mat_variable *un_mat5_variables(un_mat5 *mat, size_t *count);
/* `number` is of the variable in that list, which has the kind that is read. */
un_status un_mat5_read_double(un_mat5 *mat, size_t number, double *out);
un_status un_mat5_read_columns(un_mat5 *mat, size_t number, size_t first, size_t count, float *out);
un_status un_mat5_read_strings(un_mat5 *mat, size_t number, un_arena *arena, char ***out,
                               size_t *count);

/* ---- the bytes of a MAT v5 file's elements, front to back through a small buffer,
 * whether they lie in the file as they are or in a zlib stream: mat5_stream.c ---- */

enum { UN_MAT5_BUFFER = 64 * 1024 };

/* Where sub-elements come from: a piece of the file itself, or a zlib stream in it. */
typedef struct {
    const char *path;
    int fd;
    int swapped;   /* the file's byte order is not ours */
    uint64_t next; /* byte of the file that is read next */
    uint64_t left; /* bytes of the piece from there on */
    int compressed;
    int ended; /* the stream has told its end and its checksum held */
    int live;  /* z is initialised */
    z_stream z;
    size_t at, have; /* what is ready: buffer[at … have - 1] */
    unsigned char buffer[UN_MAT5_BUFFER];
    unsigned char packed[UN_MAT5_BUFFER]; /* of a stream: z reads here */
} un_mat5_stream;

/* UNSEEN_E_FORMAT: "PATH is damaged: WHAT; get the file again". */
un_status un_mat5_damaged(const un_mat5_stream *s, const char *what);
/* Goes to `bytes` bytes of the file at byte `at`, the beginning of a zlib stream if `compressed`.
 */
un_status un_mat5_seek(un_mat5_stream *s, uint64_t at, uint64_t bytes, int compressed);
/* Takes n bytes into out, or drops them if out is NULL. */
un_status un_mat5_take(un_mat5_stream *s, void *out, uint64_t n);
/* The same out of the `budget` bytes that the enclosing element has left. */
un_status un_mat5_take_from(un_mat5_stream *s, uint64_t *budget, void *out, uint64_t n);
/* Unpacks a stream to its end: what follows the variable in it is nobody's, but the checksum comes
 * after it. */
un_status un_mat5_finish(un_mat5_stream *s);
/* Ends what un_mat5_seek began and closes the file. */
void un_mat5_stream_close(un_mat5_stream *s);

/* Turns `n` elements of `size` bytes into our byte order. */
void un_mat5_swap(unsigned char *bytes, size_t size, size_t n);
/* Four bytes of the file as a number. */
uint32_t un_mat5_word(const un_mat5_stream *s, const unsigned char *bytes);

#endif
