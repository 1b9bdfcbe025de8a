"""Fetching data sets, against a real server on this machine: mirrors, resuming, checks, refusals."""

import hashlib
import importlib.util
import io
import socket
import subprocess
import sys
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "datasets" / "get_datasets.py"
specification = importlib.util.spec_from_file_location("get_datasets", SCRIPT)
get_datasets = importlib.util.module_from_spec(specification)
sys.modules["get_datasets"] = get_datasets
specification.loader.exec_module(get_datasets)


def archive_of(*members):
    """A .tar.gz of (name, bytes) files and ready-made TarInfos."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return out.getvalue()


IMAGES = bytes(range(256)) * 1000
GOOD = archive_of(("batches/data_batch_1", IMAGES), ("batches/readme.html", b"hello"))


class Server(ThreadingHTTPServer):
    """Serves GOOD below several names, each with its own behaviour, and keeps the requests."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []
        self.content = GOOD

    def url(self, name):
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        name, start = self.path.strip("/"), 0
        self.server.requests.append((name, self.headers.get("Range")))
        body = self.server.content
        if name == "missing":
            self.send_error(404)
            return
        if name == "wrong":
            body = bytes(len(body))
        if name == "page":
            body = b"<html>please log in</html>"
        if self.headers.get("Range") and name != "norange":
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        body = body[start:]
        self.wfile.write(body[: len(body) // 2] if name == "cut" else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def dataset(server, *names, content=GOOD):
    server.content = content
    sha256, urls = hashlib.sha256(content).hexdigest(), [server.url(name) for name in names]
    return get_datasets.Dataset("Test", "home", "none", "data.tar.gz", len(content), sha256, "batches", urls)


def assert_only_the_data_are_there(folder):
    assert [p.name for p in folder.iterdir()] == ["batches"]
    assert (folder / "batches" / "data_batch_1").read_bytes() == IMAGES


def test_data_arrive_unpacked_and_are_not_fetched_twice(server, tmp_path, capsys):
    into = tmp_path / "new" / "folder"
    assert get_datasets.get(dataset(server, "good"), into) == into / "batches"
    assert_only_the_data_are_there(into)
    get_datasets.get(dataset(server, "good"), into)
    assert server.requests == [("good", None)]
    assert "is there already" in capsys.readouterr().out


@pytest.mark.parametrize("broken", ["missing", "wrong", "page", "cut"])
def test_next_mirror_helps_when_one_is_broken(server, tmp_path, broken):
    get_datasets.get(dataset(server, broken, "good"), tmp_path)
    assert_only_the_data_are_there(tmp_path)
    assert [name for name, _ in server.requests] == [broken, "good"]


def test_cut_download_goes_on_where_it_stopped(server, tmp_path):
    with pytest.raises(
        get_datasets.DownloadError, match=r"ended after \d+ of \d+ bytes; give the command again"
    ):
        get_datasets.get(dataset(server, "cut"), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["data.tar.gz.part"]
    get_datasets.get(dataset(server, "good"), tmp_path)
    assert server.requests[-1] == ("good", f"bytes={len(GOOD) // 2}-")
    assert_only_the_data_are_there(tmp_path)


def test_server_that_cannot_go_on_sends_it_all_again(server, tmp_path):
    (tmp_path / "data.tar.gz.part").write_bytes(GOOD[:100])
    get_datasets.get(dataset(server, "norange"), tmp_path)
    assert server.requests == [("norange", "bytes=100-")]
    assert_only_the_data_are_there(tmp_path)


@pytest.mark.parametrize("left", [b"x" * 100, b"x" * len(GOOD), b"x" * 2 * len(GOOD)])
def test_bad_part_of_an_earlier_try_is_replaced(server, tmp_path, left):
    (tmp_path / "data.tar.gz.part").write_bytes(left)
    get_datasets.get(dataset(server, "good"), tmp_path)
    assert_only_the_data_are_there(tmp_path)


def test_file_fetched_by_hand_is_used(server, tmp_path):
    (tmp_path / "data.tar.gz").write_bytes(GOOD)
    get_datasets.get(dataset(server, "missing"), tmp_path)
    assert server.requests == []
    assert_only_the_data_are_there(tmp_path)


def test_wrong_hash_is_never_unpacked(server, tmp_path):
    with pytest.raises(get_datasets.DownloadError, match="another sha256"):
        get_datasets.get(dataset(server, "wrong"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_offline_message_names_all_addresses_and_the_way_by_hand(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    urls = [f"http://127.0.0.1:{port}/{name}" for name in "ab"]
    data = get_datasets.Dataset("T", "h", "l", "data.tar.gz", 10, "0" * 64, "batches", urls)
    with pytest.raises(get_datasets.DownloadError) as caught:
        get_datasets.get(data, tmp_path)
    for words in (*urls, "refused", str(tmp_path / "data.tar.gz"), "Shapes-10"):
        assert words in str(caught.value)


def _link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "member",
    [
        ("../escaped", b"x"),
        ("/tmp/handgrad-escaped", b"x"),
        _link("batches/link", "/etc/passwd"),
        _link("batches/link", "../../escaped", tarfile.LNKTYPE),
        _link("batches/fifo", "", tarfile.FIFOTYPE),
    ],
    ids=["parent", "absolute", "symlink", "hard link", "fifo"],
)
def test_unsafe_archives_leave_nothing_behind(server, tmp_path, member):
    content = archive_of(("batches/data_batch_1", IMAGES), member)
    into = tmp_path / "into"
    if isinstance(member, tuple) and member[0].startswith(
        "/"
    ):  # tarfile takes the slash away: it stays inside
        get_datasets.get(dataset(server, "good", content=content), into)
        assert not Path(member[0]).exists()
        return
    with pytest.raises(get_datasets.DownloadError, match=r"cannot be unpacked|neither a file nor a folder"):
        get_datasets.get(dataset(server, "good", content=content), into)
    assert [p.name for p in into.iterdir()] == ["data.tar.gz"]
    assert [p.name for p in tmp_path.iterdir()] == ["into"]


def test_archive_without_the_folder_is_refused(server, tmp_path):
    with pytest.raises(get_datasets.DownloadError, match="no folder batches"):
        get_datasets.get(dataset(server, "good", content=archive_of(("other/file", b"x"))), tmp_path)


def test_registry_holds_the_official_cifar10():
    cifar10 = get_datasets.read_registry()["cifar10"]
    assert cifar10.urls[0] == "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    assert cifar10.sha256 == "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
    assert cifar10.size == 170498071
    assert all(url.startswith("https://") for url in cifar10.urls)


def test_command_line_lists_and_runs_without_other_packages():
    command = [sys.executable, "-I", "-S", str(SCRIPT)]  # -S: no site-packages
    listed = subprocess.run([*command, "list"], capture_output=True, text=True, check=True)
    assert "cifar10: CIFAR-10" in listed.stdout
    assert "170 MB" in listed.stdout
    unknown = subprocess.run([*command, "mnist"], capture_output=True, text=True, check=False)
    assert unknown.returncode == 2
    assert "cifar10" in unknown.stderr


def test_command_line_reports_failure_on_stderr(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(get_datasets, "read_registry", lambda: {"test": dataset(server, "missing")})
    assert get_datasets.main(["test", "--into", str(tmp_path)]) == 1
    assert "No mirror delivered data.tar.gz" in capsys.readouterr().err
    monkeypatch.setattr(get_datasets, "read_registry", lambda: {"test": dataset(server, "good")})
    assert get_datasets.main(["test", "--into", str(tmp_path)]) == 0
