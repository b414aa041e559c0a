/*
 * attribute_groups.h - what the attributes of a data set are called in a sentence and which
 * group each belongs to ("wing color": "blue", "brown" …).
 *
 * Names of CUB's form say it themselves: "has_wing_color::blue" is "blue" of the
 * group "wing color". For others (AWA2, SUN) groups are published tables, read
 * from a JSON file of one of the forms
 *     {"groups": [group of each attribute], "names": […], "mapping": {"17": "name"}}
 *     {"CUB": {as above}, "AWA2": {…}}         the entry of the data set is taken
 *     {"0": "group", "1": "group", …}          DUET's attributeindex2prompt.json
 * in which names and mapping (friendlier names by index) may be missing. Without
 * either, all attributes are of one group, "attributes".
 */
#ifndef UN_METHOD_ATTRIBUTE_GROUPS_H
#define UN_METHOD_ATTRIBUTE_GROUPS_H

#include "base/arena.h"

typedef struct {
    const char *table;   /* JSON file of groups; NULL: from the names */
    const char *mapping; /* JSON file {"17": "name"} of friendlier names; NULL: the table's */
    const char *dataset; /* name of the data set, to find its entry; may be NULL */
    int reference;       /* 1: published spelling ("meterial"); 0: "material" */
} un_attribute_groups_options;

typedef struct {
    size_t count;        /* A attributes */
    char **names;        /* [A] as a text has them: "hooked seabird" */
    size_t *group_of;    /* [A] */
    size_t group_count;  /* G */
    char **groups;       /* [G] in order of first appearance */
    int qualified;       /* the raw names have the form "group::name" */
    int reference;       /* as asked for */
    const char *dataset; /* as asked for, "" if unknown */
} un_attribute_groups;

/* Makes the groups of A attributes called `names` in the data set (NULL: unknown;
 * then a table must have names). Names are matched with those of the table, letters
 * and digits only, so that its order need not be the data set's. Everything is
 * allocated in `arena`. */
un_status un_attribute_groups_make(char *const *names, size_t A,
                                   const un_attribute_groups_options *options, un_arena *arena,
                                   un_attribute_groups *out);

#endif
