"""
The TypeScript client, tested in Node and in a browser.

C{python -m tools.typescript} must have built it; the stage of these tests does so.
"""
