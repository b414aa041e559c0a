/* extract_journal.c - how far an extraction came, on disk; see extract_parts.h.
 *
 * A journal says how many rows of PATH.partial are there, how they were made, and which of
 * them stand for pictures that could not be used. */
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/status.h"
#include "engine/extract.h"

/* Whether a journal's list of pictures is one: numbers below `done`, each once. */
static int is_list(const json_t *list, json_int_t done) {
    json_int_t last = -1;
    size_t i = 0;
    const json_t *item = NULL;
    if (!json_is_array(list)) return 0;
    json_array_foreach(list, i, item) {
        if (!json_is_integer(item) || json_integer_value(item) <= last) return 0;
        last = json_integer_value(item);
    }
    return last < done;
}

/* The journal of an output that has rows to take up, and their number; anything odd about it
 * means none. */
static size_t read_journal(const extraction *x, const extract_output *out, json_t **journal) {
    char *partial = NULL;
    size_t rows = 0;
    *journal = NULL;
    if (un_format(&partial, "%s.partial", out->path) == UNSEEN_OK && un_path_exists(partial) &&
        un_path_exists(out->journal) && un_json_read(out->journal, journal) == UNSEEN_OK) {
        json_int_t done = json_integer_value(json_object_get(*journal, "done"));
        if (json_equal(json_object_get(*journal, "identity"), out->identity) && done > 0 &&
            (size_t)done <= x->dataset.image_count &&
            is_list(json_object_get(*journal, "damaged"), done) &&
            is_list(json_object_get(*journal, "unreadable"), done))
            rows = (size_t)done;
    }
    free(partial);
    return rows;
}

void un_extract_forget(const extraction *x) {
    for (int k = 0; k < OUTPUTS; k++)
        if (x->output[k].open) (void)un_file_remove(x->output[k].journal);
}

static void mark(extraction *x, const json_t *list, unsigned char state) {
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(list, i, item) {
        size_t image = (size_t)json_integer_value(item);
        if (image >= x->done) break;
        x->state[image] = state;
        x->inherited++;
    }
}

/* Where bad pictures are errors, the first of them is where to go on. */
static void go_back_to_first_bad(extraction *x) {
    size_t i = 0;
    while (i < x->done && x->state[i] == USABLE) i++;
    for (size_t k = i; k < x->done; k++) x->state[k] = USABLE;
    x->done = i;
    x->inherited = 0;
}

un_status un_extract_read_journals(extraction *x) {
    json_t *shortest = NULL;
    x->done = x->dataset.image_count;
    for (int k = 0; k < OUTPUTS; k++) {
        json_t *journal = NULL;
        if (!x->output[k].open) continue;
        size_t rows = read_journal(x, &x->output[k], &journal);
        if (!shortest || rows < x->done) {
            json_decref(shortest);
            shortest = json_incref(journal);
        }
        json_decref(journal);
        if (rows < x->done) x->done = rows;
    }
    if (x->done > 0) {
        mark(x, json_object_get(shortest, "damaged"), DAMAGED);
        mark(x, json_object_get(shortest, "unreadable"), UNREADABLE);
    }
    json_decref(shortest);
    if (x->options->strict) go_back_to_first_bad(x);
    return UNSEEN_OK;
}

/* The images below `done` in this state; NULL: out of memory. */
static json_t *images_in(const extraction *x, unsigned char state, size_t done) {
    json_t *list = json_array();
    for (size_t i = 0; list && i < done; i++)
        if (x->state[i] == state) un_json_push(&list, json_integer((json_int_t)i));
    return list;
}

un_status un_extract_write_journals(extraction *x, size_t done) {
    for (int k = 0; k < OUTPUTS; k++) {
        const extract_output *out = &x->output[k];
        if (!out->writer) continue;
        UN_TRY(un_features_writer_sync(out->writer));
        json_t *journal = json_pack("{s:O, s:I, s:o, s:o}", "identity", out->identity, "done",
                                    (json_int_t)done, "damaged", images_in(x, DAMAGED, done),
                                    "unreadable", images_in(x, UNREADABLE, done));
        if (!journal) return un_fail_memory(0);
        un_status status = un_json_write(out->journal, journal);
        json_decref(journal);
        if (status) return status;
    }
    x->saved = un_now();
    return UNSEEN_OK;
}
