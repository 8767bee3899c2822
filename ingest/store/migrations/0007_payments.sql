-- From an application to money: what holds a household back, what was approved, what was paid.
--
-- A household is one row of the register, or several that share a household_id there. It is paid once:
-- that is an index here, not a look-up in the program. Whoever is stopped cannot be paid: that is a
-- trigger here, which locks the household, so that a stop and a payment cannot pass each other.

create table household (
    id text primary key check (id <> '')
);

create function household_of(application text, further jsonb) returns text immutable
    return coalesce(nullif(further->>'household_id', ''), application);

-- What people decided of a finding that no field settles, or that they know more about.
create table finding_waiver (
    id bigint generated always as identity primary key,
    application_id text not null,
    capture_id uuid not null,
    code text not null check (code <> ''),
    decided_by text not null check (decided_by <> ''),
    decided_at timestamptz not null default now(),
    unique (capture_id, code),
    foreign key (capture_id, application_id) references capture (id, application_id)
);
create trigger finding_waiver_is_append_only before update or delete or truncate on finding_waiver
    for each statement execute function row_is_append_only();

-- The municipality's list of applications that came by another way, as it was imported last.
create table online_application (
    application_id text primary key check (application_id ~ '^[0-9]{13}$'),
    state text not null check (state in ('received', 'paid', 'void')),
    received_on date not null,
    imported_at timestamptz not null default now()
);

-- Why a household is not paid. Several may hold at once.
create table payment_stop (
    id bigint generated always as identity primary key,
    household_id text not null references household,
    reason text not null check (reason in ('withdrawn', 'declined', 'deceased', 'paid_elsewhere', 'applied_online',
                                           'qa', 'other')),
    placed_by text not null check (placed_by <> ''),
    placed_at timestamptz not null default now(),
    lifted_by text check (lifted_by <> ''),
    lifted_at timestamptz,
    check ((lifted_by is null) = (lifted_at is null))
);
create index payment_stop_history on payment_stop (household_id);
create unique index payment_stop_in_force on payment_stop (household_id, reason) where lifted_at is null;

-- Where the money of an application goes: every field accepted or decided, no error open.
create table approval (
    id bigint generated always as identity primary key,
    application_id text not null,
    capture_id uuid not null,
    household_id text not null references household,
    bank text not null check (bank ~ '^[0-9]{4}$'),
    branch text not null check (branch ~ '^[0-9]{3}$'),
    account_type text not null check (account_type ~ '^[1249]$'),
    account_number text not null check (account_number ~ '^[0-9]{7}$'),
    payee text not null check (payee <> ''),
    amount bigint not null check (amount between 1 and 9999999999),
    -- what it rests on: the record, and the newest decision about a field; none where all were accepted
    record_sha256 bytea not null check (octet_length(record_sha256) = 32),
    last_decision bigint references field_decision,
    approved_by text not null check (approved_by <> ''),
    approved_at timestamptz not null default now(),
    revoked_by text check (revoked_by <> ''),
    revoked_at timestamptz,
    revoked_why text check (revoked_why in ('qa', 'returned', 'changed')),
    foreign key (capture_id, application_id) references capture (id, application_id),
    unique (id, application_id, household_id, amount),
    check (num_nulls(revoked_by, revoked_at, revoked_why) in (0, 3))
);
create unique index approval_of_application on approval (application_id) where revoked_at is null;
create unique index approval_of_household on approval (household_id) where revoked_at is null;
create index approval_history on approval (application_id);
create index approval_account on approval (bank, branch, account_type, account_number) where revoked_at is null;

-- An approval ends, and never changes.
create function approval_only_ends() returns trigger language plpgsql as $$
begin
    if old.revoked_at is not null
        or (to_jsonb(old) - '{revoked_by,revoked_at,revoked_why}'::text[])
            is distinct from (to_jsonb(new) - '{revoked_by,revoked_at,revoked_why}'::text[])
    then
        raise exception 'approval % can only be revoked, once', old.id
            using errcode = 'check_violation', constraint = 'approval_only_ends';
    end if;
    -- A payment that is being made looks at the approval under the same lock.
    perform from household where id = old.household_id for update;
    return new;
end $$;
create trigger approval_only_ends before update on approval
    for each row execute function approval_only_ends();

create table transfer (
    id bigint generated always as identity primary key,
    profile text not null check (profile <> ''),
    pay_on date not null,
    state text not null default 'proposed' check (state in ('proposed', 'requested', 'withdrawn')),
    payments bigint not null check (payments > 0),
    total bigint not null check (total > 0),
    maker text not null check (maker <> ''),
    proposed_at timestamptz not null default now(),
    checker text check (checker <> ''),
    decided_at timestamptz,
    check ((state = 'proposed') = (checker is null) and (checker is null) = (decided_at is null)),
    -- two people for every yen
    check (state <> 'requested' or checker <> maker)
);

-- The bytes that the bank gets, committed together with the payments that they ask for.
create table transfer_file (
    transfer_id bigint not null references transfer,
    number integer not null check (number >= 1),
    payments bigint not null check (payments > 0),
    total bigint not null check (total > 0),
    sha256 bytea not null check (octet_length(sha256) = 32),
    content bytea not null,
    primary key (transfer_id, number),
    check (sha256 = sha256(content))
);
create trigger transfer_file_is_append_only before update or delete or truncate on transfer_file
    for each statement execute function row_is_append_only();

create table payment (
    id bigint generated always as identity primary key,
    transfer_id bigint not null references transfer,
    -- in the order of the files
    place integer not null check (place >= 1),
    application_id text not null,
    household_id text not null,
    approval_id bigint not null,
    amount bigint not null,
    -- dropped: of a transfer that was withdrawn before it was requested
    state text not null default 'proposed' check (state in ('proposed', 'requested', 'returned', 'dropped')),
    state_at timestamptz not null default now(),
    return_reason text check (return_reason in ('number', 'holder', 'closed', 'other')),
    unique (transfer_id, place),
    foreign key (approval_id, application_id, household_id, amount)
        references approval (id, application_id, household_id, amount),
    check ((state = 'returned') = (return_reason is not null))
);
-- One payment a household.
create unique index payment_once on payment (household_id) where state in ('proposed', 'requested');
create index payment_of_household on payment (household_id, id);

-- Whoever is stopped, or no longer approved, is not paid. The lock lets a stop that is being placed
-- commit first, or wait until the payment has.
create function payment_is_payable() returns trigger language plpgsql as $$
declare
    refused text;
begin
    perform from household
        where id in (select household_id from fresh where state in ('proposed', 'requested'))
        order by id for update;
    select string_agg(application_id, ', ') into refused from (
        select application_id from fresh
        where state in ('proposed', 'requested')
          and (exists (select from payment_stop stop
                       where stop.household_id = fresh.household_id and stop.lifted_at is null)
               or exists (select from approval
                          where approval.id = fresh.approval_id and approval.revoked_at is not null))
        order by application_id limit 20
    ) as stopped;
    if refused is not null then
        raise exception 'these applications are stopped or no longer approved: %', refused
            using errcode = 'check_violation', constraint = 'payment_is_payable';
    end if;
    return null;
end $$;
create trigger payment_is_payable_when_made after insert on payment
    referencing new table as fresh for each statement execute function payment_is_payable();
create trigger payment_is_payable_when_moved after update on payment
    referencing new table as fresh for each statement execute function payment_is_payable();

-- A payment moves forward only, and to 'requested' only with its transfer.
create function payment_moves_forward() returns trigger language plpgsql as $$
begin
    if (old.state, new.state) not in (('proposed', 'requested'), ('proposed', 'dropped'), ('requested', 'returned'))
        or (old.id, old.transfer_id, old.place, old.application_id, old.household_id, old.approval_id, old.amount)
            is distinct from
            (new.id, new.transfer_id, new.place, new.application_id, new.household_id, new.approval_id, new.amount)
    then
        raise exception 'payment % cannot go from % to %', old.id, old.state, new.state
            using errcode = 'check_violation', constraint = 'payment_moves_forward';
    end if;
    return new;
end $$;
create trigger payment_moves_forward before update on payment
    for each row execute function payment_moves_forward();

create function payment_is_kept() returns trigger language plpgsql as $$
begin
    raise exception 'payments are kept: % is refused', tg_op using errcode = 'insufficient_privilege';
end $$;
create trigger payment_is_kept before delete or truncate on payment
    for each statement execute function payment_is_kept();
