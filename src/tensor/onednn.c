/* onednn.c - the engine, making and running primitives, reordering; see onednn.h. */
#include "tensor/onednn.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

static dnnl_engine_t g_engine;
static dnnl_status_t g_engine_status;

typedef struct {
    void *data;
    size_t bytes;
} buffer;

/* What a thread has of its own, released when it ends. */
typedef struct {
    dnnl_stream_t stream;
    buffer scratch;             /* the working memory of whichever primitive runs */
    buffer rooms[UN_DNN_ROOMS]; /* see un_dnn_room */
} thread_state;

static pthread_key_t g_key; /* for the release; t_state is found faster */
static int g_key_status;
static _Thread_local thread_state *t_state;

/* Held while primitives are made, and over a fork, so that a child does not find oneDNN's own
 * locks taken by a thread that it does not have. */
static pthread_mutex_t g_making = PTHREAD_MUTEX_INITIALIZER;
/* Held by readers while primitives run: the first of a kind makes its code only then, under oneDNN's
 * locks. A fork is the writer, which waits for those that run and goes before the next ones. */
static pthread_rwlock_t g_running = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

un_status un_dnn_failed(dnnl_status_t code, const char *what) {
    return un_fail(code == dnnl_out_of_memory ? UNSEEN_E_MEMORY : UNSEEN_E_UNSUPPORTED,
                   "oneDNN cannot %s (status %d)", what, (int)code);
}

/* ---- threads ---- */

static void release_thread(void *data) {
    thread_state *state = data;
    if (state->stream) dnnl_stream_destroy(state->stream);
    free(state->scratch.data);
    for (int i = 0; i < UN_DNN_ROOMS; i++) free(state->rooms[i].data);
    free(state);
    t_state = NULL;
}

static void lock_making(void) { pthread_mutex_lock(&g_making); }
static void unlock_making(void) { pthread_mutex_unlock(&g_making); }

static void before_fork(void) {
    lock_making();
    pthread_rwlock_wrlock(&g_running);
}

static void after_fork(void) {
    pthread_rwlock_unlock(&g_running);
    unlock_making();
}

/* Others may have been waiting for these. */
static void in_child(void) {
    static const pthread_rwlock_t running = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
    static const pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
    g_running = running;
    g_making = making;
}

/* When the library is loaded: a fork that has begun knows nothing of what is registered later. */
__attribute__((constructor(UN_DNN_LOADED))) static void watch_forks(void) {
    pthread_atfork(before_fork, after_fork, in_child);
}

/* A fork while another thread is here waits until the engine is there; the child comes here again,
 * with that engine. */
static void start_process(void) {
    g_key_status = pthread_key_create(&g_key, release_thread);
    lock_making();
    if (!g_engine) g_engine_status = dnnl_engine_create(&g_engine, dnnl_cpu, 0);
    unlock_making();
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
    lock_making();
    dnnl_status_t code = dnnl_stream_create(&state->stream, g_engine, dnnl_stream_default_flags);
    unlock_making();
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

un_status un_dnn_enter_alone(un_openmp_loan *loan) {
    if (!t_state) UN_TRY(start_thread());
    *loan = un_openmp_borrow_one();
    return UNSEEN_OK;
}

void un_dnn_leave(un_openmp_loan loan) { un_openmp_return(loan); }

dnnl_data_type_t un_dnn_type(un_dtype type) { return type == UN_BF16 ? dnnl_bf16 : dnnl_f32; }

/* oneDNN finds that out when it is first asked, which no fork may come into. */
int un_dnn_has(dnnl_cpu_isa_t isa) {
    lock_making();
    int has = (dnnl_get_effective_cpu_isa() & isa) == isa;
    unlock_making();
    return has;
}

/* ---- making ---- */

/* Where every primitive works: in memory that the thread gives it. */
static un_status make_attributes(dnnl_primitive_attr_t *out) {
    DNN_TRY(dnnl_primitive_attr_create(out), "create attributes");
    dnnl_status_t code = dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user);
    if (code == dnnl_success) return UNSEEN_OK;
    dnnl_primitive_attr_destroy(*out);
    *out = NULL;
    return un_dnn_failed(code, "set where primitives work");
}

static un_status set_post_operations(const un_dnn_operation *o, dnnl_primitive_attr_t attributes) {
    dnnl_post_ops_t list = NULL;
    if (!o->add && o->activation == dnnl_alg_kind_undef) return UNSEEN_OK;
    dnnl_status_t code = dnnl_post_ops_create(&list);
    if (code == dnnl_success && o->add) code = un_dnn_append_sum(list);
    if (code == dnnl_success && o->activation != dnnl_alg_kind_undef)
        code = un_dnn_append_activation(list, o->activation, o->alpha, o->beta);
    if (code == dnnl_success) code = dnnl_primitive_attr_set_post_ops(attributes, list);
    if (list) dnnl_post_ops_destroy(list);
    DNN_TRY(code, "set post-operations");
    return UNSEEN_OK;
}

un_status un_dnn_describe(const un_dnn_operation *operation, const char *what,
                          dnnl_primitive_desc_t *out) {
    dnnl_primitive_attr_t attributes = NULL;
    *out = NULL;
    UN_TRY(make_attributes(&attributes));
    un_status status = set_post_operations(operation, attributes);
    if (!status) {
        lock_making();
        dnnl_status_t code = un_dnn_find(operation, g_engine, attributes, out);
        unlock_making();
        if (code != dnnl_success) status = un_dnn_failed(code, what);
    }
    dnnl_primitive_attr_destroy(attributes);
    return status;
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

int un_dnn_is_slow(const char *implementation) {
    if (strncmp(implementation, "x64:", 4) == 0) implementation += 4;
    return strncmp(implementation, "ref", 3) == 0 && strchr(":_", implementation[3]) != NULL;
}

void un_dnn_warn_slow(const char *what) {
    static atomic_flag warned = ATOMIC_FLAG_INIT;
    if (atomic_flag_test_and_set(&warned)) return;
    un_log(UNSEEN_LOG_WARNING,
           "oneDNN has only its slow reference loop for %s here, and maybe for others", what);
}

/* ---- running ---- */

/* Execution arguments take pointers to non-const. */
static void *mutable(const void *data) {
    void *pointer = NULL;
    memcpy(&pointer, &data, sizeof pointer);
    return pointer;
}

/* How this operand of a primitive lies. */
static const un_dnn_layout *layout_of(const_dnnl_primitive_desc_t description, int argument) {
    return dnnl_primitive_desc_query_md(description, dnnl_query_exec_arg_md, argument);
}

/* What it held is lost when it grows. */
static un_status reserve(buffer *b, size_t bytes) {
    if (b->bytes >= bytes) return UNSEEN_OK;
    free(b->data);
    *b = (buffer){0};
    UN_TRY(un_alloc(bytes, 1, &b->data));
    b->bytes = bytes;
    return UNSEEN_OK;
}

un_status un_dnn_room(un_dnn_purpose purpose, size_t bytes, void **out) {
    UN_TRY(reserve(&t_state->rooms[purpose], bytes));
    *out = t_state->rooms[purpose].data;
    return UNSEEN_OK;
}

/* The working memory of a primitive as an operand; none needed: its data is NULL. */
static un_status find_scratch(const_dnnl_primitive_desc_t description, un_dnn_operand *out) {
    const un_dnn_layout *layout = layout_of(description, DNNL_ARG_SCRATCHPAD);
    size_t bytes = layout ? dnnl_memory_desc_get_size(layout) : 0;
    *out = (un_dnn_operand){DNNL_ARG_SCRATCHPAD, NULL};
    if (bytes == 0) return UNSEEN_OK;
    UN_TRY(reserve(&t_state->scratch, bytes));
    out->data = t_state->scratch.data;
    return UNSEEN_OK;
}

un_status un_dnn_execute(dnnl_primitive_t primitive, const un_dnn_operand *operands, int n,
                         const char *what) {
    dnnl_exec_arg_t list[UN_DNN_MAX_ARGUMENTS + 1] = {{0, NULL}};
    const_dnnl_primitive_desc_t description = NULL;
    un_dnn_operand scratch = {0};
    int made = 0;
    dnnl_status_t code = dnnl_success;
    DNN_TRY(dnnl_primitive_get_primitive_desc(primitive, &description), "describe a primitive");
    UN_TRY(find_scratch(description, &scratch));
    int all = scratch.data ? n + 1 : n;
    for (; made < all && code == dnnl_success; made++) {
        const un_dnn_operand *o = made < n ? &operands[made] : &scratch;
        list[made] = (dnnl_exec_arg_t){o->argument, NULL};
        code = dnnl_memory_create(&list[made].memory, layout_of(description, o->argument), g_engine,
                                  mutable(o->data));
    }
    un_held_signals held = un_signals_hold();
    pthread_rwlock_rdlock(&g_running);
    if (code == dnnl_success) code = dnnl_primitive_execute(primitive, t_state->stream, all, list);
    if (code == dnnl_success) code = dnnl_stream_wait(t_state->stream);
    pthread_rwlock_unlock(&g_running);
    un_signals_release(&held);
    for (int i = 0; i < made; i++)
        if (list[i].memory) dnnl_memory_destroy(list[i].memory);
    DNN_TRY(code, what);
    return UNSEEN_OK;
}

static const char CONVERT[] = "convert between these layouts";

un_status un_dnn_create_reorder(const un_dnn_layout *from, const un_dnn_layout *to,
                                dnnl_primitive_t *out) {
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_primitive_desc_t description = NULL;
    UN_TRY(make_attributes(&attributes));
    lock_making();
    dnnl_status_t code =
        dnnl_reorder_primitive_desc_create(&description, from, g_engine, to, g_engine, attributes);
    unlock_making();
    dnnl_primitive_attr_destroy(attributes);
    DNN_TRY(code, CONVERT);
    un_status status = un_dnn_create(description, CONVERT, out);
    dnnl_primitive_desc_destroy(description);
    return status;
}

un_status un_dnn_reorder(const un_dnn_layout *from, const void *source, const un_dnn_layout *to,
                         void *target) {
    dnnl_primitive_t primitive = NULL;
    UN_TRY(un_dnn_create_reorder(from, to, &primitive));
    const un_dnn_operand operands[] = {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, target}};
    un_status status = un_dnn_execute(primitive, operands, 2, CONVERT);
    dnnl_primitive_destroy(primitive);
    return status;
}
