-- What is due first is read first.
--
-- A job is due so long after it came as its station may wait. One time is priority, age and deadline:
-- what may wait for long is overtaken by what is urgent, until it is due itself.
-- Nodes of the version before leave the column to its default, and read in the order of priority and
-- time, with a sort instead of the index below.
alter table job add column due_at timestamptz not null default now() + interval '24 hours';
update job set due_at = created_at + interval '24 hours';

drop index job_ready;
-- Without visible_at, which every heartbeat moves: so a heartbeat touches no index.
create index job_due on job (kind, due_at, id);
-- The few that a claim must bury, found without a look at all that wait.
create index job_exhausted on job (kind) where attempts >= max_attempts;
