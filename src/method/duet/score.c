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
un_status un_duet_take_classes(const duet_method *m, duet_classes *out,
                               const un_class_table *classes) {
    if (classes->count == 0) return un_fail(UNSEEN_E_ARGUMENT, "there are no classes to score");
    size_t needed = 0;
    for (size_t i = 0; i < m->regressed.modality_count; i++)
        if (m->regressed.chosen[i]) needed = i + 1;
    if (classes->modality_count < needed)
        return un_fail(UNSEEN_E_ARGUMENT, "DUET was trained with %zu semantics, not %zu", needed,
                       classes->modality_count);
    for (size_t i = 0; i < needed; i++)
        if (m->regressed.chosen[i] && classes->modality[i].width != m->regressed.width[i])
            return un_fail(UNSEEN_E_ARGUMENT, "DUET needs semantics of %zu values; \"%s\" has %zu",
                           m->regressed.width[i], classes->modality[i].name,
                           classes->modality[i].width);
    duet_classes fresh = {.count = classes->count};
    un_status status = UNSEEN_OK;
    UN_GO(un_arena_alloc(&fresh.arena, fresh.count * m->regressed.A, sizeof(float), &fresh.att));
    UN_GO(un_arena_alloc(&fresh.arena, fresh.count, 1, &fresh.seen));
    memcpy(fresh.seen, classes->seen, fresh.count);
    for (size_t i = 0, at = 0; i < needed; i++) {
        if (!m->regressed.chosen[i]) continue;
        for (size_t c = 0; c < fresh.count; c++) {
            float *row = fresh.att + c * m->regressed.A + at;
            memcpy(row, classes->modality[i].values + c * m->regressed.width[i],
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

duet_text_batch un_duet_prompt_batch(const duet_method *m, size_t start[2]) {
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
    const duet_text_batch text = un_duet_prompt_batch(m, start);
    const un_bert_batch batch = {.sequences = text.sequences, .ids = text.ids};
    UN_TRY(un_bert_forward(&m->scoring.pass.bert, &m->base.params, &batch, NULL,
                           &m->scoring.pass.text_states));
    return un_duet_xlayer_fix_language(&m->scoring.pass.xlayer[0], &m->base.params,
                                       m->scoring.pass.text_states, m->kept.prompt_length, NULL);
}

un_status un_duet_set_classes(un_method *method, const un_class_table *classes) {
    duet_method *m = (duet_method *)method;
    m->scoring.ready = 0; /* score() refuses until all is whole */
    un_duet_attention_forget(m);
    UN_TRY(un_duet_take_classes(m, &m->scoring.classes, classes));
    if (!m->scoring.pass.network) UN_TRY(un_duet_pass_create(&m->scoring.pass, &m->network, 0));
    if (folds(m)) UN_TRY(fold_prompt(m));
    m->scoring.ready = 1;
    return UNSEEN_OK;
}

/* The wanted visual states (W, H) of pictures beside the prompt; n is at most score_pictures(). */
static un_status see(duet_method *m, const float *features, size_t n,
                     const un_wanted *const wanted[DUET_SIDES], const float **vis) {
    duet_pass *p = &m->scoring.pass;
    const duet_image *image = m->network.image;
    if (!m->scoring.ready) return un_fail(UNSEEN_E_ARGUMENT, "no classes were set before scoring");
    if (!folds(m)) {
        size_t start[2];
        const duet_text_batch text = un_duet_prompt_batch(m, start);
        UN_TRY(un_duet_forward(p, &m->base.params, features, n, &text, NULL, wanted));
        *vis = p->vis;
        return UNSEEN_OK;
    }
    un_arena_free(&p->lists);
    UN_TRY(un_sequences_equal(&p->lists, n, image->tokens, &p->vision));
    UN_TRY(image->class->forward(p->image, &m->base.params, features, n, NULL, &p->visual_tokens));
    UN_TRY(un_duet_xlayer_see(&p->xlayer[0], p->visual_tokens, &p->vision, wanted[DUET_VISION]));
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
    UN_GO(un_duet_first_rows(&m->network, 0, n, &lists, &none));
    UN_GO(un_duet_first_rows(&m->network, n, n, &lists, &rows));
    UN_GO(see(m, features, n, wanted, &first));
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
        UN_GO(see_attributes(m, features + at * m->R * m->F, count, g));
        for (size_t i = 0; i < count; i++)
            class_probabilities(m, g + i * m->regressed.A, scores + (at + i) * C);
    }
done:
    free(g);
    return status;
}

un_status un_duet_attributes(un_method *method, const float *features, float *out) {
    return see_attributes((duet_method *)method, features, 1, out);
}

const float *un_duet_class_rows(const un_method *method) {
    return ((const duet_method *)method)->scoring.classes.att;
}

/* ---- where DUET looks, from the weights of its first cross-modal layer, in both
 * directions and before anything is mixed:
 *
 *   from words to the picture   what the words of an attribute see, over the regions without
 *                               CLS, the mean over heads and words, scaled to sum 1. Branch 0:
 *                               the attribute masked, as grounding trains it: its group with as
 *                               many [MASK] as its name has pieces, so that attributes of one
 *                               group and length share a map. Branch 1: its name in that place.
 *                               The other groups of the text are empty.
 *   from the picture to words   what the visual state that attributes are read from sees of the
 *                               fixed prompt, the mean over heads, added up over each group's
 *                               words.
 *
 * What the words ask does not depend on the picture: it is made once for the classes set. ---- */

const char *const un_duet_attention_titles[] = {"attribute masked", "attribute named"};

void un_duet_attention_forget(duet_method *m) {
    un_arena_free(&m->scoring.attention_arena);
    m->scoring.attention = (duet_attention_state){0};
}

/* ---- what the words ask ---- */

/* [MASK] of the model's vocabulary; older models do not say it. */
static un_status find_mask(duet_method *m) {
    if (m->kept.mask >= 0) return UNSEEN_OK;
    UN_TRY(un_duet_open_words(m));
    m->kept.mask = un_wordpiece_special(m->words.wordpiece, UN_TOKEN_MASK);
    return UNSEEN_OK;
}

/* The queries (pieces, H) of attribute a, alone in its group of the otherwise empty prompt, by its
 * name or masked. `ids` has room for prompt and name. */
static un_status ask(duet_method *m, size_t a, int masked, int64_t *ids, float *queries) {
    const duet_kept *k = &m->kept;
    const un_attention_layer *cross = &m->network.xlayer[0].cross;
    size_t H = cross->width, P = k->prompt_length, first = k->name_begin[a];
    size_t pieces = k->name_begin[a + 1] - first;
    size_t at = k->group[k->group_of[a]][1] + 1; /* behind the group's name and its colon */
    if (at > P - 1) at = P - 1;
    size_t length = P + pieces, row = at;
    if (length > k->text.positions) { /* no room: the group's name stands for it */
        length = P;
        row = k->group[k->group_of[a]][0];
    }
    memcpy(ids, k->prompt, at * sizeof *ids);
    for (size_t i = 0; i < length - P; i++) ids[at + i] = masked ? k->mask : k->names[first + i];
    memcpy(ids + at + (length - P), k->prompt + at, (P - at) * sizeof *ids);
    const size_t start[2] = {0, length};
    const un_bert_batch batch = {.sequences = {1, start}, .ids = ids};
    const float *states = NULL;
    UN_TRY(un_bert_forward(&m->scoring.pass.bert, &m->base.params, &batch, NULL, &states));
    if (length > P)
        return un_dense_forward(&cross->query, &m->base.params, UN_F32, states + row * H, pieces,
                                UN_DENSE_PLAIN, queries, 0, UN_F32);
    for (size_t i = 0; i < pieces; i++)
        UN_TRY(un_dense_forward(&cross->query, &m->base.params, UN_F32, states + row * H, 1,
                                UN_DENSE_PLAIN, queries + i * H, 0, UN_F32));
    return UNSEEN_OK;
}

/* The first attribute that is masked alike: of the same group and length. */
static size_t masked_alike(const duet_kept *k, size_t a) {
    size_t pieces = k->name_begin[a + 1] - k->name_begin[a], b = 0;
    while (k->group_of[b] != k->group_of[a] || k->name_begin[b + 1] - k->name_begin[b] != pieces)
        b++;
    return b;
}

static un_status prepare_gaze(duet_method *m) {
    const duet_kept *k = &m->kept;
    const un_attention_layer *cross = &m->network.xlayer[0].cross;
    size_t H = cross->width, P = k->prompt_length, pieces = k->name_begin[k->text_count];
    duet_attention_state *g = &m->scoring.attention;
    int64_t *ids = NULL;
    size_t start[2];
    const duet_text_batch text = un_duet_prompt_batch(m, start);
    const un_bert_batch batch = {.sequences = text.sequences, .ids = text.ids};
    const float *states = NULL;
    un_status status = UNSEEN_OK;
    if (g->ready) return UNSEEN_OK;
    UN_TRY(find_mask(m));
    UN_GO(un_arena_alloc(&m->scoring.attention_arena, P + pieces, sizeof *ids, &ids));
    for (int b = 0; b < DUET_ATTENTION_BRANCHES; b++) {
        UN_GO(
            un_arena_alloc(&m->scoring.attention_arena, pieces * H, sizeof(float), &g->queries[b]));
        for (size_t a = 0; a < k->text_count; a++) {
            size_t same = b == 0 ? masked_alike(k, a) : a;
            float *own = g->queries[b] + k->name_begin[a] * H;
            if (same == a)
                UN_GO(ask(m, a, b == 0, ids, own));
            else
                memcpy(own, g->queries[b] + k->name_begin[same] * H,
                       (k->name_begin[a + 1] - k->name_begin[a]) * H * sizeof *own);
        }
    }
    UN_GO(un_arena_alloc(&m->scoring.attention_arena, P * H, sizeof(float), &g->prompt_keys));
    UN_GO(
        un_arena_alloc(&m->scoring.attention_arena, 2 * k->group_count, sizeof(float), &g->share));
    UN_GO(un_bert_forward(&m->scoring.pass.bert, &m->base.params, &batch, NULL, &states));
    UN_GO(un_dense_forward(&cross->key, &m->base.params, UN_F32, states, P, UN_DENSE_PLAIN,
                           g->prompt_keys, 0, UN_F32));
    g->ready = 1;
done:
    if (status) un_duet_attention_forget(m);
    return status;
}

/* ---- from here to there ---- */

/* Adds the attention of one query (H) over n keys (n, H), the mean over heads, to sum[n]; p[n] is
 * work space. */
static void look(const un_attention_layer *cross, const float *query, const float *keys, size_t n,
                 double *p, double *sum) {
    size_t H = cross->width, heads = cross->heads, d = H / heads;
    for (size_t h = 0; h < heads; h++) {
        double largest = -INFINITY, total = 0;
        for (size_t t = 0; t < n; t++) {
            double product = 0;
            for (size_t i = h * d; i < (h + 1) * d; i++)
                product += (double)query[i] * (double)keys[t * H + i];
            p[t] = product / sqrt((double)d);
            largest = fmax(largest, p[t]);
        }
        for (size_t t = 0; t < n; t++) total += p[t] = exp(p[t] - largest);
        for (size_t t = 0; t < n; t++) sum[t] += p[t] / (total * (double)heads);
    }
}

/* Room for looking at n things: two rows of doubles behind f floats a thing. */
static un_status work_space(size_t n, size_t floats, double **sums, float **rows) {
    UN_TRY(un_alloc(2 * n, sizeof **sums, sums));
    un_status status = un_alloc(n * floats, sizeof **rows, rows);
    if (status) free(*sums);
    return status;
}

static un_status check(const duet_method *m) {
    if (!m->scoring.ready) return un_fail(UNSEEN_E_ARGUMENT, "no classes were set before looking");
    if (!m->network.config.with_text)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "this DUET model has no attention: it was trained without text");
    return UNSEEN_OK;
}

/* The visual tokens (T, H) of one picture. */
static un_status visual_tokens(duet_method *m, const float *features, const float **tokens) {
    const duet_image *image = m->network.image;
    return image->class->forward(m->scoring.pass.image, &m->base.params, features, 1, NULL, tokens);
}

/* All maps of a branch; attributes that are masked alike have the map of the first of them. */
static void draw_maps(const duet_method *m, int branch, const float *keys, double *sums,
                      float *maps) {
    const duet_kept *k = &m->kept;
    const un_attention_layer *cross = &m->network.xlayer[0].cross;
    size_t H = cross->width, T = m->network.image->tokens, leading = m->network.image->leading;
    size_t places = T - leading;
    for (size_t a = 0; a < k->text_count; a++) {
        size_t same = branch == 0 ? masked_alike(k, a) : a;
        float *map = maps + a * places;
        double total = 0;
        if (same < a) {
            memcpy(map, maps + same * places, places * sizeof *map);
            continue;
        }
        memset(sums, 0, T * sizeof *sums);
        for (size_t i = k->name_begin[a]; i < k->name_begin[a + 1]; i++)
            look(cross, m->scoring.attention.queries[branch] + i * H, keys, T, sums + T, sums);
        for (size_t r = leading; r < T; r++) total += sums[r];
        /* An attribute without words, or one that sees CLS alone, prefers no place. */
        for (size_t r = leading; r < T; r++)
            map[r - leading] = (float)(total > 0 ? sums[r] / total : 1 / (double)places);
    }
}

un_status un_duet_attention(un_method *method, const float *features, float *maps) {
    duet_method *m = (duet_method *)method;
    const duet_image *image = m->network.image;
    const un_attention_layer *cross = &m->network.xlayer[0].cross;
    size_t T = image->tokens;
    const float *tokens = NULL;
    double *sums = NULL;
    float *keys = NULL;
    UN_TRY(check(m));
    if (T == image->leading || T == 1)
        return un_fail(UNSEEN_E_UNSUPPORTED, "this DUET model has no attention over regions: it "
                                             "was trained with visual_tokens=logit");
    if (!m->regressed.own_texts || m->kept.text_count != m->regressed.A)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "this DUET model's texts tell of other attributes than its scores");
    UN_TRY(prepare_gaze(m));
    UN_TRY(visual_tokens(m, features, &tokens));
    UN_TRY(work_space(T, cross->width, &sums, &keys));
    un_status status = un_dense_forward(&cross->key, &m->base.params, UN_F32, tokens, T,
                                        UN_DENSE_PLAIN, keys, 0, UN_F32);
    for (int b = 0; b < DUET_ATTENTION_BRANCHES && !status; b++)
        draw_maps(m, b, keys, sums, maps + (size_t)b * m->regressed.A * (T - image->leading));
    free(sums);
    free(keys);
    return status;
}

void un_duet_attention_grid(const un_method *method, size_t *height, size_t *width) {
    const duet_method *m = (const duet_method *)method;
    const duet_image *image = m->network.image;
    size_t places = image->tokens - image->leading;
    if (places == m->R || image->tokens == 1) return; /* the regions of the store, or none */
    *height = *width = (size_t)llround(sqrt((double)places));
}

/* Whether each group has words of its own in the prompt. */
static int groups_are_apart(const duet_kept *k) {
    for (size_t g = 1; g < k->group_count; g++)
        if (k->group[g][0] < k->group[g - 1][1]) return 0;
    return k->group_count > 0;
}

un_status un_duet_group_attention(un_method *method, const float *features,
                                  un_group_attention *out) {
    duet_method *m = (duet_method *)method;
    const duet_kept *k = &m->kept;
    const un_attention_layer *cross = &m->network.xlayer[0].cross;
    size_t P = k->prompt_length;
    const float *tokens = NULL;
    double *sums = NULL;
    float *query = NULL;
    UN_TRY(check(m));
    if (!groups_are_apart(k))
        return un_fail(UNSEEN_E_UNSUPPORTED, "this DUET model's texts have no groups");
    UN_TRY(prepare_gaze(m));
    UN_TRY(visual_tokens(m, features, &tokens));
    UN_TRY(work_space(P, cross->width, &sums, &query));
    un_status status = un_dense_forward(&cross->query, &m->base.params, UN_F32, tokens, 1,
                                        UN_DENSE_PLAIN, query, 0, UN_F32);
    if (!status) look(cross, query, m->scoring.attention.prompt_keys, P, sums + P, sums);
    float *share = m->scoring.attention.share, *even = share + k->group_count;
    for (size_t g = 0; g < k->group_count && !status; g++) {
        double sum = 0;
        for (size_t i = k->group[g][0]; i < k->group[g][1]; i++) sum += sums[i];
        share[g] = (float)sum;
        even[g] = (float)(k->group[g][1] - k->group[g][0]) / (float)P;
    }
    free(sums);
    free(query);
    if (status) return status;
    *out = (un_group_attention){k->group_count, (const char *const *)m->words.groups.groups, share,
                                even};
    return UNSEEN_OK;
}
