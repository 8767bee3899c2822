-- The proof that events were not changed: seals, chained by their digests.
--
-- IDs do not follow the order of commits: a transaction that took its ID early may commit late, behind
-- what was sealed meanwhile. So events are sealed in the order of the transactions that wrote them,
-- and only those below the oldest transaction that is still open: nothing can come in there any more.

-- Transactions count from the start in a server that a dump was restored into. An epoch is the time
-- in which they counted on; the program begins a new one when it meets events from the future.
create table event_epoch (
    number integer primary key check (number >= 1),
    begun_at timestamptz not null default clock_timestamp()
);
insert into event_epoch (number) values (1);

create function current_event_epoch() returns integer stable
    return (select max(number) from event_epoch);

-- Not volatile, so the table is not written anew: events from before all get this migration's
-- transaction. Nodes of the version before go on writing events, and fill in both.
alter table event
    add column epoch integer not null default current_event_epoch(),
    add column xid bigint not null default pg_current_xact_id()::text::bigint;
create index event_place on event (epoch, xid, id);

create table seal (
    number bigint primary key check (number >= 1),
    -- the digest of the seal before; zeros for the first
    previous bytea not null unique check (octet_length(previous) = 32),
    -- over all of this row and all of its events: audit::Seal
    digest bytea not null unique check (octet_length(digest) = 32),
    sealed_at timestamptz not null,
    -- of the last event: the seal holds those behind the last one of the seal before, up to it
    last_epoch integer not null,
    last_xid bigint not null,
    last_id bigint not null,
    events integer not null check (events >= 1),
    -- of each event its ID and the first 8 bytes of its digest: tells which event does not fit
    entries bytea not null,
    check (octet_length(entries) = 16 * events)
);

create function row_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only: % is refused', tg_table_name, tg_op
        using errcode = 'insufficient_privilege';
end $$;
create trigger seal_is_append_only before update or delete or truncate on seal
    for each statement execute function row_is_append_only();
create trigger event_epoch_is_append_only before update or delete or truncate on event_epoch
    for each statement execute function row_is_append_only();

-- What an operator asks for: how many scans were read in the last minute, the last hour.
create index scan_finished on scan (state_at) where state = 'done';
