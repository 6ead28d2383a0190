-- PostgreSQL alone needs to be told.
SELECT 1;
