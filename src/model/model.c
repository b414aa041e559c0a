/* model.c - see model.h. */
#include "model/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "method/methods.h"

static const char FORMAT[] = "unseen-model", VERSION[] = "1";

static un_status describe_semantics(const un_class_table *classes, char **out) {
    json_t *list = json_array();
    if (!list) return un_fail_memory(0);
    un_status status = UNSEEN_OK;
    for (size_t m = 0; m < classes->semantics_count; m++) {
        const un_class_semantics *semantics = &classes->semantics[m];
        json_t *names = semantics->attributes
                            ? un_json_strings(semantics->attributes, semantics->width)
                            : json_null();
        json_t *scaling =
            semantics->scaling ? un_scaling_describe(semantics->scaling) : json_null();
        UN_GO(un_json_append(list, json_pack("{s:s, s:o, s:o}", "name", semantics->name,
                                             "attributes", names, "scaling", scaling)));
    }
    UN_GO(un_json_text(list, out));
done:
    json_decref(list);
    return status;
}

static un_status write_metadata(un_st_writer *writer, const un_class_table *classes,
                                const json_t *manifest) {
    char *manifest_text = NULL, *names_text = NULL, *modalities_text = NULL;
    json_t *names = un_json_strings(classes->names, classes->count);
    un_status status = UNSEEN_OK;
    if (!names) UN_GO(un_fail_memory(0));
    UN_GO(un_json_text(manifest, &manifest_text));
    UN_GO(un_json_text(names, &names_text));
    UN_GO(describe_semantics(classes, &modalities_text));
    UN_GO(un_st_writer_metadata(writer, "format", FORMAT));
    UN_GO(un_st_writer_metadata(writer, "format_version", VERSION));
    UN_GO(un_st_writer_metadata(writer, "manifest", manifest_text));
    UN_GO(un_st_writer_metadata(writer, "classes", names_text));
    UN_GO(un_st_writer_metadata(writer, "modalities", modalities_text));
done:
    json_decref(names);
    free(manifest_text);
    free(names_text);
    free(modalities_text);
    return status;
}

static un_status declare_tensors(un_st_writer *writer, const un_method *method,
                                 const un_class_table *classes) {
    char name[128];
    for (size_t i = 0; i < method->params.count; i++) {
        const un_param *p = &method->params.item[i];
        snprintf(name, sizeof name, "param.%s", p->name);
        UN_TRY(un_st_writer_add(writer, name, UN_F32, p->rank, p->shape));
    }
    for (size_t m = 0; m < classes->semantics_count; m++) {
        snprintf(name, sizeof name, "classes.modality.%zu", m);
        const size_t shape[] = {classes->count, classes->semantics[m].width};
        UN_TRY(un_st_writer_add(writer, name, UN_F32, 2, shape));
        if (classes->semantics[m].vectors) {
            snprintf(name, sizeof name, "classes.vectors.%zu", m);
            const size_t vectors[] = {classes->semantics[m].width,
                                      classes->semantics[m].vector_width};
            UN_TRY(un_st_writer_add(writer, name, UN_F32, 2, vectors));
        }
        if (classes->semantics[m].scaling) {
            snprintf(name, sizeof name, "classes.scaling.%zu", m);
            const size_t numbers[] = {classes->semantics[m].width, 3};
            UN_TRY(un_st_writer_add(writer, name, UN_F64, 2, numbers));
        }
    }
    return un_st_writer_add(writer, "classes.seen", UN_U8, 1, &classes->count);
}

static un_status write_scaling(un_st_writer *writer, size_t index, const un_scaling *scaling) {
    un_arena arena = {0};
    double *numbers = NULL;
    un_status status = un_scaling_numbers(scaling, &arena, &numbers);
    if (!status)
        status =
            un_st_writer_write(writer, index, 0, numbers, 3 * scaling->width * sizeof *numbers);
    un_arena_free(&arena);
    return status;
}

static un_status write_tensors(un_st_writer *writer, const un_method *method,
                               const un_class_table *classes) {
    size_t index = 0;
    for (size_t i = 0; i < method->params.count; i++)
        UN_TRY(un_st_writer_write(writer, index++, 0, un_param_value(&method->params, i),
                                  method->params.item[i].count * sizeof(float)));
    for (size_t m = 0; m < classes->semantics_count; m++) {
        const un_class_semantics *semantics = &classes->semantics[m];
        UN_TRY(un_st_writer_write(writer, index++, 0, semantics->values,
                                  classes->count * semantics->width * sizeof(float)));
        if (semantics->vectors)
            UN_TRY(un_st_writer_write(writer, index++, 0, semantics->vectors,
                                      semantics->width * semantics->vector_width * sizeof(float)));
        if (semantics->scaling) UN_TRY(write_scaling(writer, index++, semantics->scaling));
    }
    return un_st_writer_write(writer, index, 0, classes->seen, classes->count);
}

un_status un_model_save(const char *path, const un_method *method, const un_class_table *classes,
                        const json_t *manifest) {
    un_st_writer *writer = NULL;
    UN_TRY(un_st_writer_open(&writer, path));
    un_status status = write_metadata(writer, classes, manifest);
    if (!status) status = declare_tensors(writer, method, classes);
    if (!status) status = un_st_writer_begin(writer);
    if (!status) status = write_tensors(writer, method, classes);
    if (status) {
        un_st_writer_abort(writer);
        return status;
    }
    return un_st_writer_commit(writer);
}

/* The JSON value of a metadata key. */
static un_status metadata_json(const un_safetensors *file, const char *key, json_t **out) {
    const char *text = un_safetensors_metadata(file, key);
    if (!text) return un_fail(UNSEEN_E_FORMAT, "%s: metadata \"%s\" is missing", file->path, key);
    return un_json_parse(text, strlen(text), file->path, out);
}

static un_status unusable(const char *where, const char *what) {
    return un_fail(UNSEEN_E_FORMAT, "%s: not a usable model: %s", where, what);
}

static un_status damaged(const un_safetensors *file, const char *what) {
    return unusable(file->path, what);
}

static un_status read_strings(un_model *model, const un_safetensors *file, const json_t *list,
                              size_t expected, char ***out) {
    if (!json_is_array(list) || json_array_size(list) != expected)
        return damaged(file, "a list of names has the wrong length");
    UN_TRY(un_arena_alloc(&model->arena, expected, sizeof **out, out));
    for (size_t i = 0; i < expected; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (!text) return damaged(file, "a name is not a string");
        UN_TRY(un_arena_string(&model->arena, text, &(*out)[i]));
    }
    return UNSEEN_OK;
}

static un_status read_vectors(un_model *model, const un_safetensors *file, size_t m) {
    un_class_semantics *semantics = &model->classes.semantics[m];
    char name[64];
    snprintf(name, sizeof name, "classes.vectors.%zu", m);
    const un_st_entry *entry = un_safetensors_find(file, name);
    if (!entry) return UNSEEN_OK;
    if (entry->tensor.rank != 2 || entry->tensor.shape[0] != semantics->width)
        return damaged(file, "word vectors have the wrong shape");
    float *vectors = NULL;
    UN_TRY(
        un_arena_alloc(&model->arena, un_tensor_count(&entry->tensor), sizeof *vectors, &vectors));
    un_st_copy_f32(entry, vectors);
    semantics->vectors = vectors;
    semantics->vector_width = entry->tensor.shape[1];
    return UNSEEN_OK;
}

static un_status read_scaling(un_model *model, const un_safetensors *file,
                              const json_t *description, size_t m) {
    un_class_semantics *semantics = &model->classes.semantics[m];
    char name[64];
    snprintf(name, sizeof name, "classes.scaling.%zu", m);
    const un_st_entry *entry = un_safetensors_find(file, name);
    if (!entry || !json_is_object(description)) return UNSEEN_OK;
    return un_scaling_read(entry, description, semantics->width, file->path, &model->arena,
                           &semantics->scaling);
}

static un_status read_semantics(un_model *model, const un_safetensors *file, const json_t *item,
                                size_t m) {
    un_class_semantics *semantics = &model->classes.semantics[m];
    char name[64];
    const un_st_entry *entry = NULL;
    snprintf(name, sizeof name, "classes.modality.%zu", m);
    UN_TRY(un_safetensors_require(file, name, 2, &entry));
    semantics->width = entry->tensor.shape[1];
    if (entry->tensor.shape[0] != model->classes.count || semantics->width == 0)
        return damaged(file, "class semantics have the wrong shape");
    UN_TRY(un_arena_alloc(&model->arena, un_tensor_count(&entry->tensor), sizeof(float),
                          &semantics->values));
    un_st_copy_f32(entry, semantics->values);
    const char *label = json_string_value(json_object_get(item, "name"));
    const json_t *names = json_object_get(item, "attributes");
    char *copy = NULL;
    if (!label) return damaged(file, "a modality has no name");
    UN_TRY(un_arena_string(&model->arena, label, &copy));
    semantics->name = copy;
    for (size_t i = 0; i < model->classes.count * semantics->width; i++)
        if (!isfinite(semantics->values[i]))
            return damaged(file, "class semantics are not finite numbers");
    UN_TRY(read_vectors(model, file, m));
    UN_TRY(read_scaling(model, file, json_object_get(item, "scaling"), m));
    if (!json_is_array(names)) return UNSEEN_OK;
    return read_strings(model, file, names, semantics->width, &semantics->attributes);
}

static un_status read_classes(un_model *model, const un_safetensors *file) {
    json_t *names = NULL, *semantics = NULL;
    const un_st_entry *seen = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(metadata_json(file, "classes", &names));
    UN_GO(metadata_json(file, "modalities", &semantics));
    UN_GO(un_safetensors_require(file, "classes.seen", 1, &seen));
    model->classes.count = json_array_size(names);
    if (model->classes.count == 0 || seen->tensor.shape[0] != model->classes.count)
        UN_GO(damaged(file, "the class list is empty or of another length than its flags"));
    UN_GO(read_strings(model, file, names, model->classes.count, &model->classes.names));
    UN_GO(un_arena_alloc(&model->arena, model->classes.count, 1, &model->classes.seen));
    for (size_t c = 0; c < model->classes.count; c++)
        model->classes.seen[c] = un_element(seen->tensor.dtype, seen->tensor.data, c) != 0;
    size_t n = json_array_size(semantics);
    if (n == 0 || n > UN_MAX_CLASS_SEMANTICS)
        UN_GO(damaged(file, "it has no semantics, or too many"));
    for (size_t m = 0; m < n; m++)
        UN_GO(read_semantics(model, file, json_array_get(semantics, m), m));
    model->classes.semantics_count = n;
done:
    json_decref(names);
    json_decref(semantics);
    return status;
}

static un_status read_params(un_model *model, const un_safetensors *file) {
    un_params *params = &model->method->params;
    for (size_t i = 0; i < params->count; i++) {
        const un_param *p = &params->item[i];
        char name[128];
        const un_st_entry *entry = NULL;
        snprintf(name, sizeof name, "param.%s", p->name);
        UN_TRY(un_safetensors_require(file, name, p->rank, &entry));
        for (int j = 0; j < p->rank; j++)
            if (entry->tensor.shape[j] != p->shape[j])
                return damaged(file, "a parameter has the wrong shape");
        float *value = un_param_value(params, i);
        un_st_copy_f32(entry, value);
        for (size_t j = 0; j < p->count; j++)
            if (!isfinite(value[j])) return damaged(file, "a parameter is not a finite number");
    }
    un_params_refresh(params);
    return UNSEEN_OK;
}

/* The precision that the model was trained in, or f32 where bf16 is not native here. */
static un_precision trained_precision(const json_t *manifest) {
    un_precision precision = UN_PRECISION_AUTO;
    const char *name = json_string_value(json_object_get(manifest, "precision"));
    if (!name || un_precision_parse(name, &precision) != UNSEEN_OK) return UN_PRECISION_AUTO;
    return precision == UN_PRECISION_BF16 ? un_precision_resolve(UN_PRECISION_AUTO) : precision;
}

static size_t count_parameters(const un_safetensors *file) {
    size_t n = 0; /* no overflow: each element is at least a byte of the file */
    for (size_t i = 0; i < file->count; i++)
        if (!strncmp(file->entries[i].name, "param.", strlen("param.")))
            n += un_tensor_count(&file->entries[i].tensor);
    return n > 0 ? n : 1;
}

/* `available` parameters will fill it. */
static un_status create_method(un_model *model, const char *where, size_t available,
                               un_precision precision) {
    const char *name = NULL;
    const un_method_class *class = NULL;
    json_t *config = NULL;
    const json_t *input = json_object_get(model->manifest, "input");
    UN_TRY(un_json_get_string(model->manifest, "method", where, &name));
    UN_TRY(un_method_find(name, &class));
    UN_TRY(un_json_get_size(input, "regions", where, &model->regions));
    UN_TRY(un_json_get_size(input, "width", where, &model->width));
    if (model->regions == 0 || model->width == 0 || model->regions > 1000000 ||
        model->width > 100000000)
        return unusable(where, "the input shape is impossible");
    if (precision == UN_PRECISION_AUTO) precision = trained_precision(model->manifest);
    model->precision = precision;
    /* A file holds all settings that there were; one that came later is at what was usual before,
     * whatever a preset makes of it now. */
    UN_TRY(un_config_defaults(class, &config));
    un_status status =
        un_config_merge(class, config, json_object_get(model->manifest, "config"), where);
    const un_method_setup setup = {.classes = &model->classes,
                                   .regions = model->regions,
                                   .width = model->width,
                                   .precision = precision,
                                   .config = config,
                                   .available = available,
                                   .spec = json_object_get(model->manifest, "kept")};
    if (!status) {
        status = class->create(&setup, &model->method);
        if (status) status = un_fail_prefix(status, "%s: not a usable model", where);
    }
    json_decref(config);
    return status;
}

/* What is left once the parameters are there. */
static un_status complete(un_model *model, const char *where) {
    const json_t *selected =
        json_object_get(json_object_get(model->manifest, "selection"), "gamma");
    const json_t *given = json_object_get(model->manifest, "gamma");
    model->has_gamma = json_is_number(selected);
    model->selected_gamma = model->has_gamma ? json_number_value(selected) : 0;
    model->gamma_is_given = json_is_number(given);
    model->gamma = model->gamma_is_given ? json_number_value(given) : model->selected_gamma;
    if (!isfinite((float)model->gamma) || !isfinite((float)model->selected_gamma))
        return unusable(where, "its gamma is out of range");
    un_status status = model->method->class->set_classes(model->method, &model->classes);
    return status ? un_fail_prefix(status, "%s: not a usable model", where) : UNSEEN_OK;
}

static un_status load(un_model *model, const un_safetensors *file, un_precision precision) {
    const char *format = un_safetensors_metadata(file, "format");
    const char *version = un_safetensors_metadata(file, "format_version");
    if (!format || strcmp(format, FORMAT) != 0)
        return damaged(file, un_worded("it was not written by {`unseen train`|unseen_train}").text);
    if (!version || strcmp(version, VERSION) != 0)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "%s: model format version %.20s, this program reads %s", file->path,
                       version ? version : "(none)", VERSION);
    UN_TRY(metadata_json(file, "manifest", &model->manifest));
    UN_TRY(un_format(&model->manifest_text, "%s", un_safetensors_metadata(file, "manifest")));
    UN_TRY(read_classes(model, file));
    UN_TRY(create_method(model, file->path, count_parameters(file), precision));
    UN_TRY(read_params(model, file));
    return complete(model, file->path);
}

/* All parameters are in the file, and what a method makes of them is of their size; more is asked
 * for only by a file whose settings or shapes are made up. The constant serves the working memory
 * of small models. */
static size_t memory_for(const un_safetensors *file) {
    size_t bytes = 0;
    if (__builtin_mul_overflow(file->map.size, 16, &bytes) ||
        __builtin_add_overflow(bytes, (size_t)512 << 20, &bytes))
        return SIZE_MAX;
    return bytes;
}

un_status un_model_open(un_model *model, const char *path, un_precision precision) {
    *model = (un_model){0};
    un_safetensors file;
    UN_TRY(un_safetensors_load(&file, path));
    un_memory_budget(memory_for(&file));
    un_status status = load(model, &file, precision);
    un_memory_budget(SIZE_MAX);
    un_safetensors_close(&file);
    if (status) un_model_close(model);
    return status;
}

static un_status make(un_model *model, const un_params *params, const un_class_table *classes,
                      const json_t *manifest, un_precision precision, const char *where) {
    model->manifest = un_json_copy(manifest);
    if (!model->manifest) return un_fail_memory(0);
    UN_TRY(un_json_text(manifest, &model->manifest_text));
    UN_TRY(un_class_table_copy(classes, 0, &model->arena, &model->classes));
    UN_TRY(create_method(model, where, params->total, precision));
    UN_TRY(un_params_share(&model->method->params, params));
    return complete(model, where);
}

un_status un_model_make(un_model *model, const un_params *params, const un_class_table *classes,
                        const json_t *manifest, un_precision precision, const char *where) {
    *model = (un_model){0};
    un_status status = make(model, params, classes, manifest, precision, where);
    if (status) un_model_close(model);
    return status;
}

un_status un_model_set_gamma(un_model *model, double gamma) {
    if (!isfinite((float)gamma))
        return un_fail(UNSEEN_E_ARGUMENT, "a gamma must be a finite float, not %g", gamma);
    model->gamma = gamma;
    model->gamma_is_given = 1;
    return UNSEEN_OK;
}

int un_manifest_learned_all(const json_t *manifest) {
    const json_t *data = json_object_get(manifest, "data");
    const char *on = json_string_value(json_object_get(data, UN_TRAINED_ON));
    return on && !strcmp(on, UN_TRAINED_ON_ALL);
}

void un_model_close(un_model *model) {
    if (model->method) model->method->class->destroy(model->method);
    json_decref(model->manifest);
    free(model->manifest_text);
    un_arena_free(&model->arena);
    *model = (un_model){0};
}
