/* folder.c - whether all ranks see one folder; see cluster.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "cluster/cluster.h"

enum { BYTES = 16, TOKEN = 2 * BYTES + 1 };
/* File systems on a network may show a file late. */
static const double PATIENCE = 5;

/* What rank 0 left: a token, and the name of the file that holds it. */
typedef struct {
    char name[NAME_MAX + 1], token[TOKEN];
} mark;

static un_status leave_mark(const char *path, un_atomic_file *file, mark *m) {
    unsigned char bytes[BYTES];
    char *name = NULL;
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return un_fail_errno(errno, "no random numbers for a token");
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(m->token + 2 * i, sizeof m->token - 2 * i, "%02x", bytes[i]);
    UN_TRY(un_atomic_open(file, path));
    UN_TRY(un_atomic_write(file, m->token, TOKEN - 1, 0));
    UN_TRY(un_atomic_name(file));
    UN_TRY(un_path_base(file->temporary, &name));
    snprintf(m->name, sizeof m->name, "%s", name);
    free(name);
    return UNSEEN_OK;
}

static int sees(const char *folder, const char *path, const mark *m) {
    char *text = NULL;
    size_t length = 0;
    /* Has NFS ask whether the folder's entries are still what they were. */
    int fd = un_open(folder, O_RDONLY | O_DIRECTORY, 0);
    if (fd >= 0) close(fd);
    if (un_file_read(path, TOKEN, &text, &length) != UNSEEN_OK) return 0;
    int same = length == TOKEN - 1 && !memcmp(text, m->token, length);
    free(text);
    return same;
}

static un_status find_mark(const char *path, const mark *m) {
    const struct timespec pause = {.tv_nsec = 100000000};
    char *target = NULL, *folder = NULL, *marked = NULL, *real = NULL;
    double start = un_now();
    un_status status = UNSEEN_OK;
    UN_GO(un_path_follow(path, &target));
    UN_GO(un_path_directory(target, &folder));
    UN_GO(un_path_join(folder, m->name, &marked));
    int same = sees(folder, marked, m);
    while (!same && un_now() - start < PATIENCE) {
        nanosleep(&pause, NULL);
        same = sees(folder, marked, m);
    }
    if (same) goto done;
    real = realpath(folder, NULL);
    status = un_fail(UNSEEN_E_ARGUMENT,
                     "the folder %s is not the one that rank 0 writes %s into; it has to be on a "
                     "file system that all ranks share",
                     real ? real : folder, path);
done:
    free(target);
    free(folder);
    free(marked);
    free(real);
    return status;
}

un_status un_cluster_same_folder(const char *path) {
    un_cluster *all = un_cluster_all();
    int first = un_cluster_rank(all) == 0;
    un_atomic_file file = UN_ATOMIC_NONE;
    mark m = {{0}, {0}};
    if (un_cluster_size(all) == 1) return UNSEEN_OK;
    un_status status = un_cluster_agree(first ? leave_mark(path, &file, &m) : UNSEEN_OK);
    if (!status) status = un_cluster_broadcast(all, 0, &m, sizeof m);
    if (!status) status = un_cluster_agree(first ? UNSEEN_OK : find_mark(path, &m));
    un_atomic_abort(&file);
    return status;
}
