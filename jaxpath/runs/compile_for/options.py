"""What is compiled, and for which chips."""

import dataclasses
from pathlib import Path
from typing import Literal

from jaxpath.runs.objective_options import ObjectiveFlags
from jaxpath.runs.options import GeneratorOptions
from jaxpath.types import InputError

System = Literal["gencnp", "classifier", "flint", "lap"]


@dataclasses.dataclass(frozen=True)
class CompileFor:
    """Compiles training steps for accelerators that this machine need not have, and reads what they cost.

    Attributes:
        chips: Slices: v5e-16, v4-8, v5p-8, v6e-4, h100-8. v4 and v5p count two cores to a chip, as Google
            does.
        models: Names of targets.
        systems: Whose step: gencnp's generator, a classifier's own training, flint for a frozen classifier,
            lap from scratch.
        batch_size: Images per step on each chip.
        image_size: Side of the square images; None keeps the target's own.
        precision: Type in which target and generator compute.
        width: Width of the generator's embeddings.
        rematerialize: Compute activations of the gated pass a second time instead of keeping them.
        floor: Compile the floor of each step as well.
        fit: Find the largest batch that fits into a chip's memory, from batch_size on.
        keep_programs: Write the text of every compiled program beside the results.
        gpu_specs: Folder of XLA's descriptions of GPUs, such as h100_sxm.txtpb; see docs/scaling.md.
        out: Folder of the results.
    """

    chips: tuple[str, ...] = ("v5e-1",)
    models: tuple[str, ...] = ("resnet18",)
    systems: tuple[System, ...] = ("gencnp",)
    batch_size: int = 128
    image_size: int | None = None
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    width: int = 128
    rematerialize: bool = False
    floor: bool = True
    fit: bool = False
    keep_programs: bool = False
    gpu_specs: Path | None = None
    out: Path = Path("runs/compile_for")

    @property
    def generator(self) -> GeneratorOptions:
        """The generator's own options."""
        objective = ObjectiveFlags(rematerialize=self.rematerialize)
        return GeneratorOptions(width=self.width, precision=self.precision, objective=objective)

    def check(self) -> None:
        """Raises an error where nothing is asked for."""
        for name in ("chips", "models", "systems"):
            if not getattr(self, name):
                raise InputError(f"--{name} names nothing; give at least one")
