/* attribute_groups.c - see attribute_groups.h. */
#include "method/attribute_groups.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/json.h"
#include "base/names.h"

static const char ONLY_GROUP[] = "attributes";

typedef struct {
    const un_attribute_groups_options *options;
    un_arena *arena;
    un_attribute_groups *out;
    const char **group; /* [A] of each attribute */
} maker;

/* ---- names ---- */

/* text[n] without blanks at its ends; the bytes in `blanks` become blanks. */
static un_status tidy(un_arena *arena, const char *text, size_t n, const char *blanks, char **out) {
    char *copy = NULL;
    size_t begin = 0;
    UN_TRY(un_arena_alloc(arena, n + 1, 1, &copy));
    for (size_t i = 0; i < n; i++) copy[i] = strchr(blanks, text[i]) ? ' ' : text[i];
    while (begin < n && isspace((unsigned char)copy[begin])) begin++;
    while (n > begin && isspace((unsigned char)copy[n - 1])) n--;
    copy[n] = 0;
    *out = copy + begin;
    return UNSEEN_OK;
}

static int names_group(const char *raw) {
    size_t group = 0;
    return un_attribute_value(raw, &group) != raw;
}

/* "has_wing_color::blue" -> "blue"; "big_teeth" -> "big teeth". */
static un_status make_name(maker *m, const char *raw, char **out) {
    size_t group = 0;
    const char *name = un_attribute_value(raw, &group);
    if (name == raw) return tidy(m->arena, raw, strlen(raw), "_", out);
    UN_TRY(tidy(m->arena, name, strcspn(name, "("), "-_", out));
    if ((*out)[0]) return UNSEEN_OK;
    return tidy(m->arena, name, strlen(name), "-_", out); /* nothing but a bracket */
}

/* "has_wing_color::blue" -> "wing color". */
static un_status make_group(maker *m, const char *raw, const char **out) {
    static const char has[] = "has_";
    size_t length = 0;
    char *group = NULL;
    (void)un_attribute_value(raw, &length);
    *out = ONLY_GROUP;
    size_t skip =
        length >= sizeof has - 1 && !strncmp(raw, has, sizeof has - 1) ? sizeof has - 1 : 0;
    if (length == skip) return UNSEEN_OK;
    UN_TRY(tidy(m->arena, raw + skip, length - skip, "-_", &group));
    if (group[0]) *out = group;
    return UNSEEN_OK;
}

/* ---- the table ---- */

static un_status bad_table(const maker *m, const char *why) {
    return un_fail(UNSEEN_E_FORMAT,
                   "%s %s; expected {\"groups\": [one of each of the %zu attributes], \"names\": "
                   "[…], \"mapping\": {…}}, perhaps below the data set's name, or {\"0\": "
                   "\"group\", …}",
                   m->options->table, why, m->out->count);
}

/* The list `key` of strings, one an attribute; NULL if there is none. */
static un_status get_list(const maker *m, const json_t *table, const char *key,
                          const json_t **out) {
    const json_t *list = json_object_get(table, key);
    *out = list;
    if (!list) return UNSEEN_OK;
    if (!json_is_array(list) || json_array_size(list) != m->out->count)
        return bad_table(m, "has a list of another length");
    for (size_t i = 0; i < m->out->count; i++) {
        const json_t *item = json_array_get(list, i);
        if (!json_is_string(item) || strlen(json_string_value(item)) != json_string_length(item))
            return bad_table(m, "has something else than names in a list");
    }
    return UNSEEN_OK;
}

/* The part of the file that speaks of this data set; borrowed. */
static un_status find_entry(const maker *m, json_t *file, json_t **out) {
    const char *key = NULL;
    json_t *value = NULL;
    *out = file;
    if (!json_is_object(file)) return bad_table(m, "is not a JSON object");
    if (json_object_get(file, "groups") || json_object_get(file, "0")) return UNSEEN_OK;
    json_object_foreach(file, key, value) {
        if (!json_is_object(value) || strcasecmp(key, m->out->dataset) != 0) continue;
        *out = value;
        return UNSEEN_OK;
    }
    return un_fail(UNSEEN_E_ARGUMENT, "%s has neither \"groups\" nor an entry for \"%s\"",
                   m->options->table, m->out->dataset);
}

/* "17" -> 17; 0 if it is not an index below `count`. */
static int parse_index(const char *key, size_t count, size_t *out) {
    size_t index = 0, digits = 0;
    for (; isdigit((unsigned char)key[digits]) && index < count; digits++)
        index = 10 * index + (size_t)(key[digits] - '0');
    *out = index;
    return digits > 0 && key[digits] == 0 && index < count;
}

/* Calls for every "index": "text" of an object: texts[index] = text, borrowed. */
static un_status get_indexed(const maker *m, json_t *object, const char *where,
                             const char **texts) {
    const char *key = NULL;
    json_t *value = NULL;
    if (!json_is_object(object))
        return un_fail(UNSEEN_E_FORMAT, "%s: expected an object {\"17\": \"name\", …}", where);
    json_object_foreach(object, key, value) {
        size_t index = 0;
        if (!parse_index(key, m->out->count, &index) || !json_is_string(value) ||
            strlen(json_string_value(value)) != json_string_length(value))
            return un_fail(UNSEEN_E_FORMAT,
                           "%s: \"%s\" should be the index of one of %zu attributes, from 0, and "
                           "stand before a name",
                           where, key, m->out->count);
        texts[index] = json_string_value(value);
    }
    return UNSEEN_OK;
}

/* Letters and digits alone, in lower case; the rest is a matter of taste. */
static int same_name(const char *a, const char *b) {
    for (;; a++, b++) {
        while (*a && (unsigned char)*a < 0x80 && !isalnum((unsigned char)*a)) a++;
        while (*b && (unsigned char)*b < 0x80 && !isalnum((unsigned char)*b)) b++;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b)) return 0;
        if (!*a) return 1;
    }
}

/* row[i] = where the table speaks of attribute i. */
static un_status match_rows(const maker *m, char *const *names, const json_t *table_names,
                            size_t *row) {
    for (size_t i = 0; i < m->out->count; i++) {
        row[i] = i;
        if (!names || !table_names) continue;
        size_t at = i;
        if (!same_name(names[i], json_string_value(json_array_get(table_names, i))))
            for (at = 0; at < m->out->count; at++)
                if (same_name(names[i], json_string_value(json_array_get(table_names, at)))) break;
        if (at == m->out->count)
            return un_fail(UNSEEN_E_FORMAT,
                           "%s has no attribute \"%s\" (attribute %zu of the data set; there it "
                           "has \"%s\")",
                           m->options->table, names[i], i + 1,
                           json_string_value(json_array_get(table_names, i)));
        row[i] = at;
    }
    return UNSEEN_OK;
}

/* Names and groups as the entry has them; strings stay borrowed in m->group. */
static un_status apply_table(maker *m, char *const *names, json_t *entry) {
    size_t A = m->out->count;
    const json_t *groups = NULL, *table_names = NULL;
    json_t *mapping = json_object_get(entry, "mapping");
    const char **by_row = NULL, **mapped = NULL;
    size_t *row = NULL;
    UN_TRY(get_list(m, entry, "groups", &groups));
    UN_TRY(get_list(m, entry, "names", &table_names));
    if (!names && !table_names)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s has no names and neither has the data set: import it with a file of "
                       "attribute names",
                       m->options->table);
    UN_TRY(un_arena_alloc(m->arena, A, sizeof *by_row, (void *)&by_row));
    UN_TRY(un_arena_alloc(m->arena, A, sizeof *mapped, (void *)&mapped));
    UN_TRY(un_arena_alloc(m->arena, A, sizeof *row, &row));
    if (!groups) UN_TRY(get_indexed(m, entry, m->options->table, by_row));
    if (mapping) UN_TRY(get_indexed(m, mapping, m->options->table, mapped));
    UN_TRY(match_rows(m, names, table_names, row));
    for (size_t i = 0; i < A; i++) {
        const char *raw =
            table_names ? json_string_value(json_array_get(table_names, row[i])) : names[i];
        m->group[i] = groups ? json_string_value(json_array_get(groups, row[i])) : by_row[row[i]];
        if (!m->group[i]) return bad_table(m, "misses the group of an attribute");
        m->out->qualified |= names_group(raw);
        if (mapped[row[i]])
            UN_TRY(un_arena_string(m->arena, mapped[row[i]], &m->out->names[i]));
        else
            UN_TRY(make_name(m, raw, &m->out->names[i]));
    }
    return UNSEEN_OK;
}

/* A mapping of its own, in the order of the data set. */
static un_status apply_mapping(maker *m) {
    json_t *file = NULL;
    const char **mapped = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_json_read(m->options->mapping, &file));
    UN_GO(un_arena_alloc(m->arena, m->out->count, sizeof *mapped, (void *)&mapped));
    UN_GO(get_indexed(m, file, m->options->mapping, mapped));
    for (size_t i = 0; i < m->out->count; i++)
        if (mapped[i]) UN_GO(un_arena_string(m->arena, mapped[i], &m->out->names[i]));
done:
    json_decref(file);
    return status;
}

/* ---- all together ---- */

/* The published files write "meterial". */
static void respell(char *group) {
    char *found = strstr(group, "meterial");
    if (found) found[1] = 'a';
}

/* Numbers the groups in order of first appearance. */
static un_status number_groups(maker *m) {
    un_attribute_groups *g = m->out;
    UN_TRY(un_arena_alloc(m->arena, g->count, sizeof *g->groups, (void *)&g->groups));
    UN_TRY(un_arena_alloc(m->arena, g->count, sizeof *g->group_of, &g->group_of));
    for (size_t i = 0; i < g->count; i++) {
        char *group = NULL;
        size_t at = 0;
        UN_TRY(tidy(m->arena, m->group[i], strlen(m->group[i]), "_", &group));
        if (!g->reference) respell(group);
        while (at < g->group_count && strcmp(g->groups[at], group) != 0) at++;
        if (at == g->group_count) g->groups[g->group_count++] = group;
        g->group_of[i] = at;
    }
    return UNSEEN_OK;
}

static un_status derive(maker *m, char *const *names) {
    if (!names)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "the data set does not say what its attributes are called: import it with a "
                       "file of attribute names, or give a table with \"names\"");
    for (size_t i = 0; i < m->out->count; i++) {
        m->out->qualified |= names_group(names[i]);
        UN_TRY(make_name(m, names[i], &m->out->names[i]));
        UN_TRY(make_group(m, names[i], &m->group[i]));
    }
    return UNSEEN_OK;
}

un_status un_attribute_groups_make(char *const *names, size_t A,
                                   const un_attribute_groups_options *o, un_arena *arena,
                                   un_attribute_groups *out) {
    char *dataset = NULL;
    json_t *file = NULL;
    json_t *entry = NULL;
    maker m = {.options = o, .arena = arena, .out = out};
    un_status status = UNSEEN_OK;
    if (A == 0) return un_fail(UNSEEN_E_ARGUMENT, "texts of a data set without attributes");
    UN_TRY(un_arena_string(arena, o->dataset ? o->dataset : "", &dataset));
    *out = (un_attribute_groups){.count = A, .reference = o->reference, .dataset = dataset};
    UN_TRY(un_arena_alloc(arena, A, sizeof *out->names, (void *)&out->names));
    UN_TRY(un_arena_alloc(arena, A, sizeof *m.group, (void *)&m.group));
    if (o->table) {
        UN_GO(un_json_read(o->table, &file));
        UN_GO(find_entry(&m, file, &entry));
        UN_GO(apply_table(&m, names, entry));
    } else {
        UN_GO(derive(&m, names));
    }
    if (o->mapping) UN_GO(apply_mapping(&m));
    UN_GO(number_groups(&m));
done:
    json_decref(file);
    return status;
}
