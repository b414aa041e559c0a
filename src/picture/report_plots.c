/*
 * report_plots.c - the plots of the page of report.h as SVG inside it: seen-unseen curves, lines over
 * epochs, the confusion matrix. Colours come from the page's style.
 */
#include <math.h>
#include <string.h>

#include "picture/report.h"
#include "protocol/report.h"

enum { LEFT = 56, RIGHT = 20, TOP = 12, BOTTOM = 46, MOST_POINTS = 1000, COLOURS = 6 };

/* A plot's frame in the units of the drawing. */
typedef struct {
    double width, height; /* of the area inside the axes */
    double x0, x1, y0, y1;
} frame;

static double at_x(const frame *f, double x) {
    double span = f->x1 > f->x0 ? f->x1 - f->x0 : 1;
    return LEFT + (x - f->x0) / span * f->width;
}

static double at_y(const frame *f, double y) {
    double span = f->y1 > f->y0 ? f->y1 - f->y0 : 1;
    return TOP + f->height - (y - f->y0) / span * f->height;
}

/* 1, 2 or 5 times a power of ten that makes about five steps. */
static double tick_step(double span) {
    double raw = span / 5, power = pow(10, floor(log10(raw)));
    double ratio = raw / power;
    return power * (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10);
}

static void draw_ticks(FILE *out, const frame *f, int vertical, double factor) {
    double low = vertical ? f->y0 : f->x0, high = vertical ? f->y1 : f->x1;
    if (!(high > low)) return;
    double step = tick_step((high - low) * factor) / factor;
    for (int k = 0; k < 20; k++) {
        double v = (ceil(low / step - 1e-9) + k) * step;
        if (v > high + 1e-9 * (high - low)) break;
        if (vertical)
            fprintf(out,
                    "<line class=\"grid\" x1=\"%d\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/><text "
                    "x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>",
                    LEFT, LEFT + f->width, at_y(f, v), at_y(f, v), LEFT - 6, at_y(f, v) + 6,
                    v * factor);
        else
            fprintf(out,
                    "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%.1f\"/><text "
                    "x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.4g</text>",
                    at_x(f, v), at_x(f, v), TOP, TOP + f->height, at_x(f, v), TOP + f->height + 19,
                    v * factor);
    }
}

static void begin_plot(FILE *out, const frame *f, double x_factor, double y_factor,
                       const char *label, const char *x_label, const char *y_label) {
    fprintf(out, "<svg class=\"plot\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"",
            LEFT + f->width + RIGHT, TOP + f->height + BOTTOM);
    un_html_text(out, label);
    fputs("\">", out);
    draw_ticks(out, f, 0, x_factor);
    draw_ticks(out, f, 1, y_factor);
    fprintf(out,
            "<path class=\"axis\" d=\"M%d %dV%.1fH%.1f\"/><text x=\"%.1f\" "
            "y=\"%.1f\" text-anchor=\"middle\">",
            LEFT, TOP, TOP + f->height, LEFT + f->width, LEFT + f->width / 2,
            TOP + f->height + BOTTOM - 5);
    un_html_text(out, x_label);
    fprintf(out,
            "</text><text text-anchor=\"middle\" transform=\"translate(14 %.1f) "
            "rotate(-90)\">",
            TOP + f->height / 2);
    un_html_text(out, y_label);
    fputs("</text>", out);
}

/* A mark at the accuracies of one gamma. */
static void draw_mark(FILE *out, const frame *f, const json_t *point, const char *class) {
    if (!json_is_number(json_object_get(point, "U"))) return;
    fprintf(out, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>", class,
            at_x(f, json_number_value(json_object_get(point, "U"))),
            at_y(f, json_number_value(json_object_get(point, "S"))));
}

/* A line's colour, and after the last colour its dashes. */
static void line_class(FILE *out, size_t i) {
    fprintf(out, "line c%zu", i % COLOURS);
    if (i >= COLOURS) fprintf(out, " d%zu", i / COLOURS % 3);
}

/* Begins an item of a legend. */
static void line_key(FILE *out, size_t i) {
    fputs("<li class=\"key\"><svg viewBox=\"0 0 28 14\" aria-hidden=\"true\"><path class=\"", out);
    line_class(out, i);
    fputs("\" d=\"M0 7H28\"/></svg>", out);
}

static void mark_key(FILE *out, const char *class, const char *text) {
    fprintf(out,
            "<li class=\"key\"><svg viewBox=\"0 0 28 14\" aria-hidden=\"true\"><circle "
            "class=\"mark %s\" cx=\"14\" cy=\"7\" r=\"5\"/></svg>%s</li>",
            class, text);
}

/* ---- seen-unseen curves ---- */

static void curve_points(FILE *out, const frame *f, const un_curve *curve, char first) {
    size_t points = curve->count < MOST_POINTS ? curve->count : MOST_POINTS;
    for (size_t i = 0; i < points; i++) {
        size_t j = points > 1 ? i * (curve->count - 1) / (points - 1) : 0;
        fprintf(out, "%c%.1f %.1f", i == 0 ? first : 'L', at_x(f, curve->U[j]),
                at_y(f, curve->S[j]));
    }
}

/* Names drawn at random, a share of them from seen classes: U + S are on a line between 1 / unseen
 * classes and 1 / seen classes. */
static void draw_chance(FILE *out, const frame *f, const un_report_counts *counts) {
    if (counts->unseen == 0 || counts->seen == 0) return;
    fprintf(out, "<path class=\"line chance\" d=\"M%.1f %.1fL%.1f %.1f\"/>", at_x(f, 0),
            at_y(f, 1.0 / (double)counts->seen), at_x(f, 1.0 / (double)counts->unseen), at_y(f, 0));
}

static void chance_key(FILE *out, const un_report_counts *counts) {
    if (counts->unseen == 0 || counts->seen == 0) return;
    fputs("<li class=\"key\"><svg viewBox=\"0 0 28 14\" aria-hidden=\"true\"><path class=\"line "
          "chance\" d=\"M0 7H28\"/></svg>chance</li>",
          out);
}

static void begin_curve(FILE *out, const frame *f, const char *label) {
    fputs("<figure class=\"curve\">", out);
    begin_plot(out, f, 100, 100, label, "unseen classes U, percent", "seen classes S, percent");
}

/* Whether there is a curve to draw. */
static int has_curve(const un_report_model *m) {
    return json_is_number(json_object_get(m->result, "AUSUC"));
}

void un_report_curve(FILE *out, const un_report_model *m) {
    const frame f = {300, 300, 0, 1, 0, 1};
    const json_t *selected = un_result_selected(m->result);
    const un_report_counts counts = un_report_count(m->result);
    begin_curve(out, &f, "seen-unseen accuracy curve");
    fprintf(out, "<path class=\"area\" d=\"M%.1f %.1f", at_x(&f, m->curve->U[0]), at_y(&f, 0));
    curve_points(out, &f, m->curve, 'L');
    fprintf(out, "V%.1fZ\"/><path class=\"line c0\" d=\"", at_y(&f, 0));
    curve_points(out, &f, m->curve, 'M');
    fputs("\"/>", out);
    draw_chance(out, &f, &counts);
    draw_mark(out, &f, json_object_get(m->result, "best_curve"), "mark hollow");
    draw_mark(out, &f, json_object_get(m->result, "native"), "mark native");
    draw_mark(out, &f, selected, "mark selected");
    fputs("</svg><figcaption><ul class=\"keys\">", out);
    mark_key(out, "native", "gamma 0");
    if (selected) mark_key(out, "selected", "selected gamma");
    mark_key(out, "hollow", "best H, chosen on test");
    chance_key(out, &counts);
    fputs("</ul></figcaption></figure>\n", out);
}

void un_report_curves(FILE *out, const un_report *report) {
    const frame f = {300, 300, 0, 1, 0, 1};
    const un_report_counts counts = un_report_count(report->models[report->lead].result);
    begin_curve(out, &f, "seen-unseen accuracy curves of all models");
    draw_chance(out, &f, &counts);
    for (size_t g = 0; g < report->group_count; g++) {
        const un_report_group *group = &report->groups[g];
        for (size_t k = 0; k < group->count; k++) {
            if (!has_curve(&report->models[group->models[k]])) continue;
            fputs("<path class=\"", out);
            line_class(out, g);
            fputs("\" d=\"", out);
            curve_points(out, &f, report->models[group->models[k]].curve, 'M');
            fputs("\"/>", out);
        }
    }
    for (size_t i = 0; i < report->count; i++) {
        char class[32];
        snprintf(class, sizeof class, "mark open c%zu", un_report_group_of(report, i) % COLOURS);
        draw_mark(out, &f, report->models[i].result, class);
    }
    fputs("</svg><figcaption><ul class=\"keys\">", out);
    for (size_t g = 0; g < report->group_count; g++) {
        line_key(out, g);
        un_report_group_name(out, report, g);
        fputs("</li>", out);
    }
    mark_key(out, "hollow", "U and S as reported");
    chance_key(out, &counts);
    fputs("</ul></figcaption></figure>\n", out);
}

/* ---- lines over epochs ---- */

/* Widens [low, high] by a value that is a number. */
static void include(double v, double *low, double *high) {
    if (!isfinite(v)) return;
    if (v < *low) *low = v;
    if (v > *high) *high = v;
}

static void draw_series(FILE *out, const frame *f, const un_report_series *s, size_t colour) {
    size_t stride = 1 + s->count / MOST_POINTS;
    int pen = 0;
    fputs("<path class=\"", out);
    line_class(out, colour);
    fputs("\" d=\"", out);
    for (size_t i = 0; i < s->count; i += stride) {
        if (!isfinite(s->x[i]) || !isfinite(s->y[i])) {
            pen = 0;
            continue;
        }
        fprintf(out, "%c%.1f %.1f", pen ? 'L' : 'M', at_x(f, s->x[i]), at_y(f, s->y[i]));
        pen = 1;
    }
    fputs("\"/>", out);
}

void un_report_lines(FILE *out, const un_report_plot *plot) {
    frame f = {300, 190, INFINITY, -INFINITY, INFINITY, -INFINITY};
    for (size_t s = 0; s < plot->count; s++)
        for (size_t i = 0; i < plot->series[s].count; i++) {
            if (!isfinite(plot->series[s].y[i])) continue;
            include(plot->series[s].x[i], &f.x0, &f.x1);
            include(plot->series[s].y[i], &f.y0, &f.y1);
        }
    if (!(f.x1 >= f.x0) || !(f.y1 >= f.y0)) return;
    if (plot->percent) f.y0 = 0;
    if (f.y1 == f.y0) f.y1 = f.y0 + (f.y0 != 0 ? fabs(f.y0) : 1);
    if (f.x1 == f.x0) f.x1 = f.x0 + 1;
    fputs("<figure>", out);
    begin_plot(out, &f, 1, plot->percent ? 100 : 1, plot->title, "epoch", plot->title);
    for (size_t s = 0; s < plot->count; s++) draw_series(out, &f, &plot->series[s], s);
    fputs("</svg><figcaption><ul class=\"keys row\">", out);
    for (size_t s = 0; s < plot->count; s++) {
        line_key(out, s);
        un_html_text(out, plot->series[s].name);
        fputs("</li>", out);
    }
    fputs("</ul></figcaption></figure>\n", out);
}

/* ---- the confusion matrix ---- */

enum { LEVELS = 4 };

/* How much of a class's pictures: 1 .. LEVELS; 0: none. */
static int level_of(uint32_t count, size_t of) {
    if (count == 0 || of == 0) return 0;
    int level = (int)ceil((double)count / (double)of * LEVELS);
    return level < 1 ? 1 : level > LEVELS ? LEVELS : level;
}

void un_report_matrix(FILE *out, const un_report_model *m, const size_t *order, size_t classes,
                      size_t unseen) {
    fprintf(out,
            "<svg class=\"matrix\" viewBox=\"0 0 %zu %zu\" role=\"img\" aria-label=\"confusion "
            "matrix: a row for each true class, a column for each answer\" "
            "shape-rendering=\"crispEdges\">",
            classes, classes);
    for (int wrong = 0; wrong < 2; wrong++)
        for (int level = 1; level <= LEVELS; level++) {
            fprintf(out, "<path class=\"%s\" opacity=\"%.2f\" d=\"", wrong ? "wrong" : "right",
                    (double)level / LEVELS);
            for (size_t y = 0; y < classes; y++) {
                const uint32_t *row = m->confusion + order[y] * classes;
                size_t of = un_report_pictures(m->result, order[y]);
                for (size_t x = 0; x < classes; x++)
                    if ((x != y) == wrong && level_of(row[order[x]], of) == level)
                        fprintf(out, "M%zu %zuh1v1h-1z", x, y);
            }
            fputs("\"/>", out);
        }
    if (unseen > 0 && unseen < classes)
        fprintf(out, "<path class=\"edge\" d=\"M0 %zuH%zuM%zu 0V%zu\"/>", unseen, classes, unseen,
                classes);
    fputs("</svg>\n", out);
}
