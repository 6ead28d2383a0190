class LinkbeatRouter:
    """The models of this app are views of linkbeat's database. Django reads them and makes no tables there."""

    def db_for_read(self, model, **hints):
        return "linkbeat" if model._meta.app_label == "friends" else None

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, **hints):
        return None if db == "default" else False
