-- Work for people: one piece of it at a time, under a lease.
create table task (
    id bigint generated always as identity primary key,
    kind text not null check (kind in ('verify', 'key', 'adjudicate', 'page', 'duplicate', 'escalation')),
    -- what it is about: fields of a capture, a capture, or a page that has none
    application_id text,
    capture_id uuid,
    fields text[] not null default '{}',
    scan_id bigint,
    page_index integer,
    -- of the two blind keys of a field, the first or the second
    turn smallint check (turn in (1, 2)),
    -- why the municipality is asked: a code
    reason text,
    priority smallint not null default 100,
    state text not null default 'open' check (state in ('open', 'done', 'withdrawn')),
    -- counted at every claim: whoever comes with an older one has lost the lease
    epoch integer not null default 0 check (epoch >= 0),
    holder text references account,
    leased_until timestamptz,
    created_at timestamptz not null default now(),
    done_at timestamptz,
    done_by text references account,
    foreign key (capture_id, application_id) references capture (id, application_id),
    foreign key (scan_id, page_index) references page,
    check ((capture_id is null) = (application_id is null)),
    check ((kind = 'page') = (scan_id is not null)),
    check ((kind = 'page') = (capture_id is null)),
    check ((kind = 'key') = (turn is not null)),
    check ((kind = 'escalation') = (reason is not null)),
    check (kind not in ('verify', 'key', 'adjudicate') or cardinality(fields) >= 1),
    check ((state = 'done') = (done_at is not null)),
    check ((holder is null) = (leased_until is null))
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
create index task_ready on task (kind, priority, id) where state = 'open';
create index task_of_capture on task (capture_id) where capture_id is not null;
create index task_held on task (holder) where state = 'open' and holder is not null;
create index task_done on task (done_at) where state = 'done';
create unique index task_of_page on task (scan_id, page_index) where scan_id is not null;

-- In which task a person decides a field of a capture. The same person is never two of the people who
-- decide it, whatever the kind of task: what they enter must be in this one.
create table hand (
    capture_id uuid not null references capture,
    field text not null check (field <> ''),
    account text not null references account,
    task_id bigint not null references task,
    primary key (capture_id, field, account),
    unique (capture_id, field, account, task_id)
);
create trigger hand_is_append_only before update or delete or truncate on hand
    for each statement execute function row_is_append_only();

-- What a person said of a field, in a task; the newest of a task and field counts. Values are as a
-- record writes them.
create table entry (
    id bigint generated always as identity primary key,
    task_id bigint not null references task,
    capture_id uuid not null,
    field text not null,
    -- the machine's value and other people's were hidden
    blind boolean not null,
    outcome text not null check (outcome in ('value', 'blank', 'illegible', 'struck_out', 'escalated')),
    value text check (value <> ''),
    account text not null,
    entered_at timestamptz not null default now(),
    check ((outcome = 'value') = (value is not null)),
    foreign key (capture_id, field, account, task_id) references hand (capture_id, field, account, task_id)
);
create index entry_of_field on entry (capture_id, field, id);
create trigger entry_is_append_only before update or delete or truncate on entry
    for each statement execute function row_is_append_only();

-- What people decided of pages that carry no valid ID. Such a page stays in its state: what was seen of
-- it is kept, and here is what it is.
create table page_decision (
    scan_id bigint not null,
    page_index integer not null,
    outcome text not null check (outcome in ('assigned', 'blank', 'foreign', 'rescan')),
    application_id text references register,
    decided_by text not null references account,
    decided_at timestamptz not null default now(),
    -- of a rescan: when the mailroom said that it is done
    settled_at timestamptz,
    settled_by text references account,
    primary key (scan_id, page_index),
    foreign key (scan_id, page_index) references page,
    check ((outcome = 'assigned') = (application_id is not null)),
    check (outcome = 'rescan' or settled_at is null),
    check ((settled_at is null) = (settled_by is null))
);
create index page_decision_application on page_decision (application_id) where application_id is not null;
create index page_decision_rescan on page_decision (scan_id) where outcome = 'rescan' and settled_at is null;

-- What of two captures of one application counts.
create table duplicate_decision (
    capture_id uuid primary key references capture,
    -- the capture that came later counts, or does not
    outcome text not null check (outcome in ('earlier_counts', 'later_counts')),
    decided_by text not null references account,
    decided_at timestamptz not null default now()
);
create trigger duplicate_decision_is_append_only before update or delete or truncate on duplicate_decision
    for each statement execute function row_is_append_only();

-- The conversation about an escalation.
create table escalation_message (
    id bigint generated always as identity primary key,
    task_id bigint not null references task,
    account text not null references account,
    -- what was decided, where it was
    decision text check (decision in ('confirmed', 'rejected', 'defect')),
    text text not null check (length(text) between 1 and 2000),
    written_at timestamptz not null default now()
);
create index escalation_message_of_task on escalation_message (task_id, id);
create trigger escalation_message_is_append_only before update or delete or truncate on escalation_message
    for each statement execute function row_is_append_only();

-- Whether tasks were made of a capture; false for those of the version before.
alter table capture add column tasks_planned boolean not null default false;
create index capture_unplanned on capture (id) where not tasks_planned;

-- The inquiry desk looks people up by how their names begin, and by telephone.
create index register_name on register (translate(head_name, ' 　', '') text_pattern_ops);
create index register_kana on register (translate(head_kana, ' 　', '') text_pattern_ops);
-- The operators refuse a document with the escape of a NUL, and publishing must not fail of it.
create index capture_phone on capture ((record -> 'fields' -> 'phone' ->> 'value'))
    where position('\u0000' in record::text) = 0;
create index field_decision_phone on field_decision (value) where field = 'phone';
