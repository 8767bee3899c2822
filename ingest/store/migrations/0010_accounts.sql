-- People who work at the review desk.
create table account (
    name text primary key check (name ~ '^[a-z0-9][a-z0-9._-]{0,31}$'),
    role text not null check (role in
        ('keyer', 'reviewer', 'supervisor', 'qa', 'inquiry', 'municipality', 'administrator')),
    -- argon2id, in the PHC format
    password_hash text not null check (password_hash like '$argon2id$%'),
    active boolean not null default true,
    created_at timestamptz not null default now()
);

-- Who is logged in. The token itself is with the browser only.
create table session (
    token_sha256 bytea primary key check (octet_length(token_sha256) = 32),
    account text not null references account,
    created_at timestamptz not null default now(),
    seen_at timestamptz not null default now()
);
create index session_of_account on session (account);

-- Logins that failed, by what they have in common: a name (of an account or not) or an address. Both
-- are digests, so that a password typed into the wrong box is not kept.
create table login_failure (
    key bytea primary key check (octet_length(key) = 32),
    failures integer not null check (failures >= 1),
    last_at timestamptz not null default now()
);
