/* report.c - see report.h. */
#include "engine/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "data/split.h"
#include "engine/report_parts.h"

enum {
    LARGEST = 5 * 1024 * 1024,     /* the page */
    IMAGE_BYTES = 3 * 1024 * 1024, /* JPEG, which base64 makes a third larger */
    PICTURES = 12                  /* right, wrong, and pairs, of a single model */
};

/* A report in the making. */
typedef struct {
    const un_report_options *options;
    un_dataset dataset;
    un_report_model *models;
    un_curve *curves;
    json_t **manifests;
    json_t *results, *summary;
    size_t done; /* models that hold something */
    un_arena arena;
} maker;

/* Everything about one model; the evaluation ends with it. */
static un_status add_model(maker *m, size_t i) {
    const un_report_options *o = m->options;
    const un_evaluation_options options = {o->features, o->gamma, o->precision};
    un_report_model *model = &m->models[i];
    un_evaluation e;
    json_t *result = NULL;
    char *base = NULL, *name = NULL;
    size_t each = PICTURES / o->model_count;
    un_status status = UNSEEN_OK;
    m->done = i + 1;
    UN_TRY(un_evaluation_make(&e, &m->dataset, o->models[i], &options));
    report_pictures pictures = {.dataset = &m->dataset,
                                .evaluation = &e,
                                .arena = &m->arena,
                                .budget = IMAGE_BYTES / o->model_count,
                                .each = each < 2 ? 2 : each,
                                .model = model};
    UN_GO(un_path_base(o->models[i], &base));
    UN_GO(un_arena_string(&m->arena, base, &name));
    model->name = name;
    UN_GO(un_evaluation_json(&e, &result));
    UN_GO(un_json_append(m->results, json_incref(result)));
    model->result = result;
    m->manifests[i] = json_incref(e.model.manifest);
    model->manifest = m->manifests[i];
    UN_GO(un_curve_make(&m->curves[i], &e.predictions));
    model->curve = &m->curves[i];
    UN_GO(
        report_add_plots(e.model.manifest, i < o->log_count ? o->logs[i] : NULL, &m->arena, model));
    UN_GO(report_add_pictures(&pictures));
    if (pictures.unreadable > 0)
        un_log(UNSEEN_LOG_WARNING, "%zu pictures could not be read and are not shown",
               pictures.unreadable);
done:
    /* Class names in pairs and pictures are the data set's, which stays open. */
    json_decref(result);
    free(base);
    un_evaluation_close(&e);
    return status;
}

static un_status write_page(maker *m, const char *path, size_t *bytes) {
    const char *known = un_split_known_name(m->dataset.split_hash);
    const un_report report = {.dataset = m->dataset.name,
                              .split = known ? known : m->dataset.split_hash,
                              .models = m->models,
                              .count = m->options->model_count,
                              .summary = m->summary};
    char *text = NULL;
    UN_TRY(un_report_html(&report, &text, bytes));
    un_status status =
        *bytes > LARGEST
            ? un_fail(UNSEEN_E_UNSUPPORTED,
                      "the report would have %zu bytes, more than the %d it may have; give fewer "
                      "models",
                      *bytes, (int)LARGEST)
            : un_file_write(path, text, *bytes);
    free(text);
    return status;
}

static void release(maker *m) {
    for (size_t i = 0; i < m->done; i++) {
        report_images_free(&m->models[i]);
        if (m->models[i].curve) un_curve_free(&m->curves[i]);
        json_decref(m->manifests[i]);
    }
    json_decref(m->results);
    json_decref(m->summary);
    un_arena_free(&m->arena);
    un_dataset_close(&m->dataset);
}

un_status un_report_make(const un_report_options *o, const char *path, size_t *bytes) {
    maker m = {.options = o, .results = json_array()};
    un_status status = UNSEEN_OK;
    size_t n = o->model_count;
    UN_TRY(un_dataset_open(&m.dataset, o->data));
    UN_GO(un_arena_alloc(&m.arena, n, sizeof *m.models, &m.models));
    UN_GO(un_arena_alloc(&m.arena, n, sizeof *m.curves, &m.curves));
    UN_GO(un_arena_alloc(&m.arena, n, sizeof(json_t *), &m.manifests));
    for (size_t i = 0; i < n; i++) UN_GO(add_model(&m, i));
    if (n > 1) UN_GO(un_result_summary(m.results, &m.summary));
    UN_GO(write_page(&m, path, bytes));
done:
    release(&m);
    return status;
}
