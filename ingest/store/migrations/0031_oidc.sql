-- Logins by accounts of another system (OpenID Connect). Such an account has no password of ours.
alter table account alter column password_hash drop not null;

create table oidc_account (
    issuer text not null check (issuer <> ''),
    subject text not null check (subject <> ''),
    account text not null unique references account,
    first_at timestamptz not null default now(),
    primary key (issuer, subject)
);

-- Logins under way, of browsers that are at the provider. Taken by the answer, whatever it is.
create table oidc_attempt (
    state_sha256 bytea primary key check (octet_length(state_sha256) = 32),
    -- of the cookie of the browser that began it
    browser_sha256 bytea not null check (octet_length(browser_sha256) = 32),
    nonce text not null check (nonce <> ''),
    verifier text not null check (verifier <> ''),
    begun_at timestamptz not null default now()
);
create index oidc_attempt_begun on oidc_attempt (begun_at);
