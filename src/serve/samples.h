/*
 * samples.h - pictures of a data set to try a model with: a few of its test lists, of seen and unseen
 * classes in turn, kept in memory.
 */
#ifndef UN_SERVE_SAMPLES_H
#define UN_SERVE_SAMPLES_H

#include "base/status.h"

enum { UN_SAMPLES = 12 };

typedef struct {
    char *label; /* its class */
    int seen;
    const char *type; /* "image/jpeg" */
    unsigned char *bytes;
    size_t size;
} un_sample;

typedef struct {
    un_sample items[UN_SAMPLES];
    size_t count;
} un_samples;

/* Pictures that cannot be read, or that a browser does not show, are passed over. */
un_status un_samples_open(un_samples *samples, const unseen_dataset *data);
void un_samples_close(un_samples *samples);

#endif
