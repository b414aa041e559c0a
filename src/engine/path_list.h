/* path_list.h - the pictures that someone named: files, folders, lists. */
#ifndef UN_ENGINE_PATH_LIST_H
#define UN_ENGINE_PATH_LIST_H

#include <stdio.h>

#include "base/arena.h"

typedef struct {
    char **paths;
    size_t count, capacity;
    size_t empty;   /* folders without pictures, passed over */
    char *problem;  /* a sentence about the first of them; NULL: none */
    un_arena arena; /* owns the strings */
} un_path_list;

/* Adds a file as it is named, or all pictures below a folder, sorted; a folder without any is
 * counted. Whether a file can be read is seen when it is. */
un_status un_path_list_add(un_path_list *list, const char *path);
/* Adds each line of a stream, blank lines skipped, like un_path_list_add. */
un_status un_path_list_read(un_path_list *list, FILE *stream);
void un_path_list_free(un_path_list *list);

#endif
