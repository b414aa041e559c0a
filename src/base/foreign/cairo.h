/* cairo.h - cairo; see foreign.h. */
#ifndef UN_BASE_FOREIGN_CAIRO_H
#define UN_BASE_FOREIGN_CAIRO_H

#include <cairo.h>

#include "base/foreign/foreign.h"

/* clang-format off */
#define UN_CAIRO_FUNCTIONS(X) \
    X(cairo_arc) X(cairo_clip) X(cairo_close_path) X(cairo_create) X(cairo_curve_to) \
    X(cairo_destroy) X(cairo_fill) X(cairo_fill_preserve) X(cairo_get_matrix) X(cairo_get_source) \
    X(cairo_identity_matrix) X(cairo_image_surface_create) X(cairo_image_surface_get_data) \
    X(cairo_image_surface_get_height) X(cairo_image_surface_get_stride) \
    X(cairo_image_surface_get_width) X(cairo_line_to) X(cairo_move_to) X(cairo_new_path) \
    X(cairo_new_sub_path) X(cairo_paint) X(cairo_pattern_add_color_stop_rgb) \
    X(cairo_pattern_add_color_stop_rgba) X(cairo_pattern_create_linear) \
    X(cairo_pattern_create_radial) X(cairo_pattern_destroy) X(cairo_pattern_set_extend) \
    X(cairo_pattern_set_filter) X(cairo_pop_group_to_source) X(cairo_push_group) \
    X(cairo_rectangle) X(cairo_restore) X(cairo_rotate) X(cairo_save) X(cairo_scale) \
    X(cairo_select_font_face) X(cairo_set_antialias) X(cairo_set_font_size) X(cairo_set_line_cap) \
    X(cairo_set_line_join) X(cairo_set_line_width) X(cairo_set_matrix) X(cairo_set_source) \
    X(cairo_set_source_rgb) X(cairo_set_source_rgba) X(cairo_set_source_surface) \
    X(cairo_show_text) X(cairo_status) X(cairo_status_to_string) X(cairo_stroke) \
    X(cairo_surface_destroy) X(cairo_surface_flush) X(cairo_surface_mark_dirty) \
    X(cairo_surface_status) X(cairo_surface_write_to_png_stream) X(cairo_text_extents) \
    X(cairo_translate) X(cairo_user_to_device)
/* clang-format on */

UN_FOREIGN_TABLE(un_cairo_table, UN_CAIRO_FUNCTIONS)

#ifndef UN_FOREIGN_TABLES
#define cairo_arc un_cairo_table.cairo_arc
#define cairo_clip un_cairo_table.cairo_clip
#define cairo_close_path un_cairo_table.cairo_close_path
#define cairo_create un_cairo_table.cairo_create
#define cairo_curve_to un_cairo_table.cairo_curve_to
#define cairo_destroy un_cairo_table.cairo_destroy
#define cairo_fill un_cairo_table.cairo_fill
#define cairo_fill_preserve un_cairo_table.cairo_fill_preserve
#define cairo_get_matrix un_cairo_table.cairo_get_matrix
#define cairo_get_source un_cairo_table.cairo_get_source
#define cairo_identity_matrix un_cairo_table.cairo_identity_matrix
#define cairo_image_surface_create un_cairo_table.cairo_image_surface_create
#define cairo_image_surface_get_data un_cairo_table.cairo_image_surface_get_data
#define cairo_image_surface_get_height un_cairo_table.cairo_image_surface_get_height
#define cairo_image_surface_get_stride un_cairo_table.cairo_image_surface_get_stride
#define cairo_image_surface_get_width un_cairo_table.cairo_image_surface_get_width
#define cairo_line_to un_cairo_table.cairo_line_to
#define cairo_move_to un_cairo_table.cairo_move_to
#define cairo_new_path un_cairo_table.cairo_new_path
#define cairo_new_sub_path un_cairo_table.cairo_new_sub_path
#define cairo_paint un_cairo_table.cairo_paint
#define cairo_pattern_add_color_stop_rgb un_cairo_table.cairo_pattern_add_color_stop_rgb
#define cairo_pattern_add_color_stop_rgba un_cairo_table.cairo_pattern_add_color_stop_rgba
#define cairo_pattern_create_linear un_cairo_table.cairo_pattern_create_linear
#define cairo_pattern_create_radial un_cairo_table.cairo_pattern_create_radial
#define cairo_pattern_destroy un_cairo_table.cairo_pattern_destroy
#define cairo_pattern_set_extend un_cairo_table.cairo_pattern_set_extend
#define cairo_pattern_set_filter un_cairo_table.cairo_pattern_set_filter
#define cairo_pop_group_to_source un_cairo_table.cairo_pop_group_to_source
#define cairo_push_group un_cairo_table.cairo_push_group
#define cairo_rectangle un_cairo_table.cairo_rectangle
#define cairo_restore un_cairo_table.cairo_restore
#define cairo_rotate un_cairo_table.cairo_rotate
#define cairo_save un_cairo_table.cairo_save
#define cairo_scale un_cairo_table.cairo_scale
#define cairo_select_font_face un_cairo_table.cairo_select_font_face
#define cairo_set_antialias un_cairo_table.cairo_set_antialias
#define cairo_set_font_size un_cairo_table.cairo_set_font_size
#define cairo_set_line_cap un_cairo_table.cairo_set_line_cap
#define cairo_set_line_join un_cairo_table.cairo_set_line_join
#define cairo_set_line_width un_cairo_table.cairo_set_line_width
#define cairo_set_matrix un_cairo_table.cairo_set_matrix
#define cairo_set_source un_cairo_table.cairo_set_source
#define cairo_set_source_rgb un_cairo_table.cairo_set_source_rgb
#define cairo_set_source_rgba un_cairo_table.cairo_set_source_rgba
#define cairo_set_source_surface un_cairo_table.cairo_set_source_surface
#define cairo_show_text un_cairo_table.cairo_show_text
#define cairo_status un_cairo_table.cairo_status
#define cairo_status_to_string un_cairo_table.cairo_status_to_string
#define cairo_stroke un_cairo_table.cairo_stroke
#define cairo_surface_destroy un_cairo_table.cairo_surface_destroy
#define cairo_surface_flush un_cairo_table.cairo_surface_flush
#define cairo_surface_mark_dirty un_cairo_table.cairo_surface_mark_dirty
#define cairo_surface_status un_cairo_table.cairo_surface_status
#define cairo_surface_write_to_png_stream un_cairo_table.cairo_surface_write_to_png_stream
#define cairo_text_extents un_cairo_table.cairo_text_extents
#define cairo_translate un_cairo_table.cairo_translate
#define cairo_user_to_device un_cairo_table.cairo_user_to_device
#endif

#endif
