"""
Limits on the flow of work, its batches, and tables of many ids.

batches       a loop that processes work in batches, one at a time
countdown     a callable that waits for several calls
expiring      a map whose entries expire
id_table      a table of ids in little memory
idle          waiting until some work is done
life_ring     the passing facts of messages that a daemon remembers
send_fence    users whose sends are refused for a while
token_bucket  a rate with bursts
user_rates    the rates of users, which outlast their sessions
"""
