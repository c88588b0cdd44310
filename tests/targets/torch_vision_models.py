"""PyTorch models to compare with: torchvision's ConvNeXt-Tiny and EfficientNet-B0, timm's ViT.

As in ``torch_models``, every call of an activation appends its value, channels second, to the list ``taps``.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Tap(nn.Module):
    """An activation whose result, channels last, is kept."""

    def __init__(self, taps: list[Tensor], function: nn.Module, *, last: bool = False) -> None:
        super().__init__()
        self.taps, self.function, self.last = taps, function, last

    def forward(self, x: Tensor) -> Tensor:
        y = self.function(x)
        self.taps.append(y.movedim(-1, 1) if self.last else y)
        return y


class NormOfChannels(nn.LayerNorm):
    """LayerNorm over the channels of [B, C, H, W]."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class Moved(nn.Module):
    def __init__(self, source: int, destination: int) -> None:
        super().__init__()
        self.axes = (source, destination)

    def forward(self, x: Tensor) -> Tensor:
        return x.movedim(*self.axes)


class ConvNeXtBlock(nn.Module):
    def __init__(self, channels: int, taps: list[Tensor]) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(channels, channels, 7, padding=3, groups=channels),
            Moved(1, -1),
            nn.LayerNorm(channels, eps=1e-6),
            nn.Linear(channels, 4 * channels),
            Tap(taps, nn.GELU(), last=True),
            nn.Linear(4 * channels, channels),
            Moved(-1, 1),
        )
        self.layer_scale = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layer_scale * self.block(x)


class ConvNeXt(nn.Module):
    WIDTHS, DEPTHS = (96, 192, 384, 768), (3, 3, 9, 3)

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.taps: list[Tensor] = []
        layers: list[nn.Module] = []
        inputs = 3
        for width, depth in zip(self.WIDTHS, self.DEPTHS, strict=True):
            if layers:
                layers.append(nn.Sequential(NormOfChannels(inputs, eps=1e-6), nn.Conv2d(inputs, width, 2, 2)))
            else:
                layers.append(nn.Sequential(nn.Conv2d(inputs, width, 4, 4), NormOfChannels(width, eps=1e-6)))
            layers.append(nn.Sequential(*(ConvNeXtBlock(width, self.taps) for _ in range(depth))))
            inputs = width
        self.features = nn.Sequential(*layers)
        norm = NormOfChannels(inputs, eps=1e-6)
        self.classifier = nn.Sequential(norm, nn.Flatten(1), nn.Linear(inputs, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), 1))


class SqueezeExcitation(nn.Module):
    def __init__(self, channels: int, squeezed: int, taps: list[Tensor]) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)
        self.activation = Tap(taps, nn.SiLU())

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.fc2(self.activation(self.fc1(F.adaptive_avg_pool2d(x, 1)))))


def conv_norm(
    inputs: int, outputs: int, kernel: int, stride: int, taps: list[Tensor] | None, *, groups: int = 1
) -> nn.Sequential:
    """Without ``taps``, there is no activation."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    activation = [] if taps is None else [Tap(taps, nn.SiLU())]
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), *activation)


class MBConv(nn.Module):
    def __init__(
        self, inputs: int, outputs: int, expand: int, kernel: int, stride: int, taps: list[Tensor]
    ) -> None:
        super().__init__()
        self.residual = stride == 1 and inputs == outputs
        hidden = inputs * expand
        layers = [conv_norm(inputs, hidden, 1, 1, taps)] if expand > 1 else []
        layers.append(conv_norm(hidden, hidden, kernel, stride, taps, groups=hidden))
        squeeze = SqueezeExcitation(hidden, inputs // 4, taps)
        self.block = nn.Sequential(*layers, squeeze, conv_norm(hidden, outputs, 1, 1, None))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x) if self.residual else self.block(x)


class EfficientNet(nn.Module):
    """The paper's table 1, row by row: expand, kernel, stride, channels, layers."""

    TABLE = """
        1 3 1 16 1
        6 3 2 24 2
        6 5 2 40 2
        6 3 2 80 3
        6 5 1 112 3
        6 5 2 192 4
        6 3 1 320 1
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.taps: list[Tensor] = []
        layers: list[nn.Module] = [conv_norm(3, 32, 3, 2, self.taps)]
        inputs = 32
        for row in self.TABLE.split("\n")[1:-1]:
            expand, kernel, first, outputs, count = map(int, row.split())
            blocks = []
            for index in range(count):
                stride = 1 if index else first
                blocks.append(MBConv(inputs, outputs, expand, kernel, stride, self.taps))
                inputs = outputs
            layers.append(nn.Sequential(*blocks))
        layers.append(conv_norm(inputs, 1280, 1, 1, self.taps))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), 1).flatten(1))


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(*qkv)
        return self.proj(mixed.transpose(1, 2).reshape(batch, tokens, width))


class Mlp(nn.Module):
    def __init__(self, width: int, taps: list[Tensor]) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.act = Tap(taps, nn.GELU(), last=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(x)))


class TransformerBlock(nn.Module):
    def __init__(self, width: int, heads: int, taps: list[Tensor]) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn, self.mlp = Attention(width, heads), Mlp(width, taps)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbedding(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, 16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


class VisionTransformer(nn.Module):
    """timm's names; a DeiT without a distillation token is this one."""

    def __init__(self, width: int, heads: int, num_classes: int, num_patches: int) -> None:
        super().__init__()
        self.taps: list[Tensor] = []
        self.patch_embed = PatchEmbedding(width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, num_patches + 1, width))
        self.blocks = nn.Sequential(*(TransformerBlock(width, heads, self.taps) for _ in range(12)))
        self.norm, self.head = nn.LayerNorm(width, eps=1e-6), nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed
        return self.head(self.norm(self.blocks(x))[:, 0])
