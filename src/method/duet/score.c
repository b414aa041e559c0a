/*
 * score.c - classes and scores of DUET; see duet.h.
 *
 * At prediction every picture stands beside the fixed prompt. With one cross-modal
 * layer the prompt's states, keys and values are constants: set_classes computes
 * them once. With more layers the prompt's states depend on the picture.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "method/duet/duet.h"
#include "tensor/kernels.h"

enum { SCORE_REGION_PICTURES = 32, SCORE_PIXEL_PICTURES = 8 };

static size_t score_pictures(const duet_method *m) {
    return m->network.image->pixels ? SCORE_PIXEL_PICTURES : SCORE_REGION_PICTURES;
}

/* Unit rows of the regressed semantics side by side, the whole row again of length 1, in fresh
 * memory: *out changes only if all went well. */
un_status un_duet_make_classes(const duet_method *m, duet_classes *out,
                               const un_class_table *classes) {
    if (classes->count == 0) return un_fail(UNSEEN_E_ARGUMENT, "there are no classes to score");
    size_t needed = 0;
    for (size_t i = 0; i < m->regressed.semantics_count; i++)
        if (m->regressed.selected[i]) needed = i + 1;
    if (classes->semantics_count < needed)
        return un_fail(UNSEEN_E_ARGUMENT, "DUET was trained with %zu semantics, not %zu", needed,
                       classes->semantics_count);
    for (size_t i = 0; i < needed; i++)
        if (m->regressed.selected[i] && classes->semantics[i].width != m->regressed.width[i])
            return un_fail(UNSEEN_E_ARGUMENT, "DUET needs semantics of %zu values; \"%s\" has %zu",
                           m->regressed.width[i], classes->semantics[i].name,
                           classes->semantics[i].width);
    duet_classes fresh = {.count = classes->count};
    un_status status = UNSEEN_OK;
    UN_GO(un_arena_alloc(&fresh.arena, fresh.count * m->regressed.A, sizeof(float), &fresh.att));
    UN_GO(un_arena_alloc(&fresh.arena, fresh.count, 1, &fresh.seen));
    memcpy(fresh.seen, classes->seen, fresh.count);
    for (size_t i = 0, at = 0; i < needed; i++) {
        if (!m->regressed.selected[i]) continue;
        for (size_t c = 0; c < fresh.count; c++) {
            float *row = fresh.att + c * m->regressed.A + at;
            memcpy(row, classes->semantics[i].values + c * m->regressed.width[i],
                   m->regressed.width[i] * sizeof *row);
            un_normalize_rows(row, 1, m->regressed.width[i], 1e-12f, NULL);
        }
        at += m->regressed.width[i];
    }
    un_normalize_rows(fresh.att, fresh.count, m->regressed.A, 1e-12f, NULL);
    un_arena_free(&out->arena);
    *out = fresh;
done:
    if (status) un_arena_free(&fresh.arena);
    return status;
}

static int folds(const duet_method *m) {
    return m->network.config.with_text && m->network.config.xlayers == 1;
}

/* The prompt through the text encoder and into the cross-modal layer's keys and values. */
static un_status fold_prompt(duet_method *m) {
    size_t start[2];
    const duet_text_batch text = un_duet_prompt_batch(m, start);
    const un_bert_batch batch = {.sequences = text.sequences, .ids = text.ids};
    UN_TRY(un_bert_forward(&m->scoring.pass.bert, &m->base.params, &batch, NULL,
                           &m->scoring.pass.text_states));
    return un_duet_xlayer_fix_language(&m->scoring.pass.xlayer[0], &m->base.params,
                                       m->scoring.pass.text_states, m->spec.prompt_length, NULL);
}

un_status un_duet_set_classes(un_method *method, const un_class_table *classes) {
    duet_method *m = (duet_method *)method;
    m->scoring.ready = 0; /* score() refuses until all is whole */
    un_duet_attention_reset(m);
    UN_TRY(un_duet_make_classes(m, &m->scoring.classes, classes));
    if (!m->scoring.pass.network) UN_TRY(un_duet_pass_create(&m->scoring.pass, &m->network, 0));
    if (folds(m)) UN_TRY(fold_prompt(m));
    m->scoring.ready = 1;
    return UNSEEN_OK;
}

/* The visual states of the subset (W, H) of pictures beside the prompt; n is at most
 * score_pictures(). */
static un_status forward_beside_prompt(duet_method *m, const float *features, size_t n,
                                       const un_query_subset *const subset[DUET_SIDES],
                                       const float **vis) {
    duet_pass *p = &m->scoring.pass;
    const duet_image *image = m->network.image;
    if (!m->scoring.ready) return un_fail(UNSEEN_E_ARGUMENT, "no classes were set before scoring");
    if (!folds(m)) {
        size_t start[2];
        const duet_text_batch text = un_duet_prompt_batch(m, start);
        UN_TRY(un_duet_forward(p, &m->base.params, features, n, &text, NULL, subset));
        *vis = p->vis;
        return UNSEEN_OK;
    }
    un_arena_free(&p->lists);
    UN_TRY(un_sequences_equal(&p->lists, n, image->tokens, &p->vision));
    UN_TRY(image->class->forward(p->image, &m->base.params, features, n, NULL, &p->visual_tokens));
    UN_TRY(un_duet_xlayer_forward_vision(&p->xlayer[0], p->visual_tokens, &p->vision,
                                         subset[DUET_VISION]));
    *vis = p->xlayer[0].side[DUET_VISION].out;
    return UNSEEN_OK;
}

/* g (n, A) of up to score_pictures() pictures. */
static un_status attribute_scores(duet_method *m, const float *features, size_t n, float *g) {
    const float *first = NULL;
    un_arena lists = {0};
    un_query_subset none, rows;
    const un_query_subset *const subset[DUET_SIDES] = {&none, &rows};
    un_status status = UNSEEN_OK;
    UN_GO(un_duet_first_rows(&m->network, 0, n, &lists, &none));
    UN_GO(un_duet_first_rows(&m->network, n, n, &lists, &rows));
    UN_GO(forward_beside_prompt(m, features, n, subset, &first));
    UN_GO(un_duet_attributes_forward(&m->network, &m->base.params, first, n, g));
done:
    un_arena_free(&lists);
    return status;
}

/* softmax(g att^T) of one picture. */
static void class_probabilities(const duet_method *m, const float *g, float *scores) {
    const duet_classes *c = &m->scoring.classes;
    for (size_t k = 0; k < c->count; k++)
        scores[k] = (float)un_dot(g, c->att + k * m->regressed.A, m->regressed.A);
    un_softmax_rows(scores, 1, c->count, c->count);
}

un_status un_duet_score(un_method *method, const float *features, size_t n, float *scores) {
    duet_method *m = (duet_method *)method;
    size_t most = score_pictures(m), C = m->scoring.classes.count;
    float *g = NULL;
    UN_TRY(un_alloc(most * m->regressed.A, sizeof *g, &g));
    un_status status = UNSEEN_OK;
    for (size_t at = 0; at < n; at += most) {
        size_t count = n - at < most ? n - at : most;
        UN_GO(attribute_scores(m, features + at * m->R * m->F, count, g));
        for (size_t i = 0; i < count; i++)
            class_probabilities(m, g + i * m->regressed.A, scores + (at + i) * C);
    }
done:
    free(g);
    return status;
}

un_status un_duet_attributes(un_method *method, const float *features, float *out) {
    return attribute_scores((duet_method *)method, features, 1, out);
}

const float *un_duet_class_rows(const un_method *method) {
    return ((const duet_method *)method)->scoring.classes.att;
}
