/* stage.c - building a directory under a temporary name, and taking over the features of the data
 * set that it replaces; see stage.h. */
#include "data/stage.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/status.h"
#include "data/features.h"
#include "tensor/sha256.h"

static const char LOCK[] = ".lock";

static un_status is_empty(const char *path, int *empty) {
    struct dirent *entry = NULL;
    *empty = 1;
    DIR *directory = opendir(path);
    if (!directory && errno == ENOENT) return UNSEEN_OK;
    if (!directory && errno == ENOTDIR && !un_path_is_directory(path))
        return un_fail_no_folder(path);
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

static un_status take_lock(un_stage *stage, const char *command) {
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
                         "another %s is writing %s; wait for it or choose another output directory",
                         command, stage->output);
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

static un_status stage_open(un_stage *stage, const char *output, const char *command, int over) {
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
    UN_GO(take_lock(stage, command));
    UN_GO(clear(stage->partial));
done:
    free(named);
    if (status) release(stage);
    return status;
}

un_status un_stage_open(un_stage *stage, const char *output) {
    return stage_open(stage, output, "import", 0);
}

un_status un_stage_open_over(un_stage *stage, const char *output, const char *command) {
    return stage_open(stage, output, command, 1);
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
        un_failure why; /* cleaning up must not hide it */
        un_failure_keep(&why);
        (void)un_directory_remove(stage->partial);
        (void)un_failure_put_back(&why, UNSEEN_OK);
    }
    release(stage);
}

static const unsigned char g_unknown[UN_PICTURE_HASH];

/* ---- may it be replaced? ---- */

static int ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

/* NAME.tmp-XXXXXX, which a killed run left (base/output.c). */
static int is_temporary(const char *name) {
    const char *mark = strstr(name, ".tmp-");
    if (!mark || strlen(mark) != strlen(".tmp-XXXXXX")) return 0;
    for (mark += strlen(".tmp-"); *mark; mark++)
        if (!isalnum((unsigned char)*mark)) return 0;
    return 1;
}

/* What an import, an extraction or a training makes. */
static int is_ours(const char *name) {
    static const char *const made[] = {"dataset.safetensors", "parts.safetensors", "features",
                                       "states", ".lock"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        if (!strcmp(name, made[i])) return 1;
    return is_temporary(name);
}

static int is_feature_file(const char *name) {
    return (name[0] != '.' && ends_with(name, ".safetensors")) || is_temporary(name);
}

/* What a training computed once of the features, whole or in part: made again where it is wanted.
 */
static int is_state_file(const char *name) {
    return is_feature_file(name) || ends_with(name, ".safetensors.partial") ||
           ends_with(name, ".journal");
}

static un_status refuse_file(const char *folder, const char *name) {
    if (ends_with(name, ".journal") || ends_with(name, ".safetensors.partial"))
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s/%s is of an extraction that was interrupted, and would be lost; "
                       "finish it by the same {command|call}, or remove the file",
                       folder, name);
    return un_fail(UNSEEN_E_ARGUMENT,
                   "%s/%s is no part of the data set and would be lost; move it elsewhere", folder,
                   name);
}

static un_status check_files(const char *folder, int (*known)(const char *name)) {
    struct dirent *entry = NULL;
    DIR *directory = opendir(folder);
    if (!directory && errno == ENOENT) return UNSEEN_OK;
    if (!directory) return un_fail_errno(errno, "cannot read %s", folder);
    un_status status = un_directory_next(directory, folder, &entry);
    while (!status && entry) {
        if (!known(entry->d_name)) {
            status = refuse_file(folder, entry->d_name);
            break;
        }
        status = un_directory_next(directory, folder, &entry);
    }
    closedir(directory);
    return status;
}

/* Whether every row says which picture it was made of. */
static int tells_pictures(const un_features *f) {
    if (!f->pictures) return 0;
    for (size_t i = 0; i < f->image_count; i++)
        if (un_features_has(f, i) &&
            !memcmp(f->pictures + i * UN_PICTURE_HASH, g_unknown, sizeof g_unknown))
            return 0;
    return 1;
}

static un_status check_features(const char *directory, const char *name) {
    un_features f;
    UN_TRY(un_features_open(&f, directory, name));
    un_status status = UNSEEN_OK;
    if (!tells_pictures(&f))
        status = un_fail(UNSEEN_E_ARGUMENT,
                         "%s does not say which pictures its features were made of and would be "
                         "lost (version 0.1 made such files); import into another directory, or "
                         "remove it and extract again",
                         f.file.path);
    un_features_close(&f);
    return status;
}

un_status un_update_check(const char *directory) {
    un_dataset old;
    char *folder = NULL, *states = NULL;
    char **names = NULL;
    size_t count = 0;
    un_status status = un_dataset_open(&old, directory);
    if (status) return un_fail_prefix(status, "only a data set can be updated");
    un_dataset_close(&old);
    UN_GO(un_path_join(directory, "features", &folder));
    UN_GO(check_files(directory, is_ours));
    UN_GO(check_files(folder, is_feature_file));
    UN_GO(un_path_join(directory, "states", &states));
    if (!un_path_is_directory(states) && un_path_exists(states))
        UN_GO(refuse_file(directory, "states"));
    UN_GO(check_files(states, is_state_file));
    UN_GO(un_features_list(directory, &names, &count));
    for (size_t i = 0; i < count; i++) UN_GO(check_features(directory, names[i]));
done:
    un_names_free(names);
    free(states);
    free(folder);
    return status;
}

/* ---- rows by content ---- */

typedef struct {
    const unsigned char *hash;
    size_t image;
} row;

static int by_hash(const void *a, const void *b) {
    const row *x = a, *y = b;
    int order = memcmp(x->hash, y->hash, UN_PICTURE_HASH);
    return order ? order : (x->image > y->image) - (x->image < y->image);
}

/* bsearch's: any of the rows of one picture will do, they are equal. */
static int to_hash(const void *key, const void *b) {
    return memcmp(key, ((const row *)b)->hash, UN_PICTURE_HASH);
}

static un_status hash_picture(const un_dataset *d, size_t image, unsigned char *out) {
    char *path = NULL;
    UN_TRY(un_path_below(d->image_root, d->images[image], &path));
    un_status status = un_file_sha256(path, out);
    free(path);
    return status;
}

/* What the pictures are known by. One that cannot be read stays unknown, and so without a row: it
 * is as if it were new. Too many in a row, and the folder itself is out of reach. */
static un_status hash_pictures(const un_dataset *d, unsigned char **out) {
    un_progress progress;
    un_status status = UNSEEN_OK;
    size_t unread = 0, in_a_row = 0;
    char first[UN_ERROR_LENGTH] = "";
    UN_TRY(un_alloc(d->image_count, UN_PICTURE_HASH, out));
    un_progress_begin(&progress, "compare pictures", "images", d->image_count);
    for (size_t i = 0; i < d->image_count; i++) {
        unsigned char *hash = *out + i * UN_PICTURE_HASH;
        un_status code = hash_picture(d, i, hash);
        un_progress_update(&progress, i + 1);
        in_a_row = code ? in_a_row + 1 : 0;
        if (!code) continue;
        if (code == UNSEEN_E_MEMORY) UN_GO(code);
        memset(hash, 0, UN_PICTURE_HASH);
        if (unread++ == 0) snprintf(first, sizeof first, "%s", un_error());
        if (in_a_row < UN_PICTURE_FAILURES) continue;
        UN_GO(un_fail(UNSEEN_E_IO,
                      "%d pictures in a row could not be read, the first of all: %s. Is the drive "
                      "with %s there? Nothing was changed",
                      UN_PICTURE_FAILURES, first, d->image_root));
    }
    if (unread > 0)
        un_log(UNSEEN_LOG_WARNING,
               "%zu of %zu pictures cannot be read and keep no features, the first: %s", unread,
               d->image_count, first);
done:
    un_progress_end(&progress);
    return status;
}

/* The rows that there are, sorted by picture. */
static un_status sort_rows(const un_features *f, row **out, size_t *count) {
    UN_TRY(un_alloc(f->image_count, sizeof **out, out));
    for (size_t i = 0; i < f->image_count; i++)
        if (un_features_has(f, i)) (*out)[(*count)++] = (row){f->pictures + i * UN_PICTURE_HASH, i};
    if (*count > 0) qsort(*out, *count, sizeof **out, by_hash);
    return UNSEEN_OK;
}

static un_status write_rows(const un_features *f, const row *rows, size_t count,
                            const unsigned char *pictures, size_t N, const char *path) {
    const char *source = un_safetensors_metadata(&f->file, "source");
    const un_features_description description = {.image_count = N,
                                                 .regions = f->regions,
                                                 .width = f->width,
                                                 .grid_height = f->grid_height,
                                                 .grid_width = f->grid_width,
                                                 .dtype = f->dtype,
                                                 .source = source,
                                                 .recipe = f->recipe,
                                                 .pictured = 1};
    un_features_writer *writer = NULL;
    float *nothing = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(f->regions * f->width, sizeof *nothing, &nothing));
    UN_GO(un_features_writer_open(&writer, path, &description));
    for (size_t i = 0; i < N; i++) {
        static const unsigned char absent = 0;
        const row *same =
            bsearch(pictures + i * UN_PICTURE_HASH, rows, count, sizeof *rows, to_hash);
        if (same)
            UN_GO(un_features_writer_copy(writer, f, same->image));
        else
            UN_GO(un_features_writer_append_pictures(writer, nothing, g_unknown, &absent, 1));
    }
    status = un_features_writer_commit(writer);
    writer = NULL;
done:
    un_features_writer_abort(writer);
    free(nothing);
    return status;
}

static un_status carry_over(const un_features *f, const unsigned char *pictures, size_t N,
                            const char *to) {
    row *rows = NULL;
    size_t count = 0, kept = 0;
    char *path = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(sort_rows(f, &rows, &count));
    for (size_t i = 0; i < N && count > 0; i++)
        kept += bsearch(pictures + i * UN_PICTURE_HASH, rows, count, sizeof *rows, to_hash) != NULL;
    if (kept == 0) {
        un_log(UNSEEN_LOG_WARNING,
               "features %s: none of the pictures is one that they were made of; they are left out",
               f->name);
        goto done;
    }
    UN_GO(un_format(&path, "%s/features", to));
    UN_GO(un_directory_make(path));
    free(path);
    path = NULL;
    UN_GO(un_format(&path, "%s/features/%s.safetensors", to, f->name));
    UN_GO(write_rows(f, rows, count, pictures, N, path));
    un_log(UNSEEN_LOG_INFO, "features %s: %zu of %zu images keep theirs", f->name, kept, N);
done:
    free(rows);
    free(path);
    return status;
}

un_status un_update_features(const un_dataset *dataset, const char *from, const char *to) {
    char **names = NULL;
    unsigned char *pictures = NULL;
    size_t count = 0;
    un_status status = UNSEEN_OK;
    UN_GO(un_features_list(from, &names, &count));
    if (count > 0) UN_GO(hash_pictures(dataset, &pictures));
    for (size_t i = 0; i < count && !status; i++) {
        un_features f;
        UN_GO(un_features_open(&f, from, names[i]));
        status = carry_over(&f, pictures, dataset->image_count, to);
        un_features_close(&f);
    }
done:
    un_names_free(names);
    free(pictures);
    return status;
}
