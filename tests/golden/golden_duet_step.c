/*
 * golden_duet_step.c - DUET's whole network and its losses against the official
 * code: classes on one prompt, masked words, attribute-level and class-level
 * contrast, with all gradients. The weights lie in a file of their own beside.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "golden.h"
#include "method/duet/network.h"

typedef struct {
    golden *g, weights;
    un_safetensors file; /* of the weights */
    un_params params;
    duet_network network;
    duet_pass pass;
    duet_mlm_pass mlm;
    size_t n, L, H, A, V; /* pictures, tokens of a text, widths, words */
    float *pixels;
    duet_text_batch text;
    float *dvis, *dlang;
} scene;

/* DIR/duet_step_prompt_pub.safetensors -> DIR/<weights>_pub.safetensors */
static un_status open_weights(golden *g, un_safetensors *out) {
    const char *stem = un_safetensors_metadata(g->file, "weights"), *path = g->file->path;
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const char *suffix = strstr(base, "_pub");
    char *whole = NULL;
    if (!suffix) suffix = strstr(base, "_held");
    if (!stem || !suffix) return un_fail(UNSEEN_E_FORMAT, "%s: it names no weights", path);
    UN_TRY(un_format(&whole, "%.*s%s%s", (int)(base - path), path, stem, suffix));
    un_status status = un_safetensors_open(out, whole);
    free(whole);
    return status;
}

static un_status declare(scene *s) {
    duet_pixels_config pixels = {
        .logit = 1, .mean = {0, 0, 0}, .deviation = {1.0f / 255, 1.0f / 255, 1.0f / 255}};
    duet_network_config config = {.with_text = 1, .xlayers = 1, .type = s->g->type};
    double heads = 0;
    duet_image *image = NULL;
    UN_TRY(un_bert_config_read(&s->file, &config.text));
    UN_TRY(un_vit_config_read(&s->file, &pixels.vit));
    UN_TRY(golden_number(&s->weights, "num_attention_heads", &heads));
    config.text.heads = pixels.vit.heads = (size_t)heads;
    UN_TRY(golden_dimension(&s->weights, "deit.classifier.weight", 2, 0, &pixels.labels));
    UN_TRY(golden_dimension(&s->weights, "fc_image.weight", 2, 0, &config.attributes));
    pixels.size = pixels.vit.image;
    pixels.width = s->H = config.text.width;
    s->A = config.attributes;
    s->V = config.text.vocabulary;
    UN_TRY(un_duet_pixels_create(&image, &s->params, &pixels));
    UN_TRY(un_duet_network_declare(&s->network, &s->params, image, &config));
    UN_TRY(un_params_allocate(&s->params, 1, s->g->type == UN_BF16));
    UN_TRY(golden_load_params(&s->weights, &s->params, 0, s->params.count));
    un_params_refresh(&s->params);
    UN_TRY(un_duet_pass_create(&s->pass, &s->network, 1));
    return un_duet_mlm_pass_create(&s->mlm, &s->network.mlm, s->g->type, 1);
}

/* (n, 3, S, S) to (n, S, S, 3) */
static un_status load_pixels(scene *s) {
    size_t S = 0;
    float *planes = NULL;
    UN_TRY(golden_dimension(s->g, "in.pixel_values", 4, 0, &s->n));
    UN_TRY(golden_dimension(s->g, "in.pixel_values", 4, 3, &S));
    UN_TRY(golden_f32(s->g, "in.pixel_values", s->n * 3 * S * S, &planes));
    UN_TRY(un_arena_alloc(&s->g->arena, s->n * 3 * S * S, sizeof *planes, &s->pixels));
    for (size_t i = 0; i < s->n; i++)
        for (size_t c = 0; c < 3; c++)
            for (size_t at = 0; at < S * S; at++)
                s->pixels[(i * S * S + at) * 3 + c] = planes[(i * 3 + c) * S * S + at];
    return UNSEEN_OK;
}

static un_status load_texts(scene *s) {
    int64_t *ids = NULL, *visible = NULL;
    float *mask = NULL;
    UN_TRY(golden_dimension(s->g, "in.input_ids", 2, 1, &s->L));
    size_t rows = s->n * s->L;
    UN_TRY(golden_i64(s->g, "in.input_ids", rows, &ids));
    UN_TRY(golden_i64(s->g, "in.attention_mask", rows, &visible));
    UN_TRY(un_arena_alloc(&s->g->arena, rows, sizeof *mask, &mask));
    for (size_t i = 0; i < rows; i++) mask[i] = visible[i] ? 0.0f : -10000.0f;
    s->text = (duet_text_batch){.ids = ids, .key_mask = mask};
    return un_sequences_equal(&s->g->arena, s->n, s->L, &s->text.sequences);
}

static un_status make(golden *g, scene *s) {
    s->g = g;
    UN_TRY(open_weights(g, &s->file));
    s->weights.file = &s->file;
    s->weights.draw = g->draw;
    UN_TRY(declare(s));
    UN_TRY(load_pixels(s));
    UN_TRY(load_texts(s));
    UN_TRY(un_arena_alloc(&g->arena, s->n * s->H, sizeof(float), &s->dvis));
    return un_arena_alloc(&g->arena, s->n * s->L * s->H, sizeof(float), &s->dlang);
}

static void discard(scene *s) {
    un_duet_mlm_pass_free(&s->mlm);
    un_duet_pass_free(&s->pass);
    un_duet_network_free(&s->network);
    un_params_free(&s->params);
    un_arena_free(&s->weights.arena);
    un_safetensors_close(&s->file);
}

/* Forward, with no gradient yet. */
static un_status forward(scene *s, const duet_text_batch *text) {
    memset(s->params.grad, 0, s->params.total * sizeof(float));
    memset(s->dvis, 0, s->n * s->H * sizeof(float));
    memset(s->dlang, 0, s->n * s->L * s->H * sizeof(float));
    return un_duet_forward(&s->pass, &s->params, s->pixels, s->n, text, NULL, NULL);
}

static un_status compare_number(scene *s, const char *name, double value) {
    double *reference = NULL;
    UN_TRY(golden_f64(s->g, name, 1, &reference));
    golden_compare(s->g, name, &value, reference, 1, GOLDEN_OUTPUT);
    return UNSEEN_OK;
}

/* ---- classes ---- */

typedef struct {
    duet_loss_classes classes;
    size_t seen_count, unseen_count;
    int64_t *seen, *unseen;
    int32_t *label;
    double *weight; /* in.loss_weights: class, mse, calibration, words */
} class_scene;

static un_status load_classes(scene *s, class_scene *c) {
    golden *g = s->g;
    float *att = NULL;
    unsigned char *flags = NULL;
    int64_t *label = NULL;
    UN_TRY(golden_dimension(g, "in.att", 2, 0, &c->classes.count));
    UN_TRY(golden_f32(g, "in.att", c->classes.count * s->A, &att));
    UN_TRY(golden_count(g, "in.seen", &c->seen_count));
    UN_TRY(golden_count(g, "in.unseen", &c->unseen_count));
    UN_TRY(golden_i64(g, "in.seen", c->seen_count, &c->seen));
    UN_TRY(golden_i64(g, "in.unseen", c->unseen_count, &c->unseen));
    UN_TRY(golden_i64(g, "in.labels", s->n, &label));
    UN_TRY(golden_f64(g, "in.loss_weights", 4, &c->weight));
    UN_TRY(un_arena_alloc(&g->arena, c->classes.count, 1, &flags));
    UN_TRY(un_arena_alloc(&g->arena, s->n, sizeof *c->label, &c->label));
    for (size_t i = 0; i < c->seen_count; i++) flags[c->seen[i]] = 1;
    for (size_t i = 0; i < s->n; i++) c->label[i] = (int32_t)label[i];
    c->classes.attributes = s->A;
    c->classes.att = att;
    c->classes.seen = flags;
    return UNSEEN_OK;
}

static duet_visual_targets visual_targets(const scene *s, const class_scene *c, int published) {
    return (duet_visual_targets){.classes = &c->classes,
                                 .label = c->label,
                                 .samples = s->n,
                                 .weight = {c->weight[0], c->weight[1], c->weight[2]},
                                 .published = published};
}

/* Class losses and gradients of the last forward, in dvis. */
static un_status class_losses(scene *s, const class_scene *c, int published, double *total) {
    static const char *const names[][DUET_CLASS_TERMS] = {
        {"loss.xe_plain", "loss.mse", "loss.sc"}, {"loss.xe_official", "loss.mse", "loss.sc"}};
    const duet_visual_targets targets = visual_targets(s, c, published);
    double loss[DUET_CLASS_TERMS + 1];
    UN_TRY(un_duet_visual_losses(&s->network, &s->params, &targets, s->pass.vis, loss, s->dvis));
    *total = 0;
    for (size_t i = 0; i < DUET_CLASS_TERMS; i++) {
        UN_TRY(compare_number(s, names[published][i], loss[i] / c->weight[i]));
        *total += loss[i];
    }
    return UNSEEN_OK;
}

static un_status compare_outputs(scene *s, const class_scene *c) {
    golden *g = s->g;
    float *attr = NULL, *scores = NULL;
    UN_TRY(golden_compare_f32(g, "out.visual_token", s->pass.visual_tokens, s->n * s->H,
                              GOLDEN_OUTPUT));
    UN_TRY(golden_compare_f32(g, "out.text_hidden", s->pass.text_states, s->n * s->L * s->H,
                              GOLDEN_OUTPUT));
    UN_TRY(golden_compare_f32(g, "out.lang", s->pass.lang, s->n * s->L * s->H, GOLDEN_OUTPUT));
    UN_TRY(golden_compare_f32(g, "out.vis", s->pass.vis, s->n * s->H, GOLDEN_OUTPUT));
    UN_TRY(un_arena_alloc(&g->arena, s->n * s->A, sizeof *attr, &attr));
    UN_TRY(un_arena_alloc(&g->arena, s->n * c->seen_count, sizeof *scores, &scores));
    UN_TRY(un_duet_attributes_forward(&s->network, &s->params, s->pass.vis, s->n, attr));
    UN_TRY(golden_compare_f32(g, "out.attr", attr, s->n * s->A, GOLDEN_OUTPUT));
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < c->seen_count; k++) {
            double sum = 0;
            for (size_t a = 0; a < s->A; a++)
                sum += (double)attr[i * s->A + a] *
                       (double)c->classes.att[(size_t)c->seen[k] * s->A + a];
            scores[i * c->seen_count + k] = (float)sum;
        }
    return golden_compare_f32(g, "out.scores_seen", scores, s->n * c->seen_count, GOLDEN_OUTPUT);
}

/* Gradients of the single terms with respect to g. */
static un_status compare_terms(scene *s, const class_scene *c) {
    static const char *const names[][DUET_CLASS_TERMS] = {
        {"grad_attr.xe_plain", "grad_attr.mse", "grad_attr.sc"},
        {"grad_attr.xe_official", "grad_attr.mse", "grad_attr.sc"}};
    float *attr = NULL, *d = NULL;
    if (!un_safetensors_find(s->g->file, names[0][0])) return UNSEEN_OK;
    UN_TRY(golden_f32(s->g, "out.attr", s->n * s->A, &attr));
    for (int published = 0; published < 2; published++)
        for (size_t i = 0; i < DUET_CLASS_TERMS; i++) {
            double weight[DUET_CLASS_TERMS] = {0}, loss[DUET_CLASS_TERMS];
            weight[i] = 1;
            UN_TRY(un_arena_alloc(&s->g->arena, s->n * s->A, sizeof *d, &d));
            UN_TRY(un_duet_class_losses(&c->classes, weight, published, attr, c->label, s->n, loss,
                                        d));
            UN_TRY(golden_compare_f32(s->g, names[published][i], d, s->n * s->A, GOLDEN_GRADIENT));
        }
    return UNSEEN_OK;
}

static un_status run_prompt(scene *s) {
    static const char *const totals[] = {"loss.total_plain", "loss.total_official"};
    static const char *const gradients[] = {"grad_plain.", "grad."};
    class_scene c = {0};
    UN_TRY(load_classes(s, &c));
    for (int published = 0; published < 2; published++) {
        /* Once with every picture's own text, once with the one text shared. */
        for (int shared = 0; shared < 2; shared++) {
            double total = 0;
            duet_text_batch text = s->text;
            if (shared) UN_TRY(un_sequences_equal(&s->g->arena, 1, s->L, &text.sequences));
            UN_TRY(forward(s, &text));
            if (!shared) UN_TRY(compare_outputs(s, &c));
            UN_TRY(class_losses(s, &c, published, &total));
            UN_TRY(compare_number(s, totals[published], total));
            UN_TRY(un_duet_backward(&s->pass, s->dvis, NULL));
            UN_TRY(golden_compare_grads(s->g, &s->params, gradients[published]));
        }
    }
    return compare_terms(s, &c);
}

/* ---- masked words ---- */

/* As published: every position of a text counts, padding too. */
static un_status word_targets(scene *s, double coefficient, duet_word_targets *out) {
    size_t rows = s->n * s->L, *row = NULL;
    int64_t *label = NULL;
    double *weight = NULL, *per_sample = NULL;
    UN_TRY(golden_i64(s->g, "in.mlm_labels", rows, &label));
    UN_TRY(golden_f64(s->g, "in.mlm_weight", s->n, &per_sample));
    UN_TRY(un_arena_alloc(&s->g->arena, rows, sizeof *row, &row));
    UN_TRY(un_arena_alloc(&s->g->arena, rows, sizeof *weight, &weight));
    for (size_t i = 0; i < rows; i++) {
        row[i] = i;
        weight[i] = coefficient * 3 * per_sample[i / s->L] / (double)s->L;
    }
    *out = (duet_word_targets){rows, row, label, weight};
    return UNSEEN_OK;
}

static un_status run_masked(scene *s) {
    class_scene c = {0};
    double total = 0, words = 0;
    duet_word_targets targets;
    UN_TRY(load_classes(s, &c));
    UN_TRY(word_targets(s, c.weight[3], &targets));
    UN_TRY(forward(s, &s->text));
    UN_TRY(compare_outputs(s, &c));
    UN_TRY(class_losses(s, &c, 1, &total));
    UN_TRY(compare_number(s, "loss.class_total_official", total));
    UN_TRY(un_duet_backward(&s->pass, s->dvis, NULL));
    UN_TRY(golden_compare_grads(s->g, &s->params, "grad_class."));
    UN_TRY(forward(s, &s->text));
    UN_TRY(class_losses(s, &c, 1, &total));
    UN_TRY(un_duet_word_loss(&s->mlm, &s->params, &targets, s->pass.lang, &words, s->dlang));
    UN_TRY(compare_number(s, "loss.mlm", words / c.weight[3]));
    UN_TRY(compare_number(s, "loss.total_official", total + words));
    UN_TRY(un_duet_backward(&s->pass, s->dvis, s->dlang));
    return golden_compare_grads(s->g, &s->params, "grad.");
}

/* ---- contrasts ---- */

static un_status run_contrast(scene *s) {
    size_t *begin = NULL, *row = NULL, count = 0, size = s->n * s->H;
    int64_t *marked = NULL;
    float *pooled = NULL, *features = NULL;
    const double weight = 1;
    double loss = 0;
    UN_TRY(golden_i64(s->g, "in.mask_positions", s->n * s->L, &marked));
    UN_TRY(un_arena_alloc(&s->g->arena, s->n + 1, sizeof *begin, &begin));
    UN_TRY(un_arena_alloc(&s->g->arena, s->n * s->L, sizeof *row, &row));
    UN_TRY(un_arena_alloc(&s->g->arena, size, sizeof *pooled, &pooled));
    UN_TRY(un_arena_alloc(&s->g->arena, size, sizeof *features, &features));
    for (size_t i = 0; i < s->n; i++) {
        for (size_t t = 0; t < s->L; t++)
            if (marked[i * s->L + t]) row[count++] = i * s->L + t;
        begin[i + 1] = count;
    }
    const duet_contrast_targets targets = {1, s->n, begin, row, &weight};
    UN_TRY(forward(s, &s->text));
    UN_TRY(golden_compare_f32(s->g, "out.lang", s->pass.lang, s->n * s->L * s->H, GOLDEN_OUTPUT));
    UN_TRY(un_duet_contrast_loss(&s->network, &s->params, &targets, s->pass.lang, &loss, s->dlang,
                                 pooled, features));
    UN_TRY(golden_compare_f32(s->g, "out.pooled", pooled, size, GOLDEN_OUTPUT));
    UN_TRY(golden_compare_f32(s->g, "out.features", features, size, GOLDEN_OUTPUT));
    UN_TRY(compare_number(s, "loss.contrast", loss));
    memset(pooled, 0, size * sizeof *pooled);
    un_duet_attribute_contrast(features, s->n, s->H, 1, pooled);
    UN_TRY(golden_compare_f32(s->g, "grad.out.features", pooled, size, GOLDEN_GRADIENT));
    UN_TRY(un_duet_backward(&s->pass, s->dvis, s->dlang));
    return golden_compare_grads(s->g, &s->params, "grad.");
}

/* The loss alone on random features. */
static un_status run_random(scene *s) {
    static const struct {
        const char *loss, *gradient;
        double temperature;
    } cases[] = {{"rand.t005.loss.nce", "rand.t005.grad.features", 0.05},
                 {"rand.t050.loss.nce", "rand.t050.grad.features", 0.5}};
    size_t rows = 0, D = 0;
    float *features = NULL, *d = NULL;
    int64_t *label64 = NULL;
    int32_t *label = NULL;
    UN_TRY(golden_dimension(s->g, "rand.in.features", 2, 0, &rows));
    UN_TRY(golden_dimension(s->g, "rand.in.features", 2, 1, &D));
    UN_TRY(golden_f32(s->g, "rand.in.features", rows * D, &features));
    UN_TRY(golden_i64(s->g, "rand.in.labels", rows / 2, &label64));
    UN_TRY(un_arena_alloc(&s->g->arena, rows, sizeof *label, &label));
    for (size_t i = 0; i < rows / 2; i++) label[i] = (int32_t)label64[i];
    for (size_t k = 0; k < 2; k++) {
        double loss = 0;
        UN_TRY(un_arena_alloc(&s->g->arena, rows * D, sizeof *d, &d));
        UN_TRY(
            un_duet_info_nce(features, label, rows / 2, D, cases[k].temperature, 1, 1, &loss, d));
        UN_TRY(compare_number(s, cases[k].loss, loss));
        UN_TRY(golden_compare_f32(s->g, cases[k].gradient, d, rows * D, GOLDEN_GRADIENT));
    }
    return UNSEEN_OK;
}

static un_status run_nce(scene *s) {
    int64_t *label64 = NULL;
    int32_t *label = NULL;
    double temperature = 0;
    float *d = NULL;
    size_t B = s->n / 2;
    UN_TRY(golden_number(s->g, "temperature", &temperature));
    UN_TRY(golden_i64(s->g, "in.labels_seen", B, &label64));
    UN_TRY(un_arena_alloc(&s->g->arena, B, sizeof *label, &label));
    for (size_t i = 0; i < B; i++) label[i] = (int32_t)label64[i];
    for (int shared = 0; shared < 2; shared++) {
        duet_text_batch text = s->text;
        double loss = 0;
        if (shared) UN_TRY(un_sequences_equal(&s->g->arena, 1, s->L, &text.sequences));
        UN_TRY(forward(s, &text));
        UN_TRY(golden_compare_f32(s->g, "out.features", s->pass.vis, s->n * s->H, GOLDEN_OUTPUT));
        UN_TRY(un_duet_info_nce(s->pass.vis, label, B, s->H, temperature, 1, 1, &loss, s->dvis));
        UN_TRY(compare_number(s, "loss.nce", loss));
        UN_TRY(un_arena_alloc(&s->g->arena, s->n * s->H, sizeof *d, &d));
        memcpy(d, s->dvis, s->n * s->H * sizeof *d);
        UN_TRY(golden_compare_f32(s->g, "grad.out.features", d, s->n * s->H, GOLDEN_GRADIENT));
        UN_TRY(un_duet_backward(&s->pass, s->dvis, NULL));
        UN_TRY(golden_compare_grads(s->g, &s->params, "grad."));
    }
    return run_random(s);
}

static un_status check(golden *g, un_status (*run)(scene *s)) {
    scene s = {0};
    un_status status = make(g, &s);
    if (!status) status = run(&s);
    discard(&s);
    return status;
}

un_status golden_check_duet_prompt(golden *g) { return check(g, run_prompt); }

un_status golden_check_duet_masked(golden *g) { return check(g, run_masked); }

un_status golden_check_duet_contrast(golden *g) { return check(g, run_contrast); }

un_status golden_check_duet_nce(golden *g) { return check(g, run_nce); }
