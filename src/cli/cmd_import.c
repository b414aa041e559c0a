/*
 * cmd_import.c - `unseen import FORMAT …`: a foreign data set into a data set
 * directory. One parser a format; the first argument says which.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"
#include "data/dataset.h"
#include "data/features.h"
#include "data/readers/region_maps.h"
#include "data/readers/xlsa17.h"
#include "text/word_vectors.h"

enum { MAX_FILES = 64 };

/* One for all formats; a parser offers the options that its format has. */
typedef struct {
    un_cli_common common;
    const char *file; /* of region-maps */
    const char *features, *features_name, *splits, *name, *output;
    un_named_path semantics[UN_MAX_SEMANTICS];
    size_t semantics_count;
    const char *validation[MAX_FILES];
    size_t validation_count;
    un_dtype dtype;
    un_words_options words; /* vectors NULL: without */
} arguments;

enum {
    KEY_FEATURES = 2000,
    KEY_SPLITS,
    KEY_SEMANTICS,
    KEY_VALIDATION,
    KEY_FEATURES_NAME,
    KEY_DTYPE,
    KEY_NAME,
    KEY_WORD_VECTORS,
    KEY_TENSOR,
    KEY_ATTRIBUTES
};

/* Options of all formats. */
#define SHARED_OPTIONS                                                                               \
    {"word-vectors",                                                                                 \
     KEY_WORD_VECTORS,                                                                               \
     "FILE",                                                                                         \
     0,                                                                                              \
     "Word vectors of the attributes, as `unseen words --vectors` takes them (default: none)",       \
     0},                                                                                             \
        {"tensor",                                                                                   \
         KEY_TENSOR,                                                                                 \
         "NAME",                                                                                     \
         0,                                                                                          \
         "Tensor of that file if it is safetensors (default: the only one, or the one called "       \
         "like "                                                                                     \
         "the data set)",                                                                            \
         0},                                                                                         \
        {"attributes",                                                                               \
         KEY_ATTRIBUTES,                                                                             \
         "FILE",                                                                                     \
         0,                                                                                          \
         "Names of the attributes, as `unseen words --attributes` takes them (default: none)",       \
         0},                                                                                         \
        {"name", KEY_NAME, "NAME", 0, "Name of the data set (default: the output directory's name)", \
         0},                                                                                         \
        {"output", 'o', "DIR", 0, "Directory to make (required); it appears whole or not at all",    \
         0},                                                                                         \
    {                                                                                                \
        0                                                                                            \
    }

static const struct argp_option g_xlsa17_options[] = {
    {"splits", KEY_SPLITS, "S.mat", 0, "Split file with att and the lists (required)", 0},
    {"features", KEY_FEATURES, "F.mat", 0,
     "Feature file like res101.mat, one column an image (default: none, import classes and lists)",
     0},
    {"semantics", KEY_SEMANTICS, "NAME=G.mat", 0,
     "Further semantics: att or embeddings of this file, matched by class name; may be repeated "
     "(default: none)",
     0},
    {"validation", KEY_VALIDATION, "FILE", 0,
     "Validation fold from a MAT file with train_loc and val_loc, or from a text of class names; "
     "may be repeated (default: those of the split file and valclasses1.txt to valclasses3.txt "
     "beside it; if there are none, 3 are proposed)",
     0},
    {"features-name", KEY_FEATURES_NAME, "NAME", 0,
     "Name of the feature set (default: the feature file's name without .mat)", 0},
    {"dtype", KEY_DTYPE, "f32|bf16", 0, "Element type of the stored features (default: f32)", 0},
    SHARED_OPTIONS};

static void add_semantics(struct argp_state *state, arguments *a, char *text) {
    char *equals = strchr(text, '=');
    if (!equals || equals == text || equals[1] == 0)
        argp_error(state, "--semantics takes NAME=FILE, not \"%s\"", text);
    else if (a->semantics_count == UN_MAX_SEMANTICS)
        argp_error(state, "at most %d --semantics", UN_MAX_SEMANTICS);
    else {
        *equals = 0;
        a->semantics[a->semantics_count++] = (un_named_path){text, equals + 1};
    }
}

static void add_validation(struct argp_state *state, arguments *a, const char *path) {
    if (a->validation_count == MAX_FILES)
        argp_error(state, "at most %d --validation", MAX_FILES);
    else
        a->validation[a->validation_count++] = path;
}

static void set_dtype(struct argp_state *state, arguments *a, const char *text) {
    if (!strcmp(text, "f32"))
        a->dtype = UN_F32;
    else if (!strcmp(text, "bf16"))
        a->dtype = UN_BF16;
    else
        argp_error(state, "--dtype must be f32 or bf16, not \"%s\"", text);
}

/* The options that more than one format has; which, the parsers' tables say. */
static error_t parse_shared(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &a->common; return 0;
    case KEY_SPLITS: a->splits = text; return 0;
    case KEY_VALIDATION: add_validation(state, a, text); return 0;
    case KEY_FEATURES_NAME: a->features_name = text; return 0;
    case KEY_DTYPE: set_dtype(state, a, text); return 0;
    case KEY_NAME: a->name = text; return 0;
    case KEY_WORD_VECTORS: a->words.vectors = text; return 0;
    case KEY_TENSOR: a->words.tensor = text; return 0;
    case KEY_ATTRIBUTES: a->words.attributes = text; return 0;
    case 'o': a->output = text; return 0;
    case ARGP_KEY_ARG: argp_error(state, "unexpected argument \"%s\"", text); return 0;
    case ARGP_KEY_END:
        if (!a->output) argp_error(state, "--output is missing");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_xlsa17(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    switch (key) {
    case KEY_FEATURES: a->features = text; return 0;
    case KEY_SEMANTICS: add_semantics(state, a, text); return 0;
    case ARGP_KEY_END:
        if (!a->splits) argp_error(state, "--splits is missing");
        return parse_shared(key, text, state);
    default: return parse_shared(key, text, state);
    }
}

static error_t parse_region_maps(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (a->file) return parse_shared(key, text, state);
        a->file = text;
        return 0;
    case ARGP_KEY_END:
        if (!a->file) argp_error(state, "the HDF5 file is missing");
        return parse_shared(key, text, state);
    default: return parse_shared(key, text, state);
    }
}

static const struct argp_option g_region_maps_options[] = {
    {"splits", KEY_SPLITS, "S.mat", 0,
     "Split file whose class names these are, and whose att it is where the HDF5 file has none "
     "(default: none)",
     0},
    {"validation", KEY_VALIDATION, "FILE", 0,
     "Validation fold from a MAT file with train_loc and val_loc, or from a text of class names; "
     "may be repeated (default: train_loc and val_loc of the HDF5 file, those of the split file "
     "and valclasses1.txt to valclasses3.txt beside it; if there are none, 3 are proposed)",
     0},
    {"features-name", KEY_FEATURES_NAME, "NAME", 0,
     "Name of the feature set (default: the HDF5 file's name without .hdf5)", 0},
    {"dtype", KEY_DTYPE, "bf16|f32", 0, "Element type of the stored features (default: bf16)", 0},
    SHARED_OPTIONS};

static const struct argp g_xlsa17_argp = {
    g_xlsa17_options,
    parse_xlsa17,
    NULL,
    "Imports a benchmark package of Xian et al. (CUB, AWA1, AWA2, SUN, aPY, FLO): MATLAB files "
    "like res101.mat and att_splits.mat, v5 or v7.3. Validation folds are cut to trainval, "
    "whatever the published lists say.",
    un_cli_common_children,
    NULL,
    NULL};

static const struct argp g_region_maps_argp = {
    g_region_maps_options,
    parse_region_maps,
    "F.hdf5",
    "Imports region features in HDF5: feature_map (images x channels x height x width), labels, "
    "trainval_loc, test_seen_loc, test_unseen_loc, att, and original_att, w2v_att, train_loc, "
    "val_loc, allclasses_names, image_files where there are any. Numbers count from 0. Validation "
    "folds are cut to trainval, whatever the published lists say.",
    un_cli_common_children,
    NULL,
    NULL};

/* ---- summary ---- */

static void print_folds(const un_dataset *d) {
    for (size_t k = 0; k < d->fold_count; k++) {
        const un_fold *f = &d->folds[k];
        printf("fold %zu        ", k + 1);
        if (d->labels)
            printf("%zu classes play unseen; train %zu, seen %zu, unseen %zu images",
                   f->class_count, f->train.count, f->seen.count, f->unseen.count);
        else
            printf("train %zu, unseen %zu images", f->train.count, f->unseen.count);
        printf(" (%s)\n", f->source);
        if (f->leaked_train + f->leaked_val > 0)
            printf("              left out %zu + %zu listed images that belong to the test sets\n",
                   f->leaked_train, f->leaked_val);
    }
}

static void print_classes(const un_dataset *d, const unsigned char *seen,
                          const unsigned char *unseen) {
    size_t counts[2] = {0, 0};
    for (size_t c = 0; c < d->class_count; c++) {
        counts[0] += seen[c];
        counts[1] += unseen[c];
    }
    printf("classes       %zu (%zu seen, %zu unseen)\n", d->class_count, counts[0], counts[1]);
}

static un_status print_features(const char *directory) {
    char **names = NULL;
    size_t count = 0;
    UN_TRY(un_features_list(directory, &names, &count));
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < count && !status; i++) {
        un_features f;
        status = un_features_open(&f, directory, names[i]);
        if (status) break;
        printf("features      %s: %zu x %zu x %zu %s\n", f.name, f.image_count, f.regions, f.width,
               un_dtype_name(f.dtype));
        un_features_close(&f);
    }
    un_names_free(names);
    return status;
}

static void print_semantics(const un_dataset *d, const un_semantics *s) {
    printf("semantics     %s: %zu x %zu", s->name, d->class_count, s->width);
    if (s->vectors) printf(", word vectors of width %zu", s->vector_width);
    printf("%s\n", s->attributes ? ", attributes named" : "");
}

static un_status print_summary(const un_dataset *d) {
    unsigned char *flags = NULL;
    const char *known = un_split_known_name(d->split_hash);
    printf("data set      %s in %s\n", d->name, d->directory);
    printf("images        %zu\n", d->image_count);
    if (d->labels) {
        UN_TRY(un_alloc(d->class_count, 2, &flags));
        un_dataset_classes_of(d, &d->trainval, flags);
        un_dataset_classes_of(d, &d->test_unseen, flags + d->class_count);
        print_classes(d, flags, flags + d->class_count);
        free(flags);
    } else {
        printf("classes       %zu (labels unknown)\n", d->class_count);
    }
    printf("lists         trainval %zu, test_seen %zu, test_unseen %zu\n", d->trainval.count,
           d->test_seen.count, d->test_unseen.count);
    for (size_t i = 0; i < d->semantics_count; i++) print_semantics(d, &d->semantics[i]);
    UN_TRY(print_features(d->directory));
    print_folds(d);
    printf("split         %s (%s)\n", d->split_hash, known ? known : "not a published one");
    return UNSEEN_OK;
}

/* What an import does before it writes: names and word vectors of the attributes. */
static un_status add_words(un_dataset *dataset, void *user) {
    const un_words_options *words = user;
    if (words->vectors) return un_words_add(dataset, words);
    return words->attributes ? un_words_name(dataset, words) : UNSEEN_OK;
}

/* What an import ends with: its exit code. */
static int show(un_status imported, const char *output) {
    un_dataset dataset;
    if (imported || un_dataset_open(&dataset, output)) return un_cli_fail();
    un_status status = print_summary(&dataset);
    un_dataset_close(&dataset);
    return status ? un_cli_fail() : UN_EXIT_OK;
}

static int import_xlsa17(int argc, char **argv) {
    arguments a = {.dtype = UN_F32};
    int code = UN_EXIT_OK;
    if (!un_cli_parse(&g_xlsa17_argp, argc, argv, &a, &code)) return code;
    code = un_cli_start(&a.common);
    if (code) return code;
    un_xlsa17_options options = {.features = a.features,
                                 .features_name = a.features_name,
                                 .splits = a.splits,
                                 .semantics = a.semantics,
                                 .semantics_count = a.semantics_count,
                                 .validation = a.validation,
                                 .validation_count = a.validation_count,
                                 .dtype = a.dtype,
                                 .name = a.name,
                                 .output = a.output,
                                 .finish = add_words,
                                 .finish_user = &a.words};
    return show(un_import_xlsa17(&options), a.output);
}

static int import_region_maps(int argc, char **argv) {
    arguments a = {.dtype = UN_BF16};
    int code = UN_EXIT_OK;
    if (!un_cli_parse(&g_region_maps_argp, argc, argv, &a, &code)) return code;
    code = un_cli_start(&a.common);
    if (code) return code;
    un_region_maps_options options = {.file = a.file,
                                      .splits = a.splits,
                                      .features_name = a.features_name,
                                      .validation = a.validation,
                                      .validation_count = a.validation_count,
                                      .dtype = a.dtype,
                                      .name = a.name,
                                      .output = a.output,
                                      .finish = add_words,
                                      .finish_user = &a.words};
    return show(un_import_region_maps(&options), a.output);
}

/* ---- choice of the format ---- */

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} g_formats[] = {
    {"xlsa17", import_xlsa17, "benchmark packages of Xian et al.: res101.mat, att_splits.mat"},
    {"region-maps", import_region_maps, "region features in HDF5: feature_map_ResNet_101_CUB.hdf5"},
};

enum { FORMAT_COUNT = sizeof g_formats / sizeof *g_formats };

static void print_help(void) {
    printf("Usage: unseen import FORMAT [OPTION...]\n"
           "Imports a foreign data set into a data set directory.\n\nFormats:\n");
    for (size_t i = 0; i < FORMAT_COUNT; i++)
        printf("  %-12s %s\n", g_formats[i].name, g_formats[i].summary);
    printf("\n`unseen import FORMAT --help` lists the options of a format with their defaults.\n");
}

static int unknown_format(const char *name) {
    char known[256];
    size_t used = 0;
    for (size_t i = 0; i < FORMAT_COUNT && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                                 g_formats[i].name);
    if (!name) return un_cli_usage("import: the format is missing; known formats: %s", known);
    return un_cli_usage("import: unknown format \"%s\"; known formats: %s", name, known);
}

int un_cmd_import(int argc, char **argv) {
    const char *format = argc > 1 ? argv[1] : NULL;
    if (format && (!strcmp(format, "--help") || !strcmp(format, "-?") || !strcmp(format, "-h"))) {
        print_help();
        return UN_EXIT_OK;
    }
    for (size_t i = 0; format && i < FORMAT_COUNT; i++) {
        if (strcmp(format, g_formats[i].name) != 0) continue;
        char name[64];
        snprintf(name, sizeof name, "unseen import %s", g_formats[i].name);
        argv[1] = name; /* what the parser calls the program */
        return g_formats[i].run(argc - 1, argv + 1);
    }
    return unknown_format(format);
}
