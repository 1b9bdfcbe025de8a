"""Release, sandboxed grading, gradebook and feedback for handgrad courses. Never shipped to students."""

import sys

# nbformat loads jsonschema, which builds a grammar of internationalised URLs where this package is there:
# 3 s a process (python -X importtime -c "import nbformat"), for a format that no notebook has.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
