/*
 * watch.h - connections and how long each may take for what it is doing. A thread looks several times
 * a second; one that is too slow is cut off, after a word if it owes the rest of a request.
 */
#ifndef UN_SERVE_WATCH_H
#define UN_SERVE_WATCH_H

#include "base/status.h"

typedef enum {
    UN_IDLE,      /* between requests */
    UN_HEAD,      /* the head of a request is coming */
    UN_RECEIVING, /* its body is */
    UN_WAITING,   /* the server is to answer: no limit */
    UN_SENDING,   /* the answer is going */
    UN_PHASES
} un_phase;

typedef struct un_watch_list un_watch_list;
typedef struct un_connection un_connection;

/* `slow` is what a connection gets that is cut while it sends a body; borrowed. */
un_status un_watch_list_open(const char *slow, un_watch_list **out);
/* All connections must be gone. */
void un_watch_list_close(un_watch_list *list);

/* From now on heads have a second to come: all ends. */
void un_watch_hurry(un_watch_list *list);

/* A connection on a socket, idle; NULL: no memory. To be removed before the socket is closed. */
un_connection *un_connection_add(un_watch_list *list, int fd);
void un_connection_remove(un_watch_list *list, un_connection *connection);
/* From now on it does this, for so many seconds at most. 0: it was cut before. */
int un_connection_turn(un_watch_list *list, un_connection *connection, un_phase phase,
                       double seconds);
/* The phase in which it was cut off; UN_PHASES: it was not. */
un_phase un_connection_was_cut(un_watch_list *list, un_connection *connection);

size_t un_connection_count(un_watch_list *list);
/* Where there are `most` connections or more, the one is cut that has owed a head, or been idle, for
 * longest: nobody shuts others out by opening many. */
void un_connection_make_room(un_watch_list *list, size_t most);
/* Connections that are owed an answer: whose request has begun, or whose first one is to come. */
size_t un_connection_owed(un_watch_list *list);

#endif
