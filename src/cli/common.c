/* common.c - option parsing, messages and result lines that the commands share. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/parallel.h"
#include "base/status.h"
#include "cli/cli.h"
#include "method/method.h"
#include "model/model.h"
#include "protocol/report.h"
#include "unseen.h"

static int g_level = UNSEEN_LOG_INFO;
static int g_line_open; /* a progress line is on the terminal */

static void clear_line(void) {
    if (!g_line_open) return;
    un_cli_control("\r\033[K");
    g_line_open = 0;
}

static void print_log(unseen_log_level level, const char *message, void *user) {
    (void)user;
    if ((int)level > g_level) return;
    clear_line();
    fprintf(stderr, "%s%s\n", level == UNSEEN_LOG_WARNING ? "warning: " : "", un_cli_name(message));
}

static void format_seconds(double seconds, char *out, size_t size) {
    if (seconds < 0)
        snprintf(out, size, "?");
    else if (seconds < 100)
        snprintf(out, size, "%.0f s", seconds);
    else
        snprintf(out, size, "%.0f min %02.0f s", floor(seconds / 60), fmod(seconds, 60));
}

static void print_progress(const un_progress_state *s, void *user) {
    (void)user;
    if (s->finished) {
        clear_line();
        return;
    }
    char eta[32];
    format_seconds(s->eta_seconds, eta, sizeof eta);
    char line[160];
    snprintf(line, sizeof line, "%.60s: %zu of %zu %.20s, %.1f/s, %s left", s->label, s->done,
             s->total, s->unit, s->seconds > 0 ? (double)s->done / s->seconds : 0.0, eta);
    un_cli_control("\r\033[K");
    un_cli_say(line);
    g_line_open = 1;
}

int un_cli_fail(void) {
    clear_line();
    fprintf(stderr, "unseen: %s\n", un_cli_name(un_error()));
    return UN_EXIT_FAILURE;
}

/* Whoever read standard output has gone. */
static int reader_left(void) {
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&out, 1, 0) == 1 && (out.revents & POLLERR);
}

int un_cli_end_output(int code) {
    static int failed; /* told once, though asked again at exit */
    if (!failed && fflush(stdout) == 0 && !ferror(stdout)) return code;
    if (!failed && !reader_left()) {
        un_fail(UNSEEN_E_IO, "cannot write to standard output");
        un_cli_fail();
    }
    failed = 1;
    return code == UN_EXIT_OK ? UN_EXIT_FAILURE : code;
}

uint64_t un_cli_integer(struct argp_state *state, const char *option, const char *text,
                        uint64_t least, uint64_t most) {
    char *end = NULL;
    errno = 0;
    unsigned long long value = *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
    if (!end || *end || errno || value < least || value > most) {
        if (most < UINT64_MAX)
            argp_error(state, "%s wants a whole number from %llu to %llu, not \"%s\"", option,
                       (unsigned long long)least, (unsigned long long)most, text);
        else
            argp_error(state, "%s wants a whole number of at least %llu, not \"%s\"", option,
                       (unsigned long long)least, text);
    }
    return value;
}

int un_cli_usage(const char *format, ...) {
    va_list arguments;
    clear_line();
    fputs("unseen: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs("\nTry --help.\n", stderr);
    return UN_EXIT_USAGE;
}

enum { KEY_THREADS = 0x1001, KEY_PRECISION, KEY_SEED };

static const struct argp_option g_common_options[] = {
    {"threads", KEY_THREADS, "N", 0, "threads; 0 takes every processor (default 0)", 90},
    {"precision", KEY_PRECISION, "P", 0,
     "auto, f32 or bf16: type of matrix products; auto takes bf16 where the processor multiplies "
     "it natively, and for a trained model what it was trained in (default auto)",
     90},
    {"seed", KEY_SEED, "N", 0, "seed of all random choices (default 1)", 90},
    {"quiet", 'q', NULL, 0, "only results and errors", 90},
    {"verbose", 'v', NULL, 0, "more messages", 90},
    {0}};

static error_t parse_common(int key, char *text, struct argp_state *state) {
    un_cli_common *common = state->input;
    switch (key) {
    case ARGP_KEY_INIT: *common = (un_cli_common){.precision = "auto", .seed = 1}; return 0;
    case KEY_THREADS:
        common->threads = (int)un_cli_integer(state, "--threads", text, 0, UN_MAX_THREADS);
        return 0;
    case KEY_PRECISION: common->precision = text; return 0;
    case KEY_SEED: common->seed = un_cli_integer(state, "--seed", text, 0, UINT64_MAX); return 0;
    case 'q': common->quiet = 1; return 0;
    case 'v': common->verbose = 1; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

const struct argp un_cli_common_argp = {.options = g_common_options, .parser = parse_common};

const struct argp_child un_cli_common_children[] = {
    {&un_cli_common_argp, 0, "Common options:", 100}, {0}};

un_orientation un_cli_parse_orientation(struct argp_state *state, const char *text) {
    un_orientation orientation = UN_ORIENTATION_UNSAID;
    if (un_orientation_parse(text, &orientation))
        argp_error(state, "--orientation must be exif or stored, not \"%s\"", text);
    return orientation;
}

int un_cli_parse(const struct argp *argp, int argc, char **argv, void *input, int *exit_code) {
    enum { REFERENCE = sizeof "--help=" - 1 };
    if (argc == 2 && !strncmp(argv[1], "--help=", REFERENCE)) {
        *exit_code = un_cli_reference(argp, argv[0], argv[1] + REFERENCE);
        return 0;
    }
    argp_err_exit_status = UN_EXIT_USAGE;
    error_t code = argp_parse(argp, argc, argv, 0, NULL, input);
    *exit_code = code ? UN_EXIT_USAGE : UN_EXIT_OK;
    return code == 0;
}

int un_cli_begin(const struct argp *argp, int argc, char **argv, void *input,
                 const un_cli_common *common, int *exit_code) {
    if (!un_cli_parse(argp, argc, argv, input, exit_code)) return 0;
    *exit_code = un_cli_start(common);
    return *exit_code == UN_EXIT_OK;
}

enum { KEY_JSON = 0x1101 };

static const struct argp_option g_subject_options[] = {
    {"json", KEY_JSON, "FILE", 0,
     "Write what is found as JSON, - for standard output (default: none)", 0},
    {0}};

static error_t parse_subject(int key, char *text, struct argp_state *state) {
    un_cli_subject *s = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &s->common; return 0;
    case KEY_JSON: s->json = text; return 0;
    case ARGP_KEY_ARG:
        if (s->path) argp_error(state, "unexpected argument \"%s\"", text);
        s->path = text;
        return 0;
    case ARGP_KEY_END:
        if (!s->path) argp_error(state, "%s", s->missing);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

const struct argp un_cli_subject_argp = {
    .options = g_subject_options, .parser = parse_subject, .children = un_cli_common_children};

const struct argp_child un_cli_subject_children[] = {{&un_cli_subject_argp, 0, NULL, 0}, {0}};

int un_cli_start(const un_cli_common *common) {
    g_level =
        common->quiet ? UNSEEN_LOG_ERROR : (common->verbose ? UNSEEN_LOG_DEBUG : UNSEEN_LOG_INFO);
    un_set_log(print_log, NULL);
    if (!common->quiet && isatty(STDERR_FILENO)) un_set_progress(print_progress, NULL);
    return un_set_threads(common->threads) == UNSEEN_OK ? UN_EXIT_OK : un_cli_fail();
}

void un_cli_print_word(const char *word) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "%+,-./:=@_^";
    if (*word && word[strspn(word, plain)] == '\0') {
        fputs(word, stdout);
        return;
    }
    putchar('\'');
    for (const char *c = word; *c; c++) {
        if (*c == '\'')
            fputs("'\\''", stdout); /* out of the quotes, an escaped one, in again */
        else
            putchar(*c);
    }
    putchar('\'');
}

int un_cli_write_json(const char *path, const json_t *value) {
    if (!strcmp(path, "-")) {
        char *text = un_json_dump(value, UN_JSON_FOR_PEOPLE);
        if (!text) {
            un_fail_memory(0);
            return un_cli_fail();
        }
        un_cli_keep_lines();
        puts(text);
        free(text);
        return un_cli_end_output(UN_EXIT_OK);
    }
    return un_json_write(path, value) == UNSEEN_OK ? UN_EXIT_OK : un_cli_fail();
}

volatile sig_atomic_t un_cli_stop;

static void on_signal(int number) {
    (void)number;
    un_cli_stop = 1;
}

void un_cli_catch_signals(void) {
    /* The second signal ends the program the ordinary way. */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* " 51.3", or "   -" for what was not measured. */
static const char *percent(const json_t *object, const char *key, char text[16]) {
    const json_t *value = json_object_get(object, key);
    if (json_is_number(value))
        snprintf(text, 16, "%5.1f", 100.0 * json_number_value(value));
    else
        snprintf(text, 16, "%5s", "-");
    return text;
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "?";
}

static void print_accuracies(const json_t *at, const char *source) {
    char u[16], s[16], h[16];
    printf("  U %s   S %s   H %s   at gamma %.4g (%s)\n", percent(at, "U", u), percent(at, "S", s),
           percent(at, "H", h), json_number_value(json_object_get(at, "gamma")), source);
}

void un_cli_print_result(const json_t *r) {
    const json_t *selected = un_result_selected(r);
    const char *selection = text_of(r, "selection");
    int on_test = !strcmp(selection, UN_SELECTED_ON_TEST);
    char a[16], b[16];
    printf("%s, seed %lld, selection: %s\n", text_of(r, "method"),
           (long long)json_integer_value(json_object_get(r, "seed")), selection);
    if (json_object_get(r, UN_TRAINED_ON)) {
        printf("  learned from every image, those of the test lists included: no test figures\n");
        return;
    }
    printf("  T1 %s   AUSUC %s   (percent, per class%s)\n", percent(r, "T1", a),
           percent(r, "AUSUC", b), on_test ? "; selected on test" : "");
    print_accuracies(json_object_get(r, "native"), "native");
    if (selected) print_accuracies(selected, on_test ? UN_SELECTED_ON_TEST : "validation");
    if (!strcmp(text_of(r, "gamma_source"), "given")) print_accuracies(r, "given");
    printf("  H %s   best on the test curve (chosen on test)\n", percent(r, "H_best_curve", a));
}

int un_cli_print_summary(const json_t *results) {
    static const struct {
        const char *key, *label;
    } rows[] = {{"T1", "T1"},
                {"AUSUC", "AUSUC"},
                {"native_U", "U at gamma 0"},
                {"native_S", "S at gamma 0"},
                {"native_H", "H at gamma 0"},
                {"validation_U", "U at the gamma of validation"},
                {"validation_S", "S at the gamma of validation"},
                {"validation_H", "H at the gamma of validation"},
                {"selected_on_test_U", "U at the gamma selected on test"},
                {"selected_on_test_S", "S at the gamma selected on test"},
                {"selected_on_test_H", "H at the gamma selected on test"},
                {"H_best_curve", "H best on the test curve (chosen on test)"}};
    json_t *summary = NULL;
    if (un_result_summary(results, &summary) != UNSEEN_OK) return un_cli_fail();
    printf("%zu models, mean ± sd in percent, selection: %s\n", json_array_size(results),
           text_of(summary, "selection"));
    const json_t *mean = json_object_get(summary, "mean"), *sd = json_object_get(summary, "sd");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char m[16], d[16];
        int measured = json_is_number(json_object_get(mean, rows[i].key));
        if (!measured && strchr(rows[i].key, '_')) continue; /* there is no such gamma */
        printf("  %s ± %s   %s\n", percent(mean, rows[i].key, m), percent(sd, rows[i].key, d) + 1,
               rows[i].label);
    }
    json_decref(summary);
    return UN_EXIT_OK;
}

/* ---- what a command's option tables say, in other forms than --help: a manual page
 * (--help=man) and lines for shell completion (--help=options). One table serves all of them, so
 * that none can fall behind. ---- */

/* ---- troff ---- */

/* Text as troff prints it: no sign of it is a request or an escape. */
static void put_text(const char *text, size_t n) {
    int at_start = 1;
    for (size_t i = 0; i < n; i++) {
        const char c = text[i];
        if (at_start && (c == '.' || c == '\'')) fputs("\\&", stdout);
        at_start = c == '\n';
        if (c == '\\')
            fputs("\\e", stdout);
        else if (c == '-')
            fputs("\\-", stdout);
        else
            putchar(c);
    }
}

static void put_line(const char *text) {
    put_text(text, strlen(text));
    putchar('\n');
}

/* An option's own names: -o, --output=DIR. */
static void put_names(const struct argp_option *o) {
    const int letter = isascii(o->key) && isalpha(o->key);
    if (letter) printf("\\fB\\-%c\\fR", o->key);
    if (letter && o->name) fputs(", ", stdout);
    if (o->name) {
        fputs("\\fB\\-\\-", stdout);
        put_text(o->name, strlen(o->name));
        fputs("\\fR", stdout);
    }
    if (o->arg) {
        fputs(o->flags & OPTION_ARG_OPTIONAL ? "[=\\fI" : "=\\fI", stdout);
        put_text(o->arg, strlen(o->arg));
        fputs(o->flags & OPTION_ARG_OPTIONAL ? "\\fR]" : "\\fR", stdout);
    }
}

typedef void (*option_function)(const struct argp_option *option);

/* Every option of a parser and of the parsers below it, in the order of --help. */
static void each_option(const struct argp *argp, const char *header, option_function option,
                        void (*group)(const char *header)) {
    if (argp->options && header && group) group(header);
    for (const struct argp_option *o = argp->options; o && (o->name || o->key || o->doc); o++)
        if (!(o->flags & OPTION_HIDDEN) && o->name) option(o);
    for (const struct argp_child *c = argp->children; c && c->argp; c++)
        each_option(c->argp, c->header, option, group);
}

static void man_option(const struct argp_option *o) {
    puts(".TP");
    put_names(o);
    putchar('\n');
    if (o->doc) put_line(o->doc);
}

static void man_group(const char *header) {
    if (!*header) return;
    fputs(".SS \"", stdout);
    put_text(header, strcspn(header, ":"));
    puts("\"");
}

/* The settings of every method, for the page of `train`. */
static void man_settings(void) {
    puts(".SH PRESETS AND SETTINGS");
    puts("Settings are given by \\fB\\-\\-set\\fR \\fIKEY\\fR=\\fIVALUE\\fR or in a file "
         "(\\fB\\-\\-config\\fR); each is followed by its default and what it may be.");
    for (const un_method_class *const *m = un_methods; *m; m++) {
        const un_option *tables[UN_OPTION_TABLES];
        printf(".SS \"%s\"\n", (*m)->name);
        put_line((*m)->title);
        for (const un_preset *p = (*m)->presets; p->name; p++) {
            puts(".TP");
            fputs("\\fB\\-\\-preset\\fR \\fB", stdout);
            put_text(p->name, strlen(p->name));
            puts("\\fR");
            put_line(p->summary);
        }
        un_option_tables(*m, tables);
        for (size_t t = 0; t < UN_OPTION_TABLES && tables[t]; t++)
            for (const un_option *o = tables[t]; o->key; o++) {
                puts(".TP");
                fputs("\\fB", stdout);
                put_text(o->key, strlen(o->key));
                fputs("\\fR=", stdout);
                put_text(o->fallback, strlen(o->fallback));
                if (o->choices) {
                    fputs(" (", stdout);
                    put_text(o->choices, strlen(o->choices));
                    putchar(')');
                }
                putchar('\n');
                put_line(o->help);
            }
    }
}

static void print_man(const struct argp *argp, const char *program) {
    char page[64], *c = page;
    const char *command = strrchr(program, ' ');
    snprintf(page, sizeof page, "%s", program);
    for (; *c; c++) *c = *c == ' ' ? '-' : (char)toupper((unsigned char)*c);
    printf(".\\\" Made from the option tables by `%s --help=man`.\n", program);
    printf(".TH %s 1 \"\" \"unseen %s\" \"User Commands\"\n.SH NAME\n", page, unseen_version());
    for (c = page; *c; c++) *c = (char)tolower((unsigned char)*c);
    put_text(page, strlen(page));
    fputs(" \\- ", stdout);
    const char *doc = argp->doc ? argp->doc : "";
    const size_t first = strcspn(doc, ".:;"); /* the first sentence, to its first stop */
    put_text(doc, first);
    printf("\n.SH SYNOPSIS\n.B ");
    put_line(program);
    puts(".RI [ OPTION ...]");
    if (argp->args_doc) {
        fputs(".I \"", stdout);
        put_text(argp->args_doc, strlen(argp->args_doc));
        puts("\"");
    }
    puts(".SH DESCRIPTION");
    put_line(doc);
    puts(".SH OPTIONS");
    each_option(argp, NULL, man_option, man_group);
    if (command && !strcmp(command, " train")) man_settings();
    puts(".SH EXIT STATUS\n0 success, 2 wrong usage, 1 any other failure, with one sentence on "
         "standard error.\n.SH SEE ALSO\n.BR unseen (1)");
}

/* ---- completion ---- */

/* --name, what it takes, and what it is, with tabs between. */
static void completion_option(const struct argp_option *o) {
    printf("--%s\t%s\t", o->name, o->arg ? o->arg : "");
    for (const char *c = o->doc ? o->doc : ""; *c; c++)
        putchar(*c == '\n' || *c == '\t' ? ' ' : *c);
    putchar('\n');
}

int un_cli_reference(const struct argp *argp, const char *program, const char *form) {
    if (!strcmp(form, "man"))
        print_man(argp, program);
    else if (!strcmp(form, "options"))
        each_option(argp, NULL, completion_option, NULL);
    else
        return un_cli_usage("--help takes man or options, not \"%s\"", form);
    return UN_EXIT_OK;
}
