/*
 * reference.c - what a command's option tables say, in other forms than --help: a manual page
 * (--help=man) and lines for shell completion (--help=options). One table serves all of them, so
 * that none can fall behind.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "method/method.h"
#include "unseen.h"

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

typedef void (*option_function)(const struct argp_option *option);

/* Every option of a parser and of the parsers below it, in the order of --help. */
static void each_option(const struct argp *argp, const char *header, option_function option,
                        void (*group)(const char *header)) {
    if (argp->options && header && group) group(header);
    for (const struct argp_option *o = argp->options; o && (o->name || o->key || o->doc); o++)
        if (!(o->flags & OPTION_HIDDEN) && o->name) option(o);
    for (const struct argp_child *c = argp->children; c && c->argp; c++)
        each_option(c->argp, c->header, option, group);
}

static void man_option(const struct argp_option *o) {
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
    printf("\n.SH SYNOPSIS\n.B ");
    put_line(program);
    puts(".RI [ OPTION ...]");
    if (argp->args_doc) {
        fputs(".I \"", stdout);
        put_text(argp->args_doc, strlen(argp->args_doc));
        puts("\"");
    }
    puts(".SH DESCRIPTION");
    put_line(doc);
    puts(".SH OPTIONS");
    each_option(argp, NULL, man_option, man_group);
    if (command && !strcmp(command, " train")) man_settings();
    puts(".SH EXIT STATUS\n0 success, 2 wrong usage, 1 any other failure, with one sentence on "
         "standard error.\n.SH SEE ALSO\n.BR unseen (1)");
}

/* ---- lines for completion ---- */

/* --name, what it takes, and what it is, with tabs between. */
static void completion_option(const struct argp_option *o) {
    printf("--%s\t%s\t", o->name, o->arg ? o->arg : "");
    for (const char *c = o->doc ? o->doc : ""; *c; c++)
        putchar(*c == '\n' || *c == '\t' ? ' ' : *c);
    putchar('\n');
}

int un_cli_reference(const struct argp *argp, const char *program, const char *form) {
    if (!strcmp(form, "man"))
        print_man(argp, program);
    else if (!strcmp(form, "options"))
        each_option(argp, NULL, completion_option, NULL);
    else
        return 0;
    return 1;
}
