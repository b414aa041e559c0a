/* utf8proc.h - utf8proc: Unicode's tables; see foreign.h. */
#ifndef UN_BASE_FOREIGN_UTF8PROC_H
#define UN_BASE_FOREIGN_UTF8PROC_H

#include <utf8proc.h>

#include "base/foreign/foreign.h"

/* clang-format off */
#define UN_UTF8PROC_FUNCTIONS(X) \
    X(utf8proc_category) X(utf8proc_charwidth) X(utf8proc_decompose_char) X(utf8proc_encode_char) \
    X(utf8proc_get_property) X(utf8proc_map) X(utf8proc_tolower)
/* clang-format on */

UN_FOREIGN_TABLE(un_utf8proc_table, UN_UTF8PROC_FUNCTIONS)

#ifndef UN_FOREIGN_TABLES
#define utf8proc_category un_utf8proc_table.utf8proc_category
#define utf8proc_charwidth un_utf8proc_table.utf8proc_charwidth
#define utf8proc_decompose_char un_utf8proc_table.utf8proc_decompose_char
#define utf8proc_encode_char un_utf8proc_table.utf8proc_encode_char
#define utf8proc_get_property un_utf8proc_table.utf8proc_get_property
#define utf8proc_map un_utf8proc_table.utf8proc_map
#define utf8proc_tolower un_utf8proc_table.utf8proc_tolower
#endif

#endif
