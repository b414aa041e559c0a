/*
 * mat.c - the caller's side of the MAT reader; see mat.h.
 *
 * Whatever comes back from the child is checked as if it came from the file: a
 * process that libmatio has corrupted may answer anything.
 */
#include "data/readers/mat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "data/readers/mat_parts.h"

/* What un_mat_read_columns asks for at a time. libmatio unpacks a compressed
 * variable from its beginning for every slab: few large ones, then. */
enum { SLAB_BYTES = 128 << 20 };

struct un_mat {
    char *path;
    const char *version;
    un_reader_child child;
    un_mat_variable *variables;
    size_t count;
};

/* What kind of file it is, by its first bytes; v5 files are walked through. */
static un_status check_file(un_mat *mat) {
    un_map map;
    UN_TRY(un_map_open(&map, mat->path));
    un_status status = UNSEEN_OK;
    static const unsigned char HDF5[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};
    enum { HEADER = 128, SUPERBLOCK = 512 };
    const unsigned char *d = map.data;
    int little = map.size >= HEADER && d[126] == 'I' && d[127] == 'M';
    int big = map.size >= HEADER && d[126] == 'M' && d[127] == 'I';
    unsigned version = little ? d[124] | (unsigned)d[125] << 8
                       : big  ? d[125] | (unsigned)d[124] << 8
                              : 0;
    if (map.size >= sizeof HDF5 && !memcmp(d, HDF5, sizeof HDF5)) {
        status = un_fail(UNSEEN_E_FORMAT,
                         "%s is an HDF5 file, but not one of MATLAB (its first 512 bytes are "
                         "missing); save it with MATLAB or as MAT v5",
                         mat->path);
    } else if (version == 0x0100) {
        mat->version = "5";
        status = un_mat5_verify(&map, mat->path);
    } else if (version == 0x0200 && map.size >= SUPERBLOCK + sizeof HDF5 &&
               !memcmp(d + SUPERBLOCK, HDF5, sizeof HDF5)) {
        mat->version = "7.3";
    } else {
        status = un_fail(UNSEEN_E_FORMAT, "%s is not a MAT file of version 5 or 7.3", mat->path);
    }
    un_map_close(&map);
    return status;
}

/* Puts a question; the answer's data are in the child's memory until the next one. */
static un_status ask(un_mat *mat, mat_question question, const char *name, size_t first,
                     size_t count, un_child_answer *answer) {
    mat_request request = {.question = question, .first = first, .count = count};
    if (name) snprintf(request.name, sizeof request.name, "%s", name);
    return un_child_ask(&mat->child, &request, sizeof request,
                        name ? name : "the list of variables", answer);
}

static un_status astray(const un_mat *mat, const char *name) {
    return un_child_astray(&mat->child, name);
}

static un_status list_variables(un_mat *mat) {
    un_child_answer answer;
    UN_TRY(ask(mat, MAT_LIST, NULL, 0, 0, &answer));
    if (answer.bytes != answer.count * sizeof *mat->variables)
        return astray(mat, "the list of variables");
    if (answer.sentence[0])
        un_log(UNSEEN_LOG_WARNING,
               "%s: libmatio cannot make sense of all its variables, and says: %s", mat->path,
               answer.sentence);
    UN_TRY(un_alloc((size_t)answer.count, sizeof *mat->variables, &mat->variables));
    mat->count = (size_t)answer.count;
    if (mat->count > 0) memcpy(mat->variables, mat->child.memory, (size_t)answer.bytes);
    for (size_t i = 0; i < mat->count; i++) {
        un_mat_variable *v = &mat->variables[i];
        v->name[sizeof v->name - 1] = 0;
        v->class_name[sizeof v->class_name - 1] = 0;
        if (v->rank < 1 || v->rank > UN_MAX_RANK || (unsigned)v->kind > UN_MAT_CELL)
            return astray(mat, "the list of variables");
    }
    return UNSEEN_OK;
}

un_status un_mat_open(un_mat **out, const char *path) {
    un_mat *mat = calloc(1, sizeof *mat);
    if (!mat) return un_fail_memory(sizeof *mat);
    mat->child = UN_READER_CHILD_NONE;
    un_status status = un_format(&mat->path, "%s", path);
    if (!status) status = check_file(mat);
    if (!status) status = un_child_start(&mat->child, mat->path, "libmatio", un_mat_child);
    if (!status) status = list_variables(mat);
    if (status) {
        un_mat_close(mat);
        return status;
    }
    *out = mat;
    return UNSEEN_OK;
}

void un_mat_close(un_mat *mat) {
    if (!mat) return;
    un_child_stop(&mat->child);
    free(mat->variables);
    free(mat->path);
    free(mat);
}

const char *un_mat_path(const un_mat *mat) { return mat->path; }
const char *un_mat_version(const un_mat *mat) { return mat->version; }

const un_mat_variable *un_mat_variables(const un_mat *mat, size_t *count) {
    *count = mat->count;
    return mat->variables;
}

const un_mat_variable *un_mat_find(const un_mat *mat, const char *name) {
    for (size_t i = 0; i < mat->count; i++)
        if (!strcmp(mat->variables[i].name, name)) return &mat->variables[i];
    return NULL;
}

static un_status missing(const un_mat *mat, const char *name) {
    char listed[512];
    size_t used = 0;
    listed[0] = 0;
    for (size_t i = 0; i < mat->count && used < sizeof listed; i++)
        used += (size_t)snprintf(listed + used, sizeof listed - used, "%s%s", i > 0 ? ", " : "",
                                 mat->variables[i].name);
    return un_fail(UNSEEN_E_FORMAT, "%s has no variable \"%s\"; it has: %s", mat->path, name,
                   mat->count > 0 ? listed : "none");
}

un_status un_mat_require(const un_mat *mat, const char *name, un_mat_kind kind,
                         const un_mat_variable **out) {
    static const char *const KINDS[] = {"something", "a numeric matrix", "text",
                                        "a cell array of text"};
    const un_mat_variable *v = un_mat_find(mat, name);
    if (!v) return missing(mat, name);
    if (v->kind != kind || v->rank != 2)
        return un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" is of class %s with %d dimensions, expected %s",
                       mat->path, name, v->class_name, v->rank, KINDS[kind]);
    *out = v;
    return UNSEEN_OK;
}

un_status un_mat_read_double(un_mat *mat, const char *name, double **out) {
    const un_mat_variable *v = NULL;
    un_child_answer answer;
    double *values = NULL;
    size_t count = 0;
    UN_TRY(un_mat_require(mat, name, UN_MAT_NUMERIC, &v));
    UN_TRY(ask(mat, MAT_DOUBLE, name, 0, 0, &answer));
    if (__builtin_mul_overflow(v->dims[0], v->dims[1], &count) ||
        answer.bytes / sizeof *values != count)
        return astray(mat, name);
    UN_TRY(un_alloc(count, sizeof *values, &values));
    if (count > 0) memcpy(values, mat->child.memory, count * sizeof *values);
    *out = values;
    return UNSEEN_OK;
}

size_t un_mat_slab_columns(const un_mat_variable *variable) {
    size_t column = variable->dims[0] * sizeof(double); /* the largest numeric class */
    if (!strcmp(variable->class_name, "single")) column = variable->dims[0] * sizeof(float);
    if (column == 0 || column > SLAB_BYTES) return 1;
    return SLAB_BYTES / column;
}

un_status un_mat_read_columns(un_mat *mat, const char *name, size_t first, size_t count,
                              const float **out) {
    const un_mat_variable *v = NULL;
    un_child_answer answer;
    size_t elements = 0;
    UN_TRY(un_mat_require(mat, name, UN_MAT_NUMERIC, &v));
    UN_TRY(ask(mat, MAT_COLUMNS, name, first, count, &answer));
    if (__builtin_mul_overflow(v->dims[0], count, &elements) ||
        answer.bytes / sizeof(float) != elements)
        return astray(mat, name);
    *out = (const float *)(const void *)mat->child.memory;
    return UNSEEN_OK;
}

un_status un_mat_read_strings(un_mat *mat, const char *name, un_arena *arena, char ***out,
                              size_t *count) {
    const un_mat_variable *v = un_mat_find(mat, name);
    if (!v) return missing(mat, name);
    if (v->kind != UN_MAT_CELL && v->kind != UN_MAT_TEXT)
        return un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" is of class %s, expected a cell array of text",
                       mat->path, name, v->class_name);
    un_child_answer answer;
    UN_TRY(ask(mat, MAT_STRINGS, name, 0, 0, &answer));
    return un_child_strings(&mat->child, &answer, name, arena, out, count);
}
