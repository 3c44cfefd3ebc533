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
from geartrain.engine.certificates import Settings, Store
from geartrain.errors import Exit, GearError

if TYPE_CHECKING:
    from acme.client import ClientV2

WITHIN = 90.0  # seconds for the authority's questions and its answer
ANSWER_WITHIN = 20  # seconds for one request


def obtain(store: Store, domain: str) -> tuple[bytes, bytes]:
    """Get a certificate for a domain that leads here.

    Args:
        store: where the edge's answers and the account's key are.
        domain: a host name.

    Returns:
        The certificate with its chain, and its key (PEM).

    Raises:
        GearError: there is none, and why.
    """
    settings = store.settings()
    with _said(settings, domain):
        from acme import crypto_util

        client, account = _client(store, settings)
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
        return str(done.fullchain_pem).encode(), key


def _client(store: Store, settings: Settings) -> tuple[ClientV2, object]:
    from acme import client, errors, messages
    from josepy.jwa import ES256
    from josepy.jwk import JWKEC

    own = hashlib.sha256(settings.directory.encode()).hexdigest()[:16]
    file = store.folder / f"account-{own}.pem"
    if not file.exists():
        durable.write(file, _pem(ec.generate_private_key(ec.SECP256R1())), 0o600)
    key = JWKEC.load(file.read_bytes())
    net = client.ClientNetwork(
        key, alg=ES256, user_agent="geartrain", timeout=ANSWER_WITHIN,
        verify_ssl=settings.authority or True,  # type: ignore[arg-type]  # requests' `verify`
    )  # fmt: skip
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
def _said(settings: Settings, domain: str) -> Iterator[None]:
    """Say what went wrong in one line; the client library is loaded here."""
    try:
        import requests
        from acme import errors, messages
    except ImportError as error:
        raise GearError(
            "certificates by ACME need the packages `acme` and `josepy`",
            remedy="pip install 'geartrain[tls]'",
            code=Exit.MISSING,
        ) from error
    try:
        yield
    except errors.ValidationError as error:
        details = [
            str(asked.error.detail)
            for one in error.failed_authzrs
            for asked in one.body.challenges
            if asked.error is not None
        ]
        raise GearError(
            f"{domain} does not lead here: {'; '.join(details) or 'it could not be proven'}",
            remedy="have its DNS point to this machine, with port 80 open; it is tried again",
        ) from error
    except messages.Error as error:
        limited = error.code == "rateLimited"
        what = "takes no more requests for now" if limited else "refuses"
        raise GearError(f"{settings.directory} {what}: {error.detail or error.typ}") from error
    except requests.RequestException as error:
        raise GearError(
            f"{settings.directory} cannot be asked: {type(error).__name__}",
            remedy="it is tried again; `gear tls settings` shows where certificates come from",
        ) from error
    except (errors.Error, ValueError) as error:
        why = str(error) or type(error).__name__
        raise GearError(f"{settings.directory} gave no certificate: {why}") from error


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
