/*
 * fuzz_safetensors.c - arbitrary bytes as a safetensors file: opening ends with
 * UNSEEN_OK or a sentence, and what was opened can be read to the last byte.
 */
#include "fuzz.h"

#include "data/features.h"
#include "tensor/safetensors.h"

static volatile unsigned g_sink; /* keeps the reads */

static void read_all(const un_safetensors *file) {
    for (size_t i = 0; i < file->count; i++) {
        const un_st_entry *entry = &file->entries[i];
        const unsigned char *bytes = entry->tensor.data;
        for (size_t k = 0; k < entry->bytes; k++) g_sink += bytes[k];
        size_t count = un_tensor_count(&entry->tensor);
        float *values = malloc(count * sizeof *values + 1);
        int64_t *integers = malloc(count * sizeof *integers + 1);
        if (values) un_st_copy_f32(entry, values);
        if (integers) (void)un_st_copy_i64(entry, integers);
        free(values);
        free(integers);
        if (un_safetensors_find(file, entry->name) == NULL) abort();
    }
}

static void read_features(const char *path) {
    un_features features;
    if (un_features_open_file(&features, path) != UNSEEN_OK) return;
    size_t row = features.regions * features.width;
    float *out = row < 1u << 20 ? malloc(row * sizeof *out + 1) : NULL;
    int64_t last = (int64_t)features.image_count - 1;
    if (out && last >= 0) un_features_gather_f32(&features, &last, 1, out);
    free(out);
    un_features_close(&features);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *path = write_input(data, size);
    un_safetensors file;
    if (un_safetensors_open(&file, path) != UNSEEN_OK) {
        if (un_error()[0] == 0) abort(); /* a failure must say why */
        return 0;
    }
    read_all(&file);
    un_safetensors_close(&file);
    read_features(path);
    return 0;
}
