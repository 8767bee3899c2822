-- The municipality asks back, and the desk replies, as often as they like: the task is an 'escalation' while it
-- is the municipality's turn, and a 'question' while it is the desk's. Nobody holds it in between.
alter table task drop constraint task_kind_check;
alter table task add constraint task_kind_check check (kind in
    ('verify', 'key', 'adjudicate', 'page', 'duplicate', 'escalation', 'question', 'qa', 'group', 'seed'));
alter table task drop constraint task_check4;
alter table task add constraint task_escalates_for_a_reason
    check ((kind in ('escalation', 'question')) = (reason is not null));

alter table task
    -- who escalated; none where a check did
    add column asked_by text references account,
    -- a question is theirs alone until then, while they are there
    add column asker_first_until timestamptz,
    add constraint task_asker_check check (asked_by is null or reason is not null),
    add constraint task_asker_first_check check (asker_first_until is null or kind = 'question');
update task set asked_by = (
    select entry.account from entry
    where entry.capture_id = task.capture_id and entry.field = any(task.fields) and entry.outcome = 'escalated'
    order by entry.id desc limit 1)
where kind = 'escalation';
create index task_asked_by on task (asked_by, id) where asked_by is not null;

alter table escalation_message
    -- the municipality wrote it, and wants to know more
    add column asks_back boolean not null default false,
    -- the claim under which it was written, so that what is sent twice stands once
    add column epoch integer,
    add constraint escalation_message_is_one_thing check (not (asks_back and decision is not null));
create unique index escalation_message_of_claim on escalation_message (task_id, epoch) where epoch is not null;
create index escalation_message_of_account on escalation_message (account, id);
