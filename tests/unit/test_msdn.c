/*
 * test_msdn.c - MSDN against its definition, in double precision and written out
 * region by region as in the paper, sharing no code with the library: attention,
 * scores, losses, gradients (by central differences of the definition, whose error
 * is far below f32's), ten steps of training; then scoring.
 */
#include <math.h>

#include "msdn_sample.h"

/* What a loss is made of; a run uses one of CUBES and SQUARES. */
enum { CE1, CE2, CAL1, CAL2, CUBES, SQUARES, KL, TERMS };

/* The network on one batch, in double; sizes as in msdn.h. */
enum { ROW = 64, PARAMETERS = 512, INPUTS = 8192, ATTENTION = 32768, SCORES = 12000 };
typedef struct {
    size_t A, E, F, R, B, K, total; /* K classes */
    const un_param *item;           /* V, W_1, W_2, W_1_1, W_2_1 */
    int normalize;
    double value[PARAMETERS], vn[PARAMETERS]; /* laid out as in the library; (A, E) */
    double slope[PARAMETERS][TERMS];          /* derivatives of the loss terms */
    double x[INPUTS];                         /* (B, R, F) regions of length 1 or 0 */
    double att[SCORES], m[SCORES];            /* (K, A), (K) */
    int32_t label[SCORES];                    /* (B) */
    double y[ATTENTION];                      /* (B, 4, A, R): S, P, S', P' */
    double score[2][SCORES], p[2][SCORES];    /* (B, K), bias included; their softmax */
} definition;
static definition g_reference;

/* to = from / max(|from|, 1e-12); returns |from|. */
static double unit_row(double *to, const double *from, size_t n) {
    double square = 0;
    for (size_t i = 0; i < n; i++) square += from[i] * from[i];
    for (size_t i = 0; i < n; i++) to[i] = from[i] / fmax(sqrt(square), 1e-12);
    return sqrt(square);
}

/* Images NULL: the first n. */
static void define(definition *d, const un_method *method, const util_scene *s,
                   const un_class_table *classes, const int64_t *images, size_t n) {
    const un_param *item = method->params.item;
    assert_int_equal(method->params.count, PIECES);
    memset(d, 0, sizeof *d);
    d->A = item[0].shape[0];
    d->E = item[0].shape[1];
    d->F = item[1].shape[1];
    d->R = s->features.regions;
    d->B = n;
    d->K = classes->count;
    d->total = method->params.total;
    d->item = item;
    d->normalize = ((const msdn *)method)->settings.normalize_v;
    size_t size = d->R * d->F;
    assert_true(d->total <= PARAMETERS && n * size <= INPUTS && n * d->K <= SCORES &&
                d->K * d->A <= SCORES && n * 4 * d->A * d->R <= ATTENTION && d->A <= ROW);
    for (size_t i = 0; i < d->total; i++) d->value[i] = (double)method->params.value[i];
    for (size_t c = 0; c < d->K; c++) {
        for (size_t i = c * d->A; i < (c + 1) * d->A; i++)
            d->att[i] = fmax((double)classes->semantics[0].values[i], 0);
        unit_row(d->att + c * d->A, d->att + c * d->A, d->A);
        d->m[c] = classes->seen[c] ? -1 : 1;
    }
    for (size_t b = 0; b < n; b++) {
        size_t image = images ? (size_t)images[b] : b;
        d->label[b] = s->labels[image];
        for (size_t i = 0; i < size; i++) d->x[b * size + i] = (double)s->rows[image * size + i];
        for (double *x = d->x + b * size; x < d->x + (b + 1) * size; x += d->F)
            unit_row(x, x, d->F);
    }
}

static void softmax(double *to, const double *from, size_t n, size_t stride) {
    double largest = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++) largest = fmax(largest, from[i * stride]);
    for (size_t i = 0; i < n; i++) sum += exp(from[i * stride] - largest);
    for (size_t i = 0; i < n; i++) to[i * stride] = exp(from[i * stride] - largest) / sum;
}

/* The four values of every attribute at one region: Vn W x, column r of y. */
static void region(const definition *d, const double *x, size_t r, double *y) {
    for (size_t j = 0; j < 4; j++) {
        const double *w = d->value + d->item[j + 1].offset;
        double u[ROW] = {0};
        for (size_t e = 0; e < d->E; e++)
            for (size_t f = 0; f < d->F; f++) /* W_1_1 is stored (F, E) */
                u[e] += (j == 2 ? w[f * d->E + e] : w[e * d->F + f]) * x[f];
        for (size_t i = 0; i < d->A; i++) {
            double *to = y + (j * d->A + i) * d->R + r;
            *to = 0;
            for (size_t e = 0; e < d->E; e++) *to += d->vn[i * d->E + e] * u[e];
        }
    }
}

/* psi and scores of image b, from its attention. */
static void score_image(definition *d, size_t b, size_t side) {
    const double *value = d->y + (b * 4 + side * 2) * d->A * d->R, *weight = value + d->A * d->R;
    double *score = d->score[side] + b * d->K, psi[ROW] = {0};
    for (size_t i = 0; i < d->A * d->R; i++) psi[i / d->R] += weight[i] * value[i];
    for (size_t c = 0; c < d->K; c++) {
        score[c] = d->m[c];
        for (size_t i = 0; i < d->A; i++) score[c] += psi[i] * d->att[c * d->A + i];
    }
    softmax(d->p[side] + b * d->K, score, d->K, 1);
}

static void forward(definition *d) {
    size_t A = d->A, R = d->R;
    memcpy(d->vn, d->value, A * d->E * sizeof *d->vn);
    for (size_t i = 0; i < A && d->normalize; i++)
        unit_row(d->vn + i * d->E, d->vn + i * d->E, d->E);
    for (size_t b = 0; b < d->B; b++) {
        double *y = d->y + b * 4 * A * R;
        for (size_t r = 0; r < R; r++) region(d, d->x + (b * R + r) * d->F, r, y);
        for (size_t i = 0; i < A; i++) softmax(y + (A + i) * R, y + (A + i) * R, R, 1);
        for (size_t r = 0; r < R; r++) softmax(y + 3 * A * R + r, y + 3 * A * R + r, A, R);
        for (size_t side = 0; side < 2; side++) score_image(d, b, side);
    }
}

/* All terms without their weights, of the parameters in d->value. */
static void losses_of(definition *d, double term[TERMS]) {
    double share = 1 / (double)d->B, unseen[2] = {0};
    forward(d);
    memset(term, 0, TERMS * sizeof *term);
    for (size_t b = 0; b < d->B; b++) {
        size_t begin = b * d->K, label = (size_t)d->label[b];
        double squares = 0, cubes = 0, sum[2] = {0};
        for (size_t c = 0; c < d->K; c++) {
            double p = d->p[0][begin + c], q = d->p[1][begin + c], mean = (p + q) / 2;
            double gap = fabs(d->score[0][begin + c] - d->score[1][begin + c]);
            squares += gap * gap;
            cubes += gap * gap * gap;
            term[KL] += share * (p * log(p / mean) + q * log(q / mean)) / 2;
            for (int side = 0; side < 2; side++) {
                sum[side] += exp(d->score[side][begin + c] - d->m[c]);
                unseen[side] += d->m[c] > 0 ? share * d->p[side][begin + c] : 0;
            }
        }
        term[CUBES] += squares > 0 ? share * cubes / sqrt(squares) : 0;
        term[SQUARES] += share * squares;
        for (int side = 0; side < 2; side++)
            term[CE1 + side] +=
                share * (log(sum[side]) - (d->score[side][begin + label] - d->m[label]));
    }
    for (int side = 0; side < 2; side++)
        term[CAL1 + side] = unseen[side] > 0 ? -log(unseen[side]) : 0;
}

/* A length in which parameter i is neither large nor small: the normalisation bends V's rows at
 * the length they have, and a row of zeros at 1e-12. */
static double scale_of(const definition *d, size_t i) {
    double row[ROW];
    if (!d->normalize || i >= d->item->count) return 1;
    return fmax(unit_row(row, d->value + i / d->E * d->E, d->E), 1e-12);
}

/* Derivatives of all terms, in units of each parameter's scale. */
static void differentiate(definition *d) {
    double above[TERMS], below[TERMS], h = 1e-5;
    for (size_t i = 0; i < d->total; i++) {
        double kept = d->value[i], scale = scale_of(d, i);
        d->value[i] = kept + h * scale;
        losses_of(d, above);
        d->value[i] = kept - h * scale;
        losses_of(d, below);
        d->value[i] = kept;
        for (int t = 0; t < TERMS; t++) d->slope[i][t] = (above[t] - below[t]) / (2 * h);
    }
    losses_of(d, above); /* leaves the results of the parameters as they are */
}

static double weighted(const double term[TERMS], const double weight[TERMS]) {
    double sum = 0;
    for (int t = 0; t < TERMS; t++) sum += weight[t] * term[t];
    return sum;
}

/* The library's gradients against the slopes, each piece by its own largest. Where scores or
 * their gradients cancel, f32's rounding of numbers around 1 remains. */
static void check_gradients(const un_method *method, const definition *d,
                            const double weight[TERMS], const char *what) {
    double whole = 0, noise = 0;
    for (int t = 0; t < TERMS; t++) noise += 2e-7 * weight[t];
    for (size_t i = 0; i < d->total; i++) whole = fmax(whole, fabs(weighted(d->slope[i], weight)));
    for (const un_param *p = d->item; p < d->item + PIECES; p++) {
        double largest = 0;
        for (size_t i = p->offset; i < p->offset + p->count; i++)
            largest = fmax(largest, fabs(weighted(d->slope[i], weight)));
        for (size_t i = p->offset; i < p->offset + p->count; i++) {
            double expected = weighted(d->slope[i], weight);
            double got = (double)method->params.grad[i] * scale_of(d, i);
            if (!(fabs(got - expected) <= 1e-5 * largest + 1e-6 * whole + noise))
                fail_msg("%s: gradient %zu of %s is %g, expected %g", what, i - p->offset, p->name,
                         got, expected);
        }
    }
}

/* Values, attention and scores of the library's batch buffers. */
static void check_forward(const msdn *n, const definition *d) {
    const msdn_batch *batch = &n->batch;
    size_t width = 4 * d->A;
    for (size_t i = 0; i < d->B * d->R * width; i++) {
        size_t b = i / (d->R * width), r = i / width % d->R, j = i % width;
        const un_attribute_attention image = un_region_attention(&batch->look, b);
        float p[2][ROW], s = image.factor[r] * image.y[r * width + j];
        un_attribute_weights(&image, r, p[0], p[1]);
        float got = j / d->A % 2 ? p[j / d->A / 2][j % d->A] : s;
        util_near((double)got, d->y[(b * width + j) * d->R + r], 1e-5);
    }
    for (size_t i = 0; i < d->B * d->K; i++) {
        util_near((double)batch->s1[i], d->score[0][i], 1e-5);
        util_near((double)batch->s2[i], d->score[1][i], 1e-5);
    }
}

/* The weights of the terms in the loss, and which terms make which of the library's losses. */
static void check_losses(const msdn *n, definition *d, const double got[MSDN_LOSSES],
                         double weight[TERMS]) {
    double term[TERMS],
        all[TERMS] = {1, 1, n->settings.lambda, n->settings.lambda, 0, 0, n->settings.eta};
    all[n->settings.squared_distance ? SQUARES : CUBES] = n->settings.eta;
    memcpy(weight, all, sizeof all);
    losses_of(d, term);
    double distill = weight[CUBES] * term[CUBES] + weight[SQUARES] * term[SQUARES];
    const double expected[MSDN_LOSSES] = {term[CE1], term[CE2], n->settings.lambda * term[CAL1],
                                          n->settings.lambda * term[CAL2],
                                          distill + n->settings.eta * term[KL]};
    for (int i = 0; i < MSDN_LOSSES; i++)
        util_near(got[i], expected[i],
                  5e-6 * fabs(expected[i]) + 1e-9 * n->settings.lambda + 1e-5 * n->settings.eta);
}

/* Cross-entropy alone, with one other term of overwhelming weight, and all together. */
static void check_step(un_method *method, const util_scene *s, const char *what) {
    static const double weights[][2] = {{0, 0}, {1e4, 0}, {0, 1e4}, {2, 3}};
    msdn *n = (msdn *)method;
    const int64_t *images = NULL;
    size_t count = 0;
    double weight[TERMS], losses[UN_MAX_LOSSES];
    util_ok(un_method_msdn.learner->plan(method, 1, 0, &images, &count));
    define(&g_reference, method, s, &s->classes, images, count);
    differentiate(&g_reference);
    for (size_t k = 0; k < 8; k++) {
        n->settings.lambda = weights[k / 2][0];
        n->settings.eta = weights[k / 2][1];
        n->settings.squared_distance = k % 2;
        util_ok(un_method_msdn.learner->step(method, 1, 0, losses));
        check_forward(n, &g_reference);
        check_losses(n, &g_reference, losses, weight);
        check_gradients(method, &g_reference, weight, what);
    }
}

static void steps_follow_the_definition(void **state) {
    (void)state;
    static const char *const sets[][4] = {{"batch=6", "distance=code", "normalize_v=no"},
                                          {"batch=6", "distance=paper", "normalize_v=yes"}};
    for (size_t k = 0; k < SHAPES * 2; k++) {
        util_scene s;
        un_method *method = open_method(&s, &g_shapes[k / 2], 20, sets[k % 2]);
        assert_int_equal(((msdn *)method)->settings.squared_distance, (int)k % 2);
        assert_int_equal(((msdn *)method)->settings.normalize_v, (int)k % 2);
        check_step(method, &s, g_shapes[k / 2].name);
        close_method(method, &s);
    }
}

/* V starts at unit word vectors, W_1 is normal, the rest 0. */
static void initial_values(void **state) {
    (void)state;
    util_scene s;
    double squares = 0, row[ROW];
    un_method *method = open_method(&s, &g_shapes[INITIAL_SHAPE], 20, NULL);
    const un_param *p = method->params.item;
    const float *value = method->params.value;
    for (size_t i = 0; i < p->count; i++) {
        size_t E = p->shape[1], begin = i / E * E;
        for (size_t e = 0; e < E; e++) row[e] = (double)s.classes.semantics[0].vectors[begin + e];
        unit_row(row, row, E);
        util_near((double)value[i], row[i - begin], 1e-6);
    }
    for (size_t i = 0; i < p[1].count; i++) squares += pow((double)value[p[1].offset + i], 2);
    util_near(squares / (double)p[1].count, 1, 0.6);
    for (size_t i = p[2].offset; i < method->params.total; i++) assert_true(value[i] == 0.0f);
    close_method(method, &s);
}

/* Without word vectors each value has a direction of its own; the rest is as with them. */
static void one_hot_vectors(void **state) {
    (void)state;
    static const char *const sets[] = {"vectors=one-hot", NULL};
    util_scene s;
    double losses[UN_MAX_LOSSES];
    make_scene(&s, &g_shapes[0], 20);
    s.classes.semantics[0].vectors = NULL;
    s.classes.semantics[0].vector_width = 0;
    un_method *method = make_method(&s, sets, UN_PRECISION_F32);
    const un_param *p = method->params.item;
    assert_int_equal(p->shape[0], 19);
    assert_int_equal(p->shape[1], 19);
    for (size_t i = 0; i < p->count; i++)
        assert_true(method->params.value[p->offset + i] == (i / 19 == i % 19 ? 1.0f : 0.0f));
    util_ok(un_method_msdn.learner->step(method, 0, 0, losses));
    s.data.train = NULL;
    un_method *loaded = make_method(&s, sets, UN_PRECISION_F32);
    assert_int_equal(loaded->params.total, method->params.total);
    un_method_msdn.destroy(loaded);
    close_method(method, &s);
}

/* One step of the definition's own training, RMSprop with weight decay; returns the L2 term. */
static double train_definition(definition *d, const un_optimizer_settings *o,
                               const double weight[TERMS], double *square, double *velocity) {
    double l2 = 0, decay = (double)d->item->decay, unit[PARAMETERS];
    differentiate(d);
    for (size_t i = 0; i < d->total; i++) unit[i] = scale_of(d, i);
    for (size_t i = 0; i < d->total; i++) {
        double g = weighted(d->slope[i], weight) / unit[i] + decay * d->value[i];
        l2 += 0.5 * decay * d->value[i] * d->value[i];
        square[i] = o->beta2 * square[i] + (1 - o->beta2) * g * g;
        velocity[i] = o->momentum * velocity[i] + g / (sqrt(square[i]) + o->epsilon);
        d->value[i] -= o->lr * velocity[i];
    }
    return l2;
}

/* Ten steps on all images, in f32 and in double. RMSprop's epsilon keeps rounding from being blown
 * up where the gradient is 0. */
static void check_training(const char *const *sets, origin from) {
    const shape small = {"small", 6, 4, 5, 3, 2, from};
    util_scene s;
    un_optimizer optimizer;
    un_optimizer_settings settings;
    double weight[TERMS], losses[UN_MAX_LOSSES];
    double square[PARAMETERS] = {0}, velocity[PARAMETERS] = {0};
    un_method *method = open_method(&s, &small, 14, sets);
    un_method_msdn.learner->optimizer(method, &settings);
    util_ok(un_optimizer_create(&optimizer, &settings, &method->params));
    define(&g_reference, method, &s, &s.classes, s.train.items, s.train.count);
    for (size_t step = 0; step < 10; step++) {
        util_ok(un_method_msdn.learner->step(method, step, 0, losses));
        check_losses((msdn *)method, &g_reference, losses, weight);
        double l2 = train_definition(&g_reference, &settings, weight, square, velocity);
        util_near(un_optimizer_step(&optimizer, &method->params), l2, 1e-6 * l2);
    }
    un_optimizer_free(&optimizer);
    close_method(method, &s);
}

static void training_follows_the_definition(void **state) {
    (void)state;
    static const char *const sets[][8] = {
        {"epsilon=1e-4", "lr=0.01", "decay=0.02", "lambda=0.5", "eta=0.05"},
        {"epsilon=1e-4", "lr=0.02", "decay=0.02", "lambda=0.5", "eta=0.05", "momentum=0",
         "normalize_v=yes"}};
    for (int k = 0; k < 4; k++) check_training(sets[k / 2], k % 2 ? DENSE : INITIAL);
}

/* Scores of `classes` against weight1 s1 + weight2 s2, for all images at once and one by one. */
static void check_scores(un_method *method, const util_scene *s, const un_class_table *classes,
                         size_t images) {
    const msdn *n = (msdn *)method;
    definition *d = &g_reference;
    static float scores[SCORES], one[SCORES];
    size_t K = classes->count, size = s->features.regions * s->features.width;
    define(d, method, s, classes, NULL, images);
    forward(d);
    util_ok(un_method_msdn.set_classes(method, classes));
    util_ok(un_method_msdn.score(method, s->rows, images, scores));
    for (size_t i = 0; i < images * K; i++) {
        if (i % K == 0) util_ok(un_method_msdn.score(method, s->rows + i / K * size, 1, one));
        double expected =
            n->settings.weight1 * d->score[0][i] + n->settings.weight2 * d->score[1][i];
        util_near((double)scores[i], expected, 5e-6);
        util_near((double)one[i % K], (double)scores[i], 2e-6);
    }
}

/* Batches on either side of the scorer's 32 images, other classes than those trained with, and
 * a method without training data that was given the parameters. */
static void scores_are_the_fused_branches(void **state) {
    (void)state;
    static const char *const sets[][3] = {
        {NULL}, {"weight1=0", "weight2=1"}, {"weight1=0.25", "weight2=0.5"}};
    static const size_t images[] = {32, 33, 70};
    for (size_t k = 0; k < 3; k++) {
        util_scene s;
        un_rng rng = un_rng_stream(70, "test", 3);
        un_method *method = open_method(&s, &g_shapes[k], 70, sets[k]);
        un_class_table many = util_classes(&s.arena, 150, 1, &g_shapes[k].A, &rng), one = many;
        one.count = 1;
        s.data.train = NULL;
        un_method *loaded = make_method(&s, sets[k], UN_PRECISION_F32);
        set_parameters(loaded, DENSE);
        assert_null(loaded->params.grad);
        check_scores(method, &s, &s.classes, images[k]);
        check_scores(method, &s, &many, images[k]);
        check_scores(method, &s, &one, 33);
        check_scores(loaded, &s, &many, images[k]);
        un_method_msdn.destroy(loaded);
        close_method(method, &s);
    }
}

/* Branch 0 shares each attribute out over the regions, branch 1 each region over the attributes. */
static void attention_maps(void **state) {
    (void)state;
    enum { A = 19, R = 4, F = 9 }; /* of shape 0 */
    util_scene s;
    float maps[2][A][R];
    un_method *method = open_method(&s, &g_shapes[0], 5, NULL);
    define(&g_reference, method, &s, &s.classes, NULL, 5);
    forward(&g_reference);
    util_ok(un_method_msdn.set_classes(method, &s.classes));
    for (size_t b = 0; b < 5; b++) {
        double sum[2][A] = {{0}};
        util_ok(un_method_msdn.maps->attend(method, s.rows + b * R * F, &maps[0][0][0]));
        for (size_t i = 0; i < 2 * (size_t)A * R; i++) {
            size_t side = i / (A * R), a = i / R % A, r = i % R;
            double got = (double)maps[side][a][r];
            util_near(got, g_reference.y[((b * 4 + side * 2 + 1) * A + a) * R + r], 2e-6);
            sum[side][side ? r : a] += got;
        }
        for (size_t i = 0; i < A + R; i++) util_near(sum[i / A][i % A], 1, 2e-6);
    }
    close_method(method, &s);
}

/* Rounding is off by u / 2: a product of x, v and w, and of q again, by 2 u, psi by that and 2 u more
 * through the logits, at most and of the largest. In the gradients the sums over many images and
 * regions leave less than u of this; rounding dQ and what it is multiplied with adds another u. */
static void bf16_is_close(void **state) {
    (void)state;
    static const char *const sets[] = {"lambda=2", "eta=0.2", NULL};
    util_scene s;
    double losses[UN_MAX_LOSSES];
    un_method *exact = open_method(&s, &g_shapes[0], 30, sets);
    un_method *rounded = make_method(&s, sets, UN_PRECISION_BF16);
    const msdn_batch *x = &((msdn *)exact)->batch, *y = &((msdn *)rounded)->batch;
    set_parameters(rounded, DENSE);
    util_ok(un_method_msdn.learner->step(exact, 0, 0, losses));
    util_ok(un_method_msdn.learner->step(rounded, 0, 0, losses));
    for (size_t k = 0; k < 2 + PIECES; k++) {
        const un_param *item = exact->params.item;
        const float *a =
            k < 2 ? (k ? x->look.psi2 : x->look.psi) : un_param_grad(&exact->params, k - 2);
        const float *b =
            k < 2 ? (k ? y->look.psi2 : y->look.psi) : un_param_grad(&rounded->params, k - 2);
        double gap = 0, largest = 0, u = 0x1p-8;
        for (size_t i = 0; i < (k < 2 ? x->look.images * item->shape[0] : item[k - 2].count); i++) {
            gap = fmax(gap, fabs((double)a[i] - (double)b[i]));
            largest = fmax(largest, fabs((double)a[i]));
        }
        util_near(gap, 0, (k < 2 ? 4 : 2) * u * largest);
        assert_true(gap > 0.05 * u * largest); /* it did compute in bf16 */
    }
    un_method_msdn.destroy(rounded);
    close_method(exact, &s);
}

/* Batches of more regions than are multiplied at a time, from features of either type. What is
 * wrong in a group is wrong as a whole; rounding leaves up to 4 u, with so few features. */
static void groups_of_images_add_up(void **state) {
    (void)state;
    static const char *const sets[] = {"batch=220", "lambda=2", "eta=0.2", NULL};
    const shape many = {"many regions", 5, 3, 11, 49, 2, DENSE};
    util_scene s;
    double losses[UN_MAX_LOSSES];
    un_bf16 *rows = NULL;
    un_method *exact = open_method(&s, &many, 400, sets);
    size_t count = s.features.image_count * many.R * many.F;
    util_ok(un_alloc(count, sizeof *rows, &rows));
    for (size_t i = 0; i < count; i++) rows[i] = un_bf16_from_float(s.rows[i]);
    util_ok(un_method_msdn.learner->step(exact, 0, 0, losses));
    assert_true(((msdn *)exact)->draws.size * many.R > 3 * 3136);
    for (int k = 0; k < 2; k++) {
        if (k > 0) {
            s.features.dtype = UN_BF16;
            s.features.data = (const unsigned char *)rows;
            s.features.row_bytes /= 2;
        }
        un_method *rounded = make_method(&s, sets, UN_PRECISION_BF16);
        set_parameters(rounded, DENSE);
        util_ok(un_method_msdn.learner->step(rounded, 0, 0, losses));
        for (size_t j = 0; j < PIECES; j++) {
            const float *a = un_param_grad(&exact->params, j);
            const float *b = un_param_grad(&rounded->params, j);
            double gap = 0, largest = 0;
            for (size_t i = 0; i < exact->params.item[j].count; i++) {
                gap = fmax(gap, fabs((double)a[i] - (double)b[i]));
                largest = fmax(largest, fabs((double)a[i]));
            }
            util_near(gap, 0, 8 * 0x1p-8 * largest);
        }
        un_method_msdn.destroy(rounded);
    }
    free(rows);
    close_method(exact, &s);
}

static void mistakes_fail_with_a_sentence(void **state) {
    (void)state;
    util_scene s;
    float scores[C];
    un_method *method = open_method(&s, &g_shapes[0], 9, NULL);
    util_fails(un_method_msdn.score(method, s.rows, 1, scores), UNSEEN_E_ARGUMENT, "no classes");
    un_class_table wrong = s.classes;
    wrong.semantics[0].width--;
    util_fails(un_method_msdn.set_classes(method, &wrong), UNSEEN_E_ARGUMENT, "of 19 values");
    check_scores(method, &s, &s.classes, 3); /* still works */
    close_method(method, &s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_follow_the_definition),
        cmocka_unit_test(initial_values),
        cmocka_unit_test(one_hot_vectors),
        cmocka_unit_test(training_follows_the_definition),
        cmocka_unit_test(scores_are_the_fused_branches),
        cmocka_unit_test(attention_maps),
        cmocka_unit_test(bf16_is_close),
        cmocka_unit_test(groups_of_images_add_up),
        cmocka_unit_test(mistakes_fail_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
