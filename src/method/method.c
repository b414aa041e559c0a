/* method.c - questions to any method. See method.h. */
#include "method/method.h"

#include <stdio.h>

int un_method_takes(const un_method_class *class, const json_t *config, un_features_kind kind) {
    return class->takes ? class->takes(config, kind) : kind == class->input;
}

void un_method_grid(const un_method *method, size_t *height, size_t *width) {
    const un_method_maps *maps = method->class->maps;
    if (maps && maps->grid) maps->grid(method, height, width);
}

un_status un_method_check_classes(const un_class_table *classes, size_t count,
                                  const size_t *width) {
    if (classes->semantics_count != count)
        return un_fail(UNSEEN_E_ARGUMENT, "the model needs %zu semantics, the classes have %zu",
                       count, classes->semantics_count);
    for (size_t m = 0; m < count; m++)
        if (classes->semantics[m].width != width[m])
            return un_fail(UNSEEN_E_ARGUMENT,
                           "semantics \"%s\" has %zu values a class, the model was trained on %zu",
                           classes->semantics[m].name, classes->semantics[m].width, width[m]);
    return UNSEEN_OK;
}

un_status un_method_prepare(un_method *method) {
    return method->class->prepare ? method->class->prepare(method) : UNSEEN_OK;
}

size_t un_method_map_branches(const un_method_class *class) {
    return class->maps ? class->maps->branches : 0;
}

const char *const *un_method_map_titles(const un_method_class *class) {
    return class->maps ? class->maps->titles : NULL;
}

int un_method_has_fixed_length(const un_method_class *class) {
    return class->learner && class->learner->fixed_length;
}

int un_method_scores_are_probabilities(const un_method_class *class) {
    return class->attribute_scores && class->attribute_scores->scores_are_probabilities;
}

void un_method_calibration_text(const un_method_class *class, double gamma, char *out,
                                size_t size) {
    out[0] = 0;
    if (gamma != 0)
        snprintf(out, size, "less gamma %.4g for seen classes%s", gamma,
                 un_method_scores_are_probabilities(class) ? ": no probability then" : "");
}

void un_method_score_unit(const un_method_class *class, double gamma, char *out, size_t size) {
    char calibration[96];
    un_method_calibration_text(class, gamma, calibration, sizeof calibration);
    snprintf(out, size, "%s%s%s", class->score_unit, *calibration ? ", " : "", calibration);
}

size_t un_method_loss_count(const un_method_class *class) {
    size_t n = 0;
    while (class->losses[n]) n++;
    return n;
}
