/* parts_file.c - the file of true boxes; see parts_file.h. */
#include "data/tinybirds/parts_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "tensor/safetensors.h"

static un_status put_json(un_st_writer *writer, const char *key, json_t *value) {
    char *text = NULL;
    if (!value) return un_fail_memory(0);
    un_status status = un_json_text(value, &text);
    if (!status) status = un_st_writer_metadata(writer, key, text);
    free(text);
    json_decref(value);
    return status;
}

/* [[part] …] of all attributes; those of the head's pattern are seen at the eye, but for the
 * crest. */
static json_t *attribute_parts(void) {
    json_t *list = json_array();
    for (size_t g = 0; list && g < UN_GROUP_COUNT; g++)
        for (size_t v = 0; v < un_attribute_groups[g].count; v++) {
            unsigned part = un_attribute_groups[g].part;
            if (g == UN_GROUP_HEAD_PATTERN && v == UN_CRESTED) part = UN_PART_CROWN;
            json_t *parts = part ? json_pack("[i]", (int)part - 1) : json_array();
            if (json_array_append_new(list, parts) != 0) {
                json_decref(list);
                return NULL;
            }
        }
    return list;
}

static un_status put_metadata(un_st_writer *writer) {
    json_t *names = json_array();
    for (size_t p = 0; names && p < UN_PART_COUNT; p++)
        UN_TRY(un_json_append(names, json_string(un_part_names[p])));
    UN_TRY(un_st_writer_metadata(writer, "format", "unseen-parts"));
    UN_TRY(un_st_writer_metadata(writer, "format_version", "1"));
    UN_TRY(un_st_writer_metadata(writer, "kind", "boxes"));
    UN_TRY(put_json(writer, "parts", names));
    return put_json(
        writer, "attribute_parts",
        json_pack("{s:o, s:o}", "att", attribute_parts(), "original_att", attribute_parts()));
}

un_status un_tinybirds_write_parts(const char *directory, const un_tinybirds_boxes *boxes,
                                   size_t n) {
    char *path = NULL;
    un_st_writer *writer = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_path_join(directory, "parts.safetensors", &path));
    UN_GO(un_st_writer_open(&writer, path));
    UN_GO(put_metadata(writer));
    UN_GO(un_st_writer_add(writer, "boxes", UN_F32, 3, (const size_t[]){n, UN_PART_COUNT, 4}));
    UN_GO(un_st_writer_add(writer, "visible", UN_U8, 2, (const size_t[]){n, UN_PART_COUNT}));
    UN_GO(un_st_writer_add(writer, "objects", UN_F32, 2, (const size_t[]){n, 4}));
    UN_GO(un_st_writer_begin(writer));
    for (size_t i = 0; i < n; i++) {
        const un_tinybirds_boxes *b = &boxes[i];
        UN_GO(un_st_writer_write(writer, 0, i * sizeof b->box, b->box, sizeof b->box));
        UN_GO(un_st_writer_write(writer, 1, i * sizeof b->visible, b->visible, sizeof b->visible));
        UN_GO(un_st_writer_write(writer, 2, i * sizeof b->object, b->object, sizeof b->object));
    }
    status = un_st_writer_commit(writer);
    writer = NULL;
done:
    un_st_writer_abort(writer);
    free(path);
    return status;
}
