/* models.c - the models that are served; see models.h. */
#include "serve/models.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "serve/url.h"

enum { MOST_POINTS = 200 };

struct un_models {
    const un_serve_options *options;
    unseen_dataset *data; /* NULL: none */
    un_samples samples;
    size_t count;
    un_served *items[UN_MOST_MODELS];
    const char *paths[UN_MOST_MODELS];
    pthread_mutex_t lock; /* of items */
    atomic_int stop;      /* 1: what takes long is to end */
};

/* ---- one model ---- */

void un_served_release(un_served *s) {
    if (!s || atomic_fetch_sub(&s->users, 1) > 1) return;
    unseen_model_close(s->model);
    json_decref(s->row);
    free(s->name);
    free(s->url);
    free(s->recipe);
    free(s->is_new);
    free(s->card);
    free(s);
}

/* The file's name without folder and ".model". */
static un_status name_of(const char *path, char **out) {
    UN_TRY(un_path_base(path, out));
    char *dot = strrchr(*out, '.');
    if (dot && dot > *out && !strcmp(dot, ".model")) *dot = '\0';
    return UNSEEN_OK;
}

/* The first of the backbones that it fits, or the one that is built in. Without any, a model still
 * answers about features. */
static un_status attach(un_served *s, const char *path, const un_serve_options *o) {
    un_status status = UNSEEN_E_ARGUMENT;
    for (size_t i = 0; i <= o->backbones.count && status == UNSEEN_E_ARGUMENT; i++)
        status = unseen_model_attach_backbone(
            s->model, i < o->backbones.count ? o->backbones.items[i] : NULL);
    if (status == UNSEEN_E_ARGUMENT) {
        un_log(UNSEEN_LOG_WARNING, "%s cannot be asked about pictures: %s", s->name, un_error());
        return UNSEEN_OK;
    }
    if (status) return un_fail_prefix(status, "%s", path);
    UN_TRY(unseen_model_set_orientation(s->model, o->orientation));
    s->recipe = strdup(unseen_model_recipe(s->model));
    return s->recipe ? UNSEEN_OK : un_fail_memory(0);
}

/* ---- what is told about it ---- */

/* At most MOST_POINTS of the curve of U and S over all gammas, its ends among them. */
static json_t *curve_json(const unseen_result *result) {
    const double *gamma = NULL, *U = NULL, *S = NULL;
    size_t n = 0;
    if (unseen_result_curve(result, &n, &gamma, &U, &S) || n == 0) return json_null();
    json_t *us = json_array(), *ss = json_array(), *out = json_object();
    const size_t points = n < MOST_POINTS ? n : MOST_POINTS;
    for (size_t i = 0; i < points; i++) {
        const size_t j = points > 1 ? i * (n - 1) / (points - 1) : 0;
        un_json_push(&us, un_json_number(U[j]));
        un_json_push(&ss, un_json_number(S[j]));
    }
    un_json_put(&out, "U", us);
    un_json_put(&out, "S", ss);
    return out;
}

/* Signals are blocked while models are loaded (serve.c). */
static int is_to_end(const un_models *m) {
    sigset_t pending;
    return atomic_load(&m->stop) ||
           (sigpending(&pending) == 0 &&
            (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1));
}

static int on_progress(const unseen_progress *progress, void *user) {
    (void)progress;
    return is_to_end(user);
}

static json_t *measure(const un_served *s, un_models *m) {
    unseen_result *result = NULL;
    unseen_evaluate_options o;
    if (!m->data) return json_null();
    unseen_evaluate_options_init(&o, sizeof o);
    o.progress = on_progress;
    o.user = m;
    if (unseen_evaluate(s->model, m->data, &o, &result)) {
        un_log(UNSEEN_LOG_WARNING, "no curve of %s: %s", s->name, un_error());
        return json_null();
    }
    json_t *curve = curve_json(result);
    unseen_result_close(result);
    return curve;
}

static json_t *samples_json(const un_served *s) {
    json_t *out = json_array();
    for (size_t i = 0; i < s->samples->count && s->recipe; i++) {
        json_t *sample = json_object();
        char *url = NULL;
        if (un_format(&url, "/v1/models/%s/samples/%zu", s->url, i)) json_decref(sample);
        if (!url) return NULL;
        un_json_put(&sample, "url", json_string(url));
        un_json_put(&sample, "label", json_string(s->samples->items[i].label));
        un_json_put(&sample, "seen", json_boolean(s->samples->items[i].seen));
        un_json_push(&out, sample);
        free(url);
    }
    return out;
}

static json_t *limits_json(const un_serve_options *o) {
    json_t *out = json_object();
    un_json_put(&out, "max_upload", json_integer((json_int_t)o->max_upload));
    un_json_put(&out, "max_pixels",
                o->max_pixels ? json_integer((json_int_t)o->max_pixels) : json_null());
    un_json_put(&out, "new_classes", json_integer(UN_MOST_CLASSES));
    un_json_put(&out, "pictures", json_integer(UN_MOST_PICTURES));
    return out;
}

static json_t *row_json(const un_served *s, const json_t *card) {
    static const char *const keys[] = {"title", "data_set", "class_count", "seen_count"};
    json_t *row = json_object();
    un_json_put(&row, "name", json_string(s->name));
    un_json_put(&row, "method", json_string(unseen_model_method(s->model)));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *value = json_object_get(card, keys[i]);
        un_json_put(&row, keys[i], value ? un_json_copy(value) : json_null());
    }
    un_json_put(&row, "attribute_count",
                json_integer((json_int_t)unseen_model_attribute_count(s->model)));
    un_json_put(&row, "pictures", json_boolean(s->recipe != NULL));
    return row;
}

/* What is kept beside the card, whose classes say which are new. */
static un_status note_classes(un_served *s, const json_t *card) {
    const json_t *classes = json_object_get(card, "classes");
    s->class_count = unseen_model_class_count(s->model);
    s->feature_length = unseen_model_feature_length(s->model);
    s->probabilities = json_is_true(json_object_get(card, "probabilities"));
    UN_TRY(un_alloc(s->class_count, 1, &s->is_new));
    for (size_t k = 0; k < s->class_count; k++)
        s->is_new[k] = json_is_true(json_object_get(json_array_get(classes, k), "new"));
    return UNSEEN_OK;
}

static un_status describe(un_served *s, un_models *m) {
    const char *text = NULL;
    json_t *card = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(unseen_model_describe(s->model, &text));
    UN_TRY(un_json_parse(text, strlen(text), s->name, &card));
    UN_GO(note_classes(s, card));
    UN_GO(un_json_set(card, "name", json_string(s->name)));
    UN_GO(un_json_set(card, "pictures", json_boolean(s->recipe != NULL)));
    UN_GO(un_json_set(card, "curve", measure(s, m)));
    UN_GO(un_json_set(card, "samples", samples_json(s)));
    UN_GO(un_json_set(card, "limits", limits_json(m->options)));
    s->row = row_json(s, card);
    s->card = s->row
                  ? un_json_dump(card, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9))
                  : NULL;
    if (!s->card) status = un_fail_memory(0);
done:
    json_decref(card);
    return status;
}

static un_status open_one(un_models *m, const char *path, un_served **out) {
    const un_serve_options *o = m->options;
    unseen_model_options how;
    un_served *s = calloc(1, sizeof *s);
    if (!s) return un_fail_memory(sizeof *s);
    un_status status = UNSEEN_OK;
    atomic_init(&s->users, 1);
    s->samples = &m->samples;
    unseen_model_options_init(&how, sizeof how);
    how.precision = o->precision;
    UN_GO(name_of(path, &s->name));
    if (!un_text_is_utf8((const unsigned char *)s->name, strlen(s->name)))
        UN_GO(un_fail(UNSEEN_E_ARGUMENT,
                      "%s: a model is asked for by its file's name, which is not UTF-8: rename it",
                      path));
    s->url = un_url_encode(s->name);
    if (!s->url) UN_GO(un_fail_memory(0));
    UN_GO(unseen_model_open_with(path, &how, &s->model));
    UN_GO(attach(s, path, o));
    for (size_t i = 0; i < o->classes.count; i++)
        UN_GO(unseen_model_read_classes(s->model, o->classes.items[i]));
    UN_GO(describe(s, m));
    *out = s;
    return UNSEEN_OK;
done:
    un_served_release(s);
    return status;
}

/* ---- all of them ---- */

/* Without the lock: where nobody else changes them. */
static un_served *find(const un_models *m, const char *name) {
    for (size_t i = 0; i < m->count; i++)
        if (!strcmp(m->items[i]->name, name)) return m->items[i];
    return NULL;
}

static un_status open_all(un_models *m) {
    const un_words paths = m->options->models;
    if (paths.count == 0 || paths.count > UN_MOST_MODELS)
        return un_fail(UNSEEN_E_ARGUMENT, "1 to %d models can be served, not %zu", UN_MOST_MODELS,
                       paths.count);
    if (m->options->data) {
        UN_TRY(unseen_dataset_open(m->options->data, &m->data));
        if (m->options->images) UN_TRY(unseen_dataset_use_images(m->data, m->options->images));
        if (un_samples_open(&m->samples, m->data))
            un_log(UNSEEN_LOG_WARNING, "no sample pictures: %s", un_error());
    }
    for (size_t i = 0; i < paths.count; i++) {
        un_served *s = NULL;
        if (is_to_end(m)) return un_fail(UNSEEN_E_INTERRUPTED, "stopped before all was loaded");
        UN_TRY(open_one(m, paths.items[i], &s));
        const int known = find(m, s->name) != NULL;
        m->paths[m->count] = paths.items[i];
        m->items[m->count++] = s;
        if (known)
            return un_fail(UNSEEN_E_ARGUMENT, "two of the models are called %s: rename one's file",
                           s->name);
    }
    return UNSEEN_OK;
}

un_status un_models_open(const un_serve_options *options, un_models **out) {
    un_models *m = calloc(1, sizeof *m);
    if (!m) return un_fail_memory(sizeof *m);
    m->options = options;
    pthread_mutex_init(&m->lock, NULL);
    un_status status = open_all(m);
    if (status)
        un_models_close(m);
    else
        *out = m;
    return status;
}

void un_models_close(un_models *m) {
    if (!m) return;
    for (size_t i = 0; i < m->count; i++) un_served_release(m->items[i]);
    un_samples_close(&m->samples);
    unseen_dataset_close(m->data);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

un_served *un_models_take(un_models *m, const char *name) {
    pthread_mutex_lock(&m->lock);
    un_served *s = find(m, name);
    if (s) atomic_fetch_add(&s->users, 1);
    pthread_mutex_unlock(&m->lock);
    return s;
}

un_suggestion un_models_suggest(un_models *m, const char *name) {
    const char *names[UN_MOST_MODELS];
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->count; i++) names[i] = m->items[i]->name;
    const un_suggestion suggestion = un_did_you_mean(name, names, m->count);
    pthread_mutex_unlock(&m->lock);
    return suggestion;
}

char *un_models_list(un_models *m) {
    json_t *all = json_object(), *rows = json_array();
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->count; i++) un_json_push(&rows, un_json_copy(m->items[i]->row));
    pthread_mutex_unlock(&m->lock);
    un_json_put(&all, "models", rows);
    un_json_put(&all, "version", json_string(unseen_version()));
    char *text = all ? un_json_dump(all, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    json_decref(all);
    return text;
}

void un_models_stop(un_models *m) { atomic_store(&m->stop, 1); }

void un_models_reload(un_models *m) {
    for (size_t i = 0; i < m->count && !is_to_end(m); i++) {
        un_served *fresh = NULL, *old = m->items[i];
        if (open_one(m, m->paths[i], &fresh)) {
            un_log(UNSEEN_LOG_ERROR, "%s stays as it was: %s", old->name, un_error());
            continue;
        }
        pthread_mutex_lock(&m->lock);
        m->items[i] = fresh;
        pthread_mutex_unlock(&m->lock);
        un_log(UNSEEN_LOG_INFO, "loaded %s anew", fresh->name);
        un_served_release(old);
    }
}
