/*
 * dedn.h - the parts of DEDN (Rao et al.: "Dual Expert Distillation Network for Generalized
 * Zero-Shot Learning", IJCAI 2024), shared by the files of this folder and their tests only.
 *
 * Two experts of one construction score the attributes of an image and teach each other. The coarse
 * one is a single set of matrices for all attributes; the fine one has a set of its own for each
 * group of related attributes. A set has attribute vectors V (n, E) and looks twice at regions X
 * (R, F), each L2-normalised:
 *   regions:  S = X (V H_1)^T, P = softmax over regions of X (V H_2)^T;     psir_i = sum_r P_ri S_ri
 *   channels: T = V H_3 X,     Q = softmax over the F channels of V H_4 X;  psic_i = sum_f Q_if T_if
 * In training psi = psir + psic, in prediction c psir + (1 - c) psic; s = psi att^T + m for each
 * expert, and the score is e s1 + (1 - e) s2.
 *
 * Attributes of both experts are stacked to N = 2 A rows, those of the coarse expert first, then
 * those of the fine one group by group. Their region paths are one product with a folded matrix
 * (2 N, F), as MSDN's. Their channel paths are two products an image with matrices of 2 N rows, made
 * piece by piece: one makes the logits and T, the other sums Q and dpsic/dlogits over the channels,
 * which is all that the gradients need: neither Q nor T outlives its piece.
 *
 * Letters: A attributes, N stacked ones, C classes, R regions, F feature width, E vector width, B
 * images, G groups.
 */
#ifndef UN_METHOD_DEDN_H
#define UN_METHOD_DEDN_H

#include "method/class_rows.h"
#include "method/draws.h"
#include "method/method.h"
#include "method/part.h"
#include "method/region_attention.h"

enum { DEDN_SCORE_IMAGES = 32 }; /* that are scored at a time */

typedef enum { DEDN_COARSE, DEDN_FINE, DEDN_EXPERTS } dedn_expert;
typedef enum { DEDN_REGION, DEDN_CHANNEL, DEDN_PATHS } dedn_path;
typedef enum {
    DEDN_CE1,
    DEDN_CE2,
    DEDN_CAL1,
    DEDN_CAL2,
    DEDN_DISTILL,
    DEDN_ALIGN1,
    DEDN_ALIGN2,
    DEDN_LOSSES
} dedn_loss_term;

/* The settings as the configuration gives them, the same from creation on. */
typedef struct {
    int one_hot; /* V starts at the identity, E = A */
    int clip_negative;
    int expert[DEDN_EXPERTS], path[DEDN_PATHS]; /* which there are */
    double lambda, p_ce, p_crc, distance_epsilon, label_margin, seen_margin;
    double region_weight, coarse_weight; /* c and e of the paper */
    size_t bottleneck;                   /* b: H_1 is (E, b) (b, F); 0: not factored */
    un_draws_settings draws;
    un_optimizer_settings optimizer;
    float decay; /* L2 */
} dedn_settings;

/* Which group each attribute is of; a group has at least one. */
typedef struct {
    size_t count;     /* G */
    char **names;     /* [G] */
    size_t *group_of; /* [A] */
} dedn_groups;

/* Numbers of one set's parameters; those of a path or factor that there is not are never asked for. */
typedef struct {
    size_t first, rows;                    /* in the stack */
    size_t v, values, logits;              /* V; H_1 and H_2 of the region path */
    size_t factor;                         /* (b, F) behind H_1 (E, b) */
    size_t channel_values, channel_logits; /* (E, R) each */
} dedn_set;

/* What one thread makes a piece of the stack of an image with: about 1 MiB in f32, 6 in bf16. */
typedef struct {
    void *scaled;        /* (rows, R) u times the regions' factors, of the operand type */
    const void **blocks; /* where every 32 rows of it are */
    float *products;     /* (rows, F) logits and values, then Q and Q (T - psi) */
    un_bf16 *narrow;     /* (rows, F) the same in bf16 */
} dedn_channel_slot;

/* The channel path: its matrix, and what images are made with, some rows of one at a time. */
typedef struct {
    float *u, *du;       /* (2N, R): rows 2j and 2j + 1 are the logits' and the values' of row j */
    size_t rows, pieces; /* of a piece, an even number; of an image */
    size_t slots;
    dedn_channel_slot *slot; /* [slots] */
    un_arena arena;
} dedn_channels;

/* One step's buffers. */
typedef struct {
    const un_class_rows *classes;
    size_t first; /* row of psi, dpsi, s, ds of the first image of `look`, which may be a part */
    un_region_batch look;
    float *channel_psi, *channel_dpsi; /* (B, N) */
    float *sums; /* (B, 2N, R) Q X and (Q (T - psi)) X of each row, regions as they lie; one image's
                       when only predicting */
    float *psi[DEDN_EXPERTS][DEDN_PATHS];      /* (B, A) in the attributes' order */
    float *dpsi[DEDN_EXPERTS][DEDN_PATHS];     /* training only, as below */
    float *s[DEDN_EXPERTS], *ds[DEDN_EXPERTS]; /* (B, C) */
    float *mixed;                              /* (B, A) what classes are scored by in prediction */
    un_arena arena;
} dedn_batch;

typedef struct {
    un_method base; /* first: a un_method * is a dedn * */
    dedn_settings settings;
    un_region_shape shape; /* of the stack */
    size_t A, E, F, R, N;
    dedn_groups groups; /* count 0 without the fine expert */
    dedn_set *set;      /* [sets] */
    size_t sets;
    size_t *order;                     /* [N] the attribute of each row of the stack */
    size_t expert_first[DEDN_EXPERTS]; /* first row of each expert */

    un_region_matrix folded;
    dedn_channels channels;
    float *middle, *dmiddle; /* (N, b) V H_1 where H_1 is factored */

    /* scoring */
    un_class_rows scored;
    dedn_batch scoring;
    float *share, *even; /* [G] attention over groups */

    /* training */
    un_class_rows trained;
    const un_training_data *data;
    uint64_t seed;
    un_draws draws;
    un_part part; /* of a step that this rank does */
    dedn_batch batch;
    double step_flops;
    un_arena arena;
} dedn;

extern const un_method_class un_method_dedn;

/* groups.c: `setting` is none, prefix, a list of ours (cub, awa2, sun) or the path of a table as
 * attribute_groups.h describes. */
un_status un_dedn_groups_make(const un_class_semantics *semantics, const char *setting,
                              un_arena *arena, dedn_groups *out);
/* As a model keeps them. */
json_t *un_dedn_groups_json(const dedn_groups *groups, size_t A);
un_status un_dedn_groups_load(const json_t *json, size_t A, un_arena *arena, dedn_groups *out);

/* network.c: forward and backward. */
/* Makes the sets, declares their parameters and reserves what is folded from them. */
un_status un_dedn_network_create(dedn *n);
void un_dedn_network_free(dedn *n);
/* For a training step, of which this rank does n->part, or for scoring `images`. */
un_status un_dedn_batch_create(const dedn *n, dedn_batch *b, const un_class_rows *classes,
                               size_t images, int training);
void un_dedn_batch_free(dedn_batch *b);
/* Folded matrices from the parameters; must follow every change of them. */
un_status un_dedn_fold(dedn *n);
/* What comes in -> both paths' attribute scores of each expert. */
un_status un_dedn_forward(dedn *n, dedn_batch *b, size_t images);
/* The experts' scores in training, and their gradients' way back: dpsi -> all gradients. */
un_status un_dedn_train_scores(const dedn *n, dedn_batch *b, size_t images);
un_status un_dedn_backward(dedn *n, dedn_batch *b, size_t images);

/* channels.c: the channel path of a stack. */
un_status un_dedn_channels_create(const dedn *n, dedn_channels *c);
void un_dedn_channels_free(dedn_channels *c);
/* channel_psi of `images` images, and sums if training. The regions' factors are known. */
un_status un_dedn_channels_forward(dedn *n, dedn_batch *b, size_t images);
/* sums of the first image of a batch alone. */
un_status un_dedn_channels_of_first(dedn *n, dedn_batch *b);
/* channel_dpsi -> du. */
void un_dedn_channels_backward(dedn *n, const dedn_batch *b, size_t images);

/* losses.c: the terms, weights included, ds and dpsi of a batch. */
un_status un_dedn_losses(const dedn *n, dedn_batch *b, const int32_t *labels, size_t images,
                         double losses[DEDN_LOSSES]);

#endif
