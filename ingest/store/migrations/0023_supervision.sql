-- How pages come from each station: measures of a page beside what was read of it. None of pages of the
-- version before.
alter table page
    add column skew_deg real,
    -- none where the form was not found
    add column residual_px real,
    -- symbols that carried the application's ID
    add column symbols smallint;

-- Pages of its form that a capture lacks.
alter table capture add column missing integer[] not null default '{}';
create index capture_incomplete on capture (station, batch, captured_at) where missing <> '{}';
