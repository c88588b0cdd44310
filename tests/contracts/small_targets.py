"""Small targets of every family: what the contracts are tried on."""

from functools import partial

from jaxpath import lap, targets
from jaxpath.targets.convnext import ConvNeXt
from jaxpath.targets.deit import DeiT
from jaxpath.targets.efficientnet import EfficientNet
from jaxpath.targets.mobilenet import MobileNetV2
from jaxpath.targets.normless import NormlessResNet
from jaxpath.targets.resnet import BasicBlock, Bottleneck, ResNet
from jaxpath.types import Target


def make_resnet(block: type, *, dtype="float32") -> Target:
    """An ImageNet ResNet of two narrow blocks; the whole ones are compared with PyTorch elsewhere."""
    module = ResNet(block, (1, 1), 3, width=8, dtype=targets.compute_dtype(dtype))
    preprocessing = targets.make_preprocessing((24, 20))
    return targets.from_linen(module, name="small", num_classes=3, preprocessing=preprocessing)


def make_normless(*, dtype="float32") -> Target:
    """A narrow ResNet-18 without norms, for grey images of an odd size."""
    module = NormlessResNet(3, widths=(4, 8, 8, 8), dtype=targets.compute_dtype(dtype))
    preprocessing = targets.make_preprocessing((14, 10), 1)
    return targets.from_linen(module, name="small", num_classes=3, preprocessing=preprocessing)


def make_mobilenet(*, dtype="float32") -> Target:
    """A narrow MobileNetV2: a block that does not widen, one that halves, one that adds."""
    stages = ((1, 4, 1, 1), (3, 6, 2, 2))
    module = MobileNetV2(3, stages, stem=4, head=12, dtype=targets.compute_dtype(dtype))
    preprocessing = targets.make_preprocessing((14, 10))
    return targets.from_linen(module, name="small", num_classes=3, preprocessing=preprocessing)


def make_convnext(*, dtype="float32") -> Target:
    """A narrow ConvNeXt of two stages."""
    module = ConvNeXt(3, ((8, 1), (12, 2)), dtype=targets.compute_dtype(dtype))
    preprocessing = targets.make_preprocessing((24, 16))
    return targets.from_linen(module, name="small", num_classes=3, preprocessing=preprocessing)


def make_efficientnet(*, dtype="float32") -> Target:
    """A narrow EfficientNet: a block that does not widen, one that halves, one that adds."""
    stages = ((1, 3, 1, 4, 1), (3, 5, 2, 8, 2))
    module = EfficientNet(3, stages, stem=4, head=12, dtype=targets.compute_dtype(dtype))
    preprocessing = targets.make_preprocessing((14, 10))
    return targets.from_linen(module, name="small", num_classes=3, preprocessing=preprocessing)


def make_deit(*, competitors=4, dtype="float32") -> Target:
    """Three blocks on six patches and a class token; of four hidden units of a token, one wins."""
    module = DeiT(3, 8, 2, depth=3, patch=4, competitors=competitors, dtype=targets.compute_dtype(dtype))
    preprocessing = targets.make_preprocessing((12, 8), 1)
    return targets.from_linen(module, name="small", num_classes=3, preprocessing=preprocessing)


SMALL_VGG = {"num_classes": 3, "hidden": 16, "pool_size": 1}
TRAINABLE = {
    "basic": partial(make_resnet, BasicBlock),
    "bottleneck": partial(make_resnet, Bottleneck),
    "option_a": partial(targets.resnet8, num_classes=3, image_size=8, channels=1),
    "vgg": partial(targets.vgg11, image_size=32, **SMALL_VGG),
    "vgg_bn": partial(targets.vgg11_bn, image_size=28, channels=1, **SMALL_VGG),
    "vgg_gap": partial(targets.vgg11_gap, num_classes=3, image_size=32),
    "lenet": partial(targets.lenet, num_classes=3, image_size=8),
    "normless": make_normless,
    "competing": partial(targets.resnet8, num_classes=3, image_size=8, channels=1, competitors=4),
    "digit_cnn": partial(targets.digit_cnn, num_classes=3, image_size=8, competitors=2),
    "deit": make_deit,
    "vit": partial(make_deit, competitors=1),
    "mobilenet": make_mobilenet,
    "convnext": make_convnext,
    "efficientnet": make_efficientnet,
    "lap": partial(lap.extend, targets.resnet8, num_classes=3, image_size=8, channels=1, gate=0.0, alpha=2.0),
}
COMPETITORS = {"competing": 4, "digit_cnn": 2, "deit": 4}
"""Of the stochastic targets."""
