/*
 * report_page.c - the page of report.h: what stands at its top, its contents, the order of its
 * sections.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "picture/report.h"

/* ---- the top: what came out, in a sentence, in numbers, in pictures ---- */

static double figure(const json_t *result, const char *key) {
    const json_t *value = json_object_get(result, key);
    return json_is_number(value) ? 100 * json_number_value(value) : (double)NAN;
}

static void write_sentence(FILE *out, const un_report_model *m, const un_report_counts *n) {
    double t1 = figure(m->result, "T1"), u = figure(m->result, "U"), s = figure(m->result, "S");
    if (isnan(t1) && isnan(s)) return;
    fputs("<p class=\"say\"><b>", out);
    un_report_name(out, m);
    fputs("</b>", out);
    if (!isnan(t1))
        fprintf(out,
                " is right on <b>%.1f %%</b> of the pictures of %zu classes that no training "
                "picture showed, if it knows that it is one of these (chance: %.1f %%)",
                t1, n->unseen, 100.0 / (double)n->unseen);
    if (!isnan(t1) && (!isnan(u) || !isnan(s))) fputs(";", out);
    if (!isnan(u) || !isnan(s)) fprintf(out, " among all %zu classes", n->unseen + n->seen);
    if (!isnan(u)) fprintf(out, " on <b>%.1f %%</b> of unseen ones", u);
    if (!isnan(u) && !isnan(s)) fputs(" and", out);
    if (!isnan(s)) fprintf(out, " on <b>%.1f %%</b> of seen ones", s);
    fputs(".</p>\n", out);
}

static void write_counts(FILE *out, const un_report *report, const un_report_counts *n) {
    fprintf(
        out,
        "<p class=\"soft\">%zu unseen classes with %zu test pictures, %zu seen classes with %zu. "
        "Accuracies are means over classes.",
        n->unseen, n->unseen_pictures, n->seen, n->seen_pictures);
    if (report->count > 1) {
        size_t g = un_report_group_of(report, report->lead);
        fprintf(out, " Of %zu models ", report->count);
        un_report_group_name(out, report, g);
        fputs(report->by_fold
                  ? " comes first: it was best on the validation folds, before any test."
                  : " comes first, as it was given first.",
              out);
        if (report->groups[g].count > 1)
            fputs(" The figures here are those of its first seed.", out);
    }
    fputs("</p>\n", out);
}

static void write_top(FILE *out, const un_report *report) {
    const un_report_model *lead = &report->models[report->lead];
    const un_report_counts n = un_report_count(lead->result);
    fputs("<header><h1>", out);
    un_html_text(out, report->dataset);
    fputs("</h1>\n", out);
    write_sentence(out, lead, &n);
    un_report_numbers(out, lead->result);
    write_counts(out, report, &n);
    if (lead->picture_count > 0) un_report_gallery(out, lead, 1);
    un_report_about_pictures(out, lead);
    fputs("</header>\n", out);
}

/* ---- contents ---- */

static int has_localisation(const un_report *report) {
    for (size_t g = 0; g < report->group_count; g++)
        if (report->groups[g].localisation) return 1;
    return 0;
}

static void link_to(FILE *out, const char *anchor, const char *text) {
    fprintf(out, "<li><a href=\"#%s\">%s</a></li>\n", anchor, text);
}

static void write_contents(FILE *out, const un_report *report) {
    fputs("<nav class=\"contents\" aria-label=\"Contents\"><ul>\n", out);
    if (report->count > 1) link_to(out, "models", "Models side by side");
    link_to(out, "curves", "Seen against unseen");
    if (has_localisation(report)) link_to(out, "attention", "Where attention points");
    link_to(out, "classes", "Classes");
    for (size_t i = 0; i < report->count; i++) {
        fprintf(out, "<li><a href=\"#model-%zu\">", i + 1);
        un_html_text(out, report->models[i].name);
        fputs("</a></li>\n", out);
    }
    link_to(out, "data", "Data and split");
    fputs("</ul></nav>\n", out);
}

/* ---- sections ---- */

static void write_curves(FILE *out, const un_report *report) {
    size_t curves = 0;
    for (size_t i = 0; i < report->count; i++)
        curves += json_is_number(json_object_get(report->models[i].result, "AUSUC"));
    fputs("<section id=\"curves\"><h2>Seen against unseen</h2>\n", out);
    if (curves == 0) {
        fputs("<p>There is no curve: the data set has no test pictures of seen classes, or none of "
              "unseen ones.</p></section>\n",
              out);
        return;
    }
    fputs("<p>Every point that some gamma reaches: what is taken from the scores of seen classes, "
          "unseen ones gain. The more area under a curve, the better.</p>\n",
          out);
    if (report->count > 1)
        un_report_curves(out, report);
    else
        un_report_curve(out, &report->models[0]);
    fputs("</section>\n", out);
}

static void write_data(FILE *out, const un_report *report) {
    fputs("<section id=\"data\"><h2>Data and split</h2>\n<p>Data set: ", out);
    un_html_text(out, report->dataset);
    fputs(". Split, by which the same train and test pictures are known again: <code>", out);
    un_html_text(out, report->split);
    fputs("</code></p></section>\n", out);
}

static un_status write_page(FILE *out, const un_report *report) {
    UN_TRY(un_report_head(out, report->dataset));
    fputs("<body>\n", out);
    write_top(out, report);
    write_contents(out, report);
    fputs("<main>\n", out);
    if (report->count > 1) {
        fputs("<section id=\"models\"><h2>Models side by side</h2>\n", out);
        un_report_comparison(out, report);
        fputs("</section>\n", out);
    }
    write_curves(out, report);
    un_report_localisation(out, report);
    fputs("<section id=\"classes\"><h2>Classes</h2>\n", out);
    UN_TRY(un_report_classes(out, report));
    fputs("</section>\n", out);
    for (size_t i = 0; i < report->count; i++) UN_TRY(un_report_section(out, report, i));
    write_data(out, report);
    fputs("</main>\n", out);
    un_report_script(out);
    fputs("</body></html>\n", out);
    return UNSEEN_OK;
}

un_status un_report_html(const un_report *report, char **out, size_t *size) {
    FILE *stream = open_memstream(out, size);
    if (!stream) return un_fail_memory(0);
    un_status status = write_page(stream, report);
    int failed = ferror(stream);
    if ((fclose(stream) != 0 || failed) && !status) status = un_fail_memory(0);
    if (status) {
        free(*out);
        *out = NULL;
    }
    return status;
}
