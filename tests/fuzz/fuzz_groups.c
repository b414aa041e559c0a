/*
 * fuzz_groups.c - JSON tables that group a data set's attributes, and name them: "groups.json"
 * and "mapping.json" of an archive; without either the groups come from the names.
 */
#include "fuzz.h"

#include "base/file.h"
#include "method/attribute_groups.h"

enum { A = 4 };

int fuzz_run_groups(const uint8_t *data, size_t size) {
    char *names[A] = {"has_wing_color::grey", "has_wing_color::red", "has_bill_shape::hooked",
                      ("gr\xC3\xB6\xC3\x9F"
                       "e")};
    un_arena arena = {0};
    un_attribute_groups groups;
    int taken = 1;
    fuzz_unpack(data, size);
    const char *table = fuzz_path("groups.json"), *mapping = fuzz_path("mapping.json");
    for (int reference = 0; reference < 2 && taken; reference++) {
        const un_attribute_groups_options options = {.table = un_path_exists(table) ? table : NULL,
                                                     .mapping =
                                                         un_path_exists(mapping) ? mapping : NULL,
                                                     .dataset = "CUB",
                                                     .reference = reference};
        taken = fuzz_taken(un_attribute_groups_make(names, A, &options, &arena, &groups));
        if (!taken) break;
        FUZZ_REQUIRE(groups.count == A);
        for (size_t a = 0; a < A; a++) {
            FUZZ_REQUIRE(groups.group_of[a] < groups.group_count);
            fuzz_touch_text(groups.names[a]);
        }
        for (size_t g = 0; g < groups.group_count; g++) fuzz_touch_text(groups.groups[g]);
    }
    un_arena_free(&arena);
    return taken;
}

void fuzz_seed_groups(void) {
    fuzz_seed_text("none", "");
    fuzz_seed_text("list",
                   "@@ groups.json\n{\"groups\": [\"color\", \"color\", \"shape\", \"size\"]}");
    fuzz_seed_text(
        "by_dataset",
        "@@ groups.json\n{\"CUB\": {\"groups\": [\"a\", \"a\", \"b\", \"c\"], \"names\": "
        "[\"has_wing_color::grey\", \"has_wing_color::red\", \"has_bill_shape::hooked\", "
        "\"gr\xC3\xB6\xC3\x9F"
        "e\"], \"mapping\": {\"2\": \"hooked bill\"}}, \"SUN\": {}}");
    fuzz_seed_text(
        "by_index",
        "@@ groups.json\n{\"0\": \"color\", \"1\": \"color\", \"2\": \"shape\", \"3\": \"size\"}");
    fuzz_seed_text("mapping",
                   "@@ mapping.json\n{\"0\": \"grey wings\", \"3\": \"size\"}\n"
                   "@@ groups.json\n{\"groups\": [\"color\", \"color\", \"shape\", \"size\"]}");
    fuzz_seed_text("bad_number", "@@ groups.json\n{\"groups\": [\"color\"]}");
    fuzz_seed_text("bad_json", "@@ groups.json\n{\"groups\": [");
}
