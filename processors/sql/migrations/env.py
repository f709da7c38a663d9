"""Run by Alembic on the connection that `migrate` hands over. https://alembic.sqlalchemy.org/en/latest/cookbook.html"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
