/*
 * mat_child.c - the process in which libmatio runs; see reader_child.h for why.
 *
 * libmatio does not always return an error for what it could not read, but it
 * always logs: a complaint logged while a variable is read fails the question.
 */
#include <fcntl.h>
#include <limits.h>
#include <matio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/readers/mat_parts.h"

typedef struct {
    const char *path;
    unsigned char *memory; /* shared: UN_CHILD_MEMORY bytes for the answer */
    mat_t *file;
    matvar_t *info; /* of the variable whose columns were read last */
    char info_name[UN_MAT_NAME];
} child;

static char g_complaint[256]; /* the first one of this question */

static void on_log(int level, char *message) {
    int serious = MATIO_LOG_LEVEL_ERROR | MATIO_LOG_LEVEL_CRITICAL | MATIO_LOG_LEVEL_WARNING;
    if ((level & serious) && g_complaint[0] == 0) /* libhdf5's fill many lines */
        snprintf(g_complaint, sizeof g_complaint, "%.*s", (int)strcspn(message, "\n"), message);
}

static un_status check_complaint(const child *c, const char *name) {
    if (g_complaint[0] == 0) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT, "%s is damaged: libmatio says about %s: %s", c->path, name,
                   g_complaint);
}

static un_status cannot_read(const child *c, const char *name) {
    UN_TRY(check_complaint(c, name));
    return un_fail(UNSEEN_E_FORMAT, "%s: libmatio cannot read \"%s\"; the file may be damaged",
                   c->path, name);
}

/* Copies a finished answer over. */
static un_status answer_copy(const child *c, const void *data, size_t bytes) {
    UN_TRY(un_child_room(c->path, bytes));
    if (bytes > 0) memcpy(c->memory, data, bytes);
    return UNSEEN_OK;
}

static const char *class_name(const matvar_t *v) {
    static const char *const names[] = {
        "empty", "cell",  "struct", "object", "char",   "sparse", "double", "single",   "int8",
        "uint8", "int16", "uint16", "int32",  "uint32", "int64",  "uint64", "function", "opaque"};
    if (v->isLogical) return "logical";
    size_t class = (size_t)v->class_type;
    return class < sizeof names / sizeof *names ? names[class] : "unknown";
}

static un_mat_kind kind_of(const matvar_t *v) {
    if (v->class_type == MAT_C_CELL) return UN_MAT_CELL;
    if (v->class_type == MAT_C_CHAR) return UN_MAT_TEXT;
    if (v->class_type >= MAT_C_DOUBLE && v->class_type <= MAT_C_UINT64 && !v->isComplex)
        return UN_MAT_NUMERIC;
    return UN_MAT_OTHER;
}

/* 0 if the variable is not one to list. */
static int describe(const matvar_t *v, un_mat_variable *out) {
    *out = (un_mat_variable){.kind = kind_of(v), .rank = v->rank};
    if (!v->name || v->name[0] == 0 || strlen(v->name) >= sizeof out->name) return 0;
    if (v->rank < 1 || !v->dims) return 0;
    snprintf(out->name, sizeof out->name, "%s", v->name);
    snprintf(out->class_name, sizeof out->class_name, "%s", class_name(v));
    if (v->rank > UN_MAX_RANK) {
        out->kind = UN_MAT_OTHER;
        out->rank = UN_MAX_RANK;
    }
    for (int i = 0; i < out->rank; i++) out->dims[i] = v->dims[i];
    return 1;
}

static un_status list(child *c, un_child_answer *answer) {
    un_mat_variable *items = NULL;
    size_t capacity = 0;
    un_status status = UNSEEN_OK;
    Mat_Rewind(c->file);
    for (;;) {
        matvar_t *v = Mat_VarReadNextInfo(c->file);
        if (!v) break;
        if (answer->count == capacity) {
            capacity = capacity ? 2 * capacity : 32;
            un_mat_variable *grown = realloc(items, capacity * sizeof *items);
            if (!grown) status = un_fail_memory(capacity * sizeof *items);
            if (grown) items = grown;
        }
        if (!status) answer->count += (size_t)describe(v, &items[answer->count]);
        Mat_VarFree(v);
        if (status) break;
    }
    /* A variable of a class it does not know must not spoil the others. */
    snprintf(answer->sentence, sizeof answer->sentence, "%s", g_complaint);
    answer->bytes = answer->count * sizeof *items;
    if (!status && answer->count == 0) status = check_complaint(c, "the list of variables");
    if (!status && answer->count == 0)
        status = un_fail(UNSEEN_E_FORMAT,
                         "%s: libmatio finds no variables in it; it is empty, damaged or cut short",
                         c->path);
    if (!status) status = answer_copy(c, items, (size_t)answer->bytes);
    free(items);
    return status;
}

/* Any numeric class to double; the values are aligned as malloc aligns. */
static double element(const matvar_t *v, size_t i) {
    switch (v->class_type) {
    case MAT_C_DOUBLE: return ((const double *)v->data)[i];
    case MAT_C_SINGLE: return ((const float *)v->data)[i];
    case MAT_C_INT8: return ((const int8_t *)v->data)[i];
    case MAT_C_UINT8: return ((const uint8_t *)v->data)[i];
    case MAT_C_INT16: return ((const int16_t *)v->data)[i];
    case MAT_C_UINT16: return ((const uint16_t *)v->data)[i];
    case MAT_C_INT32: return ((const int32_t *)v->data)[i];
    case MAT_C_UINT32: return ((const uint32_t *)v->data)[i];
    case MAT_C_INT64: return (double)((const int64_t *)v->data)[i];
    case MAT_C_UINT64: return (double)((const uint64_t *)v->data)[i];
    default: return 0;
    }
}

/* rows x columns of a real numeric matrix, checked against overflow. */
static un_status matrix_size(const child *c, const matvar_t *v, const char *name, size_t *count) {
    if (kind_of(v) != UN_MAT_NUMERIC || v->rank != 2)
        return un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" is not a numeric matrix", c->path, name);
    if (v->dims[0] > INT_MAX || v->dims[1] > INT_MAX ||
        __builtin_mul_overflow(v->dims[0], v->dims[1], count))
        return un_fail(UNSEEN_E_UNSUPPORTED, "%s: \"%s\" is too large", c->path, name);
    return UNSEEN_OK;
}

static un_status read_double(child *c, const mat_request *request, un_child_answer *answer) {
    size_t count = 0;
    matvar_t *v = Mat_VarRead(c->file, request->name);
    if (!v) return cannot_read(c, request->name);
    un_status status = check_complaint(c, request->name);
    if (!status) status = matrix_size(c, v, request->name, &count);
    answer->bytes = count * sizeof(double);
    if (!status) status = un_child_room(c->path, answer->bytes);
    if (!status && count > 0 &&
        (!v->data || v->nbytes / count != Mat_SizeOfClass((int)v->class_type)))
        status = cannot_read(c, request->name);
    for (size_t i = 0; !status && i < count; i++) {
        double value = element(v, i);
        memcpy(c->memory + i * sizeof value, &value, sizeof value);
    }
    Mat_VarFree(v);
    return status;
}

/* The header of the variable; kept, since one variable is read slab by slab. */
static un_status find_info(child *c, const char *name) {
    if (c->info && !strcmp(c->info_name, name)) return UNSEEN_OK;
    if (c->info) Mat_VarFree(c->info);
    c->info = Mat_VarReadInfo(c->file, name);
    snprintf(c->info_name, sizeof c->info_name, "%s", name);
    return c->info ? UNSEEN_OK : cannot_read(c, name);
}

/* Columns of a matrix into `to`. In uncompressed v5 files libmatio 1.5.23 forgets
 * the first column of a slab of whole columns and reads from the start of the
 * variable; its linear read does not. Such variables have less than 4 GiB, but
 * one-byte elements may be more than an int counts. */
static un_status fetch_columns(const child *c, const mat_request *request, void *to) {
    matvar_t *v = c->info;
    size_t rows = v->dims[0];
    int failed = 0;
    if (Mat_GetVersion(c->file) == MAT_FT_MAT5 && v->compression == MAT_COMPRESSION_NONE) {
        uint64_t first = rows * request->first;
        uint64_t count = rows * request->count;
        if (first + count > INT_MAX)
            return un_fail(UNSEEN_E_UNSUPPORTED,
                           "%s: \"%s\" has too many elements for libmatio; save it compressed",
                           c->path, request->name);
        failed = Mat_VarReadDataLinear(c->file, v, to, (int)first, 1, (int)count);
    } else {
        int start[2] = {0, (int)request->first};
        int stride[2] = {1, 1};
        int edge[2] = {(int)rows, (int)request->count};
        failed = Mat_VarReadData(c->file, v, to, start, stride, edge);
    }
    return failed ? cannot_read(c, request->name) : check_complaint(c, request->name);
}

/* libmatio unpacks straight into the shared memory; other classes than single
 * become f32 in place, front to back where they shrink. */
static un_status read_columns(child *c, const mat_request *request, un_child_answer *answer) {
    UN_TRY(find_info(c, request->name));
    size_t total = 0;
    UN_TRY(matrix_size(c, c->info, request->name, &total));
    size_t rows = c->info->dims[0];
    if (request->count == 0 || request->first > c->info->dims[1] ||
        request->count > c->info->dims[1] - request->first)
        return un_fail(UNSEEN_E_ARGUMENT, "%s: \"%s\" has not so many columns", c->path,
                       request->name);
    size_t size = Mat_SizeOfClass((int)c->info->class_type);
    size_t count = rows * (size_t)request->count;
    answer->bytes = count * sizeof(float);
    if (count == 0) return UNSEEN_OK;
    size_t room = count * (size > sizeof(float) ? size : sizeof(float));
    unsigned char *to = c->memory;
    UN_TRY(un_child_room(c->path, room));
    /* Small classes go to the end of the room, so that widening front to back
     * never overtakes what is still to be read. */
    unsigned char *from = to + (size < sizeof(float) ? room - count * size : 0);
    un_status status = fetch_columns(c, request, from);
    if (!status && c->info->class_type != MAT_C_SINGLE) {
        matvar_t view = {.class_type = c->info->class_type, .data = from};
        for (size_t i = 0; i < count; i++) {
            float value = (float)element(&view, i);
            memcpy(to + i * sizeof value, &value, sizeof value);
        }
    }
    return status;
}

/* ---- text ---- */

/* Element i of a char array as a code unit. */
static uint32_t unit(const matvar_t *v, size_t i) {
    if (v->data_size == 1) return ((const uint8_t *)v->data)[i];
    if (v->data_size == 2) return ((const uint16_t *)v->data)[i];
    return ((const uint32_t *)v->data)[i];
}

/* The units from, from + step, … (n of them) as UTF-8 with a NUL. Bytes that are
 * not UTF-8 are Latin-1: files do not say which of the two they mean. */
static un_status put_string(un_text *t, const matvar_t *v, size_t from, size_t step, size_t n) {
    size_t begin = t->used;
    while (n > 0 && unit(v, from + (n - 1) * step) == 0) n--; /* padding of C programs */
    if (v->data_size == 1) {
        for (size_t i = 0; i < n; i++) UN_TRY(un_text_byte(t, unit(v, from + i * step)));
        if (un_text_is_utf8((const unsigned char *)t->data + begin, n)) return un_text_byte(t, 0);
        t->used = begin;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t code = unit(v, from + i * step);
        uint32_t next = i + 1 < n ? unit(v, from + (i + 1) * step) : 0;
        if (v->data_size == 2 && code >= 0xD800 && code < 0xDC00 && next >= 0xDC00 &&
            next < 0xE000) {
            UN_TRY(un_text_code_point(t, 0x10000 + ((code - 0xD800) << 10) + (next - 0xDC00)));
            i++;
        } else {
            UN_TRY(un_text_code_point(t, code));
        }
    }
    return un_text_byte(t, 0);
}

/* A char array: one string a row. A row vector of UTF-8 may have more units
 * than its dimension says, so it is taken by its bytes. */
static un_status put_rows(const child *c, un_text *t, const matvar_t *v, const char *name,
                          uint64_t *count) {
    if (v->class_type != MAT_C_CHAR || v->rank != 2 ||
        (v->data_size != 1 && v->data_size != 2 && v->data_size != 4))
        return un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" holds something that is not text", c->path,
                       name);
    size_t rows = v->dims[0];
    size_t units = v->data ? v->nbytes / (size_t)v->data_size : 0;
    size_t width = v->dims[1];
    if (rows == 1) width = units;
    size_t needed = 0;
    if (__builtin_mul_overflow(rows, width, &needed) || needed != units)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: the lines of text in \"%s\" cannot be told apart; save them as a cell "
                       "array",
                       c->path, name);
    for (size_t row = 0; row < rows; row++) {
        size_t n = width;
        while (rows > 1 && n > 0 && unit(v, row + (n - 1) * rows) == ' ') n--;
        UN_TRY(put_string(t, v, row, rows, n));
        (*count)++;
    }
    return UNSEEN_OK;
}

static un_status put_cells(const child *c, un_text *t, const matvar_t *v, const char *name,
                           uint64_t *count) {
    size_t cells = v->data ? v->nbytes / sizeof(matvar_t *) : 0;
    for (size_t i = 0; i < cells; i++) {
        const matvar_t *cell = ((matvar_t *const *)v->data)[i];
        uint64_t before = *count;
        if (cell && cell->rank >= 1 && cell->dims && cell->nbytes > 0)
            UN_TRY(put_rows(c, t, cell, name, count));
        if (*count == before) { /* an empty cell is an empty string */
            UN_TRY(un_text_byte(t, 0));
            (*count)++;
        }
        if (*count != before + 1)
            return un_fail(UNSEEN_E_FORMAT, "%s: a cell of \"%s\" holds several lines of text",
                           c->path, name);
    }
    return UNSEEN_OK;
}

static un_status read_strings(child *c, const mat_request *request, un_child_answer *answer) {
    un_text t = {0};
    matvar_t *v = Mat_VarRead(c->file, request->name);
    if (!v) return cannot_read(c, request->name);
    un_status status = check_complaint(c, request->name);
    if (!status && v->class_type == MAT_C_CELL)
        status = put_cells(c, &t, v, request->name, &answer->count);
    else if (!status)
        status = put_rows(c, &t, v, request->name, &answer->count);
    answer->bytes = t.used;
    if (!status) status = answer_copy(c, t.data, t.used);
    free(t.data);
    Mat_VarFree(v);
    return status;
}

/* ---- the process ---- */

static uint64_t work(const child *c, const char *name, uint64_t file_bytes) {
    uint64_t count = 8;
    if (!c->info || strcmp(c->info_name, name) != 0) return 4 * file_bytes;
    for (int i = 0; i < c->info->rank; i++)
        if (__builtin_mul_overflow(count, (uint64_t)c->info->dims[i], &count)) return UINT32_MAX;
    return count;
}

static un_status answer_question(child *c, const mat_request *request, un_child_answer *answer) {
    if (request->question == MAT_LIST) return list(c, answer); /* also on what opening said */
    g_complaint[0] = 0;
    switch (request->question) {
    case MAT_LIST: break;
    case MAT_DOUBLE: return read_double(c, request, answer);
    case MAT_COLUMNS: return read_columns(c, request, answer);
    case MAT_STRINGS: return read_strings(c, request, answer);
    }
    return un_fail(UNSEEN_E_ARGUMENT, "unknown question to the MAT reader");
}

void un_mat_child(const char *path, int socket, unsigned char *memory) {
    child c = {.path = path, .memory = memory};
    mat_request request;
    un_child_confine(socket);
    Mat_LogInitFunc("unseen", on_log);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    uint64_t file_bytes = end > 0 ? (uint64_t)end : 0;
    if (fd >= 0) close(fd);
    un_child_limit_time(4 * file_bytes);
    c.file = Mat_Open(path, MAT_ACC_RDONLY);
    while (un_child_next(socket, &request, sizeof request)) {
        un_child_answer answer = {0};
        request.name[UN_MAT_NAME - 1] = 0;
        un_child_limit_time(work(&c, request.name, file_bytes));
        if (!c.file)
            answer.status = un_fail(UNSEEN_E_FORMAT, "%s: libmatio cannot open it", path);
        else
            answer.status = answer_question(&c, &request, &answer);
        if (!un_child_reply(socket, &answer)) break;
    }
}
