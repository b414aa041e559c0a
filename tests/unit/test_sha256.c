/* test_sha256.c - SHA-256 against the published examples, in pieces, and one way against the other. */
#include "unit/util.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "tensor/sha256.h"

/* FIPS 180-2, appendix B, and the empty message. */
static void published_examples(void **state) {
    (void)state;
    enum { MILLION = 1000000 };
    static const struct {
        const char *text, *hex;
    } examples[] = {{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
                    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
                    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"}};
    char hex[65];
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        util_ok(un_sha256_of(examples[i].text, strlen(examples[i].text), hex));
        assert_string_equal(hex, examples[i].hex);
    }
    char *many = malloc(MILLION);
    assert_non_null(many);
    memset(many, 'a', MILLION);
    util_ok(un_sha256_of(many, MILLION, hex));
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(many);
}

static void fill(unsigned char *bytes, size_t n) {
    un_rng rng = un_rng_stream(7, "sha256", 0);
    for (size_t i = 0; i < n; i++) bytes[i] = (unsigned char)un_rng_below(&rng, 256);
}

/* All lengths around the places where a block ends or the length needs one more. */
static void pieces_and_files(void **state) {
    (void)state;
    enum { MOST = 200 };
    unsigned char bytes[MOST];
    unsigned char digest[32];
    char path[] = "/tmp/unseen-sha-XXXXXX";
    char whole[65], split[65], of_file[65];
    fill(bytes, MOST);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (size_t n = 0; n <= MOST; n++) {
        un_sha256 *hash = NULL;
        util_ok(un_sha256_of(bytes, n, whole));
        util_ok(un_sha256_open(&hash));
        for (size_t at = 0, piece = 1; at < n; at += piece, piece = piece % 90 + 1) {
            if (piece > n - at) piece = n - at;
            util_ok(un_sha256_add(hash, bytes + at, piece));
        }
        util_ok(un_sha256_hex(hash, split));
        un_sha256_close(hash);
        assert_string_equal(whole, split);
        assert_int_equal(pwrite(fd, bytes, n, 0), (ssize_t)n);
        util_ok(un_file_sha256(path, digest));
        for (size_t i = 0; i < 32; i++) snprintf(of_file + 2 * i, 3, "%02x", digest[i]);
        assert_string_equal(whole, of_file);
    }
    close(fd);
    unlink(path);
}

static void ways_agree(void **state) {
    (void)state;
    enum { BLOCKS = 50 };
    unsigned char bytes[64 * BLOCKS + 1];
    un_sha256_way fastest = un_sha256_fastest();
    if (fastest == un_sha256_portable) skip();
    fill(bytes, sizeof bytes);
    for (size_t n = 0; n <= BLOCKS; n++) {
        uint32_t a[8] = {1, 2, 3, 4, 5, 6, 7, 0x89abcdef}, b[8];
        memcpy(b, a, sizeof b);
        un_sha256_portable(a, bytes + 1, n);
        fastest(b, bytes + 1, n);
        assert_memory_equal(a, b, sizeof a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(published_examples),
                                       cmocka_unit_test(pieces_and_files),
                                       cmocka_unit_test(ways_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
