/* url.c - pieces of an address (RFC 3986); see url.h. */
#include "serve/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

int un_url_decode(char *text) {
    char *out = text;
    for (const char *c = text; *c; c++) {
        if (*c != '%') {
            *out++ = *c;
            continue;
        }
        const int high = hex(c[1]), low = high < 0 ? -1 : hex(c[2]);
        if (low < 0 || high * 16 + low == 0) return 0;
        *out++ = (char)(high * 16 + low);
        c += 2;
    }
    *out = '\0';
    return un_text_is_utf8((const unsigned char *)text, strlen(text));
}

char *un_url_encode(const char *text) {
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    char *out = malloc(3 * strlen(text) + 1), *end = out;
    if (!out) return NULL;
    for (const char *c = text; *c; c++)
        if (strchr(plain, *c))
            *end++ = *c;
        else
            end += sprintf(end, "%%%02X", (unsigned)(unsigned char)*c);
    *end = '\0';
    return out;
}
