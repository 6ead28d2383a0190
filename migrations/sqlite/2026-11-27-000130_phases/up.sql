-- How long the phases of the latest check took, in milliseconds: a JSON array (shared/src/phases.rs).
ALTER TABLE links ADD COLUMN phases TEXT;
