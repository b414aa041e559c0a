/*
 * libvips.c - a library with a process-wide state that prints; this file tames it.
 *
 * It is started once, with its operation cache off, all loaders blocked but those of JPEG, PNG,
 * WebP, TIFF, GIF and HEIF, and its warnings sent to the log. Of its modules only HEIF's is loaded,
 * with the first such picture. Where the host has started it before, all of this is the host's and
 * stays so. Forks wait until nobody is in it.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/foreign/vips.h"
#include "base/status.h"
#include "vision/image/image_parts.h"

/* Bytes: of libvips and the libraries below it; once it is started with all modules that a
 * distribution has for it, twice what was measured; of HEIF's module. */
enum { LOAD_NEED = 112 << 20, START_NEED = 96 << 20, HEIF_NEED = 32 << 20 };

static pthread_mutex_t g_start_lock = PTHREAD_MUTEX_INITIALIZER;
static enum { NOT_STARTED, STARTED, BROKEN } g_state;
static char *g_modules; /* the folder of those that were left out at the start; NULL: none were */
/* Readers decode; a writer has libvips to itself. Writers first, or a damaged picture would
 * wait until a whole folder is done. */
static pthread_rwlock_t g_lock = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static _Thread_local int t_holding;      /* this thread holds one of these locks */
static _Thread_local const char *t_name; /* of the picture that warnings belong to */

/* What libvips said while a lock was held. The log is the host's, which may decode a picture or fork
 * in it, or wait there for a lock that a forking thread has: it is told when no lock is held. */
enum { MOST_HEARD = 8, MESSAGE_LENGTH = 320 };
/* Nothing else is taken under it. */
static pthread_mutex_t g_heard_lock = PTHREAD_MUTEX_INITIALIZER;
static char g_heard[MOST_HEARD][MESSAGE_LENGTH];
static size_t g_heard_count;
static atomic_size_t g_holding; /* threads of which t_holding */

static void log_warning(const gchar *domain, GLogLevelFlags level, const gchar *message,
                        gpointer user) {
    const char *name = t_name ? t_name : "libvips";
    (void)domain;
    (void)level;
    (void)user;
    if (g_holding == 0) {
        un_log(UNSEEN_LOG_DEBUG, "%s: %s", name, message);
        return;
    }
    pthread_mutex_lock(&g_heard_lock); /* it may be libvips's own thread that says it */
    if (g_heard_count < MOST_HEARD)
        snprintf(g_heard[g_heard_count++], MESSAGE_LENGTH, "%s: %s", name, message);
    pthread_mutex_unlock(&g_heard_lock);
}

static void tell_heard(void) {
    char heard[MOST_HEARD][MESSAGE_LENGTH];
    pthread_mutex_lock(&g_heard_lock);
    size_t count = g_heard_count;
    memcpy(heard, g_heard, count * sizeof *heard);
    g_heard_count = 0;
    pthread_mutex_unlock(&g_heard_lock);
    for (size_t i = 0; i < count; i++) un_log(UNSEEN_LOG_DEBUG, "%s", heard[i]);
}

void un_vips_take(const char *name, int alone) {
    t_name = name;
    g_holding++;
    if (alone)
        pthread_rwlock_wrlock(&g_lock);
    else
        pthread_rwlock_rdlock(&g_lock);
    t_holding = 1;
}

void un_vips_leave(void) {
    t_holding = 0;
    pthread_rwlock_unlock(&g_lock);
    g_holding--;
    t_name = NULL;
    tell_heard();
}

/* A fork waits until no picture is being decoded and libvips is not being started: a child has none
 * of the other threads, and what they hold, libvips's and GLib's own locks among it, would stay
 * locked there for ever. (A signal handler that forks may have interrupted such work.) */
static void before_fork(void) {
    if (t_holding) return;
    pthread_mutex_lock(&g_start_lock);
    pthread_rwlock_wrlock(&g_lock);
    pthread_mutex_lock(&g_heard_lock);
}

static void after_fork(void) {
    if (t_holding) return;
    pthread_mutex_unlock(&g_heard_lock);
    pthread_rwlock_unlock(&g_lock);
    pthread_mutex_unlock(&g_start_lock);
}

static int g_forked; /* libvips was started in a parent of this process */

/* Others may have been waiting for these. */
static void in_child(void) {
    static const pthread_rwlock_t lock = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
    static const pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    g_forked = g_state != NOT_STARTED;
    g_holding = t_holding != 0;
    g_heard_count = 0; /* the parent tells it */
    if (t_holding) return;
    g_lock = lock;
    g_start_lock = g_heard_lock = mutex;
}

int un_vips_was_forked(void) { return g_forked; }

static void watch_forks(void) { pthread_atfork(before_fork, after_fork, in_child); }

/* The folder of libvips's modules, which is beside it; NULL where it has none. Released with
 * g_free(). */
static char *find_modules(void) {
    int (*function)(const char *) = vips_init;
    void *address = NULL;
    Dl_info library;
    memcpy(&address, &function, sizeof address); /* a cast would not be standard C */
    if (!dladdr(address, &library) || !library.dli_fname) return NULL;
    char *folder = g_path_get_dirname(library.dli_fname);
    char *modules =
        g_strdup_printf("%s/vips-modules-%d.%d", folder, vips_version(0), vips_version(1));
    g_free(folder);
    if (access(modules, R_OK | X_OK) == 0) return modules;
    g_free(modules);
    return NULL;
}

/* libvips loads all its modules when it starts: ImageMagick, Poppler and more, with the libraries
 * below them, for kinds that are not read here. That takes longer than one picture. It looks for
 * them below $VIPSHOME, which it sets itself if nobody has, and so finds none. */
static int start_without_modules(void) {
    if (!getenv("VIPSHOME")) g_modules = find_modules();
    if (g_modules) g_setenv("VIPSHOME", "/dev/null", TRUE);
    int failed = vips_init("unseen") != 0;
    if (g_modules) g_unsetenv("VIPSHOME");
    return failed;
}

/* The caller holds the lock. A lack of memory may pass: later calls try again. */
static un_status start(void) {
    static const char *const allowed[] = {"VipsForeignLoadJpeg",  "VipsForeignLoadPng",
                                          "VipsForeignLoadWebp",  "VipsForeignLoadTiff",
                                          "VipsForeignLoadNsgif", "VipsForeignLoadHeif"};
    if (g_state == STARTED) return UNSEEN_OK;
    if (g_state == NOT_STARTED) UN_TRY(un_memory_check((size_t)LOAD_NEED + START_NEED));
    UN_TRY(un_foreign_need(UN_VIPS));
    if (g_state == NOT_STARTED) UN_TRY(un_memory_check(START_NEED));
    if (g_state == BROKEN) return un_fail(UNSEEN_E_UNSUPPORTED, "libvips does not start");
    if (g_type_from_name("VipsOperation") != 0) { /* known from its start on: the host's */
        g_state = STARTED;
        return UNSEEN_OK;
    }
    g_state = BROKEN;
    /* Everything below fatal errors: fatal ones are a lack of memory, and GLib ends then. */
    g_log_set_handler("VIPS", G_LOG_LEVEL_MASK, log_warning, NULL);
    if (start_without_modules()) return un_fail(UNSEEN_E_UNSUPPORTED, "libvips does not start");
    vips_concurrency_set(1);
    vips_cache_set_max(0);
    vips_block_untrusted_set(TRUE);
    vips_operation_block_set("VipsForeignLoad", TRUE);
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        vips_operation_block_set(allowed[i], FALSE);
    g_state = STARTED;
    return UNSEEN_OK;
}

/* The caller holds the lock, and libvips was started. */
static un_status load_heif(void) {
    if (!g_modules) return UNSEEN_OK;
    UN_TRY(un_memory_check(HEIF_NEED));
    char *path = g_strdup_printf("%s/vips-heif." G_MODULE_SUFFIX, g_modules);
    GModule *module = g_module_open(path, G_MODULE_BIND_LAZY);
    if (module) g_module_make_resident(module); /* its types cannot be unloaded */
    g_free(path);
    g_free(g_modules); /* one attempt */
    g_modules = NULL;
    return UNSEEN_OK;
}

un_status un_vips_prepare(un_file_kind kind) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    un_foreign_watch_forks(); /* first, as its lock is taken under ours */
    pthread_once(&once, watch_forks);
    g_holding++;
    pthread_mutex_lock(&g_start_lock);
    t_holding = 1;
    un_status status = start();
    if (!status && kind == UN_KIND_HEIF) status = load_heif();
    t_holding = 0;
    pthread_mutex_unlock(&g_start_lock);
    g_holding--;
    tell_heard();
    return status;
}
