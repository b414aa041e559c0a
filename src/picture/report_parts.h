/* report_parts.h - the sections of the page of report.h, each into a stream. */
#ifndef UN_PICTURE_REPORT_PARTS_H
#define UN_PICTURE_REPORT_PARTS_H

#include <stdio.h>

#include "picture/report.h"

/* Seen-unseen curve with the marks of the gammas that `result` reports, as SVG. */
void un_report_curve(FILE *out, const un_curve *curve, const json_t *result);
/* Lines with axes and a legend, as SVG. */
void un_report_lines(FILE *out, const un_report_plot *plot);
/* A bar for each class, unseen ones first. */
void un_report_classes(FILE *out, const json_t *classes);
void un_report_pairs(FILE *out, const un_report_model *model);
void un_report_gallery(FILE *out, const un_report_model *model, int right);

#endif
