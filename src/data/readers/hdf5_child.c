/*
 * hdf5_child.c - the process in which libhdf5 runs; see hdf5.h for what it reads
 * and reader_child.h for why it is one.
 *
 * libhdf5 does not fail on storage that is not there, it fills in zeros; so every
 * variable is checked for holes before it is read.
 */
#include <hdf5.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/readers/hdf5_parts.h"

/* What a chunk may need to stay unpacked while the blocks cut from it are read. */
enum { CACHE_MIN = 16 << 20, CACHE_MAX = 256 << 20, CACHE_SLOTS = 12421 };
enum { MAX_LISTED = 256, MAX_STRING = 1 << 20 };

typedef struct {
    const char *path;
    unsigned char *memory;
    hid_t file;
    hid_t open; /* the variable whose pieces were read last; negative: none */
    char open_name[UN_HDF5_NAME];
} child;

/* ---- what libhdf5 complains of ---- */

static herr_t innermost(unsigned n, const H5E_error2_t *error, void *user) {
    char *out = user;
    (void)n;
    snprintf(out, 256, "%s", error->desc ? error->desc : "");
    return 0;
}

static un_status damaged(const char *path, const char *name) {
    char reason[256] = "";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, innermost, reason);
    reason[strcspn(reason, "\n")] = 0;
    return un_fail(UNSEEN_E_FORMAT,
                   "%s: libhdf5 cannot read %s%s%s; the file is damaged or cut "
                   "short",
                   path, name, reason[0] ? ": " : "", reason);
}

/* ---- the list ---- */

static void name_type(hid_t type, un_hdf5_variable *out) {
    size_t bits = 8 * H5Tget_size(type);
    switch (H5Tget_class(type)) {
    case H5T_INTEGER:
        out->kind = UN_HDF5_NUMERIC;
        snprintf(out->type_name, sizeof out->type_name, "%sint%zu",
                 H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "", bits % 1000);
        break;
    case H5T_FLOAT:
        out->kind = UN_HDF5_NUMERIC;
        snprintf(out->type_name, sizeof out->type_name, "float%zu", bits % 1000);
        break;
    case H5T_STRING:
        out->kind = UN_HDF5_TEXT;
        snprintf(out->type_name, sizeof out->type_name, "text");
        break;
    default: snprintf(out->type_name, sizeof out->type_name, "neither"); break;
    }
}

static int describe(hid_t set, const char *name, un_hdf5_variable *out) {
    hsize_t dims[H5S_MAX_RANK];
    hid_t space = H5Dget_space(set);
    hid_t type = H5Dget_type(set);
    hid_t creation = H5Dget_create_plist(set);
    *out = (un_hdf5_variable){0};
    snprintf(out->name, sizeof out->name, "%s", name);
    int rank = H5Sget_simple_extent_ndims(space);
    int good = rank >= 0 && type >= 0 && creation >= 0;
    if (good) name_type(type, out);
    if (rank > UN_MAX_RANK) out->kind = UN_HDF5_OTHER;
    if (good && rank <= UN_MAX_RANK && H5Sget_simple_extent_dims(space, dims, NULL) == rank)
        for (out->rank = 0; out->rank < rank; out->rank++)
            out->dims[out->rank] = (size_t)dims[out->rank];
    if (good && out->rank > 0 && H5Pget_layout(creation) == H5D_CHUNKED &&
        H5Pget_chunk(creation, rank, dims) == rank)
        for (int k = 0; k < out->rank; k++) out->chunk[k] = (size_t)dims[k];
    H5Pclose(creation);
    H5Tclose(type);
    H5Sclose(space);
    return good;
}

/* Only what lies in this file: a link to another is somebody's trap. */
static hid_t open_set(const child *c, const char *name) {
    H5L_info_t info;
    H5O_info_t object;
    if (H5Lget_info(c->file, name, &info, H5P_DEFAULT) < 0 || info.type != H5L_TYPE_HARD) return -1;
    if (H5Oget_info_by_name2(c->file, name, &object, H5O_INFO_BASIC, H5P_DEFAULT) < 0 ||
        object.type != H5O_TYPE_DATASET)
        return -1;
    return H5Dopen2(c->file, name, H5P_DEFAULT);
}

typedef struct {
    child *c;
    un_hdf5_variable *items;
    size_t count;
} listing;

static herr_t list_one(hid_t group, const char *name, const H5L_info_t *info, void *user) {
    listing *l = user;
    (void)group;
    if (l->count == MAX_LISTED || info->type != H5L_TYPE_HARD || strlen(name) >= UN_HDF5_NAME)
        return 0;
    hid_t set = open_set(l->c, name);
    if (set < 0) return 0;
    if (describe(set, name, &l->items[l->count])) l->count++;
    H5Dclose(set);
    return 0;
}

static un_status list(child *c, un_child_answer *answer) {
    listing l = {.c = c, .items = (un_hdf5_variable *)(void *)c->memory};
    hsize_t at = 0;
    if (H5Literate(c->file, H5_INDEX_NAME, H5_ITER_NATIVE, &at, list_one, &l) < 0)
        return damaged(c->path, "the list of data sets");
    answer->count = l.count;
    answer->bytes = l.count * sizeof *l.items;
    return UNSEEN_OK;
}

/* ---- is it all there? ---- */

static un_status check_filters(const child *c, hid_t creation, const char *name) {
    int filters = H5Pget_nfilters(creation);
    for (int i = 0; i < filters; i++) {
        unsigned flags = 0;
        unsigned config = 0;
        size_t values = 0;
        char label[64] = "";
        H5Z_filter_t filter = H5Pget_filter2(creation, (unsigned)i, &flags, &values, NULL,
                                             sizeof label, label, &config);
        if (filter < 0) return damaged(c->path, name);
        if (H5Zfilter_avail(filter) <= 0)
            return un_fail(UNSEEN_E_UNSUPPORTED,
                           "%s: \"%s\" is packed with the filter \"%s\" (number %d), which is not "
                           "installed; save it with gzip or unpacked",
                           c->path, name, label, (int)filter);
    }
    return UNSEEN_OK;
}

/* Whether every chunk, or the one piece, was ever written. */
static int is_complete(hid_t set, hid_t creation, hid_t space) {
    hsize_t dims[H5S_MAX_RANK];
    hsize_t chunk[H5S_MAX_RANK];
    hsize_t stored = 0;
    hsize_t needed = 1;
    int rank = H5Sget_simple_extent_dims(space, dims, NULL);
    if (rank < 0) return 0;
    if (H5Sget_simple_extent_npoints(space) == 0 || H5Pget_layout(creation) == H5D_COMPACT)
        return 1;
    if (H5Pget_layout(creation) != H5D_CHUNKED) return H5Dget_storage_size(set) > 0;
    if (H5Pget_chunk(creation, rank, chunk) != rank) return 0;
    for (int k = 0; k < rank; k++) {
        if (chunk[k] == 0) return 0;
        needed *= dims[k] / chunk[k] + (dims[k] % chunk[k] != 0);
    }
    return H5Dget_num_chunks(set, space, &stored) >= 0 && stored == needed;
}

static un_status check_storage(const child *c, hid_t set, const char *name) {
    hid_t creation = H5Dget_create_plist(set);
    hid_t space = H5Dget_space(set);
    un_status status = UNSEEN_OK;
    if (creation < 0 || space < 0) UN_GO(damaged(c->path, name));
    if (H5Pget_layout(creation) == H5D_VIRTUAL || H5Pget_external_count(creation) != 0)
        UN_GO(un_fail(UNSEEN_E_UNSUPPORTED, "%s: \"%s\" lies in other files; copy it into one",
                      c->path, name));
    UN_GO(check_filters(c, creation, name));
    if (!is_complete(set, creation, space))
        status = un_fail(UNSEEN_E_FORMAT,
                         "%s: parts of \"%s\" were never written or are lost; make the file again",
                         c->path, name);
done:
    H5Pclose(creation);
    H5Sclose(space);
    return status;
}

/* A cache that holds one chunk, so that pieces cut from it unpack it once. */
static hid_t access_list(const un_hdf5_variable *v) {
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    size_t bytes = sizeof(double);
    for (int k = 0; k < v->rank; k++)
        if (__builtin_mul_overflow(bytes, v->chunk[k], &bytes)) bytes = CACHE_MAX;
    if (bytes > CACHE_MAX) bytes = CACHE_MAX;
    if (bytes < CACHE_MIN) bytes = CACHE_MIN;
    H5Pset_chunk_cache(access, CACHE_SLOTS, bytes, 1.0);
    return access;
}

/* Opens a variable for reading, complete as it must be; kept for further pieces. */
static un_status open_variable(child *c, const char *name) {
    un_hdf5_variable v;
    if (c->open >= 0 && !strcmp(c->open_name, name)) return UNSEEN_OK;
    if (c->open >= 0) H5Dclose(c->open);
    c->open = open_set(c, name);
    if (c->open < 0 || !describe(c->open, name, &v)) return damaged(c->path, name);
    H5Dclose(c->open);
    hid_t access = access_list(&v);
    c->open = H5Dopen2(c->file, name, access);
    H5Pclose(access);
    if (c->open < 0) return damaged(c->path, name);
    snprintf(c->open_name, sizeof c->open_name, "%s", name);
    return check_storage(c, c->open, name);
}

/* ---- numbers ---- */

static un_status elements_of(const child *c, const char *name, uint64_t *out) {
    hid_t space = H5Dget_space(c->open);
    hssize_t points = H5Sget_simple_extent_npoints(space);
    H5Sclose(space);
    if (points < 0) return damaged(c->path, name);
    *out = (uint64_t)points;
    return UNSEEN_OK;
}

static un_status read_double(child *c, const hdf5_request *request, un_child_answer *answer) {
    uint64_t count = 0;
    UN_TRY(open_variable(c, request->name));
    UN_TRY(elements_of(c, request->name, &count));
    if (count > UINT64_MAX / sizeof(double)) return un_child_room(c->path, UINT64_MAX);
    answer->bytes = count * sizeof(double);
    UN_TRY(un_child_room(c->path, answer->bytes));
    if (count > 0 &&
        H5Dread(c->open, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, c->memory) < 0)
        return damaged(c->path, request->name);
    return UNSEEN_OK;
}

static un_status read_block(const child *c, const hdf5_request *r, hid_t space, size_t index,
                            float *to) {
    size_t start[4];
    size_t extent[4];
    hsize_t from[4];
    hsize_t size[4];
    un_hdf5_block(&r->blocks, index, start, extent);
    start[0] = r->piece.first_image;
    extent[0] = r->piece.images;
    for (int k = 0; k < 4; k++) {
        from[k] = start[k];
        size[k] = extent[k];
    }
    hid_t memory = H5Screate_simple(4, size, NULL);
    int failed = H5Sselect_hyperslab(space, H5S_SELECT_SET, from, NULL, size, NULL) < 0 ||
                 H5Dread(c->open, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, to) < 0;
    H5Sclose(memory);
    return failed ? damaged(c->path, r->name) : UNSEEN_OK;
}

static un_status read_piece(child *c, const hdf5_request *r, un_child_answer *answer) {
    size_t start[4];
    size_t extent[4];
    UN_TRY(open_variable(c, r->name));
    un_child_limit_time(UN_CHILD_MEMORY);
    hid_t space = H5Dget_space(c->open);
    un_status status = UNSEEN_OK;
    if (H5Sget_simple_extent_ndims(space) != 4) UN_GO(damaged(c->path, r->name));
    for (size_t i = 0; i < r->piece.count; i++) {
        size_t index = r->piece.first_block + i;
        size_t bytes =
            r->piece.images * un_hdf5_block(&r->blocks, index, start, extent) * sizeof(float);
        UN_GO(un_child_room(c->path, r->piece.place + answer->bytes + bytes));
        UN_GO(read_block(c, r, space, index,
                         (float *)(void *)(c->memory + r->piece.place + answer->bytes)));
        answer->bytes += bytes;
    }
done:
    H5Sclose(space);
    return status;
}

/* ---- text ---- */

static un_status read_fixed(child *c, hid_t type, uint64_t count, un_text *t) {
    size_t width = H5Tget_size(type);
    char *bytes = NULL;
    if (width == 0 || width > MAX_STRING || count > UN_CHILD_MEMORY / width)
        return un_child_room(c->path, UINT64_MAX);
    un_status status = un_alloc((size_t)count, width, &bytes);
    if (!status && count > 0 && H5Dread(c->open, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) < 0)
        status = damaged(c->path, c->open_name);
    for (uint64_t i = 0; !status && i < count; i++) {
        const char *s = bytes + i * width;
        size_t n = strnlen(s, width);
        while (n > 0 && H5Tget_strpad(type) == H5T_STR_SPACEPAD && s[n - 1] == ' ') n--;
        status = un_text_string(t, (const unsigned char *)s, n);
    }
    free(bytes);
    return status;
}

static un_status read_variable(child *c, hid_t type, uint64_t count, un_text *t) {
    char **strings = NULL;
    if (count > UN_CHILD_MEMORY / sizeof *strings) return un_child_room(c->path, UINT64_MAX);
    un_status status = un_alloc((size_t)count, sizeof *strings, &strings);
    if (!status && count > 0 && H5Dread(c->open, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, strings) < 0)
        status = damaged(c->path, c->open_name);
    for (uint64_t i = 0; !status && i < count; i++) {
        const char *s = strings[i] ? strings[i] : "";
        status = un_text_string(t, (const unsigned char *)s, strnlen(s, MAX_STRING));
    }
    free(strings); /* the strings go with the process */
    return status;
}

static un_status read_strings(child *c, const hdf5_request *request, un_child_answer *answer) {
    un_text t = {0};
    uint64_t count = 0;
    UN_TRY(open_variable(c, request->name));
    UN_TRY(elements_of(c, request->name, &count));
    hid_t type = H5Dget_type(c->open);
    un_status status = UNSEEN_OK;
    if (type < 0 || H5Tget_class(type) != H5T_STRING)
        status = damaged(c->path, request->name);
    else if (H5Tis_variable_str(type) > 0)
        status = read_variable(c, type, count, &t);
    else
        status = read_fixed(c, type, count, &t);
    answer->bytes = t.used;
    answer->count = count;
    if (!status) status = un_child_room(c->path, t.used);
    if (!status && t.used > 0) memcpy(c->memory, t.data, t.used);
    free(t.data);
    H5Tclose(type);
    return status;
}

/* ---- the process ---- */

static un_status answer_question(child *c, const hdf5_request *request, un_child_answer *answer) {
    H5Eclear2(H5E_DEFAULT);
    switch (request->question) {
    case HDF5_LIST: return list(c, answer);
    case HDF5_DOUBLE: return read_double(c, request, answer);
    case HDF5_STRINGS: return read_strings(c, request, answer);
    case HDF5_PIECE: return read_piece(c, request, answer);
    }
    return un_fail(UNSEEN_E_ARGUMENT, "unknown question to the HDF5 reader");
}

void un_hdf5_child(const char *path, int socket, unsigned char *memory) {
    child c = {.path = path, .memory = memory, .open = -1};
    hdf5_request request;
    struct stat st;
    un_child_confine(socket);
    /* Locks fail on some network and read-only file systems, and nobody writes. */
    setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    uint64_t bytes = stat(path, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
    un_child_limit_time(bytes);
    c.file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    un_status opened = c.file < 0 ? damaged(path, "it") : UNSEEN_OK;
    while (un_child_next(socket, &request, sizeof request)) {
        un_child_answer answer = {.status = opened};
        request.name[UN_HDF5_NAME - 1] = 0;
        un_child_limit_time(bytes);
        if (!opened) answer.status = answer_question(&c, &request, &answer);
        if (!un_child_reply(socket, &answer)) break;
    }
}
