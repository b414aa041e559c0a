/*
 * file.c - paths, directories, reading, maps, locks and memory in use; see file.h.
 * Writing is in output.c.
 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"

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

un_status un_path_below(const char *root, const char *name, char **out) {
    for (const char *part = name; part; part = strchr(part, '/')) {
        while (*part == '/') part++;
        if (part[0] == '.' && part[1] == '.' && (part[2] == '/' || part[2] == 0))
            return un_fail(UNSEEN_E_FORMAT,
                           "the data set names a picture outside its folder %s: %s; it is not read",
                           root, name);
    }
    return un_path_join(root, name, out);
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
    int fd = un_open(path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) return un_fail_errno(errno, "cannot open directory %s", path);
    int failed = 0;
    do failed = fsync(fd) != 0;
    while (failed && errno == EINTR);
    int code = errno;
    close(fd);
    /* Some file systems refuse to sync a directory; that is no reason to fail. */
    if (failed && code != EINVAL && code != ENOTSUP)
        return un_fail_errno(code, "cannot sync directory %s", path);
    return UNSEEN_OK;
}

un_status un_fail_no_folder(const char *path) {
    return un_fail(UNSEEN_E_IO, "%s is there and is no folder; name another one", path);
}

un_status un_directory_make(const char *path) {
    char *parent = NULL;
    if (mkdir(path, 0777) != 0) {
        int code = errno; /* of mkdir, not of what follows */
        if (code == EEXIST) return un_path_is_directory(path) ? UNSEEN_OK : un_fail_no_folder(path);
        return un_fail_errno(code, "cannot make the directory %s", path);
    }
    UN_TRY(un_path_directory(path, &parent));
    un_status status = un_directory_sync(parent);
    free(parent);
    return status;
}

un_status un_directory_next(DIR *directory, const char *path, struct dirent **entry) {
    do {
        errno = 0;
        *entry = readdir(directory);
        if (!*entry && errno != 0) return un_fail_errno(errno, "cannot read %s", path);
    } while (*entry && (!strcmp((*entry)->d_name, ".") || !strcmp((*entry)->d_name, "..")));
    return UNSEEN_OK;
}

un_status un_directory_remove(const char *path) {
    DIR *directory = opendir(path);
    if (!directory)
        return errno == ENOENT ? UNSEEN_OK : un_fail_errno(errno, "cannot read %s", path);
    struct dirent *entry = NULL;
    un_status status = un_directory_next(directory, path, &entry);
    while (entry && !status) {
        char *child = NULL;
        status = un_path_join(path, entry->d_name, &child);
        struct stat st;
        if (!status && lstat(child, &st) == 0 && S_ISDIR(st.st_mode))
            status = un_directory_remove(child);
        else if (!status && unlink(child) != 0)
            status = un_fail_errno(errno, "cannot remove %s", child);
        free(child);
        if (!status) status = un_directory_next(directory, path, &entry);
    }
    closedir(directory);
    if (!status && rmdir(path) != 0) status = un_fail_errno(errno, "cannot remove %s", path);
    return status;
}

int un_descriptor_above(int fd) {
    if (fd < 0 || fd > STDERR_FILENO) return fd;
    int above = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int code = errno;
    close(fd);
    errno = code;
    return above;
}

int un_open(const char *path, int flags, unsigned mode) {
    int fd = -1;
    do fd = open(path, flags | O_CLOEXEC, (mode_t)mode);
    while (fd < 0 && errno == EINTR);
    return un_descriptor_above(fd);
}

un_status un_check_owner(const char *path, const struct stat *held) {
    struct stat st;
    char *folder = NULL;
    UN_TRY(un_path_directory(path, &folder));
    int shared = stat(folder, &st) == 0 && (st.st_mode & S_ISVTX) && (st.st_mode & S_IWOTH);
    free(folder);
    if (!shared || held->st_uid == geteuid()) return UNSEEN_OK;
    return un_fail(UNSEEN_E_ARGUMENT,
                   "%s belongs to another user of a folder that all may write; choose another "
                   "place",
                   path);
}

/* A regular file that is open for reading. */
static un_status open_regular(const char *path, int *out, size_t *size) {
    int fd = un_open(path, O_RDONLY | O_NONBLOCK, 0); /* a FIFO would wait for its writer */
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

un_status un_line_read(FILE *stream, const char *name, un_line *line) {
    errno = 0;
    line->length = getline(&line->text, &line->room, stream);
    if (line->length >= 0) return UNSEEN_OK;
    int code = errno; /* at the end getline returns -1, and so it does without memory */
    if (feof(stream) && !ferror(stream)) return UNSEEN_OK;
    return un_fail_errno(code ? code : EIO, "cannot read %s", name);
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

un_status un_file_pieces(const char *path, un_piece_function take, void *context) {
    enum { PIECE = 64 * 1024 };
    char piece[PIECE];
    int fd = -1;
    size_t size = 0;
    size_t got = PIECE;
    UN_TRY(open_regular(path, &fd, &size));
    un_status status = UNSEEN_OK;
    while (!status && got == PIECE) {
        status = read_all(fd, path, piece, PIECE, &got);
        if (!status) status = take(piece, got, context);
    }
    close(fd);
    return status;
}

/* What is mapped, for whoever catches SIGBUS. A slot is free while its length is 0; a map that
 * finds none is just not named. */
enum { SLOTS = 64, NAME_ROOM = 512 };
typedef struct {
    atomic_int taken;
    atomic_uintptr_t begin;
    atomic_size_t size; /* set last, cleared first */
    char name[NAME_ROOM];
} map_slot;
static map_slot g_maps[SLOTS];

static int take_slot(const void *begin, size_t size, const char *path) {
    for (int i = 0; i < SLOTS; i++) {
        int no = 0;
        if (!atomic_compare_exchange_strong(&g_maps[i].taken, &no, 1)) continue;
        snprintf(g_maps[i].name, NAME_ROOM, "%s", path);
        atomic_store(&g_maps[i].begin, (uintptr_t)begin);
        atomic_store(&g_maps[i].size, size);
        return i + 1;
    }
    return 0;
}

static void free_slot(int slot) {
    if (slot == 0) return;
    atomic_store(&g_maps[slot - 1].size, 0);
    atomic_store(&g_maps[slot - 1].taken, 0);
}

const char *un_map_at(const void *address) {
    for (int i = 0; i < SLOTS; i++) {
        uintptr_t begin = atomic_load(&g_maps[i].begin);
        size_t size = atomic_load(&g_maps[i].size);
        if (size > 0 && (uintptr_t)address >= begin && (uintptr_t)address - begin < size)
            return g_maps[i].name;
    }
    return NULL;
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
            *map = (un_map){.data = data, .size = size, .slot = take_slot(data, size, path)};
    }
    close(fd);
    return status;
}

static atomic_int g_map_always;

void un_map_always(void) { atomic_store(&g_map_always, 1); }

un_status un_map_read(un_map *map, const char *path) {
    if (atomic_load(&g_map_always)) return un_map_open(map, path);
    char *data = NULL;
    size_t size = 0;
    *map = (un_map){0};
    UN_TRY(un_file_read(path, SIZE_MAX - 1, &data, &size));
    if (size > 0)
        *map = (un_map){.data = (unsigned char *)data, .size = size, .copy = 1};
    else
        free(data);
    return UNSEEN_OK;
}

void un_map_close(un_map *map) {
    void *data = (void *)(uintptr_t)map->data;
    if (map->copy) {
        free(data);
    } else if (data) {
        free_slot(map->slot);
        munmap(data, map->size);
    }
    *map = (un_map){0};
}

enum { TRIES = 100 };

/* Whether the file that is locked is still the one at its path: its holder may have removed it
 * between our opening and our locking it. */
static int still_there(const un_lock *lock) {
    struct stat held, named;
    return fstat(lock->fd, &held) == 0 && lstat(lock->path, &named) == 0 &&
           held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

void un_lock_drop(un_lock *lock) {
    if (lock->fd >= 0) close(lock->fd);
    free(lock->path);
    *lock = UN_LOCK_NONE;
}

un_lock_state un_lock_open_file(int fd, const char *path) {
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int code = errno;
        if (code == EINTR) continue;
        if (code == EWOULDBLOCK) return UN_LOCK_BUSY;
        char reason[128];
        if (path)
            un_log(UNSEEN_LOG_WARNING,
                   "%s cannot be locked (%s); see to it that no other process writes it", path,
                   strerror_r(code, reason, sizeof reason));
        return UN_LOCK_IMPOSSIBLE;
    }
    return UN_LOCK_HELD;
}

un_status un_lock_take(un_lock *lock, const char *path, int *taken) {
    *lock = UN_LOCK_NONE;
    *taken = 0;
    UN_TRY(un_format(&lock->path, "%s", path));
    for (int i = 0; i < TRIES; i++) {
        lock->fd = un_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0666);
        if (lock->fd < 0) {
            un_status status = un_fail_errno(errno, "cannot write %s", path);
            un_lock_drop(lock);
            return status;
        }
        un_lock_state state = un_lock_open_file(lock->fd, path);
        *taken = state != UN_LOCK_BUSY && still_there(lock);
        if (*taken) return UNSEEN_OK;
        if (state == UN_LOCK_BUSY) break;
        close(lock->fd);
        lock->fd = -1;
    }
    un_lock_drop(lock);
    return UNSEEN_OK;
}

void un_lock_release(un_lock *lock) {
    if (lock->fd >= 0) unlink(lock->path);
    un_lock_drop(lock);
}

/* ---- what the operating system tells: memory in use. ---- */

/* The value in KiB of one line of /proc/self/status. */
static size_t status_value(const char *key) {
    FILE *file = fopen("/proc/self/status", "re");
    if (!file) return 0;
    char line[256];
    size_t value = 0;
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, key, strlen(key))) value = strtoul(line + strlen(key), NULL, 10);
    fclose(file);
    return value;
}

size_t un_memory_anonymous_kib(void) { return status_value("RssAnon:"); }
