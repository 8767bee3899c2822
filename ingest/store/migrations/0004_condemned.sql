-- Objects that no row names. They are taken away in two steps, at least a day apart, so that a
-- publication in between can still name them.
create table condemned (
    key text primary key check (key <> ''),
    condemned_at timestamptz not null default now(),
    -- as the store said; a writer that has stored the object again makes it younger
    modified_at timestamptz not null,
    -- From here on no publication may name it: the object is being taken away, or is gone. The row
    -- stays for a while, so that a publication that believes it has just stored the object is
    -- refused, and stores it again.
    removing_at timestamptz,
    removed_at timestamptz,
    check (removed_at is null or removing_at is not null)
);
create index condemned_waiting on condemned (condemned_at) where removed_at is null;
