/* html.c - see html.h. */
#include "picture/html.h"

#include <stdint.h>
#include <string.h>

#include "base/names.h"

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

static void write_text(FILE *out, const char *text, int is_name) {
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
        if (is_name && (c == '_' || c == ':') && i < n && text[i] != ':') fputs("<wbr>", out);
    }
}

void un_html_text(FILE *out, const char *text) { write_text(out, text, 0); }

void un_html_name(FILE *out, const char *name) { write_text(out, name, 1); }

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

/* ---- tables ---- */

void un_html_table(FILE *out, const char *class, const char *caption) {
    fprintf(out, "<div class=\"scroll\"><table class=\"%s\"><caption>%s</caption>\n<thead><tr>",
            class, caption);
}

void un_html_table_body(FILE *out) { fputs("</tr></thead><tbody>\n", out); }

void un_html_table_end(FILE *out) { fputs("</tbody></table></div>\n", out); }

void un_html_column(FILE *out, const char *class, const char *text) {
    fputs("<th scope=\"col\"", out);
    if (class) fprintf(out, " class=\"%s\"", class);
    fputs(">", out);
    un_html_text(out, text);
    fputs("</th>", out);
}

void un_html_row(FILE *out, const char *text) {
    fputs("<tr><th scope=\"row\">", out);
    un_html_text(out, text);
    fputs("</th>", out);
}

void un_html_percent(FILE *out, const json_t *value) {
    if (json_is_number(value))
        fprintf(out, "<td class=\"n\">%.1f</td>", 100 * json_number_value(value));
    else
        fputs("<td class=\"n\">–</td>", out);
}
