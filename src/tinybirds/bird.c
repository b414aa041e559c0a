/*
 * bird.c - the geometry of a bird and how it is painted; see bird.h.
 *
 * From back to front: tail, legs, body (back, belly, breast), wing, head. Every part is
 * filled in its colour, roughened by strokes of feathers, then shaded as a round body.
 * The borders of breast and belly are fringed, so that they are not cut with a knife.
 */
#include "tinybirds/bird.h"

#include <math.h>
#include <stddef.h>

static const double PI = 3.14159265358979323846;

/* Where the head is, and where legs and tail leave the body. */
static const double HEAD_X = 0.37, HEAD_Y = -0.36;
static const double HIP_X = 0.00, HIP_Y = 0.26;
static const double TAIL_X = -0.44, TAIL_Y = 0.03;
static const un_color BLACK = {0.05, 0.05, 0.06};

static un_color shade_of(const un_bird *bird, size_t group, un_rng *rng, double amount) {
    const un_attribute_group *g = &un_attribute_groups[group];
    return un_color_vary(un_palette[g->color[bird->value[group]]], rng, amount);
}

static void sample_colors(un_bird *b, un_rng *rng) {
    static const unsigned char groups[][2] = {
        {UN_PART_BILL, UN_GROUP_BILL_COLOR},     {UN_PART_CROWN, UN_GROUP_CROWN_COLOR},
        {UN_PART_BREAST, UN_GROUP_BREAST_COLOR}, {UN_PART_BELLY, UN_GROUP_BELLY_COLOR},
        {UN_PART_BACK, UN_GROUP_BACK_COLOR},     {UN_PART_WING, UN_GROUP_WING_COLOR},
        {UN_PART_TAIL, UN_GROUP_TAIL_COLOR},     {UN_PART_LEGS, UN_GROUP_LEG_COLOR}};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        b->color[groups[i][0]] = shade_of(b, groups[i][1], rng, 0.09);
    b->color[UN_PART_EYE] = un_color_mix(BLACK, un_palette[UN_BROWN], 0.25);
    b->ring = (un_color){0.97, 0.96, 0.92};
    b->face = un_color_mix(b->color[UN_PART_BREAST], b->color[UN_PART_BACK], 0.18);
    int pale = un_color_lightness(b->color[UN_PART_BREAST]) > 0.42;
    b->marks = pale ? (un_color){0.16, 0.11, 0.09} : (un_color){0.95, 0.92, 0.84};
    b->bars = (un_color){0.95, 0.92, 0.82};
}

void un_bird_create(un_bird *b, const un_kind *kind, const unsigned char value[UN_GROUP_COUNT],
                    double size, un_rng *rng) {
    *b = (un_bird){.facing = un_chance(rng, 0.5) ? 1 : -1};
    for (size_t g = 0; g < UN_GROUP_COUNT; g++) b->value[g] = value[g];
    int small = value[UN_GROUP_SIZE] == UN_SMALL;
    sample_colors(b, rng);
    b->plump = kind->plump * un_between(rng, 0.96, 1.05) * (small ? 1.06 : 0.94);
    b->head = kind->head * un_between(rng, 0.97, 1.03) * (small ? 0.285 : 0.225);
    b->leg = kind->leg * (small ? 0.22 : 0.25);
    b->length = size * (small ? un_between(rng, 0.31, 0.38) : un_between(rng, 0.38, 0.46));
    b->tilt = un_between(rng, 0.05, 0.75);
    b->nod = un_between(rng, -0.25, 0.30);
    b->looks_back = un_chance(rng, 0.12);
    b->droop = un_between(rng, -0.20, 0.25);
    double hip = HIP_Y * b->plump * cos(b->tilt) - HIP_X * sin(b->tilt);
    b->foot = b->length * (hip + b->leg);
    b->strokes = un_rng_u64(rng);
}

static double tail_length(const un_bird *b) {
    static const double length[] = {[UN_FORKED] = 0.62, [UN_ROUNDED] = 0.50, [UN_POINTED] = 0.82};
    return length[b->value[UN_GROUP_TAIL_SHAPE]];
}

static double bill_length(const un_bird *b) {
    static const double length[] = {[UN_CONE] = 0.60, [UN_DAGGER] = 1.25, [UN_HOOKED] = 0.78};
    return length[b->value[UN_GROUP_BILL_SHAPE]] * b->head;
}

static void stretch(double extent[4], double x, double y) {
    extent[0] = fmin(extent[0], x);
    extent[1] = fmin(extent[1], y);
    extent[2] = fmax(extent[2], x);
    extent[3] = fmax(extent[3], y);
}

void un_bird_extent(const un_bird *b, double extent[4]) {
    double c = cos(b->tilt);
    double s = sin(b->tilt);
    double reach = b->head + bill_length(b);
    double tail = tail_length(b);
    double half = b->value[UN_GROUP_TAIL_SHAPE] == UN_POINTED ? 0.05 : 0.19;
    double along[2] = {-tail * cos(b->droop), tail * sin(b->droop)};
    double across[2] = {half * sin(b->droop), half * cos(b->droop)};
    /* both corners of the tail, front and underside of the body, in the body's frame */
    const double points[][2] = {{TAIL_X + along[0] + across[0], TAIL_Y + along[1] + across[1]},
                                {TAIL_X + along[0] - across[0], TAIL_Y + along[1] - across[1]},
                                {0.57, -0.10},
                                {0.0, 0.33},
                                {-0.4, 0.2}};
    for (int i = 0; i < 4; i++) extent[i] = 0;
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        double x = points[i][0];
        double y = points[i][1] * b->plump;
        stretch(extent, x * c + y * s, -x * s + y * c);
    }
    double hx = HEAD_X * c + HEAD_Y * b->plump * s;
    double hy = -HEAD_X * s + HEAD_Y * b->plump * c;
    stretch(extent, hx + (b->looks_back ? -reach : reach), hy - 1.15 * b->head);
    double crest = b->value[UN_GROUP_HEAD_PATTERN] == UN_CRESTED ? b->head : 0;
    stretch(extent, hx + 1.1 * b->head + 0.6 * crest, hy - 1.1 * b->head - 0.9 * crest);
    extent[3] = fmax(extent[3], b->foot / b->length + 0.03);
    for (int i = 0; i < 4; i++) extent[i] *= b->length;
    if (b->facing > 0) return;
    double left = extent[0];
    extent[0] = -extent[2];
    extent[2] = -left;
}

/* ---- shapes: each leaves a path ---- */

static void body_path(cairo_t *cr) {
    cairo_move_to(cr, -0.54, -0.02);
    cairo_curve_to(cr, -0.36, -0.20, -0.14, -0.36, 0.16, -0.47);
    cairo_curve_to(cr, 0.34, -0.54, 0.52, -0.44, 0.55, -0.24);
    cairo_curve_to(cr, 0.62, -0.02, 0.50, 0.20, 0.29, 0.28);
    cairo_curve_to(cr, 0.06, 0.36, -0.26, 0.28, -0.54, 0.07);
    cairo_close_path(cr);
}

/* The border of breast and belly, from the wing down and forward. */
static const double BORDER[4] = {0.13, 0.00, 0.30, 0.42};

/* Reaches under the breast, but not to where breast and back meet: it would shine through. */
static void belly_path(cairo_t *cr) {
    cairo_move_to(cr, BORDER[0] + 0.05, 0.04);
    cairo_line_to(cr, -0.65, 0.04);
    cairo_line_to(cr, -0.65, 0.60);
    cairo_line_to(cr, BORDER[2] + 0.10, 0.60);
    cairo_line_to(cr, BORDER[2] + 0.05, 0.42);
    cairo_close_path(cr);
}

static void breast_path(cairo_t *cr) {
    cairo_move_to(cr, 0.80, -0.60);
    cairo_curve_to(cr, 0.40, -0.36, 0.22, -0.20, BORDER[0], BORDER[1]);
    cairo_line_to(cr, BORDER[2], BORDER[3]);
    cairo_line_to(cr, 0.80, 0.42);
    cairo_close_path(cr);
}

static void wing_path(cairo_t *cr) {
    cairo_move_to(cr, 0.26, -0.12);
    cairo_curve_to(cr, 0.15, -0.25, -0.20, -0.20, -0.72, 0.07);
    cairo_curve_to(cr, -0.50, 0.13, -0.12, 0.18, 0.10, 0.10);
    cairo_curve_to(cr, 0.22, 0.06, 0.30, -0.02, 0.26, -0.12);
    cairo_close_path(cr);
}

/* Along +x from the rump, `length` long. */
static void tail_path(cairo_t *cr, unsigned shape, double length) {
    double w = 0.055;
    cairo_move_to(cr, 0, -w);
    if (shape == UN_FORKED) {
        cairo_curve_to(cr, 0.3 * length, -w, 0.7 * length, -0.09, length, -0.19);
        cairo_line_to(cr, 0.66 * length, 0);
        cairo_line_to(cr, length, 0.19);
        cairo_curve_to(cr, 0.7 * length, 0.09, 0.3 * length, w, 0, w);
    } else if (shape == UN_ROUNDED) {
        cairo_line_to(cr, 0.72 * length, -0.17);
        cairo_curve_to(cr, 1.05 * length, -0.17, 1.05 * length, 0.17, 0.72 * length, 0.17);
        cairo_line_to(cr, 0, w);
    } else {
        cairo_curve_to(cr, 0.3 * length, -0.11, 0.5 * length, -0.07, length, 0);
        cairo_curve_to(cr, 0.5 * length, 0.07, 0.3 * length, 0.11, 0, w);
    }
    cairo_close_path(cr);
}

/* In the head's frame, whose unit is the radius of the head; the bill points to +x. */
static void bill_path(cairo_t *cr, unsigned shape) {
    if (shape == UN_CONE) {
        cairo_move_to(cr, 0.80, -0.26);
        cairo_curve_to(cr, 1.05, -0.26, 1.35, -0.06, 1.52, 0.14);
        cairo_curve_to(cr, 1.30, 0.26, 1.00, 0.36, 0.80, 0.38);
    } else if (shape == UN_DAGGER) {
        cairo_move_to(cr, 0.84, -0.11);
        cairo_line_to(cr, 2.20, 0.08);
        cairo_line_to(cr, 0.84, 0.24);
    } else {
        cairo_move_to(cr, 0.80, -0.24);
        cairo_curve_to(cr, 1.25, -0.32, 1.66, -0.20, 1.60, 0.52);
        cairo_curve_to(cr, 1.45, 0.22, 1.20, 0.24, 0.80, 0.32);
    }
    cairo_close_path(cr);
}

static void crown_path(cairo_t *cr) {
    cairo_move_to(cr, 1.05, -0.14);
    cairo_curve_to(cr, 0.60, -0.34, 0.10, -0.42, -0.25, -0.12);
    cairo_curve_to(cr, -0.50, 0.10, -0.62, 0.40, -0.72, 0.70);
    cairo_line_to(cr, -1.30, 0.60);
    cairo_line_to(cr, -1.20, -1.30);
    cairo_line_to(cr, 1.10, -1.30);
    cairo_close_path(cr);
}

static void head_path(cairo_t *cr) {
    cairo_save(cr);
    cairo_scale(cr, 1.07, 1.0);
    cairo_new_path(cr);
    cairo_arc(cr, 0, 0, 1, 0, 2 * PI);
    cairo_restore(cr);
}

static void crest_path(cairo_t *cr) {
    cairo_move_to(cr, 0.42, -0.86);
    cairo_curve_to(cr, 0.05, -1.35, -0.40, -1.60, -0.95, -1.72);
    cairo_line_to(cr, -0.72, -1.38);
    cairo_line_to(cr, -1.30, -1.36);
    cairo_line_to(cr, -0.92, -1.06);
    cairo_line_to(cr, -1.42, -0.86);
    cairo_line_to(cr, -0.80, -0.55);
    cairo_close_path(cr);
}

static void oval(cairo_t *cr, double x, double y, double rx, double ry) {
    cairo_save(cr);
    cairo_translate(cr, x, y);
    cairo_scale(cr, rx, ry);
    cairo_new_sub_path(cr);
    cairo_arc(cr, 0, 0, 1, 0, 2 * PI);
    cairo_restore(cr);
}

/* ---- painting ---- */

/* What the painters share. */
typedef struct {
    const un_bird *bird;
    un_brush brush;
    cairo_t *cr;
    un_rng texture; /* of feathers: not drawn in a map */
    un_rng shape;   /* of fringes and marks: the same in both */
    double lx, ly;  /* the light */
} painter;

static void fill(painter *p, unsigned part, un_color color) {
    un_brush_set(&p->brush, part, color, 1);
    cairo_fill(p->cr);
}

/* Strokes of `color` across the line from (x0, y0) to (x1, y1), pointing along `angle`. */
static void fringe(painter *p, unsigned part, un_color color, const double line[4], double angle,
                   double length) {
    enum { STROKES = 22 };
    cairo_new_path(p->cr);
    for (int i = 0; i < STROKES; i++) {
        double t = (i + un_rng_uniform(&p->shape)) / STROKES;
        double x = line[0] + t * (line[2] - line[0]);
        double y = line[1] + t * (line[3] - line[1]);
        double reach = length * un_between(&p->shape, 0.4, 1.2);
        double turn = angle + un_between(&p->shape, -0.3, 0.3);
        cairo_move_to(p->cr, x - 0.02 * cos(angle), y - 0.02 * sin(angle));
        cairo_line_to(p->cr, x + reach * cos(turn), y + reach * sin(turn));
    }
    un_brush_set(&p->brush, part, color, 1);
    cairo_set_line_width(p->cr, 0.026);
    cairo_stroke(p->cr);
}

static void paint_tail(painter *p) {
    const un_bird *b = p->bird;
    unsigned shape = b->value[UN_GROUP_TAIL_SHAPE];
    double length = tail_length(b);
    cairo_t *cr = p->cr;
    cairo_save(cr);
    cairo_translate(cr, TAIL_X, TAIL_Y);
    cairo_rotate(cr, PI - b->droop);
    tail_path(cr, shape, length);
    un_brush_set(&p->brush, UN_PART_TAIL, b->color[UN_PART_TAIL], 1);
    cairo_fill_preserve(cr);
    if (!p->brush.identify) {
        cairo_clip(cr);
        for (int i = -3; i <= 3; i++) { /* the shafts of its feathers */
            cairo_move_to(cr, 0, 0.012 * i);
            cairo_line_to(cr, 1.1 * length, (shape == UN_POINTED ? 0.016 : 0.055) * i);
        }
        cairo_set_source_rgba(cr, 0, 0, 0, 0.28);
        cairo_set_line_width(cr, 0.012);
        cairo_stroke(cr);
        cairo_rectangle(cr, -0.1, -0.4, 0.35, 0.8); /* the body's shadow */
        cairo_pattern_t *shadow = cairo_pattern_create_linear(0, 0, 0.25, 0);
        cairo_pattern_add_color_stop_rgba(shadow, 0, 0, 0, 0, 0.45);
        cairo_pattern_add_color_stop_rgba(shadow, 1, 0, 0, 0, 0);
        cairo_set_source(cr, shadow);
        cairo_fill(cr);
        cairo_pattern_destroy(shadow);
    }
    cairo_restore(cr);
}

/* In the upright frame, from the hip to the foot; `near` is the leg on our side. */
static void paint_leg(painter *p, double x, double y, double foot_x, double foot_y, int near) {
    cairo_t *cr = p->cr;
    un_color color = p->bird->color[UN_PART_LEGS];
    if (!near) color = un_color_mix(color, BLACK, 0.30);
    cairo_new_path(cr);
    cairo_move_to(cr, x, y);
    cairo_line_to(cr, x - 0.02, 0.5 * (y + foot_y));
    cairo_line_to(cr, foot_x, foot_y);
    un_brush_set(&p->brush, UN_PART_LEGS, color, 1);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    cairo_set_line_cap(cr, CAIRO_LINE_CAP_ROUND);
    cairo_set_line_width(cr, 0.036);
    cairo_stroke(cr);
    for (int toe = -1; toe <= 2; toe++) {
        cairo_move_to(cr, foot_x, foot_y - 0.01);
        cairo_curve_to(cr, foot_x + 0.03 * toe, foot_y - 0.02, foot_x + 0.045 * toe, foot_y,
                       foot_x + 0.05 * toe, foot_y + 0.035);
    }
    cairo_set_line_width(cr, 0.028);
    cairo_stroke(cr);
}

static void paint_marks(painter *p) {
    const un_bird *b = p->bird;
    cairo_t *cr = p->cr;
    unsigned pattern = b->value[UN_GROUP_BREAST_PATTERN];
    if (pattern == UN_SOLID) return;
    cairo_new_path(cr);
    for (int row = 0; row < 6; row++)
        for (int column = 0; column < 5; column++) {
            double x =
                0.16 + 0.085 * column + 0.04 * (row & 1) + un_between(&p->shape, -0.012, 0.012);
            double y = -0.20 + 0.085 * row + un_between(&p->shape, -0.012, 0.012);
            if (pattern == UN_SPOTTED) {
                oval(cr, x, y, 0.020, 0.020);
            } else {
                cairo_move_to(cr, x + 0.03, y - 0.045);
                cairo_line_to(cr, x - 0.01, y + 0.035);
            }
        }
    un_brush_set(&p->brush, UN_PART_BREAST, b->marks, 0.92);
    cairo_set_line_width(cr, 0.026);
    if (pattern == UN_SPOTTED)
        cairo_fill(cr);
    else
        cairo_stroke(cr);
}

static void paint_breast(painter *p) {
    const un_bird *b = p->bird;
    cairo_t *cr = p->cr;
    cairo_save(cr);
    breast_path(cr);
    fill(p, UN_PART_BREAST, b->color[UN_PART_BREAST]);
    fringe(p, UN_PART_BREAST, b->color[UN_PART_BREAST], BORDER, PI * 0.90, 0.05);
    breast_path(cr);
    cairo_clip(cr);
    un_brush_feathers(&p->brush, &p->texture, (const double[]){0.05, -0.45, 0.62, 0.42}, 0.045, 1.9,
                      0.10);
    paint_marks(p);
    cairo_restore(cr);
}

/* Painted aside and then cut out in one go: cut one by one, back and belly would shine through
 * the soft outline of the breast. */
static void paint_body(painter *p) {
    const un_bird *b = p->bird;
    cairo_t *cr = p->cr;
    cairo_save(cr);
    cairo_rectangle(cr, -0.6, -0.6, 1.25, 1.0);
    cairo_clip(cr);
    cairo_push_group(cr);
    if (p->brush.identify) cairo_set_antialias(cr, CAIRO_ANTIALIAS_NONE);
    un_brush_set(&p->brush, UN_PART_BACK, b->color[UN_PART_BACK], 1);
    cairo_paint(cr);
    un_brush_feathers(&p->brush, &p->texture, (const double[]){-0.6, -0.55, 0.4, 0.05}, 0.045, 2.75,
                      0.11);
    belly_path(cr);
    fill(p, UN_PART_BELLY, b->color[UN_PART_BELLY]);
    un_brush_feathers(&p->brush, &p->texture, (const double[]){-0.6, 0.05, 0.3, 0.42}, 0.045, 2.9,
                      0.09);
    paint_breast(p);
    cairo_pop_group_to_source(cr);
    body_path(cr);
    cairo_fill(cr);
    cairo_restore(cr);
    body_path(cr);
    un_brush_shade(&p->brush, 0.02, -0.06, 0.60, p->lx, p->ly);
}

/* Bars lie across the coverts, spots in rows on them. */
static void paint_wing_pattern(painter *p) {
    const un_bird *b = p->bird;
    cairo_t *cr = p->cr;
    unsigned pattern = b->value[UN_GROUP_WING_PATTERN];
    cairo_new_path(cr);
    if (pattern == UN_STRIPED) {
        for (int bar = 0; bar < 3; bar++) {
            double x = 0.10 - 0.15 * bar;
            cairo_move_to(cr, x + 0.03, -0.24);
            cairo_curve_to(cr, x - 0.06, -0.10, x - 0.06, 0.06, x + 0.02, 0.24);
        }
        un_brush_set(&p->brush, UN_PART_WING, b->bars, 0.95);
        cairo_set_line_width(cr, 0.046);
        cairo_stroke(cr);
    } else if (pattern == UN_SPOTTED) {
        for (int row = 0; row < 4; row++)
            for (int column = 0; column < 8; column++)
                oval(cr, 0.20 - 0.095 * column - 0.045 * (row & 1), -0.15 + 0.078 * row, 0.023,
                     0.023);
        un_brush_set(&p->brush, UN_PART_WING, b->bars, 0.95);
        cairo_fill(cr);
    }
}

static void paint_wing(painter *p) {
    const un_bird *b = p->bird;
    cairo_t *cr = p->cr;
    cairo_save(cr);
    if (!p->brush.identify) { /* its shadow on the flank */
        cairo_translate(cr, 0, 0.025);
        wing_path(cr);
        cairo_set_source_rgba(cr, 0.03, 0.02, 0.05, 0.35);
        cairo_fill(cr);
        cairo_translate(cr, 0, -0.025);
    }
    wing_path(cr);
    un_brush_set(&p->brush, UN_PART_WING, b->color[UN_PART_WING], 1);
    cairo_fill_preserve(cr);
    cairo_clip(cr);
    un_brush_feathers(&p->brush, &p->texture, (const double[]){-0.12, -0.25, 0.32, 0.25}, 0.05, 2.9,
                      0.13);
    if (!p->brush.identify) {
        for (int i = 0; i < 6; i++) { /* flight feathers */
            cairo_move_to(cr, -0.06 + 0.03 * i, 0.13 - 0.05 * i);
            cairo_curve_to(cr, -0.25, 0.12 - 0.045 * i, -0.45, 0.10 - 0.027 * i, -0.72,
                           0.08 - 0.008 * i);
        }
        cairo_set_source_rgba(cr, 0, 0, 0, 0.34);
        cairo_set_line_width(cr, 0.013);
        cairo_stroke(cr);
    }
    paint_wing_pattern(p);
    cairo_restore(cr);
    wing_path(cr);
    un_brush_shade(&p->brush, -0.10, 0.00, 0.52, p->lx, p->ly);
}

static void paint_eye(painter *p) {
    const un_bird *b = p->bird;
    cairo_t *cr = p->cr;
    const double x = 0.36;
    const double y = -0.10;
    if (b->value[UN_GROUP_HEAD_PATTERN] == UN_MASKED) {
        cairo_new_path(cr);
        cairo_move_to(cr, 1.0, -0.12);
        cairo_curve_to(cr, 0.5, -0.42, 0.0, -0.34, -0.55, 0.02);
        cairo_curve_to(cr, -0.2, 0.26, 0.5, 0.26, 1.0, 0.22);
        cairo_close_path(cr);
        fill(p, UN_PART_EYE, (un_color){0.07, 0.07, 0.08});
    }
    cairo_new_path(cr);
    if (b->value[UN_GROUP_HEAD_PATTERN] == UN_EYERING) {
        oval(cr, x, y, 0.32, 0.32);
        fill(p, UN_PART_EYE, b->ring);
    }
    cairo_new_path(cr);
    oval(cr, x, y, 0.19, 0.19);
    fill(p, UN_PART_EYE, b->color[UN_PART_EYE]);
    if (p->brush.identify) return;
    oval(cr, x + 0.07 * (b->looks_back ? -1 : 1) * b->facing, y - 0.07, 0.062, 0.062);
    cairo_set_source_rgba(cr, 1, 1, 1, 0.95);
    cairo_fill(cr);
}

static void paint_bill(painter *p) {
    const un_bird *b = p->bird;
    cairo_t *cr = p->cr;
    unsigned shape = b->value[UN_GROUP_BILL_SHAPE];
    bill_path(cr, shape);
    fill(p, UN_PART_BILL, b->color[UN_PART_BILL]);
    if (p->brush.identify) return;
    cairo_save(cr);
    bill_path(cr, shape);
    cairo_clip(cr);
    cairo_move_to(cr, 0.75, 0.10); /* where it opens */
    cairo_curve_to(cr, 1.1, 0.08, 1.4, 0.10, 2.2, shape == UN_DAGGER ? 0.08 : 0.25);
    cairo_set_source_rgba(cr, 0, 0, 0, 0.45);
    cairo_set_line_width(cr, 0.06);
    cairo_stroke(cr);
    cairo_rectangle(cr, 0.7, -0.4, 1.6, 0.42); /* light on its ridge */
    cairo_set_source_rgba(cr, 1, 1, 1, 0.16);
    cairo_fill(cr);
    cairo_restore(cr);
}

/* The head is upright whatever the tilt of the body; its unit is its radius. */
static void paint_head(painter *p) {
    const un_bird *b = p->bird;
    cairo_t *cr = p->cr;
    cairo_save(cr);
    cairo_translate(cr, HEAD_X, HEAD_Y);
    cairo_scale(cr, 1, 1 / b->plump); /* of the body alone */
    cairo_rotate(cr, b->tilt);
    if (b->looks_back) cairo_scale(cr, -1, 1);
    cairo_rotate(cr, b->nod);
    cairo_scale(cr, b->head, b->head);
    paint_bill(p);
    if (b->value[UN_GROUP_HEAD_PATTERN] == UN_CRESTED) {
        crest_path(cr);
        fill(p, UN_PART_CROWN, b->color[UN_PART_CROWN]);
    }
    cairo_save(cr);
    head_path(cr);
    cairo_clip(cr);
    un_brush_set(&p->brush, UN_PART_OTHER, b->face, 1);
    cairo_paint(cr);
    un_brush_feathers(&p->brush, &p->texture, (const double[]){-1.1, -0.4, 1.1, 1.1}, 0.17, 2.6,
                      0.09);
    crown_path(cr);
    un_brush_set(&p->brush, UN_PART_CROWN, b->color[UN_PART_CROWN], 1);
    cairo_fill_preserve(cr);
    cairo_clip(cr);
    un_brush_feathers(&p->brush, &p->texture, (const double[]){-1.1, -1.1, 1.1, 0.7}, 0.17, 2.9,
                      0.13);
    cairo_restore(cr);
    head_path(cr);
    un_brush_shade(&p->brush, 0, 0, 1.15, p->lx, p->ly);
    paint_eye(p);
    cairo_restore(cr);
}

/* Both legs, in the upright frame: the far one stands a little ahead. */
static void paint_legs(painter *p) {
    const un_bird *b = p->bird;
    double c = cos(b->tilt);
    double s = sin(b->tilt);
    double y = HIP_Y * b->plump;
    double foot = b->foot / b->length;
    double hip_x = HIP_X * c + y * s;
    double hip_y = -HIP_X * s + y * c - 0.05;
    double at = 0.6 * hip_x;
    paint_leg(p, hip_x + 0.10, hip_y - 0.03, at + 0.11, foot - 0.005, 0);
    paint_leg(p, hip_x - 0.02, hip_y, at - 0.03, foot, 1);
}

void un_bird_draw(const un_bird *b, const un_brush *brush) {
    cairo_t *cr = brush->cr;
    painter p = {.bird = b, .brush = *brush, .cr = cr, .lx = b->lx, .ly = b->ly};
    p.texture = un_rng_stream(b->strokes, "texture", 0);
    p.shape = un_rng_stream(b->strokes, "shape", 0);
    cairo_save(cr);
    cairo_translate(cr, b->x, b->y);
    cairo_scale(cr, b->facing * b->length, b->length);
    cairo_save(cr);
    cairo_rotate(cr, -b->tilt);
    cairo_scale(cr, 1, b->plump);
    paint_tail(&p);
    cairo_restore(cr);
    paint_legs(&p);
    cairo_rotate(cr, -b->tilt);
    cairo_scale(cr, 1, b->plump);
    paint_body(&p);
    paint_wing(&p);
    paint_head(&p);
    cairo_restore(cr);
}
