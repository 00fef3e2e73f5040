"""A hand-written residual network in the style of torchvision, of `resnet`'s size.

Basic blocks or bottlenecks, `nn.BatchNorm2d`, `nn.ReLU(inplace=True)`, images scaled to [0, 1] and
standardised; only the base variant's architecture. `models.py` compares its speed with the
workload's.
"""

from __future__ import annotations

from torch import Tensor, nn

from workloads.resnet.model import validate
from workloads.spec import Sizes


def convolution(channels: int, out: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    expansion = 1

    def __init__(self, channels: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = convolution(channels, planes, 3, stride), nn.BatchNorm2d(planes)
        self.conv2, self.bn2 = convolution(planes, planes, 3), nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample(channels, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        activations: Tensor = self.relu(out)
        return activations


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions beside a shortcut."""

    expansion = 4

    def __init__(self, channels: int, planes: int, stride: int) -> None:
        super().__init__()
        wide = planes * self.expansion
        self.conv1, self.bn1 = convolution(channels, planes, 1), nn.BatchNorm2d(planes)
        self.conv2, self.bn2 = convolution(planes, planes, 3, stride), nn.BatchNorm2d(planes)
        self.conv3, self.bn3 = convolution(planes, wide, 1), nn.BatchNorm2d(wide)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample(channels, wide, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        activations: Tensor = self.relu(out)
        return activations


def downsample(channels: int, out: int, stride: int) -> nn.Module | None:
    if stride == 1 and channels == out:
        return None
    return nn.Sequential(convolution(channels, out, 1, stride), nn.BatchNorm2d(out))


class Reference(nn.Module):
    """uint8 (batch, channels, height, width) to logits (batch, classes)."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        config = validate(sizes)
        block = BasicBlock if config.block == "basic" else Bottleneck
        is_large = config.stem == 7
        stem = convolution(config.channels, config.width, config.stem, 2 if is_large else 1)
        parts = [stem, nn.BatchNorm2d(config.width), nn.ReLU(inplace=True)]
        if is_large:
            parts.append(nn.MaxPool2d(3, stride=2, padding=1))
        channels = config.width
        for stage, count in enumerate(config.blocks):
            planes = config.width << stage
            for number in range(count):
                parts.append(block(channels, planes, 2 if stage and not number else 1))
                channels = planes * block.expansion
        self.features = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.fc = nn.Linear(channels, config.classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.features((x / 255 - 0.5) / 0.25))
        return logits
