/* extract_api.c - the public interface (unseen_dataset.h): features of a data set's pictures. */
#include <stdio.h>
#include <string.h>

#include "engine/extract.h"
#include "engine/handles.h"

static const unseen_extract_options g_options = {.size = sizeof g_options,
                                                 .backbone = "builtin:descriptor",
                                                 .pooled = 1,
                                                 .regions = 1,
                                                 .pooled_dtype = UNSEEN_F32,
                                                 .regions_dtype = UNSEEN_BF16,
                                                 .batch = 16,
                                                 .precision = "auto"};

void unseen_extract_options_init(unseen_extract_options *options, size_t size) {
    un_options_init(options, size, &g_options, sizeof g_options);
}

static un_status take_dtype(unseen_dtype dtype, un_dtype *out) {
    if (dtype != UNSEEN_F32 && dtype != UNSEEN_BF16)
        return un_fail(UNSEEN_E_ARGUMENT, "%d is no unseen_dtype", (int)dtype);
    *out = dtype == UNSEEN_F32 ? UN_F32 : UN_BF16;
    return UNSEEN_OK;
}

static un_status extract(const un_dataset *dataset, const unseen_extract_options *o,
                         const un_watch *watch, unseen_extract_result *result) {
    un_extract_result r;
    un_extract_options options = {.dataset = dataset,
                                  .backbone = o->backbone ? o->backbone : g_options.backbone,
                                  .pooled = o->pooled,
                                  .regions = o->regions,
                                  .pooled_name = o->pooled_name,
                                  .regions_name = o->regions_name,
                                  .image_size = o->image_size,
                                  .batch = o->batch,
                                  .strict = o->strict,
                                  .keep_going = o->keep_going,
                                  .stop = watch->stop};
    UN_TRY(take_dtype(o->pooled_dtype, &options.pooled_dtype));
    UN_TRY(take_dtype(o->regions_dtype, &options.regions_dtype));
    UN_TRY(un_orientation_take(o->orientation, &options.orientation));
    UN_TRY(
        un_precision_parse(o->precision ? o->precision : g_options.precision, &options.precision));
    UN_TRY(un_extract(&options, &r));
    if (!result) return UNSEEN_OK;
    unseen_extract_result all = {.size = result->size,
                                 .images = r.images,
                                 .taken_up = r.taken_up,
                                 .kept = r.kept,
                                 .bad = r.bad,
                                 .unreadable = r.unreadable,
                                 .ignored = r.ignored,
                                 .already_there = r.already_there,
                                 .seconds = r.seconds,
                                 .network_seconds = r.network_seconds};
    snprintf(all.pooled_name, sizeof all.pooled_name, "%s", r.names[POOLED]);
    snprintf(all.regions_name, sizeof all.regions_name, "%s", r.names[REGIONS]);
    memcpy(result, &all, all.size < sizeof all ? all.size : sizeof all);
    return UNSEEN_OK;
}

unseen_status unseen_extract(unseen_dataset *data, const unseen_extract_options *options,
                             unseen_extract_result *result) {
    UN_LOCALE_C;
    unseen_extract_options o = g_options;
    un_watch watch;
    if (!data) return un_fail(UNSEEN_E_ARGUMENT, "unseen_extract: a pointer is NULL");
    UN_TRY(un_options_take(options, "unseen_extract_options", &o, sizeof o));
    if (result && result->size < sizeof result->size)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_extract: the result has no size");
    un_watch_begin(&watch, o.progress, o.user);
    un_status status = extract(&data->data, &o, &watch, result);
    un_watch_end(&watch);
    return status;
}
