/* part.c - the part of a mini-batch that one of several ranks does; see duet.h.
 *
 * Every rank draws and writes down the whole batch, so that texts, paddings and weights are those of
 * one process, and keeps its samples with what follows them: their partners or the pairs of their
 * groups. Both are one behind the other in the whole batch, and so two stretches of its pictures, of
 * its texts' rows, and of the rows that losses read. */
#include <string.h>

#include "method/duet/duet.h"

typedef struct {
    size_t begin, end;
} stretch;

/* What is kept, in the numbers of the whole batch. */
typedef struct {
    stretch samples, followers; /* pictures, and texts where each picture has its own */
    stretch groups;
    stretch rows[2]; /* of the texts of both */
} kept;

static size_t length(stretch s) { return s.end - s.begin; }

static kept find(const duet_method *m, size_t pairs) {
    const duet_batch *b = &m->training.batch;
    const un_part *part = &m->training.part;
    kept k = {.samples = {part->first, part->first + part->count},
              .followers = {b->pictures, b->pictures}};
    if (b->partners)
        k.followers = (stretch){b->samples + k.samples.begin, b->samples + k.samples.end};
    while (k.groups.begin < b->groups && b->group_sample[k.groups.begin] < k.samples.begin)
        k.groups.begin++;
    k.groups.end = k.groups.begin;
    while (k.groups.end < b->groups && b->group_sample[k.groups.end] < k.samples.end)
        k.groups.end++;
    if (b->groups > 0)
        k.followers =
            (stretch){b->samples + k.groups.begin * pairs, b->samples + k.groups.end * pairs};
    if (b->texts != b->pictures) return k;
    k.rows[0] = (stretch){b->start[k.samples.begin], b->start[k.samples.end]};
    k.rows[1] = (stretch){b->start[k.followers.begin], b->start[k.followers.end]};
    return k;
}

/* Two stretches of an array to its beginning. */
static void close_up(void *array, size_t size, stretch first, stretch second) {
    char *a = array;
    memmove(a, a + first.begin * size, length(first) * size);
    memmove(a + length(first) * size, a + second.begin * size, length(second) * size);
}

static un_mask_rows mask_rows(size_t first, size_t first_count, size_t second) {
    return (un_mask_rows){first_count, {first, second - first_count}};
}

/* Rows of texts that losses read before row `end` of the whole batch. */
static size_t read_before(const duet_batch *b, size_t end) {
    size_t count = 0;
    for (size_t r = 0; r < end; r++) count += b->place[r];
    return count;
}

/* The masks of the last layer go by places among the rows that losses read. */
static void shift_read_rows(duet_batch *b, const kept *k) {
    memset(b->place, 0, b->start[b->texts] * sizeof *b->place);
    for (size_t i = 0; i < b->words; i++) b->place[b->word_row[i]] = 1;
    for (size_t i = 0; i < b->pair_begin[b->groups * UN_DUET_PAIRS]; i++)
        b->place[b->pair_row[i]] = 1;
    size_t first = read_before(b, k->rows[0].begin);
    b->subset[DUET_LANGUAGE].rows =
        mask_rows(first, read_before(b, k->rows[0].end) - first, read_before(b, k->rows[1].begin));
}

static size_t new_row(const kept *k, size_t row) {
    if (row < k->rows[0].end) return row - k->rows[0].begin;
    return row - k->rows[1].begin + length(k->rows[0]);
}

static void keep_targets(duet_batch *b, const kept *k) {
    size_t words = 0, *begin = b->pair_begin;
    for (size_t i = 0; i < b->words; i++) {
        if (b->word_row[i] < k->rows[0].begin || b->word_row[i] >= k->rows[0].end) continue;
        b->word_row[words] = new_row(k, b->word_row[i]);
        b->word_label[words] = b->word_label[i];
        b->word_weight[words++] = b->word_weight[i];
    }
    b->words = words;
    size_t first = k->groups.begin * UN_DUET_PAIRS, at = begin[first];
    b->groups = length(k->groups);
    for (size_t i = 0; i <= b->groups * UN_DUET_PAIRS; i++) begin[i] = begin[first + i] - at;
    for (size_t i = 0; i < begin[b->groups * UN_DUET_PAIRS]; i++)
        b->pair_row[i] = new_row(k, b->pair_row[at + i]);
    memmove(b->group_weight, b->group_weight + k->groups.begin,
            b->groups * sizeof *b->group_weight);
}

static void keep_texts(duet_batch *b, const kept *k) {
    shift_read_rows(b, k);
    keep_targets(b, k);
    b->rows[DUET_LANGUAGE] = mask_rows(k->rows[0].begin, length(k->rows[0]), k->rows[1].begin);
    close_up(b->ids, sizeof *b->ids, k->rows[0], k->rows[1]);
    close_up(b->key_mask, sizeof *b->key_mask, k->rows[0], k->rows[1]);
    close_up(b->length, sizeof *b->length, k->samples, k->followers);
    b->texts = length(k->samples) + length(k->followers);
    for (size_t t = 0; t < b->texts; t++) b->start[t + 1] = b->start[t] + b->length[t];
}

void un_duet_batch_part(duet_method *m, size_t pairs) {
    duet_batch *b = &m->training.batch;
    size_t T = m->network.image->tokens;
    if (un_cluster_size(m->training.part.ranks) == 1) return; /* all shifts are 0 */
    const kept k = find(m, pairs);
    size_t own = length(k.samples), first = k.samples.begin, next = k.followers.begin;
    b->rows[DUET_LANGUAGE] = b->subset[DUET_LANGUAGE].rows = (un_mask_rows){0};
    if (b->texts == b->pictures) keep_texts(b, &k);
    b->picture_rows = mask_rows(first, own, next);
    b->rows[DUET_VISION] = mask_rows(first * T, own * T, next * T);
    b->subset[DUET_VISION].rows = mask_rows(first, own, b->samples + first);
    close_up(b->image, sizeof *b->image, k.samples, k.followers);
    b->pictures = own + length(k.followers);
    b->samples = own;
}
