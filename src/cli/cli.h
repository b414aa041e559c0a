/*
 * cli.h - what the commands share. Only src/cli prints and decides exit codes:
 * 0 success, 2 wrong usage, 1 any other failure with one sentence on stderr.
 */
#ifndef UN_CLI_CLI_H
#define UN_CLI_CLI_H

#include <argp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "base/file_kind.h"
#include "base/json.h"
#include "base/status.h"
#include "data/task.h"
#include "engine/handles.h"
#include "engine/loader.h"
#include "tensor/tensor.h"

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
/* Ends the work of this process beside that of other ranks (cluster/cluster.h), once, with an exit
 * code, which it returns; where this rank failed alone it says so and ends all of them. */
int un_cli_leave(int code);
/* Installs log and progress output and the thread count; an exit code if that fails, else 0. */
int un_cli_start(const un_cli_common *common);
/* Whether an output is -, standard output; NULL is none. */
int un_cli_is_standard(const char *path);
/* What the library writes an output to: - under a name that it knows. */
const char *un_cli_output_path(const char *path);
/* Writes JSON to a file, or to stdout for "-"; an exit code. */
int un_cli_write_json(const char *path, const json_t *value);
/* A name that is none of a method is wrong usage. */
void un_cli_check_method(struct argp_state *state, const char *name);
/* Says which methods there are to a `command` ("train") that got none; wrong usage. */
void un_cli_miss_method(struct argp_state *state, const char *command);
/* Runs argp for a command; an exit code through *exit_code if it should end now. */
int un_cli_parse(const struct argp *argp, int argc, char **argv, void *input, int *exit_code);

/* Both: parses into `input`, in which `common` lies, and starts. 1: go on; 0: end with
 * *exit_code. */
int un_cli_begin(const struct argp *argp, int argc, char **argv, void *input,
                 const un_cli_common *common, int *exit_code);

/* A command that examines one thing and prints what it finds, or writes it as JSON. */
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
/* Threads of each rank without --threads, where there are several ranks. */
extern int un_cli_rank_threads;
/* Seconds that a rank which was stopped waits for the others, which may be keeping their state. */
extern int un_cli_stop_patience;
void un_cli_catch_signals(void);
/* For the library's calls (unseen_progress_function): shows a line on a terminal, and stops them
 * after a signal. */
int un_cli_progress(const unseen_progress *progress, void *user);

/* exif or stored; anything else ends through argp_error. */
un_orientation un_cli_parse_orientation(struct argp_state *state, const char *text);

/* The same for the library; UNSAID: as the model or the data set has it. */
unseen_orientation un_cli_orientation(un_orientation orientation);

/* A model with --precision, and a data set with --images, NULL: where it says. */
un_status un_cli_model_open(const un_cli_common *common, const char *path, unseen_model **out);
un_status un_cli_dataset_open(const char *directory, const char *images, unseen_dataset **out);

/* A word as a shell takes it back: as it is, or in single quotes where it has blanks or signs that
 * mean something to a shell. For commands that are printed for people to repeat. */
void un_cli_print_word(const char *word);

/* One line "T1 … U … S … H … AUSUC …" in percent of a result (protocol/report.h), with its
 * gamma and, where it applies, the words "selected on test". */
void un_cli_print_result(const json_t *result);
/* Mean and sd of several results, seeds of one training, as a small table, or a line that says why
 * there is none. */
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
int un_cmd_serve(int argc, char **argv);
int un_cmd_check(int argc, char **argv);
int un_cmd_inspect(int argc, char **argv);
int un_cmd_bench(int argc, char **argv);
int un_cmd_completion(int argc, char **argv);

/* ---- what the kinds of `unseen bench` share. Private to src/cli. ---- */

/* Rates of one square matrix product, GFLOP/s, in f32 and bf16: what the machine gives this minute.
 * 0 where it has no products of the type. */
un_status un_bench_probe(double gflops[2]);

/* Of times measured in milliseconds. */
typedef struct {
    double min, median, max;
} un_bench_times;
/* Sorts them; n >= 1. */
un_bench_times un_bench_summarise(double *ms, size_t n);

/* `unseen bench backbone`; argv[0] is the program's name for messages. An exit code. */
int un_bench_backbone(int argc, char **argv);
/* `unseen bench ceilings`, likewise. */
int un_bench_ceilings(int argc, char **argv);

/* ---- which files a command reads and writes: told before it works, so that no output takes
 * the place of an input or of another output.
 *
 * A file is known by device and inode, through links, or, where it is not there yet, by its folder
 * and its name. Pipes, devices and open descriptors are written through and may be named twice.
 * ---- */

typedef struct un_cli_file un_cli_file;
typedef struct {
    un_cli_file *list;
    size_t count, room;
    int failed; /* there was no memory for one */
} un_cli_files;

/* The paths are copied; NULL is passed over everywhere. */

/* A file that is read; what is no file (builtin:words) is passed over, FILE:NAME is FILE. */
void un_cli_reads(un_cli_files *files, const char *path);
/* A data set directory: all that belongs to it, and its pictures, which `images`, if not NULL, says
 * the folder of. */
void un_cli_reads_dataset(un_cli_files *files, const char *directory, const char *images);
/* A data set directory that the command adds to: no input may be one of its files. */
void un_cli_updates_dataset(un_cli_files *files, const char *directory);
/* A folder of other people's data: all files below it, but for JSON, which they do not have. */
void un_cli_reads_folder(un_cli_files *files, const char *folder);
/* A directory that the command makes as a whole: no other output may lie in it. */
void un_cli_makes(un_cli_files *files, const char *directory);
/* An output; - is standard output. */
void un_cli_writes(un_cli_files *files, const char *path);
/* What is written beside an output without being asked for. */
void un_cli_writes_beside(un_cli_files *files, const char *output, const char *ending);

/* To be called before the work: UN_EXIT_OK if each output can be written and is neither an input nor
 * another output; else says which and returns UN_EXIT_USAGE, or UN_EXIT_FAILURE for one that cannot
 * be written. Releases the list in any case. */
int un_cli_check_files(un_cli_files *files);

/* ---- what the commands share that ask a model about pictures: which model, which
 * pictures, which classes are candidates. ---- */

enum { UN_CLI_CLASS_FILES = 16 };

typedef struct {
    un_cli_common common;
    int from_stdin; /* set before parsing: the argument - stands for paths on standard input */
    const char *model, *backbone;
    un_path_list pictures;
    const char *class_files[UN_CLI_CLASS_FILES];
    size_t class_file_count;
    unseen_among among;
    un_orientation orientation; /* UNSAID: as the model was trained */
    un_status list_status;      /* of gathering the pictures while parsing */
} un_cli_pictures;

/* Parser of MODEL PICTURES..., --backbone, --among, --classes and --orientation as the only child
 * of a command's; its input is the un_cli_pictures. */
extern const struct argp_child un_cli_pictures_children[];

/* The model with its backbone and the new classes; unseen_model_close releases it in any case, NULL
 * included. */
un_status un_cli_pictures_open(const un_cli_pictures *pictures, unseen_model **out);
/* All files that the model and the question about pictures are read from. */
void un_cli_reads_pictures(un_cli_files *files, const un_cli_pictures *pictures);
void un_cli_pictures_free(un_cli_pictures *pictures);

/* Names the folders without pictures that were passed over, as a failure; returns how many. */
size_t un_cli_report_empty(const un_cli_pictures *pictures);

/* Warns of pictures whose EXIF orientation the model's recipe does not honour. */
void un_cli_report_ignored(size_t count, const un_cli_pictures *pictures);

/* A whole number from 1 to `most` for --top; anything else ends through argp_error. */
size_t un_cli_parse_top(struct argp_state *state, const char *text, size_t most);

/* ---- what people read goes through here: standard output and standard error.
 *
 * Names come from other people's files, and a terminal obeys what it is sent. So control
 * characters are shown as \u001b and bytes that are no UTF-8 as \xff; only line feeds and tabs
 * pass, and those of a name are shown as well (un_cli_name). On a terminal long lines are broken
 * between words. ---- */

/* From now on stdout and stderr are such streams; where that fails they stay as they are. */
void un_cli_guard_streams(void);
/* From now on lines on stdout are not broken: what follows, JSON or CSV, is for a program, and must
 * stay whole when it is copied from a terminal. */
void un_cli_keep_lines(void);
/* Puts bytes of our own, such as the progress line's, on standard error as they are. */
void un_cli_control(const char *bytes);
/* Puts text on standard error at once, shown like all text and in one line; may be called by a
 * signal handler. */
void un_cli_write_notice(const char *text);
/* A name as it stands in one line: itself or, with line feeds and tabs shown as \u000a and \u0009,
 * a copy, which lives until this thread has asked for eight more. */
const char *un_cli_name(const char *name);

/* ---- a command's option tables in other forms than --help ---- */

/* For completion: `unseen --help=next WORD... BEGUN` prints the words that may stand in the place of
 * BEGUN, a line each; none where files may. */
#define UN_CLI_NEXT "--help=next"
/* The names of all manual pages but unseen(1), a line each: "train", "import folder". */
#define UN_CLI_PAGES "--help=pages"

/* What `--help=FORM` asks of the program argv[0] ("unseen train"): "man", its manual page; "pages";
 * "next" with more words. argv[1] is that option. 1 if it was answered, 0 for another FORM. */
int un_cli_reference(const struct argp *argp, int argc, char **argv);
/* Where a first word says which parser is meant (a command, a format): 1 if --help=next asks for that
 * word itself, argv[2]. Else 0; a word that stands behind --help=next is put before it, to be found
 * where it stands without. */
int un_cli_next_is_first(int argc, char **argv);
/* Prints a word if it begins with `begun`. */
void un_cli_offer(const char *word, const char *begun);

#endif
