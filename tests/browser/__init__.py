"""
The TypeScript client in Chromium, with real daemons.
"""
