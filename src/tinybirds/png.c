/* png.c - the PNG file format (ISO/IEC 15948) for 8-bit RGB; see png.h. */
#include "tinybirds/png.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/arena.h"

enum { CHANNELS = 3, FILTERS = 5, MAX_SIDE = 16384 };

static int nearest(int left, int up, int corner) { /* Paeth's predictor */
    int p = left + up - corner;
    int a = abs(p - left), b = abs(p - up), c = abs(p - corner);
    if (a <= b && a <= c) return left;
    return b <= c ? up : corner;
}

/* Row `now` after filter `type` into out[bytes]; the cost is the sum of absolute differences. */
static unsigned filter_row(int type, const unsigned char *now, const unsigned char *before,
                           size_t bytes, unsigned char *out) {
    unsigned cost = 0;
    for (size_t i = 0; i < bytes; i++) {
        int left = i < CHANNELS ? 0 : now[i - CHANNELS];
        int corner = i < CHANNELS ? 0 : before[i - CHANNELS];
        int up = before[i];
        int guess = type == 0   ? 0
                    : type == 1 ? left
                    : type == 2 ? up
                    : type == 3 ? (left + up) / 2
                                : nearest(left, up, corner);
        out[i] = (unsigned char)(now[i] - guess);
        cost += out[i] < 128 ? out[i] : 256u - out[i];
    }
    return cost;
}

/* All rows, each behind the number of its filter. `spare` holds two rows. */
static void filter(const unsigned char *rgb, size_t bytes, size_t height, unsigned char *spare,
                   unsigned char *out) {
    unsigned char *trial = spare;
    const unsigned char *before = memset(spare + bytes, 0, bytes);
    for (size_t y = 0; y < height; y++) {
        unsigned char *row = out + y * (bytes + 1);
        unsigned best = UINT32_MAX;
        for (int type = 1; type < FILTERS; type++) {
            unsigned cost = filter_row(type, rgb + y * bytes, before, bytes, trial);
            if (cost >= best) continue;
            best = cost;
            row[0] = (unsigned char)type;
            memcpy(row + 1, trial, bytes);
        }
        before = rgb + y * bytes;
    }
}

static void put_u32(unsigned char *at, uint32_t value) {
    for (int i = 0; i < 4; i++) at[i] = (unsigned char)(value >> (24 - 8 * i));
}

/* Completes a chunk whose n bytes of data lie at chunk + 8; returns its end. */
static unsigned char *finish_chunk(unsigned char *chunk, const char *type, size_t n) {
    put_u32(chunk, (uint32_t)n);
    memcpy(chunk + 4, type, 4);
    put_u32(chunk + 8 + n, (uint32_t)crc32(0, chunk + 4, (uInt)(n + 4)));
    return chunk + 12 + n;
}

/* *n is the room at `out` before, and what was used of it after. */
static un_status compress_rows(unsigned char *rows, size_t bytes, unsigned char *out, size_t *n) {
    z_stream z = {0};
    if (deflateInit2(&z, 6, Z_DEFLATED, 15, 9, Z_RLE) != Z_OK) return un_fail_memory(0);
    z.next_in = rows;
    z.avail_in = (uInt)bytes;
    z.next_out = out;
    z.avail_out = (uInt)*n;
    int result = deflate(&z, Z_FINISH);
    *n = z.total_out;
    deflateEnd(&z);
    return result == Z_STREAM_END ? UNSEEN_OK : un_fail(UNSEEN_E_MEMORY, "cannot compress a PNG");
}

un_status un_png_encode(const unsigned char *rgb, size_t width, size_t height, unsigned char **out,
                        size_t *length) {
    static const unsigned char signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    if (width - 1 >= MAX_SIDE || height - 1 >= MAX_SIDE)
        return un_fail(UNSEEN_E_ARGUMENT, "a PNG of %zu x %zu pixels is out of range", width,
                       height);
    size_t bytes = CHANNELS * width;
    size_t filtered = (bytes + 1) * height;
    size_t room = compressBound((uLong)filtered) + 1024;
    unsigned char *rows = NULL;
    unsigned char *file = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(filtered + 2 * bytes, 1, &rows));
    UN_GO(un_alloc(room + 64, 1, &file));
    filter(rgb, bytes, height, rows + filtered, rows);
    memcpy(file, signature, sizeof signature);
    unsigned char *at = file + sizeof signature;
    put_u32(at + 8, (uint32_t)width);
    put_u32(at + 12, (uint32_t)height);
    memcpy(at + 16, (const unsigned char[]){8, 2, 0, 0, 0}, 5); /* 8 bits, RGB, the usual rest */
    at = finish_chunk(at, "IHDR", 13);
    UN_GO(compress_rows(rows, filtered, at + 8, &room));
    at = finish_chunk(at, "IDAT", room);
    at = finish_chunk(at, "IEND", 0);
    *out = file;
    *length = (size_t)(at - file);
    file = NULL;
done:
    free(rows);
    free(file);
    return status;
}
