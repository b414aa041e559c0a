"""The shape of DUET's CUB preset, for both halves of duet.py: widths, words, layers, one epoch."""
H, HEADS, INNER, WORDS, A, C, B, SIZE, PATCH, DEPTH = 768, 12, 3072, 30522, 312, 200, 7, 224, 16, 12
GROUPS, MASK, IMAGES, ACCUMULATE, MASK_PRO = 26, 103, 7057, 10, 0.4
TOKENS = (SIZE // PATCH) ** 2 + 1           # CLS and patches; the distillation token stays behind
KINDS = {"masked": 1, "prompt": 0}
