/*
 * probe.c - what a trained DUET can show beside scores: attention maps of the attributes over a
 * picture, a picture's attention over groups of attributes, and masked-attribute prediction. See
 * duet.h.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "method/duet/duet.h"

/* ---- attention, from the weights of the first cross-modal layer, in both directions and
 * before anything is mixed:
 *
 *   from words to the picture   the words of an attribute are queries, the regions without CLS
 *                               keys; the mean over heads and words, scaled to sum 1. Branch 0:
 *                               the attribute masked, as grounding trains it: its group with as
 *                               many [MASK] as its name has pieces, so that attributes of one
 *                               group and length share a map. Branch 1: its name in that place.
 *                               The other groups of the text are empty.
 *   from the picture to words   the visual state that attributes are read from is the query, the
 *                               words of the fixed prompt are keys; the mean over heads, added
 *                               up over each group's words.
 *
 * Queries and keys of texts do not depend on the picture: they are computed once for the classes
 * set. ---- */

const char *const un_duet_attention_titles[] = {"attribute masked", "attribute named"};

void un_duet_attention_reset(duet_method *m) {
    un_arena_free(&m->scoring.attention_arena);
    m->scoring.attention = (duet_attention_state){0};
}

/* ---- queries and keys of texts ---- */

/* [MASK] of the model's vocabulary; older models do not say it. */
static un_status find_mask(duet_method *m) {
    if (m->spec.mask >= 0) return UNSEEN_OK;
    UN_TRY(un_duet_open_words(m));
    m->spec.mask = un_wordpiece_special(m->words.wordpiece, UN_TOKEN_MASK);
    return UNSEEN_OK;
}

/* The queries (pieces, H) of attribute a, alone in its group of the otherwise empty prompt, by its
 * name or masked. `ids` has room for prompt and name. */
static un_status attribute_queries(duet_method *m, size_t a, int masked, int64_t *ids,
                                   float *queries) {
    const duet_spec *spec = &m->spec;
    const un_attention_layer *cross = &m->network.xlayer[0].cross;
    size_t H = cross->width, P = spec->prompt_length, first = spec->name_begin[a];
    size_t pieces = spec->name_begin[a + 1] - first;
    size_t at = spec->group[spec->group_of[a]][1] + 1; /* behind the group's name and its colon */
    if (at > P - 1) at = P - 1;
    size_t length = P + pieces, row = at;
    if (length > spec->text.positions) { /* no room: the group's name stands for it */
        length = P;
        row = spec->group[spec->group_of[a]][0];
    }
    memcpy(ids, spec->prompt, at * sizeof *ids);
    for (size_t i = 0; i < length - P; i++)
        ids[at + i] = masked ? spec->mask : spec->names[first + i];
    memcpy(ids + at + (length - P), spec->prompt + at, (P - at) * sizeof *ids);
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
static size_t masked_alike(const duet_spec *spec, size_t a) {
    size_t pieces = spec->name_begin[a + 1] - spec->name_begin[a], b = 0;
    while (spec->group_of[b] != spec->group_of[a] ||
           spec->name_begin[b + 1] - spec->name_begin[b] != pieces)
        b++;
    return b;
}

static un_status prepare_attention(duet_method *m) {
    const duet_spec *spec = &m->spec;
    const un_attention_layer *cross = &m->network.xlayer[0].cross;
    size_t H = cross->width, P = spec->prompt_length, pieces = spec->name_begin[spec->text_count];
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
        for (size_t a = 0; a < spec->text_count; a++) {
            size_t same = b == 0 ? masked_alike(spec, a) : a;
            float *own = g->queries[b] + spec->name_begin[a] * H;
            if (same == a)
                UN_GO(attribute_queries(m, a, b == 0, ids, own));
            else
                memcpy(own, g->queries[b] + spec->name_begin[same] * H,
                       (spec->name_begin[a + 1] - spec->name_begin[a]) * H * sizeof *own);
        }
    }
    UN_GO(un_arena_alloc(&m->scoring.attention_arena, P * H, sizeof(float), &g->prompt_keys));
    UN_GO(un_arena_alloc(&m->scoring.attention_arena, 2 * spec->group_count, sizeof(float),
                         &g->share));
    UN_GO(un_bert_forward(&m->scoring.pass.bert, &m->base.params, &batch, NULL, &states));
    UN_GO(un_dense_forward(&cross->key, &m->base.params, UN_F32, states, P, UN_DENSE_PLAIN,
                           g->prompt_keys, 0, UN_F32));
    g->ready = 1;
done:
    if (status) un_duet_attention_reset(m);
    return status;
}

/* ---- attention of queries over keys ---- */

/* Adds the attention of one query (H) over n keys (n, H), the mean over heads, to sum[n]; p[n] is
 * work space. */
static void add_attention(const un_attention_layer *cross, const float *query, const float *keys,
                          size_t n, double *p, double *sum) {
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

/* Room for attention over n keys: two rows of doubles, and `floats` floats a key. */
static un_status work_space(size_t n, size_t floats, double **sums, float **rows) {
    UN_TRY(un_alloc(2 * n, sizeof **sums, sums));
    un_status status = un_alloc(n * floats, sizeof **rows, rows);
    if (status) free(*sums);
    return status;
}

static un_status check(const duet_method *m) {
    if (!m->scoring.ready)
        return un_fail(UNSEEN_E_ARGUMENT, "attention needs classes: none were set");
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
static void fill_maps(const duet_method *m, int branch, const float *keys, double *sums,
                      float *maps) {
    const duet_spec *spec = &m->spec;
    const un_attention_layer *cross = &m->network.xlayer[0].cross;
    size_t H = cross->width, T = m->network.image->tokens, leading = m->network.image->leading;
    size_t places = T - leading;
    for (size_t a = 0; a < spec->text_count; a++) {
        size_t same = branch == 0 ? masked_alike(spec, a) : a;
        float *map = maps + a * places;
        double total = 0;
        if (same < a) {
            memcpy(map, maps + same * places, places * sizeof *map);
            continue;
        }
        memset(sums, 0, T * sizeof *sums);
        for (size_t i = spec->name_begin[a]; i < spec->name_begin[a + 1]; i++)
            add_attention(cross, m->scoring.attention.queries[branch] + i * H, keys, T, sums + T,
                          sums);
        for (size_t r = leading; r < T; r++) total += sums[r];
        /* An attribute without words, or with all attention on CLS, prefers no place. */
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
    if (!m->regressed.own_texts || m->spec.text_count != m->regressed.A)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "this DUET model's texts tell of other attributes than its scores");
    UN_TRY(prepare_attention(m));
    UN_TRY(visual_tokens(m, features, &tokens));
    UN_TRY(work_space(T, cross->width, &sums, &keys));
    un_status status = un_dense_forward(&cross->key, &m->base.params, UN_F32, tokens, T,
                                        UN_DENSE_PLAIN, keys, 0, UN_F32);
    for (int b = 0; b < DUET_ATTENTION_BRANCHES && !status; b++)
        fill_maps(m, b, keys, sums, maps + (size_t)b * m->regressed.A * (T - image->leading));
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
static int groups_are_apart(const duet_spec *spec) {
    for (size_t g = 1; g < spec->group_count; g++)
        if (spec->group[g][0] < spec->group[g - 1][1]) return 0;
    return spec->group_count > 0;
}

un_status un_duet_group_attention(un_method *method, const float *features,
                                  un_group_attention *out) {
    duet_method *m = (duet_method *)method;
    const duet_spec *spec = &m->spec;
    const un_attention_layer *cross = &m->network.xlayer[0].cross;
    size_t P = spec->prompt_length;
    const float *tokens = NULL;
    double *sums = NULL;
    float *query = NULL;
    UN_TRY(check(m));
    if (!groups_are_apart(spec))
        return un_fail(UNSEEN_E_UNSUPPORTED, "this DUET model's texts have no groups");
    UN_TRY(prepare_attention(m));
    UN_TRY(visual_tokens(m, features, &tokens));
    UN_TRY(work_space(P, cross->width, &sums, &query));
    un_status status = un_dense_forward(&cross->query, &m->base.params, UN_F32, tokens, 1,
                                        UN_DENSE_PLAIN, query, 0, UN_F32);
    if (!status) add_attention(cross, query, m->scoring.attention.prompt_keys, P, sums + P, sums);
    float *share = m->scoring.attention.share, *even = share + spec->group_count;
    for (size_t g = 0; g < spec->group_count && !status; g++) {
        double sum = 0;
        for (size_t i = spec->group[g][0]; i < spec->group[g][1]; i++) sum += sums[i];
        share[g] = (float)sum;
        even[g] = (float)(spec->group[g][1] - spec->group[g][0]) / (float)P;
    }
    free(sums);
    free(query);
    if (status) return status;
    *out = (un_group_attention){spec->group_count, (const char *const *)m->words.groups.groups,
                                share, even};
    return UNSEEN_OK;
}

/* ---- masked-attribute prediction: how often a model names an attribute that was masked
 * in the text beside a picture.
 *
 * For every image one attribute of its class is drawn and masked, and others are
 * dropped, as in training (sampling.h). Candidates are the attributes with as many
 * word pieces as were masked; each is scored by its pieces' logits at the masked
 * places. ---- */

enum { PICTURES = 8 }; /* of a forward pass */

typedef struct {
    duet_method *m;
    const un_features *features;
    const int32_t *labels;
    un_duet_sampler *sampler;
    un_duet_sample sample;
    duet_pass pass;
    duet_mlm_pass mlm;
    float *rows, *states; /* (PICTURES, R, F), (max_length, H) */
    int64_t *ids;         /* (PICTURES, max_length) */
    size_t *marked;       /* the same: rows of the batch */
    size_t start[PICTURES + 1], marked_begin[PICTURES + 1];
    int64_t image[PICTURES];
    size_t target[PICTURES], count; /* of the batch under way */
    size_t *masked_count;           /* [A] how often each attribute was masked */
    un_masked_prediction *out;
    un_arena arena;
} masked_evaluation;

static size_t pieces_of(const duet_spec *spec, size_t a) {
    return spec->name_begin[a + 1] - spec->name_begin[a];
}

static int same_words(const duet_spec *spec, size_t a, size_t b) {
    return pieces_of(spec, a) == pieces_of(spec, b) &&
           !memcmp(spec->names + spec->name_begin[a], spec->names + spec->name_begin[b],
                   pieces_of(spec, a) * sizeof *spec->names);
}

/* Which attribute's pieces fit the logits (pieces, V) best, of one group or (SIZE_MAX) of all. */
static size_t best_attribute(const duet_spec *spec, const float *logits, size_t pieces,
                             size_t group) {
    size_t best = SIZE_MAX;
    double most = -INFINITY;
    for (size_t a = 0; a < spec->text_count; a++) {
        double sum = 0;
        if (pieces_of(spec, a) != pieces || (group != SIZE_MAX && spec->group_of[a] != group))
            continue;
        for (size_t i = 0; i < pieces; i++)
            sum += (double)
                logits[i * spec->text.vocabulary + (size_t)spec->names[spec->name_begin[a] + i]];
        if (!(sum > most)) continue;
        most = sum;
        best = a;
    }
    return best;
}

/* The pictures and texts that have come together. */
static un_status predict_batch(masked_evaluation *e) {
    duet_method *m = e->m;
    const duet_spec *spec = &m->spec;
    size_t H = spec->text.width;
    const duet_text_batch text = {.sequences = {e->count, e->start}, .ids = e->ids};
    if (e->count == 0) return UNSEEN_OK;
    un_features_gather_f32(e->features, e->image, e->count, e->rows);
    UN_TRY(un_duet_forward(&e->pass, &m->base.params, e->rows, e->count, &text, NULL, NULL));
    for (size_t i = 0; i < e->count; i++) {
        float *logits = NULL;
        size_t pieces = e->marked_begin[i + 1] - e->marked_begin[i], a = e->target[i];
        for (size_t p = 0; p < pieces; p++)
            memcpy(e->states + p * H, e->pass.lang + e->marked[e->marked_begin[i] + p] * H,
                   H * sizeof *e->states);
        UN_TRY(un_duet_mlm_forward(&e->mlm, &m->base.params, e->states, pieces, &logits));
        size_t all = best_attribute(spec, logits, pieces, SIZE_MAX);
        e->out->in_group += best_attribute(spec, logits, pieces, spec->group_of[a]) == a;
        e->out->among_all += all != SIZE_MAX && same_words(spec, all, a);
        e->out->count++;
        e->masked_count[a]++;
    }
    e->count = 0;
    return UNSEEN_OK;
}

static un_status add_image(masked_evaluation *e, size_t number, int64_t image) {
    duet_method *m = e->m;
    un_duet_sample *s = &e->sample;
    un_duet_text *text = &m->words.text;
    un_duet_draw(e->sampler, 0, number, 0, image, (size_t)e->labels[image], s);
    if (!s->has_mask) return UNSEEN_OK;
    UN_TRY(un_duet_texts_make(m->words.texts, s->pair[0].present, s->pair[0].attribute, 1, text));
    /* A name that was cut off at the end cannot be predicted. */
    if (text->marked_count != pieces_of(&m->spec, s->pair[0].attribute)) return UNSEEN_OK;
    size_t at = e->start[e->count], mark = e->marked_begin[e->count];
    for (size_t i = 0; i < text->length; i++) e->ids[at + i] = text->ids[i];
    for (size_t i = 0; i < text->marked_count; i++) e->marked[mark++] = at + text->marked[i];
    e->image[e->count] = image;
    e->target[e->count++] = s->pair[0].attribute;
    e->start[e->count] = at + text->length;
    e->marked_begin[e->count] = mark;
    return e->count == PICTURES ? predict_batch(e) : UNSEEN_OK;
}

/* The texts of a model that was loaded, from its own names. */
static un_status open_texts(duet_method *m) {
    if (m->words.texts) return UNSEEN_OK;
    UN_TRY(un_duet_open_words(m));
    UN_TRY(un_duet_texts_create(&m->words.texts, &m->words.groups, m->words.wordpiece,
                                m->settings.max_length));
    return un_duet_text_alloc(m->words.texts, &m->arena, &m->words.text);
}

static un_status prepare(masked_evaluation *e, const un_class_table *classes,
                         const un_index_list *images) {
    duet_method *m = e->m;
    un_arena *a = &e->arena;
    size_t L = m->settings.max_length;
    UN_TRY(open_texts(m));
    UN_TRY(un_duet_setup_sampler(m, classes, e->labels, images, &e->sampler));
    if (e->sampler->settings.attribute_count != m->spec.text_count)
        return un_fail(UNSEEN_E_ARGUMENT, "the classes have %zu attributes, the model's texts %zu",
                       e->sampler->settings.attribute_count, m->spec.text_count);
    if (e->features->regions != m->R || e->features->width != m->F)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "the features have %zu regions of %zu values, not %zu of %zu",
                       e->features->regions, e->features->width, m->R, m->F);
    UN_TRY(un_duet_sample_alloc(e->sampler, a, &e->sample));
    UN_TRY(un_arena_alloc(a, PICTURES * m->R * m->F, sizeof(float), &e->rows));
    UN_TRY(un_arena_alloc(a, L * m->spec.text.width, sizeof(float), &e->states));
    UN_TRY(un_arena_alloc(a, PICTURES * L, sizeof *e->ids, &e->ids));
    UN_TRY(un_arena_alloc(a, PICTURES * L, sizeof *e->marked, &e->marked));
    UN_TRY(un_arena_alloc(a, m->spec.text_count, sizeof *e->masked_count, &e->masked_count));
    UN_TRY(un_duet_pass_create(&e->pass, &m->network, 0));
    return un_duet_mlm_pass_create(&e->mlm, &m->network.mlm, m->network.config.type, 0);
}

/* What naming always the most frequent attribute of each number of pieces gets right, group by
 * group or (by_group 0) of all; of all, attributes of the same words are one. */
static double prior(const masked_evaluation *e, int by_group) {
    const duet_spec *spec = &e->m->spec;
    size_t right = 0;
    for (size_t a = 0; a < spec->text_count; a++) {
        /* a counts if no candidate is before it: more frequent, or as frequent and earlier. */
        size_t own = 0, beaten = 0;
        for (size_t b = 0; b < spec->text_count; b++)
            if (by_group ? b == a : same_words(spec, a, b)) own += e->masked_count[b];
        for (size_t b = 0; b < spec->text_count && !beaten; b++) {
            size_t other = 0;
            if (pieces_of(spec, a) != pieces_of(spec, b) ||
                (by_group && spec->group_of[a] != spec->group_of[b]))
                continue;
            for (size_t c = 0; c < spec->text_count; c++)
                if (by_group ? c == b : same_words(spec, b, c)) other += e->masked_count[c];
            beaten = other > own || (other == own && b < a);
        }
        if (!beaten) right += own;
    }
    return (double)right / (double)e->out->count;
}

un_status un_duet_masked_prediction(un_method *method, const un_class_table *classes,
                                    const un_features *features, const int32_t *labels,
                                    const un_index_list *images, un_masked_prediction *out) {
    duet_method *m = (duet_method *)method;
    *out = (un_masked_prediction){0};
    if (!m->network.config.with_text)
        return un_fail(UNSEEN_E_UNSUPPORTED, "only DUET with text recovers masked attributes");
    masked_evaluation e = {.m = m, .features = features, .labels = labels, .out = out};
    un_progress progress;
    un_status status = UNSEEN_OK;
    un_progress_begin(&progress, "masked attributes", "images", images->count);
    UN_GO(prepare(&e, classes, images));
    for (size_t i = 0; i < images->count; i++) {
        UN_GO(add_image(&e, i, images->items[i]));
        UN_GO(un_progress_step(&progress, i + 1));
    }
    UN_GO(predict_batch(&e));
    if (out->count == 0) UN_GO(un_fail(UNSEEN_E_ARGUMENT, "no image's class has an attribute"));
    out->in_group /= (double)out->count;
    out->among_all /= (double)out->count;
    out->in_group_prior = prior(&e, 1);
    out->among_all_prior = prior(&e, 0);
done:
    status = un_progress_finish(&progress, status);
    un_duet_mlm_pass_free(&e.mlm);
    un_duet_pass_free(&e.pass);
    un_duet_sampler_free(e.sampler);
    un_arena_free(&e.arena);
    return status;
}
