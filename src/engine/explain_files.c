/* explain_files.c - an explanation as a folder of pictures and numbers; see explain.h. */
#include "engine/explain.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "data/stage.h"
#include "engine/evaluation.h"
#include "picture/sheet.h"

enum { BARS_PER_TOP = 2, MAP_SIDE = 448, LINES = 7, LINE = 320, MOST_GROUPS = 40 };

/* ---- file names from other people's names ---- */

enum { LONGEST = 80 }; /* bytes of a name */

static int harmless(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

un_status un_safe_name(const char *text, int without_extension, char **out) {
    const char *slash = strrchr(text, '/');
    const char *base = slash && slash[1] ? slash + 1 : text;
    size_t n = strlen(base), used = 0;
    const char *dot = strrchr(base, '.');
    if (without_extension && dot && dot > base) n = (size_t)(dot - base);
    if (n > LONGEST) n = LONGEST;
    char *name = NULL;
    UN_TRY(un_alloc(n + 2, 1, &name));
    for (size_t i = 0; i < n; i++) {
        int inner_dot = base[i] == '.' && used > 0 && i + 1 < n;
        name[used++] = harmless(base[i]) || inner_dot ? base[i] : '_';
    }
    if (used == 0) name[used++] = '_';
    name[used] = '\0';
    *out = name;
    return UNSEEN_OK;
}

/* ---- the sheet ---- */

static un_status make_tiles(const un_explanation *e, const size_t *list, size_t n, un_arena *arena,
                            un_sheet_section *section) {
    size_t A = e->attribute_count, R = e->grid_height * e->grid_width;
    un_sheet_tile *tiles = NULL;
    UN_TRY(un_arena_alloc(arena, n, sizeof *tiles, &tiles));
    for (size_t k = 0; k < n; k++) {
        size_t i = list[k];
        char *detail = NULL, text[LINE];
        int length = 0;
        if (e->found)
            length = snprintf(text, sizeof text, "score %.3g, ", (double)un_explain_found(e, i));
        snprintf(text + length, sizeof text - (size_t)length,
                 "effect %+.3g; class %.3g, other %.3g", (double)e->contribution[i],
                 (double)e->described[UN_ANSWER][i], (double)e->described[UN_OTHER][i]);
        UN_TRY(un_arena_string(arena, text, &detail));
        tiles[k] =
            (un_sheet_tile){e->attributes[i], detail, e->maps ? e->maps + i * R : NULL, A * R};
    }
    section->tiles = tiles;
    section->count = n;
    return UNSEEN_OK;
}

/* The lines beside the picture; returns how many. */
static size_t sheet_lines(const un_explanation *e, const char *note, char lines[LINES][LINE]) {
    const un_explain_model *m = &e->model;
    un_explain_verdict verdict;
    size_t n = 0;
    un_explain_judge(e, &verdict);
    snprintf(lines[n++], LINE, "%s class, score %.4g", m->seen[UN_ANSWER] ? "seen" : "unseen",
             (double)e->scores[e->answer]);
    snprintf(lines[n++], LINE, "and not %.120s (%s), score %.4g", m->names[UN_OTHER],
             m->seen[UN_OTHER] ? "seen" : "unseen", (double)e->scores[e->other]);
    const char *gap = un_method_scores_are_probabilities(m->class) ? "difference of the logarithms"
                                                                   : "difference";
    double constant = un_explain_constant(e);
    if (constant < 0 || constant > 0)
        snprintf(lines[n++], LINE, "%s %.4g, of which %.4g does not come from attributes", gap,
                 e->gap, constant);
    else
        snprintf(lines[n++], LINE, "%s %.4g, all of it from attributes", gap, e->gap);
    if (verdict.decided_by != UN_DECIDED_BY_ATTRIBUTES) {
        snprintf(lines[n++], LINE, "%s", verdict.attributes);
        snprintf(lines[n++], LINE, "%s", verdict.decides);
    }
    int length = snprintf(lines[n], LINE, "method %s; scores: ", m->class->name);
    un_method_score_unit(m->class, m->gamma, lines[n] + length, LINE - (size_t)length);
    n++;
    if (note || !e->maps)
        snprintf(lines[n++], LINE, "%s", note ? note : "this model has no attention maps");
    return n;
}

static un_status write_sheet(const un_explanation *e, const un_explain_selection *selection,
                             const char *note, const char *path) {
    char lines[LINES][LINE], for_title[LINE], against_title[LINE];
    const char *pointers[LINES];
    un_arena arena = {0};
    const char *const *names = e->model.names;
    const struct {
        const char *title;
        const size_t *list;
        size_t count;
    } lists[] = {
        {for_title, selection->for_answer, selection->for_count},
        {against_title, selection->against, selection->against_count},
        {"Also found strongly in the picture", selection->only_found, selection->only_found_count}};
    enum { LISTS = sizeof lists / sizeof *lists };
    un_sheet_section sections[LISTS];
    un_sheet sheet = {.crop = &e->crop,
                      .title = names[UN_ANSWER],
                      .lines = pointers,
                      .line_count = sheet_lines(e, note, lines),
                      .branches = e->maps ? e->branches : 0,
                      .branch_titles = un_method_map_titles(e->model.class),
                      .grid_height = e->grid_height,
                      .grid_width = e->grid_width,
                      .sections = sections};
    snprintf(for_title, LINE, "What speaks for %.120s", names[UN_ANSWER]);
    snprintf(against_title, LINE, "What speaks against it, for %.120s", names[UN_OTHER]);
    for (size_t i = 0; i < sheet.line_count; i++) pointers[i] = lines[i];
    un_status status = UNSEEN_OK;
    for (size_t l = 0; l < LISTS; l++) {
        if (lists[l].count == 0) continue;
        un_sheet_section *section = &sections[sheet.section_count++];
        *section = (un_sheet_section){.title = lists[l].title};
        UN_GO(make_tiles(e, lists[l].list, lists[l].count, &arena, section));
    }
    UN_GO(un_sheet_write(&sheet, path));
done:
    un_arena_free(&arena);
    return status;
}

/* ---- bars and maps ---- */

static un_status write_bars(const un_explanation *e, const un_explain_selection *selection,
                            const char *path) {
    un_arena arena = {0};
    const char **names = NULL;
    char *title = NULL, *yes = NULL, *no = NULL;
    float *values = NULL;
    un_explain_verdict verdict;
    double rest = 0;
    size_t A = e->attribute_count, n = BARS_PER_TOP * selection->count;
    if (n > A) n = A;
    un_status status = UNSEEN_OK;
    UN_GO(un_arena_alloc(&arena, n + 2, sizeof *names, &names));
    UN_GO(un_arena_alloc(&arena, n + 2, sizeof *values, &values));
    for (size_t k = 0; k < A; k++) {
        size_t i = selection->by_contribution[k];
        if (k >= n) {
            rest += (double)e->contribution[i];
            continue;
        }
        names[k] = e->attributes[i];
        values[k] = e->contribution[i];
    }
    names[n] = "all other attributes";
    values[n] = (float)rest;
    names[n + 1] = "what does not come from attributes";
    values[n + 1] = (float)un_explain_constant(e);
    un_explain_judge(e, &verdict);
    UN_GO(un_format(
        &title, "Why %s%s", e->model.names[UN_ANSWER],
        verdict.decided_by == UN_DECIDED_BY_ATTRIBUTES ? "" : ", though not for its attributes"));
    UN_GO(un_format(&yes, "for %s", e->model.names[UN_ANSWER]));
    UN_GO(un_format(&no, "for %s", e->model.names[UN_OTHER]));
    const un_bar_chart chart = {title, yes, no, names, values, n + 2};
    UN_GO(un_bar_chart_write(&chart, path));
done:
    free(title);
    free(yes);
    free(no);
    un_arena_free(&arena);
    return status;
}

/* Attention on groups of attributes against an even spread, the most preferred first. */
static un_status write_groups(const un_explanation *e, const char *title, const char *path) {
    const un_group_attention *g = &e->groups;
    un_arena arena = {0};
    const char **names = NULL;
    size_t *order = NULL;
    float *values = NULL;
    size_t n = g->count < MOST_GROUPS ? g->count : MOST_GROUPS;
    un_status status = UNSEEN_OK;
    UN_GO(un_arena_alloc(&arena, n, sizeof *names, &names));
    UN_GO(un_arena_alloc(&arena, n, sizeof *values, &values));
    UN_GO(un_arena_alloc(&arena, g->count, sizeof *order, &order));
    un_group_attention_order(g, order);
    for (size_t i = 0; i < n; i++) {
        char text[LINE], *name = NULL;
        double share = (double)g->share[order[i]], even = (double)g->even[order[i]];
        snprintf(text, sizeof text, "%.120s  %.1f %%", g->names[order[i]], 100 * share);
        UN_GO(un_arena_string(&arena, text, &name));
        names[i] = name;
        values[i] = (float)(100 * (share / even - 1));
    }
    const un_bar_chart chart = {title, "percent more than evenly", "percent less", names, values,
                                n};
    UN_GO(un_bar_chart_write(&chart, path));
done:
    un_arena_free(&arena);
    return status;
}

/* The maps of one attribute, over the crop at a size that is worth looking at. */
static un_status write_maps(const un_explanation *e, const un_image *backdrop, size_t rank,
                            size_t i, const char *folder) {
    char *safe = NULL;
    size_t A = e->attribute_count, R = e->grid_height * e->grid_width;
    un_status status = un_safe_name(e->attributes[i], 0, &safe);
    for (size_t b = 0; b < e->branches && !status; b++) {
        un_image heat = {0};
        char *path = NULL;
        status = un_format(&path, "%s/%02zu-%s-branch%zu.png", folder, rank + 1, safe, b + 1);
        if (!status)
            status = un_heat_picture(backdrop, e->maps + (b * A + i) * R, e->grid_height,
                                     e->grid_width, &heat);
        if (!status) status = un_image_write_png(&heat, path);
        un_image_free(&heat);
        free(path);
    }
    free(safe);
    return status;
}

static un_status write_all_maps(const un_explanation *e, const un_explain_selection *selection,
                                const char *folder) {
    un_image backdrop = {0};
    size_t side = e->crop.width < MAP_SIDE ? MAP_SIDE : e->crop.width, rank = 0;
    un_status status = UNSEEN_OK;
    UN_TRY(un_directory_make(folder));
    UN_GO(un_image_resize(&e->crop, side, side, UN_BICUBIC, &backdrop));
    for (size_t i = 0; i < e->attribute_count; i++) {
        size_t number = selection->by_contribution[i];
        if (un_explain_shown(selection, number))
            UN_GO(write_maps(e, &backdrop, rank++, number, folder));
    }
    UN_GO(un_directory_sync(folder));
done:
    un_image_free(&backdrop);
    return status;
}

/* ---- the JSON ---- */

static json_t *class_json(const un_explanation *e, int side) {
    double score = (double)e->scores[side == UN_ANSWER ? e->answer : e->other];
    return json_pack("{s:s, s:o, s:b}", "label", e->model.names[side], "score",
                     un_json_number(score), "seen", e->model.seen[side]);
}

static json_t *numbers_json(const size_t *list, size_t n) {
    json_t *out = json_array();
    if (!list) n = 0;
    for (size_t i = 0; i < n; i++) un_json_push(&out, json_integer((json_int_t)list[i]));
    return out;
}

/* [branches][h][w] */
static json_t *maps_json(const un_explanation *e, size_t attribute) {
    size_t R = e->grid_height * e->grid_width;
    json_t *branches = json_array();
    for (size_t b = 0; b < e->branches; b++) {
        const float *map = e->maps + (b * e->attribute_count + attribute) * R;
        json_t *rows = json_array();
        for (size_t y = 0; y < e->grid_height; y++) {
            json_t *row = json_array();
            for (size_t x = 0; x < e->grid_width; x++)
                un_json_push(&row, un_json_number((double)map[y * e->grid_width + x]));
            un_json_push(&rows, row);
        }
        un_json_push(&branches, rows);
    }
    return branches;
}

static json_t *attribute_json(const un_explanation *e, size_t i, int with_maps) {
    size_t A = e->attribute_count;
    json_t *scores = json_null();
    if (e->found) {
        scores = json_array();
        for (size_t b = 0; b < e->attribute_branches; b++)
            un_json_push(&scores, un_json_number((double)e->found[b * A + i]));
    }
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "number", (json_int_t)i, "name",
                     e->has_names ? json_string(e->attributes[i]) : json_null(), "contribution",
                     un_json_number((double)e->contribution[i]), "score", scores, "answer_value",
                     un_json_number((double)e->described[UN_ANSWER][i]), "other_value",
                     un_json_number((double)e->described[UN_OTHER][i]), "mean_value",
                     un_json_number(e->mean[i]), "maps",
                     e->maps && with_maps ? maps_json(e, i) : json_null());
}

static const char *decided_by_name(un_decided_by decided_by) {
    static const char *const names[] = {[UN_DECIDED_BY_ATTRIBUTES] = "attributes",
                                        [UN_DECIDED_BY_CALIBRATION] = "calibration",
                                        [UN_DECIDED_BY_BIAS] = "bias",
                                        [UN_DECIDED_BY_INTERACTION] = "interaction",
                                        [UN_DECIDED_BY_CANDIDATES] = "candidates",
                                        [UN_DECIDED_BY_NOTHING] = "nothing"};
    return names[decided_by];
}

static un_status add_verdict(json_t *out, const un_explanation *e) {
    un_explain_verdict v;
    un_explain_judge(e, &v);
    UN_TRY(un_json_set(out, "attributes_for", un_json_number(v.in_favour)));
    UN_TRY(un_json_set(out, "attributes_against", un_json_number(v.against)));
    UN_TRY(un_json_set(out, "decided_by", json_string(decided_by_name(v.decided_by))));
    return un_json_set(out, "verdict",
                       v.decided_by == UN_DECIDED_BY_ATTRIBUTES
                           ? json_null()
                           : json_sprintf("%s: %s", v.attributes, v.decides));
}

static un_status fill(json_t *out, const un_explanation *e, const char *note,
                      const un_explain_selection *selection) {
    const un_method_class *class = e->model.class;
    int sum = class->attribute_scores != NULL;
    UN_TRY(un_json_set(out, "method", json_string(class->name)));
    char calibration[96];
    un_method_calibration_text(class, e->model.gamma, calibration, sizeof calibration);
    UN_TRY(un_json_set(out, "score_unit", json_string(class->score_unit)));
    UN_TRY(un_json_set(out, "calibration", *calibration ? json_string(calibration) : json_null()));
    UN_TRY(un_json_set(out, "answer", class_json(e, UN_ANSWER)));
    UN_TRY(un_json_set(out, "instead_of", class_json(e, UN_OTHER)));
    UN_TRY(un_json_set(out, "crop",
                       e->crop.pixels
                           ? json_pack("{s:f, s:f, s:f, s:f}", "x", e->where.x, "y", e->where.y,
                                       "width", e->where.width, "height", e->where.height)
                           : json_null()));
    UN_TRY(un_json_set(out, "grid",
                       json_pack("[I, I]", (json_int_t)e->grid_height, (json_int_t)e->grid_width)));
    UN_TRY(un_json_set(out, "branches", json_integer((json_int_t)(e->maps ? e->branches : 0))));
    UN_TRY(un_json_set(out, "contribution_kind",
                       json_string(!sum                                        ? "exchange"
                                   : un_method_scores_are_probabilities(class) ? "log"
                                                                               : "sum")));
    UN_TRY(un_json_set(out, "constant", un_json_number((double)e->constant)));
    UN_TRY(add_verdict(out, e));
    UN_TRY(un_json_set(
        out, "note",
        note ? json_string(note)
             : (e->maps ? json_null() : json_string("this model has no attention maps"))));
    UN_TRY(un_json_set(
        out, "shown",
        json_pack("{s:o, s:o, s:o, s:o}", "by_score",
                  numbers_json(selection->by_score, selection->count), "by_contribution",
                  numbers_json(selection->by_contribution, selection->count), "for",
                  numbers_json(selection->for_answer, selection->for_count), "against",
                  numbers_json(selection->against, selection->against_count))));
    UN_TRY(un_json_set(out, "branch_titles", un_attention_titles_json(class, e->maps != NULL)));
    UN_TRY(un_json_set(out, "groups",
                       e->groups.count > 0 ? un_group_attention_json(&e->groups) : json_null()));
    json_t *list = json_array();
    UN_TRY(un_json_set(out, "attributes", list));
    for (size_t k = 0; k < e->attribute_count; k++) {
        size_t i = selection->by_contribution[k];
        UN_TRY(un_json_append(list, attribute_json(e, i, un_explain_shown(selection, i))));
    }
    return UNSEEN_OK;
}

static un_status make_json(const un_explanation *e, const char *image, const char *note,
                           const un_explain_selection *selection, json_t **out) {
    json_t *json = json_object();
    char *name = NULL;
    un_status status = un_utf8_repair(image, &name);
    if (!status) status = un_json_set(json, "image", json_string(name));
    if (!status) status = fill(json, e, note, selection);
    free(name);
    if (status)
        json_decref(json);
    else
        *out = json;
    return status;
}

/* ---- the folder ---- */

static un_status write_files(const un_explanation *e, const char *image, const char *note,
                             const un_explain_selection *selection, const char *folder) {
    static const char *const names[] = {"sheet.png", "contributions.png", "crop.png",
                                        "maps",      "groups.png",        "explanation.json"};
    char *path[sizeof names / sizeof *names] = {0};
    json_t *json = NULL;
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        UN_GO(un_path_join(folder, names[i], &path[i]));
    UN_GO(write_sheet(e, selection, note, path[0]));
    UN_GO(write_bars(e, selection, path[1]));
    UN_GO(un_image_write_png(&e->crop, path[2]));
    if (e->maps) UN_GO(write_all_maps(e, selection, path[3]));
    UN_GO(make_json(e, image, note, selection, &json));
    if (e->groups.count > 0)
        UN_GO(write_groups(e, e->model.class->group_attention->title, path[4]));
    UN_GO(un_json_write(path[5], json));
done:
    json_decref(json);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) free(path[i]);
    return status;
}

/* Whether a folder is an explanation that may be replaced. */
static un_status check_old(const char *folder) {
    char *path = NULL;
    UN_TRY(un_path_join(folder, "explanation.json", &path));
    int old = un_path_exists(path);
    free(path);
    return old ? UNSEEN_OK
               : un_fail(UNSEEN_E_ARGUMENT,
                         "%s exists and is no explanation; choose another output directory",
                         folder);
}

un_status un_explain_write(const un_explanation *e, const char *image, const char *note, size_t top,
                           const char *directory, const char *name) {
    un_explain_selection selection = {0};
    un_stage stage = UN_STAGE_NONE;
    char *folder = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_path_join(directory, name, &folder));
    if (un_path_exists(folder)) UN_GO(check_old(folder));
    UN_GO(un_stage_open_over(&stage, folder, "explain"));
    UN_GO(un_explain_select(e, top, &selection));
    UN_GO(write_files(e, image, note, &selection, stage.partial));
    UN_GO(un_stage_commit(&stage));
done:
    un_stage_abort(&stage);
    un_explain_selection_free(&selection);
    free(folder);
    return status;
}

/* ---- the same in memory ---- */

un_status un_explain_json(const un_explanation *e, const char *image, const char *note, size_t top,
                          json_t **out) {
    un_explain_selection selection = {0};
    UN_TRY(un_explain_select(e, top, &selection));
    un_status status = make_json(e, image, note, &selection, out);
    un_explain_selection_free(&selection);
    return status;
}

/* What was written to a file without a name. */
static un_status read_back(int fd, char **bytes, size_t *size) {
    struct stat st;
    if (fstat(fd, &st) != 0) return un_fail_errno(errno, "cannot read a drawing back");
    UN_TRY(un_alloc((size_t)st.st_size, 1, bytes));
    if (pread(fd, *bytes, (size_t)st.st_size, 0) != st.st_size) {
        free(*bytes);
        return un_fail_errno(errno, "cannot read a drawing back");
    }
    *size = (size_t)st.st_size;
    return UNSEEN_OK;
}

un_status un_explain_png(const un_explanation *e, const char *note, size_t top,
                         unseen_drawing drawing, char **bytes, size_t *size) {
    un_explain_selection selection = {0};
    char path[40];
    int fd = memfd_create("drawing", MFD_CLOEXEC);
    if (fd < 0) return un_fail_errno(errno, "no memory for a drawing");
    snprintf(path, sizeof path, "/dev/fd/%d", fd); /* outputs write through what is open */
    un_status status = un_explain_select(e, top, &selection);
    if (!status && drawing == UNSEEN_DRAWING_SHEET)
        status = write_sheet(e, &selection, note, path);
    else if (!status)
        status = write_bars(e, &selection, path);
    if (!status) status = read_back(fd, bytes, size);
    un_explain_selection_free(&selection);
    close(fd);
    return status;
}
