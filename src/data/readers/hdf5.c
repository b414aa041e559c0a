/* hdf5.c - the caller's side of the HDF5 reader; see hdf5.h. */
#include "data/readers/hdf5.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/file_kind.h"
#include "base/foreign/foreign.h"
#include "base/names.h"

struct un_hdf5 {
    char *path;
    un_reader_child child;
    un_hdf5_variable *variables;
    size_t count;
};

static const char LIST[] = "the list of data sets";

static un_status check_signature(const char *path) {
    un_map map;
    int found = 0;
    UN_TRY(un_map_open(&map, path));
    for (size_t at = 0; !found && at < map.size; at = at ? 2 * at : 512)
        found = un_kind_hdf5_at(map.data, map.size, at);
    un_map_close(&map);
    return found ? UNSEEN_OK : un_fail_kind(path, "an HDF5 file", un_kind_of_file(path));
}

static un_status ask(un_hdf5 *file, hdf5_question question, const char *name,
                     un_child_answer *answer) {
    hdf5_request request = {.question = question};
    if (name) snprintf(request.name, sizeof request.name, "%s", name);
    return un_child_ask(&file->child, &request, sizeof request, name ? name : LIST, answer);
}

static un_status list_variables(un_hdf5 *file) {
    un_child_answer answer;
    UN_TRY(ask(file, HDF5_LIST, NULL, &answer));
    if (answer.bytes != answer.count * sizeof *file->variables)
        return un_child_astray(&file->child, LIST);
    UN_TRY(un_alloc((size_t)answer.count, sizeof *file->variables, &file->variables));
    file->count = (size_t)answer.count;
    if (file->count > 0) memcpy(file->variables, file->child.memory, (size_t)answer.bytes);
    for (size_t i = 0; i < file->count; i++) {
        un_hdf5_variable *v = &file->variables[i];
        size_t elements = 1;
        v->name[sizeof v->name - 1] = 0;
        v->type_name[sizeof v->type_name - 1] = 0;
        v->matlab_class[sizeof v->matlab_class - 1] = 0;
        if (v->rank < 0 || v->rank > UN_MAX_RANK || (unsigned)v->kind > UN_HDF5_CELLS)
            return un_child_astray(&file->child, LIST);
        for (int k = 0; k < v->rank; k++)
            if (__builtin_mul_overflow(elements, v->dims[k], &elements) || elements > SIZE_MAX / 64)
                return un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" is larger than any memory", file->path,
                               v->name);
    }
    return UNSEEN_OK;
}

un_status un_hdf5_open(un_hdf5 **out, const char *path) {
    /* Before the child is there, which may load nothing more. */
    UN_TRY(un_foreign_need(UN_HDF5));
    UN_TRY(un_foreign_need(UN_ZLIB));
    un_hdf5 *file = calloc(1, sizeof *file);
    if (!file) return un_fail_memory(sizeof *file);
    file->child = UN_READER_CHILD_NONE;
    un_status status = un_format(&file->path, "%s", path);
    if (!status) status = check_signature(file->path);
    if (!status) status = un_child_start(&file->child, file->path, "libhdf5", un_hdf5_child);
    if (!status) status = list_variables(file);
    if (status) {
        un_hdf5_close(file);
        return status;
    }
    *out = file;
    return UNSEEN_OK;
}

void un_hdf5_close(un_hdf5 *file) {
    if (!file) return;
    un_child_stop(&file->child);
    free(file->variables);
    free(file->path);
    free(file);
}

const un_hdf5_variable *un_hdf5_variables(const un_hdf5 *file, size_t *count) {
    *count = file->count;
    return file->variables;
}

const un_hdf5_variable *un_hdf5_find(const un_hdf5 *file, const char *name) {
    for (size_t i = 0; i < file->count; i++)
        if (!strcmp(file->variables[i].name, name)) return &file->variables[i];
    return NULL;
}

static un_status missing(const un_hdf5 *file, const char *name) {
    un_name_list there = {0};
    for (size_t i = 0; i < file->count; i++)
        un_name_list_say(&there, file->count, "%s", file->variables[i].name);
    return un_fail(UNSEEN_E_FORMAT, "%s has no data set \"%s\"; it has: %s%s", file->path, name,
                   file->count > 0 ? there.text : "none", un_name_list_more(&there));
}

un_status un_hdf5_cannot_open(const char *path, const char *name) {
    return un_fail(UNSEEN_E_FORMAT, "%s is damaged: libhdf5 cannot open \"%s\"; get the file again",
                   path, name);
}

un_status un_hdf5_require(const un_hdf5 *file, const char *name, un_hdf5_kind kind, int rank,
                          const un_hdf5_variable **out) {
    static const char *const KINDS[] = {"something", "numbers", "text", "cells"};
    const un_hdf5_variable *v = un_hdf5_find(file, name);
    char of_rank[32] = "";
    if (!v) return missing(file, name);
    if (v->is_damaged) return un_hdf5_cannot_open(file->path, name);
    if (rank >= 0) snprintf(of_rank, sizeof of_rank, " with %d dimensions", rank);
    if (v->kind != kind || (rank >= 0 && v->rank != rank))
        return un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" is %s with %d dimensions, expected %s%s",
                       file->path, name, v->type_name, v->rank, KINDS[kind], of_rank);
    *out = v;
    return UNSEEN_OK;
}

un_status un_hdf5_read_double(un_hdf5 *file, const char *name, double **out) {
    const un_hdf5_variable *v = NULL;
    un_child_answer answer;
    double *values = NULL;
    size_t count = 1;
    UN_TRY(un_hdf5_require(file, name, UN_HDF5_NUMERIC, -1, &v));
    for (int k = 0; k < v->rank; k++) count *= v->dims[k];
    UN_TRY(ask(file, HDF5_DOUBLE, name, &answer));
    if (answer.bytes != count * sizeof *values) return un_child_astray(&file->child, name);
    UN_TRY(un_alloc(count, sizeof *values, &values));
    if (count > 0) memcpy(values, file->child.memory, count * sizeof *values);
    *out = values;
    return UNSEEN_OK;
}

un_status un_hdf5_read_part(un_hdf5 *file, const char *name, const size_t start[2],
                            const size_t extent[2], const float **out) {
    const un_hdf5_variable *v = NULL;
    un_child_answer answer;
    hdf5_request request = {.question = HDF5_PART};
    UN_TRY(un_hdf5_require(file, name, UN_HDF5_NUMERIC, -1, &v));
    request.rank = v->rank;
    for (int k = 0; k < 2; k++) {
        size_t size = k < v->rank ? v->dims[k] : 1;
        if (v->rank > 2 || start[k] > size || extent[k] > size - start[k])
            return un_fail(UNSEEN_E_ARGUMENT, "%s: \"%s\" is not so large", file->path, name);
        request.start[k] = start[k];
        request.extent[k] = extent[k];
    }
    snprintf(request.name, sizeof request.name, "%s", name);
    UN_TRY(un_child_ask(&file->child, &request, sizeof request, name, &answer));
    if (answer.bytes / sizeof(float) != extent[0] * extent[1])
        return un_child_astray(&file->child, name);
    *out = (const float *)(const void *)file->child.memory;
    return UNSEEN_OK;
}

un_status un_hdf5_read_strings(un_hdf5 *file, const char *name, un_arena *arena, char ***out,
                               size_t *count) {
    const un_hdf5_variable *v = un_hdf5_find(file, name);
    un_child_answer answer;
    int of_matlab = v && (v->kind == UN_HDF5_CELLS || !strcmp(v->matlab_class, "cell") ||
                          !strcmp(v->matlab_class, "char"));
    if (!of_matlab) UN_TRY(un_hdf5_require(file, name, UN_HDF5_TEXT, -1, &v));
    UN_TRY(ask(file, HDF5_STRINGS, name, &answer));
    return un_child_strings(&file->child, &answer, name, arena, out, count);
}

un_status un_hdf5_piece_ask(un_hdf5 *file, const char *name, const un_hdf5_blocks *blocks,
                            const un_hdf5_piece *piece) {
    hdf5_request request = {.question = HDF5_PIECE, .blocks = *blocks, .piece = *piece};
    snprintf(request.name, sizeof request.name, "%s", name);
    return un_child_send(&file->child, &request, sizeof request, name);
}

un_status un_hdf5_piece_wait(un_hdf5 *file, const char *name, const un_hdf5_blocks *blocks,
                             const un_hdf5_piece *piece, const float **out) {
    un_child_answer answer;
    size_t start[4];
    size_t extent[4];
    size_t elements = 0;
    UN_TRY(un_child_receive(&file->child, name, &answer));
    for (size_t i = 0; i < piece->count; i++)
        elements += un_hdf5_block(blocks, piece->first_block + i, start, extent);
    elements *= piece->images;
    if (answer.bytes != elements * sizeof(float)) return un_child_astray(&file->child, name);
    *out = (const float *)(const void *)(file->child.memory + piece->place);
    return UNSEEN_OK;
}
