"""What an address sends: from hosts that are allowed, at addresses that are public, and on from where it broke off."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from handful.core.errors import WeightsError
from handful.core.progress import Progress

if TYPE_CHECKING:
    import requests

CHUNK = 1 << 18
CONNECT_SECONDS, READ_SECONDS = 15, 60

MOST_BREAKS = 5
"""Times that a transfer may break off before it is given up."""

PAUSE = 1.0
"""Seconds before it is gone on with, times the breaks so far."""

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""Networks without IPv4 write its addresses so."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Where downloads may go, checked again at every redirect.

    Attributes:
        hosts: the allowed hosts; None allows any, for an index that the user configured, behind which files may lie
            anywhere. The hash decides in either case.
        schemes: the allowed schemes.
        max_redirects: redirects to follow.
        private: whether a host may be on this machine or in its own network, as a mirror that the user names may.
            Behind a proxy it is the proxy that looks hosts up, so nothing is checked there.
    """

    hosts: tuple[str, ...] | None
    schemes: tuple[str, ...] = ("https",)
    max_redirects: int = 3
    private: bool = False


OFFICIAL = Policy(hosts=("download.pytorch.org",))


def received(url: str, policy: Policy, label: str, *, max_bytes: int, progress: Progress) -> Iterator[bytes]:
    """Yields what an address sends; where the transfer breaks off, goes on from there.

    Args:
        url: the address.
        policy: which hosts and schemes are allowed.
        label: of the stage that progress is told about.
        max_bytes: that are expected; more may come.
        progress: told about every byte.

    Raises:
        WeightsError: the address is not allowed, does not answer, or the transfer breaks off again and again.
    """
    import requests
    import urllib3

    n_received = n_breaks = 0
    while True:
        try:
            with _opened(url, policy, start=n_received) as (response, known):
                announced = int(response.headers.get("Content-Length") or 0)
                with progress.stage(label, announced or max_bytes) as advance:
                    for chunk in response.raw.stream(CHUNK, decode_content=False):
                        new = chunk[known:]
                        known -= len(chunk) - len(new)
                        n_received += len(new)
                        yield new
                        advance(len(chunk))
            return
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            n_breaks += 1
            if not n_received or n_breaks > MOST_BREAKS:
                raise WeightsError(
                    f"could not download {without_password(url)}: {_reason(error)}. Check the network, then try again; "
                    "without a network, carry the file over: handful backbones --export DIR, then --weights DIR."
                ) from error
            time.sleep(n_breaks * PAUSE)


def without_password(url: str) -> str:
    """Returns an address as it may be shown: without a password, and without what follows the path."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def is_public(address: str) -> bool:
    """Returns whether an IP address is on the internet: not this machine's, nor of a network around it."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        within = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF) if found in NAT64 else None
        found = found.ipv4_mapped or found.sixtofour or within or found
    return found.is_global and not found.is_multicast


@contextmanager
def _opened(url: str, policy: Policy, *, start: int) -> Iterator[tuple[requests.Response, int]]:
    """Opens an address from a byte on, after checking it and every address that it redirects to.

    Yields also how many of the bytes that come are known already: none, where the server starts where it should.
    """
    with _session(policy) as session:
        for _ in range(policy.max_redirects + 1):
            _check_allowed(url, policy)
            with session.get(
                url,
                stream=True,
                allow_redirects=False,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                headers={"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})},
            ) as response:
                if not response.is_redirect:
                    goes_on = start > 0 and response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
                    if response.status_code != (206 if goes_on else 200):
                        raise WeightsError(
                            f"{without_password(url)} answers {response.status_code} {response.reason}. The file may "
                            "have moved; look for a newer handful, or give your own file with --weights."
                        )
                    yield response, 0 if goes_on else start
                    return
                url = urljoin(url, response.headers["Location"])
    raise WeightsError(
        f"{without_password(url)} was reached after more than {policy.max_redirects} redirects; stopped."
    )


def _check_allowed(url: str, policy: Policy) -> None:
    parts = urlsplit(url)
    if parts.scheme not in policy.schemes:
        raise WeightsError(
            f"weights are downloaded by {' or '.join(policy.schemes)} only, not from {without_password(url)}."
        )
    if not parts.hostname or (policy.hosts is not None and parts.hostname not in policy.hosts):
        allowed = ", ".join(policy.hosts or ("a host with a name",))
        raise WeightsError(f"{without_password(url)} is on host {parts.hostname!r}; weights come from {allowed} only.")


def _session(policy: Policy) -> requests.Session:
    """Returns a session that connects to public addresses alone, where the policy wants that."""
    import requests

    session = requests.Session()
    if not policy.private:
        for scheme in policy.schemes:
            session.mount(f"{scheme}://", _public_adapter())
    return session


def _public_adapter() -> requests.adapters.HTTPAdapter:
    """Returns what opens connections; the address that was looked at is the one that is connected to."""
    import requests
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(self.host, self.port, self.timeout)

    class Encrypted(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(self.host, self.port, self.timeout)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    class Adapter(requests.adapters.HTTPAdapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            super().init_poolmanager(*args, **options)
            self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}

    return Adapter(max_retries=0)


def _connected(host: str, port: int, seconds: Any) -> socket.socket:
    """Returns a connection to a host, all of whose addresses are public; a name is looked up once."""
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    private = [str(where[0]) for *_, where in found if not is_public(str(where[0]))]
    if private:
        raise WeightsError(
            f"{host} is at {private[0]}, on this machine or in a network around it; published files do not come from "
            "there. Behind a mirror, name it where it can be named (pip config, HF_ENDPOINT), or carry the file over: "
            "handful backbones --export DIR, then --weights DIR."
        )
    fault: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, where in found:
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(seconds)
        try:
            connection.connect(where)
        except OSError as error:
            connection.close()
            fault = error
        else:
            return connection
    raise fault


def _reason(error: Exception) -> str:
    """Returns the innermost cause in a few words, without the address and its password."""
    while error.__cause__ is not None or error.__context__ is not None:
        inner = error.__cause__ or error.__context__
        if not isinstance(inner, Exception):
            break
        error = inner
    return f"{type(error).__name__}: {error}".split(" (Caused")[0]
