/*
 * region_features.c - region features from one image after the other in channel
 * order to region order; see region_features.h.
 *
 * The file is read slab by slab of images. A slab's rows are gathered from
 * blocks: in a chunked file a block is a column of chunks, so that no chunk is
 * unpacked more often than once a slab, and slabs are whole rows of chunks. The
 * child reads one piece (some blocks) while the piece before it is transposed.
 *
 * h5py chooses chunks like (737, 128, 1, 1) for the published files: a row of
 * chunks is then more than a GiB. Reading it in parts would unpack every chunk
 * ten times over; so such a slab's rows lie in a file without a name, memory that
 * the system can take back.
 */
#include "data/readers/region_features.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parallel.h"

static const size_t STEP_BYTES = (size_t)32 << 20;
/* What one block may need, and a slab of rows in a file. */
static const size_t BLOCK_MAX = (size_t)128 << 20;
static const size_t SLAB_MAX = (size_t)4 << 30;
/* Channels transposed together: 64 bytes of f32. */
enum { TILE = 16 };

typedef struct {
    un_hdf5_blocks blocks;
    un_layout layout;
    size_t images;       /* of a slab; the last may have fewer */
    size_t piece_blocks; /* blocks read together */
    size_t piece_bytes;  /* room for them */
    float *rows;         /* [images, R, F] of the slab */
    size_t mapped;       /* bytes of rows if they are a map, 0 if they are allocated */
} plan;

/* Rows in a file without a name; 0 if there is no room for it. */
static int map_rows(plan *p, const char *folder, size_t bytes) {
    char *path = NULL;
    if (un_format(&path, "%s/.rows", folder) != UNSEEN_OK) return 0;
    int fd = un_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd >= 0) unlink(path);
    free(path);
    if (fd < 0) return 0;
    /* Reserved, since a full disk would be a signal later. */
    void *rows = MAP_FAILED;
    if (posix_fallocate(fd, 0, (off_t)bytes) == 0)
        rows = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (rows == MAP_FAILED) return 0;
    p->rows = rows;
    p->mapped = bytes;
    return 1;
}

/* Images a slab and where its rows are. */
static un_status plan_slab(plan *p, const un_hdf5_variable *v, const char *folder, size_t step) {
    const size_t *dims = p->blocks.dims;
    size_t row = dims[1] * dims[2] * dims[3] * sizeof(float);
    size_t chunk = v->chunk[0] < dims[0] ? v->chunk[0] : dims[0];
    if (row > BLOCK_MAX)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "\"%s\": the features of one image have %zu MiB, at most %zu are possible",
                       v->name, row >> 20, BLOCK_MAX >> 20);
    p->images = step / row > 0 ? step / row : 1;
    if (p->images > dims[0]) p->images = dims[0];
    if (chunk > p->images && chunk <= SLAB_MAX / row && map_rows(p, folder, chunk * row)) {
        p->images = chunk;
        return UNSEEN_OK;
    }
    if (chunk > 1 && chunk <= p->images) p->images -= p->images % chunk;
    return un_alloc(p->images, row, &p->rows);
}

static un_status make_plan(plan *p, const un_hdf5_variable *v, const char *folder, size_t step) {
    un_hdf5_blocks *b = &p->blocks;
    memcpy(b->dims, v->dims, sizeof b->dims);
    for (int k = 0; k < 4; k++)
        b->block[k] = v->chunk[k] > 0 && v->chunk[k] < b->dims[k] ? v->chunk[k] : b->dims[k];
    UN_TRY(plan_slab(p, v, folder, step));
    size_t plane = b->block[2] * b->block[3] * sizeof(float) * p->images;
    while (b->block[1] > 1 && b->block[1] * plane > BLOCK_MAX) b->block[1] = (b->block[1] + 1) / 2;
    size_t block = b->block[1] * plane;
    b->count = 1;
    for (int k = 1; k < 4; k++) b->count *= (b->dims[k] + b->block[k] - 1) / b->block[k];
    p->piece_blocks = step / block > 0 ? step / block : 1;
    p->piece_bytes = (p->piece_blocks * block + 63) / 64 * 64;
    if (p->piece_bytes > (size_t)256 << 20)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "\"%s\": its chunks of %zu x %zu x %zu x %zu are too large", v->name,
                       v->chunk[0], v->chunk[1], v->chunk[2], v->chunk[3]);
    return UNSEEN_OK;
}

/* ---- one piece ---- */

typedef struct {
    const plan *plan;
    const un_hdf5_piece *piece;
    const float *data;
} scatter;

/* A block of one image, [h', w', F'], into that image's rows, [h, w, F]. */
static void insert(const un_hdf5_blocks *b, const size_t start[4], const size_t extent[4],
                   const float *from, float *rows) {
    for (size_t y = start[1]; y < start[1] + extent[1]; y++)
        for (size_t x = start[2]; x < start[2] + extent[2]; x++, from += extent[3])
            memcpy(rows + (y * b->dims[2] + x) * b->dims[3] + start[3], from,
                   extent[3] * sizeof *from);
}

/* A block of one image, [F', h', w'], into the same. */
static void transpose(const un_hdf5_blocks *b, const size_t start[4], const size_t extent[4],
                      const float *from, float *rows) {
    size_t plane = extent[2] * extent[3];
    size_t width = b->dims[1];
    for (size_t f = 0; f < extent[1]; f += TILE) {
        size_t n = extent[1] - f < TILE ? extent[1] - f : TILE;
        for (size_t y = 0; y < extent[2]; y++) {
            size_t region = (start[2] + y) * b->dims[3] + start[3];
            for (size_t x = 0; x < extent[3]; x++) {
                const float *source = from + f * plane + y * extent[3] + x;
                float *to = rows + (region + x) * width + start[1] + f;
                for (size_t i = 0; i < n; i++) to[i] = source[i * plane];
            }
        }
    }
}

static void scatter_images(size_t begin, size_t end, void *context) {
    const scatter *s = context;
    const un_hdf5_blocks *b = &s->plan->blocks;
    size_t row = b->dims[1] * b->dims[2] * b->dims[3];
    size_t start[4];
    size_t extent[4];
    size_t done = 0;
    for (size_t i = 0; i < s->piece->count; i++) {
        size_t elements = un_hdf5_block(b, s->piece->first_block + i, start, extent);
        const float *block = s->data + done * s->piece->images;
        for (size_t image = begin; image < end; image++) {
            const float *from = block + image * elements;
            float *rows = s->plan->rows + image * row;
            if (s->plan->layout == UN_LAYOUT_NHWC)
                insert(b, start, extent, from, rows);
            else
                transpose(b, start, extent, from, rows);
        }
        done += elements;
    }
}

/* The piece after `piece`; 0 after the last. The two halves of the shared memory take turns. */
static int next_piece(const plan *p, un_hdf5_piece *piece) {
    const un_hdf5_blocks *b = &p->blocks;
    piece->place = piece->place ? 0 : p->piece_bytes;
    piece->first_block += piece->count;
    if (piece->first_block >= b->count) {
        piece->first_block = 0;
        piece->first_image += piece->images;
        if (piece->first_image >= b->dims[0]) return 0;
    }
    size_t images = b->dims[0] - piece->first_image;
    size_t blocks = b->count - piece->first_block;
    piece->images = images < p->images ? images : p->images;
    piece->count = blocks < p->piece_blocks ? blocks : p->piece_blocks;
    return 1;
}

static un_status copy(un_hdf5 *file, const char *name, const plan *p, un_features_writer *writer,
                      un_progress *progress) {
    const un_hdf5_blocks *b = &p->blocks;
    un_hdf5_piece piece = {0};
    int more = next_piece(p, &piece);
    UN_TRY(un_hdf5_piece_ask(file, name, b, &piece));
    while (more) {
        un_hdf5_piece now = piece;
        scatter s = {.plan = p, .piece = &now};
        UN_TRY(un_hdf5_piece_wait(file, name, b, &now, &s.data));
        more = next_piece(p, &piece);
        if (more) UN_TRY(un_hdf5_piece_ask(file, name, b, &piece));
        un_parallel_for(now.images, 1, scatter_images, &s);
        if (now.first_block + now.count < b->count) continue;
        UN_TRY(un_features_writer_append(writer, p->rows, now.images));
        un_progress_update(progress, now.first_image + now.images);
    }
    return UNSEEN_OK;
}

un_status un_region_features_copy(un_hdf5 *file, const un_hdf5_variable *variable,
                                  un_features_writer *writer, const char *folder, un_layout layout,
                                  size_t step_bytes) {
    plan p = {.layout = layout};
    un_progress progress;
    un_progress_begin(&progress, "import features", "images", variable->dims[0]);
    un_status status = make_plan(&p, variable, folder, step_bytes ? step_bytes : STEP_BYTES);
    if (!status) status = copy(file, variable->name, &p, writer, &progress);
    un_progress_end(&progress);
    if (p.mapped)
        munmap(p.rows, p.mapped);
    else
        free(p.rows);
    return status;
}
