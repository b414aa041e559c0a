/*
 * terminal.h - what people read goes through here: standard output and standard error.
 *
 * Names come from other people's files, and a terminal obeys what it is sent. So control
 * characters are shown as \u001b and bytes that are no UTF-8 as \xff; only line feeds and tabs pass,
 * and those of a name are shown as well (un_cli_name).
 * On a terminal long lines are broken between words.
 */
#ifndef UN_CLI_TERMINAL_H
#define UN_CLI_TERMINAL_H

#include <stddef.h>

/* From now on stdout and stderr are such streams; where that fails they stay as they are. */
void un_cli_guard_streams(void);
/* From now on lines on stdout are not broken: what follows, JSON or CSV, is for a program, and must
 * stay whole when it is copied from a terminal. */
void un_cli_keep_lines(void);
/* Puts bytes of our own, such as the progress line's, on standard error as they are. */
void un_cli_control(const char *bytes);
/* Puts text on standard error at once, shown like all text and in one line; may be called by a
 * signal handler. */
void un_cli_say(const char *text);
/* A name as it stands in one line: itself or, with line feeds and tabs shown as \u000a and \u0009,
 * a copy, which lives until this thread has asked for eight more. */
const char *un_cli_name(const char *name);

#endif
