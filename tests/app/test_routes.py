"""Which URL paths go where, by the Compose file's ports and `x-gear`."""

from __future__ import annotations

import shlex

import pytest
from msgspec import structs

from geartrain.app.model import (
    App,
    Build,
    Grant,
    Mount,
    MountKind,
    PublishedPort,
    Role,
    Service,
)
from geartrain.app.own_nginx import own_config
from geartrain.app.policy import AppPolicy, Route, ServicePolicy
from geartrain.app.published import notices
from geartrain.app.routes import Location, Site, sites
from geartrain.errors import InvalidError


def service(
    name: str, *ports: int, role: Role = Role.WEB, port: int | None = None, **gear: object
) -> Service:
    return Service(
        name=name,
        role=role,
        port=port,
        ports=tuple(PublishedPort(target=port or n, published=n) for n in ports),
        gear=ServicePolicy(**gear),  # type: ignore[arg-type]
    )


def edge(*ports: int, mounts: tuple[Mount, ...] = (), **gear: object) -> Service:
    made = service("nginx", *ports, role=Role.EDGE, **gear)
    return Service(name="nginx", role=Role.EDGE, ports=made.ports, mounts=mounts, gear=made.gear)


def app(*services: Service, **policy: object) -> App:
    return App(
        name="a",
        services={s.name: s for s in services},
        policy=AppPolicy(**policy),  # type: ignore[arg-type]
    )


def at(path: str, name: str | None = None, **rest: object) -> Location:
    return Location(path=path, service=name, **rest)  # type: ignore[arg-type]


def told(*services: Service) -> list[str]:
    with pytest.raises(InvalidError) as caught:
        sites(app(*services))
    return [str(problem) for problem in caught.value.problems]


def test_the_edges_port_leads_to_the_only_web_service() -> None:
    assert sites(app(edge(80), service("web"))) == (Site(port=80, locations=(at("/", "web"),)),)


def test_without_an_edge_a_services_own_port_carries_the_site() -> None:
    assert sites(app(service("web", 8000))) == (Site(port=8000, locations=(at("/", "web"),)),)


def test_several_services_with_ports_are_a_site_each() -> None:
    found = sites(app(service("front", 3000), service("back", 8000)))
    assert found == (
        Site(port=3000, locations=(at("/", "front"),)),
        Site(port=8000, locations=(at("/", "back"),)),
    )


def test_no_ports_at_all_is_8080() -> None:
    assert sites(app(service("web"))) == (Site(port=8080, locations=(at("/", "web"),)),)


def test_nothing_that_answers_is_no_site() -> None:
    assert sites(app(service("jobs", role=Role.WORKER))) == ()


def test_a_web_service_keeps_its_own_port_behind_an_edge() -> None:
    found = sites(app(edge(80), service("web", 8000)))
    assert [site.port for site in found] == [80, 8000]
    assert all(site.locations == (at("/", "web"),) for site in found)


def test_a_further_port_leads_to_that_port() -> None:
    web = Service(
        name="web",
        role=Role.WEB,
        port=8000,
        ports=(
            PublishedPort(target=8000, published=80),
            PublishedPort(target=9090, published=9090, host_ip="127.0.0.1"),
        ),
    )
    first, second = sites(app(web))
    assert first.locations == (at("/", "web"),)
    assert second.locations == (at("/", "web", port=9090),)
    assert second.locations[0].upstream == "web:9090"
    assert second.host_ips == ("127.0.0.1",)


def test_routes_of_a_service_without_ports_join_the_published_site() -> None:
    found = sites(app(service("web", 8000), service("api", routes=["/api/"])))
    assert found == (Site(port=8000, locations=(at("/", "web"), at("/api/", "api"))),)


def test_a_services_limits_hold_for_routes_that_set_none() -> None:
    web = service(
        "web",
        routes=["/", Route(path="/a", strip=True, rate_limit="1/s", cache="1h")],
        rate_limit="9/s",
        cache="5s",
    )
    (site,) = sites(app(web))
    assert site.locations == (
        at("/", "web", rate_limit="9/s", cache="5s"),
        at("/a", "web", strip=True, rate_limit="1/s", cache="1h"),
    )


def test_domains() -> None:
    (site,) = sites(app(service("web"), domains=["a.example"]))
    assert site.domains == ("a.example",)
    assert site.port == 80, "which a host name alone means"


def html(target: str = "/usr/share/nginx/html") -> Mount:
    return Mount(kind=MountKind.BIND, source="public", target=target)


def test_files_of_the_edge() -> None:
    (site,) = sites(app(edge(80, mounts=(html(), html("/usr/share/nginx/html/docs")))))
    assert site.locations == (at("/", static="public"), at("/docs", static="public"))


def test_files_win_over_a_service_that_names_no_route() -> None:
    (site,) = sites(app(edge(80, mounts=(html(),)), service("web", cache="1s")))
    assert site.locations == (at("/", "web", static="public", cache="1s"),)


def test_static_folders_of_a_service() -> None:
    (site,) = sites(app(service("web", 8000, static={"/static/": "./web/static/"})))
    assert site.locations == (at("/", "web"), at("/static/", static="web/static"))


def test_paths_are_decoded() -> None:
    (site,) = sites(app(service("web", routes=["/a%20b"])))
    assert site.locations == (at("/a b", "web"),)


def test_several_services_without_routes() -> None:
    assert told(edge(80), service("api"), service("web")) == [
        (
            "docker-compose.yml services: several services could answer and none says which paths"
            " are its own: api, web\n    → say it with x-gear.routes, such as"
            " `x-gear: {routes: [/api/]}`"
            " at api and `x-gear: {routes: [/]}` at web; x-gear.role: worker for one that is not"
            " reached by HTTP"
        )
    ]


def test_who_asks_for_some_port_is_in_front() -> None:
    front = structs.replace(service("nginx"), ports=(PublishedPort(target=8000),))
    assert sites(app(front, service("web"))) == (Site(port=8080, locations=(at("/", "nginx"),)),)


def test_every_path_that_is_taken_twice_is_told() -> None:
    found = told(
        edge(80, static={"/files": "a"}),
        service("api", routes=["/api", "/files/"]),
        service("web", routes=["/", "/api/"]),
    )
    assert [line.split("\n")[0] for line in found] == [
        (
            "docker-compose.yml services.api.x-gear.routes[1]: the path /files/ is already taken by"
            " services.nginx.x-gear.static.'/files'"
        ),
        (
            "docker-compose.yml services.web.x-gear.routes[1]: the path /api/ is already taken by"
            " services.api.x-gear.routes[0]"
        ),
    ]


def test_a_port_that_is_published_twice() -> None:
    (line,) = told(service("a", 80), service("b", 80))
    assert "services.b.ports: port 80 is published by a too" in line


def built(name: str, *ports: int, **gear: object) -> Service:
    return structs.replace(service(name, *ports, **gear), build=Build(context="."))  # type: ignore[arg-type]


def test_a_tool_with_a_port_of_its_own_does_not_take_the_apps_place() -> None:
    mail = service("mail", 8025)
    behind = Site(port=80, locations=(at("/", "web"),))
    beside = Site(port=8025, locations=(at("/", "mail"),))
    assert sites(app(edge(80), built("web"), mail)) == (behind, beside)
    assert sites(app(built("web", 80), mail)) == (behind, beside)


def test_routes_join_the_apps_own_sites_and_no_tools() -> None:
    found = sites(app(built("web", 80), built("api", routes=["/api/"]), service("mail", 8025)))
    assert [(s.port, [one.path for one in s.locations]) for s in found] == [
        (80, ["/", "/api/"]),
        (8025, ["/"]),
    ]


def test_routes_without_any_port_have_a_site_of_their_own_beside_a_tool() -> None:
    found = sites(app(built("web", routes=["/"]), service("mail", 8025)))
    assert [site.port for site in found] == [8025, 8080]


def test_what_publishes_nothing_beside_tools_is_told_so() -> None:
    hidden = app(built("web"), service("mail", 8025))
    assert [site.port for site in sites(hidden)] == [8025]
    assert notices(hidden) == ("web: has no routes, so it is reached only inside the app",)


def test_what_speaks_no_http_is_left_out_and_told() -> None:
    ports = (PublishedPort(target=5672, published=5672), PublishedPort(target=15672, published=80))
    queue = Service(name="queue", role=Role.WEB, port=15672, ports=ports)
    store = Service(name="db", role=Role.OTHER, ports=(PublishedPort(target=3306, published=3306),))
    here = app(queue, store)
    assert [site.port for site in sites(here)] == [80]
    assert notices(here) == (
        "queue: port 5672 is left out, AMQP is not HTTP; the app itself reaches queue:5672",
        "db: its ports are not published, as they speak no HTTP; the app itself reaches db:3306",
    )


def test_x_gear_knows_better_what_a_port_speaks() -> None:
    web = service("web", 2222, port=2222)
    assert "SSH is not HTTP" in notices(app(web))[0]
    said = structs.replace(web, gear=ServicePolicy(port=2222))
    assert [site.port for site in sites(app(said))] == [2222]
    assert notices(app(said)) == ()


@pytest.mark.parametrize(
    "path", ["/a/../b", "/a//b", "//", "/./a", "/a%00", "/%24x", "/%0a", "/%ff"]
)
def test_paths_that_no_request_has(path: str) -> None:
    assert len(told(service("web", routes=[path]))) == 1


@pytest.mark.parametrize("folder", ["../x", "/etc", "a/../../b"])
def test_folders_outside_the_repository(folder: str) -> None:
    assert "is outside the repository" in told(service("web", 80, static={"/s": folder}))[0]


def test_notices() -> None:
    quiet = service("admin")
    udp = Service(
        name="dns", role=Role.WEB, ports=(PublishedPort(target=53, published=53, protocol="udp"),)
    )
    found = notices(app(edge(80, 443), service("web", routes=["/"]), quiet, udp))
    assert "nginx: port 443 is Geartrain's own: see docs/tls.md" in found
    assert "admin: has no routes, so it is reached only inside the app" in found
    assert "dns: port 53/udp is left out, only TCP is served" in found


@pytest.mark.parametrize(
    ("target", "own"),
    [
        ("/etc/nginx/nginx.conf", True),
        ("/etc/nginx/conf.d", True),
        ("/etc/nginx/conf.d/", True),
        ("/etc/nginx/conf.d/default.conf", True),
        ("/etc/nginx/templates", True),
        ("/etc/nginx", True),
        ("/etc/nginx/.htpasswd", False),
        ("/etc/nginx/conf.dx", False),
        ("/usr/share/nginx/html", False),
    ],
)
def test_a_configuration_of_its_own(target: str, own: bool) -> None:
    mounted = Service(name="n", role=Role.EDGE, mounts=(html(target),))
    granted = Service(name="n", role=Role.EDGE, configs=(Grant(source="c", target=target),))
    assert own_config(mounted) is own
    assert own_config(granted) is own


@pytest.mark.parametrize(
    ("command", "own"),
    [
        ("nginx -g 'daemon off;'", False),
        ("nginx-debug -g 'daemon off;'", False),
        ("nginx -c /srv/conf/nginx.conf", True),
        ("nginx -g 'daemon off;' -c /srv/nginx.conf", True),
        ("sh -c 'envsubst < /t > /etc/nginx/conf.d/default.conf && exec nginx'", True),
    ],
)
def test_a_configuration_that_the_command_brings(command: str, own: bool) -> None:
    nginx = Service(name="n", role=Role.EDGE, command=tuple(shlex.split(command)))
    assert own_config(nginx) is own


def test_a_built_nginx_has_its_own_configuration() -> None:
    assert own_config(Service(name="n", role=Role.EDGE, build=Build(context="nginx")))


def test_an_edge_with_its_own_configuration_decides_itself() -> None:
    mine = edge(80, mounts=(html("/etc/nginx/conf.d"),))
    assert sites(app(mine, service("a"), service("b"))) == (Site(port=80),)


def test_a_port_beside_an_edge_that_decides_itself_is_told_to_be_left_out() -> None:
    mine = edge(80, mounts=(html("/etc/nginx/conf.d"),))
    shop = app(mine, service("web", 80, 8000))
    assert sites(shop) == (Site(port=80),)
    (notice,) = notices(shop)
    assert notice.startswith("web: port 8000 is left out, the edge's own configuration answers")
    assert notice.endswith("publish it at nginx and listen on it there")
