"""Long searches for what loses a run or is believed although it is damaged. pytest does not collect them.

Tests show single cases; a campaign tries as many random ones as there is time for, and its file of results says
what was tried: python -m tests.campaigns.mutations --seed=0 --count=2000 --output=mutations.json
"""

import pathlib
import sys

_TESTS = pathlib.Path(__file__).parents[1]
sys.path[:0] = [
    str(_TESTS / "helpers"),
    str(_TESTS / "data_builders/prepared"),
]  # the tests' own modules
