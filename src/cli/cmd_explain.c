/* cmd_explain.c - `unseen explain`: why a picture is taken for what it is taken for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/status.h"
#include "cli/cli.h"

typedef struct {
    un_cli_pictures base;
    const char *output, *instead_of;
    size_t top;
} arguments;

enum { KEY_TOP = 0x6001, KEY_INSTEAD, MOST_SHOWN = 50 };

static const struct argp_option g_options[] = {
    {"output", 'o', "DIR", 0, "a folder for each picture is made in DIR (required)", 1},
    {"top", KEY_TOP, "K", 0,
     "attributes to show of each list: found most strongly, speaking for the answer, and speaking "
     "against it (default 6)",
     1},
    {"instead-of", KEY_INSTEAD, "CLASS", 0,
     "the class to compare the answer with (default: the next best candidate)", 1},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &a->base; return 0;
    case 'o': a->output = text; return 0;
    case KEY_TOP: a->top = un_cli_parse_top(state, text, MOST_SHOWN); return 0;
    case KEY_INSTEAD: a->instead_of = text; return 0;
    case ARGP_KEY_END:
        if (!a->output) argp_error(state, "--output is missing");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp g_argp = {
    .options = g_options,
    .parser = parse,
    .args_doc = "MODEL IMAGE|FOLDER... -o DIR",
    .doc = "Shows why each picture is taken for what it is taken for: the attributes that were "
           "found and where, and what each of them does for the answer against another class. Each "
           "picture gets a folder in DIR with sheet.png, contributions.png, the maps and "
           "explanation.json; a folder of an earlier run is replaced.",
    .children = un_cli_pictures_children};

static void print_attribute(const un_explanation *e, size_t i) {
    size_t A = e->attribute_count;
    printf("    %+9.3g  ", (double)e->contribution[i]);
    if (e->found) {
        double found = 0;
        for (size_t b = 0; b < e->attribute_branches; b++) found += (double)e->found[b * A + i];
        printf("%8.3g  ", found);
    }
    printf("%8.3g  %8.3g  %s\n", (double)e->described[UN_ANSWER][i],
           (double)e->described[UN_OTHER][i], un_cli_name(e->attributes[i]));
}

/* The picture's attention over the text: the largest shares. */
static un_status print_groups(const un_group_attention *g, const un_method_class *class) {
    enum { SHOWN = 4 };
    size_t *order = NULL;
    if (g->count == 0) return UNSEEN_OK;
    UN_TRY(un_alloc(g->count, sizeof *order, &order));
    un_group_attention_order(g, order);
    printf("  %s", class->group_attention->most);
    for (size_t i = 0; i < g->count && i < SHOWN; i++)
        printf("%s %s (%+.0f %%)", i > 0 ? "," : "", un_cli_name(g->names[order[i]]),
               100 * ((double)g->share[order[i]] / (double)g->even[order[i]] - 1));
    printf("\n");
    free(order);
    return UNSEEN_OK;
}

static un_status print_explanation(const unseen_explanation *x, const char *folder) {
    const un_explanation *e = &x->explanation;
    const char *note = x->note;
    un_explain_selection selection;
    const un_explain_model *m = &e->model;
    un_explain_verdict verdict;
    un_status status = UNSEEN_OK;
    UN_TRY(un_explain_select(e, x->top, &selection));
    printf("%s\n  %s (%s, %.4g) and not %s (%s, %.4g)\n", un_cli_name(x->image),
           un_cli_name(m->names[UN_ANSWER]), m->seen[UN_ANSWER] ? "seen" : "unseen",
           (double)e->scores[e->answer], un_cli_name(m->names[UN_OTHER]),
           m->seen[UN_OTHER] ? "seen" : "unseen", (double)e->scores[e->other]);
    if (note) printf("  %s\n", un_cli_name(note));
    if (!e->maps) printf("  %s has no attention maps\n", m->class->name);
    UN_GO(print_groups(&e->groups, m->class));
    un_explain_judge(e, &verdict);
    printf("  contribution  %sdescribed     other  attribute\n", e->found ? "   score " : "");
    printf("  speaks for %s: %+.3g in all\n", un_cli_name(m->names[UN_ANSWER]), verdict.in_favour);
    for (size_t k = 0; k < selection.for_count; k++) print_attribute(e, selection.for_answer[k]);
    printf("  speaks against it, for %s: %+.3g in all\n", un_cli_name(m->names[UN_OTHER]),
           verdict.against);
    for (size_t k = 0; k < selection.against_count; k++) print_attribute(e, selection.against[k]);
    printf("    %+9.3g  does not come from attributes\n", un_explain_constant(e));
    if (verdict.decided_by != UN_DECIDED_BY_ATTRIBUTES)
        printf("  %s:\n  %s\n", un_cli_name(verdict.attributes), un_cli_name(verdict.decides));
    printf("  written to %s\n", un_cli_name(folder));
done:
    un_explain_selection_free(&selection);
    return status;
}

/* A folder name that no earlier picture of this run has. */
static un_status folder_name(const char *path, char **names, size_t used, char **out) {
    char *base = NULL;
    UN_TRY(un_safe_name(path, 1, &base));
    for (size_t number = 1;; number++) {
        char *name = NULL;
        un_status status =
            number == 1 ? un_format(&name, "%s", base) : un_format(&name, "%s-%zu", base, number);
        if (status) {
            free(base);
            return status;
        }
        size_t same = 0;
        while (same < used && strcmp(names[same], name) != 0) same++;
        if (same == used) {
            free(base);
            *out = name;
            return UNSEEN_OK;
        }
        free(name);
    }
}

static un_status explain_one(unseen_model *model, const arguments *a, const char *image,
                             const char *name) {
    const unseen_picture picture = {.path = image};
    unseen_explain_options options;
    unseen_explanation *x = NULL;
    char *folder = NULL;
    un_status status = UNSEEN_OK;
    unseen_explain_options_init(&options, sizeof options);
    options.among = a->base.among;
    options.instead_of = a->instead_of;
    options.top = a->top;
    UN_TRY(unseen_explain(model, &picture, &options, &x));
    UN_GO(unseen_explanation_write(x, a->output, name));
    UN_GO(un_path_join(a->output, name, &folder));
    UN_GO(print_explanation(x, folder));
done:
    free(folder);
    unseen_explanation_close(x);
    return status;
}

/* Whether a file lies in one of the folders `names` below the directory with the real path `real`.
 */
static int lies_in_folder(const char *file, const char *real, char *const *names, size_t count) {
    char *at = realpath(file, NULL);
    size_t n = strlen(real), found = 0;
    if (at && !strncmp(at, real, n) && at[n] == '/') {
        const char *name = at + n + 1, *slash = strchr(name, '/');
        for (size_t i = 0; slash && i < count && !found; i++)
            found = strlen(names[i]) == (size_t)(slash - name) &&
                    !strncmp(names[i], name, (size_t)(slash - name));
    }
    free(at);
    return found != 0;
}

/* Explanations are written over those of an earlier run: no input may lie among them. */
static un_status check_inputs(const arguments *a, char *const *names) {
    const un_cli_pictures *p = &a->base;
    char *real = realpath(a->output, NULL);
    un_status status = UNSEEN_OK;
    if (!real) return UNSEEN_OK; /* there is nothing to write over */
    for (size_t i = 0; i < 2 + p->class_file_count + p->pictures.count && !status; i++) {
        const char *input = i == 0   ? p->model
                            : i == 1 ? p->backbone
                            : i < 2 + p->class_file_count
                                ? p->class_files[i - 2]
                                : p->pictures.paths[i - 2 - p->class_file_count];
        if (input && lies_in_folder(input, real, names, p->pictures.count))
            status = un_fail(UNSEEN_E_ARGUMENT,
                             "%s lies where this command writes an explanation; choose another "
                             "output",
                             input);
    }
    free(real);
    return status;
}

static un_status name_folders(const arguments *a, char **names) {
    for (size_t i = 0; i < a->base.pictures.count; i++)
        UN_TRY(folder_name(a->base.pictures.paths[i], names, i, &names[i]));
    return UNSEEN_OK;
}

static un_status explain_all(unseen_model *model, const arguments *a, char *const *names,
                             size_t *bad) {
    for (size_t i = 0; i < a->base.pictures.count; i++) {
        un_status one = explain_one(model, a, a->base.pictures.paths[i], names[i]);
        /* A bad picture is named and left out; anything else, like a full disk, ends the run. */
        int unreadable = one == UNSEEN_E_IO && access(a->base.pictures.paths[i], R_OK) != 0;
        if (one == UNSEEN_E_FORMAT || one == UNSEEN_E_UNSUPPORTED || unreadable) {
            un_log(UNSEEN_LOG_ERROR, "unseen: %s", un_error());
            (*bad)++;
        } else {
            UN_TRY(one);
        }
    }
    return UNSEEN_OK;
}

/* An exit code. */
static int explain(const arguments *a, size_t *bad) {
    char **names = NULL;
    unseen_model *model = NULL;
    int code = UN_EXIT_FAILURE;
    un_status status = un_alloc(a->base.pictures.count, sizeof *names, &names);
    if (status) return un_cli_fail();
    UN_GO(name_folders(a, names));
    code = UN_EXIT_USAGE;
    UN_GO(check_inputs(a, names));
    code = UN_EXIT_FAILURE;
    UN_GO(un_cli_pictures_open(&a->base, &model));
    *bad += un_cli_report_empty(&a->base);
    UN_GO(un_directory_make(a->output));
    UN_GO(explain_all(model, a, names, bad));
    code = UN_EXIT_OK;
done:
    if (status) (void)un_cli_fail();
    unseen_model_close(model);
    for (size_t i = 0; i < a->base.pictures.count; i++) free(names[i]);
    free(names);
    return code;
}

int un_cmd_explain(int argc, char **argv) {
    arguments a = {.top = 6};
    size_t bad = 0;
    int code = UN_EXIT_OK;
    if (un_cli_begin(&g_argp, argc, argv, &a, &a.base.common, &code))
        code = a.base.list_status ? un_cli_fail() : explain(&a, &bad);
    if (!code && bad > 0) code = UN_EXIT_FAILURE;
    un_cli_pictures_free(&a.base);
    return code;
}
