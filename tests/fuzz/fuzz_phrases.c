/* fuzz_phrases.c - a file of attributes' names or phrases, and what becomes of each name. */
#include "fuzz.h"

#include "text/word_vectors.h"

int fuzz_run_phrases(const uint8_t *data, size_t size) {
    un_arena arena = {0};
    un_attribute_phrases p;
    char *clean = NULL;
    int taken =
        fuzz_taken(un_attribute_phrases_read(fuzz_file("attributes.txt", data, size), &arena, &p));
    for (size_t i = 0; taken && i < p.count; i++) {
        fuzz_touch_text(p.names[i]);
        fuzz_touch_text(p.phrases[i]);
        if (fuzz_taken(un_attribute_clean(p.names[i], &arena, &clean))) fuzz_touch_text(clean);
    }
    un_arena_free(&arena);
    return taken;
}

void fuzz_seed_phrases(void) {
    fuzz_seed_text("cub", "1 has_bill_shape::curved_(up_or_down)\n2 has_wing_color::grey\n");
    fuzz_seed_text("names", "black\nwhite\nnew_world\ntough-skin\n");
    fuzz_seed_text("table", "id,des,new_des\n1,has_bill_shape::dagger,bill shape dagger\n"
                            "2,has_wing_color::grey,\"wing color, gray\"\n");
    fuzz_seed_text("new_des", "new_des\nbill shape\nwing color\n");
    fuzz_seed_text("predicates", "    1\tblack\n    2\twhite\n");
    fuzz_seed_text("bad_empty", "");
}
