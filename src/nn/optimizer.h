/*
 * optimizer.h - Adam (two forms) and RMSprop over a flat parameter set.
 *
 *   adam     torch.optim.Adam:  p -= lr/(1 - b1^t) m / (sqrt(v / (1 - b2^t)) + eps)
 *   adam_tf  TensorFlow's:      p -= lr sqrt(1 - b2^t)/(1 - b1^t) m / (sqrt(v) + eps)
 *   rmsprop  torch.optim.RMSprop, not centred: v = a v + (1 - a) g^2,
 *            u = g/(sqrt(v) + eps), b = momentum b + u, p -= lr b (u if momentum is 0)
 *
 * g includes the L2 term decay * p of each piece (un_param.decay).
 */
#ifndef UN_NN_OPTIMIZER_H
#define UN_NN_OPTIMIZER_H

#include "nn/params.h"

typedef enum { UN_ADAM, UN_ADAM_TF, UN_RMSPROP } un_optimizer_kind;

typedef struct {
    un_optimizer_kind kind;
    double lr;
    double beta1; /* Adam */
    double beta2; /* Adam; RMSprop's alpha */
    double epsilon;
    double momentum; /* RMSprop */
    int fresh;       /* its state begins anew with every epoch: whoever counts epochs sees to it */
} un_optimizer_settings;

typedef struct {
    un_optimizer_settings settings;
    uint64_t steps; /* done so far */
    size_t total;   /* elements of a state array */
    float *first;   /* m, or the momentum buffer; NULL if there is none */
    float *second;  /* v */
    un_arena arena;
} un_optimizer;

/* Zero state for `params`, which must be allocated. */
un_status un_optimizer_create(un_optimizer *optimizer, const un_optimizer_settings *settings,
                              const un_params *params);
void un_optimizer_free(un_optimizer *optimizer);

/* Back to the state that un_optimizer_create made. */
void un_optimizer_restart(un_optimizer *optimizer);

/* One update of all trained parameters from their gradients, and of the bf16 copy.
 * Returns the L2 term sum decay/2 |p|^2 as it was before the update. */
double un_optimizer_step(un_optimizer *optimizer, un_params *params);

#endif
