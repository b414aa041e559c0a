/*
 * loader.h - pictures on their way into a network: decoded, cropped and normalised
 * by threads of their own, a few batches ahead of the computation.
 *
 * The threads run at low priority: they fill the gaps that the network leaves and
 * get the processors when it waits for them. They never compute in parallel
 * regions, so there is still one pool for that (base/parallel.h).
 */
#ifndef UN_ENGINE_LOADER_H
#define UN_ENGINE_LOADER_H

#include <stdio.h>

#include "base/arena.h"
#include "base/file_kind.h"
#include "base/status.h"
#include "data/dataset.h"
#include "vision/image/recipe.h"

typedef struct un_loader un_loader;

enum { UN_LOADER_HASH = 32 };

/* Everything is borrowed until un_loader_close. */
typedef struct {
    const char *root;   /* folder that the names are relative to; NULL: they are paths */
    char *const *names; /* [count]; or, where that is NULL: */
    const unseen_picture *pictures; /* [count] as un_crop_given takes them */
    size_t count;
    size_t first; /* the first picture to load */
    size_t batch; /* pictures at a time, from 1 */
    un_recipe recipe;
    int threads; /* 0: as many as compute */
    int hash;    /* 1: un_loaded.hashes tells which files were read */
} un_loader_options;

/* Up to `batch` pictures in order; valid until the next call. */
typedef struct {
    size_t first, count;   /* pictures first .. first + count - 1; count 0: no more */
    const float *pictures; /* (count, S, S, 3) as un_recipe_normalize writes; zeros where failed */
    const un_failure *const *errors; /* [count] NULL, or why a picture cannot be used */
    const un_status *codes;          /* [count] of those */
    size_t ignored;              /* pictures whose EXIF orientation the recipe does not honour */
    const unsigned char *turned; /* [count] 1: it is one of them */
    const unsigned char *hashes; /* [count, UN_LOADER_HASH] SHA-256 of the files; else NULL */
} un_loaded;

un_status un_loader_open(un_loader **out, const un_loader_options *options);
/* Waits for the next batch. A bad picture is no failure of this call. */
un_status un_loader_next(un_loader *loader, un_loaded *out);
/* Ends the threads; NULL is allowed. */
void un_loader_close(un_loader *loader);

/* One picture as the recipe has it decoded: turned or not. `name` is relative to `root` unless that
 * is NULL. */
un_status un_load_image(const char *root, const char *name, const un_recipe *recipe, un_image *out);

/* The same, cropped and normalised into out[S * S * 3]. *ignored, unless NULL: the EXIF orientation
 * that was not honoured, 0 if none. */
un_status un_load_picture(const char *root, const char *name, const un_recipe *recipe, float *out,
                          int *ignored);

/* That a caller's picture is in one form, with a size that can be; `side`: of crops, 0 where none will
 * do. `number` is what sentences call one that is in memory. */
un_status un_check_given(const unseen_picture *picture, size_t number, size_t side);
/* What a network sees of it, (side, side, 3), and where that lies in it. A file of more than
 * `max_pixels` (0: un_image_options's limit) is refused, with its size in *where. Not for one
 * that is given as features alone. */
un_status un_crop_given(const unseen_picture *picture, size_t number, const un_recipe *recipe,
                        size_t max_pixels, un_image *out, unseen_crop *where);

/* ---- the pictures that someone named: files, folders, lists. ---- */

typedef struct {
    char **paths;
    size_t count, capacity;
    size_t empty;   /* folders without pictures, passed over */
    char *problem;  /* a sentence about the first of them; NULL: none */
    un_arena arena; /* owns the strings */
} un_path_list;

/* Adds a file as it is named, or all pictures below a folder, sorted; a folder without any is
 * counted. Whether a file can be read is seen when it is. */
un_status un_path_list_add(un_path_list *list, const char *path);
/* Adds each line of a stream, blank lines skipped, like un_path_list_add. */
un_status un_path_list_read(un_path_list *list, FILE *stream);
void un_path_list_free(un_path_list *list);

/* ---- the pictures of a data set that cannot be decoded for what they are, told from their
 * first bytes without decoding any. ---- */

/* By kind of file; missing files and unknown bytes are in none. */
typedef struct {
    size_t images;
    size_t count[UN_KIND_COUNT];        /* of kinds that are not read here, 0 of the others */
    const char *example[UN_KIND_COUNT]; /* an image's name, borrowed from the data set */
} un_unread;

/* Reads the first bytes of every picture below dataset->image_root; none without one. */
un_status un_unread_find(const un_dataset *dataset, un_unread *out);
/* "3 of 21 pictures cannot be read, "a/x.jxl" for one: it is …", released with free(). */
un_status un_unread_sentence(const un_unread *unread, un_file_kind kind, char **out);

#endif
