/* curve_store.c - exact seen-unseen curves in a file without a name; see run.h. */
#include <math.h>

#include "train/run.h"

/* A curve is written as three arrays of its points: U, S, threshold; the last threshold is inf. */

un_status un_curve_store_add(curve_store *store, const char *beside, const un_curve *curve,
                             uint64_t *at) {
    if (!store->open) {
        UN_TRY(un_scratch_open(&store->file, beside));
        store->open = 1;
    }
    size_t bytes = curve->count * sizeof(double);
    const double last = (double)INFINITY;
    UN_TRY(un_atomic_write(&store->file, curve->U, bytes, store->end));
    UN_TRY(un_atomic_write(&store->file, curve->S, bytes, store->end + bytes));
    UN_TRY(un_atomic_write(&store->file, curve->threshold, bytes - sizeof last,
                           store->end + 2 * bytes));
    UN_TRY(un_atomic_write(&store->file, &last, sizeof last, store->end + 3 * bytes - sizeof last));
    *at = store->end;
    store->end += 3 * bytes;
    return UNSEEN_OK;
}

un_status un_curve_store_read(curve_store *store, uint64_t at, size_t points, un_curve *out) {
    size_t bytes = points * sizeof(double);
    *out = (un_curve){.count = points};
    un_status status = un_alloc(points, sizeof(double), &out->U);
    if (!status) status = un_alloc(points, sizeof(double), &out->S);
    if (!status) status = un_alloc(points, sizeof(double), &out->threshold);
    if (!status) status = un_atomic_read(&store->file, out->U, bytes, at);
    if (!status) status = un_atomic_read(&store->file, out->S, bytes, at + bytes);
    if (!status) status = un_atomic_read(&store->file, out->threshold, bytes, at + 2 * bytes);
    if (status) un_curve_free(out);
    return status;
}

void un_curve_store_close(curve_store *store) {
    if (store->open) un_atomic_abort(&store->file);
    *store = (curve_store){0};
}
