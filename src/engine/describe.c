/*
 * describe.c - the classes of a model after training (classifier.h): described, replaced, taken out;
 * what values mean, the rows they become, the table that takes the rows.
 */
#include <math.h>
#include <string.h>

#include "base/names.h"
#include "base/status.h"
#include "engine/classifier.h"

/* A value this many ranges outside the range of the training classes is in another unit, or wrong.
 */
static const double FAR_OUTSIDE = 1;

/* Rows count as unit vectors if all lengths are 1 within f32 rounding of a sum over A. */
static int has_unit_rows(const un_class_table *table) {
    const un_class_semantics *m = &table->semantics[0];
    for (size_t c = 0; c < table->count; c++) {
        double square = 0;
        for (size_t i = 0; i < m->width; i++)
            square += (double)m->values[c * m->width + i] * (double)m->values[c * m->width + i];
        if (fabs(square - 1) > 1e-4) return 0;
    }
    return 1;
}

static un_status check_semantics(const un_classifier *c) {
    const un_class_table *table = &c->model.classes;
    if (table->semantics_count != 1)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "%s fuses %zu semantics; classes can be added to models of one only",
                       un_classifier_name(c), table->semantics_count);
    return UNSEEN_OK;
}

un_status un_classifier_attributes(const un_classifier *c, char *const *names, size_t count,
                                   size_t *out) {
    UN_TRY(check_semantics(c));
    const un_class_semantics *m = &c->model.classes.semantics[0];
    un_name_index index;
    un_name_report report;
    if (!m->attributes)
        return un_fail(UNSEEN_E_ARGUMENT, "the semantics \"%s\" of %s have no attribute names",
                       m->name, un_classifier_name(c));
    UN_TRY(un_name_index_make(&index, m->attributes, m->width));
    un_status status = un_names_match(&index, names, count, out, &report);
    un_name_index_free(&index);
    UN_TRY(status);
    if (report.missing.count > 0)
        return un_fail(UNSEEN_E_ARGUMENT, "%s knows no attribute %s%s", un_classifier_name(c),
                       report.missing.text, un_name_list_more(&report.missing));
    if (report.alike.count > 0)
        un_log(UNSEEN_LOG_WARNING, "attributes that %s spells otherwise: %s%s",
               un_classifier_name(c), report.alike.text, un_name_list_more(&report.alike));
    return UNSEEN_OK;
}

/* ---- what values mean ---- */

typedef struct {
    const un_classifier *classifier;
    const un_class_table *known; /* the table of the file: means and scale come from it */
    const un_class_semantics *m; /* its semantics */
    int unit_rows;               /* without a scaling: rows have length 1 */
    double top;                  /* the largest value in the table, or as given */
    double bottom;               /* the least */
    int in_percent;              /* a value of this description exceeds 1 */
    size_t *group;               /* [A] first attribute of each one's group; its own: it has none */
    int renames;                 /* a class that gets a description gets its name, too */
    unsigned char *stated;       /* [A] scratch */
    unsigned char *group_stated; /* [A] scratch, at a group's first attribute */
    double *values;              /* [A] scratch */
} describer;

static const char *name_of(const describer *d, size_t i) {
    return d->m->attributes ? d->m->attributes[i] : "an attribute";
}

static un_status wrong_value(const describer *d, const un_description *x, size_t i, double value,
                             const char *why) {
    return un_fail(UNSEEN_E_ARGUMENT, "class \"%.80s\": %.80s is %g; %s", x->name, name_of(d, i),
                   value, why);
}

/* Of an attribute whose training classes had values from least to largest. */
static un_status check_range(const describer *d, const un_description *x, size_t i, double value) {
    const un_scaling *s = d->m->scaling;
    double low = s->least[i], high = s->largest[i];
    double place = un_scaling_place(s, i, value);
    if (low == high && value != low)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "class \"%.80s\": %.80s is %g, but it was %g for every class when the model "
                       "was trained, so nothing tells what another value means; leave it out",
                       x->name, name_of(d, i), value, low);
    if (place < -FAR_OUTSIDE || place > 1 + FAR_OUTSIDE)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "class \"%.80s\": %.80s is %g, far outside what the model was trained with "
                       "(%g to %g); is it in another unit?",
                       x->name, name_of(d, i), value, low, high);
    if (place < 0 || place > 1)
        un_log(UNSEEN_LOG_WARNING,
               "class \"%.80s\": %.80s is %g, outside what the model was trained with (%g to %g)",
               x->name, name_of(d, i), value, low, high);
    return UNSEEN_OK;
}

/* Of a table whose attributes share a unit: shares, percent, or any other. */
static un_status check_unit(const describer *d, const un_description *x, size_t i, double value) {
    int whole = x->count == d->m->width;
    int usual = d->bottom >= 0 && d->top <= 100; /* shares or percent */
    if (d->m->scaling ? usual && (value < 0 || value > 100) : !whole && (value < 0 || value > 100))
        return wrong_value(d, x, i, value, "say from 0 to 1, or in percent");
    int as_given = d->m->scaling && d->m->scaling->kind == UN_SCALING_AS_GIVEN;
    if (whole && as_given && usual && d->top <= 1 && value > 1 + FAR_OUTSIDE)
        return wrong_value(d, x, i, value,
                           "this model was trained with values from 0 to 1, and a class with all "
                           "attributes is described in the same unit");
    if (d->m->scaling || d->bottom < 0 || (value >= 0 && value <= 100)) return UNSEEN_OK;
    return wrong_value(
        d, x, i, value,
        "this model does not keep the units of its attributes; say from 0 to 1 or in "
        "percent, or import the data set and train the model again");
}

static un_status check_values(describer *d, const un_description *x) {
    memset(d->stated, 0, d->m->width);
    memset(d->group_stated, 0, d->m->width);
    for (size_t j = 0; j < x->count; j++) {
        size_t i = x->attributes[j];
        double value = x->values[j];
        if (i >= d->m->width)
            return un_fail(UNSEEN_E_ARGUMENT, "class \"%.80s\" states attribute %zu of %zu",
                           x->name, i, d->m->width);
        if (d->stated[i])
            return un_fail(UNSEEN_E_ARGUMENT, "class \"%.80s\" states %.80s twice", x->name,
                           name_of(d, i));
        if (!isfinite(value)) return wrong_value(d, x, i, value, "it must be a finite number");
        int ranged = d->m->scaling && d->m->scaling->kind == UN_SCALING_RANGE;
        UN_TRY(ranged ? check_range(d, x, i, value) : check_unit(d, x, i, value));
        d->stated[i] = 1;
        d->group_stated[d->group[i]] = 1;
    }
    return UNSEEN_OK;
}

/* ---- rows ---- */

static double column_mean(const describer *d, size_t i) {
    if (d->m->scaling) return d->m->scaling->mean[i];
    double sum = 0;
    for (size_t c = 0; c < d->known->count; c++) sum += (double)d->m->values[c * d->m->width + i];
    return sum / (double)d->known->count;
}

/* What an attribute has that is not stated: absent if another one of its group is stated. */
static double unstated(const describer *d, size_t i) {
    size_t group = d->group[i];
    if (group == UN_NO_NAME || !d->group_stated[group]) return column_mean(d, i);
    int ranged = d->m->scaling && d->m->scaling->kind == UN_SCALING_RANGE;
    return ranged ? d->m->scaling->least[i] : 0;
}

/* A stated value in the unit of the table, in which whole rows are already. */
static double in_unit(const describer *d, double value, int whole) {
    const un_scaling *s = d->m->scaling;
    if (whole) return value;
    if (!s) return value * d->top / (d->in_percent ? 100 : 1);
    if (s->kind == UN_SCALING_RANGE || d->bottom < 0 || d->top > 100) return value;
    if (d->top <= 1) return d->in_percent ? value / 100 : value;
    return d->in_percent ? value : value * 100;
}

/* The row of one description. */
static un_status make_row(describer *d, const un_description *x, float *row) {
    size_t width = d->m->width;
    double square = 0;
    UN_TRY(check_values(d, x));
    d->in_percent = 0;
    for (size_t j = 0; j < x->count; j++) d->in_percent |= x->values[j] > 1;
    for (size_t i = 0; i < width; i++) d->values[i] = d->stated[i] ? 0 : unstated(d, i);
    for (size_t j = 0; j < x->count; j++)
        d->values[x->attributes[j]] = in_unit(d, x->values[j], x->count == width);
    for (size_t i = 0; i < width; i++) square += d->values[i] * d->values[i];
    if (d->m->scaling)
        un_scaling_apply(d->m->scaling, d->values, row);
    else
        for (size_t i = 0; i < width; i++)
            row[i] =
                (float)(d->unit_rows && square > 0 ? d->values[i] / sqrt(square) : d->values[i]);
    for (size_t i = 0; i < width; i++) {
        if (!isfinite(row[i])) return wrong_value(d, x, i, d->values[i], "it is too large");
        if (row[i] != 0) return UNSEEN_OK;
    }
    return un_fail(UNSEEN_E_ARGUMENT, "the description of \"%.80s\" is all zeros%s", x->name,
                   d->m->scaling && d->m->scaling->kind == UN_SCALING_RANGE
                       ? ", as every attribute has the least value there was in training"
                       : "");
}

/* ---- the table ---- */

/* Where the class goes in the new table: over class k, or behind the last. */
static void place(const describer *d, const un_class_table *table, size_t k, const char *name,
                  size_t *out) {
    const un_classifier *c = d->classifier;
    for (size_t i = c->classes.count; k == UN_NO_NAME && i < table->count; i++)
        if (strcmp(table->names[i], name) == 0) k = i; /* of this call, which are few */
    *out = k != UN_NO_NAME ? k : table->count;
    if (k == UN_NO_NAME || (d->renames && strcmp(table->names[k], name) != 0)) return;
    if (table->seen[k])
        un_log(UNSEEN_LOG_WARNING,
               "\"%s\" has a new description; %s was trained with another, and on pictures of the "
               "class",
               name, un_classifier_name(c));
    else
        un_log(UNSEEN_LOG_INFO, "\"%s\" has a new description in place of the one it had", name);
}

/* The class of the model that each description is of, UN_NO_NAME for a new one. */
static un_status match_names(const un_classifier *c, const un_description *descriptions, size_t n,
                             un_arena *arena, size_t **out) {
    char **names = NULL;
    un_name_index old;
    un_name_report report;
    UN_TRY(un_arena_alloc(arena, n, sizeof *names, &names));
    UN_TRY(un_arena_alloc(arena, n, sizeof **out, out));
    for (size_t i = 0; i < n; i++) {
        if (!descriptions[i].name || !*descriptions[i].name)
            return un_fail(UNSEEN_E_ARGUMENT, "a new class has no name");
        UN_TRY(un_arena_string(arena, descriptions[i].name, &names[i]));
    }
    UN_TRY(un_name_index_make(&old, c->classes.names, c->classes.count));
    un_status status = un_names_match(&old, names, n, *out, &report);
    un_name_index_free(&old);
    UN_TRY(status);
    if (report.alike.count > 0)
        un_log(UNSEEN_LOG_WARNING, "classes that %s spells otherwise: %s%s", un_classifier_name(c),
               report.alike.text, un_name_list_more(&report.alike));
    return UNSEEN_OK;
}

/* `k`: the class it is of, as in match_names. */
static un_status add(describer *d, const un_description *x, size_t k, un_arena *arena,
                     un_class_table *table, unsigned char *described) {
    place(d, table, k, x->name, &k);
    un_class_semantics *m = &table->semantics[0];
    UN_TRY(make_row(d, x, m->values + k * m->width));
    described[k] = 1;
    if (k < table->count && (!d->renames || !strcmp(table->names[k], x->name))) return UNSEEN_OK;
    table->seen[k] = 0; /* nothing of that name was trained on */
    if (k == table->count) table->count++;
    return un_arena_string(arena, x->name, &table->names[k]);
}

/* The first attribute of each one's group. */
static un_status find_groups(describer *d, un_arena *arena) {
    char **groups = NULL;
    un_name_index index;
    UN_TRY(un_arena_alloc(arena, d->m->width, sizeof *d->group, &d->group));
    UN_TRY(un_arena_alloc(arena, d->m->width, sizeof *groups, &groups));
    for (size_t i = 0; i < d->m->width; i++) {
        size_t length = 0;
        if (d->m->attributes) (void)un_attribute_value(d->m->attributes[i], &length);
        UN_TRY(un_arena_string(arena, length > 0 ? d->m->attributes[i] : "", &groups[i]));
        groups[i][length] = 0;
    }
    UN_TRY(un_name_index_make(&index, groups, d->m->width));
    for (size_t i = 0; i < d->m->width; i++)
        d->group[i] = groups[i][0] ? un_name_find(&index, groups[i]) : i;
    un_name_index_free(&index);
    return UNSEEN_OK;
}

/* The least value in the table or as given, but 0 if that is less, and likewise the largest. */
static void value_extent(const un_class_table *known, double *bottom, double *top) {
    const un_class_semantics *m = &known->semantics[0];
    const un_scaling *s = m->scaling;
    *bottom = *top = 0;
    for (size_t i = 0; i < m->width && s; i++) {
        *top = fmax(*top, s->largest[i]);
        *bottom = fmin(*bottom, s->least[i]);
    }
    for (size_t i = 0; i < known->count * m->width && !s; i++) {
        *top = fmax(*top, (double)m->values[i]);
        *bottom = fmin(*bottom, (double)m->values[i]);
    }
}

un_value_unit un_classifier_value_unit(const un_classifier *c) {
    const un_scaling *s = c->model.classes.semantics[0].scaling;
    double bottom = 0, top = 0;
    if (!s) return UN_VALUES_SHARES; /* of a model of version 0.1, brought to what its rows are */
    value_extent(&c->model.classes, &bottom, &top);
    if (s->kind == UN_SCALING_RANGE || bottom < 0 || top > 100) return UN_VALUES_OTHER;
    return top <= 1 ? UN_VALUES_SHARES : UN_VALUES_PERCENT;
}

/* What the values of the training classes are. */
static un_status survey_values(describer *d, un_arena *arena) {
    size_t width = d->m->width;
    UN_TRY(un_arena_alloc(arena, width, 1, &d->stated));
    UN_TRY(un_arena_alloc(arena, width, 1, &d->group_stated));
    UN_TRY(un_arena_alloc(arena, width, sizeof *d->values, &d->values));
    d->unit_rows = has_unit_rows(d->known);
    value_extent(d->known, &d->bottom, &d->top);
    return find_groups(d, arena);
}

/* A table that takes the place of the present one. */
typedef struct {
    un_arena arena;
    un_class_table table;
    unsigned char *described; /* [room] */
} new_table;

static un_status begin_table(const un_classifier *c, size_t more, new_table *t) {
    *t = (new_table){0};
    UN_TRY(un_class_table_copy(&c->classes, more, &t->arena, &t->table));
    UN_TRY(un_arena_alloc(&t->arena, c->classes.count + more, 1, &t->described));
    if (c->described) memcpy(t->described, c->described, c->classes.count);
    return UNSEEN_OK;
}

/* The last to fail; releases the table then. */
static un_status use_table(un_classifier *c, new_table *t) {
    un_status status = c->model.method->class->set_classes(c->model.method, &t->table);
    if (status) {
        un_arena_free(&t->arena);
        return status;
    }
    un_arena_free(&c->arena);
    c->arena = t->arena;
    c->classes = t->table;
    c->described = t->described;
    return UNSEEN_OK;
}

/* of[i]: the class that description i is of, UN_NO_NAME for a new one. */
static un_status describe(un_classifier *c, const un_description *descriptions, size_t n,
                          const size_t *of, int renames) {
    un_arena scratch = {0};
    new_table t = {0};
    describer d = {.classifier = c,
                   .known = &c->model.classes,
                   .m = &c->model.classes.semantics[0],
                   .renames = renames};
    un_status status = UNSEEN_OK;
    UN_GO(survey_values(&d, &scratch));
    UN_GO(begin_table(c, n, &t));
    for (size_t i = 0; i < n; i++)
        UN_GO(add(&d, &descriptions[i], of[i], &t.arena, &t.table, t.described));
    un_arena_free(&scratch);
    return use_table(c, &t);
done:
    un_arena_free(&scratch);
    un_arena_free(&t.arena);
    return status;
}

un_status un_classifier_describe(un_classifier *c, const un_description *descriptions, size_t n) {
    un_arena scratch = {0};
    size_t *of = NULL;
    UN_TRY(check_semantics(c));
    un_status status = match_names(c, descriptions, n, &scratch, &of);
    if (!status) status = describe(c, descriptions, n, of, 0);
    un_arena_free(&scratch);
    return status;
}

static un_status check_class(const un_classifier *c, size_t k) {
    if (k < c->classes.count) return UNSEEN_OK;
    return un_fail(UNSEEN_E_ARGUMENT, "%s has no class %zu, it has %zu", un_classifier_name(c), k,
                   c->classes.count);
}

un_status un_classifier_replace(un_classifier *c, size_t k, const un_description *description) {
    UN_TRY(check_semantics(c));
    UN_TRY(check_class(c, k));
    const un_description x = {.name = description->name ? description->name : c->classes.names[k],
                              .count = description->count,
                              .attributes = description->attributes,
                              .values = description->values};
    if (!*x.name) return un_fail(UNSEEN_E_ARGUMENT, "a new class has no name");
    for (size_t i = 0; i < c->classes.count; i++)
        if (i != k && !strcmp(c->classes.names[i], x.name))
            return un_fail(UNSEEN_E_ARGUMENT, "class %zu is called \"%.200s\" already", i, x.name);
    return describe(c, &x, 1, &k, 1);
}

un_status un_classifier_remove(un_classifier *c, size_t k) {
    new_table t;
    UN_TRY(check_class(c, k));
    if (c->classes.count == 1)
        return un_fail(UNSEEN_E_ARGUMENT, "\"%.200s\" is the only class of %s, it stays",
                       c->classes.names[k], un_classifier_name(c));
    un_status status = begin_table(c, 0, &t);
    if (status) {
        un_arena_free(&t.arena);
        return status;
    }
    size_t behind = --t.table.count - k;
    memmove(t.table.names + k, t.table.names + k + 1, behind * sizeof *t.table.names);
    memmove(t.table.seen + k, t.table.seen + k + 1, behind);
    memmove(t.described + k, t.described + k + 1, behind);
    for (size_t m = 0; m < t.table.semantics_count; m++) {
        const un_class_semantics *s = &t.table.semantics[m];
        memmove(s->values + k * s->width, s->values + (k + 1) * s->width,
                behind * s->width * sizeof *s->values);
    }
    return use_table(c, &t);
}

un_status un_classifier_clone(const un_classifier *from, un_classifier *c) {
    const un_model *m = &from->model;
    new_table t;
    *c = (un_classifier){0};
    UN_TRY(un_model_make(&c->model, &m->method->params, &m->classes, m->manifest, m->precision,
                         from->path));
    un_status status = un_classifier_begin(c, from->path);
    c->precision = from->precision;
    un_classifier_orient(c, from->requested);
    c->model.gamma = m->gamma;
    c->model.gamma_is_given = m->gamma_is_given;
    if (!status && from->described) {
        status = begin_table(from, 0, &t);
        if (status)
            un_arena_free(&t.arena);
        else
            status = use_table(c, &t);
    }
    if (status) un_classifier_close(c);
    return status;
}
