-- Erasure: what is known of an application is taken away; that it was there, and what became of every
-- page, stays.
--
-- Constraints on large tables are not checked against the rows that are there: those satisfy the ones
-- before. Nodes of the version before cannot read what was erased: erase when all are of this version.

create table erasure (
    number integer generated always as identity primary key,
    actor text not null check (actor <> ''),
    rule jsonb not null,
    begun_at timestamptz not null default now(),
    applications bigint not null default 0,
    captures bigint not null default 0,
    pages bigint not null default 0,
    -- households of the register
    households bigint not null default 0,
    -- what people had decided of fields
    decisions bigint not null default 0,
    finished_at timestamptz,
    certificate jsonb,
    check ((finished_at is null) = (certificate is null))
);

-- What an unfinished erasure is about: "application/ID", and keys of objects.
create table erased_item (
    erasure integer not null references erasure,
    name text collate "C" not null check (name <> ''),
    -- of an object: it is gone from the store
    gone_at timestamptz,
    -- of an object: a row of somebody else names it, too
    shared boolean not null default false,
    primary key (erasure, name)
);

-- Scans of which an unfinished erasure has taken pages.
create table erased_scan (
    erasure integer not null references erasure,
    scan_id bigint not null references scan,
    primary key (erasure, scan_id)
);

-- Originals that came again after they were erased: the next erasure takes them away.
create table erased_came_again (
    object_key text primary key
);

alter table application add column erased_at timestamptz;

alter table capture
    add column erased_at timestamptz,
    alter column record drop not null,
    alter column record_key drop not null,
    alter column record_sha256 drop not null,
    add constraint capture_has_its_record
        check (num_nulls(record, record_key, record_sha256) = case when erased_at is null then 0 else 3 end)
        not valid;

alter table page add column erased_at timestamptz, drop constraint page_check;
alter table page add constraint page_check check (
    case
        when erased_at is not null then
            num_nonnulls(image_key, look, captured, unassigned_reason) = 0 and neighbours = '{}'
            and case state
                    when 'captured' then
                        num_nulls(capture_id, application_id, form, form_version, form_page) = 0
                    when 'blank' then
                        num_nonnulls(capture_id, application_id, form, form_version, form_page) = 0
                    else false
                end
        when state = 'captured' then
            num_nulls(capture_id, application_id, form, form_version, form_page, image_key, captured) = 0
            and num_nonnulls(unassigned_reason, look) = 0 and neighbours = '{}'
        when state = 'blank' then
            num_nonnulls(capture_id, application_id, form, form_version, form_page, captured,
                         unassigned_reason) = 0
            and look is not null and neighbours = '{}'
        else
            num_nonnulls(capture_id, application_id, form, form_version, form_page, captured) = 0
            and num_nulls(unassigned_reason, image_key, look) = 0
    end
) not valid;

alter table blob add column erased_at timestamptz;

-- Decisions are never changed, and go only with their application: its row says so first.
create function field_decision_goes_with_its_application() returns trigger language plpgsql as $$
begin
    if not exists (select from application where application_id = old.application_id and erased_at = now()) then
        raise exception 'field_decision is append-only: delete is refused'
            using errcode = 'insufficient_privilege';
    end if;
    return old;
end $$;
drop trigger field_decision_is_append_only on field_decision;
create trigger field_decision_is_append_only before update or truncate on field_decision
    for each statement execute function row_is_append_only();
create trigger field_decision_goes_with_its_application before delete on field_decision
    for each row execute function field_decision_goes_with_its_application();
