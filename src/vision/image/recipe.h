/*
 * recipe.h - how a picture becomes a network's input: resize, crop, scale. A recipe
 * belongs to a backbone file's metadata (JSON under "preprocess") and travels with
 * the features and the model made from it.
 *
 *     {"resize": 256, "square": false, "crop": 224, "interpolation": "bilinear",
 *      "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
 *
 * resize   the shorter side becomes this, the longer int(resize * long / short);
 *          with "square" both sides do
 * crop     the side of the central square that is left; offset round((size - crop) / 2),
 *          half to even; at most `resize`
 * mean/std of R, G, B after division by 255
 * orientation  "exif": pictures are turned first as their EXIF orientation demands; "stored" or
 *          missing: they are not. Of a backbone file it is not looked at: the data set says it
 */
#ifndef UN_VISION_RECIPE_H
#define UN_VISION_RECIPE_H

#include "base/file_kind.h"
#include "base/json.h"
#include "vision/image/image.h"

typedef struct {
    size_t resize, crop; /* pixels, 1 to 4096 */
    int square;
    un_interpolation interpolation;
    float mean[3], std[3];
    un_orientation orientation;
} un_recipe;

/* Where a crop lies in the picture that it was taken from. */
typedef struct {
    double x, y, width, height; /* of the crop, in pixels of the decoded picture */
} un_crop_box;

/* torchvision's: 256/224 bilinear, ImageNet mean and deviation. */
void un_recipe_default(un_recipe *out);
/* Reads the JSON text above; missing keys keep the default's values, unknown ones are errors.
 * `where` is for the sentence. */
un_status un_recipe_parse(const char *text, const char *where, un_recipe *out);
/* A new reference. */
json_t *un_recipe_json(const un_recipe *recipe);
/* Changes the recipe to give pictures of `size`. A size other than the recipe's own crops
 * nothing off the shorter side: resize = crop = size, as the field makes 448 x 448 region maps
 * with a network trained on 224 of 256. Fails on another size than 1 to 4096. */
un_status un_recipe_rescale(un_recipe *recipe, size_t size);

/* Resize and crop: out is (crop, crop, 3). `box` may be NULL. */
un_status un_recipe_crop(const un_recipe *recipe, const un_image *image, un_image *out,
                         un_crop_box *box);
/* Where the crop of a picture of width x height pixels, both at least 1, lies in it. */
void un_recipe_box(const un_recipe *recipe, size_t width, size_t height, un_crop_box *box);
/* (pixels / 255 - mean) / std in f32: out[crop * crop * 3], channels last. */
void un_recipe_normalize(const un_recipe *recipe, const un_image *crop, float *out);

#endif
