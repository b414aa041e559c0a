/* url.h - pieces of an address. */
#ifndef UN_SERVE_URL_H
#define UN_SERVE_URL_H

#include <stddef.h>

/* Takes "%41" for "A" in place. 0: not the form of an address, or a NUL or no UTF-8 in it. */
int un_url_decode(char *text);
/* A name as a piece of a path: all but letters, digits and "-._~" as "%41". Released with free();
 * NULL: no memory. */
char *un_url_encode(const char *text);

#endif
