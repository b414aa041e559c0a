/* zlib.h - zlib, its functions by the names that its macros give them; see foreign.h. */
#ifndef UN_BASE_FOREIGN_ZLIB_H
#define UN_BASE_FOREIGN_ZLIB_H

#include <zlib.h>

#include "base/foreign/foreign.h"

/* clang-format off */
#define UN_ZLIB_FUNCTIONS(X) \
    X(compressBound) X(crc32) X(deflate) X(deflateEnd) X(deflateInit2_) X(gzclose_r) X(gzdopen) \
    X(gzerror) X(gzread) X(inflate) X(inflateEnd) X(inflateInit_) X(inflateReset)
/* clang-format on */

UN_FOREIGN_TABLE(un_zlib_table, UN_ZLIB_FUNCTIONS)

#ifndef UN_FOREIGN_TABLES
#define compressBound un_zlib_table.compressBound
#define crc32 un_zlib_table.crc32
#define deflate un_zlib_table.deflate
#define deflateEnd un_zlib_table.deflateEnd
#define deflateInit2_ un_zlib_table.deflateInit2_
#define gzclose_r un_zlib_table.gzclose_r
#define gzdopen un_zlib_table.gzdopen
#define gzerror un_zlib_table.gzerror
#define gzread un_zlib_table.gzread
#define inflate un_zlib_table.inflate
#define inflateEnd un_zlib_table.inflateEnd
#define inflateInit_ un_zlib_table.inflateInit_
#define inflateReset un_zlib_table.inflateReset
#endif

#endif
