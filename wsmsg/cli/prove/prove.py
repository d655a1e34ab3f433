"""
C{wsmsg prove}.
"""

from __future__ import annotations

import click

from wsmsg.cli.prove.history import check, plant


@click.group()
def prove() -> None:
    """
    Prove the promises: check what clients saw while faults were injected.
    """


prove.add_command(check)
prove.add_command(plant)
