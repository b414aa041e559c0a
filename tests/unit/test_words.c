/*
 * test_words.c - word vectors of attributes: cleaning, text files of vectors,
 * safetensors. With UNSEEN_SHARED set, the published phrases are compared too.
 */
#include "unit/data_sample.h"

#include <sys/stat.h>
#include <zlib.h>

#include "tensor/safetensors.h"
#include "text/word_vectors.h"
#include "unit/npy_writer.h"

static void cleans_to(const char *name, const char *phrase) {
    un_arena arena = {0};
    char *out = NULL;
    assert_int_equal(un_attribute_clean(name, &arena, &out), UNSEEN_OK);
    assert_string_equal(out, phrase);
    un_arena_free(&arena);
}

static void test_clean(void **state) {
    (void)state;
    cleans_to("has_bill_shape::curved_(up_or_down)", "bill shape curved");
    cleans_to("has_bill_shape::all-purpose", "bill shape all purpose");
    cleans_to("has_upperparts_color::grey", "upper parts color gray");
    cleans_to("has_bill_shape::spatulate", "bill shape broad");
    cleans_to("grey", "grey"); /* respelt in CUB's names only */
    cleans_to("toughskin", "toughskin");
    cleans_to("Has Größe", "has größe");
    cleans_to("has", "");
    cleans_to("what it has", "what it has");
    cleans_to("", "");
    cleans_to("(all)", "");
}

static un_attribute_phrases read_names(un_arena *arena, const char *text) {
    un_attribute_phrases a = {0};
    write_text(in_folder("names"), text);
    if (un_attribute_phrases_read(in_folder("names"), arena, &a) != UNSEEN_OK)
        fail_msg("%s", un_error());
    return a;
}

static void test_files_of_names(void **state) {
    (void)state;
    un_arena arena = {0};
    un_attribute_phrases a = read_names(&arena, "1 has_x::grey\n2 has_y::a_(b)\n");
    assert_int_equal(a.count, 2);
    assert_string_equal(a.names[1], "has_y::a_(b)");
    assert_string_equal(a.phrases[0], "x gray");
    a = read_names(&arena,
                   ",idx,des,new_des\r\n0,1,has_x::y,x  y \r\n1,2,\"b, \"\"c\"\"\",man-made\r\n");
    assert_int_equal(a.count, 2);
    assert_string_equal(a.names[1], "b, \"c\"");
    assert_string_equal(a.phrases[0], "x y");
    assert_string_equal(a.phrases[1], "man-made");
    a = read_names(&arena, ",new_des\n0,sailing boating\n");
    assert_string_equal(a.names[0], "sailing boating");
    a = read_names(&arena, "tail\n\n big teeth \n");
    assert_int_equal(a.count, 2);
    assert_string_equal(a.phrases[1], "big teeth");
    write_text(in_folder("names"), "1 has_x::y\n3 has_z::y\n");
    util_fails(un_attribute_phrases_read(in_folder("names"), &arena, &a), UNSEEN_E_FORMAT,
               "line 2");
    write_text(in_folder("names"), ",idx,des,new_des\n0,1,x\n");
    util_fails(un_attribute_phrases_read(in_folder("names"), &arena, &a), UNSEEN_E_FORMAT,
               "line 2");
    write_text(in_folder("names"), "\n\n");
    util_fails(un_attribute_phrases_read(in_folder("names"), &arena, &a), UNSEEN_E_FORMAT,
               "no attrib");
    un_arena_free(&arena);
}

static void assert_row(const un_semantics *s, size_t row, float x, float y) {
    assert_int_equal(s->vector_width, 2);
    assert_true(s->vectors[2 * row] == x && s->vectors[2 * row + 1] == y);
}

/* Attributes of the sample: A = 4. */
static const char NAMES[] = "has_eye::grey_(dark)\ntoughskin\nquadrapedal\nman-eating xyz\n";

static un_status add(un_dataset *d, const char *vectors, un_words_options *o) {
    write_text(in_folder("vectors.txt"), vectors);
    write_text(in_folder("attributes.txt"), NAMES);
    o->vectors = in_folder("vectors.txt");
    o->attributes = in_folder("attributes.txt");
    return un_words_add(d, o);
}

static void test_text(void **state) {
    (void)state;
    static const char *const heads[] = {"", "7 2\n"}; /* GloVe, word2vec */
    for (int k = 0; k < 2; k++) {
        un_dataset d = make_dataset();
        un_words_options o = {0};
        char text[256];
        snprintf(text, sizeof text,
                 "%seye 1 2\ngray 10 20 \n. . 5 5\ntough 100 0\nskin 1e1 -1\nquadrupedal 3 4\n"
                 "man .5 .25\ngrey 9 9\neye 7 7\n",
                 heads[k]);
        assert_int_equal(add(&d, text, &o), UNSEEN_OK);
        const un_semantics *s = &d.semantics[0];
        assert_string_equal(s->attributes[0], "has_eye::grey_(dark)");
        assert_row(s, 0, 11, 22);
        assert_row(s, 1, 110, -1); /* split */
        assert_row(s, 2, 3, 4);
        assert_row(s, 3, .5f, .25f); /* "eating" and "xyz" are unknown */
        /* A word of the vocabulary is not split; half a compound is none. */
        assert_int_equal(add(&d, "toughskin 8 8\nquadrapedal 6 6\nquadrupedal 1 1\n", &o),
                         UNSEEN_OK);
        assert_row(s, 1, 8, 8);
        assert_row(s, 2, 6, 6);
        assert_row(s, 0, 0, 0);
        assert_int_equal(add(&d, "tough 8 8\neye 1 2\n", &o), UNSEEN_OK);
        assert_row(s, 1, 0, 0);
        drop(&d);
    }
}

/* What files in the world have besides words and numbers. */
static void test_text_habits(void **state) {
    (void)state;
    static const char *const texts[] = {
        "other 1 2\n\neye 10 20\n",                  /* a blank line */
        "\n \nother 1 2\neye 10 20",                 /* at the beginning; no last end */
        "other 1 2\neye 10  20\n",                   /* two blanks */
        "other\t1\t2\r\neye \t10\t\t20\t\r\n",       /* tabs, CRLF */
        "  other 1 2\n  eye 10 20\n",                /* before the word */
        "word first second\nother 1 2\neye 10 20\n", /* titles */
        "vectors of some corpus, in text\na 1 2\neye 10 20\n",
        "titles\na 1 2\neye 10 20\n",
        "at name@domain.com 1 2\nother 1 2\neye 10 20\n", /* a first word with a blank */
        "windows 95 1 2\nother 1 2\nanother 1 2\neye 10 20\n",
        "2  2\nother 1 2\neye 10 20\n", /* word2vec's, two blanks */
        "3 2 \r\nother 1 2\r\neye 10 20\r\n",
        "\357\273\277eye 10 20\nother 1 2\n", /* a byte order mark */
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        un_dataset d = make_dataset();
        un_words_options o = {0};
        if (add(&d, texts[i], &o)) fail_msg("text %zu: %s", i, un_error());
        assert_row(&d.semantics[0], 0, 10, 20);
        drop(&d);
    }
}

static un_status add_bytes(un_dataset *d, const char *name, const void *bytes, size_t n) {
    const un_words_options o = {.vectors = in_folder(name),
                                .attributes = in_folder("attributes.txt")};
    write_text(o.attributes, NAMES);
    assert_int_equal(un_file_write(o.vectors, bytes, n), UNSEEN_OK);
    return un_words_add(d, &o);
}

static size_t pack(const void *bytes, size_t n, unsigned char *out, size_t room) {
    z_stream z = {.next_out = out, .avail_out = (uInt)room, .avail_in = (uInt)n};
    memcpy(&z.next_in, &bytes, sizeof bytes); /* zlib's field lacks a const */
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

/* word2vec's binary format, with and without ends of lines; `lines` of other words first. */
static size_t make_binary(char *out, int ends) {
    static const char *const words[] = {"other", "eye", "tough", "skin"};
    static const float numbers[4][2] = {{5, 6}, {10, 20}, {100, 0}, {1, -1}};
    size_t n = (size_t)sprintf(out, "4 2\n");
    for (size_t i = 0; i < 4; i++) {
        n += (size_t)sprintf(out + n, "%s ", words[i]);
        memcpy(out + n, numbers[i], sizeof numbers[i]);
        n += sizeof numbers[i];
        if (ends) out[n++] = '\n';
    }
    return n;
}

static void test_formats(void **state) {
    (void)state;
    static const char text[] = "other 1 2\neye 10 20\n";
    unsigned char packed[512];
    char binary[256];
    un_dataset d = make_dataset();
    size_t n = pack(text, strlen(text), packed, sizeof packed);
    if (add_bytes(&d, "v.gz", packed, n)) fail_msg("%s", un_error());
    assert_row(&d.semantics[0], 0, 10, 20);
    util_fails(add_bytes(&d, "v.gz", packed, n - 9), UNSEEN_E_FORMAT, "does not unpack");
    static const char *const others[][2] = {
        {"version https://git-lfs.github.com/spec/v1\noid "
         "sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8"
         "f32b1258daaa5e2ca24d17e2393\nsize 12345\n",
         "Git LFS"},
        {"<!DOCTYPE html><html>\n<body>eye 1 2</body></html>\n", "web page"}};
    for (size_t i = 0; i < 2; i++) {
        unsigned char other[512];
        size_t size = pack(others[i][0], strlen(others[i][0]), other, sizeof other);
        util_fails(add_bytes(&d, "v.gz", other, size), UNSEEN_E_FORMAT, others[i][1]);
    }
    packed[n - 6] ^= 1; /* its checksum */
    util_fails(add_bytes(&d, "v.gz", packed, n), UNSEEN_E_FORMAT, "does not unpack");
    for (int ends = 0; ends < 2; ends++) {
        size_t size = make_binary(binary, ends);
        d.semantics[0].vectors = NULL;
        if (add_bytes(&d, "v.bin", binary, size)) fail_msg("%s", un_error());
        assert_row(&d.semantics[0], 0, 10, 20);
        assert_row(&d.semantics[0], 1, 101, -1);
        d.semantics[0].vectors = NULL;
        n = pack(binary, size, packed, sizeof packed);
        if (add_bytes(&d, "v.bin.gz", packed, n)) fail_msg("%s", un_error());
        assert_row(&d.semantics[0], 1, 101, -1);
        util_fails(add_bytes(&d, "v.bin", binary, size - 3), UNSEEN_E_FORMAT,
                   "cut short or damaged at word 4 of 4");
        char *eye = memmem(binary, size, "eye ", 4);
        assert_non_null(eye);
        memcpy(eye + 4, &(float){NAN}, sizeof(float));
        util_fails(add_bytes(&d, "v.bin", binary, size), UNSEEN_E_FORMAT, "\"eye\" is not finite");
    }
    drop(&d);
}

/* One vector an attribute, as NumPy writes it. */
static void test_numpy(void **state) {
    (void)state;
    static const char header[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 2)}";
    float values[A * 2];
    un_dataset d = make_dataset();
    for (size_t i = 0; i < A * 2; i++) values[i] = (float)i;
    un_words_options o = {.vectors = in_folder("v.npy")};
    put_npy(o.vectors, 1, header, values, sizeof values);
    if (un_words_add(&d, &o)) fail_msg("%s", un_error());
    assert_row(&d.semantics[0], 3, 6, 7);
    values[5] = INFINITY;
    put_npy(o.vectors, 1, header, values, sizeof values);
    util_fails(un_words_add(&d, &o), UNSEEN_E_FORMAT, "row 2");
    drop(&d);
}

/* Files without an end, and without a writer. */
static void test_endless(void **state) {
    (void)state;
    un_dataset d = make_dataset();
    un_words_options o = {.vectors = in_folder("fifo"), .attributes = in_folder("attributes.txt")};
    write_text(o.attributes, NAMES);
    assert_int_equal(mkfifo(o.vectors, 0600), 0);
    alarm(20);
    util_fails(un_words_add(&d, &o), UNSEEN_E_IO, "not a regular file");
    o.vectors = "/dev/zero";
    util_fails(un_words_add(&d, &o), UNSEEN_E_IO, "not a regular file");
    o.vectors = g_folder;
    util_fails(un_words_add(&d, &o), UNSEEN_E_IO, "not a regular file");
    alarm(0);
    size_t before = un_memory_anonymous_kib();
    o.vectors = in_folder("endless.txt");
    write_text(o.vectors, "other 1 2\neye 1 2\n");
    assert_int_equal(truncate(o.vectors, (off_t)1 << 30), 0); /* a hole: one line of NULs */
    util_fails(un_words_add(&d, &o), UNSEEN_E_FORMAT, "line 3 is longer than any word vector");
    assert_true(un_memory_anonymous_kib() < before + 16 * 1024);
    drop(&d);
}

static void test_text_wrong(void **state) {
    (void)state;
    static const struct {
        const char *text, *sentence;
    } wrong[] = {
        {"eye 1 2\nother 3\n", "line 2 is too short"},
        {"other 1 2\neye 1 x\n", "line 2 has \"x\" as its number 2"},
        {"other 1 2\neye 1 nan\n", "line 2 has \"nan\""},
        {"other 1 2\nzebra 3 4\n", "no vector for any of the 7 words"},
        {"other 1 2\nzebra 3 4\n", "eye, gray, toughskin"},
        {"<!DOCTYPE html><html>\n<body>eye 1 2</body></html>\n", "not a file of word vectors"},
        {"eye\n", "line 1 has no vector"},
        {"3 0\n", "line 1 gives no sensible width"},
        {"", "no word vectors"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        un_dataset d = make_dataset();
        un_words_options o = {0};
        un_status status = add(&d, wrong[i].text, &o);
        if (!wrong[i].sentence[0])
            assert_int_equal(status, UNSEEN_OK);
        else
            util_fails(status, UNSEEN_E_FORMAT, wrong[i].sentence);
        drop(&d);
    }
    un_dataset d = make_dataset();
    un_words_options o = {0};
    const char *const names[] = {"at"};
    o.semantics = names;
    o.semantics_count = 1;
    util_fails(add(&d, "eye 1 2\n", &o), UNSEEN_E_ARGUMENT, "no semantics called \"at\"");
    o = (un_words_options){.vectors = in_folder("missing.txt")};
    util_fails(un_words_add(&d, &o), UNSEEN_E_IO, "missing.txt");
    d.semantics[0].attributes = NULL;
    o.vectors = in_folder("vectors.txt");
    util_fails(un_words_add(&d, &o), UNSEEN_E_ARGUMENT, "option attributes");
    write_text(in_folder("attributes.txt"), "eye\nb\n");
    o.attributes = in_folder("attributes.txt");
    util_fails(un_words_add(&d, &o), UNSEEN_E_ARGUMENT, "have 2 attributes");
    drop(&d);
}

/* A file of two matrices, 4 x 2 and 3 x 2. */
static const char *write_tensors(float *values, int both) {
    const char *path = in_folder("vectors.safetensors");
    const size_t shapes[2][2] = {{A, 2}, {3, 2}};
    un_st_writer *writer = NULL;
    assert_int_equal(un_st_writer_open(&writer, path), UNSEEN_OK);
    assert_int_equal(un_st_writer_add(writer, "small", UN_F32, 2, shapes[0]), UNSEEN_OK);
    if (both) assert_int_equal(un_st_writer_add(writer, "other", UN_F32, 2, shapes[1]), UNSEEN_OK);
    assert_int_equal(un_st_writer_begin(writer), UNSEEN_OK);
    assert_int_equal(un_st_writer_write(writer, 0, 0, values, A * 2 * sizeof *values), UNSEEN_OK);
    if (both) assert_int_equal(un_st_writer_write(writer, 1, 0, values, 24), UNSEEN_OK);
    assert_int_equal(un_st_writer_commit(writer), UNSEEN_OK);
    return path;
}

static void test_safetensors(void **state) {
    (void)state;
    float values[A * 2];
    for (size_t i = 0; i < A * 2; i++) values[i] = (float)i;
    un_dataset d = make_dataset();
    un_words_options o = {.vectors = write_tensors(values, 1)};
    d.name = "SMALL";
    assert_int_equal(un_words_add(&d, &o), UNSEEN_OK); /* called like the data set */
    assert_row(&d.semantics[0], 1, 2, 3);
    assert_string_equal(d.semantics[0].attributes[0], "has wings");
    d.name = "large";
    util_fails(un_words_add(&d, &o), UNSEEN_E_ARGUMENT, "small, other");
    o.tensor = "small";
    assert_int_equal(un_words_add(&d, &o), UNSEEN_OK);
    o.tensor = "other";
    util_fails(un_words_add(&d, &o), UNSEEN_E_ARGUMENT, "3 attributes");
    values[3] = NAN;
    o = (un_words_options){.vectors = write_tensors(values, 0)};
    util_fails(un_words_add(&d, &o), UNSEEN_E_FORMAT, "row 1");
    drop(&d);
}

/* The vectors survive the data set's file. */
static void test_round_trip(void **state) {
    (void)state;
    un_dataset d = make_dataset();
    un_dataset again;
    un_words_options o = {0};
    assert_int_equal(add(&d, "eye 1 2\n", &o), UNSEEN_OK);
    assert_int_equal(un_dataset_write(&d, g_folder), UNSEEN_OK);
    assert_int_equal(un_dataset_open(&again, g_folder), UNSEEN_OK);
    assert_row(&again.semantics[0], 0, 1, 2);
    assert_string_equal(again.semantics[0].attributes[1], "toughskin");
    un_dataset_close(&again);
    drop(&d);
}

/* Cleaned names must give the words of the published phrases. */
static void test_published(void **state) {
    (void)state;
    static const struct {
        const char *table;
        size_t count;
    } tables[] = {{"CUB", 312}, {"AWA2", 85}, {"SUN", 102}};
    const char *shared = getenv("UNSEEN_SHARED");
    char path[512];
    size_t differ = 0;
    if (!shared) skip();
    for (size_t k = 0; k < 3; k++) {
        un_arena arena = {0};
        un_attribute_phrases a;
        snprintf(path, sizeof path, "%s/data/attribute_phrases/%s.csv", shared, tables[k].table);
        if (!un_path_exists(path)) skip();
        assert_int_equal(un_attribute_phrases_read(path, &arena, &a), UNSEEN_OK);
        assert_int_equal(a.count, tables[k].count);
        for (size_t i = 0; i < a.count; i++) {
            char *phrase = NULL;
            assert_int_equal(un_attribute_clean(a.names[i], &arena, &phrase), UNSEEN_OK);
            differ += strcmp(phrase, a.phrases[i]) != 0;
        }
        /* SUN's table has no raw names; two of its phrases keep a bracket and a hyphen. */
        assert_int_equal(differ, k < 2 ? 0 : 2);
        un_arena_free(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean),       cmocka_unit_test(test_files_of_names),
        cmocka_unit_test(test_text),        cmocka_unit_test(test_text_habits),
        cmocka_unit_test(test_formats),     cmocka_unit_test(test_numpy),
        cmocka_unit_test(test_endless),     cmocka_unit_test(test_text_wrong),
        cmocka_unit_test(test_safetensors), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_published),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
