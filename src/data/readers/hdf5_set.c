/*
 * hdf5_set.c - one data set of an HDF5 file: whether all of it is there, and reading it;
 * see hdf5_child.h.
 *
 * libhdf5 does not fail on storage that is not there, it fills in zeros, nor on storage
 * that is too short, it reads on; so every data set is measured before it is read.
 */
#include <stdlib.h>
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

/* ---- the strings of an HDF5 data set.
 *
 * HDF5 has strings of its own. MATLAB does not use them: a row of characters is a column
 * of 16-bit numbers, and a cell array is a data set of references to such columns. ---- */

enum { MAX_STRING = 1 << 20 };

static un_status too_much(const un_hdf5_set *s) {
    return un_fail(UNSEEN_E_UNSUPPORTED, "%s: more than %zu MiB of text in \"%s\"", s->path,
                   UN_CHILD_MEMORY >> 20, s->name);
}

static un_status put_fixed(un_hdf5_set *s, un_text *t) {
    size_t width = H5Tget_size(s->type);
    char *bytes = NULL;
    if (width == 0 || width > MAX_STRING || s->elements > UN_CHILD_MEMORY / width)
        return too_much(s);
    un_status status = un_alloc((size_t)s->elements, width, &bytes);
    if (!status) status = un_hdf5_set_read_raw(s, bytes);
    for (uint64_t i = 0; !status && i < s->elements; i++) {
        const char *string = bytes + i * width;
        size_t n = strnlen(string, width);
        if (H5Tget_strpad(s->type) == H5T_STR_SPACEPAD)
            while (n > 0 && string[n - 1] == ' ') n--;
        status = un_text_string(t, (const unsigned char *)string, n);
    }
    free(bytes);
    return status;
}

static un_status put_variable(un_hdf5_set *s, un_text *t) {
    char **strings = NULL;
    if (s->elements > UN_CHILD_MEMORY / sizeof *strings) return too_much(s);
    un_status status = un_alloc((size_t)s->elements, sizeof *strings, &strings);
    if (!status) status = un_hdf5_set_read_raw(s, strings);
    for (uint64_t i = 0; !status && i < s->elements; i++) {
        const char *string = strings[i] ? strings[i] : "";
        status = un_text_string(t, (const unsigned char *)string, strnlen(string, MAX_STRING));
        if (strings[i]) H5free_memory(strings[i]);
    }
    free(strings);
    return status;
}

/* The numbers of a matrix of characters, of which HDF5 has the dimensions the other way
 * round. Without MATLAB's mark one dimension must be 1, whichever; in a cell, a column of
 * characters is one string, too. */
static un_status put_characters(un_hdf5_set *s, int in_cell, un_text *t, size_t *count) {
    char class[16];
    hsize_t dims[UN_MAX_RANK] = {1, 1};
    unsigned char *units = NULL;
    int whole = 0;
    size_t size = H5Tget_size(s->type);
    if (un_hdf5_attribute_number(s->set, "MATLAB_empty")) { /* its data are its dimensions */
        (*count)++;
        return un_text_byte(t, 0);
    }
    un_hdf5_attribute_text(s->set, "MATLAB_class", class, sizeof class);
    hid_t space = H5Dget_space(s->set);
    int rank = H5Sget_simple_extent_ndims(space);
    if (rank >= 0 && rank <= 2) H5Sget_simple_extent_dims(space, dims, NULL);
    H5Sclose(space);
    int marked = !strcmp(class, "char");
    if (H5Tget_class(s->type) != H5T_INTEGER || size > 4 || size == 3 || rank > 2 ||
        (!marked && (class[0] || (dims[0] != 1 && dims[1] != 1))))
        return un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" holds something that is not text%s", s->path,
                       s->name, strcmp(class, "string") != 0 ? "" : "; save cellstr(…) of it");
    if (s->elements > UN_CHILD_MEMORY / 4) return too_much(s);
    UN_TRY(un_alloc((size_t)s->elements + 1, size, &units));
    hid_t type = size == 1 ? H5T_NATIVE_UINT8 : size == 2 ? H5T_NATIVE_UINT16 : H5T_NATIVE_UINT32;
    size_t rows = rank == 2 && marked && !(in_cell && dims[0] == 1) ? (size_t)dims[1] : 1;
    const un_text_matrix matrix = {.data = units,
                                   .size = size,
                                   .units = (size_t)s->elements,
                                   .rows = rows,
                                   .width = (size_t)dims[0]};
    un_status status = un_hdf5_set_read(s, type, units);
    if (!status) status = un_text_rows(t, &matrix, count, &whole);
    free(units);
    if (status || whole) return status;
    return un_hdf5_damaged(s->path, s->name);
}

static un_status put_any(un_hdf5_set *s, int in_cell, un_text *t, size_t *count) {
    if (H5Tget_class(s->type) != H5T_STRING) return put_characters(s, in_cell, t, count);
    UN_TRY(H5Tis_variable_str(s->type) > 0 ? put_variable(s, t) : put_fixed(s, t));
    *count += (size_t)s->elements;
    return UNSEEN_OK;
}

/* What a reference points to must be one string. */
static un_status put_cell(un_hdf5_set *s, const hobj_ref_t *reference, un_text *t, size_t *count) {
    un_hdf5_set cell = UN_HDF5_NO_SET;
    size_t before = *count;
    hid_t object = H5Rdereference2(s->set, H5P_DEFAULT, H5R_OBJECT, reference);
    if (object < 0) return un_hdf5_damaged(s->path, s->name);
    if (H5Iget_type(object) != H5I_DATASET) {
        H5Oclose(object);
        return un_fail(UNSEEN_E_FORMAT, "%s: a cell of \"%s\" holds something that is not text",
                       s->path, s->name);
    }
    UN_TRY(un_hdf5_set_open(&cell, s->path, s->name, object));
    un_status status = put_any(&cell, 1, t, count);
    un_hdf5_set_close(&cell);
    if (!status && *count != before + 1)
        status = un_fail(UNSEEN_E_FORMAT, "%s: a cell of \"%s\" holds several lines of text",
                         s->path, s->name);
    return status;
}

static un_status put_cells(un_hdf5_set *s, un_text *t, size_t *count) {
    hobj_ref_t *references = NULL;
    if (H5Tequal(s->type, H5T_STD_REF_OBJ) <= 0) return un_hdf5_damaged(s->path, s->name);
    if (s->elements > UN_CHILD_MEMORY / sizeof *references) return too_much(s);
    un_status status = un_alloc((size_t)s->elements + 1, sizeof *references, &references);
    if (!status) status = un_hdf5_set_read_raw(s, references);
    for (uint64_t i = 0; !status && i < s->elements; i++) {
        status = put_cell(s, &references[i], t, count);
        if (!status && t->used > UN_CHILD_MEMORY) status = too_much(s);
    }
    free(references);
    return status;
}

un_status un_hdf5_set_strings(un_hdf5_set *s, un_text *t, size_t *count) {
    char class[16];
    if (H5Tget_class(s->type) == H5T_REFERENCE) return put_cells(s, t, count);
    /* An empty cell array is a pair of dimensions. */
    un_hdf5_attribute_text(s->set, "MATLAB_class", class, sizeof class);
    if (!strcmp(class, "cell")) return UNSEEN_OK;
    return put_any(s, 0, t, count);
}
