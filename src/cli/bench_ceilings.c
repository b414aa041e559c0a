/*
 * bench_ceilings.c - `unseen bench ceilings`: what the processor and its memory give to bare loops,
 * for one thread and for all; what other rates of this machine are held against.
 */
#include <stdio.h>

#include "base/json.h"
#include "base/parallel.h"
#include "base/status.h"
#include "cli/cli.h"
#include "tensor/ceilings.h"
#include "tensor/gemm.h"
#include "tensor/kernels.h"
#include "unseen.h"

typedef struct {
    un_cli_common common;
    const char *json;
    size_t memory;
} arguments;

enum { KEY_MEMORY = 0x4201, KEY_JSON };

static const struct argp_option g_options[] = {
    {"memory", KEY_MEMORY, "MIB", 0,
     "how much memory is read and written, more than the caches hold (default 256)", 1},
    {"json", KEY_JSON, "FILE", 0, "results as JSON, - for standard output", 1},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &a->common; return 0;
    case KEY_MEMORY: a->memory = un_cli_integer(state, "--memory", text, 1, 65536); return 0;
    case KEY_JSON: a->json = text; return 0;
    case ARGP_KEY_ARG: argp_error(state, "\"%s\" is one word too many", text); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp g_argp = {.options = g_options,
                                   .parser = parse,
                                   .doc = "Measures what the processor and its memory give to bare "
                                          "loops, on one thread and on all.",
                                   .children = un_cli_common_children};

typedef struct {
    const char *key, *unit, *meaning;
    un_ceiling value;
} row;

enum { ROWS = 5 };

static json_t *describe(const row *rows) {
    json_t *result =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:i}", "version", unseen_version(), "backend",
                  un_gemm_backend(), "features", un_cpu_features(), "kernels", un_kernels_isa(),
                  "bf16_way", un_gemm_bf16_way(NULL), "threads", un_thread_count());
    json_t *ceilings = json_object();
    for (size_t i = 0; i < ROWS; i++) {
        json_t *ceiling = json_object();
        un_json_put(&ceiling, "unit", json_string(rows[i].unit));
        un_json_put(&ceiling, "one_thread", un_json_number(rows[i].value.one / 1e9));
        un_json_put(&ceiling, "all_threads", un_json_number(rows[i].value.all / 1e9));
        un_json_put(&ceilings, rows[i].key, ceiling);
    }
    un_json_put(&result, "ceilings", ceilings);
    return result;
}

static int print(const arguments *a, const un_ceilings *c) {
    const row rows[ROWS] = {
        {"f32", "GFLOP/s", "f32 multiply-adds in registers", c->f32},
        {"bf16", "GFLOP/s", "blocks of bf16 from the nearest cache", c->bf16},
        {"read", "GB/s", "memory read", c->read},
        {"store", "GB/s", "memory written through the caches", c->store},
        {"stream", "GB/s", "memory written past the caches", c->stream},
    };
    if (a->json) {
        json_t *result = describe(rows);
        int code = un_cli_write_json(a->json, result);
        json_decref(result);
        if (code || un_cli_is_standard(a->json)) return code;
    }
    printf("kernels %s, bf16 by %s, %d threads\n", un_kernels_isa(), un_gemm_bf16_way(NULL),
           un_thread_count());
    for (size_t i = 0; i < ROWS; i++)
        printf("  %-40s %9.1f one thread, %9.1f all, %s\n", rows[i].meaning,
               rows[i].value.one / 1e9, rows[i].value.all / 1e9, rows[i].unit);
    return UN_EXIT_OK;
}

int un_bench_ceilings(int argc, char **argv) {
    arguments a = {.memory = 256};
    int code = 0;
    if (!un_cli_begin(&g_argp, argc, argv, &a, &a.common, &code)) return code;
    un_cli_files files = {0};
    un_cli_writes(&files, a.json);
    code = un_cli_check_files(&files);
    if (code) return code;
    un_ceilings ceilings;
    if (un_ceilings_measure(a.memory << 20, &ceilings)) return un_cli_fail();
    return print(&a, &ceilings);
}
