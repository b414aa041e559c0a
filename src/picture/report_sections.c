/*
 * report_sections.c - writing HTML, and the sections of the page of report.h that are
 * written with it: models side by side, where attention points, what texts are good for,
 * curves, classes, confused pairs, pictures.
 */
#include <math.h>
#include <string.h>

#include "base/names.h"
#include "picture/report.h"
#include "protocol/report.h"

/* ---- HTML ---- */

static const char *entity(int32_t c) {
    switch (c) {
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '&': return "&amp;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return NULL;
    }
}

void un_html_text(FILE *out, const char *text) {
    size_t n = text ? strlen(text) : 0;
    for (size_t i = 0; i < n;) {
        int32_t c = -1;
        size_t length = un_utf8_next(text + i, n - i, &c);
        if (length == 0) {
            fputs("\xEF\xBF\xBD", out);
            i++;
            continue;
        }
        int control = (c < 32 && c != '\n' && c != '\t') || (c >= 127 && c < 160);
        if (entity(c))
            fputs(entity(c), out);
        else if (!control)
            fwrite(text + i, 1, length, out);
        i += length;
    }
}

void un_html_base64(FILE *out, const void *bytes, size_t n) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = bytes;
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t bits = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                        (left > 2 ? in[i + 2] : 0);
        putc(digits[bits >> 18], out);
        putc(digits[bits >> 12 & 63], out);
        putc(left > 1 ? digits[bits >> 6 & 63] : '=', out);
        putc(left > 2 ? digits[bits & 63] : '=', out);
    }
}

const char *un_report_text(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "?";
}

void un_report_percent(FILE *out, const json_t *value) {
    if (json_is_number(value))
        fprintf(out, "<td class=\"n\">%.1f</td>", 100 * json_number_value(value));
    else
        fputs("<td class=\"n\">–</td>", out);
}

/* ---- numbers of several models ---- */

static const char *const g_keys[] = {"T1", "U", "S", "H", "AUSUC"};
enum { KEYS = sizeof g_keys / sizeof *g_keys };

static void mean_cell(FILE *out, const json_t *summary, const char *key) {
    const json_t *mean = json_object_get(json_object_get(summary, "mean"), key);
    if (json_is_number(mean))
        fprintf(out, "<td class=\"n\">%.1f <span class=\"sd\">± %.1f</span></td>",
                100 * json_number_value(mean),
                100 * json_number_value(json_object_get(json_object_get(summary, "sd"), key)));
    else
        fputs("<td class=\"n\">–</td>", out);
}

static void head_row(FILE *out, const char *columns) {
    fputs("<div class=\"scroll\"><table class=\"tight\"><thead><tr><th>percent</th>", out);
    for (size_t k = 0; k < KEYS; k++) fprintf(out, "<th class=\"n\">%s</th>", g_keys[k]);
    fprintf(out, "%s</tr></thead><tbody>\n", columns);
}

/* A group of one under its model's name, of several under its method's. */
static void group_row(FILE *out, const un_report *report, const un_report_group *g) {
    const un_report_model *first = &report->models[g->models[0]];
    fputs("<tr><th scope=\"row\">", out);
    un_html_text(out, g->count > 1 ? g->method : first->name);
    fputs("</th>", out);
    for (size_t k = 0; k < KEYS; k++) {
        if (g->summary)
            mean_cell(out, g->summary, g_keys[k]);
        else
            un_report_percent(out, json_object_get(first->result, g_keys[k]));
    }
    fprintf(out, "<td class=\"n\">%zu</td><td class=\"soft\">", g->count);
    un_html_text(out, g->features);
    fputs("</td><td>", out);
    un_html_text(out, un_report_text(g->summary ? g->summary : first->result, "selection"));
    fputs("</td></tr>\n", out);
}

static void model_row(FILE *out, const un_report_model *m) {
    fputs("<tr><th scope=\"row\">", out);
    un_html_text(out, m->name);
    fputs("</th>", out);
    for (size_t k = 0; k < KEYS; k++) un_report_percent(out, json_object_get(m->result, g_keys[k]));
    fprintf(out, "<td class=\"n\">%.4g</td><td>",
            json_number_value(json_object_get(m->result, "gamma")));
    un_html_text(out, un_report_text(m->result, "method"));
    fprintf(out, "</td><td class=\"n\">%lld</td><td>",
            (long long)json_integer_value(json_object_get(m->result, "seed")));
    un_html_text(out, un_report_text(m->result, "selection"));
    fputs("</td></tr>\n", out);
}

void un_report_comparison(FILE *out, const un_report *report) {
    int folded = report->group_count < report->count;
    fputs("<h2>Comparison</h2>\n", out);
    if (folded) {
        head_row(out, "<th class=\"n\">models</th><th>features</th><th>selection</th>");
        for (size_t g = 0; g < report->group_count; g++) group_row(out, report, &report->groups[g]);
        fputs("</tbody></table></div>\n<p class=\"soft\">± is the sample standard deviation of "
              "models that differ in their seed only.</p>\n",
              out);
        fprintf(out, "<details><summary>Each of the %zu models</summary>\n", report->count);
    }
    head_row(out, "<th class=\"n\">gamma</th><th>method</th><th class=\"n\">seed</th>"
                  "<th>selection</th>");
    for (size_t i = 0; i < report->count; i++) model_row(out, &report->models[i]);
    fputs("</tbody></table></div>\n", out);
    if (folded) fputs("</details>\n", out);
}

/* ---- where attention points ---- */

/* A hit rate, bold where it is above both answers that need no model. */
static void hit_cell(FILE *out, const json_t *p, size_t branch) {
    const json_t *value = json_array_get(json_object_get(p, "branches"), branch);
    const json_t *sd = json_array_get(json_object_get(p, "branches_sd"), branch);
    double hit = json_number_value(value);
    int better = hit > json_number_value(json_object_get(p, "centre")) &&
                 hit > json_number_value(json_object_get(p, "uniform"));
    if (!json_is_number(value)) {
        fputs("<td class=\"n\">–</td>", out);
        return;
    }
    fprintf(out, better ? "<td class=\"n\"><b>%.1f</b>" : "<td class=\"n\">%.1f", 100 * hit);
    if (json_is_number(sd))
        fprintf(out, " <span class=\"sd\">± %.1f</span>", 100 * json_number_value(sd));
    fputs("</td>", out);
}

static void pointing_row(FILE *out, const json_t *p, const char *name, size_t branches) {
    fprintf(out, "<tr%s><th scope=\"row\">", name ? "" : " class=\"all\"");
    un_html_text(out, name ? name : "all parts");
    fputs("</th>", out);
    for (size_t b = 0; b < branches; b++) hit_cell(out, p, b);
    un_report_percent(out, json_object_get(p, "centre"));
    un_report_percent(out, json_object_get(p, "uniform"));
    un_report_percent(out, json_object_get(p, "attainable"));
    fprintf(out, "<td class=\"n soft\">%lld</td></tr>\n",
            (long long)json_integer_value(json_object_get(p, "pairs")));
}

static void pointing_table(FILE *out, const json_t *list, size_t branches) {
    const json_t *part = NULL;
    size_t i = 0;
    fputs("<div class=\"scroll\"><table class=\"tight parts\"><thead><tr><th>part</th>", out);
    for (size_t b = 0; b < branches; b++) fprintf(out, "<th class=\"n\">map %zu</th>", b + 1);
    fputs("<th class=\"n\">centre</th><th class=\"n\">chance</th><th class=\"n\">ceiling</th><th "
          "class=\"n\">pairs</th></tr></thead><tbody>\n",
          out);
    pointing_row(out, list, NULL, branches);
    json_array_foreach(json_object_get(list, "parts"), i, part) {
        if (json_integer_value(json_object_get(part, "pairs")) > 0)
            pointing_row(out, part, un_report_text(part, "name"), branches);
    }
    fputs("</tbody></table></div>\n", out);
}

static void localised_group(FILE *out, const un_report *report, const un_report_group *g) {
    const json_t *l = g->localisation, *titles = json_object_get(l, "branch_titles");
    const json_t *grid = json_object_get(l, "grid");
    size_t branches = (size_t)json_integer_value(json_object_get(l, "branches"));
    fputs("<h3>", out);
    un_html_text(out, g->count > 1 ? g->method : report->models[g->models[0]].name);
    if (g->summary)
        fprintf(out, ", mean ± sd of %lld models",
                (long long)json_integer_value(json_object_get(g->summary, "n")));
    fputs("</h3>\n<p class=\"soft\">", out);
    for (size_t b = 0; b < json_array_size(titles); b++) {
        fprintf(out, "Map %zu: ", b + 1);
        un_html_text(out, json_string_value(json_array_get(titles, b)));
        fputs(". ", out);
    }
    fprintf(out, "Grid: %lld × %lld.</p>\n", (long long)json_integer_value(json_array_get(grid, 0)),
            (long long)json_integer_value(json_array_get(grid, 1)));
    pointing_table(out, json_object_get(l, "test_unseen"), branches);
    fputs("<details><summary>Pictures of seen classes</summary>\n", out);
    pointing_table(out, json_object_get(l, "test_seen"), branches);
    fputs("</details>\n", out);
}

void un_report_localisation(FILE *out, const un_report *report) {
    const json_t *any = NULL;
    for (size_t g = 0; g < report->group_count && !any; g++) any = report->groups[g].localisation;
    if (!any) return;
    fputs("<h2>Where attention points</h2>\n<p>The pointing game: how often the highest point of "
          "an attribute’s map lies on the part that the attribute speaks of, in percent of pairs "
          "of a test picture of an unseen class and an attribute of that class. ",
          out);
    if (!strcmp(un_report_text(any, "kind"), "points"))
        fputs("Parts are marked by points; a disc around the point counts. ", out);
    else
        fputs("Parts are marked by boxes. ", out);
    fputs("Centre and chance are answers without a model: always the middle of the picture, and "
          "anywhere. The ceiling is the most that the grid of the maps can reach. Bold: better "
          "than centre and chance.</p>\n",
          out);
    for (size_t g = 0; g < report->group_count; g++)
        if (report->groups[g].localisation) localised_group(out, report, &report->groups[g]);
}

/* ---- texts ---- */

static void recovery_row(FILE *out, const char *name, const json_t *r) {
    fprintf(out, "<tr><th scope=\"row\">%s classes</th>", name);
    un_report_percent(out, json_object_get(r, "in_group"));
    un_report_percent(out, json_object_get(r, "in_group_prior"));
    un_report_percent(out, json_object_get(r, "among_all"));
    un_report_percent(out, json_object_get(r, "among_all_prior"));
    fprintf(out, "<td class=\"n soft\">%lld</td></tr>\n",
            (long long)json_integer_value(json_object_get(r, "images")));
}

static void group_bars(FILE *out, const json_t *groups) {
    const json_t *group = NULL;
    double most = 0;
    size_t i = 0;
    json_array_foreach(groups, i, group) {
        double share = json_number_value(json_object_get(group, "share"));
        if (share > most) most = share;
    }
    fputs("<table class=\"bars\"><tbody>", out);
    json_array_foreach(groups, i, group) {
        double share = json_number_value(json_object_get(group, "share"));
        double even = json_number_value(json_object_get(group, "even"));
        fputs("<tr><th scope=\"row\">", out);
        un_html_text(out, un_report_text(group, "name"));
        fprintf(
            out,
            "</th><td class=\"bar\"><span class=\"seen\" style=\"width:%.1f%%\"></span></td><td "
            "class=\"n\">%.1f</td><td class=\"n soft\">× %.2f</td></tr>\n",
            most > 0 ? 100 * share / most : 0, 100 * share, even > 0 ? share / even : 0);
    }
    fputs("</tbody></table>\n", out);
}

void un_report_grounding(FILE *out, const json_t *result) {
    const json_t *recovery = json_object_get(result, "recovery");
    const json_t *attention = json_object_get(result, "group_attention");
    if (!recovery && !attention) return;
    fprintf(out, "<h3>%s</h3>\n", recovery ? "Pictures and words" : "Groups of attributes");
    if (recovery) {
        fputs("<p>One attribute of each test picture’s class is hidden from its text: how often "
              "the model names it, beside the best answer that is always the same. Percent.</p>\n"
              "<div class=\"scroll\"><table class=\"tight\"><thead><tr><th></th><th "
              "class=\"n\">in group</th>"
              "<th class=\"n\">constant</th><th class=\"n\">among all</th><th "
              "class=\"n\">constant</th><th class=\"n\">pictures</th></tr></thead><tbody>\n",
              out);
        recovery_row(out, "unseen", json_object_get(recovery, "unseen"));
        if (json_object_get(recovery, "seen"))
            recovery_row(out, "seen", json_object_get(recovery, "seen"));
        fputs("</tbody></table></div>\n", out);
    }
    if (!attention) return;
    const json_t *groups = json_object_get(attention, "groups");
    fprintf(out,
            "<details><summary>How pictures divide their attention over %zu groups of attributes"
            "</summary>\n<p>Percent of ",
            json_array_size(groups));
    un_html_text(out, un_report_text(attention, "of"));
    fprintf(out,
            ", the mean over %lld test pictures; beside it how many times an even share that "
            "is.</p>\n",
            (long long)json_integer_value(json_object_get(attention, "images")));
    group_bars(out, groups);
    fputs("</details>\n", out);
}

/* ---- the plots of the report as SVG inside the page; colours come from its style. ---- */

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

/* ---- classes, confused pairs and pictures ---- */

static const char *kind(int seen) { return seen ? "seen" : "unseen"; }

static void bars_of(FILE *out, const json_t *classes, int seen) {
    size_t i = 0;
    const json_t *c = NULL;
    fputs("<table class=\"bars\"><tbody>", out);
    json_array_foreach(classes, i, c) {
        const json_t *accuracy = json_object_get(c, "accuracy");
        if (json_is_true(json_object_get(c, "seen")) != seen || !json_is_number(accuracy)) continue;
        double percent = 100 * json_number_value(accuracy);
        fputs("<tr><th scope=\"row\">", out);
        un_html_text(out, json_string_value(json_object_get(c, "name")));
        fprintf(out,
                "</th><td class=\"bar\"><span class=\"%s\" style=\"width:%.1f%%\"></span></td><td "
                "class=\"n\">%.1f</td><td class=\"n soft\">of %lld</td></tr>\n",
                kind(seen), percent, percent,
                (long long)json_integer_value(json_object_get(c, "images")));
    }
    fputs("</tbody></table>\n", out);
}

static size_t count_of(const json_t *classes, int seen) {
    size_t i = 0, n = 0;
    const json_t *c = NULL;
    json_array_foreach(classes, i, c) {
        n += json_is_true(json_object_get(c, "seen")) == seen &&
             json_is_number(json_object_get(c, "accuracy"));
    }
    return n;
}

void un_report_classes(FILE *out, const json_t *classes) {
    for (int seen = 0; seen < 2; seen++) {
        size_t n = count_of(classes, seen);
        if (n == 0) continue;
        fprintf(out, "<details%s><summary>%zu %s classes, percent right</summary>\n",
                n <= 60 && !seen ? " open" : "", n, kind(seen));
        bars_of(out, classes, seen);
        fputs("</details>\n", out);
    }
}

static void image(FILE *out, const un_report_image *image, const char *before, const char *name) {
    if (image->size == 0) return;
    fputs("<img loading=\"lazy\" alt=\"", out);
    un_html_text(out, before);
    un_html_text(out, name);
    fputs("\" src=\"data:image/jpeg;base64,", out);
    un_html_base64(out, image->bytes, image->size);
    fputs("\">", out);
}

void un_report_pairs(FILE *out, const un_report_model *m) {
    for (size_t i = 0; i < m->pair_count; i++) {
        const un_report_pair *p = &m->pairs[i];
        fputs("<figure class=\"card\">", out);
        if (p->sample.size + p->example.size > 0) fputs("<div class=\"strip two\">", out);
        image(out, &p->sample, "taken wrongly: ", p->truth);
        image(out, &p->example, "an example of ", p->predicted);
        if (p->sample.size + p->example.size > 0) fputs("</div>", out);
        fputs("<figcaption><b>", out);
        un_html_text(out, p->truth);
        fprintf(out, "</b> <span class=\"tag\">%s</span><br>taken for <b>", kind(p->truth_seen));
        un_html_text(out, p->predicted);
        fprintf(out,
                "</b> <span class=\"tag\">%s</span><br>%zu of %zu pictures</figcaption></figure>\n",
                kind(p->predicted_seen), p->count, p->of);
    }
}

void un_report_gallery(FILE *out, const un_report_model *m, int right) {
    for (size_t i = 0; i < m->picture_count; i++) {
        const un_report_picture *p = &m->pictures[i];
        size_t images = 0;
        if (p->right != right) continue;
        for (size_t k = 0; k < UN_REPORT_IMAGES; k++) images += p->image[k].size > 0;
        fprintf(out, "<figure class=\"card%s\"><div class=\"strip %s\">", images > 1 ? " wide" : "",
                images > 2   ? "three"
                : images > 1 ? "two"
                             : "one");
        image(out, &p->image[0], "", p->truth);
        for (size_t k = 1; k < UN_REPORT_IMAGES; k++)
            image(out, &p->image[k], "attention on ", p->attribute);
        fputs("</div><figcaption><b>", out);
        un_html_text(out, p->truth);
        fprintf(out, "</b> <span class=\"tag\">%s</span>", kind(p->truth_seen));
        if (!right) {
            fputs("<br>taken for <b>", out);
            un_html_text(out, p->predicted);
            fputs("</b>", out);
        }
        if (p->attribute) {
            fputs("<br><span class=\"soft\">", out);
            un_html_text(out, p->attribute);
            if (p->attributes_against) {
                fputs(" speaks least against ", out);
                un_html_text(out, p->predicted);
                fputs("; no attribute speaks for it", out);
            }
            fputs("</span>", out);
        }
        fputs("</figcaption></figure>\n", out);
    }
}
