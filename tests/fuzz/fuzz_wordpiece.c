/*
 * fuzz_wordpiece.c - a vocabulary and a text: encoding ends with ids of the vocabulary, or with a
 * sentence.
 *
 * The input is a vocabulary up to the first 0xFF byte (which neither may have) and
 * a text after it. The five special tokens are put in front, else hardly any input
 * would come further than them; the bytes alone are tried as well.
 */
#include "fuzz.h"

#include "text/wordpiece.h"

static const char SPECIAL[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
enum { MAX_LENGTH = 16 };

static void check_ids(const un_wordpiece *w, const un_token_list *list) {
    for (size_t i = 0; i < list->count; i++) FUZZ_REQUIRE(un_wordpiece_token(w, list->items[i]));
}

static void encode(const un_wordpiece *w, const char *text, size_t n) {
    un_token_list list = {0};
    un_arena arena = {0};
    un_token_batch batch;
    un_status status = un_wordpiece_encode(w, text, n, &list);
    (void)fuzz_taken(status);
    check_ids(w, &list);
    FUZZ_REQUIRE(un_wordpiece_batch(w, &text, &n, 1, MAX_LENGTH, &arena, &batch) == status);
    FUZZ_REQUIRE(status ||
                 batch.length == (list.count > MAX_LENGTH - 2 ? MAX_LENGTH : list.count + 2));
    un_arena_free(&arena);
    un_token_list_free(&list);
}

int fuzz_run_wordpiece(const uint8_t *data, size_t size) {
    const uint8_t *end = size > 0 ? memchr(data, 0xFF, size) : NULL;
    size_t n = end ? (size_t)(end - data) : size;
    const char *text = end ? (const char *)end + 1 : "";
    size_t length = end ? size - n - 1 : 0;
    int taken = 0;
    un_wordpiece *w = NULL;
    char *vocabulary = malloc(sizeof SPECIAL + n);
    FUZZ_REQUIRE(vocabulary);
    memcpy(vocabulary, SPECIAL, sizeof SPECIAL - 1);
    if (n > 0) memcpy(vocabulary + sizeof SPECIAL - 1, data, n);

    for (size_t skip = 0; skip < sizeof SPECIAL; skip += sizeof SPECIAL - 1) {
        if (!fuzz_taken(
                un_wordpiece_parse(&w, vocabulary + skip, sizeof SPECIAL - 1 + n - skip, "input")))
            continue;
        taken = 1;
        encode(w, text, length);
        un_wordpiece_close(w);
    }
    free(vocabulary);
    return taken;
}

void fuzz_seed_wordpiece(void) {
    fuzz_seed_text("words", "bill\n##s\ncurved\n,\n:\nw\n##i\n##n\n##g\n\xFF"
                            "Bills, curved: wing");
    fuzz_seed_text("accents", "caf\n##e\n\xFF"
                              "Caf\xC3\xA9 cafe\xCC\x81 \xE4\xBD\xA0 a\xC2\xA0"
                              "b");
    fuzz_seed_text("no_text", "a\nb\nc");
    fuzz_seed_text("long", "a\n##a\n\xFF"
                           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    fuzz_seed_text("punctuation", "[\n]\n.\n\xFF"
                                  "[CLS] [MASK].]]");
    fuzz_seed_text("twice", "a\na\n\xFF"
                            "a");
}
