ALTER TABLE links RESET (fillfactor);
