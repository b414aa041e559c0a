/*
 * test_duet.c - DUET as a method: gradients of whole steps by finite differences in
 * every variant that the golden data do not cover, losses by their definitions,
 * scores of a model that was created again, new classes, attention, and refusals.
 */
#include <math.h>

#include "duet_sample.h"
#include "method/duet/texts.h"
#include "tensor/kernels.h"

/* Regions, prompt and masked texts, with all that goes with them. */
static void test_gradients_regions(void **state) {
    (void)state;
    check_gradients((const char *const[]){"mask_pro=0", NULL}, R, F, 0);
    check_gradients((const char *const[]){"mask_pro=1", NULL}, R, F, 1);
    check_gradients((const char *const[]){"mask_pro=0.5", "accumulate=3", "dropout=0.2", NULL}, R,
                    F, 0);
}

static void test_gradients_variants(void **state) {
    (void)state;
    check_gradients((const char *const[]){"mask_pro=1", "reference=yes", NULL}, R, F, 0);
    check_gradients((const char *const[]){"mask_pro=0", "reference=yes", NULL}, R, F, 0);
    check_gradients((const char *const[]){"mask_pro=1", "cross_layers=2", NULL}, R, F, 0);
    check_gradients((const char *const[]){"mask_pro=0", "cross_layers=2", NULL}, R, F, 0);
    /* The prompt of all pictures behind masked texts. */
    check_gradients((const char *const[]){"mask_pro=0.5", "cross_layers=2", "accumulate=4", NULL},
                    R, F, 0);
    check_gradients((const char *const[]){"text=no", NULL}, R, F, 0);
    check_gradients((const char *const[]){"mask_pro=0", "project=no", "regress=all",
                                          "semantics=att,word", NULL},
                    R, F, 0);
}

static void test_gradients_pixels(void **state) {
    (void)state;
    check_gradients((const char *const[]){"mask_pro=0", NULL}, SIDE * SIDE, 3, 0);
    check_gradients((const char *const[]){"mask_pro=0", "image_hidden=12", "recompute=yes", NULL},
                    SIDE * SIDE, 3, 0);
    check_gradients(
        (const char *const[]){"mask_pro=1", "visual_tokens=logit", "distilled=yes", NULL},
        SIDE * SIDE, 3, 0);
}

/* Scores regress another description than the texts tell of, as with a knowledge graph's. */
static void test_gradients_semantics(void **state) {
    (void)state;
    check_gradients(
        (const char *const[]){"mask_pro=1", "semantics=word,att", "text_semantics=att", NULL}, R, F,
        0);
}

static void test_frozen(void **state) {
    (void)state;
    check_frozen("image_side=pixels");
}

/* ---- losses by definition ---- */

/* Cross-entropy over seen columns only, the squared error and the unseen share, written out. */
static void define_class_losses(const float *g, const float *att, const unsigned char *seen,
                                const int32_t *label, size_t n, double out[3]) {
    double share = 0;
    out[0] = out[1] = 0;
    for (size_t i = 0; i < n; i++) {
        double s[C], below = 0, all = 0, unseen = 0;
        for (size_t k = 0; k < C; k++) {
            s[k] = 0;
            for (size_t a = 0; a < A; a++) s[k] += (double)g[i * A + a] * (double)att[k * A + a];
            if (seen[k]) below += exp(s[k]);
            all += exp(s[k] + (seen[k] ? -1 : 1));
            if (!seen[k]) unseen += exp(s[k] + 1);
        }
        out[0] -= (s[label[i]] - log(below)) / (double)n;
        share += unseen / all / (double)n;
        for (size_t a = 0; a < A; a++)
            out[1] += pow((double)g[i * A + a] - (double)att[(size_t)label[i] * A + a], 2) /
                      (double)(n * A);
    }
    out[2] = -log(share);
}

static void test_class_losses(void **state) {
    (void)state;
    enum { n = 5 };
    float g[n * A], att[C * A], d[n * A], other[n * A];
    unsigned char seen[C];
    int32_t label[n];
    const double weight[DUET_CLASS_TERMS] = {1, 0.5, 0.25};
    double loss[DUET_CLASS_TERMS], expected[3], ends[2][3];
    un_rng rng = un_rng_stream(1, "test", 0);
    un_rng_fill_normal(&rng, g, n * A, 0, 1);
    un_rng_fill_normal(&rng, att, C * A, 0, 1);
    for (size_t k = 0; k < C; k++) seen[k] = k % 3 != 2;
    for (size_t i = 0; i < n; i++) label[i] = (int32_t)(3 * (i % 3));
    const duet_loss_classes classes = {C, A, att, seen};
    memset(d, 0, sizeof d);
    util_ok(un_duet_class_losses(&classes, weight, 0, g, label, n, loss, d));
    define_class_losses(g, att, seen, label, n, expected);
    for (size_t t = 0; t < 3; t++) util_near(loss[t], weight[t] * expected[t], 1e-9);
    for (size_t i = 0; i < n * A; i++) {
        for (int side = 0; side < 2; side++) {
            memcpy(other, g, sizeof g);
            other[i] += side ? 1e-3f : -1e-3f;
            define_class_losses(other, att, seen, label, n, ends[side]);
        }
        double slope = 0;
        for (size_t t = 0; t < 3; t++) slope += weight[t] * (ends[1][t] - ends[0][t]) / 2e-3;
        util_near((double)d[i], slope, 2e-4);
    }
    unsigned char all[C];
    memset(all, 1, sizeof all);
    const duet_loss_classes every = {C, A, att, all};
    util_ok(un_duet_class_losses(&every, weight, 0, g, label, n, loss, d));
    assert_true(loss[DUET_CALIBRATION] == 0);
}

/* Rows of the same class that are not the partner are not in the denominator at all. */
static double define_nce(const float *x, const int32_t *label, size_t B, size_t H, double T) {
    double total = 0;
    for (size_t i = 0; i < 2 * B; i++) {
        double below = 0, above = 0;
        for (size_t j = 0; j < 2 * B; j++) {
            double dot = 0, a = 0, b = 0;
            int partner = j % B == i % B;
            if (j == i || (!partner && label[j % B] == label[i % B])) continue;
            for (size_t h = 0; h < H; h++) {
                dot += (double)x[i * H + h] * (double)x[j * H + h];
                a += pow((double)x[i * H + h], 2);
                b += pow((double)x[j * H + h], 2);
            }
            double e = exp(dot / sqrt(a * b) / T);
            below += e;
            if (partner) above = e;
        }
        total -= log(above / below) / (double)(2 * B);
    }
    return total;
}

static void test_class_contrast(void **state) {
    (void)state;
    enum { B = 4, H = 6 };
    const int32_t label[B] = {2, 0, 2, 5};
    float x[2 * B * H], d[2 * B * H] = {0}, other[2 * B * H];
    double loss = 0;
    un_rng rng = un_rng_stream(2, "test", 0);
    un_rng_fill_normal(&rng, x, 2 * B * H, 0, 1);
    util_ok(un_duet_info_nce(x, label, B, H, 0.3, 0, 0.7, &loss, d));
    util_near(loss, 0.7 * define_nce(x, label, B, H, 0.3), 1e-9);
    for (size_t i = 0; i < 2 * B * H; i++) {
        double ends[2];
        for (int side = 0; side < 2; side++) {
            memcpy(other, x, sizeof x);
            other[i] += side ? 1e-3f : -1e-3f;
            ends[side] = define_nce(other, label, B, H, 0.3);
        }
        util_near((double)d[i], 0.7 * (ends[1] - ends[0]) / 2e-3, 2e-4);
    }
}

/* ---- life of a method ---- */

static void test_again(void **state) {
    (void)state;
    check_again(NULL, R, F);
    check_again((const char *const[]){"text=no", NULL}, R, F);
    check_again((const char *const[]){"cross_layers=2", NULL}, R, F);
    check_again((const char *const[]){"visual_tokens=logit", NULL}, SIDE * SIDE, 3);
}

/* The same step twice leaves the same bytes; another step others. */
static void test_repeatable(void **state) {
    (void)state;
    util_scene s;
    make_scene(&s, R, F);
    un_method *method = make_method(&s, (const char *const[]){"dropout=0.1", NULL});
    const int64_t *images = NULL;
    size_t count = 0, bytes = method->params.total * sizeof(float);
    float *grad = NULL;
    util_ok(un_alloc(method->params.total, sizeof *grad, &grad));
    double before = total_loss(method, 1);
    memcpy(grad, method->params.grad, bytes);
    assert_true(total_loss(method, 2) != before);
    util_ok(un_method_duet.learner->plan(method, 0, 3, &images, &count));
    for (size_t i = 0; i < count; i++)
        assert_true(images[i] >= 0 && images[i] < N && images[i] % 7 != 6);
    assert_true(total_loss(method, 1) == before);
    assert_memory_equal(grad, method->params.grad, bytes);
    util_near(un_method_duet.learner->learning_rate(method, 25),
              un_method_duet.learner->learning_rate(method, 0) * 0.64, 1e-12);
    free(grad);
    un_method_duet.destroy(method);
    util_scene_free(&s);
}

#include "tensor/kernels.h"
/* bf16 products stay near f32's. */
static void test_bf16(void **state) {
    (void)state;
    util_scene s;
    make_scene(&s, R, F);
    double loss[2];
    for (int type = 0; type < 2; type++) {
        json_t *config = make_config((const char *const[]){"mask_pro=1", NULL});
        const un_method_setup setup = {.classes = &s.classes,
                                       .regions = R,
                                       .width = F,
                                       .seed = 5,
                                       .precision = type ? UN_PRECISION_BF16 : UN_PRECISION_F32,
                                       .config = config,
                                       .data = &s.data};
        un_method *method = NULL;
        util_ok(un_method_duet.create(&setup, &method));
        loss[type] = total_loss(method, 0);
        un_method_duet.destroy(method);
        json_decref(config);
    }
    util_near(loss[1], loss[0], 2e-2 * loss[0]);
    util_scene_free(&s);
}

/* Every word of a name is one piece, and new words fall into letters. */
static void test_vocabulary(void **state) {
    (void)state;
    un_arena arena = {0};
    const un_attribute_groups_options options = {0};
    un_attribute_groups groups;
    char *text = NULL;
    un_wordpiece *words = NULL;
    un_token_list list = {0};
    util_ok(
        un_attribute_groups_make((char *const *)(uintptr_t)g_names, A, &options, &arena, &groups));
    util_ok(un_vocabulary_make(&groups, &text));
    util_ok(un_wordpiece_parse(&words, text, strlen(text), "test"));
    assert_int_equal(un_wordpiece_special(words, UN_TOKEN_PAD), UN_BERT_PAD);
    util_ok(un_wordpiece_encode(words, "wing color : hooked sea, dark red.", 34, &list));
    assert_int_equal(list.count, 9);
    util_ok(un_wordpiece_encode(words, "zebra", 5, &list));
    assert_int_equal(list.count, 14);
    for (size_t i = 0; i < list.count; i++)
        assert_int_not_equal(list.items[i], un_wordpiece_special(words, UN_TOKEN_UNK));
    un_token_list_free(&list);
    un_wordpiece_close(words);
    free(text);
    un_arena_free(&arena);
}

static void write_vocabulary(const char *path) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n:\n|\n,\n.\n", file);
    for (int c = 'a'; c <= 'z'; c++) fprintf(file, "%c\n##%c\n", c, c);
    assert_int_equal(fclose(file), 0);
}

/* Backbones from files: sizes and values are the files'. */
static void test_weights(void **state) {
    (void)state;
    enum { PICTURE = 32 };
    const char *shared = getenv("UNSEEN_SHARED");
    char weights[512], words[] = "/tmp/unseen-vocab-XXXXXX", sets[3][600];
    snprintf(weights, sizeof weights, "%s/golden/duet_step_weights_pub.safetensors",
             shared ? shared : "");
    un_safetensors file;
    if (un_safetensors_open(&file, weights) != UNSEEN_OK) {
        print_message("skipped: %s\n", un_error());
        skip();
    }
    int descriptor = mkstemp(words);
    assert_true(descriptor >= 0);
    fclose(fdopen(descriptor, "w"));
    write_vocabulary(words);
    snprintf(sets[0], sizeof sets[0], "text_weights=%s", weights);
    snprintf(sets[1], sizeof sets[1], "image_weights=%s", weights);
    snprintf(sets[2], sizeof sets[2], "vocab=%s", words);
    util_scene s;
    make_scene(&s, (size_t)PICTURE * PICTURE, 3);
    un_method *method =
        make_method(&s, (const char *const[]){sets[0], sets[1], sets[2], "max_length=16", NULL});
    size_t compared = 0;
    for (size_t i = 0; i < method->params.count; i++) {
        const un_param *item = &method->params.item[i];
        if (strncmp(item->name, "bert.", 5) != 0 && strncmp(item->name, "deit.", 5) != 0) continue;
        const un_st_entry *entry = un_safetensors_find(&file, item->name);
        assert_non_null(entry);
        assert_memory_equal(un_param_value(&method->params, i), entry->tensor.data,
                            item->count * sizeof(float));
        compared++;
    }
    assert_true(compared > 60);
    assert_true(isfinite(total_loss(method, 0)));
    un_method_duet.destroy(method);
    refuse(&s, (const char *const[]){sets[0], sets[2], "max_length=17", NULL}, UNSEEN_E_ARGUMENT,
           "positions");
    util_scene_free(&s);
    un_safetensors_close(&file);
    remove(words);
}

static void test_attention(void **state) {
    (void)state;
    util_scene s;
    make_scene(&s, R, F);
    un_method *method = make_method(&s, NULL);
    float maps[2 * A * R];
    set_parameters(method);
    util_fails(un_method_duet.maps->attend(method, s.rows, maps), UNSEEN_E_ARGUMENT, "classes");
    util_ok(un_method_duet.set_classes(method, &s.classes));
    util_ok(un_method_duet.maps->attend(method, s.rows, maps));
    for (size_t a = 0; a < 2 * A; a++) {
        double sum = 0;
        for (size_t r = 0; r < R; r++) sum += (double)maps[a * R + r];
        util_near(sum, 1, 1e-5);
    }
    /* Masked attributes of one group and length ask the same, but not by their names. */
    const duet_spec *spec = &((const duet_method *)method)->spec;
    size_t lengths[A];
    for (size_t a = 0; a < A; a++) lengths[a] = spec->name_begin[a + 1] - spec->name_begin[a];
    assert_int_equal(lengths[3], lengths[4]);
    assert_int_not_equal(lengths[3], lengths[5]);
    assert_memory_equal(maps + 3 * R, maps + 4 * R, R * sizeof *maps);
    assert_memory_not_equal(maps + 3 * R, maps + 5 * R, R * sizeof *maps);
    assert_memory_not_equal(maps + 3 * R, maps + 6 * R, R * sizeof *maps);
    assert_memory_not_equal(maps + (A + 3) * R, maps + (A + 4) * R, R * sizeof *maps);
    /* A name without words, as a model file may have one. */
    spec->name_begin[A - 1] = spec->name_begin[A];
    util_ok(un_method_duet.set_classes(method, &s.classes));
    util_ok(un_method_duet.maps->attend(method, s.rows, maps));
    for (size_t r = 0; r < R; r++) {
        util_near((double)maps[(A - 1) * R + r], 1.0 / R, 1e-6);
        util_near((double)maps[(2 * A - 1) * R + r], 1.0 / R, 1e-6);
    }
    un_method_duet.destroy(method);
    util_scene_free(&s);
}

/* One picture beside one text through the whole layer, which tells its cross attention: of words
 * (heads, words, T) or, `vision`, of the picture (heads, T, words). */
static float *layer_attention(duet_method *m, const float *features, const un_duet_text *text,
                              int vision) {
    const duet_image *image = m->network.image;
    size_t L = text->length, T = image->tokens, heads = m->network.config.text.heads;
    const size_t words[2] = {0, L}, places[2] = {0, T};
    int64_t ids[48];
    const float *x[DUET_SIDES] = {NULL, NULL};
    float *out = NULL;
    duet_xlayer_pass pass;
    for (size_t i = 0; i < L; i++) ids[i] = text->ids[i];
    const un_bert_batch batch = {.sequences = {1, words}, .ids = ids};
    const duet_xlayer_context context = {
        .params = &m->base.params, .type = UN_F32, .sequences = {{1, words}, {1, places}}};
    util_ok(un_alloc(heads * L * T, sizeof *out, &out));
    util_ok(
        un_bert_forward(&m->scoring.pass.bert, &m->base.params, &batch, NULL, &x[DUET_LANGUAGE]));
    util_ok(image->class->forward(m->scoring.pass.image, &m->base.params, features, 1, NULL,
                                  &x[DUET_VISION]));
    util_ok(un_duet_xlayer_pass_create(&pass, &m->network.xlayer[0], UN_F32, 0));
    pass.side[vision ? DUET_VISION : DUET_LANGUAGE].probabilities = out;
    util_ok(un_duet_xlayer_forward(&pass, &context, x));
    un_duet_xlayer_pass_free(&pass);
    return out;
}

/* Maps and shares are those of the layer itself, beside texts that method/duet/prompts.c makes. */
static void test_attention_is_the_layers(void **state) {
    (void)state;
    util_scene s;
    make_scene(&s, R, F);
    un_method *method = make_method(&s, NULL);
    duet_method *m = (duet_method *)method;
    float maps[2 * A * R];
    size_t T = R + 1, heads = 2;
    un_group_attention groups;
    set_parameters(method);
    util_ok(un_method_duet.set_classes(method, &s.classes));
    util_ok(un_method_duet.maps->attend(method, s.rows, maps));
    for (int branch = 0; branch < 2; branch++)
        for (size_t a = 0; a < A; a++) {
            unsigned char present[A] = {0};
            double sums[R] = {0}, total = 0;
            present[a] = 1;
            util_ok(un_duet_texts_make(m->words.texts, present, a, branch == 0, &m->words.text));
            assert_true(m->words.text.marked_count > 0);
            float *p = layer_attention(m, s.rows, &m->words.text, 0);
            for (size_t h = 0; h < heads; h++)
                for (size_t i = 0; i < m->words.text.marked_count; i++)
                    for (size_t r = 0; r < R; r++)
                        sums[r] += (double)
                            p[(h * m->words.text.length + m->words.text.marked[i]) * T + 1 + r];
            for (size_t r = 0; r < R; r++) total += sums[r];
            for (size_t r = 0; r < R; r++)
                util_near(maps[((size_t)branch * A + a) * R + r], sums[r] / total, 1e-5);
            free(p);
        }
    util_ok(un_method_duet.group_attention->attend(method, s.rows, &groups));
    assert_int_equal(groups.count, 4);
    assert_string_equal(groups.names[0], "bill shape");
    un_duet_texts_prompt(m->words.texts, &m->words.text);
    float *p = layer_attention(m, s.rows, &m->words.text, 1);
    double shares = 0;
    for (size_t g = 0; g < groups.count; g++) {
        double sum = 0;
        for (size_t h = 0; h < heads; h++)
            for (size_t i = m->spec.group[g][0]; i < m->spec.group[g][1]; i++)
                sum += (double)p[h * T * m->words.text.length + i] / (double)heads;
        util_near(groups.share[g], sum, 1e-5);
        util_near(groups.even[g],
                  (double)(m->spec.group[g][1] - m->spec.group[g][0]) /
                      (double)m->words.text.length,
                  1e-6);
        shares += sum;
    }
    assert_true(shares > 0 && shares < 1);
    free(p);
    un_method_duet.destroy(method);
    util_scene_free(&s);
}

/* Of pixels the maps have the grid of the patches. */
static void test_attention_of_pixels(void **state) {
    (void)state;
    enum { PATCHES = 4 };
    util_scene s;
    make_scene(&s, (size_t)SIDE * SIDE, 3);
    un_method *method = make_method(&s, NULL);
    float maps[2 * A * PATCHES];
    size_t h = SIDE, w = SIDE;
    set_parameters(method);
    un_method_grid(method, &h, &w);
    assert_int_equal(h, 2);
    assert_int_equal(w, 2);
    util_ok(un_method_duet.set_classes(method, &s.classes));
    util_ok(un_method_duet.maps->attend(method, s.rows, maps));
    for (size_t a = 0; a < 2 * A; a++) {
        double sum = 0;
        for (size_t r = 0; r < PATCHES; r++) sum += (double)maps[a * PATCHES + r];
        util_near(sum, 1, 1e-5);
    }
    un_method_duet.destroy(method);
    util_scene_free(&s);
}

static void test_refusals(void **state) {
    (void)state;
    util_scene s;
    make_scene(&s, R, F);
    refuse(&s, (const char *const[]){"image_side=pixels", NULL}, UNSEEN_E_ARGUMENT, "square");
    refuse(&s, (const char *const[]){"text_semantics=sent", NULL}, UNSEEN_E_ARGUMENT, "sent");
    refuse(&s, (const char *const[]){"heads=3", NULL}, UNSEEN_E_ARGUMENT, "heads");
    refuse(&s, (const char *const[]){"image_side=swin", NULL}, UNSEEN_E_ARGUMENT, "square");
    refuse(&s, (const char *const[]){"hidden=16", "project=no", NULL}, UNSEEN_E_ARGUMENT,
           "project");
    refuse(&s, (const char *const[]){"vocab=/nonexistent/v.txt", NULL}, UNSEEN_E_IO, "nonexistent");
    s.classes.semantics[0].attributes = NULL;
    refuse(&s, NULL, UNSEEN_E_ARGUMENT, "names of attributes");
    un_method_duet.destroy(make_method(&s, (const char *const[]){"text=no", NULL}));
    json_t *config = make_config(NULL), *spec = json_pack("{s:{s:i}}", "text", "width", 8);
    un_method *method = NULL;
    util_fails(open_method(&s, config, spec, &method), UNSEEN_E_FORMAT, "");
    json_decref(spec);
    util_scene_free(&s);
    /* What a damaged or a wicked model could say. */
    static const struct {
        const char *object, *key;
        int value;
        const char *part;
    } damages[] = {{"text", "heads", 3, "heads"},      {"text", "vocabulary", 0, "prompt"},
                   {"text", "vocabulary", 7, "word"},  {"text", "layers", 100000, "layers"},
                   {"text", "positions", 3, "prompt"}, {"image", "width", 16, "heads"}};
    make_scene(&s, R, F);
    un_method *whole = make_method(&s, NULL);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        util_ok(un_method_duet.save_spec(whole, &spec));
        util_ok(un_json_set(json_object_get(spec, damages[i].object), damages[i].key,
                            json_integer(damages[i].value)));
        util_fails(open_method(&s, config, spec, &method), UNSEEN_E_FORMAT, damages[i].part);
        json_decref(spec);
    }
    util_ok(un_method_duet.save_spec(whole, &spec));
    json_array_set_new(json_array_get(json_object_get(spec, "groups"), 0), 2, json_integer(1000));
    util_fails(open_method(&s, config, spec, &method), UNSEEN_E_FORMAT, "group");
    json_decref(spec);
    un_method_duet.destroy(whole);
    json_decref(config);
    util_scene_free(&s);
}

/* As published: Adam anew with every epoch, and mini-batches that fill no step go into the next
 * epoch's first. */
static void test_epochs_as_published(void **state) {
    (void)state;
    util_scene s;
    make_scene(&s, SIDE * SIDE, 3);
    static const char *const sets[] = {"reference=yes", "accumulate=3", NULL};
    const int64_t *images = NULL;
    size_t count[2] = {0};
    un_optimizer_settings settings;
    un_method *method = make_method(&s, sets);
    const duet_method *m = (const duet_method *)method;
    un_method_duet.learner->optimizer(method, &settings);
    assert_int_equal(settings.fresh, 1);
    size_t batches = s.train.count / m->training.batch_size;
    assert_int_equal(m->training.leftover, batches % 3);
    assert_true(m->training.leftover > 0);
    util_ok(un_method_duet.learner->plan(method, 0, 0, &images, &count[0]));
    util_ok(un_method_duet.learner->plan(method, 1, 0, &images, &count[1]));
    assert_true(count[1] >= (3 + m->training.leftover) * m->training.batch_size);
    /* The gradient of the step is that of the next epoch's own and of the mini-batches before. */
    double losses[UN_MAX_LOSSES];
    float *sum = NULL;
    util_ok(un_alloc(method->params.total, sizeof *sum, &sum));
    util_ok(un_method_duet.learner->step(method, 1, 0, losses));
    memcpy(sum, method->params.grad, method->params.total * sizeof *sum);
    size_t leftover = m->training.leftover;
    ((duet_method *)method)->training.leftover = 0;
    util_ok(un_method_duet.learner->step(method, 1, 0, losses));
    un_axpy(-1, method->params.grad, sum, method->params.total);
    ((duet_method *)method)->settings.accumulate = 1;
    for (size_t k = 0; k < leftover; k++) {
        util_ok(un_method_duet.learner->step(method, 0, m->training.steps * 3 + k, losses));
        un_axpy(-1.0f / 3, method->params.grad, sum, method->params.total);
    }
    double rest = 0;
    for (size_t i = 0; i < method->params.total; i++) rest = fmax(rest, fabs((double)sum[i]));
    util_near(rest, 0, 1e-4);
    free(sum);
    un_method_duet.destroy(method);
    util_scene_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients_regions),
        cmocka_unit_test(test_gradients_variants),
        cmocka_unit_test(test_gradients_pixels),
        cmocka_unit_test(test_gradients_semantics),
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_vocabulary),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_class_losses),
        cmocka_unit_test(test_class_contrast),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_repeatable),
        cmocka_unit_test(test_epochs_as_published),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_attention_is_the_layers),
        cmocka_unit_test(test_attention_of_pixels),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
