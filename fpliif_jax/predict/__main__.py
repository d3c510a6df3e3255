"""Labels photos with a trained model: python -m fpliif_jax.predict --workdir=RUN --output_dir=D photo.jpg …"""

import sys

from fpliif_jax.data_builders import standard_streams
from fpliif_jax.predict.label_photos import main

if __name__ == "__main__":
    standard_streams.outlive_readers()
    sys.exit(main())
