/* assets.h - the page's files, which are a part of the program (cmake/assets.cmake). */
#ifndef UN_SERVE_ASSETS_H
#define UN_SERVE_ASSETS_H

#include <stddef.h>

typedef struct {
    const char *path; /* "/" or "/assets/NAME"; NULL: behind the last */
    const char *type; /* "text/html; charset=utf-8" */
    const char *etag; /* with its quotes */
    const unsigned char *bytes;
    size_t size;
} un_asset;

extern const un_asset un_assets[];

#endif
