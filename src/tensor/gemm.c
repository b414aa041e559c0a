/* gemm.c - matrix products: oneDNN multiplies f32, own loops multiply bf16. */
#include "tensor/gemm.h"

#include <stdlib.h>

#include "base/arena.h"
#include "tensor/bf16.h"
#include "tensor/gemm_rows.h"
#include "tensor/kernels.h"
#include "tensor/onednn.h"

struct un_packed {
    un_dtype type;
    size_t n, k;
    un_bf16 *panels;    /* of UN_BF16 */
    un_dnn_packed *dnn; /* of UN_F32 */
};

static un_status check_pieces(const un_gemm_args *args) {
    int pieces = args->a_pieces || args->b_pieces || args->piece_done;
    int waits = args->piece_done || args->a_squares; /* for rows of A as they are stored */
    if ((pieces && args->piece_rows == 0) || (args->b_pieces && args->trans_b))
        return un_fail(UNSEEN_E_ARGUMENT, "matrix product of pieces that cannot be told apart");
    if (waits && (args->trans_a || args->left || args->n == 0 || args->k == 0))
        return un_fail(UNSEEN_E_ARGUMENT, "matrix product whose rows of A cannot be waited for");
    if (args->left && (args->left->lines != args->m || args->left->steps * BF16_STEP < args->k))
        return un_fail(UNSEEN_E_ARGUMENT, "left matrix does not fit this product");
    if (args->a_sums && (args->left || args->n == 0))
        return un_fail(UNSEEN_E_ARGUMENT, "matrix product that cannot add up its left rows");
    return UNSEEN_OK;
}

static un_status check_arguments(const un_gemm_args *args) {
    int input_ok = args->input == UN_F32 || args->input == UN_BF16;
    int output_ok = args->output == UN_F32 || (args->output == UN_BF16 && args->input == UN_BF16);
    int epilogues = (args->relu != 0) + (args->gelu != 0) + (args->accumulate != 0) +
                    (args->gelu_slope != NULL) + (args->residual != NULL);
    int special = args->a_f32 || args->b_f32 || args->a_pieces || args->b_pieces || args->left ||
                  args->a_squares || args->a_sums || args->piece_done;
    if (!input_ok || !output_ok || epilogues > 1 || (args->linear && !args->gelu) ||
        (special && args->input != UN_BF16))
        return un_fail(UNSEEN_E_ARGUMENT, "matrix product with unsupported types or epilogue");
    if (args->packed && (args->packed->n != args->n || args->packed->k != args->k ||
                         args->packed->type != args->input))
        return un_fail(UNSEEN_E_ARGUMENT, "packed matrix does not fit this product");
    return check_pieces(args);
}

static void put(void *c, un_dtype type, size_t at, float x) {
    if (type == UN_BF16)
        ((un_bf16 *)c)[at] = un_bf16_from_float(x);
    else
        ((float *)c)[at] = x;
}

/* A product over k = 0 is the bias alone; oneDNN divides by k for some shapes. */
static void empty_sum(const un_gemm_args *args) {
    size_t ldc = args->ldc ? args->ldc : args->n, size = un_dtype_size(args->output);
    for (size_t i = 0; i < args->m && !args->accumulate; i++) {
        for (size_t j = 0; j < args->n; j++) {
            float x = args->bias ? args->bias[j] : 0.0f;
            if (args->residual) x += (float)un_element(args->output, args->residual, i * ldc + j);
            if (args->relu && x < 0) x = 0;
            if (args->linear) put(args->linear, args->output, i * ldc + j, x);
            if (args->gelu) un_gelu(&x, UN_F32, &x, 1);
            if (args->gelu_slope)
                un_gelu_backward((const char *)args->gelu_slope + (i * ldc + j) * size,
                                 args->output, &x, NULL, 1);
            put(args->c, args->output, i * ldc + j, x);
        }
    }
}

/* oneDNN keeps nothing on the way, adds to what is there, and multiplies with no slope. */
static un_status multiply_f32(const un_gemm_args *args) {
    un_gemm_args plain = *args;
    size_t ldc = args->ldc ? args->ldc : args->n, together = ldc == args->n ? args->m : 1;
    if (args->linear) {
        plain.c = args->linear;
        plain.gelu = 0;
    }
    if (args->residual) plain.accumulate = 1;
    for (size_t i = 0; args->residual && args->residual != args->c && i < args->m; i += together)
        un_copy((const float *)args->residual + i * ldc, (float *)args->c + i * ldc,
                together * args->n);
    const un_dnn_packed *packed = args->packed ? args->packed->dnn : NULL;
    UN_TRY(!args->trans_a && un_dnn_rows_depend() ? un_dnn_gemm_rows(&plain, packed)
                                                  : un_dnn_gemm(&plain, packed));
    for (size_t i = 0; i < args->m && (args->linear || args->gelu_slope); i += together) {
        float *c = (float *)args->c + i * ldc;
        if (args->linear)
            un_gelu((const float *)args->linear + i * ldc, UN_F32, c, together * args->n);
        else
            un_gelu_backward((const float *)args->gelu_slope + i * ldc, UN_F32, c, NULL,
                             together * args->n);
    }
    return UNSEEN_OK;
}

un_status un_gemm(const un_gemm_args *args) {
    UN_TRY(check_arguments(args));
    if (args->m == 0 || args->n == 0) return UNSEEN_OK;
    if (args->k == 0) {
        empty_sum(args);
        return UNSEEN_OK;
    }
    if (args->input == UN_BF16)
        return un_bf16_multiply(un_bf16_way_here(), args,
                                args->packed ? args->packed->panels : NULL);
    return multiply_f32(args);
}

/* ---- packed operands ---- */

un_status un_gemm_repack(un_packed *packed, int trans_b, const void *b, size_t ldb) {
    if (packed->dnn) return un_dnn_gemm_repack(packed->dnn, trans_b, b, ldb);
    if (ldb == 0) ldb = trans_b ? packed->k : packed->n;
    un_bf16_pack_right(un_bf16_way_here(), trans_b, packed->n, packed->k, b, ldb, packed->panels);
    return UNSEEN_OK;
}

un_status un_gemm_pack(un_packed **out, un_dtype type, int trans_b, size_t m, size_t n, size_t k,
                       const void *b, size_t ldb) {
    if ((type != UN_F32 && type != UN_BF16) || n == 0 || k == 0)
        return un_fail(UNSEEN_E_ARGUMENT, "cannot pack a matrix of this type or shape");
    un_status status = UNSEEN_OK;
    un_packed *packed = calloc(1, sizeof *packed);
    if (!packed) return un_fail_memory(sizeof *packed);
    packed->type = type;
    packed->n = n;
    packed->k = k;
    if (type == UN_BF16) {
        UN_GO(un_alloc(un_bf16_packed_size(n, k), sizeof *packed->panels, &packed->panels));
        UN_GO(un_gemm_repack(packed, trans_b, b, ldb));
    } else {
        UN_GO(un_dnn_gemm_pack(&packed->dnn, trans_b, m, n, k, b, ldb,
                               un_dnn_rows_depend() ? un_dnn_right_ld(n) : 0));
    }
    *out = packed;
done:
    if (status) un_packed_free(packed);
    return status;
}

void un_packed_free(un_packed *packed) {
    if (!packed) return;
    free(packed->panels);
    un_dnn_packed_free(packed->dnn);
    free(packed);
}

void un_gemm_left_fill(un_gemm_left *left, size_t step, size_t n, const un_bf16 *columns,
                       size_t ld) {
    un_bf16_fill_left(un_bf16_way_here(), left, step, n, columns, ld);
}
