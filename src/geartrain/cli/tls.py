"""`gear tls`: the certificates of a host's domains."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import click
import msgspec
from msgspec.structs import replace

from geartrain.app.policy import Domain
from geartrain.cli import caller, options
from geartrain.cli.output import as_json as print_json
from geartrain.cli.output import columns, note
from geartrain.engine.certificates import Certificate, Source, day
from geartrain.errors import Exit, GearError, InvalidError
from geartrain.server import certificates
from geartrain.server import host as hosts
from geartrain.server.host import EngineKind, ServerHost

file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def tls() -> None:
    """Certificates of a host's domains."""


@tls.command("set")
@click.argument("domain")
@click.option("--cert", required=True, type=file, help="The certificate and its chain (PEM).")
@click.option("--key", required=True, type=file, help="Its private key (PEM).")
@options.host_dir
@options.json
def tls_set(domain: str, cert: Path, key: Path, host_dir: Path | None, as_json: bool) -> None:
    """Serve DOMAIN with a certificate of your own, at once.

    It is checked first: names, dates, key and chain. It is never replaced by
    one from ACME. DOMAIN may be *.example.com, for all names below.

    \b
    Examples:
      gear tls set shop.example.com --cert fullchain.pem --key privkey.pem
    """
    host = _host(host_dir)
    domain = _domain(domain)
    if key.stat().st_mode & 0o077:
        note(f"{key} can be read by others: chmod 600 {key}")
    made, served = certificates.exchange(
        host, domain, cert.read_bytes(), key.read_bytes(), Source.OWN, caller.name()
    )
    certificates.sweep(host)
    if as_json:
        print_json({"domain": domain, "apps": served, "until": made.until,
                    "fingerprint": made.fingerprint})  # fmt: skip
        return
    by = f"{' and '.join(served)} answers with it" if served else "no app has the domain yet"
    click.echo(f"{domain}: the certificate is good until {day(made.until)}; {by}")


@tls.command("remove")
@click.argument("domain")
@options.host_dir
@options.json
def tls_remove(domain: str, host_dir: Path | None, as_json: bool) -> None:
    """Serve DOMAIN without its certificate, on http, and delete it.

    \b
    Examples:
      gear tls remove shop.example.com
    """
    host = _host(host_dir)
    domain = _domain(domain)
    if not host.certificates.forget(domain):
        raise InvalidError(f"there is no certificate for {domain}", remedy="gear tls list")
    served = certificates.serve(host, domain, caller.name())
    certificates.sweep(host)
    if as_json:
        print_json({"domain": domain, "apps": served})
    else:
        click.echo(f"{domain}: served without TLS")


@tls.command("list")
@options.host_dir
@options.json
def tls_list(host_dir: Path | None, as_json: bool) -> int:
    """Show the host's domains and their certificates.

    Exits with 1 when one has ended, or ends within 14 days.

    \b
    Examples:
      gear tls list
    """
    now = time.time()
    rows = certificates.rows(_host(host_dir))
    late = [r for r in rows if r.certificate and r.certificate.ends_soon(now)]
    if as_json:
        print_json(msgspec.to_builtins(rows))
    else:
        table = [(r.domain, r.app or "none", *_said(r.certificate, now)) for r in rows]
        for line in columns(table, ("DOMAIN", "APP", "CERTIFICATE", "UNTIL", "NOTE")):
            click.echo(line)
    return int(Exit.FAILED) if late else 0


def _said(one: Certificate | None, now: float) -> tuple[str, str, str]:
    if one is None:
        return "none", "", "on http alone"
    note = one.warning(now) if one.ends_soon(now) else ""
    return f"{one.source}, {one.issuer}", day(one.until), note


@tls.command("settings")
@click.option("--port", type=click.IntRange(1, 65535), help="The port of https; default 443.")
@click.option("--acme/--no-acme", default=None,
              help="Ask for certificates, which agrees to the terms of who is asked.")  # fmt: skip
@click.option("--email", help="Where the authority may write to.")
@click.option("--directory", metavar="URL", help="Who is asked; default Let's Encrypt.")
@click.option("--ca-file", "authority", type=file, help="Whom to trust there, such as your own CA.")
@options.host_dir
@options.json
def tls_settings(
    port: int | None, acme: bool | None, email: str | None, directory: str | None,
    authority: Path | None, host_dir: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Show or decide where https is served, and whom certificates are asked of.

    \b
    Examples:
      gear tls settings
      gear tls settings --port 8443
    """
    host = _host(host_dir)
    known = host.certificates.settings()
    said = {"port": port, "acme": acme, "email": email, "directory": directory,
            "authority": str(authority.resolve()) if authority else None}  # fmt: skip
    wanted = replace(known, **{key: value for key, value in said.items() if value is not None})
    if wanted != known:
        host.certificates.decide(wanted)
    if port is not None:  # also when it was decided by a command that was killed before this
        for app, _ in certificates.live(host):
            certificates.bring_about(app, caller.name())
    if as_json:
        print_json(msgspec.to_builtins(wanted))
        return
    click.echo(f"https is on port {wanted.port}")
    asked = f"asked of {wanted.directory}" if wanted.acme else "not asked for (--acme)"
    click.echo(f"certificates are {asked}")


@tls.command("renew")
@click.argument("domains", nargs=-1)
@click.option("--jitter", type=click.FloatRange(0, 86400), default=0.0, metavar="SECONDS",
              help="Wait up to so long first, so that not all hosts ask at once.")  # fmt: skip
@click.option("--if-on", is_flag=True, help="Do nothing where the host asks for none.")
@options.host_dir
@options.json
def tls_renew(
    domains: tuple[str, ...], jitter: float, if_on: bool, host_dir: Path | None, as_json: bool
) -> int:
    """Ask for the certificates that are due; for a timer. DOMAINS are asked for at once.

    Exits with 1 when one was not given; the old one stays, and it is tried again later.

    \b
    Examples:
      gear tls renew
      gear tls renew shop.example.com
    """
    from geartrain.server import renewal

    host = _host(host_dir)
    if not host.certificates.settings().acme:
        if if_on:
            return int(Exit.OK)
        raise InvalidError(
            "this host asks for no certificates",
            remedy="gear tls settings --acme --email YOU, which agrees to Let's Encrypt's terms",
        )
    time.sleep(random.uniform(0, jitter))  # noqa: S311 - spreads load, hides nothing
    only = [_domain(domain) for domain in domains]
    done = renewal.renew(host, caller.name(), note, only)
    if as_json:
        print_json(done)
    elif not done:
        click.echo("nothing is due")
    return int(Exit.FAILED) if any(done.values()) else 0


def _host(host_dir: Path | None) -> ServerHost:
    host = ServerHost(hosts.place(host_dir, os.environ))
    if host.facts.engine is not EngineKind.DOCKER:
        raise GearError(
            "this host's engine serves http alone",
            where=str(host.folder),
            remedy="certificates are for hosts with Docker; a laptop has `gear up --tls`",
        )
    return host


def _domain(text: str) -> str:
    try:
        return msgspec.convert(text.rstrip("\n"), Domain)
    except msgspec.ValidationError as error:
        raise InvalidError(
            f"{text!r} is not a domain",
            remedy="a host name such as shop.example.com or *.example.com, in lower case",
        ) from error
