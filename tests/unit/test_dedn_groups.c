/*
 * test_dedn_groups.c - the groups of attributes that DEDN's fine expert is made of: the published
 * lists, a file, and those that a model says it has.
 */
#include <unistd.h>

#include "base/file.h"
#include "dedn_sample.h"

static void published_groups(void **state) {
    (void)state;
    static const struct {
        const char *name;
        size_t A, count, members[6];
        const char *first;
    } lists[] = {{"cub", 312, 6, {112, 87, 24, 40, 15, 34}, "head"},
                 {"awa2", 85, 4, {18, 15, 38, 14}, "texture"},
                 {"sun", 102, 5, {20, 38, 27, 9, 8}, "others"}};
    for (size_t k = 0; k < 3; k++) {
        un_arena arena = {0};
        dedn_groups g;
        un_class_semantics semantics = {.name = "att", .width = lists[k].A};
        size_t members[6] = {0};
        util_ok(un_dedn_groups_make(&semantics, lists[k].name, &arena, &g));
        assert_int_equal(g.count, lists[k].count);
        assert_string_equal(g.names[0], lists[k].first);
        for (size_t i = 0; i < lists[k].A; i++) members[g.group_of[i]]++;
        for (size_t i = 0; i < g.count; i++) assert_int_equal(members[i], lists[k].members[i]);
        semantics.width--;
        util_fails(un_dedn_groups_make(&semantics, lists[k].name, &arena, &g), UNSEEN_E_ARGUMENT,
                   "here are");
        un_arena_free(&arena);
    }
}

static void groups_of_a_file(void **state) {
    (void)state;
    util_scene s;
    un_method *method = NULL;
    char path[] = "/tmp/test_dedn_XXXXXX", set[64];
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    const char *const sets[] = {set, NULL};
    snprintf(set, sizeof set, "groups=%s", path);
    open_scene(&s, &g_shapes[1], 20);
    const char *good = "{\"groups\": [\"b\", \"a\", \"b\", \"b\", \"a\"]}",
               *bad = "{\"groups\": []}";
    util_ok(un_file_write(path, good, strlen(good)));
    util_ok(try_method(&s, sets, UN_PRECISION_F32, NULL, &method));
    const dedn_groups *g = &((dedn *)method)->groups;
    assert_int_equal(g->count, 2);
    assert_string_equal(g->names[1], "a");
    assert_int_equal(g->group_of[4], 1);
    un_method_dedn.destroy(method);
    util_ok(un_file_write(path, bad, strlen(bad)));
    util_fails(try_method(&s, sets, UN_PRECISION_F32, NULL, &method), UNSEEN_E_FORMAT,
               "another length");
    unlink(path);
    assert_int_not_equal(try_method(&s, sets, UN_PRECISION_F32, NULL, &method), UNSEEN_OK);
    util_scene_free(&s);
}

static void groups_have_a_name(void **state) {
    (void)state;
    json_t *config = util_config(&un_method_dedn, NULL);
    util_fails(un_config_set(&un_method_dedn, config, "groups="), UNSEEN_E_ARGUMENT,
               "groups must be one of none|prefix|cub|awa2|sun or the path of a file");
    json_decref(config);
}

/* What a model says of its groups is not believed. */
static void damaged_groups(void **state) {
    (void)state;
    static const char *const specs[] = {
        "{}",
        "{\"groups\": {\"names\": [], \"of\": [0, 0, 0, 0, 0]}}",
        "{\"groups\": {\"names\": [\"a\"], \"of\": [0, 0, 0, 0]}}",
        "{\"groups\": {\"names\": [\"a\"], \"of\": [0, 0, 1, 0, 0]}}",
        "{\"groups\": {\"names\": [\"a\"], \"of\": [0, 0, -1, 0, 0]}}",
        "{\"groups\": {\"names\": [\"a\", 3], \"of\": [0, 0, 1, 0, 0]}}",
        "{\"groups\": {\"names\": [\"a\", \"b\"], \"of\": [0, 0, 0, 0, 0]}}",
        "{\"groups\": {\"names\": [\"a\", \"b\"], \"of\": [0, 1, 0, \"x\", 0]}}"};
    util_scene s;
    un_method *method = NULL;
    open_scene(&s, &g_shapes[1], 9);
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        json_t *spec = NULL;
        util_ok(un_json_parse(specs[i], strlen(specs[i]), "spec", &spec));
        util_fails(try_method(&s, NULL, UN_PRECISION_F32, spec, &method), UNSEEN_E_FORMAT,
                   "groups of attributes are damaged");
        json_decref(spec);
    }
    util_scene_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_groups),
        cmocka_unit_test(groups_of_a_file),
        cmocka_unit_test(groups_have_a_name),
        cmocka_unit_test(damaged_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
