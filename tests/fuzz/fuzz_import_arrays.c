/*
 * fuzz_import_arrays.c - features and labels as .npy, a table or an array of semantics, names and
 * a split: members of an archive, imported as one data set.
 */
#include "fuzz.h"

#include "base/file.h"
#include "data/readers/import.h"

static const char *if_there(const char *name) {
    const char *path = fuzz_path(name);
    return un_path_exists(path) ? path : NULL;
}

int fuzz_run_import_arrays(const uint8_t *data, size_t size) {
    fuzz_unpack(data, size);
    const char *table = if_there("att.csv");
    const un_named_path semantics = {"att", table ? table : fuzz_path("att.npy")};
    const un_arrays_options options = {.features = fuzz_path("x.npy"),
                                       .labels = fuzz_path("y.npy"),
                                       .semantics = &semantics,
                                       .semantics_count = 1,
                                       .names = if_there("names.txt"),
                                       .split = {.file = if_there("split.json")},
                                       .dtype = UN_F32,
                                       .output = fuzz_path("out")};
    if (!fuzz_taken(un_import_arrays(&options))) return 0;
    fuzz_check_import(options.output);
    return 1;
}

/* Appends a member with an array of version 1. */
static size_t add_array(char *out, size_t at, const char *name, const char *dictionary,
                        const void *values, size_t bytes) {
    size_t n = strlen(dictionary);
    at += (size_t)sprintf(out + at, "@@ %s\n", name);
    memcpy(out + at, "\x93NUMPY\x01\0", 8);
    out[at + 8] = (char)(n + 1);
    out[at + 9] = 0;
    memcpy(out + at + 10, dictionary, n);
    out[at + 10 + n] = '\n';
    memcpy(out + at + 11 + n, values, bytes);
    at += 11 + n + bytes;
    out[at++] = '\n';
    return at;
}

static void seed(const char *name, const char *rest) {
    static const int32_t labels[8] = {0, 0, 1, 1, 2, 2, 3, 3};
    char bytes[4096];
    float x[8 * 3];
    for (size_t i = 0; i < 24; i++) x[i] = (float)i / 8;
    size_t at =
        add_array(bytes, 0, "x.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (8, 3), }",
                  x, sizeof x);
    at = add_array(bytes, at, "y.npy", "{'descr': '<i4', 'fortran_order': False, 'shape': (8,), }",
                   labels, sizeof labels);
    strcpy(bytes + at, rest);
    fuzz_seed(name, bytes, at + strlen(rest));
}

#define TABLE "@@ att.csv\nclass,a,b\nant,0,1\nbee,1,0\ncat,1,1\ndog,0.5,0.5\n"

void fuzz_seed_import_arrays(void) {
    seed("table", TABLE);
    seed("names", TABLE "@@ names.txt\nant\nbee\ndog\ncat\n");
    seed("split", TABLE "@@ split.json\n{\"trainval\": [0, 2, 4], \"test_seen\": [1, 3, 5], "
                        "\"test_unseen\": [6, 7]}");
    seed("bad_classes", "@@ att.csv\nclass,a,b\nant,0,1\nbee,1,0\n");
    seed("bad_nothing", "");
}
