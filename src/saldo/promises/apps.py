from django.apps import AppConfig


class PromisesConfig(AppConfig):
    name = "saldo.promises"
    label = "promises"
