/* prompts.c - DUET's texts out of ready pieces; see texts.h. */

#include <stdlib.h>
#include <string.h>

#include "method/duet/texts.h"

/* [begin, end) of un_duet_texts.pieces. */
typedef struct {
    size_t begin, end;
} span;

struct un_duet_texts {
    const un_attribute_groups *groups;
    const un_wordpiece *wordpiece;
    size_t max_length;
    un_token_list pieces;
    span *name;  /* [A] */
    span *group; /* [G] the group and its ":" */
    span comma, bar, stop, prompt;
    size_t *member;       /* [A] attributes, group by group */
    size_t *member_begin; /* [G + 1] */
    un_arena arena;
};

/* ---- creation ---- */

static un_status cut(un_duet_texts *t, const char *text, span *out) {
    out->begin = t->pieces.count;
    UN_TRY(un_wordpiece_encode(t->wordpiece, text, strlen(text), &t->pieces));
    out->end = t->pieces.count;
    return UNSEEN_OK;
}

static un_status cut_names(un_duet_texts *t) {
    const un_attribute_groups *g = t->groups;
    for (size_t a = 0; a < g->count; a++) {
        un_status status = cut(t, g->names[a], &t->name[a]);
        if (status) return un_fail_prefix(status, "attribute %zu", a + 1);
        if (t->name[a].begin == t->name[a].end)
            return un_fail(UNSEEN_E_FORMAT,
                           "attribute %zu (\"%s\" in the group \"%s\") has no word in its name: "
                           "give it one that a text can have",
                           a + 1, g->names[a], g->groups[g->group_of[a]]);
    }
    for (size_t k = 0; k < g->group_count; k++) {
        span colon;
        un_status status = cut(t, g->groups[k], &t->group[k]);
        if (status) return un_fail_prefix(status, "group \"%s\"", g->groups[k]);
        UN_TRY(cut(t, ":", &colon));
        t->group[k].end = colon.end;
    }
    UN_TRY(cut(t, ",", &t->comma));
    UN_TRY(cut(t, "|", &t->bar));
    return cut(t, ".", &t->stop);
}

/* The attributes of each group in ascending order. */
static void sort_members(un_duet_texts *t) {
    const un_attribute_groups *g = t->groups;
    size_t n = 0;
    for (size_t k = 0; k < g->group_count; k++) {
        t->member_begin[k] = n;
        for (size_t a = 0; a < g->count; a++)
            if (g->group_of[a] == k) t->member[n++] = a;
    }
    t->member_begin[g->group_count] = n;
}

static un_status add_span(un_duet_texts *t, span s) {
    for (size_t i = s.begin; i < s.end; i++)
        UN_TRY(un_token_list_add(&t->pieces, t->pieces.items[i]));
    return UNSEEN_OK;
}

static un_status make_prompt(un_duet_texts *t) {
    const char *published = t->groups->reference ? un_published_prompt(t->groups->dataset) : NULL;
    if (published) return cut(t, published, &t->prompt);
    t->prompt.begin = t->pieces.count;
    for (size_t k = 0; k < t->groups->group_count; k++) {
        if (k > 0) UN_TRY(add_span(t, t->bar));
        UN_TRY(add_span(t, t->group[k]));
    }
    UN_TRY(add_span(t, t->stop));
    t->prompt.end = t->pieces.count;
    return UNSEEN_OK;
}

static un_status create(un_duet_texts *t) {
    size_t A = t->groups->count, G = t->groups->group_count;
    UN_TRY(un_arena_alloc(&t->arena, A, sizeof *t->name, &t->name));
    UN_TRY(un_arena_alloc(&t->arena, G, sizeof *t->group, &t->group));
    UN_TRY(un_arena_alloc(&t->arena, A, sizeof *t->member, &t->member));
    UN_TRY(un_arena_alloc(&t->arena, G + 1, sizeof *t->member_begin, &t->member_begin));
    UN_TRY(cut_names(t));
    sort_members(t);
    return make_prompt(t);
}

un_status un_duet_texts_create(un_duet_texts **out, const un_attribute_groups *groups,
                               const un_wordpiece *wordpiece, size_t max_length) {
    un_duet_texts *t = NULL;
    if (max_length < 2)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "texts of at most %zu tokens have no room for [CLS] and [SEP]: allow 2 or "
                       "more",
                       max_length);
    UN_TRY(un_alloc(1, sizeof *t, &t));
    t->groups = groups;
    t->wordpiece = wordpiece;
    t->max_length = max_length;
    un_status status = create(t);
    if (status) {
        un_duet_texts_free(t);
        return status;
    }
    *out = t;
    return UNSEEN_OK;
}

void un_duet_texts_free(un_duet_texts *t) {
    if (!t) return;
    un_token_list_free(&t->pieces);
    un_arena_free(&t->arena);
    free(t);
}

const un_attribute_groups *un_duet_texts_groups(const un_duet_texts *t) { return t->groups; }

size_t un_duet_texts_max_length(const un_duet_texts *t) { return t->max_length; }

un_status un_duet_text_alloc(const un_duet_texts *t, un_arena *arena, un_duet_text *text) {
    *text = (un_duet_text){0};
    UN_TRY(un_arena_alloc(arena, t->max_length, sizeof *text->ids, &text->ids));
    return un_arena_alloc(arena, t->max_length, sizeof *text->marked, &text->marked);
}

/* ---- writing ids ---- */

static void begin_text(const un_duet_texts *t, un_duet_text *out) {
    out->ids[0] = un_wordpiece_special(t->wordpiece, UN_TOKEN_CLS);
    out->length = 1;
    out->marked_count = 0;
}

/* One piece; those that leave no room for [SEP] are cut off. */
static void put(const un_duet_texts *t, un_duet_text *out, int32_t id, int marked) {
    if (out->length + 1 >= t->max_length) return;
    if (marked) out->marked[out->marked_count++] = out->length;
    out->ids[out->length++] = id;
}

static void put_span(const un_duet_texts *t, un_duet_text *out, span s) {
    for (size_t i = s.begin; i < s.end; i++) put(t, out, t->pieces.items[i], 0);
}

static void end_text(const un_duet_texts *t, un_duet_text *out) {
    out->ids[out->length++] = un_wordpiece_special(t->wordpiece, UN_TOKEN_SEP);
}

void un_duet_texts_prompt(const un_duet_texts *t, un_duet_text *out) {
    begin_text(t, out);
    put_span(t, out, t->prompt);
    end_text(t, out);
}

static void put_group(const un_duet_texts *t, const unsigned char *present, size_t k, size_t marked,
                      int hidden, un_duet_text *out) {
    int32_t mask = un_wordpiece_special(t->wordpiece, UN_TOKEN_MASK);
    int first = 1;
    put_span(t, out, t->group[k]);
    for (size_t i = t->member_begin[k]; i < t->member_begin[k + 1]; i++) {
        size_t a = t->member[i];
        if (!present[a]) continue;
        if (!first) put_span(t, out, t->comma);
        first = 0;
        for (size_t j = t->name[a].begin; j < t->name[a].end; j++)
            put(t, out, a == marked && hidden ? mask : t->pieces.items[j], a == marked);
    }
}

/* ---- texts as the published code has them ---- */

/* `mark` != 0 reports where [MASK] stands. */
static un_status put_sentence(const un_duet_texts *t, const char *sentence, int mark,
                              un_duet_text *out) {
    un_token_list list = {0};
    int32_t mask = un_wordpiece_special(t->wordpiece, UN_TOKEN_MASK);
    un_status status = un_wordpiece_encode(t->wordpiece, sentence, strlen(sentence), &list);
    begin_text(t, out);
    for (size_t i = 0; !status && i < list.count; i++)
        put(t, out, list.items[i], mark && list.items[i] == mask);
    end_text(t, out);
    un_token_list_free(&list);
    return status;
}

/* Positions are always those of [MASK] in the masked sentence; unhidden, the words
 * of the other sentence stand there. */
static un_status make_published(const un_duet_texts *t, const unsigned char *present, size_t marked,
                                int hidden, un_duet_text *out) {
    const un_published_rule rule = {t->groups, present, t->member, t->member_begin};
    char *plain = NULL, *masked = NULL;
    un_status status = UNSEEN_OK;
    if (marked != UN_NO_ATTRIBUTE) {
        UN_GO(un_published_sentence(&rule, marked, un_duet_texts_name_pieces(t, marked), &masked));
        UN_GO(put_sentence(t, masked, 1, out));
    }
    if (marked == UN_NO_ATTRIBUTE || !hidden) {
        size_t count = marked == UN_NO_ATTRIBUTE ? 0 : out->marked_count;
        UN_GO(un_published_sentence(&rule, UN_NO_ATTRIBUTE, 0, &plain));
        UN_GO(put_sentence(t, plain, 0, out));
        /* Sentences of different lengths do not correspond; stay inside this one. */
        while (count > 0 && out->marked[count - 1] + 1 >= out->length) count--;
        out->marked_count = count;
    }
done:
    free(plain);
    free(masked);
    return status;
}

un_status un_duet_texts_make(const un_duet_texts *t, const unsigned char *present, size_t marked,
                             int hidden, un_duet_text *out) {
    if (marked != UN_NO_ATTRIBUTE && (marked >= t->groups->count || !present[marked]))
        return un_fail(UNSEEN_E_ARGUMENT, "attribute %zu is not in the text that should mark it",
                       marked);
    if (t->groups->reference) return make_published(t, present, marked, hidden, out);
    begin_text(t, out);
    for (size_t k = 0; k < t->groups->group_count; k++) {
        if (k > 0) put_span(t, out, t->bar);
        put_group(t, present, k, marked, hidden, out);
    }
    put_span(t, out, t->stop);
    end_text(t, out);
    return UNSEEN_OK;
}

/* ---- lengths and words ---- */

size_t un_duet_texts_name_pieces(const un_duet_texts *t, size_t a) {
    return t->name[a].end - t->name[a].begin;
}

size_t un_duet_texts_prompt_pieces(const un_duet_texts *t) {
    size_t n = t->stop.end - t->stop.begin;
    for (size_t k = 0; k < t->groups->group_count; k++)
        n += t->group[k].end - t->group[k].begin + (k > 0 ? t->bar.end - t->bar.begin : 0);
    return n;
}

size_t un_duet_texts_pieces(const un_duet_texts *t, const unsigned char *present) {
    size_t n = un_duet_texts_prompt_pieces(t);
    for (size_t k = 0; k < t->groups->group_count; k++) {
        size_t named = 0;
        for (size_t i = t->member_begin[k]; i < t->member_begin[k + 1]; i++) {
            if (!present[t->member[i]]) continue;
            n += un_duet_texts_name_pieces(t, t->member[i]);
            if (named++ > 0) n += t->comma.end - t->comma.begin;
        }
    }
    return n;
}

un_status un_duet_texts_sentence(const un_duet_texts *t, const unsigned char *present, char **out) {
    const un_published_rule rule = {t->groups, present, t->member, t->member_begin};
    return un_published_sentence(&rule, UN_NO_ATTRIBUTE, 0, out);
}
