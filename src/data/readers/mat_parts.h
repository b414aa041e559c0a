/*
 * mat_parts.h - what the parts of the MAT reader share; private to mat*.c.
 */
#ifndef UN_DATA_READERS_MAT_PARTS_H
#define UN_DATA_READERS_MAT_PARTS_H

#include "base/file.h"
#include "data/readers/mat.h"
#include "data/readers/reader_child.h"

/* Walks a v5 file and verifies all its sizes, dimensions and checksums. */
un_status un_mat5_verify(const un_map *map, const char *path);

/* What the parent asks of the child. */
typedef enum { MAT_LIST = 1, MAT_DOUBLE, MAT_COLUMNS, MAT_STRINGS } mat_question;

typedef struct {
    mat_question question;
    char name[UN_MAT_NAME];
    uint64_t first, count; /* columns */
} mat_request;

/* The child's life; see un_child_main. A list that is there nevertheless has in its
 * sentence what libmatio complained of. */
void un_mat_child(const char *path, int socket, unsigned char *memory);

#endif
