"""Release, sandboxed grading, gradebook and feedback for handgrad courses. Never shipped to students."""
