from django.apps import AppConfig


class RiskConfig(AppConfig):
    name = "saldo.risk"
    label = "risk"
