from django.apps import AppConfig


class IntakeConfig(AppConfig):
    name = "saldo.intake"
    label = "intake"
