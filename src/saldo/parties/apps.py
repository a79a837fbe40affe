from django.apps import AppConfig


class PartiesConfig(AppConfig):
    name = "saldo.parties"
    label = "parties"
