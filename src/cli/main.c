/* main.c - finds the command and runs it. */
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/names.h"
#include "base/parallel.h"
#include "cli/cli.h"
#include "cluster/cluster.h"
#include "serve/decode.h"
#include "serve/decode_wire.h"
#include "tensor/gemm.h"
#include "tensor/kernels.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
    int shared; /* all ranks take part; else one does it, and the others wait */
} g_commands[] = {
    {"demo", un_cmd_demo, "the whole way once, on built-in data", 0},
    {"import", un_cmd_import, "bring a foreign data set into a data set directory", 0},
    {"words", un_cmd_words, "give the attributes of a data set their word vectors", 0},
    {"check", un_cmd_check, "verify a data set: splits, counts, leaks, hash", 0},
    {"inspect", un_cmd_inspect, "say what is in a file or directory", 0},
    {"extract", un_cmd_extract, "features of a data set's pictures through a backbone", 1},
    {"train", un_cmd_train, "train a method, choose its length and gamma, test it once", 1},
    {"eval", un_cmd_eval, "evaluate models under the protocol", 0},
    {"predict", un_cmd_predict, "name what pictures show", 0},
    {"explain", un_cmd_explain, "show why: attributes, where they are, one class against another",
     0},
    {"report", un_cmd_report, "one HTML page about models: numbers, curves, pictures", 0},
    {"serve", un_cmd_serve, "answer over HTTP, and on a page for people", 0},
    {"bench", un_cmd_bench, "measure the speed of a method on this machine", 0},
    {"completion", un_cmd_completion, "print what bash or zsh needs to complete all this", 0},
};
enum { COMMANDS = sizeof g_commands / sizeof *g_commands };

static void print_usage(FILE *out) {
    fputs(
        "Usage: unseen COMMAND [OPTION...]\n"
        "Zero-shot image classification: recognise classes that no training image ever showed.\n\n",
        out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-10s %s\n", g_commands[i].name, g_commands[i].summary);
    fputs("\n`unseen COMMAND --help` lists a command's options, `unseen --version` what was built "
          "in.\nExit status: 0 success, 2 wrong usage, 1 any other failure.\n",
          out);
}

static void print_version(void) {
    printf("unseen %s\n", unseen_version());
    fflush(stdout);
    un_cli_start(&(un_cli_common){0}); /* warnings are told, too */
    double rate = 0;
    const char *way = un_gemm_bf16_way(&rate);
    printf("matrix products: f32 by %s, bf16 by own %s blocks (%.*f GFLOP/s a thread)\n",
           un_gemm_backend(), way, rate < 10e9 ? 2 : 0, rate * 1e-9);
    printf("processor: %d available, features %s; loops built for %s\n", un_processor_count(),
           un_cpu_features(), un_kernels_isa());
}

/* Results that did not reach standard output are a failure, too, also of what ends in argp
 * (--help), as it does with all ranks, for they have the same arguments. */
static void end(int code, void *user) {
    (void)user;
    int told = un_cli_end_output(code);
    un_cli_leave(told);
    if (told != code) _exit(told);
}

/* Waiting threads of libgomp spin by default: with the machine to ourselves that gains nothing
 * measurable, and next to another busy process it slowed steps up to ten times. libgomp reads its
 * environment when it is loaded, before main. */
#define POLICY "OMP_WAIT_POLICY"
#define SPINS "GOMP_SPINCOUNT"

/* Neither the C library nor a sanitizer has been started when this runs. */
#define BEFORE_START __attribute__((no_sanitize("address", "undefined")))

BEFORE_START static int names_variable(const char *entry, const char *name) {
    while (*name && *entry == *name) entry++, name++;
    return !*name && *entry == '=';
}

/* What glibc calls after the libraries are in memory and before any of them is started, and so
 * before anything can be added to the environment: the setting takes the place of a variable that
 * a shell keeps for itself. */
BEFORE_START static void set_policy_early(int argc, char **argv, char **environment) {
    static char setting[] = POLICY "=passive";
    char **place = NULL;
    (void)argc;
    (void)argv;
    for (char **entry = environment; *entry; entry++) {
        if (names_variable(*entry, POLICY) || names_variable(*entry, SPINS)) return;
        if (names_variable(*entry, "_") || names_variable(*entry, "SHLVL")) place = entry;
    }
    if (place) *place = setting;
}

typedef void before_libraries(int argc, char **argv, char **environment);
__attribute__((section(".preinit_array"), used)) static before_libraries *const g_before_libraries =
    set_policy_early;

/* Without such a variable the program starts itself once more with the setting, and its libraries
 * are linked twice. */
static void wait_passively(char **argv) {
    if (getenv(POLICY) || getenv(SPINS)) return;
    if (setenv(POLICY, "passive", 1) == 0) execv("/proc/self/exe", argv);
    /* Without /proc it goes on as it is. */
}

/* Descriptors 0 to 2 are open from now on: a file that got one of them would receive messages, or
 * be read as standard input. */
static void open_standard_streams(void) {
    int fd = -1;
    do fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) close(fd);
}

static void write_text(const char *text) {
    if (write(STDERR_FILENO, text, strlen(text)) < 0) return; /* nobody to tell it to */
}

/* A page of a mapped file that cannot be had: the file was cut short meanwhile, or its disk failed.
 * Only calls that are allowed in a signal handler. Outputs have no names yet. */
static void on_bus_error(int number, siginfo_t *info, void *context) {
    (void)context;
    const char *file = un_map_at(info->si_addr);
    if (!file) { /* a fault of our own */
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    write_text("unseen: ");
    un_cli_write_notice(file);
    write_text(
        " was cut short while it was read, or its disk failed; run this again when it is whole\n");
    _exit(UN_EXIT_FAILURE);
}

static void catch_bus_error(void) {
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    action.sa_sigaction = on_bus_error;
    if (sigaction(SIGBUS, &action, NULL) == 0) un_map_always();
}

/* Only rank 0 writes to standard output. */
static void silence_others(void) {
    if (un_cluster_rank(un_cluster_all()) == 0) return;
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0) dup2(nowhere, STDOUT_FILENO);
    if (nowhere >= 0) close(nowhere);
}

/* Arguments behind each other, those with blanks in quotes. */
static un_status join_arguments(int argc, char **argv, char **out) {
    un_status status = un_format(out, "%s", "");
    for (int i = 1; i < argc && !status; i++) {
        char *before = *out;
        const char *quote = *argv[i] && !strpbrk(argv[i], " \t\n'") ? "" : "'";
        *out = NULL;
        status = un_format(out, "%s%s%s%s%s", before, i > 1 ? " " : "", quote, argv[i], quote);
        free(before);
    }
    return status;
}

/* Sums depend on the number of threads, and which rank does what may depend on who is free: so all
 * take as many as the one that has fewest processors. */
static un_status share_threads(void) {
    const int32_t mine = (int32_t)un_cluster_processors(un_processor_count());
    un_gathered all;
    int least = mine;
    UN_TRY(un_cluster_gather(un_cluster_all(), &mine, sizeof mine, &all));
    for (size_t r = 0; r < all.count; r++) {
        int32_t other = 0;
        memcpy(&other, all.data + all.begin[r], sizeof other);
        if (other < least) least = other;
    }
    un_gathered_free(&all);
    un_cli_rank_threads = least;
    return UNSEEN_OK;
}

/* Ranks that differ in what they are would differ in what they compute. */
static un_status compare_ranks(int argc, char **argv) {
    unsigned char digest[32];
    char program[2 * sizeof digest + 1] = "", processor[512], *line = NULL;
    if (un_cluster_size(un_cluster_all()) == 1) return UNSEEN_OK;
    UN_TRY(un_cluster_agree(un_file_sha256("/proc/self/exe", digest)));
    for (size_t i = 0; i < sizeof digest; i++) snprintf(program + 2 * i, 3, "%02x", digest[i]);
    UN_TRY(un_cluster_same("program file", program, 0));
    snprintf(processor, sizeof processor, "%s; loops for %s; f32 by %s, bf16 by %s",
             un_cpu_features(), un_kernels_isa(), un_gemm_backend(), un_gemm_bf16_way(NULL));
    UN_TRY(un_cluster_same("processor type", processor, 1));
    UN_TRY(share_threads());
    UN_TRY(un_cluster_agree(join_arguments(argc, argv, &line)));
    un_status status = un_cluster_same("command line", line, 1);
    free(line);
    return status;
}

/* argv[0] becomes what argp calls itself in messages. */
static int run_command(size_t command, int argc, char **argv) {
    char program[64];
    if (!g_commands[command].shared && un_cluster_rank(un_cluster_all()) > 0)
        return UN_CLUSTER_IDLE;
    snprintf(program, sizeof program, "unseen %s", g_commands[command].name);
    argv[0] = program;
    return g_commands[command].run(argc, argv);
}

/* What changes nothing of --help and --version, which may follow it. */
static int is_loudness(const char *word) {
    static const char *const words[] = {"-v", "--verbose", "-q", "--quiet"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(word, words[i])) return 1;
    return 0;
}

static int run(int argc, char **argv) {
    if (argc < 2) {
        print_usage(stderr);
        return UN_EXIT_USAGE;
    }
    const char *name = argv[1];
    for (int i = 1; i + 1 < argc && is_loudness(name); i++) name = argv[i + 1];
    if (!strcmp(name, "--help") || !strcmp(name, "-?") || !strcmp(name, "help")) {
        print_usage(stdout);
        return UN_EXIT_OK;
    }
    if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
        print_version();
        return UN_EXIT_OK;
    }
    name = argv[1];
    if (!strcmp(name, UN_CLI_PAGES)) {
        for (size_t i = 0; i < COMMANDS; i++) run_command(i, 2, (char *[]){NULL, argv[1], NULL});
        return un_cli_end_output(UN_EXIT_OK);
    }
    const int is_first = un_cli_next_is_first(argc, argv);
    const char *names[COMMANDS];
    name = argv[1];
    for (size_t i = 0; i < COMMANDS; i++) {
        names[i] = g_commands[i].name;
        if (is_first) un_cli_offer(names[i], argv[2]);
        if (strcmp(name, names[i]) != 0) continue;
        int code = run_command(i, argc - 1, argv + 1);
        return code == UN_CLUSTER_IDLE ? code : un_cli_end_output(code);
    }
    if (is_first) return un_cli_end_output(UN_EXIT_OK);
    return un_cli_usage("there is no command \"%s\"%s", name,
                        un_did_you_mean(name, names, COMMANDS).text);
}

int main(int argc, char **argv) {
    un_speak_as_program(); /* in processes for decoding, too */
    if (argc == 2 && !strcmp(argv[1], UN_DECODE_WORKER)) _exit(un_decode_worker(UN_DECODE_SOCKET));
    open_standard_streams();
    wait_passively(argv);
    un_status status = un_cluster_begin();
    catch_bus_error();
    silence_others();
    un_cli_guard_streams();
    on_exit(end, NULL);
    /* Text is UTF-8, and letters and numbers are the same for every user: a Turkish locale's small
     * I is not i. */
    setlocale(LC_CTYPE, "C.UTF-8");
    /* A full disk or a closed pipe should be an error to report, not a death. */
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    /* Give large buffers back to the system when they are freed: glibc would otherwise learn to
     * keep them, and a training of several runs would grow by what one run needs. */
    mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
    /* But not each small one at the heap's end, to have it cleared again for the next. */
    mallopt(M_TRIM_THRESHOLD, 16 * 1024 * 1024);
    if (!status) status = compare_ranks(argc, argv);
    return un_cli_leave(status ? un_cli_fail() : run(argc, argv));
}
