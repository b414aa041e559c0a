/* nearest_mean.h - a complete small method: the worked example of how to add one. */
#ifndef UN_TESTS_NEAREST_MEAN_H
#define UN_TESTS_NEAREST_MEAN_H

#include "method/method.h"

extern const un_method_class un_method_nearest_mean;

#endif
