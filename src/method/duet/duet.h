/*
 * duet.h - the parts of DUET (Chen et al.: "DUET: Cross-modal Semantic Grounding for
 * Contrastive Zero-shot Learning", AAAI 2023) as a method; shared by the files of
 * this folder and their tests only.
 *
 * Names of the paper: FST, feature-to-sequence transformation, is in prompts.c;
 * CSG, cross-modal semantic grounding, with CMR, cross-modal mask reconstruction, is
 * the word loss; ACL the attribute-level contrast. The multi-task policy draws for
 * every mini-batch whether texts are masked (grounding, ACL) or the fixed prompt
 * (class-level contrast); classes are learnt in both.
 *
 * A step is `accumulate` mini-batches, whose gradients are averaged.
 *
 * Letters: A attributes that g regresses, C classes, H width, R regions of the
 * store, F their width, T visual tokens, B pictures of a mini-batch.
 */
#ifndef UN_METHOD_DUET_DUET_H
#define UN_METHOD_DUET_DUET_H

#include "method/duet/network.h"
#include "method/duet/sampling.h"
#include "method/method.h"

#define DUET_EPSILON 1e-12f /* of layer norms, as in BERT and DeiT */

typedef enum {
    DUET_TERM_CLASS,
    DUET_TERM_MSE,
    DUET_TERM_CALIBRATION,
    DUET_TERM_WORDS,
    DUET_TERM_ATTRIBUTES,
    DUET_TERM_CLASSES,
    DUET_TERMS
} duet_term;

/* The specification of a trained model: what it must know beyond its settings to be created again.
 * Found out when training begins, stored in the model's manifest. */
typedef struct {
    un_bert_config text;
    un_vit_config vit;   /* width 0: no ViT or DeiT */
    un_swin_config swin; /* width 0: no Swin; neither: the store has regions, not pixels */
    size_t labels;       /* K of the classifier whose logits are handed on */
    size_t prompt_length;
    int64_t *prompt;   /* [prompt_length] ids of the fixed prompt */
    size_t text_count; /* attributes of the texts */
    size_t *group_of;  /* [text_count] */
    size_t group_count;
    size_t (*group)[2];     /* [group_count] rows of the prompt that name a group: begin, end */
    size_t *name_begin;     /* [text_count + 1] into names */
    int64_t *names;         /* pieces of the attributes' names */
    int64_t mask;           /* the id of [MASK]; -1: a model that does not say it */
    const char *vocabulary; /* where words come from, for people */
} duet_spec;

/* Classes as the network takes them. */
typedef struct {
    size_t count;
    float *att; /* [C, A] unit rows */
    unsigned char *seen;
    un_arena arena;
} duet_classes;

/* probe.c: queries and keys of texts for attention, computed when first needed. */
enum { DUET_ATTENTION_BRANCHES = 2 };
typedef struct {
    int ready;
    float *queries[DUET_ATTENTION_BRANCHES]; /* (pieces of all names, H) */
    float *prompt_keys;                      /* (prompt_length, H) */
    float *share;                            /* [2 G] of the last picture: attention, and even */
} duet_attention_state;

/* The random draws and texts of one mini-batch. */
typedef struct {
    size_t pictures; /* n: samples, then partners or pairs of the attribute contrast */
    size_t samples;  /* B; of a part b, and the rest is of these */
    un_mask_rows picture_rows, rows[DUET_SIDES]; /* where those of a part are in the whole */
    int masked;                                  /* policy */
    int partners;                                /* pictures B.. are partners */
    int64_t *image;                              /* [n] */
    int32_t *label;  /* [B] of all samples, also of those of other ranks */
    size_t texts;    /* n, or 1: the prompt for all */
    size_t *length;  /* [n] tokens of each text, padding included */
    size_t *start;   /* [n + 1] */
    int64_t *ids;    /* [rows] */
    float *key_mask; /* [rows] */
    int padded;      /* key_mask says something */
    size_t words;    /* targets of the grounding loss */
    size_t *word_row;
    int64_t *word_label;
    double *word_weight;
    size_t groups; /* of the attribute contrast */
    size_t *pair_begin, *pair_row;
    double *group_weight;
    size_t *group_sample; /* [groups] whose they are */
    /* Rows of the outputs that losses read. word_row and pair_row are places among those of
     * language. */
    un_query_subset subset[DUET_SIDES];
    size_t *place; /* [rows] work space */
    size_t *start_of[DUET_SIDES], *row_of[DUET_SIDES];
} duet_batch;

typedef enum {
    DUET_IMAGE_AUTO,
    DUET_IMAGE_REGIONS,
    DUET_IMAGE_PIXELS,
    DUET_IMAGE_SWIN
} duet_image_side;

typedef enum { DUET_REGRESS_AUTO, DUET_REGRESS_FIRST, DUET_REGRESS_ALL } duet_regress;

typedef enum { DUET_RECOMPUTE_NO, DUET_RECOMPUTE_YES, DUET_RECOMPUTE_AUTO } duet_recompute;

/* Sizes of a Swin transformer as the settings have them: stages that each list tells of, and its
 * values, which need not be whole numbers or fit together. */
typedef struct {
    size_t width, window;
    size_t depth_count, head_count;
    double depth[UN_SWIN_STAGES], heads[UN_SWIN_STAGES];
} duet_swin_settings;

/* The settings as the configuration gives them, all of them, and the seed; the same from creation
 * on. What follows from them and the data is elsewhere. Texts are NULL where they are empty, and
 * belong to the method. Owner: duet.c. */
typedef struct {
    uint64_t seed;
    duet_regress regress;
    /* Texts of the attributes. */
    const char *text_semantics;   /* that texts tell of; NULL: the first whose attributes have
                                     names */
    const char *binary_semantics; /* that says 0 or 1 what is present; NULL: by threshold */
    double threshold;             /* present above it; NAN: above the mean */
    const char *groups_path, *mapping_path, *text_dataset;
    const char *vocabulary_path; /* NULL: words of the attributes */
    size_t max_length;           /* tokens of a text */
    size_t prune_pieces, prune_attributes;
    double attribute_miss;
    int reference;
    /* The image side. */
    duet_image_side image_side;
    int project; /* regions: a linear layer in front of LN */
    int logit;   /* pixels: one visual token, of the classifier's logits */
    size_t labels;
    const char *image_weights_path; /* NULL: sizes are the settings', values random */
    un_vit_config vit;              /* its picture size is the features' */
    duet_swin_settings swin;
    size_t mean_count, deviation_count; /* numbers given for colours: 1 serves all */
    float mean[3], deviation[3];
    int augment, freeze_backbone, keep_states;
    un_dtype states_dtype;
    duet_recompute recompute;
    /* Text encoder and cross-modal layers. */
    int with_text;
    const char *text_weights_path; /* NULL: as for images */
    un_bert_config text;           /* its vocabulary is the words' */
    size_t cross_layers;
    float dropout, drop_path;
    /* Training. */
    size_t batch_size, accumulate, contrast_samples;
    double weight[DUET_TERMS], temperature, mask_pro;
    un_optimizer_settings optimizer;
    double lr_decay;
    size_t lr_every;
    float decay; /* L2 */
} duet_settings;

/* Which semantics the scores are regressed to. Owner: duet.c. */
typedef struct {
    size_t A; /* values of all that are selected */
    size_t semantics_count, width[UN_MAX_CLASS_SEMANTICS];
    unsigned char selected[UN_MAX_CLASS_SEMANTICS]; /* semantics that make att */
    int own_texts; /* the texts tell of what is regressed, and of nothing else */
} duet_regressed;

/* What texts are made of, and room for one of them. Owner: setup.c. */
typedef struct {
    char *vocabulary_text;
    un_wordpiece *wordpiece;
    un_attribute_groups groups;
    un_duet_texts *texts;
    un_duet_sampler *sampler;
    un_duet_text text, plain; /* work space */
} duet_words;

/* Room for floats that is kept from step to step. */
typedef struct {
    float *data;
    size_t room;
    un_arena arena;
} duet_room;

/* The state of a training. Owner: step.c, once duet.c has set what it follows from. */
typedef struct {
    const un_training_data *data;
    un_features states; /* of a frozen image side, in place of data's; file.path NULL: none */
    duet_classes classes;
    size_t batch_size;      /* B: the setting, or all images where they are fewer */
    size_t steps;           /* of an epoch */
    size_t leftover;        /* mini-batches of an epoch that fill no step; published: their
                               gradients go into the first step of the next epoch */
    un_part part;           /* of B that this rank does */
    un_duet_sample *sample; /* [B] */
    duet_batch batch;
    int64_t *planned; /* the images of a step */
    duet_pass pass;
    duet_mlm_pass mlm;
    duet_room features; /* (pictures, R, F) */
    duet_room changed;  /* the same after random changes */
    duet_room dvis, dlang;
    double step_flops;
} duet_training;

/* The classes to score, and the prompt folded in. Owner: score.c. */
typedef struct {
    duet_classes classes;
    duet_pass pass;
    int ready; /* classes are set and the prompt is folded in */
    duet_attention_state attention;
    un_arena attention_arena;
} duet_scoring;

typedef struct {
    un_method base; /* first: a un_method * is a duet_method * */
    size_t R, F;    /* of the store that is read: the features', or the frozen states' */
    duet_settings settings;
    duet_regressed regressed;
    duet_spec spec;
    duet_words words;
    duet_network network;
    duet_training training;
    duet_scoring scoring;
    un_arena arena, spec_arena;
} duet_method;

extern const un_method_class un_method_duet;

/* setup.c: sizes, texts and vocabulary, from files and the data set. */
un_status un_duet_setup_texts(duet_method *m, const un_method_setup *setup);
/* The place in the table of the semantics that the texts tell of. */
un_status un_duet_find_texts(const duet_method *m, const un_class_table *classes, size_t *out);
un_status un_duet_setup_sizes(duet_method *m);
/* m->words.wordpiece, if it is not open: from the file of the settings or the model's own words. */
un_status un_duet_open_words(duet_method *m);
/* Fills the pieces that weight files hold. */
un_status un_duet_setup_weights(duet_method *m);
/* The fixed prompt as a batch of one; `start` has two elements. */
duet_text_batch un_duet_prompt_batch(const duet_method *m, size_t start[2]);
/* Draws for images of `data`, with the classes of that table. */
un_status un_duet_setup_sampler(const duet_method *m, const un_class_table *classes,
                                const int32_t *labels, const un_index_list *images,
                                un_duet_sampler **out);

/* storage.c: into a model's manifest and out of it ... */
un_status un_duet_save_spec(const un_method *method, json_t **out);
un_status un_duet_load_spec(duet_method *m, const json_t *json);

/* ... and the states of a frozen image side, computed once. */
un_status un_duet_freeze(un_method *method, int made, const volatile sig_atomic_t *stop,
                         const un_features **out);

/* part.c: from the batch of all ranks to this rank's part, before anything is said of the outputs'
 * rows. `pairs`: pictures of a group. */
void un_duet_batch_part(duet_method *m, size_t pairs);

/* step.c: which images and texts make a mini-batch. */
un_status un_duet_batch_create(duet_method *m);
/* Mini-batch `index` (step * accumulate + k) of an epoch; fills m->training.batch. */
un_status un_duet_batch_make(duet_method *m, size_t epoch, size_t index);
un_status un_duet_plan(un_method *method, size_t epoch, size_t step, const int64_t **images,
                       size_t *count);
un_status un_duet_step(un_method *method, size_t epoch, size_t step, double *losses);

/* score.c */
un_status un_duet_make_classes(const duet_method *m, duet_classes *out,
                               const un_class_table *classes);
un_status un_duet_set_classes(un_method *method, const un_class_table *classes);
un_status un_duet_score(un_method *method, const float *features, size_t n, float *scores);
/* g (n, A) of pictures, before any softmax. */
un_status un_duet_attributes(un_method *method, const float *features, float *out);
/* Unit rows (C, A) of the classes set. */
const float *un_duet_class_rows(const un_method *method);

/* probe.c */
extern const char *const un_duet_attention_titles[];
un_status un_duet_attention(un_method *method, const float *features, float *maps);
void un_duet_attention_grid(const un_method *method, size_t *height, size_t *width);
un_status un_duet_group_attention(un_method *method, const float *features,
                                  un_group_attention *out);
/* After new classes or parameters. */
void un_duet_attention_reset(duet_method *m);

un_status un_duet_masked_prediction(un_method *method, const un_class_table *classes,
                                    const un_features *features, const int32_t *labels,
                                    const un_index_list *images, un_masked_prediction *out);

#endif
