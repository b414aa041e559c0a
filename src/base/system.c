/* system.c - what the operating system and its libraries tell: memory in use, SHA-256. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

struct un_sha256 {
    EVP_MD_CTX *context;
};

un_status un_sha256_open(un_sha256 **out) {
    un_sha256 *hash = calloc(1, sizeof *hash);
    if (!hash) return un_fail_memory(sizeof *hash);
    hash->context = EVP_MD_CTX_new();
    if (!hash->context || EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL) != 1) {
        un_sha256_close(hash);
        return un_fail(UNSEEN_E_UNSUPPORTED, "SHA-256 is not available in this libcrypto");
    }
    *out = hash;
    return UNSEEN_OK;
}

un_status un_sha256_add(un_sha256 *hash, const void *data, size_t n) {
    if (EVP_DigestUpdate(hash->context, data, n) != 1)
        return un_fail(UNSEEN_E_UNSUPPORTED, "SHA-256 failed");
    return UNSEEN_OK;
}

un_status un_sha256_digest(un_sha256 *hash, unsigned char out[32]) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (EVP_DigestFinal_ex(hash->context, digest, &length) != 1 || length != 32)
        return un_fail(UNSEEN_E_UNSUPPORTED, "SHA-256 failed");
    memcpy(out, digest, 32);
    return UNSEEN_OK;
}

un_status un_sha256_hex(un_sha256 *hash, char out[65]) {
    unsigned char digest[32];
    UN_TRY(un_sha256_digest(hash, digest));
    for (unsigned i = 0; i < sizeof digest; i++) snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return UNSEEN_OK;
}

void un_sha256_close(un_sha256 *hash) {
    if (hash) EVP_MD_CTX_free(hash->context);
    free(hash);
}

un_status un_sha256_of(const void *data, size_t n, char out[65]) {
    un_sha256 *hash = NULL;
    UN_TRY(un_sha256_open(&hash));
    un_status status = un_sha256_add(hash, data, n);
    if (!status) status = un_sha256_hex(hash, out);
    un_sha256_close(hash);
    return status;
}

/* The value in KiB of one line of /proc/self/status. */
static size_t status_value(const char *key) {
    FILE *file = fopen("/proc/self/status", "re");
    if (!file) return 0;
    char line[256];
    size_t value = 0;
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, key, strlen(key))) value = strtoul(line + strlen(key), NULL, 10);
    fclose(file);
    return value;
}

size_t un_memory_anonymous_kib(void) { return status_value("RssAnon:"); }
