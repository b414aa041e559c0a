/*
 * kinds.c - the table of attributes, and how kinds are drawn; see bird.h.
 *
 * Drawing is by rejection: palettes, then kinds of a palette one after the other, each
 * kept if it is far enough from the earlier ones. A table in which some attribute is too
 * rare among the seen kinds is thrown away as a whole and drawn again.
 */
#include "tinybirds/bird.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const un_part_names[UN_PART_COUNT] = {"bill", "crown", "eye",  "breast", "belly",
                                                  "back", "wing",  "tail", "legs"};

/* Names are CUB's where CUB has the attribute, so that its phrases and word vectors fit. */
const un_attribute_group un_attribute_groups[UN_GROUP_COUNT] = {
    [UN_GROUP_SIZE] = {"has_size", 2, {"small", "large"}, {0}, 0, 0},
    [UN_GROUP_BILL_SHAPE] =
        {"has_bill_shape", 3, {"cone", "dagger", "hooked"}, {0}, 0, UN_PART_BILL},
    [UN_GROUP_BILL_COLOR] = {"has_bill_color",
                             3,
                             {"black", "yellow", "red"},
                             {UN_BLACK, UN_YELLOW, UN_RED},
                             1,
                             UN_PART_BILL},
    [UN_GROUP_CROWN_COLOR] = {"has_crown_color",
                              5,
                              {"red", "yellow", "blue", "black", "white"},
                              {UN_RED, UN_YELLOW, UN_BLUE, UN_BLACK, UN_WHITE},
                              1,
                              UN_PART_CROWN},
    [UN_GROUP_HEAD_PATTERN] =
        {"has_head_pattern", 4, {"plain", "eyering", "masked", "crested"}, {0}, 0, UN_PART_EYE},
    [UN_GROUP_BREAST_COLOR] = {"has_breast_color",
                               5,
                               {"red", "yellow", "blue", "brown", "white"},
                               {UN_RED, UN_YELLOW, UN_BLUE, UN_BROWN, UN_WHITE},
                               1,
                               UN_PART_BREAST},
    [UN_GROUP_BREAST_PATTERN] =
        {"has_breast_pattern", 3, {"solid", "striped", "spotted"}, {0}, 0, UN_PART_BREAST},
    [UN_GROUP_BELLY_COLOR] = {"has_belly_color",
                              3,
                              {"white", "yellow", "brown"},
                              {UN_WHITE, UN_YELLOW, UN_BROWN},
                              1,
                              UN_PART_BELLY},
    [UN_GROUP_BACK_COLOR] = {"has_back_color",
                             4,
                             {"brown", "green", "blue", "black"},
                             {UN_BROWN, UN_GREEN, UN_BLUE, UN_BLACK},
                             1,
                             UN_PART_BACK},
    [UN_GROUP_WING_COLOR] = {"has_wing_color",
                             5,
                             {"brown", "green", "blue", "black", "red"},
                             {UN_BROWN, UN_GREEN, UN_BLUE, UN_BLACK, UN_RED},
                             1,
                             UN_PART_WING},
    [UN_GROUP_WING_PATTERN] =
        {"has_wing_pattern", 3, {"solid", "striped", "spotted"}, {0}, 0, UN_PART_WING},
    [UN_GROUP_TAIL_SHAPE] = {"has_tail_shape",
                             3,
                             {"forked_tail", "rounded_tail", "pointed_tail"},
                             {0},
                             0,
                             UN_PART_TAIL},
    [UN_GROUP_TAIL_COLOR] = {"has_tail_color",
                             4,
                             {"brown", "red", "blue", "black"},
                             {UN_BROWN, UN_RED, UN_BLUE, UN_BLACK},
                             1,
                             UN_PART_TAIL},
    [UN_GROUP_LEG_COLOR] =
        {"has_leg_color", 2, {"black", "orange"}, {UN_BLACK, UN_ORANGE}, 1, UN_PART_LEGS},
};

size_t un_tinybirds_first_attribute(size_t group) {
    size_t first = 0;
    for (size_t g = 0; g < group; g++) first += un_attribute_groups[g].count;
    return first;
}

size_t un_tinybirds_attribute_count(void) { return un_tinybirds_first_attribute(UN_GROUP_COUNT); }

size_t un_kind_distance(const un_kind *a, const un_kind *b) {
    size_t n = 0;
    for (size_t g = 0; g < UN_GROUP_COUNT; g++) n += a->value[g] != b->value[g];
    return n;
}

/* ---- plumage ---- */

/* The groups that a palette dresses. */
static const unsigned char g_dressed[] = {UN_GROUP_CROWN_COLOR, UN_GROUP_BREAST_COLOR,
                                          UN_GROUP_BELLY_COLOR, UN_GROUP_BACK_COLOR,
                                          UN_GROUP_WING_COLOR,  UN_GROUP_TAIL_COLOR};
enum { DRESSED = sizeof g_dressed, PALETTE_COLORS = 4, FEATHER_COLORS = UN_WHITE + 1 };
/* Kinds of one palette differ in at least this many of the dressed groups. */
enum { PALETTE_DISTANCE = 3 };

/* Brown, black and white are the common colours of birds. */
static const double g_color_weight[FEATHER_COLORS] = {
    [UN_RED] = 0.9,   [UN_YELLOW] = 1.0, [UN_BLUE] = 0.9, [UN_GREEN] = 0.7,
    [UN_BROWN] = 1.3, [UN_BLACK] = 1.3,  [UN_WHITE] = 1.2};

/* The value of group g that is `color`, or the count of its values. */
static size_t value_of(size_t g, unsigned color) {
    const un_attribute_group *group = &un_attribute_groups[g];
    size_t v = 0;
    while (v < group->count && group->color[v] != color) v++;
    return v;
}

/* A set of four colours as bits, with at least one that each dressed part can have. */
static unsigned draw_palette(un_rng *rng) {
    for (;;) {
        double keys[FEATHER_COLORS];
        int64_t sampled[PALETTE_COLORS];
        unsigned palette = 0;
        int usable = 1;
        un_rng_sample_weighted(rng, g_color_weight, FEATHER_COLORS, PALETTE_COLORS, keys, sampled);
        for (size_t i = 0; i < PALETTE_COLORS; i++) palette |= 1u << sampled[i];
        for (size_t i = 0; i < DRESSED; i++) {
            const un_attribute_group *group = &un_attribute_groups[g_dressed[i]];
            unsigned wearable = 0;
            for (size_t v = 0; v < group->count; v++) wearable |= 1u << group->color[v];
            usable = usable && (wearable & palette);
        }
        if (usable) return palette;
    }
}

/* Draws the value of group g from the palette; with probability `like` it takes the colour
 * of group `model` if it can. */
static void dress(un_kind *kind, unsigned palette, size_t g, size_t model, double like,
                  un_rng *rng) {
    const un_attribute_group *group = &un_attribute_groups[g];
    double weight[UN_MAX_VALUES] = {0};
    for (size_t v = 0; v < group->count; v++) weight[v] = palette >> group->color[v] & 1;
    size_t same = value_of(g, un_attribute_groups[model].color[kind->value[model]]);
    size_t drawn = un_weighted(rng, weight, group->count);
    int follow = un_chance(rng, like);
    kind->value[g] = (unsigned char)(follow && same < group->count ? same : drawn);
}

static unsigned colors_of(const un_kind *kind) {
    unsigned colors = 0;
    for (size_t i = 0; i < DRESSED; i++)
        colors |= 1u << un_attribute_groups[g_dressed[i]].color[kind->value[g_dressed[i]]];
    return colors;
}

/* Back, wing and tail often match, and so do breast and belly. */
static void draw_plumage(un_kind *kind, unsigned palette, un_rng *rng) {
    do {
        dress(kind, palette, UN_GROUP_BACK_COLOR, UN_GROUP_BACK_COLOR, 0, rng);
        dress(kind, palette, UN_GROUP_WING_COLOR, UN_GROUP_BACK_COLOR, 0.35, rng);
        dress(kind, palette, UN_GROUP_TAIL_COLOR, UN_GROUP_WING_COLOR, 0.40, rng);
        dress(kind, palette, UN_GROUP_BREAST_COLOR, UN_GROUP_BREAST_COLOR, 0, rng);
        dress(kind, palette, UN_GROUP_BELLY_COLOR, UN_GROUP_BREAST_COLOR, 0.30, rng);
        dress(kind, palette, UN_GROUP_CROWN_COLOR, UN_GROUP_BACK_COLOR, 0.20, rng);
    } while (colors_of(kind) != palette);
}

/* ---- shape and variation ---- */

/* Bill, size and tail go together: some forms have many kinds, some one or two. */
static const double g_form_weight[3][2][3] = {
    [UN_CONE] = {{1.6, 1.2, 0.4}, {0.5, 0.9, 0.3}},
    [UN_DAGGER] = {{0.5, 1.6, 0.8}, {0.6, 1.0, 0.6}},
    [UN_HOOKED] = {{0.3, 0.7, 0.5}, {0.6, 0.9, 1.1}},
};

static unsigned char draw_value(un_rng *rng, const double *weight, size_t n) {
    return (unsigned char)un_weighted(rng, weight, n);
}

static void draw_form(un_kind *kind, un_rng *rng) {
    size_t form = un_weighted(rng, &g_form_weight[0][0][0], 18);
    kind->value[UN_GROUP_BILL_SHAPE] = (unsigned char)(form / 6);
    kind->value[UN_GROUP_SIZE] = (unsigned char)(form / 3 % 2);
    kind->value[UN_GROUP_TAIL_SHAPE] = (unsigned char)(form % 3);
    kind->value[UN_GROUP_BILL_COLOR] = draw_value(rng, (const double[]){0.50, 0.30, 0.20}, 3);
    kind->value[UN_GROUP_LEG_COLOR] = draw_value(rng, (const double[]){0.60, 0.40}, 2);
    kind->value[UN_GROUP_HEAD_PATTERN] =
        draw_value(rng, (const double[]){0.40, 0.22, 0.20, 0.18}, 4);
    kind->value[UN_GROUP_BREAST_PATTERN] = draw_value(rng, (const double[]){0.55, 0.25, 0.20}, 3);
    kind->value[UN_GROUP_WING_PATTERN] = draw_value(rng, (const double[]){0.40, 0.35, 0.25}, 3);
    kind->plump = un_between(rng, 0.93, 1.10);
    kind->head = un_between(rng, 0.94, 1.06);
    kind->leg = un_between(rng, 0.85, 1.20);
}

/* The females of many kinds are browner; in some groups a kind is not of one mind. */
static void draw_variation(un_kind *kind, un_rng *rng) {
    int dimorphic = un_chance(rng, 0.35);
    for (size_t g = 0; g < UN_GROUP_COUNT; g++) {
        const un_attribute_group *group = &un_attribute_groups[g];
        size_t step = 1 + un_rng_below(rng, group->count - 1);
        size_t brown = group->is_color ? value_of(g, UN_BROWN) : group->count;
        int showy = group->is_color && group->count >= 4;
        kind->other[g] = (unsigned char)((kind->value[g] + step) % group->count);
        kind->female[g] = (unsigned char)(dimorphic && showy && un_chance(rng, 0.30));
        if (kind->female[g] && brown < group->count && brown != kind->value[g])
            kind->other[g] = (unsigned char)brown;
        kind->typical[g] =
            un_chance(rng, 0.15) ? un_between(rng, 0.60, 0.80) : un_between(rng, 0.92, 0.99);
    }
}

/* ---- the table ---- */

static int is_apart(const un_kind *kind, const un_kind *others, size_t n) {
    for (size_t k = 0; k < n; k++) {
        size_t dressed = 0;
        for (size_t i = 0; i < DRESSED; i++)
            dressed += kind->value[g_dressed[i]] != others[k].value[g_dressed[i]];
        if (others[k].palette == kind->palette && dressed < PALETTE_DISTANCE) return 0;
        if (un_kind_distance(kind, &others[k]) < UN_KIND_DISTANCE) return 0;
    }
    return 1;
}

enum { UNSEEN_PER_PALETTE = 3, TRIES_PER_KIND = 200, TRIES = 200 };

/* Draws all kinds; 0 if it got stuck. */
static int draw_kinds(un_kind *kinds, un_rng *rng) {
    unsigned used[UN_PALETTES];
    size_t n = 0;
    for (int p = 0; p < UN_PALETTES; p++) {
        int fresh = 1;
        used[p] = draw_palette(rng);
        for (int q = 0; q < p; q++) fresh = fresh && used[q] != used[p];
        if (!fresh) {
            p--;
            continue;
        }
        for (int k = 0; k < UN_KINDS_PER_PALETTE; k++, n++) {
            int tries = 0;
            do {
                if (tries++ == TRIES_PER_KIND) return 0;
                kinds[n] = (un_kind){.palette = p};
                draw_plumage(&kinds[n], used[p], rng);
                draw_form(&kinds[n], rng);
            } while (!is_apart(&kinds[n], kinds, n));
            draw_variation(&kinds[n], rng);
            kinds[n].unseen =
                p < UN_TINYBIRDS_UNSEEN_KINDS / UNSEEN_PER_PALETTE && k < UNSEEN_PER_PALETTE;
        }
    }
    return 1;
}

static int every_value_is_seen(const un_kind *kinds) {
    for (size_t g = 0; g < UN_GROUP_COUNT; g++)
        for (size_t v = 0; v < un_attribute_groups[g].count; v++) {
            int seen = 0;
            for (size_t k = 0; k < UN_TINYBIRDS_KINDS; k++)
                seen += !kinds[k].unseen && kinds[k].value[g] == v;
            if (seen < UN_KINDS_PER_VALUE) return 0;
        }
    return 1;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const un_kind *)a)->name, ((const un_kind *)b)->name);
}

un_status un_tinybirds_kinds(uint64_t seed, un_kind kinds[UN_TINYBIRDS_KINDS]) {
    for (uint64_t attempt = 0; attempt < TRIES; attempt++) {
        un_rng rng = un_rng_stream(seed, "tinybirds kinds", attempt);
        if (!draw_kinds(kinds, &rng) || !every_value_is_seen(kinds)) continue;
        if (!un_tinybirds_name(kinds, UN_TINYBIRDS_KINDS, &rng)) continue;
        qsort(kinds, UN_TINYBIRDS_KINDS, sizeof *kinds, by_name);
        return UNSEEN_OK;
    }
    return un_fail(UNSEEN_E_ARGUMENT, "seed %llu gives no kinds; try another seed",
                   (unsigned long long)seed);
}

void un_kind_individual(const un_kind *kind, un_rng *rng, unsigned char value[UN_GROUP_COUNT]) {
    int female = un_chance(rng, 0.5);
    for (size_t g = 0; g < UN_GROUP_COUNT; g++) {
        int odd = !un_chance(rng, kind->typical[g]);
        value[g] = (female && kind->female[g]) != odd ? kind->other[g] : kind->value[g];
    }
}

/* ---- names of kinds: a colour and where it is worn, and what form of bird it is.
 *
 * A name is true: "Golden-crowned Siskin" is small, with a cone bill and a forked tail,
 * and its crown is yellow. ---- */

enum { WORDS = 3 };

static const char *const g_color_words[UN_WHITE + 1][WORDS] = {
    [UN_RED] = {"Scarlet", "Crimson", "Ruby"},    [UN_YELLOW] = {"Golden", "Saffron", "Lemon"},
    [UN_BLUE] = {"Azure", "Cobalt", "Indigo"},    [UN_GREEN] = {"Olive", "Emerald", "Moss"},
    [UN_BROWN] = {"Russet", "Chestnut", "Umber"}, [UN_BLACK] = {"Sooty", "Ebony", "Sable"},
    [UN_WHITE] = {"Snowy", "Ivory", "Pearl"},
};

static const struct {
    unsigned char group;
    const char *word;
} g_places[] = {
    {UN_GROUP_CROWN_COLOR, "crowned"}, {UN_GROUP_BREAST_COLOR, "breasted"},
    {UN_GROUP_BELLY_COLOR, "bellied"}, {UN_GROUP_BACK_COLOR, "backed"},
    {UN_GROUP_WING_COLOR, "winged"},   {UN_GROUP_TAIL_COLOR, "tailed"},
};
enum { PLACES = sizeof g_places / sizeof *g_places };

/* By bill shape, size and tail shape. */
static const char *const g_forms[3][2][3] = {
    [UN_CONE] = {{"Siskin", "Bunting", "Waxbill"}, {"Finch", "Grosbeak", "Whydah"}},
    [UN_DAGGER] = {{"Martin", "Warbler", "Pipit"}, {"Starling", "Thrush", "Oriole"}},
    [UN_HOOKED] = {{"Drongo", "Vireo", "Lovebird"}, {"Kite", "Shrike", "Kestrel"}},
};

/* Kinds of the same form that share the colour of group g. */
static size_t relatives(const un_kind *kinds, size_t n, const un_kind *kind, size_t g) {
    size_t count = 0;
    for (size_t k = 0; k < n; k++)
        count += kinds[k].value[UN_GROUP_BILL_SHAPE] == kind->value[UN_GROUP_BILL_SHAPE] &&
                 kinds[k].value[UN_GROUP_SIZE] == kind->value[UN_GROUP_SIZE] &&
                 kinds[k].value[UN_GROUP_TAIL_SHAPE] == kind->value[UN_GROUP_TAIL_SHAPE] &&
                 kinds[k].value[g] == kind->value[g];
    return count;
}

/* Names a kind after a place and a shade; 0 if an earlier kind has that name. */
static int try_name(un_kind *kinds, size_t k, size_t place, size_t shade) {
    un_kind *kind = &kinds[k];
    size_t g = g_places[place].group;
    const char *form = g_forms[kind->value[UN_GROUP_BILL_SHAPE]][kind->value[UN_GROUP_SIZE]]
                              [kind->value[UN_GROUP_TAIL_SHAPE]];
    unsigned color = un_attribute_groups[g].color[kind->value[g]];
    snprintf(kind->name, sizeof kind->name, "%s-%s %s", g_color_words[color][shade],
             g_places[place].word, form);
    for (size_t other = 0; other < k; other++)
        if (!strcmp(kinds[other].name, kind->name)) return 0;
    return 1;
}

/* The place that tells the kind best from others of its form comes first. */
int un_tinybirds_name(un_kind *kinds, size_t n, un_rng *rng) {
    for (size_t k = 0; k < n; k++) {
        int64_t places[PLACES];
        size_t shade = (size_t)un_rng_below(rng, WORDS);
        for (size_t i = 0; i < PLACES; i++) places[i] = (int64_t)i;
        un_rng_shuffle(rng, places, PLACES);
        size_t best = (size_t)places[0];
        for (size_t i = 1; i < PLACES; i++)
            if (relatives(kinds, n, &kinds[k], g_places[places[i]].group) <
                relatives(kinds, n, &kinds[k], g_places[best].group))
                best = (size_t)places[i];
        int named = try_name(kinds, k, best, shade);
        for (size_t i = 0; !named && i < PLACES * WORDS; i++)
            named =
                try_name(kinds, k, (size_t)places[i % PLACES], (shade + 1 + i / PLACES) % WORDS);
        if (!named) return 0;
    }
    return 1;
}
