/* describe.c - classes that are described after training; see classifier.h. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "engine/classifier.h"

/* Rows count as unit vectors if all lengths are 1 within f32 rounding of a sum over A. */
static int has_unit_rows(const un_class_table *table) {
    const un_modality *m = &table->modality[0];
    for (size_t c = 0; c < table->count; c++) {
        double square = 0;
        for (size_t i = 0; i < m->width; i++)
            square += (double)m->values[c * m->width + i] * (double)m->values[c * m->width + i];
        if (fabs(square - 1) > 1e-4) return 0;
    }
    return 1;
}

static un_status check_modality(const un_classifier *c) {
    const un_class_table *table = &c->model.classes;
    if (table->modality_count != 1)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "%s fuses %zu semantics; classes can be added to models of one only",
                       c->path, table->modality_count);
    return UNSEEN_OK;
}

un_status un_classifier_attribute(const un_classifier *c, const char *name, size_t *out) {
    UN_TRY(check_modality(c));
    const un_modality *m = &c->model.classes.modality[0];
    if (!m->attributes)
        return un_fail(UNSEEN_E_ARGUMENT, "the semantics \"%s\" of %s have no attribute names",
                       m->name, c->path);
    for (size_t i = 0; i < m->width; i++)
        if (strcmp(m->attributes[i], name) == 0) {
            *out = i;
            return UNSEEN_OK;
        }
    const char *near = un_nearest_name(name, (const char *const *)m->attributes, m->width);
    return un_fail(UNSEEN_E_ARGUMENT, "%s knows no attribute \"%.80s\"%s%s%s", c->path, name,
                   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* Length of the group's name with the "::" behind it; 0 if the name has none. */
static size_t group_length(const char *attribute) {
    const char *end = strstr(attribute, "::");
    return end ? (size_t)(end - attribute) + 2 : 0;
}

/* Whether the group of attribute i has a stated member. */
static int group_is_stated(const un_modality *m, const unsigned char *stated, size_t i) {
    size_t length = m->attributes ? group_length(m->attributes[i]) : 0;
    for (size_t j = 0; j < m->width && length > 0; j++)
        if (stated[j] && strncmp(m->attributes[i], m->attributes[j], length) == 0) return 1;
    return 0;
}

static float column_mean(const un_class_table *table, size_t i) {
    const un_modality *m = &table->modality[0];
    double sum = 0;
    for (size_t c = 0; c < table->count; c++) sum += (double)m->values[c * m->width + i];
    return (float)(sum / (double)table->count);
}

static float largest(const un_class_table *table) {
    const un_modality *m = &table->modality[0];
    float top = 0;
    for (size_t i = 0; i < table->count * m->width; i++)
        if (m->values[i] > top) top = m->values[i];
    return top;
}

typedef struct {
    const un_classifier *classifier;
    const un_class_table *known; /* the table of the file: means and scale come from it */
    int unit_rows;
    float unit;            /* what a stated value of 1 is in the table */
    unsigned char *stated; /* [A] scratch */
} describer;

static un_status check_values(const describer *d, const un_description *description) {
    const un_modality *m = &d->known->modality[0];
    int partial = description->count < m->width;
    memset(d->stated, 0, m->width);
    for (size_t j = 0; j < description->count; j++) {
        size_t i = description->attributes[j];
        float value = description->values[j];
        if (i >= m->width)
            return un_fail(UNSEEN_E_ARGUMENT, "class \"%.80s\" states attribute %zu of %zu",
                           description->name, i, m->width);
        const char *name = m->attributes ? m->attributes[i] : "an attribute";
        if (d->stated[i])
            return un_fail(UNSEEN_E_ARGUMENT, "class \"%.80s\" states %.80s twice",
                           description->name, name);
        if (!isfinite(value) || (partial && (value < 0 || value > 100)))
            return un_fail(UNSEEN_E_ARGUMENT,
                           "class \"%.80s\": %.80s is %g; say from 0 to 1, or in percent",
                           description->name, name, (double)value);
        d->stated[i] = 1;
    }
    return UNSEEN_OK;
}

/* The row of one description. */
static un_status make_row(const describer *d, const un_description *description, float *row) {
    const un_modality *m = &d->known->modality[0];
    UN_TRY(check_values(d, description));
    int partial = description->count < m->width;
    for (size_t i = 0; i < m->width && partial; i++)
        row[i] = group_is_stated(m, d->stated, i) ? 0 : column_mean(d->known, i);
    double square = 0;
    for (size_t j = 0; j < description->count; j++)
        row[description->attributes[j]] = description->values[j] * (partial ? d->unit : 1);
    for (size_t i = 0; i < m->width; i++) square += (double)row[i] * (double)row[i];
    if (!(square > 0))
        return un_fail(UNSEEN_E_ARGUMENT, "the description of \"%.80s\" is all zeros",
                       description->name);
    float scale = d->unit_rows ? (float)(1 / sqrt(square)) : 1;
    for (size_t i = 0; i < m->width; i++) row[i] *= scale;
    return UNSEEN_OK;
}

/* Where the class goes in the new table: over the one of its name, or behind the last. */
static un_status place(const un_class_table *table, const char *name, size_t *out) {
    for (size_t k = 0; k < table->count; k++) {
        if (strcmp(table->names[k], name) != 0) continue;
        if (table->seen[k])
            return un_fail(UNSEEN_E_ARGUMENT,
                           "the model was trained on pictures of \"%.80s\"; give the new class "
                           "another name",
                           name);
        *out = k;
        return UNSEEN_OK;
    }
    *out = table->count;
    return UNSEEN_OK;
}

/* A table of the present classes with room for `more`. */
static un_status copy_table(const un_class_table *from, size_t more, un_arena *arena,
                            un_class_table *to) {
    size_t room = from->count + more;
    size_t width = from->modality[0].width;
    *to = *from;
    UN_TRY(un_arena_alloc(arena, room, sizeof *to->names, &to->names));
    UN_TRY(un_arena_alloc(arena, room, 1, &to->seen));
    UN_TRY(un_arena_alloc(arena, room * width, sizeof(float), &to->modality[0].values));
    memcpy(to->names, from->names, from->count * sizeof *to->names);
    memcpy(to->seen, from->seen, from->count);
    memcpy(to->modality[0].values, from->modality[0].values, from->count * width * sizeof(float));
    return UNSEEN_OK;
}

static un_status add(const describer *d, const un_description *description, un_arena *arena,
                     un_class_table *table) {
    size_t k = 0;
    if (!description->name || !*description->name)
        return un_fail(UNSEEN_E_ARGUMENT, "a new class has no name");
    UN_TRY(place(table, description->name, &k));
    un_modality *m = &table->modality[0];
    UN_TRY(make_row(d, description, m->values + k * m->width));
    if (k < table->count) return UNSEEN_OK;
    table->count++;
    return un_arena_string(arena, description->name, &table->names[k]);
}

un_status un_classifier_describe(un_classifier *c, const un_description *descriptions, size_t n) {
    un_arena arena = {0};
    un_class_table table;
    describer d = {.classifier = c, .known = &c->model.classes};
    un_status status = UNSEEN_OK;
    UN_TRY(check_modality(c));
    d.unit_rows = has_unit_rows(d.known);
    float most = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < descriptions[i].count; j++)
            if (descriptions[i].values[j] > most) most = descriptions[i].values[j];
    d.unit = largest(d.known) / (most > 1 ? 100 : 1);
    UN_GO(un_arena_alloc(&arena, d.known->modality[0].width, 1, &d.stated));
    UN_GO(copy_table(&c->classes, n, &arena, &table));
    for (size_t i = 0; i < n; i++) {
        size_t before = table.count;
        UN_GO(add(&d, &descriptions[i], &arena, &table));
        if (table.count == before) continue;
        table.seen[before] = 0;
    }
    /* Names of classes that were added before live in the arena that goes: keep copies. */
    for (size_t k = c->model.classes.count; k < c->classes.count; k++)
        UN_GO(un_arena_string(&arena, table.names[k], &table.names[k]));
    UN_GO(c->model.method->class->set_classes(c->model.method, &table)); /* the last to fail */
    un_arena_free(&c->arena);
    c->arena = arena;
    c->classes = table;
    return UNSEEN_OK;
done:
    un_arena_free(&arena);
    return status;
}
