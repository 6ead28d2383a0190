-- The index by link had one page to be written for each link of a run, as soon as links had a few hundred checks. The key of
-- checks leads to the check of a link in a run. So a link's checks are found by asking the runs, the newest first. There are
-- few runs of many links. Those of few links may be many: their checks are listed by link.
DROP INDEX checks_by_link;

CREATE INDEX runs_of_many_links ON runs (id) WHERE links >= 256;

CREATE TABLE checks_of_small_runs (
    link_id  BLOB NOT NULL,
    run_id   BLOB NOT NULL,
    PRIMARY KEY (link_id, run_id)
) STRICT, WITHOUT ROWID;

INSERT INTO checks_of_small_runs (link_id, run_id)
SELECT c.link_id, c.run_id FROM runs r CROSS JOIN checks c ON c.run_id = r.id WHERE r.links < 256;

CREATE TRIGGER list_check_of_small_run AFTER INSERT ON checks
WHEN (SELECT links FROM runs WHERE id = NEW.run_id) < 256 BEGIN
    INSERT INTO checks_of_small_runs (link_id, run_id) VALUES (NEW.link_id, NEW.run_id);
END;

CREATE TRIGGER unlist_check_of_small_run AFTER DELETE ON checks BEGIN
    DELETE FROM checks_of_small_runs WHERE link_id = OLD.link_id AND run_id = OLD.run_id;
END;
