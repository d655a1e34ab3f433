"""
The composition of a Message that consists of workers.
"""

from __future__ import annotations

from twisted.application.service import IService
from twisted.internet.interfaces import IReactorTime

from wsmsg.daemon.supervisor.supervise import supervise
from wsmsg.message.backends import probes
from wsmsg.message.http.workers import MessageWorkers
from wsmsg.message.options import Options


def supervisor(options: Options, reactor: IReactorTime) -> IService:
    """
    Build the process that runs the workers of a Message.
    """
    checks = probes(options.settings, options.data_dir)
    return supervise(options, reactor, MessageWorkers, checks)
