/* multipart.c - the parts of a form; see multipart.h. */
#include "serve/multipart.h"

#include <string.h>
#include <strings.h>

enum { MOST_BOUNDARY = 70, MOST_HEAD = 4096 };

static un_status fail(const char *what) {
    return un_fail(UNSEEN_E_FORMAT, "the form (multipart/form-data) is damaged: %s", what);
}

/* The value of "; key=VALUE" or "; key=\"VALUE\"" in a header of n bytes; 0: it has none that fits. */
static int parameter(const char *header, size_t n, const char *key, char *out, size_t size) {
    const size_t length = strlen(key);
    int within = 0; /* a quoted value of another parameter */
    for (size_t i = 0; i < n; i++) {
        if (within && header[i] == '\\')
            i++;
        else if (header[i] == '"')
            within = !within;
        if (i >= n) break;
        if (header[i] != ';' || within) continue;
        size_t at = i + 1, used = 0;
        while (at < n && (header[at] == ' ' || header[at] == '\t')) at++;
        if (n - at <= length || strncasecmp(header + at, key, length) != 0 ||
            header[at + length] != '=')
            continue;
        at += length + 1;
        const int quoted = at < n && header[at] == '"';
        for (at += (size_t)quoted; at < n; at++) {
            if (quoted ? header[at] == '"' : strchr("; \t", header[at]) != NULL) break;
            if (used + 1 >= size) return 0;
            out[used++] = header[at];
        }
        if (quoted && at == n) return 0;
        out[used] = '\0';
        return used > 0;
    }
    return 0;
}

/* The field's name in a part's head, lines that end with CR LF. */
static int field_name(const char *head, size_t n, char *out, size_t size) {
    static const char key[] = "content-disposition:";
    const char *end = head + n;
    while (head < end) {
        const char *line_end = memmem(head, (size_t)(end - head), "\r\n", 2);
        if (!line_end) line_end = end;
        const size_t length = (size_t)(line_end - head);
        if (length >= sizeof key - 1 && !strncasecmp(head, key, sizeof key - 1))
            return parameter(head, length, "name", out, size);
        head = line_end + 2;
    }
    return 0;
}

un_status un_multipart_split(const char *content_type, const void *body, size_t size,
                             un_part *parts, size_t most, size_t *count) {
    char boundary[MOST_BOUNDARY + 8] = "\r\n--";
    const char *at = body, *end = at + size;
    size_t n = 0;
    if (!parameter(content_type, strlen(content_type), "boundary", boundary + 4, MOST_BOUNDARY + 1))
        return fail("its content type has no boundary");
    const size_t length = strlen(boundary);
    /* The first delimiter has no line end before it. */
    if (size < length || memcmp(at, boundary + 2, length - 2) != 0)
        return fail("it does not begin with its boundary");
    at += length - 2;
    while (end - at >= 2 && memcmp(at, "--", 2) != 0) {
        if (memcmp(at, "\r\n", 2) != 0) return fail("a boundary is followed by something else");
        const size_t left = (size_t)(end - at);
        const char *head_end = memmem(at, left < MOST_HEAD ? left : MOST_HEAD, "\r\n\r\n", 4);
        if (!head_end) return fail("the head of a part does not end");
        if (n == most) return un_fail(UNSEEN_E_FORMAT, "the form has more than %zu parts", most);
        un_part *part = &parts[n++];
        if (!field_name(at + 2, head_end > at + 2 ? (size_t)(head_end - at - 2) : 0, part->name,
                        sizeof part->name))
            return fail("a part has no name");
        part->bytes = head_end + 4;
        at = memmem(head_end + 2, (size_t)(end - head_end - 2), boundary, length);
        /* An empty part's head ends where its boundary begins. */
        if (!at) return fail("it ends within a part");
        part->size = at > (const char *)part->bytes ? (size_t)(at - (const char *)part->bytes) : 0;
        at += length;
    }
    if (end - at < 2) return fail("its last boundary is not closed");
    *count = n;
    return UNSEEN_OK;
}
