/*
 * libfuzzer.c - the fuzz targets under libFuzzer: `unseen-fuzz TARGET [options] [corpus…]`. The
 * environment's UNSEEN_FUZZ_TARGET names the target as well; so processes that libFuzzer starts
 * again know it.
 */
#include "fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const fuzz_target *g_target;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    const char *name = getenv("UNSEEN_FUZZ_TARGET");
    if (!name && *argc > 1) {
        name = (*argv)[1];
        setenv("UNSEEN_FUZZ_TARGET", name, 1);
        for (int i = 1; i < *argc; i++) (*argv)[i] = (*argv)[i + 1];
        --*argc;
    }
    g_target = name ? fuzz_start(name) : NULL;
    if (g_target) return 0;
    fprintf(stderr, "usage: unseen-fuzz TARGET [libFuzzer's options] [corpus…]\ntargets:");
    for (const fuzz_target *t = fuzz_targets; t->name; t++) fprintf(stderr, " %s", t->name);
    fprintf(stderr, "\n");
    exit(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    (void)fuzz_run(g_target, data, size);
    return 0;
}
