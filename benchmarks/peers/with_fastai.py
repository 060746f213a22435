"""fastai's usual script, `vision_learner` and `fine_tune`, its own defaults: one epoch of the head, then of all layers.

All training pictures train: nothing is chosen on a validation part, so none is held out (fastai wants one picture in
it, which is trained on too).
"""

from __future__ import annotations

from typing import Any

import torch
from fastai.vision.all import (
    Callback,
    CancelFitException,
    CategoryBlock,
    DataBlock,
    ImageBlock,
    Learner,
    Normalize,
    Resize,
    aug_transforms,
    get_image_files,
    parent_label,
    resnet34,
    set_seed,
    vision_learner,
)
from torch import nn

from benchmarks.peers.job import Job, read_job, write_answers
from benchmarks.peers.network import convolutions, normalisation
from benchmarks.peers.pace import SIZES, is_due, measure, plan


def loaders(job: Job, size: int, means: list[float], deviations: list[float], **options: int) -> Any:
    """Returns fastai's loaders of squares of a size, with its usual augmentation, and its own options but for some."""
    changes = [*aug_transforms(), Normalize.from_stats(means, deviations)]
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock),
        get_items=get_image_files,
        get_y=parent_label,
        splitter=lambda items: (list(range(len(items))), [0]),
        item_tfms=Resize(size),
        batch_tfms=changes,
    )
    return block.dataloaders(job.train, **options)


def learner(job: Job, data: Any) -> Any:
    """Returns a learner with pre-trained layers: handful's file, or those that fastai fetches."""
    if job.backbone == "own":
        return vision_learner(data, resnet34)
    body, _ = convolutions(job.backbone)

    def architecture(*, pretrained: bool = True) -> nn.Sequential:
        return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1))  # fastai cuts at the last pooling

    return vision_learner(data, architecture, normalize=False)


def main() -> None:
    """Trains and answers within the budget."""
    job = read_job()
    torch.set_num_threads(job.threads)
    set_seed(job.seed)
    means, deviations = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    if job.backbone != "own":
        means, deviations = normalisation(convolutions(job.backbone)[1])
    learn: Learner = learner(job, loaders(job, SIZES[-1], means, deviations, num_workers=0))
    pace = measure(
        learn.model.train(),
        learn.dls.train,
        size=SIZES[-1],
        loss=learn.loss_func,
        fix=lambda fixed: learn.freeze() if fixed else learn.unfreeze(),
        at_once=32,
        processes=1,  # what is read beside is little: changes are made to batches, in this process
    )
    tests = job.test_pictures
    chosen = plan(pace, job.clock.left(), n_train=job.n_train, n_test=len(tests), layers="all", head_epochs=1)
    learn.dls = loaders(job, chosen.size, means, deviations)

    n_updates = 0

    def stop_in_time(callback: Any) -> None:
        nonlocal n_updates
        n_updates += callback.training
        if callback.training and is_due(job.clock, chosen):
            raise CancelFitException

    with learn.no_bar(), learn.no_logging():
        learn.fine_tune(chosen.epochs, cbs=Callback(after_batch=stop_in_time))
        scores, _ = learn.get_preds(dl=learn.dls.test_dl(tests))
    answers = [learn.dls.vocab[row] for row in scores.argmax(dim=1).tolist()]
    choices = {"size": chosen.size, "epochs": chosen.epochs, "updates": n_updates}
    write_answers(job, [path.name for path in tests], answers, choices)


if __name__ == "__main__":
    main()
