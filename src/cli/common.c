/* common.c - what the commands share (cli.h): messages, standard output, options, lines of results,
 * and questions about pictures. */
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
#include "base/names.h"
#include "base/parallel.h"
#include "base/status.h"
#include "cli/cli.h"
#include "cluster/cluster.h"
#include "method/methods.h"
#include "model/model.h"
#include "protocol/report.h"

/* ---- messages, progress, signals ---- */

static int g_level = UNSEEN_LOG_INFO;
static int g_shows_progress;
static int g_line_open; /* a progress line is on the terminal */

static void clear_line(void) {
    if (!g_line_open) return;
    un_cli_control("\r\033[K");
    g_line_open = 0;
}

static void print_log(unseen_log_level level, const char *message, void *user) {
    (void)user;
    if ((int)level > g_level || !un_cluster_is_apart()) return;
    clear_line();
    size_t rank = un_cluster_rank(un_cluster_all());
    if (rank > 0) fprintf(stderr, "rank %zu: ", rank);
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

/* Until all is done at the present rate; < 0 while unknown. */
static double seconds_left(const unseen_progress *p) {
    if (p->done == 0 || p->total < p->done) return -1;
    return p->seconds * (double)(p->total - p->done) / (double)p->done;
}

static void print_progress(const unseen_progress *p) {
    if (p->finished) {
        clear_line();
        return;
    }
    char eta[32];
    format_seconds(seconds_left(p), eta, sizeof eta);
    char line[160];
    snprintf(line, sizeof line, "%.60s: %zu of %zu %.20s, %.1f/s, %s left", p->phase, p->done,
             p->total, p->unit, p->seconds > 0 ? (double)p->done / p->seconds : 0.0, eta);
    un_cli_control("\r\033[K");
    un_cli_write_notice(line);
    g_line_open = 1;
}

volatile sig_atomic_t un_cli_stop;
int un_cli_rank_threads;
int un_cli_stop_patience = 20;

int un_cli_progress(const unseen_progress *progress, void *user) {
    (void)user;
    if (g_shows_progress) print_progress(progress);
    return un_cli_stop;
}

/* Why this rank fails, kept until it is known what the others say (un_cli_leave). */
static char g_sentence[UN_ERROR_LENGTH + 32];

static void print_failure(const char *place, const char *text) {
    clear_line();
    fprintf(stderr, "unseen: %s%s%s\n", place, *place ? ": " : "", text);
}

static void tell_failure(const char *text) {
    if (un_cluster_size(un_cluster_all()) > 1)
        snprintf(g_sentence, sizeof g_sentence, "%s", text);
    else
        print_failure("", text);
}

int un_cli_fail(void) {
    tell_failure(un_cli_name(un_error()));
    return UN_EXIT_FAILURE;
}

int un_cli_usage(const char *format, ...) {
    static const char hint[] = "\nTry --help.";
    char text[UN_ERROR_LENGTH + sizeof hint];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, UN_ERROR_LENGTH, format, arguments);
    va_end(arguments);
    memcpy(text + strlen(text), hint, sizeof hint);
    tell_failure(text);
    return UN_EXIT_USAGE;
}

int un_cli_leave(int code) {
    /* Seconds; after a stop more. Who does not want to wait stops a second time. */
    enum { PATIENCE = 2 };
    static int left;
    int tell = 0, together = 0;
    if (left) return code;
    left = 1;
    un_cluster_leave(&code, g_sentence, un_cli_stop ? un_cli_stop_patience : PATIENCE, &tell,
                     &together);
    if (tell) print_failure(together ? "" : un_cluster_place(), g_sentence);
    fflush(stderr);
    if (!together) un_cluster_abort(code ? code : UN_EXIT_FAILURE);
    un_cluster_end();
    return code;
}

int un_cli_start(const un_cli_common *common) {
    g_level =
        common->quiet ? UNSEEN_LOG_ERROR : (common->verbose ? UNSEEN_LOG_DEBUG : UNSEEN_LOG_INFO);
    un_set_log(print_log, NULL);
    g_shows_progress =
        !common->quiet && un_cluster_rank(un_cluster_all()) == 0 && isatty(STDERR_FILENO);
    un_set_progress(un_cli_progress, NULL, &un_cli_stop);
    int threads = common->threads;
    if (threads == 0 && un_cluster_size(un_cluster_all()) > 1) threads = un_cli_rank_threads;
    return un_set_threads(threads) == UNSEEN_OK ? UN_EXIT_OK : un_cli_fail();
}

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

/* ---- standard output ---- */

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

int un_cli_is_standard(const char *path) { return path && !strcmp(path, "-"); }

const char *un_cli_output_path(const char *path) {
    return un_cli_is_standard(path) ? UN_STANDARD_OUTPUT : path;
}

int un_cli_write_json(const char *path, const json_t *value) {
    if (un_cli_is_standard(path)) {
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

/* ---- options ---- */

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

enum { KEY_THREADS = 0x1001, KEY_PRECISION, KEY_SEED };

static const struct argp_option g_common_options[] = {
    {"threads", KEY_THREADS, "N", 0, "threads; 0 takes every processor (default 0)", 90},
    {"precision", KEY_PRECISION, "auto|f32|bf16", 0,
     "type of matrix products; auto takes bf16 where the processor multiplies "
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

void un_cli_check_method(struct argp_state *state, const char *name) {
    const un_method_class *class = NULL;
    if (un_method_find(name, &class)) argp_error(state, "%s", un_error());
}

void un_cli_miss_method(struct argp_state *state, const char *command) {
    un_name_list names = {0};
    const char *name = NULL;
    for (size_t i = 0; (name = unseen_method_name(i)) != NULL; i++)
        un_name_list_say(&names, SIZE_MAX, "%s", name);
    argp_error(state, "which method: %s%s? For example: unseen %s %s", names.text,
               un_name_list_more(&names), command, unseen_method_name(0));
}

int un_cli_parse(const struct argp *argp, int argc, char **argv, void *input, int *exit_code) {
    if (argc > 1 && !strncmp(argv[1], "--help=", sizeof "--help=" - 1)) {
        *exit_code = UN_EXIT_OK;
        if (!un_cli_reference(argp, argc, argv))
            *exit_code = un_cli_usage("--help takes man, not \"%s\"", argv[1] + sizeof "--help");
        return 0;
    }
    argp_err_exit_status = UN_EXIT_USAGE;
    /* All ranks have the same arguments; the first one tells what is wrong with them. */
    FILE *const errors = stderr;
    FILE *nowhere = un_cluster_is_apart() ? NULL : fopen("/dev/null", "w");
    if (nowhere) stderr = nowhere;
    error_t code = argp_parse(argp, argc, argv, 0, NULL, input);
    stderr = errors;
    if (nowhere) fclose(nowhere);
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

/* ---- results ---- */

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

static int same_seed(const json_t *results) {
    for (size_t i = 1; i < json_array_size(results); i++)
        if (!json_equal(json_object_get(json_array_get(results, i), "seed"),
                        json_object_get(json_array_get(results, 0), "seed")))
            return 0;
    return 1;
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
    size_t models = json_array_size(results);
    long long runs = json_integer_value(json_object_get(summary, "n"));
    if (json_object_get(json_array_get(results, 0), UN_TRAINED_ON)) {
        printf("%zu models without test figures: no mean, no deviation\n", models);
        goto done;
    }
    if (runs == 1) {
        printf("%zu models of one run, so there is no deviation%s\n", models,
               same_seed(results) ? "" : ": a closed form draws nothing, whatever the seed");
        goto done;
    }
    printf("%zu models", models);
    if ((size_t)runs < models) printf(" of %lld runs", runs);
    printf(", mean ± sd in percent, selection: %s\n", text_of(summary, "selection"));
    const json_t *mean = json_object_get(summary, "mean"), *sd = json_object_get(summary, "sd");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char m[16], d[16];
        int measured = json_is_number(json_object_get(mean, rows[i].key));
        if (!measured && strchr(rows[i].key, '_')) continue; /* there is no such gamma */
        printf("  %s ± %s   %s\n", percent(mean, rows[i].key, m), percent(sd, rows[i].key, d) + 1,
               rows[i].label);
    }
done:
    json_decref(summary);
    return UN_EXIT_OK;
}

/* ---- questions about pictures: which model, which pictures, which candidates ---- */

enum { KEY_BACKBONE = 0x1201, KEY_AMONG, KEY_CLASSES, KEY_STORED, KEY_ORIENTATION };

static const struct argp_option g_pictures_options[] = {
    {"backbone", KEY_BACKBONE, "WEIGHTS", 0,
     "the weights file that the model's features were extracted with (not needed for the built-in "
     "descriptor)",
     1},
    {"among", KEY_AMONG, "all|seen|unseen|new", 0,
     "which classes are candidates; new: those of --classes (default all)", 1},
    {"classes", KEY_CLASSES, "NEW.csv", 0,
     "new classes by description, without training, or new descriptions of old ones: a table of "
     "classes and attributes, or lines NAME,ATTRIBUTE=VALUE,..., in the units of the training "
     "table; may be repeated (default: none)",
     1},
    {"orientation", KEY_ORIENTATION, "exif|stored", 0,
     "turn pictures as EXIF says, or take them as they are stored (default: as those that the "
     "model "
     "learned from)",
     2},
    {"ignore-exif", KEY_STORED, NULL, 0, "the same as --orientation stored", 2},
    {0}};

size_t un_cli_parse_top(struct argp_state *state, const char *text, size_t most) {
    return un_cli_integer(state, "--top", text, 1, most);
}

static unseen_among parse_among(struct argp_state *state, const char *text) {
    static const char *const names[] = {[UNSEEN_AMONG_ALL] = "all",
                                        [UNSEEN_AMONG_SEEN] = "seen",
                                        [UNSEEN_AMONG_UNSEEN] = "unseen",
                                        [UNSEEN_AMONG_NEW] = "new"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(text, names[i])) return (unseen_among)i;
    argp_error(state, "--among must be all, seen, unseen or new, not \"%s\"", text);
    return UNSEEN_AMONG_ALL;
}

/* The first argument is the model, the rest are pictures; the first failure is kept. */
static void add_argument(un_cli_pictures *p, const char *text) {
    if (!p->model)
        p->model = text;
    else if (!p->list_status)
        p->list_status = p->from_stdin && strcmp(text, "-") == 0
                             ? un_path_list_read(&p->pictures, stdin)
                             : un_path_list_add(&p->pictures, text);
}

static error_t parse_pictures(int key, char *text, struct argp_state *state) {
    un_cli_pictures *p = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &p->common; return 0;
    case KEY_BACKBONE: p->backbone = text; return 0;
    case KEY_AMONG: p->among = parse_among(state, text); return 0;
    case KEY_CLASSES:
        if (p->class_file_count == UN_CLI_CLASS_FILES)
            argp_error(state, "at most %d --classes", UN_CLI_CLASS_FILES);
        p->class_files[p->class_file_count++] = text;
        return 0;
    case KEY_STORED: p->orientation = UN_ORIENTATION_STORED; return 0;
    case KEY_ORIENTATION: p->orientation = un_cli_parse_orientation(state, text); return 0;
    case ARGP_KEY_ARG: add_argument(p, text); return 0;
    case ARGP_KEY_END:
        if (!p->model) argp_error(state, "which model?");
        if (!p->list_status && p->pictures.count == 0 && p->pictures.problem)
            p->list_status = un_fail(UNSEEN_E_ARGUMENT, "%s", p->pictures.problem);
        if (!p->list_status && p->pictures.count == 0) argp_error(state, "which pictures?");
        if (p->among == UNSEEN_AMONG_NEW && p->class_file_count == 0)
            argp_error(state, "--among new needs --classes");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp g_pictures_argp = {
    .options = g_pictures_options, .parser = parse_pictures, .children = un_cli_common_children};

const struct argp_child un_cli_pictures_children[] = {{&g_pictures_argp, 0, NULL, 0}, {0}};

unseen_orientation un_cli_orientation(un_orientation orientation) {
    return orientation == UN_ORIENTATION_EXIF     ? UNSEEN_ORIENTATION_EXIF
           : orientation == UN_ORIENTATION_STORED ? UNSEEN_ORIENTATION_STORED
                                                  : UNSEEN_ORIENTATION_MODEL;
}

un_status un_cli_model_open(const un_cli_common *common, const char *path, unseen_model **out) {
    unseen_model_options options;
    unseen_model_options_init(&options, sizeof options);
    options.precision = common->precision;
    return unseen_model_open_with(path, &options, out);
}

un_status un_cli_dataset_open(const char *directory, const char *images, unseen_dataset **out) {
    unseen_dataset *data = NULL;
    UN_TRY(unseen_dataset_open(directory, &data));
    un_status status = images ? unseen_dataset_use_images(data, images) : UNSEEN_OK;
    if (status)
        unseen_dataset_close(data);
    else
        *out = data;
    return status;
}

un_status un_cli_pictures_open(const un_cli_pictures *p, unseen_model **out) {
    unseen_model *model = NULL;
    UN_TRY(un_cli_model_open(&p->common, p->model, &model));
    *out = model; /* released by the caller in any case */
    UN_TRY(unseen_model_attach_backbone(model, p->backbone));
    UN_TRY(unseen_model_set_orientation(model, un_cli_orientation(p->orientation)));
    for (size_t i = 0; i < p->class_file_count; i++)
        UN_TRY(unseen_model_read_classes(model, p->class_files[i]));
    return UNSEEN_OK;
}

size_t un_cli_report_empty(const un_cli_pictures *p) {
    size_t more = p->pictures.empty > 1 ? p->pictures.empty - 1 : 0;
    if (p->pictures.empty == 0) return 0;
    if (more > 0)
        un_log(UNSEEN_LOG_ERROR, "unseen: %s, nor below %zu more", p->pictures.problem, more);
    else
        un_log(UNSEEN_LOG_ERROR, "unseen: %s", p->pictures.problem);
    return p->pictures.empty;
}

void un_cli_report_ignored(size_t count, const un_cli_pictures *p) {
    if (count == 0 || p->orientation != UN_ORIENTATION_UNSAID) return;
    un_log(UNSEEN_LOG_WARNING,
           "the EXIF orientation of %zu picture%s was ignored, as it was when the model learned; "
           "--orientation exif turns them",
           count, count == 1 ? "" : "s");
}

void un_cli_pictures_free(un_cli_pictures *p) { un_path_list_free(&p->pictures); }
