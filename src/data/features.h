/*
 * features.h - a feature store: the features of all images of a data set,
 * memory-mapped, gathered row by row.
 *
 * DIR/features/<name>.safetensors holds
 *     features   F32 or BF16 [N, R, F]   region-major; R = 1 for pooled features
 * and, where they were made from pictures,
 *     pictures   U8 [N, 32]   SHA-256 of the picture's file; zeros without a row
 *     present    U8 [N]       0: the image has no row (yet), its values are zeros
 * and the metadata
 *     format "unseen-features", format_version "1" ("2" where an image has no row, which
 *     programs that do not know of it must not take for features),
 *     kind "pooled" | "regions", grid "h w" (regions), source (where from),
 *     recipe (JSON: backbone, preprocessing; "{}" if unknown),
 *     sha256 (of the tensor's bytes)
 */
#ifndef UN_DATA_FEATURES_H
#define UN_DATA_FEATURES_H

#include <string.h>

#include "base/names.h"
#include "tensor/safetensors.h"

enum { UN_PICTURE_HASH = 32 }; /* bytes of a picture's SHA-256 */

typedef struct {
    un_safetensors file;
    char *name;
    size_t image_count;             /* N */
    size_t regions;                 /* R */
    size_t width;                   /* F */
    size_t grid_height, grid_width; /* R = height x width; 1 x R if the file has no grid */
    un_dtype dtype;                 /* UN_F32 or UN_BF16 */
    size_t averaged; /* regions of the file that are averaged into the one of every row that a
                        gather gives; 0: rows are given as they are */
    const unsigned char *data;
    size_t row_bytes;              /* of one image: R * F * element size */
    const unsigned char *present;  /* [N] 0: the image has no row; NULL: all have one */
    size_t absent;                 /* images without a row */
    const unsigned char *pictures; /* [N, 32] hashes of the pictures' files; NULL: unknown */
    const char *sha256;            /* borrowed from the file; "" if it has none */
    const char *recipe;            /* JSON text */
} un_features;

/* Opens DIR/features/NAME.safetensors; name NULL takes the only one there is
 * (an error that lists them if there are several). */
un_status un_features_open(un_features *features, const char *directory, const char *name);
/* Opens one feature file wherever it lies; its name is the file's stem. */
un_status un_features_open_file(un_features *features, const char *path);
void un_features_close(un_features *features);

/* Region features seen as pooled ones: R is 1, a gathered row is the mean of the regions. Borrows
 * everything; not to be closed. */
un_features un_features_averaged(const un_features *features);

/* What one row of a feature set is. */
typedef enum {
    UN_FEATURES_POOLED,  /* one vector */
    UN_FEATURES_REGIONS, /* a vector for each region of a grid */
    UN_FEATURES_PIXELS   /* a square of colours */
} un_features_kind;
un_features_kind un_features_kind_of(const un_features *features);

/* Names of the feature sets of DIR, sorted, NULL-terminated; released with un_names_free. */
un_status un_features_list(const char *directory, char ***out, size_t *count);
/* Opens each of them in turn for `visit`; the first failure ends it. */
un_status un_features_each(const char *directory,
                           un_status (*visit)(const un_features *features, void *user), void *user);

/* Whether image i has a row. */
int un_features_has(const un_features *features, size_t image);

/* Rows of images[0..n-1] into out: [n, R, F] f32. Indices must be in range. Parallel. */
void un_features_gather_f32(const un_features *features, const int64_t *images, size_t n,
                            float *out);
/* The same as stored element type or converted to bf16; not of averaged ones. */
void un_features_gather_bf16(const un_features *features, const int64_t *images, size_t n,
                             un_bf16 *out);

/* The row of an image where it lies, (R, F) of features->dtype, until the features are closed; NULL
 * where it must be gathered, being averaged or not aligned. */
const void *un_features_row(const un_features *features, size_t image);

/* Value i of a row as it is stored, aligned or not: the bits of the float. */
static inline uint32_t un_features_bits(const un_features *features, const unsigned char *row,
                                        size_t i) {
    uint32_t bits = 0;
    un_bf16 half = 0;
    if (features->dtype == UN_F32)
        memcpy(&bits, row + i * sizeof bits, sizeof bits);
    else
        memcpy(&half, row + i * sizeof half, sizeof half);
    return bits | (uint32_t)half << 16;
}

/* That the rows of these images are numbers: UNSEEN_E_FORMAT, naming the feature set and the first
 * image whose are not. Reads them all, so that it is for when something came out that is no number. */
un_status un_features_require_finite(const un_features *features, const int64_t *images, size_t n);

/* Asks the system to have the rows of these images in memory soon; returns at once. */
void un_features_prefetch(const un_features *features, const int64_t *images, size_t n);

/* Streaming writer of a feature file. */
typedef struct un_features_writer un_features_writer;
typedef struct {
    size_t image_count, regions, width, grid_height, grid_width;
    un_dtype dtype; /* of the file: UN_F32 or UN_BF16 */
    const char *source;
    const char *recipe; /* JSON text, NULL for "{}" */
    int pictured;       /* 1: the file holds `pictures` and `present`; append_pictures fills it */
} un_features_description;

/* `path` is the final file. */
un_status un_features_writer_open(un_features_writer **out, const char *path,
                                  const un_features_description *description);
/* For long work, what is there of it already. */
typedef struct {
    size_t
        done; /* images, from the first on, that an earlier run with the same description wrote */
    int more; /* 1: and others beyond, which need not be written again */
    const char *journal; /* the file that vouches for them; where none is taken up it is removed
                            before the first is overwritten, but not before it is certain that no
                            other process writes them */
    int shared; /* 1: other processes add rows; take_over follows when they have closed the file */
    int joins;  /* 1: another process has begun the file and completes it; this one adds rows */
} un_features_resumption;
/* Writes PATH.partial, which outlives un_features_writer_abort; nothing resumed starts anew. */
un_status un_features_writer_resume(un_features_writer **out, const char *path,
                                    const un_features_description *description,
                                    const un_features_resumption *resumed);
/* What is appended next is the row of this image. */
void un_features_writer_go_to(un_features_writer *writer, size_t image);
/* All rows are there, whoever wrote those that this writer did not. */
un_status un_features_writer_take_over(un_features_writer *writer);
/* What was appended so far is on the disk when this returns. */
un_status un_features_writer_sync(un_features_writer *writer);
/* Appends the rows of the next `n` images from f32 [n, R, F], converting to the
 * file's type. A NaN or infinity is an error that names the image (0-based), as
 * is a value that bf16 cannot hold. */
un_status un_features_writer_append(un_features_writer *writer, const float *rows, size_t n);
/* The same for a pictured file: `hashes` is [n, 32], present[i] 0 stands for an image without a
 * row, whose values and hash are written as zeros. */
un_status un_features_writer_append_pictures(un_features_writer *writer, const float *rows,
                                             const unsigned char *hashes,
                                             const unsigned char *present, size_t n);
/* Appends the next image's row as it lies in `from`, which has the same shape and type, with its
 * hash (zeros where `from` does not tell it). Of pictured files. */
un_status un_features_writer_copy(un_features_writer *writer, const un_features *from,
                                  size_t image);
/* After a resume: image i of those that others wrote has no row. */
void un_features_writer_set_absent(un_features_writer *writer, size_t image);
/* Completes the file with its hash. Always releases the writer. */
un_status un_features_writer_commit(un_features_writer *writer);
/* Leaves nothing behind; NULL is allowed. */
void un_features_writer_abort(un_features_writer *writer);

#endif
