# The views of linkbeat. Django makes no tables for them, but permissions.

from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Link',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('name', models.TextField()),
                ('url', models.URLField()),
                ('group_name', models.TextField(null=True)),
                ('avatar', models.TextField(null=True)),
                ('description', models.TextField(null=True)),
                ('active', models.BooleanField(help_text='whether runs check it')),
                ('shown', models.BooleanField()),
                ('shown_since', models.DateTimeField()),
                ('hidden_reason_type', models.TextField(null=True)),
                ('verdict', models.TextField(null=True)),
                ('reason_type', models.TextField(null=True)),
                ('reason_text', models.TextField(null=True)),
                ('status', models.IntegerField(null=True)),
                ('last_checked_at', models.DateTimeField(null=True)),
                ('failed_in_a_row', models.BigIntegerField()),
            ],
            options={
                'db_table': 'linkbeat_links',
                'ordering': ['name'],
                'managed': False,
                'default_permissions': ['view', 'change'],
            },
        ),
        migrations.CreateModel(
            name='Run',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('seq', models.BigIntegerField()),
                ('request_id', models.UUIDField()),
                ('state', models.TextField()),
                ('links', models.BigIntegerField()),
                ('done', models.BigIntegerField()),
                ('up', models.BigIntegerField()),
                ('to_not_show', models.BigIntegerField(verbose_name='hidden')),
                ('to_show', models.BigIntegerField(verbose_name='shown again')),
                ('created_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'linkbeat_runs',
                'ordering': ['-seq'],
                'managed': False,
                'default_permissions': ['view'],
            },
        ),
    ]
