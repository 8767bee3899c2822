-- How strictly a lot is inspected follows from the verdicts on those of its station before it.
alter table lot
    add column severity text not null default 'normal' check (severity in ('normal', 'tightened')),
    -- table 2-B of ISO 2859-1 has a letter more
    drop constraint lot_letter_check,
    add constraint lot_letter_check check (letter ~ '^[A-S]$');
