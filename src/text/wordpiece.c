/*
 * wordpiece.c - vocabularies and greedy longest match; see wordpiece.h.
 *
 * Tokens are sorted as strings of bytes, so all that begin alike stand together:
 * a match walks along the word and narrows that range byte by byte until nothing
 * is left. No table to hash into, hence no input that makes it slow.
 */
#include "text/wordpiece.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "text/uncased.h"

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
