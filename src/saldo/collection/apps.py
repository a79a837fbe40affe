from django.apps import AppConfig


class CollectionConfig(AppConfig):
    name = "saldo.collection"
    label = "collection"
