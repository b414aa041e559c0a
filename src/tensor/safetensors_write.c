/* safetensors_write.c - the streaming atomic writer; see safetensors.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "tensor/safetensors.h"

enum { DATA_ALIGNMENT = 64 };

typedef struct {
    char *name;
    un_dtype dtype;
    int rank;
    size_t shape[UN_MAX_RANK];
    uint64_t begin, bytes;
} declared;

struct un_st_writer {
    un_atomic_file file;
    un_arena arena;
    declared *items;
    size_t count, capacity;
    json_t *metadata;
    uint64_t header_bytes; /* 0 until begin; includes the length word */
    uint64_t data_bytes;
    uint64_t found;   /* bytes of the file when it was opened */
    uint64_t written; /* of the declared tensors' bytes */
    uint64_t expected;
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

un_status un_st_writer_begin(un_st_writer *writer) {
    char *text = NULL;
    UN_TRY(render_header(writer, &text));
    uint64_t used = 8 + strlen(text);
    writer->header_bytes = (used + DATA_ALIGNMENT - 1) / DATA_ALIGNMENT * DATA_ALIGNMENT;
    un_status status = write_header(writer, text);
    free(text);
    if (status) return status;
    for (size_t i = 0; i < writer->count; i++) writer->expected += writer->items[i].bytes;
    /* Reserving tells of a full disk before hours of work; the gaps read as zeros. */
    off_t size = (off_t)(writer->header_bytes + writer->data_bytes);
    int code = posix_fallocate(writer->file.fd, 0, size);
    if (code != 0 && code != EINVAL && code != EOPNOTSUPP)
        return un_fail_errno(code, "cannot reserve %" PRIu64 " bytes for %s",
                             writer->header_bytes + writer->data_bytes, writer->file.path);
    if (ftruncate(writer->file.fd, size) != 0) /* what an earlier run left may be longer */
        return un_fail_errno(errno, "cannot write %s", writer->file.path);
    return UNSEEN_OK;
}

un_status un_st_writer_write(un_st_writer *writer, size_t index, uint64_t offset, const void *data,
                             size_t bytes) {
    const declared *item = index < writer->count ? &writer->items[index] : NULL;
    if (!item || offset > item->bytes || bytes > item->bytes - offset)
        return un_fail(UNSEEN_E_ARGUMENT, "writing outside a tensor of %s", writer->file.path);
    UN_TRY(
        un_atomic_write(&writer->file, data, bytes, writer->header_bytes + item->begin + offset));
    writer->written += bytes;
    return UNSEEN_OK;
}

un_status un_st_writer_take_up(un_st_writer *writer, size_t index, uint64_t bytes,
                               un_sha256 *hash) {
    enum { PIECE = 1 << 20 };
    const declared *item = index < writer->count ? &writer->items[index] : NULL;
    if (!item || bytes > item->bytes)
        return un_fail(UNSEEN_E_ARGUMENT, "%s: more was written than its tensor holds",
                       writer->file.path);
    if (bytes > 0 && writer->found != writer->header_bytes + writer->data_bytes)
        return un_fail(UNSEEN_E_FORMAT, "%s is not what an earlier run left; run this again",
                       writer->file.temporary);
    writer->written += bytes;
    if (!hash) return UNSEEN_OK;
    unsigned char *piece = NULL;
    UN_TRY(un_alloc(PIECE, 1, &piece));
    un_status status = UNSEEN_OK;
    for (uint64_t at = 0; at < bytes && !status; at += PIECE) {
        size_t part = bytes - at < PIECE ? (size_t)(bytes - at) : PIECE;
        status =
            un_atomic_read(&writer->file, piece, part, writer->header_bytes + item->begin + at);
        if (!status) status = un_sha256_add(hash, piece, part);
    }
    free(piece);
    return status;
}

un_status un_st_writer_sync(un_st_writer *writer) { return un_atomic_sync(&writer->file); }

un_status un_st_writer_commit(un_st_writer *writer) {
    char *text = NULL;
    un_status status = UNSEEN_OK;
    if (!writer->header_bytes || writer->written != writer->expected)
        UN_GO(un_fail(UNSEEN_E_ARGUMENT, "%s is incomplete: %llu of %llu bytes written",
                      writer->file.path, (unsigned long long)writer->written,
                      (unsigned long long)writer->expected));
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
