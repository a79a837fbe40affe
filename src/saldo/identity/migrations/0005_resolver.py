from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("identity", "0004_models_append_only")]

    operations = [
        migrations.AlterField(
            model_name="grant",
            name="role",
            field=models.CharField(
                choices=[
                    ("administrator", "Administrator"),
                    ("credit_manager", "Credit Manager"),
                    ("collector", "Collector"),
                    ("cash_specialist", "Cash Specialist"),
                    ("sales", "Sales"),
                    ("cfo", "Cfo"),
                    ("customer_care", "Customer Care"),
                    ("resolver", "Resolver"),
                ],
                max_length=20,
            ),
        ),
    ]
