/* confine.c - see confine.h. */
#include "base/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the filter: a list of what is allowed, as a BPF program for seccomp. Numbers of system calls
 * come from the system's headers, so the list is right for the architecture that this is built for;
 * a call made in the manner of another one ends the process. Refused calls fail with EPERM instead of
 * ending it: libraries ask for things that they can do without (a plug-in, the time zone), and a
 * sanitizer at its end for many.
 *
 * PR_SET_NO_NEW_PRIVS is set for this process alone: one that started it is left as it was. ---- */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifdef ARCHITECTURE

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
/* The lower half of an argument, on little-endian machines: both are. */
#define LOAD_ARGUMENT(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[n]))
#define LOAD_UPPER(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[n]) + 4)
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, (action))
/* `action` if it is system call `name`. */
#define ANSWER(name, action) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), RETURN(action)
#define ALLOW(name) ANSWER(name, SECCOMP_RET_ALLOW)
/* Allowed if it is `name` and no bit of `bits` is set in argument n. */
#define ALLOW_WITHOUT(name, n, bits)                                                               \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 4), LOAD_ARGUMENT(n),                      \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (bits), 0, 1), RETURN(SECCOMP_RET_ERRNO | EPERM),     \
        RETURN(SECCOMP_RET_ALLOW)
/* Allowed if it is `name` and argument n is `value`, or has all its bits. */
#define ALLOW_ONLY(name, n, value)                                                                 \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 4), LOAD_ARGUMENT(n),                      \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 1, 0), RETURN(SECCOMP_RET_ERRNO | EPERM),     \
        RETURN(SECCOMP_RET_ALLOW)
#define ALLOW_WITH(name, n, bits)                                                                  \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 5), LOAD_ARGUMENT(n),                      \
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (bits)),                                               \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (bits), 1, 0), RETURN(SECCOMP_RET_ERRNO | EPERM),      \
        RETURN(SECCOMP_RET_ALLOW)

/* prlimit64 of this process (0), which reads limits and sets none: both halves of the pointer to new
 * ones are 0. */
#define ALLOW_READING_LIMITS                                                                       \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_prlimit64, 0, 8), LOAD_ARGUMENT(0),                   \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 5), LOAD_ARGUMENT(2),                            \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3), LOAD_UPPER(2),                               \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), RETURN(SECCOMP_RET_ALLOW),                   \
        RETURN(SECCOMP_RET_ERRNO | EPERM)

enum { LONGEST = 256, THREAD = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD };

/* program[*n] grows by `count` steps. */
static void append(struct sock_filter *program, size_t *n, const struct sock_filter *steps,
                   size_t count) {
    memcpy(program + *n, steps, count * sizeof *steps);
    *n += count;
}

static void add_common(struct sock_filter *program, size_t *n) {
    const struct sock_filter steps[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
        RETURN(SECCOMP_RET_KILL_PROCESS),
        LOAD(nr),
        /* what is open */
        ALLOW(read),
        ALLOW(pread64),
        ALLOW(readv),
        ALLOW(preadv),
        ALLOW(lseek),
        ALLOW(fstat),
        ALLOW(write),
        ALLOW(recvfrom),
        ALLOW(sendto),
        ALLOW(close),
        /* memory, none of it to be executed */
        ALLOW(brk),
        ALLOW_WITHOUT(mmap, 2, PROT_EXEC),
        ALLOW_WITHOUT(mprotect, 2, PROT_EXEC),
        ALLOW(munmap),
        ALLOW(mremap),
        ALLOW(madvise),
        /* its own limits (process 0), time, waiting, the end */
        ALLOW_READING_LIMITS,
        ALLOW(getrusage),
        ALLOW(clock_gettime),
        ALLOW(sysinfo),
        ALLOW(getrandom),
        ALLOW(getpid),
        ALLOW(gettid),
        ALLOW(futex),
        ALLOW(sched_yield),
        ALLOW(sched_getaffinity),
        ALLOW(rt_sigaction),
        ALLOW(rt_sigprocmask),
        ALLOW(rt_sigreturn),
        ALLOW(sigaltstack),
        ALLOW(restart_syscall),
        ALLOW_ONLY(tgkill, 0, (uint32_t)getpid()), /* abort() */
        ALLOW(exit),
        ALLOW(exit_group),
    };
    append(program, n, steps, sizeof steps / sizeof *steps);
}

/* Threads are not processes. clone3's flags are in memory, where they cannot be looked at; the C
 * library uses the other one where it is not there. */
static void add_threads(struct sock_filter *program, size_t *n) {
    const struct sock_filter steps[] = {
        ALLOW_WITH(clone, 0, THREAD),
        ANSWER(clone3, SECCOMP_RET_ERRNO | ENOSYS),
        ALLOW(set_robust_list),
        ALLOW(rseq),
        ALLOW(membarrier),
        ALLOW(getcpu),
        ALLOW(nanosleep),
        ALLOW(clock_nanosleep),
        ALLOW_ONLY(prctl, 0, PR_SET_NAME),
    };
    append(program, n, steps, sizeof steps / sizeof *steps);
}

/* How newer C libraries call fstat. A filter cannot see that the path is empty: with another one this
 * tells a file's size and times, so processes that live longer than one file do without. */
static void add_status(struct sock_filter *program, size_t *n) {
#ifdef __NR_newfstatat
    const struct sock_filter steps[] = {ALLOW_ONLY(newfstatat, 3, AT_EMPTY_PATH)};
    append(program, n, steps, sizeof steps / sizeof *steps);
#else
    (void)program, (void)n;
#endif
}

int un_filter_calls(int threads) {
    struct sock_filter program[LONGEST];
    const struct sock_filter refuse = RETURN(SECCOMP_RET_ERRNO | EPERM);
    size_t n = 0;
    add_common(program, &n);
    if (threads)
        add_threads(program, &n);
    else
        add_status(program, &n);
    append(program, &n, &refuse, 1);
    const struct sock_fprog filter = {.len = (unsigned short)n, .filter = program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 0;
    /* For the threads that there are, too. */
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) == 0;
}

#else

int un_filter_calls(int threads) {
    (void)threads;
    return 0;
}

#endif

/* ---- limits ---- */

static size_t address_space(void) {
    FILE *file = fopen("/proc/self/statm", "re");
    size_t pages = 0;
    if (!file) return 0;
    if (fscanf(file, "%zu", &pages) != 1) pages = 0;
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Address-space limits do not go together with a sanitizer's shadow memory. */
static int limits_memory(void) {
#if defined(__SANITIZE_ADDRESS__)
    return 0;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    return 0;
#else
    return 1;
#endif
#else
    return 1;
#endif
}

size_t un_memory_limit(size_t beyond) {
    size_t now = limits_memory() ? address_space() : 0;
    return now > 0 ? now + beyond : 0;
}

static un_status limit(__rlimit_resource_t resource, rlim_t most) {
    const struct rlimit to = {most, most};
    if (setrlimit(resource, &to) == 0) return UNSEEN_OK;
    return un_fail_errno(errno, "cannot limit what a process may use");
}

static un_status set_limits(size_t memory, uint64_t seconds) {
    size_t space = memory > 0 ? un_memory_limit(memory) : 0;
    if (space > 0) UN_TRY(limit(RLIMIT_AS, (rlim_t)space));
    if (seconds > 0) UN_TRY(limit(RLIMIT_CPU, (rlim_t)seconds));
    UN_TRY(limit(RLIMIT_CORE, 0));
    UN_TRY(limit(RLIMIT_FSIZE, 0));
    return limit(RLIMIT_NOFILE, 0);
}

/* ---- whether it holds ---- */

/* 1: this opens nothing. What it opened if it did is closed. */
static int opens_nothing(void) {
    int file = (int)syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY | O_CLOEXEC, 0);
    if (file >= 0) close(file);
    int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (other >= 0) close(other);
    return file < 0 && other < 0;
}

static int is_refused(long result) { return result == -1 && errno == EPERM; }

/* 1: the filter refuses what nothing else would refuse like this. */
static int filter_holds(void) {
    static char *const none[] = {NULL};
    if (!is_refused(syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY | O_CLOEXEC, 0))) return 0;
    if (!is_refused(syscall(SYS_socket, AF_INET, SOCK_STREAM, 0))) return 0;
    const struct rlimit none_at_all = {0, 0};
#ifdef SYS_newfstatat
    struct stat about;
    if (!is_refused(syscall(SYS_newfstatat, AT_FDCWD, "/", &about, AT_EMPTY_PATH))) return 0;
#endif
    if (!is_refused(syscall(SYS_prlimit64, 0, RLIMIT_CORE, &none_at_all, NULL))) return 0;
    if (!is_refused(syscall(SYS_execve, "/", none, none))) return 0; /* else EACCES */
    long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(0);
    if (child > 0) waitpid((pid_t)child, NULL, 0);
    return is_refused(child);
}

un_status un_confine(size_t memory, uint64_t seconds, int *filtered) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return un_fail_errno(errno, "cannot give up rights");
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    UN_TRY(set_limits(memory, seconds));
    *filtered = un_filter_calls(1) && filter_holds();
    if (opens_nothing()) return UNSEEN_OK;
    return un_fail(UNSEEN_E_UNSUPPORTED,
                   "this system lets a process open files although its limit forbids it");
}
