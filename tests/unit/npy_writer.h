/* npy_writer.h - NumPy's .npy files for the tests, with any header. */
#ifndef UN_TESTS_NPY_WRITER_H
#define UN_TESTS_NPY_WRITER_H

#include "base/file.h"
#include "util.h"

/* A .npy file in memory; `header` is the dictionary. */
static inline size_t make_npy(unsigned char *out, int version, const char *header, const void *data,
                              size_t bytes) {
    size_t prefix = version == 1 ? 10 : 12;
    size_t length = (prefix + strlen(header) + 1 + 63) / 64 * 64 - prefix;
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (unsigned char)version;
    out[7] = 0;
    for (size_t k = 8; k < prefix; k++) out[k] = (unsigned char)(length >> (8 * (k - 8)));
    memset(out + prefix, ' ', length);
    memcpy(out + prefix, header, strlen(header));
    out[prefix + length - 1] = '\n';
    memcpy(out + prefix + length, data, bytes);
    return prefix + length + bytes;
}

static inline void put_npy(const char *path, int version, const char *header, const void *data,
                           size_t bytes) {
    unsigned char *file = malloc(bytes + 4096);
    assert_non_null(file);
    assert_int_equal(un_file_write(path, file, make_npy(file, version, header, data, bytes)),
                     UNSEEN_OK);
    free(file);
}

#endif
