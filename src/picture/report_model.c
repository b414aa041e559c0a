/*
 * report_model.c - what the page of report.h says of one model: its figures and where they come
 * from, its pictures right and wrong, and, folded, what it takes for what, how it learned, its
 * manifest.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "picture/report.h"
#include "protocol/report.h"

/* ---- figures ---- */

static void number_card(FILE *out, const json_t *result, const char *key, const char *what,
                        double chance) {
    const json_t *value = json_object_get(result, key);
    if (json_is_number(value))
        fprintf(out, "<div><b>%.1f</b>", 100 * json_number_value(value));
    else
        fputs("<div><b>–</b>", out);
    fprintf(out, "<span>%s</span>", what);
    if (isfinite(chance))
        fprintf(out,
                100 * chance < 0.95 ? "<br><span class=\"soft\">chance %.1g</span>"
                                    : "<br><span class=\"soft\">chance %.1f</span>",
                100 * chance);
    fputs("</div>", out);
}

void un_report_numbers(FILE *out, const json_t *result) {
    const un_report_counts n = un_report_count(result);
    double unseen = 1.0 / (double)n.unseen, all = 1.0 / (double)(n.unseen + n.seen);
    fputs("<div class=\"numbers\">", out);
    number_card(out, result, "T1", "T1, among unseen", unseen);
    number_card(out, result, "U", "U, unseen", all);
    number_card(out, result, "S", "S, seen", all);
    number_card(out, result, "H", "H, of U and S", all);
    number_card(out, result, "AUSUC", "AUSUC, area", unseen / (double)n.seen / 2);
    fputs("</div>\n", out);
}

/* How the model and its gamma came about, in words. */
static void write_origin(FILE *out, const json_t *r) {
    const char *selection = un_report_text(r, "selection"),
               *source = un_report_text(r, "gamma_source");
    fputs("<p>", out);
    if (!strcmp(selection, "none"))
        fputs("The length of training was given, not selected. ", out);
    else if (!strcmp(selection, "validation"))
        fputs("The length of training was selected on validation folds. ", out);
    else
        fputs("<b>The model was selected on the test sets</b>, so its numbers are too good. ", out);
    fprintf(out, "U, S and H are at gamma %.4g, ", json_number_value(json_object_get(r, "gamma")));
    if (!strcmp(source, "native"))
        fputs("the scores as the method computes them. ", out);
    else if (!strcmp(source, "given"))
        fputs("which was given. ", out);
    else if (!strcmp(source, "validation"))
        fputs("selected on validation folds. ", out);
    else
        fputs("<b>selected on test</b>. ", out);
    fputs("The unit of scores and gamma: ", out);
    un_html_text(out, un_report_text(r, "score_unit"));
    const char *calibration = json_string_value(json_object_get(r, "calibration"));
    if (calibration) {
        fputs("; calibrated scores are ", out);
        un_html_text(out, calibration);
    }
    fputs(".</p>\n", out);
}

static void gamma_row(FILE *out, const char *name, const json_t *r) {
    const json_t *gamma = json_object_get(r, "gamma");
    un_html_row(out, name);
    if (json_is_number(gamma))
        fprintf(out, "<td class=\"n\">%.4g</td>", json_number_value(gamma));
    else
        fputs("<td class=\"n\">–</td>", out);
    un_html_percent(out, json_object_get(r, "U"));
    un_html_percent(out, json_object_get(r, "S"));
    un_html_percent(out, json_object_get(r, "H"));
    fputs("</tr>\n", out);
}

/* What calibration does to answers, in words. */
static void write_turned(FILE *out, const un_report_model *m) {
    double gamma = json_number_value(json_object_get(m->result, "gamma"));
    const un_report_counts n = un_report_count(m->result);
    if (m->turned == 0) return;
    fprintf(
        out,
        "<p>That gamma is a bonus for %s classes. %zu of the %zu answers are others than without "
        "it: %zu of them are right, %zu were right without.</p>\n",
        un_report_kind(gamma < 0), m->turned, n.seen_pictures + n.unseen_pictures, m->turned_right,
        m->turned_wrong);
}

static void write_gammas(FILE *out, const json_t *r) {
    un_html_table(out, "gammas", "The same model at other gammas; percent, mean over classes.");
    un_html_column(out, NULL, "scores");
    un_html_column(out, "n", "gamma");
    un_html_column(out, "n", "U");
    un_html_column(out, "n", "S");
    un_html_column(out, "n", "H");
    un_html_table_body(out);
    gamma_row(out, "native", json_object_get(r, "native"));
    const json_t *selected = un_result_selected(r);
    if (selected)
        gamma_row(out,
                  strcmp(un_report_text(r, "selection"), UN_SELECTED_ON_TEST)
                      ? "selected on validation"
                      : UN_SELECTED_ON_TEST,
                  selected);
    if (!strcmp(un_report_text(r, "gamma_source"), "given")) gamma_row(out, "given", r);
    gamma_row(out, "best H, chosen on test", json_object_get(r, "best_curve"));
    gamma_row(out, "mean over pictures", json_object_get(r, "per_image"));
    un_html_table_end(out);
}

static void write_manifest(FILE *out, const json_t *manifest) {
    char *text = un_json_dump(manifest, UN_JSON_FOR_PEOPLE);
    if (!text) return;
    fputs("<details><summary><h3>The manifest of the training</h3></summary><pre>", out);
    un_html_text(out, text);
    fputs("</pre></details>\n", out);
    free(text);
}

/* ---- pictures ---- */

static void image(FILE *out, const un_report_image *image, const char *before, const char *name) {
    if (image->size == 0) return;
    fputs("<img loading=\"lazy\" alt=\"", out);
    un_html_text(out, before);
    un_html_text(out, name);
    fputs("\" src=\"data:image/jpeg;base64,", out);
    un_html_base64(out, image->bytes, image->size);
    fputs("\">", out);
}

/* What the maps beside a picture show, from left to right. */
static void write_branches(FILE *out, const un_report_model *m) {
    size_t shown = m->branches ? m->branch_count : 0;
    if (shown > UN_REPORT_IMAGES - 1) shown = UN_REPORT_IMAGES - 1;
    for (size_t b = 0; b < shown; b++) {
        fputs(b > 0 ? "; " : "The maps from left to right: ", out);
        un_html_text(out, m->branches[b]);
    }
    if (shown > 0) fputs(".", out);
}

static void write_answer(FILE *out, const un_report_picture *p) {
    fputs("<figcaption><b>", out);
    un_html_name(out, p->truth);
    fprintf(out, "</b> <span class=\"kind\">%s</span><br>", un_report_kind(p->truth_seen));
    if (p->right) {
        fputs("<span class=\"right-answer\">✓ right</span>", out);
    } else {
        fputs("<span class=\"wrong-answer\">✗ taken for</span> <b>", out);
        un_html_name(out, p->predicted);
        fprintf(out, "</b> <span class=\"kind\">%s</span>", un_report_kind(p->predicted_seen));
    }
}

/* Which attribute the maps are of, and what won the answer where attributes did not. */
static void write_reasons(FILE *out, const un_report_picture *p) {
    if (p->attribute) {
        fputs("<p class=\"soft\">Maps of <b>", out);
        un_html_name(out, p->attribute);
        fputs("</b>", out);
        if (p->attributes_against) {
            fputs(", which speaks least against ", out);
            un_html_name(out, p->predicted);
            fputs("; no attribute speaks for it", out);
        }
        fputs("</p>", out);
    }
    if (p->verdict) {
        fputs("<p>", out);
        un_html_text(out, p->verdict);
        fputs(".</p>", out);
    }
    if (p->without_gamma) {
        fputs(p->verdict ? "<p>Without gamma the answer is <b>"
                         : "<p>The bonus of calibration won it: without gamma the answer is <b>",
              out);
        un_html_name(out, p->without_gamma);
        fputs("</b>.</p>", out);
    }
}

static void write_card(FILE *out, const un_report_picture *p) {
    static const char *const strips[] = {"one", "one", "two", "three"};
    size_t images = 0;
    for (size_t k = 0; k < UN_REPORT_IMAGES; k++) images += p->image[k].size > 0;
    fprintf(out, "<figure class=\"card\"><div class=\"strip %s\">", strips[images]);
    image(out, &p->image[0], "", p->truth);
    for (size_t k = 1; k < UN_REPORT_IMAGES; k++)
        image(out, &p->image[k], "attention on ", p->attribute);
    fputs("</div>", out);
    write_answer(out, p);
    write_reasons(out, p);
    fputs("</figcaption></figure>\n", out);
}

static size_t maps_of(const un_report_model *m) {
    size_t maps = 0;
    for (size_t i = 0; i < m->picture_count; i++) maps += m->pictures[i].attribute != NULL;
    return maps;
}

void un_report_gallery(FILE *out, const un_report_model *m, int at_top) {
    fprintf(out, "<div class=\"cards %s\">", maps_of(m) > 0 ? "maps" : "few");
    for (int seen = 0; seen < 2; seen++)
        for (size_t i = 0; i < m->picture_count; i++)
            if (m->pictures[i].truth_seen == seen && un_report_at_top(m, i) == at_top)
                write_card(out, &m->pictures[i]);
    fputs("</div>\n", out);
}

void un_report_about_pictures(FILE *out, const un_report_model *m) {
    fputs("<p class=\"soft\">", out);
    un_html_text(out,
                 m->note ? m->note : "Taken at even distances from the test pictures, not picked.");
    fputs("</p>\n", out);
    if (m->note || maps_of(m) == 0) return;
    fputs(
        "<details><summary>How to read the maps</summary>\n<p>Beside each picture, what the "
        "network "
        "saw of it, under its attention (dark: little, light: much) on the attribute that speaks "
        "most for the answer: against the true class, or against the next best where the answer is "
        "right. ",
        out);
    write_branches(out, m);
    fputs("</p></details>\n", out);
}

/* Those of the lead at the top of the page are not repeated. */
static void write_pictures(FILE *out, const un_report_model *m, int lead) {
    size_t top = 0;
    for (size_t i = 0; i < m->picture_count; i++) top += un_report_at_top(m, i) != 0;
    size_t left = lead ? m->picture_count - top : m->picture_count;
    if (left == 0 && (lead || !m->note)) return;
    if (left == 0) {
        un_report_about_pictures(out, m);
        return;
    }
    fprintf(out, "<details><summary><h3>%zu %spictures, right and wrong</h3></summary>\n", left,
            lead ? "more " : "");
    un_report_about_pictures(out, m);
    if (!lead) un_report_gallery(out, m, 1);
    un_report_gallery(out, m, 0);
    fputs("</details>\n", out);
}

/* ---- what is taken for what ---- */

static void write_pairs(FILE *out, const un_report_model *m) {
    for (size_t i = 0; i < m->pair_count; i++) {
        const un_report_pair *p = &m->pairs[i];
        fputs("<figure class=\"card\">", out);
        if (p->sample.size + p->example.size > 0) fputs("<div class=\"strip two\">", out);
        image(out, &p->sample, "taken wrongly: ", p->truth);
        image(out, &p->example, "an example of ", p->predicted);
        if (p->sample.size + p->example.size > 0) fputs("</div>", out);
        fputs("<figcaption><b>", out);
        un_html_name(out, p->truth);
        fprintf(out, "</b> <span class=\"kind\">%s</span><br>taken for <b>",
                un_report_kind(p->truth_seen));
        un_html_name(out, p->predicted);
        fprintf(
            out,
            "</b> <span class=\"kind\">%s</span><br>%zu of %zu pictures</figcaption></figure>\n",
            un_report_kind(p->predicted_seen), p->count, p->of);
    }
}

static un_status write_confusions(FILE *out, const un_report *report, const un_report_model *m) {
    if (m->pair_count > 0) {
        fprintf(out,
                "<details><summary><h3>Most confused pairs</h3></summary>\n<div class=\"cards "
                "%s\">",
                m->pairs[0].sample.size > 0 ? "" : "few");
        write_pairs(out, m);
        fputs("</div></details>\n", out);
    }
    if (!m->confusion) return UNSEEN_OK;
    if (!report->brief) return un_report_confusion(out, m);
    fputs("<p class=\"soft\">The whole confusion matrix would make the page too large: "
          "<code>unseen eval "
          "--confusion</code> writes it.</p>\n",
          out);
    return UNSEEN_OK;
}

/* ---- the section ---- */

static void write_curve(FILE *out, const un_report_model *m) {
    if (!json_is_number(json_object_get(m->result, "AUSUC"))) return;
    fputs("<details><summary><h3>Its curve, and the gammas on it</h3></summary>\n", out);
    un_report_curve(out, m);
    fputs("</details>\n", out);
}

static void write_learning(FILE *out, const un_report_model *m) {
    if (m->plot_count == 0) {
        fputs(
            "<p class=\"soft\">No learning curves: the model was trained without selection, and no "
            "log was given.</p>\n",
            out);
        return;
    }
    fputs("<details><summary><h3>Learning</h3></summary>\n<div class=\"plots\">", out);
    for (size_t i = 0; i < m->plot_count; i++) un_report_lines(out, &m->plots[i]);
    fputs("</div></details>\n", out);
}

/* A model among others is folded under its figures. */
static void write_summary(FILE *out, const un_report_model *m) {
    static const char *const keys[] = {"T1", "U", "S", "H", "AUSUC"};
    fputs("<details><summary><h2>", out);
    un_html_text(out, m->name);
    fputs("</h2> <span class=\"soft\">", out);
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        const json_t *value = json_object_get(m->result, keys[k]);
        if (json_is_number(value))
            fprintf(out, "%s&nbsp;%.1f ", keys[k], 100 * json_number_value(value));
    }
    fputs("</span></summary>\n", out);
}

un_status un_report_section(FILE *out, const un_report *report, size_t i) {
    const un_report_model *m = &report->models[i];
    const int several = report->count > 1, lead = i == report->lead;
    fprintf(out, "<section class=\"model\" id=\"model-%zu\">", i + 1);
    if (several) {
        write_summary(out, m);
    } else {
        fputs("<h2>", out);
        un_html_text(out, m->name);
        fputs("</h2>\n", out);
    }
    fputs("<p class=\"soft\">", out);
    un_html_text(out, un_report_text(m->result, "method"));
    fprintf(out, ", seed %lld</p>\n",
            (long long)json_integer_value(json_object_get(m->result, "seed")));
    if (!lead) un_report_numbers(out, m->result);
    write_origin(out, m->result);
    write_turned(out, m);
    write_gammas(out, m->result);
    if (several) write_curve(out, m);
    write_pictures(out, m, lead);
    UN_TRY(write_confusions(out, report, m));
    write_learning(out, m);
    un_report_grounding(out, m->result);
    write_manifest(out, m->manifest);
    fputs(several ? "</details></section>\n" : "</section>\n", out);
    return UNSEEN_OK;
}
