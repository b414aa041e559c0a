/*
 * fuzz.h - what the fuzz targets share: the input as a file of its own, and a
 * main that replays files when there is no fuzzer (-DUN_FUZZ_REPLAY).
 *
 * A target is built with `clang -fsanitize=fuzzer,address,undefined`, or with any
 * compiler and -DUN_FUZZ_REPLAY as a program over the files it is given.
 */
#ifndef UN_TESTS_FUZZ_H
#define UN_TESTS_FUZZ_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char g_input_path[512];

static inline void remove_input(void) { unlink(g_input_path); }

/* The path of a file with this content; one file a process, removed at exit. */
static inline const char *write_input(const uint8_t *data, size_t size) {
    if (g_input_path[0] == 0) {
        const char *folder = getenv("TMPDIR");
        snprintf(g_input_path, sizeof g_input_path, "%s/unseen-fuzz-XXXXXX",
                 folder && folder[0] ? folder : "/tmp");
        int made = mkstemp(g_input_path);
        if (made < 0) abort();
        close(made);
        atexit(remove_input);
    }
    int fd = open(g_input_path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (fd < 0) abort();
    for (size_t at = 0; at < size;) {
        ssize_t n = write(fd, data + at, size - at);
        if (n <= 0) abort();
        at += (size_t)n;
    }
    close(fd);
    return g_input_path;
}

#ifdef UN_FUZZ_REPLAY
int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (!file || fseek(file, 0, SEEK_END) != 0) {
            fprintf(stderr, "cannot read %s\n", argv[i]);
            return 1;
        }
        long size = ftell(file);
        rewind(file);
        uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
        if (!data || fread(data, 1, (size_t)size, file) != (size_t)size) {
            fprintf(stderr, "cannot read %s\n", argv[i]);
            return 1;
        }
        fclose(file);
        LLVMFuzzerTestOneInput(data, (size_t)size);
        free(data);
    }
    printf("%d files replayed\n", argc - 1);
    return 0;
}
#endif

#endif
