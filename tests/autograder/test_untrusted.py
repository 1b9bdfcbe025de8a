"""Reading folders and zips that anybody may have made: what is safe is read, the rest refused in words."""

import os
import stat
import struct
import tracemalloc
import zipfile
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autograder import untrusted
from autograder.untrusted import MiB, Refused, load_json, open_submission


def make_zip(path, members):
    """Members are (name or ZipInfo, content)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def refusal(path):
    with pytest.raises(Refused) as caught:
        open_submission(path).close()
    return str(caught.value)


@pytest.fixture(params=["folder", "zip"])
def pack(request, tmp_path):
    """Makes a folder, or a zip, from a dictionary of files."""

    def make(files):
        if request.param == "zip":
            return make_zip(tmp_path / "work.zip", files.items())
        for name, content in files.items():
            (tmp_path / "work" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "work" / name).write_bytes(content)
        return tmp_path / "work"

    return make


def test_files_are_listed_and_read(pack):
    with open_submission(
        pack({"a1/x.py": b"x = 1\n", "a1/deep/er/y.bin": bytes(range(256)), "z": b""})
    ) as source:
        assert source.entries == {"a1/x.py": 6, "a1/deep/er/y.bin": 256, "z": 0}
        assert source.read("a1/deep/er/y.bin", 256) == bytes(range(256))
        assert source.notes == []
        with pytest.raises(Refused, match=r"y\.bin is larger"):
            source.read("a1/deep/er/y.bin", 255)


def test_leftovers_are_ignored_without_a_word(pack):
    names = [
        "__MACOSX/._x",
        ".DS_Store",
        "a1/.ipynb_checkpoints/n.ipynb",
        ".venv/lib/x.py",
        "a1/__pycache__/x.pyc",
    ]
    with open_submission(pack(dict.fromkeys([*names, "a1/x.py"], b"1"))) as source:
        assert list(source.entries) == ["a1/x.py"]
        assert source.notes == []


def test_large_files_are_left_out_with_a_note(pack, monkeypatch):
    monkeypatch.setattr(untrusted, "MAX_FILE_BYTES", MiB)
    with open_submission(pack({"big": os.urandom(MiB + 1), "small": b"1", "also": b""})) as source:
        assert sorted(source.entries) == ["also", "small"]
        assert source.notes == ["Left out, larger than 1 MiB: big."]


def test_too_many_files_are_refused(pack, monkeypatch):
    monkeypatch.setattr(untrusted, "MAX_FILES", 10)
    assert "more than 10 files" in refusal(pack({f"f{n}/g": b"" for n in range(11)}))


def test_too_many_bytes_are_refused(pack, monkeypatch):
    monkeypatch.setattr(untrusted, "MAX_BYTES", MiB)
    assert "than 1 MiB" in refusal(pack({"a": os.urandom(MiB // 2), "b": os.urandom(MiB // 2 + 9)}))


def test_deep_folders_are_left_out(pack):
    with open_submission(pack({"d/" * 12 + "x": b"1", "d/" * 13 + "y": b"1"})) as source:
        assert list(source.entries) == ["d/" * 12 + "x"]
        assert "more than 12 folders deep" in source.notes[0]


def test_copy_keeps_what_came(pack, tmp_path):
    path = pack({"a1/x.py": b"x", "y": b"2"})
    with open_submission(path) as source:
        source.copy_to(tmp_path / "kept")
    if path.is_file():
        assert (tmp_path / "kept" / "submission.zip").read_bytes() == path.read_bytes()
    else:
        assert (tmp_path / "kept" / "a1" / "x.py").read_bytes() == b"x"


def test_links_and_special_files_are_never_opened(tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "gradebook.db").write_text("secret")
    work = tmp_path / "work"
    work.mkdir()
    (work / "honest").write_text("mine")
    (work / "soft").symlink_to(secret / "gradebook.db")
    (work / "folder").symlink_to(secret)
    (work / "dangling").symlink_to("nowhere")
    os.link(secret / "gradebook.db", work / "hard")
    os.mkfifo(work / "fifo")  # opening it for reading would wait for ever
    with open_submission(work) as source:
        assert list(source.entries) == ["honest"]
        assert source.notes == ["Left out, links and special files: dangling, fifo, folder and 2 more."]
        for name in ("soft", "hard", "fifo", "folder/gradebook.db", "folder"):
            with pytest.raises(Refused):
                source.read(name, 100)


def test_file_swapped_for_a_link_after_listing_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("secret")
    work = tmp_path / "work"
    (work / "d").mkdir(parents=True)
    (work / "d" / "x").write_text("mine")
    with open_submission(work) as source:
        (work / "d" / "x").unlink()
        (work / "d" / "x").symlink_to(tmp_path / "secret")
        with pytest.raises(Refused):
            source.read("d/x", 100)
        (work / "d" / "x").unlink()
        (work / "d").rmdir()
        (tmp_path / "x").write_text("secret")
        (work / "d").symlink_to(tmp_path)
        with pytest.raises(Refused):
            source.read("d/x", 100)


def test_link_or_fifo_in_place_of_a_submission_is_refused(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "fifo")
    assert refusal(tmp_path / "link") == "link is neither a folder nor a zip."
    assert refusal(tmp_path / "fifo") == "fifo is neither a folder nor a zip."
    assert refusal(tmp_path / "absent") == "absent cannot be read: No such file or directory."


def test_names_that_are_not_text(tmp_path):
    work = os.fsencode(tmp_path / "work")
    os.mkdir(work)
    for name in (b"\xff\xfe.py", b"new\nline", b"\x1b[31mred"):
        with open(os.path.join(work, name), "wb") as file:
            file.write(b"x")
    os.symlink(b"x", os.path.join(work, b"\xff"))
    with open_submission(tmp_path / "work") as source:
        assert len(source.entries) == 3
        for note in source.notes:
            note.encode("utf-8")
            assert note.isprintable()
        source.copy_to(tmp_path / "kept")
    assert sorted(os.listdir(os.fsencode(tmp_path / "kept"))) == [
        b"\x1b[31mred",
        b"new\nline",
        b"\xff\xfe.py",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a1/../../x",
        "/etc/passwd",
        "C:\\x",
        "c:/x",
        "..\\x",
        "a1/..",
        "\\\\host\\x",
        "__MACOSX/../../x",
    ],
)
def test_paths_that_lead_out_are_refused(tmp_path, name):
    message = refusal(make_zip(tmp_path / "w.zip", [("good", "1"), (name, "1")]))
    assert message.startswith("w.zip has a path that leads out of its folder: ")


def test_name_with_a_hidden_end_is_refused(tmp_path):
    path = make_zip(tmp_path / "w.zip", [("x_/../../y", "1")])
    path.write_bytes(path.read_bytes().replace(b"x_/../../y", b"x\0/../../y"))
    assert "leads out of its folder: x?/../../y." in refusal(path)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_and_special_files_in_a_zip_are_refused(tmp_path, kind):
    member = zipfile.ZipInfo("a1/x")
    member.create_system, member.external_attr = 3, (kind | 0o777) << 16
    assert refusal(make_zip(tmp_path / "w.zip", [(member, "/etc/passwd")])) == (
        "w.zip has a link or a special file: a1/x."
    )


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["x", "x"], "two files for one place: x and x."),
        (["Net.py", "net.py"], "two files for one place: Net.py and net.py."),
        (["a/x", "./a//x"], "two files for one place: a/x and a/x."),
        (["a/x", "a\\x"], "two files for one place: a/x and a/x."),
        (["a", "a/b"], "a file and a folder of one name: a."),
        (["A/b/c", "a/B"], "a file and a folder of one name: a/b."),
    ],
)
def test_members_that_collide_are_refused(tmp_path, names, complaint):
    assert refusal(make_zip(tmp_path / "w.zip", [(name, "1") for name in names])) == f"w.zip has {complaint}"


def test_folders_written_as_windows_does(tmp_path):
    with open_submission(
        make_zip(tmp_path / "w.zip", [("a1\\", ""), ("a1\\layers\\affine.py", "1")])
    ) as source:
        assert source.entries == {"a1/layers/affine.py": 1}


def test_bomb_by_ratio_is_refused(tmp_path):
    message = refusal(make_zip(tmp_path / "w.zip", [("a1/bomb", bytes(8 * MiB))]))
    assert message == "w.zip unpacks a1/bomb to more than 200 times its packed size."


def test_bomb_that_lies_about_its_size_is_not_unpacked(tmp_path):
    path = make_zip(tmp_path / "w.zip", [("bomb", bytes(64 * MiB))])
    data = path.read_bytes()
    for signature, offset in (
        (b"PK\1\2", 24),
        (b"PK\3\4", 22),
    ):  # size, in the list of members and at the member
        at = data.index(signature) + offset
        data = data[:at] + struct.pack("<L", 100) + data[at + 4 :]
    path.write_bytes(data)
    with open_submission(path) as source:
        assert source.entries == {"bomb": 100}
        with pytest.raises(Refused, match=r"bomb in w\.zip is damaged"):
            source.read("bomb", 100 * MiB)


def test_endless_list_of_members_is_not_read(tmp_path):
    path = make_zip(tmp_path / "w.zip", [("x", "1")])
    data = bytearray(path.read_bytes())
    with path.open("wb") as file:
        file.write(bytes(200 * MiB)[: 5 * MiB])
        end = data.index(b"PK\5\6")
        data[end + 12 : end + 16] = struct.pack("<L", 5 * MiB)  # length of the list
        file.write(data)
    assert refusal(path) == "w.zip is not a zip that can be read: it lists too many files."


def test_large_files_in_a_zip_are_read(tmp_path):
    content = os.urandom(6 * MiB)  # packed, it is longer than the list of members may be
    with open_submission(make_zip(tmp_path / "w.zip", [("weights.npz", content)])) as source:
        assert source.read("weights.npz", 64 * MiB) == content


@pytest.mark.parametrize("name", ["a/" * 30_000 + "x", "a/" * 30_000])
def test_paths_of_thousands_of_folders_are_not_taken_apart(tmp_path, name):
    path = make_zip(tmp_path / "w.zip", [("x", "1"), (name, "")])
    tracemalloc.start()
    with open_submission(path) as source:
        assert list(source.entries) == ["x"]
        assert "more than 12 folders deep" in source.notes[0]
        assert len(source.notes[0]) < 200
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * MiB


def test_what_is_wrong_with_a_zip_is_said_shortly(tmp_path):
    path = make_zip(tmp_path / "w.zip", [("n" * 60_000, "1")])
    path.write_bytes(path.read_bytes().replace(b"n" * 60_000, b"m" * 60_000, 1))
    with open_submission(path) as source, pytest.raises(Refused) as caught:
        source.read("n" * 60_000, 1)
    assert len(str(caught.value)) < 300


def test_folders_and_links_count_as_files_do(tmp_path, monkeypatch):
    monkeypatch.setattr(untrusted, "MAX_FILES", 10)
    for number in range(5):
        (tmp_path / "work" / f"{number}").mkdir(parents=True)
        for link in range(4):
            (tmp_path / "work" / f"{number}" / f"{link}").symlink_to("/etc/passwd")
    assert refusal(tmp_path / "work") == "The submission has more than 20 files and folders."


@pytest.mark.parametrize("value", [b"[]", b"{}", b'{"":0}', b'"xy"', b"1e9"])
def test_json_of_millions_of_values_is_refused(value):
    with pytest.raises(Refused, match="too many values"):
        load_json(b"[" + b",".join([value] * 4_000_000) + b"]")


@pytest.mark.parametrize("text", [b"[" * 100_000, b"{", b"9" * 5_000, b"\xff", b""])
def test_what_is_not_json_is_refused(text):
    with pytest.raises(Refused, match="It is not JSON"):
        load_json(text)


def test_encrypted_zip_is_refused(tmp_path):
    path = make_zip(tmp_path / "w.zip", [("x", "1")])
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    data[data.index(b"PK\3\4") + 6] |= 1
    path.write_bytes(data)
    assert refusal(path) == "w.zip is encrypted."


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packing_methods_without_bounds_are_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "w.zip", "w", method) as file:
        file.writestr("x", "1")
    assert "packed by a method that few programs read" in refusal(tmp_path / "w.zip")


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=300), st.integers(0, 200), st.booleans())
def test_damaged_zips_are_refused_and_raise_nothing_else(tmp_path_factory, noise, at, cut):
    path = tmp_path_factory.mktemp("z") / "w.zip"
    data = make_zip(path, [("a1/x.py", "x = 1\n" * 9), ("y", "2")]).read_bytes()
    path.write_bytes(data[:at] + noise + (b"" if cut else data[at + len(noise) :]))
    with suppress(Refused), open_submission(path) as source:
        for name in source.entries:
            source.read(name, MiB)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12),
        min_size=1,
        max_size=4,
        unique=True,
    )
)
@example(["a/./b", "a/../b"])
def test_no_name_leads_out_of_the_folder(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("z")
    path = make_zip(folder / "w.zip", [(name, "1") for name in names])
    with suppress(Refused), open_submission(path) as source:
        for name in source.entries:
            assert (folder / "inside").resolve() in (folder / "inside" / name).resolve().parents
            assert source.read(name, 1) == b"1"
        assert len({name.casefold() for name in source.entries}) == len(source.entries)
