"""`python -m handgrad.fast_layers.build`: compile the fast layers, into the folder where this package lies.

Nobody needs to: without it NumPy does the work. It needs a C compiler, Cython and setuptools, and takes half
a minute. `setup.py` takes the description of the extension from here.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

NAME = "handgrad.fast_layers._compiled"


def extension(folder: str, **options):
    """Describe the extension.

    Args:
        folder: that of fast_layers, with forward slashes.
        options: what else setuptools.Extension is to know.
    Returns:
        the setuptools.Extension.
    """
    from setuptools import Extension

    kernels = f"{folder}/kernels"
    headers = ("kernels", "each_type", "conv_template", "passes_template")
    return Extension(
        NAME,
        [f"{folder}/_compiled.pyx", f"{kernels}/kernels.c"],
        depends=[f"{kernels}/{name}.h" for name in headers],
        include_dirs=[folder],
        # Nobody asks errno about the root of a negative number, so loops with roots may become vectors.
        extra_compile_args=["-O3", "-fno-math-errno", "-fno-trapping-math"],
        **options,
    )


def main() -> int:
    """Build.

    Returns:
        the exit status: 0, or 1 after saying why nothing was built.
    """
    folder = Path(__file__).resolve().parent
    if not os.access(folder, os.W_OK):
        return _refuse(f"{folder} may not be written to.")
    try:
        from Cython.Build import cythonize
        from setuptools import Distribution
        from setuptools.errors import BaseError, CCompilerError
    except ImportError as error:
        return _refuse(f"{error.name} is not installed: pip install 'cython>=3' setuptools")
    print("Compiling; this takes half a minute ...", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        modules = cythonize([extension(folder.as_posix())], build_dir=scratch, quiet=True)
        distribution = Distribution({"name": "handgrad", "ext_modules": modules})
        command = distribution.get_command_obj("build_ext")
        command.build_lib, command.build_temp = scratch, scratch
        try:
            command.ensure_finalized()
            command.run()
        except (BaseError, CCompilerError, OSError) as error:
            return _refuse(f"The compiler failed: {error}")
        built = Path(command.get_ext_fullpath(NAME))
        new = folder / f".{built.name}"
        shutil.copyfile(built, new)
        os.replace(new, folder / built.name)  # at once: a notebook that runs may have the old one open
    print(f"Built {folder / built.name}\nRestart the kernels of running notebooks to use it.")
    return 0


def _refuse(reason: str) -> int:
    print(f"The fast layers were not compiled. {reason}\nThey go on working with NumPy.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
