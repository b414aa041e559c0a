/* report_api.c - the public interface (unseen.h): the page about models. */
#include <stdlib.h>

#include "engine/handles.h"
#include "engine/report.h"

static const unseen_report_options g_options = {.size = sizeof g_options};

void unseen_report_options_init(unseen_report_options *options, size_t size) {
    un_options_init(options, size, &g_options, sizeof g_options);
}

unseen_status unseen_report(const unseen_dataset *data, const unseen_model *const *models, size_t n,
                            const unseen_report_options *options, const char *path, size_t *bytes) {
    UN_LOCALE_C;
    unseen_report_options o = g_options;
    const un_classifier **classifiers = NULL;
    size_t size = 0;
    un_watch watch;
    if (!data || !models || !path)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_report: a pointer is NULL");
    UN_TRY(un_options_take(options, "unseen_report_options", &o, sizeof o));
    if (n == 0) return un_fail(UNSEEN_E_ARGUMENT, "a report is about one model at least");
    if (o.log_count > n || (o.log_count > 0 && !o.logs))
        return un_fail(UNSEEN_E_ARGUMENT, "there are %zu logs of %zu models", o.log_count, n);
    UN_TRY(un_alloc(n, sizeof *classifiers, &classifiers));
    un_watch_begin(&watch, o.progress, o.user);
    const un_report_options given = {.dataset = &data->data,
                                     .models = classifiers,
                                     .model_count = n,
                                     .logs = o.logs,
                                     .log_count = o.log_count,
                                     .features = o.features,
                                     .gamma = o.gamma};
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < n && !status; i++) {
        if (!models[i]) status = un_fail(UNSEEN_E_ARGUMENT, "unseen_report: model %zu is NULL", i);
        if (!status) classifiers[i] = &models[i]->classifier;
    }
    if (!status) status = un_report_make(&given, path, &size);
    if (!status && bytes) *bytes = size;
    un_watch_end(&watch);
    free(classifiers);
    return status;
}
