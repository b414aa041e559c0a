/* dataset_write.c - writing a data set directory; see dataset.h. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "data/dataset.h"
#include "tensor/safetensors.h"

/* ---- the tensors ---- */

/* A tensor to be written: what it is called and where it lies. */
typedef struct {
    char name[160];
    un_dtype dtype;
    int rank;
    size_t shape[2];
    const void *data;
} item;

typedef struct {
    item *items;
    size_t count;
    un_arena arena; /* of what is made for writing only */
} plan;

static void plan_list(plan *p, const char *name, const un_index_list *list) {
    item *i = &p->items[p->count++];
    *i = (item){.dtype = UN_I64, .rank = 1, .shape = {list->count}, .data = list->items};
    snprintf(i->name, sizeof i->name, "%s", name);
}

static un_status plan_matrix(plan *p, const char *kind, const un_semantics *s, un_dtype dtype,
                             size_t rows, size_t columns, const void *data) {
    item *i = &p->items[p->count++];
    *i = (item){.dtype = dtype, .rank = 2, .shape = {rows, columns}, .data = data};
    int length = snprintf(i->name, sizeof i->name, "%s.%s", kind, s->name);
    if (length < 0 || (size_t)length >= sizeof i->name)
        return un_fail(UNSEEN_E_ARGUMENT, "the name of the semantics \"%.40s...\" is too long",
                       s->name);
    return UNSEEN_OK;
}

static un_status plan_semantics(plan *p, const un_dataset *d, const un_semantics *s) {
    double *numbers = NULL;
    UN_TRY(plan_matrix(p, "semantics", s, UN_F32, d->class_count, s->width, s->values));
    if (s->vectors)
        UN_TRY(plan_matrix(p, "vectors", s, UN_F32, s->width, s->vector_width, s->vectors));
    if (!s->scaling) return UNSEEN_OK;
    UN_TRY(un_scaling_numbers(s->scaling, &p->arena, &numbers));
    return plan_matrix(p, "scaling", s, UN_F64, s->width, 3, numbers);
}

static un_status make_plan(plan *p, const un_dataset *d) {
    size_t most = 4 + 3 * d->semantics_count + 3 * d->fold_count;
    UN_TRY(un_alloc(most, sizeof *p->items, &p->items));
    if (d->labels) {
        item *i = &p->items[p->count++];
        *i = (item){.name = "labels",
                    .dtype = UN_I32,
                    .rank = 1,
                    .shape = {d->image_count},
                    .data = d->labels};
    }
    plan_list(p, "split.trainval", &d->trainval);
    plan_list(p, "split.test_seen", &d->test_seen);
    plan_list(p, "split.test_unseen", &d->test_unseen);
    for (size_t s = 0; s < d->semantics_count; s++) UN_TRY(plan_semantics(p, d, &d->semantics[s]));
    char name[64];
    for (size_t k = 0; k < d->fold_count; k++) {
        snprintf(name, sizeof name, "fold.%zu.train", k);
        plan_list(p, name, &d->folds[k].train);
        if (d->labels) {
            snprintf(name, sizeof name, "fold.%zu.seen", k);
            plan_list(p, name, &d->folds[k].seen);
        }
        snprintf(name, sizeof name, "fold.%zu.unseen", k);
        plan_list(p, name, &d->folds[k].unseen);
    }
    return UNSEEN_OK;
}

/* ---- the metadata ---- */

/* jansson takes valid UTF-8 only; names of files and classes may be anything. */
static un_status need_utf8(const char *text, const char *what) {
    json_t *value = json_string(text);
    if (!value)
        return un_fail(UNSEEN_E_FORMAT, "%s is not valid UTF-8 text; rename it or convert the file",
                       what);
    json_decref(value);
    return UNSEEN_OK;
}

static un_status put_text(un_st_writer *writer, const char *key, const char *value) {
    UN_TRY(need_utf8(key, "the name of a semantics"));
    UN_TRY(need_utf8(value, key));
    return un_st_writer_metadata(writer, key, value);
}

/* Sets the metadata key to the JSON text of `value`, whose reference is taken. */
static un_status put_json(un_st_writer *writer, const char *key, json_t *value) {
    if (!value) return un_fail_memory(0);
    char *text = NULL;
    un_status status = un_json_text(value, &text);
    if (!status) status = un_st_writer_metadata(writer, key, text);
    free(text);
    json_decref(value);
    return status;
}

static un_status put_names(un_st_writer *writer, const char *key, char *const *names, size_t n) {
    for (size_t i = 0; i < n; i++) UN_TRY(need_utf8(names[i], key));
    return put_json(writer, key, un_json_strings(names, n));
}

static un_status put_folds(un_st_writer *writer, const un_dataset *d) {
    json_t *list = json_array();
    if (!list) return un_fail_memory(0);
    for (size_t k = 0; k < d->fold_count; k++) {
        const un_fold *f = &d->folds[k];
        un_status status = need_utf8(f->source, "the source of a validation fold");
        json_t *classes = f->classes ? un_json_strings(f->classes, f->class_count) : json_null();
        json_t *fold =
            json_pack("{s:s, s:b, s:o, s:I, s:I, s:I, s:I}", "source", f->source, "proposed",
                      f->proposed, "classes", classes, "listed_train", (json_int_t)f->listed_train,
                      "listed_val", (json_int_t)f->listed_val, "leaked_train",
                      (json_int_t)f->leaked_train, "leaked_val", (json_int_t)f->leaked_val);
        if (!status)
            status = un_json_append(list, fold);
        else
            json_decref(fold);
        if (status) {
            json_decref(list);
            return status;
        }
    }
    return put_json(writer, "folds", list);
}

/* Names of attributes and what was done to the values, where these are known. */
static un_status put_semantics(un_st_writer *writer, const un_semantics *s) {
    char *key = NULL;
    un_status status = UNSEEN_OK;
    if (s->attributes) {
        UN_GO(un_format(&key, "attributes.%s", s->name));
        UN_GO(put_names(writer, key, s->attributes, s->width));
    }
    if (s->scaling) {
        free(key);
        key = NULL;
        UN_GO(un_format(&key, "scaling.%s", s->name));
        UN_GO(put_json(writer, key, un_scaling_describe(s->scaling)));
    }
done:
    free(key);
    return status;
}

/* `path` seen from `directory` if it lies in it or beside it, else NULL. A directory that is made
 * under a temporary name (stage.h) counts under its later one. Both are absolute. */
static un_status relative_root(const char *directory, const char *path, char **out) {
    static const char STAGED[] = ".partial";
    size_t length = strlen(directory), tail = sizeof STAGED - 1;
    *out = NULL;
    if (length > tail && !strcmp(directory + length - tail, STAGED)) length -= tail;
    if (!strncmp(path, directory, length) && path[length] == '/')
        return un_format(out, "%s", path + length + 1);
    while (length > 0 && directory[length - 1] != '/') length--; /* its parent and the '/' */
    if (length < 2 || strncmp(path, directory, length) != 0 || !path[length]) return UNSEEN_OK;
    return un_format(out, "../%s", path + length);
}

static un_status put_image_root(un_st_writer *writer, const un_dataset *d, const char *directory) {
    char *relative = NULL;
    char *real = realpath(directory, NULL);
    un_status status = put_text(writer, "image_root", d->image_root);
    if (!status && real) status = relative_root(real, d->image_root, &relative);
    if (!status && relative) status = put_text(writer, "image_root_relative", relative);
    free(relative);
    free(real);
    return status;
}

static un_status put_metadata(un_st_writer *writer, const un_dataset *d, const char *directory) {
    char count[32];
    snprintf(count, sizeof count, "%zu", d->image_count);
    UN_TRY(put_text(writer, "format", "unseen-dataset"));
    UN_TRY(put_text(writer, "format_version", "1"));
    UN_TRY(put_text(writer, "name", d->name ? d->name : ""));
    UN_TRY(put_text(writer, "image_count", count));
    UN_TRY(put_names(writer, "classes", d->classes, d->class_count));
    if (d->images) UN_TRY(put_names(writer, "images", d->images, d->image_count));
    if (d->image_root) UN_TRY(put_image_root(writer, d, directory));
    for (size_t s = 0; s < d->semantics_count; s++) UN_TRY(put_semantics(writer, &d->semantics[s]));
    if (d->orientation)
        UN_TRY(put_text(writer, "orientation", un_orientation_name(d->orientation)));
    UN_TRY(put_folds(writer, d));
    if (d->notes) UN_TRY(put_json(writer, "notes", json_incref(d->notes)));
    return UNSEEN_OK;
}

/* ---- the file ---- */

static un_status write_items(un_st_writer *writer, const plan *p) {
    for (size_t i = 0; i < p->count; i++)
        UN_TRY(un_st_writer_add(writer, p->items[i].name, p->items[i].dtype, p->items[i].rank,
                                p->items[i].shape));
    UN_TRY(un_st_writer_begin(writer));
    for (size_t i = 0; i < p->count; i++) {
        size_t bytes = un_dtype_size(p->items[i].dtype);
        for (int k = 0; k < p->items[i].rank; k++) bytes *= p->items[i].shape[k];
        if (bytes > 0) UN_TRY(un_st_writer_write(writer, i, 0, p->items[i].data, bytes));
    }
    return UNSEEN_OK;
}

un_status un_dataset_write(un_dataset *dataset, const char *directory) {
    plan p = {0};
    char *path = NULL;
    un_st_writer *writer = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_split_hash(dataset, dataset->split_hash));
    UN_GO(un_path_join(directory, "dataset.safetensors", &path));
    UN_GO(make_plan(&p, dataset));
    UN_GO(un_st_writer_open(&writer, path));
    UN_GO(put_metadata(writer, dataset, directory));
    UN_GO(write_items(writer, &p));
    status = un_st_writer_commit(writer);
    writer = NULL;
done:
    un_st_writer_abort(writer);
    free(p.items);
    un_arena_free(&p.arena);
    free(path);
    return status;
}
