/*
 * unseen_picture.h - the part of unseen.h about pictures: how a model sees them, what it says of them.
 * Included by unseen.h, which has the conventions.
 */
#ifndef UNSEEN_PICTURE_H
#define UNSEEN_PICTURE_H

#ifndef UNSEEN_H
#error "include unseen.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- pictures to answers ---- */

/* Attaches a backbone: the weights file of the backbone that made its training features.
 * `weights` may be NULL for a model of the built-in descriptor. Fails with UNSEEN_E_ARGUMENT if
 * it is another backbone, UNSEEN_E_IO or UNSEEN_E_FORMAT. */
UNSEEN_API unseen_status unseen_model_attach_backbone(unseen_model *model, const char *weights);

/* How pictures are turned. Models of one's own
 * pictures learned from them turned as EXIF says, those of the published benchmarks and of version
 * 0.1 from the pixels as stored, and are asked likewise unless this says otherwise. (A TIFF's own
 * orientation, and a HEIF's, tells how its rows are stored and is always honoured.) Fails with
 * UNSEEN_E_ARGUMENT on a value that is none of the three. */
UNSEEN_API unseen_status unseen_model_set_orientation(unseen_model *model,
                                                      unseen_orientation orientation);

/* How the attached backbone wants its pictures, as JSON: {"resize", "square", "crop" (the side of what
 * the network sees), "interpolation", "mean", "std", "orientation"}, with the orientation as it is
 * set now ("stored" if it is not named). NULL without a backbone. Valid until another backbone is
 * attached or the orientation is set. */
UNSEEN_API const char *unseen_model_recipe(const unseen_model *model);

/* What a network sees of a picture: a square in its middle, resized. */
typedef struct unseen_crop {
    size_t side;                          /* of the square in pixels: "crop" of the recipe */
    double x, y, width, height;           /* where it lies in the picture, in pixels of that */
    size_t picture_width, picture_height; /* of the picture, turned as the recipe has it */
    int ignored;                          /* 1: it has an EXIF orientation that was not honoured */
} unseen_crop;

/* A picture to be classified, in one form; what belongs to others is NULL. A file is JPEG, PNG, WebP,
 * TIFF, GIF, BMP or, where libvips reads it, HEIF. */
typedef struct unseen_picture {
    const char *path;  /* a file */
    const void *bytes; /* a file's contents in memory, byte_count of them */
    size_t byte_count;
    const uint8_t *rgb; /* pixels (height, width, 3), `stride` bytes from row to row */
    size_t width, height, stride;
    const unseen_crop *cropped; /* not NULL: `rgb`, of width = height = side, was made by
                                   unseen_picture_crop with the model's recipe, which said this of
                                   it. It is taken as it is: answers, features and explanations are
                                   those of the picture that it was made from */
    const float *features;      /* [D] of the picture, as unseen_model_features gives them: no
                                   backbone is needed. Beside them there may be a crop, which is
                                   only shown in an explanation */
} unseen_picture;

/* Decodes a picture of one of the first three forms, turns it, resizes it and crops it as `recipe`
 * says (unseen_model_recipe): rgb[side * side * 3]. Needs no model; may be called by several threads
 * at a time. `capacity` is the size of `rgb` in bytes; rgb NULL: only out->side is told, and
 * `picture` is not looked at. Fails with UNSEEN_E_UNSUPPORTED on a picture of more than `max_pixels`
 * pixels (0: 2^27), those of `rgb` included; of a file this is told from its first bytes, before a
 * pixel is decoded: *out then has its size, as it lies in the file, and is zeros after every other
 * failure; with UNSEEN_E_FORMAT on a recipe that is none; and as unseen_answer says. */
UNSEEN_API unseen_status unseen_picture_crop(const char *recipe, const unseen_picture *picture,
                                             size_t max_pixels, uint8_t *rgb, size_t capacity,
                                             unseen_crop *out);

/* One candidate for a picture. */
typedef struct unseen_prediction {
    const char *label; /* name of the class; belongs to the model, valid until its classes change */
    size_t class_index;
    float score; /* in the unit of the method; higher is better */
    int seen;    /* 1: trained on, 0: known by its description only */
} unseen_prediction;

/* What became of one picture of a call. */
typedef struct unseen_answer {
    unseen_status status; /* UNSEEN_E_IO: cannot be opened or read; UNSEEN_E_FORMAT: no intact
                             picture; UNSEEN_E_UNSUPPORTED: one that is not read here (its form or
                             its size); UNSEEN_E_MEMORY: its pixels need more than there is */
    const char *error;    /* the sentence, which names it; NULL: it is well. Belongs to the model,
                             valid until its next call about pictures */
    size_t count;         /* candidates that were found */
    int ignored;          /* 1: it has an EXIF orientation that was not honoured */
} unseen_answer;

typedef struct unseen_classify_options {
    size_t size;
    unseen_among among; /* default UNSEEN_AMONG_ALL */
    size_t top;         /* candidates of each picture, at least 1 (default 5); more than there are
                   classes finds as many as there are */
    unseen_calibration calibration;    /* default UNSEEN_CALIBRATED */
    unseen_progress_function progress; /* NULL: none (default) */
    void *user;
} unseen_classify_options;
UNSEEN_API void unseen_classify_options_init(unseen_classify_options *options, size_t size);

/* Classifies n pictures, which are decoded in parallel while the network computes. `out` is
 * out[n * top], and all of it is written: the best `top` candidates of picture i, best first, are
 * out[i * top] to out[i * top + answers[i].count - 1], and where there are fewer than `top` (never
 * more than C), the label of the rest is NULL. A bad picture has count 0 and says why in answers[i],
 * the call still succeeds; with answers NULL it fails with that picture's status. Needs a backbone
 * unless all pictures are given as features. */
UNSEEN_API unseen_status unseen_model_classify(unseen_model *model, const unseen_picture *pictures,
                                               size_t n, const unseen_classify_options *options,
                                               unseen_prediction *out, unseen_answer *answers);

/* What the model sees of n pictures: out[n, D], zeros of a bad picture; `answers` as above. */
UNSEEN_API unseen_status unseen_model_features(unseen_model *model, const unseen_picture *pictures,
                                               size_t n, float *out, unseen_answer *answers);

typedef struct unseen_features_options {
    size_t size;
    unseen_progress_function progress; /* NULL: none (default) */
    void *user;
} unseen_features_options;
UNSEEN_API void unseen_features_options_init(unseen_features_options *options, size_t size);

/* The same, and how far it is. */
UNSEEN_API unseen_status unseen_model_features_with(unseen_model *model,
                                                    const unseen_picture *pictures, size_t n,
                                                    const unseen_features_options *options,
                                                    float *out, unseen_answer *answers);

#ifdef __cplusplus
}
#endif

#endif
