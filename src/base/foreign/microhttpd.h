/* microhttpd.h - libmicrohttpd; see foreign.h. */
#ifndef UN_BASE_FOREIGN_MICROHTTPD_H
#define UN_BASE_FOREIGN_MICROHTTPD_H

#include <microhttpd.h>

#include "base/foreign/foreign.h"

/* clang-format off */
#define UN_MICROHTTPD_FUNCTIONS(X) \
    X(MHD_add_connection) X(MHD_add_response_header) X(MHD_create_response_from_buffer) \
    X(MHD_destroy_response) X(MHD_get_connection_info) X(MHD_get_connection_values) \
    X(MHD_get_daemon_info) X(MHD_lookup_connection_value) X(MHD_queue_response) \
    X(MHD_quiesce_daemon) X(MHD_resume_connection) X(MHD_start_daemon) X(MHD_stop_daemon) \
    X(MHD_suspend_connection)
/* clang-format on */

UN_FOREIGN_TABLE(un_microhttpd_table, UN_MICROHTTPD_FUNCTIONS)

#ifndef UN_FOREIGN_TABLES
#define MHD_add_connection un_microhttpd_table.MHD_add_connection
#define MHD_add_response_header un_microhttpd_table.MHD_add_response_header
#define MHD_create_response_from_buffer un_microhttpd_table.MHD_create_response_from_buffer
#define MHD_destroy_response un_microhttpd_table.MHD_destroy_response
#define MHD_get_connection_info un_microhttpd_table.MHD_get_connection_info
#define MHD_get_connection_values un_microhttpd_table.MHD_get_connection_values
#define MHD_get_daemon_info un_microhttpd_table.MHD_get_daemon_info
#define MHD_lookup_connection_value un_microhttpd_table.MHD_lookup_connection_value
#define MHD_queue_response un_microhttpd_table.MHD_queue_response
#define MHD_quiesce_daemon un_microhttpd_table.MHD_quiesce_daemon
#define MHD_resume_connection un_microhttpd_table.MHD_resume_connection
#define MHD_start_daemon un_microhttpd_table.MHD_start_daemon
#define MHD_stop_daemon un_microhttpd_table.MHD_stop_daemon
#define MHD_suspend_connection un_microhttpd_table.MHD_suspend_connection
#endif

#endif
