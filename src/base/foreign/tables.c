/*
 * tables.c - the tables of foreign.h. UN_FILE_CAIRO, say, is the name under which the system's loader
 * finds cairo; where there is none, cairo is linked.
 */
#define UN_FOREIGN_TABLES

#include "base/foreign/cairo.h"
#include "base/foreign/hdf5.h"
#include "base/foreign/microhttpd.h"
#include "base/foreign/utf8proc.h"
#include "base/foreign/vips.h"
#include "base/foreign/zip.h"
#include "base/foreign/zlib.h"

#define AS_TEXT(name) #name
#define NAME_OF(name) AS_TEXT(name),
#define ADDRESS_OF(name) &name,
#define LINKED(library, list) struct library library = {list(ADDRESS_OF)};
#define LOADED(library, list)                                                                      \
    struct library library;                                                                        \
    static const char *const library##_names[] = {list(NAME_OF)};
#define LOADED_FROM(purpose, file, package, library)                                               \
    { purpose, file, package, library##_names, &library, sizeof library##_names / sizeof(char *) }

#ifdef UN_FILE_VIPS
LOADED(un_vips_table, UN_VIPS_FUNCTIONS)
#define VIPS                                                                                       \
    LOADED_FROM("reading and writing pictures needs", UN_FILE_VIPS, UN_PACKAGE_VIPS, un_vips_table)
#else
LINKED(un_vips_table, UN_VIPS_FUNCTIONS)
#define VIPS                                                                                       \
    { .file = NULL }
#endif

#ifdef UN_FILE_CAIRO
LOADED(un_cairo_table, UN_CAIRO_FUNCTIONS)
#define CAIRO LOADED_FROM("drawing needs", UN_FILE_CAIRO, UN_PACKAGE_CAIRO, un_cairo_table)
#else
LINKED(un_cairo_table, UN_CAIRO_FUNCTIONS)
#define CAIRO                                                                                      \
    { .file = NULL }
#endif

#ifdef UN_FILE_HDF5
LOADED(un_hdf5_table, UN_HDF5_FUNCTIONS)
#define HDF5                                                                                       \
    LOADED_FROM("reading HDF5 and MATLAB 7.3 needs", UN_FILE_HDF5, UN_PACKAGE_HDF5, un_hdf5_table)
#else
LINKED(un_hdf5_table, UN_HDF5_FUNCTIONS)
#define HDF5                                                                                       \
    { .file = NULL }
#endif

#ifdef UN_FILE_ZIP
LOADED(un_zip_table, UN_ZIP_FUNCTIONS)
#define ZIP LOADED_FROM("reading .npz needs", UN_FILE_ZIP, UN_PACKAGE_ZIP, un_zip_table)
#else
LINKED(un_zip_table, UN_ZIP_FUNCTIONS)
#define ZIP                                                                                        \
    { .file = NULL }
#endif

#ifdef UN_FILE_ZLIB
LOADED(un_zlib_table, UN_ZLIB_FUNCTIONS)
#define ZLIB                                                                                       \
    LOADED_FROM("packing and unpacking needs", UN_FILE_ZLIB, UN_PACKAGE_ZLIB, un_zlib_table)
#else
LINKED(un_zlib_table, UN_ZLIB_FUNCTIONS)
#define ZLIB                                                                                       \
    { .file = NULL }
#endif

#ifdef UN_FILE_UTF8PROC
LOADED(un_utf8proc_table, UN_UTF8PROC_FUNCTIONS)
#define UTF8PROC                                                                                   \
    LOADED_FROM("texts beyond ASCII need", UN_FILE_UTF8PROC, UN_PACKAGE_UTF8PROC, un_utf8proc_table)
#else
LINKED(un_utf8proc_table, UN_UTF8PROC_FUNCTIONS)
#define UTF8PROC                                                                                   \
    { .file = NULL }
#endif

LOADED(un_microhttpd_table, UN_MICROHTTPD_FUNCTIONS)
#define MICROHTTPD                                                                                 \
    LOADED_FROM("serving needs", UN_FILE_MICROHTTPD, UN_PACKAGE_MICROHTTPD, un_microhttpd_table)

const un_foreign_library un_foreign_libraries[UN_FOREIGN_COUNT] = {[UN_VIPS] = VIPS,
                                                                   [UN_CAIRO] = CAIRO,
                                                                   [UN_HDF5] = HDF5,
                                                                   [UN_ZIP] = ZIP,
                                                                   [UN_ZLIB] = ZLIB,
                                                                   [UN_UTF8PROC] = UTF8PROC,
                                                                   [UN_MICROHTTPD] = MICROHTTPD};
