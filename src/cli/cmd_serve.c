/* cmd_serve.c - `unseen serve`: models asked over HTTP, and the page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "serve/serve.h"

enum { MOST_WORDS = 16 };

typedef struct {
    const char *items[MOST_WORDS];
    size_t count;
} words;

typedef struct {
    un_cli_common common;
    un_serve_options serve;
    const char *models[UN_MOST_MODELS];
    words backbones, classes, hosts, origins;
    un_orientation orientation;
} arguments;

enum {
    KEY_BACKBONE = 0x7001,
    KEY_HOST,
    KEY_PORT,
    KEY_TOKEN,
    KEY_NO_TOKEN,
    KEY_ALLOW_HOST,
    KEY_ALLOW_ORIGIN,
    KEY_DATA,
    KEY_IMAGES,
    KEY_CLASSES,
    KEY_ORIENTATION,
    KEY_UPLOAD,
    KEY_PIXELS,
    KEY_IN_FLIGHT,
    KEY_BATCH,
    KEY_WAIT,
    KEY_DECODERS,
    KEY_LOG
};

static const struct argp_option g_options[] = {
    {"backbone", KEY_BACKBONE, "WEIGHTS", 0,
     "weights of the network that made the models' features; may be repeated, each model takes the "
     "one that it fits (default: the built-in descriptor; models of others are asked in features "
     "only)",
     1},
    {"classes", KEY_CLASSES, "NEW.csv", 0,
     "describe more classes, for everyone; may be repeated (default: the models' own)", 1},
    {"data", KEY_DATA, "DIR", 0,
     "offer pictures of this data set's test lists to try, and measure the models' curves on it "
     "(default: neither)",
     1},
    {"images", KEY_IMAGES, "ROOT", 0, "folder of that data set's pictures (default: where it says)",
     1},
    {"orientation", KEY_ORIENTATION, "exif|stored", 0,
     "turn pictures as EXIF says, or not (default: as those that the model learned from)", 1},
    {"host", KEY_HOST, "NAME", 0,
     "name or address to listen on; another than this machine's own asks for --token-file or "
     "--no-token (default: 127.0.0.1)",
     2},
    {"port", KEY_PORT, "N", 0, "port to listen on, 0: any that is free (default 8080)", 2},
    {"token-file", KEY_TOKEN, "FILE", 0,
     "every request must bring the word in this file, Authorization: Bearer WORD (default: none)",
     2},
    {"no-token", KEY_NO_TOKEN, NULL, 0, "everybody who reaches the host may ask", 2},
    {"allow-host", KEY_ALLOW_HOST, "NAME", 0,
     "a name that requests may call the server by, as behind a proxy; may be repeated (default: "
     "localhost, --host and all addresses)",
     2},
    {"allow-origin", KEY_ALLOW_ORIGIN, "URL", 0,
     "pages of this server may ask, too, * for all; may be repeated (default: its own page)", 2},
    {"max-upload", KEY_UPLOAD, "BYTES", 0,
     "the most that a request may have, with K, M or G behind (default 20M)", 3},
    {"max-pixels", KEY_PIXELS, "N", 0,
     "the most pixels of a picture, with K, M or G behind (default 50M)", 3},
    {"max-in-flight", KEY_IN_FLIGHT, "N", 0,
     "requests that may wait for an answer; more get 503 (default 64)", 3},
    {"batch", KEY_BATCH, "N", 0, "pictures that the network takes at a time (default 8)", 4},
    {"batch-wait-ms", KEY_WAIT, "N", 0,
     "so long the network waits for more pictures while some are being decoded (default 4)", 4},
    {"decoders", KEY_DECODERS, "N", 0,
     "processes that decode pictures, 0: one a processor, 2 to 8 (default 0)", 4},
    {"access-log", KEY_LOG, "FILE", 0, "append a line for each request (default: none)", 5},
    {0}};

static void add_word(struct argp_state *state, words *list, const char *word, const char *option) {
    if (list->count == MOST_WORDS)
        argp_error(state, "%s can be given %d times", option, MOST_WORDS);
    else
        list->items[list->count++] = word;
}

/* A number with K, M or G behind: thousands of pixels, 1024s of bytes. */
static size_t parse_size(struct argp_state *state, const char *option, const char *text,
                         size_t unit, size_t most) {
    static const char units[] = "KMG";
    char digits[32] = "";
    const size_t n = strlen(text);
    const char *letter = n > 0 ? strchr(units, text[n - 1]) : NULL;
    size_t factor = 1;
    for (const char *u = units; letter && u <= letter; u++) factor *= unit;
    snprintf(digits, sizeof digits, "%.*s", (int)(n < 30 ? n - (letter != NULL) : 30), text);
    const size_t value = (size_t)un_cli_integer(state, option, digits, 1, most / factor);
    return value * factor;
}

static int is_origin(const char *text) {
    size_t scheme = !strncmp(text, "https://", 8) ? 8 : !strncmp(text, "http://", 7) ? 7 : 0;
    return !strcmp(text, "*") || (scheme > 0 && text[scheme] && !strpbrk(text + scheme, "/?# @"));
}

static error_t parse_serving(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    un_serve_options *o = &a->serve;
    switch (key) {
    case KEY_HOST: o->host = text; return 0;
    case KEY_PORT: o->port = (unsigned)un_cli_integer(state, "--port", text, 0, 65535); return 0;
    case KEY_TOKEN: o->token_file = text; return 0;
    case KEY_NO_TOKEN: o->no_token = 1; return 0;
    case KEY_ALLOW_HOST: add_word(state, &a->hosts, text, "--allow-host"); return 0;
    case KEY_ALLOW_ORIGIN:
        if (!is_origin(text))
            argp_error(state,
                       "--allow-origin must be * or as a browser says it, such as "
                       "https://birds.example.org, without a path: not \"%s\"",
                       text);
        add_word(state, &a->origins, text, "--allow-origin");
        return 0;
    case KEY_UPLOAD:
        o->max_upload = parse_size(state, "--max-upload", text, 1024, (size_t)1 << 30);
        return 0;
    case KEY_PIXELS:
        o->max_pixels = parse_size(state, "--max-pixels", text, 1000, (size_t)1 << 27);
        return 0;
    case KEY_IN_FLIGHT:
        o->max_in_flight = un_cli_integer(state, "--max-in-flight", text, 1, 4096);
        return 0;
    case KEY_BATCH: o->batch = un_cli_integer(state, "--batch", text, 1, 256); return 0;
    case KEY_WAIT:
        o->batch_wait_ms = (unsigned)un_cli_integer(state, "--batch-wait-ms", text, 0, 1000);
        return 0;
    case KEY_DECODERS: o->decoders = un_cli_integer(state, "--decoders", text, 0, 32); return 0;
    case KEY_LOG: o->access_log = text; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &a->common; return 0;
    case KEY_BACKBONE: add_word(state, &a->backbones, text, "--backbone"); return 0;
    case KEY_CLASSES: add_word(state, &a->classes, text, "--classes"); return 0;
    case KEY_DATA: a->serve.data = text; return 0;
    case KEY_IMAGES: a->serve.images = text; return 0;
    case KEY_ORIENTATION: a->orientation = un_cli_parse_orientation(state, text); return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num >= UN_MOST_MODELS)
            argp_error(state, "%d models can be served at most", UN_MOST_MODELS);
        a->models[state->arg_num] = text;
        a->serve.models.count = state->arg_num + 1;
        return 0;
    case ARGP_KEY_END:
        if (a->serve.models.count == 0) argp_error(state, "which model?");
        if (a->serve.images && !a->serve.data) argp_error(state, "--images goes with --data");
        if (a->serve.token_file && a->serve.no_token)
            argp_error(state, "either --token-file or --no-token");
        return 0;
    default: return parse_serving(key, text, state);
    }
}

static const struct argp g_argp = {
    .options = g_options,
    .parser = parse,
    .args_doc = "MODEL...",
    .doc = "Answers questions about pictures over HTTP, in JSON for programs and on a page for "
           "people, who may describe classes of their own there. Without other options only this "
           "machine reaches it. SIGTERM ends it after the answers that are in flight; SIGHUP loads "
           "the models anew.",
    .children = un_cli_common_children};

static void tell_address(const char *address, void *user) {
    (void)user;
    printf("unseen serve: listening on %s\n", address);
    fflush(stdout);
}

static un_words list_of(const words *w) { return (un_words){w->items, w->count}; }

int un_cmd_serve(int argc, char **argv) {
    arguments a = {.orientation = UN_ORIENTATION_UNSAID};
    int code = UN_EXIT_OK;
    un_serve_options_init(&a.serve);
    if (!un_cli_begin(&g_argp, argc, argv, &a, &a.common, &code)) return code;
    un_cli_catch_signals();
    a.serve.models.items = a.models;
    a.serve.backbones = list_of(&a.backbones);
    a.serve.classes = list_of(&a.classes);
    a.serve.hosts = list_of(&a.hosts);
    a.serve.origins = list_of(&a.origins);
    a.serve.precision = a.common.precision;
    a.serve.orientation = un_cli_orientation(a.orientation);
    a.serve.listening = tell_address;
    a.serve.stop = &un_cli_stop;
    un_status status = un_serve(&a.serve);
    return status ? un_cli_fail() : UN_EXIT_OK;
}
