/* row_store.c - see row_store.h. The rows are written by the writer of feature files; here is the
 * journal that says how many of them survive. */
#include "data/row_store.h"

#include <dirent.h>
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

/* Calls `visit` with the path of each further rank's journal that is there. */
static un_status each_share(const un_row_store *store,
                            un_status (*visit)(const char *path, void *user), void *user) {
    char *folder = NULL, *stem = NULL;
    DIR *directory = NULL;
    struct dirent *entry = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_path_directory(store->journal, &folder));
    UN_GO(un_path_base(store->journal, &stem));
    directory = opendir(folder);
    if (!directory) goto done; /* there is nothing then */
    for (;;) {
        size_t length = strlen(stem);
        UN_GO(un_directory_next(directory, folder, &entry));
        if (!entry) break;
        const char *name = entry->d_name;
        if (strncmp(name, stem, length) != 0 || name[length] != '.' || !name[length + 1] ||
            name[length + 1 + strspn(name + length + 1, "0123456789")])
            continue;
        char *path = NULL;
        UN_GO(un_path_join(folder, name, &path));
        status = visit(path, user);
        free(path);
        if (status) goto done;
    }
done:
    if (directory) closedir(directory);
    free(folder);
    free(stem);
    return status;
}

static un_status remove_share(const char *path, void *user) {
    (void)user;
    return un_file_remove(path);
}

void un_row_store_discard(const un_row_store *store) {
    char *partial = NULL;
    if (!store->path) return;
    (void)un_file_remove(store->journal);
    (void)each_share(store, remove_share, NULL);
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

/* What a journal says if it is one of this store, else NULL. */
static json_t *read_journal(const un_row_store *store, const char *path) {
    json_t *found = NULL;
    if (!un_path_exists(path) || un_json_read(path, &found) != UNSEEN_OK) return NULL;
    const json_t *identity = json_object_get(found, "identity");
    json_int_t done = json_integer_value(json_object_get(found, "done"));
    /* Version 0.1.0 wrote it under another name where a training made the rows. */
    if (!identity) identity = json_object_get(found, "recipe");
    if (json_equal(identity, store->identity) && done >= 0 && (uint64_t)done <= store->row_count)
        return found;
    json_decref(found);
    return NULL;
}

size_t un_row_store_left(const un_row_store *store, json_t **journal) {
    char *partial = NULL;
    json_t *found = find_partial(store, &partial) ? read_journal(store, store->journal) : NULL;
    size_t rows = (size_t)json_integer_value(json_object_get(found, "done"));
    if (journal) *journal = NULL;
    if (journal && rows > 0)
        *journal = found;
    else
        json_decref(found);
    free(partial);
    return rows;
}

/* What is gathered from the journals. */
typedef struct {
    const un_row_store *store;
    unsigned char *there;
    json_t *journals;
} finding;

/* Rows [a, b) of a list of pairs; pairs that make no sense are none. */
static void mark_rows(const finding *f, const json_t *rows) {
    size_t i = 0;
    const json_t *pair = NULL;
    json_array_foreach(rows, i, pair) {
        json_int_t a = json_integer_value(json_array_get(pair, 0));
        json_int_t b = json_integer_value(json_array_get(pair, 1));
        if (a < 0 || b <= a || (uint64_t)b > f->store->row_count) continue;
        memset(f->there + a, 1, (size_t)(b - a));
    }
}

static un_status find_in(const char *path, void *user) {
    finding *f = user;
    json_t *found = read_journal(f->store, path);
    if (!found) return UNSEEN_OK;
    memset(f->there, 1, (size_t)json_integer_value(json_object_get(found, "done")));
    mark_rows(f, json_object_get(found, "rows"));
    return un_json_append(f->journals, found);
}

un_status un_row_store_find(const un_row_store *store, unsigned char *there, json_t **journals) {
    finding f = {store, there, json_array()};
    char *partial = NULL;
    un_status status = f.journals ? UNSEEN_OK : un_fail_memory(0);
    if (!status && find_partial(store, &partial)) {
        status = find_in(store->journal, &f);
        if (!status) status = each_share(store, find_in, &f);
    }
    free(partial);
    if (status)
        json_decref(f.journals);
    else
        *journals = f.journals;
    return status;
}

int un_row_store_due(const un_row_store *store) {
    return un_now() - store->saved > JOURNAL_SECONDS;
}

/* `rows` (taken, NULL: none) are pairs beyond the first `done`. */
static un_status save(un_row_store *store, size_t done, json_t *rows, json_t *notes) {
    json_t *journal = NULL, *value = NULL;
    const char *key = NULL;
    un_status status = un_features_writer_sync(store->writer);
    if (status) goto done;
    journal = json_pack("{s:O, s:I}", "identity", store->identity, "done", (json_int_t)done);
    UN_GO(journal ? UNSEEN_OK : un_fail_memory(0));
    if (rows) UN_GO(un_json_set(journal, "rows", json_incref(rows)));
    json_object_foreach(notes, key, value) UN_GO(un_json_set(journal, key, json_incref(value)));
    UN_GO(un_json_write(store->journal, journal));
    store->saved = un_now();
done:
    json_decref(journal);
    json_decref(rows);
    return status;
}

un_status un_row_store_save(un_row_store *store, size_t done, json_t *notes) {
    return save(store, done, NULL, notes);
}

static size_t prefix_of(const un_row_store *store, const unsigned char *there) {
    size_t done = 0;
    while (done < store->row_count && there[done]) done++;
    return done;
}

un_status un_row_store_save_rows(un_row_store *store, const unsigned char *there, json_t *notes) {
    size_t done = prefix_of(store, there), begin = done;
    json_t *rows = NULL;
    for (size_t i = done + 1; i <= store->row_count; i++) {
        int row = i < store->row_count && there[i];
        if (row && !there[i - 1]) begin = i;
        if (row || !there[i - 1]) continue;
        if (!rows && !(rows = json_array())) return un_fail_memory(0);
        un_status status =
            un_json_append(rows, json_pack("[I, I]", (json_int_t)begin, (json_int_t)i));
        if (status) {
            json_decref(rows);
            return status;
        }
    }
    return save(store, done, rows, notes);
}

/* ---- the rows ---- */

static un_status begin(un_row_store *store, const un_features_description *description,
                       const un_features_resumption *resumed) {
    un_status status = un_features_writer_resume(&store->writer, store->path, description, resumed);
    if (status == UNSEEN_E_FORMAT && !resumed->joins) {
        (void)un_file_remove(store->journal);
        (void)each_share(store, remove_share, NULL);
    }
    store->saved = un_now();
    return status;
}

un_status un_row_store_begin(un_row_store *store, const un_features_description *description,
                             size_t done) {
    return begin(store, description,
                 &(const un_features_resumption){.done = done, .journal = store->journal});
}

un_status un_row_store_begin_rows(un_row_store *store, const un_features_description *description,
                                  const unsigned char *there, json_t *notes, int shared) {
    un_features_resumption resumed = {
        .done = prefix_of(store, there), .journal = store->journal, .shared = shared};
    for (size_t i = resumed.done; i < store->row_count && !resumed.more; i++)
        resumed.more = there[i];
    UN_TRY(begin(store, description, &resumed));
    if (resumed.done > 0 || resumed.more) UN_TRY(un_row_store_save_rows(store, there, notes));
    return each_share(store, remove_share, NULL);
}

un_status un_row_store_join(un_row_store *store, const un_features_description *description,
                            size_t rank) {
    char *own = NULL;
    UN_TRY(un_format(&own, "%s.%zu", store->journal, rank));
    free(store->journal);
    store->journal = own;
    return begin(store, description, &(const un_features_resumption){.joins = 1});
}

un_status un_row_store_leave(un_row_store *store) {
    un_status status = un_features_writer_sync(store->writer);
    un_features_writer_abort(store->writer);
    store->writer = NULL;
    return status;
}

un_status un_row_store_commit(un_row_store *store) {
    un_features_writer *writer = store->writer;
    store->writer = NULL;
    UN_TRY(un_features_writer_commit(writer));
    (void)un_file_remove(store->journal);
    (void)each_share(store, remove_share, NULL);
    return UNSEEN_OK;
}
