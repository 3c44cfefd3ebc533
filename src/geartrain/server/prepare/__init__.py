"""Makes a server of a machine: looks at it, says what it lacks, and brings that about.

All of it is done from outside, by commands on the machine (`machine.Machine`), so that it is the
same for this machine and for one that `ssh` reaches, and that a plan changes nothing.
"""
