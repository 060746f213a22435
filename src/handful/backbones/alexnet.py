"""AlexNet in the two forms whose weights were published; imports PyTorch."""

from __future__ import annotations

from torch import nn

from handful.backbones.grouped import Body

N_CLASSES = 1000


class AlexNet(Body):
    """The single-column form with torchvision's names (Krizhevsky, "One weird trick", 2014, arXiv:1404.5997)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(64, 192, kernel_size=5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(192, 384, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, N_CLASSES),
        )

    def groups(self) -> dict[str, nn.Module]:
        """Returns conv1 to conv5 (each with its pooling), fc6, fc7 and the classifier."""
        return {
            "conv1": self.features[0:3],
            "conv2": self.features[3:6],
            "conv3": self.features[6:8],
            "conv4": self.features[8:10],
            "conv5": nn.Sequential(self.features[10:13], self.avgpool),
            "fc6": nn.Sequential(nn.Flatten(), self.classifier[0:3]),
            "fc7": self.classifier[3:6],
            "classifier": self.classifier[6:7],
        }


class GroupedAlexNet(Body):
    """The paper's form with Caffe's layer names: two groups, response normalisation (Krizhevsky et al. 2012, 3.3-3.5).

    Caffe's reference model sees 227 pixels without a border, which gives the 55 x 55 places of the paper.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 96, kernel_size=11, stride=4)
        self.conv2 = nn.Conv2d(96, 256, kernel_size=5, padding=2, groups=2)
        self.conv3 = nn.Conv2d(256, 384, kernel_size=3, padding=1)
        self.conv4 = nn.Conv2d(384, 384, kernel_size=3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(384, 256, kernel_size=3, padding=1, groups=2)
        self.fc6 = nn.Linear(256 * 6 * 6, 4096)
        self.drop6 = nn.Dropout()
        self.fc7 = nn.Linear(4096, 4096)
        self.drop7 = nn.Dropout()
        self.fc8 = nn.Linear(4096, N_CLASSES)

    def groups(self) -> dict[str, nn.Module]:
        """Returns conv1 to conv5 (each with its normalisation and pooling), fc6, fc7 and the classifier."""
        return {
            "conv1": nn.Sequential(self.conv1, nn.ReLU(), _response_normalisation(), nn.MaxPool2d(3, 2)),
            "conv2": nn.Sequential(self.conv2, nn.ReLU(), _response_normalisation(), nn.MaxPool2d(3, 2)),
            "conv3": nn.Sequential(self.conv3, nn.ReLU()),
            "conv4": nn.Sequential(self.conv4, nn.ReLU()),
            "conv5": nn.Sequential(self.conv5, nn.ReLU(), nn.MaxPool2d(3, 2), nn.AdaptiveAvgPool2d((6, 6))),
            "fc6": nn.Sequential(nn.Flatten(), self.fc6, nn.ReLU(), self.drop6),
            "fc7": nn.Sequential(self.fc7, nn.ReLU(), self.drop7),
            "classifier": nn.Sequential(self.fc8),
        }


def _response_normalisation() -> nn.Module:
    """Returns Caffe's form of section 3.3: k = 1, and alpha divided by the 5 channels (PyTorch divides too)."""
    return nn.LocalResponseNorm(size=5, alpha=1e-4, beta=0.75, k=1.0)
