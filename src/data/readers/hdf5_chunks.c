/*
 * hdf5_chunks.c - the chunks of an HDF5 data set, unpacked by ourselves; see hdf5_child.h.
 *
 * Filters stand in the order in which they were applied, and are undone from the last one:
 * deflate (gzip), shuffle (first all first bytes of the elements, then all second ones, …),
 * fletcher32 (a checksum behind the data).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/foreign/zlib.h"
#include "data/readers/hdf5_child.h"

/* ---- what libhdf5 complains of ---- */

static herr_t innermost(unsigned n, const H5E_error2_t *error, void *user) {
    char *out = user;
    (void)n;
    snprintf(out, 256, "%s", error->desc ? error->desc : "");
    return 0;
}

un_status un_hdf5_damaged(const char *path, const char *name) {
    char reason[256] = "";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, innermost, reason);
    reason[strcspn(reason, "\n")] = 0;
    return un_fail(UNSEEN_E_FORMAT,
                   "%s: libhdf5 cannot read %s%s%s; the file is damaged or cut "
                   "short",
                   path, name, reason[0] ? ": " : "", reason);
}

/* A chunk unpacked, and as the numbers that are asked for. */
static const size_t CHUNK_MAX = (size_t)1 << 30;
enum { CHECKSUM = 4 };

static un_status damaged(const un_hdf5_chunks *c, const char *what) {
    return un_fail(UNSEEN_E_FORMAT, "%s is damaged: a chunk of \"%s\" %s; get the file again",
                   c->path, c->name, what);
}

/* ---- what the data set is like ---- */

static un_status read_filters(un_hdf5_chunks *c, hid_t creation) {
    int count = H5Pget_nfilters(creation);
    if (count < 0) return un_hdf5_damaged(c->path, c->name);
    if (count > UN_HDF5_FILTERS)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "%s: \"%s\" is packed by %d filters one after the other, more than the %d "
                       "that are undone here; pack it anew: h5repack -f GZIP=4 %s new.h5",
                       c->path, c->name, count, UN_HDF5_FILTERS, c->path);
    for (int i = 0; i < count; i++) {
        unsigned flags = 0;
        unsigned config = 0;
        unsigned values[16] = {0};
        size_t value_count = sizeof values / sizeof *values;
        char label[64] = "";
        H5Z_filter_t filter = H5Pget_filter2(creation, (unsigned)i, &flags, &value_count, values,
                                             sizeof label, label, &config);
        if (filter < 0) return un_hdf5_damaged(c->path, c->name);
        label[sizeof label - 1] = 0;
        if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE &&
            filter != H5Z_FILTER_FLETCHER32)
            return un_fail(UNSEEN_E_UNSUPPORTED,
                           "%s: \"%s\" is packed with the filter \"%s\" (number %d), which is not "
                           "read here; pack it with gzip: h5repack -f GZIP=4 %s new.h5",
                           c->path, c->name, label, (int)filter, c->path);
        if (filter == H5Z_FILTER_SHUFFLE) c->shuffle = value_count > 0 ? values[0] : 0;
        c->filters[c->filter_count++] = filter;
    }
    return UNSEEN_OK;
}

un_status un_hdf5_chunks_open(un_hdf5_chunks *c, const char *path, const char *name, hid_t set,
                              hid_t creation, size_t stored_element) {
    unsigned options = 0;
    *c = (un_hdf5_chunks){
        .path = path, .name = name, .set = set, .element = stored_element, .held_as = -1};
    c->stored = H5Dget_type(set);
    hid_t space = H5Dget_space(set);
    c->rank = H5Sget_simple_extent_ndims(space);
    int good = c->rank > 0 && c->rank <= UN_MAX_RANK && c->stored >= 0 &&
               H5Sget_simple_extent_dims(space, c->dims, NULL) == c->rank &&
               H5Pget_chunk(creation, c->rank, c->chunk) == c->rank;
    H5Sclose(space);
    if (!good) return un_hdf5_damaged(path, name);
    c->elements = 1;
    size_t bytes = 0;
    for (int k = 0; k < c->rank; k++)
        if (c->chunk[k] == 0 || __builtin_mul_overflow(c->elements, c->chunk[k], &c->elements))
            return damaged(c, "has no possible size");
    if (__builtin_mul_overflow(c->elements, stored_element > 8 ? stored_element : 8, &bytes) ||
        bytes > CHUNK_MAX)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "%s: the chunks of \"%s\" are larger than %zu MiB; write it in smaller ones",
                       path, name, CHUNK_MAX >> 20);
    if (H5Pget_chunk_opts(creation, &options) >= 0)
        c->whole_only = (options & H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS) != 0;
    c->room = bytes + UN_HDF5_FILTERS * CHECKSUM;
    return read_filters(c, creation);
}

void un_hdf5_chunks_close(un_hdf5_chunks *c) {
    if (c->stored > 0) H5Tclose(c->stored);
    free(c->data);
    free(c->packed);
    *c = (un_hdf5_chunks){.held_as = -1};
}

/* ---- undoing filters ---- */

static void take_turns(un_hdf5_chunks *c) {
    unsigned char *data = c->data;
    c->data = c->packed;
    c->packed = data;
}

static un_status inflate_chunk(un_hdf5_chunks *c, size_t *bytes) {
    z_stream z = {.next_in = c->data,
                  .avail_in = (uInt)*bytes,
                  .next_out = c->packed,
                  .avail_out = (uInt)c->room};
    if (inflateInit(&z) != Z_OK) return un_fail_memory(c->room);
    int code = inflate(&z, Z_FINISH);
    *bytes = z.total_out;
    inflateEnd(&z);
    if (code == Z_BUF_ERROR && z.avail_out == 0) return damaged(c, "unpacks to more than a chunk");
    if (code != Z_STREAM_END) return damaged(c, "does not unpack");
    take_turns(c);
    return UNSEEN_OK;
}

static void unshuffle(un_hdf5_chunks *c, size_t bytes) {
    size_t size = c->shuffle;
    size_t n = size > 1 ? bytes / size : 0;
    if (n < 2) return;
    for (size_t k = 0; k < size; k++) {
        const unsigned char *from = c->data + k * n;
        unsigned char *to = c->packed + k;
        for (size_t i = 0; i < n; i++) to[i * size] = from[i];
    }
    memcpy(c->packed + n * size, c->data + n * size, bytes - n * size);
    take_turns(c);
}

/* Fletcher's checksum over words of 16 bits, the more significant byte first. */
static uint32_t fletcher32(const unsigned char *data, size_t n) {
    uint32_t low = 0;
    uint32_t high = 0;
    size_t words = n / 2;
    while (words > 0) {
        size_t part = words < 360 ? words : 360; /* no sum overflows before that many */
        words -= part;
        for (; part > 0; part--, data += 2) {
            low += (uint32_t)data[0] << 8 | data[1];
            high += low;
        }
        low = (low & 0xFFFF) + (low >> 16);
        high = (high & 0xFFFF) + (high >> 16);
    }
    if (n % 2) {
        low += (uint32_t)data[0] << 8;
        high += low;
        low = (low & 0xFFFF) + (low >> 16);
        high = (high & 0xFFFF) + (high >> 16);
    }
    low = (low & 0xFFFF) + (low >> 16);
    high = (high & 0xFFFF) + (high >> 16);
    return high << 16 | low;
}

static un_status check_sum(un_hdf5_chunks *c, size_t *bytes) {
    if (*bytes < CHECKSUM) return damaged(c, "has no checksum");
    *bytes -= CHECKSUM;
    const unsigned char *s = c->data + *bytes;
    uint32_t stored = (uint32_t)s[3] << 24 | (uint32_t)s[2] << 16 | (uint32_t)s[1] << 8 | s[0];
    uint32_t sum = fletcher32(c->data, *bytes);
    /* Early versions of libhdf5 wrote the bytes of each half the other way round. */
    uint32_t early = (sum & 0x00FF00FF) << 8 | (sum >> 8 & 0x00FF00FF);
    return sum == stored || early == stored ? UNSEEN_OK : damaged(c, "has a wrong checksum");
}

static un_status undo_filters(un_hdf5_chunks *c, uint32_t skipped, size_t *bytes) {
    for (int i = c->filter_count; i-- > 0;) {
        if (skipped >> i & 1) continue;
        if (c->filters[i] == H5Z_FILTER_DEFLATE) UN_TRY(inflate_chunk(c, bytes));
        if (c->filters[i] == H5Z_FILTER_SHUFFLE) unshuffle(c, *bytes);
        if (c->filters[i] == H5Z_FILTER_FLETCHER32) UN_TRY(check_sum(c, bytes));
    }
    return UNSEEN_OK;
}

/* ---- one chunk ---- */

static int is_over_border(const un_hdf5_chunks *c, const hsize_t *at) {
    for (int k = 0; k < c->rank; k++)
        if (c->dims[k] - at[k] < c->chunk[k]) return 1;
    return 0;
}

/* The chunk that begins at `at` into c->data, as it is stored. */
static un_status load_stored(un_hdf5_chunks *c, const hsize_t *at) {
    hsize_t stored = 0;
    uint32_t skipped = 0;
    c->held_as = -1;
    if (!c->data) UN_TRY(un_alloc(c->room, 1, &c->data));
    if (!c->packed) UN_TRY(un_alloc(c->room, 1, &c->packed));
    if (H5Dget_chunk_storage_size(c->set, at, &stored) < 0)
        return un_hdf5_damaged(c->path, c->name);
    if (stored == 0) return damaged(c, "was never written or is lost");
    if (stored > c->room) { /* gzip grows what it cannot pack, by little */
        if (stored - c->room > c->room / 100 + 4096) return damaged(c, "is larger than unpacked");
        free(c->data);
        c->data = NULL;
        free(c->packed);
        c->packed = NULL;
        c->room = (size_t)stored;
        UN_TRY(un_alloc(c->room, 1, &c->data));
        UN_TRY(un_alloc(c->room, 1, &c->packed));
    }
    if (H5Dread_chunk(c->set, H5P_DEFAULT, at, &skipped, c->data) < 0)
        return un_hdf5_damaged(c->path, c->name);
    if (c->whole_only && is_over_border(c, at)) skipped = UINT32_MAX;
    size_t bytes = (size_t)stored;
    UN_TRY(undo_filters(c, skipped, &bytes));
    if (bytes == c->elements * c->element) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT,
                   "%s is damaged: a chunk of \"%s\" unpacks to %zu bytes, %zu are needed; get the "
                   "file again",
                   c->path, c->name, bytes, c->elements * c->element);
}

/* The same as numbers of `type`; the last one stays. */
static un_status load(un_hdf5_chunks *c, const hsize_t *at, hid_t type) {
    if (c->held_as == type && !memcmp(c->at, at, (size_t)c->rank * sizeof *at)) return UNSEEN_OK;
    UN_TRY(load_stored(c, at));
    if (H5Tconvert(c->stored, type, c->elements, c->data, NULL, H5P_DEFAULT) < 0)
        return un_hdf5_damaged(c->path, c->name);
    memcpy(c->at, at, (size_t)c->rank * sizeof *at);
    c->held_as = type;
    return UNSEEN_OK;
}

/* ---- reading ---- */

/* What of the held chunk lies in the part that is asked for goes where it belongs. */
static void copy_out(const un_hdf5_chunks *c, const hsize_t *start, const hsize_t *extent,
                     size_t size, unsigned char *out) {
    hsize_t from[UN_MAX_RANK];
    hsize_t to[UN_MAX_RANK];
    hsize_t at[UN_MAX_RANK];
    int last = c->rank - 1;
    for (int k = 0; k < c->rank; k++) {
        from[k] = c->at[k] > start[k] ? c->at[k] : start[k];
        hsize_t chunk_end = c->at[k] + c->chunk[k];
        to[k] = start[k] + extent[k] < chunk_end ? start[k] + extent[k] : chunk_end;
        at[k] = from[k];
    }
    size_t run = (size_t)(to[last] - from[last]) * size;
    for (;;) {
        size_t source = 0;
        size_t target = 0;
        for (int k = 0; k < c->rank; k++) {
            source = source * (size_t)c->chunk[k] + (size_t)(at[k] - c->at[k]);
            target = target * (size_t)extent[k] + (size_t)(at[k] - start[k]);
        }
        memcpy(out + target * size, c->data + source * size, run);
        int k = last - 1;
        while (k >= 0 && ++at[k] == to[k]) {
            at[k] = from[k];
            k--;
        }
        if (k < 0) return;
    }
}

/* The next chunk of the grid between `first` and `end`; 0 behind the last. */
static int next_chunk(const un_hdf5_chunks *c, const hsize_t *first, const hsize_t *end,
                      hsize_t *at) {
    for (int k = c->rank - 1; k >= 0; k--) {
        at[k] += c->chunk[k];
        if (at[k] < end[k]) return 1;
        at[k] = first[k];
    }
    return 0;
}

un_status un_hdf5_chunks_read(un_hdf5_chunks *c, const hsize_t *start, const hsize_t *extent,
                              hid_t type, void *out) {
    hsize_t first[UN_MAX_RANK];
    hsize_t end[UN_MAX_RANK];
    hsize_t at[UN_MAX_RANK];
    for (int k = 0; k < c->rank; k++) {
        if (extent[k] == 0) return UNSEEN_OK;
        if (start[k] > c->dims[k] || extent[k] > c->dims[k] - start[k])
            return un_fail(UNSEEN_E_ARGUMENT, "%s: \"%s\" is not so large", c->path, c->name);
        first[k] = start[k] / c->chunk[k] * c->chunk[k];
        end[k] = start[k] + extent[k];
        at[k] = first[k];
    }
    size_t size = H5Tget_size(type);
    do {
        UN_TRY(load(c, at, type));
        copy_out(c, start, extent, size, out);
    } while (next_chunk(c, first, end, at));
    return UNSEEN_OK;
}

un_status un_hdf5_chunks_verify(un_hdf5_chunks *c) {
    static const hsize_t first[UN_MAX_RANK];
    hsize_t at[UN_MAX_RANK] = {0};
    for (int k = 0; k < c->rank; k++)
        if (c->dims[k] == 0) return UNSEEN_OK;
    do UN_TRY(load_stored(c, at));
    while (next_chunk(c, first, c->dims, at));
    return UNSEEN_OK;
}

/* ---- blocks of a variable that is read piece by piece; see hdf5.h ---- */

size_t un_hdf5_block(const un_hdf5_blocks *b, size_t index, size_t start[4], size_t extent[4]) {
    size_t elements = 1;
    for (int k = 3; k >= 1; k--) {
        size_t along = (b->dims[k] + b->block[k] - 1) / b->block[k];
        start[k] = index % along * b->block[k];
        extent[k] = b->dims[k] - start[k] < b->block[k] ? b->dims[k] - start[k] : b->block[k];
        elements *= extent[k];
        index /= along;
    }
    return elements;
}
