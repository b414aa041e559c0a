/*
 * wordpiece.c - vocabularies, greedy longest match and BERT's split into words; see
 * wordpiece.h.
 *
 * Tokens are sorted as strings of bytes, so all that begin alike stand together:
 * a match walks along the word and narrows that range byte by byte until nothing
 * is left. No table to hash into, hence no input that makes it slow.
 */
#include "text/wordpiece.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/foreign/utf8proc.h"
#include "base/names.h"
#include "base/status.h"

enum { FIRST_TOKENS = 64, NOTHING = -1 };

static const char CONTINUED[] = "##";

static const char *const g_special[UN_SPECIAL_TOKENS] = {
    [UN_TOKEN_PAD] = "[PAD]", [UN_TOKEN_UNK] = "[UNK]",   [UN_TOKEN_CLS] = "[CLS]",
    [UN_TOKEN_SEP] = "[SEP]", [UN_TOKEN_MASK] = "[MASK]",
};

typedef struct {
    const char *text;
    size_t length;
    int32_t id;
} token;

/* The sorted tokens begin..end-1, which all begin with the same `depth` bytes. */
typedef struct {
    size_t begin, end, depth;
} range;

struct un_wordpiece {
    char *text;    /* the file, its lines cut by NULs */
    char **of_id;  /* [size] */
    token *sorted; /* [distinct] */
    size_t size, distinct;
    range continued; /* the tokens that begin with "##" */
    int32_t special[UN_SPECIAL_TOKENS];
};

/* ---- vocabulary ---- */

static int by_bytes(const void *a, const void *b) {
    const token *x = a, *y = b;
    size_t shorter = x->length < y->length ? x->length : y->length;
    int order = memcmp(x->text, y->text, shorter);
    if (order != 0) return order;
    if (x->length != y->length) return x->length < y->length ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* First of begin..end-1 whose byte at `depth` is at least `byte`; a token that
 * ends there comes before all. */
static size_t lower_bound(const un_wordpiece *w, range r, int byte) {
    size_t begin = r.begin, end = r.end;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        const token *t = &w->sorted[middle];
        int there = t->length > r.depth ? (unsigned char)t->text[r.depth] : NOTHING;
        if (there < byte)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

/* The tokens of `r` that go on with `byte`. */
static range narrow(const un_wordpiece *w, range r, unsigned char byte) {
    return (range){lower_bound(w, r, byte), lower_bound(w, r, byte + 1), r.depth + 1};
}

static range narrow_text(const un_wordpiece *w, const char *text, size_t n) {
    range r = {0, w->distinct, 0};
    for (size_t i = 0; i < n && r.begin < r.end; i++) r = narrow(w, r, (unsigned char)text[i]);
    return r;
}

/* The token that ends where the range has come to. */
static int32_t ends_here(const un_wordpiece *w, range r) {
    if (r.begin == r.end || w->sorted[r.begin].length != r.depth) return NOTHING;
    return w->sorted[r.begin].id;
}

int32_t un_wordpiece_id(const un_wordpiece *w, const char *text, size_t bytes) {
    range r = narrow_text(w, text, bytes);
    return r.depth == bytes ? ends_here(w, r) : NOTHING;
}

/* Of equal tokens, which the sort put by id, the last stays. */
static void drop_repeated(un_wordpiece *w, const char *where) {
    size_t kept = 0, repeated = 0;
    for (size_t i = 0; i < w->size; i++) {
        token *last = kept > 0 ? &w->sorted[kept - 1] : NULL;
        const token *t = &w->sorted[i];
        if (last && last->length == t->length && !memcmp(last->text, t->text, t->length)) {
            if (repeated++ == 0)
                un_log(UNSEEN_LOG_WARNING,
                       "%s: lines %ld and %ld are both \"%s\"; the last line of a token counts",
                       where, (long)last->id + 1, (long)t->id + 1, t->text);
            *last = *t;
        } else {
            w->sorted[kept++] = *t;
        }
    }
    w->distinct = kept;
    if (repeated > 1)
        un_log(UNSEEN_LOG_WARNING, "%s: %zu lines repeat a token in all", where, repeated);
}

/* One token a line; the line ends become NULs. */
static void cut_lines(un_wordpiece *w, char *text, size_t n) {
    char *end = text + n;
    for (char *line = text; line < end; w->size++) {
        char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop) stop = end;
        size_t length = (size_t)(stop - line);
        *stop = 0;
        if (length > 0 && line[length - 1] == '\r') line[--length] = 0;
        w->of_id[w->size] = line;
        w->sorted[w->size] = (token){line, length, (int32_t)w->size};
        line = stop + 1;
    }
}

static un_status check_text(const char *text, size_t n, const char *where) {
    const char *nul = n > 0 ? memchr(text, 0, n) : NULL;
    size_t good = un_utf8_length(text, n);
    if (nul && (size_t)(nul - text) < good) good = (size_t)(nul - text);
    if (good == n) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT,
                   "%s is not a text in UTF-8 (byte %zu); expected a WordPiece vocabulary with one "
                   "token a line",
                   where, good);
}

static un_status load(un_wordpiece *w, const char *text, size_t n, const char *where) {
    static const char mark[] = "\xEF\xBB\xBF"; /* byte order mark of some editors */
    if (n > UN_VOCABULARY_LIMIT)
        return un_fail(UNSEEN_E_FORMAT, "%s is too large for a vocabulary: %zu bytes", where, n);
    UN_TRY(check_text(text, n, where));
    if (n >= sizeof mark - 1 && !memcmp(text, mark, sizeof mark - 1)) {
        text += sizeof mark - 1;
        n -= sizeof mark - 1;
    }
    size_t lines = 1;
    for (size_t i = 0; i < n; i++) lines += text[i] == '\n';
    UN_TRY(un_alloc(n + 1, 1, &w->text));
    UN_TRY(un_alloc(lines, sizeof *w->of_id, &w->of_id));
    UN_TRY(un_alloc(lines, sizeof *w->sorted, &w->sorted));
    if (n > 0) memcpy(w->text, text, n);
    cut_lines(w, w->text, n);
    qsort(w->sorted, w->size, sizeof *w->sorted, by_bytes);
    drop_repeated(w, where);
    w->continued = narrow_text(w, CONTINUED, sizeof CONTINUED - 1);
    for (int i = 0; i < UN_SPECIAL_TOKENS; i++) {
        w->special[i] = un_wordpiece_id(w, g_special[i], strlen(g_special[i]));
        if (w->special[i] == NOTHING)
            return un_fail(UNSEEN_E_FORMAT,
                           "%s has no line %s; a WordPiece vocabulary has [PAD], [UNK], [CLS], "
                           "[SEP] and [MASK]",
                           where, g_special[i]);
    }
    return UNSEEN_OK;
}

un_status un_wordpiece_parse(un_wordpiece **out, const char *text, size_t n, const char *where) {
    un_wordpiece *w = NULL;
    UN_TRY(un_alloc(1, sizeof *w, &w));
    un_status status = load(w, text, n, where);
    if (status) {
        un_wordpiece_close(w);
        return status;
    }
    *out = w;
    return UNSEEN_OK;
}

un_status un_wordpiece_open(un_wordpiece **out, const char *path) {
    char *text = NULL;
    size_t n = 0;
    UN_TRY(un_file_read(path, UN_VOCABULARY_LIMIT, &text, &n));
    un_status status = un_wordpiece_parse(out, text, n, path);
    free(text);
    return status;
}

void un_wordpiece_close(un_wordpiece *w) {
    if (!w) return;
    free(w->text);
    free(w->of_id);
    free(w->sorted);
    free(w);
}

size_t un_wordpiece_size(const un_wordpiece *w) { return w->size; }

int32_t un_wordpiece_special(const un_wordpiece *w, un_special_token t) { return w->special[t]; }

const char *un_wordpiece_token(const un_wordpiece *w, int32_t id) {
    return id >= 0 && (size_t)id < w->size ? w->of_id[id] : NULL;
}

/* ---- lists ---- */

un_status un_token_list_add(un_token_list *list, int32_t id) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : FIRST_TOKENS;
        int32_t *items = NULL;
        UN_TRY(un_alloc(capacity, sizeof *items, &items));
        if (list->count > 0) memcpy(items, list->items, list->count * sizeof *items);
        free(list->items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = id;
    return UNSEEN_OK;
}

void un_token_list_free(un_token_list *list) {
    free(list->items);
    *list = (un_token_list){0};
}

/* ---- encoding ---- */

typedef struct {
    const un_wordpiece *wordpiece;
    un_token_list *list;
} encoder;

/* Bytes of the longest token of `r` that word[n] begins with, 0 if none does. Both
 * are UTF-8, so it ends between two characters. */
static size_t longest(const un_wordpiece *w, range r, const char *word, size_t n, int32_t *id) {
    size_t found = 0;
    for (size_t i = 0; i < n && r.begin < r.end;) {
        r = narrow(w, r, (unsigned char)word[i++]);
        int32_t here = ends_here(w, r);
        if (here == NOTHING) continue;
        *id = here;
        found = i;
    }
    return found;
}

/* A un_word_function. */
static un_status add_word(const char *word, size_t bytes, size_t characters, void *context) {
    const encoder *e = context;
    const un_wordpiece *w = e->wordpiece;
    size_t before = e->list->count;
    size_t found = 0;
    for (size_t at = 0; at < bytes && characters <= UN_WORD_LIMIT; at += found) {
        int32_t id = NOTHING;
        range all = {0, w->distinct, 0};
        found = longest(w, at == 0 ? all : w->continued, word + at, bytes - at, &id);
        if (found == 0) break;
        UN_TRY(un_token_list_add(e->list, id));
    }
    if (found > 0) return UNSEEN_OK;
    e->list->count = before;
    return un_token_list_add(e->list, w->special[UN_TOKEN_UNK]);
}

/* The special token that text[n] begins with, UN_SPECIAL_TOKENS if none. */
static un_special_token special_at(const char *text, size_t n) {
    int i = 0;
    for (; i < UN_SPECIAL_TOKENS; i++) {
        size_t length = strlen(g_special[i]);
        if (n >= length && !memcmp(text, g_special[i], length)) break;
    }
    return (un_special_token)i;
}

un_status un_wordpiece_encode(const un_wordpiece *w, const char *text, size_t n,
                              un_token_list *list) {
    encoder e = {w, list};
    size_t good = un_utf8_length(text, n);
    if (good < n)
        return un_fail(UNSEEN_E_FORMAT,
                       "a text is not UTF-8 at its byte %zu (0x%02X): convert it to UTF-8", good,
                       (unsigned)(unsigned char)text[good]);
    size_t begin = 0; /* of the plain text before the next special token */
    for (size_t at = 0; at < n;) {
        const char *bracket = memchr(text + at, '[', n - at);
        if (!bracket) break;
        at = (size_t)(bracket - text);
        un_special_token special = special_at(bracket, n - at);
        if (special == UN_SPECIAL_TOKENS) {
            at++;
            continue;
        }
        UN_TRY(un_uncased_words(text + begin, at - begin, add_word, &e));
        UN_TRY(un_token_list_add(list, w->special[special]));
        begin = at += strlen(g_special[special]);
    }
    return un_uncased_words(text + begin, n - begin, add_word, &e);
}

/* ---- batches ---- */

/* One row, padding left as it is. */
static void fill_row(const un_wordpiece *w, const un_token_list *pieces, size_t row,
                     un_token_batch *b) {
    int32_t *ids = b->ids + row * b->length, *mask = b->mask + row * b->length;
    size_t length = b->lengths[row];
    ids[0] = w->special[UN_TOKEN_CLS];
    if (length > 2) memcpy(ids + 1, pieces->items, (length - 2) * sizeof *ids);
    ids[length - 1] = w->special[UN_TOKEN_SEP];
    for (size_t i = 0; i < length; i++) mask[i] = 1;
    for (size_t i = length; i < b->length; i++) ids[i] = w->special[UN_TOKEN_PAD];
}

static un_status fill(const un_wordpiece *w, const un_token_list *pieces, size_t B,
                      size_t max_length, un_arena *arena, un_token_batch *b) {
    size_t cells = 0;
    UN_TRY(un_arena_alloc(arena, B, sizeof *b->lengths, &b->lengths));
    for (size_t i = 0; i < B; i++) {
        b->lengths[i] = pieces[i].count > max_length - 2 ? max_length : pieces[i].count + 2;
        if (b->lengths[i] > b->length) b->length = b->lengths[i];
    }
    if (__builtin_mul_overflow(B, b->length, &cells))
        return un_fail(UNSEEN_E_MEMORY, "a batch of %zu texts of %zu tokens overflows", B,
                       b->length);
    UN_TRY(un_arena_alloc(arena, cells, sizeof *b->ids, &b->ids));
    UN_TRY(un_arena_alloc(arena, cells, sizeof *b->types, &b->types));
    UN_TRY(un_arena_alloc(arena, cells, sizeof *b->mask, &b->mask));
    for (size_t i = 0; i < B; i++) fill_row(w, &pieces[i], i, b);
    return UNSEEN_OK;
}

un_status un_wordpiece_batch(const un_wordpiece *w, const char *const *texts, const size_t *lengths,
                             size_t B, size_t max_length, un_arena *arena, un_token_batch *out) {
    un_token_list *pieces = NULL;
    un_status status = UNSEEN_OK;
    *out = (un_token_batch){.count = B};
    if (max_length < 2)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "texts of at most %zu tokens have no room for [CLS] and [SEP]: allow 2 or "
                       "more",
                       max_length);
    UN_TRY(un_alloc(B, sizeof *pieces, &pieces));
    for (size_t i = 0; i < B; i++)
        UN_GO(
            un_wordpiece_encode(w, texts[i], lengths ? lengths[i] : strlen(texts[i]), &pieces[i]));
    UN_GO(fill(w, pieces, B, max_length, arena, out));
done:
    for (size_t i = 0; i < B; i++) un_token_list_free(&pieces[i]);
    free(pieces);
    return status;
}

/* ---- BERT's basic tokenisation over utf8proc's tables ---- */

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
    if (s->characters++ >= UN_WORD_LIMIT) return;
    if (code < ASCII) /* utf8proc is not needed for a text of these, and may not be loaded */
        s->piece[s->bytes++] = (char)code;
    else
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

size_t un_utf8_length(const char *text, size_t n) {
    size_t at = 0, used = 1;
    for (int32_t code = 0; at < n && used > 0; at += used)
        used = un_utf8_next(text + at, n - at, &code);
    return at;
}

static un_status split(splitter *s, const char *text, size_t n) {
    for (size_t at = 0; at < n;) {
        int32_t code = 0;
        size_t used = un_utf8_next(text + at, n - at, &code);
        if (used == 0) return un_fail(UNSEEN_E_FORMAT, "a text is not UTF-8 at its byte %zu", at);
        at += used;
        if (code >= ASCII) UN_TRY(un_foreign_need(UN_UTF8PROC));
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
