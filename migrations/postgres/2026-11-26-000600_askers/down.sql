DROP TABLE progress;
DROP TABLE askers;
