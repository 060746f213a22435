"""A plain loop in PyTorch after its official tutorial on transfer learning, for the head alone or for all layers.

The tutorial's recipe: SGD at 0.001 with momentum 0.9, a tenth of the rate every 7 epochs, mini-batches of 4, random
crops and mirror images, at most 25 epochs. Its validation part, which chose the epoch, is left out: all pictures train,
and the last weights answer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import datasets, models, transforms

from benchmarks.peers.job import Job, read_job, write_answers
from benchmarks.peers.network import classifier, normalisation
from benchmarks.peers.pace import SIZES, is_due, measure, plan

BATCH, RATE, MOMENTUM, STEP, EPOCHS = 4, 0.001, 0.9, 7, 25
WIDER = 256 / 224
"""The shorter side of a test picture, as a multiple of the square that is cut from its middle."""


def loader(job: Job, size: int, means: list[float], deviations: list[float], *, processes: int) -> Any:
    """Returns the training pictures in random order, changed at random, read by some processes or by this one (0)."""
    changes = transforms.Compose(
        [
            transforms.RandomResizedCrop(size),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(means, deviations),
        ]
    )
    pictures = datasets.ImageFolder(str(job.train), changes)
    return DataLoader(pictures, batch_size=BATCH, shuffle=True, num_workers=processes)


class TestPictures(torch.utils.data.Dataset[Tensor]):
    """Pictures without a class, each as the square that the network sees."""

    def __init__(self, paths: list[Path], change: Any) -> None:
        self.paths, self.change = paths, change

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        with Image.open(self.paths[index]) as picture:
            square: Tensor = self.change(picture.convert("RGB"))
        return square


def network(job: Job, n_classes: int) -> tuple[nn.Module, nn.Module, list[float], list[float]]:
    """Returns the network, its new last layer, and the normalisation that it was trained with."""
    if job.backbone == "own":
        model = models.resnet18(weights="IMAGENET1K_V1")
        model.fc = nn.Linear(model.fc.in_features, n_classes)
        return model, model.fc, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    chain, spec = classifier(job.backbone, n_classes)
    return chain, chain[1], *normalisation(spec)


def main() -> None:
    """Trains and answers within the budget."""
    job = read_job()
    torch.set_num_threads(job.threads)
    torch.manual_seed(job.seed)
    classes = sorted(path.name for path in job.train.iterdir())
    model, head, means, deviations = network(job, len(classes))
    loss = nn.CrossEntropyLoss()

    def fix(fixed: bool) -> None:
        model.requires_grad_(not fixed)
        head.requires_grad_(True)

    first = loader(job, SIZES[-1], means, deviations, processes=0)
    pace = measure(model.train(), first, size=SIZES[-1], loss=loss, fix=fix, at_once=BATCH, processes=job.threads)
    fix(job.layers == "head")
    tests = job.test_pictures
    chosen = plan(pace, job.clock.left(), n_train=job.n_train, n_test=len(tests), layers=job.layers, most_epochs=EPOCHS)
    pictures = loader(job, chosen.size, means, deviations, processes=job.threads)
    n_updates = train(job, model, pictures, loss, chosen)
    square = transforms.Compose(
        [
            transforms.Resize(int(chosen.size * WIDER)),
            transforms.CenterCrop(chosen.size),
            transforms.ToTensor(),
            transforms.Normalize(means, deviations),
        ]
    )
    answers: list[str] = []
    model.eval()
    with torch.no_grad():
        for pixels in DataLoader(TestPictures(tests, square), batch_size=32, num_workers=job.threads):
            answers += [classes[row] for row in model(pixels).argmax(dim=1).tolist()]
    choices = {"size": chosen.size, "epochs": chosen.epochs, "updates": n_updates}
    write_answers(job, [path.name for path in tests], answers, choices)


def train(job: Job, model: nn.Module, batches: Any, loss: nn.Module, chosen: Any) -> int:
    """Trains for the planned epochs, or until the time for the test pictures has come; returns the updates made."""
    learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.SGD(learnt, lr=RATE, momentum=MOMENTUM)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, step_size=STEP, gamma=0.1)
    n_updates = 0
    for _ in range(chosen.epochs):
        for pixels, labels in batches:
            if is_due(job.clock, chosen):
                return n_updates
            optimiser.zero_grad()
            loss(model(pixels), labels).backward()
            optimiser.step()
            n_updates += 1
        schedule.step()
    return n_updates


if __name__ == "__main__":
    main()
