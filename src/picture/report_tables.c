/*
 * report_tables.c - the tables of the page of report.h: models side by side, where attention points,
 * what texts are good for, classes, and what each class was taken for.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "picture/report.h"
#include "protocol/report.h"

/* ---- numbers of several models ---- */

static const char *const g_keys[] = {"T1", "U", "S", "H", "AUSUC"};
enum { KEYS = sizeof g_keys / sizeof *g_keys };

static double number_of(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

/* A group's figure: of its single model, or the mean; NaN: none was measured. */
static double group_figure(const un_report *report, const un_report_group *g, const char *key) {
    return number_of(g->summary ? json_object_get(g->summary, "mean")
                                : report->models[g->models[0]].result,
                     key);
}

static double group_fold(const un_report *report, const un_report_group *g) {
    double sum = 0;
    for (size_t k = 0; k < g->count; k++)
        sum += un_report_fold(report->models[g->models[k]].manifest);
    return sum / (double)g->count;
}

/* The largest of the figures of all groups; key NULL: on the fold. */
static double most_of(const un_report *report, const char *key) {
    double most = -INFINITY;
    for (size_t g = 0; g < report->group_count; g++) {
        const un_report_group *group = &report->groups[g];
        most = fmax(most, key ? group_figure(report, group, key) : group_fold(report, group));
    }
    return most;
}

/* A figure as percent, marked if it is the best of several to the digit that is shown. */
static void figure_cell(FILE *out, double value, double sd, double most, int several) {
    if (isnan(value)) {
        fputs("<td class=\"n\">–</td>", out);
        return;
    }
    int best = several && lround(1000 * value) == lround(1000 * most);
    fprintf(out, best ? "<td class=\"n\"><span class=\"best\">%.1f" : "<td class=\"n\">%.1f",
            100 * value);
    if (best) fputs("</span><span class=\"hidden\"> best</span>", out);
    if (!isnan(sd)) fprintf(out, " <span class=\"sd\">± %.1f</span>", 100 * sd);
    fputs("</td>", out);
}

static void group_row(FILE *out, const un_report *report, size_t i, int fold) {
    const un_report_group *g = &report->groups[i];
    const int several = report->group_count > 1;
    const json_t *sd = json_object_get(g->summary, "sd");
    fputs("<tr><th scope=\"row\">", out);
    un_report_group_name(out, report, i);
    fputs("</th>", out);
    for (size_t k = 0; k < KEYS; k++)
        figure_cell(out, group_figure(report, g, g_keys[k]), number_of(sd, g_keys[k]),
                    most_of(report, g_keys[k]), several);
    if (fold) figure_cell(out, group_fold(report, g), (double)NAN, most_of(report, NULL), several);
    fputs("</tr>\n", out);
}

/* Of one class, or of any of n, or of the line between two shares: small figures keep a digit. */
static void chance_cell(FILE *out, double share) {
    fprintf(out, 100 * share < 0.95 ? "<td class=\"n\">%.1g</td>" : "<td class=\"n\">%.1f</td>",
            100 * share);
}

static void chance_row(FILE *out, const un_report *report, int fold) {
    const un_report_counts n = un_report_count(report->models[report->lead].result);
    if (n.seen == 0 || n.unseen == 0) return;
    double any = 1.0 / (double)(n.seen + n.unseen), unseen = 1.0 / (double)n.unseen;
    fputs("<tr class=\"rest\"><th scope=\"row\">chance</th>", out);
    chance_cell(out, unseen);
    for (int k = 0; k < 3; k++) chance_cell(out, any);
    chance_cell(out, unseen / (double)n.seen / 2);
    fputs(fold ? "<td class=\"n\">–</td></tr>\n" : "</tr>\n", out);
}

static void figure_heads(FILE *out, const char *caption) {
    un_html_table(out, "figures", caption);
    un_html_column(out, NULL, "model");
    for (size_t k = 0; k < KEYS; k++) un_html_column(out, "n", g_keys[k]);
}

static void model_row(FILE *out, const un_report_model *m) {
    fputs("<tr><th scope=\"row\">", out);
    un_report_name(out, m);
    fputs("</th>", out);
    for (size_t k = 0; k < KEYS; k++) un_html_percent(out, json_object_get(m->result, g_keys[k]));
    fputs("</tr>\n", out);
}

static void origin_row(FILE *out, const un_report *report, size_t i) {
    const un_report_model *m = &report->models[i];
    fputs("<tr><th scope=\"row\">", out);
    un_report_name(out, m);
    fputs("<br><span class=\"kind free\">", out);
    un_html_name(out, report->groups[un_report_group_of(report, i)].features);
    fputs("</span></th><td>", out);
    un_html_text(out, un_report_text(m->result, "method"));
    fprintf(out, "</td><td class=\"n\">%lld</td><td class=\"n\">%.4g</td><td>",
            (long long)json_integer_value(json_object_get(m->result, "seed")),
            json_number_value(json_object_get(m->result, "gamma")));
    un_html_text(out, un_report_text(m->result, "selection"));
    fputs("</td></tr>\n", out);
}

/* How the models came about. */
static void write_origins(FILE *out, const un_report *report) {
    fputs("<details><summary>Methods, features and gammas</summary>\n", out);
    un_html_table(out, "origins", "How the models came about, and the gamma of their U, S and H.");
    un_html_column(out, NULL, "model, features");
    un_html_column(out, NULL, "method");
    un_html_column(out, "n", "seed");
    un_html_column(out, "n", "gamma");
    un_html_column(out, NULL, "selection");
    un_html_table_body(out);
    for (size_t i = 0; i < report->count; i++) origin_row(out, report, i);
    un_html_table_end(out);
    fputs("</details>\n", out);
}

void un_report_comparison(FILE *out, const un_report *report) {
    const int fold = most_of(report, NULL) > 0, folded = report->group_count < report->count;
    figure_heads(out, folded ? "Percent, mean over classes; ± is the sample standard deviation of "
                               "models that differ in their seed only."
                             : "Percent, mean over classes.");
    if (fold) un_html_column(out, "n", "fold");
    un_html_table_body(out);
    for (size_t g = 0; g < report->group_count; g++) group_row(out, report, g, fold);
    chance_row(out, report, fold);
    un_html_table_end(out);
    fputs("<p class=\"soft\">", out);
    if (report->group_count > 1)
        fputs("<span class=\"best\">Underlined</span>: the best of its column on these test "
              "pictures. ",
              out);
    fputs(
        "T1: pictures of unseen classes, named among unseen classes only. U, S: pictures of unseen "
        "and of seen classes, named among all; H: their harmonic mean (Xian et al.). AUSUC: the "
        "area under the curve of U and S.",
        out);
    if (fold)
        fputs(
            " Fold: AUSUC on validation folds, seen classes split as if some were unseen; that is "
            "where to choose a model.",
            out);
    fputs("</p>\n", out);
    if (folded) {
        fprintf(out, "<details><summary>Each of the %zu models</summary>\n", report->count);
        figure_heads(out, "Percent, mean over classes.");
        un_html_table_body(out);
        for (size_t i = 0; i < report->count; i++) model_row(out, &report->models[i]);
        un_html_table_end(out);
        fputs("</details>\n", out);
    }
    write_origins(out, report);
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

static void map_heads(FILE *out, const char *caption, const char *rows, size_t branches) {
    un_html_table(out, branches > 2 ? "parts many" : "parts", caption);
    un_html_column(out, NULL, rows);
    for (size_t b = 0; b < branches; b++) {
        char name[32];
        snprintf(name, sizeof name, "map %zu", b + 1);
        un_html_column(out, "n", branches > 1 ? name : "map");
    }
    un_html_column(out, "n", "centre");
    un_html_column(out, "n", "chance");
    un_html_column(out, "n", "ceiling");
    un_html_table_body(out);
}

/* What has nothing to do with the model: two answers without one, and what the grid allows. */
static void pointing_rest(FILE *out, const json_t *p) {
    un_html_percent(out, json_object_get(p, "centre"));
    un_html_percent(out, json_object_get(p, "uniform"));
    un_html_percent(out, json_object_get(p, "attainable"));
    fputs("</tr>\n", out);
}

static void pointing_row(FILE *out, const json_t *p, const char *name, size_t branches) {
    fputs("<tr><th scope=\"row\">", out);
    un_html_text(out, name);
    fprintf(out, " <span class=\"kind\">%lld</span></th>",
            (long long)json_integer_value(json_object_get(p, "pairs")));
    for (size_t b = 0; b < branches; b++) hit_cell(out, p, b);
    pointing_rest(out, p);
}

static void pointing_table(FILE *out, const json_t *list, const char *caption, size_t branches) {
    const json_t *part = NULL;
    size_t i = 0;
    map_heads(out, caption, "part", branches);
    pointing_row(out, list, "all parts", branches);
    json_array_foreach(json_object_get(list, "parts"), i, part) {
        if (json_integer_value(json_object_get(part, "pairs")) > 0)
            pointing_row(out, part, un_report_text(part, "name"), branches);
    }
    un_html_table_end(out);
}

static size_t branches_of(const json_t *localisation) {
    return (size_t)json_integer_value(json_object_get(localisation, "branches"));
}

static void name_maps(FILE *out, const json_t *localisation) {
    const json_t *titles = json_object_get(localisation, "branch_titles");
    for (size_t b = 0; b < json_array_size(titles); b++) {
        if (json_array_size(titles) > 1) fprintf(out, "Map %zu: ", b + 1);
        un_html_text(out, json_string_value(json_array_get(titles, b)));
        fputs(". ", out);
    }
}

/* One row for each map of a group's models. */
static void pointing_rows(FILE *out, const un_report *report, size_t g) {
    const json_t *l = report->groups[g].localisation, *all = json_object_get(l, "test_unseen");
    for (size_t b = 0; b < branches_of(l); b++) {
        fputs("<tr><th scope=\"row\">", out);
        un_report_group_name(out, report, g);
        if (branches_of(l) > 1) fprintf(out, ", map %zu", b + 1);
        fputs("<br><span class=\"kind free\">", out);
        un_html_text(out,
                     json_string_value(json_array_get(json_object_get(l, "branch_titles"), b)));
        fputs("</span></th>", out);
        hit_cell(out, all, b);
        pointing_rest(out, all);
    }
}

/* The parts, folded. */
static void localised_group(FILE *out, const un_report *report, size_t g) {
    const json_t *l = report->groups[g].localisation, *grid = json_object_get(l, "grid");
    fputs("<details><summary>Part by part: ", out);
    un_report_group_name(out, report, g);
    fputs("</summary>\n<p class=\"soft\">", out);
    name_maps(out, l);
    fprintf(out, "Grid: %lld × %lld. Beside each part: pairs of a picture and an attribute.</p>\n",
            (long long)json_integer_value(json_array_get(grid, 0)),
            (long long)json_integer_value(json_array_get(grid, 1)));
    pointing_table(out, json_object_get(l, "test_unseen"), "Pictures of unseen classes, percent.",
                   branches_of(l));
    pointing_table(out, json_object_get(l, "test_seen"), "Pictures of seen classes, percent.",
                   branches_of(l));
    fputs("</details>\n", out);
}

void un_report_localisation(FILE *out, const un_report *report) {
    const json_t *first = NULL;
    for (size_t g = 0; g < report->group_count && !first; g++)
        first = report->groups[g].localisation;
    if (!first) return;
    fprintf(out,
            "<section id=\"attention\"><h2>Where attention points</h2>\n<p>How often the highest "
            "point of an attribute’s map lies on the part that the attribute speaks of (%s mark "
            "it). Centre and chance are answers without a model: always the middle of the picture, "
            "and anywhere; the ceiling is the most that the grid of the maps can reach.</p>\n",
            un_report_text(first, "kind"));
    map_heads(
        out,
        "Percent of pairs of a test picture of an unseen class and an attribute of that class. "
        "Bold: better than centre and chance.",
        "model", 1);
    for (size_t g = 0; g < report->group_count; g++)
        if (report->groups[g].localisation) pointing_rows(out, report, g);
    un_html_table_end(out);
    for (size_t g = 0; g < report->group_count; g++)
        if (report->groups[g].localisation) localised_group(out, report, g);
    fputs("</section>\n", out);
}

/* ---- texts ---- */

static void recovery_row(FILE *out, const char *name, const json_t *r) {
    fprintf(out, "<tr><th scope=\"row\">%s classes <span class=\"kind\">%lld</span></th>", name,
            (long long)json_integer_value(json_object_get(r, "images")));
    un_html_percent(out, json_object_get(r, "in_group"));
    un_html_percent(out, json_object_get(r, "in_group_prior"));
    un_html_percent(out, json_object_get(r, "among_all"));
    un_html_percent(out, json_object_get(r, "among_all_prior"));
    fputs("</tr>\n", out);
}

static void group_shares(FILE *out, const json_t *groups, const char *caption) {
    const json_t *group = NULL;
    size_t i = 0;
    double most = 0;
    json_array_foreach(groups, i, group) most = fmax(most, number_of(group, "share"));
    un_html_table(out, "bars", caption);
    un_html_column(out, NULL, "group");
    un_html_column(out, "n", "percent");
    un_html_column(out, "n", "of an even share");
    un_html_table_body(out);
    json_array_foreach(groups, i, group) {
        double share = number_of(group, "share"), even = number_of(group, "even");
        un_html_row(out, un_report_text(group, "name"));
        fprintf(
            out,
            "<td class=\"n bar\" style=\"--p:%.1f%%\">%.1f</td><td class=\"n\">× %.2f</td></tr>\n",
            most > 0 ? 100 * share / most : 0, 100 * share, even > 0 ? share / even : 0);
    }
    un_html_table_end(out);
}

static void write_recovery(FILE *out, const json_t *recovery) {
    fputs("<h3>Pictures and words</h3>\n", out);
    un_html_table(
        out, "recovery",
        "One attribute of each test picture’s class is hidden from its text: how often the "
        "model names it, beside the best answer that is always the same. Percent.");
    un_html_column(out, NULL, "pictures of");
    un_html_column(out, "n", "in group");
    un_html_column(out, "n", "constant");
    un_html_column(out, "n", "among all");
    un_html_column(out, "n", "constant");
    un_html_table_body(out);
    recovery_row(out, "unseen", json_object_get(recovery, "unseen"));
    if (json_object_get(recovery, "seen"))
        recovery_row(out, "seen", json_object_get(recovery, "seen"));
    un_html_table_end(out);
}

void un_report_grounding(FILE *out, const json_t *result) {
    const json_t *recovery = json_object_get(result, "recovery");
    const json_t *attention = json_object_get(result, "group_attention");
    if (recovery) write_recovery(out, recovery);
    if (!attention) return;
    const json_t *groups = json_object_get(attention, "groups");
    fprintf(out,
            "<details><summary><h3>How pictures divide their attention over %zu groups of "
            "attributes</h3></summary>\n<p>Percent of ",
            json_array_size(groups));
    un_html_text(out, un_report_text(attention, "of"));
    fprintf(out, ", the mean over %lld test pictures.</p>\n",
            (long long)json_integer_value(json_object_get(attention, "images")));
    group_shares(out, groups, "What an even share is: the same for every attribute.");
    fputs("</details>\n", out);
}

/* ---- classes ---- */

static const json_t *class_of(const un_report_model *m, size_t k) {
    return json_array_get(json_object_get(m->result, "classes"), k);
}

static void class_head(FILE *out, const json_t *class) {
    fputs("<tr><th scope=\"row\">", out);
    un_html_name(out, un_report_text(class, "name"));
    fprintf(out, " <span class=\"kind\">%s, %lld</span></th>",
            un_report_kind(json_is_true(json_object_get(class, "seen"))),
            (long long)json_integer_value(json_object_get(class, "images")));
}

static void class_row(FILE *out, const un_report *report, size_t k) {
    const json_t *class = class_of(&report->models[report->lead], k);
    class_head(out, class);
    for (size_t i = 0; i < report->count; i++) {
        double accuracy = number_of(class_of(&report->models[i], k), "accuracy");
        if (isnan(accuracy))
            fputs("<td class=\"n\">–</td>", out);
        else
            fprintf(out, "<td class=\"n bar\" style=\"--p:%.1f%%\">%.1f</td>", 100 * accuracy,
                    100 * accuracy);
    }
    fputs("</tr>\n", out);
}

/* The classes that are hardest for the lead, in words. */
static void hardest(FILE *out, const un_report *report, const size_t *order, size_t n) {
    const un_report_model *lead = &report->models[report->lead];
    size_t named = 0;
    for (size_t k = 0; k < n && named < 3; k++) {
        const json_t *class = class_of(lead, order[k]);
        double accuracy = number_of(class, "accuracy");
        if (json_is_true(json_object_get(class, "seen")) || isnan(accuracy) || accuracy >= 1) break;
        if (named == 0) {
            fputs("<p>Hardest of the unseen classes for ", out);
            un_report_name(out, lead);
        }
        fputs(named++ == 0 ? ": " : ", ", out);
        un_html_text(out, un_report_text(class, "name"));
        fprintf(out, " (%.1f)", 100 * accuracy);
    }
    if (named > 0) fputs(".</p>\n", out);
}

un_status un_report_classes(FILE *out, const un_report *report) {
    size_t *order = NULL, n = 0;
    UN_TRY(un_report_class_order(report->models[report->lead].result, &order, &n));
    hardest(out, report, order, n);
    fprintf(out, "<details><summary>All %zu classes</summary>\n", n);
    un_html_table(
        out, "bars sort",
        "Percent of a class’s test pictures that are named right among all classes. After each "
        "name: seen or unseen, and how many test pictures there are.");
    un_html_column(out, NULL, "class");
    for (size_t i = 0; i < report->count; i++) {
        fputs("<th scope=\"col\" class=\"n\">", out);
        un_report_name(out, &report->models[i]);
        fputs("</th>", out);
    }
    un_html_table_body(out);
    for (size_t k = 0; k < n; k++) class_row(out, report, order[k]);
    un_html_table_end(out);
    fputs("</details>\n", out);
    free(order);
    return UNSEEN_OK;
}

/* ---- the confusion matrix, as a picture and in words ---- */

/* "5 Siskin, 2 Pipit": the answers to pictures of a class but the right one, the most frequent
 * first. `row` is used up. */
static void answers(FILE *out, const un_report_model *m, uint32_t *row, size_t n) {
    for (int first = 1;; first = 0) {
        size_t best = 0;
        for (size_t k = 1; k < n; k++)
            if (row[k] > row[best]) best = k;
        if (row[best] == 0) {
            if (first) fputs("–", out);
            return;
        }
        fprintf(out, "%s%u ", first ? "" : ", ", row[best]);
        un_html_name(out, un_report_text(class_of(m, best), "name"));
        row[best] = 0;
    }
}

static void confusion_row(FILE *out, const un_report_model *m, size_t k, uint32_t *row, size_t n) {
    memcpy(row, m->confusion + k * n, n * sizeof *row);
    class_head(out, class_of(m, k));
    fprintf(out, "<td class=\"n\">%u</td><td>", row[k]);
    row[k] = 0;
    answers(out, m, row, n);
    fputs("</td></tr>\n", out);
}

un_status un_report_confusion(FILE *out, const un_report_model *m) {
    size_t *order = NULL, n = 0;
    uint32_t *row = NULL;
    UN_TRY(un_report_class_order(m->result, &order, &n));
    un_status status = un_alloc(n, sizeof *row, &row);
    if (!status) {
        fputs("<details><summary><h3>The whole confusion matrix</h3></summary>\n<p>A row for each "
              "true "
              "class, a column for each answer, in the order of the table below, unseen classes "
              "before the line. The diagonal is what was named right; the stronger a colour, the "
              "larger the share of the class’s pictures.</p>\n",
              out);
        un_report_matrix(out, m, order, n, un_report_count(m->result).unseen);
        un_html_table(out, "taken",
                      "What the test pictures of each class were taken for; after its name, how "
                      "many there are.");
        un_html_column(out, NULL, "class");
        un_html_column(out, "n", "right");
        un_html_column(out, NULL, "taken for");
        un_html_table_body(out);
        for (size_t k = 0; k < n; k++)
            if (un_report_pictures(m->result, order[k]) > 0)
                confusion_row(out, m, order[k], row, n);
        un_html_table_end(out);
        fputs("</details>\n", out);
    }
    free(row);
    free(order);
    return status;
}
