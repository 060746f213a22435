"""A local server for a trained model: answers over HTTP, and a page to try it on."""

from handful.serve.run import serve
from handful.serve.settings import Settings

__all__ = ["Settings", "serve"]
