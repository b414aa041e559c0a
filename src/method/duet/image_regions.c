/* image_regions.c - regions of a feature store as visual tokens; see image.h. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/status.h"
#include "method/duet/duet.h"
#include "method/duet/network.h"
#include "nn/naming.h"
#include "tensor/kernels.h"

typedef struct {
    duet_image base;
    duet_regions_config config;
    size_t cls;
    un_dense projection;
    un_norm norm;
} regions_image;

typedef struct {
    duet_image_pass base;
    const un_params *params;
    un_dtype type;
    int training;
    size_t n, room; /* pictures */
    void *own;      /* (n R, F) of the operand type: a copy of the regions */
    const void *x;  /* (n R, F) operand of the projection: that copy, or the caller's */
    float *before;  /* (n R, H) before LN */
    float *normal;  /* (n R, H) after it; backward: the gradient */
    un_norm_state norm;
    un_bf16 *d16;
    float *tokens; /* (n, T, H) */
    un_arena arena;
} regions_pass;

static void destroy(duet_image *image) { free(image); }

static void initialize(const duet_image *image, const un_params *params, uint64_t seed) {
    const regions_image *r = (const regions_image *)image;
    un_param_initialize_normal(params, r->cls, 0.02, seed, "duet.cls", 0);
    if (r->config.project)
        un_param_initialize_linear(params, r->projection.weight, r->projection.bias, seed,
                                   "duet.regions", 0);
    un_norm_initialize(&r->norm, params);
}

static void pass_free(duet_image_pass *pass) {
    if (!pass) return;
    un_arena_free(&((regions_pass *)pass)->arena);
    free(pass);
}

static un_status pass_create(const duet_image *image, un_dtype type, int training,
                             duet_image_pass **out) {
    regions_pass *p = NULL;
    UN_TRY(un_alloc(1, sizeof *p, &p));
    p->base.image = image;
    p->type = type;
    p->training = training;
    *out = &p->base;
    return UNSEEN_OK;
}

static un_status reserve(regions_pass *p, size_t n) {
    const regions_image *r = (const regions_image *)p->base.image;
    size_t rows = n * r->config.regions, H = r->config.width, f = sizeof(float);
    un_arena *a = &p->arena;
    if (n <= p->room) return UNSEEN_OK;
    un_arena_free(a);
    p->room = 0;
    if (r->config.project) {
        UN_TRY(un_arena_alloc(a, rows * r->config.features, un_dtype_size(p->type), &p->own));
    }
    UN_TRY(un_arena_alloc(a, rows * H, f, &p->before));
    UN_TRY(un_arena_alloc(a, rows * H, f, &p->normal));
    UN_TRY(un_arena_alloc(a, n * r->base.tokens * H, f, &p->tokens));
    if (p->training) {
        UN_TRY(un_arena_alloc(a, rows, f, &p->norm.mean));
        UN_TRY(un_arena_alloc(a, rows, f, &p->norm.inverse));
        if (p->type == UN_BF16) UN_TRY(un_arena_alloc(a, rows * H, sizeof(un_bf16), &p->d16));
    }
    p->room = n;
    return UNSEEN_OK;
}

/* Tokens from p->x, or from p->before without a projection. */
static un_status finish(regions_pass *p, const float **tokens) {
    const regions_image *r = (const regions_image *)p->base.image;
    const un_params *params = p->params;
    size_t n = p->n, R = r->config.regions, H = r->config.width, T = R + 1;
    if (r->config.project)
        UN_TRY(un_dense_forward(&r->projection, params, p->type, p->x, n * R, UN_DENSE_PLAIN,
                                p->before, 0, UN_F32));
    un_norm_forward(&r->norm, params, p->before, n * R, p->normal, NULL,
                    p->training ? &p->norm : NULL);
    const float *cls = un_param_value(params, r->cls);
    for (size_t i = 0; i < n; i++) {
        memcpy(p->tokens + i * T * H, cls, H * sizeof *cls);
        memcpy(p->tokens + (i * T + 1) * H, p->normal + i * R * H, R * H * sizeof *cls);
    }
    *tokens = p->tokens;
    return UNSEEN_OK;
}

static un_status forward(duet_image_pass *pass, const un_params *params, const float *features,
                         size_t n, const un_dropout_source *dropout, const float **tokens) {
    (void)dropout;
    regions_pass *p = (regions_pass *)pass;
    const regions_image *r = (const regions_image *)pass->image;
    size_t size = n * r->config.regions * r->config.features;
    UN_TRY(reserve(p, n));
    p->params = params;
    p->n = n;
    p->x = p->own;
    if (!r->config.project)
        un_copy(features, p->before, size);
    else if (p->type == UN_BF16)
        un_convert_to_bf16(features, p->own, size);
    else
        un_copy(features, p->own, size);
    return finish(p, tokens);
}

static un_status forward16(duet_image_pass *pass, const un_params *params, const un_bf16 *features,
                           size_t n, const float **tokens) {
    regions_pass *p = (regions_pass *)pass;
    UN_TRY(reserve(p, n));
    p->params = params;
    p->n = n;
    p->x = features;
    return finish(p, tokens);
}

static un_status backward(duet_image_pass *pass, const float *dtokens) {
    regions_pass *p = (regions_pass *)pass;
    const regions_image *r = (const regions_image *)pass->image;
    size_t R = r->config.regions, H = r->config.width, T = R + 1;
    float *d = p->normal, *dcls = un_param_grad(p->params, r->cls);
    for (size_t i = 0; i < p->n; i++) {
        un_axpy(1, dtokens + i * T * H, dcls, H);
        memcpy(d + i * R * H, dtokens + (i * T + 1) * H, R * H * sizeof *d);
    }
    un_norm_backward(&r->norm, p->params, p->before, p->n * R, &p->norm, d,
                     r->config.project ? d : NULL, 0);
    if (!r->config.project) return UNSEEN_OK;
    if (p->type == UN_BF16) un_convert_to_bf16(d, p->d16, p->n * R * H);
    const un_dense_gradient gradient = {.x = p->x, .dy = d, .dy16 = p->d16, .rows = p->n * R};
    return un_dense_backward(&r->projection, p->params, p->type, &gradient);
}

#define CLASS                                                                                      \
    .name = "regions", .destroy = destroy, .initialize = initialize, .pass_create = pass_create,   \
    .pass_free = pass_free, .forward = forward, .backward = backward
static const duet_image_class g_projected = {CLASS, .forward16 = forward16};
/* Without a projection regions are normalised in f32. */
static const duet_image_class g_plain = {CLASS};

un_status un_duet_regions_create(duet_image **out, un_params *params,
                                 const duet_regions_config *config) {
    regions_image *r = NULL;
    size_t H = config->width;
    if (!config->project && config->features != H)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "regions of %zu values cannot be visual tokens of width %zu as they are: "
                       "set project=yes",
                       config->features, H);
    UN_TRY(un_alloc(1, sizeof *r, &r));
    un_status status = UNSEEN_OK;
    r->base = (duet_image){.class = config->project ? &g_projected : &g_plain,
                           .tokens = config->regions + 1,
                           .leading = 1,
                           .width = H,
                           .flops = config->project ? 2.0 * (double)config->regions *
                                                          (double)config->features * (double)H
                                                    : 0};
    r->config = *config;
    UN_GO(un_params_add(params, "visual_cls", 3, (size_t[]){1, 1, H}, 0, &r->cls));
    if (config->project)
        UN_GO(un_dense_declare(&r->projection, params, "region_projection", config->features, H));
    UN_GO(un_norm_declare(&r->norm, params, "region_norm", H, config->eps));
    *out = &r->base;
done:
    if (status) free(r);
    return status;
}

/* ---- what a frozen image side makes of every image, computed once and kept on disk.
 *
 * The data set gets DIR/states/<features>-<key>.safetensors, a feature store (features.h)
 * whose rows are the states that the image side hands on. Its recipe says what they depend
 * on: the hashes of the features and of the frozen parameters, how pictures are normalised,
 * the precision of the arithmetic. The key is the beginning of the recipe's hash, so that
 * runs that need the same states (folds, seeds, other settings) share a file, and runs that
 * do not never meet. Interrupted work is taken up again: the rows lie in PATH.partial, and
 * PATH.journal says how far they go.
 *
 * The files can be removed at any time that no training reads them; a model needs none. ---- */

enum { PICTURES = 8, KEY_DIGITS = 16 };

static const double JOURNAL_SECONDS = 15;

typedef struct {
    duet_method *m;
    const un_features *features;
    const volatile sig_atomic_t *stop;
    json_t *recipe;
    char *recipe_text, *path, *journal;
    un_dtype dtype;
    un_features_writer *writer;
    duet_image_pass *pass;
    float *pictures, *rows; /* (PICTURES, R, F), (PICTURES, tokens, width) */
    size_t done;
    double saved;
} freezing;

/* ---- what the states depend on ---- */

/* Values, and the names with them: their order is a file's layout, not the network's. */
static un_status hash_parameters(const duet_method *m, char out[65]) {
    const duet_image *image = m->network.image;
    const un_params *p = &m->base.params;
    un_sha256 *hash = NULL;
    UN_TRY(un_sha256_open(&hash));
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < image->frozen_count && !status; i++) {
        const un_param *item = &p->item[image->frozen_first + i];
        status = un_sha256_add(hash, item->name, strlen(item->name) + 1);
        if (!status)
            status = un_sha256_add(hash, un_param_value(p, image->frozen_first + i),
                                   item->count * sizeof(float));
    }
    if (!status) status = un_sha256_hex(hash, out);
    un_sha256_close(hash);
    return status;
}

static un_status make_recipe(freezing *f) {
    const duet_method *m = f->m;
    const duet_image *image = m->network.image;
    char features[65] = "", parameters[65] = "", key[65] = "";
    char *file = NULL, *folder = NULL, *parent = NULL, *directory = NULL;
    un_status status = UNSEEN_OK;
    if (*f->features->sha256)
        snprintf(features, sizeof features, "%.64s", f->features->sha256);
    else
        UN_TRY(un_sha256_of(f->features->data, f->features->image_count * f->features->row_bytes,
                            features));
    UN_TRY(hash_parameters(m, parameters));
    f->recipe = json_pack(
        "{s:{s:s, s:i, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:s}}", "states", "image_side",
        image->class->name, "version", 1, "features", f->features->name, "features_sha256",
        features, "parameters_sha256", parameters, "settings", image->frozen_settings, "tokens",
        (json_int_t)image->state_tokens, "width", (json_int_t)image->state_width, "precision",
        un_dtype_name(m->network.config.type), "dtype", un_dtype_name(f->dtype));
    if (!f->recipe) return un_fail_memory(0);
    UN_TRY(un_json_text(f->recipe, &f->recipe_text));
    UN_TRY(un_sha256_of(f->recipe_text, strlen(f->recipe_text), key));
    /* DIR/features/NAME.safetensors */
    UN_GO(un_path_directory(f->features->file.path, &folder));
    UN_GO(un_path_directory(folder, &parent));
    UN_GO(un_path_join(parent, "states", &directory));
    UN_GO(un_directory_make(directory));
    UN_GO(un_format(&file, "%s-%.*s", f->features->name, (int)KEY_DIGITS, key));
    UN_GO(un_format(&f->path, "%s/%s.safetensors", directory, file));
    UN_GO(un_format(&f->journal, "%s/%s.journal", directory, file));
done:
    free(file);
    free(folder);
    free(parent);
    free(directory);
    return status;
}

/* ---- computing them ---- */

/* Rows that an interrupted run left; anything odd about its journal means none. */
static size_t read_journal(const freezing *f) {
    json_t *journal = NULL;
    char *partial = NULL;
    json_int_t done = 0;
    if (un_format(&partial, "%s.partial", f->path) == UNSEEN_OK && un_path_exists(partial) &&
        un_path_exists(f->journal) && un_json_read(f->journal, &journal) == UNSEEN_OK &&
        json_equal(json_object_get(journal, "recipe"), f->recipe))
        done = json_integer_value(json_object_get(journal, "done"));
    json_decref(journal);
    free(partial);
    return done > 0 && (size_t)done <= f->features->image_count ? (size_t)done : 0;
}

static un_status write_journal(freezing *f) {
    UN_TRY(un_features_writer_sync(f->writer));
    json_t *journal = json_pack("{s:O, s:I}", "recipe", f->recipe, "done", (json_int_t)f->done);
    if (!journal) return un_fail_memory(0);
    un_status status = un_json_write(f->journal, journal);
    json_decref(journal);
    f->saved = un_now();
    return status;
}

static un_status compute(freezing *f) {
    const duet_image *image = f->m->network.image;
    size_t count = f->features->image_count, first = f->done;
    un_progress progress;
    un_status status = UNSEEN_OK;
    un_progress_begin(&progress, "frozen image side", "images", count - first);
    f->saved = un_now();
    while (f->done < count) {
        int64_t images[PICTURES];
        size_t n = count - f->done < PICTURES ? count - f->done : PICTURES;
        for (size_t i = 0; i < n; i++) images[i] = (int64_t)(f->done + i);
        un_features_gather_f32(f->features, images, n, f->pictures);
        UN_GO(image->class->states(f->pass, &f->m->base.params, f->pictures, n, f->rows));
        UN_GO(un_features_writer_append(f->writer, f->rows, n));
        f->done += n;
        un_progress_update(&progress, f->done - first);
        int stopped = f->stop && *f->stop && f->done < count;
        if (stopped || un_now() - f->saved > JOURNAL_SECONDS) UN_GO(write_journal(f));
        if (stopped)
            UN_GO(un_fail(UNSEEN_E_INTERRUPTED,
                          "stopped after %zu of %zu images of the frozen image side; the same "
                          "command goes on from there",
                          f->done, count));
    }
done:
    un_progress_end(&progress);
    return status;
}

static un_status make(freezing *f) {
    const duet_method *m = f->m;
    const duet_image *image = m->network.image;
    const un_features_description description = {.image_count = f->features->image_count,
                                                 .regions = image->state_tokens,
                                                 .width = image->state_width,
                                                 .grid_height = 1,
                                                 .grid_width = image->state_tokens,
                                                 .dtype = f->dtype,
                                                 .source = f->features->name,
                                                 .recipe = f->recipe_text};
    f->done = read_journal(f);
    UN_TRY(un_alloc(PICTURES * m->R * m->F, sizeof(float), &f->pictures));
    UN_TRY(un_alloc(PICTURES * image->state_tokens * image->state_width, sizeof(float), &f->rows));
    UN_TRY(image->class->pass_create(image, m->network.config.type, 0, &f->pass));
    UN_TRY(un_features_writer_resume(&f->writer, f->path, f->journal, &description, f->done));
    UN_TRY(compute(f));
    un_status status = un_features_writer_commit(f->writer);
    f->writer = NULL;
    (void)un_file_remove(f->journal);
    return status;
}

static void release(freezing *f) {
    un_features_writer_abort(f->writer);
    if (f->pass) f->m->network.image->class->pass_free(f->pass);
    json_decref(f->recipe);
    free(f->recipe_text);
    free(f->path);
    free(f->journal);
    free(f->pictures);
    free(f->rows);
}

/* The store of the states, made if it is not there. */
static un_status take(freezing *f, un_features *out) {
    UN_TRY(make_recipe(f));
    int there = un_path_exists(f->path);
    if (!there) UN_TRY(make(f));
    UN_TRY(un_features_open_file(out, f->path));
    if (strcmp(out->recipe, f->recipe_text) != 0 || out->image_count != f->features->image_count ||
        out->regions != f->m->network.image->state_tokens ||
        out->width != f->m->network.image->state_width) {
        un_features_close(out);
        return un_fail(UNSEEN_E_FORMAT, "%s holds other states than its name says: remove it",
                       f->path);
    }
    un_log(there ? UNSEEN_LOG_DEBUG : UNSEEN_LOG_INFO,
           "states of the frozen image side %s %s, %zu MiB",
           there ? "are taken from" : "are kept in", f->path,
           out->image_count * out->row_bytes >> 20);
    return UNSEEN_OK;
}

un_status un_duet_freeze(un_method *method, const volatile sig_atomic_t *stop,
                         const un_features **out) {
    duet_method *m = (duet_method *)method;
    duet_image *image = m->network.image;
    freezing f = {.m = m,
                  .features = m->training.data->features,
                  .stop = stop,
                  .dtype = m->settings.states_dtype};
    *out = NULL;
    if (image->state_tokens == 0 || !image->class->states || !m->settings.keep_states ||
        !f.features->file.path)
        return UNSEEN_OK;
    un_status status = take(&f, &m->training.states);
    release(&f);
    if (status == UNSEEN_E_IO) { /* no room or no right to write: slower, but as good */
        un_log(UNSEEN_LOG_WARNING,
               "the states of the frozen image side are computed anew for every use: %s",
               un_error());
        return UNSEEN_OK;
    }
    UN_TRY(status);
    image->from_states = 1;
    image->flops = 0;
    m->R = image->state_tokens;
    m->F = image->state_width;
    *out = &m->training.states;
    return UNSEEN_OK;
}
