/*
 * unseen.h - zero-shot image classification: recognise classes that no
 * training image ever showed, from a description of their attributes.
 *
 * The whole public interface of libunseen. A first program, which asks a trained model:
 *
 *     unseen_model *model;
 *     const unseen_picture photo = {.path = "photo.jpg"};
 *     unseen_classify_options options;
 *     unseen_prediction best;
 *     unseen_classify_options_init(&options, sizeof options);
 *     options.top = 1;
 *     if (unseen_model_open("birds.model", &model) ||
 *         unseen_model_attach_backbone(model, "resnet101.safetensors") ||
 *         unseen_model_classify(model, &photo, 1, &options, &best, NULL)) {
 *         fprintf(stderr, "%s\n", unseen_last_error());
 *         return 1;
 *     }
 *     printf("%s\n", best.label);
 *     unseen_model_close(model);
 *
 * Build with: cc program.c $(pkg-config --cflags --libs unseen)
 * One that trains on arrays in memory is examples/train_arrays.c.
 *
 * Conventions
 * - Every function that can fail returns an unseen_status. The sentence that
 *   says what went wrong, where, and what to do is in unseen_last_error().
 * - The library never prints, never exits and never aborts on input. A NULL where none
 *   is allowed is UNSEEN_E_ARGUMENT; accessors answer NULL, 0 or -1 for a NULL object.
 * - Numbers are read and written with a decimal point whatever the host's locale, which stays as
 *   it is; log and progress functions are called in the host's.
 * - A value that is none of its enumeration is UNSEEN_E_ARGUMENT.
 * - Strings are UTF-8. What a call is given is read during the call only, unless it says "borrowed".
 *   Pointers returned by accessors belong to the object they came from and live as long as it does;
 *   names of a model's classes until its classes change.
 * - Dimensions: C classes, A attributes, n images of one call, N of a data set. A feature row of an
 *   image is (R, F): R regions of width F, R = 1 for pooled features; D = R F numbers. h x w is the
 *   grid of the regions. Arrays are row-major and dense.
 * - Accuracies are fractions, 0 to 1; times are seconds.
 * - Structures of options begin with their size and are filled by unseen_..._options_init, which is
 *   given the size that the program was compiled with: later versions may append fields, and take
 *   for older programs what the defaults are. Programs set what they want to be otherwise; NULL in
 *   place of options stands for the defaults.
 *
 * Threads
 * - One object (model, data set, result, explanation) may be used by one thread at a time, and by
 *   another afterwards, whichever created it; different objects by different threads at the same
 *   time. Clones of a model (unseen_model_clone) are objects of their own although they share their
 *   weights, and so are results and explanations. One data set may be used by several trainings,
 *   evaluations and accessors at once (unseen_dataset_feature_set and unseen_dataset_check among
 *   them), but not while unseen_dataset_use_images, unseen_dataset_add_words or unseen_extract
 *   changes it.
 * - Messages go to one log function of the process, progress to the function of each call.
 * - A process may fork at any time when none of its other threads opens files through the library:
 *   the child can go on with the models that the forking thread could have used. A fork waits for
 *   pictures that other threads are decoding and for libraries that they are loading. If pictures
 *   were decoded before it, the child reads JPEG, PNG (not interlaced) and BMP, and refuses the rest
 *   with UNSEEN_E_UNSUPPORTED.
 *
 * What is the process's
 * - Left as it is: locale, umask, working directory, signal handlers, environment, OpenMP's
 *   settings (what libraries below need of them is set for the length of a call and put back).
 *   OpenMP's threads are kept for the next call, as OpenMP does.
 * - The library stays loaded when a host closes it (dlclose): others keep addresses of its functions.
 * - Where the processor has AMX, the kernel is asked for its tile registers (arch_prctl,
 *   ARCH_REQ_XCOMP_PERM) when bf16 is first multiplied. That is for all threads and cannot be taken
 *   back; from then on the kernel refuses stacks for signals (sigaltstack) that are smaller than
 *   getauxval(AT_MINSIGSTKSZ). A host whose signal stacks are smaller already goes on without AMX.
 * - Features of a data set directory are mapped into memory (mmap) while they are in use; models and
 *   weights are read. Where another process cuts a mapped file short, the host gets SIGBUS, which
 *   the library does not catch; `unseen` itself replaces such files and never cuts them.
 * - libvips: where the host has started it (vips_init) before the library's first picture, all settings
 *   are the host's and stay, and its messages go where the host's go: to a handler of the host's
 *   (g_log_set_handler, g_log_set_writer_func) while libvips and the library hold locks. Such a handler
 *   must not call the library, fork, or wait for a lock under which another thread does either. libvips's
 *   error buffer is emptied when a picture is damaged. Otherwise the library starts it with the first
 *   picture that is decoded or drawn, and sets it for the process: operation cache off, concurrency
 *   1, loaders of other formats than JPEG, PNG, WebP, TIFF, GIF and HEIF blocked, GLib messages sent
 *   to the log. No result depends on them.
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
    UNSEEN_E_INTERRUPTED = 6  /* stopped on request; state was saved where the call says so */
} unseen_status;

typedef enum unseen_log_level {
    UNSEEN_LOG_ERROR = 0,
    UNSEEN_LOG_WARNING = 1,
    UNSEEN_LOG_INFO = 2,
    UNSEEN_LOG_DEBUG = 3
} unseen_log_level;

/* Receives one message without a trailing newline. Called by threads that call the library and by
 * the library's own, which read pictures ahead; by several at once. The library holds no lock of its
 * pictures meanwhile: the function may wait for one of the host's, fork, and call the library about
 * other objects, whose failures are not those of the call under way. */
typedef void (*unseen_log_function)(unseen_log_level level, const char *message, void *user);

/* Which scores unseen_model_score writes. */
typedef enum unseen_calibration {
    UNSEEN_NATIVE = 0,    /* as the method computes them */
    UNSEEN_CALIBRATED = 1 /* seen classes lowered by the model's gamma
                             (calibrated stacking, Chao et al., ECCV 2016) */
} unseen_calibration;

/* Which classes are candidates for an answer. */
typedef enum unseen_among {
    UNSEEN_AMONG_ALL = 0,    /* the generalised setting */
    UNSEEN_AMONG_SEEN = 1,   /* classes with training images */
    UNSEEN_AMONG_UNSEEN = 2, /* the conventional setting: described, never shown */
    UNSEEN_AMONG_NEW = 3     /* described after the model was opened or trained */
} unseen_among;

/* Whether picture files are turned as their EXIF orientation demands. */
typedef enum unseen_orientation {
    UNSEEN_ORIENTATION_MODEL = 0,  /* as the pictures were that the model learned from, or as the
                                      data set says (default) */
    UNSEEN_ORIENTATION_STORED = 1, /* no: as the pixels lie in the file */
    UNSEEN_ORIENTATION_EXIF = 2    /* yes: as a viewer shows them */
} unseen_orientation;

/* Type of the elements of a feature array. */
typedef enum unseen_dtype {
    UNSEEN_F32 = 0, /* float */
    UNSEEN_BF16 = 1 /* uint16_t, the upper half of a float */
} unseen_dtype;

/* The lists of a split (Xian et al., TPAMI 2019), and of a validation fold inside trainval. */
typedef enum unseen_split_list {
    UNSEEN_TRAINVAL = 0,   /* images to learn from; of a fold: its training images */
    UNSEEN_TEST_SEEN = 1,  /* kept images of classes that are learned from */
    UNSEEN_TEST_UNSEEN = 2 /* images of classes that are never shown */
} unseen_split_list;

/* How far a call came. */
typedef struct unseen_progress {
    const char *phase; /* "train dem, fold 1", "extract"; valid during the call */
    const char *unit;  /* of done and total: "steps", "images" */
    size_t done, total;
    double seconds; /* since the phase began */
    int finished;   /* 1: the last report of this phase */
} unseen_progress;

/* Called at most ten times a second, and at the end of each phase, by the thread that made the
 * call. An answer other than 0 stops at the next safe point: the call fails with
 * UNSEEN_E_INTERRUPTED, and what can go on later (unseen_train with an output, unseen_extract) has
 * saved where it was. May call the library about other objects. */
typedef int (*unseen_progress_function)(const unseen_progress *progress, void *user);

typedef struct unseen_dataset unseen_dataset;
typedef struct unseen_model unseen_model;
typedef struct unseen_result unseen_result;
typedef struct unseen_explanation unseen_explanation;

/* ---- the library ---- */

/* The version of the library, "major.minor.patch". */
UNSEEN_API const char *unseen_version(void);

/* The sentence about the last failed call of this thread; "" if there was
 * none. Valid until the thread's next failing call. */
UNSEEN_API const char *unseen_last_error(void);

/* The errno of that failure, where the operating system said no (ENOENT, ENOSPC, …) and it is known;
 * else 0. A call that answers for one picture alone counts as failed where its answer says so. */
UNSEEN_API int unseen_last_errno(void);

/* Sends the library's messages to `function` (NULL: nowhere, the default). To be called while no
 * other thread calls the library. */
UNSEEN_API void unseen_set_log(unseen_log_function function, void *user);

/* Number of threads for computation, 1 to 1024; 0 takes every processor. It is the process's,
 * whichever thread calls, and holds from the next call of the library on; before, OpenMP's
 * (OMP_NUM_THREADS) does. OMP_THREAD_LIMIT may lower it, and so may a system that starts
 * fewer (a warning to the log says so). A host's own OpenMP settings stay as they
 * are. */
UNSEEN_API unseen_status unseen_set_threads(int threads);

/* Name of method i, from 0: "cnzsl", "dem", "duet", …; NULL behind the last. */
UNSEEN_API const char *unseen_method_name(size_t i);

/* JSON about a method: {"name", "title", "score_unit", "input": "pooled", "regions" or "pixels",
 * "presets": [{"name", "summary", "settings": {key: value}}], the first is the default,
 * "settings": [{"key", "default" (as text, before a preset), "help", "choices": [...] or null}]}.
 * *json is valid until the thread's next call of this function. */
UNSEEN_API unseen_status unseen_method_describe(const char *method, const char **json);

/* Data sets, and the features of their pictures. */
#include "unseen_dataset.h"

/* Other people's data sets, and what is in a file. */
#include "unseen_files.h"

/* ---- train ---- */

typedef struct unseen_train_options {
    size_t size;
    const char *preset;          /* settings to start from; NULL: the method's default (default) */
    const char *config;          /* JSON file of settings that replace them; NULL: none (default) */
    const char *const *settings; /* [setting_count] "key=value", which win over the rest; checked as
                                    those of `unseen train --set` */
    size_t setting_count;
    const char *features;  /* feature set; NULL: the one that the method can use (default) */
    const char *select;    /* where length and gamma come from: "validation" (default), "test"
                             (marked in every result), "none" */
    size_t folds;          /* the first so many of the validation folds; 0: all (default) */
    int all;               /* 1: the final run learns from every image, the test lists included */
    uint64_t seed;         /* of all random choices (default 1) */
    const char *precision; /* "auto" (default), "f32", "bf16" */
    size_t max_steps;      /* of every run; 0: epochs decide (default) */
    const char *output;    /* model file; NULL: the model is in memory only, and a stopped training
                              is lost (default) */
    const char *log;       /* CSV file for losses and accuracies; NULL: none (default) */
    int resume;            /* 1: go on from OUTPUT.checkpoint if it is there; needs `output` */
    double checkpoint_seconds;         /* between checkpoints, 0: only when stopped (default 60) */
    unseen_progress_function progress; /* NULL: none (default) */
    void *user;
    size_t ranks_per_run; /* of `unseen-mpi`: ranks that share the steps of each run; 0, 1: every
                             run is one rank's (default). A library's process is one rank */
    const char *wire;     /* of gradients between them: "f32" (default), "bf16" */
} unseen_train_options;
UNSEEN_API void unseen_train_options_init(unseen_train_options *options, size_t size);

/* Trains a method, chooses its length and gamma, tests it once. *model, which is not attached to a
 * backbone, and *result (accuracies on the test lists; no curve) are the caller's; either may be
 * NULL. Stopped: UNSEEN_E_INTERRUPTED, and with an output its checkpoint is written: the same call
 * with resume = 1 ends with the same bytes as one that was never stopped. Fails with
 * UNSEEN_E_ARGUMENT on settings and data that do not go together, and with UNSEEN_E_FORMAT where
 * the loss is no longer a number. */
UNSEEN_API unseen_status unseen_train(const char *method, const unseen_dataset *data,
                                      const unseen_train_options *options, unseen_model **model,
                                      unseen_result **result);

/* Training i of several is done; `result` is lent for the call. */
typedef void (*unseen_trained_function)(size_t i, const unseen_result *result, void *user);

/* One model for each of n different seeds, at least one, in the place of options->seed. With an
 * output "birds.model", that of seed 3 goes to "birds-seed3.model", and likewise with a log.
 * `trained`, unless NULL, is called with `user` for each in its turn. models[n] and results[n], each
 * of which may be NULL, become the caller's when all are trained. Otherwise as unseen_train: stopped,
 * the seeds that are done are in their files, and with resume = 1 not trained again. */
UNSEEN_API unseen_status unseen_train_seeds(const char *method, const unseen_dataset *data,
                                            const unseen_train_options *options,
                                            const uint64_t *seeds, size_t n,
                                            unseen_trained_function trained, void *user,
                                            unseen_model **models, unseen_result **results);

/* ---- models ---- */

typedef struct unseen_model_options {
    size_t size;
    const char *precision; /* "auto" (as trained, default), "f32", "bf16"; of its backbone, too */
} unseen_model_options;
UNSEEN_API void unseen_model_options_init(unseen_model_options *options, size_t size);

/* Opens a model file written by `unseen train` or unseen_model_save. On success *out owns the model;
 * release it with unseen_model_close. Fails with UNSEEN_E_IO or
 * UNSEEN_E_FORMAT. */
UNSEEN_API unseen_status unseen_model_open(const char *path, unseen_model **out);
UNSEEN_API unseen_status unseen_model_open_with(const char *path,
                                                const unseen_model_options *options,
                                                unseen_model **out);

/* Another handle on the same model, with classes, gamma and orientation as `model` has them now,
 * and classes and gamma of its own from then on. The weights are in memory once. It has no
 * backbone. Released with unseen_model_close, in any order. */
UNSEEN_API unseen_status unseen_model_clone(const unseen_model *model, unseen_model **out);

/* Writes the model with its classes and gamma as they are now; whole or not at all. */
UNSEEN_API unseen_status unseen_model_save(const unseen_model *model, const char *path);

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

/* Sets that constant, a finite float. Evaluations of the model then say that it was given, not
 * selected. */
UNSEEN_API unseen_status unseen_model_set_gamma(unseen_model *model, double gamma);

/* The manifest of the training run as JSON text: configuration, hashes,
 * selection and accuracies. */
UNSEEN_API const char *unseen_model_manifest(const unseen_model *model);

/* The same for whoever is to ask it, as JSON. Accuracies are those of its training, at its gamma then:
 * {"method", "title", "data_set" or null, "feature_length", "pictures": a backbone is attached,
 * "class_count", "seen_count", "attribute_count", "classes": [{"name", "seen", "new": described
 * after training}], "attribute_groups": [{"name": "wing color", "" for attributes without one,
 * "attributes": [{"number", "name": "has_wing_color::blue", "value": "blue", and the "least" and
 * "largest" value in training where "value_unit" is "other" and they are known}]}],
 * "can_describe": classes can be added, else "why_not" is a sentence, "value_unit": {"kind":
 * "share", "percent" or "other", "maximum": 1, 100 or null} of what a description of some
 * attributes says, "grid": {"height", "width"}, "branches": [what each map of attention shows],
 * "score_unit", "probabilities": scores without gamma are, "calibration": {"gamma", "source":
 * "selected", "given" or null, "text": "less gamma 0.1 for seen classes" or null},
 * "accuracies": {"T1", "U", "S", "H", "AUSUC", and what a guess has: "chance_T1", "chance_U",
 * "chance_S", "chance_H"; null where there is none}, "selection": "validation", "selected on
 * test" or "none", "selection_text": a sentence on it, "intended": sentences on what the model is
 * for and what it is not for}.
 * Valid until the next call of this function for the model. */
UNSEEN_API unseen_status unseen_model_describe(unseen_model *model, const char **json);

/* A, the number of attributes that describe a class; 0 if the model fuses several semantics. */
UNSEEN_API size_t unseen_model_attribute_count(const unseen_model *model);

/* Name of attribute i, 0 <= i < A; NULL if it has none or i is out of range. */
UNSEEN_API const char *unseen_model_attribute_name(const unseen_model *model, size_t i);

/* The description of class k, out[A], as the model's table has it: what explanations call
 * "answer_value", and what unseen_model_nearest_class compares. Of models that bring descriptions
 * to length 1 it has that. UNSEEN_E_UNSUPPORTED if the model fuses several semantics. */
UNSEEN_API unseen_status unseen_model_class_description(const unseen_model *model, size_t k,
                                                        float *out);

/* The other class whose description is most like that of class k, the one that it is hardest to
 * tell from: *nearest, and the cosine of the two descriptions, -1 to 1, 0 for one that is all
 * zeros; ties go to the lower class. UNSEEN_E_ARGUMENT if there is no other. */
UNSEEN_API unseen_status unseen_model_nearest_class(const unseen_model *model, size_t k,
                                                    size_t *nearest, float *similarity);

/* The grid of attention maps, h x w: the regions, or for methods that learn from pixels their
 * patches; 1 x 1 for models of pooled features. */
UNSEEN_API void unseen_model_grid(const unseen_model *model, size_t *height, size_t *width);

/* Number of attention branches of the method: 2 for MSDN and DUET, 4 for DEDN, 0 for methods that do
 * not attend to regions. */
UNSEEN_API size_t unseen_model_branch_count(const unseen_model *model);

/* ---- classes described after training ---- */

/* Adds a class by its description, without training: `n` attributes, at least one, by name with
 * their values, in the unit of the table that the model was trained with; the values of a training
 * class give the scores of that class. Where all attributes of that table share a unit, shares or
 * percent, a description of some of the A attributes may say how far each is present, from 0 to 1 (or in
 * percent if one exceeds 1). An attribute not mentioned is absent if another one of its group (the
 * name before "::" or ": ") is mentioned, and has the average of the model's classes otherwise.
 * Names of attributes and classes may differ in case, blanks, "-" and "_" from those of the model.
 * The name of a class that the model has replaces its description (of one that it was trained on, a
 * warning to the log says so). Fails with UNSEEN_E_ARGUMENT on unknown attributes, naming the
 * nearest, and on values without meaning: not finite, in another unit, far outside the range of the training classes. Models of version
 * 0.1 do not keep ranges: with all A attributes their values are taken as the class's row. C and
 * the classes' names may change. */
UNSEEN_API unseen_status unseen_model_add_class(unseen_model *model, const char *name,
                                                const char *const *attributes, const float *values,
                                                size_t n);

/* One class as it is described. */
typedef struct unseen_description {
    const char *name;
    const char *const *attributes; /* [n] */
    const float *values;           /* [n] */
    size_t n;
} unseen_description;
/* The same for `count` classes of different names at once, all or none; much quicker than one by
 * one. Whether values are in percent is decided for all of them together. */
UNSEEN_API unseen_status unseen_model_add_classes(unseen_model *model,
                                                  const unseen_description *classes, size_t count);

/* The same for class k, which is called `name` from now on (NULL: as before); a class of another
 * name counts as never trained on. */
UNSEEN_API unseen_status unseen_model_replace_class(unseen_model *model, size_t k, const char *name,
                                                    const char *const *attributes,
                                                    const float *values, size_t n);

/* Takes class k out; those behind it move up. The last class stays (UNSEEN_E_ARGUMENT). */
UNSEEN_API unseen_status unseen_model_remove_class(unseen_model *model, size_t k);

/* Adds or replaces the classes that a file describes: CSV or TSV, a table of classes and attributes
 * or lines NAME,ATTRIBUTE=VALUE,... */
UNSEEN_API unseen_status unseen_model_read_classes(unseen_model *model, const char *path);

/* ---- features to answers ---- */

/* Scores n images: `features` is (n, D) float32 and finite, `scores` receives
 * (n, C) float32, higher is better. Fails with UNSEEN_E_ARGUMENT on a NaN or
 * infinite feature, naming its row, and with UNSEEN_E_MEMORY. */
UNSEEN_API unseen_status unseen_model_score(unseen_model *model, const float *features, size_t n,
                                            unseen_calibration calibration, float *scores);

/* How strongly each attribute was found in the image with these features (D): out[A]. ESZSL: the
 * score of class c is sum_i a[c, i] out[i]; MSDN and DEDN: the same with 1 more for unseen classes and 1 less
 * for seen ones. DUET, whose scores are
 * probabilities: the logarithm of the class's probability does, up to a number that all classes
 * share, so that the probability of class c is in proportion to exp(sum_i a[c, i] out[i]). All are
 * before any gamma, and of the attributes as the method scales them. UNSEEN_E_UNSUPPORTED for
 * methods without attribute scores. */
UNSEEN_API unseen_status unseen_model_attribute_scores(unseen_model *model, const float *features,
                                                       float *out);

/* Where each attribute was read: out[branches * A * h * w], non-negative. UNSEEN_E_UNSUPPORTED
 * for methods without attention. */
UNSEEN_API unseen_status unseen_model_attention(unseen_model *model, const float *features,
                                                float *out);

/* Pictures to answers. */
#include "unseen_picture.h"

/* ---- evaluate: a model on the test lists of a data set ---- */

typedef struct unseen_evaluate_options {
    size_t size;
    const char *features; /* feature set; NULL: the one that the model was trained on (default) */
    const char *gamma;    /* for U, S, H: "native", "selected", "validation" or a number; NULL: the
                             model's own where it has one, else native (default) */
    int localisation;     /* 1: measure how often attention points at the part it speaks of */
    int recovery;         /* 1: measure masked-attribute prediction */
    unseen_progress_function progress; /* NULL: none (default) */
    void *user;
} unseen_evaluate_options;
UNSEEN_API void unseen_evaluate_options_init(unseen_evaluate_options *options, size_t size);

/* The model stays as it is: the data set's classes and descriptions are those that are tested. */
UNSEEN_API unseen_status unseen_evaluate(const unseen_model *model, const unseen_dataset *data,
                                         const unseen_evaluate_options *options,
                                         unseen_result **out);

/* Releases a result; NULL is allowed. */
UNSEEN_API void unseen_result_close(unseen_result *result);

/* All of it as JSON, as `unseen eval --json` writes it. */
UNSEEN_API const char *unseen_result_json(const unseen_result *result);

/* A number of that JSON by its keys, "H", "native.U", "per_image.T1"; NaN where it is null or
 * absent. */
UNSEEN_API double unseen_result_number(const unseen_result *result, const char *key);

/* The exact curve of U and S over all gammas: [*count] each. Point j holds for gammas between
 * gamma[j - 1] and gamma[j]; the last gamma is infinite. UNSEEN_E_UNSUPPORTED for results of
 * unseen_train, which keep none. */
UNSEEN_API unseen_status unseen_result_curve(const unseen_result *result, size_t *count,
                                             const double **gamma, const double **U,
                                             const double **S);

/* Which table unseen_result_write writes. */
typedef enum unseen_table {
    UNSEEN_TABLE_CLASSES = 0,  /* accuracy of each class */
    UNSEEN_TABLE_CURVE = 1,    /* gamma_from, gamma_to, U, S, H */
    UNSEEN_TABLE_CONFUSION = 2 /* cells that are not 0: true class, chosen class, images */
} unseen_table;
/* As a CSV file, whole or not at all. UNSEEN_E_UNSUPPORTED for results of unseen_train. */
UNSEEN_API unseen_status unseen_result_write(const unseen_result *result, unseen_table table,
                                             const char *path);

/* ---- explain ---- */

typedef struct unseen_explain_options {
    size_t size;
    unseen_among among;     /* candidates for the answer (default UNSEEN_AMONG_ALL) */
    const char *instead_of; /* the class to compare with; NULL: the next best (default) */
    size_t top;             /* attributes of each list that is shown, 1 to 50 (default 6) */
    unseen_progress_function progress; /* NULL: none (default) */
    void *user;
} unseen_explain_options;
UNSEEN_API void unseen_explain_options_init(unseen_explain_options *options, size_t size);

/* Why the model says what it says about a picture: which attributes it found and where, and what
 * each does for the answer against another class. Needs a backbone unless the picture is given as
 * features: then "crop" of the JSON is null and there is nothing to draw a sheet on
 * (UNSEEN_E_ARGUMENT), unless the crop is given, too. Released with unseen_explanation_close. */
UNSEEN_API unseen_status unseen_explain(unseen_model *model, const unseen_picture *picture,
                                        const unseen_explain_options *options,
                                        unseen_explanation **out);
/* NULL is allowed. */
UNSEEN_API void unseen_explanation_close(unseen_explanation *explanation);

/* All of it as JSON, as in the explanation.json of `unseen explain`. */
UNSEEN_API const char *unseen_explanation_json(const unseen_explanation *explanation);

/* Makes the folder DIRECTORY/NAME of pictures and numbers, as `unseen explain` does: whole or not at
 * all, over an explanation that is there. DIRECTORY must exist; NAME is that of a folder in it, without
 * "/" (UNSEEN_E_ARGUMENT). */
UNSEEN_API unseen_status unseen_explanation_write(const unseen_explanation *explanation,
                                                  const char *directory, const char *name);

typedef enum unseen_drawing {
    UNSEEN_DRAWING_SHEET = 0,        /* what the network saw, and where it read each attribute */
    UNSEEN_DRAWING_CONTRIBUTIONS = 1 /* what each attribute did for the answer */
} unseen_drawing;
/* The same as a PNG file in memory; valid until the next call for this explanation. */
UNSEEN_API unseen_status unseen_explanation_png(unseen_explanation *explanation,
                                                unseen_drawing drawing, const void **bytes,
                                                size_t *size);

/* ---- report: one HTML page about models on a data set ---- */

typedef struct unseen_report_options {
    size_t size;
    const char *const *logs; /* [log_count] CSV logs of training, of the first models */
    size_t log_count;
    const char *features, *gamma;      /* as in unseen_evaluate_options */
    unseen_progress_function progress; /* NULL: none (default) */
    void *user;
} unseen_report_options;
UNSEEN_API void unseen_report_options_init(unseen_report_options *options, size_t size);

/* Writes the page about n models, at least 1, whole or not at all, at most 5 MiB. *bytes, unless
 * NULL: its size. */
UNSEEN_API unseen_status unseen_report(const unseen_dataset *data,
                                       const unseen_model *const *models, size_t n,
                                       const unseen_report_options *options, const char *path,
                                       size_t *bytes);

/* ---- names of version 0.1, deprecated: kept for one more version, with the meaning of the calls
 * that stand in their place ---- */

/* unseen_model_classify of one picture: out[top], of which the first *count are written. */
UNSEEN_API unseen_status unseen_classify_file(unseen_model *model, const char *path,
                                              unseen_among among, size_t top,
                                              unseen_prediction *out, size_t *count);
UNSEEN_API unseen_status unseen_classify_pixels(unseen_model *model, const uint8_t *rgb,
                                                size_t width, size_t height, size_t stride,
                                                unseen_among among, size_t top,
                                                unseen_prediction *out, size_t *count);
/* unseen_model_features of one picture. */
UNSEEN_API unseen_status unseen_features_of_file(unseen_model *model, const char *path, float *out);
UNSEEN_API unseen_status unseen_features_of_pixels(unseen_model *model, const uint8_t *rgb,
                                                   size_t width, size_t height, size_t stride,
                                                   float *out);
/* unseen_model_attribute_scores, unseen_model_attention. */
UNSEEN_API unseen_status unseen_attributes(unseen_model *model, const float *features, float *out);
UNSEEN_API unseen_status unseen_attention(unseen_model *model, const float *features, float *out);

#ifdef __cplusplus
}
#endif

#endif
