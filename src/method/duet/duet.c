/* duet.c - DUET as a method: settings, presets, life cycle. See duet.h. */
#include "method/duet/duet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/kernels.h"

static const un_option g_options[] = {
    {"semantics", UN_OPTION_NAMES, "att", 0, 0, NULL, "named semantics of the classes"},
    {"regress", UN_OPTION_CHOICE, "auto", 0, 0, "auto|first|all",
     "which of them scores are regressed to; auto: all that text_semantics and binary_semantics do "
     "not name, and the first"},
    {"text_semantics", UN_OPTION_TEXT, "", 0, 0, NULL,
     "which of them the texts tell of; empty: the first whose attributes have names"},
    {"binary_semantics", UN_OPTION_TEXT, "", 0, 0, NULL,
     "which of them says 0 or 1 what is present; empty: by threshold"},
    {"threshold", UN_OPTION_NUMBERS, "auto", -1e30, 1e30, "auto",
     "a class has an attribute above this value; auto: the attribute's mean over classes"},
    {"groups", UN_OPTION_FILE, "", 0, 0, NULL,
     "JSON file: the group of each attribute; empty: from their names"},
    {"mapping", UN_OPTION_FILE, "", 0, 0, NULL, "JSON file: friendlier names of attributes"},
    {"text_dataset", UN_OPTION_TEXT, "", 0, 0, NULL,
     "the data set's entry in these files: CUB, AWA2 or SUN"},
    {"reference", UN_OPTION_CHOICE, "no", 0, 0, "no|yes",
     "do as the published code does: prompts, substring masks, padding, double softmax, all "
     "positions in the word loss, same-class pairs, the logit token; Adam anew with every epoch, "
     "whose last mini-batches go into the next one's first step"},
    {"image_side", UN_OPTION_CHOICE, "auto", 0, 0, "auto|regions|pixels|swin",
     "auto: pixels if the features are a square of 3 colours, else regions; pixels are seen by a "
     "ViT or DeiT, or by a Swin transformer if swin says so or image_weights holds one"},
    {"project", UN_OPTION_CHOICE, "yes", 0, 0, "yes|no", "a linear layer in front of regions' LN"},
    {"visual_tokens", UN_OPTION_CHOICE, "patch", 0, 0, "patch|logit",
     "of pixels: CLS and patches (of Swin the mean and the last map), or one token of the "
     "classifier's logits"},
    {"image_weights", UN_OPTION_FILE, "", 0, 0, NULL,
     "safetensors file of a ViT, DeiT or Swin transformer"},
    {"swin_width", UN_OPTION_INTEGER, "128", 1, 4096, NULL,
     "of the first stage of a Swin transformer with patches of 4 pixels, without such a file"},
    {"swin_depths", UN_OPTION_NUMBERS, "2,2,18,2", 1, UN_SWIN_DEPTH, NULL,
     "the same: blocks of each stage"},
    {"swin_heads", UN_OPTION_NUMBERS, "4,8,16,32", 1, 4096, NULL, "the same: heads of each stage"},
    {"swin_window", UN_OPTION_INTEGER, "7", 1, UN_SWIN_WINDOW, NULL,
     "the same: tokens a side of a window"},
    {"patch", UN_OPTION_INTEGER, "16", 1, 1024, NULL,
     "pixels a side of a ViT's patch, without such a file"},
    {"image_layers", UN_OPTION_INTEGER, "12", 1, 256, NULL, "the same"},
    {"image_hidden", UN_OPTION_INTEGER, "768", 1, 65536, NULL, "the same"},
    {"image_heads", UN_OPTION_INTEGER, "12", 1, 1024, NULL, "the same"},
    {"image_inner", UN_OPTION_INTEGER, "3072", 1, 262144, NULL, "the same"},
    {"distilled", UN_OPTION_CHOICE, "yes", 0, 0, "yes|no", "the same: a distillation token"},
    {"labels", UN_OPTION_INTEGER, "1000", 1, 1000000, NULL, "logits of visual_tokens=logit"},
    {"mean", UN_OPTION_NUMBERS, "0.485,0.456,0.406", -10, 10, NULL,
     "of the colours of pixels, scaled to 0..1"},
    {"std", UN_OPTION_NUMBERS, "0.229,0.224,0.225", 1e-6, 10, NULL, "the same"},
    {"augment", UN_OPTION_CHOICE, "no", 0, 0, "no|yes",
     "pixels: train on pictures mirrored, moved, enlarged and brightened at random, unless "
     "the transformer is frozen"},
    {"freeze_backbone", UN_OPTION_CHOICE, "no", 0, 0, "no|yes",
     "no gradient into the picture's transformer"},
    {"keep_states", UN_OPTION_CHOICE, "f32", 0, 0, "f32|bf16|no",
     "of a frozen one: compute its states once and keep them beside the data set, in DIR/states"},
    {"recompute", UN_OPTION_CHOICE, "no", 0, 0, "no|yes|auto",
     "compute activations again instead of keeping them: less memory, 4/3 of the time; auto: what "
     "goes beyond 3.5 GiB of either transformer's"},
    {"text", UN_OPTION_CHOICE, "yes", 0, 0, "yes|no",
     "no: visual states alone, without the cross-modal layer"},
    {"text_weights", UN_OPTION_FILE, "", 0, 0, NULL, "safetensors file of a BERT"},
    {"vocab", UN_OPTION_FILE, "", 0, 0, NULL,
     "its vocab.txt; empty: words of the attributes' names"},
    {"hidden", UN_OPTION_INTEGER, "768", 1, 65536, NULL,
     "width of text and cross-modal layers, without such a file"},
    {"heads", UN_OPTION_INTEGER, "12", 1, 1024, NULL, "the same"},
    {"inner", UN_OPTION_INTEGER, "3072", 1, 262144, NULL, "the same"},
    {"text_layers", UN_OPTION_INTEGER, "12", 1, 256, NULL, "the same"},
    {"cross_layers", UN_OPTION_INTEGER, "1", 1, DUET_MAX_XLAYERS, NULL, "cross-modal layers"},
    {"dropout", UN_OPTION_NUMBER, "0.1", 0, 0.9, NULL, "in text encoder and cross-modal layers"},
    {"drop_path", UN_OPTION_NUMBER, "0", 0, 0.9, NULL,
     "stochastic depth of a Swin transformer: how often its last block leaves attention out"},
    {"max_length", UN_OPTION_INTEGER, "250", 4, 100000, NULL, "tokens of a text"},
    {"prune_pieces", UN_OPTION_INTEGER, "0", 0, 100000, NULL,
     "longer texts are cut down to some attributes; 0: never"},
    {"prune_attributes", UN_OPTION_INTEGER, "30", 1, 100000, NULL, "at most so many"},
    {"batch", UN_OPTION_INTEGER, "7", 1, 65536, NULL, "images of a mini-batch"},
    {"accumulate", UN_OPTION_INTEGER, "10", 1, 65536, NULL, "mini-batches of a step"},
    {"lr", UN_OPTION_NUMBER, "3e-5", 1e-12, 1, NULL, "Adam's learning rate"},
    {"lr_decay", UN_OPTION_NUMBER, "0.8", 1e-6, 1, NULL, "its factor every so many epochs"},
    {"lr_every", UN_OPTION_INTEGER, "10", 1, 1e9, NULL, "the epochs"},
    {"decay", UN_OPTION_NUMBER, "0", 0, 1e6, NULL, "L2 weight decay"},
    {"mask_pro", UN_OPTION_NUMBER, "0.4", 0, 1, NULL, "share of mini-batches with masked texts"},
    {"attribute_miss", UN_OPTION_NUMBER, "0.5", 0, 1, NULL,
     "probability that a present attribute is left out of a text"},
    {"mse", UN_OPTION_NUMBER, "1e-2", 0, 1e6, NULL, "weight of the attributes' squared error"},
    {"calibration", UN_OPTION_NUMBER, "1e-3", 0, 1e6, NULL, "weight of self-calibration"},
    {"mlm", UN_OPTION_NUMBER, "1", 0, 1e6, NULL, "weight of grounding (masked words); 0: none"},
    {"contrast", UN_OPTION_NUMBER, "0.01", 0, 1e6, NULL,
     "weight of the attribute-level contrast; 0: none"},
    {"contrast_samples", UN_OPTION_INTEGER, "0", 0, 65536, NULL,
     "images of a mini-batch that it takes; 0: all"},
    {"class_contrast", UN_OPTION_NUMBER, "0.05", 0, 1e6, NULL,
     "weight of the class-level contrast; 0: none"},
    {"temperature", UN_OPTION_NUMBER, "0.05", 1e-6, 1e6, NULL, "of the class-level contrast"},
    {NULL, UN_OPTION_INTEGER, NULL, 0, 0, NULL, NULL},
};

#define SMALL                                                                                      \
    "\"hidden\":128,\"heads\":4,\"inner\":256,\"text_layers\":1,\"image_hidden\":128,"             \
    "\"image_heads\":4,\"image_inner\":256,\"image_layers\":4,\"distilled\":\"no\",\"patch\":8,"   \
    "\"dropout\":0,\"max_length\":192,\"prune_pieces\":160,\"batch\":32,\"accumulate\":1,"         \
    "\"lr\":5e-4,\"mask_pro\":0.3,\"mlm\":0.1,\"contrast_samples\":2,\"epochs\":6,\"augment\":"    \
    "\"yes\""
#define PAPER "\"epochs\":30,\"recompute\":\"auto\""

static const un_preset g_presets[] = {
    {"auto", "{" SMALL "}", "small and from scratch, for region features on a CPU"},
    {"cub",
     "{" PAPER ",\"batch\":7,\"accumulate\":10,\"patience\":7,\"mlm\":5,\"contrast\":0.001,"
     "\"max_length\":250,\"prune_pieces\":170,\"text_dataset\":\"CUB\"}",
     "CUB as published: DeiT-B and BERT-base; give their weights"},
    {"awa2",
     "{" PAPER ",\"batch\":10,\"accumulate\":5,\"patience\":15,\"max_length\":150,"
     "\"text_dataset\":\"AWA2\"}",
     "AWA2, likewise"},
    {"sun",
     "{" PAPER ",\"batch\":8,\"accumulate\":7,\"patience\":7,\"max_length\":150,"
     "\"text_dataset\":\"SUN\",\"image_side\":\"swin\",\"drop_path\":0.1}",
     "SUN, likewise with Swin-B"},
    {NULL, NULL, NULL},
};

static const char *const g_losses[] = {
    "class", "mse", "calibration", "grounding", "attribute_contrast", "class_contrast", NULL};

static void destroy(un_method *method) {
    duet_method *m = (duet_method *)method;
    if (!m) return;
    duet_training *t = &m->training;
    enum { ARENAS = 9 };
    un_arena *arenas[ARENAS] = {&m->arena,
                                &m->spec_arena,
                                &t->classes.arena,
                                &t->features.arena,
                                &t->changed.arena,
                                &t->dvis.arena,
                                &t->dlang.arena,
                                &m->scoring.classes.arena,
                                &m->scoring.attention_arena};
    un_duet_mlm_pass_free(&m->training.mlm);
    un_duet_pass_free(&m->training.pass);
    un_duet_pass_free(&m->scoring.pass);
    un_duet_network_free(&m->network);
    un_duet_sampler_free(m->words.sampler);
    un_duet_texts_free(m->words.texts);
    un_wordpiece_close(m->words.wordpiece);
    un_features_close(&m->training.states);
    free(m->words.vocabulary_text);
    for (size_t i = 0; i < ARENAS; i++) un_arena_free(arenas[i]);
    un_params_free(&m->base.params);
    free(m);
}

/* ---- the settings, read from their JSON here and nowhere else ---- */

/* *out is NULL for an empty text, else a copy in the arena; without an arena the JSON's own. */
static un_status read_text(const json_t *config, const char *key, un_arena *arena,
                           const char **out) {
    const char *text = un_config_text(config, key);
    *out = text && *text ? text : NULL;
    char *copy = NULL;
    if (!*out || !arena) return UNSEEN_OK;
    UN_TRY(un_arena_string(arena, text, &copy));
    *out = copy;
    return UNSEEN_OK;
}

static void read_texts_settings(const json_t *config, duet_settings *s) {
    s->threshold = un_config_list_number(config, "threshold", 0);
    s->max_length = un_config_integer(config, "max_length");
    s->prune_pieces = un_config_integer(config, "prune_pieces");
    s->prune_attributes = un_config_integer(config, "prune_attributes");
    s->attribute_miss = un_config_number(config, "attribute_miss");
    s->reference = un_config_is(config, "reference", "yes");
    s->with_text = un_config_is(config, "text", "yes");
    s->text = (un_bert_config){.width = un_config_integer(config, "hidden"),
                               .heads = un_config_integer(config, "heads"),
                               .inner = un_config_integer(config, "inner"),
                               .layers = un_config_integer(config, "text_layers"),
                               .positions = s->max_length,
                               .types = 2,
                               .eps = DUET_EPSILON};
    s->cross_layers = un_config_integer(config, "cross_layers");
}

static void read_swin_settings(const json_t *config, duet_swin_settings *s) {
    s->width = un_config_integer(config, "swin_width");
    s->window = un_config_integer(config, "swin_window");
    s->depth_count = un_config_list_count(config, "swin_depths");
    s->head_count = un_config_list_count(config, "swin_heads");
    for (size_t i = 0; i < UN_SWIN_STAGES; i++) {
        s->depth[i] = un_config_list_number(config, "swin_depths", i);
        s->heads[i] = un_config_list_number(config, "swin_heads", i);
    }
}

static void read_image_settings(const json_t *config, duet_settings *s) {
    s->image_side = un_config_is(config, "image_side", "regions")  ? DUET_IMAGE_REGIONS
                    : un_config_is(config, "image_side", "pixels") ? DUET_IMAGE_PIXELS
                    : un_config_is(config, "image_side", "swin")   ? DUET_IMAGE_SWIN
                                                                   : DUET_IMAGE_AUTO;
    s->project = un_config_is(config, "project", "yes");
    s->logit = un_config_is(config, "visual_tokens", "logit");
    s->labels = un_config_integer(config, "labels");
    s->vit = (un_vit_config){.patch = un_config_integer(config, "patch"),
                             .width = un_config_integer(config, "image_hidden"),
                             .heads = un_config_integer(config, "image_heads"),
                             .inner = un_config_integer(config, "image_inner"),
                             .layers = un_config_integer(config, "image_layers"),
                             .distilled = un_config_is(config, "distilled", "yes"),
                             .eps = DUET_EPSILON,
                             .family = UN_VIT_DEIT};
    read_swin_settings(config, &s->swin);
    s->mean_count = un_config_list_count(config, "mean");
    s->deviation_count = un_config_list_count(config, "std");
    for (size_t c = 0; c < 3; c++) {
        s->mean[c] = (float)un_config_list_number(config, "mean", c);
        s->deviation[c] = (float)un_config_list_number(config, "std", c);
    }
    s->augment = un_config_is(config, "augment", "yes");
    s->freeze_backbone = un_config_is(config, "freeze_backbone", "yes");
    s->keep_states = !un_config_is(config, "keep_states", "no");
    s->states_dtype = un_config_is(config, "keep_states", "bf16") ? UN_BF16 : UN_F32;
}

static void read_training_settings(const json_t *config, duet_settings *s) {
    s->regress = un_config_is(config, "regress", "all")    ? DUET_REGRESS_ALL
                 : un_config_is(config, "regress", "auto") ? DUET_REGRESS_AUTO
                                                           : DUET_REGRESS_FIRST;
    s->recompute = un_config_is(config, "recompute", "no")     ? DUET_RECOMPUTE_NO
                   : un_config_is(config, "recompute", "auto") ? DUET_RECOMPUTE_AUTO
                                                               : DUET_RECOMPUTE_YES;
    s->dropout = (float)un_config_number(config, "dropout");
    s->drop_path = (float)un_config_number(config, "drop_path");
    s->batch_size = un_config_integer(config, "batch");
    s->accumulate = un_config_integer(config, "accumulate");
    s->contrast_samples = un_config_integer(config, "contrast_samples");
    s->mask_pro = un_config_number(config, "mask_pro");
    s->temperature = un_config_number(config, "temperature");
    s->weight[DUET_TERM_CLASS] = 1;
    s->weight[DUET_TERM_MSE] = un_config_number(config, "mse");
    s->weight[DUET_TERM_CALIBRATION] = un_config_number(config, "calibration");
    s->weight[DUET_TERM_WORDS] = un_config_number(config, "mlm");
    s->weight[DUET_TERM_ATTRIBUTES] = un_config_number(config, "contrast");
    s->weight[DUET_TERM_CLASSES] = un_config_number(config, "class_contrast");
    s->lr_decay = un_config_number(config, "lr_decay");
    s->lr_every = un_config_integer(config, "lr_every");
    s->decay = (float)un_config_number(config, "decay");
    s->optimizer = (un_optimizer_settings){.kind = UN_ADAM,
                                           .lr = un_config_number(config, "lr"),
                                           .beta1 = 0.9,
                                           .beta2 = 0.999,
                                           .epsilon = 1e-8,
                                           .fresh = s->reference};
}

/* All but the seed. Texts go into the arena; NULL: they stay the configuration's, and nothing
 * can fail. */
static un_status read_settings(const json_t *config, un_arena *arena, duet_settings *out) {
    duet_settings s = {0};
    UN_TRY(read_text(config, "text_semantics", arena, &s.text_semantics));
    UN_TRY(read_text(config, "binary_semantics", arena, &s.binary_semantics));
    UN_TRY(read_text(config, "groups", arena, &s.groups_path));
    UN_TRY(read_text(config, "mapping", arena, &s.mapping_path));
    UN_TRY(read_text(config, "text_dataset", arena, &s.text_dataset));
    UN_TRY(read_text(config, "vocab", arena, &s.vocabulary_path));
    UN_TRY(read_text(config, "image_weights", arena, &s.image_weights_path));
    UN_TRY(read_text(config, "text_weights", arena, &s.text_weights_path));
    read_texts_settings(config, &s);
    read_image_settings(config, &s);
    read_training_settings(config, &s);
    *out = s;
    return UNSEEN_OK;
}

/* ---- creation ---- */

static int is_named(const char *setting, const char *name) {
    return setting && !strcmp(setting, name);
}

/* Which semantics the scores are regressed to, and how many values that makes. */
static un_status find_regressed(duet_method *m, const un_class_table *classes) {
    const duet_settings *s = &m->settings;
    duet_regressed *r = &m->regressed;
    size_t texts = 0;
    UN_TRY(un_duet_find_texts(m, classes, &texts));
    r->semantics_count = classes->semantics_count;
    r->A = 0;
    for (size_t i = 0; i < r->semantics_count; i++) {
        const char *name = classes->semantics[i].name;
        int of_texts = is_named(s->text_semantics, name) || is_named(s->binary_semantics, name);
        r->width[i] = classes->semantics[i].width;
        r->selected[i] = i == 0 || s->regress == DUET_REGRESS_ALL ||
                         (s->regress == DUET_REGRESS_AUTO && !of_texts);
        if (r->selected[i]) r->A += r->width[i];
    }
    r->own_texts = r->selected[texts] && r->A == r->width[texts];
    return UNSEEN_OK;
}

/* Bytes that each transformer may keep for its backward pass; with them a step at full size stays
 * below 16 GiB. */
static size_t activation_budget(const duet_settings *s) {
    return s->recompute == DUET_RECOMPUTE_AUTO ? (size_t)7 << 29 : 0;
}

static un_status create_pixels(duet_method *m, duet_image **image) {
    const duet_settings *s = &m->settings;
    duet_pixels_config pixels = {.size = (size_t)llround(sqrt((double)m->R)),
                                 .width = m->spec.text.width,
                                 .vit = m->spec.vit,
                                 .swin = m->spec.swin,
                                 .logit = s->reference || s->logit,
                                 .labels = m->spec.labels,
                                 .frozen = s->freeze_backbone,
                                 .recompute = s->recompute != DUET_RECOMPUTE_NO,
                                 .budget = activation_budget(s)};
    if (m->F != 3 || pixels.size * pixels.size != m->R)
        return un_fail(UNSEEN_E_ARGUMENT, "%zu x %zu values are not a square of 3 colours", m->R,
                       m->F);
    const size_t colours[] = {s->mean_count, s->deviation_count};
    for (size_t i = 0; i < 2; i++)
        if (colours[i] != 1 && colours[i] != 3)
            return un_fail(UNSEEN_E_ARGUMENT, "mean and std take one number or three");
    memcpy(pixels.mean, s->mean, sizeof pixels.mean);
    memcpy(pixels.deviation, s->deviation, sizeof pixels.deviation);
    return un_duet_pixels_create(image, &m->base.params, &pixels);
}

static un_status declare(duet_method *m, un_precision precision) {
    const duet_settings *s = &m->settings;
    const duet_regions_config regions = {.regions = m->R,
                                         .features = m->F,
                                         .width = m->spec.text.width,
                                         .project = s->project,
                                         .eps = m->spec.text.eps};
    const duet_network_config network = {.attributes = m->regressed.A,
                                         .with_text = s->with_text,
                                         .text = m->spec.text,
                                         .xlayers = s->cross_layers,
                                         .recompute = s->recompute != DUET_RECOMPUTE_NO,
                                         .budget = activation_budget(s),
                                         .type = un_precision_dtype(precision)};
    un_params *params = &m->base.params;
    duet_image *image = NULL;
    if (network.with_text && m->spec.prompt_length == 0)
        return un_fail(UNSEEN_E_FORMAT, "a model with text but without its prompt");
    if (m->spec.text.width % m->spec.text.heads != 0)
        return un_fail(UNSEEN_E_ARGUMENT, "a width of %zu does not split into %zu heads",
                       m->spec.text.width, m->spec.text.heads);
    if (m->spec.vit.width > 0 || m->spec.swin.width > 0)
        UN_TRY(create_pixels(m, &image));
    else
        UN_TRY(un_duet_regions_create(&image, params, &regions));
    UN_TRY(un_duet_network_declare(&m->network, params, image, &network));
    for (size_t i = 0; i < params->count; i++) {
        int frozen = i - image->frozen_first < image->frozen_count; /* below it i wraps */
        if (params->item[i].rank > 1 && !frozen) params->item[i].decay = s->decay;
    }
    return un_params_allocate(params, m->training.data != NULL, network.type == UN_BF16);
}

static un_status start_training(duet_method *m, const un_method_setup *setup) {
    un_duet_network_initialize(&m->network, &m->base.params, m->settings.seed);
    UN_TRY(un_duet_setup_weights(m));
    un_params_refresh(&m->base.params);
    UN_TRY(un_duet_make_classes(m, &m->training.classes, setup->classes));
    size_t train = m->training.data->train->count;
    size_t B = m->settings.batch_size < train ? m->settings.batch_size : train;
    m->training.batch_size = B;
    m->training.steps = train / (B * m->settings.accumulate);
    if (m->settings.reference && m->training.steps > 0)
        m->training.leftover = train / B % m->settings.accumulate;
    if (m->training.steps == 0) m->training.steps = 1;
    UN_TRY(un_part_create(&m->training.part, setup->ranks, B));
    UN_TRY(un_duet_batch_create(m));
    UN_TRY(un_duet_pass_create(&m->training.pass, &m->network, 1));
    if (!m->network.config.with_text) return UNSEEN_OK;
    return un_duet_mlm_pass_create(&m->training.mlm, &m->network.mlm, m->network.config.type, 1);
}

static un_status create(const un_method_setup *setup, un_method **out) {
    if (setup->data && setup->data->train->count == 0)
        return un_fail(UNSEEN_E_ARGUMENT, "there are no training images");
    duet_method *m = calloc(1, sizeof *m);
    if (!m) return un_fail_memory(sizeof *m);
    m->base.class = &un_method_duet;
    m->base.params.available = setup->available;
    m->R = setup->regions;
    m->F = setup->width;
    m->training.data = setup->data;
    un_status status = UNSEEN_OK;
    UN_GO(read_settings(setup->config, &m->arena, &m->settings));
    m->settings.seed = setup->seed;
    UN_GO(find_regressed(m, setup->classes));
    if (m->training.data) {
        UN_GO(un_duet_setup_texts(m, setup));
        UN_GO(un_duet_setup_sizes(m));
    } else {
        UN_GO(un_duet_load_spec(m, setup->spec));
    }
    UN_GO(declare(m, setup->precision));
    if (m->training.data) UN_GO(start_training(m, setup));
    *out = &m->base;
done:
    if (status) destroy(&m->base);
    return status;
}

static int unit_rows(const json_t *config) {
    (void)config;
    return 1;
}

static int made_of(const un_method *method, size_t semantics) {
    return ((const duet_method *)method)->regressed.selected[semantics];
}

static size_t steps_before(const un_method *method, size_t epoch) {
    return epoch * ((const duet_method *)method)->training.steps;
}

static double step_flops(const un_method *method) {
    return ((const duet_method *)method)->training.step_flops;
}

static void optimizer(const un_method *method, un_optimizer_settings *out) {
    *out = ((const duet_method *)method)->settings.optimizer;
}

static double learning_rate(const un_method *method, size_t epoch) {
    const duet_method *m = (const duet_method *)method;
    size_t drops = epoch / m->settings.lr_every;
    return m->settings.optimizer.lr * pow(m->settings.lr_decay, (double)drops);
}

static const un_method_learner g_learner = {.splits = 1,
                                            .steps_before = steps_before,
                                            .step = un_duet_step,
                                            .step_flops = step_flops,
                                            .optimizer = optimizer,
                                            .learning_rate = learning_rate,
                                            .plan = un_duet_plan,
                                            .freeze = un_duet_freeze};

static const un_method_maps g_maps = {.attend = un_duet_attention,
                                      .branches = DUET_ATTENTION_BRANCHES,
                                      .titles = un_duet_attention_titles,
                                      .grid = un_duet_attention_grid};

static const un_method_attribute_scores g_attribute_scores = {.score = un_duet_attributes,
                                                              .branches = 1,
                                                              .class_rows = un_duet_class_rows,
                                                              .made_of = made_of,
                                                              .scores_are_probabilities = 1};

static const un_method_text_probe g_text_probe = {.masked_prediction = un_duet_masked_prediction};

static const un_method_group_attention g_group_attention = {
    .attend = un_duet_group_attention,
    .title = "What the picture attends to in the text",
    .most = "of the text it attends most to",
    .whole = "the attention on the text"};

/* Regions, or the pixels themselves; which of them, the settings may say. */
static int takes(const json_t *config, un_features_kind kind) {
    duet_settings s;
    if (read_settings(config, NULL, &s)) return 0; /* not without an arena */
    if (s.image_side == DUET_IMAGE_REGIONS) return kind == UN_FEATURES_REGIONS;
    if (s.image_weights_path || s.image_side != DUET_IMAGE_AUTO) return kind == UN_FEATURES_PIXELS;
    return kind != UN_FEATURES_POOLED;
}

const un_method_class un_method_duet = {
    .name = "duet",
    .title = "DUET: Cross-modal Semantic Grounding for Contrastive Zero-shot Learning (AAAI 2023)",
    .score_unit = "probability",
    .input = UN_FEATURES_REGIONS,
    .trains_with_unseen_rows = 1,
    .losses = g_losses,
    .options = g_options,
    .presets = g_presets,
    .create = create,
    .destroy = destroy,
    .set_classes = un_duet_set_classes,
    .score = un_duet_score,
    .takes = takes,
    .unit_rows = unit_rows,
    .save_spec = un_duet_save_spec,
    .learner = &g_learner,
    .maps = &g_maps,
    .attribute_scores = &g_attribute_scores,
    .text_probe = &g_text_probe,
    .group_attention = &g_group_attention,
};
