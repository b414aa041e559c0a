/*
 * storage.c - what DUET keeps in files beside its parameters: what a trained model must know beyond
 * its settings (sizes that came from files, the fixed prompt, words, groups), in its manifest; and
 * the states of a frozen image side, beside the data set.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "data/row_store.h"
#include "method/duet/duet.h"
#include "tensor/gemm.h"
#include "tensor/sha256.h"

/* ---- the manifest: sizes of a Swin transformer ---- */

/* Single numbers and those of each stage, under the names that loading reads. */
#define SWIN_SIZES(x) x(image) x(patch) x(width) x(inner) x(stages)
#define SWIN_STAGE_SIZES(x) x(depth) x(heads) x(window)

static json_t *list_json(const size_t *values, size_t n) {
    json_t *list = json_array();
    for (size_t i = 0; list && i < n; i++) un_json_push(&list, json_integer((json_int_t)values[i]));
    return list;
}

static un_status save_swin(const un_swin_config *swin, json_t *json) {
    if (swin->width == 0) return UNSEEN_OK;
    json_t *sizes = json_object();
    UN_TRY(un_json_set(json, "swin", sizes)); /* json owns it now */
#define PUT(field) UN_TRY(un_json_set(sizes, #field, json_integer((json_int_t)swin->field)));
    SWIN_SIZES(PUT)
#undef PUT
#define PUT(field) UN_TRY(un_json_set(sizes, #field, list_json(swin->field, swin->stages)));
    SWIN_STAGE_SIZES(PUT)
#undef PUT
    return un_json_set(sizes, "eps", json_real((double)swin->eps));
}

static un_status load_list(const json_t *sizes, const char *key, const char *where, size_t stages,
                           size_t *out) {
    const json_t *list = json_object_get(sizes, key);
    if (json_array_size(list) != stages)
        return un_fail(UNSEEN_E_FORMAT, "%s is damaged: \"%s\" does not tell of %zu stages", where,
                       key, stages);
    for (size_t s = 0; s < stages; s++) {
        const json_t *value = json_array_get(list, s);
        if (!json_is_integer(value) || json_integer_value(value) < 0)
            return un_fail(UNSEEN_E_FORMAT, "%s is damaged: \"%s\" has something else than sizes",
                           where, key);
        out[s] = (size_t)json_integer_value(value);
    }
    return UNSEEN_OK;
}

static un_status load_swin(const json_t *json, const char *where, un_swin_config *out) {
    const json_t *sizes = json_object_get(json, "swin");
    double eps = 0;
    *out = (un_swin_config){0};
    if (!sizes) return UNSEEN_OK;
#define GET(field) UN_TRY(un_json_get_size(sizes, #field, where, &out->field));
    SWIN_SIZES(GET)
#undef GET
    if (out->stages > UN_SWIN_STAGES)
        return un_fail(UNSEEN_E_FORMAT, "%s is damaged: %zu stages", where, out->stages);
#define GET(field) UN_TRY(load_list(sizes, #field, where, out->stages, out->field));
    SWIN_STAGE_SIZES(GET)
#undef GET
    UN_TRY(un_json_get_number(sizes, "eps", where, &eps));
    out->eps = (float)eps;
    return un_swin_config_check(out, UNSEEN_E_FORMAT, where);
}

/* ---- the manifest: all of it ---- */

static json_t *ids_json(const int64_t *ids, size_t n) {
    json_t *list = json_array();
    for (size_t i = 0; list && i < n; i++) un_json_push(&list, json_integer(ids[i]));
    return list;
}

static json_t *attributes_json(const duet_method *m) {
    const duet_spec *spec = &m->spec;
    json_t *list = json_array();
    for (size_t a = 0; list && a < spec->text_count; a++)
        un_json_push(&list,
                     json_pack("[I, s, o]", (json_int_t)spec->group_of[a], m->words.groups.names[a],
                               ids_json(spec->names + spec->name_begin[a],
                                        spec->name_begin[a + 1] - spec->name_begin[a])));
    return list;
}

static json_t *groups_json(const duet_method *m) {
    const duet_spec *spec = &m->spec;
    json_t *list = json_array();
    for (size_t g = 0; list && g < spec->group_count; g++)
        un_json_push(&list,
                     json_pack("[s, I, I]", m->words.groups.groups[g],
                               (json_int_t)spec->group[g][0], (json_int_t)spec->group[g][1]));
    return list;
}

/* Sizes under the names that loading reads. */
#define TEXT_SIZES(x) x(vocabulary) x(positions) x(types) x(width) x(heads) x(inner) x(layers)
#define IMAGE_SIZES(x) x(image) x(patch) x(width) x(heads) x(inner) x(layers)

un_status un_duet_save_spec(const un_method *method, json_t **out) {
    const duet_method *m = (const duet_method *)method;
    const duet_spec *spec = &m->spec;
    json_t *text = json_object(), *image = json_object();
    json_t *json = json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:I}", "text", text, "image", image,
                             "prompt", ids_json(spec->prompt, spec->prompt_length), "attributes",
                             attributes_json(m), "groups", groups_json(m), "vocabulary",
                             spec->vocabulary, "mask", (json_int_t)spec->mask);
    if (!json) return un_fail_memory(0);
    un_status status = UNSEEN_OK;
#define PUT(field) UN_GO(un_json_set(text, #field, json_integer((json_int_t)spec->text.field)));
    TEXT_SIZES(PUT)
#undef PUT
#define PUT(field) UN_GO(un_json_set(image, #field, json_integer((json_int_t)spec->vit.field)));
    IMAGE_SIZES(PUT)
#undef PUT
    UN_GO(un_json_set(image, "distilled", json_integer(spec->vit.distilled)));
    UN_GO(un_json_set(image, "family", json_integer(spec->vit.family)));
    UN_GO(un_json_set(image, "eps", json_real((double)spec->vit.eps)));
    UN_GO(un_json_set(image, "labels", json_integer((json_int_t)spec->labels)));
    UN_GO(save_swin(&spec->swin, json));
    if (m->words.vocabulary_text)
        UN_GO(un_json_set(json, "words", json_string(m->words.vocabulary_text)));
    *out = json;
done:
    if (status) json_decref(json);
    return status;
}

static const char WHERE[] = "the model's description of DUET";

static un_status damaged(const char *what) {
    return un_fail(UNSEEN_E_FORMAT, "%s is damaged: %s", WHERE, what);
}

static un_status load_sizes(duet_spec *spec, const json_t *json) {
    const json_t *text = json_object_get(json, "text"), *image = json_object_get(json, "image");
    size_t distilled = 0, family = 0;
    double eps = 0;
#define GET(field) UN_TRY(un_json_get_size(text, #field, WHERE, &spec->text.field));
    TEXT_SIZES(GET)
#undef GET
#define GET(field) UN_TRY(un_json_get_size(image, #field, WHERE, &spec->vit.field));
    IMAGE_SIZES(GET)
#undef GET
    UN_TRY(un_json_get_size(image, "distilled", WHERE, &distilled));
    UN_TRY(un_json_get_size(image, "family", WHERE, &family));
    UN_TRY(un_json_get_size(image, "labels", WHERE, &spec->labels));
    UN_TRY(un_json_get_number(image, "eps", WHERE, &eps));
    UN_TRY(load_swin(json, WHERE, &spec->swin));
    /* Bounds against sizes that no file can have; the parameters' shapes are checked later. */
    const size_t sizes[] = {spec->text.vocabulary, spec->text.positions, spec->text.width,
                            spec->text.inner,      spec->vit.image,      spec->vit.width,
                            spec->vit.inner,       spec->labels};
    const size_t small[] = {spec->text.layers, spec->vit.layers, spec->text.types};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i] > 10000000) return damaged("a size is impossible");
    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        if (small[i] > 1024) return damaged("a number of layers is impossible");
    if (spec->text.width == 0 || spec->text.heads == 0 ||
        spec->text.width % spec->text.heads != 0 ||
        (spec->vit.width > 0 &&
         (spec->vit.heads == 0 || spec->vit.width % spec->vit.heads != 0 || spec->vit.patch == 0 ||
          spec->vit.patch > 4096 || spec->vit.image < spec->vit.patch || family > 2)))
        return damaged("widths and heads do not fit");
    spec->text.eps = DUET_EPSILON;
    spec->vit.eps = (float)eps;
    spec->vit.distilled = distilled != 0;
    spec->vit.family = (un_vit_family)family;
    return UNSEEN_OK;
}

static un_status load_id(const duet_spec *spec, const json_t *value, int64_t *out) {
    *out = json_integer_value(value);
    if (!json_is_integer(value) || *out < 0 || (uint64_t)*out >= spec->text.vocabulary)
        return damaged("a word is not in its vocabulary");
    return UNSEEN_OK;
}

static un_status load_groups(duet_method *m, const json_t *list) {
    duet_spec *spec = &m->spec;
    spec->group_count = m->words.groups.group_count = json_array_size(list);
    UN_TRY(un_arena_alloc(&m->spec_arena, spec->group_count, sizeof *spec->group, &spec->group));
    UN_TRY(un_arena_alloc(&m->spec_arena, spec->group_count, sizeof *m->words.groups.groups,
                          (void *)&m->words.groups.groups));
    for (size_t g = 0; g < spec->group_count; g++) {
        const json_t *item = json_array_get(list, g);
        const char *name = json_string_value(json_array_get(item, 0));
        json_int_t begin = json_integer_value(json_array_get(item, 1));
        json_int_t end = json_integer_value(json_array_get(item, 2));
        if (!name || begin < 0 || end <= begin || (uint64_t)end > spec->prompt_length)
            return damaged("a group is not in the prompt");
        spec->group[g][0] = (size_t)begin;
        spec->group[g][1] = (size_t)end;
        UN_TRY(un_arena_string(&m->spec_arena, name, &m->words.groups.groups[g]));
    }
    return UNSEEN_OK;
}

static un_status load_attributes(duet_method *m, const json_t *list) {
    duet_spec *spec = &m->spec;
    un_arena *arena = &m->spec_arena;
    size_t pieces = 0;
    spec->text_count = m->words.groups.count = json_array_size(list);
    for (size_t a = 0; a < spec->text_count; a++)
        pieces += json_array_size(json_array_get(json_array_get(list, a), 2));
    UN_TRY(un_arena_alloc(arena, spec->text_count, sizeof *spec->group_of, &spec->group_of));
    UN_TRY(
        un_arena_alloc(arena, spec->text_count + 1, sizeof *spec->name_begin, &spec->name_begin));
    UN_TRY(un_arena_alloc(arena, pieces, sizeof *spec->names, &spec->names));
    UN_TRY(un_arena_alloc(arena, spec->text_count, sizeof *m->words.groups.names,
                          (void *)&m->words.groups.names));
    m->words.groups.group_of = spec->group_of;
    for (size_t a = 0; a < spec->text_count; a++) {
        const json_t *item = json_array_get(list, a), *ids = json_array_get(item, 2);
        json_int_t group = json_integer_value(json_array_get(item, 0));
        const char *name = json_string_value(json_array_get(item, 1));
        if (!name || group < 0 || (uint64_t)group >= spec->group_count)
            return damaged("an attribute has no name or group");
        spec->group_of[a] = (size_t)group;
        UN_TRY(un_arena_string(arena, name, &m->words.groups.names[a]));
        spec->name_begin[a + 1] = spec->name_begin[a];
        for (size_t i = 0; i < json_array_size(ids); i++)
            UN_TRY(load_id(spec, json_array_get(ids, i), &spec->names[spec->name_begin[a + 1]++]));
    }
    return UNSEEN_OK;
}

un_status un_duet_load_spec(duet_method *m, const json_t *json) {
    duet_spec *spec = &m->spec;
    if (!json_is_object(json)) return damaged("it is missing");
    UN_TRY(load_sizes(spec, json));
    if (spec->text.vocabulary == 0) return UNSEEN_OK; /* without text */
    const json_t *prompt = json_object_get(json, "prompt");
    const char *words = json_string_value(json_object_get(json, "words"));
    const char *from = json_string_value(json_object_get(json, "vocabulary"));
    spec->vocabulary = from && !strcmp(from, "file") ? "file" : "attributes";
    if (words) UN_TRY(un_format(&m->words.vocabulary_text, "%s", words));
    spec->mask = -1;
    if (json_object_get(json, "mask"))
        UN_TRY(load_id(spec, json_object_get(json, "mask"), &spec->mask));
    spec->prompt_length = json_array_size(prompt);
    if (spec->prompt_length < 2 || spec->prompt_length > spec->text.positions)
        return damaged("the prompt is empty or too long");
    UN_TRY(
        un_arena_alloc(&m->spec_arena, spec->prompt_length, sizeof *spec->prompt, &spec->prompt));
    for (size_t i = 0; i < spec->prompt_length; i++)
        UN_TRY(load_id(spec, json_array_get(prompt, i), &spec->prompt[i]));
    UN_TRY(load_groups(m, json_object_get(json, "groups")));
    return load_attributes(m, json_object_get(json, "attributes"));
}

/* ---- what a frozen image side makes of every image, computed once and kept on disk.
 *
 * The data set gets DIR/states/<features>-<key>.safetensors, a feature store (features.h)
 * whose rows are the states that the image side hands on. Its recipe says what they depend
 * on: the hashes of the features and of the frozen parameters, how pictures are normalised,
 * the precision of the arithmetic. The key is the beginning of the recipe's hash, so that
 * runs that need the same states (folds, seeds, other settings) share a file, and runs that
 * do not never meet. Interrupted work is taken up again (data/row_store.h).
 *
 * The files can be removed at any time that no training reads them; a model needs none. ---- */

enum { PICTURES = 8, KEY_DIGITS = 16 };

typedef struct {
    duet_method *m;
    const un_features *features;
    const volatile sig_atomic_t *stop;
    int made; /* by another rank */
    json_t *recipe;
    char *recipe_text, *path;
    un_dtype dtype;
    un_row_store store;
    duet_image_pass *pass;
    float *pictures, *rows; /* (PICTURES, R, F), (PICTURES, tokens, width) */
    size_t done;
} freezing;

/* What the states depend on: values, and the names with them: their order is a file's layout, not
 * the network's. */
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
    f->recipe = json_pack("{s:{s:s, s:i, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:s*, s:s}}", "states",
                          "image_side", image->class->name, "version", 1, "features",
                          f->features->name, "features_sha256", features, "parameters_sha256",
                          parameters, "settings", image->frozen_settings, "tokens",
                          (json_int_t)image->state_tokens, "width", (json_int_t)image->state_width,
                          "precision", un_dtype_name(m->network.config.type), "bf16_way",
                          m->network.config.type == UN_BF16 ? un_gemm_bf16_way(NULL) : NULL,
                          "dtype", un_dtype_name(f->dtype));
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
done:
    free(file);
    free(folder);
    free(parent);
    free(directory);
    return status;
}

static un_status compute(freezing *f) {
    const duet_image *image = f->m->network.image;
    size_t count = f->features->image_count, first = f->done;
    un_progress progress;
    un_status status = UNSEEN_OK;
    un_progress_begin(&progress, "frozen image side", "images", count - first);
    while (f->done < count) {
        int64_t images[PICTURES];
        size_t n = count - f->done < PICTURES ? count - f->done : PICTURES;
        for (size_t i = 0; i < n; i++) images[i] = (int64_t)(f->done + i);
        un_features_gather_f32(f->features, images, n, f->pictures);
        UN_GO(image->class->states(f->pass, &f->m->base.params, f->pictures, n, f->rows));
        UN_GO(un_features_writer_append(f->store.writer, f->rows, n));
        f->done += n;
        un_progress_update(&progress, f->done - first);
        int stopped = f->stop && *f->stop && f->done < count;
        if (stopped || un_row_store_due(&f->store))
            UN_GO(un_row_store_save(&f->store, f->done, NULL));
        if (stopped)
            UN_GO(un_fail(UNSEEN_E_INTERRUPTED,
                          "stopped after %zu of %zu images of the frozen image side; the same "
                          "{command|call} goes on from there",
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
    UN_TRY(un_row_store_open(&f->store, f->path, json_incref(f->recipe), f->features->image_count));
    f->done = un_row_store_left(&f->store, NULL);
    UN_TRY(un_alloc(PICTURES * m->R * m->F, sizeof(float), &f->pictures));
    UN_TRY(un_alloc(PICTURES * image->state_tokens * image->state_width, sizeof(float), &f->rows));
    UN_TRY(image->class->pass_create(image, m->network.config.type, 0, &f->pass));
    UN_TRY(un_row_store_begin(&f->store, &description, f->done));
    UN_TRY(compute(f));
    return un_row_store_commit(&f->store);
}

static void release(freezing *f) {
    un_row_store_close(&f->store);
    if (f->pass) f->m->network.image->class->pass_free(f->pass);
    json_decref(f->recipe);
    free(f->recipe_text);
    free(f->path);
    free(f->pictures);
    free(f->rows);
}

/* The store of the states, made if it is not there and nobody else has. */
static un_status open_states(freezing *f, un_features *out) {
    UN_TRY(make_recipe(f));
    int there = un_path_exists(f->path);
    if (!there && f->made)
        return un_fail(UNSEEN_E_IO, "there is no %s, where rank 0 keeps states", f->path);
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

un_status un_duet_freeze(un_method *method, int made, const volatile sig_atomic_t *stop,
                         const un_features **out) {
    duet_method *m = (duet_method *)method;
    duet_image *image = m->network.image;
    freezing f = {.m = m,
                  .features = m->training.data->features,
                  .stop = stop,
                  .made = made,
                  .dtype = m->settings.states_dtype};
    *out = NULL;
    if (image->state_tokens == 0 || !image->class->states || !m->settings.keep_states ||
        !f.features->file.path)
        return UNSEEN_OK;
    un_status status = open_states(&f, &m->training.states);
    release(&f);
    if (status == UNSEEN_E_IO && !made) { /* no room or no right to write: slower, but as good */
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
