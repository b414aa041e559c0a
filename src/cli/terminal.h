/*
 * terminal.h - what people read goes through here: standard output and standard error.
 *
 * Names come from other people's files, and a terminal obeys what it is sent. So control
 * characters are shown as \u001b and bytes that are no UTF-8 as \xff; only line feeds and tabs pass.
 * On a terminal long lines are broken between words.
 */
#ifndef UN_CLI_TERMINAL_H
#define UN_CLI_TERMINAL_H

#include <stddef.h>

/* From now on stdout and stderr are such streams; where that fails they stay as they are. */
void un_cli_guard_streams(void);
/* Puts bytes of our own, such as the progress line's, on standard error as they are. */
void un_cli_control(const char *bytes);

#endif
