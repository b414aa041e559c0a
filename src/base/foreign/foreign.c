/* foreign.c - loading a library and finding its functions; see foreign.h. */
#include "base/foreign/foreign.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int g_ready[UN_FOREIGN_COUNT];

/* What another thread is loading at a fork would stay half loaded in the child, and the lock taken. */
static void before_fork(void) { pthread_mutex_lock(&g_lock); }
static void after_fork(void) { pthread_mutex_unlock(&g_lock); }
static void watch_forks(void) { pthread_atfork(before_fork, after_fork, after_fork); }

void un_foreign_watch_forks(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
}

static un_status fail_load(const un_foreign_library *l) {
    const char *package = l->package[0] ? l->package : NULL;
    const char *why = dlerror();
    return un_fail(UNSEEN_E_UNSUPPORTED, "%s %s%s%s%s, which cannot be loaded: %s", l->purpose,
                   l->file, package ? " (Debian's package " : "", package ? package : "",
                   package ? ")" : "", why ? why : "no reason is given");
}

/* Names that others offer are not looked at, and what is found here is not offered to them. */
static un_status load(const un_foreign_library *l) {
    void *handle = dlopen(l->file, RTLD_LAZY | RTLD_LOCAL);
    if (!handle) return fail_load(l);
    for (size_t i = 0; i < l->count; i++) {
        void *address = dlsym(handle, l->names[i]);
        if (!address)
            return un_fail(UNSEEN_E_UNSUPPORTED, "%s %s, but the one that is installed has no %s",
                           l->purpose, l->file, l->names[i]);
        memcpy((char *)l->table + i * sizeof address, &address, sizeof address);
    }
    return UNSEEN_OK;
}

un_status un_foreign_need(un_foreign library) {
    const un_foreign_library *l = &un_foreign_libraries[library];
    if (!l->file || atomic_load_explicit(&g_ready[library], memory_order_acquire)) return UNSEEN_OK;
    un_foreign_watch_forks();
    pthread_mutex_lock(&g_lock);
    un_status status = UNSEEN_OK;
    if (!atomic_load_explicit(&g_ready[library], memory_order_relaxed)) status = load(l);
    if (!status) atomic_store_explicit(&g_ready[library], 1, memory_order_release);
    pthread_mutex_unlock(&g_lock);
    return status;
}
