"""``driftline demo``: all of Driftline on this machine, without a server and without a network.

`run` starts a broker, a Valkey and a worker (`stage`), has a simulated service send them a real data set on which three
things go wrong (`shuttle`, `script`, `traffic`, `service`), shows what Driftline makes of it (`observer`, `live`,
`plain`) and judges that (`verdict`, `table`).
"""

from driftline.streams.demo.show import run

__all__ = ["run"]
