/*
 * vector_file.c - text files of word vectors; see vector_file.h.
 *
 * They have millions of lines of which some hundred are wanted, so a line is
 * looked at no further than needed: its word, and how many blanks it has.
 */
#include "text/vector_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { MAX_WIDTH = 65536 };

static int by_word(const void *a, const void *b) {
    return strcmp(((const un_word *)a)->word, ((const un_word *)b)->word);
}

void un_vocabulary_sort(un_vocabulary *v) {
    size_t kept = 0;
    if (v->count == 0) return;
    qsort(v->items, v->count, sizeof *v->items, by_word);
    for (size_t i = 0; i < v->count; i++)
        if (kept == 0 || strcmp(v->items[i].word, v->items[kept - 1].word) != 0)
            v->items[kept++] = v->items[i];
    v->count = kept;
}

const un_word *un_vocabulary_find(const un_vocabulary *v, const char *word) {
    const un_word key = {.word = word};
    if (v->count == 0) return NULL;
    return bsearch(&key, v->items, v->count, sizeof key, by_word);
}

typedef struct {
    un_vocabulary *vocabulary;
    un_arena *arena;
    const char *path;
    size_t number; /* of the line, from 1 */
} reader;

static un_status malformed(const reader *r, const char *why) {
    return un_fail(UNSEEN_E_FORMAT,
                   "%s: line %zu %s; expected a word and its vector (\"word v1 … "
                   "vd\", GloVe's or word2vec's text format)",
                   r->path, r->number, why);
}

static size_t count_blanks(const char *text) {
    size_t n = 0;
    for (; *text; text++) n += *text == ' ';
    return n;
}

/* word2vec's first line: how many words, how wide. */
static int is_head(const char *line, size_t *width) {
    char *end = NULL;
    errno = 0;
    if (line[0] < '0' || line[0] > '9') return 0;
    (void)strtoull(line, &end, 10);
    if (*end != ' ' || end[1] < '0' || end[1] > '9') return 0;
    unsigned long long wide = strtoull(end + 1, &end, 10);
    if (*end != 0 || errno != 0) return 0;
    *width = wide <= MAX_WIDTH ? (size_t)wide : 0;
    return 1;
}

static un_status read_vector(const reader *r, const char *text, float *out) {
    char why[96];
    for (size_t i = 0; i < r->vocabulary->width; i++) {
        char *end = NULL;
        out[i] = strtof(text, &end);
        if (end == text || (*end != ' ' && *end != 0) || !isfinite(out[i])) {
            snprintf(why, sizeof why, "has \"%.20s\" as its number %zu", text, i + 1);
            return malformed(r, why);
        }
        text = end;
        while (*text == ' ') text++;
    }
    return *text == 0 ? UNSEEN_OK : malformed(r, "has more numbers than the lines before");
}

static un_status read_line(reader *r, char *line) {
    un_vocabulary *v = r->vocabulary;
    size_t length = strlen(line);
    while (length > 0 && strchr(" \t\r\n", line[length - 1])) line[--length] = 0;
    for (char *tab = strchr(line, '\t'); tab; tab = strchr(tab, '\t')) *tab = ' ';
    if (length == 0) return malformed(r, "is empty");
    if (r->number == 1 && is_head(line, &v->width))
        return v->width > 0 ? UNSEEN_OK : malformed(r, "gives no sensible width");
    size_t blanks = count_blanks(line);
    if (v->width == 0) v->width = blanks;
    if (v->width == 0 || v->width > MAX_WIDTH) return malformed(r, "has no vector");
    if (blanks < v->width) return malformed(r, "is too short");
    /* More blanks: some of GloVe's words hold blanks themselves; none of ours does. */
    char *blank = strchr(line, ' ');
    *blank = 0;
    un_word *word = (un_word *)(uintptr_t)un_vocabulary_find(v, line);
    if (!word || word->vector || blanks > v->width) return UNSEEN_OK;
    float *vector = NULL;
    UN_TRY(un_arena_alloc(r->arena, v->width, sizeof *vector, &vector));
    UN_TRY(read_vector(r, blank + 1, vector));
    word->vector = vector;
    return UNSEEN_OK;
}

un_status un_vocabulary_read(un_vocabulary *vocabulary, const char *path, un_arena *arena) {
    reader r = {.vocabulary = vocabulary, .arena = arena, .path = path};
    char *line = NULL;
    size_t capacity = 0;
    un_status status = UNSEEN_OK;
    FILE *file = fopen(path, "re");
    if (!file) return un_fail_errno(errno, "cannot read %s", path);
    ssize_t length = 0;
    while (!status && (length = getline(&line, &capacity, file)) >= 0) {
        r.number++;
        status =
            memchr(line, 0, (size_t)length) ? malformed(&r, "is not text") : read_line(&r, line);
    }
    if (!status && ferror(file)) status = un_fail_errno(errno, "cannot read %s", path);
    if (!status && vocabulary->width == 0)
        status = un_fail(UNSEEN_E_FORMAT, "%s has no word vectors in it", path);
    free(line);
    fclose(file);
    return status;
}
