"""What is exported makes the same host as `gear server prepare`; either may follow the other."""

from __future__ import annotations

from tests.lab.prepare.bare import Bare
from tests.lab.prepare.cloud import SEED
from tests.lab.prepare.playing import Ansible
from tests.lab.prepare.state import state


def test_cloud_init_makes_a_host_at_the_first_boot(booted: Bare) -> None:
    said = booted.sh("cat /var/log/cloud-init-output.log")
    assert "this machine is a host after" in said
    assert booted.sh("cloud-init status --wait").strip() == "status: done"
    assert "Valid" in booted.sh(f"cloud-init schema --config-file {SEED}/user-data 2>&1")
    assert booted.nothing_to_do(), booted.prepare("--check", code=None).out
    assert booted.sh("ls /run/geartrain-setup 2>&1", code=None).endswith(
        "No such file or directory\n"
    )


def test_a_playbook_on_a_prepared_machine_changes_nothing(booted: Bare, ansible: Ansible) -> None:
    ansible.export(booted)
    played = ansible.play(booted)
    assert (played.changed, played.failed) == (0, 0), played.said


def test_a_playbook_makes_the_same_host(unplayed: Bare, booted: Bare, ansible: Ansible) -> None:
    assert "wrote" in ansible.export(unplayed)
    before = unplayed.sh("dpkg -l; ls /etc /opt")
    checked = ansible.play(unplayed, "--check")
    assert (checked.changed, checked.failed) == (1, 0), checked.said
    assert "docker.io" in checked.said
    assert unplayed.sh("dpkg -l; ls /etc /opt") == before, "a check changes nothing"

    played = ansible.play(unplayed)
    assert (played.changed > 5, played.failed) == (True, 0), played.said
    assert unplayed.nothing_to_do(), unplayed.prepare("--check", code=None).out
    again = ansible.play(unplayed, "--check")
    assert (again.changed, again.failed) == (0, 0), again.said
    assert state(unplayed) == state(booted)


def test_a_playbook_repairs_what_was_changed_by_hand(unplayed: Bare, ansible: Ansible) -> None:
    unplayed.sh("rm /usr/local/bin/gear; systemctl disable --now geartrain-prune.timer;"
                " echo >> /etc/systemd/system/geartrain.service; cd /etc/systemd/system;"
                " printf '[Timer]\\nOnCalendar=daily\\n' > geartrain-later.timer")  # fmt: skip
    assert "link" not in unplayed.sh("stat -c %F /usr/local/bin/gear 2>&1", code=None)
    played = ansible.play(unplayed)
    # A link, a unit, the watcher, a timer; and a unit that is not this version's, in two tasks.
    assert (played.changed, played.failed) == (6, 0), played.said
    assert unplayed.nothing_to_do()
