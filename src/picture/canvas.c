/* canvas.c - drawing with cairo, heat maps; see canvas.h. */
#include "picture/canvas.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/foreign/cairo.h"
#include "base/names.h"

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
    UN_TRY(un_foreign_need(UN_CAIRO));
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
        int32_t point = -1;
        size_t length = un_utf8_next(text + i, n - i, &point);
        if (length == 0 || point < 32) { /* control characters have no place in a picture */
            (*out)[used++] = length == 0 ? '?' : ' ';
            i++;
            continue;
        }
        memcpy(*out + used, text + i, length);
        used += length;
        i += length;
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

static void select_font(un_canvas *c, const un_text_style *style) {
    cairo_select_font_face(c->cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           style->bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(c->cairo, style->size);
}

un_status un_canvas_text(un_canvas *c, double x, double y, const char *text,
                         const un_text_style *style) {
    char *good = NULL, *line = NULL;
    UN_TRY(un_utf8_repair(text, &good));
    un_status status = un_format(&line, "%s%s", good, "   "); /* room for the ellipsis */
    free(good);
    if (status) return status;
    line[strlen(line) - 3] = '\0';
    select_font(c, style);
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

/* ---- text over several lines ---- */

static int is_break(const char *text, size_t at) {
    char before = text[at - 1];
    return before == ' ' || before == '-' || before == '_' || before == '/' ||
           (before == ':' && text[at] != ':');
}

static int is_inside(char c) { return ((unsigned char)c & 0xC0) == 0x80; } /* a character */

/* Where the first line of `text` ends: at the last break that fits into the width, else anywhere; at
 * least one character. `room` holds as many bytes as text. */
static size_t line_end(un_canvas *c, const char *text, double width, char *room) {
    size_t low = 0, high = strlen(text), end;
    while (low < high) { /* the longest piece that fits; widths grow with it */
        size_t middle = high - (high - low) / 2;
        while (is_inside(text[middle])) middle++; /* low and high are between characters */
        memcpy(room, text, middle);
        room[middle] = '\0';
        if (text_width(c, room) <= width) {
            low = middle;
        } else {
            high = middle - 1;
            while (is_inside(text[high])) high--;
        }
    }
    if (text[low] == '\0') return low;
    for (end = low; end > 0; end--)
        if (text[end] == ' ' || is_break(text, end)) return end;
    end = low > 0 ? low : 1;
    while (is_inside(text[end])) end++;
    return end;
}

/* Breaks `good`, which is UTF-8, into lines and draws them unless step is 0. */
static un_status break_lines(un_canvas *c, double x, double y, double step, char *good,
                             const un_text_style *style, size_t most, size_t *lines) {
    char *room = NULL;
    size_t n = 0;
    un_status status = un_alloc(strlen(good) + 1, 1, &room);
    select_font(c, style);
    for (char *at = good; !status && (*at || n == 0) && n < most; n++) {
        size_t end = line_end(c, at, style->width, room);
        char *next = at + end, kept = *next;
        if (n + 1 < most) *next = '\0'; /* the last line is shortened, with an ellipsis */
        if (step > 0) {
            status = un_canvas_text(c, x, y + (double)n * step, at, style);
            select_font(c, style);
        }
        if (n + 1 < most) *next = kept;
        at = next;
        while (*at == ' ') at++;
    }
    *lines = n;
    free(room);
    return status;
}

un_status un_canvas_paragraph(un_canvas *c, double x, double y, double step, const char *text,
                              const un_text_style *style, size_t most, size_t *lines) {
    char *good = NULL;
    size_t drawn = 0;
    UN_TRY(un_utf8_repair(text, &good));
    un_status status = break_lines(c, x, y, step, good, style, most, &drawn);
    if (lines) *lines = drawn;
    free(good);
    return status;
}

/* A cairo surface with the picture's pixels. */
static un_status surface_of(const un_image *picture, cairo_surface_t **out) {
    if (picture->width > 30000 || picture->height > 30000)
        return un_fail(UNSEEN_E_UNSUPPORTED, "a picture of %zu x %zu pixels is too large to draw",
                       picture->width, picture->height);
    UN_TRY(un_foreign_need(UN_CAIRO));
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

/* ---- heat maps ---- */

/* CIE 1976: the inverse of the cube root with its linear part near black. */
static double lab_inverse(double t) {
    const double knee = 6.0 / 29.0;
    return t > knee ? t * t * t : 3 * knee * knee * (t - 4.0 / 29.0);
}

/* IEC 61966-2-1. */
static unsigned char srgb_byte(double linear) {
    double v = linear <= 0.0031308 ? 12.92 * linear : 1.055 * pow(linear, 1 / 2.4) - 0.055;
    v = v < 0 ? 0 : v > 1 ? 1 : v;
    return (unsigned char)lround(255 * v);
}

void un_heat_colour(double t, unsigned char rgb[3]) {
    const double degree = acos(-1.0) / 180;
    t = t > 0 ? (t < 1 ? t : 1) : 0; /* NaN becomes 0 */
    double hue = (-60 + 155 * t) * degree, chroma = 45;
    double fy = (15 + 77 * t + 16) / 116;
    double x = 0.95047 * lab_inverse(fy + chroma * cos(hue) / 500); /* the white of D65 */
    double y = lab_inverse(fy);
    double z = 1.08883 * lab_inverse(fy - chroma * sin(hue) / 200);
    rgb[0] = srgb_byte(3.2406 * x - 1.5372 * y - 0.4986 * z);
    rgb[1] = srgb_byte(-0.9689 * x + 1.8758 * y + 0.0415 * z);
    rgb[2] = srgb_byte(0.0557 * x - 0.2040 * y + 1.0570 * z);
}

/* Keys's cubic convolution with a = -0.5 for the four neighbours of a point `f` past the second. */
static void cubic_weights(double f, double weight[4]) {
    double f2 = f * f, f3 = f2 * f;
    weight[0] = -0.5 * f3 + f2 - 0.5 * f;
    weight[1] = 1.5 * f3 - 2.5 * f2 + 1;
    weight[2] = -1.5 * f3 + 2 * f2 + 0.5 * f;
    weight[3] = 0.5 * f3 - 0.5 * f2;
}

static size_t within(double i, size_t n) {
    return i < 0 ? 0 : i > (double)(n - 1) ? n - 1 : (size_t)i;
}

un_status un_heat_enlarge(const float *map, size_t h, size_t w, size_t width, size_t height,
                          float *out) {
    float *rows = NULL; /* [h, width] */
    UN_TRY(un_alloc(h * width, sizeof *rows, &rows));
    for (size_t x = 0; x < width; x++) {
        double at = ((double)x + 0.5) * (double)w / (double)width - 0.5, weight[4];
        cubic_weights(at - floor(at), weight);
        for (size_t r = 0; r < h; r++) {
            double sum = 0;
            for (int k = 0; k < 4; k++)
                sum += weight[k] * (double)map[r * w + within(floor(at) + k - 1, w)];
            rows[r * width + x] = (float)sum;
        }
    }
    for (size_t y = 0; y < height; y++) {
        double at = ((double)y + 0.5) * (double)h / (double)height - 0.5, weight[4];
        cubic_weights(at - floor(at), weight);
        for (size_t x = 0; x < width; x++) {
            double sum = 0;
            for (int k = 0; k < 4; k++)
                sum += weight[k] * (double)rows[within(floor(at) + k - 1, h) * width + x];
            out[y * width + x] = sum > 0 ? (float)sum : 0;
        }
    }
    free(rows);
    return UNSEEN_OK;
}

/* One pixel: half of its colour is taken from the picture, which shows through most where there
 * is little attention. */
static void blend(const unsigned char *pixel, double t, unsigned char *out) {
    unsigned char heat[3];
    double alpha = 0.3 + 0.4 * t;
    double grey = 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
    un_heat_colour(t, heat);
    for (int c = 0; c < 3; c++) {
        double muted = 0.5 * (grey + pixel[c]);
        out[c] = (unsigned char)lround((1 - alpha) * muted + alpha * heat[c]);
    }
}

un_status un_heat_picture(const un_image *picture, const float *map, size_t h, size_t w,
                          un_image *out) {
    size_t n = picture->width * picture->height;
    float *values = NULL, top = 0;
    *out = (un_image){0};
    UN_TRY(un_alloc(n, sizeof *values, &values));
    un_status status = un_heat_enlarge(map, h, w, picture->width, picture->height, values);
    if (!status) status = un_image_create(picture->width, picture->height, out);
    for (size_t r = 0; r < h * w; r++)
        if (map[r] > top) top = map[r];
    for (size_t i = 0; i < n && !status; i++)
        blend(picture->pixels + 3 * i, top > 0 ? (double)(values[i] / top) : 0,
              out->pixels + 3 * i);
    free(values);
    return status;
}
