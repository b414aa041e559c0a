/* split_file.c - where a split comes from: a JSON file, which is also written, a MAT file, or a
 * proposal; see split_file.h. */
#include "data/readers/split_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/names.h"
#include "data/readers/import_parts.h"
#include "data/readers/pictures.h"
#include "data/readers/table.h"
#include "data/readers/text.h"
#include "data/split.h"

static const char *const ROLES[3] = {"trainval", "test_seen", "test_unseen"};
static const char *const KEYS[] = {"classes", "trainval", "test_seen",   "test_unseen",
                                   "folds",   "unseen",   "unseen_count"};
enum { KEY_COUNT = sizeof KEYS / sizeof *KEYS };

static un_status wrong(const un_split_file *f, const char *key, const char *why) {
    return un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" %s", f->path, key, why);
}

static un_status check_keys(const un_split_file *f) {
    const char *key = NULL;
    const json_t *value = NULL;
    size_t lists = 0;
    if (!json_is_object(f->value))
        return un_fail(UNSEEN_E_FORMAT, "%s is not a split: an object {…} is expected", f->path);
    json_object_foreach(f->value, key, value) {
        size_t k = 0;
        while (k < KEY_COUNT && strcmp(key, KEYS[k]) != 0) k++;
        if (k < KEY_COUNT) continue;
        return un_fail(UNSEEN_E_FORMAT, "%s: \"%.200s\" is not known in a split%s", f->path, key,
                       un_did_you_mean(key, KEYS, KEY_COUNT).text);
    }
    for (int l = 0; l < 3; l++) lists += json_object_get(f->value, ROLES[l]) != NULL;
    int named = json_object_get(f->value, "unseen") != NULL;
    int counted = json_object_get(f->value, "unseen_count") != NULL;
    if (lists != 0 && lists != 3)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: trainval, test_seen and test_unseen belong together, but only %zu of "
                       "them are there",
                       f->path, lists);
    if ((lists == 3) + named + counted > 1)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: of the three lists, \"unseen\" and \"unseen_count\" only one may be "
                       "given",
                       f->path);
    return UNSEEN_OK;
}

un_status un_split_file_open(un_split_file *file, const char *path) {
    *file = (un_split_file){0};
    UN_TRY(un_json_read(path, &file->value));
    un_status status = un_format(&file->path, "%s", path);
    if (!status) status = check_keys(file);
    if (status) un_split_file_close(file);
    return status;
}

void un_split_file_close(un_split_file *file) {
    json_decref(file->value);
    free(file->path);
    *file = (un_split_file){0};
}

/* A list of names under `key` of `object`, from `arena`. */
static un_status read_names(const un_split_file *f, const json_t *object, const char *key,
                            un_arena *arena, char ***out, size_t *count) {
    const json_t *list = json_object_get(object, key);
    if (!json_is_array(list)) return wrong(f, key, "is not a list of names");
    *count = json_array_size(list);
    UN_TRY(un_arena_alloc(arena, *count, sizeof **out, out));
    for (size_t i = 0; i < *count; i++) {
        const json_t *item = json_array_get(list, i);
        const char *name = json_string_value(item);
        if (!name || name[0] == 0 || strlen(name) != json_string_length(item))
            return wrong(f, key, "holds something that is not a name");
        UN_TRY(un_arena_string(arena, name, &(*out)[i]));
    }
    return UNSEEN_OK;
}

un_status un_split_file_classes(const un_split_file *file, un_arena *arena, char ***out,
                                size_t *count) {
    *count = 0;
    if (!json_object_get(file->value, "classes")) return UNSEEN_OK;
    return read_names(file, file->value, "classes", arena, out, count);
}

/* ---- lists of images ---- */

typedef struct {
    const un_split_file *file;
    un_dataset *dataset;
    un_suffix_index index; /* of the image names; count 0: they have none */
} reader;

/* The image that a name means: the path that ends in the whole of it, or in which it ends, as
 * where the folder of the pictures stands in front. Written as people and Windows write paths. */
static un_match match_image(const reader *r, char *name, size_t *number) {
    size_t shared = 0;
    if (r->index.count == 0) return UN_MATCH_NONE;
    un_match match = un_suffix_find(&r->index, name, number, &shared);
    if (shared > strlen(name + strspn(name, "/"))) return match;
    un_import_tidy_path(name);
    match = un_suffix_find(&r->index, name, number, &shared);
    if (match == UN_MATCH_NONE || shared > strlen(name + strspn(name, "/"))) return match;
    const char *path = r->dataset->images[*number];
    return shared > strlen(path + strspn(path, "/")) ? match : UN_MATCH_NONE;
}

static un_status find_image(const reader *r, const char *key, const char *name, int64_t *out) {
    size_t number = 0;
    char *copy = NULL;
    UN_TRY(un_format(&copy, "%s", name));
    un_match match = match_image(r, copy, &number);
    free(copy);
    *out = (int64_t)number;
    if (match == UN_MATCH_ONE) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" names the image \"%.300s\", which %s",
                   r->file->path, key, name,
                   r->index.count == 0      ? "cannot be found: the images here have no names"
                   : match == UN_MATCH_NONE ? "the data set does not have"
                                            : "may be one of several; write more of its path");
}

/* Whether the numbers in a list are likely to count from 1. */
static int is_1_based(const reader *r, const json_t *list) {
    json_int_t low = INT64_MAX, high = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        if (!json_is_integer(item)) continue;
        if (json_integer_value(item) < low) low = json_integer_value(item);
        if (json_integer_value(item) > high) high = json_integer_value(item);
    }
    return un_other_base((double)low, (double)high, r->dataset->image_count, 0, 0);
}

static un_status read_images(const reader *r, const json_t *object, const char *key,
                             un_index_list *out) {
    un_dataset *d = r->dataset;
    const json_t *list = json_object_get(object, key);
    if (!json_is_array(list)) return wrong(r->file, key, "is not a list of images");
    *out = (un_index_list){0};
    UN_TRY(un_arena_alloc(&d->arena, json_array_size(list), sizeof *out->items, &out->items));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        int64_t image = json_is_integer(item) ? (int64_t)json_integer_value(item) : -1;
        if (json_is_string(item))
            UN_TRY(find_image(r, key, json_string_value(item), &image));
        else if (!json_is_integer(item))
            return un_fail(UNSEEN_E_FORMAT,
                           "%s: entry %zu of \"%s\" is neither a number nor a name", r->file->path,
                           i, key);
        if (image < 0 || (uint64_t)image >= d->image_count)
            return un_fail(UNSEEN_E_FORMAT,
                           "%s: entry %zu of \"%s\" is %lld; images count from 0 to %zu%s",
                           r->file->path, i, key, (long long)image, d->image_count - 1,
                           is_1_based(r, list) ? " (is this list 1-based?)" : "");
        out->items[out->count++] = image;
    }
    if (un_index_list_sort(out) == 0) return UNSEEN_OK;
    size_t i = 1;
    while (out->items[i] != out->items[i - 1]) i++;
    return un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" lists image %lld more than once", r->file->path,
                   key, (long long)out->items[i]);
}

static un_status read_fold(const reader *r, const json_t *value, size_t k) {
    un_dataset *d = r->dataset;
    const char *source = json_string_value(json_object_get(value, "source"));
    char *fallback = NULL;
    char **names = NULL;
    size_t count = 0;
    un_index_list train;
    un_index_list unseen;
    if (!json_is_object(value)) return wrong(r->file, "folds", "holds something that is no fold");
    UN_TRY(un_format(&fallback, "fold %zu of the split file", k + 1));
    un_status status = UNSEEN_OK;
    if (!source) source = fallback;
    if (json_object_get(value, "classes")) {
        UN_GO(read_names(r->file, value, "classes", &d->arena, &names, &count));
        UN_GO(un_import_resolve_classes(d, r->file->path, names, count));
        UN_GO(un_fold_add_classes(d, source, names, count));
    } else {
        UN_GO(read_images(r, value, "train", &train));
        UN_GO(read_images(r, value, "unseen", &unseen));
        UN_GO(un_fold_add_lists(d, source, &train, &unseen));
    }
    d->folds[d->fold_count - 1].proposed = json_is_true(json_object_get(value, "proposed"));
done:
    free(fallback);
    return status;
}

static un_status read_folds(const reader *r) {
    const json_t *folds = json_object_get(r->file->value, "folds");
    if (!folds) return UNSEEN_OK;
    if (!json_is_array(folds)) return wrong(r->file, "folds", "is not a list");
    for (size_t k = 0; k < json_array_size(folds); k++)
        UN_TRY(read_fold(r, json_array_get(folds, k), k));
    return UNSEEN_OK;
}

static un_status read_lists(const reader *r) {
    un_dataset *d = r->dataset;
    un_index_list *lists[] = {&d->trainval, &d->test_seen, &d->test_unseen};
    for (int l = 0; l < 3; l++) UN_TRY(read_images(r, r->file->value, ROLES[l], lists[l]));
    return UNSEEN_OK;
}

static un_status propose_rest(const reader *r, uint64_t seed, un_split_outcome *outcome) {
    const json_t *file = r->file->value;
    un_split_proposal p = {.seed = seed, .where = r->file->path};
    char **names = NULL;
    if (json_object_get(file, "unseen")) {
        UN_TRY(read_names(r->file, file, "unseen", &r->dataset->arena, &names, &p.unseen_count));
        UN_TRY(un_import_resolve_classes(r->dataset, r->file->path, names, p.unseen_count));
        p.no_unseen = p.unseen_count == 0;
        p.unseen = names;
    }
    if (json_object_get(file, "unseen_count")) {
        UN_TRY(un_json_get_size(file, "unseen_count", r->file->path, &p.number));
        p.no_unseen = p.number == 0;
    }
    return un_split_propose(r->dataset, &p, outcome);
}

/* Classes that the file lists must be known. */
static un_status check_classes(const reader *r) {
    un_dataset *d = r->dataset;
    char **names = NULL;
    size_t count = 0;
    UN_TRY(un_split_file_classes(r->file, &d->arena, &names, &count));
    return un_import_resolve_classes(d, r->file->path, names, count);
}

un_status un_split_file_apply(const un_split_file *file, uint64_t seed, un_dataset *dataset,
                              int *proposed, un_split_outcome *outcome) {
    reader r = {.file = file, .dataset = dataset};
    if (dataset->images)
        UN_TRY(
            un_suffix_index_make(&r.index, &dataset->arena, dataset->images, dataset->image_count));
    UN_TRY(check_classes(&r));
    *proposed = !json_object_get(file->value, "trainval");
    UN_TRY(*proposed ? propose_rest(&r, seed, outcome) : read_lists(&r));
    return read_folds(&r);
}

/* ---- writing ---- */

static json_t *images_of(const un_dataset *d, const un_index_list *list) {
    json_t *out = json_array();
    for (size_t i = 0; out && i < list->count; i++) {
        int64_t image = list->items[i];
        un_json_push(&out,
                     d->images ? json_string(d->images[image]) : json_integer((json_int_t)image));
    }
    return out;
}

/* train and seen together: what the fold was made from. */
static json_t *train_of(const un_dataset *d, const un_fold *f) {
    json_t *out = images_of(d, &f->train);
    json_t *seen = images_of(d, &f->seen);
    if (!seen || json_array_extend(out, seen) != 0) {
        json_decref(out);
        out = NULL;
    }
    json_decref(seen);
    return out;
}

static json_t *fold_of(const un_dataset *d, const un_fold *f) {
    json_t *out = json_object();
    if (!out) return NULL;
    un_json_put(&out, "source", json_string(f->source));
    un_json_put(&out, "proposed", json_boolean(f->proposed));
    size_t used = f->train.count + f->seen.count + f->unseen.count;
    if (f->classes && used == d->trainval.count) {
        un_json_put(&out, "classes", un_json_strings(f->classes, f->class_count));
    } else {
        un_json_put(&out, "train", train_of(d, f));
        un_json_put(&out, "unseen", images_of(d, &f->unseen));
    }
    return out;
}

un_status un_split_file_write(const un_dataset *d, const char *path) {
    const un_index_list *lists[] = {&d->trainval, &d->test_seen, &d->test_unseen};
    json_t *out = json_object();
    json_t *folds = json_array();
    un_status status = UNSEEN_OK;
    if (!out || !folds) UN_GO(un_fail_memory(0));
    UN_GO(un_json_set(out, "classes", un_json_strings(d->classes, d->class_count)));
    for (int l = 0; l < 3; l++) UN_GO(un_json_set(out, ROLES[l], images_of(d, lists[l])));
    for (size_t k = 0; k < d->fold_count; k++)
        UN_GO(un_json_append(folds, fold_of(d, &d->folds[k])));
    UN_GO(un_json_set(out, "folds", json_incref(folds)));
    UN_GO(un_json_write(path, out));
done:
    json_decref(out);
    json_decref(folds);
    return status;
}

/* ---- the source of a split ---- */

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
                       "{--image-files} tells how a MAT split counts; there is no such split "
                       "file");
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
    un_index_list *lists[] = {&d->trainval, &d->test_seen, &d->test_unseen};
    for (size_t i = 0; i < 3; i++)
        UN_TRY(un_import_numbered(source->mat, un_mat_list_names[i], d, numbering, lists[i]));
    const un_phrase hint = un_worded("does the split count in the order of these images? "
                                     "{--image-files} tells it the order");
    const un_list_origin origin = {.file = path, .names = un_mat_list_names, .hint = hint.text};
    UN_TRY(un_import_check_lists(d, &origin));
    return un_import_note_unlisted(d, path);
}

/* ---- proposals ---- */

/* "a,b,c" to names from `arena`: commas between, blanks around a name are not part of it; a name
 * with a comma stands in quotes, doubled within, as in a table. */
static un_status cut_names(const char *text, un_arena *arena, char ***out, size_t *count) {
    char *copy = NULL;
    size_t most = 1;
    const un_phrase where = un_worded("{--unseen}");
    for (const char *at = text; *at; at++) most += *at == ',';
    UN_TRY(un_arena_string(arena, text, &copy));
    UN_TRY(un_arena_alloc(arena, most, sizeof **out, out));
    *count = 0;
    un_csv csv = {.path = where.text, .at = copy, .delimiter = ',', .line = 1};
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
static un_status report_proposal(un_dataset *d, const un_split_outcome *outcome, const char *how) {
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
                           "what is kept from training is there for measuring%s; {`unseen train "
                           "METHOD --all`|unseen_train with option all} selects as ever and "
                           "then learns from every image",
                           outcome->empty > 0 ? ", the classes without images are the unseen ones"
                                              : ""));
    if (outcome->orphaned == 0) return UNSEEN_OK;
    return un_dataset_note(d,
                           "%zu attributes of the unseen classes are above their mean in no "
                           "seen class: nothing can teach them",
                           outcome->orphaned);
}

static un_status propose_from_list(const un_split_source *source, un_dataset *d,
                                   const un_split_defaults *defaults) {
    const un_split_options *o = source->options;
    const un_phrase where = un_worded("{--unseen}");
    un_split_proposal p = {.number = o->unseen_number,
                           .no_unseen = o->no_unseen,
                           .some_unseen = o->some_unseen,
                           .seed = o->seed,
                           .where = where.text};
    un_split_outcome outcome;
    char **names = NULL;
    char how[300];
    if (o->unseen) {
        UN_TRY(read_unseen(d, o->unseen, &names, &p.unseen_count));
        UN_TRY(un_import_resolve_classes(d, p.where, names, p.unseen_count));
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
    return report_proposal(d, &outcome, how);
}

static un_status apply_json(const un_split_source *source, un_dataset *d) {
    const char *path = source->options->file;
    un_split_outcome outcome = {0};
    int proposed = 0;
    char how[300];
    UN_TRY(un_split_file_apply(&source->json, source->options->seed, d, &proposed, &outcome));
    snprintf(how, sizeof how, "as %.200s asks, seed %llu", path,
             (unsigned long long)source->options->seed);
    if (proposed) return report_proposal(d, &outcome, how);
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
        UN_TRY(propose_from_list(source, d, defaults));
    return un_import_validation(d, NULL, source->mat, numbering, o->validation,
                                o->validation_count);
}

un_status un_split_source_write(const un_split_source *source, const un_dataset *dataset) {
    return source->options->write ? un_split_file_write(dataset, source->options->write)
                                  : UNSEEN_OK;
}
