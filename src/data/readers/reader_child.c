/* reader_child.c - running a foreign library in a child process; see reader_child.h. */
#include "data/readers/reader_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/file.h"
#include "data/readers/text.h"

/* Address space beyond what the parent had: a large chunk unpacked, names of some million
 * images. */
static const size_t MEMORY_LIMIT = (size_t)4 << 30;
/* Processor time for a question: a start, and the slowest rate of reading. */
enum { SECONDS_MIN = 60, BYTES_PER_SECOND = 4 << 20 };

/* ---- the parent's side ---- */

un_status un_child_start(un_reader_child *child, const char *path, const char *library,
                         un_child_main run) {
    int pair[2];
    *child = UN_READER_CHILD_NONE;
    child->path = path;
    child->library = library;
    void *memory = mmap(NULL, UN_CHILD_MEMORY, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return un_fail_errno(errno, "%s: no shared memory to read it through", path);
    child->memory = memory;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return un_fail_errno(errno, "%s: cannot start its reader", path);
    for (int i = 0; i < 2; i++) pair[i] = un_descriptor_above(pair[i]);
    if (pair[0] < 0 || pair[1] < 0) {
        int code = errno;
        for (int i = 0; i < 2; i++)
            if (pair[i] >= 0) close(pair[i]);
        return un_fail_errno(code, "%s: cannot start its reader", path);
    }
    child->pid = fork();
    if (child->pid == 0) {
        run(path, pair[1], memory);
        _exit(0);
    }
    int code = errno;
    close(pair[1]);
    child->socket = pair[0];
    if (child->pid < 0) return un_fail_errno(code, "%s: cannot start its reader", path);
    (void)mprotect(memory, UN_CHILD_MEMORY, PROT_READ);
    return UNSEEN_OK;
}

/* Ends the child; returns its wait status, or -1 if that is not to be had. */
static int end_child(un_reader_child *child, int kill_it) {
    int result = -1;
    if (child->pid > 0) {
        if (kill_it) kill(child->pid, SIGKILL);
        while (waitpid(child->pid, &result, 0) < 0) {
            if (errno == EINTR) continue;
            result = -1;
            break;
        }
    }
    child->pid = -1;
    return result;
}

void un_child_stop(un_reader_child *child) {
    if (child->socket >= 0) close(child->socket);
    end_child(child, 1); /* it only reads: nothing to finish */
    if (child->memory) munmap(child->memory, UN_CHILD_MEMORY);
    *child = UN_READER_CHILD_NONE;
}

/* The sentence about a child that is gone. */
static un_status child_died(un_reader_child *child, const char *what) {
    int result = end_child(child, 0);
    int number = result != -1 && WIFSIGNALED(result) ? WTERMSIG(result) : 0;
    if (number == SIGXCPU)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: reading %s takes far too long; the file is damaged, get it again",
                       child->path, what);
    if (number == SIGKILL)
        return un_fail(UNSEEN_E_MEMORY,
                       "%s: the process that reads it was killed while reading %s; is there "
                       "enough memory?",
                       child->path, what);
    if (number == 0)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: %s ended while reading %s; the file is damaged, get it again",
                       child->path, child->library, what);
    return un_fail(UNSEEN_E_FORMAT,
                   "%s: %s crashed (signal %d) while reading %s; the file is damaged, get it again",
                   child->path, child->library, number, what);
}

static int transfer_all(int fd, void *data, size_t n, int sending) {
    char *bytes = data;
    while (n > 0) {
        ssize_t done = sending ? send(fd, bytes, n, MSG_NOSIGNAL) : recv(fd, bytes, n, 0);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return 0;
        bytes += done;
        n -= (size_t)done;
    }
    return 1;
}

un_status un_child_send(un_reader_child *child, const void *request, size_t bytes,
                        const char *what) {
    if (child->pid < 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: %s crashed on it before; open it again", child->path,
                       child->library);
    if (!transfer_all(child->socket, (void *)(uintptr_t)request, bytes, 1))
        return child_died(child, what);
    return UNSEEN_OK;
}

un_status un_child_receive(un_reader_child *child, const char *what, un_child_answer *answer) {
    if (!transfer_all(child->socket, answer, sizeof *answer, 0)) return child_died(child, what);
    answer->failure.sentence[sizeof answer->failure.sentence - 1] = 0;
    int known = answer->status >= UNSEEN_OK && answer->status <= UNSEEN_E_INTERRUPTED;
    if (!known || answer->bytes > UN_CHILD_MEMORY || answer->count > UN_CHILD_MEMORY)
        return un_child_astray(child, what);
    return answer->status ? un_failure_put_back(&answer->failure, answer->status) : UNSEEN_OK;
}

un_status un_child_ask(un_reader_child *child, const void *request, size_t bytes, const char *what,
                       un_child_answer *answer) {
    UN_TRY(un_child_send(child, request, bytes, what));
    return un_child_receive(child, what, answer);
}

un_status un_child_astray(const un_reader_child *child, const char *what) {
    return un_fail(UNSEEN_E_FORMAT, "%s: %s went astray while reading %s", child->path,
                   child->library, what);
}

un_status un_child_strings(const un_reader_child *child, const un_child_answer *answer,
                           const char *what, un_arena *arena, char ***out, size_t *count) {
    int whole = 0;
    *count = (size_t)answer->count;
    UN_TRY(un_text_split((const char *)child->memory, (size_t)answer->bytes, *count, arena, out,
                         &whole));
    return whole ? UNSEEN_OK : un_child_astray(child, what);
}

/* ---- the child's side ---- */

int un_child_confine(int socket, const char *path) {
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU, SIGSYS};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) signal(fatal[i], SIG_DFL);
    signal(SIGINT, SIG_IGN); /* the parent decides what an interrupt means */
    signal(SIGTERM, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3 && null >= 0; fd++) dup2(null, fd);
    /* Locks and files of the parent must not outlive it here. */
    if (socket > 3) close_range(3, (unsigned)socket - 1, 0);
    close_range((unsigned)socket + 1, ~0u, 0);
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    size_t memory = un_memory_limit(MEMORY_LIMIT);
    const struct rlimit space = {memory, memory};
    if (memory > 0) setrlimit(RLIMIT_AS, &space);
    int fd = un_open(path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0) un_fail_errno(errno, "cannot read %s", path);
    un_filter_calls(0);
    return fd;
}

void un_child_limit_time(uint64_t bytes) {
    struct rusage used;
    struct rlimit limit;
    if (getrusage(RUSAGE_SELF, &used) != 0 || getrlimit(RLIMIT_CPU, &limit) != 0) return;
    rlim_t seconds = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + SECONDS_MIN +
                     (rlim_t)(bytes / BYTES_PER_SECOND);
    limit.rlim_cur = seconds < limit.rlim_max ? seconds : limit.rlim_max;
    setrlimit(RLIMIT_CPU, &limit);
}

int un_child_next(int socket, void *request, size_t bytes) {
    return transfer_all(socket, request, bytes, 0);
}

int un_child_reply(int socket, un_child_answer *answer) {
    if (answer->status) un_failure_keep(&answer->failure);
    return transfer_all(socket, answer, sizeof *answer, 1);
}

un_status un_child_room(const char *path, uint64_t bytes) {
    if (bytes <= UN_CHILD_MEMORY) return UNSEEN_OK;
    return un_fail(UNSEEN_E_UNSUPPORTED, "%s: more than %zu MiB in one piece", path,
                   UN_CHILD_MEMORY >> 20);
}
