from django.apps import AppConfig


class CashConfig(AppConfig):
    name = "saldo.cash"
    label = "cash"
