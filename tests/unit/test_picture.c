/*
 * test_picture.c - the colour scale against CIELAB the other way round, enlarged maps
 * against what interpolation must keep, names and text that must not do harm.
 */
#include <math.h>
#include <unistd.h>

#include "base/file.h"
#include "engine/explain.h"
#include "picture/canvas.h"
#include "picture/report.h"
#include "picture/sheet.h"
#include "util.h"
#include "vision/image/image.h"

/* ---- colours ---- */

static double linear(unsigned char byte) {
    double v = byte / 255.0;
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

static double lab_root(double t) {
    return t > 216.0 / 24389 ? cbrt(t) : (24389.0 / 27 * t + 16) / 116;
}

/* sRGB bytes to CIELAB by the standard's matrix, D65. */
static void to_lab(const unsigned char rgb[3], double lab[3]) {
    double r = linear(rgb[0]), g = linear(rgb[1]), b = linear(rgb[2]);
    double x = lab_root((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047);
    double y = lab_root(0.2126729 * r + 0.7151522 * g + 0.0721750 * b);
    double z = lab_root((0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883);
    lab[0] = 116 * y - 16;
    lab[1] = 500 * (x - y);
    lab[2] = 200 * (y - z);
}

/* Bytes round by up to half of 1/255, which is up to 1.3 of CIELAB's unit in dark colours; a colour
 * outside sRGB would be cut, and be further away. */
static void test_scale_is_even(void **state) {
    (void)state;
    const double degree = acos(-1.0) / 180;
    double last[3] = {0};
    unsigned char rgb[3];
    for (int i = 0; i <= 32; i++) {
        double t = i / 32.0, lab[3], hue = (-60 + 155 * t) * degree;
        un_heat_colour(t, rgb);
        to_lab(rgb, lab);
        util_near(lab[0], 15 + 77 * t, 0.5);
        util_near(lab[1], 45 * cos(hue), 1.3);
        util_near(lab[2], 45 * sin(hue), 1.3);
        if (i > 0) {
            double step = sqrt(pow(lab[0] - last[0], 2) + pow(lab[1] - last[1], 2) +
                               pow(lab[2] - last[2], 2));
            /* the helix: 77 / 32 up, a chord of 155 / 32 degrees */
            util_near(step, hypot(77.0 / 32, 90 * sin(155.0 / 64 * degree)), 1.3);
        }
        memcpy(last, lab, sizeof last);
    }
    unsigned char end[3];
    un_heat_colour(7, rgb);
    un_heat_colour(1, end);
    assert_memory_equal(rgb, end, 3);
    un_heat_colour((double)NAN, rgb);
    un_heat_colour(-1, end);
    assert_memory_equal(rgb, end, 3);
}

/* ---- maps ---- */

static void test_enlarge(void **state) {
    (void)state;
    const float map[6] = {1, 5, 2, 0, 0, 7};
    float out[15 * 10], flat[6] = {3, 3, 3, 3, 3, 3};
    util_ok(un_heat_enlarge(map, 2, 3, 15, 10, out)); /* five pixels a cell */
    for (size_t r = 0; r < 2; r++)
        for (size_t c = 0; c < 3; c++) /* cubic convolution goes through the samples */
            util_near((double)out[(5 * r + 2) * 15 + 5 * c + 2], (double)map[r * 3 + c], 1e-5);
    for (size_t i = 0; i < 150; i++) assert_true(out[i] >= 0);
    util_ok(un_heat_enlarge(flat, 3, 2, 7, 9, out));
    for (size_t i = 0; i < 63; i++) util_near((double)out[i], 3, 1e-5);
    util_ok(un_heat_enlarge(map, 1, 1, 4, 4, out));
    for (size_t i = 0; i < 16; i++) util_near((double)out[i], 1, 1e-6);
}

static void test_heat_picture(void **state) {
    (void)state;
    un_image image, heat;
    const float map[4] = {0, 0, 0, 1}, zeros[4] = {0};
    util_ok(un_image_create(40, 20, &image));
    util_ok(un_heat_picture(&image, map, 2, 2, &heat));
    assert_int_equal(heat.width, 40);
    assert_int_equal(heat.height, 20);
    size_t hot = 3 * (15 * 40 + 30), cold = 3 * (5 * 40 + 10);
    assert_true(heat.pixels[hot] > heat.pixels[cold] + 50);
    un_image_free(&heat);
    util_ok(un_heat_picture(&image, zeros, 2, 2, &heat));
    for (size_t i = 3; i < (size_t)3 * 800; i++)
        assert_int_equal(heat.pixels[i], heat.pixels[i % 3]);
    un_image_free(&heat);
    un_image_free(&image);
}

/* ---- files ---- */

static void test_files(void **state) {
    (void)state;
    char folder[] = "/tmp/unseen-picture-XXXXXX", path[64];
    un_image image, back;
    unsigned char *jpeg = NULL;
    size_t size = 0;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/x.png", folder);
    util_ok(un_image_create(33, 21, &image));
    for (size_t i = 0; i < (size_t)3 * 33 * 21; i++) image.pixels[i] = (unsigned char)(i * 7 / 11);
    util_ok(un_image_write_png(&image, path));
    util_ok(un_image_read(path, NULL, &back));
    assert_int_equal(back.width, 33);
    assert_memory_equal(back.pixels, image.pixels, (size_t)3 * 33 * 21);
    un_image_free(&back);
    util_ok(un_image_jpeg(&image, 90, &jpeg, &size));
    util_ok(un_image_decode(jpeg, size, "memory", NULL, &back));
    assert_int_equal(back.width, 33);
    assert_int_equal(back.height, 21);
    un_image_free(&back);
    free(jpeg);

    /* names that are long, empty and no UTF-8 must not stop the drawing */
    char longest[2000];
    memset(longest, 'w', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    const char *const names[] = {longest, "", "a\xFF\nb"};
    const float values[] = {1, -2, 0}, map[4] = {1, 2, 3, 4};
    const un_bar_chart chart = {longest, "\xC3", "", names, values, 3};
    util_ok(un_bar_chart_write(&chart, path));
    util_ok(un_image_read(path, NULL, &back));
    un_image_free(&back);
    const un_sheet_tile tiles[] = {{longest, "\xFE", map, 0}, {"", "", map, 0}, {"x", "y", map, 0}};
    const un_sheet_section section = {"section", tiles, 3};
    const un_sheet sheet = {&image, longest, names, 3, 2, 2, 2, NULL, &section, 1};
    util_ok(un_sheet_write(&sheet, path));
    util_ok(un_image_read(path, NULL, &back));
    un_image_free(&back);
    un_image_free(&image);
    util_fails(un_bar_chart_write(&chart, "/nonexistent/x.png"), UNSEEN_E_IO, "/nonexistent");
    util_ok(un_directory_remove(folder));
}

static size_t lines_of(un_canvas *canvas, const char *text, double width, size_t most) {
    const un_text_style style = {.size = 14, .width = width};
    size_t lines = 0;
    util_ok(un_canvas_paragraph(canvas, 0, 0, 0, text, &style, most, &lines));
    return lines;
}

static size_t height_of(const char *path) {
    un_image image;
    util_ok(un_image_read(path, NULL, &image));
    size_t height = image.height;
    un_image_free(&image);
    return height;
}

/* What does not fit beside or over the maps takes more lines, and the sheet is higher for it. */
static void test_nothing_is_cut(void **state) {
    (void)state;
    char folder[] = "/tmp/unseen-picture-XXXXXX", path[64];
    un_canvas *canvas = NULL;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.png", folder);
    util_ok(un_canvas_create(1, 1, &canvas));
    assert_int_equal(lines_of(canvas, "", 100, 9), 1);
    assert_int_equal(lines_of(canvas, "a b c", 1000, 9), 1);
    assert_int_equal(lines_of(canvas, "has_underparts_color::iridescent", 150, 9), 2);
    assert_int_equal(lines_of(canvas, "one two three", 1, 99), 11); /* a character each */
    assert_int_equal(lines_of(canvas, "\xC3\xA4\xC3\xB6\xFF", 1, 99), 3);
    assert_int_equal(lines_of(canvas, "one two three", 1, 4), 4);
    un_canvas_free(canvas);

    un_image image;
    size_t height[2];
    util_ok(un_image_create(8, 8, &image));
    const float map[4] = {1, 2, 3, 4};
    const char *const titles[] = {"first", "second"};
    const char *const names[] = {"short", "has_underparts_color::iridescent_and_then_some_more"};
    for (size_t i = 0; i < 2; i++) {
        const un_sheet_tile tile = {names[i], "detail", map, 0};
        const un_sheet_section section = {"section", &tile, 1};
        const un_sheet sheet = {&image, "title", NULL, 0, 1, 2, 2, titles, &section, 1};
        util_ok(un_sheet_write(&sheet, path));
        height[i] = height_of(path);
    }
    assert_true(height[1] > height[0]);
    const float value = 1;
    for (size_t i = 0; i < 2; i++) {
        const un_bar_chart chart = {"title", names[i], "no", names, &value, 1};
        util_ok(un_bar_chart_write(&chart, path));
        height[i] = height_of(path);
    }
    assert_true(height[1] > height[0]);
    /* Of methods without maps: text alone. */
    const un_sheet_tile tile = {"name", "detail", NULL, 0};
    const un_sheet_section section = {"section", &tile, 1};
    const un_sheet sheet = {&image, "title", NULL, 0, 0, 0, 0, NULL, &section, 1};
    util_ok(un_sheet_write(&sheet, path));
    assert_true(height_of(path) < height[0] + 400);
    un_image_free(&image);
    util_ok(un_directory_remove(folder));
}

static void check_name(const char *text, int without_extension, const char *want) {
    char *name = NULL;
    util_ok(un_safe_name(text, without_extension, &name));
    assert_string_equal(name, want);
    free(name);
}

static void test_safe_names(void **state) {
    (void)state;
    check_name("/a/b/Bird 1.jpg", 1, "Bird_1");
    check_name("has_wing_color::red", 0, "has_wing_color__red");
    check_name("..", 1, "_");
    check_name("../..", 0, "__");
    check_name(".hidden.png", 1, "_hidden");
    check_name("a.tar.gz", 1, "a.tar");
    check_name("x/", 1, "x_");
    check_name("", 1, "_");
    check_name("a\xC3\xA4\n;$`", 1, "a______");
    char text[300], *name = NULL;
    memset(text, 'n', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    util_ok(un_safe_name(text, 1, &name));
    assert_int_equal(strlen(name), 80);
    free(name);
}

/* ---- text ---- */

static void check_text(const char *text, const char *want) {
    char *out = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&out, &size);
    un_html_text(stream, text);
    fclose(stream);
    assert_string_equal(out, want);
    free(out);
}

static void check_base64(const char *bytes, size_t n, const char *want) {
    char *out = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&out, &size);
    un_html_base64(stream, bytes, n);
    fclose(stream);
    assert_string_equal(out, want);
    free(out);
}

static void test_text(void **state) {
    (void)state;
    check_text("<a href='x' b=\"y\">&amp;", "&lt;a href=&#39;x&#39; b=&quot;y&quot;&gt;&amp;amp;");
    check_text("gr\xC3\xBCn\x01\x1B[m\t\n", "gr\xC3\xBCn[m\t\n");
    check_text("a\xFFz\xC3", "a\xEF\xBF\xBDz\xEF\xBF\xBD");
    check_text("\xC2\x85x", "x");
    check_text(NULL, "");
    /* RFC 4648, section 10 */
    check_base64("", 0, "");
    check_base64("f", 1, "Zg==");
    check_base64("fo", 2, "Zm8=");
    check_base64("foo", 3, "Zm9v");
    check_base64("foobar", 6, "Zm9vYmFy");
    check_base64("\xFF\xFE\x00", 3, "//4A");
}

/* ---- the page ---- */

static void only_its_own_script(const char *text) {
    const char *script = strstr(text, "<script");
    assert_non_null(script);
    assert_null(strstr(script + 1, "<script"));
    assert_non_null(strstr(text, "script-src 'sha256-"));
    assert_true(strstr(text, "script-src 'sha256-") < strstr(text, "<title>"));
}

static void test_page(void **state) {
    (void)state;
    const char *evil = "</title><script>alert(1)</script>";
    double threshold[2] = {0, 1}, U[3] = {0, 0.25, 0.5}, S[3] = {0.75, 0.5, 0};
    double x[3] = {1, 2, 3}, y[3] = {0.5, (double)NAN, 0.25};
    const un_curve curve = {3, threshold, U, S};
    json_t *result = json_pack(
        "{s:s, s:f, s:s, s:s, s:s, s:[{s:s, s:b, s:i, s:f}, {s:s, s:b, s:i, s:n}]}", "method", evil,
        "T1", 0.5, "selection", "selected on test", "gamma_source", "selected on test",
        "score_unit", evil, "classes", "name", evil, "seen", 0, "images", 3, "accuracy", 0.625,
        "name", "none", "seen", 1, "images", 0, "accuracy");
    json_t *manifest = json_pack("{s:s}", evil, evil);
    assert_non_null(result);
    const uint32_t confusion[4] = {2, 1, 0, 0};
    const un_report_series series = {evil, 3, x, y}, nothing = {"empty", 0, x, y};
    const un_report_plot plots[] = {{evil, 1, &series, 1}, {"none", 0, &nothing, 1}};
    const un_report_pair pair = {.truth = evil, .predicted = evil, .count = 2, .of = 3};
    unsigned char bytes[] = {1, 2, 3};
    const un_report_picture picture = {.truth = evil,
                                       .predicted = evil,
                                       .image = {{bytes, 3}, {bytes, 3}},
                                       .attribute = evil,
                                       .verdict = evil,
                                       .without_gamma = evil};
    const un_report_model model = {.name = evil,
                                   .result = result,
                                   .manifest = manifest,
                                   .curve = &curve,
                                   .confusion = confusion,
                                   .turned = 3,
                                   .turned_right = 2,
                                   .turned_wrong = 1,
                                   .pairs = &pair,
                                   .pictures = &picture,
                                   .plots = plots,
                                   .pair_count = 1,
                                   .picture_count = 1,
                                   .plot_count = 2};
    const size_t members[] = {0};
    const un_report_group group = {.method = evil, .features = evil, .models = members, .count = 1};
    un_report report = {.dataset = evil,
                        .split = evil,
                        .models = &model,
                        .count = 1,
                        .groups = &group,
                        .group_count = 1};
    char *text = NULL;
    size_t size = 0;
    util_ok(un_report_html(&report, &text, &size));
    assert_int_equal(strlen(text), size);
    only_its_own_script(text);
    assert_non_null(strstr(text, "&lt;script&gt;alert(1)"));
    assert_non_null(strstr(text, "selected on the test sets"));
    assert_non_null(strstr(text, "data:image/jpeg;base64,AQID"));
    assert_non_null(strstr(text, "62.5"));
    assert_non_null(strstr(text, "unseen, 3</span></th><td class=\"n\">2</td><td>1 none</td>"));
    assert_non_null(
        strstr(text, "3 of the 3 answers are others than without it: 2 of them are right"));
    assert_non_null(strstr(text, "Without gamma the answer is <b>&lt;/title"));
    assert_non_null(strstr(text, "chance 50.0"));
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf "));
    assert_non_null(strstr(text, "</html>"));
    free(text);
    report.brief = 1; /* where the page would be too large */
    util_ok(un_report_html(&report, &text, &size));
    assert_null(strstr(text, "<svg class=\"matrix\""));
    assert_non_null(strstr(text, "would make the page too large"));
    free(text);
    json_decref(result);
    json_decref(manifest);
}

/* Two seeds of one method and a model of another: means, folded repeats, where attention points,
 * what texts are good for; names are text. */
static void test_groups(void **state) {
    (void)state;
    const char *evil = "<script>alert(1)</script>";
    double threshold[2] = {0, 1}, U[3] = {0, 0.25, 0.5}, S[3] = {0.75, 0.5, 0};
    const un_curve curve = {3, threshold, U, S};
    json_t *result = json_pack(
        "{s:s, s:i, s:f, s:{s:{s:i, s:f, s:f, s:f, s:f}}, s:{s:i, s:s, s:[{s:s, s:f, s:f}]}}",
        "method", "msdn", "seed", 7, "T1", 0.5, "recovery", "unseen", "images", 9, "in_group",
        0.321, "in_group_prior", 0.123, "among_all", 0.25, "among_all_prior", 0.125,
        "group_attention", "images", 5, "of", evil, "groups", "name", evil, "share", 0.5, "even",
        0.2);
    json_t *summary = json_pack("{s:{s:f}, s:{s:f}, s:i, s:s}", "mean", "T1", 0.456, "sd", "T1",
                                0.0123, "n", 2, "selection", "validation");
    json_t *list = json_pack(
        "{s:i, s:[f, f], s:[f, f], s:f, s:f, s:f, s:[{s:s, s:i, s:[f, n], s:f}, {s:s, s:i}]}",
        "pairs", 4, "branches", 0.777, 0.111, "branches_sd", 0.0333, 0.0, "centre", 0.5, "uniform",
        0.25, "attainable", 0.9, "parts", "name", evil, "pairs", 4, "branches", 0.222, "centre",
        0.1, "name", "none", "pairs", 0);
    json_t *localisation = json_pack("{s:s, s:i, s:[s, s], s:[i, i], s:O, s:o}", "kind", "boxes",
                                     "branches", 2, "branch_titles", evil, "second", "grid", 3, 5,
                                     "test_unseen", list, "test_seen", list);
    json_t *manifest = json_object();
    assert_non_null(result);
    assert_non_null(list);
    un_report_model models[3];
    for (size_t i = 0; i < 3; i++)
        models[i] = (un_report_model){.name = i == 0   ? "first"
                                              : i == 1 ? "other"
                                                       : "again",
                                      .result = result,
                                      .manifest = manifest,
                                      .curve = &curve};
    const size_t members[] = {0, 2, 1};
    const un_report_group groups[] = {{"msdn", "maps", members, 2, summary, localisation},
                                      {"dem", "rows", members + 2, 1, NULL, NULL}};
    const un_report report = {.dataset = "data",
                              .split = "split",
                              .models = models,
                              .count = 3,
                              .groups = groups,
                              .group_count = 2,
                              .lead = 1,
                              .by_fold = 1};
    char *text = NULL;
    size_t size = 0;
    util_ok(un_report_html(&report, &text, &size));
    only_its_own_script(text);
    assert_non_null(strstr(text, "45.6 <span class=\"sd\">± 1.2</span>"));
    assert_non_null(strstr(text, "<b>77.7</b> <span class=\"sd\">± 3.3</span>")); /* better */
    assert_non_null(strstr(text, "<td class=\"n\">11.1 <span"));                  /* not bold */
    assert_non_null(strstr(text, "Map 1: &lt;script&gt;"));
    assert_non_null(strstr(text, "Grid: 3 × 5."));
    assert_null(strstr(text, "<tr><th scope=\"row\">none")); /* a part without pairs */
    assert_non_null(strstr(text, "<td class=\"n\">32.1</td><td class=\"n\">12.3</td>"));
    assert_non_null(strstr(text, "× 2.50"));
    assert_non_null(strstr(text, "<th scope=\"row\">msdn (2 seeds)</th>"));
    assert_non_null(strstr(text, "<b>other</b> is right on <b>50.0 %</b>")); /* the lead */
    assert_non_null(strstr(text, "best on the validation folds"));
    /* The best of 45.6 and 50.0 is marked, for eyes and for readers. */
    assert_non_null(strstr(text, "<span class=\"best\">50.0</span><span class=\"hidden\"> best"));
    assert_null(strstr(text, "<span class=\"best\">45.6"));
    assert_non_null(strstr(text, "id=\"model-3\"><details><summary><h2>again</h2>"));
    assert_non_null(strstr(text, "<a href=\"#model-3\">again</a>"));
    free(text);
    json_decref(result);
    json_decref(summary);
    json_decref(localisation);
    json_decref(manifest);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scale_is_even),  cmocka_unit_test(test_enlarge),
        cmocka_unit_test(test_heat_picture),   cmocka_unit_test(test_files),
        cmocka_unit_test(test_nothing_is_cut), cmocka_unit_test(test_safe_names),
        cmocka_unit_test(test_text),           cmocka_unit_test(test_page),
        cmocka_unit_test(test_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
