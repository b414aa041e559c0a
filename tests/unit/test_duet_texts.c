/*
 * test_duet_texts.c - attributes as sentences: groups and names from names and
 * from tables, texts and masks, and that ids put together equal ids of the whole
 * sentence. No real data is needed.
 */
#include "unit/util.h"

#include <unistd.h>

#include "base/file.h"
#include "method/duet/texts.h"
#include "unit/folder.h"

static void write_text(const char *path, const char *text) {
    util_ok(un_file_write(path, text, strlen(text)));
}

/* Words are their own pieces, "eyering" has two. */
static const char VOCABULARY[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n:\n|\n,\n.\nwing\ncolor\neye\nblue\nbrown\nblack\nwhite\n"
    "##ring\nhead\npattern\nnatural\nlight\nattributes\nbig\nteeth\nmeat\n##teeth\nmaterial\n"
    "meter\n##ial\nin\n##active\nactive\ncolors\nbehavior\nbehaviour\n";

/* Two groups, three shades in each, and a name of two pieces. */
static char *g_names[] = {"has_wing_color::blue",      "has_wing_color::brown",
                          "has_head_pattern::eyering", "has_wing_color::blue_(all_of_it)",
                          "has_eye_color::blue",       "has_eye_color::brown-black",
                          "has_head_pattern::eye_ring"};
enum { A = sizeof g_names / sizeof *g_names };

typedef struct {
    un_arena arena;
    un_wordpiece *wordpiece;
    un_attribute_groups groups;
    un_duet_texts *texts;
    un_duet_text text;
} scene;

static void open_scene(scene *s, char *const *names, size_t n,
                       const un_attribute_groups_options *options, size_t max_length) {
    *s = (scene){0};
    util_ok(un_wordpiece_parse(&s->wordpiece, VOCABULARY, sizeof VOCABULARY - 1, "test"));
    util_ok(un_attribute_groups_make(names, n, options, &s->arena, &s->groups));
    util_ok(un_duet_texts_create(&s->texts, &s->groups, s->wordpiece, max_length));
    util_ok(un_duet_text_alloc(s->texts, &s->arena, &s->text));
}

static void close_scene(scene *s) {
    un_duet_texts_free(s->texts);
    un_wordpiece_close(s->wordpiece);
    un_arena_free(&s->arena);
}

/* The text is `sentence` between [CLS] and [SEP]. */
static void expect_text(scene *s, const char *sentence) {
    un_token_batch b;
    util_ok(un_wordpiece_batch(s->wordpiece, &sentence, NULL, 1, un_duet_texts_max_length(s->texts),
                               &s->arena, &b));
    assert_int_equal(s->text.length, b.length);
    for (size_t i = 0; i < b.length; i++) assert_int_equal(s->text.ids[i], b.ids[i]);
}

static const un_attribute_groups_options g_plain = {.dataset = "birds"};

static void test_derived_groups(void **state) {
    (void)state;
    scene s;
    open_scene(&s, g_names, A, &g_plain, 64);
    const un_attribute_groups *g = &s.groups;
    assert_int_equal(g->group_count, 3);
    assert_string_equal(g->groups[0], "wing color");
    assert_string_equal(g->groups[1], "head pattern");
    assert_string_equal(g->groups[2], "eye color");
    assert_string_equal(g->names[3], "blue");
    assert_string_equal(g->names[5], "brown black");
    assert_string_equal(g->names[6], "eye ring");
    assert_int_equal(g->group_of[6], 1);
    assert_true(g->qualified);
    close_scene(&s);

    char *plain[] = {" big_teeth ", "blue"};
    open_scene(&s, plain, 2, &g_plain, 64);
    assert_int_equal(s.groups.group_count, 1);
    assert_string_equal(s.groups.groups[0], "attributes");
    assert_string_equal(s.groups.names[0], "big teeth");
    assert_false(s.groups.qualified);
    un_duet_texts_prompt(s.texts, &s.text);
    expect_text(&s, "attributes : .");
    close_scene(&s);
}

static void test_texts(void **state) {
    (void)state;
    const unsigned char some[A] = {1, 1, 0, 0, 0, 1, 1}, none[A] = {0};
    scene s;
    char *sentence = NULL;
    open_scene(&s, g_names, A, &g_plain, 64);
    un_duet_texts_prompt(s.texts, &s.text);
    expect_text(&s, "wing color :  | head pattern :  | eye color : .");
    util_ok(un_duet_texts_make(s.texts, none, UN_NO_ATTRIBUTE, 0, &s.text));
    expect_text(&s, "wing color :  | head pattern :  | eye color : .");
    util_ok(un_duet_texts_make(s.texts, some, UN_NO_ATTRIBUTE, 0, &s.text));
    expect_text(&s, "wing color : blue,brown | head pattern : eye ring | eye color : brown black.");
    util_ok(un_duet_texts_sentence(s.texts, some, &sentence));
    expect_text(&s, sentence);
    free(sentence);
    close_scene(&s);
}

/* Only the marked attribute's own pieces, however often its name occurs. */
static void test_marks(void **state) {
    (void)state;
    const unsigned char all[A] = {1, 1, 1, 1, 1, 1, 1};
    scene s;
    open_scene(&s, g_names, A, &g_plain, 64);
    util_ok(un_duet_texts_make(s.texts, all, 3, 1, &s.text));
    expect_text(&s, "wing color : blue,brown,[MASK] | head pattern : eyering,eye ring | eye color "
                    ": blue,brown black.");
    assert_int_equal(s.text.marked_count, 1);
    assert_int_equal(s.text.marked[0], 8);
    util_ok(un_duet_texts_make(s.texts, all, 2, 1, &s.text));
    expect_text(&s, "wing color : blue,brown,blue | head pattern : [MASK][MASK],eye ring | eye "
                    "color : blue,brown black.");
    assert_int_equal(s.text.marked_count, 2);
    size_t at = s.text.marked[0];
    assert_int_equal(s.text.marked[1], at + 1);
    util_ok(un_duet_texts_make(s.texts, all, 2, 0, &s.text)); /* spelled out, same places */
    assert_int_equal(s.text.marked_count, 2);
    assert_int_equal(s.text.marked[0], at);
    assert_string_equal(un_wordpiece_token(s.wordpiece, s.text.ids[at + 1]), "##ring");
    const unsigned char none[A] = {0};
    util_fails(un_duet_texts_make(s.texts, none, 2, 1, &s.text), UNSEEN_E_ARGUMENT, "not in");
    util_fails(un_duet_texts_make(s.texts, all, A, 1, &s.text), UNSEEN_E_ARGUMENT, "not in");
    close_scene(&s);
}

static void test_cut_off(void **state) {
    (void)state;
    const unsigned char all[A] = {1, 1, 1, 1, 1, 1, 1};
    const char *whole =
        "wing color : blue,brown,blue | head pattern : eyering,eye ring | eye color "
        ": blue,brown black.";
    for (size_t length = 2; length < 40; length++) {
        scene s;
        open_scene(&s, g_names, A, &g_plain, length);
        util_ok(un_duet_texts_make(s.texts, all, 2, 0, &s.text));
        expect_text(&s, whole);
        for (size_t i = 0; i < s.text.marked_count; i++)
            assert_true(s.text.marked[i] + 1 < s.text.length);
        /* [CLS] and 12 pieces come before "eyering" */
        assert_int_equal(s.text.marked_count, length <= 14 ? 0 : length == 15 ? 1 : 2);
        close_scene(&s);
    }
    scene s;
    open_scene(&s, g_names, A, &g_plain, 64);
    un_duet_texts *texts = NULL;
    util_fails(un_duet_texts_create(&texts, &s.groups, s.wordpiece, 1), UNSEEN_E_ARGUMENT,
               "no room");
    close_scene(&s);
}

/* Random rows: pieces put together are the pieces of the sentence, and as many. */
static void test_equals_whole_sentence(void **state) {
    (void)state;
    un_rng rng = un_rng_stream(1, "test", 0);
    scene s;
    open_scene(&s, g_names, A, &g_plain, 64);
    for (size_t round = 0; round < 200; round++) {
        unsigned char present[A];
        char *sentence = NULL;
        for (size_t a = 0; a < A; a++) present[a] = un_rng_below(&rng, 2) == 1;
        util_ok(un_duet_texts_make(s.texts, present, UN_NO_ATTRIBUTE, 0, &s.text));
        util_ok(un_duet_texts_sentence(s.texts, present, &sentence));
        expect_text(&s, sentence);
        assert_int_equal(un_duet_texts_pieces(s.texts, present) + 2, s.text.length);
        free(sentence);
    }
    un_duet_texts_prompt(s.texts, &s.text);
    assert_int_equal(un_duet_texts_prompt_pieces(s.texts) + 2, s.text.length);
    assert_int_equal(un_duet_texts_name_pieces(s.texts, 2), 2);
    close_scene(&s);
}

/* "0blue" is replaced inside "10blue" too, after which digits go. */
static void test_published_masks(void **state) {
    (void)state;
    const un_attribute_groups_options o = {.dataset = "birds", .reference = 1};
    char *names[11];
    unsigned char present[11] = {1};
    for (size_t a = 0; a < 11; a++) names[a] = "has_wing_color::brown";
    names[0] = "has_wing_color::blue";
    names[10] = "has_eye_color::blue";
    names[9] = "has_eye_color::blue";
    present[9] = present[10] = 1;
    scene s;
    open_scene(&s, names, 11, &o, 64);
    util_ok(un_duet_texts_make(s.texts, present, 0, 1, &s.text));
    expect_text(&s, "wing color : [MASK] | eye color : blue,[MASK].");
    assert_int_equal(s.text.marked_count, 2);
    util_ok(un_duet_texts_make(s.texts, present, 9, 1, &s.text));
    expect_text(&s, "wing color : blue | eye color : [MASK],blue.");
    util_ok(un_duet_texts_make(s.texts, present, 0, 0, &s.text));
    expect_text(&s, "wing color : blue | eye color : blue,blue.");
    assert_int_equal(s.text.marked_count, 2);
    close_scene(&s);

    char *plain[] = {"natural", "natural light", "meat", "meatteeth", "active", "inactive"};
    const unsigned char all[] = {1, 1, 1, 1, 1, 1};
    open_scene(&s, plain, 6, &o, 64);
    util_ok(un_duet_texts_make(s.texts, all, 0, 1, &s.text));
    expect_text(&s, "attributes : [MASK],[MASK] light,meat,meatteeth,active,inactive.");
    util_ok(un_duet_texts_make(s.texts, all, 2, 1, &s.text));
    expect_text(&s, "attributes : natural,natural light,[MASK],meatteeth,active,inactive.");
    util_ok(un_duet_texts_make(s.texts, all, 4, 1, &s.text));
    expect_text(&s, "attributes : natural,natural light,meat,meatteeth,[MASK],inactive.");
    close_scene(&s);
}

static void test_published_prompts(void **state) {
    (void)state;
    un_attribute_groups_options o = {.dataset = "awa2", .reference = 1};
    char *names[] = {"blue", "natural"};
    scene s;
    open_scene(&s, names, 2, &o, 64);
    un_duet_texts_prompt(s.texts, &s.text);
    expect_text(&s, "color :  | pattern :  | texture :  | shape :  | has part :  | behavior:  | "
                    "character:  | limb:  | diet:  | role:  | habitat:  | habit: .");
    close_scene(&s);
    o.reference = 0;
    open_scene(&s, names, 2, &o, 64);
    un_duet_texts_prompt(s.texts, &s.text);
    expect_text(&s, "attributes : .");
    close_scene(&s);
}

/* ---- tables ---- */

static un_attribute_groups from_table(un_arena *arena, char *const *names, size_t n,
                                      const char *json, int reference) {
    un_attribute_groups g;
    write_text(in_folder("table.json"), json);
    const un_attribute_groups_options o = {
        .table = in_folder("table.json"), .dataset = "Zoo", .reference = reference};
    util_ok(un_attribute_groups_make(names, n, &o, arena, &g));
    return g;
}

static void test_tables(void **state) {
    (void)state;
    un_arena arena = {0};
    char *names[] = {"big-teeth", "blue"};
    un_attribute_groups g =
        from_table(&arena, names, 2,
                   "{\"names\":[\"Blue\",\"big teeth\"],\"groups\":[\"color\",\"coarse meterial\"],"
                   "\"mapping\":{\"1\":\"teeth\"}}",
                   0);
    assert_int_equal(g.group_count, 2);
    assert_string_equal(g.groups[0], "coarse material"); /* that of the first attribute here */
    assert_string_equal(g.names[0], "teeth");
    assert_string_equal(g.names[1], "Blue");
    g = from_table(&arena, NULL, 2,
                   "{\"Other\":{},\"ZOO\":{\"names\":[\"blue\",\"big teeth\"],"
                   "\"groups\":[\"color\",\"coarse meterial\"]}}",
                   1);
    assert_string_equal(g.groups[1], "coarse meterial");
    assert_string_equal(g.names[1], "big teeth");
    g = from_table(&arena, names, 2, "{\"0\":\"part\",\"1\":\"color\"}", 0);
    assert_string_equal(g.groups[g.group_of[1]], "color");
    assert_string_equal(g.names[0], "big-teeth");

    write_text(in_folder("mapping.json"), "{\"1\":\"navy\"}");
    const un_attribute_groups_options o = {.mapping = in_folder("mapping.json")};
    util_ok(un_attribute_groups_make(names, 2, &o, &arena, &g));
    assert_string_equal(g.names[1], "navy");
    un_arena_free(&arena);
}

static void test_bad_tables(void **state) {
    (void)state;
    static const struct {
        const char *json, *part;
    } bad[] = {
        {"[]", "not a JSON object"},
        {"{}", "neither"},
        {"{\"zoo\":3}", "neither"},
        {"{\"groups\":[\"a\"]}", "another length"},
        {"{\"groups\":[\"a\",3]}", "something else than names"},
        {"{\"groups\":[\"a\",\"b\\u0000\"]}", "something else than names"},
        {"{\"groups\":[\"a\",\"b\"],\"names\":[\"blue\",\"red\"]}", "no attribute \"big-teeth\""},
        {"{\"groups\":[\"a\",\"b\"],\"mapping\":{\"2\":\"x\"}}", "\"2\" should be the index"},
        {"{\"groups\":[\"a\",\"b\"],\"mapping\":{\"99999999999999999999\":\"x\"}}", "index"},
        {"{\"groups\":[\"a\",\"b\"],\"mapping\":{\"1x\":\"x\"}}", "index"},
        {"{\"groups\":[\"a\",\"b\"],\"mapping\":{\"1\":2}}", "before a name"},
        {"{\"groups\":[\"a\",\"b\"],\"mapping\":[]}", "expected an object"},
        {"{\"0\":\"a\"}", "misses the group"},
        {"{", "JSON"},
    };
    un_arena arena = {0};
    un_attribute_groups g;
    char *names[] = {"big-teeth", "blue"};
    const un_attribute_groups_options o = {.table = in_folder("table.json"), .dataset = "zoo"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_text(in_folder("table.json"), bad[i].json);
        util_fails(un_attribute_groups_make(names, 2, &o, &arena, &g),
                   i == 1 || i == 2 ? UNSEEN_E_ARGUMENT : UNSEEN_E_FORMAT, bad[i].part);
    }
    write_text(in_folder("table.json"), "{\"groups\":[\"a\",\"b\"]}");
    const un_attribute_groups_options nameless = {.table = in_folder("table.json")};
    util_fails(un_attribute_groups_make(NULL, 2, &nameless, &arena, &g), UNSEEN_E_ARGUMENT,
               "neither has the data set");
    util_fails(un_attribute_groups_make(NULL, 2, &g_plain, &arena, &g), UNSEEN_E_ARGUMENT,
               "what its attributes are called");
    util_fails(un_attribute_groups_make(names, 0, &g_plain, &arena, &g), UNSEEN_E_ARGUMENT,
               "without attributes");
    un_arena_free(&arena);
}

static void test_bad_names(void **state) {
    (void)state;
    static char *const bad[] = {"blue", " "}, *const wrong[] = {"blue", "a\xFF"};
    un_arena arena = {0};
    un_attribute_groups g;
    un_wordpiece *w = NULL;
    un_duet_texts *texts = NULL;
    util_ok(un_wordpiece_parse(&w, VOCABULARY, sizeof VOCABULARY - 1, "test"));
    util_ok(un_attribute_groups_make(bad, 2, &g_plain, &arena, &g));
    util_fails(un_duet_texts_create(&texts, &g, w, 16), UNSEEN_E_FORMAT, "attribute 2");
    util_ok(un_attribute_groups_make(wrong, 2, &g_plain, &arena, &g));
    util_fails(un_duet_texts_create(&texts, &g, w, 16), UNSEEN_E_FORMAT, "attribute 2: a text is");
    un_wordpiece_close(w);
    un_arena_free(&arena);
}

/* One colon and a blank mark a group as two colons do; nothing else does. */
static void groups_by_one_colon(void **state) {
    (void)state;
    static char *names[] = {"wing color: blue", "wing color: brown", "eye color::blue",
                            "big teeth"};
    const un_attribute_groups_options options = {0};
    un_arena arena = {0};
    un_attribute_groups groups;
    util_ok(un_attribute_groups_make(names, 4, &options, &arena, &groups));
    assert_int_equal(groups.group_count, 3);
    assert_string_equal(groups.groups[0], "wing color");
    assert_string_equal(groups.groups[1], "eye color");
    assert_string_equal(groups.names[1], "brown");
    assert_string_equal(groups.names[3], "big teeth");
    assert_int_equal(groups.group_of[1], 0);
    un_arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_by_one_colon),  cmocka_unit_test(test_derived_groups),
        cmocka_unit_test(test_texts),           cmocka_unit_test(test_marks),
        cmocka_unit_test(test_cut_off),         cmocka_unit_test(test_equals_whole_sentence),
        cmocka_unit_test(test_published_masks), cmocka_unit_test(test_published_prompts),
        cmocka_unit_test(test_tables),          cmocka_unit_test(test_bad_tables),
        cmocka_unit_test(test_bad_names),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
