/* groups.c - groups of attributes for DEDN's fine expert: the published lists, those of the
 * attributes' names or of a file, and as a model keeps them. See dedn.h. */
#include <string.h>

#include "method/attribute_groups.h"
#include "method/dedn/dedn.h"

/* Each has matrices as large as the coarse expert's. */
enum { MOST_GROUPS = 256, MOST_RANGES = 16, MOST_LISTED = 6 };

/* Attributes of a published list, from 1, both ends included; group 0 has all that no range names. */
typedef struct {
    const char *name, *data_set;
    size_t attributes;
    const char *groups[MOST_LISTED];
    struct {
        size_t group, first, last;
    } ranges[MOST_RANGES];
} published;

/* SUN's as its comments mean them: the code's slices evaluate to single attributes. */
static const published g_published[] = {
    {"cub",
     "CUB",
     312,
     {"head", "torso", "wing", "tail", "leg", "whole"},
     {{1, 25, 73},
      {1, 106, 120},
      {1, 198, 212},
      {1, 237, 240},
      {1, 245, 248},
      {2, 10, 24},
      {2, 213, 217},
      {2, 309, 312},
      {3, 74, 94},
      {3, 168, 182},
      {3, 241, 244},
      {4, 264, 278},
      {5, 218, 236},
      {5, 249, 263}}},
    {"awa2",
     "AWA2",
     85,
     {"texture", "limb", "abstract", "environment"},
     {{1, 19, 33}, {2, 34, 64}, {2, 79, 85}, {3, 65, 78}}},
    {"sun",
     "SUN",
     102,
     {"others", "function", "element", "environment", "material"},
     {{1, 1, 38}, {2, 39, 65}, {3, 66, 74}, {4, 78, 85}}},
};
enum { PUBLISHED = sizeof g_published / sizeof *g_published };

/* Reserves, with every attribute in group 0. */
static un_status reserve(un_arena *arena, size_t A, const char *const *names, size_t G,
                         dedn_groups *out) {
    *out = (dedn_groups){.count = G};
    UN_TRY(un_arena_alloc(arena, A, sizeof *out->group_of, &out->group_of));
    UN_TRY(un_arena_alloc(arena, G, sizeof *out->names, (void *)&out->names));
    for (size_t g = 0; g < G; g++) UN_TRY(un_arena_string(arena, names[g], &out->names[g]));
    return UNSEEN_OK;
}

static un_status take_published(const published *p, size_t A, un_arena *arena, dedn_groups *out) {
    size_t G = 0;
    if (A != p->attributes)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "groups=%s are those of %s's %zu attributes, here are %zu: "
                       "{--set|setting} groups=prefix takes what stands before :: in their "
                       "names, none makes one group, or give a file",
                       p->name, p->data_set, p->attributes, A);
    while (G < MOST_LISTED && p->groups[G]) G++;
    UN_TRY(reserve(arena, A, p->groups, G, out));
    for (size_t r = 0; r < MOST_RANGES && p->ranges[r].last > 0; r++)
        for (size_t i = p->ranges[r].first; i <= p->ranges[r].last; i++)
            out->group_of[i - 1] = p->ranges[r].group;
    return UNSEEN_OK;
}

/* From the names, or from a table of groups. */
static un_status take_named(const un_class_semantics *semantics, const char *table, un_arena *arena,
                            dedn_groups *out) {
    const un_attribute_groups_options options = {.table = table, .dataset = semantics->name};
    un_attribute_groups groups;
    un_arena own = {0};
    un_status status = UNSEEN_OK;
    UN_GO(
        un_attribute_groups_make(semantics->attributes, semantics->width, &options, &own, &groups));
    if (groups.group_count > MOST_GROUPS) {
        status = un_fail(UNSEEN_E_ARGUMENT,
                         "groups: %zu groups of attributes, each of which would have matrices of "
                         "its own; at most %d: merge some in a file of groups",
                         groups.group_count, MOST_GROUPS);
        goto done;
    }
    UN_GO(reserve(arena, semantics->width, (const char *const *)groups.groups, groups.group_count,
                  out));
    memcpy(out->group_of, groups.group_of, semantics->width * sizeof *out->group_of);
done:
    un_arena_free(&own);
    return status;
}

un_status un_dedn_groups_make(const un_class_semantics *semantics, const char *setting,
                              un_arena *arena, dedn_groups *out) {
    static const char *const only[] = {"attributes"};
    size_t A = semantics->width;
    for (size_t i = 0; i < PUBLISHED; i++)
        if (!strcmp(setting, g_published[i].name))
            return take_published(&g_published[i], A, arena, out);
    int by_names = !strcmp(setting, "prefix");
    if (!strcmp(setting, "none") || (by_names && !semantics->attributes))
        return reserve(arena, A, only, 1, out);
    return take_named(semantics, by_names ? NULL : setting, arena, out);
}

/* ---- as a model keeps them ---- */

json_t *un_dedn_groups_json(const dedn_groups *groups, size_t A) {
    json_t *out = json_object(), *of = json_array();
    for (size_t i = 0; i < A; i++) un_json_push(&of, json_integer((json_int_t)groups->group_of[i]));
    un_json_put(&out, "names", un_json_strings(groups->names, groups->count));
    un_json_put(&out, "of", of);
    return out;
}

static un_status damaged(const char *why) {
    return un_fail(UNSEEN_E_FORMAT, "the model's groups of attributes are damaged: %s", why);
}

un_status un_dedn_groups_load(const json_t *json, size_t A, un_arena *arena, dedn_groups *out) {
    const json_t *names = json_object_get(json, "names"), *of = json_object_get(json, "of");
    const char *text[MOST_GROUPS];
    size_t G = json_array_size(names), members[MOST_GROUPS] = {0};
    if (G == 0 || G > MOST_GROUPS || json_array_size(of) != A)
        return damaged("their number, or that of the attributes");
    for (size_t g = 0; g < G; g++) {
        text[g] = json_string_value(json_array_get(names, g));
        if (!text[g]) return damaged("a name");
    }
    UN_TRY(reserve(arena, A, text, G, out));
    for (size_t i = 0; i < A; i++) {
        const json_t *group = json_array_get(of, i);
        json_int_t g = json_integer_value(group);
        if (!json_is_integer(group) || g < 0 || (size_t)g >= G)
            return damaged("the group of an attribute");
        out->group_of[i] = (size_t)g;
        members[g]++;
    }
    for (size_t g = 0; g < G; g++)
        if (members[g] == 0) return damaged("a group without attributes");
    return UNSEEN_OK;
}
