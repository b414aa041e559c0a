/* canvas.c - see canvas.h. */
#include "picture/canvas.h"

#include <cairo.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/arena.h"
#include "base/file.h"
#include "picture/heat.h"

struct un_canvas {
    cairo_surface_t *surface;
    cairo_t *cairo;
};

static un_status fail_cairo(cairo_status_t status) {
    return un_fail(UNSEEN_E_MEMORY, "drawing failed: %s", cairo_status_to_string(status));
}

un_status un_canvas_create(size_t width, size_t height, un_canvas **out) {
    if (width == 0 || height == 0 || width > 30000 || height > 30000)
        return un_fail(UNSEEN_E_ARGUMENT, "a drawing of %zu x %zu pixels is not possible", width,
                       height);
    un_canvas *c = calloc(1, sizeof *c);
    if (!c) return un_fail_memory(sizeof *c);
    c->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)width, (int)height);
    c->cairo = cairo_create(c->surface);
    if (cairo_status(c->cairo)) {
        un_status status = fail_cairo(cairo_status(c->cairo));
        un_canvas_free(c);
        return status;
    }
    un_canvas_box(c, 0, 0, (double)width, (double)height, 0xFFFFFF);
    *out = c;
    return UNSEEN_OK;
}

void un_canvas_free(un_canvas *c) {
    if (!c) return;
    cairo_destroy(c->cairo);
    cairo_surface_destroy(c->surface);
    free(c);
}

static void set_colour(un_canvas *c, unsigned colour) {
    cairo_set_source_rgb(c->cairo, (colour >> 16 & 255) / 255.0, (colour >> 8 & 255) / 255.0,
                         (colour & 255) / 255.0);
}

void un_canvas_box(un_canvas *c, double x, double y, double width, double height, unsigned colour) {
    set_colour(c, colour);
    cairo_rectangle(c->cairo, x, y, width, height);
    cairo_fill(c->cairo);
}

un_status un_utf8_repair(const char *text, char **out) {
    size_t n = strlen(text), used = 0;
    UN_TRY(un_alloc(n + 1, 1, out));
    for (size_t i = 0; i < n;) {
        utf8proc_int32_t point = -1;
        utf8proc_ssize_t length =
            utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(n - i), &point);
        if (length <= 0 || point < 32) { /* control characters have no place in a picture */
            (*out)[used++] = length <= 0 ? '?' : ' ';
            i++;
            continue;
        }
        memcpy(*out + used, text + i, (size_t)length);
        used += (size_t)length;
        i += (size_t)length;
    }
    (*out)[used] = '\0';
    return UNSEEN_OK;
}

static double text_width(un_canvas *c, const char *text) {
    cairo_text_extents_t extents;
    cairo_text_extents(c->cairo, text, &extents);
    return extents.x_advance;
}

/* Cuts `text` (with room for the ellipsis) to the width. */
static void shorten(un_canvas *c, char *text, double width) {
    size_t n = strlen(text);
    if (text_width(c, text) <= width) return;
    while (n > 0) {
        do n--;
        while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80);
        memcpy(text + n, "…", sizeof "…");
        if (text_width(c, text) <= width) return;
    }
}

un_status un_canvas_text(un_canvas *c, double x, double y, const char *text,
                         const un_text_style *style) {
    char *good = NULL, *line = NULL;
    UN_TRY(un_utf8_repair(text, &good));
    un_status status = un_format(&line, "%s%s", good, "   "); /* room for the ellipsis */
    free(good);
    if (status) return status;
    line[strlen(line) - 3] = '\0';
    cairo_select_font_face(c->cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           style->bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(c->cairo, style->size);
    if (style->width > 0) shorten(c, line, style->width);
    double width = text_width(c, line);
    if (style->align == UN_RIGHT) x -= width;
    if (style->align == UN_CENTRE) x -= width / 2;
    set_colour(c, style->colour);
    cairo_move_to(c->cairo, x, y);
    cairo_show_text(c->cairo, line);
    free(line);
    return cairo_status(c->cairo) ? fail_cairo(cairo_status(c->cairo)) : UNSEEN_OK;
}

/* A cairo surface with the picture's pixels. */
static un_status surface_of(const un_image *picture, cairo_surface_t **out) {
    if (picture->width > 30000 || picture->height > 30000)
        return un_fail(UNSEEN_E_UNSUPPORTED, "a picture of %zu x %zu pixels is too large to draw",
                       picture->width, picture->height);
    cairo_surface_t *s =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)picture->width, (int)picture->height);
    if (cairo_surface_status(s)) {
        un_status status = fail_cairo(cairo_surface_status(s));
        cairo_surface_destroy(s);
        return status;
    }
    unsigned char *data = cairo_image_surface_get_data(s);
    size_t stride = (size_t)cairo_image_surface_get_stride(s);
    const unsigned char *in = picture->pixels;
    for (size_t y = 0; y < picture->height; y++) {
        for (size_t x = 0; x < picture->width; x++, in += 3) {
            uint32_t value = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
            memcpy(data + y * stride + 4 * x, &value, sizeof value);
        }
    }
    cairo_surface_mark_dirty(s);
    *out = s;
    return UNSEEN_OK;
}

un_status un_canvas_picture(un_canvas *c, double x, double y, double width, double height,
                            const un_image *picture) {
    cairo_surface_t *s = NULL;
    UN_TRY(surface_of(picture, &s));
    cairo_save(c->cairo);
    cairo_translate(c->cairo, x, y);
    cairo_scale(c->cairo, width / (double)picture->width, height / (double)picture->height);
    cairo_set_source_surface(c->cairo, s, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(c->cairo), CAIRO_FILTER_GOOD);
    cairo_pattern_set_extend(cairo_get_source(c->cairo), CAIRO_EXTEND_PAD);
    cairo_rectangle(c->cairo, 0, 0, (double)picture->width, (double)picture->height);
    cairo_fill(c->cairo);
    cairo_restore(c->cairo);
    cairo_surface_destroy(s);
    return cairo_status(c->cairo) ? fail_cairo(cairo_status(c->cairo)) : UNSEEN_OK;
}

void un_canvas_heat_scale(un_canvas *c, double x, double y, double width, double height) {
    for (int i = 0; i < (int)width; i++) {
        unsigned char rgb[3];
        un_heat_colour(width > 1 ? i / (width - 1) : 0, rgb);
        un_canvas_box(c, x + i, y, 1, height,
                      (unsigned)rgb[0] << 16 | (unsigned)rgb[1] << 8 | rgb[2]);
    }
}

/* What cairo writes goes into a stream in memory first: files appear whole. */
static cairo_status_t collect(void *closure, const unsigned char *data, unsigned length) {
    return fwrite(data, 1, length, closure) == length ? CAIRO_STATUS_SUCCESS
                                                      : CAIRO_STATUS_WRITE_ERROR;
}

static un_status write_surface(cairo_surface_t *surface, const char *path) {
    char *bytes = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&bytes, &size);
    if (!stream) return un_fail_memory(0);
    cairo_status_t drawn = cairo_surface_write_to_png_stream(surface, collect, stream);
    int closed = fclose(stream);
    un_status status = drawn         ? fail_cairo(drawn)
                       : closed != 0 ? un_fail_memory(0)
                                     : un_file_write(path, bytes, size);
    free(bytes);
    return status;
}

un_status un_canvas_write(un_canvas *c, const char *path) {
    cairo_surface_flush(c->surface);
    return write_surface(c->surface, path);
}

un_status un_image_write_png(const un_image *picture, const char *path) {
    cairo_surface_t *s = NULL;
    UN_TRY(surface_of(picture, &s));
    un_status status = write_surface(s, path);
    cairo_surface_destroy(s);
    return status;
}
