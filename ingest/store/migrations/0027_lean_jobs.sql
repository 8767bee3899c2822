-- What a job costs the server: less for the same promises.

-- With an index whose condition names the attempts, every claim was an entry in every index of the table. A
-- claim now meets exhausted jobs where they stand in the queue. Nodes of the version before look for them
-- among all that wait: slower, and right.
drop index job_exhausted;

-- A scan that comes in waits, and pages are refused before it is done: so its arrival leaves nothing to
-- count. Whatever makes it done is counted as before.
drop trigger scan_accounts_for_its_pages on scan;
create constraint trigger scan_accounts_for_its_pages after update of state, page_count on scan
    deferrable initially deferred for each row execute function scan_accounts_for_its_pages();
create constraint trigger scan_that_begins_done_accounts_for_its_pages after insert on scan
    deferrable initially deferred for each row when (new.state = 'done')
    execute function scan_accounts_for_its_pages();
