"""Programs for accelerators, compiled and read on a machine that has none."""
