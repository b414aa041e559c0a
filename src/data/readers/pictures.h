/*
 * pictures.h - the picture files below a folder: listing them, finding those that
 * other people's paths mean, and the size of one without decoding it. Private to
 * readers/.
 */
#ifndef UN_DATA_READERS_PICTURES_H
#define UN_DATA_READERS_PICTURES_H

#include "base/arena.h"
#include "data/dataset.h"

/* Whether the name ends like a picture that can be decoded: .jpg .jpeg .jpe .png
 * .webp .tif .tiff .gif .bmp, in either case. */
int un_picture_named(const char *name);

typedef struct {
    size_t count;
    char **names;   /* paths below the folder, sorted bytewise */
    size_t loops;   /* links that lead back to a folder above them, not followed */
    size_t other;   /* other files that were left aside, hidden ones not counted */
    size_t unnamed; /* pictures left aside because their names are not UTF-8 */
} un_picture_list;

/* All pictures below `root`, at any depth, from `arena`: files that are named like one or begin
 * like one, also of kinds that cannot be decoded. Links are followed but for loops; hidden files
 * and folders (".x") and __MACOSX are left out. Names that are not UTF-8 are counted and left
 * aside, or taken as they are if `raw`. */
un_status un_pictures_list(const char *root, int raw, un_arena *arena, un_picture_list *out);

/* Finds paths by their ends. */
typedef struct {
    size_t count;
    const char **keys; /* sorted from the end; borrowed names */
    size_t *numbers;   /* keys[i] is names[numbers[i]] */
} un_suffix_index;

un_status un_suffix_index_make(un_suffix_index *index, un_arena *arena, char *const *names,
                               size_t count);

typedef enum { UN_MATCH_NONE, UN_MATCH_ONE, UN_MATCH_SEVERAL } un_match;

/* The name that shares the most last components with `path`, its own last one at
 * least; one equal to `path` is preferred. *shared is the length of that end. */
un_match un_suffix_find(const un_suffix_index *index, const char *path, size_t *number,
                        size_t *shared);

/* place[i] = number of the name in `index` that paths[i] means, -1 if there is none.
 * Several names that fit one path equally well, and two paths that fit one name
 * equally well, are errors; of two that fit unequally the worse has none. `where`
 * is for sentences. `index` was made of `names`. */
un_status un_suffix_match(const un_suffix_index *index, char *const *names, char *const *paths,
                          size_t count, const char *where, int64_t *place);

/* Renames the data set's images after the files below `root` that their names mean
 * and sets image_root. An image without a file is an error unless allow_missing; how
 * many there are becomes a note, and they keep their names. */
un_status un_import_find_images(un_dataset *dataset, const char *root, int allow_missing);

/* dataset->image_root = the absolute path of `root`, which must be a folder; the pictures are to be
 * taken as stored, as those of the published benchmarks were. */
un_status un_import_image_root(un_dataset *dataset, const char *root);

/* Width and height in pixels from the head of a JPEG or PNG file, as stored (EXIF
 * orientation ignored). */
un_status un_picture_size(const char *path, size_t *width, size_t *height);

#endif
