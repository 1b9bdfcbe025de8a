"""Fetch a data set of the course.

    python datasets/get_datasets.py list
    python datasets/get_datasets.py cifar10 [--into DIR]

The archive comes from the first mirror in registry.toml that has it, is checked against its sha256 and
unpacked. An interrupted download goes on where it stopped when the command is given again. Needs nothing
but Python.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import os
import sys
import tarfile
import tempfile
import tomllib
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
BLOCK = 1 << 20  # bytes
TIMEOUT = 30  # seconds without a byte


class DownloadError(Exception):
    """The data set could not be had; the message says why and what to do."""


@dataclass(frozen=True)
class Dataset:
    """An entry of registry.toml."""

    title: str
    homepage: str
    licence: str
    file: str
    size: int
    sha256: str
    folder: str
    urls: list[str]


def read_registry(path: Path = HERE / "registry.toml") -> dict[str, Dataset]:
    """The data sets by name."""
    return {name: Dataset(**entry) for name, entry in tomllib.loads(path.read_text(encoding="utf-8")).items()}


def get(dataset: Dataset, into: Path) -> Path:
    """Download, check and unpack, unless that is done already.

    Args:
        dataset: what to get.
        into: the folder to put it in; made if missing.
    Returns:
        the folder with the data.
    Raises:
        DownloadError: no mirror has the right file, or the archive is not safe to unpack.
    """
    target = into / dataset.folder
    if target.is_dir():
        print(f"{target} is there already.")
        return target
    into.mkdir(parents=True, exist_ok=True)
    archive = into / dataset.file
    if not _is_right(archive, dataset):
        _download(dataset, archive)
    _unpack(archive, dataset, target)
    archive.unlink()
    print(f"{target} is ready.")
    return target


def _download(dataset: Dataset, archive: Path) -> None:
    """Try the mirrors in order until the right file lies at `archive`."""
    partial = archive.with_name(archive.name + ".part")
    failures = []
    for url in dataset.urls:
        for _ in range(
            2 if partial.exists() else 1
        ):  # what an earlier try left may be bad: then from the start
            print(f"Downloading {url} ({dataset.size / 1e6:.0f} MB)")
            try:
                _fetch(url, partial, dataset.size)
            except (OSError, http.client.HTTPException) as error:  # URLError and time-outs are OSErrors
                failures.append(f"{url}: {error}")
                break
            if _is_right(partial, dataset):
                partial.replace(archive)
                return
            partial.unlink()
            failures.append(f"{url}: what arrived has another sha256 than the registry says")
    raise DownloadError(
        f"No mirror delivered {dataset.file}:\n  "
        + "\n  ".join(failures)
        + f"\nIf there is no network here, fetch it elsewhere from one of them, put it at\n  {archive}"
        "\nand give this command again. Until then the notebooks use Shapes-10, which needs no download."
    )


def _fetch(url: str, partial: Path, size: int) -> None:
    """Bring `partial` to `size` bytes, going on where an earlier try stopped if the server can."""
    done = partial.stat().st_size if partial.exists() else 0
    if done >= size:
        partial.unlink()
        done = 0
    request = urllib.request.Request(url, headers={"User-Agent": "handgrad", **_range(done)})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        if response.status != 206:  # the server sends the whole file
            done = 0
        offered = response.headers.get("Content-Length")
        if offered is not None and int(offered) != size - done:
            raise OSError(f"the server offers {offered} bytes, expected {size - done}")
        with partial.open("ab" if done else "wb") as file:
            while done < size and (block := response.read(min(BLOCK, size - done))):
                file.write(block)
                done += len(block)
                _show_progress(done, size)
    if done < size:
        raise OSError(f"the connection ended after {done} of {size} bytes; give the command again to go on")


def _range(done: int) -> dict[str, str]:
    return {"Range": f"bytes={done}-"} if done else {}


def _show_progress(done: int, size: int) -> None:
    if sys.stdout.isatty():
        print(f"\r{done / 1e6:.0f} of {size / 1e6:.0f} MB", end="\n" if done == size else "", flush=True)


def _is_right(path: Path, dataset: Dataset) -> bool:
    if not path.is_file() or path.stat().st_size != dataset.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == dataset.sha256


def _unpack(archive: Path, dataset: Dataset, target: Path) -> None:
    """Unpack beside the target, then rename: the target is either whole or not there."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".unpacking-") as temporary:
        try:
            with tarfile.open(archive) as tar:
                for member in tar.getmembers():
                    if not (member.isfile() or member.isdir()):
                        raise DownloadError(
                            f"{archive} holds {member.name}, which is neither a file nor a folder"
                        )
                tar.extractall(temporary, filter="data")
        except (tarfile.TarError, OSError, EOFError) as error:
            raise DownloadError(f"{archive} cannot be unpacked: {error}. Delete it and try again.") from None
        unpacked = Path(temporary) / dataset.folder
        if not unpacked.is_dir():
            raise DownloadError(f"{archive} holds no folder {dataset.folder}. Delete it and try again.")
        unpacked.replace(target)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    registry = read_registry()
    parser = argparse.ArgumentParser(description="Fetch a data set of the course.")
    parser.add_argument("name", choices=["list", *registry], help="a data set, or list to see what there is")
    parser.add_argument(
        "--into",
        type=Path,
        default=Path(os.environ.get("HANDGRAD_DATA") or HERE),
        help="folder (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    if options.name == "list":
        for name, dataset in registry.items():
            print(f"{name}: {dataset.title}; {dataset.size / 1e6:.0f} MB")
            print(f"  {dataset.homepage}\n  {dataset.licence}")
        return 0
    try:
        get(registry[options.name], options.into)
    except DownloadError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
