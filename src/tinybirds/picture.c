/*
 * picture.c - one picture of Tinybirds: placing the bird, painting, true boxes; see
 * tinybirds.h.
 */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/arena.h"
#include "tinybirds/tinybirds.h"

/* Somewhere in the picture, whole, nearer to the middle than to the borders. */
static void place(un_bird *b, double size, un_rng *rng) {
    const double margin = 0.02 * size;
    double extent[4];
    un_bird_extent(b, extent);
    double width = extent[2] - extent[0];
    double height = extent[3] - extent[1];
    double room = size - 2 * margin;
    double shrink = fmin(1, fmin(room / width, room / height));
    b->length *= shrink;
    b->foot *= shrink;
    double tx = 0.5 * (un_rng_uniform(rng) + un_rng_uniform(rng));
    double ty = 0.5 * (un_rng_uniform(rng) + un_rng_uniform(rng));
    b->x = margin - shrink * extent[0] + tx * (room - shrink * width);
    b->y = margin - shrink * extent[1] + ty * (room - shrink * height);
}

void un_tinybirds_view_create(un_tinybirds_view *view, uint64_t seed, const un_kind *kinds,
                              size_t kind, size_t number, size_t size) {
    uint64_t index = (uint64_t)kind << 32 | number;
    un_rng individual = un_rng_stream(seed, "tinybirds individual", index);
    un_rng rng = un_rng_stream(seed, "tinybirds picture", index);
    unsigned char value[UN_GROUP_COUNT];
    un_kind_individual(&kinds[kind], &individual, value);
    un_bird *b = &view->bird;
    un_scene_create(&view->scene, (double)size, &rng);
    un_bird_create(b, &kinds[kind], value, (double)size, &rng);
    place(b, (double)size, &rng);
    b->lx = view->scene.lx;
    b->ly = view->scene.ly;
    view->scene.perch_x = b->x;
    view->scene.perch_y = b->y + b->foot + 0.01 * b->length;
    un_bird_extent(b, view->scene.bird);
    for (int i = 0; i < 4; i++) view->scene.bird[i] += i % 2 ? b->y : b->x;
}

/* A canvas of the view's size times `scale`; the caller releases *cr and *surface. */
static un_status canvas(const un_tinybirds_view *view, int scale, cairo_surface_t **surface,
                        cairo_t **cr) {
    int side = scale * (int)view->scene.size;
    *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, side, side);
    *cr = cairo_create(*surface);
    if (cairo_status(*cr)) return un_fail_memory(4 * (size_t)side * (size_t)side);
    cairo_scale(*cr, scale, scale);
    return UNSEEN_OK;
}

static un_status finished(cairo_t *cr, cairo_surface_t *surface) {
    cairo_surface_flush(surface);
    if (!cairo_status(cr)) return UNSEEN_OK;
    return un_fail(UNSEEN_E_MEMORY, "cannot paint a bird: %s",
                   cairo_status_to_string(cairo_status(cr)));
}

/* Reads the part numbers out of the surface. */
static void read_map(cairo_surface_t *surface, unsigned char *map) {
    cairo_surface_flush(surface);
    const unsigned char *data = cairo_image_surface_get_data(surface);
    int stride = cairo_image_surface_get_stride(surface);
    int side = cairo_image_surface_get_width(surface);
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) *map++ = data[(ptrdiff_t)y * stride + (ptrdiff_t)x * 4];
}

/* The map without (bare, may be NULL) and with what hides the bird. */
static un_status draw_map(const un_tinybirds_view *view, unsigned char *bare, unsigned char *map) {
    cairo_surface_t *surface = NULL;
    cairo_t *cr = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(canvas(view, UN_MAP_SCALE, &surface, &cr));
    cairo_set_antialias(cr, CAIRO_ANTIALIAS_NONE);
    un_brush brush = {cr, 1};
    un_bird_draw(&view->bird, &brush);
    if (bare) read_map(surface, bare);
    un_scene_paint_before(&view->scene, &brush);
    read_map(surface, map);
    status = finished(cr, surface);
done:
    cairo_destroy(cr);
    cairo_surface_destroy(surface);
    return status;
}

un_status un_tinybirds_map(const un_tinybirds_view *view, unsigned char *map) {
    return draw_map(view, NULL, map);
}

typedef struct {
    size_t points;
    size_t x0, y0, x1, y1; /* x1, y1 exclusive */
} bounds;

static void include(bounds *b, size_t x, size_t y) {
    if (b->points++ == 0) *b = (bounds){1, x, y, x + 1, y + 1};
    if (x < b->x0) b->x0 = x;
    if (x >= b->x1) b->x1 = x + 1;
    if (y < b->y0) b->y0 = y;
    if (y >= b->y1) b->y1 = y + 1;
}

static void to_fractions(const bounds *b, size_t side, float box[4]) {
    box[0] = (float)((double)b->x0 / (double)side);
    box[1] = (float)((double)b->y0 / (double)side);
    box[2] = (float)((double)b->x1 / (double)side);
    box[3] = (float)((double)b->y1 / (double)side);
}

/* Points of the map; one in so many of the part's. */
enum { LEAST_POINTS = 20, LEAST_SHARE = 5 };

static un_status find_boxes(const un_tinybirds_view *view, un_tinybirds_boxes *out) {
    size_t side = UN_MAP_SCALE * (size_t)view->scene.size;
    unsigned char *map = NULL;
    bounds part[UN_PART_OTHER + 1] = {0};
    size_t whole[256] = {0};
    bounds bird = {0};
    UN_TRY(un_alloc(side * side, 2, &map));
    unsigned char *bare = map + side * side;
    un_status status = UNSEEN_OK;
    UN_GO(draw_map(view, bare, map));
    *out = (un_tinybirds_boxes){0};
    for (size_t i = 0; i < side * side; i++) {
        whole[bare[i]]++;
        if (map[i] == 0 || map[i] > UN_PART_OTHER) continue;
        include(&part[map[i]], i % side, i / side);
        include(&bird, i % side, i / side);
    }
    to_fractions(&bird, side, out->object);
    for (size_t p = 0; p < UN_PART_COUNT; p++) {
        const bounds *b = &part[p + 1];
        if (b->points < LEAST_POINTS || b->points * LEAST_SHARE < whole[p + 1]) continue;
        out->visible[p] = 1;
        to_fractions(b, side, out->box[p]);
    }
done:
    free(map);
    return status;
}

un_status un_tinybirds_paint(const un_tinybirds_view *view, cairo_surface_t **out) {
    cairo_surface_t *surface = NULL;
    cairo_t *cr = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(canvas(view, 1, &surface, &cr));
    un_brush brush = {cr, 0};
    UN_GO(un_scene_paint_behind(&view->scene, cr));
    un_bird_draw(&view->bird, &brush);
    un_scene_paint_before(&view->scene, &brush);
    UN_GO(finished(cr, surface));
    UN_GO(un_scene_light(&view->scene, surface));
    *out = surface;
    surface = NULL;
done:
    cairo_destroy(cr);
    cairo_surface_destroy(surface);
    return status;
}

un_status un_tinybirds_draw(const un_tinybirds_view *view, unsigned char *rgb,
                            un_tinybirds_boxes *boxes) {
    cairo_surface_t *surface = NULL;
    if (boxes) UN_TRY(find_boxes(view, boxes));
    UN_TRY(un_tinybirds_paint(view, &surface));
    const unsigned char *data = cairo_image_surface_get_data(surface);
    int stride = cairo_image_surface_get_stride(surface);
    int side = cairo_image_surface_get_width(surface);
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++)
            for (int c = 0; c < 3; c++)
                *rgb++ = data[(ptrdiff_t)y * stride + (ptrdiff_t)x * 4 + 2 - c];
    cairo_surface_destroy(surface);
    return UNSEEN_OK;
}
