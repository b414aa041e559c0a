/* test_model.c - model files: what they may ask for, and the precision they are scored in. */
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "method/dem/dem.h"
#include "method/eszsl/eszsl.h"
#include "method/msdn/msdn.h"
#include "model/model.h"
#include "unit/folder.h"
#include "util.h"

static const char *model_path(void) { return in_folder("model"); }

/* A model of untrained parameters, whose manifest says what the arguments say. */
static un_method *save(const un_method_class *class, util_scene *s, const char *precision,
                       const char *setting, size_t regions, size_t width) {
    json_t *config = util_config(class, NULL);
    const un_method_setup setup = {.classes = &s->classes,
                                   .regions = s->features.regions,
                                   .width = s->features.width,
                                   .seed = 3,
                                   .precision = UN_PRECISION_F32,
                                   .config = config,
                                   .data = &s->data};
    un_method *method = NULL;
    util_ok(class->create(&setup, &method));
    if (setting) util_ok(un_config_set(class, config, setting));
    json_t *manifest = json_pack("{s:s, s:O, s:s, s:{s:I, s:I}}", "method", class->name, "config",
                                 config, "precision", precision, "input", "regions",
                                 (json_int_t)regions, "width", (json_int_t)width);
    assert_non_null(manifest);
    util_ok(un_model_save(model_path(), method, &s->classes, manifest));
    json_decref(manifest);
    json_decref(config);
    return method;
}

/* Files of a few kilobytes: opening them must not take gigabytes, whatever they say. */
static void made_up_sizes_are_refused(void **state) {
    (void)state;
    static const struct {
        const un_method_class *class;
        const char *setting;
        size_t regions, width;
        const char *sentence;
    } cases[] = {{&un_method_dem, "hidden=1000000", 1, 20, "parameters are declared"},
                 {&un_method_dem, "hidden=1601", 1, 20, "parameters are declared"},
                 {&un_method_dem, NULL, 1, 100000000, "parameters are declared"},
                 {&un_method_dem, NULL, 1000000, 100, "parameters are declared"},
                 {&un_method_eszsl, NULL, 1, 100000000, "parameters are declared"},
                 {&un_method_msdn, NULL, 4, 50000000, "parameters are declared"},
                 {&un_method_msdn, NULL, 1000000, 20, "than a file of this size needs"}};
    const size_t A = 6;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        int is_msdn = cases[k].class == &un_method_msdn;
        util_scene s;
        un_model model;
        util_scene_make(&s, 9, 30, is_msdn ? 80 : 20, 1, &A, 4);
        s.features.regions = is_msdn ? 4 : 1;
        s.features.width = 20;
        s.classes.semantics[0].vectors = s.rows;
        s.classes.semantics[0].vector_width = 5;
        cases[k].class->destroy(save(cases[k].class, &s, "f32", NULL, s.features.regions, 20));
        util_ok(un_model_open(&model, model_path(), UN_PRECISION_AUTO));
        un_model_close(&model);
        cases[k].class->destroy(
            save(cases[k].class, &s, "f32", cases[k].setting, cases[k].regions, cases[k].width));
        assert_int_not_equal(un_model_open(&model, model_path(), UN_PRECISION_AUTO), UNSEEN_OK);
        if (!strstr(un_error(), cases[k].sentence))
            fail_msg("case %zu: \"%s\" does not say \"%s\"", k, un_error(), cases[k].sentence);
        if (!strstr(un_error(), model_path()))
            fail_msg("\"%s\" does not name the file", un_error());
        util_scene_free(&s);
    }
    char *memory = NULL; /* the limit ended with the opening */
    util_ok(un_alloc((size_t)600 << 20, 1, &memory));
    free(memory);
}

/* Auto is what the model was trained in, as far as the processor has it. */
static void precision_follows_the_model(void **state) {
    (void)state;
    enum { N = 8, C = 9 };
    static const char *const names[] = {"f32", "bf16"};
    static const un_precision precisions[] = {UN_PRECISION_F32, UN_PRECISION_BF16};
    const size_t A = 6;
    util_scene s;
    float scores[2][N * C], got[N * C];
    util_scene_make(&s, C, 30, 80, 1, &A, 4);
    s.features.regions = 4;
    s.features.width = 20;
    s.classes.semantics[0].vectors = s.rows;
    s.classes.semantics[0].vector_width = 5;
    for (size_t k = 0; k < 2; k++) {
        un_model model;
        un_method_msdn.destroy(save(&un_method_msdn, &s, names[k], NULL, 4, 20));
        for (size_t p = 0; p < 2; p++) {
            util_ok(un_model_open(&model, model_path(), precisions[p]));
            util_ok(un_method_msdn.score(model.method, s.rows, N, scores[p]));
            un_model_close(&model);
        }
        assert_memory_not_equal(scores[0], scores[1], sizeof got);
        util_ok(un_model_open(&model, model_path(), UN_PRECISION_AUTO));
        util_ok(un_method_msdn.score(model.method, s.rows, N, got));
        un_model_close(&model);
        assert_memory_equal(got, scores[k == 1 && un_precision_dtype(UN_PRECISION_AUTO) == UN_BF16],
                            sizeof got);
    }
    util_scene_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_up_sizes_are_refused),
        cmocka_unit_test(precision_follows_the_model),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
