/*
 * scene.c - background, perch, twigs and light; see bird.h.
 *
 * What is far away is painted on a quarter of the picture's side, blurred and enlarged:
 * that is cheap, and looks like a long lens.
 */
#include "tinybirds/bird.h"

#include <math.h>
#include <stddef.h>

static const double PI = 3.14159265358979323846;

enum { LEAFY, AUTUMN, SKY, WATER, REEDS, SNOW, DUSK, BLOSSOM, HABITATS };
enum { BRANCH, POST, STONE };

/* From the top to the bottom of the picture, and what grows in it. */
static const struct {
    un_color top, bottom, blob[4];
} g_habitats[HABITATS] = {
    [LEAFY] = {{0.46, 0.58, 0.30},
               {0.16, 0.27, 0.10},
               {{0.55, 0.66, 0.28}, {0.22, 0.38, 0.14}, {0.80, 0.78, 0.42}, {0.12, 0.20, 0.10}}},
    [AUTUMN] = {{0.78, 0.56, 0.28},
                {0.36, 0.20, 0.12},
                {{0.82, 0.38, 0.14}, {0.72, 0.20, 0.12}, {0.90, 0.70, 0.26}, {0.36, 0.24, 0.14}}},
    [SKY] = {{0.32, 0.52, 0.80},
             {0.74, 0.84, 0.93},
             {{0.95, 0.95, 0.96}, {0.85, 0.90, 0.95}, {0.30, 0.48, 0.74}, {0.62, 0.74, 0.88}}},
    [WATER] = {{0.50, 0.62, 0.70},
               {0.16, 0.30, 0.44},
               {{0.26, 0.44, 0.62}, {0.72, 0.82, 0.88}, {0.14, 0.24, 0.32}, {0.40, 0.52, 0.44}}},
    [REEDS] = {{0.82, 0.76, 0.54},
               {0.46, 0.36, 0.20},
               {{0.76, 0.66, 0.36}, {0.56, 0.44, 0.24}, {0.90, 0.84, 0.60}, {0.42, 0.44, 0.22}}},
    [SNOW] = {{0.78, 0.82, 0.88},
              {0.92, 0.93, 0.95},
              {{0.97, 0.97, 0.98}, {0.66, 0.72, 0.80}, {0.48, 0.44, 0.42}, {0.84, 0.88, 0.94}}},
    [DUSK] = {{0.28, 0.22, 0.26},
              {0.10, 0.09, 0.12},
              {{0.40, 0.28, 0.22}, {0.16, 0.15, 0.20}, {0.64, 0.40, 0.24}, {0.20, 0.20, 0.16}}},
    [BLOSSOM] = {{0.80, 0.72, 0.74},
                 {0.42, 0.48, 0.34},
                 {{0.92, 0.82, 0.84}, {0.82, 0.48, 0.54}, {0.52, 0.60, 0.34}, {0.95, 0.93, 0.88}}},
};

void un_scene_create(un_scene *s, double size, un_rng *rng) {
    static const double perches[] = {[BRANCH] = 0.72, [POST] = 0.14, [STONE] = 0.14};
    static const double twigs[] = {0.30, 0.40, 0.22, 0.08};
    *s = (un_scene){.size = size};
    s->habitat = (unsigned)un_rng_below(rng, HABITATS);
    s->perch = (unsigned)un_weighted(rng, perches, 3);
    s->slope = un_between(rng, -0.22, 0.22);
    s->bark = un_color_mix((un_color){0.36, 0.26, 0.18}, (un_color){0.52, 0.50, 0.48},
                           un_rng_uniform(rng));
    double angle = -PI / 2 + un_between(rng, -0.9, 0.9);
    s->lx = cos(angle);
    s->ly = sin(angle);
    double exposure = exp(0.20 * un_rng_truncated_normal(rng));
    double warm = 0.10 * un_rng_truncated_normal(rng);
    double green = 0.03 * un_rng_truncated_normal(rng);
    s->gain[0] = exposure * (1 + warm);
    s->gain[1] = exposure * (1 + green);
    s->gain[2] = exposure * (1 - warm);
    s->vignette = un_between(rng, 0.10, 0.38);
    s->shade = un_chance(rng, 0.45) ? un_between(rng, 0.15, 0.45) : 0;
    s->twigs = un_weighted(rng, twigs, 4);
    uint64_t seed = un_rng_u64(rng);
    s->behind = un_rng_stream(seed, "behind", 0);
    s->before = un_rng_stream(seed, "before", 0);
    s->dapple = un_rng_stream(seed, "dapple", 0);
}

/* ---- far away ---- */

static void blob(cairo_t *cr, double x, double y, double radius, un_color c, double alpha) {
    cairo_pattern_t *p = cairo_pattern_create_radial(x, y, 0.1 * radius, x, y, radius);
    cairo_pattern_add_color_stop_rgba(p, 0, c.r, c.g, c.b, alpha);
    cairo_pattern_add_color_stop_rgba(p, 0.75, c.r, c.g, c.b, 0.8 * alpha);
    cairo_pattern_add_color_stop_rgba(p, 1, c.r, c.g, c.b, 0);
    cairo_set_source(cr, p);
    cairo_new_path(cr);
    cairo_arc(cr, x, y, radius, 0, 2 * PI);
    cairo_fill(cr);
    cairo_pattern_destroy(p);
}

static void streak(cairo_t *cr, double x0, double y0, double x1, double y1, double width,
                   un_color c) {
    cairo_move_to(cr, x0, y0);
    cairo_line_to(cr, x1, y1);
    cairo_set_source_rgba(cr, c.r, c.g, c.b, 0.6);
    cairo_set_line_width(cr, width);
    cairo_stroke(cr);
}

/* In a square of side 1. */
static void paint_far(const un_scene *s, cairo_t *cr, un_rng *rng) {
    un_color top = un_color_vary(g_habitats[s->habitat].top, rng, 0.10);
    un_color bottom = un_color_vary(g_habitats[s->habitat].bottom, rng, 0.10);
    cairo_pattern_t *p = cairo_pattern_create_linear(0, 0, un_between(rng, -0.3, 0.3), 1);
    cairo_pattern_add_color_stop_rgb(p, 0, top.r, top.g, top.b);
    cairo_pattern_add_color_stop_rgb(p, 1, bottom.r, bottom.g, bottom.b);
    cairo_set_source(cr, p);
    cairo_paint(cr);
    cairo_pattern_destroy(p);
    for (int i = 0; i < 34; i++) {
        un_color c = un_color_vary(g_habitats[s->habitat].blob[un_rng_below(rng, 4)], rng, 0.10);
        double x = un_between(rng, -0.1, 1.1);
        double y = un_between(rng, -0.1, 1.1);
        double r = un_between(rng, 0.05, 0.20);
        if (s->habitat == WATER)
            streak(cr, x - 2 * r, y, x + 2 * r, y + 0.01, 0.25 * r, c);
        else if (s->habitat == REEDS)
            streak(cr, x, 1.1, x + un_between(rng, -0.2, 0.2), y - 0.3, 0.2 * r, c);
        else
            blob(cr, x, y, s->habitat == SKY ? 1.4 * r : r, c, 0.55);
    }
    /* Something in the colours of feathers, as large as a bird's parts. */
    size_t distractors = 5 + (size_t)un_rng_below(rng, 12);
    for (size_t i = 0; i < distractors; i++) {
        un_color c = un_color_vary(un_palette[un_rng_below(rng, UN_WHITE + 1)], rng, 0.16);
        blob(cr, un_rng_uniform(rng), un_rng_uniform(rng), un_between(rng, 0.03, 0.14), c, 0.9);
    }
}

/* ---- near by ---- */

static void leaf(const un_brush *brush, double x, double y, double length, double angle,
                 un_color c) {
    cairo_t *cr = brush->cr;
    cairo_save(cr);
    cairo_translate(cr, x, y);
    cairo_rotate(cr, angle);
    cairo_scale(cr, length, length);
    cairo_new_path(cr);
    cairo_move_to(cr, 0, 0);
    cairo_curve_to(cr, 0.25, -0.32, 0.70, -0.26, 1, 0);
    cairo_curve_to(cr, 0.70, 0.26, 0.25, 0.32, 0, 0);
    un_brush_set(brush, 0, c, 1);
    cairo_fill_preserve(cr);
    if (brush->identify) {
        cairo_new_path(cr);
    } else {
        cairo_clip(cr);
        cairo_rectangle(cr, 0, 0, 1, 0.4);
        cairo_set_source_rgba(cr, 0, 0, 0, 0.16);
        cairo_fill(cr);
        cairo_move_to(cr, 0, 0);
        cairo_line_to(cr, 1, 0);
        cairo_set_source_rgba(cr, 1, 1, 0.9, 0.30);
        cairo_set_line_width(cr, 0.05);
        cairo_stroke(cr);
    }
    cairo_restore(cr);
}

/* A berry or the eye of a flower. */
static void berry(const un_brush *brush, double x, double y, double radius, un_color c) {
    cairo_t *cr = brush->cr;
    cairo_new_path(cr);
    cairo_arc(cr, x, y, radius, 0, 2 * PI);
    un_brush_set(brush, 0, c, 1);
    cairo_fill(cr);
    if (brush->identify) return;
    cairo_arc(cr, x, y, radius, 0, 2 * PI);
    un_brush_shade(brush, x, y, radius, -0.5, -0.7);
    cairo_arc(cr, x - 0.3 * radius, y - 0.35 * radius, 0.22 * radius, 0, 2 * PI);
    cairo_set_source_rgba(cr, 1, 1, 1, 0.7);
    cairo_fill(cr);
}

static void flower(const un_brush *brush, double x, double y, double radius, un_color c,
                   double turn) {
    for (int petal = 0; petal < 5; petal++) leaf(brush, x, y, radius, turn + 2 * PI * petal / 5, c);
    berry(brush, x, y, 0.26 * radius, un_palette[UN_YELLOW]);
}

/* What hangs on a twig: mostly leaves of the habitat, some things as colourful as birds. */
static void hang(const un_scene *s, const un_brush *brush, un_rng *rng, double x, double y,
                 double angle, int before) {
    un_color green =
        un_color_vary(g_habitats[s->habitat == SKY || s->habitat == WATER ? LEAFY : s->habitat]
                          .blob[un_rng_below(rng, 2)],
                      rng, 0.12);
    un_color bright = un_color_vary(un_palette[un_rng_below(rng, UN_WHITE + 1)], rng, 0.10);
    double length = s->size * (before ? un_between(rng, 0.07, 0.13) : un_between(rng, 0.05, 0.11));
    double kind = un_rng_uniform(rng);
    double turn = angle + un_between(rng, -1.1, 1.1);
    if (kind < (before ? 0.70 : 0.45))
        leaf(brush, x, y, length, turn, green);
    else if (kind < (before ? 0.80 : 0.65))
        leaf(brush, x, y, length, turn, bright);
    else if (kind < 0.88)
        berry(brush, x, y + 0.2 * length, 0.24 * length, bright);
    else
        flower(brush, x, y, 0.55 * length, bright, turn);
}

/* A twig from (x, y), `length` long, with n things on it. */
static void twig(const un_scene *s, const un_brush *brush, un_rng *rng, double x, double y,
                 double angle, double length, size_t n, int before) {
    cairo_t *cr = brush->cr;
    double bend = un_between(rng, -0.16, 0.16) * length;
    double ex = x + length * cos(angle);
    double ey = y + length * sin(angle);
    double mx = 0.5 * (x + ex) - bend * sin(angle);
    double my = 0.5 * (y + ey) + bend * cos(angle);
    cairo_new_path(cr);
    cairo_move_to(cr, x, y);
    cairo_curve_to(cr, mx, my, mx, my, ex, ey);
    un_brush_set(brush, 0, un_color_vary(s->bark, rng, 0.12), 1);
    cairo_set_line_cap(cr, CAIRO_LINE_CAP_ROUND);
    cairo_set_line_width(cr, s->size * un_between(rng, 0.008, 0.016));
    cairo_stroke(cr);
    for (size_t i = 0; i < n; i++) {
        double t = (0.5 + (double)i + un_between(rng, -0.3, 0.3)) / (double)n;
        double a = (1 - t) * (1 - t) * (1 - t), b = 3 * t * (1 - t), c = t * t * t;
        hang(s, brush, rng, a * x + b * mx + c * ex, a * y + b * my + c * ey, angle, before);
    }
}

static void paint_branch(const un_scene *s, cairo_t *cr, un_rng *rng) {
    double reach = 0.75 * s->size;
    double left = s->size * un_between(rng, 0.024, 0.040);
    double right = s->size * un_between(rng, 0.024, 0.040);
    double sag = s->size * un_between(rng, -0.05, 0.05);
    cairo_save(cr);
    cairo_translate(cr, s->perch_x, s->perch_y);
    cairo_rotate(cr, atan(s->slope));
    /* Its upper side passes through the feet. */
    cairo_move_to(cr, -reach, sag);
    cairo_curve_to(cr, -0.4 * reach, 0, 0.4 * reach, 0, reach, sag);
    cairo_line_to(cr, reach, sag + 1.6 * right);
    cairo_curve_to(cr, 0.4 * reach, 1.6 * right, -0.4 * reach, 1.6 * left, -reach,
                   sag + 1.6 * left);
    cairo_close_path(cr);
    cairo_pattern_t *p = cairo_pattern_create_linear(0, 0, 0, 1.8 * left);
    un_color light = un_color_mix(s->bark, un_palette[UN_WHITE], 0.25);
    un_color dark = un_color_mix(s->bark, un_palette[UN_BLACK], 0.65);
    cairo_pattern_add_color_stop_rgb(p, 0, light.r, light.g, light.b);
    cairo_pattern_add_color_stop_rgb(p, 0.35, s->bark.r, s->bark.g, s->bark.b);
    cairo_pattern_add_color_stop_rgb(p, 1, dark.r, dark.g, dark.b);
    cairo_set_source(cr, p);
    cairo_fill_preserve(cr);
    cairo_pattern_destroy(p);
    cairo_clip(cr);
    un_brush brush = {cr, 0};
    const double strip[4] = {-reach, -left, reach, 2 * left};
    un_brush_feathers(&brush, rng, strip, 0.022 * s->size, 0, 0.14);
    cairo_restore(cr);
}

/* A post or a stone: a round top with grain. */
static void paint_block(const un_scene *s, cairo_t *cr, un_rng *rng) {
    int post = s->perch == POST;
    double half = s->size * (post ? un_between(rng, 0.09, 0.13) : un_between(rng, 0.40, 0.75));
    double round = s->size * (post ? 0.015 : un_between(rng, 0.08, 0.14));
    un_color c = post ? s->bark : un_color_mix(s->bark, (un_color){0.6, 0.6, 0.6}, 0.7);
    if (s->habitat == SNOW && !post) c = (un_color){0.90, 0.92, 0.95};
    double x = s->perch_x, y = s->perch_y, bottom = 1.2 * s->size;
    cairo_save(cr);
    cairo_new_path(cr);
    cairo_move_to(cr, x - half, bottom);
    cairo_line_to(cr, x - half, y + 2 * round);
    cairo_curve_to(cr, x - half, y + 0.4 * round, x - 0.5 * half, y, x, y);
    cairo_curve_to(cr, x + 0.4 * half, y, x + half, y + 0.7 * round, x + half, y + 2 * round);
    cairo_line_to(cr, x + half, bottom);
    cairo_close_path(cr);
    cairo_set_source_rgb(cr, c.r, c.g, c.b);
    cairo_fill_preserve(cr);
    cairo_clip(cr);
    un_brush brush = {cr, 0};
    const double area[4] = {x - half, y, x + half, s->size};
    un_brush_feathers(&brush, rng, area, 0.03 * s->size, post ? PI / 2 : 0.3, 0.12);
    cairo_pattern_t *p = cairo_pattern_create_linear(x - half, y, x + half, y + half);
    cairo_pattern_add_color_stop_rgba(p, 0, 1, 1, 1, 0.22);
    cairo_pattern_add_color_stop_rgba(p, 0.4, 0, 0, 0, 0);
    cairo_pattern_add_color_stop_rgba(p, 1, 0, 0, 0, 0.50);
    cairo_set_source(cr, p);
    cairo_paint(cr);
    cairo_pattern_destroy(p);
    cairo_restore(cr);
}

/* A blade of grass or reed from below, bent by the wind. */
static void blade(const un_scene *s, const un_brush *brush, un_rng *rng, double x, double top) {
    un_color c = un_color_vary(g_habitats[REEDS].blob[un_rng_below(rng, 4)], rng, 0.14);
    double lean = s->size * un_between(rng, -0.30, 0.30);
    double width = s->size * un_between(rng, 0.008, 0.018);
    double bottom = 1.02 * s->size;
    double bend = 0.5 * (bottom + top);
    cairo_t *cr = brush->cr;
    cairo_new_path(cr);
    cairo_move_to(cr, x - width, bottom);
    cairo_curve_to(cr, x - width, bend, x, bend, x + lean, top);
    cairo_curve_to(cr, x + width, bend, x + width, bend, x + width, bottom);
    cairo_close_path(cr);
    un_brush_set(brush, 0, c, 1);
    cairo_fill(cr);
}

/* A twig that grows into the picture from one of its sides. */
static void twig_behind(const un_scene *s, const un_brush *brush, un_rng *rng) {
    double along = s->size * un_rng_uniform(rng);
    size_t side = un_weighted(rng, (const double[]){1, 1, 1.5, 0.5}, 4);
    double turn = un_between(rng, -0.8, 0.8);
    double length = s->size * un_between(rng, 0.25, 0.60);
    if (side == 0)
        twig(s, brush, rng, 0, along, turn, length, 6, 0);
    else if (side == 1)
        twig(s, brush, rng, s->size, along, PI + turn, length, 6, 0);
    else if (side == 2)
        twig(s, brush, rng, along, 0, PI / 2 + turn, length, 6, 0);
    else
        twig(s, brush, rng, along, s->size, -PI / 2 + turn, length, 6, 0);
}

static void paint_clutter(const un_scene *s, const un_brush *brush, un_rng *rng) {
    size_t blades = s->habitat == REEDS ? 5 + (size_t)un_rng_below(rng, 6) : 0;
    for (size_t i = 0; i < blades; i++) {
        double x = s->size * un_rng_uniform(rng);
        blade(s, brush, rng, x, s->size * un_between(rng, -0.05, 0.7));
    }
    size_t twigs = 1 + (size_t)un_rng_below(rng, s->habitat == REEDS ? 3 : 5);
    for (size_t i = 0; i < twigs; i++) twig_behind(s, brush, rng);
    if (s->habitat != SNOW) return;
    for (int i = 0; i < 40; i++) { /* flakes */
        double x = s->size * un_rng_uniform(rng);
        double y = s->size * un_rng_uniform(rng);
        cairo_new_path(brush->cr);
        cairo_arc(brush->cr, x, y, s->size * un_between(rng, 0.003, 0.010), 0, 2 * PI);
        cairo_set_source_rgba(brush->cr, 1, 1, 1, un_between(rng, 0.4, 0.9));
        cairo_fill(brush->cr);
    }
}

un_status un_scene_paint_behind(const un_scene *s, cairo_t *cr) {
    un_rng rng = s->behind;
    int small = (int)(s->size / 4);
    cairo_surface_t *far = cairo_image_surface_create(CAIRO_FORMAT_RGB24, small, small);
    cairo_t *paint = cairo_create(far);
    cairo_scale(paint, small, small);
    paint_far(s, paint, &rng);
    cairo_status_t failure = cairo_status(paint);
    cairo_destroy(paint);
    un_blur(far, 1);
    cairo_save(cr);
    cairo_scale(cr, s->size / small, s->size / small);
    cairo_set_source_surface(cr, far, 0, 0);
    cairo_pattern_set_extend(cairo_get_source(cr), CAIRO_EXTEND_PAD);
    cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_BILINEAR);
    cairo_paint(cr);
    cairo_restore(cr);
    cairo_surface_destroy(far);
    if (failure)
        return un_fail(UNSEEN_E_MEMORY, "cannot paint a background: %s",
                       cairo_status_to_string(failure));
    un_brush brush = {cr, 0};
    paint_clutter(s, &brush, &rng);
    if (s->perch == BRANCH)
        paint_branch(s, cr, &rng);
    else
        paint_block(s, cr, &rng);
    return UNSEEN_OK;
}

void un_scene_paint_before(const un_scene *s, const un_brush *brush) {
    un_rng rng = s->before;
    for (size_t i = 0; i < s->twigs; i++) {
        double x = un_between(&rng, s->bird[0], s->bird[2]);
        double y = un_between(&rng, s->bird[1], s->bird[3]);
        if (s->habitat == REEDS && un_chance(&rng, 0.6)) {
            blade(s, brush, &rng, x, fmin(y, 0.8 * s->size));
            continue;
        }
        /* From outside the picture to somewhere on or beside the bird. */
        double angle = un_between(&rng, 0, 2 * PI);
        double length = s->size * un_between(&rng, 0.45, 0.80);
        twig(s, brush, &rng, x - length * cos(angle), y - length * sin(angle), angle, length,
             4 + (size_t)un_rng_below(&rng, 4), 1);
    }
}

/* ---- light ---- */

/* A spot without an edge. */
static void shadow(cairo_t *cr, double x, double y, double radius, double alpha) {
    cairo_pattern_t *p = cairo_pattern_create_radial(x, y, 0, x, y, radius);
    for (int i = 0; i <= 4; i++) {
        double t = i / 4.0;
        cairo_pattern_add_color_stop_rgba(p, t, 0.02, 0.03, 0.06,
                                          alpha * (1 - t * t) * (1 - t * t));
    }
    cairo_set_source(cr, p);
    cairo_rectangle(cr, x - radius, y - radius, 2 * radius, 2 * radius);
    cairo_fill(cr);
    cairo_pattern_destroy(p);
}

/* Soft shadows of leaves above, as alpha of black. */
static void paint_dapples(const un_scene *s, cairo_surface_t *picture) {
    un_rng rng = s->dapple;
    cairo_t *cr = cairo_create(picture);
    for (int i = 0; i < 7; i++) {
        double x = s->size * un_rng_uniform(&rng);
        double y = s->size * un_rng_uniform(&rng);
        shadow(cr, x, y, s->size * un_between(&rng, 0.18, 0.40), s->shade);
    }
    cairo_destroy(cr);
}

un_status un_scene_light(const un_scene *s, cairo_surface_t *picture) {
    if (s->shade > 0) paint_dapples(s, picture);
    cairo_surface_flush(picture);
    unsigned char *data = cairo_image_surface_get_data(picture);
    if (!data) return un_fail(UNSEEN_E_MEMORY, "cannot light a picture");
    int side = cairo_image_surface_get_width(picture);
    int stride = cairo_image_surface_get_stride(picture);
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            unsigned char *pixel = data + (ptrdiff_t)y * stride + (ptrdiff_t)x * 4; /* B, G, R */
            double dx = 2.0 * x / side - 1, dy = 2.0 * y / side - 1;
            double dim = 1 - s->vignette * 0.5 * (dx * dx + dy * dy);
            for (int c = 0; c < 3; c++) {
                double v = pixel[2 - c] * dim * s->gain[c];
                /* highlights roll off instead of clipping */
                if (v > 215) v = 215 + (v - 215) * 0.45;
                pixel[2 - c] = (unsigned char)(v > 255 ? 255 : v);
            }
        }
    cairo_surface_mark_dirty(picture);
    return UNSEEN_OK;
}
