/*
 * gemm_rows.h - what gemm_onednn.c and gemm_rows.c have of each other: products of f32 that are cut
 * so that no row of C depends on the others. Private to the room.
 */
#ifndef UN_TENSOR_GEMM_ROWS_H
#define UN_TENSOR_GEMM_ROWS_H

#include "tensor/onednn.h"

/* ---- gemm_rows.c ---- */

/* Whether rows of oneDNN's products depend on each other here, so that un_dnn_gemm_rows is called
 * for those without trans_a. (A transposed A's rows are not samples but features, which are as many
 * in every product.) Between un_dnn_enter and un_dnn_leave, as the next. */
int un_dnn_rows_depend(void);
/* The product, with B where args->b says; `packed`: its rows are un_dnn_right_ld apart already. */
un_status un_dnn_gemm_rows(const un_gemm_args *args, int packed);
/* How far apart rows of n values of a packed B lie best, in elements. */
size_t un_dnn_right_ld(size_t n);

/* ---- gemm_onednn.c ---- */

/* The product as oneDNN computes it on the calling thread alone. */
un_status un_dnn_gemm_alone(const un_gemm_args *args);
/* Which way oneDNN takes for a dense product of f32: as un_dnn_implementation. */
un_status un_dnn_gemm_implementation(size_t m, size_t n, size_t k, size_t size, char *name);

#endif
