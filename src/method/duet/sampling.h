/*
 * sampling.h - what chance decides in a training step of DUET (Chen et al., AAAI
 * 2023): the images, the attribute to mask, and for the attribute-level contrast
 * a positive and two negative classes with their images and texts.
 *
 * Everything drawn is a function of (seed, epoch, step, sample) and of nothing
 * drawn before, so that a resumed run needs no replay. Images come from the given
 * training list alone.
 *
 * Letters: A attributes, C classes, y the class of a sample, m its masked
 * attribute. A class is seen if the training list has an image of it; only seen
 * classes are ever drawn and counted.
 */
#ifndef UN_METHOD_DUET_SAMPLING_H
#define UN_METHOD_DUET_SAMPLING_H

#include "base/rng.h"
#include "data/dataset.h"
#include "method/duet/texts.h"

enum {
    UN_DUET_NEGATIVES = 4,
    UN_DUET_PAIRS = 2 + UN_DUET_NEGATIVES, /* the sample, a positive, four negatives */
};

/* Bounds of the counters that make a stream of random numbers. */
#define UN_DUET_MAX_EPOCHS ((size_t)1 << 20)
#define UN_DUET_MAX_STEPS ((size_t)1 << 28)
#define UN_DUET_MAX_SAMPLES ((size_t)1 << 16)

typedef struct {
    uint64_t seed;
    const un_duet_texts *texts; /* groups, and lengths for pruning; borrowed */
    size_t class_count;         /* C */
    size_t attribute_count;     /* A, those of the texts */
    const float *values;        /* (C, A) class attributes; read during creation only */
    const float *binary;        /* (C, A) published binary_att, > 0.5: present; NULL: derived */
    double threshold;      /* derived: present above this value; NAN: above the attribute's mean */
    const int32_t *labels; /* [N] class of each image; read during creation only */
    const un_index_list *train; /* images to draw from; borrowed */
    double attribute_miss;      /* probability 0..1 that a present attribute is dropped */
    size_t prune_pieces;        /* texts of more pieces are pruned to that; 0: never */
    size_t prune_attributes;    /* at most so many attributes stay beside the masked one */
} un_duet_sampler_settings;

typedef struct {
    un_duet_sampler_settings settings;
    unsigned char *present; /* (C, A) 1: the class has the attribute */
    unsigned char *seen;    /* [C] */
    double *attr01;         /* (C, A) values scaled by the least and largest of all seen rows */
    double *frequency;      /* [A] f: 1 / (seen classes that have it [+ 3]), 0 if none has */
    double *distance;       /* (C, C) D: squared L1 distance of attr01 rows, 1 on the diagonal */
    size_t *class_begin;    /* [C + 1] into class_images */
    int64_t *class_images;  /* [train] image indices, class by class */
    un_arena arena;
} un_duet_sampler;

/* An image and the attributes of the text beside it. */
typedef struct {
    int64_t image;
    size_t class;
    size_t attribute;       /* the one whose pieces are compared; UN_NO_ATTRIBUTE: none */
    unsigned char *present; /* [A] after dropping and pruning */
} un_duet_pair;

/* What is drawn for one image of a batch. pair[0] is the sample itself (its text
 * is masked), pair[1] the positive, the rest the negatives (texts spelled out). */
typedef struct {
    int has_mask;           /* 0: the class has no attribute; its text is the prompt */
    int has_contrast;       /* 0: no class is a valid negative; only pair[0] is filled */
    double mask_weight;     /* attr01[y, m]; the loss takes it three times */
    double contrast_weight; /* min(attr01[y, m], attr01[positive, m]) */
    un_duet_pair pair[UN_DUET_PAIRS];
    double *weight, *keys; /* [max(A, C)] work space */
    int64_t *drawn, *candidate;
} un_duet_sample;

/* Fails if sizes do not fit each other or a label is out of range. */
un_status un_duet_sampler_create(un_duet_sampler **out, const un_duet_sampler_settings *settings);
void un_duet_sampler_free(un_duet_sampler *sampler);

/* Room for one sample, from `arena`; one thread uses it at a time. */
un_status un_duet_sample_alloc(const un_duet_sampler *sampler, un_arena *arena,
                               un_duet_sample *sample);

/* u ~ U[0, 1) of a step: below mask_pro the step is one of masked texts. */
double un_duet_draw_policy(const un_duet_sampler *sampler, size_t epoch, size_t step);

/* B distinct images for a step, B at most the length of the training list. */
un_status un_duet_draw_batch(const un_duet_sampler *sampler, size_t epoch, size_t step, size_t B,
                             int64_t *images);

/* Another image of the class of `image` (itself if there is only one): the partner
 * in the class-level contrast. */
int64_t un_duet_draw_partner(const un_duet_sampler *sampler, size_t epoch, size_t step,
                             size_t sample, int64_t image, size_t class);

/* Mask, positive and negatives for the image at place `sample` of the batch. `class`
 * must be a seen one. */
void un_duet_draw(const un_duet_sampler *sampler, size_t epoch, size_t step, size_t sample,
                  int64_t image, size_t class, un_duet_sample *out);

/* The probabilities that un_duet_draw uses, for tests and reports; n is the number of
 * items, weights need not sum to 1.
 * Mask: weights of the attributes in item[n], min-max of f, all 1 if f is the same. */
void un_duet_mask_weights(const un_duet_sampler *sampler, const int64_t *item, size_t n,
                          double *weight);
/* Positives of class y for m: the farthest half of the seen classes that have m, into
 * item[C], with their weights; returns how many. */
size_t un_duet_positives(const un_duet_sampler *sampler, size_t y, size_t m, int64_t *item,
                         double *weight);
/* Negatives: the nearest half of the seen classes that share no attribute of m's group
 * with y and have another one of it. */
size_t un_duet_negatives(const un_duet_sampler *sampler, size_t y, size_t m, int64_t *item,
                         double *weight);

#endif
