/* class_rows.c - see class_rows.h. */
#include "method/class_rows.h"

#include <string.h>

#include "tensor/gemm.h"
#include "tensor/kernels.h"

un_status un_class_rows_prepare(un_class_rows *out, const un_class_table *classes, size_t A,
                                int clip_negative, const char *method) {
    const un_class_semantics *semantics = &classes->semantics[0];
    if (classes->count == 0) return un_fail(UNSEEN_E_ARGUMENT, "there are no classes to score");
    if (classes->semantics_count != 1 || semantics->width != A)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s needs one semantics of %zu values; \"%s\" has %zu (of %zu semantics)",
                       method, A, semantics->name, semantics->width, classes->semantics_count);
    un_class_rows fresh = {.count = classes->count, .width = A};
    un_status status = UNSEEN_OK;
    UN_GO(un_arena_alloc(&fresh.arena, fresh.count * A, sizeof(float), &fresh.att));
    UN_GO(un_arena_alloc(&fresh.arena, fresh.count, sizeof(float), &fresh.bias));
    UN_GO(un_arena_alloc(&fresh.arena, fresh.count, 1, &fresh.seen));
    for (size_t i = 0; i < fresh.count * A; i++) {
        float x = semantics->values[i];
        fresh.att[i] = clip_negative && x < 0 ? 0.0f : x;
    }
    un_normalize_rows(fresh.att, fresh.count, A, 1e-12f, NULL);
    for (size_t c = 0; c < fresh.count; c++) {
        fresh.seen[c] = classes->seen[c] != 0;
        fresh.bias[c] = classes->seen[c] ? -1.0f : 1.0f;
    }
    un_arena_free(&out->arena);
    *out = fresh;
done:
    if (status) un_arena_free(&fresh.arena);
    return status;
}

void un_class_rows_free(un_class_rows *c) {
    un_arena_free(&c->arena);
    *c = (un_class_rows){0};
}

un_status un_class_rows_score(const un_class_rows *c, const float *psi, size_t images, float *s) {
    const un_gemm_args product = {.m = images,
                                  .n = c->count,
                                  .k = c->width,
                                  .trans_b = 1,
                                  .input = UN_F32,
                                  .output = UN_F32,
                                  .a = psi,
                                  .b = c->att,
                                  .c = s,
                                  .bias = c->bias};
    return un_gemm(&product);
}

un_status un_class_rows_gradient(const un_class_rows *c, const float *ds, size_t images,
                                 float *dpsi) {
    const un_gemm_args product = {.m = images,
                                  .n = c->width,
                                  .k = c->count,
                                  .input = UN_F32,
                                  .output = UN_F32,
                                  .a = ds,
                                  .b = c->att,
                                  .c = dpsi};
    return un_gemm(&product);
}

un_status un_attribute_vectors_width(const un_class_semantics *semantics, int one_hot,
                                     const char *method, size_t *E) {
    *E = one_hot ? semantics->width : semantics->vector_width;
    if (one_hot || (semantics->vectors && semantics->vector_width > 0)) return UNSEEN_OK;
    return un_fail(UNSEEN_E_ARGUMENT,
                   "semantics \"%s\" has no word vectors of its attributes, which %s starts "
                   "from: add them with {`unseen words DIR --vectors "
                   "FILE`|unseen_dataset_add_words}, or builtin:words for FILE if there is "
                   "none; if its values have no names, as those of an embedding, start without: "
                   "{--set|setting} vectors=one-hot",
                   semantics->name, method);
}

void un_attribute_vectors_fill(const un_class_semantics *semantics, int one_hot, float *v) {
    size_t A = semantics->width, E = one_hot ? A : semantics->vector_width;
    if (one_hot)
        for (size_t i = 0; i < A; i++) v[i * E + i] = 1;
    else
        memcpy(v, semantics->vectors, A * E * sizeof *v);
    un_normalize_rows(v, A, E, 1e-12f, NULL);
}
