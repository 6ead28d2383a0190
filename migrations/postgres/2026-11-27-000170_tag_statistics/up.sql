-- How tags are spread, so that the planner knows whether few or many links have one. The index on tags does not tell it.
CREATE STATISTICS links_tags ON (attributes -> 'tags') FROM links;
