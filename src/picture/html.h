/*
 * html.h - writing HTML into a stream: text that cannot become markup, pictures inside
 * the page. A stream that is out of memory says so when it is closed.
 */
#ifndef UN_PICTURE_HTML_H
#define UN_PICTURE_HTML_H

#include <stdint.h>
#include <stdio.h>

/* Text as content or as a quoted attribute: < > & " ' are escaped, control characters but for
 * line ends and tabs left out, what is not UTF-8 shown as U+FFFD. NULL writes nothing. */
void un_html_text(FILE *out, const char *text);
/* The bytes in base64 (RFC 4648, padded). */
void un_html_base64(FILE *out, const void *bytes, size_t n);

#endif
