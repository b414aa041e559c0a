/* support.c - see fuzz.h. */
#include "fuzz.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "data/check/check.h"

enum { PATHS = 16, PATH_LENGTH = 700 };

static char g_folder[300];
static pid_t g_owner;

const char *fuzz_seeds_at;

_Noreturn void fuzz_broken(const char *condition, const char *file, int line) {
    fprintf(stderr, "%s:%d: broken promise: %s (last sentence: \"%s\")\n", file, line, condition,
            un_error());
    abort();
}

static void remove_folder(void) {
    if (getpid() == g_owner) (void)un_directory_remove(g_folder);
}

static void make_folder(void) {
    const char *base = getenv("TMPDIR");
    if (!base || !base[0]) base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(g_folder, sizeof g_folder, "%s/unseen-fuzz-XXXXXX", base);
    FUZZ_REQUIRE(mkdtemp(g_folder));
    g_owner = getpid();
    atexit(remove_folder);
}

const char *fuzz_folder(void) { return g_folder; }

static char *next_path(void) {
    static char paths[PATHS][PATH_LENGTH];
    static unsigned next;
    return paths[next++ % PATHS];
}

const char *fuzz_path(const char *name) {
    char *path = next_path();
    snprintf(path, PATH_LENGTH, "%s/%s", g_folder, name);
    return path;
}

const char *fuzz_test_data(const char *name) {
    char *path = next_path();
    snprintf(path, PATH_LENGTH, "%s/%s", UNSEEN_TEST_DATA, name);
    return path;
}

const fuzz_target *fuzz_start(const char *name) {
    const fuzz_target *target = fuzz_targets;
    while (target->name && strcmp(target->name, name) != 0) target++;
    if (!target->name) return NULL;
    make_folder();
    FUZZ_REQUIRE(unseen_set_threads(1) == UNSEEN_OK);
    return target;
}

int fuzz_run(const fuzz_target *target, const uint8_t *data, size_t size) {
    FUZZ_REQUIRE(un_directory_remove(g_folder) == UNSEEN_OK);
    FUZZ_REQUIRE(mkdir(g_folder, 0700) == 0);
    fuzz_memory_may_lack = 0;
    (void)un_fail(UNSEEN_OK, "%s", ""); /* so that a failure that says nothing is seen */
    return target->run(data, size);
}

int fuzz_memory_may_lack;

int fuzz_taken(un_status status) {
    if (status == UNSEEN_OK) return 1;
    FUZZ_REQUIRE(un_error()[0] != 0);
    /* Small files never run out of memory, but that a reader's child is ended may look like it. */
    FUZZ_REQUIRE(status != UNSEEN_E_MEMORY || fuzz_memory_may_lack ||
                 strstr(un_error(), "was killed"));
    return 0;
}

static void write_file(const char *path, const void *data, size_t size) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FUZZ_REQUIRE(fd >= 0);
    for (size_t at = 0; at < size;) {
        ssize_t n = write(fd, (const char *)data + at, size - at);
        FUZZ_REQUIRE(n > 0);
        at += (size_t)n;
    }
    close(fd);
}

const char *fuzz_file(const char *name, const uint8_t *data, size_t size) {
    const char *path = fuzz_path(name);
    write_file(path, data, size);
    return path;
}

/* Whether the name of a member stays below the folder. */
static int is_harmless(const char *name) {
    if (name[0] == 0 || name[0] == '/' || strlen(name) > 200) return 0;
    for (const char *at = name; *at;) {
        size_t n = strcspn(at, "/");
        if (n == 0 || n > 100 || (at[0] == '.' && (n == 1 || (n == 2 && at[1] == '.')))) return 0;
        for (size_t i = 0; i < n; i++)
            if (!isprint((unsigned char)at[i])) return 0;
        at += n;
        if (*at == '/' && *++at == 0) return 0;
    }
    return 1;
}

static void write_member(const char *name, const uint8_t *data, size_t size) {
    char path[PATH_LENGTH];
    if (!is_harmless(name)) return;
    snprintf(path, sizeof path, "%s/%s", g_folder, name);
    for (char *at = path + strlen(g_folder) + 1; (at = strchr(at, '/')); *at++ = '/') {
        *at = 0;
        (void)mkdir(path, 0700);
    }
    struct stat info;
    if (stat(path, &info) == 0 || (errno != ENOENT)) return; /* a folder, or below a file */
    write_file(path, data, size);
}

/* The next "@@ " at the beginning of a line; the end if there is none. */
static const uint8_t *next_member(const uint8_t *at, const uint8_t *end) {
    for (; at < end; at++) {
        if (end - at > 3 && memcmp(at, "@@ ", 3) == 0) return at;
        at = memchr(at, '\n', (size_t)(end - at));
        if (!at) return end;
    }
    return end;
}

void fuzz_unpack(const uint8_t *data, size_t size) {
    if (size == 0) return;
    const uint8_t *end = data + size;
    for (const uint8_t *at = next_member(data, end); at < end;) {
        const uint8_t *line = memchr(at, '\n', (size_t)(end - at));
        if (!line) return;
        const uint8_t *rest = next_member(line + 1, end);
        /* The line break before the next member is not part of this one. */
        size_t n = (size_t)(rest - line) - 1;
        if (rest < end && n > 0) n--;
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)(line - at - 3), (const char *)at + 3);
        write_member(name, line + 1, n);
        at = rest;
    }
}

static volatile unsigned g_sink;

void fuzz_touch(const void *bytes, size_t size) {
    unsigned sum = 0;
    for (size_t i = 0; i < size; i++) sum += ((const unsigned char *)bytes)[i];
    g_sink += sum;
}

void fuzz_touch_text(const char *text) {
    if (text) fuzz_touch(text, strlen(text));
}

char *fuzz_text(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    FUZZ_REQUIRE(text);
    if (size > 0) memcpy(text, data, size);
    text[size] = 0;
    return text;
}

const un_dataset *fuzz_dataset(void) {
    static un_dataset dataset;
    static int open;
    if (!open) FUZZ_REQUIRE(un_dataset_open(&dataset, fuzz_test_data("v0.1/maps")) == UNSEEN_OK);
    open = 1;
    return &dataset;
}

static void copy_file(const char *from, const char *to) {
    char *bytes = NULL;
    size_t size = 0;
    FUZZ_REQUIRE(un_file_read(from, (size_t)1 << 24, &bytes, &size) == UNSEEN_OK);
    write_file(to, bytes, size);
    free(bytes);
}

const char *fuzz_dataset_copy(const char *name) {
    char path[PATH_LENGTH];
    const char *folder = fuzz_path(name);
    (void)mkdir(folder, 0700);
    snprintf(path, sizeof path, "%s/dataset.safetensors", folder);
    copy_file(fuzz_test_data("v0.1/maps/dataset.safetensors"), path);
    snprintf(path, sizeof path, "%s/features", folder);
    (void)mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/features/maps.safetensors", folder);
    copy_file(fuzz_test_data("v0.1/maps/features/maps.safetensors"), path);
    return folder;
}

void fuzz_seed(const char *name, const void *data, size_t size) {
    char path[PATH_LENGTH];
    snprintf(path, sizeof path, "%s/%s", fuzz_seeds_at, name);
    write_file(path, data, size);
}

void fuzz_seed_text(const char *name, const char *text) { fuzz_seed(name, text, strlen(text)); }

void fuzz_seed_file(const char *name, const char *path) {
    char *bytes = NULL;
    size_t size = 0;
    FUZZ_REQUIRE(un_file_read(path, (size_t)1 << 20, &bytes, &size) == UNSEEN_OK);
    fuzz_seed(name, bytes, size);
    free(bytes);
}

int fuzz_merge_json(const char *path, const char *with) {
    json_t *object = NULL, *given = NULL;
    FUZZ_REQUIRE(un_json_read(path, &object) == UNSEEN_OK);
    int merged = fuzz_taken(un_json_read(with, &given)) && json_object_update(object, given) == 0 &&
                 fuzz_taken(un_json_write(path, object));
    json_decref(object);
    json_decref(given);
    return merged;
}

void fuzz_check_import(const char *folder) {
    un_dataset d;
    json_t *report = NULL;
    FUZZ_REQUIRE(un_dataset_open(&d, folder) == UNSEEN_OK);
    un_dataset_close(&d);
    FUZZ_REQUIRE(un_check(folder, &report) == UNSEEN_OK);
    json_decref(report);
}

static void little(unsigned char *at, size_t n, uint32_t value) {
    for (size_t i = 0; i < n; i++, value >>= 8) at[i] = (unsigned char)value;
}

size_t fuzz_make_bmp(unsigned char out[FUZZ_BMP_ROOM], unsigned bits, size_t palette,
                     int32_t height) {
    unsigned char *bytes = out;
    size_t begin = 54 + palette * 4, stride = (4 * bits + 31) / 32 * 4, size = begin + 3 * stride;
    FUZZ_REQUIRE(size <= FUZZ_BMP_ROOM);
    memset(bytes, 0, FUZZ_BMP_ROOM);
    memcpy(bytes, "BM", 2);
    little(bytes + 2, 4, (uint32_t)size);
    little(bytes + 10, 4, (uint32_t)begin);
    little(bytes + 14, 4, 40);
    little(bytes + 18, 4, 4);
    little(bytes + 22, 4, (uint32_t)height);
    little(bytes + 26, 2, 1);
    little(bytes + 28, 2, bits);
    little(bytes + 46, 4, (uint32_t)palette);
    for (size_t i = 54; i < size; i++)
        bytes[i] = (unsigned char)(i >= begin && bits < 8 ? i & 17 : i);
    for (size_t i = begin; bits == 8 && i < size; i++) bytes[i] &= 3;
    return size;
}
