/*
 * test_safetensors.c - the container: round trips, alignment, hostile headers,
 * truncation, random damage and a full disk.
 */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tensor/safetensors.h"
#include "unit/folder.h"
#include "util.h"

static const char *file_path(void) { return in_folder("file.safetensors"); }

/* A file of this header and `data_bytes` bytes 0, 1, 2, … */
static void write_raw(const char *header, size_t data_bytes) {
    size_t n = strlen(header);
    unsigned char *bytes = malloc(8 + n + data_bytes + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < 8; i++) bytes[i] = (unsigned char)(n >> (8 * i) & 0xFF);
    memcpy(bytes + 8, header, n);
    for (size_t i = 0; i < data_bytes; i++) bytes[8 + n + i] = (unsigned char)i;
    write_bytes(file_path(), bytes, 8 + n + data_bytes);
    free(bytes);
}

/* Three tensors of awkward sizes and one empty. */
static un_status write_sample(void) {
    un_st_writer *writer = NULL;
    const size_t a[] = {3, 5};
    const size_t b[] = {7};
    const size_t c[] = {0, 4};
    float values[15];
    int64_t integers[7];
    const uint8_t byte = 200;
    for (int i = 0; i < 15; i++) values[i] = (float)i * 0.5f;
    for (int i = 0; i < 7; i++) integers[i] = (int64_t)1 << (8 * i);
    UN_TRY(un_st_writer_open(&writer, file_path()));
    un_status status = UNSEEN_OK;
    UN_GO(un_st_writer_metadata(writer, "format", "test"));
    UN_GO(un_st_writer_metadata(writer, "hash", "0000"));
    UN_GO(un_st_writer_add(writer, "weights", UN_F32, 2, a));
    UN_GO(un_st_writer_add(writer, "numbers", UN_I64, 1, b));
    UN_GO(un_st_writer_add(writer, "empty", UN_BF16, 2, c));
    UN_GO(un_st_writer_add(writer, "scalar", UN_U8, 0, NULL));
    UN_GO(un_st_writer_begin(writer));
    UN_GO(un_st_writer_write(writer, 3, 0, &byte, 1)); /* in any order, in pieces */
    UN_GO(un_st_writer_write(writer, 0, 32, values + 8, 28));
    UN_GO(un_st_writer_write(writer, 0, 0, values, 32));
    UN_GO(un_st_writer_write(writer, 1, 0, integers, sizeof integers));
    UN_GO(un_st_writer_metadata(writer, "hash", "abcd"));
    return un_st_writer_commit(writer);
done:
    un_st_writer_abort(writer);
    return status;
}

static void test_round_trip(void **state) {
    (void)state;
    un_safetensors file;
    const un_st_entry *entry = NULL;
    assert_int_equal(write_sample(), UNSEEN_OK);
    assert_int_equal(un_safetensors_open(&file, file_path()), UNSEEN_OK);
    assert_int_equal(file.count, 4); /* pads are not listed */
    assert_string_equal(un_safetensors_metadata(&file, "hash"), "abcd");
    assert_null(un_safetensors_metadata(&file, "none"));
    assert_int_equal(un_safetensors_require(&file, "weights", 2, &entry), UNSEEN_OK);
    assert_int_equal(entry->tensor.shape[1], 5);
    float values[15];
    un_st_copy_f32(entry, values);
    assert_true(values[14] == 7.0f && values[0] == 0.0f && values[8] == 4.0f);
    assert_int_not_equal(un_st_copy_i64(entry, &(int64_t[15]){0}[0]), UNSEEN_OK);
    assert_int_equal(un_safetensors_require(&file, "numbers", 1, &entry), UNSEEN_OK);
    int64_t integers[7];
    assert_int_equal(un_st_copy_i64(entry, integers), UNSEEN_OK);
    assert_true(integers[6] == (int64_t)1 << 48);
    assert_int_equal(un_safetensors_find(&file, "scalar")->bytes, 1);
    assert_int_equal(un_safetensors_find(&file, "empty")->bytes, 0);
    assert_int_not_equal(un_safetensors_require(&file, "numbers", 2, &entry), UNSEEN_OK);
    assert_non_null(strstr(un_error(), "numbers"));
    assert_int_not_equal(un_safetensors_require(&file, "absent", 2, &entry), UNSEEN_OK);
    assert_non_null(strstr(un_error(), "missing"));
    un_safetensors_close(&file);
}

static void test_alignment(void **state) {
    (void)state;
    un_safetensors file;
    assert_int_equal(write_sample(), UNSEEN_OK);
    assert_int_equal(un_safetensors_open(&file, file_path()), UNSEEN_OK);
    for (size_t i = 0; i < file.count; i++)
        assert_int_equal((uintptr_t)file.entries[i].tensor.data % 64, 0);
    /* The gaps are declared, as other readers demand. */
    assert_non_null(memmem(file.map.data, file.map.size, "__pad_0", 7));
    un_safetensors_close(&file);
}

static void test_same_bytes(void **state) {
    (void)state;
    char *first = NULL;
    char *second = NULL;
    size_t n = 0;
    size_t m = 0;
    assert_int_equal(write_sample(), UNSEEN_OK);
    assert_int_equal(un_file_read(file_path(), 1 << 20, &first, &n), UNSEEN_OK);
    assert_int_equal(write_sample(), UNSEEN_OK);
    assert_int_equal(un_file_read(file_path(), 1 << 20, &second, &m), UNSEEN_OK);
    assert_int_equal(n, m);
    assert_memory_equal(first, second, n);
    free(first);
    free(second);
}

static void test_unaligned_foreign_file(void **state) {
    (void)state;
    un_safetensors file;
    write_raw("{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
              "\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1,9]},"
              "\"n\":{\"dtype\":\"I16\",\"shape\":[1],\"data_offsets\":[9,11]}} ",
              11);
    assert_int_equal(un_safetensors_open(&file, file_path()), UNSEEN_OK);
    const unsigned char raw[] = {1, 2, 3, 4};
    float expected;
    float got[2];
    memcpy(&expected, raw, sizeof expected);
    un_st_copy_f32(un_safetensors_find(&file, "x"), got);
    assert_memory_equal(&got[0], &expected, sizeof expected);
    int64_t number = 0;
    assert_int_equal(un_st_copy_i64(un_safetensors_find(&file, "n"), &number), UNSEEN_OK);
    assert_int_equal(number, 9 | 10 << 8);
    un_safetensors_close(&file);
}

static void test_writer_refuses(void **state) {
    (void)state;
    un_st_writer *writer = NULL;
    const size_t shape[] = {4};
    const size_t huge[] = {SIZE_MAX / 2, 16};
    const float values[4] = {0};
    unlink(file_path());
    assert_int_equal(un_st_writer_open(&writer, file_path()), UNSEEN_OK);
    assert_int_not_equal(un_st_writer_add(writer, "huge", UN_F32, 2, huge), UNSEEN_OK);
    assert_int_not_equal(un_st_writer_add(writer, "deep", UN_F32, UN_MAX_RANK + 1, huge),
                         UNSEEN_OK);
    assert_int_equal(un_st_writer_add(writer, "x", UN_F32, 1, shape), UNSEEN_OK);
    assert_int_equal(un_st_writer_begin(writer), UNSEEN_OK);
    assert_int_not_equal(un_st_writer_add(writer, "late", UN_F32, 1, shape), UNSEEN_OK);
    assert_int_not_equal(un_st_writer_write(writer, 0, 4, values, 16), UNSEEN_OK);
    assert_int_not_equal(un_st_writer_write(writer, 1, 0, values, 4), UNSEEN_OK);
    assert_int_equal(un_st_writer_write(writer, 0, 0, values, 8), UNSEEN_OK);
    assert_int_not_equal(un_st_writer_commit(writer), UNSEEN_OK); /* half is missing */
    assert_non_null(strstr(un_error(), "incomplete"));
    assert_int_equal(files_in_folder(), 0);
}

#define T(name, dtype, shape, b, e)                                                                \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #b "," #e "]}"

/* Headers that must not pass, and what the sentence must speak of. */
static const struct {
    const char *header;
    size_t data;
    const char *fragment;
} g_hostile[] = {
    {"", 0, "not a safetensors file"},
    {"[]", 0, "not a safetensors file"},
    {"{", 0, "not valid JSON"},
    {"null", 0, "not a safetensors file"},
    {"{\"x\":1}", 0, "not an object"},
    {"{\"x\":{}}", 0, "dtype"},
    {"{\"x\":{\"dtype\":3,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype"},
    {"{" T("x", "F33", "[1]", 0, 4) "}", 4, "unknown element type"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "data_offsets"},
    {"{\"x\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "shape"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "data_offsets"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 8, "data_offsets"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4.0]}}", 4, "data_offsets"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[\"0\",4]}}", 4, "data_offsets"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 4, "data_offsets"},
    {"{" T("x", "F32", "1", 0, 4) "}", 4, "shape"},
    {"{" T("x", "F32", "[-1]", 0, 4) "}", 4, "shape"},
    {"{" T("x", "F32", "[1.5]", 0, 4) "}", 4, "shape"},
    {"{" T("x", "F32", "[1,1,1,1,1,1,1,1,1]", 0, 4) "}", 4, "shape"},
    {"{" T("x", "F32", "[4294967296,4294967296]", 0, 4) "}", 4, "overflow"},
    {"{" T("x", "F64", "[2305843009213693952]", 0, 4) "}", 4, "overflow"},
    {"{" T("x", "F32", "[2]", 0, 4) "}", 4, "not as long"},
    {"{" T("x", "F32", "[1]", 0, 8) "}", 8, "not as long"},
    {"{" T("x", "F32", "[1]", 4, 0) "}", 8, "outside"},
    {"{" T("x", "F32", "[2]", 0, 8) "}", 4, "cut short"},
    {"{" T("x", "F32", "[1]", 9223372036854775803, 9223372036854775807) "}", 4, "outside"},
    {"{" T("x", "F32", "[1]", 0, 4) "," T("y", "F32", "[1]", 2, 6) "}", 6, "overlaps"},
    {"{" T("x", "F32", "[1]", 0, 4) "," T("y", "F32", "[1]", 0, 4) "}", 4, "overlaps"},
    {"{" T("x", "F32", "[1]", 0, 4) "," T("y", "F32", "[1]", 8, 12) "}", 12, "hole"},
    {"{" T("x", "F32", "[1]", 4, 8) "}", 8, "hole"},
    {"{" T("x", "F32", "[1]", 0, 4) "}", 5, "belong to no tensor"},
    {"{" T("x", "F32", "[1]", 0, 4) "," T("x", "F32", "[1]", 4, 8) "}", 8, "JSON"},
    {"{\"__metadata__\":[]}", 0, "__metadata__"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "not a string"},
    {"{\"__metadata__\":{\"a\":{}}}", 0, "not a string"},
    {"{\"x\xff\":{}}", 0, "JSON"},
};

static void test_hostile_headers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof g_hostile / sizeof *g_hostile; i++) {
        un_safetensors file;
        write_raw(g_hostile[i].header, g_hostile[i].data);
        un_status status = un_safetensors_open(&file, file_path());
        if (status != UNSEEN_E_FORMAT || !strstr(un_error(), g_hostile[i].fragment) ||
            !strstr(un_error(), file_path()))
            fail_msg("header %zu (%s): status %d, sentence \"%s\"", i, g_hostile[i].header,
                     (int)status, un_error());
    }
}

static void test_header_length(void **state) {
    (void)state;
    un_safetensors file;
    const uint64_t lengths[] = {3, 1000, UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 40};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        unsigned char bytes[10];
        for (size_t k = 0; k < 8; k++) bytes[k] = (unsigned char)(lengths[i] >> (8 * k) & 0xFF);
        memcpy(bytes + 8, "{}", 2);
        write_bytes(file_path(), bytes, sizeof bytes);
        assert_int_equal(un_safetensors_open(&file, file_path()), UNSEEN_E_FORMAT);
    }
    assert_int_equal(un_safetensors_open(&file, g_folder), UNSEEN_E_IO); /* a directory */
    assert_int_equal(un_safetensors_open(&file, "/nowhere/at/all"), UNSEEN_E_IO);
    assert_non_null(strstr(un_error(), "/nowhere/at/all"));
}

static void test_truncation(void **state) {
    (void)state;
    char *bytes = NULL;
    size_t n = 0;
    assert_int_equal(write_sample(), UNSEEN_OK);
    assert_int_equal(un_file_read(file_path(), 1 << 20, &bytes, &n), UNSEEN_OK);
    for (size_t cut = 0; cut < n; cut++) {
        un_safetensors file;
        write_bytes(file_path(), bytes, cut);
        if (un_safetensors_open(&file, file_path()) != UNSEEN_E_FORMAT)
            fail_msg("cut to %zu of %zu bytes: it opened", cut, n);
    }
    free(bytes);
}

/* Reads all of it, so that a sanitizer sees any stray pointer. */
static unsigned touch(const un_safetensors *file) {
    unsigned sum = 0;
    for (size_t i = 0; i < file->count; i++)
        for (size_t k = 0; k < file->entries[i].bytes; k++)
            sum += ((const unsigned char *)file->entries[i].tensor.data)[k];
    return sum;
}

static void test_byte_flips(void **state) {
    (void)state;
    char *bytes = NULL;
    enum { MOST = 4 };
    size_t n = 0;
    size_t refused = 0;
    un_rng rng = un_rng_stream(1, "flips", 0);
    assert_int_equal(write_sample(), UNSEEN_OK);
    assert_int_equal(un_file_read(file_path(), 1 << 20, &bytes, &n), UNSEEN_OK);
    for (int round = 0; round < 2000; round++) {
        un_safetensors file;
        char saved[MOST];
        size_t at[MOST];
        size_t flips = 1 + (size_t)un_rng_below(&rng, MOST);
        for (size_t i = 0; i < flips && i < MOST; i++) {
            at[i] = (size_t)un_rng_below(&rng, n);
            saved[i] = bytes[at[i]];
            bytes[at[i]] = (char)un_rng_below(&rng, 256);
        }
        write_bytes(file_path(), bytes, n);
        if (un_safetensors_open(&file, file_path()) == UNSEEN_OK) {
            (void)touch(&file);
            un_safetensors_close(&file);
        } else {
            assert_true(un_error()[0] != 0);
            refused++;
        }
        for (size_t i = flips; i > 0; i--) bytes[at[i - 1]] = saved[i - 1];
    }
    assert_true(refused > 500); /* most of the file is header */
    free(bytes);
}

/* In a child, since the limit cannot be taken back. */
static int write_with_limit(rlim_t limit) {
    un_st_writer *writer = NULL;
    const size_t shape[] = {1 << 20};
    struct rlimit r = {limit, limit};
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &r) != 0) return 10;
    if (un_st_writer_open(&writer, file_path()) != UNSEEN_OK) return 11;
    if (un_st_writer_add(writer, "x", UN_F32, 1, shape) != UNSEEN_OK) return 12;
    un_status status = un_st_writer_begin(writer);
    un_st_writer_abort(writer);
    if (status != UNSEEN_E_IO) return 13;
    return strstr(un_error(), file_path()) ? 0 : 14;
}

static void test_full_disk(void **state) {
    (void)state;
    unlink(file_path());
    pid_t child = fork();
    if (child == 0) _exit(write_with_limit(64 * 1024));
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
    assert_int_equal(files_in_folder(), 0);
}

static void test_old_file_survives(void **state) {
    (void)state;
    un_st_writer *writer = NULL;
    un_safetensors file;
    const size_t shape[] = {4};
    assert_int_equal(write_sample(), UNSEEN_OK);
    assert_int_equal(un_st_writer_open(&writer, file_path()), UNSEEN_OK);
    assert_int_equal(un_st_writer_add(writer, "x", UN_F32, 1, shape), UNSEEN_OK);
    assert_int_equal(un_st_writer_begin(writer), UNSEEN_OK);
    un_st_writer_abort(writer);
    assert_int_equal(files_in_folder(), 1);
    assert_int_equal(un_safetensors_open(&file, file_path()), UNSEEN_OK);
    assert_non_null(un_safetensors_find(&file, "weights"));
    un_safetensors_close(&file);
}

int main(void) {
    const struct CMUnitTest round_trip[] = {
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_alignment),
        cmocka_unit_test(test_same_bytes),     cmocka_unit_test(test_unaligned_foreign_file),
        cmocka_unit_test(test_writer_refuses),
    };
    const struct CMUnitTest hostile[] = {
        cmocka_unit_test(test_hostile_headers),
        cmocka_unit_test(test_header_length),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_byte_flips),
    };
    const struct CMUnitTest disk[] = {
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_old_file_survives),
    };
    int failed = cmocka_run_group_tests_name("round trip", round_trip, make_folder, remove_folder);
    failed += cmocka_run_group_tests_name("hostile files", hostile, make_folder, remove_folder);
    failed += cmocka_run_group_tests_name("disk", disk, make_folder, remove_folder);
    return failed ? 1 : 0;
}
