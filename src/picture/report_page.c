/*
 * report_page.c - the page of report.h: its style, what it says of a model, the order of
 * things. The sections are in report_sections.c.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "picture/report.h"
#include "protocol/report.h"

static const char HEAD[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
    "style-src 'unsafe-inline'\">\n";

static const char STYLE[] =
    "<style>\n"
    ":root{--paper:#fff;--panel:#f6f8fa;--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;"
    "--c0:#2166ac;--c1:#b2532b;--c2:#1a7f5a;--c3:#7d4ba3;--c4:#9a6700;--c5:#c2337a}\n"
    "@media(prefers-color-scheme:dark){:root{--paper:#0f1419;--panel:#192028;--ink:#e6e9ec;"
    "--soft:#9aa5b1;--line:#36414d;--c0:#6cb0f5;--c1:#f0a070;--c2:#5fcf9f;--c3:#c39be8;"
    "--c4:#e0b84c;--c5:#f285b8}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:64rem;padding:1.25rem;background:var(--paper);color:var(--ink);"
    "font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}\n"
    "h1{font-size:1.7rem;line-height:1.2;margin:.5rem 0}h2{font-size:1.35rem;margin:2.5rem 0 .5rem;"
    "padding-top:1.25rem;border-top:1px solid var(--line)}h3{font-size:1.05rem;margin:1.75rem 0 "
    ".5rem}\n"
    ".soft,small{color:var(--soft)}p{margin:.5rem 0;max-width:44rem}\n"
    ".scroll{overflow-x:auto}.scroll table{overflow-wrap:break-word}.scroll tbody "
    "th{min-width:8rem}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "th,td{padding:.3rem .75rem .3rem 0;text-align:left;vertical-align:baseline}"
    "thead th{color:var(--soft);font-weight:500;border-bottom:1px solid var(--line)}"
    "tbody th{font-weight:500}.n{text-align:right;white-space:nowrap}\n"
    ".numbers{display:grid;grid-template-columns:repeat(auto-fill,minmax(7.5rem,1fr));gap:.6rem;"
    "margin:.75rem 0}.numbers div{background:var(--panel);border-radius:8px;padding:.6rem .8rem}"
    ".numbers b{display:block;font-size:1.5rem;line-height:1.2}\n"
    ".bars{width:100%}.bars th{width:38%;font-weight:400;font-size:.9rem}.bars td{font-size:.9rem}"
    ".bar{width:42%}.bar span{display:block;height:.8rem;border-radius:2px;min-width:1px}"
    ".bar .seen{background:var(--c0)}.bar .unseen{background:var(--c1)}\n"
    "@media(max-width:34rem){.bars tr{display:grid;grid-template-columns:1fr 3rem 3.5rem;"
    "align-items:center}.bars th{grid-column:1/-1;width:auto;padding:.3rem 0 0}.bars td{padding:0}"
    ".bar{width:auto}}\n"
    "details{margin:.5rem 0}summary{cursor:pointer;padding:.25rem 0}"
    "pre{background:var(--panel);border-radius:8px;padding:1rem;overflow-x:auto;font-size:.8rem;"
    "line-height:1.4;overflow-wrap:normal}\n"
    "figure{margin:0}.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,"
    "18rem),1fr));gap:1rem;max-width:60rem}.curve{max-width:27rem}\n"
    ".plot{display:block;width:100%;height:auto}.plot text{fill:var(--soft);font-size:11px}"
    ".plot .label{font-size:12px}.grid{stroke:var(--line);stroke-width:.6}"
    ".axis{fill:none;stroke:var(--soft)}.line{fill:none;stroke-width:2;stroke-linejoin:round}"
    ".area{fill:var(--c0);opacity:.12}.c0{stroke:var(--c0)}.c1{stroke:var(--c1)}.c2{stroke:var(--"
    "c2)}"
    ".c3{stroke:var(--c3)}.c4{stroke:var(--c4)}.c5{stroke:var(--c5)}\n"
    ".mark{stroke-width:2}.mark.native{fill:var(--soft);stroke:var(--paper)}"
    ".mark.selected{fill:var(--c1);stroke:var(--paper)}.mark.hollow{fill:var(--paper);"
    "stroke:var(--ink)}\n"
    ".key{display:inline-flex;align-items:center;margin-right:1rem;font-size:.85rem}.key "
    "i{width:.75rem;height:.75rem;border-radius:50%;margin-right:.35rem;border:2px solid "
    "transparent}.key .native{background:var(--soft)}.key .selected{background:var(--c1)}"
    ".key .hollow{border-color:var(--ink)}.b0{background:var(--c0)}.b1{background:var(--c1)}"
    ".b2{background:var(--c2)}.b3{background:var(--c3)}.b4{background:var(--c4)}"
    ".b5{background:var(--c5)}\n"
    ".cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,19rem),1fr));"
    "gap:.9rem}.card{background:var(--panel);border-radius:8px;overflow:hidden}"
    ".card figcaption{padding:.5rem .7rem .7rem;font-size:.875rem;line-height:1.4}"
    ".strip{display:grid;gap:2px}.strip.two{grid-template-columns:1fr 1fr}"
    ".strip.three{grid-template-columns:1fr 1fr 1fr}.strip.one{max-width:14rem}"
    "img{display:block;width:100%;height:auto;aspect-ratio:1;object-fit:cover}\n"
    ".tag{font-size:.75rem;color:var(--soft);border:1px solid var(--line);border-radius:4px;"
    "padding:0 .3rem;white-space:nowrap}\n";

static const char STYLE_PARTS[] =
    ".again{border-top:1px solid var(--line);margin-top:1.5rem;padding-top:.5rem}"
    ".tight th,.tight td{padding-right:.9rem}.tight tbody th{position:sticky;left:0;"
    "background:var(--paper)}.scroll .parts tbody th{min-width:4.5rem}.sd{color:var(--soft);"
    "font-size:.85em}.parts .all>*{border-bottom:1px solid var(--line)}\n"
    "@media(max-width:34rem){.tight{font-size:.85rem}.tight th,.tight td{padding-right:.55rem}"
    ".scroll .tight tbody th{min-width:4.5rem}.tight .sd{display:block}}\n"
    "@media print{details{break-inside:avoid}}\n"
    "</style>\n";

static void number_card(FILE *out, const json_t *result, const char *key, const char *what) {
    const json_t *value = json_object_get(result, key);
    if (json_is_number(value))
        fprintf(out, "<div><b>%.1f</b>", 100 * json_number_value(value));
    else
        fputs("<div><b>–</b>", out);
    un_html_text(out, what);
    fputs("</div>", out);
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
    fprintf(out, "<tr><th scope=\"row\">%s</th>", name);
    if (json_is_number(gamma))
        fprintf(out, "<td class=\"n\">%.4g</td>", json_number_value(gamma));
    else
        fputs("<td class=\"n\">–</td>", out);
    un_report_percent(out, json_object_get(r, "U"));
    un_report_percent(out, json_object_get(r, "S"));
    un_report_percent(out, json_object_get(r, "H"));
    fputs("</tr>\n", out);
}

static void write_numbers(FILE *out, const json_t *r) {
    fputs("<div class=\"numbers\">", out);
    number_card(out, r, "T1", "T1, unseen only");
    number_card(out, r, "U", "U, unseen");
    number_card(out, r, "S", "S, seen");
    number_card(out, r, "H", "H, harmonic");
    number_card(out, r, "AUSUC", "AUSUC, area");
    fputs("</div>\n", out);
    write_origin(out, r);
    fputs("<div class=\"scroll\"><table><thead><tr><th>percent, mean over classes</th><th "
          "class=\"n\">gamma</th><th class=\"n\">U</th><th class=\"n\">S</th><th "
          "class=\"n\">H</th></tr></thead><tbody>\n",
          out);
    gamma_row(out, "native scores", json_object_get(r, "native"));
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
    fputs("</tbody></table></div>\n", out);
}

static void write_manifest(FILE *out, const json_t *manifest) {
    char *text = un_json_dump(manifest, UN_JSON_FOR_PEOPLE);
    if (!text) return;
    fputs("<details><summary>The manifest of the training</summary><pre>", out);
    un_html_text(out, text);
    fputs("</pre></details>\n", out);
    free(text);
}

/* What the maps beside a picture show, from left to right. */
static void write_branches(FILE *out, const un_report_model *m) {
    for (size_t b = 0; b < m->branch_count && m->branches; b++) {
        fputs(b > 0 ? "; " : "The maps from left to right: ", out);
        un_html_text(out, m->branches[b]);
    }
    if (m->branch_count > 0 && m->branches) fputs(".", out);
}

static void write_pictures(FILE *out, const un_report_model *m) {
    static const char *const titles[] = {"Wrong", "Right"};
    size_t count[2] = {0}, maps = 0;
    for (size_t i = 0; i < m->picture_count; i++) {
        count[m->pictures[i].right]++;
        maps += m->pictures[i].attribute != NULL;
    }
    fputs("<h3>Pictures</h3>\n<p>", out);
    if (m->note) {
        un_html_text(out, m->note);
        fputs("</p>\n", out);
        return;
    }
    fputs("Taken at even distances from the test pictures, not picked. ", out);
    if (maps > 0) {
        fputs("Beside each what the network saw, under its attention (dark: little, light: much) "
              "on the attribute that speaks most for the answer, against the true class, or "
              "against the next best where the answer is right. ",
              out);
        write_branches(out, m);
    } else {
        fputs("This model has no attention maps.", out);
    }
    fputs("</p>\n", out);
    for (int right = 0; right < 2; right++) {
        if (count[right] == 0) continue;
        fprintf(out, "<h3>%s</h3>\n<div class=\"cards\">", titles[right]);
        un_report_gallery(out, m, right);
        fputs("</div>\n", out);
    }
}

/* Whether model i is a further one of its group. */
static int is_repeated(const un_report *report, size_t i) {
    for (size_t g = 0; g < report->group_count; g++)
        for (size_t k = 1; k < report->groups[g].count; k++)
            if (report->groups[g].models[k] == i) return 1;
    return 0;
}

static void write_curve(FILE *out, const un_report_model *m) {
    const json_t *area = json_object_get(m->result, "AUSUC");
    fputs("<h3>Seen against unseen</h3>\n", out);
    if (!json_is_number(area)) {
        fputs("<p>There is no curve: the data set has no test pictures of seen classes, or none of "
              "unseen ones.</p>\n",
              out);
        return;
    }
    fprintf(out,
            "<p>Every point that some gamma reaches; the area under it is %.1f percent.</p>\n<div "
            "class=\"curve\">",
            100 * json_number_value(area));
    un_report_curve(out, m->curve, m->result);
    fputs("</div>\n", out);
}

/* A repeated one is folded away. */
static void write_model(FILE *out, const un_report_model *m, int repeated) {
    fputs(repeated ? "<details class=\"again\"><summary><b>" : "<section><h2>", out);
    un_html_text(out, m->name);
    fputs(repeated ? "</b></summary>\n<p class=\"soft\">" : "</h2>\n<p class=\"soft\">", out);
    un_html_text(out, un_report_text(m->result, "method"));
    fprintf(out, ", seed %lld</p>\n",
            (long long)json_integer_value(json_object_get(m->result, "seed")));
    write_numbers(out, m->result);
    write_curve(out, m);
    fputs("<h3>Classes</h3>\n", out);
    un_report_classes(out, json_object_get(m->result, "classes"));
    if (m->pair_count > 0) {
        fputs("<h3>Most confused pairs</h3>\n<div class=\"cards\">", out);
        un_report_pairs(out, m);
        fputs("</div>\n", out);
    }
    fputs("<h3>Learning</h3>\n", out);
    if (m->plot_count > 0) {
        fputs("<div class=\"plots\">", out);
        for (size_t i = 0; i < m->plot_count; i++) un_report_lines(out, &m->plots[i]);
        fputs("</div>\n", out);
    } else {
        fputs("<p>No learning curves: the model was trained without selection, and no log was "
              "given.</p>\n",
              out);
    }
    un_report_grounding(out, m->result);
    write_pictures(out, m);
    write_manifest(out, m->manifest);
    fputs(repeated ? "</details>\n" : "</section>\n", out);
}

un_status un_report_html(const un_report *report, char **out, size_t *size) {
    FILE *stream = open_memstream(out, size);
    if (!stream) return un_fail_memory(0);
    fputs(HEAD, stream);
    fputs("<title>", stream);
    un_html_text(stream, report->dataset);
    fputs(": zero-shot classification</title>\n", stream);
    fputs(STYLE, stream);
    fputs(STYLE_PARTS, stream);
    fputs("</head><body><main>\n<h1>", stream);
    un_html_text(stream, report->dataset);
    fputs("</h1>\n<p>Zero-shot classification: T1 is the accuracy on unseen classes when only they "
          "are candidates; U and S are those on unseen and seen classes among all, H their "
          "harmonic mean. Percent, mean over classes (Xian et al.).</p>\n<p "
          "class=\"soft\">Split: ",
          stream);
    un_html_text(stream, report->split);
    fputs("</p>\n", stream);
    if (report->count > 1) un_report_comparison(stream, report);
    un_report_localisation(stream, report);
    for (size_t i = 0; i < report->count; i++)
        write_model(stream, &report->models[i], is_repeated(report, i));
    fputs("</main></body></html>\n", stream);
    int failed = ferror(stream);
    if (fclose(stream) != 0 || failed) {
        free(*out);
        *out = NULL;
        return un_fail_memory(0);
    }
    return UNSEEN_OK;
}
