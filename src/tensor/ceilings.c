/* ceilings.c - bare loops on one and on all threads; see ceilings.h. */
#include "tensor/ceilings.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/parallel.h"
#include "tensor/bf16.h"
#include "tensor/kernels_isa.h"

enum {
    LEAST_RUNS = 5,
    ROUNDS = 4096, /* of multiply-adds in a pass */
    BLOCKS = 64,   /* of bf16 in a pass */
    LINE = 64 / sizeof(float),
    HUGE_PAGE = 1 << 21
};

/* Seconds: a run, many times what starting threads takes, and short beside the turns that a busy
 * machine gives to others; and all runs of a loop. */
static const double g_run = 0.004, g_runs = 0.25;

typedef struct {
    const un_isa_table *isa;
    const un_bf16_way *way;
    float *memory;
    size_t passes;
} bare_loop;

/* ---- one slot's share of a run ---- */

static void multiply_f32(size_t begin, size_t end, un_slot slot, void *context) {
    const bare_loop *l = context;
    (void)begin, (void)end, (void)slot;
    float x[2] = {0.5f, 0.5f};
    l->isa->multiply_add(l->passes * ROUNDS, x);
}

static void multiply_bf16(size_t begin, size_t end, un_slot slot, void *context) {
    const bare_loop *l = context;
    (void)begin, (void)end, (void)slot;
    un_bf16_bare_loop(l->way, l->passes * BLOCKS);
}

static void read_lines(size_t begin, size_t end, un_slot slot, void *context) {
    const bare_loop *l = context;
    (void)slot;
    for (size_t i = 0; i < l->passes; i++)
        l->isa->sum(l->memory + begin * LINE, (end - begin) * LINE);
}

static void store_lines(size_t begin, size_t end, un_slot slot, void *context) {
    const bare_loop *l = context;
    (void)slot;
    for (size_t i = 0; i < l->passes; i++)
        l->isa->fill(1.0f, l->memory + begin * LINE, (end - begin) * LINE);
}

static void stream_lines(size_t begin, size_t end, un_slot slot, void *context) {
    const bare_loop *l = context;
    (void)slot;
    for (size_t i = 0; i < l->passes; i++)
        l->isa->stream_fill(1.0f, l->memory + begin * LINE, (end - begin) * LINE);
}

/* ---- rates ---- */

static double seconds_of(un_slot_function work, size_t items, size_t slots, bare_loop *l) {
    double started = un_now();
    un_parallel_slots(items, slots, work, l);
    return un_now() - started;
}

/* Of `amount` (operations, bytes) in a pass of all slots together. */
static double best_rate(un_slot_function work, size_t items, size_t slots, double amount,
                        bare_loop *l) {
    double best = 0;
    for (l->passes = 1; seconds_of(work, items, slots, l) < g_run;) l->passes *= 2;
    double started = un_now();
    for (int run = 0; run < LEAST_RUNS || un_now() - started < g_runs; run++) {
        double rate = amount * (double)l->passes / seconds_of(work, items, slots, l);
        if (rate > best) best = rate;
    }
    return best;
}

/* A pass is as long for each thread. */
static un_ceiling of_products(un_slot_function work, double operations, bare_loop *l) {
    size_t threads = (size_t)un_thread_count();
    return (un_ceiling){best_rate(work, 1, 1, operations, l),
                        best_rate(work, threads, threads, operations * (double)threads, l)};
}

/* A pass is divided among the threads. */
static un_ceiling of_memory(un_slot_function work, size_t lines, bare_loop *l) {
    double bytes = (double)lines * LINE * sizeof(float);
    return (un_ceiling){best_rate(work, lines, 1, bytes, l),
                        best_rate(work, lines, un_slot_count(lines, 1), bytes, l)};
}

un_status un_ceilings_measure(size_t bytes, un_ceilings *out) {
    bare_loop l = {.isa = un_isa(), .way = un_bf16_way_here()};
    float x[2] = {0.5f, 0.5f};
    size_t size = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    l.memory = aligned_alloc(HUGE_PAGE, size);
    if (!l.memory) return un_fail_memory(size);
    madvise(l.memory, size, MADV_HUGEPAGE); /* a hint: fewer misses of address translation */
    size_t lines = bytes / (LINE * sizeof(float));
    out->f32 = of_products(multiply_f32, l.isa->multiply_add(ROUNDS, x), &l);
    out->bf16 = of_products(multiply_bf16, un_bf16_bare_loop(l.way, BLOCKS), &l);
    out->store = of_memory(store_lines, lines, &l); /* the first: its pages come to be */
    out->stream = of_memory(stream_lines, lines, &l);
    out->read = of_memory(read_lines, lines, &l);
    free(l.memory);
    return UNSEEN_OK;
}
