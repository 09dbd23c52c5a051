"""The zoo's networks on images, as a person writes them in PyTorch; imported by `zoo_specimens`."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LeNet(nn.Module):
    """The network of PyTorch's own tutorial, for images of 8 x 8."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(4, 8, 3)
        self.fc1 = nn.Linear(8 * 1 * 1, 24)
        self.fc2 = nn.Linear(24, 16)
        self.fc3 = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(-1, 8 * 1 * 1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return F.log_softmax(self.fc3(x), dim=1)


class VGG(nn.Module):
    """Configurations as in torchvision: widths, and "M" for max pooling."""

    def __init__(self, configuration=(4, "M", 8, 8, "M"), classes: int = 10):
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for width in configuration:
            if width == "M":
                layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            else:
                layers += [
                    nn.Conv2d(channels, width, kernel_size=3, padding=1),
                    nn.BatchNorm2d(width),
                    nn.ReLU(inplace=True),
                ]
                channels = width
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((2, 2))
        self.classifier = nn.Sequential(
            nn.Linear(channels * 4, 24), nn.ReLU(True), nn.Dropout(), nn.Linear(24, 16), nn.ReLU(True), nn.Dropout(),
            nn.Linear(16, classes),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        x = self.avgpool(x)
        x = torch.flatten(x, 1)
        return self.classifier(x)


class BasicBlock(nn.Module):
    """Of torchvision's ResNet-18."""

    def __init__(self, channels: int, width: int, stride: int, activation: Callable[[], nn.Module]):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.act = activation()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = None
        if stride != 1 or channels != width:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        identity = x
        out = self.act(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.act(out)


class ResNet18(nn.Module):
    """Four stages of two blocks, as torchvision's, with the stem for small images."""

    def __init__(self, activation: Callable[[], nn.Module] = nn.ReLU, width: int = 2, classes: int = 10):
        super().__init__()
        self.inplanes = width
        self.conv1 = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.act = activation()
        self.layer1 = self._make_layer(width, 1, activation)
        self.layer2 = self._make_layer(2 * width, 2, activation)
        self.layer3 = self._make_layer(4 * width, 2, activation)
        self.layer4 = self._make_layer(8 * width, 2, activation)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(8 * width, classes)

    def _make_layer(self, width: int, stride: int, activation: Callable[[], nn.Module]) -> nn.Sequential:
        blocks = [BasicBlock(self.inplanes, width, stride, activation), BasicBlock(width, width, 1, activation)]
        self.inplanes = width
        return nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.bn1(self.conv1(x)))
        x = self.layer1(x)
        x = self.layer2(x)
        x = self.layer3(x)
        x = self.layer4(x)
        x = self.avgpool(x)
        x = torch.flatten(x, 1)
        return self.fc(x)


class DenseLayer(nn.Module):
    def __init__(self, channels: int, growth: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.conv(F.relu(self.norm(x)))], 1)


class DenseNet(nn.Module):
    """Dense blocks with transitions between them (Huang et al., 2017)."""

    def __init__(self, growth: int = 4, classes: int = 10):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.block1 = nn.Sequential(DenseLayer(4, growth), DenseLayer(4 + growth, growth))
        self.transition = nn.Sequential(
            nn.BatchNorm2d(12), nn.ReLU(), nn.Conv2d(12, 6, 1, bias=False), nn.AvgPool2d(2, stride=2)
        )
        self.block2 = nn.Sequential(*[DenseLayer(6 + growth * k, growth) for k in range(3)])
        self.norm = nn.BatchNorm2d(18)
        self.classifier = nn.Linear(18, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block2(self.transition(self.block1(self.stem(x))))
        x = F.relu(self.norm(x), inplace=True)
        x = F.adaptive_avg_pool2d(x, (1, 1))
        return self.classifier(torch.flatten(x, 1))


class SqueezeExcitation(nn.Module):
    """As in MobileNetV3: the gate is a hard sigmoid."""

    def __init__(self, channels: int, squeezed: int, gate: Callable[[], nn.Module]):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.gate = gate()

    def forward(self, x: Tensor) -> Tensor:
        scale = self.pool(x)
        scale = F.relu(self.fc1(scale))
        return self.gate(self.fc2(scale)) * x


class InvertedResidual(nn.Module):
    def __init__(self, channels: int, expanded: int, width: int, stride: int):
        super().__init__()
        self.residual = stride == 1 and channels == width
        self.block = nn.Sequential(
            nn.Conv2d(channels, expanded, 1, bias=False),
            nn.BatchNorm2d(expanded, eps=0.001, momentum=0.01),
            nn.Hardswish(inplace=True),
            nn.Conv2d(expanded, expanded, 3, stride=stride, padding=1, groups=expanded, bias=False),
            nn.BatchNorm2d(expanded, eps=0.001, momentum=0.01),
            nn.Hardswish(inplace=True),
            SqueezeExcitation(expanded, 4, nn.Hardsigmoid),
            nn.Conv2d(expanded, width, 1, bias=False),
            nn.BatchNorm2d(width, eps=0.001, momentum=0.01),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x) if self.residual else self.block(x)


class MobileNet(nn.Module):
    """Inverted residuals of MobileNetV3."""

    def __init__(self, classes: int = 10):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(4),
            nn.Hardswish(),
            InvertedResidual(4, 8, 4, 1),
            InvertedResidual(4, 12, 8, 2),
        )
        self.classifier = nn.Sequential(
            nn.Linear(8, 16), nn.Hardswish(inplace=True), nn.Dropout(p=0.2, inplace=True), nn.Linear(16, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        x = x.mean([2, 3])
        return self.classifier(x)


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution, then a pointwise MLP behind a layer norm over channels (Liu et al., 2022)."""

    def __init__(self, width: int, layer_scale: float = 0.1):
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, kernel_size=3, padding=1, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.pwconv1 = nn.Linear(width, 4 * width)
        self.act = nn.GELU()
        self.pwconv2 = nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(layer_scale * torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        residual = x
        x = self.dwconv(x)
        x = x.permute(0, 2, 3, 1)  # (N, C, H, W) -> (N, H, W, C)
        x = self.norm(x)
        x = self.pwconv2(self.act(self.pwconv1(x)))
        x = self.gamma * x
        return residual + x.permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    def __init__(self, width: int = 16, classes: int = 10):
        super().__init__()
        self.stem = nn.Conv2d(1, width, kernel_size=2, stride=2)
        self.blocks = nn.Sequential(ConvNeXtBlock(width), ConvNeXtBlock(width))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.stem(x))
        return self.head(self.norm(x.mean([-2, -1])))


class DoubleConv(nn.Module):
    def __init__(self, channels: int, width: int):
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1), nn.GroupNorm(2, width), nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.GroupNorm(2, width), nn.SiLU(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x)


class UNetEncoder(nn.Module):
    """The contracting half of a U-Net with group norms; the head reads the means of all three levels."""

    def __init__(self, width: int = 4, classes: int = 10):
        super().__init__()
        self.down1 = DoubleConv(1, width)
        self.down2 = DoubleConv(width, 2 * width)
        self.bottom = DoubleConv(2 * width, 2 * width)
        self.shrink = nn.AvgPool2d(2)
        self.head = nn.Linear(5 * width, classes)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        first = self.down1(x)
        second = self.down2(self.shrink(first))
        third = self.bottom(self.shrink(second))
        levels = torch.cat([level.mean(dim=(2, 3)) for level in (first, second, third)], dim=1)
        return {"logits": self.head(levels)}


class SENet(nn.Module):
    """A residual network whose blocks end in squeeze and excitation (Hu et al., 2018), with SiLU."""

    def __init__(self, width: int = 8, classes: int = 10):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, stride=2, padding=1)
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.squeeze = nn.Linear(width, width // 2)
        self.excite = nn.Linear(width // 2, width)
        self.fc = nn.Linear(4 * width, 16)
        self.head = nn.Linear(16, classes)

    def forward(self, x: Tensor) -> Tensor:
        batch = x.size(0)
        x = F.silu(self.stem(x))
        out = F.silu(self.conv(x))
        scale = out.mean(dim=(2, 3))
        scale = torch.sigmoid(self.excite(F.silu(self.squeeze(scale))))
        x = x + out * scale[:, :, None, None]
        x = F.avg_pool2d(x, 2).reshape(batch, -1)
        return self.head(torch.tanh(self.fc(x)))
