/*
 * cmd_import.c - `unseen import FORMAT …`: a foreign data set into a data set
 * directory. The first argument says which parser; here is what they share.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/import.h"
#include "data/features.h"
#include "data/parts.h"

enum {
    KEY_NAME = 3000,
    KEY_WORD_VECTORS,
    KEY_SEMANTICS,
    KEY_TENSOR,
    KEY_ATTRIBUTES,
    KEY_SPLITS,
    KEY_IMAGE_FILES,
    KEY_UNSEEN,
    KEY_UNSEEN_COUNT,
    KEY_VALIDATION,
    KEY_WRITE_SPLITS,
    KEY_FEATURES_NAME,
    KEY_DTYPE,
    KEY_IMAGES,
    KEY_ALLOW_MISSING,
    KEY_UNKNOWN,
    KEY_ORIENTATION,
    KEY_UPDATE
};

/* ---- options of several formats ---- */

static const struct argp_option g_output_options[] = {
    {"word-vectors", KEY_WORD_VECTORS, "FILE", 0,
     "Word vectors of the attributes, as `unseen words --vectors` takes them (default: "
     "none; for your own pictures builtin:words)",
     0},
    {"tensor", KEY_TENSOR, "NAME", 0,
     "Tensor of that file if it is safetensors (default: the only one, or the one called like the "
     "data set)",
     0},
    {"name", KEY_NAME, "NAME", 0, "Name of the data set (default: the output directory's name)", 0},
    {"output", 'o', "DIR", 0, "Directory to make (required); it appears whole or not at all", 0},
    {0}};

static const struct argp_option g_names_options[] = {
    {"attributes", KEY_ATTRIBUTES, "FILE", 0,
     "Names of the attributes, as `unseen words --attributes` takes them (default: none)", 0},
    {0}};

static const struct argp_option g_semantics_options[] = {
    {"semantics", KEY_SEMANTICS, "NAME=G.mat", 0,
     "Further semantics: att or embeddings of this file, matched by class name, or by position if "
     "it names no classes; may be repeated (default: none)",
     0},
    {0}};

static const struct argp_option g_split_options[] = {
    {"splits", KEY_SPLITS, "FILE", 0,
     "The split: MAT in xlsa17's layout, or JSON with trainval, test_seen and test_unseen (images "
     "by "
     "name or by number from 0), or with unseen (names of classes) or unseen_count; see unseen(1) "
     "(default: one is proposed from --seed)",
     0},
    {"image-files", KEY_IMAGE_FILES, "F.mat", 0,
     "MAT file whose image_files stand in the order that a MAT split counts in (default: the data "
     "set's own order)",
     0},
    {"unseen", KEY_UNSEEN, "A,B,...|@FILE", 0,
     "Classes that are unseen in the proposed split: names with commas between (a name with a "
     "comma "
     "in double quotes), or a file with one name a line (default: chosen)",
     0},
    {"unseen-count", KEY_UNSEEN_COUNT, "N", 0,
     "How many classes to choose as unseen; 0, or --unseen \"\": only those without pictures, so "
     "that nothing measures T1, U and H (default: a fifth)",
     0},
    {"validation", KEY_VALIDATION, "FILE", 0,
     "Validation fold from a MAT file with train_loc and val_loc, or from a text of class names; "
     "may be repeated (default: those of the split file and, of a MAT file, valclasses1.txt to "
     "valclasses3.txt beside it; if there are none, 3 are proposed)",
     0},
    {"write-splits", KEY_WRITE_SPLITS, "FILE.json", 0,
     "Write the split as JSON that --splits takes (default: it is stored in the data set only)", 0},
    {0}};

static const struct argp_option g_values_options[] = {
    {"unknown", KEY_UNKNOWN, "TEXT", 0,
     "What stands for a value that is not known, besides ?: -1, n/a, '' for empty cells; such a "
     "value becomes the mean of the other classes; may be repeated (default: ? alone)",
     0},
    {0}};

static const struct argp_option g_store_options[] = {
    {"features-name", KEY_FEATURES_NAME, "NAME", 0,
     "Name of the feature set (default: the feature file's name without its ending)", 0},
    {"dtype", KEY_DTYPE, "f32|bf16", 0,
     "Element type of the stored features (default: f32; bf16 for region-maps)", 0},
    {0}};

static const struct argp_option g_pictures_options[] = {
    {"images", KEY_IMAGES, "ROOT", 0,
     "Folder with the pictures; image_files are matched to the files in it by the longest common "
     "end of their paths (default: none, names stay as they are)",
     0},
    {"allow-missing", KEY_ALLOW_MISSING, NULL, 0,
     "Images without a file below --images are no error (default: they are)", 0},
    {0}};

static const struct argp_option g_turn_options[] = {
    {"orientation", KEY_ORIENTATION, "exif|stored", 0,
     "Turn the pictures as EXIF says, or take them as they are stored; features and models keep it "
     "(default: exif for pictures of your own, stored for published benchmarks, whose features "
     "were made so)",
     0},
    {0}};

static const struct argp_option g_update_options[] = {
    {"update", KEY_UPDATE, NULL, 0,
     "If DIR is a data set already, put the new one in its place and keep the features of all "
     "pictures whose files are the same, whatever they are called now; `unseen extract` makes "
     "those of the others (default: a data set that is there is an error)",
     0},
    {0}};

void un_import_add_semantics(struct argp_state *state, un_import_arguments *a, char *text) {
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

void un_import_add_validation(struct argp_state *state, un_import_arguments *a, const char *path) {
    if (a->validation_count == UN_IMPORT_FILES)
        argp_error(state, "at most %d --validation", UN_IMPORT_FILES);
    else
        a->validation[a->validation_count++] = path;
}

static void add_unknown(struct argp_state *state, un_import_arguments *a, char *text) {
    if (a->unknown_count == UN_IMPORT_UNKNOWN)
        argp_error(state, "at most %d --unknown", UN_IMPORT_UNKNOWN);
    else
        a->unknown[a->unknown_count++] = text;
}

static void set_dtype(struct argp_state *state, un_import_arguments *a, const char *text) {
    if (!strcmp(text, "f32"))
        a->dtype = UN_F32;
    else if (!strcmp(text, "bf16"))
        a->dtype = UN_BF16;
    else
        argp_error(state, "--dtype must be f32 or bf16, not \"%s\"", text);
}

static void set_count(struct argp_state *state, un_import_arguments *a, const char *text) {
    size_t n = un_cli_integer(state, "--unseen-count", text, 0, INT32_MAX);
    a->split.unseen_number = n;
    a->split.no_unseen = n == 0;
}

/* For all; which of the options a format has, its children say. */
static error_t parse_shared(int key, char *text, struct argp_state *state) {
    un_import_arguments *a = state->input;
    switch (key) {
    case KEY_NAME: a->name = text; return 0;
    case KEY_WORD_VECTORS: a->words.vectors = text; return 0;
    case KEY_TENSOR: a->words.tensor = text; return 0;
    case KEY_SEMANTICS: un_import_add_semantics(state, a, text); return 0;
    case KEY_ATTRIBUTES: a->words.attributes = text; return 0;
    case KEY_SPLITS: a->split.file = text; return 0;
    case KEY_IMAGE_FILES: a->split.image_files = text; return 0;
    case KEY_UNSEEN:
        a->split.no_unseen = text[strspn(text, " ")] == 0;
        a->split.unseen = a->split.no_unseen ? NULL : text;
        return 0;
    case KEY_UNSEEN_COUNT: set_count(state, a, text); return 0;
    case KEY_VALIDATION: un_import_add_validation(state, a, text); return 0;
    case KEY_WRITE_SPLITS: a->split.write = text; return 0;
    case KEY_FEATURES_NAME: a->features_name = text; return 0;
    case KEY_DTYPE: set_dtype(state, a, text); return 0;
    case KEY_IMAGES: a->images = text; return 0;
    case KEY_UNKNOWN: add_unknown(state, a, text); return 0;
    case KEY_ALLOW_MISSING: a->allow_missing = 1; return 0;
    case KEY_ORIENTATION: a->orientation = un_cli_parse_orientation(state, text); return 0;
    case KEY_UPDATE: a->update = 1; return 0;
    case 'o': a->output = text; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_output(int key, char *text, struct argp_state *state) {
    const un_import_arguments *a = state->input;
    if (key == ARGP_KEY_END && !a->output) argp_error(state, "--output is missing");
    return parse_shared(key, text, state);
}

const struct argp un_import_output_argp = {.options = g_output_options, .parser = parse_output};
const struct argp un_import_names_argp = {.options = g_names_options, .parser = parse_shared};
const struct argp un_import_semantics_argp = {.options = g_semantics_options,
                                              .parser = parse_shared};
const struct argp un_import_split_argp = {.options = g_split_options, .parser = parse_shared};
const struct argp un_import_values_argp = {.options = g_values_options, .parser = parse_shared};
const struct argp un_import_store_argp = {.options = g_store_options, .parser = parse_shared};
const struct argp un_import_pictures_argp = {.options = g_pictures_options, .parser = parse_shared};

const struct argp un_import_update_argp = {.options = g_update_options, .parser = parse_shared};
const struct argp un_import_turn_argp = {.options = g_turn_options, .parser = parse_shared};

void un_import_finish_split(un_import_arguments *a) {
    a->split.seed = a->common.seed;
    a->split.validation = a->validation;
    a->split.validation_count = a->validation_count;
}

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
        printf("features      %s: %zu x %zu x %zu %s", un_cli_name(f.name), f.image_count,
               f.regions, f.width, un_dtype_name(f.dtype));
        if (f.absent > 0)
            printf(", %zu kept; `unseen extract` makes the other %zu", f.image_count - f.absent,
                   f.absent);
        printf("\n");
        un_features_close(&f);
    }
    un_names_free(names);
    return status;
}

static void print_semantics(const un_dataset *d, const un_semantics *s) {
    printf("semantics     %s: %zu x %zu", un_cli_name(s->name), d->class_count, s->width);
    if (s->vectors) printf(", word vectors of width %zu", s->vector_width);
    printf("%s\n", s->attributes ? ", attributes named" : "");
}

static un_status print_summary(const un_dataset *d) {
    unsigned char *flags = NULL;
    const char *known = un_split_known_name(d->split_hash);
    printf("data set      %s in %s\n", un_cli_name(d->name), un_cli_name(d->directory));
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
    if (d->image_root) printf("pictures      %s\n", un_cli_name(d->image_root));
    if (un_parts_exist(d->directory)) printf("parts         marked in the pictures\n");
    printf("split         %s (%s)\n", d->split_hash, known ? known : "not a published one");
    return UNSEEN_OK;
}

un_status un_import_add_words(un_dataset *dataset, void *user) {
    const un_words_options *words = user;
    if (words->vectors) return un_words_add(dataset, words);
    return words->attributes ? un_words_name(dataset, words) : UNSEEN_OK;
}

int un_import_check_files(const un_import_arguments *a, const char *root, un_cli_files *files) {
    const char *unseen = a->split.unseen;
    un_cli_reads_folder(files, root);
    un_cli_reads(files, a->words.vectors);
    un_cli_reads(files, a->words.attributes);
    un_cli_reads(files, a->split.file);
    un_cli_reads(files, a->split.image_files);
    if (unseen && *unseen == '@') un_cli_reads(files, unseen + 1);
    for (size_t i = 0; i < a->validation_count; i++) un_cli_reads(files, a->validation[i]);
    for (size_t i = 0; i < a->semantics_count; i++) un_cli_reads(files, a->semantics[i].path);
    un_cli_makes(files, a->output);
    un_cli_writes(files, a->split.write);
    return un_cli_check_files(files);
}

int un_import_show(un_status imported, const char *output) {
    un_dataset dataset;
    if (imported || un_dataset_open(&dataset, output)) return un_cli_fail();
    un_status status = print_summary(&dataset);
    un_dataset_close(&dataset);
    return status ? un_cli_fail() : UN_EXIT_OK;
}

/* ---- choice of the format ---- */

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} g_formats[] = {
    {"xlsa17", un_import_run_xlsa17,
     "benchmark packages of Xian et al.: res101.mat, att_splits.mat"},
    {"region-maps", un_import_run_region_maps,
     "region features in HDF5: feature_map_ResNet_101_CUB.hdf5"},
    {"cub", un_import_run_cub, "the folder of Caltech-UCSD Birds: pictures, attributes, parts"},
    {"awa2", un_import_run_awa2, "the folder of Animals with Attributes 2"},
    {"folder", un_import_run_folder, "your pictures, a folder a class, and a table of attributes"},
    {"tinybirds", un_import_tinybirds,
     "the built-in data set: drawn birds with attributes and true boxes"},
    {"arrays", un_import_run_arrays, "features, labels and semantics as .npy, .npz, safetensors"},
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
