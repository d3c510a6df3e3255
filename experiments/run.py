"""The former name of `experiments.reproduce`."""

import sys

if __name__ == "__main__":
    sys.exit("error: experiments.run is called experiments.reproduce now, with the same arguments")
