-- What an app may do to a link of which a person decides: hide or show it, and take it out of the runs or back in. It is
-- done as `linkbeat links set` does it. NULL leaves a thing as it is. Returns whether there is such a link.
--
-- It has the rights of the owner, so that whoever may call it need not be able to write to any table.
CREATE FUNCTION linkbeat_set_link(link uuid, shown boolean DEFAULT NULL, active boolean DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    before links;
    moment timestamptz;
BEGIN
    -- Who edits links does so one after the other.
    PERFORM pg_advisory_xact_lock(x'6c626c696e6b73'::bigint);
    SELECT * INTO before FROM links WHERE links.id = link FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    moment := clock_timestamp();
    UPDATE links SET active = coalesce(linkbeat_set_link.active, before.active), updated_at = moment WHERE links.id = link;
    IF linkbeat_set_link.shown IS NULL THEN
        RETURN true;
    END IF;
    UPDATE links SET shown = linkbeat_set_link.shown, hidden_reason = NULL, passed_in_a_row = 0, failed_in_a_row = 0,
                     -- Whoever hides or shows a link has seen its page: what it is like by now is learnt anew.
                     details = nullif(before.details - 'known', '{}'),
                     shown_since = CASE WHEN before.shown = linkbeat_set_link.shown THEN before.shown_since ELSE moment END
    WHERE links.id = link;
    IF before.shown <> linkbeat_set_link.shown THEN
        INSERT INTO changes (link_id, run_id, at, was_shown, shown, former_verdict, verdict, reason)
        VALUES (link, NULL, moment, before.shown, linkbeat_set_link.shown, before.verdict, before.verdict, before.reason);
    END IF;
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION linkbeat_set_link(uuid, boolean, boolean) FROM PUBLIC;
-- A function with its owner's rights must not find somebody else's tables first.
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION linkbeat_set_link(uuid, boolean, boolean) SET search_path = %I, pg_temp',
                   current_schema());
END $$;
