"""
Limits on the flow of work, and its batches.

batches       a loop that processes work in batches, one at a time
countdown     a callable that waits for several calls
idle          waiting until some work is done
send_fence    users whose sends are refused for a while
token_bucket  a rate with bursts
"""
