/*
 * test_base.c - the ground everything stands on: memory, error sentences, files, JSON, hashes,
 * threads. Random numbers: test_rng.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "base/names.h"
#include "base/parallel.h"
#include "unit/folder.h"
#include "util.h"

/* ---- memory ---- */

static void arena(void **state) {
    (void)state;
    un_arena a = {0};
    unsigned char *piece[200], *huge = NULL;
    for (size_t i = 0; i < 200; i++) {
        util_ok(un_arena_alloc(&a, i * 37, 1 + i % 5, &piece[i]));
        assert_int_equal((uintptr_t)piece[i] % 64, 0);
        for (size_t j = 0; j < i * 37 * (1 + i % 5); j++) assert_int_equal(piece[i][j], 0);
        memset(piece[i], (int)i, i * 37 * (1 + i % 5));
    }
    util_ok(un_arena_alloc(&a, 1, 1 << 20, &huge)); /* larger than a block */
    huge[(1 << 20) - 1] = 1;
    for (size_t i = 0; i < 200; i++) /* nothing overlaps */
        for (size_t j = 0; j < i * 37 * (1 + i % 5); j++) assert_int_equal(piece[i][j], i);
    char *text = NULL;
    util_ok(un_arena_string(&a, "tern", &text));
    assert_string_equal(text, "tern");
    void *nothing = NULL;
    util_fails(un_arena_alloc(&a, SIZE_MAX / 2, 3, &nothing), UNSEEN_E_MEMORY, "overflow");
    util_fails(un_arena_alloc(&a, SIZE_MAX - 10, 1, &nothing), UNSEEN_E_MEMORY, "overflow");
    util_fails(un_alloc(SIZE_MAX / 4, 5, &nothing), UNSEEN_E_MEMORY, "overflow");
    util_fails(un_alloc(SIZE_MAX - 10, 1, &nothing), UNSEEN_E_MEMORY, "overflow");
    assert_null(nothing);
    for (size_t i = 1; i < 100000; i += 1 + i / 50) {
        size_t room = un_room_for(i);
        assert_true(room >= i && room - i <= i / 32);
        assert_int_equal(un_room_for(room), room);
    }
    assert_int_equal(un_room_for(0), 0);
    assert_true(un_room_for(SIZE_MAX - 1) >= SIZE_MAX - 1);
    un_arena_free(&a);
    util_ok(un_arena_alloc(&a, 3, 3, &nothing)); /* usable again */
    un_arena_free(&a);
    util_ok(un_alloc(0, 8, &nothing)); /* no items is no error */
    assert_non_null(nothing);
    free(nothing);
}

/* ---- error sentences ---- */

static void *other_thread(void *seen) {
    *(int *)seen = un_error()[0] != 0;
    un_fail(UNSEEN_E_IO, "of another thread");
    return NULL;
}

/* A sentence that is too long ends with a whole letter. */
static void cut_sentences(void **state) {
    (void)state;
    static const char *const letters[] = {"x", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x90\xA6"};
    for (size_t i = 0; i < 4; i++) {
        char filler[4 * UN_ERROR_LENGTH] = "";
        size_t n = strlen(letters[i]);
        for (size_t k = 0; k + n < sizeof filler; k += n) memcpy(filler + k, letters[i], n + 1);
        for (int before = 0; before < 4; before++) {
            for (int way = 0; way < 4; way++) {
                size_t head = (size_t)before;
                if (way == 0) un_fail(UNSEEN_E_IO, "%.*s%s", before, "123", filler);
                if (way == 1) un_fail_errno(EIO, "%.*s%s", before, "123", filler);
                if (way == 2) un_fail_prefix(UNSEEN_E_IO, "%.*s%s", before, "123", filler);
                if (way == 3) {
                    un_fail(UNSEEN_E_IO, "%s", filler);
                    un_fail_prefix(UNSEEN_E_IO, "%.*s", before, "123");
                    head += 2;
                }
                size_t length = strlen(un_error());
                /* Behind a prefix or sentence that was cut there may be room for a byte or two. */
                while ((way == 1 || way == 2) && strchr(": Inp1", un_error()[length - 1])) length--;
                assert_true(length + n + 5 >= UN_ERROR_LENGTH && length < UN_ERROR_LENGTH);
                assert_int_equal((length - head) % n, 0);
            }
        }
    }
}

static un_status fail_with_errno(size_t i, un_slot slot, void *context) {
    (void)slot;
    (void)context;
    return un_fail_errno(ENOSPC, "item %zu", i);
}

static void error_sentences(void **state) {
    (void)state;
    char filler[3 * UN_ERROR_LENGTH];
    memset(filler, 'x', sizeof filler - 1);
    filler[sizeof filler - 1] = 0;
    assert_int_equal(un_fail(UNSEEN_E_FORMAT, "class %d has no %s", 7, "name"), UNSEEN_E_FORMAT);
    assert_string_equal(un_error(), "class 7 has no name");
    assert_int_equal(un_fail_prefix(UNSEEN_E_FORMAT, "file %s", "a.mat"), UNSEEN_E_FORMAT);
    assert_string_equal(un_error(), "file a.mat: class 7 has no name");
    un_fail_prefix(UNSEEN_E_FORMAT, "%s", filler); /* the prefix alone is too long */
    assert_int_equal(strlen(un_error()), UN_ERROR_LENGTH - 1);
    un_fail(UNSEEN_E_IO, "%s", filler);
    assert_int_equal(strlen(un_error()), UN_ERROR_LENGTH - 1);
    un_fail_prefix(UNSEEN_E_IO, "here");
    assert_int_equal(strncmp(un_error(), "here: xxx", 9), 0);
    assert_true(strlen(un_error()) < UN_ERROR_LENGTH);
    assert_int_equal(un_fail_errno(ENOENT, "cannot open %s", "b"), UNSEEN_E_IO);
    assert_string_equal(un_error(), "cannot open b: No such file or directory");
    assert_int_equal(un_fail_prefix(UNSEEN_E_IO, "here"), UNSEEN_E_IO);
    assert_int_equal(unseen_last_errno(), ENOENT);
    un_failure kept;
    un_failure_keep(&kept);
    un_fail(UNSEEN_E_FORMAT, "another one");
    assert_int_equal(unseen_last_errno(), 0);
    assert_int_equal(un_failure_put_back(&kept, UNSEEN_E_IO), UNSEEN_E_IO);
    assert_string_equal(un_error(), "here: cannot open b: No such file or directory");
    assert_int_equal(unseen_last_errno(), ENOENT);
    assert_int_equal(un_parallel_try(3, 2, fail_with_errno, NULL), UNSEEN_E_IO);
    assert_int_equal(unseen_last_errno(), ENOSPC);
    assert_int_equal(un_fail_errno(ENOMEM, "no"), UNSEEN_E_MEMORY);
    assert_int_equal(un_fail_memory(77), UNSEEN_E_MEMORY);
    assert_non_null(strstr(un_error(), "77 bytes"));
    /* A name may lie in the sentence that is there: a caller gives unseen_last_error(). */
    un_fail(UNSEEN_E_FORMAT, "a sentence");
    un_fail(UNSEEN_E_FORMAT, "there is no file called \"%s\" here", un_error());
    assert_string_equal(un_error(), "there is no file called \"a sentence\" here");
    un_fail_errno(ENOENT, "cannot open %s", un_error() + 25);
    assert_string_equal(un_error(), "cannot open a sentence\" here: No such file or directory");
    un_fail(UNSEEN_E_FORMAT, "short");
    un_fail_prefix(UNSEEN_E_FORMAT, "the file %s", un_error());
    assert_string_equal(un_error(), "the file short: short");
    un_fail_memory(77);
    pthread_t thread;
    int seen = 1;
    assert_int_equal(pthread_create(&thread, NULL, other_thread, &seen), 0);
    pthread_join(thread, NULL);
    assert_int_equal(seen, 0); /* starts without a sentence, leaves ours alone */
    assert_non_null(strstr(un_error(), "77 bytes"));
}

/* ---- files ---- */

static void check_content(const char *path, const char *expected) {
    char *text = NULL;
    size_t n = 0;
    util_ok(un_file_read(path, 100, &text, &n));
    assert_int_equal(n, strlen(expected));
    assert_string_equal(text, expected);
    free(text);
}

static void atomic_files(void **state) {
    (void)state;
    char *path = NULL, *text = NULL;
    size_t n = 0;
    un_atomic_file file;
    struct stat st;
    util_ok(un_path_join(g_folder, "result", &path));
    util_ok(un_atomic_open(&file, path));
    util_ok(un_atomic_write(&file, "half", 4, 0));
    assert_false(un_path_exists(path)); /* not before commit */
    un_atomic_abort(&file);
    un_atomic_abort(&file);
    assert_int_equal(files_in_folder(), 0);
    util_ok(un_file_write(path, "old", 3));
    util_ok(un_atomic_open(&file, path));
    util_ok(un_atomic_write(&file, "er", 2, 3)); /* out of order */
    check_content(path, "old");
    util_ok(un_atomic_write(&file, "new", 3, 0));
    util_ok(un_atomic_commit(&file));
    un_atomic_abort(&file); /* harmless */
    check_content(path, "newer");
    assert_int_equal(files_in_folder(), 1);
    mode_t mask = umask(0);
    umask(mask);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0666 & ~mask);
    util_fails(un_file_read(path, 4, &text, &n), UNSEEN_E_FORMAT, "larger than the 4 bytes");
    util_fails(un_file_read(g_folder, 4, &text, &n), UNSEEN_E_IO, "not a regular file");
    free(path);
    util_ok(un_path_join(g_folder, "missing/result", &path));
    util_fails(un_atomic_open(&file, path), UNSEEN_E_IO, "No such file");
    util_fails(un_file_read(path, 4, &text, &n), UNSEEN_E_IO, "No such file");
    free(path);
}

static void check_part(un_status (*part)(const char *, char **), const char *path,
                       const char *expected) {
    char *out = NULL;
    util_ok(part(path, &out));
    assert_string_equal(out, expected);
    free(out);
}

static void path_parts(void **state) {
    (void)state;
    char *joined = NULL;
    check_part(un_path_base, "a/b.safetensors", "b.safetensors");
    check_part(un_path_base, "a/b//", "b");
    check_part(un_path_directory, "a/b", "a");
    check_part(un_path_directory, "b", ".");
    check_part(un_path_directory, "/b", "/");
    util_ok(un_path_join("a/", "b", &joined));
    assert_string_equal(joined, "a/b");
    free(joined);
}

/* ---- JSON and names ---- */

static void json(void **state) {
    (void)state;
    static const char nul[] = "{\"a\": \"x\\u0000y\"}", twice[] = "{\"a\": 1, \"b\": 2, \"a\": 1}";
    static const char numbers[] = "{\"n\": -1, \"x\": 0.5, \"s\": \"t\", \"big\": 7}";
    json_t *value = NULL;
    size_t size = 0;
    double number = 0;
    const char *text = NULL;
    util_ok(un_json_parse(nul, sizeof nul - 1, "test", &value));
    assert_int_equal(json_string_length(json_object_get(value, "a")), 3);
    json_decref(value);
    value = NULL;
    util_fails(un_json_parse(twice, sizeof twice - 1, "test", &value), UNSEEN_E_FORMAT, "test: ");
    util_fails(un_json_parse("{\"a\": ", 6, "cut.json", &value), UNSEEN_E_FORMAT, "cut.json");
    util_fails(un_json_parse("[NaN]", 5, "nan.json", &value), UNSEEN_E_FORMAT, "not valid JSON");
    assert_null(value);
    util_ok(un_json_parse(numbers, sizeof numbers - 1, "test", &value));
    util_fails(un_json_get_size(value, "n", "where", &size), UNSEEN_E_FORMAT, "where: \"n\"");
    util_fails(un_json_get_size(value, "x", "where", &size), UNSEEN_E_FORMAT, "whole number");
    util_fails(un_json_get_string(value, "x", "where", &text), UNSEEN_E_FORMAT, "not a string");
    util_fails(un_json_get_number(value, "none", "where", &number), UNSEEN_E_FORMAT, "missing");
    util_ok(un_json_get_size(value, "big", "where", &size));
    util_ok(un_json_get_number(value, "n", "where", &number));
    util_ok(un_json_get_string(value, "s", "where", &text));
    assert_int_equal(size, 7);
    util_near(number, -1, 0);
    assert_string_equal(text, "t");
    json_decref(value);
}

static void nearest_name(void **state) {
    (void)state;
    static const char *const names[] = {"batch", "batching", "hidden", "lambda"};
    char endless[4000];
    memset(endless, 'b', sizeof endless - 1);
    endless[sizeof endless - 1] = 0;
    assert_string_equal(un_nearest_name("bach", names, 4), "batch");
    assert_string_equal(un_nearest_name("batchin", names, 4), "batching");
    assert_string_equal(un_nearest_name("lamdba", names, 4), "lambda");
    assert_null(un_nearest_name("epsilon", names, 4));
    assert_null(un_nearest_name(endless, names, 4));
    assert_null(un_nearest_name("batch", names, 0));
    assert_string_equal(un_did_you_mean("bach", names, 4).text, "; did you mean \"batch\"?");
    assert_string_equal(un_did_you_mean("epsilon", names, 4).text, "");
    const char *const with_endless[] = {endless, "batch"};
    assert_string_equal(un_nearest_name("batsh", with_endless, 2), "batch");
}

/* ---- threads ---- */

typedef struct {
    unsigned char hits[3000];
    size_t begin[1024], end[1024], grain;
    size_t slots;
} coverage;

static void cover(size_t begin, size_t end, un_slot slot, void *context) {
    coverage *c = context;
    if (slot.index >= c->slots || slot.count != c->slots) return; /* shows as a gap */
    c->begin[slot.index] = begin;
    c->end[slot.index] = end;
    for (size_t i = begin; i < end; i++) c->hits[i]++; /* ranges are disjoint, or it shows */
}

static void cover_range(size_t begin, size_t end, void *context) {
    unsigned char *hits = context;
    for (size_t i = begin; i < end; i++) hits[i]++;
}

static void check_cover(size_t n, size_t grain, int threads) {
    static coverage c;
    c = (coverage){.slots = un_slot_count(n, grain)};
    assert_in_range(c.slots, 1, threads);
    un_parallel_slots(n, c.slots, cover, &c);
    size_t at = 0, used = 0;
    for (size_t s = 0; s < 1024; s++) {
        if (c.begin[s] == c.end[s]) continue;
        assert_true(s < (size_t)threads);
        assert_int_equal(c.begin[s], at); /* in the order of the slots */
        assert_true(c.end[s] - c.begin[s] >= (n < grain ? n : grain));
        at = c.end[s];
        used++;
    }
    assert_int_equal(at, n);
    assert_true(used <= (size_t)threads);
    for (size_t i = 0; i < sizeof c.hits; i++) assert_int_equal(c.hits[i], i < n);
    unsigned char hits[3000] = {0};
    un_parallel_for(n, grain, cover_range, hits);
    for (size_t i = 0; i < sizeof hits; i++) assert_int_equal(hits[i], i < n);
}

static void parallel_covers_everything_once(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 3, 7, 16, 63, 64, 65, 1000, 2999};
    static const size_t grains[] = {0, 1, 2, 5, 64, 1000, 5000};
    static const int threads[] = {1, 2, 3, 5, 16};
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        util_ok(un_set_threads(threads[t]));
        assert_int_equal(un_thread_count(), threads[t]);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (size_t j = 0; j < sizeof grains / sizeof *grains; j++)
                check_cover(sizes[i], grains[j], threads[t]);
    }
    assert_int_equal(un_set_threads(-1), UNSEEN_E_ARGUMENT);
    util_fails(un_set_threads(1025), UNSEEN_E_ARGUMENT, "1024");
    util_ok(un_set_threads(0));
    assert_int_equal(un_thread_count(), un_processor_count());
}

/* A host may have closed its standard streams: what is opened must not become one of them, or its
 * messages would be written into our files. */
static void closed_standard_streams(void **state) {
    (void)state;
    int kept[3], fds[6] = {0}, file = 0, taken = 0;
    char path[300], lock_path[300];
    un_atomic_file whole, partial, scratch;
    un_lock lock;
    snprintf(path, sizeof path, "%s/closed", g_folder);
    snprintf(lock_path, sizeof lock_path, "%s/closed.lock", g_folder);
    fflush(stdout);
    for (int i = 0; i < 3; i++) kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
    for (int i = 0; i < 3; i++) close(i);
    un_status status = un_atomic_open(&whole, path);
    fds[0] = whole.fd;
    if (!status) status = un_atomic_open_partial(&partial, path);
    fds[1] = partial.fd;
    if (!status) status = un_scratch_open(&scratch, path);
    fds[2] = scratch.fd;
    if (!status) status = un_lock_take(&lock, lock_path, &taken);
    fds[3] = lock.fd;
    fds[4] = un_output_open(path, &file);
    fds[5] = un_open(path, O_RDONLY, 0);
    ssize_t said = write(STDERR_FILENO, "a message of the host\n", 22);
    if (!status) status = un_atomic_write(&whole, "ours", 4, 0);
    if (!status) status = un_atomic_commit(&whole);
    for (int i = 0; i < 3; i++) dup2(kept[i], i);
    for (int i = 0; i < 3; i++) close(kept[i]);
    util_ok(status);
    assert_int_equal(said, -1);
    for (int i = 0; i < 6; i++) {
        assert_true(fds[i] > STDERR_FILENO);
        if (i > 0) assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
    }
    un_atomic_abort(&partial);
    un_atomic_abort(&scratch);
    un_lock_release(&lock);
    close(fds[4]);
    close(fds[5]);
}

/* What flock(2) fails with from here on; 0: it is the kernel's. */
static int g_no_locks;

int flock(int fd, int operation) {
    if (g_no_locks == 0) return (int)syscall(SYS_flock, fd, operation);
    errno = g_no_locks;
    return -1;
}

/* Lustre, NFS and FUSE may know no locks: then whoever works alone must be able to. */
static void a_file_system_without_locks(void **state) {
    (void)state;
    static const int codes[] = {ENOLCK, ENOSYS, EOPNOTSUPP};
    char path[300], partial_path[320];
    snprintf(path, sizeof path, "%s/lockless", g_folder);
    snprintf(partial_path, sizeof partial_path, "%s.partial", path);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        un_atomic_file whole, partial;
        un_lock lock;
        int taken = 0;
        g_no_locks = codes[i];
        un_status locked = un_lock_take(&lock, path, &taken);
        un_lock_release(&lock);
        un_status opened = un_atomic_open_partial(&partial, path);
        if (!opened) un_atomic_abort(&partial);
        un_status written = un_atomic_open(&whole, path);
        if (!written) written = un_atomic_commit(&whole);
        g_no_locks = 0;
        util_ok(locked);
        assert_true(taken);
        util_ok(opened);
        util_ok(written);
        unlink(partial_path);
        unlink(path);
    }
    /* One that is held is still told from that. */
    un_lock first, second;
    int taken = 0;
    util_ok(un_lock_take(&first, path, &taken));
    assert_true(taken);
    util_ok(un_lock_take(&second, path, &taken));
    assert_false(taken);
    un_lock_release(&first);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena),
        cmocka_unit_test(error_sentences),
        cmocka_unit_test(cut_sentences),
        cmocka_unit_test(atomic_files),
        cmocka_unit_test(closed_standard_streams),
        cmocka_unit_test(a_file_system_without_locks),
        cmocka_unit_test(path_parts),
        cmocka_unit_test(json),
        cmocka_unit_test(nearest_name),
        cmocka_unit_test(parallel_covers_everything_once),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
