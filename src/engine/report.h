/*
 * report.h - gathers what the report page (picture/report.h) shows: models evaluated on a
 * data set, confused pairs, pictures with their attention from the stored features,
 * learning curves from manifests and logs.
 */
#ifndef UN_ENGINE_REPORT_H
#define UN_ENGINE_REPORT_H

#include <signal.h>

#include "base/status.h"
#include "engine/evaluation.h"
#include "picture/report.h"

typedef struct {
    const un_dataset *dataset;
    const un_classifier *const *models;
    size_t model_count;      /* at least 1 */
    const char *const *logs; /* CSV logs of training, of the first models; NULL: none */
    size_t log_count;
    const char *features, *gamma; /* as un_evaluation_options */
} un_report_options;

/* Writes the page whole or not at all, at most 5 MiB: pictures are left out before it grows
 * larger. *bytes is its size. */
un_status un_report_make(const un_report_options *options, const char *path, size_t *bytes);

/* ---- what report.c and report_pictures.c share ---- */

/* Pictures of one model's part of the report. Everything comes from the arena but the bytes of
 * the images, which are released by un_report_images_free. */
typedef struct {
    const un_dataset *dataset;
    const un_evaluation *evaluation;
    un_arena *arena;
    size_t budget;     /* bytes of images that may still be made */
    size_t each;       /* right pictures, and wrong ones; pairs */
    size_t unreadable; /* pictures that were not */
    un_progress progress;
    un_report_model *model; /* pairs and pictures are filled in */
} report_pictures;

/* Sets model->confusion, ->turned, ->pairs, ->pictures and ->note. */
un_status un_report_add_pictures(report_pictures *pictures);
void un_report_images_free(un_report_model *model);

/* Learning curves of the manifest, and of the log unless that is NULL, into model->plots. */
un_status un_report_add_plots(const json_t *manifest, const char *log, un_arena *arena,
                              un_report_model *model);

#endif
