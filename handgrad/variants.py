"""Numbers of a problem that differ from student to student, so that each has to calculate their own."""

from __future__ import annotations

import hashlib


def variant(student: str) -> dict[str, int]:
    """The numbers of the convolution arithmetic, drawn from a student's id.

    An id gives the same numbers on every machine and with every version of Python. Spaces around it do not
    count, nor do capital letters.

    Args:
        student: the id; the placeholder "student-id" has numbers as well, which are nobody's.
    Returns:
        height, width, channels: the image, from 33 to 116 high and wide (never square), 3 to 12 channels.
        filters, kernel, stride, pad: the convolution, with 16 to 40 filters, 3 to 7 high and wide, a stride
            of 2 or 3, and 1 or 2 rows and columns of zeros on every side. Its windows cover the padded
            image exactly: nothing is left over.
        kernel_1, kernel_2: the sizes of two convolutions in a row, two different ones of 3, 5, 7, 9.
        plane_height, plane_width, plane_kernel: an image of one channel, from 60 to 180 high and wide (never
            square), and a kernel from 3 to 6 high and wide.
    Raises:
        ValueError: the id is empty, or no text.
    """
    if not isinstance(student, str):
        raise ValueError(f"a student id is a text, between quotation marks: got {student!r}")
    name = student.strip().lower()
    if not name:
        raise ValueError("the student id is empty: put your own id between the quotation marks")
    draw = _Draw(f"convolution arithmetic of {name}")

    kernel, stride, pad = draw(3, 7), draw(2, 3), draw(1, 2)
    rows = draw(18, 38)
    columns = draw(18, 38, but=rows)
    first = draw(1, 4)
    plane_height = draw(60, 180)
    return {
        "height": (rows - 1) * stride + kernel - 2 * pad,
        "width": (columns - 1) * stride + kernel - 2 * pad,
        "channels": draw(3, 12),
        "filters": draw(16, 40),
        "kernel": kernel,
        "stride": stride,
        "pad": pad,
        "kernel_1": 2 * first + 1,
        "kernel_2": 2 * draw(1, 4, but=first) + 1,
        "plane_height": plane_height,
        "plane_width": draw(60, 180, but=plane_height),
        "plane_kernel": draw(3, 6),
    }


class _Draw:
    """Whole numbers from the SHA-256 of a text."""

    def __init__(self, text: str) -> None:
        self.rest = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")

    def __call__(self, low: int, high: int, but: int | None = None) -> int:
        """A number from low to high, both included; `but` one of them that it must not be."""
        choices = [number for number in range(low, high + 1) if number != but]
        self.rest, index = divmod(self.rest, len(choices))
        return choices[index]
