/*
 * make_turned.c - one picture in eight orientations and four formats, for tests.
 *
 *     make_turned FOLDER SEED    FOLDER/upright.png, and FOLDER/<format>-<orientation>.<format>
 *                                for jpg, png, webp and tif: stored so that a viewer shows the
 *                                first one
 *
 * Blocks of 16 x 16 pixels of one colour each, 96 x 64 pixels: even a JPEG of any orientation
 * shows the same pixels, give or take a level.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <vips/vips.h>
#include <zlib.h>

enum { BLOCK = 16, COLUMNS = 6, ROWS = 4, WIDTH = BLOCK * COLUMNS, HEIGHT = BLOCK * ROWS };

/* Level of channel c at (x, y) of the upright picture; stripes that lie, of a colour of the seed.
 */
static unsigned char level(unsigned seed, size_t x, size_t y, size_t c) {
    size_t column = x / BLOCK, row = y / BLOCK;
    unsigned base = (seed * 97 + (unsigned)c * 61) % 200;
    return (unsigned char)(base + (row % 2) * 40 + (column == 0 && row == 0 ? 15 : 0));
}

/* The pixels as they are stored for the orientation (EXIF 2.32, tag 0x0112). */
static VipsImage *stored(unsigned seed, int o) {
    size_t w = o >= 5 ? HEIGHT : WIDTH, h = o >= 5 ? WIDTH : HEIGHT;
    unsigned char *pixels = malloc(w * h * 3);
    for (size_t y = 0; pixels && y < h; y++)
        for (size_t x = 0; x < w; x++) {
            size_t a = o == 2 || o == 3 || o == 7 || o == 8 ? w - 1 - x : x;
            size_t b = o == 3 || o == 4 || o == 6 || o == 7 ? h - 1 - y : y;
            /* Where the stored pixel is shown: mirrored first, then rows for columns. */
            size_t at_x = o >= 5 ? b : a, at_y = o >= 5 ? a : b;
            for (size_t c = 0; c < 3; c++) pixels[(y * w + x) * 3 + c] = level(seed, at_x, at_y, c);
        }
    VipsImage *image =
        vips_image_new_from_memory_copy(pixels, w * h * 3, (int)w, (int)h, 3, VIPS_FORMAT_UCHAR);
    free(pixels);
    if (!image) return NULL;
    image->Type = VIPS_INTERPRETATION_sRGB;
    if (o > 0) vips_image_set_int(image, VIPS_META_ORIENTATION, o);
    return image;
}

/* libvips writes no eXIf chunk of its own: one behind IHDR, which ends at byte 33. */
static int save_png(VipsImage *image, int o, const char *path) {
    unsigned char chunk[] = "\0\0\0\x1a"
                            "eXIfMM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0o\0\0\0\0\0\0crc";
    void *bytes = NULL;
    size_t size = 0;
    if (vips_pngsave_buffer(image, &bytes, &size, NULL)) return -1;
    FILE *out = fopen(path, "wb");
    if (!out) return -1;
    chunk[27] = (unsigned char)o;
    unsigned long crc = crc32(0, chunk + 4, 30);
    for (int i = 0; i < 4; i++) chunk[34 + i] = (unsigned char)(crc >> (24 - 8 * i));
    fwrite(bytes, 1, 33, out);
    if (o > 0) fwrite(chunk, 1, 38, out);
    fwrite((char *)bytes + 33, 1, size - 33, out);
    g_free(bytes);
    return fclose(out);
}

static int save(VipsImage *image, int o, const char *path) {
    const char *end = strrchr(path, '.');
    if (!strcmp(end, ".jpg"))
        return vips_jpegsave(image, path, "Q", 100, "subsample_mode", VIPS_FOREIGN_SUBSAMPLE_OFF,
                             NULL);
    if (!strcmp(end, ".png")) return save_png(image, o, path);
    if (!strcmp(end, ".webp")) return vips_webpsave(image, path, "lossless", TRUE, NULL);
    return vips_tiffsave(image, path, NULL);
}

int main(int argc, char **argv) {
    static const char *const formats[] = {"jpg", "png", "webp", "tif"};
    char path[4096];
    if (argc != 3 || vips_init(argv[0])) return 2;
    unsigned seed = (unsigned)strtoul(argv[2], NULL, 10);
    mkdir(argv[1], 0777);
    for (int o = 0; o <= 8; o++) {
        VipsImage *image = stored(seed, o);
        if (!image) return 1;
        for (size_t f = 0; f < 4; f++) {
            if (o == 0 && f != 1) continue;
            if (o == 0)
                snprintf(path, sizeof path, "%s/upright.png", argv[1]);
            else
                snprintf(path, sizeof path, "%s/%s-%d.%s", argv[1], formats[f], o, formats[f]);
            if (save(image, o, path)) vips_error_exit("%s", path);
        }
        g_object_unref(image);
    }
    return 0;
}
