"""An app's own nginx configuration, on this host with the meaning that it has in Docker."""

from __future__ import annotations

from pathlib import Path

import pytest

from geartrain.app.config_file import ConfigFile
from geartrain.errors import InvalidError
from geartrain.render.nginx.mapping import Adapted
from geartrain.render.nginx.own import adapt, map_error, wanted_ports

from .apps import Golden
from .live import test_config, write
from .own_configs import CONFIGS, mapping, moved, sources

CASES = sorted(path.name for path in CONFIGS.iterdir())


def nothing_is_there(path: str) -> bool:
    return False


def everything_is_there(path: str) -> bool:
    return True


def adapted(text: str, **changes: object) -> Adapted:
    found = {"/etc/nginx/conf.d/default.conf": ConfigFile("nginx/default.conf", text)}
    return adapt(mapping(found, **changes), nothing_is_there)


def conf(text: str, **changes: object) -> str:
    return adapted(text, **changes).files["nginx.conf"].text


def refused(text: str, **changes: object) -> list[str]:
    with pytest.raises(InvalidError) as caught:
        adapted(text, **changes)
    return [str(problem) for problem in caught.value.problems] or [str(caught.value)]


@pytest.mark.parametrize("case", CASES)
def test_goldens(case: str, golden: Golden) -> None:
    made = adapt(mapping(sources(case)), nothing_is_there)
    tree = {path: (file.mode, file.text) for path, file in made.files.items()}
    golden(f"nginx/own-{case}", tree)


@pytest.mark.programs
@pytest.mark.parametrize("case", CASES)
def test_nginx_takes_it_without_a_warning(case: str, tmp_path: Path) -> None:
    made = adapt(mapping(sources(case)), nothing_is_there)
    (tmp_path / "run").mkdir()
    tree = {
        path: type(file)(file.mode, moved(file.text, tmp_path)) for path, file in made.files.items()
    }
    assert test_config(write(tree, tmp_path / "conf")) == ""


def test_every_line_knows_its_author() -> None:
    made = adapt(mapping(sources("snippets")), nothing_is_there)
    lines = made.files["nginx.conf"].text.splitlines()
    told = dict(zip(lines, map(str, made.lines), strict=True))
    assert (
        told["            proxy_set_header X-Real-IP $remote_addr;"]
        == "nginx/snippets/proxy.conf:2"
    )
    assert told["daemon off;"] == "None"


def test_uri_parts_keep_their_meaning() -> None:
    text = conf("server { location /a/ { proxy_pass http://backend:8080/b/; } "
                "location /c/ { proxy_pass http://backend:8080; } }")  # fmt: skip
    assert "proxy_pass http://backend/b/;" in text
    assert "proxy_pass http://backend;" in text
    assert "server 127.3.0.1:8080 max_fails=1 fail_timeout=1s;" in text


def test_two_ports_of_a_service_are_two_groups() -> None:
    text = conf("server { location /a { proxy_pass http://backend:8080; } "
                "location /b { proxy_pass http://backend:9999; } }")  # fmt: skip
    assert "proxy_pass http://backend;" in text
    assert "proxy_pass http://backend-9999;" in text
    assert "server 127.3.0.2:9999 " in text


def test_a_group_with_a_services_name_stays_the_authors() -> None:
    text = conf("upstream backend { server backend:8080; } "
                "server { location / { proxy_pass http://backend; } }")  # fmt: skip
    assert text.count("upstream backend {") == 1
    assert "server 127.3.0.2:8080;" in text


def test_an_unknown_service_is_named_with_its_line() -> None:
    assert refused("server {\n  location / { proxy_pass http://bakend:8080; }\n}\n") == [
        (
            "nginx/default.conf:2: proxy_pass names 'bakend', which is no service;"
            " did you mean 'backend'?\n    → the services here are api, backend, cache, postgres"
        )
    ]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    told = refused(
        "load_module modules/evil.so;\n"
        "server { include /etc/passwd;\n"
        "auth_basic_user_file /etc/shadow;\n"
        "js_import evil from /tmp/evil.js;\n"
        "location / { proxy_pass http://nobody; } }\n"
    )
    assert [line.split(":")[1] for line in told] == ["2", "1", "3", "4", "5"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("server {", 'nginx/default.conf:1: the block "server" is never closed'),
        ("server { } }", 'nginx/default.conf:1: there is a "}" too many'),
        ("server { listen 80 }", 'nginx/default.conf:1: a ";" is missing after "listen"'),
        ("\n\nserver_name 'a;", "nginx/default.conf:3: a quote (') is never closed"),
        ("listen 80", 'nginx/default.conf:1: a ";" or "{" is missing after "listen"'),
        (";", 'nginx/default.conf:1: there is a ";" too many'),
        ("a {" * 40, "nginx/default.conf:1: blocks are nested too deeply"),
        ("include conf.d/*.conf;", "nginx/default.conf:1: nginx/default.conf includes itself"),
    ],
)
def test_broken_text(text: str, said: str) -> None:
    assert refused(text)[0].startswith(said)


def test_no_path_of_the_host_is_ever_reached() -> None:
    text = conf(
        "server { root /etc; location /a/ { alias /srv/static/../../etc/; } "
        "location /b { root /srv/static/$host; } access_log /etc/cron.d/x; error_log ../../y; }"
    )
    assert " /etc" not in text
    assert "root /srv/geartrain/run/nothing;" in text
    assert "alias /srv/geartrain/run/nothing/;" in text
    assert 'root "/srv/geartrain/release/static/$host";' in text.replace(
        "root /srv/geartrain/release/static/$host;", 'root "/srv/geartrain/release/static/$host";'
    )
    assert "access_log /srv/geartrain/run/x;" in text
    assert "error_log stderr;" in text
    assert "leaves its folder" in refused("server { root /srv/static/$arg_a/../../..; }")[0]


@pytest.mark.parametrize("path", ["/srv/a$b", "/srv/a\nb"])
def test_a_host_path_that_nginx_would_read_otherwise(path: str) -> None:
    with pytest.raises(InvalidError):
        mapping({}, mounts=(("/x", path),))


@pytest.mark.parametrize("path", ['/srv/a b;"{}', "/srv/ü#'", "/srv/a\\b"])
def test_hostile_host_paths_are_quoted(path: str, tmp_path: Path) -> None:
    text = conf("server { root /x; }", mounts=(("/x", path),))
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    assert f'root "{escaped}";' in text


def test_tls_without_its_files_is_served_plainly() -> None:
    made = adapt(mapping(sources("tls")), nothing_is_there)
    text = made.files["nginx.conf"].text
    assert "ssl" not in text
    assert "return 301" not in text
    assert "proxy_pass http://backend;" in text
    assert text.count("listen 127.0.0.1:18080;") == 1
    assert any("without TLS" in notice for notice in made.notices)


def test_tls_with_its_files_stays() -> None:
    found = mapping(sources("tls"), listen={80: ("127.0.0.1:18080",), 443: ("127.0.0.1:18443",)})
    text = adapt(found, everything_is_there).files["nginx.conf"].text
    assert "listen 127.0.0.1:18443 ssl;" in text
    assert "http2 on;" in text
    assert (
        "ssl_certificate /srv/geartrain/data/letsencrypt/live/shop.example/fullchain.pem;" in text
    )
    assert "return 301 https://$host$request_uri;" in text


def test_ports_are_known_before_they_are_mapped() -> None:
    assert wanted_ports(mapping(sources("tls"), listen={}), nothing_is_there) == (80,)
    assert wanted_ports(mapping(sources("tls"), listen={}), everything_is_there) == (80, 443)
    assert wanted_ports(mapping(sources("templates"), listen={}), nothing_is_there) == (80,)
    found = wanted_ports(mapping(sources("snippets"), listen={}), nothing_is_there)
    assert found == (80, 6380, 5433)


def test_a_port_that_is_not_published_is_left_out() -> None:
    made = adapted("server { listen 80; } server { listen 9113; server_name metrics; }")
    assert "metrics" not in made.files["nginx.conf"].text
    assert made.notices == ("nginx/default.conf:1: port 9113 is not published, so it is left out",)


def test_dns_of_docker_goes_and_other_dns_stays() -> None:
    assert "resolver" not in conf("resolver 127.0.0.11 valid=5s;")
    assert "resolver 9.9.9.9;" in conf("resolver 9.9.9.9;")
    text = conf("resolver 127.0.0.11 ipv6=off;", resolvers=("192.0.2.1",))
    assert "resolver 192.0.2.1 ipv6=off;" in text


def test_nginxs_words_lead_to_the_authors_line() -> None:
    made = adapted("server {\n    listen 80;\n    sub_filter a b;\n}\n")
    number = made.files["nginx.conf"].text.splitlines().index("        sub_filter a b;") + 1
    said = f'nginx: [emerg] unknown directive "sub_filter" in /x/nginx.conf:{number}\nnginx: failed'
    problem = map_error(said, made)
    assert problem.what == 'unknown directive "sub_filter"'
    assert problem.where == "nginx/default.conf:3"
    assert "Docker" in problem.remedy
    assert map_error("nginx: [emerg] bind() to 127.0.0.1:80 failed", made).where == ""


@pytest.mark.programs
def test_nginx_itself_is_asked(tmp_path: Path) -> None:
    made = adapted(
        "server {\n  listen 80;\n  proxy_read_timeout soon;\n}\n",
        home=str(tmp_path), folder=str(tmp_path),
    )  # fmt: skip
    problem = map_error(test_config(write(made.files, tmp_path)), made)
    assert str(problem) == 'nginx/default.conf:3: "proxy_read_timeout" directive invalid value'
