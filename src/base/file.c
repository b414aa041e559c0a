/* file.c - atomic files, maps and paths; see file.h. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

un_status un_format(char **out, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) return un_fail_memory(0);
    *out = text;
    return UNSEEN_OK;
}

un_status un_path_join(const char *directory, const char *name, char **out) {
    size_t n = strlen(directory);
    const char *slash = n > 0 && directory[n - 1] == '/' ? "" : "/";
    return un_format(out, "%s%s%s", directory, slash, name);
}

un_status un_path_base(const char *path, char **out) {
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/') begin--;
    return un_format(out, "%.*s", (int)(end - begin), path + begin);
}

un_status un_path_directory(const char *path, char **out) {
    const char *slash = strrchr(path, '/');
    if (!slash) return un_format(out, ".");
    if (slash == path) return un_format(out, "/");
    return un_format(out, "%.*s", (int)(slash - path), path);
}

int un_path_exists(const char *path) { return access(path, F_OK) == 0; }

int un_path_is_regular(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

int un_path_is_directory(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

un_status un_directory_sync(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return un_fail_errno(errno, "cannot open directory %s", path);
    int failed = fsync(fd) != 0;
    int code = errno;
    close(fd);
    /* Some file systems refuse to sync a directory; that is no reason to fail. */
    if (failed && code != EINVAL && code != ENOTSUP)
        return un_fail_errno(code, "cannot sync directory %s", path);
    return UNSEEN_OK;
}

un_status un_directory_remove(const char *path) {
    DIR *directory = opendir(path);
    if (!directory)
        return errno == ENOENT ? UNSEEN_OK : un_fail_errno(errno, "cannot read %s", path);
    un_status status = UNSEEN_OK;
    for (struct dirent *entry = readdir(directory); entry && !status; entry = readdir(directory)) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        char *child = NULL;
        status = un_path_join(path, entry->d_name, &child);
        struct stat st;
        if (!status && lstat(child, &st) == 0 && S_ISDIR(st.st_mode))
            status = un_directory_remove(child);
        else if (!status && unlink(child) != 0)
            status = un_fail_errno(errno, "cannot remove %s", child);
        free(child);
    }
    closedir(directory);
    if (!status && rmdir(path) != 0) status = un_fail_errno(errno, "cannot remove %s", path);
    return status;
}

un_status un_atomic_open(un_atomic_file *file, const char *path) {
    *file = (un_atomic_file){.fd = -1};
    un_status status = un_format(&file->path, "%s", path);
    if (!status) status = un_format(&file->temporary, "%s.tmp-XXXXXX", path);
    if (!status) {
        file->fd = mkostemp(file->temporary, O_CLOEXEC);
        if (file->fd < 0) {
            status = un_fail_errno(errno, "cannot create a file beside %s", path);
            free(file->temporary); /* nothing to remove */
            file->temporary = NULL;
        } else {
            /* mkostemp makes private files; results should follow the user's umask. */
            mode_t mask = umask(0);
            umask(mask);
            (void)fchmod(file->fd, 0666 & ~mask);
        }
    }
    if (status) un_atomic_abort(file);
    return status;
}

un_status un_scratch_open(un_atomic_file *file, const char *path) {
    UN_TRY(un_atomic_open(file, path));
    unlink(file->temporary);
    file->keep = 1; /* there is nothing left to remove */
    return UNSEEN_OK;
}

un_status un_atomic_open_partial(un_atomic_file *file, const char *path) {
    *file = (un_atomic_file){.fd = -1, .keep = 1};
    un_status status = UNSEEN_OK;
    UN_GO(un_format(&file->path, "%s", path));
    UN_GO(un_format(&file->temporary, "%s.partial", path));
    file->fd = open(file->temporary, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (file->fd < 0) UN_GO(un_fail_errno(errno, "cannot write %s", file->temporary));
    struct stat held;
    struct stat named;
    int locked = flock(file->fd, LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno != EWOULDBLOCK)
        UN_GO(un_fail_errno(errno, "cannot lock %s", file->temporary));
    /* Who held the lock may have renamed the file in between. */
    if (!locked || fstat(file->fd, &held) != 0 || stat(file->temporary, &named) != 0 ||
        held.st_ino != named.st_ino)
        UN_GO(un_fail(UNSEEN_E_ARGUMENT, "another process is writing %s; wait for it", path));
done:
    if (status) un_atomic_abort(file);
    return status;
}

un_status un_atomic_sync(un_atomic_file *file) {
    if (fdatasync(file->fd) != 0) return un_fail_errno(errno, "cannot write %s", file->path);
    return UNSEEN_OK;
}

un_status un_atomic_read(un_atomic_file *file, void *data, size_t n, uint64_t offset) {
    char *bytes = data;
    while (n > 0) {
        ssize_t got = pread(file->fd, bytes, n, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return un_fail_errno(errno, "cannot read %s", file->temporary);
        if (got == 0) return un_fail(UNSEEN_E_FORMAT, "%s is truncated", file->temporary);
        bytes += got;
        n -= (size_t)got;
        offset += (uint64_t)got;
    }
    return UNSEEN_OK;
}

un_status un_atomic_write(un_atomic_file *file, const void *data, size_t n, uint64_t offset) {
    const char *bytes = data;
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

void un_atomic_abort(un_atomic_file *file) {
    if (file->fd >= 0) close(file->fd);
    if (file->temporary && !file->keep) unlink(file->temporary);
    free(file->temporary);
    free(file->path);
    *file = (un_atomic_file){.fd = -1};
}

un_status un_atomic_commit(un_atomic_file *file) {
    un_status status = UNSEEN_OK;
    char *directory = NULL;
    if (fsync(file->fd) != 0) UN_GO(un_fail_errno(errno, "cannot write %s", file->path));
    if (rename(file->temporary, file->path) != 0)
        UN_GO(un_fail_errno(errno, "cannot rename to %s", file->path));
    free(file->temporary);
    file->temporary = NULL;
    UN_GO(un_path_directory(file->path, &directory));
    UN_GO(un_directory_sync(directory));
done:
    free(directory);
    un_atomic_abort(file);
    return status;
}

un_status un_file_write(const char *path, const void *data, size_t n) {
    un_atomic_file file;
    UN_TRY(un_atomic_open(&file, path));
    un_status status = un_atomic_write(&file, data, n, 0);
    if (status) {
        un_atomic_abort(&file);
        return status;
    }
    return un_atomic_commit(&file);
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

/* A regular file that is open for reading. */
static un_status open_regular(const char *path, int *out, size_t *size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO would wait for its writer */
    if (fd < 0) return un_fail_errno(errno, "cannot open %s", path);
    struct stat st;
    un_status status = UNSEEN_OK;
    if (fstat(fd, &st) != 0)
        status = un_fail_errno(errno, "cannot stat %s", path);
    else if (!S_ISREG(st.st_mode))
        status =
            un_fail(UNSEEN_E_IO, "%s is %s", path,
                    S_ISDIR(st.st_mode) ? "a folder, not a regular file" : "not a regular file");
    if (status) {
        close(fd);
        return status;
    }
    *out = fd;
    *size = (size_t)st.st_size;
    return UNSEEN_OK;
}

/* Up to n bytes; *got is less where the file ends. */
static un_status read_all(int fd, const char *path, char *out, size_t n, size_t *got) {
    for (*got = 0; *got < n;) {
        ssize_t some = read(fd, out + *got, n - *got);
        if (some < 0 && errno == EINTR) continue;
        if (some < 0) return un_fail_errno(errno, "cannot read %s", path);
        if (some == 0) break; /* it became shorter meanwhile */
        *got += (size_t)some;
    }
    return UNSEEN_OK;
}

/* Not through a map: there a disk that fails ends the program. */
un_status un_file_read(const char *path, size_t limit, char **out, size_t *length) {
    int fd = -1;
    size_t size = 0, got = 0;
    char *text = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(open_regular(path, &fd, &size));
    if (size > limit)
        UN_GO(un_fail(UNSEEN_E_FORMAT, "%s is larger than the %zu bytes expected at most", path,
                      limit));
    text = malloc(size + 1);
    if (!text) UN_GO(un_fail_memory(size + 1));
    UN_GO(read_all(fd, path, text, size, &got));
    text[got] = 0;
    *out = text;
    *length = got;
    text = NULL;
done:
    free(text);
    close(fd);
    return status;
}

un_status un_file_sha256(const char *path, unsigned char out[32]) {
    enum { PIECE = 64 * 1024 };
    char piece[PIECE];
    int fd = -1;
    size_t size = 0;
    size_t got = PIECE;
    un_sha256 *hash = NULL;
    UN_TRY(open_regular(path, &fd, &size));
    un_status status = un_sha256_open(&hash);
    while (!status && got == PIECE) {
        status = read_all(fd, path, piece, PIECE, &got);
        if (!status) status = un_sha256_add(hash, piece, got);
    }
    if (!status) status = un_sha256_digest(hash, out);
    un_sha256_close(hash);
    close(fd);
    return status;
}

un_status un_map_open(un_map *map, const char *path) {
    int fd = -1;
    size_t size = 0;
    un_status status = UNSEEN_OK;
    *map = (un_map){0};
    UN_TRY(open_regular(path, &fd, &size));
    if (size > 0) {
        void *data = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
        if (data == MAP_FAILED)
            status = un_fail_errno(errno, "cannot map %s", path);
        else
            *map = (un_map){data, size};
    }
    close(fd);
    return status;
}

void un_map_close(un_map *map) {
    if (map->data) {
        void *data = NULL; /* munmap takes a pointer to non-const */
        memcpy(&data, &map->data, sizeof data);
        munmap(data, map->size);
    }
    *map = (un_map){0};
}
