/* pictures.c - see pictures.h. */
#include "cli/pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/new_classes.h"

enum { KEY_BACKBONE = 0x1201, KEY_AMONG, KEY_CLASSES, KEY_STORED, KEY_ORIENTATION };

static const struct argp_option g_options[] = {
    {"backbone", KEY_BACKBONE, "WEIGHTS", 0,
     "the weights file that the model's features were extracted with (not needed for the built-in "
     "descriptor)",
     1},
    {"among", KEY_AMONG, "all|seen|unseen|new", 0,
     "which classes are candidates; new: those of --classes (default all)", 1},
    {"classes", KEY_CLASSES, "NEW.csv", 0,
     "new classes by description, without training, or new descriptions of old ones: a table of "
     "classes and attributes, or lines NAME,ATTRIBUTE=VALUE,..., in the units of the training "
     "table; may be repeated (default: none)",
     1},
    {"orientation", KEY_ORIENTATION, "exif|stored", 0,
     "turn pictures as EXIF says, or take them as they are stored (default: as those that the "
     "model "
     "learned from)",
     2},
    {"ignore-exif", KEY_STORED, NULL, 0, "the same as --orientation stored", 2},
    {0}};

size_t un_cli_parse_top(struct argp_state *state, const char *text, size_t most) {
    return un_cli_integer(state, "--top", text, 1, most);
}

static un_among parse_among(struct argp_state *state, const char *text) {
    static const char *const names[] = {"all", "seen", "unseen", "new"};
    static const un_among values[] = {UN_AMONG_ALL, UN_AMONG_SEEN, UN_AMONG_UNSEEN, UN_AMONG_NEW};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(text, names[i])) return values[i];
    argp_error(state, "--among must be all, seen, unseen or new, not \"%s\"", text);
    return UN_AMONG_ALL;
}

/* The first argument is the model, the rest are pictures; the first failure is kept. */
static void take_argument(un_cli_pictures *p, const char *text) {
    if (!p->model)
        p->model = text;
    else if (!p->list_status)
        p->list_status = p->from_stdin && strcmp(text, "-") == 0
                             ? un_path_list_read(&p->pictures, stdin)
                             : un_path_list_add(&p->pictures, text);
}

static error_t parse(int key, char *text, struct argp_state *state) {
    un_cli_pictures *p = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &p->common; return 0;
    case KEY_BACKBONE: p->backbone = text; return 0;
    case KEY_AMONG: p->among = parse_among(state, text); return 0;
    case KEY_CLASSES:
        if (p->class_file_count == UN_CLI_CLASS_FILES)
            argp_error(state, "at most %d --classes", UN_CLI_CLASS_FILES);
        p->class_files[p->class_file_count++] = text;
        return 0;
    case KEY_STORED: p->orientation = UN_ORIENTATION_STORED; return 0;
    case KEY_ORIENTATION: p->orientation = un_cli_parse_orientation(state, text); return 0;
    case ARGP_KEY_ARG: take_argument(p, text); return 0;
    case ARGP_KEY_END:
        if (!p->model) argp_error(state, "which model?");
        if (!p->list_status && p->pictures.count == 0 && p->pictures.problem)
            p->list_status = un_fail(UNSEEN_E_ARGUMENT, "%s", p->pictures.problem);
        if (!p->list_status && p->pictures.count == 0) argp_error(state, "which pictures?");
        if (p->among == UN_AMONG_NEW && p->class_file_count == 0)
            argp_error(state, "--among new needs --classes");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp g_argp = {
    .options = g_options, .parser = parse, .children = un_cli_common_children};

const struct argp_child un_cli_pictures_children[] = {{&g_argp, 0, NULL, 0}, {0}};

un_status un_cli_pictures_open(const un_cli_pictures *p, un_classifier *classifier) {
    un_precision precision = UN_PRECISION_AUTO;
    UN_TRY(un_precision_parse(p->common.precision, &precision));
    UN_TRY(un_classifier_open(classifier, p->model, precision));
    UN_TRY(un_classifier_attach(classifier, p->backbone, precision));
    un_classifier_orient(classifier, p->orientation);
    for (size_t i = 0; i < p->class_file_count; i++)
        UN_TRY(un_new_classes_read(classifier, p->class_files[i]));
    return UNSEEN_OK;
}

void un_cli_reads_pictures(un_cli_files *files, const un_cli_pictures *p) {
    un_cli_reads(files, p->model);
    un_cli_reads(files, p->backbone);
    for (size_t i = 0; i < p->class_file_count; i++) un_cli_reads(files, p->class_files[i]);
    for (size_t i = 0; i < p->pictures.count; i++) un_cli_reads(files, p->pictures.paths[i]);
}

size_t un_cli_tell_empty(const un_cli_pictures *p) {
    size_t more = p->pictures.empty > 1 ? p->pictures.empty - 1 : 0;
    if (p->pictures.empty == 0) return 0;
    if (more > 0)
        un_log(UNSEEN_LOG_ERROR, "unseen: %s, nor below %zu more", p->pictures.problem, more);
    else
        un_log(UNSEEN_LOG_ERROR, "unseen: %s", p->pictures.problem);
    return p->pictures.empty;
}

void un_cli_tell_ignored(size_t count, const un_classifier *classifier) {
    if (count == 0 || classifier->wanted != UN_ORIENTATION_UNSAID) return;
    un_log(UNSEEN_LOG_WARNING,
           "the EXIF orientation of %zu picture%s was ignored, as it was when the model learned; "
           "--orientation exif turns them",
           count, count == 1 ? "" : "s");
}

void un_cli_pictures_free(un_cli_pictures *p) { un_path_list_free(&p->pictures); }
