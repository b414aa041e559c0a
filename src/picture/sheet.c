/* sheet.c - sheets that explain and bar charts; see sheet.h. */
#include "picture/sheet.h"

#include <math.h>
#include <stdio.h>

enum { MARGIN = 24, GAP = 8, COLUMN_GAP = 24, SECTION = 40, HEAD_SIDE = 200, NARROWEST = 880 };
enum { TITLE_STEP = 18, DETAIL_STEP = 17, LINE_STEP = 20, MOST_LINES = 6 };
enum { SCALE_WIDTH = 240, SCALE_HEIGHT = 12 };

static const unsigned INK = 0x1B1F24, SOFT = 0x57606A, FOR = 0x2166AC, AGAINST = 0xB2532B;

static un_text_style style(double size, int bold, unsigned colour, double width) {
    return (un_text_style){.size = size, .bold = bold, .colour = colour, .width = width};
}

static un_text_style title_style(double width) { return style(14, 1, INK, width); }
static un_text_style detail_style(double width) { return style(13, 0, SOFT, width); }

/* How a sheet is laid out. The text of a tile is over its maps, or left of them where there are
 * more than two. */
typedef struct {
    int beside;
    size_t columns, side, text_width, title_lines, text_height, tile_width, tile_height;
    size_t head_height, legend_height, width, height;
} layout;

/* ---- the head: the picture, and lines beside it ---- */

/* Draws unless `draw` is 0; returns in *height what it takes. */
static un_status head(un_canvas *c, const un_sheet *s, size_t sheet_width, int draw,
                      size_t *height) {
    const double x = MARGIN + HEAD_SIDE + COLUMN_GAP, width = (double)sheet_width - x - MARGIN;
    un_text_style title = style(20, 1, INK, width), line = style(14, 0, SOFT, width);
    size_t lines = 0;
    double y = MARGIN + 20;
    if (draw) UN_TRY(un_canvas_picture(c, MARGIN, MARGIN, HEAD_SIDE, HEAD_SIDE, s->crop));
    UN_TRY(un_canvas_paragraph(c, x, y, draw ? 26 : 0, s->title, &title, MOST_LINES, &lines));
    y += 26 * (double)lines + 4;
    for (size_t i = 0; i < s->line_count; i++) {
        UN_TRY(un_canvas_paragraph(c, x, y, draw ? LINE_STEP : 0, s->lines[i], &line, MOST_LINES,
                                   &lines));
        y += LINE_STEP * (double)lines + 2;
    }
    size_t text = (size_t)y - LINE_STEP - MARGIN + GAP;
    *height = text > HEAD_SIDE ? text : HEAD_SIDE;
    return UNSEEN_OK;
}

/* ---- the legend: what colours mean, and what each map of a row is of ---- */

static un_status legend(un_canvas *c, const un_sheet *s, size_t sheet_width, double y, int draw,
                        size_t *height) {
    char text[512];
    const double x = MARGIN + SCALE_WIDTH + 12;
    un_text_style soft = style(13, 0, SOFT, (double)sheet_width - MARGIN - x);
    size_t lines = 0, used = 0;
    *height = 0;
    if (s->branches == 0 || s->section_count == 0) return UNSEEN_OK;
    used =
        (size_t)snprintf(text, sizeof text, "attention, from 0 to the highest value of each map");
    for (size_t b = 0; b < s->branches && s->branches > 1 && s->branch_titles; b++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s%zu %.80s",
                             b > 0 ? "; " : ". From left to right: ", b + 1, s->branch_titles[b]);
    if (draw) un_canvas_heat_scale(c, MARGIN, y + GAP, SCALE_WIDTH, SCALE_HEIGHT);
    UN_TRY(un_canvas_paragraph(c, x, y + GAP + 11, draw ? DETAIL_STEP : 0, text, &soft, MOST_LINES,
                               &lines));
    *height = lines * DETAIL_STEP + GAP;
    return UNSEEN_OK;
}

/* ---- tiles ---- */

/* The height of the text of any tile, titles above details. */
static un_status measure_text(un_canvas *c, const un_sheet *s, layout *l) {
    un_text_style title = title_style((double)l->text_width);
    un_text_style detail = detail_style((double)l->text_width);
    size_t lines = 0, details = 0;
    for (size_t i = 0; i < s->section_count; i++)
        for (size_t k = 0; k < s->sections[i].count; k++) {
            const un_sheet_tile *tile = &s->sections[i].tiles[k];
            UN_TRY(un_canvas_paragraph(c, 0, 0, 0, tile->title, &title, MOST_LINES, &lines));
            if (lines > l->title_lines) l->title_lines = lines;
            UN_TRY(un_canvas_paragraph(c, 0, 0, 0, tile->detail, &detail, MOST_LINES, &lines));
            if (lines > details) details = lines;
        }
    l->text_height = l->title_lines * TITLE_STEP + details * DETAIL_STEP + GAP;
    return UNSEEN_OK;
}

/* `probe` is any canvas to measure text with. */
static un_status lay_out(un_canvas *probe, const un_sheet *s, layout *l) {
    static const size_t columns[] = {3, 4, 2, 1}; /* by branches */
    *l = (layout){.beside = s->branches > 2, .columns = columns[s->branches < 3 ? s->branches : 3]};
    l->side = s->branches == 0 ? 0 : l->beside ? 150 : 200;
    size_t maps = s->branches > 0 ? s->branches * (l->side + GAP) - GAP : 0;
    l->text_width = l->beside ? 200 : maps > 0 ? maps : 260;
    l->tile_width = l->beside ? l->text_width + GAP + maps : l->text_width;
    l->width = 2 * MARGIN + l->columns * l->tile_width + (l->columns - 1) * COLUMN_GAP;
    if (l->width < NARROWEST) l->width = NARROWEST;
    UN_TRY(measure_text(probe, s, l));
    UN_TRY(head(probe, s, l->width, 0, &l->head_height));
    UN_TRY(legend(probe, s, l->width, 0, 0, &l->legend_height));
    l->tile_height = !l->beside                 ? l->text_height + l->side
                     : l->text_height > l->side ? l->text_height
                                                : l->side;
    l->tile_height += l->beside ? GAP : 2 * GAP;
    l->height = 2 * MARGIN + l->head_height + GAP + l->legend_height;
    for (size_t i = 0; i < s->section_count; i++)
        l->height +=
            SECTION + (s->sections[i].count + l->columns - 1) / l->columns * l->tile_height;
    return UNSEEN_OK;
}

static un_status draw_tile(un_canvas *c, const un_sheet *s, const layout *l,
                           const un_sheet_tile *tile, double x, double y) {
    un_text_style title = title_style((double)l->text_width);
    un_text_style detail = detail_style((double)l->text_width);
    const double side = (double)l->side;
    size_t lines = 0;
    UN_TRY(un_canvas_paragraph(c, x, y + 14, TITLE_STEP, tile->title, &title, MOST_LINES, &lines));
    if (!l->beside) lines = l->title_lines; /* details of a row are on one line */
    UN_TRY(un_canvas_paragraph(c, x, y + 14 + TITLE_STEP * (double)lines, DETAIL_STEP, tile->detail,
                               &detail, MOST_LINES, NULL));
    if (l->beside)
        x += (double)(l->text_width + GAP);
    else
        y += (double)l->text_height;
    for (size_t b = 0; b < s->branches; b++) {
        un_image heat;
        UN_TRY(un_heat_picture(s->crop, tile->maps + b * tile->stride, s->grid_height,
                               s->grid_width, &heat));
        un_status status = un_canvas_picture(c, x + (double)b * (side + GAP), y, side, side, &heat);
        un_image_free(&heat);
        if (status) return status;
    }
    return UNSEEN_OK;
}

/* ---- the sheet ---- */

static un_status draw_sheet(un_canvas *c, const un_sheet *s, const layout *l) {
    double y = MARGIN + (double)l->head_height + GAP;
    size_t height = 0;
    UN_TRY(head(c, s, l->width, 1, &height));
    UN_TRY(legend(c, s, l->width, y, 1, &height));
    y += (double)height;
    for (size_t i = 0; i < s->section_count; i++) {
        const un_sheet_section *section = &s->sections[i];
        un_text_style title = style(16, 1, INK, (double)(l->width - 2 * MARGIN));
        UN_TRY(un_canvas_text(c, MARGIN, y + 26, section->title, &title));
        y += SECTION;
        for (size_t k = 0; k < section->count; k++) {
            double x = MARGIN + (double)(k % l->columns * (l->tile_width + COLUMN_GAP));
            UN_TRY(draw_tile(c, s, l, &section->tiles[k], x, y));
            if (k % l->columns == l->columns - 1 || k + 1 == section->count)
                y += (double)l->tile_height;
        }
    }
    return UNSEEN_OK;
}

un_status un_sheet_write(const un_sheet *sheet, const char *path) {
    layout l;
    un_canvas *probe = NULL, *canvas = NULL;
    UN_TRY(un_canvas_create(1, 1, &probe));
    un_status status = lay_out(probe, sheet, &l);
    if (!status) status = un_canvas_create(l.width, l.height, &canvas);
    if (!status) status = draw_sheet(canvas, sheet, &l);
    if (!status) status = un_canvas_write(canvas, path);
    un_canvas_free(canvas);
    un_canvas_free(probe);
    return status;
}

/* ---- bars ---- */

enum { CHART_WIDTH = 860, NAMES = 330, VALUES = 70, BAR = 18, STEP = 26 };

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

/* What stands over the bars takes as many lines as it needs, the last just above them. */
typedef struct {
    size_t title, sides; /* lines of the title, and of the longer one of the two sides */
    double top;          /* of the bars */
} chart_head;

static const double HALF = (CHART_WIDTH - 2 * MARGIN - NAMES) / 2.0;

static un_text_style side_style(unsigned colour, un_align align) {
    un_text_style s = style(13, 1, colour, HALF - 8);
    s.align = align;
    return s;
}

static un_status measure_head(un_canvas *c, const un_bar_chart *chart, chart_head *h) {
    un_text_style title = style(18, 1, INK, CHART_WIDTH - 2 * MARGIN);
    un_text_style side = side_style(FOR, UN_LEFT);
    size_t yes = 0, no = 0;
    *h = (chart_head){0};
    UN_TRY(un_canvas_paragraph(c, 0, 0, 0, chart->title, &title, MOST_LINES, &h->title));
    UN_TRY(un_canvas_paragraph(c, 0, 0, 0, chart->for_text, &side, MOST_LINES, &yes));
    UN_TRY(un_canvas_paragraph(c, 0, 0, 0, chart->against_text, &side, MOST_LINES, &no));
    h->sides = yes > no ? yes : no;
    h->top = MARGIN + 24 * (double)h->title + LINE_STEP * (double)h->sides + 16;
    return UNSEEN_OK;
}

static un_status draw_chart(un_canvas *c, const un_bar_chart *chart, const chart_head *h,
                            double height) {
    const double middle = MARGIN + NAMES + HALF, y = MARGIN + 24 * (double)h->title + 22;
    un_text_style title = style(18, 1, INK, CHART_WIDTH - 2 * MARGIN);
    un_text_style right = side_style(FOR, UN_LEFT), left = side_style(AGAINST, UN_RIGHT);
    double scale = 0;
    for (size_t i = 0; i < chart->count; i++) scale = fmax(scale, fabs((double)chart->values[i]));
    UN_TRY(un_canvas_paragraph(c, MARGIN, MARGIN + 16, 24, chart->title, &title, MOST_LINES, NULL));
    UN_TRY(un_canvas_paragraph(c, middle + 6, y, LINE_STEP, chart->for_text, &right, MOST_LINES,
                               NULL));
    UN_TRY(un_canvas_paragraph(c, middle - 6, y, LINE_STEP, chart->against_text, &left, MOST_LINES,
                               NULL));
    for (size_t i = 0; i < chart->count; i++)
        UN_TRY(draw_bar(c, chart->names[i], (double)chart->values[i], scale,
                        h->top + STEP * (double)i));
    un_canvas_box(c, middle - 0.5, h->top - 6, 1, height - h->top - MARGIN + 6, SOFT);
    return UNSEEN_OK;
}

un_status un_bar_chart_write(const un_bar_chart *chart, const char *path) {
    chart_head h;
    double height = 0;
    un_canvas *probe = NULL, *canvas = NULL;
    UN_TRY(un_canvas_create(1, 1, &probe));
    un_status status = measure_head(probe, chart, &h);
    if (!status) height = h.top + (double)(STEP * chart->count) + MARGIN;
    if (!status) status = un_canvas_create(CHART_WIDTH, (size_t)height, &canvas);
    if (!status) status = draw_chart(canvas, chart, &h, height);
    if (!status) status = un_canvas_write(canvas, path);
    un_canvas_free(canvas);
    un_canvas_free(probe);
    return status;
}
