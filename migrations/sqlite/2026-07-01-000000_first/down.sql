DROP VIEW linkbeat_checks;
DROP VIEW linkbeat_runs;
DROP VIEW linkbeat_links;
DROP TABLE checks;
DROP TABLE jobs;
DROP TABLE runs;
DROP TABLE links;
DROP TABLE removed_links;
