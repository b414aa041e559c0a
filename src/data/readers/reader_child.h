/*
 * reader_child.h - a foreign library at work in a process of its own.
 *
 * libhdf5 does not survive arbitrary bytes: on damaged copies of real files it crashes,
 * loops and asks for absurd amounts of memory. So it runs in a forked child with limits on
 * memory and processor time; when it dies, the caller gets a sentence. The child opens the
 * file and then gives up, by a filter on system calls (seccomp), everything but reading,
 * memory and answering: a file that takes the library over can open no other file, start
 * no program and reach no network. Where the kernel or a container refuses the filter, the
 * limits remain. It is forked, not started anew: no second program to install, and the
 * child needs nothing of the parent but a path, a socket and a piece of shared memory,
 * through which the data come back.
 *
 * A question is a request of the reader's own type; its first answer is a
 * un_child_answer. Whatever comes back is to be checked as if it came from the
 * file: a process that a library has corrupted may answer anything.
 *
 * A un_reader_child is for one thread, the one that started it: the child ends
 * with that thread. Private to the readers.
 */
#ifndef UN_DATA_READERS_READER_CHILD_H
#define UN_DATA_READERS_READER_CHILD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/status.h"

/* Bytes of the memory that parent and child share; pages come when touched. */
#define UN_CHILD_MEMORY ((size_t)1 << 30)

/* The answer; its data are in the shared memory. */
typedef struct {
    un_status status;
    un_failure failure; /* why not, when status is not UNSEEN_OK */
    uint64_t bytes;
    uint64_t count; /* of variables or strings */
} un_child_answer;

typedef struct {
    const char *path;      /* of the file, borrowed */
    const char *library;   /* "libhdf5": for sentences, borrowed */
    pid_t pid;             /* -1: none */
    int socket;            /* -1: none */
    unsigned char *memory; /* UN_CHILD_MEMORY bytes, only the child writes them */
} un_reader_child;

#define UN_READER_CHILD_NONE ((un_reader_child){.pid = -1, .socket = -1})

/* The child's life; never returns. Confine first, then answer until the socket closes. */
typedef void (*un_child_main)(const char *path, int socket, unsigned char *memory);

/* ---- the parent's side ---- */

un_status un_child_start(un_reader_child *child, const char *path, const char *library,
                         un_child_main run);
/* Ends the child and gives everything back; harmless on UN_READER_CHILD_NONE. */
void un_child_stop(un_reader_child *child);

/* Puts a question about `what` (for the sentence) and waits for the answer. */
un_status un_child_ask(un_reader_child *child, const void *request, size_t bytes, const char *what,
                       un_child_answer *answer);
/* The two halves of it: the child works in between. */
un_status un_child_send(un_reader_child *child, const void *request, size_t bytes,
                        const char *what);
un_status un_child_receive(un_reader_child *child, const char *what, un_child_answer *answer);
/* The sentence about an answer that cannot be. */
un_status un_child_astray(const un_reader_child *child, const char *what);
/* Copies the strings of an answer, each with its NUL, into `arena`; n + 1 pointers. */
un_status un_child_strings(const un_reader_child *child, const un_child_answer *answer,
                           const char *what, un_arena *arena, char ***out, size_t *count);

/* ---- the child's side ---- */

/* Gives up files, output streams, signal handlers, core dumps, memory beyond a limit and
 * system calls. Returns `path`, open for reading; -1 with the sentence set if it cannot be. */
int un_child_confine(int socket, const char *path);
/* Lets the next question take processor time in proportion to `bytes`. */
void un_child_limit_time(uint64_t bytes);
/* 0 when the parent has gone. */
int un_child_next(int socket, void *request, size_t bytes);
/* Adds the sentence of a failed answer and sends it; 0 when the parent has gone. */
int un_child_reply(int socket, un_child_answer *answer);
/* Fails if `bytes` do not fit into the shared memory. */
un_status un_child_room(const char *path, uint64_t bytes);

#endif
