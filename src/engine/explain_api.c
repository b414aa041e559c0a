/* explain_api.c - the public interface (unseen.h): why a model says what it says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "engine/handles.h"
#include "engine/loader.h"

enum { MOST_SHOWN = 50 };

static const unseen_explain_options g_options = {.size = sizeof g_options, .top = 6};

void unseen_explain_options_init(unseen_explain_options *options, size_t size) {
    un_options_init(options, size, &g_options, sizeof g_options);
}

void unseen_explanation_close(unseen_explanation *x) {
    if (!x) return;
    un_explanation_free(&x->explanation);
    free(x->image);
    free(x->note);
    free(x->json);
    free(x->png);
    free(x);
}

/* The explanation, against the next best class where the other one is the answer itself: there is
 * nothing to say about a class and itself. */
static un_status compare(unseen_explanation *x, un_classifier *c, const unseen_picture *picture,
                         const unseen_explain_options *o, un_progress *progress) {
    un_explain_options options = {.among = o->among, .instead_of = o->instead_of};
    UN_TRY(un_progress_step(progress, 0));
    UN_TRY(un_explain(c, picture, &options, &x->explanation));
    if (x->explanation.answer != x->explanation.other) return UNSEEN_OK;
    UN_TRY(un_progress_step(progress, 0));
    un_explanation_free(&x->explanation);
    options.instead_of = NULL;
    UN_TRY(un_explain(c, picture, &options, &x->explanation));
    return un_format(&x->note, "the answer is %.100s itself; compared with the next best",
                     o->instead_of);
}

static un_status check_picture(const unseen_model *model, const unseen_picture *picture) {
    if (!model->classifier.backbone && !picture->features)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "the model has no backbone yet: unseen_model_attach_backbone");
    UN_TRY(un_check_given(picture, 0, model->classifier.recipe.crop));
    return picture->features ? un_features_check(model, picture->features, 1, 0) : UNSEEN_OK;
}

static un_status explain(unseen_explanation *x, unseen_model *model, const unseen_picture *picture,
                         const unseen_explain_options *o) {
    json_t *json = NULL;
    un_progress progress;
    UN_TRY(check_picture(model, picture));
    UN_TRY(un_among_check(o->among));
    if (o->top == 0 || o->top > MOST_SHOWN)
        return un_fail(UNSEEN_E_ARGUMENT, "1 to %d attributes of each list can be shown, not %zu",
                       MOST_SHOWN, o->top);
    x->top = o->top;
    UN_TRY(un_format(&x->image, "%s",
                     picture->path                            ? picture->path
                     : picture->features && !picture->cropped ? "features in memory"
                                                              : "picture in memory"));
    un_progress_begin(&progress, "explain", "pictures", 1);
    un_status status = compare(x, &model->classifier, picture, o, &progress);
    if (!status) un_progress_update(&progress, 1);
    UN_TRY(un_progress_finish(&progress, status));
    UN_TRY(un_explain_json(&x->explanation, x->image, x->note, x->top, &json));
    status = un_json_text(json, &x->json);
    json_decref(json);
    return status;
}

unseen_status unseen_explain(unseen_model *model, const unseen_picture *picture,
                             const unseen_explain_options *options, unseen_explanation **out) {
    UN_LOCALE_C;
    unseen_explain_options o = g_options;
    un_watch watch;
    if (!model || !picture || !out)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_explain: a pointer is NULL");
    UN_TRY(un_options_take(options, "unseen_explain_options", &o, sizeof o));
    unseen_explanation *x = calloc(1, sizeof *x);
    if (!x) return un_fail_memory(sizeof *x);
    un_watch_begin(&watch, o.progress, o.user);
    un_status status = explain(x, model, picture, &o);
    un_watch_end(&watch);
    if (status)
        unseen_explanation_close(x);
    else
        *out = x;
    return status;
}

const char *unseen_explanation_json(const unseen_explanation *x) { return x ? x->json : NULL; }

static un_status need_crop(const unseen_explanation *x) {
    if (x->explanation.crop.pixels) return UNSEEN_OK;
    return un_fail(UNSEEN_E_ARGUMENT, "what is explained was given as features, so there is no "
                                      "picture to draw on: give its crop beside them");
}

unseen_status unseen_explanation_write(const unseen_explanation *x, const char *directory,
                                       const char *name) {
    UN_LOCALE_C;
    if (!x || !directory || !name)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_explanation_write: a pointer is NULL");
    if (*name == 0 || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return un_fail(
            UNSEEN_E_ARGUMENT,
            "an explanation is a folder inside the directory: \"%.200s\" is no name of one", name);
    UN_TRY(need_crop(x));
    return un_explain_write(&x->explanation, x->image, x->note, x->top, directory, name);
}

unseen_status unseen_explanation_png(unseen_explanation *x, unseen_drawing drawing,
                                     const void **bytes, size_t *size) {
    UN_LOCALE_C;
    char *png = NULL;
    if (!x || !bytes || !size)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_explanation_png: a pointer is NULL");
    if (drawing != UNSEEN_DRAWING_SHEET && drawing != UNSEEN_DRAWING_CONTRIBUTIONS)
        return un_fail(UNSEEN_E_ARGUMENT, "%d is no unseen_drawing", (int)drawing);
    if (drawing == UNSEEN_DRAWING_SHEET) UN_TRY(need_crop(x));
    UN_TRY(un_explain_png(&x->explanation, x->note, x->top, drawing, &png, size));
    free(x->png);
    *bytes = x->png = png;
    return UNSEEN_OK;
}
