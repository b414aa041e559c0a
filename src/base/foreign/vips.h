/* vips.h - libvips, and what it brings of GLib; see foreign.h. */
#ifndef UN_BASE_FOREIGN_VIPS_H
#define UN_BASE_FOREIGN_VIPS_H

#include <gmodule.h>
#include <vips/vips.h>

#include "base/foreign/foreign.h"

/* clang-format off */
#define UN_VIPS_FUNCTIONS(X) \
    X(g_free) X(g_log_set_handler) X(g_module_make_resident) X(g_module_open) X(g_object_unref) \
    X(g_path_get_dirname) X(g_setenv) X(g_strdup_printf) X(g_type_from_name) X(g_unsetenv) \
    X(vips_band_format_get_type) X(vips_block_untrusted_set) X(vips_cache_set_max) \
    X(vips_concurrency_set) X(vips_enum_nick) X(vips_error_buffer_copy) X(vips_error_clear) \
    X(vips_gifload_buffer) X(vips_heifload_buffer) X(vips_image_get_int) \
    X(vips_image_get_orientation) X(vips_image_get_typeof) X(vips_image_new_from_memory) \
    X(vips_init) X(vips_interpretation_get_type) X(vips_jpegload_buffer) X(vips_jpegsave_buffer) \
    X(vips_operation_block_set) X(vips_pngload_buffer) X(vips_region_new) X(vips_region_prepare) \
    X(vips_tiffload_buffer) X(vips_type_find) X(vips_version) X(vips_webpload_buffer)
/* clang-format on */

UN_FOREIGN_TABLE(un_vips_table, UN_VIPS_FUNCTIONS)

#ifndef UN_FOREIGN_TABLES
#define g_module_make_resident un_vips_table.g_module_make_resident
#define g_module_open un_vips_table.g_module_open
#define g_path_get_dirname un_vips_table.g_path_get_dirname
#define g_setenv un_vips_table.g_setenv
#define g_strdup_printf un_vips_table.g_strdup_printf
#define g_type_from_name un_vips_table.g_type_from_name
#define g_unsetenv un_vips_table.g_unsetenv
#define vips_version un_vips_table.vips_version
#undef g_free /* a macro since GLib 2.78 */
#define g_free un_vips_table.g_free
#define g_log_set_handler un_vips_table.g_log_set_handler
#define g_object_unref un_vips_table.g_object_unref
#define vips_band_format_get_type un_vips_table.vips_band_format_get_type
#define vips_block_untrusted_set un_vips_table.vips_block_untrusted_set
#define vips_cache_set_max un_vips_table.vips_cache_set_max
#define vips_concurrency_set un_vips_table.vips_concurrency_set
#define vips_enum_nick un_vips_table.vips_enum_nick
#define vips_error_buffer_copy un_vips_table.vips_error_buffer_copy
#define vips_error_clear un_vips_table.vips_error_clear
#define vips_gifload_buffer un_vips_table.vips_gifload_buffer
#define vips_heifload_buffer un_vips_table.vips_heifload_buffer
#define vips_image_get_int un_vips_table.vips_image_get_int
#define vips_image_get_orientation un_vips_table.vips_image_get_orientation
#define vips_image_get_typeof un_vips_table.vips_image_get_typeof
#define vips_image_new_from_memory un_vips_table.vips_image_new_from_memory
#define vips_init un_vips_table.vips_init
#define vips_interpretation_get_type un_vips_table.vips_interpretation_get_type
#define vips_jpegload_buffer un_vips_table.vips_jpegload_buffer
#define vips_jpegsave_buffer un_vips_table.vips_jpegsave_buffer
#define vips_operation_block_set un_vips_table.vips_operation_block_set
#define vips_pngload_buffer un_vips_table.vips_pngload_buffer
#define vips_region_new un_vips_table.vips_region_new
#define vips_region_prepare un_vips_table.vips_region_prepare
#define vips_tiffload_buffer un_vips_table.vips_tiffload_buffer
#define vips_type_find un_vips_table.vips_type_find
#define vips_webpload_buffer un_vips_table.vips_webpload_buffer
#endif

#endif
