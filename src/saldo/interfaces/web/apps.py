from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "saldo.interfaces.web"
    label = "web"
    verbose_name = "Saldo"
