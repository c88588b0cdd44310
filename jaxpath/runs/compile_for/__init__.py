"""Training steps compiled for accelerators on a machine without one, and what their compilers say of them."""

from jaxpath.runs.compile_for.measuring import compile_for
from jaxpath.runs.compile_for.options import CompileFor
from jaxpath.runs.compile_for.slices import read_slice, slice_mesh, without_devices

__all__ = ["CompileFor", "compile_for", "read_slice", "slice_mesh", "without_devices"]
