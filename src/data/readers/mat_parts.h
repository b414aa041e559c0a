/*
 * mat_parts.h - what the parts of the MAT reader share; private to mat*.c.
 */
#ifndef UN_DATA_READERS_MAT_PARTS_H
#define UN_DATA_READERS_MAT_PARTS_H

#include "base/file.h"
#include "data/readers/mat.h"

/* Walks a v5 file and verifies all its sizes, dimensions and checksums. */
un_status un_mat5_verify(const un_map *map, const char *path);

/* What the parent asks of the child. */
typedef enum { MAT_LIST = 1, MAT_DOUBLE, MAT_COLUMNS, MAT_STRINGS } mat_question;

typedef struct {
    mat_question question;
    char name[UN_MAT_NAME];
    uint64_t first, count; /* columns */
} mat_request;

/* The answer; its data are the first `bytes` of the shared memory. */
typedef struct {
    un_status status;
    char sentence[512]; /* why not, when status is not UNSEEN_OK; for a list that is
                           there nevertheless, what libmatio complained of */
    uint64_t bytes;
    uint64_t count; /* of variables or strings */
} mat_answer;

/* Bytes of the memory that parent and child share; pages come when touched. */
#define UN_MAT_MEMORY ((size_t)1 << 30)

/* The child's life: opens `path` with libmatio and answers on `socket` until it
 * closes; puts data into `memory`. Never returns. */
_Noreturn void un_mat_child(const char *path, int socket, unsigned char *memory);

#endif
