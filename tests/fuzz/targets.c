/* targets.c - the table of all targets; each stands in fuzz_<name>.c. */
#include "fuzz.h"

#define TARGETS(X)                                                                                 \
    X(array)                                                                                       \
    X(awa2)                                                                                        \
    X(backbone)                                                                                    \
    X(checkpoint)                                                                                  \
    X(class_lists)                                                                                 \
    X(config)                                                                                      \
    X(cub)                                                                                         \
    X(dataset)                                                                                     \
    X(features)                                                                                    \
    X(folder)                                                                                      \
    X(groups)                                                                                      \
    X(hdf5)                                                                                        \
    X(image)                                                                                       \
    X(image_weights)                                                                               \
    X(import_arrays)                                                                               \
    X(journal)                                                                                     \
    X(lines)                                                                                       \
    X(mat)                                                                                         \
    X(model)                                                                                       \
    X(new_classes)                                                                                 \
    X(parts)                                                                                       \
    X(path_list)                                                                                   \
    X(phrases)                                                                                     \
    X(picture_size)                                                                                \
    X(reader_child)                                                                                \
    X(request)                                                                                     \
    X(safetensors)                                                                                 \
    X(split_json)                                                                                  \
    X(states)                                                                                      \
    X(table)                                                                                       \
    X(text_weights)                                                                                \
    X(training_log)                                                                                \
    X(wordpiece)                                                                                   \
    X(words)

#define DECLARE(name)                                                                              \
    int fuzz_run_##name(const uint8_t *data, size_t size);                                         \
    void fuzz_seed_##name(void);
TARGETS(DECLARE)

#define ENTRY(name) {#name, fuzz_run_##name, fuzz_seed_##name},
const fuzz_target fuzz_targets[] = {TARGETS(ENTRY){NULL, NULL, NULL}};
