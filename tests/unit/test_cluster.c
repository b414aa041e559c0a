/* test_cluster.c - cluster.h with as many ranks as there are: one, or those that mpirun starts. */
#include "cluster/cluster.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "nn/shared.h"
#include "protocol/metrics.h"
#include "tensor/kernels.h"
#include "train/deal.h"

static size_t rank(void) { return un_cluster_rank(un_cluster_all()); }
static size_t size(void) { return un_cluster_size(un_cluster_all()); }

/* mpirun has started as many as it was asked for. */
static void test_size(void **state) {
    const char *expected = getenv("UNSEEN_TEST_RANKS");
    (void)state;
    if (expected) assert_int_equal(size(), strtoul(expected, NULL, 10));
}

static void test_broadcast(void **state) {
    (void)state;
    for (size_t root = 0; root < size(); root++) {
        char text[32] = "";
        if (rank() == root) snprintf(text, sizeof text, "from rank %zu", root);
        assert_int_equal(un_cluster_broadcast(un_cluster_all(), root, text, sizeof text),
                         UNSEEN_OK);
        char expected[32];
        snprintf(expected, sizeof expected, "from rank %zu", root);
        assert_string_equal(text, expected);
    }
    assert_int_equal(un_cluster_barrier(un_cluster_all()), UNSEEN_OK);
}

/* Rank r gives r bytes of r: nothing is a number, too. */
static void test_gather(void **state) {
    (void)state;
    unsigned char mine[64];
    un_gathered all;
    memset(mine, (int)rank(), sizeof mine);
    assert_int_equal(un_cluster_gather(un_cluster_all(), mine, rank() % sizeof mine, &all),
                     UNSEEN_OK);
    assert_int_equal(all.count, size());
    for (size_t r = 0; r < size(); r++) {
        assert_int_equal(all.begin[r + 1] - all.begin[r], r % sizeof mine);
        for (size_t i = all.begin[r]; i < all.begin[r + 1]; i++) assert_int_equal(all.data[i], r);
    }
    un_gathered_free(&all);
    assert_int_equal(un_cluster_gather(NULL, mine, 5, &all), UNSEEN_OK);
    assert_int_equal(all.count, 1);
    assert_int_equal(all.begin[1], 5);
    assert_memory_equal(all.data, mine, 5);
    un_gathered_free(&all);
}

/* Even and odd ranks; each group hears its own only. */
static void test_split(void **state) {
    (void)state;
    un_cluster *group = NULL;
    un_gathered all;
    uint32_t mine = (uint32_t)rank();
    assert_int_equal(un_cluster_split(un_cluster_all(), rank() % 2, &group), UNSEEN_OK);
    assert_int_equal(un_cluster_size(group), (size() + 1 - rank() % 2) / 2);
    assert_int_equal(un_cluster_rank(group), rank() / 2);
    assert_int_equal(un_cluster_gather(group, &mine, sizeof mine, &all), UNSEEN_OK);
    for (size_t r = 0; r < all.count; r++) {
        uint32_t other = 0;
        memcpy(&other, all.data + all.begin[r], sizeof other);
        assert_int_equal(other, 2 * r + rank() % 2);
    }
    un_gathered_free(&all);
    un_cluster_free(group);
}

/* Block r of rank q, 1000 q + r, is block q of rank r afterwards. */
static void test_exchange(void **state) {
    (void)state;
    enum { MOST = 64 };
    uint32_t send[MOST] = {0}, receive[MOST] = {0};
    for (size_t r = 0; r < size(); r++) send[r] = (uint32_t)(1000 * rank() + r);
    assert_int_equal(un_cluster_exchange(un_cluster_all(), send, receive, sizeof *send), UNSEEN_OK);
    for (size_t r = 0; r < size(); r++) assert_int_equal(receive[r], 1000 * r + rank());
    assert_int_equal(un_cluster_share(un_cluster_all(), &send[0], receive, sizeof *send),
                     UNSEEN_OK);
    for (size_t r = 0; r < size(); r++) assert_int_equal(receive[r], 1000 * r);
}

/* The gradient of rank r at element i. */
static float gradient(size_t r, size_t i) {
    return (float)((i * 37 + r * 11) % 101) / 101.0f - 0.4f;
}

static void make_params(un_params *p) {
    const size_t shapes[] = {7, 33, 5000, 1};
    size_t index = 0;
    *p = (un_params){0};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        assert_int_equal(un_params_add(p, "piece", 1, &shapes[i], 0.01f, &index), UNSEEN_OK);
    assert_int_equal(un_params_allocate(p, 1, 1), UNSEEN_OK);
    for (size_t i = 0; i < p->trained; i++) p->value[i] = (float)(i % 13) - 6;
    un_params_refresh(p);
}

/* Gradients of this rank, from the last piece to the first: what is done with is said; where not, at
 * the end of all. */
static void go_back(un_params *p, int tells) {
    memset(p->grad, 0, p->trained * sizeof *p->grad);
    for (size_t k = p->count; k-- > 0;) {
        size_t begin = p->item[k].offset;
        for (size_t i = 0; i < p->item[k].count; i++)
            p->grad[begin + i] = gradient(rank(), begin + i);
        assert_int_equal(un_params_poll(p), UNSEEN_OK);
        if (tells) assert_int_equal(un_params_ready(p, k), UNSEEN_OK);
    }
}

/* The sums of all ranks' gradients in their order; `owner` of an element sends it nobody. */
static void add_gradients(un_params *p, const un_shared *shared, int narrow) {
    memset(p->grad, 0, p->trained * sizeof *p->grad);
    for (size_t k = 0; k < p->count; k++)
        for (size_t i = p->item[k].offset; i < p->item[k].offset + p->item[k].count; i++)
            for (size_t r = 0; r < size(); r++) {
                size_t owner = size() > 1 ? i / shared->piece % size() : 0;
                float g = gradient(r, i);
                un_bf16 g16;
                un_convert_to_bf16(&g, &g16, 1);
                if (narrow && r != owner) un_widen(&g16, &g, 1);
                p->grad[i] = r == 0 ? g : p->grad[i] + g;
            }
}

/* The state of all ranks as un_shared_spread tells it. */
typedef struct {
    float whole[6000];
    size_t next;
} spread;

static un_status take(void *context, size_t at, const float *piece, size_t n) {
    spread *s = context;
    assert_int_equal(at, s->next);
    memcpy(s->whole + at, piece, n * sizeof *piece);
    s->next += n;
    return UNSEEN_OK;
}

static void check_state(un_shared *shared, const float *mine, const float *expected, size_t n) {
    spread all = {.next = 0};
    float picked[6000];
    assert_int_equal(un_shared_spread(shared, mine, take, &all), UNSEEN_OK);
    assert_int_equal(all.next, n);
    assert_memory_equal(all.whole, expected, n * sizeof *expected);
    un_shared_pick(shared, expected, picked);
    assert_memory_equal(picked, mine, shared->own * sizeof *mine);
}

/* A shared step is a step with gradients that are added in the order of ranks, in however many windows
 * and whenever they set out. */
static void check_shared(int narrow, size_t window, int tells) {
    const un_optimizer_settings adam = {UN_ADAM, 0.01, 0.9, 0.999, 1e-8, 0, 0};
    un_params p, q;
    un_optimizer whole, part;
    un_shared shared;
    double l2 = 0;
    make_params(&p);
    make_params(&q);
    assert_int_equal(
        un_shared_create(&shared, un_cluster_all(), narrow ? UN_BF16 : UN_F32, &q, window),
        UNSEEN_OK);
    assert_int_equal(un_optimizer_create(&whole, &adam, &p), UNSEEN_OK);
    assert_int_equal(un_optimizer_create_part(&part, &adam, shared.own), UNSEEN_OK);
    for (int step = 0; step < 3; step++) {
        assert_int_equal(un_shared_begin(&shared, &part), UNSEEN_OK);
        q.unfinished = 1; /* of two mini-batches the first says nothing */
        go_back(&q, tells);
        q.unfinished = 0;
        go_back(&q, tells);
        /* Windows have set out already. */
        if (size() > 1 && shared.windows > 1) assert_int_equal(shared.sent > 0, tells);
        assert_int_equal(un_shared_end(&shared, &l2), UNSEEN_OK);
        add_gradients(&p, &shared, narrow);
        double expected = un_optimizer_step(&whole, &p);
        /* Lanes of f32 have 5000 / 16 terms in another order: 313 2^-24. */
        assert_true(fabs(l2 - expected) <= 2e-5 * expected);
        assert_memory_equal(p.value, q.value, p.trained * sizeof *p.value);
        assert_memory_equal(p.value16, q.value16, p.trained * sizeof *p.value16);
    }
    check_state(&shared, part.second, whole.second, p.trained);
    un_shared_free(&shared);
    un_optimizer_free(&whole);
    un_optimizer_free(&part);
    un_params_free(&p);
    un_params_free(&q);
}

static void test_shared_step(void **state) {
    (void)state;
    static const size_t windows[] = {UN_SHARED_WINDOW, 1000, 64}; /* one, 6, and some 80 */
    for (size_t w = 0; w < sizeof windows / sizeof *windows; w++)
        for (int narrow = 0; narrow < 2; narrow++)
            for (int tells = 0; tells < 2; tells++) check_shared(narrow, windows[w], tells);
}

/* Requests of one group and of another are through in whatever order they are asked for. */
static void test_requests(void **state) {
    (void)state;
    enum { MOST = 64, LONG = 1 << 16 };
    un_cluster *other = NULL;
    un_cluster_request *request[2] = {NULL};
    uint32_t send[MOST] = {0}, receive[MOST] = {0};
    unsigned char *mine = malloc(LONG), *all = malloc(LONG * size());
    assert_non_null(mine);
    assert_non_null(all);
    memset(mine, (int)rank() + 1, LONG);
    for (size_t r = 0; r < size(); r++) send[r] = (uint32_t)(1000 * rank() + r);
    assert_int_equal(un_cluster_split(un_cluster_all(), 0, &other), UNSEEN_OK);
    for (int turn = 0; turn < 2; turn++) {
        un_status first = UNSEEN_OK;
        if (rank() % 2) first = un_cluster_share_start(other, mine, all, LONG, &request[1]);
        assert_int_equal(first, UNSEEN_OK);
        assert_int_equal(
            un_cluster_exchange_start(un_cluster_all(), send, receive, sizeof *send, &request[0]),
            UNSEEN_OK);
        if (rank() % 2 == 0) first = un_cluster_share_start(other, mine, all, LONG, &request[1]);
        assert_int_equal(first, UNSEEN_OK);
        for (int left = 3; left > 0;) {
            un_cluster_request *pending[2];
            size_t n = 0;
            for (int i = 0; i < 2; i++)
                if (request[i]) pending[n++] = request[i];
            assert_int_equal(un_cluster_wait(pending, n), UNSEEN_OK);
            for (int i = 0; i < 2; i++) {
                int done = 0;
                assert_int_equal(un_cluster_test(&request[i], &done), UNSEEN_OK);
                assert_int_equal(done, request[i] == NULL);
                if (done) left &= ~(1 << i);
            }
        }
        for (size_t r = 0; r < size(); r++) assert_int_equal(receive[r], 1000 * r + rank());
        for (size_t i = 0; i < LONG * size(); i++)
            if (all[i] != i / LONG + 1) fail_msg("byte %zu", i);
        memset(receive, 0, sizeof receive);
        memset(all, 0, LONG * size());
    }
    un_cluster_free(other);
    free(mine);
    free(all);
}

/* ---- images scored by all ranks together ---- */

enum { KINDS = 3, SEEN = 1100, UNSEEN = 700, IMAGES = SEEN + UNSEEN };

typedef struct {
    un_method base;
    size_t scored; /* images */
    float bad;     /* the feature of an image whose scores are not finite; 0: none */
} fake;

/* How many are scored together shows in the scores, as it may in those of a real method. */
static un_status fake_score(un_method *method, const float *features, size_t n, float *scores) {
    fake *f = (fake *)method;
    f->scored += n;
    for (size_t i = 0; i < n * KINDS; i++) {
        float x = features[i / KINDS];
        scores[i] = x == f->bad ? NAN : x * (float)(i % KINDS) + (float)n;
    }
    return UNSEEN_OK;
}

static void test_predictions(void **state) {
    (void)state;
    static const un_method_class class = {.name = "fake", .score = fake_score};
    static float rows[IMAGES];
    static int32_t labels[IMAGES];
    static int64_t images[IMAGES];
    unsigned char seen[KINDS] = {1, 0, 1};
    for (size_t i = 0; i < IMAGES; i++) {
        rows[i] = (float)(i * 7919 % 1000) / 100 + 0.5f;
        labels[i] = i < SEEN ? 2 * (int32_t)(i % 2) : 1;
        images[i] = (int64_t)i;
    }
    rows[IMAGES - 1] = 99;
    const un_features features = {.image_count = IMAGES,
                                  .regions = 1,
                                  .width = 1,
                                  .dtype = UN_F32,
                                  .data = (const unsigned char *)rows,
                                  .row_bytes = sizeof *rows};
    const un_task task = {.classes = {.count = KINDS, .seen = seen},
                          .labels = labels,
                          .image_count = IMAGES,
                          .seen = {.items = images, .count = SEEN},
                          .unseen = {.items = images + SEEN, .count = UNSEEN}};
    fake f = {.base.class = &class};
    un_predictions alone, together;
    assert_int_equal(un_predictions_make(&alone, &f.base, &features, &task, 0.25, NULL, NULL),
                     UNSEEN_OK);
    assert_int_equal(f.scored, IMAGES);
    f.scored = 0;
    assert_int_equal(
        un_predictions_make(&together, &f.base, &features, &task, 0.25, un_cluster_all(), NULL),
        UNSEEN_OK);
    assert_true(size() == 1 ? f.scored == IMAGES : f.scored < IMAGES);
    assert_int_equal(together.count, IMAGES);
    assert_memory_equal(together.items, alone.items, IMAGES * sizeof *alone.items);
    un_predictions_free(&alone);
    un_predictions_free(&together);
    /* What one rank finds out all know. */
    f.bad = 99;
    assert_int_equal(
        un_predictions_make(&together, &f.base, &features, &task, 0.25, un_cluster_all(), NULL),
        UNSEEN_E_FORMAT);
    assert_non_null(strstr(un_error(), "not finite"));
}

/* A ring, two messages of one tag, one of them empty and one long. */
static void test_messages(void **state) {
    (void)state;
    enum { LONG = 1 << 20 };
    void *data = NULL;
    size_t bytes = 0, next = (rank() + 1) % size(), last = (rank() + size() - 1) % size();
    if (size() == 1) {
        assert_int_equal(un_cluster_post(un_cluster_all(), 0, 7, "x", 1), UNSEEN_E_ARGUMENT);
        assert_int_equal(un_cluster_fetch(un_cluster_all(), 0, 7, NULL, &data, &bytes),
                         UNSEEN_E_ARGUMENT);
        return;
    }
    unsigned char *mine = malloc(LONG);
    assert_non_null(mine);
    memset(mine, (int)rank() + 1, LONG);
    assert_int_equal(un_cluster_post(un_cluster_all(), next, 7, mine, LONG), UNSEEN_OK);
    memset(mine, 0, LONG); /* what was posted is a copy */
    assert_int_equal(un_cluster_post(un_cluster_all(), next, 7, NULL, 0), UNSEEN_OK);
    assert_int_equal(un_cluster_fetch(un_cluster_all(), last, 7, NULL, &data, &bytes), UNSEEN_OK);
    assert_int_equal(bytes, LONG);
    for (size_t i = 0; i < LONG; i++)
        if (((unsigned char *)data)[i] != last + 1) fail_msg("byte %zu", i);
    free(data);
    assert_int_equal(un_cluster_fetch(un_cluster_all(), last, 7, NULL, &data, &bytes), UNSEEN_OK);
    assert_int_equal(bytes, 0);
    free(data);
    free(mine);
    /* Nobody sends this one. */
    volatile sig_atomic_t stop = 1;
    assert_int_equal(un_cluster_fetch(un_cluster_all(), last, 8, &stop, &data, &bytes),
                     UNSEEN_E_INTERRUPTED);
}

static void test_agree(void **state) {
    (void)state;
    char expected[64];
    assert_int_equal(un_cluster_agree(UNSEEN_OK), UNSEEN_OK);
    /* One fails: all do, and say which. */
    un_status mine = rank() == size() - 1 ? un_fail(UNSEEN_E_IO, "no disk") : UNSEEN_OK;
    assert_int_equal(un_cluster_agree(mine), UNSEEN_E_IO);
    snprintf(expected, sizeof expected, size() > 1 ? "rank %zu on " : "no disk", size() - 1);
    assert_memory_equal(un_error(), expected, strlen(expected));
    assert_non_null(strstr(un_error(), "no disk"));
    mine = rank() == size() - 1 ? un_fail_errno(ENOENT, "no file") : UNSEEN_OK;
    assert_int_equal(un_cluster_agree(mine), UNSEEN_E_IO);
    assert_int_equal(un_error_code(), ENOENT);
    /* All fail in the same way: that is no matter of a rank. */
    assert_int_equal(un_cluster_agree(un_fail(UNSEEN_E_FORMAT, "no file")), UNSEEN_E_FORMAT);
    assert_string_equal(un_error(), "no file");
}

static void test_same(void **state) {
    (void)state;
    char text[32];
    assert_int_equal(un_cluster_same("colour", "red", 1), UNSEEN_OK);
    snprintf(text, sizeof text, "%s", rank() == 1 ? "green" : "red");
    un_status status = un_cluster_same("colour", text, 1);
    assert_int_equal(status, size() > 1 ? UNSEEN_E_ARGUMENT : UNSEEN_OK);
    if (size() == 1) return;
    assert_memory_equal(un_error(), "rank 1 on ", strlen("rank 1 on "));
    assert_non_null(strstr(un_error(), "has another colour (green) than rank 0 on "));
    assert_int_equal(un_cluster_same("colour", text, 0), UNSEEN_E_ARGUMENT);
    assert_null(strstr(un_error(), "green"));
}

enum { TRAININGS = 3, SELECTIONS = 2, UNITS = TRAININGS * (SELECTIONS + 1) };

/* What a unit gives: its training and run, over and over; in sizes that MPI sends differently. */
static un_unit_result unit_gives(const un_unit *u) {
    un_unit_result r = {.bytes = u->run == 1 ? 3 << 20 : 40};
    r.data = malloc(r.bytes);
    assert_non_null(r.data);
    memset(r.data, (int)(16 * u->training + u->run + 1), r.bytes);
    return r;
}

static void check_result(const un_unit *u, const un_unit_result *r) {
    un_unit_result expected = unit_gives(u);
    assert_int_equal(r->bytes, expected.bytes);
    assert_memory_equal(r->data, expected.data, r->bytes);
    free(expected.data);
}

/* A final run comes with what its training's selection runs gave. */
static void do_unit(un_deal *deal, long index) {
    const un_unit *u = &deal->units[index];
    for (long i = 0; i < UNITS && u->kind == UN_UNIT_FINAL; i++)
        if (deal->units[i].kind == UN_UNIT_SELECTION && deal->units[i].training == u->training)
            check_result(&deal->units[i], &deal->results[i]);
    if (u->kind == UN_UNIT_FINAL) un_deal_forget(deal, u->training);
    for (int step = 0; step < 20; step++) {
        const struct timespec time = {.tv_nsec = (long)(u->run + 1) * 500000};
        assert_int_equal(un_deal_serve(deal), UNSEEN_OK);
        nanosleep(&time, NULL);
    }
}

/* All units are done, each by one rank, and rank 0 has all they gave. */
static void test_deal(void **state) {
    (void)state;
    un_unit *units = calloc(UNITS, sizeof *units);
    un_deal deal;
    un_gathered all;
    unsigned char mine[UNITS] = {0};
    un_unit_result result = {0};
    long unit = UN_NO_UNIT;
    assert_non_null(units);
    for (size_t i = 0; i < UNITS; i++)
        units[i] = (un_unit){i % 3 == 2 ? UN_UNIT_FINAL : UN_UNIT_SELECTION, i / 3, i % 3,
                             (double)(i % 3)};
    assert_int_equal(un_deal_open(&deal, units, UNITS, 1, NULL, NULL), UNSEEN_OK);
    for (;;) {
        assert_int_equal(un_deal_next(&deal, unit, &result, &unit), UNSEEN_OK);
        if (unit == UN_NO_UNIT) break;
        do_unit(&deal, unit);
        mine[unit]++;
        result = unit_gives(&deal.units[unit]);
    }
    assert_int_equal(un_cluster_gather(un_cluster_all(), mine, sizeof mine, &all), UNSEEN_OK);
    for (size_t i = 0; i < UNITS; i++) {
        int times = 0;
        for (size_t r = 0; r < size(); r++) times += all.data[r * UNITS + i];
        assert_int_equal(times, 1);
        if (rank() == 0 && deal.units[i].kind == UN_UNIT_FINAL)
            check_result(&deal.units[i], &deal.results[i]);
    }
    /* Others wait for selection runs: these come first, of a training the longest. */
    assert_int_equal(deal.units[0].run, 1);
    assert_int_equal(deal.units[UNITS - TRAININGS].kind, UN_UNIT_FINAL);
    un_gathered_free(&all);
    un_deal_close(&deal);
}

/* The last rank alone is to stop, while it works or while it waits: all hear of it. */
static void test_deal_stops(void **state) {
    (void)state;
    for (int waiting = 0; waiting < 2 && size() > 1; waiting++) {
        un_unit *units = calloc(UNITS, sizeof *units);
        volatile sig_atomic_t stop = 0;
        un_deal deal;
        un_unit_result none = {0};
        long unit = UN_NO_UNIT;
        int last = rank() + 1 == size();
        assert_non_null(units);
        /* Where it is to wait there is no work but a final run, whose selection run goes on. */
        size_t count = waiting ? 2 : UNITS;
        for (size_t i = 0; i < count; i++)
            units[i] = (un_unit){i > 0 && waiting ? UN_UNIT_FINAL : UN_UNIT_SELECTION, 0, i, 1};
        assert_int_equal(un_deal_open(&deal, units, count, 1, NULL, &stop), UNSEEN_OK);
        if (waiting && last) stop = 1;
        un_status status = un_deal_next(&deal, UN_NO_UNIT, &none, &unit);
        if (waiting && last) assert_int_equal(status, UNSEEN_E_INTERRUPTED);
        if (!waiting && last) stop = 1;
        while (!status && !stop) {
            assert_int_equal(un_deal_serve(&deal), UNSEEN_OK);
            sched_yield();
        }
        assert_int_equal(un_deal_serve(&deal), UNSEEN_OK); /* passes it on */
        assert_true(stop);
        un_deal_close(&deal);
        assert_int_equal(un_cluster_barrier(un_cluster_all()), UNSEEN_OK);
        for (int there = 1; there;) { /* what is left, lest the next round hears it */
            size_t from = 0, bytes = 0;
            void *data = NULL;
            int tag = rank() == 0 ? 0 : 1;
            assert_int_equal(un_cluster_look(un_cluster_all(), tag, &from, &there), UNSEEN_OK);
            if (!there) break;
            assert_int_equal(un_cluster_fetch(un_cluster_all(), from, tag, NULL, &data, &bytes),
                             UNSEEN_OK);
            free(data);
        }
        assert_int_equal(un_cluster_barrier(un_cluster_all()), UNSEEN_OK);
    }
}

static void test_place(void **state) {
    (void)state;
    if (size() == 1) assert_string_equal(un_cluster_place(), "");
    assert_true(un_cluster_is_apart() == (rank() == 0));
    un_cluster_set_apart(1);
    assert_true(un_cluster_is_apart());
    un_cluster_set_apart(0);
    assert_true(un_cluster_processors(1) == 1);
    int some = un_cluster_processors(64);
    assert_true(some >= 1 && some <= 64);
}

/* Rank 0 fails in the middle of a step, when gradients are on their way that it will not add up; the
 * others wait for what it does not send. All end. */
static int fail_in_step(void) {
    const un_optimizer_settings adam = {UN_ADAM, 0.01, 0.9, 0.999, 1e-8, 0, 0};
    un_params p;
    un_optimizer optimizer;
    un_shared shared;
    double l2 = 0;
    int code = 1, tell = 0, together = 0;
    make_params(&p);
    if (un_shared_create(&shared, un_cluster_all(), UN_F32, &p, 64) != UNSEEN_OK ||
        un_optimizer_create_part(&optimizer, &adam, shared.own) != UNSEEN_OK ||
        un_shared_begin(&shared, &optimizer) != UNSEEN_OK)
        return 0;
    un_status status = un_params_ready(&p, rank() > 0 ? 0 : 2);
    if (status == UNSEEN_OK && rank() > 0) status = un_shared_end(&shared, &l2);
    if (status == UNSEEN_OK && rank() > 0) return 0; /* it cannot be */
    un_shared_free(&shared);
    un_optimizer_free(&optimizer);
    un_params_free(&p);
    un_cluster_leave(&code, "failed", 1, &tell, &together);
    if (together) return 0;
    puts("ends");
    fflush(stdout);
    un_cluster_abort(3);
}

static void test_folder(void **state) {
    (void)state;
    assert_int_equal(un_cluster_same_folder("/tmp/unseen-test_cluster.model"), UNSEEN_OK);
    un_status status = un_cluster_same_folder("/no-such-folder/unseen.model");
    assert_int_equal(status, size() == 1 ? UNSEEN_OK : UNSEEN_E_IO);
}

/* The last one, for messages of ranks that gave up waiting stay. */
static void test_meet(void **state) {
    (void)state;
    const volatile sig_atomic_t stop = 1;
    const struct timespec late = {.tv_nsec = 50000000};
    for (size_t i = 0; i < 3; i++) {
        if (rank() == i) nanosleep(&late, NULL);
        assert_int_equal(un_cluster_meet(NULL), UNSEEN_OK);
    }
    if (size() == 1) return;
    if (rank() + 1 < size()) assert_int_equal(un_cluster_meet(&stop), UNSEEN_E_INTERRUPTED);
    assert_int_equal(un_cluster_barrier(un_cluster_all()), UNSEEN_OK);
}

int main(int count, char **words) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_size),        cmocka_unit_test(test_broadcast),
        cmocka_unit_test(test_gather),      cmocka_unit_test(test_split),
        cmocka_unit_test(test_exchange),    cmocka_unit_test(test_shared_step),
        cmocka_unit_test(test_messages),    cmocka_unit_test(test_agree),
        cmocka_unit_test(test_same),        cmocka_unit_test(test_deal),
        cmocka_unit_test(test_deal_stops),  cmocka_unit_test(test_place),
        cmocka_unit_test(test_predictions), cmocka_unit_test(test_requests),
        cmocka_unit_test(test_folder),      cmocka_unit_test(test_meet),
    };
    int code = 0, tell = 0, together = 0;
    if (un_cluster_begin() != UNSEEN_OK) return 1;
    if (count > 1 && !strcmp(words[1], "fail")) return fail_in_step();
    code = cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
    un_cluster_leave(&code, "", 10, &tell, &together);
    if (!together) un_cluster_abort(1);
    un_cluster_end();
    return code;
}
