/*
 * onednn.h - what gemm_onednn.c and conv_onednn.c share: the engine, making and running
 * primitives, reordering. Private to the room; includes oneDNN, 2.x or 3.x: where they differ,
 * onednn_version.h stands between.
 *
 * Threads: a primitive belongs to the number of threads it was made for (un_dnn_enter tells it)
 * and may run on any thread, on several at once. For that every primitive works in memory of the
 * thread that runs it: by default oneDNN keeps working memory with the primitive, or with the
 * thread that made it.
 */
#ifndef UN_TENSOR_ONEDNN_H
#define UN_TENSOR_ONEDNN_H

#include "base/parallel.h"
#include "tensor/gemm.h"
#include "tensor/onednn_version.h"

/* A failure of oneDNN as ours: "oneDNN cannot <what>". */
un_status un_dnn_failed(dnnl_status_t code, const char *what);

#define DNN_TRY(call, what)                                                                        \
    do {                                                                                           \
        dnnl_status_t dnn_status_ = (call);                                                        \
        if (dnn_status_ != dnnl_success) return un_dnn_failed(dnn_status_, what);                  \
    } while (0)

/* Makes the engine, which all threads share, and what this thread needs, and borrows OpenMP.
 * Everything below happens between the two, making primitives too: how they are planned depends
 * on the number of threads. Pairs may be nested. */
un_status un_dnn_enter(un_openmp_loan *loan);
/* When handlers of forks are registered, as the library is loaded (a fork that has begun calls none
 * that come later): those for locks that are taken first by a larger number. */
#define UN_DNN_LOADED 200
/* The same for one thread, whose primitives are made for one: in loops of ours. */
un_status un_dnn_enter_alone(un_openmp_loan *loan);
void un_dnn_leave(un_openmp_loan loan);

dnnl_data_type_t un_dnn_type(un_dtype type); /* of UN_F32 and UN_BF16 */
/* Whether oneDNN uses this of the processor: not all, if ONEDNN_MAX_CPU_ISA says so. */
int un_dnn_has(dnnl_cpu_isa_t isa);

/* Making primitives takes turns among threads; `what` is for the sentence. */
un_status un_dnn_describe(const un_dnn_operation *operation, const char *what,
                          dnnl_primitive_desc_t *out);
un_status un_dnn_create(const_dnnl_primitive_desc_t description, const char *what,
                        dnnl_primitive_t *out);
/* Which of its ways oneDNN chose: "jit:avx512_core", "ref:any", … */
const char *un_dnn_implementation(const_dnnl_primitive_desc_t description);
/* Whether that is a reference loop: "ref:any", "ref_int8:any", which take an element at a time. Not
 * "gemm:ref", a blocked product that the compiler vectorises: what 2.x has beyond x86. */
int un_dnn_is_slow(const char *implementation);
/* Says, once in a process, that nothing faster is there for `what`. */
void un_dnn_warn_slow(const char *what);

enum { UN_DNN_MAX_ARGUMENTS = 6 };

/* An operand: DNNL_ARG_... and its data (never written to if it is an input), which lie as the
 * primitive was described. */
typedef struct {
    int argument;
    const void *data;
} un_dnn_operand;

/* Runs a primitive and waits; at most UN_DNN_MAX_ARGUMENTS operands. */
un_status un_dnn_execute(dnnl_primitive_t primitive, const un_dnn_operand *operands, int n,
                         const char *what);
/* Memory of this thread: at least `bytes`, until it is asked for more for the same purpose or the
 * thread ends. */
typedef enum {
    UN_DNN_BETWEEN, /* what goes from one primitive to the next */
    UN_DNN_RIGHT,   /* the right operand of a product that is cut */
    UN_DNN_ROOMS
} un_dnn_purpose;
un_status un_dnn_room(un_dnn_purpose purpose, size_t bytes, void **out);
/* A primitive that copies from one layout and type to another, DNNL_ARG_FROM to DNNL_ARG_TO. */
un_status un_dnn_create_reorder(const un_dnn_layout *from, const un_dnn_layout *to,
                                dnnl_primitive_t *out);
/* Such a copy, with a primitive of its own. */
un_status un_dnn_reorder(const un_dnn_layout *from, const void *source, const un_dnn_layout *to,
                         void *target);

/* ---- products of f32 (gemm_onednn.c); arguments are valid and no dimension is 0 ---- */

typedef struct un_dnn_packed un_dnn_packed;
un_status un_dnn_gemm(const un_gemm_args *args, const un_dnn_packed *packed);
/* The product on the calling thread alone. */
un_status un_dnn_gemm_alone(const un_gemm_args *args);
/* Which way oneDNN takes for a dense product: as un_dnn_implementation. */
un_status un_dnn_gemm_implementation(size_t m, size_t n, size_t k, size_t size, char *name);
/* As un_gemm_pack and un_gemm_repack. `ld`: rows of B lie plain and so many elements apart; 0: as
 * oneDNN likes it best. */
un_status un_dnn_gemm_pack(un_dnn_packed **out, int trans_b, size_t m, size_t n, size_t k,
                           const float *b, size_t ldb, size_t ld);
/* Rows that lie plain, and how far apart; otherwise NULL. */
const float *un_dnn_packed_rows(const un_dnn_packed *packed, size_t *ld);
un_status un_dnn_gemm_repack(un_dnn_packed *packed, int trans_b, const float *b, size_t ldb);
void un_dnn_packed_free(un_dnn_packed *packed);

#endif
