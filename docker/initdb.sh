#!/bin/sh
# Run once, on an empty Postgres: a database each for Dagster and MLflow, each with an owner of its own.
set -eu
make_database() {
  psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres --quiet \
    --set name="$1" --set password="$2" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
}
make_database dagster "$DAGSTER_PG_PASSWORD"
make_database mlflow "$MLFLOW_PG_PASSWORD"
