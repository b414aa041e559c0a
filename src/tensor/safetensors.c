/* safetensors.c - the mapped, fully validated reader; see safetensors.h. */
#include "tensor/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_kind.h"
#include "base/json.h"

static const size_t HEADER_LIMIT = 100u * 1024 * 1024; /* as the format's own library has it */
static const char PAD_PREFIX[] = "__pad_";

/* One tensor's JSON description, before its data is located. */
typedef struct {
    un_st_entry entry;
    uint64_t begin, end;
} located;

static un_status bad(const char *path, const char *name, const char *what) {
    return un_fail(UNSEEN_E_FORMAT, "%s: tensor \"%.200s\": %s", path, name, what);
}

static int as_offset(const json_t *value, uint64_t *out) {
    if (!json_is_integer(value) || json_integer_value(value) < 0) return 0;
    *out = (uint64_t)json_integer_value(value);
    return 1;
}

/* The shape and its number of bytes, with every product checked. */
static un_status parse_shape(const json_t *shape, un_dtype dtype, const char *path,
                             const char *name, un_tensor *tensor, uint64_t *bytes) {
    size_t dims[UN_MAX_RANK] = {0};
    if (!json_is_array(shape) || json_array_size(shape) > UN_MAX_RANK)
        return bad(path, name, "the shape is not a list of at most 8 numbers");
    size_t rank = json_array_size(shape);
    uint64_t count = 1;
    for (size_t i = 0; i < rank; i++) {
        uint64_t d = 0;
        if (!as_offset(json_array_get(shape, i), &d))
            return bad(path, name, "the shape has an entry that is not a whole number");
        if (__builtin_mul_overflow(count, d, &count))
            return bad(path, name, "the number of elements overflows");
        dims[i] = (size_t)d;
    }
    if (__builtin_mul_overflow(count, (uint64_t)un_dtype_size(dtype), bytes))
        return bad(path, name, "the size in bytes overflows");
    *tensor = un_tensor_dense(dtype, (int)rank, dims, NULL);
    return UNSEEN_OK;
}

static un_status parse_entry(const char *name, const json_t *value, const char *path,
                             uint64_t data_size, located *out) {
    if (!json_is_object(value)) return bad(path, name, "the description is not an object");
    const json_t *dtype = json_object_get(value, "dtype");
    const json_t *offsets = json_object_get(value, "data_offsets");
    if (!json_is_string(dtype)) return bad(path, name, "\"dtype\" is missing");
    un_dtype type = UN_F32;
    if (un_dtype_parse(json_string_value(dtype), &type) != UNSEEN_OK)
        return un_fail(UNSEEN_E_FORMAT, "%s: tensor \"%.200s\": unknown element type \"%.40s\"",
                       path, name, json_string_value(dtype));
    if (!json_is_array(offsets) || json_array_size(offsets) != 2 ||
        !as_offset(json_array_get(offsets, 0), &out->begin) ||
        !as_offset(json_array_get(offsets, 1), &out->end))
        return bad(path, name, "\"data_offsets\" is not a pair of whole numbers");
    uint64_t bytes = 0;
    UN_TRY(
        parse_shape(json_object_get(value, "shape"), type, path, name, &out->entry.tensor, &bytes));
    if (out->begin > out->end || out->end > data_size)
        return bad(path, name, "the data lies outside the file; the file may be cut short");
    if (out->end - out->begin != bytes)
        return bad(path, name, "the data is not as long as shape and element type say");
    out->entry.bytes = (size_t)bytes;
    return UNSEEN_OK;
}

static int by_begin(const void *a, const void *b) {
    const located *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1; /* empty ones first */
    return 0;
}

/* Data must be tiled exactly: neither bytes used twice nor bytes nobody owns. */
static un_status check_tiling(const located *items, size_t n, const char *path, uint64_t size) {
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (items[i].begin < at) return bad(path, items[i].entry.name, "overlaps another tensor");
        if (items[i].begin > at) return bad(path, items[i].entry.name, "a hole lies before it");
        at = items[i].end;
    }
    if (at != size)
        return un_fail(UNSEEN_E_FORMAT, "%s: %llu bytes at the end belong to no tensor", path,
                       (unsigned long long)(size - at));
    return UNSEEN_OK;
}

static un_status check_metadata(const json_t *metadata, const char *path) {
    const char *key = NULL;
    json_t *value = NULL;
    if (!json_is_object(metadata))
        return un_fail(UNSEEN_E_FORMAT, "%s: __metadata__ is not an object", path);
    json_object_foreach((json_t *)(uintptr_t)metadata, key, value) {
        if (!json_is_string(value))
            return un_fail(UNSEEN_E_FORMAT, "%s: metadata \"%.200s\" is not a string", path, key);
    }
    return UNSEEN_OK;
}

static un_status parse_header(un_safetensors *file, json_t *header, const unsigned char *data,
                              uint64_t data_size) {
    const char *name = NULL;
    json_t *value = NULL;
    size_t n = 0;
    located *items = NULL;
    UN_TRY(un_alloc(json_object_size(header) + 1, sizeof *items, &items));
    un_status status = UNSEEN_OK;
    json_object_foreach(header, name, value) {
        if (!strcmp(name, "__metadata__")) {
            UN_GO(check_metadata(value, file->path));
            file->metadata = json_incref(value);
            continue;
        }
        UN_GO(parse_entry(name, value, file->path, data_size, &items[n]));
        items[n].entry.name = name; /* borrowed until copied below */
        n++;
    }
    qsort(items, n, sizeof *items, by_begin);
    UN_GO(check_tiling(items, n, file->path, data_size));
    UN_GO(un_arena_alloc(&file->arena, n, sizeof *file->entries, &file->entries));
    UN_GO(un_arena_alloc(&file->arena, n, 1, &file->taken));
    for (size_t i = 0; i < n; i++) {
        if (!strncmp(items[i].entry.name, PAD_PREFIX, sizeof PAD_PREFIX - 1)) continue;
        char *copy = NULL;
        UN_GO(un_arena_string(&file->arena, items[i].entry.name, &copy));
        un_st_entry *entry = &file->entries[file->count++];
        *entry = items[i].entry;
        entry->name = copy;
        entry->tensor.data = data + items[i].begin;
    }
done:
    free(items);
    return status;
}

/* People give whatever bears weights or tables; only what begins like the format is parsed. */
static un_status check_kind(const un_safetensors *file) {
    const un_map *map = &file->map;
    un_file_kind kind = un_kind_of(map->data, map->size);
    if (kind == UN_KIND_SAFETENSORS) return UNSEEN_OK;
    return un_fail_kind(file->path, "a safetensors file", kind);
}

static un_status open_with(un_safetensors *file, const char *path,
                           un_status (*open_map)(un_map *, const char *)) {
    *file = (un_safetensors){0};
    json_t *header = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_format(&file->path, "%s", path));
    UN_GO(open_map(&file->map, path));
    uint64_t length = 0;
    UN_GO(check_kind(file));
    for (size_t i = 0; i < sizeof length; i++) length |= (uint64_t)file->map.data[i] << (8 * i);
    if (length > HEADER_LIMIT || length > file->map.size - sizeof length)
        UN_GO(un_fail(UNSEEN_E_FORMAT,
                      "%s: the safetensors file is cut short or damaged: a header of %llu bytes in "
                      "a file of %zu",
                      path, (unsigned long long)length, file->map.size));
    const unsigned char *text = file->map.data + sizeof length;
    UN_GO(un_json_parse((const char *)text, (size_t)length, path, &header));
    if (!json_is_object(header))
        UN_GO(un_fail(UNSEEN_E_FORMAT, "%s: the header is not a JSON object", path));
    UN_GO(parse_header(file, header, text + length, file->map.size - sizeof length - length));
    if (!file->metadata && !(file->metadata = json_object())) UN_GO(un_fail_memory(0));
done:
    json_decref(header);
    if (status) un_safetensors_close(file);
    return status;
}

un_status un_safetensors_open(un_safetensors *file, const char *path) {
    return open_with(file, path, un_map_open);
}

un_status un_safetensors_load(un_safetensors *file, const char *path) {
    return open_with(file, path, un_map_read);
}

void un_safetensors_close(un_safetensors *file) {
    json_decref(file->metadata);
    un_map_close(&file->map);
    un_arena_free(&file->arena);
    free(file->path);
    *file = (un_safetensors){0};
}

const un_st_entry *un_safetensors_find(const un_safetensors *file, const char *name) {
    for (size_t i = 0; i < file->count; i++)
        if (!strcmp(file->entries[i].name, name)) return &file->entries[i];
    return NULL;
}

const char *un_safetensors_metadata(const un_safetensors *file, const char *key) {
    return json_string_value(json_object_get(file->metadata, key));
}

un_status un_safetensors_require(const un_safetensors *file, const char *name, int rank,
                                 const un_st_entry **out) {
    const un_st_entry *entry = un_safetensors_find(file, name);
    if (!entry) return un_fail(UNSEEN_E_FORMAT, "%s: tensor \"%s\" is missing", file->path, name);
    if (rank >= 0 && entry->tensor.rank != rank)
        return un_fail(UNSEEN_E_FORMAT, "%s: tensor \"%s\" has %d dimensions, expected %d",
                       file->path, name, entry->tensor.rank, rank);
    *out = entry;
    return UNSEEN_OK;
}

void un_safetensors_take(const un_safetensors *file, const un_st_entry *entry) {
    file->taken[entry - file->entries] = 1;
}

un_status un_safetensors_strip(un_safetensors *file, const char *prefix) {
    size_t length = strlen(prefix);
    if (length == 0) return UNSEEN_OK;
    for (size_t i = 0; i < file->count; i++)
        if (!strncmp(file->entries[i].name, prefix, length)) file->entries[i].name += length;
    for (size_t i = 0; i < file->count; i++)
        if (un_safetensors_find(file, file->entries[i].name) != &file->entries[i])
            return un_fail(UNSEEN_E_FORMAT, "%s: \"%.200s\" is there with and without \"%.100s\"",
                           file->path, file->entries[i].name, prefix);
    return UNSEEN_OK;
}

void un_st_copy_f32(const un_st_entry *entry, float *out) {
    size_t n = un_tensor_count(&entry->tensor);
    if (entry->tensor.dtype == UN_F32) {
        if (n > 0) memcpy(out, entry->tensor.data, n * sizeof *out);
        return;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = (float)un_element(entry->tensor.dtype, entry->tensor.data, i);
}

un_status un_st_copy_i64(const un_st_entry *entry, int64_t *out) {
    size_t n = un_tensor_count(&entry->tensor);
    un_dtype dtype = entry->tensor.dtype;
    if (dtype == UN_F32 || dtype == UN_F64 || dtype == UN_BF16 || dtype == UN_F16)
        return un_fail(UNSEEN_E_FORMAT, "tensor \"%s\" has type %s, expected whole numbers",
                       entry->name, un_dtype_name(dtype));
    for (size_t i = 0; i < n; i++) {
        if (dtype == UN_I64) /* double would lose the low bits */
            memcpy(&out[i], (const char *)entry->tensor.data + i * sizeof *out, sizeof *out);
        else
            out[i] = (int64_t)un_element(dtype, entry->tensor.data, i);
    }
    return UNSEEN_OK;
}

/* ---- the streaming atomic writer; see safetensors.h. ---- */

enum { DATA_ALIGNMENT = 64 };

typedef struct {
    char *name;
    un_dtype dtype;
    int rank;
    size_t shape[UN_MAX_RANK];
    uint64_t begin, bytes;
    uint64_t written; /* bytes of it, or taken over */
} declared;

struct un_st_writer {
    un_atomic_file file;
    un_arena arena;
    declared *items;
    size_t count, capacity;
    json_t *metadata;
    uint64_t header_bytes; /* 0 until begin; includes the length word */
    uint64_t data_bytes;
    uint64_t found; /* bytes of the file when it was opened */
    int joins;      /* another process has begun it */
};

static un_status writer_open(un_st_writer **out, const char *path,
                             un_status (*open_file)(un_atomic_file *, const char *)) {
    un_st_writer *writer = calloc(1, sizeof *writer);
    if (!writer) return un_fail_memory(sizeof *writer);
    un_status status = open_file(&writer->file, path);
    if (status) {
        free(writer);
        return status;
    }
    writer->metadata = json_object();
    if (!writer->metadata) {
        un_st_writer_abort(writer);
        return un_fail_memory(0);
    }
    struct stat st;
    if (fstat(writer->file.fd, &st) == 0) writer->found = (uint64_t)st.st_size;
    *out = writer;
    return UNSEEN_OK;
}

un_status un_st_writer_open(un_st_writer **out, const char *path) {
    return writer_open(out, path, un_atomic_open);
}

un_status un_st_writer_open_partial(un_st_writer **out, const char *path) {
    return writer_open(out, path, un_atomic_open_partial);
}

un_status un_st_writer_join_partial(un_st_writer **out, const char *path) {
    UN_TRY(writer_open(out, path, un_atomic_join_partial));
    (*out)->joins = 1;
    return UNSEEN_OK;
}

un_status un_st_writer_add(un_st_writer *writer, const char *name, un_dtype dtype, int rank,
                           const size_t *shape) {
    if (writer->header_bytes || rank < 0 || rank > UN_MAX_RANK)
        return un_fail(UNSEEN_E_ARGUMENT, "cannot declare tensor \"%s\" now or with this rank",
                       name);
    if (writer->count == writer->capacity) {
        size_t capacity = writer->capacity ? 2 * writer->capacity : 16;
        declared *items = realloc(writer->items, capacity * sizeof *items);
        if (!items) return un_fail_memory(capacity * sizeof *items);
        writer->items = items;
        writer->capacity = capacity;
    }
    declared item = {.dtype = dtype, .rank = rank, .bytes = un_dtype_size(dtype)};
    UN_TRY(un_arena_string(&writer->arena, name, &item.name));
    for (int i = 0; i < rank; i++) {
        item.shape[i] = shape[i];
        if (__builtin_mul_overflow(item.bytes, (uint64_t)shape[i], &item.bytes))
            return un_fail(UNSEEN_E_ARGUMENT, "the size of tensor \"%s\" overflows", name);
    }
    writer->items[writer->count++] = item;
    return UNSEEN_OK;
}

un_status un_st_writer_metadata(un_st_writer *writer, const char *key, const char *value) {
    return un_json_set(writer->metadata, key, json_string(value));
}

static un_status describe(json_t *header, const char *name, const char *dtype, int rank,
                          const size_t *shape, uint64_t begin, uint64_t end) {
    json_t *dims = json_array();
    for (int i = 0; dims && i < rank; i++)
        if (json_array_append_new(dims, json_integer((json_int_t)shape[i])) != 0)
            return un_fail_memory(0);
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype, "shape", dims, "data_offsets",
                              (json_int_t)begin, (json_int_t)end);
    return un_json_set(header, name, entry);
}

/* The header as JSON text, gaps filled with pad tensors. Sets every begin. */
static un_status render_header(un_st_writer *writer, char **text) {
    json_t *header = json_object();
    if (!header) return un_fail_memory(0);
    un_status status = UNSEEN_OK;
    uint64_t at = 0;
    size_t pads = 0;
    char name[32];
    if (json_object_size(writer->metadata) > 0)
        UN_GO(un_json_set(header, "__metadata__", json_incref(writer->metadata)));
    for (size_t i = 0; i < writer->count; i++) {
        declared *item = &writer->items[i];
        size_t gap = (size_t)((DATA_ALIGNMENT - at % DATA_ALIGNMENT) % DATA_ALIGNMENT);
        if (gap > 0) {
            snprintf(name, sizeof name, "__pad_%zu", pads++);
            UN_GO(describe(header, name, "U8", 1, &gap, at, at + gap));
            at += gap;
        }
        item->begin = at;
        at += item->bytes;
        UN_GO(describe(header, item->name, un_dtype_name(item->dtype), item->rank, item->shape,
                       item->begin, at));
    }
    writer->data_bytes = at;
    UN_GO(un_json_text(header, text));
done:
    json_decref(header);
    return status;
}

/* Writes the header padded with blanks to its reserved size. */
static un_status write_header(un_st_writer *writer, const char *text) {
    size_t length = strlen(text);
    size_t room = (size_t)writer->header_bytes - 8;
    if (length > room)
        return un_fail(UNSEEN_E_ARGUMENT, "metadata of %s grew after writing began",
                       writer->file.path);
    char *buffer = NULL;
    UN_TRY(un_alloc(writer->header_bytes, 1, &buffer));
    for (size_t i = 0; i < 8; i++) buffer[i] = (char)(room >> (8 * i) & 0xFF);
    memcpy(buffer + 8, text, length); /* NOLINT(bugprone-not-null-terminated-result): no string */
    memset(buffer + 8 + length, ' ', room - length);
    un_status status = un_atomic_write(&writer->file, buffer, (size_t)writer->header_bytes, 0);
    free(buffer);
    return status;
}

/* Tells of a full disk before hours of work; the gaps read as zeros. Where the file system cannot
 * reserve, posix_fallocate would write into every block instead, over NFS the whole file. */
static un_status reserve(un_st_writer *writer) {
    off_t size = (off_t)(writer->header_bytes + writer->data_bytes);
    while (fallocate(writer->file.fd, 0, 0, size) != 0) {
        if (errno == EINTR) continue;
        if (errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS) break;
        return un_fail_errno(errno, "cannot reserve %" PRIu64 " bytes for %s",
                             writer->header_bytes + writer->data_bytes, writer->file.path);
    }
    if (ftruncate(writer->file.fd, size) != 0) /* what an earlier run left may be longer */
        return un_fail_errno(errno, "cannot write %s", writer->file.path);
    return UNSEEN_OK;
}

un_status un_st_writer_begin(un_st_writer *writer) {
    char *text = NULL;
    UN_TRY(render_header(writer, &text));
    uint64_t used = 8 + strlen(text);
    writer->header_bytes = (used + DATA_ALIGNMENT - 1) / DATA_ALIGNMENT * DATA_ALIGNMENT;
    un_status status =
        writer->joins ? un_st_writer_check_found(writer) : write_header(writer, text);
    free(text);
    if (status || writer->joins) return status;
    return reserve(writer);
}

un_status un_st_writer_share(un_st_writer *writer) { return un_atomic_share(&writer->file); }

un_status un_st_writer_write(un_st_writer *writer, size_t index, uint64_t offset, const void *data,
                             size_t bytes) {
    declared *item = index < writer->count ? &writer->items[index] : NULL;
    if (!item || offset > item->bytes || bytes > item->bytes - offset)
        return un_fail(UNSEEN_E_ARGUMENT, "writing outside a tensor of %s", writer->file.path);
    UN_TRY(
        un_atomic_write(&writer->file, data, bytes, writer->header_bytes + item->begin + offset));
    item->written += bytes;
    return UNSEEN_OK;
}

/* Feeds bytes begin..end-1 of a tensor to a hash, NULL: none. */
static un_status hash_bytes(un_st_writer *writer, const declared *item, uint64_t begin,
                            uint64_t end, un_sha256 *hash) {
    enum { PIECE = 1 << 20 };
    unsigned char *piece = NULL;
    if (!hash) return UNSEEN_OK;
    UN_TRY(un_alloc(PIECE, 1, &piece));
    un_status status = UNSEEN_OK;
    for (uint64_t at = begin; at < end && !status; at += PIECE) {
        size_t part = end - at < PIECE ? (size_t)(end - at) : PIECE;
        status =
            un_atomic_read(&writer->file, piece, part, writer->header_bytes + item->begin + at);
        if (!status) status = un_sha256_add(hash, piece, part);
    }
    free(piece);
    return status;
}

un_status un_st_writer_check_found(const un_st_writer *writer) {
    if (writer->found == writer->header_bytes + writer->data_bytes) return UNSEEN_OK;
    if (writer->joins)
        return un_fail(UNSEEN_E_FORMAT, "%s has not the size that rank 0 gave it",
                       writer->file.temporary);
    return un_fail(UNSEEN_E_FORMAT, "%s is not what an earlier run left; run this again",
                   writer->file.temporary);
}

un_status un_st_writer_take_up(un_st_writer *writer, size_t index, uint64_t bytes,
                               un_sha256 *hash) {
    declared *item = index < writer->count ? &writer->items[index] : NULL;
    if (!item || bytes > item->bytes)
        return un_fail(UNSEEN_E_ARGUMENT, "%s: more was written than its tensor holds",
                       writer->file.path);
    if (bytes > 0) UN_TRY(un_st_writer_check_found(writer));
    item->written += bytes;
    return hash_bytes(writer, item, 0, bytes, hash);
}

un_status un_st_writer_take_over(un_st_writer *writer, size_t index, uint64_t from,
                                 un_sha256 *hash) {
    declared *item = index < writer->count ? &writer->items[index] : NULL;
    if (!item || from > item->bytes)
        return un_fail(UNSEEN_E_ARGUMENT, "%s: a tensor is shorter than that", writer->file.path);
    item->written = item->bytes;
    UN_TRY(un_atomic_regain(&writer->file));
    return hash_bytes(writer, item, from, item->bytes, hash);
}

un_status un_st_writer_sync(un_st_writer *writer) { return un_atomic_sync(&writer->file); }

un_status un_st_writer_commit(un_st_writer *writer) {
    char *text = NULL;
    un_status status = UNSEEN_OK;
    if (!writer->header_bytes)
        UN_GO(un_fail(UNSEEN_E_ARGUMENT, "%s was not begun", writer->file.path));
    for (size_t i = 0; i < writer->count; i++) {
        const declared *item = &writer->items[i];
        if (item->written != item->bytes)
            UN_GO(un_fail(UNSEEN_E_ARGUMENT,
                          "%s is incomplete: %llu of %llu bytes of \"%s\" written",
                          writer->file.path, (unsigned long long)item->written,
                          (unsigned long long)item->bytes, item->name));
    }
    UN_GO(render_header(writer, &text));
    UN_GO(write_header(writer, text));
    UN_GO(un_atomic_commit(&writer->file));
done:
    free(text);
    un_st_writer_abort(writer);
    return status;
}

void un_st_writer_abort(un_st_writer *writer) {
    if (!writer) return;
    un_atomic_abort(&writer->file);
    un_arena_free(&writer->arena);
    json_decref(writer->metadata);
    free(writer->items);
    free(writer);
}
