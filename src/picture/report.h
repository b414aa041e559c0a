/*
 * report.h - one HTML page about one or several models on a data set. The page needs
 * nothing else: no network, no script, no other file; a content security policy in it
 * says so. It is readable on a phone, in the dark, and by a reader of tables.
 *
 * This room only writes what it is given; engine/report.h gathers it.
 */
#ifndef UN_PICTURE_REPORT_H
#define UN_PICTURE_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "base/json.h"
#include "protocol/metrics.h"

enum { UN_REPORT_IMAGES = 3 };

/* A JPEG file in memory; size 0: none. */
typedef struct {
    unsigned char *bytes;
    size_t size;
} un_report_image;

/* A test picture, right or wrong. */
typedef struct {
    const char *truth, *predicted;
    int right, truth_seen;
    un_report_image image[UN_REPORT_IMAGES]; /* what the network saw; maps over it, by branch */
    const char *attribute;                   /* of the maps; NULL: there are none */
    int attributes_against;                  /* none of them speaks for `predicted` */
} un_report_picture;

/* Pictures of one class taken for another. */
typedef struct {
    const char *truth, *predicted;
    int truth_seen, predicted_seen;
    size_t count, of;                /* wrong so, and test pictures of the class */
    un_report_image sample, example; /* one of those pictures, and one of the predicted class */
} un_report_pair;

/* Lines over epochs. */
typedef struct {
    const char *name;
    size_t count;
    double *x, *y; /* [count]; NaN in y leaves a gap */
} un_report_series;
typedef struct {
    const char *title;
    int percent; /* y is a fraction, shown as percent from 0 */
    const un_report_series *series;
    size_t count;
} un_report_plot;

typedef struct {
    const char *name;
    /* un_result_json, and where they were measured "localisation" (protocol/localisation.h),
     * "recovery" {"seen", "unseen"} and "group_attention" {"images", "of", "groups"} */
    const json_t *result;
    const json_t *manifest; /* of the model */
    const un_curve *curve;
    const un_report_pair *pairs;
    const un_report_picture *pictures; /* the right ones first */
    const un_report_plot *plots;
    size_t pair_count, picture_count, plot_count;
    const char *note;            /* why there are no pictures; NULL: there are */
    const char *const *branches; /* [branch_count] what its maps show; NULL: nothing is known */
    size_t branch_count;
} un_report_model;

/* Models that differ in their seed only; most groups have one. */
typedef struct {
    const char *method, *features;
    const size_t *models; /* [count] numbers of its models, ascending */
    size_t count;
    const json_t *summary;      /* un_result_summary; NULL: a single run */
    const json_t *localisation; /* of the model, or un_localisation_summary; NULL: not measured */
} un_report_group;

typedef struct {
    const char *dataset, *split; /* name; hash or known name */
    const un_report_model *models;
    size_t count;
    const un_report_group *groups; /* every model is in one */
    size_t group_count;
} un_report;

/* The page as text, released with free(). */
un_status un_report_html(const un_report *report, char **out, size_t *size);

/* ---- private to the room: the sections of the page, each into a stream ---- */

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

/* ---- private, too: writing HTML into a stream, text that cannot become markup and pictures inside
 * the page. A stream that is out of memory says so when it is closed. ---- */

/* Text as content or as a quoted attribute: < > & " ' are escaped, control characters but for
 * line ends and tabs left out, what is not UTF-8 shown as U+FFFD. NULL writes nothing. */
void un_html_text(FILE *out, const char *text);
/* The bytes in base64 (RFC 4648, padded). */
void un_html_base64(FILE *out, const void *bytes, size_t n);

#endif
