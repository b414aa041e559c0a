/*
 * fuzz.h - what the fuzz targets share. A target is one file, fuzz_<name>.c, with
 *
 *     run    arbitrary bytes as a file of its kind: taken, or refused with a sentence.
 *            Whatever is taken is then used to the end. Aborts on a broken promise.
 *     seed   writes small valid files, the corpus to start from
 *
 * All targets are one program, linked twice: with libFuzzer (libfuzzer.c, `make fuzz`), and
 * with a driver of our own that needs no fuzzer and replays the kept corpus (replay.c, a test).
 *
 * A target whose input is several files takes them as one archive: a line "@@ NAME" before
 * each, NAME a path below the folder of the input.
 */
#ifndef UN_TESTS_FUZZ_H
#define UN_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/status.h"
#include "data/dataset.h"

typedef struct {
    const char *name;
    int (*run)(const uint8_t *data, size_t size); /* 1: taken, 0: refused */
    void (*seed)(void);
} fuzz_target;

/* name == NULL ends. */
extern const fuzz_target fuzz_targets[];

/* One input through the target, whose promises are checked: as target->run. */
int fuzz_run(const fuzz_target *target, const uint8_t *data, size_t size);
/* NULL if there is none of that name; once before the first input. */
const fuzz_target *fuzz_start(const char *name);

/* ---- for targets ---- */

/* The folder of this input: empty when run begins. */
const char *fuzz_folder(void);
/* A path below it; the last 16 stay valid. */
const char *fuzz_path(const char *name);
/* The input as a file of that name in the folder; its path. */
const char *fuzz_file(const char *name, const uint8_t *data, size_t size);
/* Unpacks an archive into the folder; names that lead out of it are left out. */
void fuzz_unpack(const uint8_t *data, size_t size);
/* A file below the project's tests/data; the last 16 stay valid. */
const char *fuzz_test_data(const char *name);
/* 1 if the status is OK; else checks that it was explained, and answers 0. */
int fuzz_taken(un_status status);
/* 1: a lack of memory may be said, since the input plays who says it. */
extern int fuzz_memory_may_lack;
/* What must hold. */
#define FUZZ_REQUIRE(condition)                                                                    \
    do {                                                                                           \
        if (!(condition)) fuzz_broken(#condition, __FILE__, __LINE__);                             \
    } while (0)
_Noreturn void fuzz_broken(const char *condition, const char *file, int line);
/* Reads the bytes so that a sanitizer sees them. */
void fuzz_touch(const void *bytes, size_t size);
void fuzz_touch_text(const char *text); /* NULL is allowed */
/* The data set in tests/data that an input goes with, opened once; not to be changed. */
const un_dataset *fuzz_dataset(void);
/* A copy of it and of its features at that place in the folder; the path. */
const char *fuzz_dataset_copy(const char *name);

/* Puts the keys of the JSON file `with` into that at `path`; 0 if it is no such file. */
int fuzz_merge_json(const char *path, const char *with);
/* An import that was taken has made a data set that opens and can be checked. */
void fuzz_check_import(const char *folder);

/* ---- for seeds ---- */

/* Keeps a seed: a file of the corpus. Names that begin with "bad" are refused, all others taken. */
void fuzz_seed(const char *name, const void *data, size_t size);
void fuzz_seed_text(const char *name, const char *text);
/* The content of a file. */
void fuzz_seed_file(const char *name, const char *path);
/* Where --make writes; set by the driver. */
extern const char *fuzz_seeds_at;

/* A BMP file of 4 x 3 pixels of 1 to 32 bits; height -3: from the top. Its size. */
enum { FUZZ_BMP_ROOM = 512 };
size_t fuzz_make_bmp(unsigned char out[FUZZ_BMP_ROOM], unsigned bits, size_t palette,
                     int32_t height);

/* A copy with 1 byte more behind it, a NUL: to be released with free(). */
char *fuzz_text(const uint8_t *data, size_t size);

#endif
