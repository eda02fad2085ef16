"""The workers: the only room that knows Temporal.

`letter` is the story of one letter; `plan` says what comes next in it, `show` what an operator sees of it, `step` how
it calls the services, `activities` are those calls. `follow` tells workflows what the ledger says; `reconcile` starts
what should run and does not. `link` is one incident of a body's link; `links` starts those and says how they stand.
"""
