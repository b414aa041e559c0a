/* step.c - a training step: mini-batches forward, their losses, and back; see duet.h. */
#include <math.h>
#include <string.h>

#include "method/duet/augment.h"
#include "method/duet/duet.h"
#include "tensor/kernels.h"

/* Room for `count` floats that is kept from step to step. */
static un_status room_for(size_t count, size_t *room, un_arena *arena, float **out) {
    if (count <= *room) return UNSEEN_OK;
    un_arena_free(arena);
    *room = 0;
    UN_TRY(un_arena_alloc(arena, count, sizeof **out, out));
    *room = count;
    return UNSEEN_OK;
}

/* Multiply-adds of a forward pass, two operations each; backward is twice that. */
static double count_flops(const duet_method *m) {
    const duet_network_config *c = &m->network.config;
    const duet_batch *b = &m->batch;
    double H = (double)c->text.width, I = (double)c->text.inner;
    double row = 2 * (4 * H * H + 2 * H * I), text = (double)b->start[b->texts];
    double vision = (double)(b->pictures * m->network.image->tokens);
    double flops = (double)b->pictures * m->network.image->flops;
    if (!c->with_text) return 3 * (flops + vision * row);
    double language = b->texts == 1 && b->pictures > 1 && c->xlayers == 1 ? 0 : text;
    double cross = (row + 2 * 4 * H * H) * (double)c->xlayers;
    flops += text * row * (double)c->text.layers + cross * (vision + language);
    flops += 2 * (double)b->words * H * (H + (double)c->text.vocabulary);
    return 3 * flops;
}

static un_status gather(duet_method *m) {
    const duet_batch *b = &m->batch;
    size_t n = b->pictures, H = m->network.config.text.width;
    size_t vis = n * m->network.image->tokens * H, lang = b->start[b->texts] * H;
    UN_TRY(room_for(n * m->R * m->F, &m->features_room, &m->features_arena, &m->features));
    UN_TRY(room_for(vis, &m->dvis_room, &m->dvis_arena, &m->dvis));
    UN_TRY(room_for(lang, &m->dlang_room, &m->dlang_arena, &m->dlang));
    memset(m->dvis, 0, vis * sizeof *m->dvis);
    if (b->masked && lang > 0) memset(m->dlang, 0, lang * sizeof *m->dlang);
    un_features_gather_f32(m->data->features, b->image, n, m->features);
    return UNSEEN_OK;
}

/* What the image side is shown: the pictures as they are, or changed at random. */
static un_status show(duet_method *m, size_t epoch, size_t index, const float **features) {
    size_t n = m->batch.pictures, side = (size_t)llround(sqrt((double)m->R));
    *features = m->features;
    if (!m->augment || m->network.image->place == 0 || m->network.image->from_states)
        return UNSEEN_OK;
    UN_TRY(room_for(n * m->R * m->F, &m->changed_room, &m->changed_arena, &m->changed));
    duet_augment(m->seed, epoch, index, m->features, n, side, m->changed);
    *features = m->changed;
    return UNSEEN_OK;
}

static un_status visual_losses(duet_method *m, double *losses) {
    static const duet_term terms[] = {DUET_TERM_CLASS, DUET_TERM_MSE, DUET_TERM_CALIBRATION,
                                      DUET_TERM_CLASSES};
    const duet_batch *b = &m->batch;
    double scale = 1 / (double)m->accumulate, loss[DUET_CLASS_TERMS + 1];
    const duet_loss_classes classes = {.count = m->trained.count,
                                       .attributes = m->A,
                                       .att = m->trained.att,
                                       .seen = m->trained.seen};
    const duet_visual_targets targets = {.classes = &classes,
                                         .label = b->label,
                                         .samples = b->samples,
                                         .partners = b->partners,
                                         .weight = {scale * m->weight[DUET_TERM_CLASS],
                                                    scale * m->weight[DUET_TERM_MSE],
                                                    scale * m->weight[DUET_TERM_CALIBRATION]},
                                         .contrast = scale * m->weight[DUET_TERM_CLASSES],
                                         .temperature = m->temperature,
                                         .published = m->reference};
    UN_TRY(duet_visual_losses(&m->network, &m->base.params, &targets, m->pass.vis, loss, m->dvis));
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) losses[terms[i]] += loss[i];
    return UNSEEN_OK;
}

static un_status text_losses(duet_method *m, double *losses) {
    const duet_batch *b = &m->batch;
    const duet_word_targets words = {b->words, b->word_row, b->word_label, b->word_weight};
    const duet_contrast_targets groups = {b->groups, UN_DUET_PAIRS, b->pair_begin, b->pair_row,
                                          b->group_weight};
    double loss = 0;
    UN_TRY(duet_word_loss(&m->mlm, &m->base.params, &words, m->pass.lang, &loss, m->dlang));
    losses[DUET_TERM_WORDS] += loss;
    UN_TRY(duet_contrast_loss(&m->network, &m->base.params, &groups, m->pass.lang, &loss, m->dlang,
                              NULL, NULL));
    losses[DUET_TERM_ATTRIBUTES] += loss;
    return UNSEEN_OK;
}

static un_status mini_batch(duet_method *m, size_t epoch, size_t index, double *losses) {
    const duet_batch *b = &m->batch;
    int with_text = m->network.config.with_text;
    UN_TRY(duet_batch_make(m, epoch, index));
    UN_TRY(gather(m));
    const duet_text_batch text = {.sequences = {b->texts, b->start},
                                  .ids = b->ids,
                                  .key_mask = b->padded ? b->key_mask : NULL};
    const un_dropout_source dropout = {.hidden = m->dropout,
                                       .attention = m->dropout,
                                       .path = m->drop_path,
                                       .seed = m->seed,
                                       .draw = (uint64_t)epoch << 32 | (uint64_t)index};
    const float *features = NULL;
    UN_TRY(show(m, epoch, index, &features));
    UN_TRY(duet_forward(&m->pass, &m->base.params, features, b->pictures, &text, &dropout));
    UN_TRY(visual_losses(m, losses));
    if (with_text && b->masked) UN_TRY(text_losses(m, losses));
    m->step_flops += count_flops(m);
    return duet_backward(&m->pass, m->dvis, with_text && b->masked ? m->dlang : NULL);
}

un_status duet_step(un_method *method, size_t epoch, size_t step, double *losses) {
    duet_method *m = (duet_method *)method;
    memset(m->base.params.grad, 0, m->base.params.trained * sizeof(float));
    memset(losses, 0, DUET_TERMS * sizeof *losses);
    m->step_flops = 0;
    m->ready = 0; /* the parameters are about to change */
    for (size_t k = 0; k < m->accumulate; k++)
        UN_TRY(mini_batch(m, epoch, step * m->accumulate + k, losses));
    return UNSEEN_OK;
}
