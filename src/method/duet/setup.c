/*
 * setup.c - what DUET is made of before training: texts, words and sizes, from the
 * data set's attributes and from files. (storage.c has it again from a trained model.)
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "method/duet/duet.h"
#include "method/duet/texts.h"
#include "nn/naming.h"

static un_status find_semantics(const un_class_table *classes, const char *name, const char *key,
                                size_t *out) {
    for (size_t i = 0; i < classes->semantics_count; i++)
        if (!strcmp(classes->semantics[i].name, name)) {
            *out = i;
            return UNSEEN_OK;
        }
    return un_fail(UNSEEN_E_ARGUMENT,
                   "%s=%s is not among the semantics that are trained with: add it to "
                   "{--semantics|setting semantics}",
                   key, name);
}

un_status un_duet_find_texts(const duet_method *m, const un_class_table *classes, size_t *out) {
    if (m->settings.text_semantics)
        return find_semantics(classes, m->settings.text_semantics, "text_semantics", out);
    *out = 0;
    for (size_t i = classes->semantics_count; i-- > 0;)
        if (classes->semantics[i].attributes) *out = i;
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

static un_status open_words(duet_method *m) {
    m->spec.vocabulary = m->settings.vocabulary_path ? "file" : "attributes";
    if (m->settings.vocabulary_path) {
        size_t length = 0;
        UN_TRY(un_file_read(m->settings.vocabulary_path, UN_VOCABULARY_LIMIT,
                            &m->words.vocabulary_text, &length));
        return un_wordpiece_parse(&m->words.wordpiece, m->words.vocabulary_text, length,
                                  m->settings.vocabulary_path);
    }
    if (m->settings.text_weights_path)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "text_weights without the vocabulary that they were trained with: give "
                       "{--set|setting} vocab=FILE too");
    UN_TRY(un_vocabulary_make(&m->words.groups, &m->words.vocabulary_text));
    return un_wordpiece_parse(&m->words.wordpiece, m->words.vocabulary_text,
                              strlen(m->words.vocabulary_text), "the vocabulary of the attributes");
}

un_status un_duet_open_words(duet_method *m) {
    if (m->words.wordpiece) return UNSEEN_OK;
    if (!m->words.vocabulary_text)
        return un_fail(UNSEEN_E_UNSUPPORTED, "the model does not hold its vocabulary");
    return un_wordpiece_parse(&m->words.wordpiece, m->words.vocabulary_text,
                              strlen(m->words.vocabulary_text), "the model's vocabulary");
}

/* The prompt's segments between the bars are its groups, if there are as many. */
static void find_groups(duet_spec *spec, int32_t bar, int32_t colon) {
    size_t end = spec->prompt_length > 0 ? spec->prompt_length - 1 : 0, segments = 1, at = 1;
    for (size_t i = 1; i < end; i++) segments += spec->prompt[i] == bar;
    for (size_t g = 0; g < spec->group_count; g++) {
        size_t begin = segments == spec->group_count ? at : 1;
        while (at < end && spec->prompt[at] != bar) at++;
        size_t stop = segments == spec->group_count ? at : end;
        for (size_t i = begin; i < stop; i++)
            if (spec->prompt[i] == colon) stop = i;
        spec->group[g][0] = begin;
        spec->group[g][1] = stop > begin ? stop : begin + 1;
        at++;
    }
}

/* The fixed prompt and the pieces of names, as ids. */
static un_status fill_text_spec(duet_method *m) {
    duet_spec *spec = &m->spec;
    un_arena *a = &m->spec_arena;
    un_token_list list = {0};
    un_status status = UNSEEN_OK;
    un_duet_texts_prompt(m->words.texts, &m->words.text);
    spec->prompt_length = m->words.text.length;
    spec->mask = un_wordpiece_special(m->words.wordpiece, UN_TOKEN_MASK);
    spec->text_count = m->words.groups.count;
    spec->group_count = m->words.groups.group_count;
    UN_TRY(un_arena_alloc(a, spec->prompt_length, sizeof *spec->prompt, &spec->prompt));
    UN_TRY(un_arena_alloc(a, spec->text_count, sizeof *spec->group_of, &spec->group_of));
    UN_TRY(un_arena_alloc(a, spec->group_count, sizeof *spec->group, &spec->group));
    UN_TRY(un_arena_alloc(a, spec->text_count + 1, sizeof *spec->name_begin, &spec->name_begin));
    for (size_t i = 0; i < spec->prompt_length; i++) spec->prompt[i] = m->words.text.ids[i];
    memcpy(spec->group_of, m->words.groups.group_of, spec->text_count * sizeof *spec->group_of);
    find_groups(spec, un_wordpiece_id(m->words.wordpiece, "|", 1),
                un_wordpiece_id(m->words.wordpiece, ":", 1));
    for (size_t i = 0; i < spec->text_count; i++) {
        const char *name = m->words.groups.names[i];
        UN_GO(un_wordpiece_encode(m->words.wordpiece, name, strlen(name), &list));
        spec->name_begin[i + 1] = list.count;
    }
    UN_GO(un_arena_alloc(a, list.count, sizeof *spec->names, &spec->names));
    for (size_t i = 0; i < list.count; i++) spec->names[i] = list.items[i];
done:
    un_token_list_free(&list);
    return status;
}

un_status un_duet_setup_sampler(const duet_method *m, const un_class_table *classes,
                                const int32_t *labels, const un_index_list *images,
                                un_duet_sampler **out) {
    size_t texts = 0, binary = 0;
    UN_TRY(un_duet_find_texts(m, classes, &texts));
    if (m->settings.binary_semantics)
        UN_TRY(find_semantics(classes, m->settings.binary_semantics, "binary_semantics", &binary));
    const un_class_semantics *semantics = &classes->semantics[texts];
    const un_class_semantics *flags =
        m->settings.binary_semantics ? &classes->semantics[binary] : NULL;
    if (flags && flags->width != semantics->width)
        return un_fail(UNSEEN_E_ARGUMENT, "binary_semantics=%s has %zu values, %s has %zu",
                       flags->name, flags->width, semantics->name, semantics->width);
    const un_duet_sampler_settings settings = {.seed = m->settings.seed,
                                               .texts = m->words.texts,
                                               .class_count = classes->count,
                                               .attribute_count = semantics->width,
                                               .values = semantics->values,
                                               .binary = flags ? flags->values : NULL,
                                               .threshold = m->settings.threshold,
                                               .labels = labels,
                                               .train = images,
                                               .attribute_miss = m->settings.attribute_miss,
                                               .prune_pieces = m->settings.prune_pieces,
                                               .prune_attributes = m->settings.prune_attributes};
    return un_duet_sampler_create(out, &settings);
}

un_status un_duet_setup_texts(duet_method *m, const un_method_setup *setup) {
    size_t place = 0;
    const un_attribute_groups_options options = {.table = m->settings.groups_path,
                                                 .mapping = m->settings.mapping_path,
                                                 .dataset = m->settings.text_dataset,
                                                 .reference = m->settings.reference};
    UN_TRY(un_duet_find_texts(m, setup->classes, &place));
    const un_class_semantics *semantics = &setup->classes->semantics[place];
    char **names = semantics->attributes;
    if (!names && !options.table && !m->settings.with_text)
        UN_TRY(numbered_names(m, semantics->width, &names));
    if (!names && !options.table)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "DUET's texts are made of the names of attributes, which semantics "
                       "\"%s\" does not have: add semantics that have them ({--semantics "
                       "|settings semantics=}%s,NAME {--set |and }text_semantics=NAME), import "
                       "with a file of attribute names, give a table with \"names\" "
                       "({--set|setting} groups=FILE), or go without text ({--set|setting} "
                       "text=no)",
                       semantics->name, semantics->name);
    UN_TRY(
        un_attribute_groups_make(names, semantics->width, &options, &m->arena, &m->words.groups));
    UN_TRY(open_words(m));
    UN_TRY(un_duet_texts_create(&m->words.texts, &m->words.groups, m->words.wordpiece,
                                m->settings.max_length));
    UN_TRY(un_duet_text_alloc(m->words.texts, &m->arena, &m->words.text));
    UN_TRY(un_duet_text_alloc(m->words.texts, &m->arena, &m->words.plain));
    UN_TRY(fill_text_spec(m));
    return un_duet_setup_sampler(m, setup->classes, setup->data->labels, setup->data->train,
                                 &m->words.sampler);
}

duet_text_batch un_duet_prompt_batch(const duet_method *m, size_t start[2]) {
    start[0] = 0;
    start[1] = m->spec.prompt_length;
    return (duet_text_batch){.sequences = {1, start}, .ids = m->spec.prompt};
}

/* ---- sizes ---- */

static un_status text_sizes(duet_method *m) {
    const char *path = m->settings.text_weights_path;
    un_bert_config *c = &m->spec.text;
    size_t max_length = m->settings.max_length;
    *c = m->settings.text;
    if (!m->settings.with_text) return UNSEEN_OK;
    c->vocabulary = un_wordpiece_size(m->words.wordpiece);
    if (!path) return UNSEEN_OK;
    un_safetensors file;
    UN_TRY(un_safetensors_load(&file, path));
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
static un_status vit_sizes(const duet_settings *s, size_t size, un_vit_config *c) {
    const char *path = s->image_weights_path;
    *c = s->vit;
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
    UN_TRY(un_safetensors_load(&file, path));
    un_status status = un_vit_config_read(&file, c);
    un_safetensors_close(&file);
    return status;
}

/* Whether the file of weights holds a Swin transformer. */
static un_status swin_in_file(const char *path, int *out) {
    un_safetensors file;
    UN_TRY(un_safetensors_load(&file, path));
    *out = un_swin_recognize(&file);
    un_safetensors_close(&file);
    return UNSEEN_OK;
}

/* Hugging Face's habits: four times as wide inside, the same window in every stage. */
static un_status swin_from_settings(const duet_swin_settings *s, size_t size, un_swin_config *c) {
    enum { PATCH = 4, RATIO = 4 };
    *c = (un_swin_config){.image = size,
                          .patch = PATCH,
                          .width = s->width,
                          .inner = RATIO * s->width,
                          .stages = s->depth_count,
                          .eps = 1e-5f};
    if (s->depth_count != s->head_count)
        return un_fail(UNSEEN_E_ARGUMENT, "swin_depths tells of %zu stages, swin_heads of %zu",
                       s->depth_count, s->head_count);
    for (size_t i = 0; i < s->depth_count && i < UN_SWIN_STAGES; i++) {
        if (s->depth[i] != floor(s->depth[i]) || s->heads[i] != floor(s->heads[i]))
            return un_fail(UNSEEN_E_ARGUMENT, "swin_depths and swin_heads are whole numbers");
        c->depth[i] = (size_t)s->depth[i];
        c->heads[i] = (size_t)s->heads[i];
        c->window[i] = s->window;
    }
    return un_swin_config_check(c, UNSEEN_E_ARGUMENT, "swin_depths and swin_heads");
}

static un_status swin_sizes(const duet_settings *s, size_t size, un_swin_config *out) {
    un_safetensors file;
    if (!s->image_weights_path) return swin_from_settings(&s->swin, size, out);
    UN_TRY(un_safetensors_load(&file, s->image_weights_path));
    un_status status = un_swin_config_read(&file, out);
    un_safetensors_close(&file);
    return status;
}

static un_status pixel_sizes(duet_method *m) {
    const duet_settings *s = &m->settings;
    int swin = s->image_side == DUET_IMAGE_SWIN;
    size_t size = side_of(m->R);
    if (m->F != 3 || size == 0)
        return un_fail(
            UNSEEN_E_ARGUMENT,
            "pixels are asked for, but the features are %zu regions of %zu values, not a "
            "square of 3 colours",
            m->R, m->F);
    m->spec.labels = s->labels;
    if (!swin && s->image_weights_path) UN_TRY(swin_in_file(s->image_weights_path, &swin));
    return swin ? swin_sizes(s, size, &m->spec.swin) : vit_sizes(s, size, &m->spec.vit);
}

un_status un_duet_setup_sizes(duet_method *m) {
    enum { LEAST_PICTURE = 16 };
    duet_image_side side = m->settings.image_side;
    int pixels = side == DUET_IMAGE_PIXELS || side == DUET_IMAGE_SWIN ||
                 (side == DUET_IMAGE_AUTO && m->F == 3 && side_of(m->R) >= LEAST_PICTURE);
    UN_TRY(text_sizes(m));
    return pixels ? pixel_sizes(m) : UNSEEN_OK;
}

/* ---- weights from files ---- */

un_status un_duet_setup_weights(duet_method *m) {
    const char *image = m->settings.image_weights_path;
    const char *text = m->settings.text_weights_path;
    un_safetensors file;
    if (image && m->network.image->pixels) {
        UN_TRY(un_safetensors_load(&file, image));
        un_status status = un_duet_pixels_load(m->network.image, &m->base.params, &file);
        if (!status) status = un_weights_check_taken(&file, "ViT, DeiT or Swin transformer", 1);
        un_safetensors_close(&file);
        UN_TRY(status);
    }
    if (text && m->network.config.with_text) {
        UN_TRY(un_safetensors_load(&file, text));
        un_status status = un_bert_load(&m->network.bert, &m->base.params, &file);
        if (!status) status = un_weights_check_taken(&file, "BERT", 1);
        un_safetensors_close(&file);
        UN_TRY(status);
    }
    return UNSEEN_OK;
}
