/*
 * mat5.c - reading MAT v5 files; see mat.h.
 *
 * The format ("MAT-File Format", The MathWorks): a header of 128 bytes, then
 * elements, each a tag (type, number of bytes) and its data. A variable is an
 * element of type MATRIX, or one of type COMPRESSED whose zlib stream unpacks to
 * one. A MATRIX holds sub-elements: flags, dimensions, name, then the data, or
 * for a cell array one MATRIX a cell. Sub-elements are padded to 8 bytes; up to
 * 4 bytes of data may sit inside the tag. Numbers are stored in the smallest type
 * that holds them, whatever the class of the variable.
 *
 * The file is read front to back through a small buffer and never held: opening
 * walks through all of it, to find out whether it says the same thing in all places
 * and to unpack every stream to the end, where its checksum is; reading takes one
 * variable and keeps its place, so that slabs of columns cost one pass together.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "data/readers/mat5.h"
#include "data/readers/text.h"

enum { MI_INT8 = 1, MI_UINT8, MI_INT16, MI_UINT16, MI_INT32, MI_UINT32, MI_SINGLE };
enum { MI_DOUBLE = 9, MI_INT64 = 12, MI_UINT64 = 13, MI_MATRIX = 14, MI_COMPRESSED = 15 };
enum { MI_UTF8 = 16, MI_UTF16 = 17, MI_UTF32 = 18, MI_LAST = 18 };
enum { CLASS_CELL = 1, CLASS_CHAR = 4, CLASS_DOUBLE = 6, CLASS_UINT64 = 15, CLASS_OPAQUE = 17 };
enum { HEADER_BYTES = 128, MAX_DEPTH = 8, MAX_RANK = 32 };
/* Numbers converted together; the longest text of one cell or char array. */
enum { BLOCK = 4096, MAX_TEXT = 256 << 20 };

/* Bytes of one element of the storage types 0 … MI_LAST, 0 where it has none. */
static const uint8_t TYPE_SIZE[MI_LAST + 1] = {0, 1, 1, 2, 2, 4, 4, 4, 0, 8,
                                               0, 0, 8, 8, 0, 0, 1, 2, 4};

/* What stands before the data of an element. */
typedef struct {
    uint32_t type, bytes;
    unsigned char inside[4]; /* the data, if `small` */
    int small;
} tag;

/* Where a variable lies. */
typedef struct {
    uint64_t at; /* first byte of its data, behind the tag */
    uint32_t bytes;
    int compressed;
} place;

struct un_mat5 {
    char *path;
    un_mat_variable *variables;
    place *places;
    size_t count, capacity;
    un_mat5_stream source;
    /* The variable whose columns are being read: a slab goes on where the last one ended. */
    size_t open;        /* its number; SIZE_MAX: none */
    tag tag;            /* of its numbers */
    uint64_t open_done; /* numbers taken */
};

/* ---- elements ---- */

static un_status read_tag(un_mat5_stream *s, uint64_t *budget, tag *out) {
    unsigned char raw[8];
    UN_TRY(un_mat5_take_from(s, budget, raw, sizeof raw));
    uint32_t first = un_mat5_word(s, raw);
    out->small = first >> 16 != 0;
    out->type = out->small ? first & 0xFFFF : first;
    out->bytes = out->small ? first >> 16 : un_mat5_word(s, raw + 4);
    memcpy(out->inside, raw + 4, sizeof out->inside);
    if (out->small && out->bytes > 4) return un_mat5_damaged(s, "an element's tag makes no sense");
    if (out->type == 0 || out->type > MI_LAST)
        return un_mat5_damaged(s, "an element has no known type");
    return UNSEEN_OK;
}

/* The data of a sub-element and their padding. `out` holds t->bytes or is NULL. */
static un_status read_data(un_mat5_stream *s, uint64_t *budget, const tag *t, void *out) {
    if (t->small) {
        if (out) memcpy(out, t->inside, t->bytes);
        return UNSEEN_OK;
    }
    UN_TRY(un_mat5_take_from(s, budget, out, t->bytes));
    uint64_t padding = (8 - t->bytes % 8) % 8;
    if (padding > *budget) padding = *budget; /* some writers leave out the last one */
    return un_mat5_take_from(s, budget, NULL, padding);
}

/* What a MATRIX element says before its data. */
typedef struct {
    uint32_t class; /* 0: an empty element, which is an empty variable */
    int is_complex, is_logical;
    int rank;
    uint64_t dims[MAX_RANK];
    uint64_t count; /* product of dims */
    char name[UN_MAT_NAME];
    char object[16]; /* of an opaque one: "string", "table", … */
} head;

static int is_numeric(const head *h) {
    return h->class >= CLASS_DOUBLE && h->class <= CLASS_UINT64;
}

static un_status read_dims(un_mat5_stream *s, uint64_t *budget, head *h) {
    tag t;
    unsigned char raw[4 * MAX_RANK];
    UN_TRY(read_tag(s, budget, &t));
    if (t.type != MI_INT32 || t.bytes % 4 != 0 || t.bytes < 8 || t.bytes > sizeof raw)
        return un_mat5_damaged(s, "the dimensions of a variable make no sense");
    UN_TRY(read_data(s, budget, &t, raw));
    h->count = 1;
    for (uint32_t i = 0; i < t.bytes; i += 4) {
        uint32_t dim = un_mat5_word(s, raw + i);
        if (dim > INT32_MAX || __builtin_mul_overflow(h->count, (uint64_t)dim, &h->count))
            return un_mat5_damaged(s, "the dimensions of a variable make no sense");
        h->dims[h->rank++] = dim;
    }
    return UNSEEN_OK;
}

/* A name of at most `size` - 1 bytes; longer ones become "". */
static un_status read_name(un_mat5_stream *s, uint64_t *budget, char *out, size_t size) {
    tag t;
    UN_TRY(read_tag(s, budget, &t));
    if (t.type != MI_INT8 && t.type != MI_UINT8 && t.type != MI_UTF8)
        return un_mat5_damaged(s, "a variable has no name");
    int fits = t.bytes < size;
    UN_TRY(read_data(s, budget, &t, fits ? out : NULL));
    out[fits ? t.bytes : 0] = 0;
    if (!un_text_is_utf8((const unsigned char *)out, strlen(out))) out[0] = 0;
    return UNSEEN_OK;
}

static un_status read_head(un_mat5_stream *s, uint64_t *budget, head *h) {
    tag t;
    unsigned char flags[8];
    *h = (head){0};
    if (*budget == 0) return UNSEEN_OK;
    UN_TRY(read_tag(s, budget, &t));
    if (t.type != MI_UINT32 || t.bytes != sizeof flags || t.small)
        return un_mat5_damaged(s, "a variable has no flags");
    UN_TRY(read_data(s, budget, &t, flags));
    h->class = un_mat5_word(s, flags) & 0xFF;
    h->is_complex = un_mat5_word(s, flags) >> 11 & 1;
    h->is_logical = un_mat5_word(s, flags) >> 9 & 1;
    if (h->class == 0 || h->class > CLASS_OPAQUE)
        return un_mat5_damaged(s, "a variable has no known class");
    if (h->class != CLASS_OPAQUE) {
        UN_TRY(read_dims(s, budget, h));
        return read_name(s, budget, h->name, sizeof h->name);
    }
    char system[16]; /* "MCOS" */
    h->rank = 2;
    UN_TRY(read_name(s, budget, h->name, sizeof h->name));
    UN_TRY(read_name(s, budget, system, sizeof system));
    return read_name(s, budget, h->object, sizeof h->object);
}

/* The tag of a real or imaginary part, or of characters. */
static un_status take_values_tag(un_mat5_stream *s, uint64_t *budget, const head *h, tag *t) {
    uint64_t expected = 0;
    UN_TRY(read_tag(s, budget, t));
    uint64_t size = TYPE_SIZE[t->type];
    if (size == 0) return un_mat5_damaged(s, "the data of a variable have no numeric type");
    if (__builtin_mul_overflow(h->count, size, &expected))
        return un_mat5_damaged(s, "the dimensions of a variable make no sense");
    /* A character may take several units of its encoding, a number may not. */
    int is_char = h->class == CLASS_CHAR;
    if (is_char ? t->bytes < expected || t->bytes / 4 > expected : t->bytes != expected)
        return un_mat5_damaged(s, "a variable has not as much data as its dimensions say");
    return UNSEEN_OK;
}

/* ---- walking through ---- */

static un_status verify_matrix(un_mat5_stream *s, uint64_t budget, int depth, head *h);

/* The tag of the next cell, whose bytes are taken from the budget. */
static un_status take_cell_tag(un_mat5_stream *s, uint64_t *budget, uint64_t *bytes) {
    tag t;
    UN_TRY(read_tag(s, budget, &t));
    if (t.type != MI_MATRIX || t.small) return un_mat5_damaged(s, "a cell holds no variable");
    if (t.bytes > *budget) return un_mat5_damaged(s, "a cell is larger than its cell array");
    *budget -= t.bytes;
    *bytes = t.bytes;
    return UNSEEN_OK;
}

static un_status verify_cells(un_mat5_stream *s, uint64_t *budget, uint64_t count, int depth) {
    head h;
    uint64_t bytes = 0;
    if (count > *budget / 8) return un_mat5_damaged(s, "a cell array has fewer cells than it says");
    for (uint64_t i = 0; i < count; i++) {
        UN_TRY(take_cell_tag(s, budget, &bytes));
        UN_TRY(verify_matrix(s, bytes, depth + 1, &h));
    }
    return UNSEEN_OK;
}

static un_status verify_values(un_mat5_stream *s, uint64_t *budget, const head *h) {
    tag t;
    UN_TRY(take_values_tag(s, budget, h, &t));
    return read_data(s, budget, &t, NULL);
}

/* The content of a MATRIX element of `budget` bytes; an empty one is allowed. */
static un_status verify_matrix(un_mat5_stream *s, uint64_t budget, int depth, head *h) {
    if (depth > MAX_DEPTH) return un_mat5_damaged(s, "cells are nested too deeply");
    UN_TRY(read_head(s, &budget, h));
    if (h->class == CLASS_CELL) {
        UN_TRY(verify_cells(s, &budget, h->count, depth));
    } else if (is_numeric(h) || h->class == CLASS_CHAR) {
        /* Some writers leave the data element of an empty array out. */
        if (h->count > 0 || budget >= 8) UN_TRY(verify_values(s, &budget, h));
        if (h->is_complex && is_numeric(h) && h->count > 0) UN_TRY(verify_values(s, &budget, h));
    }
    return un_mat5_take_from(s, &budget, NULL,
                             budget); /* classes that are never read: sizes only */
}

/* ---- one variable ---- */

/* Goes to the variable; *bytes are those of its MATRIX element. */
static un_status begin(un_mat5_stream *s, const place *p, uint64_t *bytes) {
    UN_TRY(un_mat5_seek(s, p->at, p->bytes, p->compressed));
    *bytes = p->bytes;
    if (!p->compressed) return UNSEEN_OK;
    tag t;
    uint64_t budget = sizeof(uint64_t);
    UN_TRY(read_tag(s, &budget, &t));
    if (t.type != MI_MATRIX || t.small)
        return un_mat5_damaged(s, "a compressed element holds no variable");
    *bytes = t.bytes;
    return UNSEEN_OK;
}

static un_status verify(un_mat5_stream *s, const place *p, head *h) {
    uint64_t bytes = 0;
    UN_TRY(begin(s, p, &bytes));
    UN_TRY(verify_matrix(s, bytes, 0, h));
    return un_mat5_finish(s);
}

/* ---- the list ---- */

static void describe(const head *h, un_mat_variable *out) {
    static const char *const names[] = {
        "empty",  "cell",   "struct",          "object", "char",   "sparse", "double",
        "single", "int8",   "uint8",           "int16",  "uint16", "int32",  "uint32",
        "int64",  "uint64", "function handle", "object"};
    *out = (un_mat_variable){.kind = UN_MAT_OTHER};
    if (h->class == CLASS_CELL) out->kind = UN_MAT_CELL;
    if (h->class == CLASS_CHAR) out->kind = UN_MAT_TEXT;
    if (is_numeric(h) && !h->is_complex) out->kind = UN_MAT_NUMERIC;
    memcpy(out->name, h->name, sizeof out->name);
    const char *class = h->is_logical ? "logical" : h->object[0] ? h->object : names[h->class];
    snprintf(out->class_name, sizeof out->class_name, "%s%.*s",
             is_numeric(h) && h->is_complex ? "complex " : "",
             is_numeric(h) && h->is_complex ? 7 : 15, class);
    if (h->rank > UN_MAX_RANK) out->kind = UN_MAT_OTHER;
    out->rank = h->rank < UN_MAX_RANK ? h->rank : UN_MAX_RANK;
    for (int i = 0; i < out->rank; i++) out->dims[i] = (size_t)h->dims[i];
    out->order_is_known = 1;
}

static un_status add(un_mat5 *mat, const head *h, const place *p) {
    if (h->name[0] == 0) return UNSEEN_OK; /* MATLAB's own, or longer than it allows */
    if (mat->count == mat->capacity) {
        size_t capacity = mat->capacity ? 2 * mat->capacity : 32;
        un_mat_variable *variables = realloc(mat->variables, capacity * sizeof *variables);
        if (variables) mat->variables = variables;
        place *places = realloc(mat->places, capacity * sizeof *places);
        if (places) mat->places = places;
        if (!variables || !places) return un_fail_memory(capacity * sizeof *variables);
        mat->capacity = capacity;
    }
    describe(h, &mat->variables[mat->count]);
    mat->places[mat->count++] = *p;
    return UNSEEN_OK;
}

static un_status walk(un_mat5 *mat, uint64_t size) {
    un_mat5_stream *s = &mat->source;
    unsigned char raw[HEADER_BYTES];
    const uint16_t native = 'M' << 8 | 'I';
    s->left = size;
    UN_TRY(un_mat5_take(s, raw, sizeof raw));
    s->swapped = memcmp(raw + HEADER_BYTES - 2, &native, sizeof native) != 0;
    for (uint64_t at = HEADER_BYTES; at < size;) {
        UN_TRY(un_mat5_seek(s, at, size - at, 0));
        UN_TRY(un_mat5_take(s, raw, 8));
        uint32_t type = un_mat5_word(s, raw);
        place p = {
            .at = at + 8, .bytes = un_mat5_word(s, raw + 4), .compressed = type == MI_COMPRESSED};
        if (type == 0 || type > MI_LAST) return un_mat5_damaged(s, "an element has no known type");
        if (p.bytes > size - p.at) return un_mat5_damaged(s, "it is cut short");
        if (type == MI_COMPRESSED || type == MI_MATRIX) {
            head h;
            UN_TRY(verify(s, &p, &h));
            UN_TRY(add(mat, &h, &p));
        }
        at = p.at + p.bytes;
    }
    return UNSEEN_OK;
}

un_status un_mat5_open(un_mat5 **out, const char *path) {
    un_mat5 *mat = NULL;
    struct stat st;
    UN_TRY(un_alloc(1, sizeof *mat, &mat));
    un_status status = UNSEEN_OK;
    mat->open = SIZE_MAX;
    mat->source.fd = un_open(path, O_RDONLY | O_NONBLOCK, 0);
    if (mat->source.fd < 0 || fstat(mat->source.fd, &st) != 0)
        UN_GO(un_fail_errno(errno, "cannot read %s", path));
    UN_GO(un_format(&mat->path, "%s", path));
    mat->source.path = mat->path;
    UN_GO(walk(mat, (uint64_t)st.st_size));
    *out = mat;
    return UNSEEN_OK;
done:
    un_mat5_close(mat);
    return status;
}

void un_mat5_close(un_mat5 *mat) {
    if (!mat) return;
    un_mat5_stream_close(&mat->source);
    free(mat->variables);
    free(mat->places);
    free(mat->path);
    free(mat);
}

un_mat_variable *un_mat5_variables(un_mat5 *mat, size_t *count) {
    *count = mat->count;
    return mat->variables;
}

/* ---- numbers ---- */

/* Element i of a storage type, in our byte order. */
static double element(uint32_t type, const unsigned char *bytes, size_t i) {
#define UN_AS(c_type)                                                                              \
    do {                                                                                           \
        c_type value;                                                                              \
        memcpy(&value, bytes + i * sizeof value, sizeof value);                                    \
        return (double)value;                                                                      \
    } while (0)
    switch (type) {
    case MI_INT8: UN_AS(int8_t);
    case MI_INT16: UN_AS(int16_t);
    case MI_UINT16:
    case MI_UTF16: UN_AS(uint16_t);
    case MI_INT32: UN_AS(int32_t);
    case MI_UINT32:
    case MI_UTF32: UN_AS(uint32_t);
    case MI_SINGLE: UN_AS(float);
    case MI_DOUBLE: UN_AS(double);
    case MI_INT64: UN_AS(int64_t);
    case MI_UINT64: UN_AS(uint64_t);
    default: UN_AS(uint8_t);
    }
#undef UN_AS
}

/* Goes to the first number of the variable. */
static un_status open_numbers(un_mat5 *mat, size_t number) {
    un_mat5_stream *s = &mat->source;
    head h;
    uint64_t budget = 0;
    mat->open = SIZE_MAX;
    mat->open_done = 0;
    mat->tag = (tag){.type = MI_DOUBLE};
    UN_TRY(begin(s, &mat->places[number], &budget));
    UN_TRY(read_head(s, &budget, &h));
    if (h.count > 0) UN_TRY(take_values_tag(s, &budget, &h, &mat->tag));
    if (!mat->tag.small && mat->tag.bytes > budget)
        return un_mat5_damaged(s, "an element is larger than the one it is in");
    mat->open = number;
    return UNSEEN_OK;
}

/* The bytes of the next `count` numbers of the open variable; out NULL: dropped. */
static un_status read_raw(un_mat5 *mat, uint64_t count, void *out) {
    size_t size = TYPE_SIZE[mat->tag.type];
    uint64_t at = mat->open_done * size;
    mat->open_done += count;
    if (!mat->tag.small) return un_mat5_take(&mat->source, out, count * size);
    if (at + count * size > mat->tag.bytes) return un_mat5_damaged(&mat->source, "it is cut short");
    if (out) memcpy(out, mat->tag.inside + at, (size_t)count * size);
    return UNSEEN_OK;
}

/* The next `count` numbers of the open variable; one of the outputs is NULL. */
static un_status read_numbers(un_mat5 *mat, uint64_t count, double *doubles, float *floats) {
    uint32_t type = mat->tag.type;
    size_t size = TYPE_SIZE[type];
    int swapped = mat->source.swapped;
    unsigned char raw[BLOCK];
    if (floats && type == MI_SINGLE && !swapped) return read_raw(mat, count, floats);
    for (uint64_t done = 0; done < count;) {
        size_t n = count - done < BLOCK / size ? (size_t)(count - done) : BLOCK / size;
        UN_TRY(read_raw(mat, n, raw));
        if (swapped) un_mat5_swap(raw, size, n);
        for (size_t i = 0; i < n && doubles; i++) *doubles++ = element(type, raw, i);
        for (size_t i = 0; i < n && floats; i++) *floats++ = (float)element(type, raw, i);
        done += n;
    }
    return UNSEEN_OK;
}

un_status un_mat5_read_double(un_mat5 *mat, size_t number, double *out) {
    const un_mat_variable *v = &mat->variables[number];
    UN_TRY(open_numbers(mat, number));
    un_status status = read_numbers(mat, (uint64_t)v->dims[0] * v->dims[1], out, NULL);
    mat->open = SIZE_MAX;
    return status ? status : un_mat5_finish(&mat->source);
}

un_status un_mat5_read_columns(un_mat5 *mat, size_t number, size_t first, size_t count,
                               float *out) {
    const un_mat_variable *v = &mat->variables[number];
    uint64_t from = (uint64_t)first * v->dims[0];
    uint64_t n = (uint64_t)count * v->dims[0];
    if (mat->open != number || mat->open_done > from) UN_TRY(open_numbers(mat, number));
    mat->open = SIZE_MAX; /* until all went well */
    UN_TRY(read_raw(mat, from - mat->open_done, NULL));
    UN_TRY(read_numbers(mat, n, NULL, out));
    if (first + count == v->dims[1]) return un_mat5_finish(&mat->source);
    mat->open = number;
    return UNSEEN_OK;
}

/* ---- text ---- */

static un_status cannot_tell(const un_mat5 *mat, const char *name) {
    return un_fail(
        UNSEEN_E_FORMAT,
        "%s: the lines of text in \"%s\" cannot be told apart; save them as a cell array",
        mat->path, name);
}

/* The characters of a variable whose head was taken, one string a row; in a cell, a column of
 * characters is one string, too. */
static un_status read_rows(un_mat5 *mat, uint64_t *budget, const head *h, int in_cell,
                           const char *name, un_text *text, size_t *count) {
    un_mat5_stream *s = &mat->source;
    tag t = {.type = MI_UTF8};
    unsigned char *bytes = NULL;
    int whole = 0;
    if (h->class != CLASS_CHAR || h->rank != 2)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: \"%s\" holds something that is not text; save it as a cell array of "
                       "char rows%s",
                       mat->path, name,
                       h->class == CLASS_OPAQUE ? " (cellstr makes one of strings)" : "");
    if (h->count > 0 || *budget >= 8) UN_TRY(take_values_tag(s, budget, h, &t));
    if (t.bytes > MAX_TEXT)
        return un_fail(UNSEEN_E_UNSUPPORTED, "%s: more than %d MiB of text in one piece of \"%s\"",
                       mat->path, MAX_TEXT >> 20, name);
    size_t size = TYPE_SIZE[t.type];
    if (size > 4 || t.type == MI_SINGLE || t.bytes % size != 0)
        return un_mat5_damaged(s, "the characters of a text have no type of characters");
    UN_TRY(un_alloc((size_t)t.bytes + 1, 1, &bytes));
    un_status status = read_data(s, budget, &t, bytes);
    if (!status && s->swapped) un_mat5_swap(bytes, size, t.bytes / size);
    const un_text_matrix matrix = {.data = bytes,
                                   .size = size,
                                   .units = t.bytes / size,
                                   .rows = in_cell && h->dims[1] == 1 ? 1 : (size_t)h->dims[0],
                                   .width = (size_t)h->dims[1]};
    if (!status) status = un_text_rows(text, &matrix, count, &whole);
    free(bytes);
    return status || whole ? status : cannot_tell(mat, name);
}

/* Every cell is one string, an empty one included. */
static un_status read_cells(un_mat5 *mat, uint64_t *budget, const head *cells, const char *name,
                            un_text *text, size_t *count) {
    un_mat5_stream *s = &mat->source;
    for (uint64_t i = 0; i < cells->count; i++) {
        head h;
        uint64_t bytes = 0;
        size_t before = *count;
        UN_TRY(take_cell_tag(s, budget, &bytes));
        UN_TRY(read_head(s, &bytes, &h));
        if (h.class != 0 && (h.count > 0 || h.class == CLASS_OPAQUE))
            UN_TRY(read_rows(mat, &bytes, &h, 1, name, text, count));
        UN_TRY(un_mat5_take_from(s, &bytes, NULL, bytes));
        if (*count == before) {
            UN_TRY(un_text_byte(text, 0));
            (*count)++;
        }
        if (*count != before + 1)
            return un_fail(UNSEEN_E_FORMAT, "%s: a cell of \"%s\" holds several lines of text",
                           mat->path, name);
        if (text->used > UN_MAT_WHOLE_BYTES)
            return un_fail(UNSEEN_E_UNSUPPORTED, "%s: more than %zu MiB of text in \"%s\"",
                           mat->path, UN_MAT_WHOLE_BYTES >> 20, name);
    }
    return UNSEEN_OK;
}

un_status un_mat5_read_strings(un_mat5 *mat, size_t number, un_arena *arena, char ***out,
                               size_t *count) {
    const un_mat_variable *v = &mat->variables[number];
    un_text text = {0};
    head h;
    uint64_t budget = 0;
    int whole = 0;
    un_status status = UNSEEN_OK;
    *count = 0;
    mat->open = SIZE_MAX;
    UN_GO(begin(&mat->source, &mat->places[number], &budget));
    UN_GO(read_head(&mat->source, &budget, &h));
    if (h.class == CLASS_CELL)
        UN_GO(read_cells(mat, &budget, &h, v->name, &text, count));
    else
        UN_GO(read_rows(mat, &budget, &h, 0, v->name, &text, count));
    UN_GO(un_mat5_finish(&mat->source));
    UN_GO(un_text_split(text.data, text.used, *count, arena, out, &whole));
    if (!whole) status = un_mat5_damaged(&mat->source, "its text does not add up");
done:
    free(text.data);
    return status;
}
