/*
 * status.h - how every fallible function of the library reports failure, and messages.
 *
 * A function returns an un_status; on failure it has left one sentence (what,
 * where, what to do) in a buffer that belongs to the calling thread. The
 * sentence is written once, where the cause is known; callers pass the status
 * up and may put a place in front of it with un_fail_prefix.
 */
#ifndef UN_BASE_STATUS_H
#define UN_BASE_STATUS_H

#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include "unseen.h"

typedef unseen_status un_status;

/* Longest sentence kept, including the terminating NUL; longer ones are cut. */
enum { UN_ERROR_LENGTH = 1024 };

/* ---- words of a sentence that differ between the program and a host of the library.
 *
 * The program's user types options and commands; a host's programmer sets fields of structures and
 * calls functions. A sentence that names one is written once, with both in its format:
 *
 *     un_fail(UNSEEN_E_FORMAT, "%s has no pictures: {`unseen extract`|unseen_extract} ...", path)
 *     un_fail(UNSEEN_E_FORMAT, "the channels come last, import it with {--layout} nhwc")
 *
 * {A|B} is A in the program and B in the library, and {--image-files} is short for
 * {--image-files|option image_files}: the field of the public structure and the keyword in Python.
 * A and B have no %; other braces are braces. un_fail, un_log and whatever else calls un_sentence
 * read formats so, never arguments, for a file's name may hold anything: one that names an option
 * goes through un_worded. tests/tools/sentences.py watches over all of this. ---- */

/* From now on sentences are those of the program; to be called before there are threads. */
void un_speak_as_program(void);

/* vsnprintf of a sentence; longer ones are cut between letters. */
void un_sentence(char *out, size_t size, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

/* An argument of a sentence, with such words in it. */
typedef struct {
    char text[256];
} un_phrase;
un_phrase un_worded(const char *text);

/* ---- failures ---- */

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

/* Its errno where un_fail_errno made it, else 0. */
int un_error_code(void);

/* A failure that is kept while others may come, or that another thread is to have. */
typedef struct {
    char sentence[UN_ERROR_LENGTH];
    int code;
} un_failure;
void un_failure_keep(un_failure *failure);
/* Makes it the calling thread's; returns `status`. */
un_status un_failure_put_back(const un_failure *failure, un_status status);

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

/* ---- messages for people (log), progress, and the wish to stop.
 *
 * The library never prints: both go to callbacks that a program installs, or nowhere. Messages have
 * one for the process. Progress has one for each call of the public interface, and one for the
 * process where no call has its own. ---- */

void un_log(unseen_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void un_set_log(unseen_log_function function, void *user);

/* Messages of the calling thread wait between the two, which nest: a host's function may call the
 * library, and so must not be called while a lock is held or a pthread_once is under way. */
void un_log_hold(void);
void un_log_release(void);

/* `stop`, unless NULL, stands in the place of every call's own: a program's signals stop all. */
void un_set_progress(unseen_progress_function function, void *user, volatile sig_atomic_t *stop);

/* Where progress of the calling thread goes between the two: to `function` (NULL: nowhere), whose
 * answer other than 0 sets *stop, which long work looks at. Watches nest. */
typedef struct un_watch {
    unseen_progress_function function;
    void *user;
    volatile sig_atomic_t *stop, own;
    struct un_watch *outer;
} un_watch;
void un_watch_begin(un_watch *watch, unseen_progress_function function, void *user);
void un_watch_end(un_watch *watch);

typedef struct {
    unseen_progress state;
    double started;
    double last_report;
} un_progress;

/* `phase` ("train fold 1") and `unit` ("epochs") are borrowed until un_progress_end. */
void un_progress_begin(un_progress *progress, const char *phase, const char *unit, size_t total);
/* Cheap: reports at most ten times a second. */
void un_progress_update(un_progress *progress, size_t done);
/* The same for work of which nothing is kept when it is stopped: UNSEEN_E_INTERRUPTED if it is to. */
un_status un_progress_step(un_progress *progress, size_t done);
/* un_progress_end of such work, which came to `status`: that, or UNSEEN_E_INTERRUPTED. */
un_status un_progress_finish(un_progress *progress, un_status status);
void un_progress_end(un_progress *progress);

/* Monotonic clock, seconds. */
double un_now(void);

#endif
