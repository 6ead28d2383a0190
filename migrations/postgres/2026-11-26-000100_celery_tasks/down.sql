DROP TABLE celery_tasks;
