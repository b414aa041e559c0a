/*
 * hdf5_child.c - the process in which libhdf5 runs: what is asked of it. See hdf5.h for
 * what it reads and reader_child.h for why it is a process.
 */
#include "data/readers/hdf5_child.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

enum { MAX_LISTED = 256 };

typedef struct {
    const char *path;
    unsigned char *memory;
    hid_t file;
    un_hdf5_set set; /* the one that was read last: pieces follow one another */
} child;

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
    case H5T_REFERENCE:
        out->kind = UN_HDF5_CELLS;
        snprintf(out->type_name, sizeof out->type_name, "references");
        break;
    case H5T_ENUM: /* h5py's booleans */
        out->kind = H5Tget_size(type) == 1 ? UN_HDF5_NUMERIC : UN_HDF5_OTHER;
        snprintf(out->type_name, sizeof out->type_name, "enumeration");
        break;
    case H5T_COMPOUND:
        out->is_complex = H5Tget_nmembers(type) == 2 && H5Tget_member_index(type, "real") >= 0 &&
                          H5Tget_member_index(type, "imag") >= 0;
        snprintf(out->type_name, sizeof out->type_name, "compound");
        break;
    default: snprintf(out->type_name, sizeof out->type_name, "neither"); break;
    }
}

static void describe_marks(hid_t object, un_hdf5_variable *out) {
    un_hdf5_attribute_text(object, "MATLAB_class", out->matlab_class, sizeof out->matlab_class);
    out->is_object = un_hdf5_attribute_number(object, "MATLAB_object_decode") != 0;
    out->is_empty = un_hdf5_attribute_number(object, "MATLAB_empty") != 0;
}

/* MATLAB stores the dimensions of an empty variable as its data, in its own order. */
static void describe_empty(const char *path, hid_t set, un_hdf5_variable *out) {
    un_hdf5_set s = UN_HDF5_NO_SET;
    double dims[UN_MAX_RANK];
    size_t rank = out->rank == 1 ? out->dims[0] : 0;
    out->rank = 2;
    out->dims[0] = out->dims[1] = 0;
    if (rank < 2 || rank > UN_MAX_RANK || H5Iinc_ref(set) < 0) return;
    un_status status = un_hdf5_set_open(&s, path, out->name, set);
    if (!status) status = un_hdf5_set_read(&s, H5T_NATIVE_DOUBLE, dims);
    un_hdf5_set_close(&s);
    if (status) return;
    out->rank = (int)rank;
    for (size_t k = 0; k < rank; k++) {
        double size = dims[rank - 1 - k];
        out->dims[k] = size >= 0 && size < 2147483648.0 ? (size_t)size : 0;
    }
}

static int describe_set(const char *path, hid_t set, const char *name, un_hdf5_variable *out) {
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
    if (good) describe_marks(set, out);
    if (good && out->is_empty && out->kind == UN_HDF5_NUMERIC) describe_empty(path, set, out);
    H5Pclose(creation);
    H5Tclose(type);
    H5Sclose(space);
    return good;
}

/* A struct or a sparse matrix of MATLAB's, or any group. */
static int describe_group(hid_t group, const char *name, un_hdf5_variable *out) {
    *out = (un_hdf5_variable){0};
    snprintf(out->name, sizeof out->name, "%s", name);
    snprintf(out->type_name, sizeof out->type_name, "group");
    describe_marks(group, out);
    if (H5Aexists(group, "MATLAB_sparse") > 0)
        snprintf(out->matlab_class, sizeof out->matlab_class, "sparse");
    return 1;
}

/* Only what lies in this file: a link to another is somebody's trap. The type is asked of the opened
 * object: H5Oget_info takes a structure that HDF5 1.12 has changed under the same name. */
static hid_t open_object(const child *c, const char *name, H5I_type_t *type) {
    H5L_info_t info;
    if (H5Lget_info(c->file, name, &info, H5P_DEFAULT) < 0 || info.type != H5L_TYPE_HARD) return -1;
    hid_t object = H5Oopen(c->file, name, H5P_DEFAULT);
    *type = object < 0 ? H5I_BADID : H5Iget_type(object);
    return object;
}

/* HDF5 1.14 does not open a data set that has less stored than it needs; others read it. */
static int describe_damaged(const char *name, un_hdf5_variable *out) {
    *out = (un_hdf5_variable){.is_damaged = 1};
    snprintf(out->name, sizeof out->name, "%s", name);
    snprintf(out->type_name, sizeof out->type_name, "damaged");
    return 1;
}

typedef struct {
    child *c;
    un_hdf5_variable *items;
    size_t count;
} listing;

static herr_t list_one(hid_t root, const char *name, const H5L_info_t *info, void *user) {
    listing *l = user;
    (void)root;
    if (l->count == MAX_LISTED || info->type != H5L_TYPE_HARD || strlen(name) >= UN_HDF5_NAME)
        return 0;
    if (name[0] == '#') return 0; /* "#refs#", "#subsystem#": MATLAB's own */
    un_hdf5_variable *item = &l->items[l->count];
    H5I_type_t type = H5I_BADID;
    hid_t object = open_object(l->c, name, &type);
    if (object < 0)
        l->count += (size_t)describe_damaged(name, item);
    else if (type == H5I_DATASET)
        l->count += (size_t)describe_set(l->c->path, object, name, item);
    else if (type == H5I_GROUP)
        l->count += (size_t)describe_group(object, name, item);
    if (object >= 0) H5Oclose(object);
    return 0;
}

static un_status list(child *c, un_child_answer *answer) {
    listing l = {.c = c, .items = (un_hdf5_variable *)(void *)c->memory};
    hsize_t at = 0;
    if (H5Literate(c->file, H5_INDEX_NAME, H5_ITER_NATIVE, &at, list_one, &l) < 0)
        return un_hdf5_damaged(c->path, "the list of data sets");
    answer->count = l.count;
    answer->bytes = l.count * sizeof *l.items;
    return UNSEEN_OK;
}

/* ---- numbers ---- */

/* Opens a variable for reading, complete as it must be; kept for further pieces. */
static un_status open_variable(child *c, const char *name) {
    if (c->set.set >= 0 && !strcmp(c->set.name, name)) return UNSEEN_OK;
    un_hdf5_set_close(&c->set);
    H5I_type_t type = H5I_BADID;
    hid_t set = open_object(c, name, &type);
    if (set >= 0 && type != H5I_DATASET) {
        H5Oclose(set);
        set = -1;
    }
    if (set < 0) return un_hdf5_damaged(c->path, name);
    return un_hdf5_set_open(&c->set, c->path, name, set);
}

/* h5py's booleans are an enumeration of bytes; libhdf5 makes no numbers of those. */
static un_status read_booleans(child *c, uint64_t count) {
    const signed char *bytes = (const signed char *)c->memory;
    UN_TRY(un_hdf5_set_read_raw(&c->set, c->memory));
    for (uint64_t i = count; i-- > 0;) {
        double value = bytes[i];
        memcpy(c->memory + i * sizeof value, &value, sizeof value);
    }
    return UNSEEN_OK;
}

static un_status read_double(child *c, const hdf5_request *request, un_child_answer *answer) {
    UN_TRY(open_variable(c, request->name));
    if (un_hdf5_attribute_number(c->set.set, "MATLAB_empty")) return UNSEEN_OK;
    uint64_t count = c->set.elements;
    if (count > UINT64_MAX / sizeof(double)) return un_child_room(c->path, UINT64_MAX);
    answer->bytes = count * sizeof(double);
    UN_TRY(un_child_room(c->path, answer->bytes));
    if (H5Tget_class(c->set.type) == H5T_ENUM) return read_booleans(c, count);
    return un_hdf5_set_read(&c->set, H5T_NATIVE_DOUBLE, c->memory);
}

static un_status check_rank(const child *c, int rank) {
    hid_t space = H5Dget_space(c->set.set);
    int found = H5Sget_simple_extent_ndims(space);
    H5Sclose(space);
    return found == rank ? UNSEEN_OK : un_hdf5_damaged(c->path, c->set.name);
}

/* A part of a matrix, or a range of a vector. */
static un_status read_part(child *c, const hdf5_request *r, un_child_answer *answer) {
    hsize_t start[2] = {r->start[0], r->start[1]};
    hsize_t extent[2] = {r->extent[0], r->extent[1]};
    uint64_t count = 0;
    UN_TRY(open_variable(c, r->name));
    UN_TRY(check_rank(c, r->rank == 1 ? 1 : 2));
    if (__builtin_mul_overflow(r->extent[0], r->rank == 1 ? 1 : r->extent[1], &count) ||
        count > UINT64_MAX / sizeof(float))
        return un_child_room(c->path, UINT64_MAX);
    answer->bytes = count * sizeof(float);
    un_child_limit_time(UN_CHILD_MEMORY);
    UN_TRY(un_child_room(c->path, answer->bytes));
    return un_hdf5_set_read_part(&c->set, start, extent, H5T_NATIVE_FLOAT, c->memory);
}

static un_status read_block(child *c, const hdf5_request *r, size_t index, float *to) {
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
    return un_hdf5_set_read_part(&c->set, from, size, H5T_NATIVE_FLOAT, to);
}

static un_status read_piece(child *c, const hdf5_request *r, un_child_answer *answer) {
    size_t start[4];
    size_t extent[4];
    UN_TRY(open_variable(c, r->name));
    UN_TRY(check_rank(c, 4));
    un_child_limit_time(UN_CHILD_MEMORY);
    for (size_t i = 0; i < r->piece.count; i++) {
        size_t index = r->piece.first_block + i;
        size_t bytes =
            r->piece.images * un_hdf5_block(&r->blocks, index, start, extent) * sizeof(float);
        UN_TRY(un_child_room(c->path, r->piece.place + answer->bytes + bytes));
        UN_TRY(
            read_block(c, r, index, (float *)(void *)(c->memory + r->piece.place + answer->bytes)));
        answer->bytes += bytes;
    }
    return UNSEEN_OK;
}

/* ---- text ---- */

static un_status read_strings(child *c, const hdf5_request *request, un_child_answer *answer) {
    un_text t = {0};
    size_t count = 0;
    UN_TRY(open_variable(c, request->name));
    un_status status = un_hdf5_set_strings(&c->set, &t, &count);
    answer->bytes = t.used;
    answer->count = count;
    if (!status) status = un_child_room(c->path, t.used);
    if (!status && t.used > 0) memcpy(c->memory, t.data, t.used);
    free(t.data);
    return status;
}

/* ---- the process ---- */

static un_status answer_question(child *c, const hdf5_request *request, un_child_answer *answer) {
    H5Eclear2(H5E_DEFAULT);
    switch (request->question) {
    case HDF5_LIST: return list(c, answer);
    case HDF5_DOUBLE: return read_double(c, request, answer);
    case HDF5_STRINGS: return read_strings(c, request, answer);
    case HDF5_PART: return read_part(c, request, answer);
    case HDF5_PIECE: return read_piece(c, request, answer);
    }
    return un_fail(UNSEEN_E_ARGUMENT, "unknown question to the HDF5 reader");
}

void un_hdf5_child(const char *path, int socket, unsigned char *memory) {
    child c = {.path = path, .memory = memory, .file = -1, .set = UN_HDF5_NO_SET};
    hdf5_request request;
    struct stat st;
    un_status opened = UNSEEN_OK;
    int fd = un_child_confine(socket, path);
    /* Locks fail on some network and read-only file systems, and nobody writes. */
    setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    uint64_t bytes = fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
    un_child_limit_time(bytes);
    if (fd < 0) opened = UNSEEN_E_IO; /* the sentence is there */
    if (!opened) c.file = un_hdf5_open_descriptor(fd, path);
    if (!opened && c.file < 0) opened = un_hdf5_damaged(path, "it");
    while (un_child_next(socket, &request, sizeof request)) {
        un_child_answer answer = {.status = opened};
        request.name[UN_HDF5_NAME - 1] = 0;
        un_child_limit_time(bytes);
        if (!opened) answer.status = answer_question(&c, &request, &answer);
        if (!un_child_reply(socket, &answer)) break;
    }
}

/* ---- an HDF5 file behind a descriptor that is open already.
 *
 * libhdf5 opens files by name, but the process that reads a foreign file may open none
 * any more (reader_child.h). So this is a file driver for it: it reads, and no more. ---- */

typedef struct {
    H5FD_t head; /* libhdf5's own part */
    haddr_t end_allocated, size;
} file;

/* The driver's open function is told a name only. One file a process. */
static int g_fd = -1;

static H5FD_t *file_open(const char *name, unsigned flags, hid_t access, haddr_t limit) {
    struct stat st;
    (void)name;
    (void)access;
    (void)limit;
    if ((flags & H5F_ACC_RDWR) || fstat(g_fd, &st) != 0 || st.st_size < 0) return NULL;
    file *f = calloc(1, sizeof *f);
    if (f) f->size = (haddr_t)st.st_size;
    return f ? &f->head : NULL;
}

static herr_t file_close(H5FD_t *f) {
    free(f);
    return 0;
}

static herr_t file_query(const H5FD_t *f, unsigned long *flags) {
    (void)f;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

static haddr_t file_get_eoa(const H5FD_t *f, H5FD_mem_t type) {
    (void)type;
    return ((const file *)(const void *)f)->end_allocated;
}

static herr_t file_set_eoa(H5FD_t *f, H5FD_mem_t type, haddr_t address) {
    (void)type;
    ((file *)(void *)f)->end_allocated = address;
    return 0;
}

static haddr_t file_get_eof(const H5FD_t *f, H5FD_mem_t type) {
    (void)type;
    return ((const file *)(const void *)f)->size;
}

/* What lies beyond the end of the file is an error; libhdf5's own driver makes it zeros. */
static herr_t file_read(H5FD_t *f, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size,
                        void *out) {
    unsigned char *to = out;
    (void)f;
    (void)type;
    (void)transfer;
    if (address > INT64_MAX - size) return -1;
    while (size > 0) {
        ssize_t n = pread(g_fd, to, size, (off_t)address);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return -1;
        to += n;
        size -= (size_t)n;
        address += (haddr_t)n;
    }
    return 0;
}

static herr_t file_write(H5FD_t *f, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size,
                         const void *data) {
    (void)f;
    (void)type;
    (void)transfer;
    (void)address;
    (void)size;
    (void)data;
    return -1;
}

hid_t un_hdf5_open_descriptor(int fd, const char *path) {
    static const H5FD_class_t driver = {
#if H5_VERSION_GE(1, 13, 0)
        .version = H5FD_CLASS_VERSION,
        .value = (H5FD_class_value_t)512, /* of those left to programs */
#endif
        .name = "unseen",
        .maxaddr = INT64_MAX,
        .fc_degree = H5F_CLOSE_WEAK,
        .open = file_open,
        .close = file_close,
        .query = file_query,
        .get_eoa = file_get_eoa,
        .set_eoa = file_set_eoa,
        .get_eof = file_get_eof,
        .read = file_read,
        .write = file_write,
        .fl_map = H5FD_FLMAP_DICHOTOMY
    };
    g_fd = fd;
    hid_t id = H5FDregister(&driver);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    hid_t opened = -1;
    if (id >= 0 && access >= 0 && H5Pset_driver(access, id, NULL) >= 0)
        opened = H5Fopen(path, H5F_ACC_RDONLY, access);
    if (access >= 0) H5Pclose(access);
    return opened;
}
