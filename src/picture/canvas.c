/* canvas.c - drawing with cairo, heat maps, sheets that explain, bar charts; see canvas.h. */
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

enum { MARGIN = 24, GAP = 8, SIDE = 200, TEXT = 44, COLUMN_GAP = 24, LEGEND = 44, SECTION = 40 };

static const unsigned INK = 0x1B1F24, SOFT = 0x57606A, FOR = 0x2166AC, AGAINST = 0xB2532B;

static un_text_style style(double size, int bold, unsigned colour, double width) {
    return (un_text_style){.size = size, .bold = bold, .colour = colour, .width = width};
}

/* How tiles are laid out. */
typedef struct {
    size_t columns, tile_width, tile_height, width, height;
} layout;

static layout lay_out(const un_sheet *s) {
    layout l = {.columns = s->branches > 1 ? 2 : 4, .tile_height = TEXT + SIDE + 2 * GAP};
    size_t branches = s->branches > 0 ? s->branches : 1;
    l.tile_width = branches * SIDE + (branches - 1) * GAP;
    l.width = 2 * MARGIN + l.columns * l.tile_width + (l.columns - 1) * COLUMN_GAP;
    l.height = 2 * MARGIN + SIDE + GAP;
    for (size_t i = 0; i < s->section_count; i++)
        l.height += SECTION + (s->sections[i].count + l.columns - 1) / l.columns * l.tile_height;
    if (s->section_count > 0) l.height += LEGEND;
    return l;
}

static un_status draw_tile(un_canvas *c, const un_sheet *s, const un_sheet_tile *tile, double x,
                           double y, double width) {
    un_text_style title = style(14, 1, INK, width), detail = style(12, 0, SOFT, width);
    UN_TRY(un_canvas_text(c, x, y + 14, tile->title, &title));
    UN_TRY(un_canvas_text(c, x, y + 32, tile->detail, &detail));
    for (size_t b = 0; b < s->branches; b++) {
        un_image heat;
        UN_TRY(un_heat_picture(s->crop, tile->maps + b * tile->stride, s->grid_height,
                               s->grid_width, &heat));
        un_status status =
            un_canvas_picture(c, x + (double)(b * (SIDE + GAP)), y + TEXT, SIDE, SIDE, &heat);
        un_image_free(&heat);
        if (status) return status;
    }
    return UNSEEN_OK;
}

static un_status draw_head(un_canvas *c, const un_sheet *s, const layout *l) {
    double x = MARGIN + SIDE + COLUMN_GAP, width = (double)l->width - x - MARGIN;
    un_text_style title = style(20, 1, INK, width), line = style(14, 0, SOFT, width);
    UN_TRY(un_canvas_picture(c, MARGIN, MARGIN, SIDE, SIDE, s->crop));
    UN_TRY(un_canvas_text(c, x, MARGIN + 24, s->title, &title));
    for (size_t i = 0; i < s->line_count; i++)
        UN_TRY(un_canvas_text(c, x, MARGIN + 54 + 22 * (double)i, s->lines[i], &line));
    return UNSEEN_OK;
}

static un_status draw_legend(un_canvas *c, const un_sheet *s, const layout *l, double y) {
    char text[256];
    un_text_style left = style(12, 0, SOFT, (double)l->width - 2 * MARGIN - 252);
    int used = snprintf(text, sizeof text, "attention: 0 to the map's highest value");
    if (s->branches == 2 && s->branch_titles)
        snprintf(text + used, sizeof text - (size_t)used, "; left: %.80s, right: %.80s",
                 s->branch_titles[0], s->branch_titles[1]);
    else if (s->branches > 1)
        snprintf(text + used, sizeof text - (size_t)used, "; branches from left to right");
    un_canvas_heat_scale(c, MARGIN, y, 240, 12);
    return un_canvas_text(c, MARGIN + 252, y + 11, text, &left);
}

static un_status draw_sheet(un_canvas *c, const un_sheet *s, const layout *l) {
    double y = MARGIN + SIDE + GAP;
    UN_TRY(draw_head(c, s, l));
    for (size_t i = 0; i < s->section_count; i++) {
        const un_sheet_section *section = &s->sections[i];
        un_text_style title = style(16, 1, INK, (double)(l->width - 2 * MARGIN));
        UN_TRY(un_canvas_text(c, MARGIN, y + 26, section->title, &title));
        y += SECTION;
        for (size_t k = 0; k < section->count; k++) {
            double x = MARGIN + (double)(k % l->columns * (l->tile_width + COLUMN_GAP));
            UN_TRY(draw_tile(c, s, &section->tiles[k], x, y, (double)l->tile_width));
            if (k % l->columns == l->columns - 1 || k + 1 == section->count)
                y += (double)l->tile_height;
        }
    }
    return s->section_count > 0 ? draw_legend(c, s, l, y + GAP) : UNSEEN_OK;
}

un_status un_sheet_write(const un_sheet *sheet, const char *path) {
    layout l = lay_out(sheet);
    un_canvas *canvas = NULL;
    UN_TRY(un_canvas_create(l.width, l.height, &canvas));
    un_status status = draw_sheet(canvas, sheet, &l);
    if (!status) status = un_canvas_write(canvas, path);
    un_canvas_free(canvas);
    return status;
}

/* ---- bars ---- */

enum { CHART_WIDTH = 860, NAMES = 330, VALUES = 70, BAR = 18, STEP = 26, TOP = 84 };

static un_status draw_bar(un_canvas *c, const char *name, double value, double scale, double y) {
    const double middle = MARGIN + NAMES + (CHART_WIDTH - 2 * MARGIN - NAMES) / 2.0;
    const double reach = (CHART_WIDTH - 2 * MARGIN - NAMES) / 2.0 - VALUES;
    double length = scale > 0 ? fabs(value) / scale * reach : 0;
    char text[32];
    un_text_style label = style(13, 0, INK, NAMES - 16), number = style(12, 0, SOFT, 0);
    un_canvas_box(c, value < 0 ? middle - length : middle, y, length, BAR,
                  value < 0 ? AGAINST : FOR);
    UN_TRY(un_canvas_text(c, MARGIN, y + 14, name, &label));
    snprintf(text, sizeof text, "%+.3g", value);
    if (value < 0) number.align = UN_RIGHT;
    return un_canvas_text(c, value < 0 ? middle - length - 6 : middle + length + 6, y + 14, text,
                          &number);
}

static un_status draw_chart(un_canvas *c, const un_bar_chart *chart, double height) {
    const double middle = MARGIN + NAMES + (CHART_WIDTH - 2 * MARGIN - NAMES) / 2.0;
    const double half = (CHART_WIDTH - 2 * MARGIN - NAMES) / 2.0;
    un_text_style title = style(18, 1, INK, CHART_WIDTH - 2 * MARGIN);
    un_text_style right = style(13, 1, FOR, half - 8), left = style(13, 1, AGAINST, half - 8);
    double scale = 0;
    left.align = UN_RIGHT;
    for (size_t i = 0; i < chart->count; i++) scale = fmax(scale, fabs((double)chart->values[i]));
    UN_TRY(un_canvas_text(c, MARGIN, MARGIN + 16, chart->title, &title));
    UN_TRY(un_canvas_text(c, middle + 6, MARGIN + 46, chart->for_text, &right));
    UN_TRY(un_canvas_text(c, middle - 6, MARGIN + 46, chart->against_text, &left));
    for (size_t i = 0; i < chart->count; i++)
        UN_TRY(
            draw_bar(c, chart->names[i], (double)chart->values[i], scale, TOP + STEP * (double)i));
    un_canvas_box(c, middle - 0.5, TOP - 6, 1, height - TOP - MARGIN + 6, SOFT);
    return UNSEEN_OK;
}

un_status un_bar_chart_write(const un_bar_chart *chart, const char *path) {
    size_t height = TOP + STEP * chart->count + MARGIN;
    un_canvas *canvas = NULL;
    UN_TRY(un_canvas_create(CHART_WIDTH, height, &canvas));
    un_status status = draw_chart(canvas, chart, (double)height);
    if (!status) status = un_canvas_write(canvas, path);
    un_canvas_free(canvas);
    return status;
}
