/*
 * config.h - settings of a training run: one flat JSON object, every key of which
 * is described by an option table.
 *
 * The same table parses --set key=value and --config files, prints --help, checks
 * ranges and names the nearest key of a misspelt one. A configuration always holds
 * all keys, so that a manifest is complete.
 */
#ifndef UN_METHOD_CONFIG_H
#define UN_METHOD_CONFIG_H

#include "base/json.h"
#include "base/status.h"

typedef enum {
    UN_OPTION_INTEGER,
    UN_OPTION_NUMBER, /* a number, or one of `choices` if there are any */
    UN_OPTION_CHOICE, /* one of `choices` */
    UN_OPTION_NAMES,  /* comma-separated names, at least one */
    UN_OPTION_TEXT,   /* any text; may be empty */
    UN_OPTION_FILE,   /* path of a file that training reads, or one of `choices` if there are any;
                         may be empty */
    UN_OPTION_NUMBERS /* comma-separated numbers, each as above */
} un_option_kind;

typedef struct {
    const char *key;
    un_option_kind kind;
    const char *fallback; /* the default, as --set would write it */
    double low, high;     /* of numbers, inclusive */
    const char *choices;  /* "a|b|c" */
    const char *help;
} un_option;

struct un_method_class;

/* The tables of all settings of a method, NULL-terminated, into out[UN_OPTION_TABLES]: those of
 * methods that learn in steps (not of closed forms), of those that select a length or a point of a
 * grid, and its own. */
enum { UN_OPTION_TABLES = 4 };
void un_option_tables(const struct un_method_class *class, const un_option **out);

/* Every key at its default, without a preset. *out is a new reference. */
un_status un_config_defaults(const struct un_method_class *class, json_t **out);
/* Defaults, then `preset` (NULL: the method's default one). *out is a new reference. */
un_status un_config_create(const struct un_method_class *class, const char *preset, json_t **out);
/* Sets one key from text ("key=value"). */
un_status un_config_set(const struct un_method_class *class, json_t *config,
                        const char *assignment);
/* Takes over the keys of `values`, each checked; `where` names their source. */
un_status un_config_merge(const struct un_method_class *class, json_t *config, const json_t *values,
                          const char *where);

/* The configuration as a model keeps it, without a machine's paths: files by their base names;
 * *files (new reference) says of each {setting: {"name", "sha256"}}, the hash "" if there is no
 * such file. Both are new references. */
un_status un_config_portable(const struct un_method_class *class, const json_t *config,
                             json_t **portable, json_t **files);

/* Values of a complete configuration. Number: NAN for a word. */
double un_config_number(const json_t *config, const char *key);
size_t un_config_integer(const json_t *config, const char *key);
const char *un_config_text(const json_t *config, const char *key);
int un_config_is(const json_t *config, const char *key, const char *choice);
/* Item i of a list; a list of one item serves every i. Numbers: NAN for a word. */
double un_config_list_number(const json_t *config, const char *key, size_t i);
/* A list of numbers that has one item, or one for each of `count` semantics, into out[count]. */
un_status un_config_for_semantics(const json_t *config, const char *key, size_t count, double *out);
/* Number of items of a list. */
size_t un_config_list_count(const json_t *config, const char *key);
/* Item i of a list of names; borrowed from `config`. */
const char *un_config_list_name(const json_t *config, const char *key, size_t i);

#endif
