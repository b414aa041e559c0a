/* budget.c - see budget.h. */
#include "vision/image/budget.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>

/* What must be left for everything small, above all GLib's objects. */
static const size_t MARGIN = (size_t)32 << 20;
const size_t un_decoding_budget = (size_t)3 << 27;

static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_returned = PTHREAD_COND_INITIALIZER;
static un_budget_usage g_usage;
static _Thread_local size_t g_mine; /* held by this thread */

/* Of a forked process's threads the child has one, and of the budget what that one holds. */
static void in_child(void) {
    static const pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static const pthread_cond_t returned = PTHREAD_COND_INITIALIZER;
    g_lock = lock;
    g_returned = returned;
    g_usage.held = g_mine;
}

static void watch_forks(void) { pthread_atfork(NULL, NULL, in_child); }

/* A limit of address space (ulimit -v) and strict accounting refuse the mapping. */
static int is_there(size_t bytes) {
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return 0;
    munmap(at, bytes);
    return 1;
}

static un_status fail_decoding(size_t bytes) {
    return un_fail(UNSEEN_E_MEMORY,
                   "out of memory: decoding needs %zu MB that the system does not give; use fewer "
                   "threads, or raise the limit (ulimit -v)",
                   (bytes + 999999) / 1000000);
}

un_status un_memory_check(size_t bytes) {
    return is_there(bytes) ? UNSEEN_OK : fail_decoding(bytes);
}

/* What others hold may be promised and not yet allocated, so it is asked for again. */
un_status un_budget_take(size_t bytes) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    un_status status = UNSEEN_OK;
    pthread_once(&once, watch_forks);
    if (bytes > SIZE_MAX / 4) return fail_decoding(bytes);
    pthread_mutex_lock(&g_lock);
    for (;;) {
        int waits = g_usage.held > 0 && g_mine == 0;
        size_t promised = waits ? g_usage.held : 0;
        int there = is_there(promised + bytes + MARGIN);
        if (there && (!waits || g_usage.held + bytes <= un_decoding_budget)) break;
        if (!waits) {
            status = fail_decoding(bytes + MARGIN);
            break;
        }
        pthread_cond_wait(&g_returned, &g_lock);
    }
    if (!status) {
        g_mine += bytes;
        g_usage.held += bytes;
        if (g_usage.held > g_usage.most) g_usage.most = g_usage.held;
    }
    pthread_mutex_unlock(&g_lock);
    return status;
}

void un_budget_return(size_t bytes) {
    if (bytes == 0) return;
    pthread_mutex_lock(&g_lock);
    g_usage.held -= bytes;
    g_mine -= bytes < g_mine ? bytes : g_mine;
    pthread_cond_broadcast(&g_returned);
    pthread_mutex_unlock(&g_lock);
}

un_budget_usage un_budget_look(void) {
    pthread_mutex_lock(&g_lock);
    un_budget_usage usage = g_usage;
    pthread_mutex_unlock(&g_lock);
    return usage;
}
