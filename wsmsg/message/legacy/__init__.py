"""
Support of the legacy Go system in Message, a plug-in that only the tap imports.
"""
