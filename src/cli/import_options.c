/*
 * import_options.c - what the formats of `unseen import` share: their options, what these mean, and
 * the summary that an import ends with; see import_options.h.
 */
#include "cli/import_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "data/features.h"
#include "data/parts.h"

/* ---- options of several formats ---- */

static const struct argp_option g_output_options[] = {
    {"word-vectors", UN_KEY_WORD_VECTORS, "FILE", 0,
     "Word vectors of the attributes, as `unseen words --vectors` takes them (default: "
     "none; for your own pictures builtin:words)",
     0},
    {"tensor", UN_KEY_TENSOR, "NAME", 0,
     "Tensor of that file if it is safetensors (default: the only one, or the one called like the "
     "data set)",
     0},
    {"name", UN_KEY_NAME, "NAME", 0, "Name of the data set (default: the output directory's name)",
     0},
    {"output", 'o', "DIR", 0, "Directory to make (required); it appears whole or not at all", 0},
    {0}};

static const struct argp_option g_names_options[] = {
    {"attributes", UN_KEY_ATTRIBUTES, "FILE", 0,
     "Names of the attributes, as `unseen words --attributes` takes them (default: none)", 0},
    {0}};

static const struct argp_option g_semantics_options[] = {
    {"semantics", UN_KEY_SEMANTICS, "NAME=G.mat", 0,
     "Further semantics: att or embeddings of this file, matched by class name, or by position if "
     "it names no classes; may be repeated (default: none)",
     0},
    {0}};

static const struct argp_option g_split_options[] = {
    {"splits", UN_KEY_SPLITS, "FILE", 0,
     "The split: MAT in xlsa17's layout, or JSON with trainval, test_seen and test_unseen (images "
     "by "
     "name or by number from 0), or with unseen (names of classes) or unseen_count; see unseen(1) "
     "(default: one is proposed from --seed)",
     0},
    {"image-files", UN_KEY_IMAGE_FILES, "F.mat", 0,
     "MAT file whose image_files stand in the order that a MAT split counts in (default: the data "
     "set's own order)",
     0},
    {"unseen", UN_KEY_UNSEEN, "A,B,...|@FILE", 0,
     "Classes that are unseen in the proposed split: names with commas between (a name with a "
     "comma "
     "in double quotes), or a file with one name a line (default: chosen)",
     0},
    {"unseen-count", UN_KEY_UNSEEN_COUNT, "N", 0,
     "How many classes to choose as unseen; 0, or --unseen \"\": only those without pictures, so "
     "that nothing measures T1, U and H (default: a fifth)",
     0},
    UN_IMPORT_VALIDATION("those of the split file and, of a MAT file, "),
    {"write-splits", UN_KEY_WRITE_SPLITS, "FILE.json", 0,
     "Write the split as JSON that --splits takes (default: it is stored in the data set only)", 0},
    {0}};

static const struct argp_option g_values_options[] = {
    {"unknown", UN_KEY_UNKNOWN, "TEXT", 0,
     "What stands for a value that is not known, besides ?: -1, n/a, '' for empty cells; such a "
     "value becomes the mean of the other classes; may be repeated (default: ? alone)",
     0},
    {0}};

static const struct argp_option g_store_options[] = {
    {"features-name", UN_KEY_FEATURES_NAME, "NAME", 0,
     "Name of the feature set (default: the feature file's name without its ending)", 0},
    {"dtype", UN_KEY_DTYPE, "f32|bf16", 0,
     "Element type of the stored features (default: f32; bf16 for region-maps)", 0},
    {0}};

static const struct argp_option g_pictures_options[] = {
    {"images", UN_KEY_IMAGES, "ROOT", 0,
     "Folder with the pictures; image_files are matched to the files in it by the longest common "
     "end of their paths (default: none, names stay as they are)",
     0},
    {"allow-missing", UN_KEY_ALLOW_MISSING, NULL, 0,
     "Images without a file below --images are no error (default: they are)", 0},
    {0}};

static const struct argp_option g_turn_options[] = {
    {"orientation", UN_KEY_ORIENTATION, "exif|stored", 0,
     "Turn the pictures as EXIF says, or take them as they are stored; features and models keep it "
     "(default: exif for pictures of your own, stored for published benchmarks, whose features "
     "were made so)",
     0},
    {0}};

static const struct argp_option g_update_options[] = {
    {"update", UN_KEY_UPDATE, NULL, 0,
     "If DIR is a data set already, put the new one in its place and keep the features of all "
     "pictures whose files are the same, whatever they are called now; `unseen extract` makes "
     "those of the others (default: a data set that is there is an error)",
     0},
    {0}};

void un_import_begin(un_import_arguments *a) {
    unseen_import_options *o = &a->options;
    unseen_import_options_init(o, sizeof *o);
    o->validation = a->validation;
    o->semantics = a->semantics;
    o->unknown = a->unknown;
}

static void add_semantics(struct argp_state *state, un_import_arguments *a, const char *text) {
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || equals[1] == 0)
        argp_error(state, "--semantics takes NAME=FILE, not \"%s\"", text);
    else if (a->options.semantics_count == UN_MAX_SEMANTICS)
        argp_error(state, "at most %d --semantics", UN_MAX_SEMANTICS);
    else
        a->semantics[a->options.semantics_count++] = text;
}

static void add_validation(struct argp_state *state, un_import_arguments *a, const char *path) {
    if (a->options.validation_count == UN_IMPORT_FILES)
        argp_error(state, "at most %d --validation", UN_IMPORT_FILES);
    else
        a->validation[a->options.validation_count++] = path;
}

static void add_unknown(struct argp_state *state, un_import_arguments *a, const char *text) {
    if (a->options.unknown_count == UN_IMPORT_UNKNOWN)
        argp_error(state, "at most %d --unknown", UN_IMPORT_UNKNOWN);
    else
        a->unknown[a->options.unknown_count++] = text;
}

static void set_dtype(struct argp_state *state, un_import_arguments *a, const char *text) {
    if (strcmp(text, "f32") != 0 && strcmp(text, "bf16") != 0)
        argp_error(state, "--dtype must be f32 or bf16, not \"%s\"", text);
    a->options.dtype = text;
}

static int is_blank(const char *text) { return text[strspn(text, " ")] == 0; }

/* What --unseen or --unseen-count says in the end makes an earlier "none" of the other void. */
static void set_unseen(un_import_arguments *a, const char *text) {
    a->options.unseen = text;
    if (!is_blank(text) && a->options.unseen_count == 0) a->options.unseen_count = -1;
}

static void set_count(struct argp_state *state, un_import_arguments *a, const char *text) {
    a->options.unseen_count =
        (ptrdiff_t)un_cli_integer(state, "--unseen-count", text, 0, INT32_MAX);
    if (a->options.unseen && is_blank(a->options.unseen)) a->options.unseen = NULL;
}

error_t un_import_parse(int key, char *text, struct argp_state *state) {
    un_import_arguments *a = state->input;
    unseen_import_options *o = &a->options;
    switch (key) {
    case UN_KEY_NAME: o->name = text; return 0;
    case UN_KEY_WORD_VECTORS: o->word_vectors = text; return 0;
    case UN_KEY_TENSOR: o->tensor = text; return 0;
    case UN_KEY_SEMANTICS: add_semantics(state, a, text); return 0;
    case UN_KEY_ATTRIBUTES: o->attributes = text; return 0;
    case UN_KEY_SPLITS: o->splits = text; return 0;
    case UN_KEY_IMAGE_FILES: o->image_files = text; return 0;
    case UN_KEY_UNSEEN: set_unseen(a, text); return 0;
    case UN_KEY_UNSEEN_COUNT: set_count(state, a, text); return 0;
    case UN_KEY_VALIDATION: add_validation(state, a, text); return 0;
    case UN_KEY_WRITE_SPLITS: o->write_splits = text; return 0;
    case UN_KEY_FEATURES_NAME: o->features_name = text; return 0;
    case UN_KEY_DTYPE: set_dtype(state, a, text); return 0;
    case UN_KEY_IMAGES: o->images = text; return 0;
    case UN_KEY_UNKNOWN: add_unknown(state, a, text); return 0;
    case UN_KEY_ALLOW_MISSING: o->allow_missing = 1; return 0;
    case UN_KEY_ORIENTATION:
        o->orientation = un_cli_orientation(un_cli_parse_orientation(state, text));
        return 0;
    case UN_KEY_UPDATE: o->update = 1; return 0;
    case 'o': a->output = text; return 0;
    case UN_KEY_FEATURES: o->features = text; return 0;
    case UN_KEY_LABELS: o->labels = text; return 0;
    case UN_KEY_CLASS_NAMES: o->classes = text; return 0;
    case UN_KEY_TABLE: o->table = text; return 0;
    case UN_KEY_SCALE: o->scale = text; return 0;
    case UN_KEY_LAYOUT: o->layout = text; return 0;
    case UN_KEY_IMAGES_PER_CLASS:
        o->images_per_class = un_cli_integer(state, "--images-per-class", text, 1, INT32_MAX);
        return 0;
    case UN_KEY_SIZE: o->image_size = un_cli_integer(state, "--size", text, 1, INT32_MAX); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_output(int key, char *text, struct argp_state *state) {
    const un_import_arguments *a = state->input;
    if (key == ARGP_KEY_END && !a->output) argp_error(state, "--output is missing");
    return un_import_parse(key, text, state);
}

const struct argp un_import_output_argp = {.options = g_output_options, .parser = parse_output};
const struct argp un_import_names_argp = {.options = g_names_options, .parser = un_import_parse};
const struct argp un_import_semantics_argp = {.options = g_semantics_options,
                                              .parser = un_import_parse};
const struct argp un_import_split_argp = {.options = g_split_options, .parser = un_import_parse};
const struct argp un_import_values_argp = {.options = g_values_options, .parser = un_import_parse};
const struct argp un_import_store_argp = {.options = g_store_options, .parser = un_import_parse};
const struct argp un_import_pictures_argp = {.options = g_pictures_options,
                                             .parser = un_import_parse};

const struct argp un_import_update_argp = {.options = g_update_options, .parser = un_import_parse};
const struct argp un_import_turn_argp = {.options = g_turn_options, .parser = un_import_parse};

/* ---- before and after the import ---- */

int un_import_check_files(const un_import_arguments *a, const char *folder, un_cli_files *files) {
    const unseen_import_options *o = &a->options;
    un_cli_reads_folder(files, folder);
    un_cli_reads(files, o->word_vectors);
    un_cli_reads(files, o->attributes);
    un_cli_reads(files, o->splits);
    un_cli_reads(files, o->image_files);
    if (o->unseen && *o->unseen == '@') un_cli_reads(files, o->unseen + 1);
    for (size_t i = 0; i < o->validation_count; i++) un_cli_reads(files, o->validation[i]);
    for (size_t i = 0; i < o->semantics_count; i++)
        un_cli_reads(files, strchr(o->semantics[i], '=') + 1);
    un_cli_makes(files, a->output);
    un_cli_writes(files, o->write_splits);
    return un_cli_check_files(files);
}

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

static un_status print_features(const un_features *f, void *user) {
    (void)user;
    printf("features      %s: %zu x %zu x %zu %s", un_cli_name(f->name), f->image_count, f->regions,
           f->width, un_dtype_name(f->dtype));
    if (f->absent > 0)
        printf(", %zu kept; `unseen extract` makes the other %zu", f->image_count - f->absent,
               f->absent);
    printf("\n");
    return UNSEEN_OK;
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
    UN_TRY(un_features_each(d->directory, print_features, NULL));
    print_folds(d);
    if (d->image_root) printf("pictures      %s\n", un_cli_name(d->image_root));
    if (un_parts_exist(d->directory)) printf("parts         marked in the pictures\n");
    printf("split         %s (%s)\n", d->split_hash, known ? known : "not a published one");
    return UNSEEN_OK;
}

int un_import_run(un_import_arguments *a, const char *format) {
    unseen_dataset *data = NULL;
    a->options.seed = a->common.seed;
    un_status status = unseen_import(format, a->output, &a->options);
    if (!status) status = un_cli_dataset_open(a->output, NULL, &data);
    if (!status) status = print_summary(&data->data);
    unseen_dataset_close(data);
    return status ? un_cli_fail() : UN_EXIT_OK;
}
