/* split_source.c - see split_source.h. */
#include "data/readers/split_source.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/names.h"
#include "data/readers/csv.h"
#include "data/readers/import_parts.h"
#include "data/readers/lines.h"
#include "data/readers/pictures.h"
#include "data/split.h"

static int ends_in(const char *text, const char *end) {
    size_t length = strlen(text);
    size_t tail = strlen(end);
    return length > tail && !strcmp(text + length - tail, end);
}

un_status un_split_source_open(un_split_source *source, const un_split_options *o) {
    *source = (un_split_source){.options = o};
    if ((o->file != NULL) + (o->unseen != NULL) + (o->unseen_number > 0) + o->no_unseen > 1)
        return un_fail(
            UNSEEN_E_ARGUMENT,
            "a split file, a list of unseen classes and their number exclude each other");
    int is_mat = o->file && (ends_in(o->file, ".mat") || un_mat_is_at(o->file));
    if (o->image_files && !is_mat)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "--image-files tells how a MAT split counts; there is no such split file");
    if (!o->file) return UNSEEN_OK;
    if (is_mat) return un_mat_open(&source->mat, o->file);
    return un_split_file_open(&source->json, o->file);
}

void un_split_source_close(un_split_source *source) {
    un_mat_close(source->mat);
    un_split_file_close(&source->json);
    *source = (un_split_source){0};
}

/* ---- the order of the classes ---- */

un_status un_split_source_order(const un_split_source *source, char *const *names, size_t count,
                                un_arena *arena, size_t *order) {
    char **listed = NULL;
    size_t listed_count = 0;
    size_t *place = NULL; /* of each name in the list, then the name at each place */
    un_name_index index;
    un_name_report report;
    for (size_t i = 0; i < count; i++) order[i] = i;
    if (source->mat && un_mat_find(source->mat, "allclasses_names"))
        UN_TRY(un_mat_read_strings(source->mat, "allclasses_names", arena, &listed, &listed_count));
    else if (source->json.value)
        UN_TRY(un_split_file_classes(&source->json, arena, &listed, &listed_count));
    if (listed_count == 0) return UNSEEN_OK;
    UN_TRY(un_name_index_make(&index, listed, listed_count));
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(count + listed_count, sizeof *place, &place));
    UN_GO(un_names_match(&index, names, count, place, &report));
    if (report.missing.count > 0)
        UN_GO(un_fail(UNSEEN_E_FORMAT, "%s has no class %s%s", source->options->file,
                      report.missing.text, un_name_list_more(&report.missing)));
    size_t *at = place + count;
    size_t found = 0;
    for (size_t k = 0; k < listed_count; k++) at[k] = UN_NO_NAME;
    for (size_t i = 0; i < count; i++) at[place[i]] = i;
    for (size_t k = 0; k < listed_count; k++)
        if (at[k] != UN_NO_NAME) order[found++] = at[k];
done:
    free(place);
    un_name_index_free(&index);
    return status;
}

/* ---- a split in xlsa17's layout ---- */

/* Which images the numbers mean by the names that the authors gave them. */
static un_status number_by_names(const un_split_source *source, un_dataset *d,
                                 un_numbering *numbering) {
    const char *path = source->options->image_files;
    un_mat *mat = NULL;
    char **files = NULL;
    un_suffix_index index;
    int64_t *place = NULL;
    UN_TRY(un_mat_open(&mat, path));
    un_status status = UNSEEN_OK;
    if (!un_mat_find(mat, "image_files"))
        UN_GO(un_fail(UNSEEN_E_FORMAT, "%s has no image_files", path));
    UN_GO(un_mat_read_strings(mat, "image_files", &d->arena, &files, &numbering->count));
    for (size_t i = 0; i < numbering->count; i++) un_import_tidy_path(files[i]);
    UN_GO(un_suffix_index_make(&index, &d->arena, d->images, d->image_count));
    UN_GO(un_arena_alloc(&d->arena, numbering->count, sizeof *place, &place));
    UN_GO(un_suffix_match(&index, d->images, files, numbering->count, path, place));
    numbering->place = place;
done:
    un_mat_close(mat);
    return status;
}

static un_status apply_mat(const un_split_source *source, un_dataset *d,
                           const un_numbering *numbering) {
    const char *path = source->options->file;
    struct {
        const char *name;
        un_index_list *list;
    } parts[] = {{"trainval_loc", &d->trainval},
                 {"test_seen_loc", &d->test_seen},
                 {"test_unseen_loc", &d->test_unseen}};
    for (size_t i = 0; i < 3; i++)
        UN_TRY(un_import_numbered(source->mat, parts[i].name, d, numbering, parts[i].list));
    const un_list_origin origin = {
        .file = path,
        .names = un_mat_list_names,
        .hint = "does the split count in the order of these images? --image-files tells it the "
                "order"};
    UN_TRY(un_import_check_lists(d, &origin));
    return un_import_note_unlisted(d, path);
}

/* ---- proposals ---- */

/* "a,b,c" to names from `arena`: commas between, blanks around a name are not part of it; a name
 * with a comma stands in quotes, doubled within, as in a table. */
static un_status cut_names(const char *text, un_arena *arena, char ***out, size_t *count) {
    char *copy = NULL;
    size_t most = 1;
    for (const char *at = text; *at; at++) most += *at == ',';
    UN_TRY(un_arena_string(arena, text, &copy));
    UN_TRY(un_arena_alloc(arena, most, sizeof **out, out));
    *count = 0;
    un_csv csv = {.path = "--unseen", .at = copy, .delimiter = ',', .line = 1};
    UN_TRY(un_csv_next(&csv, *out, most, count));
    for (size_t i = 0; i < *count; i++)
        if ((*out)[i][0] == 0)
            return un_fail(UNSEEN_E_ARGUMENT,
                           "the list of unseen classes \"%.200s\" has an empty name", text);
    return UNSEEN_OK;
}

/* The names of --unseen: a class whose name is the whole text, a list in a file ("@FILE", or FILE
 * if no class is called so), or names with commas between. */
static un_status read_unseen(un_dataset *d, const char *text, char ***out, size_t *count) {
    un_name_index index;
    char *whole[] = {(char *)(uintptr_t)text};
    size_t place = 0;
    un_name_report report;
    UN_TRY(un_name_index_make(&index, d->classes, d->class_count));
    un_status status = un_names_match(&index, whole, 1, &place, &report);
    un_name_index_free(&index);
    UN_TRY(status);
    if (place == UN_NO_NAME && text[0] == '@')
        return un_lines_read_names(text + 1, &d->arena, out, count);
    if (place == UN_NO_NAME && un_path_exists(text) && !un_path_is_directory(text))
        return un_lines_read_names(text, &d->arena, out, count);
    if (place == UN_NO_NAME) return cut_names(text, &d->arena, out, count);
    UN_TRY(un_arena_alloc(&d->arena, 1, sizeof **out, out));
    *count = 1;
    return un_arena_string(&d->arena, text, &(*out)[0]);
}

/* Notes the unseen classes by name, as many as fit. */
static un_status tell_proposal(un_dataset *d, const un_split_outcome *outcome, const char *how) {
    un_name_list names = {0};
    unsigned char *flags = NULL;
    UN_TRY(un_alloc(d->class_count, 1, &flags));
    un_dataset_classes_of(d, &d->test_unseen, flags);
    for (size_t c = 0; c < d->class_count; c++)
        if (flags[c]) un_name_list_add(&names, d->classes[c], SIZE_MAX);
    free(flags);
    if (outcome->unseen == 0)
        UN_TRY(un_dataset_note(d,
                               "the split was proposed, %s: no class with pictures or rows is "
                               "unseen, so T1, U and H cannot be measured; a fifth of each class's "
                               "images is kept for testing",
                               how));
    else
        UN_TRY(un_dataset_note(d,
                               "the split was proposed, %s: %zu classes are unseen (%s%s); a fifth "
                               "of each other class's images is kept for testing",
                               how, outcome->unseen, names.text, un_name_list_more(&names)));
    UN_TRY(un_dataset_note(d,
                           "what is kept from training is there for measuring%s; `unseen train "
                           "METHOD --all` selects as ever and then learns from every image",
                           outcome->empty > 0 ? ", the classes without images are the unseen ones"
                                              : ""));
    if (outcome->orphaned == 0) return UNSEEN_OK;
    return un_dataset_note(d,
                           "%zu attributes of the unseen classes are above their mean in no "
                           "seen class: nothing can teach them",
                           outcome->orphaned);
}

static un_status propose(const un_split_source *source, un_dataset *d,
                         const un_split_defaults *defaults) {
    const un_split_options *o = source->options;
    un_split_proposal p = {.number = o->unseen_number,
                           .no_unseen = o->no_unseen,
                           .seed = o->seed,
                           .where = "--unseen"};
    un_split_outcome outcome;
    char **names = NULL;
    char how[300];
    if (o->unseen) {
        UN_TRY(read_unseen(d, o->unseen, &names, &p.unseen_count));
        UN_TRY(un_import_resolve_classes(d, "--unseen", names, p.unseen_count));
        p.unseen = names;
    } else if (p.number == 0 && !p.no_unseen && defaults->unseen_count > 0) {
        p.unseen = defaults->unseen;
        p.unseen_count = defaults->unseen_count;
        p.where = defaults->unseen_where;
    }
    if (p.unseen_count > 0)
        snprintf(how, sizeof how, "unseen classes of %.200s, seed %llu", p.where,
                 (unsigned long long)o->seed);
    else
        snprintf(how, sizeof how, "seed %llu", (unsigned long long)o->seed);
    UN_TRY(un_split_propose(d, &p, &outcome));
    return tell_proposal(d, &outcome, how);
}

static un_status apply_json(const un_split_source *source, un_dataset *d) {
    const char *path = source->options->file;
    un_split_outcome outcome = {0};
    int proposed = 0;
    char how[300];
    UN_TRY(un_split_file_apply(&source->json, source->options->seed, d, &proposed, &outcome));
    snprintf(how, sizeof how, "as %.200s asks, seed %llu", path,
             (unsigned long long)source->options->seed);
    if (proposed) return tell_proposal(d, &outcome, how);
    const un_list_origin origin = {.file = path,
                                   .names = un_json_list_names,
                                   .hint = "do its lists and these images belong together?"};
    UN_TRY(un_import_check_lists(d, &origin));
    return un_import_note_unlisted(d, path);
}

un_status un_split_source_apply(const un_split_source *source, un_dataset *d,
                                const un_split_defaults *defaults) {
    const un_split_options *o = source->options;
    const un_numbering *numbering = defaults->numbering;
    un_numbering named_order = {0};
    if (o->image_files) {
        UN_TRY(number_by_names(source, d, &named_order));
        numbering = &named_order;
    }
    if (source->mat)
        UN_TRY(apply_mat(source, d, numbering));
    else if (source->json.value)
        UN_TRY(apply_json(source, d));
    else
        UN_TRY(propose(source, d, defaults));
    return un_import_validation(d, NULL, source->mat, numbering, o->validation,
                                o->validation_count);
}

un_status un_split_source_write(const un_split_source *source, const un_dataset *dataset) {
    return source->options->write ? un_split_file_write(dataset, source->options->write)
                                  : UNSEEN_OK;
}
