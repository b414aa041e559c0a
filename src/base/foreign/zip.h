/* zip.h - libzip; see foreign.h. */
#ifndef UN_BASE_FOREIGN_ZIP_H
#define UN_BASE_FOREIGN_ZIP_H

#include <zip.h>

#include "base/foreign/foreign.h"

/* clang-format off */
#define UN_ZIP_FUNCTIONS(X) \
    X(zip_discard) X(zip_error_fini) X(zip_error_init_with_code) X(zip_error_strerror) \
    X(zip_fclose) X(zip_file_strerror) X(zip_fopen_index) X(zip_fread) X(zip_get_num_entries) \
    X(zip_name_locate) X(zip_open) X(zip_stat_index) X(zip_strerror)
/* clang-format on */

UN_FOREIGN_TABLE(un_zip_table, UN_ZIP_FUNCTIONS)

#ifndef UN_FOREIGN_TABLES
#define zip_discard un_zip_table.zip_discard
#define zip_error_fini un_zip_table.zip_error_fini
#define zip_error_init_with_code un_zip_table.zip_error_init_with_code
#define zip_error_strerror un_zip_table.zip_error_strerror
#define zip_fclose un_zip_table.zip_fclose
#define zip_file_strerror un_zip_table.zip_file_strerror
#define zip_fopen_index un_zip_table.zip_fopen_index
#define zip_fread un_zip_table.zip_fread
#define zip_get_num_entries un_zip_table.zip_get_num_entries
#define zip_name_locate un_zip_table.zip_name_locate
#define zip_open un_zip_table.zip_open
#define zip_stat_index un_zip_table.zip_stat_index
#define zip_strerror un_zip_table.zip_strerror
#endif

#endif
