/* agree.c - what ranks find out about each other from what they gather; see cluster.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "cluster/cluster.h"

/* What a rank says of itself. */
typedef struct {
    int32_t status;
    char place[256];
    un_failure failure;
} word;

static word word_of(const un_gathered *all, size_t rank) {
    word w;
    memcpy(&w, all->data + all->begin[rank], sizeof w);
    return w;
}

un_status un_cluster_agree(un_status mine) {
    return un_cluster_agree_within(un_cluster_all(), mine);
}

un_status un_cluster_agree_within(un_cluster *group, un_status mine) {
    if (un_cluster_size(group) == 1) return mine; /* its sentence stands as it is */
    word own = {.status = (int32_t)mine};
    un_gathered words;
    snprintf(own.place, sizeof own.place, "%s", un_cluster_place());
    if (mine) un_failure_keep(&own.failure);
    UN_TRY(un_cluster_gather(group, &own, sizeof own, &words));
    size_t first = 0;
    while (first < words.count && word_of(&words, first).status == UNSEEN_OK) first++;
    if (first == words.count) {
        un_gathered_free(&words);
        return UNSEEN_OK;
    }
    const word bad = word_of(&words, first);
    int alike = first == 0;
    for (size_t r = 1; r < words.count && alike; r++)
        alike = !strcmp(word_of(&words, r).failure.sentence, bad.failure.sentence);
    un_gathered_free(&words);
    un_status status = un_failure_put_back(&bad.failure, (un_status)bad.status);
    return alike ? status : un_fail_prefix(status, "%s", bad.place);
}

/* Messages of un_cluster_meet; other tags are those of whoever posts. */
enum { MEETING = 1000 };

static un_status await_message(size_t from, const volatile sig_atomic_t *stop) {
    void *nothing = NULL;
    size_t bytes = 0;
    UN_TRY(un_cluster_fetch(un_cluster_all(), from, MEETING, stop, &nothing, &bytes));
    free(nothing);
    return UNSEEN_OK;
}

/* A collective function of MPI cannot be left, so: all tell rank 0, which tells all. */
un_status un_cluster_meet(const volatile sig_atomic_t *stop) {
    un_cluster *all = un_cluster_all();
    size_t size = un_cluster_size(all);
    if (un_cluster_rank(all) > 0) {
        UN_TRY(un_cluster_post(all, 0, MEETING, NULL, 0));
        return await_message(0, stop);
    }
    for (size_t r = 1; r < size; r++) UN_TRY(await_message(r, stop));
    for (size_t r = 1; r < size; r++) UN_TRY(un_cluster_post(all, r, MEETING, NULL, 0));
    return UNSEEN_OK;
}

/* The text of a rank, which ends with a NUL, and then its place. */
static const char *text_of(const un_gathered *all, size_t rank) {
    return (const char *)all->data + all->begin[rank];
}

static const char *place_of(const un_gathered *all, size_t rank) {
    return text_of(all, rank) + strlen(text_of(all, rank)) + 1;
}

/* Where two texts differ, with a little of what stands before. */
static const char *from_difference(const char *text, const char *other) {
    enum { BEFORE = 60 };
    size_t at = 0;
    while (text[at] && text[at] == other[at]) at++;
    if (at <= BEFORE) return text;
    at -= BEFORE;
    while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80) at--; /* not within a letter */
    return text + at;
}

static un_status differ(const un_gathered *all, size_t rank, const char *what, int shown) {
    const char *text = text_of(all, rank), *first = text_of(all, 0);
    if (!shown)
        return un_fail(UNSEEN_E_ARGUMENT, "%s has another %s than %s; all ranks need the same",
                       place_of(all, rank), what, place_of(all, 0));
    const char *shown_text = from_difference(text, first),
               *shown_first = from_difference(first, text);
    return un_fail(UNSEEN_E_ARGUMENT,
                   "%s has another %s (%s%.200s) than %s (%s%.200s); all ranks need the same",
                   place_of(all, rank), what, shown_text > text ? "..." : "", shown_text,
                   place_of(all, 0), shown_first > first ? "..." : "", shown_first);
}

un_status un_cluster_same(const char *what, const char *text, int shown) {
    const char *place = un_cluster_place();
    size_t length = strlen(text) + 1, total = length + strlen(place) + 1;
    char *own = NULL;
    un_gathered all = {0};
    un_status status = un_cluster_agree(un_alloc(total, 1, &own));
    if (status) goto done;
    memcpy(own, text, length);
    memcpy(own + length, place, strlen(place) + 1);
    UN_GO(un_cluster_gather(un_cluster_all(), own, total, &all));
    for (size_t r = 1; r < all.count && !status; r++) {
        if (strcmp(text_of(&all, r), text_of(&all, 0))) status = differ(&all, r, what, shown);
    }
done:
    un_gathered_free(&all);
    free(own);
    return status;
}
