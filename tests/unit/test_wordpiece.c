/*
 * test_wordpiece.c - BERT's tokeniser: a small vocabulary whose every piece is
 * known, damaged vocabularies and texts; with UNSEEN_SHARED set, what depends on
 * a real one.
 */
#include "unit/util.h"

#include "base/file.h"
#include "base/status.h"
#include "text/wordpiece.h"

/* ids:                    0      1      2      3      4       5   6     7      8   9 */
static const char SMALL[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n##bc\nab\n##d\n"
                            "##\xC3\x9F\n,\n##,\nun\n##able\n\xE4\xB8\xAD\n##\n"
                            "\xCF\x83\n##\xCF\x83\ni\n##s";

static un_wordpiece *small(void) {
    un_wordpiece *w = NULL;
    util_ok(un_wordpiece_parse(&w, SMALL, sizeof SMALL - 1, "small"));
    return w;
}

static void expect_ids(const un_wordpiece *w, const char *text, size_t n, const int32_t *ids,
                       size_t count) {
    un_token_list list = {0};
    util_ok(un_wordpiece_encode(w, text, n, &list));
    if (list.count != count) fail_msg("\"%s\": %zu ids, expected %zu", text, list.count, count);
    for (size_t i = 0; i < count; i++) assert_int_equal(list.items[i], ids[i]);
    un_token_list_free(&list);
}

/* The ids of a text without NULs. */
#define pieces(w, text, ...)                                                                       \
    do {                                                                                           \
        const int32_t ids_[] = {__VA_ARGS__};                                                      \
        expect_ids(w, text, strlen(text), ids_, sizeof ids_ / sizeof *ids_);                       \
    } while (0)

static void test_longest_match(void **state) {
    (void)state;
    un_wordpiece *w = small();
    pieces(w, "ab", 8);
    pieces(w, "abbc", 8, 7);
    pieces(w, "abb", 8, 6);
    pieces(w, "abc", 1); /* greedy: "ab" leaves "##c", which there is not; "a ##bc" is not tried */
    pieces(w, "a\xC3\x9F", 5, 10);
    pieces(w, "a\xC3\xA4", 1); /* "aa", and there is no "##a" */
    un_wordpiece_close(w);
}

static void test_words(void **state) {
    (void)state;
    un_wordpiece *w = small();
    pieces(w, " A\tAB \n un,able,", 5, 8, 13, 11, 1, 11);
    pieces(w, "unable UNABLE", 13, 14, 13, 14);
    pieces(w,
           "a\xE4\xB8\xAD"
           "ab",
           5, 15, 8);
    pieces(w, "\xCE\xA3\xCE\xA3", 17, 18); /* the last sigma too */
    pieces(w, "\xC4\xB0s", 19, 20);        /* dotted capital I */
    pieces(w,
           "a\xCC\x81"
           "b",
           8); /* an accent goes */
    pieces(w,
           "a\xC2\xAD"
           "b",
           8); /* so does a soft hyphen */
    pieces(w,
           "a\xE2\x80\xA8"
           "ab",
           5, 8); /* a line separator is a blank */
    pieces(w,
           "a\xEF\xBF\xBD"
           "b",
           8); /* U+FFFD */
    pieces(w,
           "a\xF0\x91\xBC\x82"
           "b",
           8); /* U+11F02, new in Unicode 15: unassigned */
    expect_ids(w, "a\0b", 3, (const int32_t[]){8}, 1);
    expect_ids(w, "", 0, NULL, 0);
    un_wordpiece_close(w);
}

static void test_special_tokens(void **state) {
    (void)state;
    un_wordpiece *w = small();
    pieces(w, "[MASK]", 4);
    pieces(w, "a[MASK]ab[SEP][PAD]", 5, 4, 8, 3, 0);
    pieces(w, "[[MASK]]", 1, 4, 1);
    pieces(w, "[mask]", 1, 1, 1);
    pieces(w, "[MASK", 1, 1);
    pieces(w, "[", 1);
    expect_ids(w, "[MA\0SK]", 7, (const int32_t[]){1, 1, 1}, 3);
    for (int t = 0; t < UN_SPECIAL_TOKENS; t++)
        assert_int_equal(un_wordpiece_special(w, (un_special_token)t), t);
    un_wordpiece_close(w);
}

static void test_long_words(void **state) {
    (void)state;
    const size_t most = 1 << 20;
    un_wordpiece *w = small();
    un_token_list list = {0};
    char *text = malloc(2 * most);
    assert_non_null(text);
    text[0] = 'a';
    memset(text + 1, 'b', most - 1);
    util_ok(un_wordpiece_encode(w, text, 100, &list));
    assert_int_equal(list.count, 99); /* ab ##b … */
    list.count = 0;
    util_ok(un_wordpiece_encode(w, text, 101, &list));
    assert_int_equal(list.count, 1);
    assert_int_equal(list.items[0], 1);
    list.count = 0;
    util_ok(un_wordpiece_encode(w, text, most, &list));
    assert_int_equal(list.count, 1);
    /* An accent after each of 100 letters does not count; their order is canonical. */
    for (size_t i = 0; i < 100; i++) memcpy(text + 3 * i, i ? "b\xCC\x81" : "a\xCC\x81", 3);
    list.count = 0;
    util_ok(un_wordpiece_encode(w, text, 300, &list));
    assert_int_equal(list.count, 99);
    /* A megabyte of accents in the worst order is sorted and dropped in linear time. */
    for (size_t i = 0; i < most; i += 2) memcpy(text + i, i % 4 ? "\xCC\xA3" : "\xCC\x81", 2);
    list.count = 0;
    util_ok(un_wordpiece_encode(w, text, most, &list));
    assert_int_equal(list.count, 0);
    free(text);
    un_token_list_free(&list);
    un_wordpiece_close(w);
}

/* Marks of class 224 (spacing, so kept) sort behind marks of class 216. */
static un_status keep_word(const char *word, size_t bytes, size_t characters, void *context) {
    char *kept = context;
    assert_int_equal(characters, 3);
    memcpy(kept, word, bytes);
    return UNSEEN_OK;
}

static void test_canonical_order(void **state) {
    (void)state;
    char kept[32] = {0};
    /* a, U+302E (224), U+0323 (220, dropped), U+1D165 (216) */
    static const char text[] = "a\xE3\x80\xAE\xCC\xA3\xF0\x9D\x85\xA5";
    util_ok(un_uncased_words(text, sizeof text - 1, keep_word, kept));
    assert_string_equal(kept, "a\xF0\x9D\x85\xA5\xE3\x80\xAE");
}

static void test_bad_text(void **state) {
    (void)state;
    static const char *const bad[] = {"a\xFF", "a\xC3", "a\xED\xA0\x80", "a\xC0\x80",
                                      "a\xF5\x80\x80\x80"};
    un_wordpiece *w = small();
    un_token_list list = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        util_fails(un_wordpiece_encode(w, bad[i], strlen(bad[i]), &list), UNSEEN_E_FORMAT,
                   "not UTF-8 at its byte 1");
    util_fails(un_wordpiece_encode(w, "[SEP]\x80", 6, &list), UNSEEN_E_FORMAT, "byte 5");
    assert_int_equal(list.count, 0);
    un_token_list_free(&list);
    un_wordpiece_close(w);
}

static void count_warnings(unseen_log_level level, const char *message, void *user) {
    if (level != UNSEEN_LOG_WARNING) return;
    assert_non_null(message);
    (*(int *)user)++;
}

static un_status parse(un_wordpiece **w, const char *text) {
    return un_wordpiece_parse(w, text, strlen(text), "vocab.txt");
}

static void test_vocabularies(void **state) {
    (void)state;
    un_wordpiece *w = NULL;
    int warnings = 0;
    util_fails(parse(&w, ""), UNSEEN_E_FORMAT, "no line [PAD]");
    util_fails(parse(&w, "[PAD]\n[CLS]\n[SEP]\n[MASK]\n"), UNSEEN_E_FORMAT, "no line [UNK]");
    util_fails(parse(&w, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[mask]"), UNSEEN_E_FORMAT, "no line [MASK]");
    util_fails(parse(&w, "[PAD]\n\xFF\n"), UNSEEN_E_FORMAT, "byte 6");
    util_fails(un_wordpiece_parse(&w, "[PAD]\0", 6, "vocab.txt"), UNSEEN_E_FORMAT, "byte 5");
    util_fails(un_wordpiece_open(&w, "/nonexistent/vocab.txt"), UNSEEN_E_IO, "vocab.txt");

    un_set_log(count_warnings, &warnings);
    util_ok(parse(&w, "\xEF\xBB\xBF[PAD]\r\n[UNK]\r\n\r\n[CLS]\r\n[SEP]\r\n[MASK]\r\nx\r\nx\r\nx"));
    un_set_log(NULL, NULL);
    assert_int_equal(warnings, 2); /* the first pair, and how many */
    assert_int_equal(un_wordpiece_size(w), 9);
    assert_int_equal(un_wordpiece_id(w, "x", 1), 8);
    assert_int_equal(un_wordpiece_id(w, "", 0), 2);
    assert_int_equal(un_wordpiece_id(w, "xx", 2), -1);
    assert_int_equal(un_wordpiece_id(w, "[PAD", 4), -1);
    assert_string_equal(un_wordpiece_token(w, 0), "[PAD]");
    assert_null(un_wordpiece_token(w, 9));
    assert_null(un_wordpiece_token(w, -1));
    pieces(w, "x xy", 8, 1);
    un_wordpiece_close(w);
}

static void test_batch(void **state) {
    (void)state;
    const char *const texts[] = {"a ab a ab", "", "a"};
    const int32_t want[3][5] = {{2, 5, 8, 5, 3}, {2, 3, 0, 0, 0}, {2, 5, 3, 0, 0}};
    const size_t lengths[] = {5, 2, 3};
    un_arena arena = {0};
    un_token_batch b;
    un_wordpiece *w = small();
    util_ok(un_wordpiece_batch(w, texts, NULL, 3, 5, &arena, &b));
    assert_int_equal(b.length, 5);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(b.lengths[i], lengths[i]);
        for (size_t j = 0; j < 5; j++) {
            assert_int_equal(b.ids[i * 5 + j], want[i][j]);
            assert_int_equal(b.mask[i * 5 + j], j < lengths[i]);
            assert_int_equal(b.types[i * 5 + j], 0);
        }
    }
    util_ok(un_wordpiece_batch(w, texts, NULL, 3, 2, &arena, &b));
    assert_int_equal(b.length, 2);
    util_ok(un_wordpiece_batch(w, texts, NULL, 0, 5, &arena, &b));
    assert_int_equal(b.length, 0);
    util_fails(un_wordpiece_batch(w, texts, NULL, 3, 1, &arena, &b), UNSEEN_E_ARGUMENT, "no room");
    un_wordpiece_close(w);
    un_arena_free(&arena);
}

/* A vocabulary of many equal beginnings is as quick as any other. */
static void test_many_tokens(void **state) {
    (void)state;
    const size_t lines = 100000, width = 32;
    char *text = malloc(lines * width);
    assert_non_null(text);
    size_t n = (size_t)sprintf(text, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
    for (size_t i = 5; i < lines - 1; i++) n += (size_t)sprintf(text + n, "same%zu\n", i);
    un_wordpiece *w = NULL;
    util_ok(un_wordpiece_parse(&w, text, n, "large"));
    assert_int_equal(un_wordpiece_size(w), lines - 1);
    pieces(w, "same77777 same5", 77777, 5);
    un_wordpiece_close(w);
    free(text);
}

/* What the rules say of a real vocabulary, beyond the golden cases. */
static void test_real_vocabulary(void **state) {
    (void)state;
    const char *shared = getenv("UNSEEN_SHARED");
    char path[1024];
    snprintf(path, sizeof path, "%s/weights/bert_base_uncased_vocab.txt", shared ? shared : "");
    if (!shared || !un_path_exists(path)) {
        print_message("skipped: no BERT vocabulary in UNSEEN_SHARED\n");
        skip();
    }
    un_wordpiece *w = NULL;
    util_ok(un_wordpiece_open(&w, path));
    assert_int_equal(un_wordpiece_size(w), 30522);
    assert_int_equal(un_wordpiece_special(w, UN_TOKEN_MASK), 103);
    for (int32_t id = 0; id < 30522; id++) {
        const char *token = un_wordpiece_token(w, id);
        assert_int_equal(un_wordpiece_id(w, token, strlen(token)), id);
    }
    un_wordpiece_close(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_longest_match),   cmocka_unit_test(test_words),
        cmocka_unit_test(test_special_tokens),  cmocka_unit_test(test_long_words),
        cmocka_unit_test(test_canonical_order), cmocka_unit_test(test_bad_text),
        cmocka_unit_test(test_vocabularies),    cmocka_unit_test(test_batch),
        cmocka_unit_test(test_many_tokens),     cmocka_unit_test(test_real_vocabulary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
