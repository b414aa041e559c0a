/* Names what a photo shows, once a class was added that no training knew.
 * cc classify_photo.c $(pkg-config --cflags --libs unseen) && ./a.out MODEL PHOTO [BACKBONE] */
#include <stdio.h>
#include <unseen.h>

static int failed(void) {
    fprintf(stderr, "%s\n", unseen_last_error());
    return 1;
}

int main(int argc, char **argv) {
    unseen_model *model = NULL;
    unseen_prediction best[3];
    size_t count = 0;
    if (argc < 3) return 2;
    if (unseen_model_open(argv[1], &model)) return failed();
    if (unseen_model_attach_backbone(model, argc > 3 ? argv[3] : NULL)) return failed();

    /* A description of a few words: here, all of the model's first attribute. */
    const char *attribute = unseen_model_attribute_name(model, 0);
    const float present = 1;
    if (attribute && unseen_model_add_class(model, "my new class", &attribute, &present, 1))
        return failed();

    if (unseen_classify_file(model, argv[2], UNSEEN_AMONG_ALL, 3, best, &count)) return failed();
    for (size_t i = 0; i < count; i++)
        printf("%-40s %8.3f %s\n", best[i].label, (double)best[i].score,
               best[i].seen ? "seen in training" : "known by its description");
    unseen_model_close(model);
    return 0;
}
