"""What stands for a name that a student's module could not define: whoever uses it gets the reason."""

import builtins

# Not NotImplementedError, which says that nobody has tried, nor what ends a process.
KINDS = {
    name
    for name, kind in vars(builtins).items()
    if isinstance(kind, type)
    and issubclass(kind, (ImportError, SyntaxError, NameError, LookupError, ArithmeticError, OSError))
} | {"AssertionError", "AttributeError", "EOFError", "TypeError", "ValueError"}


class Absent:
    """A name without a value: it can be imported and bound, and raises as soon as it is used.

    Args:
        kind: the name of the exception.
        message: what the exception says.
    """

    def __init__(self, kind: str, message: str):
        if kind not in KINDS:
            kind, message = "RuntimeError", f"{kind}: {message}"
        self.__dict__.update(_kind=getattr(builtins, kind), _message=message)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        self._fail()

    def _fail(self, *args, **kwargs):
        raise self._kind(self._message)

    __hash__ = object.__hash__


_USES = (
    "add and bool call contains delattr delitem divmod enter eq exit float floordiv ge getitem gt index int"
)
_USES += (
    " invert iter le len lshift lt matmul mod mro_entries mul ne neg next or pos pow radd rfloordiv rmatmul"
)
_USES += " rmul rpow rshift rsub rtruediv setattr setitem sub truediv xor abs array"
for _name in _USES.split():
    setattr(Absent, f"__{_name}__", Absent._fail)
