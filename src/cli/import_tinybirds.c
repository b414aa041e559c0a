/*
 * import_tinybirds.c - `unseen import tinybirds`: draws the built-in data set.
 */
#include "cli/import_tinybirds.h"
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "text/word_vectors.h"
#include "tinybirds/tinybirds.h"

typedef struct {
    un_cli_common common;
    const char *output;
    un_tinybirds_options options;
} arguments;

enum { KEY_IMAGES = 2000, KEY_SIZE, KEY_NAME };

static const struct argp_option g_options[] = {
    {"images-per-class", KEY_IMAGES, "N", 0, "Images of each kind (default: 40)", 0},
    {"size", KEY_SIZE, "N", 0, "Side of the pictures in pixels, 64 to 1024 (default: 224)", 0},
    {"name", KEY_NAME, "NAME", 0, "Name of the data set (default: Tinybirds)", 0},
    {"output", 'o', "DIR", 0, "Directory to make (required); it appears whole or not at all", 0},
    {0}};

static size_t number(struct argp_state *state, const char *option, const char *text) {
    return un_cli_integer(state, option, text, 1, INT32_MAX);
}

static error_t parse(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &a->common; return 0;
    case KEY_IMAGES:
        a->options.images_per_class = number(state, "--images-per-class", text);
        return 0;
    case KEY_SIZE: a->options.size = number(state, "--size", text); return 0;
    case KEY_NAME: a->options.name = text; return 0;
    case 'o': a->output = text; return 0;
    case ARGP_KEY_ARG: argp_error(state, "unexpected argument \"%s\"", text); return 0;
    case ARGP_KEY_END:
        if (!a->output) argp_error(state, "--output is missing");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp g_argp = {
    .options = g_options,
    .parser = parse,
    .children = un_cli_common_children,
    .doc = "Draws Tinybirds, the built-in data set: 60 kinds of small birds, 15 of them unseen, "
           "with attributes, true boxes of parts and pictures. The same --seed gives the same "
           "pictures."};

/* Word vectors, without which MSDN has nothing to start from. */
static un_status add_words(un_dataset *dataset, void *user) {
    const un_words_options words = {.vectors = UN_WORDS_BUILTIN};
    (void)user;
    return un_words_add(dataset, &words);
}

int un_import_tinybirds(int argc, char **argv) {
    arguments a = {0};
    int code = UN_EXIT_OK;
    if (!un_cli_begin(&g_argp, argc, argv, &a, &a.common, &code)) return code;
    a.options.seed = a.common.seed;
    a.options.finish = add_words;
    double started = un_now();
    if (un_tinybirds_make(&a.options, a.output)) return un_cli_fail();
    size_t each = a.options.images_per_class ? a.options.images_per_class : UN_TINYBIRDS_IMAGES;
    printf("%s: %zu images of %d kinds (%d unseen), %zu attributes, drawn in %.1f s\n", a.output,
           each * UN_KIND_COUNT, UN_KIND_COUNT, UN_UNSEEN_KIND_COUNT,
           un_tinybirds_attribute_count(), un_now() - started);
    return UN_EXIT_OK;
}
