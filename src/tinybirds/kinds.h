/*
 * kinds.h - the kinds of Tinybirds: which attributes there are, which kinds exist, and
 * what an individual of a kind looks like.
 *
 * Attributes come in groups as in CUB: each individual has one value of every group.
 * Kinds come in palettes: the five kinds of a palette wear the same four colours on
 * different parts, so that how much of a colour a picture holds does not tell them
 * apart. Three kinds of each of five palettes are unseen; their relatives are seen.
 */
#ifndef UN_DATA_TINYBIRDS_KINDS_H
#define UN_DATA_TINYBIRDS_KINDS_H

#include "base/status.h"
#include "tinybirds/paint.h"

/* Parts with a box; 0 in a map of parts means no part, UN_PART_OTHER the rest of the bird. */
enum {
    UN_PART_BILL = 1,
    UN_PART_CROWN,
    UN_PART_EYE,
    UN_PART_BREAST,
    UN_PART_BELLY,
    UN_PART_BACK,
    UN_PART_WING,
    UN_PART_TAIL,
    UN_PART_LEGS,
    UN_PART_OTHER,
    UN_PART_COUNT = UN_PART_LEGS /* boxes of an image; part p has box p - 1 */
};
extern const char *const un_part_names[UN_PART_COUNT];

enum {
    UN_GROUP_SIZE,
    UN_GROUP_BILL_SHAPE,
    UN_GROUP_BILL_COLOR,
    UN_GROUP_CROWN_COLOR,
    UN_GROUP_HEAD_PATTERN,
    UN_GROUP_BREAST_COLOR,
    UN_GROUP_BREAST_PATTERN,
    UN_GROUP_BELLY_COLOR,
    UN_GROUP_BACK_COLOR,
    UN_GROUP_WING_COLOR,
    UN_GROUP_WING_PATTERN,
    UN_GROUP_TAIL_SHAPE,
    UN_GROUP_TAIL_COLOR,
    UN_GROUP_LEG_COLOR,
    UN_GROUP_COUNT
};

enum { UN_SMALL, UN_LARGE };
enum { UN_CONE, UN_DAGGER, UN_HOOKED };
enum { UN_PLAIN, UN_EYERING, UN_MASKED, UN_CRESTED };
enum { UN_SOLID, UN_STRIPED, UN_SPOTTED }; /* breast; the wing has bars for stripes */
enum { UN_FORKED, UN_ROUNDED, UN_POINTED };

enum { UN_MAX_VALUES = 5 };

typedef struct {
    const char *name; /* "has_bill_shape" */
    size_t count;     /* values */
    const char *values[UN_MAX_VALUES];
    unsigned char color[UN_MAX_VALUES]; /* into un_palette, for groups of colours */
    int is_color;
    unsigned part; /* where it is seen; 0: the whole bird */
} un_attribute_group;
extern const un_attribute_group un_attribute_groups[UN_GROUP_COUNT];

/* A, the number of attributes: the values of all groups. */
size_t un_tinybirds_attribute_count(void);
/* The number of the first attribute of a group. */
size_t un_tinybirds_first_attribute(size_t group);

enum { UN_PALETTES = 12, UN_KINDS_PER_PALETTE = 5 };
enum { UN_KIND_COUNT = UN_PALETTES * UN_KINDS_PER_PALETTE, UN_UNSEEN_KIND_COUNT = 15 };
/* Every two kinds differ in at least this many groups. */
enum { UN_KIND_DISTANCE = 4 };
/* Every attribute is typical of at least this many seen kinds. */
enum { UN_KINDS_PER_VALUE = 3 };

typedef struct {
    char name[40]; /* "Golden-crowned Siskin": true of the kind, unique */
    int unseen;
    int palette;                          /* which kinds share their colours */
    unsigned char value[UN_GROUP_COUNT];  /* what is typical */
    unsigned char other[UN_GROUP_COUNT];  /* what those look like that are not typical */
    unsigned char female[UN_GROUP_COUNT]; /* 1: half of the individuals have `other` */
    double typical[UN_GROUP_COUNT];       /* how probable `value` is, sex aside */
    double plump, head, leg;              /* build, 1 on average; no attribute */
} un_kind;

/* All kinds of a seed, sorted by name. */
un_status un_tinybirds_kinds(uint64_t seed, un_kind kinds[UN_KIND_COUNT]);
/* The groups in which two kinds differ typically. */
size_t un_kind_distance(const un_kind *a, const un_kind *b);
/* The value of every group of one individual. */
void un_kind_individual(const un_kind *kind, un_rng *rng, unsigned char value[UN_GROUP_COUNT]);

/* Gives kinds[0..n-1] their names (names.c); 0 if the words do not suffice. */
int un_tinybirds_name(un_kind *kinds, size_t n, un_rng *rng);

#endif
