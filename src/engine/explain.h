/*
 * explain.h - why the model says what it says about one picture: which attributes it
 * found and where, and what each of them does for one class against another.
 *
 * Shapes: A attributes, C classes, R = h w regions, branches of attention.
 */
#ifndef UN_ENGINE_EXPLAIN_H
#define UN_ENGINE_EXPLAIN_H

#include "base/json.h"
#include "engine/classifier.h"

typedef struct {
    unseen_among among;     /* candidates for the answer */
    const char *instead_of; /* the class to compare with; NULL: the runner-up */
} un_explain_options;

/* Which of the two classes of an explanation. */
enum { UN_ANSWER, UN_OTHER };

/* How the scores of the two are made. */
typedef struct {
    const un_method_class *class;
    double gamma;         /* at which they are */
    const char *names[2]; /* of the classes */
    int seen[2];
} un_explain_model;
/* Of two classes of a table, whose names are borrowed. */
un_explain_model un_explain_model_of(const un_method_class *class, double gamma,
                                     const un_class_table *classes, size_t answer, size_t other);

/* An object of its own: nothing is borrowed of the classifier, whose classes may change. */
typedef struct {
    un_explain_model model;
    un_image crop;     /* what the network saw, before normalisation; empty if only features were
                          given */
    unseen_crop where; /* that lies in the picture */
    size_t attribute_count, grid_height, grid_width;
    char **attributes;         /* [A] names, "kg 17" for values without */
    int has_names;             /* whether any of them is the data set's own */
    float *described[2];       /* [A] the two classes' descriptions as given, fused semantics one
                            behind the other */
    double *mean;              /* [A] over all classes */
    size_t branches;           /* of attention: maps */
    size_t attribute_branches; /* of attribute scores: found */
    float *scores;             /* [C] calibrated */
    size_t answer, other;      /* the best candidate, and what it is compared with */
    float *found; /* [attribute_branches, A] attribute scores; NULL: the method has none */
    float *maps;  /* [branches, A, R] where they were read; NULL: none */
    /* gap = constant + sum of contribution, for methods with attribute scores; the gap is
     * score(answer) - score(other), of probabilities that of their logarithms before any gamma. For
     * other methods contribution[i] is what the answer's score loses if its attribute i is
     * described as the other class's is, and constant what is left. */
    float *contribution; /* [A] */
    float constant;
    double gap;
    un_group_attention groups; /* attention over groups of attributes; count 0: none */
    un_arena arena;
} un_explanation;

/* Fails with fewer than two candidates. Without a backbone the picture must have features. */
un_status un_explain(un_classifier *classifier, const unseen_picture *picture,
                     const un_explain_options *options, un_explanation *out);
void un_explanation_free(un_explanation *explanation);

/* What is shown of an explanation; numbers of attributes. */
typedef struct {
    size_t count;            /* of by_score, at most A */
    size_t *by_score;        /* [count]; NULL: the method has no attribute scores */
    size_t *by_contribution; /* [A], all of them by amount */
    size_t for_count, against_count, only_found_count;
    size_t *for_answer, *against; /* [for_count], [against_count], the largest amount first */
    size_t *only_found;           /* [only_found_count] of by_score, those in neither of the two */
    un_arena arena;
} un_explain_selection;

/* The score of attribute i, branches added up; the explanation must have scores. */
float un_explain_found(const un_explanation *explanation, size_t i);

un_status un_explain_select(const un_explanation *explanation, size_t top,
                            un_explain_selection *out);
void un_explain_selection_free(un_explain_selection *selection);
/* Whether the attribute `number` is in one of the lists that are shown. */
int un_explain_shown(const un_explain_selection *selection, size_t number);

/* The contributions to an explanation by a method with attribute scores, `method` of its model's
 * class, that has model, attribute_count, attribute_branches, scores, answer, other, found and room for
 * contribution [A]: fills those in, and gap and constant. */
void un_explain_add_up(const un_method *method, un_explanation *explanation);

/* On which side the attributes are, and what decides. */
typedef enum {
    UN_DECIDED_BY_ATTRIBUTES,
    UN_DECIDED_BY_CALIBRATION, /* gamma, taken from seen classes */
    UN_DECIDED_BY_BIAS,        /* what the method adds for some classes */
    UN_DECIDED_BY_INTERACTION, /* contributions are no sum: what attributes do together */
    UN_DECIDED_BY_CANDIDATES,  /* the other class scores higher, but was not asked for */
    UN_DECIDED_BY_NOTHING      /* the two score alike */
} un_decided_by;
typedef struct {
    double in_favour, against; /* sums of the positive and of the negative contributions */
    un_decided_by decided_by;
    char attributes[240], decides[240]; /* a sentence each; "" where the attributes decide */
} un_explain_verdict;
void un_explain_judge(const un_explanation *explanation, un_explain_verdict *out);

/* The constant of the explanation; 0 where it is no more than rounding: less than 1e-4 of the
 * scores, whose sums over attributes are in bf16 or f32. */
double un_explain_constant(const un_explanation *explanation);

/* ---- an explanation as a folder of pictures and numbers:
 *
 *     explanation.json     everything as numbers, the raw maps of the attributes shown
 *     sheet.png            what the network saw and where it read each attribute shown
 *     contributions.png    what each attribute did for the answer against the other class
 *     groups.png           attention on groups of attributes, of methods that read texts
 *     crop.png             what the network saw
 *     maps/<rank>-<attribute>-branch<b>.png   the maps one by one
 *
 * Three lists of attributes are shown, each attribute once in the sheet: the `top` that were found most strongly in the picture (the
 * highest scores, branches added up), the `top` that speak for the answer (the largest positive
 * contributions), and the `top` that speak against it, for the other class (the largest negative
 * ones). A method without attribute scores has the latter two only, one without attention no maps;
 * the JSON and the sheet say so. Where all attributes together speak against the answer, both say
 * what decided then.
 *
 * Keys of the JSON: image, method, score_unit (of the method's own scores), calibration (what was
 * done to them, in words, or null), answer and instead_of {label, score, seen},
 * crop {x, y, width, height} in pixels of the picture, or null, grid [h, w], branches, contribution_kind
 * ("sum": score(answer) - score(other) = constant + sum of contributions; "log": the same of the
 * logarithms of probabilities before any gamma; "exchange": what the
 * answer's score loses if it is described as the other class in this attribute), constant,
 * attributes_for and attributes_against (the sums of the positive and of the negative
 * contributions), decided_by ("attributes", or what decides where they speak against the answer:
 * "calibration", "bias", "interaction", "candidates"; "nothing" if no two sides differ) and verdict
 * (the same as a sentence, null where the attributes decide), note, shown {by_score,
 * by_contribution (by amount), for, against} (numbers of attributes), branch_titles, groups [{name,
 * share, even}] (how the picture divides its attention over groups of attributes, and what no
 * preference would give, or null), attributes [{number, name, contribution, answer_value,
 * other_value, mean_value: of the class descriptions; score: a list over branches, or null; maps:
 * [branches][h][w], or null}], the largest contribution first. ---- */

/* Makes the folder DIRECTORY/NAME, whole or not at all; an explanation that is there already is
 * replaced, any other folder of that name is an error. DIRECTORY must exist. `note` may be NULL. */
un_status un_explain_write(const un_explanation *explanation, const char *image, const char *note,
                           size_t top, const char *directory, const char *name);

/* The JSON of that folder, a new reference. */
un_status un_explain_json(const un_explanation *explanation, const char *image, const char *note,
                          size_t top, json_t **out);
/* The sheet, or the contributions, as a PNG file in memory, released with free(). */
un_status un_explain_png(const un_explanation *explanation, const char *note, size_t top,
                         unseen_drawing drawing, char **bytes, size_t *size);

/* A file name made of a path or a name: the last component, letters, digits, "-", "_" and inner
 * dots kept, everything else "_", at most 80 bytes, never empty; `without_extension`: 1 drops what
 * follows its last dot. Released with free(). */
un_status un_safe_name(const char *text, int without_extension, char **out);

#endif
