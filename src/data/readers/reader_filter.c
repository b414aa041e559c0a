/*
 * reader_filter.c - which system calls a reader's process may make; see reader_child.h.
 *
 * A list of what is allowed, as a BPF program for seccomp. Numbers of system calls come from
 * the system's headers, so the list is right for the architecture that this is built for; a
 * call made in the manner of another one ends the process. Refused calls fail with EPERM
 * instead of ending it: libraries ask for things that they can do without (a plug-in, the
 * time zone), and a sanitizer at its end for many.
 *
 * Only the forked child filters itself, and PR_SET_NO_NEW_PRIVS is set for it alone: the
 * host program is left as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "data/readers/reader_child.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifdef ARCHITECTURE

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
/* The lower half of an argument, on little-endian machines: both are. */
#define LOAD_ARGUMENT(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[n]))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, (action))
/* Allowed if it is system call `name`. */
#define ALLOW(name)                                                                                \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), RETURN(SECCOMP_RET_ALLOW)
/* Allowed if it is `name` and no bit of `bits` is set in argument n. */
#define ALLOW_WITHOUT(name, n, bits)                                                               \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 4), LOAD_ARGUMENT(n),                      \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (bits), 0, 1), RETURN(SECCOMP_RET_ERRNO | EPERM),     \
        RETURN(SECCOMP_RET_ALLOW)
/* Allowed if it is `name` and argument n is `value`. */
#define ALLOW_ONLY(name, n, value)                                                                 \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 4), LOAD_ARGUMENT(n),                      \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 1, 0), RETURN(SECCOMP_RET_ERRNO | EPERM),     \
        RETURN(SECCOMP_RET_ALLOW)

int un_child_filter_calls(void) {
    struct sock_filter program[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
        RETURN(SECCOMP_RET_KILL_PROCESS),
        LOAD(nr),
        /* the file and the socket, which are open */
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
        ALLOW_ONLY(prlimit64, 0, 0),
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
#ifdef __NR_newfstatat
        ALLOW_ONLY(newfstatat, 3, AT_EMPTY_PATH), /* how newer libraries call fstat */
#endif
        RETURN(SECCOMP_RET_ERRNO | EPERM),
    };
    const struct sock_fprog filter = {.len = sizeof program / sizeof *program, .filter = program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 0;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
}

#else

int un_child_filter_calls(void) { return 0; }

#endif
