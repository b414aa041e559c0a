/* html.c - see html.h. */
#include "picture/html.h"

#include <string.h>
#include <utf8proc.h>

static const char *entity(utf8proc_int32_t c) {
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
        utf8proc_int32_t c = -1;
        utf8proc_ssize_t length =
            utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(n - i), &c);
        if (length <= 0) {
            fputs("\xEF\xBF\xBD", out);
            i++;
            continue;
        }
        int control = (c < 32 && c != '\n' && c != '\t') || (c >= 127 && c < 160);
        if (entity(c))
            fputs(entity(c), out);
        else if (!control)
            fwrite(text + i, 1, (size_t)length, out);
        i += (size_t)length;
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
