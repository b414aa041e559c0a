/*
 * parallel.h - parallel loops, on one thread pool for the whole process.
 *
 * oneDNN computes on libgomp's pool; a second OpenMP runtime (clang's) would
 * fight with it for the processors. So this room starts its parallel regions
 * through libgomp's own entry point, whichever compiler builds it, and no other
 * room spells an OpenMP pragma.
 *
 * A loop is cut into slots before it starts, and the number of slots is handed to
 * the callback. Nobody asks for a number of threads inside a region: what OpenMP
 * answers there may differ (OMP_NUM_THREADS=4,1), and it may give a region fewer
 * threads than it asked for, which then share the slots.
 *
 * A loop inside a loop runs on the thread that meets it.
 */
#ifndef UN_BASE_PARALLEL_H
#define UN_BASE_PARALLEL_H

#include <signal.h>
#include <stddef.h>

#include "base/status.h"

enum { UN_MAX_THREADS = 1024 };

/* ---- loops ---- */

/* Work on items begin..end-1. Runs on several threads at once. */
typedef void (*un_range_function)(size_t begin, size_t end, void *context);

/* Cuts 0..n-1 into contiguous ranges, at most one a thread and each of at least `grain` items, and
 * waits for all. With a grain of 64 or more every range begins at a multiple of 64, so that vector
 * loops meet the same vectors, and the same rest at the end, whatever the number of threads. */
void un_parallel_for(size_t n, size_t grain, un_range_function function, void *context);

/* The place of one range among those of its loop, for working memory of its own. */
typedef struct {
    size_t index, count; /* index < count, the number of slots that the loop was given */
} un_slot;
typedef void (*un_slot_function)(size_t begin, size_t end, un_slot slot, void *context);

/* How many slots un_parallel_for would cut this loop into now: at least 1, at most UN_MAX_THREADS.
 * Asked for once, before the memory of the slots is reserved: the number of threads may be changed
 * by another thread at any time. */
size_t un_slot_count(size_t n, size_t grain);
/* The loop with that many slots. Empty ranges (more slots than items) are not called. */
void un_parallel_slots(size_t n, size_t slots, un_slot_function function, void *context);

/* The same for items that may fail, one call for each. After a failure no more are begun; the status
 * and the sentence of the one that failed first, in time, are the caller's. */
typedef un_status (*un_item_function)(size_t item, un_slot slot, void *context);
un_status un_parallel_try(size_t n, size_t slots, un_item_function function, void *context);

/* The sum of what the function returns for the ranges of 0..n-1. They depend on n and `grain`
 * alone, and their values are added in order: the same bytes for any number of threads. */
typedef double (*un_sum_function)(size_t begin, size_t end, void *context);
double un_parallel_sum(size_t n, size_t grain, un_sum_function function, void *context);

/* ---- number of threads ---- */

/* For the whole process, whichever thread calls: 1..UN_MAX_THREADS, or 0 for every processor this
 * process may run on. Before the first call OMP_NUM_THREADS or the host's OpenMP decides. */
un_status un_set_threads(int threads);
/* Threads that a loop which the calling thread starts may use, itself included. */
int un_thread_count(void);

/* Libraries that start OpenMP regions of their own (oneDNN) run between these two. They ask OpenMP
 * how many threads there are and then rely on getting them, so OpenMP is told the number that this
 * thread really gets; the host's settings are put back. */
typedef struct {
    int threads;                    /* what such a region gets until the loan is returned */
    int host_threads, host_dynamic; /* the host's settings */
} un_openmp_loan;
un_openmp_loan un_openmp_borrow(void);
un_openmp_loan un_openmp_borrow_one(void); /* such a region is this thread alone */
void un_openmp_return(un_openmp_loan loan);

/* Processors this process may run on. */
int un_processor_count(void);

/* ---- signals ----
 *
 * Kernels that oneDNN writes at run time use the stack pointer as an ordinary register: it points into
 * their working memory, and a signal's handler would be given its frame there, over the heap. So no
 * signal is delivered to a thread while it runs such a kernel, nor at any time to threads of the pool,
 * which are started with signals held back (what a host's own OpenMP loop has started before, on the
 * same thread, is as the host made it). Other threads, and this one afterwards, take them. Faults of
 * the thread itself (SIGSEGV, SIGBUS, ...) are not held back. */
typedef struct {
    sigset_t before;
} un_held_signals;
un_held_signals un_signals_hold(void);
void un_signals_release(const un_held_signals *held);

/* Space-separated names of the vector extensions found: "avx2 avx512f avx512_bf16 amx_bf16". */
const char *un_cpu_features(void);

#endif
