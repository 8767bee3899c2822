-- A certificate promises that few of the readings that it accepts are wrong. QA looks whether it holds.

-- Of what was accepted: under which certificate. Samples of the version before are of none that is known.
alter table qa_sample add column certificate bytea check (octet_length(certificate) = 32);
create index qa_sample_of_certificate on qa_sample (certificate, field, manner) where certificate is not null;

-- A promise that was found broken: nothing is accepted under that certificate any more. Never taken back: a
-- new certificate has a new name.
create table certificate_revocation (
    certificate bytea primary key check (octet_length(certificate) = 32),
    field text not null check (field <> ''),
    stratum text not null check (stratum in ('written', 'blank')),
    -- what second looks had found of the stratum by then
    judged bigint not null,
    wrong bigint not null check (wrong between 1 and judged),
    -- the rate of errors that is not ruled out, at least; above the one that was promised
    low double precision not null,
    target double precision not null check (low > target),
    revoked_at timestamptz not null default now()
);
create trigger certificate_revocation_is_append_only before update or delete or truncate on certificate_revocation
    for each statement execute function row_is_append_only();
