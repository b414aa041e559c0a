/* sha256.c - SHA-256 for every processor, and the choice of a way; see sha256.h. */
#include "tensor/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef UN_HAVE_X86_ISA
#include <cpuid.h>
#endif

#include "base/file.h"
#include "tensor/sha256_rounds.h"

enum { BLOCK = 64, LENGTH_AT = 56 };

struct un_sha256 {
    uint32_t state[8];
    uint64_t bytes; /* so far */
    un_sha256_way way;
    unsigned char rest[BLOCK]; /* what is not yet a block */
};

/* The first 32 bits behind the point of the square roots of the first 8 primes. */
static const uint32_t g_start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static uint32_t turn(uint32_t x, unsigned n) { return x >> n | x << (32 - n); }

static uint32_t word_at(const unsigned char *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* A round writes two of the eight words; instead of all moving on, the next one names them anew. */
static inline void make_round(uint32_t a, uint32_t b, uint32_t c, uint32_t *d, uint32_t e,
                              uint32_t f, uint32_t g, uint32_t *h, uint32_t added) {
    added += *h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g));
    *d += added;
    *h = added + (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
}

void un_sha256_portable(uint32_t state[8], const unsigned char *data, size_t blocks) {
    for (; blocks > 0; blocks--, data += BLOCK) {
        uint32_t w[64];
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
        uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
        for (size_t i = 0; i < 16; i++) w[i] = word_at(data + 4 * i);
        for (size_t i = 16; i < 64; i++) {
            uint32_t x = w[i - 15], y = w[i - 2];
            w[i] = w[i - 16] + w[i - 7] + (turn(x, 7) ^ turn(x, 18) ^ x >> 3) +
                   (turn(y, 17) ^ turn(y, 19) ^ y >> 10);
        }
        for (size_t i = 0; i < 64; i += 8) {
            const uint32_t *r = un_sha256_rounds + i, *x = w + i;
            make_round(a, b, c, &d, e, f, g, &h, r[0] + x[0]);
            make_round(h, a, b, &c, d, e, f, &g, r[1] + x[1]);
            make_round(g, h, a, &b, c, d, e, &f, r[2] + x[2]);
            make_round(f, g, h, &a, b, c, d, &e, r[3] + x[3]);
            make_round(e, f, g, &h, a, b, c, &d, r[4] + x[4]);
            make_round(d, e, f, &g, h, a, b, &c, r[5] + x[5]);
            make_round(c, d, e, &f, g, h, a, &b, r[6] + x[6]);
            make_round(b, c, d, &e, f, g, h, &a, r[7] + x[7]);
        }
        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
        state[4] += e;
        state[5] += f;
        state[6] += g;
        state[7] += h;
    }
}

un_sha256_way un_sha256_fastest(void) {
#ifdef UN_HAVE_X86_ISA
    unsigned a = 0, b = 0, c = 0, d = 0;
    int shuffles = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSSE3) && (c & bit_SSE4_1);
    if (shuffles && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA)) return un_sha256_x86;
#endif
    return un_sha256_portable;
}

un_status un_sha256_open(un_sha256 **out) {
    un_sha256 *hash = calloc(1, sizeof *hash);
    if (!hash) return un_fail_memory(sizeof *hash);
    memcpy(hash->state, g_start, sizeof g_start);
    hash->way = un_sha256_fastest();
    *out = hash;
    return UNSEEN_OK;
}

un_status un_sha256_add(un_sha256 *hash, const void *data, size_t n) {
    const unsigned char *from = data;
    size_t have = (size_t)(hash->bytes % BLOCK);
    hash->bytes += n;
    if (have > 0) {
        size_t more = n < BLOCK - have ? n : BLOCK - have;
        if (more > 0) memcpy(hash->rest + have, from, more);
        if (have + more < BLOCK) return UNSEEN_OK;
        hash->way(hash->state, hash->rest, 1);
        from += more;
        n -= more;
    }
    hash->way(hash->state, from, n / BLOCK);
    if (n % BLOCK > 0) memcpy(hash->rest, from + n / BLOCK * BLOCK, n % BLOCK);
    return UNSEEN_OK;
}

un_status un_sha256_digest(un_sha256 *hash, unsigned char out[32]) {
    size_t have = (size_t)(hash->bytes % BLOCK);
    uint64_t bits = 8 * hash->bytes;
    hash->rest[have++] = 0x80;
    memset(hash->rest + have, 0, BLOCK - have);
    if (have > LENGTH_AT) {
        hash->way(hash->state, hash->rest, 1);
        memset(hash->rest, 0, BLOCK);
    }
    for (size_t i = 0; i < 8; i++)
        hash->rest[LENGTH_AT + i] = (unsigned char)(bits >> (56 - 8 * i));
    hash->way(hash->state, hash->rest, 1);
    for (size_t i = 0; i < 32; i++)
        out[i] = (unsigned char)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
    return UNSEEN_OK;
}

un_status un_sha256_hex(un_sha256 *hash, char out[65]) {
    unsigned char digest[32];
    UN_TRY(un_sha256_digest(hash, digest));
    for (unsigned i = 0; i < sizeof digest; i++) snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return UNSEEN_OK;
}

void un_sha256_close(un_sha256 *hash) { free(hash); }

un_status un_sha256_of(const void *data, size_t n, char out[65]) {
    un_sha256 *hash = NULL;
    UN_TRY(un_sha256_open(&hash));
    un_status status = un_sha256_add(hash, data, n);
    if (!status) status = un_sha256_hex(hash, out);
    un_sha256_close(hash);
    return status;
}

static un_status add_piece(const void *bytes, size_t n, void *context) {
    return un_sha256_add(context, bytes, n);
}

un_status un_file_sha256(const char *path, unsigned char out[32]) {
    un_sha256 *hash = NULL;
    UN_TRY(un_sha256_open(&hash));
    un_status status = un_file_pieces(path, add_piece, hash);
    if (!status) status = un_sha256_digest(hash, out);
    un_sha256_close(hash);
    return status;
}
