"""A certificate by ACME (RFC 8555), proven over HTTP-01: the edge answers from a folder.

The account's key is kept for each authority; whoever has it is known there.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from geartrain import durable
from geartrain.engine.certificates import Settings, Source, Store, read
from geartrain.errors import Exit, GearError, InvalidError
from geartrain.server import clock, pointing

if TYPE_CHECKING:
    from acme.client import ClientV2

    from geartrain.server.acme_network import Network

WITHIN = 90.0  # seconds for the authority's questions and its answer


class NoCertificateError(GearError):
    """There is none, and why.

    Args:
        what: one sentence.
        wait: seconds after which the authority wants to be asked again.
        others: other domains would be told the same now.
        remedy: what to do.
    """

    def __init__(
        self, what: str, *, wait: float = 0.0, others: bool = False, remedy: str = ""
    ) -> None:
        super().__init__(what, remedy=remedy)
        self.wait = wait
        self.others = others


def obtain(store: Store, domain: str) -> tuple[bytes, bytes]:
    """Get a certificate for a domain that leads here.

    Args:
        store: where the edge's answers and the account's key are.
        domain: a host name.

    Returns:
        The certificate with its chain, and its key (PEM).

    Raises:
        NoCertificateError: there is none, and why.
        GearError: what it is asked with is not installed.
    """
    settings = store.settings()
    with _said(settings, domain) as heard:
        from acme import crypto_util

        client, account = _client(store, settings, heard)
        key = _pem(ec.generate_private_key(ec.SECP256R1()))
        order = client.new_order(crypto_util.make_csr(key, [domain]))
        deadline = datetime.datetime.now() + datetime.timedelta(seconds=WITHIN)  # noqa: DTZ005 - as the library compares it
        answers = []
        store.challenges.mkdir(mode=0o755, parents=True, exist_ok=True)
        try:
            for one in order.authorizations:
                for asked in one.body.challenges:
                    if asked.chall.typ != "http-01" or one.body.status.name == "valid":
                        continue
                    response, text = asked.response_and_validation(account)
                    answers.append(store.challenges / asked.chall.encode("token"))
                    durable.write(answers[-1], text)
                    client.answer_challenge(asked, response)
            done = client.poll_and_finalize(order, deadline)
        finally:
            for path in answers:
                path.unlink(missing_ok=True)
        chain = str(done.fullchain_pem).encode()
        read(domain, chain, key, Source.ACME)
        return chain, key


def _client(store: Store, settings: Settings, heard: list[Network]) -> tuple[ClientV2, object]:
    from acme import client, errors, messages
    from josepy.jwk import JWKEC

    from geartrain.server.acme_network import Network

    own = hashlib.sha256(settings.directory.encode()).hexdigest()[:16]
    file = store.folder / f"account-{own}.pem"
    if not file.exists():
        durable.write(file, _pem(ec.generate_private_key(ec.SECP256R1())), 0o600)
    key = JWKEC.load(file.read_bytes())
    net = Network(key, settings, WITHIN)
    heard.append(net)
    made = client.ClientV2(client.ClientV2.get_directory(settings.directory, net), net)
    wanted = messages.NewRegistration.from_data(
        email=settings.email or None, terms_of_service_agreed=True
    )
    try:
        made.new_account(wanted)
    except errors.ConflictError as known:
        net.account = messages.RegistrationResource(
            body=messages.Registration(), uri=known.location
        )
    return made, key


@contextmanager
def _said(settings: Settings, domain: str) -> Iterator[list[Network]]:
    """Say what went wrong in one line; the client library is loaded here.

    It gives a list for the network, whose answers tell more than the error does.
    """
    try:
        import requests
        from acme import errors, messages
    except ImportError as error:
        raise GearError(
            "certificates by ACME need the packages `acme` and `josepy`",
            remedy="pip install 'geartrain[tls]'",
            code=Exit.MISSING,
        ) from error
    who = settings.directory
    heard: list[Network] = []
    try:
        yield heard
    except errors.ValidationError as error:
        details = [
            str(asked.error.detail)
            for one in error.failed_authzrs
            for asked in one.body.challenges
            if asked.error is not None
        ]
        why = "; ".join([f"it {pointing.told(domain)}", *details])
        raise NoCertificateError(
            f"{domain} does not lead here: {why}",
            remedy="have its DNS point to this machine, with port 80 open; it is tried again",
        ) from error
    except messages.Error as error:
        limited = error.code == "rateLimited"
        what = "takes no more requests for now" if limited else "refuses"
        raise NoCertificateError(
            f"{who} {what}: {error.detail or error.typ}", wait=_wait(heard), others=limited
        ) from error
    except errors.TimeoutError as error:
        raise NoCertificateError(
            f"{who} did not decide about {domain} within {WITHIN:.0f} s"
        ) from error
    except requests.RequestException as error:
        raise _unreachable(who, error) from error
    except InvalidError as error:  # what it gave is not good for the domain, or not now
        clock_is = clock.told(heard[0].ahead, who) if heard else ""
        raise NoCertificateError(
            f"{clock_is}: {error.what}" if clock_is else f"{who}: {error.what}",
            remedy=clock.REMEDY if clock_is else error.remedy,
            others=bool(clock_is),
        ) from error
    except (errors.Error, ValueError) as error:
        answer = error.args[0] if error.args else None
        if isinstance(answer, requests.Response):
            raise NoCertificateError(
                f"{who} answers {answer.status_code} and no more", wait=_wait(heard), others=True
            ) from error
        why = str(error) or type(error).__name__
        raise NoCertificateError(f"{who} gave no certificate: {why}") from error


def _wait(heard: list[Network]) -> float:
    return heard[0].wait if heard else 0.0


def _unreachable(who: str, error: Exception) -> NoCertificateError:
    """An authority that does not answer, or whose own certificate is not believed here."""
    said = str(error)
    if "certificate is not yet valid" in said or "certificate has expired" in said:
        is_ = "is not valid yet" if "not yet" in said else "has ended"
        today = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M")
        return NoCertificateError(
            f"{who} cannot be asked: its certificate {is_} by this machine's clock ({today} UTC)",
            remedy=clock.REMEDY,
            others=True,
        )
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return NoCertificateError(
            f"{who} cannot be asked: its certificate is signed by nobody whom this machine trusts",
            remedy="gear tls settings --ca-file FILE names whom to trust there",
            others=True,
        )
    return NoCertificateError(
        f"{who} cannot be asked: {type(error).__name__}",
        remedy="it is tried again; `gear tls settings` shows where certificates come from",
        others=True,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
