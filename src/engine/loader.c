/* loader.c - see loader.h: pictures in batches, the pictures that someone named, and those of a
 * data set that cannot be read. */
#include "engine/loader.h"

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/parallel.h"
#include "base/status.h"
#include "data/readers/pictures.h"
#include "tensor/sha256.h"
#include "vision/image/image.h"

/* ---- one picture ---- */

static un_status load_image(const char *root, const char *name, const un_image_options *options,
                            un_image *out) {
    char *path = NULL;
    *out = (un_image){0};
    if (root) UN_TRY(un_path_below(root, name, &path));
    un_status status = un_image_read(path ? path : name, options, out);
    free(path);
    return status;
}

static un_image_options image_options(const un_recipe *recipe, size_t max_pixels) {
    return (un_image_options){.orient = recipe->orientation == UN_ORIENTATION_EXIF,
                              .max_pixels = max_pixels};
}

un_status un_load_image(const char *root, const char *name, const un_recipe *recipe,
                        un_image *out) {
    const un_image_options options = image_options(recipe, 0);
    return load_image(root, name, &options, out);
}

/* A decoded picture, cropped and normalised; releases it. */
static un_status prepare(un_image *image, const un_recipe *recipe, float *out, int *ignored) {
    un_image crop = {0};
    if (ignored) *ignored = image->ignored;
    un_status status = un_recipe_crop(recipe, image, &crop, NULL);
    if (!status) un_recipe_normalize(recipe, &crop, out);
    un_image_free(&crop);
    un_image_free(image);
    return status;
}

un_status un_load_picture(const char *root, const char *name, const un_recipe *recipe, float *out,
                          int *ignored) {
    un_image image = {0};
    UN_TRY(un_load_image(root, name, recipe, &image));
    return prepare(&image, recipe, out, ignored);
}

/* ---- one picture of a caller's ---- */

static un_status check_cropped(const unseen_picture *p, size_t number, size_t side) {
    if (!p->rgb || p->width != p->cropped->side || p->height != p->cropped->side)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "picture %zu is cropped to %zu pixels a side, but its rgb are %zu x %zu",
                       number, p->cropped->side, p->rgb ? p->width : 0, p->rgb ? p->height : 0);
    if (side != 0 && p->cropped->side != side)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "picture %zu is cropped to %zu pixels a side, the model's recipe to %zu",
                       number, p->cropped->side, side);
    const unseen_crop *c = p->cropped;
    if (!isfinite(c->x) || !isfinite(c->y) || !isfinite(c->width) || !isfinite(c->height) ||
        c->width <= 0 || c->height <= 0)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "picture %zu is cropped to x %g, y %g, width %g and height %g, which is no "
                       "part of a picture",
                       number, c->x, c->y, c->width, c->height);
    return UNSEEN_OK;
}

un_status un_check_given(const unseen_picture *p, size_t number, size_t side) {
    int forms = (p->path != NULL) + (p->bytes != NULL) + (p->rgb != NULL);
    if (p->features && !p->cropped) forms++; /* a crop may stand beside them */
    if (forms != 1)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "picture %zu is given in %d forms; path, bytes, rgb or features is set, the "
                       "others are NULL",
                       number, forms);
    if (p->rgb && (p->width == 0 || p->height == 0 || p->width > 1u << 20 || p->height > 1u << 20 ||
                   p->stride < 3 * p->width))
        return un_fail(UNSEEN_E_ARGUMENT, "a picture of %zu x %zu pixels, %zu bytes a row",
                       p->width, p->height, p->stride);
    return p->cropped ? check_cropped(p, number, p->features ? 0 : side) : UNSEEN_OK;
}

/* A copy of the caller's pixels, dense. */
static un_status copy_pixels(const unseen_picture *p, un_image *out) {
    UN_TRY(un_image_create(p->width, p->height, out));
    for (size_t y = 0; y < p->height; y++)
        memcpy(out->pixels + y * p->width * 3, p->rgb + y * p->stride, p->width * 3);
    return UNSEEN_OK;
}

static un_status load_given(const unseen_picture *p, size_t number, const un_image_options *options,
                            un_image *out) {
    char name[40];
    *out = (un_image){0};
    if (p->path) return load_image(NULL, p->path, options, out);
    if (p->rgb) return copy_pixels(p, out);
    snprintf(name, sizeof name, "picture %zu", number);
    return un_image_decode(p->bytes, p->byte_count, name, options, out);
}

un_status un_crop_given(const unseen_picture *p, size_t number, const un_recipe *recipe,
                        size_t max_pixels, un_image *out, unseen_crop *where) {
    const un_image_options options = image_options(recipe, max_pixels);
    un_image image = {0};
    un_crop_box box;
    *out = (un_image){0};
    *where = (unseen_crop){0};
    if (p->cropped) {
        *where = *p->cropped;
        return copy_pixels(p, out);
    }
    un_status status = load_given(p, number, &options, &image);
    if (status) {
        where->picture_width = image.width;
        where->picture_height = image.height;
        return status;
    }
    status = un_recipe_crop(recipe, &image, out, &box);
    if (!status)
        *where = (unseen_crop){.side = recipe->crop,
                               .x = box.x,
                               .y = box.y,
                               .width = box.width,
                               .height = box.height,
                               .picture_width = image.width,
                               .picture_height = image.height,
                               .ignored = image.ignored != 0};
    un_image_free(&image);
    return status;
}

/* ---- batches: a ring of them; threads take pictures in order ---- */

enum { BATCHES = 3, MAX_THREADS = 64, NICENESS = 3 };

typedef struct {
    size_t first, count;       /* pictures of this batch */
    size_t missing;            /* pictures not yet loaded; count 0: the batch is free */
    float *pictures;           /* [batch, S, S, 3] */
    const un_failure **errors; /* [batch] */
    un_status *codes;          /* [batch] of them */
    unsigned char *hashes;     /* [batch, UN_LOADER_HASH], NULL: not computed */
    size_t ignored;            /* pictures with an EXIF orientation that was not honoured */
    unsigned char *turned;     /* [batch] which */
} batch;

struct un_loader {
    un_loader_options options;
    size_t picture; /* floats of one picture */
    batch ring[BATCHES];
    pthread_mutex_t lock;
    pthread_cond_t freed, loaded;
    pthread_t threads[MAX_THREADS];
    int thread_count;
    size_t next;      /* picture that the next idle thread takes */
    size_t delivered; /* first picture of the batch that un_loader_next returns next */
    int current;      /* slot that the caller holds, -1: none */
    int stop;
};

/* The slot of the batch that picture i is in; batches are counted from options.first. */
static batch *batch_of(un_loader *loader, size_t i) {
    return &loader->ring[(i - loader->options.first) / loader->options.batch % BATCHES];
}

/* Gives a free slot to the batch that begins with picture i. */
static void claim(un_loader *loader, batch *b, size_t i) {
    size_t left = loader->options.count - i;
    b->first = i;
    b->count = left < loader->options.batch ? left : loader->options.batch;
    b->missing = b->count;
}

/* The next picture to load, or 0 if there is nothing more to do. Holds the lock. */
static int next_picture(un_loader *loader, size_t *picture) {
    for (;;) {
        if (loader->stop || loader->next == loader->options.count) return 0;
        size_t i = loader->next;
        batch *b = batch_of(loader, i);
        int begins = (i - loader->options.first) % loader->options.batch == 0;
        if (!begins || b->count == 0) {
            if (begins) claim(loader, b, i);
            loader->next++;
            *picture = i;
            return 1;
        }
        pthread_cond_wait(&loader->freed, &loader->lock);
    }
}

static un_status hash_picture(const char *root, const char *name, unsigned char *out) {
    char *path = NULL;
    if (root) UN_TRY(un_path_below(root, name, &path));
    un_status status = un_file_sha256(path ? path : name, out);
    free(path);
    return status;
}

/* Decodes picture i, and hashes its file where that is asked for. */
static un_status load_one(const un_loader_options *o, size_t i, float *out, int *ignored,
                          unsigned char *hash) {
    if (o->names) {
        UN_TRY(un_load_picture(o->root, o->names[i], &o->recipe, out, ignored));
        return hash ? hash_picture(o->root, o->names[i], hash) : UNSEEN_OK;
    }
    un_image crop = {0};
    unseen_crop where;
    UN_TRY(un_crop_given(&o->pictures[i], i, &o->recipe, 0, &crop, &where));
    *ignored = where.ignored;
    un_recipe_normalize(&o->recipe, &crop, out);
    un_image_free(&crop);
    return UNSEEN_OK;
}

/* Where there is none even to say what is wrong. */
static const un_failure g_no_memory = {.sentence = "out of memory"};

static void forget(const un_failure **error) {
    if (*error != &g_no_memory) free((void *)(uintptr_t)*error);
    *error = NULL;
}

static void load(un_loader *loader, size_t i) {
    const un_loader_options *o = &loader->options;
    batch *b = batch_of(loader, i);
    size_t slot = i - b->first;
    float *out = b->pictures + slot * loader->picture;
    int ignored = 0;
    un_status status =
        load_one(o, i, out, &ignored, b->hashes ? b->hashes + slot * UN_LOADER_HASH : NULL);
    b->codes[slot] = status;
    b->turned[slot] = !status && ignored;
    if (!status && ignored) __atomic_fetch_add(&b->ignored, 1, __ATOMIC_RELAXED);
    if (!status) return;
    memset(out, 0, loader->picture * sizeof *out);
    un_failure *why = malloc(sizeof *why);
    if (why) un_failure_keep(why);
    if (!why) b->codes[slot] = UNSEEN_E_MEMORY;
    b->errors[slot] = why ? why : &g_no_memory;
}

static void *work(void *context) {
    un_loader *loader = context;
    size_t i = 0;
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS); /* of this thread only */
    pthread_mutex_lock(&loader->lock);
    while (next_picture(loader, &i)) {
        pthread_mutex_unlock(&loader->lock);
        load(loader, i);
        pthread_mutex_lock(&loader->lock);
        if (--batch_of(loader, i)->missing == 0) pthread_cond_broadcast(&loader->loaded);
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

static un_status start_threads(un_loader *loader) {
    int threads = loader->options.threads > 0 ? loader->options.threads : un_thread_count();
    size_t left = loader->options.count - loader->options.first;
    if (threads > MAX_THREADS) threads = MAX_THREADS;
    if ((size_t)threads > left) threads = left > 0 ? (int)left : 1;
    for (; loader->thread_count < threads; loader->thread_count++) {
        int code = pthread_create(&loader->threads[loader->thread_count], NULL, work, loader);
        if (code != 0 && loader->thread_count == 0)
            return un_fail_errno(code, "cannot start a thread");
        if (code != 0) break; /* fewer will do */
    }
    return UNSEEN_OK;
}

un_status un_loader_open(un_loader **out, const un_loader_options *options) {
    if (options->batch == 0 || options->first > options->count)
        return un_fail(UNSEEN_E_ARGUMENT, "pictures from %zu of %zu in batches of %zu",
                       options->first, options->count, options->batch);
    UN_TRY(un_image_prepare());
    un_loader *loader = calloc(1, sizeof *loader);
    if (!loader) return un_fail_memory(sizeof *loader);
    un_status status = UNSEEN_OK;
    loader->options = *options;
    size_t left = options->count - options->first;
    size_t most = options->batch < left ? options->batch : left > 0 ? left : 1;
    size_t batches = (left + most - 1) / most; /* memory for no more than there is to load */
    loader->options.batch = most;
    loader->picture = options->recipe.crop * options->recipe.crop * 3;
    loader->next = loader->delivered = options->first;
    loader->current = -1;
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->freed, NULL);
    pthread_cond_init(&loader->loaded, NULL);
    size_t batch_floats = 0;
    if (__builtin_mul_overflow(most, loader->picture, &batch_floats))
        UN_GO(un_fail(UNSEEN_E_ARGUMENT, "a batch of %zu pictures is too large", most));
    for (size_t i = 0; i < BATCHES && i < batches; i++) {
        UN_GO(un_alloc(batch_floats, sizeof(float), &loader->ring[i].pictures));
        UN_GO(un_alloc(most, sizeof(un_failure *), &loader->ring[i].errors));
        UN_GO(un_alloc(most, sizeof(un_status), &loader->ring[i].codes));
        UN_GO(un_alloc(most, 1, &loader->ring[i].turned));
        if (options->hash) UN_GO(un_alloc(most, UN_LOADER_HASH, &loader->ring[i].hashes));
    }
    UN_GO(start_threads(loader));
    *out = loader;
    loader = NULL;
done:
    un_loader_close(loader);
    return status;
}

/* Empties the slot that the caller held, for the threads to fill. Holds the lock. */
static void release(un_loader *loader) {
    if (loader->current < 0) return;
    batch *b = &loader->ring[loader->current];
    for (size_t i = 0; i < b->count; i++) forget(&b->errors[i]);
    b->count = b->ignored = 0;
    loader->current = -1;
    pthread_cond_broadcast(&loader->freed);
}

un_status un_loader_next(un_loader *loader, un_loaded *out) {
    *out = (un_loaded){0};
    pthread_mutex_lock(&loader->lock);
    release(loader);
    if (loader->delivered < loader->options.count) {
        batch *b = batch_of(loader, loader->delivered);
        while (b->count == 0 || b->first != loader->delivered || b->missing > 0)
            pthread_cond_wait(&loader->loaded, &loader->lock);
        loader->current = (int)(b - loader->ring);
        loader->delivered += b->count;
        *out = (un_loaded){b->first, b->count,   b->pictures, b->errors,
                           b->codes, b->ignored, b->turned,   b->hashes};
    }
    pthread_mutex_unlock(&loader->lock);
    return UNSEEN_OK;
}

void un_loader_close(un_loader *loader) {
    if (!loader) return;
    pthread_mutex_lock(&loader->lock);
    loader->stop = 1;
    pthread_cond_broadcast(&loader->freed);
    pthread_mutex_unlock(&loader->lock);
    for (int i = 0; i < loader->thread_count; i++) pthread_join(loader->threads[i], NULL);
    for (int i = 0; i < BATCHES; i++) {
        for (size_t k = 0; loader->ring[i].errors && k < loader->options.batch; k++)
            forget(&loader->ring[i].errors[k]);
        free(loader->ring[i].errors);
        free(loader->ring[i].codes);
        free(loader->ring[i].turned);
        free(loader->ring[i].hashes);
        free(loader->ring[i].pictures);
    }
    pthread_cond_destroy(&loader->loaded);
    pthread_cond_destroy(&loader->freed);
    pthread_mutex_destroy(&loader->lock);
    free(loader);
}

/* ---- the pictures that someone named ---- */

static un_status append(un_path_list *list, char *path) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        char **paths = realloc(list->paths, capacity * sizeof *paths);
        if (!paths) return un_fail_memory(capacity * sizeof *paths);
        list->paths = paths;
        list->capacity = capacity;
    }
    list->paths[list->count++] = path;
    return UNSEEN_OK;
}

static un_status add_copy(un_path_list *list, const char *path) {
    char *copy = NULL;
    UN_TRY(un_arena_string(&list->arena, path, &copy));
    return append(list, copy);
}

static un_status add_folder(un_path_list *list, const char *folder) {
    un_arena arena = {0};
    un_picture_list found = {0};
    un_status status = un_pictures_list(folder, 1, &arena, &found);
    if (!status && found.count == 0) {
        list->empty++;
        if (!list->problem)
            status = un_format(&list->problem, "there are no pictures below %s", folder);
    }
    for (size_t i = 0; i < found.count && !status; i++) {
        char *path = NULL;
        status = un_path_join(folder, found.names[i], &path);
        if (!status) status = add_copy(list, path);
        free(path);
    }
    un_arena_free(&arena);
    return status;
}

un_status un_path_list_add(un_path_list *list, const char *path) {
    return un_path_is_directory(path) ? add_folder(list, path) : add_copy(list, path);
}

/* Windows' \ between folders, where nothing is called as it is written. */
static un_status add_line(un_path_list *list, const char *line) {
    char *slashed = NULL;
    if (!strchr(line, '\\') || un_path_exists(line)) return un_path_list_add(list, line);
    UN_TRY(un_format(&slashed, "%s", line));
    for (char *at = slashed; *at; at++)
        if (*at == '\\') *at = '/';
    un_status status = un_path_list_add(list, un_path_exists(slashed) ? slashed : line);
    free(slashed);
    return status;
}

un_status un_path_list_read(un_path_list *list, FILE *stream) {
    un_line next = {0};
    int first = 1;
    un_status status = UNSEEN_OK;
    for (;;) {
        UN_GO(un_line_read(stream, "the list of pictures", &next));
        char *line = next.text;
        ssize_t length = next.length;
        if (length < 0) break;
        while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
            line[--length] = 0;
        if (first && length >= 3 && !memcmp(line, "\xef\xbb\xbf", 3)) line += 3, length -= 3;
        first = 0;
        /* As shells and spreadsheets quote; a file that is really called so wins. */
        if (length >= 2 && (*line == '"' || *line == '\'') && line[length - 1] == *line &&
            !un_path_exists(line)) {
            line[length - 1] = 0;
            line++;
            length -= 2;
        }
        if (length == 0) continue;
        if (strlen(line) != (size_t)length)
            UN_GO(un_fail(UNSEEN_E_FORMAT, "the list of pictures is not text"));
        UN_GO(add_line(list, line));
    }
done:
    free(next.text);
    return status;
}

void un_path_list_free(un_path_list *list) {
    free(list->problem);
    free(list->paths);
    un_arena_free(&list->arena);
    *list = (un_path_list){0};
}

/* ---- pictures that cannot be read ---- */

un_status un_unread_find(const un_dataset *d, un_unread *out) {
    un_progress progress;
    un_status status = UNSEEN_OK;
    *out = (un_unread){.images = d->image_count};
    if (!d->image_root || !d->images) return UNSEEN_OK;
    un_progress_begin(&progress, "look at pictures", "images", d->image_count);
    for (size_t i = 0; i < d->image_count && !status; i++) {
        char *path = NULL;
        status = un_path_below(d->image_root, d->images[i], &path);
        un_file_kind kind = status ? UN_KIND_UNKNOWN : un_kind_of_file(path);
        free(path);
        if (status == UNSEEN_E_FORMAT) status = UNSEEN_OK; /* outside the folder: not opened */
        if (kind != UN_KIND_UNKNOWN && !un_image_reads(kind) && out->count[kind]++ == 0)
            out->example[kind] = d->images[i];
        if (!status) status = un_progress_step(&progress, i + 1);
    }
    return un_progress_finish(&progress, status);
}

un_status un_unread_sentence(const un_unread *unread, un_file_kind kind, char **out) {
    const char *advice = un_kind_advice(kind);
    return un_format(out, "%zu of %zu pictures cannot be read, \"%s\" for one: it is %s%s%s",
                     unread->count[kind], unread->images, unread->example[kind], un_kind_name(kind),
                     advice ? "; " : "", advice ? advice : "");
}
