/* parallel.c - parallel loops on libgomp's pool; see parallel.h. */
#include "base/parallel.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

/* libgomp's stable ABI (what gcc emits for "#pragma omp parallel"), declared
 * here because clang's omp.h belongs to another runtime. */
extern void GOMP_parallel(void (*function)(void *), void *data, unsigned threads, unsigned flags);
extern int omp_get_thread_num(void);
extern int omp_get_num_threads(void);
extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int threads);

typedef struct {
    size_t n;
    size_t slots; /* ranges to make; fewer threads than asked for share them */
    un_slot_function function;
    void *context;
} region;

static void run_slots(void *data) {
    const region *r = data;
    size_t step = (size_t)omp_get_num_threads();
    for (size_t slot = (size_t)omp_get_thread_num(); slot < r->slots; slot += step) {
        size_t begin = r->n / r->slots * slot + (slot < r->n % r->slots ? slot : r->n % r->slots);
        size_t end = begin + r->n / r->slots + (slot < r->n % r->slots ? 1 : 0);
        r->function(begin, end, slot, r->context);
    }
}

void un_parallel_slots(size_t n, size_t grain, un_slot_function function, void *context) {
    if (n == 0) return;
    size_t slots = (size_t)un_thread_count();
    if (grain > 1 && n / grain < slots) slots = n / grain;
    if (slots > n) slots = n;
    if (slots <= 1) {
        function(0, n, 0, context);
        return;
    }
    region r = {n, slots, function, context};
    GOMP_parallel(run_slots, &r, (unsigned)slots, 0);
}

typedef struct {
    un_range_function function;
    void *context;
} range_call;

static void call_range(size_t begin, size_t end, size_t slot, void *context) {
    (void)slot;
    const range_call *call = context;
    call->function(begin, end, call->context);
}

void un_parallel_for(size_t n, size_t grain, un_range_function function, void *context) {
    range_call call = {function, context};
    un_parallel_slots(n, grain, call_range, &call);
}

int un_processor_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
    return 1;
}

un_status un_set_threads(int threads) {
    if (threads < 0 || threads > 1024)
        return un_fail(UNSEEN_E_ARGUMENT, "threads must be 0 (all) to 1024, not %d", threads);
    omp_set_num_threads(threads == 0 ? un_processor_count() : threads);
    return UNSEEN_OK;
}

/* OMP_NUM_THREADS may ask for more than partial results have room for. */
int un_thread_count(void) {
    int n = omp_get_max_threads();
    return n < 1024 ? n : 1024;
}

#if defined(__x86_64__)
#include <cpuid.h>
static int has_amx_bf16(void) { /* leaf 7, EDX bit 22; not known to gcc 12's builtin */
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1);
}
#endif

const char *un_cpu_features(void) {
    static _Thread_local char text[128];
    text[0] = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    const struct {
        const char *name;
        int present;
    } features[] = {{"avx2", __builtin_cpu_supports("avx2")},
                    {"fma", __builtin_cpu_supports("fma")},
                    {"avx512f", __builtin_cpu_supports("avx512f")},
                    {"avx512bw", __builtin_cpu_supports("avx512bw")},
                    {"avx512_bf16", __builtin_cpu_supports("avx512bf16")},
                    {"amx_bf16", has_amx_bf16()}};
    for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
        if (!features[i].present) continue;
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s", used ? " " : "", features[i].name);
    }
#endif
    return text[0] ? text : "none";
}
