/* reader_text.c - text of foreign files as UTF-8; see reader_text.h. */
#include "data/readers/reader_text.h"

#include <stdlib.h>
#include <string.h>

un_status un_text_byte(un_text *t, unsigned byte) {
    if (t->used == t->capacity) {
        size_t capacity = t->capacity ? 2 * t->capacity : 64 * 1024;
        char *grown = realloc(t->data, capacity);
        if (!grown) return un_fail_memory(capacity);
        t->data = grown;
        t->capacity = capacity;
    }
    t->data[t->used++] = (char)byte;
    return UNSEEN_OK;
}

un_status un_text_code_point(un_text *t, uint32_t code) {
    if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) code = 0xFFFD;
    if (code < 0x80) return un_text_byte(t, code);
    if (code < 0x800) {
        UN_TRY(un_text_byte(t, 0xC0 | code >> 6));
    } else {
        if (code < 0x10000) {
            UN_TRY(un_text_byte(t, 0xE0 | code >> 12));
        } else {
            UN_TRY(un_text_byte(t, 0xF0 | code >> 18));
            UN_TRY(un_text_byte(t, 0x80 | (code >> 12 & 0x3F)));
        }
        UN_TRY(un_text_byte(t, 0x80 | (code >> 6 & 0x3F)));
    }
    return un_text_byte(t, 0x80 | (code & 0x3F));
}

un_status un_text_string(un_text *t, const unsigned char *bytes, size_t n) {
    int as_it_is = un_text_is_utf8(bytes, n);
    for (size_t i = 0; i < n; i++)
        UN_TRY(as_it_is ? un_text_byte(t, bytes[i]) : un_text_code_point(t, bytes[i]));
    return un_text_byte(t, 0);
}

/* ---- matrices of characters ---- */

static uint32_t unit(const un_text_matrix *m, size_t i) {
    uint16_t two = 0;
    uint32_t four = 0;
    if (m->size == 1) return m->data[i];
    if (m->size == 2) {
        memcpy(&two, m->data + 2 * i, sizeof two);
        return two;
    }
    memcpy(&four, m->data + 4 * i, sizeof four);
    return four;
}

/* The units from, from + step, … (n of them) as one string. */
static un_status put_row(un_text *t, const un_text_matrix *m, size_t from, size_t step, size_t n) {
    size_t begin = t->used;
    while (n > 0 && unit(m, from + (n - 1) * step) == 0) n--; /* padding of C programs */
    if (m->size == 1) {
        for (size_t i = 0; i < n; i++) UN_TRY(un_text_byte(t, unit(m, from + i * step)));
        if (n == 0 || un_text_is_utf8((const unsigned char *)t->data + begin, n))
            return un_text_byte(t, 0);
        t->used = begin;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t code = unit(m, from + i * step);
        uint32_t next = i + 1 < n ? unit(m, from + (i + 1) * step) : 0;
        if (m->size == 2 && code >= 0xD800 && code < 0xDC00 && next >= 0xDC00 && next < 0xE000) {
            UN_TRY(un_text_code_point(t, 0x10000 + ((code - 0xD800) << 10) + (next - 0xDC00)));
            i++;
        } else {
            UN_TRY(un_text_code_point(t, code));
        }
    }
    return un_text_byte(t, 0);
}

un_status un_text_rows(un_text *t, const un_text_matrix *m, size_t *count, int *whole) {
    size_t width = m->rows == 1 ? m->units : m->width; /* one row is taken by its bytes */
    size_t needed = 0;
    *whole = !__builtin_mul_overflow(m->rows, width, &needed) && needed == m->units;
    /* Nothing in the file bounds how many rows of nothing it says there are. */
    if (*whole && m->units == 0 && m->rows > 1) return UNSEEN_OK;
    for (size_t row = 0; *whole && row < m->rows; row++) {
        size_t n = width;
        while (m->rows > 1 && n > 0 && unit(m, row + (n - 1) * m->rows) == ' ') n--;
        UN_TRY(put_row(t, m, row, m->rows, n));
        (*count)++;
    }
    return UNSEEN_OK;
}

un_status un_text_split(const char *bytes, size_t n, size_t count, un_arena *arena, char ***out,
                        int *whole) {
    char *text = NULL;
    char **strings = NULL;
    /* Counted before anything is reserved: as many strings have as many NULs. */
    size_t ends = 0;
    for (size_t i = 0; i < n; i++) ends += bytes[i] == 0;
    *whole = ends == count && (n == 0 || bytes[n - 1] == 0);
    if (!*whole) return UNSEEN_OK;
    UN_TRY(un_arena_alloc(arena, n, 1, &text));
    UN_TRY(un_arena_alloc(arena, count + 1, sizeof *strings, &strings));
    if (n > 0) memcpy(text, bytes, n);
    for (size_t i = 0; i < count; i++) {
        strings[i] = text;
        text += strlen(text) + 1;
    }
    *out = strings;
    return UNSEEN_OK;
}
