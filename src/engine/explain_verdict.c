/* explain_verdict.c - on which side the attributes of an explanation are, and what decides where
 * they speak against the answer; see explain_files.h. */
#include <math.h>
#include <stdio.h>

#include "engine/explain_parts.h"

const char *un_decided_by_name(un_decided_by decided_by) {
    static const char *const names[] = {[UN_DECIDED_BY_ATTRIBUTES] = "attributes",
                                        [UN_DECIDED_BY_CALIBRATION] = "calibration",
                                        [UN_DECIDED_BY_BIAS] = "bias",
                                        [UN_DECIDED_BY_INTERACTION] = "interaction",
                                        [UN_DECIDED_BY_CANDIDATES] = "candidates",
                                        [UN_DECIDED_BY_NOTHING] = "nothing"};
    return names[decided_by];
}

/* What else than attributes is on the answer's side, each in the unit of scores. */
typedef struct {
    double calibration; /* gamma, if it is taken from one of the two only */
    double rest;        /* of the constant: a bias, or what attributes do together */
} remainder_of;

static remainder_of remainder_parts(const un_explanation *e, const un_classifier *c) {
    const unsigned char *seen = c->classes.seen;
    remainder_of r = {.calibration = c->model.gamma * (seen[e->other] - seen[e->answer])};
    /* Logarithms are of probabilities before any gamma. */
    int log_scale = e->found && un_method_scores_are_probabilities(c->model.method->class);
    double rest = un_explain_constant(e) - (log_scale ? 0 : r.calibration);
    r.rest = fabs(rest) > 1e-4 * fmax(fabs(e->gap), fabs(r.calibration)) ? rest : 0;
    return r;
}

/* What decides, and the sentence about it. */
static void say_what_decides(const un_explanation *e, const un_classifier *c,
                             un_explain_verdict *v) {
    const char *answer = c->classes.names[e->answer], *other = c->classes.names[e->other];
    size_t size = sizeof v->decides;
    remainder_of r = remainder_parts(e, c);
    if (e->scores[e->answer] < e->scores[e->other]) {
        v->decided_by = UN_DECIDED_BY_CANDIDATES;
        snprintf(v->decides, size, "%.80s scores higher, but is not among the classes asked for",
                 other);
    } else if (r.calibration <= 0 && r.rest <= 0) {
        v->decided_by = UN_DECIDED_BY_NOTHING;
        snprintf(v->decides, size, "the two score alike, and %.80s comes first", answer);
    } else if (r.calibration >= r.rest) {
        v->decided_by = UN_DECIDED_BY_CALIBRATION;
        snprintf(v->decides, size,
                 "calibration decides: gamma %.4g is taken from the scores of seen classes",
                 c->model.gamma);
    } else if (e->found) {
        v->decided_by = UN_DECIDED_BY_BIAS;
        snprintf(v->decides, size,
                 "the method's bias decides, which adds %.4g for unseen classes%s", r.rest,
                 r.calibration > 0 ? ", with calibration" : "");
    } else {
        v->decided_by = UN_DECIDED_BY_INTERACTION;
        snprintf(v->decides, size, "what they do together decides, %+.4g%s", r.rest,
                 r.calibration > 0 ? ", with calibration" : "");
    }
}

void un_explain_judge(const un_explanation *e, const un_classifier *c, un_explain_verdict *out) {
    *out = (un_explain_verdict){.decided_by = UN_DECIDED_BY_ATTRIBUTES};
    for (size_t i = 0; i < e->attribute_count; i++) {
        double x = (double)e->contribution[i];
        *(x > 0 ? &out->in_favour : &out->against) += x;
    }
    double sum = out->in_favour + out->against;
    if (sum > 0) return;
    if (sum < 0)
        snprintf(out->attributes, sizeof out->attributes, "%s attributes speak for %.80s (%+.3g)",
                 e->found ? "The" : "One by one the", c->classes.names[e->other], sum);
    else
        snprintf(out->attributes, sizeof out->attributes,
                 "The attributes speak for neither of the two");
    say_what_decides(e, c, out);
}
