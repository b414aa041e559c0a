/*
 * test_duet_swin.c - DUET with a Swin transformer as its image side: gradients of whole
 * steps by finite differences, a frozen one, models created again, attention over its
 * last map, weights from a file, and refusals.
 */
#include "duet_sample.h"

/* The mean and the last map, which is 2 x 2; or the classifier's logits. */
static void test_gradients(void **state) {
    (void)state;
    check_gradients((const char *const[]){"image_side=swin", "mask_pro=0", NULL}, SIDE * SIDE, 3,
                    0);
    check_gradients((const char *const[]){"image_side=swin", "mask_pro=1", "visual_tokens=logit",
                                          "recompute=yes", "drop_path=0.5", NULL},
                    SIDE * SIDE, 3, 0);
    check_gradients((const char *const[]){"image_side=swin", "mask_pro=0", "swin_width=4",
                                          "swin_heads=2,4", "swin_window=3", NULL},
                    SIDE * SIDE, 3, 0); /* H wide already: no projection; filled-up windows */
}

static void test_frozen(void **state) {
    (void)state;
    check_frozen("image_side=swin");
}

static void test_again(void **state) {
    (void)state;
    check_again((const char *const[]){"image_side=swin", NULL}, SIDE * SIDE, 3);
    check_again((const char *const[]){"image_side=swin", "visual_tokens=logit", NULL}, SIDE * SIDE,
                3);
}

/* A map has a value for each token of the last stage, also where the last square of a line
 * reaches beyond the edge (18 pixels: 5 patches, 3 tokens of 8 pixels). */
static void test_attention(void **state) {
    (void)state;
    enum { SMALL = 18, PIXELS = SMALL * SMALL, GRID = 3, CELLS = GRID * GRID };
    util_scene s;
    make_scene(&s, PIXELS, 3);
    un_method *method = make_method(&s, (const char *const[]){"image_side=swin", NULL});
    float maps[2 * A * CELLS];
    size_t height = SMALL, width = SMALL;
    set_parameters(method);
    util_ok(un_method_duet.set_classes(method, &s.classes));
    un_method_duet.maps->grid(method, &height, &width);
    assert_int_equal(height, GRID);
    assert_int_equal(width, GRID);
    util_ok(un_method_duet.maps->attend(method, s.rows, maps));
    for (size_t a = 0; a < 2 * A; a++) {
        double sum = 0;
        for (size_t i = 0; i < CELLS; i++) sum += (double)maps[a * CELLS + i];
        util_near(sum, 1, 1e-5);
        assert_true(maps[a * CELLS] != maps[a * CELLS + 1]);
    }
    un_method_duet.destroy(method);
    method = make_method(&s, (const char *const[]){"image_side=swin", "visual_tokens=logit", NULL});
    util_ok(un_method_duet.set_classes(method, &s.classes));
    util_fails(un_method_duet.maps->attend(method, s.rows, maps), UNSEEN_E_UNSUPPORTED, "logit");
    un_method_duet.destroy(method);
    util_scene_free(&s);
}

/* A Swin transformer: sizes and values are the file's; a damaged specification is refused. */
static void test_file(void **state) {
    (void)state;
    static const char weights[] = UNSEEN_TEST_DATA "/swin.safetensors";
    static const struct {
        const char *key;
        const char *json, *part;
    } damages[] = {{"depth", "[2,2]", "stages"},  {"depth", "[2,2,-1]", "sizes"},
                   {"heads", "[2,4,5]", "heads"}, {"window", "[4,4,400]", "windows"},
                   {"stages", "100", "stages"},   {"patch", "0", "patches"},
                   {"width", "\"wide\"", "width"}};
    char set[600];
    snprintf(set, sizeof set, "image_weights=%s", weights);
    util_scene s;
    un_safetensors file;
    json_t *spec = NULL, *config = make_config((const char *const[]){set, NULL});
    util_ok(un_safetensors_open(&file, weights));
    make_scene(&s, SIDE * SIDE, 3);
    un_method *method = NULL, *again = NULL;
    util_ok(open_method(&s, config, NULL, &method)); /* image_side=auto */
    size_t compared = 0;
    for (size_t i = 0; i < method->params.count; i++) {
        const un_param *item = &method->params.item[i];
        if (strncmp(item->name, "deit.swin.", 10) != 0) continue;
        const un_st_entry *entry = un_safetensors_find(&file, item->name + 5);
        assert_non_null(entry);
        assert_memory_equal(un_param_value(&method->params, i), entry->tensor.data,
                            item->count * sizeof(float));
        compared++;
    }
    assert_int_equal(compared, 5 * 17 + 4 + 2 * 3 + 2);
    assert_true(isfinite(total_loss(method, 0)));
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        util_ok(un_method_duet.save_spec(method, &spec));
        util_ok(un_json_set(json_object_get(spec, "swin"), damages[i].key,
                            json_loads(damages[i].json, JSON_DECODE_ANY, NULL)));
        util_fails(open_method(&s, config, spec, &again), UNSEEN_E_FORMAT, damages[i].part);
        json_decref(spec);
    }
    un_method_duet.destroy(method);
    refuse(&s, (const char *const[]){"image_side=swin", "swin_depths=2,1,1", NULL},
           UNSEEN_E_ARGUMENT, "stages");
    refuse(&s, (const char *const[]){"image_side=swin", "swin_heads=2,5", NULL}, UNSEEN_E_ARGUMENT,
           "heads");
    refuse(&s, (const char *const[]){"image_side=swin", "swin_heads=2,1.5", NULL},
           UNSEEN_E_ARGUMENT, "whole");
    json_decref(config);
    un_safetensors_close(&file);
    util_scene_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients), cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_again),     cmocka_unit_test(test_attention),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
