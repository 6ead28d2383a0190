DROP STATISTICS links_tags;
