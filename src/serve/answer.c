/* answer.c - what a model says to a job; see answer.h. */
#include "serve/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

/* ---- jobs ---- */

void un_job_free(un_job *job) {
    if (!job) return;
    for (size_t i = 0; job->decoded && i < job->question.picture_count; i++)
        free(job->decoded[i].rgb);
    un_question_free(&job->question);
    un_served_release(job->served);
    json_decref(job->answer);
    free(job->content_type);
    free(job->decoded);
    free(job->rows);
    free(job->body);
    free(job->text);
    free(job);
}

json_t *un_error_json(int status, const char *message) {
    json_t *error = json_object(), *out = json_object();
    json_t *text = json_string(message);
    un_json_put(&error, "status", json_integer(status));
    un_json_put(&error, "message", text ? text : json_string("no more can be said"));
    un_json_put(&out, "error", error);
    return out;
}

char *un_answer_text(const json_t *value) {
    return value ? un_json_dump(value, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9))
                 : NULL;
}

int un_picture_status(const un_decoded *d) {
    if (d->busy) return 503;
    return d->too_large ? 413 : un_http_status(d->status);
}

void un_job_fail(un_job *job, int status) {
    json_decref(job->answer);
    job->answer = un_error_json(status, un_error());
    job->status = status;
}

/* A failure of the model: what it was asked for is wrong, or it is not the client's fault. */
static int model_status(un_status status) {
    return status == UNSEEN_E_ARGUMENT || status == UNSEEN_E_UNSUPPORTED ? 422 : 500;
}

/* ---- classes of one's own ---- */

/* The model that is asked: the served one, or a copy that knows the job's classes. */
typedef struct {
    unseen_model *model;
    unseen_model *copy; /* NULL: none */
} asked;

static un_status ask(const un_job *job, asked *out) {
    const un_question *q = &job->question;
    *out = (asked){.model = job->served->model};
    if (q->class_count == 0) return UNSEEN_OK;
    UN_TRY(unseen_model_clone(out->model, &out->copy));
    out->model = out->copy;
    unseen_description *classes = NULL;
    UN_TRY(un_alloc(q->class_count, sizeof *classes, &classes));
    for (size_t i = 0; i < q->class_count; i++) {
        const un_own_class *c = &q->classes[i];
        classes[i] =
            (unseen_description){c->name, (const char *const *)c->attributes, c->values, c->count};
    }
    un_status status = unseen_model_add_classes(out->copy, classes, q->class_count);
    free(classes);
    return status;
}

static int is_own(const un_question *q, const char *label) {
    for (size_t i = 0; i < q->class_count; i++)
        if (!strcmp(q->classes[i].name, label)) return 1;
    return 0;
}

/* [{"name", "nearest": {"label", "similarity"}}] */
static json_t *own_classes_json(const un_job *job, const unseen_model *model) {
    const un_question *q = &job->question;
    json_t *out = json_array();
    for (size_t k = 0; k < unseen_model_class_count(model); k++) {
        const char *name = unseen_model_class_name(model, k);
        size_t nearest = 0;
        float similarity = 0;
        if (!is_own(q, name)) continue;
        json_t *class = json_object(), *near = json_null();
        if (!unseen_model_nearest_class(model, k, &nearest, &similarity)) {
            near = json_object();
            un_json_put(&near, "label", json_string(unseen_model_class_name(model, nearest)));
            un_json_put(&near, "similarity", un_json_number((double)similarity));
        }
        un_json_put(&class, "name", json_string(name));
        un_json_put(&class, "nearest", near);
        un_json_push(&out, class);
    }
    return out;
}

/* ---- predictions ---- */

/* `gamma` is what was taken from the scores of seen classes. */
static json_t *prediction_json(const un_job *job, const unseen_prediction *p, double gamma) {
    const un_served *s = job->served;
    const double native = (double)p->score + (p->seen ? gamma : 0);
    json_t *out = json_object();
    un_json_put(&out, "label", json_string(p->label));
    un_json_put(&out, "score", un_json_number((double)p->score));
    if (s->probabilities) un_json_put(&out, "probability", un_json_number(native));
    un_json_put(&out, "seen", json_boolean(p->seen));
    if (is_own(&job->question, p->label) ||
        (p->class_index < s->class_count && s->is_new[p->class_index]))
        un_json_put(&out, "new", json_true());
    return out;
}

/* What became of picture i, which has no row. */
static json_t *bad_picture_json(const un_job *job, size_t i) {
    const un_decoded *d = &job->decoded[i];
    return un_error_json(un_picture_status(d), d->message);
}

/* The candidates of several jobs that ask the same model in the same way. */
typedef struct {
    size_t top;
    double gamma;
    unseen_prediction *best; /* [rows, top] */
    unseen_answer *answers;  /* [rows] */
} ranking;

static void ranking_free(ranking *r) {
    free(r->best);
    free(r->answers);
}

/* One call for all rows: methods prepare much for each. */
static un_status rank(unseen_model *model, un_job *const *jobs, size_t count, ranking *out) {
    const un_question *q = &jobs[0]->question;
    const size_t C = unseen_model_class_count(model);
    unseen_picture *pictures = NULL;
    unseen_classify_options o;
    size_t rows = 0, n = 0;
    *out = (ranking){.top = q->top > 0 && q->top < C ? q->top : C};
    out->gamma = q->calibration == UNSEEN_CALIBRATED ? unseen_model_gamma(model) : 0;
    unseen_classify_options_init(&o, sizeof o);
    o.among = q->among;
    o.top = out->top;
    o.calibration = q->calibration;
    for (size_t j = 0; j < count; j++) rows += jobs[j]->question.picture_count;
    UN_TRY(un_alloc(rows + 1, sizeof *pictures, &pictures));
    for (size_t j = 0; j < count; j++)
        for (size_t i = 0; i < jobs[j]->question.picture_count; i++)
            if (jobs[j]->rows[i]) pictures[n++].features = jobs[j]->rows[i];
    un_status status = un_alloc(n * out->top + 1, sizeof *out->best, &out->best);
    if (!status) status = un_alloc(n + 1, sizeof *out->answers, &out->answers);
    if (!status && n > 0)
        status = unseen_model_classify(model, pictures, n, &o, out->best, out->answers);
    free(pictures);
    return status;
}

/* [[{...}, ...], ...] of a job whose rows are `r` from row *n on; NULL: no memory. */
static json_t *predictions_json(const un_job *job, const ranking *r, size_t *n) {
    json_t *out = json_array();
    for (size_t i = 0; i < job->question.picture_count; i++) {
        json_t *list = job->rows[i] ? json_array() : bad_picture_json(job, i);
        if (job->rows[i]) {
            for (size_t k = 0; k < r->answers[*n].count; k++)
                un_json_push(&list, prediction_json(job, &r->best[*n * r->top + k], r->gamma));
            (*n)++;
        }
        un_json_push(&out, list);
    }
    return out;
}

/* ---- explanations ---- */

/* The attributes that are shown, each once: those for the answer, those against it, those that were
 * found most strongly. */
static size_t list_shown(const json_t *shown, json_int_t *out, size_t most) {
    static const char *const lists[] = {"for", "against", "by_score"};
    size_t n = 0;
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) {
        const json_t *list = json_object_get(shown, lists[l]);
        for (size_t i = 0; i < json_array_size(list) && n < most; i++) {
            const json_int_t number = json_integer_value(json_array_get(list, i));
            size_t k = 0;
            while (k < n && out[k] != number) k++;
            if (k == n) out[n++] = number;
        }
    }
    return n;
}

/* Leaves those that are shown, and maps of the first `maps` of them. */
static json_t *shown_attributes(const json_t *explanation, size_t maps) {
    json_int_t shown[3 * UN_MOST_SHOWN];
    const size_t n = list_shown(json_object_get(explanation, "shown"), shown, 3 * UN_MOST_SHOWN);
    const json_t *all = json_object_get(explanation, "attributes");
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(all); i++) {
        json_t *attribute = json_array_get(all, i);
        const json_int_t number = json_integer_value(json_object_get(attribute, "number"));
        size_t k = 0;
        while (k < n && shown[k] != number) k++;
        if (k == n) continue;
        if (k >= maps && json_object_set_new(attribute, "maps", json_null())) {
            json_decref(out);
            return NULL;
        }
        un_json_push(&out, json_incref(attribute));
    }
    return out;
}

static un_status explain(const un_job *job, unseen_model *model, json_t **out) {
    const un_question *q = &job->question;
    unseen_picture picture = {.features = job->rows[0]};
    unseen_explanation *x = NULL;
    unseen_explain_options o;
    unseen_explain_options_init(&o, sizeof o);
    o.among = q->among;
    o.instead_of = q->instead_of;
    o.top = q->attributes;
    if (job->decoded) { /* where the network looked is told, too */
        const un_decoded *d = job->decoded;
        picture.rgb = d->rgb;
        picture.width = picture.height = d->crop.side;
        picture.stride = 3 * d->crop.side;
        picture.cropped = &d->crop;
    }
    UN_TRY(unseen_explain(model, &picture, &o, &x));
    const char *text = unseen_explanation_json(x);
    json_t *explanation = NULL;
    un_status status = un_json_parse(text, strlen(text), "the explanation", &explanation);
    unseen_explanation_close(x);
    UN_TRY(status);
    json_object_del(explanation, "image");
    UN_GO(un_json_set(explanation, "attributes", shown_attributes(explanation, q->maps)));
    *out = explanation;
    return UNSEEN_OK;
done:
    json_decref(explanation);
    return status;
}

static json_t *picture_json(const un_job *job) {
    if (!job->decoded) return json_null();
    json_t *out = json_object();
    un_json_put(&out, "width", json_integer((json_int_t)job->decoded->crop.picture_width));
    un_json_put(&out, "height", json_integer((json_int_t)job->decoded->crop.picture_height));
    return out;
}

/* ---- the answer ---- */

static un_status fill(un_job *job, unseen_model *model, json_t *predictions, json_t *answer) {
    json_t *explanation = NULL;
    un_status status = un_json_set(answer, "model", json_string(job->served->name));
    if (status) json_decref(predictions);
    if (!status) status = un_json_set(answer, "predictions", predictions);
    UN_TRY(status);
    if (job->question.class_count > 0)
        UN_TRY(un_json_set(answer, "classes", own_classes_json(job, model)));
    if (!job->question.explain) return UNSEEN_OK;
    UN_TRY(explain(job, model, &explanation));
    UN_TRY(un_json_set(answer, "explanation", explanation));
    return un_json_set(answer, "picture", picture_json(job));
}

static void finish(un_job *job, unseen_model *model, json_t *predictions) {
    json_t *answer = json_object();
    un_status status = UNSEEN_OK;
    if (answer) {
        status = fill(job, model, predictions, answer);
    } else {
        json_decref(predictions);
        status = un_fail_memory(0);
    }
    if (status) {
        json_decref(answer);
        un_job_fail(job, model_status(status));
        return;
    }
    job->status = 200;
    job->answer = answer;
}

/* Answers jobs that ask alike; of one that has classes of its own, alone. */
static void answer_group(un_job *const *jobs, size_t count) {
    asked a = {0};
    ranking r = {0};
    size_t n = 0;
    un_status status = ask(jobs[0], &a);
    if (!status) status = rank(a.model, jobs, count, &r);
    for (size_t j = 0; j < count; j++)
        if (status)
            un_job_fail(jobs[j], model_status(status));
        else
            finish(jobs[j], a.model, predictions_json(jobs[j], &r, &n));
    ranking_free(&r);
    unseen_model_close(a.copy);
}

static int ask_alike(const un_question *a, const un_question *b) {
    return a->class_count == 0 && b->class_count == 0 && a->top == b->top && a->among == b->among &&
           a->calibration == b->calibration;
}

void un_answer_make(un_job *const *jobs, size_t count, un_job **group) {
    for (size_t i = 0; i < count; i++) {
        size_t n = 0;
        if (jobs[i]->status) continue;
        group[n++] = jobs[i];
        for (size_t j = i + 1; j < count; j++)
            if (!jobs[j]->status && ask_alike(&jobs[i]->question, &jobs[j]->question))
                group[n++] = jobs[j];
        answer_group(group, n);
    }
}
