/*
 * hdf5_text.c - the strings of an HDF5 data set; see hdf5_child.h.
 *
 * HDF5 has strings of its own. MATLAB does not use them: a row of characters is a column
 * of 16-bit numbers, and a cell array is a data set of references to such columns.
 */
#include <stdlib.h>
#include <string.h>

#include "data/readers/hdf5_child.h"

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
