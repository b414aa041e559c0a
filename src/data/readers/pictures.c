/* pictures.c - listing, finding and measuring picture files; see pictures.h. */
#include "data/readers/pictures.h"

#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/file_kind.h"
#include "data/readers/import_parts.h"

/* Folders within folders; deeper is a mistake or an attack. */
enum { MAX_DEPTH = 64, MAX_PICTURES = 1 << 28, NAMED = 3 };

int un_picture_named(const char *name) {
    static const char *const endings[] = {".jpg", ".jpeg", ".jpe", ".png", ".webp",
                                          ".tif", ".tiff", ".gif", ".bmp"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && dot != name && i < sizeof endings / sizeof *endings; i++)
        if (!strcasecmp(dot, endings[i])) return 1;
    return 0;
}

/* ---- listing ---- */

typedef struct {
    un_arena *arena;
    char **names; /* grown by doubling */
    size_t count, capacity;
    size_t loops, other, unnamed;
    int raw; /* names that are not UTF-8 are taken, too */
} listing;

/* Whether the name ends like a picture of a kind that is not read, or not everywhere: a file of
 * such a name is told of, not passed over. Camera's raw files are TIFF inside, so that their
 * content does not tell them apart. */
static int ends_like_picture(const char *name) {
    static const char *const endings[] = {".jfif", ".heic", ".heif", ".avif", ".jxl",
                                          ".jp2",  ".cr2",  ".cr3",  ".nef",  ".arw",
                                          ".dng",  ".orf",  ".rw2",  ".raf",  ".psd"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && dot != name && i < sizeof endings / sizeof *endings; i++)
        if (!strcasecmp(dot, endings[i])) return 1;
    return 0;
}

/* By its name, else by what it is. */
static int is_picture(const FTSENT *e) {
    return un_picture_named(e->fts_name) || ends_like_picture(e->fts_name) ||
           un_kind_is_picture(un_kind_of_file(e->fts_accpath));
}

static un_status add_name(listing *l, const char *name) {
    if (!l->raw && !un_text_is_utf8((const unsigned char *)name, strlen(name))) {
        l->unnamed++;
        return UNSEEN_OK;
    }
    if (l->count == MAX_PICTURES)
        return un_fail(UNSEEN_E_UNSUPPORTED, "there are more than %d pictures", MAX_PICTURES);
    if (l->count == l->capacity) {
        size_t capacity = l->capacity ? 2 * l->capacity : 1024;
        char **names = realloc(l->names, capacity * sizeof *names);
        if (!names) return un_fail_memory(capacity * sizeof *names);
        l->names = names;
        l->capacity = capacity;
    }
    return un_arena_string(l->arena, name, &l->names[l->count++]);
}

static un_status visit(listing *l, FTS *walk, FTSENT *e, size_t root_length) {
    int skipped = e->fts_name[0] == '.' || !strcmp(e->fts_name, "__MACOSX");
    if (e->fts_level > 0 && skipped) {
        if (e->fts_info == FTS_D) fts_set(walk, e, FTS_SKIP);
        return UNSEEN_OK;
    }
    const char *name = e->fts_path + root_length;
    switch (e->fts_info) {
    case FTS_D:
        if (e->fts_level <= MAX_DEPTH) return UNSEEN_OK;
        return un_fail(UNSEEN_E_FORMAT, "%s lies more than %d folders deep", e->fts_path,
                       MAX_DEPTH);
    case FTS_DC: l->loops++; return UNSEEN_OK;
    case FTS_F:
        if (is_picture(e)) return add_name(l, name + strspn(name, "/"));
        l->other++;
        return UNSEEN_OK;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        return un_fail_errno(e->fts_errno ? e->fts_errno : EIO, "cannot read %s", e->fts_path);
    case FTS_DP: return UNSEEN_OK;
    default: l->other++; return UNSEEN_OK; /* a dangling link, a socket, … */
    }
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static un_status walk_tree(listing *l, const char *root) {
    char *path = NULL;
    UN_TRY(un_format(&path, "%s", root));
    char *const roots[] = {path, NULL};
    FTS *walk = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, NULL);
    un_status status = UNSEEN_OK;
    if (!walk) UN_GO(un_fail_errno(errno, "cannot read %s", root));
    errno = 0;
    for (FTSENT *e = fts_read(walk); e; e = fts_read(walk)) UN_GO(visit(l, walk, e, strlen(path)));
    if (errno != 0) UN_GO(un_fail_errno(errno, "cannot read %s", root));
done:
    if (walk) fts_close(walk);
    free(path);
    return status;
}

un_status un_pictures_list(const char *root, int raw, un_arena *arena, un_picture_list *out) {
    listing l = {.arena = arena, .raw = raw};
    *out = (un_picture_list){0};
    if (!un_path_is_directory(root))
        return un_fail(UNSEEN_E_IO, "%s is not a folder that can be read", root);
    un_status status = walk_tree(&l, root);
    if (!status) status = un_arena_alloc(arena, l.count + 1, sizeof *out->names, &out->names);
    if (!status && l.count > 0) {
        qsort(l.names, l.count, sizeof *l.names, by_bytes);
        memcpy(out->names, l.names, l.count * sizeof *l.names);
    }
    out->count = l.count;
    out->loops = l.loops;
    out->other = l.other;
    out->unnamed = l.unnamed;
    free(l.names);
    return status;
}

/* ---- finding by the end of a path ---- */

/* Byte k from the end of a path; the end before its first byte is a '/', as if
 * every path began at a root; then 0. */
static int from_end(const char *text, size_t length, size_t k) {
    if (k < length) return (unsigned char)text[length - 1 - k];
    return k == length ? '/' : -1;
}

static const char *without_slash(const char *path) { return path + strspn(path, "/"); }

static int by_end(const char *a, const char *b) {
    size_t m = strlen(a);
    size_t n = strlen(b);
    for (size_t k = 0;; k++) {
        int x = from_end(a, m, k);
        int y = from_end(b, n, k);
        if (x != y) return x < y ? -1 : 1;
        if (x < 0) return 0;
    }
}

typedef struct {
    const char *key;
    size_t number;
} numbered;

static int by_key(const void *a, const void *b) {
    const numbered *x = a;
    const numbered *y = b;
    int order = by_end(x->key, y->key);
    return order != 0 ? order : (x->number > y->number) - (x->number < y->number);
}

un_status un_suffix_index_make(un_suffix_index *index, un_arena *arena, char *const *names,
                               size_t count) {
    numbered *all = NULL;
    *index = (un_suffix_index){.count = count};
    UN_TRY(un_arena_alloc(arena, count, sizeof *index->keys, &index->keys));
    UN_TRY(un_arena_alloc(arena, count, sizeof *index->numbers, &index->numbers));
    UN_TRY(un_alloc(count, sizeof *all, &all));
    for (size_t i = 0; i < count; i++) all[i] = (numbered){without_slash(names[i]), i};
    qsort(all, count, sizeof *all, by_key);
    for (size_t i = 0; i < count; i++) {
        index->keys[i] = all[i].key;
        index->numbers[i] = all[i].number;
    }
    free(all);
    return UNSEEN_OK;
}

/* Length of the common end of whole components, the '/' before it included; 0 if
 * not even the last component is common. */
static size_t common_end(const char *a, const char *b) {
    size_t m = strlen(a);
    size_t n = strlen(b);
    size_t whole = 0;
    for (size_t k = 0;; k++) {
        int x = from_end(a, m, k);
        if (x < 0 || x != from_end(b, n, k)) return whole;
        if (x == '/') whole = k + 1;
    }
}

un_match un_suffix_find(const un_suffix_index *index, const char *path, size_t *number,
                        size_t *shared) {
    const char *key = without_slash(path);
    size_t low = 0;
    size_t high = index->count;
    *shared = 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_end(index->keys[middle], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    /* Keys with a common end are neighbours, and the path's place is beside or among
     * those that share the most; a third one further off means that two are. */
    size_t from = low >= 2 ? low - 2 : 0;
    size_t to = low + 2 < index->count ? low + 2 : index->count;
    size_t fitting = 0;
    for (size_t i = from; i < to; i++) {
        size_t common = common_end(index->keys[i], key);
        if (common == 0 || common < *shared) continue;
        fitting = common > *shared ? 1 : fitting + 1;
        *shared = common;
        *number = index->numbers[i];
    }
    if (low < index->count && !strcmp(index->keys[low], key)) {
        *number = index->numbers[low];
        return UN_MATCH_ONE;
    }
    return fitting == 0 ? UN_MATCH_NONE : fitting == 1 ? UN_MATCH_ONE : UN_MATCH_SEVERAL;
}

/* A name is taken by the path that shares the longest end with it. */
typedef struct {
    size_t shared; /* 0: not taken */
    size_t path;
    int contested; /* another path shares as much */
} claim;

static void stake(claim *c, size_t path, size_t shared, int64_t *place, int64_t number) {
    if (shared < c->shared) return;
    if (shared == c->shared) {
        c->contested = 1;
        return;
    }
    if (c->shared > 0) place[c->path] = -1;
    *c = (claim){.shared = shared, .path = path};
    place[path] = number;
}

un_status un_suffix_match(const un_suffix_index *index, char *const *names, char *const *paths,
                          size_t count, const char *where, int64_t *place) {
    claim *claims = NULL;
    UN_TRY(un_alloc(index->count, sizeof *claims, &claims));
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < count; i++) {
        size_t number = 0;
        size_t shared = 0;
        place[i] = -1;
        un_match match = un_suffix_find(index, paths[i], &number, &shared);
        if (match == UN_MATCH_SEVERAL)
            UN_GO(un_fail(UNSEEN_E_FORMAT,
                          "%s: \"%.300s\" may be \"%.300s\" or another file that ends like it; "
                          "name a folder without copies",
                          where, paths[i], names[number]));
        if (match == UN_MATCH_ONE) stake(&claims[number], i, shared, place, (int64_t)number);
    }
    for (size_t i = 0; i < index->count; i++)
        if (claims[i].contested)
            UN_GO(un_fail(UNSEEN_E_FORMAT,
                          "%s: \"%.300s\" and another name both mean the file \"%.300s\"", where,
                          paths[claims[i].path], names[i]));
done:
    free(claims);
    return status;
}

/* ---- a data set's images ---- */

un_status un_import_image_root(un_dataset *dataset, const char *root) {
    UN_TRY(un_dataset_find_image_root(dataset, root));
    dataset->orientation = UN_ORIENTATION_STORED;
    return UNSEEN_OK;
}

/* Says how many images have no file, the first few by name. */
static un_status report_missing(un_dataset *d, const char *root, const int64_t *place,
                                int allow_missing) {
    un_name_list missing = {0};
    for (size_t i = 0; i < d->image_count; i++)
        if (place[i] < 0) un_name_list_add(&missing, d->images[i], NAMED);
    if (missing.count == 0) return UNSEEN_OK;
    int some = missing.count < d->image_count;
    if (allow_missing && some)
        return un_dataset_note(d, "%zu of %zu images have no file below %s: %s%s", missing.count,
                               d->image_count, root, missing.text, un_name_list_more(&missing));
    return un_fail(UNSEEN_E_FORMAT,
                   "%zu of %zu images have no file below %s: %s%s; name the right folder%s",
                   missing.count, d->image_count, root, missing.text, un_name_list_more(&missing),
                   some ? un_worded(", or allow missing ones ({--allow-missing})").text : "");
}

un_status un_import_find_images(un_dataset *d, const char *root, int allow_missing) {
    un_picture_list list;
    un_suffix_index index;
    int64_t *place = NULL;
    un_status status = UNSEEN_OK;
    if (!d->images)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "the images have no names (image_files), so their files below %s cannot be "
                       "found",
                       root);
    UN_TRY(un_import_image_root(d, root));
    UN_TRY(un_pictures_list(root, 0, &d->arena, &list));
    UN_TRY(un_suffix_index_make(&index, &d->arena, list.names, list.count));
    UN_GO(un_alloc(d->image_count, sizeof *place, &place));
    UN_GO(un_suffix_match(&index, list.names, d->images, d->image_count, root, place));
    UN_GO(report_missing(d, root, place, allow_missing));
    for (size_t i = 0; i < d->image_count; i++)
        if (place[i] >= 0) d->images[i] = list.names[place[i]];
done:
    free(place);
    return status;
}

/* ---- width and height of a JPEG or PNG from its head.
 *
 * Annotations in pixels need the size of their picture, and nothing else of it. ---- */

static size_t two_bytes(const unsigned char *at) { return (size_t)at[0] << 8 | at[1]; }

static int png_size(const un_map *map, size_t *width, size_t *height) {
    static const unsigned char HEAD[] = "\x89PNG\r\n\x1a\n";
    const unsigned char *d = map->data;
    if (map->size < 24 || memcmp(d, HEAD, 8) != 0 || memcmp(d + 12, "IHDR", 4) != 0) return 0;
    *width = two_bytes(d + 16) << 16 | two_bytes(d + 18);
    *height = two_bytes(d + 20) << 16 | two_bytes(d + 22);
    return 1;
}

/* Walks the markers to the frame header: SOF0 to SOF15 but for DHT, JPG and DAC. */
static int jpeg_size(const un_map *map, size_t *width, size_t *height) {
    const unsigned char *d = map->data;
    if (map->size < 4 || d[0] != 0xFF || d[1] != 0xD8) return 0;
    size_t at = 2;
    while (at + 9 < map->size) {
        if (d[at] != 0xFF) return 0;
        unsigned marker = d[at + 1];
        if (marker == 0xFF) { /* fill byte */
            at++;
            continue;
        }
        if (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 &&
            marker != 0xCC) {
            *height = two_bytes(d + at + 5);
            *width = two_bytes(d + at + 7);
            return 1;
        }
        int bare = marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8);
        at += bare ? 2 : 2 + two_bytes(d + at + 2);
    }
    return 0;
}

un_status un_picture_size(const char *path, size_t *width, size_t *height) {
    un_map map;
    *width = 0;
    *height = 0;
    UN_TRY(un_map_open(&map, path));
    int known = png_size(&map, width, height) || jpeg_size(&map, width, height);
    un_map_close(&map);
    if (known && *width > 0 && *height > 0) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT, "%s: its size cannot be read; it is no intact JPEG or PNG file",
                   path);
}
