/*
 * foreign.h - other people's libraries that are loaded when first used.
 *
 * Most of what the library does needs a processor and the C library. What only pictures, drawings or
 * imports need is not loaded with it but by un_foreign_need, when somebody asks for such a thing;
 * where it is not installed, that is an error with a sentence like any other, and the rest works.
 *
 * Each has a header here, which stands for the library's own: it lists the functions that are
 * called in a table of pointers and lets their names mean the table's. So code calls cairo_fill()
 * as ever, after un_foreign_need(UN_CAIRO) has succeeded once in the process. A function that is in
 * no list is undefined when libunseen.so is linked.
 *
 * tables.c has the tables, and is compiled twice: for libunseen.a they are filled when linked, with
 * the libraries' functions themselves; for libunseen.so and the programs when loaded. What only the
 * program's server needs (libmicrohttpd) is never linked.
 */
#ifndef UN_BASE_FOREIGN_FOREIGN_H
#define UN_BASE_FOREIGN_FOREIGN_H

#include "base/status.h"

typedef enum {
    UN_VIPS,
    UN_CAIRO,
    UN_HDF5,
    UN_ZIP,
    UN_ZLIB,
    UN_UTF8PROC,
    UN_MICROHTTPD,
    UN_FOREIGN_COUNT
} un_foreign;

/* From now on its functions may be called, by every thread. Cheap after the first time. Fails with
 * UNSEEN_E_UNSUPPORTED, telling what the library is for and which it is. */
un_status un_foreign_need(un_foreign library);

/* A fork waits until nothing is being loaded. un_foreign_need sees to it itself; who calls that under
 * a lock of his own that forks wait for, too, calls this first, and only then pthread_atfork. */
void un_foreign_watch_forks(void);

/* ---- for the headers of the libraries, and for tables.c ---- */

/* A member of a table: a function, or a variable. `name` may be a macro of the library's for it. */
#define UN_FOREIGN_MEMBER(name) __typeof__(name) *(name);
#define UN_FOREIGN_TABLE(table, list)                                                              \
    struct table {                                                                                 \
        list(UN_FOREIGN_MEMBER)                                                                    \
    };                                                                                             \
    extern struct table table;

typedef struct {
    const char *purpose; /* "drawing needs" */
    const char *file;    /* that the system's loader looks for; NULL: it is linked */
    const char *package; /* Debian's, of this build; "" if not known */
    const char *const *names;
    void *table; /* pointers, in the order of their names */
    size_t count;
} un_foreign_library;

extern const un_foreign_library un_foreign_libraries[UN_FOREIGN_COUNT];

#endif
