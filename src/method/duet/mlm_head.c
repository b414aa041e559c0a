/* mlm_head.c - see mlm_head.h. */
#include "method/duet/mlm_head.h"

#include "nn/naming.h"
#include "tensor/kernels.h"
#include "tensor/kernels_transformer.h"

un_status duet_mlm_declare(duet_mlm_head *head, un_params *params, const char *prefix, size_t width,
                           size_t vocabulary, float eps) {
    char name[UN_NAME_LENGTH];
    UN_TRY(un_name(name, "%spredictions.transform.dense", prefix));
    UN_TRY(un_dense_declare(&head->dense, params, name, width, width));
    UN_TRY(un_name(name, "%spredictions.transform.LayerNorm", prefix));
    UN_TRY(un_norm_declare(&head->norm, params, name, width, eps));
    head->decoder = (un_dense){.in = width, .out = vocabulary};
    UN_TRY(un_params_add_named(params, prefix, "predictions.decoder.weight", 2,
                               (size_t[]){vocabulary, width}, &head->decoder.weight));
    return un_params_add_named(params, prefix, "predictions.bias", 1, &vocabulary,
                               &head->decoder.bias);
}

void duet_mlm_initialize(const duet_mlm_head *head, const un_params *params, uint64_t seed) {
    un_param_initialize_linear(params, head->dense.weight, head->dense.bias, seed, "duet.mlm", 0);
    un_param_initialize_linear(params, head->decoder.weight, head->decoder.bias, seed, "duet.mlm",
                               1);
    un_norm_initialize(&head->norm, params);
}

un_status duet_mlm_pass_create(duet_mlm_pass *pass, const duet_mlm_head *head, un_dtype type,
                               int training) {
    *pass = (duet_mlm_pass){.head = head, .type = type, .training = training};
    return UNSEEN_OK;
}

void duet_mlm_pass_free(duet_mlm_pass *pass) {
    un_arena_free(&pass->arena);
    *pass = (duet_mlm_pass){0};
}

static un_status reserve(duet_mlm_pass *pass, size_t rows) {
    size_t H = pass->head->dense.in, V = pass->head->decoder.out, f = sizeof(float);
    size_t o = un_dtype_size(pass->type);
    un_arena *a = &pass->arena;
    if (rows <= pass->room) return UNSEEN_OK;
    un_arena_free(a);
    pass->room = 0;
    UN_TRY(un_arena_alloc(a, rows * H, o, &pass->in));
    UN_TRY(un_arena_alloc(a, rows * H, f, &pass->before));
    UN_TRY(un_arena_alloc(a, rows * H, f, &pass->active));
    UN_TRY(un_arena_alloc(a, rows * H, o, &pass->normal));
    UN_TRY(un_arena_alloc(a, rows * V, f, &pass->logits));
    if (pass->training) {
        UN_TRY(un_arena_alloc(a, rows, f, &pass->norm.mean));
        UN_TRY(un_arena_alloc(a, rows, f, &pass->norm.inverse));
        UN_TRY(un_arena_alloc(a, rows * H, f, &pass->d));
    }
    if (pass->training && pass->type == UN_BF16) {
        UN_TRY(un_arena_alloc(a, rows * H, sizeof(un_bf16), &pass->d16));
        UN_TRY(un_arena_alloc(a, rows * V, sizeof(un_bf16), &pass->dlogits16));
    }
    pass->room = rows;
    return UNSEEN_OK;
}

un_status duet_mlm_forward(duet_mlm_pass *pass, const un_params *params, const float *hidden,
                           size_t rows, float **logits) {
    const duet_mlm_head *head = pass->head;
    size_t H = head->dense.in;
    int bf16 = pass->type == UN_BF16;
    UN_TRY(reserve(pass, rows));
    pass->rows = rows;
    if (bf16)
        un_convert_to_bf16(hidden, pass->in, rows * H);
    else
        un_copy(hidden, pass->in, rows * H);
    UN_TRY(un_dense_forward(&head->dense, params, pass->type, pass->in, rows, UN_DENSE_PLAIN,
                            pass->before, 0, UN_F32));
    un_gelu(pass->before, UN_F32, pass->active, rows * H);
    un_norm_forward(&head->norm, params, pass->active, rows, bf16 ? NULL : (float *)pass->normal,
                    bf16 ? pass->normal : NULL, pass->training ? &pass->norm : NULL);
    *logits = pass->logits;
    return un_dense_forward(&head->decoder, params, pass->type, pass->normal, rows, UN_DENSE_PLAIN,
                            pass->logits, 0, UN_F32);
}

un_status duet_mlm_backward(duet_mlm_pass *pass, const un_params *params, const float *dlogits,
                            float *dhidden, int add) {
    const duet_mlm_head *head = pass->head;
    size_t rows = pass->rows, H = head->dense.in;
    int bf16 = pass->type == UN_BF16;
    if (!pass->training)
        return un_fail(UNSEEN_E_ARGUMENT, "a pass that is not for training cannot go back");
    if (bf16) un_convert_to_bf16(dlogits, pass->dlogits16, rows * head->decoder.out);
    const un_dense_gradient decoder = {
        .x = pass->normal, .dy = dlogits, .dy16 = pass->dlogits16, .rows = rows, .dx = pass->d};
    UN_TRY(un_dense_backward(&head->decoder, params, pass->type, &decoder));
    un_norm_backward(&head->norm, params, pass->active, rows, &pass->norm, pass->d, pass->d, 0);
    un_gelu_backward(pass->before, UN_F32, pass->d, pass->d16, rows * H);
    const un_dense_gradient dense = {
        .x = pass->in, .dy = pass->d, .dy16 = pass->d16, .rows = rows, .dx = dhidden, .add = add};
    return un_dense_backward(&head->dense, params, pass->type, &dense);
}
