-- Deficiency letters: what an applicant was asked to mend, by codes alone. They are never changed, and
-- stay when the application is erased, as its number does.
create table letter (
    id bigint generated always as identity primary key,
    application_id text not null,
    capture_id uuid not null,
    -- of the application's letters, from 1
    number integer not null check (number >= 1),
    deficiencies jsonb not null check (jsonb_array_length(deficiencies) > 0),
    written_by text not null check (written_by <> ''),
    written_at timestamptz not null default now(),
    unique (application_id, number),
    foreign key (capture_id, application_id) references capture (id, application_id)
);
create trigger letter_is_append_only before update or delete or truncate on letter
    for each statement execute function row_is_append_only();
