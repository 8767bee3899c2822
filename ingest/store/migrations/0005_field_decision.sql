-- What stands in a field after people have looked at it. The record keeps what was read; here is what
-- holds: of an application and a field, the newest row.
create table field_decision (
    id bigint generated always as identity primary key,
    application_id text not null,
    capture_id uuid not null,
    field text not null check (field <> ''),
    outcome text not null check (outcome in ('value', 'blank', 'illegible', 'struck_out', 'escalated')),
    -- as a record writes it
    value text check (value <> ''),
    manner text not null check (manner in ('verified', 'two_keys', 'adjudicated', 'group', 'municipality', 'qa')),
    -- the accounts that decided: one, or two whose entries were equal
    decided_by text[] not null check (cardinality(decided_by) >= 1),
    decided_at timestamptz not null default now(),
    foreign key (capture_id, application_id) references capture (id, application_id),
    check ((outcome = 'value') = (value is not null)),
    check (manner <> 'two_keys' or (cardinality(decided_by) = 2 and decided_by[1] <> decided_by[2]))
);
create index field_decision_newest on field_decision (application_id, field, id);
create trigger field_decision_is_append_only before update or delete or truncate on field_decision
    for each statement execute function row_is_append_only();
