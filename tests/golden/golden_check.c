/*
 * golden_check.c - compares the library with reference numbers.
 *
 *     golden_check FILE...
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

static const struct {
    const char *kind;
    un_status (*check)(golden *g);
} g_kinds[] = {
    {"adam", golden_check_adam},
    {"bert", golden_check_bert},
    {"cnzsl", golden_check_cnzsl},
    {"dedn", golden_check_dedn},
    {"deit", golden_check_deit},
    {"dem", golden_check_dem},
    {"duet_step_contrast", golden_check_duet_contrast},
    {"duet_step_masked", golden_check_duet_masked},
    {"duet_step_nce", golden_check_duet_nce},
    {"duet_step_prompt", golden_check_duet_prompt},
    {"mlm_head", golden_check_mlm_head},
    {"mobilenetv2", golden_check_mobilenetv2},
    {"msdn", golden_check_msdn},
    {"preprocess", golden_check_preprocess},
    {"resnet", golden_check_resnet},
    {"xlayer", golden_check_xlayer},
};

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

/* Runs one check; *out is set if a tensor is out of tolerance. */
static un_status run(const char *path, un_status (*check)(golden *g), int *out) {
    un_safetensors file;
    UN_TRY(un_safetensors_open(&file, path));
    golden g = {.file = &file};
    un_status status = check(&g);
    if (!status && g.compared == 0)
        status = un_fail(UNSEEN_E_FORMAT, "%s: there was nothing to compare", path);
    if (!status) printf("  %zu tensors, %zu out of tolerance\n", g.compared, g.out);
    *out = g.out > 0;
    un_arena_free(&g.arena);
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

static un_status check_file(const char *path, int *out) {
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
        un_status (*check)(golden * g) = NULL;
        for (size_t i = 0; i < sizeof g_kinds / sizeof *g_kinds; i++)
            if (!strcmp(g_kinds[i].kind, name)) check = g_kinds[i].check;
        un_status (*check_json)(golden * g, const char *path) = NULL;
        for (size_t i = 0; i < sizeof g_json_kinds / sizeof *g_json_kinds; i++)
            if (!strcmp(g_json_kinds[i].kind, name)) check_json = g_json_kinds[i].check;
        if (check_json)
            status = run_json(path, check_json, out);
        else
            status = check ? run(path, check, out) : skip(path, name);
    }
    free(name);
    return status;
}

int main(int argc, char **argv) {
    int failed = argc < 2;
    if (failed) fprintf(stderr, "usage: golden_check FILE...\n");
    for (int i = 1; i < argc; i++) {
        int out = 0;
        printf("%s\n", argv[i]);
        if (check_file(argv[i], &out) != UNSEEN_OK) {
            fflush(stdout); /* the sentence belongs below its file */
            fprintf(stderr, "golden_check: %s\n", un_error());
            failed = 1;
        }
        if (out) failed = 1;
    }
    return failed;
}
