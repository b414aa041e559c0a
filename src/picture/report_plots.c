/* report_plots.c - the plots of the report as SVG inside the page; colours come from its style. */
#include <math.h>

#include "picture/html.h"
#include "picture/report_parts.h"
#include "protocol/report.h"

enum { LEFT = 46, RIGHT = 12, TOP = 12, BOTTOM = 40, MOST_POINTS = 1000, COLOURS = 6 };

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
                    LEFT, LEFT + f->width, at_y(f, v), at_y(f, v), LEFT - 6, at_y(f, v) + 4,
                    v * factor);
        else
            fprintf(out,
                    "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%.1f\"/><text "
                    "x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.4g</text>",
                    at_x(f, v), at_x(f, v), TOP, TOP + f->height, at_x(f, v), TOP + f->height + 16,
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
            "<path class=\"axis\" d=\"M%d %dV%.1fH%.1f\"/><text class=\"label\" x=\"%.1f\" "
            "y=\"%.1f\" text-anchor=\"middle\">",
            LEFT, TOP, TOP + f->height, LEFT + f->width, LEFT + f->width / 2,
            TOP + f->height + BOTTOM - 5);
    un_html_text(out, x_label);
    fprintf(out,
            "</text><text class=\"label\" text-anchor=\"middle\" transform=\"translate(11 %.1f) "
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

void un_report_curve(FILE *out, const un_curve *curve, const json_t *result) {
    const frame f = {300, 300, 0, 1, 0, 1};
    size_t points = curve->count < MOST_POINTS ? curve->count : MOST_POINTS;
    fputs("<figure>", out);
    begin_plot(out, &f, 100, 100, "seen-unseen accuracy curve", "unseen classes U, percent",
               "seen classes S, percent");
    fprintf(out, "<path class=\"area\" d=\"M%.1f %.1f", at_x(&f, curve->U[0]), at_y(&f, 0));
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < points; i++) {
            size_t j = points > 1 ? i * (curve->count - 1) / (points - 1) : 0;
            fprintf(out, "%c%.1f %.1f", pass && i == 0 ? 'M' : 'L', at_x(&f, curve->U[j]),
                    at_y(&f, curve->S[j]));
        }
        if (pass == 0)
            fprintf(out, "V%.1fZ\"/><path class=\"line c0\" d=\"", at_y(&f, 0));
        else
            fputs("\"/>", out);
    }
    const json_t *selected = un_result_selected(result);
    draw_mark(out, &f, json_object_get(result, "best_curve"), "mark hollow");
    draw_mark(out, &f, json_object_get(result, "native"), "mark native");
    draw_mark(out, &f, selected, "mark selected");
    fputs("</svg><figcaption><span class=\"key\"><i class=\"native\"></i>gamma 0</span>", out);
    if (selected) fputs("<span class=\"key\"><i class=\"selected\"></i>selected gamma</span>", out);
    fputs("<span class=\"key\"><i class=\"hollow\"></i>best H, chosen on test</span>"
          "</figcaption></figure>\n",
          out);
}

/* Widens [low, high] by a value that is a number. */
static void include(double v, double *low, double *high) {
    if (!isfinite(v)) return;
    if (v < *low) *low = v;
    if (v > *high) *high = v;
}

static void draw_series(FILE *out, const frame *f, const un_report_series *s, size_t colour) {
    size_t stride = 1 + s->count / MOST_POINTS;
    int pen = 0;
    fprintf(out, "<path class=\"line c%zu\" d=\"", colour % COLOURS);
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
    fputs("</svg><figcaption>", out);
    for (size_t s = 0; s < plot->count; s++) {
        fprintf(out, "<span class=\"key\"><i class=\"b%zu\"></i>", s % COLOURS);
        un_html_text(out, plot->series[s].name);
        fputs("</span>", out);
    }
    fputs("</figcaption></figure>\n", out);
}
