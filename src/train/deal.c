/* deal.c - see deal.h. */
#include "train/deal.h"

#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/status.h"

enum { OPEN = 0, BEGUN, DONE }; /* units */
enum { ASK, ANSWER };           /* tags */

/* Messages: the number of a unit, then for as many units as have results their number, their bytes
 * and these. ASK, to rank 0: the unit that was done. ANSWER, from there: the next one. Either may be
 * STOP instead, at any time. */
enum { STOP = UN_NO_UNIT - 1 };
typedef struct {
    int64_t unit;
    uint64_t bytes;
} part_head;

/* ---- messages ---- */

typedef struct {
    unsigned char *data;
    size_t bytes;
} message;

static un_status add_part(message *m, long unit, const un_unit_result *r) {
    part_head head = {.unit = unit, .bytes = r ? r->bytes : 0};
    unsigned char *data = realloc(m->data, m->bytes + sizeof head + head.bytes);
    if (!data) return un_fail_memory(m->bytes + sizeof head + head.bytes);
    memcpy(data + m->bytes, &head, sizeof head);
    if (head.bytes > 0) memcpy(data + m->bytes + sizeof head, r->data, head.bytes);
    m->data = data;
    m->bytes += sizeof head + head.bytes;
    return UNSEEN_OK;
}

/* The part at *at, which goes on behind it; a result, if it has one, is put into the deal. */
static un_status take_part(un_deal *deal, const message *m, size_t *at, long *unit) {
    part_head head;
    if (m->bytes - *at < sizeof head) return un_fail(UNSEEN_E_FORMAT, "a message of ranks is cut");
    memcpy(&head, m->data + *at, sizeof head);
    *at += sizeof head;
    if (head.bytes > m->bytes - *at || head.unit < STOP || head.unit >= (int64_t)deal->count ||
        (head.unit < 0 && head.bytes > 0))
        return un_fail(UNSEEN_E_FORMAT, "a message of ranks is wrong");
    *unit = (long)head.unit;
    if (head.bytes == 0) return UNSEEN_OK;
    un_unit_result *r = &deal->results[head.unit];
    free(r->data);
    *r = (un_unit_result){0};
    UN_TRY(un_alloc(head.bytes, 1, &r->data));
    memcpy(r->data, m->data + *at, head.bytes);
    r->bytes = head.bytes;
    *at += head.bytes;
    return UNSEEN_OK;
}

/* ---- rank 0: dealing ---- */

static int is_first(void) { return un_cluster_rank(un_cluster_all()) == 0; }

static int is_ready(const un_deal *deal, const un_unit *u) {
    for (size_t i = 0; i < deal->count && u->kind == UN_UNIT_FINAL; i++)
        if (deal->units[i].kind == UN_UNIT_SELECTION && deal->units[i].training == u->training &&
            deal->state[i] != DONE)
            return 0;
    return 1;
}

/* The next unit; UN_NO_UNIT if none is left. *wait = 1: what is left cannot begin yet. */
static long choose(const un_deal *deal, int *wait) {
    *wait = 0;
    for (size_t i = 0; i < deal->count; i++) {
        if (deal->state[i] != OPEN) continue;
        if (is_ready(deal, &deal->units[i])) return (long)i;
        *wait = 1;
    }
    return UN_NO_UNIT;
}

static un_status make_answer(un_deal *deal, long unit, message *m) {
    UN_TRY(add_part(m, unit, NULL));
    if (unit == UN_NO_UNIT) return UNSEEN_OK;
    deal->state[unit] = BEGUN;
    if (deal->units[unit].kind != UN_UNIT_FINAL) return UNSEEN_OK;
    for (size_t i = 0; i < deal->count; i++)
        if (deal->units[i].kind == UN_UNIT_SELECTION &&
            deal->units[i].training == deal->units[unit].training)
            UN_TRY(add_part(m, (long)i, &deal->results[i]));
    return UNSEEN_OK;
}

/* The other teams that wait get units, as long as there are some that can begin. */
static un_status answer_waiting(un_deal *deal) {
    for (size_t t = 1; t < deal->teams; t++) {
        int wait = 0;
        long unit = UN_NO_UNIT;
        message m = {0};
        if (!deal->waits[t]) continue;
        unit = choose(deal, &wait);
        if (wait && unit == UN_NO_UNIT) return UNSEEN_OK;
        un_status status = make_answer(deal, unit, &m);
        if (!status)
            status = un_cluster_post(un_cluster_all(), t * deal->per_team, ANSWER, m.data, m.bytes);
        free(m.data);
        UN_TRY(status);
        deal->waits[t] = 0;
        if (unit == UN_NO_UNIT)
            deal->finished++;
        else if (deal->units[unit].kind == UN_UNIT_FINAL)
            un_deal_forget(deal, deal->units[unit].training);
    }
    return UNSEEN_OK;
}

void un_deal_forget(un_deal *deal, size_t training) {
    for (size_t i = 0; i < deal->count; i++) {
        if (deal->units[i].kind != UN_UNIT_SELECTION || deal->units[i].training != training)
            continue;
        free(deal->results[i].data);
        deal->results[i] = (un_unit_result){0};
    }
}

/* ---- the wish to stop ---- */

static int is_stopped(const un_deal *deal) { return deal->stop && *deal->stop; }

static un_status post_stop(size_t to) {
    message m = {0};
    un_status status = add_part(&m, STOP, NULL);
    if (!status)
        status = un_cluster_post(un_cluster_all(), to, is_first() ? ANSWER : ASK, m.data, m.bytes);
    free(m.data);
    return status;
}

/* Once: to rank 0, and from there to all. */
static un_status pass_on(un_deal *deal) {
    if (!is_stopped(deal) || deal->passed_on) return UNSEEN_OK;
    deal->passed_on = 1;
    if (!is_first()) return post_stop(0);
    for (size_t t = 1; t < deal->teams; t++) UN_TRY(post_stop(t * deal->per_team));
    return UNSEEN_OK;
}

/* ---- hearing ---- */

/* A message that is there; its parts are in the deal. */
static un_status receive(un_deal *deal, size_t from, long *unit) {
    message m = {0};
    size_t at = 0;
    long part = 0;
    UN_TRY(un_cluster_fetch(un_cluster_all(), from, is_first() ? ASK : ANSWER, NULL,
                            (void **)&m.data, &m.bytes));
    un_status status = take_part(deal, &m, &at, unit);
    while (!status && at < m.bytes) status = take_part(deal, &m, &at, &part);
    free(m.data);
    if (!status && *unit == STOP && deal->stop) *deal->stop = 1;
    return status;
}

/* Rank 0: what a team has to say. */
static un_status hear(un_deal *deal, size_t from) {
    long done = UN_NO_UNIT;
    UN_TRY(receive(deal, from, &done));
    if (done == STOP) return UNSEEN_OK;
    if (done != UN_NO_UNIT) deal->state[done] = DONE;
    deal->waits[from / deal->per_team] = 1;
    return UNSEEN_OK;
}

un_status un_deal_serve(un_deal *deal) {
    if (deal->teams <= 1 || un_cluster_rank(deal->team) != 0) return UNSEEN_OK;
    for (;;) {
        size_t from = 0;
        int there = 0;
        long unit = UN_NO_UNIT;
        UN_TRY(un_cluster_look(un_cluster_all(), is_first() ? ASK : ANSWER, &from, &there));
        if (!there) break;
        if (is_first())
            UN_TRY(hear(deal, from));
        else
            UN_TRY(receive(deal, from, &unit)); /* nobody has asked: STOP */
    }
    UN_TRY(pass_on(deal));
    return is_first() ? answer_waiting(deal) : UNSEEN_OK;
}

/* Waits for a message of another rank; fails when this one is to stop, or hears that it is. */
static un_status await(un_deal *deal, size_t *from) {
    un_status status =
        un_cluster_await(un_cluster_all(), is_first() ? ASK : ANSWER, deal->stop, from);
    if (status == UNSEEN_E_INTERRUPTED) UN_TRY(pass_on(deal));
    return status;
}

static un_status stopped(void) {
    return un_fail(UNSEEN_E_INTERRUPTED, "stopped while waiting for other ranks");
}

/* ---- the next unit ---- */

static void keep_result(un_deal *deal, long done, un_unit_result *result) {
    free(deal->results[done].data);
    deal->results[done] = *result;
    *result = (un_unit_result){0};
    deal->state[done] = DONE;
}

/* Rank 0's own next unit. It stays to the end: until all others know that there is no more. */
static un_status choose_own(un_deal *deal, long done, un_unit_result *result, long *next) {
    size_t from = 0;
    if (done != UN_NO_UNIT) keep_result(deal, done, result);
    for (;;) {
        int wait = 0;
        UN_TRY(un_deal_serve(deal));
        if (deal->teams > 1 && is_stopped(deal)) return stopped();
        *next = choose(deal, &wait);
        if (*next != UN_NO_UNIT) break;
        if (!wait && deal->finished + 1 == deal->teams) return UNSEEN_OK;
        UN_TRY(await(deal, &from));
        UN_TRY(hear(deal, from));
    }
    deal->state[*next] = BEGUN;
    return UNSEEN_OK;
}

/* ---- the others ---- */

/* The next unit from rank 0, and what came with it, in the deal. */
static un_status ask(un_deal *deal, long done, const un_unit_result *result, long *next) {
    message m = {0};
    size_t from = 0;
    un_status status = add_part(&m, done, done == UN_NO_UNIT ? NULL : result);
    if (!status) status = un_cluster_post(un_cluster_all(), 0, ASK, m.data, m.bytes);
    free(m.data);
    UN_TRY(status);
    UN_TRY(await(deal, &from));
    UN_TRY(receive(deal, from, next));
    return *next == STOP ? stopped() : UNSEEN_OK;
}

/* What the first rank of a team came by, or that it failed, to all of it. */
static un_status tell_team(const un_deal *deal, un_status mine, message *m) {
    uint64_t head[] = {(uint64_t)mine, m->bytes};
    if (un_cluster_size(deal->team) == 1) return mine;
    int leads = un_cluster_rank(deal->team) == 0;
    un_status status = un_cluster_broadcast(deal->team, 0, head, sizeof head);
    if (leads && mine) return mine;
    UN_TRY(status);
    if (head[0]) return un_fail((un_status)head[0], "the first rank of this team stopped");
    if (!leads) UN_TRY(un_alloc(head[1], 1, &m->data));
    m->bytes = head[1];
    return un_cluster_broadcast(deal->team, 0, m->data, m->bytes);
}

un_status un_deal_next(un_deal *deal, long done, un_unit_result *result, long *next) {
    message m = {0};
    size_t at = 0;
    un_status status = UNSEEN_OK;
    int leads = un_cluster_rank(deal->team) == 0;
    *next = UN_NO_UNIT;
    if (leads)
        status = is_first() ? choose_own(deal, done, result, next) : ask(deal, done, result, next);
    if (!status && leads && un_cluster_size(deal->team) > 1) status = make_answer(deal, *next, &m);
    UN_GO(tell_team(deal, status, &m));
    while (!leads && at < m.bytes) {
        long part = 0;
        UN_GO(take_part(deal, &m, &at, at == 0 ? next : &part));
    }
done:
    free(m.data);
    if (result) {
        free(result->data);
        *result = (un_unit_result){0};
    }
    return status;
}

/* ---- life ---- */

static int before(const void *a, const void *b) {
    const un_unit *x = a, *y = b;
    int fx = x->kind == UN_UNIT_FINAL, fy = y->kind == UN_UNIT_FINAL;
    if (fx != fy) return fx - fy;
    if (x->training != y->training) return x->training < y->training ? -1 : 1;
    if (x->cost < y->cost || x->cost > y->cost) return x->cost > y->cost ? -1 : 1;
    return x->run < y->run ? -1 : x->run > y->run;
}

un_status un_deal_open(un_deal *deal, un_unit *units, size_t count, size_t per_team,
                       un_cluster *team, volatile sig_atomic_t *stop) {
    *deal = (un_deal){.units = units,
                      .count = count,
                      .per_team = per_team,
                      .teams = un_cluster_size(un_cluster_all()) / per_team,
                      .team = team,
                      .stop = stop};
    if (count > 0) qsort(units, count, sizeof *units, before);
    UN_TRY(un_alloc(count, sizeof *deal->results, &deal->results));
    UN_TRY(un_alloc(count, 1, &deal->state));
    return un_alloc(deal->teams, 1, &deal->waits);
}

void un_deal_close(un_deal *deal) {
    for (size_t i = 0; deal->results && i < deal->count; i++) free(deal->results[i].data);
    free(deal->results);
    free(deal->state);
    free(deal->waits);
    free(deal->units);
    *deal = (un_deal){0};
}
