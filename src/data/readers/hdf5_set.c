/*
 * hdf5_set.c - one data set of an HDF5 file: whether all of it is there, and reading it;
 * see hdf5_child.h.
 *
 * libhdf5 does not fail on storage that is not there, it fills in zeros, nor on storage
 * that is too short, it reads on; so every data set is measured before it is read.
 */
#include <string.h>

#include "data/readers/hdf5_child.h"

/* ---- is it all there? ---- */

/* Bytes of one element in the file: a string of any length is a length and a place there,
 * whatever it is in memory. */
static size_t stored_size(hid_t set, hid_t type) {
    hid_t file = H5Iget_file_id(set);
    hid_t creation = H5Fget_create_plist(file);
    size_t address = 0;
    size_t length = 0;
    size_t size = H5Tget_size(type);
    if (H5Tis_variable_str(type) > 0)
        size = H5Pget_sizes(creation, &address, &length) >= 0 ? 4 + address + 4 : 0;
    H5Pclose(creation);
    H5Fclose(file);
    return size;
}

static un_status never_written(const un_hdf5_set *s) {
    return un_fail(UNSEEN_E_FORMAT,
                   "%s: parts of \"%s\" were never written or are lost; make the file again",
                   s->path, s->name);
}

static un_status check_chunks(const un_hdf5_set *s, hid_t space) {
    hsize_t stored = 0;
    hsize_t needed = 1;
    const un_hdf5_chunks *c = &s->chunks;
    for (int k = 0; k < c->rank; k++)
        needed *= c->dims[k] / c->chunk[k] + (c->dims[k] % c->chunk[k] != 0);
    if (H5Dget_num_chunks(s->set, space, &stored) >= 0 && stored == needed) return UNSEEN_OK;
    return never_written(s);
}

/* Data in one piece: in the header of the data set, or elsewhere in the file. */
static un_status check_piece(const un_hdf5_set *s, size_t element) {
    uint64_t needed = 0;
    uint64_t stored = H5Dget_storage_size(s->set);
    if (__builtin_mul_overflow(s->elements, (uint64_t)element, &needed))
        return un_hdf5_damaged(s->path, s->name);
    if (needed > 0 && stored == 0) return never_written(s);
    if (stored >= needed) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT,
                   "%s is damaged: \"%s\" has %llu bytes, %llu are needed; get the file again",
                   s->path, s->name, (unsigned long long)stored, (unsigned long long)needed);
}

static un_status check_storage(un_hdf5_set *s, hid_t creation, hid_t space) {
    size_t element = stored_size(s->set, s->type);
    if (creation < 0 || space < 0 || element == 0) return un_hdf5_damaged(s->path, s->name);
    if (H5Pget_layout(creation) == H5D_VIRTUAL || H5Pget_external_count(creation) != 0)
        return un_fail(UNSEEN_E_UNSUPPORTED, "%s: \"%s\" lies in other files; copy it into one",
                       s->path, s->name);
    s->chunked = H5Pget_layout(creation) == H5D_CHUNKED;
    if (!s->chunked) return check_piece(s, element);
    UN_TRY(un_hdf5_chunks_open(&s->chunks, s->path, s->name, s->set, creation, element));
    return s->elements > 0 ? check_chunks(s, space) : UNSEEN_OK;
}

un_status un_hdf5_set_open(un_hdf5_set *s, const char *path, const char *name, hid_t set) {
    *s = UN_HDF5_NO_SET;
    s->path = path;
    s->set = set;
    s->chunks.held_as = -1;
    snprintf(s->name, sizeof s->name, "%s", name);
    hid_t creation = H5Dget_create_plist(set);
    hid_t space = H5Dget_space(set);
    hssize_t points = H5Sget_simple_extent_npoints(space);
    s->type = H5Dget_type(set);
    s->elements = points > 0 ? (uint64_t)points : 0;
    un_status status =
        points < 0 || s->type < 0 ? un_hdf5_damaged(path, name) : check_storage(s, creation, space);
    H5Pclose(creation);
    H5Sclose(space);
    if (status) un_hdf5_set_close(s);
    return status;
}

void un_hdf5_set_close(un_hdf5_set *s) {
    un_hdf5_chunks_close(&s->chunks);
    if (s->type >= 0) H5Tclose(s->type);
    if (s->set >= 0) H5Dclose(s->set);
    *s = UN_HDF5_NO_SET;
}

/* ---- reading ---- */

un_status un_hdf5_set_read_part(un_hdf5_set *s, const hsize_t *start, const hsize_t *extent,
                                hid_t type, void *out) {
    if (s->chunked) return un_hdf5_chunks_read(&s->chunks, start, extent, type, out);
    hid_t space = H5Dget_space(s->set);
    hid_t memory = H5Screate_simple(H5Sget_simple_extent_ndims(space), extent, NULL);
    int failed = H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, extent, NULL) < 0 ||
                 H5Dread(s->set, type, memory, space, H5P_DEFAULT, out) < 0;
    H5Sclose(memory);
    H5Sclose(space);
    return failed ? un_hdf5_damaged(s->path, s->name) : UNSEEN_OK;
}

un_status un_hdf5_set_read(un_hdf5_set *s, hid_t type, void *out) {
    static const hsize_t start[UN_MAX_RANK];
    if (s->elements == 0) return UNSEEN_OK;
    if (s->chunked) return un_hdf5_chunks_read(&s->chunks, start, s->chunks.dims, type, out);
    int failed = H5Dread(s->set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0;
    return failed ? un_hdf5_damaged(s->path, s->name) : UNSEEN_OK;
}

un_status un_hdf5_set_read_raw(un_hdf5_set *s, void *out) {
    if (s->elements == 0) return UNSEEN_OK;
    if (s->chunked) UN_TRY(un_hdf5_chunks_verify(&s->chunks));
    int failed = H5Dread(s->set, s->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0;
    return failed ? un_hdf5_damaged(s->path, s->name) : UNSEEN_OK;
}

/* ---- attributes ---- */

/* An attribute of one element; negative if there is none. */
static hid_t open_attribute(hid_t object, const char *name) {
    if (H5Aexists(object, name) <= 0) return -1;
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0) return -1;
    hid_t space = H5Aget_space(attribute);
    hssize_t points = H5Sget_simple_extent_npoints(space);
    H5Sclose(space);
    if (points == 1) return attribute;
    H5Aclose(attribute);
    return -1;
}

void un_hdf5_attribute_text(hid_t object, const char *name, char *out, size_t size) {
    char bytes[64] = "";
    char *string = NULL;
    out[0] = 0;
    hid_t attribute = open_attribute(object, name);
    if (attribute < 0) return;
    hid_t type = H5Aget_type(attribute);
    if (H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) > 0) {
        if (H5Aread(attribute, type, &string) >= 0 && string)
            snprintf(out, size, "%.*s", (int)strnlen(string, size - 1), string);
        if (string) H5free_memory(string);
    } else if (H5Tget_class(type) == H5T_STRING && H5Tget_size(type) < sizeof bytes &&
               H5Aread(attribute, type, bytes) >= 0) {
        snprintf(out, size, "%.*s", (int)strnlen(bytes, size - 1), bytes);
    }
    H5Tclose(type);
    H5Aclose(attribute);
    if (!un_text_is_utf8((const unsigned char *)out, strlen(out))) out[0] = 0;
}

int un_hdf5_attribute_number(hid_t object, const char *name) {
    int value = 0;
    hid_t attribute = open_attribute(object, name);
    if (attribute < 0) return 0;
    hid_t type = H5Aget_type(attribute);
    if (H5Tget_class(type) != H5T_INTEGER || H5Aread(attribute, H5T_NATIVE_INT, &value) < 0)
        value = 0;
    H5Tclose(type);
    H5Aclose(attribute);
    return value;
}
