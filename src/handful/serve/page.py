"""The pages that a server shows: one file each, without a request to anywhere else."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from handful.report.page import environment


@dataclass(frozen=True, slots=True)
class Page:
    """A page and the content security policy that goes with it."""

    html: str
    policy: str


def make_page(template: str, **facts: bool) -> Page:
    """Returns a page made from a template and facts, whose script is the only one that its policy lets run."""
    made = environment("handful.serve", "handful.report")
    name = template.removesuffix(".html.j2")
    script = made.get_template(f"{name}.js").render(facts)
    html = made.get_template(template).render(facts, script=script)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src 'self' data: blob:; "
        "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Page(html, policy)
