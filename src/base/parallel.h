/*
 * parallel.h - one thread pool for the whole process.
 *
 * oneDNN computes on libgomp's pool; a second OpenMP runtime (clang's) would
 * fight with it for the processors. So this room starts its parallel regions
 * through libgomp's own entry point, whichever compiler builds it, and no other
 * room spells an OpenMP pragma.
 */
#ifndef UN_BASE_PARALLEL_H
#define UN_BASE_PARALLEL_H

#include <stddef.h>

#include "base/status.h"

/* Work on items begin..end-1. Runs on several threads at once. */
typedef void (*un_range_function)(size_t begin, size_t end, void *context);

/* Splits 0..n-1 into one contiguous range a thread, each of at least `grain`
 * items, and waits for all. The split depends on n, grain and the thread count
 * only, so results are repeatable. */
void un_parallel_for(size_t n, size_t grain, un_range_function function, void *context);

/* The same with the number of the range, 0 <= range < un_thread_count(): for
 * partial results that are then added up in a fixed order. */
typedef void (*un_slot_function)(size_t begin, size_t end, size_t slot, void *context);
void un_parallel_slots(size_t n, size_t grain, un_slot_function function, void *context);

/* 1..1024, or 0 for every processor this process may run on. */
un_status un_set_threads(int threads);
int un_thread_count(void);

/* Processors this process may run on. */
int un_processor_count(void);

/* Space-separated names of the vector extensions found: "avx2 avx512f avx512_bf16 amx_bf16". */
const char *un_cpu_features(void);

#endif
