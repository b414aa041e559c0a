/*
 * hdf5_file.c - an HDF5 file behind a descriptor that is open already.
 *
 * libhdf5 opens files by name, but the process that reads a foreign file may open none
 * any more (reader_child.h). So this is a file driver for it: it reads, and no more.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/readers/hdf5_child.h"

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

typedef struct {
    H5FD_t head; /* libhdf5's own part */
    haddr_t end_allocated, size;
} file;

/* The driver's open function is told a name only. One file a process. */
static int g_fd = -1;

static H5FD_t *file_open(const char *name, unsigned flags, hid_t access, haddr_t limit) {
    struct stat st;
    (void)name;
    (void)access;
    (void)limit;
    if ((flags & H5F_ACC_RDWR) || fstat(g_fd, &st) != 0 || st.st_size < 0) return NULL;
    file *f = calloc(1, sizeof *f);
    if (f) f->size = (haddr_t)st.st_size;
    return f ? &f->head : NULL;
}

static herr_t file_close(H5FD_t *f) {
    free(f);
    return 0;
}

static herr_t file_query(const H5FD_t *f, unsigned long *flags) {
    (void)f;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

static haddr_t file_get_eoa(const H5FD_t *f, H5FD_mem_t type) {
    (void)type;
    return ((const file *)(const void *)f)->end_allocated;
}

static herr_t file_set_eoa(H5FD_t *f, H5FD_mem_t type, haddr_t address) {
    (void)type;
    ((file *)(void *)f)->end_allocated = address;
    return 0;
}

static haddr_t file_get_eof(const H5FD_t *f, H5FD_mem_t type) {
    (void)type;
    return ((const file *)(const void *)f)->size;
}

/* What lies beyond the end of the file is an error; libhdf5's own driver makes it zeros. */
static herr_t file_read(H5FD_t *f, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size,
                        void *out) {
    unsigned char *to = out;
    (void)f;
    (void)type;
    (void)transfer;
    if (address > INT64_MAX - size) return -1;
    while (size > 0) {
        ssize_t n = pread(g_fd, to, size, (off_t)address);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return -1;
        to += n;
        size -= (size_t)n;
        address += (haddr_t)n;
    }
    return 0;
}

static herr_t file_write(H5FD_t *f, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size,
                         const void *data) {
    (void)f;
    (void)type;
    (void)transfer;
    (void)address;
    (void)size;
    (void)data;
    return -1;
}

hid_t un_hdf5_open_descriptor(int fd, const char *path) {
    static const H5FD_class_t driver = {
#if H5_VERSION_GE(1, 13, 0)
        .version = H5FD_CLASS_VERSION,
        .value = (H5FD_class_value_t)512, /* of those left to programs */
#endif
        .name = "unseen",
        .maxaddr = INT64_MAX,
        .fc_degree = H5F_CLOSE_WEAK,
        .open = file_open,
        .close = file_close,
        .query = file_query,
        .get_eoa = file_get_eoa,
        .set_eoa = file_set_eoa,
        .get_eof = file_get_eof,
        .read = file_read,
        .write = file_write,
        .fl_map = H5FD_FLMAP_DICHOTOMY
    };
    g_fd = fd;
    hid_t id = H5FDregister(&driver);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    hid_t opened = -1;
    if (id >= 0 && access >= 0 && H5Pset_driver(access, id, NULL) >= 0)
        opened = H5Fopen(path, H5F_ACC_RDONLY, access);
    if (access >= 0) H5Pclose(access);
    return opened;
}
