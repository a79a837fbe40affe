from django.apps import AppConfig


class OutreachConfig(AppConfig):
    name = "saldo.outreach"
    label = "outreach"
