/* methods.h - which methods there are. */
#ifndef UN_METHOD_METHODS_H
#define UN_METHOD_METHODS_H

#include "method/method.h"

/* All methods, NULL-terminated. */
extern const un_method_class *const un_methods[];

/* Fails with a sentence that names the nearest. */
un_status un_method_find(const char *name, const un_method_class **out);

#endif
