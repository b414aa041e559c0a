/*
 * fuzz_wordpiece.c - arbitrary bytes as a vocabulary and as a text: encoding ends
 * with UNSEEN_OK and ids of the vocabulary, or with a sentence.
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
    for (size_t i = 0; i < list->count; i++)
        if (!un_wordpiece_token(w, list->items[i])) abort();
}

static void encode(const un_wordpiece *w, const char *text, size_t n) {
    un_token_list list = {0};
    un_arena arena = {0};
    un_token_batch batch;
    un_status status = un_wordpiece_encode(w, text, n, &list);
    if (status && un_error()[0] == 0) abort(); /* a failure must say why */
    check_ids(w, &list);
    if (un_wordpiece_batch(w, &text, &n, 1, MAX_LENGTH, &arena, &batch) != status) abort();
    if (!status && batch.length != (list.count > MAX_LENGTH - 2 ? MAX_LENGTH : list.count + 2))
        abort();
    un_arena_free(&arena);
    un_token_list_free(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *end = size > 0 ? memchr(data, 0xFF, size) : NULL;
    size_t n = end ? (size_t)(end - data) : size;
    const char *text = end ? (const char *)end + 1 : "";
    size_t length = end ? size - n - 1 : 0;
    un_wordpiece *w = NULL;
    char *vocabulary = malloc(sizeof SPECIAL + n);
    if (!vocabulary) abort();
    memcpy(vocabulary, SPECIAL, sizeof SPECIAL - 1);
    if (n > 0) memcpy(vocabulary + sizeof SPECIAL - 1, data, n);

    for (size_t skip = 0; skip < sizeof SPECIAL; skip += sizeof SPECIAL - 1) {
        un_status status =
            un_wordpiece_parse(&w, vocabulary + skip, sizeof SPECIAL - 1 + n - skip, "input");
        if (status && un_error()[0] == 0) abort();
        if (status) continue;
        encode(w, text, length);
        un_wordpiece_close(w);
    }
    free(vocabulary);
    return 0;
}
