/* array_file.c - opening and reading arrays, and telling the order of their dimensions; see
 * array_file.h. */
#include "data/readers/array_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file_kind.h"
#include "base/foreign/zip.h"

enum { CHUNK = 1 << 20 };

/* ---- .npy ---- */

static un_status open_npy(un_array *a) {
    size_t offset = 0;
    size_t bytes = 0;
    UN_TRY(un_npy_head(a, a->map.data, a->map.size, &offset, &bytes));
    if (bytes != a->map.size - offset)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: the header tells of %zu bytes, %zu follow; the file is damaged or cut "
                       "short",
                       a->spec, bytes, a->map.size - offset);
    a->data = a->map.data + offset;
    return UNSEEN_OK;
}

/* ---- .npz ---- */

typedef struct {
    un_array *array;
    zip_t *zip;
    zip_file_t *member;
    zip_uint64_t index;
    zip_uint64_t size;
    int fd; /* of the nameless file; -1: none */
} unpacker;

/* The member called NAME or NAME.npy; the only one if no name is given. */
static un_status find_member(unpacker *u) {
    un_array *a = u->array;
    zip_int64_t count = zip_get_num_entries(u->zip, 0);
    if (!a->member && count != 1)
        return un_fail(UNSEEN_E_ARGUMENT, "%s holds %lld arrays; name one of them: %s:NAME",
                       a->spec, (long long)count, a->spec);
    if (!a->member) return UNSEEN_OK; /* index 0 */
    char *name = NULL;
    UN_TRY(un_format(&name, "%s.npy", a->member));
    zip_int64_t index = zip_name_locate(u->zip, name, 0);
    if (index < 0) index = zip_name_locate(u->zip, a->member, 0);
    free(name);
    if (index < 0)
        return un_fail(UNSEEN_E_ARGUMENT, "%s: there is no array \"%.200s\" in the archive",
                       a->spec, a->member);
    u->index = (zip_uint64_t)index;
    return UNSEEN_OK;
}

static un_status zip_wrong(const unpacker *u, const char *why) {
    return un_fail(UNSEEN_E_FORMAT, "%s: the archive cannot be read: %s", u->array->spec, why);
}

/* Reads up to n bytes; fewer at the end of the member only. */
static un_status read_some(const unpacker *u, unsigned char *out, size_t n, size_t *got) {
    *got = 0;
    while (*got < n) {
        zip_int64_t k = zip_fread(u->member, out + *got, n - *got);
        if (k < 0) return zip_wrong(u, zip_file_strerror(u->member));
        if (k == 0) break;
        *got += (size_t)k;
    }
    return UNSEEN_OK;
}

static un_status write_all(const unpacker *u, const unsigned char *bytes, size_t n) {
    while (n > 0) {
        ssize_t k = write(u->fd, bytes, n);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return un_fail_errno(errno, "%s cannot be unpacked", u->array->spec);
        bytes += k;
        n -= (size_t)k;
    }
    return UNSEEN_OK;
}

/* The header first: a size that it does not explain is not worth the disk's space. */
static un_status unpack(const unpacker *u, unsigned char *chunk) {
    size_t got = 0;
    size_t offset = 0;
    size_t bytes = 0;
    zip_uint64_t done = 0;
    UN_TRY(read_some(u, chunk, CHUNK, &got));
    UN_TRY(un_npy_head(u->array, chunk, got, &offset, &bytes));
    if (u->size < offset || u->size - offset != bytes)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: the header tells of %zu bytes, the archive of %llu; it is damaged",
                       u->array->spec, bytes, (unsigned long long)u->size - offset);
    while (got > 0) {
        UN_TRY(write_all(u, chunk, got));
        done += got;
        UN_TRY(read_some(u, chunk, CHUNK, &got)); /* checks the checksum at the end */
    }
    return done == u->size ? UNSEEN_OK : zip_wrong(u, "it is cut short");
}

static un_status map_unpacked(unpacker *u) {
    void *data = mmap(NULL, (size_t)u->size, PROT_READ, MAP_SHARED, u->fd, 0);
    if (data == MAP_FAILED) return un_fail_errno(errno, "%s cannot be mapped", u->array->spec);
    u->array->map = (un_map){.data = data, .size = (size_t)u->size};
    return open_npy(u->array);
}

static un_status nameless_file(unpacker *u, const char *folder) {
    char *path = NULL;
    UN_TRY(un_format(&path, "%s/.array-XXXXXX", folder));
    un_status status = UNSEEN_OK;
    u->fd = un_descriptor_above(mkostemp(path, O_CLOEXEC));
    if (u->fd < 0)
        status = un_fail_errno(errno, "cannot make a file in %s", folder);
    else
        unlink(path);
    free(path);
    return status;
}

static un_status unpack_member(unpacker *u, const char *folder) {
    zip_stat_t st;
    unsigned char *chunk = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(find_member(u));
    if (zip_stat_index(u->zip, u->index, 0, &st) != 0 || !(st.valid & ZIP_STAT_SIZE))
        return zip_wrong(u, zip_strerror(u->zip));
    u->size = st.size;
    u->member = zip_fopen_index(u->zip, u->index, 0);
    if (!u->member) return zip_wrong(u, zip_strerror(u->zip));
    UN_TRY(nameless_file(u, folder));
    UN_GO(un_alloc(CHUNK, 1, &chunk));
    UN_GO(unpack(u, chunk));
    UN_GO(map_unpacked(u));
done:
    free(chunk);
    return status;
}

static un_status open_npz(un_array *a, const char *path, const char *folder) {
    unpacker u = {.array = a, .fd = -1};
    int code = 0;
    UN_TRY(un_foreign_need(UN_ZIP));
    u.zip = zip_open(path, ZIP_RDONLY, &code);
    if (!u.zip) {
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        un_status status = zip_wrong(&u, zip_error_strerror(&error));
        zip_error_fini(&error);
        return status;
    }
    un_status status = unpack_member(&u, folder);
    if (u.member) zip_fclose(u.member);
    zip_discard(u.zip);
    if (u.fd >= 0) close(u.fd);
    return status;
}

/* ---- safetensors ---- */

static un_status open_tensor(un_array *a, const char *path) {
    UN_TRY(un_safetensors_open(&a->file, path));
    const un_st_entry *entry = a->file.count == 1 ? &a->file.entries[0] : NULL;
    if (a->member) entry = un_safetensors_find(&a->file, a->member);
    if (!entry && a->member)
        return un_fail(UNSEEN_E_ARGUMENT, "%s: there is no tensor \"%.200s\" in the file", a->spec,
                       a->member);
    if (!entry)
        return un_fail(UNSEEN_E_ARGUMENT, "%s holds %zu tensors; name one of them: %s:NAME",
                       a->spec, a->file.count, a->spec);
    size_t bytes = 0;
    a->dtype = entry->tensor.dtype;
    a->rank = entry->tensor.rank;
    a->data = entry->tensor.data;
    memcpy(a->shape, entry->tensor.shape, sizeof a->shape);
    return un_array_measure(a, &bytes);
}

/* ---- which of them ---- */

/* Cuts "FILE:MEMBER", unless a file has that whole name. */
static un_status cut_spec(un_array *a, char **path) {
    UN_TRY(un_format(path, "%s", a->spec));
    char *colon = strrchr(*path, ':');
    if (un_path_exists(*path) || !colon || colon[1] == 0) return UNSEEN_OK;
    *colon = 0;
    return un_format(&a->member, "%s", colon + 1);
}

static un_status open_any(un_array *a, const char *path, const char *folder) {
    UN_TRY(un_map_open(&a->map, path));
    int npy = un_npy_begins(a->map.data, a->map.size);
    un_file_kind kind = un_kind_of(a->map.data, a->map.size);
    int zip = kind == UN_KIND_NPZ || kind == UN_KIND_ZIP;
    if (npy && a->member)
        return un_fail(UNSEEN_E_ARGUMENT, "%s: a .npy file holds one array, without a name", path);
    if (npy) return open_npy(a);
    un_map_close(&a->map);
    /* What no magic number tells is left to the reader of safetensors, as is a cut one. */
    if (!zip && kind != UN_KIND_SAFETENSORS && kind != UN_KIND_UNKNOWN && kind != UN_KIND_NPY)
        return un_fail_kind(path, "a file of arrays (.npy, .npz, .safetensors)", kind);
    return zip ? open_npz(a, path, folder) : open_tensor(a, path);
}

un_status un_array_open(un_array *array, const char *spec, const char *folder) {
    char *path = NULL;
    *array = (un_array){0};
    un_status status = UNSEEN_OK;
    UN_GO(un_format(&array->spec, "%s", spec));
    UN_GO(cut_spec(array, &path));
    UN_GO(open_any(array, path, folder));
done:
    free(path);
    if (status) un_array_close(array);
    return status;
}

void un_array_close(un_array *array) {
    if (array->file.path) un_safetensors_close(&array->file);
    un_map_close(&array->map);
    free(array->spec);
    free(array->member);
    *array = (un_array){0};
}

/* ---- reading ---- */

static double element(const un_array *a, size_t i) {
    size_t size = un_dtype_size(a->dtype);
    if (!a->swapped) return un_element(a->dtype, a->data, i);
    unsigned char bytes[8];
    /* The second bound never counts; gcc 12 for ARM warns without it. */
    for (size_t k = 0; k < size && k < sizeof bytes; k++)
        bytes[k] = a->data[i * size + size - 1 - k];
    return un_element(a->dtype, bytes, 0);
}

/* Where, in Fortran order, row 0 has its element that is number e in C order, in units
 * of the number of rows. */
static size_t fortran_column(const un_array *a, size_t e) {
    size_t place = 0;
    size_t stride = a->width;
    for (int k = a->rank - 1; k >= 1; k--) {
        stride /= a->shape[k];
        place += e % a->shape[k] * stride;
        e /= a->shape[k];
    }
    return place;
}

void un_array_read_f64(const un_array *a, size_t first, size_t count, double *out) {
    if (!a->fortran) {
        for (size_t i = 0; i < count * a->width; i++) out[i] = element(a, first * a->width + i);
        return;
    }
    for (size_t e = 0; e < a->width; e++) {
        size_t base = fortran_column(a, e) * a->rows + first;
        for (size_t i = 0; i < count; i++) out[i * a->width + e] = element(a, base + i);
    }
}

void un_array_read_f32(const un_array *a, size_t first, size_t count, float *out) {
    if (!a->fortran && a->dtype == UN_F32 && !a->swapped) {
        if (count * a->width > 0)
            memcpy(out, a->data + first * a->width * sizeof *out, count * a->width * sizeof *out);
        return;
    }
    if (!a->fortran) {
        for (size_t i = 0; i < count * a->width; i++)
            out[i] = (float)element(a, first * a->width + i);
        return;
    }
    for (size_t e = 0; e < a->width; e++) {
        size_t base = fortran_column(a, e) * a->rows + first;
        for (size_t i = 0; i < count; i++) out[i * a->width + e] = (float)element(a, base + i);
    }
}

/* ---- the head of NumPy's array files. ---- */

static const char MAGIC[] = "\x93NUMPY";
enum { MAGIC_LENGTH = 6, HEADER_MAX = 65536, TYPE_LENGTH = 16 };

int un_npy_begins(const void *bytes, size_t size) {
    return size >= MAGIC_LENGTH + 2 && !memcmp(bytes, MAGIC, MAGIC_LENGTH);
}

/* ---- the dictionary ---- */

typedef struct {
    const un_array *array; /* for sentences */
    const char *at, *end;
} parser;

static un_status damaged(const parser *p, const char *what) {
    return un_fail(UNSEEN_E_FORMAT, "%s: the header of the array is damaged: %s", p->array->spec,
                   what);
}

static void skip_blanks(parser *p) {
    while (p->at < p->end && strchr(" \t\r\n", *p->at) && *p->at != 0) p->at++;
}

/* Takes `c` if it is next. */
static int take(parser *p, char c) {
    skip_blanks(p);
    if (p->at == p->end || *p->at != c) return 0;
    p->at++;
    return 1;
}

static int take_word(parser *p, const char *word) {
    size_t n = strlen(word);
    skip_blanks(p);
    if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0) return 0;
    p->at += n;
    return 1;
}

/* A string in single or double quotes; nothing in it may need an escape. */
static un_status take_string(parser *p, char *out, size_t size) {
    skip_blanks(p);
    char quote = p->at < p->end ? *p->at : 0;
    if (quote != '\'' && quote != '"') return damaged(p, "a quoted word is missing");
    size_t n = 0;
    for (p->at++; p->at < p->end && *p->at != quote; p->at++) {
        if (n + 1 == size || *p->at == '\\') return damaged(p, "a word in it is too long");
        out[n++] = *p->at;
    }
    if (p->at == p->end) return damaged(p, "a quote is not closed");
    p->at++;
    out[n] = 0;
    return UNSEEN_OK;
}

static un_status take_size(parser *p, size_t *out) {
    skip_blanks(p);
    const char *first = p->at;
    *out = 0;
    for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++)
        if (__builtin_mul_overflow(*out, (size_t)10, out) ||
            __builtin_add_overflow(*out, (size_t)(*p->at - '0'), out))
            return damaged(p, "a dimension is too large");
    if (p->at == first) return damaged(p, "a dimension is no number");
    (void)take(p, 'L'); /* Python 2 wrote long numbers so */
    return UNSEEN_OK;
}

static un_status take_shape(parser *p, un_array *a) {
    if (!take(p, '(')) return damaged(p, "the shape is no tuple");
    for (a->rank = 0; !take(p, ')');) {
        if (a->rank == UN_MAX_RANK)
            return un_fail(UNSEEN_E_UNSUPPORTED, "%s has more than %d dimensions", a->spec,
                           UN_MAX_RANK);
        UN_TRY(take_size(p, &a->shape[a->rank++]));
        if (take(p, ',')) continue;
        if (take(p, ')')) return UNSEEN_OK;
        return damaged(p, "the shape is not closed");
    }
    return UNSEEN_OK;
}

static un_status take_bool(parser *p, int *out) {
    *out = take_word(p, "True");
    return *out || take_word(p, "False") ? UNSEEN_OK : damaged(p, "True or False is missing");
}

/* ---- element types ---- */

static un_status parse_type(un_array *a, const char *type) {
    static const struct {
        const char *name;
        un_dtype dtype;
    } known[] = {{"f2", UN_F16}, {"f4", UN_F32}, {"f8", UN_F64}, {"i1", UN_I8},
                 {"i2", UN_I16}, {"i4", UN_I32}, {"i8", UN_I64}, {"u1", UN_U8},
                 {"u2", UN_U16}, {"u4", UN_U32}, {"u8", UN_U64}, {"b1", UN_BOOL}};
    size_t order = strcspn(type, "<>|=");
    const char *rest = order == 0 && type[0] != 0 ? type + 1 : type;
    a->swapped = type[0] == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? '>' : '<');
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(rest, known[i].name) != 0) continue;
        a->dtype = known[i].dtype;
        if (un_dtype_size(a->dtype) == 1) a->swapped = 0;
        return UNSEEN_OK;
    }
    const char *what = "real numbers of at most 8 bytes are";
    if (rest[0] == 'O')
        what = "Python objects cannot be read; save an array of numbers: numbers are";
    if (rest[0] == 'U' || rest[0] == 'S')
        what =
            "text cannot be read; number it with numpy.unique(x, return_inverse=True): numbers are";
    return un_fail(UNSEEN_E_UNSUPPORTED, "%s holds elements of NumPy type \"%s\"; %s expected",
                   a->spec, type, what);
}

static un_status take_entry(parser *p, un_array *a, char *type, unsigned *found) {
    char key[TYPE_LENGTH];
    UN_TRY(take_string(p, key, sizeof key));
    if (!take(p, ':')) return damaged(p, "a colon is missing");
    if (!strcmp(key, "descr")) {
        *found |= 1u;
        skip_blanks(p);
        if (p->at < p->end && *p->at == '[')
            return un_fail(UNSEEN_E_UNSUPPORTED,
                           "%s holds records (a structured array); save the field you mean as an "
                           "array of its own",
                           a->spec);
        return take_string(p, type, TYPE_LENGTH);
    }
    if (!strcmp(key, "fortran_order")) {
        *found |= 2u;
        return take_bool(p, &a->fortran);
    }
    if (!strcmp(key, "shape")) {
        *found |= 4u;
        return take_shape(p, a);
    }
    return damaged(p, "it has an entry that NumPy does not write");
}

static un_status parse(parser *p, un_array *a) {
    char type[TYPE_LENGTH] = "";
    unsigned found = 0;
    if (!take(p, '{')) return damaged(p, "it is no dictionary");
    while (!take(p, '}')) {
        UN_TRY(take_entry(p, a, type, &found));
        if (take(p, ',')) continue;
        if (take(p, '}')) break;
        return damaged(p, "it is not closed");
    }
    if (found != 7u) return damaged(p, "descr, fortran_order or shape is missing");
    return parse_type(a, type);
}

un_status un_array_measure(un_array *a, size_t *bytes) {
    if (a->rank == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s is a single number, an array is expected", a->spec);
    a->rows = a->shape[0];
    a->width = 1;
    int overflow = 0;
    for (int k = 1; k < a->rank; k++)
        overflow |= __builtin_mul_overflow(a->width, a->shape[k], &a->width);
    overflow |= __builtin_mul_overflow(a->width, un_dtype_size(a->dtype), bytes);
    overflow |= __builtin_mul_overflow(*bytes, a->rows, bytes);
    if (!overflow && *bytes <= (size_t)PTRDIFF_MAX) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT, "%s: the size of the array overflows", a->spec);
}

un_status un_npy_head(un_array *a, const unsigned char *head, size_t bytes_at_hand, size_t *offset,
                      size_t *bytes) {
    parser p = {.array = a};
    if (!un_npy_begins(head, bytes_at_hand)) return damaged(&p, "it is no NumPy array");
    unsigned version = head[MAGIC_LENGTH];
    size_t prefix = version == 1 ? 10 : 12;
    if (version < 1 || version > 3)
        return un_fail(UNSEEN_E_UNSUPPORTED, "%s has NumPy's format version %u; 1 to 3 are known",
                       a->spec, version);
    if (bytes_at_hand < prefix) return damaged(&p, "the file is cut short");
    size_t length = head[8] | (size_t)head[9] << 8;
    if (version > 1) length |= (size_t)head[10] << 16 | (size_t)head[11] << 24;
    if (length > HEADER_MAX) return damaged(&p, "it is too long");
    if (length > bytes_at_hand - prefix) return damaged(&p, "the file is cut short");
    p.at = (const char *)head + prefix;
    p.end = p.at + length;
    UN_TRY(parse(&p, a));
    *offset = prefix + length;
    return un_array_measure(a, bytes);
}

/* ---- channels first or last ---- */

static const char *const LAYOUTS[] = {"auto", "nhwc", "nchw"};

un_status un_layout_parse(const char *text, un_layout *out) {
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, LAYOUTS[i]) != 0) continue;
        *out = (un_layout)i;
        return UNSEEN_OK;
    }
    return un_fail(UNSEEN_E_ARGUMENT, "the layout is auto, nhwc or nchw, not \"%.100s\"", text);
}

un_layout un_layout_guess(const size_t dims[3]) {
    enum { MANY = 4 }; /* times as many channels as positions along a side */
    int first_is_square = dims[1] == dims[2];
    int last_is_square = dims[0] == dims[1];
    if (first_is_square && !last_is_square) return UN_LAYOUT_NCHW;
    if (last_is_square && !first_is_square) return UN_LAYOUT_NHWC;
    if (dims[0] / MANY >= dims[1] && dims[0] / MANY >= dims[2]) return UN_LAYOUT_NCHW;
    if (dims[2] / MANY >= dims[0] && dims[2] / MANY >= dims[1]) return UN_LAYOUT_NHWC;
    return UN_LAYOUT_AUTO;
}
