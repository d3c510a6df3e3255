"""The test of Fig. 5 of STN-iCNN: python -m experiments.robustness."""
