/* Trains on arrays in memory, evaluates, saves, adds a class and asks about a feature vector.
 * cc train_arrays.c $(pkg-config --cflags --libs unseen) && ./a.out FILE.model */
#include <stdio.h>
#include <stdlib.h>
#include <unseen.h>

enum { N = 600, C = 12, A = 6, F = 16 };

static float features[N * F], attributes[C * A], scores[C + 1];
static int32_t labels[N];

static float noise(void) { return (float)rand() / (float)RAND_MAX - 0.5F; }
/* Images show the attributes of their class, mixed, and noise. */
static void make_data(void) {
    float mix[A * F];
    for (int i = 0; i < A * F; i++) mix[i] = noise();
    for (int i = 0; i < C * A; i++) attributes[i] = noise() + 0.5F;
    for (int i = 0; i < N; i++) {
        labels[i] = i % C;
        for (int j = 0; j < F; j++) {
            features[i * F + j] = 0.2F * noise();
            for (int a = 0; a < A; a++)
                features[i * F + j] += attributes[labels[i] * A + a] * mix[a * F + j];
        }
    }
}

int main(int argc, char **argv) {
    const char *const names[A] = {"big", "small", "furry", "winged", "wet", "loud"};
    const char *const settings[] = {"epochs=20"};
    unseen_arrays arrays;
    unseen_dataset *data = NULL;
    unseen_train_options options;
    unseen_model *model = NULL;
    unseen_result *result = NULL;
    make_data();
    unseen_arrays_init(&arrays, sizeof arrays);
    arrays.image_count = N, arrays.width = F, arrays.features = features, arrays.labels = labels;
    arrays.class_count = C, arrays.attribute_count = A, arrays.class_attributes = attributes;
    arrays.attribute_names = names;
    unseen_train_options_init(&options, sizeof options);
    options.settings = settings, options.setting_count = 1;
    if (unseen_dataset_from_arrays(&arrays, &data) ||
        unseen_train("dem", data, &options, &model, NULL) ||
        unseen_evaluate(model, data, NULL, &result) ||
        unseen_model_save(model, argc > 1 ? argv[1] : "arrays.model") ||
        unseen_model_add_class(model, "my beast", names, attributes, A) ||
        unseen_model_score(model, features, 1, UNSEEN_CALIBRATED, scores)) {
        fprintf(stderr, "%s\n", unseen_last_error());
        return 1;
    }
    printf("T1 %.2f  H %.2f\n", unseen_result_number(result, "T1"),
           unseen_result_number(result, "H"));
    printf("my beast, described as %s: %g and %g\n", unseen_model_class_name(model, 0),
           (double)scores[C], (double)scores[0]);
    unseen_result_close(result);
    unseen_model_close(model);
    unseen_dataset_close(data);
    return 0;
}
