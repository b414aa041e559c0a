/* import_arrays.c - `unseen import arrays`: features, labels and semantics as arrays. */
#include <string.h>

#include "cli/import.h"
#include "data/readers/arrays.h"

typedef struct {
    un_import_arguments base;
    const char *features, *labels, *names, *scale, *layout;
} arguments;

enum { KEY_FEATURES = 2000, KEY_LABELS, KEY_SEMANTICS, KEY_NAMES, KEY_SCALE, KEY_LAYOUT };

static const struct argp_option g_options[] = {
    {"features", KEY_FEATURES, "ARRAY", 0,
     "Features (required): X.npy, X.npz:NAME or X.safetensors:NAME, of shape (N, F), (N, R, F) "
     "with R "
     "regions, or (N, h, w, F)",
     0},
    {"layout", KEY_LAYOUT, "auto|nhwc|nchw", 0,
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
    {"scale", KEY_SCALE, "auto|none|range|as-given", 0,
     "What is done to the semantics before each class's row gets length 1: none; range, each to 0 "
     "to "
     "1 over the classes; auto, range unless all share a unit, 0 to 1 or percent; as-given: rows "
     "keep "
     "their lengths, too (default: auto)",
     0},
    {0}};

static const struct argp_child g_children[] = {{&un_import_split_argp, 0, NULL, 0},
                                               {&un_import_values_argp, 0, NULL, 0},
                                               {&un_import_store_argp, 0, NULL, 0},
                                               {&un_import_names_argp, 0, NULL, 0},
                                               {&un_import_output_argp, 0, NULL, 0},
                                               {&un_cli_common_argp, 0, "Common options:", 100},
                                               {0}};

static error_t parse(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        for (int i = 0; i < 5; i++) state->child_inputs[i] = &a->base;
        state->child_inputs[5] = &a->base.common;
        return 0;
    case KEY_FEATURES: a->features = text; return 0;
    case KEY_LABELS: a->labels = text; return 0;
    case KEY_SEMANTICS: un_import_add_semantics(state, &a->base, text); return 0;
    case KEY_NAMES: a->names = text; return 0;
    case KEY_SCALE: a->scale = text; return 0;
    case KEY_LAYOUT: a->layout = text; return 0;
    case ARGP_KEY_ARG: argp_error(state, "unexpected argument \"%s\"", text); return 0;
    case ARGP_KEY_END:
        if (!a->features) argp_error(state, "--features is missing");
        if (!a->labels) argp_error(state, "--labels is missing");
        if (a->base.semantics_count == 0) argp_error(state, "--semantics is missing");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp g_argp = {
    g_options,
    parse,
    NULL,
    "Imports anything that has a feature vector: features, labels and semantics as NumPy arrays or "
    "safetensors. Memory does not grow with the number of rows.",
    g_children,
    NULL,
    NULL};

int un_import_run_arrays(int argc, char **argv) {
    arguments a = {.base.dtype = UN_F32};
    int code = UN_EXIT_OK;
    if (!un_cli_begin(&g_argp, argc, argv, &a, &a.base.common, &code)) return code;
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
