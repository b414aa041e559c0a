/*
 * import_benchmark.c - `unseen import xlsa17` and `unseen import region-maps`: feature
 * files that others made.
 */
#include <string.h>

#include "cli/import.h"
#include "data/readers/region_maps.h"

typedef struct {
    un_import_arguments base;
    const char *file; /* of region-maps */
    const char *features, *splits, *layout;
} arguments;

enum { KEY_FEATURES = 2000, KEY_SPLITS, KEY_VALIDATION, KEY_LAYOUT };

static const struct argp_child g_children[] = {{&un_import_semantics_argp, 0, NULL, 0},
                                               {&un_import_store_argp, 0, NULL, 0},
                                               {&un_import_pictures_argp, 0, NULL, 0},
                                               {&un_import_turn_argp, 0, NULL, 0},
                                               {&un_import_names_argp, 0, NULL, 0},
                                               {&un_import_output_argp, 0, NULL, 0},
                                               {&un_cli_common_argp, 0, "Common options:", 100},
                                               {0}};

static const struct argp_option g_xlsa17_options[] = {
    {"splits", KEY_SPLITS, "S.mat", 0, "Split file with att and the lists (required)", 0},
    {"features", KEY_FEATURES, "F.mat", 0,
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
    arguments *a = state->input;
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
    arguments *a = state->input;
    switch (key) {
    case KEY_FEATURES: a->features = text; return 0;
    case ARGP_KEY_END:
        if (!a->splits) argp_error(state, "--splits is missing");
        return 0;
    default: return parse_both(key, text, state);
    }
}

static error_t parse_region_maps(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    switch (key) {
    case KEY_LAYOUT: a->layout = text; return 0;
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
    {"layout", KEY_LAYOUT, "auto|nchw|nhwc", 0,
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
    g_children,
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
    g_children,
    NULL,
    NULL};

int un_import_run_xlsa17(int argc, char **argv) {
    arguments a = {.base.dtype = UN_F32};
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
    arguments a = {.base.dtype = UN_BF16};
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
