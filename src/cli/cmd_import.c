/*
 * cmd_import.c - `unseen import FORMAT …`: a foreign data set into a data set directory. Each
 * format is a table of the options that are its own, the groups of those it shares
 * (import_options.h), and a function that looks at the files it is about to read and write.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "cli/cli.h"
#include "cli/import_options.h"
#include "engine/loader.h"

enum { MOST_NEEDED = 3 };

/* A format of other people's data. */
typedef struct {
    const char *name, *summary;
    struct argp argp;
    const char *no_path; /* the sentence where the argument is missing; NULL: there is none */
    struct {
        size_t at; /* offset in un_import_arguments of what must be said */
        const char *missing;
    } needed[MOST_NEEDED];
    int (*run)(un_import_arguments *a, const char *name); /* an exit code */
} format;

/* What a format's parser fills. */
typedef struct {
    un_import_arguments arguments;
    const format *format;
} request;

/* The parser of every format. */
static error_t parse(int key, char *text, struct argp_state *state) {
    request *r = state->input;
    un_import_arguments *a = &r->arguments;
    const format *f = r->format;
    switch (key) {
    case ARGP_KEY_INIT:
        for (size_t i = 0; f->argp.children[i].argp; i++) {
            int common = f->argp.children[i].argp == &un_cli_common_argp;
            state->child_inputs[i] = common ? (void *)&a->common : a;
        }
        return 0;
    case ARGP_KEY_ARG:
        if (!f->no_path || a->options.source) argp_error(state, "unexpected argument \"%s\"", text);
        a->options.source = text;
        return 0;
    case ARGP_KEY_END:
        if (f->no_path && !a->options.source) argp_error(state, "%s", f->no_path);
        for (size_t i = 0; i < MOST_NEEDED && f->needed[i].missing; i++)
            if (!*(char *const *)((const char *)a + f->needed[i].at))
                argp_error(state, "%s", f->needed[i].missing);
        return 0;
    default: return un_import_parse(key, text, state); /* the arguments come first in the input */
    }
}

/* clang-format off */
/* --scale; WHAT it scales, and MORE values than the usual three. */
#define SCALE(VALUES, WHAT, MORE)                                                                \
    {"scale", UN_KEY_SCALE, VALUES, 0,                                                           \
     "What is done to the " WHAT " before each class's row gets length 1: none; range, each to " \
     "0 to 1 over the classes; auto, range unless all share a unit, 0 to 1 or percent" MORE      \
     " (default: auto)",                                                                         \
     0}
/* clang-format on */

/* ---- xlsa17 and region-maps: feature files that others made ---- */

static const struct argp_option g_xlsa17_options[] = {
    {"splits", UN_KEY_SPLITS, "S.mat", 0, "Split file with att and the lists (required)", 0},
    {"features", UN_KEY_FEATURES, "F.mat", 0,
     "Feature file like res101.mat, one column an image (default: none, import classes and lists)",
     0},
    UN_IMPORT_VALIDATION("those of the split file and "),
    {0}};

static const struct argp_option g_region_maps_options[] = {
    {"layout", UN_KEY_LAYOUT, "auto|nchw|nhwc", 0,
     "Where the channels of feature_map stand: nchw, before height and width; nhwc, behind them; "
     "auto, before them unless the shape tells otherwise (a square map, many more channels than "
     "positions along a side), which is said (default: auto)",
     0},
    {"splits", UN_KEY_SPLITS, "S.mat", 0,
     "Split file whose class names these are, and whose att it is where the HDF5 file has none "
     "(default: none)",
     0},
    UN_IMPORT_VALIDATION("train_loc and val_loc of the HDF5 file, those of the split file and "),
    {0}};

static const struct argp_child g_benchmark_groups[] = {
    {&un_import_semantics_argp, 0, NULL, 0},
    {&un_import_store_argp, 0, NULL, 0},
    {&un_import_pictures_argp, 0, NULL, 0},
    {&un_import_turn_argp, 0, NULL, 0},
    {&un_import_names_argp, 0, NULL, 0},
    {&un_import_output_argp, 0, NULL, 0},
    {&un_cli_common_argp, 0, "Common options:", 100},
    {0}};

/* ---- cub, awa2 and folder: folders of pictures ---- */

static const struct argp_option g_folder_options[] = {
    {"attributes", UN_KEY_TABLE, "CLASSES.csv", 0,
     "Table of classes and attributes (required): CSV or TSV, a header with the attributes' names, "
     "then a row for each class, its name first, then numbers (also 78%, yes, no, ? for unknown); "
     "attributes called \"group::value\" or \"group: value\" form groups",
     0},
    SCALE("auto|none|range", "attributes", ""),
    {0}};

/* clang-format off */
#define GROUPS_OF_PICTURES                                                       \
    {&un_import_turn_argp, 0, NULL, 0}, {&un_import_semantics_argp, 0, NULL, 0}, \
    {&un_import_split_argp, 0, NULL, 0}, {&un_import_output_argp, 0, NULL, 0},   \
    {&un_import_update_argp, 0, NULL, 0}, {&un_cli_common_argp, 0, "Common options:", 100}
/* clang-format on */
static const struct argp_child g_published_groups[] = {GROUPS_OF_PICTURES, {0}};
static const struct argp_child g_folder_groups[] = {
    GROUPS_OF_PICTURES, {&un_import_values_argp, 0, NULL, 0}, {0}};

/* Names what is there in people's folders and cannot be read. *bad: kinds of pictures among it;
 * they are in the data set, where `extract` leaves them out, or reads them once it can. */
static un_status report_unread(const char *output, int *bad) {
    unseen_dataset *data = NULL;
    un_unread unread;
    UN_TRY(un_cli_dataset_open(output, NULL, &data));
    un_status status = un_unread_find(&data->data, &unread);
    for (int kind = 0; kind < UN_KIND_COUNT && !status; kind++) {
        char *sentence = NULL;
        if (unread.count[kind] == 0) continue;
        status = un_unread_sentence(&unread, (un_file_kind)kind, &sentence);
        if (status) break;
        if (un_kind_is_picture((un_file_kind)kind)) {
            un_log(UNSEEN_LOG_ERROR, "unseen: %s", sentence);
            *bad = 1;
        } else {
            un_log(UNSEEN_LOG_WARNING, "%s", sentence);
        }
        free(sentence);
    }
    unseen_dataset_close(data);
    return status;
}

static int import_pictures(un_import_arguments *a, const char *name) {
    un_cli_files files = {0};
    un_cli_reads(&files, a->options.table);
    int code = un_import_check_files(a, a->options.source, &files);
    return code ? code : un_import_run(a, name);
}

static int import_folder(un_import_arguments *a, const char *name) {
    int bad = 0;
    int code = import_pictures(a, name);
    if (code == UN_EXIT_OK && report_unread(a->output, &bad)) return un_cli_fail();
    return code == UN_EXIT_OK && bad ? UN_EXIT_FAILURE : code;
}

/* ---- tinybirds: the built-in data set, drawn ---- */

static const struct argp_option g_tinybirds_options[] = {
    {"images-per-class", UN_KEY_IMAGES_PER_CLASS, "N", 0, "Images of each kind (default: 40)", 0},
    {"size", UN_KEY_SIZE, "N", 0, "Side of the pictures in pixels, 64 to 1024 (default: 224)", 0},
    {"name", UN_KEY_NAME, "NAME", 0, "Name of the data set (default: Tinybirds)", 0},
    {"output", 'o', "DIR", 0, "Directory to make (required); it appears whole or not at all", 0},
    {0}};

static un_status print_birds(const char *output, double seconds) {
    unseen_dataset *data = NULL;
    const float *values = NULL;
    size_t unseen_kinds = 0, attributes = 0;
    UN_TRY(un_cli_dataset_open(output, NULL, &data));
    const size_t kinds = unseen_dataset_class_count(data);
    for (size_t k = 0; k < kinds; k++) unseen_kinds += unseen_dataset_class_seen(data, k) == 0;
    un_status status = unseen_dataset_semantics(data, "att", &values, &attributes);
    if (!status)
        printf("%s: %zu images of %zu kinds (%zu unseen), %zu attributes, drawn in %.1f s\n",
               output, unseen_dataset_image_count(data), kinds, unseen_kinds, attributes, seconds);
    unseen_dataset_close(data);
    return status;
}

static int import_tinybirds(un_import_arguments *a, const char *name) {
    const double started = un_now();
    a->options.seed = a->common.seed;
    un_status status = unseen_import(name, a->output, &a->options);
    if (!status) status = print_birds(a->output, un_now() - started);
    return status ? un_cli_fail() : UN_EXIT_OK;
}

/* ---- arrays: features, labels and semantics of any origin ---- */

static const struct argp_option g_arrays_options[] = {
    {"features", UN_KEY_FEATURES, "ARRAY", 0,
     "Features (required): X.npy, X.npz:NAME or X.safetensors:NAME, of shape (N, F), (N, R, F) "
     "with R regions, or (N, h, w, F)",
     0},
    {"layout", UN_KEY_LAYOUT, "auto|nhwc|nchw", 0,
     "Where the channels stand: nhwc, last, (N, h, w, F) and (N, R, F); nchw, first, (N, F, h, w) "
     "and (N, F, R); auto, last unless the shape of a map tells otherwise (a square map, many more "
     "channels than positions along a side), which is said (default: auto)",
     0},
    {"labels", UN_KEY_LABELS, "ARRAY", 0,
     "Classes of the N rows (required): whole numbers from 0; text is not read", 0},
    {"semantics", UN_KEY_SEMANTICS, "NAME=ARRAY", 0,
     "Semantics (required): an array (classes, attributes), or (images, attributes), of which each "
     "class gets the mean of its images, or a table .csv or .tsv as `unseen import folder` takes "
     "it; may be repeated",
     0},
    {"names", UN_KEY_CLASS_NAMES, "FILE", 0,
     "Names of the classes, one a line, in the order of the labels (default: those of the split "
     "file, else of the first table, else class_001 and on)",
     0},
    SCALE("auto|none|range|as-given", "semantics", "; as-given: rows keep their lengths, too"),
    {0}};

static const struct argp_child g_arrays_groups[] = {
    {&un_import_split_argp, 0, NULL, 0},
    {&un_import_values_argp, 0, NULL, 0},
    {&un_import_store_argp, 0, NULL, 0},
    {&un_import_names_argp, 0, NULL, 0},
    {&un_import_output_argp, 0, NULL, 0},
    {&un_cli_common_argp, 0, "Common options:", 100},
    {0}};

static int import_arrays(un_import_arguments *a, const char *name) {
    un_cli_files files = {0};
    un_cli_reads(&files, a->options.features);
    un_cli_reads(&files, a->options.labels);
    un_cli_reads(&files, a->options.classes);
    int code = un_import_check_files(a, NULL, &files);
    return code ? code : un_import_run(a, name);
}

/* ---- selection of the format ---- */

static const format g_formats[] = {
    {.name = "xlsa17",
     .summary = "benchmark packages of Xian et al.: res101.mat, att_splits.mat",
     .argp = {.options = g_xlsa17_options,
              .parser = parse,
              .doc = "Imports a benchmark package of Xian et al. (CUB, AWA1, AWA2, SUN, aPY, FLO): "
                     "MATLAB files like res101.mat and att_splits.mat, v5 or v7.3. Validation "
                     "folds are cut to trainval, whatever the published lists say.",
              .children = g_benchmark_groups},
     .needed = {{offsetof(un_import_arguments, options.splits), "--splits is missing"}},
     .run = un_import_run},
    {.name = "region-maps",
     .summary = "region features in HDF5: feature_map_ResNet_101_CUB.hdf5",
     .argp = {.options = g_region_maps_options,
              .parser = parse,
              .args_doc = "F.hdf5",
              .doc = "Imports region features in HDF5: feature_map (images x channels x height x "
                     "width), labels, trainval_loc, test_seen_loc, test_unseen_loc, att, and "
                     "original_att, w2v_att, train_loc, val_loc, allclasses_names, image_files "
                     "where there are any. Numbers count from 0. Validation folds are cut to "
                     "trainval, whatever the published lists say.",
              .children = g_benchmark_groups},
     .no_path = "the HDF5 file is missing",
     .run = un_import_run},
    {.name = "cub",
     .summary = "the folder of Caltech-UCSD Birds: pictures, attributes, parts",
     .argp = {.parser = parse,
              .args_doc = "ROOT",
              .doc = "Imports the folder of Caltech-UCSD Birds (CUB_200_2011): classes.txt, "
                     "images.txt, image_class_labels.txt, attributes/, images/, and parts/ and "
                     "bounding_boxes.txt where they are. Pictures that do not exist are left out, "
                     "and classes without pictures. A MAT split counts in the order of images.txt, "
                     "as the published features do.",
              .children = g_published_groups},
     .no_path = "the data set's folder is missing",
     .run = import_pictures},
    {.name = "awa2",
     .summary = "the folder of Animals with Attributes 2",
     .argp = {.parser = parse,
              .args_doc = "ROOT",
              .doc = "Imports the folder of Animals with Attributes 2: JPEGImages/, classes.txt, "
                     "predicates.txt, predicate-matrix-continuous.txt. Without --splits and "
                     "--unseen the classes of testclasses.txt are unseen and the rest of the split "
                     "is proposed. A MAT split counts the pictures in the order of their paths, "
                     "unless --image-files tells it.",
              .children = g_published_groups},
     .no_path = "the data set's folder is missing",
     .run = import_pictures},
    {.name = "folder",
     .summary = "your pictures, a folder a class, and a table of attributes",
     .argp =
         {.options = g_folder_options,
          .parser = parse,
          .args_doc = "ROOT",
          .doc = "Imports your own pictures: a folder for each class, and a table of classes and "
                 "attributes. Pictures may lie deeper; hidden files and files that are no pictures "
                 "are left out. Pictures of kinds that cannot be read are named and make the exit "
                 "status 1, after everything was imported. A class of the table without pictures "
                 "is an unseen class that nothing tests. `unseen extract` makes the features.",
          .children = g_folder_groups},
     .no_path = "the data set's folder is missing",
     .needed = {{offsetof(un_import_arguments, options.table), "--attributes is missing"}},
     .run = import_folder},
    {.name = "tinybirds",
     .summary = "the built-in data set: drawn birds with attributes and true boxes",
     .argp = {.options = g_tinybirds_options,
              .parser = parse,
              .doc = "Draws Tinybirds, the built-in data set: 60 kinds of small birds, 15 of them "
                     "unseen, with attributes, true boxes of parts and pictures. The same --seed "
                     "gives the same pictures.",
              .children = un_cli_common_children},
     .needed = {{offsetof(un_import_arguments, output), "--output is missing"}},
     .run = import_tinybirds},
    {.name = "arrays",
     .summary = "features, labels and semantics as .npy, .npz, safetensors",
     .argp = {.options = g_arrays_options,
              .parser = parse,
              .doc =
                  "Imports anything that has a feature vector: features, labels and semantics as "
                  "NumPy arrays or safetensors. Memory does not grow with the number of rows.",
              .children = g_arrays_groups},
     .needed = {{offsetof(un_import_arguments, options.features), "--features is missing"},
                {offsetof(un_import_arguments, options.labels), "--labels is missing"},
                {offsetof(un_import_arguments, semantics), "--semantics is missing"}},
     .run = import_arrays},
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

static int import(const format *f, int argc, char **argv) {
    char program[64]; /* what the parser calls itself */
    snprintf(program, sizeof program, "unseen import %s", f->name);
    argv[0] = program;
    request r = {.format = f};
    int code = UN_EXIT_OK;
    un_import_begin(&r.arguments);
    if (!un_cli_begin(&f->argp, argc, argv, &r, &r.arguments.common, &code)) return code;
    return f->run(&r.arguments, f->name);
}

int un_cmd_import(int argc, char **argv) {
    const int is_first = un_cli_next_is_first(argc, argv);
    const char *name = argc > 1 ? argv[1] : NULL;
    if (name && (!strcmp(name, "--help") || !strcmp(name, "-?") || !strcmp(name, "-h"))) {
        print_help();
        return UN_EXIT_OK;
    }
    const int pages = name && !strcmp(name, UN_CLI_PAGES);
    for (size_t i = 0; name && i < FORMAT_COUNT; i++) {
        if (is_first) un_cli_offer(g_formats[i].name, argv[2]);
        if (pages) import(&g_formats[i], argc, (char *[]){NULL, argv[1], NULL});
        if (!strcmp(name, g_formats[i].name)) return import(&g_formats[i], argc - 1, argv + 1);
    }
    return is_first || pages ? UN_EXIT_OK : unknown_format(name);
}
