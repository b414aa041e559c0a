/* setup_swin.c - the sizes of DUET's Swin transformer; see duet.h. */
#include <math.h>

#include "base/json.h"
#include "method/duet/duet.h"

un_status duet_swin_in_file(const char *path, int *out) {
    un_safetensors file;
    UN_TRY(un_safetensors_open(&file, path));
    *out = un_swin_recognize(&file);
    un_safetensors_close(&file);
    return UNSEEN_OK;
}

/* Hugging Face's habits: four times as wide inside, the same window in every stage. */
static un_status from_settings(const json_t *config, size_t size, un_swin_config *c) {
    enum { PATCH = 4, RATIO = 4 };
    size_t depths = un_config_list_count(config, "swin_depths");
    size_t heads = un_config_list_count(config, "swin_heads");
    *c = (un_swin_config){.image = size,
                          .patch = PATCH,
                          .width = un_config_integer(config, "swin_width"),
                          .stages = depths,
                          .eps = 1e-5f};
    c->inner = RATIO * c->width;
    if (depths != heads)
        return un_fail(UNSEEN_E_ARGUMENT, "swin_depths tells of %zu stages, swin_heads of %zu",
                       depths, heads);
    for (size_t s = 0; s < depths && s < UN_SWIN_STAGES; s++) {
        double depth = un_config_list_number(config, "swin_depths", s);
        double head = un_config_list_number(config, "swin_heads", s);
        if (depth != floor(depth) || head != floor(head))
            return un_fail(UNSEEN_E_ARGUMENT, "swin_depths and swin_heads are whole numbers");
        c->depth[s] = (size_t)depth;
        c->heads[s] = (size_t)head;
        c->window[s] = un_config_integer(config, "swin_window");
    }
    return un_swin_config_check(c, UNSEEN_E_ARGUMENT, "swin_depths and swin_heads");
}

un_status duet_swin_sizes(const json_t *config, const char *path, size_t size,
                          un_swin_config *out) {
    un_safetensors file;
    if (!path) return from_settings(config, size, out);
    UN_TRY(un_safetensors_open(&file, path));
    un_status status = un_swin_config_read(&file, out);
    un_safetensors_close(&file);
    return status;
}

/* ---- into a model and out of it ---- */

/* Single numbers and those of each stage, under the names that recall reads. */
#define SIZES(x) x(image) x(patch) x(width) x(inner) x(stages)
#define STAGE_SIZES(x) x(depth) x(heads) x(window)

static json_t *list_json(const size_t *values, size_t n) {
    json_t *list = json_array();
    for (size_t i = 0; list && i < n; i++)
        json_array_append_new(list, json_integer((json_int_t)values[i]));
    return list;
}

un_status duet_swin_keep(const un_swin_config *swin, json_t *kept) {
    if (swin->width == 0) return UNSEEN_OK;
    json_t *sizes = json_object();
    UN_TRY(un_json_set(kept, "swin", sizes)); /* kept owns it now */
#define PUT(field) UN_TRY(un_json_set(sizes, #field, json_integer((json_int_t)swin->field)));
    SIZES(PUT)
#undef PUT
#define PUT(field) UN_TRY(un_json_set(sizes, #field, list_json(swin->field, swin->stages)));
    STAGE_SIZES(PUT)
#undef PUT
    return un_json_set(sizes, "eps", json_real((double)swin->eps));
}

static un_status recall_list(const json_t *sizes, const char *key, const char *where, size_t stages,
                             size_t *out) {
    const json_t *list = json_object_get(sizes, key);
    if (json_array_size(list) != stages)
        return un_fail(UNSEEN_E_FORMAT, "%s is damaged: \"%s\" does not tell of %zu stages", where,
                       key, stages);
    for (size_t s = 0; s < stages; s++) {
        const json_t *value = json_array_get(list, s);
        if (!json_is_integer(value) || json_integer_value(value) < 0)
            return un_fail(UNSEEN_E_FORMAT, "%s is damaged: \"%s\" has something else than sizes",
                           where, key);
        out[s] = (size_t)json_integer_value(value);
    }
    return UNSEEN_OK;
}

un_status duet_swin_recall(const json_t *kept, const char *where, un_swin_config *out) {
    const json_t *sizes = json_object_get(kept, "swin");
    double eps = 0;
    *out = (un_swin_config){0};
    if (!sizes) return UNSEEN_OK;
#define GET(field) UN_TRY(un_json_get_size(sizes, #field, where, &out->field));
    SIZES(GET)
#undef GET
    if (out->stages > UN_SWIN_STAGES)
        return un_fail(UNSEEN_E_FORMAT, "%s is damaged: %zu stages", where, out->stages);
#define GET(field) UN_TRY(recall_list(sizes, #field, where, out->stages, out->field));
    STAGE_SIZES(GET)
#undef GET
    UN_TRY(un_json_get_number(sizes, "eps", where, &eps));
    out->eps = (float)eps;
    return un_swin_config_check(out, UNSEEN_E_FORMAT, where);
}
