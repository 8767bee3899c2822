-- Who pays: accounts of a role of their own propose transfers and agree to those of others. And what the
-- bank got is encrypted where the operator has keys.

alter table account drop constraint account_role_check;
alter table account add constraint account_role_check check (role in
    ('keyer', 'reviewer', 'supervisor', 'qa', 'inquiry', 'municipality', 'administrator', 'payment'));

create function transfer_is_by_payers() returns trigger language plpgsql as $$
declare
    who text := case tg_op when 'INSERT' then new.maker else new.checker end;
begin
    -- Whoever takes the role away meanwhile waits, or is waited for.
    perform from account where name = who and role = 'payment' and active for share;
    if not found then
        raise exception '% is no account that may pay', who
            using errcode = 'check_violation', constraint = 'transfer_is_by_payers';
    end if;
    return new;
end $$;
create trigger transfer_is_by_payers before insert or update of checker on transfer
    for each row execute function transfer_is_by_payers();

alter table transfer_file add column sealed boolean not null default false;
alter table transfer_file drop constraint transfer_file_check;
alter table transfer_file add constraint transfer_file_is_what_was_sent check (sealed or sha256 = sha256(content));

-- A file stays; only what it is encrypted with may change.
create function transfer_file_stays() returns trigger language plpgsql as $$
begin
    if not new.sealed
        or (to_jsonb(old) - '{content,sealed}'::text[]) is distinct from (to_jsonb(new) - '{content,sealed}'::text[])
    then
        raise exception 'transfer_file is append-only: update is refused' using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
drop trigger transfer_file_is_append_only on transfer_file;
create trigger transfer_file_is_append_only before delete or truncate on transfer_file
    for each statement execute function row_is_append_only();
create trigger transfer_file_stays before update on transfer_file
    for each row execute function transfer_file_stays();
