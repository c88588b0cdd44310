"""PyTorch models with torchvision's layers and names, written to be compared with, not to be used.

ResNets, VGGs and MobileNetV2 as torchvision builds them; the CIFAR ResNets as
akamaster/pytorch_resnet_cifar10 does. Every call of an activation appends its value, [B, C, H, W] or [B, C],
to the list ``taps``.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_vision_models import ConvNeXt, EfficientNet, VisionTransformer


def conv_bn(inputs: int, outputs: int, kernel: int, stride: int) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return conv, nn.BatchNorm2d(outputs)


class Tapped(nn.Module):
    taps: list[Tensor]

    def relu(self, x: Tensor) -> Tensor:
        self.taps.append(F.relu(x))
        return self.taps[-1]

    def layer(self, layer: nn.Module, x: Tensor) -> Tensor:
        """One layer of a ``Sequential``, or a triple of convolution, norm and activation."""
        x = layer(x)
        if isinstance(layer, nn.Sequential):
            self.taps.append(x)
        return x


class Block(Tapped):
    def __init__(self, inputs: int, width: int, stride: int, taps: list[Tensor], *, kind: str) -> None:
        super().__init__()
        self.taps, self.kind, self.stride = taps, kind, stride
        if kind == "bottleneck":
            self.outputs = 4 * width
            self.conv1, self.bn1 = conv_bn(inputs, width, 1, 1)
            self.conv2, self.bn2 = conv_bn(width, width, 3, stride)
            self.conv3, self.bn3 = conv_bn(width, self.outputs, 1, 1)
        else:
            self.outputs = width
            self.conv1, self.bn1 = conv_bn(inputs, width, 3, stride)
            self.conv2, self.bn2 = conv_bn(width, width, 3, 1)
        if kind != "option_a" and (stride != 1 or inputs != self.outputs):
            self.downsample = nn.Sequential(*conv_bn(inputs, self.outputs, 1, stride))

    def shortcut(self, x: Tensor) -> Tensor:
        if hasattr(self, "downsample"):
            return self.downsample(x)
        if self.stride != 1:
            pad = self.outputs // 4
            return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, pad, pad))
        return x

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.kind == "bottleneck":
            y = self.bn3(self.conv3(self.relu(y)))
        return self.relu(y + self.shortcut(x))


class ResNet(Tapped):
    def __init__(self, kind: str, sizes: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        self.taps, self.cifar = [], kind == "option_a"
        first = 16 if self.cifar else 64
        self.conv1, self.bn1 = conv_bn(3, first, 3 if self.cifar else 7, 1 if self.cifar else 2)
        self.num_stages, inputs = len(sizes), first
        for stage, size in enumerate(sizes):
            blocks = []
            for index in range(size):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(Block(inputs, first * 2**stage, stride, self.taps, kind=kind))
                inputs = blocks[-1].outputs
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        setattr(self, "linear" if self.cifar else "fc", nn.Linear(inputs, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        if not self.cifar:
            x = F.max_pool2d(x, 3, 2, padding=1)
        for stage in range(self.num_stages):
            x = getattr(self, f"layer{stage + 1}")(x)
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return (self.linear if self.cifar else self.fc)(x)


class VGG(Tapped):
    def __init__(self, plan: str, batch_norm: bool, num_classes: int, hidden: int) -> None:
        super().__init__()
        self.taps = []
        layers, inputs = [], 3
        for width in plan.split():
            if width == "M":
                layers.append(nn.MaxPool2d(2, 2))
                continue
            layers.append(nn.Conv2d(inputs, int(width), 3, padding=1))
            inputs = int(width)
            layers += [nn.BatchNorm2d(inputs)] if batch_norm else []
            layers.append(nn.ReLU())
        self.features = nn.Sequential(*layers)
        dense = [nn.Linear(512 * 7 * 7, hidden), nn.ReLU(), nn.Dropout()]
        dense += [nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, num_classes)]
        self.classifier = nn.Sequential(*dense)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.features:
            x = self.relu(x) if isinstance(layer, nn.ReLU) else layer(x)
        x = torch.flatten(F.adaptive_avg_pool2d(x, (7, 7)), 1)
        for layer in self.classifier:
            x = self.relu(x) if isinstance(layer, nn.ReLU) else layer(x)
        return x


class InvertedResidual(Tapped):
    """Convolution, norm and ReLU6 are a Sequential; the last convolution and its norm lie bare."""

    def __init__(self, inputs: int, outputs: int, stride: int, expand: int, taps: list[Tensor]) -> None:
        super().__init__()
        self.taps, self.residual = taps, stride == 1 and inputs == outputs
        hidden = inputs * expand
        layers: list[nn.Module] = []
        if expand != 1:
            layers.append(nn.Sequential(*conv_bn(inputs, hidden, 1, 1), nn.ReLU6()))
        separate = nn.Conv2d(hidden, hidden, 3, stride, padding=1, groups=hidden, bias=False)
        layers.append(nn.Sequential(separate, nn.BatchNorm2d(hidden), nn.ReLU6()))
        self.conv = nn.Sequential(*layers, *conv_bn(hidden, outputs, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for layer in self.conv:
            y = self.layer(layer, y)
        return x + y if self.residual else y


class MobileNetV2(Tapped):
    """The paper's table 2, block by block."""

    WIDTHS = (16, *2 * (24,), *3 * (32,), *4 * (64,), *3 * (96,), *3 * (160,), 320)
    STRIDED = (1, 3, 6, 13)

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.taps = []
        layers: list[nn.Module] = [nn.Sequential(*conv_bn(3, 32, 3, 2), nn.ReLU6())]
        inputs = 32
        for index, width in enumerate(self.WIDTHS):
            stride, expand = 2 if index in self.STRIDED else 1, 6 if index else 1
            layers.append(InvertedResidual(inputs, width, stride, expand, self.taps))
            inputs = width
        layers.append(nn.Sequential(*conv_bn(inputs, 1280, 1, 1), nn.ReLU6()))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.features:
            x = self.layer(layer, x)
        return self.classifier(F.adaptive_avg_pool2d(x, 1).flatten(1))


VGG11 = "64 M 128 M 256 256 M 512 512 M 512 512 M"
VGG16 = "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M"


def make_model(name: str, *, num_classes: int, hidden: int, num_patches: int) -> nn.Module:
    """Makes the model called ``name``.

    ``hidden`` is the width of a VGG's dense layers, ``num_patches`` the number of a transformer's patches.
    """
    resnets = {
        "resnet18": ("basic", (2, 2, 2, 2)),
        "resnet50": ("bottleneck", (3, 4, 6, 3)),
        "resnet20": ("option_a", (3, 3, 3)),
    }
    if name in resnets:
        kind, sizes = resnets[name]
        return ResNet(kind, sizes, num_classes)
    transformers = {"deit_tiny": (192, 3), "deit_small": (384, 6)}
    if name in transformers:
        return VisionTransformer(*transformers[name], num_classes, num_patches)
    others = {"mobilenet_v2": MobileNetV2, "convnext_tiny": ConvNeXt, "efficientnet_b0": EfficientNet}
    if name in others:
        return others[name](num_classes)
    plan = {"vgg11": VGG11, "vgg16": VGG16}[name.removesuffix("_bn")]
    return VGG(plan, name.endswith("_bn"), num_classes, hidden)
