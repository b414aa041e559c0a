/*
 * unseen.h - zero-shot image classification: recognise classes that no
 * training image ever showed, from a description of their attributes.
 *
 * The whole public interface of libunseen. A first program:
 *
 *     unseen_model *model;
 *     if (unseen_model_open("birds.model", &model) != UNSEEN_OK) {
 *         fprintf(stderr, "%s\n", unseen_last_error());
 *         return 1;
 *     }
 *     size_t classes = unseen_model_class_count(model);
 *     float *scores = malloc(classes * sizeof *scores);
 *     if (unseen_model_score(model, features, 1, UNSEEN_CALIBRATED, scores) == UNSEEN_OK) {
 *         size_t best = 0;
 *         for (size_t k = 1; k < classes; k++)
 *             if (scores[k] > scores[best]) best = k;
 *         printf("%s\n", unseen_model_class_name(model, best));
 *     }
 *     free(scores);
 *     unseen_model_close(model);
 *
 * Conventions
 * - Every function that can fail returns an unseen_status. The sentence that
 *   says what went wrong, where, and what to do is in unseen_last_error().
 * - The library never prints, never exits and never aborts on input.
 * - Strings are UTF-8. Pointers returned by accessors belong to the object
 *   they came from and live as long as it does.
 * - Dimensions: C classes, D feature length, n images of one call. Arrays are
 *   row-major and dense.
 * - One unseen_model may be used by one thread at a time.
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

/* What a call came to. Anything but UNSEEN_OK leaves its outputs untouched. */
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

typedef struct unseen_model unseen_model;

/* The version of the library, "major.minor.patch". */
UNSEEN_API const char *unseen_version(void);

/* The sentence about the last failed call of this thread; "" if there was
 * none. Valid until the thread's next failing call. */
UNSEEN_API const char *unseen_last_error(void);

/* Sends the library's messages to `function` (NULL: nowhere, the default). */
UNSEEN_API void unseen_set_log(unseen_log_function function, void *user);

/* Number of threads for computation, 1 to 1024; 0 takes every processor. */
UNSEEN_API unseen_status unseen_set_threads(int threads);

/* Opens a model file written by `unseen train`. On success *out owns the model;
 * release it with unseen_model_close. Fails with UNSEEN_E_IO or
 * UNSEEN_E_FORMAT. */
UNSEEN_API unseen_status unseen_model_open(const char *path, unseen_model **out);

/* Releases a model; NULL is allowed. */
UNSEEN_API void unseen_model_close(unseen_model *model);

/* The name of the method: "dem", "msdn". */
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

#ifdef __cplusplus
}
#endif

#endif
