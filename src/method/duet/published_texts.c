/* published_texts.c - the published sentences of attributes, and a vocabulary of their words; see
 * texts.h. */
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "method/duet/texts.h"
#include "text/wordpiece.h"

/* They differ from the groups' own names: AWA2's in spelling, order and blanks,
 * CUB's in a blank. */
static const char *const g_prompts[][2] = {
    {"CUB",
     "bill shape :  | wing color :  | upperparts color :  | underparts color:  | breast pattern :  "
     "| back color :  | tail shape :  | upper tail color :  | head pattern :  | breast color :  | "
     "throat color :  | eye color :  | bill length :  | forehead color :  | under tail color :  | "
     "nape color :  | belly color :  | wing shape :  | size :  | shape :  | back pattern :  | tail "
     "pattern :  | belly pattern :  | primary color :  | leg color :  | bill color :  | crown "
     "color "
     ":  | wing pattern : ."},
    {"AWA2", "color :  | pattern :  | texture :  | shape :  | has part :  | behavior:  | "
             "character:  | limb:  | diet:  | role:  | habitat:  | habit: ."},
    {"SUN",
     "transportation function :  | environment function :  | technical function :  | coarse "
     "meterial :  | specific meterial :  | natural meterial :  | light :  | surface :  | "
     "temperature :  | origin property :  | area :  | horizon :  | direction :  | feeling : ."},
};

/* A name, and what contains it but is left alone when it is replaced. */
static const char *const g_spared[][2] = {{"meat", "meatteeth"},
                                          {"cave", "scavenger"},
                                          {"active", "inactive"},
                                          {"enclosed", "semi enclosed"},
                                          {"bathing", "sunbathing"}};

const char *un_published_prompt(const char *dataset) {
    for (size_t i = 0; i < sizeof g_prompts / sizeof *g_prompts; i++)
        if (!strcasecmp(dataset, g_prompts[i][0])) return g_prompts[i][1];
    return NULL;
}

static const char *spared_around(const char *name) {
    for (size_t i = 0; i < sizeof g_spared / sizeof *g_spared; i++)
        if (!strcmp(name, g_spared[i][0])) return g_spared[i][1];
    return NULL;
}

/* Names of the form "group::name" repeat between groups: the rule numbers them. */
static int is_numbered(const un_published_rule *r) {
    return r->groups->reference && r->groups->qualified;
}

static void write_name(const un_published_rule *r, size_t a, FILE *to) {
    if (is_numbered(r)) fprintf(to, "%zu", a);
    fputs(r->groups->names[a], to);
}

static void write_sentence(const un_published_rule *r, FILE *to) {
    const un_attribute_groups *g = r->groups;
    for (size_t k = 0; k < g->group_count; k++) {
        int first = 1;
        fprintf(to, "%s%s : ", k > 0 ? " | " : "", g->groups[k]);
        for (size_t i = r->member_begin[k]; i < r->member_begin[k + 1]; i++) {
            if (!r->present[r->member[i]]) continue;
            if (!first) fputc(',', to);
            first = 0;
            write_name(r, r->member[i], to);
        }
    }
    fputc('.', to);
}

/* Copies `text` with every `name` replaced, but for those inside `spared`. */
static void write_masked(const char *text, const char *name, const char *spared, size_t masks,
                         FILE *to) {
    size_t length = strlen(name), spared_length = spared ? strlen(spared) : 0;
    while (*text) {
        if (spared && !strncmp(text, spared, spared_length)) {
            fputs(spared, to);
            text += spared_length;
        } else if (!strncmp(text, name, length)) {
            for (size_t i = 0; i < masks; i++) fputs("[MASK]", to);
            text += length;
        } else {
            fputc(*text++, to);
        }
    }
}

/* Closes a memory stream. */
static un_status finish(FILE *stream) {
    int bad = ferror(stream);
    if (fclose(stream) != 0 || bad) return un_fail_memory(0);
    return UNSEEN_OK;
}

static un_status mask_sentence(const un_published_rule *r, size_t masked, size_t masks,
                               const char *text, char **out) {
    char *name = NULL;
    const char *plain = r->groups->names[masked];
    size_t size = 0;
    UN_TRY(is_numbered(r) ? un_format(&name, "%zu%s", masked, plain)
                          : un_format(&name, "%s", plain));
    FILE *to = open_memstream(out, &size);
    un_status status = UNSEEN_OK;
    if (to) {
        write_masked(text, name, is_numbered(r) ? NULL : spared_around(plain), masks, to);
        status = finish(to);
    } else {
        status = un_fail_errno(errno, "cannot build a text");
    }
    free(name);
    return status;
}

static void remove_digits(char *text) {
    char *to = text;
    for (; *text; text++)
        if (!isdigit((unsigned char)*text)) *to++ = *text;
    *to = 0;
}

un_status un_published_sentence(const un_published_rule *r, size_t masked, size_t masks,
                                char **out) {
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (!to) return un_fail_errno(errno, "cannot build a text");
    write_sentence(r, to);
    un_status status = finish(to);
    if (!status && masked != SIZE_MAX) {
        char *replaced = NULL;
        status = mask_sentence(r, masked, masks, text, &replaced);
        free(text);
        text = replaced;
    }
    if (status) {
        free(text);
        return status;
    }
    if (is_numbered(r)) remove_digits(text);
    *out = text;
    return UNSEEN_OK;
}

typedef struct {
    FILE *stream;
    char **words; /* those written so far that are longer than a character */
    size_t count, capacity;
    un_arena arena;
} writer;

static un_status grow(writer *w) {
    char **words = NULL;
    size_t capacity = w->capacity ? 2 * w->capacity : 256;
    UN_TRY(un_arena_alloc(&w->arena, capacity, sizeof *words, (void *)&words));
    if (w->count > 0) memcpy(words, w->words, w->count * sizeof *words);
    w->words = words;
    w->capacity = capacity;
    return UNSEEN_OK;
}

static un_status add_vocabulary_word(const char *word, size_t bytes, size_t characters,
                                     void *context) {
    writer *w = context;
    /* Single ASCII characters are there already; the tokeniser refuses longer words. */
    if ((bytes == 1 && (unsigned char)*word < 128) || characters > UN_WORD_LIMIT) return UNSEEN_OK;
    for (size_t i = 0; i < w->count; i++)
        if (strlen(w->words[i]) == bytes && !memcmp(w->words[i], word, bytes)) return UNSEEN_OK;
    if (w->count == w->capacity) UN_TRY(grow(w));
    char *copy = NULL;
    UN_TRY(un_arena_alloc(&w->arena, bytes + 1, 1, &copy));
    memcpy(copy, word, bytes);
    w->words[w->count++] = copy;
    fprintf(w->stream, "%s\n", copy);
    return UNSEEN_OK;
}

static un_status write_all(writer *w, const un_attribute_groups *groups) {
    fputs("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n", w->stream);
    for (int c = 33; c < 127; c++)
        if (!isupper(c)) fprintf(w->stream, "%c\n", c);
    for (int c = 33; c < 127; c++)
        if (islower(c) || isdigit(c)) fprintf(w->stream, "##%c\n", c);
    for (size_t k = 0; k < groups->group_count; k++)
        UN_TRY(
            un_uncased_words(groups->groups[k], strlen(groups->groups[k]), add_vocabulary_word, w));
    for (size_t a = 0; a < groups->count; a++)
        UN_TRY(
            un_uncased_words(groups->names[a], strlen(groups->names[a]), add_vocabulary_word, w));
    return UNSEEN_OK;
}

un_status un_vocabulary_make(const un_attribute_groups *groups, char **out) {
    char *text = NULL;
    size_t bytes = 0;
    writer w = {.stream = open_memstream(&text, &bytes)};
    if (!w.stream) return un_fail_memory(0);
    un_status status = write_all(&w, groups);
    if (fclose(w.stream) != 0 && !status) status = un_fail_memory(bytes);
    un_arena_free(&w.arena);
    if (status)
        free(text);
    else
        *out = text;
    return status;
}
