/*
 * parts.h - where the parts of the objects are in the pictures of a data set.
 *
 *     DIR/parts.safetensors     optional; absent where nobody marked parts
 *
 * What explanations are measured against: attention on "bill shape" should fall on
 * the beak. Nothing here is ever trained on. Tensors (N images, P parts):
 *     boxes     F32 [N, P, 4]   x0 y0 x1 y1 as fractions of the picture's width and
 *                               height, from its upper left corner, 0 to 1; all zero
 *                               where the part is not visible. Of points x0 = x1, y0 = y1
 *     visible   U8  [N, P]      1: the part is visible
 *     objects   F32 [N, 4]      the box around the whole object, optional
 * Metadata:
 *     format "unseen-parts", format_version "1", kind "boxes" | "points",
 *     parts             JSON list of P names
 *     attribute_parts   JSON {semantics: list over its A attributes of lists of
 *                       part numbers}; an empty list is the whole object or no part
 */
#ifndef UN_DATA_PARTS_H
#define UN_DATA_PARTS_H

#include "data/dataset.h"

/* The parts that an attribute speaks of. */
typedef struct {
    size_t count; /* 0: the whole object, or nothing that has a place */
    size_t *items;
} un_part_list;

typedef struct {
    const char *semantics; /* name of the table whose attributes these are */
    size_t width;          /* A */
    un_part_list *lists;   /* [A] */
} un_attribute_parts;

typedef struct {
    size_t image_count;     /* N */
    size_t part_count;      /* P */
    char **names;           /* [P] */
    int points;             /* 1: points, 0: boxes */
    float *boxes;           /* [N, P, 4] */
    unsigned char *visible; /* [N, P] */
    float *objects;         /* [N, 4]; NULL: unknown */
    size_t attribute_parts_count;
    un_attribute_parts attribute_parts[UN_MAX_SEMANTICS];
    un_arena arena; /* owns everything above */
} un_parts;

/* Whether the data set directory has the file. */
int un_parts_exist(const char *directory);

/* Opens DIR/parts.safetensors and checks it against the data set: N, the widths of
 * the semantics, boxes in range and not inside out, zero where invisible.
 * UNSEEN_E_FORMAT with a sentence for anything else. */
un_status un_parts_open(un_parts *parts, const char *directory, const un_dataset *dataset);
/* Checks as un_parts_open does, then writes DIR/parts.safetensors atomically. */
un_status un_parts_write(const un_parts *parts, const char *directory, const un_dataset *dataset);
/* Harmless on a zeroed one. */
void un_parts_close(un_parts *parts);

/* The parts of attribute `a` of the semantics called `name`; NULL if the file says
 * nothing about that semantics. */
const un_part_list *un_parts_of_attribute(const un_parts *parts, const char *name, size_t a);

#endif
