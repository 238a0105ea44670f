"""The site that `make docs` builds: the repository's Markdown as it is, and the reference from the docstrings.

Its source is the root of the repository, so that a link works on a code host and on the site alike.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]

project = "lookalike"
version = release = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
default_role = "code"  # single backquotes in docstrings
smartquotes = False  # quotes of code stay what they are
root_doc = "docs/site/index"
include_patterns = ["*.md", "docs/**.md", "examples/*.ipynb", "experiments/results/**.md"]
exclude_patterns = [".*", "benchmarks", "build", "runs", "src", "tests"]
suppress_warnings = ["misc.highlighting_failure"]  # commands with what they print

myst_heading_anchors = 4  # the anchors of code hosts
myst_links_external_new_tab = False
autodoc_typehints = "none"  # the docstrings give types, with shapes
autodoc_member_order = "bysource"
napoleon_google_docstring = False

nb_execution_mode = "off"  # tests run the notebooks; here they show what is stored

html_theme = "furo"
html_title = f"lookalike {version}"
html_copy_source = False
html_show_sphinx = False
linkcheck_anchors = False  # hosts that draw their pages by script have none
linkcheck_timeout = 20
