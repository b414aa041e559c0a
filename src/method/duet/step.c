/* step.c - a training step: mini-batches forward, their losses, and back; see duet.h. */
#include <math.h>
#include <string.h>

#include "method/duet/duet.h"
#include "method/duet/image.h"
#include "tensor/kernels.h"

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
    double wanted[DUET_SIDES];
    vision *= (double)m->network.image->tokens;
    for (size_t s = 0; s < DUET_SIDES; s++)
        wanted[s] = (double)un_sequence_rows(&b->wanted[s].sequences) * (2 * square + 4 * H * I);
    if (!c->with_text) return 3 * (flops + vision * 2 * square + wanted[DUET_VISION]);
    flops += text * row * (double)c->text.layers;
    flops += (row + 4 * square) * (double)(c->xlayers - 1) * (vision + text);
    for (size_t s = 0; s < DUET_SIDES; s++) {
        const duet_xlayer_side *side = &m->training.pass.xlayer[c->xlayers - 1].side[s];
        /* cross: query and output, key and value; itself: key and value; the wanted rows */
        flops += (double)side->queries * 4 * square + (double)side->keys * 2 * square + wanted[s];
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
    UN_TRY(room_for(&m->training.dlang, lang));
    for (size_t s = 0; s < DUET_SIDES; s++)
        read[s] = un_sequence_rows(&b->wanted[s].sequences) * H * sizeof(float);
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

/* What the image side is shown: the pictures as they are, or changed at random. What is frozen
 * sees them as they are, so that its states can be computed once. */
static un_status show(duet_method *m, size_t epoch, size_t index, const float **features) {
    const duet_image *image = m->network.image;
    size_t n = m->training.batch.pictures, side = (size_t)llround(sqrt((double)m->R));
    *features = m->training.features.data;
    if (!m->settings.augment || !image->pixels || image->frozen_count > 0) return UNSEEN_OK;
    UN_TRY(room_for(&m->training.changed, n * m->R * m->F));
    un_duet_augment(m->settings.seed, epoch, index, m->training.features.data, n, side,
                    m->training.changed.data);
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
        .classes = &classes,
        .label = b->label,
        .samples = b->samples,
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

static un_status mini_batch(duet_method *m, size_t epoch, size_t index, double *losses) {
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
    const un_wanted *const wanted[DUET_SIDES] = {&b->wanted[DUET_LANGUAGE],
                                                 &b->wanted[DUET_VISION]};
    const float *features = NULL;
    UN_TRY(show(m, epoch, index, &features));
    UN_TRY(un_duet_forward(&m->training.pass, &m->base.params, features, b->pictures, &text,
                           &dropout, wanted));
    UN_TRY(visual_losses(m, losses));
    if (with_text && b->masked) UN_TRY(text_losses(m, losses));
    m->training.step_flops += count_flops(m);
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
        UN_TRY(mini_batch(m, epoch - 1, m->training.steps * m->settings.accumulate + k, losses));
    for (size_t k = 0; k < m->settings.accumulate; k++)
        UN_TRY(mini_batch(m, epoch, step * m->settings.accumulate + k, losses));
    return UNSEEN_OK;
}
