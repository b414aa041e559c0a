/* split_propose.c - proposing a split; see split_propose.h. */
#include "data/split_propose.h"

#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "base/rng.h"
#include "data/split.h"

/* What the choice of classes looks at. */
typedef struct {
    const un_dataset *dataset;
    size_t *images;        /* [C] number of each class's */
    unsigned char *unseen; /* [C] */
    unsigned char *has;    /* [C, A] 1: the class has the attribute */
    size_t width;          /* A; 0: no semantics */
    size_t *seen_with;     /* [A] seen classes that have the attribute */
    size_t *unseen_with;   /* [A] */
    int64_t *order;        /* [C] classes with images, shuffled */
    size_t candidates;
} chooser;

static void drop(chooser *c) {
    free(c->images);
    free(c->unseen);
    free(c->has);
    free(c->seen_with);
    free(c->unseen_with);
    free(c->order);
}

/* Above the mean over classes. */
static void find_attributes(chooser *c, const un_semantics *s) {
    size_t C = c->dataset->class_count;
    for (size_t a = 0; a < s->width; a++) {
        double sum = 0;
        for (size_t k = 0; k < C; k++) sum += (double)s->values[k * s->width + a];
        for (size_t k = 0; k < C; k++) {
            c->has[k * s->width + a] = (double)s->values[k * s->width + a] > sum / (double)C;
            /* A class without images can be seen by nobody. */
            if (c->images[k] > 0) c->seen_with[a] += c->has[k * s->width + a];
        }
    }
}

static un_status look(chooser *c, uint64_t seed) {
    const un_dataset *d = c->dataset;
    size_t C = d->class_count;
    const un_semantics *s = d->semantics_count > 0 ? &d->semantics[0] : NULL;
    c->width = s ? s->width : 0;
    UN_TRY(un_alloc(C, sizeof *c->images, &c->images));
    UN_TRY(un_alloc(C, 1, &c->unseen));
    UN_TRY(un_alloc(C, sizeof *c->order, &c->order));
    UN_TRY(un_alloc(C, c->width, &c->has));
    UN_TRY(un_alloc(c->width, sizeof *c->seen_with, &c->seen_with));
    UN_TRY(un_alloc(c->width, sizeof *c->unseen_with, &c->unseen_with));
    for (size_t i = 0; i < d->image_count; i++) c->images[d->labels[i]]++;
    for (size_t k = 0; k < C; k++)
        if (c->images[k] > 0) c->order[c->candidates++] = (int64_t)k;
    if (s) find_attributes(c, s);
    un_rng rng = un_rng_stream(seed, "unseen classes", 0);
    un_rng_shuffle(&rng, c->order, c->candidates);
    return UNSEEN_OK;
}

/* Attributes that would be left without a seen class if class k were unseen. */
static size_t orphans_of(const chooser *c, size_t k) {
    size_t n = 0;
    for (size_t a = 0; a < c->width; a++) {
        size_t own = c->has[k * c->width + a];
        n += c->seen_with[a] == own && own + c->unseen_with[a] > 0;
    }
    return n;
}

static void take(chooser *c, size_t k) {
    c->unseen[k] = 1;
    for (size_t a = 0; a < c->width; a++) {
        c->seen_with[a] -= c->has[k * c->width + a];
        c->unseen_with[a] += c->has[k * c->width + a];
    }
}

static void choose(chooser *c, size_t number) {
    size_t taken = 0;
    for (size_t i = 0; i < c->candidates && taken < number; i++) {
        if (orphans_of(c, (size_t)c->order[i]) > 0) continue;
        take(c, (size_t)c->order[i]);
        taken++;
    }
    for (; taken < number; taken++) {
        size_t best = SIZE_MAX;
        size_t fewest = SIZE_MAX;
        for (size_t i = 0; i < c->candidates; i++) {
            size_t k = (size_t)c->order[i];
            size_t orphans = c->unseen[k] ? SIZE_MAX : orphans_of(c, k);
            if (orphans >= fewest) continue;
            fewest = orphans;
            best = k;
        }
        if (best == SIZE_MAX) return;
        take(c, best);
    }
}

static un_status take_named(chooser *c, const un_split_proposal *p) {
    const un_dataset *d = c->dataset;
    un_name_index index;
    un_name_report report;
    size_t *map = NULL;
    UN_TRY(un_name_index_make(&index, d->classes, d->class_count));
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(p->unseen_count, sizeof *map, &map));
    UN_GO(un_names_match(&index, p->unseen, p->unseen_count, map, &report));
    if (report.missing.count > 0)
        UN_GO(un_fail(UNSEEN_E_ARGUMENT, "%s: there is no class %s%s", p->where,
                      report.missing.text, un_name_list_more(&report.missing)));
    for (size_t i = 0; i < p->unseen_count; i++)
        if (!c->unseen[map[i]] && c->images[map[i]] > 0) take(c, map[i]);
done:
    free(map);
    un_name_index_free(&index);
    return status;
}

/* How many classes to choose of n that have images. */
static size_t usual_number(size_t n) {
    size_t fifth = (2 * n + 5) / 10;
    if (n >= 4 && fifth < 2) return 2;
    return fifth > 0 ? fifth : 1;
}

static un_status choose_classes(chooser *c, const un_split_proposal *p, un_split_outcome *outcome) {
    size_t number = p->number > 0 ? p->number : usual_number(c->candidates);
    if (p->no_unseen)
        number = 0;
    else if (p->unseen_count > 0)
        UN_TRY(take_named(c, p));
    else if (number + 2 <= c->candidates)
        choose(c, number);
    *outcome = (un_split_outcome){0};
    for (size_t k = 0; k < c->dataset->class_count; k++) outcome->unseen += c->unseen[k];
    for (size_t a = 0; a < c->width; a++)
        outcome->orphaned += c->unseen_with[a] > 0 && c->seen_with[a] == 0;
    outcome->empty = c->dataset->class_count - c->candidates;
    /* Those that were named may all be without images: the unseen ones that nothing tests. */
    if ((outcome->unseen > 0 || p->no_unseen || p->unseen_count > 0) &&
        outcome->unseen + 2 <= c->candidates)
        return UNSEEN_OK;
    if (p->unseen_count > 0)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s: of %zu classes with images %zu are to be unseen; at least 2 must not "
                       "be",
                       p->where, c->candidates, outcome->unseen);
    return un_fail(UNSEEN_E_ARGUMENT,
                   "%zu classes have images; %zu unseen and at least 2 seen ones cannot be chosen "
                   "from them",
                   c->candidates, number);
}

/* Sorts images by class, order kept: class k has members[first[k]] to
 * members[first[k + 1] - 1]. `first` holds C + 1 entries. */
static void group(const un_dataset *d, const size_t *images, size_t *first, int64_t *members) {
    for (size_t k = 0; k < d->class_count; k++) first[k + 1] = first[k] + images[k];
    for (size_t i = 0; i < d->image_count; i++) members[first[d->labels[i]]++] = (int64_t)i;
    for (size_t k = d->class_count; k > 0; k--) first[k] = first[k - 1];
    first[0] = 0;
}

static un_status make_lists(un_dataset *d, const chooser *c, uint64_t seed) {
    un_index_list *lists[] = {&d->trainval, &d->test_seen, &d->test_unseen};
    size_t *first = NULL;
    int64_t *members = NULL;
    un_status status = UNSEEN_OK;
    for (int l = 0; l < 3; l++) {
        *lists[l] = (un_index_list){0};
        UN_TRY(
            un_arena_alloc(&d->arena, d->image_count, sizeof *lists[l]->items, &lists[l]->items));
    }
    UN_GO(un_alloc(d->class_count + 1, sizeof *first, &first));
    UN_GO(un_alloc(d->image_count, sizeof *members, &members));
    group(d, c->images, first, members);
    for (size_t k = 0; k < d->class_count; k++) {
        int64_t *own = members + first[k];
        size_t n = c->images[k];
        size_t held = (size_t)(UN_HOLDOUT_SHARE * (double)n + 0.5);
        if (held == 0 && n >= 2) held = 1;
        un_rng rng = un_rng_stream(seed, "test_seen", k);
        if (!c->unseen[k]) un_rng_shuffle(&rng, own, n);
        for (size_t i = 0; i < n; i++) {
            un_index_list *to = lists[c->unseen[k] ? 2 : i < held ? 1 : 0];
            to->items[to->count++] = own[i];
        }
    }
    for (int l = 0; l < 3; l++) (void)un_index_list_sort(lists[l]);
done:
    free(first);
    free(members);
    return status;
}

un_status un_split_propose(un_dataset *dataset, const un_split_proposal *proposal,
                           un_split_outcome *outcome) {
    chooser c = {.dataset = dataset};
    un_status status = UNSEEN_OK;
    UN_GO(look(&c, proposal->seed));
    UN_GO(choose_classes(&c, proposal, outcome));
    UN_GO(make_lists(dataset, &c, proposal->seed));
done:
    drop(&c);
    return status;
}
