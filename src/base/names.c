/* names.c - see names.h. */
#include "base/names.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/foreign/utf8proc.h"
#include "base/status.h"

/* ---- names in a sentence ---- */

static void add_text(un_name_list *list, const char *text, const char *quote, size_t most) {
    size_t room = sizeof list->text - list->used;
    list->count++;
    if (list->told == list->count - 1 && list->told < most && strlen(text) + 5 <= room) {
        list->used += (size_t)snprintf(list->text + list->used, room, "%s%s%s%s",
                                       list->told > 0 ? ", " : "", quote, text, quote);
        list->told++;
    }
    if (list->told < list->count)
        snprintf(list->more, sizeof list->more, " and %zu more", list->count - list->told);
}

void un_name_list_add(un_name_list *list, const char *name, size_t most) {
    add_text(list, name, "\"", most);
}

void un_name_list_say(un_name_list *list, size_t most, const char *format, ...) {
    char text[sizeof list->text];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    /* Words that do not fit are counted, not cut. */
    add_text(list, text, "", n >= 0 && (size_t)n < sizeof text ? most : 0);
}

const char *un_name_list_more(const un_name_list *list) { return list->more; }

int un_name_fit(const char *text, size_t most) {
    size_t n = strnlen(text, most + 1);
    if (n <= most) return (int)n;
    n = most;
    while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80) n--; /* inside a character */
    return (int)n;
}

void un_names_free(char **names) {
    if (!names) return;
    for (char **name = names; *name; name++) free(*name);
    free(names);
}

/* ---- the nearest ---- */

enum { NAME_LIMIT = 128 };

/* Levenshtein distance of two strings shorter than NAME_LIMIT. */
static size_t edit_distance(const char *a, const char *b) {
    size_t n = strlen(b);
    size_t row[NAME_LIMIT];
    for (size_t j = 0; j <= n; j++) row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[n];
}

const char *un_nearest_name(const char *word, const char *const *names, size_t n) {
    if (strlen(word) >= NAME_LIMIT) return NULL;
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        if (strlen(names[i]) >= NAME_LIMIT) continue;
        size_t distance = edit_distance(word, names[i]);
        if (distance < best_distance) {
            best_distance = distance;
            best = names[i];
        }
    }
    /* More than half of the word wrong is no near miss. */
    return best_distance <= strlen(word) / 2 + 1 ? best : NULL;
}

un_suggestion un_did_you_mean(const char *word, const char *const *names, size_t n) {
    un_suggestion end = {""};
    const char *near = un_nearest_name(word, names, n);
    if (near) snprintf(end.text, sizeof end.text, "; did you mean \"%s\"?", near);
    return end;
}

/* ---- UTF-8 ---- */

size_t un_utf8_next(const char *text, size_t n, int32_t *code) {
    const unsigned char *s = (const unsigned char *)text;
    if (n == 0 || s[0] > 0xF4) return 0;
    size_t tail = s[0] < 0x80 ? 0 : s[0] < 0xC2 ? 4 : s[0] < 0xE0 ? 1 : s[0] < 0xF0 ? 2 : 3;
    if (tail >= n || tail > 3) return 0;
    unsigned low = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
    unsigned high = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
    if (tail > 0 && (s[1] < low || s[1] > high)) return 0;
    int32_t value = tail == 0 ? s[0] : s[0] & (0x3F >> tail);
    for (size_t k = 1; k <= tail; k++) {
        if ((s[k] & 0xC0) != 0x80) return 0;
        value = value << 6 | (s[k] & 0x3F);
    }
    *code = value;
    return tail + 1;
}

int un_text_is_utf8(const unsigned char *s, size_t n) {
    int32_t code = 0;
    for (size_t i = 0, used = 0; i < n; i += used) {
        used = un_utf8_next((const char *)s + i, n - i, &code);
        if (used == 0 || code == 0) return 0;
    }
    return 1;
}

/* ---- what alike names share ---- */

static int is_letter_or_digit(unsigned char c) {
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Blanks for "_" and for "-" within a word, one blank for several, none at the ends. */
static void join_words(char *text) {
    char *to = text;
    for (const char *from = text; *from; from++) {
        char c = *from;
        if (c == '_' || (c == '-' && from > text && is_letter_or_digit((unsigned char)from[-1]) &&
                         is_letter_or_digit((unsigned char)from[1])))
            c = ' ';
        if (c == ' ' && (to == text || to[-1] == ' ')) continue;
        *to++ = c;
    }
    while (to > text && to[-1] == ' ') to--;
    *to = 0;
}

/* What Unicode's rules make of printable ASCII. */
static int is_plain(const char *name) {
    while (*name >= ' ' && *name <= '~') name++;
    return !*name;
}

static void lower_plain(char *text) {
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z') *text = (char)(*text + ('a' - 'A'));
}

/* A name that is no UTF-8 is alike to itself only; so are all beyond ASCII where utf8proc is
 * absent. */
static un_status make_key(const char *name, un_arena *arena, char **out) {
    utf8proc_uint8_t *mapped = NULL;
    if (is_plain(name) || un_foreign_need(UN_UTF8PROC) != UNSEEN_OK) {
        UN_TRY(un_arena_string(arena, name, out));
        if (!is_plain(name)) return UNSEEN_OK;
        lower_plain(*out);
        join_words(*out);
        return UNSEEN_OK;
    }
    utf8proc_ssize_t n =
        utf8proc_map((const utf8proc_uint8_t *)name, 0, &mapped,
                     (utf8proc_option_t)(UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_COMPAT |
                                         UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE |
                                         UTF8PROC_STRIPCC | UTF8PROC_LUMP));
    if (n == UTF8PROC_ERROR_NOMEM) return un_fail_memory(strlen(name));
    un_status status = un_arena_string(arena, n < 0 ? name : (const char *)mapped, out);
    free(mapped);
    if (!status && n >= 0) join_words(*out);
    return status;
}

/* ---- finding ---- */

static int by_text(const void *a, const void *b) {
    const un_name_key *x = a;
    const un_name_key *y = b;
    int order = strcmp(x->text, y->text);
    return order != 0 ? order : (x->number > y->number) - (x->number < y->number);
}

un_status un_name_index_make(un_name_index *index, char *const *names, size_t count) {
    *index = (un_name_index){.count = count, .names = names};
    un_status status = UNSEEN_OK;
    UN_GO(un_arena_alloc(&index->arena, count, sizeof *index->exact, &index->exact));
    UN_GO(un_arena_alloc(&index->arena, count, sizeof *index->alike, &index->alike));
    for (size_t i = 0; i < count; i++) {
        char *key = NULL;
        UN_GO(make_key(names[i], &index->arena, &key));
        index->exact[i] = (un_name_key){names[i], i};
        index->alike[i] = (un_name_key){key, i};
    }
    if (count > 0) {
        qsort(index->exact, count, sizeof *index->exact, by_text);
        qsort(index->alike, count, sizeof *index->alike, by_text);
    }
done:
    if (status) un_name_index_free(index);
    return status;
}

void un_name_index_free(un_name_index *index) {
    un_arena_free(&index->arena);
    *index = (un_name_index){0};
}

int un_name_index_repeats(const un_name_index *index, size_t *first, size_t *second) {
    int found = 0;
    for (size_t i = 1; i < index->count; i++) {
        const un_name_key *a = &index->exact[i - 1];
        const un_name_key *b = &index->exact[i];
        if (strcmp(a->text, b->text) != 0 || (found && a->number >= *first)) continue;
        found = 1;
        *first = a->number;
        *second = b->number;
    }
    return found;
}

void un_name_index_alike(const un_name_index *index, un_name_list *list) {
    for (size_t i = 1; i < index->count; i++) {
        const un_name_key *a = &index->alike[i - 1];
        const un_name_key *b = &index->alike[i];
        if (strcmp(a->text, b->text) != 0) continue;
        if (strcmp(index->names[a->number], index->names[b->number]) == 0) continue;
        un_name_list_say(list, UN_NAMES_TOLD, "\"%s\" and \"%s\"", index->names[a->number],
                         index->names[b->number]);
    }
}

/* The first place of a sorted list whose text is not below `text`. */
static size_t lower_bound(const un_name_key *keys, size_t count, const char *text) {
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(keys[middle].text, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t un_name_find(const un_name_index *index, const char *name) {
    size_t at = lower_bound(index->exact, index->count, name);
    if (at == index->count || strcmp(index->exact[at].text, name) != 0) return UN_NO_NAME;
    return index->exact[at].number;
}

/* The only name alike to the key; UN_NO_NAME if there is none or more than one. */
static size_t find_alike(const un_name_index *index, const char *key) {
    size_t at = lower_bound(index->alike, index->count, key);
    if (at == index->count || strcmp(index->alike[at].text, key) != 0) return UN_NO_NAME;
    const char *name = index->names[index->alike[at].number];
    for (size_t i = at + 1; i < index->count && !strcmp(index->alike[i].text, key); i++)
        if (strcmp(index->names[index->alike[i].number], name) != 0) return UN_NO_NAME;
    return index->alike[at].number;
}

/* Wanted names that equal none: each takes the one that is alike if both are alone. */
static void match_alike(const un_name_index *index, const un_name_index *given, size_t *map) {
    for (size_t from = 0, to = 0; from < given->count; from = to) {
        const un_name_key *keys = given->alike;
        while (to < given->count && !strcmp(keys[to].text, keys[from].text)) to++;
        size_t hit = find_alike(index, keys[from].text);
        int alone = 1;
        for (size_t i = from; i < to; i++)
            alone &= !strcmp(given->names[keys[i].number], given->names[keys[from].number]);
        if (!alone || hit == UN_NO_NAME) continue;
        for (size_t i = from; i < to; i++) map[keys[i].number] = hit;
    }
}

static void tell(const un_name_index *index, char *const *given, size_t count, const size_t *map,
                 un_name_report *report) {
    for (size_t i = 0; i < count; i++) {
        if (map[i] == UN_NO_NAME) {
            un_name_list *m = &report->missing;
            const char *near =
                m->told < UN_NAMES_TOLD && m->told == m->count
                    ? un_nearest_name(given[i], (const char *const *)index->names, index->count)
                    : NULL;
            if (near)
                un_name_list_say(m, UN_NAMES_TOLD, "\"%s\" (did you mean \"%s\"?)", given[i], near);
            else
                un_name_list_say(m, UN_NAMES_TOLD, "\"%s\"", given[i]);
        } else if (strcmp(given[i], index->names[map[i]]) != 0) {
            un_name_list_say(&report->alike, UN_NAMES_TOLD, "\"%s\" for \"%s\"", given[i],
                             index->names[map[i]]);
        }
    }
}

un_status un_names_match(const un_name_index *index, char *const *given, size_t count, size_t *map,
                         un_name_report *report) {
    un_name_index all = {0};
    size_t missing = 0;
    *report = (un_name_report){0};
    for (size_t i = 0; i < count; i++) {
        map[i] = un_name_find(index, given[i]);
        missing += map[i] == UN_NO_NAME;
    }
    if (missing == 0) return UNSEEN_OK;
    UN_TRY(un_name_index_make(&all, given, count));
    match_alike(index, &all, map);
    un_name_index_free(&all);
    tell(index, given, count, map, report);
    return UNSEEN_OK;
}

/* ---- attributes ---- */

const char *un_attribute_value(const char *attribute, size_t *group) {
    const char *twice = strstr(attribute, "::");
    const char *once = strstr(attribute, ": ");
    const char *mark = twice && (!once || twice <= once) ? twice : once;
    *group = mark ? (size_t)(mark - attribute) : 0;
    if (!mark) return attribute;
    mark += 2;
    return mark + strspn(mark, " ");
}
