/* parts.c - reading and writing the parts of a data set's pictures; see parts.h. */
#include "data/parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "tensor/safetensors.h"

static const char FILE_NAME[] = "parts.safetensors";
static const char FORMAT[] = "unseen-parts";

int un_parts_exist(const char *directory) {
    char *path = NULL;
    if (!directory || un_path_join(directory, FILE_NAME, &path) != UNSEEN_OK) return 0;
    int there = un_path_exists(path);
    free(path);
    return there;
}

const un_part_list *un_parts_of_attribute(const un_parts *parts, const char *name, size_t a) {
    for (size_t i = 0; i < parts->attribute_parts_count; i++)
        if (!strcmp(parts->attribute_parts[i].semantics, name))
            return a < parts->attribute_parts[i].width ? &parts->attribute_parts[i].lists[a] : NULL;
    return NULL;
}

void un_parts_close(un_parts *parts) {
    un_arena_free(&parts->arena);
    *parts = (un_parts){0};
}

/* ---- what must hold, of files and of what importers made ---- */

/* Comparisons are such that NaN fails them. */
static int good_box(const float *b) {
    return b[0] >= 0 && b[1] >= 0 && b[2] <= 1 && b[3] <= 1 && b[0] <= b[2] && b[1] <= b[3];
}

static int zero_box(const float *b) { return b[0] == 0 && b[1] == 0 && b[2] == 0 && b[3] == 0; }

static un_status check_one(const un_parts *p, size_t i, size_t part, const char *where) {
    const float *box = p->boxes + (i * p->part_count + part) * 4;
    int visible = p->visible[i * p->part_count + part];
    const char *why = NULL;
    if (visible > 1)
        why = "its visibility is neither 0 nor 1";
    else if (!visible && !zero_box(box))
        why = "it is invisible, but its box is not zero";
    else if (!good_box(box))
        why = "its box is inside out or not within 0 and 1";
    else if (p->points && (box[0] != box[2] || box[1] != box[3]))
        why = "it should be a point, but has a size";
    if (!why) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT, "%s: part \"%.200s\" of image %zu: %s", where, p->names[part],
                   i, why);
}

static un_status check_attributes(const un_parts *p, const un_dataset *d, const char *where) {
    for (size_t i = 0; i < p->attribute_parts_count; i++) {
        const un_attribute_parts *list = &p->attribute_parts[i];
        const un_semantics *s = un_dataset_semantics(d, list->semantics);
        if (!s)
            return un_fail(UNSEEN_E_FORMAT,
                           "%s: attribute_parts speaks of semantics \"%.200s\", which the data set "
                           "does not have",
                           where, list->semantics);
        if (s->width != list->width)
            return un_fail(UNSEEN_E_FORMAT,
                           "%s: attribute_parts has %zu entries for the %zu attributes of "
                           "semantics \"%.200s\"",
                           where, list->width, s->width, s->name);
        for (size_t a = 0; a < list->width; a++)
            for (size_t k = 0; k < list->lists[a].count; k++)
                if (list->lists[a].items[k] >= p->part_count)
                    return un_fail(UNSEEN_E_FORMAT,
                                   "%s: attribute %zu of semantics \"%.200s\" names part %zu, "
                                   "there are %zu parts",
                                   where, a, s->name, list->lists[a].items[k], p->part_count);
    }
    return UNSEEN_OK;
}

static un_status check(const un_parts *p, const un_dataset *d, const char *where) {
    if (p->part_count == 0) return un_fail(UNSEEN_E_FORMAT, "%s: there are no parts", where);
    if (p->image_count != d->image_count)
        return un_fail(UNSEEN_E_FORMAT, "%s: parts of %zu images, the data set has %zu", where,
                       p->image_count, d->image_count);
    for (size_t a = 0; a < p->part_count; a++)
        for (size_t b = 0; b < a; b++)
            if (!strcmp(p->names[a], p->names[b]))
                return un_fail(UNSEEN_E_FORMAT, "%s: two parts are called \"%.200s\"", where,
                               p->names[a]);
    for (size_t i = 0; i < p->image_count; i++) {
        for (size_t k = 0; k < p->part_count; k++) UN_TRY(check_one(p, i, k, where));
        if (p->objects && !good_box(p->objects + i * 4))
            return un_fail(UNSEEN_E_FORMAT,
                           "%s: the object's box in image %zu is inside out or not within 0 and 1",
                           where, i);
    }
    return check_attributes(p, d, where);
}

/* ---- reading ---- */

typedef struct {
    un_safetensors file;
    un_parts *parts;
    const un_dataset *dataset;
} reader;

static un_status wrong(const reader *r, const char *what, const char *why) {
    return un_fail(UNSEEN_E_FORMAT, "%s: %s %s", r->file.path, what, why);
}

static un_status read_identity(const reader *r) {
    const char *format = un_safetensors_metadata(&r->file, "format");
    const char *version = un_safetensors_metadata(&r->file, "format_version");
    const char *kind = un_safetensors_metadata(&r->file, "kind");
    if (!format || strcmp(format, FORMAT) != 0) return wrong(r, "this", "is not a file of parts");
    if (!version || strcmp(version, "1") != 0)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "%s has format version %.20s, this program reads version 1", r->file.path,
                       version ? version : "none");
    if (!kind || (strcmp(kind, "boxes") != 0 && strcmp(kind, "points") != 0))
        return wrong(r, "kind", "is neither boxes nor points");
    r->parts->points = kind[0] == 'p';
    return UNSEEN_OK;
}

static un_status parse_metadata(const reader *r, const char *key, json_t **out) {
    const char *text = un_safetensors_metadata(&r->file, key);
    if (!text) return wrong(r, key, "is missing");
    return un_json_parse(text, strlen(text), r->file.path, out);
}

static un_status read_names(const reader *r) {
    un_parts *p = r->parts;
    json_t *list = NULL;
    UN_TRY(parse_metadata(r, "parts", &list));
    un_status status = UNSEEN_OK;
    p->part_count = json_array_size(list);
    if (!json_is_array(list)) UN_GO(wrong(r, "parts", "is not a list"));
    UN_GO(un_arena_alloc(&p->arena, p->part_count, sizeof *p->names, &p->names));
    for (size_t i = 0; i < p->part_count; i++) {
        const json_t *item = json_array_get(list, i);
        const char *name = json_string_value(item);
        if (!name || name[0] == 0 || strlen(name) != json_string_length(item))
            UN_GO(wrong(r, "parts", "holds something that is not a name"));
        UN_GO(un_arena_string(&p->arena, name, &p->names[i]));
    }
done:
    json_decref(list);
    return status;
}

/* A tensor of shape [N, ...] into fresh memory. */
static un_status read_tensor(const reader *r, const char *name, un_dtype dtype, int rank,
                             const size_t *shape, void *out) {
    const un_st_entry *entry = NULL;
    void *copy = NULL;
    UN_TRY(un_safetensors_require(&r->file, name, rank, &entry));
    if (entry->tensor.dtype != dtype)
        return un_fail(UNSEEN_E_FORMAT, "%s: %s is of type %s, expected %s", r->file.path, name,
                       un_dtype_name(entry->tensor.dtype), un_dtype_name(dtype));
    for (int k = 0; k < rank; k++)
        if (entry->tensor.shape[k] != shape[k])
            return un_fail(
                UNSEEN_E_FORMAT,
                "%s: %s has %zu entries in dimension %d, expected %zu (images, parts, 4)",
                r->file.path, name, entry->tensor.shape[k], k, shape[k]);
    UN_TRY(un_arena_alloc(&r->parts->arena, entry->bytes, 1, &copy));
    if (entry->bytes > 0) memcpy(copy, entry->tensor.data, entry->bytes);
    memcpy(out, &copy, sizeof copy);
    return UNSEEN_OK;
}

static un_status read_tensors(const reader *r) {
    un_parts *p = r->parts;
    p->image_count = r->dataset->image_count;
    const size_t shape[] = {p->image_count, p->part_count, 4};
    const size_t box[] = {p->image_count, 4};
    UN_TRY(read_tensor(r, "boxes", UN_F32, 3, shape, &p->boxes));
    UN_TRY(read_tensor(r, "visible", UN_U8, 2, shape, &p->visible));
    if (!un_safetensors_find(&r->file, "objects")) return UNSEEN_OK;
    return read_tensor(r, "objects", UN_F32, 2, box, &p->objects);
}

static un_status read_part_list(const reader *r, const json_t *value, un_part_list *out) {
    if (!json_is_array(value)) return wrong(r, "attribute_parts", "has an entry that is no list");
    out->count = json_array_size(value);
    UN_TRY(un_arena_alloc(&r->parts->arena, out->count, sizeof *out->items, &out->items));
    for (size_t k = 0; k < out->count; k++) {
        const json_t *item = json_array_get(value, k);
        if (!json_is_integer(item) || json_integer_value(item) < 0)
            return wrong(r, "attribute_parts", "has an entry that is no part number");
        out->items[k] = (size_t)json_integer_value(item);
    }
    return UNSEEN_OK;
}

static un_status read_attributes(const reader *r, const char *name, const json_t *list) {
    un_parts *p = r->parts;
    char *copy = NULL;
    if (!json_is_array(list)) return wrong(r, "attribute_parts", "has a member that is no list");
    if (p->attribute_parts_count == UN_MAX_SEMANTICS)
        return wrong(r, "attribute_parts", "speaks of too many semantics");
    un_attribute_parts *out = &p->attribute_parts[p->attribute_parts_count];
    UN_TRY(un_arena_string(&p->arena, name, &copy));
    *out = (un_attribute_parts){.semantics = copy, .width = json_array_size(list)};
    UN_TRY(un_arena_alloc(&p->arena, out->width, sizeof *out->lists, &out->lists));
    for (size_t a = 0; a < out->width; a++)
        UN_TRY(read_part_list(r, json_array_get(list, a), &out->lists[a]));
    p->attribute_parts_count++;
    return UNSEEN_OK;
}

static un_status read_attribute_parts(const reader *r) {
    json_t *value = NULL;
    const char *name = NULL;
    json_t *list = NULL;
    if (!un_safetensors_metadata(&r->file, "attribute_parts")) return UNSEEN_OK;
    UN_TRY(parse_metadata(r, "attribute_parts", &value));
    un_status status = UNSEEN_OK;
    if (!json_is_object(value)) UN_GO(wrong(r, "attribute_parts", "is not an object"));
    json_object_foreach(value, name, list) { UN_GO(read_attributes(r, name, list)); }
done:
    json_decref(value);
    return status;
}

un_status un_parts_open(un_parts *parts, const char *directory, const un_dataset *dataset) {
    reader r = {.parts = parts, .dataset = dataset};
    char *path = NULL;
    *parts = (un_parts){0};
    UN_TRY(un_path_join(directory, FILE_NAME, &path));
    un_status status = un_safetensors_open(&r.file, path);
    free(path);
    if (status) return status;
    UN_GO(read_identity(&r));
    UN_GO(read_names(&r));
    UN_GO(read_tensors(&r));
    UN_GO(read_attribute_parts(&r));
    UN_GO(check(parts, dataset, r.file.path));
done:
    un_safetensors_close(&r.file);
    if (status) un_parts_close(parts);
    return status;
}

/* ---- writing ---- */

/* Sets the metadata key to the text of `value`, whose reference is taken. */
static un_status put_json(un_st_writer *writer, const char *key, json_t *value) {
    char *text = NULL;
    if (!value)
        return un_fail(UNSEEN_E_FORMAT, "a name in %s of the parts is not valid UTF-8 text", key);
    un_status status = un_json_text(value, &text);
    if (!status) status = un_st_writer_metadata(writer, key, text);
    free(text);
    json_decref(value);
    return status;
}

static json_t *part_list(const un_part_list *list) {
    json_t *out = json_array();
    for (size_t k = 0; out && k < list->count; k++)
        un_json_push(&out, json_integer((json_int_t)list->items[k]));
    return out;
}

static json_t *attribute_parts(const un_parts *p) {
    json_t *out = json_object();
    for (size_t i = 0; out && i < p->attribute_parts_count; i++) {
        json_t *lists = json_array();
        for (size_t a = 0; lists && a < p->attribute_parts[i].width; a++)
            un_json_push(&lists, part_list(&p->attribute_parts[i].lists[a]));
        un_json_put(&out, p->attribute_parts[i].semantics, lists);
    }
    return out;
}

static un_status put_metadata(un_st_writer *writer, const un_parts *p) {
    UN_TRY(un_st_writer_metadata(writer, "format", FORMAT));
    UN_TRY(un_st_writer_metadata(writer, "format_version", "1"));
    UN_TRY(un_st_writer_metadata(writer, "kind", p->points ? "points" : "boxes"));
    UN_TRY(put_json(writer, "parts", un_json_strings(p->names, p->part_count)));
    return put_json(writer, "attribute_parts", attribute_parts(p));
}

static un_status put_tensors(un_st_writer *writer, const un_parts *p) {
    const size_t shape[] = {p->image_count, p->part_count, 4};
    const size_t box[] = {p->image_count, 4};
    size_t cells = p->image_count * p->part_count;
    UN_TRY(un_st_writer_add(writer, "boxes", UN_F32, 3, shape));
    UN_TRY(un_st_writer_add(writer, "visible", UN_U8, 2, shape));
    if (p->objects) UN_TRY(un_st_writer_add(writer, "objects", UN_F32, 2, box));
    UN_TRY(un_st_writer_begin(writer));
    UN_TRY(un_st_writer_write(writer, 0, 0, p->boxes, cells * 4 * sizeof *p->boxes));
    UN_TRY(un_st_writer_write(writer, 1, 0, p->visible, cells));
    if (!p->objects) return UNSEEN_OK;
    return un_st_writer_write(writer, 2, 0, p->objects, p->image_count * 4 * sizeof *p->objects);
}

un_status un_parts_write(const un_parts *parts, const char *directory, const un_dataset *dataset) {
    un_st_writer *writer = NULL;
    char *path = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(check(parts, dataset, FILE_NAME));
    UN_GO(un_path_join(directory, FILE_NAME, &path));
    UN_GO(un_st_writer_open(&writer, path));
    UN_GO(put_metadata(writer, parts));
    UN_GO(put_tensors(writer, parts));
    status = un_st_writer_commit(writer);
    writer = NULL;
done:
    un_st_writer_abort(writer);
    free(path);
    return status;
}
