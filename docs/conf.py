"""Sphinx configuration: pages in Markdown, the API from docstrings, the gallery from the scripts of examples/."""

from importlib.metadata import version as installed_version

project = "leoreturns"
author = "The leoreturns authors"
copyright = author
version = release = installed_version("leoreturns")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
html_theme = "alabaster"
html_theme_options = {"description": "Earnings returns to education, at national scale"}

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

# The public names are those of leoreturns.__all__, wherever they are defined.
autosummary_generate = True
autosummary_imported_members = True
autosummary_ignore_module_all = False
autodoc_typehints = "none"
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "download_all_examples": False,
    "show_memory": False,
    "abort_on_example_error": True,
}
