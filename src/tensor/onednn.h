/*
 * onednn.h - what gemm_onednn.c and conv_onednn.c share: the engine, this thread's
 * stream, execution and reordering. Private to the room; includes oneDNN.
 *
 * Written for the C API of oneDNN 2.x (operation descriptors).
 */
#ifndef UN_TENSOR_ONEDNN_H
#define UN_TENSOR_ONEDNN_H

#include <oneapi/dnnl/dnnl.h>
#include <stddef.h>

#include "tensor/tensor.h"

#if DNNL_VERSION_MAJOR != 2
#error "written for oneDNN 2.x: 3.x has another way of making primitives"
#endif

/* A failure of oneDNN as ours: "oneDNN cannot <what>". */
un_status un_dnn_failed(dnnl_status_t code, const char *what);

#define DNN_TRY(call, what)                                                                        \
    do {                                                                                           \
        dnnl_status_t dnn_status_ = (call);                                                        \
        if (dnn_status_ != dnnl_success) return un_dnn_failed(dnn_status_, what);                  \
    } while (0)

/* Makes the engine, which all threads share, and the stream of this thread. Call before the
 * functions below. */
un_status un_dnn_start(void);
dnnl_engine_t un_dnn_engine(void);
dnnl_data_type_t un_dnn_type(un_dtype type); /* of UN_F32 and UN_BF16 */

enum { UN_DNN_MAX_ARGUMENTS = 6 };

/* An operand: DNNL_ARG_..., its layout and its data (never written to if it is an input). */
typedef struct {
    int argument;
    const dnnl_memory_desc_t *layout;
    const void *data;
} un_dnn_operand;

/* Runs a primitive and waits; at most UN_DNN_MAX_ARGUMENTS operands. `what` is for the sentence. */
un_status un_dnn_execute(dnnl_primitive_t primitive, const un_dnn_operand *operands, int n,
                         const char *what);
/* A primitive that copies from one layout and type to another. */
un_status un_dnn_make_reorder(const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to,
                              dnnl_primitive_t *out);
/* Makes, runs and forgets one. */
un_status un_dnn_reorder(const dnnl_memory_desc_t *from, const void *source,
                         const dnnl_memory_desc_t *to, void *target);

#endif
