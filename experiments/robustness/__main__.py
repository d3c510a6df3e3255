"""The test of Fig. 5 of STN-iCNN: python -m experiments.robustness --workdir=runs/stn_icnn_helen/seed0"""

import sys

from fpliif_jax.data_builders import standard_streams
from fpliif_jax.experiments.robustness.measure import main

if __name__ == "__main__":
    standard_streams.outlive_readers()
    sys.exit(main())
