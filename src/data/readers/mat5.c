/*
 * mat5.c - verifying a MAT v5 file before libmatio sees it.
 *
 * The format ("MAT-File Format", The MathWorks): a header of 128 bytes, then
 * elements, each a tag (type, number of bytes) and its data. A variable is an
 * element of type MATRIX, or one of type COMPRESSED whose zlib stream unpacks to
 * one. A MATRIX holds sub-elements: flags, dimensions, name, then the data, or
 * for a cell array one MATRIX a cell. Sub-elements are padded to 8 bytes; up to
 * 4 bytes of data may sit inside the tag.
 *
 * Nothing is kept: the walk only finds out whether the file says the same thing
 * in all places, and unpacks every stream to the end, where its checksum is.
 * libmatio does neither, and fills what is missing with zeros.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "data/readers/mat_parts.h"

enum { MI_INT8 = 1, MI_UINT8 = 2, MI_INT32 = 5, MI_UINT32 = 6, MI_MATRIX = 14, MI_COMPRESSED = 15 };
enum { MI_UTF8 = 16, MI_LAST = 18 };
enum { CLASS_CELL = 1, CLASS_CHAR = 4, CLASS_DOUBLE = 6, CLASS_UINT64 = 15, CLASS_OPAQUE = 17 };
enum { HEADER_BYTES = 128, MAX_DEPTH = 8, MAX_RANK = 32, UNPACK_BYTES = 64 * 1024 };

/* Bytes of one element of the storage types 0 … MI_LAST, 0 where it has none. */
static const uint8_t TYPE_SIZE[MI_LAST + 1] = {0, 1, 1, 2, 2, 4, 4, 4, 0, 8,
                                               0, 0, 8, 8, 0, 0, 1, 2, 4};

/* Where sub-elements come from: the file itself, or a zlib stream in it. */
typedef struct {
    const char *path;
    const unsigned char *data; /* not compressed: what is left */
    size_t left;
    int swapped; /* the file's byte order is not ours */
    int compressed;
    int ended; /* the stream has told its end and its checksum held */
    z_stream z;
    size_t at, have; /* unpacked and not yet taken: buffer[at … have - 1] */
    unsigned char buffer[UNPACK_BYTES];
} source;

static un_status damaged(const source *s, const char *what) {
    return un_fail(UNSEEN_E_FORMAT, "%s is damaged: %s; get the file again", s->path, what);
}

static un_status unpack(source *s) {
    if (s->ended) return damaged(s, "a compressed variable ends too early");
    s->z.next_out = s->buffer;
    s->z.avail_out = UNPACK_BYTES;
    s->at = 0;
    int code = inflate(&s->z, Z_NO_FLUSH);
    s->have = UNPACK_BYTES - s->z.avail_out;
    s->ended = code == Z_STREAM_END;
    if (code != Z_OK && code != Z_STREAM_END)
        return damaged(s, code == Z_BUF_ERROR ? "a compressed variable is cut short"
                                              : "a compressed variable does not unpack");
    return UNSEEN_OK;
}

/* Takes n bytes into out, or drops them if out is NULL. */
static un_status take(source *s, void *out, uint64_t n) {
    unsigned char *to = out;
    if (!s->compressed) {
        if (n > s->left) return damaged(s, "it is cut short");
        if (to) memcpy(to, s->data, (size_t)n);
        s->data += n;
        s->left -= (size_t)n;
        return UNSEEN_OK;
    }
    while (n > 0) {
        if (s->at == s->have) {
            UN_TRY(unpack(s));
            continue; /* a call may unpack nothing yet */
        }
        size_t part = s->have - s->at < n ? s->have - s->at : (size_t)n;
        if (to) memcpy(to, s->buffer + s->at, part);
        if (to) to += part;
        s->at += part;
        n -= part;
    }
    return UNSEEN_OK;
}

/* The same out of the `budget` bytes that the enclosing element has left. */
static un_status take_from(source *s, uint64_t *budget, void *out, uint64_t n) {
    if (n > *budget) return damaged(s, "an element is larger than the one it lies in");
    *budget -= n;
    return take(s, out, n);
}

static uint32_t word(const source *s, const unsigned char *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return s->swapped ? __builtin_bswap32(value) : value;
}

typedef struct {
    uint32_t type, bytes;
    unsigned char inside[4]; /* the data, if `small` */
    int small;
} tag;

static un_status take_tag(source *s, uint64_t *budget, tag *out) {
    unsigned char raw[8];
    UN_TRY(take_from(s, budget, raw, sizeof raw));
    uint32_t first = word(s, raw);
    out->small = first >> 16 != 0;
    out->type = out->small ? first & 0xFFFF : first;
    out->bytes = out->small ? first >> 16 : word(s, raw + 4);
    memcpy(out->inside, raw + 4, sizeof out->inside);
    if (out->small && out->bytes > 4) return damaged(s, "an element's tag makes no sense");
    if (out->type == 0 || out->type > MI_LAST) return damaged(s, "an element has no known type");
    return UNSEEN_OK;
}

/* The data of a sub-element and their padding. `out` holds t->bytes or is NULL. */
static un_status take_data(source *s, uint64_t *budget, const tag *t, unsigned char *out) {
    if (t->small) {
        if (out) memcpy(out, t->inside, t->bytes);
        return UNSEEN_OK;
    }
    UN_TRY(take_from(s, budget, out, t->bytes));
    uint64_t padding = (8 - t->bytes % 8) % 8;
    if (padding > *budget) padding = *budget; /* some writers leave out the last one */
    return take_from(s, budget, NULL, padding);
}

/* The dimensions sub-element; *count becomes their product. */
static un_status take_dims(source *s, uint64_t *budget, uint64_t *count) {
    tag t;
    unsigned char raw[4 * MAX_RANK];
    UN_TRY(take_tag(s, budget, &t));
    if (t.type != MI_INT32 || t.bytes % 4 != 0 || t.bytes < 8 || t.bytes > sizeof raw)
        return damaged(s, "the dimensions of a variable make no sense");
    UN_TRY(take_data(s, budget, &t, raw));
    *count = 1;
    for (uint32_t i = 0; i < t.bytes; i += 4) {
        uint32_t dim = word(s, raw + i);
        if (dim > INT32_MAX || __builtin_mul_overflow(*count, (uint64_t)dim, count))
            return damaged(s, "the dimensions of a variable make no sense");
    }
    return UNSEEN_OK;
}

/* Real or imaginary part of `count` numbers or characters. */
static un_status take_values(source *s, uint64_t *budget, uint64_t count, int is_char) {
    tag t;
    UN_TRY(take_tag(s, budget, &t));
    uint64_t size = TYPE_SIZE[t.type];
    uint64_t expected = 0;
    if (size == 0) return damaged(s, "the data of a variable have no numeric type");
    if (__builtin_mul_overflow(count, size, &expected))
        return damaged(s, "the dimensions of a variable make no sense");
    /* A character may take several units of its encoding, a number may not. */
    if (is_char ? t.bytes < expected || t.bytes / 4 > expected : t.bytes != expected)
        return damaged(s, "a variable has not as much data as its dimensions say");
    return take_data(s, budget, &t, NULL);
}

static un_status verify_matrix(source *s, uint64_t budget, int depth);

static un_status verify_cells(source *s, uint64_t *budget, uint64_t count, int depth) {
    if (count > *budget / 8) return damaged(s, "a cell array has fewer cells than it says");
    for (uint64_t i = 0; i < count; i++) {
        tag t;
        UN_TRY(take_tag(s, budget, &t));
        if (t.type != MI_MATRIX || t.small) return damaged(s, "a cell holds no variable");
        if (t.bytes > *budget) return damaged(s, "a cell is larger than its cell array");
        *budget -= t.bytes;
        UN_TRY(verify_matrix(s, t.bytes, depth + 1));
    }
    return UNSEEN_OK;
}

/* The content of a MATRIX element of `budget` bytes; an empty one is allowed. */
static un_status verify_matrix(source *s, uint64_t budget, int depth) {
    if (budget == 0) return UNSEEN_OK;
    if (depth > MAX_DEPTH) return damaged(s, "cells are nested too deeply");
    tag t;
    unsigned char flags[8];
    UN_TRY(take_tag(s, &budget, &t));
    if (t.type != MI_UINT32 || t.bytes != sizeof flags || t.small)
        return damaged(s, "a variable has no flags");
    UN_TRY(take_data(s, &budget, &t, flags));
    uint32_t class = word(s, flags) & 0xFF;
    int is_complex = word(s, flags) >> 11 & 1;
    if (class == 0 || class > CLASS_OPAQUE) return damaged(s, "a variable has no known class");
    int numeric = class >= CLASS_DOUBLE && class <= CLASS_UINT64;
    if (numeric || class == CLASS_CHAR || class == CLASS_CELL) {
        uint64_t count = 0;
        UN_TRY(take_dims(s, &budget, &count));
        UN_TRY(take_tag(s, &budget, &t));
        if (t.type != MI_INT8 && t.type != MI_UINT8 && t.type != MI_UTF8)
            return damaged(s, "a variable has no name");
        UN_TRY(take_data(s, &budget, &t, NULL));
        if (class == CLASS_CELL) UN_TRY(verify_cells(s, &budget, count, depth));
        /* Some writers leave the data element of an empty array out. */
        else if (count > 0 || budget >= 8)
            UN_TRY(take_values(s, &budget, count, class == CLASS_CHAR));
        if (is_complex && numeric && count > 0) UN_TRY(take_values(s, &budget, count, 0));
    }
    return take_from(s, &budget, NULL, budget); /* classes that are never read: sizes only */
}

/* One variable packed with zlib: n bytes at `data`. */
static un_status verify_compressed(source *s, const unsigned char *data, uint32_t n) {
    s->compressed = 1;
    s->ended = 0;
    s->at = s->have = 0;
    s->z = (z_stream){.avail_in = n};
    /* zlib's field lacks a const; it does not write there. */
    memcpy(&s->z.next_in, &data, sizeof data);
    if (inflateInit(&s->z) != Z_OK) return un_fail_memory(UNPACK_BYTES);
    tag t;
    uint64_t budget = sizeof(uint64_t);
    un_status status = take_tag(s, &budget, &t);
    if (!status && (t.type != MI_MATRIX || t.small))
        status = damaged(s, "a compressed element holds no variable");
    if (!status) status = verify_matrix(s, t.bytes, 0);
    /* What follows the variable is nobody's, but the checksum comes after it. */
    while (!status && !s->ended) status = unpack(s);
    inflateEnd(&s->z);
    return status;
}

un_status un_mat5_verify(const un_map *map, const char *path) {
    source *s = NULL;
    UN_TRY(un_alloc(1, sizeof *s, &s));
    un_status status = UNSEEN_OK;
    const unsigned char *mark = map->data + HEADER_BYTES - 2;
    const uint16_t native = 'M' << 8 | 'I';
    s->path = path;
    s->swapped = memcmp(mark, &native, sizeof native) != 0; /* the caller knows it is MI or IM */
    size_t at = HEADER_BYTES;
    while (status == UNSEEN_OK && at < map->size) {
        if (map->size - at < 8) UN_GO(damaged(s, "it is cut short"));
        uint32_t type = word(s, map->data + at);
        uint32_t bytes = word(s, map->data + at + 4);
        at += 8;
        if (type == 0 || type > MI_LAST) UN_GO(damaged(s, "an element has no known type"));
        if (bytes > map->size - at) UN_GO(damaged(s, "it is cut short"));
        if (type == MI_COMPRESSED) {
            UN_GO(verify_compressed(s, map->data + at, bytes));
        } else if (type == MI_MATRIX) {
            s->compressed = 0;
            s->data = map->data + at;
            s->left = bytes;
            UN_GO(verify_matrix(s, bytes, 0));
        }
        at += bytes;
    }
done:
    free(s);
    return status;
}
