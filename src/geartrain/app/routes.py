"""Which URL paths go where: the sites that an app answers on, before any nginx is written.

Pure, and the same for every engine. Compose's `ports` say on which ports the
app is reached, `x-gear.routes` and `x-gear.static` say which paths go where.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from posixpath import normpath
from urllib.parse import unquote

from msgspec import Struct, structs

from geartrain.app.finding import Finding, KeyPath, dotted
from geartrain.app.model import App, MountKind, PublishedPort, Role, Service
from geartrain.app.own_nginx import own_config
from geartrain.app.policy import Route
from geartrain.app.published import numbers, published
from geartrain.errors import InvalidError, Problem

DEFAULT_PORT = 8080
HTTP_PORT = 80
HTML = "/usr/share/nginx/html"  # where the official nginx image serves files from


class Location(Struct, frozen=True, kw_only=True):
    """One URL path of a site, and what answers there.

    `/api/` is everything below it; `/api` is that path itself and everything
    below it, but not `/apiary`. The longest path wins. `path` is decoded.
    """

    path: str
    service: str | None = None
    """Service that answers; with `static`, it answers for what is no file."""
    port: int | None = None
    """Port of the service's instances, where it is not the one they mainly answer on."""
    static: str | None = None
    """Folder relative to the project that is served."""
    strip: bool = False
    rate_limit: str | None = None
    cache: str | None = None

    @property
    def upstream(self) -> str | None:
        """The instances that answer: `web`, or `web:9090` for a further port of theirs."""
        if self.service is None or self.port is None:
            return self.service
        return f"{self.service}:{self.port}"


class Site(Struct, frozen=True, kw_only=True):
    """What is answered on one public port.

    `domains` is empty when every host name is answered. `host_ips` are the
    addresses that Compose's `ports` name, empty for all. An edge with its own
    configuration has sites without locations: that configuration decides.
    """

    port: int
    domains: tuple[str, ...] = ()
    locations: tuple[Location, ...] = ()
    host_ips: tuple[str, ...] = ()


def sites(app: App) -> tuple[Site, ...]:
    """The sites of an app, one for each public port; empty when nothing answers HTTP.

    Raises:
        InvalidError: routes are missing, contradict each other or cannot be served.
    """
    built = _sites(app)
    findings = check(app)
    if findings:
        problems = [
            Problem(what=f.what, where=f"{app.compose_file} {dotted(f.path)}", remedy=f.remedy)
            for f in findings
        ]
        raise InvalidError("the routes do not fit together", problems=problems)
    return tuple(_site(app, port, asked) for port, asked in built.items())


def main_site(found: Sequence[Site]) -> Site | None:
    """The site that a host name means without a port: that of port 80, or the first."""
    return next((site for site in found if site.port == HTTP_PORT), next(iter(found), None))


def check(app: App) -> tuple[Finding, ...]:
    """Everything that is wrong with an app's routes, by key path."""
    built = _sites(app)
    found = [*_missing(app), *_impossible(app)]
    found += [finding for port, asked in built.items() for finding in _twice(port, asked)]
    return tuple(dict.fromkeys(found))


class _Asked(Struct, frozen=True, kw_only=True):
    """A location, with the key that asked for it. `implied` ones give way to files."""

    location: Location
    key: KeyPath
    implied: bool = False


def _sites(app: App) -> dict[int, list[_Asked]]:
    edges, webs = app.of_role(Role.EDGE), app.of_role(Role.WEB)
    edge_ports = numbers([p for edge in edges for p in published(edge)])
    if any(own_config(edge) for edge in edges):
        return {port: [] for port in edge_ports or (_usual(app),)}
    main = _main(app)
    built: dict[int, list[_Asked]] = {}
    if edges:
        everything = [a for s in app.services.values() for a in _asked(s, root=s.name == main)]
        built = {port: list(everything) for port in edge_ports or (_usual(app),)}
    shared = [
        a
        for s in app.services.values()
        if not published(s) and not edges
        for a in _asked(s, root=s.name == main)
    ]
    own = {web.name for web in _own(app)}
    joined = False
    for web in webs:
        for port in published(web):
            if port.published in edge_ports or port.published is None:
                continue
            here = built.setdefault(port.published, list(shared) if web.name in own else [])
            here += _on_port(web, port)
            joined = joined or web.name in own
    if shared and not joined and (not built or any(not a.implied for a in shared)):
        built.setdefault(_usual(app), []).extend(shared)
    return built


def _usual(app: App) -> int:
    """Where an app answers that publishes no port: a host name alone means port 80."""
    return HTTP_PORT if app.policy.domains else DEFAULT_PORT


def _own(app: App) -> tuple[Service, ...]:
    """The web services that make up the app. Images beside what is built are tools of their own:
    a mail catcher, a database's console."""
    webs = app.of_role(Role.WEB)
    if not any(web.build for web in webs):
        return webs
    return tuple(w for w in webs if w.build or w.gear.routes or own_config(w))


def _main(app: App) -> str | None:
    """The service that `/` goes to where none says so: the only one.

    Behind an edge, those with a port of their own are beside it. Without one, a
    service that asks for some port (`ports: ["8000"]`) is in front.
    """
    mine = _own(app)
    if len(mine) > 1:
        edges = app.of_role(Role.EDGE)
        mine = tuple(web for web in mine if (not published(web) if edges else web.ports))
    return mine[0].name if len(mine) == 1 else None


def _asked(service: Service, *, root: bool) -> list[_Asked]:
    """The locations of one service; `root` gives `/` to a web service that names no route."""
    gear, key = service.gear, ("services", service.name, "x-gear")
    found = [
        _Asked(location=_location(service, route), key=(*key, "routes", index))
        for index, route in enumerate(gear.routes)
    ]
    if service.role is Role.WEB and not gear.routes and root:
        location = _location(service, "/")
        found.append(_Asked(location=location, key=("services", service.name), implied=True))
    found += [
        _Asked(location=Location(path=unquote(path), static=_folder(folder)),
               key=(*key, "static", path))
        for path, folder in gear.static.items()
    ]  # fmt: skip
    if service.role is Role.EDGE:
        found += [
            _Asked(
                location=Location(
                    path=mount.target.rstrip("/").removeprefix(HTML) or "/",
                    static=_folder(mount.source),
                ),
                key=("services", service.name, "volumes", index),
            )
            for index, mount in enumerate(service.mounts)
            if mount.kind is MountKind.BIND and f"{mount.target}/".startswith(f"{HTML}/")
        ]
    return found


def _on_port(web: Service, port: PublishedPort) -> list[_Asked]:
    """What a web service answers on a port of its own: its routes, or all of a further port."""
    if web.port in (None, port.target):
        return _asked(web, root=True)
    location = Location(path="/", service=web.name, port=port.target)
    return [_Asked(location=location, key=("services", web.name, "ports"))]


def _location(service: Service, route: str | Route) -> Location:
    asked = Route(path=route) if isinstance(route, str) else route
    return Location(
        path=unquote(asked.path),
        service=service.name,
        strip=asked.strip and asked.path != "/",
        rate_limit=asked.rate_limit or service.gear.rate_limit,
        cache=asked.cache or service.gear.cache,
    )


def _site(app: App, port: int, asked: list[_Asked]) -> Site:
    """Put a site together: files in the place of an implied `/` win, the service has the rest."""
    locations: dict[str, Location] = {}
    for one in sorted(asked, key=lambda a: a.implied):
        files = locations.get(one.location.path)
        if files is not None and one.implied:
            locations[files.path] = structs.replace(one.location, static=files.static)
        elif files is None:
            locations[one.location.path] = one.location
    ips = {
        p.host_ip
        for s in app.of_role(Role.EDGE, Role.WEB)
        for p in published(s)
        if p.published == port
    }
    return Site(
        port=port,
        domains=tuple(app.policy.domains),
        locations=tuple(sorted(locations.values(), key=lambda one: one.path)),
        host_ips=() if "" in ips else tuple(sorted(ips)),
    )


def _missing(app: App) -> Iterator[Finding]:
    webs, edges = _own(app), app.of_role(Role.EDGE)
    if not webs or _main(app) or any(own_config(edge) for edge in edges):
        return
    if any(s.gear.routes for s in webs) or (not edges and any(published(s) for s in webs)):
        return
    names = ", ".join(web.name for web in webs)
    what = f"several services could answer and none says which paths are its own: {names}"
    remedy = (
        f"say it with x-gear.routes, such as `x-gear: {{routes: [/api/]}}` at {webs[0].name}"
        f" and `x-gear: {{routes: [/]}}` at {webs[1].name}; x-gear.role: worker for one"
        " that is not reached by HTTP"
    )
    yield Finding(("services",), what, remedy)


def _impossible(app: App) -> Iterator[Finding]:
    for service in app.services.values():
        for one in _asked(service, root=False):
            path, folder = one.location.path, one.location.static
            if not path.isprintable() or set('$"\\\ufffd') & set(path):
                what = f"the path {path!r} holds a character that no route can hold"
                yield Finding(one.key, what, 'leave out control characters, $, " and \\')
            elif normpath(path).rstrip("/") != path.rstrip("/") or path.startswith("//"):
                what = f"no request ever has the path {path}"
                yield Finding(one.key, what, "leave out // and the parts . and ..")
            if folder is not None and (folder.startswith("/") or folder.split("/")[0] == ".."):
                what = f"the folder {folder} is outside the repository"
                yield Finding(one.key, what, "name a folder of the repository")


def _twice(port: int, asked: list[_Asked]) -> Iterator[Finding]:
    files = {a.location.path for a in asked if a.location.static is not None}
    first: dict[str, _Asked] = {}
    for one in asked:
        if one.implied and one.location.path in files:
            continue
        same = first.setdefault(one.location.path.rstrip("/"), one)
        if same is not one and same.implied and one.implied:
            what = f"port {port} is published by {same.location.service} too"
            remedy = (
                "publish another port, or say with x-gear.routes which paths each of them answers"
            )
            yield Finding((*one.key[:2], "ports"), what, remedy)
        elif same is not one:
            what = f"the path {one.location.path} is already taken by {dotted(same.key)}"
            remedy = "give each path to one service or one static folder"
            yield Finding(one.key, what, remedy)


def _folder(path: str) -> str:
    return normpath(path) if path else "."
