/*
 * split.c - honest validation folds; see split.h.
 *
 * The hold-out of a class is drawn from all its trainval images with a stream of
 * its own, so a class gives the same held-out images in every fold it is in.
 */
#include "data/split.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "base/rng.h"

int un_index_list_contains(const un_index_list *list, int64_t item) {
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->items[middle] < item)
            low = middle + 1;
        else
            high = middle;
    }
    return low < list->count && list->items[low] == item;
}

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

size_t un_index_list_sort(un_index_list *list) {
    if (list->count < 2) return 0;
    qsort(list->items, list->count, sizeof *list->items, by_value);
    size_t repeated = 0;
    for (size_t i = 1; i < list->count; i++) repeated += list->items[i] == list->items[i - 1];
    return repeated;
}

void un_images_by_class(const int32_t *labels, const un_index_list *list, size_t class_count,
                        size_t *begin, int64_t *images) {
    memset(begin, 0, class_count * sizeof *begin);
    for (size_t i = 0; i < list->count; i++) begin[labels[list->items[i]]]++;
    for (size_t c = 1; c < class_count; c++) begin[c] += begin[c - 1]; /* where each ends */
    begin[class_count] = list->count;
    for (size_t i = list->count; i-- > 0;) /* and so, filled from the end, where each begins */
        images[--begin[labels[list->items[i]]]] = list->items[i];
}

/* The images i with flags[i] == value, sorted. */
static un_status collect(un_dataset *dataset, const unsigned char *flags, unsigned char value,
                         un_index_list *out) {
    size_t n = 0;
    for (size_t i = 0; i < dataset->image_count; i++) n += flags[i] == value;
    *out = (un_index_list){0};
    UN_TRY(un_arena_alloc(&dataset->arena, n, sizeof *out->items, &out->items));
    for (size_t i = 0; i < dataset->image_count; i++)
        if (flags[i] == value) out->items[out->count++] = (int64_t)i;
    return UNSEEN_OK;
}

enum { NOT_USED = 0, TRAIN = 1, HELD_OUT = 2, UNSEEN = 3 };

/* Sets role[i] to HELD_OUT for the drawn fifth of each class's trainval images,
 * where their role is TRAIN. */
static un_status hold_out(const un_dataset *dataset, unsigned char *role) {
    int64_t *members = NULL;
    size_t *first = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(dataset->trainval.count, sizeof *members, &members));
    UN_GO(un_alloc(dataset->class_count + 1, sizeof *first, &first));
    un_images_by_class(dataset->labels, &dataset->trainval, dataset->class_count, first, members);
    for (size_t c = 0; c < dataset->class_count; c++) {
        int64_t *own = members + first[c];
        size_t n = first[c + 1] - first[c];
        size_t held = (size_t)(UN_HOLDOUT_SHARE * (double)n + 0.5);
        if (held == 0 && n >= 2) held = 1;
        un_rng rng = un_rng_stream(UN_HOLDOUT_SEED, "holdout", c);
        un_rng_shuffle(&rng, own, n);
        for (size_t i = 0; i < held; i++)
            if (role[own[i]] == TRAIN) role[own[i]] = HELD_OUT;
    }
done:
    free(members);
    free(first);
    return status;
}

/* Names of the classes that the images in fold->unseen have. */
static un_status name_classes(un_dataset *dataset, un_fold *fold, const unsigned char *is_unseen) {
    UN_TRY(un_arena_alloc(&dataset->arena, dataset->class_count + 1, sizeof *fold->classes,
                          &fold->classes));
    for (size_t c = 0; c < dataset->class_count; c++)
        if (is_unseen[c]) fold->classes[fold->class_count++] = dataset->classes[c];
    return UNSEEN_OK;
}

/* Completes a fold from roles of images: TRAIN or UNSEEN, always inside trainval. */
static un_status finish(un_dataset *dataset, un_fold *fold, const char *source, unsigned char *role,
                        const unsigned char *is_unseen) {
    char *text = NULL;
    if (dataset->fold_count == UN_MAX_FOLDS)
        return un_fail(UNSEEN_E_ARGUMENT, "%s: a data set holds at most %d validation folds",
                       source, UN_MAX_FOLDS);
    if (dataset->labels) {
        UN_TRY(hold_out(dataset, role));
        UN_TRY(name_classes(dataset, fold, is_unseen));
    }
    UN_TRY(un_arena_string(&dataset->arena, source, &text));
    fold->source = text;
    UN_TRY(collect(dataset, role, TRAIN, &fold->train));
    UN_TRY(collect(dataset, role, HELD_OUT, &fold->seen));
    UN_TRY(collect(dataset, role, UNSEEN, &fold->unseen));
    if (fold->train.count == 0 || fold->unseen.count == 0)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: no images are left to %s after intersecting with trainval", source,
                       fold->train.count == 0 ? "train on" : "validate on");
    dataset->folds[dataset->fold_count++] = *fold;
    return UNSEEN_OK;
}

static size_t count_leaks(const un_dataset *dataset, const un_index_list *list) {
    size_t leaked = 0;
    for (size_t i = 0; i < list->count; i++)
        leaked += un_index_list_contains(&dataset->test_seen, list->items[i]) ||
                  un_index_list_contains(&dataset->test_unseen, list->items[i]);
    return leaked;
}

/* Gives the listed images of trainval their role. With labels, a class in both
 * lists would be seen in training and play unseen: an error. */
static un_status roles_of_lists(const un_dataset *dataset, const char *source,
                                const un_index_list *train, const un_index_list *val,
                                unsigned char *role, unsigned char *is_unseen) {
    for (size_t i = 0; i < val->count; i++) {
        int64_t image = val->items[i];
        if (!un_index_list_contains(&dataset->trainval, image)) continue;
        role[image] = UNSEEN;
        if (dataset->labels) is_unseen[dataset->labels[image]] = 1;
    }
    for (size_t i = 0; i < train->count; i++) {
        int64_t image = train->items[i];
        if (!un_index_list_contains(&dataset->trainval, image)) continue;
        if (role[image] == UNSEEN)
            return un_fail(UNSEEN_E_FORMAT, "%s: image %lld is in both train_loc and val_loc",
                           source, (long long)image);
        if (dataset->labels && is_unseen[dataset->labels[image]])
            return un_fail(UNSEEN_E_FORMAT,
                           "%s: class \"%s\" has images in both train_loc and val_loc, so it "
                           "cannot play an unseen class",
                           source, dataset->classes[dataset->labels[image]]);
        role[image] = TRAIN;
    }
    return UNSEEN_OK;
}

static un_status check_range(const un_dataset *dataset, const char *source,
                             const un_index_list *list) {
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i] < 0 || (uint64_t)list->items[i] >= dataset->image_count)
            return un_fail(UNSEEN_E_FORMAT, "%s: image %lld is outside 0 to %zu", source,
                           (long long)list->items[i], dataset->image_count - 1);
    return UNSEEN_OK;
}

un_status un_fold_add_lists(un_dataset *dataset, const char *source, const un_index_list *train,
                            const un_index_list *val) {
    unsigned char *role = NULL;
    unsigned char *is_unseen = NULL;
    un_fold fold = {.listed_train = train->count, .listed_val = val->count};
    UN_TRY(check_range(dataset, source, train));
    UN_TRY(check_range(dataset, source, val));
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(dataset->image_count, 1, &role));
    UN_GO(un_alloc(dataset->class_count, 1, &is_unseen));
    fold.leaked_train = count_leaks(dataset, train);
    fold.leaked_val = count_leaks(dataset, val);
    UN_GO(roles_of_lists(dataset, source, train, val, role, is_unseen));
    UN_GO(finish(dataset, &fold, source, role, is_unseen));
done:
    free(role);
    free(is_unseen);
    return status;
}

static un_status need_labels(const un_dataset *dataset, const char *source) {
    if (dataset->labels) return UNSEEN_OK;
    return un_fail(UNSEEN_E_ARGUMENT,
                   "%s: a fold by classes needs the labels of the images; import with features",
                   source);
}

/* A fold in which all trainval images of the flagged classes play unseen. */
static un_status add_by_class(un_dataset *dataset, const char *source, int proposed,
                              const unsigned char *is_unseen) {
    unsigned char *role = NULL;
    un_fold fold = {.proposed = proposed};
    UN_TRY(un_alloc(dataset->image_count, 1, &role));
    for (size_t i = 0; i < dataset->trainval.count; i++) {
        int64_t image = dataset->trainval.items[i];
        role[image] = is_unseen[dataset->labels[image]] ? UNSEEN : TRAIN;
    }
    un_status status = finish(dataset, &fold, source, role, is_unseen);
    free(role);
    return status;
}

static un_status flag_classes(const un_dataset *dataset, const char *source, char *const *names,
                              size_t count, unsigned char *is_seen, unsigned char *is_unseen) {
    un_name_index index;
    un_name_report report;
    size_t *map = NULL;
    UN_TRY(un_name_index_make(&index, dataset->classes, dataset->class_count));
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(count, sizeof *map, &map));
    UN_GO(un_names_match(&index, names, count, map, &report));
    if (report.missing.count > 0)
        UN_GO(un_fail(UNSEEN_E_FORMAT, "%s: the data set has no class %s%s", source,
                      report.missing.text, un_name_list_more(&report.missing)));
    un_dataset_classes_of(dataset, &dataset->trainval, is_seen);
    for (size_t i = 0; i < count; i++) {
        if (!is_seen[map[i]])
            UN_GO(un_fail(UNSEEN_E_FORMAT,
                          "%s: class \"%.200s\" has no images in trainval, so it cannot play an "
                          "unseen class in validation",
                          source, names[i]));
        is_unseen[map[i]] = 1;
    }
done:
    free(map);
    un_name_index_free(&index);
    return status;
}

un_status un_fold_add_classes(un_dataset *dataset, const char *source, char *const *names,
                              size_t count) {
    unsigned char *is_seen = NULL;
    unsigned char *is_unseen = NULL;
    UN_TRY(need_labels(dataset, source));
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(dataset->class_count, 1, &is_seen));
    UN_GO(un_alloc(dataset->class_count, 1, &is_unseen));
    UN_GO(flag_classes(dataset, source, names, count, is_seen, is_unseen));
    UN_GO(add_by_class(dataset, source, 0, is_unseen));
done:
    free(is_seen);
    free(is_unseen);
    return status;
}

/* How many parts the seen classes are cut into; each part has at least one class. */
static size_t part_count(size_t seen) { return seen >= 16 ? 4 : seen >= 6 ? 3 : 2; }

un_status un_fold_propose(un_dataset *dataset, size_t count) {
    unsigned char *is_seen = NULL;
    unsigned char *is_unseen = NULL;
    int64_t *order = NULL;
    size_t seen = 0;
    UN_TRY(need_labels(dataset, "proposed folds"));
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(dataset->class_count, 1, &is_seen));
    UN_GO(un_alloc(dataset->class_count, 1, &is_unseen));
    UN_GO(un_alloc(dataset->class_count, sizeof *order, &order));
    un_dataset_classes_of(dataset, &dataset->trainval, is_seen);
    for (size_t c = 0; c < dataset->class_count; c++)
        if (is_seen[c]) order[seen++] = (int64_t)c;
    if (seen < 2)
        UN_GO(un_fail(UNSEEN_E_ARGUMENT,
                      "validation folds need at least 2 seen classes, the data set has %zu", seen));
    un_rng rng = un_rng_stream(UN_HOLDOUT_SEED, "folds", 0);
    un_rng_shuffle(&rng, order, seen);
    size_t parts = part_count(seen);
    for (size_t k = 0; k < count && k < parts; k++) {
        memset(is_unseen, 0, dataset->class_count);
        for (size_t i = seen * k / parts; i < seen * (k + 1) / parts; i++) is_unseen[order[i]] = 1;
        UN_GO(add_by_class(dataset, "proposed", 1, is_unseen));
    }
done:
    free(is_seen);
    free(is_unseen);
    free(order);
    return status;
}

static int equal_lists(const un_index_list *a, const un_index_list *b) {
    return a->count == b->count &&
           (a->count == 0 || memcmp(a->items, b->items, a->count * sizeof *a->items) == 0);
}

void un_fold_merge_equal(un_dataset *dataset) {
    size_t kept = 0;
    for (size_t i = 0; i < dataset->fold_count; i++) {
        int repeated = 0;
        for (size_t j = 0; j < kept; j++)
            repeated |= equal_lists(&dataset->folds[i].unseen, &dataset->folds[j].unseen);
        if (!repeated) dataset->folds[kept++] = dataset->folds[i];
    }
    dataset->fold_count = kept;
}

/* ---- proposing a split ---- */

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
} selector;

static void drop(selector *c) {
    free(c->images);
    free(c->unseen);
    free(c->has);
    free(c->seen_with);
    free(c->unseen_with);
    free(c->order);
}

/* Above the mean over classes. */
static void find_attributes(selector *c, const un_semantics *s) {
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

static un_status gather_candidates(selector *c, uint64_t seed) {
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
static size_t orphans_of(const selector *c, size_t k) {
    size_t n = 0;
    for (size_t a = 0; a < c->width; a++) {
        size_t own = c->has[k * c->width + a];
        n += c->seen_with[a] == own && own + c->unseen_with[a] > 0;
    }
    return n;
}

static void select_class(selector *c, size_t k) {
    c->unseen[k] = 1;
    for (size_t a = 0; a < c->width; a++) {
        c->seen_with[a] -= c->has[k * c->width + a];
        c->unseen_with[a] += c->has[k * c->width + a];
    }
}

static void select_classes(selector *c, size_t number) {
    size_t taken = 0;
    for (size_t i = 0; i < c->candidates && taken < number; i++) {
        if (orphans_of(c, (size_t)c->order[i]) > 0) continue;
        select_class(c, (size_t)c->order[i]);
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
        select_class(c, best);
    }
}

static un_status select_named(selector *c, const un_split_proposal *p) {
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
        if (!c->unseen[map[i]] && c->images[map[i]] > 0) select_class(c, map[i]);
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

/* So many unseen ones cannot be chosen: says what can. */
static un_status refuse_number(size_t candidates, size_t number, int some) {
    char most[64] = "";
    if (candidates < 2)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%zu class%s images; at least 2 need some, for there is nothing to tell "
                       "apart otherwise",
                       candidates, candidates == 1 ? " has" : "es have");
    if (candidates > 2)
        snprintf(most, sizeof most, "choose at most %zu%s", candidates - 2, some ? "" : ", or ");
    if (some)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%zu classes have images; %zu unseen and at least 2 seen ones cannot be "
                       "chosen from them%s%s",
                       candidates, number, *most ? "; " : "", most);
    return un_fail(UNSEEN_E_ARGUMENT,
                   "%zu classes have images; %zu unseen and at least 2 seen ones cannot be "
                   "chosen from them; %stake none with {--unseen-count} 0 (\"unseen_count\": 0 "
                   "in a split file): all classes with images are learned, those without are "
                   "the unseen ones, and nothing measures T1, U and H",
                   candidates, number, most);
}

static un_status select_unseen(selector *c, const un_split_proposal *p, un_split_outcome *outcome) {
    size_t number = p->number > 0 ? p->number : usual_number(c->candidates);
    if (p->no_unseen)
        number = 0;
    else if (p->unseen_count > 0)
        UN_TRY(select_named(c, p));
    else if (number + 2 <= c->candidates)
        select_classes(c, number);
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
    return refuse_number(c->candidates, number, p->some_unseen);
}

/* Sorts images by class, order kept: class k has members[first[k]] to
 * members[first[k + 1] - 1]. `first` holds C + 1 entries. */
static void group(const un_dataset *d, const size_t *images, size_t *first, int64_t *members) {
    for (size_t k = 0; k < d->class_count; k++) first[k + 1] = first[k] + images[k];
    for (size_t i = 0; i < d->image_count; i++) members[first[d->labels[i]]++] = (int64_t)i;
    for (size_t k = d->class_count; k > 0; k--) first[k] = first[k - 1];
    first[0] = 0;
}

static un_status make_lists(un_dataset *d, const selector *c, uint64_t seed) {
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
    selector c = {.dataset = dataset};
    un_status status = UNSEEN_OK;
    UN_GO(gather_candidates(&c, proposal->seed));
    UN_GO(select_unseen(&c, proposal, outcome));
    UN_GO(make_lists(dataset, &c, proposal->seed));
done:
    drop(&c);
    return status;
}
