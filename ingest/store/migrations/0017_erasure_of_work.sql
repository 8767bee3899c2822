-- What people typed at the review desk goes with its application, too; who worked on it stays.

-- A page stays assigned when the household has left the register; the register must have it when the page
-- is assigned.
alter table page_decision drop constraint page_decision_application_id_fkey;
create function page_decision_is_of_the_register() returns trigger language plpgsql as $$
begin
    perform from register where application_id = new.application_id for key share;
    if new.application_id is not null and not found then
        raise exception 'the register has no application %', new.application_id
            using errcode = 'foreign_key_violation', constraint = 'page_decision_is_of_the_register';
    end if;
    return new;
end $$;
create trigger page_decision_is_of_the_register before insert or update of application_id on page_decision
    for each row execute function page_decision_is_of_the_register();

create function work_goes_with_its_application() returns trigger language plpgsql as $$
begin
    if not exists (select from task join application using (application_id)
                   where task.id = old.task_id and application.erased_at = now())
    then
        raise exception '% is append-only: delete is refused', tg_table_name
            using errcode = 'insufficient_privilege';
    end if;
    return old;
end $$;

drop trigger entry_is_append_only on entry;
create trigger entry_is_append_only before update or truncate on entry
    for each statement execute function row_is_append_only();
create trigger entry_goes_with_its_application before delete on entry
    for each row execute function work_goes_with_its_application();

drop trigger escalation_message_is_append_only on escalation_message;
create trigger escalation_message_is_append_only before update or truncate on escalation_message
    for each statement execute function row_is_append_only();
create trigger escalation_message_goes_with_its_application before delete on escalation_message
    for each row execute function work_goes_with_its_application();
