/* output.c - files that appear whole or not at all; see file.h. Those that outlive their writer, and
 * those of several writers, are opened in partial.c. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"

enum { MARK_LENGTH = 6, MOST_LINKS = 40, TRIES = 100, PIECE = 1 << 16 };
static const char MARK[] = ".tmp-"; /* then MARK_LENGTH letters and digits */
static const char SIGNS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/* ---- where a name leads ---- */

/* The number of one of this process's open descriptors if `path` names it (/dev/fd/63,
 * /proc/self/fd/1), else -1. */
static int descriptor_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash || slash[1] < '0' || slash[1] > '9' || strlen(slash + 1) > 9) return -1;
    if (slash[1 + strspn(slash + 1, "0123456789")]) return -1;
    char *folder = NULL;
    if (un_path_directory(path, &folder)) return -1;
    char *real = realpath(folder, NULL);
    char *process = realpath("/proc/self/fd", NULL);
    char *thread = realpath("/proc/thread-self/fd", NULL);
    int ours = real && ((process && !strcmp(real, process)) || (thread && !strcmp(real, thread)));
    free(folder);
    free(real);
    free(process);
    free(thread);
    return ours ? (int)strtol(slash + 1, NULL, 10) : -1;
}

/* One link further: *path becomes what it points to. 0 where it is no link. */
static un_status follow_one(char **path, int *followed) {
    char text[PATH_MAX];
    char *next = NULL, *folder = NULL;
    ssize_t length = readlink(*path, text, sizeof text - 1);
    *followed = length >= 0;
    if (length < 0) return UNSEEN_OK; /* whatever is wrong with it shows when it is opened */
    text[length] = 0;
    un_status status = UNSEEN_OK;
    if (text[0] == '/') {
        UN_GO(un_format(&next, "%s", text));
    } else {
        UN_GO(un_path_directory(*path, &folder));
        UN_GO(un_path_join(folder, text, &next));
    }
    free(*path);
    *path = next;
done:
    free(folder);
    return status;
}

/* *target: where links at the end of `path` lead, which need not exist; *descriptor: as
 * descriptor_of. */
static un_status follow_links(const char *path, char **target, int *descriptor) {
    char *at = NULL;
    un_status status = UNSEEN_OK;
    int followed = 1;
    *descriptor = -1;
    UN_GO(un_format(&at, "%s", path));
    for (int i = 0; i < MOST_LINKS && followed && *descriptor < 0; i++) {
        *descriptor = descriptor_of(at);
        if (*descriptor < 0) UN_GO(follow_one(&at, &followed));
    }
    if (*descriptor < 0 && followed) UN_GO(un_fail_errno(ELOOP, "cannot write %s", path));
    *target = at;
    at = NULL;
done:
    free(at);
    return status;
}

un_status un_path_follow(const char *path, char **out) {
    int descriptor = -1;
    return follow_links(path, out, &descriptor);
}

int un_output_open(const char *path, int *file) {
    struct stat st;
    char *target = NULL;
    int named = -1;
    *file = 0;
    if (follow_links(path, &target, &named)) {
        errno = ELOOP;
        return -1;
    }
    int fd = named >= 0 ? fcntl(named, F_DUPFD_CLOEXEC, 3)
                        : un_open(target, O_WRONLY | O_CREAT | O_NOCTTY, 0666);
    int code = errno;
    *file = fd >= 0 && named < 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    free(target);
    errno = code;
    return fd;
}

int un_output_is_file(const char *path) {
    struct stat st;
    char *target = NULL;
    int named = -1;
    if (follow_links(path, &target, &named)) return 1; /* opening it will say what is wrong */
    int file = named < 0 && (stat(target, &st) != 0 || S_ISREG(st.st_mode));
    free(target);
    return file;
}

/* ---- temporary names ---- */

/* "FOLDER" and "NAME.tmp-" of a target; a name that would become too long is cut. */
static un_status split_target(const char *target, char **folder, char **stem) {
    char *base = NULL;
    *folder = *stem = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_path_directory(target, folder));
    UN_GO(un_path_base(target, &base));
    UN_GO(un_format(stem, "%.*s%s", (int)(NAME_MAX - MARK_LENGTH - strlen(MARK)), base, MARK));
done:
    free(base);
    if (status) {
        free(*folder);
        *folder = NULL;
    }
    return status;
}

static un_status random_name(const char *target, char **out) {
    unsigned char bytes[MARK_LENGTH];
    char mark[MARK_LENGTH + 1] = "";
    char *folder = NULL, *stem = NULL, *name = NULL;
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return un_fail_errno(errno, "no random numbers for a temporary name");
    for (size_t i = 0; i < MARK_LENGTH; i++) mark[i] = SIGNS[bytes[i] % (sizeof SIGNS - 1)];
    mark[1] = (char)('A' + bytes[1] % 26); /* what was_made_here looks for */
    un_status status = UNSEEN_OK;
    UN_GO(split_target(target, &folder, &stem));
    UN_GO(un_format(&name, "%s%s", stem, mark));
    UN_GO(un_path_join(folder, name, out));
done:
    free(folder);
    free(stem);
    free(name);
    return status;
}

/* Whether a file of this name is one of our temporaries. Words like "backup" are not random. */
static int was_made_here(const char *name, const char *stem) {
    size_t n = strlen(stem);
    if (strncmp(name, stem, n) != 0 || strlen(name + n) != MARK_LENGTH) return 0;
    int letters = 0, strange = 0;
    for (const char *c = name + n; *c; c++) {
        if (!strchr(SIGNS, *c)) return 0;
        int digit = *c >= '0' && *c <= '9', capital = *c >= 'A' && *c <= 'Z';
        letters += !digit;
        strange += digit || (capital && c > name + n);
    }
    return letters > 0 && strange > 0;
}

/* Removes one temporary unless its writer, who holds a lock on it, lives. */
static void remove_if_dead(int folder, const char *name) {
    struct stat st;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && un_lock_open_file(fd, NULL) == UN_LOCK_HELD)
        (void)unlinkat(folder, name, 0);
    close(fd);
}

/* What killed writers of `target` left. Nothing depends on it, so failures are silent. */
static void remove_leftovers(const char *target) {
    char *folder = NULL, *stem = NULL;
    if (split_target(target, &folder, &stem)) return;
    DIR *directory = opendir(folder);
    if (directory) {
        for (struct dirent *e = readdir(directory); e; e = readdir(directory))
            if (was_made_here(e->d_name, stem)) remove_if_dead(dirfd(directory), e->d_name);
        closedir(directory);
    }
    free(folder);
    free(stem);
}

un_status un_file_remove(const char *path) {
    remove_leftovers(path);
    if (unlink(path) != 0 && errno != ENOENT && errno != ENOTDIR)
        return un_fail_errno(errno, "cannot remove %s", path);
    return UNSEEN_OK;
}

/* ---- the file that takes the bytes ---- */

/* A new file under a temporary name, locked so that remove_leftovers leaves it alone. */
static un_status create_named(un_atomic_file *file, int *out) {
    un_status status = UNSEEN_OK;
    for (int i = 0; i < TRIES; i++) {
        struct stat st;
        free(file->temporary);
        file->temporary = NULL;
        UN_GO(random_name(file->target, &file->temporary));
        int fd = un_open(file->temporary, O_RDWR | O_CREAT | O_EXCL, 0666);
        if (fd < 0 && errno == EEXIST) continue;
        if (fd < 0) {
            int code = errno;
            free(file->temporary); /* nothing to remove */
            file->temporary = NULL;
            return un_fail_errno(code, "cannot create a file beside %s", file->path);
        }
        /* Another writer may have found it before it was locked, and removed it. */
        if (un_lock_open_file(fd, NULL) != UN_LOCK_BUSY && fstat(fd, &st) == 0 && st.st_nlink > 0) {
            *out = fd;
            return UNSEEN_OK;
        }
        close(fd);
    }
    status = un_fail(UNSEEN_E_IO, "cannot find a temporary name beside %s", file->path);
done:
    return status;
}

/* A file without a name leaves nothing behind, whenever the process ends; it gets its name at
 * commit. Where the file system cannot do that, it has a temporary name from the start. */
static un_status create_temporary(un_atomic_file *file) {
    char *folder = NULL;
    UN_TRY(un_path_directory(file->target, &folder));
    file->fd = access("/proc/self/fd", X_OK) == 0 ? un_open(folder, O_TMPFILE | O_RDWR, 0666) : -1;
    free(folder);
    if (file->fd < 0) return create_named(file, &file->fd);
    (void)un_lock_open_file(file->fd, NULL);
    return UNSEEN_OK;
}

/* The old file's rights go to the new one: a private result stays private. */
static void take_rights(int fd, const struct stat *old) {
    if (old->st_uid != geteuid() || old->st_gid != getegid())
        (void)!fchown(fd, old->st_uid, old->st_gid);
    (void)fchmod(fd, old->st_mode & 0777);
}

/* A place for bytes that go to a device or pipe at commit. */
static un_status create_spool(un_atomic_file *file) {
    const char *folder = getenv("TMPDIR");
    char *name = NULL;
    if (!folder || !*folder) folder = "/tmp";
    file->fd = un_open(folder, O_TMPFILE | O_RDWR, 0600);
    if (file->fd >= 0) return UNSEEN_OK;
    UN_TRY(un_format(&name, "%s/unseen-XXXXXX", folder));
    file->fd = un_descriptor_above(mkostemp(name, O_CLOEXEC));
    int code = errno;
    if (file->fd >= 0) unlink(name);
    free(name);
    return file->fd >= 0 ? UNSEEN_OK
                         : un_fail_errno(code, "cannot create a temporary file in %s", folder);
}

/* ---- targets that are no regular files ---- */

static un_status open_through(un_atomic_file *file) {
    int flags = O_WRONLY | O_NOCTTY | O_CLOEXEC;
    file->through = file->descriptor >= 0 ? fcntl(file->descriptor, F_DUPFD_CLOEXEC, 3)
                                          : un_open(file->target, flags, 0);
    if (file->through < 0) return un_fail_errno(errno, "cannot write %s", file->path);
    return UNSEEN_OK;
}

/* write() without SIGPIPE, which would end a host that does not expect it. */
static ssize_t write_quietly(int fd, const void *data, size_t n) {
    static const struct timespec at_once = {0, 0};
    sigset_t pipe_only, before, pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    int was_pending = sigismember(&pending, SIGPIPE) == 1;
    if (pthread_sigmask(SIG_BLOCK, &pipe_only, &before) != 0) return write(fd, data, n);
    ssize_t written = write(fd, data, n);
    int code = errno;
    if (written < 0 && code == EPIPE && !was_pending)
        while (sigtimedwait(&pipe_only, NULL, &at_once) < 0 && errno == EINTR) continue;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = code;
    return written;
}

static un_status write_through(un_atomic_file *file, const char *bytes, size_t n) {
    while (n > 0) {
        ssize_t written = write_quietly(file->through, bytes, n);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return un_fail_errno(errno, "cannot write %s", file->path);
        bytes += written;
        n -= (size_t)written;
    }
    return UNSEEN_OK;
}

/* All that was written, from the beginning to `to`: the target (fd -1) or a descriptor. */
static un_status copy_all(un_atomic_file *file, int to) {
    char *piece = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(un_alloc(PIECE, 1, &piece));
    for (uint64_t at = 0;;) {
        ssize_t got = pread(file->fd, piece, PIECE, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) UN_GO(un_fail_errno(errno, "cannot write %s", file->path));
        if (got == 0) break;
        if (to < 0) {
            UN_GO(write_through(file, piece, (size_t)got));
        } else {
            un_atomic_file copy = UN_ATOMIC_NONE;
            copy.path = file->path;
            copy.fd = to;
            UN_GO(un_atomic_write(&copy, piece, (size_t)got, at));
        }
        at += (uint64_t)got;
    }
done:
    free(piece);
    return status;
}

/* ---- opening ---- */

static un_status open_output(un_atomic_file *file, const char *path, int stream) {
    struct stat st;
    un_status status = UNSEEN_OK;
    *file = UN_ATOMIC_NONE;
    UN_GO(
        un_format(&file->path, "%s", strcmp(path, UN_STANDARD_OUTPUT) ? path : "standard output"));
    UN_GO(follow_links(path, &file->target, &file->descriptor));
    int there = file->descriptor < 0 && stat(file->target, &st) == 0;
    if (file->descriptor >= 0 || (there && !S_ISREG(st.st_mode))) {
        if (there && S_ISDIR(st.st_mode))
            UN_GO(un_fail_errno(EISDIR, "cannot write %s", file->path));
        if (there && S_ISBLK(st.st_mode))
            UN_GO(un_fail(UNSEEN_E_ARGUMENT, "%s is a disk; name a file instead", path));
        if (there && access(file->target, W_OK) != 0)
            UN_GO(un_fail_errno(errno, "cannot write %s", path));
        if (file->descriptor >= 0 && fcntl(file->descriptor, F_GETFD) < 0)
            UN_GO(un_fail_errno(errno, "cannot write %s", file->path));
        file->spooled = !stream;
        UN_GO(stream ? open_through(file) : create_spool(file));
        goto done;
    }
    if (there && access(file->target, W_OK) != 0)
        UN_GO(un_fail_errno(errno, "cannot write %s", path));
    remove_leftovers(file->target);
    UN_GO(create_temporary(file));
    if (there) take_rights(file->fd, &st);
done:
    if (status) un_atomic_abort(file);
    return status;
}

un_status un_atomic_open(un_atomic_file *file, const char *path) {
    return open_output(file, path, 0);
}

un_status un_atomic_open_stream(un_atomic_file *file, const char *path) {
    return open_output(file, path, 1);
}

un_status un_output_check(const char *path) {
    char *folder = NULL;
    if (!*path) return un_fail(UNSEEN_E_ARGUMENT, "the name of an output file is empty");
    if (un_path_is_directory(path))
        return un_fail(UNSEEN_E_ARGUMENT, "%s is a directory: name a file in it", path);
    if (un_path_exists(path) && !un_path_is_regular(path)) {
        if (access(path, W_OK) == 0) return UNSEEN_OK; /* a pipe or device */
        return un_fail_errno(errno, "cannot write %s", path);
    }
    UN_TRY(un_path_directory(path, &folder));
    un_status status = UNSEEN_OK;
    if (!un_path_exists(folder))
        status = un_fail(UNSEEN_E_IO, "cannot write %s: there is no folder %s; make it first", path,
                         folder);
    free(folder);
    UN_TRY(status);
    un_atomic_file probe;
    UN_TRY(un_atomic_open(&probe, path));
    un_atomic_abort(&probe);
    return UNSEEN_OK;
}

un_status un_scratch_open(un_atomic_file *file, const char *path) {
    struct stat st;
    un_status status = UNSEEN_OK;
    *file = UN_ATOMIC_NONE;
    UN_GO(un_format(&file->path, "%s", path ? path : "a scratch file"));
    if (!path) {
        UN_GO(create_spool(file));
        goto done;
    }
    UN_GO(follow_links(path, &file->target, &file->descriptor));
    if (file->descriptor >= 0 || (stat(file->target, &st) == 0 && !S_ISREG(st.st_mode))) {
        UN_GO(create_spool(file)); /* /dev is no place for it */
        goto done;
    }
    UN_GO(create_temporary(file));
    if (file->temporary) unlink(file->temporary);
    file->keep = 1; /* there is nothing left to remove */
    free(file->path);
    file->path = NULL;
    UN_GO(un_format(&file->path, "a scratch file beside %s", path));
done:
    if (status) un_atomic_abort(file);
    return status;
}

/* ---- writing ---- */

un_status un_atomic_sync(un_atomic_file *file) {
    if (file->spooled) return UNSEEN_OK;
    while (fdatasync(file->fd) != 0)
        if (errno != EINTR) return un_fail_errno(errno, "cannot write %s", file->path);
    return UNSEEN_OK;
}

un_status un_atomic_read(un_atomic_file *file, void *data, size_t n, uint64_t offset) {
    char *bytes = data;
    const char *name = file->temporary ? file->temporary : file->path;
    while (n > 0) {
        ssize_t got = pread(file->fd, bytes, n, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return un_fail_errno(errno, "cannot read %s", name);
        if (got == 0) return un_fail(UNSEEN_E_FORMAT, "%s is truncated", name);
        bytes += got;
        n -= (size_t)got;
        offset += (uint64_t)got;
    }
    return UNSEEN_OK;
}

un_status un_atomic_write(un_atomic_file *file, const void *data, size_t n, uint64_t offset) {
    const char *bytes = data;
    if (file->through >= 0 && !file->spooled) {
        if (offset != file->written)
            return un_fail(UNSEEN_E_ARGUMENT, "%s can only be written from front to back",
                           file->path);
        file->written += n;
        return write_through(file, bytes, n);
    }
    while (n > 0) {
        ssize_t written = pwrite(file->fd, bytes, n, (off_t)offset);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return un_fail_errno(errno, "cannot write %s", file->path);
        bytes += written;
        n -= (size_t)written;
        offset += (uint64_t)written;
    }
    return UNSEEN_OK;
}

/* ---- the end ---- */

void un_atomic_abort(un_atomic_file *file) {
    if (file->fd >= 0) close(file->fd);
    if (file->held >= 0) close(file->held);
    if (file->through >= 0) close(file->through);
    if (file->temporary && !file->keep) unlink(file->temporary);
    free(file->temporary);
    free(file->target);
    free(file->path);
    *file = UN_ATOMIC_NONE;
}

/* A temporary name for the file without one. */
static un_status give_name(un_atomic_file *file) {
    char from[64];
    snprintf(from, sizeof from, "/proc/self/fd/%d", file->fd);
    for (int i = 0; i < TRIES; i++) {
        free(file->temporary);
        file->temporary = NULL;
        UN_TRY(random_name(file->target, &file->temporary));
        if (linkat(AT_FDCWD, from, AT_FDCWD, file->temporary, AT_SYMLINK_FOLLOW) == 0)
            return UNSEEN_OK;
        if (errno != EEXIST) break;
    }
    /* Some file systems make files without names but cannot name them: then a copy. */
    int copy = -1;
    struct stat st;
    UN_TRY(create_named(file, &copy));
    if (fstat(file->fd, &st) == 0) take_rights(copy, &st);
    un_status status = copy_all(file, copy);
    close(file->fd);
    file->fd = copy;
    return status;
}

static un_status sync_file(un_atomic_file *file) {
    while (fsync(file->fd) != 0)
        if (errno != EINTR) return un_fail_errno(errno, "cannot write %s", file->path);
    return UNSEEN_OK;
}

/* Whatever the way to a name: all bytes are on the disk. */
un_status un_atomic_name(un_atomic_file *file) {
    if (file->spooled || file->through >= 0)
        return un_fail(UNSEEN_E_ARGUMENT, "%s is no file", file->path);
    UN_TRY(sync_file(file));
    if (file->temporary) return UNSEEN_OK;
    UN_TRY(give_name(file));
    return sync_file(file); /* a copy, or nothing to do */
}

un_status un_atomic_commit(un_atomic_file *file) {
    un_status status = UNSEEN_OK;
    char *directory = NULL;
    if (file->spooled) {
        UN_GO(open_through(file));
        UN_GO(copy_all(file, -1));
        goto done;
    }
    if (file->through >= 0) goto done;
    UN_GO(un_atomic_name(file));
    if (rename(file->temporary, file->target) != 0)
        UN_GO(un_fail_errno(errno, "cannot rename to %s", file->path));
    free(file->temporary);
    file->temporary = NULL;
    UN_GO(un_path_directory(file->target, &directory));
    UN_GO(un_directory_sync(directory));
done:
    free(directory);
    un_atomic_abort(file);
    return status;
}

un_status un_file_write(const char *path, const void *data, size_t n) {
    un_atomic_file file;
    UN_TRY(un_atomic_open_stream(&file, path));
    un_status status = un_atomic_write(&file, data, n, 0);
    if (status) {
        un_atomic_abort(&file);
        return status;
    }
    return un_atomic_commit(&file);
}
