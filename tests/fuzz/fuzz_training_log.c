/*
 * fuzz_training_log.c - what a report draws of a training: "manifest.json" and "log.csv" of an
 * archive, into the page.
 */
#include "fuzz.h"

#include "base/file.h"
#include "base/json.h"
#include "engine/report.h"

static void draw(const un_report_model *model, const json_t *manifest) {
    const size_t number = 0;
    const un_report_group group = {
        .method = "dem", .features = "maps", .models = &number, .count = 1};
    un_report_model drawn = *model;
    json_t *result = json_object();
    double U[] = {0.25}, S[] = {0.5};
    const un_curve curve = {.count = 1, .U = U, .S = S};
    char *page = NULL;
    size_t size = 0;
    FUZZ_REQUIRE(result);
    drawn.name = "a.model";
    drawn.manifest = manifest;
    drawn.result = result;
    drawn.curve = &curve;
    const un_report report = {.dataset = "set",
                              .split = "proposed",
                              .models = &drawn,
                              .count = 1,
                              .groups = &group,
                              .group_count = 1};
    if (fuzz_taken(un_report_html(&report, &page, &size))) fuzz_touch(page, size);
    free(page);
    json_decref(result);
}

int fuzz_run_training_log(const uint8_t *data, size_t size) {
    un_arena arena = {0};
    un_report_model model = {0};
    json_t *manifest = NULL;
    fuzz_unpack(data, size);
    const char *log = fuzz_path("log.csv");
    int taken =
        fuzz_taken(un_json_read(fuzz_path("manifest.json"), &manifest)) &&
        fuzz_taken(un_report_add_plots(manifest, un_path_exists(log) ? log : NULL, &arena, &model));
    for (size_t p = 0; taken && p < model.plot_count; p++)
        for (size_t s = 0; s < model.plots[p].count; s++) {
            const un_report_series *series = &model.plots[p].series[s];
            fuzz_touch_text(series->name);
            fuzz_touch(series->x, series->count * sizeof *series->x);
            fuzz_touch(series->y, series->count * sizeof *series->y);
        }
    if (taken) draw(&model, manifest);
    json_decref(manifest);
    un_arena_free(&arena);
    return taken;
}

#define MANIFEST                                                                                   \
    "@@ manifest.json\n{\"method\": \"dem\", \"selection\": {\"runs\": [\"a\", \"a\"], "           \
    "\"evaluations\": [[[1, 0.5, 0.1, 0.2, 0.15, 0.04, 0.2], [2, 0.6, 0.1, 0.2, 0.15, 0.05, "      \
    "0.2]], [[1, 0.5, 0.1, 0.2, 0.15, 0.04, 0.2]]]}}"

void fuzz_seed_training_log(void) {
    fuzz_seed_text("manifest", MANIFEST);
    fuzz_seed_text("log", MANIFEST
                   "\n@@ log.csv\nrun,epoch,step,seconds,loss,T1\n"
                   "fold 1,1,10,0.5,0.25,\nfold 1,2,20,0.6,nan,0.5\nfinal,1,10,0.5,0.3,\n");
    fuzz_seed_text("nothing", "@@ manifest.json\n{}");
    fuzz_seed_text("bad_log", "@@ manifest.json\n{}\n@@ log.csv\na,b\n1,2\n");
    fuzz_seed_text("bad_none", "");
}
