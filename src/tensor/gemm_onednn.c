/*
 * gemm_onednn.c - products of f32 matrices through oneDNN's matmul primitive.
 *
 * A product is described by a `shape`; its primitive is created on first use and
 * kept in a table that is cleared when full (shapes are few: the batch sizes of a
 * network). Creation and look-up are serialised, execution is not.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "tensor/gemm.h"
#include "tensor/kernels.h"
#include "tensor/onednn.h"

enum { TABLE_SIZE = 512, TABLE_LIMIT = 384 };

typedef struct { /* the key; compared as bytes, so it is zeroed before it is filled */
    size_t m, n, k, lda, ldb, ldc;
    int threads, trans_a, trans_b, bias, relu, gelu, accumulate;
    uint64_t packed; /* hash of the layout of a packed B, 0: plain */
} shape;

typedef struct {
    shape key;
    dnnl_primitive_t primitive; /* NULL: free slot */
    dnnl_memory_desc_t a, b, c, bias;
} plan;

struct un_dnn_packed {
    dnnl_memory_desc_t layout;
    size_t n, k;
    uint64_t hash; /* of the layout: equal layouts share primitives */
    void *data;
};

static const char CANNOT_MULTIPLY[] = "compute this matrix product on this processor";

static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static plan g_table[TABLE_SIZE];
static size_t g_plans;
/* Executions under way. The table owns the primitives: it is cleared only while there are none. */
static size_t g_busy;

/* A rows x columns matrix; `trans`: stored the other way round. */
static un_status make_layout(dnnl_memory_desc_t *out, size_t rows, size_t columns, size_t ld,
                             int trans) {
    const dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)columns};
    const dnnl_dims_t strides = {trans ? 1 : (dnnl_dim_t)ld, trans ? (dnnl_dim_t)ld : 1};
    DNN_TRY(dnnl_memory_desc_init_by_strides(out, 2, dims, dnnl_f32, strides), "describe a matrix");
    return UNSEEN_OK;
}

static un_status make_attributes(const shape *s, dnnl_primitive_attr_t *out) {
    dnnl_post_ops_t ops = NULL;
    UN_TRY(un_dnn_attributes(out));
    if (!s->relu && !s->gelu && !s->accumulate) return UNSEEN_OK;
    DNN_TRY(dnnl_post_ops_create(&ops), "create post-operations");
    dnnl_status_t code = dnnl_success;
    if (s->accumulate) code = dnnl_post_ops_append_sum(ops, 1.0f);
    if (code == dnnl_success && s->relu)
        code = dnnl_post_ops_append_eltwise(ops, 1.0f, dnnl_eltwise_relu, 0.0f, 0.0f);
    if (code == dnnl_success && s->gelu)
        code = dnnl_post_ops_append_eltwise(ops, 1.0f, dnnl_eltwise_gelu_erf, 0.0f, 0.0f);
    if (code == dnnl_success) code = dnnl_primitive_attr_set_post_ops(*out, ops);
    dnnl_post_ops_destroy(ops);
    DNN_TRY(code, "set post-operations");
    return UNSEEN_OK;
}

static un_status describe(const shape *s, const un_dnn_packed *packed, plan *p) {
    UN_TRY(make_layout(&p->a, s->m, s->k, s->lda, s->trans_a));
    if (packed)
        p->b = packed->layout;
    else
        UN_TRY(make_layout(&p->b, s->k, s->n, s->ldb, s->trans_b));
    UN_TRY(make_layout(&p->c, s->m, s->n, s->ldc, 0));
    return make_layout(&p->bias, 1, s->n, s->n, 0);
}

/* oneDNN's first choice for A stored (K, M) copies A block by block for every block of columns.
 * Over a long sum its second one, which packs both operands once, does the same in less: about
 * 12 % on a Zen 4 core for (1248, 9800) x (9800, 2048). */
static int is_long_sum(int trans_a, size_t m, size_t n, size_t k) {
    return trans_a && k >= 1024 && m >= 128 && n >= 128;
}

/* Moves the iterator to the packing implementation; 0 if there is none to prefer. */
static int find_packing_gemm(dnnl_primitive_desc_iterator_t list) {
    for (;;) {
        dnnl_primitive_desc_t candidate = dnnl_primitive_desc_iterator_fetch(list);
        if (!candidate) return 0;
        int found = strncmp(un_dnn_implementation(candidate), "gemm:jit", 8) == 0;
        dnnl_primitive_desc_destroy(candidate);
        if (found) return 1;
        if (dnnl_primitive_desc_iterator_next(list) != dnnl_success) return 0;
    }
}

/* The implementation of this product; the choice depends on the shape and the processor only. */
static un_status choose(const shape *s, const dnnl_matmul_desc_t *operation,
                        const_dnnl_primitive_attr_t attributes, dnnl_primitive_desc_t *out) {
    dnnl_primitive_desc_iterator_t list = NULL;
    *out = NULL;
    if (!s->packed && is_long_sum(s->trans_a, s->m, s->n, s->k) &&
        dnnl_primitive_desc_iterator_create(&list, operation, attributes, un_dnn_engine(), NULL) ==
            dnnl_success) {
        if (find_packing_gemm(list)) *out = dnnl_primitive_desc_iterator_fetch(list);
        dnnl_primitive_desc_iterator_destroy(list);
    }
    if (*out) return UNSEEN_OK;
    return un_dnn_describe(operation, attributes, CANNOT_MULTIPLY, out);
}

static un_status make_primitive(const shape *s, const un_dnn_packed *packed, plan *p) {
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_primitive_desc_t description = NULL;
    dnnl_matmul_desc_t operation;
    UN_TRY(describe(s, packed, p));
    DNN_TRY(dnnl_matmul_desc_init(&operation, &p->a, &p->b, s->bias ? &p->bias : NULL, &p->c),
            "describe a matrix product");
    un_status status = make_attributes(s, &attributes);
    if (!status) status = choose(s, &operation, attributes, &description);
    if (!status) status = un_dnn_create(description, CANNOT_MULTIPLY, &p->primitive);
    if (attributes) dnnl_primitive_attr_destroy(attributes);
    if (description) dnnl_primitive_desc_destroy(description);
    return status;
}

static void clear_table(void) {
    for (size_t i = 0; i < TABLE_SIZE; i++) {
        if (g_table[i].primitive) dnnl_primitive_destroy(g_table[i].primitive);
        g_table[i] = (plan){0};
    }
    g_plans = 0;
}

static uint64_t hash_bytes(const void *data, size_t n) {
    const unsigned char *bytes = data;
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < n; i++) hash = (hash ^ bytes[i]) * 0x100000001B3u;
    return hash;
}

/* Shapes are zeroed before they are filled, so padding compares equal. */
static int same_shape(const shape *a, const shape *b) {
    return memcmp(a, b, sizeof *a) == 0; /* NOLINT(bugprone-suspicious-memory-comparison) */
}

static void lock_table(void) { pthread_mutex_lock(&g_lock); }
static void unlock_table(void) { pthread_mutex_unlock(&g_lock); }

/* The other threads, and what they had under way, are not in the child. */
static void unlock_in_child(void) {
    g_busy = 0;
    unlock_table();
}

/* After un_dnn_enter, whose lock is taken while this one is held: a fork takes them in the
 * opposite order of these registrations. */
static void watch_forks(void) { pthread_atfork(lock_table, unlock_table, unlock_in_child); }

/* A copy of the plan for this shape; give it back with release_plan. */
static un_status acquire_plan(const shape *s, const un_dnn_packed *packed, plan *out) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    lock_table();
    if (g_plans >= TABLE_LIMIT && g_busy == 0) clear_table();
    size_t i = (size_t)(hash_bytes(s, sizeof *s) % TABLE_SIZE);
    size_t probes = 0;
    while (probes < TABLE_SIZE && g_table[i].primitive && !same_shape(&g_table[i].key, s)) {
        i = (i + 1) % TABLE_SIZE;
        probes++;
    }
    un_status status = UNSEEN_OK;
    if (probes == TABLE_SIZE)
        status = un_fail(UNSEEN_E_MEMORY, "too many matrix shapes in use at once");
    else if (!g_table[i].primitive &&
             (status = make_primitive(s, packed, &g_table[i])) == UNSEEN_OK) {
        memcpy(&g_table[i].key, s, sizeof *s);
        g_plans++;
    }
    if (!status) {
        *out = g_table[i];
        g_busy++;
    }
    unlock_table();
    return status;
}

static void release_plan(void) {
    lock_table();
    g_busy--;
    unlock_table();
}

static un_status execute(const plan *p, const un_gemm_args *args, const un_dnn_packed *packed) {
    const void *b = packed ? packed->data : args->b;
    const un_dnn_operand operands[] = {{DNNL_ARG_SRC, &p->a, args->a},
                                       {DNNL_ARG_WEIGHTS, &p->b, b},
                                       {DNNL_ARG_DST, &p->c, args->c},
                                       {DNNL_ARG_BIAS, &p->bias, args->bias}};
    return un_dnn_execute(p->primitive, operands, args->bias ? 4 : 3, "multiply");
}

/* oneDNN 2.6 reads a plain f32 B of long rows where it lies, at two thirds of the speed it has
 * on one that is packed; packing costs a few percent of a large product. */
static int worth_packing(const un_gemm_args *args, const un_dnn_packed *packed) {
    size_t dense = args->trans_a ? args->m : args->k;
    int gaps = args->lda != 0 && args->lda != dense; /* no fast implementation has both */
    return !gaps && !packed && !args->trans_b && args->n >= 512 && args->m >= 256 &&
           args->k >= 256 && !is_long_sum(args->trans_a, args->m, args->n, args->k);
}

static un_status multiply(const un_gemm_args *args, const un_dnn_packed *packed, int threads) {
    shape s;
    memset(&s, 0, sizeof s);
    s.threads = threads;
    s.m = args->m;
    s.n = args->n;
    s.k = args->k;
    s.lda = args->lda ? args->lda : (args->trans_a ? args->m : args->k);
    s.ldb = packed ? 0 : args->ldb ? args->ldb : (args->trans_b ? args->k : args->n);
    s.ldc = args->ldc ? args->ldc : args->n;
    s.trans_a = args->trans_a;
    s.trans_b = packed ? 0 : args->trans_b;
    s.bias = args->bias != NULL;
    s.relu = args->relu != 0;
    s.gelu = args->gelu != 0;
    s.accumulate = args->accumulate != 0;
    s.packed = packed ? packed->hash : 0;
    plan p;
    UN_TRY(acquire_plan(&s, packed, &p));
    un_status status = execute(&p, args, packed);
    release_plan();
    return status;
}

un_status un_dnn_gemm(const un_gemm_args *args, const un_dnn_packed *packed) {
    un_openmp_loan loan;
    un_dnn_packed *own = NULL;
    if (worth_packing(args, packed))
        UN_TRY(un_dnn_gemm_pack(&own, 0, args->m, args->n, args->k, args->b, args->ldb));
    un_status status = un_dnn_enter(&loan);
    if (!status) {
        status = multiply(args, own ? own : packed, loan.threads);
        un_dnn_leave(loan);
    }
    un_dnn_packed_free(own);
    return status;
}

/* Asks oneDNN which layout of B it prefers for this product. */
static un_status preferred_layout(size_t m, size_t n, size_t k, dnnl_memory_desc_t *out) {
    dnnl_memory_desc_t a, c;
    dnnl_matmul_desc_t operation;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_primitive_desc_t description = NULL;
    const dnnl_dims_t dims = {(dnnl_dim_t)k, (dnnl_dim_t)n};
    UN_TRY(make_layout(&a, m, k, k, 0));
    UN_TRY(make_layout(&c, m, n, n, 0));
    DNN_TRY(dnnl_memory_desc_init_by_tag(out, 2, dims, dnnl_f32, dnnl_format_tag_any),
            "describe a matrix");
    DNN_TRY(dnnl_matmul_desc_init(&operation, &a, out, NULL, &c), "describe a matrix product");
    UN_TRY(un_dnn_attributes(&attributes));
    un_status status = un_dnn_describe(&operation, attributes, CANNOT_MULTIPLY, &description);
    dnnl_primitive_attr_destroy(attributes);
    UN_TRY(status);
    *out = *dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0);
    dnnl_primitive_desc_destroy(description);
    return UNSEEN_OK;
}

un_status un_dnn_gemm_repack(un_dnn_packed *packed, int trans_b, const float *b, size_t ldb) {
    un_openmp_loan loan;
    dnnl_memory_desc_t plain;
    if (ldb == 0) ldb = trans_b ? packed->k : packed->n;
    UN_TRY(make_layout(&plain, packed->k, packed->n, ldb, trans_b));
    UN_TRY(un_dnn_enter(&loan));
    un_status status = un_dnn_reorder(&plain, b, &packed->layout, packed->data);
    un_dnn_leave(loan);
    return status;
}

un_status un_dnn_gemm_pack(un_dnn_packed **out, int trans_b, size_t m, size_t n, size_t k,
                           const float *b, size_t ldb) {
    un_openmp_loan loan;
    un_dnn_packed *packed = calloc(1, sizeof *packed);
    if (!packed) return un_fail_memory(sizeof *packed);
    un_status status = un_dnn_enter(&loan);
    if (status) {
        free(packed);
        return status;
    }
    packed->n = n;
    packed->k = k;
    UN_GO(preferred_layout(m ? m : 1, n, k, &packed->layout));
    UN_GO(un_alloc(dnnl_memory_desc_get_size(&packed->layout), 1, &packed->data));
    UN_GO(un_dnn_gemm_repack(packed, trans_b, b, ldb));
    packed->hash = hash_bytes(&packed->layout, sizeof packed->layout) | 1;
    *out = packed;
done:
    un_dnn_leave(loan);
    if (status) un_dnn_packed_free(packed);
    return status;
}

void un_dnn_packed_free(un_dnn_packed *packed) {
    if (!packed) return;
    free(packed->data);
    free(packed);
}

const char *un_gemm_backend(void) {
    static _Thread_local char text[32];
    const dnnl_version_t *version = dnnl_version();
    snprintf(text, sizeof text, "oneDNN %d.%d.%d", version->major, version->minor, version->patch);
    return text;
}
