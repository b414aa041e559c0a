/*
 * params.h - the parameters of a method, one flat array and named pieces of it, and the
 * optimisers that change them.
 *
 * Values and gradients lie in two arrays of the same layout, so that an
 * optimiser, a checkpoint or a sum over machines need not know the pieces. Each
 * piece starts on a multiple of 16 elements; the gaps stay 0 in value and gradient.
 * Fixed pieces, which come from the data and not from steps, lie behind the trained
 * ones and have no gradient: they may be large.
 */
#ifndef UN_NN_PARAMS_H
#define UN_NN_PARAMS_H

#include "base/arena.h"
#include "tensor/gemm.h"

/* Two large transformers have under a thousand. */
enum { UN_MAX_PARAMS = 4096 };

typedef struct {
    const char *name; /* "fc1.weight" */
    int rank;
    size_t shape[UN_MAX_RANK];
    size_t count;  /* product(shape) */
    size_t offset; /* in the flat arrays */
    float decay;   /* L2: loss += decay/2 * sum p^2 */
    size_t n, k;   /* of the matrix that begins here, see un_param_begins_matrix; 0: none does */
} un_param;

/* The offset of a piece that has no value of its own; see un_params_allocate_packed. */
#define UN_NO_VALUE SIZE_MAX

typedef struct un_param_panels un_param_panels;
typedef struct un_param_values un_param_values;

/* Who is told during a backward pass what is done with: trained elements from `from` on, none where
 * that is SIZE_MAX; see un_params_ready. */
typedef struct {
    un_status (*ready)(void *context, size_t from); /* NULL: nobody */
    void *context;
} un_params_watch;

typedef struct {
    size_t count;
    un_param *item;   /* [count]; moves when pieces are added */
    size_t capacity;  /* of item */
    size_t total;     /* elements of value */
    size_t trained;   /* of them, those that an optimiser moves: they come first */
    int has_fixed;    /* a piece that stays as it is was declared */
    size_t available; /* elements of all pieces that a file has; 0: they come from elsewhere */
    float *value;     /* [total] */
    un_param_values *values; /* who else has them */
    float *grad;             /* [trained], NULL when only predicting */
    un_bf16 *value16; /* [trained], kept by the optimiser; NULL in f32 and when only predicting */
    un_param_panels **panels; /* [count]: when only predicting in bf16, packed weights instead */
    int packed;               /* these are all that there is of them */
    un_params_watch watch;
    int unfinished; /* gradients are added to by one more backward pass of this step, at least */
    un_arena arena;
} un_params;

/* Declares a piece; `name` is copied. Returns its number through *index. */
un_status un_params_add(un_params *params, const char *name, int rank, const size_t *shape,
                        float decay, size_t *index);
/* The same of a piece that is computed, not trained: it has a value only, and travels with the
 * others in checkpoints and models. Fixed pieces are declared after all trained ones. */
un_status un_params_add_fixed(un_params *params, const char *name, int rank, const size_t *shape,
                              size_t *index);
/* Allocates zeroed values; gradients if `training`; if `bf16`, what bf16 products read: in training
 * a copy of all values, else each weight packed when it is first asked for. UNSEEN_E_FORMAT if more
 * is declared than is available: before any memory is taken for it. */
un_status un_params_allocate(un_params *params, int training, int bf16);
/* Piece `index` and those behind it, as far as they go, are one matrix (n, k) that layers multiply
 * with, rows first. Said of every such matrix, so that nothing else need be kept of it. */
void un_param_begins_matrix(const un_params *params, size_t index, size_t n, size_t k);
/* The same for a set that only predicts in bf16, and whose pieces are loaded once (un_param_load) and
 * never asked for: of the declared matrices nothing but the panels that products read comes to be, each
 * when its last piece is loaded. They have no value, and no place in the flat array. */
un_status un_params_allocate_packed(un_params *params);
/* Piece `index`, which has no value of its own, from f32: [count]. */
un_status un_param_pack(const un_params *params, size_t index, const float *values);
/* A set for prediction takes the values of another one of the same pieces in the place of its own:
 * they are in memory once, and nobody changes them from now on. */
un_status un_params_share(un_params *params, const un_params *from);
void un_params_free(un_params *params);

/* NULL if the piece is packed and has none. */
float *un_param_value(const un_params *params, size_t index);
float *un_param_grad(const un_params *params, size_t index);
/* What a GEMM of the given type reads: the bf16 copy (of trained pieces) or the values. NULL in bf16
 * when only predicting: un_param_packed has it then. */
const void *un_param_operand(const un_params *params, size_t index, un_dtype type);
/* A weight as the packed bf16 operand op(B) (k, n) of un_gemm_args, `trans_b` as there; it begins
 * where piece `index` does and may go over the next ones. *out stays the set's. NULL in training:
 * values change with every step, and packing them apart saves nothing. */
un_status un_param_packed(const un_params *params, size_t index, int trans_b, size_t n, size_t k,
                          const un_packed **out);
/* Brings what bf16 products read up to date after values were set from outside. */
void un_params_refresh(un_params *params);
/* The same after trained values begin .. end-1 alone were set. */
void un_params_refresh_part(un_params *params, size_t begin, size_t end);

/* A backward pass says that it is done with piece `index` and all behind it: in this step nothing is
 * added to their gradients any more, and nobody reads their values, so that whoever watches may
 * already move these. Layers are declared in the order in which they compute and go back in the
 * opposite one. Nothing happens while the set is `unfinished`. By the thread that does the step. */
un_status un_params_ready(const un_params *params, size_t index);
/* Lets whoever watches work in between, with no news. */
un_status un_params_poll(const un_params *params);

/* ---- Adam (two forms) and RMSprop over a flat parameter set.
 *
 *   adam     torch.optim.Adam:  p -= lr/(1 - b1^t) m / (sqrt(v / (1 - b2^t)) + eps)
 *   adam_tf  TensorFlow's:      p -= lr sqrt(1 - b2^t)/(1 - b1^t) m / (sqrt(v) + eps)
 *   rmsprop  torch.optim.RMSprop, not centred: v = a v + (1 - a) g^2,
 *            u = g/(sqrt(v) + eps), b = momentum b + u, p -= lr b (u if momentum is 0)
 *
 * g includes the L2 term decay * p of each piece (un_param.decay). ---- */

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
    size_t total;   /* elements of a state array: all trained ones, or those that it moves */
    float *first;   /* m, or the momentum buffer; NULL if there is none */
    float *second;  /* v */
    un_arena arena;
} un_optimizer;

/* Zero state for `params`, which must be allocated. */
un_status un_optimizer_create(un_optimizer *optimizer, const un_optimizer_settings *settings,
                              const un_params *params);
/* The same for `total` elements, those that this process moves, by un_optimizer_move. */
un_status un_optimizer_create_part(un_optimizer *optimizer, const un_optimizer_settings *settings,
                                   size_t total);
void un_optimizer_free(un_optimizer *optimizer);

/* Back to the state that un_optimizer_create made. */
void un_optimizer_restart(un_optimizer *optimizer);

/* One update of all parameters from their gradients, and of their bf16 copy.
 * Returns their L2 term sum decay/2 |p|^2 as it was before the update. */
double un_optimizer_step(un_optimizer *optimizer, un_params *params);
/* A part of an update: elements begin .. end-1, whose state begins at element `state`; begin is a
 * multiple of 16, and so is end unless it is that of all. The update is number optimizer->steps,
 * which the caller counts up before the first part. Returns the L2 term of these. */
double un_optimizer_move(un_optimizer *optimizer, un_params *params, size_t begin, size_t end,
                         size_t state);

#endif
