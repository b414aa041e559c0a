/*
 * golden_wordpiece.c - golden data of kinds "wordpiece" and "duet_attribute_tables":
 * token ids of texts, of batches and of DUET's training texts.
 *
 * Ids are equal or wrong; there is no tolerance. The vocabulary is looked for in
 * ../weights beside the golden folder, in the folder itself, and in
 * UNSEEN_SHARED/weights; the tables in the folder and in UNSEEN_SHARED/golden.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "golden.h"
#include "method/duet/texts.h"
#include "tensor/sha256.h"

static const char VOCABULARY[] = "bert_base_uncased_vocab.txt";
static const char *const g_datasets[] = {"CUB", "AWA2", "SUN"};
enum { DATASETS = 3, SHOWN = 5, CUB_LENGTH = 250, OTHER_LENGTH = 150 };

/* The texts of one data set, as published and with masking by span. Both spell
 * the groups as published. */
typedef struct {
    un_attribute_groups published, span;
    un_duet_texts *published_texts, *span_texts;
} texts;

typedef struct {
    golden *g;
    const char *path;
    json_t *file;
    un_wordpiece *wordpiece;
    texts set[DATASETS];
    size_t wrong; /* in the list being compared */
} scene;

/* ---- files ---- */

/* The first of these files that exists: FOLDER/first, FOLDER/second,
 * UNSEEN_SHARED/third. */
static un_status locate(scene *s, const char *first, const char *second, const char *third,
                        char **out) {
    char *folder = NULL;
    const char *shared = getenv("UNSEEN_SHARED");
    const char *const names[] = {first, second, third};
    un_status status = UNSEEN_OK;
    UN_TRY(un_path_directory(s->path, &folder));
    *out = NULL;
    for (int i = 0; i < 3 && !*out; i++) {
        const char *base = i < 2 ? folder : shared;
        if (!base) continue;
        UN_GO(un_path_join(base, names[i], out));
        if (un_path_exists(*out)) continue;
        free(*out);
        *out = NULL;
    }
    if (!*out)
        status = un_fail(UNSEEN_E_IO, "%s: %s is not beside it; set UNSEEN_SHARED", s->path, third);
done:
    free(folder);
    return status;
}

static un_status check_hash(scene *s, const char *vocabulary) {
    const char *want = NULL;
    char *text = NULL;
    size_t n = 0;
    char hex[65];
    un_sha256 *hash = NULL;
    UN_TRY(un_json_get_string(json_object_get(s->file, "meta"), "vocab_sha256", s->path, &want));
    UN_TRY(un_file_read(vocabulary, SIZE_MAX / 2, &text, &n));
    un_status status = un_sha256_open(&hash);
    if (!status) status = un_sha256_add(hash, text, n);
    if (!status) status = un_sha256_hex(hash, hex);
    un_sha256_close(hash);
    free(text);
    if (!status && strcmp(hex, want) != 0)
        return un_fail(UNSEEN_E_FORMAT, "%s is not the vocabulary of %s", vocabulary, s->path);
    return status;
}

static un_status open_vocabulary(scene *s) {
    char beside[64], shared[64];
    char *path = NULL;
    snprintf(beside, sizeof beside, "../weights/%s", VOCABULARY);
    snprintf(shared, sizeof shared, "weights/%s", VOCABULARY);
    UN_TRY(locate(s, beside, "vocab.txt", shared, &path));
    un_status status = check_hash(s, path);
    if (!status) status = un_wordpiece_open(&s->wordpiece, path);
    free(path);
    return status;
}

/* The groups of one data set as published, then the same but for the rule of masking. */
static un_status make_texts(scene *s, size_t i, const char *table) {
    texts *t = &s->set[i];
    size_t length = i == 0 ? CUB_LENGTH : OTHER_LENGTH, count = 0;
    const un_attribute_groups_options o = {
        .table = table, .dataset = g_datasets[i], .reference = 1};
    json_t *tables = NULL;
    UN_TRY(un_json_read(table, &tables));
    count = json_array_size(json_object_get(json_object_get(tables, g_datasets[i]), "names"));
    json_decref(tables);
    UN_TRY(un_attribute_groups_make(NULL, count, &o, &s->g->arena, &t->published));
    t->span = t->published;
    t->span.reference = 0;
    UN_TRY(un_duet_texts_create(&t->published_texts, &t->published, s->wordpiece, length));
    return un_duet_texts_create(&t->span_texts, &t->span, s->wordpiece, length);
}

static un_status open_tables(scene *s) {
    static const char name[] = "duet_attribute_tables.json";
    char *path = NULL;
    UN_TRY(locate(s, name, name, "golden/duet_attribute_tables.json", &path));
    un_status status = UNSEEN_OK;
    for (size_t i = 0; !status && i < DATASETS; i++) status = make_texts(s, i, path);
    free(path);
    return status;
}

/* ---- comparing ---- */

static const json_t *member(scene *s, const json_t *object, const char *key, un_status *status) {
    const json_t *value = json_object_get(object, key);
    if (!value && !*status)
        *status = un_fail(UNSEEN_E_FORMAT, "%s: an entry has no \"%s\"", s->path, key);
    return value;
}

/* Whether a JSON list holds exactly these numbers. */
static int equal_ids(const json_t *list, const int32_t *ids, size_t n) {
    if (json_array_size(list) != n) return 0;
    for (size_t i = 0; i < n; i++)
        if (json_integer_value(json_array_get(list, i)) != ids[i]) return 0;
    return 1;
}

static int equal_positions(const json_t *list, const size_t *positions, size_t n) {
    if (json_array_size(list) != n) return 0;
    for (size_t i = 0; i < n; i++)
        if (json_integer_value(json_array_get(list, i)) != (json_int_t)positions[i]) return 0;
    return 1;
}

/* Counts and names what is wrong, the first few of a list. */
static void note(scene *s, int ok, const char *what, const char *which) {
    if (!ok && s->wrong++ < SHOWN) printf("  wrong: %s of %s\n", what, which);
}

static void close_list(scene *s, const char *label, size_t n) {
    printf("  %-36s %zu of %zu wrong", label, s->wrong, n);
    golden_verdict(s->g, s->wrong == 0 && n > 0);
    s->wrong = 0;
}

/* ---- cases ---- */

static int equal_tokens(scene *s, const json_t *tokens, const un_token_list *list) {
    if (json_array_size(tokens) != list->count) return 0;
    for (size_t i = 0; i < list->count; i++) {
        const char *want = json_string_value(json_array_get(tokens, i));
        const char *token = un_wordpiece_token(s->wordpiece, list->items[i]);
        if (!want || !token || strcmp(want, token) != 0) return 0;
    }
    return 1;
}

static un_status check_case(scene *s, const json_t *item) {
    un_status status = UNSEEN_OK;
    const char *name = json_string_value(member(s, item, "name", &status));
    const json_t *text = member(s, item, "text", &status);
    const json_t *tokens = member(s, item, "tokens", &status);
    const json_t *ids = member(s, item, "ids", &status);
    const json_t *whole = member(s, item, "ids_with_special", &status);
    UN_TRY(status);
    const char *bytes = json_string_value(text);
    const size_t n = json_string_length(text);
    un_token_list list = {0};
    un_token_batch batch;
    status = un_wordpiece_encode(s->wordpiece, bytes, n, &list);
    if (!status)
        status = un_wordpiece_batch(s->wordpiece, &bytes, &n, 1, SIZE_MAX, &s->g->arena, &batch);
    if (!status) {
        note(s, equal_ids(ids, list.items, list.count), "ids", name);
        note(s, equal_tokens(s, tokens, &list), "tokens", name);
        note(s, equal_ids(whole, batch.ids, batch.length), "ids_with_special", name);
    }
    un_token_list_free(&list);
    return status;
}

/* ---- batches ---- */

static int equal_rows(const json_t *rows, const int32_t *values, const un_token_batch *b) {
    if (json_array_size(rows) != b->count) return 0;
    for (size_t i = 0; i < b->count; i++)
        if (!equal_ids(json_array_get(rows, i), values + i * b->length, b->length)) return 0;
    return 1;
}

static un_status check_batch(scene *s, const json_t *item, size_t number) {
    un_status status = UNSEEN_OK;
    const json_t *list = member(s, item, "texts", &status);
    size_t B = json_array_size(list), max_length = 0;
    const char **strings = NULL;
    size_t *lengths = NULL;
    un_token_batch b;
    char name[32];
    UN_TRY(status);
    UN_TRY(un_json_get_size(item, "max_length", s->path, &max_length));
    UN_TRY(un_arena_alloc(&s->g->arena, B, sizeof *strings, (void *)&strings));
    UN_TRY(un_arena_alloc(&s->g->arena, B, sizeof *lengths, &lengths));
    for (size_t i = 0; i < B; i++) {
        strings[i] = json_string_value(json_array_get(list, i));
        lengths[i] = json_string_length(json_array_get(list, i));
    }
    UN_TRY(un_wordpiece_batch(s->wordpiece, strings, lengths, B, max_length, &s->g->arena, &b));
    snprintf(name, sizeof name, "batch %zu", number);
    note(s, equal_rows(member(s, item, "input_ids", &status), b.ids, &b), "input_ids", name);
    note(s, equal_rows(member(s, item, "token_type_ids", &status), b.types, &b), "types", name);
    note(s, equal_rows(member(s, item, "attention_mask", &status), b.mask, &b), "mask", name);
    return status;
}

/* ---- texts of DUET ---- */

/* Every position that the span rule marks is one that the published rule marks. */
static int subset(const json_t *list, const size_t *positions, size_t n) {
    for (size_t i = 0, j = 0; i < n; i++, j++) {
        while (j < json_array_size(list) &&
               json_integer_value(json_array_get(list, j)) != (json_int_t)positions[i])
            j++;
        if (j == json_array_size(list)) return 0;
    }
    return 1;
}

typedef struct {
    const json_t *ids, *masked, *positions;
    size_t pieces; /* of the masked name */
    size_t attribute;
    unsigned char *present;
    char name[48];
} sample;

static un_status load_sample(scene *s, const json_t *item, size_t number, size_t *set, sample *t) {
    const char *dataset = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(un_json_get_string(item, "dataset", s->path, &dataset));
    UN_TRY(un_json_get_size(item, "n_pieces", s->path, &t->pieces));
    UN_TRY(un_json_get_size(item, "mask_attribute", s->path, &t->attribute));
    for (*set = 0; *set < DATASETS && strcmp(g_datasets[*set], dataset) != 0;) (*set)++;
    if (*set == DATASETS)
        return un_fail(UNSEEN_E_FORMAT, "%s: a text of the data set \"%s\"", s->path, dataset);
    t->ids = member(s, item, "ids_text", &status);
    t->masked = member(s, item, "ids_masked", &status);
    t->positions = member(s, item, "mask_positions", &status);
    const json_t *present = member(s, item, "present", &status);
    UN_TRY(status);
    size_t A = s->set[*set].span.count;
    UN_TRY(un_arena_alloc(&s->g->arena, A, 1, &t->present));
    for (size_t i = 0; i < json_array_size(present); i++) {
        json_int_t a = json_integer_value(json_array_get(present, i));
        if (a < 0 || (size_t)a >= A)
            return un_fail(UNSEEN_E_FORMAT, "%s: attribute %ld of %s", s->path, (long)a, dataset);
        t->present[a] = 1;
    }
    snprintf(t->name, sizeof t->name, "text %zu (%s)", number, dataset);
    return UNSEEN_OK;
}

/* Sentences are compared but for blanks, of which SUN's published ones have more. */
static int equal_words(const char *a, const char *b) {
    for (;; a++, b++) {
        while (*a == ' ') a++;
        while (*b == ' ') b++;
        if (*a != *b) return 0;
        if (!*a) return 1;
    }
}

static un_status check_text(scene *s, const json_t *item, size_t number) {
    sample t;
    size_t set = 0;
    un_duet_text text;
    char *sentence = NULL;
    const char *want = NULL;
    UN_TRY(load_sample(s, item, number, &set, &t));
    const un_duet_texts *published = s->set[set].published_texts, *span = s->set[set].span_texts;
    UN_TRY(un_duet_text_alloc(span, &s->g->arena, &text));

    UN_TRY(un_duet_texts_make(published, t.present, UN_NO_ATTRIBUTE, 0, &text));
    note(s, equal_ids(t.ids, text.ids, text.length), "ids_text as published", t.name);
    UN_TRY(un_duet_texts_make(published, t.present, t.attribute, 1, &text));
    note(s, equal_ids(t.masked, text.ids, text.length), "ids_masked as published", t.name);
    note(s, equal_positions(t.positions, text.marked, text.marked_count),
         "mask_positions as published", t.name);

    UN_TRY(un_json_get_string(item, "text", s->path, &want));
    UN_TRY(un_duet_texts_sentence(published, t.present, &sentence));
    note(s, equal_words(want, sentence), "text", t.name);
    free(sentence);

    UN_TRY(un_duet_texts_make(span, t.present, t.attribute, 0, &text));
    note(s, equal_ids(t.ids, text.ids, text.length), "ids_text by span", t.name);
    UN_TRY(un_duet_texts_make(span, t.present, t.attribute, 1, &text));
    if (json_array_size(t.positions) == t.pieces) {
        note(s, equal_ids(t.masked, text.ids, text.length), "ids_masked by span", t.name);
        note(s, equal_positions(t.positions, text.marked, text.marked_count),
             "mask_positions by span", t.name);
    } else {
        note(s, text.marked_count == t.pieces && subset(t.positions, text.marked, t.pieces),
             "one of several mask_positions by span", t.name);
        printf("  %s: %zu places as published, its %zu by span\n", t.name,
               json_array_size(t.positions), t.pieces);
    }
    return UNSEEN_OK;
}

/* The case "prompt.CUB" is what the published code feeds at test time. */
static un_status check_prompt(scene *s, const json_t *item) {
    const char *name = json_string_value(json_object_get(item, "name"));
    for (size_t i = 0; i < DATASETS; i++) {
        un_duet_text text;
        if (!name || strncmp(name, "prompt.", 7) != 0 || strcmp(name + 7, g_datasets[i]) != 0)
            continue;
        UN_TRY(un_duet_text_alloc(s->set[i].published_texts, &s->g->arena, &text));
        un_duet_texts_prompt(s->set[i].published_texts, &text);
        note(s, equal_ids(json_object_get(item, "ids_with_special"), text.ids, text.length),
             "prompt as published", name);
    }
    return UNSEEN_OK;
}

static un_status check_lists(scene *s) {
    un_status status = UNSEEN_OK;
    const json_t *cases = member(s, s->file, "cases", &status);
    const json_t *batches = member(s, s->file, "batches", &status);
    const json_t *duet_texts = member(s, s->file, "duet_texts", &status);
    UN_TRY(status);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        UN_TRY(check_case(s, json_array_get(cases, i)));
        UN_TRY(check_prompt(s, json_array_get(cases, i)));
    }
    close_list(s, "cases", json_array_size(cases));
    for (size_t i = 0; i < json_array_size(batches); i++)
        UN_TRY(check_batch(s, json_array_get(batches, i), i));
    close_list(s, "batches", json_array_size(batches));
    for (size_t i = 0; i < json_array_size(duet_texts); i++)
        UN_TRY(check_text(s, json_array_get(duet_texts, i), i));
    close_list(s, "duet_texts", json_array_size(duet_texts));
    return UNSEEN_OK;
}

un_status golden_check_wordpiece(golden *g, const char *path) {
    scene s = {.g = g, .path = path};
    un_status status = UNSEEN_OK;
    UN_GO(un_json_read(path, &s.file));
    UN_GO(open_vocabulary(&s));
    UN_GO(open_tables(&s));
    UN_GO(check_lists(&s));
done:
    for (size_t i = 0; i < DATASETS; i++) {
        un_duet_texts_free(s.set[i].published_texts);
        un_duet_texts_free(s.set[i].span_texts);
    }
    un_wordpiece_close(s.wordpiece);
    json_decref(s.file);
    return status;
}

/* ---- tables ---- */

/* What is derived from names of CUB's form must be what the table says. */
static un_status compare_derived(golden *g, const char *path, const char *dataset,
                                 const json_t *entry) {
    const json_t *names = json_object_get(entry, "names");
    size_t A = json_array_size(names), wrong = 0, derived_count = 0;
    char **raw = NULL;
    un_attribute_groups table, derived;
    un_attribute_groups_options o = {.table = path, .dataset = dataset, .reference = 1};
    UN_TRY(un_arena_alloc(&g->arena, A, sizeof *raw, (void *)&raw));
    for (size_t i = 0; i < A; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        UN_TRY(un_arena_string(&g->arena, name ? name : "", &raw[i]));
    }
    UN_TRY(un_attribute_groups_make(raw, A, &o, &g->arena, &table));
    o.table = NULL;
    UN_TRY(un_attribute_groups_make(raw, A, &o, &g->arena, &derived));
    const json_t *groups = json_object_get(entry, "groups");
    const json_t *mapping = json_object_get(entry, "mapping");
    for (size_t i = 0; i < A; i++) {
        char key[24];
        const char *group = json_string_value(json_array_get(groups, i));
        snprintf(key, sizeof key, "%zu", i);
        const char *mapped = json_string_value(json_object_get(mapping, key));
        wrong += !group || strcmp(table.groups[table.group_of[i]], group) != 0;
        wrong += strcmp(table.names[i], mapped ? mapped : derived.names[i]) != 0;
        if (!derived.qualified) continue;
        derived_count++;
        wrong += strcmp(derived.groups[derived.group_of[i]], table.groups[table.group_of[i]]) != 0;
    }
    printf("  %-6s %3zu attributes, %2zu groups, %3zu derived: %zu wrong", dataset, A,
           table.group_count, derived_count, wrong);
    golden_verdict(g, wrong == 0);
    return UNSEEN_OK;
}

un_status golden_check_tables(golden *g, const char *path) {
    json_t *file = NULL, *entry = NULL;
    const char *dataset = NULL;
    un_status status = un_json_read(path, &file);
    if (status) return status;
    json_object_foreach(file, dataset, entry) {
        status = compare_derived(g, path, dataset, entry);
        if (status) break;
    }
    json_decref(file);
    return status;
}
