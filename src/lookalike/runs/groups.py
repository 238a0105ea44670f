"""The groups of flags in `--help`, in their order: what most people use, then from the data to the run.

Nothing here imports torch, so that `--help` stays quick.
"""

from __future__ import annotations

from cyclopts import Group

_TITLES = {
    "Most used": "",
    "Data": "",
    "What to learn": "",
    "Method": "For GANs. 'lookalike describe METHOD' shows the values that a method takes.",
    "Network": "For GANs.",
    "Optimiser": "For GANs.",
    "Extra fakes": "Images beside those of G that D learns as fake.",
    "Score and search": "For GANs. All flags but --score are of the latent search: for the z whose image is closest.",
    "Splitting": "Large classes are split into sub-classes. --split-at splits the classes of other methods too.",
    "Threshold": "Known images set it: held-out ones, or all, each scored by what the others teach.",
    "Run": "",
}  # title -> a line below it
GROUPS = tuple(Group(title, line, sort_key=place) for place, (title, line) in enumerate(_TITLES.items()))
MOST_USED, DATA, LEARN, METHOD, NETWORK, OPTIMISER, EXTRA_FAKES, SCORE, SPLITTING, THRESHOLD, RUN = GROUPS
OF_PRESET, OF_METHOD = "the preset's", "the method's"  # defaults that these decide
