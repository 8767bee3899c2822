-- Confidences that come in, against those that a certificate rests on.

-- The running window of a stratum: readings by bin of the certificate's histogram. One row each,
-- which every publication locks last and in the order of the key.
create table confidence_window (
    certificate bytea not null check (octet_length(certificate) = 32),
    field text not null check (field <> ''),
    stratum text not null check (stratum in ('written', 'blank')),
    -- from 1; counts the windows that were tested before, and this one
    number bigint not null default 1 check (number >= 1),
    counts bigint[] not null check (cardinality(counts) >= 1 and 0 <= all (counts)),
    primary key (certificate, field, stratum)
) with (fillfactor = 50);

-- Every window that was full, and what its test said.
create table confidence_test (
    certificate bytea not null check (octet_length(certificate) = 32),
    field text not null check (field <> ''),
    stratum text not null check (stratum in ('written', 'blank')),
    number bigint not null check (number >= 1),
    counts bigint[] not null,
    statistic double precision not null,
    freedom integer not null check (freedom >= 0),
    p_value double precision not null check (p_value between 0 and 1),
    -- the window was rejected where p_value is below it
    level double precision not null check (level > 0 and level < 1),
    tested_at timestamptz not null default now(),
    primary key (certificate, field, stratum, number)
);

-- What a certificate does not accept any more. Never taken back: a new certificate has a new name.
create table certificate_suspension (
    certificate bytea not null check (octet_length(certificate) = 32),
    field text not null check (field <> ''),
    stratum text not null check (stratum in ('written', 'blank')),
    -- the window whose test rejected
    number bigint not null,
    suspended_at timestamptz not null default now(),
    primary key (certificate, field, stratum),
    foreign key (certificate, field, stratum, number) references confidence_test
);
