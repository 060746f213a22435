"""Files of the Hugging Face hub, fetched by its own client; what came is what the hub's list of files says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from handful.backbones.licences import UNKNOWN
from handful.core.errors import WeightsError
from handful.core.files import sha256_file
from handful.core.folders import fetching_folder
from handful.core.progress import Progress


@dataclass(frozen=True, slots=True)
class Repository:
    """What the hub says about a repository at its newest commit.

    Attributes:
        name: owner and name.
        commit: its hash.
        licence: as its page names it, or "unknown".
        files: of every file its SHA-256, "" for small ones, for which the hub gives none.
    """

    name: str
    commit: str
    licence: str
    files: dict[str, str]


def ask(name: str, *, endpoint: str | None = None) -> Repository:
    """Returns what the hub says about a repository.

    Args:
        name: owner and name.
        endpoint: the hub's address; by default the client's own, which $HF_ENDPOINT moves.

    Raises:
        WeightsError: there is no such repository, it is behind a form, or the hub does not answer.
    """
    from huggingface_hub import HfApi

    with _explained(name):
        info = HfApi(endpoint=endpoint).model_info(name, files_metadata=True)
    card = info.card_data.to_dict() if info.card_data else {}
    licence = card.get("license") or UNKNOWN
    if licence == "other":
        licence = card.get("license_name") or UNKNOWN
    files = {each.rfilename: each.lfs.sha256 if each.lfs else "" for each in info.siblings or ()}
    return Repository(name, str(info.sha), str(licence), files)


@contextmanager
def fetched(
    repository: Repository, file: str, *, beside: Path, progress: Progress, endpoint: str | None = None
) -> Iterator[Path]:
    """Fetches a file into a temporary folder, where it can be taken from until the context ends.

    Args:
        repository: from `ask`; its commit is the one that is fetched.
        file: its name there.
        beside: the folder in which the temporary one is made.
        progress: told about it.
        endpoint: as in `ask`.

    Raises:
        WeightsError: the file does not come, or other bytes than the hub announced.
    """
    from huggingface_hub import hf_hub_download

    with fetching_folder(beside) as folder:
        progress.say(f"Getting {file} of {repository.name} from the Hugging Face hub")
        with _explained(repository.name):
            path = Path(
                hf_hub_download(repository.name, file, revision=repository.commit, local_dir=folder, endpoint=endpoint)
            )
        announced = repository.files[file]
        if announced and sha256_file(path) != announced:
            raise WeightsError(
                f"{file} of {repository.name} came with SHA-256 {sha256_file(path)}; the hub announced {announced}. It "
                "was not kept. Try again, or from another network."
            )
        yield path


def first_of(repository: Repository, names: Sequence[str]) -> str:
    """Returns the first of some files that a repository has.

    Raises:
        WeightsError: it has none of them.
    """
    for name in names:
        if name in repository.files:
            return name
    raise WeightsError(
        f"{repository.name} on the Hugging Face hub has none of the files {', '.join(names)}. Give a file of your own "
        "with --weights."
    )


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turns the client's errors into ours."""
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    try:
        yield
    except WeightsError:
        raise
    except GatedRepoError as error:
        raise WeightsError(
            f"{name} is behind a form on the Hugging Face hub. Accept its licence at https://huggingface.co/{name}, "
            "then sign in with: hf auth login"
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise WeightsError(
            f"the Hugging Face hub has no network {name}, or it is private. Check the name: OWNER/NAME."
        ) from error
    except Exception as error:  # the client passes on the errors of its http library
        raise WeightsError(
            f"could not get {name} from the Hugging Face hub: {type(error).__name__}: {str(error)[:200]}. Check the "
            "network and try again; without one, give files of your own with --weights."
        ) from error
