/* import_sources.c - `unseen import arrays`: features, labels and semantics as arrays. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "cli/cli.h"
#include "cli/import.h"
#include "data/readers/import.h"
#include "data/readers/pictures.h"
#include "data/readers/region_maps.h"
#include "engine/loader.h"
#include "text/word_vectors.h"
#include "tinybirds/tinybirds.h"

typedef struct {
    un_import_arguments base;
    const char *features, *labels, *names, *scale, *layout;
} arguments_arrays;

enum {
    KEY_ARRAYS_FEATURES = 2000,
    KEY_LABELS,
    KEY_SEMANTICS,
    KEY_NAMES,
    KEY_ARRAYS_SCALE,
    KEY_ARRAYS_LAYOUT
};

static const struct argp_option g_options_arrays[] = {
    {"features", KEY_ARRAYS_FEATURES, "ARRAY", 0,
     "Features (required): X.npy, X.npz:NAME or X.safetensors:NAME, of shape (N, F), (N, R, F) "
     "with R "
     "regions, or (N, h, w, F)",
     0},
    {"layout", KEY_ARRAYS_LAYOUT, "auto|nhwc|nchw", 0,
     "Where the channels stand: nhwc, last, (N, h, w, F) and (N, R, F); nchw, first, (N, F, h, w) "
     "and (N, F, R); auto, last unless the shape of a map tells otherwise (a square map, many more "
     "channels than positions along a side), which is said (default: auto)",
     0},
    {"labels", KEY_LABELS, "ARRAY", 0,
     "Classes of the N rows (required): whole numbers from 0; text is not read", 0},
    {"semantics", KEY_SEMANTICS, "NAME=ARRAY", 0,
     "Semantics (required): an array (classes, attributes), or (images, attributes), of which each "
     "class gets the mean of its images, or a table .csv or .tsv as `unseen import folder` takes "
     "it; may be repeated",
     0},
    {"names", KEY_NAMES, "FILE", 0,
     "Names of the classes, one a line, in the order of the labels (default: those of the split "
     "file, else of the first table, else class_001 and on)",
     0},
    {"scale", KEY_ARRAYS_SCALE, "auto|none|range|as-given", 0,
     "What is done to the semantics before each class's row gets length 1: none; range, each to 0 "
     "to "
     "1 over the classes; auto, range unless all share a unit, 0 to 1 or percent; as-given: rows "
     "keep "
     "their lengths, too (default: auto)",
     0},
    {0}};

static const struct argp_child g_children_arrays[] = {
    {&un_import_split_argp, 0, NULL, 0},
    {&un_import_values_argp, 0, NULL, 0},
    {&un_import_store_argp, 0, NULL, 0},
    {&un_import_names_argp, 0, NULL, 0},
    {&un_import_output_argp, 0, NULL, 0},
    {&un_cli_common_argp, 0, "Common options:", 100},
    {0}};

static error_t parse_arrays(int key, char *text, struct argp_state *state) {
    arguments_arrays *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        for (int i = 0; i < 5; i++) state->child_inputs[i] = &a->base;
        state->child_inputs[5] = &a->base.common;
        return 0;
    case KEY_ARRAYS_FEATURES: a->features = text; return 0;
    case KEY_LABELS: a->labels = text; return 0;
    case KEY_SEMANTICS: un_import_add_semantics(state, &a->base, text); return 0;
    case KEY_NAMES: a->names = text; return 0;
    case KEY_ARRAYS_SCALE: a->scale = text; return 0;
    case KEY_ARRAYS_LAYOUT: a->layout = text; return 0;
    case ARGP_KEY_ARG: argp_error(state, "unexpected argument \"%s\"", text); return 0;
    case ARGP_KEY_END:
        if (!a->features) argp_error(state, "--features is missing");
        if (!a->labels) argp_error(state, "--labels is missing");
        if (a->base.semantics_count == 0) argp_error(state, "--semantics is missing");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp g_argp_arrays = {
    g_options_arrays,
    parse_arrays,
    NULL,
    "Imports anything that has a feature vector: features, labels and semantics as NumPy arrays or "
    "safetensors. Memory does not grow with the number of rows.",
    g_children_arrays,
    NULL,
    NULL};

int un_import_run_arrays(int argc, char **argv) {
    arguments_arrays a = {.base.dtype = UN_F32};
    int code = UN_EXIT_OK;
    if (!un_cli_begin(&g_argp_arrays, argc, argv, &a, &a.base.common, &code)) return code;
    un_import_finish_split(&a.base);
    un_cli_files files = {0};
    un_cli_reads(&files, a.features);
    un_cli_reads(&files, a.labels);
    un_cli_reads(&files, a.names);
    code = un_import_check_files(&a.base, NULL, &files);
    if (code) return code;
    un_arrays_options options = {
        .features = a.features,
        .labels = a.labels,
        .semantics = a.base.semantics,
        .semantics_count = a.base.semantics_count,
        .names = a.names,
        .values = {.unknown = a.base.unknown, .unknown_count = a.base.unknown_count},
        .split = a.base.split,
        .features_name = a.base.features_name,
        .dtype = a.base.dtype,
        .name = a.base.name,
        .output = a.base.output,
        .finish = un_import_add_words,
        .finish_user = &a.base.words};
    if (a.scale && un_scale_parse(a.scale, &options.values.scale)) return un_cli_fail();
    if (a.layout && un_layout_parse(a.layout, &options.layout)) return un_cli_fail();
    return un_import_show(un_import_arrays(&options), a.base.output);
}

/* ---- `unseen import xlsa17` and `unseen import region-maps`: feature
 * files that others made. ---- */

typedef struct {
    un_import_arguments base;
    const char *file; /* of region-maps */
    const char *features, *splits, *layout;
} arguments_benchmark;

enum { KEY_BENCHMARK_FEATURES = 2000, KEY_SPLITS, KEY_VALIDATION, KEY_BENCHMARK_LAYOUT };

static const struct argp_child g_children_benchmark[] = {
    {&un_import_semantics_argp, 0, NULL, 0},
    {&un_import_store_argp, 0, NULL, 0},
    {&un_import_pictures_argp, 0, NULL, 0},
    {&un_import_turn_argp, 0, NULL, 0},
    {&un_import_names_argp, 0, NULL, 0},
    {&un_import_output_argp, 0, NULL, 0},
    {&un_cli_common_argp, 0, "Common options:", 100},
    {0}};

static const struct argp_option g_xlsa17_options[] = {
    {"splits", KEY_SPLITS, "S.mat", 0, "Split file with att and the lists (required)", 0},
    {"features", KEY_BENCHMARK_FEATURES, "F.mat", 0,
     "Feature file like res101.mat, one column an image (default: none, import classes and lists)",
     0},
    {"validation", KEY_VALIDATION, "FILE", 0,
     "Validation fold from a MAT file with train_loc and val_loc, or from a text of class names; "
     "may be repeated (default: those of the split file and valclasses1.txt to valclasses3.txt "
     "beside it; if there are none, 3 are proposed)",
     0},
    {0}};

/* What both formats have. */
static error_t parse_both(int key, char *text, struct argp_state *state) {
    arguments_benchmark *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        for (int i = 0; i < 6; i++) state->child_inputs[i] = &a->base;
        state->child_inputs[6] = &a->base.common;
        return 0;
    case KEY_SPLITS: a->splits = text; return 0;
    case KEY_VALIDATION: un_import_add_validation(state, &a->base, text); return 0;
    case ARGP_KEY_ARG: argp_error(state, "unexpected argument \"%s\"", text); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_xlsa17(int key, char *text, struct argp_state *state) {
    arguments_benchmark *a = state->input;
    switch (key) {
    case KEY_BENCHMARK_FEATURES: a->features = text; return 0;
    case ARGP_KEY_END:
        if (!a->splits) argp_error(state, "--splits is missing");
        return 0;
    default: return parse_both(key, text, state);
    }
}

static error_t parse_region_maps(int key, char *text, struct argp_state *state) {
    arguments_benchmark *a = state->input;
    switch (key) {
    case KEY_BENCHMARK_LAYOUT: a->layout = text; return 0;
    case ARGP_KEY_ARG:
        if (a->file) return parse_both(key, text, state);
        a->file = text;
        return 0;
    case ARGP_KEY_END:
        if (!a->file) argp_error(state, "the HDF5 file is missing");
        return 0;
    default: return parse_both(key, text, state);
    }
}

static const struct argp_option g_region_maps_options[] = {
    {"layout", KEY_BENCHMARK_LAYOUT, "auto|nchw|nhwc", 0,
     "Where the channels of feature_map stand: nchw, before height and width; nhwc, behind them; "
     "auto, before them unless the shape tells otherwise (a square map, many more channels than "
     "positions along a side), which is said (default: auto)",
     0},
    {"splits", KEY_SPLITS, "S.mat", 0,
     "Split file whose class names these are, and whose att it is where the HDF5 file has none "
     "(default: none)",
     0},
    {"validation", KEY_VALIDATION, "FILE", 0,
     "Validation fold from a MAT file with train_loc and val_loc, or from a text of class names; "
     "may be repeated (default: train_loc and val_loc of the HDF5 file, those of the split file "
     "and valclasses1.txt to valclasses3.txt beside it; if there are none, 3 are proposed)",
     0},
    {0}};

static const struct argp g_xlsa17_argp = {
    g_xlsa17_options,
    parse_xlsa17,
    NULL,
    "Imports a benchmark package of Xian et al. (CUB, AWA1, AWA2, SUN, aPY, FLO): MATLAB files "
    "like res101.mat and att_splits.mat, v5 or v7.3. Validation folds are cut to trainval, "
    "whatever the published lists say.",
    g_children_benchmark,
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
    g_children_benchmark,
    NULL,
    NULL};

int un_import_run_xlsa17(int argc, char **argv) {
    arguments_benchmark a = {.base.dtype = UN_F32};
    int code = UN_EXIT_OK;
    if (!un_cli_begin(&g_xlsa17_argp, argc, argv, &a, &a.base.common, &code)) return code;
    un_xlsa17_options options = {.features = a.features,
                                 .features_name = a.base.features_name,
                                 .splits = a.splits,
                                 .semantics = a.base.semantics,
                                 .semantics_count = a.base.semantics_count,
                                 .validation = a.base.validation,
                                 .validation_count = a.base.validation_count,
                                 .dtype = a.base.dtype,
                                 .name = a.base.name,
                                 .output = a.base.output,
                                 .images = a.base.images,
                                 .allow_missing = a.base.allow_missing,
                                 .orientation = a.base.orientation,
                                 .finish = un_import_add_words,
                                 .finish_user = &a.base.words};
    return un_import_show(un_import_xlsa17(&options), a.base.output);
}

int un_import_run_region_maps(int argc, char **argv) {
    arguments_benchmark a = {.base.dtype = UN_BF16};
    int code = UN_EXIT_OK;
    if (!un_cli_begin(&g_region_maps_argp, argc, argv, &a, &a.base.common, &code)) return code;
    un_region_maps_options options = {.file = a.file,
                                      .splits = a.splits,
                                      .semantics = a.base.semantics,
                                      .semantics_count = a.base.semantics_count,
                                      .features_name = a.base.features_name,
                                      .validation = a.base.validation,
                                      .validation_count = a.base.validation_count,
                                      .dtype = a.base.dtype,
                                      .name = a.base.name,
                                      .output = a.base.output,
                                      .images = a.base.images,
                                      .allow_missing = a.base.allow_missing,
                                      .orientation = a.base.orientation,
                                      .finish = un_import_add_words,
                                      .finish_user = &a.base.words};
    if (a.layout && un_layout_parse(a.layout, &options.layout)) return un_cli_fail();
    return un_import_show(un_import_region_maps(&options), a.base.output);
}

/* ---- `unseen import cub`, `awa2` and `folder`: folders of pictures. ---- */

typedef struct {
    un_import_arguments base;
    const char *root;
    const char *attributes; /* of folder */
    const char *scale;
    int has_table; /* the format wants --attributes */
} arguments_pictures;

enum { KEY_TABLE = 2000, KEY_PICTURES_SCALE };

static const struct argp_option g_folder_options[] = {
    {"attributes", KEY_TABLE, "CLASSES.csv", 0,
     "Table of classes and attributes (required): CSV or TSV, a header with the attributes' names, "
     "then a row for each class, its name first, then numbers (also 78%, yes, no, ? for unknown); "
     "attributes called \"group::value\" or \"group: value\" form groups",
     0},
    {"scale", KEY_PICTURES_SCALE, "auto|none|range", 0,
     "What is done to the attributes before each class's row gets length 1: none; range, each to 0 "
     "to "
     "1 over the classes; auto, range unless all share a unit, 0 to 1 or percent (default: auto)",
     0},
    {0}};

static const struct argp_child g_children_pictures[] = {
    {&un_import_turn_argp, 0, NULL, 0},
    {&un_import_semantics_argp, 0, NULL, 0},
    {&un_import_split_argp, 0, NULL, 0},
    {&un_import_output_argp, 0, NULL, 0},
    {&un_import_update_argp, 0, NULL, 0},
    {&un_cli_common_argp, 0, "Common options:", 100},
    {0}};

/* --unknown comes last: the others are children of all three formats. */
static const struct argp_child g_folder_children[] = {
    {&un_import_turn_argp, 0, NULL, 0},   {&un_import_semantics_argp, 0, NULL, 0},
    {&un_import_split_argp, 0, NULL, 0},  {&un_import_output_argp, 0, NULL, 0},
    {&un_import_update_argp, 0, NULL, 0}, {&un_cli_common_argp, 0, "Common options:", 100},
    {&un_import_values_argp, 0, NULL, 0}, {0}};

static error_t parse_pictures(int key, char *text, struct argp_state *state) {
    arguments_pictures *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        for (int i = 0; i < 5; i++) state->child_inputs[i] = &a->base;
        state->child_inputs[5] = &a->base.common;
        if (a->has_table) state->child_inputs[6] = &a->base;
        return 0;
    case KEY_TABLE: a->attributes = text; return 0;
    case KEY_PICTURES_SCALE: a->scale = text; return 0;
    case ARGP_KEY_ARG:
        if (a->root) argp_error(state, "unexpected argument \"%s\"", text);
        a->root = text;
        return 0;
    case ARGP_KEY_END:
        if (!a->root) argp_error(state, "the data set's folder is missing");
        if (a->has_table && !a->attributes) argp_error(state, "--attributes is missing");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp g_cub_argp = {
    NULL,
    parse_pictures,
    "ROOT",
    "Imports the folder of Caltech-UCSD Birds (CUB_200_2011): classes.txt, images.txt, "
    "image_class_labels.txt, attributes/, images/, and parts/ and bounding_boxes.txt where they "
    "are. "
    "Pictures that do not exist are left out, and classes without pictures. A MAT split counts in "
    "the "
    "order of images.txt, as the published features do.",
    g_children_pictures,
    NULL,
    NULL};

static const struct argp g_awa2_argp = {
    NULL,
    parse_pictures,
    "ROOT",
    "Imports the folder of Animals with Attributes 2: JPEGImages/, classes.txt, predicates.txt, "
    "predicate-matrix-continuous.txt. Without --splits and --unseen the classes of testclasses.txt "
    "are unseen and the rest of the split is proposed. A MAT split counts the pictures in the "
    "order of "
    "their paths, unless --image-files tells it.",
    g_children_pictures,
    NULL,
    NULL};

static const struct argp g_folder_argp = {
    g_folder_options,
    parse_pictures,
    "ROOT",
    "Imports your own pictures: a folder for each class, and a table of classes and attributes. "
    "Pictures may lie deeper; hidden files and files that are no pictures are left out. Pictures "
    "of "
    "kinds that cannot be read are named and make the exit status 1, after everything was "
    "imported. A class of "
    "the table without pictures is an unseen class that nothing tests. `unseen extract` makes the "
    "features.",
    g_folder_children,
    NULL,
    NULL};

static un_status finish(un_dataset *dataset, void *user) {
    un_import_arguments *a = user;
    for (size_t i = 0; i < a->semantics_count; i++)
        UN_TRY(un_import_semantics_file(dataset, &a->semantics[i]));
    return un_import_add_words(dataset, &a->words);
}

/* Names what is there in people's folders and cannot be read. *bad: kinds of pictures among it; they
 * are in the data set, where `extract` leaves them out, or reads them once it can. */
static un_status tell_unread(const char *output, int *bad) {
    un_dataset dataset;
    un_unread unread;
    UN_TRY(un_dataset_open(&dataset, output));
    un_status status = un_unread_look(&dataset, &unread);
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
    un_dataset_close(&dataset);
    return status;
}

static int run(const struct argp *argp, un_status (*import)(const un_picture_set_options *options),
               int has_table, int argc, char **argv) {
    arguments_pictures a = {.has_table = has_table};
    int code = UN_EXIT_OK;
    if (!un_cli_begin(argp, argc, argv, &a, &a.base.common, &code)) return code;
    un_import_finish_split(&a.base);
    un_cli_files files = {0};
    un_cli_reads(&files, a.attributes);
    code = un_import_check_files(&a.base, a.root, &files);
    if (code) return code;
    /* The published sets have published vectors; people's own tables rarely have any. */
    if (has_table && !a.base.words.vectors) a.base.words.vectors = UN_WORDS_BUILTIN;
    un_picture_set_options options = {
        .root = a.root,
        .attributes = a.attributes,
        .values = {.unknown = a.base.unknown, .unknown_count = a.base.unknown_count},
        .split = a.base.split,
        .name = a.base.name,
        .output = a.base.output,
        .update = a.base.update,
        .orientation = a.base.orientation,
        .finish = finish,
        .finish_user = &a.base};
    if (a.scale && un_scale_parse(a.scale, &options.values.scale)) return un_cli_fail();
    code = un_import_show(import(&options), a.base.output);
    int bad = 0;
    if (has_table && code == UN_EXIT_OK && tell_unread(a.base.output, &bad)) return un_cli_fail();
    return code == UN_EXIT_OK && bad ? UN_EXIT_FAILURE : code;
}

int un_import_run_cub(int argc, char **argv) {
    return run(&g_cub_argp, un_import_cub, 0, argc, argv);
}

int un_import_run_awa2(int argc, char **argv) {
    return run(&g_awa2_argp, un_import_awa2, 0, argc, argv);
}

int un_import_run_folder(int argc, char **argv) {
    return run(&g_folder_argp, un_import_folder, 1, argc, argv);
}

/* ---- `unseen import tinybirds`: draws the built-in data set. ---- */

typedef struct {
    un_cli_common common;
    const char *output;
    un_tinybirds_options options;
} arguments_tinybirds;

enum { KEY_IMAGES = 2000, KEY_SIZE, KEY_NAME };

static const struct argp_option g_options_tinybirds[] = {
    {"images-per-class", KEY_IMAGES, "N", 0, "Images of each kind (default: 40)", 0},
    {"size", KEY_SIZE, "N", 0, "Side of the pictures in pixels, 64 to 1024 (default: 224)", 0},
    {"name", KEY_NAME, "NAME", 0, "Name of the data set (default: Tinybirds)", 0},
    {"output", 'o', "DIR", 0, "Directory to make (required); it appears whole or not at all", 0},
    {0}};

static size_t number(struct argp_state *state, const char *option, const char *text) {
    return un_cli_integer(state, option, text, 1, INT32_MAX);
}

static error_t parse_tinybirds(int key, char *text, struct argp_state *state) {
    arguments_tinybirds *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &a->common; return 0;
    case KEY_IMAGES:
        a->options.images_per_class = number(state, "--images-per-class", text);
        return 0;
    case KEY_SIZE: a->options.size = number(state, "--size", text); return 0;
    case KEY_NAME: a->options.name = text; return 0;
    case 'o': a->output = text; return 0;
    case ARGP_KEY_ARG: argp_error(state, "unexpected argument \"%s\"", text); return 0;
    case ARGP_KEY_END:
        if (!a->output) argp_error(state, "--output is missing");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp g_argp_tinybirds = {
    .options = g_options_tinybirds,
    .parser = parse_tinybirds,
    .children = un_cli_common_children,
    .doc = "Draws Tinybirds, the built-in data set: 60 kinds of small birds, 15 of them unseen, "
           "with attributes, true boxes of parts and pictures. The same --seed gives the same "
           "pictures."};

/* Word vectors, without which MSDN has nothing to start from. */
static un_status add_words(un_dataset *dataset, void *user) {
    const un_words_options words = {.vectors = UN_WORDS_BUILTIN};
    (void)user;
    return un_words_add(dataset, &words);
}

int un_import_tinybirds(int argc, char **argv) {
    arguments_tinybirds a = {0};
    int code = UN_EXIT_OK;
    if (!un_cli_begin(&g_argp_tinybirds, argc, argv, &a, &a.common, &code)) return code;
    a.options.seed = a.common.seed;
    a.options.finish = add_words;
    double started = un_now();
    if (un_tinybirds_make(&a.options, a.output)) return un_cli_fail();
    size_t each = a.options.images_per_class ? a.options.images_per_class : UN_TINYBIRDS_IMAGES;
    printf("%s: %zu images of %d kinds (%d unseen), %zu attributes, drawn in %.1f s\n", a.output,
           each * UN_TINYBIRDS_KINDS, UN_TINYBIRDS_KINDS, UN_TINYBIRDS_UNSEEN_KINDS,
           un_tinybirds_attribute_count(), un_now() - started);
    return UN_EXIT_OK;
}
