/*
 * fuzz_reader_child.c - what a reader's child answers, when the library in it has gone astray: the
 * input takes the place of its answers and of the memory that it shares. The program is linked
 * with --wrap=un_child_start, so that the child of this target is ours.
 *
 *     byte 0            number of answers, at most MOST_ANSWERS
 *     17 bytes each     status, bytes, count
 *     the rest          the shared memory, from its beginning
 */
#include "fuzz.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "data/readers/hdf5.h"
#include "data/readers/reader_child.h"

enum { MOST_ANSWERS = 12, ANSWER = 17, CHILD_SECONDS = 3 };

void fuzz_use_hdf5(un_hdf5 *file);

static const uint8_t *g_data; /* NULL: real children */
static size_t g_size;
static un_child_main g_real;

static void answer_all(int socket, const uint8_t *answers, size_t count) {
    char request[65536];
    for (size_t i = 0; i < count; i++) {
        un_child_answer answer = {0};
        uint8_t status = answers[i * ANSWER];
        if (recv(socket, request, sizeof request, 0) <= 0) return;
        /* Also numbers that are no status. */
        memcpy(&answer.status, &(uint32_t){status}, sizeof answer.status);
        memcpy(&answer.bytes, answers + i * ANSWER + 1, 8);
        memcpy(&answer.count, answers + i * ANSWER + 9, 8);
        memset(&answer.failure, 'x', sizeof answer.failure);
        if (send(socket, &answer, sizeof answer, MSG_NOSIGNAL) < 0) return;
    }
}

static void played_child(const char *path, int socket, unsigned char *memory) {
    size_t count = g_size > 0 ? g_data[0] % (MOST_ANSWERS + 1) : 0;
    (void)path;
    while (count > 0 && 1 + count * ANSWER > g_size) count--;
    size_t used = g_size > 0 ? 1 + count * ANSWER : 0;
    if (g_size > used) memcpy(memory, g_data + used, g_size - used);
    answer_all(socket, g_data + 1, count);
    _exit(0);
}

/* A library that loops on a damaged file is ended early: its limit is a minute, and a fuzzer has
 * no time for that. */
static void hurried_child(const char *path, int socket, unsigned char *memory) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    rlim_t most = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + CHILD_SECONDS;
    const struct rlimit limit = {most, most};
    signal(SIGPROF, SIG_IGN);
    setrlimit(RLIMIT_CPU, &limit);
    g_real(path, socket, memory);
}

un_status __real_un_child_start(un_reader_child *child, const char *path, const char *library,
                                un_child_main run);
un_status __wrap_un_child_start(un_reader_child *child, const char *path, const char *library,
                                un_child_main run);

un_status __wrap_un_child_start(un_reader_child *child, const char *path, const char *library,
                                un_child_main run) {
    g_real = run;
    return __real_un_child_start(child, path, library, g_data ? played_child : hurried_child);
}

int fuzz_run_reader_child(const uint8_t *data, size_t size) {
    static const uint8_t signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};
    un_hdf5 *file = NULL;
    g_data = data;
    g_size = size;
    fuzz_memory_may_lack = 1; /* the input plays the child */
    int taken = fuzz_taken(un_hdf5_open(&file, fuzz_file("a.hdf5", signature, sizeof signature)));
    if (taken) {
        fuzz_use_hdf5(file);
        un_hdf5_close(file);
    }
    g_data = NULL;
    return taken;
}

static size_t put_answer(uint8_t *out, un_status status, uint64_t bytes, uint64_t count) {
    out[0] = (uint8_t)status;
    memcpy(out + 1, &bytes, 8);
    memcpy(out + 9, &count, 8);
    return ANSWER;
}

void fuzz_seed_reader_child(void) {
    uint8_t bytes[1024] = {3};
    const un_hdf5_variable variables[] = {
        {.name = "labels", .type_name = "int64", .kind = UN_HDF5_NUMERIC, .rank = 1, .dims = {2}},
        {.name = "allclasses_names",
         .type_name = "text",
         .kind = UN_HDF5_TEXT,
         .rank = 1,
         .dims = {1}}};
    size_t n = 1;
    n += put_answer(bytes + n, UNSEEN_OK, sizeof variables, 2);
    n += put_answer(bytes + n, UNSEEN_OK, 16, 2);
    n += put_answer(bytes + n, UNSEEN_OK, 8, 1);
    memcpy(bytes + n, variables, sizeof variables);
    fuzz_seed("list", bytes, n + sizeof variables);
    bytes[0] = 0;
    fuzz_seed("bad_silence", bytes, 1);
    bytes[0] = 1;
    (void)put_answer(bytes + 1, UNSEEN_E_FORMAT, 0, 0);
    fuzz_seed("bad_refused", bytes, 1 + ANSWER);
    (void)put_answer(bytes + 1, UNSEEN_OK, 1, 1);
    fuzz_seed("bad_size", bytes, 1 + ANSWER);
    (void)put_answer(bytes + 1, UNSEEN_OK, UINT64_MAX / sizeof *variables * sizeof *variables,
                     UINT64_MAX / sizeof *variables);
    fuzz_seed("bad_huge", bytes, 1 + ANSWER);
}
