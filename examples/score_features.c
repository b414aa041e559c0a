/*
 * score_features.c - classify feature vectors with a trained model.
 *
 *     cc score_features.c $(pkg-config --cflags --libs unseen) -o score_features
 *     ./score_features birds.model < features.f32
 *
 * Standard input holds raw float32 vectors, one an image, as long as the model wants.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unseen.h>

int main(int argc, char **argv) {
    unseen_model *model = NULL;
    if (argc != 2 || unseen_model_open(argv[1], &model) != UNSEEN_OK) {
        fprintf(stderr, "%s\n", argc == 2 ? unseen_last_error() : "usage: score_features MODEL");
        return 1;
    }
    size_t length = unseen_model_feature_length(model), classes = unseen_model_class_count(model);
    float *features = malloc(length * sizeof *features);
    float *scores = malloc(classes * sizeof *scores);
    int failed = !features || !scores;
    while (!failed && fread(features, sizeof *features, length, stdin) == length) {
        size_t best = 0;
        failed = unseen_model_score(model, features, 1, UNSEEN_CALIBRATED, scores) != UNSEEN_OK;
        for (size_t k = 1; k < classes; k++)
            if (scores[k] > scores[best]) best = k;
        if (!failed)
            printf("%s (%s) %.4f\n", unseen_model_class_name(model, best),
                   unseen_model_class_seen(model, best) ? "seen" : "unseen", scores[best]);
    }
    if (failed) fprintf(stderr, "%s\n", unseen_last_error());
    free(features);
    free(scores);
    unseen_model_close(model);
    return failed;
}
