/* sheet.c - see sheet.h. */
#include "picture/sheet.h"

#include <math.h>
#include <stdio.h>

#include "picture/canvas.h"
#include "picture/heat.h"

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
