/*
 * cmd_check.c - `unseen check DIR`: verifies a data set directory. Ends 1 if it
 * found errors.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"

typedef struct {
    un_cli_subject subject;
    const char *images;
} arguments;

enum { KEY_IMAGES = 0x8001 };

static const struct argp_option g_options[] = {
    {"images", KEY_IMAGES, "ROOT", 0,
     "Folder of the pictures (default: the one that the data set names)", 0},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &a->subject; return 0;
    case KEY_IMAGES: a->images = text; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp g_argp = {
    g_options,
    parse,
    "DIR",
    "Verifies a data set: lists, index base, counts, duplicates, validation folds, semantics, "
    "features and their hashes, pictures and parts. Ends 1 if it finds errors.",
    un_cli_subject_children,
    NULL,
    NULL};

static long long integer(const json_t *object, const char *key) {
    return (long long)json_integer_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? un_cli_name(text) : "";
}

static void print_semantics(const json_t *report) {
    size_t i = 0;
    const json_t *s = NULL;
    json_array_foreach(json_object_get(report, "semantics"), i, s) {
        printf("semantics     %s: %lld a class, %g to %g%s\n", text_of(s, "name"),
               integer(s, "width"), json_number_value(json_object_get(s, "min")),
               json_number_value(json_object_get(s, "max")),
               json_is_true(json_object_get(s, "unit_rows")) ? ", rows of length 1" : "");
    }
    json_array_foreach(json_object_get(report, "features"), i, s) {
        printf("features      %s: %lld x %lld x %lld %s\n", text_of(s, "name"),
               integer(s, "images"), integer(s, "regions"), integer(s, "width"),
               text_of(s, "dtype"));
    }
}

static void print_pictures(const json_t *report) {
    const json_t *parts = json_object_get(report, "parts");
    const char *root = text_of(report, "image_root");
    if (root[0]) printf("pictures      %s\n", root);
    if (json_is_object(parts))
        printf("parts         %lld marked by %s, %.0f %% visible%s\n", integer(parts, "count"),
               text_of(parts, "kind"), 100 * json_number_value(json_object_get(parts, "visible")),
               json_is_true(json_object_get(parts, "objects")) ? ", whole objects by boxes" : "");
}

static void print_folds(const json_t *report) {
    size_t i = 0;
    const json_t *f = NULL;
    json_array_foreach(json_object_get(report, "folds"), i, f) {
        printf("fold %zu        train %lld, seen %lld, unseen %lld images", i + 1,
               integer(f, "train"), integer(f, "seen"), integer(f, "unseen"));
        if (json_is_integer(json_object_get(f, "classes")))
            printf(" of %lld classes", integer(f, "classes"));
        printf(" (%s)\n", text_of(f, "source"));
        if (integer(f, "leaked_train") + integer(f, "leaked_val") > 0)
            printf(
                "              of %lld + %lld listed images, %lld + %lld belong to the test sets "
                "and are left out\n",
                integer(f, "listed_train"), integer(f, "listed_val"), integer(f, "leaked_train"),
                integer(f, "leaked_val"));
    }
}

static void print_sentences(const json_t *report, const char *key, const char *label) {
    size_t i = 0;
    const json_t *sentence = NULL;
    json_array_foreach(json_object_get(report, key), i, sentence) {
        printf("%-13s %s\n", label, un_cli_name(json_string_value(sentence)));
    }
}

static void print_report(const json_t *report) {
    const json_t *seen = json_object_get(report, "seen_classes");
    printf("data set      %s\n", text_of(report, "name"));
    printf("images        %lld\n", integer(report, "images"));
    printf("classes       %lld", integer(report, "classes"));
    if (json_is_integer(seen))
        printf(" (%lld seen, %lld unseen)", integer(report, "seen_classes"),
               integer(report, "unseen_classes"));
    printf("\nlists         trainval %lld, test_seen %lld, test_unseen %lld\n",
           integer(report, "trainval"), integer(report, "test_seen"),
           integer(report, "test_unseen"));
    print_semantics(report);
    print_folds(report);
    print_pictures(report);
    const char *known = text_of(report, "split_name");
    printf("split         %s (%s)\n", text_of(report, "split_hash"),
           known[0] ? known : "not a published one");
    print_sentences(report, "notes", "note");
    print_sentences(report, "not_verified", "not verified");
    print_sentences(report, "warnings", "warning");
    print_sentences(report, "errors", "ERROR");
    size_t errors = json_array_size(json_object_get(report, "errors"));
    size_t warnings = json_array_size(json_object_get(report, "warnings"));
    printf("%s: %zu error%s, %zu warning%s\n", errors > 0 ? "NOT GOOD" : "good", errors,
           errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
}

/* All that is found, as JSON: a new reference. */
static un_status check(const arguments *a, json_t **report) {
    unseen_dataset *data = NULL;
    const char *text = NULL;
    UN_TRY(un_cli_dataset_open(a->subject.path, a->images, &data));
    un_status status = unseen_dataset_check(data, &text);
    if (!status) status = un_json_parse(text, strlen(text), a->subject.path, report);
    unseen_dataset_close(data);
    return status;
}

int un_cmd_check(int argc, char **argv) {
    arguments all = {.subject.missing = "the data set directory is missing"};
    const un_cli_subject *a = &all.subject;
    int code = UN_EXIT_OK;
    if (!un_cli_begin(&g_argp, argc, argv, &all, &a->common, &code)) return code;
    json_t *report = NULL;
    un_cli_files files = {0};
    un_cli_reads_dataset(&files, a->path, all.images);
    un_cli_writes(&files, a->json);
    code = un_cli_check_files(&files);
    if (code) return code;
    if (check(&all, &report)) return un_cli_fail();
    /* JSON on standard output is alone there. */
    if (!un_cli_is_standard(a->json)) print_report(report);
    if (a->json) code = un_cli_write_json(a->json, report);
    if (!code && json_array_size(json_object_get(report, "errors")) > 0) code = UN_EXIT_FAILURE;
    json_decref(report);
    return code;
}
