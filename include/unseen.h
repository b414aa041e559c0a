/*
 * unseen.h - zero-shot image classification: recognise classes that no
 * training image ever showed, from a description of their attributes.
 *
 * The whole public interface of libunseen. A first program:
 *
 *     unseen_model *model;
 *     unseen_prediction best;
 *     size_t count;
 *     if (unseen_model_open("birds.model", &model) ||
 *         unseen_model_attach_backbone(model, "resnet101.safetensors") ||
 *         unseen_classify_file(model, "photo.jpg", UNSEEN_AMONG_ALL, 1, &best, &count)) {
 *         fprintf(stderr, "%s\n", unseen_last_error());
 *         return 1;
 *     }
 *     printf("%s\n", best.label);
 *     unseen_model_close(model);
 *
 * Build with: cc program.c $(pkg-config --cflags --libs unseen)
 *
 * Conventions
 * - Every function that can fail returns an unseen_status. The sentence that
 *   says what went wrong, where, and what to do is in unseen_last_error().
 * - The library never prints, never exits and never aborts on input. A NULL where none
 *   is allowed is UNSEEN_E_ARGUMENT; accessors answer NULL, 0 or -1 for a NULL model.
 * - Numbers are read and written with a decimal point whatever the host's locale, which stays as
 *   it is; a log function is called in the host's.
 * - A value that is none of its enumeration is UNSEEN_E_ARGUMENT.
 * - Strings are UTF-8. Pointers returned by accessors belong to the object
 *   they came from and live as long as it does; names of classes until the next
 *   class is added.
 * - Dimensions: C classes, A attributes, D feature length, n images of one call,
 *   h x w regions of a picture. Arrays are row-major and dense.
 * - One unseen_model may be used by one thread at a time, and by another afterwards. Several
 *   threads may use a model each at the same time.
 * - A process may fork at any time when none of its other threads opens files through the library:
 *   the child can go on with the models that the forking thread could have used. A fork waits for
 *   pictures that other threads are decoding. If pictures were decoded before it, the child reads
 *   JPEG, PNG (not interlaced) and BMP, and refuses the rest with UNSEEN_E_UNSUPPORTED.
 */
#ifndef UNSEEN_H
#define UNSEEN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define UNSEEN_API __attribute__((visibility("default")))
#else
#define UNSEEN_API
#endif

/* What a call came to. Anything but UNSEEN_OK leaves pointers and counts untouched; arrays that
 * the caller gave to be filled may hold a part of the answer. */
typedef enum unseen_status {
    UNSEEN_OK = 0,
    UNSEEN_E_ARGUMENT = 1,    /* the caller asked for something impossible */
    UNSEEN_E_FORMAT = 2,      /* a file is damaged or not what it should be */
    UNSEEN_E_IO = 3,          /* the operating system refused: disk full, no such file */
    UNSEEN_E_MEMORY = 4,      /* out of memory */
    UNSEEN_E_UNSUPPORTED = 5, /* valid, but not something this build can do */
    UNSEEN_E_INTERRUPTED = 6  /* stopped on request; state was saved */
} unseen_status;

typedef enum unseen_log_level {
    UNSEEN_LOG_ERROR = 0,
    UNSEEN_LOG_WARNING = 1,
    UNSEEN_LOG_INFO = 2,
    UNSEEN_LOG_DEBUG = 3
} unseen_log_level;

/* Receives one message without a trailing newline. May be called from any
 * thread that calls the library. */
typedef void (*unseen_log_function)(unseen_log_level level, const char *message, void *user);

/* Which scores unseen_model_score writes. */
typedef enum unseen_calibration {
    UNSEEN_NATIVE = 0,    /* as the method computes them */
    UNSEEN_CALIBRATED = 1 /* seen classes lowered by the model's validation gamma
                             (calibrated stacking, Chao et al., ECCV 2016) */
} unseen_calibration;

/* Which classes are candidates for an answer. */
typedef enum unseen_among {
    UNSEEN_AMONG_ALL = 0,    /* the generalised setting */
    UNSEEN_AMONG_SEEN = 1,   /* classes with training images */
    UNSEEN_AMONG_UNSEEN = 2, /* the conventional setting: described, never shown */
    UNSEEN_AMONG_NEW = 3     /* described with unseen_model_add_class */
} unseen_among;

/* Whether picture files are turned as their EXIF orientation demands. */
typedef enum unseen_orientation {
    UNSEEN_ORIENTATION_MODEL = 0,  /* as the pictures were that the model learned from (default) */
    UNSEEN_ORIENTATION_STORED = 1, /* no: as the pixels lie in the file */
    UNSEEN_ORIENTATION_EXIF = 2    /* yes: as a viewer shows them */
} unseen_orientation;

/* One candidate for a picture. */
typedef struct unseen_prediction {
    const char *label; /* name of the class; belongs to the model, valid until a class is added */
    size_t class_index;
    float score; /* calibrated, in the unit of the method; higher is better */
    int seen;    /* 1: trained on, 0: known by its description only */
} unseen_prediction;

typedef struct unseen_model unseen_model;

/* The version of the library, "major.minor.patch". */
UNSEEN_API const char *unseen_version(void);

/* The sentence about the last failed call of this thread; "" if there was
 * none. Valid until the thread's next failing call. */
UNSEEN_API const char *unseen_last_error(void);

/* Sends the library's messages to `function` (NULL: nowhere, the default). */
UNSEEN_API void unseen_set_log(unseen_log_function function, void *user);

/* Number of threads for computation, 1 to 1024; 0 takes every processor. It is the process's,
 * whichever thread calls, and holds from the next call of the library on; before, OpenMP's
 * (OMP_NUM_THREADS) does. OMP_THREAD_LIMIT may lower it, and so may a system that starts
 * fewer (a warning to the log says so). A host's own OpenMP settings stay as they
 * are. */
UNSEEN_API unseen_status unseen_set_threads(int threads);

/* Opens a model file written by `unseen train`. On success *out owns the model;
 * release it with unseen_model_close. Fails with UNSEEN_E_IO or
 * UNSEEN_E_FORMAT. */
UNSEEN_API unseen_status unseen_model_open(const char *path, unseen_model **out);

/* Releases a model; NULL is allowed. */
UNSEEN_API void unseen_model_close(unseen_model *model);

/* The name of the method: "cnzsl", "dedn", "dem", "duet", "eszsl", "msdn". */
UNSEEN_API const char *unseen_model_method(const unseen_model *model);

/* C, the number of classes that the model scores. */
UNSEEN_API size_t unseen_model_class_count(const unseen_model *model);

/* Name of class k, 0 <= k < C; NULL if k is out of range. */
UNSEEN_API const char *unseen_model_class_name(const unseen_model *model, size_t k);

/* 1 if class k was trained on, 0 if it is known by its description only, -1 if
 * k is out of range. */
UNSEEN_API int unseen_model_class_seen(const unseen_model *model, size_t k);

/* D, the length of the feature vector of one image. */
UNSEEN_API size_t unseen_model_feature_length(const unseen_model *model);

/* The constant that UNSEEN_CALIBRATED subtracts from the scores of seen
 * classes, in the unit of the method's scores; 0 if none was selected. */
UNSEEN_API double unseen_model_gamma(const unseen_model *model);

/* The manifest of the training run as JSON text: configuration, hashes,
 * selection and accuracies. */
UNSEEN_API const char *unseen_model_manifest(const unseen_model *model);

/* Scores n images: `features` is (n, D) float32 and finite, `scores` receives
 * (n, C) float32, higher is better. Fails with UNSEEN_E_ARGUMENT on a NaN or
 * infinite feature, naming its row, and with UNSEEN_E_MEMORY. */
UNSEEN_API unseen_status unseen_model_score(unseen_model *model, const float *features, size_t n,
                                            unseen_calibration calibration, float *scores);

/* A, the number of attributes that describe a class; 0 if the model fuses several semantics. */
UNSEEN_API size_t unseen_model_attribute_count(const unseen_model *model);

/* Name of attribute i, 0 <= i < A; NULL if it has none or i is out of range. */
UNSEEN_API const char *unseen_model_attribute_name(const unseen_model *model, size_t i);

/* Adds a class by its description, without training: `n` attributes by name with their values, in
 * the unit of the table that the model was trained with; the values of a training class give the
 * scores of that class. Where all attributes of that table share a unit, shares or percent, a
 * description of some of the A attributes may say how far each is present, from 0 to 1 (or in
 * percent if one exceeds 1). An attribute not mentioned is absent if another one of its group (the
 * name before "::" or ": ") is mentioned, and has the average of the model's classes otherwise.
 * Names of attributes may differ in case, blanks and "_". The name of a class that the model has
 * replaces its description (of one that it was trained on, a warning to the log says so). Fails
 * with UNSEEN_E_ARGUMENT on unknown attributes, naming the nearest, and on values without meaning:
 * not finite, in another unit, far outside the range of the training classes. Models of version
 * 0.1 do not keep ranges: with all A attributes their values are taken as the class's row. C and
 * the classes' names may change. */
UNSEEN_API unseen_status unseen_model_add_class(unseen_model *model, const char *name,
                                                const char *const *attributes, const float *values,
                                                size_t n);

/* Attaches a backbone: the weights file of the backbone that made its training features.
 * `weights` may be NULL for a model of the built-in descriptor. Fails with UNSEEN_E_ARGUMENT if
 * it is another backbone, UNSEEN_E_IO or UNSEEN_E_FORMAT. */
UNSEEN_API unseen_status unseen_model_attach_backbone(unseen_model *model, const char *weights);

/* How the files of unseen_classify_file and unseen_features_of_file are turned. Models of one's own
 * pictures learned from them turned as EXIF says, those of the published benchmarks and of version
 * 0.1 from the pixels as stored, and are asked likewise unless this says otherwise. (A TIFF's own
 * orientation, and a HEIF's, tells how its rows are stored and is always honoured.) Fails with
 * UNSEEN_E_ARGUMENT on a value that is none of the three. */
UNSEEN_API unseen_status unseen_model_set_orientation(unseen_model *model,
                                                      unseen_orientation orientation);

/* Classifies a picture: the best `top` candidates into out[top], best first; *count says how
 * many there are. The file is JPEG, PNG, WebP, TIFF, GIF, BMP or, where libvips reads it, HEIF;
 * whether its EXIF orientation is honoured: unseen_model_set_orientation. Needs a backbone. Fails,
 * naming the file, with UNSEEN_E_IO if it cannot be opened or read, UNSEEN_E_FORMAT if it is no
 * intact picture, UNSEEN_E_UNSUPPORTED if it is one that is not read here (its form, or its size),
 * UNSEEN_E_MEMORY if its pixels need more than there is. */
UNSEEN_API unseen_status unseen_classify_file(unseen_model *model, const char *path,
                                              unseen_among among, size_t top,
                                              unseen_prediction *out, size_t *count);

/* The same for pixels: `rgb` is (height, width, 3) with `stride` bytes from row to row. */
UNSEEN_API unseen_status unseen_classify_pixels(unseen_model *model, const uint8_t *rgb,
                                                size_t width, size_t height, size_t stride,
                                                unseen_among among, size_t top,
                                                unseen_prediction *out, size_t *count);

/* What the model sees of a picture, as the features of one image: out[D]. */
UNSEEN_API unseen_status unseen_features_of_file(unseen_model *model, const char *path, float *out);
UNSEEN_API unseen_status unseen_features_of_pixels(unseen_model *model, const uint8_t *rgb,
                                                   size_t width, size_t height, size_t stride,
                                                   float *out);

/* The grid of attention maps, h x w: the regions, or for methods that learn from pixels their
 * patches; 1 x 1 for models of pooled features. */
UNSEEN_API void unseen_model_grid(const unseen_model *model, size_t *height, size_t *width);

/* Number of attention branches of the method: 2 for MSDN and DUET, 4 for DEDN, 0 for methods that do
 * not attend to regions. */
UNSEEN_API size_t unseen_model_branch_count(const unseen_model *model);

/* How strongly each attribute was found in the image with these features (D): out[A]. ESZSL: the
 * score of class c is sum_i a[c, i] out[i]; MSDN and DEDN: the same with 1 more for unseen classes and 1 less
 * for seen ones. DUET, whose scores are
 * probabilities: the logarithm of the class's probability does, up to a number that all classes
 * share, so that the probability of class c is in proportion to exp(sum_i a[c, i] out[i]). All are
 * before any gamma, and of the attributes as the method scales them. UNSEEN_E_UNSUPPORTED for
 * methods without attribute scores. */
UNSEEN_API unseen_status unseen_attributes(unseen_model *model, const float *features, float *out);

/* Where each attribute was read: out[branches * A * h * w], non-negative. UNSEEN_E_UNSUPPORTED
 * for methods without attention. */
UNSEEN_API unseen_status unseen_attention(unseen_model *model, const float *features, float *out);

#ifdef __cplusplus
}
#endif

#endif
