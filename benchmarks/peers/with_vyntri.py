"""vyntri as its README shows it: `fit` on frozen features, in closed form; it has nothing to do with more time.

Its own networks come from torchvision's hub. handful's is put beside them in its registry, with the normalisation that
vyntri applies to every network undone first.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from vyntri import Vyntri
from vyntri.backbones import registry

from benchmarks.peers.job import read_job, write_answers
from benchmarks.peers.network import convolutions, normalisation

VYNTRI_MEAN, VYNTRI_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Features(nn.Module):
    """Features of a network of handful's, of pixels that vyntri normalised: (N, 3, S, S) to (N, D)."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.body, self.spec = convolutions(name)
        means, deviations = (torch.tensor(values).view(3, 1, 1) for values in normalisation(self.spec))
        vyntri_mean, vyntri_std = (torch.tensor(values).view(3, 1, 1) for values in (VYNTRI_MEAN, VYNTRI_STD))
        self.register_buffer("scale", vyntri_std / deviations)
        self.register_buffer("shift", (vyntri_mean - means) / deviations)

    def forward(self, pixels: Tensor) -> Tensor:
        """Returns float32 (N, D)."""
        values: Tensor = self.body(pixels * self.scale + self.shift)
        return values.mean(dim=(2, 3)) if self.spec.default_tap.pooling == "average" else values.flatten(1)


def register(name: str) -> None:
    """Makes a network of handful's one of vyntri's."""
    features = Features(name).eval()
    n_parameters = sum(parameter.numel() for parameter in features.parameters())
    registry._BACKBONES[name] = registry.BackboneInfo(
        name=name,
        feature_dim=features.spec.default_tap.n_features,
        pretrained_id="handful",
        parameter_count=n_parameters,
        cpu_viable=True,
        factory=lambda: features,
    )


def main() -> None:
    """Fits and answers."""
    job = read_job()
    torch.set_num_threads(job.threads)
    options = {}
    if job.backbone != "own":
        register(job.backbone)
        options = {"backbone": job.backbone}
    model = Vyntri(seed=job.seed, cache_enabled=False, **options)
    model.fit(train=str(job.train))
    tests = job.test_pictures
    answers = model.predict_batch([str(path) for path in tests])
    write_answers(job, [path.name for path in tests], answers.labels, {"backbone": model.backbone_name_})


if __name__ == "__main__":
    main()
