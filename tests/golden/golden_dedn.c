/*
 * golden_dedn.c - DEDN against the official networks and losses: both experts' attention, attribute
 * and class scores of the first step, every loss term, all gradients of the first step, the
 * parameters after several steps of RMSprop, and scores with them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "golden_regions.h"
#include "method/dedn/dedn.h"

static const char *const g_experts[] = {"coarse", "fine"};
static const char *const g_paths[] = {"region", "channel"};

/* A file that says the group of every attribute by its number. */
static un_status write_groups(golden *g, size_t A, const char *path) {
    json_t *groups = json_array(), *names = json_array(), *table = json_object();
    int64_t *group = NULL;
    char text[32];
    UN_TRY(golden_i64(g, "in.group", A, &group));
    for (size_t i = 0; i < A; i++) {
        snprintf(text, sizeof text, "%d", (int)group[i]);
        un_json_push(&groups, json_string(text));
        snprintf(text, sizeof text, "attribute %zu", i);
        un_json_push(&names, json_string(text));
    }
    un_json_put(&table, "groups", groups);
    un_json_put(&table, "names", names);
    un_status status = un_json_write(path, table);
    json_decref(table);
    return status;
}

/* Coefficients under our names. */
static un_status configure(golden *g, const golden_scene *s, json_t *config) {
    static const char *const keys[][2] = {{"lambda", "lambda"},
                                          {"p_ce", "p_ce"},
                                          {"p_crc", "p_crc"},
                                          {"region_weight", "c_mix"},
                                          {"coarse_weight", "e_mix"},
                                          {"label_margin", "label_margin"},
                                          {"seen_margin", "seen_margin"},
                                          {"distance_epsilon", "distance_eps"},
                                          {"bottleneck", "hidden"},
                                          {"decay", "weight_decay"}};
    char text[96];
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        double value = 0;
        UN_TRY(golden_number(g, keys[i][1], &value));
        snprintf(text, sizeof text, "%s=%.17g", keys[i][0], value);
        UN_TRY(un_config_set(&un_method_dedn, config, text));
    }
    snprintf(text, sizeof text, "batch=%zu", s->images);
    UN_TRY(un_config_set(&un_method_dedn, config, text));
    return un_config_set(&un_method_dedn, config, "sampling=random");
}

static un_status make_method(golden *g, const golden_scene *s, un_method **out) {
    json_t *config = NULL;
    char path[] = "/tmp/golden_dedn_XXXXXX", text[64];
    int file = mkstemp(path);
    un_status status = UNSEEN_OK;
    if (file < 0) return un_fail(UNSEEN_E_IO, "no temporary file for groups");
    close(file);
    UN_GO(write_groups(g, s->classes.semantics[0].width, path));
    UN_GO(un_config_create(&un_method_dedn, "auto", &config));
    UN_GO(configure(g, s, config));
    snprintf(text, sizeof text, "groups=%s", path);
    UN_GO(un_config_set(&un_method_dedn, config, text));
    UN_GO(golden_scene_method(g, s, &un_method_dedn, config, out));
done:
    unlink(path);
    json_decref(config);
    return status;
}

/* "Snet3.H_1" of ours as the file calls it: groups are numbered as they appear. */
static void reference_name(const dedn *n, const char *prefix, const char *ours, char *out,
                           size_t size) {
    const char *dot = strchr(ours, '.');
    if (strncmp(ours, "Snet", 4) != 0)
        snprintf(out, size, "%s%s", prefix, ours);
    else
        snprintf(out, size, "%sSnet%s%s", prefix, n->groups.names[atoi(ours + 4)], dot);
}

static un_status compare_gradients(golden *g, const dedn *n) {
    const un_params *p = &n->base.params;
    char name[96];
    for (size_t i = 0; i < p->count; i++) {
        reference_name(n, "grad.", p->item[i].name, name, sizeof name);
        UN_TRY(golden_compare_f32(g, name, un_param_grad(p, i), p->item[i].count, GOLDEN_GRADIENT));
    }
    return UNSEEN_OK;
}

static un_status compare_parameters(golden *g, const dedn *n) {
    const un_params *p = &n->base.params;
    char name[96], initial[96];
    for (size_t i = 0; i < p->count; i++) {
        reference_name(n, "out.final.", p->item[i].name, name, sizeof name);
        reference_name(n, "", p->item[i].name, initial, sizeof initial);
        UN_TRY(golden_compare_trained(g, name, initial, un_param_value(p, i), p->item[i].count,
                                      GOLDEN_GRADIENT));
    }
    return UNSEEN_OK;
}

static un_status load_parameters(golden *g, const dedn *n) {
    const un_params *p = &n->base.params;
    char name[96];
    for (size_t i = 0; i < p->count; i++) {
        float *values = NULL;
        reference_name(n, "", p->item[i].name, name, sizeof name);
        UN_TRY(golden_f32(g, name, p->item[i].count, &values));
        /* V starts at the word vectors' rows by itself. */
        if (strstr(name, ".V"))
            UN_TRY(golden_compare_f32(g, name, un_param_value(p, i), p->item[i].count, 1e-6));
        memcpy(un_param_value(p, i), values, p->item[i].count * sizeof *values);
    }
    return UNSEEN_OK;
}

/* (B, A, R) and (B, A, F) of one expert, image by image. */
static un_status compare_attention(golden *g, const golden_scene *s, dedn *n, size_t expert) {
    size_t A = n->A, R = n->R, F = n->F, first = n->expert_first[expert];
    float *regions = NULL, *channels = NULL, *p = NULL;
    char name[64];
    dedn_batch *b = &n->scoring;
    UN_TRY(un_arena_alloc(&g->arena, s->images * A * R, sizeof(float), &regions));
    UN_TRY(un_arena_alloc(&g->arena, s->images * A * F, sizeof(float), &channels));
    UN_TRY(un_arena_alloc(&g->arena, n->N, sizeof(float), &p));
    for (size_t i = 0; i < s->images; i++) {
        un_region_batch_set(&b->look, n->batch.look.x + i * R * F, 1);
        UN_TRY(un_dedn_forward(n, b, 1));
        const un_attribute_attention image = un_region_attention(&b->look, 0);
        for (size_t r = 0; r < R; r++) {
            un_attribute_weights(&image, r, p, NULL);
            for (size_t a = 0; a < A; a++)
                regions[(i * A + n->order[first + a]) * R + r] = p[first + a];
        }
        if (n->channels.pieces != 1)
            return un_fail(UNSEEN_E_ARGUMENT, "one piece is not the whole stack");
        for (size_t a = 0; a < A; a++)
            memcpy(channels + (i * A + n->order[first + a]) * F,
                   n->channels.slot[0].products + 2 * (first + a) * F, F * sizeof *channels);
    }
    snprintf(name, sizeof name, "out.%s.region_attention", g_experts[expert]);
    UN_TRY(golden_compare_f32(g, name, regions, s->images * A * R, GOLDEN_OUTPUT));
    snprintf(name, sizeof name, "out.%s.channel_attention", g_experts[expert]);
    return golden_compare_f32(g, name, channels, s->images * A * F, GOLDEN_OUTPUT);
}

static un_status compare_outputs(golden *g, const golden_scene *s, dedn *n) {
    char name[64];
    size_t count = s->images * n->A;
    float *sum = NULL;
    UN_TRY(un_arena_alloc(&g->arena, count, sizeof *sum, &sum));
    for (size_t x = 0; x < DEDN_EXPERTS; x++) {
        for (size_t j = 0; j < DEDN_PATHS; j++) {
            snprintf(name, sizeof name, "out.%s.%s_psi", g_experts[x], g_paths[j]);
            UN_TRY(golden_compare_f32(g, name, n->batch.psi[x][j], count, GOLDEN_OUTPUT));
        }
        for (size_t i = 0; i < count; i++) sum[i] = n->batch.psi[x][0][i] + n->batch.psi[x][1][i];
        snprintf(name, sizeof name, "out.%s.psi", g_experts[x]);
        UN_TRY(golden_compare_f32(g, name, sum, count, GOLDEN_OUTPUT));
        snprintf(name, sizeof name, "out.%s.scores", g_experts[x]);
        UN_TRY(golden_compare_f32(g, name, n->batch.s[x], s->images * s->classes.count,
                                  GOLDEN_OUTPUT));
        UN_TRY(compare_attention(g, s, n, x));
    }
    return UNSEEN_OK;
}

static un_status compare_losses(golden *g, const dedn *n, size_t step, const double *losses) {
    static const char *const terms[] = {"ce_coarse", "ce_fine",      "cal_coarse", "cal_fine",
                                        "distill",   "align_coarse", "align_fine"};
    const dedn_settings *t = &n->settings;
    const double weights[] = {1, 1, t->lambda, t->lambda, t->p_ce, t->p_crc, t->p_crc};
    double total = 0, *reference = NULL;
    char name[64];
    for (size_t i = 0; i < DEDN_LOSSES; i++) {
        snprintf(name, sizeof name, "loss.step%zu.%s", step, terms[i]);
        UN_TRY(golden_f64(g, name, 1, &reference));
        reference[0] *= weights[i];
        golden_compare(g, name, &losses[i], reference, 1, GOLDEN_OUTPUT);
        total += losses[i];
    }
    snprintf(name, sizeof name, "loss.step%zu.total", step);
    UN_TRY(golden_f64(g, name, 1, &reference));
    golden_compare(g, name, &total, reference, 1, GOLDEN_OUTPUT);
    return UNSEEN_OK;
}

static un_status run_steps(golden *g, const golden_scene *s, dedn *n) {
    un_optimizer optimizer = {0};
    double losses[DEDN_LOSSES];
    int32_t *labels = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(un_arena_alloc(&g->arena, s->images, sizeof *labels, &labels));
    UN_TRY(un_optimizer_create(&optimizer, &s->settings, &n->base.params));
    for (size_t step = 0; step < s->steps; step++) {
        UN_GO(golden_scene_batch(g, s, step, &n->batch.look, labels));
        UN_GO(un_dedn_fold(n));
        UN_GO(un_dedn_forward(n, &n->batch, s->images));
        UN_GO(un_dedn_train_scores(n, &n->batch, s->images));
        if (step == 0) {
            UN_GO(un_method_dedn.set_classes(&n->base, &s->classes));
            UN_GO(compare_outputs(g, s, n));
        }
        UN_GO(un_dedn_losses(n, &n->batch, labels, s->images, losses));
        UN_GO(compare_losses(g, n, step, losses));
        UN_GO(un_dedn_backward(n, &n->batch, s->images));
        if (step == 0) UN_GO(compare_gradients(g, n));
        un_optimizer_step(&optimizer, &n->base.params);
    }
    UN_GO(compare_parameters(g, n));
done:
    un_optimizer_free(&optimizer);
    return status;
}

/* Scores with the last parameters: of each expert alone, and fused. */
static un_status compare_scores(golden *g, const golden_scene *s, dedn *n) {
    size_t images = 0, C = s->classes.count;
    float *rows = NULL, *scores = NULL;
    const struct {
        const char *name;
        double coarse_weight;
    } all[] = {{"out.test.scores", n->settings.coarse_weight},
               {"out.test.coarse_scores", 1},
               {"out.test.fine_scores", 0}};
    UN_TRY(golden_dimension(g, "in.test_x", 4, 0, &images));
    UN_TRY(un_arena_alloc(&g->arena, images * n->R * n->F, sizeof *rows, &rows));
    UN_TRY(un_arena_alloc(&g->arena, images * C, sizeof *scores, &scores));
    UN_TRY(golden_rows(g, s, "in.test_x", images, rows));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        n->settings.coarse_weight = all[i].coarse_weight;
        UN_TRY(un_method_dedn.set_classes(&n->base, &s->classes));
        UN_TRY(un_method_dedn.score(&n->base, rows, images, scores));
        UN_TRY(golden_compare_f32(g, all[i].name, scores, images * C, GOLDEN_OUTPUT));
    }
    return UNSEEN_OK;
}

un_status golden_check_dedn(golden *g) {
    golden_scene s;
    un_method *method = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(golden_scene_make(g, "in.", &s));
    UN_TRY(make_method(g, &s, &method));
    UN_GO(load_parameters(g, (dedn *)method));
    UN_GO(run_steps(g, &s, (dedn *)method));
    UN_GO(compare_scores(g, &s, (dedn *)method));
done:
    un_method_dedn.destroy(method);
    return status;
}
