/* cnzsl_network.c - CNZSL's class network, forward and backward. See cnzsl.h. */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "base/status.h"
#include "method/cnzsl/cnzsl.h"
#include "nn/naming.h"
#include "tensor/kernels.h"

/* What a step's statistics weigh in the running ones, as published. */
static const float SHARE = 0.1F;
/* A shorter prototype or description counts as this long: cosine and gradient are then 0. */
static const float SHORTEST = 1e-12F;

static un_status declare_layer(cnzsl *n, const char *name, size_t in, size_t out, un_dense *layer) {
    un_params *p = &n->base.params;
    UN_TRY(un_dense_declare(layer, p, name, in, out));
    p->item[layer->weight].decay = p->item[layer->bias].decay = (float)n->settings.decay;
    return UNSEEN_OK;
}

/* Steps write the running statistics, which no optimiser moves: being parameters, they travel with
 * checkpoint and model. */
static un_status declare_statistics(cnzsl *n, const char *number, size_t place) {
    un_params *p = &n->base.params;
    const size_t h = n->settings.hidden;
    char name[UN_NAME_LENGTH];
    UN_TRY(un_name(name, "running_mean.%s", number));
    UN_TRY(un_params_add_fixed(p, name, 1, &h, &n->running_mean[place]));
    UN_TRY(un_name(name, "running_var.%s", number));
    return un_params_add_fixed(p, name, 1, &h, &n->running_variance[place]);
}

un_status un_cnzsl_network_declare(cnzsl *n) {
    size_t h = n->settings.hidden;
    UN_TRY(declare_layer(n, "fc1", n->A, h, &n->fc1));
    UN_TRY(declare_layer(n, "fc2", h, h, &n->fc2));
    UN_TRY(declare_layer(n, "fc3", h, n->visual, &n->fc3));
    UN_TRY(declare_statistics(n, "1", 0));
    UN_TRY(declare_statistics(n, "2", 1));
    return un_pooled_declare(&n->pooled, &n->base.params);
}

/* As published: torch's Linear, but for the last matrix, whose variance 1 / (h D) keeps that of a
 * prototype's values at 1 / D behind standardised inputs (the paper's section 3.3). */
void un_cnzsl_network_initialize(cnzsl *n, uint64_t seed) {
    const un_params *p = &n->base.params;
    const un_dense *const layers[] = {&n->fc1, &n->fc2, &n->fc3};
    for (size_t i = 0; i < 3; i++)
        un_param_initialize_linear(p, layers[i]->weight, layers[i]->bias, seed, "init", i);
    un_rng rng = un_rng_stream(seed, "init", 3);
    double bound = sqrt(3 / ((double)n->fc3.in * (double)n->fc3.out));
    un_rng_fill_uniform(&rng, un_param_value(p, n->fc3.weight), n->fc3.in * n->fc3.out, -bound,
                        bound);
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < n->settings.hidden; i++)
            un_param_value(p, n->running_variance[k])[i] = 1;
}

un_status un_cnzsl_pass_create(const cnzsl *n, cnzsl_pass *pass, un_arena *arena, size_t rows,
                               int training) {
    size_t h = n->settings.hidden, f = sizeof(float);
    float **const hidden[] = {&pass->h1,   &pass->u,    &pass->s1,  &pass->h2,  &pass->s2,
                              &pass->d_s2, &pass->d_h2, &pass->d_u, &pass->d_h1};
    enum { FORWARD = 5, ALL = 9 };
    *pass = (cnzsl_pass){.rows = rows, .own = un_part_of(training ? n->ranks : NULL, rows)};
    UN_TRY(un_arena_alloc(arena, rows * n->A, f, &pass->input));
    for (size_t i = 0; i < (training ? ALL : FORWARD); i++)
        UN_TRY(un_arena_alloc(arena, rows * h, f, hidden[i]));
    UN_TRY(un_arena_alloc(arena, rows * n->visual, f, &pass->prototype));
    UN_TRY(un_arena_alloc(arena, rows, f, &pass->norm));
    if (!training) return UNSEEN_OK;
    for (size_t k = 0; k < 2; k++) {
        UN_TRY(un_arena_alloc(arena, h, f, &pass->mean[k]));
        UN_TRY(un_arena_alloc(arena, h, f, &pass->variance[k]));
    }
    return un_arena_alloc(arena, rows * n->visual, f, &pass->d_prototype);
}

void un_cnzsl_input(const cnzsl *n, const cnzsl_pass *pass, size_t row,
                    const un_class_table *classes, size_t class) {
    float *out = pass->input + row * n->A;
    for (size_t m = 0; m < n->semantics_count; out += n->width[m++]) {
        size_t width = n->width[m];
        memcpy(out, classes->semantics[m].values + class * width, width * sizeof *out);
        un_normalize_rows(out, 1, width, SHORTEST, NULL);
        un_scale((float)(n->settings.modality_scale[m] * sqrt((double)width)), out, width);
    }
}

/* N1 (k = 0) or N2 of z (rows, h) into s. */
static void standardise(cnzsl *n, cnzsl_pass *pass, size_t k, const float *z, size_t rows,
                        int training, float *s) {
    const un_params *p = &n->base.params;
    size_t h = n->settings.hidden;
    float *mean = un_param_value(p, n->running_mean[k]);
    float *variance = un_param_value(p, n->running_variance[k]);
    if (!training) {
        un_standardise_by(n->settings.form, z, rows, h, mean, variance, s);
        return;
    }
    un_standardise(n->settings.form, z, rows, h, pass->mean[k], pass->variance[k], s);
    for (size_t i = 0; i < h; i++) {
        mean[i] += SHARE * (pass->mean[k][i] - mean[i]);
        variance[i] += SHARE * (pass->variance[k][i] - variance[i]);
    }
}

un_status un_cnzsl_forward(cnzsl *n, cnzsl_pass *pass, size_t rows, int training) {
    const un_params *p = &n->base.params;
    size_t h = n->settings.hidden, D = n->visual;
    const un_part own = training ? pass->own : un_part_of(NULL, rows);
    size_t at = own.first * h;
    UN_TRY(un_dense_forward(&n->fc1, p, UN_F32, pass->input + own.first * n->A, own.count,
                            UN_DENSE_RELU, pass->h1 + at, 0, UN_F32));
    UN_TRY(un_dense_forward(&n->fc2, p, UN_F32, pass->h1 + at, own.count, UN_DENSE_PLAIN,
                            pass->u + at, 0, UN_F32));
    /* Statistics are those of all classes. */
    UN_TRY(un_part_gather(&own, h, pass->h1));
    UN_TRY(un_part_gather(&own, h, pass->u));
    standardise(n, pass, 0, pass->u, rows, training, pass->s1);
    for (size_t i = 0; i < rows * h; i++) pass->h2[i] = pass->s1[i] > 0 ? pass->s1[i] : 0;
    standardise(n, pass, 1, pass->h2, rows, training, pass->s2);
    UN_TRY(un_dense_forward(&n->fc3, p, UN_F32, pass->s2 + at, own.count,
                            n->settings.final_relu ? UN_DENSE_RELU : UN_DENSE_PLAIN,
                            pass->prototype + own.first * D, 0, UN_F32));
    return un_part_gather(&own, D, pass->prototype);
}

void un_cnzsl_normalise(const cnzsl *n, cnzsl_pass *pass, size_t rows) {
    un_normalize_rows(pass->prototype, rows, n->visual, SHORTEST, pass->norm);
}

/* From the unit prototypes to what came out of fc3. */
static void backward_prototypes(const cnzsl *n, cnzsl_pass *pass) {
    size_t D = n->visual;
    float *d = pass->d_prototype;
    un_normalize_rows_backward(pass->prototype, pass->norm, pass->rows, D, SHORTEST, d);
    for (size_t r = 0; r < pass->rows; r++)
        if (!(pass->norm[r] > SHORTEST)) memset(d + r * D, 0, D * sizeof *d);
    if (n->settings.final_relu) un_relu_backward(pass->prototype, UN_F32, d, pass->rows * D);
}

/* From dy of a layer to its gradients and that of its input x, of this rank's rows; dx NULL: not
 * wanted. */
static un_status backward_layer(const cnzsl *n, const un_dense *layer, const cnzsl_pass *pass,
                                const float *x, const float *dy, float *dx) {
    size_t first = pass->own.first;
    const un_dense_gradient g = {.x = x + first * layer->in,
                                 .dy = dy + first * layer->out,
                                 .rows = pass->own.count,
                                 .replace = 1,
                                 .dx = dx ? dx + first * layer->in : NULL};
    return un_dense_backward(layer, &n->base.params, UN_F32, &g);
}

/* What moves a column of u alike for all classes has no effect, since its mean is subtracted: the
 * bias of fc2, and that of a unit of fc1 that is open for all of them. Exactly 0: of what is left
 * of rounding Adam would make steps of full size. */
static void clear_without_effect(const cnzsl *n, const cnzsl_pass *pass) {
    size_t h = n->settings.hidden;
    float *first = un_param_grad(&n->base.params, n->fc1.bias);
    memset(un_param_grad(&n->base.params, n->fc2.bias), 0, h * sizeof(float));
    for (size_t i = 0; i < h; i++) {
        size_t r = 0;
        while (r < pass->rows && pass->h1[r * h + i] > 0) r++;
        if (r == pass->rows) first[i] = 0;
    }
}

un_status un_cnzsl_backward(cnzsl *n, cnzsl_pass *pass) {
    size_t h = n->settings.hidden, size = pass->rows * h;
    un_standardise_form form = n->settings.form;
    backward_prototypes(n, pass);
    UN_TRY(backward_layer(n, &n->fc3, pass, pass->s2, pass->d_prototype, pass->d_s2));
    UN_TRY(un_params_ready(&n->base.params, n->fc3.weight));
    UN_TRY(un_part_gather(&pass->own, h, pass->d_s2));
    un_standardise_backward(form, pass->h2, pass->rows, h, pass->d_s2, pass->d_h2);
    un_relu_backward(pass->h2, UN_F32, pass->d_h2, size);
    un_standardise_backward(form, pass->u, pass->rows, h, pass->d_h2, pass->d_u);
    UN_TRY(backward_layer(n, &n->fc2, pass, pass->h1, pass->d_u, pass->d_h1));
    size_t own = pass->own.first * h; /* the rest of d_h1 is other ranks' */
    un_relu_backward(pass->h1 + own, UN_F32, pass->d_h1 + own, pass->own.count * h);
    UN_TRY(backward_layer(n, &n->fc1, pass, pass->input, pass->d_h1, NULL));
    clear_without_effect(n, pass);
    return UNSEEN_OK;
}
