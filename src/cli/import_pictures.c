/*
 * import_pictures.c - `unseen import cub`, `awa2` and `folder`: folders of pictures.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/import.h"
#include "data/readers/picture_set.h"
#include "engine/unread.h"

typedef struct {
    un_import_arguments base;
    const char *root;
    const char *attributes; /* of folder */
    const char *scale;
    int has_table; /* the format wants --attributes */
} arguments;

enum { KEY_TABLE = 2000, KEY_SCALE };

static const struct argp_option g_folder_options[] = {
    {"attributes", KEY_TABLE, "CLASSES.csv", 0,
     "Table of classes and attributes (required): CSV or TSV, a header with the attributes' names, "
     "then a row for each class, its name first, then numbers (also 78%, yes, no, ? for unknown); "
     "attributes called \"group::value\" or \"group: value\" form groups",
     0},
    {"scale", KEY_SCALE, "auto|none|range", 0,
     "What is done to the attributes before each class's row gets length 1: none; range, each to 0 "
     "to "
     "1 over the classes; auto, range unless all share a unit, 0 to 1 or percent (default: auto)",
     0},
    {0}};

static const struct argp_child g_children[] = {{&un_import_turn_argp, 0, NULL, 0},
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

static error_t parse(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        for (int i = 0; i < 5; i++) state->child_inputs[i] = &a->base;
        state->child_inputs[5] = &a->base.common;
        if (a->has_table) state->child_inputs[6] = &a->base;
        return 0;
    case KEY_TABLE: a->attributes = text; return 0;
    case KEY_SCALE: a->scale = text; return 0;
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
    parse,
    "ROOT",
    "Imports the folder of Caltech-UCSD Birds (CUB_200_2011): classes.txt, images.txt, "
    "image_class_labels.txt, attributes/, images/, and parts/ and bounding_boxes.txt where they "
    "are. "
    "Pictures that do not exist are left out, and classes without pictures. A MAT split counts in "
    "the "
    "order of images.txt, as the published features do.",
    g_children,
    NULL,
    NULL};

static const struct argp g_awa2_argp = {
    NULL,
    parse,
    "ROOT",
    "Imports the folder of Animals with Attributes 2: JPEGImages/, classes.txt, predicates.txt, "
    "predicate-matrix-continuous.txt. Without --splits and --unseen the classes of testclasses.txt "
    "are unseen and the rest of the split is proposed. A MAT split counts the pictures in the "
    "order of "
    "their paths, unless --image-files tells it.",
    g_children,
    NULL,
    NULL};

static const struct argp g_folder_argp = {
    g_folder_options,
    parse,
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
    arguments a = {.has_table = has_table};
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
