/*
 * sha256.h - SHA-256 (FIPS 180-4), by which data, features and weights are known again.
 */
#ifndef UN_TENSOR_SHA256_H
#define UN_TENSOR_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Incremental. */
typedef struct un_sha256 un_sha256;
un_status un_sha256_open(un_sha256 **out);
un_status un_sha256_add(un_sha256 *hash, const void *data, size_t n);
/* 64 hexadecimal digits and a NUL. */
un_status un_sha256_hex(un_sha256 *hash, char out[65]);
/* The same as 32 bytes. One of the two ends a hash. */
un_status un_sha256_digest(un_sha256 *hash, unsigned char out[32]);
void un_sha256_close(un_sha256 *hash); /* NULL is allowed */

/* Of n bytes at once. */
un_status un_sha256_of(const void *data, size_t n, char out[65]);
/* Of the bytes of a regular file, in pieces. */
un_status un_file_sha256(const char *path, unsigned char out[32]);

/* ---- the ways: whole blocks of 64 bytes into a state of eight words ---- */

typedef void (*un_sha256_way)(uint32_t state[8], const unsigned char *data, size_t blocks);
void un_sha256_portable(uint32_t state[8], const unsigned char *data, size_t blocks);
/* The processor's own, or the portable one. */
un_sha256_way un_sha256_fastest(void);

#ifdef UN_HAVE_X86_ISA
/* With Intel's SHA extensions. */
void un_sha256_x86(uint32_t state[8], const unsigned char *data, size_t blocks);
#endif

#endif
