/*
 * describe.c - classes that are described after training, in a call or in a file (classifier.h):
 * what the values mean, the rows they become, the table that takes the rows.
 */
#include <math.h>
#include <string.h>

#include "base/names.h"
#include "base/status.h"
#include "data/readers/table.h"
#include "data/readers/text.h"
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
                       c->path, table->semantics_count);
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
                       m->name, c->path);
    UN_TRY(un_name_index_make(&index, m->attributes, m->width));
    un_status status = un_names_match(&index, names, count, out, &report);
    un_name_index_free(&index);
    UN_TRY(status);
    if (report.missing.count > 0)
        return un_fail(UNSEEN_E_ARGUMENT, "%s knows no attribute %s%s", c->path,
                       report.missing.text, un_name_list_more(&report.missing));
    if (report.alike.count > 0)
        un_log(UNSEEN_LOG_WARNING, "attributes that %s spells otherwise: %s%s", c->path,
               report.alike.text, un_name_list_more(&report.alike));
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

/* Where the class goes in the new table: over class k, of its name, or behind the last. */
static void place(const un_classifier *c, const un_class_table *table, size_t k, const char *name,
                  size_t *out) {
    for (size_t i = c->classes.count; k == UN_NO_NAME && i < table->count; i++)
        if (strcmp(table->names[i], name) == 0) k = i; /* of this call, which are few */
    *out = k != UN_NO_NAME ? k : table->count;
    if (k == UN_NO_NAME) return;
    if (table->seen[k])
        un_log(UNSEEN_LOG_WARNING,
               "\"%s\" has a new description; %s was trained with another, and on pictures of the "
               "class",
               name, c->path);
    else
        un_log(UNSEEN_LOG_INFO, "\"%s\" has a new description in place of the one it had", name);
}

/* A table of the present classes with room for `more`. */
static un_status copy_table(const un_class_table *from, size_t more, un_arena *arena,
                            un_class_table *to) {
    size_t room = from->count + more;
    size_t width = from->semantics[0].width;
    *to = *from;
    UN_TRY(un_arena_alloc(arena, room, sizeof *to->names, &to->names));
    UN_TRY(un_arena_alloc(arena, room, 1, &to->seen));
    UN_TRY(un_arena_alloc(arena, room * width, sizeof(float), &to->semantics[0].values));
    memcpy(to->names, from->names, from->count * sizeof *to->names);
    memcpy(to->seen, from->seen, from->count);
    memcpy(to->semantics[0].values, from->semantics[0].values, from->count * width * sizeof(float));
    return UNSEEN_OK;
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
        un_log(UNSEEN_LOG_WARNING, "classes that %s spells otherwise: %s%s", c->path,
               report.alike.text, un_name_list_more(&report.alike));
    return UNSEEN_OK;
}

/* `k`: the class it is of, as in match_names. */
static un_status add(describer *d, const un_description *x, size_t k, un_arena *arena,
                     un_class_table *table, unsigned char *described) {
    place(d->classifier, table, k, x->name, &k);
    un_class_semantics *m = &table->semantics[0];
    UN_TRY(make_row(d, x, m->values + k * m->width));
    described[k] = 1;
    if (k < table->count) return UNSEEN_OK;
    table->seen[k] = 0;
    table->count++;
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

/* What the values of the training classes are. */
static un_status survey_values(describer *d, un_arena *arena) {
    const un_scaling *s = d->m->scaling;
    size_t width = d->m->width;
    UN_TRY(un_arena_alloc(arena, width, 1, &d->stated));
    UN_TRY(un_arena_alloc(arena, width, 1, &d->group_stated));
    UN_TRY(un_arena_alloc(arena, width, sizeof *d->values, &d->values));
    d->unit_rows = has_unit_rows(d->known);
    for (size_t i = 0; i < width && s; i++) {
        d->top = fmax(d->top, s->largest[i]);
        d->bottom = fmin(d->bottom, s->least[i]);
    }
    for (size_t i = 0; i < d->known->count * width && !s; i++) {
        d->top = fmax(d->top, (double)d->m->values[i]);
        d->bottom = fmin(d->bottom, (double)d->m->values[i]);
    }
    return find_groups(d, arena);
}

un_status un_classifier_describe(un_classifier *c, const un_description *descriptions, size_t n) {
    un_arena arena = {0}, scratch = {0};
    un_class_table table;
    unsigned char *described = NULL;
    size_t *old = NULL;
    describer d = {.classifier = c, .known = &c->model.classes};
    un_status status = UNSEEN_OK;
    UN_TRY(check_semantics(c));
    d.m = &d.known->semantics[0];
    UN_GO(survey_values(&d, &scratch));
    UN_GO(copy_table(&c->classes, n, &arena, &table));
    UN_GO(un_arena_alloc(&arena, c->classes.count + n, 1, &described));
    if (c->described) memcpy(described, c->described, c->classes.count);
    UN_GO(match_names(c, descriptions, n, &scratch, &old));
    for (size_t i = 0; i < n; i++)
        UN_GO(add(&d, &descriptions[i], old[i], &arena, &table, described));
    /* Names of classes that were added before live in the arena that goes: keep copies. */
    for (size_t k = c->model.classes.count; k < c->classes.count; k++)
        UN_GO(un_arena_string(&arena, table.names[k], &table.names[k]));
    UN_GO(c->model.method->class->set_classes(c->model.method, &table)); /* the last to fail */
    un_arena_free(&scratch);
    un_arena_free(&c->arena);
    c->arena = arena;
    c->classes = table;
    c->described = described;
    return UNSEEN_OK;
done:
    un_arena_free(&scratch);
    un_arena_free(&arena);
    return status;
}

/* ---- descriptions read from a file ---- */

typedef struct {
    un_classifier *classifier;
    const un_class_semantics *m;
    const char *path;
    un_cell_format format;
    un_name_index attributes; /* of the model */
    un_arena arena;
    un_description *classes;
    size_t count;
} reader;

/* A table of classes and attributes, or a list of NAME,ATTRIBUTE=VALUE,…; which it is. */

enum { MOST_TRIES = 64 }; /* '=' in a name */

/* Where "ATTRIBUTE=VALUE" is to be cut: at the last '=' that stands behind a known attribute or
 * before a value; NULL if there is none. */
static char *find_equals(const reader *r, char *text) {
    char *value = NULL;
    int tries = 0;
    for (char *at = strrchr(text, '='); at && tries < MOST_TRIES; tries++) {
        *at = 0;
        int known = un_name_find(&r->attributes, text) != UN_NO_NAME;
        *at = '=';
        if (known) return at;
        if (!value && un_cell_read(&r->format, at + 1).kind != UN_CELL_WRONG) value = at;
        at = memrchr(text, '=', (size_t)(at - text));
    }
    return value;
}

/* Whether the first record is NAME,ATTRIBUTE=VALUE,…: names of attributes may hold '=', too. */
static un_status is_list(const reader *r, int *out) {
    un_csv csv;
    char **fields = NULL;
    size_t count = 0;
    *out = 0;
    UN_TRY(un_csv_open(&csv, r->path));
    un_status status = UNSEEN_OK;
    do {
        if (!*csv.at) UN_GO(un_fail(UNSEEN_E_FORMAT, "%s is empty", r->path));
        UN_GO(un_csv_record(&csv, &fields, &count));
    } while (count == 1 && fields[0][0] == 0);
    for (size_t i = 1; i < count; i++)
        if (un_name_find(&r->attributes, fields[i]) != UN_NO_NAME) goto done;
    for (size_t i = 1; i < count && !*out; i++) *out = find_equals(r, fields[i]) != NULL;
done:
    un_csv_close(&csv);
    return status;
}

static un_status read_row(reader *r, const un_table *t, const size_t *columns, size_t row) {
    un_description *d = &r->classes[r->count++];
    size_t *attributes = NULL;
    double *values = NULL;
    UN_TRY(un_arena_alloc(&r->arena, t->columns, sizeof *attributes, &attributes));
    UN_TRY(un_arena_alloc(&r->arena, t->columns, sizeof *values, &values));
    *d = (un_description){.name = t->names[row], .attributes = attributes, .values = values};
    for (size_t a = 0; a < t->columns; a++) {
        double value = t->values[row * t->columns + a];
        if (isnan(value)) continue;
        attributes[d->count] = columns[a];
        values[d->count++] = value;
    }
    if (d->count > 0) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT, "%s: line %zu says nothing about \"%.80s\"", r->path,
                   t->lines[row], d->name);
}

static un_status read_table(reader *r) {
    const un_table_options options = {r->format.unknown, r->format.unknown_count, 1};
    un_table t;
    size_t *columns = NULL;
    UN_TRY(un_table_read_as(r->path, &options, &r->arena, &t));
    UN_TRY(un_arena_alloc(&r->arena, t.columns, sizeof *columns, &columns));
    un_status status = un_classifier_attributes(r->classifier, t.attributes, t.columns, columns);
    if (status) return un_fail_prefix(status, "%s: the header", r->path);
    UN_TRY(un_arena_alloc(&r->arena, t.rows, sizeof *r->classes, &r->classes));
    for (size_t c = 0; c < t.rows; c++) UN_TRY(read_row(r, &t, columns, c));
    return UNSEEN_OK;
}

static un_status wrong_field(const reader *r, size_t line, const char *class, const char *attribute,
                             const char *value, const char *why) {
    return un_fail(UNSEEN_E_FORMAT,
                   "%s: line %zu (class \"%.80s\", attribute \"%.80s\"): %s: \"%.40s\"", r->path,
                   line, class, attribute, why, value);
}

/* One "ATTRIBUTE=VALUE" of a record; nothing is stated by an unknown value. */
static un_status read_field(reader *r, size_t line, un_description *d, char *text,
                            size_t *attributes, double *values) {
    char *sign = find_equals(r, text);
    if (!sign) sign = strrchr(text, '=');
    if (!sign)
        return un_fail(UNSEEN_E_FORMAT, "%s: line %zu: \"%.80s\" is not ATTRIBUTE=VALUE", r->path,
                       line, text);
    *sign = 0;
    size_t *place = &attributes[d->count];
    *place = un_name_find(&r->attributes, text);
    if (*place == UN_NO_NAME && un_classifier_attributes(r->classifier, &text, 1, place))
        return un_fail_prefix(UNSEEN_E_ARGUMENT, "%s: line %zu", r->path, line);
    un_cell cell = un_cell_read(&r->format, sign + 1);
    if (cell.kind == UN_CELL_EMPTY || cell.kind == UN_CELL_WRONG)
        return wrong_field(r, line, d->name, text, sign + 1, cell.why);
    if (cell.kind == UN_CELL_UNKNOWN) return UNSEEN_OK;
    values[d->count++] = cell.value;
    return UNSEEN_OK;
}

static un_status read_record(reader *r, size_t line, char **fields, size_t count) {
    un_description *d = &r->classes[r->count];
    size_t *attributes = NULL;
    double *values = NULL;
    char *name = NULL;
    while (count > 0 && fields[count - 1][0] == 0) count--;
    if (count == 0) return UNSEEN_OK; /* a blank line */
    if (fields[0][0] == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: line %zu has no class name in its first column",
                       r->path, line);
    UN_TRY(un_arena_string(&r->arena, fields[0], &name));
    UN_TRY(un_arena_alloc(&r->arena, count, sizeof *attributes, &attributes));
    UN_TRY(un_arena_alloc(&r->arena, count, sizeof *values, &values));
    *d = (un_description){.name = name, .attributes = attributes, .values = values};
    for (size_t i = 1; i < count; i++)
        if (fields[i][0]) UN_TRY(read_field(r, line, d, fields[i], attributes, values));
    if (d->count == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: line %zu says nothing about \"%.80s\"", r->path, line,
                       name);
    r->count++;
    return UNSEEN_OK;
}

static un_status check_repeated(reader *r) {
    char **names = NULL;
    un_name_index index;
    size_t a = 0, b = 0;
    UN_TRY(un_arena_alloc(&r->arena, r->count, sizeof *names, &names));
    for (size_t i = 0; i < r->count; i++)
        UN_TRY(un_arena_string(&r->arena, r->classes[i].name, &names[i]));
    UN_TRY(un_name_index_make(&index, names, r->count));
    int repeats = un_name_index_repeats(&index, &a, &b);
    un_name_list alike = {0};
    un_name_index_alike(&index, &alike);
    un_name_index_free(&index);
    if (!repeats && alike.count > 0)
        un_log(
            UNSEEN_LOG_WARNING,
            "%s has classes that differ in spelling only: %s%s; they are different classes here; "
            "if one is meant, take the other line out",
            r->path, alike.text, un_name_list_more(&alike));
    if (!repeats) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT, "%s: class %zu and class %zu have the same name, \"%.200s\"",
                   r->path, a + 1, b + 1, names[a]);
}

static un_status read_list(reader *r) {
    un_csv csv;
    size_t lines = 0, delimiters = 0;
    UN_TRY(un_csv_open(&csv, r->path));
    un_status status = UNSEEN_OK;
    un_csv_bounds(&csv, &lines, &delimiters);
    UN_GO(un_arena_alloc(&r->arena, lines, sizeof *r->classes, &r->classes));
    while (*csv.at) {
        char **fields = NULL;
        size_t count = 0;
        size_t line = csv.line;
        UN_GO(un_csv_record(&csv, &fields, &count));
        UN_GO(read_record(r, line, fields, count));
    }
    UN_GO(check_repeated(r));
done:
    un_csv_close(&csv);
    return status;
}

static un_status read_all(reader *r) {
    int list = 0;
    UN_TRY(
        un_name_index_make(&r->attributes, r->m->attributes, r->m->attributes ? r->m->width : 0));
    UN_TRY(is_list(r, &list));
    UN_TRY(list ? read_list(r) : read_table(r));
    un_status status = un_classifier_describe(r->classifier, r->classes, r->count);
    return status ? un_fail_prefix(status, "%s", r->path) : UNSEEN_OK;
}

un_status un_new_classes_read(un_classifier *classifier, const char *path) {
    const un_class_semantics *m = &classifier->model.classes.semantics[0];
    reader r = {.classifier = classifier, .m = m, .path = path};
    if (m->scaling) {
        r.format.unknown = m->scaling->unknown;
        r.format.unknown_count = m->scaling->unknown_count;
    }
    un_status status = read_all(&r);
    un_name_index_free(&r.attributes);
    un_arena_free(&r.arena);
    return status;
}
