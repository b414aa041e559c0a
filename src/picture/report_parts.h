/* report_parts.h - the sections of the page of report.h, each into a stream. */
#ifndef UN_PICTURE_REPORT_PARTS_H
#define UN_PICTURE_REPORT_PARTS_H

#include <stdio.h>

#include "picture/report.h"

/* Seen-unseen curve with the marks of the gammas that `result` reports, as SVG. */
void un_report_curve(FILE *out, const un_curve *curve, const json_t *result);
/* Lines with axes and a legend, as SVG. */
void un_report_lines(FILE *out, const un_report_plot *plot);
/* Numbers of all models side by side, those that differ in their seed as mean ± sd. */
void un_report_comparison(FILE *out, const un_report *report);
/* Whether attention points at the parts, for each group of models that was measured. */
void un_report_localisation(FILE *out, const un_report *report);
/* What a model that reads texts makes of them; nothing for others. */
void un_report_grounding(FILE *out, const json_t *result);
/* A text of an object, "?" if there is none. */
const char *un_report_text(const json_t *object, const char *key);
/* A cell with a fraction as percent; "–" if it is no number. */
void un_report_percent(FILE *out, const json_t *value);
/* A bar for each class, unseen ones first. */
void un_report_classes(FILE *out, const json_t *classes);
void un_report_pairs(FILE *out, const un_report_model *model);
void un_report_gallery(FILE *out, const un_report_model *model, int right);

#endif
