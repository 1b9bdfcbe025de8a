"""The one part of the build that pyproject.toml cannot say: a compiled extension that may fail to build.

Without a compiler the package installs all the same; `python -m handgrad.fast_layers` says which backend
is in use and why.
"""

from setuptools import Extension, setup

KERNELS = "handgrad/fast_layers/kernels"

setup(
    ext_modules=[
        Extension(
            "handgrad.fast_layers._compiled",
            ["handgrad/fast_layers/_compiled.pyx", f"{KERNELS}/conv.c"],
            depends=[f"{KERNELS}/{name}.h" for name in ("conv", "conv_types", "conv_template")],
            include_dirs=["handgrad/fast_layers"],
            extra_compile_args=["-O3"],
            optional=True,
        ),
    ]
)
