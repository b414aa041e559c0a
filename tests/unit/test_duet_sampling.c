/*
 * test_duet_sampling.c - the draws of DUET's training step: the tables against
 * their definitions, and each draw's frequencies against its probabilities.
 *
 * A frequency is judged by Pearson's chi-square over k cells: by Laurent and
 * Massart (2000), P(X >= d + 2 sqrt(d t) + 2 t) <= exp(-t) for d = k - 1 degrees
 * of freedom; t = 18 leaves one false alarm in 10^7 tests. The seeds are fixed.
 */
#include "unit/util.h"

#include <math.h>

#include "base/file.h"
#include "method/duet/sampling.h"
#include "tensor/safetensors.h"

static const double T_BOUND = 18;
enum { C = 12, SEEN = 10, A = 12, PER_CLASS = 7, N = C * PER_CLASS, DRAWS = 20000 };

static const char VOCABULARY[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n:\n|\n,\n.\n";
static char *g_attributes[A] = {"has_eye::a",  "has_eye::b",  "has_eye::c",  "has_eye::d",
                                "has_diet::a", "has_diet::b", "has_diet::c", "has_diet::d",
                                "has_leg::a",  "has_leg::b",  "has_leg::c",  "has_leg::d"};

typedef struct {
    un_arena arena;
    un_wordpiece *wordpiece;
    un_attribute_groups groups;
    un_duet_texts *texts;
    float values[C * A];
    int32_t labels[N];
    int64_t train_items[N];
    un_index_list train;
    un_duet_sampler_settings settings;
    un_duet_sampler *sampler;
    un_duet_sample sample;
} scene;

/* Image i is of class i mod C; each seventh round is not for training, nor are the
 * last classes. A third of the values stands out, so that groups differ. */
static void make_scene(scene *s) {
    const un_attribute_groups_options o = {0};
    un_rng rng = un_rng_stream(5, "test", 0);
    *s = (scene){0};
    util_ok(un_wordpiece_parse(&s->wordpiece, VOCABULARY, sizeof VOCABULARY - 1, "test"));
    util_ok(un_attribute_groups_make(g_attributes, A, &o, &s->arena, &s->groups));
    util_ok(un_duet_texts_create(&s->texts, &s->groups, s->wordpiece, 64));
    for (size_t i = 0; i < C * A; i++)
        s->values[i] = (float)(0.2 * un_rng_uniform(&rng) + (un_rng_below(&rng, 3) == 0));
    for (size_t i = 0; i < N; i++) {
        s->labels[i] = (int32_t)(i % C);
        if (i % C < SEEN && i / C != 6) s->train_items[s->train.count++] = (int64_t)i;
    }
    s->train.items = s->train_items;
    s->settings = (un_duet_sampler_settings){.seed = 11,
                                             .texts = s->texts,
                                             .class_count = C,
                                             .attribute_count = A,
                                             .values = s->values,
                                             .threshold = NAN,
                                             .labels = s->labels,
                                             .train = &s->train,
                                             .attribute_miss = 0.5,
                                             .prune_attributes = 30};
}

static void open_scene(scene *s) {
    util_ok(un_duet_sampler_create(&s->sampler, &s->settings));
    util_ok(un_duet_sample_alloc(s->sampler, &s->arena, &s->sample));
}

static void close_scene(scene *s) {
    un_duet_sampler_free(s->sampler);
    un_duet_texts_free(s->texts);
    un_wordpiece_close(s->wordpiece);
    un_arena_free(&s->arena);
}

/* Counts against probabilities (sum 1); cells expected less than five times are
 * taken together, those of probability 0 must be empty. */
static void expect_frequencies(const char *what, const size_t *count, const double *p, size_t n) {
    double total = 0, chi = 0, rare_count = 0, rare = 0;
    size_t cells = 0;
    for (size_t i = 0; i < n; i++) total += (double)count[i];
    for (size_t i = 0; i < n; i++) {
        double expected = total * p[i];
        if (p[i] <= 0 && count[i] > 0) fail_msg("%s: impossible cell %zu", what, i);
        if (expected < 5) {
            rare += expected;
            rare_count += (double)count[i];
            continue;
        }
        chi += ((double)count[i] - expected) * ((double)count[i] - expected) / expected;
        cells++;
    }
    if (rare >= 5) {
        chi += (rare_count - rare) * (rare_count - rare) / rare;
        cells++;
    }
    assert_true(cells > 1 && total > 1000);
    double d = (double)cells - 1, bound = d + 2 * sqrt(d * T_BOUND) + 2 * T_BOUND;
    if (!(chi <= bound)) fail_msg("%s: chi-square %g over %zu cells > %g", what, chi, cells, bound);
}

/* ---- tables ---- */

static void test_tables(void **state) {
    (void)state;
    scene s;
    make_scene(&s);
    open_scene(&s);
    const un_duet_sampler *t = s.sampler;
    double least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < SEEN * A; i++) {
        least = fmin(least, (double)s.values[i]);
        most = fmax(most, (double)s.values[i]);
    }
    for (size_t a = 0; a < A; a++) {
        double mean = 0;
        size_t count = 0;
        for (size_t c = 0; c < C; c++) mean += (double)s.values[c * A + a] / C;
        for (size_t c = 0; c < C; c++) {
            assert_int_equal(t->present[c * A + a], (double)s.values[c * A + a] > mean);
            count += c < SEEN && t->present[c * A + a];
        }
        double f = count ? 1.0 / (double)(count + (a / 4 == 1 ? 3 : 0)) : 0; /* "diet" */
        util_near(t->frequency[a], f, 1e-15);
    }
    for (size_t i = 0; i < C; i++) {
        assert_int_equal(t->seen[i], i < SEEN);
        for (size_t j = 0; j < SEEN && i < SEEN; j++) {
            double sum = 0;
            for (size_t a = 0; a < A; a++)
                sum += fabs((double)s.values[i * A + a] - (double)s.values[j * A + a]);
            sum /= most - least;
            util_near(t->distance[i * C + j], i == j ? 1 : sum * sum, 1e-12 * (1 + sum * sum));
        }
    }
    close_scene(&s);
}

static void test_present(void **state) {
    (void)state;
    scene s;
    float binary[C * A];
    make_scene(&s);
    for (size_t i = 0; i < C * A; i++) binary[i] = i % 3 == 0;
    s.settings.binary = binary;
    open_scene(&s);
    for (size_t i = 0; i < C * A; i++) assert_int_equal(s.sampler->present[i], i % 3 == 0);
    un_duet_sampler_free(s.sampler);
    s.settings.binary = NULL;
    s.settings.threshold = 0.1;
    open_scene(&s);
    for (size_t i = 0; i < C * A; i++)
        assert_int_equal(s.sampler->present[i], (double)s.values[i] > 0.1);
    close_scene(&s);
}

/* attr01 as the reference computed it. */
static void test_golden_attr01(void **state) {
    (void)state;
    const char *shared = getenv("UNSEEN_SHARED");
    char path[1024];
    snprintf(path, sizeof path, "%s/golden/duet_step_masked_pub.safetensors", shared ? shared : "");
    if (!shared || !un_path_exists(path)) {
        print_message("skipped: no golden data in UNSEEN_SHARED\n");
        skip();
    }
    un_safetensors file;
    const un_st_entry *att = NULL, *seen = NULL, *want = NULL;
    util_ok(un_safetensors_open(&file, path));
    util_ok(un_safetensors_require(&file, "in.att", 2, &att));
    util_ok(un_safetensors_require(&file, "in.seen", 1, &seen));
    util_ok(un_safetensors_require(&file, "in.att01_seen", 2, &want));
    size_t classes = att->tensor.shape[0], width = att->tensor.shape[1];
    size_t seen_count = seen->tensor.shape[0];
    scene s;
    make_scene(&s);
    float *values = NULL;
    int64_t *images = NULL;
    int32_t *labels = NULL;
    char **names = NULL;
    util_ok(un_arena_alloc(&s.arena, classes * width, sizeof *values, &values));
    util_ok(un_arena_alloc(&s.arena, seen_count, sizeof *images, &images));
    util_ok(un_arena_alloc(&s.arena, classes, sizeof *labels, &labels));
    util_ok(un_arena_alloc(&s.arena, width, sizeof *names, (void *)&names));
    un_st_copy_f32(att, values);
    util_ok(un_st_copy_i64(seen, images)); /* image i is of class i */
    for (size_t c = 0; c < classes; c++) labels[c] = (int32_t)c;
    for (size_t a = 0; a < width; a++) names[a] = "x";
    const un_attribute_groups_options o = {0};
    un_duet_texts_free(s.texts);
    util_ok(un_attribute_groups_make(names, width, &o, &s.arena, &s.groups));
    util_ok(un_duet_texts_create(&s.texts, &s.groups, s.wordpiece, 64));
    s.train = (un_index_list){seen_count, images};
    s.settings.texts = s.texts;
    s.settings.class_count = classes;
    s.settings.attribute_count = width;
    s.settings.values = values;
    s.settings.labels = labels;
    open_scene(&s);
    for (size_t i = 0; i < seen_count; i++)
        for (size_t a = 0; a < width; a++)
            util_near(s.sampler->attr01[(size_t)images[i] * width + a],
                      un_element(want->tensor.dtype, want->tensor.data, i * width + a), 1e-6);
    close_scene(&s);
    un_safetensors_close(&file);
}

/* ---- draws ---- */

static void test_repeatable(void **state) {
    (void)state;
    scene s;
    un_duet_sample other;
    make_scene(&s);
    open_scene(&s);
    util_ok(un_duet_sample_alloc(s.sampler, &s.arena, &other));
    size_t differ = 0;
    for (size_t step = 0; step < 50; step++) {
        un_duet_draw(s.sampler, 3, step, 1, 0, 0, &s.sample);
        un_duet_draw(s.sampler, 3, step, 2, 0, 0, &other); /* something in between */
        differ += s.sample.pair[0].attribute != other.pair[0].attribute ||
                  memcmp(s.sample.pair[0].present, other.pair[0].present, A) != 0;
        un_duet_draw(s.sampler, 3, step, 1, 0, 0, &other);
        assert_int_equal(s.sample.has_contrast, other.has_contrast);
        for (size_t k = 0; k < (s.sample.has_contrast ? (size_t)UN_DUET_PAIRS : 1); k++) {
            assert_int_equal(s.sample.pair[k].image, other.pair[k].image);
            assert_int_equal(s.sample.pair[k].attribute, other.pair[k].attribute);
            assert_memory_equal(s.sample.pair[k].present, other.pair[k].present, A);
        }
    }
    assert_true(differ > 40);
    double u = un_duet_draw_policy(s.sampler, 1, 2);
    assert_true(u == un_duet_draw_policy(s.sampler, 1, 2));
    assert_true(u != un_duet_draw_policy(s.sampler, 2, 1));
    close_scene(&s);
}

/* p[a]: probability that class y's attribute a is masked. */
static void mask_probabilities(const un_duet_sampler *t, size_t y, double *p) {
    double least = INFINITY, most = -INFINITY, sum = 0;
    for (size_t a = 0; a < A; a++) {
        p[a] = 0;
        if (!t->present[y * A + a]) continue;
        least = fmin(least, t->frequency[a]);
        most = fmax(most, t->frequency[a]);
    }
    for (size_t a = 0; a < A; a++) {
        if (!t->present[y * A + a]) continue;
        p[a] = most > least ? (t->frequency[a] - least) / (most - least) : 1;
        sum += p[a];
    }
    for (size_t a = 0; a < A; a++) p[a] /= sum;
}

/* Classes in the order of D, those that `valid` marks; the first ⌊n/2⌋ + 1. */
static size_t ranked(const un_duet_sampler *t, size_t y, const int *valid, int farthest,
                     size_t *class) {
    size_t n = 0;
    int taken[C] = {0};
    for (;;) {
        size_t best = C;
        for (size_t c = 0; c < C; c++) {
            double d = t->distance[y * C + c], b = best < C ? t->distance[y * C + best] : 0;
            if (valid[c] && !taken[c] && (best == C || (farthest ? d > b : d < b))) best = c;
        }
        if (best == C) break;
        taken[best] = 1;
        class[n++] = best;
    }
    size_t half = n / 2 + 1;
    return half < n ? half : n;
}

/* p[c] of positives, ordered pairs p[c * C + d] of negatives; 0: there is none. */
static void positive_probabilities(const un_duet_sampler *t, size_t y, size_t m, double *p) {
    int valid[C];
    size_t class[C];
    double sum = 0;
    for (size_t c = 0; c < C; c++) {
        valid[c] = c < SEEN && t->present[c * A + m];
        p[c] = 0;
    }
    size_t n = ranked(t, y, valid, 1, class);
    for (size_t i = 0; i < n; i++) sum += t->distance[y * C + class[i]];
    for (size_t i = 0; i < n; i++) p[class[i]] = t->distance[y * C + class[i]] / sum;
}

static int negative_probabilities(const un_duet_sampler *t, size_t y, size_t m, double *p) {
    int valid[C];
    size_t class[C];
    double w[C] = {0}, sum = 0;
    for (size_t c = 0; c < C; c++) {
        int shares = 0, other = 0;
        for (size_t a = m / 4 * 4; a < m / 4 * 4 + 4; a++) {
            shares |= t->present[c * A + a] && t->present[y * A + a];
            other |= t->present[c * A + a] && !t->present[y * A + a];
        }
        valid[c] = c < SEEN && !shares && other;
    }
    size_t n = ranked(t, y, valid, 0, class);
    for (size_t i = 0; i < n; i++) sum += w[class[i]] = 1 / t->distance[y * C + class[i]];
    for (size_t i = 0; i < C * C; i++) {
        size_t c = i / C, d = i % C;
        p[i] = 0;
        if (w[c] <= 0 || w[d] <= 0) continue;
        if (n == 1)
            p[i] = 1;
        else if (c != d)
            p[i] = w[c] / sum * w[d] / (sum - w[c]);
    }
    return n > 0;
}

/* What must hold of every draw, whatever chance says. */
static void check_pairs(const scene *s, size_t y, int64_t image) {
    const un_duet_sampler *t = s->sampler;
    const un_duet_pair *p = s->sample.pair;
    assert_int_equal(p[0].image, image);
    for (size_t k = 0; k < (s->sample.has_contrast ? (size_t)UN_DUET_PAIRS : 1); k++) {
        int in_train = 0;
        for (size_t i = 0; i < s->train.count; i++) in_train |= s->train.items[i] == p[k].image;
        assert_true(k == 0 || in_train);
        assert_int_equal(s->labels[p[k].image], p[k].class);
        assert_true(p[k].present[p[k].attribute]);
        for (size_t a = 0; a < A; a++)
            assert_true(p[k].present[a] <= t->present[p[k].class * A + a]);
        for (size_t i = 0; i < k; i++) assert_true(p[i].image != p[k].image);
        assert_int_equal(p[k].attribute / 4, p[0].attribute / 4);
        assert_true(k < 2 || !t->present[y * A + p[k].attribute]);
    }
    if (!s->sample.has_contrast) return;
    assert_int_equal(p[1].attribute, p[0].attribute);
    assert_int_equal(p[2].class, p[3].class);
    assert_int_equal(p[4].class, p[5].class);
    double own = t->attr01[y * A + p[0].attribute];
    util_near(s->sample.mask_weight, own, 0);
    util_near(s->sample.contrast_weight, fmin(own, t->attr01[p[1].class * A + p[0].attribute]), 0);
}

static void test_classes(void **state) {
    (void)state;
    scene s;
    make_scene(&s);
    open_scene(&s);
    size_t contrasts = 0;
    for (size_t y = 0; y < 4; y++) {
        static size_t mask[A], positive[A * C], negative[A * C * C];
        static double p_mask[A], p_positive[A * C], p_negative[A * C * C];
        double total = 0;
        memset(mask, 0, sizeof mask);
        memset(positive, 0, sizeof positive);
        memset(negative, 0, sizeof negative);
        for (size_t i = 0; i < DRAWS; i++) {
            un_duet_draw(s.sampler, 0, i, y, (int64_t)y, y, &s.sample);
            check_pairs(&s, y, (int64_t)y);
            const un_duet_pair *p = s.sample.pair;
            size_t m = p[0].attribute;
            mask[m]++;
            if (!s.sample.has_contrast) continue;
            positive[m * C + p[1].class]++;
            negative[(m * C + p[2].class) * C + p[4].class]++;
        }
        mask_probabilities(s.sampler, y, p_mask);
        expect_frequencies("mask", mask, p_mask, A);
        for (size_t m = 0; m < A; m++) {
            positive_probabilities(s.sampler, y, m, p_positive + m * C);
            int any = negative_probabilities(s.sampler, y, m, p_negative + m * C * C);
            double share = any ? p_mask[m] : 0;
            for (size_t c = 0; c < C; c++) p_positive[m * C + c] *= share;
            for (size_t c = 0; c < C * C; c++) p_negative[m * C * C + c] *= share;
            total += share;
        }
        if (total <= 0) continue;
        contrasts++;
        for (size_t i = 0; i < A * C; i++) p_positive[i] /= total;
        for (size_t i = 0; i < A * C * C; i++) p_negative[i] /= total;
        expect_frequencies("positive", positive, p_positive, A * C);
        expect_frequencies("negative", negative, p_negative, A * C * C);
    }
    assert_true(contrasts >= 2);
    close_scene(&s);
}

/* Images, masks and dropped attributes of the pairs: given the class they are
 * independent of everything else. */
static void test_images_and_dropping(void **state) {
    (void)state;
    scene s;
    make_scene(&s);
    s.settings.attribute_miss = 0.3;
    open_scene(&s);
    static size_t image[N], other[A * A], dropped[2];
    static double p_image[N], p_other[A * A];
    double total = 0;
    size_t n = 0;
    for (size_t i = 0; i < DRAWS; i++) {
        un_duet_draw(s.sampler, 1, i, 0, 0, 0, &s.sample);
        if (!s.sample.has_contrast) continue;
        const un_duet_pair *p = &s.sample.pair[3];
        size_t count = 0;
        image[p->image]++;
        n++;
        for (size_t k = 0; k < s.train.count; k++)
            count += (size_t)s.labels[s.train.items[k]] == p->class;
        for (size_t k = 0; k < s.train.count; k++)
            if ((size_t)s.labels[s.train.items[k]] == p->class)
                p_image[s.train.items[k]] += 1 / (double)count;
        /* The negative's attribute: uniform among those of its class in the group. */
        size_t group = p->attribute / 4 * 4, has = 0;
        for (size_t a = group; a < group + 4; a++) has += s.sampler->present[p->class * A + a];
        for (size_t a = group; a < group + 4; a++)
            if (s.sampler->present[p->class * A + a]) p_other[p->class * A + a] += 1 / (double)has;
        other[p->class * A + p->attribute]++;
        for (size_t a = 0; a < A; a++)
            if (a != p->attribute && s.sampler->present[p->class * A + a]) dropped[p->present[a]]++;
    }
    assert_true(n > 1000);
    for (size_t i = 0; i < N; i++) p_image[i] /= (double)n;
    for (size_t i = 0; i < A * A; i++) total += p_other[i];
    for (size_t i = 0; i < A * A; i++) p_other[i] /= total;
    expect_frequencies("image", image, p_image, N);
    expect_frequencies("negative's mask", other, p_other, A * A);
    expect_frequencies("dropped", dropped, (const double[]){0.3, 0.7}, 2);
    close_scene(&s);
}

static void test_batches(void **state) {
    (void)state;
    enum { B = 9 };
    scene s;
    make_scene(&s);
    open_scene(&s);
    static size_t count[N], first[N], partner[N];
    static double p[N], p_partner[N];
    for (size_t step = 0; step < DRAWS / 4; step++) {
        int64_t images[B];
        util_ok(un_duet_draw_batch(s.sampler, 7, step, B, images));
        for (size_t i = 0; i < B; i++) {
            for (size_t k = 0; k < i; k++) assert_true(images[i] != images[k]);
            count[images[i]]++;
        }
        first[images[0]]++;
        int64_t chosen = un_duet_draw_partner(s.sampler, 7, step, 3, 14, 2);
        assert_true(chosen != 14 && s.labels[chosen] == 2);
        partner[chosen]++;
    }
    for (size_t i = 0; i < s.train.count; i++) p[s.train.items[i]] = 1 / (double)s.train.count;
    for (size_t i = 0; i < s.train.count; i++)
        if (s.labels[s.train.items[i]] == 2 && s.train.items[i] != 14)
            p_partner[s.train.items[i]] = 0.2;
    expect_frequencies("batch", count, p, N);
    expect_frequencies("first of a batch", first, p, N);
    expect_frequencies("partner", partner, p_partner, N);
    int64_t all[N];
    util_ok(un_duet_draw_batch(s.sampler, 0, 0, s.train.count, all));
    for (size_t i = 0; i < s.train.count; i++)
        for (size_t k = 0; k < i; k++) assert_true(all[i] != all[k]);
    util_fails(un_duet_draw_batch(s.sampler, 0, 0, s.train.count + 1, all), UNSEEN_E_ARGUMENT,
               "make it smaller");
    close_scene(&s);
}

static void test_policy(void **state) {
    (void)state;
    scene s;
    make_scene(&s);
    open_scene(&s);
    size_t below[2] = {0};
    for (size_t step = 0; step < DRAWS; step++)
        below[un_duet_draw_policy(s.sampler, 2, step) < 0.4]++;
    expect_frequencies("policy", below, (const double[]){0.6, 0.4}, 2);
    close_scene(&s);
}

/* ---- pruning ---- */

static void test_pruning(void **state) {
    (void)state;
    scene s;
    make_scene(&s);
    float binary[C * A];
    for (size_t i = 0; i < C * A; i++) binary[i] = i % 5 != 0;
    s.settings.binary = binary;
    s.settings.attribute_miss = 0;
    size_t prompt = un_duet_texts_prompt_pieces(s.texts);
    s.settings.prune_pieces = prompt + 6;
    open_scene(&s);
    size_t fullest = 0;
    for (size_t step = 0; step < 500; step++) {
        un_duet_draw(s.sampler, 0, step, 0, 0, 0, &s.sample);
        const un_duet_pair *p = &s.sample.pair[0];
        size_t n = un_duet_texts_pieces(s.texts, p->present);
        assert_true(n <= prompt + 6 && p->present[p->attribute]);
        for (size_t a = 0; a < A; a++) assert_true(p->present[a] <= s.sampler->present[a]);
        if (n > fullest) fullest = n;
    }
    assert_true(fullest >= prompt + 5);
    un_duet_sampler_free(s.sampler);
    s.settings.prune_attributes = 1; /* the masked one and one more */
    open_scene(&s);
    for (size_t step = 0; step < 100; step++) {
        size_t n = 0;
        un_duet_draw(s.sampler, 0, step, 0, 0, 0, &s.sample);
        for (size_t a = 0; a < A; a++) n += s.sample.pair[0].present[a];
        assert_true(n >= 1 && n <= 2);
    }
    un_duet_sampler_free(s.sampler);
    s.settings.prune_pieces = 1; /* no text is that short: the masked one alone stays */
    open_scene(&s);
    un_duet_draw(s.sampler, 0, 0, 0, 0, 0, &s.sample);
    assert_int_equal(un_duet_texts_pieces(s.texts, s.sample.pair[0].present), prompt + 1);
    close_scene(&s);
}

/* ---- odd data ---- */

static void test_odd_data(void **state) {
    (void)state;
    scene s;
    float binary[C * A] = {0};
    make_scene(&s);
    s.settings.binary = binary; /* nobody has anything */
    open_scene(&s);
    un_duet_draw(s.sampler, 0, 0, 0, 0, 0, &s.sample);
    assert_false(s.sample.has_mask || s.sample.has_contrast);
    assert_true(s.sample.pair[0].attribute == UN_NO_ATTRIBUTE);
    un_duet_sampler_free(s.sampler);
    /* All classes alike in value: distances are zero, draws still work. */
    for (size_t i = 0; i < C * A; i++) {
        s.values[i] = 0.5F;
        binary[i] = i % A == i / A % 4;
    }
    open_scene(&s);
    for (size_t step = 0; step < 100; step++) {
        un_duet_draw(s.sampler, 0, step, 0, 0, 0, &s.sample);
        assert_true(s.sample.has_contrast);
        check_pairs(&s, 0, 0);
    }
    un_duet_sampler_free(s.sampler);
    /* One image a class: partners and negatives repeat it. */
    s.train.count = 8;
    open_scene(&s);
    assert_int_equal(un_duet_draw_partner(s.sampler, 0, 0, 0, 3, 3), 3);
    un_duet_draw(s.sampler, 0, 0, 0, 0, 0, &s.sample);
    assert_true(s.sample.has_contrast);
    assert_int_equal(s.sample.pair[2].image, s.sample.pair[3].image);
    close_scene(&s);
}

static void test_bad_settings(void **state) {
    (void)state;
    scene s;
    un_duet_sampler *t = NULL;
    make_scene(&s);
    un_duet_sampler_settings o = s.settings;
    o.attribute_count = A - 1;
    util_fails(un_duet_sampler_create(&t, &o), UNSEEN_E_ARGUMENT, "another data set");
    o = s.settings;
    o.attribute_miss = NAN;
    util_fails(un_duet_sampler_create(&t, &o), UNSEEN_E_ARGUMENT, "not a probability");
    o = s.settings;
    o.class_count = SEEN - 1;
    util_fails(un_duet_sampler_create(&t, &o), UNSEEN_E_ARGUMENT, "is of class");
    s.values[5] = INFINITY;
    util_fails(un_duet_sampler_create(&t, &s.settings), UNSEEN_E_ARGUMENT, "not a number");
    s.train.count = 0;
    util_fails(un_duet_sampler_create(&t, &s.settings), UNSEEN_E_ARGUMENT, "no image");
    close_scene(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),        cmocka_unit_test(test_present),
        cmocka_unit_test(test_golden_attr01), cmocka_unit_test(test_repeatable),
        cmocka_unit_test(test_classes),       cmocka_unit_test(test_images_and_dropping),
        cmocka_unit_test(test_batches),       cmocka_unit_test(test_policy),
        cmocka_unit_test(test_pruning),       cmocka_unit_test(test_odd_data),
        cmocka_unit_test(test_bad_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
