/*
 * image.c - pictures in memory: making, releasing, turning; reading BMP; the memory that
 * decoding may hold. See image.h and image_parts.h; other formats are in decode.c.
 */
#include "vision/image/image.h"

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/arena.h"
#include "base/file.h"
#include "vision/image/image_parts.h"

un_status un_image_create(size_t width, size_t height, un_image *out) {
    *out = (un_image){0};
    size_t count = 0;
    if (width == 0 || height == 0)
        return un_fail(UNSEEN_E_ARGUMENT, "a picture of %zu x %zu pixels is empty", width, height);
    if (__builtin_mul_overflow(width, height, &count))
        return un_fail(UNSEEN_E_MEMORY, "out of memory: a picture of %zu x %zu pixels", width,
                       height);
    UN_TRY(un_alloc(count, 3, &out->pixels));
    out->width = width;
    out->height = height;
    return UNSEEN_OK;
}

void un_image_free(un_image *image) {
    free(image->pixels);
    un_budget_return(image->budget);
    *image = (un_image){0};
}

un_status un_image_check_size(size_t width, size_t height, size_t limit, const char *name,
                              un_image *refused) {
    size_t count = 0;
    if (width == 0 || height == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: the picture has no pixels (%zu x %zu)", name, width,
                       height);
    if (__builtin_mul_overflow(width, height, &count) || count > limit) {
        *refused = (un_image){.width = width, .height = height};
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "%s: %zu x %zu pixels are more than the %zu accepted; reduce the picture",
                       name, width, height, limit);
    }
    return UNSEEN_OK;
}

/* Orientations 5 to 8 exchange rows and columns; then 2, 3, 6, 7 mirror the source's columns
 * and 3, 4, 7, 8 its rows (EXIF 2.32, tag 0x0112). */
static int swaps(int o) { return o >= 5 && o <= 8; }
static int mirrors_x(int o) { return o == 2 || o == 3 || o == 7 || o == 8; }
static int mirrors_y(int o) { return o == 3 || o == 4 || o == 6 || o == 7; }

un_status un_image_orient(un_image *image, int orientation) {
    if (orientation < 2 || orientation > 8) return UNSEEN_OK;
    size_t width = image->width, height = image->height;
    int swap = swaps(orientation);
    int mirror_x = mirrors_x(orientation), mirror_y = mirrors_y(orientation);
    un_image turned;
    UN_TRY(un_image_create(swap ? height : width, swap ? width : height, &turned));
    unsigned char *out = turned.pixels;
    for (size_t y = 0; y < turned.height; y++) {
        for (size_t x = 0; x < turned.width; x++, out += 3) {
            size_t from_x = swap ? y : x, from_y = swap ? x : y;
            if (mirror_x) from_x = width - 1 - from_x;
            if (mirror_y) from_y = height - 1 - from_y;
            memcpy(out, image->pixels + (from_y * width + from_x) * 3, 3);
        }
    }
    turned.budget = image->budget;
    turned.ignored = image->ignored;
    image->budget = 0;
    un_image_free(image);
    *image = turned;
    return UNSEEN_OK;
}

void un_image_turn_point(int orientation, double *x, double *y) {
    double from_x = mirrors_x(orientation) ? 1 - *x : *x;
    double from_y = mirrors_y(orientation) ? 1 - *y : *y;
    *x = swaps(orientation) ? from_y : from_x;
    *y = swaps(orientation) ? from_x : from_y;
}

/* a b / 255, rounded, for a and b of 0..255. */
static unsigned scale_255(unsigned a, unsigned b) {
    unsigned t = a * b + 128;
    return (t + (t >> 8)) >> 8;
}

void un_cmyk_row(const unsigned char *in, size_t n, size_t stride, unsigned char *out) {
    for (size_t i = 0; i < n; i++, in += stride, out += 3) {
        unsigned light = 255U - in[3];
        for (size_t c = 0; c < 3; c++) out[c] = (unsigned char)(light - scale_255(in[c], light));
    }
}

/* ---- Windows bitmaps: 1 to 8 bits a pixel with a palette, 16, 24 and 32 with or without
 * masks, bottom-up or top-down. Run-length encoding is refused. Layout: Microsoft's
 * BITMAPFILEHEADER, BITMAPCOREHEADER and BITMAPINFOHEADER to BITMAPV5HEADER. ---- */

enum { FILE_HEADER = 14, CORE_HEADER = 12, INFO_HEADER = 40, MASKS_END = 52 };
enum { COMPRESSION_NONE = 0, COMPRESSION_MASKS = 3, COMPRESSION_ALPHA_MASKS = 6 };

typedef struct {
    const unsigned char *bytes;
    size_t size;
    const char *name;
    size_t width, height, bits; /* a pixel */
    int top_down;
    size_t pixels;                                /* offset of the first stored row */
    size_t stride;                                /* bytes from one stored row to the next */
    size_t palette, palette_entry, palette_count; /* offset, bytes an entry, entries */
    uint32_t mask[3];                             /* of R, G, B; 0 with a palette */
} bitmap;

static uint32_t little(const unsigned char *at, size_t n) {
    uint32_t value = 0;
    for (size_t i = n; i-- > 0;) value = value << 8 | at[i];
    return value;
}

static un_status damaged(const bitmap *b, const char *why) {
    return un_fail(UNSEEN_E_FORMAT, "%s: the picture is damaged: %s", b->name, why);
}

/* A mask must be one run of ones. */
static int is_run(uint32_t mask) {
    if (mask == 0) return 0;
    while (!(mask & 1)) mask >>= 1;
    return (mask & (mask + 1)) == 0;
}

static un_status read_masks(bitmap *b, size_t header, uint32_t compression) {
    static const uint32_t usual[2][3] = {{0x7c00, 0x03e0, 0x001f}, {0xff0000, 0xff00, 0xff}};
    if (b->bits < 16) return UNSEEN_OK;
    memcpy(b->mask, usual[b->bits > 16], sizeof b->mask);
    if (compression == COMPRESSION_NONE || b->bits == 24) return UNSEEN_OK;
    if (b->size < FILE_HEADER + MASKS_END) return damaged(b, "its header is cut off");
    /* Behind a plain header, or inside the longer ones: the same place. */
    for (size_t c = 0; c < 3; c++) {
        b->mask[c] = little(b->bytes + FILE_HEADER + INFO_HEADER + 4 * c, 4);
        if (!is_run(b->mask[c])) return damaged(b, "its colour masks are impossible");
    }
    if (header == INFO_HEADER) b->palette += MASKS_END - INFO_HEADER;
    return UNSEEN_OK;
}

static un_status read_info_header(bitmap *b, uint32_t *compression) {
    const unsigned char *at = b->bytes + FILE_HEADER;
    int64_t height = (int32_t)little(at + 8, 4);
    b->width = little(at + 4, 4);
    b->top_down = height < 0;
    b->height = (size_t)(height < 0 ? -height : height);
    b->bits = little(at + 14, 2);
    *compression = little(at + 16, 4);
    b->palette_count = little(at + 32, 4);
    b->palette_entry = 4;
    if (b->width > INT32_MAX) return damaged(b, "its width is negative");
    if (*compression != COMPRESSION_NONE && *compression != COMPRESSION_MASKS &&
        *compression != COMPRESSION_ALPHA_MASKS)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "%s: compressed BMP is not read; convert it to PNG or JPEG", b->name);
    return UNSEEN_OK;
}

static un_status read_headers(bitmap *b, size_t limit, un_image *refused) {
    uint32_t compression = COMPRESSION_NONE;
    if (b->size < FILE_HEADER + CORE_HEADER) return damaged(b, "its header is cut off");
    size_t header = little(b->bytes + FILE_HEADER, 4);
    if ((header != CORE_HEADER && header < INFO_HEADER) || header > b->size - FILE_HEADER)
        return damaged(b, "its header is cut off or of no known kind");
    b->pixels = little(b->bytes + 10, 4);
    b->palette = FILE_HEADER + header;
    if (header == CORE_HEADER) {
        b->width = little(b->bytes + FILE_HEADER + 4, 2);
        b->height = little(b->bytes + FILE_HEADER + 6, 2);
        b->bits = little(b->bytes + FILE_HEADER + 10, 2);
        b->palette_entry = 3;
    } else {
        UN_TRY(read_info_header(b, &compression));
    }
    if (b->bits != 1 && b->bits != 2 && b->bits != 4 && b->bits != 8 && b->bits != 16 &&
        b->bits != 24 && b->bits != 32)
        return damaged(b, "its number of bits a pixel is impossible");
    UN_TRY(un_image_check_size(b->width, b->height, limit, b->name, refused));
    UN_TRY(read_masks(b, header, compression));
    if (b->bits <= 8 && (b->palette_count == 0 || b->palette_count > (size_t)1 << b->bits))
        b->palette_count = (size_t)1 << b->bits;
    /* width x height is limited, so none of this overflows. */
    b->stride = (b->width * b->bits + 31) / 32 * 4;
    if (b->pixels > b->size || b->size - b->pixels < b->stride * (b->height - 1) ||
        b->size - b->pixels - b->stride * (b->height - 1) < (b->width * b->bits + 7) / 8)
        return damaged(b, "its pixels are cut off");
    if (b->bits <= 8 &&
        (b->palette > b->size || b->size - b->palette < b->palette_count * b->palette_entry))
        return damaged(b, "its palette is cut off");
    return UNSEEN_OK;
}

/* Indices of 1, 2, 4 or 8 bits, the first in the highest bits of a byte. Those behind the
 * palette's end are black. */
static void palette_row(const bitmap *b, const unsigned char *in, unsigned char *out) {
    size_t each = 8 / b->bits, mask = ((size_t)1 << b->bits) - 1;
    for (size_t x = 0; x < b->width; x++, out += 3) {
        size_t index = (size_t)in[x / each] >> (each - 1 - x % each) * b->bits & mask;
        if (index >= b->palette_count) continue;
        const unsigned char *entry = b->bytes + b->palette + index * b->palette_entry;
        for (size_t c = 0; c < 3; c++) out[c] = entry[2 - c];
    }
}

static void mask_row(const bitmap *b, const unsigned char *in, unsigned char *out) {
    size_t bytes = b->bits / 8;
    for (size_t x = 0; x < b->width; x++, in += bytes, out += 3) {
        uint32_t pixel = little(in, bytes);
        for (size_t c = 0; c < 3; c++) {
            uint32_t lowest = b->mask[c] & (~b->mask[c] + 1);
            uint64_t value = (pixel & b->mask[c]) / lowest, most = b->mask[c] / lowest;
            out[c] = (unsigned char)(value * 255 / most);
        }
    }
}

un_status un_bmp_decode(const unsigned char *bytes, size_t size, const char *name, size_t limit,
                        un_image *out) {
    bitmap b = {.bytes = bytes, .size = size, .name = name};
    UN_TRY(read_headers(&b, limit, out));
    size_t need = 3 * b.width * b.height;
    UN_TRY(un_budget_take(need));
    un_status status = un_image_create(b.width, b.height, out);
    if (status) {
        un_budget_return(need);
        return status;
    }
    out->budget = need;
    for (size_t y = 0; y < b.height; y++) {
        size_t stored = b.top_down ? y : b.height - 1 - y;
        const unsigned char *in = bytes + b.pixels + stored * b.stride;
        unsigned char *row = out->pixels + y * b.width * 3;
        if (b.bits <= 8)
            palette_row(&b, in, row);
        else
            mask_row(&b, in, row);
    }
    return UNSEEN_OK;
}

/* What must be left for everything small, above all GLib's objects. */
static const size_t MARGIN = (size_t)32 << 20;
const size_t un_decoding_budget = (size_t)3 << 27;

static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_returned = PTHREAD_COND_INITIALIZER;
static un_budget_usage g_usage;
static _Thread_local size_t g_mine; /* held by this thread */

/* Of a forked process's threads the child has one, and of the budget what that one holds. */
static void in_child(void) {
    static const pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static const pthread_cond_t returned = PTHREAD_COND_INITIALIZER;
    g_lock = lock;
    g_returned = returned;
    g_usage.held = g_mine;
}

static void watch_forks(void) { pthread_atfork(NULL, NULL, in_child); }

/* A limit of address space (ulimit -v) and strict accounting refuse the mapping. */
static int is_there(size_t bytes) {
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return 0;
    munmap(at, bytes);
    return 1;
}

static un_status fail_decoding(size_t bytes) {
    return un_fail(UNSEEN_E_MEMORY,
                   "out of memory: decoding needs %zu MB that the system does not give; use fewer "
                   "threads, or raise the limit (ulimit -v)",
                   (bytes + 999999) / 1000000);
}

un_status un_memory_check(size_t bytes) {
    return is_there(bytes) ? UNSEEN_OK : fail_decoding(bytes);
}

/* What others hold may be promised and not yet allocated, so it is asked for again. */
un_status un_budget_take(size_t bytes) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    un_status status = UNSEEN_OK;
    pthread_once(&once, watch_forks);
    if (bytes > SIZE_MAX / 4) return fail_decoding(bytes);
    pthread_mutex_lock(&g_lock);
    for (;;) {
        int waits = g_usage.held > 0 && g_mine == 0;
        size_t promised = waits ? g_usage.held : 0;
        int there = is_there(promised + bytes + MARGIN);
        if (there && (!waits || g_usage.held + bytes <= un_decoding_budget)) break;
        if (!waits) {
            status = fail_decoding(bytes + MARGIN);
            break;
        }
        pthread_cond_wait(&g_returned, &g_lock);
    }
    if (!status) {
        g_mine += bytes;
        g_usage.held += bytes;
        if (g_usage.held > g_usage.most) g_usage.most = g_usage.held;
    }
    pthread_mutex_unlock(&g_lock);
    return status;
}

void un_budget_return(size_t bytes) {
    if (bytes == 0) return;
    pthread_mutex_lock(&g_lock);
    g_usage.held -= bytes;
    g_mine -= bytes < g_mine ? bytes : g_mine;
    pthread_cond_broadcast(&g_returned);
    pthread_mutex_unlock(&g_lock);
}

un_budget_usage un_budget_now(void) {
    pthread_mutex_lock(&g_lock);
    un_budget_usage usage = g_usage;
    pthread_mutex_unlock(&g_lock);
    return usage;
}
