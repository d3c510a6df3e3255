"""FP-LIIF: face parsing with a local implicit image function (CVPR 2023)."""
