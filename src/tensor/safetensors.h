/*
 * safetensors.h - the one container of the project.
 *
 * A file is
 *     u64 little-endian   length H of the header
 *     H bytes             JSON: {"__metadata__": {string: string},
 *                                name: {"dtype", "shape", "data_offsets": [begin, end]}, …}
 *     the rest            raw little-endian row-major data; offsets count from
 *                         the end of the header
 *
 * The reader maps the file and checks everything before anything is used: the
 * header's length against the file, every range against the data, size =
 * product(shape) x element size without overflow, no overlap, no hole. Data may
 * lie at any alignment.
 *
 * The writer streams: declare the tensors, then write any part of any of them,
 * so that files larger than memory are no matter; the file appears under its
 * name at commit, whole. It starts every tensor on a multiple of 64 bytes; the
 * gaps are tensors of their own, called "__pad_<n>", since holes are not
 * allowed. The reader leaves those out of its list.
 */
#ifndef UN_TENSOR_SAFETENSORS_H
#define UN_TENSOR_SAFETENSORS_H

#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "tensor/sha256.h"
#include "tensor/tensor.h"

typedef struct {
    const char *name;
    un_tensor tensor; /* data points into the map, possibly unaligned */
    size_t bytes;
} un_st_entry;

typedef struct {
    char *path;
    un_map map;
    size_t count;
    un_st_entry *entries; /* in order of their data */
    unsigned char *taken; /* [count] 1: un_safetensors_take was told of it */
    json_t *metadata;     /* object of strings, never NULL while open */
    un_arena arena;
} un_safetensors;

/* Opens and validates. Names of the file are in the error sentence. */
un_status un_safetensors_open(un_safetensors *file, const char *path);
/* The same from a copy in memory, which nobody can cut short, where need be (un_map_read). */
un_status un_safetensors_load(un_safetensors *file, const char *path);
void un_safetensors_close(un_safetensors *file);

/* NULL if there is no such tensor. */
const un_st_entry *un_safetensors_find(const un_safetensors *file, const char *name);
/* NULL if there is no such key. */
const char *un_safetensors_metadata(const un_safetensors *file, const char *key);
/* Fails with a sentence if the tensor is missing or its rank differs; rank < 0 takes any. */
un_status un_safetensors_require(const un_safetensors *file, const char *name, int rank,
                                 const un_st_entry **out);
/* Notes that this entry of the file is used, for readers that must not leave any behind. */
void un_safetensors_take(const un_safetensors *file, const un_st_entry *entry);
/* Takes `prefix` off the names that begin with it; fails if two are the same then. */
un_status un_safetensors_strip(un_safetensors *file, const char *prefix);
/* Copies into aligned f32, converting from any element type; n must be the number of elements. */
void un_st_copy_f32(const un_st_entry *entry, float *out);
/* Copies into i64; fails unless the type is integer. */
un_status un_st_copy_i64(const un_st_entry *entry, int64_t *out);

typedef struct un_st_writer un_st_writer;

un_status un_st_writer_open(un_st_writer **out, const char *path);
/* Writes into PATH.partial, which outlives un_st_writer_abort, so that long work can be taken up
 * again: declared the same way, the file has the same layout (un_atomic_open_partial). */
un_status un_st_writer_open_partial(un_st_writer **out, const char *path);
/* After begin: others may join. From then on until take_over nothing can be read back. */
un_status un_st_writer_share(un_st_writer *writer);
/* The same PATH.partial, which another process has shared and goes on writing to: all rows of a long
 * work, each by whoever made it. Declared the same way; begin then writes nothing, but fails with
 * UNSEEN_E_FORMAT unless the file has this layout's size. Commit is for the other one. */
un_status un_st_writer_join_partial(un_st_writer **out, const char *path);
/* After begin, and once the others have synced and closed the file: bytes `from` on of tensor `index`
 * are there, whoever wrote them. Feeds them to `hash` (NULL: no hash). */
un_status un_st_writer_take_over(un_st_writer *writer, size_t index, uint64_t from,
                                 un_sha256 *hash);
/* After begin: UNSEEN_E_FORMAT unless the partial file had this layout's size when it was opened. */
un_status un_st_writer_check_found(const un_st_writer *writer);
/* After begin: the first `bytes` of tensor `index` are there from an earlier run. Feeds them to
 * `hash` (NULL: no hash). */
un_status un_st_writer_take_up(un_st_writer *writer, size_t index, uint64_t bytes, un_sha256 *hash);
/* What was written so far is on the disk when this returns. */
un_status un_st_writer_sync(un_st_writer *writer);
/* Declares a tensor; its number is the order of declaration, from 0. */
un_status un_st_writer_add(un_st_writer *writer, const char *name, un_dtype dtype, int rank,
                           const size_t *shape);
/* Sets a metadata string. After un_st_writer_begin only existing keys may be
 * set, to values that are not longer when written as JSON. */
un_status un_st_writer_metadata(un_st_writer *writer, const char *key, const char *value);
/* Fixes the layout and reserves the space; a full disk is told here, unless its file system, such as
 * NFS before 4.2, cannot reserve. */
un_status un_st_writer_begin(un_st_writer *writer);
/* Writes bytes of tensor `index` at `offset` within it. */
un_status un_st_writer_write(un_st_writer *writer, size_t index, uint64_t offset, const void *data,
                             size_t bytes);
/* Completes and renames; fails if bytes are missing. Always releases the writer. */
un_status un_st_writer_commit(un_st_writer *writer);
/* Leaves nothing behind; NULL is allowed. */
void un_st_writer_abort(un_st_writer *writer);

#endif
