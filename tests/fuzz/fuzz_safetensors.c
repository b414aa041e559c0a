/*
 * fuzz_safetensors.c - a safetensors file: opened, or refused; what was opened can be read to the
 * last byte, as any type.
 */
#include "fuzz.h"

#include "tensor/safetensors.h"

static void read_all(const un_safetensors *file) {
    for (size_t i = 0; i < file->count; i++) {
        const un_st_entry *entry = &file->entries[i];
        size_t count = un_tensor_count(&entry->tensor);
        fuzz_touch_text(entry->name);
        fuzz_touch(entry->tensor.data, entry->bytes);
        float *values = malloc(count * sizeof *values + 1);
        int64_t *integers = malloc(count * sizeof *integers + 1);
        FUZZ_REQUIRE(values && integers);
        un_st_copy_f32(entry, values);
        (void)fuzz_taken(un_st_copy_i64(entry, integers));
        free(values);
        free(integers);
        FUZZ_REQUIRE(un_safetensors_find(file, entry->name));
    }
}

int fuzz_run_safetensors(const uint8_t *data, size_t size) {
    un_safetensors file;
    if (!fuzz_taken(un_safetensors_open(&file, fuzz_file("a.safetensors", data, size)))) return 0;
    read_all(&file);
    un_safetensors_close(&file);
    return 1;
}

static void seed_text(const char *name, const char *header, size_t data_bytes) {
    unsigned char bytes[1024] = {0};
    size_t n = strlen(header);
    bytes[0] = (unsigned char)(n & 255);
    bytes[1] = (unsigned char)(n >> 8);
    memcpy(bytes + 8, header, n);
    for (size_t i = 0; i < data_bytes; i++) bytes[8 + n + i] = (unsigned char)(i * 29);
    fuzz_seed(name, bytes, 8 + n + data_bytes);
}

void fuzz_seed_safetensors(void) {
    seed_text("one", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}", 16);
    seed_text("types",
              "{\"__metadata__\":{\"k\":\"v\"},"
              "\"a\":{\"dtype\":\"BF16\",\"shape\":[3],\"data_offsets\":[0,6]},"
              "\"b\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[6,8]},"
              "\"c\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[8,16]},"
              "\"d\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[16,16]},"
              "\"e\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[16,24]}}",
              24);
    seed_text("empty", "{}", 0);
    seed_text("bad_overlap",
              "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
              "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",
              12);
    seed_text(
        "bad_huge",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0);
    fuzz_seed_text("bad_lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n");
    fuzz_seed_text("bad_csv", "class,a,b\nx,1,2\n");
}
