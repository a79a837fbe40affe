from django.apps import AppConfig


class DisputesConfig(AppConfig):
    name = "saldo.disputes"
    label = "disputes"
