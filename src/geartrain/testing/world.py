"""What an engine has brought about, as a value."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct
from msgspec.structs import replace

from geartrain.app.release import InstanceId
from geartrain.engine.protocol import Instance


class World(Struct, frozen=True):
    """Everything that is true of a host at one moment; each change makes a new one."""

    instances: tuple[Instance, ...] = ()
    routed: int | None = None
    built: frozenset[int] = frozenset()
    migrated: tuple[InstanceId, ...] = ()
    """Release commands that ended well, in order."""

    def find(self, one: InstanceId) -> Instance | None:
        """The instance of that name, if it is known."""
        return next((i for i in self.instances if i.id == one), None)

    def fine(self, release: int | None) -> tuple[str, ...]:
        """Names of a release's instances that do what they should, sorted."""
        return tuple(
            sorted(i.id.name for i in self.instances if i.id.release == release and i.fine)
        )

    def put(self, new: Instance) -> World:
        """This world with an instance, in the place of the one of the same name."""
        rest = [i for i in self.instances if i.id != new.id]
        return replace(self, instances=tuple(sorted((*rest, new), key=lambda i: i.id.name)))

    def drop(self, ids: Collection[InstanceId]) -> World:
        """This world without some instances."""
        return replace(self, instances=tuple(i for i in self.instances if i.id not in ids))
