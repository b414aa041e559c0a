/* parallel.c - parallel loops on libgomp's pool; see parallel.h. */
#include "base/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/status.h"

/* libgomp's stable ABI (what gcc emits for "#pragma omp parallel") and OpenMP's functions, declared
 * here because clang's omp.h belongs to another runtime. */
extern void GOMP_parallel(void (*function)(void *), void *data, unsigned threads, unsigned flags);
extern int omp_get_thread_num(void);
extern int omp_get_num_threads(void);
extern int omp_get_max_threads(void);
extern int omp_get_thread_limit(void);
extern int omp_in_parallel(void);
extern int omp_get_active_level(void);
extern int omp_get_max_active_levels(void);
extern int omp_get_dynamic(void);
extern void omp_set_dynamic(int dynamic);
extern void omp_set_num_threads(int threads);
extern int omp_pause_resource_all(int kind);

enum {
    ALIGN = 64,      /* see un_parallel_for */
    MAX_PARTS = 256, /* of a sum */
    PAUSE_SOFT = 1   /* omp_pause_soft */
};

static _Atomic int g_threads;      /* 0: OpenMP's */
static _Thread_local int t_inside; /* a region of ours */

/* ---- fork ---- */

/* A pool belongs to the thread that starts regions, and of a process's threads a fork copies
 * only the one that forks: in the child libgomp would wait for threads that are not there. So the
 * pool of the forking thread is dissolved before, and both processes make another when they need
 * it. */
static _Thread_local int t_asked; /* the most threads that this one has wanted for a region */
static _Thread_local int t_pool;  /* how many of them can be had; 0: it has started no regions */

static void before_fork(void) {
    if (!t_pool || t_inside) return;
    omp_pause_resource_all(PAUSE_SOFT);
    t_pool = t_asked = 0;
}

static void watch_forks(void) { pthread_atfork(before_fork, NULL, NULL); }

/* ---- what the system lets a process start ---- */

static void *wait_for_gate(void *gate) {
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

/* Of a process's threads, /proc has a folder each; 0 if that cannot be told. */
static size_t living_threads(void) {
    struct stat s;
    return stat("/proc/self/task", &s) == 0 && s.st_nlink > 2 ? (size_t)s.st_nlink - 2 : 0;
}

/* How many of n threads can be started, all at once. libgomp ends the process when it cannot start
 * one, so that this is found out before it is asked to. */
static int count_startable(int n) {
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[UN_MAX_THREADS];
    size_t before = living_threads();
    int started = 0;
    pthread_mutex_lock(&gate);
    while (started < n && pthread_create(&threads[started], NULL, wait_for_gate, &gate) == 0)
        started++;
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
    /* A joined thread counts against the limits until the kernel is done with it. */
    for (int i = 0; i < 1000 && living_threads() > before; i++) sched_yield();
    pthread_mutex_destroy(&gate);
    return started;
}

/* Before every region: how many of the threads it wants it can have. */
static int use_pool(int threads) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static _Atomic int told;
    if (threads > t_asked) {
        int known = t_pool > 1 ? t_pool : 1;
        pthread_once(&once, watch_forks);
        if (known == t_asked || t_asked == 0) known += count_startable(threads - known);
        t_asked = threads;
        t_pool = known;
        if (known < threads && !told++)
            un_log(UNSEEN_LOG_WARNING,
                   "the system starts only %d of %d threads (ulimit -u and -v, or a container's "
                   "limits), which then do all of the work",
                   known, threads);
    }
    return threads < t_pool ? threads : t_pool;
}

/* ---- loops ---- */

typedef struct {
    size_t n, unit; /* items; ranges begin at multiples of `unit` */
    size_t slots;
    un_slot_function function;
    void *context;
} region;

/* The first item of a slot; of slot number `slots`: the end. */
static size_t slot_begin(const region *r, size_t slot) {
    size_t units = (r->n + r->unit - 1) / r->unit;
    size_t rest = units % r->slots;
    size_t begin = (units / r->slots * slot + (slot < rest ? slot : rest)) * r->unit;
    return begin < r->n ? begin : r->n;
}

/* Every slot that is `first` or some steps further. */
static void run_slots(const region *r, size_t first, size_t step) {
    for (size_t slot = first; slot < r->slots; slot += step) {
        size_t begin = slot_begin(r, slot), end = slot_begin(r, slot + 1);
        if (begin < end) r->function(begin, end, (un_slot){slot, r->slots}, r->context);
    }
}

/* ThreadSanitizer does not see how libgomp's threads wait for each other: what was written before a
 * region happened before it, and what a thread of it writes before what follows the region. */
#if defined(__SANITIZE_THREAD__)
extern void __tsan_acquire(void *address);
extern void __tsan_release(void *address);
#define SEES(region) __tsan_acquire(region)
#define SHOWS(region) __tsan_release(region)
#else
#define SEES(region) ((void)(region))
#define SHOWS(region) ((void)(region))
#endif

/* What each thread of a region does. Only here is it certain that OpenMP speaks of that region. */
static void run_thread(void *data) {
    SEES(data);
    t_inside = 1;
    run_slots(data, (size_t)omp_get_thread_num(), (size_t)omp_get_num_threads());
    t_inside = 0;
    SHOWS(data);
}

un_held_signals un_signals_hold(void) {
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
    un_held_signals held;
    sigset_t all;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_BLOCK, &all, &held.before);
    return held;
}

void un_signals_release(const un_held_signals *held) {
    pthread_sigmask(SIG_SETMASK, &held->before, NULL);
}

static void run_region(region *r) {
    if (r->n == 0) return;
    int threads = un_thread_count(); /* fewer, where the number was lowered since they were cut */
    if ((size_t)threads > r->slots) threads = (int)r->slots;
    if (threads <= 1) {
        run_slots(r, 0, 1);
        return;
    }
    SHOWS(r);
    int ready = use_pool(threads);
    un_held_signals held = un_signals_hold(); /* threads that are started inherit it */
    GOMP_parallel(run_thread, r, (unsigned)ready, 0);
    un_signals_release(&held);
    SEES(r);
}

size_t un_slot_count(size_t n, size_t grain) {
    size_t slots = (size_t)un_thread_count();
    if (grain > 1 && n / grain < slots) slots = n / grain;
    if (slots > n) slots = n;
    return slots > 1 ? slots : 1;
}

void un_parallel_slots(size_t n, size_t slots, un_slot_function function, void *context) {
    region r = {n, 1, slots > 1 ? slots : 1, function, context};
    run_region(&r);
}

typedef struct {
    un_range_function function;
    void *context;
} range_call;

static void call_range(size_t begin, size_t end, un_slot slot, void *context) {
    (void)slot;
    const range_call *call = context;
    call->function(begin, end, call->context);
}

void un_parallel_for(size_t n, size_t grain, un_range_function function, void *context) {
    range_call call = {function, context};
    region r = {n, grain >= ALIGN ? ALIGN : 1, un_slot_count(n, grain), call_range, &call};
    run_region(&r);
}

typedef struct {
    un_item_function function;
    void *context;
    atomic_int status;  /* of the first failure */
    un_failure failure; /* its writer's until the region ends */
} item_call;

static void call_items(size_t begin, size_t end, un_slot slot, void *context) {
    item_call *call = context;
    for (size_t i = begin; i < end && !atomic_load(&call->status); i++) {
        int none = UNSEEN_OK, status = (int)call->function(i, slot, call->context);
        if (status && atomic_compare_exchange_strong(&call->status, &none, status))
            un_failure_keep(&call->failure);
    }
}

un_status un_parallel_try(size_t n, size_t slots, un_item_function function, void *context) {
    item_call call = {.function = function, .context = context};
    un_parallel_slots(n, slots < n ? slots : n, call_items, &call);
    un_status status = (un_status)atomic_load(&call.status);
    return status ? un_failure_put_back(&call.failure, status) : UNSEEN_OK;
}

typedef struct {
    un_sum_function function;
    void *context;
    size_t n, length; /* of a part */
    double parts[MAX_PARTS];
} sum_call;

static void sum_parts(size_t begin, size_t end, void *context) {
    sum_call *call = context;
    for (size_t i = begin; i < end; i++) {
        size_t first = i * call->length, left = call->n - first;
        call->parts[i] = call->function(first, first + (left < call->length ? left : call->length),
                                        call->context);
    }
}

double un_parallel_sum(size_t n, size_t grain, un_sum_function function, void *context) {
    if (n == 0) return 0;
    if (grain == 0) grain = 1;
    size_t grains = (n - 1) / grain + 1;
    sum_call call = {function, context, n, ((grains - 1) / MAX_PARTS + 1) * grain, {0}};
    size_t parts = (n - 1) / call.length + 1;
    double total = 0;
    un_parallel_for(parts, 1, sum_parts, &call);
    for (size_t i = 0; i < parts; i++) total += call.parts[i];
    return total;
}

/* ---- number of threads ---- */

int un_processor_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
    return 1;
}

un_status un_set_threads(int threads) {
    if (threads < 0 || threads > UN_MAX_THREADS)
        return un_fail(UNSEEN_E_ARGUMENT, "threads must be 0 (all) to %d, not %d", UN_MAX_THREADS,
                       threads);
    if (threads == 0) threads = un_processor_count();
    g_threads = threads < UN_MAX_THREADS ? threads : UN_MAX_THREADS;
    return UNSEEN_OK;
}

/* OpenMP's limits hold for all: OMP_THREAD_LIMIT, and no region inside too many others
 * (OMP_MAX_ACTIVE_LEVELS, 1 as a rule: a host may call from a region of its own). */
int un_thread_count(void) {
    int n = g_threads, limit = omp_get_thread_limit();
    if (t_inside || omp_get_active_level() >= omp_get_max_active_levels()) return 1;
    if (n == 0) n = omp_get_max_threads();
    if (n > limit) n = limit;
    if (n > UN_MAX_THREADS) n = UN_MAX_THREADS;
    return n < 1 ? 1 : n;
}

static un_openmp_loan borrow(int threads) {
    un_openmp_loan loan = {threads, omp_get_max_threads(), omp_get_dynamic()};
    omp_set_num_threads(threads);
    omp_set_dynamic(0);
    return loan;
}

un_openmp_loan un_openmp_borrow(void) {
    int threads = omp_in_parallel() ? 1 : un_thread_count(); /* what oneDNN does there */
    return borrow(threads > 1 ? use_pool(threads) : 1);
}

un_openmp_loan un_openmp_borrow_one(void) { return borrow(1); }

void un_openmp_return(un_openmp_loan loan) {
    omp_set_num_threads(loan.host_threads);
    omp_set_dynamic(loan.host_dynamic);
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
