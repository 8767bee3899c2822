-- The way of a sheet: register, arrivals, scans, pages, captures, jobs, events.
--
-- Numbered migrations are never edited once they are in a release: a change is a new file.
-- What "must always hold" (docs) is a constraint here wherever PostgreSQL can express it.
-- Documents that must come back byte for byte are json, not jsonb: jsonb reorders keys and refuses
-- the NUL characters that a barcode may carry.

create table register (
    application_id text primary key check (application_id ~ '^[0-9]{13}$'),
    head_name text not null,
    head_kana text not null,
    postal_code text not null,
    address text not null,
    birth_date date not null,
    members bigint not null check (members >= 0),
    amount bigint not null check (amount >= 0),
    -- columns of the municipality's file that this program does not know
    further jsonb not null default '{}' check (jsonb_typeof(further) = 'object'),
    imported_at timestamptz not null default now()
);

-- Identity of content.
create table blob (
    sha256 bytea primary key check (octet_length(sha256) = 32),
    bytes bigint not null check (bytes >= 0),
    object_key text not null unique,
    created_at timestamptz not null default now()
);

-- Identity of events: the same content may arrive again, and both arrivals stay visible.
create table arrival (
    id bigint generated always as identity primary key,
    station text not null check (station <> ''),
    batch text check (batch <> ''),
    path text not null check (path <> ''),
    -- tells two arrivals of the same bytes under the same path apart; the same for every watcher
    -- that sees the same arrival
    occasion text not null,
    sha256 bytea not null references blob,
    modified_at timestamptz not null,
    seen_at timestamptz not null default now(),
    repeated boolean not null,
    unique nulls not distinct (station, batch, path, sha256, occasion)
);
-- Content is new once.
create unique index arrival_first on arrival (sha256) where not repeated;
create index arrival_batch on arrival (station, batch);
create index arrival_occasion on arrival (occasion);

create table scan (
    id bigint generated always as identity primary key,
    sha256 bytea not null unique references blob,
    station text not null check (station <> ''),
    batch text check (batch <> ''),
    file text not null check (file <> ''),
    state text not null default 'waiting' check (state in ('waiting', 'done', 'quarantined')),
    -- known when the scan is done; of a quarantined scan, where it could be counted
    page_count integer check (page_count >= 0),
    reason text,
    arrived_at timestamptz not null default now(),
    state_at timestamptz not null default now(),
    check ((state = 'quarantined') = (reason is not null)),
    check (state <> 'done' or page_count is not null)
);
create index scan_batch on scan (station, batch);
create index scan_open on scan (state) where state <> 'done';

create table application (
    application_id text primary key check (application_id ~ '^[0-9]{13}$'),
    -- counts what was published of the application; publishing is refused when it has moved on
    version bigint not null default 0 check (version >= 0),
    created_at timestamptz not null default now()
);

create table capture (
    id uuid primary key,
    application_id text not null references application,
    station text not null check (station <> ''),
    batch text check (batch <> ''),
    -- 1 is the application's first capture, every other one its duplicate
    seq integer not null check (seq >= 1),
    duplicate_of uuid,
    version integer not null default 1 check (version >= 1),
    record json not null,
    record_key text not null,
    record_sha256 bytea not null,
    captured_at timestamptz not null,
    published_at timestamptz not null default now(),
    unique (application_id, seq),
    unique (id, application_id),
    foreign key (duplicate_of, application_id) references capture (id, application_id),
    check ((seq = 1) = (duplicate_of is null)),
    check (duplicate_of <> id),
    -- the row and the object that was published are the same bytes
    check (record_sha256 = sha256(convert_to(record::text, 'UTF8')))
);

create table page (
    scan_id bigint not null references scan,
    page_index integer not null check (page_index >= 0),
    state text not null check (state in ('captured', 'blank', 'unassigned')),
    capture_id uuid,
    application_id text,
    form text,
    form_version text,
    form_page integer check (form_page >= 1),
    unassigned_reason text,
    image_key text,
    -- what was seen of a page that is not captured
    look json,
    -- what was seen and read of a captured page, enough to build its capture's record again
    captured json,
    -- applications before and behind an unassigned page in its scan: for people, never for machines
    neighbours text[] not null default '{}',
    primary key (scan_id, page_index),
    -- a page is never part of another application's capture
    foreign key (capture_id, application_id) references capture (id, application_id),
    check (
        case state
            when 'captured' then
                num_nulls(capture_id, application_id, form, form_version, form_page, image_key, captured) = 0
                and num_nonnulls(unassigned_reason, look) = 0 and neighbours = '{}'
            when 'blank' then
                num_nonnulls(capture_id, application_id, form, form_version, form_page, captured,
                             unassigned_reason) = 0
                and look is not null and neighbours = '{}'
            else
                num_nonnulls(capture_id, application_id, form, form_version, form_page, captured) = 0
                and num_nulls(unassigned_reason, image_key, look) = 0
        end
    )
);
-- A capture holds each page of its form once.
create unique index page_of_capture on page (capture_id, form_page) where capture_id is not null;
create index page_unassigned on page (scan_id) where state = 'unassigned';

-- Sheets in = pages accounted for: when a transaction that made a scan done commits, the scan has
-- exactly the pages 0 to page_count - 1, and a scan in any other state has none.
create function scan_accounts_for_its_pages() returns trigger language plpgsql as $$
declare
    wanted integer;
    held integer;
begin
    select case when state = 'done' then page_count else 0 end into wanted from scan where id = new.id;
    select count(*) into held from page where scan_id = new.id;
    if held <> wanted then
        raise exception 'scan % has % pages, % are accounted for', new.id, wanted, held
            using errcode = 'check_violation', constraint = 'scan_accounts_for_its_pages';
    end if;
    return null;
end $$;
create constraint trigger scan_accounts_for_its_pages
    after insert or update of state, page_count on scan
    deferrable initially deferred for each row execute function scan_accounts_for_its_pages();

-- Pages come with the transaction that makes their scan done, and never go or move.
create function page_belongs_to_a_done_scan() returns trigger language plpgsql as $$
begin
    if not exists (select from scan where id = new.scan_id and state = 'done' and new.page_index < page_count)
    then
        raise exception 'scan % has no page % that could be accounted for', new.scan_id, new.page_index
            using errcode = 'check_violation', constraint = 'page_belongs_to_a_done_scan';
    end if;
    return new;
end $$;
create trigger page_belongs_to_a_done_scan before insert on page
    for each row execute function page_belongs_to_a_done_scan();

create function page_is_kept() returns trigger language plpgsql as $$
begin
    raise exception 'page % of scan % is accounted for and cannot be taken away', old.page_index, old.scan_id
        using errcode = 'check_violation', constraint = 'page_is_kept';
end $$;
create trigger page_is_kept before delete or update of scan_id, page_index on page
    for each row execute function page_is_kept();

create table job (
    id bigint generated always as identity primary key,
    kind text not null,
    dedup bytea,
    priority smallint not null default 100,
    -- when the job is ready, and when the lease of the worker that has it ends
    visible_at timestamptz not null default now(),
    -- counted when the job is claimed, so that a worker that dies cannot un-count it; with the id it
    -- is the token that fences off a worker whose lease has ended
    attempts integer not null default 0 check (attempts >= 0),
    max_attempts integer not null check (max_attempts >= 1),
    worker text,
    last_error text,
    scan_id bigint references scan,
    payload jsonb not null default '{}',
    created_at timestamptz not null default now(),
    unique (kind, dedup),
    check (attempts <= max_attempts)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
create index job_ready on job (kind, priority, visible_at, id);
create unique index job_of_scan on job (scan_id) where scan_id is not null;

create table job_dead (
    id bigint primary key,
    kind text not null,
    dedup bytea,
    priority smallint not null,
    attempts integer not null,
    max_attempts integer not null,
    worker text,
    scan_id bigint references scan,
    payload jsonb not null,
    created_at timestamptz not null,
    died_at timestamptz not null default now(),
    reason text not null
);
create index job_dead_of_scan on job_dead (scan_id) where scan_id is not null;

-- Everything that changes is an event. No personal data in it.
create table event (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    actor text not null check (actor <> ''),
    kind text not null check (kind <> ''),
    subject text not null check (subject <> ''),
    detail jsonb not null default '{}' check (jsonb_typeof(detail) = 'object')
);
create index event_subject on event (subject, id);

create function event_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'events are append-only: % is refused', tg_op using errcode = 'insufficient_privilege';
end $$;
create trigger event_is_append_only before update or delete or truncate on event
    for each statement execute function event_is_append_only();
