"""The channel's language: what is written is read; what was not written by it is refused."""

import io
import json
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.sandbox import protocol
from autograder.sandbox.npz import read_npz
from autograder.sandbox.protocol import ProtocolError, Reference

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
)
arrays = hnp.arrays(
    hnp.scalar_dtypes().filter(lambda dtype: dtype.kind in "biufc" and dtype.itemsize <= 16),
    hnp.array_shapes(min_dims=0, min_side=0),
)
trees = st.recursive(
    scalars | arrays,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=8,
)


def decoded(frame: bytes) -> dict:
    length = protocol.body_length(frame[: protocol.PREFIX.size], 1 << 30)
    assert length == len(frame) - protocol.PREFIX.size
    return protocol.decode(frame[protocol.PREFIX.size :])


def same(a, b) -> bool:
    if isinstance(a, np.ndarray):
        return (
            isinstance(b, np.ndarray)
            and a.dtype == b.dtype
            and a.shape == b.shape
            and a.tobytes() == b.tobytes()
        )
    if isinstance(a, (tuple, list)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b


@given(trees)
@settings(deadline=None)
def test_what_is_written_is_read(value):
    assert same(value, decoded(protocol.encode({"value": value}))["value"])


def test_references_travel_as_numbers():
    reference = decoded(protocol.encode({"value": (Reference(3, "Net"), 1)}))["value"][0]
    assert (reference.number, reference.type_name) == (3, "Net")


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_random_bytes_are_refused_or_data(body):
    try:
        protocol.decode(body)
    except ProtocolError:
        pass


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_damaged_frames_are_refused_or_data(data):
    body = bytearray(
        protocol.encode({"id": 1, "result": (np.arange(6.0).reshape(2, 3), [1, "two"], {"k": None})})[12:]
    )
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        with np.errstate(all="ignore"):
            protocol.decode(bytes(body[: data.draw(st.integers(0, len(body)))]))
    except ProtocolError:
        pass


def test_the_shape_of_an_empty_array_holds_no_text():
    assert decoded(protocol.encode({"value": np.zeros((3, 0, 200))}))["value"].shape == (3, 0, 200)
    with pytest.raises(ProtocolError, match="empty array"):
        decoded(protocol.encode({"value": np.zeros((0, 1 << 40))}))


@pytest.mark.parametrize("value", [object(), np.array([object()]), np.zeros(2, "M8[s]"), [set()], 1 << 63])
def test_other_things_may_not_travel(value):
    with pytest.raises(ProtocolError):
        protocol.encode({"value": value})


def nested(depth):
    return [nested(depth - 1)] if depth else []


def test_depth_and_number_are_bounded():
    with pytest.raises(ProtocolError, match="nested"):
        protocol.encode({"value": nested(20)})
    with pytest.raises(ProtocolError, match="too many"):
        protocol.encode({"value": [0] * 100_000})
    cyclic = []
    cyclic.append(cyclic)
    with pytest.raises(ProtocolError):
        protocol.encode({"value": cyclic})


def raw_frame(content, data: bytes = b"") -> bytes:
    text = json.dumps(content).encode()
    return protocol.HEADER_LENGTH.pack(len(text)) + text + data


@pytest.mark.parametrize(
    ("array", "data"),
    [
        (["<f8", [1_000_000_000_000], "C"], b""),
        (["<f8", [0, 10**21], "C"], b""),
        (["<f8", [-1], "C"], bytes(8)),
        (["<f8", [1.0], "C"], bytes(8)),
        (["<f8", [True], "C"], bytes(8)),
        (["<f8", "1", "C"], bytes(8)),
        (["<f8", [1] * 17, "C"], bytes(8)),
        (["|O", [1], "C"], bytes(8)),
        (["<M8[s]", [1], "C"], bytes(8)),
        (["<f8,<f8", [1], "C"], bytes(16)),
        (["(2,)<f8", [1], "C"], bytes(16)),
        ([[["a", "<f8"]], [1], "C"], bytes(8)),
        ([None, [1], "C"], bytes(8)),
        (["<f8", [1], "C"], bytes(9)),
        (["<f8", [1], "C"], bytes(7)),
        (["<f8", [1]], bytes(8)),
        (5, bytes(8)),
        (["<U0", [1_000_000_000], "S"], b""),  # no bytes, and gigabytes in memory
        (["<U1", [1], "C"], b"\xff\xff\xff\xff"),
        ([">U1", [1], "C"], b"\x00\x11\x00\x00"),
        (["<U1", [1], "C"], b"\x00\xd8\x00\x00"),
    ],
)
def test_arrays_that_lie_are_refused(array, data):
    with pytest.raises(ProtocolError):
        protocol.decode(raw_frame({"value": {"array": array}}, data))


@pytest.mark.parametrize(
    "body",
    [
        raw_frame([1]),
        raw_frame({"value": [1]}),
        raw_frame({"value": {"handle": ["x", "y"]}}),
        raw_frame({"value": {"handle": [1]}}),
        raw_frame({"value": {"handle": [1 << 63, "x"]}}),
        raw_frame({"value": {"handle": [-1, "x"]}}),
        raw_frame({"value": 1}, b"more"),
        raw_frame({"value": {"dict": [[{"list": []}, 1]]}}),
        protocol.HEADER_LENGTH.pack(100) + b"{}",
    ],
)
def test_headers_that_lie_are_refused(body):
    with pytest.raises(ProtocolError):
        protocol.decode(body)


@pytest.mark.parametrize(
    "given", [np.zeros((2, 3, 4)), np.zeros((2, 3, 4)).T, np.zeros((2, 3, 8))[:, :, ::2]]
)
def test_arrays_keep_their_order_in_memory_and_are_new(given):
    read = decoded(protocol.encode({"value": given}))["value"]
    assert read.flags.writeable
    assert read.flags.aligned
    assert read.flags.c_contiguous == given.flags.c_contiguous
    assert read.flags.f_contiguous == given.flags.f_contiguous


def test_truth_counts_once_and_characters_are_kept():
    truth = protocol.decode(raw_frame({"value": {"array": ["|b1", [4], "C"]}}, b"\x02\xff\x01\x00"))["value"]
    assert truth.sum(dtype=int) == 3
    assert truth.tobytes() == b"\x01\x01\x01\x00"
    for dtype in ("<U2", ">U2"):
        text = np.array(["ä\U0010ffff", ""], dtype)
        np.testing.assert_array_equal(decoded(protocol.encode({"value": text}))["value"], text)


def test_lone_surrogates_become_printable():
    body = raw_frame({"value": "\ud800"})
    protocol.decode(body)["value"].encode("utf-8")


def test_npz_files_are_read_without_pickle(tmp_path, rng):
    path = tmp_path / "weights.npz"
    w = rng.standard_normal((3, 2))
    np.savez(path, W1=w, W2=np.asfortranarray(w), dataset=np.array("shapes10"))
    arrays = read_npz(path)
    np.testing.assert_array_equal(arrays["W1"], w)
    np.testing.assert_array_equal(arrays["W2"], w)
    assert str(arrays["dataset"]) == "shapes10"


def test_npz_files_that_are_none_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "weights.npz"
    with pytest.raises(FileNotFoundError):
        read_npz(path)
    path.write_bytes(b"PK\x03\x04 but no archive")
    with pytest.raises(ProtocolError):
        read_npz(path)
    np.savez(path, W1=np.array([{"an": "object"}], dtype=object))
    with pytest.raises(ProtocolError):
        read_npz(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("W1.npy", bytes(100 << 20))
    with pytest.raises(ProtocolError, match="too large"):
        read_npz(path)
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(FileNotFoundError):
        read_npz(path)


def test_npz_files_packed_without_bounds_are_refused(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(tmp_path / "weights.npz", "w", method) as archive:
            archive.writestr("W1.npy", buffer.getvalue())
        with pytest.raises(ProtocolError, match="another method"):
            read_npz(tmp_path / "weights.npz")


def test_npz_list_of_a_million_members_is_not_read(tmp_path):
    path = tmp_path / "weights.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("W1.npy", b"")
    data = path.read_bytes()
    start, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    members = data[start:end] * 100_000
    ending = bytearray(data[end:])
    ending[12:16] = len(members).to_bytes(4, "little")
    path.write_bytes(data[:start] + members + ending)
    tracemalloc.start()
    with pytest.raises(ProtocolError):
        read_npz(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * path.stat().st_size


def test_a_lying_npz_header_allocates_nothing(tmp_path):
    path = tmp_path / "weights.npz"
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<f8", "fortran_order": False, "shape": (1 << 50,)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("W1.npy", buffer.getvalue())
    with pytest.raises(ProtocolError):
        read_npz(path)
