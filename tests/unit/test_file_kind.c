/* test_file_kind.c - that files are told apart by their first bytes, and readers say which they
 * got. */
#include "unit/util.h"

#include <unistd.h>

#include "base/file.h"
#include "base/file_kind.h"
#include "data/dataset.h"
#include "data/readers/array_file.h"
#include "data/readers/hdf5.h"
#include "data/readers/mat.h"
#include "data/readers/table.h"
#include "data/readers/text.h"
#include "engine/classifier.h"
#include "tensor/safetensors.h"
#include "text/word_vectors.h"
#include "unit/folder.h"
#include "vision/backbone.h"

#define BYTES(text) text, sizeof text - 1

/* What people hand to a program that wants weights, and a piece of the sentence about it. */
static const struct {
    const char *bytes;
    size_t size;
    un_file_kind kind;
    const char *said;
} g_samples[] = {
    {BYTES(""), UN_KIND_EMPTY, "an empty file"},
    {BYTES("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 178728960\n"),
     UN_KIND_LFS_POINTER, "git lfs pull"},
    {BYTES("\n<!DOCTYPE html>\n<title>Sign in</title>"), UN_KIND_HTML, "a web page"},
    {BYTES("\xef\xbb\xbf<HTML>"), UN_KIND_HTML, "a web page"},
    {BYTES("class,red,green\nrobin,1,0\n"), UN_KIND_TEXT, "plain text"},
    {BYTES("{\"weights\": []}"), UN_KIND_JSON, "JSON"},
    {BYTES("\xff\xfe"
           "c\0l\0a\0"),
     UN_KIND_UTF16, "UTF-16"},
    {BYTES("PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0archive/data.pkl"),
     UN_KIND_PYTORCH_ZIP, "convert it to safetensors"},
    {BYTES("\x80\2\x8a\nl\xfc\x9c"
           "F\xf9 j\xa8P\x19."),
     UN_KIND_PYTORCH, "convert it to safetensors"},
    {BYTES("PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\7\0\0\0att.npy"), UN_KIND_NPZ,
     ".npz"},
    {BYTES("PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x13\0\0\0[Content_Types].xml"),
     UN_KIND_EXCEL, "Excel"},
    {BYTES("PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0a.jpg"), UN_KIND_ZIP, "zip"},
    {BYTES("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), UN_KIND_OFFICE, "Excel"},
    {BYTES("\x89HDF\r\n\x1a\n"), UN_KIND_HDF5, "HDF5"},
    {BYTES("MATLAB 5.0 MAT-file, Platform: GLNXA64"), UN_KIND_MAT, "MATLAB"},
    {BYTES("\x93NUMPY\1\0"), UN_KIND_NPY, "NumPy"},
    {BYTES("\x08\x07\x12\x07pytorch\x1a\x05"
           "1.13."),
     UN_KIND_ONNX, "ONNX"},
    {BYTES("GGUF\3\0\0\0"), UN_KIND_GGUF, "GGUF"},
    {BYTES("\x1f\x8b\x08\0"), UN_KIND_GZIP, "unpack"},
    {BYTES("\x28\xb5\x2f\xfd"), UN_KIND_ARCHIVE, "an archive"},
    {BYTES("\xff\xd8\xff\xe0"), UN_KIND_JPEG, "a JPEG picture"},
    {BYTES("\0\0\0\x1c"
           "ftypheic\0\0\0\0"),
     UN_KIND_HEIF, "HEIF"},
    {BYTES("\0\0\0\x1c"
           "ftypavif\0\0\0\0"),
     UN_KIND_HEIF, "HEIF"},
};
enum { SAMPLES = sizeof g_samples / sizeof *g_samples };

static void test_kinds(void **state) {
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++)
        if (un_kind_of(g_samples[i].bytes, g_samples[i].size) != g_samples[i].kind)
            fail_msg("sample %zu (%s) is taken for %s", i, un_kind_name(g_samples[i].kind),
                     un_kind_name(un_kind_of(g_samples[i].bytes, g_samples[i].size)));
    /* Pictures by their magic, films and documents that are none. */
    assert_int_equal(un_kind_of("RIFF\0\0\0\0WEBPVP8 ", 16), UN_KIND_WEBP);
    assert_int_equal(un_kind_of("II*\0\x10\0\0\0CR\2\0", 12), UN_KIND_RAW);
    assert_int_equal(un_kind_of("II*\0\x08\0\0\0", 8), UN_KIND_TIFF);
    assert_int_equal(un_kind_of("\0\0\0\x18"
                                "ftypmp42\0\0\0\0",
                                16),
                     UN_KIND_FILM);
    assert_int_equal(un_kind_of("<?xml version=\"1.0\"?><svg>", 26), UN_KIND_SVG);
    assert_int_equal(un_kind_of("BMW is a word", 13), UN_KIND_TEXT);
    assert_int_equal(un_kind_of("BM\x46\0\0\0\0\0\0\0", 10), UN_KIND_BMP);
    assert_int_equal(un_kind_of("\1\2\3\4\5\6\7", 7), UN_KIND_UNKNOWN);
    /* The first bytes of a safetensors file are a length, which may look like anything. */
    assert_int_equal(un_kind_of("\x1f\x8b\0\0\0\0\0\0{\"", 10), UN_KIND_SAFETENSORS);
    assert_int_equal(un_kind_of("BM\0\0\0\0\0\0{}", 10), UN_KIND_SAFETENSORS);
    for (int kind = UN_KIND_UNKNOWN + 1; kind < UN_KIND_COUNT; kind++)
        assert_non_null(un_kind_name((un_file_kind)kind));
    assert_true(un_kind_is_picture(UN_KIND_HEIF) && !un_kind_is_picture(UN_KIND_FILM));
}

/* Weights, a model, a feature file, a data set: each reader names the kind that it was given. */
static void test_readers_name_the_kind(void **state) {
    (void)state;
    char path[400];
    snprintf(path, sizeof path, "%s/given.bin", g_folder);
    for (size_t i = 0; i < SAMPLES; i++) {
        un_safetensors file;
        un_backbone *backbone = NULL;
        un_classifier classifier;
        un_dataset dataset;
        util_ok(un_file_write(path, g_samples[i].bytes, g_samples[i].size));
        util_fails(un_safetensors_open(&file, path), UNSEEN_E_FORMAT, g_samples[i].said);
        util_fails(un_backbone_open(path, UN_PRECISION_F32, &backbone), UNSEEN_E_FORMAT,
                   g_samples[i].said);
        util_fails(un_classifier_open(&classifier, path, UN_PRECISION_F32), UNSEEN_E_FORMAT,
                   g_samples[i].said);
        util_fails(un_dataset_open(&dataset, path), UNSEEN_E_FORMAT, g_samples[i].said);
        util_fails(un_dataset_open(&dataset, path), UNSEEN_E_FORMAT, "not a data set directory");
        assert_null(strstr(un_error(), "header of"));
    }
    un_classifier classifier;
    util_fails(un_classifier_open(&classifier, g_folder, UN_PRECISION_F32), UNSEEN_E_IO,
               "is a folder");
    assert_int_equal(un_kind_of_file("/nowhere/at/all"), UN_KIND_UNKNOWN);
    assert_int_equal(un_kind_of_file(g_folder), UN_KIND_UNKNOWN);
    unlink(path);
}

/* Tables, lists, arrays, MAT, HDF5 and word vectors: each says what it was given, or takes it. */
static void test_tables_and_arrays_name_the_kind(void **state) {
    (void)state;
    enum { TABLE = 1, LIST = 2, ARRAY = 4, MAT = 8, HDF = 16, WORDS = 32, ALL = 63 };
    static const struct {
        un_file_kind kind;
        int refused; /* by these readers for what it is */
    } cases[] = {{UN_KIND_LFS_POINTER, ALL},
                 {UN_KIND_HTML, ALL},
                 {UN_KIND_PYTORCH_ZIP, ALL},
                 {UN_KIND_PYTORCH, ALL - LIST}, /* a word of one line may begin so */
                 {UN_KIND_EXCEL, ALL},
                 {UN_KIND_TEXT, ARRAY | MAT | HDF},
                 {UN_KIND_JPEG, ALL - LIST},
                 {UN_KIND_HDF5, TABLE | ARRAY | WORDS},
                 {UN_KIND_NPY, TABLE | MAT | HDF | WORDS},
                 {UN_KIND_MAT, ARRAY | HDF}, /* only its text is in the sample */
                 {UN_KIND_GZIP, TABLE | ARRAY | MAT | HDF}};
    char path[400];
    snprintf(path, sizeof path, "%s/given.csv", g_folder);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (size_t i = 0; i < SAMPLES; i++) {
            if (g_samples[i].kind != cases[c].kind) continue;
            const char *said = g_samples[i].said;
            int refused = cases[c].refused;
            un_arena arena = {0};
            un_table table;
            un_lines lines;
            un_array array;
            un_mat *mat = NULL;
            un_hdf5 *hdf5 = NULL;
            const char *word = "robin";
            un_word wanted = {.word = word};
            un_vocabulary words = {.count = 1, .items = &wanted};
            util_ok(un_file_write(path, g_samples[i].bytes, g_samples[i].size));
            if (refused & TABLE)
                util_fails(un_table_read(path, &arena, &table), UNSEEN_E_FORMAT, said);
            if (refused & LIST) util_fails(un_lines_open(&lines, path), UNSEEN_E_FORMAT, said);
            if (refused & ARRAY)
                util_fails(un_array_open(&array, path, g_folder), UNSEEN_E_FORMAT, said);
            if (refused & MAT) util_fails(un_mat_open(&mat, path), UNSEEN_E_FORMAT, said);
            if (refused & HDF) util_fails(un_hdf5_open(&hdf5, path), UNSEEN_E_FORMAT, said);
            if (refused & WORDS)
                util_fails(un_vocabulary_read(&words, path, &arena), UNSEEN_E_FORMAT, said);
            un_arena_free(&arena);
        }
    unlink(path);
}

/* What begins like the format but ends early is said to be cut short, not to be another kind. */
static void test_cut_short(void **state) {
    (void)state;
    static const char head[] = "\x40\0\0\0\0\0\0\0{\"x\"";
    un_safetensors file;
    char path[400];
    snprintf(path, sizeof path, "%s/cut.safetensors", g_folder);
    util_ok(un_file_write(path, head, sizeof head - 1));
    util_fails(un_safetensors_open(&file, path), UNSEEN_E_FORMAT, "cut short");
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds), cmocka_unit_test(test_readers_name_the_kind),
        cmocka_unit_test(test_tables_and_arrays_name_the_kind), cmocka_unit_test(test_cut_short)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
