"""CSV and Excel exports of any ERP, read through mapping profiles."""
