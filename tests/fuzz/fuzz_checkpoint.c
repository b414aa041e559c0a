/*
 * fuzz_checkpoint.c - a checkpoint of a training, taken up: byte 0 chooses the method, the rest is
 * the file. So that a checkpoint of an older build gets further than its first check, the identity
 * in it is replaced by that of the training at hand.
 */
#include "fuzz.h"

#include "base/file.h"
#include "base/json.h"
#include "data/features.h"
#include "method/methods.h"
#include "tensor/safetensors.h"
#include "train/train.h"

static const struct {
    const char *method, *settings[4];
} g_trainings[] = {{"dem", {"epochs=2", "hidden=4", "batch=64", NULL}},
                   {"eszsl", {"gamma=1,10", "lambda=1", NULL}}};
enum { TRAININGS = sizeof g_trainings / sizeof *g_trainings };

typedef struct {
    const un_method_class *class;
    un_features features;
    json_t *config;
} training;

static void training_make(training *t, size_t which) {
    FUZZ_REQUIRE(un_method_find(g_trainings[which].method, &t->class) == UNSEEN_OK);
    FUZZ_REQUIRE(un_config_create(t->class, NULL, &t->config) == UNSEEN_OK);
    for (size_t i = 0; g_trainings[which].settings[i]; i++)
        FUZZ_REQUIRE(un_config_set(t->class, t->config, g_trainings[which].settings[i]) ==
                     UNSEEN_OK);
    FUZZ_REQUIRE(un_features_open(&t->features, fuzz_test_data("v0.1/maps"), NULL) == UNSEEN_OK);
}

static void training_free(training *t) {
    json_decref(t->config);
    un_features_close(&t->features);
}

/* Stops after the first step. */
static un_status train(const training *t, int resume) {
    volatile sig_atomic_t stop = 1;
    json_t *result = NULL;
    const un_train_options options = {.class = t->class,
                                      .config = t->config,
                                      .dataset = fuzz_dataset(),
                                      .features = &t->features,
                                      .seed = 1,
                                      .precision = UN_PRECISION_F32,
                                      .select = UN_SELECT_VALIDATION,
                                      .max_steps = t->class->closed_form ? 0 : 3,
                                      .output = fuzz_path("a.model"),
                                      .resume = resume,
                                      .stop = &stop};
    un_status status = un_train(&options, NULL, &result);
    json_decref(result);
    return status;
}

/* The state's identity, from the checkpoint at `path` (new reference). */
static json_t *read_identity(const char *path) {
    un_safetensors file;
    json_t *state = NULL;
    FUZZ_REQUIRE(un_safetensors_open(&file, path) == UNSEEN_OK);
    const char *text = un_safetensors_metadata(&file, "state");
    FUZZ_REQUIRE(text && un_json_parse(text, strlen(text), path, &state) == UNSEEN_OK);
    json_t *identity = json_incref(json_object_get(state, "identity"));
    FUZZ_REQUIRE(identity);
    json_decref(state);
    un_safetensors_close(&file);
    return identity;
}

/* The header with the true identity; NULL: it has no such place. */
static json_t *adopt(const uint8_t *header, size_t size, json_t *identity) {
    json_t *head = json_loadb((const char *)header, size, 0, NULL);
    json_t *metadata = json_object_get(head, "__metadata__");
    const char *text = json_string_value(json_object_get(metadata, "state"));
    json_t *state = text ? json_loads(text, 0, NULL) : NULL;
    char *changed = NULL;
    int done = json_object_get(state, "identity") &&
               json_object_set(state, "identity", identity) == 0 &&
               (changed = un_json_dump(state, JSON_COMPACT)) != NULL &&
               json_object_set_new(metadata, "state", json_string(changed)) == 0;
    free(changed);
    json_decref(state);
    if (done) return head;
    json_decref(head);
    return NULL;
}

static void write_checkpoint(const uint8_t *data, size_t size, json_t *identity) {
    uint64_t length = 0;
    json_t *head = NULL;
    if (size >= 8) memcpy(&length, data, 8);
    if (size >= 8 && length <= size - 8) head = adopt(data + 8, (size_t)length, identity);
    char *text = head ? un_json_dump(head, JSON_COMPACT) : NULL;
    json_decref(head);
    if (!text) {
        (void)fuzz_file("a.model.checkpoint", data, size);
        return;
    }
    size_t rest = size - 8 - (size_t)length;
    uint64_t n = strlen(text);
    uint8_t *bytes = malloc(8 + n + rest);
    FUZZ_REQUIRE(bytes);
    memcpy(bytes, &n, 8);
    memcpy(bytes + 8, text, n);
    memcpy(bytes + 8 + n, data + size - rest, rest);
    (void)fuzz_file("a.model.checkpoint", bytes, 8 + n + rest);
    free(bytes);
    free(text);
}

int fuzz_run_checkpoint(const uint8_t *data, size_t size) {
    static json_t *identities[TRAININGS];
    training t;
    if (size == 0) return 0;
    size_t which = data[0] % TRAININGS;
    training_make(&t, which);
    if (!identities[which]) {
        FUZZ_REQUIRE(train(&t, 0) == UNSEEN_E_INTERRUPTED);
        identities[which] = read_identity(fuzz_path("a.model.checkpoint"));
    }
    write_checkpoint(data + 1, size - 1, identities[which]);
    un_status status = train(&t, 1);
    (void)fuzz_taken(status);
    training_free(&t);
    return status == UNSEEN_OK || status == UNSEEN_E_INTERRUPTED;
}

/* The checkpoint of a training that was stopped after `steps` of its steps. */
static void seed(size_t which, size_t steps) {
    training t;
    char name[64], *bytes = NULL;
    size_t size = 0;
    training_make(&t, which);
    (void)remove(fuzz_path("a.model.checkpoint"));
    for (size_t i = 0; i < steps; i++) FUZZ_REQUIRE(train(&t, i > 0) == UNSEEN_E_INTERRUPTED);
    FUZZ_REQUIRE(un_file_read(fuzz_path("a.model.checkpoint"), 1 << 20, &bytes, &size) ==
                 UNSEEN_OK);
    char *with_choice = malloc(size + 1);
    FUZZ_REQUIRE(with_choice);
    with_choice[0] = (char)which;
    memcpy(with_choice + 1, bytes, size);
    snprintf(name, sizeof name, "%s_%zu", g_trainings[which].method, steps);
    fuzz_seed(name, with_choice, size + 1);
    free(with_choice);
    free(bytes);
    training_free(&t);
}

void fuzz_seed_checkpoint(void) {
    seed(0, 1);
    seed(0, 2);
    seed(1, 1);
    seed(1, 2);
    fuzz_seed("bad_empty", "\0", 1);
    fuzz_seed_text("bad_text", "1no checkpoint");
}
