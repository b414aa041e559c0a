/*
 * faults.c - makes the n-th call of a kind fail, to see what a program does about it. A library for
 * LD_PRELOAD, driven by the environment:
 *
 *     UNSEEN_FAULT=KIND:N:WHAT    KIND one of open read write pwrite fsync rename malloc mmap close
 *                                 ftruncate exchange (renameat2) unlink getline; WHAT an errno's
 *                                 name, "short" for short counts, "KILL": the program ends there,
 *                                 or, for mmap, "cut": the file is emptied under its map
 *     UNSEEN_FAULT_PATH=PART      only calls on files whose path contains this are counted: a path
 *                                 that is given, or that of a descriptor. Files without a name
 *                                 (O_TMPFILE) are refused then, as NFS does, for they have no path
 *     UNSEEN_FAULT_TOLD=FILE      is written when the call fails or the program ends there
 *     UNSEEN_FAULT_COUNT=FILE     how many calls of each kind there were, at the end
 *
 * Calls of the program itself count, and of jansson for malloc; what other libraries do about a
 * lack of memory is not ours to mend.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    OPEN,
    READ,
    WRITE,
    PWRITE,
    FSYNC,
    RENAME,
    MALLOC,
    MMAP,
    CLOSE,
    FTRUNCATE,
    EXCHANGE,
    UNLINK,
    GETLINE,
    KINDS
};
static const char *const g_names[KINDS] = {"open",     "read",   "write",  "pwrite", "fsync",
                                           "rename",   "malloc", "mmap",   "close",  "ftruncate",
                                           "exchange", "unlink", "getline"};
static atomic_long g_count[KINDS];
static int g_kind = -1, g_errno, g_short, g_kill, g_cut, g_ready;
static long g_number;
static const char *g_part, *g_told;
static struct { uintptr_t begin, end; } g_ours[2];

static int find_ours(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size;
    int *n = data;
    int main_program = *n == 0; /* the first is the program */
    if (*n == 0) *n = 1;
    if (!main_program && !strstr(info->dlpi_name, "libjansson")) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X)) continue;
        g_ours[main_program ? 0 : 1].begin = info->dlpi_addr + p->p_vaddr;
        g_ours[main_program ? 0 : 1].end = info->dlpi_addr + p->p_vaddr + p->p_memsz;
    }
    return 0;
}

__attribute__((constructor)) static void prepare(void) {
    static const struct {
        const char *name;
        int code;
    } errors[] = {
        {"EIO", EIO}, {"ENOSPC", ENOSPC}, {"ENOMEM", ENOMEM}, {"EINTR", EINTR}, {"EINVAL", EINVAL}};
    const char *fault = getenv("UNSEEN_FAULT");
    int n = 0;
    g_part = getenv("UNSEEN_FAULT_PATH");
    g_told = getenv("UNSEEN_FAULT_TOLD");
    dl_iterate_phdr(find_ours, &n);
    if (fault) {
        const char *colon = strchr(fault, ':'), *last = strrchr(fault, ':');
        for (int k = 0; colon && k < KINDS; k++)
            if (!strncmp(fault, g_names[k], (size_t)(colon - fault)) &&
                strlen(g_names[k]) == (size_t)(colon - fault))
                g_kind = k;
        g_number = colon ? strtol(colon + 1, NULL, 10) : 0;
        for (size_t i = 0; last && i < sizeof errors / sizeof *errors; i++)
            if (!strcmp(last + 1, errors[i].name)) g_errno = errors[i].code;
        g_short = last && !strcmp(last + 1, "short");
        g_cut = last && !strcmp(last + 1, "cut");
        g_kill = last && !strcmp(last + 1, "KILL");
    }
    g_ready = 1;
}

__attribute__((destructor)) static void report(void) {
    const char *path = getenv("UNSEEN_FAULT_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file) return;
    for (int k = 0; k < KINDS; k++)
        fprintf(file, "%s %ld\n", g_names[k], (long)atomic_load(&g_count[k]));
    fclose(file);
}

/* What a call works on. */
typedef struct {
    const char *path; /* NULL: none is given */
    int fd;           /* -1: none */
} subject;

static int is_meant(subject s) {
    char link[64], target[4096];
    if (!g_part) return 1;
    if (s.path) return strstr(s.path, g_part) != NULL;
    if (s.fd < 0) return 0;
    int code = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", s.fd);
    ssize_t n = readlink(link, target, sizeof target - 1);
    errno = code;
    if (n < 0) return 0;
    target[n] = 0;
    return strstr(target, g_part) != NULL;
}

static void tell(int kind) {
    int fd = g_told ? (int)syscall(SYS_openat, AT_FDCWD, g_told, O_WRONLY | O_CREAT, 0666) : -1;
    if (fd < 0) return;
    dprintf(fd, "%s %ld\n", g_names[kind], g_number);
    syscall(SYS_close, fd);
}

/* Whether this call is the one; counts it. */
static int strikes(int kind, subject s, const void *caller) {
    uintptr_t at = (uintptr_t)caller;
    int ours = 0;
    if (!g_ready) return 0;
    for (int i = 0; i < 2; i++) ours |= at >= g_ours[i].begin && at < g_ours[i].end;
    if (!ours || !is_meant(s)) return 0;
    if (atomic_fetch_add(&g_count[kind], 1) + 1 != g_number || g_kind != kind) return 0;
    if (kind != MALLOC) tell(kind);
    if (g_kill) kill(getpid(), SIGKILL);
    return 1;
}

#define HIT_ON(kind, ...) strikes(kind, (subject){__VA_ARGS__}, __builtin_return_address(0))
#define HIT_PATH(kind, path) HIT_ON(kind, path, -1)
#define HIT_FD(kind, fd) HIT_ON(kind, NULL, fd)
#define HIT(kind) HIT_ON(kind, NULL, -1)
#define REAL(name) __typeof__(&name) real = (__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name)

int open(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(list, mode_t) : 0;
    va_end(list);
    REAL(open);
    if (g_part && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    if (HIT_PATH(OPEN, path) && !g_short) {
        errno = g_errno;
        return -1;
    }
    return real(path, flags, mode);
}

ssize_t read(int fd, void *data, size_t n) {
    REAL(read);
    if (HIT_FD(READ, fd)) {
        if (g_short) return real(fd, data, n > 1 ? n / 2 : n);
        errno = g_errno;
        return -1;
    }
    return real(fd, data, n);
}

ssize_t write(int fd, const void *data, size_t n) {
    REAL(write);
    if (HIT_FD(WRITE, fd)) {
        if (g_short) return real(fd, data, n > 1 ? n / 2 : n);
        errno = g_errno;
        return -1;
    }
    return real(fd, data, n);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t offset) {
    REAL(pwrite);
    if (HIT_FD(PWRITE, fd)) {
        if (g_short) return real(fd, data, n > 1 ? n / 2 : n, offset);
        errno = g_errno;
        return -1;
    }
    return real(fd, data, n, offset);
}

#define NEXT(name) ((__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name))
#define FAIL_IF(hit)                                                                               \
    do {                                                                                           \
        if ((hit) && !g_short) {                                                                   \
            errno = g_errno;                                                                       \
            return -1;                                                                             \
        }                                                                                          \
    } while (0)

int fsync(int fd) {
    FAIL_IF(HIT_FD(FSYNC, fd));
    return NEXT(fsync)(fd);
}

int fdatasync(int fd) {
    FAIL_IF(HIT_FD(FSYNC, fd));
    return NEXT(fdatasync)(fd);
}

int rename(const char *from, const char *to) {
    FAIL_IF(HIT_PATH(RENAME, to));
    return NEXT(rename)(from, to);
}

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    FAIL_IF(HIT_PATH(EXCHANGE, to));
    return NEXT(renameat2)(from_at, from, to_at, to, flags);
}

int unlink(const char *path) {
    FAIL_IF(HIT_PATH(UNLINK, path));
    return NEXT(unlink)(path);
}

int ftruncate(int fd, off_t n) {
    FAIL_IF(HIT_FD(FTRUNCATE, fd));
    return NEXT(ftruncate)(fd, n);
}

/* Whoever has the file open for writing may do so at any time. */
static void cut(int fd) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (truncate(link, 0) != 0) perror("the file under the map cannot be cut");
}

void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset) {
    REAL(mmap);
    int hit = HIT_FD(MMAP, fd);
    if (hit && !g_cut) {
        errno = g_errno;
        return MAP_FAILED;
    }
    void *map = real(at, n, prot, flags, fd, offset);
    if (hit && fd >= 0) cut(fd);
    return map;
}

/* What getline is where the compiler takes the header's word for it. */
ssize_t __getdelim(char **line, size_t *room, int end, FILE *stream) {
    REAL(__getdelim);
    if (HIT_FD(GETLINE, fileno(stream))) {
        errno = g_errno;
        return -1;
    }
    return real(line, room, end, stream);
}

ssize_t getline(char **line, size_t *room, FILE *stream) {
    REAL(getline);
    if (HIT_FD(GETLINE, fileno(stream))) {
        errno = g_errno;
        return -1;
    }
    return real(line, room, stream);
}

int close(int fd) {
    REAL(close);
    int hit = HIT_FD(CLOSE, fd) && !g_short;
    int result = real(fd);
    if (!hit) return result;
    errno = g_errno;
    return -1;
}

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t n);

void *malloc(size_t n) {
    if (HIT(MALLOC)) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size) {
    if (HIT(MALLOC)) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_calloc(n, size);
}

void *realloc(void *old, size_t n) {
    if (HIT(MALLOC)) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_realloc(old, n);
}
