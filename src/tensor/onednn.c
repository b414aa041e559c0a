/* onednn.c - the engine, streams, execution and reordering; see onednn.h. */
#include "tensor/onednn.h"

#include <pthread.h>
#include <string.h>

static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static dnnl_engine_t g_engine;
static _Thread_local dnnl_stream_t g_stream;

un_status un_dnn_failed(dnnl_status_t code, const char *what) {
    return un_fail(code == dnnl_out_of_memory ? UNSEEN_E_MEMORY : UNSEEN_E_UNSUPPORTED,
                   "oneDNN cannot %s (status %d)", what, (int)code);
}

un_status un_dnn_start(void) {
    pthread_mutex_lock(&g_lock);
    dnnl_status_t code = g_engine ? dnnl_success : dnnl_engine_create(&g_engine, dnnl_cpu, 0);
    pthread_mutex_unlock(&g_lock);
    DNN_TRY(code, "create an engine");
    if (!g_stream)
        DNN_TRY(dnnl_stream_create(&g_stream, g_engine, dnnl_stream_default_flags),
                "create a stream");
    return UNSEEN_OK;
}

dnnl_engine_t un_dnn_engine(void) { return g_engine; }

dnnl_data_type_t un_dnn_type(un_dtype type) { return type == UN_BF16 ? dnnl_bf16 : dnnl_f32; }

/* Execution arguments take pointers to non-const. */
static void *mutable(const void *data) {
    void *pointer = NULL;
    memcpy(&pointer, &data, sizeof pointer);
    return pointer;
}

un_status un_dnn_execute(dnnl_primitive_t primitive, const un_dnn_operand *operands, int n,
                         const char *what) {
    dnnl_exec_arg_t list[UN_DNN_MAX_ARGUMENTS] = {{0, NULL}};
    int made = 0;
    dnnl_status_t code = dnnl_success;
    for (; made < n && code == dnnl_success; made++) {
        list[made] = (dnnl_exec_arg_t){operands[made].argument, NULL};
        code = dnnl_memory_create(&list[made].memory, operands[made].layout, g_engine,
                                  mutable(operands[made].data));
    }
    if (code == dnnl_success) code = dnnl_primitive_execute(primitive, g_stream, n, list);
    if (code == dnnl_success) code = dnnl_stream_wait(g_stream);
    for (int i = 0; i < made; i++)
        if (list[i].memory) dnnl_memory_destroy(list[i].memory);
    DNN_TRY(code, what);
    return UNSEEN_OK;
}

un_status un_dnn_make_reorder(const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to,
                              dnnl_primitive_t *out) {
    dnnl_primitive_desc_t description = NULL;
    DNN_TRY(dnnl_reorder_primitive_desc_create(&description, from, g_engine, to, g_engine, NULL),
            "convert between these layouts");
    dnnl_status_t code = dnnl_primitive_create(out, description);
    dnnl_primitive_desc_destroy(description);
    DNN_TRY(code, "convert between these layouts");
    return UNSEEN_OK;
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
