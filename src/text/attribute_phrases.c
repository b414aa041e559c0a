/* attribute_phrases.c - from names of attributes to words; see word_vectors.h. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "text/word_vectors.h"

enum { FILE_LIMIT = 16 * 1024 * 1024 };

/* How the published phrases of CUB spell some words of its attributes.txt. */
static const char *const g_spelling[][2] = {
    {"grey", "gray"}, {"upperparts", "upper parts"}, {"spatulate", "broad"}};

static const char *respell(const char *word, size_t length) {
    for (size_t i = 0; i < sizeof g_spelling / sizeof *g_spelling; i++)
        if (strlen(g_spelling[i][0]) == length && !strncmp(g_spelling[i][0], word, length))
            return g_spelling[i][1];
    return NULL;
}

/* Bytes of other scripts are letters. */
static int is_word_byte(unsigned char c) { return isalnum(c) || c >= 0x80 || c == '\''; }

un_status un_attribute_clean(const char *name, un_arena *arena, char **out) {
    const char *end = name + strcspn(name, "(");
    int cub = strstr(name, "::") != NULL;
    size_t used = 0;
    char *phrase = NULL;
    /* The longest respelling doubles no word. */
    UN_TRY(un_arena_alloc(arena, 2 * strlen(name) + 2, 1, &phrase));
    for (const char *at = name; at < end;) {
        size_t n = 0;
        while (at + n < end && is_word_byte((unsigned char)at[n])) n++;
        if (n == 0) {
            at++;
            continue;
        }
        const char *word = cub ? respell(at, n) : NULL;
        size_t length = word ? strlen(word) : n;
        if (used > 0 || n != 3 || strncmp(at, "has", 3) != 0) {
            if (used > 0) phrase[used++] = ' ';
            for (size_t i = 0; i < length; i++)
                phrase[used++] = (char)tolower((unsigned char)(word ? word[i] : at[i]));
        }
        at += n;
    }
    *out = phrase;
    return UNSEEN_OK;
}

/* The words of a published phrase, one blank in between, otherwise untouched. */
static un_status take_phrase(const char *text, un_arena *arena, char **out) {
    char *phrase = NULL;
    size_t used = 0;
    UN_TRY(un_arena_alloc(arena, strlen(text) + 1, 1, &phrase));
    for (; *text; text++) {
        if (!isspace((unsigned char)*text))
            phrase[used++] = *text;
        else if (used > 0 && phrase[used - 1] != ' ')
            phrase[used++] = ' ';
    }
    while (used > 0 && phrase[used - 1] == ' ') phrase[--used] = 0;
    *out = phrase;
    return UNSEEN_OK;
}

/* ---- files of names ---- */

typedef struct {
    const char *path;
    un_arena *arena;
    un_attribute_phrases *out;
    int table;           /* of phrases */
    size_t name, phrase; /* columns of the table */
    int numbered;        /* "<id> name" lines */
} reader;

/* Cuts a line of a CSV file in place: `"` around fields, doubled inside. Returns
 * the number of fields, at most `most`. */
static size_t cut_fields(char *line, char **fields, size_t most) {
    size_t n = 0;
    char *from = line;
    for (;;) {
        char *to = from;
        int quoted = *from == '"';
        if (n < most) fields[n] = to;
        n++;
        if (quoted) from++;
        while (*from && (quoted || *from != ',')) {
            if (quoted && from[0] == '"') {
                from++;
                if (*from != '"') {
                    quoted = 0;
                    continue;
                }
            }
            *to++ = *from++;
        }
        int more = *from == ',';
        from++;
        *to = 0;
        if (!more) return n < most ? n : most;
    }
}

enum { MAX_FIELDS = 64 };

/* A head with a column new_des makes it a table of phrases. */
static void read_head(reader *r, const char *line, char *scratch) {
    char *fields[MAX_FIELDS];
    memcpy(scratch, line, strlen(line) + 1); /* as long as the file */
    size_t n = cut_fields(scratch, fields, MAX_FIELDS);
    size_t name = MAX_FIELDS;
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(fields[i], "new_des")) {
            r->table = 1;
            r->phrase = i;
        }
        if (!strcmp(fields[i], "des")) name = i;
    }
    r->name = name < MAX_FIELDS ? name : r->phrase;
}

static un_status add_row(reader *r, char *line, size_t number) {
    char *fields[MAX_FIELDS];
    size_t n = cut_fields(line, fields, MAX_FIELDS);
    if (n <= r->phrase || n <= r->name || fields[r->name][0] == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: line %zu has no attribute in the column of its head",
                       r->path, number);
    size_t at = r->out->count;
    UN_TRY(un_arena_string(r->arena, fields[r->name], &r->out->names[at]));
    return take_phrase(fields[r->phrase], r->arena, &r->out->phrases[at]);
}

static un_status add_name(reader *r, char *line, size_t number) {
    size_t at = r->out->count;
    char *end = line;
    if (r->numbered) {
        unsigned long id = strtoul(line, &end, 10);
        if (end == line || !isspace((unsigned char)*end) || id != at + 1)
            return un_fail(UNSEEN_E_FORMAT, "%s: line %zu should begin with the number %zu",
                           r->path, number, at + 1);
        while (isspace((unsigned char)*end)) end++;
    }
    UN_TRY(un_arena_string(r->arena, end, &r->out->names[at]));
    return un_attribute_clean(end, r->arena, &r->out->phrases[at]);
}

/* "1 has_x::y" or "1\tname": then every line has its number. */
static int is_numbered(const char *line) {
    char *end = NULL;
    return strtoul(line, &end, 10) == 1 && (*end == ' ' || *end == '\t') && end[1];
}

static un_status read_lines(reader *r, char *text, char *scratch) {
    size_t number = 0;
    char *rest = text;
    int first = 1;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        number++;
        while (*line == ' ' || *line == '\t') line++;
        size_t length = strlen(line);
        while (length > 0 && strchr(" \t\r", line[length - 1])) line[--length] = 0;
        if (length == 0) continue;
        if (first) {
            first = 0;
            read_head(r, line, scratch);
            r->numbered = !r->table && is_numbered(line);
            if (r->table) continue;
        }
        UN_TRY(r->table ? add_row(r, line, number) : add_name(r, line, number));
        r->out->count++;
    }
    if (r->out->count > 0) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT, "%s has no attribute names in it", r->path);
}

un_status un_attribute_phrases_read(const char *path, un_arena *arena, un_attribute_phrases *out) {
    char *text = NULL;
    char *scratch = NULL;
    size_t length = 0;
    size_t lines = 1;
    *out = (un_attribute_phrases){0};
    UN_TRY(un_file_read(path, FILE_LIMIT, &text, &length));
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < length; i++) lines += text[i] == '\n';
    if (strlen(text) != length)
        UN_GO(un_fail(UNSEEN_E_FORMAT, "%s is not a text of attribute names", path));
    UN_GO(un_alloc(length + 1, 1, &scratch));
    UN_GO(un_arena_alloc(arena, lines + 1, sizeof *out->names, &out->names));
    UN_GO(un_arena_alloc(arena, lines + 1, sizeof *out->phrases, &out->phrases));
    reader r = {.path = path, .arena = arena, .out = out};
    UN_GO(read_lines(&r, text, scratch));
done:
    free(text);
    free(scratch);
    return status;
}
