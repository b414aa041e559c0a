/* cmd_extract.c - `unseen extract`: features of a data set's pictures through a backbone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/cli.h"

typedef struct {
    un_cli_common common;
    unseen_extract_options extract;
    const char *data, *images, *backbone, *name;
    int pooled, regions;
} arguments;

enum {
    KEY_BACKBONE = 0x4001,
    KEY_DATA,
    KEY_POOLED,
    KEY_REGIONS,
    KEY_NAME,
    KEY_IMAGE_SIZE,
    KEY_BATCH,
    KEY_DTYPE,
    KEY_STRICT,
    KEY_IMAGES,
    KEY_KEEP_GOING,
    KEY_ORIENTATION
};

static const struct argp_option g_options[] = {
    {"backbone", KEY_BACKBONE, "WEIGHTS", 0,
     "safetensors file of a ResNet, MobileNetV2, ViT, DeiT or Swin transformer, or "
     "builtin:descriptor, which needs no file (required)",
     1},
    {"data", KEY_DATA, "DIR", 0, "data set directory (required)", 1},
    {"pooled", KEY_POOLED, NULL, 0, "one vector a picture, for DEM (default: both)", 1},
    {"regions", KEY_REGIONS, NULL, 0, "a vector for each region, for MSDN (default: both)", 1},
    {"name", KEY_NAME, "NAME", 0,
     "name of the feature set; with both, NAME and NAME-regions (default: the architecture)", 2},
    {"image-size", KEY_IMAGE_SIZE, "N", 0,
     "side of the square that the network sees, in pixels (default: the backbone's)", 2},
    {"batch", KEY_BATCH, "N", 0, "pictures in one pass of the network (default 16)", 2},
    {"dtype", KEY_DTYPE, "bf16|f32", 0,
     "type of the stored features (default: bf16 for regions, f32 for pooled)", 2},
    {"images", KEY_IMAGES, "ROOT", 0,
     "folder of the pictures, where it is not the one that the data set names", 2},
    {"orientation", KEY_ORIENTATION, "exif|stored", 0,
     "turn pictures as EXIF says, or take them as they are stored (default: as the data set says)",
     2},
    {"strict", KEY_STRICT, NULL, 0,
     "stop at the first picture that is damaged or cannot be read (default: it gets no features "
     "and takes no part until a later extract can read it)",
     2},
    {"keep-going", KEY_KEEP_GOING, NULL, 0,
     "go on when many pictures in a row cannot be read (default: stop after 32)", 2},
    {0}};

static size_t positive(struct argp_state *state, const char *option, const char *text) {
    return un_cli_integer(state, option, text, 1, 1000000);
}

static error_t parse(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    unseen_extract_options *o = &a->extract;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &a->common; return 0;
    case KEY_BACKBONE: a->backbone = text; return 0;
    case KEY_DATA: a->data = text; return 0;
    case KEY_POOLED: a->pooled = 1; return 0;
    case KEY_REGIONS: a->regions = 1; return 0;
    case KEY_NAME: a->name = text; return 0;
    case KEY_IMAGE_SIZE: o->image_size = positive(state, "--image-size", text); return 0;
    case KEY_BATCH: o->batch = positive(state, "--batch", text); return 0;
    case KEY_STRICT: o->strict = 1; return 0;
    case KEY_IMAGES: a->images = text; return 0;
    case KEY_KEEP_GOING: o->keep_going = 1; return 0;
    case KEY_ORIENTATION:
        o->orientation = un_cli_orientation(un_cli_parse_orientation(state, text));
        return 0;
    case KEY_DTYPE:
        if (strcmp(text, "bf16") != 0 && strcmp(text, "f32") != 0)
            argp_error(state, "--dtype is bf16 or f32, not \"%s\"", text);
        o->pooled_dtype = o->regions_dtype = text[0] == 'b' ? UNSEEN_BF16 : UNSEEN_F32;
        return 0;
    case ARGP_KEY_ARG: argp_error(state, "unexpected argument \"%s\"", text); return 0;
    case ARGP_KEY_END:
        if (!a->backbone) argp_error(state, "--backbone is missing");
        if (!a->data) argp_error(state, "--data is missing");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp g_argp = {
    .options = g_options,
    .parser = parse,
    .args_doc = "--backbone WEIGHTS --data DIR",
    .doc = "Computes the features of all pictures of a data set and adds them to it. An "
           "interrupted run is taken up again by the same command, and pictures that could not be "
           "used are tried again by it; rows that are there are kept.",
    .children = un_cli_common_children};

static void print_bad(const unseen_extract_result *r) {
    if (r->bad > r->unreadable) printf(", %zu damaged", r->bad - r->unreadable);
    if (r->unreadable > 0) printf(", %zu could not be read", r->unreadable);
    putchar('\n');
}

static void print_result(const unseen_extract_result *r) {
    if (r->pooled_name[0]) printf("%-13s %s\n", "pooled", r->pooled_name);
    if (r->regions_name[0]) printf("%-13s %s\n", "regions", r->regions_name);
    if (r->already_there && r->bad == 0) {
        printf("already there; nothing was left to do\n");
        return;
    }
    printf("images        %zu", r->images);
    if (r->already_there) {
        printf(", %zu already there", r->images - r->bad);
        print_bad(r);
        return;
    }
    double images = (double)(r->images - r->taken_up - r->kept);
    if (r->kept > 0) printf(", %zu already there", r->kept);
    if (r->taken_up > 0) printf(", %zu of them from an earlier run", r->taken_up);
    print_bad(r);
    printf("time          %.1f s", r->seconds);
    if (r->network_seconds > 0) /* an earlier run may have left nothing but the renaming */
        printf(", %.1f images/s; the network alone %.1f images/s", images / r->seconds,
               images / r->network_seconds);
    putchar('\n');
    if (r->ignored > 0)
        printf("not turned    %zu pictures whose EXIF orientation differs from how they are stored "
               "(--orientation)\n",
               r->ignored);
}

int un_cmd_extract(int argc, char **argv) {
    arguments a = {0};
    char *regions_name = NULL;
    unseen_dataset *data = NULL;
    unseen_extract_result result = {.size = sizeof result};
    int code = UN_EXIT_OK;
    unseen_extract_options *o = &a.extract;
    unseen_extract_options_init(o, sizeof *o);
    if (!un_cli_begin(&g_argp, argc, argv, &a, &a.common, &code)) return code;
    un_cli_files files = {0};
    un_cli_reads(&files, a.backbone);
    un_cli_updates_dataset(&files, a.data);
    code = un_cli_check_files(&files);
    if (code) return code;
    o->backbone = a.backbone;
    o->precision = a.common.precision;
    o->progress = un_cli_progress;
    if (a.pooled || a.regions) {
        o->pooled = a.pooled;
        o->regions = a.regions;
    }
    o->pooled_name = o->regions_name = a.name;
    if (a.name && o->pooled && o->regions) {
        if (un_format(&regions_name, "%s-regions", a.name)) return un_cli_fail();
        o->regions_name = regions_name;
    }
    un_cli_catch_signals();
    un_status status = un_cli_dataset_open(a.data, a.images, &data);
    if (!status) status = unseen_extract(data, o, &result);
    unseen_dataset_close(data);
    free(regions_name);
    if (status) return un_cli_fail();
    print_result(&result);
    return UN_EXIT_OK;
}
