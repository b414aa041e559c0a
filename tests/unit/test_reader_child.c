/*
 * test_reader_child.c - what a process that reads a foreign file can still do: read that
 * file, use memory, answer; and nothing else. The host program is left as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/confine.h"
#include "data/readers/hdf5.h"
#include "data/readers/reader_child.h"

static const char PATH[] = UNSEEN_TEST_DATA "/mat/h5py.mat";

/* ---- what the child of a test tries ---- */

typedef struct {
    int number;
} question;

static int opens_file(void) { return open("/etc/passwd", O_RDONLY) >= 0; }
static int makes_file(void) {
    return open("/tmp/unseen-test-reader", O_CREAT | O_WRONLY, 0600) >= 0;
}
static int removes_file(void) {
    return unlink("/tmp/unseen-test-reader-other") == 0 || errno != EPERM;
}
static int makes_socket(void) { return socket(AF_INET, SOCK_STREAM, 0) >= 0; }
static int signals_parent(void) { return kill(getppid() > 1 ? getppid() : getpid(), 0) == 0; }
static int makes_process(void) {
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    return pid > 0;
}
static int runs_program(void) {
    execl("/bin/true", "true", (char *)NULL);
    return errno != EPERM;
}
static int makes_code(void) {
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
           MAP_FAILED;
}
static int changes_limits(void) {
    return prlimit(getppid() > 1 ? getppid() : 1, RLIMIT_NOFILE, NULL, &(struct rlimit){0, 0}) == 0;
}

static int (*const FORBIDDEN[])(void) = {
    opens_file,    makes_file,   removes_file, makes_socket,   signals_parent,
    makes_process, runs_program, makes_code,   changes_limits,
};
enum { FORBIDDEN_COUNT = sizeof FORBIDDEN / sizeof *FORBIDDEN };

/* Things it needs: numbers behind the forbidden ones. */
static int reads_file(int fd) {
    char head[4];
    return pread(fd, head, 4, 1) == 4 && !memcmp(head, "HDF\r", 4);
}
static int has_memory(void) {
    char *bytes = malloc(64 << 20);
    if (!bytes) return 0;
    memset(bytes, 1, 64 << 20);
    int good = bytes[(64 << 20) - 1] == 1;
    free(bytes);
    return good;
}

static void run(const char *path, int socket_, unsigned char *memory) {
    question q;
    int fd = un_child_confine(socket_, path);
    memory[0] = (unsigned char)prctl(PR_GET_SECCOMP);
    memory[1] = (unsigned char)prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    while (un_child_next(socket_, &q, sizeof q)) {
        un_child_answer answer = {0};
        if (q.number < FORBIDDEN_COUNT)
            answer.count = (uint64_t)FORBIDDEN[q.number]();
        else if (q.number == FORBIDDEN_COUNT)
            answer.count = (uint64_t)reads_file(fd);
        else if (q.number == FORBIDDEN_COUNT + 1)
            answer.count = (uint64_t)has_memory();
        else if (q.number == FORBIDDEN_COUNT + 2)
            answer.status = un_fail_errno(EACCES, "cannot read it");
        else
            abort();
        if (!un_child_reply(socket_, &answer)) break;
    }
}

/* Whether this system lets a process filter its calls: a container may not. */
static int system_filters(void) {
    int result = 0;
    pid_t pid = fork();
    if (pid == 0) _exit(un_filter_calls(0) ? 0 : 1);
    return pid > 0 && waitpid(pid, &result, 0) == pid && WIFEXITED(result) &&
           WEXITSTATUS(result) == 0;
}

static uint64_t ask(un_reader_child *child, int number) {
    const question q = {.number = number};
    un_child_answer answer;
    if (un_child_ask(child, &q, sizeof q, "a test", &answer)) fail_msg("%s", un_error());
    return answer.count;
}

static void test_confined(void **state) {
    (void)state;
    un_reader_child child;
    assert_int_equal(un_child_start(&child, PATH, "the test", run), UNSEEN_OK);
    assert_int_equal(ask(&child, FORBIDDEN_COUNT), 1);
    assert_int_equal(ask(&child, FORBIDDEN_COUNT + 1), 1);
    int filtered = system_filters();
    for (int i = 0; filtered && i < FORBIDDEN_COUNT; i++)
        if (ask(&child, i) != 0) fail_msg("the child could do number %d", i);
    un_child_answer answer;
    question q = {.number = FORBIDDEN_COUNT + 2}; /* fails */
    assert_int_equal(un_child_ask(&child, &q, sizeof q, "a test", &answer), UNSEEN_E_IO);
    assert_string_equal(un_error(), "cannot read it: Permission denied");
    assert_int_equal(un_error_code(), EACCES);
    q.number++; /* dies by abort() */
    assert_int_equal(un_child_ask(&child, &q, sizeof q, "a test", &answer), UNSEEN_E_FORMAT);
    assert_non_null(strstr(un_error(), "crashed (signal 6)"));
    un_child_stop(&child);
    /* Nothing of it in this process. */
    assert_int_equal(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
    assert_int_equal(prctl(PR_GET_SECCOMP), 0);
    assert_true(opens_file());
    if (!filtered) skip(); /* the limits remain, and were tested so far */
}

/* The value of a line of /proc/PID/status; -1 if there is none. */
static long status_of(pid_t pid, const char *key) {
    char path[64];
    char line[256];
    long value = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, key, strlen(key))) value = strtol(line + strlen(key), NULL, 10);
    if (file) fclose(file);
    return value;
}

/* The only child of this thread. */
static pid_t child_of_mine(void) {
    char path[64];
    int pid = -1;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)gettid());
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%d", &pid) != 1) pid = -1;
    if (file) fclose(file);
    return pid;
}

/* The process that reads HDF5 is such a one. */
static void test_hdf5_is_confined(void **state) {
    (void)state;
    un_hdf5 *file = NULL;
    double *values = NULL;
    assert_int_equal(un_hdf5_open(&file, PATH), UNSEEN_OK);
    assert_int_equal(un_hdf5_read_double(file, "labels", &values), UNSEEN_OK);
    free(values);
    pid_t pid = child_of_mine();
    if (pid > 0 && system_filters()) {
        assert_int_equal(status_of(pid, "Seccomp:"), 2);
        assert_int_equal(status_of(pid, "NoNewPrivs:"), 1);
    }
    un_hdf5_close(file);
    if (pid < 0 || !system_filters()) skip();
}

/* A host that has closed its standard streams: their numbers are free for anybody. */
static void test_closed_streams(void **state) {
    (void)state;
    for (int closed = 0; closed < 8; closed++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            un_hdf5 *file = NULL;
            double *values = NULL;
            for (int fd = 0; fd < 3; fd++)
                if (closed >> fd & 1) close(fd);
            int good = un_hdf5_open(&file, PATH) == UNSEEN_OK &&
                       un_hdf5_read_double(file, "labels", &values) == UNSEEN_OK && values[8] == 9;
            free(values);
            un_hdf5_close(file);
            for (int fd = 0; fd < 3 && good; fd++) /* nothing was left on them */
                if (closed >> fd & 1) good = fcntl(fd, F_GETFD) < 0;
            _exit(good ? 0 : 1);
        }
        int result = 0;
        assert_int_equal(waitpid(pid, &result, 0), pid);
        assert_true(WIFEXITED(result));
        assert_int_equal(WEXITSTATUS(result), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_confined),
        cmocka_unit_test(test_hdf5_is_confined),
        cmocka_unit_test(test_closed_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
