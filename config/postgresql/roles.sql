-- Two roles and a database, so that the service cannot change what it has logged: one role owns the
-- tables and changes them (uketsuke migrate), the other is what the service connects as.
-- Run once by a superuser:
--
--   psql --variable owner=uketsuke_owner --variable application=uketsuke \
--        --variable database=uketsuke --file config/postgresql/roles.sql
--
-- then give both a way to log in (\password, or a line of pg_hba.conf), and as the owner:
--
--   DATABASE_URL=postgres://uketsuke_owner:...@HOST/uketsuke uketsuke migrate --application-role uketsuke

\set ON_ERROR_STOP on

create role :"owner" login;
create role :"application" login;
create database :"database" owner :"owner" encoding 'UTF8' template template0;
revoke all on database :"database" from public;
-- temporary: the sweep of the object store compares names in a table of its own
grant connect, temporary on database :"database" to :"application";
\connect :"database"
revoke create on schema public from public;
grant usage, create on schema public to :"owner";
-- A transaction that is left open holds back seals and the cleaning of the job table; a statement
-- that hangs keeps its locks.
alter role :"application" in database :"database" set idle_in_transaction_session_timeout = '30s';
alter role :"application" in database :"database" set statement_timeout = '60s';
