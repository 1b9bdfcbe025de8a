"""The one part of the build that pyproject.toml cannot say: a compiled extension that may fail to build.

Without a compiler the package installs all the same; `python -m handgrad.fast_layers` says which backend
is in use and why.
"""

import runpy

from setuptools import setup

build = runpy.run_path("handgrad/fast_layers/build.py")
setup(ext_modules=[build["extension"]("handgrad/fast_layers", optional=True)])
