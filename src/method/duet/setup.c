/*
 * setup.c - what DUET is made of before training: texts, words and sizes, from the
 * data set's attributes and from files; or all of it again from a trained model.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "method/duet/duet.h"
#include "method/duet/vocabulary.h"

static const float EPSILON = 1e-12f;

/* A setting of text; NULL if it is empty. */
static const char *text_or_null(const json_t *config, const char *key) {
    const char *text = un_config_text(config, key);
    return text && *text ? text : NULL;
}

static un_status find_modality(const un_class_table *classes, const char *name, const char *key,
                               size_t *out) {
    for (size_t i = 0; i < classes->modality_count; i++)
        if (!strcmp(classes->modality[i].name, name)) {
            *out = i;
            return UNSEEN_OK;
        }
    return un_fail(UNSEEN_E_ARGUMENT,
                   "%s=%s is not among the semantics that are trained with: add it to --semantics",
                   key, name);
}

un_status duet_find_texts(const duet_method *m, const un_class_table *classes, size_t *out) {
    if (*m->settings.text_name)
        return find_modality(classes, m->settings.text_name, "text_semantics", out);
    *out = 0;
    for (size_t i = classes->modality_count; i-- > 0;)
        if (classes->modality[i].attributes) *out = i;
    return UNSEEN_OK;
}

/* ---- texts ---- */

/* Names that nobody reads: without text, draws still need a group. */
static un_status numbered_names(duet_method *m, size_t A, char ***out) {
    UN_TRY(un_arena_alloc(&m->arena, A, sizeof **out, (void *)out));
    for (size_t a = 0; a < A; a++) {
        char *name = NULL;
        UN_TRY(un_format(&name, "attribute %zu", a + 1));
        un_status status = un_arena_string(&m->arena, name, &(*out)[a]);
        free(name);
        UN_TRY(status);
    }
    return UNSEEN_OK;
}

static un_status open_words(duet_method *m, const json_t *config) {
    m->kept.vocabulary = m->settings.vocabulary_path ? "file" : "attributes";
    if (m->settings.vocabulary_path) {
        size_t length = 0;
        UN_TRY(un_file_read(m->settings.vocabulary_path, UN_VOCABULARY_LIMIT,
                            &m->words.vocabulary_text, &length));
        return un_wordpiece_parse(&m->words.wordpiece, m->words.vocabulary_text, length,
                                  m->settings.vocabulary_path);
    }
    if (text_or_null(config, "text_weights"))
        return un_fail(UNSEEN_E_ARGUMENT,
                       "text_weights without the vocabulary that they were trained with: give "
                       "--set vocab=FILE too");
    UN_TRY(un_vocabulary_make(&m->words.groups, &m->words.vocabulary_text));
    return un_wordpiece_parse(&m->words.wordpiece, m->words.vocabulary_text,
                              strlen(m->words.vocabulary_text), "the vocabulary of the attributes");
}

un_status duet_open_words(duet_method *m) {
    if (m->words.wordpiece) return UNSEEN_OK;
    if (!m->words.vocabulary_text)
        return un_fail(UNSEEN_E_UNSUPPORTED, "the model does not hold its vocabulary");
    return un_wordpiece_parse(&m->words.wordpiece, m->words.vocabulary_text,
                              strlen(m->words.vocabulary_text), "the model's vocabulary");
}

/* The prompt's segments between the bars are its groups, if there are as many. */
static void find_groups(duet_kept *k, int32_t bar, int32_t colon) {
    size_t end = k->prompt_length > 0 ? k->prompt_length - 1 : 0, segments = 1, at = 1;
    for (size_t i = 1; i < end; i++) segments += k->prompt[i] == bar;
    for (size_t g = 0; g < k->group_count; g++) {
        size_t begin = segments == k->group_count ? at : 1;
        while (at < end && k->prompt[at] != bar) at++;
        size_t stop = segments == k->group_count ? at : end;
        for (size_t i = begin; i < stop; i++)
            if (k->prompt[i] == colon) stop = i;
        k->group[g][0] = begin;
        k->group[g][1] = stop > begin ? stop : begin + 1;
        at++;
    }
}

/* The fixed prompt and the pieces of names, as ids. */
static un_status keep_texts(duet_method *m) {
    duet_kept *k = &m->kept;
    un_arena *a = &m->kept_arena;
    un_token_list list = {0};
    un_status status = UNSEEN_OK;
    un_duet_texts_prompt(m->words.texts, &m->words.text);
    k->prompt_length = m->words.text.length;
    k->mask = un_wordpiece_special(m->words.wordpiece, UN_TOKEN_MASK);
    k->text_count = m->words.groups.count;
    k->group_count = m->words.groups.group_count;
    UN_TRY(un_arena_alloc(a, k->prompt_length, sizeof *k->prompt, &k->prompt));
    UN_TRY(un_arena_alloc(a, k->text_count, sizeof *k->group_of, &k->group_of));
    UN_TRY(un_arena_alloc(a, k->group_count, sizeof *k->group, &k->group));
    UN_TRY(un_arena_alloc(a, k->text_count + 1, sizeof *k->name_begin, &k->name_begin));
    for (size_t i = 0; i < k->prompt_length; i++) k->prompt[i] = m->words.text.ids[i];
    memcpy(k->group_of, m->words.groups.group_of, k->text_count * sizeof *k->group_of);
    find_groups(k, un_wordpiece_id(m->words.wordpiece, "|", 1),
                un_wordpiece_id(m->words.wordpiece, ":", 1));
    for (size_t i = 0; i < k->text_count; i++) {
        const char *name = m->words.groups.names[i];
        UN_GO(un_wordpiece_encode(m->words.wordpiece, name, strlen(name), &list));
        k->name_begin[i + 1] = list.count;
    }
    UN_GO(un_arena_alloc(a, list.count, sizeof *k->names, &k->names));
    for (size_t i = 0; i < list.count; i++) k->names[i] = list.items[i];
done:
    un_token_list_free(&list);
    return status;
}

un_status duet_setup_sampler(const duet_method *m, const un_class_table *classes,
                             const int32_t *labels, const un_index_list *images,
                             un_duet_sampler **out) {
    size_t texts = 0, binary = 0;
    UN_TRY(duet_find_texts(m, classes, &texts));
    if (*m->settings.binary_name)
        UN_TRY(find_modality(classes, m->settings.binary_name, "binary_semantics", &binary));
    const un_modality *modality = &classes->modality[texts];
    const un_modality *flags = *m->settings.binary_name ? &classes->modality[binary] : NULL;
    if (flags && flags->width != modality->width)
        return un_fail(UNSEEN_E_ARGUMENT, "binary_semantics=%s has %zu values, %s has %zu",
                       flags->name, flags->width, modality->name, modality->width);
    const un_duet_sampler_settings settings = {.seed = m->settings.seed,
                                               .texts = m->words.texts,
                                               .class_count = classes->count,
                                               .attribute_count = modality->width,
                                               .values = modality->values,
                                               .binary = flags ? flags->values : NULL,
                                               .threshold = m->settings.threshold,
                                               .labels = labels,
                                               .train = images,
                                               .attribute_miss = m->settings.attribute_miss,
                                               .prune_pieces = m->settings.prune_pieces,
                                               .prune_attributes = m->settings.prune_attributes};
    return un_duet_sampler_create(out, &settings);
}

un_status duet_setup_texts(duet_method *m, const un_method_setup *setup) {
    const json_t *config = setup->config;
    size_t place = 0;
    const un_attribute_groups_options options = {.table = text_or_null(config, "groups"),
                                                 .mapping = text_or_null(config, "mapping"),
                                                 .dataset = text_or_null(config, "text_dataset"),
                                                 .reference = m->settings.reference};
    UN_TRY(duet_find_texts(m, setup->classes, &place));
    const un_modality *modality = &setup->classes->modality[place];
    char **names = modality->attributes;
    if (!names && !options.table && un_config_is(config, "text", "no"))
        UN_TRY(numbered_names(m, modality->width, &names));
    if (!names && !options.table)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "DUET's texts are made of the names of attributes, which semantics \"%s\" "
                       "does not have: add semantics that have them (--semantics %s,NAME --set "
                       "text_semantics=NAME), import with a file of attribute names, give a table "
                       "with \"names\" (--set groups=FILE), or go without text (--set text=no)",
                       modality->name, modality->name);
    UN_TRY(un_attribute_groups_make(names, modality->width, &options, &m->arena, &m->words.groups));
    UN_TRY(open_words(m, config));
    UN_TRY(un_duet_texts_create(&m->words.texts, &m->words.groups, m->words.wordpiece,
                                m->settings.max_length));
    UN_TRY(un_duet_text_alloc(m->words.texts, &m->arena, &m->words.text));
    UN_TRY(un_duet_text_alloc(m->words.texts, &m->arena, &m->words.plain));
    UN_TRY(keep_texts(m));
    return duet_setup_sampler(m, setup->classes, setup->data->labels, setup->data->train,
                              &m->words.sampler);
}

/* ---- sizes ---- */

static un_status text_sizes(duet_method *m, const json_t *config) {
    const char *path = text_or_null(config, "text_weights");
    un_bert_config *c = &m->kept.text;
    size_t max_length = m->settings.max_length;
    *c = (un_bert_config){.width = un_config_integer(config, "hidden"),
                          .heads = un_config_integer(config, "heads"),
                          .inner = un_config_integer(config, "inner"),
                          .layers = un_config_integer(config, "text_layers"),
                          .positions = max_length,
                          .types = 2,
                          .eps = EPSILON};
    if (un_config_is(config, "text", "no")) return UNSEEN_OK;
    c->vocabulary = un_wordpiece_size(m->words.wordpiece);
    if (!path) return UNSEEN_OK;
    un_safetensors file;
    UN_TRY(un_safetensors_open(&file, path));
    un_status status = un_bert_config_read(&file, c);
    un_safetensors_close(&file);
    UN_TRY(status);
    if (un_wordpiece_size(m->words.wordpiece) > c->vocabulary)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "the vocabulary has %zu words, but %s only %zu: they do not belong together",
                       un_wordpiece_size(m->words.wordpiece), path, c->vocabulary);
    if (max_length > c->positions)
        return un_fail(UNSEEN_E_ARGUMENT, "max_length=%zu, but %s has %zu positions", max_length,
                       path, c->positions);
    return UNSEEN_OK;
}

/* The side of a square of n, 0 if it is none. */
static size_t side_of(size_t n) {
    size_t side = (size_t)llround(sqrt((double)n));
    return side * side == n ? side : 0;
}

/* ViT's or DeiT's, for pictures of size x size pixels. */
static un_status vit_sizes(const json_t *config, const char *path, size_t size, un_vit_config *c) {
    *c = (un_vit_config){.patch = un_config_integer(config, "patch"),
                         .width = un_config_integer(config, "image_hidden"),
                         .heads = un_config_integer(config, "image_heads"),
                         .inner = un_config_integer(config, "image_inner"),
                         .layers = un_config_integer(config, "image_layers"),
                         .distilled = un_config_is(config, "distilled", "yes"),
                         .eps = EPSILON,
                         .family = UN_VIT_DEIT};
    c->image = size / c->patch * c->patch;
    if (c->image == 0 && !path)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "pictures of %zu x %zu pixels are less than a patch of %zu", size, size,
                       c->patch);
    if (c->width % c->heads != 0 && !path)
        return un_fail(UNSEEN_E_ARGUMENT, "image_hidden=%zu does not split into %zu heads",
                       c->width, c->heads);
    if (!path) return UNSEEN_OK;
    un_safetensors file;
    UN_TRY(un_safetensors_open(&file, path));
    un_status status = un_vit_config_read(&file, c);
    un_safetensors_close(&file);
    return status;
}

static un_status pixel_sizes(duet_method *m, const json_t *config) {
    const char *path = text_or_null(config, "image_weights");
    int swin = un_config_is(config, "image_side", "swin");
    size_t size = side_of(m->R);
    if (m->F != 3 || size == 0)
        return un_fail(
            UNSEEN_E_ARGUMENT,
            "pixels are asked for, but the features are %zu regions of %zu values, not a "
            "square of 3 colours",
            m->R, m->F);
    m->kept.labels = un_config_integer(config, "labels");
    if (!swin && path) UN_TRY(duet_swin_in_file(path, &swin));
    return swin ? duet_swin_sizes(config, path, size, &m->kept.swin)
                : vit_sizes(config, path, size, &m->kept.vit);
}

un_status duet_setup_sizes(duet_method *m, const un_method_setup *setup) {
    const json_t *config = setup->config;
    enum { LEAST_PICTURE = 16 };
    int pixels =
        un_config_is(config, "image_side", "pixels") ||
        un_config_is(config, "image_side", "swin") ||
        (un_config_is(config, "image_side", "auto") && m->F == 3 && side_of(m->R) >= LEAST_PICTURE);
    UN_TRY(text_sizes(m, config));
    return pixels ? pixel_sizes(m, config) : UNSEEN_OK;
}

/* ---- weights from files ---- */

un_status duet_setup_weights(duet_method *m, const json_t *config) {
    const char *image = text_or_null(config, "image_weights");
    const char *text = text_or_null(config, "text_weights");
    un_safetensors file;
    if (image && m->network.image->pixels) {
        UN_TRY(un_safetensors_open(&file, image));
        un_status status = duet_pixels_load(m->network.image, &m->base.params, &file);
        un_safetensors_close(&file);
        UN_TRY(status);
    }
    if (text && m->network.config.with_text) {
        UN_TRY(un_safetensors_open(&file, text));
        un_status status = un_bert_load(&m->network.bert, &m->base.params, &file);
        un_safetensors_close(&file);
        UN_TRY(status);
    }
    return UNSEEN_OK;
}

/* ---- into a model and out of it ---- */

static json_t *ids_json(const int64_t *ids, size_t n) {
    json_t *list = json_array();
    for (size_t i = 0; list && i < n; i++) json_array_append_new(list, json_integer(ids[i]));
    return list;
}

static json_t *attributes_json(const duet_method *m) {
    const duet_kept *k = &m->kept;
    json_t *list = json_array();
    for (size_t a = 0; list && a < k->text_count; a++)
        json_array_append_new(list, json_pack("[I, s, o]", (json_int_t)k->group_of[a],
                                              m->words.groups.names[a],
                                              ids_json(k->names + k->name_begin[a],
                                                       k->name_begin[a + 1] - k->name_begin[a])));
    return list;
}

static json_t *groups_json(const duet_method *m) {
    const duet_kept *k = &m->kept;
    json_t *list = json_array();
    for (size_t g = 0; list && g < k->group_count; g++)
        json_array_append_new(list,
                              json_pack("[s, I, I]", m->words.groups.groups[g],
                                        (json_int_t)k->group[g][0], (json_int_t)k->group[g][1]));
    return list;
}

/* Sizes under the names that recall reads. */
#define TEXT_SIZES(x) x(vocabulary) x(positions) x(types) x(width) x(heads) x(inner) x(layers)
#define IMAGE_SIZES(x) x(image) x(patch) x(width) x(heads) x(inner) x(layers)

un_status duet_keep(const un_method *method, json_t **out) {
    const duet_method *m = (const duet_method *)method;
    const duet_kept *k = &m->kept;
    json_t *text = json_object(), *image = json_object();
    json_t *kept =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:I}", "text", text, "image", image, "prompt",
                  ids_json(k->prompt, k->prompt_length), "attributes", attributes_json(m), "groups",
                  groups_json(m), "vocabulary", k->vocabulary, "mask", (json_int_t)k->mask);
    if (!kept) return un_fail_memory(0);
    un_status status = UNSEEN_OK;
#define PUT(field) UN_GO(un_json_set(text, #field, json_integer((json_int_t)k->text.field)));
    TEXT_SIZES(PUT)
#undef PUT
#define PUT(field) UN_GO(un_json_set(image, #field, json_integer((json_int_t)k->vit.field)));
    IMAGE_SIZES(PUT)
#undef PUT
    UN_GO(un_json_set(image, "distilled", json_integer(k->vit.distilled)));
    UN_GO(un_json_set(image, "family", json_integer(k->vit.family)));
    UN_GO(un_json_set(image, "eps", json_real((double)k->vit.eps)));
    UN_GO(un_json_set(image, "labels", json_integer((json_int_t)k->labels)));
    UN_GO(duet_swin_keep(&k->swin, kept));
    if (m->words.vocabulary_text)
        UN_GO(un_json_set(kept, "words", json_string(m->words.vocabulary_text)));
    *out = kept;
done:
    if (status) json_decref(kept);
    return status;
}

static const char WHERE[] = "the model's description of DUET";

static un_status damaged(const char *what) {
    return un_fail(UNSEEN_E_FORMAT, "%s is damaged: %s", WHERE, what);
}

static un_status recall_sizes(duet_kept *k, const json_t *kept) {
    const json_t *text = json_object_get(kept, "text"), *image = json_object_get(kept, "image");
    size_t distilled = 0, family = 0;
    double eps = 0;
#define GET(field) UN_TRY(un_json_get_size(text, #field, WHERE, &k->text.field));
    TEXT_SIZES(GET)
#undef GET
#define GET(field) UN_TRY(un_json_get_size(image, #field, WHERE, &k->vit.field));
    IMAGE_SIZES(GET)
#undef GET
    UN_TRY(un_json_get_size(image, "distilled", WHERE, &distilled));
    UN_TRY(un_json_get_size(image, "family", WHERE, &family));
    UN_TRY(un_json_get_size(image, "labels", WHERE, &k->labels));
    UN_TRY(un_json_get_number(image, "eps", WHERE, &eps));
    UN_TRY(duet_swin_recall(kept, WHERE, &k->swin));
    /* Bounds against sizes that no file can have; the parameters' shapes are checked later. */
    const size_t sizes[] = {k->text.vocabulary, k->text.positions, k->text.width, k->text.inner,
                            k->vit.image,       k->vit.width,      k->vit.inner,  k->labels};
    const size_t small[] = {k->text.layers, k->vit.layers, k->text.types};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i] > 10000000) return damaged("a size is impossible");
    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        if (small[i] > 1024) return damaged("a number of layers is impossible");
    if (k->text.width == 0 || k->text.heads == 0 || k->text.width % k->text.heads != 0 ||
        (k->vit.width > 0 &&
         (k->vit.heads == 0 || k->vit.width % k->vit.heads != 0 || k->vit.patch == 0 ||
          k->vit.patch > 4096 || k->vit.image < k->vit.patch || family > 2)))
        return damaged("widths and heads do not fit");
    k->text.eps = EPSILON;
    k->vit.eps = (float)eps;
    k->vit.distilled = distilled != 0;
    k->vit.family = (un_vit_family)family;
    return UNSEEN_OK;
}

static un_status recall_id(const duet_kept *k, const json_t *value, int64_t *out) {
    *out = json_integer_value(value);
    if (!json_is_integer(value) || *out < 0 || (uint64_t)*out >= k->text.vocabulary)
        return damaged("a word is not in its vocabulary");
    return UNSEEN_OK;
}

static un_status recall_groups(duet_method *m, const json_t *list) {
    duet_kept *k = &m->kept;
    k->group_count = m->words.groups.group_count = json_array_size(list);
    UN_TRY(un_arena_alloc(&m->kept_arena, k->group_count, sizeof *k->group, &k->group));
    UN_TRY(un_arena_alloc(&m->kept_arena, k->group_count, sizeof *m->words.groups.groups,
                          (void *)&m->words.groups.groups));
    for (size_t g = 0; g < k->group_count; g++) {
        const json_t *item = json_array_get(list, g);
        const char *name = json_string_value(json_array_get(item, 0));
        json_int_t begin = json_integer_value(json_array_get(item, 1));
        json_int_t end = json_integer_value(json_array_get(item, 2));
        if (!name || begin < 0 || end <= begin || (uint64_t)end > k->prompt_length)
            return damaged("a group is not in the prompt");
        k->group[g][0] = (size_t)begin;
        k->group[g][1] = (size_t)end;
        UN_TRY(un_arena_string(&m->kept_arena, name, &m->words.groups.groups[g]));
    }
    return UNSEEN_OK;
}

static un_status recall_attributes(duet_method *m, const json_t *list) {
    duet_kept *k = &m->kept;
    un_arena *arena = &m->kept_arena;
    size_t pieces = 0;
    k->text_count = m->words.groups.count = json_array_size(list);
    for (size_t a = 0; a < k->text_count; a++)
        pieces += json_array_size(json_array_get(json_array_get(list, a), 2));
    UN_TRY(un_arena_alloc(arena, k->text_count, sizeof *k->group_of, &k->group_of));
    UN_TRY(un_arena_alloc(arena, k->text_count + 1, sizeof *k->name_begin, &k->name_begin));
    UN_TRY(un_arena_alloc(arena, pieces, sizeof *k->names, &k->names));
    UN_TRY(un_arena_alloc(arena, k->text_count, sizeof *m->words.groups.names,
                          (void *)&m->words.groups.names));
    m->words.groups.group_of = k->group_of;
    for (size_t a = 0; a < k->text_count; a++) {
        const json_t *item = json_array_get(list, a), *ids = json_array_get(item, 2);
        json_int_t group = json_integer_value(json_array_get(item, 0));
        const char *name = json_string_value(json_array_get(item, 1));
        if (!name || group < 0 || (uint64_t)group >= k->group_count)
            return damaged("an attribute has no name or group");
        k->group_of[a] = (size_t)group;
        UN_TRY(un_arena_string(arena, name, &m->words.groups.names[a]));
        k->name_begin[a + 1] = k->name_begin[a];
        for (size_t i = 0; i < json_array_size(ids); i++)
            UN_TRY(recall_id(k, json_array_get(ids, i), &k->names[k->name_begin[a + 1]++]));
    }
    return UNSEEN_OK;
}

un_status duet_recall(duet_method *m, const json_t *kept) {
    duet_kept *k = &m->kept;
    if (!json_is_object(kept)) return damaged("it is missing");
    UN_TRY(recall_sizes(k, kept));
    if (k->text.vocabulary == 0) return UNSEEN_OK; /* without text */
    const json_t *prompt = json_object_get(kept, "prompt");
    const char *words = json_string_value(json_object_get(kept, "words"));
    const char *from = json_string_value(json_object_get(kept, "vocabulary"));
    k->vocabulary = from && !strcmp(from, "file") ? "file" : "attributes";
    if (words) UN_TRY(un_format(&m->words.vocabulary_text, "%s", words));
    k->mask = -1;
    if (json_object_get(kept, "mask"))
        UN_TRY(recall_id(k, json_object_get(kept, "mask"), &k->mask));
    k->prompt_length = json_array_size(prompt);
    if (k->prompt_length < 2 || k->prompt_length > k->text.positions)
        return damaged("the prompt is empty or too long");
    UN_TRY(un_arena_alloc(&m->kept_arena, k->prompt_length, sizeof *k->prompt, &k->prompt));
    for (size_t i = 0; i < k->prompt_length; i++)
        UN_TRY(recall_id(k, json_array_get(prompt, i), &k->prompt[i]));
    UN_TRY(recall_groups(m, json_object_get(kept, "groups")));
    return recall_attributes(m, json_object_get(kept, "attributes"));
}
