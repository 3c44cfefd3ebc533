"""Write the parts of the documentation that come from the model: `python docs/generate.py`."""

from pathlib import Path

from geartrain.app import reference, schema
from geartrain.cli import reference as commands

DOCS = Path(__file__).parent

if __name__ == "__main__":
    (DOCS / "x-gear.schema.json").write_text(schema.text())
    page = DOCS / "compose-reference.md"
    page.write_text(reference.page(page.read_text()))
    page = DOCS / "commands.md"
    page.write_text(commands.page(page.read_text()))
