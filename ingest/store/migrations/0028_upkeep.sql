-- Scans in quarantine and pages that nobody could assign can be erased, too; what names objects is said in one
-- place; and the fleet does its upkeep by itself.

-- Bytes, name and reason are gone; that it was there stays.
alter table scan add column erased_at timestamptz;

-- Scans of which something was erased by their own number.
alter table erasure add column scans bigint not null default 0;

alter table page drop constraint page_check;
alter table page add constraint page_check check (
    case
        when erased_at is not null then
            num_nonnulls(image_key, look, captured, unassigned_reason) = 0 and neighbours = '{}'
            and case state
                    when 'captured' then
                        num_nulls(capture_id, application_id, form, form_version, form_page) = 0
                    else
                        num_nonnulls(capture_id, application_id, form, form_version, form_page) = 0
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

-- The objects that pages name: their pictures, and those of their fields.
create view page_object with (security_invoker = true) as
    select scan_id, page_index, key
    from page, lateral (
        select image_key as key
        union all
        select reading ->> 'crop' from json_array_elements(captured -> 'readings') as reading
    ) as named
    where key is not null;

-- The records of captures, every version: the events tell of them. The join is written both ways, so that it
-- is quick from an application as from an event.
create view record_object with (security_invoker = true) as
    select event_id, capture.id as capture_id, application_id,
           format('record/%s/%s/%s.json', substr(sha256, 1, 2), substr(sha256, 3, 2), sha256) as key
    from (select id as event_id, subject, detail ->> 'record_sha256' as sha256 from event
          where subject like 'capture %') as told
    join capture on subject = 'capture ' || capture.id
                and capture.id = case when subject like 'capture %' then substr(subject, 9)::uuid end
    where sha256 is not null and erased_at is null;

-- What one node does for the fleet, and when it was done last.
create table upkeep (
    task text primary key check (task <> ''),
    begun_at timestamptz not null,
    finished_at timestamptz
);
