/* features_write.c - the streaming writer of feature files; see features.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "data/features.h"
#include "tensor/sha256.h"

/* Stands for the hash until all bytes are known; a hash is exactly as long. */
static const char NO_HASH[] = "0000000000000000000000000000000000000000000000000000000000000000";

/* Elements converted at a time. */
enum { CHUNK = 64 * 1024 };

struct un_features_writer {
    un_st_writer *file;
    un_sha256 *hash;
    char *path;
    un_bf16 *chunk; /* CHUNK elements, for BF16 files */
    un_features_description description;
    unsigned char *present; /* [N] of a pictured file */
    size_t row;             /* elements of one image */
    size_t done;            /* images; the next row that is appended */
    uint64_t hashed;        /* bytes of features in `hash`, from the first on */
};

/* The order of the tensors. */
enum { FEATURES, PICTURES, PRESENT };

static un_status set_metadata(un_features_writer *writer) {
    const un_features_description *d = &writer->description;
    char grid[64];
    int pooled = d->grid_height == 1 && d->grid_width == 1;
    snprintf(grid, sizeof grid, "%zu %zu", d->grid_height, d->grid_width);
    const char *pairs[][2] = {{"format", "unseen-features"},
                              {"format_version", "1"},
                              {"kind", pooled ? "pooled" : "regions"},
                              {"grid", grid},
                              {"source", d->source ? d->source : ""},
                              {"recipe", d->recipe ? d->recipe : "{}"},
                              {"sha256", NO_HASH}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        UN_TRY(un_st_writer_metadata(writer->file, pairs[i][0], pairs[i][1]));
    return UNSEEN_OK;
}

static un_status check_description(const un_features_description *d, const char *path) {
    size_t regions = 0;
    if (d->dtype != UN_F32 && d->dtype != UN_BF16)
        return un_fail(UNSEEN_E_ARGUMENT, "%s: features are stored as F32 or BF16, not %s", path,
                       un_dtype_name(d->dtype));
    if (d->regions == 0 || d->width == 0 ||
        __builtin_mul_overflow(d->grid_height, d->grid_width, &regions) || regions != d->regions)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s: %zu regions of width %zu do not form a %zu x %zu grid", path,
                       d->regions, d->width, d->grid_height, d->grid_width);
    json_t *recipe = NULL;
    if (!d->recipe) return UNSEEN_OK;
    UN_TRY(un_json_parse(d->recipe, strlen(d->recipe), "the recipe of the features", &recipe));
    json_decref(recipe);
    return UNSEEN_OK;
}

static un_status add_pictures(un_features_writer *writer) {
    const size_t shape[2] = {writer->description.image_count, UN_PICTURE_HASH};
    UN_TRY(un_alloc(shape[0], 1, &writer->present));
    memset(writer->present, 1, shape[0]);
    UN_TRY(un_st_writer_add(writer->file, "pictures", UN_U8, 2, shape));
    return un_st_writer_add(writer->file, "present", UN_U8, 1, shape);
}

/* `resumed` is NULL for a file that is written in one go. */
static un_status writer_open(un_features_writer **out, const char *path,
                             const un_features_description *description,
                             const un_features_resumption *resumed) {
    UN_TRY(check_description(description, path));
    un_features_writer *writer = calloc(1, sizeof *writer);
    if (!writer) return un_fail_memory(sizeof *writer);
    un_status status = UNSEEN_OK;
    const un_features_description *d = description;
    const size_t shape[3] = {d->image_count, d->regions, d->width};
    writer->description = *d;
    if (__builtin_mul_overflow(d->regions, d->width, &writer->row))
        UN_GO(un_fail(UNSEEN_E_ARGUMENT, "%s: the size of one image's features overflows", path));
    UN_GO(un_format(&writer->path, "%s", path));
    UN_GO(un_alloc(CHUNK, sizeof *writer->chunk, &writer->chunk));
    UN_GO(un_sha256_open(&writer->hash));
    UN_GO(!resumed         ? un_st_writer_open(&writer->file, path)
          : resumed->joins ? un_st_writer_join_partial(&writer->file, path)
                           : un_st_writer_open_partial(&writer->file, path));
    /* If this run were killed, it would vouch for rows that are no longer there. */
    int anew = resumed && resumed->done == 0 && !resumed->more && !resumed->joins;
    if (anew) UN_GO(un_file_remove(resumed->journal));
    UN_GO(set_metadata(writer));
    UN_GO(un_st_writer_add(writer->file, "features", d->dtype, 3, shape));
    if (d->pictured) UN_GO(add_pictures(writer));
    UN_GO(un_st_writer_begin(writer->file));
    if (resumed) {
        uint64_t bytes = (uint64_t)resumed->done * writer->row * un_dtype_size(d->dtype);
        if (resumed->more) UN_GO(un_st_writer_check_found(writer->file));
        UN_GO(un_st_writer_take_up(writer->file, FEATURES, bytes, writer->hash));
        if (d->pictured)
            UN_GO(un_st_writer_take_up(writer->file, PICTURES,
                                       (uint64_t)resumed->done * UN_PICTURE_HASH, NULL));
        writer->done = resumed->done;
        writer->hashed = bytes;
        if (resumed->shared) UN_GO(un_st_writer_share(writer->file));
    }
    *out = writer;
    writer = NULL;
done:
    un_features_writer_abort(writer);
    return status;
}

un_status un_features_writer_open(un_features_writer **out, const char *path,
                                  const un_features_description *description) {
    return writer_open(out, path, description, NULL);
}

un_status un_features_writer_resume(un_features_writer **out, const char *path,
                                    const un_features_description *description,
                                    const un_features_resumption *resumed) {
    return writer_open(out, path, description, resumed);
}

void un_features_writer_go_to(un_features_writer *writer, size_t image) { writer->done = image; }

un_status un_features_writer_take_over(un_features_writer *writer) {
    UN_TRY(un_st_writer_take_over(writer->file, FEATURES, writer->hashed, writer->hash));
    writer->done = writer->description.image_count;
    if (!writer->description.pictured) return UNSEEN_OK;
    return un_st_writer_take_over(writer->file, PICTURES, 0, NULL);
}

un_status un_features_writer_sync(un_features_writer *writer) {
    return un_st_writer_sync(writer->file);
}

static un_status check_finite(const un_features_writer *writer, const float *rows, size_t count) {
    /* x * 0 is 0 for finite numbers only; a sum of them vectorises, a branch does not. */
    float sum = 0;
    for (size_t i = 0; i < count; i++) sum += rows[i] * 0.0f;
    if (sum == 0) return UNSEEN_OK;
    size_t i = 0;
    while (i + 1 < count && isfinite(rows[i])) i++;
    return un_fail(UNSEEN_E_FORMAT, "feature %zu of image %zu is %s", i % writer->row,
                   writer->done + i / writer->row, isnan(rows[i]) ? "not a number" : "infinite");
}

static un_status put(un_features_writer *writer, uint64_t offset, const void *data, size_t bytes) {
    if (offset == writer->hashed) { /* what is written elsewhere is hashed by take_over */
        UN_TRY(un_sha256_add(writer->hash, data, bytes));
        writer->hashed += bytes;
    }
    return un_st_writer_write(writer->file, FEATURES, offset, data, bytes);
}

un_status un_features_writer_append(un_features_writer *writer, const float *rows, size_t n) {
    if (n > writer->description.image_count - writer->done)
        return un_fail(UNSEEN_E_ARGUMENT, "%s: more images than the %zu announced", writer->path,
                       writer->description.image_count);
    size_t size = un_dtype_size(writer->description.dtype);
    size_t count = n * writer->row;
    uint64_t offset = (uint64_t)writer->done * writer->row * size;
    UN_TRY(check_finite(writer, rows, count));
    if (writer->description.dtype == UN_F32) {
        UN_TRY(put(writer, offset, rows, count * size));
    } else {
        for (size_t at = 0; at < count; at += CHUNK) {
            size_t part = count - at < CHUNK ? count - at : CHUNK;
            unsigned infinite = 0;
            for (size_t i = 0; i < part; i++) {
                writer->chunk[i] = un_bf16_from_float(rows[at + i]);
                infinite |= (writer->chunk[i] & 0x7F80u) == 0x7F80u;
            }
            if (infinite) /* finite in f32, rounded up beyond the range */
                return un_fail(UNSEEN_E_FORMAT,
                               "a feature of image %zu or later is too large for bf16; store f32",
                               writer->done + at / writer->row);
            UN_TRY(put(writer, offset + (uint64_t)at * size, writer->chunk, part * size));
        }
    }
    writer->done += n;
    return UNSEEN_OK;
}

un_status un_features_writer_append_pictures(un_features_writer *writer, const float *rows,
                                             const unsigned char *hashes,
                                             const unsigned char *present, size_t n) {
    static const unsigned char none[UN_PICTURE_HASH];
    size_t first = writer->done;
    UN_TRY(un_features_writer_append(writer, rows, n));
    for (size_t i = 0; i < n; i++) {
        writer->present[first + i] = present[i];
        UN_TRY(un_st_writer_write(writer->file, PICTURES, (uint64_t)(first + i) * UN_PICTURE_HASH,
                                  present[i] ? hashes + i * UN_PICTURE_HASH : none,
                                  UN_PICTURE_HASH));
    }
    return UNSEEN_OK;
}

un_status un_features_writer_copy(un_features_writer *writer, const un_features *from,
                                  size_t image) {
    static const unsigned char unknown[UN_PICTURE_HASH];
    const unsigned char *hash = from->pictures ? from->pictures + image * UN_PICTURE_HASH : unknown;
    if (writer->done == writer->description.image_count ||
        from->row_bytes != writer->row * un_dtype_size(writer->description.dtype))
        return un_fail(UNSEEN_E_ARGUMENT, "%s: the row of another feature set does not fit",
                       writer->path);
    UN_TRY(put(writer, (uint64_t)writer->done * from->row_bytes,
               from->data + image * from->row_bytes, from->row_bytes));
    UN_TRY(un_st_writer_write(writer->file, PICTURES, (uint64_t)writer->done * UN_PICTURE_HASH,
                              hash, UN_PICTURE_HASH));
    writer->present[writer->done++] = 1;
    return UNSEEN_OK;
}

void un_features_writer_set_absent(un_features_writer *writer, size_t image) {
    writer->present[image] = 0;
}

/* Tells which images have a row. */
static un_status write_present(un_features_writer *writer) {
    size_t n = writer->description.image_count;
    size_t absent = 0;
    for (size_t i = 0; i < n; i++) absent += writer->present[i] == 0;
    if (absent > 0) UN_TRY(un_st_writer_metadata(writer->file, "format_version", "2"));
    return un_st_writer_write(writer->file, PRESENT, 0, writer->present, n);
}

un_status un_features_writer_commit(un_features_writer *writer) {
    un_status status = UNSEEN_OK;
    char hex[65];
    if (writer->done != writer->description.image_count)
        UN_GO(un_fail(UNSEEN_E_ARGUMENT, "%s: %zu of %zu images were written", writer->path,
                      writer->done, writer->description.image_count));
    if (writer->description.pictured) UN_GO(write_present(writer));
    UN_GO(un_sha256_hex(writer->hash, hex));
    UN_GO(un_st_writer_metadata(writer->file, "sha256", hex));
    status = un_st_writer_commit(writer->file); /* releases it, whatever comes of it */
    writer->file = NULL;
done:
    un_features_writer_abort(writer);
    return status;
}

void un_features_writer_abort(un_features_writer *writer) {
    if (!writer) return;
    un_st_writer_abort(writer->file);
    un_sha256_close(writer->hash);
    free(writer->chunk);
    free(writer->present);
    free(writer->path);
    free(writer);
}
