/* status.c - the per-thread error sentence. */
#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char g_error[UN_ERROR_LENGTH];

static void append_errno(int code) {
    char text[128];
    /* The GNU variant returns the string, which may or may not be `text`. */
    const char *reason = strerror_r(code, text, sizeof text);
    size_t used = strlen(g_error);
    snprintf(g_error + used, sizeof g_error - used, ": %s", reason);
}

un_status un_fail(un_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(g_error, sizeof g_error, format, arguments);
    va_end(arguments);
    return status;
}

un_status un_fail_errno(int code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(g_error, sizeof g_error, format, arguments);
    va_end(arguments);
    append_errno(code);
    return code == ENOMEM ? UNSEEN_E_MEMORY : UNSEEN_E_IO;
}

un_status un_fail_memory(size_t bytes) {
    if (bytes == 0) return un_fail(UNSEEN_E_MEMORY, "out of memory");
    return un_fail(UNSEEN_E_MEMORY, "out of memory: could not allocate %zu bytes", bytes);
}

un_status un_fail_prefix(un_status status, const char *format, ...) {
    char rest[UN_ERROR_LENGTH];
    memcpy(rest, g_error, sizeof rest);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(g_error, sizeof g_error, format, arguments);
    va_end(arguments);
    size_t used = strlen(g_error);
    if (used + 3 >= sizeof g_error) return status; /* the prefix alone filled the buffer */
    /* A cut tail is better than a failure about a failure. */
    int room = (int)(sizeof g_error - used - 3);
    snprintf(g_error + used, sizeof g_error - used, ": %.*s", room, rest);
    return status;
}

const char *un_error(void) { return g_error; }
