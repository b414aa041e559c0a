/*
 * decode.c - pictures through libvips: telling the format, running its loader, 8-bit RGB.
 *
 * Pixels are pulled strip by strip in the calling thread, so that libvips starts no threads of its
 * own.
 *
 * libvips's error text is one buffer for all threads. So a picture that fails is decoded once more
 * while no other is: what the buffer says then belongs to it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/file_kind.h"
#include "base/foreign/vips.h"
#include "base/status.h"
#include "vision/image/image.h"
#include "vision/image/image_parts.h"

enum { STRIP_ROWS = 16, REASON_LENGTH = 200 };
enum { OPEN_NEED = 2 << 20 }; /* bytes, of a loader that has read a picture's head */

/* What is being decoded. */
typedef struct {
    unsigned char *bytes; /* only read */
    size_t size;
    const char *name;
    un_file_kind kind;
    un_image_options options;
    un_image_head *head; /* not NULL: only this is asked for */
} picture;

un_status un_image_prepare(void) { return un_vips_prepare(UN_KIND_UNKNOWN); }

/* Whether this libvips was built with a loader for HEIF, which may be a module of its own. */
static int reads_heif(void) {
    return un_vips_prepare(UN_KIND_HEIF) == UNSEEN_OK &&
           vips_type_find("VipsForeignLoad", "heifload_buffer") != 0;
}

int un_image_reads(un_file_kind kind) {
    switch (kind) {
    case UN_KIND_JPEG:
    case UN_KIND_PNG:
    case UN_KIND_WEBP:
    case UN_KIND_TIFF:
    case UN_KIND_GIF:
    case UN_KIND_BMP: return 1;
    case UN_KIND_HEIF: return reads_heif();
    default: return 0;
    }
}

static un_status fail_unread(const picture *p) {
    const char *advice = un_kind_advice(p->kind);
    if (p->kind == UN_KIND_EMPTY) return un_fail(UNSEEN_E_FORMAT, "%s: the file is empty", p->name);
    if (un_kind_is_picture(p->kind) || p->kind == UN_KIND_PDF || p->kind == UN_KIND_FILM)
        return un_fail(UNSEEN_E_UNSUPPORTED, "%s: %s is not read%s%s", p->name,
                       un_kind_name(p->kind), advice ? "; " : "", advice ? advice : "");
    return un_fail_kind(p->name, "a picture (JPEG, PNG, WebP, TIFF, GIF, BMP and HEIF are read)",
                        p->kind);
}

/* The first sentence of libvips's error text, without its "class: " in front; empties the
 * buffer. */
static void take_reason(char out[REASON_LENGTH]) {
    char *text = vips_error_buffer_copy(); /* and clears it */
    const char *from = text, *colon = NULL;
    size_t n = 0;
    while ((colon = strstr(from, ": ")) && !memchr(from, ' ', (size_t)(colon - from)) &&
           !memchr(from, '\n', (size_t)(colon - from)))
        from = colon + 2;
    for (; from[n] && from[n] != '\n' && n + 1 < REASON_LENGTH; n++)
        out[n] = (unsigned char)from[n] < 32 || (unsigned char)from[n] > 126 ? '?' : from[n];
    while (n > 0 && (out[n - 1] == ' ' || out[n - 1] == '.')) n--;
    out[n] = 0;
    g_free(text);
}

/* Where the extension that makes a colour of the first frame transparent has its flags; 0: none.
 * Layout: GIF89a specification, sections 17 to 23. */
static size_t find_transparency(const picture *p) {
    if (p->size < 13) return 0;
    size_t at = 13;
    if (p->bytes[10] & 0x80) at += (size_t)3 << ((p->bytes[10] & 7) + 1);
    while (at + 8 <= p->size && p->bytes[at] == 0x21) {
        if (p->bytes[at + 1] == 0xf9 && p->bytes[at + 2] == 4)
            return p->bytes[at + 3] & 1 ? at + 3 : 0;
        for (at += 2; at < p->size && p->bytes[at]; at += (size_t)p->bytes[at] + 1) continue;
        at++;
    }
    return 0;
}

/* libvips paints transparent pixels black, but dropping alpha should show their colour:
 * decodes a copy that has none. *copy is released with free(). */
static un_status drop_transparency(picture *p, unsigned char **copy) {
    size_t flags = p->kind == UN_KIND_GIF ? find_transparency(p) : 0;
    if (flags == 0) return UNSEEN_OK;
    UN_TRY(un_alloc(p->size, 1, copy));
    memcpy(*copy, p->bytes, p->size);
    (*copy)[flags] &= 0xfe;
    p->bytes = *copy;
    return UNSEEN_OK;
}

static int open_loader(const picture *p, VipsImage **out) {
    typedef int (*loader)(void *bytes, size_t size, VipsImage **out, ...);
    const loader loaders[UN_KIND_COUNT] = {
        [UN_KIND_JPEG] = vips_jpegload_buffer, [UN_KIND_PNG] = vips_pngload_buffer,
        [UN_KIND_WEBP] = vips_webpload_buffer, [UN_KIND_TIFF] = vips_tiffload_buffer,
        [UN_KIND_GIF] = vips_gifload_buffer,   [UN_KIND_HEIF] = vips_heifload_buffer};
    if (!loaders[p->kind]) return -1;
    return loaders[p->kind](p->bytes, p->size, out, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                            VIPS_FAIL_ON_TRUNCATED, NULL);
}

/* How the samples of a loaded picture become RGB. */
typedef struct {
    size_t bands;
    int wide; /* 16-bit samples */
    int cmyk; /* inks C, M, Y, K, 0 = none: libvips has turned a JPEG's around */
} layout;

static un_status layout_of(const picture *p, const VipsImage *image, layout *out) {
    VipsInterpretation kind = image->Type;
    *out = (layout){.bands = (size_t)image->Bands,
                    .wide = image->BandFmt == VIPS_FORMAT_USHORT,
                    .cmyk = kind == VIPS_INTERPRETATION_CMYK};
    int known = kind == VIPS_INTERPRETATION_B_W || kind == VIPS_INTERPRETATION_GREY16 ||
                kind == VIPS_INTERPRETATION_RGB || kind == VIPS_INTERPRETATION_sRGB ||
                kind == VIPS_INTERPRETATION_RGB16 || kind == VIPS_INTERPRETATION_MULTIBAND ||
                out->cmyk;
    int bands =
        out->cmyk ? image->Bands == 4 || image->Bands == 5 : image->Bands >= 1 && image->Bands <= 4;
    if (image->Coding != VIPS_CODING_NONE || !known || !bands ||
        (image->BandFmt != VIPS_FORMAT_UCHAR && !out->wide))
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "%s: pixels of %d bands of type %s (%s) are not read; convert the picture "
                       "to 8-bit RGB",
                       p->name, image->Bands, vips_enum_nick(VIPS_TYPE_BAND_FORMAT, image->BandFmt),
                       vips_enum_nick(VIPS_TYPE_INTERPRETATION, kind));
    return UNSEEN_OK;
}

/* One row of n pixels; `narrow` has room for n x bands bytes and is used for 16 bits. */
static void convert_row(const layout *l, const void *from, size_t n, unsigned char *narrow,
                        unsigned char *out) {
    const unsigned char *in = from;
    if (l->wide) {
        const uint16_t *wide = from;
        for (size_t i = 0; i < n * l->bands; i++) narrow[i] = (unsigned char)(wide[i] >> 8);
        in = narrow;
    }
    if (l->cmyk) {
        un_cmyk_row(in, n, l->bands, out);
    } else if (l->bands == 3) {
        memcpy(out, in, n * 3);
    } else if (l->bands == 4) {
        for (size_t i = 0; i < n; i++) memcpy(out + 3 * i, in + 4 * i, 3);
    } else { /* grey, perhaps with alpha */
        for (size_t i = 0; i < n; i++) memset(out + 3 * i, in[i * l->bands], 3);
    }
}

/* The samples of row y, column 0, which the region holds. (VIPS_REGION_ADDR mixes signs.) */
static const unsigned char *row_of(const VipsRegion *region, const layout *l, size_t y) {
    return region->data + (y - (size_t)region->valid.top) * (size_t)region->bpl -
           (size_t)region->valid.left * l->bands * (l->wide ? 2 : 1);
}

/* *failed: libvips has an error in its buffer. */
static un_status pull_pixels(VipsImage *image, const layout *l, un_image *out, int *failed) {
    unsigned char *narrow = NULL;
    size_t width = (size_t)image->Xsize, height = (size_t)image->Ysize;
    UN_TRY(un_alloc(width, l->bands, &narrow));
    VipsRegion *region = vips_region_new(image);
    *failed = !region;
    for (size_t y = 0; y < height && !*failed; y += STRIP_ROWS) {
        size_t rows = height - y < STRIP_ROWS ? height - y : STRIP_ROWS;
        VipsRect strip = {0, (int)y, image->Xsize, (int)rows};
        *failed = vips_region_prepare(region, &strip) != 0;
        for (size_t r = 0; r < rows && !*failed; r++)
            convert_row(l, row_of(region, l, y + r), width, narrow,
                        out->pixels + (y + r) * width * 3);
    }
    if (region) g_object_unref(region);
    free(narrow);
    return UNSEEN_OK;
}

static int turns(int orientation) { return orientation >= 2 && orientation <= 8; }

/* Of a TIFF, the tag tells how rows are stored; PIL always follows it there. */
static un_status turn(const picture *p, VipsImage *image, un_image *out) {
    int orientation = vips_image_get_orientation(image);
    if (p->options.orient || p->kind == UN_KIND_TIFF) return un_image_orient(out, orientation);
    if (turns(orientation)) out->ignored = orientation;
    return UNSEEN_OK;
}

static void turn_head(const picture *p, VipsImage *image) {
    int orientation = vips_image_get_orientation(image);
    if (!turns(orientation)) return;
    if (p->kind != UN_KIND_TIFF) {
        p->head->orientation = orientation;
    } else if (orientation >= 5) {
        p->head->width = (size_t)image->Ysize;
        p->head->height = (size_t)image->Xsize;
    }
}

static int says(VipsImage *image, const char *what) {
    int yes = 0;
    return vips_image_get_typeof(image, what) != 0 && vips_image_get_int(image, what, &yes) == 0 &&
           yes;
}

/* Bytes for each pixel while the picture is decoded, by what libvips's loaders and the libraries
 * below them keep of a whole picture beside our RGB: a progressive JPEG's coefficients, an
 * interlaced PNG's or a single strip's samples, canvases of WebP and GIF, planes of HEIF. */
static size_t bytes_per_pixel(const picture *p, VipsImage *image, const layout *l) {
    size_t sample = l->bands * (l->wide ? 2 : 1), kept = 0;
    int turned =
        turns(vips_image_get_orientation(image)) && (p->options.orient || p->kind == UN_KIND_TIFF);
    switch (p->kind) {
    case UN_KIND_JPEG: kept = says(image, "jpeg-multiscan") ? 2 * l->bands : 0; break;
    case UN_KIND_PNG: kept = says(image, "interlaced") ? sample : 0; break;
    case UN_KIND_TIFF: kept = 2 * sample; break;
    case UN_KIND_WEBP:
    case UN_KIND_GIF: kept = 8; break;
    case UN_KIND_HEIF: kept = 12; break;
    default: break;
    }
    return 3 + kept + (turned ? 3 : 0);
}

/* A JPEG spends bits on every block of 64 pixels; far fewer means that most of it is missing, which
 * is better said before memory is taken for all of it. */
static un_status check_length(const picture *p, size_t pixels) {
    enum { MOST_A_BYTE = 1 << 14 };
    if (p->kind != UN_KIND_JPEG || pixels / MOST_A_BYTE <= p->size) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT,
                   "%s: the picture is damaged: %zu bytes cannot hold the %zu pixels it promises",
                   p->name, p->size, pixels);
}

/* Decodes the pixels of an opened picture; those of *out stay in the budget until it is
 * released. */
static un_status decode_pixels(const picture *p, VipsImage *image, un_image *out, int *failed) {
    size_t width = (size_t)image->Xsize, height = (size_t)image->Ysize, pixels = width * height;
    un_status status = UNSEEN_OK;
    layout l;
    UN_TRY(layout_of(p, image, &l));
    UN_TRY(check_length(p, pixels));
    size_t need = pixels * bytes_per_pixel(p, image, &l);
    UN_TRY(un_budget_take(need));
    UN_GO(un_image_create(width, height, out));
    UN_GO(pull_pixels(image, &l, out, failed));
    if (!*failed) UN_GO(turn(p, image, out));
done:
    if (status || *failed) un_image_free(out);
    if (out->pixels) out->budget = 3 * pixels;
    un_budget_return(need - out->budget);
    return status;
}

/* libvips decodes some kinds on threads that it keeps for the next picture, and would wait in a
 * child for those that stayed in the parent. */
static un_status check_fork(const picture *p, VipsImage *image) {
    if (!un_vips_was_forked() || p->kind == UN_KIND_JPEG ||
        (p->kind == UN_KIND_PNG && !says(image, "interlaced")))
        return UNSEEN_OK;
    return un_fail(UNSEEN_E_UNSUPPORTED,
                   "%s: in a process forked from one that had decoded pictures, only JPEG and PNG "
                   "without interlacing are read; fork before the first picture is decoded",
                   p->name);
}

/* Decodes once; the caller holds the lock. */
static un_status decode_once(const picture *p, un_image *out, int *failed) {
    un_status status = UNSEEN_OK;
    VipsImage *image = NULL;
    size_t opening = OPEN_NEED;
    UN_TRY(un_budget_take(opening));
    *failed = open_loader(p, &image) != 0;
    if (*failed) goto done;
    size_t limit = p->options.max_pixels ? p->options.max_pixels : UN_IMAGE_MOST_PIXELS;
    UN_GO(un_image_check_size((size_t)image->Xsize, (size_t)image->Ysize, limit, p->name, out));
    UN_GO(check_fork(p, image));
    if (p->head) {
        layout l;
        UN_GO(layout_of(p, image, &l));
        *p->head = (un_image_head){(size_t)image->Xsize, (size_t)image->Ysize, 1};
        turn_head(p, image);
        goto done;
    }
    un_budget_return(opening); /* or its own share would keep this thread from waiting */
    opening = 0;
    UN_GO(decode_pixels(p, image, out, failed));
done:
    if (image) g_object_unref(image);
    un_budget_return(opening);
    return status;
}

static un_status decode_through_vips(const picture *p, un_image *out) {
    int failed = 0;
    un_vips_take(p->name, 0);
    un_status status = decode_once(p, out, &failed);
    un_vips_leave();
    if (failed) {
        char reason[REASON_LENGTH];
        un_vips_take(p->name, 1);
        vips_error_clear();
        status = decode_once(p, out, &failed);
        take_reason(reason);
        un_vips_leave();
        if (failed)
            status = un_fail(UNSEEN_E_FORMAT, "%s: the picture is damaged: %s", p->name,
                             reason[0] ? reason : "it cannot be decoded");
    }
    return status;
}

/* What the bytes are, and then all but BMP through libvips. */
static un_status decode(picture *p, const void *bytes, un_image *out) {
    unsigned char *copy = NULL;
    un_status status = UNSEEN_OK;
    memcpy(&p->bytes, &bytes, sizeof bytes); /* libvips takes pointers to non-const */
    p->kind = un_kind_of(bytes, p->size);
    size_t limit = p->options.max_pixels ? p->options.max_pixels : UN_IMAGE_MOST_PIXELS;
    if (p->kind == UN_KIND_BMP) return un_bmp_decode(p->bytes, p->size, p->name, limit, out);
    UN_TRY(un_vips_prepare(p->kind));
    if (!un_image_reads(p->kind)) return fail_unread(p);
    UN_GO(drop_transparency(p, &copy));
    status = decode_through_vips(p, out);
done:
    if (status == UNSEEN_E_MEMORY) status = un_fail_prefix(status, "%s", p->name);
    free(copy);
    return status;
}

un_status un_image_decode(const void *bytes, size_t size, const char *name,
                          const un_image_options *options, un_image *out) {
    picture p = {.size = size, .name = name};
    *out = (un_image){0};
    if (options) p.options = *options;
    return decode(&p, bytes, out);
}

un_status un_image_decode_head(const void *bytes, size_t size, const char *name,
                               un_image_head *out) {
    picture p = {.size = size, .name = name, .head = out};
    un_image whole = {0}; /* of a BMP, which is read at once */
    *out = (un_image_head){0};
    UN_TRY(decode(&p, bytes, &whole));
    if (whole.pixels) *out = (un_image_head){whole.width, whole.height, 1};
    un_image_free(&whole);
    return UNSEEN_OK;
}

/* ---- writing a JPEG ---- */

un_status un_image_jpeg(const un_image *image, int quality, unsigned char **bytes, size_t *size) {
    void *buffer = NULL;
    size_t n = 0;
    UN_TRY(un_image_prepare());
    un_vips_take(NULL, 0);
    VipsImage *saved =
        vips_image_new_from_memory(image->pixels, 3 * image->width * image->height,
                                   (int)image->width, (int)image->height, 3, VIPS_FORMAT_UCHAR);
    int failed = 1;
    if (saved) {
        /* Without this libvips takes three bands of unknown meaning and warns. */
        saved->Type = VIPS_INTERPRETATION_sRGB;
        failed = vips_jpegsave_buffer(saved, &buffer, &n, "Q", quality, "strip", TRUE,
                                      "optimize_coding", TRUE, NULL);
        g_object_unref(saved);
    }
    un_vips_leave();
    if (failed)
        return un_fail(UNSEEN_E_MEMORY, "a picture of %zu x %zu pixels cannot be written as JPEG",
                       image->width, image->height);
    un_status status = un_alloc(n, 1, bytes);
    if (!status) {
        memcpy(*bytes, buffer, n);
        *size = n;
    }
    g_free(buffer);
    return status;
}

/* ---- files ---- */

static const size_t LARGEST_FILE = (size_t)1 << 30;

un_status un_image_read(const char *path, const un_image_options *options, un_image *out) {
    char *bytes = NULL;
    size_t size = 0;
    *out = (un_image){0};
    UN_TRY(un_file_read(path, LARGEST_FILE, &bytes, &size));
    un_status status = un_image_decode(bytes, size, path, options, out);
    free(bytes);
    return status;
}

un_status un_image_read_head(const char *path, un_image_head *out) {
    char *bytes = NULL;
    size_t size = 0;
    *out = (un_image_head){0};
    UN_TRY(un_file_read(path, LARGEST_FILE, &bytes, &size));
    un_status status = un_image_decode_head(bytes, size, path, out);
    free(bytes);
    return status;
}
