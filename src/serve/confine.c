/* confine.c - see confine.h. */
#include "serve/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/foreign/seccomp.h"

/* ---- limits ---- */

/* Address space that is mapped now, in bytes; 0 if it is not known. */
static size_t mapped_now(void) {
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) return 0;
    if (fscanf(file, "%lu", &pages) != 1) pages = 0;
    fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static un_status limit(int resource, rlim_t most) {
    const struct rlimit to = {most, most};
    if (setrlimit((__rlimit_resource_t)resource, &to) == 0) return UNSEEN_OK;
    return un_fail_errno(errno, "cannot limit what a process may use");
}

static un_status set_limits(size_t memory) {
    size_t now = mapped_now();
    if (memory > 0 && now > 0) UN_TRY(limit(RLIMIT_AS, (rlim_t)(now + memory)));
    UN_TRY(limit(RLIMIT_CORE, 0));
    UN_TRY(limit(RLIMIT_FSIZE, 0));
    return limit(RLIMIT_NOFILE, 0);
}

/* ---- the filter ---- */

/* Calls that may be made, whatever their arguments. */
static const int g_allowed[] = {SCMP_SYS(read),
                                SCMP_SYS(write),
                                SCMP_SYS(recvfrom),
                                SCMP_SYS(sendto),
                                SCMP_SYS(close),
                                SCMP_SYS(lseek),
                                SCMP_SYS(munmap),
                                SCMP_SYS(mremap),
                                SCMP_SYS(madvise),
                                SCMP_SYS(brk),
                                SCMP_SYS(futex),
                                SCMP_SYS(futex_time64),
                                SCMP_SYS(membarrier),
                                SCMP_SYS(set_robust_list),
                                SCMP_SYS(rseq),
                                SCMP_SYS(sched_yield),
                                SCMP_SYS(sched_getaffinity),
                                SCMP_SYS(getcpu),
                                SCMP_SYS(getpid),
                                SCMP_SYS(gettid),
                                SCMP_SYS(exit),
                                SCMP_SYS(exit_group),
                                SCMP_SYS(rt_sigaction),
                                SCMP_SYS(rt_sigprocmask),
                                SCMP_SYS(rt_sigreturn),
                                SCMP_SYS(sigaltstack),
                                SCMP_SYS(clock_gettime),
                                SCMP_SYS(clock_gettime64),
                                SCMP_SYS(clock_getres),
                                SCMP_SYS(clock_nanosleep),
                                SCMP_SYS(clock_nanosleep_time64),
                                SCMP_SYS(nanosleep),
                                SCMP_SYS(gettimeofday),
                                SCMP_SYS(time),
                                SCMP_SYS(getrandom),
                                SCMP_SYS(getrusage),
                                SCMP_SYS(restart_syscall)};

static int allow(scmp_filter_ctx filter, int call, struct scmp_arg_cmp condition) {
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &condition);
}

/* Calls that some arguments make harmless: threads are not processes, memory is not code, a limit
 * is looked at, a thread is named, a signal (abort) is this process's own. */
static int add_conditional(scmp_filter_ctx filter) {
    const unsigned thread = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
    const struct scmp_arg_cmp no_code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    return allow(filter, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, thread, thread)) ||
           /* Its flags are in memory, where they cannot be looked at; the C library then uses the
            * other one. */
           seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL) ||
           allow(filter, SCMP_SYS(mmap), no_code) || allow(filter, SCMP_SYS(mmap2), no_code) ||
           allow(filter, SCMP_SYS(mprotect), no_code) ||
           allow(filter, SCMP_SYS(prlimit64), SCMP_A2(SCMP_CMP_EQ, 0, 0)) ||
           allow(filter, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0)) ||
           allow(filter, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
}

static un_status set_filter(void) {
    UN_TRY(un_foreign_need(UN_SECCOMP));
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter) return un_fail_memory(0);
    /* Threads that are there already, too. */
    int code = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    for (size_t i = 0; i < sizeof g_allowed / sizeof *g_allowed && !code; i++)
        code = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, g_allowed[i], 0, NULL);
    if (!code) code = add_conditional(filter);
    if (!code) code = seccomp_load(filter);
    seccomp_release(filter);
    return code ? un_fail_errno(code < 0 ? -code : code, "the system does not filter calls")
                : UNSEEN_OK;
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
    if (!is_refused(syscall(SYS_execve, "/", none, none))) return 0; /* else EACCES */
    long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(0);
    if (child > 0) waitpid((pid_t)child, NULL, 0);
    return is_refused(child);
}

un_status un_confine(size_t memory, char *lack, size_t size) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return un_fail_errno(errno, "cannot give up rights");
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    un_status filtered = un_foreign_need(UN_SECCOMP); /* is opened while files can be */
    if (filtered) snprintf(lack, size, "%s", un_error());
    UN_TRY(set_limits(memory));
    if (!filtered) {
        filtered = set_filter();
        if (filtered) snprintf(lack, size, "%s", un_error());
    }
    if (!opens_nothing())
        return un_fail(UNSEEN_E_UNSUPPORTED, "this system lets a process open files although its "
                                             "limit forbids it");
    if (filtered) return UNSEEN_OK;
    snprintf(lack, size, "%s", filter_holds() ? "" : "the system's filter of calls does not hold");
    return UNSEEN_OK;
}
