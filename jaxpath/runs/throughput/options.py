"""What is timed."""

import dataclasses
from pathlib import Path
from typing import Literal

from jaxpath.runs.objective_options import ObjectiveFlags
from jaxpath.runs.options import GeneratorOptions
from jaxpath.start_up import Launch


@dataclasses.dataclass(frozen=True)
class Throughput(Launch):
    """Times a training step of the generator beside the cost that it cannot avoid.

    Attributes:
        model: Name of the target.
        image_size: Side of the square images; None keeps the target's own.
        batch_size: Images per step, over all devices.
        dtype: Type in which target and generator compute.
        out: Folder of the results.
        rounds: Turns that everything takes.
        seconds: Ends the turns earlier, but not before three.
        explainers: Explainers whose time per image is measured too: baselines, or gencnp.
        against_torch: Time the same step in PyTorch: eager, or compiled by torch.compile.
        torch_python: Python that has PyTorch; None takes the one that runs this.
        data: Images for the input pipeline: folder:PATH, an .npz file, or another form of data set.
        split: Split of these data.
        num_workers: Processes that read images; 0 uses threads.
        width: Width of the generator's embeddings.
        rematerialize: Compute activations of the gated pass a second time instead of keeping them.
    """

    model: str = "resnet18"
    image_size: int | None = None
    batch_size: int = 32
    dtype: Literal["float32", "bfloat16"] = "float32"
    out: Path = Path("runs/throughput")
    rounds: int = 21
    seconds: float = 120.0
    explainers: tuple[str, ...] = ()
    against_torch: Literal["no", "eager", "compiled"] = "no"
    torch_python: str | None = None
    data: str | None = None
    split: str | None = None
    num_workers: int = 0
    width: int = 128
    rematerialize: bool = False

    @property
    def generator(self) -> GeneratorOptions:
        """The generator's own options, with a training so long that its rate hardly changes."""
        return GeneratorOptions(
            steps=10**6,
            width=self.width,
            precision=self.dtype,
            objective=ObjectiveFlags(rematerialize=self.rematerialize),
        )
