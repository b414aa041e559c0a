/*
 * files.h - which files a command reads and writes: told before it works, so that no output takes
 * the place of an input or of another output.
 *
 * A file is known by device and inode, through links, or, where it is not there yet, by its folder
 * and its name. Pipes, devices and open descriptors are written through and may be named twice.
 */
#ifndef UN_CLI_FILES_H
#define UN_CLI_FILES_H

#include <stddef.h>

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

#endif
