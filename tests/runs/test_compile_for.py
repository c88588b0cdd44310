"""Reading of programs for accelerators, on programs written by hand."""

import dataclasses
import importlib.util
from importlib.metadata import PackageNotFoundError
from typing import NamedTuple

import pytest

from jaxpath.devices.chips import CHIPS, Chip, chip_of
from jaxpath.runs.compile_for import slices
from jaxpath.runs.compile_for.costs import read_costs
from jaxpath.runs.compile_for.fitting import largest_batch
from jaxpath.runs.compile_for.listing import executed, read_listing
from jaxpath.runs.compile_for.options import CompileFor
from jaxpath.runs.compile_for.slices import read_slice, slice_mesh
from jaxpath.types import InputError

TPU = Chip("a", "tpu", ("a",), flops=1e12, bandwidth=1e9, memory=1e9, clock=1e6)
GPU = TPU._replace(platform="cuda", clock=0.0)

# ruff: noqa: E501
PROGRAM = """\
HloModule jit_step, is_scheduled=true

%add (x: bf16[], y: bf16[]) -> bf16[] {
  %x = bf16[]{:T(256)} parameter(0)
  %y = bf16[]{:T(256)} parameter(1)
  ROOT %sum = bf16[]{:T(256)} add(%x, %y)
}

%fused (param_0.1: bf16[8,64], param_1.1: bf16[64,128]) -> bf16[8,128] {
  %param_0.1 = bf16[8,64]{1,0:T(8,128)(2,1)} parameter(0)
  %param_1.1 = bf16[64,128]{1,0:T(8,128)(2,1)S(1)} parameter(1)
  ROOT %dot.1 = bf16[8,128]{1,0:T(8,128)(2,1)} dot(%param_0.1, %param_1.1), lhs_contracting_dims={1}, rhs_contracting_dims={0}
}

%sliced (param_0.2: f32[7,8,128], param_1.2: s32[]) -> f32[8,128] {
  %param_0.2 = f32[7,8,128]{2,1,0:T(8,128)} parameter(0)
  %param_1.2 = s32[]{:T(128)S(6)} parameter(1)
  %zero = s32[]{:T(128)} constant(0)
  %part = f32[1,8,128]{2,1,0:T(8,128)} dynamic-slice(%param_0.2, %param_1.2, %zero, %zero), dynamic_slice_sizes={1,8,128}
  ROOT %flat = f32[8,128]{1,0:T(8,128)} bitcast(%part)
}

%body (state.1: (s32[], f32[7,8,128])) -> (s32[], f32[7,8,128]) {
  %state.1 = (s32[]{:T(128)S(6)}, /*index=1*/f32[7,8,128]{2,1,0:T(8,128)}) parameter(0)
  %count = s32[]{:T(128)S(6)} get-tuple-element(%state.1), index=0
  %stack = f32[7,8,128]{2,1,0:T(8,128)} get-tuple-element(%state.1), index=1
  %read = f32[8,128]{1,0:T(8,128)S(1)} fusion(%stack, %count), kind=kLoop, calls=%sliced, backend_config={"window_config":{"estimated_cycles":"10"}}
  ROOT %next = (s32[]{:T(128)S(6)}, f32[7,8,128]{2,1,0:T(8,128)}) tuple(%count, %stack)
}

%condition (state.2: (s32[], f32[7,8,128])) -> pred[] {
  %seven = s32[]{:T(128)} constant(7)
  %state.2 = (s32[]{:T(128)S(6)}, f32[7,8,128]{2,1,0:T(8,128)}) parameter(0)
  %number = s32[]{:T(128)S(6)} get-tuple-element(%state.2), index=0
  ROOT %below = pred[]{:T(512)} compare(%number, %seven), direction=LT
}

ENTRY %main (images.0: bf16[8,64], kernel.0: bf16[64,128], stack.0: f32[7,8,128]) -> bf16[8,128] {
  %images.0 = bf16[8,64]{1,0:T(8,128)(2,1)} parameter(0)
  %kernel.0 = bf16[64,128]{1,0:T(8,128)(2,1)} parameter(1)
  %stack.0 = f32[7,8,128]{2,1,0:T(8,128)} parameter(2)
  %zero.1 = s32[]{:T(128)S(6)} constant(0)
  %copy-start = (bf16[64,128]{1,0:T(8,128)(2,1)S(1)}, bf16[64,128]{1,0:T(8,128)(2,1)}, u32[]{:S(2)}) copy-start(%kernel.0)
  %copy-done = bf16[64,128]{1,0:T(8,128)(2,1)S(1)} copy-done(%copy-start)
  %product = bf16[8,128]{1,0:T(8,128)(2,1)} fusion(%images.0, %copy-done), kind=kOutput, calls=%fused, metadata={op_name="jit(step)/gated/dot"}, backend_config={"window_config":{"estimated_cycles":"500"}}
  %initial = (s32[]{:T(128)S(6)}, f32[7,8,128]{2,1,0:T(8,128)}) tuple(%zero.1, %stack.0)
  %while = (s32[]{:T(128)S(6)}, f32[7,8,128]{2,1,0:T(8,128)}) while(%initial), condition=%condition, body=%body
  ROOT %all-reduce = bf16[8,128]{1,0:T(8,128)(2,1)} all-reduce(%product), replica_groups={{0,1}}, to_apply=%add
}
"""


def test_kernels_and_their_runs_are_counted():
    runs = {operation.name: times for operation, _, times in executed(read_listing(PROGRAM))}
    assert runs["read"] == 7 and runs["product"] == 1
    costs = read_costs(read_listing(PROGRAM), TPU)
    names = [kernel.name for kernel in costs.kernels]
    assert names == ["copy-start", "product", "below", "read", "all-reduce"]
    assert costs.launches == 1 + 1 + 7 + 7 + 1


def test_time_is_the_compilers_where_it_says_and_the_rooflines_elsewhere():
    cycles = read_costs(read_listing(PROGRAM), TPU)
    # 500 and seven times 10 cycles of a microsecond; a copy beside them and an exchange are not counted.
    assert cycles.milliseconds == pytest.approx(0.57, abs=1e-3)
    [largest, *_] = cycles.largest(TPU)
    assert (largest["name"], largest["place"], largest["estimated_ms"]) == (
        "product",
        "jit(step)/gated/dot",
        0.5,
    )
    roofline = read_costs(read_listing(PROGRAM), GPU)
    images, result, slices, compared = 8 * 128 * 2, 8 * 128 * 2, 7 * 8 * 128 * 4, 7 * 5
    assert roofline.milliseconds == pytest.approx((images + result + slices + compared) / 1e6)


def test_bytes_are_those_of_the_chips_memory_with_the_padding_of_tiles():
    costs = read_costs(read_listing(PROGRAM), TPU)
    by_name = {kernel.name: kernel.bytes for kernel in costs.kernels}
    # The kernel [64, 128] goes to memory on the chip; 64 columns of the images fill half of their tiles.
    assert by_name["copy-start"] == 64 * 128 * 2
    assert by_name["product"] == 8 * 128 * 2 + 8 * 128 * 2
    assert by_name["read"] == 7 * 8 * 128 * 4  # a slice in each trip, and not the stack
    assert costs.bytes == sum(by_name.values()) - by_name["all-reduce"]
    assert costs.flops == 2 * 8 * 64 * 128
    assert [buffer.kind for _, buffer in costs.arrays("f32")] == []


def test_slices_are_named_as_their_makers_name_them():
    assert (read_slice("v5e-16").size, read_slice("v4-8").size, read_slice("h100-16").size) == (16, 4, 16)
    for name, said in (
        ("v7-8", "such as v5e-16"),
        ("v5e-3", "v5e-4"),
        ("v4-7", "v4-8"),
        ("h100-12", "hosts of 8"),
    ):
        with pytest.raises(InputError, match=said):
            read_slice(name)


@pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is not None, reason="the compiler for TPUs is installed"
)
def test_without_a_compiler_for_tpus_it_is_said_how_to_get_one():
    with pytest.raises(InputError, match=r"no TPU but .* is not installed; pip install 'jax\[tpu\]'$"):
        slice_mesh(read_slice("v5e-1"))


@pytest.mark.skipif(
    importlib.util.find_spec("jax_plugins") is not None, reason="a plugin of JAX is installed"
)
def test_without_a_compiler_for_gpus_it_is_said_how_to_get_one():
    with pytest.raises(InputError, match=r"no GPU but .* is not installed; pip install 'jax\[cuda13\]'$"):
        slice_mesh(read_slice("h100-8"))


def test_nothing_to_compile_is_refused():
    with pytest.raises(InputError, match="--chips names nothing"):
        dataclasses.replace(CompileFor(), chips=()).check()


class Program(NamedTuple):
    memory: int | None


@pytest.mark.parametrize("start", [8, 200, 1024])
def test_the_largest_batch_that_fits_is_found_in_few_programs(start):
    chip = TPU._replace(memory=10_000)
    tried = []

    def compile_step(count):
        tried.append(count)
        memory = 1000 + 30 * count  # at most 300 images fit
        return Program(memory if memory < 20_000 else None)

    batch_size, program = largest_batch(compile_step, compile_step(start), start, chip)
    assert 300 * 7 / 8 <= batch_size <= 300 and program.memory == 1000 + 30 * batch_size
    assert len(tried) <= 7


def test_the_chips_of_devices_are_known_by_their_kind():
    assert len({kind for chip in CHIPS for kind in chip.kinds}) == sum(len(chip.kinds) for chip in CHIPS)
    peaks = {"TPU v5": 459e12, "TPU v5p": 459e12, "TPU v5 lite": 197e12, "NVIDIA H100 80GB HBM3": 989e12}
    assert {kind: chip_of(kind).flops for kind in peaks} == peaks
    assert chip_of("cpu") is None


def test_the_compilers_that_are_installed_are_named_with_their_versions(monkeypatch):
    def version(package):
        if package in ("jax", "libtpu"):
            return "1.2"
        raise PackageNotFoundError(package)

    monkeypatch.setattr(slices, "version", version)
    assert slices.compiler_versions() == {"jax": "1.2", "libtpu": "1.2"}
