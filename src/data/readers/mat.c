/*
 * mat.c - the caller's side of the MAT reader; see mat.h.
 *
 * Whatever comes back from the child is checked as if it came from the file: a
 * process that libmatio has corrupted may answer anything.
 */
#include "data/readers/mat.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "data/readers/mat_parts.h"

/* What un_mat_read_columns asks for at a time. libmatio unpacks a compressed
 * variable from its beginning for every slab: few large ones, then. */
enum { SLAB_BYTES = 128 << 20 };

struct un_mat {
    char *path;
    const char *version;
    pid_t child; /* -1: none */
    int socket;  /* -1: none */
    unsigned char *memory;
    un_mat_variable *variables;
    size_t count;
};

/* What kind of file it is, by its first bytes; v5 files are walked through. */
static un_status check_file(un_mat *mat) {
    un_map map;
    UN_TRY(un_map_open(&map, mat->path));
    un_status status = UNSEEN_OK;
    static const unsigned char HDF5[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};
    enum { HEADER = 128, SUPERBLOCK = 512 };
    const unsigned char *d = map.data;
    int little = map.size >= HEADER && d[126] == 'I' && d[127] == 'M';
    int big = map.size >= HEADER && d[126] == 'M' && d[127] == 'I';
    unsigned version = little ? d[124] | (unsigned)d[125] << 8
                       : big  ? d[125] | (unsigned)d[124] << 8
                              : 0;
    if (map.size >= sizeof HDF5 && !memcmp(d, HDF5, sizeof HDF5)) {
        status = un_fail(UNSEEN_E_FORMAT,
                         "%s is an HDF5 file, but not one of MATLAB (its first 512 bytes are "
                         "missing); save it with MATLAB or as MAT v5",
                         mat->path);
    } else if (version == 0x0100) {
        mat->version = "5";
        status = un_mat5_verify(&map, mat->path);
    } else if (version == 0x0200 && map.size >= SUPERBLOCK + sizeof HDF5 &&
               !memcmp(d + SUPERBLOCK, HDF5, sizeof HDF5)) {
        mat->version = "7.3";
    } else {
        status = un_fail(UNSEEN_E_FORMAT, "%s is not a MAT file of version 5 or 7.3", mat->path);
    }
    un_map_close(&map);
    return status;
}

static un_status start_child(un_mat *mat) {
    int pair[2];
    void *memory = mmap(NULL, UN_MAT_MEMORY, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return un_fail_errno(errno, "%s: no shared memory to read it through", mat->path);
    mat->memory = memory;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return un_fail_errno(errno, "%s: cannot start its reader", mat->path);
    mat->child = fork();
    if (mat->child == 0) un_mat_child(mat->path, pair[1], memory);
    int code = errno;
    close(pair[1]);
    mat->socket = pair[0];
    if (mat->child < 0) return un_fail_errno(code, "%s: cannot start its reader", mat->path);
    (void)mprotect(memory, UN_MAT_MEMORY, PROT_READ);
    return UNSEEN_OK;
}

/* Ends the child; returns its wait status, or -1 if that is not to be had. */
static int end_child(un_mat *mat, int kill_it) {
    int result = -1;
    if (mat->child > 0) {
        if (kill_it) kill(mat->child, SIGKILL);
        while (waitpid(mat->child, &result, 0) < 0) {
            if (errno == EINTR) continue;
            result = -1;
            break;
        }
    }
    mat->child = -1;
    return result;
}

/* The sentence about a child that is gone. */
static un_status child_died(un_mat *mat, const char *what) {
    int result = end_child(mat, 0);
    int number = result != -1 && WIFSIGNALED(result) ? WTERMSIG(result) : 0;
    if (number == SIGXCPU)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: reading %s takes far too long; the file is damaged, get it again",
                       mat->path, what);
    if (number == SIGKILL)
        return un_fail(UNSEEN_E_MEMORY,
                       "%s: the process that reads it was killed while reading %s; is there "
                       "enough memory?",
                       mat->path, what);
    return un_fail(UNSEEN_E_FORMAT,
                   "%s: libmatio crashed (signal %d) while reading %s; the file is damaged, get "
                   "it again",
                   mat->path, number, what);
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

/* Puts a question; the answer's data are in mat->memory until the next one. */
static un_status ask(un_mat *mat, mat_question question, const char *name, size_t first,
                     size_t count, mat_answer *answer) {
    mat_request request = {.question = question, .first = first, .count = count};
    const char *what = name ? name : "the list of variables";
    if (name) snprintf(request.name, sizeof request.name, "%s", name);
    if (mat->child < 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: libmatio crashed on it before; open it again",
                       mat->path);
    if (!transfer_all(mat->socket, &request, sizeof request, 1) ||
        !transfer_all(mat->socket, answer, sizeof *answer, 0))
        return child_died(mat, what);
    answer->sentence[sizeof answer->sentence - 1] = 0;
    int known = answer->status >= UNSEEN_OK && answer->status <= UNSEEN_E_INTERRUPTED;
    if (!known || answer->bytes > UN_MAT_MEMORY || answer->count > UN_MAT_MEMORY)
        return un_fail(UNSEEN_E_FORMAT, "%s: libmatio went astray while reading %s", mat->path,
                       what);
    if (answer->status) return un_fail(answer->status, "%s", answer->sentence);
    return UNSEEN_OK;
}

static un_status astray(const un_mat *mat, const char *name) {
    return un_fail(UNSEEN_E_FORMAT, "%s: libmatio went astray while reading %s", mat->path, name);
}

static un_status list_variables(un_mat *mat) {
    mat_answer answer;
    UN_TRY(ask(mat, MAT_LIST, NULL, 0, 0, &answer));
    if (answer.bytes != answer.count * sizeof *mat->variables)
        return astray(mat, "the list of variables");
    if (answer.sentence[0])
        un_log(UNSEEN_LOG_WARNING,
               "%s: libmatio cannot make sense of all its variables, and says: %s", mat->path,
               answer.sentence);
    UN_TRY(un_alloc((size_t)answer.count, sizeof *mat->variables, &mat->variables));
    mat->count = (size_t)answer.count;
    if (mat->count > 0) memcpy(mat->variables, mat->memory, (size_t)answer.bytes);
    for (size_t i = 0; i < mat->count; i++) {
        un_mat_variable *v = &mat->variables[i];
        v->name[sizeof v->name - 1] = 0;
        v->class_name[sizeof v->class_name - 1] = 0;
        if (v->rank < 1 || v->rank > UN_MAX_RANK || (unsigned)v->kind > UN_MAT_CELL)
            return astray(mat, "the list of variables");
    }
    return UNSEEN_OK;
}

un_status un_mat_open(un_mat **out, const char *path) {
    un_mat *mat = calloc(1, sizeof *mat);
    if (!mat) return un_fail_memory(sizeof *mat);
    mat->child = -1;
    mat->socket = -1;
    un_status status = un_format(&mat->path, "%s", path);
    if (!status) status = check_file(mat);
    if (!status) status = start_child(mat);
    if (!status) status = list_variables(mat);
    if (status) {
        un_mat_close(mat);
        return status;
    }
    *out = mat;
    return UNSEEN_OK;
}

void un_mat_close(un_mat *mat) {
    if (!mat) return;
    if (mat->socket >= 0) close(mat->socket);
    end_child(mat, 1); /* it only reads: nothing to finish */
    if (mat->memory) munmap(mat->memory, UN_MAT_MEMORY);
    free(mat->variables);
    free(mat->path);
    free(mat);
}

const char *un_mat_path(const un_mat *mat) { return mat->path; }
const char *un_mat_version(const un_mat *mat) { return mat->version; }

const un_mat_variable *un_mat_variables(const un_mat *mat, size_t *count) {
    *count = mat->count;
    return mat->variables;
}

const un_mat_variable *un_mat_find(const un_mat *mat, const char *name) {
    for (size_t i = 0; i < mat->count; i++)
        if (!strcmp(mat->variables[i].name, name)) return &mat->variables[i];
    return NULL;
}

static un_status missing(const un_mat *mat, const char *name) {
    char listed[512];
    size_t used = 0;
    listed[0] = 0;
    for (size_t i = 0; i < mat->count && used < sizeof listed; i++)
        used += (size_t)snprintf(listed + used, sizeof listed - used, "%s%s", i > 0 ? ", " : "",
                                 mat->variables[i].name);
    return un_fail(UNSEEN_E_FORMAT, "%s has no variable \"%s\"; it has: %s", mat->path, name,
                   mat->count > 0 ? listed : "none");
}

un_status un_mat_require(const un_mat *mat, const char *name, un_mat_kind kind,
                         const un_mat_variable **out) {
    static const char *const KINDS[] = {"something", "a numeric matrix", "text",
                                        "a cell array of text"};
    const un_mat_variable *v = un_mat_find(mat, name);
    if (!v) return missing(mat, name);
    if (v->kind != kind || v->rank != 2)
        return un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" is of class %s with %d dimensions, expected %s",
                       mat->path, name, v->class_name, v->rank, KINDS[kind]);
    *out = v;
    return UNSEEN_OK;
}

un_status un_mat_read_double(un_mat *mat, const char *name, double **out) {
    const un_mat_variable *v = NULL;
    mat_answer answer;
    double *values = NULL;
    size_t count = 0;
    UN_TRY(un_mat_require(mat, name, UN_MAT_NUMERIC, &v));
    UN_TRY(ask(mat, MAT_DOUBLE, name, 0, 0, &answer));
    if (__builtin_mul_overflow(v->dims[0], v->dims[1], &count) ||
        answer.bytes / sizeof *values != count)
        return astray(mat, name);
    UN_TRY(un_alloc(count, sizeof *values, &values));
    if (count > 0) memcpy(values, mat->memory, count * sizeof *values);
    *out = values;
    return UNSEEN_OK;
}

size_t un_mat_slab_columns(const un_mat_variable *variable) {
    size_t column = variable->dims[0] * sizeof(double); /* the largest numeric class */
    if (!strcmp(variable->class_name, "single")) column = variable->dims[0] * sizeof(float);
    if (column == 0 || column > SLAB_BYTES) return 1;
    return SLAB_BYTES / column;
}

un_status un_mat_read_columns(un_mat *mat, const char *name, size_t first, size_t count,
                              const float **out) {
    const un_mat_variable *v = NULL;
    mat_answer answer;
    size_t elements = 0;
    UN_TRY(un_mat_require(mat, name, UN_MAT_NUMERIC, &v));
    UN_TRY(ask(mat, MAT_COLUMNS, name, first, count, &answer));
    if (__builtin_mul_overflow(v->dims[0], count, &elements) ||
        answer.bytes / sizeof(float) != elements)
        return astray(mat, name);
    *out = (const float *)(const void *)mat->memory;
    return UNSEEN_OK;
}

un_status un_mat_read_strings(un_mat *mat, const char *name, un_arena *arena, char ***out,
                              size_t *count) {
    const un_mat_variable *v = un_mat_find(mat, name);
    if (!v) return missing(mat, name);
    if (v->kind != UN_MAT_CELL && v->kind != UN_MAT_TEXT)
        return un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" is of class %s, expected a cell array of text",
                       mat->path, name, v->class_name);
    mat_answer answer;
    UN_TRY(ask(mat, MAT_STRINGS, name, 0, 0, &answer));
    size_t bytes = (size_t)answer.bytes;
    size_t n = (size_t)answer.count;
    char *text = NULL;
    char **strings = NULL;
    /* Counted before anything is reserved: n strings have n NULs. */
    size_t ends = 0;
    for (size_t i = 0; i < bytes; i++) ends += mat->memory[i] == 0;
    if (ends != n || (bytes > 0 && mat->memory[bytes - 1] != 0)) return astray(mat, name);
    UN_TRY(un_arena_alloc(arena, bytes, 1, &text));
    UN_TRY(un_arena_alloc(arena, n + 1, sizeof *strings, &strings));
    if (bytes > 0) memcpy(text, mat->memory, bytes);
    for (size_t i = 0; i < n; i++) {
        strings[i] = text;
        text += strlen(text) + 1;
    }
    *out = strings;
    *count = n;
    return UNSEEN_OK;
}
