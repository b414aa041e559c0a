/*
 * names.c - names of kinds: a colour and where it is worn, and what form of bird it is.
 *
 * A name is true: "Golden-crowned Siskin" is small, with a cone bill and a forked tail,
 * and its crown is yellow.
 */
#include <stdio.h>
#include <string.h>

#include "tinybirds/kinds.h"

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
