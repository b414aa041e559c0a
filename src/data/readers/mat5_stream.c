/* mat5_stream.c - the bytes of a MAT v5 file's elements, unpacked where they are packed; see
 * mat5.h.
 */
#include "data/readers/mat5.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* ---- filling the buffer ---- */

un_status un_mat5_damaged(const un_mat5_stream *s, const char *what) {
    return un_fail(UNSEEN_E_FORMAT, "%s is damaged: %s; get the file again", s->path, what);
}

/* Reads up to UN_MAT5_BUFFER of the piece; what the file has not is an error. */
static un_status read_file(un_mat5_stream *s, unsigned char *out, size_t *got) {
    size_t length = s->left < UN_MAT5_BUFFER ? (size_t)s->left : UN_MAT5_BUFFER;
    *got = 0;
    while (*got < length) {
        ssize_t n = pread(s->fd, out + *got, length - *got, (off_t)(s->next + *got));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return un_fail_errno(errno, "cannot read %s", s->path);
        if (n == 0) return un_mat5_damaged(s, "it is cut short");
        *got += (size_t)n;
    }
    s->next += *got;
    s->left -= *got;
    return UNSEEN_OK;
}

static un_status unpack(un_mat5_stream *s) {
    if (s->ended) return un_mat5_damaged(s, "a compressed variable ends too early");
    if (s->z.avail_in == 0) {
        size_t got = 0;
        UN_TRY(read_file(s, s->packed, &got));
        if (got == 0) return un_mat5_damaged(s, "a compressed variable is cut short");
        s->z.next_in = s->packed;
        s->z.avail_in = (uInt)got;
    }
    s->z.next_out = s->buffer;
    s->z.avail_out = UN_MAT5_BUFFER;
    int code = inflate(&s->z, Z_NO_FLUSH);
    s->have = UN_MAT5_BUFFER - s->z.avail_out;
    s->ended = code == Z_STREAM_END;
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
        return un_mat5_damaged(s, "a compressed variable does not unpack");
    return UNSEEN_OK;
}

/* More bytes into the buffer, which is used up; a call may bring none. */
static un_status fill(un_mat5_stream *s) {
    s->at = s->have = 0;
    if (s->compressed) return unpack(s);
    if (s->left == 0) return un_mat5_damaged(s, "it is cut short");
    return read_file(s, s->buffer, &s->have);
}

/* ---- taking out of it ---- */

un_status un_mat5_take(un_mat5_stream *s, void *out, uint64_t n) {
    unsigned char *to = out;
    while (n > 0) {
        if (s->at == s->have && !to && !s->compressed) { /* no need to look at them */
            if (n > s->left) return un_mat5_damaged(s, "it is cut short");
            s->next += n;
            s->left -= n;
            return UNSEEN_OK;
        }
        if (s->at == s->have) {
            UN_TRY(fill(s));
            continue;
        }
        size_t part = s->have - s->at < n ? s->have - s->at : (size_t)n;
        if (to) memcpy(to, s->buffer + s->at, part);
        if (to) to += part;
        s->at += part;
        n -= part;
    }
    return UNSEEN_OK;
}

un_status un_mat5_take_from(un_mat5_stream *s, uint64_t *budget, void *out, uint64_t n) {
    if (n > *budget) return un_mat5_damaged(s, "an element is larger than the one it is in");
    UN_TRY(un_mat5_take(s, out, n));
    *budget -= n;
    return UNSEEN_OK;
}

void un_mat5_swap(unsigned char *bytes, size_t size, size_t n) {
    for (size_t i = 0; i < n; i++, bytes += size)
        for (size_t k = 0; k < size / 2; k++) {
            unsigned char byte = bytes[k];
            bytes[k] = bytes[size - 1 - k];
            bytes[size - 1 - k] = byte;
        }
}

uint32_t un_mat5_word(const un_mat5_stream *s, const unsigned char *bytes) {
    uint32_t value = 0;
    memcpy(&value, bytes, sizeof value);
    return s->swapped ? __builtin_bswap32(value) : value;
}

/* ---- one piece after another ---- */

un_status un_mat5_finish(un_mat5_stream *s) {
    while (s->compressed && !s->ended) UN_TRY(fill(s));
    return UNSEEN_OK;
}

un_status un_mat5_seek(un_mat5_stream *s, uint64_t at, uint64_t bytes, int compressed) {
    s->at = s->have = 0;
    s->next = at;
    s->left = bytes;
    s->compressed = compressed;
    if (!compressed) return UNSEEN_OK;
    s->ended = 0;
    s->z.avail_in = 0;
    UN_TRY(un_foreign_need(UN_ZLIB));
    if (!s->live && inflateInit(&s->z) != Z_OK) return un_fail_memory(UN_MAT5_BUFFER);
    if (s->live) inflateReset(&s->z);
    s->live = 1;
    return UNSEEN_OK;
}

void un_mat5_stream_close(un_mat5_stream *s) {
    if (s->live) inflateEnd(&s->z);
    if (s->fd >= 0) close(s->fd);
}
