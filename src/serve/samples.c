/* samples.c - pictures of a data set to try a model with; see samples.h. */
#include "serve/samples.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { MOST_BYTES = 4 << 20, TRIES = 4 };

/* What a browser shows, by how it begins; NULL: something else. */
static const char *type_of(const unsigned char *bytes, size_t n) {
    static const struct {
        const char *type, *magic;
        size_t at, size;
    } kinds[] = {{"image/jpeg", "\xff\xd8\xff", 0, 3},
                 {"image/png", "\x89PNG\r\n\x1a\n", 0, 8},
                 {"image/webp", "WEBP", 8, 4},
                 {"image/gif", "GIF8", 0, 4},
                 {"image/bmp", "BM", 0, 2}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (n >= kinds[i].at + kinds[i].size &&
            !memcmp(bytes + kinds[i].at, kinds[i].magic, kinds[i].size))
            return kinds[i].type;
    return NULL;
}

static un_status copy_file(un_sample *sample, const char *path) {
    un_map map = {0};
    UN_TRY(un_map_read(&map, path));
    un_status status = UNSEEN_OK;
    sample->type = type_of(map.data, map.size);
    if (!sample->type || map.size > MOST_BYTES)
        UN_GO(un_fail(UNSEEN_E_UNSUPPORTED, "%s is no picture that a browser shows at once", path));
    sample->bytes = malloc(map.size);
    sample->size = map.size;
    if (!sample->bytes) UN_GO(un_fail_memory(map.size));
    memcpy(sample->bytes, map.data, map.size);
done:
    un_map_close(&map);
    return status;
}

static void release(un_sample *sample) {
    free(sample->label);
    free(sample->bytes);
    *sample = (un_sample){0};
}

static un_status take(un_sample *sample, const unseen_dataset *data, size_t image) {
    const char *folder = unseen_dataset_image_folder(data);
    const char *name = unseen_dataset_image_name(data, image);
    const int32_t *labels = unseen_dataset_labels(data);
    char *path = NULL;
    if (!folder || !name || !labels)
        return un_fail(UNSEEN_E_UNSUPPORTED, "the data set does not know its pictures");
    const size_t label = (size_t)labels[image];
    UN_TRY(un_path_below(folder, name, &path));
    un_status status = copy_file(sample, path);
    free(path);
    const char *class = unseen_dataset_class_name(data, label);
    if (!status) sample->label = class ? strdup(class) : NULL;
    if (!status && !sample->label) status = un_fail_memory(0);
    sample->seen = unseen_dataset_class_seen(data, label) == 1;
    if (status) release(sample);
    return status;
}

/* Number `k` of `of` pictures that are spread evenly over a list, or one of its neighbours. */
static int take_spread(un_samples *s, const unseen_dataset *data, unseen_split_list list, size_t k,
                       size_t of) {
    const int64_t *images = NULL;
    size_t n = 0;
    if (unseen_dataset_split(data, list, &images, &n) || n < of) return 0;
    for (size_t t = 0; t < TRIES && k * n / of + t < (k + 1) * n / of; t++)
        if (!take(&s->items[s->count], data, (size_t)images[k * n / of + t])) {
            s->count++;
            return 1;
        }
    return 0;
}

un_status un_samples_open(un_samples *samples, const unseen_dataset *data) {
    *samples = (un_samples){.count = 0};
    for (size_t k = 0; k < UN_SAMPLES / 2; k++) {
        take_spread(samples, data, UNSEEN_TEST_UNSEEN, k, UN_SAMPLES / 2);
        take_spread(samples, data, UNSEEN_TEST_SEEN, k, UN_SAMPLES / 2);
    }
    if (samples->count > 0) return UNSEEN_OK;
    return un_fail(UNSEEN_E_UNSUPPORTED, "no picture of the test lists of %s can be shown: %s",
                   unseen_dataset_name(data), un_error());
}

void un_samples_close(un_samples *samples) {
    for (size_t i = 0; i < samples->count; i++) release(&samples->items[i]);
    samples->count = 0;
}
