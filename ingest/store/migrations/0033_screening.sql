-- All of a rejected lot is looked at.
alter table qa_sample
    -- not drawn by chance: it stands for itself alone, and no rate counts it
    add column screening boolean not null default false,
    -- nor is a certificate judged by it, by a node of the version before as little as by this one
    add constraint qa_sample_screening_check check (not screening or certificate is null);

-- Whether tasks were made for what the machine accepted in a capture of a rejected lot.
alter table capture add column screening_planned boolean not null default false;
