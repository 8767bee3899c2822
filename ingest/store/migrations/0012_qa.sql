-- Samples of what was accepted and decided, drawn for a second look by people who decided nothing of it.

-- Draws are keyed, so that nobody who knows the IDs can tell what will be looked at.
create table qa_key (
    singleton boolean primary key default true check (singleton),
    secret bytea not null check (octet_length(secret) = 32)
);
insert into qa_key (secret)
values (sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')));

alter table task drop constraint task_kind_check;
alter table task add constraint task_kind_check
    check (kind in ('verify', 'key', 'adjudicate', 'page', 'duplicate', 'escalation', 'qa'));

create table qa_sample (
    task_id bigint primary key references task,
    capture_id uuid not null references capture,
    field text not null,
    -- what it stands for
    form text not null,
    station text not null,
    -- how the value came about: 'accepted' or 'blank' by the machine, or the manner of a decision
    manner text not null,
    -- of the machine's reading, in tenths of the distance to 1: 0 is below 0.9, 1 below 0.99, …
    confidence_band smallint not null check (confidence_band between 0 and 3),
    -- with which it was drawn; one row stands for 1 / probability
    probability double precision not null check (probability > 0 and probability <= 1),
    drawn_at timestamptz not null default now(),
    unique (capture_id, field)
);

-- What the second look said. First blind; where that differed from what stood, once more with both in view.
create table qa_judgement (
    task_id bigint primary key references qa_sample,
    outcome text not null check (outcome in ('right', 'wrong', 'own_slip')),
    judged_by text not null references account,
    judged_at timestamptz not null default now()
);
create trigger qa_judgement_is_append_only before update or delete or truncate on qa_judgement
    for each statement execute function row_is_append_only();
create index qa_judgement_newest on qa_judgement (judged_at);

-- After an error, what shares its field and manner is drawn more often for a while.
create table qa_widening (
    field text not null,
    manner text not null,
    until timestamptz not null,
    primary key (field, manner)
);

-- Whether samples were drawn of a capture: once, when nobody has work with it any more.
alter table capture add column qa_drawn boolean not null default false;
create index capture_undrawn on capture (id) where not qa_drawn;
