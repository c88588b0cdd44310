"""The cost of adapting is measured: what is timed are the same networks."""

import jax
import pytest

from jaxpath import targets
from jaxpath.runs import adapting


def test_both_resnets_have_the_sites_and_parameters_of_the_native_ones():
    for name, blocks, bottleneck in (("resnet18", (2, 2, 2, 2), False), ("resnet50", (3, 4, 6, 3), True)):
        native = targets.make_target(name, image_size=64)
        module = adapting.ResNet(blocks, bottleneck)
        adapted = targets.adapt_linen(module, name=name, preprocessing=native.preprocessing)
        assert [site[1:] for site in adapted.sites] == [site[1:] for site in native.sites]
        counts = [
            sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(target.init, jax.random.key(0))))
            for target in (native, adapted)
        ]
        assert counts[0] == counts[1]


@pytest.mark.slow
def test_both_ratios_are_measured(capsys):
    found = adapting.measure_adapting(adapting.Adapting(image_size=32, batch_size=1, rounds=1))
    assert set(found) == {"tracing", "step"} and min(found.values()) > 0
    assert "adapting a ResNet-50 takes" in capsys.readouterr().out
