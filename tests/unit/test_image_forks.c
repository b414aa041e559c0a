/* test_image_forks.c - forks beside decoding, and log functions that fork or decode themselves. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/image_sample.h"

static _Atomic int g_stop;

static void *decode_until_stopped(void *context) {
    shared_work *w = context;
    while (!g_stop) decode_some(0, 64, w);
    return NULL;
}

/* A child of a process in which other threads decode can decode, or says
 * why it cannot. */
static void test_fork(void **state) {
    (void)state;
    enum { OTHERS = 3, FORKS = 40 };
    blob good[FORMATS], bad[2];
    shared_work w[OTHERS];
    pthread_t others[OTHERS];
    for (size_t f = 0; f < FORMATS; f++) good[f] = sample(f);
    bad[0] = (blob){good[0].bytes, good[0].size / 2};
    bad[1] = (blob){good[1].bytes, good[1].size / 2};
    g_stop = 0;
    for (size_t i = 0; i < OTHERS; i++) {
        w[i] = (shared_work){.good = good, .bad = bad};
        assert_int_equal(pthread_create(&others[i], NULL, decode_until_stopped, &w[i]), 0);
    }
    for (int i = 0; i < FORKS; i++) {
        int status = -1;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            shared_work own = {.good = good, .bad = bad};
            alarm(60);
            for (size_t f = 0; f < FORMATS; f++) {
                int read = f < 2 || f == 5; /* JPEG, PNG, BMP */
                un_image image;
                un_status got = decode(&good[f], "a", &image);
                if (got != (read ? UNSEEN_OK : UNSEEN_E_UNSUPPORTED)) _exit(2 + (int)f);
                un_image_free(&image);
            }
            decode_some(0, 1, &own); /* a damaged one */
            _exit(own.wrong[0]);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    g_stop = 1;
    for (size_t i = 0; i < OTHERS; i++) {
        assert_int_equal(pthread_join(others[i], NULL), 0);
        for (size_t k = 0; k < 64; k++) assert_int_equal(w[i].wrong[k], 0);
    }
    for (size_t f = 0; f < FORMATS; f++) free(good[f].bytes);
}

/* A TIFF of which libvips says something: a tag that nobody knows, in the place of its last one. */
static blob odd_tiff(void) {
    blob b = sample(3);
    size_t at = (size_t)b.bytes[4] | (size_t)b.bytes[5] << 8 | (size_t)b.bytes[6] << 16;
    size_t entries = (size_t)b.bytes[at] | (size_t)b.bytes[at + 1] << 8;
    assert_memory_equal(b.bytes, "II", 2);
    put(b.bytes + at + 2 + 12 * (entries - 1), 65000, 2);
    return b;
}

static _Atomic int g_told, g_wrong;

/* What a host may do in its log function: look at a picture, a damaged one as well, and fork. */
static void look_and_fork(unseen_log_level level, const char *message, void *user) {
    static _Thread_local int inside;
    const blob *bad = user;
    un_image image;
    int status = -1;
    (void)level;
    if (inside || !strstr(message, "65000")) return;
    inside = 1;
    g_told++;
    g_wrong += decode(bad, "bad", &image) != UNSEEN_E_FORMAT;
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        _exit(decode(bad, "bad", &image) != UNSEEN_E_FORMAT);
    }
    g_wrong += waitpid(child, &status, 0) != child || status != 0;
    inside = 0;
}

static void test_log_that_decodes(void **state) {
    (void)state;
    blob odd = odd_tiff(), bad = sample(0), cut = odd;
    un_image image;
    bad.size /= 2;
    cut.size = odd.size - 20;
    g_told = g_wrong = 0;
    alarm(60); /* instead of waiting for itself for ever */
    un_set_log(look_and_fork, &bad);
    util_ok(decode(&odd, "odd", &image));
    un_image_free(&image);
    assert_true(g_told > 0);
    /* The sentence is that of the picture, not of the one that the log function looked at. */
    if (decode(&cut, "cut", &image) != UNSEEN_OK) assert_memory_equal(un_error(), "cut", 3);
    un_image_free(&image);
    un_set_log(NULL, NULL);
    alarm(0);
    assert_int_equal(g_wrong, 0);
    free(odd.bytes);
    free(bad.bytes);
}

/* A lock of the host's, as Python has one. */
static pthread_mutex_t g_hosts = PTHREAD_MUTEX_INITIALIZER;

static void wait_for_the_host(unseen_log_level level, const char *message, void *user) {
    (void)level;
    (void)message;
    (void)user;
    g_told++;
    pthread_mutex_lock(&g_hosts);
    pthread_mutex_unlock(&g_hosts);
}

static void *decode_odd(void *context) {
    un_image image;
    g_wrong += decode(context, "odd", &image) != UNSEEN_OK;
    un_image_free(&image);
    return NULL;
}

static void test_fork_under_a_lock_of_the_hosts(void **state) {
    (void)state;
    blob odd = odd_tiff();
    pthread_t thread;
    int status = -1;
    g_told = g_wrong = 0;
    alarm(60);
    un_set_log(wait_for_the_host, NULL);
    pthread_mutex_lock(&g_hosts);
    assert_int_equal(pthread_create(&thread, NULL, decode_odd, &odd), 0);
    while (g_told == 0) usleep(1000);
    pid_t child = fork();
    if (child == 0) _exit(0);
    pthread_mutex_unlock(&g_hosts);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(pthread_join(thread, NULL), 0);
    un_set_log(NULL, NULL);
    alarm(0);
    assert_int_equal(status, 0);
    assert_int_equal(g_wrong, 0);
    free(odd.bytes);
}

/* Forks beside the first picture of a process, which starts libvips: the child can decode, too. */
static void test_fork_beside_the_start(void **state) {
    (void)state;
    enum { ROUNDS = 12 };
    char self[4096], number[16];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = 0;
    for (int i = 0; i < ROUNDS; i++) {
        int status = -1;
        snprintf(number, sizeof number, "%d", i * 1500);
        pid_t child = fork();
        if (child == 0) {
            execl(self, self, "fork-beside-the-start", number, (char *)NULL);
            _exit(9);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

/* 8 x 8 grey pixels as PNG: there is no libvips yet that could make one. */
static const unsigned char g_png[] = {
    0x89, 0x50, 0x4e, 0x47, 0xd,  0xa,  0x1a, 0xa,  0,    0,    0,    0xd,  0x49, 0x48, 0x44, 0x52,
    0,    0,    0,    8,    0,    0,    0,    8,    8,    0,    0,    0,    0,    0xe1, 0x64, 0xe1,
    0x57, 0,    0,    0,    0x50, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0x60, 0x60, 0x64, 0x62,
    0x66, 0x61, 0x65, 0x63, 0x67, 0xe0, 0xe0, 0xe4, 0xe2, 0xe6, 0xe1, 0xe5, 0xe3, 0x67, 0x10, 0x10,
    0x14, 0x12, 0x16, 0x11, 0x15, 0x13, 0x67, 0x90, 0x90, 0x94, 0x92, 0x96, 0x91, 0x95, 0x93, 0x67,
    0x50, 0x50, 0x54, 0x52, 0x56, 0x51, 0x55, 0x53, 0x67, 0xd0, 0xd0, 0xd4, 0xd2, 0xd6, 0xd1, 0xd5,
    0xd3, 0x67, 0x30, 0x30, 0x34, 0x32, 0x36, 0x31, 0x35, 0x33, 0x67, 0xb0, 0xb0, 0xb4, 0xb2, 0xb6,
    0xb1, 0xb5, 0xb3, 7,    0,    0xbb, 0xf8, 7,    0xe1, 0x4e, 0xa0, 0x12, 0x48, 0,    0,    0,
    0,    0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};

static void *decode_the_first(void *context) {
    un_image image;
    (void)context;
    g_wrong += un_image_decode(g_png, sizeof g_png, "first", NULL, &image) != UNSEEN_OK;
    un_image_free(&image);
    return NULL;
}

static int fork_beside_the_start(useconds_t wait) {
    pthread_t thread;
    int status = -1;
    alarm(120);
    if (pthread_create(&thread, NULL, decode_the_first, NULL)) return 2;
    usleep(wait);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        decode_the_first(NULL);
        _exit(g_wrong != 0);
    }
    if (waitpid(child, &status, 0) != child || status != 0) return 3;
    pthread_join(thread, NULL);
    return g_wrong != 0;
}

int main(int argc, char **argv) {
    if (argc == 3) return fork_beside_the_start((useconds_t)atoi(argv[2]));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_log_that_decodes),
        cmocka_unit_test(test_fork_under_a_lock_of_the_hosts),
        cmocka_unit_test(test_fork_beside_the_start),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
