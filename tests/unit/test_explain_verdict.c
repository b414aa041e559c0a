/* test_explain_verdict.c - explanations whose attributes argue against the answer: which attributes
 * are shown on which side, and what is said to decide. */
#include <math.h>
#include <string.h>

#include "engine/explain.h"
#include "method/dem/dem.h"
#include "method/duet/duet.h"
#include "method/eszsl/eszsl.h"
#include "method/msdn/msdn.h"
#include "util.h"

enum { A = 4, SEEN = 0, UNSEEN = 1 };

/* The answer is the unseen class, compared with the seen one. */
typedef struct {
    un_explanation e;
    float contribution[A], scores[2], found[A];
} scene;

/* score(answer) - score(other) is what the contributions and `constant` add up to. */
static void make(scene *s, const un_method_class *class, double gamma, const float *contribution,
                 double constant) {
    *s = (scene){0};
    double sum = 0;
    for (size_t i = 0; i < A; i++) sum += (double)(s->contribution[i] = contribution[i]);
    s->scores[UNSEEN] = 1 + (float)(sum + constant);
    s->scores[SEEN] = 1;
    s->e = (un_explanation){.model = {.class = class,
                                      .gamma = gamma,
                                      .names = {[UN_ANSWER] = "zebra", [UN_OTHER] = "horse"},
                                      .seen = {[UN_ANSWER] = 0, [UN_OTHER] = 1}},
                            .attribute_count = A,
                            .scores = s->scores,
                            .answer = UNSEEN,
                            .other = SEEN,
                            .contribution = s->contribution,
                            .constant = (float)constant,
                            .gap = sum + constant,
                            .attribute_branches = class->attribute_scores ? 1 : 0,
                            .found = class->attribute_scores ? s->found : NULL};
}

static const float against[A] = {0.25F, -1, 0, -0.5F};

static void two_sides_are_told_apart(void **state) {
    (void)state;
    scene s;
    un_explain_selection selection;
    /* The strongest two by amount are both against the answer. */
    const float mixed[A] = {0.25F, -1, 0.125F, -0.5F};
    make(&s, &un_method_eszsl, 0, mixed, 2);
    util_ok(un_explain_select(&s.e, 1, &selection));
    assert_int_equal(selection.for_count, 1);
    assert_int_equal(selection.for_answer[0], 0);
    assert_int_equal(selection.against_count, 1);
    assert_int_equal(selection.against[0], 1);
    un_explain_selection_free(&selection);
    util_ok(un_explain_select(&s.e, 9, &selection));
    assert_int_equal(selection.for_count, 2);
    assert_int_equal(selection.for_answer[1], 2);
    assert_int_equal(selection.against_count, 2);
    assert_int_equal(selection.against[1], 3);
    un_explain_selection_free(&selection);
    /* One that does nothing is on no side. */
    make(&s, &un_method_eszsl, 0, against, 2);
    util_ok(un_explain_select(&s.e, 9, &selection));
    assert_int_equal(selection.for_count, 1);
    assert_int_equal(selection.against_count, 2);
    un_explain_selection_free(&selection);
}

/* What is found strongly is listed by itself only where neither side shows it. */
static void each_attribute_is_shown_once(void **state) {
    (void)state;
    scene s;
    un_explain_selection selection;
    make(&s, &un_method_eszsl, 0, against, 2);
    const float found[A] = {1, 2, 9, 0};
    memcpy(s.found, found, sizeof found);
    util_ok(un_explain_select(&s.e, 2, &selection));
    assert_int_equal(selection.by_score[0], 2);
    assert_int_equal(selection.by_score[1], 1); /* against the answer, too */
    assert_int_equal(selection.only_found_count, 1);
    assert_int_equal(selection.only_found[0], 2);
    for (size_t i = 0; i < A; i++) assert_true(un_explain_shown(&selection, i));
    un_explain_selection_free(&selection);
    util_ok(un_explain_select(&s.e, 1, &selection));
    assert_false(un_explain_shown(&selection, 3));
    un_explain_selection_free(&selection);
}

static void judged(scene *s, un_decided_by decided_by, const char *words) {
    un_explain_verdict v;
    un_explain_judge(&s->e, &v);
    assert_int_equal(v.decided_by, decided_by);
    util_near(v.in_favour, 0.25, 1e-12);
    util_near(v.against, -1.5, 1e-12);
    assert_non_null(strstr(v.attributes, "attributes speak for horse (-1.25)"));
    if (!strstr(v.decides, words)) fail_msg("\"%s\" without \"%s\"", v.decides, words);
}

static void what_decides_is_said(void **state) {
    (void)state;
    scene s;
    make(&s, &un_method_eszsl, 1.5, against, 1.5);
    judged(&s, UN_DECIDED_BY_CALIBRATION, "a bonus for unseen classes won it: gamma 1.5");
    make(&s, &un_method_msdn, 0, against, 2);
    judged(&s, UN_DECIDED_BY_BIAS, "a bonus for unseen classes won it: the method adds 2");
    make(&s, &un_method_msdn, 0.25, against, 2.25);
    judged(&s, UN_DECIDED_BY_BIAS, "with calibration");
    make(&s, &un_method_dem, 0, against, 2);
    judged(&s, UN_DECIDED_BY_INTERACTION, "together");
    make(&s, &un_method_eszsl, 0.5, against, 0.5); /* asked for among unseen classes only */
    judged(&s, UN_DECIDED_BY_CANDIDATES, "horse scores higher");

    /* Of probabilities the gap is one of logarithms before gamma. */
    make(&s, &un_method_duet, 0.75, against, 0);
    s.scores[UNSEEN] = 0.2F;
    s.scores[SEEN] = (float)(0.2 * exp(1.25) - 0.75);
    judged(&s, UN_DECIDED_BY_CALIBRATION, "gamma 0.75");

    /* Where attributes are for the answer, there is nothing to add. */
    const float agreeing[A] = {1, -0.5F, 0, 0};
    un_explain_verdict v;
    make(&s, &un_method_eszsl, 0.5, agreeing, 0.5);
    un_explain_judge(&s.e, &v);
    assert_int_equal(v.decided_by, UN_DECIDED_BY_ATTRIBUTES);
    assert_string_equal(v.attributes, "");
    assert_string_equal(v.decides, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_sides_are_told_apart),
                                       cmocka_unit_test(each_attribute_is_shown_once),
                                       cmocka_unit_test(what_decides_is_said)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
