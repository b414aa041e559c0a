/* cmd_words.c - `unseen words DIR --vectors FILE`: word vectors for the attributes of a data set.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/cli.h"

typedef struct {
    un_cli_common common;
    const char *directory, *vectors;
    unseen_words_options words;
    const char *semantics[UN_MAX_SEMANTICS];
} arguments;

enum { KEY_VECTORS = 2000, KEY_TENSOR, KEY_ATTRIBUTES, KEY_SEMANTICS };

static const struct argp_option g_options[] = {
    {"vectors", KEY_VECTORS, "FILE", 0,
     "Word vectors (required): a file of GloVe or word2vec (text, \"word v1 … vd\" a line, or "
     "binary; packed with gzip or not), or one vector an attribute as safetensors, .npy or .npz, "
     "or builtin:words, which needs no file and only tells words apart. A file without any of the "
     "words is an error",
     0},
    {"tensor", KEY_TENSOR, "NAME", 0,
     "Tensor of the safetensors file or array of the .npz (default: the only one, or the one "
     "called like the data set)",
     0},
    {"attributes", KEY_ATTRIBUTES, "FILE", 0,
     "Names of the attributes: CUB's attributes.txt, a table of phrases (CSV with a column "
     "new_des), or one name a line (default: those in the data set)",
     0},
    {"semantics", KEY_SEMANTICS, "NAME", 0,
     "Semantics that get the vectors; may be repeated (default: all of that many attributes)", 0},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &a->common; return 0;
    case KEY_VECTORS: a->vectors = text; return 0;
    case KEY_TENSOR: a->words.tensor = text; return 0;
    case KEY_ATTRIBUTES: a->words.attributes = text; return 0;
    case KEY_SEMANTICS:
        if (a->words.semantics_count == UN_MAX_SEMANTICS)
            argp_error(state, "at most %d --semantics", UN_MAX_SEMANTICS);
        else
            a->semantics[a->words.semantics_count++] = text;
        return 0;
    case ARGP_KEY_ARG:
        if (a->directory) argp_error(state, "unexpected argument \"%s\"", text);
        a->directory = text;
        return 0;
    case ARGP_KEY_END:
        if (!a->directory) argp_error(state, "the data set directory is missing");
        if (!a->vectors) argp_error(state, "--vectors is missing");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp g_argp = {
    g_options,
    parse,
    "DIR",
    "Gives the attributes of a data set their word vectors: the sum of the vectors of the words in "
    "an attribute's name, words without a vector skipped. Replaces those that are there.",
    un_cli_common_children,
    NULL,
    NULL};

static un_status print_words(const unseen_dataset *data, const char *semantics) {
    const float *values = NULL;
    size_t attributes = 0, width = 0;
    UN_TRY(unseen_dataset_semantics(data, semantics, &values, &attributes));
    UN_TRY(unseen_dataset_words(data, semantics, &values, &width));
    if (width > 0)
        printf("semantics     %s: %zu x %zu, word vectors of width %zu\n", semantics,
               unseen_dataset_class_count(data), attributes, width);
    return UNSEEN_OK;
}

int un_cmd_words(int argc, char **argv) {
    arguments a = {0};
    int code = UN_EXIT_OK;
    unseen_words_options_init(&a.words, sizeof a.words);
    a.words.semantics = a.semantics;
    if (!un_cli_begin(&g_argp, argc, argv, &a, &a.common, &code)) return code;
    un_cli_files files = {0};
    char *output = NULL;
    if (un_path_join(a.directory, "dataset.safetensors", &output)) return un_cli_fail();
    un_cli_reads(&files, a.vectors);
    un_cli_reads(&files, a.words.attributes);
    if (un_path_exists(output)) un_cli_writes(&files, output); /* else opening it tells */
    free(output);
    code = un_cli_check_files(&files);
    if (code) return code;
    unseen_dataset *data = NULL;
    un_status status = un_cli_dataset_open(a.directory, NULL, &data);
    if (!status) status = unseen_dataset_add_words(data, a.vectors, &a.words);
    for (size_t i = 0; i < unseen_dataset_semantics_count(data) && !status; i++)
        status = print_words(data, unseen_dataset_semantics_name(data, i));
    unseen_dataset_close(data);
    return status ? un_cli_fail() : UN_EXIT_OK;
}
