-- Of pages on which something was blacked out that could not be told, a person says what must be black: what is
-- black on them, and for a while the picture without what was in doubt.
--
-- Nodes of the version before make no such tasks and hand none out; they cannot list accounts of the new role.

alter table account drop constraint account_role_check;
alter table account add constraint account_role_check check (role in
    ('keyer', 'reviewer', 'supervisor', 'qa', 'inquiry', 'municipality', 'administrator', 'payment', 'masker'));

alter table task drop constraint task_kind_check;
alter table task add constraint task_kind_check check (kind in
    ('verify', 'key', 'adjudicate', 'page', 'duplicate', 'escalation', 'question', 'qa', 'group', 'seed', 'mask'));
alter table task drop constraint task_check1;
alter table task add constraint task_is_about_a_page
    check ((kind in ('page', 'mask')) = (scan_id is not null));
alter table task drop constraint task_is_about_a_capture;
alter table task add constraint task_is_about_a_capture
    check ((kind in ('page', 'group', 'seed', 'mask')) = (capture_id is null));
-- Of a page without an ID people may also be asked what must be black on it.
create unique index task_of_page_and_kind on task (scan_id, page_index, kind) where scan_id is not null;
drop index task_of_page;

create table page_mask (
    scan_id bigint not null,
    page_index integer not null,
    -- what the machine blacked out, why, and where on the published picture; never what stood there
    areas json not null,
    -- the picture on which only numbers that were found are black
    unmasked_key text not null,
    -- what a person left black
    chosen json,
    decided_by text references account,
    decided_at timestamptz,
    primary key (scan_id, page_index),
    foreign key (scan_id, page_index) references page,
    check (num_nulls(chosen, decided_by, decided_at) in (0, 3))
);

-- Noted before the picture is stored, so that those of readings that came to nothing go, too.
create table unmasked_page (
    object_key text not null,
    scan_id bigint not null references scan,
    page_index integer not null,
    noted_at timestamptz not null default now(),
    -- it is kept, encrypted, until then
    remove_after timestamptz not null,
    removed_at timestamptz,
    primary key (object_key, scan_id, page_index)
);
create index unmasked_page_due on unmasked_page (remove_after) where removed_at is null;
create index unmasked_page_of_scan on unmasked_page (scan_id, page_index) where removed_at is null;

-- Whatever node erases a page.
create function page_mask_goes_with_its_page() returns trigger language plpgsql as $$
begin
    delete from page_mask where scan_id = new.scan_id and page_index = new.page_index;
    update unmasked_page set remove_after = now()
    where scan_id = new.scan_id and page_index = new.page_index and removed_at is null;
    update task set state = 'withdrawn', holder = null, leased_until = null
    where scan_id = new.scan_id and page_index = new.page_index and kind = 'mask' and state = 'open';
    return null;
end $$;
create trigger page_mask_goes_with_its_page after update of erased_at on page
    for each row when (old.erased_at is null and new.erased_at is not null)
    execute function page_mask_goes_with_its_page();
