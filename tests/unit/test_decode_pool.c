/* test_decode_pool.c - pictures decoded by confined processes: the same crops and sentences as in this
 * one, and nothing that a picture does reaches further than its own answer. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "image_sample.h"
#include "serve/decode.h"
#include "serve/decode_samples.h"
#include "serve/decode_wire.h"

enum { MIB = 1 << 20, WORKERS = 2 };

static const char g_recipe[] = "{\"resize\": 40, \"crop\": 32, \"orientation\": \"exif\"}";

static un_decode_pool *open_pool(int workers, int seconds) {
    const un_decode_options o = {workers, 20 * (size_t)MIB, 8 * (size_t)MIB, seconds};
    un_decode_pool *pool = NULL;
    util_ok(un_decode_pool_open(&o, &pool));
    return pool;
}

/* The pool's answer is the library's in this process. */
static void assert_same(un_decode_pool *pool, const char *recipe, const blob *b) {
    const unseen_picture picture = {.bytes = b->bytes, .byte_count = b->size};
    static uint8_t rgb[512 * 512 * 3];
    unseen_crop where = {0};
    un_decoded got;
    un_status status =
        unseen_picture_crop(recipe, &picture, 20 * (size_t)MIB, rgb, sizeof rgb, &where);
    un_decode(pool, recipe, b->bytes, b->size, &got);
    assert_int_equal(got.status, status);
    const char *expected = status ? un_error() : "";
    if (!strncmp(expected, "picture 0: ", 11)) expected += 11;
    assert_string_equal(got.message, expected);
    assert_int_equal(got.busy, 0);
    assert_int_equal(got.too_large, where.picture_width * where.picture_height > 20 * (size_t)MIB);
    if (status) {
        assert_null(got.rgb);
        return;
    }
    assert_memory_equal(got.rgb, rgb, where.side * where.side * 3);
    assert_int_equal(got.crop.side, where.side);
    assert_int_equal(got.crop.picture_width, where.picture_width);
    assert_int_equal(got.crop.picture_height, where.picture_height);
    assert_int_equal(got.crop.ignored, where.ignored);
    util_near(got.crop.x, where.x, 0);
    util_near(got.crop.y, where.y, 0);
    util_near(got.crop.width, where.width, 0);
    util_near(got.crop.height, where.height, 0);
    free(got.rgb);
}

/* ---- the same answers ---- */

static blob turned_jpeg(void) {
    unsigned char rgb[WIDTH * HEIGHT * 3];
    paint(rgb, 3);
    VipsImage *image = vips_of(rgb, 3, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_sRGB);
    vips_image_set_int(image, "orientation", 6);
    return encode(image, ".jpg[Q=90]");
}

static blob encoded(const char *how) {
    unsigned char rgb[WIDTH * HEIGHT * 3];
    paint(rgb, 3);
    return encode(vips_of(rgb, 3, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_sRGB), how);
}

static void crops_are_the_librarys(void **state) {
    (void)state;
    static const char *const ways[] = {
        ".jpg[interlace]", ".png[interlace]",        ".png[palette]",        ".webp[Q=50]",
        ".tif[tile]",      ".tif[compression=jpeg]", ".tif[compression=lzw]"};
    un_decode_pool *pool = open_pool(WORKERS, 10);
    for (size_t f = 0; f < FORMATS; f++) {
        blob b = sample(f);
        assert_same(pool, g_recipe, &b);
        assert_same(pool, "{}", &b);
        free(b.bytes);
    }
    for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
        blob b = encoded(ways[k]);
        assert_same(pool, g_recipe, &b);
        free(b.bytes);
    }
    blob turned = turned_jpeg();
    assert_same(pool, g_recipe, &turned);
    assert_same(pool, "{\"resize\": 40, \"crop\": 32}", &turned);
    free(turned.bytes);
    /* HEIC and AVIF are decoded where this libvips reads them, and refused alike elsewhere. */
    for (const un_decode_sample *s = un_decode_samples; s->bytes; s++) {
        blob b = {(unsigned char *)(uintptr_t)s->bytes, s->size};
        assert_same(pool, g_recipe, &b);
    }
    assert_int_equal(un_decode_pool_restarts(pool), 0);
    un_decode_pool_close(pool);
}

static void damage_has_the_librarys_sentence(void **state) {
    (void)state;
    un_decode_pool *pool = open_pool(WORKERS, 10);
    un_decoded got;
    for (size_t f = 0; f < FORMATS; f++) {
        blob b = sample(f);
        size_t whole = b.size;
        for (size_t cut = 1; cut < 8; cut++) {
            b.size = whole * cut / 8;
            assert_same(pool, g_recipe, &b);
        }
        b.size = whole;
        for (size_t k = 0; k < 40; k++) {
            un_rng rng = un_rng_stream(f, "damage", k);
            b.bytes[un_rng_below(&rng, whole)] ^= (unsigned char)(1 + un_rng_below(&rng, 255));
            assert_same(pool, g_recipe, &b);
        }
        free(b.bytes);
    }
    static const char *const others[] = {"", "no picture", "%PDF-1.7 ", "<svg xmlns=\"x\"/>"};
    for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
        const blob b = {(unsigned char *)(uintptr_t)others[k], strlen(others[k])};
        assert_same(pool, g_recipe, &b);
    }
    const blob none = {0};
    assert_same(pool, "no recipe", &none);
    unsigned char *large = calloc(9, MIB);
    un_decode(pool, g_recipe, large, 9 * (size_t)MIB, &got);
    assert_int_equal(got.status, UNSEEN_E_UNSUPPORTED);
    assert_int_equal(got.too_large, 1);
    assert_non_null(strstr(got.message, "at most 8388608"));
    un_decode(pool, g_recipe, large, 8 * (size_t)MIB, &got);
    assert_int_equal(got.status, UNSEEN_E_FORMAT);
    free(large);
    assert_int_equal(un_decode_pool_restarts(pool), 0);
    un_decode_pool_close(pool);
}

/* ---- bombs ---- */

static uint32_t crc_of(const unsigned char *bytes, size_t n) {
    uint32_t crc = ~0u;
    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static void put_back(unsigned char *at, uint32_t value) {
    for (int i = 0; i < 4; i++) at[i] = (unsigned char)(value >> (24 - 8 * i));
}

/* A PNG of few bytes whose head promises 50,000 x 50,000 pixels. */
static void bombs_are_refused_from_their_head(void **state) {
    (void)state;
    un_decode_pool *pool = open_pool(1, 5);
    un_decoded got;
    blob b = sample(1);
    put_back(b.bytes + 16, 50000);
    put_back(b.bytes + 20, 50000);
    put_back(b.bytes + 29, crc_of(b.bytes + 12, 17));
    double started = un_now();
    un_decode(pool, g_recipe, b.bytes, b.size, &got);
    assert_int_equal(got.status, UNSEEN_E_UNSUPPORTED);
    assert_int_equal(got.too_large, 1);
    assert_non_null(strstr(got.message, "50000 x 50000 pixels are more than"));
    assert_true(un_now() - started < 2);
    assert_same(pool, g_recipe, &b);
    free(b.bytes);
    assert_int_equal(un_decode_pool_restarts(pool), 0);
    un_decode_pool_close(pool);
}

/* A picture of black pixels, side x side; released with free(). */
static blob large_picture(int side, const char *how) {
    VipsImage *image = NULL, *wide = NULL;
    assert_int_equal(vips_black(&image, side, side, "bands", 3, NULL), 0);
    assert_int_equal(vips_copy(image, &wide, "interpretation", VIPS_INTERPRETATION_sRGB, NULL), 0);
    g_object_unref(image);
    return encode(wide, how);
}

/* ---- workers that die ---- */

/* Processes that this one has started and that live, up to `most`. */
static size_t children(pid_t *out, size_t most) {
    DIR *folder = opendir("/proc");
    size_t n = 0;
    assert_non_null(folder);
    for (struct dirent *e = readdir(folder); e; e = readdir(folder)) {
        char path[300], state = 0;
        int parent = 0;
        snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
        FILE *file = strtol(e->d_name, NULL, 10) > 0 ? fopen(path, "re") : NULL;
        if (!file) continue;
        if (fscanf(file, "%*d (%*[^)]) %c %d", &state, &parent) == 2 && parent == getpid() &&
            state != 'Z' && n < most)
            out[n++] = (pid_t)strtol(e->d_name, NULL, 10);
        fclose(file);
    }
    closedir(folder);
    return n;
}

typedef struct {
    un_decode_pool *pool;
    const blob *picture;
    un_decoded got;
} job;

static void *decode_it(void *context) {
    job *j = context;
    un_decode(j->pool, g_recipe, j->picture->bytes, j->picture->size, &j->got);
    return NULL;
}

static void rest(int milliseconds) {
    const struct timespec t = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

static int is_alive(pid_t pid) {
    char path[64], state = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    int found = fscanf(file, "%*d (%*[^)]) %c", &state) == 1 && state != 'Z' && state != 'X';
    fclose(file);
    return found;
}

static void a_killed_worker_costs_one_picture(void **state) {
    (void)state;
    un_decode_pool *pool = open_pool(1, 20);
    blob large = large_picture(4400, ".png[compression=9,interlace]"), small = sample(0);
    for (size_t round = 1; round <= 3; round++) {
        pid_t pid[4];
        pthread_t thread;
        job j = {.pool = pool, .picture = &large};
        assert_int_equal(children(pid, 4), 1);
        assert_int_equal(pthread_create(&thread, NULL, decode_it, &j), 0);
        rest(30); /* it takes several times that */
        assert_int_equal(kill(pid[0], SIGKILL), 0);
        pthread_join(thread, NULL);
        assert_int_equal(j.got.status, UNSEEN_E_FORMAT);
        assert_string_equal(j.got.message, "this picture could not be decoded");
        assert_same(pool, g_recipe, &small);
        assert_int_equal(un_decode_pool_restarts(pool), round);
    }
    /* One that dies at rest costs none. */
    pid_t pid[4];
    assert_int_equal(children(pid, 4), 1);
    assert_int_equal(kill(pid[0], SIGKILL), 0);
    while (is_alive(pid[0])) rest(1);
    assert_same(pool, g_recipe, &small);
    assert_int_equal(un_decode_pool_restarts(pool), 4);
    free(large.bytes);
    free(small.bytes);
    un_decode_pool_close(pool);
    assert_int_equal(children(pid, 4), 0);
}

/* What computes too long, and what does not come to it, is ended. */
static void a_stuck_worker_is_replaced(void **state) {
    (void)state;
    un_decode_pool *pool = open_pool(1, 1);
    blob small = sample(0);
    pid_t pid[4];
    un_decoded got;
    assert_int_equal(children(pid, 4), 1);
    assert_int_equal(kill(pid[0], SIGSTOP), 0);
    double started = un_now();
    un_decode(pool, g_recipe, small.bytes, small.size, &got);
    assert_int_equal(got.status, UNSEEN_E_FORMAT);
    assert_true(un_now() - started > 5 && un_now() - started < 25);
    assert_same(pool, g_recipe, &small);
    free(small.bytes);
    un_decode_pool_close(pool);
}

/* ---- confinement ---- */

static long status_of(pid_t pid, const char *key) {
    char path[64], line[256];
    long value = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, key, strlen(key))) value = strtol(line + strlen(key), NULL, 10);
    fclose(file);
    return value;
}

static void limit_of(pid_t pid, const char *key, char out[64]) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    out[0] = 0;
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, key, strlen(key))) sscanf(line + strlen(key), "%63s", out);
    fclose(file);
}

static const char *first_line(pid_t pid, const char *file_name, char out[64]) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file_name);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    out[0] = 0;
    assert_int_equal(fscanf(file, "%63s", out), 1);
    fclose(file);
    return out;
}

/* A worker tries the filter itself before it is ready (confine.c); the system says that it is there. */
static void workers_are_confined(void **state) {
    (void)state;
    un_decode_pool *pool = open_pool(WORKERS, 10);
    pid_t pid[4];
    char value[64];
    if (un_decode_pool_lack(pool)) fail_msg("%s", un_decode_pool_lack(pool));
    assert_int_equal(children(pid, 4), WORKERS);
    for (size_t i = 0; i < WORKERS; i++) {
        assert_int_equal(status_of(pid[i], "Seccomp:"), 2);
        assert_int_equal(status_of(pid[i], "NoNewPrivs:"), 1);
        limit_of(pid[i], "Max open files", value);
        assert_string_equal(value, "0");
        limit_of(pid[i], "Max file size", value);
        assert_string_equal(value, "0");
        limit_of(pid[i], "Max core file size", value);
        assert_string_equal(value, "0");
        limit_of(pid[i], "Max cpu time", value);
        assert_int_equal(strtol(value, NULL, 10), 60 + 10 * UN_DECODE_PICTURES);
        assert_string_equal(first_line(pid[i], "oom_score_adj", value), "1000");
        limit_of(pid[i], "Max address space", value);
        assert_true(UTIL_ASAN || strcmp(value, "unlimited") != 0);
    }
    un_decode_pool_close(pool);
}

/* From now on this process, and what it starts, is refused a filter: as on a system without. */
static int refuse_filters(void) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_seccomp, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {.len = 4, .filter = program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
}

/* The server can say so, and pictures are decoded all the same, by processes that open nothing. */
static void limits_hold_without_a_filter(void **state) {
    (void)state;
    pid_t child = fork();
    int status = 0;
    assert_true(child >= 0);
    if (child == 0) {
        execl("/proc/self/exe", "test_decode_pool", "--unfiltered", (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail_msg("status %d", status);
}

static void be_unfiltered(void **state) {
    (void)state;
    pid_t pid[4];
    char value[64];
    blob b = sample(0);
    assert_true(refuse_filters());
    un_decode_pool *pool = open_pool(1, 10);
    const char *lack = un_decode_pool_lack(pool);
    if (!lack || !strstr(lack, "does not filter")) fail_msg("lack: %s", lack ? lack : "none");
    assert_same(pool, g_recipe, &b);
    assert_int_equal(children(pid, 4), 1);
    assert_int_equal(status_of(pid[0], "NoNewPrivs:"), 1);
    limit_of(pid[0], "Max open files", value);
    assert_string_equal(value, "0");
    un_decode_pool_close(pool);
    free(b.bytes);
}

/* Nothing but the standard streams and the socket is open there, whatever is open here. */
static void workers_inherit_nothing(void **state) {
    (void)state;
    enum { OPENED = 40 };
    int fds[OPENED];
    for (int i = 0; i < OPENED; i++) assert_true((fds[i] = open("/dev/null", O_RDONLY)) >= 0);
    un_decode_pool *pool = open_pool(1, 10);
    pid_t pid[4];
    char path[64];
    size_t n = 0;
    assert_int_equal(children(pid, 4), 1);
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid[0]);
    DIR *folder = opendir(path);
    if (folder) { /* who is not root may not look there */
        for (struct dirent *e = readdir(folder); e; e = readdir(folder)) n += e->d_name[0] != '.';
        closedir(folder);
        assert_int_equal(n, 4);
    } else {
        assert_int_not_equal(getuid(), 0);
    }
    for (int i = 0; i < OPENED; i++) close(fds[i]);
    un_decode_pool_close(pool);
}

/* ---- a parent that dies ---- */

/* The parent: opens a pool, tells its workers, and waits to be killed. */
static int be_a_parent(void) {
    un_decode_pool *pool = open_pool(WORKERS, 10);
    pid_t pid[WORKERS] = {0};
    if (children(pid, WORKERS) != WORKERS || !pool) return 1;
    if (write(STDOUT_FILENO, pid, sizeof pid) != sizeof pid) return 1;
    for (;;) rest(1000);
}

static void workers_end_with_their_parent(void **state) {
    (void)state;
    int ends[2];
    pid_t pid[WORKERS];
    assert_int_equal(pipe(ends), 0);
    pid_t parent = fork();
    assert_true(parent >= 0);
    if (parent == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execl("/proc/self/exe", "test_decode_pool", "--parent", (char *)NULL);
        _exit(1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], pid, sizeof pid), sizeof pid);
    close(ends[0]);
    for (size_t i = 0; i < WORKERS; i++) assert_true(is_alive(pid[i]));
    kill(parent, SIGKILL);
    waitpid(parent, NULL, 0);
    for (size_t i = 0; i < WORKERS; i++) {
        for (int k = 0; k < 200 && is_alive(pid[i]); k++) rest(10);
        assert_false(is_alive(pid[i]));
    }
}

/* ---- nothing grows, many at once ---- */

static long kib_of(pid_t pid) { return status_of(pid, "VmRSS:"); }

static void two_thousand_pictures_leave_nothing(void **state) {
    (void)state;
    enum { WARM = 100, TIMES = 2000, LAST = UN_DECODE_PICTURES - 2, ALLOWED_KIB = 2048 };
    un_decode_pool *pool = open_pool(1, 10);
    blob pictures[FORMATS + 1];
    long before = 0, worker_before = 0, worker_after = 0;
    pid_t pid[4], successor[4];
    for (size_t f = 0; f < FORMATS; f++) pictures[f] = sample(f);
    pictures[FORMATS] = sample(0);
    pictures[FORMATS].size /= 2;
    assert_int_equal(children(pid, 4), 1);
    size_t files = util_open_files();
    for (size_t i = 0; i < TIMES; i++) {
        const blob *b = &pictures[i % (FORMATS + 1)];
        un_decoded got;
        un_decode(pool, g_recipe, b->bytes, b->size, &got);
        assert_int_equal(got.status, i % (FORMATS + 1) < FORMATS ? UNSEEN_OK : UNSEEN_E_FORMAT);
        free(got.rgb);
        if (i == LAST) worker_after = kib_of(pid[0]);
        if (i != WARM) continue;
        before = kib_of(getpid());
        worker_before = kib_of(pid[0]);
    }
    assert_true(worker_before > 0 && worker_after > 0);
    if (!UTIL_ASAN) {
        assert_true(kib_of(getpid()) <= before + ALLOWED_KIB);
        assert_true(worker_after <= worker_before + ALLOWED_KIB);
    }
    assert_int_equal(util_open_files(), files);
    /* Replaced in time, which is no restart. */
    assert_int_equal(un_decode_pool_restarts(pool), 0);
    assert_int_equal(children(successor, 4), 1);
    assert_int_not_equal(successor[0], pid[0]);
    for (size_t f = 0; f <= FORMATS; f++) free(pictures[f].bytes);
    un_decode_pool_close(pool);
    assert_int_equal(util_open_files(), files - 1);
}

typedef struct {
    un_decode_pool *pool;
    const blob *pictures;
    const uint8_t *right; /* [FORMATS, 32, 32, 3] */
    size_t wrong, refused;
} asker;

static void *ask_often(void *context) {
    asker *a = context;
    for (size_t i = 0; i < 60; i++) {
        const blob *b = &a->pictures[i % FORMATS];
        un_decoded got;
        un_decode(a->pool, g_recipe, b->bytes, b->size, &got);
        if (got.status)
            a->refused++;
        else
            a->wrong += memcmp(got.rgb, a->right + i % FORMATS * 3072, 3072) != 0;
        free(got.rgb);
    }
    return NULL;
}

/* Eight threads, three workers, one of which is killed now and then. */
static void killed_at_random_nothing_is_wrong(void **state) {
    (void)state;
    enum { THREADS = 8, KILLS = 6 };
    un_decode_pool *pool = open_pool(3, 10);
    blob pictures[FORMATS];
    static uint8_t right[FORMATS * 3072];
    pthread_t threads[THREADS];
    asker askers[THREADS];
    size_t wrong = 0, refused = 0;
    for (size_t f = 0; f < FORMATS; f++) {
        un_decoded got;
        pictures[f] = sample(f);
        un_decode(pool, g_recipe, pictures[f].bytes, pictures[f].size, &got);
        assert_int_equal(got.status, UNSEEN_OK);
        memcpy(right + f * 3072, got.rgb, 3072);
        free(got.rgb);
    }
    for (size_t t = 0; t < THREADS; t++) {
        askers[t] = (asker){pool, pictures, right, 0, 0};
        assert_int_equal(pthread_create(&threads[t], NULL, ask_often, &askers[t]), 0);
    }
    for (size_t k = 0; k < KILLS; k++) {
        pid_t pid[8];
        rest(25);
        size_t n = children(pid, 8);
        if (n > 0) kill(pid[k % n], SIGKILL);
    }
    for (size_t t = 0; t < THREADS; t++) {
        pthread_join(threads[t], NULL);
        wrong += askers[t].wrong;
        refused += askers[t].refused;
    }
    assert_int_equal(wrong, 0);
    assert_true(refused <= KILLS);
    for (size_t f = 0; f < FORMATS; f++) free(pictures[f].bytes);
    un_decode_pool_close(pool);
}

static void options_are_checked(void **state) {
    (void)state;
    un_decode_pool *pool = NULL;
    un_decode_options o = {.workers = 0, .max_bytes = MIB, .seconds = 1};
    util_fails(un_decode_pool_open(&o, &pool), UNSEEN_E_ARGUMENT, "0 workers");
    o.workers = 1, o.seconds = 0;
    util_fails(un_decode_pool_open(&o, &pool), UNSEEN_E_ARGUMENT, "0 seconds");
    un_decode_pool_close(NULL);
}

int main(int argc, char **argv) {
    const struct CMUnitTest unfiltered[] = {cmocka_unit_test(be_unfiltered)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(crops_are_the_librarys),
        cmocka_unit_test(damage_has_the_librarys_sentence),
        cmocka_unit_test(bombs_are_refused_from_their_head),
        cmocka_unit_test(a_killed_worker_costs_one_picture),
        cmocka_unit_test(a_stuck_worker_is_replaced),
        cmocka_unit_test(workers_are_confined),
        cmocka_unit_test(limits_hold_without_a_filter),
        cmocka_unit_test(workers_inherit_nothing),
        cmocka_unit_test(workers_end_with_their_parent),
        cmocka_unit_test(two_thousand_pictures_leave_nothing),
        cmocka_unit_test(killed_at_random_nothing_is_wrong),
    };
    if (argc == 2 && !strcmp(argv[1], UN_DECODE_WORKER)) _exit(un_decode_worker(UN_DECODE_SOCKET));
    if (argc == 2 && !strcmp(argv[1], "--parent")) return be_a_parent();
    if (argc == 2 && !strcmp(argv[1], "--unfiltered"))
        return cmocka_run_group_tests(unfiltered, begin, NULL);
    return cmocka_run_group_tests(tests, begin, NULL);
}
