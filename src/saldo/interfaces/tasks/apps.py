from django.apps import AppConfig


class TasksConfig(AppConfig):
    name = "saldo.interfaces.tasks"
    label = "tasks"
