/* dataset_api.c - the public interface: data sets (unseen_dataset.h). */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/names.h"
#include "data/check/check.h"
#include "data/readers/import.h"
#include "engine/handles.h"
#include "engine/loader.h"
#include "text/word_vectors.h"

/* ---- making and releasing ---- */

unseen_dataset *un_dataset_share(const unseen_dataset *data) {
    unseen_dataset *shared = (unseen_dataset *)(uintptr_t)data; /* only its number of users */
    atomic_fetch_add(&shared->users, 1);
    return shared;
}

void unseen_dataset_close(unseen_dataset *data) {
    if (!data || atomic_fetch_sub(&data->users, 1) > 1) return;
    un_dataset_close(&data->data);
    for (size_t i = 0; i < data->answer_count; i++) free(data->answers[i]);
    free(data->answers);
    pthread_mutex_destroy(&data->lock);
    free(data->notes);
    free(data->seen);
    free(data);
}

/* Takes a text that came from malloc(); *out is a kept one that says the same. The caller holds the
 * lock. */
static un_status add_answer(unseen_dataset *data, char *text, const char **out) {
    for (size_t i = 0; i < data->answer_count; i++) {
        if (strcmp(data->answers[i], text) != 0) continue;
        free(text);
        *out = data->answers[i];
        return UNSEEN_OK;
    }
    char **longer = realloc(data->answers, (data->answer_count + 1) * sizeof *longer);
    if (!longer) {
        free(text);
        return un_fail_memory((data->answer_count + 1) * sizeof *longer);
    }
    data->answers = longer;
    *out = data->answers[data->answer_count++] = text;
    return UNSEEN_OK;
}

static un_status keep_answer(unseen_dataset *data, char *text, const char **out) {
    pthread_mutex_lock(&data->lock);
    un_status status = add_answer(data, text, out);
    pthread_mutex_unlock(&data->lock);
    return status;
}

/* What accessors need beside the data set itself. */
static un_status survey(unseen_dataset *data) {
    const un_dataset *d = &data->data;
    UN_TRY(un_alloc(d->class_count, 1, &data->seen));
    if (d->labels) un_dataset_classes_of(d, &d->trainval, data->seen);
    if (!d->notes) return un_format(&data->notes, "[]");
    return un_json_text(d->notes, &data->notes);
}

/* A handle on a data set that was opened or made; it is released if that fails. */
static un_status finish(un_dataset *d, unseen_dataset **out) {
    unseen_dataset *data = calloc(1, sizeof *data);
    if (!data) {
        un_dataset_close(d);
        return un_fail_memory(sizeof *data);
    }
    data->data = *d;
    atomic_init(&data->users, 1);
    pthread_mutex_init(&data->lock, NULL);
    un_status status = survey(data);
    if (status)
        unseen_dataset_close(data);
    else
        *out = data;
    return status;
}

unseen_status unseen_dataset_open(const char *directory, unseen_dataset **out) {
    UN_LOCALE_C;
    un_dataset d;
    if (!directory || !out)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_dataset_open: a pointer is NULL");
    UN_TRY(un_dataset_open(&d, directory));
    return finish(&d, out);
}

static const unseen_arrays g_arrays = {
    .size = sizeof g_arrays, .regions = 1, .copy_features = 1, .scale = "auto", .split_seed = 1};

void unseen_arrays_init(unseen_arrays *arrays, size_t size) {
    un_options_init(arrays, size, &g_arrays, sizeof g_arrays);
}

unseen_status unseen_dataset_from_arrays(const unseen_arrays *arrays, unseen_dataset **out) {
    UN_LOCALE_C;
    unseen_arrays a = g_arrays;
    un_dataset d;
    if (!arrays || !out)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_dataset_from_arrays: a pointer is NULL");
    UN_TRY(un_options_take(arrays, "unseen_arrays", &a, sizeof a));
    UN_TRY(un_import_memory(&a, &d));
    return finish(&d, out);
}

unseen_status unseen_dataset_save(const unseen_dataset *data, const char *directory) {
    UN_LOCALE_C;
    if (!data || !directory)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_dataset_save: a pointer is NULL");
    return un_memory_save(&data->data, directory);
}

unseen_status unseen_dataset_use_images(unseen_dataset *data, const char *folder) {
    UN_LOCALE_C;
    if (!data || !folder)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_dataset_use_images: a pointer is NULL");
    return un_dataset_use_images(&data->data, folder);
}

/* ---- what is in it ---- */

const char *unseen_dataset_name(const unseen_dataset *data) {
    return data ? data->data.name : NULL;
}

size_t unseen_dataset_image_count(const unseen_dataset *data) {
    return data ? data->data.image_count : 0;
}

size_t unseen_dataset_class_count(const unseen_dataset *data) {
    return data ? data->data.class_count : 0;
}

const char *unseen_dataset_image_name(const unseen_dataset *data, size_t i) {
    return i < unseen_dataset_image_count(data) && data->data.images ? data->data.images[i] : NULL;
}

const char *unseen_dataset_image_folder(const unseen_dataset *data) {
    return data ? data->data.image_root : NULL;
}

const char *unseen_dataset_class_name(const unseen_dataset *data, size_t k) {
    return k < unseen_dataset_class_count(data) ? data->data.classes[k] : NULL;
}

int unseen_dataset_class_seen(const unseen_dataset *data, size_t k) {
    return k < unseen_dataset_class_count(data) ? data->seen[k] : -1;
}

const int32_t *unseen_dataset_labels(const unseen_dataset *data) {
    return data ? data->data.labels : NULL;
}

const char *unseen_dataset_split_hash(const unseen_dataset *data) {
    return data ? data->data.split_hash : NULL;
}

const char *unseen_dataset_split_name(const unseen_dataset *data) {
    return data ? un_split_known_name(data->data.split_hash) : NULL;
}

const char *unseen_dataset_notes(const unseen_dataset *data) { return data ? data->notes : NULL; }

/* One of three lists. */
static un_status pick(const un_index_list *const lists[3], unseen_split_list list,
                      const int64_t **images, size_t *count) {
    if ((unsigned)list > UNSEEN_TEST_UNSEEN)
        return un_fail(UNSEEN_E_ARGUMENT, "%d is no unseen_split_list", (int)list);
    *images = lists[list]->items;
    *count = lists[list]->count;
    return UNSEEN_OK;
}

unseen_status unseen_dataset_split(const unseen_dataset *data, unseen_split_list list,
                                   const int64_t **images, size_t *count) {
    if (!data || !images || !count)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_dataset_split: a pointer is NULL");
    const un_dataset *d = &data->data;
    const un_index_list *const lists[] = {&d->trainval, &d->test_seen, &d->test_unseen};
    return pick(lists, list, images, count);
}

size_t unseen_dataset_fold_count(const unseen_dataset *data) {
    return data ? data->data.fold_count : 0;
}

unseen_status unseen_dataset_fold(const unseen_dataset *data, size_t k, unseen_split_list list,
                                  const int64_t **images, size_t *count) {
    if (!data || !images || !count)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_dataset_fold: a pointer is NULL");
    if (k >= data->data.fold_count)
        return un_fail(UNSEEN_E_ARGUMENT, "there is no validation fold %zu, there are %zu", k,
                       data->data.fold_count);
    const un_fold *f = &data->data.folds[k];
    const un_index_list *const lists[] = {&f->train, &f->seen, &f->unseen};
    return pick(lists, list, images, count);
}

size_t unseen_dataset_semantics_count(const unseen_dataset *data) {
    return data ? data->data.semantics_count : 0;
}

const char *unseen_dataset_semantics_name(const unseen_dataset *data, size_t i) {
    return i < unseen_dataset_semantics_count(data) ? data->data.semantics[i].name : NULL;
}

unseen_status unseen_dataset_semantics(const unseen_dataset *data, const char *name,
                                       const float **values, size_t *attribute_count) {
    UN_LOCALE_C;
    const un_semantics *s = NULL;
    if (!data || !name || !values || !attribute_count)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_dataset_semantics: a pointer is NULL");
    UN_TRY(un_dataset_require_semantics(&data->data, name, &s));
    *values = s->values;
    *attribute_count = s->width;
    return UNSEEN_OK;
}

const char *unseen_dataset_attribute_name(const unseen_dataset *data, const char *semantics,
                                          size_t i) {
    const un_semantics *s = data && semantics ? un_dataset_semantics(&data->data, semantics) : NULL;
    return s && s->attributes && i < s->width ? s->attributes[i] : NULL;
}

/* ---- word vectors ---- */

unseen_status unseen_dataset_words(const unseen_dataset *data, const char *semantics,
                                   const float **vectors, size_t *width) {
    UN_LOCALE_C;
    const un_semantics *s = NULL;
    if (!data || !semantics || !vectors || !width)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_dataset_words: a pointer is NULL");
    UN_TRY(un_dataset_require_semantics(&data->data, semantics, &s));
    *vectors = s->vectors;
    *width = s->vector_width;
    return UNSEEN_OK;
}

static const unseen_words_options g_words = {.size = sizeof g_words};

void unseen_words_options_init(unseen_words_options *options, size_t size) {
    un_options_init(options, size, &g_words, sizeof g_words);
}

unseen_status unseen_dataset_add_words(unseen_dataset *data, const char *vectors,
                                       const unseen_words_options *options) {
    UN_LOCALE_C;
    unseen_words_options o = g_words;
    un_semantics before[UN_MAX_SEMANTICS];
    if (!data || !vectors)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_dataset_add_words: a pointer is NULL");
    UN_TRY(un_options_take(options, "unseen_words_options", &o, sizeof o));
    for (size_t i = 0; i < o.semantics_count; i++)
        if (!o.semantics || !o.semantics[i])
            return un_fail(UNSEEN_E_ARGUMENT, "semantics %zu is NULL", i);
    const un_words_options words = {.vectors = vectors,
                                    .tensor = o.tensor,
                                    .attributes = o.attributes,
                                    .semantics = o.semantics,
                                    .semantics_count = o.semantics_count};
    un_dataset *d = &data->data;
    memcpy(before, d->semantics, sizeof before); /* all that it changes */
    un_status status = un_words_add(d, &words);
    if (!status && d->directory) status = un_dataset_write(d, d->directory);
    if (status) memcpy(d->semantics, before, sizeof before);
    return status;
}

/* ---- features ---- */

const char *unseen_dataset_feature_set(unseen_dataset *data, size_t i) {
    UN_LOCALE_C;
    char **names = NULL, *name = NULL;
    const char *kept = NULL;
    size_t count = 0;
    if (!data) return NULL;
    if (un_dataset_features_list(&data->data, &names, &count)) return NULL;
    if (i < count && !un_format(&name, "%s", names[i])) (void)keep_answer(data, name, &kept);
    un_names_free(names);
    return kept;
}

unseen_status unseen_dataset_feature_shape(const unseen_dataset *data, const char *features,
                                           size_t *regions, size_t *width) {
    UN_LOCALE_C;
    un_features f;
    if (!data || !regions || !width)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_dataset_feature_shape: a pointer is NULL");
    UN_TRY(un_dataset_features(&data->data, features, &f));
    *regions = f.regions;
    *width = f.width;
    un_features_close(&f);
    return UNSEEN_OK;
}

unseen_status unseen_dataset_features(const unseen_dataset *data, const char *features,
                                      const int64_t *images, size_t n, float *out) {
    UN_LOCALE_C;
    un_features f;
    if (!data || (n > 0 && (!images || !out)))
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_dataset_features: a pointer is NULL");
    UN_TRY(un_dataset_features(&data->data, features, &f));
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < n && !status; i++)
        if (images[i] < 0 || (uint64_t)images[i] >= f.image_count)
            status = un_fail(UNSEEN_E_ARGUMENT, "there is no image %lld, feature set %s has %zu",
                             (long long)images[i], f.name, f.image_count);
    if (!status) un_features_gather_f32(&f, images, n, out);
    un_features_close(&f);
    return status;
}

/* ---- check ---- */

/* Adds a warning for each kind of file among the pictures that cannot be read. */
static un_status warn_of_unread(const un_dataset *d, json_t *report) {
    un_unread unread;
    UN_TRY(un_unread_find(d, &unread));
    for (int kind = 0; kind < UN_KIND_COUNT; kind++) {
        char *sentence = NULL;
        if (unread.count[kind] == 0) continue;
        UN_TRY(un_unread_sentence(&unread, (un_file_kind)kind, &sentence));
        un_status status =
            un_json_append(json_object_get(report, "warnings"), json_string(sentence));
        free(sentence);
        UN_TRY(status);
    }
    return UNSEEN_OK;
}

static const unseen_check_options g_check = {.size = sizeof g_check};

void unseen_check_options_init(unseen_check_options *options, size_t size) {
    un_options_init(options, size, &g_check, sizeof g_check);
}

unseen_status unseen_dataset_check(unseen_dataset *data, const char **json) {
    return unseen_dataset_check_with(data, NULL, json);
}

unseen_status unseen_dataset_check_with(unseen_dataset *data, const unseen_check_options *options,
                                        const char **json) {
    UN_LOCALE_C;
    unseen_check_options o = g_check;
    un_watch watch;
    json_t *report = NULL;
    char *text = NULL;
    if (!data || !json)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_dataset_check: a pointer is NULL");
    UN_TRY(un_options_take(options, "unseen_check_options", &o, sizeof o));
    un_watch_begin(&watch, o.progress, o.user);
    un_status status = un_check_dataset(&data->data, &report);
    if (!status) status = warn_of_unread(&data->data, report);
    un_watch_end(&watch);
    if (!status) status = un_json_text(report, &text);
    json_decref(report);
    return status ? status : keep_answer(data, text, json);
}
