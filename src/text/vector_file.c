/*
 * vector_file.c - files of word vectors; see word_vectors.h.
 *
 * They have millions of lines of which some hundred are wanted, so a line is
 * looked at no further than needed: its word, and how many numbers it can have.
 */
#include "text/word_vectors.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/file_kind.h"
#include "base/foreign/zlib.h"
#include "base/status.h"

enum { MAX_WIDTH = 65536, MAX_WORD = 4096 };
/* What is looked at before reading begins, and the longest line or record: a width of
 * MAX_WIDTH with 60 bytes a number. */
enum { PROBE_BYTES = 256 * 1024, PROBE_LINES = 64, MAX_LINE = 4 << 20 };

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

/* ---- bytes, unpacked if they are packed ---- */

typedef struct {
    un_vocabulary *vocabulary;
    un_arena *arena;
    const char *path;
    size_t number; /* of the line or record, from 1 */
    gzFile file;   /* reads what is not packed as it is */
    char *buffer;  /* MAX_LINE bytes and a NUL */
    size_t at, have;
    int ended;
} reader;

/* Brings at least `wanted` bytes (at most MAX_LINE) together, or all that are left. */
static un_status gather(reader *r, size_t required) {
    if (r->have - r->at >= required) return UNSEEN_OK;
    memmove(r->buffer, r->buffer + r->at, r->have - r->at);
    r->have -= r->at;
    r->at = 0;
    while (r->have < required && !r->ended) {
        int code = Z_OK;
        errno = 0;
        int n = gzread(r->file, r->buffer + r->have, (unsigned)(MAX_LINE - r->have));
        if (n > 0) r->have += (size_t)n;
        const char *why = gzerror(r->file, &code);
        if (n < 0 && code == Z_ERRNO) return un_fail_errno(errno, "cannot read %s", r->path);
        if (n < 0 || (n == 0 && code != Z_OK))
            return un_fail(UNSEEN_E_FORMAT, "%s does not unpack (%s); get the file again", r->path,
                           why);
        r->ended = n == 0;
    }
    return UNSEEN_OK;
}

/* The next line, without its end, with a NUL; NULL behind the last. */
static un_status next_line(reader *r, char **out, size_t *length) {
    char *end = NULL;
    for (size_t required = 1;; required = 2 * (r->have - r->at) + 1) {
        if (required > MAX_LINE) required = MAX_LINE;
        UN_TRY(gather(r, required));
        end = memchr(r->buffer + r->at, '\n', r->have - r->at);
        if (end || r->ended || r->have - r->at == MAX_LINE) break;
    }
    *out = NULL;
    r->number++;
    if (!end && !r->ended)
        return un_fail(UNSEEN_E_FORMAT, "%s: line %zu is longer than any word vector", r->path,
                       r->number);
    if (r->at == r->have) return UNSEEN_OK;
    *out = r->buffer + r->at;
    *length = (end ? (size_t)(end - r->buffer) : r->have) - r->at;
    r->at += *length + (end != NULL);
    (*out)[*length] = 0;
    return UNSEEN_OK;
}

/* ---- text ---- */

static un_status malformed(const reader *r, const char *why) {
    return un_fail(UNSEEN_E_FORMAT,
                   "%s: line %zu %s; expected a word and its vector (\"word v1 … "
                   "vd\", GloVe's or word2vec's text format)",
                   r->path, r->number, why);
}

/* Tabs become blanks, the blanks around the line go. */
static char *tidy(char *line, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (line[i] == '\t' || line[i] == '\r') line[i] = ' ';
    while (length > 0 && line[length - 1] == ' ') line[--length] = 0;
    while (*line == ' ') line++;
    return line;
}

static size_t count_pieces(const char *text) {
    size_t n = 0;
    for (; *text; text++) n += *text != ' ' && (text[1] == ' ' || text[1] == 0);
    return n;
}

/* How many of the last pieces of a line, of which the first is the word, are numbers. */
static size_t count_numbers(const char *line) {
    size_t numbers = 0;
    const char *at = line + strcspn(line, " ");
    while (*at) {
        char *end = NULL;
        at += strspn(at, " ");
        (void)strtof(at, &end);
        numbers = end != at && (*end == ' ' || *end == 0) ? numbers + 1 : 0;
        at += strcspn(at, " ");
    }
    return numbers;
}

/* word2vec's first line: how many words, how wide. */
static int is_head(const char *line, size_t *count, size_t *width) {
    char *end = NULL;
    errno = 0;
    if (line[0] < '0' || line[0] > '9') return 0;
    unsigned long long words = strtoull(line, &end, 10);
    if (*end != ' ') return 0;
    end += strspn(end, " ");
    if (*end < '0' || *end > '9') return 0;
    unsigned long long wide = strtoull(end, &end, 10);
    if (*end != 0 || errno != 0) return 0;
    *count = (size_t)words;
    *width = wide <= MAX_WIDTH ? (size_t)wide : 0;
    return 1;
}

/* The width that most of the first lines have: some words hold blanks and numbers themselves,
 * a first line may be titles. 0 if no line has a number. */
static un_status probe_width(const reader *r, size_t *out) {
    size_t widths[PROBE_LINES];
    size_t count = 0;
    size_t most = 0;
    const char *at = r->buffer + r->at;
    const char *end = r->buffer + r->have;
    char *line = NULL;
    *out = 0;
    UN_TRY(un_alloc((size_t)(end - at) + 1, 1, &line));
    while (at < end && count < PROBE_LINES) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop && !r->ended && count > 0) break; /* the rest of it is not here yet */
        size_t n = (size_t)((stop ? stop : end) - at);
        memcpy(line, at, n);
        line[n] = 0;
        size_t numbers = count_numbers(tidy(line, n));
        if (numbers > 0) widths[count++] = numbers;
        at += n + 1;
    }
    free(line);
    for (size_t i = 0; i < count; i++) {
        size_t same = 0;
        for (size_t k = 0; k < count; k++) same += widths[k] == widths[i];
        if (same < most || (same == most && widths[i] <= *out)) continue;
        most = same;
        *out = widths[i];
    }
    return UNSEEN_OK;
}

static un_status read_numbers(const reader *r, const char *text, float *out) {
    char why[96];
    for (size_t i = 0; i < r->vocabulary->width; i++) {
        char *end = NULL;
        text += strspn(text, " ");
        out[i] = strtof(text, &end);
        if (end == text || (*end != ' ' && *end != 0) || !isfinite(out[i])) {
            int n = (int)strcspn(text, " ");
            snprintf(why, sizeof why, "has \"%.*s\" as its number %zu", n < 20 ? n : 20, text,
                     i + 1);
            return malformed(r, why);
        }
        text = end;
    }
    return *text == 0 ? UNSEEN_OK : malformed(r, "has more numbers than the lines before");
}

/* Room for the vector of a word that is looked for and has none yet; NULL otherwise. */
static un_status find_room(const reader *r, const char *word, float **out) {
    const un_word *found = un_vocabulary_find(r->vocabulary, word);
    *out = NULL;
    if (!found || found->vector) return UNSEEN_OK;
    un_word *item = &r->vocabulary->items[found - r->vocabulary->items];
    UN_TRY(un_arena_alloc(r->arena, r->vocabulary->width, sizeof **out, out));
    item->vector = *out;
    return UNSEEN_OK;
}

static un_status read_line(const reader *r, char *line) {
    size_t width = r->vocabulary->width;
    size_t pieces = count_pieces(line);
    float *vector = NULL;
    if (pieces == 0) return UNSEEN_OK; /* a blank line */
    if (pieces <= width) return malformed(r, "is too short");
    if (pieces > width + 1) return UNSEEN_OK; /* a word with blanks in it; none of ours has */
    char *blank = line + strcspn(line, " ");
    *blank = 0;
    UN_TRY(find_room(r, line, &vector));
    return vector ? read_numbers(r, blank + 1, vector) : UNSEEN_OK;
}

/* The first line that is not blank: a head, titles, or already a word. */
static un_status read_first(reader *r, char *line, int *begun) {
    size_t words = 0;
    if (*line == 0) return UNSEEN_OK;
    *begun = 1;
    if (is_head(line, &words, &r->vocabulary->width))
        return r->vocabulary->width > 0 ? UNSEEN_OK : malformed(r, "gives no sensible width");
    if (r->vocabulary->width == 0 || r->vocabulary->width > MAX_WIDTH)
        return malformed(r, "has no vector");
    if (count_numbers(line) > 0 || count_pieces(line) > r->vocabulary->width)
        return read_line(r, line);
    un_log(UNSEEN_LOG_WARNING, "%s: line %zu has no numbers and was taken for titles: \"%.60s\"",
           r->path, r->number, line);
    return UNSEEN_OK;
}

static un_status read_text(reader *r) {
    int begun = 0;
    UN_TRY(probe_width(r, &r->vocabulary->width));
    for (;;) {
        char *line = NULL;
        size_t length = 0;
        UN_TRY(next_line(r, &line, &length));
        if (!line) break;
        if (memchr(line, 0, length)) return malformed(r, "is not text");
        line = tidy(line, length);
        UN_TRY(begun ? read_line(r, line) : read_first(r, line, &begun));
    }
    if (begun) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT, "%s has no word vectors in it", r->path);
}

/* ---- word2vec's binary format ---- */

/* Behind a head, before the first end of a line: a word, and bytes that no number has. */
static int is_binary(const char *bytes, size_t n) {
    const char *blank = memchr(bytes, ' ', n < MAX_WORD ? n : MAX_WORD);
    if (!blank) return 0;
    size_t digits = 0;
    for (const char *at = blank + 1; at < bytes + n && *at != '\n'; at++) {
        if (*at == 0 || !strchr("0123456789+-.eEnaifNAIF \t\r", *at)) return 1;
        digits += isdigit((unsigned char)*at) != 0;
    }
    return digits == 0;
}

static un_status cut_short(const reader *r, size_t words) {
    return un_fail(UNSEEN_E_FORMAT,
                   "%s is cut short or damaged at word %zu of %zu (word2vec's binary format); get "
                   "the file again",
                   r->path, r->number, words);
}

/* "word " and the numbers, as they lie in memory; perhaps an end of line before the word. */
static un_status read_record(reader *r, size_t words) {
    size_t bytes = r->vocabulary->width * sizeof(float);
    char word[MAX_WORD];
    float *vector = NULL;
    r->number++;
    UN_TRY(gather(r, MAX_WORD + bytes));
    while (r->at < r->have && (r->buffer[r->at] == '\n' || r->buffer[r->at] == '\r')) r->at++;
    const char *from = r->buffer + r->at;
    size_t left = r->have - r->at;
    const char *blank = memchr(from, ' ', left < MAX_WORD ? left : MAX_WORD);
    if (!blank || left - (size_t)(blank + 1 - from) < bytes) return cut_short(r, words);
    memcpy(word, from, (size_t)(blank - from));
    word[blank - from] = 0;
    r->at += (size_t)(blank + 1 - from) + bytes;
    UN_TRY(find_room(r, word, &vector));
    if (!vector) return UNSEEN_OK;
    memcpy(vector, blank + 1, bytes);
    for (size_t i = 0; i < r->vocabulary->width; i++)
        if (!isfinite(vector[i]))
            return un_fail(UNSEEN_E_FORMAT, "%s: number %zu of \"%.100s\" is not finite", r->path,
                           i + 1, word);
    return UNSEEN_OK;
}

static un_status read_binary(reader *r, size_t words) {
    if (r->vocabulary->width == 0) {
        r->number = 1;
        return malformed(r, "gives no sensible width");
    }
    for (size_t i = 0; i < words; i++) UN_TRY(read_record(r, words));
    return UNSEEN_OK;
}

/* ---- either ---- */

static un_status read_any(reader *r) {
    size_t words = 0;
    char head[64];
    static const char mark[] =
        "\xef\xbb\xbf"; /* that editors put before UTF-8: no part of a word */
    UN_TRY(gather(r, PROBE_BYTES));
    if (r->have - r->at >= sizeof mark - 1 && !memcmp(r->buffer + r->at, mark, sizeof mark - 1))
        r->at += sizeof mark - 1;
    const char *bytes = r->buffer + r->at;
    size_t n = r->have - r->at;
    const char *end = memchr(bytes, '\n', n < sizeof head ? n : sizeof head);
    if (end) {
        snprintf(head, sizeof head, "%.*s", (int)(end - bytes), bytes);
        char *first = tidy(head, strlen(head));
        size_t rest = n - (size_t)(end + 1 - bytes);
        if (is_head(first, &words, &r->vocabulary->width) && is_binary(end + 1, rest)) {
            r->at += (size_t)(end + 1 - bytes);
            return read_binary(r, words);
        }
    }
    return read_text(r);
}

/* Text, packed or not, some of whose lines might pass for words. */
static un_status refuse_other_text(reader *r) {
    enum { BEGINNING = 1024 };
    UN_TRY(gather(r, BEGINNING));
    un_file_kind kind = un_kind_of(r->buffer + r->at, r->have - r->at);
    if (kind != UN_KIND_HTML && kind != UN_KIND_LFS_POINTER) return UNSEEN_OK;
    return un_fail_kind(r->path, "a file of word vectors", kind);
}

/* A sentence about a line makes no sense of a file that is no list of words at all. */
static un_status explain(const char *path, un_status status) {
    un_file_kind kind = un_kind_of_file(path);
    if (status != UNSEEN_E_FORMAT || kind == UN_KIND_UNKNOWN || kind == UN_KIND_TEXT ||
        kind == UN_KIND_EMPTY || kind == UN_KIND_GZIP)
        return status;
    return un_fail_kind(path, "a file of word vectors", kind);
}

un_status un_vocabulary_read(un_vocabulary *vocabulary, const char *path, un_arena *arena) {
    reader r = {.vocabulary = vocabulary, .arena = arena, .path = path};
    struct stat st;
    UN_TRY(un_foreign_need(UN_ZLIB));
    /* Not to wait for the writer of a FIFO. */
    int fd = un_open(path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0) return un_fail_errno(errno, "cannot read %s", path);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return un_fail(UNSEEN_E_IO,
                       "%s is not a regular file; write the word vectors to one (it may be packed "
                       "with gzip)",
                       path);
    }
    r.file = gzdopen(fd, "rb");
    if (!r.file) {
        close(fd);
        return un_fail_memory(sizeof r);
    }
    un_status status = un_alloc(MAX_LINE + 1, 1, &r.buffer);
    if (!status) status = refuse_other_text(&r);
    if (!status) status = read_any(&r);
    free(r.buffer);
    gzclose_r(r.file);
    return explain(path, status);
}
