/* score.c - scores of ESZSL, and the attributes that they are made of. See eszsl.h. */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "base/status.h"
#include "method/eszsl/eszsl.h"
#include "tensor/kernels.h"
#include "tensor/linear_algebra.h"

enum { SCORE_IMAGES = 256 };

/* ---- features and classes as the method sees them ---- */

typedef struct {
    const eszsl *e;
    const float *features;
    float *out;
} represent_job;

static void represent_range(size_t begin, size_t end, void *context) {
    const represent_job *job = context;
    size_t F = job->e->F;
    size_t R = job->e->R;
    for (size_t i = begin; i < end; i++)
        un_mean_row(job->features + i * R * F, R, F, job->out + i * F);
}

void un_eszsl_represent(const eszsl *e, const float *features, size_t n, float *out) {
    represent_job job = {e, features, out};
    un_parallel_for(n, 1 + 65536 / (e->R * e->F), represent_range, &job);
    if (e->settings.unit_features) un_normalize_rows(out, n, e->F, 1e-12f, NULL);
}

void un_eszsl_describe(const eszsl *e, const float *values, size_t count, float *out) {
    memcpy(out, values, count * e->A * sizeof *out);
    if (e->settings.unit_classes) un_normalize_rows(out, count, e->A, 1e-12f, NULL);
}

/* ---- what scores need of the classes ----
 *
 * The score x V s + constant is a product of the image's F features and the class's prototype V s.
 * Prototypes lie in the A columns of V: with Q = V L^-T, where L L' = V'V, it is (x Q) (L' s) as
 * well, a product of A values, for which x Q is made once an image. Both factors are as large as
 * |x| and |V s|, so f32 loses nothing: Q has columns of length 1, and what cancels in V s cancels
 * in double, in L' s. */

void un_eszsl_free_scoring(eszsl *e) {
    un_packed_free(e->packed);
    un_packed_free(e->basis);
    free(e->rows);
    free(e->constant);
    e->packed = e->basis = NULL;
    e->rows = e->constant = NULL;
    e->scored = 0;
}

/* Whether the products that make Q and L' s take less than those that make V s; one for images is
 * the shorter then as well. */
static int is_basis_worth(const eszsl *e) {
    double A = (double)e->A, F = (double)e->F, C = (double)e->scored;
    return A * (C + 2 * F) <= C * F;
}

/* Q of v (F, A), packed, and L in l (A, A), which is 0 at first. v is overwritten. */
static un_status make_basis(eszsl *e, double *v, double *l) {
    size_t A = e->A, F = e->F;
    double trace = 0;
    float *q = NULL;
    un_status status = UNSEEN_OK;
    const un_gemm64_args square = {.m = A,
                                   .n = A,
                                   .k = F,
                                   .alpha = 1,
                                   .a = v,
                                   .a_row = 1,
                                   .a_column = A,
                                   .b = v,
                                   .b_row = A,
                                   .b_column = 1,
                                   .c = l,
                                   .ldc = A,
                                   .lower = 1};
    UN_GO(un_alloc(F * A, sizeof *q, &q));
    UN_GO(un_gemm64(&square));
    for (size_t i = 0; i < A; i++) trace += l[i * A + i];
    /* V may have fewer directions than columns, beyond rounding: those that this adds to have 1e-7
     * of its length, and Q L' = V all the same. */
    for (size_t i = 0; i < A; i++) l[i * A + i] += 64 * DBL_EPSILON * trace + DBL_MIN;
    UN_GO(un_cholesky(l, A));
    UN_GO(un_cholesky_whiten(l, A, v, F));
    for (size_t i = 0; i < F * A; i++) q[i] = (float)v[i];
    UN_GO(un_gemm_pack(&e->basis, UN_F32, 0, SCORE_IMAGES, A, F, q, 0));
    for (size_t i = 0; i < A; i++)
        for (size_t j = i + 1; j < A; j++) l[i * A + j] = 0;
done:
    free(q);
    return status;
}

/* What images are multiplied with: S V' (C, F), or S L (C, A) where Q is worth it. In double; a
 * large V may cancel in it. */
static un_status make_prototypes(eszsl *e) {
    const float *value = un_param_value(&e->base.params, e->v);
    const int through_basis = is_basis_worth(e);
    size_t A = e->A, F = e->F, C = e->scored, width = through_basis ? A : F;
    double *v = NULL, *l = NULL, *s = NULL, *product = NULL;
    float *out = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(F * A, sizeof *v, &v));
    UN_GO(un_alloc(A * A, sizeof *l, &l));
    UN_GO(un_alloc(C * A, sizeof *s, &s));
    UN_GO(un_alloc(C * width, sizeof *product, &product));
    UN_GO(un_alloc(C * width, sizeof *out, &out));
    for (size_t i = 0; i < F * A; i++) v[i] = (double)value[i];
    for (size_t i = 0; i < C * A; i++) s[i] = (double)e->rows[i];
    if (through_basis) UN_GO(make_basis(e, v, l));
    const un_gemm64_args args = {.m = C,
                                 .n = width,
                                 .k = A,
                                 .alpha = 1,
                                 .a = s,
                                 .a_row = A,
                                 .a_column = 1,
                                 .b = through_basis ? l : v,
                                 .b_row = through_basis ? A : 1,
                                 .b_column = through_basis ? 1 : A,
                                 .c = product,
                                 .ldc = width};
    UN_GO(un_gemm64(&args));
    for (size_t i = 0; i < C * width; i++) out[i] = (float)product[i];
    UN_GO(un_gemm_pack(&e->packed, UN_F32, 1, SCORE_IMAGES, C, width, out, 0));
done:
    free(v);
    free(l);
    free(s);
    free(product);
    free(out);
    return status;
}

un_status un_eszsl_set_classes(un_method *method, const un_class_table *classes) {
    eszsl *e = (eszsl *)method;
    const un_class_semantics *semantics = &classes->semantics[0];
    if (classes->count == 0) return un_fail(UNSEEN_E_ARGUMENT, "there are no classes to score");
    if (classes->semantics_count != 1 || semantics->width != e->A)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "the model needs one semantics of %zu values; \"%s\" has %zu (of %zu "
                       "semantics)",
                       e->A, semantics->name, semantics->width, classes->semantics_count);
    const float *offset = un_param_value(&e->base.params, e->offset);
    un_status status = UNSEEN_OK;
    un_eszsl_free_scoring(e);
    e->scored = classes->count;
    UN_GO(un_alloc(e->scored * e->A, sizeof(float), &e->rows));
    UN_GO(un_alloc(e->scored, sizeof(float), &e->constant));
    un_eszsl_describe(e, semantics->values, e->scored, e->rows);
    for (size_t c = 0; c < e->scored; c++)
        e->constant[c] = (float)un_dot(e->rows + c * e->A, offset, e->A);
    UN_GO(make_prototypes(e));
done:
    if (status) un_eszsl_free_scoring(e);
    return status;
}

/* ---- scores ---- */

/* Of n images, at most SCORE_IMAGES; x (n, F) and z (n, A) are scratch. */
static un_status score_images(const eszsl *e, const float *features, size_t n, float *x, float *z,
                              float *scores) {
    un_eszsl_represent(e, features, n, x);
    if (e->basis) {
        const un_gemm_args project = {.m = n,
                                      .n = e->A,
                                      .k = e->F,
                                      .input = UN_F32,
                                      .output = UN_F32,
                                      .a = x,
                                      .packed = e->basis,
                                      .c = z};
        UN_TRY(un_gemm(&project));
    }
    const un_gemm_args product = {.m = n,
                                  .n = e->scored,
                                  .k = e->basis ? e->A : e->F,
                                  .input = UN_F32,
                                  .output = UN_F32,
                                  .a = e->basis ? z : x,
                                  .packed = e->packed,
                                  .c = scores,
                                  .bias = e->constant};
    return un_gemm(&product);
}

un_status un_eszsl_score(un_method *method, const float *features, size_t n, float *scores) {
    const eszsl *e = (const eszsl *)method;
    if (!e->packed) return un_fail(UNSEEN_E_ARGUMENT, "no classes were set before scoring");
    size_t most = n < SCORE_IMAGES ? n : SCORE_IMAGES;
    float *x = NULL, *z = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(most * e->F, sizeof *x, &x));
    UN_GO(un_alloc(most * e->A, sizeof *z, &z));
    for (size_t at = 0; at < n; at += most) {
        size_t count = n - at < most ? n - at : most;
        UN_GO(score_images(e, features + at * e->R * e->F, count, x, z, scores + at * e->scored));
    }
done:
    free(x);
    free(z);
    return status;
}

/* In double, as few as the attributes of one image are. */
un_status un_eszsl_attributes(un_method *method, const float *features, float *out) {
    const eszsl *e = (const eszsl *)method;
    const float *v = un_param_value(&e->base.params, e->v);
    const float *offset = un_param_value(&e->base.params, e->offset);
    float *x = NULL;
    double *sum = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(e->F, sizeof *x, &x));
    UN_GO(un_alloc(e->A, sizeof *sum, &sum));
    un_eszsl_represent(e, features, 1, x);
    for (size_t i = 0; i < e->A; i++) sum[i] = (double)offset[i];
    for (size_t j = 0; j < e->F; j++)
        for (size_t i = 0; i < e->A; i++) sum[i] += (double)x[j] * (double)v[j * e->A + i];
    for (size_t i = 0; i < e->A; i++) out[i] = (float)sum[i];
done:
    free(x);
    free(sum);
    return status;
}
