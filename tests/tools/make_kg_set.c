/*
 * make_kg_set.c - generated features in the shape of AWA2, whose real ones are not at hand,
 * to train on knowledge-graph embeddings of its classes.
 *
 *     make_kg_set AWA2_FOLDER KG.mat DIR [EVERY [WIDTH [SIDE [NOISE]]]]
 *
 * AWA2_FOLDER has att_splits.mat and trainclasses1.txt, valclasses1.txt, testclasses.txt;
 * KG.mat has `embeddings`, 50 x 100. The split's lists are kept; the labels, which no split
 * file has, are dealt out so that train_loc, val_loc and test_unseen_loc hold the classes of
 * those three texts. An image's features are a fixed random linear map of its class's
 * embedding, through a ReLU, with noise; nothing of a real animal is in them. Made are
 *     DIR/res101.mat       WIDTH values of each image, labels
 *     DIR/maps.hdf5        SIDE x SIDE regions of every EVERY-th image of each list; half of
 *                          the regions of an image show its class
 *     DIR/kg_shuffled.mat  the embeddings, of other classes
 *     DIR/animals          a folder in AWA2's layout: pictures of coloured squares
 */
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/rng.h"
#include "data/readers/import_parts.h"
#include "data/readers/mat.h"
#include "data/readers/text.h"
#include "mat_writer.h"
#include "tinybirds/bird.h"

enum { ROLES = 3, SHIFT = 7 };
/* A picture has SQUARES x SQUARES squares of SQUARE pixels. */
enum { PICTURES = 4, SQUARES = 4, SQUARE = 16, SIZE = SQUARES * SQUARE };

typedef struct {
    const char *folder, *kg, *out;
    size_t every, width, side;
    double noise;
    size_t images, classes, E;
    char **names;
    double *embedding;  /* [E, classes], as MATLAB has it */
    double *attributes; /* [classes, A] */
    size_t A;
    double *labels;            /* [images], from 1 */
    un_index_list list[ROLES]; /* trainval, test_seen, test_unseen */
    float *map;                /* [E, width] */
    un_arena arena;
} request;

static const char *const g_lists[ROLES] = {"trainval_loc", "test_seen_loc", "test_unseen_loc"};

static un_status path_of(const request *q, const char *folder, const char *name, char **out) {
    char *path = NULL;
    UN_TRY(un_path_join(folder, name, &path));
    un_arena *arena = (un_arena *)(uintptr_t)&q->arena;
    un_status status = un_arena_string(arena, path, out);
    free(path);
    return status;
}

/* Images of `list` get classes of `text`, drawn at random. */
static un_status deal(request *q, const un_index_list *list, const char *text) {
    char *path = NULL, **classes = NULL;
    size_t count = 0;
    UN_TRY(path_of(q, q->folder, text, &path));
    UN_TRY(un_lines_read_names(path, &q->arena, &classes, &count));
    un_rng rng = un_rng_stream(4, text, 0);
    for (size_t i = 0; i < list->count; i++) {
        const char *name = classes[un_rng_below(&rng, count)];
        size_t c = 0;
        while (c < q->classes && strcmp(q->names[c], name) != 0) c++;
        if (c == q->classes) return un_fail(UNSEEN_E_FORMAT, "no class %s", name);
        q->labels[list->items[i]] = (double)c + 1;
    }
    return UNSEEN_OK;
}

static un_status read_split(request *q, un_mat *mat) {
    un_index_list train = {0}, val = {0};
    UN_TRY(un_mat_read_strings(mat, "allclasses_names", &q->arena, &q->names, &q->classes));
    for (size_t r = 0; r < ROLES; r++) {
        UN_TRY(un_mat_read_indices(mat, g_lists[r], INT32_MAX, &q->arena, &q->list[r]));
        size_t last = (size_t)q->list[r].items[q->list[r].count - 1] + 1;
        q->images = last > q->images ? last : q->images;
    }
    UN_TRY(un_mat_read_indices(mat, "train_loc", q->images, &q->arena, &train));
    UN_TRY(un_mat_read_indices(mat, "val_loc", q->images, &q->arena, &val));
    UN_TRY(un_arena_alloc(&q->arena, q->images, sizeof *q->labels, &q->labels));
    UN_TRY(deal(q, &train, "trainclasses1.txt"));
    UN_TRY(deal(q, &val, "valclasses1.txt"));
    return deal(q, &q->list[2], "testclasses.txt");
}

static un_status read_inputs(request *q) {
    un_mat *mat = NULL;
    char *path = NULL;
    const un_mat_variable *v = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(path_of(q, q->folder, "att_splits.mat", &path));
    UN_TRY(un_mat_open(&mat, path));
    UN_GO(read_split(q, mat));
    UN_GO(un_mat_require(mat, "original_att", UN_MAT_NUMERIC, &v));
    q->A = v->dims[0];
    UN_GO(un_mat_read_double(mat, "original_att", &q->attributes));
    un_mat_close(mat);
    mat = NULL;
    UN_GO(un_mat_open(&mat, q->kg));
    UN_GO(un_mat_require(mat, "embeddings", UN_MAT_NUMERIC, &v));
    if (v->dims[0] != q->classes) UN_GO(un_fail(UNSEEN_E_FORMAT, "%s: other classes", q->kg));
    q->E = v->dims[1];
    UN_GO(un_mat_read_double(mat, "embeddings", &q->embedding));
    UN_GO(un_arena_alloc(&q->arena, q->E * q->width, sizeof *q->map, &q->map));
    un_rng rng = un_rng_stream(1, "map", 0);
    un_rng_fill_normal(&rng, q->map, q->E * q->width, 0, 1);
done:
    un_mat_close(mat);
    return status;
}

/* One vector of the class of `image`, or of noise alone, `stride` floats apart. */
static void draw(const request *q, size_t image, int shows, un_rng *rng, size_t stride,
                 float *out) {
    size_t c = (size_t)q->labels[image] - 1;
    for (size_t j = 0; j < q->width; j++) {
        double x = q->noise * un_rng_normal(rng);
        for (size_t e = 0; e < q->E && shows; e++)
            x += q->embedding[e * q->classes + c] * (double)q->map[e * q->width + j];
        out[j * stride] = x > 0 ? (float)x : 0.0f;
    }
}

static un_status create(const request *q, const char *name, mat_writer *out) {
    char *path = NULL;
    UN_TRY(path_of(q, q->out, name, &path));
    *out = mat_create(path, MAT_PLAIN);
    return UNSEEN_OK;
}

static un_status write_pooled(const request *q) {
    float *features = NULL;
    mat_writer file;
    UN_TRY(un_alloc(q->images * q->width, sizeof *features, &features));
    for (size_t i = 0; i < q->images; i++) {
        un_rng rng = un_rng_stream(2, "image", i);
        draw(q, i, 1, &rng, 1, features + i * q->width);
    }
    un_status status = create(q, "res101.mat", &file);
    if (!status) {
        mat_put(&file, "features", MAT_SINGLE, MI_SINGLE, q->width, q->images, features);
        mat_put(&file, "labels", MAT_DOUBLE, MI_DOUBLE, q->images, 1, q->labels);
        mat_close(&file);
    }
    free(features);
    return status;
}

/* Each class has the embedding of the class SHIFT rows further on. */
static un_status write_shuffled(const request *q) {
    double *shuffled = NULL;
    mat_writer file;
    UN_TRY(un_alloc(q->classes * q->E, sizeof *shuffled, &shuffled));
    for (size_t e = 0; e < q->E; e++)
        for (size_t c = 0; c < q->classes; c++)
            shuffled[e * q->classes + c] = q->embedding[e * q->classes + (c + SHIFT) % q->classes];
    un_status status = create(q, "kg_shuffled.mat", &file);
    if (!status) {
        mat_put(&file, "embeddings", MAT_DOUBLE, MI_DOUBLE, q->classes, q->E, shuffled);
        mat_close(&file);
    }
    free(shuffled);
    return status;
}

static un_status put_set(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims,
                         const void *data) {
    hid_t space = H5Screate_simple(rank, dims, NULL);
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    int failed = set < 0 || H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0;
    H5Dclose(set);
    H5Sclose(space);
    return failed ? un_fail(UNSEEN_E_IO, "cannot write %s", name) : UNSEEN_OK;
}

/* The images kept of each role stand one after the other. */
static un_status write_lists(const request *q, hid_t file, double *labels) {
    double *list = NULL;
    size_t at = 0;
    UN_TRY(un_alloc(q->images, sizeof *list, &list));
    un_status status = UNSEEN_OK;
    for (size_t r = 0; r < ROLES && !status; r++) {
        hsize_t n = 0;
        for (size_t i = 0; i < q->list[r].count; i += q->every) {
            labels[at] = q->labels[q->list[r].items[i]] - 1;
            list[n++] = (double)at++;
        }
        status = put_set(file, g_lists[r], H5T_NATIVE_DOUBLE, 1, &n, list);
    }
    const hsize_t n = at;
    if (!status) status = put_set(file, "labels", H5T_NATIVE_DOUBLE, 1, &n, labels);
    free(list);
    return status;
}

static un_status write_maps(const request *q) {
    size_t plane = q->side * q->side, count = 0, at = 0;
    char *path = NULL;
    float *maps = NULL;
    double *labels = NULL;
    for (size_t r = 0; r < ROLES; r++) count += (q->list[r].count + q->every - 1) / q->every;
    const hsize_t dims[4] = {count, q->width, q->side, q->side};
    un_status status = path_of(q, q->out, "maps.hdf5", &path);
    if (!status) status = un_alloc(count * q->width * plane, sizeof *maps, &maps);
    if (!status) status = un_alloc(count, sizeof *labels, &labels);
    for (size_t r = 0; r < ROLES && !status; r++)
        for (size_t i = 0; i < q->list[r].count; i += q->every, at++) {
            size_t image = (size_t)q->list[r].items[i];
            un_rng rng = un_rng_stream(3, "maps", image);
            for (size_t p = 0; p < plane; p++) {
                int shows = plane == 1 || un_rng_below(&rng, 2) != 0;
                draw(q, image, shows, &rng, plane, maps + at * q->width * plane + p);
            }
        }
    hid_t file = status ? -1 : H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    if (!status && file < 0) status = un_fail(UNSEEN_E_IO, "cannot make %s", path);
    if (!status) status = put_set(file, "feature_map", H5T_NATIVE_FLOAT, 4, dims, maps);
    if (!status) status = write_lists(q, file, labels);
    if (file >= 0) H5Fclose(file);
    free(maps);
    free(labels);
    return status;
}

/* ---- pictures ---- */

static un_status open_text(const request *q, const char *folder, const char *name, FILE **out) {
    char *path = NULL;
    UN_TRY(path_of(q, folder, name, &path));
    *out = fopen(path, "w");
    return *out ? UNSEEN_OK : un_fail(UNSEEN_E_IO, "cannot make %s", path);
}

static un_status write_tables(const request *q, const char *folder) {
    FILE *classes = NULL, *predicates = NULL, *matrix = NULL, *unseen = NULL;
    char *path = NULL, **names = NULL;
    size_t count = 0;
    un_status status = UNSEEN_OK;
    UN_GO(path_of(q, q->folder, "testclasses.txt", &path));
    UN_GO(un_lines_read_names(path, &((request *)(uintptr_t)q)->arena, &names, &count));
    UN_GO(open_text(q, folder, "classes.txt", &classes));
    UN_GO(open_text(q, folder, "predicates.txt", &predicates));
    UN_GO(open_text(q, folder, "predicate-matrix-continuous.txt", &matrix));
    UN_GO(open_text(q, folder, "testclasses.txt", &unseen));
    for (size_t i = 0; i < count; i++) fprintf(unseen, "%s\n", names[i]);
    for (size_t a = 0; a < q->A; a++) fprintf(predicates, "%zu\tmark %zu\n", a + 1, a + 1);
    for (size_t c = 0; c < q->classes; c++) {
        fprintf(classes, "%zu\t%s\n", c + 1, q->names[c]);
        for (size_t a = 0; a < q->A; a++) fprintf(matrix, " %.2f", q->attributes[c * q->A + a]);
        fprintf(matrix, "\n");
    }
done:
    for (size_t i = 0; i < 4; i++) {
        FILE *file = ((FILE *[]){classes, predicates, matrix, unseen})[i];
        if (file && fclose(file) != 0) status = un_fail(UNSEEN_E_IO, "cannot write %s", folder);
    }
    return status;
}

static un_status write_picture(const request *q, size_t c, un_rng *rng, const char *path) {
    static unsigned char rgb[SIZE][SIZE][3];
    unsigned char *png = NULL;
    size_t length = 0;
    for (size_t s = 0; s < 3 * SQUARES * SQUARES; s++) {
        un_rng map = un_rng_stream(5, "colours", s);
        double x = 128 + 12 * un_rng_normal(rng);
        for (size_t e = 0; e < q->E; e++)
            x += 60 * q->embedding[e * q->classes + c] * un_rng_normal(&map);
        size_t y = s / 3 / SQUARES * SQUARE, left = s / 3 % SQUARES * SQUARE;
        for (size_t i = 0; i < SQUARE * SQUARE; i++)
            rgb[y + i / SQUARE][left + i % SQUARE][s % 3] = (unsigned char)(x < 0     ? 0
                                                                            : x > 255 ? 255
                                                                                      : x);
    }
    UN_TRY(un_png_encode(&rgb[0][0][0], SIZE, SIZE, &png, &length));
    un_status status = un_file_write(path, png, length);
    free(png);
    return status;
}

static un_status write_animals(const request *q) {
    char *folder = NULL, *pictures = NULL;
    UN_TRY(path_of(q, q->out, "animals", &folder));
    UN_TRY(path_of(q, folder, "JPEGImages", &pictures));
    mkdir(folder, 0777);
    mkdir(pictures, 0777);
    UN_TRY(write_tables(q, folder));
    for (size_t c = 0; c < q->classes; c++) {
        un_rng rng = un_rng_stream(6, "pictures", c);
        char *class = NULL, *path = NULL, name[16];
        UN_TRY(path_of(q, pictures, q->names[c], &class));
        mkdir(class, 0777);
        for (size_t i = 0; i < PICTURES; i++) {
            snprintf(name, sizeof name, "%zu.png", i + 1);
            UN_TRY(path_of(q, class, name, &path));
            UN_TRY(write_picture(q, c, &rng, path));
        }
    }
    return UNSEEN_OK;
}

int main(int argc, char **argv) {
    request q = {.every = 16, .width = 32, .side = 3, .noise = 4};
    size_t *const sizes[] = {&q.every, &q.width, &q.side};
    for (int i = 4; i < argc && i < 7; i++) *sizes[i - 4] = strtoull(argv[i], NULL, 10);
    if (argc > 7) q.noise = strtod(argv[7], NULL);
    if (argc < 4 || q.every == 0 || q.width == 0 || q.side == 0) {
        fprintf(stderr,
                "usage: make_kg_set AWA2_FOLDER KG.mat DIR [EVERY [WIDTH [SIDE [NOISE]]]]\n");
        return 2;
    }
    q.folder = argv[1];
    q.kg = argv[2];
    q.out = argv[3];
    mkdir(q.out, 0777);
    un_status status = read_inputs(&q);
    if (!status) status = write_pooled(&q);
    if (!status) status = write_maps(&q);
    if (!status) status = write_shuffled(&q);
    if (!status) status = write_animals(&q);
    if (status) fprintf(stderr, "make_kg_set: %s\n", un_error());
    free(q.embedding);
    free(q.attributes);
    un_arena_free(&q.arena);
    return status ? 1 : 0;
}
