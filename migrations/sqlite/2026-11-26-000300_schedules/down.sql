DROP VIEW linkbeat_ticks;
DROP VIEW linkbeat_schedules;
DROP TABLE ticks;
DROP TABLE schedules;
