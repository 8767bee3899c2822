-- How pages come from each station: measures of a page beside what was read of it. None of pages of the
-- version before.
alter table page
    add column skew_deg real,
    -- none where the form was not found
    add column residual_px real,
    -- symbols that carried the application's ID
    add column symbols smallint;

-- Pages of its form that a capture lacks.
alter table capture add column missing integer[] not null default '{}';
create index capture_incomplete on capture (station, batch, captured_at) where missing <> '{}';

-- Keys whose answer is known, to measure those who key: a field that people settled before, given out as if
-- it were new. Nothing follows from such a task but the measure.
alter table task drop constraint task_kind_check;
alter table task add constraint task_kind_check
    check (kind in ('verify', 'key', 'adjudicate', 'page', 'duplicate', 'escalation', 'qa', 'group', 'seed'));
alter table task drop constraint task_is_about_a_capture;
alter table task add constraint task_is_about_a_capture
    check ((kind in ('page', 'group', 'seed')) = (capture_id is null));

create table known_answer (
    task_id bigint primary key references task,
    account text not null references account,
    application_id text not null,
    capture_id uuid not null,
    field text not null check (field <> ''),
    -- whether what was keyed is what stood; what was keyed is not kept
    is_right boolean,
    answered_at timestamptz,
    foreign key (capture_id, application_id) references capture (id, application_id),
    unique (account, capture_id, field),
    check ((is_right is null) = (answered_at is null))
);

-- Tokens of machines that use the API. The token itself is with the machine only.
create table api_token (
    name text primary key check (name ~ '^[a-z0-9][a-z0-9._-]{0,31}$'),
    token_sha256 bytea not null unique check (octet_length(token_sha256) = 32),
    scopes text[] not null check (cardinality(scopes) >= 1 and scopes <@ array['inquiry', 'board']),
    created_at timestamptz not null default now(),
    expires_at timestamptz not null check (expires_at > created_at),
    revoked_at timestamptz,
    used_at timestamptz
);
