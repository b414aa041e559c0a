/*
 * recovery.c - does DUET's grounding work? How often a model names an attribute that
 * was masked in the text beside a picture.
 *
 * For every image one attribute of its class is drawn and masked, and others are
 * dropped, as in training (sampling.h). Candidates are the attributes with as many
 * word pieces as were masked; each is scored by its pieces' logits at the masked
 * places.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "method/duet/duet.h"

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
    size_t *asked;                  /* [A] how often each attribute was masked */
    un_recovered *out;
    un_arena arena;
} recovery;

static size_t pieces_of(const duet_kept *k, size_t a) {
    return k->name_begin[a + 1] - k->name_begin[a];
}

static int same_words(const duet_kept *k, size_t a, size_t b) {
    return pieces_of(k, a) == pieces_of(k, b) &&
           !memcmp(k->names + k->name_begin[a], k->names + k->name_begin[b],
                   pieces_of(k, a) * sizeof *k->names);
}

/* Which attribute's pieces fit the logits (pieces, V) best, of one group or (SIZE_MAX) of all. */
static size_t best_attribute(const duet_kept *k, const float *logits, size_t pieces, size_t group) {
    size_t best = SIZE_MAX;
    double most = -INFINITY;
    for (size_t a = 0; a < k->text_count; a++) {
        double sum = 0;
        if (pieces_of(k, a) != pieces || (group != SIZE_MAX && k->group_of[a] != group)) continue;
        for (size_t i = 0; i < pieces; i++)
            sum += (double)logits[i * k->text.vocabulary + (size_t)k->names[k->name_begin[a] + i]];
        if (!(sum > most)) continue;
        most = sum;
        best = a;
    }
    return best;
}

/* The pictures and texts that have come together. */
static un_status flush(recovery *r) {
    duet_method *m = r->m;
    const duet_kept *k = &m->kept;
    size_t H = k->text.width;
    const duet_text_batch text = {.sequences = {r->count, r->start}, .ids = r->ids};
    if (r->count == 0) return UNSEEN_OK;
    un_features_gather_f32(r->features, r->image, r->count, r->rows);
    UN_TRY(un_duet_forward(&r->pass, &m->base.params, r->rows, r->count, &text, NULL, NULL));
    for (size_t i = 0; i < r->count; i++) {
        float *logits = NULL;
        size_t pieces = r->marked_begin[i + 1] - r->marked_begin[i], a = r->target[i];
        for (size_t p = 0; p < pieces; p++)
            memcpy(r->states + p * H, r->pass.lang + r->marked[r->marked_begin[i] + p] * H,
                   H * sizeof *r->states);
        UN_TRY(un_duet_mlm_forward(&r->mlm, &m->base.params, r->states, pieces, &logits));
        size_t all = best_attribute(k, logits, pieces, SIZE_MAX);
        r->out->in_group += best_attribute(k, logits, pieces, k->group_of[a]) == a;
        r->out->among_all += all != SIZE_MAX && same_words(k, all, a);
        r->out->count++;
        r->asked[a]++;
    }
    r->count = 0;
    return UNSEEN_OK;
}

static un_status add(recovery *r, size_t number, int64_t image) {
    duet_method *m = r->m;
    un_duet_sample *s = &r->sample;
    un_duet_text *text = &m->words.text;
    un_duet_draw(r->sampler, 0, number, 0, image, (size_t)r->labels[image], s);
    if (!s->has_mask) return UNSEEN_OK;
    UN_TRY(un_duet_texts_make(m->words.texts, s->pair[0].present, s->pair[0].attribute, 1, text));
    /* A name that was cut off at the end cannot be asked for. */
    if (text->marked_count != pieces_of(&m->kept, s->pair[0].attribute)) return UNSEEN_OK;
    size_t at = r->start[r->count], mark = r->marked_begin[r->count];
    for (size_t i = 0; i < text->length; i++) r->ids[at + i] = text->ids[i];
    for (size_t i = 0; i < text->marked_count; i++) r->marked[mark++] = at + text->marked[i];
    r->image[r->count] = image;
    r->target[r->count++] = s->pair[0].attribute;
    r->start[r->count] = at + text->length;
    r->marked_begin[r->count] = mark;
    return r->count == PICTURES ? flush(r) : UNSEEN_OK;
}

/* The texts of a model that was loaded, from its own names. */
static un_status open_texts(duet_method *m) {
    if (m->words.texts) return UNSEEN_OK;
    UN_TRY(un_duet_open_words(m));
    UN_TRY(un_duet_texts_create(&m->words.texts, &m->words.groups, m->words.wordpiece,
                                m->settings.max_length));
    return un_duet_text_alloc(m->words.texts, &m->arena, &m->words.text);
}

static un_status prepare(recovery *r, const un_class_table *classes, const un_index_list *images) {
    duet_method *m = r->m;
    un_arena *a = &r->arena;
    size_t L = m->settings.max_length;
    UN_TRY(open_texts(m));
    UN_TRY(un_duet_setup_sampler(m, classes, r->labels, images, &r->sampler));
    if (r->sampler->settings.attribute_count != m->kept.text_count)
        return un_fail(UNSEEN_E_ARGUMENT, "the classes have %zu attributes, the model's texts %zu",
                       r->sampler->settings.attribute_count, m->kept.text_count);
    if (r->features->regions != m->R || r->features->width != m->F)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "the features have %zu regions of %zu values, not %zu of %zu",
                       r->features->regions, r->features->width, m->R, m->F);
    UN_TRY(un_duet_sample_alloc(r->sampler, a, &r->sample));
    UN_TRY(un_arena_alloc(a, PICTURES * m->R * m->F, sizeof(float), &r->rows));
    UN_TRY(un_arena_alloc(a, L * m->kept.text.width, sizeof(float), &r->states));
    UN_TRY(un_arena_alloc(a, PICTURES * L, sizeof *r->ids, &r->ids));
    UN_TRY(un_arena_alloc(a, PICTURES * L, sizeof *r->marked, &r->marked));
    UN_TRY(un_arena_alloc(a, m->kept.text_count, sizeof *r->asked, &r->asked));
    UN_TRY(un_duet_pass_create(&r->pass, &m->network, 0));
    return un_duet_mlm_pass_create(&r->mlm, &m->network.mlm, m->network.config.type, 0);
}

/* What naming always the most frequent attribute of each number of pieces gets right, group by
 * group or (by_group 0) of all; of all, attributes of the same words are one. */
static double prior(const recovery *r, int by_group) {
    const duet_kept *k = &r->m->kept;
    size_t right = 0;
    for (size_t a = 0; a < k->text_count; a++) {
        /* a counts if no candidate is before it: more frequent, or as frequent and earlier. */
        size_t own = 0, beaten = 0;
        for (size_t b = 0; b < k->text_count; b++)
            if (by_group ? b == a : same_words(k, a, b)) own += r->asked[b];
        for (size_t b = 0; b < k->text_count && !beaten; b++) {
            size_t other = 0;
            if (pieces_of(k, a) != pieces_of(k, b) ||
                (by_group && k->group_of[a] != k->group_of[b]))
                continue;
            for (size_t c = 0; c < k->text_count; c++)
                if (by_group ? c == b : same_words(k, b, c)) other += r->asked[c];
            beaten = other > own || (other == own && b < a);
        }
        if (!beaten) right += own;
    }
    return (double)right / (double)r->out->count;
}

un_status un_duet_recovery(un_method *method, const un_class_table *classes,
                           const un_features *features, const int32_t *labels,
                           const un_index_list *images, un_recovered *out) {
    duet_method *m = (duet_method *)method;
    *out = (un_recovered){0};
    if (!m->network.config.with_text)
        return un_fail(UNSEEN_E_UNSUPPORTED, "only DUET with text recovers masked attributes");
    recovery r = {.m = m, .features = features, .labels = labels, .out = out};
    un_status status = UNSEEN_OK;
    UN_GO(prepare(&r, classes, images));
    for (size_t i = 0; i < images->count; i++) UN_GO(add(&r, i, images->items[i]));
    UN_GO(flush(&r));
    if (out->count == 0) UN_GO(un_fail(UNSEEN_E_ARGUMENT, "no image's class has an attribute"));
    out->in_group /= (double)out->count;
    out->among_all /= (double)out->count;
    out->in_group_prior = prior(&r, 1);
    out->among_all_prior = prior(&r, 0);
done:
    un_duet_mlm_pass_free(&r.mlm);
    un_duet_pass_free(&r.pass);
    un_duet_sampler_free(r.sampler);
    un_arena_free(&r.arena);
    return status;
}
