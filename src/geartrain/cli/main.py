"""The `gear` command: its subcommands by name, and what becomes of their errors."""

from __future__ import annotations

import importlib
import os
import sys

import click

from geartrain.errors import Exit, GearError

# Command → module below geartrain.cli and the one-line help shown before it is loaded.
COMMANDS = {
    "new": ("new", "Make a project to start from, committed to Git."),
    "up": ("up", "Start the app, or bring it to the state of the files. Press Ctrl-C to stop."),
    "down": ("down", "Stop everything. Data stays, unless --volumes."),
    "ps": ("ps", "Show what runs."),
    "logs": ("logs", "Show log lines, all services merged."),
    "plan": ("plan", "Print what `up` would do, and do nothing."),
    "check": ("check", "Run the app's own tests against throwaway data services."),
    "exec": ("execute", "Run a command in the surroundings of a running service."),
    "run": ("one_off", "Run a command in a new instance of a service, beside those that run."),
    "job": ("job", "Run a scheduled service now: `gear job run`."),
    "restart": ("restart", "Restart services, one instance at a time."),
    "wait": ("wait", "Wait until services have ended, and exit with their code."),
    "db": ("data", "PostgreSQL: `gear db shell`."),
    "redis": ("data", "Redis: `gear redis shell`."),
    "server": ("server", "Make a host of a bare machine, over SSH."),
    "host": ("host", "Make a host, which takes pushes."),
    "keys": ("keys", "SSH keys that may push to a host and run `gear` on it."),
    "secrets": ("secrets", "Secrets of an app, encrypted in its repository."),
    "app": ("app", "Make and list the apps of a host."),
    "tls": ("tls", "Certificates of a host's domains: your own, and by ACME."),
    "images": ("images", "Base images made here without a registry, and images of releases."),
    "eject": ("eject", "Write the Dockerfile that a Python project without one is built from."),
    "status": ("status", "Show every app of a host: what is live, and how it is."),
    "releases": ("releases", "Show what happened to an app, the newest first."),
    "show": ("releases", "Show a release: commits, changes, who, how long it took."),
    "rollback": ("moves", "Make an earlier release live again."),
    "scale": ("moves", "Run another number of copies of a service."),
    "converge": ("moves", "Have run what should run, after a crash or a reboot."),
    "destroy": ("moves", "Delete an app of a host."),
    "doctor": ("doctor", "Say what is missing on this machine, and the command that mends it."),
    "completion": ("completion", "Print the shell's completion script."),
}

EXAMPLES = """\b
Examples:
  gear up                       start, follow the logs, Ctrl-C stops
  gear up -d examples/links     start in the background
  gear up --watch               release each saved change
  gear logs -f backend          follow one service
  gear db shell                 psql, logged in as the owner
  gear down                     stop; data stays
"""


class Lazy(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """All commands, in the order in which they are met."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"geartrain.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, "exec_" if cmd_name == "exec" else cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Answer an unknown command with the nearest one."""
        mistyped = args and args[0] not in COMMANDS and not args[0].startswith("-")
        if mistyped and not ctx.resilient_parsing:  # which a shell's completion is
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean `gear {near[0]}`?" if near else ""
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's signature
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _too_late(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    """Only the first word is looked at: what follows belongs to the host."""
    if value is not None and not ctx.resilient_parsing:
        raise click.UsageError("-H comes first: gear -H user@host COMMAND", ctx)


@click.command(cls=Lazy, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "-V", "--version", package_name="geartrain", prog_name="gear")
@click.option("-H", "--host", metavar="USER@HOST", expose_value=False, callback=_too_late,
              help="Run the command on that host, over SSH.")  # fmt: skip
def gear() -> None:
    """Bring the Compose file you already have; get a production system."""


def run() -> int:
    """Run the command line and return the exit code. A user's mistake shows no traceback."""
    try:
        if sys.argv[1:2] and sys.argv[1].startswith(("-H", "--host")):
            from geartrain.cli import remote

            if far := remote.split(sys.argv[1:]):
                remote.become(*far)
        code = gear.main(prog_name="gear", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except GearError as error:
        if os.environ.get("GEAR_TRACEBACK"):
            raise
        from geartrain.cli.output import show_error

        show_error(error)
        return int(error.code)
    except OSError as error:
        from geartrain.cli.machine import refusal
        from geartrain.cli.output import show_error

        said = refusal(error)
        if said is None or os.environ.get("GEAR_TRACEBACK"):
            raise
        show_error(said)
        return int(said.code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped", err=True)
        return 130
    return code if isinstance(code, int) else int(Exit.OK)
