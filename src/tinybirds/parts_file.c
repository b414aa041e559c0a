/* parts_file.c - the true boxes of Tinybirds as a file of parts; see parts_file.h. */
#include "tinybirds/parts_file.h"

#include <string.h>

#include "data/parts.h"

/* The part of each attribute; those of the head's pattern are seen at the eye, but for the crest.
 * An attribute of the whole bird has none. */
static un_status fill_attribute_parts(const un_semantics *semantics, un_arena *arena,
                                      un_attribute_parts *out) {
    size_t a = 0;
    *out = (un_attribute_parts){.semantics = semantics->name, .width = semantics->width};
    UN_TRY(un_arena_alloc(arena, semantics->width, sizeof *out->lists, &out->lists));
    for (size_t g = 0; g < UN_GROUP_COUNT; g++)
        for (size_t v = 0; v < un_attribute_groups[g].count; v++, a++) {
            unsigned part = un_attribute_groups[g].part;
            if (g == UN_GROUP_HEAD_PATTERN && v == UN_CRESTED) part = UN_PART_CROWN;
            if (!part) continue;
            out->lists[a].count = 1;
            UN_TRY(un_arena_alloc(arena, 1, sizeof(size_t), &out->lists[a].items));
            out->lists[a].items[0] = part - 1;
        }
    return UNSEEN_OK;
}

static un_status fill(un_parts *parts, const un_dataset *dataset, const un_tinybirds_boxes *boxes) {
    un_arena *arena = &parts->arena;
    size_t n = parts->image_count;
    UN_TRY(un_arena_alloc(arena, UN_PART_COUNT, sizeof *parts->names, &parts->names));
    for (size_t p = 0; p < UN_PART_COUNT; p++)
        UN_TRY(un_arena_string(arena, un_part_names[p], &parts->names[p]));
    UN_TRY(un_arena_alloc(arena, n, sizeof boxes->box, &parts->boxes));
    UN_TRY(un_arena_alloc(arena, n, sizeof boxes->visible, &parts->visible));
    UN_TRY(un_arena_alloc(arena, n, sizeof boxes->object, &parts->objects));
    for (size_t i = 0; i < n; i++) {
        memcpy(parts->boxes + i * UN_PART_COUNT * 4, boxes[i].box, sizeof boxes[i].box);
        memcpy(parts->visible + i * UN_PART_COUNT, boxes[i].visible, sizeof boxes[i].visible);
        memcpy(parts->objects + i * 4, boxes[i].object, sizeof boxes[i].object);
    }
    for (size_t s = 0; s < dataset->semantics_count; s++)
        UN_TRY(fill_attribute_parts(&dataset->semantics[s], arena, &parts->attribute_parts[s]));
    parts->attribute_parts_count = dataset->semantics_count;
    return UNSEEN_OK;
}

un_status un_tinybirds_write_parts(const un_dataset *dataset, const un_tinybirds_boxes *boxes,
                                   const char *directory) {
    un_parts parts = {.image_count = dataset->image_count, .part_count = UN_PART_COUNT};
    un_status status = fill(&parts, dataset, boxes);
    if (!status) status = un_parts_write(&parts, directory, dataset);
    un_parts_close(&parts);
    return status;
}
