/*
 * features.c - opening, listing and gathering feature stores; see features.h.
 *
 * Rows stay in the map: a gather touches only the pages it needs, and the
 * kernel may drop them again, so memory does not grow with the number of images.
 */
#include "data/features.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/names.h"
#include "base/parallel.h"
#include "tensor/kernels.h"

static const char FORMAT[] = "unseen-features";
static const char FOLDER[] = "features";
static const char SUFFIX[] = ".safetensors";

/* A gather is worth a second thread from about this many bytes on. */
enum { GRAIN_BYTES = 256 * 1024 };

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "pooled" of "pooled.safetensors" in fresh memory; NULL in *out for other files. */
static un_status stem_of(const char *file, char **out) {
    size_t length = strlen(file);
    size_t tail = sizeof SUFFIX - 1;
    *out = NULL;
    if (file[0] == '.' || length <= tail || strcmp(file + length - tail, SUFFIX) != 0)
        return UNSEEN_OK;
    return un_format(out, "%.*s", (int)(length - tail), file);
}

static un_status collect_names(DIR *directory, const char *folder, char ***names, size_t *count) {
    size_t capacity = 8;
    *names = calloc(capacity + 1, sizeof **names);
    if (!*names) return un_fail_memory(capacity * sizeof **names);
    for (;;) {
        struct dirent *entry = NULL;
        char *name = NULL;
        UN_TRY(un_directory_next(directory, folder, &entry));
        if (!entry) return UNSEEN_OK;
        UN_TRY(stem_of(entry->d_name, &name));
        if (!name) continue;
        if (*count == capacity) {
            capacity *= 2;
            char **grown = realloc(*names, (capacity + 1) * sizeof *grown);
            if (!grown) {
                free(name);
                return un_fail_memory(capacity * sizeof *grown);
            }
            *names = grown;
        }
        (*names)[(*count)++] = name;
        (*names)[*count] = NULL;
    }
}

un_status un_features_list(const char *directory, char ***out, size_t *count) {
    char *folder = NULL;
    char **names = NULL;
    size_t n = 0;
    UN_TRY(un_path_join(directory, FOLDER, &folder));
    un_status status = UNSEEN_OK;
    DIR *handle = opendir(folder);
    if (!handle && errno != ENOENT) UN_GO(un_fail_errno(errno, "cannot read %s", folder));
    if (handle) {
        UN_GO(collect_names(handle, folder, &names, &n));
        qsort(names, n, sizeof *names, by_name);
    } else { /* a data set without features is a valid one */
        names = calloc(1, sizeof *names);
        if (!names) UN_GO(un_fail_memory(sizeof *names));
    }
    *out = names;
    *count = n;
    names = NULL;
done:
    un_names_free(names);
    if (handle) closedir(handle);
    free(folder);
    return status;
}

/* The path of the feature set, which is the only one if `name` is NULL. */
static un_status locate(const char *directory, const char *name, char **found, char **path) {
    char **names = NULL;
    size_t n = 0;
    char *folder = NULL;
    char *file = NULL;
    un_name_list listed = {0};
    un_status status = UNSEEN_OK;
    UN_TRY(un_features_list(directory, &names, &n));
    for (size_t i = 0; i < n; i++) un_name_list_say(&listed, n, "%s", names[i]);
    size_t at = 0;
    while (name && at < n && strcmp(names[at], name) != 0) at++;
    if (n == 0)
        UN_GO(un_fail(UNSEEN_E_ARGUMENT,
                      "%s has no features; import the data set with a feature file", directory));
    if (name && at == n)
        UN_GO(un_fail(UNSEEN_E_ARGUMENT, "%s has no features called \"%s\"; it has: %s%s",
                      directory, name, listed.text, un_name_list_more(&listed)));
    if (!name && n > 1)
        UN_GO(un_fail(UNSEEN_E_ARGUMENT, "%s has several feature sets (%s%s); name one of them",
                      directory, listed.text, un_name_list_more(&listed)));
    UN_GO(un_format(found, "%s", names[at]));
    UN_GO(un_format(&file, "%s%s", names[at], SUFFIX));
    UN_GO(un_path_join(directory, FOLDER, &folder));
    UN_GO(un_path_join(folder, file, path));
done:
    un_names_free(names);
    free(folder);
    free(file);
    return status;
}

/* "14 14" of the metadata; 1 x 1 if absent. Must multiply to R. */
static un_status parse_grid(un_features *features) {
    const char *grid = un_safetensors_metadata(&features->file, "grid");
    features->grid_height = 1;
    features->grid_width = features->regions;
    if (!grid) return UNSEEN_OK;
    char *end = NULL;
    unsigned long long h = strtoull(grid, &end, 10);
    unsigned long long w = *end == ' ' ? strtoull(end, &end, 10) : 0;
    unsigned long long product = 0;
    if (*end != 0 || __builtin_mul_overflow(h, w, &product) || product != features->regions)
        return un_fail(UNSEEN_E_FORMAT, "%s: the grid \"%.40s\" does not give %zu regions",
                       features->file.path, grid, features->regions);
    features->grid_height = (size_t)h;
    features->grid_width = (size_t)w;
    return UNSEEN_OK;
}

static un_status check_metadata(const un_features *features) {
    const un_safetensors *file = &features->file;
    const char *format = un_safetensors_metadata(file, "format");
    const char *version = un_safetensors_metadata(file, "format_version");
    if (!format || strcmp(format, FORMAT) != 0)
        return un_fail(UNSEEN_E_FORMAT, "%s is not a feature file of unseen (no format \"%s\")",
                       file->path, FORMAT);
    if (!version || (strcmp(version, "1") != 0 && strcmp(version, "2") != 0))
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "%s has format version %.20s, this program reads versions 1 and 2",
                       file->path, version ? version : "none");
    return UNSEEN_OK;
}

/* Which picture each row was made of, and which images have none. */
static un_status describe_pictures(un_features *features) {
    const un_st_entry *hashes = un_safetensors_find(&features->file, "pictures");
    const un_st_entry *present = un_safetensors_find(&features->file, "present");
    size_t n = features->image_count;
    if ((hashes && (hashes->tensor.dtype != UN_U8 || hashes->tensor.rank != 2 ||
                    hashes->tensor.shape[0] != n || hashes->tensor.shape[1] != UN_PICTURE_HASH)) ||
        (present && (present->tensor.dtype != UN_U8 || present->tensor.rank != 1 ||
                     present->tensor.shape[0] != n)))
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: \"pictures\" and \"present\" do not tell of each of its %zu images",
                       features->file.path, n);
    if (hashes) features->pictures = hashes->tensor.data;
    if (!present) return UNSEEN_OK;
    const unsigned char *flags = present->tensor.data;
    for (size_t i = 0; i < n; i++) features->absent += flags[i] == 0;
    if (features->absent > 0) features->present = flags;
    return UNSEEN_OK;
}

static un_status describe(un_features *features) {
    const un_st_entry *entry = NULL;
    UN_TRY(check_metadata(features));
    UN_TRY(un_safetensors_require(&features->file, "features", 3, &entry));
    const un_tensor *t = &entry->tensor;
    if (t->dtype != UN_F32 && t->dtype != UN_BF16)
        return un_fail(UNSEEN_E_FORMAT, "%s: features have type %s, expected F32 or BF16",
                       features->file.path, un_dtype_name(t->dtype));
    if (t->shape[1] == 0 || t->shape[2] == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: features have an empty dimension",
                       features->file.path);
    features->image_count = t->shape[0];
    features->regions = t->shape[1];
    features->width = t->shape[2];
    features->dtype = t->dtype;
    features->data = t->data;
    features->row_bytes = t->shape[0] ? entry->bytes / t->shape[0] : 0;
    features->sha256 = un_safetensors_metadata(&features->file, "sha256");
    features->recipe = un_safetensors_metadata(&features->file, "recipe");
    if (!features->sha256) features->sha256 = "";
    if (!features->recipe) features->recipe = "{}";
    UN_TRY(describe_pictures(features));
    return parse_grid(features);
}

un_status un_features_open_file(un_features *features, const char *path) {
    *features = (un_features){0};
    UN_TRY(un_safetensors_open(&features->file, path));
    un_status status = describe(features);
    char *base = NULL;
    if (!status) status = un_path_base(path, &base);
    if (!status) status = stem_of(base, &features->name);
    if (!status && !features->name) status = un_format(&features->name, "%s", base);
    free(base);
    if (status) un_features_close(features);
    return status;
}

un_status un_features_open(un_features *features, const char *directory, const char *name) {
    char *found = NULL;
    char *path = NULL;
    un_status status = locate(directory, name, &found, &path);
    *features = (un_features){0};
    if (!status) status = un_features_open_file(features, path);
    free(found);
    free(path);
    return status;
}

un_status un_features_each(const char *directory,
                           un_status (*visit)(const un_features *features, void *user),
                           void *user) {
    char **names = NULL;
    size_t count = 0;
    UN_TRY(un_features_list(directory, &names, &count));
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < count && !status; i++) {
        un_features f;
        UN_GO(un_features_open(&f, directory, names[i]));
        status = visit(&f, user);
        un_features_close(&f);
    }
done:
    un_names_free(names);
    return status;
}

un_features un_features_averaged(const un_features *features) {
    un_features view = *features;
    view.averaged = features->regions;
    view.regions = view.grid_height = view.grid_width = 1;
    return view;
}

un_features_kind un_features_kind_of(const un_features *f) {
    enum { LEAST_PICTURE = 16 }; /* pixels a side, where no grid says that it is a picture */
    if (f->regions == 1) return UN_FEATURES_POOLED;
    if (f->width != 3) return UN_FEATURES_REGIONS;
    if (f->grid_height == f->grid_width) return UN_FEATURES_PIXELS;
    size_t side = LEAST_PICTURE;
    while (side * side < f->regions) side++;
    return side * side == f->regions ? UN_FEATURES_PIXELS : UN_FEATURES_REGIONS;
}

int un_features_has(const un_features *features, size_t image) {
    return !features->present || features->present[image] != 0;
}

void un_features_close(un_features *features) {
    un_safetensors_close(&features->file);
    free(features->name);
    *features = (un_features){0};
}

typedef struct {
    const un_features *features;
    const int64_t *images;
    un_dtype dtype; /* wanted */
    void *out;
} gather;

/* The map may be unaligned in foreign files: then pieces of a row are aligned first. */
enum { PIECE = 1024 };

static void widen_row(const unsigned char *from, float *to, size_t n) {
    un_bf16 piece[PIECE];
    if ((uintptr_t)from % sizeof *piece == 0) {
        un_widen((const un_bf16 *)(const void *)from, to, n);
        return;
    }
    for (size_t at = 0; at < n; at += PIECE) {
        size_t width = n - at < PIECE ? n - at : PIECE;
        memcpy(piece, from + at * sizeof *piece, width * sizeof *piece);
        un_widen(piece, to + at, width);
    }
}

static void narrow_row(const unsigned char *from, un_bf16 *to, size_t n) {
    float piece[PIECE];
    if ((uintptr_t)from % sizeof *piece == 0) {
        un_narrow((const float *)(const void *)from, to, n);
        return;
    }
    for (size_t at = 0; at < n; at += PIECE) {
        size_t width = n - at < PIECE ? n - at : PIECE;
        memcpy(piece, from + at * sizeof *piece, width * sizeof *piece);
        un_narrow(piece, to + at, width);
    }
}

/* The mean of the regions of a row. */
static void average_row(const un_features *f, const unsigned char *row, float *to) {
    float piece[PIECE];
    size_t size = f->dtype == UN_F32 ? sizeof(float) : sizeof(un_bf16);
    float share = 1 / (float)f->averaged;
    for (size_t at = 0; at < f->width; at += PIECE) {
        size_t n = f->width - at < PIECE ? f->width - at : PIECE;
        memset(to + at, 0, n * sizeof *to);
        for (size_t r = 0; r < f->averaged; r++) {
            const unsigned char *from = row + (r * f->width + at) * size;
            if (f->dtype == UN_F32)
                memcpy(piece, from, n * sizeof *piece);
            else
                widen_row(from, piece, n);
            for (size_t j = 0; j < n; j++) to[at + j] += piece[j];
        }
        for (size_t j = 0; j < n; j++) to[at + j] *= share;
    }
}

static void gather_range(size_t begin, size_t end, void *context) {
    const gather *g = context;
    size_t n = g->features->regions * g->features->width;
    size_t bytes = g->features->row_bytes;
    for (size_t i = begin; i < end; i++) {
        const unsigned char *row = g->features->data + (size_t)g->images[i] * bytes;
        if (g->features->averaged > 0)
            average_row(g->features, row, (float *)g->out + i * n);
        else if (g->dtype == g->features->dtype)
            memcpy((unsigned char *)g->out + i * bytes, row, bytes);
        else if (g->dtype == UN_F32)
            widen_row(row, (float *)g->out + i * n, n);
        else
            narrow_row(row, (un_bf16 *)g->out + i * n, n);
    }
}

static void gather_rows(const un_features *features, const int64_t *images, size_t n,
                        un_dtype dtype, void *out) {
    gather g = {features, images, dtype, out};
    size_t grain = features->row_bytes ? GRAIN_BYTES / features->row_bytes + 1 : 1;
    un_parallel_for(n, grain, gather_range, &g);
}

void un_features_gather_f32(const un_features *features, const int64_t *images, size_t n,
                            float *out) {
    gather_rows(features, images, n, UN_F32, out);
}

void un_features_gather_bf16(const un_features *features, const int64_t *images, size_t n,
                             un_bf16 *out) {
    gather_rows(features, images, n, UN_BF16, out);
}

const void *un_features_row(const un_features *features, size_t image) {
    int aligned = (uintptr_t)features->data % un_dtype_size(features->dtype) == 0;
    if (features->averaged > 0 || !aligned) return NULL;
    return features->data + image * features->row_bytes;
}

/* The first value of a row that is not finite; the row's length if all are. */
static size_t find_bad(const un_features *f, size_t image) {
    const size_t n = f->row_bytes / un_dtype_size(f->dtype);
    const unsigned char *row = f->data + image * f->row_bytes;
    size_t j = 0;
    while (j < n && (un_features_bits(f, row, j) & 0x7F800000u) != 0x7F800000u) j++;
    return j;
}

un_status un_features_require_finite(const un_features *f, const int64_t *images, size_t n) {
    for (size_t i = 0; i < n; i++) {
        size_t bad = find_bad(f, (size_t)images[i]);
        if (bad < f->row_bytes / un_dtype_size(f->dtype))
            return un_fail(
                UNSEEN_E_FORMAT,
                "feature set %s: value %zu of image %lld is not a finite number; checking "
                "the data set tells of others",
                f->name, bad, (long long)images[i]);
    }
    return UNSEEN_OK;
}

void un_features_prefetch(const un_features *features, const int64_t *images, size_t n) {
    if (!features->file.map.data) return; /* generated features are in memory */
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < n; i++) {
        uintptr_t begin = (uintptr_t)features->data + (size_t)images[i] * features->row_bytes;
        uintptr_t start = begin / page * page;
        /* Advice only: whatever comes of it, the rows can be read. */
        (void)posix_madvise((void *)start, begin - start + features->row_bytes,
                            POSIX_MADV_WILLNEED);
    }
}
