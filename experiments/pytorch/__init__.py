"""FP-LIIF in plain PyTorch: model, loss, augmentation and training, to compare the JAX ones with."""
