/* stage.c - building a directory under a temporary name; see stage.h. */
#include "data/stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static const char LOCK[] = ".lock";

static un_status is_empty(const char *path, int *empty) {
    struct dirent *entry = NULL;
    *empty = 1;
    DIR *directory = opendir(path);
    if (!directory && errno == ENOENT) return UNSEEN_OK;
    if (!directory) return un_fail_errno(errno, "cannot use %s as the output directory", path);
    un_status status = un_directory_next(directory, path, &entry);
    *empty = entry == NULL;
    closedir(directory);
    return status;
}

static un_status check_output(const char *output) {
    int empty = 0;
    UN_TRY(is_empty(output, &empty));
    if (!empty)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s exists and is not empty; remove it or choose another output directory",
                       output);
    return UNSEEN_OK;
}

/* Removes everything in the partial directory but the lock, which is ours. */
static un_status clear(const char *partial) {
    DIR *directory = opendir(partial);
    if (!directory) return un_fail_errno(errno, "cannot read %s", partial);
    struct dirent *e = NULL;
    un_status status = UNSEEN_OK;
    for (;;) {
        char *child = NULL;
        struct stat st;
        UN_GO(un_directory_next(directory, partial, &e));
        if (!e) break;
        if (!strcmp(e->d_name, LOCK)) continue;
        status = un_path_join(partial, e->d_name, &child);
        if (!status && lstat(child, &st) == 0 && S_ISDIR(st.st_mode))
            status = un_directory_remove(child);
        else if (!status && unlink(child) != 0)
            status = un_fail_errno(errno, "cannot remove %s", child);
        free(child);
        if (status) break;
    }
done:
    closedir(directory);
    return status;
}

/* Whether the file we hold locked is still the one at `path`: its directory may
 * have been finished or removed between our opening and our locking it. */
static int still_there(int fd, const char *path) {
    struct stat held;
    struct stat named;
    return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino &&
           held.st_dev == named.st_dev;
}

/* What is there under the temporary name must be what a killed run left: everything in it will be
 * removed. */
static un_status check_old(const char *partial, const char *lock_path) {
    struct stat st;
    if (lstat(partial, &st) != 0) return un_fail_errno(errno, "cannot use %s", partial);
    if (!S_ISDIR(st.st_mode))
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s is no directory of an earlier run but a link or a file; remove it",
                       partial);
    UN_TRY(un_check_owner(partial, &st));
    int lock = faccessat(AT_FDCWD, lock_path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    int empty = 0;
    UN_TRY(is_empty(partial, &empty));
    if (lock || empty) return UNSEEN_OK;
    return un_fail(
        UNSEEN_E_ARGUMENT,
        "%s is in the way and was not left by an earlier run; move it, or choose another "
        "output directory",
        partial);
}

static un_status take_lock(un_stage *stage) {
    char *path = NULL;
    UN_TRY(un_path_join(stage->partial, LOCK, &path));
    un_status status = UNSEEN_OK;
    if (mkdir(stage->partial, 0777) != 0) {
        if (errno != EEXIST)
            UN_GO(un_fail_errno(errno, "cannot make the directory %s", stage->partial));
        UN_GO(check_old(stage->partial, path));
    }
    stage->lock = un_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0666);
    if (stage->lock < 0) UN_GO(un_fail_errno(errno, "cannot write into %s", stage->partial));
    if (flock(stage->lock, LOCK_EX | LOCK_NB) != 0 || !still_there(stage->lock, path)) {
        close(stage->lock);
        stage->lock = -1;
        status = un_fail(UNSEEN_E_ARGUMENT,
                         "another import is writing %s; wait for it or choose another output "
                         "directory",
                         stage->output);
    }
done:
    free(path);
    return status;
}

static void release(un_stage *stage) {
    if (stage->lock >= 0) close(stage->lock);
    free(stage->output);
    free(stage->partial);
    *stage = (un_stage){.lock = -1};
}

un_status un_stage_open(un_stage *stage, const char *output) {
    *stage = (un_stage){.lock = -1};
    size_t length = strlen(output);
    while (length > 1 && output[length - 1] == '/') length--;
    char *named = NULL;
    un_status status = UNSEEN_OK;
    if (length == 0) UN_GO(un_fail(UNSEEN_E_ARGUMENT, "the output directory has no name"));
    UN_GO(un_format(&named, "%.*s", (int)length, output));
    UN_GO(un_path_follow(named, &stage->output)); /* a link stays one: what it names is made */
    UN_GO(un_format(&stage->partial, "%s.partial", stage->output));
    UN_GO(check_output(stage->output));
    UN_GO(take_lock(stage));
    UN_GO(clear(stage->partial));
done:
    free(named);
    if (status) release(stage);
    return status;
}

/* The lock is removed from the directory it has moved to, so that nobody can
 * take a new one while the old name still exists. */
static un_status move(const un_stage *stage) {
    char *lock = NULL;
    char *parent = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_path_join(stage->output, LOCK, &lock));
    UN_GO(un_path_directory(stage->output, &parent));
    UN_GO(un_directory_sync(stage->partial));
    if (rename(stage->partial, stage->output) != 0)
        UN_GO(un_fail_errno(errno, "cannot rename %s to %s", stage->partial, stage->output));
    (void)unlink(lock); /* an empty file left behind harms nobody */
    UN_GO(un_directory_sync(parent));
done:
    free(lock);
    free(parent);
    return status;
}

un_status un_stage_commit(un_stage *stage) {
    un_status status = move(stage);
    if (status)
        un_stage_abort(stage);
    else
        release(stage);
    return status;
}

void un_stage_abort(un_stage *stage) {
    if (stage->lock >= 0) {
        char saved[UN_ERROR_LENGTH]; /* cleaning up must not hide why */
        snprintf(saved, sizeof saved, "%s", un_error());
        un_status status = un_directory_remove(stage->partial);
        (void)un_fail(status ? status : UNSEEN_OK, "%s", saved);
    }
    release(stage);
}
