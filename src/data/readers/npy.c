/* npy.c - the head of NumPy's array files; see npy.h. */
#include "data/readers/npy.h"

#include <string.h>

static const char MAGIC[] = "\x93NUMPY";
enum { MAGIC_LENGTH = 6, HEADER_MAX = 65536, TYPE_LENGTH = 16 };

int un_npy_begins(const void *bytes, size_t size) {
    return size >= MAGIC_LENGTH + 2 && !memcmp(bytes, MAGIC, MAGIC_LENGTH);
}

/* ---- the dictionary ---- */

typedef struct {
    const un_array *array; /* for sentences */
    const char *at, *end;
} parser;

static un_status damaged(const parser *p, const char *what) {
    return un_fail(UNSEEN_E_FORMAT, "%s: the header of the array is damaged: %s", p->array->spec,
                   what);
}

static void skip_blanks(parser *p) {
    while (p->at < p->end && strchr(" \t\r\n", *p->at) && *p->at != 0) p->at++;
}

/* Takes `c` if it is next. */
static int take(parser *p, char c) {
    skip_blanks(p);
    if (p->at == p->end || *p->at != c) return 0;
    p->at++;
    return 1;
}

static int take_word(parser *p, const char *word) {
    size_t n = strlen(word);
    skip_blanks(p);
    if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0) return 0;
    p->at += n;
    return 1;
}

/* A string in single or double quotes; nothing in it may need an escape. */
static un_status take_string(parser *p, char *out, size_t size) {
    skip_blanks(p);
    char quote = p->at < p->end ? *p->at : 0;
    if (quote != '\'' && quote != '"') return damaged(p, "a quoted word is missing");
    size_t n = 0;
    for (p->at++; p->at < p->end && *p->at != quote; p->at++) {
        if (n + 1 == size || *p->at == '\\') return damaged(p, "a word in it is too long");
        out[n++] = *p->at;
    }
    if (p->at == p->end) return damaged(p, "a quote is not closed");
    p->at++;
    out[n] = 0;
    return UNSEEN_OK;
}

static un_status take_size(parser *p, size_t *out) {
    skip_blanks(p);
    const char *first = p->at;
    *out = 0;
    for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++)
        if (__builtin_mul_overflow(*out, (size_t)10, out) ||
            __builtin_add_overflow(*out, (size_t)(*p->at - '0'), out))
            return damaged(p, "a dimension is too large");
    if (p->at == first) return damaged(p, "a dimension is no number");
    (void)take(p, 'L'); /* Python 2 wrote long numbers so */
    return UNSEEN_OK;
}

static un_status take_shape(parser *p, un_array *a) {
    if (!take(p, '(')) return damaged(p, "the shape is no tuple");
    for (a->rank = 0; !take(p, ')');) {
        if (a->rank == UN_MAX_RANK)
            return un_fail(UNSEEN_E_UNSUPPORTED, "%s has more than %d dimensions", a->spec,
                           UN_MAX_RANK);
        UN_TRY(take_size(p, &a->shape[a->rank++]));
        if (take(p, ',')) continue;
        if (take(p, ')')) return UNSEEN_OK;
        return damaged(p, "the shape is not closed");
    }
    return UNSEEN_OK;
}

static un_status take_bool(parser *p, int *out) {
    *out = take_word(p, "True");
    return *out || take_word(p, "False") ? UNSEEN_OK : damaged(p, "True or False is missing");
}

/* ---- element types ---- */

static un_status parse_type(un_array *a, const char *type) {
    static const struct {
        const char *name;
        un_dtype dtype;
    } known[] = {{"f2", UN_F16}, {"f4", UN_F32}, {"f8", UN_F64}, {"i1", UN_I8},
                 {"i2", UN_I16}, {"i4", UN_I32}, {"i8", UN_I64}, {"u1", UN_U8},
                 {"u2", UN_U16}, {"u4", UN_U32}, {"u8", UN_U64}, {"b1", UN_BOOL}};
    size_t order = strcspn(type, "<>|=");
    const char *rest = order == 0 && type[0] != 0 ? type + 1 : type;
    a->swapped = type[0] == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? '>' : '<');
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(rest, known[i].name) != 0) continue;
        a->dtype = known[i].dtype;
        if (un_dtype_size(a->dtype) == 1) a->swapped = 0;
        return UNSEEN_OK;
    }
    const char *what = "real numbers of at most 8 bytes are";
    if (rest[0] == 'O')
        what = "Python objects cannot be read; save an array of numbers: numbers are";
    if (rest[0] == 'U' || rest[0] == 'S')
        what =
            "text cannot be read; number it with numpy.unique(x, return_inverse=True): numbers are";
    return un_fail(UNSEEN_E_UNSUPPORTED, "%s holds elements of NumPy type \"%s\"; %s expected",
                   a->spec, type, what);
}

static un_status take_entry(parser *p, un_array *a, char *type, unsigned *found) {
    char key[TYPE_LENGTH];
    UN_TRY(take_string(p, key, sizeof key));
    if (!take(p, ':')) return damaged(p, "a colon is missing");
    if (!strcmp(key, "descr")) {
        *found |= 1u;
        skip_blanks(p);
        if (p->at < p->end && *p->at == '[')
            return un_fail(UNSEEN_E_UNSUPPORTED,
                           "%s holds records (a structured array); save the field you mean as an "
                           "array of its own",
                           a->spec);
        return take_string(p, type, TYPE_LENGTH);
    }
    if (!strcmp(key, "fortran_order")) {
        *found |= 2u;
        return take_bool(p, &a->fortran);
    }
    if (!strcmp(key, "shape")) {
        *found |= 4u;
        return take_shape(p, a);
    }
    return damaged(p, "it has an entry that NumPy does not write");
}

static un_status parse(parser *p, un_array *a) {
    char type[TYPE_LENGTH] = "";
    unsigned found = 0;
    if (!take(p, '{')) return damaged(p, "it is no dictionary");
    while (!take(p, '}')) {
        UN_TRY(take_entry(p, a, type, &found));
        if (take(p, ',')) continue;
        if (take(p, '}')) break;
        return damaged(p, "it is not closed");
    }
    if (found != 7u) return damaged(p, "descr, fortran_order or shape is missing");
    return parse_type(a, type);
}

un_status un_array_measure(un_array *a, size_t *bytes) {
    if (a->rank == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s is a single number, an array is expected", a->spec);
    a->rows = a->shape[0];
    a->width = 1;
    int overflow = 0;
    for (int k = 1; k < a->rank; k++)
        overflow |= __builtin_mul_overflow(a->width, a->shape[k], &a->width);
    overflow |= __builtin_mul_overflow(a->width, un_dtype_size(a->dtype), bytes);
    overflow |= __builtin_mul_overflow(*bytes, a->rows, bytes);
    if (!overflow && *bytes <= (size_t)PTRDIFF_MAX) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT, "%s: the size of the array overflows", a->spec);
}

un_status un_npy_head(un_array *a, const unsigned char *head, size_t bytes_at_hand, size_t *offset,
                      size_t *bytes) {
    parser p = {.array = a};
    if (!un_npy_begins(head, bytes_at_hand)) return damaged(&p, "it is no NumPy array");
    unsigned version = head[MAGIC_LENGTH];
    size_t prefix = version == 1 ? 10 : 12;
    if (version < 1 || version > 3)
        return un_fail(UNSEEN_E_UNSUPPORTED, "%s has NumPy's format version %u; 1 to 3 are known",
                       a->spec, version);
    if (bytes_at_hand < prefix) return damaged(&p, "the file is cut short");
    size_t length = head[8] | (size_t)head[9] << 8;
    if (version > 1) length |= (size_t)head[10] << 16 | (size_t)head[11] << 24;
    if (length > HEADER_MAX) return damaged(&p, "it is too long");
    if (length > bytes_at_hand - prefix) return damaged(&p, "the file is cut short");
    p.at = (const char *)head + prefix;
    p.end = p.at + length;
    UN_TRY(parse(&p, a));
    *offset = prefix + length;
    return un_array_measure(a, bytes);
}
