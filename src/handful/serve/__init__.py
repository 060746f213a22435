"""Local servers: a trained model over HTTP with a page to try it on, and a page on which a model is trained."""

from handful.serve.run import serve, serve_studio
from handful.serve.settings import Settings

__all__ = ["Settings", "serve", "serve_studio"]
