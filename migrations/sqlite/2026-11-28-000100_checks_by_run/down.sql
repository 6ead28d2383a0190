DROP TRIGGER unlist_check_of_small_run;
DROP TRIGGER list_check_of_small_run;
DROP TABLE checks_of_small_runs;
DROP INDEX runs_of_many_links;
CREATE INDEX checks_by_link ON checks (link_id);
