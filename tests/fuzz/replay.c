/*
 * replay.c - the fuzz targets without a fuzzer.
 *
 *     fuzz_replay TARGET [--mutations N] [--seconds S] PATH…
 *         Every file of PATH… (files, or folders of them) through the target: files called
 *         bad… must be refused, others but found… must be taken. Then N deterministic mutations
 *         of each, as far as S seconds reach.
 *     fuzz_replay --make FOLDER
 *         FOLDER/<target>/ with the seeds of every target.
 *     fuzz_replay --list
 *
 * An input that crashes, hangs or breaks a promise is kept as crash-<target>-<number> in the
 * working directory, or in the folder that UNSEEN_FUZZ_CRASHES names.
 */
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"

enum { MAX_FILES = 4096, LARGEST = 1 << 20, MEMORY_MIB = 1536 };
#if defined(__SANITIZE_ADDRESS__)
enum { CPU_SECONDS = 20 };
#else
enum { CPU_SECONDS = 4 };
#endif
/* Of any input, whatever else the machine does: waiting for something that does not come. */
enum { WALL_SECONDS = 120 };

typedef struct {
    char *path;
    const char *name; /* the part after the last '/' */
    uint8_t *data;
    size_t size;
} input;

static input g_inputs[MAX_FILES];
static size_t g_input_count;

/* The input at work, for the crash file. */
static const uint8_t *g_data;
static size_t g_size;
static const char *g_target_name, *g_source = "";
static unsigned g_mutation; /* 0: the file as it is */
static volatile sig_atomic_t g_working;

/* Only calls that are allowed in a signal handler, but for snprintf. */
static void keep_input(void) {
    char path[600], text[1400];
    const char *folder = getenv("UNSEEN_FUZZ_CRASHES");
    if (!g_working) return;
    g_working = 0;
    snprintf(path, sizeof path, "%s/crash-%s-%d", folder && folder[0] ? folder : ".", g_target_name,
             (int)getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int kept = fd >= 0 && write(fd, g_data, g_size) == (ssize_t)g_size;
    if (fd >= 0) close(fd);
    int n = snprintf(text, sizeof text,
                     "\nTarget %s failed on %s, mutation %u.\n%s %s\n"
                     "Replay: fuzz_replay %s %s\n",
                     g_target_name, g_source, g_mutation,
                     kept ? "The input is kept:" : "The input could not be kept:", path,
                     g_target_name, path);
    if (write(STDERR_FILENO, text, (size_t)n) < 0) return;
}

static void on_signal(int number) {
    static const char HANG[] = "\nThe input takes too long.\n";
    if ((number == SIGPROF || number == SIGALRM) && write(STDERR_FILENO, HANG, sizeof HANG - 1) < 0)
        _exit(1);
    keep_input();
    signal(number, SIG_DFL);
    raise(number);
}

static void on_exit_while_working(void) {
    if (!g_working) return;
    fprintf(stderr, "the process ended in the middle of an input\n");
    keep_input();
    _exit(1);
}

/* Of the sanitizers, where there are any. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

static void watch(void) {
    static const int fatal[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGPROF, SIGALRM};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
        struct sigaction old;
        /* A sanitizer's own handler says more, and calls back. */
        if (sigaction(fatal[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
            signal(fatal[i], on_signal);
    }
    if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(keep_input);
    atexit(on_exit_while_working);
}

static void set_timers(time_t cpu, unsigned wall) {
    const struct itimerval limit = {.it_value = {.tv_sec = cpu}};
    setitimer(ITIMER_PROF, &limit, NULL);
    alarm(wall);
}

static int run(const fuzz_target *target, const uint8_t *data, size_t size) {
    g_data = data;
    g_size = size;
    g_working = 1;
    set_timers(CPU_SECONDS, WALL_SECONDS);
    int taken = fuzz_run(target, data, size);
    set_timers(0, 0);
    g_working = 0;
    return taken;
}

static int fail(const char *what, const char *which) {
    fprintf(stderr, "fuzz_replay: %s %s\n", what, which);
    return 1;
}

static int add_file(const char *path) {
    char *bytes = NULL;
    size_t size = 0;
    if (g_input_count == MAX_FILES || un_file_read(path, LARGEST, &bytes, &size) != UNSEEN_OK)
        return fail("cannot read", path);
    input *in = &g_inputs[g_input_count++];
    *in = (input){.path = strdup(path), .size = size, .data = malloc(size > 0 ? size : 1)};
    if (!in->path || !in->data) return fail("out of memory for", path);
    /* To the byte, so that reading beyond it is seen. */
    if (size > 0) memcpy(in->data, bytes, size);
    free(bytes);
    const char *slash = strrchr(in->path, '/');
    in->name = slash ? slash + 1 : in->path;
    return 0;
}

static int by_path(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_path(const char *path) {
    struct dirent **entries = NULL;
    int failed = 0;
    if (!un_path_is_directory(path)) return add_file(path);
    int n = scandir(path, &entries, NULL, by_path);
    if (n < 0) return fail("cannot read", path);
    for (int i = 0; i < n; i++) {
        char file[4096];
        snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
        if (!failed && entries[i]->d_name[0] != '.') failed = add_file(file);
        free(entries[i]);
    }
    free(entries);
    return failed;
}

/* ---- mutations ---- */

enum { GROWTH = 256 };

static const char *const g_tokens[] = {"-1",
                                       "0",
                                       "1e999",
                                       "nan",
                                       "-0.0",
                                       "18446744073709551615",
                                       "9223372036854775808",
                                       "2147483647",
                                       "4294967296",
                                       "0.5",
                                       "\"",
                                       "\n",
                                       "\r\n",
                                       ",",
                                       ";",
                                       "\t",
                                       "{",
                                       "}",
                                       "[",
                                       "]",
                                       ":",
                                       "null",
                                       "true",
                                       "\xEF\xBB\xBF",
                                       "\xFF",
                                       "\xC3\xA9",
                                       "@@ a\n",
                                       "../",
                                       "=",
                                       " "};

/* 0 to n - 1. */
static size_t pick(un_rng *rng, size_t n) { return (size_t)un_rng_below(rng, n); }

static void mutate_once(un_rng *rng, uint8_t *data, size_t *size, size_t room) {
    static const uint8_t bytes[] = {0, 1, 0x7F, 0x80, 0xFF, '0', '9', '"', '\n', ' ', ',', '-'};
    size_t n = *size, at = n > 0 ? pick(rng, n) : 0;
    size_t span = n > at ? 1 + pick(rng, n - at < 64 ? n - at : 64) : 0;
    switch (pick(rng, 9)) {
    case 0: /* a bit */
        if (n > 0) data[at] ^= (uint8_t)(1u << pick(rng, 8));
        break;
    case 1: /* a byte */
        if (n > 0) data[at] = bytes[pick(rng, sizeof bytes)];
        break;
    case 2:
        if (n > 0) data[at] = (uint8_t)pick(rng, 256);
        break;
    case 3: /* cut out */
        memmove(data + at, data + at + span, n - at - span);
        *size -= span;
        break;
    case 4: /* cut off */
        if (pick(rng, 4) == 0) *size = at;
        break;
    case 5: /* twice */
        if (n + span <= room) {
            memmove(data + at + span, data + at, n - at);
            *size += span;
        }
        break;
    case 6: { /* a token, in between or instead */
        const char *token = g_tokens[pick(rng, sizeof g_tokens / sizeof *g_tokens)];
        size_t m = strlen(token);
        if (n + m <= room) {
            memmove(data + at + m, data + at, n - at);
            memcpy(data + at, token, m);
            *size += m;
        }
        break;
    }
    case 7: /* one place from another */
        if (n > 0) memmove(data + pick(rng, n - span + 1), data + at, span);
        break;
    default: /* a number of 32 bits */
        if (n >= at + 4 && n >= 4) {
            static const uint32_t values[] = {0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000};
            memcpy(data + at, &values[pick(rng, 6)], 4);
        }
        break;
    }
}

static void run_mutation(const fuzz_target *target, size_t i, unsigned number) {
    un_rng rng = un_rng_stream(number, g_inputs[i].name, i);
    size_t room = g_inputs[i].size + GROWTH, size = g_inputs[i].size;
    uint8_t *work = malloc(room);
    if (!work) abort();
    memcpy(work, g_inputs[i].data, size);
    for (size_t k = 1 + pick(&rng, 4); k > 0; k--) mutate_once(&rng, work, &size, room);
    uint8_t *exact = malloc(size > 0 ? size : 1);
    if (!exact) abort();
    memcpy(exact, work, size);
    free(work);
    g_source = g_inputs[i].path;
    g_mutation = number;
    (void)run(target, exact, size);
    free(exact);
}

/* ---- the commands ---- */

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int check_memory(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    if (usage.ru_maxrss <= (long)MEMORY_MIB * 1024) return 0;
    fprintf(stderr, "small files took %ld MiB of memory\n", usage.ru_maxrss / 1024);
    return 1;
}

/* The files as they are; the number of those that were not taken or refused as they should be. */
static int run_files(const fuzz_target *target) {
    int wrong = 0;
    for (size_t i = 0; i < g_input_count; i++) {
        const input *in = &g_inputs[i];
        g_source = in->path;
        g_mutation = 0;
        int taken = run(target, in->data, in->size), bad = strncmp(in->name, "bad", 3) == 0;
        if (strncmp(in->name, "found", 5) == 0 || taken != bad) continue;
        fprintf(stderr, "%s was %s: %s\n", in->path, taken ? "taken" : "refused",
                taken ? "nothing was said" : un_error());
        wrong++;
    }
    return wrong;
}

static int replay(const char *name, char **arguments) {
    unsigned mutations = 0, done = 0;
    double seconds = 1e9, began = now();
    const fuzz_target *target = fuzz_start(name);
    if (!target) return fail("there is no target", name);
    g_target_name = target->name;
    for (; *arguments; arguments++) {
        if (!strcmp(*arguments, "--mutations") && arguments[1])
            mutations = (unsigned)strtoul(*++arguments, NULL, 10);
        else if (!strcmp(*arguments, "--seconds") && arguments[1])
            seconds = strtod(*++arguments, NULL);
        else if (add_path(*arguments))
            return 1;
    }
    if (g_input_count == 0) return fail("there are no files for", name);
    watch();
    int wrong = run_files(target);
    for (unsigned m = 1; m <= mutations && now() - began < seconds; m++)
        for (size_t i = 0; i < g_input_count && now() - began < seconds; i++, done++)
            run_mutation(target, i, m);
    printf("%s: %zu files, %u mutations\n", name, g_input_count, done);
    return wrong > 0 || check_memory();
}

static int make(const char *folder) {
    char path[4096];
    (void)mkdir(folder, 0777);
    if (!fuzz_start(fuzz_targets[0].name)) return 1;
    for (const fuzz_target *t = fuzz_targets; t->name; t++) {
        snprintf(path, sizeof path, "%s/%s", folder, t->name);
        (void)mkdir(path, 0777);
        fuzz_seeds_at = path;
        t->seed();
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && !strcmp(argv[1], "--list")) {
        for (const fuzz_target *t = fuzz_targets; t->name; t++) puts(t->name);
        return 0;
    }
    if (argc == 3 && !strcmp(argv[1], "--make")) return make(argv[2]);
    if (argc >= 3 && argv[1][0] != '-') return replay(argv[1], argv + 2);
    fprintf(stderr, "usage: fuzz_replay TARGET [--mutations N] [--seconds S] PATH...\n"
                    "       fuzz_replay --make FOLDER\n       fuzz_replay --list\n");
    return 2;
}
