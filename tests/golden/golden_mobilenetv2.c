/* golden_mobilenetv2.c - golden data of kind "mobilenetv2"; see golden_cnn.c. */
#include "golden_cnn.h"

un_status golden_check_mobilenetv2(golden *g) {
    static const golden_block blocks[] = {{"out.features.0", "features.0"},
                                          {"out.features.1", "features.1"},
                                          {"out.features.7", "features.7"},
                                          {"out.features.14", "features.14"}};
    return golden_check_cnn(g, un_mobilenet_open, blocks, sizeof blocks / sizeof *blocks,
                            "classifier.1");
}
