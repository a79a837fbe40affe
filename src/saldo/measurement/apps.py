from django.apps import AppConfig


class MeasurementConfig(AppConfig):
    name = "saldo.measurement"
    label = "measurement"
