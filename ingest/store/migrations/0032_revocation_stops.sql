-- Whoever would be paid by what a revoked certificate accepted is stopped until somebody answers for it.
alter table payment_stop drop constraint payment_stop_reason_check;
alter table payment_stop add constraint payment_stop_reason_check check (reason in
    ('withdrawn', 'declined', 'deceased', 'paid_elsewhere', 'applied_online', 'qa', 'lot', 'certificate', 'other'));

-- Their households are looked for once it is revoked; until they all are stopped nobody is paid.
create table certificate_revocation_kept (
    certificate bytea primary key references certificate_revocation,
    kept_at timestamptz not null default now()
);
create trigger certificate_revocation_kept_is_append_only
    before update or delete or truncate on certificate_revocation_kept
    for each statement execute function row_is_append_only();
