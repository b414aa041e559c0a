/* test_host.c - what is the host's stays as it was: libvips that the host started and set, locale,
 * umask, working directory, signals, environment, OpenMP's settings, how floats are rounded, open files.
 * The library draws, imports, extracts, trains, evaluates, explains and reports meanwhile. */
#include <fenv.h>
#include <locale.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"
#include "util.h"

extern char **environ;

/* Of libvips and GLib, whose headers unit tests do not have. */
extern int vips_init(const char *program);
extern int vips_concurrency_get(void);
extern void vips_concurrency_set(int threads);
extern int vips_cache_get_max(void);
extern void vips_cache_set_max(int operations);
extern void *vips_image_new_from_file(const char *path, ...);
extern void g_object_unref(void *object);
extern unsigned g_log_set_handler(const char *domain, int levels,
                                  void (*handler)(const char *, int, const char *, void *),
                                  void *user);
extern void g_log(const char *domain, int level, const char *format, ...);
enum { G_LOG_LEVEL_WARNING = 16, G_LOG_LEVEL_MASK = ~3 };

extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int threads);
extern int omp_get_dynamic(void);
extern void omp_set_dynamic(int dynamic);
extern int omp_get_max_active_levels(void);
extern void omp_set_max_active_levels(int levels);
extern void omp_get_schedule(int *kind, int *chunk);
extern void omp_set_schedule(int kind, int chunk);

enum { SIGNALS = 9, LIMITS = 4, OMP_GUIDED = 3 };

static const int g_signals[SIGNALS] = {SIGINT,  SIGTERM, SIGPIPE, SIGCHLD, SIGFPE,
                                       SIGSEGV, SIGBUS,  SIGALRM, SIGABRT};
static const int g_limits[LIMITS] = {RLIMIT_NOFILE, RLIMIT_CORE, RLIMIT_AS, RLIMIT_STACK};

/* What a host has set. */
typedef struct {
    char locale[200], folder[400];
    mode_t mask;
    struct sigaction actions[SIGNALS];
    sigset_t blocked;
    char **environment; /* a copy */
    size_t variables, files;
    struct rlimit limits[LIMITS];
    int priority, no_new_privileges, dumpable;
    int threads, dynamic, levels, schedule, chunk;
    fenv_t floats;
    int rounding;
    int concurrency, cache;
} settings;

static void take(settings *s) {
    memset(s, 0, sizeof *s);
    snprintf(s->locale, sizeof s->locale, "%s", setlocale(LC_ALL, NULL));
    assert_non_null(getcwd(s->folder, sizeof s->folder));
    s->mask = umask(0);
    umask(s->mask);
    for (int i = 0; i < SIGNALS; i++)
        assert_int_equal(sigaction(g_signals[i], NULL, &s->actions[i]), 0);
    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &s->blocked), 0);
    while (environ[s->variables]) s->variables++;
    s->environment = calloc(s->variables + 1, sizeof *s->environment);
    assert_non_null(s->environment);
    for (size_t i = 0; i < s->variables; i++)
        assert_non_null(s->environment[i] = strdup(environ[i]));
    s->files = util_open_files();
    for (int i = 0; i < LIMITS; i++)
        assert_int_equal(getrlimit((__rlimit_resource_t)g_limits[i], &s->limits[i]), 0);
    s->priority = getpriority(PRIO_PROCESS, 0);
    s->no_new_privileges = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    s->dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
    s->threads = omp_get_max_threads();
    s->dynamic = omp_get_dynamic();
    s->levels = omp_get_max_active_levels();
    omp_get_schedule(&s->schedule, &s->chunk);
    assert_int_equal(fegetenv(&s->floats), 0);
    s->rounding = fegetround();
    s->concurrency = vips_concurrency_get();
    s->cache = vips_cache_get_max();
}

static void release(settings *s) {
    for (size_t i = 0; i < s->variables; i++) free(s->environment[i]);
    free(s->environment);
}

/* Rounding, flushing of tiny numbers and traps; flags of what happened are for any code to raise. */
static void check_floats(const settings *a, const settings *b) {
    assert_int_equal(a->rounding, b->rounding);
#if defined(__x86_64__)
    const unsigned control = 0xFFC0;
    assert_int_equal(a->floats.__mxcsr & control, b->floats.__mxcsr & control);
    assert_int_equal(a->floats.__control_word, b->floats.__control_word);
#endif
}

static void check(const settings *a, const settings *b) {
    assert_string_equal(a->locale, b->locale);
    assert_string_equal(a->folder, b->folder);
    assert_int_equal(a->mask, b->mask);
    for (int i = 0; i < SIGNALS; i++) {
        assert_ptr_equal(a->actions[i].sa_sigaction, b->actions[i].sa_sigaction);
        assert_int_equal(a->actions[i].sa_flags, b->actions[i].sa_flags);
    }
    for (int i = 1; i < SIGRTMAX; i++)
        assert_int_equal(sigismember(&a->blocked, i), sigismember(&b->blocked, i));
    assert_int_equal(a->variables, b->variables);
    for (size_t i = 0; i < a->variables; i++)
        assert_string_equal(a->environment[i], b->environment[i]);
    for (int i = 0; i < LIMITS; i++) {
        assert_true(a->limits[i].rlim_cur == b->limits[i].rlim_cur);
        assert_true(a->limits[i].rlim_max == b->limits[i].rlim_max);
    }
    assert_int_equal(a->priority, b->priority);
    assert_int_equal(a->no_new_privileges, b->no_new_privileges);
    assert_int_equal(a->dumpable, b->dumpable);
    assert_int_equal(a->threads, b->threads);
    assert_int_equal(a->dynamic, b->dynamic);
    assert_int_equal(a->levels, b->levels);
    assert_int_equal(a->schedule, b->schedule);
    assert_int_equal(a->chunk, b->chunk);
    check_floats(a, b);
    assert_int_equal(a->concurrency, b->concurrency);
    assert_int_equal(a->cache, b->cache);
}

/* ---- the library at work ---- */

static void use_birds(const char *birds) {
    unseen_dataset *data = NULL;
    unseen_model *model = NULL;
    unseen_result *result = NULL;
    unseen_explanation *x = NULL;
    unseen_extract_options extract;
    unseen_train_options train;
    const char *chosen[] = {"epochs=2", "hidden=16"};
    unseen_picture picture = {0};
    char path[600];
    util_ok(unseen_dataset_open(birds, &data));
    unseen_extract_options_init(&extract, sizeof extract);
    extract.regions = 0;
    extract.image_size = 64;
    util_ok(unseen_extract(data, &extract, NULL));
    unseen_train_options_init(&train, sizeof train);
    train.settings = chosen;
    train.setting_count = 2;
    train.output = in_folder("birds.model");
    util_ok(unseen_train("dem", data, &train, &model, NULL));
    util_ok(unseen_evaluate(model, data, NULL, &result));
    util_ok(unseen_model_attach_backbone(model, NULL));
    snprintf(path, sizeof path, "%s/%s", unseen_dataset_image_folder(data),
             unseen_dataset_image_name(data, 0));
    picture.path = path;
    util_ok(unseen_explain(model, &picture, NULL, &x));
    util_ok(unseen_explanation_write(x, g_folder, "why"));
    const unseen_model *const models[] = {model};
    util_ok(unseen_report(data, models, 1, NULL, in_folder("report.html"), NULL));
    unseen_explanation_close(x);
    unseen_result_close(result);
    unseen_model_close(model);
    unseen_dataset_close(data);
}

static void work(const char *birds) {
    unseen_import_options import;
    unseen_import_options_init(&import, sizeof import);
    import.images_per_class = 5;
    import.image_size = 64;
    util_ok(unseen_import("tinybirds", birds, &import));
    use_birds(birds);
}

/* ---- a host ---- */

static void ignore(int number) { (void)number; }

static int g_told; /* to the host's own handler of libvips's messages */

static void tell(const char *domain, int level, const char *message, void *user) {
    (void)domain;
    (void)level;
    (void)message;
    (void)user;
    g_told++;
}

/* Settings that nobody has by default. */
static void be_a_host(void) {
    struct sigaction action = {.sa_handler = ignore, .sa_flags = SA_RESTART};
    sigset_t some;
    for (int i = 0; i < SIGNALS; i++)
        if (g_signals[i] != SIGSEGV && g_signals[i] != SIGBUS && g_signals[i] != SIGABRT)
            assert_int_equal(sigaction(g_signals[i], &action, NULL), 0);
    sigemptyset(&some);
    sigaddset(&some, SIGUSR2);
    assert_int_equal(sigprocmask(SIG_BLOCK, &some, NULL), 0);
    assert_int_equal(chdir(g_folder), 0);
    umask(027);
    omp_set_num_threads(3);
    omp_set_dynamic(1);
    omp_set_max_active_levels(2);
    omp_set_schedule(OMP_GUIDED, 7);
    assert_int_equal(fesetround(FE_UPWARD), 0);
    assert_int_equal(vips_init("host"), 0);
    vips_concurrency_set(5);
    vips_cache_set_max(77);
    g_log_set_handler("VIPS", G_LOG_LEVEL_MASK, tell, NULL);
}

/* That libvips reads what it read before, and its messages go where they went. */
static void check_vips_works(void) {
    static const char ppm[] = "P6 1 1 255\nabc";
    write_bytes(in_folder("one.ppm"), ppm, sizeof ppm - 1);
    void *image = vips_image_new_from_file(in_folder("one.ppm"), NULL);
    assert_non_null(image);
    g_object_unref(image);
    g_told = 0;
    g_log("VIPS", G_LOG_LEVEL_WARNING, "to the host");
    assert_int_equal(g_told, 1);
}

static void nothing_changes_at_first_use(void **state) {
    (void)state;
    settings before, after;
    take(&before);
    assert_int_equal(before.threads, 3);
    assert_int_equal(before.concurrency, 5);
    assert_int_equal(before.cache, 77);
    assert_int_equal(before.rounding, FE_UPWARD);
    assert_int_equal(before.mask, 027);
    work(in_folder("first"));
    take(&after);
    check(&before, &after);
    check_vips_works();
    release(&before);
    release(&after);
}

/* Libraries that were opened at the first use keep files open. */
static void nothing_changes_nor_stays_open_later(void **state) {
    (void)state;
    settings before, after;
    struct stat made;
    take(&before);
    work(in_folder("second"));
    take(&after);
    check(&before, &after);
    assert_int_equal(before.files, after.files);
    check_vips_works();
    assert_int_equal(stat(in_folder("birds.model"), &made), 0);
    assert_int_equal(made.st_mode & 0777, 0640);
    release(&before);
    release(&after);
}

static int begin(void **state) {
    if (make_folder(state)) return -1;
    be_a_host();
    return 0;
}

static int end(void **state) { return chdir("/") == 0 ? remove_folder(state) : -1; }

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_changes_at_first_use),
                                       cmocka_unit_test(nothing_changes_nor_stays_open_later)};
    return cmocka_run_group_tests(tests, begin, end);
}
