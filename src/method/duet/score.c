/*
 * score.c - classes, scores and attention of DUET; see duet.h.
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
    return m->kept.vit.width > 0 ? SCORE_PIXEL_PICTURES : SCORE_REGION_PICTURES;
}

/* Unit rows of the regressed semantics side by side, the whole row again of length 1, in fresh
 * memory: *out changes only if all went well. */
un_status duet_take_classes(const duet_method *m, duet_classes *out,
                            const un_class_table *classes) {
    if (classes->count == 0) return un_fail(UNSEEN_E_ARGUMENT, "there are no classes to score");
    if (classes->modality_count < m->regressed)
        return un_fail(UNSEEN_E_ARGUMENT, "DUET was trained with %zu semantics, not %zu",
                       m->regressed, classes->modality_count);
    for (size_t i = 0; i < m->regressed; i++)
        if (classes->modality[i].width != m->width[i])
            return un_fail(UNSEEN_E_ARGUMENT, "DUET needs semantics of %zu values; \"%s\" has %zu",
                           m->width[i], classes->modality[i].name, classes->modality[i].width);
    duet_classes fresh = {.count = classes->count};
    un_status status = UNSEEN_OK;
    UN_GO(un_arena_alloc(&fresh.arena, fresh.count * m->A, sizeof(float), &fresh.att));
    UN_GO(un_arena_alloc(&fresh.arena, fresh.count, 1, &fresh.seen));
    memcpy(fresh.seen, classes->seen, fresh.count);
    for (size_t i = 0, at = 0; i < m->regressed; at += m->width[i++])
        for (size_t c = 0; c < fresh.count; c++) {
            float *row = fresh.att + c * m->A + at;
            memcpy(row, classes->modality[i].values + c * m->width[i], m->width[i] * sizeof *row);
            un_normalize_rows(row, 1, m->width[i], 1e-12f, NULL);
        }
    un_normalize_rows(fresh.att, fresh.count, m->A, 1e-12f, NULL);
    un_arena_free(&out->arena);
    *out = fresh;
done:
    if (status) un_arena_free(&fresh.arena);
    return status;
}

/* The prompt as a batch of one; `start` has two elements. */
static duet_text_batch prompt_batch(const duet_method *m, size_t start[2]) {
    start[0] = 0;
    start[1] = m->kept.prompt_length;
    return (duet_text_batch){.sequences = {1, start}, .ids = m->kept.prompt};
}

static int folds(const duet_method *m) {
    return m->network.config.with_text && m->network.config.xlayers == 1;
}

/* The prompt through the text encoder and into the cross-modal layer's keys and values. */
static un_status fold_prompt(duet_method *m) {
    size_t start[2];
    const duet_text_batch text = prompt_batch(m, start);
    const un_bert_batch batch = {.sequences = text.sequences, .ids = text.ids};
    UN_TRY(
        un_bert_forward(&m->scoring.bert, &m->base.params, &batch, NULL, &m->scoring.text_states));
    return duet_xlayer_fix_language(&m->scoring.xlayer[0], &m->base.params, m->scoring.text_states,
                                    m->kept.prompt_length, NULL);
}

un_status duet_set_classes(un_method *method, const un_class_table *classes) {
    duet_method *m = (duet_method *)method;
    m->ready = 0; /* score() refuses until all is whole */
    un_arena_free(&m->names_arena);
    m->names = NULL;
    UN_TRY(duet_take_classes(m, &m->scored, classes));
    if (!m->scoring.network) UN_TRY(duet_pass_create(&m->scoring, &m->network, 0));
    if (folds(m)) UN_TRY(fold_prompt(m));
    m->ready = 1;
    return UNSEEN_OK;
}

/* The wanted visual states (W, H) of pictures beside the prompt; n is at most score_pictures(). */
static un_status see(duet_method *m, const float *features, size_t n,
                     const un_wanted *const wanted[DUET_SIDES], const float **vis) {
    duet_pass *p = &m->scoring;
    const duet_image *image = m->network.image;
    if (!m->ready) return un_fail(UNSEEN_E_ARGUMENT, "no classes were set before scoring");
    if (!folds(m)) {
        size_t start[2];
        const duet_text_batch text = prompt_batch(m, start);
        UN_TRY(duet_forward(p, &m->base.params, features, n, &text, NULL, wanted));
        *vis = p->vis;
        return UNSEEN_OK;
    }
    un_arena_free(&p->lists);
    UN_TRY(un_sequences_equal(&p->lists, n, image->tokens, &p->vision));
    UN_TRY(image->class->forward(p->image, &m->base.params, features, n, &p->visual_tokens));
    UN_TRY(duet_xlayer_see(&p->xlayer[0], p->visual_tokens, &p->vision, wanted[DUET_VISION]));
    *vis = p->xlayer[0].side[DUET_VISION].out;
    return UNSEEN_OK;
}

/* g (n, A) of up to score_pictures() pictures. */
static un_status see_attributes(duet_method *m, const float *features, size_t n, float *g) {
    const float *first = NULL;
    un_arena lists = {0};
    un_wanted none, rows;
    const un_wanted *const wanted[DUET_SIDES] = {&none, &rows};
    un_status status = UNSEEN_OK;
    UN_GO(duet_first_rows(&m->network, 0, n, &lists, &none));
    UN_GO(duet_first_rows(&m->network, n, n, &lists, &rows));
    UN_GO(see(m, features, n, wanted, &first));
    UN_GO(duet_attributes_forward(&m->network, &m->base.params, first, n, g));
done:
    un_arena_free(&lists);
    return status;
}

/* softmax(g att^T) of one picture. */
static void class_probabilities(const duet_method *m, const float *g, float *scores) {
    const duet_classes *c = &m->scored;
    for (size_t k = 0; k < c->count; k++) scores[k] = (float)un_dot(g, c->att + k * m->A, m->A);
    un_softmax_rows(scores, 1, c->count, c->count);
}

un_status duet_score(un_method *method, const float *features, size_t n, float *scores) {
    duet_method *m = (duet_method *)method;
    size_t most = score_pictures(m), C = m->scored.count;
    float *g = NULL;
    UN_TRY(un_alloc(most * m->A, sizeof *g, &g));
    un_status status = UNSEEN_OK;
    for (size_t at = 0; at < n; at += most) {
        size_t count = n - at < most ? n - at : most;
        UN_GO(see_attributes(m, features + at * m->R * m->F, count, g));
        for (size_t i = 0; i < count; i++)
            class_probabilities(m, g + i * m->A, scores + (at + i) * C);
    }
done:
    free(g);
    return status;
}

un_status duet_attributes(un_method *method, const float *features, float *out) {
    return see_attributes((duet_method *)method, features, 1, out);
}

const float *duet_class_rows(const un_method *method) {
    return ((const duet_method *)method)->scored.att;
}

/* ---- attention ---- */

/* States of the attributes' names, (pieces, H): each name stands alone in its group of the
 * otherwise empty prompt. */
static un_status make_names(duet_method *m) {
    const duet_kept *k = &m->kept;
    size_t H = m->network.config.text.width, A = k->text_count, P = k->prompt_length;
    int64_t *ids = NULL;
    if (m->names) return UNSEEN_OK;
    un_arena work = {0};
    un_status status = UNSEEN_OK;
    UN_GO(un_arena_alloc(&m->names_arena, k->name_begin[A] * H, sizeof(float), &m->names));
    UN_GO(un_arena_alloc(&work, P + k->name_begin[A], sizeof *ids, &ids));
    for (size_t a = 0; a < A; a++) {
        /* Behind the group's name and its colon. */
        size_t at = k->group[k->group_of[a]][1] + 1, first = k->name_begin[a];
        size_t pieces = k->name_begin[a + 1] - first;
        if (at > P - 1) at = P - 1;
        size_t length = P + pieces;
        if (length > k->text.positions) { /* no room: the group stands for it */
            length = P;
            pieces = 0;
        }
        memcpy(ids, k->prompt, at * sizeof *ids);
        memcpy(ids + at, k->names + first, pieces * sizeof *ids);
        memcpy(ids + at + pieces, k->prompt + at, (P - at) * sizeof *ids);
        const size_t start[2] = {0, length};
        const un_bert_batch batch = {.sequences = {1, start}, .ids = ids};
        const float *states = NULL;
        UN_GO(un_bert_forward(&m->scoring.bert, &m->base.params, &batch, NULL, &states));
        for (size_t i = 0; i < k->name_begin[a + 1] - first; i++)
            memcpy(m->names + (first + i) * H,
                   states + (pieces > 0 ? at + i : k->group[k->group_of[a]][0]) * H,
                   H * sizeof *states);
    }
done:
    un_arena_free(&work);
    if (status) {
        un_arena_free(&m->names_arena);
        m->names = NULL;
    }
    return status;
}

typedef struct {
    const float *q, *k; /* (rows, H), (T, H) of the cross attention */
    size_t H, heads, tokens, leading;
    double *p;   /* [T] */
    double *map; /* [T - leading] */
} gaze;

/* Adds what one language state sees, averaged over heads, to the map. */
static void look(const gaze *g, size_t row) {
    size_t d = g->H / g->heads;
    for (size_t h = 0; h < g->heads; h++) {
        double largest = -INFINITY, total = 0;
        for (size_t t = 0; t < g->tokens; t++) {
            double sum = 0;
            for (size_t i = h * d; i < (h + 1) * d; i++)
                sum += (double)g->q[row * g->H + i] * (double)g->k[t * g->H + i];
            g->p[t] = sum / sqrt((double)d);
            largest = fmax(largest, g->p[t]);
        }
        for (size_t t = 0; t < g->tokens; t++) total += g->p[t] = exp(g->p[t] - largest);
        for (size_t t = g->leading; t < g->tokens; t++) g->map[t - g->leading] += g->p[t] / total;
    }
}

/* The mean over rows begin..end-1 as a distribution over the R regions of the store. */
static void draw_map(const duet_method *m, const gaze *g, size_t begin, size_t end, float *map) {
    size_t places = g->tokens - g->leading;
    double total = 0;
    memset(g->map, 0, places * sizeof *g->map);
    for (size_t row = begin; row < end; row++) look(g, row);
    if (places == m->R) {
        for (size_t r = 0; r < m->R; r++) total += g->map[r];
        for (size_t r = 0; r < m->R; r++) map[r] = (float)(g->map[r] / total);
        return;
    }
    /* Patches of pixels: each pixel has its patch's share. */
    size_t side = (size_t)llround(sqrt((double)m->R)), grid = (size_t)llround(sqrt((double)places));
    for (size_t r = 0; r < m->R; r++) {
        size_t y = r / side * grid / side, x = r % side * grid / side;
        map[r] = (float)g->map[y * grid + x];
        total += g->map[y * grid + x];
    }
    for (size_t r = 0; r < m->R; r++) map[r] = (float)((double)map[r] / total);
}

/* Both branches from the visual tokens of one picture. */
static un_status draw_maps(duet_method *m, const float *tokens, float *maps) {
    const duet_kept *k = &m->kept;
    const un_attention_layer *cross = &m->network.xlayer[0].cross;
    size_t H = cross->width, T = m->network.image->tokens, P = k->prompt_length;
    size_t pieces = k->name_begin[k->text_count];
    float *work = NULL;
    double *sums = NULL;
    un_status status = un_alloc((T + P + pieces) * H, sizeof *work, &work);
    if (!status) status = un_alloc(2 * T, sizeof *sums, &sums);
    if (status) {
        free(work);
        return status;
    }
    float *keys = work, *prompt = keys + T * H, *names = prompt + P * H;
    UN_GO(un_dense_forward(&cross->key, &m->base.params, UN_F32, tokens, T, UN_DENSE_PLAIN, keys, 0,
                           UN_F32));
    UN_GO(un_dense_forward(&cross->query, &m->base.params, UN_F32, m->scoring.text_states, P,
                           UN_DENSE_PLAIN, prompt, 0, UN_F32));
    UN_GO(un_dense_forward(&cross->query, &m->base.params, UN_F32, m->names, pieces, UN_DENSE_PLAIN,
                           names, 0, UN_F32));
    gaze g = {.k = keys,
              .H = H,
              .heads = cross->heads,
              .tokens = T,
              .leading = m->network.image->leading,
              .p = sums,
              .map = sums + T};
    for (size_t a = 0; a < k->text_count; a++) {
        const size_t *group = k->group[k->group_of[a]];
        g.q = prompt;
        draw_map(m, &g, group[0], group[1], maps + a * m->R);
        g.q = names;
        draw_map(m, &g, k->name_begin[a], k->name_begin[a + 1], maps + (k->text_count + a) * m->R);
    }
done:
    free(sums);
    free(work);
    return status;
}

/*
 * What the words of the text see in the picture: the cross attention (the first
 * layer's, mean over heads) from language to vision, over regions without CLS,
 * scaled to sum 1. Branch 0: the words of the attribute's group in the fixed prompt,
 * so attributes of a group share a map. Branch 1: the words of the attribute's name,
 * standing alone in its group.
 */
un_status duet_attention(un_method *method, const float *features, float *maps) {
    duet_method *m = (duet_method *)method;
    const float *tokens = NULL;
    if (!m->ready) return un_fail(UNSEEN_E_ARGUMENT, "no classes were set before looking");
    if (!m->network.config.with_text || m->network.image->tokens == 1)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "this DUET model has no attention over regions: it was trained %s",
                       m->network.config.with_text ? "with visual_tokens=logit" : "without text");
    if (m->kept.text_count != m->A)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "this DUET model's texts tell of other attributes than its scores");
    const duet_image *image = m->network.image;
    size_t start[2];
    const duet_text_batch text = prompt_batch(m, start);
    const un_bert_batch batch = {.sequences = text.sequences, .ids = text.ids};
    UN_TRY(make_names(m));
    UN_TRY(
        un_bert_forward(&m->scoring.bert, &m->base.params, &batch, NULL, &m->scoring.text_states));
    UN_TRY(image->class->forward(m->scoring.image, &m->base.params, features, 1, &tokens));
    return draw_maps(m, tokens, maps);
}
