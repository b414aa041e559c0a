/*
 * sheet.h - one picture that shows why: what the network saw, where it read each attribute, and a
 * chart of what each attribute did for one class against another. Nothing is cut: what is too long
 * for its place takes more lines.
 */
#ifndef UN_PICTURE_SHEET_H
#define UN_PICTURE_SHEET_H

#include "picture/canvas.h"

/* An attribute and its maps, one for each branch. */
typedef struct {
    const char *title, *detail;
    const float *maps; /* of the first branch, [h, w]; NULL where the sheet has no branches */
    size_t stride;     /* values from one branch to the next */
} un_sheet_tile;

typedef struct {
    const char *title;
    const un_sheet_tile *tiles;
    size_t count;
} un_sheet_section;

typedef struct {
    const un_image *crop;
    const char *title;
    const char *const *lines; /* beside the picture */
    size_t line_count;
    size_t branches, grid_height, grid_width;
    const char *const *branch_titles; /* [branches] what each shows; NULL: numbers */
    const un_sheet_section *sections;
    size_t section_count;
} un_sheet;

/* A PNG file, atomically. Each map has its own scale, from 0 to its highest value. */
un_status un_sheet_write(const un_sheet *sheet, const char *path);

/* A bar for each of `count` named values, to the right of a common zero if positive, to the left
 * if negative; a PNG file, atomically. `for_text` and `against_text` say what the sides mean. */
typedef struct {
    const char *title, *for_text, *against_text;
    const char *const *names;
    const float *values;
    size_t count;
} un_bar_chart;
un_status un_bar_chart_write(const un_bar_chart *chart, const char *path);

#endif
