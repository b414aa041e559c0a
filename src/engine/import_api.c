/* import_api.c - the public interface (unseen_files.h): other people's data sets. Which formats have
 * which fields is a table; the work is done by readers (data/readers/import.h). */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "data/readers/import.h"
#include "engine/handles.h"
#include "text/word_vectors.h"
#include "tinybirds/tinybirds.h"

/* What an import is asked for, as readers take it. */
typedef struct {
    const unseen_import_options *o;
    const char *directory;
    un_arena arena;
    un_named_path *semantics;
    un_words_options words; /* vectors NULL: without */
    un_attribute_options values;
    un_split_options split;
    un_layout layout;
    un_dtype dtype;
    un_orientation orientation;
} request;

/* ---- before readers write ---- */

/* Names and word vectors of the attributes. */
static un_status add_words(un_dataset *dataset, void *user) {
    const request *r = user;
    if (r->words.vectors) return un_words_add(dataset, &r->words);
    return r->words.attributes ? un_words_name(dataset, &r->words) : UNSEEN_OK;
}

static un_status add_semantics_and_words(un_dataset *dataset, void *user) {
    const request *r = user;
    for (size_t i = 0; i < r->o->semantics_count; i++)
        UN_TRY(un_import_semantics_file(dataset, &r->semantics[i]));
    return add_words(dataset, user);
}

/* ---- the formats ---- */

static un_status import_benchmark(request *r, const char *features,
                                  un_status (*import)(const un_benchmark_options *options)) {
    const unseen_import_options *o = r->o;
    const un_benchmark_options options = {.features = features,
                                          .features_name = o->features_name,
                                          .splits = o->splits,
                                          .semantics = r->semantics,
                                          .semantics_count = o->semantics_count,
                                          .validation = o->validation,
                                          .validation_count = o->validation_count,
                                          .layout = r->layout,
                                          .dtype = r->dtype,
                                          .name = o->name,
                                          .output = r->directory,
                                          .images = o->images,
                                          .allow_missing = o->allow_missing,
                                          .orientation = r->orientation,
                                          .finish = add_words,
                                          .finish_user = r};
    return import(&options);
}

static un_status import_xlsa17(request *r) {
    return import_benchmark(r, r->o->features, un_import_xlsa17);
}

static un_status import_region_maps(request *r) {
    return import_benchmark(r, r->o->source, un_import_region_maps);
}

static un_status import_pictures(request *r,
                                 un_status (*import)(const un_picture_set_options *options)) {
    const un_picture_set_options options = {.root = r->o->source,
                                            .attributes = r->o->table,
                                            .values = r->values,
                                            .split = r->split,
                                            .name = r->o->name,
                                            .output = r->directory,
                                            .update = r->o->update,
                                            .orientation = r->orientation,
                                            .finish = add_semantics_and_words,
                                            .finish_user = r};
    return import(&options);
}

static un_status import_cub(request *r) { return import_pictures(r, un_import_cub); }

static un_status import_awa2(request *r) { return import_pictures(r, un_import_awa2); }

static un_status import_folder(request *r) {
    /* The published sets have published vectors; people's own tables rarely have any. */
    if (!r->words.vectors) r->words.vectors = UN_WORDS_BUILTIN;
    return import_pictures(r, un_import_folder);
}

static un_status import_arrays(request *r) {
    const un_arrays_options options = {.features = r->o->features,
                                       .layout = r->layout,
                                       .labels = r->o->labels,
                                       .semantics = r->semantics,
                                       .semantics_count = r->o->semantics_count,
                                       .names = r->o->classes,
                                       .values = r->values,
                                       .split = r->split,
                                       .features_name = r->o->features_name,
                                       .dtype = r->dtype,
                                       .name = r->o->name,
                                       .output = r->directory,
                                       .finish = add_words,
                                       .finish_user = r};
    return un_import_arrays(&options);
}

static un_status import_tinybirds(request *r) {
    const un_tinybirds_options options = {.seed = r->o->seed,
                                          .images_per_class = r->o->images_per_class,
                                          .size = r->o->image_size,
                                          .name = r->o->name,
                                          .finish = add_words,
                                          .finish_user = r};
    /* Without word vectors MSDN has nothing to start from. */
    r->words.vectors = UN_WORDS_BUILTIN;
    return un_tinybirds_make(&options, r->directory);
}

/* Bits, so that a field can be of several formats. */
enum {
    XLSA17 = 1,
    REGION_MAPS = 2,
    CUB = 4,
    AWA2 = 8,
    FOLDER = 16,
    ARRAYS = 32,
    TINYBIRDS = 64,
    BENCHMARKS = XLSA17 | REGION_MAPS,
    PICTURES = CUB | AWA2 | FOLDER,
    FOREIGN = BENCHMARKS | PICTURES | ARRAYS
};

static const struct {
    const char *name;
    unsigned bit;
    un_dtype dtype; /* of the features, unless it is said */
    un_status (*run)(request *r);
} g_formats[] = {{"xlsa17", XLSA17, UN_F32, import_xlsa17},
                 {"region-maps", REGION_MAPS, UN_BF16, import_region_maps},
                 {"cub", CUB, UN_F32, import_cub},
                 {"awa2", AWA2, UN_F32, import_awa2},
                 {"folder", FOLDER, UN_F32, import_folder},
                 {"arrays", ARRAYS, UN_F32, import_arrays},
                 {"tinybirds", TINYBIRDS, UN_F32, import_tinybirds}};
enum { FORMATS = sizeof g_formats / sizeof *g_formats };

/* ---- the fields ---- */

static const unseen_import_options g_options = {
    .size = sizeof g_options, .unseen_count = -1, .seed = 1};

void unseen_import_options_init(unseen_import_options *options, size_t size) {
    un_options_init(options, size, &g_options, sizeof g_options);
}

#define MEMBER(TEXT, NAME, FORMATS, NEEDED)                                                        \
    {                                                                                              \
        TEXT, offsetof(unseen_import_options, NAME), sizeof((unseen_import_options *)0)->NAME,     \
            (FORMATS), (NEEDED)                                                                    \
    }
#define FIELD(NAME, FORMATS, NEEDED) MEMBER(#NAME, NAME, FORMATS, NEEDED)
#define LIST(NAME, FORMATS, NEEDED) MEMBER(#NAME, NAME##_count, FORMATS, NEEDED)
/* seed and name are every format's. */
static const struct {
    const char *name;
    size_t at, size;
    unsigned formats, needed; /* by which */
} g_fields[] = {FIELD(source, REGION_MAPS | PICTURES, REGION_MAPS | PICTURES),
                FIELD(features, XLSA17 | ARRAYS, ARRAYS),
                FIELD(layout, REGION_MAPS | ARRAYS, 0),
                FIELD(labels, ARRAYS, ARRAYS),
                FIELD(classes, ARRAYS, 0),
                FIELD(table, FOLDER, FOLDER),
                FIELD(attributes, BENCHMARKS | ARRAYS, 0),
                LIST(semantics, FOREIGN, ARRAYS),
                FIELD(scale, FOLDER | ARRAYS, 0),
                LIST(unknown, FOLDER | ARRAYS, 0),
                FIELD(splits, FOREIGN, XLSA17),
                FIELD(image_files, PICTURES | ARRAYS, 0),
                FIELD(unseen, PICTURES | ARRAYS, 0),
                FIELD(unseen_count, PICTURES | ARRAYS, 0),
                FIELD(write_splits, PICTURES | ARRAYS, 0),
                LIST(validation, FOREIGN, 0),
                FIELD(features_name, BENCHMARKS | ARRAYS, 0),
                FIELD(dtype, BENCHMARKS | ARRAYS, 0),
                FIELD(images, BENCHMARKS, 0),
                FIELD(allow_missing, BENCHMARKS, 0),
                FIELD(orientation, BENCHMARKS | PICTURES, 0),
                FIELD(update, PICTURES, 0),
                FIELD(word_vectors, FOREIGN, 0),
                FIELD(tensor, FOREIGN, 0),
                FIELD(images_per_class, TINYBIRDS, 0),
                FIELD(image_size, TINYBIRDS, 0)};
enum { FIELDS = sizeof g_fields / sizeof *g_fields };

/* That what a format needs is there, and nothing that it would pass over. */
static un_status check_fields(const unseen_import_options *o, size_t format) {
    const unsigned bit = g_formats[format].bit;
    for (size_t i = 0; i < FIELDS; i++) {
        const size_t at = g_fields[i].at;
        const int set =
            memcmp((const char *)o + at, (const char *)&g_options + at, g_fields[i].size) != 0;
        if (set && !(g_fields[i].formats & bit))
            return un_fail(UNSEEN_E_ARGUMENT, "the import of %s has no use for %s",
                           g_formats[format].name, g_fields[i].name);
        if (!set && (g_fields[i].needed & bit))
            return un_fail(UNSEEN_E_ARGUMENT, "the import of %s needs %s", g_formats[format].name,
                           g_fields[i].name);
    }
    return UNSEEN_OK;
}

static un_status check_list(const char *const *list, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (!list || !list[i]) return un_fail(UNSEEN_E_ARGUMENT, "%s %zu is NULL", name, i);
    return UNSEEN_OK;
}

/* ---- what is asked for ---- */

/* "NAME=FILE" in two. */
static un_status take_semantics(request *r) {
    const unseen_import_options *o = r->o;
    UN_TRY(check_list(o->semantics, o->semantics_count, "semantics"));
    if (o->semantics_count > UN_MAX_SEMANTICS)
        return un_fail(UNSEEN_E_ARGUMENT, "%zu semantics: there can be %d", o->semantics_count,
                       (int)UN_MAX_SEMANTICS);
    UN_TRY(un_arena_alloc(&r->arena, o->semantics_count, sizeof *r->semantics, &r->semantics));
    for (size_t i = 0; i < o->semantics_count; i++) {
        char *text = NULL;
        UN_TRY(un_arena_string(&r->arena, o->semantics[i], &text));
        char *equals = strchr(text, '=');
        if (!equals || equals == text || equals[1] == 0)
            return un_fail(UNSEEN_E_ARGUMENT, "semantics are NAME=FILE, not \"%.200s\"", text);
        *equals = 0;
        r->semantics[i] = (un_named_path){text, equals + 1};
    }
    return UNSEEN_OK;
}

static un_status take_unknown(request *r) {
    const unseen_import_options *o = r->o;
    char **texts = NULL;
    UN_TRY(check_list(o->unknown, o->unknown_count, "unknown"));
    UN_TRY(un_arena_alloc(&r->arena, o->unknown_count, sizeof *texts, &texts));
    for (size_t i = 0; i < o->unknown_count; i++)
        UN_TRY(un_arena_string(&r->arena, o->unknown[i], &texts[i]));
    r->values.unknown = texts;
    r->values.unknown_count = o->unknown_count;
    return UNSEEN_OK;
}

static un_status take_dtype(const char *text, un_dtype *out) {
    *out = strcmp(text, "bf16") == 0 ? UN_BF16 : UN_F32;
    if (*out == UN_BF16 || strcmp(text, "f32") == 0) return UNSEEN_OK;
    return un_fail(UNSEEN_E_ARGUMENT, "dtype must be f32 or bf16, not \"%.60s\"", text);
}

static void take_split(request *r) {
    const unseen_import_options *o = r->o;
    const int nobody = o->unseen && o->unseen[strspn(o->unseen, " ")] == 0;
    r->split =
        (un_split_options){.file = o->splits,
                           .image_files = o->image_files,
                           .unseen = nobody ? NULL : o->unseen,
                           .unseen_number = o->unseen_count > 0 ? (size_t)o->unseen_count : 0,
                           .no_unseen = nobody || o->unseen_count == 0,
                           .seed = o->seed,
                           .validation = o->validation,
                           .validation_count = o->validation_count,
                           .write = o->write_splits};
}

static un_status take(request *r, size_t format) {
    const unseen_import_options *o = r->o;
    UN_TRY(check_fields(o, format));
    UN_TRY(check_list(o->validation, o->validation_count, "validation"));
    if (o->unseen_count < -1)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "unseen_count must be a number of classes, or -1 for a fifth, not %td",
                       o->unseen_count);
    UN_TRY(take_semantics(r));
    UN_TRY(take_unknown(r));
    take_split(r);
    r->words = (un_words_options){
        .vectors = o->word_vectors, .tensor = o->tensor, .attributes = o->attributes};
    if (o->scale) UN_TRY(un_scale_parse(o->scale, &r->values.scale));
    if (o->layout) UN_TRY(un_layout_parse(o->layout, &r->layout));
    r->dtype = g_formats[format].dtype;
    if (o->dtype) UN_TRY(take_dtype(o->dtype, &r->dtype));
    return un_orientation_take(o->orientation, &r->orientation);
}

static un_status find_format(const char *name, size_t *format) {
    un_name_list known = {0};
    for (size_t i = 0; i < FORMATS; i++) {
        if (!strcmp(g_formats[i].name, name)) {
            *format = i;
            return UNSEEN_OK;
        }
        un_name_list_say(&known, FORMATS, "%s", g_formats[i].name);
    }
    return un_fail(UNSEEN_E_ARGUMENT, "unknown format \"%.60s\"; known formats: %s", name,
                   known.text);
}

unseen_status unseen_import(const char *format, const char *directory,
                            const unseen_import_options *options) {
    UN_LOCALE_C;
    unseen_import_options o = g_options;
    size_t number = 0;
    if (!format || !directory)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_import: a pointer is NULL");
    UN_TRY(un_options_take(options, "unseen_import_options", &o, sizeof o));
    UN_TRY(find_format(format, &number));
    request r = {.o = &o, .directory = directory};
    un_status status = take(&r, number);
    if (!status) status = g_formats[number].run(&r);
    un_arena_free(&r.arena);
    return status;
}
