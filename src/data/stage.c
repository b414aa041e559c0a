/* stage.c - building a directory under a temporary name; see stage.h. */
#include "data/stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

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

static un_status check_output(un_stage *stage, int over) {
    int empty = 0;
    UN_TRY(is_empty(stage->output, &empty));
    stage->replaces = !empty;
    if (empty || over) return UNSEEN_OK;
    return un_fail(UNSEEN_E_ARGUMENT,
                   "%s exists and is not empty; remove it or choose another output directory",
                   stage->output);
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
    int free_to_write = 0;
    UN_TRY(un_path_join(stage->partial, LOCK, &path));
    un_status status = UNSEEN_OK;
    if (mkdir(stage->partial, 0777) != 0) {
        if (errno != EEXIST)
            UN_GO(un_fail_errno(errno, "cannot make the directory %s", stage->partial));
        UN_GO(check_old(stage->partial, path));
    }
    un_status taken = un_lock_take(&stage->lock, path, &free_to_write);
    /* Who made the directory may have finished it meanwhile. */
    if (taken && un_path_exists(stage->partial)) UN_GO(taken);
    if (!free_to_write)
        status = un_fail(UNSEEN_E_ARGUMENT,
                         "another import is writing %s; wait for it or choose another output "
                         "directory",
                         stage->output);
done:
    free(path);
    return status;
}

static void release(un_stage *stage) {
    un_lock_drop(&stage->lock);
    free(stage->output);
    free(stage->partial);
    *stage = UN_STAGE_NONE;
}

/* ---- taking the place of another directory ---- */

static un_status old_name(const un_stage *stage, char **out) {
    return un_format(out, "%s.old", stage->output);
}

/* A run that was killed between the two renames of replace_in_two left no output, but what was
 * there before; only a directory with a lock in it is that. */
static un_status recover(const un_stage *stage) {
    char *old = NULL;
    char *lock = NULL;
    struct stat st;
    un_status status = UNSEEN_OK;
    UN_GO(old_name(stage, &old));
    UN_GO(un_path_join(old, LOCK, &lock));
    if (lstat(stage->output, &st) == 0 || lstat(old, &st) != 0 || !S_ISDIR(st.st_mode) ||
        faccessat(AT_FDCWD, lock, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        goto done;
    UN_GO(un_check_owner(old, &st));
    if (rename(old, stage->output) != 0)
        status = un_fail_errno(errno, "cannot rename %s to %s", old, stage->output);
done:
    free(lock);
    free(old);
    return status;
}

/* Removes the directory that was replaced. Its lock goes last, so that nobody takes it for a
 * directory of his own before; that it cannot be removed is no failure of what was made. */
static void remove_replaced(const char *old) {
    char *lock = NULL;
    un_status status = clear(old);
    if (!status) status = un_path_join(old, LOCK, &lock);
    if (!status) (void)unlink(lock);
    if (status || (rmdir(old) != 0 && errno != ENOTEMPTY))
        un_log(UNSEEN_LOG_WARNING, "%s is what was there before and could not be removed", old);
    free(lock);
}

/* For a file system that cannot exchange: a kill between the renames is mended by recover. */
static un_status replace_in_two(const un_stage *stage, char **old) {
    struct stat st;
    UN_TRY(old_name(stage, old));
    if (lstat(*old, &st) == 0)
        return un_fail(UNSEEN_E_ARGUMENT, "%s is in the way; move it or remove it", *old);
    if (rename(stage->output, *old) != 0)
        return un_fail_errno(errno, "cannot rename %s to %s", stage->output, *old);
    if (rename(stage->partial, stage->output) == 0) return UNSEEN_OK;
    un_status status =
        un_fail_errno(errno, "cannot rename %s to %s", stage->partial, stage->output);
    (void)rename(*old, stage->output);
    return status;
}

static un_status exchange(const un_stage *stage, char **old) {
    UN_TRY(un_format(old, "%s", stage->partial));
    if (renameat2(AT_FDCWD, stage->partial, AT_FDCWD, stage->output, RENAME_EXCHANGE) == 0)
        return UNSEEN_OK;
    if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return un_fail_errno(errno, "cannot exchange %s and %s", stage->partial, stage->output);
    free(*old);
    *old = NULL;
    return replace_in_two(stage, old);
}

/* The directory is in its place: that this may not outlast a power cut is no failure of it. */
static int sync_place(const un_stage *stage, const char *parent) {
    if (un_directory_sync(parent) == UNSEEN_OK) return 1;
    un_log(UNSEEN_LOG_WARNING, "%s is made, but may not outlast a power cut: %s", stage->output,
           un_error());
    return 0;
}

/* The old directory gets a lock, too: under its new name it is as a killed run would leave it, and
 * nobody clears it while we do. */
static un_status replace(const un_stage *stage, const char *parent) {
    char *lock = NULL;
    char *old = NULL;
    un_lock held = UN_LOCK_NONE;
    int taken = 0;
    un_status status = UNSEEN_OK;
    UN_GO(un_path_join(stage->output, LOCK, &lock));
    UN_GO(un_lock_take(&held, lock, &taken));
    if (!taken) UN_GO(un_fail(UNSEEN_E_ARGUMENT, "another process is replacing %s", stage->output));
    status = exchange(stage, &old);
    if (status) {
        un_lock_release(&held);
        goto done;
    }
    (void)unlink(lock); /* of the finished directory */
    if (sync_place(stage, parent))
        remove_replaced(old);
    else
        un_log(UNSEEN_LOG_WARNING, "%s is what was there before; remove it once %s is safe", old,
               stage->output);
done:
    un_lock_drop(&held); /* what it lay in was moved */
    free(lock);
    free(old);
    return status;
}

/* ---- the whole ---- */

static un_status stage_open(un_stage *stage, const char *output, int over) {
    *stage = UN_STAGE_NONE;
    size_t length = strlen(output);
    while (length > 1 && output[length - 1] == '/') length--;
    char *named = NULL;
    un_status status = UNSEEN_OK;
    if (length == 0) UN_GO(un_fail(UNSEEN_E_ARGUMENT, "the output directory has no name"));
    UN_GO(un_format(&named, "%.*s", (int)length, output));
    UN_GO(un_path_follow(named, &stage->output)); /* a link stays one: what it names is made */
    UN_GO(un_format(&stage->partial, "%s.partial", stage->output));
    UN_GO(recover(stage));
    UN_GO(check_output(stage, over));
    UN_GO(take_lock(stage));
    UN_GO(clear(stage->partial));
done:
    free(named);
    if (status) release(stage);
    return status;
}

un_status un_stage_open(un_stage *stage, const char *output) {
    return stage_open(stage, output, 0);
}

un_status un_stage_open_over(un_stage *stage, const char *output) {
    return stage_open(stage, output, 1);
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
    if (stage->replaces) {
        status = replace(stage, parent);
        goto done;
    }
    if (rename(stage->partial, stage->output) != 0)
        UN_GO(un_fail_errno(errno, "cannot rename %s to %s", stage->partial, stage->output));
    (void)unlink(lock); /* an empty file left behind harms nobody */
    (void)sync_place(stage, parent);
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
    if (stage->lock.fd >= 0) {
        char saved[UN_ERROR_LENGTH]; /* cleaning up must not hide why */
        snprintf(saved, sizeof saved, "%s", un_error());
        un_status status = un_directory_remove(stage->partial);
        (void)un_fail(status ? status : UNSEEN_OK, "%s", saved);
    }
    release(stage);
}
