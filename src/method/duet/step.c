/*
 * step.c - a training step of DUET: the images, texts and targets of its mini-batches, forward,
 * their losses, and back; see duet.h.
 */
#include <math.h>
#include <string.h>

#include "method/duet/duet.h"
#include "method/duet/network.h"
#include "nn/shared.h"
#include "tensor/kernels.h"

/* ---- the images, texts and targets of a mini-batch.
 *
 * Masked texts: picture i < B is sample i beside its masked text. Each sample with
 * an attribute-level contrast has five more pairs, the sample itself being the
 * first of the six; as published, all six are pairs of their own, padded to the
 * longest of them.
 * Prompt: every picture, and its partner at i + B, beside the one prompt. ---- */

static size_t contrast_limit(const duet_method *m) {
    if (m->settings.weight[DUET_TERM_ATTRIBUTES] == 0 || !m->network.config.with_text) return 0;
    size_t subset = m->settings.contrast_samples;
    return subset == 0 || subset > m->training.batch_size ? m->training.batch_size : subset;
}

/* Pairs that a group adds to the batch. */
static size_t group_pairs(const duet_method *m) {
    return m->settings.reference ? UN_DUET_PAIRS : UN_DUET_PAIRS - 1;
}

static size_t most_pictures(const duet_method *m) {
    size_t masked = m->training.batch_size + contrast_limit(m) * group_pairs(m);
    return masked > 2 * m->training.batch_size ? masked : 2 * m->training.batch_size;
}

un_status un_duet_batch_create(duet_method *m) {
    duet_batch *b = &m->training.batch;
    un_arena *a = &m->arena;
    size_t B = m->training.batch_size, n = most_pictures(m),
           L = un_duet_texts_max_length(m->words.texts);
    size_t rows = 0, planned = 0;
    if (__builtin_mul_overflow(n, L, &rows) ||
        __builtin_mul_overflow(n, m->settings.accumulate + m->training.leftover, &planned))
        return un_fail(UNSEEN_E_ARGUMENT, "a step of %zu mini-batches of %zu texts is too large",
                       m->settings.accumulate, n);
    UN_TRY(un_arena_alloc(a, n, sizeof *b->image, &b->image));
    UN_TRY(un_arena_alloc(a, B, sizeof *b->label, &b->label));
    UN_TRY(un_arena_alloc(a, n, sizeof *b->length, &b->length));
    UN_TRY(un_arena_alloc(a, n + 1, sizeof *b->start, &b->start));
    UN_TRY(un_arena_alloc(a, rows, sizeof *b->ids, &b->ids));
    UN_TRY(un_arena_alloc(a, rows, sizeof *b->key_mask, &b->key_mask));
    UN_TRY(un_arena_alloc(a, rows, sizeof *b->word_row, &b->word_row));
    UN_TRY(un_arena_alloc(a, rows, sizeof *b->word_label, &b->word_label));
    UN_TRY(un_arena_alloc(a, rows, sizeof *b->word_weight, &b->word_weight));
    UN_TRY(un_arena_alloc(a, B * UN_DUET_PAIRS + 1, sizeof *b->pair_begin, &b->pair_begin));
    UN_TRY(un_arena_alloc(a, rows + B * L, sizeof *b->pair_row, &b->pair_row));
    UN_TRY(un_arena_alloc(a, B, sizeof *b->group_weight, &b->group_weight));
    UN_TRY(un_arena_alloc(a, B, sizeof *b->group_sample, &b->group_sample));
    UN_TRY(un_arena_alloc(a, rows, sizeof *b->place, &b->place));
    const size_t most[DUET_SIDES] = {rows, 2 * B};
    for (size_t s = 0; s < DUET_SIDES; s++) {
        UN_TRY(un_arena_alloc(a, n + 1, sizeof *b->start_of[s], &b->start_of[s]));
        UN_TRY(un_arena_alloc(a, most[s], sizeof *b->row_of[s], &b->row_of[s]));
    }
    UN_TRY(un_arena_alloc(a, planned, sizeof *m->training.planned, &m->training.planned));
    UN_TRY(un_arena_alloc(a, B, sizeof *m->training.sample, &m->training.sample));
    for (size_t i = 0; i < B; i++)
        UN_TRY(un_duet_sample_alloc(m->words.sampler, a, &m->training.sample[i]));
    return UNSEEN_OK;
}

/* ---- draws ---- */

/* Policy, images and labels of the samples; with a mask also what each is contrasted with. */
static un_status draw(duet_method *m, size_t epoch, size_t index) {
    duet_batch *b = &m->training.batch;
    b->samples = b->pictures = m->training.batch_size;
    b->masked = un_duet_draw_policy(m->words.sampler, epoch, index) < m->settings.mask_pro;
    b->partners = !b->masked && m->settings.weight[DUET_TERM_CLASSES] > 0;
    UN_TRY(un_duet_draw_batch(m->words.sampler, epoch, index, b->samples, b->image));
    for (size_t i = 0; i < b->samples; i++) {
        b->label[i] = m->training.data->labels[b->image[i]];
        if (b->masked && m->network.config.with_text)
            un_duet_draw(m->words.sampler, epoch, index, i, b->image[i], (size_t)b->label[i],
                         &m->training.sample[i]);
    }
    for (size_t i = 0; b->partners && i < b->samples; i++)
        b->image[b->pictures++] = un_duet_draw_partner(m->words.sampler, epoch, index, i,
                                                       b->image[i], (size_t)b->label[i]);
    return UNSEEN_OK;
}

/* Whether this rank does sample i. */
static int is_own(const duet_method *m, size_t i) {
    return i >= m->training.part.first && i - m->training.part.first < m->training.part.count;
}

un_status un_duet_plan(un_method *method, size_t epoch, size_t step, const int64_t **images,
                       size_t *count) {
    duet_method *m = (duet_method *)method;
    duet_batch *b = &m->training.batch;
    size_t before = step == 0 && epoch > 0 ? m->training.leftover : 0;
    *count = 0;
    for (size_t k = 0; k < before + m->settings.accumulate; k++) {
        if (k < before)
            UN_TRY(draw(m, epoch - 1, m->training.steps * m->settings.accumulate + k));
        else
            UN_TRY(draw(m, epoch, step * m->settings.accumulate + k - before));
        for (size_t i = 0; i < b->pictures; i++)
            if (is_own(m, i % b->samples)) m->training.planned[(*count)++] = b->image[i];
        if (!b->masked || !m->network.config.with_text) continue;
        for (size_t i = 0, groups = 0; i < b->samples && groups < contrast_limit(m); i++) {
            if (!m->training.sample[i].has_contrast) continue;
            for (size_t p = 1; p < UN_DUET_PAIRS && is_own(m, i); p++)
                m->training.planned[(*count)++] = m->training.sample[i].pair[p].image;
            groups++;
        }
    }
    *images = m->training.planned;
    return UNSEEN_OK;
}

/* ---- texts ---- */

/* Appends m->words.text as the text of the next picture. */
static void add_text(duet_method *m) {
    duet_batch *b = &m->training.batch;
    size_t at = b->start[b->texts];
    b->length[b->texts] = m->words.text.length;
    for (size_t i = 0; i < m->words.text.length; i++) {
        b->ids[at + i] = m->words.text.ids[i];
        b->key_mask[at + i] = 0;
    }
    b->start[++b->texts] = at + m->words.text.length;
}

/* Texts first .. texts-1 get padding up to the longest of them. They lie at the end, so they
 * are moved from the last to the first. `shift` tells how far a row of each text moved. */
static void pad_texts(duet_batch *b, size_t first, int64_t pad) {
    size_t longest = 0, begin = b->start[first];
    for (size_t t = first; t < b->texts; t++)
        longest = b->length[t] > longest ? b->length[t] : longest;
    for (size_t t = b->texts; t-- > first;) {
        size_t from = b->start[t], to = begin + (t - first) * longest, length = b->length[t];
        memmove(b->ids + to, b->ids + from, length * sizeof *b->ids);
        for (size_t i = 0; i < longest; i++) {
            b->key_mask[to + i] = i < length ? 0.0f : -10000.0f;
            if (i >= length) {
                b->ids[to + i] = pad;
                b->padded = 1;
            }
        }
        b->length[t] = longest;
        b->start[t + 1] = to + longest;
    }
    for (size_t t = first; t < b->texts; t++) b->start[t] = begin + (t - first) * longest;
}

/* The words that sample i's text has lost: at its masked places, or as published everywhere. */
static un_status add_words(duet_method *m, size_t i, double scale) {
    duet_batch *b = &m->training.batch;
    const un_duet_sample *s = &m->training.sample[i];
    UN_TRY(un_duet_texts_make(m->words.texts, s->pair[0].present, s->pair[0].attribute, 0,
                              &m->words.plain));
    double weight = scale * m->settings.weight[DUET_TERM_WORDS] * 3 * s->mask_weight;
    size_t count = m->settings.reference ? b->length[i] : m->words.text.marked_count;
    for (size_t k = 0; k < count; k++) {
        size_t at = m->settings.reference ? k : m->words.text.marked[k];
        b->word_row[b->words] = b->start[i] + at;
        b->word_label[b->words] = at < m->words.plain.length ? m->words.plain.ids[at] : UN_BERT_PAD;
        b->word_weight[b->words++] = weight / (double)count;
    }
    return UNSEEN_OK;
}

/* The text of a pair as m->words.text. */
static un_status make_text(duet_method *m, const un_duet_pair *pair, int hidden) {
    return un_duet_texts_make(m->words.texts, pair->present, pair->attribute, hidden,
                              &m->words.text);
}

/* The masked texts of the samples; words only after padding, which moves rows. */
static un_status sample_texts(duet_method *m, double scale) {
    duet_batch *b = &m->training.batch;
    for (size_t i = 0; i < b->samples; i++) {
        if (m->training.sample[i].has_mask)
            UN_TRY(make_text(m, &m->training.sample[i].pair[0], 1));
        else
            un_duet_texts_prompt(m->words.texts, &m->words.text);
        add_text(m);
    }
    if (m->settings.reference)
        pad_texts(b, 0, un_wordpiece_special(m->words.wordpiece, UN_TOKEN_PAD));
    if (m->settings.weight[DUET_TERM_WORDS] == 0) return UNSEEN_OK;
    for (size_t i = 0; i < b->samples; i++) {
        if (!m->training.sample[i].has_mask) continue;
        UN_TRY(make_text(m, &m->training.sample[i].pair[0], 1));
        if (m->words.text.marked_count > 0) UN_TRY(add_words(m, i, scale));
    }
    return UNSEEN_OK;
}

static void mark_rows(duet_batch *b, const un_duet_text *text, size_t first_row, size_t pair) {
    size_t at = b->pair_begin[b->groups * UN_DUET_PAIRS + pair];
    for (size_t k = 0; k < text->marked_count; k++) b->pair_row[at++] = first_row + text->marked[k];
    b->pair_begin[b->groups * UN_DUET_PAIRS + pair + 1] = at;
}

/* The six pairs of sample i; nothing is added if one of them has nothing marked (its text was
 * cut off there). */
static un_status contrast_texts(duet_method *m, size_t i, double scale) {
    duet_batch *b = &m->training.batch;
    const un_duet_sample *s = &m->training.sample[i];
    size_t first = b->texts, pictures = b->pictures, own = m->settings.reference ? 0 : 1;
    size_t longest = 0;
    UN_TRY(make_text(m, &s->pair[0], 1));
    if (m->words.text.marked_count == 0) return UNSEEN_OK;
    if (own) mark_rows(b, &m->words.text, b->start[i], 0);
    for (size_t p = own; p < UN_DUET_PAIRS; p++) {
        UN_TRY(make_text(m, &s->pair[p], p == 0));
        if (m->words.text.marked_count == 0) {
            b->texts = first;
            b->pictures = pictures;
            return UNSEEN_OK;
        }
        longest = m->words.text.length > longest ? m->words.text.length : longest;
        b->image[b->pictures++] = s->pair[p].image;
        add_text(m);
        mark_rows(b, &m->words.text, b->start[b->texts - 1], p);
    }
    if (m->settings.reference) {
        /* Rows move with their texts. */
        size_t before[UN_DUET_PAIRS];
        memcpy(before, b->start + first, sizeof before);
        pad_texts(b, first, un_wordpiece_special(m->words.wordpiece, UN_TOKEN_PAD));
        const size_t *begin = b->pair_begin + b->groups * UN_DUET_PAIRS;
        for (size_t p = 0; p < UN_DUET_PAIRS; p++)
            for (size_t k = begin[p]; k < begin[p + 1]; k++)
                b->pair_row[k] += b->start[first + p] - before[p];
    }
    b->group_sample[b->groups] = i;
    b->group_weight[b->groups++] =
        scale * m->settings.weight[DUET_TERM_ATTRIBUTES] * s->contrast_weight;
    return UNSEEN_OK;
}

/* One prompt that all share; copies where dropout makes each of them different. */
static void prompt_texts(duet_method *m) {
    un_duet_texts_prompt(m->words.texts, &m->words.text);
    do add_text(m);
    while (m->settings.dropout > 0 && m->training.batch.texts < m->training.batch.pictures);
}

/* ---- what the losses read ---- */

/* The first visual states of samples and partners. */
static void want_vision(duet_method *m) {
    duet_batch *b = &m->training.batch;
    size_t *start = b->start_of[DUET_VISION], *row = b->row_of[DUET_VISION];
    size_t count = b->partners ? 2 * b->samples : b->samples;
    for (size_t i = 0; i <= b->pictures; i++) start[i] = i < count ? i : count;
    for (size_t i = 0; i < count; i++) row[i] = i * m->network.image->tokens;
    b->subset[DUET_VISION].sequences = (un_sequences){b->pictures, start};
    b->subset[DUET_VISION].row = row;
}

/* The rows of words to be named and of pairs, whose lists then tell places among them. One prompt
 * may become a sequence for each picture; nothing is in the subset of any of them. */
static void want_language(duet_batch *b) {
    size_t *start = b->start_of[DUET_LANGUAGE], *row = b->row_of[DUET_LANGUAGE], count = 0;
    size_t sequences = b->texts > b->pictures ? b->texts : b->pictures;
    size_t pairs = b->masked ? b->pair_begin[b->groups * UN_DUET_PAIRS] : 0;
    memset(b->place, 0, b->start[b->texts] * sizeof *b->place);
    for (size_t i = 0; i < b->words; i++) b->place[b->word_row[i]] = 1;
    for (size_t i = 0; i < pairs; i++) b->place[b->pair_row[i]] = 1;
    for (size_t t = 0; t < b->texts; t++) {
        start[t] = count;
        for (size_t r = b->start[t]; r < b->start[t + 1]; r++) {
            if (!b->place[r]) continue;
            b->place[r] = count;
            row[count++] = r;
        }
    }
    for (size_t t = b->texts; t <= sequences; t++) start[t] = count;
    for (size_t i = 0; i < b->words; i++) b->word_row[i] = b->place[b->word_row[i]];
    for (size_t i = 0; i < pairs; i++) b->pair_row[i] = b->place[b->pair_row[i]];
    b->subset[DUET_LANGUAGE].sequences = (un_sequences){sequences, start};
    b->subset[DUET_LANGUAGE].row = row;
}

un_status un_duet_batch_make(duet_method *m, size_t epoch, size_t index) {
    duet_batch *b = &m->training.batch;
    double scale = 1 / (double)m->settings.accumulate;
    UN_TRY(draw(m, epoch, index));
    b->texts = b->words = b->groups = 0;
    b->padded = 0;
    b->start[0] = b->pair_begin[0] = 0;
    if (m->network.config.with_text && !b->masked) prompt_texts(m);
    if (m->network.config.with_text && b->masked) {
        UN_TRY(sample_texts(m, scale));
        for (size_t i = 0; i < b->samples && b->groups < contrast_limit(m); i++)
            if (m->training.sample[i].has_contrast) UN_TRY(contrast_texts(m, i, scale));
    }
    un_duet_batch_part(m, group_pairs(m));
    want_vision(m);
    want_language(b);
    return UNSEEN_OK;
}

/* ---- a mini-batch forward and back ---- */

/* Makes room for `count` floats at least. */
static un_status room_for(duet_room *room, size_t count) {
    if (count <= room->room) return UNSEEN_OK;
    un_arena_free(&room->arena);
    room->room = 0;
    UN_TRY(un_arena_alloc(&room->arena, count, sizeof *room->data, &room->data));
    room->room = count;
    return UNSEEN_OK;
}

/* Multiply-adds of the linear layers of a forward pass, two operations each; backward is twice
 * that. Of the last cross-modal layer what is computed counts. */
static double count_flops(const duet_method *m) {
    const duet_network_config *c = &m->network.config;
    const duet_batch *b = &m->training.batch;
    double H = (double)c->text.width, I = (double)c->text.inner, square = 2 * H * H;
    double row = 4 * square + 4 * H * I, flops = (double)b->pictures * m->network.image->flops;
    double text = (double)b->start[b->texts], vision = (double)b->pictures;
    double subset[DUET_SIDES];
    vision *= (double)m->network.image->tokens;
    for (size_t s = 0; s < DUET_SIDES; s++)
        subset[s] = (double)un_sequence_rows(&b->subset[s].sequences) * (2 * square + 4 * H * I);
    if (!c->with_text) return 3 * (flops + vision * 2 * square + subset[DUET_VISION]);
    flops += text * row * (double)c->text.layers;
    flops += (row + 4 * square) * (double)(c->xlayers - 1) * (vision + text);
    for (size_t s = 0; s < DUET_SIDES; s++) {
        const duet_xlayer_side *side = &m->training.pass.xlayer[c->xlayers - 1].side[s];
        /* cross: query and output, key and value; itself: key and value; the rows of the subset */
        flops += (double)side->queries * 4 * square + (double)side->keys * 2 * square + subset[s];
    }
    flops += 2 * (double)b->words * H * (H + (double)c->text.vocabulary);
    return 3 * flops;
}

static un_status gather(duet_method *m) {
    const duet_batch *b = &m->training.batch;
    size_t n = b->pictures, H = m->network.config.text.width;
    size_t vis = n * m->network.image->tokens * H, lang = b->start[b->texts] * H;
    size_t read[DUET_SIDES];
    UN_TRY(room_for(&m->training.features, n * m->R * m->F));
    UN_TRY(room_for(&m->training.dvis, vis));
    UN_TRY(room_for(&m->training.dlang, un_room_for(lang)));
    for (size_t s = 0; s < DUET_SIDES; s++)
        read[s] = un_sequence_rows(&b->subset[s].sequences) * H * sizeof(float);
    memset(m->training.dvis.data, 0, read[DUET_VISION]);
    if (read[DUET_LANGUAGE] > 0) memset(m->training.dlang.data, 0, read[DUET_LANGUAGE]);
    /* Regions that are multiplied in bf16 need not be widened on the way. */
    if (m->network.config.type == UN_BF16 && m->network.image->class->forward16) {
        un_bf16 *features = (un_bf16 *)(void *)m->training.features.data;
        un_features_gather_bf16(m->training.data->features, b->image, n, features);
        m->training.pass.features16 = features;
        return UNSEEN_OK;
    }
    un_features_gather_f32(m->training.data->features, b->image, n, m->training.features.data);
    return UNSEEN_OK;
}

/* The input of the image side: the pictures as they are, or changed at random. What is frozen
 * gets them as they are, so that its states can be computed once. */
static un_status image_input(duet_method *m, size_t epoch, size_t index, const float **features) {
    const duet_image *image = m->network.image;
    size_t n = m->training.batch.pictures, side = (size_t)llround(sqrt((double)m->R));
    *features = m->training.features.data;
    if (!m->settings.augment || !image->pixels || image->frozen_count > 0) return UNSEEN_OK;
    UN_TRY(room_for(&m->training.changed, n * m->R * m->F));
    un_duet_augment(m->settings.seed, epoch, index, m->training.batch.picture_rows,
                    m->training.features.data, n, side, m->training.changed.data);
    *features = m->training.changed.data;
    return UNSEEN_OK;
}

static un_status visual_losses(duet_method *m, double *losses) {
    static const duet_term terms[] = {DUET_TERM_CLASS, DUET_TERM_MSE, DUET_TERM_CALIBRATION,
                                      DUET_TERM_CLASSES};
    const duet_batch *b = &m->training.batch;
    double scale = 1 / (double)m->settings.accumulate, loss[DUET_CLASS_TERMS + 1];
    const duet_loss_classes classes = {.count = m->training.classes.count,
                                       .attributes = m->regressed.A,
                                       .att = m->training.classes.att,
                                       .seen = m->training.classes.seen};
    const duet_visual_targets targets = {
        .part = &m->training.part,
        .classes = &classes,
        .label = b->label,
        .samples = m->training.part.total,
        .partners = b->partners,
        .weight = {scale * m->settings.weight[DUET_TERM_CLASS],
                   scale * m->settings.weight[DUET_TERM_MSE],
                   scale * m->settings.weight[DUET_TERM_CALIBRATION]},
        .contrast = scale * m->settings.weight[DUET_TERM_CLASSES],
        .temperature = m->settings.temperature,
        .published = m->settings.reference};
    UN_TRY(un_duet_visual_losses(&m->network, &m->base.params, &targets, m->training.pass.vis, loss,
                                 m->training.dvis.data));
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) losses[terms[i]] += loss[i];
    return UNSEEN_OK;
}

static un_status text_losses(duet_method *m, double *losses) {
    const duet_batch *b = &m->training.batch;
    const duet_word_targets words = {b->words, b->word_row, b->word_label, b->word_weight};
    const duet_contrast_targets groups = {b->groups, UN_DUET_PAIRS, b->pair_begin, b->pair_row,
                                          b->group_weight};
    double loss = 0;
    UN_TRY(un_duet_word_loss(&m->training.mlm, &m->base.params, &words, m->training.pass.lang,
                             &loss, m->training.dlang.data));
    losses[DUET_TERM_WORDS] += loss;
    UN_TRY(un_duet_contrast_loss(&m->network, &m->base.params, &groups, m->training.pass.lang,
                                 &loss, m->training.dlang.data, NULL, NULL));
    losses[DUET_TERM_ATTRIBUTES] += loss;
    return UNSEEN_OK;
}

/* `last` of a step. */
static un_status mini_batch(duet_method *m, size_t epoch, size_t index, int last, double *losses) {
    const duet_batch *b = &m->training.batch;
    int with_text = m->network.config.with_text;
    UN_TRY(un_duet_batch_make(m, epoch, index));
    UN_TRY(gather(m));
    const duet_text_batch text = {.sequences = {b->texts, b->start},
                                  .ids = b->ids,
                                  .key_mask = b->padded ? b->key_mask : NULL};
    const un_dropout_source dropout = {.hidden = m->settings.dropout,
                                       .attention = m->settings.dropout,
                                       .path = m->settings.drop_path,
                                       .seed = m->settings.seed,
                                       .draw = (uint64_t)epoch << 32 | (uint64_t)index};
    const un_query_subset *const subset[DUET_SIDES] = {&b->subset[DUET_LANGUAGE],
                                                       &b->subset[DUET_VISION]};
    const float *features = NULL;
    m->training.pass.picture_rows = b->picture_rows;
    memcpy(m->training.pass.rows, b->rows, sizeof b->rows);
    UN_TRY(image_input(m, epoch, index, &features));
    UN_TRY(un_duet_forward(&m->training.pass, &m->base.params, features, b->pictures, &text,
                           &dropout, subset));
    UN_TRY(visual_losses(m, losses));
    if (with_text && b->masked) UN_TRY(text_losses(m, losses));
    m->training.step_flops += count_flops(m);
    m->base.params.unfinished = !last;
    return un_duet_backward(&m->training.pass, m->training.dvis.data,
                            m->training.pass.lang ? m->training.dlang.data : NULL);
}

un_status un_duet_step(un_method *method, size_t epoch, size_t step, double *losses) {
    duet_method *m = (duet_method *)method;
    memset(m->base.params.grad, 0, m->base.params.trained * sizeof(float));
    memset(losses, 0, DUET_TERMS * sizeof *losses);
    m->training.step_flops = 0;
    m->scoring.ready = 0; /* the parameters are about to change */
    for (size_t k = 0; step == 0 && epoch > 0 && k < m->training.leftover; k++)
        UN_TRY(mini_batch(m, epoch - 1, m->training.steps * m->settings.accumulate + k, 0, losses));
    for (size_t k = 0; k < m->settings.accumulate; k++)
        UN_TRY(mini_batch(m, epoch, step * m->settings.accumulate + k,
                          k + 1 == m->settings.accumulate, losses));
    /* The losses of texts, which each rank has its own of; those of pictures are whole. */
    double texts[] = {losses[DUET_TERM_WORDS], losses[DUET_TERM_ATTRIBUTES]};
    UN_TRY(un_shared_sum(m->training.part.ranks, texts, sizeof texts / sizeof *texts));
    losses[DUET_TERM_WORDS] = texts[0];
    losses[DUET_TERM_ATTRIBUTES] = texts[1];
    return UNSEEN_OK;
}
