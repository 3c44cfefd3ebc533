"""What the official nginx image brings beside an author's files, in our own words."""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping

from geartrain.app.config_file import ConfigFile
from geartrain.render.nginx.mime import MIME_TYPES

MAIN = "/etc/nginx/nginx.conf"
CONF_D = "/etc/nginx/conf.d/"
TEMPLATES = "/etc/nginx/templates/"
SUFFIX = ".template"

# The settings of the image's nginx.conf, around the author's servers.
AROUND = """\
worker_processes auto;
events {
    worker_connections 1024;
}
http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                    '$status $body_bytes_sent "$http_referer" '
                    '"$http_user_agent" "$http_x_forwarded_for"';
    access_log /var/log/nginx/access.log main;
    sendfile on;
    keepalive_timeout 65;
    include /etc/nginx/conf.d/*.conf;
}
"""

WELCOME_SERVER = """\
server {
    listen 80;
    server_name localhost;
    location / {
        root /usr/share/nginx/html;
        index index.html index.htm;
    }
}
"""

WELCOME_PAGE = """\
<!doctype html>
<title>nginx</title>
<h1>nginx is running</h1>
<p>No files are mounted at /usr/share/nginx/html yet.</p>
"""

# CGI variables (RFC 3875) as nginx's own `*_params` files name them.
_CGI = {
    "QUERY_STRING": "$query_string",
    "REQUEST_METHOD": "$request_method",
    "CONTENT_TYPE": "$content_type",
    "CONTENT_LENGTH": "$content_length",
    "REQUEST_URI": "$request_uri",
    "DOCUMENT_ROOT": "$document_root",
    "SERVER_PROTOCOL": "$server_protocol",
    "REQUEST_SCHEME": "$scheme",
    "REMOTE_ADDR": "$remote_addr",
    "REMOTE_PORT": "$remote_port",
    "SERVER_PORT": "$server_port",
    "SERVER_NAME": "$server_name",
}
_FASTCGI = {
    **_CGI,
    "SCRIPT_NAME": "$fastcgi_script_name",
    "DOCUMENT_URI": "$document_uri",
    "GATEWAY_INTERFACE": "CGI/1.1",
    "SERVER_SOFTWARE": "nginx/$nginx_version",
    "SERVER_ADDR": "$server_addr",
    "REDIRECT_STATUS": "200",
}


def _params(kind: str, pairs: AnyMapping[str, str]) -> str:
    lines = [f"{kind}_param {name} {value};" for name, value in pairs.items()]
    return "\n".join([*lines, f"{kind}_param HTTPS $https if_not_empty;", ""])


BROUGHT = {
    "/etc/nginx/mime.types": MIME_TYPES,
    "/etc/nginx/fastcgi_params": _params("fastcgi", _FASTCGI),
    "/etc/nginx/fastcgi.conf": _params(
        "fastcgi", {"SCRIPT_FILENAME": "$document_root$fastcgi_script_name", **_FASTCGI}
    ),
    "/etc/nginx/uwsgi_params": _params("uwsgi", {**_CGI, "PATH_INFO": "$document_uri"}),
    "/etc/nginx/scgi_params": _params(
        "scgi", {**_CGI, "SCGI": "1", "DOCUMENT_URI": "$document_uri"}
    ),
}


def complete(
    sources: dict[str, ConfigFile], environment: AnyMapping[str, str]
) -> dict[str, ConfigFile]:
    """All configuration files that nginx would see in the container.

    Args:
        sources: the mounted files by container path.
        environment: what fills the templates.
    """
    found = {path: source for path, source in sources.items() if not path.startswith(TEMPLATES)}
    for path, source in sources.items():
        if path.startswith(TEMPLATES) and path.endswith(SUFFIX):
            target = CONF_D + path.removeprefix(TEMPLATES).removesuffix(SUFFIX)
            found[target] = ConfigFile(source.name, fill(source.text, environment))
    if MAIN not in found:
        found[MAIN] = ConfigFile("", AROUND)
        if not any(path.startswith(CONF_D) and path.endswith(".conf") for path in found):
            found[f"{CONF_D}default.conf"] = ConfigFile("", WELCOME_SERVER)
    for path, text in BROUGHT.items():
        found.setdefault(path, ConfigFile("", text))
    return found


def fill(text: str, environment: AnyMapping[str, str]) -> str:
    """Fill a template as the image does: only variables that are set; nginx's own stay."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        return environment.get(name, found[0])

    return re.sub(r"\$\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)", value, text)
