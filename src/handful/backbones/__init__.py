"""Pre-trained networks: facts about them, where their weights are, and loading them. No PyTorch until one is loaded."""

from handful.backbones.catalog import find, names
from handful.backbones.fetch import export, get
from handful.backbones.inference import for_inference, keep_memory
from handful.backbones.libraries import ALIASES, require
from handful.backbones.licences import licence_words
from handful.backbones.loading import from_state, load, state_of, untrained
from handful.backbones.network import Network
from handful.backbones.records import from_record, record
from handful.backbones.spec import BackboneSpec, Tap, WeightsFile
from handful.backbones.store import Availability, LocatedWeights, availability, locate, random_weights

__all__ = [
    "ALIASES",
    "Availability",
    "BackboneSpec",
    "LocatedWeights",
    "Network",
    "Tap",
    "WeightsFile",
    "availability",
    "export",
    "find",
    "for_inference",
    "from_record",
    "from_state",
    "get",
    "keep_memory",
    "licence_words",
    "load",
    "locate",
    "names",
    "random_weights",
    "record",
    "require",
    "state_of",
    "untrained",
]
