"""
Support of the legacy Go system in Connect, a plug-in that only the tap imports.
"""
