/*
 * cli.h - what the commands share. Only src/cli prints and decides exit codes:
 * 0 success, 2 wrong usage, 1 any other failure with one sentence on stderr.
 */
#ifndef UN_CLI_CLI_H
#define UN_CLI_CLI_H

#include <argp.h>
#include <signal.h>
#include <stdint.h>

#include "base/json.h"
#include "base/orientation.h"
#include "base/status.h"

enum { UN_EXIT_OK = 0, UN_EXIT_FAILURE = 1, UN_EXIT_USAGE = 2 };

/* Options that every command has. */
typedef struct un_cli_common {
    int threads;           /* 0: all processors */
    const char *precision; /* "auto", "f32", "bf16" */
    uint64_t seed;
    int quiet, verbose;
} un_cli_common;

/* Child parser of --threads, --precision, --seed, --quiet, --verbose; its input is a
 * un_cli_common *, which it fills with defaults first. */
extern const struct argp un_cli_common_argp;
/* That parser as the only child: the children of every command's argp. */
extern const struct argp_child un_cli_common_children[];

/* Prints the library's sentence; returns UN_EXIT_FAILURE. */
int un_cli_fail(void);
/* A whole number of an option, `least` to `most`; anything else, one beyond what a number can hold
 * among it, is wrong usage and ends the program. */
uint64_t un_cli_integer(struct argp_state *state, const char *option, const char *text,
                        uint64_t least, uint64_t most);
/* Where results went to standard output: `code`, or UN_EXIT_FAILURE if not all of them arrived,
 * with a sentence unless a reader in a pipe had simply seen enough. */
int un_cli_end_output(int code);
/* Prints a sentence about wrong usage and points to --help; returns UN_EXIT_USAGE. */
int un_cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Installs log and progress output and the thread count; an exit code if that fails, else 0. */
int un_cli_start(const un_cli_common *common);
/* Writes JSON to a file, or to stdout for "-"; an exit code. */
int un_cli_write_json(const char *path, const json_t *value);
/* Runs argp for a command; an exit code through *exit_code if it should end now. */
int un_cli_parse(const struct argp *argp, int argc, char **argv, void *input, int *exit_code);

/* Both: parses into `input`, in which `common` lies, and starts. 1: go on; 0: end with
 * *exit_code. */
int un_cli_begin(const struct argp *argp, int argc, char **argv, void *input,
                 const un_cli_common *common, int *exit_code);

/* A command that looks at one thing and prints what it finds, or writes it as JSON. */
typedef struct {
    un_cli_common common;
    const char *path, *json;
    const char *missing; /* the sentence where no path is given */
} un_cli_subject;
/* Parser of PATH and --json; its input is a un_cli_subject. */
extern const struct argp un_cli_subject_argp;
/* That parser as the only child. */
extern const struct argp_child un_cli_subject_children[];

/* Set by SIGINT and SIGTERM once un_cli_catch_signals was called. */
extern volatile sig_atomic_t un_cli_stop;
void un_cli_catch_signals(void);

/* exif or stored; anything else ends through argp_error. */
un_orientation un_cli_parse_orientation(struct argp_state *state, const char *text);

/* A word as a shell takes it back: as it is, or in single quotes where it has blanks or signs that
 * mean something to a shell. For commands that are printed for people to repeat. */
void un_cli_print_word(const char *word);

/* One line "T1 … U … S … H … AUSUC …" in percent of a result (protocol/report.h), with its
 * gamma and, where it applies, the words "selected on test". */
void un_cli_print_result(const json_t *result);
/* Mean and sd of several results as a small table. */
int un_cli_print_summary(const json_t *results);

int un_cmd_demo(int argc, char **argv);
int un_cmd_import(int argc, char **argv);
int un_cmd_words(int argc, char **argv);
int un_cmd_extract(int argc, char **argv);
int un_cmd_train(int argc, char **argv);
int un_cmd_eval(int argc, char **argv);
int un_cmd_predict(int argc, char **argv);
int un_cmd_explain(int argc, char **argv);
int un_cmd_report(int argc, char **argv);
int un_cmd_check(int argc, char **argv);
int un_cmd_inspect(int argc, char **argv);
int un_cmd_bench(int argc, char **argv);
int un_cmd_completion(int argc, char **argv);

#endif
