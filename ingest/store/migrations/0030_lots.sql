-- Acceptance of batches by sample: a lot is what the machine accepted in the captures of a batch.
create table lot (
    id bigint generated always as identity primary key,
    station text not null check (station <> ''),
    batch text not null check (batch <> ''),
    formed_at timestamptz not null default now(),
    -- fields, and how they are sampled: ISO 2859-1
    size bigint not null check (size >= 1),
    aql double precision not null check (aql > 0),
    letter text not null check (letter ~ '^[A-R]$'),
    sample bigint not null check (sample between 1 and size),
    acceptance bigint not null check (acceptance >= 0),
    verdict text check (verdict in ('accepted', 'rejected')),
    judged_at timestamptz,
    released_by text references account,
    released_at timestamptz,
    check ((verdict is null) = (judged_at is null)),
    check ((released_by is null) = (released_at is null)),
    check (released_by is null or verdict = 'rejected')
);
create index lot_open on lot (id) where verdict is null;

create table lot_sample (
    task_id bigint primary key references qa_sample,
    lot_id bigint not null references lot,
    -- with which a field of the lot is in the sample
    probability double precision not null check (probability > 0 and probability <= 1)
);
create index lot_sample_of_lot on lot_sample (lot_id);

alter table capture
    -- false for those of the version before: their batches are past
    add column awaits_lot boolean not null default false,
    add column lot_id bigint references lot;
alter table capture alter column awaits_lot set default true;
create index capture_awaits_lot on capture (station, batch, published_at)
    where awaits_lot and batch is not null and erased_at is null;
create index capture_of_lot on capture (lot_id) where lot_id is not null;

-- Applications of a rejected lot are not paid.
alter table payment_stop drop constraint payment_stop_reason_check;
alter table payment_stop add constraint payment_stop_reason_check check (reason in
    ('withdrawn', 'declined', 'deceased', 'paid_elsewhere', 'applied_online', 'qa', 'lot', 'other'));
