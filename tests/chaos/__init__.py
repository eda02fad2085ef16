"""What is done to the hub under the demo's letters, and what must be whole after each. kill -9 of:

- every service, directory, documents, intake, evidence and notifications, with all its copies; the workers; Temporal;
  PostgreSQL; the S3 server: test_kill.py, three of them in the course of one traffic; and all at once
- one copy of intake, of documents and of the workers, which is kept away: test_copies.py, all three in one traffic
- intake within its one transaction, and between COMMIT and its answer: test_commit.py
- notifications while it tells: test_notifications.py
- all workers between what members state after acceptance (a return, recalls and their answers, a reading) and its
  telling: test_branches.py
- a member's system before it read the answer, which sends again: test_sender.py

Further, runs are terminated in Temporal, and Temporal's file is deleted: test_temporal.py. Which letters travel is in
letters.py, what they do in traffic.py, and what must hold after each case in whole.py.

A package, so that its stack ends with its last test and costs the other rooms nothing.
"""
