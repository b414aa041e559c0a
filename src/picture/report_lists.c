/* report_lists.c - classes, confused pairs and pictures of the report. */
#include "picture/html.h"
#include "picture/report_parts.h"

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
        image(out, &p->example, "an example of ", p->chosen);
        if (p->sample.size + p->example.size > 0) fputs("</div>", out);
        fputs("<figcaption><b>", out);
        un_html_text(out, p->truth);
        fprintf(out, "</b> <span class=\"tag\">%s</span><br>taken for <b>", kind(p->truth_seen));
        un_html_text(out, p->chosen);
        fprintf(out,
                "</b> <span class=\"tag\">%s</span><br>%zu of %zu pictures</figcaption></figure>\n",
                kind(p->chosen_seen), p->count, p->of);
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
            un_html_text(out, p->chosen);
            fputs("</b>", out);
        }
        if (p->attribute) {
            fputs("<br><span class=\"soft\">", out);
            un_html_text(out, p->attribute);
            if (p->attributes_against) {
                fputs(" speaks least against ", out);
                un_html_text(out, p->chosen);
                fputs("; no attribute speaks for it", out);
            }
            fputs("</span>", out);
        }
        fputs("</figcaption></figure>\n", out);
    }
}
