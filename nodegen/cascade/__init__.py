"""The cascade: generators from coarse to fine, at work and in training (SinGAN)."""
