/* onednn.c - the engine, making and running primitives, reordering; see onednn.h. */
#include "tensor/onednn.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

static dnnl_engine_t g_engine;
static dnnl_status_t g_engine_status;

/* What a thread has of its own, released when it ends. */
typedef struct {
    dnnl_stream_t stream;
    void *scratch; /* the working memory of whichever primitive runs */
    size_t scratch_bytes;
} thread_state;

static pthread_key_t g_key; /* for the release; t_state is found faster */
static int g_key_status;
static _Thread_local thread_state *t_state;

/* Held while primitives are made, and over a fork, so that a child does not find oneDNN's own
 * locks taken by a thread that it does not have. */
static pthread_mutex_t g_making = PTHREAD_MUTEX_INITIALIZER;

un_status un_dnn_failed(dnnl_status_t code, const char *what) {
    return un_fail(code == dnnl_out_of_memory ? UNSEEN_E_MEMORY : UNSEEN_E_UNSUPPORTED,
                   "oneDNN cannot %s (status %d)", what, (int)code);
}

/* ---- threads ---- */

static void release_thread(void *data) {
    thread_state *state = data;
    if (state->stream) dnnl_stream_destroy(state->stream);
    free(state->scratch);
    free(state);
    t_state = NULL;
}

static void lock_making(void) { pthread_mutex_lock(&g_making); }
static void unlock_making(void) { pthread_mutex_unlock(&g_making); }

static void start_process(void) {
    g_key_status = pthread_key_create(&g_key, release_thread);
    g_engine_status = dnnl_engine_create(&g_engine, dnnl_cpu, 0);
    pthread_atfork(lock_making, unlock_making, unlock_making);
}

/* A host may unload the library before its threads end. */
__attribute__((destructor)) static void forget_threads(void) {
    if (g_engine && g_key_status == 0) pthread_key_delete(g_key);
}

static un_status start_thread(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_process);
    DNN_TRY(g_engine_status, "create an engine");
    if (g_key_status != 0) return un_fail_errno(g_key_status, "cannot keep a thread's memory");
    thread_state *state = calloc(1, sizeof *state);
    if (!state) return un_fail_memory(sizeof *state);
    dnnl_status_t code = dnnl_stream_create(&state->stream, g_engine, dnnl_stream_default_flags);
    int refused = code == dnnl_success ? pthread_setspecific(g_key, state) : 0;
    if (code == dnnl_success && refused == 0) {
        t_state = state;
        return UNSEEN_OK;
    }
    release_thread(state);
    DNN_TRY(code, "create a stream");
    return un_fail_errno(refused, "cannot keep a thread's memory");
}

un_status un_dnn_enter(un_openmp_loan *loan) {
    if (!t_state) UN_TRY(start_thread());
    *loan = un_openmp_borrow();
    return UNSEEN_OK;
}

void un_dnn_leave(un_openmp_loan loan) { un_openmp_return(loan); }

dnnl_engine_t un_dnn_engine(void) { return g_engine; }

dnnl_data_type_t un_dnn_type(un_dtype type) { return type == UN_BF16 ? dnnl_bf16 : dnnl_f32; }

/* ---- making ---- */

un_status un_dnn_attributes(dnnl_primitive_attr_t *out) {
    DNN_TRY(dnnl_primitive_attr_create(out), "create attributes");
    dnnl_status_t code = dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user);
    if (code == dnnl_success) return UNSEEN_OK;
    dnnl_primitive_attr_destroy(*out);
    *out = NULL;
    return un_dnn_failed(code, "set where primitives work");
}

un_status un_dnn_describe(const_dnnl_op_desc_t operation, const_dnnl_primitive_attr_t attributes,
                          const char *what, dnnl_primitive_desc_t *out) {
    lock_making();
    dnnl_status_t code = dnnl_primitive_desc_create(out, operation, attributes, g_engine, NULL);
    unlock_making();
    DNN_TRY(code, what);
    return UNSEEN_OK;
}

un_status un_dnn_create(const_dnnl_primitive_desc_t description, const char *what,
                        dnnl_primitive_t *out) {
    lock_making();
    dnnl_status_t code = dnnl_primitive_create(out, description);
    unlock_making();
    DNN_TRY(code, what);
    return UNSEEN_OK;
}

const char *un_dnn_implementation(const_dnnl_primitive_desc_t description) {
    const char *name = NULL;
    dnnl_status_t code = dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name);
    return code == dnnl_success && name ? name : "unknown";
}

/* ---- running ---- */

/* Execution arguments take pointers to non-const. */
static void *mutable(const void *data) {
    void *pointer = NULL;
    memcpy(&pointer, &data, sizeof pointer);
    return pointer;
}

/* The working memory of this primitive as an operand; none needed: its data is NULL. */
static un_status find_scratch(const_dnnl_primitive_t primitive, un_dnn_operand *out) {
    const_dnnl_primitive_desc_t description = NULL;
    DNN_TRY(dnnl_primitive_get_primitive_desc(primitive, &description), "describe a primitive");
    const dnnl_memory_desc_t *layout =
        dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0);
    size_t bytes = layout ? dnnl_memory_desc_get_size(layout) : 0;
    *out = (un_dnn_operand){DNNL_ARG_SCRATCHPAD, layout, NULL};
    if (bytes == 0) return UNSEEN_OK;
    if (t_state->scratch_bytes < bytes) {
        free(t_state->scratch);
        t_state->scratch = NULL;
        t_state->scratch_bytes = 0;
        UN_TRY(un_alloc(bytes, 1, &t_state->scratch));
        t_state->scratch_bytes = bytes;
    }
    out->data = t_state->scratch;
    return UNSEEN_OK;
}

un_status un_dnn_execute(dnnl_primitive_t primitive, const un_dnn_operand *operands, int n,
                         const char *what) {
    dnnl_exec_arg_t list[UN_DNN_MAX_ARGUMENTS + 1] = {{0, NULL}};
    un_dnn_operand scratch = {0};
    int made = 0;
    dnnl_status_t code = dnnl_success;
    UN_TRY(find_scratch(primitive, &scratch));
    int all = scratch.data ? n + 1 : n;
    for (; made < all && code == dnnl_success; made++) {
        const un_dnn_operand *o = made < n ? &operands[made] : &scratch;
        list[made] = (dnnl_exec_arg_t){o->argument, NULL};
        code = dnnl_memory_create(&list[made].memory, o->layout, g_engine, mutable(o->data));
    }
    if (code == dnnl_success) code = dnnl_primitive_execute(primitive, t_state->stream, all, list);
    if (code == dnnl_success) code = dnnl_stream_wait(t_state->stream);
    for (int i = 0; i < made; i++)
        if (list[i].memory) dnnl_memory_destroy(list[i].memory);
    DNN_TRY(code, what);
    return UNSEEN_OK;
}

un_status un_dnn_make_reorder(const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to,
                              dnnl_primitive_t *out) {
    static const char what[] = "convert between these layouts";
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_primitive_desc_t description = NULL;
    UN_TRY(un_dnn_attributes(&attributes));
    lock_making();
    dnnl_status_t code =
        dnnl_reorder_primitive_desc_create(&description, from, g_engine, to, g_engine, attributes);
    unlock_making();
    dnnl_primitive_attr_destroy(attributes);
    DNN_TRY(code, what);
    un_status status = un_dnn_create(description, what, out);
    dnnl_primitive_desc_destroy(description);
    return status;
}

un_status un_dnn_reorder(const dnnl_memory_desc_t *from, const void *source,
                         const dnnl_memory_desc_t *to, void *target) {
    dnnl_primitive_t primitive = NULL;
    UN_TRY(un_dnn_make_reorder(from, to, &primitive));
    const un_dnn_operand operands[] = {{DNNL_ARG_FROM, from, source}, {DNNL_ARG_TO, to, target}};
    un_status status = un_dnn_execute(primitive, operands, 2, "convert between these layouts");
    dnnl_primitive_destroy(primitive);
    return status;
}
