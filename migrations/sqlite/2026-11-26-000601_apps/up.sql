-- SQLite has no functions of its own: `linkbeat links set` does it.
SELECT 1;
