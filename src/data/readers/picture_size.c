/*
 * picture_size.c - width and height of a JPEG or PNG from its head; see pictures.h.
 *
 * Annotations in pixels need the size of their picture, and nothing else of it.
 */
#include <string.h>

#include "base/file.h"
#include "data/readers/pictures.h"

static size_t two_bytes(const unsigned char *at) { return (size_t)at[0] << 8 | at[1]; }

static int png_size(const un_map *map, size_t *width, size_t *height) {
    static const unsigned char HEAD[] = "\x89PNG\r\n\x1a\n";
    const unsigned char *d = map->data;
    if (map->size < 24 || memcmp(d, HEAD, 8) != 0 || memcmp(d + 12, "IHDR", 4) != 0) return 0;
    *width = two_bytes(d + 16) << 16 | two_bytes(d + 18);
    *height = two_bytes(d + 20) << 16 | two_bytes(d + 22);
    return 1;
}

/* Walks the markers to the frame header: SOF0 to SOF15 but for DHT, JPG and DAC. */
static int jpeg_size(const un_map *map, size_t *width, size_t *height) {
    const unsigned char *d = map->data;
    if (map->size < 4 || d[0] != 0xFF || d[1] != 0xD8) return 0;
    size_t at = 2;
    while (at + 9 < map->size) {
        if (d[at] != 0xFF) return 0;
        unsigned marker = d[at + 1];
        if (marker == 0xFF) { /* fill byte */
            at++;
            continue;
        }
        if (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 &&
            marker != 0xCC) {
            *height = two_bytes(d + at + 5);
            *width = two_bytes(d + at + 7);
            return 1;
        }
        int bare = marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8);
        at += bare ? 2 : 2 + two_bytes(d + at + 2);
    }
    return 0;
}

un_status un_picture_size(const char *path, size_t *width, size_t *height) {
    un_map map;
    *width = 0;
    *height = 0;
    UN_TRY(un_map_open(&map, path));
    int known = png_size(&map, width, height) || jpeg_size(&map, width, height);
    un_map_close(&map);
    if (known && *width > 0 && *height > 0) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT, "%s: its size cannot be read; it is no intact JPEG or PNG file",
                   path);
}
