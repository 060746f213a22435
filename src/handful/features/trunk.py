"""A frozen network that says what its numbers mean before it is opened, and imports torch only then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache as once
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from handful.backbones import BackboneSpec, LocatedWeights, Tap, from_state, load, state_of
from handful.core.errors import BundleError, ConfigError, HandfulError
from handful.core.progress import Progress
from handful.core.remembered import memory_of, recall, remember
from handful.features import cache
from handful.features.engines import Engine, Forward, Precision, find_engine
from handful.features.engines.choose import choose_engine
from handful.features.engines.parity import compare
from handful.features.transforms import Preprocessing

if TYPE_CHECKING:
    from handful.backbones.network import Network

Pool = Literal["max", "l2"]

LAST = "eager"
"""The engine that runs everywhere."""

PROOF_FORMAT = 1


@dataclass(frozen=True, slots=True)
class FrozenTrunk:
    """A backbone with particular weights, up to a tap, and the engine that runs it.

    Attributes:
        spec: the facts about the backbone.
        tap: where the features are taken.
        weights_sha256: hash of the weights that `network` returns; part of what names the features.
        network: loads the network, once; called only when something has to be computed.
        state: its weights up to the tap, in the safetensors format.
        engine: runs it.
        engine_reason: why this one.
        pool: "l2" where its max pooling is replaced by the root of the sum of squares.
        opened: the forward pass that was opened last, by what it was opened for.
    """

    spec: BackboneSpec
    tap: Tap
    weights_sha256: str
    network: Callable[[], Network]
    state: Callable[[], bytes]
    engine: Engine
    engine_reason: str = ""
    pool: Pool = "max"
    opened: dict[Any, tuple[Forward, int]] = field(default_factory=dict, compare=False, repr=False)

    def facts(self, tap: Tap) -> dict[str, Any]:
        """Returns everything about the network and its engine that decides its numbers at a tap."""
        return {
            "backbone": self.spec.name,
            "weights": self.weights_sha256,
            "tap": tap.name,
            "pooling": tap.pooling,
            **({"beside": tap.beside} if tap.beside else {}),
            "pool": self.pool,
            **({"library": self.spec.library} if self.spec.library else {}),
            **self.engine.facts,
        }

    def proven(
        self, preprocessing: Preprocessing, *, taps: Sequence[Tap], threads: int, progress: Progress
    ) -> FrozenTrunk:
        """Returns the trunk with its engine, or with PyTorch itself where that one computes something else here.

        An engine is chosen with the network's own picture size and tap. At others it is compared with the network
        too, once; what was found is remembered.

        Args:
            preprocessing: how pictures become the network's input.
            taps: where features are taken.
            threads: that will call it.
            progress: told where another engine takes the place of the trunk's.

        Raises:
            ConfigError: the engine cannot run here.
        """
        spec, shown = self.spec, (preprocessing.size, preprocessing.mean, preprocessing.std)
        as_chosen = shown == (spec.input_size, spec.mean, spec.std) and tuple(taps) == (spec.default_tap,)
        if as_chosen or self.engine.name == LAST:
            return self
        fault = self._fault(preprocessing, taps=taps, threads=threads, progress=progress)
        if not fault:
            return self
        names = ", ".join(tap.name for tap in taps)
        reason = f"not {self.engine} with {preprocessing.size} pixels at {names}: {fault}"
        progress.say(f"Engine {LAST} runs {self.spec.title}, {reason}.")
        return replace(self, engine=_last_resort(self.engine), engine_reason=reason)

    def quickest(self, preprocessing: Preprocessing, *, threads: int, progress: Progress) -> FrozenTrunk:
        """Returns the trunk with the engine that is quickest here once it is open, for who keeps it open.

        That one takes any number of pictures, and is compared with the network's very weights. Where it fails, or
        computes something else, the trunk's own stays; so it does below fp32, where engines differ by more than the
        order of their sums.

        Args:
            preprocessing: how pictures become the network's input.
            threads: that will call it.
            progress: told about the trial, and which engine takes the place of the trunk's.

        Raises:
            ConfigError: the trunk's own engine stays, and cannot run here.
        """
        options: Any = {"taps": [self.tap], "threads": threads, "progress": progress}
        own = partial(self.proven, preprocessing, **options)
        if self.engine.precision != "fp32":
            return own()
        try:
            chosen = choose_engine(
                self.spec,
                self.network,
                wanted="auto",
                precision="fp32",
                threads=threads,
                progress=progress,
                tap=self.tap,
                pool=self.pool,
                is_kept_open=True,
            )
            if chosen.engine.name == self.engine.name:
                return own()
            quick = replace(self, engine=chosen.engine, engine_reason=chosen.reason, opened={})
            quick.open(preprocessing, **options)
            fault = quick._fault(preprocessing, **options)
        except Exception as error:  # whatever it is that the other engine cannot do, the own one stays
            fault = f"{type(error).__name__}: {str(error)[:200]}"
        if fault:
            progress.say(f"Engine {self.engine.name} runs {self.spec.title} as in training: {fault}.")
            return own()
        progress.say(f"Engine {quick.engine.name} runs {self.spec.title}: {quick.engine_reason}.")
        return quick

    def _fault(self, preprocessing: Preprocessing, *, taps: Sequence[Tap], threads: int, progress: Progress) -> str:
        """Returns in what the engine differs from the network with these very weights; found out once."""
        memory = memory_of(
            {
                "format": PROOF_FORMAT,
                "size": preprocessing.size,
                "mean": preprocessing.mean,
                "std": preprocessing.std,
                "taps": [self.facts(tap) for tap in sorted(taps, key=lambda tap: tap.name)],
            }
        )
        found = recall(memory)
        if "fault" not in found:
            if self.engine.fault():
                return ""
            forward, batch = self.open(preprocessing, taps=taps, threads=threads, progress=progress)
            precision = self.engine.precision
            found = asdict(compare(forward, self.network(), taps, preprocessing, batch=batch, precision=precision))
            remember(memory, found)
        return str(found["fault"])

    def open(
        self,
        preprocessing: Preprocessing,
        *,
        taps: Sequence[Tap],
        threads: int,
        progress: Progress,
        by_another: bool = False,
    ) -> tuple[Forward, int]:
        """Returns the forward pass, to be called by so many threads, and the pictures that it takes at a time.

        Some engines take seconds to open, so the last one stays open.

        Args:
            preprocessing: how pictures become the network's input.
            taps: where features are taken.
            threads: that will call it.
            progress: told where another engine takes the place of the trunk's.
            by_another: let PyTorch itself take its place where it cannot run: for a model from another machine, whose
                features are not written down under the engine's name.

        Raises:
            ConfigError: the engine cannot run here.
        """
        purpose = (str(self.engine), preprocessing.size, preprocessing.mean, preprocessing.std, tuple(taps), threads)
        if purpose in self.opened:
            return self.opened[purpose]
        engine, fault = self.engine, self.engine.fault()
        if not fault:
            try:
                ready = engine.open(self.network(), taps, preprocessing, threads), engine.batch
            except HandfulError:
                raise
            except Exception as error:  # of a foreign library, or of a processor without an instruction
                fault = f"it failed ({type(error).__name__}: {str(error)[:200]})"
        if fault:
            instead = _last_resort(engine)
            if not by_another:
                raise ConfigError(
                    f"engine {engine.name} was chosen for {self.spec.title}, but {fault}. Try --engine {instead.name} "
                    f"--precision {instead.precision}."
                )
            progress.say(f"Made with engine {engine.name}, but {fault}; engine {LAST} runs it instead.")
            engine = instead
            ready = engine.open(self.network(), taps, preprocessing, threads), engine.batch
        self.opened.clear()
        self.opened[purpose] = ready
        return ready


def trunk_from_weights(
    spec: BackboneSpec,
    located: LocatedWeights,
    *,
    threads: int,
    progress: Progress,
    engine: str = "auto",
    precision: Precision = "fp32",
    pool: Pool = "max",
) -> FrozenTrunk:
    """Returns the trunk with weights that lie on this machine; what a bundle needs of them is kept in the cache.

    Args:
        spec: the network's facts.
        located: its weights.
        threads: that will run it.
        progress: told when engines are tried.
        engine: the name of one, or "auto".
        precision: of the engine.
        pool: as in `FrozenTrunk`.

    Raises:
        ConfigError: the engine cannot run here, or does not compute this network.
    """
    tap = spec.default_tap
    network = once(lambda: _pooled(load(spec, located), pool))
    chosen = choose_engine(
        spec,
        network,
        wanted=engine,
        precision=precision,
        threads=threads,
        progress=progress,
        pool=pool,
        weights=located.sha256,
    )
    facts = {"trunk": spec.name, "weights": located.sha256, "tap": tap.name}
    space = cache.space_key(facts)

    def state() -> bytes:
        data = next(cache.kept(space), None)
        if data is None:
            data = serialise(network(), tap)
            cache.keep(space, data, facts=facts)
        return data

    return FrozenTrunk(spec, tap, located.sha256, network, state, chosen.engine, chosen.reason, pool)


def trunk_from_state(
    spec: BackboneSpec, tap: Tap, state: bytes, *, sha256: str, engine: Engine, reason: str = "", pool: Pool = "max"
) -> FrozenTrunk:
    """Returns the trunk with weights of its own (a bundle's, or just trained), in the safetensors format."""

    def network() -> Network:
        import safetensors
        import safetensors.torch

        try:
            tensors = safetensors.torch.load(state)
        except (safetensors.SafetensorError, ValueError, KeyError) as error:
            raise BundleError(
                f"the weights of {spec.title} in the model are not a whole safetensors file: {error}. Copy the run "
                "folder again from where it was made, or train again."
            ) from error
        return _pooled(from_state(spec, tensors), pool)

    return FrozenTrunk(spec, tap, sha256, once(network), lambda: state, engine, reason, pool)


def _last_resort(engine: Engine) -> Engine:
    """Returns the engine that takes the place of one that cannot be used; it has no eight bits."""
    return find_engine(LAST, "fp32" if engine.precision == "int8" else engine.precision)


def _pooled(network: Network, pool: Pool) -> Network:
    if pool == "max":
        return network
    from handful.backbones.pooling import L2Pooled

    return L2Pooled(network)


def serialise(network: Network, tap: Tap) -> bytes:
    """Returns what the features at a tap need of a network's weights, in the safetensors format."""
    import safetensors.torch

    data: bytes = safetensors.torch.save(
        {name: tensor.detach().contiguous() for name, tensor in state_of(network, tap).items()}
    )
    return data
