/* golden_training.c - see golden_training.h. */
#include "golden_training.h"

#include <stdio.h>

#include "protocol/metrics.h"

enum { NAME_LENGTH = 64 };

un_status golden_load_classes(golden *g, size_t C, size_t A, un_class_table *out) {
    size_t seen_count = 0;
    int64_t *seen = NULL;
    *out = (un_class_table){.count = C, .semantics_count = 1};
    out->semantics[0] = (un_class_semantics){.name = "att", .width = A};
    UN_TRY(golden_f32(g, "in.att", C * A, &out->semantics[0].values));
    UN_TRY(un_arena_alloc(&g->arena, C, 1, &out->seen));
    UN_TRY(un_arena_alloc(&g->arena, C, sizeof *out->names, &out->names));
    for (size_t c = 0; c < C; c++) UN_TRY(un_arena_string(&g->arena, "class", &out->names[c]));
    UN_TRY(golden_count(g, "in.seen", &seen_count));
    UN_TRY(golden_i64(g, "in.seen", seen_count, &seen));
    for (size_t i = 0; i < seen_count; i++) {
        if (seen[i] < 0 || (size_t)seen[i] >= C)
            return un_fail(UNSEEN_E_FORMAT, "%s: in.seen is out of range", g->file->path);
        out->seen[seen[i]] = 1;
    }
    return UNSEEN_OK;
}

un_status golden_load_batch(golden *g, size_t step, size_t C, size_t D, golden_batch *b) {
    char name[NAME_LENGTH];
    int64_t *labels = NULL;
    float *rows = NULL;
    *b = (golden_batch){0};
    snprintf(name, sizeof name, "in.step%zu.labels", step);
    UN_TRY(golden_dimension(g, name, 1, 0, &b->n));
    UN_TRY(golden_i64(g, name, b->n, &labels));
    snprintf(name, sizeof name, "in.step%zu.features", step);
    UN_TRY(golden_f32(g, name, b->n * D, &rows));
    UN_TRY(un_arena_alloc(&g->arena, b->n, sizeof *b->labels, &b->labels));
    UN_TRY(un_arena_alloc(&g->arena, b->n, sizeof *b->train.items, &b->train.items));
    for (size_t i = 0; i < b->n; i++) {
        if (labels[i] < 0 || (size_t)labels[i] >= C)
            return un_fail(UNSEEN_E_FORMAT, "%s: a label is out of range", g->file->path);
        b->labels[i] = (int32_t)labels[i];
        b->train.items[i] = (int64_t)i;
    }
    b->train.count = b->n;
    b->features = (un_features){.image_count = b->n,
                                .regions = 1,
                                .width = D,
                                .grid_height = 1,
                                .grid_width = 1,
                                .dtype = UN_F32,
                                .data = (const unsigned char *)rows,
                                .row_bytes = D * sizeof *rows};
    b->data = (un_training_data){&b->features, b->labels, &b->train};
    return UNSEEN_OK;
}

un_status golden_decide(golden *g, const un_class_table *classes, const float *scores, size_t n,
                        int64_t *chosen, int64_t *chosen_unseen) {
    un_predictions p;
    int32_t *labels = NULL; /* none is asked for */
    UN_TRY(un_arena_alloc(&g->arena, n, sizeof *labels, &labels));
    UN_TRY(un_predictions_from_scores(&p, classes, scores, labels, n, 0, 0));
    for (size_t i = 0; i < n; i++) {
        chosen[i] = un_prediction_decide(&p.items[i], 0);
        if (chosen_unseen) chosen_unseen[i] = p.items[i].unseen;
    }
    un_predictions_free(&p);
    return UNSEEN_OK;
}
