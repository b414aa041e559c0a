/*
 * report_pictures.h - the confused pairs and the pictures of one model in a report, with attention
 * from the stored features.
 */
#ifndef UN_ENGINE_REPORT_PICTURES_H
#define UN_ENGINE_REPORT_PICTURES_H

#include "engine/evaluation.h"
#include "picture/report.h"

/* Pictures of one model's part of the report. Everything comes from the arena but the bytes of
 * the images, which are released by un_report_images_free. */
typedef struct {
    const un_dataset *dataset;
    const un_evaluation *evaluation;
    un_arena *arena;
    size_t budget;          /* bytes of images that may still be made */
    size_t each;            /* right pictures, and wrong ones; pairs */
    size_t unreadable;      /* pictures that were not */
    un_report_model *model; /* pairs and pictures are filled in */
} report_pictures;

/* Sets model->pairs, ->pictures and ->note. */
un_status un_report_add_pictures(report_pictures *pictures);
void un_report_images_free(un_report_model *model);

#endif
