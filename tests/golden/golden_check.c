/*
 * golden_check.c - compares the library with reference numbers.
 *
 *     golden_check [--bf16] FILE...
 *
 * Products are of f32; with --bf16 of bf16, in the way that UNSEEN_ISA names: where this processor
 * has not got it, nothing is compared, and the exit status is 77.
 *
 * The kind of a file is its name up to the first "_pub" or "_held", or one of the
 * prefixes "msdn_", "dedn_", "xlayer_" and "duet_attribute_tables" (names without a suffix). For each
 * tensor compared, the largest absolute and relative difference is printed. Exit
 * status 1: one is out of tolerance, or a file is missing or damaged. Other kinds
 * are skipped, as duet_step_weights, which its neighbours use.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "golden.h"

/* Of a kind in bf16: it has no products of bf16; its tolerances are by the roundings drawn
 * (golden_spread.c), or counted by itself. */
typedef enum { NO_PRODUCTS, DRAWN, COUNTED } golden_rounding;

typedef struct {
    const char *kind;
    un_status (*check)(golden *g);
    golden_rounding rounding;
} golden_kind;

static const golden_kind g_kinds[] = {
    {"adam", golden_check_adam, NO_PRODUCTS},
    {"bert", golden_check_bert, DRAWN},
    {"cnzsl", golden_check_cnzsl, NO_PRODUCTS},
    {"dedn", golden_check_dedn, DRAWN},
    {"deit", golden_check_deit, DRAWN},
    {"dem", golden_check_dem, DRAWN},
    {"duet_step_contrast", golden_check_duet_contrast, DRAWN},
    {"duet_step_masked", golden_check_duet_masked, DRAWN},
    {"duet_step_nce", golden_check_duet_nce, DRAWN},
    {"duet_step_prompt", golden_check_duet_prompt, DRAWN},
    {"mlm_head", golden_check_mlm_head, DRAWN},
    {"mobilenetv2", golden_check_mobilenetv2, COUNTED},
    {"msdn", golden_check_msdn, DRAWN},
    {"preprocess", golden_check_preprocess, NO_PRODUCTS},
    {"resnet", golden_check_resnet, COUNTED},
    {"xlayer", golden_check_xlayer, DRAWN},
};

/* Times that roundings are drawn. */
enum { DRAWS = 16, SKIPPED = 77 };

/* Those of JSON. */
static const struct {
    const char *kind;
    un_status (*check)(golden *g, const char *path);
} g_json_kinds[] = {{"wordpiece", golden_check_wordpiece},
                    {"duet_attribute_tables", golden_check_tables}};

/* Length of the kind at the start of a file name, 0 if it names none. */
static size_t kind_length(const char *name) {
    static const char tables[] = "duet_attribute_tables";
    if (!strncmp(name, "msdn_", 5) || !strncmp(name, "dedn_", 5)) return 4;
    if (!strncmp(name, "xlayer_", 7)) return 6; /* the rest names a variant */
    if (!strncmp(name, tables, sizeof tables - 1)) return sizeof tables - 1;
    const char *pub = strstr(name, "_pub"), *held = strstr(name, "_held");
    const char *end = !pub || (held && held < pub) ? held : pub;
    return end ? (size_t)(end - name) : 0;
}

/* A file of a kind that is not built must at least be whole. */
static un_status skip(const char *path, const char *kind) {
    size_t length = strlen(path);
    if (length > 5 && !strcmp(path + length - 5, ".json")) {
        json_t *value = NULL;
        UN_TRY(un_json_read(path, &value));
        json_decref(value);
    } else {
        un_safetensors file;
        UN_TRY(un_safetensors_open(&file, path));
        un_safetensors_close(&file);
    }
    printf("  skipped: nothing is computed for %s alone\n", kind);
    return UNSEEN_OK;
}

/* One check; *out is set if a tensor is out of tolerance. */
static un_status run(const golden_kind *kind, golden g, int *out) {
    un_status status = kind->check(&g);
    if (!status && g.compared == 0)
        status = un_fail(UNSEEN_E_FORMAT, "%s: there was nothing to compare", g.file->path);
    if (!status && !g.draw) printf("  %zu tensors, %zu out of tolerance\n", g.compared, g.out);
    *out = g.out > 0;
    un_arena_free(&g.arena);
    return status;
}

static un_status run_bf16(const golden_kind *kind, const un_safetensors *file, int *out) {
    golden g = {.file = file, .type = UN_F32};
    un_status status = UNSEEN_OK;
    if (kind->rounding == DRAWN) UN_TRY(golden_spread_create(&g.spread));
    for (g.draw = 1; g.spread && g.draw <= DRAWS; g.draw++) UN_GO(run(kind, g, out));
    g.draw = 0;
    g.type = UN_BF16;
    UN_GO(run(kind, g, out));
done:
    golden_spread_free(g.spread);
    return status;
}

static un_status run_kind(const golden_kind *kind, const char *path, int bf16, int *out) {
    un_safetensors file;
    if (bf16 && kind->rounding == NO_PRODUCTS) {
        printf("  skipped: it has no products of bf16\n");
        return UNSEEN_OK;
    }
    UN_TRY(un_safetensors_open(&file, path));
    un_status status =
        bf16 ? run_bf16(kind, &file, out) : run(kind, (golden){.file = &file, .type = UN_F32}, out);
    un_safetensors_close(&file);
    return status;
}

static un_status run_json(const char *path, un_status (*check)(golden *g, const char *path),
                          int *out) {
    golden g = {0};
    un_status status = check(&g, path);
    if (!status) printf("  %zu comparisons, %zu wrong\n", g.compared, g.out);
    *out = g.out > 0;
    un_arena_free(&g.arena);
    return status;
}

static un_status check_file(const char *path, int bf16, int *out) {
    char *name = NULL;
    UN_TRY(un_path_base(path, &name));
    size_t length = kind_length(name);
    un_status status = UNSEEN_OK;
    if (length == 0) {
        status =
            un_fail(UNSEEN_E_ARGUMENT,
                    "%s: the name tells no kind (up to \"_pub\" or \"_held\", or \"msdn_\")", path);
    } else {
        name[length] = 0;
        const golden_kind *kind = NULL;
        for (size_t i = 0; i < sizeof g_kinds / sizeof *g_kinds; i++)
            if (!strcmp(g_kinds[i].kind, name)) kind = &g_kinds[i];
        un_status (*check_json)(golden * g, const char *path) = NULL;
        for (size_t i = 0; i < sizeof g_json_kinds / sizeof *g_json_kinds; i++)
            if (!strcmp(g_json_kinds[i].kind, name)) check_json = g_json_kinds[i].check;
        if (check_json && !bf16)
            status = run_json(path, check_json, out);
        else
            status = kind ? run_kind(kind, path, bf16, out) : skip(path, name);
    }
    free(name);
    return status;
}

/* Whether bf16 is multiplied as UNSEEN_ISA says. */
static int has_way(void) {
    double rate = 0;
    const char *way = un_gemm_bf16_way(&rate), *asked = getenv("UNSEEN_ISA");
    int has = !asked || !*asked || (way && !strcmp(way, asked));
    if (has)
        printf("bf16 by %s\n", way ? way : "nothing");
    else
        printf("skipped: this processor cannot multiply bf16 by %s\n", asked);
    return has;
}

int main(int argc, char **argv) {
    int bf16 = argc > 1 && !strcmp(argv[1], "--bf16"), first = bf16 ? 2 : 1;
    int failed = argc <= first;
    if (failed) fprintf(stderr, "usage: golden_check [--bf16] FILE...\n");
    if (bf16 && !has_way()) return SKIPPED;
    for (int i = first; i < argc; i++) {
        int out = 0;
        printf("%s\n", argv[i]);
        if (check_file(argv[i], bf16, &out) != UNSEEN_OK) {
            fflush(stdout); /* the sentence belongs below its file */
            fprintf(stderr, "golden_check: %s\n", un_error());
            failed = 1;
        }
        if (out) failed = 1;
    }
    return failed;
}
