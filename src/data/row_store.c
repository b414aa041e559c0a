/* row_store.c - see row_store.h. The rows are written by the writer of feature files; here is the
 * journal that says how many of them survive. */
#include "data/row_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/status.h"

static const double JOURNAL_SECONDS = 15;

/* ---- the files of a store ---- */

un_status un_row_store_open(un_row_store *store, const char *path, json_t *identity,
                            size_t row_count) {
    static const char suffix[] = ".safetensors";
    size_t length = strlen(path), tail = sizeof suffix - 1;
    *store = (un_row_store){.identity = identity, .row_count = row_count};
    if (!identity) return un_fail_memory(0);
    un_status status = UNSEEN_OK;
    if (length <= tail || strcmp(path + length - tail, suffix) != 0)
        UN_GO(un_fail(UNSEEN_E_ARGUMENT, "%s is no name of a feature file", path));
    UN_GO(un_format(&store->path, "%s", path));
    UN_GO(un_format(&store->journal, "%.*s.journal", (int)(length - tail), path));
done:
    if (status) un_row_store_close(store);
    return status;
}

/* Whether the partial file is there; *path is to be released. */
static int find_partial(const un_row_store *store, char **path) {
    return un_format(path, "%s.partial", store->path) == UNSEEN_OK && un_path_exists(*path);
}

void un_row_store_discard(const un_row_store *store) {
    char *partial = NULL;
    if (!store->path) return;
    (void)un_file_remove(store->journal);
    if (find_partial(store, &partial)) (void)un_file_remove(partial);
    free(partial);
}

void un_row_store_close(un_row_store *store) {
    un_features_writer_abort(store->writer);
    json_decref(store->identity);
    free(store->path);
    free(store->journal);
    *store = (un_row_store){0};
}

/* ---- the journal ---- */

size_t un_row_store_left(const un_row_store *store, json_t **journal) {
    char *partial = NULL;
    json_t *found = NULL;
    size_t rows = 0;
    if (journal) *journal = NULL;
    if (find_partial(store, &partial) && un_path_exists(store->journal) &&
        un_json_read(store->journal, &found) == UNSEEN_OK) {
        const json_t *identity = json_object_get(found, "identity");
        json_int_t done = json_integer_value(json_object_get(found, "done"));
        /* Version 0.1.0 wrote it under another name where a training made the rows. */
        if (!identity) identity = json_object_get(found, "recipe");
        if (json_equal(identity, store->identity) && done > 0 && (uint64_t)done <= store->row_count)
            rows = (size_t)done;
    }
    if (journal && rows > 0)
        *journal = found;
    else
        json_decref(found);
    free(partial);
    return rows;
}

int un_row_store_due(const un_row_store *store) {
    return un_now() - store->saved > JOURNAL_SECONDS;
}

un_status un_row_store_save(un_row_store *store, size_t done, json_t *notes) {
    json_t *journal = NULL, *value = NULL;
    const char *key = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(un_features_writer_sync(store->writer));
    journal = json_pack("{s:O, s:I}", "identity", store->identity, "done", (json_int_t)done);
    if (!journal) return un_fail_memory(0);
    json_object_foreach(notes, key, value) UN_GO(un_json_set(journal, key, json_incref(value)));
    UN_GO(un_json_write(store->journal, journal));
    store->saved = un_now();
done:
    json_decref(journal);
    return status;
}

/* ---- the rows ---- */

un_status un_row_store_begin(un_row_store *store, const un_features_description *description,
                             size_t done) {
    un_status status =
        un_features_writer_resume(&store->writer, store->path, store->journal, description, done);
    if (status == UNSEEN_E_FORMAT) (void)un_file_remove(store->journal);
    store->saved = un_now();
    return status;
}

un_status un_row_store_commit(un_row_store *store) {
    un_features_writer *writer = store->writer;
    store->writer = NULL;
    UN_TRY(un_features_writer_commit(writer));
    (void)un_file_remove(store->journal);
    return UNSEEN_OK;
}
