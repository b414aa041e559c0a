/* explain_json.c - an explanation as JSON; see explain_files.h. */
#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "engine/explain_parts.h"
#include "engine/grounding.h"
#include "picture/canvas.h"

static json_t *class_json(const un_explanation *e, const un_classifier *c, size_t k) {
    return json_pack("{s:s, s:o, s:b}", "label", c->classes.names[k], "score",
                     un_json_number((double)e->scores[k]), "seen", (int)c->classes.seen[k]);
}

static json_t *numbers_json(const size_t *list, size_t n) {
    json_t *out = json_array();
    if (!list) n = 0;
    for (size_t i = 0; i < n; i++) un_json_push(&out, json_integer((json_int_t)list[i]));
    return out;
}

/* [branches][h][w] */
static json_t *maps_json(const un_explanation *e, size_t attribute) {
    size_t R = e->grid_height * e->grid_width;
    json_t *branches = json_array();
    for (size_t b = 0; b < e->branches; b++) {
        const float *map = e->maps + (b * e->attribute_count + attribute) * R;
        json_t *rows = json_array();
        for (size_t y = 0; y < e->grid_height; y++) {
            json_t *row = json_array();
            for (size_t x = 0; x < e->grid_width; x++)
                un_json_push(&row, un_json_number((double)map[y * e->grid_width + x]));
            un_json_push(&rows, row);
        }
        un_json_push(&branches, rows);
    }
    return branches;
}

static json_t *attribute_json(const un_explanation *e, const un_classifier *c, size_t i,
                              int with_maps) {
    const un_modality *m = &e->described;
    size_t A = e->attribute_count;
    json_t *scores = json_null();
    double mean = 0;
    for (size_t k = 0; k < c->classes.count; k++)
        mean += (double)m->values[k * A + i] / (double)c->classes.count;
    if (e->found) {
        scores = json_array();
        for (size_t b = 0; b < e->attribute_branches; b++)
            un_json_push(&scores, un_json_number((double)e->found[b * A + i]));
    }
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "number", (json_int_t)i, "name",
                     m->attributes ? json_string(m->attributes[i]) : json_null(), "contribution",
                     un_json_number((double)e->contribution[i]), "score", scores, "answer_value",
                     un_json_number((double)m->values[e->answer * A + i]), "other_value",
                     un_json_number((double)m->values[e->other * A + i]), "mean_value",
                     un_json_number(mean), "maps",
                     e->maps && with_maps ? maps_json(e, i) : json_null());
}

static un_status add_verdict(json_t *out, const un_explanation *e, const un_classifier *c) {
    un_explain_verdict v;
    un_explain_judge(e, c, &v);
    UN_TRY(un_json_set(out, "attributes_for", un_json_number(v.in_favour)));
    UN_TRY(un_json_set(out, "attributes_against", un_json_number(v.against)));
    UN_TRY(un_json_set(out, "decided_by", json_string(un_decided_by_name(v.decided_by))));
    return un_json_set(out, "verdict",
                       v.decided_by == UN_DECIDED_BY_ATTRIBUTES
                           ? json_null()
                           : json_sprintf("%s: %s", v.attributes, v.decides));
}

static un_status fill(json_t *out, const un_explanation *e, const un_classifier *c,
                      const char *note, const un_explain_choice *choice) {
    const un_method_class *class = c->model.method->class;
    int sum = class->attribute_scores != NULL;
    UN_TRY(un_json_set(out, "method", json_string(class->name)));
    char calibration[96];
    un_method_calibration_text(class, c->model.gamma, calibration, sizeof calibration);
    UN_TRY(un_json_set(out, "score_unit", json_string(class->score_unit)));
    UN_TRY(un_json_set(out, "calibration", *calibration ? json_string(calibration) : json_null()));
    UN_TRY(un_json_set(out, "answer", class_json(e, c, e->answer)));
    UN_TRY(un_json_set(out, "instead_of", class_json(e, c, e->other)));
    UN_TRY(un_json_set(out, "crop",
                       json_pack("{s:f, s:f, s:f, s:f}", "x", e->box.x, "y", e->box.y, "width",
                                 e->box.width, "height", e->box.height)));
    UN_TRY(un_json_set(out, "grid",
                       json_pack("[I, I]", (json_int_t)e->grid_height, (json_int_t)e->grid_width)));
    UN_TRY(un_json_set(out, "branches", json_integer((json_int_t)(e->maps ? e->branches : 0))));
    UN_TRY(un_json_set(out, "contribution_kind",
                       json_string(!sum                                        ? "exchange"
                                   : un_method_scores_are_probabilities(class) ? "log"
                                                                               : "sum")));
    UN_TRY(un_json_set(out, "constant", un_json_number((double)e->constant)));
    UN_TRY(add_verdict(out, e, c));
    UN_TRY(un_json_set(
        out, "note",
        note ? json_string(note)
             : (e->maps ? json_null() : json_string("this model has no attention maps"))));
    UN_TRY(un_json_set(out, "shown",
                       json_pack("{s:o, s:o, s:o, s:o}", "by_score",
                                 numbers_json(choice->by_score, choice->count), "by_contribution",
                                 numbers_json(choice->by_contribution, choice->count), "for",
                                 numbers_json(choice->for_answer, choice->for_count), "against",
                                 numbers_json(choice->against, choice->against_count))));
    UN_TRY(un_json_set(out, "branch_titles", un_attention_titles_json(class, e->maps != NULL)));
    UN_TRY(un_json_set(out, "groups",
                       e->groups.count > 0 ? un_group_attention_json(&e->groups) : json_null()));
    json_t *list = json_array();
    UN_TRY(un_json_set(out, "attributes", list));
    for (size_t k = 0; k < e->attribute_count; k++) {
        size_t i = choice->by_contribution[k];
        UN_TRY(un_json_append(list, attribute_json(e, c, i, un_explain_shown(choice, i))));
    }
    return UNSEEN_OK;
}

un_status un_explain_json(const un_explanation *e, const un_classifier *c, const char *image,
                          const char *note, const un_explain_choice *choice, json_t **out) {
    json_t *json = json_object();
    char *name = NULL;
    un_status status = un_utf8_repair(image, &name);
    if (!status) status = un_json_set(json, "image", json_string(name));
    if (!status) status = fill(json, e, c, note, choice);
    free(name);
    if (status)
        json_decref(json);
    else
        *out = json;
    return status;
}
