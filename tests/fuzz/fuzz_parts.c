/* fuzz_parts.c - parts.safetensors of a data set: refused, or everything in it lies in range. */
#include "fuzz.h"

#include "data/parts.h"

int fuzz_run_parts(const uint8_t *data, size_t size) {
    const un_dataset *d = fuzz_dataset();
    un_parts p;
    (void)fuzz_file("parts.safetensors", data, size);
    if (!fuzz_taken(un_parts_open(&p, fuzz_folder(), d))) return 0;
    FUZZ_REQUIRE(p.image_count == d->image_count);
    for (size_t i = 0; i < p.part_count; i++) fuzz_touch_text(p.names[i]);
    for (size_t i = 0; i < 4 * p.image_count * p.part_count; i++)
        FUZZ_REQUIRE(p.boxes[i] >= 0 && p.boxes[i] <= 1);
    fuzz_touch(p.visible, p.image_count * p.part_count);
    for (size_t s = 0; s < d->semantics_count; s++)
        for (size_t a = 0; a < d->semantics[s].width; a++) {
            const un_part_list *list = un_parts_of_attribute(&p, d->semantics[s].name, a);
            for (size_t k = 0; list && k < list->count; k++)
                FUZZ_REQUIRE(list->items[k] < p.part_count);
        }
    un_parts_close(&p);
    return 1;
}

enum { PARTS = 2, MOST = 200 };

static void seed(const char *name, int points) {
    const un_dataset *d = fuzz_dataset();
    char *names[PARTS] = {"beak", "tail"};
    float boxes[MOST * PARTS * 4] = {0}, objects[MOST * 4];
    unsigned char visible[MOST * PARTS];
    size_t number = 1;
    un_part_list lists[64] = {[0] = {1, &number}};
    FUZZ_REQUIRE(d->image_count <= MOST && d->semantics[0].width <= 64);
    for (size_t i = 0; i < d->image_count * PARTS; i++) {
        visible[i] = i % 3 != 0;
        if (!visible[i]) continue;
        boxes[4 * i] = boxes[4 * i + 2] = 0.25f;
        boxes[4 * i + 1] = boxes[4 * i + 3] = 0.5f;
        if (!points) boxes[4 * i + 2] = 0.75f;
    }
    for (size_t i = 0; i < 4 * d->image_count; i++) objects[i] = i % 4 < 2 ? 0 : 1;
    const un_parts p = {.image_count = d->image_count,
                        .part_count = PARTS,
                        .names = names,
                        .points = points,
                        .boxes = boxes,
                        .visible = visible,
                        .objects = points ? NULL : objects,
                        .attribute_parts_count = 1,
                        .attribute_parts = {{d->semantics[0].name, d->semantics[0].width, lists}}};
    FUZZ_REQUIRE(un_parts_write(&p, fuzz_folder(), d) == UNSEEN_OK);
    fuzz_seed_file(name, fuzz_path("parts.safetensors"));
}

void fuzz_seed_parts(void) {
    seed("boxes", 0);
    seed("points", 1);
    fuzz_seed_file("bad_dataset", fuzz_test_data("v0.1/maps/dataset.safetensors"));
}
