"""`gear completion`."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    Examples:
      gear completion bash > ~/.local/share/bash-completion/completions/gear
      gear completion zsh > ~/.zfunc/_gear
      gear completion fish > ~/.config/fish/completions/gear.fish
    """
    from click.shell_completion import get_completion_class

    from geartrain.cli.main import gear

    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"there is no completion for {shell}")
    click.echo(made(gear, {}, "gear", "_GEAR_COMPLETE").source())
