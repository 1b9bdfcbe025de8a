"""`make demo`: honest, wrong and hostile submissions go the whole way, and every verdict is checked."""
