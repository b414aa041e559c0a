/* lines.c - see lines.h. */
#include "data/readers/lines.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/file_kind.h"
#include "data/readers/reader_child.h"

enum { TEXT_LIMIT = 256 * 1024 * 1024 };
static const char BLANKS[] = " \t\r\v\f";

un_status un_lines_open(un_lines *lines, const char *path) {
    size_t length = 0;
    *lines = (un_lines){0};
    UN_TRY(un_file_read(path, TEXT_LIMIT, &lines->text, &length));
    un_status status = UNSEEN_OK;
    un_file_kind kind = un_kind_of(lines->text, length);
    if (strlen(lines->text) != length || kind == UN_KIND_HTML || kind == UN_KIND_LFS_POINTER)
        UN_GO(un_fail_kind(path, "a text file", kind));
    UN_GO(un_format(&lines->path, "%s", path));
    lines->next = lines->text;
    if (!strncmp(lines->text, "\xEF\xBB\xBF", 3)) lines->next += 3; /* a mark of UTF-8 */
done:
    if (status) un_lines_close(lines);
    return status;
}

un_status un_lines_open_in(un_lines *lines, const char *root, const char *name) {
    char *path = NULL;
    *lines = (un_lines){0};
    UN_TRY(un_path_join(root, name, &path));
    un_status status = un_lines_open(lines, path);
    free(path);
    return status;
}

void un_lines_close(un_lines *lines) {
    free(lines->path);
    free(lines->text);
    *lines = (un_lines){0};
}

int un_lines_next(un_lines *lines, char **line) {
    while (lines->next) {
        char *text = lines->next;
        char *end = text + strcspn(text, "\r\n");
        size_t mark = *end == 0 ? 0 : end[0] == '\r' && end[1] == '\n' ? 2 : 1;
        lines->next = mark > 0 ? end + mark : NULL;
        *end = 0;
        lines->number++;
        text += strspn(text, BLANKS);
        size_t length = strlen(text);
        while (length > 0 && strchr(BLANKS, text[length - 1])) text[--length] = 0;
        if (length == 0) continue;
        *line = text;
        return 1;
    }
    return 0;
}

un_status un_lines_wrong(const un_lines *lines, const char *what) {
    return un_fail(UNSEEN_E_FORMAT, "%s: line %zu: %s", lines->path, lines->number, what);
}

/* The field ends where a blank or the line does. */
static int ends_field(const char *end) { return *end == 0 || strchr(BLANKS, *end) != NULL; }

un_status un_lines_whole(const un_lines *lines, char **rest, size_t low, size_t high, size_t *out) {
    char *end = NULL;
    errno = 0;
    unsigned long long x = **rest >= '0' && **rest <= '9' ? strtoull(*rest, &end, 10) : 0;
    if (!end || !ends_field(end) || errno != 0 || x < low || x > high)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: line %zu: \"%.40s\" should begin with a whole number from %zu to %zu",
                       lines->path, lines->number, *rest, low, high);
    *out = (size_t)x;
    *rest = end + strspn(end, BLANKS);
    return UNSEEN_OK;
}

un_status un_lines_number(const un_lines *lines, char **rest, double *out) {
    char *end = NULL;
    double x = strtod(*rest, &end);
    if (end == *rest || !ends_field(end) || !isfinite(x))
        return un_fail(UNSEEN_E_FORMAT, "%s: line %zu: \"%.40s\" should begin with a number",
                       lines->path, lines->number, *rest);
    *out = x;
    *rest = end + strspn(end, BLANKS);
    return UNSEEN_OK;
}

un_status un_lines_text(const un_lines *lines, char *rest, char **out) {
    if (*rest == 0) return un_lines_wrong(lines, "the name is missing");
    if (!un_text_is_utf8((const unsigned char *)rest, strlen(rest)))
        return un_lines_wrong(lines, "the name is not valid UTF-8 text");
    *out = rest;
    return UNSEEN_OK;
}

un_status un_lines_end(const un_lines *lines, const char *rest) {
    if (*rest == 0) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT, "%s: line %zu: \"%.40s\" is more than expected", lines->path,
                   lines->number, rest);
}

/* Undoes quotes around the whole of a name. */
static void unquote(char *name) {
    size_t length = strlen(name);
    if (length < 2 || name[0] != '"' || name[length - 1] != '"') return;
    char *to = name;
    for (size_t i = 1; i < length - 1; i++) {
        *to++ = name[i];
        if (name[i] == '"' && name[i + 1] == '"' && i + 2 < length) i++;
    }
    *to = 0;
}

un_status un_lines_read_names(const char *path, un_arena *arena, char ***out, size_t *count) {
    un_lines lines;
    char *line = NULL;
    size_t most = 1;
    UN_TRY(un_lines_open(&lines, path));
    un_status status = UNSEEN_OK;
    for (const char *at = lines.next; *at; at++) most += *at == '\n' || *at == '\r';
    *count = 0;
    UN_GO(un_arena_alloc(arena, most, sizeof **out, out));
    while (un_lines_next(&lines, &line)) {
        unquote(line);
        UN_GO(un_lines_text(&lines, line, &line));
        UN_GO(un_arena_string(arena, line, &(*out)[*count]));
        (*count)++;
    }
    if (*count == 0) status = un_fail(UNSEEN_E_FORMAT, "%s has no names in it", path);
done:
    un_lines_close(&lines);
    return status;
}
