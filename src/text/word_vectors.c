/* word_vectors.c - word vectors of attributes; see word_vectors.h. */
#include "text/word_vectors.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/file_kind.h"
#include "base/names.h"
#include "base/rng.h"
#include "base/status.h"
#include "data/readers/array_file.h"
#include "tensor/safetensors.h"

/* What stands for words that many vocabularies lack. */
static const struct {
    const char *word;
    const char *parts[2];
} g_compounds[] = {
    {"toughskin", {"tough", "skin"}},       {"longleg", {"long", "leg"}},
    {"longneck", {"long", "neck"}},         {"chewteeth", {"chew", "teeth"}},
    {"meatteeth", {"meat", "teeth"}},       {"buckteeth", {"buck", "teeth"}},
    {"strainteeth", {"strain", "teeth"}},   {"newworld", {"new", "world"}},
    {"oldworld", {"old", "world"}},         {"nestspot", {"nest", "spot"}},
    {"eyering", {"eye", "ring"}},           {"eyeline", {"eye", "line"}},
    {"quadrapedal", {"quadrupedal", NULL}},
};
enum { COMPOUNDS = sizeof g_compounds / sizeof *g_compounds };

typedef struct {
    un_dataset *dataset;
    const un_words_options *options;
    un_attribute_phrases attributes; /* count 0: none known */
    size_t count;                    /* A */
    size_t width;                    /* E */
    float *vectors;                  /* [A, E], in the data set's arena */
    un_arena arena;                  /* what is needed until then */
} work;

/* So many words or attributes are named in a sentence. */
enum { TOLD = 20 };

/* ---- from the vectors of words ---- */

/* The next word of a phrase into `word`; 0 at the end. */
static int next_word(const char **phrase, char *word, size_t size) {
    const char *at = *phrase;
    while (*at == ' ') at++;
    size_t n = strcspn(at, " ");
    if (n == 0) return 0;
    snprintf(word, size, "%.*s", (int)(n < size ? n : size - 1), at);
    *phrase = at + n;
    return 1;
}

enum { WORD = 256, BUILTIN_WIDTH = 300, BUILTIN_SEED = 1 };

/* All words of all phrases and the parts of the compounds, to be looked for. */
static un_status collect_words(work *w, un_vocabulary *v) {
    char word[WORD];
    size_t most = 2 * COMPOUNDS;
    for (size_t i = 0; i < w->count; i++) {
        const char *phrase = w->attributes.phrases[i];
        while (next_word(&phrase, word, sizeof word)) most++;
    }
    UN_TRY(un_arena_alloc(&w->arena, most, sizeof *v->items, &v->items));
    for (size_t i = 0; i < w->count; i++) {
        const char *phrase = w->attributes.phrases[i];
        while (next_word(&phrase, word, sizeof word)) {
            char *copy = NULL;
            UN_TRY(un_arena_string(&w->arena, word, &copy));
            v->items[v->count++].word = copy;
        }
    }
    for (size_t i = 0; i < COMPOUNDS; i++)
        for (int k = 0; k < 2; k++)
            if (g_compounds[i].parts[k]) v->items[v->count++].word = g_compounds[i].parts[k];
    un_vocabulary_sort(v);
    return UNSEEN_OK;
}

static int add_vector(const un_vocabulary *v, const char *word, float *sum) {
    const un_word *found = un_vocabulary_find(v, word);
    if (!found || !found->vector) return 0;
    for (size_t k = 0; k < v->width; k++) sum[k] += found->vector[k];
    return 1;
}

static int has_vector(const un_vocabulary *v, const char *word) {
    const un_word *found = word ? un_vocabulary_find(v, word) : NULL;
    return !word || (found && found->vector);
}

/* Adds the word's vector, or its parts' if all of them have one; 0 if unknown. */
static int add_word(const un_vocabulary *v, const char *word, float *sum) {
    if (add_vector(v, word, sum)) return 1;
    for (size_t i = 0; i < COMPOUNDS; i++) {
        const char *const *parts = g_compounds[i].parts;
        if (strcmp(g_compounds[i].word, word) != 0) continue;
        if (!has_vector(v, parts[0]) || !has_vector(v, parts[1])) return 0;
        for (int k = 0; k < 2; k++)
            if (parts[k]) add_vector(v, parts[k], sum);
        return 1;
    }
    return 0;
}

/* Whether an earlier phrase has the word too. */
static int told_before(const work *w, size_t attribute, const char *word) {
    char other[WORD];
    for (size_t i = 0; i < attribute; i++) {
        const char *phrase = w->attributes.phrases[i];
        while (next_word(&phrase, other, sizeof other))
            if (!strcmp(other, word)) return 1;
    }
    return 0;
}

static un_status sum_words(work *w, const un_vocabulary *v) {
    un_name_list unknown = {0};
    size_t known = 0;
    char word[WORD];
    w->width = v->width;
    UN_TRY(
        un_arena_alloc(&w->dataset->arena, w->count * w->width, sizeof *w->vectors, &w->vectors));
    for (size_t i = 0; i < w->count; i++) {
        const char *phrase = w->attributes.phrases[i];
        while (next_word(&phrase, word, sizeof word)) {
            if (add_word(v, word, w->vectors + i * w->width))
                known++;
            else if (!told_before(w, i, word))
                un_name_list_say(&unknown, TOLD, "%s", word);
        }
    }
    if (known == 0)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s has no vector for any of the %zu words of the attributes (%s%s); is "
                       "it in another language, or are its words spelt otherwise? The names of "
                       "the attributes can be given with {--attributes}",
                       w->options->vectors, unknown.count, unknown.text,
                       un_name_list_more(&unknown));
    if (unknown.count > 0)
        un_log(UNSEEN_LOG_WARNING, "%s has no vector for %zu words of the attributes: %s%s",
               w->options->vectors, unknown.count, unknown.text, un_name_list_more(&unknown));
    return UNSEEN_OK;
}

static un_status from_words(work *w) {
    un_vocabulary v = {0};
    if (w->count == 0)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "the attributes of data set %s have no names to look up in %s; give "
                       "their names with {--attributes}",
                       w->dataset->name, w->options->vectors);
    UN_TRY(collect_words(w, &v));
    UN_TRY(un_vocabulary_read(&v, w->options->vectors, &w->arena));
    return sum_words(w, &v);
}

/* ---- from no file ---- */

/* A normal vector for each word, the same everywhere and always: words are told apart, but
 * nothing is known of their meaning. */
static un_status from_nothing(work *w) {
    char word[WORD];
    if (w->count == 0)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "the attributes of data set %s have no names to make vectors of; give "
                       "their names with {--attributes}",
                       w->dataset->name);
    w->width = BUILTIN_WIDTH;
    UN_TRY(
        un_arena_alloc(&w->dataset->arena, w->count * w->width, sizeof *w->vectors, &w->vectors));
    for (size_t i = 0; i < w->count; i++) {
        const char *phrase = w->attributes.phrases[i];
        while (next_word(&phrase, word, sizeof word)) {
            un_rng rng = un_rng_stream(BUILTIN_SEED, word, 0);
            for (size_t k = 0; k < w->width; k++)
                w->vectors[i * w->width + k] += (float)un_rng_normal(&rng);
        }
    }
    return UNSEEN_OK;
}

/* ---- from a safetensors file ---- */

static const un_st_entry *named_like(const un_safetensors *file, const char *name) {
    for (size_t i = 0; i < file->count; i++) {
        const char *entry = file->entries[i].name;
        size_t k = 0;
        while (name[k] && tolower((unsigned char)name[k]) == entry[k]) k++;
        if (!name[k] && !entry[k]) return &file->entries[i];
    }
    return NULL;
}

static un_status select_tensor(const work *w, const un_safetensors *file, const un_st_entry **out) {
    const un_words_options *o = w->options;
    if (o->tensor) return un_safetensors_require(file, o->tensor, 2, out);
    *out = file->count == 1 ? &file->entries[0] : named_like(file, w->dataset->name);
    if (*out) return UNSEEN_OK;
    un_name_list names = {0};
    for (size_t i = 0; i < file->count; i++)
        un_name_list_say(&names, TOLD, "%s", file->entries[i].name);
    return un_fail(UNSEEN_E_ARGUMENT, "%s has several tensors, name one with {--tensor}: %s%s",
                   o->vectors, names.text, un_name_list_more(&names));
}

/* A matrix of attributes x width into w->vectors. */
static un_status begin_matrix(work *w, const char *name, int rank, const size_t *shape) {
    if (rank != 2 || shape[0] == 0 || shape[1] == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: %.200s is not a matrix of attributes x width",
                       w->options->vectors, name);
    if (w->options->attributes && w->count != shape[0])
        return un_fail(UNSEEN_E_ARGUMENT, "%s has %zu attributes, %s has vectors of %zu",
                       w->options->attributes, w->count, w->options->vectors, shape[0]);
    w->count = shape[0];
    w->width = shape[1];
    return un_arena_alloc(&w->dataset->arena, w->count * w->width, sizeof *w->vectors, &w->vectors);
}

static un_status end_matrix(const work *w, const char *name) {
    for (size_t i = 0; i < w->count * w->width; i++)
        if (!isfinite(w->vectors[i]))
            return un_fail(UNSEEN_E_FORMAT, "%s: %.200s is not a finite number in row %zu",
                           w->options->vectors, name, i / w->width);
    return UNSEEN_OK;
}

static un_status from_safetensors(work *w) {
    un_safetensors file = {0};
    const un_st_entry *entry = NULL;
    UN_TRY(un_safetensors_open(&file, w->options->vectors));
    un_status status = UNSEEN_OK;
    UN_GO(select_tensor(w, &file, &entry));
    UN_GO(begin_matrix(w, entry->name, entry->tensor.rank, entry->tensor.shape));
    un_st_copy_f32(entry, w->vectors);
    UN_GO(end_matrix(w, entry->name));
done:
    un_safetensors_close(&file);
    return status;
}

/* ---- from a file of NumPy's ---- */

static un_status from_array(work *w) {
    const un_words_options *o = w->options;
    const char *name = o->tensor ? o->tensor : "the array";
    const char *folder = getenv("TMPDIR");
    char *spec = NULL;
    un_array array = {0};
    un_status status =
        un_format(&spec, "%s%s%s", o->vectors, o->tensor ? ":" : "", o->tensor ? o->tensor : "");
    UN_GO(status);
    UN_GO(un_array_open(&array, spec, folder && folder[0] ? folder : "/tmp"));
    UN_GO(begin_matrix(w, name, array.rank, array.shape));
    un_array_read_f32(&array, 0, array.rows, w->vectors);
    UN_GO(end_matrix(w, name));
done:
    un_array_close(&array);
    free(spec);
    return status;
}

/* ---- into the data set ---- */

static int is_selected(const work *w, const un_semantics *s) {
    for (size_t i = 0; i < w->options->semantics_count; i++)
        if (!strcmp(w->options->semantics[i], s->name)) return 1;
    return w->options->semantics_count == 0;
}

static un_status check_selected(const work *w) {
    const un_semantics *s = NULL;
    for (size_t i = 0; i < w->options->semantics_count; i++)
        UN_TRY(un_dataset_require_semantics(w->dataset, w->options->semantics[i], &s));
    return UNSEEN_OK;
}

/* Names from the file, or those of the first wanted semantics that has some. */
static un_status find_attributes(work *w) {
    un_dataset *d = w->dataset;
    if (w->options->attributes) {
        UN_TRY(un_attribute_phrases_read(w->options->attributes, &d->arena, &w->attributes));
        w->count = w->attributes.count;
        return UNSEEN_OK;
    }
    for (size_t i = 0; i < d->semantics_count; i++) {
        const un_semantics *s = &d->semantics[i];
        if (!s->attributes || !is_selected(w, s)) continue;
        w->count = s->width;
        w->attributes = (un_attribute_phrases){.count = s->width, .names = s->attributes};
        UN_TRY(un_arena_alloc(&w->arena, s->width, sizeof *w->attributes.phrases,
                              &w->attributes.phrases));
        for (size_t k = 0; k < s->width; k++)
            UN_TRY(un_attribute_clean(s->attributes[k], &w->arena, &w->attributes.phrases[k]));
        return UNSEEN_OK;
    }
    return UNSEEN_OK;
}

static un_status store(work *w) {
    un_dataset *d = w->dataset;
    un_name_list given = {0};
    for (size_t i = 0; i < d->semantics_count; i++) {
        un_semantics *s = &d->semantics[i];
        if (!is_selected(w, s)) continue;
        if (s->width != w->count && w->options->semantics_count > 0)
            return un_fail(UNSEEN_E_ARGUMENT, "semantics \"%s\" have %zu attributes, not %zu",
                           s->name, s->width, w->count);
        if (s->width != w->count) continue;
        if (w->vectors) {
            s->vectors = w->vectors;
            s->vector_width = w->width;
        }
        if (w->options->attributes) s->attributes = w->attributes.names;
        un_name_list_say(&given, TOLD, "%s", s->name);
    }
    if (given.count == 0)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "no semantics of data set %s have %zu attributes, as %s has", d->name,
                       w->count,
                       w->options->attributes ? w->options->attributes : w->options->vectors);
    if (!w->vectors) return UNSEEN_OK;
    un_log(UNSEEN_LOG_INFO, "word vectors of %zu attributes, width %zu, for %s%s", w->count,
           w->width, given.text, un_name_list_more(&given));
    return UNSEEN_OK;
}

static void report_zero_rows(const work *w) {
    un_name_list names = {0};
    for (size_t i = 0; i < w->count; i++) {
        const float *row = w->vectors + i * w->width;
        size_t k = 0;
        while (k < w->width && row[k] == 0) k++;
        if (k < w->width) continue;
        if (w->attributes.count == w->count)
            un_name_list_say(&names, TOLD, "%s", w->attributes.names[i]);
        else
            un_name_list_say(&names, TOLD, "number %zu", i);
    }
    if (names.count > 0)
        un_log(UNSEEN_LOG_WARNING, "%zu attributes have a vector of zeros: %s%s", names.count,
               names.text, un_name_list_more(&names));
}

static un_status from_file(work *w) {
    switch (un_kind_of_file(w->options->vectors)) {
    case UN_KIND_SAFETENSORS: return from_safetensors(w);
    case UN_KIND_NPY:
    case UN_KIND_NPZ: return from_array(w);
    default: return from_words(w);
    }
}

un_status un_words_add(un_dataset *dataset, const un_words_options *options) {
    work w = {.dataset = dataset, .options = options};
    un_status status = UNSEEN_OK;
    if (!options->vectors) return un_fail(UNSEEN_E_ARGUMENT, "the file of word vectors is missing");
    UN_GO(check_selected(&w));
    UN_GO(find_attributes(&w));
    if (strcmp(options->vectors, UN_WORDS_BUILTIN) == 0)
        UN_GO(from_nothing(&w));
    else
        UN_GO(from_file(&w));
    UN_GO(store(&w));
    report_zero_rows(&w);
done:
    un_arena_free(&w.arena);
    return status;
}

un_status un_words_name(un_dataset *dataset, const un_words_options *options) {
    work w = {.dataset = dataset, .options = options};
    if (!options->attributes)
        return un_fail(UNSEEN_E_ARGUMENT, "the file of attribute names is missing");
    UN_TRY(check_selected(&w));
    UN_TRY(find_attributes(&w));
    return store(&w);
}

/* ---- from names of attributes to words; see word_vectors.h. ---- */

enum { FILE_LIMIT = 16 * 1024 * 1024 };

/* How the published phrases of CUB spell some words of its attributes.txt. */
static const char *const g_spelling[][2] = {
    {"grey", "gray"}, {"upperparts", "upper parts"}, {"spatulate", "broad"}};

static const char *respell(const char *word, size_t length) {
    for (size_t i = 0; i < sizeof g_spelling / sizeof *g_spelling; i++)
        if (strlen(g_spelling[i][0]) == length && !strncmp(g_spelling[i][0], word, length))
            return g_spelling[i][1];
    return NULL;
}

/* Bytes of other scripts are letters. */
static int is_word_byte(unsigned char c) { return isalnum(c) || c >= 0x80 || c == '\''; }

un_status un_attribute_clean(const char *name, un_arena *arena, char **out) {
    const char *end = name + strcspn(name, "(");
    int cub = strstr(name, "::") != NULL;
    size_t used = 0;
    char *phrase = NULL;
    /* The longest respelling doubles no word. */
    UN_TRY(un_arena_alloc(arena, 2 * strlen(name) + 2, 1, &phrase));
    for (const char *at = name; at < end;) {
        size_t n = 0;
        while (at + n < end && is_word_byte((unsigned char)at[n])) n++;
        if (n == 0) {
            at++;
            continue;
        }
        const char *word = cub ? respell(at, n) : NULL;
        size_t length = word ? strlen(word) : n;
        if (used > 0 || n != 3 || strncmp(at, "has", 3) != 0) {
            if (used > 0) phrase[used++] = ' ';
            for (size_t i = 0; i < length; i++)
                phrase[used++] = (char)tolower((unsigned char)(word ? word[i] : at[i]));
        }
        at += n;
    }
    *out = phrase;
    return UNSEEN_OK;
}

/* The words of a published phrase, one blank in between, otherwise untouched. */
static un_status add_phrase(const char *text, un_arena *arena, char **out) {
    char *phrase = NULL;
    size_t used = 0;
    UN_TRY(un_arena_alloc(arena, strlen(text) + 1, 1, &phrase));
    for (; *text; text++) {
        if (!isspace((unsigned char)*text))
            phrase[used++] = *text;
        else if (used > 0 && phrase[used - 1] != ' ')
            phrase[used++] = ' ';
    }
    while (used > 0 && phrase[used - 1] == ' ') phrase[--used] = 0;
    *out = phrase;
    return UNSEEN_OK;
}

/* ---- files of names ---- */

typedef struct {
    const char *path;
    un_arena *arena;
    un_attribute_phrases *out;
    int table;           /* of phrases */
    size_t name, phrase; /* columns of the table */
    int numbered;        /* "<id> name" lines */
} reader;

/* Cuts a line of a CSV file in place: `"` around fields, doubled inside. Returns
 * the number of fields, at most `most`. */
static size_t cut_fields(char *line, char **fields, size_t most) {
    size_t n = 0;
    char *from = line;
    for (;;) {
        char *to = from;
        int quoted = *from == '"';
        if (n < most) fields[n] = to;
        n++;
        if (quoted) from++;
        while (*from && (quoted || *from != ',')) {
            if (quoted && from[0] == '"') {
                from++;
                if (*from != '"') {
                    quoted = 0;
                    continue;
                }
            }
            *to++ = *from++;
        }
        int more = *from == ',';
        from++;
        *to = 0;
        if (!more) return n < most ? n : most;
    }
}

enum { MAX_FIELDS = 64 };

/* A head with a column new_des makes it a table of phrases. */
static void read_head(reader *r, const char *line, char *scratch) {
    char *fields[MAX_FIELDS];
    memcpy(scratch, line, strlen(line) + 1); /* as long as the file */
    size_t n = cut_fields(scratch, fields, MAX_FIELDS);
    size_t name = MAX_FIELDS;
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(fields[i], "new_des")) {
            r->table = 1;
            r->phrase = i;
        }
        if (!strcmp(fields[i], "des")) name = i;
    }
    r->name = name < MAX_FIELDS ? name : r->phrase;
}

static un_status add_row(reader *r, char *line, size_t number) {
    char *fields[MAX_FIELDS];
    size_t n = cut_fields(line, fields, MAX_FIELDS);
    if (n <= r->phrase || n <= r->name || fields[r->name][0] == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: line %zu has no attribute in the column of its head",
                       r->path, number);
    size_t at = r->out->count;
    UN_TRY(un_arena_string(r->arena, fields[r->name], &r->out->names[at]));
    return add_phrase(fields[r->phrase], r->arena, &r->out->phrases[at]);
}

static un_status add_name(reader *r, char *line, size_t number) {
    size_t at = r->out->count;
    char *end = line;
    if (r->numbered) {
        unsigned long id = strtoul(line, &end, 10);
        if (end == line || !isspace((unsigned char)*end) || id != at + 1)
            return un_fail(UNSEEN_E_FORMAT, "%s: line %zu should begin with the number %zu",
                           r->path, number, at + 1);
        while (isspace((unsigned char)*end)) end++;
    }
    UN_TRY(un_arena_string(r->arena, end, &r->out->names[at]));
    return un_attribute_clean(end, r->arena, &r->out->phrases[at]);
}

/* "1 has_x::y" or "1\tname": then every line has its number. */
static int is_numbered(const char *line) {
    char *end = NULL;
    return strtoul(line, &end, 10) == 1 && (*end == ' ' || *end == '\t') && end[1];
}

static un_status read_lines(reader *r, char *text, char *scratch) {
    size_t number = 0;
    char *rest = text;
    int first = 1;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        number++;
        while (*line == ' ' || *line == '\t') line++;
        size_t length = strlen(line);
        while (length > 0 && strchr(" \t\r", line[length - 1])) line[--length] = 0;
        if (length == 0) continue;
        if (first) {
            first = 0;
            read_head(r, line, scratch);
            r->numbered = !r->table && is_numbered(line);
            if (r->table) continue;
        }
        UN_TRY(r->table ? add_row(r, line, number) : add_name(r, line, number));
        r->out->count++;
    }
    if (r->out->count > 0) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT, "%s has no attribute names in it", r->path);
}

un_status un_attribute_phrases_read(const char *path, un_arena *arena, un_attribute_phrases *out) {
    char *text = NULL;
    char *scratch = NULL;
    size_t length = 0;
    size_t lines = 1;
    *out = (un_attribute_phrases){0};
    UN_TRY(un_file_read(path, FILE_LIMIT, &text, &length));
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < length; i++) lines += text[i] == '\n';
    if (strlen(text) != length)
        UN_GO(un_fail(UNSEEN_E_FORMAT, "%s is not a text of attribute names", path));
    UN_GO(un_alloc(length + 1, 1, &scratch));
    UN_GO(un_arena_alloc(arena, lines + 1, sizeof *out->names, &out->names));
    UN_GO(un_arena_alloc(arena, lines + 1, sizeof *out->phrases, &out->phrases));
    reader r = {.path = path, .arena = arena, .out = out};
    UN_GO(read_lines(&r, text, scratch));
done:
    free(text);
    free(scratch);
    return status;
}
