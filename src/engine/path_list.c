/* path_list.c - see path_list.h. */
#include "engine/path_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/readers/pictures.h"

static un_status append(un_path_list *list, char *path) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        char **paths = realloc(list->paths, capacity * sizeof *paths);
        if (!paths) return un_fail_memory(capacity * sizeof *paths);
        list->paths = paths;
        list->capacity = capacity;
    }
    list->paths[list->count++] = path;
    return UNSEEN_OK;
}

static un_status add_copy(un_path_list *list, const char *path) {
    char *copy = NULL;
    UN_TRY(un_arena_string(&list->arena, path, &copy));
    return append(list, copy);
}

static un_status add_folder(un_path_list *list, const char *folder) {
    un_arena arena = {0};
    un_picture_list found = {0};
    un_status status = un_pictures_list(folder, 1, &arena, &found);
    if (!status && found.count == 0) {
        list->empty++;
        if (!list->problem)
            status = un_format(&list->problem, "there are no pictures below %s", folder);
    }
    for (size_t i = 0; i < found.count && !status; i++) {
        char *path = NULL;
        status = un_path_join(folder, found.names[i], &path);
        if (!status) status = add_copy(list, path);
        free(path);
    }
    un_arena_free(&arena);
    return status;
}

un_status un_path_list_add(un_path_list *list, const char *path) {
    return un_path_is_directory(path) ? add_folder(list, path) : add_copy(list, path);
}

un_status un_path_list_read(un_path_list *list, FILE *stream) {
    un_line next = {0};
    int first = 1;
    un_status status = UNSEEN_OK;
    for (;;) {
        UN_GO(un_line_read(stream, "the list of pictures", &next));
        char *line = next.text;
        ssize_t length = next.length;
        if (length < 0) break;
        while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
            line[--length] = 0;
        if (first && length >= 3 && !memcmp(line, "\xef\xbb\xbf", 3)) line += 3, length -= 3;
        first = 0;
        /* As shells and spreadsheets quote; a file that is really called so wins. */
        if (length >= 2 && (*line == '"' || *line == '\'') && line[length - 1] == *line &&
            !un_path_exists(line)) {
            line[length - 1] = 0;
            line++;
            length -= 2;
        }
        if (length == 0) continue;
        if (strlen(line) != (size_t)length)
            UN_GO(un_fail(UNSEEN_E_FORMAT, "the list of pictures is not text"));
        UN_GO(un_path_list_add(list, line));
    }
done:
    free(next.text);
    return status;
}

void un_path_list_free(un_path_list *list) {
    free(list->problem);
    free(list->paths);
    un_arena_free(&list->arena);
    *list = (un_path_list){0};
}
