DROP FUNCTION linkbeat_set_link(uuid, boolean, boolean);
