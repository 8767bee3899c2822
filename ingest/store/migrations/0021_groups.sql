-- Verification of many characters at once: cells of many forms that the machine read as the same character.
alter table task drop constraint task_kind_check;
alter table task add constraint task_kind_check
    check (kind in ('verify', 'key', 'adjudicate', 'page', 'duplicate', 'escalation', 'qa', 'group'));
-- A group is of many captures: its cells name them.
alter table task drop constraint task_check2;
alter table task add constraint task_is_about_a_capture
    check ((kind in ('page', 'group')) = (capture_id is null));

-- A cell that keeps its field from being accepted, of a field that one person may decide. What a person said
-- of it in a group is the evidence of the field's decision.
create table doubtful_cell (
    id bigint generated always as identity primary key,
    capture_id uuid not null references capture,
    field text not null check (field <> ''),
    -- in its comb, from 0
    place smallint not null check (place >= 0),
    kind text not null check (kind in ('digits', 'kana')),
    -- as it was read; '' for an empty cell
    character text not null,
    -- the field's picture, and where the cell lies on it: left, top, width and height as shares
    crop text not null,
    area real[] not null check (cardinality(area) = 4),
    -- the task in which one person decides the field, unless its cells are confirmed before
    task_id bigint not null references task,
    group_id bigint references task,
    confirmed boolean,
    said_by text references account,
    -- nobody is asked about it any more
    closed boolean not null default false,
    unique (capture_id, field, place),
    check ((confirmed is null) = (said_by is null)),
    check (confirmed is null or group_id is not null)
);
create index doubtful_cell_waiting on doubtful_cell (id) where group_id is null and not closed;
create index doubtful_cell_of_group on doubtful_cell (group_id, id) where group_id is not null;
