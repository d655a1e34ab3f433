"""
One run of a proof.

::

    cleaning  removes what a proof left in a deployment of somebody else
    proof     the run: load and faults on a deployment, and the check
    target    the deployment under proof, whoever it belongs to
    watch     what daemons need, whether they show a fault, what their logs say
"""
