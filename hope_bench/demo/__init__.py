"""A drawn world with perfect ground truth, and the tiny CLIP and LVLM trained on it: everything runs offline.

Importing this package is cheap; torch, transformers and open_clip are imported by the training and quality modules only.
"""
