/* uncased.c - BERT's basic tokenisation over utf8proc's tables; see uncased.h. */
#include "text/uncased.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/arena.h"

/* No canonical decomposition of one character is longer than four. */
enum { DECOMPOSITION_MOST = 8, ASCII = 0x80, CLASSES = 256, FIRST_CAPACITY = 256 };

typedef struct {
    int32_t code;
    int32_t class; /* canonical combining class */
} letter;

typedef struct {
    un_word_function take;
    void *context;
    letter *word; /* the word so far, decomposed */
    letter *scratch;
    size_t count, capacity;
    char piece[UN_WORD_LIMIT * UN_UTF8_MOST]; /* the part between punctuation */
    size_t bytes, characters;
} splitter;

/* What Unicode 15.0 added to 14.0. */
static const int32_t g_later[][2] = {
    {0x0CF3, 0x0CF3},   {0x0ECE, 0x0ECE},   {0x10EFD, 0x10EFF}, {0x1123F, 0x11241},
    {0x11B00, 0x11B09}, {0x11F00, 0x11F10}, {0x11F12, 0x11F3A}, {0x11F3E, 0x11F59},
    {0x1342F, 0x1342F}, {0x13439, 0x13455}, {0x1B132, 0x1B132}, {0x1B155, 0x1B155},
    {0x1D2C0, 0x1D2D3}, {0x1DF25, 0x1DF2A}, {0x1E030, 0x1E06D}, {0x1E08F, 0x1E08F},
    {0x1E4D0, 0x1E4F9}, {0x1F6DC, 0x1F6DC}, {0x1F774, 0x1F776}, {0x1F77B, 0x1F77F},
    {0x1F7D9, 0x1F7D9}, {0x1FA75, 0x1FA77}, {0x1FA87, 0x1FA88}, {0x1FAAD, 0x1FAAF},
    {0x1FABB, 0x1FABD}, {0x1FABF, 0x1FABF}, {0x1FACE, 0x1FACF}, {0x1FADA, 0x1FADB},
    {0x1FAE8, 0x1FAE8}, {0x1FAF7, 0x1FAF8}, {0x2B739, 0x2B739}, {0x31350, 0x323AF}};

/* The blocks that BERT sets apart: no kana, no Hangul, no later extensions. */
static const int32_t g_ideographs[][2] = {
    {0x4E00, 0x9FFF},   {0x3400, 0x4DBF},   {0x20000, 0x2A6DF}, {0x2A700, 0x2B73F},
    {0x2B740, 0x2B81F}, {0x2B820, 0x2CEAF}, {0xF900, 0xFAFF},   {0x2F800, 0x2FA1F}};

static int in_ranges(int32_t code, const int32_t (*ranges)[2], size_t n) {
    for (size_t i = 0; i < n; i++)
        if (code >= ranges[i][0] && code <= ranges[i][1]) return 1;
    return 0;
}

static int is_ideograph(int32_t code) {
    return code >= 0x3400 &&
           in_ranges(code, g_ideographs, sizeof g_ideographs / sizeof *g_ideographs);
}

static int is_blank(int32_t code) {
    if (code < ASCII) return code == ' ' || code == '\t' || code == '\n' || code == '\r';
    utf8proc_category_t c = utf8proc_category(code);
    return c == UTF8PROC_CATEGORY_ZS || c == UTF8PROC_CATEGORY_ZL || c == UTF8PROC_CATEGORY_ZP;
}

/* Controls, formats, private use, unassigned; blanks are asked for before. */
static int is_dropped(int32_t code) {
    if (code < ASCII) return code < ' ' || code == 0x7F;
    utf8proc_category_t c = utf8proc_category(code);
    return code == 0xFFFD || c == UTF8PROC_CATEGORY_CN || c == UTF8PROC_CATEGORY_CC ||
           c == UTF8PROC_CATEGORY_CF || c == UTF8PROC_CATEGORY_CS || c == UTF8PROC_CATEGORY_CO ||
           in_ranges(code, g_later, sizeof g_later / sizeof *g_later);
}

/* Every ASCII symbol counts, also those that Unicode does not call punctuation. */
static int is_punctuation(int32_t code) {
    if (code < ASCII)
        return (code > ' ' && code < '0') || (code > '9' && code < 'A') ||
               (code > 'Z' && code < 'a') || (code > 'z' && code < 0x7F);
    utf8proc_category_t c = utf8proc_category(code);
    return c >= UTF8PROC_CATEGORY_PC && c <= UTF8PROC_CATEGORY_PO;
}

static un_status grow(splitter *s) {
    letter *word = NULL, *scratch = NULL;
    size_t capacity = s->capacity ? 2 * s->capacity : FIRST_CAPACITY;
    UN_TRY(un_alloc(capacity, sizeof *word, &word));
    un_status status = un_alloc(capacity, sizeof *scratch, &scratch);
    if (status) {
        free(word);
        return status;
    }
    if (s->count > 0) memcpy(word, s->word, s->count * sizeof *word);
    free(s->word);
    free(s->scratch);
    s->word = word;
    s->scratch = scratch;
    s->capacity = capacity;
    return UNSEEN_OK;
}

/* Adds a character to the word, decomposed. */
static un_status push(splitter *s, int32_t code) {
    int32_t parts[DECOMPOSITION_MOST] = {code};
    int boundary = 0;
    size_t n = 1;
    if (code >= ASCII) {
        utf8proc_ssize_t made =
            utf8proc_decompose_char(code, parts, DECOMPOSITION_MOST, UTF8PROC_DECOMPOSE, &boundary);
        if (made < 1 || made > DECOMPOSITION_MOST)
            return un_fail(UNSEEN_E_UNSUPPORTED, "utf8proc cannot decompose the character U+%04X",
                           (unsigned)code);
        n = (size_t)made;
    }
    if (s->capacity - s->count < n) UN_TRY(grow(s));
    for (size_t i = 0; i < n; i++)
        s->word[s->count++] = (letter){
            parts[i], parts[i] < ASCII ? 0 : utf8proc_get_property(parts[i])->combining_class};
    return UNSEEN_OK;
}

/* Stable counting sort of a run of combining characters by class. */
static void sort_run(splitter *s, size_t begin, size_t end) {
    size_t start[CLASSES + 1] = {0};
    for (size_t i = begin; i < end; i++) start[s->word[i].class + 1]++;
    for (size_t c = 0; c < CLASSES; c++) start[c + 1] += start[c];
    for (size_t i = begin; i < end; i++) s->scratch[start[s->word[i].class]++] = s->word[i];
    memcpy(s->word + begin, s->scratch, (end - begin) * sizeof *s->word);
}

/* The canonical order of combining characters. */
static void order(splitter *s) {
    size_t begin = 0;
    while (begin < s->count) {
        size_t end = begin + 1;
        int sorted = 1;
        if (s->word[begin].class != 0)
            for (; end < s->count && s->word[end].class != 0; end++)
                if (s->word[end].class < s->word[end - 1].class) sorted = 0;
        if (!sorted) sort_run(s, begin, end);
        begin = end;
    }
}

static un_status end_piece(splitter *s) {
    un_status status = UNSEEN_OK;
    if (s->characters > 0) status = s->take(s->piece, s->bytes, s->characters, s->context);
    s->bytes = s->characters = 0;
    return status;
}

static void add_to_piece(splitter *s, int32_t code) {
    if (s->characters++ < UN_WORD_LIMIT)
        s->bytes += (size_t)utf8proc_encode_char(code, (utf8proc_uint8_t *)s->piece + s->bytes);
}

static un_status end_word(splitter *s) {
    order(s);
    for (size_t i = 0; i < s->count; i++) {
        int32_t code = s->word[i].code;
        if (code >= ASCII && utf8proc_category(code) == UTF8PROC_CATEGORY_MN) continue;
        int apart = is_punctuation(code);
        if (apart) UN_TRY(end_piece(s));
        add_to_piece(s, code);
        if (apart) UN_TRY(end_piece(s));
    }
    s->count = 0;
    return end_piece(s);
}

static int32_t lower(int32_t code) {
    if (code < ASCII) return code >= 'A' && code <= 'Z' ? code + ('a' - 'A') : code;
    /* Dotted capital I becomes i and a dot above, which is an accent: just i. It is the
     * only character whose lower case is two. */
    return code == 0x130 ? 'i' : utf8proc_tolower(code);
}

/* Bytes of the character that text[n] begins with, 0 if it is not UTF-8. */
static size_t decode(const char *text, size_t n, int32_t *code) {
    size_t most = n < UN_UTF8_MOST ? n : UN_UTF8_MOST;
    utf8proc_ssize_t used =
        utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)most, code);
    return used > 0 ? (size_t)used : 0;
}

size_t un_utf8_length(const char *text, size_t n) {
    size_t at = 0, used = 1;
    for (int32_t code = 0; at < n && used > 0; at += used) used = decode(text + at, n - at, &code);
    return at;
}

static un_status split(splitter *s, const char *text, size_t n) {
    for (size_t at = 0; at < n;) {
        int32_t code = 0;
        size_t used = decode(text + at, n - at, &code);
        if (used == 0) return un_fail(UNSEEN_E_FORMAT, "a text is not UTF-8 at its byte %zu", at);
        at += used;
        code = lower(code);
        if (is_blank(code)) {
            UN_TRY(end_word(s));
        } else if (is_dropped(code)) {
            continue;
        } else if (is_ideograph(code)) {
            UN_TRY(end_word(s));
            UN_TRY(push(s, code));
            UN_TRY(end_word(s));
        } else {
            UN_TRY(push(s, code));
        }
    }
    return end_word(s);
}

un_status un_uncased_words(const char *text, size_t n, un_word_function take, void *context) {
    splitter s = {.take = take, .context = context};
    un_status status = split(&s, text, n);
    free(s.word);
    free(s.scratch);
    return status;
}
