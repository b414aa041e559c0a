/*
 * test_dedn.c - DEDN against its definition, in double precision and written out attribute by
 * attribute as in the paper, sharing no code with the library: both paths of both experts, losses,
 * gradients (by central differences of the definition), for every switch and with a bottleneck;
 * then scores and what they are made of, maps, bf16, and settings that are refused.
 */
#include <math.h>

#include "dedn_sample.h"

enum { ROW = 64, PARAMETERS = 2048, INPUTS = 4096, PSIS = 1024, SCORES = 512 };

/* The network on one batch, in double. */
typedef struct {
    const dedn *n;
    size_t A, E, F, R, B, K;
    double value[PARAMETERS], slope[PARAMETERS];
    double x[INPUTS]; /* (B, R, F) regions of length 1 or 0 */
    double att[SCORES], m[ROW];
    size_t label[ROW];
    double psi[2][2][PSIS]; /* of each expert and path, (B, A) */
    double score[2][SCORES];
    double p[INPUTS], share[INPUTS]; /* of image 0: (expert, A, R) attention and signed shares */
} definition;
static definition g_reference;

static void unit_row(double *to, const double *from, size_t n) {
    double square = 0;
    for (size_t i = 0; i < n; i++) square += from[i] * from[i];
    for (size_t i = 0; i < n; i++) to[i] = from[i] / fmax(sqrt(square), 1e-12);
}

static void softmax(double *x, size_t n) {
    double largest = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++) largest = fmax(largest, x[i]);
    for (size_t i = 0; i < n; i++) sum += x[i] = exp(x[i] - largest);
    for (size_t i = 0; i < n; i++) x[i] /= sum;
}

/* ---- the definition ---- */

/* A parameter by the published code's name, NULL if there is none. */
static const double *matrix(const definition *d, const char *set, const char *name,
                            size_t *columns) {
    char full[64];
    const un_params *p = &d->n->base.params;
    snprintf(full, sizeof full, "%s.%s", set, name);
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->item[i].name, full) != 0) continue;
        if (columns) *columns = p->item[i].shape[1];
        return d->value + p->item[i].offset;
    }
    return NULL;
}

static void define(definition *d, const un_method *method, const util_scene *s,
                   const un_class_table *classes, const int64_t *images, size_t n) {
    const dedn *m = (const dedn *)method;
    memset(d, 0, sizeof *d);
    *d = (definition){.n = m,
                      .A = classes->semantics[0].width,
                      .E = classes->semantics[0].vector_width,
                      .F = s->features.width,
                      .R = s->features.regions,
                      .B = n,
                      .K = classes->count};
    size_t size = d->R * d->F;
    assert_true(method->params.total <= PARAMETERS && n * size <= INPUTS && n * d->K <= SCORES &&
                d->K * d->A <= SCORES && n * d->A <= PSIS && 2 * d->A * d->R <= INPUTS);
    for (size_t i = 0; i < method->params.total; i++) d->value[i] = (double)method->params.value[i];
    for (size_t c = 0; c < d->K; c++) {
        for (size_t i = c * d->A; i < (c + 1) * d->A; i++)
            d->att[i] = fmax((double)classes->semantics[0].values[i], 0);
        unit_row(d->att + c * d->A, d->att + c * d->A, d->A);
        d->m[c] = classes->seen[c] ? -1 : 1;
    }
    for (size_t b = 0; b < n; b++) {
        size_t image = images ? (size_t)images[b] : b;
        d->label[b] = (size_t)s->labels[image];
        for (size_t i = 0; i < size; i++) d->x[b * size + i] = (double)s->rows[image * size + i];
        for (double *x = d->x + b * size; x < d->x + (b + 1) * size; x += d->F)
            unit_row(x, x, d->F);
    }
}

/* out [columns] = v (E) times a matrix. */
static void times(const double *v, size_t E, const double *h, size_t columns, double *out) {
    for (size_t k = 0; k < columns; k++) {
        out[k] = 0;
        for (size_t e = 0; e < E; e++) out[k] += v[e] * h[e * columns + k];
    }
}

/* The paths of one attribute with vector v in image b; p and share [R] receive its attention. */
static void look(const definition *d, const char *set, const double *v, size_t b, double psi[2],
                 double *p, double *share) {
    const int factored = matrix(d, set, "H_5", NULL) != NULL ||
                         (d->n->settings.bottleneck > 0 && matrix(d, set, "H_3", NULL) != NULL);
    const char *u0 = factored || d->n->settings.bottleneck ? "H_4" : "H_3",
               *u1 = d->n->settings.bottleneck ? "H_5" : "H_4";
    const double *x = d->x + b * d->R * d->F, *h = NULL;
    double q[ROW], w[ROW], middle[ROW], weight[ROW];
    size_t columns = 0;
    psi[0] = psi[1] = 0;
    if (d->n->settings.path[0]) {
        h = matrix(d, set, "H_1", &columns);
        times(v, d->E, h, columns, q);
        if (d->n->settings.bottleneck) {
            memcpy(middle, q, sizeof middle);
            times(middle, columns, matrix(d, set, "H_3", NULL), d->F, q);
        }
        times(v, d->E, matrix(d, set, "H_2", NULL), d->F, w);
        for (size_t r = 0; r < d->R; r++) times(w, d->F, x + r * d->F, 1, &weight[r]);
        softmax(weight, d->R);
        for (size_t r = 0; r < d->R; r++) {
            double value = 0;
            times(q, d->F, x + r * d->F, 1, &value);
            psi[0] += weight[r] * value;
            p[r] = weight[r];
        }
    }
    if (!d->n->settings.path[1]) return;
    times(v, d->E, matrix(d, set, u0, NULL), d->R, q);
    times(v, d->E, matrix(d, set, u1, NULL), d->R, w);
    times(w, d->R, x, d->F, weight);
    softmax(weight, d->F);
    for (size_t r = 0; r < d->R; r++) {
        share[r] = 0;
        for (size_t f = 0; f < d->F; f++) share[r] += q[r] * x[r * d->F + f] * weight[f];
        psi[1] += share[r];
    }
}

static void forward(definition *d) {
    for (size_t side = 0; side < 2; side++) {
        if (!d->n->settings.expert[side]) continue;
        for (size_t b = 0; b < d->B; b++) {
            size_t used[3] = {0};
            for (size_t i = 0; i < d->A; i++) {
                /* "wing", "leg", "eye" in the order they appear; a row of its group's V */
                size_t group = d->n->groups.count > 1 ? i % 3 : 0, row = side ? used[group]++ : i;
                char set[16] = "GNet";
                double psi[2], *p = d->p + (side * d->A + i) * d->R,
                               *share = d->share + (side * d->A + i) * d->R, none[2 * ROW];
                if (side) snprintf(set, sizeof set, "Snet%zu", group);
                look(d, set, matrix(d, set, "V", NULL) + row * d->E, b, psi, b ? none : p,
                     b ? none + ROW : share);
                d->psi[side][0][b * d->A + i] = psi[0];
                d->psi[side][1][b * d->A + i] = psi[1];
            }
            for (size_t c = 0; c < d->K; c++) {
                d->score[side][b * d->K + c] = d->m[c];
                for (size_t i = 0; i < d->A; i++)
                    d->score[side][b * d->K + c] +=
                        d->att[c * d->A + i] *
                        (d->psi[side][0][b * d->A + i] + d->psi[side][1][b * d->A + i]);
            }
        }
    }
}

/* D(a, b) of rows of n, averaged over the batch. */
static double teach(const definition *d, const double *a, const double *b, size_t n) {
    double sum = 0, p[ROW], q[ROW];
    for (size_t i = 0; i < d->B; i++, a += n, b += n) {
        double squares = d->n->settings.distance_epsilon, cubes = 0;
        memcpy(p, a, n * sizeof *p);
        memcpy(q, b, n * sizeof *q);
        softmax(p, n);
        softmax(q, n);
        for (size_t k = 0; k < n; k++) {
            double mean = (p[k] + q[k]) / 2;
            squares += pow(a[k] - b[k], 2);
            cubes += pow(fabs(a[k] - b[k]), 3);
            sum += (p[k] * log(p[k] / mean) + q[k] * log(q[k] / mean)) / 2;
        }
        sum += squares > 0 ? cubes / sqrt(squares) : 0;
    }
    return sum / (double)d->B;
}

static double losses_of(definition *d, double term[DEDN_LOSSES]) {
    const dedn_settings *s = &d->n->settings;
    double total = 0;
    forward(d);
    memset(term, 0, DEDN_LOSSES * sizeof *term);
    for (size_t side = 0; side < 2; side++) {
        double unseen = 0;
        if (!s->expert[side]) continue;
        for (size_t b = 0; b < d->B; b++) {
            double p[ROW], sum = 0, own = 0;
            memcpy(p, d->score[side] + b * d->K, d->K * sizeof *p);
            for (size_t c = 0; c < d->K; c++) {
                double z = p[c] - d->m[c] + (d->m[c] < 0 ? s->seen_margin : 0);
                if (c == d->label[b]) own = z -= s->label_margin;
                sum += exp(z);
            }
            term[DEDN_CE1 + side] += (log(sum) - own) / (double)d->B;
            softmax(p, d->K);
            for (size_t c = 0; c < d->K; c++) unseen += d->m[c] > 0 ? p[c] / (double)d->B : 0;
        }
        term[DEDN_CAL1 + side] = unseen > 0 ? -s->lambda * log(unseen) : 0;
        if (s->path[0] && s->path[1])
            term[DEDN_ALIGN1 + side] = s->p_crc * teach(d, d->psi[side][0], d->psi[side][1], d->A);
    }
    if (s->expert[0] && s->expert[1])
        term[DEDN_DISTILL] = s->p_ce * teach(d, d->score[0], d->score[1], d->K);
    for (size_t t = 0; t < DEDN_LOSSES; t++) total += term[t];
    return total;
}

static void differentiate(definition *d) {
    double term[DEDN_LOSSES], h = 1e-5;
    const un_params *p = &d->n->base.params;
    for (size_t i = 0; i < p->total; i++) {
        double kept = d->value[i];
        d->value[i] = kept + h;
        double above = losses_of(d, term);
        d->value[i] = kept - h;
        d->slope[i] = (above - losses_of(d, term)) / (2 * h);
        d->value[i] = kept;
    }
}

/* ---- steps ---- */

/* Gradients against the slopes, each piece by its own largest. Central differences are off by the
 * third derivative times h^2 and by double's rounding over h, below 1e-8 of losses around 10; f32
 * leaves its rounding of numbers around 1. */
static void check_gradients(const un_method *method, const definition *d, const char *what) {
    double whole = 0;
    const un_params *p = &method->params;
    for (size_t i = 0; i < p->total; i++) whole = fmax(whole, fabs(d->slope[i]));
    for (const un_param *item = p->item; item < p->item + p->count; item++) {
        double largest = 0;
        for (size_t i = item->offset; i < item->offset + item->count; i++)
            largest = fmax(largest, fabs(d->slope[i]));
        for (size_t i = item->offset; i < item->offset + item->count; i++)
            if (!(fabs((double)p->grad[i] - d->slope[i]) <= 1e-5 * largest + 2e-6 * whole + 1e-7))
                fail_msg("%s: gradient %zu of %s is %g, expected %g", what, i - item->offset,
                         item->name, (double)p->grad[i], d->slope[i]);
    }
}

static void check_step(const shape *k, const char *const *sets) {
    util_scene s;
    const int64_t *images = NULL;
    size_t count = 0;
    double term[DEDN_LOSSES], losses[UN_MAX_LOSSES];
    open_scene(&s, k, 20);
    un_method *method = make_method(&s, sets, UN_PRECISION_F32);
    util_ok(un_method_dedn.learner->plan(method, 1, 0, &images, &count));
    define(&g_reference, method, &s, &s.classes, images, count);
    differentiate(&g_reference);
    losses_of(&g_reference, term);
    util_ok(un_method_dedn.learner->step(method, 1, 0, losses));
    assert_true(un_method_dedn.learner->step_flops(method) > 0);
    const dedn *n = (const dedn *)method;
    for (int x = 0; x < 2; x++) {
        if (!n->settings.expert[x]) continue;
        for (int j = 0; j < 2; j++)
            for (size_t i = 0; n->settings.path[j] && i < count * k->A; i++)
                util_near((double)n->batch.psi[x][j][i], g_reference.psi[x][j][i], 1e-5);
        for (size_t i = 0; i < count * C; i++)
            util_near((double)n->batch.s[x][i], g_reference.score[x][i], 1e-5);
    }
    for (size_t t = 0; t < DEDN_LOSSES; t++)
        util_near(losses[t], term[t], 5e-6 * fabs(term[t]) + 1e-5);
    check_gradients(method, &g_reference, k->name);
    un_method_dedn.destroy(method);
    util_scene_free(&s);
}

/* Every switch, with and without a bottleneck and groups; plain cross-entropy; no loss but one. */
static void steps_follow_the_definition(void **state) {
    (void)state;
    static const char *const usual[] = {"batch=6", "sampling=random", "lambda=2", "p_ce=1.5",
                                        "p_crc=0.7"};
    static const char *const cases[][4] = {
        {"experts=both"},
        {"bottleneck=2"},
        {"groups=none"},
        {"experts=coarse"},
        {"experts=fine"},
        {"paths=region"},
        {"paths=channel"},
        {"experts=fine", "paths=channel", "bottleneck=3"},
        {"experts=coarse", "paths=region", "bottleneck=3"},
        {"label_margin=0", "seen_margin=0", "distance_epsilon=0.5"},
        {"lambda=0", "p_ce=0", "p_crc=0"},
        {"lambda=0", "p_ce=1000", "p_crc=0"},
        {"lambda=0", "p_ce=0", "p_crc=1000"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t k = 0; k < SHAPES; k++) {
            const char *sets[10] = {usual[0], usual[1], usual[2], usual[3], usual[4]};
            for (size_t j = 0; j < 4 && cases[i][j]; j++) sets[5 + j] = cases[i][j];
            check_step(&g_shapes[k], sets);
        }
}

/* ---- initial values, batches ---- */

/* Every V starts at its attributes' unit word vectors, value matrices normal, logits' at 0. */
static void initial_values(void **state) {
    (void)state;
    util_scene s;
    double row[ROW];
    un_method *method = NULL;
    const char *const sets[] = {"bottleneck=50", NULL};
    open_scene(&s, &g_shapes[0], 20);
    util_ok(try_method(&s, sets, UN_PRECISION_F32, NULL, &method));
    const un_params *p = &method->params;
    assert_int_equal(p->count, 4 * 6);
    assert_string_equal(p->item[6].name, "Snet0.V");
    assert_int_equal(p->item[6].shape[0], 3); /* attributes 0, 3 and 6 of 7 */
    for (size_t k = 0; k < 4; k++) {
        const float *v = un_param_value(p, 6 * k);
        for (size_t i = 0; i < p->item[6 * k].shape[0]; i++) {
            size_t attribute = k == 0 ? i : 3 * i + k - 1;
            for (size_t e = 0; e < 5; e++)
                row[e] = (double)s.classes.semantics[0].vectors[attribute * 5 + e];
            unit_row(row, row, 5);
            for (size_t e = 0; e < 5; e++) util_near((double)v[i * 5 + e], row[e], 1e-6);
        }
        for (size_t j = 1; j < 6; j++) {
            const un_param *item = &p->item[6 * k + j];
            int normal = j != 2 && j != 5; /* H_1, H_3, H_4 */
            double squares = 0;
            for (size_t i = 0; i < item->count; i++)
                squares += pow((double)p->value[item->offset + i], 2) / (double)item->count;
            if (normal)
                util_near(squares, 1, 0.7); /* 20 to 450 numbers: sd of their mean square 0.3 */
            else
                assert_true(squares == 0);
        }
    }
    un_method_dedn.destroy(method);
    util_scene_free(&s);
}

/* More images than seen classes: so many of each; else one of each of some. */
static void batches_have_several_of_few_classes(void **state) {
    (void)state;
    static const struct {
        const char *sets[3];
        size_t count, each;
    } cases[] = {{{"batch=50"}, 48, 6},
                 {{"batch=15"}, 8, 1},
                 {{"batch=16"}, 16, 2},
                 {{"batch=5"}, 5, 1},
                 {{"sampling=balanced", "batch=50"}, 8, 1}};
    util_scene s;
    open_scene(&s, &g_shapes[0], 240);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        un_method *method = make_method(&s, cases[k].sets, UN_PRECISION_F32);
        for (size_t step = 0; step < 20; step++) {
            const int64_t *images = NULL;
            size_t count = 0, of_class[C] = {0}, classes = 0;
            util_ok(un_method_dedn.learner->plan(method, 3, step, &images, &count));
            assert_int_equal(count, cases[k].count);
            for (size_t i = 0; i < count; i++) {
                of_class[s.labels[images[i]]]++;
                for (size_t j = 0; j < i; j++) assert_true(images[i] != images[j]);
            }
            for (size_t c = 0; c < C; c++) {
                if (of_class[c] > 0) assert_int_equal(of_class[c], cases[k].each);
                classes += of_class[c] > 0;
            }
            assert_int_equal(classes * cases[k].each, count);
        }
        un_method_dedn.destroy(method);
    }
    util_scene_free(&s);
}

/* ---- scores ---- */

static double share_of(const dedn *n, size_t x, size_t j) {
    const dedn_settings *s = &n->settings;
    double e = s->expert[0] && s->expert[1] ? s->coarse_weight : 1,
           c = s->path[0] && s->path[1] ? s->region_weight : 1;
    if (!s->expert[x] || !s->path[j]) return 0;
    return (x && s->expert[0] ? 1 - e : e) * (j && s->path[0] ? 1 - c : c);
}

/* Scores, what they are made of, and maps of the first image, against the definition. */
static void check_scores(un_method *method, const util_scene *s, const un_class_table *classes,
                         size_t images) {
    const dedn *n = (const dedn *)method;
    definition *d = &g_reference;
    static float scores[SCORES], one[SCORES], found[4 * ROW], maps[4 * INPUTS];
    size_t K = classes->count, A = n->A, size = n->R * n->F, path = 2 * A * n->R;
    define(d, method, s, classes, NULL, images);
    forward(d);
    util_ok(un_method_dedn.set_classes(method, classes));
    util_ok(un_method_dedn.score(method, s->rows, images, scores));
    util_ok(un_method_dedn.attribute_scores->score(method, s->rows, found));
    util_ok(un_method_dedn.maps->attend(method, s->rows, maps));
    for (size_t i = 0; i < images * K; i++) {
        double expected = d->m[i % K];
        if (i % K == 0) util_ok(un_method_dedn.score(method, s->rows + i / K * size, 1, one));
        for (size_t a = 0; a < A; a++)
            for (size_t x = 0; x < 4; x++)
                expected += d->att[i % K * A + a] * share_of(n, x / 2, x % 2) *
                            d->psi[x / 2][x % 2][i / K * A + a];
        util_near((double)scores[i], expected, 5e-6);
        util_near((double)one[i % K], (double)scores[i], 2e-6);
    }
    for (size_t i = 0; i < 4 * A; i++)
        util_near((double)found[i],
                  share_of(n, i / A / 2, i / A % 2) * d->psi[i / A / 2][i / A % 2][i % A], 5e-6);
    for (size_t i = 0; i < path; i++) {
        util_near((double)maps[i], d->p[i], 2e-6);
        util_near((double)maps[path + i], d->share[i], 5e-6);
    }
}

/* Other classes than those trained with, and a method that was given the parameters and what a model
 * keeps beside them. */
static void scores_are_the_fused_paths(void **state) {
    (void)state;
    static const char *const sets[][3] = {{NULL},
                                          {"region_weight=0.25", "coarse_weight=0.4"},
                                          {"experts=fine", "bottleneck=2"},
                                          {"paths=channel", "experts=coarse"},
                                          {"paths=region", "groups=none"}};
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++) {
        util_scene s;
        un_rng rng = un_rng_stream(70, "test", 3);
        json_t *spec = NULL;
        un_method *loaded = NULL;
        open_scene(&s, &g_shapes[k % SHAPES], 40);
        un_method *method = make_method(&s, sets[k], UN_PRECISION_F32);
        un_class_table many = util_classes(&s.arena, 30, 1, &g_shapes[k % SHAPES].A, &rng);
        many.semantics[0].vector_width = g_shapes[k % SHAPES].E;
        util_ok(un_method_dedn.save_spec(method, &spec));
        char **names = s.classes.semantics[0].attributes;
        s.classes.semantics[0].attributes = NULL; /* the model knows its groups */
        util_ok(try_method(&s, sets[k], UN_PRECISION_F32, spec, &loaded));
        s.classes.semantics[0].attributes = names;
        set_parameters(loaded);
        assert_null(loaded->params.grad);
        check_scores(method, &s, &s.classes, 33);
        check_scores(method, &s, &many, 10);
        check_scores(loaded, &s, &many, 10);
        json_decref(spec);
        un_method_dedn.destroy(loaded);
        un_method_dedn.destroy(method);
        util_scene_free(&s);
    }
}

/* A group's share is what its attributes' attention prefers some regions to others. */
static void attention_over_groups(void **state) {
    (void)state;
    util_scene s;
    un_group_attention got;
    double moved[3] = {0}, total = 0;
    const char *const one[] = {"groups=none", NULL};
    open_scene(&s, &g_shapes[0], 20);
    un_method *method = make_method(&s, NULL, UN_PRECISION_F32);
    define(&g_reference, method, &s, &s.classes, NULL, 1);
    forward(&g_reference);
    util_ok(un_method_dedn.set_classes(method, &s.classes));
    util_ok(un_method_dedn.group_attention->attend(method, s.rows, &got));
    for (size_t i = 0; i < 7; i++)
        for (size_t r = 0; r < 4; r++)
            moved[i % 3] += fmax(g_reference.p[(7 + i) * 4 + r] - 0.25, 0);
    for (size_t g = 0; g < 3; g++) total += moved[g];
    assert_int_equal(got.count, 3);
    assert_string_equal(got.names[1], "leg color");
    for (size_t g = 0; g < 3; g++) {
        util_near((double)got.share[g], moved[g] / total, 1e-5);
        util_near((double)got.even[g], (g == 0 ? 3 : 2) / 7.0, 1e-6);
    }
    un_method_dedn.destroy(method);
    method = make_method(&s, one, UN_PRECISION_F32);
    util_ok(un_method_dedn.set_classes(method, &s.classes));
    util_fails(un_method_dedn.group_attention->attend(method, s.rows, &got), UNSEEN_E_UNSUPPORTED,
               "no experts of groups");
    un_method_dedn.destroy(method);
    util_scene_free(&s);
}

/* ---- bf16 ---- */

/* Of n numbers, in units of u = 2^-8 times `largest`, or times their own largest if that is 0. */
static double gap_of(const float *a, const float *b, size_t n, double largest) {
    double gap = 0, own = 0;
    for (size_t i = 0; i < n; i++) {
        gap = fmax(gap, fabs((double)a[i] - (double)b[i]));
        own = fmax(own, fabs((double)a[i]));
    }
    return gap / (0x1p-8 * (largest > 0 ? largest : own));
}

/* The largest gradient of all sets' matrices of one name: what one set's gradient is the rest of, where
 * terms cancel. */
static double largest_like(const un_params *p, const char *name) {
    double largest = 0;
    for (size_t i = 0; i < p->count; i++) {
        const float *grad = un_param_grad(p, i);
        if (strcmp(strchr(p->item[i].name, '.'), strchr(name, '.')) != 0) continue;
        for (size_t k = 0; k < p->item[i].count; k++)
            largest = fmax(largest, fabs((double)grad[k]));
    }
    return largest;
}

/* Rounding is off by u / 2. Region path: a product of x, v and w, and of q again, by 2 u, psi by that
 * and 2 u more through the logits, at most and of the largest. Channel path: u' and u are rounded,
 * x, Q and its slopes: the same or less. In the gradients the sums over images and regions leave
 * less than the 4 u of what is summed; rounding dQ and what it is multiplied with adds another u. */
static void bf16_is_close(void **state) {
    (void)state;
    static const char *const sets[][4] = {
        {"lambda=2", "p_ce=0.2", "p_crc=0.1"}, {"paths=channel"}, {"bottleneck=3"}};
    const shape k = {"wide", 19, 5, 70, 9, 2, DENSE};
    for (size_t c = 0; c < sizeof sets / sizeof *sets; c++) {
        util_scene s;
        double losses[UN_MAX_LOSSES];
        open_scene(&s, &k, 30);
        un_method *exact = make_method(&s, sets[c], UN_PRECISION_F32);
        un_method *rounded = make_method(&s, sets[c], UN_PRECISION_BF16);
        const dedn *x = (const dedn *)exact, *y = (const dedn *)rounded;
        util_ok(un_method_dedn.learner->step(exact, 0, 0, losses));
        util_ok(un_method_dedn.learner->step(rounded, 0, 0, losses));
        for (size_t side = 0; side < 4; side++) {
            if (!x->settings.path[side % 2]) continue;
            double gap = gap_of(x->batch.psi[side / 2][side % 2], y->batch.psi[side / 2][side % 2],
                                x->draws.size * x->A, 0);
            util_near(gap, 0, 4);
            assert_true(gap > 0.05); /* it did compute in bf16 */
        }
        for (size_t i = 0; i < exact->params.count; i++) {
            const un_param *item = &exact->params.item[i];
            double gap =
                gap_of(un_param_grad(&exact->params, i), un_param_grad(&rounded->params, i),
                       item->count, largest_like(&exact->params, item->name));
            if (!(gap <= 5 && gap > 0)) fail_msg("%s is off by %g u", item->name, gap);
        }
        un_method_dedn.destroy(rounded);
        un_method_dedn.destroy(exact);
        util_scene_free(&s);
    }
}

/* ---- what is refused ---- */

static void mistakes_fail_with_a_sentence(void **state) {
    (void)state;
    util_scene s;
    float scores[C];
    un_method *method = NULL;
    const char *const cub[] = {"groups=cub", NULL}, *const lost[] = {"groups=prefx", NULL};
    json_t *config = util_config(&un_method_dedn, NULL);
    open_scene(&s, &g_shapes[0], 9);
    util_fails(try_method(&s, cub, UN_PRECISION_F32, NULL, &method), UNSEEN_E_ARGUMENT,
               "CUB's 312 attributes, here are 7");
    assert_int_not_equal(try_method(&s, lost, UN_PRECISION_F32, NULL, &method), UNSEEN_OK);
    assert_non_null(strstr(un_error(), "prefx"));
    util_fails(un_config_set(&un_method_dedn, config, "paths=regions"), UNSEEN_E_ARGUMENT,
               "both|region|channel");
    util_fails(un_config_set(&un_method_dedn, config, "experts=none"), UNSEEN_E_ARGUMENT,
               "both|coarse|fine");
    util_fails(un_config_set(&un_method_dedn, config, "region_weight=1.1"), UNSEEN_E_ARGUMENT,
               "between 0 and 1");
    json_decref(config);
    s.classes.semantics[0].vector_width = 0;
    util_fails(try_method(&s, NULL, UN_PRECISION_F32, NULL, &method), UNSEEN_E_ARGUMENT,
               "no word vectors of its attributes, which DEDN starts");
    s.classes.semantics[0].vector_width = g_shapes[0].E;
    method = make_method(&s, NULL, UN_PRECISION_F32);
    util_fails(un_method_dedn.score(method, s.rows, 1, scores), UNSEEN_E_ARGUMENT, "no classes");
    un_class_table wrong = s.classes;
    wrong.semantics[0].width--;
    util_fails(un_method_dedn.set_classes(method, &wrong), UNSEEN_E_ARGUMENT, "of 7 values");
    check_scores(method, &s, &s.classes, 3); /* still works */
    un_method_dedn.destroy(method);
    util_scene_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_follow_the_definition),
        cmocka_unit_test(initial_values),
        cmocka_unit_test(batches_have_several_of_few_classes),
        cmocka_unit_test(scores_are_the_fused_paths),
        cmocka_unit_test(attention_over_groups),
        cmocka_unit_test(bf16_is_close),
        cmocka_unit_test(mistakes_fail_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
