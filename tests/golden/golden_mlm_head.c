/*
 * golden_mlm_head.c - the head for masked words against DUET's BertOnlyMLMHead: logits,
 * the published loss and the loss over masked positions, and the gradients of both.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "method/duet/network.h"
#include "nn/loss.h"

typedef struct {
    un_params params;
    duet_mlm_head head;
    duet_mlm_pass pass;
    size_t B, L, H, V, rows;
    float *hidden, *weight, *dlogits, *dhidden;
    int64_t *labels, *masked;
    double *row_weight, *losses;
} scene;

static un_status make(golden *g, scene *s) {
    UN_TRY(golden_dimension(g, "out.logits", 3, 0, &s->B));
    UN_TRY(golden_dimension(g, "out.logits", 3, 1, &s->L));
    UN_TRY(golden_dimension(g, "out.logits", 3, 2, &s->V));
    UN_TRY(golden_dimension(g, "in.hidden", 3, 2, &s->H));
    s->rows = s->B * s->L;
    UN_TRY(un_duet_mlm_declare(&s->head, &s->params, "cls.", s->H, s->V, 1e-12f));
    UN_TRY(un_params_allocate(&s->params, 1, g->type == UN_BF16));
    UN_TRY(golden_load_params(g, &s->params, 0, s->params.count));
    un_params_refresh(&s->params);
    UN_TRY(golden_f32(g, "in.hidden", s->rows * s->H, &s->hidden));
    UN_TRY(golden_f32(g, "in.weight", s->B, &s->weight));
    UN_TRY(golden_i64(g, "in.labels", s->rows, &s->labels));
    UN_TRY(golden_i64(g, "in.masked", s->rows, &s->masked));
    UN_TRY(un_arena_alloc(&g->arena, s->rows * s->V, sizeof(float), &s->dlogits));
    UN_TRY(un_arena_alloc(&g->arena, s->rows * s->H, sizeof(float), &s->dhidden));
    UN_TRY(un_arena_alloc(&g->arena, s->rows, sizeof(double), &s->row_weight));
    UN_TRY(un_arena_alloc(&g->arena, s->rows, sizeof(double), &s->losses));
    return un_duet_mlm_pass_create(&s->pass, &s->head, g->type, 1);
}

static un_status compare(golden *g, const char *name, const double *values, size_t n) {
    double *reference = NULL;
    UN_TRY(golden_f64(g, name, n, &reference));
    golden_compare(g, name, values, reference, n, GOLDEN_OUTPUT);
    return UNSEEN_OK;
}

/* One of the two losses and its gradients, behind weights of rows. */
static un_status check_loss(golden *g, scene *s, const float *logits, const char *loss_name,
                            const char *prefix) {
    char name[64];
    double loss =
        un_cross_entropy(logits, s->labels, s->row_weight, s->rows, s->V, s->losses, s->dlogits);
    UN_TRY(compare(g, loss_name, &loss, 1));
    memset(s->params.grad, 0, s->params.total * sizeof(float));
    UN_TRY(un_duet_mlm_backward(&s->pass, &s->params, s->dlogits, s->dhidden, 0));
    UN_TRY(golden_compare_grads(g, &s->params, prefix));
    snprintf(name, sizeof name, "%sin.hidden", prefix);
    return golden_compare_f32(g, name, s->dhidden, s->rows * s->H, GOLDEN_GRADIENT);
}

static un_status run(golden *g, scene *s) {
    float *logits = NULL;
    double *mean = NULL, masked_count = 0;
    UN_TRY(un_arena_alloc(&g->arena, s->B, sizeof *mean, &mean));
    UN_TRY(un_duet_mlm_forward(&s->pass, &s->params, s->hidden, s->rows, &logits));
    UN_TRY(golden_compare_f32(g, "out.logits", logits, s->rows * s->V, GOLDEN_OUTPUT));
    for (size_t r = 0; r < s->rows; r++)
        s->row_weight[r] = 3 * (double)s->weight[r / s->L] / (double)s->L;
    UN_TRY(check_loss(g, s, logits, "loss.mlm_official", "grad."));
    for (size_t r = 0; r < s->rows; r++) mean[r / s->L] += s->losses[r] / (double)s->L;
    UN_TRY(compare(g, "loss.ce_per_sample", mean, s->B));
    for (size_t r = 0; r < s->rows; r++) masked_count += s->masked[r] ? 1 : 0;
    for (size_t r = 0; r < s->rows; r++) s->row_weight[r] = s->masked[r] ? 1 / masked_count : 0;
    UN_TRY(check_loss(g, s, logits, "loss.ce_masked", "grad_masked."));
    for (size_t b = 0; b < s->B; b++) {
        double sum = 0, count = 0;
        for (size_t r = b * s->L; r < (b + 1) * s->L; r++) {
            sum += s->masked[r] ? s->losses[r] : 0;
            count += s->masked[r] ? 1 : 0;
        }
        mean[b] = sum / count;
    }
    return compare(g, "loss.ce_masked_per_sample", mean, s->B);
}

un_status golden_check_mlm_head(golden *g) {
    scene s = {0};
    un_status status = make(g, &s);
    if (!status) status = run(g, &s);
    un_duet_mlm_pass_free(&s.pass);
    un_params_free(&s.params);
    return status;
}
