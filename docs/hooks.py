"""What mkdocs is told beside mkdocs.yml: which pages there are, and what stands on them (pages.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pages import ROOT, SHOWN, notebook_page, notebook_uri, page_text


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds the pages that no Markdown file under docs/ holds: texts of the repository and notebooks."""
    for text, page in SHOWN.items():
        files.append(File.generated(config, page, content=(ROOT / text).read_text(encoding="utf-8")))
    for file in list(files):
        if file.src_uri.endswith(".ipynb"):
            files.remove(file)
            content = notebook_page(Path(config.docs_dir) / file.src_uri)
            files.append(File.generated(config, notebook_uri(file.src_uri), content=content))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: MkDocsConfig, files: Files) -> str:
    """Returns the page's text as the site shows it; beside the start page, alone in its part, stands no list."""
    if page.is_homepage:
        page.meta["hide"] = ["navigation", "toc"]
    return page_text(markdown, page=page.file.src_uri)
