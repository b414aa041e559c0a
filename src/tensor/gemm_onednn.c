/*
 * gemm_onednn.c - products of f32 matrices through oneDNN's matmul primitive.
 *
 * A product is described by a `shape`; its plan is made on first use and kept in a table, which
 * forgets all when it is full (shapes are few: the batch sizes of a network). Making and look-up
 * are serialised, execution is not.
 */
#include <pthread.h>
#include <stdatomic.h>
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
    int packs;          /* B is plain, and packed in the call */
    int packed_threads; /* what the layout of a packed B was chosen for; 0: B is plain */
    size_t packed_m;
} shape;

/* An operand that the product does not take as it lies is copied to or from one that it does. */
typedef struct {
    dnnl_primitive_t primitive; /* NULL: none */
    size_t bytes;               /* of the one that it takes */
} copying;

typedef struct {
    shape key;
    dnnl_primitive_t product;
    copying a, b, c_before, c_after;
    size_t users; /* executions under way */
    int tabled;   /* else the last user destroys it */
} plan;

struct un_dnn_packed {
    un_dnn_layout *layout; /* depends on the next four alone, on one processor */
    size_t m, n, k;
    int threads;
    size_t ld; /* plain rows so far apart; 0: as oneDNN prefers it */
    void *data;
    struct { /* what put the values there last */
        dnnl_primitive_t primitive;
        size_t ldb;
        int trans_b, threads;
    } packing;
};

static const char CANNOT_MULTIPLY[] = "compute this matrix product on this processor";

static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static plan *g_table[TABLE_SIZE]; /* NULL: free slot */
static size_t g_plans;

/* A rows x columns matrix; `trans`: stored the other way round. */
static un_status make_layout(un_dnn_layout **out, size_t rows, size_t columns, size_t ld,
                             int trans) {
    const dnnl_dims_t extents = {(dnnl_dim_t)rows, (dnnl_dim_t)columns};
    const dnnl_dims_t strides = {trans ? 1 : (dnnl_dim_t)ld, trans ? (dnnl_dim_t)ld : 1};
    DNN_TRY(un_dnn_layout_by_strides(out, 2, extents, dnnl_f32, strides), "describe a matrix");
    return UNSEEN_OK;
}

/* oneDNN's first choice for A stored (K, M) copies A block by block for every block of columns.
 * Over a long sum its second one, which packs both operands once, does the same in less: about
 * 12 % on a Zen 4 core for (1248, 9800) x (9800, 2048). With oneDNN 3.7 on a Xeon with AVX-512 it
 * is 10 %, and 2.5 times as fast for (768, 1576) x (1576, 3072). */
static int is_long_sum(int trans_a, size_t m, size_t n, size_t k) {
    return trans_a && k >= 1024 && m >= 128 && n >= 128;
}

/* The implementation that packs both operands; none: E_UNSUPPORTED. */
static un_status describe_packing_gemm(un_dnn_operation operation, dnnl_primitive_desc_t *out) {
    for (;; operation.choice++) {
        UN_TRY(un_dnn_describe(&operation, CANNOT_MULTIPLY, out));
        if (strncmp(un_dnn_implementation(*out), "gemm:jit", 8) == 0) return UNSEEN_OK;
        dnnl_primitive_desc_destroy(*out);
        *out = NULL;
    }
}

/* The implementation of this product; the choice depends on the shape and the processor only. */
static un_status select_implementation(const shape *s, const un_dnn_layout *packed,
                                       const un_dnn_operation *operation,
                                       dnnl_primitive_desc_t *out) {
    if (!packed && is_long_sum(s->trans_a, s->m, s->n, s->k)) {
        un_status status = describe_packing_gemm(*operation, out);
        if (status != UNSEEN_E_UNSUPPORTED) return status;
    }
    return un_dnn_describe(operation, CANNOT_MULTIPLY, out);
}

/* How the product of s is computed, whose B lies as `packed` says; NULL: as s says. */
static un_status describe_product(const shape *s, const un_dnn_layout *packed,
                                  dnnl_primitive_desc_t *out) {
    un_dnn_layout *a = NULL, *b = NULL, *c = NULL, *bias = NULL;
    un_status status = make_layout(&a, s->m, s->k, s->lda, s->trans_a);
    if (!status && !packed) status = make_layout(&b, s->k, s->n, s->ldb, s->trans_b);
    if (!status) status = make_layout(&c, s->m, s->n, s->ldc, 0);
    if (!status && s->bias) status = make_layout(&bias, 1, s->n, s->n, 0);
    const un_dnn_operation operation = {.kind = UN_DNN_MATMUL,
                                        .x = a,
                                        .weights = packed ? packed : b,
                                        .bias = bias,
                                        .y = c,
                                        .add = s->accumulate,
                                        .activation = s->relu   ? dnnl_eltwise_relu
                                                      : s->gelu ? dnnl_eltwise_gelu_erf
                                                                : dnnl_alg_kind_undef};
    if (!status) status = select_implementation(s, packed, &operation, out);
    un_dnn_layout_free(a);
    un_dnn_layout_free(b);
    un_dnn_layout_free(c);
    un_dnn_layout_free(bias);
    return status;
}

/* Asks oneDNN which layout of B it prefers for products of m rows. */
static un_status preferred_layout(size_t m, size_t n, size_t k, un_dnn_layout **out) {
    un_dnn_layout *a = NULL, *b = NULL, *c = NULL;
    dnnl_primitive_desc_t description = NULL;
    const dnnl_dims_t extents = {(dnnl_dim_t)k, (dnnl_dim_t)n};
    un_status status = make_layout(&a, m, k, k, 0);
    if (!status) status = make_layout(&c, m, n, n, 0);
    dnnl_status_t code = dnnl_success;
    if (!status) code = un_dnn_layout_by_tag(&b, 2, extents, dnnl_f32, dnnl_format_tag_any);
    const un_dnn_operation operation = {.kind = UN_DNN_MATMUL, .x = a, .weights = b, .y = c};
    if (!status && code == dnnl_success)
        status = un_dnn_describe(&operation, CANNOT_MULTIPLY, &description);
    if (description) {
        code = un_dnn_layout_copy(
            out, dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0));
        dnnl_primitive_desc_destroy(description);
    }
    un_dnn_layout_free(a);
    un_dnn_layout_free(b);
    un_dnn_layout_free(c);
    UN_TRY(status);
    DNN_TRY(code, "describe a packed matrix");
    return UNSEEN_OK;
}

/* Copies B as it is given into the layout. */
static un_status make_packing(size_t n, size_t k, int trans_b, size_t ldb,
                              const un_dnn_layout *layout, dnnl_primitive_t *out) {
    un_dnn_layout *plain = NULL;
    UN_TRY(make_layout(&plain, k, n, ldb, trans_b));
    un_status status = un_dnn_create_reorder(plain, layout, out);
    un_dnn_layout_free(plain);
    return status;
}

/* Copies between a matrix as it is given and a dense one. */
static un_status make_copying(size_t rows, size_t columns, size_t ld, int trans, int back,
                              copying *out) {
    un_dnn_layout *given = NULL, *dense = NULL;
    un_status status = make_layout(&given, rows, columns, ld, trans);
    if (!status) status = make_layout(&dense, rows, columns, columns, 0);
    if (!status)
        status = un_dnn_create_reorder(back ? dense : given, back ? given : dense, &out->primitive);
    if (!status) out->bytes = dnnl_memory_desc_get_size(dense);
    un_dnn_layout_free(given);
    un_dnn_layout_free(dense);
    return status;
}

/* oneDNN 2.6 has only its reference loop, a hundred times slower than the rest, where B is packed
 * and A is stored (K, M), or A or C has gaps. Returns the shape that a product of s takes, with A
 * and then C dense where that helps. */
static un_status avoid_slow_loop(const shape *s, const un_dnn_layout *packed, shape *taken,
                                 dnnl_primitive_desc_t *out) {
    shape forms[4] = {*s, *s, *s, *s};
    forms[1].trans_a = forms[2].trans_a = 0;
    forms[1].lda = forms[2].lda = s->k;
    forms[2].ldc = s->n;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) { /* the last one as it is given */
        if (*out) dnnl_primitive_desc_destroy(*out);
        *out = NULL;
        UN_TRY(describe_product(&forms[i], packed, out));
        *taken = forms[i];
        if (!un_dnn_is_slow(un_dnn_implementation(*out))) return UNSEEN_OK;
    }
    un_dnn_warn_slow("a matrix product");
    return UNSEEN_OK;
}

static un_status make_product(const shape *s, const un_dnn_layout *packed, plan *p) {
    dnnl_primitive_desc_t description = NULL;
    shape taken;
    un_status status = UNSEEN_OK;
    UN_GO(avoid_slow_loop(s, packed, &taken, &description));
    if (taken.trans_a != s->trans_a || taken.lda != s->lda)
        UN_GO(make_copying(s->m, s->k, s->lda, s->trans_a, 0, &p->a));
    if (taken.ldc != s->ldc) {
        UN_GO(make_copying(s->m, s->n, s->ldc, 0, 1, &p->c_after));
        if (s->accumulate) UN_GO(make_copying(s->m, s->n, s->ldc, 0, 0, &p->c_before));
    }
    status = un_dnn_create(description, CANNOT_MULTIPLY, &p->product);
done:
    if (description) dnnl_primitive_desc_destroy(description);
    return status;
}

static void free_plan(plan *p) {
    const dnnl_primitive_t owned[] = {p->product, p->a.primitive, p->b.primitive,
                                      p->c_before.primitive, p->c_after.primitive};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        if (owned[i]) dnnl_primitive_destroy(owned[i]);
    free(p);
}

static un_status make_plan(const shape *s, const un_dnn_packed *packed, plan **out) {
    un_dnn_layout *layout = NULL;
    un_status status = UNSEEN_OK;
    plan *p = calloc(1, sizeof *p);
    if (!p) return un_fail_memory(sizeof *p);
    memcpy(&p->key, s, sizeof *s);
    if (s->packs) {
        UN_GO(preferred_layout(s->m, s->n, s->k, &layout));
        p->b.bytes = dnnl_memory_desc_get_size(layout);
        UN_GO(make_packing(s->n, s->k, s->trans_b, s->ldb, layout, &p->b.primitive));
    }
    UN_GO(make_product(s, packed ? packed->layout : layout, p));
    *out = p;
done:
    un_dnn_layout_free(layout);
    if (status) free_plan(p);
    return status;
}

/* ---- the table ---- */

/* Forgets all plans; those that run are destroyed when they have. */
static void clear_table(void) {
    for (size_t i = 0; i < TABLE_SIZE; i++) {
        plan *p = g_table[i];
        g_table[i] = NULL;
        if (!p) continue;
        p->tabled = 0;
        if (p->users == 0) free_plan(p);
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

/* When the library is loaded, and after onednn.c's, whose lock is taken while this one is held: a fork
 * takes them in the opposite order of these registrations. What other threads had under way is not in
 * the child: those plans stay in its memory when they are forgotten. */
__attribute__((constructor(UN_DNN_LOADED + 1))) static void watch_forks(void) {
    pthread_atfork(lock_table, unlock_table, unlock_table);
}

/* The plan for this shape; give it back with release_plan. */
static un_status acquire_plan(const shape *s, const un_dnn_packed *packed, plan **out) {
    un_log_hold(); /* a slow implementation is told of, by a host that may multiply meanwhile */
    lock_table();
    if (g_plans >= TABLE_LIMIT) clear_table();
    size_t i = (size_t)(hash_bytes(s, sizeof *s) % TABLE_SIZE);
    while (g_table[i] && !same_shape(&g_table[i]->key, s)) i = (i + 1) % TABLE_SIZE;
    un_status status = UNSEEN_OK;
    if (!g_table[i] && (status = make_plan(s, packed, &g_table[i])) == UNSEEN_OK) {
        g_table[i]->tabled = 1;
        g_plans++;
    }
    if (!status) {
        *out = g_table[i];
        (*out)->users++;
    }
    unlock_table();
    un_log_release();
    return status;
}

static void release_plan(plan *p) {
    lock_table();
    if (--p->users == 0 && !p->tabled) free_plan(p);
    unlock_table();
}

static un_status copy_matrix(const copying *c, const void *from, const void *to) {
    if (!c->primitive) return UNSEEN_OK;
    const un_dnn_operand ends[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    return un_dnn_execute(c->primitive, ends, 2, "copy a matrix");
}

/* Where the copy lies, and the next one may begin. */
static const void *place(const copying *c, char **next, const void *given) {
    if (!c->primitive) return given;
    const void *at = *next;
    *next += (c->bytes + 63) / 64 * 64;
    return at;
}

static un_status execute(const plan *p, const un_gemm_args *args, const un_dnn_packed *packed) {
    const void *given_b = packed ? packed->data : args->b;
    size_t bytes = p->a.bytes + p->b.bytes + p->c_after.bytes;
    void *room = NULL;
    if (bytes > 0) UN_TRY(un_dnn_room(UN_DNN_BETWEEN, bytes + 3 * 64, &room));
    char *next = room;
    const void *a = place(&p->a, &next, args->a), *b = place(&p->b, &next, given_b),
               *c = place(&p->c_after, &next, args->c);
    UN_TRY(copy_matrix(&p->a, args->a, a));
    UN_TRY(copy_matrix(&p->b, given_b, b));
    UN_TRY(copy_matrix(&p->c_before, args->c, c));
    const un_dnn_operand operands[] = {
        {DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}, {DNNL_ARG_BIAS, args->bias}};
    UN_TRY(un_dnn_execute(p->product, operands, args->bias ? 4 : 3, "multiply"));
    return copy_matrix(&p->c_after, c, args->c);
}

/* ---- products ---- */

/* oneDNN 2.6 reads a plain f32 B of long rows where it lies, slower than one that is packed, and
 * packing costs as much for few rows of A as for many. On two Ice Lake cores packing in the call
 * made (1576, 768) x (768, 3072) 2.1 times as fast, (512, 768) x (768, 3072) 1.57, (512, 1024) x
 * (1024, 1024) 1.03, but (1024, 1024) x (1024, 1024) 0.87, (312, 300) x (300, 2048) 0.81 and (256,
 * 1024) x (1024, 4096) 0.76: from 512 on the gains are the larger ones. */
static int worth_packing(const un_gemm_args *args, const un_dnn_packed *packed) {
    size_t dense = args->trans_a ? args->m : args->k;
    int gaps = args->lda != 0 && args->lda != dense; /* no fast implementation has both */
    return !gaps && !packed && !args->trans_b && args->n >= 512 && args->m >= 512 &&
           args->k >= 512 && !is_long_sum(args->trans_a, args->m, args->n, args->k);
}

static int has_avx512(void) {
    static atomic_int known; /* 1: no, 2: yes; asking takes a lock */
    int answer = atomic_load(&known);
    if (answer == 0) atomic_store(&known, answer = 1 + (un_dnn_has(dnnl_cpu_isa_avx512_core) != 0));
    return answer == 2;
}

/* Where B is packed, A and C are dense (avoid_slow_loop), and oneDNN 2.6 multiplies by
 * "brg:avx512_core", whose rows have nothing to do with each other. What has gaps it would multiply
 * by "gemm:jit", which adds up few rows, many rows and the shares of threads each in another order.
 * (Of a transposed A a row is a feature, not a sample: as many in every product.) */
static int packs_for_rows(const un_gemm_args *args, const un_dnn_packed *packed) {
    size_t ldb = args->trans_b ? args->k : args->n;
    int gaps = (args->lda != 0 && args->lda != args->k) || (args->ldb != 0 && args->ldb != ldb) ||
               (args->ldc != 0 && args->ldc != args->n);
    return gaps && !packed && !args->trans_a && has_avx512();
}

static un_status multiply_dense(const un_gemm_args *args, const un_dnn_packed *packed,
                                int threads) {
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
    s.packs = worth_packing(args, packed) || packs_for_rows(args, packed);
    s.packed_threads = packed ? packed->threads : 0;
    s.packed_m = packed ? packed->m : 0;
    plan *p = NULL;
    UN_TRY(acquire_plan(&s, packed, &p));
    un_status status = execute(p, args, packed);
    release_plan(p);
    return status;
}

static void copy_spaced(size_t n, const float *from, size_t from_step, float *to, size_t to_step) {
    for (size_t i = 0; i < n; i++) to[i * to_step] = from[i * from_step];
}

/* oneDNN 3.7 takes a vector with gaps between its values for a dense one, whether it is A (m = 1,
 * stored as a column) or C (n = 1): where its AVX-512 ways look at the layout, a matrix of one row
 * and one of one column are the same. So such vectors are copied; next to the product that is
 * little. */
static un_status multiply(const un_gemm_args *args, const un_dnn_packed *packed, int threads) {
    int spaced_a = args->m == 1 && args->trans_a && args->lda > 1;
    int spaced_c = args->n == 1 && args->ldc > 1;
    if (!spaced_a && !spaced_c) return multiply_dense(args, packed, threads);
    un_gemm_args dense = *args;
    float *a = NULL, *c = NULL;
    un_status status = UNSEEN_OK;
    if (spaced_a) {
        UN_GO(un_alloc(args->k, sizeof *a, &a));
        copy_spaced(args->k, args->a, args->lda, a, 1);
        dense.a = a;
        dense.trans_a = 0;
        dense.lda = 0;
    }
    if (spaced_c) {
        UN_GO(un_alloc(args->m, sizeof *c, &c));
        if (args->accumulate) copy_spaced(args->m, args->c, args->ldc, c, 1);
        dense.c = c;
        dense.ldc = 0;
    }
    UN_GO(multiply_dense(&dense, packed, threads));
    if (spaced_c) copy_spaced(args->m, c, 1, args->c, args->ldc);
done:
    free(a);
    free(c);
    return status;
}

/* oneDNN 3 adds up a long sum of a single row in another order, with AVX-512: beside a row of zeros it
 * does not. Since B is what takes time to read, that costs little. */
static int single_depends(const un_gemm_args *args) {
    return args->m == 1 && !args->trans_a && has_avx512() && dnnl_version()->major >= 3;
}

static un_status multiply_single(const un_gemm_args *args, const un_dnn_packed *packed,
                                 int threads) {
    un_gemm_args two = *args;
    float *room = NULL;
    UN_TRY(un_alloc(2 * (args->k + args->n), sizeof *room, &room));
    float *c = room + 2 * args->k;
    memcpy(room, args->a, args->k * sizeof *room);
    if (args->accumulate) memcpy(c, args->c, args->n * sizeof *c);
    two.m = 2;
    two.a = room;
    two.c = c;
    two.lda = two.ldc = 0;
    un_status status = multiply(&two, packed, threads);
    if (!status) memcpy(args->c, c, args->n * sizeof *c);
    free(room);
    return status;
}

un_status un_dnn_gemm(const un_gemm_args *args, const un_dnn_packed *packed) {
    un_openmp_loan loan;
    UN_TRY(un_dnn_enter(&loan));
    un_status status = single_depends(args) ? multiply_single(args, packed, loan.threads)
                                            : multiply(args, packed, loan.threads);
    un_dnn_leave(loan);
    return status;
}

un_status un_dnn_gemm_alone(const un_gemm_args *args) {
    un_openmp_loan loan;
    UN_TRY(un_dnn_enter_alone(&loan));
    un_status status = multiply(args, NULL, loan.threads);
    un_dnn_leave(loan);
    return status;
}

un_status un_dnn_gemm_implementation(size_t m, size_t n, size_t k, size_t size, char *name) {
    const shape s = {.m = m, .n = n, .k = k, .lda = k, .ldb = n, .ldc = n};
    dnnl_primitive_desc_t description = NULL;
    un_openmp_loan loan;
    UN_TRY(un_dnn_enter_alone(&loan));
    un_status status = describe_product(&s, NULL, &description);
    un_dnn_leave(loan);
    UN_TRY(status);
    snprintf(name, size, "%s", un_dnn_implementation(description));
    dnnl_primitive_desc_destroy(description);
    return UNSEEN_OK;
}

/* ---- packed operands ---- */

/* A reorder that was made for the same operand and number of threads is used again. */
static un_status prepare_packing(un_dnn_packed *packed, int trans_b, size_t ldb, int threads) {
    if (packed->packing.primitive && packed->packing.trans_b == trans_b &&
        packed->packing.ldb == ldb && packed->packing.threads == threads)
        return UNSEEN_OK;
    if (packed->packing.primitive) dnnl_primitive_destroy(packed->packing.primitive);
    packed->packing.primitive = NULL;
    packed->packing.trans_b = trans_b;
    packed->packing.ldb = ldb;
    packed->packing.threads = threads;
    return make_packing(packed->n, packed->k, trans_b, ldb, packed->layout,
                        &packed->packing.primitive);
}

un_status un_dnn_gemm_repack(un_dnn_packed *packed, int trans_b, const float *b, size_t ldb) {
    un_openmp_loan loan;
    if (ldb == 0) ldb = trans_b ? packed->k : packed->n;
    UN_TRY(un_dnn_enter(&loan));
    un_status status = prepare_packing(packed, trans_b, ldb, loan.threads);
    const un_dnn_operand ends[] = {{DNNL_ARG_FROM, b}, {DNNL_ARG_TO, packed->data}};
    if (!status) status = un_dnn_execute(packed->packing.primitive, ends, 2, "pack a matrix");
    un_dnn_leave(loan);
    return status;
}

un_status un_dnn_gemm_pack(un_dnn_packed **out, int trans_b, size_t m, size_t n, size_t k,
                           const float *b, size_t ldb, size_t ld) {
    un_openmp_loan loan;
    un_dnn_packed *packed = calloc(1, sizeof *packed);
    if (!packed) return un_fail_memory(sizeof *packed);
    un_status status = un_dnn_enter(&loan);
    if (status) {
        free(packed);
        return status;
    }
    packed->m = m ? m : 1;
    packed->n = n;
    packed->k = k;
    packed->threads = loan.threads;
    packed->ld = ld;
    UN_GO(ld ? make_layout(&packed->layout, k, n, ld, 0)
             : preferred_layout(packed->m, n, k, &packed->layout));
    UN_GO(un_alloc(dnnl_memory_desc_get_size(packed->layout), 1, &packed->data));
    UN_GO(un_dnn_gemm_repack(packed, trans_b, b, ldb));
    *out = packed;
done:
    un_dnn_leave(loan);
    if (status) un_dnn_packed_free(packed);
    return status;
}

const float *un_dnn_packed_rows(const un_dnn_packed *packed, size_t *ld) {
    *ld = packed->ld;
    return packed->ld ? packed->data : NULL;
}

void un_dnn_packed_free(un_dnn_packed *packed) {
    if (!packed) return;
    if (packed->packing.primitive) dnnl_primitive_destroy(packed->packing.primitive);
    un_dnn_layout_free(packed->layout);
    free(packed->data);
    free(packed);
}

const char *un_gemm_backend(void) {
    static _Thread_local char text[32];
    const dnnl_version_t *version = dnnl_version();
    snprintf(text, sizeof text, "oneDNN %d.%d.%d", version->major, version->minor, version->patch);
    return text;
}
