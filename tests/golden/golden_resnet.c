/* golden_resnet.c - golden data of kind "resnet": ResNet with bottlenecks; see golden_cnn.c. */
#include "golden_cnn.h"

un_status golden_check_resnet(golden *g) {
    static const golden_block blocks[] = {{"out.stem", "stem"},
                                          {"out.layer1", "layer1"},
                                          {"out.layer2", "layer2"},
                                          {"out.layer3", "layer3"}};
    return golden_check_cnn(g, un_resnet_open, blocks, sizeof blocks / sizeof *blocks, "fc");
}
