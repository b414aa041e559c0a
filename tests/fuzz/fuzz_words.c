/*
 * fuzz_words.c - a file of word vectors for a data set's attributes, by its content: text of GloVe
 * or word2vec, safetensors, whatever else is read. The first byte chooses the file's ending.
 */
#include "fuzz.h"

#include <math.h>

#include "text/word_vectors.h"

static const char *const g_names[] = {"v.txt", "v.safetensors", "v.txt.gz", "v.bin"};
enum { NAMES = sizeof g_names / sizeof *g_names };

int fuzz_run_words(const uint8_t *data, size_t size) {
    un_dataset d;
    if (size == 0) return 0;
    const char *path = fuzz_file(g_names[data[0] % NAMES], data + 1, size - 1);
    const un_words_options options = {.vectors = path};
    FUZZ_REQUIRE(un_dataset_open(&d, fuzz_test_data("v0.1/maps")) == UNSEEN_OK);
    int taken = fuzz_taken(un_words_add(&d, &options));
    for (size_t s = 0; taken && s < d.semantics_count; s++)
        for (size_t i = 0; i < d.semantics[s].width * d.semantics[s].vector_width; i++)
            FUZZ_REQUIRE(isfinite(d.semantics[s].vectors[i]));
    un_dataset_close(&d);
    return taken;
}

/* The byte that chooses an ending, then the text. */
#define TEXT "0"

static void seed_binary(void) {
    static const char *const words[] = {"part0", "color", "shade"};
    unsigned char bytes[256] = "33 2\n";
    size_t n = 5;
    bytes[0] = '3'; /* v.bin */
    for (size_t i = 0; i < 3; i++) {
        const float vector[2] = {(float)i, 0.5f};
        n += (size_t)snprintf((char *)bytes + n, 32, "%s ", words[i]);
        memcpy(bytes + n, vector, sizeof vector);
        n += sizeof vector;
        bytes[n++] = '\n';
    }
    fuzz_seed("found_word2vec_bin", bytes, n);
}

void fuzz_seed_words(void) {
    fuzz_seed_text("glove", TEXT "part0 0.1 0.2 0.3\ncolor -1 2e-1 0\nshade 1 1 1\nother 0 0 0\n");
    fuzz_seed_text("word2vec", TEXT "3 2\npart0 0.1 0.2\ncolor 1 2\nshade 1 1\n");
    fuzz_seed_text("tabs", TEXT "part0\t0.5\t1\ncolor\t0\t1\nshade\t1\t1\r\n");
    fuzz_seed_text("found_blank_line", TEXT "part0 0.1 0.2\n\ncolor 1 2\nshade 1 1\n");
    fuzz_seed_text("found_no_word", TEXT "zebra 0.1 0.2\n");
    fuzz_seed_text("bad_short", TEXT "part0 0.1 0.2\ncolor 1\nshade 1 1\n");
    fuzz_seed_text("bad_number", TEXT "part0 0.1 x\n");
    fuzz_seed_text("bad_empty", TEXT);
    seed_binary();
}
