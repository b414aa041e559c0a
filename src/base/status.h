/*
 * status.h - how every fallible function of the library reports failure.
 *
 * A function returns an un_status; on failure it has left one sentence (what,
 * where, what to do) in a buffer that belongs to the calling thread. The
 * sentence is written once, where the cause is known; callers pass the status
 * up and may put a place in front of it with un_fail_prefix.
 */
#ifndef UN_BASE_STATUS_H
#define UN_BASE_STATUS_H

#include "unseen.h"

typedef unseen_status un_status;

/* Longest sentence kept, including the terminating NUL; longer ones are cut. */
enum { UN_ERROR_LENGTH = 1024 };

/* Stores the sentence and returns `status`, so that `return un_fail(...)` works. */
un_status un_fail(un_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* un_fail with ": " and the text of errno `code` appended; status UNSEEN_E_IO
 * (UNSEEN_E_MEMORY for ENOMEM). */
un_status un_fail_errno(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* UNSEEN_E_MEMORY with the number of bytes that could not be had. */
un_status un_fail_memory(size_t bytes);

/* Puts "prefix: " in front of the current sentence; returns `status`. */
un_status un_fail_prefix(un_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The current sentence of this thread, "" if there is none. */
const char *un_error(void);

/* Passes a failure up. */
#define UN_TRY(call)                                                                               \
    do {                                                                                           \
        un_status un_try_status_ = (call);                                                         \
        if (un_try_status_ != UNSEEN_OK) return un_try_status_;                                    \
    } while (0)

/* Passes a failure to a clean-up label; needs `un_status status` and the label `done`. */
#define UN_GO(call)                                                                                \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != UNSEEN_OK) goto done;                                                        \
    } while (0)

#endif
