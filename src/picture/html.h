/*
 * html.h - writing HTML into a stream: text that cannot become markup, pictures inside the page,
 * cells of tables. A stream that is out of memory says so when it is closed.
 */
#ifndef UN_PICTURE_HTML_H
#define UN_PICTURE_HTML_H

#include <stdio.h>

#include "base/json.h"

/* Text as content or as a quoted attribute: < > & " ' are escaped, control characters but for
 * line ends and tabs left out, what is not UTF-8 shown as U+FFFD. NULL writes nothing. */
void un_html_text(FILE *out, const char *text);
/* The same of a name that has no blanks, perhaps: lines may break after "_" and ":". */
void un_html_name(FILE *out, const char *name);
/* The bytes in base64 (RFC 4648, padded). */
void un_html_base64(FILE *out, const void *bytes, size_t n);

/* A table in a frame of its own, which scrolls where the screen is too narrow: its caption (markup)
 * and the class names of its style; then the heads of its columns, un_html_table_body, rows and
 * un_html_table_end. */
void un_html_table(FILE *out, const char *class, const char *caption);
void un_html_table_body(FILE *out);
void un_html_table_end(FILE *out);
/* The head of a column, `class` "n" above numbers or NULL. */
void un_html_column(FILE *out, const char *class, const char *text);
/* Begins a row with its head. */
void un_html_row(FILE *out, const char *text);
/* A cell with a fraction as percent; "–" if it is no number. */
void un_html_percent(FILE *out, const json_t *value);

#endif
