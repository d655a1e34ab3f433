"""
The edge of a Connect: the clients' port, HTTP, and gRPC.

::

    TCP --> port --.--> WebSocket connection    GET /api/v1/connect/ws
                   `--> http                    everything else

port           one TCP port for WebSockets and HTTP
admission      limits on connections and handshakes
budgets        handshakes, failures and connections of each address
refusals       refused handshakes and logins, counted and logged
heartbeat      one timer that finds every silent connection
turn_watch     readiness ends while the turns of the reactor are long
http           the HTTP calls: online_status and health
rpc            the gRPC calls: OnlineStatus, health, reflection
online_status  the answer to both: presence of users, here or elsewhere
interface      the parts that WebSocket connections use
"""
