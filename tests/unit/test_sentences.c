/* test_sentences.c - sentences that name options and commands: fields and functions for a host of
 * the library, flags and commands for the program's user, and arguments that stay as they are. */
#include <math.h>

#include "base/status.h"
#include "folder.h"
#include "npy_writer.h"
#include "util.h"

enum { C = 6, A = 3, N = 120, F = 4, SIDE = 3, CHANNELS = 9 };

static float g_features[N * F], g_maps[N * CHANNELS * SIDE * SIDE], g_attributes[C * A];
static int32_t g_labels[N];

static int fill(void **state) {
    un_rng rng = un_rng_stream(5, "sentences", 0);
    un_rng_fill_uniform(&rng, g_features, (size_t)N * F, -1, 1);
    un_rng_fill_uniform(&rng, g_attributes, (size_t)C * A, 0, 1);
    for (size_t i = 0; i < N; i++) g_labels[i] = (int32_t)(i % C);
    return make_folder(state);
}

/* ---- what a host reads ---- */

/* The call has failed with a sentence that says `part`, in a host's words. */
static void says(un_status status, const char *part) {
    if (status == UNSEEN_OK || !strstr(un_error(), part))
        fail_msg("\"%s\" is to say \"%s\"", un_error(), part);
    if (strstr(un_error(), "--") || strpbrk(un_error(), "`{}|"))
        fail_msg("\"%s\" is not for a host", un_error());
}

static unseen_arrays arrays(void) {
    unseen_arrays a;
    unseen_arrays_init(&a, sizeof a);
    a.image_count = N, a.width = F, a.features = g_features, a.labels = g_labels;
    a.class_count = C, a.attribute_count = A, a.class_attributes = g_attributes;
    return a;
}

static unseen_dataset *made(size_t regions) {
    unseen_dataset *data = NULL;
    unseen_arrays a = arrays();
    a.regions = regions, a.width = F / regions;
    util_ok(unseen_dataset_from_arrays(&a, &data));
    return data;
}

static void arrays_in_memory(void **state) {
    (void)state;
    unseen_arrays a = arrays();
    unseen_dataset *data = NULL;
    a.unseen_count = C - 1;
    says(unseen_dataset_from_arrays(&a, &data), "cannot be chosen from them; choose at most 4");
    assert_null(strstr(un_error(), "none")); /* 0 is a fifth here */
    a = arrays();
    const float before = g_attributes[4];
    g_attributes[4] = -1;
    says(unseen_dataset_from_arrays(&a, &data), "make it NaN (it gets the mean");
    assert_non_null(strstr(un_error(), "option scale range"));
    g_attributes[4] = NAN;
    util_ok(unseen_dataset_from_arrays(&a, &data));
    unseen_dataset_close(data);
    g_attributes[4] = before;
}

/* Options that import arrays from files. */
static unseen_import_options files(void) {
    static char semantics[500];
    static const char *list[] = {semantics};
    unseen_import_options o;
    put_npy(in_folder("x.npy"), 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (120, 4), }",
            g_features, sizeof g_features);
    put_npy(in_folder("y.npy"), 1, "{'descr': '<i4', 'fortran_order': False, 'shape': (120,), }",
            g_labels, sizeof g_labels);
    put_npy(in_folder("a.npy"), 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (6, 3), }",
            g_attributes, sizeof g_attributes);
    snprintf(semantics, sizeof semantics, "att=%s", in_folder("a.npy"));
    unseen_import_options_init(&o, sizeof o);
    o.features = in_folder("x.npy");
    o.labels = in_folder("y.npy");
    o.semantics = list;
    o.semantics_count = 1;
    return o;
}

static void imports(void **state) {
    (void)state;
    unseen_import_options o;
    unseen_dataset *data = NULL;
    unseen_import_options_init(&o, sizeof o);
    o.source = g_folder;
    o.image_files = in_folder("res101.mat");
    says(unseen_import("cub", in_folder("made"), &o), "option image_files tells how a MAT");
    o = files();
    o.unseen = "class_002,nobody";
    says(unseen_import("arrays", in_folder("made"), &o), "option unseen: there is no class");
    o.unseen = NULL;
    o.unseen_count = C - 1;
    says(unseen_import("arrays", in_folder("made"), &o), "take none with option unseen_count 0 (");
    o.unseen_count = -1;
    o.word_vectors = "builtin:words";
    says(unseen_import("arrays", in_folder("made"), &o), "give their names with option attributes");
    o.word_vectors = NULL;
    put_npy(in_folder("map.npy"), 1,
            "{'descr': '<f4', 'fortran_order': False, 'shape': (120, 9, 3, 3), }", g_maps,
            sizeof g_maps);
    o.features = in_folder("map.npy");
    util_ok(unseen_import("arrays", in_folder("made"), &o));
    util_ok(unseen_dataset_open(in_folder("made"), &data));
    const char *notes = unseen_dataset_notes(data);
    assert_non_null(strstr(notes, "import it with option layout nhwc"));
    assert_non_null(strstr(notes, "unseen_train with option all selects as ever"));
    assert_null(strstr(notes, "--"));
    says(unseen_extract(data, NULL, NULL), "import it again with option images ROOT");
    unseen_dataset_close(data);
    says(unseen_dataset_open(o.features, &data), "(unseen_import makes one)");
}

static int stop(const unseen_progress *progress, void *user) {
    (void)progress;
    (void)user;
    return 1;
}

static void trainings(void **state) {
    (void)state;
    static const char *bad[] = {"epochs"}, *unknown[] = {"epoch=3"};
    unseen_dataset *data = made(1), *regions = made(F);
    unseen_train_options o;
    unseen_train_options_init(&o, sizeof o);
    o.setting_count = 1;
    o.settings = bad;
    says(unseen_train("dem", data, &o, NULL, NULL), "a setting is key=value, not \"epochs\"");
    o.settings = unknown;
    says(unseen_train("dem", data, &o, NULL, NULL), "settings: ");
    o.setting_count = 0;
    says(unseen_train("msdn", regions, &o, NULL, NULL),
         "add them with unseen_dataset_add_words, or builtin:words");
    assert_non_null(strstr(un_error(), "start without: setting vectors=one-hot"));
    o.output = in_folder("one.model");
    o.progress = stop;
    says(unseen_train("dem", data, &o, NULL, NULL), "go on with option resume");
    o.progress = NULL;
    says(unseen_train("dem", data, &o, NULL, NULL), "option resume, or remove it");
    o.output = NULL;
    o.ranks_per_run = 2;
    says(unseen_train("dem", data, &o, NULL, NULL), "only the ranks of unseen-mpi share the steps");
    unseen_dataset_close(regions);
    unseen_dataset_close(data);
}

/* ---- the words themselves ---- */

/* Runs last: there is no way back. */
static void words_are_chosen_in_formats_alone(void **state) {
    (void)state;
    static const char *const arguments[] = {"{--set}", "{a|b}", "\001", "%s"};
    static const struct {
        const char *format, *library, *program;
    } cases[] = {{"{--image-files}", "option image_files", "--image-files"},
                 {"{--names|option classes}: %s", "option classes: {--set}", "--names: {--set}"},
                 {"a {`unseen check`|unseen_dataset_check} b", "a unseen_dataset_check b",
                  "a `unseen check` b"},
                 {"{now |}%s", "{--set}", "now {--set}"},
                 {"{\"a\": {…}}", "{\"a\": {…}}", "{\"a\": {…}}"},
                 {"{\"a\": {--x}}", "{\"a\": option x}", "{\"a\": --x}"},
                 {"{\"a\": {p|l}}", "{\"a\": l}", "{\"a\": p}"},
                 {"{} {--} {--x", "{} {--} {--x", "{} {--} {--x"}};
    for (int program = 0; program < 2; program++) {
        if (program) un_speak_as_program();
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            const char *want = program ? cases[i].program : cases[i].library;
            un_fail(UNSEEN_E_ARGUMENT, cases[i].format, arguments[0]);
            assert_string_equal(un_error(), want);
            if (!strchr(cases[i].format, '%'))
                assert_string_equal(un_worded(cases[i].format).text, want);
        }
        for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) {
            un_fail(UNSEEN_E_ARGUMENT, "%s", arguments[i]);
            assert_string_equal(un_error(), arguments[i]);
            un_fail_prefix(UNSEEN_E_ARGUMENT, "{p|l}");
            assert_int_equal(un_error()[0], program ? 'p' : 'l');
            assert_string_equal(un_error() + 3, arguments[i]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(arrays_in_memory),
                                       cmocka_unit_test(imports), cmocka_unit_test(trainings),
                                       cmocka_unit_test(words_are_chosen_in_formats_alone)};
    return cmocka_run_group_tests(tests, fill, remove_folder);
}
