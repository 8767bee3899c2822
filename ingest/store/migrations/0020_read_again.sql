-- A page that a person assigned is read, where they say which page of which form it is: a job each. What it
-- is read as is kept here; its row then is that of a captured page like any other.
alter table page_decision
    add column form text,
    add column form_version text,
    add column form_page integer check (form_page >= 1),
    add constraint page_decision_names_a_page_of_a_form check (
        num_nulls(form, form_version, form_page) in (0, 3) and (form is null or outcome = 'assigned')
    );
