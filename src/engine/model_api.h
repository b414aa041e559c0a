/* model_api.h - what the files of the public interface share. */
#ifndef UN_ENGINE_MODEL_API_H
#define UN_ENGINE_MODEL_API_H

#include "engine/classifier.h"

struct unseen_model {
    un_classifier classifier;
};

#endif
