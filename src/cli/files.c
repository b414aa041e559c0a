/*
 * files.c - which files a command reads and writes (cli.h), told before it works, so that no output
 * takes the place of an input or of another output.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/file_kind.h"
#include "base/status.h"
#include "cli/cli.h"

typedef enum {
    ROLE_INPUT,
    ROLE_DATASET,
    ROLE_UPDATED,
    ROLE_FOLDER,
    ROLE_MADE,
    ROLE_OUTPUT,
    ROLE_BESIDE /* an output that is not asked for */
} file_role;

struct un_cli_file {
    file_role role;
    char *path;
    char *images; /* of a data set; NULL: where it says itself */
};

/* Where an output goes. */
typedef struct {
    char *name;         /* in its folder */
    struct stat folder; /* st_ino 0: there is none */
    struct stat held;   /* of the file that is there; st_ino 0: there is none */
    char *real;         /* its whole path; NULL where the folder is missing */
} place;

/* ---- the list ---- */

static void add(un_cli_files *f, file_role role, const char *path, const char *images) {
    if (!path) return;
    if (f->count == f->room) {
        size_t room = f->room ? 2 * f->room : 16;
        un_cli_file *list = realloc(f->list, room * sizeof *list);
        if (!list) {
            f->failed = 1;
            return;
        }
        f->list = list;
        f->room = room;
    }
    un_cli_file file = {role, strdup(path), images ? strdup(images) : NULL};
    if (!file.path || (images && !file.images)) f->failed = 1;
    f->list[f->count++] = file;
}

void un_cli_reads(un_cli_files *f, const char *path) { add(f, ROLE_INPUT, path, NULL); }

void un_cli_reads_dataset(un_cli_files *f, const char *directory, const char *images) {
    add(f, ROLE_DATASET, directory, images);
}

void un_cli_updates_dataset(un_cli_files *f, const char *directory) {
    add(f, ROLE_UPDATED, directory, NULL);
}

void un_cli_reads_folder(un_cli_files *f, const char *folder) { add(f, ROLE_FOLDER, folder, NULL); }

void un_cli_makes(un_cli_files *f, const char *directory) { add(f, ROLE_MADE, directory, NULL); }

void un_cli_writes(un_cli_files *f, const char *path) { add(f, ROLE_OUTPUT, path, NULL); }

void un_cli_writes_beside(un_cli_files *f, const char *output, const char *ending) {
    char *path = NULL;
    if (!un_output_is_file(output)) return;
    if (un_format(&path, "%s%s", output, ending))
        f->failed = 1;
    else
        add(f, ROLE_BESIDE, path, NULL);
    free(path);
}

void un_cli_reads_pictures(un_cli_files *files, const un_cli_pictures *p) {
    un_cli_reads(files, p->model);
    un_cli_reads(files, p->backbone);
    for (size_t i = 0; i < p->class_file_count; i++) un_cli_reads(files, p->class_files[i]);
    for (size_t i = 0; i < p->pictures.count; i++) un_cli_reads(files, p->pictures.paths[i]);
}

static void release(un_cli_files *f) {
    for (size_t i = 0; i < f->count; i++) {
        free(f->list[i].path);
        free(f->list[i].images);
    }
    free(f->list);
    *f = (un_cli_files){0};
}

static int is_output(const un_cli_file *file) {
    return file->role == ROLE_OUTPUT || file->role == ROLE_BESIDE;
}

static int is_standard(const un_cli_file *file) {
    return file->role == ROLE_OUTPUT && un_cli_is_standard(file->path);
}

/* ---- places ---- */

static int same(const struct stat *a, const struct stat *b) {
    return a->st_ino != 0 && a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* Whether there is a regular file; links are followed. */
static int is_held(const char *path, struct stat *held) {
    if (stat(path, held) == 0 && S_ISREG(held->st_mode)) return 1;
    *held = (struct stat){0};
    return 0;
}

static void free_place(place *p) {
    free(p->name);
    free(p->real);
    *p = (place){0};
}

/* Of an output that is, or will be, a file; else all is 0. */
static un_status find_place(const char *path, place *p) {
    char *target = NULL, *folder = NULL, *real = NULL;
    un_status status = UNSEEN_OK;
    *p = (place){0};
    if (!*path || !un_output_is_file(path) || un_path_is_directory(path)) return UNSEEN_OK;
    UN_GO(un_path_follow(path, &target));
    UN_GO(un_path_directory(target, &folder));
    UN_GO(un_path_base(target, &p->name));
    (void)is_held(target, &p->held);
    if (stat(folder, &p->folder) != 0) p->folder = (struct stat){0};
    real = realpath(folder, NULL);
    if (real) UN_GO(un_path_join(real, p->name, &p->real));
done:
    free(target);
    free(folder);
    free(real);
    if (status) free_place(p);
    return status;
}

static int same_place(const place *a, const place *b) {
    if (same(&a->held, &b->held)) return 1;
    return a->name && b->name && same(&a->folder, &b->folder) && !strcmp(a->name, b->name);
}

/* Whether the place lies, at any depth, below a folder. */
static int lies_below(const place *p, const char *folder) {
    char *real = realpath(folder, NULL);
    size_t n = real ? strlen(real) : 0;
    int below =
        p->real && n > 0 && !strncmp(p->real, real, n) && (real[n - 1] == '/' || p->real[n] == '/');
    free(real);
    return below;
}

/* ---- what an output must not be ---- */

static int is_input(const place *p, const char *path) {
    struct stat held;
    if (p->held.st_ino == 0) return 0;
    if (is_held(path, &held)) return same(&p->held, &held);
    const char *colon = strrchr(path, ':'); /* X.npz:NAME */
    char *file = colon ? strndup(path, (size_t)(colon - path)) : NULL;
    int input = file && is_held(file, &held) && same(&p->held, &held);
    free(file);
    return input;
}

/* Whether the file that is there is also one of a directory's own, under whatever name. */
static int is_linked(const place *p, const char *directory) {
    DIR *d = p->held.st_ino != 0 ? opendir(directory) : NULL;
    struct dirent *entry = NULL;
    int linked = 0;
    while (d && !linked && !un_directory_next(d, directory, &entry) && entry) {
        char *path = NULL;
        if (un_path_join(directory, entry->d_name, &path)) break;
        const char *ending = strrchr(entry->d_name, '.');
        linked = ending && !strcmp(ending, ".safetensors") && is_input(p, path);
        free(path);
    }
    if (d) closedir(d);
    return linked;
}

/* Whether the file that is there is a picture of the data set. They are looked at one by one only
 * if a picture would be overwritten, not if an earlier result is. */
static int is_picture_of(const place *p, const un_cli_file *set) {
    unseen_dataset *data = NULL;
    int found = 0;
    if (p->held.st_ino == 0 || !p->real || !un_kind_is_picture(un_kind_of_file(p->real))) return 0;
    /* What cannot be opened is opened again, and then told. */
    if (un_cli_dataset_open(set->path, set->images, &data)) return 0;
    const char *folder = unseen_dataset_image_folder(data);
    for (size_t i = 0; folder && i < unseen_dataset_image_count(data) && !found; i++) {
        const char *name = unseen_dataset_image_name(data, i);
        char *path = NULL;
        if (!name || un_path_join(folder, name, &path)) break;
        found = is_input(p, path);
        free(path);
    }
    unseen_dataset_close(data);
    return found;
}

static un_status belongs_to(const place *p, const un_cli_file *set, int *belongs) {
    char *features = NULL;
    struct stat directory;
    UN_TRY(un_path_join(set->path, "features", &features));
    /* New files in features/ would be taken for feature sets. */
    *belongs = stat(features, &directory) == 0 && same(&directory, &p->folder);
    if (stat(set->path, &directory) == 0 && same(&directory, &p->folder))
        *belongs |=
            !strcmp(p->name, "dataset.safetensors") || !strcmp(p->name, "parts.safetensors");
    *belongs |= is_linked(p, set->path) || is_linked(p, features) || is_picture_of(p, set);
    free(features);
    return UNSEEN_OK;
}

static int is_json(const char *name) {
    const char *ending = strrchr(name, '.');
    return ending && !strcmp(ending, ".json");
}

/* One output against one other file of the command. */
static un_status check_pair(const un_cli_file *output, const place *p, const un_cli_file *other) {
    int belongs = 0;
    switch (other->role) {
    case ROLE_INPUT:
        if (is_input(p, other->path))
            return un_fail(UNSEEN_E_ARGUMENT,
                           "%s is read by this command and would be overwritten; choose another "
                           "output",
                           output->path);
        return UNSEEN_OK;
    case ROLE_DATASET:
        UN_TRY(belongs_to(p, other, &belongs));
        if (belongs)
            return un_fail(UNSEEN_E_ARGUMENT,
                           "%s belongs to the data set %s, which this command reads; choose "
                           "another output",
                           output->path, other->path);
        return UNSEEN_OK;
    case ROLE_FOLDER:
        if (p->held.st_ino != 0 && !is_json(p->name) && lies_below(p, other->path))
            return un_fail(UNSEEN_E_ARGUMENT,
                           "%s is a file of the folder %s, which this command reads; choose "
                           "another output",
                           output->path, other->path);
        return UNSEEN_OK;
    case ROLE_MADE:
        if (lies_below(p, other->path))
            return un_fail(UNSEEN_E_ARGUMENT,
                           "%s lies in the directory %s, which this command makes as a whole; "
                           "choose another output",
                           output->path, other->path);
        return UNSEEN_OK;
    case ROLE_UPDATED: /* check_update */
    case ROLE_OUTPUT:  /* check_twice */
    case ROLE_BESIDE: return UNSEEN_OK;
    }
    return UNSEEN_OK;
}

/* No input may be one of the files that an update writes. */
static un_status check_update(const un_cli_files *f, const un_cli_file *set) {
    for (size_t i = 0; i < f->count; i++) {
        place p;
        int belongs = 0;
        if (f->list[i].role != ROLE_INPUT) continue;
        UN_TRY(find_place(f->list[i].path, &p));
        un_status status = p.held.st_ino != 0 ? belongs_to(&p, set, &belongs) : UNSEEN_OK;
        free_place(&p);
        UN_TRY(status);
        if (belongs)
            return un_fail(UNSEEN_E_ARGUMENT,
                           "%s lies among the files of the data set %s, which this command writes; "
                           "move it elsewhere first",
                           f->list[i].path, set->path);
    }
    return UNSEEN_OK;
}

static un_status check_twice(const un_cli_file *a, const place *pa, const un_cli_file *b,
                             const place *pb) {
    if (is_standard(a) && is_standard(b))
        return un_fail(UNSEEN_E_ARGUMENT,
                       "only one output can go to standard output; name files for the others");
    if (a->role == ROLE_BESIDE && b->role == ROLE_BESIDE) return UNSEEN_OK;
    if (!same_place(pa, pb)) return UNSEEN_OK;
    return un_fail(UNSEEN_E_ARGUMENT,
                   a->role == ROLE_OUTPUT && b->role == ROLE_OUTPUT
                       ? "%s is named for two outputs, and only one would stay; give each its own "
                         "file"
                       : "%s is a file that this command keeps beside another output; choose "
                         "another name",
                   a->role == ROLE_OUTPUT ? a->path : b->path);
}

static un_status check_confusions(const un_cli_files *f, place *places) {
    for (size_t i = 0; i < f->count; i++)
        if (is_output(&f->list[i]) && !is_standard(&f->list[i]))
            UN_TRY(find_place(f->list[i].path, &places[i]));
    for (size_t i = 0; i < f->count; i++) {
        if (f->list[i].role == ROLE_UPDATED) UN_TRY(check_update(f, &f->list[i]));
        if (!is_output(&f->list[i])) continue;
        for (size_t k = 0; k < f->count; k++) {
            if (k != i && places[i].name) UN_TRY(check_pair(&f->list[i], &places[i], &f->list[k]));
            if (k > i && is_output(&f->list[k]))
                UN_TRY(check_twice(&f->list[i], &places[i], &f->list[k], &places[k]));
        }
    }
    return UNSEEN_OK;
}

int un_cli_check_files(un_cli_files *f) {
    int code = UN_EXIT_FAILURE;
    place *places = calloc(f->count + 1, sizeof *places);
    un_status status = places && !f->failed ? UNSEEN_OK : un_fail_memory(0);
    if (!status) {
        status = check_confusions(f, places);
        if (status == UNSEEN_E_ARGUMENT) code = UN_EXIT_USAGE;
    }
    for (size_t i = 0; i < f->count && !status; i++)
        if (f->list[i].role == ROLE_OUTPUT && !is_standard(&f->list[i]))
            status = un_output_check(f->list[i].path);
    for (size_t i = 0; places && i < f->count; i++) free_place(&places[i]);
    free(places);
    release(f);
    if (!status) return UN_EXIT_OK;
    (void)un_cli_fail();
    return code;
}
