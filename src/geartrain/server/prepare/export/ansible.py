"""An Ansible playbook with one role.

Only modules of ansible.builtin, so that no collection is needed.

Source: docs.ansible.com, "Roles", "Handlers", "Validating tasks: check mode and diff mode".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from geartrain.render import systemd
from geartrain.render.files import File, Tree
from geartrain.server.prepare import apt, contents, layout
from geartrain.server.prepare.export.goods import Goods
from geartrain.server.prepare.payload import fresh
from geartrain.server.prepare.system import COMMON, SUPPORTED

PLAYBOOK = "geartrain.yml"
ROLE = PurePosixPath("roles/geartrain")
FILES = ROLE / "files"
UNITS = "units"

_HEAD = """\
# Written by `gear server export ansible`, which writes it anew for each version.
---
"""
_README = """\
# A server for Geartrain, by Ansible

    ansible-playbook -i HOST, -u root geartrain.yml
    ansible-playbook -i HOST, -u root geartrain.yml --check

This does what `gear server prepare` does; either may be run after the other, and then has nothing
to do. It needs no collection, and on the server no more than Python. The role `geartrain` can be
part of a playbook of your own. A newer Geartrain is exported into the same folder again, and then
played.

`--check` on a server that lacks packages says so and leaves out the rest, which stands on them.
"""

_RELOAD_DOCKER = "Reload Docker"
_RESTART_JOURNAL = "Restart the journal"
_RELOAD_SYSTEMD = "Reload systemd"
_RESTART_WATCH = "Restart the watcher"
_CONVERGE = "Have the apps served as this version has it"

# What cannot be looked at before something else is there.
_BARE = "ansible_check_mode and geartrain_missing | length > 0"
_UNWRITTEN = "ansible_check_mode and geartrain_written is changed"

Task = dict[str, Any]


def role(goods: Goods) -> Tree:
    """The playbook's folder, all but the archive, which belongs into `FILES`.

    Args:
        goods: the Geartrain that goes along.
    """
    play = {
        "name": "Servers for Geartrain", "hosts": "all", "become": True,
        "gather_facts": True, "roles": [ROLE.name],
    }  # fmt: skip
    tree = {
        "README.md": File(0o644, _README),
        PLAYBOOK: _yaml([play]),
        str(ROLE / "vars/main.yml"): _yaml(_variables(goods)),
        str(ROLE / "tasks/main.yml"): _yaml(list(_tasks())),
        str(ROLE / "handlers/main.yml"): _yaml(list(_handlers())),
        str(FILES / layout.DOCKER.name): File(0o644, contents.DAEMON),
        str(FILES / "journald.conf"): File(0o644, contents.JOURNAL),
    }
    return tree | {str(FILES / UNITS / name): unit for name, unit in contents.UNITS.items()}


class _Dumper(yaml.SafeDumper):
    """Lists are indented below their key, as people write them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)


def _yaml(said: object) -> File:
    text = yaml.dump(said, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)
    return File(0o644, _HEAD + text.replace("\n- ", "\n\n- "))


def _variables(goods: Goods) -> Mapping[str, object]:
    return {
        "geartrain_version": goods.version,
        "geartrain_archive": goods.archive,
        "geartrain_lock_sha256": goods.lock,
        "geartrain_folder": str(goods.folder),
        "geartrain_system": "{{ ansible_facts['distribution'] | lower }}-{{"
        " ansible_facts['distribution_version'] if ansible_facts['distribution'] == 'Ubuntu'"
        " else ansible_facts['distribution_major_version'] }}",
        "geartrain_systems": {
            f"{id_}-{version}": {
                "name": system.name,
                "packages": [*COMMON, *system.python],
                "docker": list(system.docker),
            }
            for (id_, version), system in SUPPORTED.items()
        },
        "geartrain_units": list(contents.UNITS),
        "geartrain_enabled": list(systemd.ENABLED),
    }


def _handlers() -> Iterator[Task]:
    yield _task(_RELOAD_DOCKER, "systemd_service", name="docker.service", state="reloaded")
    yield _task(_RESTART_JOURNAL, "systemd_service", name="systemd-journald.service",
                state="restarted")  # fmt: skip
    yield _task(_RELOAD_SYSTEMD, "systemd_service", daemon_reload=True)
    yield {
        **_task(_RESTART_WATCH, "systemd_service", name=systemd.WATCH, state="restarted"),
        "when": f"not ({_UNWRITTEN})",
    }
    # An app that does not get there is what `gear status` tells, and stops no play.
    yield {
        **_task(_CONVERGE, "command", argv=list(contents.CONVERGE)),
        "when": "geartrain_host.stat.exists",
        "failed_when": False,
    }


def _tasks() -> Iterator[Task]:
    yield from _fit()
    yield from _packages()
    yield {
        "name": "What stands on the packages",
        "when": f"not ({_BARE})",
        "block": [*_docker(), *_user(), *_program(), *_host(), *_limits(), *_units(), *_old()],
    }


def _fit() -> Iterator[Task]:
    known = ", ".join(system.name for system in SUPPORTED.values())
    yield _task(
        "The system is one that can be prepared", "assert", quiet=True,
        that=["geartrain_system in geartrain_systems"],
        fail_msg=f"{{{{ geartrain_system }}}} cannot be prepared; these can: {known}",
    )  # fmt: skip
    yield _task(
        "It is run by systemd", "assert", quiet=True,
        that=["ansible_facts['service_mgr'] == 'systemd'"],
        fail_msg="systemd does not run this machine",
    )  # fmt: skip
    host, owner = layout.HOST / "host.json", "geartrain_home.stat.pw_name | default('')"
    yield _task("Look for a host", "stat", path=str(host)) | {"register": "geartrain_host"}
    yield _task("Look for its owner", "stat", path=str(layout.HOST)) | {
        "register": "geartrain_home"
    }
    yield _task(
        "It is nobody else's", "assert", quiet=True,
        that=[f"not geartrain_host.stat.exists or {owner} == '{layout.USER}'"],
        fail_msg=f"{layout.HOST} is a host of another user already",
    )  # fmt: skip


def _packages() -> Iterator[Task]:
    yield _task("Look for a Docker", "stat", path="{{ item }}") | {
        "loop": list(contents.DOCKERS),
        "register": "geartrain_dockers",
    }
    form = "${Package} ${Status}\n"
    wanted = "geartrain_systems[geartrain_system].packages"
    docker = "geartrain_systems[geartrain_system].docker"
    there = "geartrain_dockers.results | map(attribute='stat.exists') is all"
    yield _task("Say which packages are wanted", "set_fact",
                geartrain_wanted=f"{{{{ {wanted} + ([] if {there} else {docker}) }}}}")  # fmt: skip
    yield {
        **_task("Look which are installed", "command",
                argv="{{ geartrain_look + geartrain_wanted }}"),
        "vars": {"geartrain_look": ["dpkg-query", "-W", "-f", form, "--"]},
        "register": "geartrain_installed",
        "changed_when": False,
        "failed_when": False,
        "check_mode": False,
    }  # fmt: skip
    names = (
        "geartrain_installed.stdout_lines | select('search', ' ok installed$')"
        " | map('split', ' ') | map('first')"
    )
    yield _task("Say which are missing", "set_fact",
                geartrain_missing=f"{{{{ geartrain_wanted | difference({names}) }}}}")  # fmt: skip
    yield _task("Look what dpkg was interrupted in", "command", argv=["dpkg", "--audit"]) | {
        "register": "geartrain_audit",
        "changed_when": False,
        "check_mode": False,
    }
    yield {
        **_task("Finish that", "command", argv=["dpkg", "--configure", "-a", "--force-confold"]),
        "environment": {"DEBIAN_FRONTEND": "noninteractive"},
        "when": "geartrain_audit.stdout | length > 0",
    }  # fmt: skip
    # Without lists of packages, and without python3-apt, apt cannot say what it would do.
    yield {
        **_task("Packages, if this were no check", "debug",
                msg="install {{ geartrain_missing | join(', ') }}"),
        "when": _BARE,
        "changed_when": True,
    }  # fmt: skip
    yield {
        **_task("Packages", "apt", name="{{ geartrain_missing }}", update_cache=True,
                install_recommends=False, dpkg_options="force-confdef,force-confold",
                lock_timeout=apt.PATIENCE),
        "when": "geartrain_missing | length > 0 and not ansible_check_mode",
    }  # fmt: skip


def _docker() -> Iterator[Task]:
    yield _folder(layout.DOCKER.parent)
    yield {
        **_task("Containers outlive a restart of Docker, unless there are settings already",
                "copy", src=layout.DOCKER.name, dest=str(layout.DOCKER), force=False, mode="0644"),
        "notify": _RELOAD_DOCKER,
    }  # fmt: skip
    yield _task("Docker runs, now and at boot", "systemd_service", name="docker.service",
                enabled=True, state="started")  # fmt: skip


def _user() -> Iterator[Task]:
    yield _task(
        f"The user {layout.USER}", "user", name=layout.USER, system=True, home=str(layout.HOST),
        create_home=False, shell=contents.SHELL, password=contents.NO_PASSWORD,
        groups=[contents.DOCKERS_GROUP], append=True,
    )  # fmt: skip
    yield _task(f"The folder {layout.HOST}", "file", path=str(layout.HOST), state="directory",
                owner=layout.USER, group=layout.USER, mode="0755")  # fmt: skip


def _program() -> Iterator[Task]:
    folder, half = "{{ geartrain_folder }}", f"{layout.VERSIONS}/{fresh('{{ geartrain_version }}')}"
    yield _folder(layout.VERSIONS)
    yield _task("Look for this version", "stat", path=f"{folder}/{contents.LOCK}") | {
        "register": "geartrain_lock"
    }
    yield {
        "name": "Put it there whole, or not at all",
        "when": "not geartrain_lock.stat.exists",
        "block": [
            _task("Remove what was left half done", "file", path="{{ item }}", state="absent")
            | {"loop": [half, folder]},
            _task("A folder for it", "file", path=half, state="directory", mode="0755"),
            _task("Unpack it", "unarchive", src="{{ geartrain_archive }}", dest=half,
                  owner="root", group="root", extra_opts=["--no-same-owner"])
            | {"when": "not ansible_check_mode"},
            _task("Move it", "command", argv=["mv", "-T", "--", half, folder], creates=folder),
        ],
    }  # fmt: skip
    yield {
        **_task("Look for its environment", "stat", path=f"{folder}/{contents.MARKER}",
                checksum_algorithm="sha256"),
        "register": "geartrain_marker",
    }  # fmt: skip
    yield {
        **_task("Make its environment", "command",
                argv=list(contents.set_up(PurePosixPath(folder)))),
        "when": "geartrain_marker.stat.checksum | default('') != geartrain_lock_sha256",
        "changed_when": True,
    }  # fmt: skip
    yield _task("Use it", "file", path=str(layout.CURRENT), src=folder, state="link",
                force="{{ ansible_check_mode }}") | {
        "register": "geartrain_used",
        "notify": [_RESTART_WATCH, _CONVERGE],
    }  # fmt: skip
    yield _task("Note when it was used", "file", path=folder, state="touch") | {
        "when": "geartrain_used is changed and not ansible_check_mode"
    }
    yield _task("The command", "file", path=str(layout.COMMAND), src=str(layout.GEAR),
                state="link", force="{{ ansible_check_mode }}")  # fmt: skip


def _host() -> Iterator[Task]:
    yield _task("The host", "command", argv=list(contents.MAKE_HOST),
                creates=str(layout.HOST / "host.json"))  # fmt: skip


def _limits() -> Iterator[Task]:
    yield _folder(layout.JOURNAL.parent)
    yield {
        **_task("Limits of the journal", "copy", src="journald.conf", dest=str(layout.JOURNAL),
                mode="0644"),
        "notify": _RESTART_JOURNAL,
    }  # fmt: skip


def _units() -> Iterator[Task]:
    yield {
        **_task("Units", "copy", src=f"{UNITS}/{{{{ item }}}}",
                dest=f"{layout.UNITS}/{{{{ item }}}}", mode="0644"),
        "loop": "{{ geartrain_units }}",
        "notify": [_RELOAD_SYSTEMD, _RESTART_WATCH],
        "register": "geartrain_written",
    }  # fmt: skip
    yield {
        **_task("Look for units of another version", "find", paths=str(layout.UNITS),
                patterns=contents.UNIT_NAMES),
        "register": "geartrain_found",
    }  # fmt: skip
    names = "geartrain_found.files | map(attribute='path') | map('basename')"
    others = f"{{{{ {names} | reject('in', geartrain_units) }}}}"
    yield {
        **_task("Stop them", "systemd_service", name="{{ item }}", enabled=False, state="stopped"),
        "loop": others,
    }  # fmt: skip
    yield {
        **_task("Remove them", "file", path=f"{layout.UNITS}/{{{{ item }}}}", state="absent"),
        "loop": others,
        "notify": _RELOAD_SYSTEMD,
    }  # fmt: skip
    yield {"name": "Let services see what has changed", "ansible.builtin.meta": "flush_handlers"}
    yield {
        **_task("The apps run, and units are enabled", "systemd_service", name="{{ item }}",
                enabled=True, state="started"),
        "loop": "{{ geartrain_enabled }}",
        "when": f"not ({_UNWRITTEN})",
    }  # fmt: skip


def _old() -> Iterator[Task]:
    yield {
        **_task("Look which versions there are", "find", paths=str(layout.VERSIONS),
                file_type="directory", hidden=True),
        "register": "geartrain_versions",
    }  # fmt: skip
    yield {
        **_task("Look which are run from", "command", argv=list(contents.IN_USE)),
        "register": "geartrain_running",
        "changed_when": False,
        "failed_when": False,
        "check_mode": False,
    }  # fmt: skip
    others = (
        "{{ geartrain_versions.files | sort(attribute='mtime', reverse=true)"
        " | map(attribute='path') | reject('equalto', geartrain_folder) }}"
    )
    half = "'/[.][^/]*$'"
    yield {
        **_task("Remove versions that were used before the last ones", "file", path="{{ item }}",
                state="absent"),
        "vars": {
            "geartrain_others": others,
            "geartrain_whole": f"{{{{ geartrain_others | reject('search', {half}) }}}}",
            "geartrain_halves": f"{{{{ geartrain_others | select('search', {half}) }}}}",
            "geartrain_old": f"{{{{ geartrain_whole[{contents.KEPT}:] + geartrain_halves }}}}",
        },
        "loop": "{{ geartrain_old | reject('in', geartrain_running.stdout_lines) }}",
    }  # fmt: skip


def _folder(path: PurePosixPath) -> Task:
    return _task(f"The folder {path}", "file", path=str(path), state="directory", mode="0755")


def _task(name: str, module: str, /, **arguments: object) -> Task:
    return {"name": name, f"ansible.builtin.{module}": arguments}
