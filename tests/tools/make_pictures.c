/*
 * make_pictures.c - a folder of drawn pictures for tests that drive the program.
 *
 *     make_pictures ROOT            ROOT/<class>/<n>.png, and ROOT.csv, the table of attributes
 *     make_pictures --parts DIR     parts of the data set DIR that was imported from such a folder
 *
 * Nine classes: a disc on the left and a square on the right, each red, green or blue; ten
 * pictures of 120 x 90 pixels a class. One class has a name that is markup. The attributes are
 * "head color::red" … "tail color::blue".
 */
#include <cairo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/rng.h"
#include "data/parts.h"

enum { COLOURS = 3, CLASSES = 9, IMAGES = 10, WIDTH = 120, HEIGHT = 90, SIZE = 26 };

static const char *const g_colours[COLOURS] = {"red", "green", "blue"};

static void class_name(size_t c, char out[64]) {
    if (c == 4)
        snprintf(out, 64, "<b onclick=\"x()\">&'green green'");
    else
        snprintf(out, 64, "%s %s", g_colours[c / COLOURS], g_colours[c % COLOURS]);
}

/* Upper left corners of disc and square. */
static void places(size_t class, size_t image, double out[4]) {
    un_rng rng = un_rng_stream(11, "places", class * IMAGES + image);
    out[0] = 15 + (double)un_rng_below(&rng, 15);
    out[1] = 5 + (double)un_rng_below(&rng, HEIGHT - SIZE - 10);
    out[2] = 62 + (double)un_rng_below(&rng, 15);
    out[3] = 5 + (double)un_rng_below(&rng, HEIGHT - SIZE - 10);
}

static void set_colour(cairo_t *cr, size_t colour) {
    cairo_set_source_rgb(cr, colour == 0 ? 0.85 : 0.1, colour == 1 ? 0.7 : 0.1,
                         colour == 2 ? 0.9 : 0.1);
}

static int draw(const char *path, size_t class, size_t image) {
    double at[4];
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, WIDTH, HEIGHT);
    cairo_t *cr = cairo_create(surface);
    places(class, image, at);
    cairo_set_source_rgb(cr, 0.8, 0.8, 0.75);
    cairo_paint(cr);
    set_colour(cr, class / COLOURS);
    cairo_arc(cr, at[0] + SIZE / 2.0, at[1] + SIZE / 2.0, SIZE / 2.0, 0, 6.2831853);
    cairo_fill(cr);
    set_colour(cr, class % COLOURS);
    cairo_rectangle(cr, at[2], at[3], SIZE, SIZE);
    cairo_fill(cr);
    cairo_status_t status = cairo_surface_write_to_png(surface, path);
    cairo_destroy(cr);
    cairo_surface_destroy(surface);
    return status == CAIRO_STATUS_SUCCESS;
}

static int write_table(const char *root) {
    char path[4096], name[64];
    snprintf(path, sizeof path, "%s.csv", root);
    FILE *out = fopen(path, "w");
    if (!out) return 0;
    fputs("class", out);
    for (size_t k = 0; k < 2 * COLOURS; k++)
        fprintf(out, ",%s color::%s", k < COLOURS ? "head" : "tail", g_colours[k % COLOURS]);
    for (size_t c = 0; c < CLASSES; c++) {
        class_name(c, name);
        fputs("\n\"", out);
        for (const char *at = name; *at; at++) fprintf(out, *at == '"' ? "\"\"" : "%c", *at);
        putc('"', out);
        for (size_t k = 0; k < 2 * COLOURS; k++)
            fprintf(out, ",%d", (k < COLOURS ? c / COLOURS : c % COLOURS) == k % COLOURS);
    }
    putc('\n', out);
    return fclose(out) == 0;
}

static int make(const char *root) {
    char path[4096], name[64];
    mkdir(root, 0777);
    for (size_t c = 0; c < CLASSES; c++) {
        class_name(c, name);
        snprintf(path, sizeof path, "%s/%s", root, name);
        mkdir(path, 0777);
        for (size_t i = 0; i < IMAGES; i++) {
            snprintf(path, sizeof path, "%s/%s/%zu.png", root, name, i);
            if (!draw(path, c, i)) return 0;
        }
    }
    return write_table(root);
}

/* Class and number of an image from its name. */
static int parse_name(const char *image, size_t *class, size_t *number) {
    const char *slash = strrchr(image, '/');
    for (*class = 0; slash && *class < CLASSES; (*class)++) {
        char name[64];
        class_name(*class, name);
        if (strlen(name) != (size_t)(slash - image) || strncmp(name, image, strlen(name)) != 0)
            continue;
        *number = strtoul(slash + 1, NULL, 10);
        return 1;
    }
    return 0;
}

static un_status make_parts(const char *directory) {
    static char *names[] = {"head", "tail"};
    static size_t numbers[] = {0, 1};
    static un_part_list lists[2 * COLOURS];
    un_dataset d;
    un_parts p = {.part_count = 2, .names = names, .attribute_parts_count = 1};
    UN_TRY(un_dataset_open(&d, directory));
    un_status status = UNSEEN_OK;
    p.image_count = d.image_count;
    UN_GO(un_arena_alloc(&p.arena, 8 * d.image_count, sizeof(float), &p.boxes));
    UN_GO(un_arena_alloc(&p.arena, 2 * d.image_count, 1, &p.visible));
    for (size_t k = 0; k < 2 * COLOURS; k++) lists[k] = (un_part_list){1, numbers + k / COLOURS};
    p.attribute_parts[0] = (un_attribute_parts){"att", 2 * COLOURS, lists};
    for (size_t i = 0; i < d.image_count; i++) {
        size_t class = 0, number = 0;
        double at[4];
        if (!parse_name(d.images[i], &class, &number))
            UN_GO(un_fail(UNSEEN_E_FORMAT, "%s is no picture of this tool", d.images[i]));
        places(class, number, at);
        for (size_t k = 0; k < 2; k++) {
            float *box = p.boxes + 8 * i + 4 * k;
            box[0] = (float)(at[2 * k] / WIDTH);
            box[1] = (float)(at[2 * k + 1] / HEIGHT);
            box[2] = (float)((at[2 * k] + SIZE) / WIDTH);
            box[3] = (float)((at[2 * k + 1] + SIZE) / HEIGHT);
            p.visible[2 * i + k] = 1;
        }
    }
    UN_GO(un_parts_write(&p, directory, &d));
done:
    un_arena_free(&p.arena);
    un_dataset_close(&d);
    return status;
}

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "--parts")) {
        if (make_parts(argv[2]) == UNSEEN_OK) return 0;
        fprintf(stderr, "make_pictures: %s\n", un_error());
        return 1;
    }
    if (argc == 2 && make(argv[1])) return 0;
    fprintf(stderr, "usage: make_pictures ROOT | make_pictures --parts DIR\n");
    return 2;
}
