/*
 * test_eszsl.c - ESZSL against its definition in double, with systems solved by elimination and
 * in both orders (one unknown a feature, or one an image), and against numbers from numpy.
 */
#include <math.h>

#include "method/eszsl/eszsl.h"
#include "util.h"

enum { MAX = 80, IMAGES = 1300 };

static un_method *make_method(const util_scene *s, const char *const *sets) {
    json_t *config = util_config(&un_method_eszsl, sets);
    const un_method_setup setup = {.classes = &s->classes,
                                   .regions = s->features.regions,
                                   .width = s->features.width,
                                   .config = config,
                                   .data = s->data.train ? &s->data : NULL};
    un_method *method = NULL;
    util_ok(un_method_eszsl.create(&setup, &method));
    if (setup.data) util_ok(un_method_eszsl.prepare(method));
    json_decref(config);
    return method;
}

/* m (n, n) becomes its inverse: Gauss-Jordan with pivots from the diagonal, for positive m. */
static void invert(double *m, size_t n) {
    for (size_t p = 0; p < n; p++) {
        double pivot = m[p * n + p];
        m[p * n + p] = 1;
        for (size_t j = 0; j < n; j++) m[p * n + j] /= pivot;
        for (size_t i = 0; i < n; i++) {
            double factor = m[i * n + p];
            if (i == p) continue;
            m[i * n + p] = 0;
            for (size_t j = 0; j < n; j++) m[i * n + j] -= factor * m[p * n + j];
        }
    }
}

/* out (m, n) = op(a) op(b), stored (k, m) or (n, k) where transposed. */
static void multiply(size_t m, size_t n, size_t k, const double *a, int ta, const double *b, int tb,
                     double *out) {
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t p = 0; p < k; p++)
                sum += a[ta ? p * m + i : i * k + p] * b[tb ? j * k + p : p * n + j];
            out[i * n + j] = sum;
        }
}

/* The problem as the paper has it. */
typedef struct {
    size_t N, F, A, z;
    double *x; /* [N, F] as transformed */
    double *mean, *scale;
    double *y; /* [N, z] */
    double *s; /* [z, A] */
    double *v; /* [F, A] */
    double *t[4];
} problem;

static double *doubles(size_t count) {
    double *x = NULL;
    util_ok(un_alloc(count, sizeof *x, &x));
    return x;
}

static void unit(double *x, size_t n) {
    double square = 0;
    for (size_t i = 0; i < n; i++) square += x[i] * x[i];
    for (size_t i = 0; i < n; i++) x[i] /= sqrt(square);
}

/* Features of image i: mean over its regions, of unit length if wanted. */
static void represent(const util_scene *s, const eszsl *e, size_t i, double *x) {
    size_t R = s->features.regions, F = s->features.width;
    for (size_t j = 0; j < F; j++) {
        x[j] = 0;
        for (size_t r = 0; r < R; r++) x[j] += (double)s->rows[(i * R + r) * F + j] / (double)R;
    }
    if (e->settings.unit_features) unit(x, F);
}

static void describe(const eszsl *e, const float *row, double *s) {
    for (size_t i = 0; i < e->A; i++) s[i] = (double)row[i];
    if (e->settings.unit_classes) unit(s, e->A);
}

static void state_problem(problem *p, const util_scene *s, const eszsl *e) {
    size_t most = (IMAGES > MAX ? IMAGES : MAX) * (size_t)MAX;
    *p = (problem){.N = s->train.count, .F = e->F, .A = e->A};
    double **const arrays[] = {&p->x, &p->mean, &p->scale, &p->y,    &p->s,
                               &p->v, &p->t[0], &p->t[1],  &p->t[2], &p->t[3]};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) *arrays[i] = doubles(most);
    size_t column[MAX];
    for (size_t c = 0; c < s->classes.count; c++) {
        size_t images = 0;
        for (size_t i = 0; i < p->N; i++) images += (size_t)s->labels[s->train.items[i]] == c;
        column[c] = p->z;
        if (images == 0) continue;
        describe(e, s->classes.semantics[0].values + c * e->A, p->s + p->z * e->A);
        p->z++;
    }
    for (size_t i = 0; i < p->N; i++) {
        represent(s, e, (size_t)s->train.items[i], p->x + i * p->F);
        for (size_t c = 0; c < p->z; c++)
            p->y[i * p->z + c] = column[s->labels[s->train.items[i]]] == c ? 1 : -1;
    }
    for (size_t j = 0; j < p->F; j++) {
        double square = 0;
        p->scale[j] = 1;
        for (size_t i = 0; i < p->N; i++) p->mean[j] += p->x[i * p->F + j] / (double)p->N;
        if (e->settings.columns == ESZSL_RAW) p->mean[j] = 0;
        for (size_t i = 0; i < p->N; i++) {
            double *x = &p->x[i * p->F + j];
            *x -= p->mean[j];
            square += *x * *x / (double)p->N;
        }
        if (e->settings.columns == ESZSL_STANDARD)
            p->scale[j] = square > 1e-20 ? 1 / sqrt(square) : 0;
        for (size_t i = 0; i < p->N; i++) p->x[i * p->F + j] *= p->scale[j];
    }
}

static void free_problem(problem *p) {
    double *const arrays[] = {p->x, p->mean, p->scale, p->y,    p->s,
                              p->v, p->t[0], p->t[1],  p->t[2], p->t[3]};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
}

/* V by (X'X + gamma)^-1 X' or, `dual`, by X' (XX' + gamma)^-1, which is the same. */
static void solve_problem(problem *p, double gamma, double lambda, int dual) {
    double **t = p->t;
    size_t n = dual ? p->N : p->F;
    multiply(n, n, dual ? p->F : p->N, p->x, !dual, p->x, dual, t[0]);
    for (size_t i = 0; i < n; i++) t[0][i * n + i] += gamma;
    invert(t[0], n);
    if (dual) {
        multiply(p->N, p->z, p->N, t[0], 0, p->y, 0, t[1]);
        multiply(p->F, p->z, p->N, p->x, 1, t[1], 0, t[2]);
    } else {
        multiply(p->F, p->z, p->N, p->x, 1, p->y, 0, t[1]);
        multiply(p->F, p->z, p->F, t[0], 0, t[1], 0, t[2]);
    }
    multiply(p->F, p->A, p->z, t[2], 0, p->s, 0, t[3]);
    multiply(p->A, p->A, p->z, p->s, 1, p->s, 0, t[0]);
    for (size_t i = 0; i < p->A; i++) t[0][i * p->A + i] += lambda;
    invert(t[0], p->A);
    multiply(p->F, p->A, p->A, t[3], 0, t[0], 0, p->v);
}

static double problem_loss(const problem *p) {
    double sum = 0;
    multiply(p->N, p->A, p->F, p->x, 0, p->v, 0, p->t[0]);
    multiply(p->N, p->z, p->A, p->t[0], 0, p->s, 1, p->t[1]);
    for (size_t i = 0; i < p->N * p->z; i++) sum += (p->t[1][i] - p->y[i]) * (p->t[1][i] - p->y[i]);
    return sum / (double)(p->N * p->z);
}

/* Parameters against V of the problem; f32 keeps 2^-24 of each, the regions' mean in f32 costs
 * some more, which the condition of the systems (some hundreds here) magnifies. */
static void check_parameters(const problem *p, const eszsl *e) {
    const float *v = un_param_value(&e->base.params, e->v);
    const float *offset = un_param_value(&e->base.params, e->offset);
    double largest = 0;
    for (size_t i = 0; i < p->F * p->A; i++)
        largest = fmax(largest, fabs(p->v[i] * p->scale[i / p->A]));
    for (size_t i = 0; i < p->F * p->A; i++)
        util_near((double)v[i], p->v[i] * p->scale[i / p->A], 1e-5 * largest);
    for (size_t a = 0; a < p->A; a++) {
        double sum = 0;
        for (size_t j = 0; j < p->F; j++) sum -= p->mean[j] * p->scale[j] * p->v[j * p->A + a];
        util_near((double)offset[a], sum, 1e-5 * largest * (double)p->F);
    }
}

/* Scores, and the attribute scores that they are made of, of the first images. */
static void check_scores(un_method *method, const util_scene *s, const un_class_table *classes) {
    const eszsl *e = (const eszsl *)method;
    const float *v = un_param_value(&e->base.params, e->v);
    const float *offset = un_param_value(&e->base.params, e->offset);
    enum { N = 6 };
    size_t C = classes->count, size = s->features.regions * s->features.width;
    static float scores[N * MAX], one[MAX], part[MAX];
    util_ok(un_method_eszsl.set_classes(method, classes));
    util_ok(un_method_eszsl.score(method, s->rows, N, scores));
    const float *rows = un_method_eszsl.attribute_scores->class_rows(method);
    for (size_t i = 0; i < N; i++) {
        double x[MAX], row[MAX];
        represent(s, e, i, x);
        util_ok(un_method_eszsl.score(method, s->rows + i * size, 1, one));
        util_ok(un_method_eszsl.attribute_scores->score(method, s->rows + i * size, part));
        for (size_t c = 0; c < C; c++) {
            double sum = 0, magnitude = 0, from_parts = 0;
            describe(e, classes->semantics[0].values + c * e->A, row);
            for (size_t a = 0; a < e->A; a++) {
                double own = (double)offset[a];
                for (size_t j = 0; j < e->F; j++) {
                    own += x[j] * (double)v[j * e->A + a];
                    magnitude += fabs(row[a] * x[j] * (double)v[j * e->A + a]);
                }
                sum += row[a] * own;
                magnitude += fabs(row[a] * (double)offset[a]);
                from_parts += (double)rows[c * e->A + a] * (double)part[a];
            }
            util_near((double)scores[i * C + c], sum, 1e-6 * magnitude);
            util_near((double)one[c], sum, 1e-6 * magnitude);
            util_near(from_parts, sum, 1e-6 * magnitude);
        }
    }
}

typedef struct {
    size_t N, R, F, A;
    const char *sets[6];
} fit_case;

static void check_case(const fit_case *c) {
    util_scene s;
    problem p;
    double loss = 0;
    util_scene_make(&s, 9, c->N, c->R * c->F, 1, &c->A, 3);
    s.features.regions = c->R;
    s.features.width = c->F;
    for (size_t i = 0; i < c->N; i++) s.rows[i * c->R * c->F] = 0.75f; /* a constant column */
    for (size_t r = 1; r < c->R; r++)
        for (size_t i = 0; i < c->N; i++) s.rows[(i * c->R + r) * c->F] = 0.75f;
    un_method *method = make_method(&s, c->sets);
    const eszsl *e = (const eszsl *)method;
    state_problem(&p, &s, e);
    /* backwards, so that no point profits from an order */
    for (size_t point = un_method_eszsl.closed_form->points(method); point-- > 0;) {
        json_t *settings = un_method_eszsl.closed_form->settings(method, point);
        double gamma = json_real_value(json_object_get(settings, "gamma"));
        double lambda = json_real_value(json_object_get(settings, "lambda"));
        json_decref(settings);
        util_ok(un_method_eszsl.closed_form->fit(method, point, &loss));
        solve_problem(&p, gamma, lambda, 0);
        check_parameters(&p, e);
        util_near(loss, problem_loss(&p), 1e-5);
        if (p.N > MAX) continue;
        solve_problem(&p, gamma, lambda, 1);
        check_parameters(&p, e);
    }
    check_scores(method, &s, &s.classes);
    un_rng rng = un_rng_stream(8, "test", 1);
    un_class_table many = util_classes(&s.arena, 40, 1, &c->A, &rng), one = many;
    one.count = 1;
    check_scores(method, &s, &many);
    check_scores(method, &s, &one);
    /* what a model file gives back */
    s.data.train = NULL;
    un_method *loaded = make_method(&s, c->sets);
    memcpy(loaded->params.value, method->params.value, method->params.total * sizeof(float));
    check_scores(loaded, &s, &many);
    un_method_eszsl.destroy(loaded);
    un_method_eszsl.destroy(method);
    free_problem(&p);
    util_scene_free(&s);
}

/* Fewer images than features and more; several blocks; regions; each normalisation. */
static void fits_follow_the_definition(void **state) {
    (void)state;
    static const fit_case cases[] = {
        {45, 1, 13, 7, {"gamma=0.1,1,10", "lambda=0.1,1"}},
        {30, 1, 60, 5, {"gamma=0.1,10", "lambda=0.01"}},
        {60, 1, 13, 20, {"gamma=1", "lambda=0.1,10", "unit_classes=no"}},
        {45, 3, 17, 7, {"gamma=0.1", "lambda=1", "unit_features=yes"}},
        {40, 2, 33, 7, {"gamma=0.5,5", "lambda=1", "columns=center"}},
        {70, 1, 21, 7, {"gamma=0.5", "lambda=1", "columns=standard"}},
        {1300, 1, 9, 4, {"gamma=1", "lambda=1", "columns=standard", "unit_features=yes"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_case(&cases[i]);
}

/* V, offset and loss by numpy 1.24 (inv(X.T @ X + g I) @ X.T @ Y @ S.T @ inv(S @ S.T + l I), in
 * double) for the small integers below, gamma 0.5, lambda 2; the third class has no image. */
static void fits_agree_with_numpy(void **state) {
    (void)state;
    static float rows[] = {1, 0, 2, 0, 3, 1, 2, 1, 0, 1, 1, 1, 4, 0, 1, 0, 2, 2, 3, 1, 2};
    static int32_t labels[] = {0, 1, 3, 0, 3, 1, 1};
    static int64_t items[] = {0, 1, 2, 3, 4, 5, 6};
    static float att[] = {1, 0, 1, 2, 5, 5, 0, 1};
    static const struct {
        const char *columns;
        double values[9]; /* V, offset, loss */
    } cases[] = {
        {"columns=raw",
         {-0.13793725207356652, 0.01398405257042112, -0.09670633489602114, 0.09588492206595342,
          0.16732780382257478, -0.11660055295107583, 0, 0, 0.8428265230403205}},
        {"columns=center",
         {-0.1516228381900024, 0.15920398009950257, -0.11502013740819714, 0.2902155887230516,
          0.1505567401089789, 0.0613598673300166, 0.17614309405354192, -0.66074389954987,
          0.7697140213202406}},
        {"columns=standard",
         {-0.1412010026939352, 0.15103177838574242, -0.10529603485211224, 0.2833551708277927,
          0.16501073719190776, 0.06254491841402228, 0.13006895338900218, -0.6415850277988154,
          0.7725340079884817}},
    };
    util_scene s = {.classes = {.count = 4, .semantics_count = 1},
                    .rows = rows,
                    .features = {.image_count = 7,
                                 .regions = 1,
                                 .width = 3,
                                 .dtype = UN_F32,
                                 .data = (const unsigned char *)rows,
                                 .row_bytes = sizeof(float) * 3},
                    .labels = labels,
                    .train = {7, items}};
    s.classes.semantics[0] = (un_class_semantics){.name = "att", .width = 2, .values = att};
    s.data = (un_training_data){&s.features, labels, &s.train};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const char *sets[] = {"gamma=0.5",       "lambda=2",       "unit_features=no",
                              "unit_classes=no", cases[k].columns, NULL};
        double loss = 0;
        un_method *method = make_method(&s, sets);
        const eszsl *e = (const eszsl *)method;
        util_ok(un_method_eszsl.closed_form->fit(method, 0, &loss));
        for (size_t i = 0; i < 6; i++)
            util_near((double)un_param_value(&method->params, e->v)[i], cases[k].values[i], 1e-7);
        for (size_t i = 0; i < 2; i++)
            util_near((double)un_param_value(&method->params, e->offset)[i], cases[k].values[6 + i],
                      1e-7);
        util_near(loss, cases[k].values[8], 1e-12);
        un_method_eszsl.destroy(method);
    }
}

/* A fit depends on its point only, to the last bit: a resumed run must end like another. */
static void fits_forget_each_other(void **state) {
    (void)state;
    static const char *const sets[] = {"gamma=0.1,1,10", "lambda=0.1,1,10", NULL};
    const size_t A = 5;
    util_scene s;
    double losses[2];
    util_scene_make(&s, 9, 90, 40, 1, &A, 4);
    un_method *a = make_method(&s, sets), *b = make_method(&s, sets);
    assert_int_equal(un_method_eszsl.closed_form->points(a), 9);
    for (size_t point = 0; point < 9; point++)
        util_ok(un_method_eszsl.closed_form->fit(a, point, &losses[0]));
    util_ok(un_method_eszsl.closed_form->fit(a, 4, &losses[0]));
    util_ok(un_method_eszsl.closed_form->fit(b, 4, &losses[1]));
    assert_memory_equal(a->params.value, b->params.value, a->params.total * sizeof(float));
    assert_memory_equal(&losses[0], &losses[1], sizeof *losses);
    un_method_eszsl.destroy(a);
    un_method_eszsl.destroy(b);
    util_scene_free(&s);
}

/* Columns of V that are alike but for a ten-thousandth, and classes to which only that part matters:
 * scores are as exact as a product of x and V s in f32 is, whichever way they are made (three classes:
 * without a basis, 60: with one). */
static void scores_keep_what_cancels(void **state) {
    (void)state;
    enum { F = 24, A = 4, C = 60, N = 5 };
    static const char *const sets[] = {"unit_classes=no", "unit_features=no", "columns=raw", NULL};
    const size_t width = A;
    static float scores[N * C], att[C * A];
    util_scene s;
    util_scene_make(&s, 9, 20, F, 1, &width, 4);
    s.data.train = NULL;
    un_method *method = make_method(&s, sets);
    const eszsl *e = (const eszsl *)method;
    float *v = un_param_value(&method->params, e->v);
    un_rng rng = un_rng_stream(2, "cancels", 0);
    for (size_t j = 0; j < F; j++) {
        double large = 1e4 * un_rng_normal(&rng);
        for (size_t a = 0; a < A; a++)
            v[j * A + a] = (float)((a < 2 ? large : 0) + un_rng_normal(&rng));
    }
    for (size_t c = 0; c < C; c++) {
        att[c * A] = (float)un_rng_normal(&rng);
        att[c * A + 1] = -att[c * A];
        for (size_t a = 2; a < A; a++) att[c * A + a] = (float)un_rng_normal(&rng);
    }
    un_class_table table = s.classes;
    table.semantics[0].values = att;
    for (table.count = 3; table.count <= C; table.count += C - 3) {
        util_ok(un_method_eszsl.set_classes(method, &table));
        assert_int_equal(e->basis != NULL, table.count == C);
        util_ok(un_method_eszsl.score(method, s.rows, N, scores));
        for (size_t i = 0; i < N; i++)
            for (size_t c = 0; c < table.count; c++) {
                double sum = 0, x2 = 0, p2 = 0;
                for (size_t j = 0; j < F; j++) {
                    double x = (double)s.rows[i * F + j], p = 0;
                    for (size_t a = 0; a < A; a++)
                        p += (double)v[j * A + a] * (double)att[c * A + a];
                    sum += x * p;
                    x2 += x * x;
                    p2 += p * p;
                }
                util_near((double)scores[i * table.count + c], sum,
                          (F + 2 * A) * 0x1p-24 * sqrt(x2 * p2));
            }
    }
    un_method_eszsl.destroy(method);
    util_scene_free(&s);
}

static void mistakes_fail_with_a_sentence(void **state) {
    (void)state;
    const size_t A[] = {5, 4};
    float scores[MAX];
    double loss = 0;
    util_scene s;
    util_scene_make(&s, 9, 20, 40, 1, A, 4);
    /* 17 images of 40 features around 1e9: X'X is singular and its rounding far above gamma */
    for (size_t i = 0; i < (size_t)20 * 40; i++) s.rows[i] *= 1e9f;
    static const char *const sets[] = {"gamma=1e-9", "lambda=1", "unit_features=no", "columns=raw",
                                       NULL};
    un_method *method = make_method(&s, sets);
    util_fails(un_method_eszsl.closed_form->fit(method, 0, &loss), UNSEEN_E_ARGUMENT,
               "gamma 1e-09");
    util_fails(un_method_eszsl.score(method, s.rows, 1, scores), UNSEEN_E_ARGUMENT, "no classes");
    un_class_table wrong = s.classes;
    wrong.semantics[0].width--;
    util_fails(un_method_eszsl.set_classes(method, &wrong), UNSEEN_E_ARGUMENT, "of 5 values");
    un_method_eszsl.destroy(method);
    util_scene_free(&s);
    util_scene_make(&s, 9, 20, 6, 2, A, 4);
    json_t *config = util_config(&un_method_eszsl, NULL);
    const un_method_setup setup = {
        .classes = &s.classes, .regions = 1, .width = 6, .config = config, .data = &s.data};
    util_fails(un_method_eszsl.create(&setup, &method), UNSEEN_E_ARGUMENT, "one semantics, not 2");
    util_fails(un_config_set(&un_method_eszsl, config, "epochs=3"), UNSEEN_E_ARGUMENT,
               "no setting \"epochs\"");
    util_fails(un_config_set(&un_method_eszsl, config, "gamma=0"), UNSEEN_E_ARGUMENT, "gamma");
    json_decref(config);
    util_scene_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fits_follow_the_definition),    cmocka_unit_test(fits_agree_with_numpy),
        cmocka_unit_test(fits_forget_each_other),        cmocka_unit_test(scores_keep_what_cancels),
        cmocka_unit_test(mistakes_fail_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
