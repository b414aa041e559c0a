/* report_groups.c - models side by side: numbers, where attention points, what texts are good for. */
#include <string.h>

#include "picture/html.h"
#include "picture/report_parts.h"

static const char *const g_keys[] = {"T1", "U", "S", "H", "AUSUC"};
enum { KEYS = sizeof g_keys / sizeof *g_keys };

/* ---- numbers ---- */

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
    if (g->count > 1) fprintf(out, ", mean ± sd of %zu models", g->count);
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
    fputs("<h3>Pictures and words</h3>\n", out);
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
    fprintf(
        out,
        "<details><summary>How pictures divide their attention over %zu groups of attributes"
        "</summary>\n<p>Percent of the attention on the text, the mean over %lld test pictures; "
        "beside it how many times an even share that is.</p>\n",
        json_array_size(groups),
        (long long)json_integer_value(json_object_get(attention, "images")));
    group_bars(out, groups);
    fputs("</details>\n", out);
}
