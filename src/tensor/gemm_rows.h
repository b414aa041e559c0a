/*
 * gemm_rows.h - products of f32 that are cut so that no row of C depends on the others. Private to
 * the room; gemm.c chooses.
 */
#ifndef UN_TENSOR_GEMM_ROWS_H
#define UN_TENSOR_GEMM_ROWS_H

#include "tensor/onednn.h"

/* Whether rows of oneDNN's products depend on each other here, so that un_dnn_gemm_rows is called
 * for those without trans_a. (A transposed A's rows are not samples but features, which are as many
 * in every product.) */
int un_dnn_rows_depend(void);
/* The product; `packed` has plain rows, best un_dnn_right_ld(n) apart, or is NULL. */
un_status un_dnn_gemm_rows(const un_gemm_args *args, const un_dnn_packed *packed);
/* How far apart rows of n values of a packed B lie best, in elements. */
size_t un_dnn_right_ld(size_t n);

#endif
