/*
 * report.h - one HTML page about one or several models on a data set. The page needs nothing else:
 * no network, no other file, and no script, though a few lines of one sort its table; a content
 * security policy in it says so. It is readable on a phone, in the dark, on paper, and by a reader
 * of tables; what matters first is first, the rest is folded.
 *
 * This room only writes what it is given; engine/report.h gathers it.
 */
#ifndef UN_PICTURE_REPORT_H
#define UN_PICTURE_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "base/json.h"
#include "picture/html.h"
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
    int right, truth_seen, predicted_seen;
    un_report_image image[UN_REPORT_IMAGES]; /* what the network saw; maps over it, by branch */
    const char *attribute;                   /* of the maps; NULL: there are none */
    int attributes_against;                  /* none of them speaks for `predicted` */
    const char *verdict;       /* what won where the attributes did not; NULL: they did, or the
                                  method has no scores of attributes */
    const char *without_gamma; /* the answer of the method's own scores; NULL: it is the same */
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
    const uint32_t
        *confusion; /* as un_confusion, [C, C], C classes in the result; NULL: not kept */
    size_t turned, turned_right, turned_wrong; /* answers that are others at gamma than without, of
                                                  them right at last and right before */
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
    size_t lead; /* the model that the page begins with, the first of its group */
    int by_fold; /* since it was best on validation folds; 0: since it was given first */
    int brief;   /* without confusion matrices, which may be large */
} un_report;

/* The page as text, released with free(). */
un_status un_report_html(const un_report *report, char **out, size_t *size);

/* AUSUC on the validation folds of a manifest; NaN if that was not what was selected by. */
double un_report_fold(const json_t *manifest);

/* ---- private to the room: facts about what is shown, report_facts.c ---- */

/* Classes that could be answered, and test pictures of them. */
typedef struct {
    size_t seen, unseen, seen_pictures, unseen_pictures;
} un_report_counts;
un_report_counts un_report_count(const json_t *result);
/* Test pictures of class number k. */
size_t un_report_pictures(const json_t *result, size_t k);
/* Numbers of all classes: unseen ones first, of each kind the least accurate first, those without
 * test pictures last; ties as in the result. Released with free(). */
un_status un_report_class_order(const json_t *result, size_t **out, size_t *count);
/* The number of the group that model i is in. */
size_t un_report_group_of(const un_report *report, size_t i);
/* What a model is called in a table: its file without ".model"; a group after its method. */
void un_report_name(FILE *out, const un_report_model *model);
void un_report_group_name(FILE *out, const un_report *report, size_t g);
/* A text of an object, "?" if there is none. */
const char *un_report_text(const json_t *object, const char *key);
/* "seen" or "unseen". */
const char *un_report_kind(int seen);
/* Whether picture i of the lead is shown at the top of the page: the first right one and the first
 * wrong one of unseen and of seen classes. */
int un_report_at_top(const un_report_model *model, size_t i);

/* ---- private, too: the sections of the page, each into a stream ---- */

/* Up to <body>, with policy and style. */
un_status un_report_head(FILE *out, const char *title);
void un_report_script(FILE *out);

/* Seen-unseen curve with the marks of the gammas that the model's result reports, as SVG. */
void un_report_curve(FILE *out, const un_report_model *model);
/* Those of all models in one. */
void un_report_curves(FILE *out, const un_report *report);
/* Lines with axes and a legend, as SVG. */
void un_report_lines(FILE *out, const un_report_plot *plot);
/* The confusion matrix, classes in the order given, of which the first `unseen` are. */
void un_report_matrix(FILE *out, const un_report_model *model, const size_t *order, size_t classes,
                      size_t unseen);

/* Numbers of all models side by side, those that differ in their seed as mean ± sd. */
void un_report_comparison(FILE *out, const un_report *report);
/* Accuracy of each class by each model. */
un_status un_report_classes(FILE *out, const un_report *report);
/* Which pictures of each class were taken for what. */
un_status un_report_confusion(FILE *out, const un_report_model *model);
/* Whether attention points at the parts, for each group of models that was measured. */
void un_report_localisation(FILE *out, const un_report *report);
/* What a model that reads texts makes of them; nothing for others. */
void un_report_grounding(FILE *out, const json_t *result);

/* Everything about model i. */
un_status un_report_section(FILE *out, const un_report *report, size_t i);
/* T1, U, S, H and AUSUC in large digits, with what chance would give. */
void un_report_numbers(FILE *out, const json_t *result);
/* What is to be seen in the pictures of a model, or why there are none. */
void un_report_about_pictures(FILE *out, const un_report_model *model);
/* The pictures of a model that are at the top of the page, or the others. */
void un_report_gallery(FILE *out, const un_report_model *model, int at_top);

#endif
