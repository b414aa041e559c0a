/*
 * reference.c - what a command's option tables say, in other forms than --help: a manual page
 * (--help=man), the name of that page (--help=pages), and the words that may stand next, for shell
 * completion (--help=next). One table serves all of them, so that none can fall behind.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "method/methods.h"
#include "unseen.h"
#include "vision/backbone.h"

/* Whether a form begins with a word that stands there itself, not with one for others. */
static int is_word(const char *form) {
    return islower((unsigned char)*form) || isdigit((unsigned char)*form);
}

/* ---- a manual page ---- */

/* Text as troff prints it: no sign of it is a request or an escape. */
static void put_text(const char *text, size_t n) {
    int at_start = 1;
    for (size_t i = 0; i < n; i++) {
        const char c = text[i];
        if (at_start && (c == '.' || c == '\'')) fputs("\\&", stdout);
        at_start = c == '\n';
        if (c == '\\')
            fputs("\\e", stdout);
        else if (c == '-')
            fputs("\\-", stdout);
        else
            putchar(c);
    }
}

static void put_line(const char *text) {
    put_text(text, strlen(text));
    putchar('\n');
}

/* An option's own names: -o, --output=DIR. */
static void put_names(const struct argp_option *o) {
    const int letter = isascii(o->key) && isalpha(o->key);
    if (letter) printf("\\fB\\-%c\\fR", o->key);
    if (letter && o->name) fputs(", ", stdout);
    if (o->name) {
        fputs("\\fB\\-\\-", stdout);
        put_text(o->name, strlen(o->name));
        fputs("\\fR", stdout);
    }
    if (o->arg) {
        fputs(o->flags & OPTION_ARG_OPTIONAL ? "[=\\fI" : "=\\fI", stdout);
        put_text(o->arg, strlen(o->arg));
        fputs(o->flags & OPTION_ARG_OPTIONAL ? "\\fR]" : "\\fR", stdout);
    }
}

typedef void (*option_function)(const struct argp_option *option, void *user);

/* Every option of a parser and of the parsers below it, in the order of --help. */
static void each_option(const struct argp *argp, const char *header, option_function option,
                        void (*group)(const char *header), void *user) {
    if (argp->options && header && group) group(header);
    for (const struct argp_option *o = argp->options; o && (o->name || o->key || o->doc); o++)
        if (!(o->flags & OPTION_HIDDEN) && o->name) option(o, user);
    for (const struct argp_child *c = argp->children; c && c->argp; c++)
        each_option(c->argp, c->header, option, group, user);
}

static void man_option(const struct argp_option *o, void *user) {
    (void)user;
    puts(".TP");
    put_names(o);
    putchar('\n');
    if (o->doc) put_line(o->doc);
}

static void man_group(const char *header) {
    if (!*header) return;
    fputs(".SS \"", stdout);
    put_text(header, strcspn(header, ":"));
    puts("\"");
}

/* The settings of every method, for the page of `train`. */
static void man_settings(void) {
    puts(".SH PRESETS AND SETTINGS");
    puts("Settings are given by \\fB\\-\\-set\\fR \\fIKEY\\fR=\\fIVALUE\\fR or in a file "
         "(\\fB\\-\\-config\\fR); each is followed by its default and what it may be.");
    for (const un_method_class *const *m = un_methods; *m; m++) {
        const un_option *tables[UN_OPTION_TABLES];
        printf(".SS \"%s\"\n", (*m)->name);
        put_line((*m)->title);
        for (const un_preset *p = (*m)->presets; p->name; p++) {
            puts(".TP");
            fputs("\\fB\\-\\-preset\\fR \\fB", stdout);
            put_text(p->name, strlen(p->name));
            puts("\\fR");
            put_line(p->summary);
        }
        un_option_tables(*m, tables);
        for (size_t t = 0; t < UN_OPTION_TABLES && tables[t]; t++)
            for (const un_option *o = tables[t]; o->key; o++) {
                puts(".TP");
                fputs("\\fB", stdout);
                put_text(o->key, strlen(o->key));
                fputs("\\fR=", stdout);
                put_text(o->fallback, strlen(o->fallback));
                if (o->choices) {
                    fputs(" (", stdout);
                    put_text(o->choices, strlen(o->choices));
                    putchar(')');
                }
                putchar('\n');
                put_line(o->help);
            }
    }
}

/* A line for each form of the command: a word that must stand there goes before the options. */
static void man_synopsis(const char *program, const char *forms) {
    do {
        const size_t n = strcspn(forms, "\n");
        const int word = is_word(forms) && !memchr(forms, '|', n);
        fputs(".B \"", stdout);
        put_text(program, strlen(program));
        if (word) putchar(' ');
        if (word) put_text(forms, n);
        puts("\"\n.RI [ OPTION ...]");
        if (n > 0 && !word) {
            fputs(".I \"", stdout);
            put_text(forms, n);
            puts("\"");
        }
        forms += n;
        if (*forms == '\n') puts(".br");
    } while (*forms++ == '\n');
}

static void print_man(const struct argp *argp, const char *program) {
    char page[64], *c = page;
    const char *command = strrchr(program, ' ');
    snprintf(page, sizeof page, "%s", program);
    for (; *c; c++) *c = *c == ' ' ? '-' : (char)toupper((unsigned char)*c);
    printf(".\\\" Made from the option tables by `%s --help=man`.\n", program);
    printf(".TH %s 1 \"\" \"unseen %s\" \"User Commands\"\n.SH NAME\n", page, unseen_version());
    for (c = page; *c; c++) *c = (char)tolower((unsigned char)*c);
    put_text(page, strlen(page));
    fputs(" \\- ", stdout);
    const char *doc = argp->doc ? argp->doc : "";
    const size_t first = strcspn(doc, ".:;"); /* the first sentence, to its first stop */
    put_text(doc, first);
    puts("\n.SH SYNOPSIS");
    man_synopsis(program, argp->args_doc ? argp->args_doc : "");
    puts(".SH DESCRIPTION");
    put_line(doc);
    puts(".SH OPTIONS");
    each_option(argp, NULL, man_option, man_group, NULL);
    if (command && !strcmp(command, " train")) man_settings();
    puts(".SH EXIT STATUS\n0 success, 2 wrong usage, 1 any other failure, with one sentence on "
         "standard error.\n.SH SEE ALSO\n.BR unseen (1)");
}

/* ---- the words that may stand next, for completion ---- */

/* A command line up to the word that is being typed. */
typedef struct {
    const un_method_class *method;    /* the one among the arguments; NULL: none yet */
    const struct argp_option *option; /* whose value is being typed, else NULL */
    const char *front;                /* "--select=" where that stands before the value, else "" */
    int front_length;
    const char *begun; /* what is there of the word, behind `front` */
    size_t arguments;  /* before it */
} typing;

void un_cli_offer(const char *word, const char *begun) {
    if (!strncmp(word, begun, strlen(begun))) puts(word);
}

static void offer(const typing *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void offer(const typing *t, const char *format, ...) {
    char word[256];
    va_list arguments;
    va_start(arguments, format);
    const int n = vsnprintf(word, sizeof word, format, arguments);
    va_end(arguments);
    if (n < 0 || (size_t)n >= sizeof word || strncmp(word, t->begun, strlen(t->begun)) != 0) return;
    printf("%.*s%s\n", t->front_length, t->front, word);
}

/* "a|b|c", behind `key` if that is not NULL. */
static void offer_choices(const typing *t, const char *key, const char *choices) {
    while (choices && *choices) {
        const int n = (int)strcspn(choices, "|");
        offer(t, "%s%s%.*s", key ? key : "", key ? "=" : "", n, choices);
        choices += n + (choices[n] == '|');
    }
}

static void offer_methods(const typing *t) {
    for (const un_method_class *const *m = un_methods; *m; m++) offer(t, "%s", (*m)->name);
}

static void offer_presets(const typing *t) {
    for (const un_preset *p = t->method ? t->method->presets : NULL; p && p->name; p++)
        offer(t, "%s", p->name);
}

/* The keys, and behind "key=" what that may be. */
static void offer_settings(const typing *t) {
    const un_option *tables[UN_OPTION_TABLES] = {NULL};
    const int keyed = strchr(t->begun, '=') != NULL;
    if (t->method) un_option_tables(t->method, tables);
    for (size_t i = 0; tables[i]; i++)
        for (const un_option *o = tables[i]; o->key; o++)
            if (keyed)
                offer_choices(t, o->key, o->choices);
            else
                offer(t, "%s=", o->key);
}

static void offer_backbones(const typing *t) {
    const char *path = NULL;
    for (size_t i = 0; (path = un_backbone_builtin_path(i)) != NULL; i++) offer(t, "%s", path);
}

/* What stands for words that the program knows. Other capitals stand for what it does not know. */
static const struct {
    const char *name;
    void (*offer)(const typing *t);
} g_placeholders[] = {{"METHOD", offer_methods},
                      {"PRESET", offer_presets},
                      {"KEY=VALUE", offer_settings},
                      {"WEIGHTS", offer_backbones}};
enum { PLACEHOLDERS = sizeof g_placeholders / sizeof *g_placeholders };

/* The first word of a form or of an option's argument: "mini|class-means", "METHOD --data DIR". */
static void offer_form(const typing *t, const char *form) {
    size_t n = strcspn(form, " \n");
    for (size_t i = 0; i < PLACEHOLDERS; i++)
        if (strlen(g_placeholders[i].name) == n && !strncmp(form, g_placeholders[i].name, n))
            g_placeholders[i].offer(t);
    while (n > 0) {
        const size_t length = strcspn(form, "| \n");
        if (is_word(form)) offer(t, "%.*s", (int)length, form);
        n -= length + (length < n);
        form += length + (form[length] == '|');
    }
}

/* Whether the forms begin with words that the program knows: nothing else is an argument then. */
static int has_words(const char *forms) { return is_word(forms) || !strncmp(forms, "METHOD", 6); }

static void offer_option(const struct argp_option *o, void *user) { offer(user, "--%s", o->name); }

typedef struct {
    const char *name; /* "--select", "--select=test", "-o" */
    const struct argp_option *found;
} search;

static void match_option(const struct argp_option *o, void *user) {
    search *s = user;
    const char *name = s->name + 1;
    if (*name == '-' ? !strncmp(name + 1, o->name, strcspn(name + 1, "=")) &&
                           !o->name[strcspn(name + 1, "=")]
                     : o->key == *name && !name[1])
        s->found = o;
}

/* NULL: no option of the command. */
static const struct argp_option *find_option(const struct argp *argp, const char *word) {
    search s = {word, NULL};
    if (*word == '-') each_option(argp, NULL, match_option, NULL, &s);
    return s.found;
}

static void add_argument(typing *t, const char *word) {
    t->arguments++;
    for (const un_method_class *const *m = un_methods; *m && !t->method; m++)
        if (!strcmp((*m)->name, word)) t->method = *m;
}

/* Words 0 to n - 2 are whole, word n - 1 is being typed. */
static void print_next(const struct argp *argp, int n, char **words) {
    typing t = {.front = "", .begun = n > 0 ? words[n - 1] : ""};
    const char *forms = argp->args_doc ? argp->args_doc : "";
    for (int i = 0; i + 1 < n; i++) {
        const struct argp_option *o = find_option(argp, words[i]);
        if (o && o->arg && !strchr(words[i], '=') && ++i + 1 == n)
            t.option = o;
        else if (*words[i] != '-')
            add_argument(&t, words[i]);
    }
    const char *equals = strchr(t.begun, '=');
    if (!t.option && equals && !strncmp(t.begun, "--", 2)) {
        t.option = find_option(argp, t.begun);
        t.front = t.begun;
        t.front_length = (int)(equals + 1 - t.begun);
        t.begun = equals + 1;
        if (t.option && t.option->arg) offer_form(&t, t.option->arg);
    } else if (t.option) {
        offer_form(&t, t.option->arg);
    } else if (*t.begun == '-' || !*forms || *forms == '-' || (has_words(forms) && t.arguments)) {
        each_option(argp, NULL, offer_option, NULL, &t);
    } else {
        for (const char *form = forms; form; form = strchr(form, '\n')) {
            form += *form == '\n';
            offer_form(&t, form);
        }
    }
}

int un_cli_next_is_first(int argc, char **argv) {
    if (argc < 3 || strcmp(argv[1], UN_CLI_NEXT) != 0) return 0;
    if (argc == 3) return 1;
    char *word = argv[2];
    argv[2] = argv[1];
    argv[1] = word;
    return 0;
}

int un_cli_reference(const struct argp *argp, int argc, char **argv) {
    const char *form = argv[1];
    if (!strcmp(form, UN_CLI_NEXT))
        print_next(argp, argc - 2, argv + 2);
    else if (argc == 2 && !strcmp(form, "--help=man"))
        print_man(argp, argv[0]);
    else if (argc == 2 && !strcmp(form, UN_CLI_PAGES))
        puts(strchr(argv[0], ' ') + 1);
    else
        return 0;
    return 1;
}
