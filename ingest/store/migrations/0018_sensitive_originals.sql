-- Scans that hold, or may hold, numbers that must not be kept: their originals are taken out of the
-- object store. What was published of them is blacked out.

create table sensitive_original (
    scan_id bigint primary key references scan,
    object_key text not null,
    noted_at timestamptz not null default now(),
    -- it is kept, encrypted, until then; where nothing is encrypted, not at all
    remove_after timestamptz not null,
    removed_at timestamptz
);
create index sensitive_original_due on sensitive_original (remove_after) where removed_at is null;
